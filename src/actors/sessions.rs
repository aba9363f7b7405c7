//! What readers are told of sessions: the live ones; and listings of them, which only the owner's indexes can give.

use super::owner::{Owner, Published, replaced};
use crate::views::Views;
use actix::{Handler, Message, MessageResult};
use quorate_raft::{DocumentKey, RealmPath, Session, Sessions, TokenHash, sessions::SessionChange};
use std::sync::Arc;

impl Published for Sessions {
    fn publish(changed: Vec<SessionChange>, views: &Views) {
        let view = views.sessions.pin();
        for (hash, session) in changed {
            match session {
                Some(session) => drop(view.insert(hash, session)),
                None => {
                    if let Some(session) = view.remove(&hash) {
                        views.session_ended(session);
                    }
                }
            }
        }
    }

    fn instead_of(&self, gone: &Self) -> Vec<SessionChange> {
        let (old, now) = (gone.live().iter(), self.live());
        let all = now.iter().map(|(hash, session)| (*hash, session.clone()));
        replaced(old.map(|(hash, _)| *hash), |hash| now.get(hash).is_some(), all).collect()
    }
}

/// Whose sessions are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A user's or an agent's.
    Subject(DocumentKey),
    /// Those of all subjects of a realm.
    Realm(RealmPath),
}

/// Sessions with where they are found.
pub type Listed = Vec<(TokenHash, Arc<Session>)>;

/// Lists live sessions: costs what it finds, however many others there are.
#[derive(Message)]
#[rtype(result = "Listed")]
pub struct ListSessions {
    /// Of whom.
    pub whose: Whose,
    /// Most of them.
    pub most: usize,
}

impl Handler<ListSessions> for Owner<Sessions> {
    type Result = MessageResult<ListSessions>;

    fn handle(&mut self, ListSessions { whose, most }: ListSessions, _: &mut Self::Context) -> Self::Result {
        fn copies<'s>(found: impl Iterator<Item = (&'s TokenHash, &'s Arc<Session>)>, most: usize) -> Listed {
            found.take(most).map(|(hash, session)| (*hash, session.clone())).collect()
        }
        MessageResult(match whose {
            Whose::Subject(subject) => copies(self.state().of_subject(&subject), most),
            Whose::Realm(realm) => copies(self.state().of_realm(&realm), most),
        })
    }
}
