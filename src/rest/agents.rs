//! `/json/{realm}/realm-config/agents`: OAuth 2.0 clients, agents of all other types, and their groups (oauth2-config.md §1 to
//! §11, §14).
//!
//! | section | it says                                                   | here                          |
//! |---------|-----------------------------------------------------------|-------------------------------|
//! | §1.3    | PUT creates or replaces; actions; `_rev` tells the content | [`Agents`], `tag`          |
//! | §2      | wrapped when read alone, plain in lists                   | [`Schema`](super::schema)     |
//! | §2.4    | PUT without a secret keeps the stored one                 | `Agents::secret`              |
//! | §3–§8   | attributes and defaults of clients                        | [`client`]                    |
//! | §10     | groups, and what is inherited from them                   | [`Groups`], [`inheritance`]   |
//! | §11     | redirect URIs, algorithms, lifetimes, one name space      | [`checks`], `Agents::create`  |
//! | §14     | all types, all agents; attributes of the other types      | [`AllAgents`], [`flat`], [`opaque`] |
//! | §14.1   | the issuer of a trusted issuer is unique in its realm     | [`Unique`]                    |
//!
//! A document holds the sections with plain values, in `_verifier` the verifier of the secret (a PHC string: G5), and in
//! `_inherited` what comes from the group. When the status changes or the secret does, the write moves the document's fence:
//! what was issued to the client before is dead (G3). The same secret again is no change. How a status that comes from a group
//! keeps G3 is told in [`inheritance`].

pub mod checks;
pub mod client;
pub mod flat;
mod groups;
mod lists;
mod members;
pub mod opaque;

pub use client::OAUTH2_CLIENT;
pub use flat::IDENTITY_GATEWAY;
pub use groups::{AllGroups, Groups};
pub use lists::{AllAgents, Things};
pub use members::Agents;

use super::{
    Routes, Scope,
    identity::is_name,
    schema::{Form, Place, Schema},
};
use crate::{
    crest::{Error, Item, Match, Object},
    inheritance,
    secrets::sha256,
    views::{Entry, Row, Views},
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// Where the verifier of an agent's secret is stored.
const VERIFIER: &str = "_verifier";

/// Where the type is stored of agents that share a kind of document.
const TYPE: &str = "_type";

const EXISTS: &str = "Unable to save config: Service already exists";

/// An attribute at the top whose value only one agent of its type has in a realm.
#[derive(Clone, Copy, Debug)]
pub struct Unique {
    /// Its name.
    pub name: &'static str,
    /// Its name in the console.
    pub label: &'static str,
}

/// A type of agent.
#[derive(Debug)]
pub struct AgentType {
    /// Its documents.
    pub kind: Kind,
    /// `_id` of the type.
    pub id: &'static str,
    /// Its name in the list of types.
    pub listed: &'static str,
    /// Its name in its own resources (oauth2-config.md §14).
    pub name: &'static str,
    /// Its attributes.
    pub schema: Schema,
    /// Whether a single GET shows `"userpassword": null`.
    pub shows_password: bool,
    /// What only one of them may have.
    pub unique: Option<Unique>,
    /// Whether it is an identity that gets sessions (§14.4, §14.5).
    pub signs_in: bool,
}

/// All types, in the order of the reference (§14).
pub static TYPES: [&AgentType; 10] = [
    &opaque::WEB_AGENT,
    &opaque::J2EE_AGENT,
    &flat::AGENT_2_2,
    &OAUTH2_CLIENT,
    &opaque::SHARED_AGENT,
    &opaque::SOAP_STS_AGENT,
    &flat::REMOTE_CONSENT,
    &flat::SOFTWARE_PUBLISHER,
    &IDENTITY_GATEWAY,
    &flat::TRUSTED_JWT_ISSUER,
];

/// Adds agents and their groups to `routes`.
pub fn routes(routes: Routes) -> Routes {
    const AGENTS: &str = "realm-config/agents";
    let routes = routes
        .resource(Scope::Realm, AGENTS, AllAgents)
        .resource(Scope::Realm, "realm-config/agents/groups", AllGroups)
        .resource(Scope::Realm, "realm-config/agents/OAuth2Thing", Things)
        .resource(Scope::Realm, "realm-config/agents/IdentityGateway", Agents(&IDENTITY_GATEWAY));
    TYPES.iter().fold(routes, |routes, agent_type| {
        let routes = routes.resource(Scope::Realm, &format!("{AGENTS}/{}", agent_type.id), Agents(agent_type));
        match Groups::of(agent_type) {
            Some(groups) => routes.resource(Scope::Realm, &format!("{AGENTS}/groups/{}", agent_type.id), groups),
            None => routes,
        }
    })
}

/// The agent `name` of a realm that may get a session: its document's key and itself.
pub fn identity(views: &Views, realm: &RealmPath, name: &str) -> Option<(DocumentKey, Arc<Entry>)> {
    let signing_in = TYPES.into_iter().filter(|agent_type| agent_type.signs_in);
    signing_in
        .filter_map(|agent_type| Some((agent_type, agent_type.find(views, realm, name)?)))
        .next()
        .map(|(agent_type, entry)| (DocumentKey::new(realm, agent_type.kind, name), entry))
}

/// The agent of a type with a [`Unique`] attribute that has this value of it.
pub fn by_unique(views: &Views, realm: &RealmPath, agent_type: &AgentType, value: &str) -> Option<Arc<Entry>> {
    let marker = views.entry(&agent_type.marker_key(realm, value))?;
    let name = marker.json().get("agent")?.as_str()?;
    agent_type.find(views, realm, name)
}

/// `_rev`: tells the content, so that identical content has one revision in every realm (§1.3). The whole document counts,
/// with the verifier of its secret, and with the group that it inherits from.
pub(crate) fn tag(body: &[u8], group: Option<&[u8]>) -> String {
    let mut whole = body.to_vec();
    whole.push(0xff); // no byte of JSON text
    whole.extend_from_slice(group.unwrap_or_default());
    let [a, b, c, d, e, f, g, h, ..] = sha256(&whole);
    i64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string()
}

/// The caller's precondition on a [`tag`].
pub(crate) fn fits(when: &Match, id: &str, tag: &str) -> Result<(), Error> {
    match when {
        Match::Revision(wanted) if wanted != tag => Err(Error::stale(id)),
        Match::Any | Match::Revision(_) => Ok(()),
    }
}

/// Whether an id of a document is an agent's name, and not a marker's.
fn is_agent(id: &str) -> bool {
    is_name(id)
}

impl AgentType {
    /// By its id.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        TYPES.into_iter().find(|agent_type| agent_type.id == id)
    }

    fn marker(&self) -> Value {
        json!({"_id": self.id, "name": self.name, "collection": true})
    }

    /// Whether a document of this type's kind is of this type.
    fn is_of(&self, body: &Value) -> bool {
        self.kind != Kind::Agent || body.get(TYPE).and_then(Value::as_str) == Some(self.id)
    }

    /// The agent with that name, if it is of this type.
    fn find(&self, views: &Views, realm: &RealmPath, name: &str) -> Option<Arc<Entry>> {
        views.document(realm, self.kind, name).filter(|entry| is_agent(name) && self.is_of(entry.json()))
    }

    /// The attribute that names the group; `None` for types without groups.
    fn group_place(&self) -> Option<Place> {
        self.schema.sections.iter().find_map(|section| {
            let group = section.attributes.iter().find(|attribute| matches!(attribute.form, Form::Group))?;
            Some((section.name, group.name))
        })
    }

    fn group_key(&self, realm: &RealmPath, name: &str) -> DocumentKey {
        DocumentKey::new(realm, Kind::AgentGroup, &format!("{}/{name}", self.id))
    }

    /// What says that a value of the [`Unique`] attribute is given. No name of an agent has control characters in it.
    fn marker_key(&self, realm: &RealmPath, value: &str) -> DocumentKey {
        DocumentKey::new(realm, Kind::Agent, &format!("\u{1}{}\u{1}{value}", self.id))
    }

    /// As a single GET shows it.
    fn wrapped(&self, id: &str, tag: String, body: &Value, group: Option<&Value>) -> Item {
        let whole = inheritance::merged(body, group);
        let inherited: BTreeSet<(&str, &str)> = inheritance::inherited(body).collect();
        let nothing = Object::new();
        let stored = whole.as_object().unwrap_or(&nothing);
        self.item(id, tag, self.schema.wrapped_heir(stored, |place| inherited.contains(&place)))
    }

    /// As a list shows it.
    fn plain(&self, id: &str, tag: String, body: &Value, group: Option<&Value>) -> Item {
        let whole = inheritance::merged(body, group);
        let nothing = Object::new();
        self.item(id, tag, self.schema.plain(whole.as_object().unwrap_or(&nothing)))
    }

    fn item(&self, id: &str, tag: String, mut content: Object) -> Item {
        if self.shows_password {
            content.insert("userpassword".into(), Value::Null);
        }
        content.insert("_type".into(), self.marker());
        Item { id: id.to_owned(), revision: Some(tag), content }
    }

    /// One member of what [`plain_of`](Self::plain_of) shows, made without the others; `None` for what is of another type, or
    /// not shown.
    fn member_of(&self, views: &Views, row: &Row, member: &str) -> Option<Value> {
        if !self.lists(row) {
            return None;
        }
        let document = &row.entry.document;
        let group = || inheritance::group_key(document).and_then(|key| views.entry(key));
        match member {
            "_rev" => Some(tag(&document.body, group().as_ref().map(|group| &*group.document.body)).into()),
            "_type" => Some(self.marker()),
            "userpassword" if self.shows_password => Some(Value::Null),
            _ => {
                let group = group();
                let whole = inheritance::merged(row.entry.json(), group.as_deref().map(Entry::json));
                self.schema.plain_member(whole.as_object()?, member)
            }
        }
    }

    /// A stored agent as a list shows it; `None` for what is of another type.
    fn listed(&self, views: &Views, row: &Row) -> Option<Item> {
        self.lists(row).then(|| self.plain_of(views, row))
    }

    /// Whether a row is an agent of this type.
    fn lists(&self, row: &Row) -> bool {
        is_agent(&row.id) && self.is_of(row.entry.json())
    }

    fn plain_of(&self, views: &Views, row: &Row) -> Item {
        let document = &row.entry.document;
        let group = inheritance::group_key(document).and_then(|key| views.entry(key));
        let tag = tag(&document.body, group.as_ref().map(|group| &*group.document.body));
        self.plain(&row.id, tag, row.entry.json(), group.as_deref().map(Entry::json))
    }
}

#[cfg(test)]
mod tests;
