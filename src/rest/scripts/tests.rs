//! The tables of authn-sessions-realms.md part e, in their order; scripting.md §2, §20 and §21.

use super::{
    built_in::SCRIPTS,
    contexts::{CONTEXTS, default_script, engine_configuration},
    find,
};
use crate::rest::testing::{Reply, Rig};
use base64::{Engine, engine::general_purpose::STANDARD};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const BASE: &str = "/realms/root/realms/alpha/scripts";
const ID: &str = "5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e11";
const CONTEXT: &str = "OAUTH2_ACCESS_TOKEN_MODIFICATION";
const ADMIN: &str = "id=amadmin,ou=user,ou=am-config";

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig
}

fn script(name: &str, source: &str) -> Value {
    json!({"name": name, "script": STANDARD.encode(source), "language": "JAVASCRIPT", "context": CONTEXT})
}

async fn put(rig: &Rig, id: &str, body: Value) -> Reply {
    rig.send("PUT", &format!("{BASE}/{id}"), body).await
}

async fn validate(rig: &Rig, body: Value) -> Reply {
    rig.send("POST", &format!("{BASE}?_action=validate"), body).await
}

fn names(reply: &Reply) -> Vec<String> {
    let listed = reply.json["result"].as_array().unwrap_or_else(|| panic!("{}", reply.text));
    listed.iter().map(|script| script["name"].as_str().expect("a name").to_owned()).collect()
}

/// The calls of e.1, in their order.
#[actix_web::test]
async fn a_script_lives_and_dies() {
    let rig = rig().await;
    let path = format!("{BASE}/{ID}");
    let missing = format!("Script with UUID {ID} could not be found in realm /alpha");
    assert_eq!(rig.get(&path).await.error(), (404, missing.as_str()));
    let mut body = script("My script", "var a = 1;");
    body["description"] = json!("optional");
    body["default"] = json!(true);
    body["createdBy"] = json!("id=somebody,ou=user,ou=am-config");
    body["creationDate"] = json!(7);
    let create = rig.admin("PUT", &path).header("Accept-API-Version", "protocol=2.0,resource=1.0");
    let created = create.json(&body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.header("Content-API-Version"), Some("resource=1.1"));
    assert_eq!(created.header("ETag"), created.json["_rev"].as_str().map(|rev| format!("\"{rev}\"")).as_deref());
    let location =
        "https://am.example.com:8443/am/json/realms/root/realms/alpha/scripts/5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e11";
    assert_eq!(created.header("Location"), Some(location));
    let at = created.json["creationDate"].as_i64().expect("milliseconds");
    let mut expected = json!({"_id": ID, "name": "My script", "description": "optional", "script": "dmFyIGEgPSAxOw==",
        "default": false, "language": "JAVASCRIPT", "context": CONTEXT, "createdBy": ADMIN, "creationDate": at,
        "lastModifiedBy": ADMIN, "lastModifiedDate": at, "evaluatorVersion": "1.0"});
    let read = rig.get(&path).await;
    assert_eq!((read.status, &read.json, read.header("ETag")), (200, &expected, None), "no revision");

    let mut changed = read.json.clone();
    changed["name"] = json!("MY SCRIPT");
    changed["evaluatorVersion"] = json!("2.0");
    let updated = put(&rig, ID, changed).await;
    assert_eq!((updated.status, updated.header("ETag")), (200, None), "{}", updated.text);
    expected["name"] = json!("MY SCRIPT");
    let modified = updated.json["lastModifiedDate"].clone();
    assert!(modified.as_i64() >= Some(at));
    expected["lastModifiedDate"] = modified;
    assert_eq!(updated.json, expected);

    let posted = rig.send("POST", &format!("{BASE}?_action=create"), script("Second", "1")).await;
    assert_eq!(posted.status, 201, "{}", posted.text);
    let id = posted.json["_id"].as_str().expect("an id");
    assert!(uuid::Uuid::try_parse(id).is_ok() && posted.json["_rev"].is_string());
    assert_eq!(posted.json["description"], Value::Null);

    let deleted = rig.admin("DELETE", &path).go().await;
    assert_eq!((deleted.status, deleted.json), (200, json!({"_id": ID})));
    assert_eq!(rig.admin("DELETE", &path).go().await.error(), (404, missing.as_str()));
    assert_eq!(rig.admin("PATCH", &format!("{BASE}/{id}")).json(&json!([])).await.status, 501);
    let unknown = rig.send("POST", &format!("{BASE}?_action=createGlobal"), json!({})).await;
    assert_eq!(unknown.error(), (501, "Action createGlobal not implemented for this resource"));
}

/// The errors of e.1, in their order.
#[actix_web::test]
async fn the_errors_of_the_table() {
    let rig = rig().await;
    let with = |name: &str, value: Value| {
        let mut body = script("x", "1");
        body[name] = value;
        body
    };
    for (body, message) in [
        (json!({}), "Script name must be specified"),
        (with("name", json!(" ")), "Script name must be specified"),
        (with("name", json!(7)), "Script name must be specified"),
        (with("script", Value::Null), "A script must be specified"),
        (with("language", Value::Null), "Scripting language must be specified"),
        (with("language", json!("COBOL")), "Scripting language not supported: COBOL"),
        (with("language", json!("GROOVY")), "Scripting language not supported: GROOVY"),
        (with("context", Value::Null), "Script type must be specified"),
        (with("context", json!("KITCHEN")), "Script type not recognised: KITCHEN"),
        (with("script", json!("%%%")), "Failed to decode UTF-8 encoded script"),
        (with("script", json!("dmFyIGEgPSAxOw")), "Failed to decode UTF-8 encoded script"),
        (with("script", json!("/////w==")), "Failed to decode UTF-8 encoded script"),
        (with("script", json!(["a", "b"])), "Failed to decode UTF-8 encoded script"),
        (with("isAdmin", json!(true)), "Invalid attribute specified."),
        (with("description", json!(7)), "Data validation failed for the attribute, description"),
        (with("script", STANDARD.encode("x".repeat(600 << 10)).into()), "A script has at most 524288 bytes"),
    ] {
        assert_eq!(put(&rig, ID, body.clone()).await.error(), (400, message), "{}", body["name"]);
    }
    let wrong = rig.send("PUT", &format!("{BASE}/no-uuid"), script("x", "1")).await;
    assert_eq!(wrong.error(), (400, "The ID of a script is a UUID"));
    assert_eq!(rig.get(&format!("{BASE}?_queryFilter=default+eq+false")).await.json["resultCount"], 0);

    assert_eq!(put(&rig, ID, script("My script", "1")).await.status, 201);
    let other = "5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e12";
    let taken = "Script with name mY SCRIPT already exist in realm /alpha";
    assert_eq!(put(&rig, other, script("mY SCRIPT", "1")).await.error(), (409, taken));
    let shipped = "Script with name oidc claims script already exist in realm /alpha";
    assert_eq!(put(&rig, other, script("oidc claims script", "1")).await.error(), (409, shipped));
    let renamed = put(&rig, ID, script("Library Script", "1")).await;
    assert_eq!(renamed.error(), (409, "Script with name Library Script already exist in realm /alpha"));
    let only = rig.admin("PUT", &format!("{BASE}/{ID}")).header("If-None-Match", "*").json(&script("n", "1")).await;
    assert_eq!(only.error().0, 412);
    // Names are a realm's own.
    let root = rig.send("PUT", &format!("/scripts/{other}"), script("My script", "1")).await;
    assert_eq!(root.status, 201, "{}", root.text);

    let claims = "36863ffb-40ec-48b9-94b1-9a99f71cc3b5";
    let refused = rig.admin("DELETE", &format!("{BASE}/{claims}")).go().await;
    assert_eq!(refused.error(), (403, "Default script OIDC Claims Script cannot be deleted"));
}

/// e.1: delete in use.
#[actix_web::test]
async fn a_script_in_use_stays() {
    let rig = rig().await;
    assert_eq!(put(&rig, ID, script("Used", "1")).await.status, 201);
    let nodes = "/realms/root/realms/alpha/realm-config/authentication/authenticationtrees/nodes/ScriptedDecisionNode";
    let node = format!("{nodes}/11111111-0000-4000-8000-000000000001");
    assert_eq!(rig.send("PUT", &node, json!({"script": ID, "outcomes": ["a"]})).await.status, 201);
    let delete = || rig.admin("DELETE", &format!("{BASE}/{ID}")).go();
    assert_eq!(delete().await.error(), (409, "The script Used is used once"));
    let provider = "/realms/root/realms/alpha/realm-config/services/oauth-oidc";
    let body = json!({"pluginsConfig": {"accessTokenModificationScript": ID}});
    let written = rig.send("PUT", provider, body).await;
    assert_eq!(written.status, 201, "{}", written.text);
    assert_eq!(delete().await.error(), (409, "The script Used is used 2 times"));
    assert_eq!(rig.admin("DELETE", provider).go().await.status, 200);
    // The log itself refuses, whatever a node has seen.
    let key = quorate_raft::DocumentKey::new(&RealmPath::from("/alpha"), Kind::Script, ID);
    let forced = rig.desk.write(vec![crate::desk::delete(key, quorate_raft::Precondition::Any)]).await;
    assert!(matches!(forced, Err(crate::desk::WriteError::Refused(quorate_raft::Refusal::Referenced { .. }))));
    assert_eq!(rig.admin("DELETE", &node).go().await.status, 200);
    assert_eq!(delete().await.status, 200);
}

/// e.1, the rows about queries.
#[actix_web::test]
async fn filters_and_pages() {
    let rig = rig().await;
    assert_eq!(put(&rig, ID, script("Beta", "alpha < beta")).await.status, 201);
    let mut other = script("Gamma", "none");
    other["context"] = json!("LIBRARY");
    other["description"] = json!("a Library");
    assert_eq!(put(&rig, "5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e12", other).await.status, 201);
    let ask = |filter: &str| {
        let path = format!("{BASE}?_queryFilter={}", crate::crest::percent::encode(filter));
        let rig = &rig;
        async move { rig.get(&path).await }
    };
    let all = ask("true").await;
    let count = SCRIPTS.len() + 2;
    assert_eq!(all.json["resultCount"], count);
    assert_eq!(
        (&all.json["totalPagedResultsPolicy"], &all.json["totalPagedResults"], &all.json["remainingPagedResults"]),
        (&json!("NONE"), &json!(-1), &json!(0))
    );
    assert_eq!(all.json["result"][0].get("_rev"), None);
    for (filter, expected) in [
        ("name eq \"Beta\"", &["Beta"][..]),
        ("name eq \"beta\"", &[]),
        ("name sw \"Ga\"", &["Gamma"]),
        ("name co \"amm\"", &["Gamma"]),
        ("script co \"alpha < \"", &["Beta"]),
        ("description eq \"a Library\"", &["Gamma"]),
        ("name eq \"Beta\" or name eq \"Gamma\"", &["Beta", "Gamma"]),
        ("name eq \"Beta\" and context eq \"LIBRARY\"", &[]),
        ("context eq \"LIBRARY\" and default eq false", &["Gamma"]),
        ("context eq \"LIBRARY\" and default eq true", &["Library Script"]),
        ("default eq \"false\" and evaluatorVersion eq \"2.0\"", &["Gamma"]),
        ("language eq \"GROOVY\"", &[]),
        ("name eq 7", &[]),
        ("false", &[]),
        ("_id eq \"5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e11\"", &["Beta"]),
        ("createdBy co \"amadmin\" and name sw \"B\"", &["Beta"]),
    ] {
        assert_eq!(names(&ask(filter).await), expected, "{filter}");
    }
    for (filter, message) in [
        ("name gt \"a\"", "The 'greater than' filter is not supported"),
        ("name ge \"a\"", "The 'greater than or equal' filter is not supported"),
        ("name lt \"a\"", "The 'less than' filter is not supported"),
        ("name le \"a\"", "The 'less than or equal' filter is not supported"),
        ("! (name eq \"a\")", "The 'not' filter is not supported"),
        ("name pr", "The 'present' filter is not supported"),
        ("name matches \"a\"", "The 'matches' filter is not supported"),
        ("nosuch eq \"a\"", "Querying by the field /nosuch is not supported"),
        ("name/first eq \"a\"", "Querying by the field /name/first is not supported"),
    ] {
        assert_eq!(ask(filter).await.error(), (400, message), "{filter}");
    }
    let wide = vec!["name eq \"a\""; 300].join(" or ");
    assert_eq!(ask(&wide).await.error(), (400, "Invalid Query Filter"));
    let page = format!("{BASE}?_queryFilter=true&_sortKeys=-name&_pageSize=3&_pagedResultsOffset=3");
    let page = rig.get(&page).await;
    assert_eq!((&page.json["resultCount"], &page.json["remainingPagedResults"]), (&json!(3), &json!(count - 6)));
    let fields = rig.get(&format!("{BASE}/{ID}?_fields=name,context")).await;
    assert_eq!(fields.json, json!({"_id": ID, "name": "Beta", "context": CONTEXT}));
}

/// Who wins when two change one script, and what a stale revision is told.
#[actix_web::test]
async fn two_editors_do_not_both_win() {
    let rig = rig().await;
    let created = put(&rig, ID, script("Beta", "1")).await;
    let tag = created.header("ETag").expect("a tag").to_owned();
    let edit = |source: &str| {
        let ask = rig.admin("PUT", &format!("{BASE}/{ID}")).header("If-Match", &tag);
        let body = script("Beta", source);
        async move { ask.json(&body).await.status }
    };
    assert_eq!(edit("2").await, 200);
    assert_eq!(edit("3").await, 412);
    let script = find(&rig.desk, &RealmPath::from("/alpha"), ID).expect("is there");
    assert_eq!(script.source, "2");
}

/// A name is given once: decided in the log, whatever a node has seen; and it is free again when its script is gone.
#[actix_web::test]
async fn of_two_scripts_with_one_name_one_is_made() {
    let rig = rig().await;
    let (one, other) = (ID, "5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e12");
    let racing =
        futures_util::future::join(put(&rig, one, script("Wanted", "1")), put(&rig, other, script("wANTED", "2")))
            .await;
    let mut statuses = [racing.0.status, racing.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let (winner, loser) = if racing.0.status == 201 { (one, other) } else { (other, one) };

    // The document that holds the name refuses, even where no view was looked at.
    let realm = RealmPath::from("/alpha");
    let held = super::reservation(&realm, "WANTED");
    assert!(rig.desk.views().entry(&held).is_some());
    assert_eq!(put(&rig, winner, script("WANTED", "3")).await.status, 200, "another spelling of the own name");
    assert_eq!(put(&rig, winner, script("Renamed", "3")).await.status, 200);
    assert!(rig.desk.views().entry(&held).is_none());
    assert_eq!(put(&rig, loser, script("Wanted", "2")).await.status, 201);
    assert_eq!(put(&rig, winner, script("wanted", "3")).await.status, 409);
    for id in [winner, loser] {
        assert_eq!(rig.admin("DELETE", &format!("{BASE}/{id}")).go().await.status, 200);
    }
    let left = rig.desk.rows(&realm, Kind::Settings);
    assert!(!left.iter().any(|row| row.id.starts_with("script-name/")), "no name outlives its script");
    let stale = rig.admin("DELETE", &format!("{BASE}/{winner}")).header("If-Match", "7").go().await;
    assert_eq!(stale.status, 404);
    let created = put(&rig, winner, script("Wanted", "1")).await;
    let delete = |tag: &str| rig.admin("DELETE", &format!("{BASE}/{winner}")).header("If-Match", tag).go();
    assert_eq!(delete("7").await.status, 412);
    assert_eq!(delete(created.header("ETag").expect("a tag")).await.status, 200);
}

/// e.2 and §21: what is shipped, in every realm, and what becomes of it when it is changed.
#[actix_web::test]
async fn shipped_scripts_are_everywhere() {
    let rig = rig().await;
    for shipped in SCRIPTS {
        let reply = rig.get(&format!("{BASE}/{}", shipped.id)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let json = &reply.json;
        assert_eq!((&json["default"], &json["language"]), (&json!(true), &json!("JAVASCRIPT")));
        for (by, at) in [("createdBy", "creationDate"), ("lastModifiedBy", "lastModifiedDate")] {
            assert_eq!((&json[by], &json[at]), (&json!("null"), &json!(0)));
        }
        assert!(CONTEXTS.iter().any(|context| context.id == json["context"]), "{}", json["context"]);
        let valid = validate(&rig, json!({"script": json["script"], "language": "JAVASCRIPT"})).await;
        assert_eq!(valid.json, json!({"success": true}), "{}", json["name"]);
    }
    for context in CONTEXTS {
        if let Some(id) = default_script(&rig.desk, context) {
            let script = find(&rig.desk, &RealmPath::root(), &id).expect(context.id);
            assert_eq!(script.context, context.id);
        }
    }
    let decision = "01e1a3c0-038b-4c16-956a-6c9d89328cff";
    let mut mine = rig.get(&format!("{BASE}/{decision}")).await.json;
    mine["script"] = STANDARD.encode("outcome = 'false';").into();
    let changed = put(&rig, decision, mine).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!((&changed.json["default"], &changed.json["createdBy"]), (&json!(true), &json!("null")));
    assert_eq!(changed.json["lastModifiedBy"], ADMIN);
    let source = |realm: &str| find(&rig.desk, &RealmPath::from(realm), decision).expect("is there").source;
    assert_eq!(source("/alpha"), "outcome = 'false';");
    assert!(source("/").contains("outcome = \"true\";"), "the others keep theirs");
    assert_eq!(rig.admin("DELETE", &format!("{BASE}/{decision}")).go().await.status, 403);
    let all = rig.get(&format!("{BASE}?_queryFilter=true")).await;
    assert_eq!(all.json["resultCount"], SCRIPTS.len());
}

/// e.3.
#[actix_web::test]
async fn validate_compiles_and_runs_nothing() {
    let rig = rig().await;
    let body =
        |source: &str| json!({"script": STANDARD.encode(source), "language": "JAVASCRIPT", "evaluatorVersion": "1.0"});
    assert_eq!(validate(&rig, body("while (true) {}")).await.json, json!({"success": true}));
    let reply = validate(&rig, body("var a = 1;\nvar b = ;")).await;
    assert_eq!((reply.status, &reply.json["success"]), (200, &json!(false)));
    let error = &reply.json["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&json!(2), &json!(9)));
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    for (body, message) in [
        (json!({"language": "JAVASCRIPT"}), "A script must be specified"),
        (json!({"script": "", "language": "JAVASCRIPT"}), "A script must be specified"),
        (json!({"script": "%", "language": "JAVASCRIPT"}), "Failed to decode UTF-8 encoded script"),
        (json!({"script": "MQ=="}), "Scripting language must be specified"),
        (json!({"script": "MQ==", "language": "GROOVY"}), "Scripting language not supported: GROOVY"),
        (json!({"script": "MQ==", "language": 7}), "Scripting language must be specified"),
    ] {
        assert_eq!(validate(&rig, body).await.error(), (400, message));
    }
    // What does not compile is stored all the same: imports must not lose it (scripting.md §2).
    assert_eq!(put(&rig, ID, script("Broken", "var a = ;")).await.status, 201);
}

/// Libraries tell what they export; the evaluator version follows the context.
#[actix_web::test]
async fn libraries_and_evaluator_versions() {
    let rig = rig().await;
    let mut library = script("Tools", "exports.plus = function (a, b) { return a + b }; exports.one = 1;");
    library["context"] = json!("LIBRARY");
    let created = put(&rig, ID, library).await;
    let exports = json!([{"id": "plus", "type": "Function", "arity": 2}, {"id": "one", "type": "Constant"}]);
    assert_eq!((&created.json["exports"], &created.json["evaluatorVersion"]), (&exports, &json!("2.0")));
    assert_eq!(put(&rig, ID, created.json).await.status, 200, "what was read can be written");
    let libraries = "/realms/root/realms/alpha/libraries";
    let listed = rig.get(&format!("{libraries}?_queryFilter=name+eq+%22Tools%22")).await;
    assert_eq!(listed.json["result"][0]["exports"], exports);
    assert_eq!(names(&rig.get(&format!("{libraries}?_queryFilter=true")).await), ["Tools", "Library Script"]);
    assert_eq!(rig.get(&format!("{libraries}/{ID}")).await.json["name"], "Tools");
    let decision = "01e1a3c0-038b-4c16-956a-6c9d89328cff";
    assert_eq!(rig.get(&format!("{libraries}/{decision}")).await.status, 404);
    assert_eq!(rig.send("PUT", &format!("{libraries}/{ID}"), json!({})).await.status, 501);

    for (n, (context, asked, expected)) in [
        ("AUTHENTICATION_TREE_DECISION_NODE", json!("2.0"), "2.0"),
        ("AUTHENTICATION_TREE_DECISION_NODE", json!("1.0"), "1.0"),
        ("AUTHENTICATION_TREE_DECISION_NODE", Value::Null, "1.0"),
        ("AUTHENTICATION_TREE_DECISION_NODE", json!("9"), "1.0"),
        ("OAUTH2_VALIDATE_SCOPE", json!("2.0"), "1.0"),
        ("OAUTH2_MAY_ACT_NEXT_GEN", json!("1.0"), "2.0"),
        ("LIBRARY", Value::Null, "2.0"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("5d0c6a0e-3f1b-4a55-9c3e-2b7d1f0a9e{n}0");
        let mut body = script(&format!("s{n}"), "1");
        body["context"] = json!(context);
        body["evaluatorVersion"] = asked;
        let mut created = put(&rig, &id, body).await.json;
        assert_eq!(created["evaluatorVersion"], expected, "{context}");
        created["evaluatorVersion"] = json!(if expected == "1.0" { "2.0" } else { "1.0" });
        assert_eq!(put(&rig, &id, created).await.json["evaluatorVersion"], expected, "it stays");
    }
}

/// e.2 and scripting.md §2.1: contexts and engines.
#[actix_web::test]
async fn contexts_and_their_engines() {
    let rig = rig().await;
    let scripting = "/global-config/services/scripting";
    let act = |path: String, action: &'static str| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{path}?_action={action}"), json!({})).await }
    };
    let read = rig.get(scripting).await.json;
    assert_eq!((&read["_id"], &read["defaultContext"]), (&json!(""), &json!("POLICY_CONDITION")));
    let changed = rig.send("PUT", scripting, json!({"defaultContext": "LIBRARY"})).await;
    assert_eq!((changed.status, &changed.json["defaultContext"]), (200, &json!("LIBRARY")));
    assert_eq!(rig.send("PUT", scripting, json!({"defaultContext": "KITCHEN"})).await.status, 400);
    assert_eq!(rig.send("PUT", scripting, json!({"x": 1})).await.error(), (400, "Invalid attribute specified."));
    assert_eq!(act(scripting.into(), "getType").await.json["_id"], "scripting");

    let contexts = format!("{scripting}/contexts");
    let all = rig.get(&format!("{contexts}?_queryFilter=true")).await.json;
    assert_eq!(all["resultCount"], CONTEXTS.len());
    let path = format!("{contexts}/OIDC_CLAIMS");
    let claims = rig.get(&path).await.json;
    assert!(claims["_rev"].is_string());
    assert_eq!(
        crate::rest::authentication::tests::without(claims, &["_rev"]),
        json!({"_id": "OIDC_CLAIMS", "languages": ["JAVASCRIPT"],
            "defaultScript": "36863ffb-40ec-48b9-94b1-9a99f71cc3b5",
            "_type": {"_id": "contexts", "name": "scriptContext", "collection": true}})
    );
    for (context, script) in [
        ("POLICY_CONDITION", "9de3eb62-f131-4fac-a294-7bd170fd4acb"),
        ("AUTHENTICATION_SERVER_SIDE", "7e3d7067-d50f-4674-8c76-a3e13a810c33"),
        ("AUTHENTICATION_CLIENT_SIDE", "[Empty]"),
        ("AUTHENTICATION_TREE_DECISION_NODE", "01e1a3c0-038b-4c16-956a-6c9d89328cff"),
        ("CONFIG_PROVIDER_NODE", "5e854779-6ec1-4c39-aeba-0477e0986646"),
        ("OAUTH2_ACCESS_TOKEN_MODIFICATION", "d22f9a0c-426a-4466-b95e-d0f125b0d5fa"),
        ("OAUTH2_VALIDATE_SCOPE", "25e6c06d-cf70-473b-bd28-26931edc476b"),
        ("OAUTH2_EVALUATE_SCOPE", "da56fe60-8b38-4c46-a405-d6b306d4b336"),
        ("OAUTH2_AUTHORIZE_ENDPOINT_DATA_PROVIDER", "3f93ef6e-e54a-4393-aba1-f322656db28a"),
        ("OAUTH2_MAY_ACT", "[Empty]"),
        ("OAUTH2_SCRIPTED_JWT_ISSUER", "400e48ba-3f13-4144-ac7b-f824ea8e98c5"),
        ("SOCIAL_IDP_PROFILE_TRANSFORMATION", "1d475815-72cb-42eb-aafd-4026989d28a7"),
        ("SAML2_IDP_ADAPTER", "248b8a56-df81-4b1b-b4ba-45d994f6504c"),
        ("LIBRARY", "[Empty]"),
    ] {
        assert_eq!(rig.get(&format!("{contexts}/{context}")).await.json["defaultScript"], script, "{context}");
    }
    let chosen = rig.send("PUT", &path, json!({"defaultScript": ID, "languages": ["JAVASCRIPT"]})).await;
    assert_eq!((chosen.status, &chosen.json["defaultScript"]), (200, &json!(ID)));
    let context = super::contexts::find("OIDC_CLAIMS").expect("is known");
    assert_eq!(default_script(&rig.desk, context).as_deref(), Some(ID));
    assert_eq!(rig.send("PUT", &path, json!({"defaultScript": "x"})).await.status, 400);
    assert_eq!(rig.get(&format!("{contexts}/KITCHEN")).await.error(), (404, "Not Found"));
    assert_eq!(rig.send("PUT", &format!("{contexts}/KITCHEN"), json!({})).await.status, 404);
    let next = act(contexts.clone(), "nextdescendents").await.json;
    assert_eq!(next["result"].as_array().map(Vec::len), Some(CONTEXTS.len()));

    let engine = format!("{path}/engineConfiguration");
    let read = rig.get(&engine).await.json;
    for (name, value) in [
        ("_id", json!("engineConfiguration")),
        ("propertyNamePrefix", json!("script")),
        ("serverTimeout", json!(0)),
        ("useSecurityManager", json!(true)),
        ("coreThreads", json!(10)),
        ("maxThreads", json!(50)),
        ("queueSize", json!(10)),
        ("idleTimeout", json!(60)),
        ("blackList", json!(["java.security.AccessController", "java.lang.Class", "java.lang.reflect.*"])),
        ("_type", json!({"_id": "engineConfiguration", "name": "Scripting engine configuration", "collection": false})),
    ] {
        assert_eq!(read[name], value, "{name}");
    }
    assert!(read["whiteList"].as_array().is_some_and(|list| list.contains(&json!("java.util.HashSet"))));
    let limited = rig.send("PUT", &engine, json!({"serverTimeout": 5, "whiteList": ["java.util.*"]})).await;
    assert_eq!((limited.status, &limited.json["coreThreads"]), (200, &json!(10)));
    assert_eq!(engine_configuration(&rig.desk, context)["serverTimeout"], 5);
    for (name, value) in [
        ("serverTimeout", json!(-1)),
        ("serverTimeout", json!(1u64 << 31)),
        ("coreThreads", json!(0)),
        ("queueSize", json!(-2)),
        ("whiteList", json!(["not a class"])),
        ("nosuch", json!(1)),
    ] {
        assert_eq!(rig.send("PUT", &engine, json!({name: value})).await.status, 400, "{name}");
    }
    let client = format!("{contexts}/AUTHENTICATION_CLIENT_SIDE/engineConfiguration");
    assert_eq!(rig.get(&client).await.status, 404);
    assert_eq!(rig.get(&format!("{contexts}/KITCHEN/engineConfiguration")).await.status, 404);
    assert_eq!(rig.get(&format!("{engine}/more")).await.status, 404);

    let bindings = rig.get("/realms/root/realms/alpha/contexts/OIDC_CLAIMS").await.json;
    assert_eq!(bindings["allowLists"], json!({"1.0": ["java.util.*"]}));
    assert_eq!(bindings["evaluatorVersions"], json!({"JAVASCRIPT": ["1.0"]}));
    let tree = rig.get("/realms/root/realms/alpha/contexts/AUTHENTICATION_TREE_DECISION_NODE").await.json;
    assert_eq!(tree["evaluatorVersions"], json!({"JAVASCRIPT": ["1.0", "2.0"]}));
    assert_eq!(rig.get("/realms/root/realms/alpha/contexts/KITCHEN").await.status, 404);
}
