//! Failed attempts to prove who one is, by whom they were made against: how many, and since when there is a pause.
//!
//! A counter is kept under a hash: of an account, of an address, of both together; what it is made of is nobody's business
//! here. It counts failures within a window that begins with the first. At the limit, a pause begins: until it is over,
//! nothing is counted and nothing is let through, so that failing on does not make it longer.
//!
//! | property                                              | held by                                            |
//! |-------------------------------------------------------|----------------------------------------------------|
//! | no more than `limit` failures from the first to the end of the window | `Attempts::count`                  |
//! | a right guess that raced the last wrong one is refused | `Attempts::clear`                                 |
//! | G8 counters disappear by themselves                    | `Attempts::advance`                               |
//! | G8 and there are at most [`MAX_ATTEMPTS`]              | `Attempts::count` gives up the one that matters least |
//!
//! At capacity the counter goes that has no pause and the fewest failures, of those the one that ends first. Who wants the
//! counter of a target gone must fail against more than a hundred thousand others, more often against each than against the
//! target; every failure costs them a slow hash, and counts against their own addresses as well.
//!
//! A copy of a failure counts once more (ADR 9): it errs on the safe side, and ends with the window.

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    limits::{MAX_ATTEMPTS, MAX_COUNTS},
    owners::{Committed, Owned},
    time::{Span, Stamp},
    token::TokenHash,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Count a failure under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// What it is counted under.
    pub key: TokenHash,
    /// At how many failures the pause begins; 0 counts nothing.
    pub limit: u32,
    /// How long failures are added up.
    pub window: Span,
    /// How long the pause is.
    pub pause: Span,
}

/// Somebody failed: count it under each of these keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteFailure(pub Vec<Count>);

/// Somebody succeeded: forget the failures under some keys, unless there is a pause under any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearFailures {
    /// Whose failures are forgotten.
    pub clear: Vec<TokenHash>,
    /// Where, besides, a pause stands in the way.
    pub unless: Vec<TokenHash>,
}

/// The commands that attempts understand.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptCommand {
    /// See [`NoteFailure`].
    Note(NoteFailure),
    /// See [`ClearFailures`].
    Clear(ClearFailures),
}

/// What is known under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counter {
    /// Whether there is a pause.
    pub paused: bool,
    /// Failures in this window.
    pub failures: u32,
    /// When the pause is over, or the window.
    pub until: Stamp,
}

/// A counter that changed, or went.
pub type AttemptChange = (TokenHash, Option<Counter>);

/// All counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts {
    now: Stamp,
    counters: Buckets<Counter>,
    // INVARIANT: the two below are derived from the counters; `restore` rebuilds them.
    deaths: BTreeSet<(Stamp, TokenHash)>,
    /// Those that matter least first.
    ranks: BTreeSet<(Counter, TokenHash)>,
}

impl Owned for Attempts {
    type Command = AttemptCommand;
    type Change = AttemptChange;

    fn apply(&mut self, committed: Committed<AttemptCommand>, changed: &mut Vec<AttemptChange>) -> Outcome {
        self.advance(committed.at, changed);
        match committed.command {
            AttemptCommand::Note(NoteFailure(counts)) => {
                counts.into_iter().take(MAX_COUNTS).for_each(|count| self.count(count, changed));
                Outcome::Done
            }
            AttemptCommand::Clear(clear) => self.clear(&clear, changed),
        }
    }

    fn advance(&mut self, at: Stamp, changed: &mut Vec<AttemptChange>) {
        self.now = self.now.max(at);
        while let Some(&(when, key)) = self.deaths.first()
            && when <= self.now
        {
            self.set(key, None, changed);
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        self.deaths.first().map(|&(when, _)| when)
    }

    fn frozen(&self) -> Self {
        Self { now: self.now, counters: self.counters.clone(), ..Self::default() }
    }
}

impl Attempts {
    fn count(&mut self, count: Count, changed: &mut Vec<AttemptChange>) {
        let Count { key, limit, window, pause } = count;
        let next = match self.counters.get(&key) {
            Some(counter) if counter.paused => return,
            Some(counter) => Counter { failures: counter.failures.saturating_add(1), ..*counter },
            None => Counter { paused: false, failures: 1, until: self.now + window },
        };
        let next = match next.failures >= limit {
            true => Counter { paused: true, until: self.now + pause, ..next },
            false => next,
        };
        if limit == 0 || next.until <= self.now {
            return;
        }
        if self.counters.get(&key).is_none()
            && self.counters.len() >= MAX_ATTEMPTS
            && let Some(&(_, least)) = self.ranks.first()
        {
            self.set(least, None, changed);
        }
        self.set(key, Some(next), changed);
    }

    fn clear(&mut self, clear: &ClearFailures, changed: &mut Vec<AttemptChange>) -> Outcome {
        let keys = || clear.clear.iter().take(MAX_COUNTS);
        let mut all = keys().chain(clear.unless.iter().take(MAX_COUNTS));
        if all.any(|key| self.counters.get(key).is_some_and(|counter| counter.paused)) {
            return Outcome::Refused(Refusal::Paused);
        }
        for key in keys() {
            self.set(*key, None, changed);
        }
        Outcome::Done
    }

    fn set(&mut self, key: TokenHash, counter: Option<Counter>, changed: &mut Vec<AttemptChange>) {
        let former = match counter {
            Some(counter) => {
                self.deaths.insert((counter.until, key));
                self.ranks.insert((counter, key));
                self.counters.insert(key, counter)
            }
            None => self.counters.remove(&key),
        };
        if let Some(former) = former
            && Some(former) != counter
        {
            self.ranks.remove(&(former, key));
            if counter.is_none_or(|counter| counter.until != former.until) {
                self.deaths.remove(&(former.until, key));
            }
        }
        if former.is_some() || counter.is_some() {
            changed.push((key, counter));
        }
    }

    /// All counters, in the order of their keys.
    pub fn counters(&self) -> &Buckets<Counter> {
        &self.counters
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(now: Stamp, counters: impl IntoIterator<Item = (TokenHash, Counter)>) -> Self {
        let counters: Buckets<Counter> = counters.into_iter().collect();
        let deaths = counters.iter().map(|(&key, counter)| (counter.until, key)).collect();
        let ranks = counters.iter().map(|(&key, &counter)| (counter, key)).collect();
        Self { now, counters, deaths, ranks }
    }
}
