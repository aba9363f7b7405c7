//! What a request handler works with: the cluster's decisions, the read views, passwords and keys.
//!
//! Rule of use (G2): a handler that decides about security calls [`Desk::barrier`] once, first, and then reads views.

use crate::{
    actors::{
        Actors,
        sessions::{ListSessions, Listed, Whose},
    },
    attempts::Guard,
    audit::Audit,
    base_url::BaseUrl,
    consensus::{Consensus, Unavailable},
    decisions::Rules,
    keys::KeyRing,
    passwords::Passwords,
    policy::PolicySetIndex,
    views::{Entry, Ordered, Views},
};
use actix::MailboxError;
use actix_web::cookie::SameSite;
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, Precondition, RealmPath, Refusal, Seq, Write,
    documents::{Change, WriteDocuments},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Shared by all workers; cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<Parts>);

/// What a desk is made of.
pub struct Parts {
    /// Decides.
    pub consensus: Arc<dyn Consensus>,
    /// Holds the state.
    pub actors: Arc<Actors>,
    /// Shows the state.
    pub views: Arc<Views>,
    /// Verifies passwords and secrets.
    pub passwords: Passwords,
    /// Opens and seals private keys.
    pub keys: KeyRing,
    /// Records decisions and what else happens.
    pub audit: Audit,
    /// How questions to policies are answered.
    pub rules: Rules,
    /// Limits failed attempts.
    pub guard: Guard,
    /// What the outside is told about where we are, and names of cookies and headers.
    pub front: Front,
    /// First half of `auditTrackingId`.
    pub audit_process: u128,
    /// Second half.
    pub audit_counter: AtomicU64,
}

/// How this deployment looks from the outside; fixed at start.
#[derive(Clone, Debug)]
pub struct Front {
    /// `/am`; empty for none.
    pub context_path: String,
    /// `iPlanetDirectoryPro`.
    pub cookie_name: String,
    /// Whether session cookies carry `Secure`.
    pub cookie_secure: bool,
    /// What session cookies say about requests from other sites; `None`: nothing.
    pub cookie_same_site: Option<SameSite>,
    /// Hosts that requests may be addressed to, beside that of the base URL and DNS aliases; empty for any (crest.md §12.2).
    pub valid_hosts: Vec<String>,
    /// Whether transaction ids of callers are theirs to choose (crest.md §14).
    pub trust_transaction_ids: bool,
    /// Whether realms may take their base URL from what requests are addressed to (see [`crate::base_url`]).
    pub base_url_from_request: bool,
}

/// Why documents were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Decided against.
    #[error("refused: {}", .0.label())]
    Refused(Refusal),
    /// No decision.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Desk {
    /// From its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The read views. See the rule of use.
    pub fn views(&self) -> &Views {
        &self.0.views
    }

    /// Passwords and client secrets.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Forgets secrets of clients that are gone or have changed (G8).
    pub fn forget_secrets(&self) {
        let views = self.views();
        self.passwords().forget(|key| views.entry(key).map(|entry| entry.document.revision));
    }

    /// Signing keys.
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// Where things are recorded.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// How questions to policies are answered.
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// How failed attempts are limited.
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Whether this node has applied the entry at `revision`, or will never: asks the log for one more entry before it says
    /// no, because after a snapshot the views do not know how far they are.
    ///
    /// # Errors
    /// Without quorum.
    pub async fn has_reached(&self, revision: Seq) -> Result<bool, Unavailable> {
        if self.0.views.applied() >= revision {
            return Ok(true);
        }
        self.propose(Command::Tick).await?;
        Ok(self.0.views.applied() >= revision)
    }

    /// How we look from the outside.
    pub fn front(&self) -> &Front {
        &self.0.front
    }

    /// Waits until the views show everything that was acknowledged before now.
    ///
    /// # Errors
    /// Without quorum: answer 503 (G7), never from the views as they are.
    pub async fn barrier(&self) -> Result<(), Unavailable> {
        self.0.consensus.barrier().await
    }

    /// Puts a command to the log. What changes is recorded by whoever asks for it, once the log agrees.
    ///
    /// # Errors
    /// When there is no answer; a decision against it is an [`Outcome::Refused`]. [`Unavailable::Overloaded`] also when what
    /// changes could not be recorded and the settings do not let it happen then.
    pub async fn propose(&self, command: Command) -> Result<Outcome, Unavailable> {
        let pending = self.0.audit.observe(&self.0.views, &command).map_err(|_| Unavailable::Overloaded)?;
        let outcome = self.0.consensus.propose(command).await?;
        if let Some(pending) = pending {
            pending.record(&outcome);
        }
        Ok(outcome)
    }

    /// Writes documents, all or none.
    ///
    /// # Errors
    /// A precondition or reference that does not hold, or no decision.
    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<Seq>, WriteError> {
        match self.propose(Command::WriteDocuments(WriteDocuments(writes))).await? {
            Outcome::Written(revisions) => Ok(revisions),
            Outcome::Refused(refusal) => Err(WriteError::Refused(refusal)),
            Outcome::Done | Outcome::Issued { .. } => unreachable!("documents are written or refused"),
        }
    }

    /// A document.
    pub fn document(&self, realm: &RealmPath, kind: Kind, id: &str) -> Option<Arc<Entry>> {
        self.0.views.document(realm, kind, id)
    }

    /// All documents of a kind in a realm, by id, in order.
    pub fn rows(&self, realm: &RealmPath, kind: Kind) -> Ordered {
        self.0.views.rows(realm, kind)
    }

    /// Live sessions, at most so many, without a look at those of others.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when the owner's mailbox is full.
    pub async fn sessions_of(&self, whose: Whose, most: usize) -> Result<Listed, Unavailable> {
        let owner = self.0.actors.sessions();
        if !owner.connected() {
            return Err(Unavailable::NoQuorum);
        }
        match tokio::time::timeout(std::time::Duration::from_secs(2), owner.send(ListSessions { whose, most })).await {
            Ok(Ok(listed)) => Ok(listed),
            Ok(Err(MailboxError::Closed)) => Err(Unavailable::NoQuorum),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(Unavailable::Overloaded),
        }
    }

    /// A compiled policy set.
    pub fn policy_set(&self, realm: &RealmPath, name: &str) -> Option<Arc<PolicySetIndex>> {
        self.0.views.policy_set(realm, name)
    }

    /// Whether a realm exists.
    pub fn realm_exists(&self, realm: &RealmPath) -> bool {
        *realm == RealmPath::root() || self.document(&RealmPath::root(), Kind::Realm, realm.as_str()).is_some()
    }

    /// The cluster's base URL: the same on every node.
    pub fn base_url(&self) -> BaseUrl {
        BaseUrl::of(self)
    }

    /// A new `auditTrackingId`, in its two halves.
    pub fn next_audit(&self) -> (u128, u64) {
        (self.0.audit_process, self.0.audit_counter.fetch_add(1, Ordering::Relaxed))
    }
}

/// Create or replace one document.
pub fn put(
    key: DocumentKey,
    when: Precondition,
    body: &serde_json::Value,
    references: Vec<DocumentKey>,
    fence: bool,
) -> Write {
    let body = Arc::from(body.to_string().into_bytes());
    Write { key, when, change: Change::Put { body, references, fence } }
}

/// Delete one document.
pub fn delete(key: DocumentKey, when: Precondition) -> Write {
    Write { key, when, change: Change::Delete }
}
