//! What one write says about many clients, or about all tokens, holds on every node when it is answered (G2, G3).

use crate::harness::{Cluster, Outside};
use reqwest::Method;
use serde_json::{Value, json};

const AGENTS: &str = "/json/realms/root/realm-config/agents";
const MAPPING: &str = "/json/global-config/secrets/stores/KeyStoreSecretStore/default-keystore/mappings/\
                       am.services.oauth2.stateless.signing.ES256";

async fn everywhere(outside: &Outside, token: &str) -> Vec<bool> {
    let mut seen = Vec::new();
    for n in 0..3 {
        seen.push(outside.is_active(n, "witness", token).await.expect("an answer"));
    }
    seen
}

/// A group is disabled at one node and enabled at another: what its clients held is dead, on all nodes, for good.
#[actix_web::test]
async fn a_group_turns_on_all_nodes_at_once() {
    let cluster = Cluster::of(3).await;
    let outside = cluster.outside();
    let admin = outside.admin(0).await;
    let all = json!({ "coreOAuth2ClientConfig": { "scopes": ["am-introspect-all-tokens"] } });
    outside.register(0, &admin, "root", "witness", all).await;
    let status = |status: &str| json!({ "coreOAuth2ClientConfig": { "status": status } });
    let group = format!("{AGENTS}/groups/OAuth2Client/g");
    outside.administer(0, &admin, Method::PUT, &group, status("Active")).await;
    let member = json!({ "coreOAuth2ClientConfig": { "agentgroup": "g", "status": { "inherited": true } } });
    outside.register(0, &admin, "root", "member", member).await;
    for round in 0..3 {
        let token = outside.issue((round + 2) % 3, "member").await.expect("a token");
        assert_eq!(everywhere(&outside, &token).await, [true; 3]);
        outside.administer(round, &admin, Method::PUT, &group, status("Inactive")).await;
        assert_eq!(everywhere(&outside, &token).await, [false; 3], "round {round}");
        assert!(outside.issue((round + 1) % 3, "member").await.is_err());
        outside.administer((round + 1) % 3, &admin, Method::PUT, &group, status("Active")).await;
        assert_eq!(everywhere(&outside, &token).await, [false; 3], "round {round}: what died stays dead");
    }
}

/// Keys are rotated at one node: every node signs with the new one and accepts the old one, until it is taken out.
#[actix_web::test]
async fn a_key_is_rotated_on_all_nodes_at_once() {
    let cluster = Cluster::of(3).await;
    let outside = cluster.outside();
    let admin = outside.admin(0).await;
    let all = json!({ "coreOAuth2ClientConfig": { "scopes": ["am-introspect-all-tokens"] } });
    outside.register(0, &admin, "root", "witness", all).await;
    let stateless = json!({ "overrideOAuth2ClientConfig":
        { "providerOverridesEnabled": true, "statelessTokensEnabled": true } });
    outside.register(0, &admin, "root", "holder", stateless).await;
    let head = |token: &str| token.split('.').next().unwrap_or_default().to_owned();
    let mut former = ("es256test".to_owned(), outside.issue(1, "holder").await.expect("a token"));
    for round in 0..3 {
        let alias = format!("round-{round}");
        let map =
            |aliases: Value| outside.administer(round, &admin, Method::PUT, MAPPING, json!({ "aliases": aliases }));
        map(json!([alias, former.0])).await;
        let token = outside.issue((round + 1) % 3, "holder").await.expect("a token");
        assert_ne!(head(&token), head(&former.1), "round {round}: another key signs");
        assert_eq!(everywhere(&outside, &former.1).await, [true; 3], "round {round}");
        map(json!([alias])).await;
        assert_eq!(everywhere(&outside, &former.1).await, [false; 3], "round {round}");
        assert_eq!(everywhere(&outside, &token).await, [true; 3], "round {round}");
        former = (alias, token);
    }
}
