//! `resourcetypes` (authorization.md §2.2).
//!
//! | reference | it says                                                        | here              |
//! |-----------|----------------------------------------------------------------|-------------------|
//! | §2.1.5    | no revision; on a read of one the current time                 | [`Resource::read`] |
//! | §2.2.1    | the name is unique in the realm, letter case ignored           | `name_is_free`    |
//! | §2.2.3    | the query                                                      | [`filter`]        |
//! | §2.2.4    | errors                                                         | every operation   |

use super::{created, filter, modified, object};
use crate::{
    crest::{Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Version},
    desk::{WriteError, delete, put},
    policy::{self, model::ResourceType},
    privileges::Endpoint,
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Write};
use serde_json::Value;

/// The collection.
pub struct ResourceTypes;

fn key(call: &Call<'_>, uuid: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::ResourceType, uuid)
}

fn unknown(call: &Call<'_>, uuid: &str) -> Error {
    policy::Error::ResourceTypeUnknown { uuid: uuid.to_owned(), realm: call.realm.to_string() }.into()
}

/// A resource type of any realm.
pub(super) fn find_in(call: &Call<'_>, realm: &RealmPath, uuid: &str) -> Option<ResourceType> {
    let entry = call.desk.document(realm, Kind::ResourceType, uuid)?;
    ResourceType::from_stored(entry.json()).ok()
}

/// A resource type by its uuid.
pub(super) fn find(call: &Call<'_>, uuid: &str) -> Option<ResourceType> {
    find_in(call, call.realm, uuid)
}

/// All of the realm.
pub(super) async fn all(call: &Call<'_>) -> Result<Vec<ResourceType>, Error> {
    let stored = call.collect(Kind::ResourceType).await?;
    Ok(stored.into_iter().filter_map(|(_, _, body)| ResourceType::from_stored(&Value::Object(body)).ok()).collect())
}

/// To store one.
pub(super) fn write(call: &Call<'_>, of_type: &ResourceType, when: Precondition) -> Write {
    put(key(call, &of_type.uuid), when, &of_type.to_json(), Vec::new(), false)
}

/// Names are unique in a realm, whatever their letter case.
async fn name_is_free(call: &Call<'_>, wanted: &ResourceType) -> Result<(), Error> {
    let name = wanted.name.to_lowercase();
    let taken = |other: &ResourceType| other.uuid != wanted.uuid && other.name.to_lowercase() == name;
    match all(call).await?.iter().any(taken) {
        true => Err(policy::Error::ResourceTypeExists(wanted.name.clone()).into()),
        false => Ok(()),
    }
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

    fn endpoint(&self) -> Endpoint {
        Endpoint::ResourceTypes
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let body = Value::Object(create.content.clone());
        let fresh = uuid::Uuid::new_v4().to_string();
        let taken = |uuid: &str| policy::Error::ResourceTypeExists(uuid.to_owned()).message();
        if let Some(uuid) = create.id.filter(|uuid| find(call, uuid).is_some()) {
            return Err(create.taken(call, taken(uuid)));
        }
        let made = match create.id {
            Some(uuid) => ResourceType::put(&body, uuid, created(call)?)?,
            None => ResourceType::create(&body, &fresh, created(call)?)?,
        };
        if find(call, &made.uuid).is_none() {
            name_is_free(call, &made).await?;
        }
        let write = write(call, &made, Precondition::Absent);
        call.write(write).await.map_err(|error| create.refused(call, error, &taken(&made.uuid)))?;
        Ok(item(&made))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let found = find(call, id).ok_or_else(|| unknown(call, id))?;
        Ok(Item { revision: Some(super::now().to_string()), ..item(&found) })
    }

    /// There is no revision that a caller could insist on.
    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, _: &Match) -> Result<Item, Error> {
        let former = find(call, id).ok_or_else(|| unknown(call, id))?;
        let made = ResourceType::put(&Value::Object(content.clone()), id, modified(call, &former.audit)?)?;
        name_is_free(call, &made).await?;
        match call.write(write(call, &made, Precondition::Present)).await {
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
        let filter = filter::parsed(query, &filter::ResourceTypes)?;
        filter.answer(query, all(call).await?.iter().map(item))
    }
}
