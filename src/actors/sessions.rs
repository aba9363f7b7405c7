//! What readers are told of sessions: the live ones.

use super::owner::{Published, replaced};
use crate::views::Views;
use quorate_raft::{Sessions, sessions::SessionChange};

impl Published for Sessions {
    fn publish(changed: Vec<SessionChange>, views: &Views) {
        let view = views.sessions.pin();
        for (hash, session) in changed {
            match session {
                Some(session) => drop(view.insert(hash, session)),
                None => drop(view.remove(&hash)),
            }
        }
    }

    fn instead_of(&self, gone: &Self) -> Vec<SessionChange> {
        let (old, now) = (gone.live().iter(), self.live());
        let all = now.iter().map(|(hash, session)| (*hash, session.clone()));
        replaced(old.map(|(hash, _)| *hash), |hash| now.get(hash).is_some(), all).collect()
    }
}
