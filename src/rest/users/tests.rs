use crate::{rest::testing::Rig, testing::PASSWORD as ADMIN_PASSWORD};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const USERS: &str = "/realms/root/realms/alpha/users";

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig
}

fn alpha() -> RealmPath {
    "/alpha".into()
}

async fn create(rig: &Rig, body: Value) -> (u16, String) {
    let reply = rig.send("POST", &format!("{USERS}?_action=create"), body).await;
    (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
}

fn demo() -> Value {
    json!({"username": "Demo", "userpassword": "correct horse", "mail": "demo@example.com", "givenName": ["Demo"]})
}

#[actix_web::test]
async fn a_user_lives_and_dies() {
    let rig = rig().await;
    let created = rig.send("POST", &format!("{USERS}?_action=create"), demo()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(
        created.header("Location"),
        Some("https://am.example.com:8443/am/json/realms/root/realms/alpha/users/Demo")
    );
    let expected = json!({
        "_id": "Demo", "_rev": created.json["_rev"], "realm": "/alpha", "username": "Demo", "uid": ["Demo"],
        "cn": ["Demo"], "sn": ["Demo"], "givenName": ["Demo"], "mail": ["demo@example.com"],
        "inetUserStatus": ["Active"], "universalid": ["id=Demo,ou=user,o=alpha,ou=services,ou=am-config"],
    });
    assert_eq!(created.json, expected);
    assert_eq!(rig.get(&format!("{USERS}/demo")).await.json, expected, "names ignore case");

    let change = json!({"MAIL": [], "sn": "Doe", "description": ["a", "b"]});
    let updated = rig.send("PUT", &format!("{USERS}/DEMO"), change).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    assert_eq!((&updated.json["sn"], updated.json.get("mail")), (&json!(["Doe"]), None));
    assert_eq!(updated.json["givenName"], json!(["Demo"]), "what is not named stays");
    let again = rig.get(&format!("{USERS}/demo")).await;
    let round = rig.send("PUT", &format!("{USERS}/demo"), again.json).await;
    assert_eq!(round.status, 200, "what was read can be written: {}", round.text);

    let deleted = rig.admin("DELETE", &format!("{USERS}/demo")).go().await;
    assert_eq!((deleted.status, &deleted.json["username"]), (200, &json!("Demo")));
    assert_eq!(rig.get(&format!("{USERS}/demo")).await.error(), (404, "Resource cannot be found."));
    create(&rig, demo()).await;
    let old = rig.admin("DELETE", &format!("{USERS}/demo")).header("Accept-API-Version", "resource=3.0").go().await;
    assert_eq!(old.json["success"], "true");
}

#[actix_web::test]
async fn users_are_found() {
    let rig = rig().await;
    for (name, mail) in [("alice", "a@x.org"), ("albert", "b@y.org"), ("bob", "al@z.org")] {
        let body = json!({"username": name, "userpassword": "correct horse", "mail": mail});
        assert_eq!(create(&rig, body).await.0, 201);
    }
    let rig = &rig;
    let found = |query: &'static str| async move {
        let json = rig.get(&format!("{USERS}?{query}")).await.json;
        let ids: Vec<&str> =
            json["result"].as_array().into_iter().flatten().filter_map(|u| u["_id"].as_str()).collect();
        (ids.join(" "), json["remainingPagedResults"].as_i64())
    };
    assert_eq!(found("_queryFilter=true").await, ("albert alice bob".into(), Some(0)));
    assert_eq!(found("_queryId=*").await, ("albert alice bob".into(), Some(0)));
    assert_eq!(found("_queryId=AL*").await, ("albert alice".into(), Some(0)));
    assert_eq!(found("_queryId=").await.0, "albert alice bob");
    assert_eq!(found("_queryFilter=_id+co+%22al%22+or+MAIL+co+%22al%22").await.0, "albert alice bob");
    assert_eq!(found("_queryFilter=mail+sw+'a@'").await.0, "alice");
    assert_eq!(found("_queryFilter=true&_sortKeys=-mail&_pageSize=2").await, ("albert bob".into(), Some(1)));
    assert_eq!(found("_queryFilter=userpassword+pr").await.0, "", "nobody can probe for verifiers");
    let expression = rig.get(&format!("{USERS}?_queryExpression=x")).await;
    assert_eq!(expression.status, 501);
}

/// d.3: the texts of the reference; AD-03.
#[actix_web::test]
async fn every_mistake_is_told_in_the_words_of_the_reference() {
    let rig = rig().await;
    let secret = json!("correct horse");
    let attribute = |name: &str, value: Value| {
        let mut body = demo();
        body[name] = value;
        body
    };
    assert_eq!(create(&rig, json!({"userpassword": secret})).await, (400, "Identity name not provided".into()));
    assert_eq!(create(&rig, json!({"username": "", "userpassword": secret})).await.0, 400);
    assert_eq!(create(&rig, json!({"username": "x"})).await, (400, "userpassword is required".into()));
    let short = create(&rig, json!({"username": "x", "userpassword": "1234567"})).await;
    assert_eq!(short, (400, "Minimum password length is 8.".into()));
    for (name, value) in [
        ("isAdmin", json!(true)),
        ("roles", json!(["ui-global-admin"])),
        ("universalid", json!(["id=amAdmin,ou=user,ou=am-config"])),
        ("realm", json!("/")),
        ("_verifier", json!("x")),
        ("objectClass", json!(["top"])),
    ] {
        let (code, text) = create(&rig, attribute(name, value)).await;
        assert_eq!((code, text.as_str()), (400, "Invalid attribute specified."), "{name}");
    }
    for (name, value) in [
        ("inetUserStatus", json!("Gone")),
        ("mail", json!({"a": 1})),
        ("mail", json!([["x"]])),
        ("mail", json!("x".repeat(5000))),
        ("userpassword", json!("")),
        ("userpassword", json!("x".repeat(1025))),
        ("userpassword", json!(["correct horse", "second"])),
        ("username", json!("x\n")),
    ] {
        let (code, text) = create(&rig, attribute(name, value)).await;
        assert_eq!((code, text), (400, format!("Data validation failed for the attribute, {name}")));
    }
    let twice = create(&rig, json!({"username": "x", "userpassword": secret, "sn": "a", "SN": "b"})).await;
    assert_eq!(twice.0, 400);
    assert_eq!(rig.get(&format!("{USERS}?_queryFilter=true")).await.json["resultCount"], 0);

    assert_eq!(create(&rig, demo()).await.0, 201);
    assert_eq!(create(&rig, demo()).await, (409, "Resource already exists".into()));
    let empty = rig.send("PUT", &format!("{USERS}/demo"), json!({})).await;
    assert_eq!(empty.error(), (400, "Illegal arguments: One or more required arguments is null or empty"));
    let other = rig.send("PUT", &format!("{USERS}/demo"), json!({"username": "other"})).await;
    assert_eq!(other.error(), (400, "id in path does not match id in request body"));
    let other = rig.send("PUT", &format!("{USERS}/new"), json!({"username": "other", "userpassword": secret})).await;
    assert_eq!(other.error(), (400, "id in path does not match id in request body"));
    let absent = rig.admin("PUT", &format!("{USERS}/x")).header("If-Match", "*").json(&json!({"sn": "y"})).await;
    assert_eq!(absent.error(), (404, "Could not find the resource [ x ] to update"));
    let action = rig.send("POST", &format!("{USERS}/demo?_action=x"), json!({})).await;
    assert_eq!(action.error(), (501, "x not supported for resource instances"));
    let action = rig.send("POST", &format!("{USERS}?_action=x"), json!({})).await;
    assert_eq!(action.error(), (501, "Operation is not supported."));
}

/// G5: neither the password nor its verifier leaves, and the password does not reach the log.
#[actix_web::test]
async fn a_password_is_never_shown() {
    let rig = rig().await;
    create(&rig, demo()).await;
    let stored = rig.desk.document(&alpha(), Kind::User, "demo").expect("stored");
    let verifier = stored.json()["userpassword"].as_str().expect("a verifier").to_owned();
    assert!(verifier.starts_with("$argon2id$"));
    assert!(!String::from_utf8_lossy(&stored.document.body).contains("correct horse"));
    let put = rig.send("PUT", &format!("{USERS}/demo"), json!({"userpassword": "another horse"})).await;
    for text in [
        put.text,
        rig.get(&format!("{USERS}/demo")).await.text,
        rig.get(&format!("{USERS}/demo?_fields=userpassword,cn")).await.text,
        rig.get(&format!("{USERS}?_queryFilter=true&_sortKeys=userpassword")).await.text,
        rig.admin("DELETE", &format!("{USERS}/demo")).go().await.text,
        rig.get("/realms/root/users/amadmin").await.text,
    ] {
        assert!(text.contains("_id"), "{text}");
        assert!(!text.contains("argon2") && !text.contains("horse") && !text.contains("password"), "{text}");
    }
}

/// SE-10: with another password or status every session is dead, and stays dead.
#[actix_web::test]
async fn sessions_die_with_the_password_and_with_the_status() {
    let rig = rig().await;
    create(&rig, demo()).await;
    let own = |session: String| {
        let ask = rig.ask("GET", "/realms/root/realms/alpha/users/demo").session(&session);
        async { ask.go().await.status }
    };
    let session = rig.session(&alpha(), Kind::User, "demo").await;
    assert_eq!(rig.send("PUT", &format!("{USERS}/demo"), json!({"sn": "Doe"})).await.status, 200);
    assert_eq!(own(session.clone()).await, 200, "another name is no reason");
    rig.send("PUT", &format!("{USERS}/demo"), json!({"userpassword": "another horse"})).await;
    assert_eq!(own(session).await, 401);

    let session = rig.session(&alpha(), Kind::User, "demo").await;
    let off = rig.send("PUT", &format!("{USERS}/demo"), json!({"inetuserstatus": "inactive"})).await;
    assert_eq!(off.json["inetUserStatus"], json!(["Inactive"]));
    assert_eq!(own(session.clone()).await, 401);
    rig.send("PUT", &format!("{USERS}/demo"), json!({"inetUserStatus": ["Active"]})).await;
    assert_eq!(own(session).await, 401, "it does not come back");

    let session = rig.session(&alpha(), Kind::User, "demo").await;
    rig.admin("DELETE", &format!("{USERS}/demo")).go().await;
    create(&rig, demo()).await;
    assert_eq!(own(session).await, 401, "nor with a namesake");
}

#[actix_web::test]
async fn users_see_themselves_and_nobody_else() {
    let rig = rig().await;
    create(&rig, demo()).await;
    create(&rig, json!({"username": "other", "userpassword": "correct horse"})).await;
    let session = rig.session(&alpha(), Kind::User, "demo").await;
    let ask = |method: &str, path: &str| rig.ask(method, path).session(&session);
    assert_eq!(ask("GET", &format!("{USERS}/DEMO")).go().await.status, 200);
    let denied = "The user has insufficient privileges";
    assert_eq!(ask("GET", &format!("{USERS}/other")).go().await.error(), (403, denied));
    assert_eq!(ask("GET", &format!("{USERS}/nosuch")).go().await.error(), (403, denied));
    assert_eq!(ask("GET", &format!("{USERS}?_queryFilter=true")).go().await.error(), (403, denied));
    assert_eq!(ask("PUT", &format!("{USERS}/demo")).json(&json!({"sn": "x"})).await.error(), (403, denied));
    assert_eq!(ask("GET", "/realms/root/users/demo").go().await.error(), (403, denied), "a namesake elsewhere");
    let id = ask("POST", &format!("{USERS}?_action=idFromSession")).go().await;
    assert_eq!((&id.json["id"], &id.json["realm"]), (&json!("Demo"), &json!("/alpha")));
    assert_eq!(rig.ask("POST", &format!("{USERS}?_action=idFromSession")).go().await.status, 401);
}

/// d.4.
#[actix_web::test]
async fn a_user_changes_the_own_password() {
    let rig = rig().await;
    create(&rig, demo()).await;
    let session = rig.session(&alpha(), Kind::User, "demo").await;
    let change = |body: Value| {
        let ask = rig.ask("POST", "/realms/root/realms/alpha/users/demo?_action=changePassword").session(&session);
        async move { ask.json(&body).await }
    };
    let missing = |name: &str| format!("'{name}' attribute not set in JSON content.");
    let reply = change(json!({"currentpassword": "correct horse"})).await;
    assert_eq!(reply.error(), (400, missing("userpassword").as_str()));
    let reply = change(json!({"userpassword": "another horse"})).await;
    assert_eq!(reply.error(), (400, missing("currentpassword").as_str()));
    let reply = change(json!({"currentpassword": "wrong", "userpassword": "another horse"})).await;
    assert_eq!(reply.error(), (400, "Old password is incorrect."));
    let reply = change(json!({"currentpassword": "correct horse", "userpassword": "short"})).await;
    assert_eq!(reply.error(), (400, "Minimum password length is 8."));
    let reply = change(json!({"currentpassword": "correct horse", "userpassword": "another horse"})).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    let reply = change(json!({"currentpassword": "another horse", "userpassword": "third horse"})).await;
    assert_eq!(reply.error(), (401, "Access Denied"), "the session went with the password");
    let stored = rig.desk.document(&alpha(), Kind::User, "demo").expect("stored");
    let verifier = stored.json()["userpassword"].as_str();
    assert_eq!(rig.desk.passwords().verify(verifier, "another horse").await, Ok(true));
}

/// AD-08: the last administrator stays.
#[actix_web::test]
async fn the_administrator_is_neither_deleted_nor_disabled() {
    let rig = Rig::new().await;
    let path = "/realms/root/users/amAdmin";
    let read = rig.get(path).await;
    assert_eq!(read.json["roles"], json!(["ui-global-admin", "ui-realm-admin"]), "one's own profile");
    assert_eq!(rig.admin("DELETE", path).go().await.error(), (403, "Forbidden"));
    assert_eq!(rig.send("PUT", path, json!({"inetUserStatus": "Inactive"})).await.error(), (403, "Forbidden"));
    let text = "Cannot update user password via PUT. Use POST with _action=changePassword or _action=forgotPassword.";
    assert_eq!(rig.send("PUT", path, json!({"userpassword": "another horse"})).await.error(), (400, text));
    let body = json!({"currentpassword": ADMIN_PASSWORD, "userpassword": "another horse"});
    let change = rig.send("POST", &format!("{path}?_action=changePassword"), body).await;
    assert_eq!(change.error(), (403, "Forbidden"));
    assert_eq!(rig.send("PUT", path, json!({"mail": "root@example.com"})).await.status, 200);
}
