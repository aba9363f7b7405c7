//! The replicated clock. A [`Stamp`] is set by the leader when it writes an entry; every decision in the replicated
//! state uses it and never a node's own clock (G6).

use crate::limits::DRAFT_WINDOW_MS;
use serde::{Deserialize, Serialize};
use std::{
    ops::Add,
    sync::atomic::{AtomicI64, Ordering},
};

/// Milliseconds since the Unix epoch, as stamped into the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp(pub u64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(pub u64);

impl Span {
    /// `seconds` as a span; saturates.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

impl Stamp {
    /// Whole seconds since the epoch, rounded down: the unit of `exp`, `iat`, `auth_time`.
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }
}

impl Add<Span> for Stamp {
    type Output = Self;

    /// Saturates: a span that is too long never wraps into the past.
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// What a node takes log time to be when it gives a draft its deadline: its own clock, set right by the log when the log has
/// refused a draft as untimely. Whether a copy can have a second effect does not depend on it, only whether the first one is
/// taken (ADR 9).
#[derive(Debug, Default)]
pub struct Reckoning {
    /// Milliseconds that the log is ahead of this node's clock, as far as it has had to know.
    ahead: AtomicI64,
}

impl Reckoning {
    /// The deadline of a draft that is made now: half a window from now, so that it is timely as long as the reckoning is
    /// wrong by less than that, in either direction. `clock` is the node's, `applied` the log time that it has applied.
    pub fn deadline(&self, clock: Stamp, applied: Stamp) -> Stamp {
        let reckoned = Stamp(clock.0.saturating_add_signed(self.ahead.load(Ordering::Relaxed)));
        reckoned.max(applied) + Span(DRAFT_WINDOW_MS / 2)
    }

    /// A draft was refused as untimely in an entry that this node has just applied: so that is what time it is.
    pub fn correct(&self, clock: Stamp, applied: Stamp) {
        let ahead = i128::from(applied.0) - i128::from(clock.0);
        self.ahead.store(i64::try_from(ahead).unwrap_or_default(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reckoning_follows_the_clock_and_the_log_and_is_set_right_by_the_log() {
        let (reckoning, half) = (Reckoning::default(), Span(DRAFT_WINDOW_MS / 2));
        assert_eq!(reckoning.deadline(Stamp(1000), Stamp(900)), Stamp(1000) + half);
        assert_eq!(reckoning.deadline(Stamp(1000), Stamp(1100)), Stamp(1100) + half, "log time never runs backwards");
        for (clock, log) in [(9_000_000, 1000), (1000, 9_000_000)] {
            reckoning.correct(Stamp(clock), Stamp(log));
            assert_eq!(reckoning.deadline(Stamp(clock + 50), Stamp(log)), Stamp(log + 50) + half);
        }
        reckoning.correct(Stamp(0), Stamp(u64::MAX));
        assert_eq!(reckoning.deadline(Stamp(5), Stamp(0)), Stamp(5) + half, "a nonsense stamp teaches nothing");
    }
}
