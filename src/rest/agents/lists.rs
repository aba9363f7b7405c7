//! Agents of all types, and the type that is not enabled (oauth2-config.md §1.1, §1.3, §14).

use super::{AgentType, TYPES, members::OfType};
use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Returned,
        Shape, Totals, Version, pointer::Names, scan::Rows,
    },
    privileges::Endpoint,
    rest::identity::AGENT_KINDS,
    views::{Row, Views},
};
use quorate_raft::Kind;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Agents of all types.
pub struct AllAgents;

/// `OAuth2Thing`: 501, whatever is asked.
pub struct Things;

/// Agents whose documents are of one kind, as queries see them: what is asked for by id is not searched for.
struct OfKind<'v> {
    kind: Kind,
    views: &'v Views,
}

impl OfKind<'_> {
    fn type_of(&self, row: &Row) -> Option<&'static AgentType> {
        TYPES.into_iter().find(|agent_type| agent_type.kind == self.kind && agent_type.lists(row))
    }
}

impl Rows for OfKind<'_> {
    fn is_id(&self, _: &str) -> bool {
        false // `_id`, and nothing else
    }

    fn has(&self, row: &Row) -> bool {
        self.type_of(row).is_some()
    }

    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>> {
        let agent_type = self.type_of(row)?;
        OfType { agent_type, views: self.views }.member(row, member)
    }

    fn item(&self, row: &Row) -> Item {
        match self.type_of(row) {
            Some(agent_type) => agent_type.plain_of(self.views, row),
            // No row that is shown is of no type.
            None => Item::new(&*row.id, None, Object::new()),
        }
    }
}

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

    fn describe(&self) -> Description {
        Description::of(Shape::List)
            .titled("Agents", "Agents of all types")
            .action(ActionDescription::new("getAllTypes", "All types of agents"))
            .action(ActionDescription::new("getCreatableTypes", "Types of which agents can be created"))
            .action(ActionDescription::new("nextdescendents", "All agents of all types"))
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Agents
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        if !query.sort.is_empty() {
            return query.answer(all(call), Names::Exact, Totals::Unpaged);
        }
        let mut found: Option<Listing> = None;
        for kind in AGENT_KINDS {
            let of_kind = OfKind { kind, views: call.desk.views() };
            let listing = query.scan(&call.desk.rows(call.realm, kind), &of_kind, Totals::Unpaged)?;
            match &mut found {
                None => found = Some(listing),
                Some(found) => {
                    found.items.extend(listing.items);
                    found.total = found.total.max(-1) + listing.total.max(0);
                }
            }
        }
        let mut listing = found.ok_or_else(Error::unsupported)?;
        listing.items.sort_by_key(|item| TYPES.iter().position(|t| item.content["_type"]["_id"] == t.id));
        Ok(listing)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getAllTypes" | "getCreatableTypes" => {
                let types = TYPES.map(|t| json!({"_id": t.id, "name": t.listed, "collection": true}));
                Ok(json!({"result": types}).into())
            }
            "nextdescendents" => {
                let result: Vec<Value> = all(call).iter().map(Item::whole).collect();
                Ok(json!({"result": result}).into())
            }
            _ => Err(Error::unsupported_action(name)),
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

    async fn action(&self, _: &Call<'_>, _: Option<&str>, _: &str, _: &Object) -> Result<Returned, Error> {
        Err(disabled())
    }
}
