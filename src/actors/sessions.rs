//! Owns the sessions.

use super::{Apply, Freeze, Install, NextDeath};
use crate::views::Views;
use actix::{Actor, Context, Handler, MessageResult};
use quorate_raft::{
    Sessions,
    owners::Task,
    sessions::{SessionChange, SessionCommand},
};
use std::sync::Arc;

/// The state, and where it is published.
pub struct SessionsOwner {
    state: Sessions,
    views: Arc<Views>,
    next: NextDeath,
}

impl SessionsOwner {
    pub(super) fn new(views: Arc<Views>, next: NextDeath) -> Self {
        Self { state: Sessions::default(), views, next }
    }

    fn publish(&self, changed: impl IntoIterator<Item = SessionChange>) {
        let view = self.views.sessions.pin();
        for (hash, session) in changed {
            match session {
                Some(session) => drop(view.insert(hash, session)),
                None => drop(view.remove(&hash)),
            }
        }
        self.next.set(self.state.next_death());
    }
}

impl Actor for SessionsOwner {
    type Context = Context<Self>;
}

impl Handler<Apply<SessionCommand>> for SessionsOwner {
    type Result = MessageResult<Apply<SessionCommand>>;

    fn handle(&mut self, Apply(tasks): Apply<SessionCommand>, _: &mut Self::Context) -> Self::Result {
        let mut changed = Vec::with_capacity(tasks.len());
        let mut outcomes = Vec::with_capacity(tasks.len());
        for task in tasks {
            match task {
                Task::Tick(at) => self.state.advance(at, &mut changed),
                Task::Do(place, committed) => outcomes.push((place, self.state.apply(committed, &mut changed))),
            }
        }
        self.publish(changed);
        MessageResult(outcomes)
    }
}

impl Handler<Freeze<Sessions>> for SessionsOwner {
    type Result = MessageResult<Freeze<Sessions>>;

    fn handle(&mut self, _: Freeze<Sessions>, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.frozen())
    }
}

impl Handler<Install<Sessions>> for SessionsOwner {
    type Result = ();

    fn handle(&mut self, Install(state): Install<Sessions>, _: &mut Self::Context) {
        let gone = std::mem::replace(&mut self.state, state);
        let fresh: Vec<SessionChange> = gone
            .live()
            .iter()
            .filter(|(hash, _)| self.state.live().get(hash).is_none())
            .map(|(hash, _)| (*hash, None))
            .chain(self.state.live().iter().map(|(hash, session)| (*hash, Some(session.clone()))))
            .collect();
        self.publish(fresh);
    }
}
