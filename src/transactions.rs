//! Transactional authorization: a policy asks a user to authenticate for this very request, and allows it once
//! (authorization.md §4.16; ADR 20).
//!
//! | §4.16  | it says                                                        | we do it in                        |
//! |--------|----------------------------------------------------------------|------------------------------------|
//! | step 1 | bound to realm, resource, subject, session and strategy        | [`Ask::opened`], [`Ask::what`]     |
//! | step 1 | a random UUID, 180 seconds                                     | [`new_id`], [`LIFE`]               |
//! | step 2 | the same session authenticates; else 401                       | [`pending`], [`begin`]             |
//! | step 3 | completed                                                      | [`complete`]                       |
//! | step 4 | realm, resource and subject match: satisfied, and used up      | [`is_completed`], [`use_up`]       |
//!
//! Every step is decided by the log (`raft::transactions`), whatever the views of a node show; the views say what is worth
//! trying. An id is no secret that opens anything by itself: without the session it was made for it is worth nothing.

use crate::{
    caller::Caller,
    consensus::Unavailable,
    desk::Desk,
    policy::circumstances::TransactionAsk,
    secrets::{HandleKind, hash, sha256},
};
use quorate_raft::{
    Command, Outcome, RealmPath, Refusal, Span, TokenHash,
    limits::MAX_STRATEGY_BYTES,
    transactions::{Stage, Step, Transact, Transaction, TransactionData},
};
use std::sync::Arc;

/// How long a transaction may take. The reference names no setting for it.
pub const LIFE: Span = Span::from_secs(180);

/// A new id.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What a policy wants confirmed, and by whom.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The policy's realm.
    pub realm: &'a RealmPath,
    /// In the policy's words.
    pub condition: &'a TransactionAsk<'a>,
    /// Whose session is evaluated.
    pub owner: &'a Caller,
}

impl Ask<'_> {
    /// Digest of what is confirmed. The user's fence is part of it: what was confirmed before it moved is
    /// worth nothing afterwards (G3).
    pub fn what(&self) -> TokenHash {
        let TransactionAsk { resource, user, strategy, specifier, .. } = *self.condition;
        let mut message = Vec::new();
        for part in [self.realm.as_str(), resource, user.as_str(), strategy, specifier] {
            message.extend((part.len() as u64).to_be_bytes());
            message.extend(part.as_bytes());
        }
        message.extend(self.owner.session.data.fence.0.to_be_bytes());
        TokenHash(sha256(&message))
    }

    /// A transaction for it; `None` when the policy says more about how than a transaction can hold.
    pub fn opened(&self) -> Option<Arc<TransactionData>> {
        let TransactionAsk { strategy, specifier, .. } = *self.condition;
        (strategy.len() + specifier.len() <= MAX_STRATEGY_BYTES).then(|| {
            Arc::new(TransactionData {
                realm: self.realm.clone(),
                subject: self.owner.session.data.subject.clone(),
                session: self.owner.hash,
                what: self.what(),
                strategy: strategy.into(),
                specifier: specifier.into(),
                life: LIFE,
            })
        })
    }
}

fn stored(desk: &Desk, id: &str) -> Option<Arc<Transaction>> {
    desk.views().transaction(&hash(HandleKind::Transaction, id))
}

/// Whether `id` is confirmed for `what`, and was not used as far as this node knows.
pub fn is_completed(desk: &Desk, id: &str, what: &TokenHash) -> bool {
    stored(desk, id).is_some_and(|known| matches!(known.stage, Stage::Completed(_)) && known.data.what == *what)
}

/// What `caller` has to confirm in `realm` under `id`, if nobody has begun to.
pub fn pending(desk: &Desk, realm: &RealmPath, id: &str, caller: &Caller) -> Option<Arc<TransactionData>> {
    let known = stored(desk, id).filter(|known| known.stage == Stage::Created)?;
    let data = &known.data;
    let is_theirs = data.realm == *realm && data.session == caller.hash && data.subject == caller.session.data.subject;
    is_theirs.then(|| data.clone())
}

/// Whether the log has done it.
async fn done(desk: &Desk, id: &str, step: Step) -> Result<bool, Unavailable> {
    let transact = Transact { hash: hash(HandleKind::Transaction, id), step };
    match desk.propose(Command::Transact(transact)).await? {
        Outcome::Done | Outcome::Issued { .. } => Ok(true),
        Outcome::Refused(Refusal::UnknownToken) => Ok(false),
        Outcome::Refused(Refusal::Full) => Err(Unavailable::Overloaded),
        Outcome::Refused(_) | Outcome::Written(_) => Err(Unavailable::Unknown),
    }
}

/// Makes a transaction.
///
/// # Errors
/// Without a decision, or when there are too many.
pub async fn open(desk: &Desk, id: &str, data: Arc<TransactionData>) -> Result<(), Unavailable> {
    done(desk, id, Step::Open(data)).await.map(drop)
}

/// Whether `caller` is the one who begins it.
///
/// # Errors
/// Without a decision.
pub async fn begin(desk: &Desk, id: &str, caller: &Caller) -> Result<bool, Unavailable> {
    done(desk, id, Step::Begin(caller.hash)).await
}

/// Whether it is confirmed now, by `caller` who has begun it.
///
/// # Errors
/// Without a decision.
pub async fn complete(desk: &Desk, id: &str, caller: &Caller) -> Result<bool, Unavailable> {
    done(desk, id, Step::Complete(caller.hash)).await
}

/// Whether it was ours to use: of all who try, on whatever nodes, one hears so (G4).
///
/// # Errors
/// Without a decision.
pub async fn use_up(desk: &Desk, id: &str, what: TokenHash) -> Result<bool, Unavailable> {
    done(desk, id, Step::Use(what)).await
}
