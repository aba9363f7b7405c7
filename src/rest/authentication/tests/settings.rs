//! a.12.

use super::{BASE, act, rig, stored, without};
use crate::rest::authentication::{
    secrets,
    settings::{SETTINGS, effective},
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::{Value, json};

/// As recorded.
fn recorded() -> Value {
    json!({
        "postauthprocess": {"usernameGeneratorClass": "com.sun.identity.authentication.spi.DefaultUserIDGenerator",
            "usernameGeneratorEnabled": true, "loginPostProcessClass": [], "loginSuccessUrl": ["/am/console"],
            "userAttributeSessionMapping": [], "loginFailureUrl": []},
        "security": {"zeroPageLoginEnabled": false, "zeroPageLoginReferrerWhiteList": [],
            "zeroPageLoginAllowedWithoutReferrer": true, "moduleBasedAuthEnabled": true, "sharedSecret": null,
            "addClearSiteDataHeader": true},
        "trees": {"suspendedAuthenticationTimeout": 5, "authenticationSessionsStateManagement": "JWT",
            "authenticationSessionsMaxDuration": 5, "authenticationTreeCookieHttpOnly": true,
            "authenticationSessionsWhitelist": false},
        "accountlockout": {"loginFailureLockoutMode": false, "storeInvalidAttemptsInDataStore": true,
            "lockoutDuration": 0, "lockoutDurationMultiplier": 1, "lockoutWarnUserCount": 0, "loginFailureCount": 5,
            "loginFailureDuration": 300},
        "core": {"adminAuthModule": "ldapService", "orgConfig": "ldapService"},
        "general": {"userStatusCallbackPlugins": [], "statelessSessionsEnabled": false, "locale": "en_US",
            "twoFactorRequired": false, "identityType": ["agent", "user"], "defaultAuthLevel": 0},
        "userprofile": {"dynamicProfileCreation": "false", "defaultRole": [], "aliasAttributeName": ["uid"]},
        "_id": "", "_type": {"_id": "EMPTY", "name": "Core", "collection": false},
    })
}

#[actix_web::test]
async fn a_new_realm_has_the_recorded_settings() {
    let rig = rig().await;
    let read = rig.admin("GET", BASE).header("Accept-API-Version", "protocol=1.0,resource=2.0").go().await;
    assert_eq!(read.status, 200, "{}", read.text);
    assert_eq!(read.header("Content-API-Version"), Some("resource=2.0"));
    assert_eq!(read.json, recorded());
    let first = rig.admin("GET", BASE).header("Accept-API-Version", "resource=1.0").go().await;
    assert_eq!(first.header("Content-API-Version"), Some("resource=1.0"));
    assert!(first.text.starts_with("{\"_id\":\"\",\"_rev\":\""), "{}", first.text);
    assert_eq!(stored(&rig, Kind::Service, SETTINGS), None, "nothing was said");
}

#[actix_web::test]
async fn a_put_changes_what_it_names() {
    let rig = rig().await;
    let said = json!({"core": {"orgConfig": "AgentLogin"}, "accountlockout": {"loginFailureLockoutMode": true},
        "userprofile": {"dynamicProfileCreation": "ignore"}, "_id": "", "_rev": "0", "_type": {"_id": "x"}});
    let updated = rig.send("PUT", BASE, said).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    let mut expected = recorded();
    expected["core"]["orgConfig"] = json!("AgentLogin");
    expected["accountlockout"]["loginFailureLockoutMode"] = json!(true);
    expected["userprofile"]["dynamicProfileCreation"] = json!("ignore");
    assert_eq!(without(updated.json.clone(), &["_rev"]), expected);
    assert_eq!(rig.get(BASE).await.json, updated.json);
    assert_eq!(
        stored(&rig, Kind::Service, SETTINGS),
        Some(json!({"core": {"orgConfig": "AgentLogin"}, "accountlockout": {"loginFailureLockoutMode": true},
            "userprofile": {"dynamicProfileCreation": "ignore"}})),
        "what was never said is not stored"
    );
    let again = rig.send("PUT", BASE, json!({"trees": {"authenticationSessionsMaxDuration": "15"}})).await;
    assert_eq!(again.json["trees"]["authenticationSessionsMaxDuration"], 15);
    assert_eq!(again.json["core"]["orgConfig"], "AgentLogin", "what is left out stays");
    let whole = rig.send("PUT", BASE, again.json.clone()).await;
    assert_eq!(whole.status, 200, "what was read can be written: {}", whole.text);
    let (root, other) = (RealmPath::root(), RealmPath::from("/alpha"));
    assert_eq!(effective(&rig.desk, &root)["core"]["orgConfig"], "ldapService");
    assert_eq!(effective(&rig.desk, &other)["core"]["orgConfig"], "AgentLogin");
}

/// AD-04, and what a singleton cannot do.
#[actix_web::test]
async fn revisions_and_verbs() {
    let rig = rig().await;
    let put = |tag: &str, level: u32| {
        let body = json!({"general": {"defaultAuthLevel": level}});
        let ask = rig.admin("PUT", BASE).header("If-Match", tag);
        async move { ask.json(&body).await }
    };
    let unwritten = rig.get(BASE).await;
    let tag = unwritten.header("ETag").expect("a tag").to_owned();
    let first = put(&tag, 1).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(put(&tag, 2).await.status, 412);
    assert_eq!(put("*", 3).await.status, 200);
    assert_eq!(rig.get(BASE).await.json["general"]["defaultAuthLevel"], 3);
    let deleted = rig.admin("DELETE", BASE).go().await;
    assert_eq!(deleted.error(), (400, "The singleton resource cannot be deleted"));
    let queried = rig.get(&format!("{BASE}?_queryFilter=true")).await;
    assert_eq!(queried.error(), (400, "The singleton resource cannot be queried"));
    let created = rig.send("POST", &format!("{BASE}?_action=create"), json!({})).await;
    assert_eq!(created.error(), (400, "The singleton resource cannot be created"));
}

#[actix_web::test]
async fn actions_describe_the_settings() {
    let rig = rig().await;
    let template = act(&rig, BASE, "template").await.json;
    let mut expected = without(recorded(), &["_id", "_type"]);
    if let Some(security) = expected["security"].as_object_mut() {
        security.remove("sharedSecret");
    }
    assert_eq!(template, expected);
    let schema = act(&rig, BASE, "schema").await.json;
    let lockout = &schema["properties"]["accountlockout"]["properties"];
    assert_eq!(lockout["loginFailureCount"]["type"], "integer");
    assert_eq!(schema["properties"]["security"]["properties"]["sharedSecret"]["format"], "password");
    assert_eq!(act(&rig, BASE, "getType").await.json, json!({"_id": "EMPTY", "name": "Core", "collection": false}));
    assert_eq!(act(&rig, BASE, "nosuch").await.error(), (501, "Action not supported: nosuch"));
}

#[actix_web::test]
async fn what_a_setting_does_not_have_is_refused() {
    let rig = rig().await;
    let before = rig.get(BASE).await.json;
    let refused = |body: Value| {
        let rig = &rig;
        async move { rig.send("PUT", BASE, body).await }
    };
    for (group, attribute, value, label) in [
        ("core", "orgConfig", json!(7), "Organization Authentication Configuration"),
        ("userprofile", "dynamicProfileCreation", json!("maybe"), "User Profile"),
        ("accountlockout", "loginFailureCount", json!(0), "Login Failure Lockout Count"),
        ("accountlockout", "lockoutDuration", json!(-1), "Login Failure Lockout Duration"),
        ("general", "identityType", json!([{"a": 1}]), "Identity Types"),
        ("security", "moduleBasedAuthEnabled", json!("yes"), "Module Based Authentication"),
        ("security", "sharedSecret", json!(7), "Organization Authentication Signing Secret"),
        ("trees", "authenticationSessionsMaxDuration", json!(0), "Max duration (minutes)"),
        (
            "trees",
            "authenticationSessionsStateManagement",
            json!("IN_MEMORY"),
            "Authentication session state management scheme",
        ),
        ("postauthprocess", "loginSuccessUrl", json!({}), "Default Success Login URL"),
    ] {
        let reply = refused(json!({group: {attribute: value}})).await;
        let message = format!("Data validation failed for the attribute, {label}");
        assert_eq!(reply.error(), (400, message.as_str()));
    }
    for body in [json!({"isAdmin": true}), json!({"core": {"isAdmin": true}}), json!({"orgConfig": "x"})] {
        assert_eq!(refused(body).await.error(), (400, "Invalid attribute specified."));
    }
    assert_eq!(refused(json!({"core": []})).await.error().0, 400);
    assert_eq!(rig.get(BASE).await.json, before);
}

/// G5.
#[actix_web::test]
async fn the_shared_secret_is_sealed_and_never_shown() {
    let rig = rig().await;
    let written = rig.send("PUT", BASE, json!({"security": {"sharedSecret": "a very shared one"}})).await;
    assert_eq!((written.status, &written.json["security"]["sharedSecret"]), (200, &Value::Null));
    let document = stored(&rig, Kind::Service, SETTINGS).expect("a document");
    assert!(!document.to_string().contains("a very shared one"), "{document}");
    let kept = rig.send("PUT", BASE, json!({"security": {"sharedSecret": null, "zeroPageLoginEnabled": true}})).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    assert!(!kept.text.contains("encrypted"), "{}", kept.text);
    let document = stored(&rig, Kind::Service, SETTINGS).expect("a document");
    let key = |realm: &str| DocumentKey::new(&RealmPath::from(realm), Kind::Service, SETTINGS);
    let security = document["security"].as_object().expect("a group");
    let reveal = |key: &DocumentKey, name: &str| secrets::reveal(&rig.desk, key, security, name);
    let revealed = reveal(&key("/alpha"), "sharedSecret").expect("opens").expect("is there");
    assert_eq!(revealed.as_str(), "a very shared one");
    assert!(reveal(&key("/beta"), "sharedSecret").is_err(), "it opens in its own place only");
    assert!(reveal(&key("/alpha"), "other").is_ok_and(|none| none.is_none()));
}

/// What a realm does not say, the global defaults do.
#[actix_web::test]
async fn global_defaults_are_below_every_realm() {
    let rig = rig().await;
    let path = "/global-config/authentication";
    let read = rig.get(path).await;
    let expected = json!({"defaults": without(recorded(), &["_id", "_type"]), "_id": "",
        "_type": {"_id": "EMPTY", "name": "Core", "collection": false}});
    assert_eq!(without(read.json, &["_rev"]), expected);
    let said = json!({"defaults": {"general": {"defaultAuthLevel": 7, "locale": "de_DE"}}});
    assert_eq!(rig.send("PUT", path, said).await.status, 200);
    assert_eq!(rig.send("PUT", BASE, json!({"general": {"locale": "fr_FR"}})).await.status, 200);
    let general = rig.get(BASE).await.json["general"].clone();
    assert_eq!((&general["defaultAuthLevel"], &general["locale"]), (&json!(7), &json!("fr_FR")));
    for body in [json!({"general": {}}), json!({"defaults": {"nosuch": {}}}), json!({"defaults": 1})] {
        assert_eq!(rig.send("PUT", path, body).await.status, 400);
    }
}
