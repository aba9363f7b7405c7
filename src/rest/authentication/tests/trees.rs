//! a.13.

use super::{TREES, act, rig, stored, without};
use crate::rest::authentication::trees::{FAILURE, SUCCESS};
use quorate_raft::Kind;
use serde_json::{Value, json};

const ENTRY: &str = "eccbc87e-4b5c-32fe-a830-8fd9f2a7baf3";

/// A tree of one node.
fn login() -> Value {
    json!({
        "identityResource": "managed/user", "uiConfig": {"categories": "[]"}, "entryNodeId": ENTRY,
        "innerTreeOnly": false, "noSession": false, "mustRun": false, "transactionalOnly": false,
        "nodes": {ENTRY: {"displayName": "Data Store Decision", "nodeType": "DataStoreDecisionNode", "x": 10, "y": 20.5,
            "connections": {"true": SUCCESS, "false": FAILURE}}},
        "staticNodes": {"startNode": {"x": 50, "y": 25}, SUCCESS: {"x": 900, "y": 80}, FAILURE: {"x": 900, "y": 180}},
        "description": "sample", "enabled": true,
    })
}

/// The calls of a.13, in their order.
#[actix_web::test]
async fn a_tree_lives_and_dies() {
    let rig = rig().await;
    let path = format!("{TREES}/Login");
    let all = rig.get(&format!("{TREES}?_queryFilter=true")).await;
    let names = |reply: &crate::rest::testing::Reply| -> Vec<String> {
        let listed = reply.json["result"].as_array().expect("a list");
        listed.iter().map(|tree| tree["_id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(names(&all), ["Agent", "AgentLogin", "Example"]);
    assert_eq!(
        without(all.json.clone(), &["result"]),
        json!({"resultCount": 3, "pagedResultsCookie": null, "totalPagedResultsPolicy": "NONE",
            "totalPagedResults": -1, "remainingPagedResults": -1})
    );
    let counted = rig.get(&format!("{TREES}?_queryFilter=true&_pageSize=0&_totalPagedResultsPolicy=EXACT")).await;
    assert_eq!((counted.status, &counted.json["totalPagedResults"]), (200, &json!(3)));
    assert_eq!(rig.get(&path).await.error(), (404, "Not Found"));

    let created = super::put(&rig, &path, "protocol=2.1,resource=1.0", login()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.header("Content-API-Version"), Some("resource=1.0"));
    let location = "https://am.example.com:8443/am/json/realms/root/realms/alpha/realm-config/authentication/\
                    authenticationtrees/trees/Login";
    assert_eq!(created.header("Location"), Some(location));
    let mut expected = login();
    expected["_id"] = json!("Login");
    assert_eq!(without(created.json.clone(), &["_rev"]), expected);
    assert_eq!(rig.get(&path).await.json, created.json);
    assert_eq!(stored(&rig, Kind::Tree, "Login"), Some(login()), "as whoever runs it reads it");
    let forced = rig.admin("PUT", &path).header("If-None-Match", "*").json(&login()).await;
    assert_eq!(forced.error(), (412, "Unable to save config: Service already exists"));
    let posted = rig.send("POST", &format!("{TREES}?_action=create"), created.json.clone()).await;
    assert_eq!(posted.error(), (409, "Unable to save config: Service already exists"));

    let minimal = json!({"entryNodeId": SUCCESS, "nodes": {}});
    let replaced = rig.send("PUT", &path, minimal).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    assert_eq!(
        without(replaced.json, &["_id", "_rev"]),
        json!({"identityResource": "null", "description": "null", "uiConfig": {}, "entryNodeId": SUCCESS,
            "innerTreeOnly": false, "noSession": false, "mustRun": false, "transactionalOnly": false, "enabled": true,
            "nodes": {}, "staticNodes": {"startNode": {"x": 0, "y": 0}, SUCCESS: {"x": 0, "y": 0},
            FAILURE: {"x": 0, "y": 0}}}),
        "it is replaced, not merged"
    );
    let last = rig.send("PUT", &path, login()).await;
    let deleted = rig.admin("DELETE", &path).go().await;
    assert_eq!((deleted.status, &deleted.json), (200, &last.json));
    assert_eq!(rig.admin("DELETE", &path).go().await.error(), (404, "Not Found"));
    let any = rig.admin("PUT", &path).header("If-Match", "*").json(&login()).await;
    assert_eq!(any.error(), (404, "Not Found"));
}

#[actix_web::test]
async fn actions_describe_trees() {
    let rig = rig().await;
    let schema = act(&rig, TREES, "schema").await.json;
    assert_eq!(schema["properties"]["entryNodeId"]["required"], true);
    assert_eq!(schema["properties"]["enabled"]["type"], "boolean");
    assert_eq!(act(&rig, TREES, "template").await.json["enabled"], true);
    let of_type = act(&rig, TREES, "getType").await.json;
    assert_eq!((&of_type["_id"], &of_type["collection"]), (&json!("trees"), &json!(true)));
    assert_eq!(act(&rig, TREES, "getAllTypes").await.json, json!({"result": [of_type]}));
    let all = act(&rig, TREES, "nextdescendents").await.json;
    assert_eq!(all["result"].as_array().map(Vec::len), Some(3));
    assert_eq!(all["result"][0].get("_rev"), None);
    assert_eq!(act(&rig, TREES, "nosuch").await.error(), (501, "Action not supported: nosuch"));
    let filtered = rig.get(&format!("{TREES}?_queryFilter=_id+eq+'x'")).await;
    assert_eq!(filtered.error(), (501, "Query not supported: /_id eq \"x\""));
}

/// The fields of a.13, in their order, and what each refuses.
#[actix_web::test]
async fn what_is_no_tree_is_refused() {
    let rig = rig().await;
    let path = format!("{TREES}/Login");
    let created = rig.send("PUT", &path, login()).await.json;
    let missing = "Node with ID entryNodeId must exist in the tree.";
    let nodes = "Data validation failed for the attribute, Nodes";
    let with = |pointer: &str, value: Value| {
        let mut tree = login();
        *tree.pointer_mut(pointer).expect(pointer) = value;
        tree
    };
    let node = |member: &str| format!("/nodes/{ENTRY}/{member}");
    let mut extra = login();
    extra["nodes"][ENTRY]["isAdmin"] = json!(true);
    let mut foreign = login();
    foreign["staticNodes"]["other"] = json!({});
    let dangling = "Node with ID 7b1a4a1e-0000-4000-8000-000000000000 must exist in the tree.";
    for (tree, message) in [
        (json!({}), nodes),
        (json!({"nodes": {}}), missing),
        (json!({"nodes": {}, "entryNodeId": ENTRY}), missing),
        (with("/entryNodeId", json!("startNode")), missing),
        (with("/entryNodeId", json!(7)), missing),
        (with("/nodes", json!([])), nodes),
        (with("/nodes", json!("x")), nodes),
        (with("/nodes", json!({ENTRY: 7})), nodes),
        (with("/nodes", json!({SUCCESS: {"displayName": "x", "nodeType": "PageNode"}})), nodes),
        (with("/nodes", json!({"a/b": {"displayName": "x", "nodeType": "PageNode"}})), nodes),
        (with(&node("displayName"), json!(7)), nodes),
        (with(&node("nodeType"), json!("../x")), nodes),
        (with(&node("nodeType"), Value::Null), nodes),
        (with(&node("x"), json!("1")), nodes),
        (with(&node("connections"), json!([])), nodes),
        (with(&node("connections"), json!({"true": 7})), nodes),
        (with(&node("connections"), json!({"true": "7b1a4a1e-0000-4000-8000-000000000000"})), dangling),
        (with(&node("connections"), json!({"true": "startNode"})), "Node with ID startNode must exist in the tree."),
        (extra, nodes),
        (with("/staticNodes", json!([])), "Data validation failed for the attribute, Static Nodes"),
        (with("/staticNodes/startNode", json!({"z": 1})), "Data validation failed for the attribute, Static Nodes"),
        (foreign, "Data validation failed for the attribute, Static Nodes"),
        (with("/uiConfig", json!({"a": 1})), "Data validation failed for the attribute, Ui Config"),
        (with("/enabled", json!("yes")), "Data validation failed for the attribute, Enabled"),
        (with("/description", json!({})), "Data validation failed for the attribute, Description"),
        (
            json!({"nodes": {}, "entryNodeId": SUCCESS, "treeTimeout": -1}),
            "Data validation failed for the attribute, Tree Timeout",
        ),
    ] {
        let reply = rig.send("PUT", &path, tree.clone()).await;
        assert_eq!(reply.error(), (400, message), "{tree}");
    }
    let unknown = rig.send("PUT", &path, json!({"entryNodeId": SUCCESS, "nodes": {}, "isAdmin": true})).await;
    assert_eq!(unknown.error(), (400, "Invalid attribute specified."));
    assert_eq!(
        unknown.json["detail"]["validAttributes"],
        json!([
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
            "uiConfig"
        ])
    );
    assert_eq!(rig.get(&path).await.json, created, "nothing of that changed anything");
}

/// Static ids are targets and entries; a tree may lead back into itself.
#[actix_web::test]
async fn connections_lead_anywhere_in_the_tree() {
    let rig = rig().await;
    let node = |target: &str| {
        json!({"displayName": "x", "nodeType": "RetryLimitDecisionNode", "version": "1.0",
        "connections": {"Retry": target, "Reject": FAILURE}})
    };
    let tree = json!({"entryNodeId": "a", "nodes": {"a": node("b"), "b": node("a")}, "treeTimeout": 10,
        "maximumSessionTime": 60, "maximumIdleTime": 5, "identityResource": null, "enabled": false});
    let created = rig.send("PUT", &format!("{TREES}/loop"), tree).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!((&created.json["treeTimeout"], &created.json["enabled"]), (&json!(10), &json!(false)));
    assert_eq!(created.json["nodes"]["a"]["version"], "1.0");
    assert_eq!(created.json["nodes"]["a"]["x"], 0);
}

/// AD-04: of two who read the same tree one writes it.
#[actix_web::test]
async fn two_editors_do_not_both_win() {
    let rig = rig().await;
    let path = format!("{TREES}/Login");
    let tag = rig.send("PUT", &path, login()).await.header("ETag").expect("a tag").to_owned();
    let edit = |text: &str| {
        let mut tree = login();
        tree["description"] = json!(text);
        let ask = rig.admin("PUT", &path).header("If-Match", &tag);
        async move { ask.json(&tree).await }
    };
    assert_eq!(edit("first").await.status, 200);
    let late = edit("second").await;
    let stale = "The resource with ID 'Login' could not be updated because it does not have the required version";
    assert_eq!(late.error(), (412, stale));
    assert_eq!(rig.get(&path).await.json["description"], "first");
    assert_eq!(rig.admin("DELETE", &path).header("If-Match", &tag).go().await.error(), (412, stale));
    let racing = futures_util::future::join(
        rig.admin("PUT", &format!("{TREES}/New")).header("If-None-Match", "*").json(&login()),
        rig.admin("PUT", &format!("{TREES}/New")).header("If-None-Match", "*").json(&login()),
    )
    .await;
    let mut statuses = [racing.0.status, racing.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412]);
}

/// What a tree may cost.
#[actix_web::test]
async fn huge_trees_are_refused() {
    let rig = rig().await;
    let path = format!("{TREES}/huge");
    let node = |connections: Value| json!({"displayName": "x", "nodeType": "PageNode", "connections": connections});
    let nodes = |count: usize| -> Value { (0..count).map(|n| (n.to_string(), node(json!({})))).collect() };
    let put = |tree: Value| {
        let (rig, path) = (&rig, &path);
        async move { rig.send("PUT", path, tree).await.status }
    };
    assert_eq!(put(json!({"entryNodeId": "0", "nodes": nodes(501)})).await, 400);
    assert_eq!(put(json!({"entryNodeId": "0", "nodes": nodes(500)})).await, 201);
    let outcomes: Value = (0..101).map(|n| (n.to_string(), json!(SUCCESS))).collect();
    assert_eq!(put(json!({"entryNodeId": "0", "nodes": {"0": node(outcomes)}})).await, 400);
    let ui: Value = (0..101).map(|n| (n.to_string(), json!("x"))).collect();
    assert_eq!(put(json!({"entryNodeId": SUCCESS, "nodes": {}, "uiConfig": ui})).await, 400);
    let large = json!({"entryNodeId": SUCCESS, "nodes": {}, "uiConfig": {"a": "x".repeat(600 << 10)}});
    assert_eq!(put(large).await, 400);
    for name in ["%20x", "a%0Ab", "."] {
        let status = rig.send("PUT", &format!("{TREES}/{name}"), login()).await.status;
        assert!(status == 400 || status == 404, "{name}: {status}");
    }
    let twice = "{\"entryNodeId\":\"0\",\"nodes\":{},\"nodes\":{\"0\":{}}}";
    assert_eq!(rig.admin("PUT", &path).raw("application/json", twice).await.status, 400);
}

/// The trees of a new realm, as a.13 draws them.
#[actix_web::test]
async fn a_new_realm_has_its_trees() {
    let rig = rig().await;
    let (zero, one, two, three, four, five) = (
        "cfcd2084-95d5-35ef-a6e7-dff9f98764da",
        "c4ca4238-a0b9-3382-8dcc-509a6f75849b",
        "c81e728d-9d4c-3f63-af06-7f89cc14862c",
        "eccbc87e-4b5c-32fe-a830-8fd9f2a7baf3",
        "a87ff679-a2f3-371d-9181-a67b7542122c",
        "e4da3b7f-bbce-3345-9777-2b0674a318d5",
    );
    let connections = |tree: &Value, id: &str| tree["nodes"][id]["connections"].clone();
    for base in [TREES, "/realms/root/realm-config/authentication/authenticationtrees/trees"] {
        let example = rig.get(&format!("{base}/Example")).await.json;
        assert_eq!(example["entryNodeId"], three);
        assert_eq!(example["nodes"].as_object().map(serde_json::Map::len), Some(4));
        assert_eq!(connections(&example, three), json!({"true": two, "false": zero}));
        assert_eq!(connections(&example, zero), json!({"outcome": one}));
        assert_eq!(connections(&example, one), json!({"outcome": two}));
        assert_eq!(connections(&example, two), json!({"true": SUCCESS, "false": FAILURE}));
        assert_eq!(example["nodes"][three]["displayName"], "Zero Page Login Collector");
        assert_eq!((&example["nodes"][three]["x"], &example["uiConfig"]), (&json!(0), &json!({})));
        assert_eq!((&example["description"], &example["enabled"]), (&json!("null"), &json!(true)));
        let agent = rig.get(&format!("{base}/Agent")).await.json;
        assert_eq!(agent["entryNodeId"], five);
        assert_eq!(connections(&agent, five), json!({"true": four, "false": FAILURE}));
        assert_eq!(connections(&agent, four), json!({"true": SUCCESS, "false": FAILURE}));
        let login = rig.get(&format!("{base}/AgentLogin")).await.json;
        let entry = login["entryNodeId"].as_str().expect("an entry");
        let decision = connections(&login, entry)["true"].as_str().expect("a node").to_owned();
        assert_eq!(login["nodes"][&decision]["nodeType"], "AgentDataStoreDecisionNode");
        let page = connections(&login, entry)["false"].as_str().expect("a node").to_owned();
        assert_eq!(login["nodes"][&page]["nodeType"], "PageNode");
        assert_eq!(connections(&login, &page), json!({"outcome": decision}));
        let nodes = base.replace("/trees", "/nodes");
        for tree in [&example, &agent, &login] {
            for (id, node) in tree["nodes"].as_object().expect("nodes") {
                let of_type = node["nodeType"].as_str().expect("a type");
                let instance = rig.get(&format!("{nodes}/{of_type}/{id}")).await;
                assert_eq!(instance.status, 200, "{of_type}/{id}");
                let outcomes = instance.json["_outcomes"].as_array().expect("outcomes").len();
                assert_eq!(Some(outcomes), node["connections"].as_object().map(serde_json::Map::len), "{of_type}");
            }
        }
        let children = rig.get(&format!("{nodes}/PageNode/{page}")).await.json["nodes"].clone();
        for child in children.as_array().expect("children") {
            let (of_type, id) = (child["nodeType"].as_str().expect("a type"), child["_id"].as_str().expect("an id"));
            assert_eq!(rig.get(&format!("{nodes}/{of_type}/{id}")).await.status, 200);
        }
    }
}
