//! The replicated clock. A [`Stamp`] is set by the leader when it writes an entry; every decision in the replicated
//! state uses it and never a node's own clock (G6).

use serde::{Deserialize, Serialize};
use std::ops::Add;

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
