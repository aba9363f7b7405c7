//! JSON pointers as Common REST spells them: percent-decoded elements, slashes at both ends optional, no `~` escapes
//! (crest.md §6, §7.2).

use super::percent;
use serde_json::Value;
use std::fmt;

/// Characters that no pointer has as they are (RFC 3986 §3.5, as the reference reads it).
const ILLEGAL: &str = " {}^|\\<>\"`#";

/// A path into a JSON value; empty for the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// How a member name of an object is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As it is.
    Exact,
    /// Ignoring ASCII case, as attributes of identities are.
    AnyCase,
}

impl Pointer {
    /// Parses a pointer; `None` for characters that a URI fragment does not have, or an empty element.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |c: char| !c.is_control() && !ILLEGAL.contains(c);
        if !text.chars().all(legal) {
            return None;
        }
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if inner.is_empty() {
            return Some(Self(Vec::new()));
        }
        let elements = inner.split('/').map(|element| percent::decode(element).filter(|element| !element.is_empty()));
        elements.collect::<Option<Vec<String>>>().map(Self)
    }

    /// The pointer to the members of `elements`.
    pub fn of(elements: impl IntoIterator<Item = String>) -> Self {
        Self(elements.into_iter().collect())
    }

    /// Its elements, decoded.
    pub fn elements(&self) -> &[String] {
        &self.0
    }

    /// Whether it points at what `other` points at, or below.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The last element; `None` for the whole value.
    pub fn leaf(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// What it points at. Arrays take a number; they are not searched.
    pub fn resolve<'v>(&self, value: &'v Value, names: Names) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, element| match value {
            Value::Object(object) => object.get(element).or_else(|| match names {
                Names::Exact => None,
                Names::AnyCase => {
                    object.iter().find(|(name, _)| name.eq_ignore_ascii_case(element)).map(|(_, value)| value)
                }
            }),
            Value::Array(values) => index(element).and_then(|index| values.get(index)),
            _ => None,
        })
    }
}

/// A place in an array, in its one spelling: digits without a sign or leading zeros.
pub(super) fn index(element: &str) -> Option<usize> {
    let plain = element.bytes().all(|b| b.is_ascii_digit()) && (element == "0" || !element.starts_with('0'));
    if plain { element.parse().ok() } else { None }
}

impl fmt::Display for Pointer {
    /// So that it parses to itself, as a token of a filter too: what would end an element or a token is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for element in &self.0 {
            f.write_str("/")?;
            for c in element.chars() {
                if c.is_control() || ILLEGAL.contains(c) || "%/()".contains(c) {
                    f.write_str(&percent::encode(c.encode_utf8(&mut [0; 4])))?;
                } else {
                    write!(f, "{c}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn an_index_has_one_spelling() {
        let list = json!([[1, 2], 3]);
        let at = |text: &str| Pointer::parse(text).expect(text).resolve(&list, Names::Exact).cloned();
        assert_eq!((at("0/1"), at("/1/"), at("/")), (Some(json!(2)), Some(json!(3)), Some(list.clone())));
        for none in ["+1", "01", "-", "2", "1e0", "18446744073709551616"] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    #[test]
    fn what_no_fragment_has_is_no_pointer() {
        for illegal in
            ["a{", "a}", "a^", "a|", "a\\", "a<", "a>", "a\"", "a`", "a#", "a\tb", "a b", "%", "%2", "a//b", "%ff"]
        {
            assert_eq!(Pointer::parse(illegal), None, "{illegal}");
        }
        assert!(Pointer::parse("/käse/a+b/!x/~0").is_some());
    }

    proptest! {
        #[test]
        fn a_pointer_prints_as_it_parses(elements in prop::collection::vec(".{1,6}", 0..4)) {
            let pointer = Pointer::of(elements);
            prop_assert_eq!(Pointer::parse(&pointer.to_string()), Some(pointer));
        }
    }
}
