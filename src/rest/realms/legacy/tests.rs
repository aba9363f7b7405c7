use crate::rest::testing::{Reply, Rig};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

/// As the tools of its time send it.
async fn send(rig: &Rig, token: &str, method: &str, path: &str, body: Value) -> Reply {
    let ask = rig.ask(method, path).session(token).header("Accept-API-Version", "protocol=1.0,resource=1.0");
    if body.is_null() { ask.go().await } else { ask.json(&body).await }
}

/// c.2, in the order of its table.
#[actix_web::test]
async fn realms_by_their_names() {
    let rig = Rig::new().await;
    let act = async |method: &str, path: &str, body: Value| send(&rig, &rig.admin, method, path, body).await;
    let created = act("POST", "/realms?_action=create", json!({"realm": "x"})).await;
    assert_eq!((created.status, created.text.as_str()), (201, r#"{"realmCreated":"/x"}"#));
    let inside = json!({"realm": "/y", "sunOrganizationStatus": "Inactive", "sunOrganizationAliases": "y.example.com"});
    let created = act("POST", "/realms/root/realms/x/realms?_action=create", inside).await;
    assert_eq!((created.status, created.text.as_str()), (201, r#"{"realmCreated":"/x/y"}"#));
    let modern = rig.get("/global-config/realms/L3gveQ").await.json;
    assert_eq!((&modern["active"], &modern["aliases"]), (&json!(false), &json!(["y.example.com"])));
    let listed = act("GET", "/realms?_queryFilter=true", Value::Null).await.json;
    assert_eq!((&listed["result"], &listed["resultCount"]), (&json!(["/", "/x", "/x/y"]), &json!(3)));
    let below = act("GET", "/x/realms?_queryFilter=true", Value::Null).await.json;
    assert_eq!(below["result"], json!(["/x", "/x/y"]));

    assert_eq!(act("PUT", "/realms/z", json!({})).await.status, 404, "protocol 1 creates nothing unasked");
    let put = rig.admin("PUT", "/realms/z").header("Accept-API-Version", "protocol=1.0").header("If-None-Match", "*");
    let put = put.json(&json!({})).await;
    assert_eq!((put.status, put.text.as_str()), (201, r#"{"realmCreated":"/z"}"#));
    let again = rig.admin("PUT", "/realms/z").header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(again.error(), (412, "The realm /z already exists."));
    assert_eq!(act("POST", "/realms?_action=create", json!({"realm": "Z"})).await.status, 409);

    let read = act("GET", "/realms/x", Value::Null).await;
    assert_eq!(read.text, r#"{"serviceNames":["iPlanetAMAuthService"]}"#);
    rig.send("PUT", "/realms/root/realms/x/realm-config/services/oauth-oidc", json!({})).await;
    let read = act("GET", "/realms/root/realms/x", Value::Null).await.json;
    assert_eq!(read["serviceNames"], json!(["OAuth2Provider", "iPlanetAMAuthService"]));
    let off = json!({"sunOrganizationStatus": "Inactive", "serviceNames": read["serviceNames"]});
    let updated = act("PUT", "/realms/x", off).await;
    assert_eq!((updated.status, updated.text.as_str()), (200, r#"{"realmUpdated":"/x"}"#));
    assert_eq!(rig.get("/global-config/realms/L3g").await.json["active"], false);
    let on = act("PUT", "/realms/x", json!({"sunOrganizationStatus": "active", "serviceNames": ["Other"]})).await;
    assert_eq!(on.status, 400, "{}", on.text);
    assert_eq!(rig.get("/global-config/realms/L3g").await.json["active"], false, "and nothing changed");
    let deleted = act("DELETE", "/realms/z", Value::Null).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (200, r#"{"success":"true"}"#));
    assert_eq!(act("GET", "/realms/z", Value::Null).await.error(), (404, "Not Found"));
    let children = act("DELETE", "/realms/x", Value::Null).await;
    assert_eq!(children.error(), (409, "Sub Organization cannot be deleted. Sub entries exist."));

    let top = act("GET", "/realms/toplevelrealm", Value::Null).await;
    assert_eq!(top.text, r#"{"serviceNames":["iPlanetAMAuthService"]}"#);
    assert_eq!(act("DELETE", "/realms/toplevelrealm", Value::Null).await.status, 401);
    for (method, path, body, status) in [
        ("POST", "/realms?_action=create", json!({}), 400),
        ("POST", "/realms?_action=create", json!({"realm": "a b"}), 400),
        ("POST", "/realms?_action=create", json!({"realm": "a/b"}), 400),
        ("POST", "/realms?_action=create", json!({"realm": "users"}), 400),
        ("POST", "/realms?_action=create", json!({"realm": "w", "isAdmin": true}), 400),
        ("PUT", "/realms/x", json!({"sunOrganizationStatus": "Sometimes"}), 400),
        ("PUT", "/realms/x", json!({"sunOrganizationAliases": 7}), 400),
        ("GET", "/realms/x%2Fy", Value::Null, 404),
        ("GET", "/realms/nosuch", Value::Null, 404),
        ("GET", "/realms/root", Value::Null, 404),
        ("GET", "/realms/root/realms/x/nosuch", Value::Null, 404),
        ("PATCH", "/realms/x", json!([]), 501),
    ] {
        let reply = act(method, path, body.clone()).await;
        assert_eq!(reply.status, status, "{method} {path} {body}: {}", reply.text);
    }
}

/// AD-02: an administrator of a realm makes realms below it, and neither changes nor sees others.
#[actix_web::test]
async fn administrators_of_a_realm_stay_below_it() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig.realm("other").await;
    let alpha = RealmPath::from("/alpha");
    rig.user("/realms/root/realms/alpha", "boss").await;
    rig.user("/realms/root/realms/alpha", "demo").await;
    rig.group("/realms/root/realms/alpha", "bosses", &["boss"], &["RealmAdmin"]).await;
    let boss = rig.session(&alpha, Kind::User, "boss").await;
    let demo = rig.session(&alpha, Kind::User, "demo").await;
    let below = "/realms/root/realms/alpha/realms";
    assert_eq!(send(&rig, &boss, "POST", &format!("{below}?_action=create"), json!({"realm": "x"})).await.status, 201);
    let listed = send(&rig, &boss, "GET", "/realms?_queryFilter=true", Value::Null).await.json;
    assert_eq!(listed["result"], json!(["/alpha", "/alpha/x"]));
    for (method, path, body) in [
        ("POST", "/realms?_action=create", json!({"realm": "y"})),
        ("GET", "/realms/other", Value::Null),
        ("DELETE", "/realms/alpha", Value::Null),
        ("PUT", "/realms/alpha", json!({"sunOrganizationStatus": "Inactive"})),
        ("DELETE", "/realms/other", Value::Null),
        ("DELETE", "/realms/toplevelrealm", Value::Null),
    ] {
        let refused = send(&rig, &boss, method, path, body).await;
        assert_eq!(refused.error(), (403, "The user has insufficient privileges"), "{method} {path}");
    }
    let alias = json!({"realm": "z", "sunOrganizationAliases": "am.example.com"});
    let named = send(&rig, &boss, "POST", &format!("{below}?_action=create"), alias).await;
    assert_eq!(named.status, 403, "{}", named.text);
    for method in ["GET", "DELETE"] {
        let path = format!("{below}/x");
        assert_eq!(send(&rig, &demo, method, &path, Value::Null).await.status, 403, "{method}");
        assert_eq!(rig.ask(method, &path).go().await.error(), (401, "Access Denied"), "{method}");
    }
    assert_eq!(send(&rig, &boss, "DELETE", &format!("{below}/x"), Value::Null).await.status, 200);
}
