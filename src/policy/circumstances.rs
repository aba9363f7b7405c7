//! What of a request conditions look at, beside subject and resource; and whom they may ask.
//!
//! | reference                                     | here                          |
//! |-----------------------------------------------|-------------------------------|
//! | §2.6.1 `environment`                          | [`Environment`]               |
//! | §4 "evaluation receives"                      | [`Circumstances`]             |
//! | §4.6, §4.8, §4.10, §4.14, §4.16 outside world | [`Services`]                  |
//! | §6.9 side effects                             | [`Effect`], returned not done |
//!
//! A caller fills [`Circumstances`] and a [`Subject`]; nothing else of a request can change a decision.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{
    condition::Outcome,
    fault::Fault,
    subject::{Subject, UniversalId},
};

/// A request's `environment`: case-sensitive keys with their values (§2.6.1).
pub type Environment = BTreeMap<String, Vec<String>>;

/// Coordinated universal time, for whoever configures no other default zone.
pub static UTC: TimeZone = TimeZone::UTC;

/// When and where a request is evaluated.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// Of the policies, as in messages: `/alpha`, the root realm `/`.
    pub realm: &'a str,
    pub environment: &'a Environment,
    /// Epoch milliseconds.
    pub now: i64,
    /// The server's default zone, for a `SimpleTime` that neither names one nor is told one.
    pub zone: &'a TimeZone,
    /// Whom conditions may ask.
    pub services: &'a dyn Services,
}

impl<'a> Circumstances<'a> {
    /// At `now` (epoch milliseconds), in UTC, with nobody to ask.
    pub fn new(realm: &'a str, environment: &'a Environment, now: i64) -> Self {
        Self { realm, environment, now, zone: &UTC, services: &NoServices }
    }

    /// All values of an environment key; `None` when the key is absent, which is not the same as empty.
    pub(crate) fn values(&self, key: &str) -> Option<&'a [String]> {
        self.environment.get(key).map(Vec::as_slice)
    }

    /// The first value of an environment key.
    pub(crate) fn first(&self, key: &str) -> Option<&'a str> {
        self.values(key)?.first().map(String::as_str)
    }
}

/// The outside world of conditions. Everything answers "not supported here" until it is overridden, which
/// leaves the asking policy without effect. Calls block the evaluation: answer from memory, within a bound.
///
/// Equal conditions ask once per resource.
pub trait Services: Sync {
    /// The groups that a user or group is a member of (§4.14); empty for somebody unknown.
    fn groups(&self, _of: &UniversalId) -> Result<Vec<UniversalId>, Fault> {
        Err(Fault::Unsupported("group membership"))
    }

    /// Runs a policy condition script (§7). What it says of `effects` is ignored.
    fn script(&self, call: &ScriptCall<'_>) -> Result<Outcome, Fault> {
        Err(Fault::ScriptNotLoaded(super::error::excerpt(call.script_id)))
    }

    /// Whether `user`'s directory entry satisfies the filter (§4.8), which is well-formed.
    fn ldap_filter(&self, _filter: &str, _user: &UniversalId) -> Result<bool, Fault> {
        Err(Fault::Unsupported("LDAPFilter"))
    }

    /// The object in identity management (§4.6); `None` when there is no such.
    fn managed_object(&self, _query: &ManagedQuery<'_>) -> Result<Option<Value>, Fault> {
        Err(Fault::Unsupported("IdmUser"))
    }

    /// Looks up or plans a transaction (§4.16).
    fn transaction(&self, _ask: &TransactionAsk<'_>) -> Result<Transaction, Fault> {
        Err(Fault::Unsupported("Transaction"))
    }
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoServices;

impl Services for NoServices {}

/// What a script gets to see (§7.1).
#[derive(Clone, Copy)]
pub struct ScriptCall<'a> {
    pub script_id: &'a str,
    /// `username`: the session's universal id, or `sub`.
    pub username: Option<&'a str>,
    /// `resourceURI`: canonical.
    pub resource: &'a str,
    /// `identity`, `session` are there only with a session.
    pub subject: &'a Subject,
    /// `environment`, `realm`.
    pub circumstances: &'a Circumstances<'a>,
}

/// Whom [`Services::managed_object`] looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedQuery<'a> {
    /// `managed/alpha_user`.
    pub resource: &'a str,
    /// Field that must equal `username`.
    pub query_field: &'a str,
    /// The user's name: the value of the first component of the universal id.
    pub username: &'a str,
}

/// Most values of `environment.TxId` that a condition looks at: several, because several policies may each want a
/// confirmation of their own.
pub const MAX_TX_IDS: usize = 16;

/// What a `Transaction` condition asks (§4.16). A transaction is bound to realm, resource, user and strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionAsk<'a> {
    /// `environment.TxId`, the first [`MAX_TX_IDS`] of them.
    pub ids: &'a [String],
    pub realm: &'a str,
    /// Canonical.
    pub resource: &'a str,
    pub user: &'a UniversalId,
    /// As stored.
    pub strategy: &'a str,
    /// Realm, tree, level, chain or module.
    pub specifier: &'a str,
}

/// Answer to a [`TransactionAsk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    /// The one with this id, of those that were asked for, is completed and fits; it is used up by this.
    Completed(String),
    /// The id of a new one, which the user has to complete.
    Required(String),
}

/// Something that an evaluation asks the caller to do (§6.9). Sorted and without repetitions in a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// A `Session` condition found it too old: destroy the subject's session (§4.11).
    TerminateSession,
    /// An `AuthScheme` condition moved an idle deadline: set this session property (§4.3).
    SetSessionProperty { name: String, value: String },
    /// A `Transaction` condition used a completed transaction up (§4.16).
    TransactionUsed { id: String },
    /// A `Transaction` condition asks the user for a new one (§4.16).
    TransactionRequired { id: String },
}
