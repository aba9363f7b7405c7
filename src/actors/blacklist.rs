//! Owns the blacklist of client-based tokens.

use super::{Apply, Freeze, Install, NextDeath};
use crate::views::Views;
use actix::{Actor, Context, Handler, MessageResult};
use quorate_raft::{
    Blacklist,
    blacklist::{BlacklistChange, BlacklistJti},
    owners::Task,
};
use std::sync::Arc;

/// The state, and where it is published.
pub struct BlacklistOwner {
    state: Blacklist,
    views: Arc<Views>,
    next: NextDeath,
}

impl BlacklistOwner {
    pub(super) fn new(views: Arc<Views>, next: NextDeath) -> Self {
        Self { state: Blacklist::default(), views, next }
    }

    fn publish(&self, changed: impl IntoIterator<Item = BlacklistChange>) {
        let view = self.views.blacklist.pin();
        for (jti, until) in changed {
            match until {
                Some(until) => drop(view.insert(jti, until)),
                None => drop(view.remove(&jti)),
            }
        }
        self.next.set(self.state.next_death());
    }
}

impl Actor for BlacklistOwner {
    type Context = Context<Self>;
}

impl Handler<Apply<BlacklistJti>> for BlacklistOwner {
    type Result = MessageResult<Apply<BlacklistJti>>;

    fn handle(&mut self, Apply(tasks): Apply<BlacklistJti>, _: &mut Self::Context) -> Self::Result {
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

impl Handler<Freeze<Blacklist>> for BlacklistOwner {
    type Result = MessageResult<Freeze<Blacklist>>;

    fn handle(&mut self, _: Freeze<Blacklist>, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.frozen())
    }
}

impl Handler<Install<Blacklist>> for BlacklistOwner {
    type Result = ();

    fn handle(&mut self, Install(state): Install<Blacklist>, _: &mut Self::Context) {
        let gone = std::mem::replace(&mut self.state, state);
        let fresh: Vec<BlacklistChange> = gone
            .entries()
            .iter()
            .filter(|(jti, _)| self.state.entries().get(jti).is_none())
            .map(|(jti, _)| (*jti, None))
            .chain(self.state.entries().iter().map(|(jti, until)| (*jti, Some(*until))))
            .collect();
        self.publish(fresh);
    }
}
