//! API-to-API communication: a consumer gets a token for a provider, scoped and addressed by policy.

use crate::harness::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Nodes that tree `Example` of every realm has, and the two ends of all trees.
const HEADERS: &str = "eccbc87e-4b5c-32fe-a830-8fd9f2a7baf3";
const DATA_STORE: &str = "c81e728d-9d4c-3f63-af06-7f89cc14862c";
const SUCCESS: &str = "70e691a5-1e33-4ac3-a356-e7b6d60d92e0";
const FAILURE: &str = "e301438c-0bd0-429c-ab0c-66126501069a";
const ALPHA: &str = "root/realms/alpha";
const CONSUMER: &str = "scopeDrivenAPI1Client";
const PROVIDER: &str = "scopeDrivenAPI2Client";
const READ: &str = "api://scopeDrivenAPI2Client/read";
const REDIRECT: &str = "https://consumer.example.com/callback";

/// Realm, clients, user, resource type, policy set and policy as an administrator sets them up.
async fn set_up(cluster: &Cluster, user: &str, client_based: bool) {
    let admin = cluster.admin(0).await;
    let realm = json!({ "name": "alpha", "active": true, "parentPath": "/", "aliases": [] });
    cluster.administer(0, &admin, Method::POST, "/json/global-config/realms?_action=create", realm).await;
    let json_at = |path: &str| format!("/json/realms/{ALPHA}{path}");
    let consumer = json!({
        "coreOAuth2ClientConfig": { "redirectionUris": { "inherited": false, "value": [REDIRECT] }, "scopes": [], "defaultScopes": [] },
        "advancedOAuth2ClientConfig": {
            "grantTypes": { "inherited": false, "value": ["client_credentials", "authorization_code"] },
            "responseTypes": { "inherited": false, "value": ["code"] },
            "isConsentImplied": { "inherited": false, "value": true },
        },
        "overrideOAuth2ClientConfig": {
            "providerOverridesEnabled": true,
            // Overrides replace everything they list: the provider's setting alone would not count.
            "statelessTokensEnabled": client_based,
            "validateScopePluginType": "POLICY",
            "accessTokenModificationPluginType": "POLICY",
        },
    });
    cluster.register(0, &admin, ALPHA, CONSUMER, consumer).await;
    cluster.register(0, &admin, ALPHA, PROVIDER, json!({})).await;
    let body = json!({ "username": user, "userpassword": "Passw0rd!", "mail": ["demo@example.com"], "sn": ["Demo"] });
    cluster.administer(0, &admin, Method::PUT, &json_at(&format!("/users/{user}")), body).await;
    let body = json!({
        "uuid": "6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7", "name": PROVIDER,
        "patterns": [format!("api://{PROVIDER}/*")], "actions": { "GRANT": true },
    });
    cluster.administer(0, &admin, Method::POST, &json_at("/resourcetypes?_action=create"), body).await;
    let body = json!({
        "name": PROVIDER, "displayName": "Provider Policies", "applicationType": "iPlanetAMWebAgentService",
        "resourceTypeUuids": ["6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7"],
    });
    cluster.administer(0, &admin, Method::POST, &json_at("/applications?_action=create"), body).await;
    let subject = |value: &str| json!({ "type": "JwtClaim", "claimName": "subject", "claimValue": value });
    let body = json!({
        "name": "read", "active": true, "applicationName": PROVIDER,
        "resourceTypeUuid": "6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7",
        "resources": [READ], "actionValues": { "GRANT": true },
        "subject": { "type": "OR", "subjects": [subject(CONSUMER), subject(user)] },
    });
    cluster.administer(0, &admin, Method::POST, &json_at("/policies?_action=create"), body).await;
}

async fn token(cluster: &Cluster, node: usize, scope: &str) -> Value {
    let fields = [
        ("scope", scope),
        ("grant_type", "client_credentials"),
        ("client_id", CONSUMER),
        ("client_secret", "client-secret"),
    ];
    let (status, body) =
        cluster.form(node, &format!("/oauth2/realms/{ALPHA}/access_token"), &fields).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

async fn introspect(cluster: &Cluster, node: usize, client: &str, token: &str) -> Value {
    let fields = [("token", token), ("client_id", client), ("client_secret", "client-secret")];
    let (status, body) =
        cluster.form(node, &format!("/oauth2/realms/{ALPHA}/introspect"), &fields).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// Goal: what the first walk-through shows, the token issued on one node and introspected on another.
#[actix_web::test]
async fn client_credentials_with_an_audience_scope() {
    let cluster = Cluster::of(3).await;
    set_up(&cluster, "5f2e1c9a-user", false).await;
    let answer = token(&cluster, 0, READ).await;
    assert_eq!(answer["scope"], "read");
    let text = answer["access_token"].as_str().expect("a token").to_owned();
    let shown = introspect(&cluster, 1, CONSUMER, &text).await;
    for (member, value) in [
        ("active", json!(true)),
        ("scope", json!("read")),
        ("realm", json!("/alpha")),
        ("client_id", json!(CONSUMER)),
        ("user_id", json!(CONSUMER)),
        ("username", json!(CONSUMER)),
        ("token_type", json!("Bearer")),
        ("sub", json!(CONSUMER)),
        ("subname", json!(CONSUMER)),
        ("aud", json!(PROVIDER)),
        ("policyResult", json!(true)),
    ] {
        assert_eq!(shown[member], value, "{member} in {shown}");
    }
    assert!(shown["iss"].as_str().is_some_and(|iss| iss.ends_with("/am/oauth2/realms/root/realms/alpha")), "{shown}");
    assert!(
        shown["exp"].is_u64() && shown["authGrantId"].is_string() && shown["auditTrackingId"].is_string(),
        "{shown}"
    );
    // An opaque token belongs to the client it was issued to.
    assert_eq!(introspect(&cluster, 2, PROVIDER, &text).await, json!({ "active": false }));
    // Nothing is granted that no policy grants; only the first audience counts.
    let nothing = token(&cluster, 1, "api://scopeDrivenAPI2Client/write").await;
    assert_eq!(nothing.get("scope"), None, "{nothing}");
    let text = nothing["access_token"].as_str().expect("a token");
    let shown = introspect(&cluster, 2, CONSUMER, text).await;
    assert_eq!((&shown["policyResult"], shown.get("scope")), (&json!(false), None), "{shown}");
    let first = token(&cluster, 1, &format!("{READ} api://somebodyElse/read")).await;
    assert_eq!(first["scope"], "read");
}

/// Goal: what the second walk-through shows: the user is the subject, tokens are client-based, the audience introspects.
#[actix_web::test]
async fn authorization_code_with_the_user_as_subject() {
    let user = "5f2e1c9a-0b1d-4e7a-9c55-3b0f6a1d2e34";
    let cluster = Cluster::of(3).await;
    set_up(&cluster, user, true).await;
    let admin = cluster.admin(0).await;
    let path = format!("/json/realms/{ALPHA}/realm-config/services/oauth-oidc");
    let service = json!({ "coreOAuth2Config": { "statelessTokensEnabled": true } });
    cluster.administer(0, &admin, Method::PUT, &path, service).await;
    let tree = json!({
        "entryNodeId": HEADERS,
        "nodes": {
            HEADERS: {"displayName": "Headers", "nodeType": "ZeroPageLoginNode", "x": 0, "y": 0,
                "connections": {"true": DATA_STORE, "false": FAILURE}},
            DATA_STORE: {"displayName": "Data Store", "nodeType": "DataStoreDecisionNode", "x": 0, "y": 0,
                "connections": {"true": SUCCESS, "false": FAILURE}},
        },
    });
    let trees = "realm-config/authentication/authenticationtrees/trees";
    let path = format!("/json/realms/{ALPHA}/{trees}/PasswordGrant");
    cluster.administer(0, &admin, Method::PUT, &path, tree).await;

    let answer = cluster
        .request(
            0,
            Method::POST,
            &format!("/json/realms/{ALPHA}/authenticate?authIndexType=service&authIndexValue=PasswordGrant"),
        )
        .header("X-OpenAM-Username", user)
        .header("X-OpenAM-Password", "Passw0rd!")
        .header("Content-Type", "application/json")
        .header("Accept-API-Version", "resource=2.1")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let session = answer.json::<Value>().await.expect("JSON")["tokenId"].as_str().expect("a session").to_owned();

    let fields = [
        ("scope", READ),
        ("response_type", "code"),
        ("client_id", CONSUMER),
        ("redirect_uri", REDIRECT),
        ("decision", "allow"),
        ("csrf", session.as_str()),
    ];
    let answer = cluster
        .request(1, Method::POST, &format!("/oauth2/realms/{ALPHA}/authorize"))
        .header("Cookie", format!("iPlanetDirectoryPro={session}"))
        .form(&fields)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::FOUND);
    let location = answer.headers()["location"].to_str().expect("text").to_owned();
    let parameters = location.strip_prefix(&format!("{REDIRECT}?")).expect("to the redirect URI");
    let code = parameters.split('&').find_map(|pair| pair.strip_prefix("code=")).expect("a code").to_owned();

    let path = format!("/oauth2/realms/{ALPHA}/access_token");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("client_id", CONSUMER),
        ("client_secret", "client-secret"),
    ];
    let (status, answer) = cluster.form(2, &path, &fields).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{answer}");
    let text = answer["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(text.split('.').count(), 3, "client-based");

    let shown = introspect(&cluster, 0, PROVIDER, &text).await;
    for (member, value) in [
        ("active", json!(true)),
        ("scope", json!("read")),
        ("realm", json!("/alpha")),
        ("client_id", json!(PROVIDER)),
        ("user_id", json!(user)),
        ("username", json!(user)),
        ("policyResult", json!(true)),
    ] {
        assert_eq!(shown[member], value, "{member} in {shown}");
    }
    assert_eq!(introspect(&cluster, 1, CONSUMER, &text).await, json!({ "active": false }), "not its audience");

    // A second use of the code revokes what the first one bought, on every node.
    let (status, answer) = cluster.form(0, &path, &fields).await.expect("an answer");
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")), "{answer}");
    for node in 0..3 {
        assert_eq!(introspect(&cluster, node, PROVIDER, &text).await, json!({ "active": false }));
    }
}
