//! `/json/global-config/realms` (authn-sessions-realms.md c.1).
//!
//! | c.1                                  | here                         |
//! |--------------------------------------|------------------------------|
//! | `_id` is base64url of the path       | `id_of`, `path_of`           |
//! | required fields, types               | `Fields::of`                 |
//! | characters, reserved names           | `check_name`, `check_alias`  |
//! | PUT only updates                     | `put_creates`, `update`      |
//! | delete: root 401, children 409       | `delete`                     |
//! | an alias names one realm             | `alias_writes`               |
//! | the caller's realm and descendants   | `permit`, `query`            |
//!
//! [`LegacyRealms`] is what older tools know. A realm's document lies in the top-level realm under its path. The top-level realm has none: it is always there.

mod legacy;

pub use legacy::LegacyRealms;

use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Returned,
        Shape, Totals, Verb, Version, describe::Ids, unchanged,
    },
    desk::{WriteError, delete, put},
    privileges::{Endpoint, Right},
    realms::from_parameter,
    rest::{authentication, authorization},
    views::Entry,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, Precondition, RealmPath, Refusal, Seq, Write, documents::RemoveRealm,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Characters that neither names nor aliases may have, by code point.
const FORBIDDEN: &[char] = &[' ', '"', '#', '$', '%', '&', '+', ',', '/', ':', ';', '<', '=', '>', '?', '@', '\\'];

/// Longest path, bytes: what a request can address.
const MAX_PATH_BYTES: usize = 512;

/// First path elements of endpoints, below `/json` and below `/oauth2`: a realm of that name could not be addressed by the
/// short forms.
pub(super) const RESERVED: &[&str] = &[
    "access_token",
    "agents",
    "applications",
    "applicationtypes",
    "audit",
    "authenticate",
    "authorize",
    "bc-authorize",
    "conditiontypes",
    "connect",
    "contexts",
    "dashboard",
    "decisioncombiners",
    "device",
    "endsession",
    "global-audit",
    "global-config",
    "groups",
    "health",
    "idtokeninfo",
    "introspect",
    "json",
    "libraries",
    "oauth2",
    "par",
    "policies",
    "realm-audit",
    "realm-config",
    "realms",
    "records",
    "register",
    "resource_set",
    "resourcetypes",
    "scripts",
    "selfservice",
    "serverinfo",
    "sessions",
    "stateless",
    "subjectattributes",
    "subjecttypes",
    "token",
    "tokeninfo",
    "tokens",
    "uma",
    "userinfo",
    "users",
    ".well-known",
];

/// The resource.
pub struct Realms;

/// What a realm's document holds, checked.
struct Fields {
    name: String,
    parent: RealmPath,
    active: bool,
    aliases: Vec<String>,
}

fn id_of(path: &str) -> String {
    URL_SAFE_NO_PAD.encode(path)
}

/// The path behind an id, or an error that names it.
fn path_of(id: &str) -> Result<RealmPath, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(id).ok();
    let path = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|path| path.starts_with('/'));
    path.map(RealmPath::from).ok_or_else(|| unreadable(id))
}

fn unreadable(path: &str) -> Error {
    Error::new(404, format!("Realm cannot be read: {path}"))
}

fn key(path: &RealmPath) -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::Realm, path.as_str())
}

fn child(parent: &RealmPath, name: &str) -> RealmPath {
    if *parent == RealmPath::root() { format!("/{name}") } else { format!("{parent}/{name}") }.into()
}

fn top_level() -> Item {
    let content = json!({"parentPath": null, "active": true, "name": "/", "aliases": []});
    Item::new(id_of("/"), Some(Seq(0)), content.as_object().cloned().unwrap_or_default())
}

/// `[ , ", #, …]`, as the reference lists a set.
fn forbidden() -> String {
    let listed: Vec<String> = FORBIDDEN.iter().map(char::to_string).collect();
    format!("[{}]", listed.join(", "))
}

fn has_forbidden(text: &str) -> bool {
    text.contains(FORBIDDEN) || text.chars().any(char::is_control)
}

fn check_name(name: &str) -> Result<(), Error> {
    if has_forbidden(name) {
        return Err(Error::bad_request(format!("Realm names cannot contain: {}", forbidden())));
    }
    // `.` and `..` would be no element of a path.
    if name == "." || name == ".." || RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(Error::bad_request(format!("Organization name {name} is invalid")));
    }
    Ok(())
}

fn check_alias(alias: &str) -> Result<(), Error> {
    if alias.is_empty() || has_forbidden(alias) {
        return Err(Error::bad_request(format!("Realm alias cannot contain: {}", forbidden())));
    }
    Ok(())
}

fn aliases(value: &Value) -> Result<Vec<String>, Error> {
    let wrong = || Error::bad_request("Wrong parameter type provided in aliases. Expected list");
    let aliases: Option<Vec<String>> =
        value.as_array().ok_or_else(wrong)?.iter().map(|alias| alias.as_str().map(str::to_owned)).collect();
    let aliases = aliases.ok_or_else(wrong)?;
    aliases.iter().try_for_each(|alias| check_alias(alias))?;
    Ok(aliases)
}

impl Fields {
    fn of(content: &Object) -> Result<Self, Error> {
        known(content)?;
        let given = |name: &str| {
            let value = content
                .get(name)
                .filter(|value| !value.is_null() && value.as_str().is_none_or(|s| !s.trim().is_empty()));
            value.ok_or_else(|| Error::bad_request(format!("No {name} parameter provided")))
        };
        let wrong = |name: &str, expected: &str| {
            Error::bad_request(format!("Wrong parameter type provided in {name}. Expected {expected}"))
        };
        let (name, parent) = (given("name")?, given("parentPath")?);
        let (active, listed) = (given("active")?, given("aliases")?);
        let name = name.as_str().ok_or_else(|| wrong("name", "string"))?;
        let parent = parent.as_str().ok_or_else(|| wrong("parentPath", "string"))?;
        let active = active.as_bool().ok_or_else(|| wrong("active", "boolean"))?;
        let aliases = aliases(listed)?;
        check_name(name)?;
        let parent = from_parameter(parent).ok_or_else(|| unreadable(parent))?;
        if child(&parent, name).as_str().len() > MAX_PATH_BYTES {
            return Err(Error::bad_request(format!("Organization name {name} is invalid")));
        }
        Ok(Self { name: name.to_owned(), parent, active, aliases })
    }

    fn body(&self) -> Object {
        let body = json!({
            "name": self.name, "parentPath": self.parent.as_str(), "active": self.active, "aliases": self.aliases,
        });
        body.as_object().cloned().unwrap_or_default()
    }

    /// Documents that must exist while the realm does.
    fn references(&self) -> Vec<DocumentKey> {
        if self.parent == RealmPath::root() { Vec::new() } else { vec![key(&self.parent)] }
    }
}

/// AD-03: members that a realm does not have are refused.
fn known(content: &Object) -> Result<(), Error> {
    let valid = ["name", "parentPath", "active", "aliases"];
    match content.keys().find(|name| !valid.contains(&name.as_str()) && !["_id", "_rev"].contains(&name.as_str())) {
        Some(_) => Err(Error::invalid_attribute(valid)),
        None => Ok(()),
    }
}

/// Where it is decided who has an alias, in lower case: a document of its own, that only one realm can create.
fn alias_key(alias: &str) -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::Settings, &format!("realm-alias/{}", alias.to_lowercase()))
}

/// Aliases in the form that is compared.
fn folded(aliases: &[String]) -> BTreeSet<String> {
    aliases.iter().map(|alias| alias.to_lowercase()).collect()
}

/// Writes that give the realm at `own` the aliases `wanted` in the place of `former`: in the entry that writes the realm, so
/// that of two realms that want the same one gets it. What a realm had that is gone is there for the taking.
fn alias_writes(call: &Call<'_>, own: &RealmPath, former: &[String], wanted: &[String]) -> Vec<Write> {
    let (former, wanted) = (folded(former), folded(wanted));
    let given_up = former.difference(&wanted).filter_map(|alias| {
        let key = alias_key(alias);
        let entry = call.desk.views().entry(&key)?;
        let is_own = entry.json().get("realm").and_then(Value::as_str) == Some(own.as_str());
        is_own.then(|| delete(key, Precondition::Revision(entry.document.revision)))
    });
    let taken = wanted.difference(&former).map(|alias| {
        let key = alias_key(alias);
        // That nobody who is there has it was looked at; that nobody has taken it since is decided in the log.
        let when = match call.desk.views().entry(&key) {
            Some(entry) => Precondition::Revision(entry.document.revision),
            None => Precondition::Absent,
        };
        put(key, when, &json!({"realm": own.as_str()}), Vec::new(), false)
    });
    given_up.chain(taken).collect()
}

/// A refused write in the words of c.1, if it was about an alias.
fn alias_taken(error: &WriteError) -> Option<Error> {
    let WriteError::Refused(Refusal::Exists(key) | Refusal::Stale { key, .. } | Refusal::Missing(key)) = error else {
        return None;
    };
    key.id.strip_prefix("realm-alias/").filter(|_| key.kind == Kind::Settings).map(in_use)
}

fn in_use(alias: &str) -> Error {
    Error::new(409, format!("The realm alias {alias} is already in use."))
}

/// An alias counts for the whole cluster, and a host's name is one: whoever could give a realm any name would be visited by
/// the users of another. So it takes the right to the top-level realm.
fn may_name(call: &Call<'_>, former: &[String], wanted: &[String]) -> Result<(), Error> {
    let may = call.signed_in()?.may(Endpoint::Realms, Right::Modify, &RealmPath::root());
    if may || folded(former) == folded(wanted) { Ok(()) } else { Err(Error::insufficient_privileges()) }
}

/// The realm above; of the top-level realm itself.
fn parent_of(path: &RealmPath) -> RealmPath {
    match path.as_str().rsplit_once('/') {
        Some(("", _)) | None => RealmPath::root(),
        Some((parent, _)) => parent.into(),
    }
}

/// The aliases of a stored realm.
fn former_aliases(entry: &Entry) -> Vec<String> {
    let aliases = entry.json().get("aliases").and_then(Value::as_array).into_iter().flatten();
    aliases.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An alias names one realm, as far as this node has seen: a kind word before the work. The write decides.
async fn check_aliases_free(call: &Call<'_>, own: &RealmPath, aliases: &[String]) -> Result<(), Error> {
    for (path, _, content) in call.collect(Kind::Realm) {
        let taken = content.get("aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for alias in taken.filter(|_| *path != *own.as_str()) {
            if aliases.iter().any(|wanted| wanted.eq_ignore_ascii_case(alias)) {
                return Err(in_use(alias));
            }
        }
    }
    Ok(())
}

impl Resource for Realms {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Realms", "Their ids are base64url of their paths")
            .written(schema())
            .ids(Ids::Server)
            .action(ActionDescription::new("template", "Defaults of a realm"))
            .action(ActionDescription::new("schema", "The JSON schema of a realm"))
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Realms
    }

    /// Whoever may read realms sees the realm of the login and those below; whoever administers a realm makes, changes and
    /// deletes realms below it, and not that realm itself (AD-02).
    fn permit(&self, call: &Call<'_>, id: Option<&str>, verb: &Verb) -> Result<(), Error> {
        let caller = call.signed_in()?;
        let path = id.map(path_of).transpose().unwrap_or_default();
        let top = RealmPath::root();
        let may = match (verb, &path) {
            (Verb::Create(content) | Verb::Put(content), None) => {
                let parent = content.get("parentPath").and_then(Value::as_str).and_then(from_parameter);
                caller.may(Endpoint::Realms, Right::Modify, parent.as_ref().unwrap_or(&top))
            }
            (Verb::Read(_), Some(path)) => caller.may(Endpoint::Realms, Right::Read, path),
            (Verb::Read(_) | Verb::Query(_) | Verb::Action(..), _) => {
                caller.may(Endpoint::Realms, Right::Read, caller.realm())
            }
            (_, Some(path)) => caller.may(Endpoint::Realms, Right::Modify, &parent_of(path)),
            (_, None) => caller.may(Endpoint::Realms, Right::Modify, &top),
        };
        if may { Ok(()) } else { Err(Error::insufficient_privileges()) }
    }

    fn put_creates(&self) -> bool {
        false
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        if create.id.is_some() {
            return Err(Error::new(501, "Cannot provide ID for Realm resource"));
        }
        let mut fields = Fields::of(create.content)?;
        let all = call.collect(Kind::Realm);
        let stored = |path: &RealmPath| all.iter().find(|(known, ..)| known.eq_ignore_ascii_case(path.as_str()));
        if fields.parent != RealmPath::root() {
            let (parent, ..) = stored(&fields.parent).ok_or_else(|| unreadable(fields.parent.as_str()))?;
            fields.parent = RealmPath(parent.clone());
        }
        let path = child(&fields.parent, &fields.name);
        may_name(call, &[], &fields.aliases)?;
        let taken = || create.taken(call, format!("The realm {path} already exists."));
        if stored(&path).is_some() {
            return Err(taken());
        }
        check_aliases_free(call, &path, &fields.aliases).await?;
        let body = fields.body();
        let write = put(key(&path), Precondition::Absent, &Value::Object(body.clone()), fields.references(), false);
        // What a realm has is there with it, or neither is.
        let writes = std::iter::once(write).chain(authorization::built_in::writes(&path));
        let writes = writes.chain(authentication::built_in::writes(&path)).collect();
        let writes = [writes, alias_writes(call, &path, &[], &fields.aliases)].concat();
        match call.write_all(writes).await {
            Ok(revision) => Ok(Item::new(id_of(path.as_str()), Some(revision), body)),
            Err(WriteError::Refused(Refusal::Exists(key))) if key.kind != Kind::Settings => Err(taken()),
            Err(WriteError::Refused(Refusal::Dangling(parent))) => Err(unreadable(&parent.id)),
            Err(other) => Err(alias_taken(&other).unwrap_or_else(|| other.into())),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let path = path_of(id)?;
        if path == RealmPath::root() {
            return Ok(top_level());
        }
        let entry = call.desk.document(&RealmPath::root(), Kind::Realm, path.as_str());
        let entry = entry.ok_or_else(|| unreadable(path.as_str()))?;
        let content = entry.json().as_object().cloned().unwrap_or_default();
        Ok(Item::new(id, Some(entry.document.revision), content))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let path = path_of(id)?;
        if path == RealmPath::root() {
            return Err(Error::unsupported()); // nothing of the top-level realm can be changed
        }
        let entry = call.desk.document(&RealmPath::root(), Kind::Realm, path.as_str());
        let entry = entry.ok_or_else(|| unreadable(path.as_str()))?;
        let when = unchanged(when, id, entry.document.revision)?;
        known(content)?;
        if content.get("active").is_some_and(|active| !active.is_boolean()) {
            return Err(Error::bad_request("Invalid attribute values"));
        }
        // What is left out stays; what is there is checked as on creation.
        let mut merged = entry.json().as_object().cloned().unwrap_or_default();
        merged.extend(content.iter().filter(|(name, _)| !name.starts_with('_')).map(|(n, v)| (n.clone(), v.clone())));
        let fields = Fields::of(&merged)?;
        if !child(&fields.parent, &fields.name).as_str().eq_ignore_ascii_case(path.as_str()) {
            return Err(Error::bad_request("Realm name in URL does not match realm name in request body"));
        }
        let former = former_aliases(&entry);
        may_name(call, &former, &fields.aliases)?;
        check_aliases_free(call, &path, &fields.aliases).await?;
        let mut body = entry.json().as_object().cloned().unwrap_or_default();
        body.insert("active".into(), fields.active.into());
        body.insert("aliases".into(), fields.aliases.clone().into());
        let write = put(key(&path), when, &Value::Object(body.clone()), entry.document.references.clone(), false);
        let writes = [vec![write], alias_writes(call, &path, &former, &fields.aliases)].concat();
        let revision =
            call.write_all(writes).await.map_err(|error| alias_taken(&error).unwrap_or_else(|| error.into()))?;
        Ok(Item::new(id, Some(revision), body))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let path = path_of(id)?;
        if path == RealmPath::root() {
            return Err(Error::new(401, "Unauthorized-Cannot delete root suffix"));
        }
        let entry = call.desk.document(&RealmPath::root(), Kind::Realm, path.as_str());
        let entry = entry.ok_or_else(|| unreadable(path.as_str()))?;
        let command = match unchanged(when, id, entry.document.revision)? {
            // A caller who names a revision means the realm as it was then, and nobody's later change of it.
            revision if *when != Match::Any => {
                Command::RemoveRealm(RemoveRealm { realm: path.clone(), when: revision })
            }
            _ => Command::DeleteRealm(path.clone()),
        };
        match call.desk.propose(command).await? {
            Outcome::Refused(Refusal::Referenced { .. }) => {
                Err(Error::new(409, "Sub Organization cannot be deleted. Sub entries exist."))
            }
            Outcome::Refused(Refusal::Missing(_)) => Err(unreadable(path.as_str())),
            Outcome::Refused(Refusal::Stale { .. }) => Err(Error::stale(id)),
            Outcome::Refused(refusal) => Err(refusal.into()),
            Outcome::Written(_) | Outcome::Done | Outcome::Issued { .. } => {
                let content = entry.json().as_object().cloned().unwrap_or_default();
                Ok(Item::new(id, Some(entry.document.revision), content))
            }
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let of_caller = call.signed_in()?.realm();
        let all = call.collect(Kind::Realm);
        let seen = all.into_iter().filter(|(path, ..)| RealmPath(path.clone()).is_within(of_caller));
        let seen = seen.map(|(path, revision, content)| Item::new(id_of(&path), Some(revision), content));
        let top = (*of_caller == RealmPath::root()).then(top_level);
        query.answer_all(top.into_iter().chain(seen), Totals::Unpaged)
    }

    async fn action(&self, _: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "template") => Ok(json!({"parentPath": "/", "active": true}).into()),
            (None, "schema") => Ok(schema().into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

fn schema() -> Value {
    let text = |title: &str| json!({"title": title, "type": "string", "required": true});
    json!({
        "type": "object",
        "properties": {
            "name": text("Name"),
            "parentPath": text("Parent"),
            "active": {"title": "Active", "type": "boolean", "required": true},
            "aliases": {"title": "Aliases", "type": "array", "items": {"type": "string"}, "required": true},
        },
    })
}

#[cfg(test)]
mod tests;
