//! `applications`: policy sets (authorization.md §2.3).

use super::{created, modified, object, resource_types};
use crate::{
    actors::policy_sets::set_id,
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Version, pointer::Names,
        unchanged,
    },
    desk::{WriteError, delete, put},
    policy::{self, model::PolicySet},
};
use quorate_raft::{DocumentKey, Kind, Precondition, Refusal, Seq, Write};
use serde_json::Value;

/// The collection.
pub struct PolicySets;

/// Letter case does not count in the name of a policy set.
pub(super) fn key(call: &Call<'_>, name: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::PolicySet, &set_id(name))
}

/// A policy set by its name, and where it was last written.
pub(super) fn find(call: &Call<'_>, name: &str) -> Option<(PolicySet, Seq)> {
    let entry = call.desk.views().entry(&key(call, name))?;
    Some((PolicySet::from_stored(entry.json()).ok()?, entry.document.revision))
}

fn item(set: &PolicySet) -> Item {
    Item { id: set.name.clone(), revision: Some(set.audit.revision()), content: object(set.to_json()) }
}

/// A set lives no longer than the resource types it names.
fn write(call: &Call<'_>, set: &PolicySet, when: Precondition) -> Write {
    let types = set.resource_type_uuids.iter().map(|uuid| DocumentKey::new(call.realm, Kind::ResourceType, uuid));
    put(key(call, &set.name), when, &set.to_json(), types.collect(), false)
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

/// `If-Match` names the date of the last change.
fn when(given: &Match, set: &PolicySet, revision: Seq) -> Result<Precondition, Error> {
    match given {
        Match::Revision(text) if *text != set.audit.revision() => Err(Error::stale(&set.name)),
        _ => unchanged(&Match::Any, &set.name, revision),
    }
}

impl Resource for PolicySets {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(2, 0), Version(2, 1)]
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let body = Value::Object(create.content.clone());
        let exists = |uuid: &str| resource_types::find(call, uuid).is_some();
        let made = match create.id {
            Some(name) => PolicySet::put(&body, name, exists, created(call)?)?,
            None => PolicySet::create(&body, exists, created(call)?)?,
        };
        let taken = policy::Error::PolicySetExists.message();
        match call.write(write(call, &made, Precondition::Absent)).await {
            Ok(_) => Ok(item(&made)),
            Err(error @ WriteError::Refused(Refusal::Exists(_))) => Err(create.refused(call, error, &taken)),
            Err(error) => Err(dangling(error)),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let unknown = || policy::Error::PolicySetUnknown { realm: call.realm.to_string() };
        find(call, id).map(|(set, _)| item(&set)).ok_or_else(|| unknown().into())
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, given: &Match) -> Result<Item, Error> {
        let unknown = || Error::from(policy::Error::PolicySetUnknownOnUpdate(id.to_owned()));
        let (former, revision) = find(call, id).ok_or_else(unknown)?;
        let when = when(given, &former, revision)?;
        let exists = |uuid: &str| resource_types::find(call, uuid).is_some();
        let audit = modified(call, &former.audit)?;
        let made = PolicySet::put(&Value::Object(content.clone()), &former.name, exists, audit)?;
        call.write(write(call, &made, when)).await.map_err(dangling)?;
        Ok(item(&made))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, given: &Match) -> Result<Item, Error> {
        let unknown = || Error::from(policy::Error::PolicySetUnknownOnDelete(id.to_owned()));
        let (former, revision) = find(call, id).ok_or_else(unknown)?;
        match call.write(delete(key(call, id), when(given, &former, revision)?)).await {
            Ok(_) => Ok(Item { id: former.name, revision: Some("0".to_owned()), content: Object::new() }),
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(unknown()),
            Err(WriteError::Refused(Refusal::Referenced { .. })) => Err(policy::Error::PolicySetNotEmpty.into()),
            Err(error) => Err(error.into()),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = call.collect(Kind::PolicySet).await?;
        let sets = all.into_iter().filter_map(|(_, _, stored)| PolicySet::from_stored(&Value::Object(stored)).ok());
        query.answer(sets.map(|set| item(&set)), Names::Exact, Totals::Remaining)
    }
}
