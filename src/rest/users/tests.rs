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
        "inetUserStatus": ["Active"], "universalid": ["id=demo,ou=user,o=alpha,ou=services,ou=am-config"],
        "dn": ["uid=demo,ou=people,o=alpha,ou=services,ou=am-config"],
        "objectClass": ["top", "person", "inetorgperson"],
        "createTimestamp": created.json["createTimestamp"], "modifyTimestamp": created.json["createTimestamp"],
    });
    let stamp = created.json["createTimestamp"][0].as_str().expect("a time");
    assert!(stamp.len() == 15 && stamp.ends_with('Z') && stamp[..14].bytes().all(|b| b.is_ascii_digit()), "{stamp}");
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

/// d.3: who writes what of whom, with what proof.
#[actix_web::test]
async fn users_write_what_is_theirs() {
    let rig = rig().await;
    create(&rig, demo()).await;
    let session = rig.session(&alpha(), Kind::User, "demo").await;
    let path = format!("{USERS}/demo");
    let put = |password: Option<&str>, body: Value| {
        let mut ask = rig.ask("PUT", &path).session(&session);
        if let Some(password) = password {
            ask = ask.header("currentpassword", password);
        }
        async move {
            let reply = ask.json(&body).await;
            (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
        }
    };
    let not_enough = || (403, "User does not have enough privileges.".to_owned());
    assert_eq!(put(None, json!({"givenName": "Demi", "postalAddress": ["a", "b"]})).await.0, 200);
    for body in [
        json!({"inetUserStatus": "Inactive"}),
        json!({"uid": "root"}),
        json!({"employeeNumber": "1"}),
        json!({"custom-role": "admin"}),
        json!({"givenName": "D", "manager": "me"}),
    ] {
        assert_eq!(put(Some("correct horse"), body.clone()).await, not_enough(), "{body}");
    }
    let mail = || json!({"mail": "new@example.com"});
    let wrong = "Must provide a valid confirmation password to change protected attribute (mail) from \
                 'demo@example.com' to 'new@example.com'";
    assert_eq!(put(None, mail()).await, (400, wrong.into()));
    assert_eq!(put(Some("wrong horse"), mail()).await, (400, wrong.into()));
    assert_eq!(put(Some(""), mail()).await, (400, wrong.into()));
    assert_eq!(put(Some("correct horse"), mail()).await.0, 200);
    assert_eq!(put(None, mail()).await.0, 200, "what does not change is no change");
    let all = rig.ask("GET", &path).session(&session).go().await;
    assert_eq!(all.json["roles"], json!(["ui-self-service-user"]));
    assert_eq!(put(None, all.json).await.0, 200, "what was read can be written");
    let own = "Cannot update user password via PUT. Use POST with _action=changePassword or _action=forgotPassword.";
    assert_eq!(put(Some("correct horse"), json!({"userpassword": "another horse"})).await, (400, own.into()));
    let other = rig.ask("PUT", &format!("{USERS}/other")).session(&session).json(&mail()).await;
    assert_eq!(other.error(), (403, "The user has insufficient privileges"), "not even whether there is one");
    assert_eq!(rig.get(&path).await.json["inetUserStatus"], json!(["Active"]));

    rig.group("/realms/root/realms/alpha", "admins", &["demo"], &["RealmAdmin"]).await;
    let roles = rig.ask("GET", &path).session(&session).go().await.json["roles"].clone();
    assert_eq!(roles, json!(["ui-realm-admin", "ui-self-service-user"]));
    assert_eq!(put(None, json!({"mail": "third@example.com"})).await.0, 200, "administrators need no confirmation");
}

/// d.1, d.4: what each version has.
#[actix_web::test]
async fn versions_differ_as_told() {
    let rig = rig().await;
    create(&rig, demo()).await;
    let ask = |method: &str, tail: &str, version: &str| {
        rig.admin(method, &format!("{USERS}{tail}")).header("Accept-API-Version", version)
    };
    let all = "?_queryFilter=true";
    for version in ["resource=1.0", "resource=2.0"] {
        let names = ask("GET", all, version).go().await;
        assert_eq!(names.json["result"], json!(["Demo"]), "{version}");
    }
    for version in ["resource=3.0", "resource=4.0"] {
        assert_eq!(ask("GET", all, version).go().await.json["result"][0]["cn"], json!(["Demo"]), "{version}");
    }
    let by_mail = "?_queryFilter=mail+co+'demo'";
    assert_eq!(ask("GET", by_mail, "resource=3.0").go().await.error(), (501, "Query not supported: /mail co \"demo\""));
    assert_eq!(ask("GET", by_mail, "resource=4.0").go().await.json["resultCount"], 1);
    assert_eq!(ask("GET", "?_queryFilter=_id+eq+'demo'", "resource=1.0").go().await.json["resultCount"], 1);
    for (action, version, expected) in [
        ("template", "resource=3.0", 501),
        ("schema", "resource=3.0", 501),
        ("template", "resource=4.0", 200),
        ("schema", "resource=4.1", 200),
        ("idFromSession", "resource=2.0", 200),
    ] {
        let reply = ask("POST", &format!("?_action={action}"), version).json(&json!({})).await;
        assert_eq!(reply.status, expected, "{action} {version}: {}", reply.text);
    }
}

/// d.4: self-service is off, for strangers, too, and says so as the reference does.
#[actix_web::test]
async fn nobody_serves_himself() {
    let rig = rig().await;
    let ask = |action: &str, body: Value| {
        let ask = rig.ask("POST", &format!("{USERS}?_action={action}"));
        async move {
            let reply = ask.json(&body).await;
            (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
        }
    };
    let disabled = "Legacy Self Service REST Endpoint is not enabled.".to_owned();
    let both = json!({"username": "demo", "email": "demo@example.com"});
    assert_eq!(ask("forgotPassword", json!({})).await, (400, "Username or email not provided in request".into()));
    let only_one = "Both username and email specified - only one allowed in request.";
    assert_eq!(ask("forgotPassword", both).await, (400, only_one.into()));
    assert_eq!(ask("forgotPassword", json!({"username": "demo"})).await, (503, disabled.clone()));
    for action in ["register", "confirm", "anonymousCreate", "forgotPasswordReset"] {
        assert_eq!(ask(action, json!({"username": "demo"})).await, (501, disabled.clone()), "{action}");
    }
    assert_eq!(ask("validateGoto", json!({"goto": "/am"})).await, (401, "Access Denied".into()));
    let goto = |url: &'static str| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{USERS}?_action=validateGoto"), json!({"goto": url})).await.json }
    };
    assert_eq!(goto("https://am.example.com:8443/x").await["successURL"], "https://am.example.com:8443/x");
    assert_eq!(goto("https://evil.example/x").await["successURL"], "/am/console");
    let listed = json!({"validGotoDestinations": ["https://app.example.org:443/*"]});
    rig.send("PUT", "/realms/root/realms/alpha/realm-config/services/validation", listed).await;
    assert_eq!(goto("https://app.example.org/x").await["successURL"], "https://app.example.org/x");
    assert_eq!(goto("//evil.example/x").await["successURL"], "/am/console");
}

/// d.6, oauth2-endpoints §20; G3.
#[actix_web::test]
async fn applications_of_a_user_are_listed_and_revoked_for_good() {
    use crate::secrets::{HandleKind, Minted, grant_set_hint, new_grant_id};
    use quorate_raft::{
        ClientId, Command, Outcome, OwnerId, Span,
        grant_sets::{Authorization, IssueAccess, IssueCode, NewAccess, Purchase, RedeemCode, Template},
    };
    use std::sync::Arc;
    let rig = rig().await;
    create(&rig, demo()).await;
    create(&rig, json!({"username": "other", "userpassword": "correct horse"})).await;
    for client in ["shop-app", "photos"] {
        let body = json!({"coreOAuth2ClientConfig": {"scopes": ["read|Your albums", "write"]}});
        let path = format!("/realms/root/realms/alpha/realm-config/agents/OAuth2Client/{client}");
        let reply = rig.send("PUT", &path, body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
    let fence = |kind, id: &str| rig.desk.document(&alpha(), kind, id).expect("stored").document.fence;
    let issue = |client: &'static str, owner: &'static str, scope: &'static str| {
        let (client, owner) = (ClientId::from(client), OwnerId::from(owner));
        let client_fence = fence(Kind::OAuth2Client, client.as_str());
        let template = Template {
            realm: alpha(),
            client_fence,
            owner_fence: Some(fence(Kind::User, &owner.as_str().to_lowercase())),
            scope: vec![scope.into()],
            grant_type: "password".into(),
            issuer: "x".into(),
            audit_process: 0,
            extra: "".into(),
            client: client.clone(),
            owner: owner.clone(),
        };
        let hint = grant_set_hint(&alpha(), &client, &owner);
        let minted = Minted::new(HandleKind::Access, hint);
        let (hash, ttl) = (minted.hash(), Span::from_secs(3600));
        let access = NewAccess { hash, template: Arc::new(template), auth_time: 0, audit_counter: 0, ttl };
        let issue = IssueAccess { hint, grant: new_grant_id(client_fence), access };
        let desk = rig.desk.clone();
        async move {
            let outcome = desk.propose(Command::IssueAccess(issue)).await.expect("decided");
            assert!(matches!(outcome, Outcome::Issued { .. }));
            hash
        }
    };
    let first = issue("shop-app", "Demo", "read").await;
    let second = issue("shop-app", "Demo", "write").await;
    let photos = issue("photos", "Demo", "read").await;
    let others = issue("shop-app", "other", "read").await;
    // A code that has bought a client-based token: the token lives nowhere but in itself.
    let (client, owner) = (ClientId::from("shop-app"), OwnerId::from("Demo"));
    let hint = grant_set_hint(&alpha(), &client, &owner);
    let code = Minted::new(HandleKind::Code, hint);
    let jti = Minted::new(HandleKind::Jti, hint).hash();
    let grant = new_grant_id(fence(Kind::OAuth2Client, "shop-app"));
    let authorization = Authorization {
        realm: alpha(),
        client: client.clone(),
        client_fence: fence(Kind::OAuth2Client, "shop-app"),
        owner,
        owner_fence: fence(Kind::User, "demo"),
        scope: vec!["openid".into()],
        issuer: "x".into(),
        grant,
        redirect_uri: "https://app.example/cb".into(),
        redirect_uri_sent: false,
        challenge: None,
        nonce: None,
        claims: None,
        acr: None,
        auth_level: 0,
        auth_time: 0,
    };
    let hash = code.hash();
    let authorization = Arc::new(authorization);
    let issue_code = IssueCode { hint, hash, authorization, ttl: Span::from_secs(60) };
    let redeem = RedeemCode {
        hint,
        code: hash,
        realm: alpha(),
        client,
        redirect_uri: None,
        verifier: None,
        purchase: Purchase::ClientBased { jti, ttl: Span::from_secs(7200) },
    };
    for command in [Command::IssueCode(issue_code), Command::RedeemCode(redeem)] {
        assert!(matches!(rig.desk.propose(command).await, Ok(Outcome::Issued { .. })));
    }

    let path = format!("{USERS}/demo/oauth2/applications");
    let own = rig.session(&alpha(), Kind::User, "demo").await;
    let stranger = rig.session(&alpha(), Kind::User, "other").await;
    let listed = rig.ask("GET", &format!("{path}?_queryFilter=true")).session(&own).go().await;
    let items = listed.json["result"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{}", listed.text);
    assert_eq!((&items[0]["_id"], &items[1]["_id"]), (&json!("photos"), &json!("shop-app")));
    assert_eq!(items[1]["scopes"], json!({"read": "Your albums", "write": "write", "openid": "openid"}));
    assert!(items[1]["expiryDateTime"].as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z')));
    assert_eq!(
        (&items[1]["name"], &items[1]["logoUri"], &listed.json["remainingPagedResults"]),
        (&Value::Null, &Value::Null, &json!(-1))
    );
    for method in ["GET", "DELETE"] {
        let tail = if method == "GET" { "?_queryFilter=true" } else { "/shop-app" };
        let denied = rig.ask(method, &format!("{path}{tail}")).session(&stranger).go().await;
        assert_eq!(denied.error(), (403, "User, other, not authorized."));
        assert_eq!(rig.ask(method, &format!("{path}{tail}")).go().await.error(), (401, "Access Denied"));
    }
    let gone = rig.ask("DELETE", &format!("{path}/shop-app")).session(&own).go().await;
    assert_eq!((gone.status, &gone.json["_id"]), (200, &json!("shop-app")), "{}", gone.text);
    let views = rig.desk.views();
    assert!(views.access(&first).is_none() && views.access(&second).is_none());
    assert!(views.is_revoked(&jti, &grant), "the client-based one, too");
    assert!(views.access(&photos).is_some() && views.access(&others).is_some(), "and nothing else");
    let again = rig.ask("DELETE", &format!("{path}/shop-app")).session(&own).go().await;
    assert_eq!(again.error(), (404, "Resource cannot be found."));
    let listed = rig.get(&format!("{path}?_queryFilter=true")).await;
    assert_eq!(listed.json["resultCount"], 1);
    let filtered = rig.get(&format!("{path}?_queryFilter=name+pr")).await;
    assert_eq!(filtered.status, 501);
    assert_eq!(rig.admin("DELETE", &format!("{path}/photos")).go().await.status, 200);
    let none = rig.get(&format!("{path}?_queryFilter=true")).await;
    assert_eq!(none.json["result"], json!([]));
}

/// d.3: administrators replace a password or the questions, and nothing else by PATCH.
#[actix_web::test]
async fn patching_is_for_administrators_and_two_members() {
    let rig = rig().await;
    create(&rig, demo()).await;
    let path = format!("{USERS}/demo");
    let patch = |operations: Value| {
        let ask = rig.admin("PATCH", &path);
        async move { ask.json(&operations).await }
    };
    let one =
        |operation: &str, field: &str, value: Value| json!([{"operation": operation, "field": field, "value": value}]);
    let session = rig.session(&alpha(), Kind::User, "demo").await;
    let own = rig.ask("PATCH", &path).session(&session).json(&one("replace", "/userPassword", json!("x"))).await;
    assert_eq!(own.error(), (403, "Only admin can patch user values"));
    let reply = patch(one("replace", "/mail", json!("a@b"))).await;
    assert_eq!(reply.error(), (400, "For the object type user, field \"mail\" cannot be altered by PATCH"));
    let reply = patch(one("add", "/userPassword", json!("another horse"))).await;
    assert_eq!(reply.error(), (400, "PATCH of user does not support operation add"));
    let reply = patch(one("replace", "/userPassword", json!("short"))).await;
    assert_eq!(reply.error(), (400, "Minimum password length is 8."));
    let both = json!([
        {"operation": "replace", "field": "/userPassword", "value": "another horse"},
        {"operation": "replace", "field": "/kbaInfo", "value": [{"questionId": "1"}]},
    ]);
    assert_eq!(patch(both).await.error(), (400, "Data validation failed for the attribute, kbaInfo"));
    assert_eq!(rig.ask("GET", &path).session(&session).go().await.status, 200, "none of these changed anything");

    let questions = json!([{"questionId": "1", "answer": "Rex"}, {"customQuestion": "Where?", "answer": "there"}]);
    let reply = patch(one("replace", "/kbaInfo", questions)).await;
    assert_eq!((reply.status, &reply.json["_id"], &reply.json["_rev"]), (200, &json!("result"), &json!("1")));
    let seen = rig.ask("GET", &path).session(&session).go().await;
    assert_eq!(seen.json["kbaInfo"], json!([{"questionId": "1"}, {"customQuestion": "Where?"}]));
    assert!(rig.get(&path).await.json.get("kbaInfo").is_none(), "questions are for whom they are about");
    let stored = rig.desk.document(&alpha(), Kind::User, "demo").expect("stored");
    let text = String::from_utf8_lossy(&stored.document.body).into_owned();
    assert!(!text.contains("Rex") && !text.contains("\"there\""), "G5");

    assert_eq!(patch(one("replace", "/userPassword", json!("another horse"))).await.status, 200);
    assert_eq!(rig.ask("GET", &path).session(&session).go().await.status, 401, "SE-10");
    rig.send("PUT", &path, json!({"inetUserStatus": "Inactive"})).await;
    assert_eq!(patch(one("replace", "/userPassword", json!("third horse"))).await.error(), (403, "Forbidden"));
    let old = rig.admin("PATCH", &path).header("Accept-API-Version", "resource=2.0");
    assert_eq!(old.json(&one("replace", "/userPassword", json!("third horse"))).await.status, 501);
}
