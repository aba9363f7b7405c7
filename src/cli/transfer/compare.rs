//! Whether an object of a file is what the server has already.
//!
//! | difference in form                       | what it means                                           |
//! |------------------------------------------|---------------------------------------------------------|
//! | `{"inherited": …, "value": x}` and `x`   | the same                                                |
//! | absent, `null`, `""`, `[]`, `{}`         | the same: nothing                                       |
//! | `3600` and `"3600"`                      | the same                                                |
//! | the order of a list                      | nothing, but in journeys, scripts and their like        |
//! | a member that the server does not know   | nothing: it cannot be kept                              |
//! | a member that the file leaves out        | its default, where an update puts it back to that       |
//! | passwords                                | not seen: asked for in another way, or told             |

use super::Kind;
use crate::crest::Object;
use serde_json::{Map, Value};

/// Members that are no content.
fn is_meta(name: &str) -> bool {
    matches!(name, "_id" | "_rev" | "_type" | "_provider" | "_outcomes")
}

/// Members that no answer shows.
pub fn is_secret(name: &str) -> bool {
    matches!(name, "userpassword" | "userPassword" | "password")
}

/// What an attribute is, however it is wrapped; `None` for nothing.
fn value(of: &Value) -> Option<&Value> {
    let inner = match of {
        Value::Object(members) if members.get("inherited").is_some_and(Value::is_boolean) => members.get("value")?,
        other => other,
    };
    match inner {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) if items.iter().all(Value::is_null) => None,
        Value::Object(members) if members.is_empty() => None,
        some => Some(some),
    }
}

fn same(kind: &Kind, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            let fits = |a: &Value, b: &Value| same(kind, a, b);
            match kind.ordered {
                true => one.len() == other.len() && one.iter().zip(other).all(|(a, b)| fits(a, b)),
                false => {
                    one.iter().all(|a| other.iter().any(|b| fits(a, b)))
                        && other.iter().all(|b| one.iter().any(|a| fits(a, b)))
                }
            }
        }
        (Value::Object(one), Value::Object(other)) => {
            let empty = Value::Null;
            let mut names = one.keys().chain(other.keys());
            names.all(|name| {
                let (a, b) = (one.get(name).unwrap_or(&empty), other.get(name).unwrap_or(&empty));
                match (value(a), value(b)) {
                    (None, None) => true,
                    (Some(a), Some(b)) => same(kind, a, b),
                    _ => false,
                }
            })
        }
        (Value::String(text), Value::Number(number)) | (Value::Number(number), Value::String(text)) => {
            *text == number.to_string()
        }
        (Value::String(text), Value::Bool(flag)) | (Value::Bool(flag), Value::String(text)) => {
            *text == flag.to_string()
        }
        (one, other) => one == other,
    }
}

/// What the server says about a kind: its attributes, and their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Described {
    /// `_action=schema`
    pub schema: Option<Object>,
    /// `_action=template`
    pub template: Option<Object>,
}

impl Described {
    /// Whether there is such an attribute, as far as the server tells.
    fn knows(&self, section: Option<&str>, name: &str) -> bool {
        let properties = |schema: &Object| schema.get("properties").and_then(Value::as_object).cloned();
        let Some(top) = self.schema.as_ref().and_then(properties) else {
            return true;
        };
        match section {
            None => top.contains_key(name),
            // A section whose attributes the schema does not tell has any.
            Some(section) => match top.get(section).and_then(Value::as_object).and_then(properties) {
                Some(own) => own.contains_key(name),
                None => true,
            },
        }
    }

    /// The attributes of a section, as far as the server tells.
    pub fn section(&self, name: &str) -> Option<&Object> {
        self.schema.as_ref()?.get("properties")?.get(name)?.get("properties")?.as_object()
    }

    fn default_of(&self, section: Option<&str>, name: &str) -> Option<&Value> {
        let top = self.template.as_ref()?;
        match section {
            None => top.get(name),
            Some(section) => top.get(section)?.get(name),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Attributes whose values differ.
    pub differs: Vec<String>,
    /// Attributes that the server does not know, and so cannot keep.
    pub unknown: Vec<String>,
}

impl Difference {
    /// Between an object of a file and what the server has.
    pub fn of(kind: &Kind, wanted: &Object, current: &Object, described: &Described) -> Self {
        let mut found = Self::default();
        for name in names(wanted, current) {
            if kind.ignored.contains(&name) {
                continue;
            }
            match (wanted.get(name), current.get(name)) {
                (Some(Value::Object(own)), Some(Value::Object(theirs))) if is_section(own, theirs) => {
                    for inner in names(own, theirs) {
                        found.attribute(kind, Some(name), inner, (own.get(inner), theirs.get(inner)), described);
                    }
                }
                pair => found.attribute(kind, None, name, pair, described),
            }
        }
        found
    }

    fn attribute(
        &mut self,
        kind: &Kind,
        section: Option<&str>,
        name: &str,
        (wanted, current): (Option<&Value>, Option<&Value>),
        described: &Described,
    ) {
        let place = || section.map_or_else(|| name.to_owned(), |section| format!("{section}/{name}"));
        let fits = match (wanted.map(value), current.and_then(value)) {
            // What the file leaves out.
            (None, theirs) => {
                let default = described.default_of(section, name).and_then(value);
                !kind.resets
                    || described.template.is_none()
                    || match (theirs, default) {
                        (None, _) => true,
                        (Some(theirs), Some(default)) => same(kind, theirs, default),
                        (Some(_), None) => false,
                    }
            }
            (Some(None), None) => true,
            (Some(Some(wanted)), Some(theirs)) => same(kind, wanted, theirs),
            (Some(Some(_)), None) if current.is_none() && !described.knows(section, name) => {
                self.unknown.push(place());
                true
            }
            (Some(Some(flag)), None) => *flag == Value::Bool(false),
            (Some(None), Some(theirs)) => {
                // Nothing is wanted: the default is nothing's value.
                let default = described.default_of(section, name).and_then(value);
                *theirs == Value::Bool(false) || default.is_some_and(|default| same(kind, theirs, default))
            }
        };
        if !fits {
            self.differs.push(place());
        }
    }

    /// Whether nothing has to be done.
    pub fn is_none(&self) -> bool {
        self.differs.is_empty()
    }
}

/// An object of attributes, and not an attribute that is an object.
fn is_section(own: &Object, theirs: &Object) -> bool {
    !own.contains_key("inherited") && !theirs.contains_key("inherited")
}

fn names<'o>(one: &'o Map<String, Value>, other: &'o Map<String, Value>) -> impl Iterator<Item = &'o str> {
    let more = other.keys().filter(|name| !one.contains_key(*name));
    one.keys().chain(more).map(String::as_str).filter(|name| !is_meta(name) && !is_secret(name))
}

/// Attributes of `wanted` that the server does not know, without knowing what it has: before something is created.
pub fn unknown(wanted: &Object, described: &Described) -> Vec<String> {
    let mut unknown = Vec::new();
    let content = |members: &Object| members.clone().into_iter().filter(|(name, _)| !is_meta(name) && !is_secret(name));
    for (name, member) in content(wanted) {
        match &member {
            Value::Object(section) if described.knows(None, &name) && !section.contains_key("inherited") => {
                let inner = content(section).filter(|(_, member)| value(member).is_some());
                let inner = inner.filter(|(inner, _)| !described.knows(Some(&name), inner));
                unknown.extend(inner.map(|(inner, _)| format!("{name}/{inner}")));
            }
            member if value(member).is_some() && !described.knows(None, &name) => unknown.push(name),
            _ => {}
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(member: &str) -> &'static Kind {
        Kind::of_member(member).expect("a kind")
    }

    fn object(value: Value) -> Object {
        value.as_object().cloned().expect("an object")
    }

    fn differs(member: &str, wanted: Value, current: Value) -> Vec<String> {
        Difference::of(kind(member), &object(wanted), &object(current), &Described::default()).differs
    }

    #[test]
    fn forms_do_not_matter() {
        for (wanted, current) in [
            (
                json!({"c": {"a": ["x", "y"]}}),
                json!({"c": {"a": {"inherited": false, "value": ["y", "x"]}}, "_rev": "1"}),
            ),
            (json!({"c": {"a": 3600}}), json!({"c": {"a": "3600"}})),
            (json!({"c": {"a": null, "b": []}}), json!({"c": {"a": {"inherited": false}}})),
            (json!({"c": {"a": [null]}}), json!({"c": {}})),
            (json!({"c": {"userpassword": "x"}}), json!({"c": {}})),
            (json!({"a": false}), json!({})),
            (json!({"m": {"k": "v"}}), json!({"m": {"k": "v"}})),
            (json!({}), json!({"c": {"a": 1}})),
        ] {
            assert_eq!(differs("application", wanted.clone(), current.clone()), [""; 0], "{wanted} {current}");
        }
        for (wanted, current, names) in [
            (json!({"c": {"a": ["x"]}}), json!({"c": {"a": ["x", "y"]}}), vec!["c/a"]),
            (json!({"c": {"a": 1, "b": 2}}), json!({"c": {"a": 2, "b": 2}}), vec!["c/a"]),
            (json!({"a": true}), json!({}), vec!["a"]),
            (json!({"a": null}), json!({"a": "x"}), vec!["a"]),
        ] {
            assert_eq!(differs("application", wanted.clone(), current.clone()), names, "{wanted} {current}");
        }
        let lists = (json!({"a": ["x", "y"]}), json!({"a": ["y", "x"]}));
        assert_eq!(differs("nodes", lists.0, lists.1), ["a"], "choices have an order");
        assert_eq!(differs("policy", json!({"createdBy": "a"}), json!({"createdBy": "b"})), [""; 0]);
    }

    #[test]
    fn the_server_tells_what_it_knows_and_what_is_left_out() {
        let described = Described {
            schema: Some(object(json!({"properties": {"c": {"properties": {"a": {}, "b": {}}}, "top": {}}}))),
            template: Some(object(json!({"c": {"a": 1, "b": "default"}}))),
        };
        let wanted = object(json!({"c": {"a": 1, "new": 2, "off": null}, "other": "x", "top": 1}));
        assert_eq!(unknown(&wanted, &described), ["c/new", "other"]);
        let of = |current: Value| Difference::of(kind("application"), &wanted, &object(current), &described);
        let found = of(json!({"c": {"a": 1, "b": "default"}, "top": 1}));
        assert_eq!((found.differs.len(), found.unknown), (0, vec!["c/new".to_owned(), "other".to_owned()]));
        assert_eq!(of(json!({"c": {"a": 1, "b": "mine"}, "top": 1})).differs, ["c/b"], "an update would reset it");
        // What it has is known, whatever the schema says.
        assert_eq!(of(json!({"c": {"a": 1, "new": 3}, "top": 1})).differs, ["c/new"]);
    }
}
