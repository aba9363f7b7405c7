//! `_crestapi`: the framework's own descriptor of what is registered (crest.md §15).

use super::{
    Operation, Shape,
    describe::{Description, Ids},
    openapi::{Endpoint, Is},
};
use serde_json::{Map, Value, json};

/// The document; endpoints that are no resources have no place in it.
pub fn document(endpoints: &[Endpoint]) -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints {
        let Is::Resource { shape, versions, description, .. } = &endpoint.is else {
            continue;
        };
        let described = resource(*shape, description);
        let versions: Map<String, Value> =
            versions.iter().map(|version| (version.to_string(), described.clone())).collect();
        paths.insert(endpoint.path.clone(), Value::Object(versions));
    }
    json!({
        "id": "frapi:openam",
        "version": "1.0",
        "description": "Common REST resources of this server",
        "definitions": {"definitions": {}},
        "services": {},
        "errors": {},
        "paths": paths,
    })
}

/// What is done to one is told in `items` for a collection, at the top for a singleton.
fn resource(shape: Shape, description: &Description) -> Value {
    let mut own = Map::new();
    own.insert("resourceSchema".into(), description.schema.clone());
    own.insert("mvccSupported".into(), true.into());
    if !description.title.is_empty() {
        own.insert("title".into(), description.title.clone().into());
    }
    if !description.text.is_empty() {
        own.insert("description".into(), description.text.clone().into());
    }
    let mut one = Map::new();
    for (operation, name) in [
        (Operation::Read, "read"),
        (Operation::Update, "update"),
        (Operation::Delete, "delete"),
        (Operation::Patch, "patch"),
    ] {
        if description.has(operation) {
            one.insert(name.into(), json!({}));
        }
    }
    if description.has(Operation::Create) {
        let creates = |mode: &str| json!({"mode": mode});
        if description.ids != Ids::Client {
            own.insert("create".into(), creates("ID_FROM_SERVER"));
        }
        if description.ids != Ids::Server {
            one.insert("create".into(), creates("ID_FROM_CLIENT"));
        }
    }
    if description.has(Operation::Query) {
        let mut queries = vec![json!({"type": "FILTER", "queryableFields": description.fields})];
        if let Some(text) = &description.query_id {
            queries.push(json!({"type": "ID", "queryId": "*", "description": text}));
        }
        own.insert("queries".into(), queries.into());
    }
    let actions = |on_instance: bool| {
        let actions = description.actions.iter().filter(|action| action.on_instance == on_instance);
        let actions = actions.map(|action| {
            json!({
                "name": action.name, "description": action.text, "request": action.request,
                "response": action.response.clone().unwrap_or_else(|| json!({})),
            })
        });
        actions.collect::<Vec<_>>()
    };
    let (ours, theirs) = (actions(false), actions(true));
    if !ours.is_empty() {
        own.insert("actions".into(), ours.into());
    }
    if !theirs.is_empty() {
        one.insert("actions".into(), theirs.into());
    }
    if shape == Shape::Collection {
        let id = json!({"name": "id", "type": "string", "pathParameter": true, "required": true});
        one.insert("pathParameter".into(), id);
        own.insert("items".into(), Value::Object(one));
    } else {
        own.extend(one);
    }
    Value::Object(own)
}
