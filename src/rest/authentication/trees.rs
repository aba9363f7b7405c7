//! `/json/{realm}/realm-config/authentication/authenticationtrees/trees`: journeys (authn-sessions-realms.md a.13).
//!
//! | a.13                                                    | here              |
//! |---------------------------------------------------------|-------------------|
//! | PUT creates or replaces; DELETE leaves the nodes        | `Trees`           |
//! | attributes, defaults                                    | [`checked`]       |
//! | entry and connections lead to a node or a static id     | `Targets`         |
//! | unknown attributes: 400 with `validAttributes`          | [`checked`]       |
//! | `schema`, `template`, `getType`, …                      | `Trees::action`   |
//!
//! A document holds the tree as it is shown, without `_id`, `_rev` and `_type`.

use crate::{
    crest::{Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Returned, Shape, Totals, Version},
    desk::{delete, put},
    rest::identity::is_name,
};
use quorate_raft::{DocumentKey, Kind, Precondition};
use serde_json::{Value, json};

/// Where success is.
pub const SUCCESS: &str = "70e691a5-1e33-4ac3-a356-e7b6d60d92e0";

/// Where failure is.
pub const FAILURE: &str = "e301438c-0bd0-429c-ab0c-66126501069a";

/// Where the console draws the start; nothing leads there.
pub const START: &str = "startNode";

/// Most nodes of a tree.
const MAX_NODES: usize = 500;

/// Most outcomes of a node.
const MAX_CONNECTIONS: usize = 100;

/// Most entries of `uiConfig`.
const MAX_UI_ENTRIES: usize = 100;

/// Longest stored tree, bytes of JSON.
const MAX_BYTES: usize = 512 << 10;

/// Most minutes of anything.
const MAX_MINUTES: i64 = i32::MAX as i64;

const EXISTS: &str = "Unable to save config: Service already exists";

const ATTRIBUTES: [&str; 14] = [
    "description",
    "enabled",
    "entryNodeId",
    "identityResource",
    "innerTreeOnly",
    "maximumIdleTime",
    "maximumSessionTime",
    "mustRun",
    "noSession",
    "nodes",
    "staticNodes",
    "transactionalOnly",
    "treeTimeout",
    "uiConfig",
];

/// The resource.
pub struct Trees;

fn invalid(label: &str) -> Error {
    Error::invalid_value(label)
}

fn no_such_node(id: &str) -> Error {
    Error::bad_request(format!("Node with ID {id} must exist in the tree."))
}

/// A tree as it may be stored.
///
/// # Errors
/// 400 for what is no tree.
pub fn checked(content: &Object) -> Result<Object, Error> {
    let owned = |name: &str| ["_id", "_rev", "_type", "_provider"].contains(&name);
    if content.keys().any(|name| !owned(name) && !ATTRIBUTES.contains(&name.as_str())) {
        return Err(Error::invalid_attribute(ATTRIBUTES));
    }
    let nodes = nodes(content.get("nodes"))?;
    // The reference names the attribute, not its value.
    let entry = match content.get("entryNodeId") {
        Some(Value::String(id)) if nodes.contains_key(id) || id == SUCCESS || id == FAILURE => id.clone(),
        _ => return Err(no_such_node("entryNodeId")),
    };
    let targets = Targets(&nodes);
    for node in nodes.values() {
        targets.check(node)?;
    }
    let mut tree = Object::new();
    // What was never set reads as the word, not as the value.
    for (name, label) in [("identityResource", "Identity Resource"), ("description", "Description")] {
        tree.insert(name.into(), text(content.get(name), label)?.unwrap_or("null").into());
    }
    tree.insert("uiConfig".into(), ui_config(content.get("uiConfig"))?.into());
    tree.insert("entryNodeId".into(), entry.into());
    for (name, label, default) in [
        ("innerTreeOnly", "Inner Tree Only", false),
        ("noSession", "No Session", false),
        ("mustRun", "Must Run", false),
        ("transactionalOnly", "Transactional Only", false),
        ("enabled", "Enabled", true),
    ] {
        tree.insert(name.into(), flag(content.get(name), label)?.unwrap_or(default).into());
    }
    for (name, label) in [
        ("treeTimeout", "Tree Timeout"),
        ("maximumSessionTime", "Maximum Session Time"),
        ("maximumIdleTime", "Maximum Idle Time"),
    ] {
        if let Some(minutes) = minutes(content.get(name), label)? {
            tree.insert(name.into(), minutes.into());
        }
    }
    tree.insert("nodes".into(), Value::Object(nodes));
    tree.insert("staticNodes".into(), static_nodes(content.get("staticNodes"))?.into());
    if Value::Object(tree.clone()).to_string().len() > MAX_BYTES {
        return Err(invalid("Nodes"));
    }
    Ok(tree)
}

/// Where connections may lead.
struct Targets<'n>(&'n Object);

impl Targets<'_> {
    fn check(&self, node: &Value) -> Result<(), Error> {
        let connections = node.get("connections").and_then(Value::as_object);
        for target in connections.into_iter().flat_map(Object::values).filter_map(Value::as_str) {
            if !self.0.contains_key(target) && target != SUCCESS && target != FAILURE {
                return Err(no_such_node(target));
            }
        }
        Ok(())
    }
}

fn nodes(value: Option<&Value>) -> Result<Object, Error> {
    let wrong = || invalid("Nodes");
    let given = value.and_then(Value::as_object).filter(|nodes| nodes.len() <= MAX_NODES).ok_or_else(wrong)?;
    let mut nodes = Object::new();
    for (id, node) in given {
        let is_static = [SUCCESS, FAILURE, START].contains(&id.as_str());
        if is_static || !is_name(id) || id.contains('/') {
            return Err(wrong());
        }
        nodes.insert(id.clone(), node_of_tree(node).ok_or_else(wrong)?.into());
    }
    Ok(nodes)
}

/// One of `nodes`: what it is, where it is drawn, and what its outcomes lead to.
fn node_of_tree(value: &Value) -> Option<Object> {
    let given = value.as_object()?;
    let known = ["displayName", "nodeType", "connections", "x", "y", "version"];
    if !given.keys().all(|name| known.contains(&name.as_str())) {
        return None;
    }
    let text = |name: &str| given.get(name)?.as_str();
    let connections = match given.get("connections") {
        None => Object::new(),
        Some(connections) => connections.as_object()?.clone(),
    };
    let legal = |(outcome, target): (&String, &Value)| is_name(outcome) && target.is_string();
    if connections.len() > MAX_CONNECTIONS || !connections.iter().all(legal) {
        return None;
    }
    let mut node = Object::new();
    node.insert("displayName".into(), text("displayName").filter(|name| name.len() <= 1024)?.into());
    node.insert("nodeType".into(), text("nodeType").filter(|name| super::instances::is_type_name(name))?.into());
    node.insert("x".into(), coordinate(given.get("x"))?);
    node.insert("y".into(), coordinate(given.get("y"))?);
    node.insert("connections".into(), Value::Object(connections));
    if let Some(version) = given.get("version") {
        node.insert("version".into(), version.as_str().filter(|version| version.len() <= 32)?.into());
    }
    Some(node)
}

fn coordinate(value: Option<&Value>) -> Option<Value> {
    match value {
        None => Some(0.into()),
        Some(number @ Value::Number(_)) => Some(number.clone()),
        Some(_) => None,
    }
}

/// Where the console draws what every tree has.
fn static_nodes(value: Option<&Value>) -> Result<Object, Error> {
    let wrong = || invalid("Static Nodes");
    let nothing = Object::new();
    let given = match value {
        None | Some(Value::Null) => &nothing,
        Some(value) => value.as_object().ok_or_else(wrong)?,
    };
    if given.keys().any(|id| ![START, SUCCESS, FAILURE].contains(&id.as_str())) {
        return Err(wrong());
    }
    let mut nodes = Object::new();
    for id in [START, SUCCESS, FAILURE] {
        let place = match given.get(id) {
            None => json!({"x": 0, "y": 0}),
            Some(Value::Object(place)) if place.keys().all(|axis| axis == "x" || axis == "y") => {
                let axis = |name: &str| coordinate(place.get(name)).ok_or_else(wrong);
                json!({"x": axis("x")?, "y": axis("y")?})
            }
            Some(_) => return Err(wrong()),
        };
        nodes.insert(id.into(), place);
    }
    Ok(nodes)
}

fn ui_config(value: Option<&Value>) -> Result<Object, Error> {
    match value {
        None | Some(Value::Null) => Ok(Object::new()),
        Some(Value::Object(map)) if map.len() <= MAX_UI_ENTRIES && map.values().all(Value::is_string) => {
            Ok(map.clone())
        }
        Some(_) => Err(invalid("Ui Config")),
    }
}

fn text<'v>(value: Option<&'v Value>, label: &str) -> Result<Option<&'v str>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= 4096 => Ok(Some(text)),
        Some(_) => Err(invalid(label)),
    }
}

fn flag(value: Option<&Value>, label: &str) -> Result<Option<bool>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(invalid(label)),
    }
}

fn minutes(value: Option<&Value>, label: &str) -> Result<Option<i64>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_i64().filter(|minutes| (0..=MAX_MINUTES).contains(minutes)).map(Some).ok_or_else(|| invalid(label))
        }
    }
}

fn key(call: &Call<'_>, id: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::Tree, id)
}

fn marker() -> Value {
    json!({"_id": "trees", "name": "Authentication Tree Configuration", "collection": true})
}

async fn all(call: &Call<'_>) -> Result<Vec<Item>, Error> {
    let all = call.collect(Kind::Tree);
    Ok(all.into_iter().map(|(id, revision, tree)| Item::new(&*id, Some(revision), tree)).collect())
}

impl Resource for Trees {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0), Version(2, 0), Version(3, 0)]
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let id = id.filter(|id| is_name(id)).ok_or_else(|| invalid("Name"))?;
        if call.desk.views().entry(&key(call, id)).is_some() {
            return Err(create.taken(call, EXISTS));
        }
        let tree = checked(create.content)?;
        let write = put(key(call, id), Precondition::Absent, &Value::Object(tree.clone()), Vec::new(), false);
        let revision = call.write(write).await.map_err(|error| create.refused(call, error, EXISTS))?;
        Ok(Item::new(id, Some(revision), tree))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let entry = call.desk.views().entry(&key(call, id)).ok_or_else(Error::not_found)?;
        Ok(Item::new(id, Some(entry.document.revision), entry.json().as_object().cloned().unwrap_or_default()))
    }

    /// Nothing of the former tree is kept, so it need not be read.
    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let tree = checked(content)?;
        let write = put(key(call, id), when.precondition(), &Value::Object(tree.clone()), Vec::new(), false);
        let revision = call.write(write).await?;
        Ok(Item::new(id, Some(revision), tree))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let tree = self.read(call, id).await?;
        call.write(delete(key(call, id), when.precondition())).await?;
        Ok(tree)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(all(call).await?, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "schema") => Ok(schema().into()),
            (None, "template") => Ok(json!({
                "identityResource": "null", "description": "null", "uiConfig": {}, "enabled": true,
                "innerTreeOnly": false, "noSession": false, "mustRun": false, "transactionalOnly": false,
                "nodes": {}, "staticNodes": static_nodes(None)?,
            })
            .into()),
            (None, "getType") => Ok(marker().into()),
            (None, "getAllTypes" | "getCreatableTypes") => Ok(json!({"result": [marker()]}).into()),
            (None, "nextdescendents") => {
                let trees = all(call).await?.into_iter().map(|item| Item { revision: None, ..item }.whole());
                Ok(json!({"result": trees.collect::<Vec<Value>>()}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

fn schema() -> Value {
    let attribute = |order: usize, title: &str, kind: &str, required: bool| {
        json!({"title": title, "description": "", "propertyOrder": order * 100, "required": required, "type": kind,
            "exampleValue": ""})
    };
    let attributes = [
        ("entryNodeId", "Entry Node ID", "string", true),
        ("nodes", "Nodes", "object", true),
        ("staticNodes", "Static Nodes", "object", false),
        ("identityResource", "Identity Resource", "string", false),
        ("description", "Description", "string", false),
        ("uiConfig", "Ui Config", "object", false),
        ("enabled", "Enabled", "boolean", false),
        ("innerTreeOnly", "Inner Tree Only", "boolean", false),
        ("noSession", "No Session", "boolean", false),
        ("mustRun", "Must Run", "boolean", false),
        ("transactionalOnly", "Transactional Only", "boolean", false),
        ("treeTimeout", "Tree Timeout", "integer", false),
        ("maximumSessionTime", "Maximum Session Time", "integer", false),
        ("maximumIdleTime", "Maximum Idle Time", "integer", false),
    ];
    let properties: Object = attributes
        .into_iter()
        .enumerate()
        .map(|(order, (name, title, kind, required))| (name.to_owned(), attribute(order + 1, title, kind, required)))
        .collect();
    json!({"type": "object", "properties": properties})
}
