//! What configuration looks like: attributes with their forms, labels and defaults, in sections; read from what clients
//! send, and shown in the shapes that clients expect (oauth2-config.md §2).
//!
//! | section | it says                                                       | here                |
//! |---------|---------------------------------------------------------------|---------------------|
//! | §2.1    | single GET and PUT: `{"inherited": …, "value": …}`            | [`Schema::wrapped`] |
//! | §2.2    | queries: plain values, unset ones `null`                      | [`Schema::plain`]   |
//! | §2.3    | services: plain values, unset ones left out                   | [`Schema::service`] |
//! | §2.4    | both on writes, strings for numbers and booleans, `[null]`    | [`Schema::read`]    |
//! | §2.4    | unknown attributes 400; `_id`, `*-encrypted` ignored          | [`Schema::read`]    |

mod attribute;
mod read;

pub use attribute::{Attribute, Default, EMPTY, Form, any};
pub use read::{LeftOut, Place, Read, ReadHeir};

use crate::crest::Object;
use serde_json::{Value, json};

/// Attributes under one name.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The name; empty for attributes that stand at the top.
    pub name: &'static str,
    /// Its name in the console.
    pub title: &'static str,
    /// Whether its values are never wrapped (§2.1).
    pub bare: bool,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

/// All attributes of a type.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// In the order of the console.
    pub sections: &'static [Section],
    /// Sections that are kept as they come: known to newer releases of the reference, and read by nobody here.
    pub opaque: &'static [&'static str],
}

impl Schema {
    /// §2.1.
    pub fn wrapped(&self, stored: &Object) -> Object {
        self.wrapped_heir(stored, |_| false)
    }

    /// §2.1, of something whose inherited values stand in it already.
    pub fn wrapped_heir(&self, stored: &Object, inherits: impl Fn((&str, &str)) -> bool) -> Object {
        self.show(stored, |section, attribute, value| match (value, section.bare || attribute.is_bare()) {
            (Value::Null, true) if section.bare => Some(Value::Null),
            (Value::Null, true) => None,
            (value, true) => Some(value),
            (Value::Null, false) => Some(json!({"inherited": inherits((section.name, attribute.name))})),
            (value, false) => Some(json!({"inherited": inherits((section.name, attribute.name)), "value": value})),
        })
    }

    /// §2.2.
    pub fn plain(&self, stored: &Object) -> Object {
        self.show(stored, |_, _, value| Some(value))
    }

    /// §2.3.
    pub fn service(&self, stored: &Object) -> Object {
        self.show(stored, |_, _, value| Some(value).filter(|value| !value.is_null()))
    }

    /// The defaults, plain.
    pub fn template(&self) -> Object {
        self.plain(&Object::new())
    }

    /// One member of what [`plain`](Self::plain) shows, without the work for the others.
    pub fn plain_member(&self, stored: &Object, member: &str) -> Option<Value> {
        if let Some(opaque) = stored.get(member).filter(|_| self.opaque.contains(&member)) {
            return Some(opaque.clone());
        }
        if let Some(section) = self.sections.iter().find(|section| !section.name.is_empty() && section.name == member) {
            return Some(Value::Object(self.values(section, stored, |_, _, value| Some(value))));
        }
        self.sections.iter().filter(|section| section.name.is_empty()).find_map(|section| {
            match section.attributes.iter().find(|attribute| attribute.name == member) {
                Some(attribute) => attribute.shown(section.of(stored)),
                None if section.is_open() && !self.is_listed(section, member) => stored.get(member).cloned(),
                None => None,
            }
        })
    }

    fn show(&self, stored: &Object, shape: impl Fn(&Section, &Attribute, Value) -> Option<Value>) -> Object {
        let mut shown = Object::new();
        for section in self.sections {
            let values = self.values(section, stored, &shape);
            if section.name.is_empty() {
                shown.extend(values);
            } else {
                shown.insert(section.name.into(), Value::Object(values));
            }
        }
        for name in self.opaque {
            if let Some(value) = stored.get(*name) {
                shown.insert((*name).into(), value.clone());
            }
        }
        shown
    }

    /// What is shown of a section.
    fn values(
        &self,
        section: &Section,
        stored: &Object,
        shape: impl Fn(&Section, &Attribute, Value) -> Option<Value>,
    ) -> Object {
        let own = section.of(stored);
        let mut values = Object::new();
        for attribute in section.attributes {
            if let Form::Others = attribute.form {
                let others = own.into_iter().flatten().filter(|(name, _)| !self.is_listed(section, name));
                values.extend(
                    others.filter_map(|(name, value)| Some((name.clone(), shape(section, attribute, value.clone())?))),
                );
            } else if let Some(value) = attribute.shown(own).and_then(|value| shape(section, attribute, value)) {
                values.insert(attribute.name.into(), value);
            }
        }
        values
    }

    /// Whether `name` is an attribute of its own in `section`, or something else that stands beside such.
    fn is_listed(&self, section: &Section, name: &str) -> bool {
        let beside = |other: &Section| section.name.is_empty() && other.name == name;
        name.starts_with('_')
            || section.attributes.iter().any(|attribute| attribute.name == name)
            || self.sections.iter().any(beside)
    }

    /// JSON schema for consoles.
    pub fn json_schema(&self) -> Value {
        let mut properties = Object::new();
        for (order, section) in self.sections.iter().enumerate() {
            let own = section
                .attributes
                .iter()
                .enumerate()
                .filter(|(_, attribute)| !matches!(attribute.form, Form::Dropped | Form::Unset | Form::Others));
            let own = own.map(|(order, attribute)| (attribute.name.to_owned(), attribute.json_schema(order + 1)));
            if section.name.is_empty() {
                properties.extend(own);
            } else {
                let own: Object = own.collect();
                let schema =
                    json!({"type": "object", "title": section.title, "propertyOrder": order, "properties": own});
                properties.insert(section.name.into(), schema);
            }
        }
        json!({"type": "object", "properties": properties})
    }
}

impl Section {
    /// The members that it has at the top of a body.
    fn members(&self) -> Vec<&'static str> {
        match self.name {
            "" => self.attributes.iter().map(|attribute| attribute.name).filter(|name| !name.is_empty()).collect(),
            name => vec![name],
        }
    }

    /// Whether it takes attributes that are not listed.
    fn is_open(&self) -> bool {
        self.attributes.iter().any(|attribute| matches!(attribute.form, Form::Others))
    }

    /// Its values in a stored body.
    fn of<'s>(&self, stored: &'s Object) -> Option<&'s Object> {
        match self.name {
            "" => Some(stored),
            name => stored.get(name)?.as_object(),
        }
    }
}

#[cfg(test)]
mod tests;
