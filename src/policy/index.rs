//! Finds the policies that can match, without looking at the others.
//!
//! A pattern without wildcards is found by its text. One with wildcards is found by the piece of it that
//! tells most: how matching resources start, how they end, how their host ends, or what occurs somewhere
//! in them. Within such a group, policies that require some claim or identity are found by that claim or
//! identity, since a provider typically has one policy per consumer on the same few resources.
//!
//! The index only ever leaves out what cannot contribute; who is left is still matched and evaluated.
//!
//! | what                                             | costs                                        |
//! |--------------------------------------------------|----------------------------------------------|
//! | a decision                                       | the length of the resource, and who is found |
//! | a change ([`PolicySetIndex::upsert`], `remove`)  | the paths to the policy's patterns and keys  |
//! | the [`SetVersion`] of what is in it                 | nothing, and as much per change              |
//! | a copy, for readers who keep what they have      | constant                                     |

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{
    budget,
    fault::Fault,
    model::{Policy, PolicySet},
    resource::{Comparator, NotCanonical, Pattern, Resource},
    subject::{Subject, SubjectTree, claim_texts},
    trie::{MAX_KEY, Trie},
};

/// A policy with more alternative subjects than this is not indexed by them.
const MAX_KEYS: usize = 64;

/// Most bytes of a piece that patterns are found by.
const MAX_PIECE: usize = 64;

/// The policies of one set, compiled for [`decide`](super::decide::decide).
#[derive(Debug, Clone)]
pub struct PolicySetIndex {
    set: Arc<str>,
    comparator: Comparator,
    version: SetVersion,
    /// By name.
    policies: Trie<Vec<Arc<Compiled>>>,
    len: usize,
    literal: Trie<Group>,
    by_prefix: Trie<Group>,
    /// Keys and questions reversed.
    by_suffix: Trie<Group>,
    /// By the end of the host; keys and questions reversed.
    by_host: Trie<Group>,
    /// By what occurs anywhere.
    by_piece: Trie<Group>,
    /// Active policies of which a resource cannot be read, by name.
    unreadable: BTreeMap<String, Fault>,
}

/// Which set with which policies a decision was made by: equal on all nodes that have the same, whatever order it came in,
/// and different after every change. A fingerprint, not a number that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetVersion(u64);

impl SetVersion {
    /// Of an object by its name and the date of its last change, which moves on with every change.
    fn of(kind: u8, name: &str, date: i64) -> Self {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let bytes = std::iter::once(&kind).chain(name.as_bytes());
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        let hash = bytes.copied().chain(date.to_be_bytes()).fold(BASIS, fnv);
        // Spread over all bits, so that the sum of many is as good as each.
        let mut bits = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self(bits ^ (bits >> 31))
    }

    fn of_policy(policy: &Policy) -> Self {
        Self::of(b'p', &policy.name, policy.audit.last_modified_date)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl fmt::Display for SetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A policy with its resources as its set's comparator reads them.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub policy: Arc<Policy>,
    pub patterns: Vec<Pattern>,
    /// A resource that cannot be read: it was written for another comparator.
    pub unreadable: Option<Fault>,
    /// What asking it costs.
    pub weight: u64,
    /// See [`budget::copies_profile`].
    pub copies_profile: bool,
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
        let (weight, copies_profile) = (budget::weight(&policy), budget::copies_profile(&policy));
        Self { policy, patterns, unreadable, weight, copies_profile }
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
            set: set.name.to_lowercase().into(),
            comparator: set.comparator(),
            version: SetVersion::of(b's', &set.name, set.audit.last_modified_date),
            policies: Trie::default(),
            len: 0,
            literal: Trie::default(),
            by_prefix: Trie::default(),
            by_suffix: Trie::default(),
            by_host: Trie::default(),
            by_piece: Trie::default(),
            unreadable: BTreeMap::new(),
        }
    }

    /// Takes in a new or changed policy. One that says it belongs to another set is taken out: that is
    /// what moving it away looks like from here.
    pub fn upsert(&mut self, policy: Arc<Policy>) {
        self.remove(&policy.name);
        if *policy.application_name.to_lowercase() != *self.set {
            return;
        }
        let compiled = Arc::new(Compiled::new(policy.clone(), self.comparator));
        if policy.active && self.comparator != Comparator::None {
            let keys = keys(&policy.subject);
            for (n, pattern) in compiled.patterns.iter().enumerate() {
                let entry = Entry { policy: compiled.clone(), pattern: n };
                let (groups, key) = self.place(pattern);
                groups.entry(&key).insert(&keys, &entry);
            }
        }
        if let Some(fault) = compiled.unreadable.clone().filter(|_| policy.active) {
            self.unreadable.insert(policy.name.clone(), fault);
        }
        self.version = self.version.and(SetVersion::of_policy(&policy));
        self.policies.entry(policy.name.as_bytes()).push(compiled);
        self.len += 1;
    }

    /// Takes out the policy called `name`; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(policy) = self.find(name).cloned() else {
            return false;
        };
        self.version = self.version.without(SetVersion::of_policy(&policy.policy));
        self.unreadable.remove(name);
        self.policies.change(name.as_bytes(), |policies| {
            policies.retain(|policy| policy.policy.name != name);
            !policies.is_empty()
        });
        self.len -= 1;
        let keys = keys(&policy.policy.subject);
        for pattern in &policy.patterns {
            let (groups, key) = self.place(pattern);
            groups.change(&key, |group| {
                group.remove(&keys, name);
                !group.is_empty()
            });
        }
        true
    }

    fn find(&self, name: &str) -> Option<&Arc<Compiled>> {
        self.policies.get(name.as_bytes())?.iter().find(|policy| policy.policy.name == name)
    }

    /// The policy called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<Policy>> {
        self.find(name).map(|compiled| &compiled.policy)
    }

    /// Which set with which policies this is (PD-07).
    pub fn version(&self) -> SetVersion {
        self.version
    }

    /// How many policies the set has, inactive ones included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the set has no policy.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Canonicalises a requested resource as this set's policies are written.
    pub fn resource(&self, sent: &str) -> Result<Resource, NotCanonical> {
        Resource::parse_for(self.comparator, sent)
    }

    /// How resources are compared here.
    pub(crate) fn comparator(&self) -> Comparator {
        self.comparator
    }

    /// Active policies that may not have their full say, by name: they were written for another comparator.
    pub(crate) fn unreadable(&self) -> &BTreeMap<String, Fault> {
        &self.unreadable
    }

    /// All policies, by name.
    pub(crate) fn by_name(&self) -> Vec<&Arc<Compiled>> {
        let mut all: Vec<_> = self.policies.values().flatten().collect();
        all.sort_unstable_by(|a, b| a.policy.name.cmp(&b.policy.name));
        all
    }

    /// The active policies that speak about `resource` (§5.3) and may be satisfied by `subject`, each
    /// once, in no particular order. Adds to `work` what looking at others costs as well.
    pub(crate) fn matching(&self, resource: &Resource, subject: &Subject, work: &mut u64) -> Vec<&Compiled> {
        let mut matching: Vec<&Compiled> = Vec::new();
        let length = resource.folded().len();
        self.candidates(resource, subject, &mut |entry, found| {
            let matches = found == Found::Certainly || {
                *work = work.saturating_add(entry.cost(length));
                entry.matches(resource, subject)
            };
            if matches {
                matching.push(&entry.policy);
            }
        });
        // A policy with several fitting patterns contributes once.
        matching.sort_unstable_by_key(|policy| std::ptr::from_ref(*policy));
        matching.dedup_by_key(|policy| std::ptr::from_ref(*policy));
        matching
    }

    fn candidates<'a>(&'a self, resource: &Resource, subject: &Subject, visit: &mut impl FnMut(&'a Entry, Found)) {
        let text = resource.folded().as_bytes();
        if let Some(group) = self.literal.get(text) {
            // Without a look at the pattern, whose memory is far away: a match of a text without wildcards is equality, and
            // that is what it was found by.
            let found = if text.len() <= MAX_KEY { Found::Certainly } else { Found::Perhaps };
            group.visit(subject, &mut |entry| visit(entry, found));
        }
        let visit = &mut |entry| visit(entry, Found::Perhaps);
        self.by_prefix.visit(text, |group| group.visit(subject, visit));
        if !self.by_suffix.is_empty() {
            self.by_suffix.visit(&reversed(text), |group| group.visit(subject, visit));
        }
        if !self.by_host.is_empty()
            && let Some(host) = resource.host()
        {
            self.by_host.visit(&reversed(host.as_bytes()), |group| group.visit(subject, visit));
        }
        if !self.by_piece.is_empty() {
            // A piece that occurs twice is one.
            let mut groups: Vec<&Group> = Vec::new();
            let starts = (0..text.len()).filter_map(|start| text.get(start..));
            starts.for_each(|tail| self.by_piece.visit(tail, |group| groups.push(group)));
            groups.sort_unstable_by_key(|group| std::ptr::from_ref(*group));
            groups.dedup_by_key(|group| std::ptr::from_ref(*group));
            groups.into_iter().for_each(|group| group.visit(subject, visit));
        }
    }

    /// Where a pattern is found, and by what: the piece that tells most of all that are certain about its
    /// matches.
    fn place(&mut self, pattern: &Pattern) -> (&mut Trie<Group>, Vec<u8>) {
        if pattern.is_literal() && !pattern.names_principal() {
            return (&mut self.literal, pattern.folded().into());
        }
        let prefix = pattern.certain_prefix();
        if pattern.names_principal() || !pattern.is_glob() {
            return (&mut self.by_prefix, prefix.into());
        }
        let suffix = pattern.certain_suffix();
        let piece = pattern.certain_pieces().max_by_key(|piece| telling(piece)).unwrap_or_default();
        let gate = pattern.gate().unwrap_or_default();
        // A scheme tells nothing.
        let after_scheme = prefix.split_once("://").map_or(prefix, |(_, rest)| rest);
        match [telling(after_scheme), telling(gate), telling(suffix), telling(piece)] {
            [prefix_tells, gate, suffix, piece] if prefix_tells >= gate.max(suffix).max(piece) => {
                (&mut self.by_prefix, prefix.into())
            }
            [_, gate_tells, suffix, piece] if gate_tells >= suffix.max(piece) => {
                (&mut self.by_host, reversed(gate.as_bytes()))
            }
            [_, _, suffix_tells, piece] if suffix_tells >= piece => (&mut self.by_suffix, reversed(suffix.as_bytes())),
            // A long piece is looked for at every place of a resource: its beginning is as certain, and tells enough.
            _ => (&mut self.by_piece, piece.as_bytes().iter().copied().take(MAX_PIECE).collect()),
        }
    }
}

/// How much a piece of a pattern tells: letters and digits, but the ports that every URL has only if there is
/// nothing else.
fn telling(piece: &str) -> usize {
    let all = piece.bytes().filter(|byte| !byte.is_ascii_punctuation()).count();
    let ports = [(":443", 3), (":80", 2)].into_iter().filter(|(port, _)| {
        piece.ends_with(port) || piece.split_once(port).is_some_and(|(_, rest)| rest.starts_with('/'))
    });
    let without_port = all - ports.map(|(_, digits)| digits).max().unwrap_or_default();
    without_port.max(all.min(1))
}

fn reversed(text: &[u8]) -> Vec<u8> {
    text.iter().rev().copied().collect()
}

/// How an entry was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Its pattern matches.
    Certainly,
    /// Its pattern may match.
    Perhaps,
}

/// One pattern of one policy.
#[derive(Debug, Clone)]
struct Entry {
    policy: Arc<Compiled>,
    /// Position in `policy.patterns`.
    pattern: usize,
}

impl Entry {
    /// What comparing a resource of this length costs.
    fn cost(&self, resource: usize) -> u64 {
        let pattern = self.policy.patterns.get(self.pattern);
        let bytes = pattern.map_or(0, |pattern| pattern.folded().len()) + resource;
        let each = if pattern.is_some_and(Pattern::is_glob) { 128 } else { 16 };
        u64::try_from(bytes / each).unwrap_or(u64::MAX)
    }

    fn matches(&self, resource: &Resource, subject: &Subject) -> bool {
        self.policy.patterns.get(self.pattern).is_some_and(|pattern| matches(pattern, resource, subject))
    }
}

/// Entries found in one place, by what their subject requires.
#[derive(Debug, Clone, Default)]
struct Group {
    /// Those that require nothing in particular.
    open: Vec<Entry>,
    /// Claim name → claim value → those that ask for it, by name. There are few names, mostly one.
    by_claim: Vec<(Box<str>, Trie<Vec<Entry>>)>,
    /// Normal form of a universal id → those that ask for it.
    by_identity: Trie<Vec<Entry>>,
}

impl Group {
    fn insert(&mut self, keys: &Option<Vec<Key<'_>>>, entry: &Entry) {
        let Some(keys) = keys else {
            return self.open.push(entry.clone());
        };
        for key in keys {
            let entries = match *key {
                Key::Claim(name, value) => {
                    let at = self.claim(name).unwrap_or_else(|at| {
                        self.by_claim.insert(at, (name.into(), Trie::default()));
                        at
                    });
                    self.by_claim[at].1.entry(value.as_bytes()) // found or inserted just now
                }
                Key::Identity(id) => self.by_identity.entry(id.as_bytes()),
            };
            entries.push(entry.clone());
        }
    }

    /// Where a claim is in `by_claim`, or belongs.
    fn claim(&self, name: &str) -> Result<usize, usize> {
        self.by_claim.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    /// Undoes every [`Group::insert`] of the policy called `policy`, whose keys are `keys`.
    fn remove(&mut self, keys: &Option<Vec<Key<'_>>>, policy: &str) {
        let other = |entry: &Entry| entry.policy.policy.name != policy;
        let Some(keys) = keys else {
            return self.open.retain(other);
        };
        let retain = |entries: &mut Vec<Entry>| {
            entries.retain(other);
            !entries.is_empty()
        };
        for key in keys {
            match *key {
                Key::Claim(name, value) => {
                    if let Ok(at) = self.claim(name) {
                        let values = &mut self.by_claim[at].1; // found just now
                        values.change(value.as_bytes(), retain);
                        if values.is_empty() {
                            self.by_claim.remove(at);
                        }
                    }
                }
                Key::Identity(id) => self.by_identity.change(id.as_bytes(), retain),
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
                for text in claim_texts(name, claims.get(&**name)).unwrap_or_default() {
                    values.get(text.as_bytes()).into_iter().flatten().for_each(&mut *visit);
                }
            }
        }
        if let Some(session) = &subject.session {
            for id in std::iter::once(&session.user).chain(&session.groups) {
                self.by_identity.get(id.normal().as_bytes()).into_iter().flatten().for_each(&mut *visit);
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
        self.candidates(resource, subject, &mut |_, _| visited += 1);
        visited
    }

    /// Whether nothing is left behind by policies that are gone.
    pub(crate) fn holds_nothing(&self) -> bool {
        let tries = [&self.literal, &self.by_prefix, &self.by_suffix, &self.by_host, &self.by_piece];
        self.len == 0 && self.policies.is_empty() && tries.iter().all(|trie| trie.is_empty())
    }
}
