//! `access_token` with `grant_type=authorization_code`.

use super::*;

async fn world() -> (World, String) {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    (world, session)
}

#[actix_web::test]
async fn the_checks_come_in_their_order() {
    let (world, session) = world().await;
    let code = world.code(&session, "c", "read", &[]).await;
    let scope = "Scope parameter is not supported on an authorization code access_token exchange request. \
                 Scope parameter should be supplied to the authorize request.";
    let mismatch = "The redirection URI provided does not match a pre-registered value.";
    let more: [(&[(&str, &str)], _); 6] = [
        (&[("scope", "read"), ("code", "")], error(400, "invalid_request", scope)),
        (&[("code", ""), ("redirect_uri", "")], error(400, "invalid_request", "Missing parameter, 'code'")),
        (&[("redirect_uri", "")], error(400, "invalid_request", "Missing parameter, 'redirect_uri'")),
        (&[("redirect_uri", "https://evil.example/cb")], error(400, "redirect_uri_mismatch", mismatch)),
        (&[("code", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA")], error(400, "invalid_grant", INVALID_GRANT)),
        (&[("code", "nonsense")], error(400, "invalid_grant", INVALID_GRANT)),
    ];
    for (more, expected) in more {
        assert_eq!(world.redeem("c", &code, more).await.error(), expected, "{more:?}");
    }
    let reply = world.redeem("c", &code, &[]).await;
    assert_eq!(reply.status, 200, "none of these spent the code");
    assert!(reply.json().get("id_token").is_none() && reply.json().get("refresh_token").is_none());
}

/// The second walk-through (`seeds/001`): a user's token, client-based, introspected by the API it is for.
#[actix_web::test]
async fn the_second_walk_through_gives_its_answer() {
    let world = World::new().await;
    let consumer = merged(
        by_policy(),
        &json!({ "coreOAuth2ClientConfig": { "scopes": [] },
        "overrideOAuth2ClientConfig": { "statelessTokensEnabled": true } }),
    );
    world.client("/alpha", "scopeDrivenAPI1Client", consumer).await;
    world.client("/alpha", "scopeDrivenAPI2Client", json!({})).await;
    let user = "0f4f4b6c-36c1-4f0a-8d0b-3b6e0f1d2c3a";
    world.user(user).await;
    world.grant_by_policy("scopeDrivenAPI2Client", "api://scopeDrivenAPI2Client/read", "subject", user).await;
    let session = world.session(user).await;
    let code = world.code(&session, "scopeDrivenAPI1Client", "api://scopeDrivenAPI2Client/read", &[]).await;
    let reply = world.redeem("scopeDrivenAPI1Client", &code, &[]).await;
    assert_eq!((reply.status, &reply.json()["scope"]), (200, &json!("read")));
    let token = reply.json()["access_token"].as_str().expect("a token").to_owned();

    let asked = [("token", token.as_str()), ("client_id", "scopeDrivenAPI2Client"), ("client_secret", SECRET)];
    let reply = world.post("introspect", &asked).await;
    let body = reply.json();
    let (grant, audit) = (body["authGrantId"].as_str().unwrap_or(""), body["auditTrackingId"].as_str().unwrap_or(""));
    let expected = format!(
        "{{\"active\":true,\"scope\":\"read\",\"realm\":\"/alpha\",\"client_id\":\"scopeDrivenAPI2Client\",\
         \"user_id\":\"{user}\",\"username\":\"{user}\",\"token_type\":\"Bearer\",\"exp\":{},\"sub\":\"{user}\",\
         \"iss\":\"{ISSUER}\",\"subname\":\"{user}\",\"authGrantId\":\"{grant}\",\"auditTrackingId\":\"{audit}\",\
         \"policyResult\":true}}",
        body["exp"]
    );
    assert_eq!(reply.body, expected);
    assert_eq!((grant.len(), audit.is_empty()), (27, false));
    assert_eq!(world.introspect("scopeDrivenAPI1Client", &token).await, json!({ "active": false }));
}

#[actix_web::test]
async fn co_01_a_replay_fails_and_takes_the_token_with_it() {
    let (world, session) = world().await;
    for mode in [json!({}), stateless()] {
        world.client("/alpha", "c", mode).await;
        let code = world.code(&session, "c", "read", &[]).await;
        let token = world.redeem("c", &code, &[]).await.json()["access_token"].as_str().expect("a token").to_owned();
        assert!(world.is_active("c", &token).await);
        for _ in 0..2 {
            assert_eq!(world.redeem("c", &code, &[]).await.error(), error(400, "invalid_grant", INVALID_GRANT));
            assert!(!world.is_active("c", &token).await);
        }
    }
}

#[actix_web::test]
async fn co_01_of_many_at_once_one_succeeds_and_the_rest_cost_it_its_token() {
    let (world, session) = world().await;
    let code = world.code(&session, "c", "read", &[]).await;
    let replies = futures_util::future::join_all((0..20).map(|_| world.redeem("c", &code, &[]))).await;
    let (won, lost): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 19));
    assert!(lost.iter().all(|reply| reply.error() == error(400, "invalid_grant", INVALID_GRANT)));
    assert!(!world.is_active("c", won[0].json()["access_token"].as_str().expect("a token")).await);
}

#[actix_web::test]
async fn co_02_no_neighbour_of_a_code_is_a_code() {
    let (world, session) = world().await;
    let code = world.code(&session, "c", "read", &[]).await;
    for place in 0..code.len() {
        let mut bytes = code.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let neighbour = String::from_utf8(bytes).expect("ASCII");
        let reply = world.redeem("c", &neighbour, &[]).await;
        assert_eq!(reply.error(), error(400, "invalid_grant", INVALID_GRANT), "{place}");
    }
    assert_eq!(world.redeem("c", &code, &[]).await.status, 200);
}

#[actix_web::test]
async fn co_02_another_client_neither_redeems_nor_spends_nor_revokes() {
    let (world, session) = world().await;
    world.client("/alpha", "thief", json!({})).await;
    let code = world.code(&session, "c", "read", &[]).await;
    let refused = error(400, "invalid_grant", INVALID_GRANT);
    assert_eq!(world.redeem("thief", &code, &[]).await.error(), refused);
    let token = world.redeem("c", &code, &[]).await.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(world.redeem("thief", &code, &[]).await.error(), refused);
    assert!(world.is_active("c", &token).await);
}

#[actix_web::test]
async fn co_03_another_redirect_uri_spends_the_code() {
    let (world, session) = world().await;
    let both = json!({ "coreOAuth2ClientConfig": { "redirectionUris": [CALLBACK, "https://rp.example.com/other"] } });
    world.client("/alpha", "c", both).await;
    let code = world.code(&session, "c", "read", &[]).await;
    let reply = world.redeem("c", &code, &[("redirect_uri", "https://rp.example.com/other")]).await;
    assert_eq!(reply.error(), error(400, "invalid_grant", INVALID_GRANT));
    assert_eq!(world.redeem("c", &code, &[]).await.error(), error(400, "invalid_grant", INVALID_GRANT));
}

#[actix_web::test]
async fn co_04_co_05_co_06_the_verifier_fits_the_challenge_and_only_that() {
    let (world, session) = world().await;
    world
        .write(
            "/alpha",
            Kind::Service,
            "oauth-oidc",
            json!({ "advancedOAuth2Config": { "codeVerifierEnforced": "false" } }),
        )
        .await;
    let pkce = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    let refused = error(400, "invalid_grant", INVALID_GRANT);

    // Missing: said so, and the code can still be redeemed.
    let code = world.code(&session, "c", "read", &pkce).await;
    let missing = error(400, "invalid_request", "code_verifier parameter required");
    assert_eq!(world.redeem("c", &code, &[]).await.error(), missing);
    assert_eq!(world.redeem("c", &code, &[("code_verifier", VERIFIER)]).await.status, 200);

    // Wrong or malformed: one guess.
    let padded = format!("{VERIFIER}=");
    let look_alike = VERIFIER.replace('e', "е");
    for wrong in [CHALLENGE, &VERIFIER[1..], padded.as_str(), look_alike.as_str(), "short"] {
        let code = world.code(&session, "c", "read", &pkce).await;
        assert_eq!(world.redeem("c", &code, &[("code_verifier", wrong)]).await.error(), refused, "{wrong}");
        assert_eq!(world.redeem("c", &code, &[("code_verifier", VERIFIER)]).await.error(), refused, "{wrong}");
    }

    // Downgrade: a verifier for a code without challenge.
    let code = world.code(&session, "c", "read", &[]).await;
    assert_eq!(world.redeem("c", &code, &[("code_verifier", VERIFIER)]).await.error(), refused);
}

#[actix_web::test]
async fn a_public_client_redeems_by_name_and_verifier() {
    let (world, session) = world().await;
    world.client("/alpha", "app", public()).await;
    let reply = world.allow(&session, "app", "read", &[("state", "x")]).await;
    let answer = reply.redirected(CALLBACK);
    assert_eq!(answer.get("error").map(String::as_str), Some("invalid_request"));
    assert_eq!(answer.get("error_description").map(String::as_str), Some("Missing parameter, 'code_challenge'"));
    let code =
        world.code(&session, "app", "read", &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]).await;
    let reply = world.redeem("app", &code, &[("client_secret", ""), ("code_verifier", VERIFIER)]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[actix_web::test]
async fn co_07_a_code_dies_in_log_time() {
    let (world, session) = world().await;
    let code = world.code(&session, "c", "read", &[]).await;
    world.wait(119).await;
    let alive = world.code(&session, "c", "read", &[]).await;
    world.wait(2).await;
    assert_eq!(world.redeem("c", &code, &[]).await.error(), error(400, "invalid_grant", "Authorization code expired."));
    assert_eq!(world.redeem("c", &alive, &[]).await.status, 200);
    world.wait(120).await;
    assert_eq!(world.redeem("c", &code, &[]).await.error(), error(400, "invalid_grant", INVALID_GRANT));
}

#[actix_web::test]
async fn gr_09_se_10_owner_and_client_are_checked_when_the_code_is_redeemed() {
    let (world, session) = world().await;
    let refused = error(400, "invalid_grant", INVALID_GRANT);
    let user = DocumentKey::new(&RealmPath::from("/alpha"), Kind::User, "demo");
    let active = json!({ "username": "demo", "inetUserStatus": ["Active"] });

    // Disabled.
    let code = world.code(&session, "c", "read", &[]).await;
    world.write("/alpha", Kind::User, "demo", json!({ "username": "demo", "inetUserStatus": ["Inactive"] })).await;
    assert_eq!(world.redeem("c", &code, &[]).await.error(), refused);
    world.write("/alpha", Kind::User, "demo", active.clone()).await;
    assert_eq!(world.redeem("c", &code, &[]).await.status, 200, "an edit that does not fence lets grants stand");

    // Fenced: a changed password.
    let code = world.code(&session, "c", "read", &[]).await;
    world.desk.write(vec![put(user, Precondition::Any, &active, vec![], true)]).await.expect("writes");
    assert_eq!(world.redeem("c", &code, &[]).await.error(), refused);

    // The client, deleted and created again.
    let session = world.session("demo").await;
    let code = world.code(&session, "c", "read", &[]).await;
    let client = DocumentKey::new(&RealmPath::from("/alpha"), Kind::OAuth2Client, "c");
    world.desk.write(vec![crate::desk::delete(client, Precondition::Any)]).await.expect("deletes");
    world.client("/alpha", "c", json!({})).await;
    assert_eq!(world.redeem("c", &code, &[]).await.error(), refused);
}

#[actix_web::test]
async fn a_code_of_another_realm_is_no_code() {
    let (world, session) = world().await;
    world.client("/beta", "c", json!({})).await;
    let code = world.code(&session, "c", "read", &[]).await;
    let asked = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("client_id", "c"),
        ("client_secret", SECRET),
    ];
    let reply = world.send(post("/am/oauth2/beta/access_token", &asked)).await;
    assert_eq!(reply.error(), error(400, "invalid_grant", INVALID_GRANT));
    assert_eq!(world.redeem("c", &code, &[]).await.status, 200);
}
