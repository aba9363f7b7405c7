//! `introspect`.

use super::*;

#[actix_web::test]
async fn in_01_who_does_not_authenticate_learns_nothing() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    world.client("/alpha", "app", public()).await;
    let token = world.token("c", "read").await;
    for (id, secret) in [("", ""), ("c", "wrong"), ("c", ""), ("app", ""), ("nobody", SECRET)] {
        let asked = [("token", token.as_str()), ("client_id", id), ("client_secret", secret)];
        let reply = world.post("introspect", &asked).await;
        assert_eq!(reply.error(), error(400, "invalid_client", "Client authentication failed"), "{id}");
    }
    let request = post(&format!("{ALPHA}/introspect"), &[("token", token.as_str())]);
    assert_eq!(world.send(with_basic(request, "c", "wrong")).await.status, 401);
    let reply = world.post("introspect", &[("client_id", "c"), ("client_secret", SECRET)]).await;
    assert_eq!(reply.error(), error(400, "invalid_request", "Missing parameter: token"));
}

#[actix_web::test]
async fn in_02_in_03_inactive_is_one_answer_whatever_the_reason() {
    let world = World::new().await;
    for client in ["c", "other"] {
        world.client("/alpha", client, json!({})).await;
    }
    world.client("/alpha", "js", stateless()).await;
    world.client("/beta", "c", json!({})).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let opaque = world.token("c", "read").await;
    let jwt = world.token("js", "read").await;
    let code = world.code(&session, "c", "read", &[]).await;
    let tampered = jwt.replacen('.', ".A", 1);
    let unsigned = format!("{}.", jwt.rsplit_once('.').expect("a JWS").0);
    let long = format!("{}.{}.x", "A".repeat(20_000), "B".repeat(20_000));
    for (client, token) in [
        ("other", opaque.as_str()),
        ("other", &jwt),
        ("c", &jwt),
        ("c", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("c", "x"),
        ("c", &code),    // abuse JW-05: a handle of another kind
        ("c", &session), // the same
        ("js", &tampered),
        ("js", &unsigned),
        ("js", &long),
        ("js", "..."),
        ("js", "a.b.c"),
    ] {
        let asked = [("token", token), ("client_id", client), ("client_secret", SECRET)];
        let reply = world.post("introspect", &asked).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "{\"active\":false}"), "{client}");
    }
    // The realm of the endpoint counts.
    let asked = [("token", opaque.as_str()), ("client_id", "c"), ("client_secret", SECRET)];
    let reply = world.send(post("/am/oauth2/beta/introspect", &asked)).await;
    assert_eq!(reply.json(), json!({ "active": false }));
}

#[actix_web::test]
async fn privileged_clients_introspect_what_is_not_theirs() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    world.client("/alpha", "js", stateless()).await;
    let scopes = |scope: &str| json!({ "coreOAuth2ClientConfig": { "scopes": [scope] } });
    world.client("/alpha", "all", scopes("am-introspect-all-tokens")).await;
    world.client("/beta", "all", scopes("am-introspect-all-tokens")).await;
    world.client("/beta", "any", scopes("am-introspect-all-tokens-any-realm")).await;
    for client in ["c", "js"] {
        let token = world.token(client, "read").await;
        assert!(world.is_active("all", &token).await);
        for (id, active) in [("all", false), ("any", true)] {
            let asked = [("token", token.as_str()), ("client_id", id), ("client_secret", SECRET)];
            let reply = world.send(post("/am/oauth2/beta/introspect", &asked)).await;
            assert_eq!(reply.json()["active"], active, "{client} {id}");
        }
    }
}

#[actix_web::test]
async fn a_client_based_token_belongs_to_its_audience() {
    let world = World::new().await;
    let more = json!({ "overrideOAuth2ClientConfig": { "statelessTokensEnabled": true } });
    world.client("/alpha", "consumer", merged(by_policy(), &more)).await;
    world.client("/alpha", "svc", json!({})).await;
    world.grant_by_policy("svc", "api://svc/read", "client", "consumer").await;
    let token = world.token("consumer", "api://svc/read").await;
    let body = world.introspect("svc", &token).await;
    assert_eq!((&body["client_id"], &body["user_id"]), (&json!("svc"), &json!("consumer")));
    assert_eq!((&body["policyResult"], body.get("aud")), (&json!(true), None));
    assert!(!world.is_active("consumer", &token).await);
    // With the claim enabled, the client it was issued to is an owner too.
    let provider = json!({ "advancedOAuth2Config": { "includeClientIdClaimInStatelessTokens": true } });
    world.write("/alpha", Kind::Service, "oauth-oidc", provider).await;
    assert!(world.is_active("consumer", &token).await);
    // What dies with the consumer dies for the audience (abuse CL-11, G3).
    let off = json!({ "coreOAuth2ClientConfig": { "status": "Inactive" } });
    world.client("/alpha", "consumer", merged(merged(by_policy(), &more), &off)).await;
    assert!(!world.is_active("svc", &token).await);
}

#[actix_web::test]
async fn cl_11_se_10_a_token_dies_with_its_client_and_its_owner() {
    let world = World::new().await;
    for mode in [json!({}), stateless()] {
        world.client("/alpha", "c", mode.clone()).await;
        world
            .client("/alpha", "all", json!({ "coreOAuth2ClientConfig": { "scopes": ["am-introspect-all-tokens"] } }))
            .await;
        world.user("Demo").await;
        let session = world.session("Demo").await;
        let redeem = || async {
            let code = world.code(&session, "c", "read", &[]).await;
            world.redeem("c", &code, &[]).await.json()["access_token"].as_str().expect("a token").to_owned()
        };
        let user = DocumentKey::new(&RealmPath::from("/alpha"), Kind::User, "demo");
        let client = DocumentKey::new(&RealmPath::from("/alpha"), Kind::OAuth2Client, "c");

        let (own, users) = (world.token("c", "read").await, redeem().await);
        assert!(world.is_active("all", &own).await && world.is_active("all", &users).await);
        let body = world.introspect("all", &users).await;
        assert_eq!((&body["sub"], &body["username"]), (&json!("Demo"), &json!("Demo")));

        // The owner is disabled, then deleted and created again: the token is dead, and stays dead.
        world.write("/alpha", Kind::User, "demo", json!({ "username": "Demo", "inetUserStatus": ["Inactive"] })).await;
        assert!(world.is_active("all", &own).await && !world.is_active("all", &users).await);
        world.desk.write(vec![crate::desk::delete(user, Precondition::Any)]).await.expect("deletes");
        assert!(!world.is_active("all", &users).await);
        world.user("Demo").await;
        assert!(!world.is_active("all", &users).await);

        // The same for the client.
        let off = json!({ "coreOAuth2ClientConfig": { "status": "Inactive" } });
        world.client("/alpha", "c", merged(mode.clone(), &off)).await;
        assert!(!world.is_active("all", &own).await);
        world.desk.write(vec![crate::desk::delete(client, Precondition::Any)]).await.expect("deletes");
        world.client("/alpha", "c", mode).await;
        assert!(!world.is_active("all", &own).await);
    }
}

#[actix_web::test]
async fn a_token_ends_in_log_time() {
    let world = World::new().await;
    let short = json!({ "coreOAuth2ClientConfig": { "accessTokenLifetime": 60 } });
    for mode in [json!({}), stateless()] {
        world.client("/alpha", "c", merged(mode, &short)).await;
        let token = world.token("c", "read").await;
        world.wait(57).await;
        assert!(world.is_active("c", &token).await);
        world.wait(4).await;
        assert!(!world.is_active("c", &token).await);
    }
}

#[actix_web::test]
async fn jw_04_no_other_jwt_of_ours_is_an_access_token() {
    let world = World::new().await;
    let openid = json!({ "coreOAuth2ClientConfig": { "scopes": ["openid"] } });
    world.client("/alpha", "c", openid).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let code = world.code(&session, "c", "openid", &[]).await;
    let reply = world.redeem("c", &code, &[]).await.json();
    let id_token = reply["id_token"].as_str().expect("an ID token");
    assert!(!world.is_active("c", id_token).await);
    for endpoint in ["userinfo", "tokeninfo"] {
        let request = TestRequest::get().uri(&format!("{ALPHA}/{endpoint}"));
        assert_eq!(world.send(with_bearer(request, id_token)).await.status, 401);
    }
}
