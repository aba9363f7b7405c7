//! `quorate import` and `quorate export` against real nodes: configuration here, what people sign in by in [`people`].

mod people;

use crate::harness::{ADMIN_PASSWORD, Cluster, plain_command};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(name)
}

/// Runs a command as the administrator of node `n`.
fn run(cluster: &Cluster, n: usize, args: &[&str]) -> Output {
    let url = cluster.url(n, "");
    let mut command = plain_command();
    command.args(args).args(["--url", &url]).env("QUORATE_ADMIN_PASSWORD", ADMIN_PASSWORD);
    command.output().expect("the binary runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Object → verdict, fidelity and notes.
fn report(output: &Output) -> BTreeMap<String, (String, Value, String)> {
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = report["objects"].as_array().expect("entries").iter();
    entries
        .map(|entry| {
            let notes: Vec<String> = entry["notes"].as_array().expect("notes").iter().map(text).collect();
            let name = format!("{} {}", text(&entry["realm"]), text(&entry["object"]));
            (name, (text(&entry["verdict"]), entry["fidelity"].clone(), notes.join("; ")))
        })
        .collect()
}

/// What tells when something was written, by whom, and by chance.
const STAMPS: [&str; 8] = [
    "meta",
    "createdBy",
    "creationDate",
    "createTimestamp",
    "lastModifiedBy",
    "lastModifiedDate",
    "modifyTimestamp",
    "hashSalt",
];

/// Everything but the time and the stamps of an export: what two nodes that are configured alike have alike.
fn comparable(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !STAMPS.contains(&name.as_str()));
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

#[actix_web::test]
async fn what_others_export_is_imported_once_and_comes_back() {
    let cluster = Cluster::of(1).await;
    let (all, amster) = (fixture("frodo-all.json"), fixture("amster"));
    let files = [all.to_str().expect("text"), amster.to_str().expect("text")];
    let import = |more: &[&str]| run(&cluster, 0, &[&["import"], &files[..], &["--json"], more].concat());
    let admin = cluster.admin(0).await;

    // A dry run tells, and writes nothing.
    let dry = import(&["--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry));
    let told = report(&dry);
    let client = "/json/realms/root/realms/imp-ort/realm-config/agents/OAuth2Client/web";
    let get = |path: String| {
        let request = cluster.request(0, Method::GET, &path).header("iPlanetDirectoryPro", &admin);
        async move { request.send().await.expect("an answer").status() }
    };
    assert_eq!(get(client.to_owned()).await, StatusCode::NOT_FOUND, "no realm was made");

    let first = import(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first));
    let done = report(&first);
    assert_eq!(done.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>());
    for (object, verdict, fidelity, note) in [
        ("/ realm Lw", "unchanged", json!("exact"), ""),
        ("/ realm L2ltcC1vcnQ", "created", json!("exact"), ""),
        ("/ realm L2ltcC1vcnQvaW5uZXI", "created", json!("exact"), ""),
        ("/ policy everybody", "created", json!("exact"), ""),
        ("/ global server 1 in all", "unsupported", Value::Null, "nodes are configured"),
        ("/imp-ort resourcetype 22222222-2222-4222-8222-222222222222", "created", json!("exact"), ""),
        ("/imp-ort policyset imported", "created", json!("exact"), ""),
        ("/imp-ort policy mona reads", "created", json!("exact"), ""),
        ("/imp-ort OAuth2Client backend", "created", json!("exact"), ""),
        ("/imp-ort OAuth2Client web", "created", json!("adapted"), "userpassword is encrypted for another system"),
        ("/imp-ort OAuth2Client web", "created", json!("adapted"), "coreOAuth2ClientConfig/flavour is not known here"),
        ("/imp-ort IdentityGatewayAgent gateway", "created", json!("exact"), ""),
        ("/imp-ort service oauth-oidc", "created", json!("adapted"), "oidcClaimsScript named the script 1111"),
        ("/imp-ort service oauth-oidc", "created", json!("adapted"), "kitchenConfig is not known here"),
        ("/imp-ort script 11111111-1111-4111-8111-111111111111", "unsupported", Value::Null, "Groovy"),
        ("/imp-ort saml 1 in all", "unsupported", Value::Null, "SAML"),
        ("/imp-ort/inner OAuth2Client from-amster", "created", json!("exact"), ""),
        ("/imp-ort/inner LdapModule LDAP", "unsupported", Value::Null, "nothing like it"),
    ] {
        let found = done.get(object).unwrap_or_else(|| panic!("{object}: {done:#?}"));
        assert_eq!((found.0.as_str(), &found.1), (verdict, &fidelity), "{object}: {}", found.2);
        assert!(found.2.contains(note), "{object}: {}", found.2);
        let (foretold, ..) = told.get(object).expect("foretold");
        assert_eq!(foretold, verdict, "{object}");
    }
    assert_eq!(done.len(), 16, "{done:#?}");

    // What was imported works.
    let secret = ("client_secret", "planted-client-secret");
    let fields = [("grant_type", "client_credentials"), ("client_id", "backend"), secret, ("scope", "orders")];
    let (status, token) =
        cluster.form(0, "/oauth2/realms/root/realms/imp-ort/access_token", &fields).await.expect("an answer");
    assert_eq!((status, &token["expires_in"]), (StatusCode::OK, &json!(1234)), "{token}");

    // A second run finds nothing to do, and says so.
    let before = cluster.health(0).await.expect("health")["applied"].clone();
    let again = import(&[]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    for (object, (verdict, _, notes)) in report(&again) {
        assert!(["unchanged", "unsupported"].contains(&verdict.as_str()), "{object}: {verdict} {notes}");
    }
    assert!(before.is_u64(), "{before}");
    let strict = import(&["--strict"]);
    assert_eq!(strict.status.code(), Some(1), "not everything is exact");

    // Another secret is set; the rest is left alone.
    let dir = tempfile::tempdir().expect("a directory");
    let changed =
        fs::read_to_string(fixture("amster/client.json")).expect("a file").replace("planted-amster", "planted-other");
    let file = dir.path().join("client.json");
    fs::write(&file, changed).expect("written");
    let file = file.to_str().expect("text");
    let verdict =
        |output: Output| report(&output).remove("/imp-ort/inner OAuth2Client from-amster").expect("an entry").0;
    assert_eq!(verdict(run(&cluster, 0, &["import", file, "--json"])), "updated");
    assert_eq!(verdict(run(&cluster, 0, &["import", file, "--json"])), "unchanged");

    // Out again: into one file, and into many; neither with a password.
    let one = dir.path().join("all.json");
    let export = run(&cluster, 0, &["export", "--out", one.to_str().expect("text")]);
    assert_eq!(export.status.code(), Some(0), "{}", text(&export));
    let exported = fs::read_to_string(&one).expect("a file");
    assert!(!exported.contains("planted") && !exported.contains("argon2"), "{exported}");
    let many = dir.path().join("many");
    let export = run(&cluster, 0, &["export", "--out", many.to_str().expect("text"), "--users"]);
    assert_eq!(export.status.code(), Some(0), "{}", text(&export));
    assert!(many.join("realm/root-imp-ort/oauth2.app/web.oauth2.app.json").exists());
    assert!(many.join("realm/root-imp-ort/policy/mona%20reads.policy.json").exists());
    for place in [&one, &many] {
        let back = run(&cluster, 0, &["import", place.to_str().expect("text"), "--json", "--dry-run"]);
        for (object, (verdict, _, notes)) in report(&back) {
            assert_eq!(verdict, "unchanged", "{object}: {notes}");
        }
    }

    // Another node that imports what this one exported is configured alike.
    let other = Cluster::of(1).await;
    let copy = run(&other, 0, &["import", one.to_str().expect("text"), "--json"]);
    assert_eq!(copy.status.code(), Some(0), "{}", text(&copy));
    let out = run(&other, 0, &["export"]);
    let read = |text: &str| comparable(serde_json::from_str(text).expect("JSON"));
    assert_eq!(read(&String::from_utf8_lossy(&out.stdout)), read(&exported));

    // All of it is audited, and no secret with it.
    let audit =
        fs::read_to_string(PathBuf::from(format!("{}.audit/config.audit.json", cluster.nodes[0].data_dir.display())));
    let audit = audit.expect("a file");
    assert!(audit.contains("/imp-ort/OAuth2Client/backend") && audit.contains("\"CREATE\""), "{audit}");
    assert!(!audit.contains("planted"), "{audit}");
}

#[actix_web::test]
async fn what_cannot_be_imported_says_why_and_changes_nothing() {
    let cluster = Cluster::of(1).await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    let good = file("good.json", "{\"policy\": {\"p\": {\"name\": \"p\", \"applicationName\": \"nowhere\"}}}");
    for (bad, says) in [
        (file("no.json", "{"), "is not a JSON object"),
        (file("list.json", "[]"), "is not a JSON object"),
        (file("other.json", "{\"a\": 1}"), "neither an export of frodo nor of Amster"),
        (dir.path().join("absent.json").to_str().expect("text").to_owned(), "No such file"),
    ] {
        let output = run(&cluster, 0, &["import", &good, &bad]);
        assert_eq!(output.status.code(), Some(1), "{bad}");
        assert!(text(&output).contains(says), "{bad}: {}", text(&output));
        assert!(!text(&output).contains("created"), "nothing was begun: {}", text(&output));
    }
    // What the server refuses fails by itself; the rest is imported.
    let failing = run(&cluster, 0, &["import", &good, fixture("amster").to_str().expect("text"), "--json"]);
    assert_eq!(failing.status.code(), Some(1));
    let told = report(&failing);
    assert_eq!(told["/ policy p"].0, "failed", "{told:?}");
    assert!(told["/imp-ort/inner OAuth2Client from-amster"].2.contains("there is no realm"), "{told:?}");
    // Nobody gets in with another password, and none is taken from the command line.
    let url = cluster.url(0, "");
    let wrong = plain_command()
        .args(["import", &good, "--url", &url])
        .env("QUORATE_ADMIN_PASSWORD", "wrong")
        .output()
        .expect("the binary runs");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong).contains("cannot log in") && !text(&wrong).contains("wrong\n"), "{}", text(&wrong));
    let none = plain_command().args(["export", "--url", &url]).output().expect("the binary runs");
    assert!(text(&none).contains("QUORATE_ADMIN_PASSWORD"), "{}", text(&none));
    let far = run(&cluster, 0, &["export", "--realm", "/nowhere"]);
    assert!(text(&far).contains("there is no realm /nowhere"), "{}", text(&far));
}
