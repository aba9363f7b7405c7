//! A realm with users and journeys, and somebody who authenticates in it, for tests.

use super::model::{FAILURE, SUCCESS};
use crate::{
    desk::put,
    rest::{
        Csrf, Routes, Scope, authenticate, routes,
        testing::{Ask, Reply, Rig},
    },
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath};
use serde_json::{Value, json};

/// The password of `demo`.
pub(crate) const PASSWORD: &str = "correct horse";

/// A node: id, type, configuration, where its outcomes lead (`SUCCESS` and `FAILURE` are the ends).
pub(crate) type Plan<'p> = (&'p str, &'p str, Value, &'p [(&'p str, &'p str)]);

/// A deployment with user `demo` and tree `Example` in the top-level realm.
pub(crate) struct Am {
    pub rig: Rig,
}

fn table() -> Routes {
    routes().plain(Scope::Realm, "authenticate", Csrf::Checked, authenticate::handle)
}

impl Am {
    pub async fn new() -> Self {
        let am = Self { rig: Rig::new().await };
        am.user("demo", json!({})).await;
        am.tree(
            "Example",
            &[
                ("zero", "ZeroPageLoginNode", json!({}), &[("true", "decide"), ("false", "name")]),
                ("name", "UsernameCollectorNode", json!({}), &[("outcome", "password")]),
                ("password", "PasswordCollectorNode", json!({}), &[("outcome", "decide")]),
                ("decide", "DataStoreDecisionNode", json!({}), &[("true", "SUCCESS"), ("false", "FAILURE")]),
            ],
        )
        .await;
        am
    }

    /// Stores a document of the top-level realm.
    pub async fn put(&self, kind: Kind, id: &str, body: &Value) {
        self.put_in(&RealmPath::root(), kind, id, body).await;
    }

    pub async fn put_in(&self, realm: &RealmPath, kind: Kind, id: &str, body: &Value) {
        let write = put(DocumentKey::new(realm, kind, id), Precondition::Any, body, Vec::new(), false);
        self.rig.desk.write(vec![write]).await.expect("writes");
    }

    /// Stores a user with [`PASSWORD`] and `more`.
    pub async fn user(&self, name: &str, more: Value) {
        self.user_in(&RealmPath::root(), name, more).await;
    }

    pub async fn user_in(&self, realm: &RealmPath, name: &str, more: Value) {
        let verifier = self.rig.desk.passwords().hash(PASSWORD).await.expect("hashes");
        let mut body = json!({"username": name, "inetUserStatus": ["Active"], "userpassword": verifier});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.put_in(realm, Kind::User, &name.to_lowercase(), &body).await;
    }

    /// What is stored about a user.
    pub fn profile(&self, id: &str) -> Value {
        self.rig.desk.document(&RealmPath::root(), Kind::User, id).expect("a user").json().clone()
    }

    /// Stores a tree that begins with the first node of `plan`.
    pub async fn tree(&self, name: &str, plan: &[Plan<'_>]) {
        self.tree_with(&RealmPath::root(), name, plan, json!({})).await;
    }

    /// As [`tree`](Self::tree), with more members.
    pub async fn tree_with(&self, realm: &RealmPath, name: &str, plan: &[Plan<'_>], more: Value) {
        let target = |to: &str| match to {
            "SUCCESS" => SUCCESS.to_owned(),
            "FAILURE" => FAILURE.to_owned(),
            node => format!("{name}-{node}"),
        };
        let mut tree = json!({"entryNodeId": target(plan[0].0), "nodes": {}, "enabled": true});
        for (id, node_type, config, connections) in plan {
            let id = target(id);
            let connections: serde_json::Map<String, Value> =
                connections.iter().map(|(outcome, to)| ((*outcome).to_owned(), target(to).into())).collect();
            tree["nodes"][&id] =
                json!({"displayName": id, "nodeType": node_type, "connections": connections, "x": 0, "y": 0});
            self.put_in(realm, Kind::Node, &format!("{node_type}/{id}"), config).await;
        }
        for (name, value) in more.as_object().expect("an object") {
            tree[name] = value.clone();
        }
        self.put_in(realm, Kind::Tree, name, &tree).await;
    }

    /// Says how the top-level realm authenticates.
    pub async fn settings(&self, body: Value) {
        self.put(Kind::Service, "authentication", &body).await;
    }

    /// A request to the endpoint, `query` with its question mark.
    pub fn ask(&self, query: &str) -> Ask<'_> {
        self.at("", query)
    }

    /// As [`ask`](Self::ask), in a realm: `/realms/root/realms/alpha`.
    pub fn at(&self, realm: &str, query: &str) -> Ask<'_> {
        self.rig.ask("POST", &format!("{realm}/authenticate{query}")).at(table())
    }

    /// With another method.
    pub fn with_method(&self, method: &str) -> Ask<'_> {
        self.rig.ask(method, "/authenticate").at(table())
    }

    /// Without the header that keeps forgers out.
    pub fn bare(&self) -> Ask<'_> {
        self.rig.bare("POST", "/authenticate").at(table())
    }

    /// Starts `service`.
    pub async fn start(&self, service: &str) -> Reply {
        self.ask(&named(service)).go().await
    }

    /// Answers a step.
    pub async fn answer(&self, step: &Reply, values: &[Value]) -> Reply {
        self.ask("").json(&answered(step, values)).await
    }

    /// Name and password in headers.
    pub async fn headers(&self, query: &str, name: &str, password: &str) -> Reply {
        self.ask(query).header("X-OpenAM-Username", name).header("X-OpenAM-Password", password).go().await
    }

    /// A session of `demo` by `Example`.
    pub async fn login(&self) -> String {
        let reply = self.headers(&named("Example"), "demo", PASSWORD).await;
        token(&reply)
    }
}

/// The parameters that ask for a service.
pub(crate) fn named(service: &str) -> String {
    format!("?authIndexType=service&authIndexValue={service}")
}

/// The token in an answer of success.
pub(crate) fn token(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json["tokenId"].as_str().expect("a token").to_owned()
}

/// The step, whole, with `values` in its inputs, in order.
pub(crate) fn answered(step: &Reply, values: &[Value]) -> Value {
    assert!(step.status == 200 && step.json["authId"].is_string(), "no step: {}", step.text);
    let mut body = step.json.clone();
    let mut values = values.iter();
    for callback in body["callbacks"].as_array_mut().expect("callbacks") {
        for input in callback.get_mut("input").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(value) = values.next() {
                input["value"] = value.clone();
            }
        }
    }
    body
}

/// The types of a step's callbacks.
pub(crate) fn types(step: &Reply) -> Vec<&str> {
    let callbacks = step.json["callbacks"].as_array().map(Vec::as_slice).unwrap_or_default();
    callbacks.iter().filter_map(|callback| callback["type"].as_str()).collect()
}
