use crate::rest::testing::Rig;
use serde_json::json;

#[actix_web::test]
async fn anybody_may_ask_what_the_server_is() {
    let rig = Rig::new().await;
    let info = rig.bare("GET", "/serverinfo/*").go().await;
    assert_eq!((info.status, info.header("Cache-Control")), (200, Some("no-store")));
    assert_eq!(info.json["cookieName"], "iPlanetDirectoryPro");
    assert_eq!((&info.json["_id"], &info.json["lang"]), (&json!("*"), &json!("en-US")));
    assert_eq!(info.json["forgotPassword"], "false");
    let german = rig.bare("GET", "/serverinfo/*").header("Accept-Language", "de-CH,de;q=0.9").go().await;
    assert_eq!(german.json["lang"], "de-CH");
    let strange = rig.bare("GET", "/serverinfo/*").header("Accept-Language", "<b>").go().await;
    assert_eq!(strange.json["lang"], "en-US");
    let old = rig.ask("GET", "/serverinfo/*").header("Accept-API-Version", "resource=1.1").go().await;
    assert_eq!(old.header("Content-API-Version"), Some("resource=1.1"));
    assert_eq!(rig.ask("GET", "/serverinfo/cookieDomains").go().await.json["domains"], json!([null]));
    assert_eq!(rig.ask("GET", "/serverinfo/x").go().await.error(), (501, "ResourceId not supported: x"));
    assert_eq!(rig.ask("DELETE", "/serverinfo/*").go().await.error(), (501, "Operation is not supported."));
    assert_eq!(rig.ask("POST", "/serverinfo/*?_action=x").go().await.status, 501);
}

/// f.1, f.2: what the service `platform` says, in every realm.
#[actix_web::test]
async fn cookie_domains_come_from_the_platform() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let domains = json!({"cookieDomains": ["example.com", "example.org"]});
    rig.send("PUT", "/global-config/services/platform", domains).await;
    for path in ["/serverinfo/*", "/serverinfo/cookieDomains", "/realms/root/realms/alpha/serverinfo/cookieDomains"] {
        assert_eq!(rig.ask("GET", path).go().await.json["domains"], json!(["example.com", "example.org"]), "{path}");
    }
    rig.send("PUT", "/global-config/services/platform", json!({"cookieDomains": []})).await;
    assert_eq!(rig.ask("GET", "/serverinfo/*").go().await.json["domains"], json!([null]));
}

/// HT-09.
#[actix_web::test]
async fn the_version_is_for_those_who_signed_in() {
    let rig = Rig::new().await;
    assert_eq!(rig.ask("GET", "/serverinfo/version").go().await.error(), (401, "Access Denied"));
    let version = rig.admin("GET", "/serverinfo/version").header("Accept-API-Version", "resource=1.0").go().await;
    assert_eq!((&version.json["_id"], &version.json["version"]), (&json!("version"), &json!("7.5.0")));
    assert!(version.json["fullVersion"].as_str().is_some_and(|full| full.contains(" 7.5.0 ")));
    let refused = rig.admin("DELETE", "/serverinfo/version").go().await;
    assert_eq!(refused.error(), (400, "The singleton resource cannot be deleted"));
}
