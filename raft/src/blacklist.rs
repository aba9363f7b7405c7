//! Revoked client-based tokens, by the hash of their `jti`, until they would have expired anyway.

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    limits::MAX_LIVE_PER_SHARD,
    owners::{Committed, Owned},
    time::Stamp,
    token::TokenHash,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Revoke one client-based token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlacklistJti {
    /// SHA-256 of its `jti`.
    pub jti: TokenHash,
    /// Its `exp` and the purge delay.
    pub until: Stamp,
}

/// An entry that came, or went.
pub type BlacklistChange = (TokenHash, Option<Stamp>);

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blacklist {
    now: Stamp,
    until: Buckets<Stamp>,
    /// Derived.
    deaths: BTreeSet<(Stamp, TokenHash)>,
}

impl Owned for Blacklist {
    type Command = BlacklistJti;
    type Change = BlacklistChange;

    fn apply(&mut self, committed: Committed<BlacklistJti>, changed: &mut Vec<BlacklistChange>) -> Outcome {
        self.advance(committed.at, changed);
        let BlacklistJti { jti, until } = committed.command;
        let known = self.until.get(&jti).copied();
        if until <= self.now || known.is_some_and(|known| known >= until) {
            return Outcome::Done;
        }
        if known.is_none() && self.until.len() >= MAX_LIVE_PER_SHARD {
            return Outcome::Refused(Refusal::Full);
        }
        if let Some(known) = known {
            self.deaths.remove(&(known, jti));
        }
        self.until.insert(jti, until);
        self.deaths.insert((until, jti));
        changed.push((jti, Some(until)));
        Outcome::Done
    }

    fn advance(&mut self, at: Stamp, changed: &mut Vec<BlacklistChange>) {
        self.now = self.now.max(at);
        while let Some(&(when, jti)) = self.deaths.first()
            && when <= self.now
        {
            self.deaths.pop_first();
            self.until.remove(&jti);
            changed.push((jti, None));
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        self.deaths.first().map(|&(when, _)| when)
    }

    fn frozen(&self) -> Self {
        Self { now: self.now, until: self.until.clone(), deaths: BTreeSet::new() }
    }
}

impl Blacklist {
    /// Every entry and until when it stays.
    pub fn entries(&self) -> &Buckets<Stamp> {
        &self.until
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(now: Stamp, entries: impl IntoIterator<Item = (TokenHash, Stamp)>) -> Self {
        let mut restored = Self { now, ..Self::default() };
        for (jti, when) in entries {
            restored.until.insert(jti, when);
        }
        restored.deaths = restored.until.iter().map(|(&jti, &when)| (when, jti)).collect();
        restored
    }
}
