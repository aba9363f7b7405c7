//! `applications`: policy sets (authorization.md §2.3).
//!
//! | reference | it says                                                    | here               |
//! |-----------|------------------------------------------------------------|--------------------|
//! | §2.1.3    | versions 1.0, 2.0, 2.1; the last two are one               | `item`, [`legacy`] |
//! | §2.1.5    | the revision is the date of the last change                | `item`             |
//! | §2.3.3    | the query                                                  | [`filter`]         |
//! | §2.3.4    | PUT replaces; no rename; delete only when empty            | every operation    |
//! | §2.3.5    | errors, of which three are about absence                   | every operation    |

use super::{created, filter, insists, legacy, modified, object, resource_types};
use crate::{
    actors::policy_sets::set_id,
    crest::{Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Shape, Version},
    desk::{WriteError, delete, put},
    policy::{self, model::PolicySet},
    privileges::Endpoint,
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Seq, Write};
use serde_json::Value;

/// The collection.
pub struct PolicySets;

/// Letter case does not count in the name of a policy set.
pub(super) fn key_in(realm: &RealmPath, name: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::PolicySet, &set_id(name))
}

/// A policy set of any realm, and where it was last written.
pub(super) fn find_in(call: &Call<'_>, realm: &RealmPath, name: &str) -> Option<(PolicySet, Seq)> {
    let entry = call.desk.views().entry(&key_in(realm, name))?;
    Some((PolicySet::from_stored(entry.json()).ok()?, entry.document.revision))
}

/// A policy set by its name.
pub(super) fn find(call: &Call<'_>, name: &str) -> Option<(PolicySet, Seq)> {
    find_in(call, call.realm, name)
}

fn item(call: &Call<'_>, set: &PolicySet) -> Item {
    if call.version.0 == 1 {
        return legacy::item(call, set);
    }
    Item { id: set.name.clone(), revision: Some(set.audit.revision()), content: object(set.to_json()) }
}

/// A set lives no longer than the resource types it names.
fn write(call: &Call<'_>, set: &PolicySet, when: Precondition) -> Write {
    let types = set.resource_type_uuids.iter().map(|uuid| DocumentKey::new(call.realm, Kind::ResourceType, uuid));
    put(key_in(call.realm, &set.name), when, &set.to_json(), types.collect(), false)
}

/// A resource type that went away between check and write.
fn dangling(error: WriteError) -> Error {
    match error {
        WriteError::Refused(Refusal::Dangling(key)) if key.kind == Kind::ResourceType => {
            policy::Error::PolicySetResourceType(key.id.to_string()).into()
        }
        other => other.into(),
    }
}

/// The name that a body gives a set, for the name of a resource type that is made for it.
fn named<'c>(content: &'c Object, url: Option<&'c str>) -> &'c str {
    url.or_else(|| content.get("name").and_then(Value::as_str)).unwrap_or_default()
}

impl Resource for PolicySets {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0), Version(2, 0), Version(2, 1)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Policy sets", "Applications: policies that are evaluated together")
            .queryable(["name", "description", "createdBy", "creationDate", "lastModifiedBy", "lastModifiedDate"])
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Applications
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let taken = policy::Error::PolicySetExists.message();
        if create.id.is_some_and(|name| find(call, name).is_some()) {
            return Err(create.taken(call, taken));
        }
        let (content, first) = match call.version.0 {
            1 => legacy::translated(call, create.content, named(create.content, create.id), None).await?,
            _ => (create.content.clone(), Vec::new()),
        };
        let body = Value::Object(content);
        let exists =
            |uuid: &str| first.iter().any(|write| *write.key.id == *uuid) || resource_types::find(call, uuid).is_some();
        let made = match create.id {
            Some(name) => PolicySet::put(&body, name, exists, created(call)?)?,
            None => PolicySet::create(&body, exists, created(call)?)?,
        };
        let writes = first.into_iter().chain([write(call, &made, Precondition::Absent)]).collect();
        match call.write_all(writes).await {
            Ok(_) => Ok(item(call, &made)),
            // The name of a type that was to be made for it, which is made up anew by whoever tries again.
            Err(WriteError::Refused(Refusal::Exists(key))) if key.kind != Kind::PolicySet => {
                Err(policy::Error::ResourceTypeExists(key.id.to_string()).into())
            }
            Err(error @ WriteError::Refused(Refusal::Exists(_))) => Err(create.refused(call, error, &taken)),
            Err(error) => Err(dangling(error)),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let unknown = || policy::Error::PolicySetUnknown { realm: call.realm.to_string() };
        find(call, id).map(|(set, _)| item(call, &set)).ok_or_else(|| unknown().into())
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, given: &Match) -> Result<Item, Error> {
        let unknown = || Error::from(policy::Error::PolicySetUnknownOnUpdate(id.to_owned()));
        let (former, revision) = find(call, id).ok_or_else(unknown)?;
        insists(given, id, &former.audit, revision)?;
        let (content, first) = match call.version.0 {
            1 => legacy::translated(call, content, &former.name, Some(&former.resource_type_uuids)).await?,
            _ => (content.clone(), Vec::new()),
        };
        let exists =
            |uuid: &str| first.iter().any(|write| *write.key.id == *uuid) || resource_types::find(call, uuid).is_some();
        let audit = modified(call, &former.audit)?;
        let mut made = PolicySet::put(&Value::Object(content), &former.name, exists, audit)?;
        if call.version.0 == 1 {
            made.display_name = former.display_name; // 1.0 cannot say it, so it cannot take it away
        }
        let writes = first.into_iter().chain([write(call, &made, Precondition::Revision(revision))]).collect();
        call.write_all(writes).await.map_err(dangling)?;
        Ok(item(call, &made))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, given: &Match) -> Result<Item, Error> {
        let unknown = || Error::from(policy::Error::PolicySetUnknownOnDelete(id.to_owned()));
        let (former, revision) = find(call, id).ok_or_else(unknown)?;
        let when = insists(given, id, &former.audit, revision)?;
        match call.write(delete(key_in(call.realm, id), when)).await {
            Ok(_) => Ok(Item { id: former.name, revision: Some("0".to_owned()), content: Object::new() }),
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(unknown()),
            Err(WriteError::Refused(Refusal::Referenced { .. })) => Err(policy::Error::PolicySetNotEmpty.into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let filter = filter::parsed(query, &filter::Applications)?;
        let all = call.collect(Kind::PolicySet);
        let sets = all.into_iter().filter_map(|(_, _, stored)| PolicySet::from_stored(&Value::Object(stored)).ok());
        filter.answer(query, sets.map(|set| item(call, &set)))
    }
}
