//! `/json/{realm}/users` (authn-sessions-realms.md d.1 to d.4, d.6).
//!
//! | section | it says                                                        | here                             |
//! |---------|----------------------------------------------------------------|----------------------------------|
//! | d.1     | what differs between versions                                   | `Users::query`, `Users::action`  |
//! | d.2     | what a user looks like                                          | [`profile`]                      |
//! | d.3     | create: defaults, required                                      | `Users::create`                  |
//! | d.3     | update merges; own password not by PUT                          | `Users::update`                  |
//! | d.3     | who may write what of whom                                      | `Users::may_write`               |
//! | d.3     | PATCH of password and questions, by administrators              | [`patch`]                        |
//! | d.4     | actions                                                         | [`actions`]                      |
//! | d.5     | groups of a user                                                | [`memberships`]                  |
//! | d.6     | applications of a user                                          | [`applications`]                 |
//! | d.6     | services of a user                                              | [`services`]                     |
//! | d.6     | devices of a user                                               | [`devices`]                      |
//! | AD-02   | nobody writes one who may do more                               | `Users::may_write`               |
//!
//! A user's document has its name in lower case as id. It holds `username`, the attributes, and as `userpassword` the
//! verifier of the password (a PHC string, never the password: G5). Writing a new password or another status moves the
//! document's fence: sessions and tokens of the user die with the write (SE-10). A user leaves its groups in the entry that
//! deletes it.

pub mod actions;
pub mod applications;
pub mod devices;
pub mod memberships;
pub mod patch;
pub mod profile;
pub mod services;

pub use profile::ATTRIBUTES;

use super::{
    groups,
    identity::{self, Named, NotCreated, is_name, is_secret, is_taken, user_id},
};
use crate::{
    attempts::{self, Attempt},
    caller::Role,
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Operation, Patch, Query,
        Resource, Returned, Shape, Totals, Verb, Version,
        filter::{Assertion, Filter, Operator},
        query::Select,
        unchanged,
    },
    desk::{WriteError, delete, put},
    privileges::Endpoint,
};
use profile::{Changes, PASSWORD, Profiles, is_administrator, own, shown, stamped, status, text};
use quorate_raft::{DocumentKey, Kind, Precondition, Refusal, Seq};
use serde_json::{Value, json};

/// Shortest password, characters.
const MIN_PASSWORD: usize = 8;

/// How often a deletion starts over when groups of the user change meanwhile.
const ATTEMPTS: usize = 4;

/// Where users prove that they know their password, for what is protected.
const CURRENT_PASSWORD: &str = "currentpassword";

/// The resource.
pub struct Users;

/// d.3: what the store says about passwords that it does not take.
fn check_password(password: &str) -> Result<(), Error> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(Error::bad_request(format!("Minimum password length is {MIN_PASSWORD}.")));
    }
    Ok(())
}

pub(super) fn not_found() -> Error {
    Error::new(404, "Resource cannot be found.")
}

/// 403 in the words of d.3.
fn not_enough() -> Error {
    Error::new(403, "User does not have enough privileges.")
}

/// 501 for a query that only the newest version knows: the older ones take all, and one by id (crest.md §7.4).
pub(super) fn of_its_version(query: &Query, version: Version) -> Result<(), Error> {
    match &query.select {
        Select::Filter(filter) if version < Version(4, 0) => match filter {
            Filter::Literal(true) => Ok(()),
            Filter::Compare(pointer, Operator::Equal, Assertion::Text(_)) if pointer.elements() == ["_id"] => Ok(()),
            other => Err(Error::no_query(&other.to_string())),
        },
        _ => Ok(()),
    }
}

/// Lets the user `id` and administrators of the realm pass to what is below a user (g.3).
///
/// # Errors
/// 401, or 403 in the words of g.3.
pub(super) fn owner_or_administrator(call: &Call<'_>, id: &str) -> Result<(), Error> {
    let caller = call.signed_in()?;
    if call.is_user(&user_id(id)) || caller.administers(call.realm) {
        return Ok(());
    }
    Err(Error::new(403, format!("User, {}, not authorized.", caller.name())))
}

/// A stored user.
pub(super) struct Stored {
    pub key: DocumentKey,
    pub revision: Seq,
    pub body: Object,
}

pub(super) fn find(call: &Call<'_>, id: &str) -> Option<Stored> {
    let key = DocumentKey::new(call.realm, Kind::User, &user_id(id));
    let entry = call.desk.views().entry(&key)?;
    let body = entry.json().as_object().cloned().unwrap_or_default();
    Some(Stored { revision: entry.document.revision, key, body })
}

/// Changes the document of `user`, of which the caller must not be outranked; what came of it, and the new revision.
pub(super) async fn change<T>(
    call: &Call<'_>,
    user: &str,
    mut make: impl FnMut(&mut Stored) -> Result<T, Error>,
) -> Result<(T, Seq), Error> {
    for _ in 0..ATTEMPTS {
        let mut stored = find(call, user).ok_or_else(not_found)?;
        outranked(call, &stored.key)?;
        let made = make(&mut stored)?;
        stamped(&mut stored.body);
        let Stored { key, revision, body } = stored;
        let write = put(key, Precondition::Revision(revision), &Value::Object(body), Vec::new(), false);
        match call.write(write).await {
            Ok(revision) => return Ok((made, revision)),
            // Somebody else was faster: what the caller demanded is checked again, with what is now.
            Err(WriteError::Refused(Refusal::Stale { .. })) => call.desk.barrier().await?,
            Err(WriteError::Refused(Refusal::Missing(_))) => return Err(not_found()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(crate::consensus::Unavailable::Overloaded.into())
}

/// Lets those pass who may act upon the user at `key`: with no fewer privileges than that user has.
///
/// # Errors
/// 401, 403.
pub(super) fn outranked(call: &Call<'_>, key: &DocumentKey) -> Result<(), Error> {
    match call.signed_in()?.outranks(call.desk.views(), key) {
        true => Ok(()),
        false => Err(not_enough()),
    }
}

impl Users {
    /// Users write what is theirs of their own profile, with their password where it is protected; administrators everything
    /// of whom they outrank.
    async fn may_write(&self, call: &Call<'_>, stored: &Stored, changes: &Changes<'_>) -> Result<(), Error> {
        let caller = call.signed_in()?;
        if caller.role == Role::Administrator {
            return Ok(());
        }
        if caller.administers(call.realm) {
            return outranked(call, &stored.key);
        }
        if let Some(beyond) = changes.beyond_own() {
            tracing::debug!(attribute = beyond, "not for users to write");
            return Err(not_enough());
        }
        let Some((name, value)) = changes.protected() else {
            return Ok(());
        };
        let values = |value: Option<&Value>| {
            let texts = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            texts.collect::<Vec<_>>().join(", ")
        };
        let wrong = || {
            let (former, new) = (values(stored.body.get(name)), values(Some(value)));
            Error::bad_request(format!(
                "Must provide a valid confirmation password to change protected attribute ({name}) from '{former}' to \
                 '{new}'"
            ))
        };
        let given = call.request.headers().get(CURRENT_PASSWORD).and_then(|header| header.to_str().ok());
        let given = given.filter(|given| is_secret(given)).ok_or_else(wrong)?;
        let verifier = stored.body.get(PASSWORD).and_then(Value::as_str);
        let attempt = Attempt::new(stored.key.clone(), attempts::source(call.desk, call.request));
        match attempts::guarded(call.desk, &attempt, call.desk.passwords().verify(verifier, given)).await? {
            true => Ok(()),
            false => Err(wrong()),
        }
    }
}

impl Resource for Users {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 2), Version(2, 1), Version(3, 0), Version(4, 1)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Users", "People who sign in")
            .written(actions::schema())
            .and(Operation::Patch)
            .with_query_id("A pattern of user names, `*` for any characters")
            .action(ActionDescription::new("idFromSession", "Who the caller is"))
            .action(ActionDescription::new("template", "Defaults of a user"))
            .action(ActionDescription::new("schema", "The JSON schema of a user"))
            .action(ActionDescription::new("changePassword", "Changes the caller's own password").on_instance().takes(
                json!({"type": "object", "required": ["currentpassword", "userpassword"], "properties": {
                    "currentpassword": {"type": "string"}, "userpassword": {"type": "string"},
                }}),
            ))
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Users
    }

    /// Users may read and write themselves, change their own password, and ask who they are; strangers may hear that they
    /// cannot serve themselves here; the rest is for administrators.
    fn permit(&self, call: &Call<'_>, id: Option<&str>, verb: &Verb) -> Result<(), Error> {
        let own = id.is_some_and(|id| call.is_user(&user_id(id)));
        match verb {
            Verb::Read(_) | Verb::Put(_) | Verb::Update(..) if own => Ok(()),
            Verb::Action(name, _) if own && name == "changePassword" => Ok(()),
            Verb::Patch(..) => patch::may_patch(call),
            Verb::Action(name, _) if id.is_none() && actions::SIGNED_IN.contains(&name.as_str()) => {
                call.signed_in().map(drop)
            }
            Verb::Action(name, _) if id.is_none() && actions::OPEN.contains(&name.as_str()) => Ok(()),
            _ => call.permits(self.endpoint(), verb),
        }
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        // First, and before the slow hash: a PUT of a user that exists comes here before it becomes an update.
        if create.id.is_some_and(|id| find(call, id).is_some()) {
            return Err(create.taken(call, "Resource already exists"));
        }
        call.administrator()?; // a PUT of one's own profile that has just been deleted comes here, too
        let name = create.id.or_else(|| create.content.get("username").and_then(text)).unwrap_or_default();
        let key = DocumentKey::new(call.realm, Kind::User, &user_id(name));
        let changes = Changes::of(create.content, &shown(&key, Seq(0), &Object::new()).content)?;
        let name = match (create.id, changes.username) {
            (Some(id), Some(username)) if user_id(id) != user_id(username) => {
                return Err(Error::bad_request("id in path does not match id in request body"));
            }
            (_, Some(username)) => username,
            (Some(id), None) => id,
            (None, None) => return Err(Error::bad_request("Identity name not provided")),
        };
        if name.is_empty() {
            return Err(Error::bad_request("Identity name not provided"));
        }
        if !is_name(name) {
            return Err(Error::invalid_value("username"));
        }
        let key = DocumentKey::new(call.realm, Kind::User, &user_id(name));
        if call.desk.views().entry(&key).is_some() {
            return Err(create.taken(call, "Resource already exists"));
        }
        let in_use = || Error::new(409, format!("An agent with the name {name} exists"));
        if is_taken(call, name, Named::User) {
            return Err(in_use());
        }
        let password = changes.password.ok_or_else(|| Error::bad_request(format!("{PASSWORD} is required")))?;
        check_password(password)?;
        let mut body = Object::new();
        for (attribute, value) in [("uid", name), ("cn", name), ("sn", name), ("inetUserStatus", "Active")] {
            body.insert(attribute.into(), json!([value]));
        }
        body.insert("username".into(), name.into());
        changes.apply(&mut body)?;
        body.insert(PASSWORD.into(), call.desk.passwords().verifier(password).await?.into());
        stamped(&mut body);
        let write = put(key.clone(), Precondition::Absent, &Value::Object(body.clone()), Vec::new(), false);
        let revision = identity::create(call, write, name, Named::User).await.map_err(|error| match error {
            NotCreated::Taken => in_use(),
            NotCreated::Other(error) => create.refused(call, error, "Resource already exists"),
        })?;
        Ok(shown(&key, revision, &body))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let Stored { key, revision, body } = find(call, id).ok_or_else(not_found)?;
        let mut item = shown(&key, revision, &body);
        if let Some(caller) = call.caller.filter(|_| call.is_user(&key.id)) {
            own(&mut item, caller, &body);
        }
        Ok(item)
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let absent = || Error::new(404, format!("Could not find the resource [ {id} ] to update"));
        let stored = find(call, id).ok_or_else(absent)?;
        let when = unchanged(when, id, stored.revision)?;
        if content.is_empty() {
            return Err(Error::bad_request("Illegal arguments: One or more required arguments is null or empty"));
        }
        let is_own = call.is_user(&stored.key.id);
        let mut current = shown(&stored.key, stored.revision, &stored.body);
        if let Some(caller) = call.caller.filter(|_| is_own) {
            own(&mut current, caller, &stored.body);
        }
        let mut changes = Changes::of(content, &current.content)?;
        if changes.username.is_some_and(|username| user_id(username) != *stored.key.id) {
            return Err(Error::bad_request("id in path does not match id in request body"));
        }
        let password = changes.password;
        if password.is_some() && is_own {
            return Err(Error::bad_request(
                "Cannot update user password via PUT. Use POST with _action=changePassword or _action=forgotPassword.",
            ));
        }
        if password.is_some() && is_administrator(&stored.key) {
            return Err(not_enough());
        }
        changes.differing(&stored.body);
        self.may_write(call, &stored, &changes).await?;
        let Stored { key, mut body, .. } = stored;
        let before = status(&body).map(str::to_owned);
        changes.apply(&mut body)?;
        body.entry("inetUserStatus").or_insert_with(|| json!(["Active"]));
        let turned = status(&body).map(str::to_owned) != before;
        if turned && is_administrator(&key) {
            return Err(Error::plain(403)); // nobody could sign in to undo it
        }
        if let Some(password) = password {
            check_password(password)?;
            body.insert(PASSWORD.into(), call.desk.passwords().verifier(password).await?.into());
        }
        stamped(&mut body);
        let fence = turned || password.is_some();
        let write = put(key.clone(), when, &Value::Object(body.clone()), Vec::new(), fence);
        let mut item = shown(&key, call.write(write).await?, &body);
        if let Some(caller) = call.caller.filter(|_| is_own) {
            own(&mut item, caller, &body);
        }
        Ok(item)
    }

    async fn patch(&self, call: &Call<'_>, id: &str, patch: &Patch, when: &Match) -> Result<Item, Error> {
        let mut replacements = Vec::with_capacity(patch.operations().len());
        for operation in patch.operations() {
            let field = operation.field().to_string();
            replacements.push(patch::Replacement::of(operation.name(), field.trim_matches('/'), operation.value())?);
        }
        patch::apply(call, id, &replacements, when).await
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        for _ in 0..ATTEMPTS {
            let Stored { key, revision, body } = find(call, id).ok_or_else(not_found)?;
            if is_administrator(&key) {
                return Err(Error::plain(403)); // AD-08
            }
            outranked(call, &key)?;
            unchanged(when, id, revision)?;
            let mut writes = groups::leaving(call, &key);
            writes.push(delete(key.clone(), when.precondition()));
            // One entry, unless the groups are so large that they do not fit: then the user leaves the first of them before.
            let mut outcome = Ok(());
            for part in groups::parts(writes) {
                outcome = call.write_all(part).await.map(drop);
                if outcome.is_err() {
                    break;
                }
            }
            match outcome {
                Ok(()) => {
                    let item = shown(&key, revision, &body);
                    return Ok(if call.version < Version(4, 0) { success(item) } else { item });
                }
                // A group was written meanwhile, or the user joined one: with what is now, again.
                Err(WriteError::Refused(
                    Refusal::Stale { key: other, .. } | Refusal::Missing(other) | Refusal::Referenced { by: other, .. },
                )) if other.kind == Kind::Group => call.desk.barrier().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(crate::consensus::Unavailable::Overloaded.into())
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        of_its_version(query, call.version)?;
        let rows = call.desk.rows(call.realm, Kind::User);
        let listing = query.scan(&rows, &Profiles(call.realm), Totals::Remaining)?;
        Ok(Listing { names_only: call.version < Version(3, 0), ..listing })
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        actions::run(call, id, name, content).await.map(Returned::from)
    }
}

/// What older versions say of a deletion.
pub(super) fn success(item: Item) -> Item {
    let content = json!({"success": "true"}).as_object().cloned().unwrap_or_default();
    Item { content, revision: None, ..item }
}

#[cfg(test)]
mod tests;
