//! a.14 and a.15.

use super::{NODES, act, rig, stored, without};
use crate::rest::authentication::{NODES as FAMILY, catalogue, secrets};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::{Value, json};

const ID: &str = "7b1a4a1e-6a5c-4a0a-9a3f-2f1d3c4b5a69";

/// The calls of a.14, in their order.
#[actix_web::test]
async fn the_calls_of_the_table() {
    let rig = rig().await;
    let types = act(&rig, NODES, "getAllTypes").await.json;
    let page = types["result"].as_array().expect("a list").iter().find(|t| t["_id"] == "PageNode").expect("is listed");
    assert_eq!(
        without(page.clone(), &["help"]),
        json!({"_id": "PageNode", "name": "Page Node", "collection": true, "tags": ["utilities"],
            "metadata": {"tags": ["utilities"]}})
    );
    assert!(page["help"].as_str().is_some_and(|help| !help.is_empty()));
    assert_eq!(act(&rig, NODES, "getCreatableTypes").await.json, types);
    let all = act(&rig, NODES, "nextdescendents").await.json;
    assert_eq!(all["result"].as_array().map(Vec::len), Some(11), "those of the shipped trees");
    assert_eq!(all["result"][0].get("_rev"), None);

    let of_type = format!("{NODES}/ZeroPageLoginNode");
    assert_eq!(
        act(&rig, &of_type, "getType").await.json,
        json!({"_id": "ZeroPageLoginNode", "name": "Zero Page Login Collector", "collection": true})
    );
    let schema = act(&rig, &of_type, "schema").await.json;
    assert_eq!(schema["properties"]["allowWithoutReferer"]["type"], "boolean");
    let schema = act(&rig, &format!("{NODES}/PageNode"), "schema").await.json;
    assert_eq!(schema["properties"]["nodes"]["type"], "array");
    let outcomes = json!([{"id": "true", "displayName": "Has Credentials"},
        {"id": "false", "displayName": "No Credentials"}]);
    assert_eq!(act(&rig, &of_type, "listOutcomes").await.json, outcomes);
    let listed = rig.get(&format!("{of_type}?_queryFilter=true")).await.json;
    assert_eq!(listed["resultCount"], 3);
    let filtered = rig.get(&format!("{of_type}?_queryFilter=_id+eq+'x'")).await;
    assert_eq!(filtered.error().0, 501);

    let posted = rig.send("POST", &format!("{of_type}?_action=create"), json!({"usernameHeader": "X-User"})).await;
    assert_eq!(posted.status, 201, "{}", posted.text);
    let id = posted.json["_id"].as_str().expect("an id");
    assert!(uuid::Uuid::try_parse(id).is_ok());
    assert!(posted.header("Location").is_some_and(|location| location.ends_with(&format!("ZeroPageLoginNode/{id}"))));
    let named = rig.send("POST", &format!("{of_type}?_action=create"), json!({"_id": ID})).await;
    assert_eq!((named.status, &named.json["_id"]), (201, &json!(ID)));
    let again = rig.send("POST", &format!("{of_type}?_action=create"), json!({"_id": ID})).await;
    assert_eq!(again.error(), (409, "Unable to save config: Service already exists"));

    let path = format!("{of_type}/{ID}");
    let body = json!({"passwordHeader": "X-Pass", "_id": "other", "_rev": "7", "_type": {"_id": "x"}, "_outcomes": []});
    let updated = rig.admin("PUT", &path).header("Accept-API-Version", "protocol=2.1,resource=1.0").json(&body).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    assert_eq!(
        without(updated.json.clone(), &["_rev"]),
        json!({"_id": ID, "usernameHeader": "X-OpenAM-Username", "passwordHeader": "X-Pass",
            "allowWithoutReferer": true, "referrerWhiteList": [], "_outcomes": outcomes,
            "_type": {"_id": "ZeroPageLoginNode", "name": "Zero Page Login Collector", "collection": true}})
    );
    assert_eq!(
        stored(&rig, Kind::Node, &format!("ZeroPageLoginNode/{ID}")),
        Some(json!({"usernameHeader": "X-OpenAM-Username", "passwordHeader": "X-Pass", "allowWithoutReferer": true,
            "referrerWhiteList": []})),
        "with defaults, and without what is the server's"
    );
    assert_eq!(rig.get(&path).await.json, updated.json);
    let deleted = rig.admin("DELETE", &path).go().await;
    assert_eq!((deleted.status, deleted.json), (200, updated.json));
    assert_eq!(rig.get(&path).await.error(), (404, "Not Found"));
    assert_eq!(rig.admin("DELETE", &path).go().await.error(), (404, "Not Found"));
    let created = rig.send("PUT", &path, json!({})).await;
    assert_eq!(created.status, 201);
    assert_eq!(
        rig.get("/realms/root/realms/alpha/realm-config/authentication/authenticationtrees/nodes").await.status,
        400
    );
    assert_eq!(act(&rig, NODES, "nosuch").await.error(), (501, "Action not supported: nosuch"));
}

/// a.15: every type with its defaults and, with them, its outcomes.
#[actix_web::test]
async fn the_catalogue_row_by_row() {
    let (one, decision) = (&["outcome"][..], &["true", "false"][..]);
    let ldap = &["TRUE", "FALSE", "LOCKED", "CANCELLED", "EXPIRED"][..];
    let cookie = json!({"idleTimeout": 5, "useSecureCookie": true, "useHttpOnlyCookie": true, "hmacSigningKey": null,
        "persistentCookieName": "session-jwt"});
    let with = |base: &Value, name: &str, value: Value| {
        let mut config = base.clone();
        config[name] = value;
        config
    };
    let webauthn = json!({"origins": [], "userVerificationRequirement": "PREFERRED", "timeout": 60, "asScript": true});
    let smtp = json!({"hostPort": 25, "password": null, "sslOption": "SSL"});
    let nothing = json!({});
    let rows: Vec<(&str, Value, &[&str])> = vec![
        (
            "ZeroPageLoginNode",
            json!({"usernameHeader": "X-OpenAM-Username", "passwordHeader": "X-OpenAM-Password",
                "allowWithoutReferer": true, "referrerWhiteList": []}),
            decision,
        ),
        ("UsernameCollectorNode", nothing.clone(), one),
        ("PasswordCollectorNode", nothing.clone(), one),
        ("DataStoreDecisionNode", nothing.clone(), decision),
        ("AgentDataStoreDecisionNode", nothing.clone(), decision),
        (
            "IdentityStoreDecisionNode",
            json!({"minimumPasswordLength": 8, "useUniversalIdForUsername": true,
                "mixedCaseForPasswordChangeMessages": false}),
            ldap,
        ),
        (
            "LdapDecisionNode",
            json!({"primaryServers": [], "secondaryServers": [], "accountSearchBaseDn": [], "adminPassword": null,
                "searchFilterAttributes": [], "searchScope": "SUBTREE", "ldapConnectionMode": "LDAP",
                "returnUserDn": true, "minimumPasswordLength": 8}),
            ldap,
        ),
        ("ValidatedUsernameNode", json!({"usernameAttribute": "userName", "validateInput": false}), one),
        ("ValidatedPasswordNode", json!({"passwordAttribute": "password", "validateInput": false}), one),
        ("AnonymousUserNode", json!({"anonymousUserName": "anonymous"}), one),
        ("AnonymousSessionUpgradeNode", nothing.clone(), one),
        ("AmsterJwtDecisionNode", nothing.clone(), decision),
        ("AccountActiveDecisionNode", nothing.clone(), decision),
        ("AuthLevelDecisionNode", json!({"authLevelRequirement": 0}), decision),
        ("ModifyAuthLevelNode", json!({"authLevelIncrement": 0}), one),
        (
            "RetryLimitDecisionNode",
            json!({"retryLimit": 3, "incrementUserAttributeOnFailure": true}),
            &["Retry", "Reject"],
        ),
        ("AccountLockoutNode", json!({"lockAction": "LOCK"}), one),
        ("PageNode", json!({"pageHeader": {}, "pageDescription": {}}), one),
        ("InnerTreeEvaluatorNode", json!({"displayErrorOutcome": false}), decision),
        (
            "ScriptedDecisionNode",
            json!({"script": "01e1a3c0-038b-4c16-956a-6c9d89328cff", "outcomes": [], "inputs": ["*"],
                "outputs": ["*"]}),
            &[],
        ),
        ("ChoiceCollectorNode", json!({"choices": []}), &[]),
        ("MessageNode", json!({"message": {}, "messageYes": {}, "messageNo": {}}), decision),
        (
            "PollingWaitNode",
            json!({"secondsToWait": 8, "spamDetectionEnabled": false, "spamDetectionTolerance": 3,
                "waitingMessage": {}, "exitable": false, "exitMessage": {}}),
            &["DONE"],
        ),
        ("FlowControlNode", json!({"percentageA": 50}), &["A", "B"]),
        ("SetSuccessUrlNode", nothing.clone(), one),
        ("SetFailureUrlNode", nothing.clone(), one),
        ("SetSuccessDetailsNode", json!({"successDetails": {}, "sessionProperties": {}}), one),
        ("SetFailureDetailsNode", json!({"failureMessage": {}, "failureDetails": {}}), one),
        ("SetErrorDetailsNode", json!({"errorMessage": {}, "errorDetails": {}}), one),
        ("UpdateJourneyTimeoutNode", json!({"operation": "SET", "value": 5}), one),
        ("DebugNode", json!({"popupEnabled": true}), one),
        ("TimerStartNode", nothing.clone(), one),
        ("TimerStopNode", nothing.clone(), one),
        ("MeterNode", nothing.clone(), one),
        ("MetadataNode", json!({"attributes": []}), one),
        ("SetSessionPropertiesNode", json!({"properties": {}}), one),
        ("RemoveSessionPropertiesNode", json!({"propertyNames": []}), one),
        ("SessionDataNode", json!({"sessionDataKey": "UserToken"}), one),
        ("SetStateNode", json!({"attributes": {}}), one),
        ("CookiePresenceDecisionNode", nothing.clone(), decision),
        ("SetCustomCookieNode", json!({"useSecureCookie": false, "useHttpOnlyCookie": false, "sameSite": "LAX"}), one),
        ("SetPersistentCookieNode", with(&cookie, "maxLife", json!(5)), one),
        ("PersistentCookieDecisionNode", with(&cookie, "enforceClientIp", json!(false)), decision),
        ("RequestHeaderNode", json!({"allowedHeaders": {}, "headersToBeDelimited": []}), one),
        ("QueryParameterNode", json!({"allowedQueryParameters": {}, "queryParametersToBeDelimited": []}), one),
        ("RegisterLogoutWebhookNode", nothing.clone(), one),
        ("OneTimePasswordGeneratorNode", json!({"length": 8}), one),
        ("OneTimePasswordCollectorDecisionNode", json!({"passwordExpiryTime": 5}), decision),
        (
            "OneTimePasswordSmtpSenderNode",
            json!({"hostPort": 25, "password": null, "sslOption": "SSL", "emailAttribute": "mail", "emailSubject": {},
                "emailContent": {}}),
            one,
        ),
        (
            "OneTimePasswordSmsSenderNode",
            with(
                &with(&with(&smtp, "smsSubject", json!({})), "smsContent", json!({})),
                "mobilePhoneAttributeName",
                json!("telephoneNumber"),
            ),
            one,
        ),
        (
            "OathRegistrationNode",
            json!({"issuer": "ForgeRock", "accountName": "USERNAME", "bgColor": "032b75",
                "generateRecoveryCodes": true, "passwordLength": "SIX_DIGITS", "minSharedSecretLength": 32,
                "algorithm": "TOTP", "totpTimeInterval": 30, "totpHashAlgorithm": "HMAC_SHA1", "truncationOffset": -1,
                "addChecksum": false, "postponeDeviceProfileStorage": false, "scanQRCodeMessage": {}}),
            &["successOutcome", "failureOutcome"],
        ),
        (
            "OathTokenVerifierNode",
            json!({"algorithm": "TOTP", "hotpWindowSize": 100, "totpTimeInterval": 30, "totpTimeSteps": 2,
                "totpHashAlgorithm": "HMAC_SHA1", "maximumAllowedClockDrift": 5, "isRecoveryCodeAllowed": false}),
            &["successOutcome", "failureOutcome", "notRegisteredOutcome"],
        ),
        ("RecoveryCodeDisplayNode", nothing.clone(), one),
        ("WebAuthnRegistrationNode", webauthn.clone(), &["unsupported", "success", "failure", "error"]),
        (
            "WebAuthnAuthenticationNode",
            with(&webauthn, "isRecoveryCodeAllowed", json!(false)),
            &["unsupported", "noDevice", "success", "failure", "error"],
        ),
        (
            "PushAuthenticationSenderNode",
            json!({"messageTimeout": 120_000, "mandatory": false, "pushType": "DEFAULT"}),
            &["SENT", "NOT_REGISTERED", "SKIPPED"],
        ),
        ("PushResultVerifierNode", nothing.clone(), &["TRUE", "FALSE", "EXPIRED", "WAITING"]),
        (
            "AttributeCollectorNode",
            json!({"attributesToCollect": [], "identityAttribute": "userName", "required": false,
                "validateInputs": false}),
            one,
        ),
        ("AttributePresentDecisionNode", nothing.clone(), decision),
        ("AttributeValueDecisionNode", nothing.clone(), decision),
        ("QueryFilterDecisionNode", nothing.clone(), decision),
        ("LoginCountDecisionNode", json!({"interval": "AT", "amount": 25, "identityAttribute": "userName"}), decision),
        ("ProfileCompletenessDecisionNode", nothing.clone(), decision),
        ("IdentifyExistingUserNode", nothing.clone(), decision),
        ("IncrementLoginCountNode", nothing.clone(), one),
        ("AcceptTermsAndConditionsNode", nothing.clone(), one),
        ("EmailSuspendNode", nothing.clone(), one),
        ("KbaCreateNode", nothing.clone(), one),
        ("CreateObjectNode", nothing.clone(), &["CREATED", "FAILURE"]),
        ("PatchObjectNode", nothing.clone(), &["PATCHED", "FAILURE"]),
        ("EmailTemplateNode", nothing.clone(), &["EMAIL_SENT", "EMAIL_NOT_SENT"]),
        ("SelectIdPNode", nothing.clone(), &["socialAuthentication", "localAuthentication"]),
        ("SocialProviderHandlerNode", nothing.clone(), &["ACCOUNT_EXISTS", "NO_ACCOUNT"]),
        ("SocialProviderHandlerNodeV2", nothing, &["ACCOUNT_EXISTS", "NO_ACCOUNT", "SOCIAL_AUTH_INTERRUPTED"]),
    ];
    let rig = rig().await;
    let known: Vec<&str> = catalogue::types().map(|known| known.id).collect();
    assert_eq!(known, rows.iter().map(|row| row.0).collect::<Vec<_>>());
    for (of_type, defaults, outcomes) in rows {
        let path = format!("{NODES}/{of_type}");
        let template = act(&rig, &path, "template").await;
        assert_eq!((template.status, &template.json), (200, &defaults), "{of_type}");
        let listed = act(&rig, &path, "listOutcomes").await.json;
        let ids: Vec<&str> =
            listed.as_array().expect("a list").iter().map(|o| o["id"].as_str().expect("an id")).collect();
        assert_eq!(ids, outcomes, "{of_type}");
        let created = rig.send("PUT", &format!("{path}/{ID}"), json!({})).await;
        assert_eq!(created.status, 201, "{of_type}: {}", created.text);
        let shown = without(created.json.clone(), &["_id", "_rev", "_type", "_outcomes"]);
        assert_eq!(shown, defaults, "{of_type}");
        assert_eq!(created.json["_outcomes"], listed, "{of_type}");
        assert_eq!(rig.send("PUT", &format!("{path}/{ID}"), created.json).await.status, 200, "{of_type}");
    }
}

/// Outcomes that follow from the configuration.
#[actix_web::test]
async fn outcomes_follow_the_configuration() {
    let rig = rig().await;
    rig.send("PUT", &format!("{NODES}/DataStoreDecisionNode/{ID}"), json!({})).await;
    let child = |of_type: &str, id: &str| json!({"_id": id, "nodeType": of_type, "displayName": "x"});
    let zero = child("UsernameCollectorNode", "cfcd2084-95d5-35ef-a6e7-dff9f98764da");
    for (of_type, config, outcomes) in [
        ("InnerTreeEvaluatorNode", json!({"displayErrorOutcome": true}), json!(["true", "false", "error"])),
        ("ScriptedDecisionNode", json!({"outcomes": ["yes", "no", "yes"]}), json!(["yes", "no"])),
        ("ChoiceCollectorNode", json!({"choices": ["red", "blue"]}), json!(["red", "blue"])),
        ("PollingWaitNode", json!({"exitable": true, "spamDetectionEnabled": true}), json!(["DONE", "EXITED", "SPAM"])),
        (
            "OathTokenVerifierNode",
            json!({"isRecoveryCodeAllowed": true}),
            json!(["successOutcome", "failureOutcome", "notRegisteredOutcome", "recoveryCodeOutcome"]),
        ),
        ("PushAuthenticationSenderNode", json!({"mandatory": true}), json!(["SENT", "NOT_REGISTERED"])),
        ("PageNode", json!({"nodes": [child("DataStoreDecisionNode", ID), zero]}), json!(["outcome"])),
        ("PageNode", json!({"nodes": [zero, child("DataStoreDecisionNode", ID)]}), json!(["true", "false"])),
    ] {
        let reply = rig.send("POST", &format!("{NODES}/{of_type}?_action=listOutcomes"), config).await;
        let listed = reply.json.as_array().unwrap_or_else(|| panic!("{of_type}: {}", reply.text));
        let ids: Value = listed.iter().map(|outcome| outcome["id"].clone()).collect();
        assert_eq!(ids, outcomes, "{of_type}");
    }
}

#[actix_web::test]
async fn what_a_node_does_not_have_is_refused() {
    let rig = rig().await;
    let invalid = |label: &str| format!("Data validation failed for the attribute, {label}");
    let child = |of_type: &str| json!([{"_id": "x", "nodeType": of_type, "displayName": "x"}]);
    for (of_type, config, message) in [
        ("ZeroPageLoginNode", json!({"allowWithoutReferer": "maybe"}), invalid("Allow Without Referer")),
        ("RetryLimitDecisionNode", json!({"retryLimit": 0}), invalid("Retry limit")),
        ("AccountLockoutNode", json!({"lockAction": "EXPLODE"}), invalid("Lock Action")),
        ("OneTimePasswordGeneratorNode", json!({"length": 5}), invalid("One Time Password Length")),
        ("OneTimePasswordGeneratorNode", json!({"length": 9}), invalid("One Time Password Length")),
        ("FlowControlNode", json!({"percentageA": 101}), invalid("Outcome A Percentage")),
        ("SetSessionPropertiesNode", json!({"properties": {"userid": "x"}}), invalid("Properties")),
        ("SetSessionPropertiesNode", json!({"properties": {"a": 1}}), invalid("Properties")),
        ("ScriptedDecisionNode", json!({"outcomes": [""]}), invalid("Outcomes")),
        ("PageNode", json!({"nodes": {}}), invalid("Nodes")),
        ("PageNode", json!({"nodes": [1]}), invalid("Nodes")),
        ("PageNode", json!({"nodes": child("PageNode")}), invalid("Nodes")),
        ("PageNode", json!({"nodes": child("InnerTreeEvaluatorNode")}), invalid("Nodes")),
        ("PageNode", json!({"nodes": child("../x")}), invalid("Nodes")),
        ("PersistentCookieDecisionNode", json!({"hmacSigningKey": 7}), invalid("HMAC Signing Key")),
        ("PersistentCookieDecisionNode", json!({"hmacSigningKey": ""}), invalid("HMAC Signing Key")),
        ("UsernameCollectorNode", json!({"isAdmin": true}), "Invalid attribute specified.".into()),
    ] {
        let reply = rig.send("PUT", &format!("{NODES}/{of_type}/{ID}"), config.clone()).await;
        assert_eq!(reply.error(), (400, message.as_str()), "{of_type} {config}");
        assert_eq!(stored(&rig, Kind::Node, &format!("{of_type}/{ID}")), None);
    }
    for id in ["%20x", "a%0Ab", "a%2Fb"] {
        let reply = rig.send("PUT", &format!("{NODES}/UsernameCollectorNode/{id}"), json!({})).await;
        assert_eq!(reply.status, 400, "{id}: {}", reply.text);
    }
    let twice = rig.admin("PUT", &format!("{NODES}/AccountLockoutNode/{ID}"));
    let twice = twice.raw("application/json", "{\"lockAction\":\"LOCK\",\"lockAction\":\"UNLOCK\"}").await;
    assert_eq!(twice.status, 400);
}

/// a.14, last paragraph: passwords read back as `null`, and `null` keeps them.
#[actix_web::test]
async fn secrets_are_sealed_and_kept() {
    let rig = rig().await;
    let path = format!("{NODES}/PersistentCookieDecisionNode/{ID}");
    let id = format!("PersistentCookieDecisionNode/{ID}");
    let key = DocumentKey::new(&RealmPath::from("/alpha"), Kind::Node, &id);
    let revealed = |rig: &crate::rest::testing::Rig| {
        let document = stored(rig, Kind::Node, &id).expect("stored");
        assert!(!document.to_string().contains("a-key"), "{document}");
        let document = document.as_object().cloned().expect("an object");
        let secret = secrets::reveal(&rig.desk, &key, &document, "hmacSigningKey").expect("opens");
        secret.map(|secret| secret.to_string())
    };
    let created = rig.send("PUT", &path, json!({"hmacSigningKey": "a-key-of-cookies"})).await;
    assert_eq!((created.status, &created.json["hmacSigningKey"]), (201, &Value::Null));
    assert!(!created.text.contains("encrypted"), "{}", created.text);
    assert_eq!(revealed(&rig).as_deref(), Some("a-key-of-cookies"));
    for body in [json!({"hmacSigningKey": null, "enforceClientIp": true}), json!({})] {
        assert_eq!(rig.send("PUT", &path, body).await.status, 200);
        assert_eq!(revealed(&rig).as_deref(), Some("a-key-of-cookies"));
    }
    let forged = json!({"hmacSigningKey-encrypted": "AAAA"});
    assert_eq!(rig.send("PUT", &path, forged).await.status, 200);
    assert_eq!(revealed(&rig).as_deref(), Some("a-key-of-cookies"), "nobody writes what is sealed");
    assert_eq!(rig.send("PUT", &path, json!({"hmacSigningKey": "a-key-that-is-new"})).await.status, 200);
    assert_eq!(revealed(&rig).as_deref(), Some("a-key-that-is-new"));
    for listing in [
        act(&rig, NODES, "nextdescendents").await.text,
        rig.get(&format!("{NODES}?_queryFilter=true")).await.text,
        rig.get(&format!("{NODES}/PersistentCookieDecisionNode?_queryFilter=true")).await.text,
    ] {
        assert!(!listing.contains("encrypted") && !listing.contains("a-key"), "{listing}");
    }
}

/// a.14 and a.15: a type that nobody knows is 404, and yet survives an import.
#[actix_web::test]
async fn unknown_types_are_kept_as_they_come() {
    let rig = rig().await;
    let of_type = format!("{NODES}/com.example.WeatherNode");
    let path = format!("{of_type}/{ID}");
    let nowhere = format!("Resource 'com.example.WeatherNode/{ID}' not found");
    assert_eq!(rig.get(&path).await.error(), (404, nowhere.as_str()));
    assert_eq!(rig.admin("DELETE", &path).go().await.error(), (404, nowhere.as_str()));
    for action in ["schema", "template", "getType", "listOutcomes"] {
        let reply = act(&rig, &of_type, action).await;
        assert_eq!(reply.error(), (404, "Resource 'com.example.WeatherNode' not found"), "{action}");
    }
    let unqueried = rig.get(&format!("{of_type}?_queryFilter=true")).await;
    assert_eq!(unqueried.error(), (404, "Resource 'com.example.WeatherNode' not found"));
    let config = json!({"city": "Graz", "limits": {"rain": [1, 2.5, null], "apiKey": "k-deep"}, "clientSecret": "k-top",
        "servers": [{"password": "k-list"}], "password": null, "nothing": null});
    let created = rig.send("PUT", &path, config).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(
        without(created.json.clone(), &["_rev"]),
        json!({"_id": ID, "city": "Graz", "limits": {"rain": [1, 2.5, null], "apiKey": null}, "clientSecret": null,
            "servers": [{"password": null}], "nothing": null, "_outcomes": [],
            "_type": {"_id": "com.example.WeatherNode", "name": "com.example.WeatherNode", "collection": true}})
    );
    let document = || stored(&rig, Kind::Node, &format!("com.example.WeatherNode/{ID}")).expect("stored");
    assert!(!document().to_string().contains("k-"), "{}", document());
    let sealed =
        |document: &Value| (document["clientSecret-encrypted"].clone(), document["limits"]["apiKey-encrypted"].clone());
    let before = sealed(&document());
    assert!(before.0.is_string() && before.1.is_string());
    let kept = rig.send("PUT", &path, created.json).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    assert_eq!(sealed(&document()), before, "null keeps what is sealed");
    assert_eq!(rig.get(&format!("{of_type}?_queryFilter=true")).await.json["resultCount"], 1);
    assert_eq!(rig.admin("DELETE", &path).go().await.status, 200);

    // Bounded in every direction.
    let wide: Value = (0..201).map(|n| (n.to_string(), json!(n))).collect();
    for body in [wide, json!({"text": "x".repeat(65 << 10)})] {
        assert_eq!(rig.send("PUT", &path, body).await.status, 400);
    }
    for name in ["..", ".", "a%20b", "%3Cscript%3E"] {
        let reply = rig.send("PUT", &format!("{NODES}/{name}/{ID}"), json!({})).await;
        assert!(reply.status == 404 || reply.status == 400, "{name}: {}", reply.status);
    }
    let deep = rig.get(&format!("{NODES}/PageNode/{ID}/more")).await;
    assert_eq!(deep.error(), (404, format!("Resource 'PageNode/{ID}/more' not found").as_str()));
    assert_eq!(FAMILY.kind, Kind::Node);
}

/// AD-04.
#[actix_web::test]
async fn two_editors_of_a_node_do_not_both_win() {
    let rig = rig().await;
    let path = format!("{NODES}/AccountLockoutNode/{ID}");
    let tag = rig.send("PUT", &path, json!({})).await.header("ETag").expect("a tag").to_owned();
    let edit = || rig.admin("PUT", &path).header("If-Match", &tag);
    assert_eq!(edit().json(&json!({"lockAction": "UNLOCK"})).await.status, 200);
    assert_eq!(edit().json(&json!({"lockAction": "LOCK"})).await.status, 412);
    assert_eq!(rig.get(&path).await.json["lockAction"], "UNLOCK");
    assert_eq!(rig.admin("DELETE", &path).header("If-Match", &tag).go().await.status, 412);
    let only = rig.admin("PUT", &path).header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(only.error(), (412, "Unable to save config: Service already exists"));
}
