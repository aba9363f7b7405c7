//! Owns the compiled policy sets: an index per set, which decisions read. A change replaces the index as a whole, so that no
//! decision sees half of it; indexes share the policies that did not change.

use super::Install;
use crate::{
    policy::{
        PolicySetIndex,
        model::{Policy, PolicySet},
    },
    views::Views,
};
use actix::{Actor, Context, Handler, Message};
use quorate_raft::{Document, DocumentKey, Kind, RealmPath, documents::DocumentChange};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// From the documents' owner: what changed, in order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Changed(pub Vec<DocumentChange>);

/// Whether policy sets are compiled from such a document.
pub fn concerns(key: &DocumentKey) -> bool {
    matches!(key.kind, Kind::PolicySet | Kind::Policy)
}

/// The compiled sets, and where they are published.
pub struct PolicySetsOwner {
    realms: BTreeMap<RealmPath, Realm>,
    views: Arc<Views>,
}

/// Sets and policies of one realm, by the ids of their documents.
#[derive(Default)]
struct Realm {
    sets: BTreeMap<Arc<str>, Arc<PolicySetIndex>>,
    policies: BTreeMap<Arc<str>, Arc<Policy>>,
}

/// Nothing is stored that was not rendered from the model; what cannot be read back all the same grants nothing.
fn read<T>(
    key: &DocumentKey,
    document: &Document,
    from_stored: impl Fn(&Value) -> Result<T, crate::policy::Error>,
) -> Option<T> {
    let json = serde_json::from_slice(&document.body).unwrap_or(Value::Null);
    from_stored(&json)
        .inspect_err(
            |error| tracing::error!(realm = %key.realm, id = %key.id, %error, "a stored policy document is left out"),
        )
        .ok()
}

impl PolicySetsOwner {
    pub(super) fn new(views: Arc<Views>) -> Self {
        Self { realms: BTreeMap::new(), views }
    }

    fn change(&mut self, (key, document): DocumentChange) {
        let realm = self.realms.entry(key.realm.clone()).or_default();
        match key.kind {
            Kind::PolicySet => {
                let set = document.and_then(|document| read(&key, &document, PolicySet::from_stored));
                realm.set(&key.id, set.as_ref());
                self.publish(&key.realm, &key.id);
            }
            Kind::Policy => {
                let policy = document.and_then(|document| read(&key, &document, Policy::from_stored));
                for set in realm.policy(&key.id, policy.map(Arc::new)) {
                    self.publish(&key.realm, &set);
                }
            }
            _ => {}
        }
    }

    fn publish(&self, realm: &RealmPath, set: &Arc<str>) {
        let view = self.views.policy_sets.pin();
        let place = (realm.clone(), set.clone());
        match self.realms.get(realm).and_then(|realm| realm.sets.get(set)) {
            Some(index) => drop(view.insert(place, index.clone())),
            None => drop(view.remove(&place)),
        }
    }
}

impl Realm {
    /// A set came, changed or went: its index is made anew from the realm's policies.
    fn set(&mut self, id: &Arc<str>, set: Option<&PolicySet>) {
        match set {
            None => drop(self.sets.remove(id)),
            Some(set) => {
                let mut index = PolicySetIndex::new(set);
                for policy in self.policies.values() {
                    index.upsert(policy.clone());
                }
                self.sets.insert(id.clone(), Arc::new(index));
            }
        }
    }

    /// A policy came, changed or went: only the indexes of the sets it is or was in change. Returns their ids.
    fn policy(&mut self, id: &Arc<str>, policy: Option<Arc<Policy>>) -> Vec<Arc<str>> {
        let former = match &policy {
            Some(policy) => self.policies.insert(id.clone(), policy.clone()),
            None => self.policies.remove(id),
        };
        let set_of = |policy: &Arc<Policy>| set_id(&policy.application_name);
        let mut touched: Vec<Arc<str>> = former.iter().chain(&policy).map(set_of).collect();
        touched.dedup();
        for set in &touched {
            if let Some(index) = self.sets.get_mut(set) {
                let index = Arc::make_mut(index);
                if let Some(former) = &former {
                    index.remove(&former.name);
                }
                if let Some(policy) = &policy {
                    index.upsert(policy.clone());
                }
            }
        }
        touched
    }
}

/// The id of a policy set's document: letter case does not count in its name.
pub fn set_id(name: &str) -> Arc<str> {
    name.to_lowercase().into()
}

impl Actor for PolicySetsOwner {
    type Context = Context<Self>;
}

impl Handler<Changed> for PolicySetsOwner {
    type Result = ();

    fn handle(&mut self, Changed(changes): Changed, _: &mut Self::Context) {
        changes.into_iter().for_each(|change| self.change(change));
    }
}

impl Handler<Install<Vec<DocumentChange>>> for PolicySetsOwner {
    type Result = ();

    /// Policies first, then sets, so that each index is made once.
    fn handle(&mut self, Install(mut documents): Install<Vec<DocumentChange>>, _: &mut Self::Context) {
        let gone = std::mem::take(&mut self.realms);
        documents.sort_by_key(|(key, _)| key.kind != Kind::Policy);
        documents.into_iter().for_each(|change| self.change(change));
        for (path, realm) in gone {
            for set in realm.sets.keys() {
                self.publish(&path, set);
            }
        }
    }
}
