//! `token/revoke`.

use super::*;

async fn revoke(world: &World, client: &str, token: &str) -> Reply {
    world.post("token/revoke", &[("token", token), ("client_id", client), ("client_secret", SECRET)]).await
}

#[actix_web::test]
async fn in_08_a_revoked_token_stays_revoked_and_an_unknown_one_is_no_error() {
    let world = World::new().await;
    for mode in [json!({}), stateless()] {
        world.client("/alpha", "c", mode).await;
        let (token, other) = (world.token("c", "read").await, world.token("c", "read").await);
        for _ in 0..2 {
            let reply = revoke(&world, "c", &token).await;
            assert_eq!((reply.status, reply.body.as_str()), (200, "{}"));
            assert!(!world.is_active("c", &token).await);
        }
        assert!(world.is_active("c", &other).await, "only that token");
        world.wait(3500).await;
        assert!(!world.is_active("c", &token).await);
    }
    for unknown in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", "a.b.c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b.c"] {
        let reply = revoke(&world, "c", unknown).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "{}"), "{unknown}");
    }
}

#[actix_web::test]
async fn in_07_another_clients_token_is_left_alone() {
    let world = World::new().await;
    world.client("/alpha", "other", json!({})).await;
    world.client("/beta", "c", json!({})).await;
    let refused = error(400, "invalid_grant", "The provided token belongs to different access grant.");
    for mode in [json!({}), stateless()] {
        world.client("/alpha", "c", mode).await;
        let token = world.token("c", "read").await;
        assert_eq!(revoke(&world, "other", &token).await.error(), refused);
        let asked = [("token", token.as_str()), ("client_id", "c"), ("client_secret", SECRET)];
        assert_eq!(world.send(post("/am/oauth2/beta/token/revoke", &asked)).await.error(), refused);
        assert!(world.is_active("c", &token).await);
    }
}

#[actix_web::test]
async fn issued_to_and_audience_may_both_end_a_client_based_token() {
    let world = World::new().await;
    let more = json!({ "overrideOAuth2ClientConfig": { "statelessTokensEnabled": true } });
    world.client("/alpha", "consumer", merged(by_policy(), &more)).await;
    world.client("/alpha", "svc", json!({})).await;
    world.client("/alpha", "other", json!({})).await;
    world.grant_by_policy("svc", "api://svc/read", "client", "consumer").await;
    for client in ["consumer", "svc"] {
        let token = world.token("consumer", "api://svc/read").await;
        assert_eq!(revoke(&world, "other", &token).await.status, 400);
        assert!(world.is_active("svc", &token).await);
        assert_eq!(revoke(&world, client, &token).await.status, 200);
        assert!(!world.is_active("svc", &token).await);
    }
}

#[actix_web::test]
async fn what_is_no_access_token_is_refused() {
    let world = World::new().await;
    let openid = json!({ "coreOAuth2ClientConfig": { "scopes": ["openid"] } });
    world.client("/alpha", "c", openid).await;
    world.client("/alpha", "app", public()).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let code = world.code(&session, "c", "openid", &[]).await;
    let named = |name: &str| error(400, "invalid_request", &format!("Invalid token name: {name}"));
    assert_eq!(revoke(&world, "c", &code).await.error(), named("access_code"));
    let id_token = world.redeem("c", &code, &[]).await.json()["id_token"].as_str().expect("one").to_owned();
    assert_eq!(revoke(&world, "c", &id_token).await.error(), named("id_token"));
    let reply = world.post("token/revoke", &[("client_id", "c"), ("client_secret", SECRET)]).await;
    assert_eq!(reply.error(), error(400, "invalid_request", "Missing parameter: token"));
    let reply = world.post("token/revoke", &[("token", "x"), ("client_id", "c"), ("client_secret", "wrong")]).await;
    assert_eq!(reply.error(), error(400, "invalid_client", "Client authentication failed"));

    // Public clients need only their name.
    let code =
        world.code(&session, "app", "read", &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]).await;
    let reply = world.redeem("app", &code, &[("client_secret", ""), ("code_verifier", VERIFIER)]).await.json();
    let token = reply["access_token"].as_str().expect("a token");
    world
        .client("/alpha", "all", json!({ "coreOAuth2ClientConfig": { "scopes": ["am-introspect-all-tokens"] } }))
        .await;
    assert!(world.is_active("all", token).await);
    assert_eq!(world.post("token/revoke", &[("token", token), ("client_id", "app")]).await.status, 200);
    assert!(!world.is_active("all", token).await);
}
