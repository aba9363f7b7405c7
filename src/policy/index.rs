//! Finds the policies that can match, without looking at the others.
//!
//! A pattern without wildcards is found by its text. One with wildcards is found by whatever of it is
//! certain: how matching resources start, how they end, or how their host ends. Within such a group,
//! policies that require some claim or identity are found by that claim or identity, since a provider
//! typically has one policy per consumer on the same few resources.
//!
//! The index only ever leaves out what cannot contribute; who is left is still matched and evaluated.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use super::{
    fault::Fault,
    model::{Policy, PolicySet},
    resource::{Comparator, Pattern, Resource},
    subject::{Subject, SubjectTree, claim_texts},
};

/// A policy with more alternative subjects than this is not indexed by them.
const MAX_KEYS: usize = 64;

/// The policies of one set, compiled for [`decide`](super::decide::decide). Cloning is proportional to
/// the number of policies; they themselves are shared.
#[derive(Debug, Clone)]
pub struct PolicySetIndex {
    set: String,
    comparator: Comparator,
    policies: HashMap<String, Arc<Compiled>>,
    literal: HashMap<String, Group>,
    by_prefix: Affixes,
    /// Keys and questions reversed.
    by_suffix: Affixes,
    /// By the end of the host; keys and questions reversed.
    by_host: Affixes,
    /// Patterns with `$SELF`: what they say depends on who asks.
    by_principal: Group,
    /// Active policies of which a resource cannot be read, by name.
    unreadable: BTreeMap<String, Fault>,
}

/// A policy with its resources as its set's comparator reads them.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub policy: Arc<Policy>,
    pub patterns: Vec<Pattern>,
    /// A resource that cannot be read: it was written for another comparator.
    pub unreadable: Option<Fault>,
}

impl Compiled {
    pub fn new(policy: Arc<Policy>, comparator: Comparator) -> Self {
        let (mut patterns, mut unreadable) = (Vec::new(), None);
        for resource in &policy.resources {
            match Pattern::parse_for(comparator, resource) {
                Ok(pattern) => patterns.push(pattern),
                Err(_) => unreadable = Some(Fault::Resource(super::error::excerpt(resource))),
            }
        }
        Self { policy, patterns, unreadable }
    }

    /// The first pattern that speaks about `resource` (§5.3), `$SELF` being each of `subject`'s principals.
    pub fn matching(&self, resource: &Resource, subject: &Subject) -> Option<&Pattern> {
        self.patterns.iter().find(|pattern| matches(pattern, resource, subject))
    }
}

fn matches(pattern: &Pattern, resource: &Resource, subject: &Subject) -> bool {
    if !pattern.names_principal() {
        return pattern.matches(resource);
    }
    subject.principal_names().filter_map(|name| pattern.for_principal(name)).any(|pattern| pattern.matches(resource))
}

impl PolicySetIndex {
    /// An empty index for the policies of `set`.
    pub fn new(set: &PolicySet) -> Self {
        Self {
            set: set.name.to_lowercase(),
            comparator: set.comparator(),
            policies: HashMap::new(),
            literal: HashMap::new(),
            by_prefix: Affixes::default(),
            by_suffix: Affixes::default(),
            by_host: Affixes::default(),
            by_principal: Group::default(),
            unreadable: BTreeMap::new(),
        }
    }

    /// Takes in a new or changed policy. One that says it belongs to another set is taken out: that is
    /// what moving it away looks like from here.
    pub fn upsert(&mut self, policy: Arc<Policy>) {
        self.remove(&policy.name);
        if policy.application_name.to_lowercase() != self.set {
            return;
        }
        let compiled = Arc::new(Compiled::new(policy.clone(), self.comparator));
        if policy.active && self.comparator != Comparator::None {
            let keys = keys(&policy.subject);
            for (n, pattern) in compiled.patterns.iter().enumerate() {
                let entry = Entry { policy: compiled.clone(), pattern: n };
                self.group(&Place::of(pattern)).insert(&keys, &entry);
            }
        }
        if let Some(fault) = compiled.unreadable.clone().filter(|_| policy.active) {
            self.unreadable.insert(policy.name.clone(), fault);
        }
        self.policies.insert(policy.name.clone(), compiled);
    }

    /// Active policies that may not have their full say, by name: they were written for another comparator.
    pub(crate) fn unreadable(&self) -> &BTreeMap<String, Fault> {
        &self.unreadable
    }

    /// Canonicalises a requested resource as this set's policies are written.
    pub fn resource(&self, sent: &str) -> Result<Resource, super::resource::NotCanonical> {
        Resource::parse_for(self.comparator, sent)
    }

    /// How resources are compared here.
    pub(crate) fn comparator(&self) -> Comparator {
        self.comparator
    }

    /// All policies, by name.
    pub(crate) fn by_name(&self) -> Vec<&Arc<Compiled>> {
        let mut all: Vec<_> = self.policies.values().collect();
        all.sort_unstable_by(|a, b| a.policy.name.cmp(&b.policy.name));
        all
    }

    /// Takes out the policy called `name`; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(policy) = self.policies.remove(name) else {
            return false;
        };
        self.unreadable.remove(name);
        let keys = keys(&policy.policy.subject);
        for pattern in &policy.patterns {
            let place = Place::of(pattern);
            let group = self.group(&place);
            group.remove(&keys, name);
            if group.is_empty() {
                self.drop_group(&place);
            }
        }
        true
    }

    /// The policy called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.get(name).map(|compiled| &compiled.policy)
    }

    /// How many policies the set has, inactive ones included.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether the set has no policy.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The active policies that speak about `resource` (§5.3) and may be satisfied by `subject`, each
    /// once, in no particular order.
    pub(crate) fn matching(&self, resource: &Resource, subject: &Subject) -> Vec<&Compiled> {
        let mut matching: Vec<&Compiled> = Vec::new();
        self.candidates(resource, subject, &mut |entry| {
            if entry.matches(resource, subject) {
                matching.push(&entry.policy);
            }
        });
        // A policy with several fitting patterns contributes once.
        matching.sort_unstable_by_key(|policy| std::ptr::from_ref(*policy));
        matching.dedup_by_key(|policy| std::ptr::from_ref(*policy));
        matching
    }

    fn candidates<'a>(&'a self, resource: &Resource, subject: &Subject, visit: &mut impl FnMut(&'a Entry)) {
        let text = resource.folded();
        if let Some(group) = self.literal.get(text) {
            group.visit(subject, visit);
        }
        self.by_prefix.visit(text, |group| group.visit(subject, visit));
        if !self.by_suffix.0.is_empty() {
            self.by_suffix.visit(&reversed(text), |group| group.visit(subject, visit));
        }
        if let Some(host) = resource.host().filter(|_| !self.by_host.0.is_empty()) {
            self.by_host.visit(&reversed(host), |group| group.visit(subject, visit));
        }
        self.by_principal.visit(subject, visit);
    }

    fn group(&mut self, place: &Place) -> &mut Group {
        match place {
            Place::Literal(text) => self.literal.entry(text.clone()).or_default(),
            Place::Prefix(key) => self.by_prefix.0.entry(key.clone()).or_default(),
            Place::Suffix(key) => self.by_suffix.0.entry(key.clone()).or_default(),
            Place::Host(key) => self.by_host.0.entry(key.clone()).or_default(),
            Place::Principal => &mut self.by_principal,
        }
    }

    fn drop_group(&mut self, place: &Place) {
        match place {
            Place::Literal(text) => drop(self.literal.remove(text)),
            Place::Prefix(key) => drop(self.by_prefix.0.remove(key)),
            Place::Suffix(key) => drop(self.by_suffix.0.remove(key)),
            Place::Host(key) => drop(self.by_host.0.remove(key)),
            Place::Principal => {}
        }
    }
}

/// Where a pattern is found.
enum Place {
    Literal(String),
    Prefix(String),
    Suffix(String),
    Host(String),
    Principal,
}

impl Place {
    /// The most telling of what is certain about a pattern's matches. A scheme alone tells little.
    fn of(pattern: &Pattern) -> Self {
        if pattern.names_principal() {
            return Self::Principal;
        }
        if !pattern.is_glob() && !pattern.is_literal() {
            return Self::Prefix(String::new());
        }
        if pattern.is_literal() {
            return Self::Literal(pattern.folded().to_owned());
        }
        let (prefix, suffix) = (pattern.literal_prefix(), pattern.literal_suffix());
        let prefix_tells = match pattern.gate() {
            Some(_) => prefix.split_once("://").is_some_and(|(_, rest)| !rest.is_empty()),
            None => prefix.len() >= suffix.len(),
        };
        match pattern.gate() {
            _ if prefix_tells => Self::Prefix(prefix.to_owned()),
            Some(gate) if !gate.is_empty() => Self::Host(reversed(gate)),
            _ if !suffix.is_empty() => Self::Suffix(reversed(suffix)),
            _ => Self::Prefix(prefix.to_owned()),
        }
    }
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

/// Groups by the beginning that their resources have in common.
#[derive(Debug, Clone, Default)]
struct Affixes(BTreeMap<String, Group>);

impl Affixes {
    /// Visits the groups whose key `text` begins with, longest first. In sorted order all of them lie
    /// before `text`; whatever else lies between them is skipped over.
    fn visit<'a>(&'a self, text: &str, mut visit: impl FnMut(&'a Group)) {
        let mut bound = Bound::Included(text);
        while let Some((key, group)) = self.0.range::<str, _>((Bound::Unbounded, bound)).next_back() {
            bound = if text.starts_with(key.as_str()) {
                visit(group);
                Bound::Excluded(key)
            } else {
                // Shares `common` with the text; so does any key in between, and none of those fits.
                let differs = text.char_indices().zip(key.chars()).find(|((_, t), k)| t != k);
                let common = differs.map_or(text.len(), |((at, _), _)| at);
                Bound::Included(text.get(..common).unwrap_or_default())
            };
        }
    }
}

/// One pattern of one policy.
#[derive(Debug, Clone)]
struct Entry {
    policy: Arc<Compiled>,
    /// Position in `policy.patterns`.
    pattern: usize,
}

impl Entry {
    fn matches(&self, resource: &Resource, subject: &Subject) -> bool {
        self.policy.patterns.get(self.pattern).is_some_and(|pattern| matches(pattern, resource, subject))
    }
}

/// Entries found in one place, by what their subject requires.
#[derive(Debug, Clone, Default)]
struct Group {
    /// Those that require nothing in particular.
    open: Vec<Entry>,
    /// Claim name → claim value → those that ask for it.
    by_claim: BTreeMap<String, HashMap<String, Vec<Entry>>>,
    /// Normal form of a universal id → those that ask for it.
    by_identity: HashMap<String, Vec<Entry>>,
}

impl Group {
    fn insert(&mut self, keys: &Option<Vec<Key<'_>>>, entry: &Entry) {
        let Some(keys) = keys else {
            return self.open.push(entry.clone());
        };
        for key in keys {
            let entries = match *key {
                Key::Claim(name, value) => {
                    self.by_claim.entry(name.to_owned()).or_default().entry(value.to_owned()).or_default()
                }
                Key::Identity(id) => self.by_identity.entry(id.to_owned()).or_default(),
            };
            entries.push(entry.clone());
        }
    }

    /// Undoes every [`Group::insert`] of the policy called `policy`, whose keys are `keys`.
    fn remove(&mut self, keys: &Option<Vec<Key<'_>>>, policy: &str) {
        let other = |entry: &Entry| entry.policy.policy.name != policy;
        let Some(keys) = keys else {
            return self.open.retain(other);
        };
        for key in keys {
            match *key {
                Key::Claim(name, value) => {
                    let Some(values) = self.by_claim.get_mut(name) else {
                        continue;
                    };
                    if let Some(entries) = values.get_mut(value) {
                        entries.retain(other);
                        if entries.is_empty() {
                            values.remove(value);
                        }
                    }
                    if values.is_empty() {
                        self.by_claim.remove(name);
                    }
                }
                Key::Identity(id) => {
                    let Some(entries) = self.by_identity.get_mut(id) else {
                        continue;
                    };
                    entries.retain(other);
                    if entries.is_empty() {
                        self.by_identity.remove(id);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.by_claim.is_empty() && self.by_identity.is_empty()
    }

    /// Visits the entries whose subject `subject` may satisfy; some perhaps twice.
    fn visit<'a>(&'a self, subject: &Subject, visit: &mut impl FnMut(&'a Entry)) {
        self.open.iter().for_each(&mut *visit);
        if let Some(claims) = &subject.claims {
            for (name, values) in &self.by_claim {
                // A claim that is no text satisfies nothing and nobody (§3.4).
                for text in claim_texts(name, claims.get(name)).unwrap_or_default() {
                    values.get(text).into_iter().flatten().for_each(&mut *visit);
                }
            }
        }
        if let Some(session) = &subject.session {
            for id in std::iter::once(&session.user).chain(&session.groups) {
                self.by_identity.get(id.normal()).into_iter().flatten().for_each(&mut *visit);
            }
        }
    }
}

/// Something a subject must have, or one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key<'a> {
    Claim(&'a str, &'a str),
    Identity(&'a str),
}

/// Keys of which a satisfying subject has at least one; `None` if there is no such list, or only a
/// long one. No keys at all means that nobody satisfies it.
fn keys(tree: &SubjectTree) -> Option<Vec<Key<'_>>> {
    let keys = match tree {
        SubjectTree::JwtClaim { claim_name, claim_value } => vec![Key::Claim(claim_name, claim_value)],
        SubjectTree::Identity { subject_values } => {
            subject_values.iter().map(|id| Key::Identity(id.normal())).collect()
        }
        SubjectTree::None => Vec::new(),
        SubjectTree::Or(children) => {
            let mut keys = Vec::new();
            for child in children {
                keys.extend(self::keys(child)?);
            }
            keys
        }
        SubjectTree::And(children) => children.iter().filter_map(keys).min_by_key(Vec::len)?,
        SubjectTree::AuthenticatedUsers | SubjectTree::Not(_) | SubjectTree::Policy { .. } => {
            return None;
        }
    };
    Some(keys).filter(|keys| keys.len() <= MAX_KEYS)
}

#[cfg(test)]
impl PolicySetIndex {
    /// How many entries a decision looks at.
    pub(crate) fn visited(&self, resource: &Resource, subject: &Subject) -> usize {
        let mut visited = 0;
        self.candidates(resource, subject, &mut |_| visited += 1);
        visited
    }

    /// Whether nothing is left behind by policies that are gone.
    pub(crate) fn holds_nothing(&self) -> bool {
        let affixes = [&self.by_prefix, &self.by_suffix, &self.by_host];
        self.policies.is_empty()
            && self.literal.is_empty()
            && affixes.iter().all(|affixes| affixes.0.is_empty())
            && self.by_principal.is_empty()
    }
}
