//! What every realm can authenticate with from its first moment (authn-sessions-realms.md a.13, a.18): written in the log entry
//! that makes the realm, so that no realm is ever seen without.
//!
//! | tree         | flow                                                                                             |
//! |--------------|--------------------------------------------------------------------------------------------------|
//! | `Example`    | headers → data store; none: user name, password → data store                                     |
//! | `Agent`      | headers → agents; none: failure                                                                  |
//! | `AgentLogin` | headers → agents; none: a page with user name and password → agents                              |
//!
//! Ids of nodes are the reference's, and for `AgentLogin` made as it makes them: from MD5 of the decimal numbers from 100 on.

use super::{
    catalogue, chains,
    modules::MODULES,
    trees::{self, FAILURE, SUCCESS},
};
use crate::{crest::Object, desk::put, rest::schema::LeftOut};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Write};
use serde_json::{Value, json};

const USERNAME: &str = "cfcd2084-95d5-35ef-a6e7-dff9f98764da";
const PASSWORD: &str = "c4ca4238-a0b9-3382-8dcc-509a6f75849b";
const DATA_STORE: &str = "c81e728d-9d4c-3f63-af06-7f89cc14862c";
const HEADERS: &str = "eccbc87e-4b5c-32fe-a830-8fd9f2a7baf3";
const AGENT_DATA_STORE: &str = "a87ff679-a2f3-371d-9181-a67b7542122c";
const AGENT_HEADERS: &str = "e4da3b7f-bbce-3345-9777-2b0674a318d5";
const LOGIN_HEADERS: &str = "f899139d-f5e1-3593-9643-1415e770c6dd";
const LOGIN_PAGE: &str = "38b3eff8-baf5-3627-878e-c76a704e9b52";
const LOGIN_USERNAME: &str = "ec895663-7a99-387b-9197-eacd77acce5e";
const LOGIN_PASSWORD: &str = "6974ce5a-c660-310b-84d9-b9fed0ff9548";
const LOGIN_DATA_STORE: &str = "c9e1074f-5b3f-3fc8-aa15-d152add07294";

/// A node: its id, type, and what its outcomes lead to; none for one on a page.
type Node = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// A tree: its name, entry and nodes.
type Tree = (&'static str, &'static str, &'static [Node]);

const DECISION: &[(&str, &str)] = &[("true", SUCCESS), ("false", FAILURE)];

const TREES: [Tree; 3] = [
    (
        "Example",
        HEADERS,
        &[
            (USERNAME, "UsernameCollectorNode", &[("outcome", PASSWORD)]),
            (PASSWORD, "PasswordCollectorNode", &[("outcome", DATA_STORE)]),
            (DATA_STORE, "DataStoreDecisionNode", DECISION),
            (HEADERS, "ZeroPageLoginNode", &[("true", DATA_STORE), ("false", USERNAME)]),
        ],
    ),
    (
        "Agent",
        AGENT_HEADERS,
        &[
            (AGENT_DATA_STORE, "AgentDataStoreDecisionNode", DECISION),
            (AGENT_HEADERS, "ZeroPageLoginNode", &[("true", AGENT_DATA_STORE), ("false", FAILURE)]),
        ],
    ),
    (
        "AgentLogin",
        LOGIN_HEADERS,
        &[
            (LOGIN_HEADERS, "ZeroPageLoginNode", &[("true", LOGIN_DATA_STORE), ("false", LOGIN_PAGE)]),
            (LOGIN_PAGE, "PageNode", &[("outcome", LOGIN_DATA_STORE)]),
            (LOGIN_DATA_STORE, "AgentDataStoreDecisionNode", DECISION),
        ],
    ),
];

const ON_THE_PAGE: [(&str, &str); 2] =
    [(LOGIN_USERNAME, "UsernameCollectorNode"), (LOGIN_PASSWORD, "PasswordCollectorNode")];

fn display_name(of_type: &str) -> &'static str {
    catalogue::find(of_type).map_or("", |known| known.name)
}

/// The configuration of a node with nothing said about it.
fn defaults(of_type: &str) -> Object {
    let read = catalogue::find(of_type).and_then(|known| known.schema.read(&Object::new(), LeftOut::Default).ok());
    read.map(|read| read.stored).unwrap_or_default()
}

fn tree((_, entry, nodes): Tree) -> Value {
    let nodes: Object = nodes
        .iter()
        .map(|(id, of_type, connections)| {
            let connections: Object =
                connections.iter().map(|(o, target)| ((*o).to_owned(), (*target).into())).collect();
            let node = json!({"displayName": display_name(of_type), "nodeType": of_type, "x": 0, "y": 0,
                "connections": connections});
            ((*id).to_owned(), node)
        })
        .collect();
    let content =
        Object::from_iter([("entryNodeId".to_owned(), entry.into()), ("nodes".to_owned(), Value::Object(nodes))]);
    trees::checked(&content).map(Value::Object).unwrap_or_default()
}

fn page() -> Object {
    let children: Vec<Value> = ON_THE_PAGE
        .iter()
        .map(|(id, of_type)| json!({"_id": id, "nodeType": of_type, "displayName": display_name(of_type)}))
        .collect();
    let mut page = defaults("PageNode");
    page.insert("nodes".into(), children.into());
    page
}

fn nodes() -> impl Iterator<Item = (String, Object)> {
    let of_trees = TREES.into_iter().flat_map(|(_, _, nodes)| nodes.iter().map(|(id, of_type, _)| (*id, *of_type)));
    of_trees.chain(ON_THE_PAGE).map(|(id, of_type)| {
        let config = if of_type == "PageNode" { page() } else { defaults(of_type) };
        (format!("{of_type}/{id}"), config)
    })
}

/// The chain of one module that must succeed.
fn chain(module: &str) -> Value {
    let content = Object::from_iter([(
        "authChainConfiguration".to_owned(),
        json!([{"module": module, "criteria": "REQUIRED", "options": {}}]),
    )]);
    chains::checked(&content).map(Value::Object).unwrap_or_default()
}

fn module(of_type: &str) -> Value {
    let known = (MODULES.types)().into_iter().find(|known| known.id == of_type);
    let read = known.and_then(|known| known.schema.read(&Object::new(), LeftOut::Default).ok());
    Value::Object(read.map(|read| read.stored).unwrap_or_default())
}

/// The journeys, chains and modules of a new realm.
pub fn writes(realm: &RealmPath) -> Vec<Write> {
    let first = |kind, id: &str, body: &Value| {
        put(DocumentKey::new(realm, kind, id), Precondition::Absent, body, Vec::new(), false)
    };
    let nodes = nodes().map(|(id, config)| first(Kind::Node, &id, &Value::Object(config)));
    let trees = TREES.into_iter().map(|built_in| first(Kind::Tree, built_in.0, &tree(built_in)));
    let modules = [("datastore", "DataStore"), ("amster", "Amster")];
    let chains = [("ldapService", "DataStore"), ("amsterService", "Amster")];
    nodes
        .chain(trees)
        .chain(
            modules
                .map(|(of_type, id)| first(Kind::AuthenticationModule, &format!("{of_type}/{id}"), &module(of_type))),
        )
        .chain(chains.map(|(id, name)| first(Kind::Chain, id, &chain(name))))
        .collect()
}
