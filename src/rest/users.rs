//! `/json/{realm}/users` (authn-sessions-realms.md d.1 to d.4).
//!
//! | section | it says                                               | here                      |
//! |---------|-------------------------------------------------------|---------------------------|
//! | d.2     | every attribute is an array of strings                | `attribute`, `shown`      |
//! | d.2     | passwords are never returned                          | `shown`                   |
//! | d.3     | create: defaults, required                            | `Users::create`           |
//! | d.3     | update merges; own password not by PUT                | `Users::update`           |
//! | d.4     | `changePassword`, `idFromSession`                     | `Users::action`           |
//!
//! A user's document has its name in lower case as id. It holds `username`, the attributes, and as `userpassword` the
//! verifier of the password (a PHC string, never the password: G5). Writing a new password or another status moves the
//! document's fence: sessions and tokens of the user die with the write (SE-10).

use super::identity::{self, Named, NotCreated, is_name, is_secret, is_taken, universal_id, user_id};
use crate::{
    attempts::{self, Attempt},
    bootstrap::ADMINISTRATOR_ID,
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Verb, Version,
        pointer::Names, unchanged,
    },
    desk::{delete, put},
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Seq};
use serde_json::{Value, json};

/// Shortest password, characters.
const MIN_PASSWORD: usize = 8;

/// Most values of one attribute, and most bytes of one value.
const MAX_VALUES: usize = 256;
const MAX_VALUE_BYTES: usize = 4096;

/// Where the verifier is stored, and what the password is called on the wire.
const PASSWORD: &str = "userpassword";

/// Attributes that a user may have. Others that start with one of [`OPEN`] are free to use.
pub(super) const ATTRIBUTES: &[&str] = &[
    "assignedDashboard",
    "c",
    "cn",
    "co",
    "departmentNumber",
    "description",
    "displayName",
    "employeeNumber",
    "employeeType",
    "facsimileTelephoneNumber",
    "givenName",
    "homePhone",
    "inetUserHttpURL",
    "inetUserStatus",
    "initials",
    "iplanet-am-user-alias-list",
    "iplanet-am-user-failure-url",
    "iplanet-am-user-success-url",
    "l",
    "mail",
    "manager",
    "mobile",
    "o",
    "organizationName",
    "ou",
    "pager",
    "postalAddress",
    "postalCode",
    "preferredLanguage",
    "preferredlocale",
    "preferredtimezone",
    "roomNumber",
    "sn",
    "st",
    "street",
    "sunIdentityMSISDNNumber",
    "telephoneNumber",
    "title",
    "uid",
];

/// Prefixes of attributes that an installation defines for itself.
const OPEN: &[&str] = &["custom-", "custom_", "fr-attr-", "frIndexed", "frUnindexed"];

/// Members that are shown and not set: what a reader sends back unchanged is accepted (AD-03).
const READ_ONLY: &[&str] =
    &["createTimestamp", "dn", "modifyTimestamp", "objectClass", "realm", "roles", "universalid", "username"];

/// The resource.
pub struct Users;

/// The stored spelling of an attribute's name; `None` for one that users do not have.
fn canonical(name: &str) -> Option<String> {
    if let Some(known) = ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return Some((*known).to_owned());
    }
    let open = OPEN.iter().any(|prefix| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)));
    let legal = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (open && legal).then(|| name.to_owned())
}

/// A value as it is stored: an array of strings.
fn attribute(name: &str, value: &Value) -> Result<Value, Error> {
    let one = |value: &Value| match value {
        Value::String(text) if text.len() <= MAX_VALUE_BYTES => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let values: Option<Vec<String>> = match value {
        Value::Null => Some(Vec::new()),
        Value::Array(values) if values.len() <= MAX_VALUES => values.iter().map(one).collect(),
        single => one(single).map(|text| vec![text]),
    };
    let values = values.ok_or_else(|| Error::invalid_value(name))?;
    if name == "inetUserStatus" {
        let known = |text: &str| ["Active", "Inactive"].into_iter().find(|status| status.eq_ignore_ascii_case(text));
        return match values.as_slice() {
            [status] => known(status).map(|status| json!([status])).ok_or_else(|| Error::invalid_value(name)),
            _ => Err(Error::invalid_value(name)),
        };
    }
    Ok(values.into())
}

/// The one value of a password member.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(values) => match values.as_slice() {
            [Value::String(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A user's content, taken apart.
struct Changes<'c> {
    username: Option<&'c str>,
    password: Option<&'c str>,
    attributes: Vec<(String, Value)>,
}

impl<'c> Changes<'c> {
    /// `current` is what a reader sees, for members that may be sent back unchanged.
    fn of(content: &'c Object, current: &Object) -> Result<Self, Error> {
        let mut changes = Self { username: None, password: None, attributes: Vec::new() };
        for (name, value) in content {
            if name == "_id" || name == "_rev" {
                continue;
            }
            if name.eq_ignore_ascii_case("username") {
                changes.username = Some(text(value).ok_or_else(|| Error::bad_request("Identity name not provided"))?);
            } else if name.eq_ignore_ascii_case(PASSWORD) {
                let password = text(value).filter(|password| is_secret(password));
                changes.password = Some(password.ok_or_else(|| Error::invalid_value(PASSWORD))?);
            } else if let Some(known) = canonical(name) {
                let value = attribute(&known, value)?;
                if changes.attributes.iter().any(|(other, _)| other.eq_ignore_ascii_case(&known)) {
                    return Err(Error::invalid_value(&known)); // twice, in two spellings
                }
                changes.attributes.push((known, value));
            } else if !READ_ONLY.contains(&name.as_str()) || current.get(name) != Some(value) {
                return Err(Error::invalid_attribute(ATTRIBUTES.iter().copied().chain([PASSWORD, "username"])));
            }
        }
        Ok(changes)
    }

    /// Writes the attributes into a stored body; an empty one goes away.
    fn apply(self, body: &mut Object) {
        for (name, value) in self.attributes {
            let stored = body.keys().find(|key| key.eq_ignore_ascii_case(&name)).cloned().unwrap_or(name);
            if value.as_array().is_some_and(Vec::is_empty) {
                body.remove(&stored);
            } else {
                body.insert(stored, value);
            }
        }
    }
}

/// What a stored user looks like to a reader: without the verifier. This is the only way out.
fn shown(realm: &RealmPath, revision: Seq, body: &Object, roles: bool) -> Item {
    let mut content: Object = body
        .iter()
        .filter(|(name, _)| *name != PASSWORD && (*name != "roles" || roles))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let name = body.get("username").and_then(Value::as_str).unwrap_or_default();
    content.insert("realm".into(), realm.as_str().into());
    content.entry("universalid").or_insert_with(|| json!([universal_id(realm, "user", name)]));
    Item::new(name, Some(revision), content)
}

/// d.3: what the store says about passwords that it does not take.
fn check_password(password: &str) -> Result<(), Error> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(Error::bad_request(format!("Minimum password length is {MIN_PASSWORD}.")));
    }
    Ok(())
}

fn not_found() -> Error {
    Error::new(404, "Resource cannot be found.")
}

fn status(body: &Object) -> Option<&str> {
    body.get("inetUserStatus").and_then(|status| status.get(0)).and_then(Value::as_str)
}

struct Stored {
    key: DocumentKey,
    revision: Seq,
    body: Object,
}

impl Users {
    fn find(&self, call: &Call<'_>, id: &str) -> Option<Stored> {
        let key = DocumentKey::new(call.realm, Kind::User, &user_id(id));
        let entry = call.desk.views().entry(&key)?;
        let body = entry.json().as_object().cloned().unwrap_or_default();
        Some(Stored { revision: entry.document.revision, key, body })
    }

    /// d.4: the old password proves that it is not a stolen session that asks.
    async fn change_password(&self, call: &Call<'_>, id: &str, content: &Object) -> Result<(), Error> {
        let missing = |name: &str| Error::bad_request(format!("'{name}' attribute not set in JSON content."));
        let given = |name: &str| content.get(name).and_then(text).ok_or_else(|| missing(name));
        let (new, old) = (given(PASSWORD)?, given("currentpassword")?);
        let Stored { key, revision, mut body } = self.find(call, id).ok_or_else(not_found)?;
        if *key.id == *ADMINISTRATOR_ID && key.realm == RealmPath::root() {
            return Err(Error::plain(403)); // g.1: not through this endpoint
        }
        let verifier = body.get(PASSWORD).and_then(Value::as_str);
        let attempt = Attempt::new(key.clone(), attempts::source(call.desk, call.request));
        if !attempts::guarded(call.desk, &attempt, call.desk.passwords().verify(verifier, old)).await? {
            return Err(Error::bad_request("Old password is incorrect."));
        }
        if !is_secret(new) {
            return Err(Error::invalid_value(PASSWORD));
        }
        check_password(new)?;
        body.insert(PASSWORD.into(), call.desk.passwords().hash(new).await?.into());
        // The revision that was verified: two changes at once cannot both have been right about the old password.
        call.write(put(key, Precondition::Revision(revision), &Value::Object(body), Vec::new(), true)).await?;
        Ok(())
    }
}

impl Resource for Users {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(2, 1), Version(3, 0), Version(4, 1)]
    }

    /// Users may read themselves, change their own password, and ask who they are; the rest is for administrators.
    fn permit(&self, call: &Call<'_>, id: Option<&str>, verb: &Verb) -> Result<(), Error> {
        let own = id.is_some_and(|id| call.is_user(&user_id(id)));
        match verb {
            Verb::Read(_) if own => Ok(()),
            Verb::Action(name, _) if own && name == "changePassword" => Ok(()),
            Verb::Action(name, _) if id.is_none() && name == "idFromSession" => call.signed_in().map(drop),
            _ => call.administrator(),
        }
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        // First, and before the slow hash: a PUT of a user that exists comes here before it becomes an update.
        if create.id.is_some_and(|id| self.find(call, id).is_some()) {
            return Err(create.taken(call, "Resource already exists"));
        }
        let name = create.id.or_else(|| create.content.get("username").and_then(text)).unwrap_or_default();
        let mut current = Object::new();
        current.insert("realm".into(), call.realm.as_str().into());
        current.insert("universalid".into(), json!([universal_id(call.realm, "user", name)]));
        let changes = Changes::of(create.content, &current)?;
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
        body.insert("universalid".into(), json!([universal_id(call.realm, "user", name)]));
        body.insert(PASSWORD.into(), call.desk.passwords().verifier(password).await?.into());
        changes.apply(&mut body);
        let write = put(key, Precondition::Absent, &Value::Object(body.clone()), Vec::new(), false);
        let revision = identity::create(call, write, name, Named::User).await.map_err(|error| match error {
            NotCreated::Taken => in_use(),
            NotCreated::Other(error) => create.refused(call, error, "Resource already exists"),
        })?;
        Ok(shown(call.realm, revision, &body, false))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let Stored { key, revision, body } = self.find(call, id).ok_or_else(not_found)?;
        Ok(shown(call.realm, revision, &body, call.is_user(&key.id)))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let absent = || Error::new(404, format!("Could not find the resource [ {id} ] to update"));
        let Stored { key, revision, mut body } = self.find(call, id).ok_or_else(absent)?;
        let when = unchanged(when, id, revision)?;
        if content.is_empty() {
            return Err(Error::bad_request("Illegal arguments: One or more required arguments is null or empty"));
        }
        let own = call.is_user(&key.id);
        let changes = Changes::of(content, &shown(call.realm, revision, &body, true).content)?;
        if changes.username.is_some_and(|username| user_id(username) != *key.id) {
            return Err(Error::bad_request("id in path does not match id in request body"));
        }
        let password = changes.password;
        if password.is_some() && own {
            return Err(Error::bad_request(
                "Cannot update user password via PUT. Use POST with _action=changePassword or _action=forgotPassword.",
            ));
        }
        let before = status(&body).map(str::to_owned);
        changes.apply(&mut body);
        body.entry("inetUserStatus").or_insert_with(|| json!(["Active"]));
        let turned = status(&body).map(str::to_owned) != before;
        if turned && key.realm == RealmPath::root() && *key.id == *ADMINISTRATOR_ID {
            return Err(Error::plain(403)); // nobody could sign in to undo it
        }
        if let Some(password) = password {
            check_password(password)?;
            body.insert(PASSWORD.into(), call.desk.passwords().verifier(password).await?.into());
        }
        let fence = turned || password.is_some();
        let write = put(key, when, &Value::Object(body.clone()), Vec::new(), fence);
        Ok(shown(call.realm, call.write(write).await?, &body, own))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let Stored { key, revision, body } = self.find(call, id).ok_or_else(not_found)?;
        if key.realm == RealmPath::root() && *key.id == *ADMINISTRATOR_ID {
            return Err(Error::plain(403)); // AD-08
        }
        call.write(delete(key, when.precondition())).await?;
        let item = shown(call.realm, revision, &body, false);
        if call.version < Version(4, 0) {
            let success = json!({"success": "true"});
            return Ok(Item { content: success.as_object().cloned().unwrap_or_default(), revision: None, ..item });
        }
        Ok(item)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = call.collect(Kind::User).await?;
        let items = all.into_iter().map(|(_, revision, body)| shown(call.realm, revision, &body, false));
        query.by_id_pattern(items, Names::AnyCase, Totals::Remaining)
    }

    async fn action(
        &self,
        call: &Call<'_>,
        id: Option<&str>,
        name: &str,
        content: &Object,
    ) -> Result<Option<Value>, Error> {
        match (id, name) {
            (Some(id), "changePassword") => {
                self.change_password(call, id, content).await?;
                Ok(Some(json!({})))
            }
            (None, "idFromSession") => {
                let caller = call.signed_in()?;
                Ok(Some(json!({
                    "id": caller.name(),
                    "realm": caller.realm().as_str(),
                    "dn": &*caller.session.data.universal_id,
                    "successURL": format!("{}/console", call.desk.front().context_path),
                    "fullLoginURL": null,
                })))
            }
            (None, "template") => Ok(Some(json!({"username": "", "inetUserStatus": ["Active"]}))),
            (None, "schema") => Ok(Some(schema())),
            (Some(_), _) => Err(Error::new(501, format!("{name} not supported for resource instances"))),
            (None, _) => Err(Error::unsupported()),
        }
    }
}

fn schema() -> Value {
    let list = |name: &&str| ((*name).to_owned(), json!({"title": name, "type": "array", "items": {"type": "string"}}));
    let mut properties: Object = ATTRIBUTES.iter().map(list).collect();
    properties.insert("username".into(), json!({"title": "User name", "type": "string", "required": true}));
    properties.insert(
        PASSWORD.into(),
        json!({"title": "Password", "type": "string", "format": "password", "required": true}),
    );
    json!({"type": "object", "properties": properties})
}

#[cfg(test)]
mod tests;
