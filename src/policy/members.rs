//! Reading the members of a JSON object whose shape is known, without taking more than is meant.

use serde_json::{Map, Value};

use super::{Error, error::excerpt};

/// A member of the wrong JSON type. Each resource words that in its own way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Member '{member}' must be {expected}")]
pub(crate) struct Wrong {
    pub member: &'static str,
    pub expected: &'static str,
}

/// In policies, subjects and conditions (§2.10.2).
impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Error::json(wrong.to_string())
    }
}

/// A JSON object being read. A member that is `null` counts as absent.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a>(pub &'a Map<String, Value>);

impl<'a> Members<'a> {
    pub fn of(value: &'a Value, member: &'static str) -> Result<Self, Wrong> {
        value.as_object().map(Self).ok_or(Wrong { member, expected: "an object" })
    }

    pub fn value(&self, member: &str) -> Option<&'a Value> {
        self.0.get(member).filter(|value| !value.is_null())
    }

    pub fn text(&self, member: &'static str) -> Result<Option<&'a str>, Wrong> {
        self.typed(member, "a string", Value::as_str)
    }

    /// A text that says something.
    pub fn required_text(&self, member: &'static str) -> Result<String, Error> {
        let text = self.text(member)?.filter(|text| !text.trim().is_empty());
        Ok(text.ok_or(Error::PropertyMissing(member))?.to_owned())
    }

    pub fn boolean(&self, member: &'static str) -> Result<Option<bool>, Wrong> {
        self.typed(member, "a boolean", Value::as_bool)
    }

    pub fn integer(&self, member: &'static str) -> Result<Option<i64>, Wrong> {
        self.typed(member, "an integer", Value::as_i64)
    }

    pub fn values(&self, member: &'static str) -> Result<Option<&'a [Value]>, Wrong> {
        self.typed(member, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    /// An array of strings as the set it means: without repetitions, in the order sent.
    pub fn texts(&self, member: &'static str) -> Result<Option<Vec<String>>, Wrong> {
        let all = |value: &'a Value| {
            let mut seen = std::collections::HashSet::new();
            let texts: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
            Some(texts?.into_iter().filter(|text| seen.insert(*text)).map(str::to_owned).collect())
        };
        self.typed(member, "an array of strings", all)
    }

    /// The `type` of a subject, condition or response attribute.
    pub fn kind(&self, what: &'static str) -> Result<&'a str, Error> {
        self.text("type")?.ok_or_else(|| Error::json(format!("Member 'type' of a {what} is missing")))
    }

    pub fn unknown_kind(&self, what: &'static str, kind: &str) -> Error {
        Error::json(format!("Unknown {what} type '{}'", excerpt(kind)))
    }

    /// The first member that is in none of `allowed`.
    pub fn stranger(&self, allowed: &[&[&str]]) -> Option<&'a str> {
        let known = |name: &str| allowed.iter().any(|names| names.contains(&name));
        self.0.keys().map(String::as_str).find(|name| !known(name))
    }

    /// Refuses members that a subject's, condition's or attribute's type does not have.
    pub fn only(&self, allowed: &[&[&str]]) -> Result<(), Error> {
        match self.stranger(allowed) {
            None => Ok(()),
            Some(name) => Err(Error::json(format!("Unrecognized member '{}'", excerpt(name)))),
        }
    }

    fn typed<T>(
        &self,
        member: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        self.value(member).map(|value| read(value).ok_or(Wrong { member, expected })).transpose()
    }
}
