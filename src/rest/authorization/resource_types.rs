//! `resourcetypes` (authorization.md §2.2).
//!
//! | reference | it says                                                        | here              |
//! |-----------|----------------------------------------------------------------|-------------------|
//! | §2.1.5    | a revision only on a read of one: the date of the last change  | [`Resource::read`] |
//! | §2.2.1    | the name is unique in the realm, letter case ignored           | `reservation`     |
//! | §2.2.3    | the query                                                      | [`filter`]        |
//! | §2.2.4    | errors                                                         | every operation   |

use super::{created, filter, insists, modified, object};
use crate::{
    consensus::Unavailable,
    crest::{Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Shape, Version},
    desk::{WriteError, delete, put},
    policy::{self, model::ResourceType},
    privileges::Endpoint,
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Seq, Write};
use serde_json::{Value, json};

/// The collection.
pub struct ResourceTypes;

/// How often a deletion starts over when others change the type meanwhile.
const ATTEMPTS: usize = 4;

fn key(call: &Call<'_>, uuid: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::ResourceType, uuid)
}

fn unknown(call: &Call<'_>, uuid: &str) -> Error {
    policy::Error::ResourceTypeUnknown { uuid: uuid.to_owned(), realm: call.realm.to_string() }.into()
}

/// A resource type of any realm.
pub(super) fn find_in(call: &Call<'_>, realm: &RealmPath, uuid: &str) -> Option<ResourceType> {
    stored(call, realm, uuid).map(|(found, _)| found)
}

/// A resource type of any realm, and where it was last written.
fn stored(call: &Call<'_>, realm: &RealmPath, uuid: &str) -> Option<(ResourceType, Seq)> {
    let entry = call.desk.document(realm, Kind::ResourceType, uuid)?;
    Some((ResourceType::from_stored(entry.json()).ok()?, entry.document.revision))
}

/// A resource type by its uuid.
pub(super) fn find(call: &Call<'_>, uuid: &str) -> Option<ResourceType> {
    find_in(call, call.realm, uuid)
}

/// All of the realm.
pub(super) async fn all(call: &Call<'_>) -> Result<Vec<ResourceType>, Error> {
    let stored = call.collect(Kind::ResourceType);
    Ok(stored.into_iter().filter_map(|(_, _, body)| ResourceType::from_stored(&Value::Object(body)).ok()).collect())
}

/// To store one that exists, under the name that it has.
pub(super) fn write(call: &Call<'_>, of_type: &ResourceType, when: Precondition) -> Write {
    put(key(call, &of_type.uuid), when, &of_type.to_json(), Vec::new(), false)
}

/// The document that holds the name of a resource type, whatever its letter case. It is written and removed in the log
/// entries that write and remove the type, so that of two administrators at two nodes one gets a name. Realms that were made
/// before there were such documents get them type by type.
fn reservation(realm: &RealmPath, name: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::Settings, &format!("resource-type-name/{}", name.to_lowercase()))
}

fn reserve(realm: &RealmPath, of_type: &ResourceType) -> Write {
    let of = DocumentKey::new(realm, Kind::ResourceType, &of_type.uuid);
    put(reservation(realm, &of_type.name), Precondition::Absent, &json!({"uuid": of_type.uuid}), vec![of], false)
}

/// To store a new one, and its name.
pub(super) fn creating(realm: &RealmPath, of_type: &ResourceType) -> Vec<Write> {
    let own = DocumentKey::new(realm, Kind::ResourceType, &of_type.uuid);
    vec![put(own, Precondition::Absent, &of_type.to_json(), Vec::new(), false), reserve(realm, of_type)]
}

/// Whether the name of `of_type` is held by a document.
fn is_reserved(call: &Call<'_>, of_type: &ResourceType) -> bool {
    call.desk.views().entry(&reservation(call.realm, &of_type.name)).is_some()
}

/// The error for a name or uuid that somebody else got first.
pub(super) fn taken(key: &DocumentKey, of_type: &ResourceType) -> Error {
    let by = if key.kind == Kind::ResourceType { &of_type.uuid } else { &of_type.name };
    policy::Error::ResourceTypeExists(by.clone()).into()
}

/// Whether a type exists that has the wanted name, as far as this node has seen: a kind word before the work, and for types
/// whose names no document holds yet.
async fn name_is_free(call: &Call<'_>, wanted: &ResourceType) -> Result<(), Error> {
    let name = wanted.name.to_lowercase();
    let taken = |other: &ResourceType| other.uuid != wanted.uuid && other.name.to_lowercase() == name;
    match all(call).await?.iter().any(taken) {
        true => Err(policy::Error::ResourceTypeExists(wanted.name.clone()).into()),
        false => Ok(()),
    }
}

/// Without a revision: only a read of one shows it (§2.1.5). The reference shows the time of the read, with which nobody can
/// hold on to what was read; here it is the date of the last change, as of the other objects.
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

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Resource types", "Patterns and actions that policies may use")
            .queryable(["uuid", "name", "description", "patterns", "actions", "createdBy"])
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
        match call.write_all(creating(call.realm, &made)).await {
            Ok(_) => Ok(item(&made)),
            Err(WriteError::Refused(Refusal::Exists(key))) if key.kind == Kind::Settings => {
                Err(self::taken(&key, &made))
            }
            Err(error) => Err(create.refused(call, error, &taken(&made.uuid))),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let found = find(call, id).ok_or_else(|| unknown(call, id))?;
        Ok(Item { revision: Some(found.audit.revision()), ..item(&found) })
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, given: &Match) -> Result<Item, Error> {
        let (former, revision) = stored(call, call.realm, id).ok_or_else(|| unknown(call, id))?;
        insists(given, id, &former.audit, revision)?;
        let made = ResourceType::put(&Value::Object(content.clone()), id, modified(call, &former.audit)?)?;
        name_is_free(call, &made).await?;
        let mut writes = vec![write(call, &made, Precondition::Revision(revision))];
        let keeps = reservation(call.realm, &former.name) == reservation(call.realm, &made.name);
        if !keeps && is_reserved(call, &former) {
            writes.push(delete(reservation(call.realm, &former.name), Precondition::Present));
        }
        if !keeps || !is_reserved(call, &made) {
            writes.push(reserve(call.realm, &made));
        }
        match call.write_all(writes).await {
            Ok(_) => Ok(item(&made)),
            Err(WriteError::Refused(Refusal::Exists(key))) => Err(taken(&key, &made)),
            Err(WriteError::Refused(Refusal::Missing(key))) if key.kind == Kind::ResourceType => Err(unknown(call, id)),
            // Somebody renamed it meanwhile: once more.
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(Error::stale(id)),
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, call: &Call<'_>, id: &str, given: &Match) -> Result<Item, Error> {
        for _ in 0..ATTEMPTS {
            let (former, revision) = stored(call, call.realm, id).ok_or_else(|| unknown(call, id))?;
            insists(given, id, &former.audit, revision)?;
            let mut writes = vec![delete(key(call, id), Precondition::Revision(revision))];
            if is_reserved(call, &former) {
                // It refers to the type, so it goes first.
                writes.insert(0, delete(reservation(call.realm, &former.name), Precondition::Present));
            }
            match call.write_all(writes).await {
                Ok(_) => return Ok(Item { id: id.to_owned(), revision: Some("0".to_owned()), content: Object::new() }),
                Err(WriteError::Refused(Refusal::Missing(key))) if key.kind == Kind::ResourceType => {
                    return Err(unknown(call, id));
                }
                Err(WriteError::Refused(Refusal::Referenced { by, .. })) if by.kind != Kind::Settings => {
                    return Err(policy::Error::ResourceTypeInUse(id.to_owned()).into());
                }
                // Somebody changed or renamed it meanwhile.
                Err(WriteError::Refused(Refusal::Missing(_) | Refusal::Stale { .. } | Refusal::Referenced { .. })) => {
                    call.desk.barrier().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Unavailable::Overloaded.into())
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let filter = filter::parsed(query, &filter::ResourceTypes)?;
        filter.answer(query, all(call).await?.iter().map(item))
    }
}
