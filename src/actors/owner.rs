//! An owner of replicated state as an actor: the same for every part of the state, but for what its readers are told.

use super::{Apply, Freeze, Install, NextDeath};
use crate::views::Views;
use actix::{Actor, Context, Handler, MessageResult};
use quorate_raft::owners::{Owned, run};
use std::sync::Arc;

/// State that is published to [`Views`].
pub trait Published: Owned<Command: 'static> + Unpin + 'static {
    /// Shows readers what changed.
    fn publish(changed: Vec<Self::Change>, views: &Views);

    /// What readers of `gone` have to be told when this takes its place: what it lacks, then all that it has. Nothing that is
    /// in both is withdrawn, so that no reader misses it.
    fn instead_of(&self, gone: &Self) -> Vec<Self::Change>;
}

/// The state, and where it is published. Nobody else holds a reference to the state.
pub struct Owner<S> {
    state: S,
    views: Arc<Views>,
    next: NextDeath,
}

impl<S: Published> Owner<S> {
    pub(super) fn new(views: Arc<Views>, next: NextDeath) -> Self {
        Self { state: S::default(), views, next }
    }

    /// For messages that only read.
    pub(super) fn state(&self) -> &S {
        &self.state
    }

    fn publish(&self, changed: Vec<S::Change>) {
        S::publish(changed, &self.views);
        self.next.set(self.state.next_death());
    }
}

/// What was in `gone` and is not now, then what is.
pub(super) fn replaced<K, V>(
    gone: impl Iterator<Item = K>,
    is_now: impl Fn(&K) -> bool,
    now: impl Iterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, Option<V>)> {
    let lost = gone.filter(move |key| !is_now(key)).map(|key| (key, None));
    lost.chain(now.map(|(key, value)| (key, Some(value))))
}

impl<S: Published> Actor for Owner<S> {
    type Context = Context<Self>;
}

impl<S: Published> Handler<Apply<S::Command>> for Owner<S> {
    type Result = MessageResult<Apply<S::Command>>;

    fn handle(&mut self, Apply(tasks): Apply<S::Command>, _: &mut Self::Context) -> Self::Result {
        let mut changed = Vec::with_capacity(tasks.len());
        let outcomes = run(&mut self.state, tasks, &mut changed);
        self.publish(changed);
        MessageResult(outcomes)
    }
}

impl<S: Published> Handler<Freeze<S>> for Owner<S> {
    type Result = MessageResult<Freeze<S>>;

    fn handle(&mut self, _: Freeze<S>, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.frozen())
    }
}

impl<S: Published> Handler<Install<S>> for Owner<S> {
    type Result = ();

    fn handle(&mut self, Install(state): Install<S>, _: &mut Self::Context) {
        let gone = std::mem::replace(&mut self.state, state);
        self.publish(self.state.instead_of(&gone));
    }
}
