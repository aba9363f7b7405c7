//! `/json/{realm}/scripts`, `/json/{realm}/libraries`, and what scripts are for (authn-sessions-realms.md part e; scripting.md §2,
//! §3, §20, §21). Nothing is executed here.
//!
//! | reference                                            | here                      |
//! |------------------------------------------------------|---------------------------|
//! | e.1 fields, who sets which                           | [`model`]                 |
//! | e.1 create, update, delete, `validate`; errors       | `Scripts`                 |
//! | e.1 a name is given once, letter case ignored        | `reservation`             |
//! | e.1 filters                                          | [`query`]                 |
//! | e.1 libraries                                        | [`Libraries`]             |
//! | e.2 contexts and engines                             | [`contexts`]              |
//! | e.3 `validate`                                       | [`syntax`]                |
//! | scripting.md §21: shipped scripts                    | [`built_in`]              |
//!
//! A document holds the script as it is shown, without `_id`. A shipped script has a document in a realm once it was changed
//! there; until then it is what [`built_in`] has. Whoever runs scripts asks [`find`].

pub mod built_in;
pub mod contexts;
pub mod model;
pub mod query;
pub mod syntax;
#[cfg(test)]
mod tests;

use super::{Csrf, Routes, Scope, descriptors};
use crate::{
    consensus::Unavailable,
    crest::{
        Call, Create, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource, Returned, Shape,
        Version, unchanged,
    },
    desk::{Desk, WriteError, delete, put},
};
use model::{Author, Script};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Seq, Write};
use serde_json::{Value, json};

/// Kinds of documents that name scripts by their ids.
const USERS: [Kind; 8] = [
    Kind::Node,
    Kind::Service,
    Kind::OAuth2Client,
    Kind::Agent,
    Kind::AgentGroup,
    Kind::Policy,
    Kind::AuthenticationModule,
    Kind::GlobalService,
];

/// How often a deletion starts over when others change the script meanwhile.
const ATTEMPTS: usize = 4;

/// The scripts of a realm.
pub struct Scripts;

/// The scripts that other scripts use; read-only.
pub struct Libraries;

/// Adds the resources of scripts.
pub fn routes(routes: Routes) -> Routes {
    routes
        .resource(Scope::Realm, "scripts", Scripts)
        .resource(Scope::Realm, "libraries", Libraries)
        .resource(Scope::Realm, "contexts", contexts::Bindings)
        .resource(Scope::Global, "global-config/services/scripting", contexts::Scripting)
        .plain(Scope::Global, contexts::PATH, Csrf::Own, contexts::handle)
        .described(descriptors::script_contexts())
}

fn key(realm: &RealmPath, id: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::Script, id)
}

/// A script of a realm, its own or a shipped one. Pass the barrier first.
pub fn find(desk: &Desk, realm: &RealmPath, id: &str) -> Option<Script> {
    match desk.document(realm, Kind::Script, id) {
        Some(entry) => entry.json().as_object().and_then(Script::of_stored),
        None => built_in::find(id).map(built_in::BuiltIn::script),
    }
}

/// All scripts of a realm, by id: its own, and the shipped ones that it has not changed.
async fn all(call: &Call<'_>) -> Result<Vec<(String, Script)>, Error> {
    let own = call.collect(Kind::Script);
    let is_own = |id: &str| own.iter().any(|(known, ..)| **known == *id);
    let shipped = built_in::SCRIPTS.iter().filter(|script| !is_own(script.id));
    let mut all: Vec<(String, Script)> = shipped.map(|script| (script.id.to_owned(), script.script())).collect();
    all.extend(own.iter().filter_map(|(id, _, body)| Some((id.to_string(), Script::of_stored(body)?))));
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(all)
}

fn unknown(call: &Call<'_>, id: &str) -> Error {
    Error::new(404, format!("Script with UUID {id} could not be found in realm {}", call.realm))
}

fn taken(call: &Call<'_>, name: &str) -> Error {
    Error::new(409, format!("Script with name {name} already exist in realm {}", call.realm))
}

/// The document that holds the name of a script, whatever its letter case. It is written and removed in the log entries that
/// write and remove the script, so that of two administrators at two nodes one gets a name; and it refers to the script, so
/// that it does not outlive it. Shipped scripts that a realm never changed have no documents: their names are known.
fn reservation(realm: &RealmPath, name: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::Settings, &format!("script-name/{}", name.to_lowercase()))
}

fn reserve(realm: &RealmPath, id: &str, name: &str) -> Write {
    put(reservation(realm, name), Precondition::Absent, &json!({"id": id}), vec![key(realm, id)], false)
}

/// To give a script's name back, if it holds it.
fn release(call: &Call<'_>, id: &str, name: &str) -> Option<Write> {
    let held = reservation(call.realm, name);
    let entry = call.desk.views().entry(&held).filter(|entry| entry.json()["id"] == id)?;
    Some(delete(held, Precondition::Revision(entry.document.revision)))
}

/// Whether the name of a script is free, as far as this node has seen: a kind word before the work, and for the names of
/// shipped scripts. [`reservation`] decides.
async fn name_is_free(call: &Call<'_>, id: &str, name: &str) -> Result<(), Error> {
    let folded = name.to_lowercase();
    match all(call).await?.iter().any(|(known, script)| known != id && script.name.to_lowercase() == folded) {
        true => Err(taken(call, name)),
        false => Ok(()),
    }
}

/// How many documents of the realm name a script. For a handful of deletions a year, documents are looked through.
async fn uses(call: &Call<'_>, id: &str) -> Result<usize, Error> {
    let quoted = Value::from(id).to_string();
    let mut count = 0;
    for kind in USERS {
        let names_it = |body: &[u8]| std::str::from_utf8(body).is_ok_and(|body| body.contains(&quoted));
        count += call.desk.rows(call.realm, kind).iter().filter(|row| names_it(&row.entry.document.body)).count();
    }
    Ok(count)
}

fn in_use(name: &str, count: usize) -> Error {
    let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
    Error::new(409, format!("The script {name} is used {times}"))
}

fn author(call: &Call<'_>) -> Result<Author, Error> {
    let id = call.signed_in()?.session.data.universal_id.to_string();
    Ok(Author { id, at: i64::try_from(crate::host::now().0).unwrap_or(i64::MAX) })
}

/// The source is kept as it is; that it does not compile is worth a line in the log (scripting.md §2).
async fn compiled(call: &Call<'_>, id: &str, script: &Script) {
    if let Ok(syntax) = syntax::check(script.source.clone()).await
        && let Some(mistake) = syntax.mistakes.first()
    {
        let (realm, line, column) = (call.realm.as_str(), mistake.line, mistake.column);
        tracing::warn!(script = id, realm, line, column, "a script that does not compile was stored");
    }
}

impl Scripts {
    /// To store a script that has no document yet, and its name.
    fn creating(call: &Call<'_>, id: &str, script: &Script) -> Vec<Write> {
        let body = Value::Object(script.to_json());
        let own = put(key(call.realm, id), Precondition::Absent, &body, Vec::new(), false);
        vec![own, reserve(call.realm, id, &script.name)]
    }
}

/// As it is shown: a library with what it exports, as far as that can be told.
async fn item(id: &str, revision: Option<Seq>, script: &Script) -> Item {
    let mut content = script.to_json();
    if script.context == contexts::LIBRARY {
        let exports = syntax::check(script.source.clone()).await.unwrap_or_default().exports;
        content.insert("exports".into(), exports.iter().map(syntax::Export::to_json).collect());
    }
    Item::new(id, revision, content)
}

/// e.3: whether a source compiles.
async fn validate(content: &Object) -> Result<Value, Error> {
    let source = model::source(content)?;
    model::language(content)?;
    let mistakes = syntax::check(source).await?.mistakes;
    Ok(match mistakes.is_empty() {
        true => json!({"success": true}),
        false => {
            let errors: Vec<Value> = mistakes.iter().map(syntax::Mistake::to_json).collect();
            json!({"success": false, "errors": errors})
        }
    })
}

impl Resource for Scripts {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 1)]
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let fresh = uuid::Uuid::new_v4().to_string();
        let id = create.id.unwrap_or(&fresh);
        if uuid::Uuid::try_parse(id).is_err() {
            return Err(Error::bad_request("The ID of a script is a UUID"));
        }
        let exists = format!("Script with UUID {id} already exists in realm {}", call.realm);
        if find(call.desk, call.realm, id).is_some() {
            return Err(create.taken(call, exists));
        }
        let script = Script::created(create.content, author(call)?)?;
        name_is_free(call, id, &script.name).await?;
        compiled(call, id, &script).await;
        match call.write_all(Self::creating(call, id, &script)).await {
            Ok(revision) => Ok(item(id, Some(revision), &script).await),
            Err(WriteError::Refused(Refusal::Exists(key))) if key.kind == Kind::Settings => {
                Err(taken(call, &script.name))
            }
            Err(error) => Err(create.refused(call, error, &exists)),
        }
    }

    /// Without revision, as the reference.
    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let script = find(call.desk, call.realm, id).ok_or_else(|| unknown(call, id))?;
        Ok(item(id, None, &script).await)
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let former = find(call.desk, call.realm, id).ok_or_else(|| unknown(call, id))?;
        let revision = call.desk.document(call.realm, Kind::Script, id).map(|entry| entry.document.revision);
        let when = unchanged(when, id, revision.unwrap_or(Seq(0)))?;
        let script = former.updated(content, author(call)?)?;
        name_is_free(call, id, &script.name).await?;
        compiled(call, id, &script).await;
        let writes = match revision {
            // A shipped script becomes the realm's own when it is changed.
            None => Self::creating(call, id, &script),
            Some(_) => {
                let body = Value::Object(script.to_json());
                let mut writes = vec![put(key(call.realm, id), when, &body, Vec::new(), false)];
                let held = release(call, id, &former.name);
                let keeps = reservation(call.realm, &former.name) == reservation(call.realm, &script.name);
                if !keeps || held.is_none() {
                    writes.extend(held);
                    writes.push(reserve(call.realm, id, &script.name));
                }
                writes
            }
        };
        match call.write_all(writes).await {
            Ok(_) => Ok(item(id, None, &script).await),
            Err(WriteError::Refused(Refusal::Exists(key))) if key.kind == Kind::Settings => {
                Err(taken(call, &script.name))
            }
            // Somebody renamed it meanwhile: once more.
            Err(WriteError::Refused(Refusal::Missing(key) | Refusal::Stale { key, .. }))
                if key.kind == Kind::Settings =>
            {
                Err(Error::stale(id))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        for _ in 0..ATTEMPTS {
            let script = find(call.desk, call.realm, id).ok_or_else(|| unknown(call, id))?;
            if script.default {
                return Err(Error::new(403, format!("Default script {} cannot be deleted", script.name)));
            }
            let count = uses(call, id).await?;
            if count > 0 {
                return Err(in_use(&script.name, count));
            }
            let entry = call.desk.document(call.realm, Kind::Script, id).ok_or_else(|| unknown(call, id))?;
            let last = delete(key(call.realm, id), unchanged(when, id, entry.document.revision)?);
            let writes = release(call, id, &script.name).into_iter().chain([last]).collect();
            match call.write_all(writes).await {
                Ok(_) => return Ok(Item::new(id, None, Object::new())),
                // A node came between.
                Err(WriteError::Refused(Refusal::Referenced { by, .. })) if by.kind != Kind::Settings => {
                    return Err(in_use(&script.name, 1));
                }
                // Somebody changed, renamed or deleted it meanwhile.
                Err(WriteError::Refused(Refusal::Missing(_) | Refusal::Stale { .. } | Refusal::Referenced { .. })) => {
                    call.desk.barrier().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Unavailable::Overloaded.into())
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let filter = query::parsed(query)?;
        let mut items = Vec::new();
        for (id, script) in all(call).await?.into_iter().filter(|(id, script)| filter.selects(id, script)) {
            items.push(item(&id, None, &script).await);
        }
        crate::rest::authorization::filter::present(query, items)
    }

    async fn action(&self, _: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "validate") => validate(content).await.map(Returned::from),
            _ => Err(Error::no_action(name)),
        }
    }
}

impl Resource for Libraries {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    /// They are written as the scripts that they are.
    fn describe(&self) -> Description {
        Description::of(Shape::Collection).can([Operation::Read, Operation::Query])
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let script = find(call.desk, call.realm, id).filter(|script| script.context == contexts::LIBRARY);
        Ok(item(id, None, &script.ok_or_else(|| unknown(call, id))?).await)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let filter = query::parsed(query)?;
        let selected =
            |(id, script): &(String, Script)| script.context == contexts::LIBRARY && filter.selects(id, script);
        let mut items = Vec::new();
        for (id, script) in all(call).await?.into_iter().filter(selected) {
            items.push(item(&id, None, &script).await);
        }
        crate::rest::authorization::filter::present(query, items)
    }
}
