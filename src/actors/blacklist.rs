//! What readers are told of the blacklist of client-based tokens.

use super::owner::{Published, replaced};
use crate::views::Views;
use quorate_raft::{Blacklist, blacklist::BlacklistChange};

impl Published for Blacklist {
    fn publish(changed: Vec<BlacklistChange>, views: &Views) {
        let view = views.blacklist.pin();
        for (jti, until) in changed {
            match until {
                Some(until) => drop(view.insert(jti, until)),
                None => drop(view.remove(&jti)),
            }
        }
    }

    fn instead_of(&self, gone: &Self) -> Vec<BlacklistChange> {
        let (old, now) = (gone.entries().iter(), self.entries());
        replaced(old.map(|(jti, _)| *jti), |jti| now.get(jti).is_some(), now.iter().map(|(k, v)| (*k, *v))).collect()
    }
}
