//! Discovery and keys.

use super::*;

#[actix_web::test]
async fn in_11_metadata_is_the_same_whatever_the_request_says() {
    let world = World::new().await;
    let mut bodies = Vec::new();
    for uri in [
        "/am/oauth2/realms/root/realms/alpha/.well-known/openid-configuration",
        "/am/oauth2/alpha/.well-known/openid-configuration",
        "/am/oauth2/.well-known/openid-configuration?realm=/alpha",
        "/am/oauth2/alpha/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/am/oauth2/realms/root/realms/alpha",
    ] {
        let request = TestRequest::get().uri(uri).insert_header(("host", "evil.example"));
        let reply = world.send(request.insert_header(("x-forwarded-host", "evil.example"))).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        bodies.push(reply.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    let document: Value = serde_json::from_str(&bodies[0]).expect("JSON");
    assert_eq!(document["issuer"], ISSUER);
    for (member, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "access_token"),
        ("introspection_endpoint", "introspect"),
        ("revocation_endpoint", "token/revoke"),
        ("userinfo_endpoint", "userinfo"),
        ("jwks_uri", "connect/jwk_uri"),
    ] {
        assert_eq!(document[member], format!("{ISSUER}/{path}"));
    }
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", "client_credentials"]));
    let root = world.get("/am/oauth2/.well-known/openid-configuration").await.json();
    assert_eq!(root["issuer"], "https://am.example.com:8443/am/oauth2");
    let inserted = world.get("/.well-known/oauth-authorization-server/am/oauth2").await.json();
    assert_eq!(inserted, root);
    for uri in ["", "/", "/am", "/am/oauth2x", "/other/oauth2"] {
        assert_eq!(world.get(&format!("/.well-known/oauth-authorization-server{uri}")).await.status, 404, "{uri}");
    }
    assert_eq!(world.get("/am/oauth2/nowhere/.well-known/openid-configuration").await.status, 400);
}

#[actix_web::test]
async fn keys_are_public_ones_and_can_be_cached() {
    let world = World::new().await;
    let reply = world.get(&format!("{ALPHA}/connect/jwk_uri")).await;
    let document = reply.json();
    let keys = document["keys"].as_array().expect("keys");
    let kinds: Vec<_> = keys.iter().map(|key| key["kty"].as_str().expect("kty")).collect();
    assert_eq!(kinds, ["RSA", "EC"], "no symmetric key");
    assert!(keys.iter().all(|key| key.get("d").is_none() && key.get("k").is_none()));
    let request = TestRequest::get().uri(&format!("{ALPHA}/connect/jwk_uri"));
    let again = world.send(request.insert_header((header::IF_NONE_MATCH, reply.header("etag")))).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert!(reply.header("cache-control").starts_with("public"));
}
