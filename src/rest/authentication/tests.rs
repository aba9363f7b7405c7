//! The tables of authn-sessions-realms.md a.12 to a.15 and a.18, in their order; then hostile input, and what tools do.

mod chains;
mod flows;
mod nodes;
mod settings;
mod trees;

use crate::rest::testing::{Reply, Rig};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

/// Below the realm that the tests use.
pub const BASE: &str = "/realms/root/realms/alpha/realm-config/authentication";

/// `…/trees`.
pub const TREES: &str = "/realms/root/realms/alpha/realm-config/authentication/authenticationtrees/trees";

/// `…/nodes`.
pub const NODES: &str = "/realms/root/realms/alpha/realm-config/authentication/authenticationtrees/nodes";

/// With a realm `/alpha`.
pub async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig
}

/// An action without content.
pub async fn act(rig: &Rig, path: &str, action: &str) -> Reply {
    rig.send("POST", &format!("{path}?_action={action}"), json!({})).await
}

/// A PUT with an `Accept-API-Version`.
pub async fn put(rig: &Rig, path: &str, version: &str, body: Value) -> Reply {
    rig.admin("PUT", path).header("Accept-API-Version", version).json(&body).await
}

/// A stored document of the realm, as whoever runs journeys reads it.
pub fn stored(rig: &Rig, kind: Kind, id: &str) -> Option<Value> {
    rig.desk.document(&RealmPath::from("/alpha"), kind, id).map(|entry| entry.json().clone())
}

/// Without the members that change.
pub fn without(mut value: Value, names: &[&str]) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !names.contains(&name.as_str()));
    }
    value
}

/// Every route of authentication, by the paths that tests use: strangers and users may nothing.
#[actix_web::test]
async fn strangers_and_users_configure_nothing() {
    let rig = rig().await;
    let user = json!({"username": "demo", "userpassword": "correct horse"});
    assert_eq!(rig.send("POST", "/realms/root/users?_action=create", user).await.status, 201);
    let demo = rig.session(&RealmPath::root(), Kind::User, "demo").await;
    for path in [
        "/global-config/authentication",
        "/realms/root/realm-config/authentication",
        "/realms/root/realm-config/authentication/authenticationtrees/trees/Example",
        "/realms/root/realm-config/authentication/authenticationtrees/nodes/UsernameCollectorNode/x",
        "/realms/root/realm-config/authentication/chains/ldapService",
        "/realms/root/realm-config/authentication/modules/datastore/DataStore",
        "/global-config/services/scripting",
        "/global-config/services/scripting/contexts/OIDC_CLAIMS",
        "/global-config/services/scripting/contexts/OIDC_CLAIMS/engineConfiguration",
        "/realms/root/contexts/OIDC_CLAIMS",
        "/realms/root/libraries/6c49bebe-3a62-11ed-a261-0242ac120002",
        "/realms/root/scripts/01e1a3c0-038b-4c16-956a-6c9d89328cff",
    ] {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let stranger = rig.ask(method, path).json(&json!({})).await;
            assert_eq!(stranger.error(), (401, "Access Denied"), "{method} {path}");
            let user = rig.ask(method, path).session(&demo).json(&json!({})).await;
            assert_eq!(user.error(), (403, "The user has insufficient privileges"), "{method} {path}");
        }
        let cookie = format!("iPlanetDirectoryPro={}", rig.admin);
        let forged = rig.bare("PUT", path).header("Cookie", &cookie).json(&json!({})).await;
        assert_eq!(forged.error(), (403, "Forbidden"), "SE-02: {path}");
        assert_eq!(rig.get(path).await.status, if path.ends_with("Node/x") { 404 } else { 200 }, "{path}");
    }
}

/// G7: without quorum nothing is told and nothing is changed.
#[actix_web::test]
async fn without_quorum_there_is_503() {
    let rig = rig().await;
    let tree = rig.get(&format!("{TREES}/Example")).await.json;
    rig.alone.cut_off.store(true, std::sync::atomic::Ordering::Relaxed);
    let path = format!("{NODES}/PageNode/x");
    for (method, path) in [("GET", BASE), ("PUT", BASE), ("GET", &path), ("PUT", &path)] {
        let reply = rig.admin(method, path).json(&json!({})).await;
        assert_eq!(reply.error(), (503, "Service Unavailable"), "{method} {path}");
    }
    assert_eq!(rig.send("PUT", &format!("{TREES}/Example"), json!({})).await.status, 503);
    rig.alone.cut_off.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(rig.get(&format!("{TREES}/Example")).await.json, tree);
}
