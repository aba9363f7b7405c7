//! The flow of authorization.md §4.16, in its order, over HTTP.

use crate::{
    authn::journey::testing::{Am, PASSWORD, Plan, named, token, types},
    authzen,
    rest::testing::Reply,
};
use futures_util::future::join_all;
use quorate_raft::{
    Command, Kind, RealmPath,
    limits::{MAX_STRATEGY_BYTES, MAX_TRANSACTIONS_OF},
    sessions::UpdateSession,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::atomic::Ordering};

const UNREADABLE: (u16, &str) = (401, "Unable to read transaction.");

impl Am {
    /// A deployment with policy set `w` and tree `Approve`, which asks for the password.
    async fn with_policies() -> Self {
        let am = Self::new().await;
        let w = json!({"uuid": "W", "name": "W", "patterns": ["api://w/*"], "actions": {"PAY": true}});
        am.admin("/resourcetypes?_action=create", &w).await;
        let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["W"]});
        am.admin("/applications?_action=create", &set).await;
        let plan: &[Plan<'_>] = &[
            ("name", "UsernameCollectorNode", json!({}), &[("outcome", "password")]),
            ("password", "PasswordCollectorNode", json!({}), &[("outcome", "decide")]),
            ("decide", "DataStoreDecisionNode", json!({}), &[("true", "SUCCESS"), ("false", "FAILURE")]),
        ];
        am.settings(json!({"trees": {"authenticationTreeCookieHttpOnly": false}})).await;
        am.tree_with(&RealmPath::root(), "Approve", plan, json!({"transactionalOnly": true})).await;
        am
    }

    async fn admin(&self, path: &str, body: &Value) -> Reply {
        let reply = self.rig.send("POST", path, body.clone()).await;
        assert!([200, 201].contains(&reply.status), "{path}: {}", reply.text);
        reply
    }

    /// A policy that lets authenticated users pay at `api://w/{name}` under `condition`.
    async fn policy(&self, name: &str, condition: Value) {
        self.policy_on(name, name, condition).await;
    }

    async fn policy_on(&self, name: &str, resource: &str, condition: Value) {
        let body = json!({
            "name": name, "active": true, "applicationName": "w", "resourceTypeUuid": "W",
            "resources": [format!("api://w/{resource}")], "actionValues": {"PAY": true},
            "subject": {"type": "AuthenticatedUsers"}, "condition": condition,
        });
        self.admin("/policies?_action=create", &body).await;
    }

    /// The rows for `owner`, who presents these ids.
    async fn asked(&self, action: &str, owner: &str, resources: &[&str], ids: &[&str]) -> Vec<Value> {
        let mut body = json!({"application": "w", "subject": {"ssoToken": owner}, "environment": {}});
        match action {
            "evaluateTree" => body["resource"] = json!(resources[0]),
            _ => body["resources"] = json!(resources),
        }
        if !ids.is_empty() {
            body["environment"]["TxId"] = json!(ids);
        }
        let reply = self.admin(&format!("/policies?_action={action}"), &body).await;
        reply.json.as_array().expect("rows").clone()
    }

    /// The only row of `api://w/{name}`.
    async fn pay(&self, owner: &str, name: &str, ids: &[&str]) -> Value {
        self.asked("evaluate", owner, &[&format!("api://w/{name}")], ids).await.remove(0)
    }

    /// The id that a denial asks for.
    async fn required(&self, owner: &str, name: &str) -> String {
        wanted(&self.pay(owner, name, &[]).await)
    }

    /// Starts to confirm `id`.
    async fn confirming(&self, owner: &str, id: &str) -> Reply {
        self.ask(&format!("?authIndexType=transaction&authIndexValue={id}")).session(owner).go().await
    }

    /// Confirms `id` by `Approve`, whatever comes of it.
    async fn confirm(&self, owner: &str, id: &str, name: &str, password: &str) -> Reply {
        let step = self.confirming(owner, id).await;
        let step = self.owned(owner, &step, json!(name)).await;
        self.owned(owner, &step, json!(password)).await
    }

    async fn owned(&self, owner: &str, step: &Reply, value: Value) -> Reply {
        let body = crate::authn::journey::testing::answered(step, &[value]);
        self.ask("").session(owner).json(&body).await
    }
}

fn by(strategy: &str, specifier: &str) -> Value {
    json!({"type": "Transaction", "authenticationStrategy": strategy, "strategySpecifier": specifier})
}

fn approved() -> Value {
    by("AuthenticateToTreeConditionAdvice", "Approve")
}

/// The id in a row that asks for one.
fn wanted(row: &Value) -> String {
    assert_eq!((&row["actions"], &row["ttl"]), (&json!({}), &json!(0)), "{row}");
    let ids = row["advices"]["TransactionConditionAdvice"].as_array().expect("advice");
    assert_eq!(ids.len(), 1, "{row}");
    ids[0].as_str().expect("an id").to_owned()
}

fn is_paid(row: &Value) -> bool {
    let paid = row["actions"] == json!({"PAY": true});
    assert!(!paid || (row["advices"] == json!({}) && row["ttl"] == json!(0)), "{row}");
    paid
}

fn unreadable(reply: &Reply) {
    assert_eq!(reply.error(), UNREADABLE);
    assert_eq!((&reply.json["reason"], &reply.json["detail"]["errorCode"]), (&json!("Unauthorized"), &json!("128")));
}

/// §4.16, steps 1 to 4.
#[actix_web::test]
async fn what_is_confirmed_is_allowed_once() {
    let am = Am::with_policies().await;
    am.policy("pay", approved()).await;
    let owner = am.login().await;
    let id = am.required(&owner, "pay").await;
    assert_eq!(uuid::Uuid::parse_str(&id).expect("a UUID").get_version_num(), 4);
    assert_ne!(am.required(&owner, "pay").await, id, "each its own");
    assert_ne!(wanted(&am.pay(&owner, "pay", &[&id]).await), id, "not confirmed yet");

    let step = am.confirming(&owner, &id).await;
    assert_eq!(types(&step), ["NameCallback"]);
    assert_ne!(wanted(&am.pay(&owner, "pay", &[&id]).await), id, "in progress");
    unreadable(&am.confirming(&owner, &id).await);
    let step = am.owned(&owner, &step, json!("demo")).await;
    let done = am.owned(&owner, &step, json!(PASSWORD)).await;
    assert_eq!(token(&done), owner, "the session is what it was");
    assert_eq!((&done.json["successUrl"], &done.json["realm"]), (&json!("/am/console"), &json!("/")));
    assert!(done.header("Set-Cookie").is_none());

    let row = am.pay(&owner, "pay", &[&id]).await;
    assert!(is_paid(&row), "{row}");
    assert_ne!(wanted(&am.pay(&owner, "pay", &[&id]).await), id, "used");
    unreadable(&am.confirming(&owner, &id).await);

    // Where scripts may not see the token, they do not see it here either.
    am.settings(json!({})).await;
    let id = am.required(&owner, "pay").await;
    for password in [PASSWORD, "wrong"] {
        let done = am.confirm(&owner, &am.required(&owner, "pay").await, "demo", password).await;
        assert_eq!((done.status, &done.json["tokenId"]), (200, &json!("")), "{}", done.text);
    }
    unreadable(&am.confirming("", &id).await);
}

/// AuthZEN asks the same question: what has to be confirmed is told in `context`, and a confirmation counts once.
#[actix_web::test]
async fn a_question_of_authzen_asks_for_confirmation_too() {
    let am = Am::with_policies().await;
    am.policy("pay", approved()).await;
    let owner = am.login().await;
    let ask = async |ids: &[&str]| {
        let body = json!({
            "subject": {"type": "session", "id": owner}, "action": {"name": "PAY"},
            "resource": {"type": "w", "id": "api://w/pay"}, "context": {"TxId": ids},
        });
        let headers = [("iPlanetDirectoryPro", am.rig.admin.as_str()), ("Content-Type", "application/json")];
        let path = "/am/realms/root/access/v1/evaluation";
        let answer = authzen::tests::call(&am.rig, "POST", path, &headers, &body.to_string()).await;
        assert_eq!(answer.status, 200);
        answer.json
    };
    let id = |denied: Value| {
        assert_eq!((&denied["decision"], &denied["context"]["ttl"]), (&json!(false), &json!(0)), "{denied}");
        denied["context"]["advices"]["TransactionConditionAdvice"][0].as_str().expect("an id").to_owned()
    };
    let first = id(ask(&[]).await);
    assert_ne!(id(ask(&[&first]).await), first, "not confirmed yet");
    assert_eq!(am.confirm(&owner, &first, "demo", PASSWORD).await.status, 200);
    assert_eq!(ask(&[&first]).await, json!({"decision": true, "context": {"ttl": 0}}));
    assert_ne!(id(ask(&[&first]).await), first, "used");
}

/// Step 2: whoever cannot confirm it hears one thing, whatever the reason.
#[actix_web::test]
async fn only_the_session_that_was_asked_confirms() {
    let am = Am::with_policies().await;
    am.policy("pay", approved()).await;
    am.user("other", json!({})).await;
    let (owner, again) = (am.login().await, am.login().await);
    let other = token(&am.headers(&named("Example"), "other", PASSWORD).await);
    let id = am.required(&owner, "pay").await;
    for (session, id) in [(&other, id.as_str()), (&again, &id), (&owner, "x"), (&owner, &id.to_uppercase())] {
        unreadable(&am.confirming(session, id).await);
    }
    unreadable(&am.ask(&format!("?authIndexType=transaction&authIndexValue={id}")).go().await);
    assert_eq!(am.ask("?authIndexType=transaction").session(&owner).go().await.status, 400);
    // Authenticating as somebody else confirms nothing.
    let reply = am.confirm(&owner, &id, "other", PASSWORD).await;
    assert_eq!((reply.status, &reply.json["detail"]["errorCode"]), (401, &json!("124")));
    assert!(!is_paid(&am.pay(&owner, "pay", &[&id]).await));
    // What one confirmed is of no use to another, or for something else, or by another way.
    am.policy("sell", approved()).await;
    am.policy("give", by("AuthenticateToTreeConditionAdvice", "Other")).await;
    let id = am.required(&owner, "pay").await;
    assert_eq!(am.confirm(&owner, &id, "demo", PASSWORD).await.status, 200);
    for (session, name) in [(&other, "pay"), (&owner, "sell"), (&owner, "give")] {
        assert!(!is_paid(&am.pay(session, name, &[&id]).await), "{name}");
    }
    assert!(is_paid(&am.pay(&again, "pay", &[&id]).await), "another session of the same user");
}

/// Step 3: a failed journey answers 200, and the transaction stays open to nobody.
#[actix_web::test]
async fn a_failed_journey_confirms_nothing() {
    let am = Am::with_policies().await;
    am.policy("pay", approved()).await;
    am.policy("broken", by("Authenticate to Tree", "Broken")).await;
    am.tree("Broken", &[("x", "NoSuchNode", json!({}), &[("outcome", "SUCCESS")])]).await;
    let owner = am.login().await;
    let id = am.required(&owner, "pay").await;
    let reply = am.confirm(&owner, &id, "demo", "wrong").await;
    assert_eq!(token(&reply), owner);
    assert!(!is_paid(&am.pay(&owner, "pay", &[&id]).await));
    unreadable(&am.confirming(&owner, &id).await);
    let id = am.required(&owner, "broken").await;
    assert_eq!(token(&am.confirming(&owner, &id).await), owner);
    assert!(!is_paid(&am.pay(&owner, "broken", &[&id]).await));
    // A session that has ended meanwhile confirms nothing either.
    let id = am.required(&owner, "pay").await;
    let step = am.confirming(&owner, &id).await;
    let step = am.owned(&owner, &step, json!("demo")).await;
    let caller = crate::caller::session(&am.rig.desk, &owner).expect("a session");
    assert_eq!(crate::sessions::end(&am.rig.desk, &caller).await, Ok(true));
    assert_eq!(am.ask("").json(&crate::authn::journey::testing::answered(&step, &[json!(PASSWORD)])).await.status, 401);
    let again = am.login().await;
    assert!(!is_paid(&am.pay(&again, "pay", &[&id]).await));
    // Without a decision there is no answer, and later there is (G7).
    let id = am.required(&again, "pay").await;
    am.rig.alone.cut_off.store(true, Ordering::Relaxed);
    assert_eq!(am.confirming(&again, &id).await.status, 503);
    am.rig.alone.cut_off.store(false, Ordering::Relaxed);
    assert_eq!(am.confirm(&again, &id, "demo", PASSWORD).await.status, 200);
    assert!(is_paid(&am.pay(&again, "pay", &[&id]).await));
}

/// Strategies, under their stored names and the labels of the UI; composite advice, in which it comes last.
#[actix_web::test]
async fn strategies_say_how() {
    let am = Am::with_policies().await;
    am.put(Kind::AuthenticationModule, "datastore/strong", &json!({"authenticationLevel": 7})).await;
    am.settings(
        json!({"trees": {"authenticationTreeCookieHttpOnly": false}, "security": {"moduleBasedAuthEnabled": true}}),
    )
    .await;
    let owner = am.login().await;
    let name = ["NameCallback"].as_slice();
    let both = ["NameCallback", "PasswordCallback"].as_slice();
    let rows = [
        ("AuthenticateToTreeConditionAdvice", "Approve", Ok(name)),
        ("Authenticate to Tree", "/:Approve", Ok(name)),
        ("AuthenticateToServiceConditionAdvice", "Example", Ok(name)),
        ("Authenticate to Chain", "ldapService", Ok(both)),
        ("AuthenticateToRealmConditionAdvice", "/", Ok(both)),
        ("Authenticate to Realm", "/alpha", Err(400)),
        ("AuthLevelConditionAdvice", "7", Ok(both)),
        ("Auth Level", "8", Err(400)),
        ("AuthSchemeConditionAdvice", "strong", Ok(both)),
        ("Authenticate to Module", "nosuch", Err(404)),
        ("Authenticate to Tree", "nosuch", Err(400)),
        ("magic", "x", Err(400)),
    ];
    for (n, (strategy, specifier, expected)) in rows.into_iter().enumerate() {
        let policy = format!("p{n}");
        am.policy(&policy, by(strategy, specifier)).await;
        let id = am.required(&owner, &policy).await;
        let step = am.confirming(&owner, &id).await;
        match expected {
            Ok(callbacks) => assert_eq!(types(&step), callbacks, "{strategy} {specifier}: {}", step.text),
            Err(status) => {
                assert_eq!(step.status, status, "{strategy} {specifier}: {}", step.text);
                assert_eq!(am.confirming(&owner, &id).await.status, status, "it was not begun");
            }
        }
    }
    // A tree that is there for transactions alone is for nothing else.
    assert_eq!(am.start("Approve").await.error(), (400, "No Configuration found"));
    let pair = |name: &str, value: &str| {
        format!("<AttributeValuePair><Attribute name=\"{name}\"/><Value>{value}</Value></AttributeValuePair>")
    };
    let id = am.required(&owner, "p0").await;
    let transaction = pair("TransactionConditionAdvice", &id);
    let other = pair("AuthenticateToServiceConditionAdvice", "Example");
    let ask = |advice: String| {
        let encoded: String = advice.bytes().map(|byte| format!("%{byte:02X}")).collect();
        am.ask(&format!("?authIndexType=composite_advice&authIndexValue={encoded}")).session(&owner).go()
    };
    let kept = ask(format!("<Advices>{transaction}{other}</Advices>")).await;
    assert_eq!(token(&kept), owner, "the other advice comes first, and is satisfied");
    assert_eq!(types(&ask(format!("<Advices>{transaction}</Advices>")).await), ["NameCallback"]);
    unreadable(&ask(format!("<Advices>{transaction}</Advices>")).await);
}

/// G4, on one node; the cluster's test is `tests/cluster`. Step 4 for several policies, resources and logical conditions.
#[actix_web::test]
async fn of_many_who_use_it_one_does() {
    let am = Am::with_policies().await;
    am.policy("pay", approved()).await;
    let owner = am.login().await;
    let id = am.required(&owner, "pay").await;
    assert_eq!(am.confirm(&owner, &id, "demo", PASSWORD).await.status, 200);
    let ids = [id.as_str()];
    let rows = join_all((0..8).map(|_| am.pay(&owner, "pay", &ids))).await;
    assert_eq!(rows.iter().filter(|row| is_paid(row)).count(), 1);
    let others: Vec<String> = rows.iter().filter(|row| !is_paid(row)).map(wanted).collect();
    assert_eq!(
        others.iter().collect::<std::collections::BTreeSet<_>>().len(),
        7,
        "each its own, which can be confirmed"
    );
    assert_eq!(am.confirm(&owner, &others[0], "demo", PASSWORD).await.status, 200);
    assert!(is_paid(&am.pay(&owner, "pay", &[&others[0]]).await));

    // Two policies that want one each: both ids are presented.
    am.policy("two", approved()).await;
    am.policy_on("more", "two", by("Authenticate to Tree", "Example")).await;
    let both = async || {
        let row = am.pay(&owner, "two", &[]).await;
        let ids: Vec<String> =
            serde_json::from_value(row["advices"]["TransactionConditionAdvice"].clone()).expect("ids");
        assert_eq!(ids.len(), 2, "{row}");
        for id in &ids {
            assert_eq!(am.confirm(&owner, id, "demo", PASSWORD).await.status, 200);
        }
        ids
    };
    let ids = both().await;
    assert!(is_paid(&am.pay(&owner, "two", &[&ids[0], &ids[1]]).await));
    let ids = both().await;
    assert!(!is_paid(&am.pay(&owner, "two", &[&ids[0]]).await));
    assert!(!is_paid(&am.pay(&owner, "two", &[&ids[0], &ids[1]]).await), "one of them was used");

    // An alternative that is not needed asks for nothing.
    let before = am.rig.desk.views().transactions.len();
    let or = json!({"type": "OR", "conditions": [approved(), {"type": "AuthLevel", "authLevel": 0}]});
    am.policy("or", or).await;
    assert_eq!(am.pay(&owner, "or", &[]).await["actions"], json!({"PAY": true}));
    assert_eq!(am.rig.desk.views().transactions.len(), before);
}

/// §6.9: trying things out does nothing; tokens ask for nothing; trees and AuthZEN do as `evaluate` does.
#[actix_web::test]
async fn whoever_asks_for_real_asks_for_it() {
    let am = Am::with_policies().await;
    am.policy("pay", approved()).await;
    let owner = am.login().await;
    let id = am.required(&owner, "pay").await;
    assert_eq!(am.confirm(&owner, &id, "demo", PASSWORD).await.status, 200);
    let open = || am.rig.desk.views().transactions.len();
    let before = open();
    let nobody = "00000000-0000-0000-0000-000000000000";
    for action in ["explain", "whatif"] {
        let keep = am.asked(action, &owner, &["api://w/pay"], &[]).await;
        if action == "explain" {
            assert_eq!(keep[0]["advices"]["TransactionConditionAdvice"], json!([nobody]), "{keep:?}");
            let known = am.asked(action, &owner, &["api://w/pay"], &[&id]).await;
            assert_eq!(known[0]["actions"], json!({"PAY": true}), "{known:?}");
        }
    }
    unreadable(&am.confirming(&owner, nobody).await);
    assert_eq!(open(), before);
    assert!(is_paid(&am.pay(&owner, "pay", &[&id]).await), "explaining has not used it");

    let tree = am.asked("evaluateTree", &owner, &["api://w/pay"], &[]).await;
    let id = wanted(&tree[0]);
    assert_eq!(am.confirm(&owner, &id, "demo", PASSWORD).await.status, 200);
    let tree = am.asked("evaluateTree", &owner, &["api://w/pay"], &[&id]).await;
    assert_eq!(tree[0]["actions"], json!({"PAY": true}), "{tree:?}");
    wanted(&am.asked("evaluateTree", &owner, &["api://w/pay"], &[&id]).await[0]);

    // Without a session there is nobody who could confirm.
    let claims = json!({"resources": ["api://w/pay"], "application": "w", "subject": {"claims": {"sub": "demo"}}});
    assert_eq!(am.admin("/policies?_action=evaluate", &claims).await.json[0]["advices"], json!({}));
}

/// a.3, `authIndexType=resource`: what policies advise for it, by the default policy set.
#[actix_web::test]
async fn a_resource_is_authenticated_for_as_its_policies_advise() {
    let am = Am::with_policies().await;
    let url = "76656a38-5f8e-401b-83aa-4ccb74ce88d2";
    let stronger = json!({"type": "AuthenticateToService", "authenticateToService": "Stronger"});
    let conditions = [
        ("docs", stronger.clone()),
        ("mine", json!({"type": "AuthenticateToService", "authenticateToService": "Example"})),
        ("else", json!({"type": "AuthenticateToRealm", "authenticateToRealm": "/elsewhere"})),
        ("pay", approved()),
        ("both", json!({"type": "AND", "conditions": [stronger, approved()]})),
    ];
    for (name, condition) in conditions {
        let body = json!({
            "name": name, "active": true, "applicationName": "iPlanetAMWebAgentService", "resourceTypeUuid": url,
            "resources": [format!("https://shop.test:443/{name}")], "actionValues": {"GET": true},
            "subject": {"type": "AuthenticatedUsers"}, "condition": condition,
        });
        am.admin("/policies?_action=create", &body).await;
    }
    am.tree("Stronger", &[("name", "UsernameCollectorNode", json!({}), &[("outcome", "SUCCESS")])]).await;
    let owner = am.login().await;
    let before = am.rig.desk.views().transactions.len();
    let ask = |name: &str| format!("?authIndexType=resource&authIndexValue=https%3A%2F%2Fshop.test%2F{name}");
    for name in ["docs", "both"] {
        let step = am.ask(&ask(name)).session(&owner).go().await;
        assert_eq!(types(&step), ["NameCallback"], "{name}: {}", step.text);
    }
    let none = (400, "No Configuration found");
    for name in ["mine", "else", "pay", "nothing"] {
        assert_eq!(am.ask(&ask(name)).session(&owner).go().await.error(), none, "{name}");
    }
    for query in [ask("docs"), "?authIndexType=resource&authIndexValue=%00".into(), "?authIndexType=resource".into()] {
        assert_eq!(am.ask(&query).go().await.error(), none, "{query}");
    }
    assert_eq!(am.rig.desk.views().transactions.len(), before, "asking opens nothing");
}

/// G8: many resources, many questions, a policy that says too much; and time.
#[actix_web::test]
async fn confirmations_are_bounded_and_end() {
    let am = Am::with_policies().await;
    am.policy("*", approved()).await;
    am.policy("long", by("Authenticate to Tree", &"x".repeat(MAX_STRATEGY_BYTES))).await;
    let owner = am.login().await;
    let resources: Vec<String> = (0..MAX_TRANSACTIONS_OF + 9).map(|n| format!("api://w/{n}")).collect();
    let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let rows = am.asked("evaluate", &owner, &resources, &[]).await;
        let advised = rows.iter().filter(|row| row["advices"] != json!({})).count();
        assert_eq!((rows.len(), advised), (resources.len(), MAX_TRANSACTIONS_OF), "no more than can be open");
        assert!(rows.iter().all(|row| !is_paid(row)));
        assert_eq!(am.rig.desk.views().transactions.len(), MAX_TRANSACTIONS_OF);
    }
    // The policy that cannot be asked for grants nothing; the other one still asks.
    assert_eq!(am.pay(&owner, "long", &[]).await["actions"], json!({}));

    let id = am.required(&owner, "a").await;
    assert_eq!(am.confirm(&owner, &id, "demo", PASSWORD).await.status, 200);
    let late = am.required(&owner, "b").await;
    am.rig.alone.later.fetch_add(180_000, Ordering::Relaxed);
    assert!(!is_paid(&am.pay(&owner, "a", &[&id]).await), "log time has ended it");
    unreadable(&am.confirming(&owner, &late).await);
}

/// §4.3, §6.9: an application's idle deadline moves with each decision, and is believed afterwards.
#[actix_web::test]
async fn idle_deadlines_move() {
    let am = Am::with_policies().await;
    let scheme =
        json!({"type": "AuthScheme", "authScheme": ["LDAP"], "applicationName": "till", "applicationIdleTimeout": 10});
    am.policy("till", scheme).await;
    let owner = am.login().await;
    let hash = crate::caller::session(&am.rig.desk, &owner).expect("a session").hash;
    let name = "am.protected.policy.AppIdleTimesoutAt.till";
    let deadline = || {
        let session = am.rig.desk.views().session(&hash).expect("a session");
        session.data.properties.get(name).map(|text| text.parse::<i64>().expect("a number"))
    };
    let ask = async |action: &str| {
        let body = json!({"application": "w", "subject": {"ssoToken": owner}, "resources": ["api://w/till"],
            "environment": {"requestAuthSchemes": ["LDAP"]}});
        am.admin(&format!("/policies?_action={action}"), &body).await.json[0].clone()
    };
    let explained = ask("explain").await;
    assert_eq!(explained["actions"], json!({"PAY": true}), "{explained}");
    let row = ask("evaluate").await;
    assert_eq!(row["actions"], json!({"PAY": true}));
    while deadline().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(deadline(), row["ttl"].as_i64(), "the one that was told, and not that of the explanation");
    // A deadline that has passed, in a session that is older than that: authenticate again.
    let set = async |to: &str| {
        let changes = BTreeMap::from([(name.into(), Some(to.into()))]);
        am.rig.desk.propose(Command::UpdateSession(UpdateSession { hash, changes })).await.expect("decided");
    };
    set("1").await;
    let row = ask("evaluate").await;
    assert_eq!(row["actions"], json!({"PAY": true}), "the login itself was not so long ago");
    while deadline() == Some(1) {
        tokio::task::yield_now().await;
    }
    assert_eq!(deadline(), row["ttl"].as_i64());
}
