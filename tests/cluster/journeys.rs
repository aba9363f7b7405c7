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
