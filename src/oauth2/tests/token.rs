//! `access_token`: dispatch, client authentication, client credentials.

use super::*;

#[actix_web::test]
async fn grant_types_are_checked_before_clients() {
    let world = World::new().await;
    for (grant, expected) in [
        ("", error(400, "invalid_request", "Grant type is not set")),
        ("password", error(400, "unsupported_grant_type", "Grant type is not supported")),
        ("refresh_token", error(400, "unsupported_grant_type", "Grant type is not supported")),
        ("Client_Credentials", error(400, "unsupported_grant_type", "Grant type is not supported")),
        ("client_credentials", error(400, "invalid_client", "Client authentication failed")),
    ] {
        assert_eq!(world.post("access_token", &[("grant_type", grant)]).await.error(), expected, "{grant}");
    }
}

#[actix_web::test]
async fn cl_01_cl_04_one_answer_for_every_failed_authentication() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    world.client("/alpha", "off", json!({ "coreOAuth2ClientConfig": { "status": "Inactive" } })).await;
    world.client("/alpha", "bare", json!({ "_verifier": null })).await;
    world.client("/alpha", "pub", public()).await;
    let nul = format!("{SECRET}\0");
    let space = format!("{SECRET} ");
    for (id, secret) in [
        ("", SECRET),
        ("c", ""),
        ("c", "wrong"),
        ("c", nul.as_str()),
        ("c", space.as_str()),
        ("C", SECRET),
        ("nobody", SECRET),
        ("off", SECRET),
        ("bare", SECRET),
        ("pub", "any secret"),
    ] {
        let asked = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let reply = world.post("access_token", &asked).await;
        assert_eq!(reply.error(), error(400, "invalid_client", "Client authentication failed"), "{id} {secret}");
        let request = post(&format!("{ALPHA}/access_token"), &[("grant_type", "client_credentials")]);
        let reply = world.send(with_basic(request, id, secret)).await;
        if (id, secret) != ("pub", "") {
            assert_eq!(reply.error(), error(401, "invalid_client", "Client authentication failed"), "{id} {secret}");
            assert_eq!(reply.header("www-authenticate"), "Basic realm=\"/alpha\"");
        }
    }
}

#[actix_web::test]
async fn cl_02_two_methods_at_once_are_refused() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let ask = |more: &[(&str, &str)]| {
        let mut pairs = vec![("grant_type", "client_credentials"), ("scope", "read")];
        pairs.extend(more);
        world.send(with_basic(post(&format!("{ALPHA}/access_token"), &pairs), "c", SECRET))
    };
    assert_eq!(ask(&[]).await.status, 200);
    assert_eq!(ask(&[("client_id", "c")]).await.status, 200);
    let refused = error(400, "invalid_request", "Client authentication failed");
    assert_eq!(ask(&[("client_id", "d")]).await.error(), refused);
    assert_eq!(ask(&[("client_id", "c"), ("client_secret", SECRET)]).await.error(), refused);
    assert_eq!(ask(&[("client_secret", SECRET)]).await.error(), refused);
    let assertion = [("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")];
    assert_eq!(ask(&assertion).await.error(), error(401, "invalid_client", "Client authentication failed"));
}

#[actix_web::test]
async fn cl_03_the_registered_method_counts() {
    let world = World::new().await;
    let with = |method: &str, scopes: Value| {
        json!({ "coreOAuth2ClientConfig": { "scopes": scopes },
            "advancedOAuth2ClientConfig": { "tokenEndpointAuthMethod": method } })
    };
    world.client("/alpha", "oidc-basic", with("client_secret_basic", json!(["read", "openid"]))).await;
    world.client("/alpha", "oidc-post", with("client_secret_post", json!(["read", "openid"]))).await;
    world.client("/alpha", "plain", with("client_secret_basic", json!(["read"]))).await;
    world.client("/alpha", "keyed", with("private_key_jwt", json!(["read"]))).await;
    world.client("/alpha", "none", with("none", json!(["read"]))).await;
    let other = "Invalid authentication method for accessing this endpoint.";
    for (id, by_basic, by_post) in [
        ("oidc-basic", true, false),
        ("oidc-post", false, true),
        ("plain", true, true),
        ("keyed", false, false),
        ("none", false, false),
    ] {
        let asked = [("grant_type", "client_credentials"), ("scope", "read")];
        let basic = world.send(with_basic(post(&format!("{ALPHA}/access_token"), &asked), id, SECRET)).await;
        let asked = [&asked[..], &[("client_id", id), ("client_secret", SECRET)]].concat();
        let posted = world.post("access_token", &asked).await;
        for (reply, fits, status) in [(basic, by_basic, 401), (posted, by_post, 400)] {
            if fits {
                assert_eq!(reply.status, 200, "{id}: {}", reply.body);
            } else {
                assert_eq!(reply.error(), error(status, "invalid_client", other), "{id}");
            }
        }
    }
}

#[actix_web::test]
async fn what_provider_or_client_lack_is_refused() {
    let world = World::new().await;
    world
        .client("/alpha", "c", json!({ "advancedOAuth2ClientConfig": { "grantTypes": ["authorization_code"] } }))
        .await;
    world.client("/alpha", "pub", merged(public(), &json!({}))).await;
    let ask = |id: &'static str, secret: &'static str| async {
        let asked =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("state", "s 1")];
        world.post("access_token", &asked).await
    };
    let reply = ask("c", SECRET).await;
    let text = "Client is not authorized to use the grant type";
    assert_eq!(reply.error(), error(400, "unauthorized_client", text));
    assert_eq!(reply.json()["state"], "s 1");
    // Abuse GR-07.
    let text = "Public clients can't use client credentials grant.";
    assert_eq!(ask("pub", "").await.error(), error(400, "unauthorized_client", text));
    let provider = json!({ "advancedOAuth2Config": { "grantTypes": ["authorization_code"] } });
    world.write("/alpha", Kind::Service, "oauth-oidc", provider).await;
    assert_eq!(ask("c", SECRET).await.error(), error(400, "unsupported_grant_type", "Grant type is not supported"));
}

#[actix_web::test]
async fn client_credentials_give_a_token_for_what_the_profile_allows() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let ask = |scope: &'static str| async {
        let asked =
            [("grant_type", "client_credentials"), ("scope", scope), ("client_id", "c"), ("client_secret", SECRET)];
        world.post("access_token", &asked).await
    };
    let reply = ask("write read").await;
    let body = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(body["access_token"].as_str().map(str::len), Some(28));
    assert_eq!(
        (&body["scope"], &body["token_type"], &body["expires_in"]),
        (&json!("write read"), &json!("Bearer"), &json!(3600))
    );
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(4), "no refresh token, no ID token");

    for (scope, says) in [
        ("", "No scope requested and no default scope configured"),
        ("read admin x", "Unknown/invalid scope(s): [admin, x]"),
        ("rea\"d", "Unknown/invalid scope(s)"),
        ("api://svc/read", "Unknown/invalid scope(s): [api://svc/read]"),
    ] {
        assert_eq!(ask(scope).await.error(), error(400, "invalid_scope", says));
    }
}

/// The first walk-through (`seeds/000`): its two commands, its answer.
#[actix_web::test]
async fn the_first_walk_through_gives_its_answer() {
    let world = World::new().await;
    let bare = merged(
        by_policy(),
        &json!({ "coreOAuth2ClientConfig": { "scopes": [] },
        "advancedOAuth2ClientConfig": { "tokenEndpointAuthMethod": "client_secret_basic" } }),
    );
    world.client("/alpha", "scopeDrivenAPI1Client", bare).await;
    let (provider, resource) = ("scopeDrivenAPI2Client", "api://scopeDrivenAPI2Client/read");
    world.grant_by_policy(provider, resource, "subject", "scopeDrivenAPI1Client").await;
    let asked = [
        ("scope", resource),
        ("grant_type", "client_credentials"),
        ("client_id", "scopeDrivenAPI1Client"),
        ("client_secret", SECRET),
    ];
    let reply = world.post("access_token", &asked).await;
    assert_eq!((reply.status, &reply.json()["scope"]), (200, &json!("read")));
    let token = reply.json()["access_token"].as_str().expect("a token").to_owned();

    let asked = [("token", token.as_str()), ("client_id", "scopeDrivenAPI1Client"), ("client_secret", SECRET)];
    let reply = world.post("introspect", &asked).await;
    let body = reply.json();
    let grant = body["authGrantId"].as_str().expect("a grant id");
    let audit = body["auditTrackingId"].as_str().expect("an audit id");
    let exp = body["exp"].as_u64().expect("exp");
    assert_eq!(grant.len(), 27);
    let (uuid, counter) = audit.rsplit_once('-').expect("two halves");
    assert!(uuid.len() == 36 && counter.parse::<u64>().is_ok());
    // Members, values and order.
    let expected = format!(
        "{{\"active\":true,\"scope\":\"read\",\"realm\":\"/alpha\",\"client_id\":\"scopeDrivenAPI1Client\",\
         \"user_id\":\"scopeDrivenAPI1Client\",\"username\":\"scopeDrivenAPI1Client\",\"token_type\":\"Bearer\",\
         \"exp\":{exp},\"sub\":\"scopeDrivenAPI1Client\",\"iss\":\"{ISSUER}\",\"subname\":\"scopeDrivenAPI1Client\",\
         \"authGrantId\":\"{grant}\",\"auditTrackingId\":\"{audit}\",\"aud\":\"scopeDrivenAPI2Client\",\"policyResult\":true}}"
    );
    assert_eq!(reply.body, expected);
}

#[actix_web::test]
async fn a_denial_by_policy_is_a_token_without_scope() {
    let world = World::new().await;
    world.client("/alpha", "c", by_policy()).await;
    for stateless in [false, true] {
        let more = json!({ "overrideOAuth2ClientConfig": { "statelessTokensEnabled": stateless } });
        world.client("/alpha", "c", merged(by_policy(), &more)).await;
        let asked = [
            ("grant_type", "client_credentials"),
            ("scope", "api://svc/read read"),
            ("client_id", "c"),
            ("client_secret", SECRET),
        ];
        let reply = world.post("access_token", &asked).await;
        assert_eq!((reply.status, reply.json().get("scope")), (200, None));
        let body = world.introspect("c", reply.json()["access_token"].as_str().expect("a token")).await;
        assert_eq!((&body["active"], &body["policyResult"]), (&json!(true), &json!(false)));
        assert_eq!((body.get("scope"), body.get("aud")), (None, None));
    }
}

#[actix_web::test]
async fn what_is_configured_but_not_served_fails_and_issues_nothing() {
    let world = World::new().await;
    for (over, says) in [
        (
            json!({ "accessTokenModificationPluginType": "SCRIPTED", "accessTokenModificationScript": "some-id" }),
            "Error running access token modification plugin",
        ),
        (
            json!({ "validateScopePluginType": "JAVA", "validateScopeClass": "com.acme.X" }),
            "Error while running validate scope script",
        ),
        (json!({ "statelessTokensEnabled": true, "tokenEncryptionEnabled": true }), "Unknown Signing Algorithm"),
    ] {
        let over = merged(json!({ "providerOverridesEnabled": true }), &over);
        world.client("/alpha", "c", json!({ "overrideOAuth2ClientConfig": over })).await;
        let asked =
            [("grant_type", "client_credentials"), ("scope", "read"), ("client_id", "c"), ("client_secret", SECRET)];
        assert_eq!(world.post("access_token", &asked).await.error(), error(500, "server_error", says));
    }
    assert!(world.desk.views().access.pin().is_empty());
}

#[actix_web::test]
async fn a_client_based_token_is_not_stored_and_says_what_am_says() {
    let world = World::new().await;
    world.client("/alpha", "c", stateless()).await;
    let token = world.token("c", "read write").await;
    assert!(world.desk.views().access.pin().is_empty());
    let claims = crate::keys::verify(&crate::keys::ring(&world.desk).expect("keys"), &token).expect("verifies");
    let expected = json!({ "sub": "c", "cts": "OAUTH2_STATELESS_GRANT", "subname": "c", "iss": ISSUER,
        "tokenName": "access_token", "token_type": "Bearer", "aud": "c", "grant_type": "client_credentials",
        "scope": ["read", "write"], "realm": "/alpha", "expires_in": 3600 });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&claims[name], value, "{name}");
    }
    let seconds = |name: &str| claims[name].as_u64().expect("seconds");
    assert_eq!(seconds("exp") - seconds("iat"), 3600);
    assert_eq!((seconds("nbf"), seconds("auth_time")), (seconds("iat"), seconds("iat")));
    assert!(claims.get("auth_level").is_none() && claims["jti"].is_string() && claims["auditTrackingId"].is_string());
}

/// CL-12: too many wrong secrets from one place bring a pause for that place, for the right secret as for a wrong one, and for
/// a client that does not exist as for one that does; elsewhere the client goes on.
#[actix_web::test]
async fn cl_12_wrong_secrets_from_one_place_bring_a_pause_there() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let ask = async |from: &str, id: &str, secret: &str| {
        let asked =
            [("grant_type", "client_credentials"), ("scope", "read"), ("client_id", id), ("client_secret", secret)];
        let request = post(&format!("{ALPHA}/access_token"), &asked);
        let from = std::net::SocketAddr::new(from.parse().expect("an address"), 50_000);
        world.send(request.peer_addr(from)).await
    };
    for id in ["c", "nobody"] {
        for n in 0..5 {
            assert_eq!(ask("192.0.2.1", id, "wrong").await.error().0, 400, "{id}, {n}");
        }
        let paused = ask("192.0.2.1", id, SECRET).await;
        let says = "Too many failed attempts, try again later.";
        assert_eq!(paused.error(), error(429, "temporarily_unavailable", says), "{id}");
        let wait: u64 = paused.header("retry-after").parse().expect("seconds");
        assert!((1..=301).contains(&wait), "{wait}");
    }
    assert_eq!(ask("192.0.2.2", "c", SECRET).await.status, 200, "nobody else is kept out");
    world.token("c", "read").await;
    world.wait(301).await;
    assert_eq!(ask("192.0.2.1", "c", SECRET).await.status, 200, "and the pause is over");
}
