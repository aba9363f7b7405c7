use super::*;
use crate::rest::testing::Rig;

const ALPHA: &str = "/realms/root/realms/alpha";
const GROUPS: &str = "/realms/root/realms/alpha/groups";

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    for name in ["ann", "Bob"] {
        rig.user(ALPHA, name).await;
    }
    rig
}

async fn error(rig: &Rig, method: &str, path: &str, body: Value) -> (u16, String) {
    let reply = rig.send(method, path, body).await;
    (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
}

fn groups_of(rig: &Rig, user: &str) -> String {
    rig.desk.views().groups_of(&"/alpha".into(), user).join(" ")
}

/// d.5: the recorded shapes.
#[actix_web::test]
async fn a_group_lives_and_dies() {
    let rig = rig().await;
    let create = rig.admin("PUT", &format!("{GROUPS}/Ops")).header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(create.status, 201, "{}", create.text);
    let none: Object = crate::privileges::Privilege::ALL.iter().map(|p| (p.name().to_owned(), false.into())).collect();
    let expected = json!({
        "_id": "Ops", "_rev": create.json["_rev"], "username": "Ops", "realm": "/alpha",
        "universalid": ["id=ops,ou=group,o=alpha,ou=services,ou=am-config"], "members": {"uniqueMember": []},
        "dn": ["cn=ops,ou=groups,o=alpha,ou=services,ou=am-config"], "cn": ["Ops"],
        "objectclass": ["top", "groupofuniquenames"], "privileges": none,
    });
    assert_eq!(create.json, expected);
    assert_eq!(rig.get(&format!("{GROUPS}/OPS")).await.json, expected, "names ignore case");
    let again = rig.admin("PUT", &format!("{GROUPS}/ops")).header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(again.error(), (412, "Resource already exists"));
    let posted = error(&rig, "POST", &format!("{GROUPS}?_action=create"), json!({"username": "ops"})).await;
    assert_eq!(posted, (409, "Resource already exists".into()));

    // What was read is written back, changed; by name, universal id and directory name.
    let mut body = expected.clone();
    let members = ["BOB", "id=ann,ou=user,o=alpha,ou=services,ou=am-config", "uid=ann,ou=people,dc=example,dc=com"];
    body["members"] = json!({"uniqueMember": members});
    body["privileges"]["AgentAdmin"] = true.into();
    body["description"] = json!("those who operate");
    let updated = rig.admin("PUT", &format!("{GROUPS}/ops")).header("If-Match", "*").json(&body).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    assert_eq!(updated.json["members"], json!({"uniqueMember": ["ann", "bob"]}));
    assert_eq!(
        (&updated.json["privileges"]["AgentAdmin"], &updated.json["privileges"]["LogRead"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(updated.json["description"], json!(["those who operate"]));
    assert_eq!((groups_of(&rig, "ann"), groups_of(&rig, "bob")), ("ops".into(), "ops".into()));
    let kept = rig.send("PUT", &format!("{GROUPS}/ops"), json!({"description": []})).await;
    assert_eq!(kept.json["members"], json!({"uniqueMember": ["ann", "bob"]}), "what is not named stays");
    assert_eq!((kept.json.get("description"), &kept.json["privileges"]["AgentAdmin"]), (None, &json!(true)));

    // Lists, and versions up to 3.0, have directory names and no privileges.
    let names = json!(["ann", "bob"].map(|n| format!("uid={n},ou=people,o=alpha,ou=services,ou=am-config")));
    let listed = rig.get(&format!("{GROUPS}?_queryFilter=true")).await.json;
    let of_list = &listed["result"][0];
    assert_eq!(of_list["uniqueMember"], names);
    assert!(of_list.get("members").is_none() && of_list.get("privileges").is_none());
    assert_eq!(
        json!([listed["totalPagedResultsPolicy"], listed["totalPagedResults"], listed["remainingPagedResults"]]),
        json!(["NONE", -1, 0])
    );
    let versioned =
        |method: &str, path: &str, version: &str| rig.admin(method, path).header("Accept-API-Version", version);
    let old = versioned("GET", &format!("{GROUPS}/ops"), "resource=3.0").go().await.json;
    assert_eq!(old["uniqueMember"], names);
    assert!(old.get("members").is_none() && old.get("privileges").is_none());
    let back =
        versioned("PUT", &format!("{GROUPS}/ops"), "resource=3.0").json(&json!({"uniquemember": [names[1]]})).await;
    assert_eq!(back.json["uniqueMember"], json!([names[1]]), "{}", back.text);
    let bare = versioned("GET", &format!("{GROUPS}?_queryFilter=true"), "resource=1.0").go().await.json;
    assert_eq!(bare["result"], json!(["Ops"]));

    let deleted = rig.admin("DELETE", &format!("{GROUPS}/ops")).go().await;
    assert_eq!((deleted.status, &deleted.json["username"]), (200, &json!("Ops")));
    assert_eq!(groups_of(&rig, "bob"), "");
    assert_eq!(rig.get(&format!("{GROUPS}/ops")).await.error(), (404, "Resource cannot be found."));
    rig.group(ALPHA, "ops", &[], &[]).await;
    let old = versioned("DELETE", &format!("{GROUPS}/ops"), "resource=3.0").go().await;
    assert_eq!(old.json["success"], "true");
}

#[actix_web::test]
async fn every_mistake_is_told_and_changes_nothing() {
    let rig = rig().await;
    let create = format!("{GROUPS}?_action=create");
    let invalid = |name: &str| (400, format!("Data validation failed for the attribute, {name}"));
    assert_eq!(error(&rig, "POST", &create, json!({})).await, (400, "Identity name not provided".into()));
    for (body, expected) in [
        (json!({"isAdmin": true}), (400, "Invalid attribute specified.".to_owned())),
        (json!({"universalid": ["id=x,ou=group,ou=am-config"]}), (400, "Invalid attribute specified.".into())),
        (json!({"realm": "/"}), (400, "Invalid attribute specified.".into())),
        (json!({"username": "other"}), (400, "id in path does not match id in request body".into())),
        (json!({"privileges": {"SuperAdmin": true}}), invalid("privileges")),
        (json!({"privileges": {"RealmAdmin": "true"}}), invalid("privileges")),
        (json!({"privileges": ["RealmAdmin"]}), invalid("privileges")),
        (json!({"members": {"uniqueMember": [1]}}), invalid("uniqueMember")),
        (json!({"members": {"other": []}}), invalid("members")),
        (json!({"members": {"uniqueMember": []}, "uniqueMember": []}), invalid("uniqueMember")),
        (json!({"members": {"uniqueMember": ["nobody"]}}), (400, "Identity nobody of type user not found.".into())),
        (
            json!({"members": {"uniqueMember": ["id=ann,ou=user,ou=am-config"]}}),
            (400, "Identity id=ann,ou=user,ou=am-config of type user not found.".into()),
        ),
        (json!({"cn": {"a": 1}}), invalid("cn")),
        (json!({"cn": "a", "CN": "b"}), invalid("cn")),
    ] {
        assert_eq!(error(&rig, "PUT", &format!("{GROUPS}/x"), body.clone()).await, expected, "{body}");
        assert_eq!(rig.get(&format!("{GROUPS}/x")).await.status, 404, "{body}");
    }
    let many: Vec<String> = (0..=content::MAX_MEMBERS).map(|n| format!("u{n}")).collect();
    let (status, text) = error(&rig, "PUT", &format!("{GROUPS}/x"), json!({"members": {"uniqueMember": many}})).await;
    assert_eq!((status, text.as_str()), (400, "A group cannot have more than 10000 members"));
    rig.group(ALPHA, "x", &["ann"], &[]).await;
    let empty = error(&rig, "PUT", &format!("{GROUPS}/x"), json!({})).await;
    assert_eq!(empty, (400, "Illegal arguments: One or more required arguments is null or empty".into()));
    let absent = rig.admin("PUT", &format!("{GROUPS}/y")).header("If-Match", "*").json(&json!({"cn": "y"})).await;
    assert_eq!(absent.error(), (404, "Could not find the resource [ y ] to update"));
    let stale = rig.admin("PUT", &format!("{GROUPS}/x")).header("If-Match", "\"1\"").json(&json!({"cn": "y"})).await;
    assert_eq!(stale.status, 412);
    let action = error(&rig, "POST", &format!("{GROUPS}/x?_action=y"), json!({})).await;
    assert_eq!(action, (501, "y not supported for resource instances".into()));
    assert_eq!(error(&rig, "POST", &format!("{GROUPS}?_action=y"), json!({})).await.0, 501);
    let schema = rig.send("POST", &format!("{GROUPS}?_action=schema"), json!({})).await;
    assert_eq!(schema.json["properties"]["privileges"]["properties"]["CacheAdmin"]["type"], "boolean");
}

#[actix_web::test]
async fn groups_are_found() {
    let rig = rig().await;
    rig.group(ALPHA, "Ops", &["ann"], &[]).await;
    rig.group(ALPHA, "oncall", &["ann", "bob"], &["LogRead"]).await;
    let everybody = json!({"privileges": {"LogRead": true}});
    assert_eq!(rig.send("PUT", &format!("{GROUPS}/allauthenticatedusers"), everybody).await.status, 200);
    let found = |query: &'static str| {
        let rig = &rig;
        async move {
            let json = rig.get(&format!("{GROUPS}?{query}")).await.json;
            let rows = json["result"].as_array().into_iter().flatten();
            rows.filter_map(|row| row["_id"].as_str()).collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(found("_queryFilter=true").await, "oncall Ops");
    assert_eq!(found("_queryId=o*").await, "oncall Ops");
    assert_eq!(found("_queryFilter=_id+eq+'OPS'").await, "Ops");
    assert_eq!(found("_queryFilter=cn+co+'call'").await, "oncall");
    assert_eq!(found("_queryFilter=uniqueMember+co+'bob'").await, "oncall");
    assert_eq!(found("_queryFilter=privileges+pr").await, "", "they are not in lists, nor to be probed for");
    assert_eq!(found("_queryFilter=true&_sortKeys=-_id&_pageSize=1").await, "oncall", "code units, as §9 has it");
    let old =
        rig.admin("GET", &format!("{GROUPS}?_queryFilter=cn+eq+'x'")).header("Accept-API-Version", "resource=3.0");
    assert_eq!(old.go().await.error(), (501, "Query not supported: /cn eq \"x\""));
}

/// d.5: there without being created, and never gone.
#[actix_web::test]
async fn all_authenticated_users_are_a_group_of_their_own() {
    let rig = rig().await;
    let path = format!("{GROUPS}/AllAuthenticatedUsers");
    let read = rig.get(&path).await;
    assert_eq!(
        (&read.json["_id"], &read.json["privileges"]["RealmAdmin"]),
        (&json!("allauthenticatedusers"), &json!(false))
    );
    let given = rig.admin("PUT", &path).header("If-Match", "*").json(&json!({"privileges": {"LogRead": true}})).await;
    assert_eq!((given.status, &given.json["privileges"]["LogRead"]), (200, &json!(true)), "{}", given.text);
    let more = rig.send("PUT", &path, json!({"privileges": {"LogWrite": true}})).await;
    assert_eq!(
        (&more.json["privileges"]["LogRead"], &more.json["privileges"]["LogWrite"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(rig.get(&path).await.json, more.json);
    let stale = rig.admin("PUT", &path).header("If-Match", "\"1\"").json(&json!({"privileges": {}})).await;
    assert_eq!(stale.status, 412);
    for body in [json!({"members": {"uniqueMember": ["ann"]}}), json!({"username": "x"})] {
        assert_eq!(rig.send("PUT", &path, body).await.status, 400);
    }
    let created =
        error(&rig, "POST", &format!("{GROUPS}?_action=create"), json!({"username": "allAuthenticatedUsers"})).await;
    assert_eq!(created.0, 409);
    assert_eq!(rig.admin("DELETE", &path).go().await.status, 404);
    let joined = error(
        &rig,
        "POST",
        &format!("{ALPHA}/users/ann?_action=setGroups"),
        json!({"groups": ["allauthenticatedusers"]}),
    )
    .await;
    assert_eq!(joined.0, 400);
}

/// d.5, d.6: both ways, all in one entry; and nobody stays a member who is gone.
#[actix_web::test]
async fn membership_has_two_ends() {
    let rig = rig().await;
    for name in ["a", "b", "c"] {
        rig.group(ALPHA, name, &[], &[]).await;
    }
    let update = format!("{ALPHA}/users/ANN/groups?_action=updateMemberships");
    let reply = rig.send("POST", &update, json!({"groups": ["A", "b", "a"]})).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    assert_eq!(groups_of(&rig, "ann"), "a b");
    assert_eq!(rig.get(&format!("{GROUPS}/b")).await.json["members"], json!({"uniqueMember": ["ann"]}));
    let listed = rig.get(&format!("{ALPHA}/users/ann/groups?_queryFilter=true")).await.json;
    let names: Vec<&str> =
        listed["result"].as_array().into_iter().flatten().filter_map(|row| row["groupname"].as_str()).collect();
    assert_eq!((names, &listed["remainingPagedResults"]), (vec!["a", "b"], &json!(0)));
    // One unknown group, and nothing happens.
    let (status, text) = error(&rig, "POST", &update, json!({"groups": ["c", "nosuch"]})).await;
    assert_eq!((status, text.as_str()), (400, "Identity nosuch of type group not found."));
    assert_eq!(groups_of(&rig, "ann"), "a b");
    for body in [json!({}), json!({"groups": "a"}), json!({"groups": [1]})] {
        assert_eq!(error(&rig, "POST", &update, body).await.0, 400);
    }
    let set = rig.send("POST", &format!("{ALPHA}/users/ann?_action=setGroups"), json!({"groups": ["c", "b"]})).await;
    assert_eq!(set.status, 200);
    assert_eq!(groups_of(&rig, "ann"), "b c");
    assert_eq!(
        error(&rig, "POST", &format!("{ALPHA}/users/nobody/groups?_action=updateMemberships"), json!({"groups": []}))
            .await
            .0,
        404
    );

    // Users see their own.
    let own = rig.session(&"/alpha".into(), Kind::User, "ann").await;
    let other = rig.session(&"/alpha".into(), Kind::User, "bob").await;
    let path = format!("{ALPHA}/users/ann/groups?_queryFilter=true");
    assert_eq!(rig.ask("GET", &path).session(&own).go().await.status, 200);
    assert_eq!(rig.ask("GET", &path).session(&other).go().await.error(), (403, "User, Bob, not authorized."));
    assert_eq!(rig.ask("GET", &path).go().await.error(), (401, "Access Denied"));
    assert_eq!(rig.ask("POST", &update).session(&own).json(&json!({"groups": ["a"]})).await.status, 403);

    let deleted = rig.admin("DELETE", &format!("{ALPHA}/users/ann")).go().await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    assert_eq!(groups_of(&rig, "ann"), "");
    for group in ["b", "c"] {
        let group = rig.get(&format!("{GROUPS}/{group}")).await.json;
        assert_eq!(group["members"], json!({"uniqueMember": []}));
    }
    rig.user(ALPHA, "ann").await;
    assert_eq!(groups_of(&rig, "ann"), "", "a namesake is another one");
}

/// The log decides: somebody who is being deleted does not join, and who has joined meanwhile leaves.
#[actix_web::test]
async fn a_member_exists_as_long_as_it_is_one() {
    let rig = rig().await;
    rig.group(ALPHA, "a", &["ann"], &[]).await;
    let user = DocumentKey::new(&"/alpha".into(), Kind::User, "ann");
    let refused = rig.desk.write(vec![delete(user.clone(), Precondition::Present)]).await;
    assert!(matches!(refused, Err(WriteError::Refused(Refusal::Referenced { .. }))));
    let mut body = Object::new();
    let nobody = write(&key(&"/alpha".into(), "b"), Precondition::Absent, &mut body, &["nobody".into()]);
    assert!(matches!(rig.desk.write(vec![nobody]).await, Err(WriteError::Refused(Refusal::Dangling(_)))));
    assert_eq!(groups_of(&rig, "nobody"), "", "a refused write leaves no trace");
    // A realm goes with everybody in it.
    assert_eq!(rig.admin("DELETE", "/global-config/realms/L2FscGhh").go().await.status, 200);
    assert_eq!(groups_of(&rig, "ann"), "");
    assert!(rig.desk.rows(&"/alpha".into(), Kind::User).is_empty());
}

/// What does not fit into one entry is written in several; what fits is not torn apart.
#[test]
fn entries_are_bounded() {
    let alpha = RealmPath::from("/alpha");
    let with = |n: usize, members: usize| {
        let members: Vec<Arc<str>> = (0..members).map(|m| Arc::from(format!("user{m:06}"))).collect();
        write(&key(&alpha, &format!("g{n}")), Precondition::Present, &mut Object::new(), &members)
    };
    let small: Vec<Write> = (0..200).map(|n| with(n, 10)).collect();
    assert_eq!(parts(small.clone()), [small]);
    let large: Vec<Write> = (0..8).map(|n| with(n, content::MAX_MEMBERS)).collect();
    let torn = parts(large.clone());
    assert!(torn.len() > 2 && torn.iter().all(|part| part.iter().map(cost).sum::<usize>() <= MAX_ENTRY));
    assert_eq!(torn.concat(), large);
    assert!(parts(Vec::new()).is_empty());
}
