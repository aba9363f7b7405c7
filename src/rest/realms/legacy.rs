//! `/json/{realm}/realms` (authn-sessions-realms.md c.2): realms by their names below the realm of the request, as tools from
//! before `global-config/realms` know them. It has no rules of its own: everything is done by [`Realms`], in whose words
//! refusals come.
//!
//! | c.2                                              | here                                          |
//! |--------------------------------------------------|-----------------------------------------------|
//! | `toplevelrealm` is the top-level realm           | [`LegacyRealms`]: `place`                     |
//! | create `{"realm": "x"}`, also by PUT             | `create`                                      |
//! | `GET /x`: names of its services                  | `read`                                        |
//! | `sunOrganizationStatus`, `sunOrganizationAliases`| `modern`                                      |
//! | a query lists paths, as strings                  | `query`                                       |
//!
//! Which services a realm has is said where they are configured: `serviceNames` may be sent back as they were read, and
//! nothing else.

use super::{Realms, child, id_of, parent_of};
use crate::{
    crest::{
        Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Verb, Version,
    },
    privileges::{Endpoint, Right},
    rest::services,
};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every realm has it.
const AUTHENTICATION: &str = "iPlanetAMAuthService";

/// Services that go by another name here, with their ids.
const NAMES: &[(&str, &str)] = &[
    ("OAuth2Provider", services::PROVIDER),
    ("iPlanetAMSessionService", "session"),
    ("validationService", "validation"),
    ("AuditService", "audit"),
    ("dashboardService", "dashboard"),
    ("amSessionPropertyWhitelist", "amSessionPropertyWhitelist"),
    ("baseurl", "baseurl"),
    ("RemoteConsentService", "RemoteConsentService"),
];

/// The resource.
pub struct LegacyRealms;

/// The realm that `id` names below that of the request.
fn place(call: &Call<'_>, id: &str) -> Result<RealmPath, Error> {
    match id {
        "toplevelrealm" => Ok(RealmPath::root()),
        // One level: what decodes to a separator is no name (AD-01).
        id if id.is_empty() || id.contains('/') => Err(Error::not_found()),
        id => Ok(child(call.realm, id)),
    }
}

/// The same request, as one for the collection of all realms, which is in none but the top-level one.
fn of_all<'c>(call: &Call<'c>, top: &'c RealmPath) -> Call<'c> {
    Call {
        desk: call.desk,
        realm: top,
        caller: call.caller,
        params: call.params,
        protocol: call.protocol,
        version: call.version,
        request: call.request,
        fields: call.fields,
        pretty: call.pretty,
        written: call.written.clone(),
    }
}

/// What `content` says, in the words of [`Realms`].
fn modern(content: &Object) -> Result<Object, Error> {
    let known = ["realm", "sunOrganizationStatus", "sunOrganizationAliases", "serviceNames", "_id", "_rev"];
    if content.keys().any(|name| !known.contains(&name.as_str())) {
        return Err(Error::invalid_attribute(known));
    }
    let mut modern = Object::new();
    match content.get("sunOrganizationStatus") {
        None | Some(Value::Null) => {}
        Some(Value::String(status)) if status.eq_ignore_ascii_case("Active") => {
            modern.insert("active".into(), true.into());
        }
        Some(Value::String(status)) if status.eq_ignore_ascii_case("Inactive") => {
            modern.insert("active".into(), false.into());
        }
        Some(_) => return Err(Error::invalid_value("sunOrganizationStatus")),
    }
    match content.get("sunOrganizationAliases") {
        None | Some(Value::Null) => {}
        Some(Value::String(alias)) if alias.is_empty() => drop(modern.insert("aliases".into(), json!([]))),
        Some(Value::String(alias)) => drop(modern.insert("aliases".into(), json!([alias]))),
        Some(aliases @ Value::Array(_)) => drop(modern.insert("aliases".into(), aliases.clone())),
        Some(_) => return Err(Error::invalid_value("sunOrganizationAliases")),
    }
    Ok(modern)
}

/// Names of the services that the realm at `path` has.
fn service_names(call: &Call<'_>, path: &RealmPath) -> BTreeSet<&'static str> {
    let has = |id: &str| call.desk.document(path, Kind::Service, id).is_some();
    let created = NAMES.iter().filter(|(_, id)| has(id)).map(|(name, _)| *name);
    created.chain([AUTHENTICATION]).collect()
}

fn told(id: &str, content: Value) -> Item {
    Item { id: id.to_owned(), revision: None, content: content.as_object().cloned().unwrap_or_default() }
}

impl Resource for LegacyRealms {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Realms, legacy", "By their names below the realm of the request")
            .listing_ids()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Realms
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    /// As [`Realms`]: whoever administers a realm makes, changes and deletes realms below it, and not that realm itself.
    fn permit(&self, call: &Call<'_>, id: Option<&str>, verb: &Verb) -> Result<(), Error> {
        let caller = call.signed_in()?;
        let path = id.map(|id| place(call, id)).transpose().ok().flatten();
        let may = match (verb, &path) {
            (Verb::Read(_), Some(path)) => caller.may(Endpoint::Realms, Right::Read, path),
            (Verb::Read(_) | Verb::Query(_) | Verb::Action(..), _) => {
                caller.may(Endpoint::Realms, Right::Read, caller.realm())
            }
            (_, Some(path)) => caller.may(Endpoint::Realms, Right::Modify, &parent_of(path)),
            (_, None) => caller.may(Endpoint::Realms, Right::Modify, call.realm),
        };
        if may { Ok(()) } else { Err(Error::insufficient_privileges()) }
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let named = create.content.get("realm").and_then(Value::as_str).map(|name| name.trim_start_matches('/'));
        let name = match (create.id, named) {
            (Some("toplevelrealm"), _) => return Err(create.taken(call, "The realm / already exists.")),
            (Some(id), Some(named)) if id != named => {
                return Err(Error::bad_request("Realm name in URL does not match realm name in request body"));
            }
            (Some(name), _) | (None, Some(name)) if !name.is_empty() => name,
            _ => return Err(Error::bad_request("No realm name provided.")),
        };
        let mut content = modern(create.content)?;
        content.insert("name".into(), name.into());
        content.insert("parentPath".into(), call.realm.as_str().into());
        content.entry("active").or_insert(Value::Bool(true));
        content.entry("aliases").or_insert_with(|| json!([]));
        let top = RealmPath::root();
        let all = of_all(call, &top);
        let created = Realms.create(&all, Create { id: None, content: &content }).await;
        call.written.set(all.written.get());
        // Whether the id came with the path decides what is said of one that is taken.
        let taken = |error: Error| if error.code() == 409 { create.taken(call, error.message()) } else { error };
        created.map_err(taken)?;
        Ok(told(name, json!({"realmCreated": child(call.realm, name).as_str()})))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let path = place(call, id)?;
        if !call.desk.realm_exists(&path) {
            return Err(Error::not_found());
        }
        let names: Vec<&str> = service_names(call, &path).into_iter().collect();
        Ok(told(id, json!({"serviceNames": names})))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let path = place(call, id)?;
        if !call.desk.realm_exists(&path) {
            return Err(Error::not_found());
        }
        let modern = modern(content)?;
        if let Some(wanted) = content.get("serviceNames") {
            let wanted: Option<BTreeSet<&str>> =
                wanted.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
            if wanted.as_ref() != Some(&service_names(call, &path)) {
                let text =
                    "Services are assigned to a realm at realm-config/services; serviceNames cannot be changed here.";
                return Err(Error::bad_request(text));
            }
        }
        if !modern.is_empty() || *when != Match::Any {
            let top = RealmPath::root();
            let all = of_all(call, &top);
            Realms.update(&all, &id_of(path.as_str()), &modern, when).await?;
            call.written.set(all.written.get());
        }
        Ok(told(id, json!({"realmUpdated": path.as_str()})))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let path = place(call, id)?;
        Realms.delete(call, &id_of(path.as_str()), when).await?;
        Ok(told(id, json!({"success": "true"})))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let of_caller = call.signed_in()?.realm();
        let all = call.desk.rows(&RealmPath::root(), Kind::Realm);
        let below = all.iter().map(|row| RealmPath(row.id.clone()));
        let root = RealmPath::root();
        let seen = std::iter::once(root).chain(below);
        let seen = seen.filter(|path| path.is_within(of_caller) && path.is_within(call.realm));
        let listing = query.answer_all(seen.map(|path| told(path.as_str(), json!({}))), Totals::Unpaged)?;
        Ok(Listing { names_only: true, ..listing })
    }
}

#[cfg(test)]
mod tests;
