//! Agents of all types, and the type that is not enabled (oauth2-config.md §1.1, §1.3, §14).

use super::TYPES;
use crate::{
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Version, pointer::Names,
    },
    privileges::Endpoint,
    rest::identity::AGENT_KINDS,
};
use serde_json::{Value, json};

/// Agents of all types.
pub struct AllAgents;

/// `OAuth2Thing`: 501, whatever is asked.
pub struct Things;

/// The agents of a realm, type by type.
fn all(call: &Call<'_>) -> Vec<Item> {
    let views = call.desk.views();
    let mut found: Vec<(usize, Item)> = Vec::new();
    for kind in AGENT_KINDS {
        let rows = call.desk.rows(call.realm, kind);
        let types = || TYPES.iter().enumerate().filter(|(_, agent_type)| agent_type.kind == kind);
        found.extend(
            rows.iter().filter_map(|row| {
                types().find_map(|(order, agent_type)| Some((order, agent_type.listed(views, row)?)))
            }),
        );
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, item)| item).collect()
}

impl Resource for AllAgents {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Agents
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer(all(call), Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Option<Value>, Error> {
        match name {
            "getAllTypes" | "getCreatableTypes" => {
                let types = TYPES.map(|t| json!({"_id": t.id, "name": t.listed, "collection": true}));
                Ok(Some(json!({"result": types})))
            }
            "nextdescendents" => {
                let result: Vec<Value> = all(call).iter().map(Item::whole).collect();
                Ok(Some(json!({"result": result})))
            }
            _ => Err(Error::new(501, format!("Action not supported: {name}"))),
        }
    }
}

fn disabled() -> Error {
    Error::new(501, "OAuth 2.0 for Things is not enabled")
}

impl Resource for Things {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Agents
    }

    async fn create(&self, _: &Call<'_>, _: Create<'_>) -> Result<Item, Error> {
        Err(disabled())
    }

    async fn read(&self, _: &Call<'_>, _: &str) -> Result<Item, Error> {
        Err(disabled())
    }

    async fn update(&self, _: &Call<'_>, _: &str, _: &Object, _: &Match) -> Result<Item, Error> {
        Err(disabled())
    }

    async fn delete(&self, _: &Call<'_>, _: &str, _: &Match) -> Result<Item, Error> {
        Err(disabled())
    }

    async fn query(&self, _: &Call<'_>, _: &Query) -> Result<Listing, Error> {
        Err(disabled())
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, _: &str, _: &Object) -> Result<Option<Value>, Error> {
        Err(disabled())
    }
}
