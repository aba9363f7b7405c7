//! The tables of authn-sessions-realms.md b.2 to b.8, in the reference's order.

use super::*;
use crate::{
    actors::sessions::Whose,
    desk,
    rest::{
        Routes, Scope, routes,
        testing::{Ask, Reply, Rig},
    },
    sessions::New,
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath};
use serde_json::json;
use std::sync::atomic::Ordering;

fn table() -> Routes {
    routes().resource(Scope::Realm, "sessions", Sessions)
}

/// A cluster of one with realm `/alpha`, users `demo` and `other` in it, and the properties that its sessions show.
async fn world() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    for name in ["demo", "other"] {
        store(&rig, Kind::User, name, json!({"username": name, "inetUserStatus": ["Active"]})).await;
    }
    let shown = json!({
        "sessionPropertyWhitelist": ["AMCtxId", "colour", "shape"],
        "whitelistedQueryProperties": ["colour"],
    });
    store(&rig, Kind::Service, "amSessionPropertyWhitelist", shown).await;
    rig
}

async fn store(rig: &Rig, kind: Kind, id: &str, body: Value) {
    let key = DocumentKey::new(&RealmPath::from("/alpha"), kind, id);
    rig.desk.write(vec![desk::put(key, Precondition::Any, &body, vec![], false)]).await.expect("stored");
}

async fn login(rig: &Rig, name: &str) -> String {
    let realm = RealmPath::from("/alpha");
    let subject = DocumentKey::new(&realm, Kind::User, name);
    let new = New {
        entry: rig.desk.views().entry(&subject).expect("a user"),
        realm,
        subject,
        service: "ldapService".into(),
        auth_level: 0,
        properties: BTreeMap::new(),
        from: None,
        max_life: None,
        max_idle: None,
        upgraded: None,
    };
    sessions::start(&rig.desk, new).await.expect("starts").reveal()
}

/// An action in `/alpha`, under a version.
fn act<'r>(rig: &'r Rig, version: &str, action: &str) -> Ask<'r> {
    let path = format!("/realms/root/realms/alpha/sessions{action}");
    rig.bare("POST", &path).header("Accept-API-Version", &format!("resource={version}")).at(table())
}

/// The same with a token in the body.
async fn on(rig: &Rig, version: &str, action: &str, token: &str) -> Reply {
    act(rig, version, &format!("?_action={action}")).json(&json!({"tokenId": token})).await
}

fn find<'r>(rig: &'r Rig, token: &str, filter: &str) -> Ask<'r> {
    let path = format!("/realms/root/realms/alpha/sessions?_queryFilter={}", crate::crest::percent::encode(filter));
    rig.ask("GET", &path).session(token).at(table())
}

async fn later(rig: &Rig, seconds: u64) {
    rig.alone.later.fetch_add(seconds * 1000, Ordering::Relaxed);
    rig.desk.propose(Command::Tick).await.expect("ticks");
}

/// b.2.
#[actix_web::test]
async fn the_collection_has_versions_actions_and_queries_and_nothing_else() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    for (asked, answered) in [("1.1", "1.2"), ("2.0", "2.1"), ("3.0", "3.1"), ("4.0", "4.0"), ("5.0", "5.1")] {
        let reply = on(&rig, asked, "validate", &token).await;
        assert_eq!((reply.status, reply.header("Content-API-Version")), (200, Some(&*format!("resource={answered}"))));
    }
    for action in ["logoutAll", "nosuch"] {
        let says = format!("Action {action} not implemented for this resource");
        for version in ["1.2", "4.0"] {
            assert_eq!(on(&rig, version, action, &token).await.error(), (501, says.as_str()));
        }
    }
    for (action, version) in [("getSessionInfoAndResetIdleTime", "2.1"), ("logoutByUser", "4.0"), ("isActive", "4.0")] {
        let says = format!("Action {action} not implemented for this resource");
        assert_eq!(on(&rig, version, action, &token).await.error(), (501, says.as_str()), "{version}");
    }
    for (method, tail) in [("POST", "?_action=create"), ("PUT", "/x"), ("PATCH", "/x"), ("DELETE", "/x"), ("GET", "/x")]
    {
        let path = format!("/realms/root/realms/alpha/sessions{tail}");
        let reply = rig.admin(method, &path).at(table()).json(&json!({})).await;
        assert_eq!(reply.error(), (501, "Operation is not supported."), "{method} {tail}");
    }
}

/// b.3, line by line; the four ways of b.1 to present a token.
#[actix_web::test]
async fn validate_tells_anyone_who_has_a_token_that_it_lives() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    let reply = on(&rig, "4.0", "validate", &token).await;
    let uid = reply.json["sessionUid"].as_str().expect("an id").to_owned();
    let valid = json!({"valid": true, "sessionUid": uid, "uid": "demo", "realm": "/alpha"});
    assert_eq!((reply.status, &reply.json, reply.header("Cache-Control")), (200, &valid, Some("private")));
    let old = json!({"valid": true, "uid": "demo", "realm": "/alpha"});
    for version in ["1.2", "2.1"] {
        let path =
            if version == "1.2" { format!("?_action=validate&tokenId={token}") } else { "?_action=validate".into() };
        assert_eq!(act(&rig, version, &path).json(&json!({"tokenId": token})).await.json, old, "{version}");
    }
    let cookie = |value: &str| format!("iPlanetDirectoryPro={value}");
    let escaped = token.replace('-', "%2D").replace('_', "%5F");
    let raw = token.replace('-', "+").replace('_', "/");
    for value in [&token, &format!("\"{token}\""), &escaped, &raw] {
        let reply = act(&rig, "4.0", "?_action=validate").header("Cookie", &cookie(value)).go().await;
        assert_eq!(reply.json, valid, "{value}");
        let reply = act(&rig, "4.0", "?_action=validate").session(value).go().await;
        assert_eq!(reply.json, valid, "{value}");
        assert_eq!(on(&rig, "4.0", "validate", value).await.json, valid, "{value}");
    }
    for nobody in ["", "nosuch", "%00", &"x".repeat(9000), &uid] {
        let reply = on(&rig, "4.0", "validate", nobody).await;
        assert_eq!((reply.status, &reply.json), (200, &json!({"valid": false})), "{nobody}");
    }
    assert_eq!(act(&rig, "4.0", "?_action=validate").go().await.json, json!({"valid": false}));
    let wrong = act(&rig, "4.0", "?_action=validate").json(&json!({"tokenId": 7})).await;
    assert_eq!(wrong.error(), (400, "tokenId must be a string"));
}

#[actix_web::test]
async fn get_session_info_has_the_recorded_layout() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    let info = on(&rig, "4.0", "getSessionInfo", &token).await;
    assert_eq!(info.status, 200, "{}", info.text);
    let keys: Vec<&String> = info.json.as_object().expect("an object").keys().collect();
    let mut expected = vec![
        "username",
        "universalId",
        "realm",
        "latestAccessTime",
        "maxIdleExpirationTime",
        "maxSessionExpirationTime",
        "properties",
    ];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(info.json["universalId"], "id=demo,ou=user,o=alpha,ou=services,ou=am-config");
    let seconds = |member: &str| {
        let text = info.json[member].as_str().expect("a time");
        assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
        text.parse::<jiff::Timestamp>().expect("a time").as_second()
    };
    assert_eq!(seconds("maxIdleExpirationTime") - seconds("latestAccessTime"), 1800);
    assert_eq!(seconds("maxSessionExpirationTime") - seconds("latestAccessTime"), 7200);
    let properties = info.json["properties"].as_object().expect("an object");
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["AMCtxId"], "what is not set is left out");

    // Dead target: version 2 says so, later ones to whoever has a session, else 401.
    let dead = json!({"valid": false});
    assert_eq!(on(&rig, "2.1", "getSessionInfo", "nosuch").await.json, dead);
    assert_eq!(on(&rig, "4.0", "getSessionInfo", "nosuch").await.error(), (401, "Access Denied"));
    assert_eq!(act(&rig, "4.0", "?_action=getSessionInfo").go().await.error(), (401, "Access Denied"));
    let both = act(&rig, "4.0", "?_action=getSessionInfo").session(&token).json(&json!({"tokenId": "nosuch"})).await;
    assert_eq!((both.status, both.json), (200, dead));
}

/// `refresh`, and who may; the granularity of b.6.
#[actix_web::test]
async fn uses_are_noted_at_most_once_a_minute_and_refresh_is_for_owners() {
    let rig = world().await;
    let (token, other) = (login(&rig, "demo").await, login(&rig, "other").await);
    let expected = json!({
        "uid": "demo", "realm": "/alpha", "idletime": 0, "maxidletime": 30, "maxsessiontime": 120,
    });
    let refreshed = on(&rig, "4.0", "refresh", &token).await;
    for (member, value) in expected.as_object().expect("an object") {
        assert_eq!(&refreshed.json[member], value, "{member}");
    }
    assert!((7190..=7200).contains(&refreshed.json["maxtime"].as_u64().expect("seconds")), "{}", refreshed.text);
    let used = |token: &str| caller::session(&rig.desk, token).expect("live").session.used;
    let first = used(&token);
    later(&rig, 59).await;
    assert_eq!(on(&rig, "4.0", "refresh", &token).await.status, 200);
    assert_eq!(used(&token), first, "not yet");
    later(&rig, 2).await;
    assert_eq!(on(&rig, "4.0", "getSessionInfo", &token).await.status, 200);
    assert_eq!(used(&token), first, "information is no use");
    assert_eq!(on(&rig, "4.0", "getSessionInfoAndResetIdleTime", &token).await.status, 200);
    assert!(used(&token) > first);
    // SE-09: uses do not lengthen the longest life.
    for _ in 0..5 {
        later(&rig, 1500).await;
        on(&rig, "4.0", "refresh", &token).await;
    }
    assert_eq!(on(&rig, "4.0", "refresh", &token).await.json, json!({"valid": false}));
    assert_eq!(on(&rig, "4.0", "refresh", &other).await.json, json!({"valid": false}), "idle for too long");

    let (token, other) = (login(&rig, "demo").await, login(&rig, "other").await);
    let body = json!({"tokenId": token});
    let by = |asking: &str| act(&rig, "4.0", "?_action=refresh").session(asking).json(&body);
    assert_eq!(by(&token).await.status, 200);
    assert_eq!(by(&other).await.error(), (403, "The user has insufficient privileges"));
    let admin = rig.session(&RealmPath::root(), Kind::User, "amadmin").await;
    assert_eq!(by(&admin).await.status, 200);
    assert_eq!(act(&rig, "4.0", "?_action=refresh").go().await.error(), (401, "Access Denied"));
}

/// SE-11, b.1: final, and the browser is told.
#[actix_web::test]
async fn logout_is_final_and_takes_the_cookie_back() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    let done = act(&rig, "4.0", "?_action=logout").session(&token).go().await;
    assert_eq!((done.status, &done.json), (200, &json!({"result": "Successfully logged out"})));
    let cookie = done.header("Set-Cookie").expect("a cookie");
    assert!(cookie.starts_with("iPlanetDirectoryPro=;") && cookie.contains("Expires=Thu, 01 Jan 1970"), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("Path=/"), "{cookie}");
    assert!(done.header("Clear-Site-Data").is_some_and(|value| value.contains("\"cookies\"")));
    assert_eq!(on(&rig, "4.0", "validate", &token).await.json, json!({"valid": false}));
    let again = on(&rig, "4.0", "logout", &token).await;
    assert_eq!((again.status, &again.json), (200, &json!({"result": "Token has expired"})));
    assert_eq!(again.header("Set-Cookie"), None);
    assert_eq!(act(&rig, "4.0", "?_action=logout").go().await.error(), (401, "Access Denied"));

    // Somebody else's: the own cookie stays, and a realm may leave the site's data alone.
    store(&rig, Kind::Service, "authentication", json!({"security": {"addClearSiteDataHeader": false}})).await;
    let (token, other) = (login(&rig, "demo").await, login(&rig, "other").await);
    let ended = act(&rig, "4.0", "?_action=logout").session(&other).json(&json!({"tokenId": token})).await;
    assert_eq!((ended.status, ended.header("Set-Cookie")), (200, None));
    assert_eq!(on(&rig, "4.0", "validate", &token).await.json, json!({"valid": false}));
    let ended = act(&rig, "4.0", "?_action=logout").session(&other).go().await;
    assert!(ended.header("Set-Cookie").is_some() && ended.header("Clear-Site-Data").is_none());
}

/// SE-06: a handle ends a session and opens none.
#[actix_web::test]
async fn a_handle_ends_a_session_and_is_no_token() {
    let rig = world().await;
    let (token, other) = (login(&rig, "demo").await, login(&rig, "other").await);
    let found = find(&rig, &rig.admin, r#"username eq "demo" and realm eq "/alpha""#).go().await;
    let handle = found.json["result"][0]["sessionHandle"].as_str().expect("a handle").to_owned();
    assert!(handle.starts_with("shandle:"));
    for form in [handle.as_str(), handle.trim_start_matches("shandle:")] {
        assert_eq!(on(&rig, "4.0", "validate", form).await.json, json!({"valid": false}));
    }
    let body = json!({"sessionHandles": [handle, "shandle:nosuch", "x"]});
    let path = "?_action=logoutByHandle";
    assert_eq!(act(&rig, "4.0", path).json(&body).await.error(), (401, "Access Denied"));
    let user = act(&rig, "4.0", path).session(&other).json(&body).await;
    assert_eq!(user.error(), (403, "The user has insufficient privileges"));
    assert_eq!(on(&rig, "4.0", "validate", &token).await.json["valid"], true);
    let done = act(&rig, "4.0", path).session(&rig.admin).json(&body).await;
    assert_eq!(done.json, json!({"result": {(handle.as_str()): true, "shandle:nosuch": false, "x": false}}));
    assert_eq!(on(&rig, "4.0", "validate", &token).await.json, json!({"valid": false}));
    let again = act(&rig, "4.0", path).session(&rig.admin).json(&json!({"sessionHandles": [handle]})).await;
    assert_eq!(again.json, json!({"result": {(handle.as_str()): false}}));
    for wrong in [json!({}), json!({"sessionHandles": "x"}), json!({"sessionHandles": [1]})] {
        assert_eq!(act(&rig, "4.0", path).session(&rig.admin).json(&wrong).await.status, 400, "{wrong}");
    }
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let many = act(&rig, "4.0", path).session(&rig.admin).json(&json!({"sessionHandles": many})).await;
    assert_eq!(many.status, 400);
}

#[actix_web::test]
async fn logout_by_user_ends_all_sessions_of_that_user() {
    let rig = world().await;
    let tokens = [login(&rig, "demo").await, login(&rig, "demo").await];
    let other = login(&rig, "other").await;
    let by = async |asking: &str, name: &str| {
        act(&rig, "5.1", "?_action=logoutByUser").session(asking).json(&json!({"username": name})).await
    };
    assert_eq!(by(&other, "demo").await.error(), (403, "The user has insufficient privileges"));
    assert_eq!(by(&rig.admin, "Demo").await.json, json!({"result": true}));
    for token in &tokens {
        assert_eq!(on(&rig, "5.1", "validate", token).await.json, json!({"valid": false}));
    }
    assert_eq!(on(&rig, "5.1", "validate", &other).await.json["valid"], true);
    assert_eq!(by(&other, "other").await.json, json!({"result": true}), "oneself");
    assert_eq!(on(&rig, "5.1", "validate", &other).await.json["valid"], false);
    assert_eq!(by(&rig.admin, "").await.status, 400);
    assert_eq!(act(&rig, "5.1", "?_action=logoutByUser").json(&json!({"username": "demo"})).await.status, 401);
}

/// b.3, b.7: whitelisted, not protected, of owners and administrators.
#[actix_web::test]
async fn properties_are_those_that_the_realm_allows() {
    let rig = world().await;
    let (token, other) = (login(&rig, "demo").await, login(&rig, "other").await);
    let update = async |asking: &str, body: Value| {
        act(&rig, "4.0", "?_action=updateSessionProperties").session(asking).json(&body).await
    };
    let get = |asking: &str| act(&rig, "4.0", "?_action=getSessionProperties").session(asking).go();
    let before = get(&token).await;
    assert_eq!((&before.json["colour"], &before.json["shape"]), (&json!(""), &json!("")), "{}", before.text);
    assert!(before.json["AMCtxId"].as_str().is_some_and(|id| !id.is_empty()));
    let updated = update(&token, json!({"colour": "red"})).await;
    assert_eq!((updated.status, &updated.json["colour"], &updated.json["shape"]), (200, &json!("red"), &json!("")));
    let updated = update(&rig.admin, json!({"shape": "round", "tokenId": token})).await;
    assert_eq!((&updated.json["colour"], &updated.json["shape"]), (&json!("red"), &json!("round")));
    assert_eq!(get(&token).await.json, updated.json);
    assert_eq!(on(&rig, "4.0", "getSessionInfo", &token).await.json["properties"], updated.json);

    let forbidden = [json!({"AMCtxId": "x"}), json!({"size": "x"}), json!({"colour": "x", "UserId": "amadmin"})];
    for body in forbidden {
        assert_eq!(update(&token, body.clone()).await.error(), (403, "Forbidden"), "{body}");
    }
    for body in [json!({}), json!({"tokenId": token}), json!({"colour": 7}), json!({"colour": null})] {
        assert_eq!(update(&token, body.clone()).await.status, 400, "{body}");
    }
    let long = json!({"colour": "x".repeat(MAX_VALUE_BYTES + 1)});
    assert_eq!(update(&token, long).await.status, 400);
    let stranger = update(&other, json!({"colour": "blue", "tokenId": token})).await;
    assert_eq!(stranger.error(), (403, "The user has insufficient privileges"));
    assert_eq!(get(&token).await.json, updated.json, "and nothing has changed");
    assert_eq!(act(&rig, "4.0", "?_action=getSessionProperties").go().await.status, 401);
    assert_eq!(on(&rig, "4.0", "updateSessionProperties", "nosuch").await.status, 401);
}

/// b.4, line by line; the token by query, path, cookie and header.
#[actix_web::test]
async fn version_1_asks_one_question_at_a_time() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    let ask = |action: &str| act(&rig, "1.2", &format!("?_action={action}&tokenId={token}")).go();
    for (action, member, value) in [("getMaxIdle", "maxidletime", 30), ("getMaxSessionTime", "maxsessiontime", 120)] {
        assert_eq!(ask(action).await.json, json!({ (member): value }), "{action}");
        let unknown = act(&rig, "1.2", &format!("?_action={action}&tokenId=nosuch")).go().await;
        assert_eq!((unknown.status, &unknown.json), (200, &json!({ (member): -1 })));
    }
    for (action, member, range) in [
        ("getIdle", "idletime", 0..=5u64),
        ("getMaxTime", "maxtime", 7190..=7200),
        ("getTimeLeft", "maxtime", 7190..=7200),
    ] {
        let reply = ask(action).await;
        assert!(reply.json[member].as_u64().is_some_and(|number| range.contains(&number)), "{action}: {}", reply.text);
        assert_eq!(act(&rig, "1.2", &format!("?_action={action}")).go().await.json, json!({ (member): -1 }));
    }
    assert_eq!(ask("isActive").await.json, json!({"active": true}));
    assert_eq!(ask("isActive&refresh=true").await.json, json!({"active": true}));
    assert_eq!(act(&rig, "1.2", "?_action=isActive").go().await.json, json!({"active": false}));
    let in_path = act(&rig, "1.2", &format!("/{token}?_action=isActive")).go().await;
    assert_eq!(in_path.json, json!({"active": true}));
    for carried in [
        act(&rig, "1.2", "?_action=isActive").session(&token),
        act(&rig, "1.2", "?_action=isActive").header("Cookie", &format!("iPlanetDirectoryPro={token}")),
    ] {
        assert_eq!(carried.go().await.json, json!({"active": true}));
    }

    let with = |action: &str, body: Value| {
        let ask = act(&rig, "1.2", &format!("?_action={action}")).session(&token);
        async move { ask.json(&body).await }
    };
    assert_eq!(with("getPropertyNames", json!({})).await.json, json!({"properties": ["AMCtxId", "colour", "shape"]}));
    assert_eq!(with("setProperty", json!({"colour": "red"})).await.json, json!({"success": true}));
    assert_eq!(with("getProperty", json!({"properties": ["colour"]})).await.json, json!({"colour": "red"}));
    let all = with("getProperty", json!({})).await;
    assert_eq!(all.json.as_object().map(|all| all.len()), Some(2), "{}", all.text);
    assert_eq!(with("deleteProperty", json!({"properties": ["colour"]})).await.json, json!({"success": true}));
    assert_eq!(with("getProperty", json!({"properties": ["colour"]})).await.json, json!({}));
    for (action, body) in [
        ("setProperty", json!({"AMCtxId": "x"})),
        ("deleteProperty", json!({"properties": ["AMCtxId"]})),
        ("getProperty", json!({"properties": ["UserId"]})),
    ] {
        assert_eq!(with(action, body).await.error(), (403, "Forbidden"), "{action}");
    }
    assert_eq!(with("getProperty", json!({"properties": "colour"})).await.status, 400);
    assert_eq!(act(&rig, "1.2", "?_action=getPropertyNames&tokenId=nosuch").go().await.status, 401);
    assert_eq!(ask("logout").await.json, json!({"result": "Successfully logged out"}));
    assert_eq!(ask("isActive").await.json, json!({"active": false}));
    assert_eq!(ask("validate").await.json, json!({"valid": false}));
}

#[actix_web::test]
async fn version_1_lists_by_query_id() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    let list = |asking: &str, id: &str| {
        let path = format!("/realms/root/realms/alpha/sessions?_queryId={id}");
        rig.bare("GET", &path).header("Accept-API-Version", "resource=1.2").session(asking).at(table()).go()
    };
    for id in ["all", "01"] {
        let all = list(&rig.admin, id).await;
        assert_eq!((all.status, &all.json["resultCount"]), (200, &json!(1)), "{}", all.text);
        assert_eq!(all.json["result"][0]["userid"], "demo");
        assert!(all.json["result"][0]["timeleft"].as_u64().is_some_and(|left| (1790..=1800).contains(&left)));
    }
    assert_eq!(list(&rig.admin, "list").await.json["result"][0]["_id"], "01");
    assert_eq!(list(&rig.admin, "02").await.status, 400);
    assert_eq!(list(&token, "all").await.error(), (403, "The user has insufficient privileges"));
}

/// b.5, rule by rule.
#[actix_web::test]
async fn a_query_names_a_realm_and_finds_only_what_it_may() {
    let rig = world().await;
    let first = login(&rig, "demo").await;
    login(&rig, "demo").await;
    let other = login(&rig, "other").await;
    let ask = async |filter: &str| find(&rig, &rig.admin, filter).go().await;
    let found = ask(r#"username eq "Demo" and realm eq "/alpha""#).await;
    assert_eq!((found.status, &found.json["resultCount"]), (200, &json!(2)), "{}", found.text);
    let one = &found.json["result"][0];
    for (member, value) in
        [("username", "demo"), ("universalId", "id=demo,ou=user,o=alpha,ou=services,ou=am-config"), ("realm", "/alpha")]
    {
        assert_eq!(one[member], value, "{member}");
    }
    let time = |member: &str| one[member].as_str().expect("a time").to_owned();
    assert_eq!((time("latestAccessTime").len(), time("maxIdleExpirationTime").len()), (24, 20));
    assert!(!found.text.contains(&first), "no token is shown");
    for envelope in ["pagedResultsCookie", "totalPagedResultsPolicy", "totalPagedResults", "remainingPagedResults"] {
        assert!(found.json.get(envelope).is_some(), "{envelope}");
    }
    for (filter, count) in [
        (r#"realm eq "/alpha""#, 3),
        (r#"/realm eq 'alpha'"#, 3),
        (r#"realm eq "/""#, 1),
        (r#"realm eq "/nosuch""#, 0),
        (r#"username eq "nobody" and realm eq "/alpha""#, 0),
        (r#"username eq "demo" and username eq "other" and realm eq "/alpha""#, 0),
        (r#"realm eq "/alpha" and colour eq "red""#, 0),
    ] {
        let found = ask(filter).await;
        assert_eq!((found.status, &found.json["resultCount"]), (200, &json!(count)), "{filter}: {}", found.text);
    }
    act(&rig, "4.0", "?_action=updateSessionProperties").session(&first).json(&json!({"colour": "red"})).await;
    let red = ask(r#"realm eq "/alpha" and colour eq "red""#).await;
    assert_eq!((&red.json["resultCount"], &red.json["result"][0]["properties"]["colour"]), (&json!(1), &json!("red")));

    let other_field = ask(r#"shape eq "round" and realm eq "/alpha""#).await;
    assert_eq!(other_field.error(), (400, "shape is not supported in query filter"));
    assert_eq!(ask(r#"username eq "demo""#).await.error(), (400, "The query filter must name a realm"));
    for filter in [
        "true",
        r#"!(realm eq "/alpha")"#,
        r#"realm eq "/alpha" or realm eq "/""#,
        r#"realm co "alpha""#,
        r#"realm sw "/a""#,
        "realm pr",
        "realm eq 7",
    ] {
        assert_eq!(ask(filter).await.status, 501, "{filter}");
    }
    // SE-06.
    let stranger = rig.ask("GET", "/realms/root/realms/alpha/sessions?_queryFilter=true").at(table()).go().await;
    assert_eq!(stranger.error(), (401, "Access Denied"));
    let user = find(&rig, &other, r#"username eq "other" and realm eq "/alpha""#).go().await;
    assert_eq!(user.error(), (403, "The user has insufficient privileges"));
    // The limit is the realm's.
    store(&rig, Kind::Service, "session", json!({"search": {"maxSessionListSize": 2}})).await;
    assert_eq!(ask(r#"realm eq "/alpha""#).await.json["resultCount"], 2);
    assert_eq!(
        find(&rig, &rig.admin, r#"realm eq "/alpha""#).header("X-HTTP-Method-Override", "GET").go().await.status,
        200
    );
    // What nobody keeps, nobody lists.
    store(&rig, Kind::Service, "authentication", json!({"general": {"statelessSessionsEnabled": true}})).await;
    store(&rig, Kind::User, "third", json!({"username": "third"})).await;
    let kept_by_client = login(&rig, "third").await;
    assert_eq!(on(&rig, "4.0", "validate", &kept_by_client).await.json["valid"], true);
    assert_eq!(ask(r#"username eq "third" and realm eq "/alpha""#).await.json["resultCount"], 0);
    let changed = act(&rig, "4.0", "?_action=updateSessionProperties")
        .session(&kept_by_client)
        .json(&json!({"colour": "x"}))
        .await;
    assert_eq!(changed.status, 501);
    let info = on(&rig, "4.0", "getSessionInfo", &kept_by_client).await;
    assert_eq!(info.json["maxIdleExpirationTime"], info.json["maxSessionExpirationTime"], "it does not idle out");
    assert_eq!(on(&rig, "4.0", "logout", &kept_by_client).await.json["result"], "Successfully logged out");
    assert_eq!(on(&rig, "4.0", "validate", &kept_by_client).await.json["valid"], false);
}

/// A listing costs what it finds: it is asked of the owner's indexes.
#[actix_web::test]
async fn the_owner_finds_sessions_of_one_user_by_themselves() {
    let rig = world().await;
    for _ in 0..3 {
        login(&rig, "demo").await;
        login(&rig, "other").await;
    }
    let whose = |name: &str| Whose::Subject(DocumentKey::new(&RealmPath::from("/alpha"), Kind::User, name));
    let count = async |whose| rig.desk.sessions_of(whose, 100).await.expect("listed").len();
    assert_eq!((count(whose("demo")).await, count(whose("nobody")).await), (3, 0));
    assert_eq!(count(Whose::Realm(RealmPath::from("/alpha"))).await, 6);
    assert_eq!(rig.desk.sessions_of(Whose::Realm(RealmPath::from("/alpha")), 4).await.expect("listed").len(), 4);
}

/// G7.
#[actix_web::test]
async fn without_quorum_no_session_is_known_or_ended() {
    let rig = world().await;
    let token = login(&rig, "demo").await;
    rig.alone.cut_off.store(true, Ordering::Relaxed);
    for action in ["validate", "getSessionInfo", "refresh", "logout"] {
        let reply = on(&rig, "4.0", action, &token).await;
        assert_eq!((reply.status, reply.header("Retry-After").is_some()), (503, true), "{action}");
    }
    rig.alone.cut_off.store(false, Ordering::Relaxed);
    assert_eq!(on(&rig, "4.0", "validate", &token).await.json["valid"], true);
}

/// b.8, g.2: `SessionPropertyModifyAccess` is for properties, a realm's administrators for everything in it, and nobody gets at
/// who may do more.
#[actix_web::test]
async fn privileges_reach_as_far_as_they_say() {
    let rig = world().await;
    let group = async |name: &str, member: &str, privilege: &str| {
        let body = json!({"members": {"uniqueMember": [member]}, "privileges": {(privilege): true}});
        let created = rig.send("PUT", &format!("/realms/root/realms/alpha/groups/{name}"), body).await;
        assert_eq!(created.status, 201, "{}", created.text);
    };
    store(&rig, Kind::User, "boss", json!({"username": "boss"})).await;
    group("properties", "other", "SessionPropertyModifyAccess").await;
    group("bosses", "boss", "RealmAdmin").await;
    let (demo, other, boss) = (login(&rig, "demo").await, login(&rig, "other").await, login(&rig, "boss").await);
    let ask = async |asking: &str, action: &str, body: Value| {
        act(&rig, "5.1", &format!("?_action={action}")).session(asking).json(&body).await.status
    };
    let red = |token: &str| json!({"tokenId": token, "colour": "red"});
    assert_eq!(ask(&other, "updateSessionProperties", red(&demo)).await, 200);
    assert_eq!(ask(&boss, "updateSessionProperties", red(&demo)).await, 200);
    assert_eq!(ask(&demo, "updateSessionProperties", red(&other)).await, 403);
    assert_eq!(ask(&other, "updateSessionProperties", red(&boss)).await, 403, "a boss may do more");
    for (action, body) in [("refresh", json!({"tokenId": demo})), ("logoutByUser", json!({"username": "demo"}))] {
        assert_eq!(ask(&other, action, body).await, 403, "{action}");
    }
    assert_eq!(find(&rig, &other, r#"realm eq "/alpha""#).go().await.status, 403);
    let found = find(&rig, &boss, r#"username eq "demo" and realm eq "/alpha""#).go().await;
    assert_eq!((found.status, &found.json["resultCount"]), (200, &json!(1)), "{}", found.text);
    assert_eq!(find(&rig, &boss, r#"realm eq "/""#).go().await.status, 403, "another realm");
    let handle = &found.json["result"][0]["sessionHandle"];
    let root = rig.admin("GET", "/realms/root/sessions?_queryFilter=realm+eq+%22%2F%22").at(table()).go().await;
    let admins = &root.json["result"][0]["sessionHandle"];
    assert!(admins.is_string(), "{}", root.text);
    let ended = act(&rig, "4.0", "?_action=logoutByHandle").session(&boss);
    let ended = ended.json(&json!({"sessionHandles": [handle, admins]})).await;
    let (handle, admins) = (handle.as_str().unwrap_or_default(), admins.as_str().unwrap_or_default());
    assert_eq!(ended.json, json!({"result": {(handle): true, (admins): false}}));
    assert_eq!(rig.get("/realms/root/users?_queryFilter=true").await.status, 200, "the administrator is still there");
}
