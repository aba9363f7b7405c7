//! Trees, chains and modules as they are stored (authn-sessions-realms.md a.13, a.18), compiled once per revision.

use super::nodes::NodeConfig;
use crate::{desk::Desk, views::Entry};
use quorate_raft::{Kind, RealmPath};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// The node that means success.
pub const SUCCESS: &str = "70e691a5-1e33-4ac3-a356-e7b6d60d92e0";
/// The node that means failure.
pub const FAILURE: &str = "e301438c-0bd0-429c-ab0c-66126501069a";

/// A journey's plan: nodes, and where each of their outcomes leads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// Where it begins.
    pub entry_node_id: String,
    /// Its nodes by id.
    #[serde(default)]
    pub nodes: BTreeMap<String, TreeNode>,
    /// Whether it can be used at all.
    #[serde(default = "yes", deserialize_with = "or_yes")]
    pub enabled: bool,
    /// Whether it runs even though there is a session that satisfies it.
    #[serde(default, deserialize_with = "or_no")]
    pub must_run: bool,
    /// Whether it can only be evaluated by another tree.
    #[serde(default, deserialize_with = "or_no")]
    pub inner_tree_only: bool,
    /// Whether it ends without a session.
    #[serde(default, deserialize_with = "or_no")]
    pub no_session: bool,
    /// Whether it is for transactions only.
    #[serde(default, deserialize_with = "or_no")]
    pub transactional_only: bool,
    /// Longest life of a journey, minutes.
    #[serde(default)]
    pub tree_timeout: Option<u64>,
    /// Longest life of the session, minutes.
    #[serde(default)]
    pub maximum_session_time: Option<u64>,
    /// Longest pause of the session, minutes.
    #[serde(default)]
    pub maximum_idle_time: Option<u64>,
}

/// A node in its place in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeNode {
    /// What administrators call it.
    #[serde(default)]
    pub display_name: String,
    /// Its type.
    pub node_type: String,
    /// Where each outcome leads.
    #[serde(default)]
    pub connections: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

fn or_yes<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(true))
}

fn or_no<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(false))
}

/// A chain: modules, and what each of them means for the whole.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    /// In order.
    #[serde(default)]
    pub auth_chain_configuration: Vec<Link>,
    /// Where to go after success; the first one counts.
    #[serde(default)]
    pub login_success_url: Vec<String>,
    /// Where to go after failure; the first one counts.
    #[serde(default)]
    pub login_failure_url: Vec<String>,
}

/// A module in its place in a chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Link {
    /// Name of the module.
    pub module: String,
    /// What its outcome means.
    pub criteria: Criteria,
}

/// What a module's outcome means for its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Criteria {
    /// Must succeed; the others are asked all the same.
    Required,
    /// Must succeed, and nothing is asked after it failed.
    Requisite,
    /// Enough, unless something required failed before.
    Sufficient,
    /// Counts if nothing else does.
    Optional,
}

/// Type and level of an authentication module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its type, as in paths.
    pub kind: String,
    /// The level that it gives.
    pub level: i32,
}

fn typed<T: serde::de::DeserializeOwned + Send + Sync + 'static>(entry: &Entry) -> Option<Arc<T>> {
    let compiled = entry.typed(|json| T::deserialize(json).map(Arc::new).map_err(|error| error.to_string()));
    compiled.as_ref().as_ref().ok().cloned()
}

/// The tree of that name, if it can be used.
pub fn tree(desk: &Desk, realm: &RealmPath, name: &str) -> Option<Arc<Tree>> {
    typed::<Tree>(&*desk.document(realm, Kind::Tree, name)?).filter(|tree| tree.enabled)
}

/// Whether there is a tree of that name, usable or not: it shadows a chain.
pub fn tree_exists(desk: &Desk, realm: &RealmPath, name: &str) -> bool {
    desk.document(realm, Kind::Tree, name).is_some()
}

/// The configuration of a node.
pub fn node(desk: &Desk, realm: &RealmPath, node_type: &str, id: &str) -> Option<Arc<NodeConfig>> {
    let entry = desk.document(realm, Kind::Node, &format!("{node_type}/{id}"))?;
    Some(entry.typed(|json| NodeConfig::parse(node_type, json)))
}

/// The chain of that name.
pub fn chain(desk: &Desk, realm: &RealmPath, name: &str) -> Option<Arc<Chain>> {
    typed::<Chain>(&*desk.document(realm, Kind::Chain, name)?)
}

/// A chain of one module: what asking for a module means.
pub fn single(module: &str) -> Chain {
    let link = Link { module: module.to_owned(), criteria: Criteria::Required };
    Chain { auth_chain_configuration: vec![link], login_success_url: Vec::new(), login_failure_url: Vec::new() }
}

/// Types of modules, as in the ids of their documents.
const MODULE_TYPES: [&str; 3] = ["datastore", "ldap", "amster"];

/// The module of that name.
pub fn module(desk: &Desk, realm: &RealmPath, name: &str) -> Option<Module> {
    MODULE_TYPES.into_iter().find_map(|kind| {
        let entry = desk.document(realm, Kind::AuthenticationModule, &format!("{kind}/{name}"))?;
        let level = entry.json().get("authenticationLevel").and_then(Value::as_i64).unwrap_or_default();
        Some(Module { kind: kind.to_owned(), level: i32::try_from(level).unwrap_or_default() })
    })
}

/// Configuration without members that say nothing: `null` stands for "not set".
pub fn without_nulls(config: &Value) -> Value {
    let said = |members: &Map<String, Value>| {
        members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    config.as_object().map_or_else(|| Value::Object(Map::new()), |members| Value::Object(said(members)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_reads_as_in_the_reference() {
        let stored = json!({
            "identityResource": "managed/user", "uiConfig": {"categories": "[]"}, "entryNodeId": "a",
            "innerTreeOnly": false, "noSession": null, "mustRun": true, "enabled": null,
            "nodes": {"a": {"displayName": "Zero Page", "nodeType": "ZeroPageLoginNode", "x": 0, "y": 1.5,
                "connections": {"true": SUCCESS, "false": FAILURE}}},
            "staticNodes": {"startNode": {"x": 50, "y": 25}}, "description": "null", "treeTimeout": null,
        });
        let tree = Tree::deserialize(&stored).expect("a tree");
        assert!(tree.enabled && tree.must_run && !tree.no_session && !tree.inner_tree_only);
        assert_eq!(tree.nodes["a"].connections["false"], FAILURE);
        assert!(Tree::deserialize(&json!({"nodes": {}})).is_err());
    }

    #[test]
    fn a_chain_reads_as_in_the_reference() {
        let stored = json!({"authChainConfiguration": [{"module": "DataStore", "criteria": "REQUIRED", "options": {}}],
            "loginPostProcessClass": [], "loginSuccessUrl": ["/x"], "loginFailureUrl": []});
        let chain = Chain::deserialize(&stored).expect("a chain");
        assert_eq!(chain.auth_chain_configuration, single("DataStore").auth_chain_configuration);
        assert_eq!(chain.login_success_url, ["/x"]);
    }
}
