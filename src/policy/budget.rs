//! How much work one request may cause, whatever policies and request are (PD-04): over budget is an error, never an allow.
//!
//! Work is counted, not timed, so that the same request has the same answer everywhere. A unit is about what comparing one
//! leaf, or copying 32 bytes, costs: some tens of nanoseconds.
//!
//! | what grows                                             | is counted by                |
//! |--------------------------------------------------------|------------------------------|
//! | policies that are asked, and the leaves they have      | `weight`, `Budget::ask`  |
//! | values that each leaf may be compared with             | `breadth`                    |
//! | attributes and actions that each row gets              | `weight`, `profile`        |
//! | patterns that are looked at, regular expressions most  | `Budget::spend`            |
//! | what an explanation repeats                            | `Budget::show`             |
//! | rows of a tree that are merged into each other         | `Budget::copy`             |

use serde_json::Value;

use super::{
    Error,
    circumstances::Environment,
    decide::Decision,
    index::Compiled,
    model::{AttributeSource, Policy},
    subject::{Subject, SubjectTree},
};

/// Most work of one request, units. A hundred resources that a thousand policies each speak about take about half of it.
pub const MAX_WORK: u64 = 1_000_000;

/// Bytes that cost a unit to copy.
const COPIED: usize = 32;
/// What asking costs whatever is in a policy.
const ASKED: u64 = 4;
/// Values that cost as much to look through as one leaf.
const LOOKED_THROUGH: usize = 64;

fn units(bytes: usize, each: usize) -> u64 {
    u64::try_from(bytes / each).unwrap_or(u64::MAX)
}

/// What asking a policy costs, by what is in it.
pub(crate) fn weight(policy: &Policy) -> u64 {
    let condition = policy.condition.as_ref().map_or(0, |condition| condition.to_json().to_string().len());
    let attributes = policy.resource_attributes.iter().flatten();
    let promised: usize = attributes
        .map(|attribute| {
            let values = attribute.property_values.iter().map(|value| value.len() + COPIED).sum::<usize>();
            attribute.property_name.len() + values
        })
        .sum();
    let actions: usize = policy.action_values.keys().map(|action| action.len() + COPIED).sum();
    let compared = subject_leaves(&policy.subject).saturating_add(units(condition, COPIED));
    compared.saturating_add(units(promised + actions, COPIED)).saturating_add(ASKED)
}

fn subject_leaves(tree: &SubjectTree) -> u64 {
    match tree {
        SubjectTree::And(children) | SubjectTree::Or(children) => children.iter().map(subject_leaves).sum(),
        SubjectTree::Not(child) => subject_leaves(child),
        SubjectTree::Identity { subject_values } => units(subject_values.len(), 1).max(1),
        SubjectTree::JwtClaim { .. }
        | SubjectTree::AuthenticatedUsers
        | SubjectTree::None
        | SubjectTree::Policy { .. } => 1,
    }
}

/// Whether a policy copies attributes of the subject's profile.
pub(crate) fn copies_profile(policy: &Policy) -> bool {
    policy.resource_attributes.iter().flatten().any(|attribute| attribute.source == AttributeSource::User)
}

/// What is left of it for one request.
#[derive(Debug)]
pub(crate) struct Budget<'a> {
    left: u64,
    /// What each leaf may have to look through, in leaves.
    breadth: u64,
    subject: &'a Subject,
}

impl<'a> Budget<'a> {
    pub fn new(subject: &'a Subject, environment: &Environment) -> Self {
        // In elements of lists; text is compared as a whole.
        let longest = subject.claims.iter().flat_map(|claims| claims.values()).map(|claim| match claim {
            Value::Array(elements) => elements.len(),
            Value::String(text) => text.len() / COPIED,
            _ => 0,
        });
        let told = environment.values().map(Vec::len).max().unwrap_or_default();
        let groups = subject.session.as_ref().map_or(0, |session| session.groups.len());
        let breadth = longest.max().unwrap_or_default() + told + groups;
        Self { left: MAX_WORK, breadth: units(breadth, LOOKED_THROUGH) + 1, subject }
    }

    /// Takes so many units.
    ///
    /// # Errors
    /// When there are not as many left.
    pub fn spend(&mut self, units: u64) -> Result<(), Error> {
        self.left = self.left.checked_sub(units).ok_or(Error::TooMuchWork)?;
        Ok(())
    }

    /// Takes what asking a policy costs.
    ///
    /// # Errors
    /// As [`spend`](Self::spend).
    pub fn ask(&mut self, policy: &Compiled) -> Result<(), Error> {
        let profile = if policy.copies_profile { self.profile() } else { 0 };
        self.spend(policy.weight.saturating_mul(self.breadth).saturating_add(profile))
    }

    /// Takes what showing a policy and all that it compares costs.
    ///
    /// # Errors
    /// As [`spend`](Self::spend).
    pub fn show(&mut self, policy: &Compiled) -> Result<(), Error> {
        let claims = self.subject.claims.iter().flatten();
        let compared: usize = claims.map(|(name, value)| name.len() + size(value)).max().unwrap_or_default();
        let patterns: usize = policy.policy.resources.iter().map(String::len).sum();
        let each = units(compared, COPIED).saturating_add(16);
        self.spend(policy.weight.saturating_mul(each).saturating_add(units(patterns, COPIED)))
    }

    /// Takes what copying a row costs.
    ///
    /// # Errors
    /// As [`spend`](Self::spend).
    pub fn copy(&mut self, row: &Decision) -> Result<(), Error> {
        let sets = row.attributes.iter().chain(&row.advices);
        let texts = sets.flat_map(|(name, values)| std::iter::once(name).chain(values)).chain(row.actions.keys());
        self.spend(units(texts.map(|text| text.len() + COPIED).sum(), COPIED).saturating_add(1))
    }

    fn profile(&self) -> u64 {
        let values = self.subject.profile.iter().flat_map(|profile| profile.values()).flatten();
        units(values.map(|value| value.len() + COPIED).sum(), COPIED)
    }
}

/// About how long a value is, as text.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(|element| size(element) + 1).sum(),
        Value::Object(members) => members.iter().map(|(name, member)| name.len() + size(member)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}
