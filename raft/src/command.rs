//! The log format: what a node may ask for, what comes of it, and why not.
//!
//! Variant order is the format: append at the end, never reorder, never change a variant's fields. Every choice that
//! needs a clock or dice is made before a draft is written: secrets arrive as hashes, ids as bytes, lives as spans.
//!
//! A copy of a draft (sent again, or delayed on its way) either meets the memory of the first one, or comes too late to have
//! any effect (ADR 9). [`Draft::deadline`] is one half of that, [`DRAFT_WINDOW_MS`] the other.

use crate::{
    attempts::{ClearFailures, NoteFailure},
    blacklist::{BlacklistJti, Spend},
    documents::{DocumentKey, RemoveRealm, WriteDocuments},
    grant_sets::{IssueAccess, IssueCode, RedeemCode, RevokeAccess, RevokeGrant},
    ids::{ProposalId, RealmPath, Seq},
    limits::DRAFT_WINDOW_MS,
    sessions::{CreateSession, DestroySession, DestroySessionsOf, StartSession, TouchSession, UpdateSession},
    time::{Span, Stamp},
    transactions::Transact,
};
use serde::{Deserialize, Serialize};

/// What a node wants done. A retry of the same attempt carries the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Identifies the attempt.
    pub id: ProposalId,
    /// Log time from which it has no effect any more. Chosen once, before the first copy leaves its node: every copy carries
    /// the same, or it would be another draft.
    pub deadline: Stamp,
    /// What to do.
    pub command: Command,
}

/// Whether a draft with this deadline may have an effect at log time `at`: not from its deadline on, and not so long before
/// it that what came of it would be forgotten while a copy could still have an effect.
pub(crate) fn is_timely(deadline: Stamp, at: Stamp) -> bool {
    at < deadline && deadline <= at + Span(DRAFT_WINDOW_MS)
}

/// One log entry: drafts that travelled together, stamped by the leader that wrote them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The leader's clock when it wrote the entry.
    pub at: Stamp,
    /// In order; each gets an [`Outcome`] of its own.
    pub drafts: Vec<Draft>,
}

/// Everything that can be asked of the replicated state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Carries only time, so that things expire while nobody calls. Goes to every owner.
    Tick,
    /// Store a new opaque access token.
    IssueAccess(IssueAccess),
    /// Store a new authorization code.
    IssueCode(IssueCode),
    /// Exchange a code, once.
    RedeemCode(RedeemCode),
    /// Revoke one opaque access token.
    RevokeAccess(RevokeAccess),
    /// Revoke everything of one grant.
    RevokeGrant(RevokeGrant),
    /// Revoke one client-based token.
    BlacklistJti(BlacklistJti),
    /// Start a session.
    CreateSession(CreateSession),
    /// Note that a session was used.
    TouchSession(TouchSession),
    /// End a session.
    DestroySession(DestroySession),
    /// Create, update or delete documents, all or none.
    WriteDocuments(WriteDocuments),
    /// Delete a realm's document and every document in the realm.
    DeleteRealm(RealmPath),
    /// Use something that may be used once.
    Spend(Spend),
    /// Start a session under a quota or in the place of another.
    StartSession(StartSession),
    /// Change properties of a session.
    UpdateSession(UpdateSession),
    /// End all sessions of a subject.
    DestroySessionsOf(DestroySessionsOf),
    /// Count a failed attempt.
    NoteFailure(NoteFailure),
    /// Forget failed attempts after one that succeeded.
    ClearFailures(ClearFailures),
    /// As [`DeleteRealm`](Self::DeleteRealm), under a condition.
    RemoveRealm(RemoveRealm),
    /// Open, begin, complete or use a transaction.
    Transact(Transact),
}

impl Command {
    /// A name for log fields and metric labels.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::IssueAccess(_) => "issue_access",
            Self::IssueCode(_) => "issue_code",
            Self::RedeemCode(_) => "redeem_code",
            Self::RevokeAccess(_) => "revoke_access",
            Self::RevokeGrant(_) => "revoke_grant",
            Self::BlacklistJti(_) => "blacklist_jti",
            Self::CreateSession(_) => "create_session",
            Self::TouchSession(_) => "touch_session",
            Self::DestroySession(_) => "destroy_session",
            Self::WriteDocuments(_) => "write_documents",
            Self::DeleteRealm(_) => "delete_realm",
            Self::Spend(_) => "spend",
            Self::StartSession(_) => "start_session",
            Self::UpdateSession(_) => "update_session",
            Self::DestroySessionsOf(_) => "destroy_sessions_of",
            Self::NoteFailure(_) => "note_failure",
            Self::ClearFailures(_) => "clear_failures",
            Self::RemoveRealm(_) => "remove_realm",
            Self::Transact(_) => "transact",
        }
    }
}

/// What came of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It happened, or had happened before; there is nothing to tell.
    Done,
    /// A token, code or session exists now.
    Issued {
        /// Log time of its birth.
        issued: Stamp,
        /// Log time from which it is dead.
        expires: Stamp,
    },
    /// Documents were written; one revision per write, in order.
    Written(Vec<Seq>),
    /// Decided against. Nothing was changed, unless the refusal says so.
    Refused(Refusal),
}

impl Outcome {
    /// A name for log fields and metric labels.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Issued { .. } => "issued",
            Self::Written(_) => "written",
            Self::Refused(refusal) => refusal.label(),
        }
    }
}

/// A decision of the cluster against a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No such code, or it has been purged.
    UnknownCode,
    /// The code or token was issued to another client. Nothing changed.
    OtherClient,
    /// The code has expired.
    Expired,
    /// The code was used before, and what it bought is revoked now; or the grant that it or the token belongs to is revoked.
    Replayed,
    /// `redirect_uri` differs from the authorization request. The code is spent now.
    OtherRedirect,
    /// `code_verifier` is absent though a challenge was sent.
    MissingVerifier,
    /// `code_verifier` does not match. The code is spent now.
    WrongVerifier,
    /// No such token, or it is dead already; no such transaction, or one that is at another stage or about something else.
    UnknownToken,
    /// No such session, or it has ended.
    UnknownSession,
    /// The state is at its limit; nothing is evicted to make room.
    Full,
    /// The document exists and must not.
    Exists(DocumentKey),
    /// The document does not exist and must.
    Missing(DocumentKey),
    /// The document has another revision than expected.
    Stale {
        /// Which document.
        key: DocumentKey,
        /// The revision that it has.
        found: Seq,
    },
    /// The document is still referenced.
    Referenced {
        /// Which document.
        key: DocumentKey,
        /// One that references it.
        by: DocumentKey,
    },
    /// A document that the write references does not exist.
    Dangling(DocumentKey),
    /// Log time has reached the draft's deadline, or the deadline is further away than any may be. This copy had no effect;
    /// it says nothing about others.
    Untimely,
    /// The document does not go by itself: a realm takes everything in it along ([`Command::DeleteRealm`]).
    Protected(DocumentKey),
    /// The subject has as many sessions as it may have.
    Quota,
    /// There have been too many failed attempts; nothing is let through until the pause is over.
    Paused,
}

impl Refusal {
    /// A name for log fields and metric labels.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::UnknownCode => "unknown_code",
            Self::OtherClient => "other_client",
            Self::Expired => "expired",
            Self::Replayed => "replayed",
            Self::OtherRedirect => "other_redirect",
            Self::MissingVerifier => "missing_verifier",
            Self::WrongVerifier => "wrong_verifier",
            Self::UnknownToken => "unknown_token",
            Self::UnknownSession => "unknown_session",
            Self::Full => "full",
            Self::Exists(_) => "exists",
            Self::Missing(_) => "missing",
            Self::Stale { .. } => "stale",
            Self::Referenced { .. } => "referenced",
            Self::Dangling(_) => "dangling",
            Self::Untimely => "untimely",
            Self::Protected(_) => "protected",
            Self::Quota => "quota",
            Self::Paused => "paused",
        }
    }
}
