//! Reading stored configuration (oauth2-config §2.4): plain values, and the strings that old clients send for booleans and
//! numbers. What is absent or of a wrong type counts as absent, so that the documented default applies.

use serde_json::Value;

/// One group of attributes, such as `coreOAuth2ClientConfig`.
#[derive(Clone, Copy)]
pub struct Attributes<'v>(Option<&'v Value>);

impl<'v> Attributes<'v> {
    /// The member `group` of a document.
    pub fn group(document: &'v Value, group: &str) -> Self {
        Self(document.get(group))
    }

    fn get(self, name: &str) -> Option<&'v Value> {
        self.0?.get(name).filter(|value| !value.is_null())
    }

    /// A string; `[Empty]` is AM's word for none.
    pub fn text(self, name: &str) -> Option<&'v str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty() && *text != "[Empty]")
    }

    /// A boolean.
    pub fn flag(self, name: &str, default: bool) -> bool {
        match self.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
            _ => default,
        }
    }

    /// A number that is not negative.
    pub fn number(self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        }
    }

    /// A list of strings; `None` when the attribute is absent.
    pub fn list(self, name: &str) -> Option<Vec<&'v str>> {
        match self.get(name)? {
            Value::Array(values) => Some(values.iter().filter_map(Value::as_str).collect()),
            Value::String(one) => Some(vec![one]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn old_spellings_are_understood_and_wrong_types_are_absent() {
        let document = json!({ "g": { "t": "x", "e": "[Empty]", "b": "TRUE", "n": "7", "neg": -1, "l": ["a", null, 1], "z": null } });
        let group = Attributes::group(&document, "g");
        assert_eq!((group.text("t"), group.text("e"), group.text("n2")), (Some("x"), None, None));
        assert_eq!((group.flag("b", false), group.flag("t", true), group.flag("z", true)), (true, true, true));
        assert_eq!((group.number("n"), group.number("neg"), group.number("t")), (Some(7), None, None));
        assert_eq!((group.list("l"), group.list("z"), group.list("b")), (Some(vec!["a"]), None, Some(vec!["TRUE"])));
        assert!(!Attributes::group(&json!(null), "g").flag("b", false));
    }
}
