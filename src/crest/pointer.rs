//! JSON pointers as Common REST spells them: percent-decoded elements, slashes at both ends optional, no `~` escapes
//! (crest.md §6, §7.2).

use super::percent;
use serde_json::Value;
use std::fmt;

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
        let legal = |c: char| !c.is_control() && !" {}^|\\<>\"`#".contains(c);
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
            Value::Array(values) => element.parse::<usize>().ok().and_then(|index| values.get(index)),
            _ => None,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| write!(f, "/{element}"))
    }
}
