//! Persistent cookies, over HTTP.

use crate::{
    authn::journey::testing::{Am, PASSWORD, Plan, named, types},
    desk::put,
    rest::testing::Reply,
};
use quorate_raft::{Command, DocumentKey, Kind, Precondition, RealmPath};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const ENDS: &[(&str, &str)] = &[("true", "SUCCESS"), ("false", "name")];

/// Tree `Remember` of a realm: whoever has a cookie is known, everybody else signs in and gets one.
async fn plant(am: &Am, realm: &RealmPath, decision: Value, set: Value) {
    let plan: &[Plan<'_>] = &[
        ("cookie", "PersistentCookieDecisionNode", decision, ENDS),
        ("name", "UsernameCollectorNode", json!({}), &[("outcome", "password")]),
        ("password", "PasswordCollectorNode", json!({}), &[("outcome", "set")]),
        ("set", "SetPersistentCookieNode", set, &[("outcome", "decide")]),
        ("decide", "DataStoreDecisionNode", json!({}), &[("true", "SUCCESS"), ("false", "FAILURE")]),
    ];
    am.tree_with(realm, "Remember", plan, json!({})).await;
}

async fn remembering() -> Am {
    let am = Am::new().await;
    plant(&am, &RealmPath::root(), json!({}), json!({})).await;
    am
}

async fn sign_in(am: &Am, name: &str, password: &str) -> Reply {
    let step = am.answer(&am.start("Remember").await, &[json!(name)]).await;
    am.answer(&step, &[json!(password)]).await
}

/// The persistent cookie of an answer, whole.
fn given(reply: &Reply) -> Option<String> {
    let all = reply.headers.get_all("Set-Cookie").filter_map(|value| value.to_str().ok());
    all.filter(|cookie| cookie.starts_with("session-jwt=")).map(str::to_owned).next()
}

/// Name and value of the cookie that signing in gives.
async fn cookie(am: &Am) -> String {
    let reply = sign_in(am, "demo", PASSWORD).await;
    let given = given(&reply).unwrap_or_else(|| panic!("no cookie: {}", reply.text));
    given.split(';').next().expect("a value").to_owned()
}

async fn with(am: &Am, cookie: &str) -> Reply {
    am.ask(&named("Remember")).header("Cookie", cookie).go().await
}

fn is_known(reply: &Reply) -> bool {
    let known = reply.json["tokenId"].is_string();
    assert!(known || types(reply) == ["NameCallback"], "{}", reply.text);
    known
}

/// a.15.
#[actix_web::test]
async fn whoever_has_a_cookie_is_known() {
    let am = remembering().await;
    let reply = sign_in(&am, "DEMO", PASSWORD).await;
    let whole = given(&reply).expect("a cookie");
    let (value, flags) = whole.split_once("; ").expect("attributes");
    assert_eq!(flags, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=18000");
    assert_eq!(value.split('.').count(), 5, "encrypted");
    assert!(!value.contains(&reply.json["tokenId"].as_str().expect("a token")[..20]));

    let known = with(&am, value).await;
    assert!(is_known(&known));
    let caller = crate::caller::session(&am.rig.desk, known.json["tokenId"].as_str().expect("a token"));
    assert_eq!(caller.expect("a session").name(), "demo");
    let again = given(&known).expect("the cookie is set again");
    assert!(!again.starts_with(value) && again.ends_with("Max-Age=18000"), "{again}");
    assert!(is_known(&with(&am, again.split(';').next().expect("a value")).await));

    // Nobody gets one whose journey fails, and nobody who administers the cluster.
    assert_eq!(given(&sign_in(&am, "demo", "wrong").await), None);
    let admin = sign_in(&am, "amAdmin", crate::testing::PASSWORD).await;
    assert!(admin.json["tokenId"].is_string(), "{}", admin.text);
    assert_eq!(given(&admin), None);
    // As it is configured.
    plant(
        &am,
        &RealmPath::root(),
        json!({}),
        json!({"useSecureCookie": false, "useHttpOnlyCookie": false, "maxLife": 1}),
    )
    .await;
    let plain = given(&sign_in(&am, "demo", PASSWORD).await).expect("a cookie");
    assert!(plain.ends_with("; SameSite=Lax; Path=/; Max-Age=3600") && !plain.contains("HttpOnly"), "{plain}");
    plant(&am, &RealmPath::root(), json!({}), json!({"idleTimeout": 0})).await;
    assert_eq!(given(&sign_in(&am, "demo", PASSWORD).await), None, "one that is dead at once");
    for name in ["iPlanetDirectoryPro", "amlbcookie", "", "a b"] {
        plant(&am, &RealmPath::root(), json!({}), json!({"persistentCookieName": name})).await;
        let step = am.answer(&am.start("Remember").await, &[json!("demo")]).await;
        assert_eq!(am.answer(&step, &[json!(PASSWORD)]).await.status, 401, "{name}");
    }
}

/// Stolen, forged, foreign, revoked: all are as good as none.
#[actix_web::test]
async fn any_other_cookie_is_none() {
    let am = remembering().await;
    let good = cookie(&am).await;
    let (_, value) = good.split_once('=').expect("a value");
    let swapped = if value.ends_with('A') { "B" } else { "A" };
    let forged = [
        format!("{}{swapped}", &good[..good.len() - 1]),
        "session-jwt=x".to_owned(),
        "session-jwt=....".to_owned(),
        "session-jwt=eyJ0eXAiOiJKV1QiLCJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0....".to_owned(),
        format!("session-jwt={}", "a".repeat(5000)),
        format!("other={value}"),
        format!("{good}; {good}"),
    ];
    for forged in forged {
        assert!(!is_known(&with(&am, &forged).await), "{forged}");
    }
    assert!(is_known(&with(&am, &good).await));
    // Of another realm, even where the same user is.
    am.rig.realm("alpha").await;
    let alpha = RealmPath::from("/alpha");
    am.user_in(&alpha, "demo", json!({})).await;
    plant(&am, &alpha, json!({}), json!({})).await;
    let there = am.at("/realms/root/realms/alpha", &named("Remember")).header("Cookie", &good).go().await;
    assert!(!is_known(&there));
    // Under another name, or another signing key.
    plant(&am, &RealmPath::root(), json!({"persistentCookieName": "other"}), json!({})).await;
    assert!(!is_known(&with(&am, &format!("other={value}")).await));
    plant(&am, &RealmPath::root(), json!({}), json!({})).await;
    let node = "PersistentCookieDecisionNode/Remember-cookie";
    let key = DocumentKey::new(&RealmPath::root(), Kind::Node, node);
    let place = crate::rest::authentication::secrets::Place { key: &key, attribute: "hmacSigningKey" };
    let sealed = place.seal(&am.rig.desk, "a key of cookies").expect("seals");
    am.put(Kind::Node, node, &json!({"hmacSigningKey-encrypted": sealed})).await;
    assert!(!is_known(&with(&am, &good).await));
    plant(&am, &RealmPath::root(), json!({}), json!({})).await;
    assert!(is_known(&with(&am, &good).await));
    // Of a user who may not act any more, or whose sessions were all ended.
    let demo = am.profile("demo");
    let mut inactive = demo.clone();
    inactive["inetUserStatus"] = json!(["Inactive"]);
    am.put(Kind::User, "demo", &inactive).await;
    assert!(!is_known(&with(&am, &good).await));
    am.put(Kind::User, "demo", &demo).await;
    assert!(is_known(&with(&am, &good).await), "the same account");
    let write =
        put(DocumentKey::new(&RealmPath::root(), Kind::User, "demo"), Precondition::Any, &demo, Vec::new(), true);
    am.rig.desk.write(vec![write]).await.expect("writes");
    assert!(!is_known(&with(&am, &good).await), "final (G3)");
}

/// The address that it was obtained from, where that is enforced.
#[actix_web::test]
async fn a_cookie_may_be_bound_to_an_address() {
    let am = remembering().await;
    plant(&am, &RealmPath::root(), json!({"enforceClientIp": true}), json!({})).await;
    let start = am.ask(&named("Remember")).from("192.0.2.1").go().await;
    let name = crate::authn::journey::testing::answered(&start, &[json!("demo")]);
    let step = am.ask("").from("192.0.2.1").json(&name).await;
    let password = crate::authn::journey::testing::answered(&step, &[json!(PASSWORD)]);
    let given = given(&am.ask("").from("192.0.2.1").json(&password).await).expect("a cookie");
    let good = given.split(';').next().expect("a value").to_owned();
    let from =
        async |address: &str| is_known(&am.ask(&named("Remember")).header("Cookie", &good).from(address).go().await);
    assert!(from("192.0.2.1").await);
    assert!(!from("192.0.2.2").await);
    assert!(!is_known(&with(&am, &good).await), "from nowhere");
    plant(&am, &RealmPath::root(), json!({}), json!({})).await;
    assert!(from("192.0.2.2").await, "not enforced");
}

/// It ends when it is not used, and at last though it is.
#[actix_web::test]
async fn a_cookie_ends() {
    let am = remembering().await;
    plant(&am, &RealmPath::root(), json!({"idleTimeout": 2}), json!({"idleTimeout": 2, "maxLife": 3})).await;
    let an_hour = async || {
        am.rig.alone.later.fetch_add(3_600_000, Ordering::Relaxed);
        // Log time moves with the next entry.
        am.rig.desk.propose(Command::Tick).await.expect("decided");
    };
    let (idle, used) = (cookie(&am).await, cookie(&am).await);
    an_hour().await;
    let used = given(&with(&am, &used).await).expect("set again");
    assert!(used.ends_with("Max-Age=7200") || used.ends_with("Max-Age=7199"), "{used}");
    let used = used.split(';').next().expect("a value").to_owned();
    an_hour().await;
    assert!(!is_known(&with(&am, &idle).await), "two hours unused");
    let last = with(&am, &used).await;
    assert!(is_known(&last));
    let last = given(&last).expect("set again");
    let seconds: u64 = last.rsplit_once('=').and_then(|(_, seconds)| seconds.parse().ok()).expect("seconds");
    assert!((3500..=3600).contains(&seconds), "the end stays: {last}");
    an_hour().await;
    assert!(!is_known(&with(&am, last.split(';').next().expect("a value")).await), "three hours in all");
}
