//! What administrators and operators can set: the service *REST APIs* (crest.md §13.3, §14, §15), hosts and transaction ids.

use crate::{
    desk::Front,
    rest::{
        Csrf, Scope, authenticate, routes,
        testing::{Reply, Rig},
    },
    testing,
};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const PATH: &str = "/global-config/services/rest";

async fn set(rig: &Rig, settings: Value) -> Reply {
    let reply = rig.send("PUT", PATH, settings).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply
}

/// §13.3: the singleton as it is on a fresh installation, and what it takes.
#[actix_web::test]
async fn the_service_is_always_there() {
    let rig = Rig::new().await;
    let fresh = rig.get(PATH).await;
    let expected = json!({"_id": "", "_rev": "0", "defaultVersion": "Latest", "defaultProtocolVersion": "Latest",
        "warningHeader": false, "csrfFilterEnabled": true, "descriptionsState": "STATIC",
        "_type": {"_id": "rest", "name": "REST APIs", "collection": false}});
    assert_eq!(fresh.json, expected);
    let put = |body: Value, tag: &'static str| rig.admin("PUT", PATH).header("If-Match", tag).json_owned(body);
    let stale = "The resource with ID 'rest' could not be updated because it does not have the required version";
    assert_eq!(put(json!({}), "\"7\"").await.error(), (412, stale));
    let changed = put(json!({"defaultVersion": "oldest", "_type": {}}), "\"0\"").await;
    assert_eq!((changed.status, &changed.json["defaultVersion"]), (200, &json!("Oldest")));
    assert_eq!(put(json!({}), "\"0\"").await.error(), (412, stale));
    // What is left out stays.
    let kept = set(&rig, json!({"warningHeader": "true"})).await;
    assert_eq!((&kept.json["defaultVersion"], &kept.json["warningHeader"]), (&json!("Oldest"), &json!(true)));
    for (body, message) in [
        (json!({"defaultVersion": "Newest"}), "Data validation failed for the attribute, Default Version"),
        (json!({"warningHeader": 1}), "Data validation failed for the attribute, Warning Header"),
        (json!({"isAdmin": true}), "Invalid attribute specified."),
    ] {
        assert_eq!(rig.send("PUT", PATH, body).await.error(), (400, message));
    }
    assert_eq!(rig.send("POST", &format!("{PATH}?_action=create"), json!({})).await.status, 400);
    assert_eq!(rig.admin("DELETE", PATH).go().await.status, 400);
    let template = rig.send("POST", &format!("{PATH}?_action=template"), json!({})).await;
    assert_eq!(template.json["defaultVersion"], "Latest");
    let kind = rig.send("POST", &format!("{PATH}?_action=getType"), json!({})).await;
    assert_eq!(kind.json, expected["_type"]);
    let schema = rig.send("POST", &format!("{PATH}?_action=schema"), json!({})).await;
    assert_eq!(schema.json["properties"]["descriptionsState"]["enum"], json!(["STATIC", "DYNAMIC", "DISABLED"]));
}

#[actix_web::test]
async fn who_names_no_version_gets_the_configured_one() {
    let rig = Rig::new().await;
    let version = |header: Option<&'static str>| {
        let mut ask = rig.bare("GET", "/users/amadmin").session(&rig.admin);
        if let Some(header) = header {
            ask = ask.header("Accept-API-Version", header);
        }
        async move {
            let reply = ask.go().await;
            reply.header("Content-API-Version").map_or_else(|| reply.text.clone(), str::to_owned)
        }
    };
    assert_eq!(version(None).await, "resource=4.1");
    set(&rig, json!({"defaultVersion": "Oldest"})).await;
    assert_eq!(version(None).await, "resource=1.2");
    assert_eq!(version(Some("resource=4.0")).await, "resource=4.1");
    set(&rig, json!({"defaultVersion": "None"})).await;
    assert!(version(None).await.contains("No requested version specified and behavior set to NONE."));
    assert_eq!(version(Some("resource=3.0")).await, "resource=3.0");
    // Protocol 1.0 shows no revision, and its PUT does not create.
    let old = |body: Value| rig.admin("PUT", PATH).header("Accept-API-Version", "resource=1.0").json_owned(body);
    assert_eq!(old(json!({"defaultProtocolVersion": "Oldest"})).await.status, 200);
    let shown = rig.admin("GET", "/users/amadmin").header("Accept-API-Version", "resource=4.0").go().await;
    assert_eq!(shown.json.get("_rev"), None);
}

/// §13.3: the warning, and who says it.
#[actix_web::test]
async fn callers_without_a_version_are_warned_when_that_is_wanted() {
    let rig = Rig::new().await;
    set(&rig, json!({"warningHeader": true})).await;
    let warning = "100 CREST \"Accept-API-Version should be included in the request.\"";
    for path in ["/users/amadmin", "/users/nosuch", "/serverinfo/*"] {
        let bare = rig.bare("GET", path).session(&rig.admin).go().await;
        assert_eq!(bare.header("Warning"), Some(warning), "{path}");
        assert_eq!(rig.get(path).await.header("Warning"), None, "{path}");
    }
}

/// §14, SE-02: the check can be switched off, and counts again at once.
#[actix_web::test]
async fn the_check_of_origin_can_be_switched_off() {
    let rig = Rig::new().await;
    let forged = || rig.bare("POST", "/users?_action=idFromSession").session(&rig.admin).go();
    assert_eq!(forged().await.error(), (403, "Forbidden"));
    set(&rig, json!({"csrfFilterEnabled": false})).await;
    assert_eq!(forged().await.status, 200);
    // That nobody minds is known only with a quorum.
    rig.alone.cut_off.store(true, Ordering::Relaxed);
    assert_eq!(forged().await.status, 503);
    rig.alone.cut_off.store(false, Ordering::Relaxed);
    set(&rig, json!({"csrfFilterEnabled": true})).await;
    assert_eq!(forged().await.error(), (403, "Forbidden"));
}

/// §15: descriptors of what is registered, for whoever has a session, unless they are disabled.
#[actix_web::test]
async fn descriptors_are_about_what_is_registered() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    for path in ["?_api", "?_API=true", "/?_api", "/users?_api", "/users?_crestapi"] {
        assert_eq!(rig.ask("GET", path).go().await.error(), (401, "Access Denied"), "{path}");
    }
    let whole = rig.get("?_api").await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    crate::crest::openapi::tests::check(&whole.json);
    let paths = |document: &Value| document["paths"].as_object().expect("paths").keys().cloned().collect::<Vec<_>>();
    for path in crate::rest::routes().paths() {
        let ends = |known: &String| known.strip_suffix("/{id}").unwrap_or(known).ends_with(&format!("/{path}"));
        assert!(paths(&whole.json).iter().any(ends), "{path}");
    }
    assert_eq!(whole.json["servers"][0]["url"], "https://am.example.com:8443/am/json");
    let users = rig.get("/realms/root/realms/ALPHA/users?_api").await;
    let below = paths(&users.json);
    assert!(below.iter().all(|path| path.starts_with("/realms/root/realms/alpha/users")), "{below:?}");
    assert!(below.iter().any(|path| path.ends_with("/users")), "{below:?}");
    let one = rig.get("/users/demo?_api&_queryFilter=true").await;
    let below = paths(&one.json);
    assert_eq!(below.first().map(String::as_str), Some("/realms/root/users/{id}"));
    assert!(below.iter().skip(1).all(|path| path.starts_with("/realms/root/users/{user}/")), "{below:?}");
    // Any method; but a change is a change.
    assert_eq!(rig.admin("DELETE", "/users/amadmin?_api").go().await.status, 200);
    assert_eq!(rig.bare("POST", "/users?_api").session(&rig.admin).go().await.error(), (403, "Forbidden"));
    assert_eq!(rig.get("/users/amadmin").await.status, 200);
    assert_eq!(rig.get("/nosuch?_api").await.error(), (404, "Resource 'nosuch' not found"));
    assert_eq!(rig.get("/realms/root/realms/nosuch/users?_api").await.error(), (404, "Realm \"/nosuch\" not found"));
    let native = rig.get("/users?_crestapi").await;
    let described = &native.json["paths"]["/realms/root/users"]["4.1"];
    assert_eq!((&native.json["id"], &described["mvccSupported"]), (&json!("frapi:openam"), &json!(true)));
    assert_eq!(described["items"]["pathParameter"]["name"], "id");
    // A query is a query, and only a GET has the native descriptor.
    assert_eq!(rig.get("/users?_crestapi&_queryFilter=true").await.json["resultCount"], 1);
    set(&rig, json!({"descriptionsState": "DISABLED"})).await;
    assert_eq!(rig.get("/users?_api").await.error(), (501, "Not Implemented"));
    assert_eq!(rig.get("/users?_crestapi").await.error(), (501, "Not Implemented"));
}

async fn realm_with_alias(rig: &Rig, name: &str, parent: &str, alias: &str) {
    let body = json!({"name": name, "parentPath": parent, "active": true, "aliases": [alias]});
    assert_eq!(rig.send("POST", "/global-config/realms?_action=create", body).await.status, 201);
}

async fn realm_at(rig: &Rig, host: &str, path: &str) -> String {
    let reply = rig.ask("GET", path).header("Host", host).go().await;
    if reply.status == 200 { reply.json["realm"].as_str().expect("a realm").to_owned() } else { reply.text }
}

/// §12.1, forms 2 to 5: below the realm of the host, and which form wins.
#[actix_web::test]
async fn a_host_is_a_realm() {
    let rig = Rig::new().await;
    realm_with_alias(&rig, "Alpha", "/", "alpha.example.com").await;
    realm_with_alias(&rig, "beta", "/Alpha", "beta-alias").await;
    realm_with_alias(&rig, "gamma", "/", "gamma.example.com").await;
    for (host, path, realm) in [
        // 1: the host does not matter.
        ("alpha.example.com", "/realms/root/serverinfo/*", "/"),
        ("alpha.example.com", "/realms/root/realms/gamma/serverinfo/*", "/gamma"),
        // 2: below the host's realm, else an alias, for the first level alone.
        ("alpha.example.com", "/realms/beta/serverinfo/*", "/Alpha/beta"),
        ("am.example.com", "/realms/alpha/serverinfo/*", "/Alpha"),
        ("am.example.com", "/realms/alpha/realms/BETA/serverinfo/*", "/Alpha/beta"),
        ("am.example.com", "/realms/gamma.example.com/serverinfo/*", "/gamma"),
        ("gamma.example.com", "/realms/alpha.example.com/realms/beta/serverinfo/*", "/Alpha/beta"),
        // 3: the same without `realms`.
        ("alpha.example.com", "/beta/serverinfo/*", "/Alpha/beta"),
        ("alpha.example.com", "/beta-alias/serverinfo/*", "/Alpha/beta"),
        // 4: the parameter, from the top, over 3 and 5.
        ("alpha.example.com", "/serverinfo/*?realm=/gamma", "/gamma"),
        ("alpha.example.com", "/beta/serverinfo/*?realm=/", "/"),
        ("am.example.com", "/serverinfo/*?realm=GAMMA.example.com", "/gamma"),
        ("am.example.com", "/realms/root/realms/gamma/serverinfo/*?realm=/Alpha", "/gamma"),
        // 5: the host.
        ("alpha.example.com", "/serverinfo/*", "/Alpha"),
        ("ALPHA.example.com:8443", "/serverinfo/*", "/Alpha"),
        ("beta-alias", "/serverinfo/*", "/Alpha/beta"),
        ("am.example.com:8443", "/serverinfo/*", "/"),
        ("elsewhere.example.com", "/serverinfo/*", "/"),
        ("127.0.0.1:8080", "/serverinfo/*", "/"),
    ] {
        assert_eq!(realm_at(&rig, host, path).await, realm, "{host} {path}");
    }
    for (host, path, message) in [
        ("alpha.example.com", "/realms/gamma/serverinfo/*", "Realm \\\"/gamma\\\" not found"),
        ("am.example.com", "/realms/alpha/realms/nosuch/serverinfo/*", "Realm \\\"/alpha/nosuch\\\" not found"),
        ("alpha.example.com", "/gamma/serverinfo/*", "Resource 'gamma/serverinfo/*' not found"),
        (
            "am.example.com",
            "/alpha/gamma.example.com/serverinfo/*",
            "Resource 'alpha/gamma.example.com/serverinfo/*' not found",
        ),
        ("alpha.example.com", "/serverinfo/*?realm=nosuch", "Invalid realm, nosuch"),
    ] {
        let told = realm_at(&rig, host, path).await;
        assert!(told.contains(message), "{host} {path}: {told}");
    }
    // An alias that is gone is gone at once; one that moved has moved.
    let alpha = "/global-config/realms/L0FscGhh";
    assert_eq!(rig.send("PUT", alpha, json!({"aliases": ["other.example.com"]})).await.status, 200);
    assert_eq!(realm_at(&rig, "alpha.example.com", "/serverinfo/*").await, "/");
    assert_eq!(realm_at(&rig, "other.example.com", "/serverinfo/*").await, "/Alpha");
    assert_eq!(rig.admin("DELETE", "/global-config/realms/L2dhbW1h").go().await.status, 200);
    assert_eq!(realm_at(&rig, "gamma.example.com", "/serverinfo/*").await, "/");
}

/// §12.2: off as shipped; otherwise a host is ours, configured, or an alias.
#[actix_web::test]
async fn hosts_that_are_not_ours_are_refused_where_that_is_configured() {
    let front = Front { valid_hosts: vec!["am.internal".into()], ..testing::front() };
    let rig = Rig::looking(front).await;
    realm_with_alias_at(&rig, "am.internal", "alpha", "alpha.example.com").await;
    for (host, realm) in [("am.internal:8080", "/"), ("AM.example.com", "/"), ("alpha.example.com", "/alpha")] {
        assert_eq!(realm_at(&rig, host, "/serverinfo/*").await, realm, "{host}");
    }
    for path in ["/serverinfo/*", "/realms/root/serverinfo/*", "/serverinfo/*?realm=/", "/global-config/realms/Lw"] {
        let reply = rig.ask("GET", path).header("Host", "evil.example.com").go().await;
        assert_eq!(reply.error(), (400, "FQDN \"evil.example.com\" is not valid."), "{path}");
    }
    assert_eq!(rig.ask("GET", "/serverinfo/*").go().await.error(), (400, "FQDN \"\" is not valid."));
}

async fn realm_with_alias_at(rig: &Rig, host: &str, name: &str, alias: &str) {
    let body = json!({"name": name, "parentPath": "/", "active": true, "aliases": [alias]});
    let reply = rig.admin("POST", "/global-config/realms?_action=create").header("Host", host).json(&body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

/// §14: whose transaction ids count.
#[actix_web::test]
async fn transaction_ids_of_callers_count_where_they_are_trusted() {
    let front = Front { trust_transaction_ids: true, ..testing::front() };
    let rig = Rig::looking(front).await;
    let echoed = |id: &'static str| {
        let ask = rig.ask("GET", "/serverinfo/*").header("X-ForgeRock-TransactionId", id);
        async move { ask.go().await.header("X-ForgeRock-TransactionId").unwrap_or_default().to_owned() }
    };
    assert_eq!(echoed("a81c7f2e-1/0").await, "a81c7f2e-1/0");
    for forged in ["", "a b", "{\"a\":\"b\"}"] {
        let id = echoed(forged).await;
        assert_eq!((id.len(), id == forged), (36, false), "{forged}");
    }
}

/// §13.3 holds for what is no resource, too.
#[actix_web::test]
async fn plain_endpoints_have_the_configured_version() {
    let rig = Rig::new().await;
    let authenticate = async |header: Option<&str>| {
        let table = routes().plain(Scope::Realm, "authenticate", Csrf::Checked, authenticate::handle);
        let mut ask = rig.bare("POST", "/authenticate").header("X-Requested-With", "test");
        if let Some(header) = header {
            ask = ask.header("Accept-API-Version", header);
        }
        let reply = ask.at(table).go().await;
        (reply.status, reply.header("Content-API-Version").unwrap_or_default().to_owned())
    };
    let attributes = async || rig.bare("GET", "/subjectattributes?_queryFilter=true").session(&rig.admin).go().await;
    let newest = (200, "resource=2.1".to_owned());
    assert_eq!((authenticate(None).await, attributes().await.status), (newest.clone(), 200));
    set(&rig, json!({"defaultVersion": "Oldest"})).await;
    assert_eq!((authenticate(None).await, attributes().await.status), ((200, "resource=1.2".to_owned()), 200));
    assert_eq!(authenticate(Some("resource=2.0")).await, newest);
    let refused = rig.admin("PUT", PATH).header("Accept-API-Version", "protocol=2.1,resource=1.0");
    assert_eq!(refused.json(&json!({"defaultVersion": "None"})).await.status, 200);
    let none = (400, "No requested version specified and behavior set to NONE.");
    assert_eq!((authenticate(None).await.0, attributes().await.error()), (400, none));
    assert_eq!(authenticate(Some("resource=2.1")).await, newest);
}

/// The service is listed with the others, as they are.
#[actix_web::test]
async fn the_service_is_among_the_services() {
    let rig = Rig::new().await;
    let services = "/global-config/services";
    for action in ["getAllTypes", "nextdescendents"] {
        let listed = rig.send("POST", &format!("{services}?_action={action}"), json!({})).await.json;
        let rest = listed["result"].as_array().into_iter().flatten().find(|one| one["_id"] == "rest");
        assert_eq!(rest.expect("rest").get("defaultVersion").is_some(), action == "nextdescendents");
    }
    let listed = rig.get(&format!("{services}?_queryFilter=true")).await.json;
    assert!(listed["result"].as_array().into_iter().flatten().any(|one| one["name"] == "REST APIs"));
}
