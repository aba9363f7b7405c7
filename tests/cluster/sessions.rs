//! Sessions and failed attempts on three nodes: whatever one node was told, the others act on at once.

use crate::harness::{ADMIN_PASSWORD, Cluster, Outside};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// An action on sessions of `/`, as whoever has `token`.
async fn act(cluster: &Outside, n: usize, token: &str, action: &str, body: Value) -> (StatusCode, Value) {
    let answer = cluster
        .request(n, Method::POST, &format!("/json/realms/root/sessions?_action={action}"))
        .header("iPlanetDirectoryPro", token)
        .header("Accept-API-Version", "resource=5.1")
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let status = answer.status();
    (status, answer.json().await.unwrap_or(Value::Null))
}

async fn user(cluster: &Outside, admin: &str, name: &str) {
    let body = json!({"username": name, "userpassword": "correct horse"});
    cluster.administer(0, admin, Method::POST, "/json/realms/root/users?_action=create", body).await;
}

async fn is_valid(cluster: &Outside, n: usize, token: &str) -> bool {
    let (status, body) = act(cluster, n, token, "validate", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["valid"] == true
}

/// Goal: made on node 1, changed on node 2, ended by handle on node 3, dead on node 1 at once (G2, G3; SE-11).
#[actix_web::test]
async fn a_session_is_the_same_on_every_node() {
    let cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    user(&cluster, &admin, "demo").await;
    let shown = json!({"sessionPropertyWhitelist": ["AMCtxId", "colour"]});
    let path = "/json/realms/root/realm-config/services/amSessionPropertyWhitelist";
    cluster.administer(0, &admin, Method::PUT, path, shown).await;

    let token = cluster.login(0, "root", "demo", "correct horse").await.expect("logs in");
    let (status, body) = act(&cluster, 1, &token, "updateSessionProperties", json!({"colour": "red"})).await;
    assert_eq!((status, &body["colour"]), (StatusCode::OK, &json!("red")), "{body}");
    for n in 0..3 {
        let (_, body) = act(&cluster, n, &token, "getSessionProperties", json!({})).await;
        assert_eq!(body["colour"], "red", "node {n}");
    }
    let found = cluster
        .request(2, Method::GET, "/json/realms/root/sessions")
        .query(&[("_queryFilter", r#"username eq "demo" and realm eq "/""#)])
        .header("iPlanetDirectoryPro", &admin)
        .header("Accept-API-Version", "resource=4.0")
        .send()
        .await
        .expect("an answer");
    let found: Value = found.json().await.expect("JSON");
    let handle = found["result"][0]["sessionHandle"].as_str().expect("a handle").to_owned();
    let (_, ended) = act(&cluster, 2, &admin, "logoutByHandle", json!({"sessionHandles": [handle]})).await;
    assert_eq!(ended["result"][&handle], true, "{ended}");
    for n in 0..3 {
        assert!(!is_valid(&cluster, n, &token).await, "node {n}");
    }
}

/// Goal: a quota of two holds though two nodes start sessions of one user at the same time.
#[actix_web::test]
async fn a_quota_holds_while_nodes_race() {
    let cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    user(&cluster, &admin, "demo").await;
    let quota = json!({
        "dynamic": {"quotaLimit": 2},
        "quotas": {
            "iplanet-am-session-enable-session-constraint": "ON",
            "behaviourWhenQuotaExhausted": "org.forgerock.openam.session.service.DenyAccessAction",
        },
    });
    cluster.administer(0, &admin, Method::PUT, "/json/global-config/services/session", quota).await;
    let logins = (0..6).map(|n| cluster.login(n % 2, "root", "demo", "correct horse"));
    let tokens: Vec<String> = join_all(logins).await.into_iter().flatten().collect();
    assert_eq!(tokens.len(), 2);
    for token in &tokens {
        assert!(is_valid(&cluster, 2, token).await);
    }
    act(&cluster, 2, &tokens[0], "logout", json!({})).await;
    assert!(cluster.login(1, "root", "demo", "correct horse").await.is_some(), "there is room again");
    let (_, all) = act(&cluster, 2, &admin, "logoutByUser", json!({"username": "demo"})).await;
    assert_eq!(all["result"], true);
    assert!(!is_valid(&cluster, 0, &tokens[1]).await);
}

/// Goal: failures are counted by the cluster: what was tried on one node is held against it on the next (GR-09, CL-12).
#[actix_web::test]
async fn failures_on_one_node_bring_a_pause_on_the_others() {
    let cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    user(&cluster, &admin, "demo").await;
    cluster.register(0, &admin, "root", "svc", json!({})).await;
    for name in ["demo", "nobody", "amAdmin"] {
        for n in 0..5 {
            assert_eq!(cluster.login(n % 2, "root", name, "wrong").await, None);
        }
        let right = if name == "amAdmin" { ADMIN_PASSWORD } else { "correct horse" };
        let answer = cluster
            .request(2, Method::POST, "/json/realms/root/authenticate")
            .header("X-OpenAM-Username", name)
            .header("X-OpenAM-Password", right)
            .header("Accept-API-Version", "resource=2.1")
            .json(&json!({}))
            .send()
            .await
            .expect("an answer");
        let wait = answer.headers().contains_key("Retry-After");
        assert_eq!((answer.status(), wait), (StatusCode::TOO_MANY_REQUESTS, true), "{name}");
    }
    let wrong = [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "wrong")];
    for n in 0..5 {
        let (status, body) = cluster.form(n % 2, "/oauth2/access_token", &wrong).await.expect("an answer");
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
    let paused = cluster.issue(2, "svc").await.expect_err("a pause");
    assert!(paused.starts_with("429"), "{paused}");
    assert!(is_valid(&cluster, 2, &admin).await, "who is in stays in");
}
