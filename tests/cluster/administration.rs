//! Configuration over REST, from all nodes at once.

mod things;

use crate::harness::{ADMIN_PASSWORD, Cluster, Outside};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use things::{Begins, THINGS, Thing};

/// What an answer says, in so far as it matters here.
#[derive(Debug)]
struct Told {
    status: StatusCode,
    json: Value,
    /// Where in the log it was written.
    written: Option<String>,
}

/// An administrator at one node.
#[derive(Clone, Copy)]
struct At<'c> {
    outside: &'c Outside,
    n: usize,
    admin: &'c str,
}

impl At<'_> {
    async fn ask(
        self,
        method: Method,
        path: &str,
        version: &str,
        condition: Option<(&str, &str)>,
        body: Option<Value>,
    ) -> Told {
        let mut request = self
            .outside
            .request(self.n, method, path)
            .header("iPlanetDirectoryPro", self.admin)
            .header("Accept-API-Version", format!("protocol=2.1,{version}"));
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let written = answer.headers().get("X-Quorate-Revision").and_then(|value| value.to_str().ok());
        let (status, written) = (answer.status(), written.map(str::to_owned));
        Told { status, json: answer.json().await.unwrap_or(Value::Null), written }
    }

    /// Writes `thing` the `n`th time.
    async fn put(self, thing: &Thing, n: u32, condition: Option<(&str, &str)>) -> Told {
        self.ask(Method::PUT, thing.path, thing.version, condition, Some((thing.body)(n))).await
    }

    async fn post(self, thing: &Thing, collection: &str, n: u32) -> Told {
        let path = format!("{collection}?_action=create");
        self.ask(Method::POST, &path, thing.version, None, Some((thing.body)(n))).await
    }

    async fn get(self, thing: &Thing) -> Told {
        self.ask(Method::GET, thing.path, thing.version, None, None).await
    }

    /// The revision, if any is shown, and what is there.
    async fn read(self, thing: &Thing) -> (Option<String>, Value) {
        let told = self.get(thing).await;
        assert_eq!(told.status, StatusCode::OK, "{} at {}: {}", thing.path, self.n, told.json);
        (told.json["_rev"].as_str().map(str::to_owned), thing.shown(&told.json))
    }
}

/// An administrator at each of three nodes.
struct Everywhere {
    outside: Outside,
    admins: [String; 3],
}

impl Everywhere {
    async fn of(cluster: &Cluster) -> Self {
        let outside = cluster.outside();
        let admins = [outside.admin(0).await, outside.admin(1).await, outside.admin(2).await];
        Self { outside, admins }
    }

    fn at(&self, n: usize) -> At<'_> {
        At { outside: &self.outside, n: n % 3, admin: &self.admins[n % 3] }
    }

    /// What all nodes show of `thing`; panics unless it is the same.
    async fn read(&self, thing: &Thing) -> (Option<String>, Value) {
        let seen = join_all((0..3).map(|n| self.at(n).read(thing))).await;
        assert!(seen.iter().all(|other| *other == seen[0]), "{}: {seen:?}", thing.path);
        seen.into_iter().next().expect("three")
    }
}

/// Who won, as the statuses of two answers tell.
fn winner(answers: &[Told; 2], won: StatusCode, lost: StatusCode, what: &str) -> usize {
    match answers.each_ref().map(|told| told.status) {
        [first, second] if first == won && second == lost => 0,
        [first, second] if first == lost && second == won => 1,
        _ => panic!("{what}: {answers:?}"),
    }
}

/// Nothing that can be written over REST is missing below.
#[actix_web::test]
async fn whatever_is_writable_is_raced_for() {
    let cluster = Cluster::of(1).await;
    let admin = cluster.admin(0).await;
    let node = At { outside: &cluster, n: 0, admin: &admin };
    let told = node.ask(Method::GET, "/json?_api", "resource=1.0", None, None).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.json);
    assert_eq!(things::forgotten(&told.json), [""; 0], "put it into `THINGS`, or say why not in `EXEMPT`");
}

/// The rounds in which two administrators change one thing.
const ROUNDS: u32 = 3;

/// Goal: of two administrators at two nodes one wins, the other hears 412, and all nodes show what won at once (G2).
#[actix_web::test]
async fn of_two_administrators_at_two_nodes_one_wins() {
    let cluster = Cluster::of(3).await;
    let all = Everywhere::of(&cluster).await;
    for (first, thing) in THINGS.iter().enumerate() {
        let (lost, what) = (StatusCode::PRECONDITION_FAILED, thing.path);
        // What was written in a round by a side.
        let nth = |round: u32, side: usize| 2 * round + side as u32;
        let mut won = match thing.begins {
            Begins::There => None,
            Begins::Put => {
                let absent = Some(("If-None-Match", "*"));
                let put = |side: usize| all.at(first + side).put(thing, nth(0, side), absent);
                let answers: [Told; 2] = futures_util::join!(put(0), put(1)).into();
                let side = winner(&answers, StatusCode::CREATED, lost, what);
                Some((nth(0, side), answers[side].written.clone()))
            }
            // A POST names no place: the loser hears 409 (crest.md §4.3).
            Begins::Post(collection) => {
                let post = |side: usize| all.at(first + side).post(thing, collection, nth(0, side));
                let answers: [Told; 2] = futures_util::join!(post(0), post(1)).into();
                let side = winner(&answers, StatusCode::CREATED, StatusCode::CONFLICT, what);
                Some((nth(0, side), answers[side].written.clone()))
            }
        };
        for round in 1..=ROUNDS {
            let (shown, value) = all.read(thing).await;
            if let Some((n, _)) = &won {
                assert_eq!(value, thing.written(*n), "{what}");
            }
            // What shows no revision says with each write which it has now.
            let written = won.and_then(|(_, written)| written);
            let revision = shown.or(written).unwrap_or_else(|| panic!("{what} has no revision"));
            let put = |side: usize| {
                let n = nth(round, side);
                let at = all.at(first + round as usize + side);
                let revision = &revision;
                async move { at.put(thing, n, Some(("If-Match", revision))).await }
            };
            let answers: [Told; 2] = futures_util::join!(put(0), put(1)).into();
            let side = winner(&answers, StatusCode::OK, lost, what);
            won = Some((nth(round, side), answers[side].written.clone()));
        }
        assert_eq!(Some(all.read(thing).await.1), won.map(|(n, _)| thing.written(n)), "{what}");
    }
    // What one deletes and the other changes is gone, or changed, and on all nodes. What refers to others goes first.
    for (first, thing) in THINGS.iter().enumerate().rev().filter(|(_, thing)| thing.goes()) {
        let what = thing.path;
        let last = all.at(first).put(thing, 100, None).await;
        assert_eq!(last.status, StatusCode::OK, "{what}: {}", last.json);
        let revision = all.read(thing).await.0.or(last.written).expect("a revision");
        let same = Some(("If-Match", revision.as_str()));
        let delete = all.at(first).ask(Method::DELETE, what, thing.version, same, None);
        let (deleted, changed) = futures_util::join!(delete, all.at(first + 1).put(thing, 101, same));
        match (deleted.status, changed.status) {
            (StatusCode::OK, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND) => {}
            (StatusCode::PRECONDITION_FAILED, StatusCode::OK) => {
                assert_eq!(all.read(thing).await.1, thing.written(101), "{what}");
                let deleted = all.at(first + 2).ask(Method::DELETE, what, thing.version, None, None).await;
                assert_eq!(deleted.status, StatusCode::OK, "{what}: {}", deleted.json);
            }
            _ => panic!("{what}: {deleted:?} {changed:?}"),
        }
        let left = join_all((0..3).map(|n| all.at(n).get(thing))).await;
        assert!(left.iter().all(|told| told.status == StatusCode::NOT_FOUND), "{what}: {left:?}");
    }
}

/// Goal: what was answered survives the death of any node (G1); a minority refuses, and changes nothing (G7).
#[actix_web::test]
async fn configuration_outlives_a_node_and_a_minority_writes_none() {
    let mut cluster = Cluster::of(3).await;
    let outside = cluster.outside();
    let admin = outside.admin(0).await;
    let node = |n: usize| At { outside: &outside, n, admin: &admin };
    for thing in THINGS {
        let told = match thing.begins {
            Begins::Post(collection) => node(0).post(thing, collection, 1).await,
            Begins::Put | Begins::There => node(0).put(thing, 1, None).await,
        };
        let expected = if thing.goes() { StatusCode::CREATED } else { StatusCode::OK };
        assert_eq!(told.status, expected, "{}: {}", thing.path, told.json);
    }
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    let [a, b] = [(leader + 1) % 3, (leader + 2) % 3];
    let started = Instant::now();
    while outside.login(a, "root", "amAdmin", ADMIN_PASSWORD).await.is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody leads");
    }
    for thing in THINGS {
        assert_eq!(node(b).read(thing).await.1, thing.written(1), "{}", thing.path);
        let told = node(a).put(thing, 2, None).await;
        assert_eq!(told.status, StatusCode::OK, "{}: {}", thing.path, told.json);
    }
    cluster.nodes[b].kill();
    let refused = join_all(THINGS.iter().map(|thing| node(a).put(thing, 3, None))).await;
    for (thing, told) in THINGS.iter().zip(refused) {
        let expected = (StatusCode::SERVICE_UNAVAILABLE, &json!(503));
        assert_eq!((told.status, &told.json["code"]), expected, "{}: {}", thing.path, told.json);
    }
    for n in [leader, b] {
        cluster.nodes[n].start();
    }
    cluster.all_ready().await;
    for thing in THINGS {
        for n in 0..3 {
            assert_eq!(node(n).read(thing).await.1, thing.written(2), "{} at {n}", thing.path);
        }
    }
}

/// Two changes of one thing.
type Changes = fn() -> [Value; 2];

/// What is changed in two places at once: where, in which version, and how.
const APART: &[(&str, &str, Changes)] = &[
    ("/json/realms/root/users/kim", "resource=4.0", || [json!({ "sn": ["Smith"] }), json!({ "givenName": ["Kim"] })]),
    ("/json/realms/root/groups/staff", "resource=4.0", || [json!({ "description": ["x"] }), json!({ "mail": ["y"] })]),
    ("/json/global-config/realms/L2FscGhh", "resource=1.0", || {
        [json!({ "aliases": ["x"] }), json!({ "active": false })]
    }),
    ("/json/realms/root/realm-config/services/RemoteConsentService", "resource=1.0", || {
        [json!({ "clientId": "x" }), json!({ "signingKeyAlias": "y" })]
    }),
    ("/json/global-config/services/session", "resource=1.0", || {
        [json!({ "dynamic": { "maxCachingTime": 7 } }), json!({ "quotas": { "quotaConstraintMaxWaitTime": 8 } })]
    }),
    ("/json/global-config/services/rest", "resource=1.0", || {
        [json!({ "warningHeader": true }), json!({ "descriptionsState": "DYNAMIC" })]
    }),
    ("/json/global-config/services/scripting/contexts/OIDC_CLAIMS/engineConfiguration", "resource=1.0", || {
        [json!({ "coreThreads": 7 }), json!({ "maxThreads": 8 })]
    }),
    ("/json/realms/root/realm-config/authentication", "resource=1.0", || {
        [json!({ "general": { "locale": "x" } }), json!({ "general": { "defaultAuthLevel": 8 } })]
    }),
    ("/json/global-config/authentication", "resource=1.0", || {
        let defaults = |name: &str, value: Value| json!({ "defaults": { "general": { name: value } } });
        [defaults("locale", json!("x")), defaults("defaultAuthLevel", json!(8))]
    }),
];

/// That all of `part` is in `whole`.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| holds(whole, value)))
        }
        (whole, part) => whole == part,
    }
}

/// Goal: nothing is lost. Two administrators who insist on no revision and change different things both have their way.
#[actix_web::test]
async fn what_two_administrators_change_apart_is_kept() {
    let cluster = Cluster::of(3).await;
    let all = Everywhere::of(&cluster).await;
    for thing in THINGS.iter().filter(|thing| APART.iter().any(|(path, ..)| *path == thing.path)) {
        match thing.begins {
            Begins::Post(collection) => drop(all.at(0).post(thing, collection, 1).await),
            Begins::Put => drop(all.at(0).put(thing, 1, None).await),
            Begins::There => {}
        }
    }
    for (n, (path, version, changes)) in APART.iter().enumerate() {
        let [one, other] = changes();
        let put = |at: usize, body: &Value| all.at(at).ask(Method::PUT, path, version, None, Some(body.clone()));
        let (first, second) = futures_util::join!(put(n, &one), put(n + 1, &other));
        assert_eq!([first.status, second.status], [StatusCode::OK; 2], "{path}: {first:?} {second:?}");
        for at in 0..3 {
            let told = all.at(at).ask(Method::GET, path, version, None, None).await;
            assert!(holds(&told.json, &one) && holds(&told.json, &other), "{path} at {at}: {}", told.json);
        }
    }

    // Labels have one document, and are changed apart, each at its own revision.
    let label = |name: &str| {
        format!(
            "/json/global-config/secrets/stores/KeyStoreSecretStore/default-keystore/mappings/\
             am.services.oauth2.{name}"
        )
    };
    let labels = ["stateless.signing.HMAC", "stateless.signing.ES256", "oidc.signing.ES256"].map(label);
    let read = |n: usize, path: &'static str| all.at(n).ask(Method::GET, path, "resource=1.0", None, None);
    let labels = labels.map(|label| &*label.leak());
    let changed = join_all(labels.iter().enumerate().map(|(n, path)| {
        let all = &all;
        async move {
            let revision = read(n, path).await.json["_rev"].as_str().expect("a revision").to_owned();
            let body = Some(json!({ "aliases": [format!("alias-{n}")] }));
            all.at(n).ask(Method::PUT, path, "resource=1.0", Some(("If-Match", &revision)), body).await
        }
    }))
    .await;
    for (n, (path, told)) in labels.iter().zip(changed).enumerate() {
        assert_eq!(told.status, StatusCode::OK, "{path}: {}", told.json);
        for at in 0..3 {
            assert_eq!(read(at, path).await.json["aliases"], json!([format!("alias-{n}")]), "{path} at {at}");
        }
    }
}

/// Whoever changes a user's password, or the groups that a user is in, loses nothing to somebody else who does.
#[actix_web::test]
async fn users_are_patched_and_join_groups_at_all_nodes_at_once() {
    let cluster = Cluster::of(3).await;
    let all = Everywhere::of(&cluster).await;
    let users = "/json/realms/root/users";
    let names: Vec<String> = (0..9).map(|n| format!("user-{n}")).collect();
    let v4 = "resource=4.0";
    let body = |name: &str| Some(json!({ "username": name, "userpassword": "Passw0rd!" }));
    let created = names.iter().enumerate().map(|(n, name)| {
        let (at, path) = (all.at(n), format!("{users}/{name}"));
        async move { at.ask(Method::PUT, &path, v4, None, body(name)).await }
    });
    assert!(join_all(created).await.iter().all(|told| told.status == StatusCode::CREATED));
    let group = "/json/realms/root/groups/crew";
    let told = all.at(0).ask(Method::PUT, group, v4, None, Some(json!({ "username": "crew" }))).await;
    assert_eq!(told.status, StatusCode::CREATED, "{}", told.json);

    // Three at a time: a write that loses the race starts over, and not without end.
    for round in names.chunks(3) {
        let joined = join_all(round.iter().enumerate().map(|(n, name)| {
            let (at, path) = (all.at(n), format!("{users}/{name}/groups?_action=updateMemberships"));
            let body = Some(json!({ "groups": ["crew"] }));
            async move { at.ask(Method::POST, &path, "resource=1.0", None, body).await }
        }))
        .await;
        assert!(joined.iter().all(|told| told.status == StatusCode::OK), "{joined:?}");
    }
    for n in 0..3 {
        let told = all.at(n).ask(Method::GET, group, v4, None, None).await;
        assert_eq!(told.json["members"]["uniqueMember"], json!(names), "at {n}");
    }

    let patch = |field: &str, value: Value| Some(json!([{ "operation": "replace", "field": field, "value": value }]));
    let password = |text: &str| patch("/userPassword", json!(text));
    let questions = || patch("/kbaInfo", json!([{ "questionId": "1", "answer": "blue" }]));
    let path = format!("{users}/user-0");
    let told = all.at(0).ask(Method::GET, &path, v4, None, None).await;
    let revision = told.json["_rev"].as_str().expect("a revision").to_owned();
    let same = Some(("If-Match", revision.as_str()));
    let answers: [Told; 2] = futures_util::join!(
        all.at(0).ask(Method::PATCH, &path, v4, same, password("first-password")),
        all.at(1).ask(Method::PATCH, &path, v4, same, password("second-password")),
    )
    .into();
    let won = winner(&answers, StatusCode::OK, StatusCode::PRECONDITION_FAILED, "PATCH");
    for (side, text) in ["first-password", "second-password"].into_iter().enumerate() {
        let session = all.outside.login(2, "root", "user-0", text).await;
        assert_eq!(session.is_some(), side == won, "{text}");
    }
    let (one, other) = futures_util::join!(
        all.at(0).ask(Method::PATCH, &path, v4, None, password("third-password")),
        all.at(1).ask(Method::PATCH, &path, v4, None, questions()),
    );
    assert_eq!([one.status, other.status], [StatusCode::OK; 2], "{one:?} {other:?}");
    // Who has forgotten a password is asked nothing that others can read.
    let own = all.outside.login(2, "root", "user-0", "third-password").await.expect("a session");
    let told = At { admin: &own, ..all.at(2) }.ask(Method::GET, &path, v4, None, None).await;
    assert_eq!(told.json["kbaInfo"][0]["questionId"], "1", "{}", told.json);
}

/// One deletes a realm as it was, the other changes it: a realm that was changed is not gone.
#[actix_web::test]
async fn a_realm_that_somebody_changes_meanwhile_is_not_deleted() {
    let cluster = Cluster::of(3).await;
    let all = Everywhere::of(&cluster).await;
    let realm = THINGS.iter().find(|thing| thing.path.contains("/realms/L2")).expect("a realm");
    for round in 0..10 {
        // It is there, or stayed.
        all.at(round).post(realm, "/json/global-config/realms", 1).await;
        let revision = all.read(realm).await.0.expect("a revision");
        let same = Some(("If-Match", revision.as_str()));
        let delete = all.at(round + 1).ask(Method::DELETE, realm.path, realm.version, same, None);
        let (deleted, changed) = futures_util::join!(delete, all.at(round).put(realm, 2, same));
        let left = join_all((0..3).map(|n| all.at(n).get(realm))).await;
        match (deleted.status, changed.status) {
            (StatusCode::OK, StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND) => {
                assert!(left.iter().all(|told| told.status == StatusCode::NOT_FOUND), "round {round}: {left:?}");
            }
            (StatusCode::PRECONDITION_FAILED, StatusCode::OK) => {
                assert!(left.iter().all(|told| realm.shown(&told.json) == realm.written(2)), "round {round}: {left:?}");
            }
            _ => panic!("round {round}: {deleted:?} {changed:?}"),
        }
    }
}
