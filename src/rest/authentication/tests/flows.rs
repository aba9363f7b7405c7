//! What tools do: a console that builds a journey, and a command line that exports and imports journeys and scripts.

use super::{NODES, TREES, rig, without};
use crate::rest::{
    Csrf, Scope, authenticate,
    authentication::trees::{FAILURE, SUCCESS},
    routes,
    testing::{Reply, Rig},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Draws a journey as a console does: types, schema, template, nodes, tree; then changes it, and throws it away.
#[actix_web::test]
async fn a_console_builds_a_journey() {
    let rig = rig().await;
    let post = |path: String, body: Value| {
        let ask = rig.admin("POST", &path).header("Accept-API-Version", "protocol=2.1,resource=1.0");
        async move { ask.json(&body).await }
    };
    assert_eq!(post(format!("{NODES}?_action=getAllTypes"), json!({})).await.status, 200);
    let mut ids = Vec::new();
    for (of_type, change) in [
        ("ValidatedUsernameNode", json!({})),
        ("ChoiceCollectorNode", json!({"choices": ["yes", "no"], "defaultChoice": "no", "prompt": "Sure?"})),
    ] {
        assert_eq!(post(format!("{NODES}/{of_type}?_action=schema"), json!({})).await.status, 200);
        let mut node = post(format!("{NODES}/{of_type}?_action=template"), json!({})).await.json;
        for (name, value) in change.as_object().expect("an object") {
            node[name] = value.clone();
        }
        let outcomes = post(format!("{NODES}/{of_type}?_action=listOutcomes"), node.clone()).await;
        assert_eq!(outcomes.status, 200, "{}", outcomes.text);
        let created = post(format!("{NODES}/{of_type}?_action=create"), node).await;
        assert_eq!(created.status, 201, "{}", created.text);
        assert_eq!(created.json["_outcomes"], outcomes.json);
        ids.push(created.json["_id"].as_str().expect("an id").to_owned());
    }
    let [username, choice] = ids.as_slice() else { panic!("two nodes") };
    let node = |of_type: &str, connections: Value| {
        json!({"displayName": of_type, "nodeType": of_type, "x": 100, "y": 5,
        "connections": connections})
    };
    let mut nodes = json!({});
    nodes[username] = node("ValidatedUsernameNode", json!({"outcome": choice}));
    nodes[choice] = node("ChoiceCollectorNode", json!({"yes": SUCCESS, "no": FAILURE}));
    let tree = json!({"entryNodeId": username, "nodes": nodes, "enabled": true,
        "staticNodes": {"startNode": {"x": 50, "y": 25}, SUCCESS: {"x": 500, "y": 80}, FAILURE: {"x": 500, "y": 180}}});
    let path = format!("{TREES}/Asked");
    let created = rig.admin("PUT", &path).header("If-None-Match", "*").json(&tree).await;
    assert_eq!(created.status, 201, "{}", created.text);

    let mut moved = created.json.clone();
    moved["nodes"][choice]["x"] = json!(222.5);
    moved["enabled"] = json!(false);
    let saved = rig.admin("PUT", &path).header("If-Match", created.header("ETag").expect("a tag")).json(&moved).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    let config = rig.get(&format!("{NODES}/ChoiceCollectorNode/{choice}")).await.json;
    let mut config = config;
    config["prompt"] = json!("Really?");
    assert_eq!(rig.send("PUT", &format!("{NODES}/ChoiceCollectorNode/{choice}"), config).await.status, 200);
    assert_eq!(rig.get(&path).await.json["nodes"][choice]["x"], 222.5);

    assert_eq!(rig.admin("DELETE", &format!("{NODES}/ChoiceCollectorNode/{choice}")).go().await.status, 200, "in use");
    assert_eq!(rig.admin("DELETE", &path).go().await.status, 200);
    let left = rig.get(&format!("{NODES}/ValidatedUsernameNode/{username}")).await;
    assert_eq!(left.status, 200, "nodes outlive their tree");
}

async fn exported(rig: &Rig, path: &str, version: &str) -> Value {
    let reply: Reply = rig.admin("GET", path).header("Accept-API-Version", version).go().await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.json
}

/// Export of a journey with a page and a script, and its import into another realm: twice, since imports are repeated.
#[actix_web::test]
async fn a_command_line_moves_a_journey() {
    let rig = rig().await;
    rig.realm("beta").await;
    let of = |path: &str, realm: &str| path.replace("/alpha/", &format!("/{realm}/"));
    let (page, inner, decision) = (
        "11111111-0000-4000-8000-000000000001",
        "11111111-0000-4000-8000-000000000002",
        "11111111-0000-4000-8000-000000000003",
    );
    let script = "22222222-0000-4000-8000-000000000001";
    let scripts = "/realms/root/realms/alpha/scripts";
    let body = json!({"name": "Decide", "script": STANDARD.encode("outcome = 'yes';"), "language": "JAVASCRIPT",
        "context": "AUTHENTICATION_TREE_DECISION_NODE"});
    assert_eq!(rig.send("PUT", &format!("{scripts}/{script}"), body).await.status, 201);
    let children = json!([{"_id": inner, "nodeType": "UsernameCollectorNode", "displayName": "User"}]);
    for (of_type, id, config) in [
        ("UsernameCollectorNode", inner, json!({})),
        ("PageNode", page, json!({"nodes": children, "pageHeader": {"en": "Hello"}, "stage": "one"})),
        ("ScriptedDecisionNode", decision, json!({"script": script, "outcomes": ["yes"]})),
    ] {
        assert_eq!(rig.send("PUT", &format!("{NODES}/{of_type}/{id}"), config).await.status, 201);
    }
    let node = |of_type: &str, connections: Value| {
        json!({"displayName": of_type, "nodeType": of_type, "x": 1, "y": 2,
        "connections": connections})
    };
    let mut nodes = json!({});
    nodes[page] = node("PageNode", json!({"outcome": decision}));
    nodes[decision] = node("ScriptedDecisionNode", json!({"yes": SUCCESS}));
    let tree = json!({"entryNodeId": page, "nodes": nodes, "identityResource": "managed/alpha_user"});
    assert_eq!(rig.send("PUT", &format!("{TREES}/Moved"), tree).await.status, 201);

    // Export: the tree, its nodes, what is on the page, the script.
    let (v1, scripted) = ("protocol=2.1,resource=1.0", "protocol=2.0,resource=1.0");
    let tree = exported(&rig, &format!("{TREES}/Moved"), v1).await;
    let mut configs = Vec::new();
    for (id, node) in tree["nodes"].as_object().expect("nodes") {
        let of_type = node["nodeType"].as_str().expect("a type").to_owned();
        configs.push((of_type.clone(), exported(&rig, &format!("{NODES}/{of_type}/{id}"), v1).await));
    }
    let on_page = configs.iter().find(|(of_type, _)| of_type == "PageNode").map(|(_, page)| page["nodes"][0].clone());
    let on_page = on_page.expect("a child");
    let of_type = on_page["nodeType"].as_str().expect("a type").to_owned();
    let id = on_page["_id"].as_str().expect("an id");
    configs.push((of_type.clone(), exported(&rig, &format!("{NODES}/{of_type}/{id}"), v1).await));
    let source = exported(&rig, &format!("{scripts}/{script}"), scripted).await;

    // Import: scripts, then what is on pages, then nodes, then the tree; with what the export left in.
    configs.reverse();
    for expected in [201, 200] {
        let target = of(scripts, "beta");
        let put = rig.admin("PUT", &format!("{target}/{script}")).header("Accept-API-Version", scripted);
        let put = put.json(&source).await;
        assert_eq!(put.status, expected, "{}", put.text);
        for (of_type, config) in &configs {
            let id = config["_id"].as_str().expect("an id");
            let path = format!("{}/{of_type}/{id}", of(NODES, "beta"));
            let put = rig.admin("PUT", &path).header("Accept-API-Version", v1).json(config).await;
            assert_eq!(put.status, expected, "{}", put.text);
            let plain = |value: &Value| without(value.clone(), &["_rev"]);
            assert_eq!(plain(&put.json), plain(config));
        }
        let path = format!("{}/Moved", of(TREES, "beta"));
        let put = rig.admin("PUT", &path).header("Accept-API-Version", v1).json(&tree).await;
        assert_eq!(put.status, expected, "{}", put.text);
        assert_eq!(without(put.json, &["_rev"]), without(tree.clone(), &["_rev"]));
    }

    // An attribute of another release: told so that the tool can drop it and go on.
    let mut newer = tree.clone();
    newer["brandNew"] = json!(true);
    let refused = rig.send("PUT", &format!("{}/Moved", of(TREES, "beta")), newer).await;
    assert_eq!(refused.error(), (400, "Invalid attribute specified."));
    let valid = refused.json["detail"]["validAttributes"].as_array().cloned().expect("names");
    assert!(valid.contains(&json!("entryNodeId")) && !valid.contains(&json!("brandNew")));
}

/// What is shipped, run: the journeys, and the chain that answers when nothing is asked for.
#[actix_web::test]
async fn shipped_journeys_let_in_whom_they_should() {
    let rig = rig().await;
    let realm = "/realms/root/realms/alpha";
    let user = json!({"username": "demo", "userpassword": "correct horse"});
    assert_eq!(rig.send("POST", &format!("{realm}/users?_action=create"), user).await.status, 201);
    let agent = rig
        .send(
            "PUT",
            &format!("{realm}/realm-config/agents/IdentityGatewayAgent/gate"),
            json!({"userpassword": "open sesame"}),
        )
        .await;
    assert_eq!(agent.status, 201, "{}", agent.text);
    let ask = |query: &str| {
        let table = routes().plain(Scope::Realm, "authenticate", Csrf::Checked, authenticate::handle);
        let path = format!("{realm}/authenticate{query}");
        rig.ask("POST", &path).at(table).header("Content-Type", "application/json")
    };
    let service = |name: &str| format!("?authIndexType=service&authIndexValue={name}");
    for (name, who, secret, status) in [
        ("Example", "demo", "correct horse", 200),
        ("Example", "demo", "wrong horse", 401),
        ("Example", "gate", "open sesame", 401),
        ("Agent", "gate", "open sesame", 200),
        ("Agent", "demo", "correct horse", 401),
        ("AgentLogin", "gate", "open sesame", 200),
        ("AgentLogin", "gate", "close sesame", 401),
    ] {
        let reply = ask(&service(name)).header("X-OpenAM-Username", who).header("X-OpenAM-Password", secret).go().await;
        assert_eq!(reply.status, status, "{name} {who}: {}", reply.text);
        assert_eq!(reply.json["tokenId"].is_string(), status == 200);
    }
    assert_eq!(ask(&service("Agent")).go().await.status, 401, "it asks nobody");
    for (query, who, secret) in [
        (service("AgentLogin"), "gate", "open sesame"),
        (service("ldapService"), "demo", "correct horse"),
        (String::new(), "demo", "correct horse"),
    ] {
        let mut step = ask(&query).go().await.json;
        assert_eq!(step["callbacks"].as_array().map(Vec::len), Some(2), "both on one page: {step}");
        for (n, value) in [who, secret].into_iter().enumerate() {
            step["callbacks"][n]["input"][0]["value"] = json!(value);
        }
        let done = ask("").json(&step).await;
        assert!(done.status == 200 && done.json["tokenId"].is_string(), "{query}: {}", done.text);
    }
    // A journey that is off, and one that is gone.
    let path = format!("{TREES}/Example");
    let mut tree = rig.get(&path).await.json;
    tree["enabled"] = json!(false);
    assert_eq!(rig.send("PUT", &path, tree).await.status, 200);
    assert_eq!(ask(&service("Example")).go().await.error(), (400, "No Configuration found"));
    assert_eq!(rig.admin("DELETE", &path).go().await.status, 200);
    assert_eq!(ask(&service("Example")).go().await.error(), (400, "No Configuration found"));
}
