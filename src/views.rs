//! Read views: what the owners publish before they answer, for any thread to read without asking them.
//!
//! A linearizable read is [`Desk::barrier`](crate::desk::Desk::barrier), then a view (G2).

mod members;
mod ordered;
mod remembered;

pub use members::{Members, Scalar, Values};
pub use ordered::{Ordered, Row};
pub use remembered::Remembered;

use papaya::{HashMap, HashSet};
use quorate_raft::{
    AccessToken, ByHash, Document, DocumentKey, GrantId, Kind, RealmPath, Seq, Session, Stamp, TokenHash,
    attempts::Counter, grant_sets::StoredCode, transactions::Transaction,
};
use serde_json::Value;
use std::{
    any::Any,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{actors::policy_sets::set_id, groups::Memberships, policy::PolicySetIndex, realms::Names};

/// The keys are SHA-256 already; hashing them again buys nothing. Only hashes of secrets are looked up, so nobody outside
/// can choose keys that collide.
#[derive(Default)]
pub struct Prefix(u64);

impl Hasher for Prefix {
    fn write(&mut self, bytes: &[u8]) {
        let mut head = [0; 8];
        for (to, from) in head.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.0 = self.0.rotate_left(5) ^ u64::from_ne_bytes(head);
    }

    fn write_usize(&mut self, _: usize) {} // the length prefix of an array

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A view by hash of a secret.
pub type HashView<V> = HashMap<TokenHash, V, BuildHasherDefault<Prefix>>;

/// A document as readers want it: parsed once, and once into the type that its readers share.
#[derive(Debug)]
pub struct Entry {
    /// As stored.
    pub document: Arc<Document>,
    json: OnceLock<Value>,
    typed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Entry {
    /// For a document that was just written.
    pub fn new(document: Arc<Document>) -> Self {
        Self { document, json: OnceLock::new(), typed: OnceLock::new() }
    }

    /// Its JSON; `null` should stored bytes not be JSON, which nothing writes.
    pub fn json(&self) -> &Value {
        self.json.get_or_init(|| self.parsed())
    }

    fn parsed(&self) -> Value {
        serde_json::from_slice(&self.document.body).unwrap_or(Value::Null)
    }

    /// What `look` sees in its JSON, which is not kept: nobody else may need it.
    fn glance<T>(&self, look: impl FnOnce(&Value) -> T) -> T {
        match self.json.get() {
            Some(json) => look(json),
            None => look(&self.parsed()),
        }
    }

    /// Its compiled form; `compile` runs once per revision. All readers of a kind ask for the same type.
    pub fn typed<T: Any + Send + Sync>(&self, compile: impl FnOnce(&Value) -> T) -> Arc<T> {
        let shared = self.typed.get_or_init(|| Arc::new(compile(self.json()))).clone();
        match shared.downcast() {
            Ok(typed) => typed,
            Err(_) => unreachable!("one compiled type per document kind"),
        }
    }
}

/// Is told of sessions.
type Watcher = Box<dyn Fn(&Session) + Send + Sync>;

/// Everything that is published.
#[derive(Default)]
pub struct Views {
    /// Live opaque access tokens, by the hashes of their handles.
    pub access: HashSet<ByHash, BuildHasherDefault<Prefix>>,
    /// Authorization codes, live or remembered.
    pub codes: HashView<Arc<StoredCode>>,
    /// Revoked families.
    pub revoked: HashMap<GrantId, Stamp>,
    /// Revoked client-based tokens.
    pub blacklist: HashView<Stamp>,
    /// Live sessions.
    pub sessions: HashView<Arc<Session>>,
    /// Failed attempts.
    pub attempts: HashView<Counter>,
    /// What users have to confirm, or have.
    pub transactions: HashView<Arc<Transaction>>,
    /// Documents.
    pub documents: HashMap<DocumentKey, Arc<Entry>>,
    /// Realms among them, by name and by alias.
    pub realms: Names,
    /// The same documents, by realm and kind, in the order of their ids.
    pub collections: HashMap<(RealmPath, Kind), Ordered>,
    /// Which groups users are in.
    pub memberships: Memberships,
    /// Compiled policy sets, by realm and name.
    pub policy_sets: HashMap<(RealmPath, Arc<str>), Arc<PolicySetIndex>>,
    log_time: AtomicU64,
    applied: AtomicU64,
    documents_epoch: Epoch,
    ended: Ended,
}

/// See [`Views::documents_epoch`]. No two views of a process are ever at the same one, so that what is remembered of one is
/// never taken for what the other shows.
struct Epoch(AtomicU64);

impl Default for Epoch {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(AtomicU64::new(NEXT.fetch_add(1 << 40, Ordering::Relaxed)))
    }
}

/// Sessions that have ended, on their way to whoever wants to know which of them timed out.
#[derive(Default)]
struct Ended {
    watch: OnceLock<Watcher>,
    gone: Mutex<Vec<Arc<Session>>>,
}

impl Views {
    /// Log time that the views have reached.
    pub fn log_time(&self) -> Stamp {
        Stamp(self.log_time.load(Ordering::Acquire))
    }

    /// Publishes log time; called after the changes of that time.
    pub(crate) fn reach(&self, at: Stamp) {
        self.log_time.fetch_max(at.0, Ordering::AcqRel);
    }

    /// The last entry that the views are known to show: everything up to it was applied. May lag behind after a snapshot was
    /// installed, until the next entry.
    pub fn applied(&self) -> Seq {
        Seq(self.applied.load(Ordering::Acquire))
    }

    /// Publishes how far the views are; called after the changes.
    pub(crate) fn has_applied(&self, seq: Seq) {
        self.applied.fetch_max(seq.0, Ordering::AcqRel);
    }

    /// Moves on with every change of documents or compiled policy sets, and with every pause that begins after failed attempts,
    /// once all of the change is published.
    ///
    /// Whoever reads documents, then has a proposal decided (or passes a barrier), and finds the epoch unmoved, has read
    /// what was true at that decision (ADR 8).
    pub fn documents_epoch(&self) -> u64 {
        self.documents_epoch.0.load(Ordering::Acquire)
    }

    /// See [`documents_epoch`](Self::documents_epoch).
    pub(crate) fn documents_changed(&self) {
        self.documents_epoch.0.fetch_add(1, Ordering::AcqRel);
    }

    /// The access token under `hash`, unless log time has passed its end.
    pub fn access(&self, hash: &TokenHash) -> Option<Arc<AccessToken>> {
        let now = self.log_time();
        self.access.pin().get(hash).map(|ByHash(token)| token.clone()).filter(|token| token.expires > now)
    }

    /// The code under `hash`, in whatever state.
    pub fn code(&self, hash: &TokenHash) -> Option<Arc<StoredCode>> {
        self.codes.pin().get(hash).cloned()
    }

    /// From now on `watch` hears of each session whose time is over, on every node, once the views have reached that time.
    /// Only the first watch counts.
    pub fn watch_timeouts(&self, watch: impl Fn(&Session) + Send + Sync + 'static) {
        drop(self.ended.watch.set(Box::new(watch)));
    }

    /// Notes that a session is no more; why, is known when log time is.
    pub(crate) fn session_ended(&self, session: &Arc<Session>) {
        if self.ended.watch.get().is_some() {
            self.ended.gone.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
        }
    }

    /// Tells of the sessions that ended up to `at` because their time was over; of the others, whoever ended them tells.
    pub(crate) fn tell_timeouts(&self, at: Stamp) {
        let Some(watch) = self.ended.watch.get() else {
            return;
        };
        let gone = std::mem::take(&mut *self.ended.gone.lock().unwrap_or_else(PoisonError::into_inner));
        gone.iter().filter(|session| session.expires() <= at).for_each(|session| watch(session));
    }

    /// What was lost to a snapshot ended somewhere else.
    pub(crate) fn forget_ended(&self) {
        self.ended.gone.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The session under `hash`, unless log time has passed its end.
    pub fn session(&self, hash: &TokenHash) -> Option<Arc<Session>> {
        let now = self.log_time();
        self.sessions.pin().get(hash).filter(|session| session.expires() > now).cloned()
    }

    /// Failed attempts under `key`, unless log time has passed what they mean.
    pub fn attempts(&self, key: &TokenHash) -> Option<Counter> {
        let now = self.log_time();
        self.attempts.pin().get(key).copied().filter(|counter| counter.until > now)
    }

    /// The transaction under `hash`, at whatever stage, unless log time has passed its end.
    pub fn transaction(&self, hash: &TokenHash) -> Option<Arc<Transaction>> {
        let now = self.log_time();
        self.transactions.pin().get(hash).filter(|transaction| transaction.expires() > now).cloned()
    }

    /// Whether a client-based token is revoked, by the hash of its `jti` and by its family.
    pub fn is_revoked(&self, jti: &TokenHash, grant: &GrantId) -> bool {
        self.blacklist.pin().contains_key(jti) || self.revoked.pin().contains_key(grant)
    }

    /// A document.
    pub fn document(&self, realm: &RealmPath, kind: Kind, id: &str) -> Option<Arc<Entry>> {
        self.entry(&DocumentKey::new(realm, kind, id))
    }

    /// A document by its key.
    pub fn entry(&self, key: &DocumentKey) -> Option<Arc<Entry>> {
        self.documents.pin().get(key).cloned()
    }

    /// All documents of a kind in a realm, as they are now. Costs nothing but a look-up: see [`Ordered`].
    pub fn rows(&self, realm: &RealmPath, kind: Kind) -> Ordered {
        self.collections.pin().get(&(realm.clone(), kind)).cloned().unwrap_or_default()
    }

    /// The ids of the groups that a user of `realm` is in, by the user's id in the form that is compared.
    pub fn groups_of(&self, realm: &RealmPath, user: &str) -> Arc<[Arc<str>]> {
        self.memberships.of(realm, user)
    }

    /// A compiled policy set.
    pub fn policy_set(&self, realm: &RealmPath, name: &str) -> Option<Arc<PolicySetIndex>> {
        self.policy_sets.pin().get(&(realm.clone(), set_id(name))).cloned()
    }
}
