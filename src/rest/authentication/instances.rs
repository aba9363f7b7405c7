//! Configuration objects whose type stands in their path: `nodes/{type}/{id}` (authn-sessions-realms.md a.14) and
//! `modules/{type}/{name}` (a.18).
//!
//! | a.14                                                        | here                  |
//! |-------------------------------------------------------------|-----------------------|
//! | actions and queries of all types                            | [`AllTypes`]          |
//! | actions, queries and members of one type                    | [`OfType`]            |
//! | `_type`, `_outcomes`; ignored when they are sent            | `Family::item`        |
//! | passwords read back as `null`; `null` keeps them            | [`super::secrets`]    |
//! | a type that nobody knows: 404, unless something is stored   | `OfType::known`       |
//! | a.15: unknown types are stored and returned opaquely        | `OfType::checked`     |
//!
//! A document's id is `{type}/{id}`; it holds the attributes, defaults included.

use super::{
    catalogue::{ConfigType, Outcome, Outcomes},
    secrets,
};
use crate::{
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Returned, Shape, Totals, Version, unchanged,
    },
    desk::{WriteError, delete, put},
    rest::{PlainCall, identity::is_name, schema::LeftOut, typed},
};
use actix_web::HttpResponse;
use quorate_raft::{DocumentKey, Kind, Precondition, Refusal, Seq, Write};
use serde_json::{Value, json};

/// Longest stored configuration, bytes of JSON.
const MAX_BYTES: usize = 64 << 10;

/// Most attributes of a type that nobody knows.
const MAX_ATTRIBUTES: usize = 200;

const EXISTS: &str = "Unable to save config: Service already exists";

/// All objects of a kind, whatever their type.
#[derive(Debug)]
pub struct Family {
    /// Where they are served, below the realm.
    pub path: &'static str,
    /// Their documents.
    pub kind: Kind,
    /// The types.
    pub types: fn() -> Vec<&'static ConfigType>,
    /// The versions of their resources.
    pub versions: &'static [Version],
    /// Whether they are nodes: with outcomes.
    pub nodes: bool,
}

/// Whether a path element can be the name of a type.
pub fn is_type_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=128).contains(&name.len()) && name.bytes().all(legal) && name.bytes().any(|b| b != b'.')
}

/// Serves a family.
pub async fn handle(family: &'static Family, call: PlainCall) -> HttpResponse {
    typed::serve(call, family.path, |rest| match rest {
        [] => Ok(typed::Pointed::whole(AllTypes(family))),
        [of_type] if is_type_name(of_type) => Ok(typed::Pointed::whole(family.of_type(of_type))),
        [of_type, id] if is_type_name(of_type) => Ok(typed::Pointed::member(family.of_type(of_type), id)),
        _ => Err(typed::nowhere(rest)),
    })
    .await
}

/// The objects of all types.
pub struct AllTypes(pub &'static Family);

/// The objects of one type.
pub struct OfType {
    family: &'static Family,
    /// As it stands in the path.
    name: String,
    known: Option<&'static ConfigType>,
}

impl Family {
    fn find(&self, of_type: &str) -> Option<&'static ConfigType> {
        (self.types)().into_iter().find(|known| known.id == of_type)
    }

    /// The objects of a type, known or not.
    pub fn of_type(&'static self, name: &str) -> OfType {
        OfType { family: self, name: name.to_owned(), known: self.find(name) }
    }

    /// As it is shown.
    fn item(&self, call: &Call<'_>, of_type: &str, id: &str, revision: Option<Seq>, stored: &Object) -> Item {
        let known = self.find(of_type);
        let mut content = secrets::hidden(stored);
        for secret in known.into_iter().flat_map(ConfigType::secrets) {
            content.insert(secret.name.into(), Value::Null);
        }
        content.insert("_type".into(), marker(of_type, known));
        if self.nodes {
            content.insert("_outcomes".into(), rendered(&outcomes(call, of_type, stored)));
        }
        Item::new(id, revision, content)
    }

    /// All of the realm, or all of a type, as lists show them.
    async fn all(&self, call: &Call<'_>, of_type: Option<&str>) -> Result<Vec<Item>, Error> {
        let all = call.collect(self.kind);
        let items = all.into_iter().filter_map(|(key, revision, stored)| {
            let (name, id) = key.split_once('/')?;
            of_type.is_none_or(|wanted| wanted == name).then(|| self.item(call, name, id, Some(revision), &stored))
        });
        Ok(items.collect())
    }
}

fn marker(of_type: &str, known: Option<&ConfigType>) -> Value {
    json!({"_id": of_type, "name": known.map_or(of_type, |known| known.name), "collection": true})
}

fn rendered(outcomes: &[Outcome]) -> Value {
    outcomes.iter().map(|outcome| json!({"id": outcome.id, "displayName": outcome.name})).collect()
}

/// What can come of a node with this configuration. Of a type that nobody knows, nothing is known.
pub fn outcomes(call: &Call<'_>, of_type: &str, stored: &Object) -> Vec<Outcome> {
    match super::catalogue::find(of_type).map_or(Outcomes::None, |known| known.outcomes) {
        Outcomes::None => Vec::new(),
        Outcomes::One => vec![Outcome::new("outcome", "Outcome")],
        Outcomes::TrueFalse => vec![Outcome::new("true", "True"), Outcome::new("false", "False")],
        Outcomes::Fixed(fixed) => fixed.iter().map(|(id, name)| Outcome::new(id, name)).collect(),
        Outcomes::Of(say) => say(stored),
        Outcomes::OfLastChild => {
            let last = stored.get("nodes").and_then(Value::as_array).and_then(|nodes| nodes.last());
            let child = last.and_then(|child| Some((child["nodeType"].as_str()?, child["_id"].as_str()?)));
            // A page cannot be on a page, so this ends.
            match child.filter(|(of_type, _)| *of_type != "PageNode") {
                None => vec![Outcome::new("outcome", "Outcome")],
                Some((of_type, id)) => {
                    let entry = call.desk.document(call.realm, Kind::Node, &format!("{of_type}/{id}"));
                    let stored = entry.and_then(|entry| entry.json().as_object().cloned()).unwrap_or_default();
                    outcomes(call, of_type, &stored)
                }
            }
        }
    }
}

struct Stored {
    revision: Seq,
    body: Object,
}

impl OfType {
    fn key(&self, call: &Call<'_>, id: &str) -> DocumentKey {
        DocumentKey::new(call.realm, self.family.kind, &format!("{}/{id}", self.name))
    }

    fn stored(&self, call: &Call<'_>, id: &str) -> Option<Stored> {
        let entry = call.desk.views().entry(&self.key(call, id))?;
        Some(Stored { revision: entry.document.revision, body: entry.json().as_object().cloned().unwrap_or_default() })
    }

    fn missing(&self, id: &str) -> Error {
        match self.known {
            Some(_) => Error::not_found(),
            None => Error::no_route(&format!("{}/{id}", self.name)),
        }
    }

    fn known(&self) -> Result<&'static ConfigType, Error> {
        self.known.ok_or_else(|| Error::no_route(&self.name))
    }

    fn shown(&self, call: &Call<'_>, id: &str, revision: Seq, stored: &Object) -> Item {
        self.family.item(call, &self.name, id, Some(revision), stored)
    }

    /// What may be stored of what a client sends.
    fn checked(&self, call: &Call<'_>, id: &str, content: &Object, former: Option<&Object>) -> Result<Object, Error> {
        let owned = |name: &str| ["_id", "_rev", "_type", "_outcomes", "_provider"].contains(&name);
        let mut content: Object = content
            .iter()
            .filter(|(name, _)| !owned(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let is_secret =
            |name: &str| self.known.map_or_else(|| secrets::sounds_secret(name), |known| known.is_secret(name));
        // Of known secrets, other types than strings are refused; what merely sounds like one may be anything.
        for secret in self.known.into_iter().flat_map(ConfigType::secrets) {
            if content.get(secret.name).is_some_and(|value| !(value.is_string() || value.is_null()) || value == "") {
                return Err(Error::invalid_value(secret.label));
            }
        }
        secrets::seal_all(call.desk, &self.key(call, id), &mut content, former, &is_secret)?;
        let stored = match self.known {
            None => content,
            Some(known) => {
                let sealed = |name: &str| name.strip_suffix("-encrypted").is_some_and(is_secret);
                let listed = |name: &str| known.attributes().any(|attribute| attribute.name == name);
                let opaque = |name: &str| known.schema.opaque.contains(&name);
                let (kept, read): (Object, Object) = content
                    .into_iter()
                    .partition(|(name, _)| sealed(name) || (known.open && !listed(name) && !opaque(name)));
                let mut stored = known.schema.read(&read, LeftOut::Default)?.stored;
                stored.extend(kept);
                (known.check)(&stored)?;
                stored
            }
        };
        if stored.len() > MAX_ATTRIBUTES || Value::Object(stored.clone()).to_string().len() > MAX_BYTES {
            return Err(Error::invalid_value(self.known.map_or(&*self.name, |known| known.name)));
        }
        Ok(stored)
    }

    /// Documents that must not go while this one is there: the script that a node runs, if there is one to protect.
    fn references(&self, call: &Call<'_>, stored: &Object) -> Vec<DocumentKey> {
        let script = stored.get("script").and_then(Value::as_str).filter(|_| self.family.nodes);
        let key = script.map(|id| DocumentKey::new(call.realm, Kind::Script, id));
        key.into_iter().filter(|key| call.desk.views().entry(key).is_some()).collect()
    }

    fn write(&self, call: &Call<'_>, id: &str, when: Precondition, stored: &Object) -> Write {
        put(self.key(call, id), when, &Value::Object(stored.clone()), self.references(call, stored), false)
    }
}

impl Resource for OfType {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        self.family.versions
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let given = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let fresh;
        let id = match given {
            Some(id) => id,
            None if self.family.nodes => {
                fresh = uuid::Uuid::new_v4().to_string();
                &fresh
            }
            None => return Err(Error::invalid_value("Name")),
        };
        if !is_name(id) || id.contains('/') {
            return Err(Error::invalid_value("Name"));
        }
        if self.stored(call, id).is_some() {
            return Err(create.taken(call, EXISTS));
        }
        let stored = self.checked(call, id, create.content, None)?;
        let written = call.write(self.write(call, id, Precondition::Absent, &stored)).await;
        let revision = written.map_err(|error| create.refused(call, error, EXISTS))?;
        Ok(self.shown(call, id, revision, &stored))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let Stored { revision, body } = self.stored(call, id).ok_or_else(|| self.missing(id))?;
        Ok(self.shown(call, id, revision, &body))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let Stored { revision, body } = self.stored(call, id).ok_or_else(|| self.missing(id))?;
        // The secrets that are kept come from the document that was read.
        let when = unchanged(when, id, revision)?;
        let stored = self.checked(call, id, content, Some(&body))?;
        let revision = call.write(self.write(call, id, when, &stored)).await?;
        Ok(self.shown(call, id, revision, &stored))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let Stored { revision, body } = self.stored(call, id).ok_or_else(|| self.missing(id))?;
        match call.write(delete(self.key(call, id), when.precondition())).await {
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(self.missing(id)),
            other => other.map(|_| self.shown(call, id, revision, &body)).map_err(Error::from),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = self.family.all(call, Some(&self.name)).await?;
        if all.is_empty() {
            self.known()?;
        }
        query.answer_all(all, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "getType") => self.known().map(|known| marker(known.id, Some(known)).into()),
            (None, "schema") => self.known().map(|known| {
                let mut schema = known.schema.json_schema();
                for name in known.schema.opaque {
                    schema["properties"][*name] = json!({"title": name, "description": "", "propertyOrder": 0,
                        "required": false, "type": "array", "items": {"type": "object"}, "exampleValue": ""});
                }
                schema.into()
            }),
            (None, "template") => self.known().map(|known| {
                let mut template = known.schema.service(&Object::new());
                template.extend(known.secrets().map(|secret| (secret.name.to_owned(), Value::Null)));
                Value::Object(template).into()
            }),
            (None, "listOutcomes") if self.family.nodes => {
                let known = self.known()?;
                let id = content.get("_id").and_then(Value::as_str).unwrap_or_default();
                let stored = self.checked(call, id, content, None)?;
                Ok(rendered(&outcomes(call, known.id, &stored)).into())
            }
            (None, "getAllTypes" | "getCreatableTypes") => Ok(json!({"result": []}).into()),
            (None, "nextdescendents") => {
                let all = self.family.all(call, Some(&self.name)).await?;
                Ok(json!({"result": descendants(all)}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

/// crest.md §16: what is listed by its parent has no revision.
fn descendants(all: Vec<Item>) -> Vec<Value> {
    all.into_iter().map(|item| Item { revision: None, ..item }.whole()).collect()
}

impl Resource for AllTypes {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        self.0.versions
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(self.0.all(call, None).await?, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getAllTypes" | "getCreatableTypes" => {
                let types: Vec<Value> = (self.0.types)().into_iter().map(|known| self.listed(known)).collect();
                Ok(json!({"result": types}).into())
            }
            "nextdescendents" => Ok(json!({"result": descendants(self.0.all(call, None).await?)}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

impl AllTypes {
    fn listed(&self, known: &ConfigType) -> Value {
        let mut listed = marker(known.id, Some(known));
        if let (true, Value::Object(listed)) = (self.0.nodes, &mut listed) {
            listed.insert("tags".into(), known.tags.into());
            listed.insert("metadata".into(), json!({"tags": known.tags}));
            listed.insert("help".into(), known.help.into());
        }
        listed
    }
}
