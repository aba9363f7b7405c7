//! The tables of g.2 and g.3, and of authorization.md §2.11, as rules and over HTTP; what delegated administrators cannot do.

use super::*;
use crate::rest::testing::Rig;
use serde_json::{Value, json};

const ROOT: &str = "/realms/root";
const ALPHA: &str = "/realms/root/realms/alpha";
const BETA: &str = "/realms/root/realms/alpha/realms/beta";
const GAMMA: &str = "/realms/root/realms/gamma";
const DENIED: (u16, &str) = (403, "The user has insufficient privileges");

#[test]
fn there_are_the_22_of_the_reference() {
    let names: Vec<&str> = Privilege::ALL.into_iter().map(Privilege::name).collect();
    assert_eq!(
        names.join(" "),
        "RealmAdmin PolicyAdmin RealmReadAccess AgentAdmin FederationAdmin LogAdmin LogRead LogWrite \
         EntitlementRestAccess PrivilegeRestReadAccess PrivilegeRestAccess ApplicationReadAccess \
         ApplicationModifyAccess ResourceTypeReadAccess ResourceTypeModifyAccess ApplicationTypesReadAccess \
         ConditionTypesReadAccess SubjectTypesReadAccess DecisionCombinersReadAccess SubjectAttributesReadAccess \
         SessionPropertyModifyAccess CacheAdmin"
    );
    for privilege in Privilege::ALL {
        assert_eq!(Privilege::parse(privilege.name()), Some(privilege));
        assert!(Privileges::ALL.has(privilege));
        let one = Privileges::from_iter([privilege]);
        assert!(one.has(privilege) && !Privileges::NONE.has(privilege) && one.without(one).is_empty());
        assert_eq!(one.implied() == Privileges::ALL, privilege == Privilege::RealmAdmin);
    }
    assert_eq!(Privilege::parse("realmadmin"), None);
}

/// g.2 as text: each privilege, and all it grants. Whatever is not in a row is denied, for every endpoint and right.
#[test]
fn each_privilege_grants_its_row_and_nothing_else() {
    use Endpoint::*;
    let catalogues = "ApplicationTypes:r ConditionTypes:r SubjectTypes:r DecisionCombiners:r SubjectAttributes:r";
    let rows = [
        (Privilege::RealmAdmin, "*"),
        (Privilege::PolicyAdmin, "Policies:rmx Applications:rm ResourceTypes:rm SessionProperties:rm Realms:r +"),
        (Privilege::RealmReadAccess, "Realms:r"),
        (Privilege::AgentAdmin, "Agents:rm"),
        (Privilege::FederationAdmin, ""),
        (Privilege::LogAdmin, ""),
        (Privilege::LogRead, ""),
        (Privilege::LogWrite, ""),
        (Privilege::EntitlementRestAccess, "Policies:e +"),
        (Privilege::PrivilegeRestReadAccess, "Policies:r +"),
        (Privilege::PrivilegeRestAccess, "Policies:rm +"),
        (Privilege::ApplicationReadAccess, "Applications:r +"),
        (Privilege::ApplicationModifyAccess, "Applications:rm +"),
        (Privilege::ResourceTypeReadAccess, "ResourceTypes:r +"),
        (Privilege::ResourceTypeModifyAccess, "ResourceTypes:rm +"),
        (Privilege::ApplicationTypesReadAccess, "+"),
        (Privilege::ConditionTypesReadAccess, "+"),
        (Privilege::SubjectTypesReadAccess, "+"),
        (Privilege::DecisionCombinersReadAccess, "+"),
        (Privilege::SubjectAttributesReadAccess, "+"),
        (Privilege::SessionPropertyModifyAccess, "SessionProperties:rm"),
        (Privilege::CacheAdmin, ""),
    ];
    assert_eq!(rows.map(|(privilege, _)| privilege), Privilege::ALL);
    for (privilege, row) in rows {
        let row = row.replace('+', catalogues);
        let held = Privileges::from_iter([privilege]);
        for endpoint in Endpoint::ALL {
            let of_row = row.split(' ').find_map(|cell| cell.strip_prefix(&format!("{endpoint:?}:")));
            for (right, letter) in
                [(Right::Read, 'r'), (Right::Modify, 'm'), (Right::Evaluate, 'e'), (Right::Explain, 'x')]
            {
                let expected = row == "*" || of_row.is_some_and(|rights| rights.contains(letter));
                assert_eq!(held.grant(endpoint, right), expected, "{privilege:?} {endpoint:?} {right:?}");
                assert!(!Privileges::NONE.grant(endpoint, right));
            }
        }
    }
    // Endpoints that nobody can be delegated.
    for endpoint in [Configuration, Users] {
        let all_others = Privileges::ALL.without(Privileges::from_iter([Privilege::RealmAdmin]));
        assert!(!all_others.grant(endpoint, Right::Read) && !all_others.grant(endpoint, Right::Modify));
    }
}

/// g.3: which right an action needs.
#[test]
fn an_action_needs_what_the_table_says() {
    let of = |endpoint, name: &str| Right::of(endpoint, &Verb::Action(name.to_owned(), Default::default()));
    for name in ["evaluate", "evaluateTree"] {
        assert_eq!(of(Endpoint::Policies, name), Some(Right::Evaluate));
        assert_eq!(of(Endpoint::Applications, name), None);
    }
    for name in ["copy", "move", "clone"] {
        assert_eq!(of(Endpoint::Configuration, name), Some(Right::Modify));
    }
    for name in ["schema", "validate", "template", "getAllTypes", "getCreatableTypes", "getType", "nextdescendents"] {
        assert_eq!(of(Endpoint::Agents, name), Some(Right::Read), "{name}");
    }
    assert_eq!(of(Endpoint::SessionProperties, "setProperty"), Some(Right::Modify));
    for name in ["", "nosuch", "Evaluate", "delete"] {
        assert_eq!(of(Endpoint::Policies, name), None, "{name}");
    }
    assert_eq!(Right::of(Endpoint::Realms, &Verb::Read(None)), Some(Right::Read));
    assert_eq!(Right::of(Endpoint::Realms, &Verb::Create(Default::default())), Some(Right::Modify));
    assert_eq!(Right::of(Endpoint::Realms, &Verb::Put(Default::default())), Some(Right::Modify));
}

/// A cluster with `/alpha`, `/alpha/beta` and `/gamma`, and `ann` in `/alpha`.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig.realm("gamma").await;
    let beta = json!({"name": "beta", "parentPath": "/alpha", "active": true, "aliases": []});
    assert_eq!(rig.send("POST", "/global-config/realms?_action=create", beta).await.status, 201);
    rig.user(ALPHA, "ann").await;
    rig
}

async fn ann(rig: &Rig) -> String {
    rig.session(&"/alpha".into(), Kind::User, "ann").await
}

/// A policy of the built-in set, for whoever `of_type` is.
fn policy(name: &str, of_type: Value) -> Value {
    let subject = if of_type.is_string() { json!({"type": of_type}) } else { of_type };
    json!({
        "name": name, "active": true, "applicationName": "iPlanetAMWebAgentService",
        "resourceTypeUuid": "76656a38-5f8e-401b-83aa-4ccb74ce88d2", "resources": ["http://x.example:80/*"],
        "actionValues": {"GET": true}, "subject": subject,
    })
}

/// What a request is answered with; whether the privilege layer let it pass is what counts.
async fn status(rig: &Rig, session: &str, method: &str, path: &str) -> (u16, String) {
    let body = json!({"resources": ["http://x.example/"]});
    let ask = rig.ask(method, path).session(session);
    let reply = if method == "GET" { ask.go().await } else { ask.json(&body).await };
    (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
}

/// A method, a path, and what it takes.
type Tried<'t> = (&'t str, &'t str, Right);

/// Every privilege at every endpoint with every verb: let in exactly where the table says.
#[actix_web::test]
async fn every_privilege_opens_its_endpoints_over_http() {
    let rig = rig().await;
    let session = ann(&rig).await;
    let endpoints: [(&str, Endpoint, &[Tried<'_>]); 12] = [
        (
            "policies",
            Endpoint::Policies,
            &[
                ("POST", "?_action=evaluate", Right::Evaluate),
                ("POST", "?_action=evaluateTree", Right::Evaluate),
                ("POST", "?_action=explain", Right::Explain),
                ("POST", "?_action=whatif", Right::Explain),
                ("POST", "/x?_action=copy", Right::Modify),
            ],
        ),
        ("applications", Endpoint::Applications, &[]),
        ("resourcetypes", Endpoint::ResourceTypes, &[]),
        ("applicationtypes", Endpoint::ApplicationTypes, &[]),
        ("conditiontypes", Endpoint::ConditionTypes, &[]),
        ("subjecttypes", Endpoint::SubjectTypes, &[]),
        ("decisioncombiners", Endpoint::DecisionCombiners, &[]),
        ("realm-config/agents/OAuth2Client", Endpoint::Agents, &[("POST", "?_action=schema", Right::Read)]),
        ("realm-config/agents", Endpoint::Agents, &[("POST", "?_action=getAllTypes", Right::Read)]),
        ("realm-config/services/oauth-oidc", Endpoint::Configuration, &[]),
        ("users", Endpoint::Users, &[("POST", "?_action=schema", Right::Read)]),
        ("groups", Endpoint::Configuration, &[("POST", "?_action=template", Right::Read)]),
    ];
    let common = [
        ("GET", "?_queryFilter=true", Right::Read),
        ("GET", "/x", Right::Read),
        ("POST", "?_action=create", Right::Modify),
        ("PUT", "/x", Right::Modify),
        ("DELETE", "/x", Right::Modify),
        ("PATCH", "/x", Right::Modify),
    ];
    for privilege in Privilege::ALL {
        rig.group(ALPHA, "g", &["ann"], &[]).await;
        let all: serde_json::Map<String, Value> =
            Privilege::ALL.into_iter().map(|p| (p.name().to_owned(), (p == privilege).into())).collect();
        let given = rig.send("PUT", &format!("{ALPHA}/groups/g"), json!({"privileges": all})).await;
        assert_eq!(given.status, 200, "{}", given.text);
        let held = Privileges::from_iter([privilege]);
        for (name, endpoint, more) in endpoints {
            let (singleton, list) = (name.ends_with("oauth-oidc"), name.ends_with("agents"));
            for &(method, tail, right) in common.iter().chain(more) {
                if singleton && (tail.starts_with('?') || method == "DELETE") {
                    continue; // nothing else is changed on the way
                }
                if list && tail.starts_with('/') {
                    continue; // nothing is there
                }
                let path = format!("{ALPHA}/{name}{}", if singleton { "" } else { tail });
                let (code, message) = status(&rig, &session, method, &path).await;
                // Where PATCH is for administrators, users say so in their own words.
                let refused = code == 403 && (message == DENIED.1 || message.starts_with("Only admin"));
                assert_eq!(!refused, held.grant(endpoint, right), "{privilege:?} {method} {path}: {code} {message}");
            }
        }
        let subjects = rig.ask("GET", &format!("{ALPHA}/subjectattributes?_queryFilter=true")).session(&session).go();
        assert_eq!(subjects.await.status == 200, held.grant(Endpoint::SubjectAttributes, Right::Read), "{privilege:?}");
    }
}

/// g.2: in the realm of the login and below, nowhere else; from the groups there, and from nobody else's.
#[actix_web::test]
async fn privileges_reach_down_and_not_aside_or_up() {
    let rig = rig().await;
    rig.user(ROOT, "ann").await;
    rig.user(GAMMA, "ann").await;
    rig.group(ALPHA, "admins", &["ann"], &["RealmAdmin"]).await;
    let sessions = [
        (ann(&rig).await, [false, true, true, false]),
        (rig.session(&"/".into(), Kind::User, "ann").await, [false; 4]),
        (rig.session(&"/gamma".into(), Kind::User, "ann").await, [false; 4]),
    ];
    let reach = |session: String, expected: [bool; 4]| {
        let rig = &rig;
        async move {
            for (realm, expected) in [ROOT, ALPHA, BETA, GAMMA].into_iter().zip(expected) {
                for path in ["users?_queryFilter=true", "groups?_queryFilter=true", "policies?_queryFilter=true"] {
                    let (code, _) = status(rig, &session, "GET", &format!("{realm}/{path}")).await;
                    assert_eq!(code, if expected { 200 } else { 403 }, "{realm}/{path}");
                }
                let user = json!({"username": uuid::Uuid::new_v4().to_string(), "userpassword": "correct horse"});
                let create = rig.ask("POST", &format!("{realm}/users?_action=create")).session(&session);
                assert_eq!(create.json(&user).await.status, if expected { 201 } else { 403 }, "{realm}");
            }
        }
    };
    for (session, expected) in sessions {
        reach(session, expected).await;
    }
    // In the top-level realm: everywhere.
    rig.group(ROOT, "all", &["ann"], &["RealmAdmin"]).await;
    reach(rig.session(&"/".into(), Kind::User, "ann").await, [true; 4]).await;
    // A namesake of the realm is not below it.
    rig.realm("alphabet").await;
    let (code, _) = status(&rig, &ann(&rig).await, "GET", "/realms/root/realms/alphabet/users?_queryFilter=true").await;
    assert_eq!(code, 403);
}

/// G2: with the write that takes it, and the session stays.
#[actix_web::test]
async fn what_is_taken_away_is_gone_at_once() {
    let rig = rig().await;
    let session = ann(&rig).await;
    let (agents, own) = (format!("{ALPHA}/realm-config/agents?_queryFilter=true"), format!("{ALPHA}/users/ann"));
    let may = || async { status(&rig, &session, "GET", &agents).await.0 == 200 };
    let given = |body: Value| async { rig.send("PUT", &format!("{ALPHA}/groups/g"), body).await.status };
    rig.group(ALPHA, "g", &["ann"], &["AgentAdmin"]).await;
    assert!(may().await);
    assert_eq!(given(json!({"privileges": {"AgentAdmin": false}})).await, 200);
    assert!(!may().await);
    assert_eq!(given(json!({"privileges": {"AgentAdmin": true}})).await, 200);
    assert!(may().await, "and back");
    assert_eq!(given(json!({"members": {"uniqueMember": []}})).await, 200);
    assert!(!may().await);
    assert_eq!(given(json!({"members": {"uniqueMember": ["ann"]}})).await, 200);
    assert!(may().await);
    assert_eq!(rig.admin("DELETE", &format!("{ALPHA}/groups/g")).go().await.status, 200);
    assert!(!may().await);
    rig.group(ALPHA, "g", &[], &["AgentAdmin"]).await;
    assert!(!may().await, "a group of the same name is another one");
    let everybody = format!("{ALPHA}/groups/allauthenticatedusers");
    let reply = rig.send("PUT", &everybody, json!({"privileges": {"AgentAdmin": true}})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(may().await);
    assert_eq!(rig.send("PUT", &everybody, json!({"privileges": {"AgentAdmin": false}})).await.status, 200);
    assert!(!may().await);
    assert_eq!(status(&rig, &session, "GET", &own).await.0, 200, "the session has lived through it all");
}

/// AD-02: a delegated administrator does not get further than he was let.
#[actix_web::test]
async fn nobody_climbs() {
    let rig = rig().await;
    rig.user(ROOT, "root-admin").await;
    rig.user(ROOT, "mortal").await;
    rig.group(ROOT, "all", &["root-admin"], &["RealmAdmin"]).await;
    let root = rig.session(&"/".into(), Kind::User, "root-admin").await;
    let send = |session: &str, method: &str, path: String, body: Value| {
        let ask = rig.ask(method, &path).session(session);
        async move {
            let reply = ask.json(&body).await;
            (reply.status, reply.json["message"].as_str().unwrap_or_default().to_owned())
        }
    };
    let not_enough = (403, "User does not have enough privileges.".to_owned());
    // The top-level realm's administrator may do what he wants to mortals, and nothing to amAdmin.
    let reset = json!({"userpassword": "another horse"});
    assert_eq!(send(&root, "PUT", format!("{ROOT}/users/mortal"), reset.clone()).await.0, 200);
    for body in [reset, json!({"mail": "evil@example.com"}), json!({"inetUserStatus": "Inactive"})] {
        assert_eq!(send(&root, "PUT", format!("{ROOT}/users/amadmin"), body).await, not_enough);
    }
    let groups = json!({"groups": ["all"]});
    assert_eq!(
        send(&root, "POST", format!("{ROOT}/users/amadmin?_action=setGroups"), groups.clone()).await,
        not_enough
    );
    let update = format!("{ROOT}/users/amadmin/groups?_action=updateMemberships");
    assert_eq!(send(&root, "POST", update, groups).await, not_enough);
    assert_eq!(send(&root, "DELETE", format!("{ROOT}/users/amadmin"), json!({})).await.0, 403);
    let change = json!({"currentpassword": crate::testing::PASSWORD, "userpassword": "another horse"});
    assert_eq!(send(&root, "POST", format!("{ROOT}/users/amadmin?_action=changePassword"), change).await.0, 403);
    assert_eq!(rig.get(&format!("{ROOT}/users/amadmin")).await.status, 200, "whose session lives");

    // Who has anything but the realm gets at neither groups nor users, least of all at his own.
    let ann = ann(&rig).await;
    let others: Vec<&str> = Privilege::ALL.into_iter().skip(1).map(Privilege::name).collect();
    rig.group(ALPHA, "delegates", &["ann"], &others).await;
    let own = format!("{ALPHA}/groups/delegates");
    let everything = json!({"privileges": {"RealmAdmin": true}});
    let denied = (403, DENIED.1.to_owned());
    assert_eq!(send(&ann, "PUT", own, everything.clone()).await, denied);
    assert_eq!(send(&ann, "PUT", format!("{ALPHA}/groups/new"), everything.clone()).await, denied);
    assert_eq!(send(&ann, "PUT", format!("{ALPHA}/groups/allauthenticatedusers"), everything.clone()).await, denied);
    let admins = json!({"groups": ["delegates"]});
    assert_eq!(send(&ann, "POST", format!("{ALPHA}/users/ann?_action=setGroups"), admins.clone()).await, denied);
    let update = format!("{ALPHA}/users/ann/groups?_action=updateMemberships");
    assert_eq!(send(&ann, "POST", update, admins).await, denied);
    let promoted = json!({"inetUserStatus": ["Active"], "employeeType": ["admin"]});
    assert_eq!(send(&ann, "PUT", format!("{ALPHA}/users/ann"), promoted).await, not_enough);

    // An administrator of /alpha: nothing global, no sibling, not the parent; and policies do not leave for there.
    rig.group(ALPHA, "delegates", &["ann"], &["RealmAdmin"]).await;
    assert_eq!(send(&ann, "PUT", format!("{BETA}/groups/x"), everything.clone()).await.0, 201);
    for realm in [ROOT, GAMMA] {
        assert_eq!(send(&ann, "PUT", format!("{realm}/groups/x"), everything.clone()).await, denied);
        let user = json!({"username": "x", "userpassword": "correct horse"});
        assert_eq!(send(&ann, "POST", format!("{realm}/users?_action=create"), user).await, denied);
    }
    assert_eq!(
        rig.send("PUT", &format!("{ALPHA}/policies/p"), policy("p", json!("AuthenticatedUsers"))).await.status,
        201
    );
    for (realm, expected) in [("/gamma", denied.clone()), ("/", denied.clone()), ("/alpha/beta", (200, String::new()))]
    {
        let to = json!({"to": {"realm": realm, "name": "x"}});
        assert_eq!(send(&ann, "POST", format!("{ALPHA}/policies/p?_action=copy"), to).await, expected, "{realm}");
    }
    // An action of which nobody has heard is nobody's; amAdmin hears from the resource.
    let action = format!("{ALPHA}/groups?_action=nosuch");
    assert_eq!(
        send(&ann, "POST", action.clone(), json!({})).await,
        (403, "No privilege mapping for requested action nosuch".to_owned())
    );
    assert_eq!(rig.send("POST", &action, json!({})).await.status, 501);
}

/// §2.11: agents evaluate, wherever; nothing else.
#[actix_web::test]
async fn agents_evaluate_and_do_nothing_else() {
    let rig = rig().await;
    let agent = rig
        .send("PUT", &format!("{ALPHA}/realm-config/agents/IdentityGateway/ig"), json!({"userpassword": "ig-secret"}))
        .await;
    assert_eq!(agent.status, 201, "{}", agent.text);
    let everybody = json!({"privileges": {"RealmAdmin": true}});
    let reply = rig.send("PUT", &format!("{ALPHA}/groups/allauthenticatedusers"), everybody).await;
    assert_eq!(reply.status, 200, "{}", reply.text); // all users, and agents are none
    let session = rig.session(&"/alpha".into(), Kind::IdentityGateway, "ig").await;
    for realm in [ROOT, ALPHA, GAMMA] {
        let (code, message) = status(&rig, &session, "POST", &format!("{realm}/policies?_action=evaluate")).await;
        assert_eq!(code, 200, "{message}");
        for (method, path) in [
            ("POST", "policies?_action=explain"),
            ("GET", "policies?_queryFilter=true"),
            ("GET", "conditiontypes?_queryFilter=true"),
            ("GET", "users?_queryFilter=true"),
            ("PUT", "groups/x"),
        ] {
            let (code, message) = status(&rig, &session, method, &format!("{realm}/{path}")).await;
            assert_eq!((code, message.as_str()), DENIED, "{realm}/{path}");
        }
    }
}

/// authorization.md §1.4, §3.3, §4.14: a policy for a group speaks to its members, as long as they are.
#[actix_web::test]
async fn policies_for_a_group_speak_to_its_members() {
    let rig = rig().await;
    rig.user(ALPHA, "bob").await;
    rig.user(GAMMA, "ann").await;
    rig.group(ALPHA, "Ops", &["ann"], &[]).await;
    let group = "id=ops,ou=group,o=alpha,ou=services,ou=am-config";
    let direct = policy("direct", json!({"type": "Identity", "subjectValues": [group]}));
    let mut by_name = policy("by-name", json!("AuthenticatedUsers"));
    by_name["resources"] = json!(["http://y.example:80/*"]);
    by_name["condition"] = json!({"type": "AMIdentityMembership", "amIdentityName": [group]});
    for body in [direct, by_name] {
        let path = format!("{ALPHA}/policies/{}", body["name"].as_str().unwrap_or_default());
        let reply = rig.send("PUT", &path, body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
    let ann = ann(&rig).await;
    let bob = rig.session(&"/alpha".into(), Kind::User, "bob").await;
    let namesake = rig.session(&"/gamma".into(), Kind::User, "ann").await;
    let asks = |session: &str, resource: &str, named: &str| {
        let body = json!({
            "resources": [resource], "subject": {"ssoToken": session},
            "environment": {"invocatorPrincipalUuid": [named]},
        });
        let rig = &rig;
        async move {
            let reply = rig.send("POST", &format!("{ALPHA}/policies?_action=evaluate"), body).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            reply.json[0]["actions"]["GET"] == true
        }
    };
    let (x, y) = ("http://x.example:80/a", "http://y.example:80/a");
    assert!(asks(&ann, x, "").await);
    assert!(!asks(&bob, x, "").await);
    assert!(!asks(&namesake, x, "").await);
    let id = |name: &str, realm: &str| format!("id={name},ou=user,{realm}ou=services,ou=am-config");
    for (named, expected) in [
        (id("ann", "o=alpha,"), true),
        (id("ANN", "o=Alpha,"), true),
        (id("bob", "o=alpha,"), false),
        (id("ann", "o=gamma,"), false),
        (id("ann", "o=nosuch,"), false),
        ("id=ann,ou=user,ou=am-config".to_owned(), false),
        ("ann".to_owned(), false),
        (group.to_owned(), true),
    ] {
        assert_eq!(asks(&bob, y, &named).await, expected, "{named}");
    }
    assert_eq!(
        rig.send("POST", &format!("{ALPHA}/users/ann?_action=setGroups"), json!({"groups": []})).await.status,
        200
    );
    assert!(!asks(&ann, x, "").await && !asks(&bob, y, &id("ann", "o=alpha,")).await, "who has left, has left");
}
