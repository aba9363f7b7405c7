//! Groups that agents inherit from (oauth2-config.md §10): plain values, without secret and without a group of their own. A
//! group that an agent has is not deleted.

use super::{AgentType, EXISTS, TYPES, fits, tag};
use crate::{
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Returned, Shape, Totals, Version,
        pointer::Names,
    },
    desk::{delete, put},
    inheritance,
    privileges::Endpoint,
    rest::{
        identity::is_name,
        schema::{LeftOut, Read},
    },
    views::{Entry, Row},
};
use quorate_raft::{DocumentKey, Kind, Precondition};
use serde_json::{Value, json};
use std::sync::Arc;

/// Groups of agents of one type.
pub struct Groups(&'static AgentType);

/// Groups of all types.
pub struct AllGroups;

impl Groups {
    /// `None` for a type without groups.
    pub fn of(agent_type: &'static AgentType) -> Option<Self> {
        agent_type.group_place().map(|_| Self(agent_type))
    }

    fn find(&self, call: &Call<'_>, id: &str) -> Result<(DocumentKey, Arc<Entry>), Error> {
        let key = self.0.group_key(call.realm, id);
        let entry = call.desk.views().entry(&key).filter(|_| is_name(id)).ok_or_else(Error::not_found)?;
        Ok((key, entry))
    }

    /// Takes out what a group cannot say; whether something was there.
    fn strip(&self, body: &mut Object) -> bool {
        let mut found = false;
        for section in self.0.schema.sections {
            let own = if section.name.is_empty() {
                Some(&mut *body)
            } else {
                body.get_mut(section.name).and_then(Value::as_object_mut)
            };
            let Some(own) = own else { continue };
            for attribute in section.attributes {
                if !self.says(attribute.name, attribute.is_shared()) {
                    found |= own.remove(attribute.name).is_some_and(|value| !value.is_null());
                }
            }
        }
        found
    }

    fn says(&self, name: &str, shared: bool) -> bool {
        shared && self.0.unique.is_none_or(|unique| unique.name != name)
    }

    fn read_body(&self, content: &Object) -> Result<Object, Error> {
        let Read { mut stored, secret } = self.0.schema.read(content, LeftOut::Default)?;
        if self.strip(&mut stored) || secret.is_some() {
            let sections = self.0.schema.sections.iter();
            let names = sections.flat_map(|section| section.attributes).filter(|a| self.says(a.name, a.is_shared()));
            return Err(Error::invalid_attribute(
                names.map(|attribute| attribute.name).filter(|name| !name.is_empty()),
            ));
        }
        Ok(stored)
    }

    fn shown(&self, id: &str, tag: String, stored: &Object) -> Item {
        let mut content = self.0.schema.plain(stored);
        self.strip(&mut content);
        content.insert("_type".into(), self.0.marker());
        Item { id: id.to_owned(), revision: Some(tag), content }
    }

    fn of_row(&self, row: &Row) -> Option<Item> {
        let name = row.id.strip_prefix(self.0.id)?.strip_prefix('/')?;
        Some(self.shown(name, tag(&row.entry.document.body, None), row.entry.json().as_object()?))
    }
}

fn body_of(entry: &Entry) -> Object {
    entry.json().as_object().cloned().unwrap_or_default()
}

impl Resource for Groups {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Agents
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let id = id.filter(|id| is_name(id)).ok_or_else(|| Error::invalid_value("Name"))?;
        if self.find(call, id).is_ok() {
            return Err(create.taken(call, EXISTS));
        }
        let stored = self.read_body(create.content)?;
        let body = Value::Object(stored.clone());
        let write = put(self.0.group_key(call.realm, id), Precondition::Absent, &body, Vec::new(), false);
        call.write(write).await.map_err(|error| create.refused(call, error, EXISTS))?;
        Ok(self.shown(id, tag(body.to_string().as_bytes(), None), &stored))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let (_, entry) = self.find(call, id)?;
        Ok(self.shown(id, tag(&entry.document.body, None), &body_of(&entry)))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (key, former) = self.find(call, id)?;
        fits(when, id, &tag(&former.document.body, None))?;
        let stored = self.read_body(content)?;
        let body = Value::Object(stored.clone());
        // Whoever takes the status from here stands under this fence (G3).
        let turned = inheritance::is_active(former.json(), None) != inheritance::is_active(&body, None);
        let when = Precondition::Revision(former.document.revision);
        call.write(put(key, when, &body, Vec::new(), turned)).await?;
        Ok(self.shown(id, tag(body.to_string().as_bytes(), None), &stored))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let (key, entry) = self.find(call, id)?;
        let tag = tag(&entry.document.body, None);
        fits(when, id, &tag)?;
        call.write(delete(key, Precondition::Revision(entry.document.revision))).await?;
        Ok(self.shown(id, tag, &body_of(&entry)))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = call.desk.rows(call.realm, Kind::AgentGroup);
        let items = all.iter().filter_map(|row| self.of_row(row));
        query.answer(items, Names::Exact, Totals::Exact)
    }

    async fn action(&self, _: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "template") => {
                let mut template = self.0.schema.template();
                self.strip(&mut template);
                Ok(Value::Object(template).into())
            }
            (None, "schema") => Ok(self.0.schema.json_schema().into()),
            (None, "getType") => Ok(self.0.marker().into()),
            (Some(_), "nextdescendents") => Ok(json!({"result": []}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

/// The groups of a realm, of all types, in the order of the types.
fn all(call: &Call<'_>) -> Vec<Item> {
    let all = call.desk.rows(call.realm, Kind::AgentGroup);
    let types = TYPES.iter().filter_map(|agent_type| Groups::of(agent_type));
    let items = types.flat_map(|groups| {
        let of_type: Vec<Item> = all.iter().filter_map(|row| groups.of_row(row)).collect();
        of_type
    });
    items.collect()
}

impl Resource for AllGroups {
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

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getAllTypes" | "getCreatableTypes" => {
                let types = TYPES.iter().filter(|agent_type| agent_type.group_place().is_some());
                let types: Vec<Value> =
                    types.map(|t| json!({"_id": t.id, "name": t.listed, "collection": true})).collect();
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
