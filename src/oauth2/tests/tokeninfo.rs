//! `tokeninfo`.

use super::*;

async fn info(world: &World, token: &str) -> Reply {
    world.send(with_bearer(TestRequest::get().uri("/am/oauth2/tokeninfo"), token)).await
}

#[actix_web::test]
async fn an_opaque_token_says_what_it_is_and_its_scopes_show_attributes() {
    let world = World::new().await;
    let scopes = json!({ "coreOAuth2ClientConfig": { "scopes": ["mail", "cn", "userpassword", "inetUserStatus", "realm", "x"] } });
    world.client("/alpha", "c", scopes).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let code = world.code(&session, "c", "mail cn userpassword inetUserStatus realm x", &[]).await;
    let token = world.redeem("c", &code, &[]).await.json()["access_token"].as_str().expect("a token").to_owned();
    let reply = info(&world, &token).await;
    assert_eq!(reply.status, 200, "any realm's endpoint: {}", reply.body);
    let body = reply.json();
    for (name, value) in [
        ("access_token", json!(token)),
        ("token_type", json!("Bearer")),
        ("scope", json!(["mail", "cn", "userpassword", "inetUserStatus", "realm", "x"])),
        ("client_id", json!("c")),
        ("grant_type", json!("authorization_code")),
        ("realm", json!("/alpha")),
        ("mail", json!("demo@example.com,d@example.com")),
        ("cn", json!("Demo User")),
        ("userpassword", json!("")),
        ("inetUserStatus", json!("")),
        ("x", json!("")),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert!((3590..=3600).contains(&body["expires_in"].as_u64().expect("seconds")));
}

#[actix_web::test]
async fn a_client_based_token_shows_its_claims() {
    let world = World::new().await;
    world.client("/alpha", "c", stateless()).await;
    let token = world.token("c", "read").await;
    let body = info(&world, &token).await.json();
    assert_eq!((&body["cts"], &body["aud"]), (&json!("OAUTH2_STATELESS_GRANT"), &json!("c")));
    assert_eq!((&body["scope"], &body["read"]), (&json!(["read"]), &json!("")));
    assert_eq!((&body["access_token"], body.get("sub_fence")), (&json!(token), None));
    world.wait(100).await;
    let left = info(&world, &token).await.json()["expires_in"].as_u64().expect("seconds");
    assert!((3490..=3500).contains(&left), "{left}");
}

#[actix_web::test]
async fn what_is_not_presented_properly_is_invalid() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let token = world.token("c", "read").await;
    let invalid = error(401, "invalid_token", INVALID_TOKEN);
    for presented in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", "a.b.c"] {
        let reply = info(&world, presented).await;
        assert_eq!(reply.error(), invalid, "{presented}");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"/\", error=\"invalid_token\"");
    }
    let uri = format!("/am/oauth2/tokeninfo?access_token={token}");
    assert_eq!(world.get(&uri).await.error(), invalid, "not from the URI");
    let both = world.send(with_bearer(TestRequest::get().uri(&uri), &token)).await;
    let says = "Access Token cannot be provided in both query and header";
    assert_eq!(both.error(), error(400, "invalid_request", says));
    assert_eq!(info(&world, &token).await.status, 200);
    let client = DocumentKey::new(&RealmPath::from("/alpha"), Kind::OAuth2Client, "c");
    world.desk.write(vec![crate::desk::delete(client, Precondition::Any)]).await.expect("deletes");
    assert_eq!(info(&world, &token).await.error(), invalid);
}
