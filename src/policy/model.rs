//! Resource types, policy sets and policies: what administrators write and read.
//!
//! | reference                         | here                                                       |
//! |-----------------------------------|------------------------------------------------------------|
//! | §2.2.1 resource type              | [`ResourceType`]                                           |
//! | §2.3.1 policy set ("application") | [`PolicySet`]                                              |
//! | §2.4.1 policy                     | [`PolicyDraft`], which becomes a [`Policy`] when checked   |
//! | §2.4.4 validation order           | [`PolicyDraft::parse`] (1–5), [`PolicyDraft::check`] (6–9) |
//! | §1.3 built-in objects             | [`built_in`]                                               |
//! | §2.1.5 `_rev`                     | [`Audit::revision`]                                        |
//! | "server-assigned" fields          | [`Audit`], passed in: this library has no clock            |
//!
//! Each object has a `to_json` (what a read answers, without `_id` and `_rev`) and a `from_stored` that
//! reads exactly that back, so the same JSON is what a store keeps.

use std::collections::BTreeMap;

use serde_json::Value;

use super::members::Members;

pub mod built_in;
mod policy;
mod policy_set;
mod resource_type;

pub use super::resource::Comparator;
pub use policy::{AttributeSource, Policy, PolicyContext, PolicyDraft, PolicyName, ResourceAttribute};
pub use policy_set::PolicySet;
pub use resource_type::ResourceType;

/// Action names with allow (`true`) or deny (`false`).
pub type Actions = BTreeMap<String, bool>;

/// Who wrote an object and when: assigned by the server, whatever a body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Universal id.
    pub created_by: String,
    /// Epoch milliseconds.
    pub creation_date: i64,
    /// Universal id.
    pub last_modified_by: String,
    /// Epoch milliseconds.
    pub last_modified_date: i64,
}

impl Audit {
    /// Of an object that `by` creates at `at` (epoch milliseconds).
    pub fn created(by: &str, at: i64) -> Self {
        Self { created_by: by.to_owned(), creation_date: at, last_modified_by: by.to_owned(), last_modified_date: at }
    }

    /// Of the same object after `by` changes it at `at`.
    pub fn modified(&self, by: &str, at: i64) -> Self {
        Self { last_modified_by: by.to_owned(), last_modified_date: at, ..self.clone() }
    }

    /// `_rev` and `ETag` of policies and policy sets (§2.1.5).
    pub fn revision(&self) -> String {
        self.last_modified_date.to_string()
    }
}

/// Characters that the names of policies and policy sets cannot have (§2.3.5), because they are
/// components of directory names; control characters besides.
fn has_forbidden_character(name: &str) -> bool {
    name.contains(|c: char| "\"+,<=>\\/;".contains(c) || c.is_control())
        || name.starts_with([' ', '#'])
        || name.ends_with(' ')
}

/// Longest name of a policy, policy set, resource type or action, in bytes.
const MAX_NAME: usize = 1024;

/// Most entries in one list or map of an object: patterns, actions, resources, attributes.
const MAX_ENTRIES: usize = 10_000;

/// An `actions` or `actionValues` member: booleans, or numbers of which only 0 is false (§2.4.1).
/// `None` if it is anything else.
fn actions(value: &Value) -> Option<Actions> {
    let entries = value.as_object().filter(|entries| entries.len() <= MAX_ENTRIES)?;
    let truth = |value: &Value| match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        _ => None,
    };
    entries.iter().map(|(name, value)| Some((name.clone(), truth(value)?))).collect()
}

/// The two dates as integers, as resource types and policy sets print and store them.
fn stored_audit(members: &Members<'_>) -> Result<Audit, super::Error> {
    let text = |member| Ok::<_, super::Error>(members.text(member)?.unwrap_or_default().to_owned());
    Ok(Audit {
        created_by: text("createdBy")?,
        creation_date: members.integer("creationDate")?.unwrap_or_default(),
        last_modified_by: text("lastModifiedBy")?,
        last_modified_date: members.integer("lastModifiedDate")?.unwrap_or_default(),
    })
}
