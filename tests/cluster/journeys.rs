//! Journeys that go from node to node (ADR 14).

use crate::harness::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn authenticate(cluster: &Cluster, node: usize, query: &str, body: &Value) -> (StatusCode, Value) {
    let answer = cluster
        .request(node, Method::POST, &format!("/json/realms/root/authenticate{query}"))
        .header("Accept-API-Version", "resource=2.1")
        .json(body)
        .send()
        .await
        .expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

/// The step, whole, with `value` in its one input.
fn answered(step: &Value, value: &str) -> Value {
    let mut body = step.clone();
    body["callbacks"][0]["input"][0]["value"] = json!(value);
    body
}

const EXAMPLE: &str = "?authIndexType=service&authIndexValue=Example";

/// Goal: a journey starts on one node, goes on on the next and ends on the third; each of its steps is submitted once,
/// whichever node it is submitted to again, and however many nodes at once (G4).
#[actix_web::test]
async fn a_journey_crosses_the_cluster_and_no_step_is_taken_twice() {
    let mut cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    let body = json!({ "username": "demo", "userpassword": "Passw0rd!", "mail": ["demo@example.com"] });
    cluster.administer(0, &admin, Method::PUT, "/json/realms/root/users/demo", body).await;

    let (status, start) = authenticate(&cluster, 0, EXAMPLE, &json!({})).await;
    assert_eq!((status, &start["callbacks"][0]["type"]), (StatusCode::OK, &json!("NameCallback")), "{start}");
    let name = answered(&start, "demo");
    let (status, step) = authenticate(&cluster, 1, "", &name).await;
    assert_eq!((status, &step["callbacks"][0]["type"]), (StatusCode::OK, &json!("PasswordCallback")), "{step}");
    let password = answered(&step, "Passw0rd!");
    let (status, done) = authenticate(&cluster, 2, "", &password).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    let token = done["tokenId"].as_str().expect("a session");

    for node in 0..3 {
        for spent in [&name, &password] {
            let (status, refused) = authenticate(&cluster, node, "", spent).await;
            assert_eq!(
                (status, &refused["detail"]["errorCode"]),
                (StatusCode::UNAUTHORIZED, &json!("110")),
                "{refused}"
            );
        }
        let path = "/json/realms/root/users?_action=idFromSession";
        let who = cluster.administer(node, token, Method::POST, path, json!({})).await;
        assert_eq!(who["id"], "demo", "node {node}");
    }

    // Guesses at one step on all nodes at once: one of them is looked at.
    let (_, start) = authenticate(&cluster, 0, EXAMPLE, &json!({})).await;
    let (_, step) = authenticate(&cluster, 1, "", &answered(&start, "demo")).await;
    let guesses: Vec<Value> = (0..9).map(|n| answered(&step, &format!("guess {n}"))).collect();
    let tries = guesses.iter().enumerate().map(|(n, guess)| authenticate(&cluster, n % 3, "", guess));
    let told = futures_util::future::join_all(tries).await;
    let looked_at = told.iter().filter(|(_, body)| body["detail"]["errorCode"] != "110").count();
    assert_eq!(looked_at, 1, "{told:?}");

    // What was used is remembered by whoever leads next, and by a node that was away.
    let (_, start) = authenticate(&cluster, 0, EXAMPLE, &json!({})).await;
    let name = answered(&start, "demo");
    assert_eq!(authenticate(&cluster, 0, "", &name).await.0, StatusCode::OK);
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    cluster.leader().await;
    cluster.nodes[leader].start();
    cluster.all_ready().await;
    for node in 0..3 {
        let (status, refused) = authenticate(&cluster, node, "", &name).await;
        assert_eq!((status, &refused["detail"]["errorCode"]), (StatusCode::UNAUTHORIZED, &json!("110")), "{refused}");
    }
}

const CONFIRM: &str = "?authIndexType=transaction&authIndexValue=";

/// Goal: what a policy wants confirmed is asked for on one node, confirmed on another, and of all nodes that are asked to
/// allow it at the same moment one does, and none ever again, whoever leads (G4; authorization.md 4.16).
#[actix_web::test]
async fn a_confirmation_is_used_by_one_node() {
    let mut cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    let administer = async |method: Method, path: &str, body: Value| {
        cluster.administer(0, &admin, method, &format!("/json/realms/root/{path}"), body).await
    };
    let demo = json!({ "username": "demo", "userpassword": "Passw0rd!", "mail": ["demo@example.com"] });
    administer(Method::PUT, "users/demo", demo).await;
    let kind = json!({"uuid": "W", "name": "W", "patterns": ["api://w/*"], "actions": {"PAY": true}});
    administer(Method::POST, "resourcetypes?_action=create", kind).await;
    let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["W"]});
    administer(Method::POST, "applications?_action=create", set).await;
    let policy = json!({
        "name": "pay", "active": true, "applicationName": "w", "resourceTypeUuid": "W", "resources": ["api://w/pay"],
        "actionValues": {"PAY": true}, "subject": {"type": "AuthenticatedUsers"},
        "condition": {"type": "Transaction", "authenticationStrategy": "AuthenticateToTreeConditionAdvice",
            "strategySpecifier": "Example"},
    });
    administer(Method::POST, "policies?_action=create", policy).await;
    let owner = cluster.login(1, "root", "demo", "Passw0rd!").await.expect("demo logs in");

    let evaluate = async |cluster: &Cluster, node: usize, id: Option<&str>| {
        let mut body = json!({"application": "w", "resources": ["api://w/pay"], "subject": {"ssoToken": owner}});
        body["environment"] = id.map_or(json!({}), |id| json!({"TxId": [id]}));
        let path = "/json/realms/root/policies?_action=evaluate";
        cluster.administer(node, &admin, Method::POST, path, body).await[0].clone()
    };
    let required = |row: &Value| row["advices"]["TransactionConditionAdvice"][0].as_str().map(str::to_owned);
    let confirm = async |cluster: &Cluster, id: &str| {
        let first = cluster.request(1, Method::POST, &format!("/json/realms/root/authenticate{CONFIRM}{id}"));
        let first = first.header("Accept-API-Version", "resource=2.1").header("iPlanetDirectoryPro", &owner);
        let start: Value = first.json(&json!({})).send().await.expect("an answer").json().await.expect("JSON");
        let (_, step) = authenticate(cluster, 2, "", &answered(&start, "demo")).await;
        let (status, done) = authenticate(cluster, 0, "", &answered(&step, "Passw0rd!")).await;
        assert_eq!((status, &done["tokenId"]), (StatusCode::OK, &json!("")), "the session is what it was: {done}");
    };
    for round in 0..5 {
        let id = required(&evaluate(&cluster, 0, None).await).expect("advice");
        confirm(&cluster, &id).await;
        let asks = (0..9).map(|n| evaluate(&cluster, n % 3, Some(&id)));
        let rows = futures_util::future::join_all(asks).await;
        let paid = rows.iter().filter(|row| row["actions"] == json!({"PAY": true})).count();
        assert_eq!(paid, 1, "round {round}: {rows:?}");
        assert_eq!(rows.iter().filter_map(required).count(), 8, "all others are asked anew: {rows:?}");
    }

    // Whoever leads next knows what is confirmed, and what is used.
    let (used, kept) = (required(&evaluate(&cluster, 2, None).await), required(&evaluate(&cluster, 2, None).await));
    let (used, kept) = (used.expect("advice"), kept.expect("advice"));
    confirm(&cluster, &used).await;
    confirm(&cluster, &kept).await;
    assert_eq!(evaluate(&cluster, 0, Some(&used)).await["actions"], json!({"PAY": true}));
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    cluster.leader().await;
    let other = (leader + 1) % 3;
    assert_eq!(evaluate(&cluster, other, Some(&used)).await["actions"], json!({}));
    assert_eq!(evaluate(&cluster, other, Some(&kept)).await["actions"], json!({"PAY": true}));
    cluster.nodes[leader].start();
    cluster.all_ready().await;
    for node in 0..3 {
        assert_eq!(evaluate(&cluster, node, Some(&kept)).await["actions"], json!({}), "node {node}");
    }
}
