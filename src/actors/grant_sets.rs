//! Owns one shard of grant sets.

use super::{Apply, Freeze, Install, NextDeath};
use crate::views::Views;
use actix::{Actor, Context, Handler, MessageResult};
use quorate_raft::{
    GrantSets,
    grant_sets::{GrantChange, GrantCommand},
    owners::Task,
};
use std::sync::Arc;

/// One shard: the state, and where it is published. Nobody else holds a reference to the state.
pub struct GrantSetsOwner {
    state: GrantSets,
    views: Arc<Views>,
    next: NextDeath,
}

impl GrantSetsOwner {
    pub(super) fn new(views: Arc<Views>, next: NextDeath) -> Self {
        Self { state: GrantSets::default(), views, next }
    }

    fn publish(&self, changed: Vec<GrantChange>) {
        let access = self.views.access.pin();
        let codes = self.views.codes.pin();
        let revoked = self.views.revoked.pin();
        for change in changed {
            match change {
                GrantChange::Access(hash, Some(token)) => drop(access.insert(hash, token)),
                GrantChange::Access(hash, None) => drop(access.remove(&hash)),
                GrantChange::Code(hash, Some(code)) => drop(codes.insert(hash, code)),
                GrantChange::Code(hash, None) => drop(codes.remove(&hash)),
                GrantChange::Grant(grant, Some(until)) => drop(revoked.insert(grant, until)),
                GrantChange::Grant(grant, None) => drop(revoked.remove(&grant)),
            }
        }
        self.next.set(self.state.next_death());
    }
}

impl Actor for GrantSetsOwner {
    type Context = Context<Self>;
}

impl Handler<Apply<GrantCommand>> for GrantSetsOwner {
    type Result = MessageResult<Apply<GrantCommand>>;

    fn handle(&mut self, Apply(tasks): Apply<GrantCommand>, _: &mut Self::Context) -> Self::Result {
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

impl Handler<Freeze<GrantSets>> for GrantSetsOwner {
    type Result = MessageResult<Freeze<GrantSets>>;

    fn handle(&mut self, _: Freeze<GrantSets>, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.frozen())
    }
}

impl Handler<Install<GrantSets>> for GrantSetsOwner {
    type Result = ();

    fn handle(&mut self, Install(state): Install<GrantSets>, _: &mut Self::Context) {
        let gone = std::mem::replace(&mut self.state, state);
        let state = &self.state;
        let mut changed: Vec<GrantChange> = Vec::new();
        // Only what the new state lacks is withdrawn, so that no reader misses a token that lives in both.
        let lost = gone.access().iter().filter(|(hash, _)| state.access().get(hash).is_none());
        changed.extend(lost.map(|(hash, _)| GrantChange::Access(*hash, None)));
        let lost = gone.codes().iter().filter(|(hash, _)| state.codes().get(hash).is_none());
        changed.extend(lost.map(|(hash, _)| GrantChange::Code(*hash, None)));
        let lost = gone.revoked().keys().filter(|grant| !state.revoked().contains_key(grant));
        changed.extend(lost.map(|grant| GrantChange::Grant(*grant, None)));
        changed.extend(state.access().iter().map(|(hash, token)| GrantChange::Access(*hash, Some(token.clone()))));
        changed.extend(state.codes().iter().map(|(hash, code)| GrantChange::Code(*hash, Some(code.clone()))));
        changed.extend(state.revoked().iter().map(|(grant, until)| GrantChange::Grant(*grant, Some(*until))));
        self.publish(changed);
    }
}
