//! Rows, traps and promises of authorization.md and of the abuse cases that no other test names.

use super::{ALPHA, Service, policy, set, with};
use crate::rest::authorization::routes;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// §2.2.1, decided in the log: of those who want a name at once one gets it, whatever its letter case, and so it is with
/// names that are given up.
#[actix_web::test]
async fn a_name_of_a_resource_type_is_given_once() {
    let service = Service::new().await;
    let named = |name: &str| json!({"name": name, "patterns": ["api://x/*"], "actions": {"GRANT": true}});
    let create = async |name: &'static str| service.send("POST", "resourcetypes?_action=create", &named(name)).await;
    let replies = join_all(["One", "one", "ONE", "oNe"].map(|name| create(name))).await;
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 3, "{statuses:?}");
    let winner = replies.iter().find(|reply| reply.status == 201).expect("one");
    let path = format!("resourcetypes/{}", winner.json["uuid"].as_str().expect("a uuid"));
    for loser in replies.iter().filter(|reply| reply.status == 409) {
        let message = loser.error().1.to_lowercase();
        assert_eq!(message, "resource type one already exists");
    }
    // Another letter case of the own name is no other name.
    assert_eq!(service.send("PUT", &path, &named("oNE")).await.status, 200);
    assert_eq!(create("One").await.status, 409);
    // A name that is given up is free, the new one is not.
    assert_eq!(service.send("PUT", &path, &named("Two")).await.status, 200);
    assert_eq!(create("two").await.status, 409);
    let again = create("One").await;
    assert_eq!(again.status, 201, "{}", again.text);
    let other = format!("resourcetypes/{}", again.json["uuid"].as_str().expect("a uuid"));
    let taken = service.send("PUT", &other, &named("TWO")).await;
    assert_eq!(taken.error(), (409, "Resource Type TWO already exists"));
    // Two that want the same new name.
    let third = create("Three").await;
    let third = format!("resourcetypes/{}", third.json["uuid"].as_str().expect("a uuid"));
    let wanted = named("Wanted");
    let replies = join_all([&other, &third].map(|path| service.send("PUT", path, &wanted))).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    // Deleted: free again, and the name is not listed as a type of its own.
    assert_eq!(service.send("DELETE", &path, &Value::Null).await.status, 200);
    assert_eq!(create("Two").await.status, 201);
    assert_eq!(service.listed("resourcetypes?_queryFilter=true").await.len(), 3 + 3);
    // The built-in names are held from the first moment.
    assert_eq!(create("url").await.error(), (409, "Resource Type url already exists"));
}

/// §2.3.6: a type that version 1.0 makes for a set has a name that is held, too.
#[actix_web::test]
async fn a_generated_resource_type_holds_its_name() {
    let service = Service::new().await;
    let body = json!({"name": "old", "realm": "/alpha", "applicationType": "iPlanetAMWebAgentService",
        "actions": {"READ": true}, "resources": ["api://old/*"]});
    let reply = service.versioned("protocol=1.0,resource=1.0", "POST", "applications?_action=create", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let made = service.listed("resourcetypes?_queryFilter=name+sw+%22oldResourceType%22").await;
    let same = json!({"name": made[0].to_uppercase(), "patterns": ["x"], "actions": {"GRANT": true}});
    assert_eq!(service.send("POST", "resourcetypes?_action=create", &same).await.status, 409);
}

/// §2.4.8: a create or update without a body. Other resources say it in the framework's words (crest.md §4.1).
#[actix_web::test]
async fn an_empty_body_has_the_words_of_policies() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let own = "JSON string is invalid. No JSON body provided..";
    let framework = "The request could not be processed because it did not contain any JSON content";
    for (method, path, message) in [
        ("POST", "policies?_action=create", own),
        ("POST", "policies", own),
        ("PUT", "policies/r", own),
        ("PUT", "policies/new", own),
        ("POST", "applications?_action=create", framework),
        ("POST", "resourcetypes?_action=create", framework),
    ] {
        for blank in ["", " \n"] {
            let ask = service.rig.admin(method, &format!("{ALPHA}/{path}")).at(routes(crate::rest::routes()));
            let reply = ask.raw("application/json", blank).await;
            assert_eq!(reply.error(), (400, message), "{method} {path}");
        }
    }
    // An action without a body has an empty one.
    let ask = service.rig.admin("POST", &format!("{ALPHA}/policies?_action=evaluate"));
    let reply = ask.at(routes(crate::rest::routes())).raw("application/json", "").await;
    assert_eq!(reply.error(), (400, "Invalid value resources"));
    assert_eq!(service.get("policies/r").await.json["actionValues"], json!({"GRANT": true}), "nothing was changed");
}

/// crest.md §5.4 and §7.6: a collection is queried, not read; a query that has no filter, only a `_queryId`, lists all
/// (authorization.md §2.1.6), but of policies ids have a meaning (§2.4.6).
#[actix_web::test]
async fn a_collection_is_not_read() {
    let service = Service::with_w().await;
    for path in ["policies", "applications", "resourcetypes", "conditiontypes", "subjecttypes", "decisioncombiners"] {
        let text = format!("The resource collection {path} cannot be read");
        assert_eq!(service.get(path).await.error(), (400, text.as_str()));
        assert_eq!(service.get(&format!("{path}?_fields=name")).await.error(), (400, text.as_str()));
    }
    assert_eq!(service.get("policies?_queryId=all").await.error(), (400, "Invalid query Id all."));
    assert_eq!(service.get("policies?_queryFilter=true").await.json["resultCount"], 0);
}

/// AD-04: who insists on a revision is told that it has passed, and nothing is lost; who does not, wins.
#[actix_web::test]
async fn an_update_is_not_lost_to_who_insists() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let of_type = json!({"name": "W", "patterns": ["api://w/*"], "actions": {"GRANT": true, "AUDIT": true}});
    for (path, body) in
        [("policies/r", policy("r")), ("applications/w", set("w", &["W"])), ("resourcetypes/W", of_type)]
    {
        let put = |tag: Option<String>, description: &str| {
            let ask = service.rig.admin("PUT", &format!("{ALPHA}/{path}")).at(routes(crate::rest::routes()));
            let body = with(body.clone(), "description", json!(description));
            async move {
                match tag {
                    Some(tag) => ask.header("If-Match", &tag).json(&body).await,
                    None => ask.json(&body).await,
                }
            }
        };
        let read = service.get(path).await.header("ETag").expect("a tag").to_owned();
        // Two administrators read the same; both write.
        let (one, other) = futures_util::join!(put(Some(read.clone()), "one"), put(Some(read.clone()), "other"));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{path}");
        let kept = service.get(path).await;
        let winner = if one.status == 200 { "one" } else { "other" };
        assert_eq!(kept.json["description"], winner);
        let deleted = service.rig.admin("DELETE", &format!("{ALPHA}/{path}")).at(routes(crate::rest::routes()));
        assert_eq!(deleted.header("If-Match", &read).go().await.status, 412);
        assert_eq!(put(Some("*".to_owned()), "any").await.status, 200);
        assert_eq!(put(None, "none").await.status, 200);
        assert_eq!(service.get(path).await.json["description"], "none");
    }
    // Of those who create the same at once one does.
    let body = policy("new");
    let create = || {
        let ask = service.rig.admin("PUT", &format!("{ALPHA}/policies/new")).at(routes(crate::rest::routes()));
        ask.header("If-None-Match", "*").json(&body)
    };
    let replies = join_all([create(), create(), create()]).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412, 412]);
}

/// §9, by number: the traps that are REST's and that no other test names.
#[actix_web::test]
async fn traps_of_rest() {
    let service = Service::with_w().await;
    assert_eq!(service.send("POST", "applications?_action=create", &set("v", &["W"])).await.status, 201);
    service.policy(&policy("r")).await;
    // 5: a name is taken in all sets of the realm.
    let elsewhere = with(policy("r"), "applicationName", json!("v"));
    let taken = service.send("POST", "policies?_action=create", &elsewhere).await;
    assert_eq!(taken.error(), (409, "Policy already exists"));
    // 7: policies leave nulls out; policy sets and resource types print them.
    assert!(!service.get("policies/r").await.text.contains("null"));
    assert!(service.get("applications/v").await.text.contains("\"description\":null"));
    assert!(service.get("resourcetypes/W").await.text.contains("\"description\":null"));
    // 13: `.` is any character in names of sets and types, and itself in names of policies.
    for name in ["a.b", "axb"] {
        assert_eq!(service.send("POST", "applications?_action=create", &set(name, &["W"])).await.status, 201);
        service.policy(&with(policy(name), "resources", json!(["api://w/x"]))).await;
    }
    assert_eq!(service.listed("applications?_queryFilter=name+eq+%22a.b%22").await, ["a.b", "axb"]);
    assert_eq!(service.listed("policies?_queryFilter=name+eq+%22a.b%22").await, ["a.b"]);
    // 18: keys of the environment have letter case; scopes are under the singular.
    let scoped = with(policy("scoped"), "condition", json!({"type": "OAuth2Scope", "requiredScopes": ["a"]}));
    service.policy(&scoped).await;
    for (key, granted) in [("scope", true), ("scopes", false), ("Scope", false)] {
        let mut environment = json!({});
        environment[key] = json!(["a"]);
        let body = json!({"resources": ["api://w/scoped"], "application": "w", "environment": environment,
            "subject": {"claims": {"sub": "x", "subject": "c1"}}});
        let reply = service.send("POST", "policies?_action=evaluate", &body).await;
        assert_eq!(reply.json[0]["actions"].get("GRANT").is_some(), granted, "{key}");
    }
    // 21: what a set lists as conditions and subjects is advice to editors.
    let narrow = with(with(set("v", &["W"]), "conditions", json!(["SimpleTime"])), "subjects", json!(["NONE"]));
    assert_eq!(service.send("PUT", "applications/v", &narrow).await.status, 200);
    service.policy(&with(with(scoped, "name", json!("unlisted")), "applicationName", json!("v"))).await;
    // 30: a set keeps its name.
    let renamed = service.send("PUT", "applications/v", &set("u", &["W"])).await;
    let message = "Application name specified in URL does not match application name specified in JSON.";
    assert_eq!(renamed.error(), (400, message));
}

/// §2.10.3, row by row, as an administrator is told.
#[actix_web::test]
async fn condition_messages_as_in_2_10_3() {
    let service = Service::with_w().await;
    let ip = |start: &str, end: &str| json!({"type": "IPv4", "startIp": start, "endIp": end});
    for (condition, message) in [
        (json!({"type": "AND", "conditions": []}), "Property value 'conditions' should be defined."),
        (json!({"type": "NOT"}), "Property value 'condition' should be defined."),
        (json!({"type": "AuthLevel"}), "Property value 'AuthLevel' should be defined."),
        (json!({"type": "AuthLevel", "authLevel": -1}), "Invalid value -1 for property AuthLevel"),
        (
            json!({"type": "SimpleTime", "enforcementTimeZone": "UTC"}),
            "At least one of the properties Start Date, Start Time, Start Day should be defined with non null value.",
        ),
        (ip("2.0.0.0", "1.0.0.0"), "Start IP can not be larger than end IP."),
        (json!({"type": "IPv4"}), "ipRange, dnsName, or startIp-endIp pair MUST be defined."),
        (
            json!({"type": "OAuth2Scope", "requiredScopes": ["a b"]}),
            "Invalid OAuth2 Scope 'a b': See RFC 6749 section 3.3 for allowed values.",
        ),
        (json!({"type": "SessionProperty", "properties": {}}), "Property value 'properties' should be defined."),
    ] {
        let sent = with(policy("p"), "condition", condition);
        let reply = service.send("POST", "policies?_action=create", &sent).await;
        assert_eq!(reply.error(), (400, message), "{sent}");
    }
    for (subject, message) in [
        (json!({"type": "AND", "subjects": []}), "Invalid Entitlement Subject classes in Application Privilege."),
        (json!({"type": "NOT"}), "Invalid Entitlement Subject classes in Application Privilege."),
    ] {
        let sent = with(policy("p"), "subject", subject);
        let reply = service.send("POST", "policies?_action=create", &sent).await;
        assert_eq!(reply.error(), (400, message), "{sent}");
    }
    assert_eq!(service.get("policies/p").await.status, 404, "nothing was stored");
}
