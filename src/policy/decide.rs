//! Decides: which actions on which resources a policy set allows a subject.
//!
//! | reference                            | here                            |
//! |--------------------------------------|---------------------------------|
//! | §6.1 outline; §2.6.3 rows            | [`decide`]                      |
//! | §6.2 contribution of one policy      | `contribution`                  |
//! | §6.4 errors inside a policy          | [`Decision::faults`]            |
//! | §6.5 merging, `DenyOverride`         | `Decision::merge`               |
//! | §6.6 `ttl`                           | [`Decision::ttl`]               |
//! | §6.7 what ends up in `attributes`    | `promised`                      |
//! | §6.9 side effects                    | [`Decision::effects`]           |
//!
//! Of the order of checks in §6.3 this takes the recommended one: policy set, resource, subject,
//! condition; a policy of another set has no influence at all.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use serde::{Serialize, Serializer, ser::SerializeMap};

pub use super::circumstances::{Circumstances, Environment};
pub use super::index::PolicySetIndex;
use super::{
    Error,
    budget::Budget,
    circumstances::Effect,
    condition::{Outcome, Scene, TTL_MAX, ValueSets},
    fault::Fault,
    index::Compiled,
    model::{Actions, AttributeSource, Policy, ResourceAttribute},
    resource::Resource,
    subject::Subject,
    trace::Observer,
};

/// Most resources in one request (the reference documents no limit).
pub const MAX_RESOURCES: usize = 10_000;

/// What is asked of a policy set.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// As sent.
    pub resources: &'a [String],
    pub subject: &'a Subject,
    /// For conditions.
    pub circumstances: Circumstances<'a>,
}

/// What a policy set says about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// As sent, not canonicalised.
    pub resource: String,
    /// An action that is not here is not allowed.
    pub actions: Actions,
    pub attributes: ValueSets,
    pub advices: ValueSets,
    /// Epoch milliseconds until which this may be cached; 0 for not at all, [`TTL_MAX`] for no limit.
    pub ttl: i64,
    /// Policies that contributed nothing because they could not be evaluated, by name: for the log, or
    /// for a strict caller to refuse. Not part of the answer, and not complete: a policy that the index
    /// rules out by what its subject requires is not evaluated, so it has no fault either.
    pub faults: BTreeMap<String, Fault>,
    /// What conditions ask the caller to do, by side effect (§6.9). Not part of the answer.
    pub effects: BTreeSet<Effect>,
}

impl Decision {
    pub(crate) fn new(resource: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            actions: Actions::new(),
            attributes: ValueSets::new(),
            advices: ValueSets::new(),
            ttl: TTL_MAX,
            faults: BTreeMap::new(),
            effects: BTreeSet::new(),
        }
    }

    /// The row on the wire; `with_ttl` is false for resource version 1.0 (§2.4.9).
    pub fn row(&self, with_ttl: bool) -> Row<'_> {
        Row { decision: self, with_ttl }
    }

    /// Whether `action` is allowed.
    pub fn allows(&self, action: &str) -> bool {
        self.actions.get(action) == Some(&true)
    }

    /// Takes in what a policy contributes, if anything.
    pub(crate) fn take(&mut self, policy: &Compiled, contributed: Result<Option<Contribution<'_>>, Fault>) {
        match contributed {
            Ok(Some(contribution)) => self.merge(contribution),
            Ok(None) => {}
            Err(fault) => drop(self.faults.insert(policy.policy.name.clone(), fault)),
        }
    }

    /// `DenyOverride` (§6.5): a deny wins, and advice from any one policy leaves no action standing.
    /// The order of merging does not show in the result.
    fn merge(&mut self, contribution: Contribution<'_>) {
        let Contribution { actions, attributes, advices, ttl, effects } = contribution;
        unite(&mut self.attributes, attributes);
        unite(&mut self.advices, advices);
        self.ttl = self.ttl.min(ttl);
        self.effects.extend(effects);
        if !self.advices.is_empty() {
            self.actions.clear();
            return;
        }
        for (action, allowed) in actions.into_iter().flatten() {
            self.actions.entry(action.clone()).and_modify(|so_far| *so_far &= allowed).or_insert(*allowed);
        }
    }

    /// Merges another row into this one (§6.5).
    pub(crate) fn merge_row(&mut self, other: &Decision) {
        self.merge(Contribution {
            actions: Some(&other.actions),
            attributes: other.attributes.clone(),
            advices: other.advices.clone(),
            ttl: other.ttl,
            effects: BTreeSet::new(),
        });
    }
}

/// A [`Decision`] as it is written (§2.6.3).
#[derive(Debug, Clone, Copy)]
pub struct Row<'d> {
    decision: &'d Decision,
    with_ttl: bool,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Decision { resource, actions, attributes, advices, ttl, .. } = self.decision;
        let mut row = serializer.serialize_map(None)?;
        row.serialize_entry("actions", actions)?;
        row.serialize_entry("advices", advices)?;
        row.serialize_entry("attributes", attributes)?;
        row.serialize_entry("resource", resource)?;
        if self.with_ttl {
            row.serialize_entry("ttl", ttl)?;
        }
        row.end()
    }
}

/// What one policy adds to a decision.
#[derive(Debug)]
pub(crate) struct Contribution<'a> {
    /// None if its condition fails.
    pub actions: Option<&'a Actions>,
    pub attributes: ValueSets,
    pub advices: ValueSets,
    pub ttl: i64,
    pub effects: BTreeSet<Effect>,
}

/// A decision, and the policies that were asked for it: the active ones that speak about the resource and that the subject,
/// as far as the index can tell, may satisfy; in no particular order.
#[derive(Debug, Clone)]
pub struct Decided<'s> {
    pub decision: Decision,
    pub asked: Vec<&'s Arc<Policy>>,
}

/// Decides every distinct resource of `request`, in the order asked.
///
/// # Errors
/// 400 for the whole request: no resources or too many of them, one without canonical form (§2.6.4), or more work than a
/// request may cause ([`MAX_WORK`](super::budget::MAX_WORK)).
pub fn decide(set: &PolicySetIndex, request: &Request<'_>) -> Result<Vec<Decision>, Error> {
    Ok(decide_and_tell(set, request)?.into_iter().map(|decided| decided.decision).collect())
}

/// As [`decide`], and which policies were asked.
///
/// # Errors
/// Those of [`decide`].
pub fn decide_and_tell<'s>(set: &'s PolicySetIndex, request: &Request<'_>) -> Result<Vec<Decided<'s>>, Error> {
    let distinct = distinct(set, request.resources)?;
    let mut budget = Budget::new(request.subject, request.circumstances.environment);
    distinct.iter().map(|(sent, resource)| decide_one(set, sent, resource, request, &mut budget)).collect()
}

/// The policies that [`decide`] asks about `resource`, as sent: see [`Decided::asked`]. None when it has no canonical form.
pub fn asked(set: &PolicySetIndex, resource: &str, subject: &Subject) -> Vec<Arc<Policy>> {
    let mut work = 0;
    let matching =
        set.resource(resource).map(|resource| set.matching(&resource, subject, &mut work)).unwrap_or_default();
    matching.into_iter().map(|policy| policy.policy.clone()).collect()
}

/// The distinct resources of a request, canonical, in the order asked.
pub(crate) fn distinct<'a>(set: &PolicySetIndex, sent: &'a [String]) -> Result<Vec<(&'a str, Resource)>, Error> {
    if sent.is_empty() || sent.len() > MAX_RESOURCES {
        return Err(Error::invalid_value("resources"));
    }
    if let [only] = sent {
        return Ok(vec![(only.as_str(), set.resource(only)?)]);
    }
    let mut seen = HashSet::new();
    let distinct = sent.iter().map(String::as_str).filter(|sent| seen.insert(*sent));
    distinct.map(|sent| Ok((sent, set.resource(sent)?))).collect()
}

fn decide_one<'s>(
    set: &'s PolicySetIndex,
    sent: &str,
    resource: &Resource,
    request: &Request<'_>,
    budget: &mut Budget<'_>,
) -> Result<Decided<'s>, Error> {
    let mut decision = Decision { faults: set.unreadable().clone(), ..Decision::new(sent) };
    let scene = Scene::new(&request.circumstances, request.subject, resource.canonical());
    let mut work = 0;
    let matching = set.matching(resource, request.subject, &mut work);
    budget.spend(work)?;
    for policy in &matching {
        budget.ask(policy)?;
        decision.take(policy, contribution(policy, &scene, &mut ()));
    }
    Ok(Decided { decision, asked: matching.into_iter().map(|policy| &policy.policy).collect() })
}

/// What an active policy whose resource matches contributes (§6.2).
pub(crate) fn contribution<'a>(
    policy: &'a Compiled,
    scene: &Scene<'a>,
    observer: &mut impl Observer,
) -> Result<Option<Contribution<'a>>, Fault> {
    let policy = &policy.policy;
    if !policy.subject.evaluate(scene.subject, observer)? {
        return Ok(None);
    }
    let outcome = match &policy.condition {
        None => Outcome::plain(true),
        Some(condition) => condition.evaluate(scene, observer)?,
    };
    let Outcome { satisfied, advices, attributes, ttl, effects } = outcome;
    if !satisfied {
        let nothing = ValueSets::new();
        return Ok(Some(Contribution { actions: None, attributes: nothing, advices, ttl, effects }));
    }
    let mut all = promised(policy.resource_attributes.as_deref().unwrap_or_default(), scene.subject)?;
    unite(&mut all, attributes);
    Ok(Some(Contribution { actions: Some(&policy.action_values), attributes: all, advices, ttl, effects }))
}

/// The response attributes that a policy promises whoever it applies to (§1.1). A user attribute
/// nobody has a value for is left out; one whose user is not known is a fault (§6.4).
fn promised(attributes: &[ResourceAttribute], subject: &Subject) -> Result<ValueSets, Fault> {
    let mut promised = ValueSets::new();
    for ResourceAttribute { source, property_name, property_values } in attributes {
        match source {
            AttributeSource::Static => {
                promised.entry(property_name.clone()).or_default().extend(property_values.iter().cloned());
            }
            AttributeSource::User => {
                let profile = subject.profile.as_ref().ok_or(Fault::NoProfile)?;
                let itself = std::slice::from_ref(property_name);
                let names = if property_values.is_empty() { itself } else { property_values };
                let mut values = names.iter().filter_map(|name| profile.get(name)).flatten().peekable();
                if values.peek().is_some() {
                    promised.entry(property_name.clone()).or_default().extend(values.cloned());
                }
            }
        }
    }
    Ok(promised)
}

fn unite(into: &mut ValueSets, from: ValueSets) {
    for (name, values) in from {
        into.entry(name).or_default().extend(values);
    }
}

#[cfg(test)]
mod tests;
