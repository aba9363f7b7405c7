use crate::rest::testing::Rig;
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const SERVICES: &str = "/realms/root/realms/alpha/realm-config/services";
const PROVIDER: &str = "/realms/root/realms/alpha/realm-config/services/oauth-oidc";

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig
}

#[actix_web::test]
async fn a_provider_lives_and_dies() {
    let rig = rig().await;
    assert_eq!(rig.get(PROVIDER).await.error(), (404, "Not Found"));
    let body = json!({"coreOAuth2Config": {"statelessTokensEnabled": false, "accessTokenLifetime": 600},
        "advancedOAuth2Config": {"codeVerifierEnforced": true, "supportedScopes": ["openid", "profile|en|Your profile"]}});
    let created = rig.send("POST", &format!("{PROVIDER}?_action=create"), body.clone()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(
        created.header("Location"),
        Some("https://am.example.com:8443/am/json/realms/root/realms/alpha/realm-config/services/oauth-oidc")
    );
    assert!(created.text.starts_with("{\"_id\":\"\",\"_rev\":\""), "{}", created.text);
    let (core, advanced) = (&created.json["coreOAuth2Config"], &created.json["advancedOAuth2Config"]);
    assert_eq!((&core["accessTokenLifetime"], &core["codeLifetime"]), (&json!(600), &json!(120)));
    assert_eq!(
        (&advanced["codeVerifierEnforced"], &advanced["tokenSigningAlgorithm"]),
        (&json!("true"), &json!("ES256"))
    );
    assert_eq!(advanced.get("customLoginUrlTemplate"), None, "unset values are left out");
    assert_eq!(created.json["_type"], json!({"_id": "oauth-oidc", "name": "OAuth2 Provider", "collection": false}));
    assert_eq!(rig.get(PROVIDER).await.json, created.json);
    let again = rig.send("POST", &format!("{PROVIDER}?_action=create"), body).await;
    assert_eq!(again.error(), (409, "Unable to save config: Service already exists"));

    // What is omitted afterwards stays.
    let updated = rig.send("PUT", PROVIDER, json!({"coreOAuth2Config": {"statelessTokensEnabled": true}})).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    let core = &updated.json["coreOAuth2Config"];
    assert_eq!((&core["statelessTokensEnabled"], &core["accessTokenLifetime"]), (&json!(true), &json!(600)));
    assert_eq!(updated.json["advancedOAuth2Config"], created.json["advancedOAuth2Config"]);
    let round = rig.send("PUT", PROVIDER, updated.json).await;
    assert_eq!(round.status, 200, "what was read can be written: {}", round.text);

    let deleted = rig.admin("DELETE", PROVIDER).go().await;
    assert_eq!((deleted.status, &deleted.json["coreOAuth2Config"]["accessTokenLifetime"]), (200, &json!(600)));
    assert_eq!(rig.admin("DELETE", PROVIDER).go().await.error(), (404, "Not Found"));
    let any = rig.admin("PUT", PROVIDER).header("If-Match", "*").json(&json!({})).await;
    assert_eq!(any.error(), (404, "Not Found"));
    assert_eq!(rig.send("PUT", PROVIDER, json!({})).await.status, 201, "PUT creates it, too");
    let only = rig.admin("PUT", PROVIDER).header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(only.status, 412);
    assert_eq!(
        rig.get(&format!("{PROVIDER}?_queryFilter=true")).await.error(),
        (400, "The singleton resource cannot be queried")
    );
}

/// oauth2-endpoints.md §25, 18: subjects of two installations cannot be linked by a salt that everybody knows.
#[actix_web::test]
async fn the_salt_is_ones_own() {
    let rig = rig().await;
    rig.send("PUT", PROVIDER, json!({})).await;
    rig.send("PUT", "/realms/root/realm-config/services/oauth-oidc", json!({})).await;
    let salt = |realm: &str| {
        let entry = rig.desk.document(&RealmPath::from(realm), Kind::Service, super::PROVIDER).expect("stored");
        entry.json()["advancedOAuth2Config"]["hashSalt"].as_str().expect("a salt").to_owned()
    };
    assert_ne!(salt("/"), salt("/alpha"));
    let known = rig.send("PUT", PROVIDER, json!({"advancedOAuth2Config": {"hashSalt": "changeme"}})).await;
    assert_eq!(known.error(), (400, "Data validation failed for the attribute, Subject Identifier Hash Salt"));
    let before = salt("/alpha");
    rig.send("PUT", PROVIDER, json!({"coreOAuth2Config": {"codeLifetime": 60}})).await;
    assert_eq!(salt("/alpha"), before);
}

#[actix_web::test]
async fn what_a_provider_cannot_be_is_refused() {
    let rig = rig().await;
    for (section, name, value, label) in [
        ("coreOAuth2Config", "accessTokenLifetime", json!(-1), "Access Token Lifetime (seconds)"),
        ("coreOAuth2Config", "statelessTokensEnabled", json!(1), "Use Client-Based Access & Refresh Tokens"),
        ("advancedOAuth2Config", "tokenSigningAlgorithm", json!("none"), "OAuth2 Token Signing Algorithm"),
        ("advancedOAuth2Config", "codeVerifierEnforced", json!("maybe"), "Code Verifier Parameter Required"),
        ("advancedOAuth2Config", "grantTypes", json!(["magic"]), "Grant Types"),
        ("advancedOIDCConfig", "loaMapping", json!({"a": 1}), "OpenID Connect acr_values to Auth Chain Mapping"),
    ] {
        let reply = rig.send("PUT", PROVIDER, json!({section: {name: value}})).await;
        assert_eq!(reply.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
    for body in [json!({"isAdmin": true}), json!({"coreOAuth2Config": {"isAdmin": true}})] {
        assert_eq!(rig.send("PUT", PROVIDER, body).await.error(), (400, "Invalid attribute specified."));
    }
    assert_eq!(rig.get(PROVIDER).await.status, 404);
    let newer = rig.send("PUT", PROVIDER, json!({"aiAgentsConfig": {"x": [1]}})).await;
    assert_eq!(newer.json["aiAgentsConfig"], json!({"x": [1]}), "what newer releases have is kept");
}

#[actix_web::test]
async fn services_are_listed() {
    let rig = rig().await;
    let act = |action: &'static str| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{SERVICES}?_action={action}"), json!({})).await.json["result"].clone() }
    };
    assert_eq!(act("nextdescendents").await, json!([]));
    assert_eq!(act("getCreatableTypes").await[0]["_id"], "oauth-oidc");
    rig.send("PUT", PROVIDER, json!({})).await;
    assert_eq!(act("getCreatableTypes").await, json!([]));
    assert_eq!(act("getAllTypes").await[0]["_id"], "oauth-oidc");
    let descendent = act("nextdescendents").await[0].clone();
    assert_eq!((&descendent["_id"], descendent.get("_rev")), (&json!("oauth-oidc"), None));
    let listed = rig.get(&format!("{SERVICES}?_queryFilter=true")).await.json;
    assert_eq!((&listed["resultCount"], &listed["result"][0]["_id"]), (&json!(1), &json!("oauth-oidc")));
    let template = rig.send("POST", &format!("{PROVIDER}?_action=template"), json!({})).await.json;
    assert_eq!(template["coreOAuth2Config"]["refreshTokenLifetime"], 604_800);
    assert_eq!(template["advancedOAuth2Config"].get("hashSalt"), None::<&Value>);
    let schema = rig.send("POST", &format!("{PROVIDER}?_action=schema"), json!({})).await.json;
    assert_eq!(schema["properties"]["coreOAuth2Config"]["properties"]["codeLifetime"]["type"], "integer");
    assert_eq!(rig.get(&format!("{SERVICES}/nosuch")).await.error(), (404, "Resource 'nosuch' not found"));
}
