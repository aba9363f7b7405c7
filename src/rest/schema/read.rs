//! What clients send, read by a schema (oauth2-config.md §2.4).

use super::{Attribute, Form, Schema, Section, attribute::MAX_ENTRIES};
use crate::{
    crest::{Error, Object},
    rest::identity,
};
use serde_json::Value;

/// Longest name of an attribute that is not listed, bytes.
const MAX_NAME_BYTES: usize = 255;

/// Most bytes of attributes of one section that are not listed.
const MAX_OTHER_BYTES: usize = 128 * 1024;

/// What happens to attributes that are left out.
#[derive(Clone, Copy, Debug)]
pub enum LeftOut<'s> {
    /// They get their defaults.
    Default,
    /// They stay as they are stored.
    Keep(&'s Object),
}

/// What was read. No `Debug`: a secret may be in it.
pub struct Read {
    /// Plain values, ready to be stored; unset ones are left out.
    pub stored: Object,
    /// A secret that came along; `None` when nothing was said about it.
    pub secret: Option<String>,
}

/// Members that clients send back and servers own (§2.4).
fn is_ignored(name: &str) -> bool {
    ["_id", "_rev", "_type", "_provider"].contains(&name) || name.ends_with("-encrypted")
}

/// `{"inherited": …, "value": …}` without its wrapping.
fn unwrapped(value: &Value) -> &Value {
    match value {
        Value::Object(wrapped) if wrapped.get("inherited").is_some_and(Value::is_boolean) => {
            wrapped.get("value").unwrap_or(&Value::Null)
        }
        plain => plain,
    }
}

/// An attribute, by its section and its name.
pub type Place = (&'static str, &'static str);

/// What was read of something that may inherit (§2, §10).
pub struct ReadHeir {
    /// What it says itself.
    pub own: Read,
    /// What it wants to inherit.
    pub inherited: Vec<Place>,
}

impl Schema {
    /// Reads what a client sends.
    ///
    /// # Errors
    /// 400 for unknown attributes and for values that an attribute does not have.
    pub fn read(&self, content: &Object, left_out: LeftOut<'_>) -> Result<Read, Error> {
        let mut read = Read { stored: Object::new(), secret: None };
        let nothing = Object::new();
        let top: Vec<&str> =
            self.sections.iter().flat_map(Section::members).chain(self.opaque.iter().copied()).collect();
        let open = self.sections.iter().any(|section| section.name.is_empty() && section.is_open());
        if !open && content.keys().any(|name| !is_ignored(name) && !top.contains(&name.as_str())) {
            return Err(Error::invalid_attribute(top));
        }
        for section in self.sections {
            let given = match (section.name, content.get(section.name)) {
                ("", _) => content,
                (_, None | Some(Value::Null)) => &nothing,
                (_, Some(Value::Object(given))) => given,
                (_, Some(_)) => return Err(Error::invalid_value(section.title)),
            };
            let names = || section.attributes.iter().map(|attribute| attribute.name);
            let closed = !section.name.is_empty() && !section.is_open();
            if closed && given.keys().any(|name| !is_ignored(name) && !names().any(|n| n == name)) {
                return Err(Error::invalid_attribute(names()));
            }
            let kept = match left_out {
                LeftOut::Default => None,
                LeftOut::Keep(stored) => section.of(stored),
            };
            let mut values = Object::new();
            for attribute in section.attributes {
                let value = match (given.get(attribute.name), kept) {
                    (Some(given), _) => unwrapped(given),
                    (None, Some(kept)) => kept.get(attribute.name).unwrap_or(&Value::Null),
                    (None, None) => &Value::Null,
                };
                match attribute.form {
                    Form::Dropped => {}
                    Form::Secret => {
                        if let Some(secret) = secret(attribute, value)? {
                            read.secret = Some(secret);
                        }
                    }
                    Form::Others => {
                        let known = |name: &str| names().chain(top.iter().copied()).any(|known| known == name);
                        values.extend(others(attribute, given, known)?);
                    }
                    _ => {
                        let value = attribute.coerce(value)?;
                        if !value.is_null() {
                            values.insert(attribute.name.into(), value);
                        }
                    }
                }
            }
            if section.name.is_empty() {
                read.stored.extend(values);
            } else {
                read.stored.insert(section.name.into(), Value::Object(values));
            }
        }
        for name in self.opaque {
            let kept = match left_out {
                LeftOut::Default => None,
                LeftOut::Keep(stored) => stored.get(*name),
            };
            if let Some(value) = content.get(*name).or(kept) {
                read.stored.insert((*name).into(), value.clone());
            }
        }
        Ok(read)
    }

    /// As [`read`](Self::read) with defaults for what is left out, and what is to be inherited.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_heir(&self, content: &Object) -> Result<ReadHeir, Error> {
        let own = self.read(content, LeftOut::Default)?;
        let wants = |(section, name): &Place| {
            let given = Self::given(content, (section, name));
            given.and_then(|given| given.get("inherited")).and_then(Value::as_bool).unwrap_or(false)
        };
        Ok(ReadHeir { own, inherited: self.heritable().filter(wants).collect() })
    }

    /// What may be inherited.
    pub fn heritable(&self) -> impl Iterator<Item = Place> {
        self.sections.iter().filter(|section| !section.bare).flat_map(|section| {
            let can = |attribute: &&Attribute| {
                attribute.is_shared() && !matches!(attribute.form, Form::Dropped | Form::Others)
            };
            section.attributes.iter().filter(can).map(|attribute| (section.name, attribute.name))
        })
    }

    /// What a client sends for an attribute, as it sends it.
    pub fn given(content: &Object, (section, name): Place) -> Option<&Value> {
        let group = if section.is_empty() { Some(content) } else { content.get(section).and_then(Value::as_object) };
        group?.get(name)
    }
}

/// The attributes of `given` that are not listed, as they are kept. Names that servers own are refused, and what sounds like a
/// secret is dropped wherever it stands: nobody here would use it, and the log keeps none in the clear (G5).
fn others(attribute: &Attribute, given: &Object, known: impl Fn(&str) -> bool) -> Result<Object, Error> {
    let invalid = || Error::invalid_value(attribute.label);
    let mut kept = Object::new();
    let mut bytes = 0;
    for (name, value) in given.iter().filter(|(name, _)| !is_ignored(name) && !known(name)) {
        if name.starts_with('_') || name.len() > MAX_NAME_BYTES || kept.len() >= MAX_ENTRIES {
            return Err(invalid());
        }
        let value = without_secrets(unwrapped(value));
        bytes += name.len() + value.to_string().len();
        if bytes > MAX_OTHER_BYTES {
            return Err(invalid());
        }
        if !value.is_null() && !is_secret_name(name) {
            kept.insert(name.clone(), value);
        }
    }
    Ok(kept)
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "privatekey", "passphrase", "credential"].iter().any(|word| name.contains(word))
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let open = members.iter().filter(|(name, _)| !is_secret_name(name));
            Value::Object(open.map(|(name, value)| (name.clone(), without_secrets(value))).collect())
        }
        Value::Array(values) => values.iter().map(without_secrets).collect(),
        plain => plain.clone(),
    }
}

fn secret(attribute: &Attribute, value: &Value) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(secret) if identity::is_secret(secret) => Ok(Some(secret.clone())),
        _ => Err(Error::invalid_value(attribute.label)),
    }
}
