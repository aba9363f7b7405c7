//! `/json/global-config/secrets/stores`: the keys of the cluster as a secret store, and which label uses which of them
//! (oauth2-config.md §16; ADR 18).
//!
//! | it says                                                     | here                               |
//! |-------------------------------------------------------------|------------------------------------|
//! | stores by type                                              | [`AllStores`], [`KeyStores`]       |
//! | `…/{type}/{store}/mappings/{label}`: `secretId`, `aliases`  | [`LabelMappings`]                  |
//! | first alias active, all valid                               | [`mod@crate::keys::ring`]              |
//! | realm stores come before the global one                     | none can be made: [`RealmStores`]  |
//!
//! There is one store, and it is always there. Its aliases name keys that the cluster generated: none comes in, and nothing
//! private goes out. To rotate, map a label to a new alias, followed by the old one; the key behind a new alias is made then.
//! Later, map it to the new alias alone: what the old key signed is no longer valid, on any node, once that is answered.

mod mappings;

pub use mappings::LabelMappings;

use super::{Routes, Scope, agents::tag};
use crate::{
    crest::{
        Call, Description, Error, Item, Listing, Object, Operation, Query, Resource, Returned, Shape, Totals, Version,
        pointer::Names,
    },
    keys::{self, KeyError, RING},
    views::Entry,
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::{Value, json};
use std::sync::Arc;

/// The type of the store.
const STORE_TYPE: &str = "KeyStoreSecretStore";

/// Its id.
const STORE: &str = "default-keystore";

/// Stores of the cluster, of all types.
pub struct AllStores;

/// Stores of a realm: none.
pub struct RealmStores;

/// The stores of the one type.
pub struct KeyStores;

/// Adds the store to `routes`.
pub fn routes(routes: Routes) -> Routes {
    routes
        .resource(Scope::Realm, "realm-config/secrets/stores", RealmStores)
        .resource(Scope::Global, "global-config/secrets/stores", AllStores)
        .resource(Scope::Global, "global-config/secrets/stores/KeyStoreSecretStore", KeyStores)
        .resource(
            Scope::Global,
            "global-config/secrets/stores/KeyStoreSecretStore/default-keystore/mappings",
            LabelMappings,
        )
}

fn marker() -> Value {
    json!({"_id": STORE_TYPE, "name": "Keystore", "collection": true})
}

fn ring_key() -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::Keys, RING)
}

/// The stored ring.
fn ring(call: &Call<'_>) -> Result<Arc<Entry>, Error> {
    call.desk.views().entry(&ring_key()).ok_or_else(|| unusable(&KeyError::Missing))
}

/// This node cannot use the keys: nobody's request is at fault, and what is wrong stands in the log.
fn unusable(error: &KeyError) -> Error {
    tracing::error!(%error, "the secret store is not usable");
    Error::plain(500)
}

/// The store as it is shown: public facts about its keys.
fn store(call: &Call<'_>) -> Result<Item, Error> {
    let ring = keys::ring(call.desk).map_err(|error| unusable(&error))?;
    let keys: Vec<Value> =
        ring.iter().map(|key| json!({"alias": key.alias, "kid": key.kid, "alg": key.algorithm.name()})).collect();
    let content = json!({"storetype": "QUORATE", "keys": keys, "_type": marker()});
    let content = content.as_object().cloned().unwrap_or_default();
    let tag = tag(Value::Object(content.clone()).to_string().as_bytes(), None);
    Ok(Item { id: STORE.to_owned(), revision: Some(tag), content })
}

fn types(call: &str, stores: Vec<Value>) -> Result<Returned, Error> {
    match call {
        "getAllTypes" => Ok(json!({"result": [marker()]}).into()),
        // The store that there is cannot be made again.
        "getCreatableTypes" => Ok(json!({"result": []}).into()),
        "nextdescendents" => Ok(json!({"result": stores}).into()),
        name => Err(Error::unsupported_action(name)),
    }
}

impl Resource for AllStores {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer([store(call)?], Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        types(name, vec![store(call)?.whole()])
    }
}

impl Resource for RealmStores {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    async fn query(&self, _: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer([], Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getAllTypes" => Ok(json!({"result": []}).into()),
            other => types(other, Vec::new()),
        }
    }
}

impl Resource for KeyStores {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection).can([Operation::Read, Operation::Query])
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        if id == STORE { store(call) } else { Err(Error::not_found()) }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer([store(call)?], Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "getType") => Ok(marker().into()),
            (None, "schema") => Ok(json!({"type": "object", "properties": {
                "storetype": {"title": "Store type", "type": "string", "readOnly": true, "propertyOrder": 100},
                "keys": {"title": "Keys", "type": "array", "readOnly": true, "propertyOrder": 200,
                    "items": {"type": "object"}},
            }})
            .into()),
            (Some(STORE), "nextdescendents") => {
                let mappings = mappings::all(&*ring(call)?);
                Ok(json!({"result": mappings.iter().map(Item::whole).collect::<Vec<_>>()}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

#[cfg(test)]
mod tests;
