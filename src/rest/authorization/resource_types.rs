//! `resourcetypes` (authorization.md §2.2).

use super::{created, modified, object};
use crate::{
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Version, pointer::Names,
    },
    desk::{WriteError, delete, put},
    policy::{self, model::ResourceType},
};
use quorate_raft::{DocumentKey, Kind, Precondition, Refusal};
use serde_json::Value;

/// The collection.
pub struct ResourceTypes;

fn key(call: &Call<'_>, uuid: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::ResourceType, uuid)
}

fn unknown(call: &Call<'_>, uuid: &str) -> Error {
    policy::Error::ResourceTypeUnknown { uuid: uuid.to_owned(), realm: call.realm.to_string() }.into()
}

/// A resource type by its uuid.
pub(super) fn find(call: &Call<'_>, uuid: &str) -> Option<ResourceType> {
    let entry = call.desk.document(call.realm, Kind::ResourceType, uuid)?;
    ResourceType::from_stored(entry.json()).ok()
}

/// Names are unique in a realm, whatever their letter case.
async fn name_is_free(call: &Call<'_>, wanted: &ResourceType) -> Result<(), Error> {
    let name = wanted.name.to_lowercase();
    let taken = call.collect(Kind::ResourceType).await?.iter().any(|(uuid, _, stored)| {
        **uuid != *wanted.uuid
            && stored.get("name").and_then(Value::as_str).is_some_and(|other| other.to_lowercase() == name)
    });
    if taken { Err(policy::Error::ResourceTypeExists(wanted.name.clone()).into()) } else { Ok(()) }
}

/// A resource type has no revision (§2.1.5).
fn item(stored: &ResourceType) -> Item {
    Item::new(stored.uuid.clone(), None, object(stored.to_json()))
}

impl Resource for ResourceTypes {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let body = Value::Object(create.content.clone());
        let fresh = uuid::Uuid::new_v4().to_string();
        let made = match create.id {
            Some(uuid) => ResourceType::put(&body, uuid, created(call)?)?,
            None => ResourceType::create(&body, &fresh, created(call)?)?,
        };
        name_is_free(call, &made).await?;
        let write = put(key(call, &made.uuid), Precondition::Absent, &made.to_json(), vec![], false);
        let taken = policy::Error::ResourceTypeExists(made.uuid.clone()).message();
        call.write(write).await.map_err(|error| create.refused(call, error, &taken))?;
        Ok(item(&made))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        find(call, id).map(|found| item(&found)).ok_or_else(|| unknown(call, id))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, _: &Match) -> Result<Item, Error> {
        let former = find(call, id).ok_or_else(|| unknown(call, id))?;
        let made = ResourceType::put(&Value::Object(content.clone()), id, modified(call, &former.audit)?)?;
        name_is_free(call, &made).await?;
        let write = put(key(call, id), Precondition::Present, &made.to_json(), vec![], false);
        match call.write(write).await {
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(unknown(call, id)),
            other => other.map(|_| item(&made)).map_err(Error::from),
        }
    }

    async fn delete(&self, call: &Call<'_>, id: &str, _: &Match) -> Result<Item, Error> {
        match call.write(delete(key(call, id), Precondition::Present)).await {
            Ok(_) => Ok(Item { id: id.to_owned(), revision: Some("0".to_owned()), content: Object::new() }),
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(unknown(call, id)),
            Err(WriteError::Refused(Refusal::Referenced { .. })) => {
                Err(policy::Error::ResourceTypeInUse(id.to_owned()).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = call.collect(Kind::ResourceType).await?;
        let items = all.into_iter().map(|(uuid, _, stored)| Item::new(&*uuid, None, stored));
        query.answer(items, Names::Exact, Totals::Remaining)
    }
}
