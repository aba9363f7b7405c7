//! Owns the documents.

use super::{Freeze, Install, NextDeath, policy_sets};
use crate::views::{Entry, Views};
use actix::{Actor, Context, Handler, Message, MessageResult};
use quorate_raft::{
    Document, Documents, Kind, Outcome, RealmPath,
    documents::{DocumentChange, DocumentCommand},
    owners::{Owned, Task, run},
};
use std::{collections::BTreeMap, sync::Arc};

/// From the log: what was committed, in order.
#[derive(Message)]
#[rtype(result = "Applied")]
pub struct ApplyDocuments(pub Vec<Task<DocumentCommand>>);

/// The answers, and the changes that concern policy sets.
pub struct Applied {
    /// By place in the batch.
    pub outcomes: Vec<(usize, Outcome)>,
    /// Whether any document changed.
    pub changed: bool,
    /// For [`policy_sets::PolicySetsOwner`].
    pub policy: Vec<DocumentChange>,
}

/// A collection as it is between two applies: shared, not copied.
pub type Collection = Arc<BTreeMap<Arc<str>, Arc<Document>>>;

/// From a handler: all documents of a kind in a realm.
#[derive(Message)]
#[rtype(result = "Collection")]
pub struct Collect {
    /// The realm.
    pub realm: RealmPath,
    /// The kind.
    pub kind: Kind,
}

/// The state, and where it is published.
pub struct DocumentsOwner {
    state: Documents,
    views: Arc<Views>,
    next: NextDeath,
}

impl DocumentsOwner {
    pub(super) fn new(views: Arc<Views>, next: NextDeath) -> Self {
        Self { state: Documents::default(), views, next }
    }

    fn publish(&self, changed: impl IntoIterator<Item = DocumentChange>) {
        let view = self.views.documents.pin();
        for (key, document) in changed {
            let now = document.map(|document| Arc::new(Entry::new(document)));
            if key.kind == Kind::Realm {
                let before = view.get(&key).map(|entry| entry.json());
                self.views.realms.changed(&key.id, before, now.as_ref().map(|entry| entry.json()));
            }
            match now {
                Some(entry) => drop(view.insert(key, entry)),
                None => drop(view.remove(&key)),
            }
        }
        self.next.set(self.state.next_death());
    }
}

impl Actor for DocumentsOwner {
    type Context = Context<Self>;
}

impl Handler<ApplyDocuments> for DocumentsOwner {
    type Result = MessageResult<ApplyDocuments>;

    fn handle(&mut self, ApplyDocuments(tasks): ApplyDocuments, _: &mut Self::Context) -> Self::Result {
        let mut changed = Vec::new();
        let outcomes = run(&mut self.state, tasks, &mut changed);
        let policy = changed.iter().filter(|(key, _)| policy_sets::concerns(key)).cloned().collect();
        let any = !changed.is_empty();
        self.publish(changed);
        MessageResult(Applied { outcomes, changed: any, policy })
    }
}

impl Handler<Collect> for DocumentsOwner {
    type Result = MessageResult<Collect>;

    fn handle(&mut self, Collect { realm, kind }: Collect, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.collection(&realm, kind))
    }
}

impl Handler<Freeze<Documents>> for DocumentsOwner {
    type Result = MessageResult<Freeze<Documents>>;

    fn handle(&mut self, _: Freeze<Documents>, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.frozen())
    }
}

impl Handler<Install<Documents>> for DocumentsOwner {
    type Result = ();

    fn handle(&mut self, Install(state): Install<Documents>, _: &mut Self::Context) {
        let gone = std::mem::replace(&mut self.state, state);
        let lost = gone.iter().filter(|(key, _)| self.state.get(key).is_none());
        let fresh: Vec<DocumentChange> = lost.map(|(key, _)| (key, None)).chain(self.state.iter()).collect();
        self.publish(fresh);
    }
}
