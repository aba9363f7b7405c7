//! What holds for every resource: order of checks, errors, headers, preconditions, availability.

mod framework;
mod settings;

use super::{
    Csrf, Scope, routes,
    testing::{Reply, Rig},
};
use actix_web::HttpResponse;
use quorate_raft::Kind;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn user(name: &str) -> Value {
    json!({"username": name, "userpassword": "correct horse"})
}

/// crest.md §2, §13, §11: what is wrong first is told first.
#[actix_web::test]
async fn checks_come_in_the_order_of_the_reference() {
    let rig = Rig::new().await;
    rig.send("POST", "/realms/root/users?_action=create", user("demo")).await;
    let demo = rig.session(&quorate_raft::RealmPath::root(), Kind::User, "demo").await;

    // No session at all, and everything else wrong, too.
    let path = "/realms/root/realms/nosuch/users/x";
    let reply = rig.ask("DELETE", path).header("Accept-API-Version", "nonsense").raw("text/plain", "").await;
    assert_eq!(reply.error(), (400, "Version string is in an invalid format: nonsense"));
    let reply = rig.ask("DELETE", path).raw("text/plain", "").await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert_eq!(rig.ask("DELETE", path).go().await.error(), (404, "Realm \"/nosuch\" not found"));
    let unversioned = rig.ask("DELETE", "/realms/root/users/x").header("Accept-API-Version", "resource=9.0").go().await;
    assert_eq!(unversioned.error(), (404, "Accept-API-Version: Requested version \"9.0\" does not match any routes."));
    assert_eq!(unversioned.header("Content-API-Version"), None);
    let stranger = rig.ask("DELETE", "/realms/root/users/x").go().await;
    assert_eq!(stranger.error(), (401, "Access Denied"));
    assert_eq!(stranger.header("Content-API-Version"), Some("resource=4.1"));
    let reply = rig.ask("DELETE", "/realms/root/users/x").session("no such token").go().await;
    assert_eq!(reply.error(), (401, "Access Denied"));
    let reply = rig.ask("DELETE", "/realms/root/users/x").session(&demo).go().await;
    assert_eq!(reply.error(), (403, "The user has insufficient privileges"));
    assert_eq!(rig.admin("DELETE", "/realms/root/users/x").go().await.error(), (404, "Resource cannot be found."));
    assert_eq!(rig.get("/realms/root/users").await.error(), (400, "The resource collection users cannot be read"));
}

/// Deny by default: every resource of the table refuses strangers and users, whatever they ask.
#[actix_web::test]
async fn strangers_and_users_administer_nothing() {
    let rig = Rig::new().await;
    rig.send("POST", "/realms/root/users?_action=create", user("demo")).await;
    let demo = rig.session(&quorate_raft::RealmPath::root(), Kind::User, "demo").await;
    for path in [
        "/global-config/realms",
        "/global-config/services/rest",
        "/realms/root/users",
        "/realms/root/realm-config/agents",
        "/realms/root/realm-config/agents/OAuth2Client",
        "/realms/root/realm-config/agents/IdentityGateway",
        "/realms/root/realm-config/services",
        "/realms/root/realm-config/services/oauth-oidc",
    ] {
        for (method, tail) in [
            ("GET", ""),
            ("GET", "?_queryFilter=true"),
            ("POST", "?_action=create"),
            ("POST", "?_action=schema"),
            ("PUT", "/x"),
            ("PATCH", "/x"),
            ("DELETE", "/x"),
            ("GET", "/x"),
        ] {
            // What has no instances is asked itself.
            let whole = ["oauth-oidc", "agents", "services", "rest"].iter().any(|end| path.ends_with(end));
            let path = format!("{path}{}", if whole { tail.trim_start_matches("/x") } else { tail });
            let stranger = rig.ask(method, &path).json(&json!({})).await;
            assert_eq!(stranger.error(), (401, "Access Denied"), "{method} {path}");
            let user = rig.ask(method, &path).session(&demo).json(&json!({})).await;
            let says = match (method, path.ends_with("/users/x")) {
                ("PATCH", true) => "Only admin can patch user values",
                _ => "The user has insufficient privileges",
            };
            assert_eq!(user.error(), (403, says), "{method} {path}");
        }
    }
}

/// SE-02: the session cookie alone changes nothing.
#[actix_web::test]
async fn a_cookie_alone_changes_nothing() {
    let rig = Rig::new().await;
    let cookie = format!("iPlanetDirectoryPro={}", rig.admin);
    let forged =
        rig.bare("POST", "/realms/root/users?_action=create").header("Cookie", &cookie).json(&user("demo")).await;
    assert_eq!(forged.error(), (403, "Forbidden"));
    let reading = rig.bare("GET", "/realms/root/users?_queryFilter=true").header("Cookie", &cookie).go().await;
    assert_eq!((reading.status, &reading.json["resultCount"]), (200, &json!(1)));
    let meant = rig.bare("POST", "/realms/root/users?_action=create").header("Cookie", &cookie);
    assert_eq!(meant.header("X-Requested-With", "curl").json(&user("demo")).await.status, 201);
}

/// AZ-18, JW-08.
#[actix_web::test]
async fn hostile_bodies_change_nothing() {
    let rig = Rig::new().await;
    let path = "/realms/root/users?_action=create";
    let invalid = "The request could not be processed because the provided content is not valid JSON";
    let admin = &rig;
    let send = |body: String| async move { admin.admin("POST", path).raw("application/json", &body).await };
    for body in [
        "{\"username\":\"a\",\"username\":\"demo\",\"userpassword\":\"correct horse\"}".to_owned(),
        "{\"username\":\"de\\u0000mo\",\"userpassword\":\"correct horse\"}".to_owned(),
        format!("{{\"cn\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)),
        "{\"username\"".to_owned(),
    ] {
        assert_eq!(send(body).await.error(), (400, invalid));
    }
    let large = format!("{{\"username\":\"demo\",\"cn\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(send(large).await.error(), (413, "Request Entity Too Large"));
    let listed = rig.get("/realms/root/users?_queryFilter=true").await;
    assert_eq!(listed.json["resultCount"], 1);
}

fn tag(reply: &Reply) -> String {
    reply.header("ETag").expect("a tag").to_owned()
}

/// crest.md §4.3, the decision table of PUT, and PATCH/DELETE; AD-04.
#[actix_web::test]
async fn preconditions_decide_as_in_the_table() {
    let rig = Rig::new().await;
    let path = "/realms/root/users/demo";
    let put = |protocol: &'static str, condition: Option<(&'static str, String)>| {
        let mut ask = rig.admin("PUT", path).header("Accept-API-Version", protocol);
        if let Some((name, value)) = condition {
            ask = ask.header(name, &value);
        }
        async { ask.json(&user("demo")).await }
    };
    let (v2, v1) = ("protocol=2.0", "protocol=1.0");
    let any = || Some(("If-Match", "*".to_owned()));
    let absent = || Some(("If-None-Match", "*".to_owned()));
    let revision = |tag: &str| Some(("If-Match", tag.to_owned()));

    assert_eq!(put(v2, any()).await.status, 404);
    assert_eq!(put(v2, revision("\"7\"")).await.status, 404);
    assert_eq!(put(v1, None).await.status, 404);
    let created = put(v2, None).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("Location"), Some("https://am.example.com:8443/am/json/realms/root/users/demo"));
    assert_eq!(tag(&created), format!("\"{}\"", created.json["_rev"].as_str().expect("a revision")));
    let updated = put(v2, None).await;
    assert_eq!((updated.status, updated.header("Location")), (200, None));
    assert_eq!(put(v2, absent()).await.error(), (412, "Resource already exists"));
    assert_eq!(put(v1, absent()).await.error(), (409, "Resource already exists"));
    assert_eq!(put(v2, any()).await.status, 200);
    assert_eq!(put(v1, None).await.status, 200);
    let stale = "The resource with ID 'demo' could not be updated because it does not have the required version";
    assert_eq!(put(v2, revision(&tag(&updated))).await.error(), (412, stale));
    let now = rig.get(path).await;
    let updated = put(v2, revision(&tag(&now))).await;
    assert_eq!(updated.status, 200);
    assert_ne!(tag(&updated), tag(&now));

    let known = rig.admin("GET", path).header("If-None-Match", &tag(&updated)).go().await;
    assert_eq!((known.status, known.text.as_str(), tag(&known)), (304, "", tag(&updated)));
    assert_eq!(rig.admin("GET", path).header("If-None-Match", &tag(&now)).go().await.status, 200);

    let delete = |condition: &str| rig.admin("DELETE", path).header("If-Match", condition).go();
    assert_eq!(delete(&tag(&now)).await.error(), (412, stale));
    assert_eq!(delete("nonsense").await.error(), (412, stale));
    assert_eq!(delete(&tag(&updated)).await.status, 200);
    assert_eq!(delete("*").await.status, 404);
    assert_eq!(put(v1, absent()).await.status, 201);
    let patch = json!([{"operation": "add", "field": "/mail", "value": "a@x.org"}]);
    let refused = rig.admin("PATCH", path).json(&patch).await;
    assert_eq!(refused.error(), (400, "PATCH of user does not support operation add"));
}

/// G7: without quorum nothing is known, and nobody is let in or kept out on old knowledge.
#[actix_web::test]
async fn without_quorum_there_is_no_answer_but_503() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig.alone.cut_off.store(true, Ordering::Relaxed);
    for (method, path) in [
        ("GET", "/realms/root/users/amadmin"),
        ("GET", "/realms/root/realms/alpha/users?_queryFilter=true"),
        ("GET", "/realms/root/realms/nosuch/users/x"),
        ("PUT", "/realms/root/users/demo"),
        ("POST", "/global-config/realms?_action=create"),
        ("DELETE", "/global-config/realms/L2FscGhh"),
        ("GET", "/realms/root/realm-config/agents/OAuth2Client/x"),
        ("GET", "/realms/root/realms/alpha/serverinfo/*"),
    ] {
        let reply = rig.admin(method, path).json(&user("demo")).await;
        assert_eq!(reply.error(), (503, "Service Unavailable"), "{method} {path}");
        assert_eq!((reply.header("Retry-After"), &reply.json["reason"]), (Some("1"), &json!("Service Unavailable")));
    }
    assert_eq!(rig.ask("GET", "/realms/root/users/x").go().await.status, 503, "not even 401");
    assert_eq!(rig.ask("GET", "/serverinfo/*").go().await.status, 200);
    rig.alone.cut_off.store(false, Ordering::Relaxed);
    assert_eq!(rig.get("/realms/root/users/demo").await.status, 404);
}

#[actix_web::test]
async fn answers_look_as_they_should() {
    let rig = Rig::new().await;
    let pretty = rig.get("/realms/root/users/nosuch?_prettyPrint=TRUE").await;
    let body = "{\n  \"code\" : 404,\n  \"reason\" : \"Not Found\",\n  \"message\" : \"Resource cannot be found.\"\n}";
    assert_eq!(pretty.text, body);
    assert_eq!(pretty.header("Content-Type"), Some("application/json;charset=UTF-8"));
    assert_eq!(pretty.header("Cache-Control"), Some("private"));
    let listed = rig.get("/realms/root/users?_queryFilter=true&_fields=username").await;
    let revision = listed.json["result"][0]["_rev"].as_str().expect("a revision").to_owned();
    let body = format!(
        "{{\"result\":[{{\"_id\":\"amAdmin\",\"_rev\":\"{revision}\",\"username\":\"amAdmin\"}}],\"resultCount\":1,\
         \"pagedResultsCookie\":null,\"totalPagedResultsPolicy\":\"NONE\",\"totalPagedResults\":-1,\
         \"remainingPagedResults\":0}}"
    );
    assert_eq!(listed.text, body);
    assert_eq!(listed.header("Content-API-Version"), Some("protocol=2.1,resource=4.1"));
    let nowhere = rig.get("/realms/root/nosuch/x").await;
    assert_eq!(nowhere.text, r#"{"code":404,"reason":"Not Found","message":"Resource 'nosuch/x' not found"}"#);
    let head = rig.admin("HEAD", "/realms/root/users").go().await;
    assert_eq!(head.status, 501);
}

/// crest.md §12: every form, and which wins.
#[actix_web::test]
async fn a_realm_is_found_in_every_form() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let body = json!({"name": "beta", "parentPath": "/alpha", "active": true, "aliases": ["beta.example.com"]});
    assert_eq!(rig.send("POST", "/global-config/realms?_action=create", body).await.status, 201);
    let realm = |path: &'static str| async {
        let reply = rig.ask("GET", path).go().await;
        if reply.status == 200 { reply.json["realm"].as_str().expect("a realm").to_owned() } else { reply.text }
    };
    assert_eq!(realm("/serverinfo/*").await, "/");
    assert_eq!(realm("/serverinfo/%2A").await, "/");
    assert_eq!(realm("/realms/root/serverinfo/*").await, "/");
    assert_eq!(realm("/realms/root/realms/alpha/serverinfo/*").await, "/alpha");
    assert_eq!(realm("/realms/ROOT/realms/ALPHA/serverinfo/*").await, "/alpha");
    assert_eq!(realm("/alpha/beta/serverinfo/*").await, "/alpha/beta");
    assert_eq!(realm("/beta.example.com/serverinfo/*").await, "/alpha/beta");
    assert_eq!(realm("/serverinfo/*?realm=/alpha").await, "/alpha");
    assert_eq!(realm("/serverinfo/*?realm=Alpha/beta").await, "/alpha/beta");
    assert_eq!(realm("/alpha/beta/serverinfo/*?realm=/alpha").await, "/alpha");
    assert_eq!(realm("/realms/root/realms/alpha/serverinfo/*?realm=/alpha/beta").await, "/alpha");
    let error = |code: u16, reason: &str, message: &str| {
        let message = serde_json::to_string(message).expect("text");
        format!("{{\"code\":{code},\"reason\":\"{reason}\",\"message\":{message}}}")
    };
    assert_eq!(
        (realm("/realms/root/realms/nosuch/serverinfo/*").await),
        error(404, "Not Found", "Realm \"/nosuch\" not found")
    );
    assert_eq!((realm("/serverinfo/*?realm=nosuch").await), error(400, "Bad Request", "Invalid realm, nosuch"));
    assert_eq!((realm("/serverinfo/*?realm=/a/../b").await), error(400, "Bad Request", "Invalid realm, /a/../b"));
    assert_eq!(
        (realm("/nosuch/serverinfo/*").await),
        error(404, "Not Found", "Resource 'nosuch/serverinfo/*' not found")
    );
}

/// Others add to the table: with and without the framework's check, in realms that exist.
#[actix_web::test]
async fn plain_handlers_share_the_table() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let table = || {
        let echo = |call: super::PlainCall| async move {
            let body = String::from_utf8_lossy(&call.body).into_owned();
            let text = format!("{} {} {} {body}", call.request.method(), call.realm, call.rest.join("|"));
            let mut response = HttpResponse::Ok();
            crate::crest::response::headers(&mut response, "no-store");
            response.body(text)
        };
        routes().plain(Scope::Realm, "checked", Csrf::Checked, echo).plain(Scope::Realm, "own", Csrf::Own, echo)
    };
    let reply = rig.ask("POST", "/realms/root/realms/alpha/checked/a%2Fb/c").at(table()).raw("x/y", "body").await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "POST /alpha a/b|c body"));
    assert_eq!(rig.bare("POST", "/checked").at(table()).go().await.error(), (403, "Forbidden"));
    assert_eq!(rig.bare("POST", "/own").at(table()).go().await.text, "POST /  ");
    let reply = rig.ask("GET", "/realms/root/realms/nosuch/own").at(table()).go().await;
    assert_eq!(reply.error(), (404, "Realm \"/nosuch\" not found"));
    let reply = rig.ask("POST", "/own").at(table()).raw("x/y", &"x".repeat((1 << 20) + 1)).await;
    assert_eq!(reply.error(), (413, "Request Entity Too Large"));
}

/// Every path of the table has a test that names its last element; a new one without fails here.
#[test]
fn every_route_has_a_test() {
    fn sources(dir: &std::path::Path, found: &mut String) {
        for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                sources(&entry, found);
            } else if entry.to_string_lossy().contains("tests") {
                found.push_str(&std::fs::read_to_string(&entry).expect("text"));
            }
        }
    }
    let mut tests = String::new();
    sources(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest"), &mut tests);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for path in routes().paths() {
        let name = path.rsplit('/').next().expect("a name");
        let is_named = tests.match_indices(name).any(|(at, _)| {
            let (before, after) = (tests[..at].chars().next_back(), tests[at + name.len()..].chars().next());
            before.is_some_and(|c| c == '/' || c == '"') && !after.is_some_and(is_word)
        });
        assert!(is_named, "no test asks for {path}");
    }
}
