//! `userinfo`.

use super::*;

async fn token(world: &World, over: Value, scope: &str) -> String {
    let base = json!({ "coreOAuth2ClientConfig": { "scopes": ["openid", "profile", "email", "read"] } });
    world.client("/alpha", "c", merged(base, &over)).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let code = world.code(&session, "c", scope, &[]).await;
    world.redeem("c", &code, &[]).await.json()["access_token"].as_str().expect("a token").to_owned()
}

async fn userinfo(world: &World, token: &str) -> Reply {
    world.send(with_bearer(TestRequest::get().uri(&format!("{ALPHA}/userinfo")), token)).await
}

#[actix_web::test]
async fn scopes_show_claims() {
    let world = World::new().await;
    for mode in [json!({}), stateless()] {
        let token = token(&world, mode, "openid profile email").await;
        let expected = json!({ "sub": "demo", "subname": "demo", "given_name": "Demo", "family_name": "User",
            "name": "Demo User", "email": ["demo@example.com", "d@example.com"] });
        assert_eq!(userinfo(&world, &token).await.json(), expected);
        let posted = world.post("userinfo", &[("access_token", &token)]).await;
        assert_eq!(posted.json(), expected);
    }
    let token = token(&world, json!({}), "openid").await;
    assert_eq!(userinfo(&world, &token).await.json(), json!({ "sub": "demo", "subname": "demo" }));
}

#[actix_web::test]
async fn in_10_what_is_not_a_users_openid_token_is_refused() {
    let world = World::new().await;
    let plain = token(&world, json!({}), "read").await;
    let reply = userinfo(&world, &plain).await;
    assert_eq!(reply.error(), error(403, "insufficient_scope", "The resource requested requires scope: openid"));
    assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"/alpha\", error=\"insufficient_scope\"");
    let own = world.token("c", "openid").await;
    assert_eq!(userinfo(&world, &own).await.status, 403, "nobody is behind it");

    let good = token(&world, json!({}), "openid").await;
    let invalid = error(401, "invalid_token", INVALID_TOKEN);
    let uri = format!("{ALPHA}/userinfo");
    for reply in [
        world.get(&uri).await,
        world.get(&format!("{uri}?access_token={good}")).await,
        userinfo(&world, "AAAAAAAAAAAAAAAAAAAAAAAAAAAA").await,
        world.send(with_bearer(TestRequest::get().uri("/am/oauth2/beta/userinfo"), &good)).await,
    ] {
        assert_eq!(reply.error(), invalid);
        assert!(reply.header("www-authenticate").ends_with("error=\"invalid_token\""));
    }
    let both = world.send(with_bearer(post(&uri, &[("access_token", &good)]), &good)).await;
    let says = "Access Token cannot be provided in both form and header";
    assert_eq!(both.error(), error(400, "invalid_request", says));
    assert_eq!(userinfo(&world, &good).await.status, 200);
}

#[actix_web::test]
async fn a_signed_answer_names_issuer_and_audience() {
    let world = World::new().await;
    let signed = json!({ "signEncOAuth2ClientConfig": { "userinfoResponseFormat": "SIGNED_JWT" } });
    let token = token(&world, signed, "openid").await;
    let reply = userinfo(&world, &token).await;
    assert_eq!(reply.header("content-type"), "application/jwt");
    let claims = crate::keys::verify(&crate::keys::ring(&world.desk).expect("keys"), &reply.body).expect("verifies");
    assert_eq!(claims, json!({ "sub": "demo", "subname": "demo", "iss": ISSUER, "aud": "c" }));
    assert!(!world.is_active("c", &reply.body).await);
}
