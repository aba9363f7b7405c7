//! The OpenID flow as a relying party sees it: the ID token, verified with the published keys by a library that knows nothing
//! of us.

use super::*;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};

async fn keys(world: &World) -> JwkSet {
    let reply = world.get(&format!("{ALPHA}/connect/jwk_uri")).await;
    serde_json::from_str(&reply.body).expect("a key set")
}

fn verified(keys: &JwkSet, jwt: &str, algorithm: Algorithm) -> Value {
    let header = decode_header(jwt).expect("a header");
    assert_eq!(header.alg, algorithm);
    let key = keys.find(&header.kid.expect("a kid")).expect("published");
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["c"]);
    validation.set_issuer(&[ISSUER]);
    decode::<Value>(jwt, &DecodingKey::from_jwk(key).expect("a key"), &validation).expect("verifies").claims
}

async fn flow(world: &World, over: Value, more: &[(&str, &str)]) -> (Value, String) {
    let base = json!({ "coreOAuth2ClientConfig": { "scopes": ["openid", "profile"] } });
    world.client("/alpha", "c", merged(base, &over)).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let code = world.code(&session, "c", "openid profile", more).await;
    let reply = world.redeem("c", &code, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    (reply.json(), code)
}

#[actix_web::test]
async fn co_08_an_id_token_is_bound_to_nonce_code_and_access_token() {
    let world = World::new().await;
    let (reply, code) = flow(&world, json!({}), &[("nonce", "n-0S6_WzA2Mj é")]).await;
    let access = reply["access_token"].as_str().expect("a token");
    let claims = verified(&keys(&world).await, reply["id_token"].as_str().expect("one"), Algorithm::RS256);
    for (name, value) in [
        ("sub", json!("demo")),
        ("subname", json!("demo")),
        ("aud", json!("c")),
        ("azp", json!("c")),
        ("iss", json!(ISSUER)),
        ("nonce", json!("n-0S6_WzA2Mj é")),
        ("tokenName", json!("id_token")),
        ("tokenType", json!("JWTToken")),
        ("realm", json!("/alpha")),
        ("at_hash", json!(crate::keys::half_hash(access))),
        ("c_hash", json!(crate::keys::half_hash(&code))),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let seconds = |name: &str| claims[name].as_u64().expect("seconds");
    assert_eq!(seconds("exp") - seconds("iat"), 3600);
    assert!(seconds("auth_time") <= seconds("iat"));
    assert!(claims.get("name").is_none() && claims.get("acr").is_none());
}

#[actix_web::test]
async fn the_vectors_of_the_reference_hold() {
    assert_eq!(crate::keys::half_hash("sbQZuveFumUDV5R1vVBl6QAGNB8"), "XdRLm5qEHEd3FHTa0W-lGA");
    assert_eq!(crate::keys::half_hash("18mxu6ACkxVRJdmW6QjpUL01h8c"), "ZUIELeRL-dKw-D1UGNCOqA");
}

#[actix_web::test]
async fn client_and_provider_shape_the_id_token() {
    let world = World::new().await;
    let provider = json!({ "advancedOIDCConfig": { "alwaysAddClaimsToToken": true },
        "advancedOAuth2Config": { "includeSubnameInTokenClaims": false } });
    world.write("/alpha", Kind::Service, "oauth-oidc", provider).await;
    let over = json!({ "signEncOAuth2ClientConfig": { "idTokenSignedResponseAlg": "ES256" },
        "coreOpenIDClientConfig": { "jwtTokenLifetime": 60 } });
    let (reply, _) = flow(&world, over, &[("acr_values", "urn:mace:gold")]).await;
    let claims = verified(&keys(&world).await, reply["id_token"].as_str().expect("one"), Algorithm::ES256);
    assert_eq!((&claims["name"], &claims["acr"], claims.get("nonce")), (&json!("Demo User"), &json!("0"), None));
    assert_eq!(claims.get("subname"), None);
    assert_eq!(claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(exp, iat)| exp - iat), Some(60));
}

#[actix_web::test]
async fn a_client_based_access_token_verifies_with_the_published_keys() {
    let world = World::new().await;
    let (reply, _) = flow(&world, stateless(), &[]).await;
    let claims = verified(&keys(&world).await, reply["access_token"].as_str().expect("one"), Algorithm::ES256);
    assert_eq!((&claims["auth_level"], &claims["grant_type"]), (&json!(5), &json!("authorization_code")));
    assert_eq!(claims["scope"], json!(["openid", "profile"]));
}

#[actix_web::test]
async fn an_algorithm_that_is_not_served_fails_before_a_code_exists() {
    let world = World::new().await;
    for algorithm in ["HS256", "PS512", "none"] {
        let over = json!({ "coreOAuth2ClientConfig": { "scopes": ["openid"] },
            "signEncOAuth2ClientConfig": { "idTokenSignedResponseAlg": algorithm } });
        world.client("/alpha", "c", over).await;
        world.user("demo").await;
        let session = world.session("demo").await;
        let answer = world.allow(&session, "c", "openid", &[]).await.redirected(CALLBACK);
        assert_eq!(answer.get("error").map(String::as_str), Some("server_error"), "{algorithm}");
    }
    assert!(world.desk.views().codes.pin().is_empty());
}
