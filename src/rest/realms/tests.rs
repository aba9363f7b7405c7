use crate::rest::testing::Rig;
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const REALMS: &str = "/global-config/realms";

fn realm(name: &str, parent: &str) -> Value {
    json!({"name": name, "parentPath": parent, "active": true, "aliases": []})
}

async fn create(rig: &Rig, body: Value) -> (u16, String) {
    let reply = rig.send("POST", &format!("{REALMS}?_action=create"), body).await;
    (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
}

#[actix_web::test]
async fn a_realm_lives_and_dies() {
    let rig = Rig::new().await;
    let body = json!({"name": "alpha", "parentPath": "/", "active": true, "aliases": ["alpha.example.com"]});
    let created = rig.send("POST", &format!("{REALMS}?_action=create"), body.clone()).await;
    assert_eq!(created.status, 201);
    let location = "https://am.example.com:8443/am/json/global-config/realms/L2FscGhh";
    assert_eq!(created.header("Location"), Some(location));
    let mut expected = body;
    expected["_id"] = json!("L2FscGhh");
    expected["_rev"] = created.json["_rev"].clone();
    assert_eq!(created.json, expected);
    let item = format!("{REALMS}/L2FscGhh");
    assert_eq!(rig.get(&item).await.json, expected);

    let updated =
        rig.send("PUT", &item, json!({"name": "alpha", "parentPath": "/", "active": false, "aliases": []})).await;
    assert_eq!((updated.status, &updated.json["active"]), (200, &json!(false)));
    assert_eq!(rig.get(&item).await.json["active"], false);

    assert_eq!(create(&rig, realm("beta", "/alpha")).await.0, 201);
    let listed = rig.get(&format!("{REALMS}?_queryFilter=true")).await.json;
    let names: Vec<&str> =
        listed["result"].as_array().into_iter().flatten().filter_map(|r| r["name"].as_str()).collect();
    assert_eq!(names, ["/", "alpha", "beta"]);
    let totals =
        json!([listed["totalPagedResultsPolicy"], listed["totalPagedResults"], listed["remainingPagedResults"]]);
    assert_eq!(totals, json!(["NONE", -1, -1]));

    let rig = &rig;
    let delete = |id: &'static str| async move { rig.admin("DELETE", &format!("{REALMS}/{id}")).go().await };
    let refused = delete("L2FscGhh").await;
    assert_eq!(refused.error(), (409, "Sub Organization cannot be deleted. Sub entries exist."));
    assert_eq!(delete("L2FscGhhL2JldGE").await.json["name"], "beta");
    assert_eq!(delete("L2FscGhh").await.json["name"], "alpha");
    assert_eq!(delete("L2FscGhh").await.error(), (404, "Realm cannot be read: /alpha"));
}

/// G3: nothing of a deleted realm is there when a new one takes its name.
#[actix_web::test]
async fn everything_in_a_realm_goes_with_it() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let user = json!({"username": "demo", "userpassword": "correct horse"});
    assert_eq!(rig.send("POST", "/realms/root/realms/alpha/users?_action=create", user).await.status, 201);
    let session = rig.session(&RealmPath::from("/alpha"), Kind::User, "demo").await;
    let own = || rig.ask("GET", "/realms/root/realms/alpha/users/demo").session(&session).go();
    assert_eq!(own().await.status, 200);
    rig.admin("DELETE", &format!("{REALMS}/L2FscGhh")).go().await;
    rig.realm("alpha").await;
    assert_eq!(own().await.error(), (401, "Access Denied"));
    assert_eq!(rig.get("/realms/root/realms/alpha/users/demo").await.status, 404);
}

#[actix_web::test]
async fn the_top_level_realm_is_always_there() {
    let rig = Rig::new().await;
    let root = rig.get(&format!("{REALMS}/Lw")).await.json;
    let expected = json!({"_id": "Lw", "_rev": "0", "parentPath": null, "active": true, "name": "/", "aliases": []});
    assert_eq!(root, expected);
    let deleted = rig.admin("DELETE", &format!("{REALMS}/Lw")).go().await;
    assert_eq!(deleted.error(), (401, "Unauthorized-Cannot delete root suffix"));
    assert_eq!(rig.send("PUT", &format!("{REALMS}/Lw"), root).await.status, 501);
}

/// c.1, the table of validations.
#[actix_web::test]
async fn every_mistake_is_told_in_the_words_of_the_reference() {
    let rig = Rig::new().await;
    let without = |name: &str| {
        let mut body = realm("alpha", "/");
        body.as_object_mut().expect("an object").remove(name);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = realm("alpha", "/");
        body[name] = value;
        body
    };
    for name in ["name", "parentPath", "active", "aliases"] {
        let missing = (400, format!("No {name} parameter provided"));
        assert_eq!(create(&rig, without(name)).await, missing);
        assert_eq!(create(&rig, with(name, json!(" "))).await, missing);
        assert_eq!(create(&rig, with(name, Value::Null)).await, missing);
    }
    let wrong =
        |name: &str, expected: &str| (400, format!("Wrong parameter type provided in {name}. Expected {expected}"));
    assert_eq!(create(&rig, with("aliases", json!("x"))).await, wrong("aliases", "list"));
    assert_eq!(create(&rig, with("aliases", json!([1]))).await, wrong("aliases", "list"));
    assert_eq!(create(&rig, with("active", json!("true"))).await, wrong("active", "boolean"));
    let set = "[ , \", #, $, %, &, +, ,, /, :, ;, <, =, >, ?, @, \\]";
    for forbidden in ["a b", "a/b", "a%2Fb", "a?b", "\\", "a\u{1}"] {
        let names = (400, format!("Realm names cannot contain: {set}"));
        assert_eq!(create(&rig, with("name", json!(forbidden))).await, names, "{forbidden}");
        let aliases = (400, format!("Realm alias cannot contain: {set}"));
        assert_eq!(create(&rig, with("aliases", json!([forbidden]))).await, aliases, "{forbidden}");
    }
    for reserved in ["users", "Authenticate", "realms", "access_token", "..", "."] {
        let invalid = (400, format!("Organization name {reserved} is invalid"));
        assert_eq!(create(&rig, with("name", json!(reserved))).await, invalid);
    }
    assert_eq!(create(&rig, realm("a", "/nosuch")).await, (404, "Realm cannot be read: /nosuch".into()));
    assert_eq!(create(&rig, realm("a", "/../x")).await, (404, "Realm cannot be read: /../x".into()));
    assert_eq!(create(&rig, with("isAdmin", json!(true))).await, (400, "Invalid attribute specified.".into()));
    assert_eq!(rig.get(&format!("{REALMS}?_queryFilter=true")).await.json["resultCount"], 1);

    rig.realm("alpha").await;
    assert_eq!(create(&rig, realm("Alpha", "/")).await, (409, "The realm /Alpha already exists.".into()));
    let item = format!("{REALMS}/L2FscGhh");
    let put = |body: Value| async { rig.send("PUT", &item, body).await };
    let mismatch = "Realm name in URL does not match realm name in request body";
    assert_eq!(put(realm("beta", "/")).await.error(), (400, mismatch));
    assert_eq!(put(json!({"active": "no"})).await.error(), (400, "Invalid attribute values"));
    assert_eq!(
        rig.send("PUT", &format!("{REALMS}/L3g"), realm("x", "/")).await.error(),
        (404, "Realm cannot be read: /x")
    );
    assert_eq!(rig.get(&format!("{REALMS}/L3g")).await.error(), (404, "Realm cannot be read: /x"));
    assert_eq!(rig.get(&format!("{REALMS}/not%20an%20id")).await.error(), (404, "Realm cannot be read: not an id"));
    let put_new = rig.admin("PUT", &format!("{REALMS}/L3g")).header("If-None-Match", "*").json(&realm("x", "/")).await;
    assert_eq!(put_new.error(), (501, "Cannot provide ID for Realm resource"));
    let rig = &rig;
    let query = |q: &'static str| async move { rig.get(&format!("{REALMS}?{q}")).await };
    assert_eq!(query("_queryFilter=name+eq+'x'").await.error(), (501, "Query not supported: /name eq \"x\""));
    assert_eq!(query("_queryFilter=true&_pageSize=1").await.error(), (501, "Query paging not currently supported"));
    assert_eq!(rig.admin("PATCH", &item).json(&json!([])).await.error(), (501, "Operation is not supported."));
    let stale = rig.admin("DELETE", &item).header("If-Match", "\"1\"").go().await;
    assert_eq!(stale.status, 412);
}

#[actix_web::test]
async fn an_alias_names_one_realm() {
    let rig = Rig::new().await;
    let aliased = |name: &str| json!({"name": name, "parentPath": "/", "active": true, "aliases": ["am.example.org"]});
    assert_eq!(create(&rig, aliased("alpha")).await.0, 201);
    assert_eq!(create(&rig, aliased("beta")).await, (409, "The realm alias am.example.org is already in use.".into()));
    let again = rig.send("PUT", &format!("{REALMS}/L2FscGhh"), aliased("alpha")).await;
    assert_eq!(again.status, 200, "its own alias");
}

#[actix_web::test]
async fn templates_and_schemas_help_to_create() {
    let rig = Rig::new().await;
    let template = rig.send("POST", &format!("{REALMS}?_action=template"), json!({})).await;
    assert_eq!(template.json, json!({"parentPath": "/", "active": true}));
    let schema = rig.send("POST", &format!("{REALMS}?_action=schema"), json!({})).await;
    assert_eq!(schema.json["properties"]["active"]["type"], "boolean");
    let unknown = rig.send("POST", &format!("{REALMS}?_action=nosuch"), json!({})).await;
    assert_eq!(unknown.error(), (501, "Action not supported: nosuch"));
}

/// A realm of that name would hide behind the endpoint.
#[test]
fn every_endpoint_is_a_reserved_name() {
    let routes = crate::rest::routes();
    let missing: Vec<&str> = routes.first_elements().filter(|first| !super::RESERVED.contains(first)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// c.1, AD-01: an alias names one realm; of two who want it at once, one gets it, decided in the log.
#[actix_web::test]
async fn an_alias_names_one_realm_whoever_asks_when() {
    let rig = Rig::new().await;
    let create = |name: &str, aliases: Value| {
        let body = json!({"name": name, "parentPath": "/", "active": true, "aliases": aliases});
        let ask = rig.admin("POST", "/global-config/realms?_action=create");
        async move { ask.json(&body).await }
    };
    let (a, b) = futures_util::future::join(
        create("a", json!(["shop.example", "SHOP.example"])),
        create("b", json!(["Shop.Example"])),
    )
    .await;
    let mut replies = [a, b];
    replies.sort_by_key(|reply| reply.status);
    assert_eq!([replies[0].status, replies[1].status], [201, 409], "{}", replies[1].text);
    assert_eq!(replies[1].error().1, "The realm alias shop.example is already in use.");
    let (won, lost) = if replies[0].json["name"] == "a" { ("a", "b") } else { ("b", "a") };
    assert_eq!(create(lost, json!(["other.example"])).await.status, 201, "nothing was left of the first try");
    let id = |name: &str| if name == "a" { "L2E" } else { "L2I" };
    let put = |name: &str, aliases: Value| {
        let ask = rig.admin("PUT", &format!("/global-config/realms/{}", id(name)));
        async move { ask.json(&json!({"aliases": aliases})).await.status }
    };
    assert_eq!(put(lost, json!(["shop.example"])).await, 409);
    // Given up, it is free; given up with the realm, too.
    assert_eq!(put(won, json!([])).await, 200);
    assert_eq!(put(lost, json!(["shop.example"])).await, 200);
    assert_eq!(rig.admin("DELETE", &format!("/global-config/realms/{}", id(lost))).go().await.status, 200);
    assert_eq!(put(won, json!(["shop.example"])).await, 200);
    assert_eq!(put(won, json!(["SHOP.example", "more.example"])).await, 200, "its own may be spelled anew");
}

/// c.1, g.2, AD-02: what lies below the realm of the login, and neither that realm itself nor names for the whole cluster.
#[actix_web::test]
async fn delegated_administrators_have_what_is_below() {
    let rig = Rig::new().await;
    for name in ["alpha", "gamma"] {
        rig.realm(name).await;
    }
    let alpha = "/realms/root/realms/alpha";
    for (name, privilege) in [("boss", "RealmAdmin"), ("reader", "RealmReadAccess"), ("other", "AgentAdmin")] {
        rig.user(alpha, name).await;
        rig.group(alpha, &format!("{name}s"), &[name], &[privilege]).await;
    }
    let session = async |name: &str| rig.session(&"/alpha".into(), Kind::User, name).await;
    let (boss, reader, other) = (session("boss").await, session("reader").await, session("other").await);
    let send = |session: &str, method: &str, tail: &str, body: Value| {
        let ask = rig.ask(method, &format!("/global-config/realms{tail}")).session(session);
        async move { ask.json(&body).await }
    };
    let below = |parent: &str, name: &str, aliases: Value| json!({"name": name, "parentPath": parent, "active": true, "aliases": aliases});
    let create = "?_action=create";
    for (parent, aliases, expected) in [
        ("/alpha", json!(["shop.example"]), 403),
        ("/alpha", json!([]), 201),
        ("/", json!([]), 403),
        ("/gamma", json!([]), 403),
        ("/alpha/../gamma", json!([]), 403),
        ("/alphabet", json!([]), 403),
    ] {
        let reply = send(&boss, "POST", create, below(parent, "sub", aliases.clone())).await;
        assert_eq!(reply.status, expected, "{parent} {aliases}: {}", reply.text);
        assert_eq!(send(&reader, "POST", create, below(parent, "sub", aliases)).await.status, 403);
    }
    for who in [&boss, &reader] {
        let listed = rig.ask("GET", "/global-config/realms?_queryFilter=true").session(who).go().await;
        let names: Vec<&str> =
            listed.json["result"].as_array().into_iter().flatten().filter_map(|r| r["name"].as_str()).collect();
        assert_eq!(names, ["alpha", "sub"]);
        let read = |id: &str| rig.ask("GET", &format!("/global-config/realms/{id}")).session(who).go();
        assert_eq!(read("L2FscGhh").await.status, 200);
        assert_eq!(read("L2dhbW1h").await.status, 403, "gamma");
        assert_eq!(read("Lw").await.status, 403, "the top");
    }
    assert_eq!(rig.ask("GET", "/global-config/realms?_queryFilter=true").session(&other).go().await.status, 403);
    let sub = format!("/{}", super::id_of("/alpha/sub"));
    assert_eq!(send(&boss, "PUT", &sub, json!({"active": false})).await.status, 200);
    assert_eq!(send(&boss, "PUT", &sub, json!({"aliases": ["am.example.com"]})).await.status, 403);
    for (method, tail) in [("PUT", "/L2FscGhh"), ("DELETE", "/L2FscGhh"), ("PUT", "/L2dhbW1h"), ("DELETE", "/L2dhbW1h")]
    {
        assert_eq!(send(&boss, method, tail, json!({"active": false})).await.status, 403, "{method} {tail}");
    }
    assert_eq!(send(&boss, "DELETE", &sub, json!({})).await.status, 200);
}
