//! `/json/{realm}/realm-config/agents`: OAuth 2.0 clients and Identity Gateway agents (oauth2-config.md §1 to §8, §11,
//! §14.4).
//!
//! | section | it says                                                   | here                          |
//! |---------|-----------------------------------------------------------|-------------------------------|
//! | §1.3    | PUT creates or replaces; actions                          | `Agents`                      |
//! | §2      | wrapped when read alone, plain in lists                   | [`Schema`](super::schema)     |
//! | §2.4    | PUT without a secret keeps the stored one                 | `Agents::secret`              |
//! | §3–§8   | attributes and defaults                                   | [`client`], [`gateway`]       |
//! | §11     | redirect URIs, algorithms, lifetimes, one name space      | [`checks`], `Agents::create`  |
//! | §14     | all types, all agents                                     | `AllAgents`                   |
//!
//! A document holds the sections with plain values, and in `_verifier` the verifier of the secret (a PHC string: G5). When
//! the status changes or the secret does, the write moves the document's fence: what was issued to the client before is
//! dead (G3). The same secret again is no change.

pub mod checks;
pub mod client;
pub mod gateway;

pub use client::OAUTH2_CLIENT;
pub use gateway::IDENTITY_GATEWAY;

use super::{
    identity::{self, Named, NotCreated, is_name, is_taken},
    schema::{LeftOut, Read, Schema},
};
use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Shape,
        Totals, Version, pointer::Names, unchanged,
    },
    desk::{delete, put},
};
use quorate_raft::{DocumentKey, Kind, Precondition, Seq};
use serde_json::{Value, json};

/// Where the verifier of an agent's secret is stored.
const VERIFIER: &str = "_verifier";

const EXISTS: &str = "Unable to save config: Service already exists";

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
    /// Where `status` is in a stored body.
    pub status: &'static str,
    /// Whether a single GET shows `"userpassword": null`.
    pub shows_password: bool,
}

/// Agents of one type.
pub struct Agents(pub &'static AgentType);

/// Agents of all types.
pub struct AllAgents;

const TYPES: [&AgentType; 2] = [&OAUTH2_CLIENT, &IDENTITY_GATEWAY];

impl AgentType {
    fn marker(&self) -> Value {
        json!({"_id": self.id, "name": self.name, "collection": true})
    }

    fn is_active(&self, body: &Value) -> bool {
        let status = body.pointer(self.status).and_then(Value::as_str);
        status.is_none_or(|status| status.eq_ignore_ascii_case("Active"))
    }

    /// As a single GET shows it.
    fn wrapped(&self, id: &str, revision: Seq, stored: &Object) -> Item {
        let mut content = self.schema.wrapped(stored);
        if self.shows_password {
            content.insert("userpassword".into(), Value::Null);
        }
        content.insert("_type".into(), self.marker());
        Item::new(id, Some(revision), content)
    }

    /// As a list shows it.
    fn plain(&self, id: &str, revision: Seq, stored: &Object) -> Item {
        let mut content = self.schema.plain(stored);
        if self.shows_password {
            content.insert("userpassword".into(), Value::Null);
        }
        content.insert("_type".into(), self.marker());
        Item::new(id, Some(revision), content)
    }

    async fn all(&self, call: &Call<'_>) -> Result<Vec<Item>, Error> {
        let all = call.collect(self.kind).await?;
        Ok(all.into_iter().map(|(id, revision, stored)| self.plain(&id, revision, &stored)).collect())
    }
}

struct Stored {
    key: DocumentKey,
    revision: Seq,
    body: Object,
}

impl Agents {
    fn find(&self, call: &Call<'_>, id: &str) -> Result<Stored, Error> {
        let key = DocumentKey::new(call.realm, self.0.kind, id);
        let entry = call.desk.views().entry(&key).ok_or_else(Error::not_found)?;
        let body = entry.json().as_object().cloned().unwrap_or_default();
        Ok(Stored { revision: entry.document.revision, key, body })
    }

    /// The verifier to store, and whether it is for another secret than before.
    async fn secret(
        &self,
        call: &Call<'_>,
        secret: Option<&str>,
        former: Option<&str>,
    ) -> Result<(Option<String>, bool), Error> {
        let Some(secret) = secret else {
            return Ok((former.map(str::to_owned), false));
        };
        if former.is_some() && call.desk.passwords().verify(former, secret).await? {
            return Ok((former.map(str::to_owned), false));
        }
        Ok((Some(call.desk.passwords().hash(secret).await?), true))
    }
}

impl Resource for Agents {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled(
                self.0.name,
                "Values are plain or `{\"inherited\": false, \"value\": …}`, and wrapped when one is read alone",
            )
            .written(self.0.schema.json_schema())
            .configuration()
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let id = id.filter(|id| is_name(id)).ok_or_else(|| Error::invalid_value("Name"))?;
        // First, and before the slow hash: a PUT of an agent that exists comes here before it becomes an update.
        if self.find(call, id).is_ok() {
            return Err(create.taken(call, EXISTS));
        }
        // 409 in any case: an update would not help.
        let in_use = || Error::new(409, format!("The name {id} is in use in this realm"));
        let wanted = Named::Agent(self.0.kind);
        if is_taken(call, id, wanted) {
            return Err(in_use());
        }
        let Read { mut stored, secret } = self.0.schema.read(create.content, LeftOut::Default)?;
        let (verifier, _) = self.secret(call, secret.as_deref(), None).await?;
        stored.extend(verifier.map(|verifier| (VERIFIER.to_owned(), verifier.into())));
        let key = DocumentKey::new(call.realm, self.0.kind, id);
        let write = put(key, Precondition::Absent, &Value::Object(stored.clone()), Vec::new(), false);
        let revision = identity::create(call, write, id, wanted).await.map_err(|error| match error {
            NotCreated::Taken => in_use(),
            NotCreated::Other(error) => create.refused(call, error, EXISTS),
        })?;
        Ok(self.0.wrapped(id, revision, &stored))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let Stored { revision, body, .. } = self.find(call, id)?;
        Ok(self.0.wrapped(id, revision, &body))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let Stored { key, revision, body } = self.find(call, id)?;
        let when = unchanged(when, id, revision)?;
        let Read { mut stored, secret } = self.0.schema.read(content, LeftOut::Default)?;
        let former = body.get(VERIFIER).and_then(Value::as_str);
        let (verifier, renewed) = self.secret(call, secret.as_deref(), former).await?;
        stored.extend(verifier.map(|verifier| (VERIFIER.to_owned(), verifier.into())));
        let next = Value::Object(stored.clone());
        let fence = renewed || self.0.is_active(&next) != self.0.is_active(&Value::Object(body));
        let revision = call.write(put(key, when, &next, Vec::new(), fence)).await?;
        Ok(self.0.wrapped(id, revision, &stored))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let Stored { key, revision, body } = self.find(call, id)?;
        call.write(delete(key, when.precondition())).await?;
        Ok(self.0.wrapped(id, revision, &body))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer(self.0.all(call).await?, Names::Exact, Totals::Exact)
    }

    async fn action(&self, _: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Option<Value>, Error> {
        match (id, name) {
            (None, "template") => Ok(Some(Value::Object(self.0.schema.template()))),
            (None, "schema") => Ok(Some(self.0.schema.json_schema())),
            (None, "getType") => Ok(Some(self.0.marker())),
            _ => Err(Error::new(501, format!("Action not supported: {name}"))),
        }
    }
}

impl Resource for AllAgents {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::List)
            .titled("Agents", "Agents of all types")
            .action(ActionDescription::new("getAllTypes", "All types of agents"))
            .action(ActionDescription::new("getCreatableTypes", "Types of which agents can be created"))
            .action(ActionDescription::new("nextdescendents", "All agents of all types"))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let mut all = Vec::new();
        for agent_type in TYPES {
            all.extend(agent_type.all(call).await?);
        }
        query.answer(all, Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Option<Value>, Error> {
        match name {
            "getAllTypes" | "getCreatableTypes" => {
                let types = TYPES.map(|t| json!({"_id": t.id, "name": t.listed, "collection": true}));
                Ok(Some(json!({"result": types})))
            }
            "nextdescendents" => {
                let mut result = Vec::new();
                for agent_type in TYPES {
                    result.extend(agent_type.all(call).await?.iter().map(Item::whole));
                }
                Ok(Some(json!({"result": result})))
            }
            _ => Err(Error::new(501, format!("Action not supported: {name}"))),
        }
    }
}

#[cfg(test)]
mod tests;
