//! The types of nodes that the reference names, with their configuration, defaults and outcomes (authn-sessions-realms.md
//! a.15), one table for each of its groups.
//!
//! | a.15                         | here             |
//! |------------------------------|------------------|
//! | Credentials and decisions    | [`credentials`]  |
//! | Flow and presentation        | [`flow`]         |
//! | State, sessions, cookies     | [`state`]        |
//! | One-time passwords, devices  | [`devices`]      |
//! | Identity object nodes        | [`identity`]     |
//!
//! Types that no table has are stored and shown as they come ([`super::instances`]): an import must not lose them.

pub mod credentials;
pub mod devices;
pub mod flow;
pub mod identity;
pub mod state;

use crate::{
    crest::{Error, Object},
    rest::schema::{Attribute, Default, Form, Schema},
};
use serde_json::Value;

/// A type of configuration object: a node of journeys, or an authentication module.
#[derive(Debug)]
pub struct ConfigType {
    /// `_id` of the type.
    pub id: &'static str,
    /// Its name in the console.
    pub name: &'static str,
    /// Groups that the console lists it under.
    pub tags: &'static [&'static str],
    /// One sentence about it.
    pub help: &'static str,
    /// Its attributes.
    pub schema: Schema,
    /// Whether it has attributes that the reference does not list: they are kept as they come.
    pub open: bool,
    /// Its outcomes.
    pub outcomes: Outcomes,
    /// What its attributes must fulfil together.
    pub check: fn(&Object) -> Result<(), Error>,
}

/// What can come of a node.
#[derive(Clone, Copy, Debug)]
pub enum Outcomes {
    /// It is no node.
    None,
    /// One, `outcome`.
    One,
    /// `true` and `false`.
    TrueFalse,
    /// These: id and name.
    Fixed(&'static [(&'static str, &'static str)]),
    /// What the configuration says.
    Of(fn(&Object) -> Vec<Outcome>),
    /// Those of the last node of a page.
    OfLastChild,
}

/// One outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// As connections name it.
    pub id: String,
    /// As the console shows it.
    pub name: String,
}

impl Outcome {
    /// With a name of its own.
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned() }
    }
}

/// Types by group, in the order of the reference.
const GROUPS: [&[ConfigType]; 5] = [credentials::TYPES, flow::TYPES, state::TYPES, devices::TYPES, identity::TYPES];

/// All types of nodes.
pub fn types() -> impl Iterator<Item = &'static ConfigType> {
    GROUPS.into_iter().flatten()
}

/// A type of nodes by its id.
pub fn find(id: &str) -> Option<&'static ConfigType> {
    types().find(|known| known.id == id)
}

impl ConfigType {
    /// The attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &'static Attribute> {
        self.schema.sections.iter().flat_map(|section| section.attributes)
    }

    /// The attributes that are never shown.
    pub fn secrets(&self) -> impl Iterator<Item = &'static Attribute> {
        self.attributes().filter(|attribute| matches!(attribute.form, Form::Secret))
    }

    /// Whether the attribute at `path` is a secret.
    pub fn is_secret(&self, path: &str) -> bool {
        let top = path.split('/').next().unwrap_or_default();
        let listed = self.attributes().any(|attribute| attribute.name == top);
        self.secrets().any(|secret| secret.name == path)
            || (self.open && !listed && super::secrets::sounds_secret(path))
    }
}

/// An integer that is unset by default.
const fn optional_int(name: &'static str, label: &'static str, least: i64) -> Attribute {
    Attribute { name, label, form: Form::Int(least), default: Default::None }
}

/// No rule beyond those of the attributes.
fn anything(_: &Object) -> Result<(), Error> {
    Ok(())
}

fn number(config: &Object, name: &str) -> Option<i64> {
    config.get(name).and_then(Value::as_i64)
}

fn flag(config: &Object, name: &str) -> bool {
    config.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn texts<'c>(config: &'c Object, name: &str) -> impl Iterator<Item = &'c str> {
    config.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Attributes that stand at the top.
macro_rules! attributes {
    ($($attribute:expr),* $(,)?) => {
        crate::rest::schema::Schema {
            sections: &[crate::rest::schema::Section { name: "", title: "", bare: false, attributes: &[$($attribute),*] }],
            opaque: &[],
        }
    };
}

/// A type of nodes: id, name, tags, help, outcomes, attributes; then what is out of the ordinary.
macro_rules! node {
    ($id:literal, $name:literal, $tags:expr, $help:literal, $outcomes:expr, [$($attribute:expr),* $(,)?] $(, $field:ident: $value:expr)*) => {
        ConfigType {
            id: $id,
            name: $name,
            tags: $tags,
            help: $help,
            outcomes: $outcomes,
            schema: attributes![$($attribute),*],
            $($field: $value,)*
            ..ORDINARY
        }
    };
}

/// What most types are.
pub(super) const ORDINARY: ConfigType = ConfigType {
    id: "",
    name: "",
    tags: &[],
    help: "",
    schema: attributes![],
    open: false,
    outcomes: Outcomes::One,
    check: anything,
};

pub(super) use {attributes, node};
