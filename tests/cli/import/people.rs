//! Journeys with their nodes and scripts, users and groups: they come from both forms of files, work, and come back.

use super::{comparable, fixture, report, run, text};
use crate::harness::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;

/// Files of a form, and the realm that they are about.
const FORMS: [(&str, &str); 2] = [("frodo-people.json", "people"), ("amster-people", "staff")];

const NODES: &str = "realm-config/authentication/authenticationtrees/nodes";
const SCRIPT: &str = "bbbbbbbb-0000-4000-8000-000000000001";

/// What is in the files of each form, in the order of import.
const OBJECTS: [&str; 16] = [
    "script bbbbbbbb-0000-4000-8000-000000000001",
    "DataStoreDecisionNode aaaaaaaa-0000-4000-8000-000000000005",
    "InnerTreeEvaluatorNode aaaaaaaa-0000-4000-8000-000000000004",
    "PasswordCollectorNode aaaaaaaa-0000-4000-8000-000000000003",
    "ScriptedDecisionNode aaaaaaaa-0000-4000-8000-000000000006",
    "UsernameCollectorNode aaaaaaaa-0000-4000-8000-000000000002",
    "PageNode aaaaaaaa-0000-4000-8000-000000000001",
    "journey Check",
    "journey Arrive",
    "journey Scripted",
    "user ann",
    "user bob",
    "user carol",
    "user dave",
    "group helpers",
    "realm",
];

struct Site<'c> {
    cluster: &'c Cluster,
    realm: &'c str,
}

impl Site<'_> {
    /// What a session of somebody's sees at a path below the realm.
    async fn ask(&self, session: &str, method: Method, path: &str) -> (StatusCode, Value) {
        let path = format!("/json/realms/root/realms/{}/{path}", self.realm);
        let request = self.cluster.request(0, method, &path).header("iPlanetDirectoryPro", session);
        let answer = request.header("X-Requested-With", "test").send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn authenticate(&self, query: &str, body: &Value) -> (StatusCode, Value) {
        let path = format!("/json/realms/root/realms/{}/authenticate{query}", self.realm);
        let request = self.cluster.request(0, Method::POST, &path).header("Accept-API-Version", "resource=2.1");
        let answer = request.json(body).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// Goes through the imported journey: a page, an inner journey, a decision.
    async fn arrive(&self, name: &str, password: &str) -> (StatusCode, Value) {
        let (status, mut page) = self.authenticate("?authIndexType=service&authIndexValue=Arrive", &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert_eq!((&page["header"], &page["description"]), (&json!("Welcome in"), &json!("Who are you?")), "{page}");
        let kinds: Vec<&Value> = page["callbacks"].as_array().expect("callbacks").iter().map(|c| &c["type"]).collect();
        assert_eq!(kinds, ["NameCallback", "PasswordCallback"], "{page}");
        page["callbacks"][0]["input"][0]["value"] = json!(name);
        page["callbacks"][1]["input"][0]["value"] = json!(password);
        self.authenticate("", &page).await
    }

    /// A session that comes of it.
    async fn session(&self, name: &str, password: &str) -> String {
        let (status, done) = self.arrive(name, password).await;
        assert_eq!(status, StatusCode::OK, "{done}");
        done["tokenId"].as_str().expect("a session").to_owned()
    }
}

/// All that a node is configured with, users and groups among it.
fn export(cluster: &Cluster) -> Value {
    let output = run(cluster, 0, &["export", "--users"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains("planted") && !text.contains("argon2"), "{text}");
    comparable(serde_json::from_str(&text).expect("JSON"))
}

#[actix_web::test]
async fn journeys_scripts_users_and_groups_work_once_they_are_imported() {
    let cluster = Cluster::of(1).await;
    let admin = cluster.admin(0).await;
    for (file, realm) in FORMS {
        let site = Site { cluster: &cluster, realm };
        let file = fixture(file);
        let import = |more: &[&str]| {
            let output = run(&cluster, 0, &[&["import", file.to_str().expect("text"), "--json"], more].concat());
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            report(&output)
        };
        let object = |name: &str| match name {
            "realm" => format!("/ realm {}", if realm == "people" { "L3Blb3BsZQ" } else { "L3N0YWZm" }),
            name => format!("/{realm} {name}"),
        };

        // A dry run tells what would be, and writes nothing.
        let before = export(&cluster);
        let told = import(&["--dry-run"]);
        assert_eq!(export(&cluster), before, "{realm}");
        let done = import(&["--strict"]);
        assert_eq!(told.len(), OBJECTS.len(), "{told:#?}");
        for name in OBJECTS {
            for report in [&told, &done] {
                let (verdict, fidelity, notes) =
                    report.get(&object(name)).unwrap_or_else(|| panic!("{name}: {report:#?}"));
                assert_eq!((verdict.as_str(), fidelity), ("created", &json!("exact")), "{realm}: {name}: {notes}");
            }
        }

        // People get in by the journey, and by nothing that is wrong.
        let (ann, bob) = (site.session("ann", "planted-Ann-1").await, site.session("bob", "planted-Bob-1").await);
        assert_eq!(site.arrive("ann", "planted-Bob-1").await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(site.arrive("carol", "planted-Carol-1").await.0, StatusCode::UNAUTHORIZED, "she is inactive");
        let inner = site.authenticate("?authIndexType=service&authIndexValue=Check", &json!({})).await;
        assert_eq!(inner.0, StatusCode::BAD_REQUEST, "an inner journey is none by itself: {}", inner.1);

        // The group has its member, and its member what the group gives.
        let (_, groups) = site.ask(&ann, Method::GET, "users/ann/groups?_queryFilter=true").await;
        assert_eq!(groups["result"][0]["groupname"], "helpers", "{groups}");
        let agents = "realm-config/agents/OAuth2Client?_queryFilter=true";
        assert_eq!(site.ask(&ann, Method::GET, agents).await.0, StatusCode::OK);
        assert_eq!(site.ask(&bob, Method::GET, agents).await.0, StatusCode::FORBIDDEN);
        let (_, profile) = site.ask(&admin, Method::GET, "users/ann").await;
        assert_eq!(
            (&profile["mail"], &profile["givenName"]),
            (&json!(["ann@example.com"]), &json!(["Ann"])),
            "{profile}"
        );

        // The script is what it was, and held by the node that runs it.
        let (_, script) = site.ask(&admin, Method::GET, &format!("scripts/{SCRIPT}")).await;
        assert_eq!(
            (&script["name"], &script["context"]),
            (&json!("Before noon"), &json!("AUTHENTICATION_TREE_DECISION_NODE"))
        );
        let source = "dmFyIGhvdXIgPSA5OwpvdXRjb21lID0gaG91ciA8IDEyID8gInllcyIgOiAibm8iOw==";
        assert_eq!(script["script"], source);
        assert_eq!(site.ask(&admin, Method::DELETE, &format!("scripts/{SCRIPT}")).await.0, StatusCode::CONFLICT);
        let decision = format!("{NODES}/ScriptedDecisionNode/aaaaaaaa-0000-4000-8000-000000000006");
        let (_, node) = site.ask(&admin, Method::GET, &decision).await;
        assert_eq!((&node["script"], &node["outcomes"]), (&json!(SCRIPT), &json!(["yes", "no"])), "{node}");

        // Nothing is left to do, and nobody is signed out by finding that out: not even when there are inactive users, whose
        // passwords nobody can try.
        let after = export(&cluster);
        for (name, (verdict, fidelity, notes)) in import(&[]) {
            let inactive = name.ends_with("user carol") || name.ends_with("user dave");
            assert_eq!((verdict.as_str(), fidelity == "exact"), ("unchanged", !inactive), "{name}: {notes}");
        }
        assert_eq!(export(&cluster), after, "{realm}");
        assert_eq!(site.ask(&ann, Method::GET, agents).await.0, StatusCode::OK);
    }
}

#[actix_web::test]
async fn what_was_exported_with_its_users_makes_another_node_alike() {
    let cluster = Cluster::of(1).await;
    for (file, _) in FORMS {
        let output = run(&cluster, 0, &["import", fixture(file).to_str().expect("text")]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (one, many) = (dir.path().join("all.json"), dir.path().join("many"));
    for place in [&one, &many] {
        let place = place.to_str().expect("text");
        let output = run(&cluster, 0, &["export", "--users", "--out", place]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let back = run(&cluster, 0, &["import", place, "--json", "--dry-run"]);
        for (object, (verdict, _, notes)) in report(&back) {
            assert_eq!(verdict, "unchanged", "{place}: {object}: {notes}");
        }
    }
    let original = export(&cluster);
    for place in [&one, &many] {
        let other = Cluster::of(1).await;
        let copy = run(&other, 0, &["import", place.to_str().expect("text"), "--json"]);
        assert_eq!(copy.status.code(), Some(0), "{}", text(&copy));
        let told = report(&copy);
        // Passwords are in no export: nobody knows the ones that these users have now.
        let (verdict, fidelity, notes) = &told["/people user ann"];
        assert_eq!((verdict.as_str(), fidelity), ("created", &json!("adapted")));
        assert!(notes.contains("has no password"), "{notes}");
        assert_eq!(export(&other), original, "{}", place.display());
        let site = Site { cluster: &other, realm: "people" };
        assert_eq!(site.arrive("ann", "planted-Ann-1").await.0, StatusCode::UNAUTHORIZED);
        let admin = other.admin(0).await;
        let change = json!({ "userpassword": "another-password" });
        other.administer(0, &admin, Method::PUT, "/json/realms/root/realms/people/users/ann", change).await;
        let ann = site.session("ann", "another-password").await;
        let (status, _) = site.ask(&ann, Method::GET, "realm-config/agents/OAuth2Client?_queryFilter=true").await;
        assert_eq!(status, StatusCode::OK, "the group came along, with what it gives");
        // Somebody else's password is no difference that an import would see.
        let again = run(&other, 0, &["import", place.to_str().expect("text"), "--json"]);
        for (object, (verdict, _, notes)) in report(&again) {
            assert_eq!(verdict, "unchanged", "{object}: {notes}");
        }
        site.session("ann", "another-password").await;
    }
    let names = ["trees", "journey"].map(|name| many.join("realm/root-people").join(name).exists());
    assert_eq!(names, [false, true], "{:?}", fs::read_dir(many.join("realm/root-people")).map(Iterator::count));
}
