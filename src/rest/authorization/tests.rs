//! The endpoint and error tables of authorization.md, in its order, over HTTP. Evaluation is in [`decisions`].

mod decisions;
mod rows;

use crate::{
    audit::Audit,
    config::LogFormat,
    rest::{
        authorization::routes,
        testing::{Reply, Rig},
    },
};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const ALPHA: &str = "/realms/root/realms/alpha";
const ADMIN: &str = "id=amadmin,ou=user,ou=am-config";
const URL: &str = "76656a38-5f8e-401b-83aa-4ccb74ce88d2";

/// A cluster of one with realm `alpha`.
pub(super) struct Service {
    pub rig: Rig,
}

impl Service {
    pub async fn new() -> Self {
        let rig = Rig::new().await;
        rig.realm("alpha").await;
        Self { rig }
    }

    /// As [`new`](Self::new), with what §11 starts from: resource type W, policy set `w`.
    pub async fn with_w() -> Self {
        Self::new().await.and_w().await
    }

    /// As [`with_w`](Self::with_w), with another record of decisions.
    pub async fn recorded(audit: Audit) -> Self {
        let rig = Rig::under(audit, &Default::default()).await;
        rig.realm("alpha").await;
        Self { rig }.and_w().await
    }

    /// As [`with_w`](Self::with_w), with other rules for decisions.
    pub async fn ruled(decisions: &crate::decisions::Settings) -> Self {
        let audit = Audit::start(Default::default(), LogFormat::Text).expect("a thread");
        let rig = Rig::under(audit, decisions).await;
        rig.realm("alpha").await;
        Self { rig }.and_w().await
    }

    async fn and_w(self) -> Self {
        let service = self;
        let w = json!({"uuid": "W", "name": "W", "patterns": ["api://w/*"], "actions": {"GRANT": true, "AUDIT": true}});
        assert_eq!(service.send("POST", "resourcetypes?_action=create", &w).await.status, 201);
        assert_eq!(service.send("POST", "applications?_action=create", &set("w", &["W"])).await.status, 201);
        service
    }

    /// As the administrator, in `alpha`, with the versions given.
    pub async fn versioned(&self, versions: &str, method: &str, path: &str, body: &Value) -> Reply {
        let ask = self.rig.admin(method, &format!("{ALPHA}/{path}")).header("Accept-API-Version", versions);
        let ask = ask.at(routes(crate::rest::routes()));
        if body.is_null() { ask.go().await } else { ask.json(body).await }
    }

    /// With the newest versions.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.versioned("protocol=2.1", method, path, body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &Value::Null).await
    }

    /// Of somebody with a session.
    pub async fn session_as(&self, session: Option<&str>, method: &str, path: &str, body: &Value) -> Reply {
        let ask = self.rig.ask(method, &format!("{ALPHA}/{path}")).at(routes(crate::rest::routes()));
        match session {
            Some(session) => ask.session(session).json(body).await,
            None => ask.json(body).await,
        }
    }

    /// Stores a policy.
    pub async fn policy(&self, body: &Value) {
        let reply = self.send("POST", "policies?_action=create", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    /// A session of a user of `alpha` who is nobody special.
    pub async fn user(&self, name: &str) -> String {
        let body = json!({"username": name, "userpassword": "correct horse", "mail": [format!("{name}@example.com")]});
        assert_eq!(self.send("POST", "users?_action=create", &body).await.status, 201);
        self.rig.session(&RealmPath::from("/alpha"), Kind::User, name).await
    }

    /// A session of an agent of `alpha`.
    pub async fn agent(&self, name: &str) -> String {
        let body = json!({"userpassword": "agent password"});
        let reply = self.send("PUT", &format!("realm-config/agents/IdentityGateway/{name}"), &body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        self.rig.session(&RealmPath::from("/alpha"), Kind::IdentityGateway, name).await
    }

    /// The names in a listing, in order.
    async fn listed(&self, path: &str) -> Vec<String> {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let names = reply.json["result"].as_array().expect("an array").iter();
        names.map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    }
}

pub(super) fn set(name: &str, types: &[&str]) -> Value {
    json!({"name": name, "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": types})
}

/// A policy of `w` that grants `api://w/{name}` to claim `subject` = `c1`.
pub(super) fn policy(name: &str) -> Value {
    json!({
        "name": name, "active": true, "applicationName": "w", "resourceTypeUuid": "W",
        "resources": [format!("api://w/{name}")], "actionValues": {"GRANT": true},
        "subject": {"type": "JwtClaim", "claimName": "subject", "claimValue": "c1"},
    })
}

pub(super) fn with(mut body: Value, member: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(body.as_object_mut().expect("an object").remove(member)),
        value => body[member] = value,
    }
    body
}

/// Every path of the table has a test that names it; a new one without fails here.
#[test]
fn every_route_has_a_test() {
    let tested = [
        ("resourcetypes", "resource_types_as_in_2_2"),
        ("applications", "policy_sets_as_in_2_3"),
        ("policies", "policies_as_in_2_4"),
        ("applicationtypes", "catalogues_as_in_2_7"),
        ("conditiontypes", "catalogues_as_in_2_7"),
        ("subjecttypes", "catalogues_as_in_2_7"),
        ("decisioncombiners", "catalogues_as_in_2_7"),
        ("subjectattributes", "subject_attributes_as_in_2_7_4"),
    ];
    let routes = routes(crate::rest::Routes::default());
    let paths: Vec<String> = routes.paths().collect();
    let expected: Vec<&str> = tested.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths, expected);
    let source = include_str!("tests.rs");
    for (path, test) in tested {
        assert!(source.contains(&format!("async fn {test}()")), "{path}: {test}");
        assert!(source.contains(&format!("\"{path}")), "{path} is asked for");
    }
}

/// §1.3: in the top-level realm and in every new one, as copies of their own.
#[actix_web::test]
async fn built_in_objects_as_in_1_3() {
    let service = Service::new().await;
    for realm in ["/realms/root", ALPHA] {
        let get = |path: &str| {
            let ask = service.rig.admin("GET", &format!("{realm}/{path}")).at(routes(crate::rest::routes()));
            async move { ask.go().await }
        };
        for (uuid, name, patterns, actions) in [
            (URL, "URL", json!(["*://*:*/*", "*://*:*/*?*"]), "GET POST PUT DELETE HEAD OPTIONS PATCH"),
            ("d60b7a71-1dc6-44a5-8e48-e4b9d92dee8b", "OAuth2 Scope", json!(["*://*:*/*", "*://*:*/*?*", "*"]), "GRANT"),
            (
                "20a13582-1f32-4f83-905f-f71ff4e2e00d",
                "Delegation Service",
                json!(["sms://*:*/*", "sms://*:*/*?*"]),
                "READ MODIFY DELEGATE",
            ),
        ] {
            let reply = get(&format!("resourcetypes/{uuid}")).await;
            assert_eq!((&reply.json["name"], &reply.json["patterns"]), (&json!(name), &patterns), "{}", reply.text);
            let actions: Value = actions.split(' ').map(|name| (name.to_owned(), json!(true))).collect();
            assert_eq!(reply.json["actions"], actions);
        }
        for (name, display_name, uuid) in [
            ("iPlanetAMWebAgentService", "Default Policy Set", URL),
            ("oauth2Scopes", "Default OAuth2 Scopes Policy Set", "d60b7a71-1dc6-44a5-8e48-e4b9d92dee8b"),
            ("sunAMDelegationService", "Delegation Policy Set", "20a13582-1f32-4f83-905f-f71ff4e2e00d"),
        ] {
            let reply = get(&format!("applications/{name}")).await;
            assert_eq!(reply.json["displayName"], display_name, "{}", reply.text);
            assert_eq!(reply.json["resourceTypeUuids"], json!([uuid]));
            assert_eq!(reply.json["createdBy"], "id=dsameuser,ou=user,ou=am-config");
        }
    }
    // Trap 29: the same uuid in two realms is two resource types.
    let url = json!({"uuid": URL, "name": "URL", "patterns": ["x"], "actions": {"GET": true}});
    assert_eq!(service.send("PUT", &format!("resourcetypes/{URL}"), &url).await.status, 200);
    let root = service.rig.admin("GET", &format!("/realms/root/resourcetypes/{URL}"));
    assert_eq!(root.at(routes(crate::rest::routes())).go().await.json["patterns"][0], "*://*:*/*");
}

/// §2.1.1 to §2.1.5: forms of paths, versions, protocol, revisions.
#[actix_web::test]
async fn rules_shared_as_in_2_1() {
    let service = Service::with_w().await;
    // 2.1.1: all forms; a trailing slash; percent-encoded ids.
    let table = || routes(crate::rest::routes());
    for path in [
        "/realms/root/realms/alpha/applications/w",
        "/alpha/applications/w",
        "/applications/w?realm=/alpha",
        "/realms/root/realms/alpha/applications/%77",
    ] {
        assert_eq!(service.rig.admin("GET", path).at(table()).go().await.json["name"], "w", "{path}");
    }
    let spaced = with(policy("r"), "name", json!("my policy"));
    let created = service.send("POST", "policies/?_action=create", &spaced).await;
    let location = "https://am.example.com:8443/am/json/realms/root/realms/alpha/policies/my%20policy";
    assert_eq!((created.status, created.header("Location")), (201, Some(location)));
    assert_eq!(service.get("policies/my%20policy").await.status, 200);

    // 2.1.3: same major, at least the minor; the answer names the version.
    for (path, asked, answered) in [
        ("resourcetypes/W", "resource=1.0", "1.0"),
        ("applications/w", "resource=1.0", "1.0"),
        ("applications/w", "resource=2.0", "2.1"),
        ("applications/w", "resource=2.1, protocol=2.0", "2.1"),
        ("applications/w", "protocol=2.0", "2.1"),
        ("policies/my%20policy", "resource=1.0", "1.0"),
        ("policies/my%20policy", "resource=2.0", "2.1"),
        ("applicationtypes/umaApplicationType", "resource=1.0", "1.0"),
    ] {
        let reply = service.versioned(asked, "GET", path, &Value::Null).await;
        let version = format!("resource={answered}");
        assert_eq!(
            (reply.status, reply.header("Content-API-Version")),
            (200, Some(version.as_str())),
            "{path} {asked}"
        );
    }
    for (path, asked) in
        [("policies/x", "9.0"), ("policies/x", "2.2"), ("resourcetypes/W", "2.0"), ("subjecttypes/NOT", "1.1")]
    {
        let reply = service.versioned(&format!("resource={asked}"), "GET", path, &Value::Null).await;
        let text = format!("Accept-API-Version: Requested version \"{asked}\" does not match any routes.");
        assert_eq!(reply.error(), (404, text.as_str()));
    }

    // 2.1.4: what the protocol changes.
    let v1 = |path: &'static str| service.versioned("protocol=1.0,resource=2.1", "GET", path, &Value::Null);
    let shown = v1("applications/w").await;
    assert_eq!((shown.json.get("_id"), shown.json.get("_rev")), (None, None), "{}", shown.text);
    let shown = service.get("applications/w").await;
    assert!(shown.text.starts_with("{\"_id\":\"w\",\"_rev\":\""), "{}", shown.text);
    for (path, body) in [
        ("resourcetypes/new", json!({"name": "New", "patterns": ["x"], "actions": {"A": true}})),
        ("applications/new", set("new", &["W"])),
        ("policies/new", policy("new")),
    ] {
        assert_eq!(service.versioned("protocol=1.0", "PUT", path, &body).await.status, 404, "{path}");
        let created = service.send("PUT", path, &body).await;
        assert_eq!((created.status, created.header("Location").is_some()), (201, true), "{path}: {}", created.text);
        let updated = service.send("PUT", path, &body).await;
        assert_eq!((updated.status, updated.header("Location")), (200, None), "{path}");
        assert_eq!(service.versioned("protocol=1.0", "PUT", path, &body).await.status, 200, "{path}");
        let again = service.rig.admin("PUT", &format!("{ALPHA}/{path}")).at(table());
        assert_eq!(again.header("If-None-Match", "*").json(&body).await.status, 412, "{path}");
        let deleted = service.send("DELETE", path, &Value::Null).await;
        let id = format!("{{\"_id\":\"{}\",\"_rev\":\"0\"}}", "new");
        assert_eq!((deleted.status, deleted.text.as_str()), (200, id.as_str()), "{path}");
        assert_eq!(deleted.header("ETag"), Some("\"0\""));
        service.send("PUT", path, &body).await;
        assert_eq!(service.versioned("protocol=1.0", "DELETE", path, &Value::Null).await.text, "{}", "{path}");
    }

    // 2.1.5: dates are revisions; a resource type has none but on a read.
    let set_now = service.get("applications/w").await;
    let date = set_now.json["lastModifiedDate"].as_i64().expect("milliseconds").to_string();
    assert_eq!(
        (set_now.json["_rev"].as_str(), set_now.header("ETag")),
        (Some(date.as_str()), Some(&*format!("\"{date}\"")))
    );
    let read = service.get("resourcetypes/W").await;
    assert!(read.json["_rev"].as_str().is_some_and(|rev| rev.parse::<i64>().is_ok()), "{}", read.text);
    let listed = service.get("resourcetypes?_queryFilter=name+eq+%22W%22").await;
    assert_eq!((listed.json["resultCount"].as_i64(), listed.json["result"][0].get("_rev")), (Some(1), None));
    assert_eq!(service.get("conditiontypes?_queryFilter=true").await.json["result"][0].get("_rev"), None);
    assert!(service.get("conditiontypes/AND").await.json["_rev"].is_string());
    // AD-04: whoever insists on a revision that has passed is told so.
    let stale = service.rig.admin("PUT", &format!("{ALPHA}/applications/w")).at(table());
    assert_eq!(stale.header("If-Match", "\"1\"").json(&set("w", &["W"])).await.status, 412);
    let fresh = service.rig.admin("PUT", &format!("{ALPHA}/applications/w")).at(table());
    assert_eq!(fresh.header("If-Match", &date).json(&set("w", &["W"])).await.status, 200);
}

/// An extension: a write tells where in the log it happened; a read does not.
#[actix_web::test]
async fn writes_tell_their_revision() {
    let service = Service::with_w().await;
    let told = |reply: &Reply| reply.header(crate::crest::REVISION_HEADER).and_then(|text| text.parse::<u64>().ok());
    let created = told(&service.send("PUT", "policies/r", &policy("r")).await);
    let updated = told(&service.send("PUT", "policies/r", &policy("r")).await);
    let copied = service.send("POST", "policies/r?_action=copy", &json!({"to": {"name": "s"}})).await;
    let deleted = told(&service.send("DELETE", "policies/r", &Value::Null).await);
    assert!(created.is_some() && created < updated && updated < told(&copied) && told(&copied) < deleted);
    assert_eq!(told(&service.get("policies/s").await), None);
    assert_eq!(told(&service.send("PUT", "policies/s", &json!({"resources": []})).await), None, "nothing was written");
}

/// §2.1.6: the envelope, paging, sorting, fields.
#[actix_web::test]
async fn queries_as_in_2_1_6() {
    let service = Service::with_w().await;
    for name in ["p1", "p2", "p3"] {
        service.policy(&policy(name)).await;
    }
    let all = service.get("policies?_queryFilter=true&_fields=name").await;
    assert!(
        all.text.ends_with(
            "\"resultCount\":3,\"pagedResultsCookie\":null,\"totalPagedResultsPolicy\":\"NONE\",\
             \"totalPagedResults\":-1,\"remainingPagedResults\":0}"
        ),
        "{}",
        all.text
    );
    let page = service.get("policies?_queryFilter=true&_pageSize=2&_pagedResultsOffset=0&_sortKeys=-name").await;
    let names: Vec<&Value> = page.json["result"].as_array().expect("a page").iter().map(|item| &item["name"]).collect();
    assert_eq!((names, &page.json["remainingPagedResults"]), (vec![&json!("p3"), &json!("p2")], &json!(1)));
    let rest = service.get("policies?_queryFilter=true&_pageSize=2&_pagedResultsOffset=2&_sortKeys=-name").await;
    assert_eq!((&rest.json["resultCount"], &rest.json["remainingPagedResults"]), (&json!(1), &json!(0)));
    // Without a filter: everything.
    assert_eq!(service.listed("applications?_queryId=whatever").await.len(), 4);
    assert_eq!(service.listed("resourcetypes?_queryId=whatever").await.len(), 4);
    // The two filters of deployed tooling.
    let filter = "applications?_queryFilter=name+eq+%22%5E(?!sunAMDelegationService$).*%22";
    assert_eq!(service.listed(filter).await, ["iPlanetAMWebAgentService", "oauth2Scopes", "w"]);
    let filter = "resourcetypes?_queryFilter=name+eq+%22%5E(?!Delegation%20Service$).*%22+AND+name+eq+%22w%22";
    assert_eq!(service.listed(filter).await, ["W"]);
}

/// §2.2: operations and the error table.
#[actix_web::test]
async fn resource_types_as_in_2_2() {
    let service = Service::new().await;
    let body = json!({
        "uuid": "6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7", "name": "Warehouse API",
        "description": "Scopes of the warehouse API", "patterns": ["api://warehouse/*"],
        "actions": {"GRANT": true, "AUDIT": false},
    });
    let v1 = "protocol=1.0,resource=1.0";
    let create = "resourcetypes?_action=create";
    // 2.2.2, as it is printed there.
    let reply = service.versioned(v1, "POST", create, &body).await;
    let url = "https://am.example.com:8443/am/json/realms/root/realms/alpha/resourcetypes/6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7";
    assert_eq!(
        (reply.status, reply.header("Location"), reply.header("ETag")),
        (201, Some(url), None),
        "{}",
        reply.text
    );
    let mut expected = body.clone();
    for (member, value) in [("createdBy", json!(ADMIN)), ("lastModifiedBy", json!(ADMIN))] {
        expected[member] = value;
    }
    for member in ["creationDate", "lastModifiedDate"] {
        assert!(reply.json[member].is_i64(), "{}", reply.text);
        expected[member] = reply.json["creationDate"].clone();
    }
    assert_eq!(reply.json, expected);
    // 2.2.1: a uuid of any shape or a fresh one; what the server assigns is ignored.
    let free = json!({"name": "Free", "patterns": ["a"], "actions": {"A": true}, "uuid": "any thing",
        "createdBy": "me", "creationDate": 1, "_id": "x", "_rev": "1"});
    let reply = service.send("POST", create, &free).await;
    assert_eq!(
        (reply.status, &reply.json["uuid"], &reply.json["createdBy"]),
        (201, &json!("any thing"), &json!(ADMIN))
    );
    assert_eq!((&reply.json["_id"], &reply.json["description"]), (&json!("any thing"), &Value::Null));
    let fresh = with(with(free.clone(), "uuid", Value::Null), "name", json!("Fresh"));
    assert_eq!(service.send("POST", create, &fresh).await.json["uuid"].as_str().map(str::len), Some(36));
    // An update keeps who created it and when, and replaces the rest.
    let path = "resourcetypes/6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7";
    let changed = with(body.clone(), "description", Value::Null);
    let updated = service.versioned(v1, "PUT", path, &changed).await;
    assert_eq!((updated.status, updated.header("ETag"), &updated.json["description"]), (200, None, &Value::Null));
    assert_eq!(updated.json["creationDate"], expected["creationDate"]);
    assert!(updated.json["lastModifiedDate"].as_i64() > expected["lastModifiedDate"].as_i64());

    // 2.2.4, row by row.
    let none = Value::Null;
    let named = |name: &str| with(with(body.clone(), "uuid", json!("other")), "name", json!(name));
    let unknown = "Resource Type nope does not exist in realm /alpha";
    for (versions, method, path, sent, status, message) in [
        (v1, "GET", "resourcetypes/nope", &none, 404, unknown),
        (v1, "DELETE", "resourcetypes/nope", &none, 404, unknown),
        (v1, "PUT", "resourcetypes/nope", &with(body.clone(), "uuid", none.clone()), 404, unknown),
        (v1, "POST", create, &with(named("x"), "name", none.clone()), 400, "Resource Type name must be specified."),
        (v1, "POST", create, &named("  "), 400, "Resource Type name must be specified."),
        (v1, "POST", create, &body, 409, "Resource Type 6f1d2c8e-0b5a-4a86-9d3b-2f7c1e90a4d7 already exists"),
        (v1, "POST", create, &named("warehouse api"), 409, "Resource Type warehouse api already exists"),
        (
            v1,
            "PUT",
            path,
            &named("x"),
            400,
            "Resource Type UUID specified in URL does not match UUID specified in JSON.",
        ),
        (
            v1,
            "DELETE",
            &format!("resourcetypes/{URL}"),
            &none,
            409,
            "Unable to remove resource type 76656a38-5f8e-401b-83aa-4ccb74ce88d2 because it is referenced in the policy model.",
        ),
        (v1, "POST", create, &with(named("x"), "patterns", none.clone()), 400, "Invalid value patterns"),
        (v1, "POST", create, &with(named("x"), "actions", none.clone()), 400, "Invalid value actions"),
        (
            v1,
            "POST",
            create,
            &with(named("x"), "colour", json!(1)),
            400,
            "Unable to instantiate class Unrecognized member 'colour'.",
        ),
        (v1, "PATCH", path, &json!([]), 501, "Operation is not supported."),
        (
            v1,
            "POST",
            "resourcetypes?_action=template",
            &json!({}),
            501,
            "Action template not implemented for this resource",
        ),
    ] {
        let reply = service.versioned(versions, method, path, sent).await;
        assert_eq!(reply.error(), (status, message), "{method} {path} {sent}");
    }
    let broken = service.rig.admin("POST", &format!("{ALPHA}/{create}")).at(routes(crate::rest::routes()));
    assert_eq!(broken.raw("application/json", "{\"name\":").await.status, 400);
    // A query of everything that failed: nothing has changed.
    assert_eq!(service.listed("resourcetypes?_queryFilter=name+co+%22x%22").await, Vec::<String>::new());
    // Not in use: gone.
    assert_eq!(service.versioned(v1, "DELETE", path, &none).await.text, "{}");
    assert_eq!(service.get(path).await.status, 404);
}

/// §2.3: operations, version 1.0 and the error table.
#[actix_web::test]
async fn policy_sets_as_in_2_3() {
    let service = Service::with_w().await;
    let create = "applications/?_action=create";
    let v2 = "protocol=1.0,resource=2.1";
    let none = Value::Null;
    // 2.3.2.
    let body = json!({
        "name": "warehouse", "displayName": "Warehouse scopes", "applicationType": "iPlanetAMWebAgentService",
        "entitlementCombiner": "DenyOverride", "resourceTypeUuids": ["W"],
        "conditions": ["AND", "OR", "NOT", "Script", "SimpleTime", "OAuth2Scope"],
        "subjects": ["AND", "OR", "NOT", "JwtClaim", "AuthenticatedUsers", "Identity", "NONE"], "attributeNames": [],
    });
    let reply = service.versioned(v2, "POST", create, &body).await;
    let mut expected = body.clone();
    let date = reply.json["creationDate"].clone();
    for (member, value) in [
        ("description", json!(null)),
        ("createdBy", json!(ADMIN)),
        ("lastModifiedBy", json!(ADMIN)),
        ("creationDate", date.clone()),
        ("lastModifiedDate", date.clone()),
        ("saveIndex", json!(null)),
        ("searchIndex", json!(null)),
        ("resourceComparator", json!(null)),
        ("editable", json!(true)),
    ] {
        expected[member] = value;
    }
    assert_eq!((reply.status, &reply.json), (201, &expected));
    assert_eq!(reply.header("ETag"), Some(format!("\"{date}\"").as_str()));
    assert!(reply.header("Location").is_some_and(|url| url.ends_with("/applications/warehouse")));
    // 2.3.4: PUT replaces; a set that is in use can be changed.
    service.policy(&with(policy("r"), "applicationName", json!("warehouse"))).await;
    let wider = set("warehouse", &["W", URL]);
    let reply = service.versioned(v2, "PUT", "applications/warehouse", &wider).await;
    assert_eq!((reply.status, &reply.json["displayName"], &reply.json["creationDate"]), (200, &none, &date));
    // §10 #17: a type that is in use may be taken away; the policy goes on, and cannot be written again.
    assert_eq!(service.send("PUT", "applications/warehouse", &set("warehouse", &[URL])).await.status, 200);
    assert_eq!(service.get("policies/r").await.status, 200);
    let again = service.send("PUT", "policies/r", &with(policy("r"), "applicationName", json!("warehouse"))).await;
    assert_eq!(again.status, 400);
    assert_eq!(service.send("PUT", "applications/warehouse", &wider).await.status, 200);

    // 2.3.5, row by row.
    let no_type = "Invalid application type defined in request.";
    let fresh = |name: &str| set(name, &["W"]);
    let altered = "Application cannot be altered because policies exist within the Application. Remove all policies \
                   from the Application before attempting to delete the Application.";
    for (versions, method, path, sent, status, message) in [
        (v2, "POST", create, &with(fresh("x"), "applicationType", none.clone()), 400, no_type),
        (v2, "POST", create, &with(fresh("x"), "applicationType", json!("nope")), 400, no_type),
        (v2, "POST", create, &with(fresh("x"), "name", none.clone()), 400, "Application name must be specified."),
        (
            v2,
            "PUT",
            "applications/warehouse",
            &fresh("other"),
            400,
            "Application name specified in URL does not match application name specified in JSON.",
        ),
        (v2, "POST", create, &fresh("a+b"), 400, "Invalid Policy Set Id"),
        (v2, "POST", create, &fresh("#a"), 400, "Invalid Policy Set Id"),
        (v2, "POST", create, &set("x", &["nope"]), 400, "Invalid resource type nope."),
        (v2, "POST", create, &body, 409, "Application already exists"),
        (v2, "POST", create, &fresh("WAREHOUSE"), 409, "Application already exists"),
        (v2, "GET", "applications/nope", &none, 404, "Unable to retrieve application under realm /alpha."),
        (v2, "DELETE", "applications/nope", &none, 404, "nope application not found in realm."),
        (v2, "PUT", "applications/nope", &fresh("nope"), 404, "nope not found."),
        (v2, "DELETE", "applications/warehouse", &none, 409, altered),
        (
            v2,
            "POST",
            create,
            &with(fresh("x"), "saveIndex", json!("com.example.X")),
            400,
            "Unable to instantiate class com.example.X.",
        ),
        (v2, "PATCH", "applications/w", &json!([]), 501, "Operation is not supported."),
        (
            v2,
            "POST",
            "applications?_action=template",
            &json!({}),
            501,
            "Action template not implemented for this resource",
        ),
        (v2, "GET", "applications?_queryFilter=!(name+eq+%22a%22)", &none, 400, "Invalid Query Filter"),
    ] {
        let reply = service.versioned(versions, method, path, sent).await;
        assert_eq!(reply.error(), (status, message), "{method} {path} {sent}");
    }
    assert_eq!(service.get("applications/x").await.status, 404, "nothing was stored");
    // Empty, it goes.
    assert_eq!(service.send("DELETE", "policies/r", &none).await.status, 200);
    assert_eq!(service.send("DELETE", "applications/warehouse", &none).await.status, 200);
}

/// §2.3.6.
#[actix_web::test]
async fn policy_sets_of_version_1_as_in_2_3_6() {
    let service = Service::with_w().await;
    let v1 = "resource=1.0";
    let body = json!({
        "name": "old", "realm": "/alpha", "applicationType": "iPlanetAMWebAgentService",
        "actions": {"PULL": true}, "resources": ["old://*"],
    });
    let reply = service.versioned(v1, "POST", "applications?_action=create", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(
        (&reply.json["realm"], &reply.json["actions"], &reply.json["resources"]),
        (&json!("/alpha"), &json!({"PULL": true}), &json!(["old://*"]))
    );
    assert_eq!((reply.json.get("resourceTypeUuids"), reply.json.get("displayName")), (None, None));
    let uuid = service.get("applications/old").await.json["resourceTypeUuids"][0].as_str().expect("a type").to_owned();
    let made = service.get(&format!("resourcetypes/{uuid}")).await;
    let digits = made.json["name"].as_str().and_then(|name| name.strip_prefix("oldResourceType")).expect("a name");
    assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{digits}");
    assert_eq!(made.json["description"], "Generated resource type");
    // The same once more shares the type.
    let twin = with(body.clone(), "name", json!("twin"));
    assert_eq!(service.versioned(v1, "POST", "applications?_action=create", &twin).await.status, 201);
    assert_eq!(service.get("applications/twin").await.json["resourceTypeUuids"], json!([uuid]));
    // An update changes it in place.
    let wider = with(body.clone(), "resources", json!(["old://*", "older://*"]));
    let reply = service.versioned(v1, "PUT", "applications/old", &wider).await;
    assert_eq!((reply.status, &reply.json["resources"]), (200, &json!(["old://*", "older://*"])), "{}", reply.text);
    let patterns = service.get(&format!("resourcetypes/{uuid}")).await.json["patterns"].clone();
    assert_eq!(patterns, json!(["old://*", "older://*"]));
    // Reads merge all types.
    assert_eq!(service.send("PUT", "applications/old", &set("old", &[&uuid, "W"])).await.status, 200);
    let merged = service.versioned(v1, "GET", "applications/old", &Value::Null).await;
    assert_eq!(merged.json["resources"], json!(["api://w/*", "old://*", "older://*"]));
    assert_eq!(merged.json["actions"], json!({"AUDIT": true, "GRANT": true, "PULL": true}));

    let elsewhere = "Attempted to create Application in realm /x, but request originated from /alpha.";
    for (sent, message) in [
        (with(body.clone(), "realm", json!("/x")), elsewhere),
        (with(body.clone(), "actions", Value::Null), "Invalid actions defined in request"),
        (with(body.clone(), "resources", Value::Null), "Invalid resources defined in request"),
    ] {
        let sent = with(sent, "name", json!("third"));
        let reply = service.versioned(v1, "POST", "applications?_action=create", &sent).await;
        assert_eq!(reply.error(), (400, message));
    }
    let several = "Cannot modify application with more than one resource type using version 1.0 of this endpoint";
    assert_eq!(service.versioned(v1, "PUT", "applications/old", &body).await.error(), (400, several));
}

/// §2.4: object, dates, rename, query, delete.
#[actix_web::test]
async fn policies_as_in_2_4() {
    let service = Service::with_w().await;
    let create = "policies?_action=create";
    let mut body = with(policy("r"), "description", json!("storefront may read"));
    body["condition"] = json!({"type": "AND", "conditions": [{"type": "AND", "conditions": [
        {"type": "SimpleTime", "startTime": "00:00", "endTime": "24:00"}]}]});
    body["resourceAttributes"] = json!([{"type": "Static", "propertyName": "tier", "propertyValues": ["gold"]}]);
    assert_eq!(service.send("POST", create, &body).await.status, 201);
    let reply = service.get("policies/r").await;
    let revision = reply.json["_rev"].as_str().expect("a revision").to_owned();
    assert_eq!(reply.header("ETag"), Some(format!("\"{revision}\"").as_str()));
    for member in ["name", "active", "description", "resources", "applicationName", "actionValues", "subject"] {
        assert_eq!(reply.json[member], body[member], "{member}");
    }
    assert_eq!((&reply.json["createdBy"], &reply.json["lastModifiedBy"]), (&json!(ADMIN), &json!(ADMIN)));
    // 2.4.2: what follows the dot is the number of milliseconds.
    let date = reply.json["lastModifiedDate"].as_str().expect("text");
    let millis = date.strip_suffix('Z').and_then(|text| text.split_once('.')).expect("a fraction").1;
    let number: u64 = revision.parse().expect("a number");
    assert_eq!(millis, (number % 1000).to_string());
    // Defaults: nulls are left out, no subject is NONE, active is true, the default set.
    let plain = json!({"name": "plain", "resources": ["https://a.acme.test/*"], "resourceTypeUuid": URL});
    let reply = service.send("POST", create, &plain).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(
        (&reply.json["subject"], &reply.json["active"], &reply.json["applicationName"], &reply.json["actionValues"]),
        (&json!({"type": "NONE"}), &json!(true), &json!("iPlanetAMWebAgentService"), &json!({}))
    );
    assert_eq!(reply.json["resources"], json!(["https://a.acme.test:443/*"]), "canonical");
    for absent in ["description", "condition", "resourceAttributes"] {
        assert_eq!(reply.json.get(absent), None);
    }
    // What the server assigns, and leftovers, are accepted and ignored.
    let echoed = with(with(plain.clone(), "name", json!("echoed")), "createdBy", json!("me"));
    let echoed = with(with(echoed, "ttl", json!(1)), "_rev", json!("5"));
    assert_eq!(service.send("POST", create, &echoed).await.json["createdBy"], ADMIN);
    let numbers = with(with(plain.clone(), "name", json!("numbers")), "actionValues", json!({"GET": 0, "POST": 2}));
    let reply = service.send("POST", create, &numbers).await;
    assert_eq!(reply.json["actionValues"], json!({"GET": false, "POST": true}));
    // A PUT takes its name from the URL.
    let unnamed = with(policy("x"), "name", Value::Null);
    assert_eq!(service.send("PUT", "policies/unnamed", &unnamed).await.json["name"], "unnamed");

    // 2.4.5: a name that differs renames, under either protocol.
    assert_eq!(service.send("PUT", "policies/r", &with(body.clone(), "name", json!("s"))).await.json["_id"], "s");
    assert_eq!(service.get("policies/r").await.status, 404);
    let v1 = service.versioned("protocol=1.0", "PUT", "policies/s", &body).await;
    assert_eq!((v1.status, &v1.json["name"]), (200, &json!("r")));
    assert_eq!(v1.json["createdBy"], ADMIN);
    let taken = service.send("PUT", "policies/r", &with(body.clone(), "name", json!("plain"))).await;
    assert_eq!(taken.error(), (409, "Policy already exists"));
    assert_eq!(service.get("policies/r").await.status, 200, "it is still there");

    // 2.4.6.
    assert_eq!(service.listed("policies?_queryFilter=applicationName+eq+%22w%22").await, ["r", "unnamed"]);
    assert_eq!(service.listed("policies?_queryFilter=applicationName+eq+%22nope%22").await, Vec::<String>::new());
    let identity = |name: &str, uid: &str, negated: bool| {
        let subject = json!({"type": "Identity", "subjectValues": [uid]});
        let subject = if negated { json!({"type": "NOT", "subject": subject}) } else { subject };
        let tree = json!({"type": "OR", "subjects": [{"type": "NONE"}, subject]});
        with(policy(name), "subject", tree)
    };
    service.policy(&identity("for mona", "id=mona,ou=user,o=alpha,ou=services,ou=am-config", false)).await;
    service.policy(&identity("not mona", "id=mona,ou=user,o=alpha,ou=services,ou=am-config", true)).await;
    let by_uid =
        "policies?_queryId=queryByIdentityUid&uid=ID%3Dmona,%20ou%3Duser,o%3Dalpha,ou%3Dservices,ou%3Dam-config";
    assert_eq!(service.listed(by_uid).await, ["for mona"]);
    for (path, message) in [
        ("policies?_queryId=queryByIdentityUid", "Query is missing uid property."),
        ("policies?_queryId=other", "Invalid query Id other."),
        (
            "policies?_queryFilter=name+eq+%22a%22+or+name+eq+%22b%22",
            "Incorrect search filter, 'Or' not supported in policy queries.",
        ),
        ("policies?_queryFilter=colour+eq+%22a%22", "Incorrect search filter, Unknown query field 'colour'."),
        ("policies?_queryFilter=creationDate+gt+%22x%22", "Invalid value x"),
    ] {
        assert_eq!(service.get(path).await.error(), (400, message), "{path}");
    }
    // 2.4.7.
    assert_eq!(service.send("DELETE", "policies/r", &Value::Null).await.text, "{\"_id\":\"r\",\"_rev\":\"0\"}");
    assert_eq!(service.send("DELETE", "policies/r", &Value::Null).await.error(), (404, "Policy r does not exist."));
}

/// §2.4.8, row by row.
#[actix_web::test]
async fn policy_errors_as_in_2_4_8() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let bare = json!({"name": "bare", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": []});
    assert_eq!(service.send("POST", "applications?_action=create", &bare).await.status, 201);
    let none = Value::Null;
    let create = "policies?_action=create";
    let fresh = || policy("fresh");
    let missing = "Policy night-shift does not exist.";
    let no_set = "Unable to retrieve application under realm /alpha.";
    let foreign = |uuid: &str| {
        format!("Invalid resource type {uuid}, must be one from the set defined against the containing application.")
    };
    let v1 = "protocol=1.0";
    let v2 = "protocol=2.0";
    let (foreign_url, foreign_null) = (foreign(URL), foreign("null"));
    for (versions, method, path, sent, status, message) in [
        (v2, "GET", "policies/night-shift", none.clone(), 404, missing),
        (v2, "DELETE", "policies/night-shift", none.clone(), 404, missing),
        (v1, "PUT", "policies/night-shift", policy("night-shift"), 404, missing),
        (v2, "POST", create, with(fresh(), "name", none.clone()), 400, "Privilege name is missing."),
        (v2, "POST", create, with(fresh(), "name", json!("")), 400, "Policy name cannot be empty."),
        (v2, "POST", create, with(fresh(), "name", json!("a/b")), 400, "Invalid Policy Name"),
        (
            v2,
            "PUT",
            "policies/other",
            fresh(),
            400,
            "Policy name specified in URL does not match policy name specified in JSON.",
        ),
        (v2, "POST", create, with(fresh(), "applicationName", json!("nope")), 400, no_set),
        (v2, "PUT", "policies/fresh", with(fresh(), "applicationName", json!("nope")), 400, no_set),
        (v2, "PUT", "policies/r", with(policy("r"), "applicationName", json!("nope")), 404, no_set),
        (v1, "PUT", "policies/r", with(policy("r"), "applicationName", json!("nope")), 404, no_set),
        (
            v2,
            "POST",
            create,
            with(fresh(), "applicationName", json!("bare")),
            400,
            "No resource type expected as the application has none associated.",
        ),
        (v2, "POST", create, with(fresh(), "resourceTypeUuid", json!(URL)), 400, &foreign_url),
        (v2, "POST", create, with(fresh(), "resourceTypeUuid", none.clone()), 400, &foreign_null),
        (
            v2,
            "POST",
            create,
            with(fresh(), "actionValues", json!({"SHRED": true})),
            400,
            "Invalid value SHRED for property actionValues",
        ),
        (
            v2,
            "POST",
            create,
            with(fresh(), "resources", json!(["api://depot/x"])),
            400,
            "Invalid value api://depot/x for property resources",
        ),
        (
            v2,
            "POST",
            create,
            with(fresh(), "resources", json!(["api://w/*/-*-"])),
            400,
            "Invalid value api://w/*/-*- for property resources",
        ),
        (
            v2,
            "POST",
            create,
            with(fresh(), "resources", none.clone()),
            400,
            "JSON string is invalid. Resource list is empty, must contain at least one entry..",
        ),
        (
            v2,
            "POST",
            create,
            with(fresh(), "resources", json!([])),
            400,
            "JSON string is invalid. Resource list is empty, must contain at least one entry..",
        ),
        (v2, "POST", create, policy("r"), 409, "Policy already exists"),
        (v2, "POST", create, with(fresh(), "colour", json!("red")), 400, "Invalid value colour"),
        (v2, "POST", "policies/r?_action=nosuch", json!({}), 403, "No privilege mapping for requested action nosuch"),
        (v2, "PATCH", "policies/r", json!([]), 501, "Operation is not supported."),
    ] {
        let reply = service.versioned(versions, method, path, &sent).await;
        assert_eq!(reply.error(), (status, message), "{method} {path} {sent}");
    }
    for sent in [
        with(fresh(), "active", json!("yes")),
        with(fresh(), "subject", json!({"type": "Astrology"})),
        with(fresh(), "subject", json!({"claimName": "x"})),
        with(fresh(), "subject", json!({"type": "NONE", "colour": 1})),
        with(fresh(), "condition", json!({"type": "Horoscope"})),
        with(fresh(), "condition", json!({"type": "AND"})),
        with(fresh(), "condition", json!({"type": "NOT"})),
        with(fresh(), "subject", json!({"type": "OR", "subjects": []})),
        with(fresh(), "resourceAttributes", json!([{"type": "Cosmic", "propertyName": "x", "propertyValues": []}])),
    ] {
        let reply = service.send("POST", create, &sent).await;
        assert_eq!(reply.status, 400, "{sent}: {}", reply.text);
    }
    let unknown = service.send("POST", create, &with(fresh(), "subject", json!({"type": "Astrology"}))).await;
    let (_, message) = unknown.error();
    assert!(message.starts_with("JSON string is invalid. ") && message.contains("'Astrology'"), "{message}");
    assert_eq!(service.listed("policies?_queryFilter=true").await, ["r"], "nothing was stored");
    // No body, and no JSON.
    for body in ["", " ", "{", "[]", "null"] {
        let ask = service.rig.admin("POST", &format!("{ALPHA}/{create}")).at(routes(crate::rest::routes()));
        assert_eq!(ask.raw("application/json", body).await.status, 400, "{body:?}");
    }
}

/// §2.4.9.
#[actix_web::test]
async fn policies_of_version_1_as_in_2_4_9() {
    let service = Service::with_w().await;
    let v1 = "resource=1.0";
    let body = with(policy("r"), "resourceTypeUuid", json!("whatever"));
    let reply = service.versioned(v1, "POST", "policies?_action=create", &body).await;
    assert_eq!((reply.status, reply.json.get("resourceTypeUuid")), (201, None), "{}", reply.text);
    assert_eq!(service.get("policies/r").await.json["resourceTypeUuid"], "W");
    for path in ["policies/r", "policies?_queryFilter=true"] {
        let reply = service.versioned(v1, "GET", path, &Value::Null).await;
        assert!(reply.status == 200 && !reply.text.contains("resourceTypeUuid"), "{}", reply.text);
    }
    assert_eq!(service.versioned(v1, "PUT", "policies/r", &body).await.json.get("resourceTypeUuid"), None);
    assert_eq!(service.send("POST", "applications?_action=create", &set("two", &["W", URL])).await.status, 201);
    for (application, status, message) in [
        (Value::Null, 400, "Invalid application name defined in request"),
        (json!("nope"), 404, "Unable to find application nope"),
        (
            json!("two"),
            400,
            "Cannot create policy under an application with more than one resource type using version 1.0 of this endpoint",
        ),
    ] {
        let body = with(with(body.clone(), "name", json!("s")), "applicationName", application);
        let reply = service.versioned(v1, "POST", "policies?_action=create", &body).await;
        assert_eq!(reply.error(), (status, message));
    }
}

/// §2.5.
#[actix_web::test]
async fn copy_and_move_as_in_2_5() {
    let service = Service::with_w().await;
    service.rig.realm("emea").await;
    for name in ["a", "b"] {
        service.policy(&policy(name)).await;
    }
    let other = json!({"uuid": "E", "name": "E", "patterns": ["api://w/*"], "actions": {"GRANT": true}});
    for realm in ["alpha", "emea"] {
        let path = |rest: &str| format!("/realms/root/realms/{realm}/{rest}");
        for (rest, body) in
            [("resourcetypes?_action=create", &other), ("applications?_action=create", &set("eu", &["E"]))]
        {
            let ask = service.rig.admin("POST", &path(rest)).at(routes(crate::rest::routes()));
            assert_eq!(ask.json(body).await.status, 201);
        }
    }
    // One policy: defaults, then everything.
    let reply = service.send("POST", "policies/a?_action=copy", &json!({"to": {"name": "a2"}})).await;
    assert_eq!((reply.status, &reply.json["name"], &reply.json["applicationName"]), (200, &json!("a2"), &json!("w")));
    let to = json!({"to": {"name": "a3", "application": "eu", "realm": "/emea", "resourceType": "E"}});
    let reply = service.send("POST", "policies/a?_action=copy", &to).await;
    assert_eq!((reply.status, &reply.json["resourceTypeUuid"]), (200, &json!("E")), "{}", reply.text);
    let in_emea = |name: &'static str| {
        let ask = service.rig.admin("GET", &format!("/realms/root/realms/emea/policies/{name}"));
        async move { ask.at(routes(crate::rest::routes())).go().await.status }
    };
    assert_eq!((in_emea("a3").await, service.get("policies/a").await.status), (200, 200));
    // Moving takes away.
    let reply = service.send("POST", "policies/a2?_action=move", &json!({"to": {"name": "a4"}})).await;
    assert_eq!((reply.status, service.get("policies/a2").await.status), (200, 404), "{}", reply.text);
    assert_eq!(service.get("policies/a4").await.status, 200);
    // All of a set.
    let all = json!({"from": {"application": "w"}, "to": {"application": "eu", "realm": "/emea", "namePostfix": "-eu"},
        "resourceTypeMapping": {"W": "E"}});
    let reply = service.send("POST", "policies?_action=copy", &all).await;
    let names: Vec<&Value> = reply.json.as_array().expect("an array").iter().map(|policy| &policy["name"]).collect();
    assert_eq!(names, [&json!("a-eu"), &json!("a4-eu"), &json!("b-eu")]);
    assert_eq!(in_emea("b-eu").await, 200);
    let here = json!({"from": {"application": "w"}, "to": {"application": "eu", "namePostfix": "-moved"},
        "resourceTypeMapping": {"W": "E"}});
    assert_eq!(service.send("POST", "policies?_action=move", &here).await.status, 200);
    assert_eq!(service.listed("policies?_queryFilter=true").await, ["a-moved", "a4-moved", "b-moved"]);

    let exists = "policy name already exists within the realm";
    for (path, body, message) in [
        ("policies/a-moved?_action=copy", json!({}), "to definition is missing"),
        ("policies?_action=copy", json!({"to": {}}), "from definition is missing"),
        ("policies?_action=copy", json!({"from": {"application": "eu"}}), "to definition is missing"),
        ("policies?_action=copy", json!({"from": {}, "to": {}}), "from application definition is missing"),
        ("policies/a-moved?_action=copy", json!({"to": {}}), exists),
        (
            "policies?_action=move",
            json!({"from": {"application": "eu"}, "to": {"realm": "/emea", "namePostfix": "-x", "application": "nope"}}),
            "Unable to retrieve application under realm /emea.",
        ),
        ("policies/a-moved?_action=copy", json!({"to": {"realm": "/nowhere"}}), "Invalid destination realm: /nowhere"),
        ("policies/a-moved?_action=copy", json!({"to": {"name": "a/b"}}), "Invalid Policy Name"),
        (
            "policies/a-moved?_action=copy",
            json!({"to": {"name": "x", "application": "w"}}),
            "Invalid resource type E, must be one from the set defined against the containing application.",
        ),
    ] {
        assert_eq!(service.send("POST", path, &body).await.error(), (400, message), "{path} {body}");
    }
    let nobody = service.send("POST", "policies/nobody?_action=copy", &json!({"to": {}})).await;
    assert_eq!(nobody.error(), (404, "Policy nobody does not exist."));
    assert_eq!(service.listed("policies?_queryFilter=true").await.len(), 3, "nothing was half done");
    // Version 2.1 only.
    let old =
        service.versioned("resource=1.0", "POST", "policies/a-moved?_action=copy", &json!({"to": {"name": "x"}})).await;
    assert_eq!(old.status, 501);
}

/// §2.7.1 to §2.7.3, §2.7.5.
#[actix_web::test]
async fn catalogues_as_in_2_7() {
    let service = Service::new().await;
    let titles = |path: &'static str, member: &'static str| {
        let service = &service;
        async move {
            let reply = service.get(&format!("{path}?_queryFilter=true")).await;
            let listed = reply.json["result"].as_array().expect("a listing").clone();
            let titles: Vec<String> =
                listed.iter().map(|item| item[member].as_str().expect("a name").to_owned()).collect();
            let mut sorted = titles.clone();
            sorted.sort();
            assert_eq!(titles, sorted, "{path}");
            for (title, item) in titles.iter().zip(&listed) {
                assert_eq!(item["_id"], **title);
                let read = service.get(&format!("{path}/{title}")).await;
                assert_eq!(with(read.json, "_rev", Value::Null), *item);
            }
            titles.join(" ")
        }
    };
    assert_eq!(
        titles("applicationtypes", "name").await,
        "iPlanetAMWebAgentService sunAMDelegationService umaApplicationType"
    );
    assert_eq!(
        titles("conditiontypes", "title").await,
        "AMIdentityMembership AND AuthLevel AuthScheme AuthenticateToRealm AuthenticateToService IPv4 IPv6 \
         LDAPFilter LEAuthLevel NOT OAuth2Scope OR Policy ResourceEnvIP Script Session SessionProperty SimpleTime \
         Transaction"
    );
    assert_eq!(titles("subjecttypes", "title").await, "AND AuthenticatedUsers Identity JwtClaim NONE NOT OR Policy");
    assert_eq!(titles("decisioncombiners", "title").await, "DenyOverride");
    // The items that the reference prints.
    let uma = with(service.get("applicationtypes/umaApplicationType").await.json, "_rev", Value::Null);
    assert_eq!(uma["resourceComparator"], "org.forgerock.openam.uma.UmaPolicyResourceMatcher");
    let agent = with(service.get("applicationtypes/iPlanetAMWebAgentService").await.json, "_rev", Value::Null);
    assert_eq!(
        agent,
        json!({
            "_id": "iPlanetAMWebAgentService",
            "applicationClassName": "com.sun.identity.entitlement.Application",
            "saveIndex": "org.forgerock.openam.entitlement.indextree.TreeSaveIndex",
            "searchIndex": "org.forgerock.openam.entitlement.indextree.TreeSearchIndex",
            "resourceComparator": "com.sun.identity.entitlement.URLResourceName",
            "name": "iPlanetAMWebAgentService",
            "actions": {"HEAD": true, "DELETE": true, "POST": true, "GET": true, "OPTIONS": true, "PUT": true, "PATCH": true}
        })
    );
    for (path, config) in [
        ("conditiontypes/AND", json!({"conditions": {"type": "array"}})),
        ("conditiontypes/NOT", json!({"condition": {"type": "object", "properties": {}}})),
        ("conditiontypes/AuthLevel", json!({"authLevel": {"type": "integer"}})),
        (
            "conditiontypes/Session",
            json!({"maxSessionTime": {"type": "number"}, "terminateSession": {"type": "boolean", "required": true}}),
        ),
        (
            "conditiontypes/SessionProperty",
            json!({"ignoreValueCase": {"type": "boolean", "required": true}, "properties": {"type": "object"}}),
        ),
        ("conditiontypes/OAuth2Scope", json!({"requiredScopes": {"type": "array", "items": {"type": "string"}}})),
        ("subjecttypes/NOT", json!({"subject": {"type": "object", "properties": {}}})),
        ("subjecttypes/AuthenticatedUsers", json!({})),
        ("subjecttypes/JwtClaim", json!({"claimName": {"type": "string"}, "claimValue": {"type": "string"}})),
    ] {
        let reply = service.get(path).await;
        assert_eq!(reply.json["config"], json!({"type": "object", "properties": config}), "{path}");
        let logical = ["AND", "OR", "NOT"].iter().any(|name| path.ends_with(&format!("/{name}")));
        assert_eq!(reply.json["logical"], json!(logical), "{path}");
    }
    // Read-only; unknown ids.
    for path in ["applicationtypes", "conditiontypes", "subjecttypes", "decisioncombiners"] {
        assert_eq!(service.get(&format!("{path}/nope")).await.status, 404, "{path}");
        for (method, tail) in [
            ("POST", "?_action=create"),
            ("POST", "?_action=anything"),
            ("PUT", "/AND"),
            ("PATCH", "/AND"),
            ("DELETE", "/AND"),
        ] {
            let reply =
                service.versioned("resource=1.0,protocol=1.0", method, &format!("{path}{tail}"), &json!({})).await;
            assert_eq!(reply.status, 501, "{method} {path}{tail}: {}", reply.text);
        }
    }
}

/// §2.7.4.
#[actix_web::test]
async fn subject_attributes_as_in_2_7_4() {
    let service = Service::new().await;
    let reply = service.get("subjectattributes?_queryFilter=true").await;
    let names = reply.json["result"].as_array().expect("an array");
    for name in ["uid", "cn", "sn", "givenName", "mail", "telephoneNumber"] {
        assert!(names.contains(&json!(name)), "{name}");
    }
    assert!(
        reply.text.ends_with(&format!(
            "\"resultCount\":{},\"pagedResultsCookie\":null,\"remainingPagedResults\":0}}",
            names.len()
        )) || reply.json.as_object().is_some_and(|envelope| envelope.len() == 4),
        "{}",
        reply.text
    );
    assert_eq!(reply.header("Content-API-Version"), Some("resource=1.0"));
    for (method, path) in [
        ("GET", "subjectattributes/mail"),
        ("POST", "subjectattributes?_action=create"),
        ("PUT", "subjectattributes/mail"),
        ("DELETE", "subjectattributes/mail"),
        ("PATCH", "subjectattributes/mail"),
    ] {
        assert_eq!(service.send(method, path, &json!({})).await.status, 501, "{method} {path}");
    }
    assert_eq!(
        service.versioned("resource=2.0", "GET", "subjectattributes?_queryFilter=true", &Value::Null).await.status,
        404
    );
    let bare = service.rig.bare("POST", &format!("{ALPHA}/subjectattributes")).at(routes(crate::rest::routes()));
    assert_eq!(bare.go().await.status, 403);
}

/// §2.11, PD-01: nobody may do anything unless it says so here.
#[actix_web::test]
async fn privileges_as_in_2_11() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let user = service.user("demo").await;
    let agent = service.agent("gateway").await;
    let evaluation = json!({"resources": ["api://w/r"], "application": "w"});
    let tree = json!({"resource": "api://w/r", "application": "w"});
    let mut forbidden = Vec::new();
    for path in [
        "resourcetypes",
        "applications",
        "policies",
        "applicationtypes",
        "conditiontypes",
        "subjecttypes",
        "decisioncombiners",
        "subjectattributes",
    ] {
        for (method, tail) in [
            ("GET", "?_queryFilter=true"),
            ("GET", "/r"),
            ("POST", "?_action=create"),
            ("PUT", "/r"),
            ("DELETE", "/r"),
            ("PATCH", "/r"),
        ] {
            forbidden.push((method, format!("{path}{tail}")));
        }
    }
    for tail in ["?_action=copy", "/r?_action=move", "?_action=explain", "?_action=whatif"] {
        forbidden.push(("POST", format!("policies{tail}")));
    }
    for (method, path) in &forbidden {
        for (who, session, expected) in [
            ("nobody", None, (401, "Access Denied")),
            ("no session", Some("AQIC5w"), (401, "Access Denied")),
            ("a user", Some(user.as_str()), (403, "The user has insufficient privileges")),
            ("an agent", Some(agent.as_str()), (403, "The user has insufficient privileges")),
        ] {
            let reply = service.session_as(session, method, path, &json!({})).await;
            assert_eq!(reply.error(), expected, "{who}: {method} {path}");
        }
    }
    for (path, body) in [("policies?_action=evaluate", &evaluation), ("policies?_action=evaluateTree", &tree)] {
        assert_eq!(service.session_as(None, "POST", path, body).await.error(), (401, "Access Denied"));
        let reply = service.session_as(Some(&user), "POST", path, body).await;
        assert_eq!(reply.error(), (403, "The user has insufficient privileges"));
        assert_eq!(service.session_as(Some(&agent), "POST", path, body).await.status, 200, "{path}");
    }
    let unknown = service.session_as(Some(&agent), "POST", "policies?_action=drop", &json!({})).await;
    assert_eq!(unknown.error(), (403, "No privilege mapping for requested action drop"));
    assert_eq!(service.get("policies/r").await.status, 200, "nothing was changed");
}
