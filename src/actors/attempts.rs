//! What readers are told of failed attempts: every counter.

use super::owner::{Published, replaced};
use crate::views::Views;
use quorate_raft::{Attempts, attempts::AttemptChange};

impl Published for Attempts {
    fn publish(changed: Vec<AttemptChange>, views: &Views) {
        let view = views.attempts.pin();
        let mut paused = false;
        for (key, counter) in changed {
            paused |= counter.is_some_and(|counter| counter.paused);
            match counter {
                Some(counter) => drop(view.insert(key, counter)),
                None => drop(view.remove(&key)),
            }
        }
        if paused {
            views.documents_changed(); // answers that rest on there being no pause
        }
    }

    fn instead_of(&self, gone: &Self) -> Vec<AttemptChange> {
        let (old, now) = (gone.counters().iter(), self.counters());
        let all = now.iter().map(|(key, counter)| (*key, *counter));
        replaced(old.map(|(key, _)| *key), |key| now.get(key).is_some(), all).collect()
    }
}
