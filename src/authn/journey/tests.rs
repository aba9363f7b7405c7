//! Nodes, alone and together, as a.15 and a.16 have them.

use super::testing::{Am, PASSWORD, Plan, named, token, types};
use crate::{caller, rest::testing::Reply};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const ENDS: &[(&str, &str)] = &[("true", "SUCCESS"), ("false", "FAILURE")];

fn next(to: &str) -> Vec<(&str, &str)> {
    vec![("outcome", to)]
}

/// Name, password, decision; then `after`.
fn credentials<'p>(after: &'p [(&'p str, &'p str)]) -> Vec<Plan<'p>> {
    const TO_PASSWORD: &[(&str, &str)] = &[("outcome", "password")];
    const TO_DECISION: &[(&str, &str)] = &[("outcome", "decide")];
    vec![
        ("name", "UsernameCollectorNode", json!({}), TO_PASSWORD),
        ("password", "PasswordCollectorNode", json!({}), TO_DECISION),
        ("decide", "DataStoreDecisionNode", json!({}), after),
    ]
}

async fn sign_in(am: &Am, service: &str, password: &str) -> Reply {
    let step = am.start(service).await;
    let step = am.answer(&step, &[json!("demo")]).await;
    am.answer(&step, &[json!(password)]).await
}

/// A tree of one node whose outcomes tell themselves: success for the first, failure for the others.
async fn outcome_of(am: &Am, node_type: &str, config: Value, good: &str, bad: &str) -> Reply {
    let ends = [(good, "SUCCESS"), (bad, "FAILURE")];
    let to = next("node");
    am.tree("One", &[("name", "UsernameCollectorNode", json!({}), &to), ("node", node_type, config, &ends)]).await;
    let step = am.start("One").await;
    am.answer(&step, &[json!("demo")]).await
}

/// The type of every node in the table is one that the engine knows, and none is there twice.
#[test]
fn all_types_are_known() {
    let mut seen = std::collections::BTreeSet::new();
    for node_type in super::nodes::TYPES {
        assert!(seen.insert(node_type), "{node_type}");
        let config = super::nodes::NodeConfig::parse(node_type, &json!({"script": "x", "tree": "x", "nothing": null}));
        assert!(!matches!(config, super::nodes::NodeConfig::Unusable(_)), "{node_type}: {config:?}");
    }
    let broken = super::nodes::NodeConfig::parse("PageNode", &json!({"nodes": 7}));
    assert!(matches!(broken, super::nodes::NodeConfig::Unusable(_)));
}

#[actix_web::test]
async fn names_and_passwords_are_collected() {
    let am = Am::new().await;
    let step = am.start("Example").await;
    let again = am.answer(&step, &[json!("")]).await;
    assert_eq!(types(&again), ["NameCallback"], "an empty name is asked for again");
    let step = am.answer(&again, &[json!("DEMO")]).await;
    let reply = am.answer(&step, &[json!(PASSWORD)]).await;
    let caller = caller::session(&am.rig.desk, &token(&reply)).expect("a session");
    assert_eq!(caller.name(), "demo");
    // No password at all is a mistake of the tree.
    let decide = next("decide");
    am.tree(
        "NoPassword",
        &[("name", "UsernameCollectorNode", json!({}), &decide), ("decide", "DataStoreDecisionNode", json!({}), ENDS)],
    )
    .await;
    let step = am.start("NoPassword").await;
    assert_eq!(am.answer(&step, &[json!("demo")]).await.error(), (401, "Login failure"));
}

#[actix_web::test]
async fn platform_nodes_collect_on_a_page() {
    let am = Am::new().await;
    let (page, decide) = (
        json!({"nodes": [{"_id": "u", "nodeType": "ValidatedUsernameNode", "displayName": "U"},
            {"_id": "p", "nodeType": "ValidatedPasswordNode", "displayName": "P"}],
            "pageHeader": {"en": "Sign In", "de": "Anmelden"}, "pageDescription": {"en": "Welcome"}, "stage": "Login"}),
        next("decide"),
    );
    am.put(Kind::Node, "ValidatedUsernameNode/u", &json!({"validateInput": true})).await;
    am.put(Kind::Node, "ValidatedPasswordNode/p", &json!({})).await;
    am.tree("Login", &[("page", "PageNode", page, &decide), ("decide", "DataStoreDecisionNode", json!({}), ENDS)])
        .await;
    let step = am.start("Login").await;
    assert_eq!(types(&step), ["ValidatedCreateUsernameCallback", "ValidatedCreatePasswordCallback"]);
    assert_eq!((&step.json["header"], &step.json["description"]), (&json!("Sign In"), &json!("Welcome")));
    assert_eq!((&step.json["stage"], &step.json["callbacks"][1]["_id"]), (&json!("Login"), &json!(1)));
    let german = am.ask(&named("Login")).header("Accept-Language", "de-DE").go().await;
    assert_eq!(german.json["header"], "Anmelden");
    let again = am.answer(&step, &[json!(""), json!(false), json!("x"), json!(false)]).await;
    assert_eq!(types(&again).len(), 2, "whoever leaves something out sees the page again");
    let reply = am.answer(&again, &[json!("demo"), json!(false), json!(PASSWORD), json!(false)]).await;
    assert!(!token(&reply).is_empty());
}

#[actix_web::test]
async fn a_page_comes_to_what_its_last_node_comes_to() {
    let am = Am::new().await;
    let child = |id: &str, node_type: &str| json!({"_id": id, "nodeType": node_type, "displayName": id});
    let page = json!({"nodes": [child("u", "UsernameCollectorNode"), child("s", "SetStateNode"),
        child("p", "PasswordCollectorNode"), child("d", "DataStoreDecisionNode")]});
    for (node_type, id) in
        [("UsernameCollectorNode", "u"), ("PasswordCollectorNode", "p"), ("DataStoreDecisionNode", "d")]
    {
        am.put(Kind::Node, &format!("{node_type}/{id}"), &json!({})).await;
    }
    am.put(Kind::Node, "SetStateNode/s", &json!({"attributes": {"successUrl": "/from-the-page"}})).await;
    am.tree("Page", &[("page", "PageNode", page, ENDS)]).await;
    let step = am.start("Page").await;
    assert_eq!(types(&step), ["NameCallback", "PasswordCallback"]);
    assert_eq!(step.json["callbacks"][1]["input"][0]["name"], "IDToken2");
    let good = am.answer(&step, &[json!("demo"), json!(PASSWORD)]).await;
    assert_eq!((token(&good).is_empty(), &good.json["successUrl"]), (false, &json!("/from-the-page")));
    let step = am.start("Page").await;
    assert_eq!(am.answer(&step, &[json!("demo"), json!("wrong")]).await.error(), (401, "Login failure"));
    for nested in ["PageNode", "InnerTreeEvaluatorNode"] {
        am.tree("Nested", &[("page", "PageNode", json!({"nodes": [child("x", nested)]}), ENDS)]).await;
        assert_eq!(am.start("Nested").await.error(), (401, "Login failure"), "{nested}");
    }
}

/// a.16: a password waits, encrypted, while something else is asked, and only if somebody asks for it later.
#[actix_web::test]
async fn a_password_waits_for_who_asks_for_it() {
    let am = Am::new().await;
    let (password, choose) = (next("password"), next("choose"));
    let plan = |last: &'static str| -> Vec<Plan<'_>> {
        vec![
            ("name", "UsernameCollectorNode", json!({}), &password),
            ("password", "PasswordCollectorNode", json!({}), &choose),
            (
                "choose",
                "ChoiceCollectorNode",
                json!({"choices": ["go on"], "prompt": "Well?"}),
                match last {
                    "SUCCESS" => &[("go on", "SUCCESS")],
                    _ => &[("go on", "decide")],
                },
            ),
            ("decide", "DataStoreDecisionNode", json!({}), ENDS),
        ]
    };
    am.tree("Waits", &plan("decide")).await;
    let step = sign_in(&am, "Waits", PASSWORD).await;
    assert_eq!(types(&step), ["ChoiceCallback"]);
    assert!(!token(&am.answer(&step, &[json!("0")]).await).is_empty());
    let step = sign_in(&am, "Waits", PASSWORD).await;
    assert_eq!(am.answer(&step, &[json!(1)]).await.status, 400, "there is no such choice");
}

#[actix_web::test]
async fn choices_and_messages_branch() {
    let am = Am::new().await;
    let config = json!({"choices": ["left", "right"], "defaultChoice": "right", "prompt": "Where?"});
    let step = outcome_of(&am, "ChoiceCollectorNode", config, "left", "right").await;
    assert_eq!(step.json["callbacks"][0]["output"][2], json!({"name": "defaultChoice", "value": 1}));
    assert!(!token(&am.answer(&step, &[json!(0)]).await).is_empty());

    let config = json!({"message": {"en": "Agree?"}, "messageYes": {"en": "Aye"}, "stateField": "agreed"});
    let step = outcome_of(&am, "MessageNode", config, "true", "false").await;
    assert_eq!(types(&step), ["TextOutputCallback", "ConfirmationCallback"]);
    assert_eq!(step.json["callbacks"][1]["output"][2]["value"], json!(["Aye", "No"]));
    assert_eq!(am.answer(&step, &[]).await.error(), (401, "Login failure"), "the default is no");
    let step = am.start("One").await;
    let step = am.answer(&step, &[json!("demo")]).await;
    assert!(!token(&am.answer(&step, &[json!(0)]).await).is_empty());

    let step = outcome_of(&am, "MetadataNode", json!({"attributes": ["username", "password"]}), "outcome", "x").await;
    assert_eq!(step.json["callbacks"][0]["output"][0]["value"], json!({"username": "demo"}));
    assert!(!token(&am.answer(&step, &[]).await).is_empty());
}

#[actix_web::test]
async fn inner_trees_come_back_with_their_end() {
    let am = Am::new().await;
    am.tree_with(&RealmPath::root(), "Inner", &credentials(ENDS), json!({"innerTreeOnly": true})).await;
    am.tree("Outer", &[("inner", "InnerTreeEvaluatorNode", json!({"tree": "Inner"}), ENDS)]).await;
    assert!(!token(&sign_in(&am, "Outer", PASSWORD).await).is_empty());
    assert_eq!(sign_in(&am, "Outer", "wrong").await.error(), (401, "Login failure"));
    assert_eq!(am.start("Inner").await.error(), (400, "No Configuration found"));
    // Whatever fails inside fails outside, unless the outer tree wants to know.
    am.tree("Broken", &[("x", "NoSuchNode", json!({}), ENDS)]).await;
    let config = |shown: bool| json!({"tree": "Broken", "displayErrorOutcome": shown});
    let ends = [("true", "FAILURE"), ("false", "FAILURE"), ("error", "anybody")];
    let success = next("SUCCESS");
    let anybody: Plan<'_> = ("anybody", "AnonymousUserNode", json!({"anonymousUserName": "demo"}), success.as_slice());
    am.tree("Shows", &[("inner", "InnerTreeEvaluatorNode", config(true), &ends), anybody.clone()]).await;
    assert!(!token(&am.start("Shows").await).is_empty());
    am.tree("Hides", &[("inner", "InnerTreeEvaluatorNode", config(false), &ends), anybody]).await;
    assert_eq!(am.start("Hides").await.error(), (401, "Login failure"));
}

/// Loops that ask nothing, and trees that evaluate themselves, end.
#[actix_web::test]
async fn nothing_runs_for_ever() {
    let am = Am::new().await;
    let round = next("again");
    am.tree("Loop", &[("again", "DebugNode", json!({}), &round)]).await;
    assert_eq!(am.start("Loop").await.error(), (401, "Login failure"));
    am.tree("Itself", &[("again", "InnerTreeEvaluatorNode", json!({"tree": "Itself"}), ENDS)]).await;
    assert_eq!(am.start("Itself").await.error(), (401, "Login failure"));
    am.tree("Nowhere", &[("x", "DebugNode", json!({}), &[])]).await;
    assert_eq!(am.start("Nowhere").await.error(), (401, "Login failure"));
    let script = json!({"script": "s", "outcomes": ["true"], "inputs": ["*"], "outputs": ["*"]});
    am.tree("Script", &[("x", "ScriptedDecisionNode", script, ENDS)]).await;
    assert_eq!(am.start("Script").await.error(), (401, "Login failure"), "unsupported here");
}

/// a.15: three times Retry, then Reject; counted on the user, across journeys, until somebody succeeds.
#[actix_web::test]
async fn retries_are_limited() {
    let am = Am::new().await;
    let mut plan = credentials(&[("true", "SUCCESS"), ("false", "retry")]);
    plan.push(("retry", "RetryLimitDecisionNode", json!({"retryLimit": 3}), &[("Retry", "name"), ("Reject", "lock")]));
    plan.push(("lock", "AccountLockoutNode", json!({"lockAction": "LOCK"}), &[("outcome", "FAILURE")]));
    am.tree("RetryLimit", &plan).await;
    let mut step = am.start("RetryLimit").await;
    for n in 1..=2 {
        step = am.answer(&step, &[json!("demo")]).await;
        step = am.answer(&step, &[json!("wrong")]).await;
        assert_eq!(types(&step), ["NameCallback"], "retry {n}");
        assert_eq!(am.profile("demo")["_retryLimitNodeCount"]["RetryLimit-retry"], n);
    }
    step = am.answer(&step, &[json!("demo")]).await;
    assert!(!token(&am.answer(&step, &[json!(PASSWORD)]).await).is_empty());
    assert_eq!(am.profile("demo").get("_retryLimitNodeCount"), None, "success starts anew");
    // Another start does not start anew.
    for n in 1..=3 {
        let step = sign_in(&am, "RetryLimit", "wrong").await;
        assert_eq!(types(&step), ["NameCallback"], "retry {n}");
    }
    assert_eq!(sign_in(&am, "RetryLimit", "wrong").await.error(), (401, "Login failure"));
    assert_eq!(am.profile("demo")["inetUserStatus"], json!(["Inactive"]));
    // Nobody is shown such members, and a name that nobody has is counted by the journey.
    let shown = am.rig.get("/realms/root/users/demo").await;
    assert!(shown.status == 200 && !shown.text.contains("\"_retry"), "{}", shown.text);
    let mut step = am.start("RetryLimit").await;
    for _ in 0..3 {
        step = am.answer(&step, &[json!("nobody")]).await;
        step = am.answer(&step, &[json!("wrong")]).await;
        assert_eq!(types(&step), ["NameCallback"]);
    }
    step = am.answer(&step, &[json!("nobody")]).await;
    assert_eq!(am.answer(&step, &[json!("wrong")]).await.error(), (401, "Login failure"));
    // Unlocked again; the administrator never is locked.
    let success = next("FAILURE");
    let unlock = json!({"lockAction": "UNLOCK"});
    let name = next("lock");
    am.tree(
        "Unlock",
        &[("name", "UsernameCollectorNode", json!({}), &name), ("lock", "AccountLockoutNode", unlock, &success)],
    )
    .await;
    let step = am.start("Unlock").await;
    am.answer(&step, &[json!("demo")]).await;
    assert_eq!(am.profile("demo")["inetUserStatus"], json!(["Active"]));
    am.put(Kind::Node, "AccountLockoutNode/Unlock-lock", &json!({})).await;
    let step = am.start("Unlock").await;
    am.answer(&step, &[json!("amAdmin")]).await;
    assert_eq!(am.profile("amadmin")["inetUserStatus"], json!(["Active"]));
}

/// a.19.
#[actix_web::test]
async fn failures_lock_the_account_and_warn_before() {
    let am = Am::new().await;
    am.settings(json!({"accountlockout": {"loginFailureLockoutMode": true, "loginFailureCount": 3,
        "lockoutWarnUserCount": 1, "lockoutDuration": 5}}))
        .await;
    let wrong = async |query: &str| {
        let reply = am.headers(query, "demo", "wrong").await;
        assert_eq!(reply.status, 401);
        reply.json["message"].as_str().expect("a message").to_owned()
    };
    let example = named("Example");
    assert_eq!(wrong(&example).await, "Warning: You will be locked out after 2 more failure(s).");
    assert_eq!(wrong("").await, "Authentication Failed Warning: You will be locked out after 1 more failure(s).");
    assert_eq!(wrong(&example).await, "Your account has been locked.");
    assert_eq!(am.headers(&example, "demo", PASSWORD).await.error(), (401, "Login failure"), "as if it were wrong");
    assert_eq!(am.headers(&example, "nobody", "wrong").await.error(), (401, "Login failure"));
}

#[actix_web::test]
async fn accounts_and_levels_decide() {
    let am = Am::new().await;
    assert!(!token(&outcome_of(&am, "AccountActiveDecisionNode", json!({}), "true", "false").await).is_empty());
    am.user("demo", json!({"inetUserStatus": ["Inactive"]})).await;
    let asleep = outcome_of(&am, "AccountActiveDecisionNode", json!({}), "true", "false").await;
    assert_eq!(asleep.error(), (401, "Login failure"));
    am.user("demo", json!({})).await;
    for (level, status) in [(0, 200), (1, 401), (-1, 200)] {
        let config = json!({"authLevelRequirement": level});
        assert_eq!(outcome_of(&am, "AuthLevelDecisionNode", config, "true", "false").await.status, status, "{level}");
    }
    // Agents prove themselves among agents.
    let verifier = am.rig.desk.passwords().hash("agent secret").await.expect("hashes");
    am.put(Kind::IdentityGateway, "gate", &json!({"_verifier": verifier, "status": "Active"})).await;
    am.tree(
        "Agent",
        &[
            ("zero", "ZeroPageLoginNode", json!({}), &[("true", "decide"), ("false", "FAILURE")]),
            ("decide", "AgentDataStoreDecisionNode", json!({}), ENDS),
        ],
    )
    .await;
    let agent = token(&am.headers(&named("Agent"), "gate", "agent secret").await);
    assert_eq!(caller::session(&am.rig.desk, &agent).expect("a session").role, caller::Role::Agent);
    assert_eq!(am.headers(&named("Agent"), "demo", PASSWORD).await.error(), (401, "Login failure"));
    assert_eq!(am.start("Agent").await.error(), (401, "Login failure"));
    // Five ends.
    let five = [("TRUE", "SUCCESS"), ("FALSE", "FAILURE"), ("LOCKED", "locked"), ("CANCELLED", "FAILURE")];
    let locked = next("SUCCESS");
    am.tree(
        "Store",
        &[
            ("zero", "ZeroPageLoginNode", json!({}), &[("true", "decide"), ("false", "FAILURE")]),
            ("decide", "IdentityStoreDecisionNode", json!({"minimumPasswordLength": 8}), &five),
            ("locked", "AnonymousUserNode", json!({"anonymousUserName": "demo"}), &locked),
        ],
    )
    .await;
    am.user("asleep", json!({"inetUserStatus": ["Inactive"]})).await;
    for (name, password, status) in [("demo", PASSWORD, 200), ("demo", "x", 401), ("asleep", PASSWORD, 200)] {
        assert_eq!(am.headers(&named("Store"), name, password).await.status, status, "{name}");
    }
}

/// Whoever was proved stays who it is, whatever is said later.
#[actix_web::test]
async fn a_name_without_proof_changes_nothing() {
    let am = Am::new().await;
    let mut plan = credentials(&[("true", "claim"), ("false", "FAILURE")]);
    plan.push(("claim", "SetStateNode", json!({"attributes": {"username": "amAdmin"}}), &[("outcome", "SUCCESS")]));
    am.tree("Claim", &plan).await;
    let reply = sign_in(&am, "Claim", PASSWORD).await;
    assert_eq!(caller::session(&am.rig.desk, &token(&reply)).expect("a session").name(), "demo");
}

#[actix_web::test]
async fn data_moves_as_configured() {
    let am = Am::new().await;
    let to: Vec<Vec<(&str, &str)>> =
        ["header", "query", "session", "remove", "cookie", "decide"].iter().map(|to| next(to)).collect();
    let cookie = json!({"name": "theme", "value": "dark", "maxAge": "60", "path": "/x", "useHttpOnlyCookie": true,
        "sameSite": "STRICT"});
    let plan: Vec<Plan<'_>> = vec![
        ("zero", "ZeroPageLoginNode", json!({}), &[("true", "header"), ("false", "FAILURE")]),
        ("header", "RequestHeaderNode", json!({"allowedHeaders": {"X-Goal": "successUrl"}}), &to[1]),
        (
            "query",
            "QueryParameterNode",
            json!({"allowedQueryParameters": {"list": "listed"}, "queryParametersToBeDelimited": ["list"]}),
            &to[2],
        ),
        (
            "session",
            "SetSessionPropertiesNode",
            json!({"properties": {"a": "1", "b": "2"}, "maxSessionTime": 7}),
            &to[3],
        ),
        ("remove", "RemoveSessionPropertiesNode", json!({"propertyNames": ["b"]}), &to[4]),
        ("cookie", "SetCustomCookieNode", cookie, &to[5]),
        ("decide", "DataStoreDecisionNode", json!({}), ENDS),
    ];
    am.tree("Data", &plan).await;
    let request = am.ask(&format!("{}&list=x,y", named("Data"))).header("X-Goal", "/from-the-header");
    let request = request.header("X-OpenAM-Username", "demo").header("X-OpenAM-Password", PASSWORD);
    let reply = request.go().await;
    assert_eq!(reply.json["successUrl"], "/from-the-header");
    let session = caller::session(&am.rig.desk, &token(&reply)).expect("a session").session;
    let property = |name: &str| session.data.properties.get(name).map(|value| value.to_string());
    assert_eq!((property("a"), property("b")), (Some("1".to_owned()), None));
    assert_eq!(session.data.max_life, quorate_raft::Span::from_secs(7 * 60));
    let cookies: Vec<_> = reply.headers.get_all("Set-Cookie").filter_map(|value| value.to_str().ok()).collect();
    assert!(cookies.contains(&"theme=dark; HttpOnly; SameSite=Strict; Path=/x; Max-Age=60"), "{cookies:?}");
    // Names that are ours, and cookies that would split a header.
    let reserved = json!({"properties": {"AuthLevel": "9"}});
    assert_eq!(outcome_of(&am, "SetSessionPropertiesNode", reserved, "outcome", "x").await.status, 401);
    for (name, value) in [("iPlanetDirectoryPro", "x"), ("a", "x\r\nSet-Cookie: b=c"), ("a;b", "x"), ("", "x")] {
        let config = json!({"name": name, "value": value});
        assert_eq!(outcome_of(&am, "SetCustomCookieNode", config, "outcome", "x").await.status, 401, "{name:?}");
    }
    // Cookies that are there.
    let config = json!({"cookieName": "theme"});
    let ends = ENDS;
    let to_cookie = next("cookie");
    am.tree(
        "Cookie",
        &[
            ("who", "AnonymousUserNode", json!({"anonymousUserName": "demo"}), &to_cookie),
            ("cookie", "CookiePresenceDecisionNode", config, ends),
        ],
    )
    .await;
    assert_eq!(am.ask(&named("Cookie")).header("Cookie", "theme=dark").go().await.status, 200);
    assert_eq!(am.start("Cookie").await.status, 401);
}

#[actix_web::test]
async fn ends_are_told_as_configured() {
    let am = Am::new().await;
    let (fail, success) = (next("FAILURE"), next("SUCCESS"));
    let config = json!({"failureMessage": {"en": "Not today"}, "failureDetails": {"hint": "tomorrow"}});
    am.tree("Fails", &[("set", "SetFailureDetailsNode", config, &fail)]).await;
    let reply = am.start("Fails").await;
    assert_eq!((reply.error(), &reply.json["detail"]), ((401, "Not today"), &json!({"hint": "tomorrow"})));
    let details =
        json!({"successDetails": {"greeting": "hello", "tokenId": "forged"}, "sessionProperties": {"c": "d"}});
    let set = next("set");
    am.tree(
        "Tells",
        &[
            ("who", "AnonymousUserNode", json!({"anonymousUserName": "demo"}), &set),
            ("set", "SetSuccessDetailsNode", details, &success),
        ],
    )
    .await;
    let reply = am.start("Tells").await;
    assert_eq!(reply.json["greeting"], "hello");
    let session = caller::session(&am.rig.desk, &token(&reply)).expect("the real token").session;
    assert_eq!(session.data.properties.get("c").map(|value| &**value), Some("d"));
    // A tree without session.
    let plan: &[Plan<'_>] = &[("who", "AnonymousUserNode", json!({"anonymousUserName": "demo"}), &success)];
    am.tree_with(&RealmPath::root(), "Quiet", plan, json!({"noSession": true})).await;
    let reply = am.start("Quiet").await;
    assert_eq!((reply.status, reply.json.get("tokenId")), (200, None));
}

#[actix_web::test]
async fn waiting_takes_its_time() {
    let am = Am::new().await;
    let config = json!({"secondsToWait": 5, "spamDetectionEnabled": true, "spamDetectionTolerance": 2,
        "exitable": true, "exitMessage": {"en": "Leave"}});
    let ends = [("DONE", "SUCCESS"), ("EXITED", "out"), ("SPAM", "FAILURE")];
    let out = next("FAILURE");
    let wait = next("wait");
    let plan: Vec<Plan<'_>> = vec![
        ("who", "AnonymousUserNode", json!({"anonymousUserName": "demo"}), &wait),
        ("wait", "PollingWaitNode", config, &ends),
        ("out", "SetFailureDetailsNode", json!({"failureMessage": {"en": "You left"}}), &out),
    ];
    am.tree("Wait", &plan).await;
    let step = am.start("Wait").await;
    assert_eq!(types(&step), ["PollingWaitCallback", "ConfirmationCallback"]);
    assert_eq!(step.json["callbacks"][0]["output"][0], json!({"name": "waitTime", "value": "5000"}));
    assert_eq!(am.answer(&step, &[json!(0)]).await.error(), (401, "You left"));
    let mut step = am.start("Wait").await;
    for _ in 0..2 {
        step = am.answer(&step, &[]).await;
        assert_eq!(types(&step).len(), 2, "too early");
    }
    assert_eq!(am.answer(&step, &[]).await.error(), (401, "Login failure"), "too often");
    let step = am.start("Wait").await;
    am.rig.alone.later.store(6000, Ordering::Relaxed);
    am.rig.desk.propose(quorate_raft::Command::Tick).await.expect("ticks");
    assert!(!token(&am.answer(&step, &[]).await).is_empty());
}

#[actix_web::test]
async fn a_journey_may_get_more_time_or_less() {
    let am = Am::new().await;
    let name = next("name");
    let success = next("SUCCESS");
    let life = async |config: Value, more: Value| {
        let plan: &[Plan<'_>] = &[
            ("time", "UpdateJourneyTimeoutNode", config, &name),
            ("name", "UsernameCollectorNode", json!({}), &success),
        ];
        am.tree_with(&RealmPath::root(), "Time", plan, more).await;
        let step = am.start("Time").await;
        let part = step.json["authId"].as_str().and_then(|id| id.split('.').nth(1)).expect("claims");
        use base64::Engine;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(exp, iat)| exp - iat).expect("both")
    };
    assert_eq!(life(json!({"operation": "SET", "value": 7}), json!({})).await, 420);
    assert_eq!(life(json!({"operation": "MODIFY", "value": 2}), json!({})).await, 420);
    assert_eq!(life(json!({"operation": "MODIFY", "value": -2}), json!({"treeTimeout": 10})).await, 480);
    assert_eq!(life(json!({"operation": "SET", "value": i64::MAX}), json!({})).await, 24 * 3600, "bounded");
}

/// A one-time password is right once, and while it lives.
#[actix_web::test]
async fn one_time_passwords_are_used_once() {
    let am = Am::new().await;
    let (make, collect, decide) = (next("make"), next("show"), next("collect"));
    let plan: Vec<Plan<'_>> = vec![
        ("name", "UsernameCollectorNode", json!({}), &make),
        ("make", "OneTimePasswordGeneratorNode", json!({"length": 6}), &collect),
        // Stands for whoever would send it: what is transient is not told.
        ("show", "MetadataNode", json!({"attributes": ["oneTimePassword", "oneTimePasswordTimestamp"]}), &decide),
        ("collect", "OneTimePasswordCollectorDecisionNode", json!({}), ENDS),
    ];
    am.tree("Otp", &plan).await;
    let step = am.start("Otp").await;
    let step = am.answer(&step, &[json!("demo")]).await;
    let told = &step.json["callbacks"][0]["output"][0]["value"];
    assert!(told["oneTimePasswordTimestamp"].is_number() && told.get("oneTimePassword").is_none(), "{told}");
    let step = am.answer(&step, &[]).await;
    assert_eq!(step.json["callbacks"][0]["output"][0]["value"], "One Time Password");
    assert_eq!(am.answer(&step, &[json!("not it")]).await.error(), (401, "Login failure"));
}

fn uri_parameter(uri: &str, name: &str) -> String {
    let value = uri.split(['?', '&']).find_map(|part| part.strip_prefix(&format!("{name}=")));
    value.expect("a parameter").to_owned()
}

fn from_base32(text: &str) -> Vec<u8> {
    let mut bits = 0u64;
    let (mut count, mut out) = (0, Vec::new());
    for c in text.bytes() {
        let value = if c.is_ascii_uppercase() { c - b'A' } else { c - b'2' + 26 };
        bits = bits << 5 | u64::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 255) as u8);
        }
    }
    out
}

/// RFC 6238, its formula, written down a second time.
fn totp(secret: &[u8], step: u64) -> String {
    use aws_lc_rs::hmac;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let word = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

/// Registers a device, signs in with it; its passwords and recovery codes are used once, its secret is nobody's to see (G5).
#[actix_web::test]
async fn devices_are_registered_and_used() {
    let am = Am::new().await;
    let mut plan = credentials(&[("true", "verify"), ("false", "FAILURE")]);
    let ends = [
        ("successOutcome", "SUCCESS"),
        ("failureOutcome", "FAILURE"),
        ("notRegisteredOutcome", "register"),
        ("recoveryCodeOutcome", "recover"),
    ];
    plan.push(("verify", "OathTokenVerifierNode", json!({"isRecoveryCodeAllowed": true}), &ends));
    let registered = [("successOutcome", "codes"), ("failureOutcome", "FAILURE")];
    plan.push(("register", "OathRegistrationNode", json!({"issuer": "Quorate & Co"}), &registered));
    plan.push(("codes", "RecoveryCodeDisplayNode", json!({}), &[("outcome", "verify")]));
    plan.push(("recover", "RecoveryCodeCollectorDecisionNode", json!({}), ENDS));
    am.tree("Device", &plan).await;

    let step = sign_in(&am, "Device", PASSWORD).await;
    assert_eq!(types(&step), ["TextOutputCallback", "HiddenValueCallback", "ConfirmationCallback"]);
    let uri = step.json["callbacks"][1]["output"][0]["value"].as_str().expect("a URI").to_owned();
    assert!(uri.starts_with("otpauth://totp/Quorate%20%26%20Co:demo?secret="), "{uri}");
    let secret = from_base32(&uri_parameter(&uri, "secret"));
    assert_eq!((secret.len(), uri_parameter(&uri, "period").as_str()), (20, "30"));
    let step = am.answer(&step, &[]).await;
    let codes = step.json["callbacks"][0]["output"][0]["value"].as_str().expect("codes").to_owned();
    let codes: Vec<&str> = codes.lines().skip(1).collect();
    assert_eq!(codes.len(), 10);
    let step = am.answer(&step, &[]).await;
    assert_eq!(step.json["callbacks"][1]["output"][2]["value"], json!(["Submit", "Use Recovery Code"]));
    let now = || crate::host::now().secs() / 30;
    let first = totp(&secret, now());
    assert!(!token(&am.answer(&step, &[json!(first)]).await).is_empty());

    let stored = am.profile("demo").to_string();
    assert!(!stored.contains(&uri_parameter(&uri, "secret")) && !stored.contains(codes[0]), "sealed and hashed");
    let shown = am.rig.get("/realms/root/users/demo").await.text;
    assert!(!shown.contains("_oath"), "{shown}");
    // The same password, again: refused. The next one: taken.
    let step = sign_in(&am, "Device", PASSWORD).await;
    assert_eq!(types(&step), ["NameCallback", "ConfirmationCallback"]);
    assert_eq!(am.answer(&step, &[json!(first)]).await.error(), (401, "Login failure"));
    let step = sign_in(&am, "Device", PASSWORD).await;
    assert!(!token(&am.answer(&step, &[json!(totp(&secret, now() + 1))]).await).is_empty());
    // Two at once with one password: one gets in.
    let (a, b) = (sign_in(&am, "Device", PASSWORD).await, sign_in(&am, "Device", PASSWORD).await);
    let third = json!(totp(&secret, now() + 2));
    let given = [third];
    let both = futures_util::future::join(am.answer(&a, &given), am.answer(&b, &given)).await;
    assert_eq!(u32::from(both.0.status == 200) + u32::from(both.1.status == 200), 1);
    // A recovery code, once.
    for status in [200, 401] {
        let step = sign_in(&am, "Device", PASSWORD).await;
        let step = am.answer(&step, &[json!(""), json!(1)]).await;
        assert_eq!(step.json["callbacks"][0]["output"][0]["value"], "Enter Recovery Code");
        assert_eq!(am.answer(&step, &[json!(codes[3])]).await.status, status);
    }
}

/// A right password forgives no wrong second factor: whoever has the one cannot guess the other for ever.
#[actix_web::test]
async fn second_factors_are_guessed_a_few_times() {
    let am = Am::new().await;
    let mut plan = credentials(&[("true", "register"), ("false", "FAILURE")]);
    plan.push(("register", "OathRegistrationNode", json!({}), &[("successOutcome", "verify")]));
    plan.push((
        "verify",
        "OathTokenVerifierNode",
        json!({}),
        &[("successOutcome", "SUCCESS"), ("failureOutcome", "again")],
    ));
    plan.push((
        "again",
        "OathTokenVerifierNode",
        json!({}),
        &[("successOutcome", "SUCCESS"), ("failureOutcome", "verify")],
    ));
    am.tree("Device", &plan).await;
    let from = |step: &Reply, values: &[Value]| {
        let body = super::testing::answered(step, values);
        let request = am.ask("").from("192.0.2.1");
        async move { request.json(&body).await }
    };
    let step = sign_in(&am, "Device", PASSWORD).await;
    let mut step = am.answer(&step, &[]).await;
    for n in 0..5 {
        assert_eq!(types(&step), ["NameCallback", "ConfirmationCallback"], "{n}");
        step = from(&step, &[json!("000000")]).await;
    }
    let paused = from(&step, &[json!("000000")]).await;
    assert_eq!(paused.status, 429, "{}", paused.text);
    assert!(paused.header("Retry-After").is_some());
}

/// The order of modules in a chain, and what each of them means (a.18).
#[actix_web::test]
async fn chains_decide_by_their_criteria() {
    let am = Am::new().await;
    let link = |criteria: &str| json!({"module": "DataStore", "criteria": criteria, "options": {}});
    // What each module is answered, and what comes of it.
    for (links, answers, status) in [
        (vec!["REQUIRED"], vec![true], 200),
        (vec!["REQUIRED"], vec![false], 401),
        (vec!["REQUIRED", "REQUIRED"], vec![false, true], 401),
        (vec!["REQUISITE", "REQUIRED"], vec![false], 401),
        (vec!["SUFFICIENT", "REQUIRED"], vec![true], 200),
        (vec!["SUFFICIENT", "REQUIRED"], vec![false, true], 200),
        (vec!["REQUIRED", "SUFFICIENT"], vec![false, true], 401),
        (vec!["OPTIONAL"], vec![false], 401),
        (vec!["OPTIONAL", "REQUIRED"], vec![false, true], 200),
    ] {
        let links_json: Vec<Value> = links.iter().map(|criteria| link(criteria)).collect();
        am.put(Kind::Chain, "two", &json!({"authChainConfiguration": links_json, "loginSuccessUrl": ["/chain"]})).await;
        let mut reply = am.start("two").await;
        for (n, right) in answers.iter().enumerate() {
            assert_eq!(reply.json["stage"], format!("DataStore{}", n + 1), "{links:?}");
            let password = if *right { PASSWORD } else { "wrong" };
            reply = am.answer(&reply, &[json!("demo"), json!(password)]).await;
        }
        assert_eq!(reply.status, status, "{links:?} {answers:?}");
        if status == 200 {
            assert_eq!(reply.json["successUrl"], "/chain");
        }
    }
    // Two users in one chain are one too many; a module that nobody has fails.
    am.user("other", json!({})).await;
    am.put(Kind::Chain, "two", &json!({"authChainConfiguration": [link("REQUIRED"), link("REQUIRED")]})).await;
    let step = am.start("two").await;
    let step = am.answer(&step, &[json!("demo"), json!(PASSWORD)]).await;
    assert_eq!(am.answer(&step, &[json!("other"), json!(PASSWORD)]).await.error(), (401, "Authentication Failed"));
    let amster = json!({"authChainConfiguration": [{"module": "Amster", "criteria": "REQUIRED"}]});
    am.put(Kind::Chain, "amsterService", &amster).await;
    assert_eq!(am.headers(&named("amsterService"), "demo", PASSWORD).await.error(), (401, "Authentication Failed"));
}
