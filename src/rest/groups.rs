//! `/json/{realm}/groups` (authn-sessions-realms.md d.1, d.5).
//!
//! | d.5                                                          | here                            |
//! |--------------------------------------------------------------|---------------------------------|
//! | read: `members`, `privileges` with all 22 names              | [`content::shown`]              |
//! | query: raw `uniqueMember`, neither `members` nor `privileges`| [`content::Listed`]             |
//! | create, update: members replace, privileges are assigned     | [`content::Changes`]            |
//! | up to 3.0: `uniquemember`, directory names                   | [`content`]                     |
//! | `allauthenticatedusers`                                      | `Groups::everybody`             |
//! | membership                                                   | `join`, `leaving`           |
//! | AD-02: nobody gives what he does not have                    | `beyond`                        |
//!
//! What a group's document is, and what it means to others: [`crate::groups`].

pub mod content;

use super::{
    identity::{is_name, user_id},
    users::{not_found, of_its_version, success},
};
use crate::{
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Patch, Query, Resource, Returned, Shape, Totals, Version,
        unchanged,
    },
    desk::{WriteError, delete, put},
    groups::{EVERYBODY, Group, MEMBERS, PRIVILEGES},
    privileges::Privileges,
};
use content::{Changes, Listed, Stored, refused, shown};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Seq, Write, documents::Change};
use serde_json::{Value, json};
use std::sync::Arc;

/// How often a change of memberships starts over when the groups change meanwhile.
const ATTEMPTS: usize = 4;

/// The resource.
pub struct Groups;

fn key(realm: &RealmPath, id: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::Group, &user_id(id))
}

fn find(call: &Call<'_>, id: &str) -> Option<Stored> {
    let key = key(call.realm, id);
    let entry = call.desk.views().entry(&key)?;
    let body = entry.json().as_object().cloned().unwrap_or_default();
    Some(Stored { revision: entry.document.revision, group: Group::of(&entry), key, body })
}

/// Writes a group with those members; each is referenced, and so exists.
fn write(key: &DocumentKey, when: Precondition, body: &mut Object, members: &[Arc<str>]) -> Write {
    body.insert(MEMBERS.into(), members.iter().map(|id| Value::from(&**id)).collect());
    let references =
        members.iter().map(|id| DocumentKey { realm: key.realm.clone(), kind: Kind::User, id: id.clone() });
    put(key.clone(), when, &Value::Object(body.clone()), references.collect(), false)
}

/// Most that one entry of the log is given to hold, bytes: well below what it can (`MAX_DRAFT_BYTES`).
const MAX_ENTRY: usize = 1 << 20;

/// About what a write takes in the log.
fn cost(write: &Write) -> usize {
    match &write.change {
        Change::Put { body, references, .. } => {
            let named = references.iter().map(|key| key.realm.as_str().len() + key.id.len() + 16);
            body.len() + named.sum::<usize>()
        }
        Change::Delete | Change::Keep => 256,
    }
}

/// Writes in as many parts as they need, in order; each fits into an entry, unless it is one write.
pub(super) fn parts(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut parts: Vec<Vec<Write>> = Vec::new();
    let mut room = 0;
    for write in writes {
        let cost = cost(&write);
        match parts.last_mut() {
            Some(part) if cost <= room => part.push(write),
            _ => {
                parts.push(vec![write]);
                room = MAX_ENTRY;
            }
        }
        room = room.saturating_sub(cost);
    }
    parts
}

/// 403 when `privileges` go beyond what the caller has in the realm: neither given to others nor taken from them.
fn beyond(call: &Call<'_>, privileges: Privileges) -> Result<(), Error> {
    let own = call.signed_in()?.privileges_in(call.realm);
    match privileges.implied().without(own).is_empty() {
        true => Ok(()),
        false => Err(Error::new(403, "User does not have enough privileges.")),
    }
}

/// Writes that take the user at `user` out of all its groups, for the entry that deletes it; see [`parts`].
pub(super) fn leaving(call: &Call<'_>, user: &DocumentKey) -> Vec<Write> {
    let groups = call.desk.views().groups_of(&user.realm, &user.id);
    let without = |group: &Arc<str>| {
        let Stored { key, revision, mut body, group } = find(call, group)?;
        let rest: Vec<Arc<str>> = group.members.iter().filter(|id| **id != user.id).cloned().collect();
        Some(write(&key, Precondition::Revision(revision), &mut body, &rest))
    };
    groups.iter().filter_map(without).collect()
}

/// Puts the user at `user` into the groups of these names, and out of all others, all in one log entry.
///
/// # Errors
/// 400 for a group that does not exist, 403 for one that may do more than the caller.
pub(super) async fn join(call: &Call<'_>, user: &DocumentKey, names: &[&str]) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        let mut wanted: Vec<String> = names.iter().map(|name| user_id(name)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let now = call.desk.views().groups_of(&user.realm, &user.id);
        let mut writes = Vec::new();
        for id in &wanted {
            let unknown = || Error::bad_request(format!("Identity {id} of type group not found."));
            let Stored { key, revision, mut body, group } =
                find(call, id).filter(|stored| &*stored.key.id != EVERYBODY).ok_or_else(unknown)?;
            if let Err(at) = group.members.binary_search(&user.id) {
                beyond(call, group.privileges)?;
                let mut members = group.members.clone();
                members.insert(at, user.id.clone());
                content::check_count(&members)?;
                writes.push(write(&key, Precondition::Revision(revision), &mut body, &members));
            }
        }
        for id in now.iter().filter(|id| !wanted.iter().any(|wanted| **wanted == ***id)) {
            if let Some(Stored { key, revision, mut body, group }) = find(call, id) {
                beyond(call, group.privileges)?;
                let rest: Vec<Arc<str>> = group.members.iter().filter(|member| **member != user.id).cloned().collect();
                writes.push(write(&key, Precondition::Revision(revision), &mut body, &rest));
            }
        }
        if writes.is_empty() {
            return Ok(());
        }
        let [writes] = <[Vec<Write>; 1]>::try_from(parts(writes))
            .map_err(|_| Error::bad_request("These groups have too many members to be changed at once"))?;
        match call.write_all(writes).await {
            Ok(_) => return Ok(()),
            Err(WriteError::Refused(Refusal::Stale { .. } | Refusal::Missing(_))) => call.desk.barrier().await?,
            Err(WriteError::Refused(Refusal::Dangling(key))) if key.kind == Kind::User => return Err(not_found()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(crate::consensus::Unavailable::Overloaded.into())
}

impl Groups {
    /// What all authenticated users of the realm may do: read and written like a group, there without being created.
    fn everybody(&self, call: &Call<'_>) -> Item {
        let (privileges, revision) = match find(call, EVERYBODY) {
            Some(stored) => (stored.group.privileges, stored.revision),
            None => (Privileges::NONE, Seq(0)),
        };
        let content = json!({PRIVILEGES: content::privileges(privileges)});
        Item::new(EVERYBODY, Some(revision), content.as_object().cloned().unwrap_or_default())
    }

    async fn give_everybody(&self, call: &Call<'_>, content: &Object, when: &Match) -> Result<Item, Error> {
        let known = |name: &String| ["_id", "_rev", PRIVILEGES].contains(&name.as_str());
        if !content.keys().all(known) {
            return Err(Error::invalid_attribute([PRIVILEGES]));
        }
        let stored = find(call, EVERYBODY);
        let former = stored.as_ref().map_or(Privileges::NONE, |stored| stored.group.privileges);
        let given =
            content.get(PRIVILEGES).map(|given| content::assigned(given, former)).transpose()?.unwrap_or(former);
        beyond(call, former.without(given).and(given.without(former)))?;
        let when = match &stored {
            Some(stored) => unchanged(when, EVERYBODY, stored.revision)?,
            None if when.fits(Seq(0)) => Precondition::Absent,
            None => return Err(Error::stale(EVERYBODY)),
        };
        let body = json!({"username": EVERYBODY, PRIVILEGES: content::names(given)});
        let result = call.write(put(key(call.realm, EVERYBODY), when, &body, Vec::new(), false)).await;
        let revision = result.map_err(|error| match error {
            WriteError::Refused(Refusal::Exists(_)) => Error::stale(EVERYBODY), // somebody was first
            other => other.into(),
        })?;
        let content = json!({PRIVILEGES: content::privileges(given)});
        Ok(Item::new(EVERYBODY, Some(revision), content.as_object().cloned().unwrap_or_default()))
    }
}

impl Resource for Groups {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 2), Version(2, 1), Version(3, 0), Version(4, 1)]
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let exists = |id: &str| user_id(id) == EVERYBODY || find(call, id).is_some();
        if create.id.is_some_and(exists) {
            return Err(create.taken(call, "Resource already exists"));
        }
        let given = create.content.get("username").and_then(super::users::profile::text);
        let name = create.id.or(given).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Error::bad_request("Identity name not provided"))?;
        if given.is_some_and(|given| user_id(given) != user_id(name)) {
            return Err(Error::bad_request("id in path does not match id in request body"));
        }
        if !is_name(name) {
            return Err(Error::invalid_value("username"));
        }
        if exists(name) {
            return Err(create.taken(call, "Resource already exists"));
        }
        let key = key(call.realm, name);
        let mut body = Object::new();
        body.insert("username".into(), name.into());
        body.insert("cn".into(), json!([name]));
        let blank = Stored { key: key.clone(), revision: Seq(0), group: Arc::default(), body: body.clone() };
        let changes = Changes::of(create.content, &shown(&blank, call.version).content, &blank)?;
        beyond(call, changes.privileges)?;
        let members = changes.apply(&mut body)?;
        let write = write(&key, Precondition::Absent, &mut body, &members);
        let revision = call.write(write).await.map_err(|error| match refused(error) {
            Ok(error) => error,
            Err(error) => create.refused(call, error, "Resource already exists"),
        })?;
        Ok(shown(&Stored::written(key, revision, body, members), call.version))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        if user_id(id) == EVERYBODY {
            return Ok(self.everybody(call));
        }
        Ok(shown(&find(call, id).ok_or_else(not_found)?, call.version))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        if user_id(id) == EVERYBODY {
            return self.give_everybody(call, content, when).await;
        }
        let absent = || Error::new(404, format!("Could not find the resource [ {id} ] to update"));
        let stored = find(call, id).ok_or_else(absent)?;
        let when = unchanged(when, id, stored.revision)?;
        if content.is_empty() {
            return Err(Error::bad_request("Illegal arguments: One or more required arguments is null or empty"));
        }
        let changes = Changes::of(content, &shown(&stored, call.version).content, &stored)?;
        if changes.username.is_some_and(|name| user_id(name) != *stored.key.id) {
            return Err(Error::bad_request("id in path does not match id in request body"));
        }
        // Whoever writes a group acts upon what it had and upon what it gets.
        beyond(call, stored.group.privileges.and(changes.privileges))?;
        let Stored { key, mut body, .. } = stored;
        let members = changes.apply(&mut body)?;
        let write = write(&key, when, &mut body, &members);
        let revision = call.write(write).await.map_err(|error| refused(error).unwrap_or_else(Into::into))?;
        Ok(shown(&Stored::written(key, revision, body, members), call.version))
    }

    /// d.6: what is written to a group is written whole.
    async fn patch(&self, call: &Call<'_>, _: &str, _: &Patch, _: &Match) -> Result<Item, Error> {
        Err(if call.version < Version(3, 0) {
            Error::unsupported()
        } else {
            Error::bad_request("Cannot patch object type group")
        })
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let stored = find(call, id).filter(|stored| &*stored.key.id != EVERYBODY).ok_or_else(not_found)?;
        beyond(call, stored.group.privileges)?;
        call.write(delete(stored.key.clone(), when.precondition())).await?;
        let item = shown(&stored, call.version);
        Ok(if call.version < Version(4, 0) { success(item) } else { item })
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        of_its_version(query, call.version)?;
        let rows = call.desk.rows(call.realm, Kind::Group);
        let listing = query.scan(&rows, &Listed(call.realm), Totals::Remaining)?;
        Ok(Listing { names_only: call.version < Version(3, 0), ..listing })
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        let newest = call.version >= Version(4, 0);
        match (id, name) {
            (None, "template") if newest => Ok(json!({"username": ""}).into()),
            (None, "schema") if newest => Ok(content::schema().into()),
            (Some(_), _) => Err(Error::new(501, format!("{name} not supported for resource instances"))),
            (None, _) => Err(Error::unsupported()),
        }
    }
}

#[cfg(test)]
mod tests;
