//! Owns the documents.

use super::{Freeze, Install, NextDeath, policy_sets};
use crate::views::{Entry, Ordered, Views};
use actix::{Actor, Context, Handler, Message, MessageResult};
use quorate_raft::{
    Documents, Kind, Outcome, RealmPath,
    documents::{DocumentChange, DocumentCommand},
    owners::{Owned, Task, run},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

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

/// The state, and where it is published.
pub struct DocumentsOwner {
    state: Documents,
    views: Arc<Views>,
    next: NextDeath,
    /// What is published in [`Views::collections`], to be changed further.
    collections: HashMap<(RealmPath, Kind), Ordered>,
}

impl DocumentsOwner {
    pub(super) fn new(views: Arc<Views>, next: NextDeath) -> Self {
        Self { state: Documents::default(), views, next, collections: HashMap::new() }
    }

    fn publish(&mut self, changed: impl IntoIterator<Item = DocumentChange>) {
        let view = self.views.documents.pin();
        let mut touched = HashSet::new();
        for (key, document) in changed {
            let now = document.map(|document| Arc::new(Entry::new(document)));
            let former = match &now {
                Some(entry) => view.insert(key.clone(), entry.clone()).cloned(),
                None => view.remove(&key).cloned(),
            };
            if key.kind == Kind::Realm {
                self.views.realms.changed(&key.id, former.as_deref().map(Entry::json), now.as_deref().map(Entry::json));
            }
            if key.kind == Kind::Group {
                self.views.memberships.follow(&key, former.as_deref(), now.as_deref());
            }
            let place = (key.realm, key.kind);
            let collection = self.collections.entry(place.clone()).or_default();
            match key.kind {
                Kind::User => collection.set_searched(&key.id, now),
                _ => collection.set(&key.id, now),
            }
            touched.insert(place);
        }
        // Once for all changes: until then readers share nothing that changes.
        let collections = self.views.collections.pin();
        for place in touched {
            match self.collections.get(&place).filter(|collection| !collection.is_empty()).cloned() {
                Some(collection) => drop(collections.insert(place, collection)),
                None => {
                    self.collections.remove(&place);
                    collections.remove(&place);
                }
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
