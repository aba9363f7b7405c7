//! Revoked client-based tokens, by the hash of their `jti`, until they would have expired anyway; and what may be used once
//! and was used, until it would have expired.

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    ids::ProposalId,
    limits::{DRAFT_WINDOW_MS, MAX_LIVE_PER_SHARD},
    owners::{Committed, Owned},
    time::{Span, Stamp},
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

/// Use something that may be used once: of all who propose it, the first one has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// SHA-256 of it.
    pub hash: TokenHash,
    /// From when on it is worth nothing anyway.
    pub until: Stamp,
}

/// The commands that the blacklist understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlacklistCommand {
    /// See [`BlacklistJti`].
    Revoke(BlacklistJti),
    /// See [`Spend`].
    Spend(Spend),
}

/// An entry that came, or went.
pub type BlacklistChange = (TokenHash, Option<Stamp>);

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blacklist {
    now: Stamp,
    until: Buckets<Stamp>,
    /// What was used, by which proposal, and until when that is remembered.
    spent: Buckets<(ProposalId, Stamp)>,
    // INVARIANT: the two below are derived from the ones above; `restore` rebuilds them.
    deaths: BTreeSet<(Stamp, TokenHash)>,
    spent_deaths: BTreeSet<(Stamp, TokenHash)>,
}

impl Owned for Blacklist {
    type Command = BlacklistCommand;
    type Change = BlacklistChange;

    fn apply(&mut self, committed: Committed<BlacklistCommand>, changed: &mut Vec<BlacklistChange>) -> Outcome {
        self.advance(committed.at, changed);
        match committed.command {
            BlacklistCommand::Revoke(revoke) => self.revoke(revoke, changed),
            BlacklistCommand::Spend(spend) => {
                self.spend(committed.id, &spend).map_or_else(Outcome::Refused, |()| Outcome::Done)
            }
        }
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
        while let Some(&(when, hash)) = self.spent_deaths.first()
            && when <= self.now
        {
            self.spent_deaths.pop_first();
            self.spent.remove(&hash);
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        let first = |deaths: &BTreeSet<(Stamp, TokenHash)>| deaths.first().map(|&(when, _)| when);
        [first(&self.deaths), first(&self.spent_deaths)].into_iter().flatten().min()
    }

    fn frozen(&self) -> Self {
        Self { now: self.now, until: self.until.clone(), spent: self.spent.clone(), ..Self::default() }
    }
}

impl Blacklist {
    fn revoke(&mut self, BlacklistJti { jti, until }: BlacklistJti, changed: &mut Vec<BlacklistChange>) -> Outcome {
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

    /// The first proposal to use it has used it, and hears so again when it is retried.
    fn spend(&mut self, id: ProposalId, spend: &Spend) -> Result<(), Refusal> {
        match self.spent.get(&spend.hash) {
            Some((by, _)) if *by == id => return Ok(()),
            _ if spend.until <= self.now => return Err(Refusal::Expired),
            Some(_) => return Err(Refusal::Replayed),
            None if self.spent.len() >= MAX_LIVE_PER_SHARD => return Err(Refusal::Full),
            None => {}
        }
        // No copy of the proposal can have an effect after the later of the two.
        let forget = spend.until.max(self.now + Span(DRAFT_WINDOW_MS));
        self.spent.insert(spend.hash, (id, forget));
        self.spent_deaths.insert((forget, spend.hash));
        Ok(())
    }

    /// Every entry and until when it stays.
    pub fn entries(&self) -> &Buckets<Stamp> {
        &self.until
    }

    /// What was used, by which proposal, and until when that is remembered, in the order of the hashes.
    pub fn spent(&self) -> &Buckets<(ProposalId, Stamp)> {
        &self.spent
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(
        now: Stamp,
        entries: impl IntoIterator<Item = (TokenHash, Stamp)>,
        spent: impl IntoIterator<Item = (TokenHash, ProposalId, Stamp)>,
    ) -> Self {
        let mut restored = Self { now, ..Self::default() };
        for (jti, when) in entries {
            restored.until.insert(jti, when);
        }
        for (hash, by, forget) in spent {
            restored.spent.insert(hash, (by, forget));
        }
        restored.deaths = restored.until.iter().map(|(&jti, &when)| (when, jti)).collect();
        restored.spent_deaths = restored.spent.iter().map(|(&hash, &(_, forget))| (forget, hash)).collect();
        restored
    }
}
