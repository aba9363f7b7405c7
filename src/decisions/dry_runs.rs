//! How often somebody may try things out (PD-14): `explain` and `whatif` answer more than a decision does, and cost more.
//!
//! Per caller and node, by the generic cell rate algorithm: of each caller only the instant is kept at which all it has done
//! would be paid for at the steady rate. Whoever has paid is forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// In which time a whole allowance comes back.
const PERIOD: Duration = Duration::from_secs(60);

/// Most callers that are remembered at once; while so many try things out, nobody else may.
const MAX_CALLERS: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct DryRuns {
    per_minute: u32,
    paid: Mutex<HashMap<Box<str>, Instant>>,
}

/// Tried out too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many dry runs")]
pub struct TooMany {
    /// After which to try again.
    pub wait: Duration,
}

impl DryRuns {
    /// So many a minute, all at once if a caller likes; 0 for none at all.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, paid: Mutex::default() }
    }

    /// Counts one more of `caller`'s.
    ///
    /// # Errors
    /// [`TooMany`]: then it does not count.
    pub fn count(&self, caller: &str) -> Result<(), TooMany> {
        self.count_at(caller, Instant::now())
    }

    fn count_at(&self, caller: &str, now: Instant) -> Result<(), TooMany> {
        let each = PERIOD.checked_div(self.per_minute).ok_or(TooMany { wait: PERIOD })?;
        // Nothing that can panic happens under the lock.
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = paid.get(caller).map_or(Duration::ZERO, |at| at.saturating_duration_since(now)) + each;
        if let Some(wait) = owed.checked_sub(PERIOD).filter(|wait| !wait.is_zero()) {
            return Err(TooMany { wait });
        }
        if paid.len() >= MAX_CALLERS && !paid.contains_key(caller) {
            paid.retain(|_, at| *at > now);
            if paid.len() >= MAX_CALLERS {
                return Err(TooMany { wait: each });
            }
        }
        paid.insert(caller.into(), now + owed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Duration = Duration::from_secs(6);

    #[test]
    fn an_allowance_is_used_up_and_comes_back() {
        let (runs, start) = (DryRuns::new(10), Instant::now());
        for n in 0..10 {
            assert_eq!(runs.count_at("a", start), Ok(()), "{n}");
        }
        assert_eq!(runs.count_at("a", start), Err(TooMany { wait: EACH }));
        assert_eq!(runs.count_at("b", start), Ok(()), "each has its own");
        assert_eq!(runs.count_at("a", start + EACH), Ok(()));
        assert_eq!(runs.count_at("a", start + EACH), Err(TooMany { wait: EACH }), "what is refused costs nothing");
        let later = start + 2 * PERIOD;
        for _ in 0..10 {
            assert_eq!(runs.count_at("a", later), Ok(()));
        }
        assert!(runs.count_at("a", later).is_err(), "no more is saved up than an allowance");
        assert_eq!(DryRuns::new(0).count("a"), Err(TooMany { wait: PERIOD }));
    }

    /// Memory is bounded by forgetting who has paid.
    #[test]
    fn callers_are_forgotten() {
        let (runs, start) = (DryRuns::new(10), Instant::now());
        for n in 0..MAX_CALLERS {
            assert_eq!(runs.count_at(&n.to_string(), start), Ok(()));
        }
        assert_eq!(runs.count_at("new", start), Err(TooMany { wait: EACH }));
        assert_eq!(runs.count_at("7", start), Ok(()), "who is known goes on");
        assert_eq!(runs.count_at("new", start + EACH), Ok(()));
        assert_eq!(runs.paid.lock().expect("no panic").len(), 2);
    }
}
