//! Brute-force protection: failed attempts to prove who one is are counted in the log, on all nodes together, and too many of
//! them bring a pause (ADR 13).
//!
//! | counted by                  | limits                                     | setting                               |
//! |-----------------------------|--------------------------------------------|---------------------------------------|
//! | account and address together | guessing one password from one place       | `attempts.per_account_and_address`    |
//! | address                      | trying many accounts from one place (CL-12) | `attempts.per_address`               |
//! | account, wherever from       | guessing one password from many places (GR-09) | `attempts.per_account`            |
//!
//! During a pause nothing is verified, so nothing is learnt: a right password is turned away like a wrong one. Names of
//! accounts that do not exist are counted like those that do, so a pause does not tell them apart.
//!
//! The third counter is for users alone. OAuth 2.0 clients and agents have no such pause, because whoever knows their name could
//! keep a healthy one out (CL-12); nor has `amAdmin`, because whoever keeps it paused would keep the administrator out for as
//! long as they like. What protects those is the first counter: one place guesses a few times, then waits.

use crate::{
    bootstrap::ADMINISTRATOR_ID,
    config::{Network, bounds::AttemptLimits},
    consensus::Unavailable,
    desk::Desk,
    secrets,
};
use actix_web::HttpRequest;
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, RealmPath, Refusal, Span, TokenHash,
    attempts::{ClearFailures, Count, NoteFailure},
};
use serde_json::json;
use std::net::{IpAddr, Ipv6Addr};

/// How attempts are limited, and whose word is taken for where they come from.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// How many, and how long.
    pub limits: AttemptLimits,
    /// Whose `X-Forwarded-…` and `Forwarded` are believed.
    pub trusted_proxies: Vec<Network>,
}

impl Guard {
    /// Whether `address` is that of a proxy whose word is taken.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// An attempt to prove to be somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    account: DocumentKey,
    from: Option<IpAddr>,
}

/// Why an attempt was not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Too many have failed; try again after this time.
    #[error("too many failed attempts")]
    Paused(Span),
    /// No decision.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Attempt {
    /// To be the owner of the document `account`, which need not exist, from an address, as [`source`] tells it.
    pub fn new(account: DocumentKey, from: Option<IpAddr>) -> Self {
        Self { account, from }
    }

    /// Under what it is counted, with the limit of each.
    fn counts(&self, limits: &AttemptLimits) -> Counts {
        let DocumentKey { realm, kind, id } = &self.account;
        let from = self.from.map(network);
        let kind_name = format!("{kind:?}");
        let count = |limit: u32, window, parts: serde_json::Value| Count {
            key: TokenHash(secrets::sha256(parts.to_string().as_bytes())),
            limit,
            window,
            pause: limits.pause,
        };
        let everywhere = *kind == Kind::User && !(*realm == RealmPath::root() && **id == *ADMINISTRATOR_ID);
        Counts {
            pair: from.as_ref().map(|from| {
                let parts = json!(["account and address", realm.as_str(), kind_name, &**id, from]);
                count(limits.per_account_and_address, limits.window, parts)
            }),
            address: from.map(|from| count(limits.per_address, limits.window, json!(["address", from]))),
            account: everywhere.then(|| {
                let parts = json!(["account", realm.as_str(), kind_name, &**id]);
                count(limits.per_account, limits.account_window, parts)
            }),
        }
    }
}

/// The counters of an attempt.
struct Counts {
    pair: Option<Count>,
    address: Option<Count>,
    account: Option<Count>,
}

impl Counts {
    fn all(&self) -> impl Iterator<Item = &Count> {
        [&self.pair, &self.address, &self.account].into_iter().flatten()
    }

    /// Those that a success clears: not that of the address, or one account of one's own would be a licence to guess.
    fn cleared(&self) -> impl Iterator<Item = &Count> {
        [&self.pair, &self.account].into_iter().flatten()
    }

    /// How long the longest pause still is.
    fn pause(&self, desk: &Desk) -> Option<Span> {
        let now = desk.views().log_time();
        let paused = self.all().filter_map(|count| {
            let counter = desk.views().attempts(&count.key).filter(|counter| counter.paused)?;
            Some(Span(counter.until.0.saturating_sub(now.0)))
        });
        paused.max()
    }
}

/// What stands for an address: all of an IPv6 network of 64 bits belongs to one place.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// How long attempts like this one still have to wait, if they do. Pass [`Desk::barrier`] first.
pub fn blocked(desk: &Desk, attempt: &Attempt) -> Option<Span> {
    attempt.counts(&desk.guard().limits).pause(desk)
}

/// Counts a failure; all nodes know of it when this returns.
///
/// # Errors
/// Without a decision: then tell nobody that the attempt has failed, or it would have been free.
pub async fn failed(desk: &Desk, attempt: &Attempt) -> Result<(), Unavailable> {
    let counts = attempt.counts(&desk.guard().limits);
    let counted: Vec<Count> = counts.all().filter(|count| count.limit > 0).copied().collect();
    if counted.is_empty() {
        return Ok(());
    }
    desk.propose(Command::NoteFailure(NoteFailure(counted))).await?;
    if counts.pause(desk).is_some() {
        tracing::warn!(kind = ?attempt.account.kind, realm = %attempt.account.realm, "too many failed attempts: a pause begins, or goes on");
    }
    Ok(())
}

/// Forgets the failures of the account after a success, unless a pause has begun since [`blocked`] was asked: what was right is
/// turned away then, because the guesses beside it were too many. Writes nothing when there is nothing to forget.
///
/// # Errors
/// [`Stopped`]: the attempt has not succeeded.
pub async fn succeeded(desk: &Desk, attempt: &Attempt) -> Result<(), Stopped> {
    let counts = attempt.counts(&desk.guard().limits);
    if let Some(pause) = counts.pause(desk) {
        return Err(Stopped::Paused(pause));
    }
    if !counts.cleared().any(|count| desk.views().attempts(&count.key).is_some()) {
        return Ok(());
    }
    let clear = counts.cleared().map(|count| count.key).collect();
    let unless = counts.address.iter().map(|count| count.key).collect();
    match desk.propose(Command::ClearFailures(ClearFailures { clear, unless })).await? {
        Outcome::Refused(Refusal::Paused) => Err(Stopped::Paused(counts.pause(desk).unwrap_or_default())),
        Outcome::Refused(_) => Err(Unavailable::Unknown.into()),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => Ok(()),
    }
}

/// Verifies something under protection: whether the attempt succeeded. `verify` is not started during a pause, and what comes
/// of it is told only when it has been counted. Pass [`Desk::barrier`] first.
///
/// # Errors
/// [`Stopped`].
pub async fn guarded(
    desk: &Desk,
    attempt: &Attempt,
    verify: impl Future<Output = Result<bool, Unavailable>>,
) -> Result<bool, Stopped> {
    if let Some(pause) = blocked(desk, attempt) {
        return Err(Stopped::Paused(pause));
    }
    match verify.await? {
        true => succeeded(desk, attempt).await.map(|()| true),
        false => failed(desk, attempt).await.map(|()| false).map_err(Stopped::from),
    }
}

/// Where a request comes from: the peer, or, behind proxies that are trusted, the nearest address in `X-Forwarded-For` that is
/// none of theirs. `None` when a trusted proxy does not say.
pub fn source(desk: &Desk, request: &HttpRequest) -> Option<IpAddr> {
    let trusted = |address: IpAddr| desk.guard().trusts(address);
    let peer = request.peer_addr()?.ip().to_canonical();
    if !trusted(peer) {
        return Some(peer);
    }
    let lines = request.headers().get_all("X-Forwarded-For").filter_map(|line| line.to_str().ok());
    let named: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    for name in named.into_iter().rev() {
        // What is no address was not written by a proxy that we trust: nothing further left is worth more.
        let address = name.parse::<IpAddr>().ok()?.to_canonical();
        if !trusted(address) {
            return Some(address);
        }
    }
    None
}

#[cfg(test)]
mod tests;
