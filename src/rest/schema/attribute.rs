//! Attributes: what values they have, and what they have when nothing is said (oauth2-config.md §2.4).

use crate::{
    crest::{Error, Object},
    rest::identity,
};
use serde_json::{Map, Value, json};

/// Largest integer: attributes are 32 bits wide.
const MAX_INT: i64 = i32::MAX as i64;

/// Most entries of a list or map.
pub(super) const MAX_ENTRIES: usize = 1000;

/// AM's word for "nothing selected"; round-trips.
pub const EMPTY: &str = "[Empty]";

/// What values an attribute has.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A boolean.
    Flag,
    /// An integer of at least this.
    Int(i64),
    /// A string that passes the check.
    Text(fn(&str) -> bool),
    /// One of these; case is ignored and this spelling stored.
    Choice(&'static [&'static str]),
    /// Strings that each pass the check.
    List(fn(&str) -> bool),
    /// Strings by name.
    Map,
    /// Known to the reference, and never set here: a value is refused, since it would promise what nobody keeps.
    Unset,
    /// Write-only: taken out by [`Schema::read`](super::Schema::read), never stored or shown here.
    Secret,
    /// Accepted and dropped; shown as unset.
    Dropped,
    /// The name of a group; never wrapped, never inherited (oauth2-config.md §2.1).
    Group,
    /// Stands for all attributes that are not listed: kept as they come, within bounds (oauth2-config.md §14.6).
    Others,
}

/// A default.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// None: the attribute is unset.
    None,
    /// A boolean.
    Flag(bool),
    /// An integer.
    Int(i64),
    /// A string.
    Text(&'static str),
    /// Strings.
    List(&'static [&'static str]),
    /// An empty map.
    Map,
}

impl Default {
    pub(super) fn value(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Flag(flag) => flag.into(),
            Self::Int(number) => number.into(),
            Self::Text(text) => text.into(),
            Self::List(list) => list.into(),
            Self::Map => Value::Object(Map::new()),
        }
    }
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its name in the console, and in errors.
    pub label: &'static str,
    /// What values it has.
    pub form: Form,
    /// What it has when nothing is said.
    pub default: Default,
}

impl Attribute {
    /// A boolean.
    pub const fn flag(name: &'static str, label: &'static str, default: bool) -> Self {
        Self { name, label, form: Form::Flag, default: Default::Flag(default) }
    }

    /// An integer.
    pub const fn int(name: &'static str, label: &'static str, least: i64, default: i64) -> Self {
        Self { name, label, form: Form::Int(least), default: Default::Int(default) }
    }

    /// Any string; unset by default.
    pub const fn text(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Text(any), default: Default::None }
    }

    /// A string that passes `check`; unset by default.
    pub const fn checked(name: &'static str, label: &'static str, check: fn(&str) -> bool) -> Self {
        Self { name, label, form: Form::Text(check), default: Default::None }
    }

    /// A string with a default.
    pub const fn default_text(name: &'static str, label: &'static str, default: &'static str) -> Self {
        Self { name, label, form: Form::Text(any), default: Default::Text(default) }
    }

    /// A string that passes `check`, with a default.
    pub const fn checked_or(
        name: &'static str,
        label: &'static str,
        check: fn(&str) -> bool,
        default: &'static str,
    ) -> Self {
        Self { name, label, form: Form::Text(check), default: Default::Text(default) }
    }

    /// One of `of`; an empty default is none.
    pub const fn choice(
        name: &'static str,
        label: &'static str,
        of: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        let default = if default.is_empty() { Default::None } else { Default::Text(default) };
        Self { name, label, form: Form::Choice(of), default }
    }

    /// Any strings; none by default.
    pub const fn list(name: &'static str, label: &'static str) -> Self {
        Self::list_of(name, label, any, &[])
    }

    /// Strings that pass `check`.
    pub const fn list_of(
        name: &'static str,
        label: &'static str,
        check: fn(&str) -> bool,
        default: &'static [&'static str],
    ) -> Self {
        Self { name, label, form: Form::List(check), default: Default::List(default) }
    }

    /// Strings by name; empty by default.
    pub const fn map(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Map, default: Default::Map }
    }

    /// See [`Form::Unset`].
    pub const fn unset(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Unset, default: Default::None }
    }

    /// See [`Form::Secret`].
    pub const fn secret(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Secret, default: Default::None }
    }

    /// See [`Form::Dropped`].
    pub const fn dropped(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Dropped, default: Default::None }
    }

    /// See [`Form::Group`].
    pub const fn group(name: &'static str, label: &'static str) -> Self {
        Self { name, label, form: Form::Group, default: Default::None }
    }

    /// See [`Form::Others`].
    pub const fn others(label: &'static str) -> Self {
        Self { name: "", label, form: Form::Others, default: Default::None }
    }

    /// Its value among the stored ones of its section, else its default; `null` for unset. Secrets are never among what is
    /// shown: their values are not stored here, and their names only appear where the reference shows a `null`.
    pub(super) fn shown(&self, own: Option<&Object>) -> Option<Value> {
        let stored = match self.form {
            Form::Secret | Form::Others => return None,
            Form::Dropped => None,
            _ => own.and_then(|own| own.get(self.name)).cloned(),
        };
        Some(stored.unwrap_or_else(|| self.default.value()))
    }

    /// Whether it is never wrapped (§2.1).
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.form, Form::Secret | Form::Unset | Form::Group)
    }

    /// Whether a group may say it: not the secret, not the group (§10).
    pub fn is_shared(&self) -> bool {
        !self.is_bare()
    }

    /// A value as it is stored, `null` for unset; §2.4.
    pub(super) fn coerce(&self, value: &Value) -> Result<Value, Error> {
        let coerced = match (self.form, value) {
            (_, Value::Null) => return Ok(self.default.value()),
            (Form::Text(_) | Form::Choice(_) | Form::Unset | Form::Group, Value::String(text)) if text.is_empty() => {
                return Ok(self.default.value());
            }
            (Form::Flag, Value::Bool(_)) => Some(value.clone()),
            (Form::Flag, Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(true.into()),
            (Form::Flag, Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(false.into()),
            (Form::Int(least), Value::Number(number)) => integer(number.as_i64(), least),
            (Form::Int(least), Value::String(text)) => integer(text.parse().ok(), least),
            (Form::Text(check), Value::String(text)) => check(text).then(|| value.clone()),
            (Form::Group, Value::String(text)) => identity::is_name(text).then(|| value.clone()),
            (Form::Choice(of), Value::String(text)) => choose(of, text),
            (Form::Choice(of), Value::Bool(flag)) => choose(of, &flag.to_string()),
            (Form::List(check), Value::Array(values)) => list(values, check),
            (Form::List(check), Value::String(_)) => list(std::slice::from_ref(value), check),
            (Form::Map, Value::Object(map)) => {
                (map.len() <= MAX_ENTRIES && map.values().all(Value::is_string)).then(|| value.clone())
            }
            _ => None,
        };
        coerced.ok_or_else(|| Error::invalid_value(self.label))
    }

    pub(super) fn json_schema(&self, order: usize) -> Value {
        let (kind, more) = match self.form {
            Form::Flag => ("boolean", json!({})),
            Form::Int(_) => ("integer", json!({})),
            Form::List(_) => ("array", json!({"items": {"type": "string"}})),
            Form::Map => ("object", json!({"patternProperties": {".*": {"type": "string"}}})),
            Form::Choice(of) => ("string", json!({"enum": of})),
            Form::Secret => ("string", json!({"format": "password"})),
            Form::Text(_) | Form::Unset | Form::Dropped | Form::Group | Form::Others => ("string", json!({})),
        };
        let mut schema = json!({
            "title": self.label, "description": "", "propertyOrder": order * 100, "required": false, "type": kind,
            "exampleValue": "",
        });
        if let (Value::Object(schema), Value::Object(more)) = (&mut schema, more) {
            schema.extend(more);
        }
        schema
    }
}

fn integer(number: Option<i64>, least: i64) -> Option<Value> {
    number.filter(|number| (least..=MAX_INT).contains(number)).map(Value::from)
}

fn choose(of: &[&str], text: &str) -> Option<Value> {
    of.iter().find(|known| known.eq_ignore_ascii_case(text)).map(|known| (*known).into())
}

fn list(values: &[Value], check: fn(&str) -> bool) -> Option<Value> {
    let mut strings: Vec<Value> = Vec::new();
    for value in values.iter().filter(|value| !value.is_null()) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        if !check(&text) {
            return None;
        }
        // A list is a set: what stands in it twice stands in it once.
        let text = Value::String(text);
        if !strings.contains(&text) {
            strings.push(text);
        }
    }
    (strings.len() <= MAX_ENTRIES).then_some(Value::Array(strings))
}

/// Accepts any string.
pub fn any(_: &str) -> bool {
    true
}
