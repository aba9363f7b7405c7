use super::*;
use crate::{
    authn::journey::testing::{Am, PASSWORD, answered, named, token, types},
    testing,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn auth_id(step: &crate::rest::testing::Reply) -> String {
    step.json["authId"].as_str().expect("an authId").to_owned()
}

fn claims(auth_id: &str) -> Value {
    let part = auth_id.split('.').nth(1).expect("claims");
    serde_json::from_slice(&BASE64.decode(part).expect("base64url")).expect("JSON")
}

/// a.5, the table.
#[actix_web::test]
async fn an_auth_id_is_as_in_a_5() {
    let am = Am::new().await;
    let first = auth_id(&am.start("Example").await);
    let header = BASE64.decode(first.split('.').next().expect("a header")).expect("base64url");
    assert_eq!(header, br#"{"typ":"JWT","alg":"HS256"}"#);
    let known = claims(&first);
    let otk = known["otk"].as_str().expect("an otk");
    assert_eq!(otk.len(), 26);
    assert!(otk.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'v').contains(&byte)));
    assert_eq!((&known["authIndexType"], &known["authIndexValue"]), (&json!("service"), &json!("Example")));
    assert_eq!(known["realm"], "/");
    assert_eq!(known["exp"].as_u64().zip(known["iat"].as_u64()).map(|(exp, iat)| exp - iat), Some(300));
    let reference = known["sessionId"].as_str().expect("a reference");
    assert!(reference.starts_with("*AAJTSQACMDEABHR5cGUACEpXVF9BVVRIAAJTMQAA*eyJ0eXAi"));
    let again = claims(&auth_id(&am.start("Example").await));
    assert_ne!(again["otk"], known["otk"]);
    let default = claims(&auth_id(&am.ask("").go().await));
    assert_eq!((default.get("authIndexType"), default.get("authIndexValue")), (None, None));
}

/// Nothing of the state can be read, and nothing of it can be put elsewhere.
#[actix_web::test]
async fn the_state_is_nobodys_to_read_or_to_change() {
    let am = Am::new().await;
    let step = am.start("Example").await;
    let first = auth_id(&step);
    let second = auth_id(&am.answer(&step, &[json!("a-name-that-nobody-else-has")]).await);
    let reference = claims(&second)["sessionId"].as_str().expect("a reference").to_owned();
    for part in reference.split(['*', '.']).chain(second.split('.')) {
        let bytes = BASE64.decode(part).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("a-name-that"), "the state can be read");
    }
    // Every byte counts: no change of one is taken.
    let told = |auth_id: String| {
        let body = json!({"authId": auth_id, "callbacks": [{"type": "PasswordCallback", "input": [{"value": "x"}]}]});
        let request = am.ask("");
        async move { request.json(&body).await }
    };
    let bytes = second.as_bytes();
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let reply = told(String::from_utf8(changed).expect("text")).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
    }
    // The claims of one with the signature of the other; no signature; other algorithms (JW-01).
    let invalid = (400, "AuthId JWT Signature not valid");
    let (message, _) = second.rsplit_once('.').expect("a JWS");
    let (_, signature) = first.rsplit_once('.').expect("a JWS");
    assert_eq!(told(format!("{message}.{signature}")).await.error(), invalid);
    assert_eq!(told(format!("{message}.")).await.error(), invalid);
    let none = BASE64.encode(r#"{"typ":"JWT","alg":"none"}"#);
    let body = message.split_once('.').expect("claims").1;
    assert_eq!(told(format!("{none}.{body}.")).await.error(), invalid);
    for (text, why) in [
        ("x", "it has no signature"),
        ("x.y", "it has no claims"),
        ("!.eyJ9.x", "it is not base64url"),
        ("eA.eA.eA", "it is not JSON"),
        (&"x".repeat(MAX_AUTH_ID_BYTES + 1), "it is too long"),
    ] {
        let message = format!("Failed to parse JWT, {why}");
        assert_eq!(told(text.to_owned()).await.error(), (400, message.as_str()));
    }
    let number = am.ask("").json(&json!({"authId": 7})).await;
    assert_eq!(number.error().0, 400);
}

/// A step is submitted once, in whatever way it ends; and nobody guesses twice on one step.
#[actix_web::test]
async fn a_step_is_submitted_once() {
    let am = Am::new().await;
    let step = am.start("Example").await;
    let step = am.answer(&step, &[json!("demo")]).await;
    assert_eq!(types(&step), ["PasswordCallback"]);
    // A crowd of guesses on one step, the right one among them: one is looked at.
    let guesses = (0..16).map(|n| if n == 7 { json!(PASSWORD) } else { json!(format!("guess {n}")) });
    let bodies: Vec<Value> = guesses.map(|guess| answered(&step, &[guess])).collect();
    let replies = join_all(bodies.iter().map(|body| am.ask("").json(body))).await;
    let looked_at = replies.iter().filter(|reply| reply.json["detail"]["errorCode"] != "110").count();
    assert_eq!(looked_at, 1);
    for reply in replies.iter().filter(|reply| reply.json["detail"]["errorCode"] == "110") {
        assert_eq!(reply.error(), (401, "Session has timed out"));
    }
    let replay = am.answer(&step, &[json!(PASSWORD)]).await;
    assert_eq!(replay.error(), (401, "Session has timed out"));
    // A chain says it with its own status.
    let step = am.ask("").go().await;
    let body = answered(&step, &[json!("demo"), json!(PASSWORD)]);
    assert!(!token(&am.ask("").json(&body).await).is_empty());
    let replay = am.ask("").json(&body).await;
    assert_eq!((replay.error(), &replay.json["detail"]["errorCode"]), ((408, "Session has timed out"), &json!("110")));
}

/// a.11: log time ends a journey, whatever the clock of a node says.
#[actix_web::test]
async fn a_journey_ends_with_its_time() {
    let am = Am::new().await;
    let step = am.start("Example").await;
    am.rig.alone.later.store(301_000, Ordering::Relaxed);
    let late = am.answer(&step, &[json!("demo")]).await;
    assert_eq!((late.error(), &late.json["detail"]["errorCode"]), ((401, "Session has timed out"), &json!("110")));
    am.rig.alone.later.store(0, Ordering::Relaxed);
    let late = am.answer(&step, &[json!("demo")]).await;
    assert_eq!(late.error(), (401, "Session has timed out"), "log time has passed it");
}

/// A step belongs to one realm and one tree.
#[actix_web::test]
async fn a_step_goes_on_where_it_began() {
    let am = Am::new().await;
    am.rig.realm("alpha").await;
    let step = am.start("Example").await;
    let body = answered(&step, &[json!("demo")]);
    let elsewhere = am.at("/realms/root/realms/alpha", "").json(&body).await;
    assert_eq!(elsewhere.error(), (400, "AuthId JWT Signature not valid"));
    // Refused there, it was not used up.
    let step = am.ask(&named("nosuch")).json(&body).await;
    assert_eq!(types(&step), ["PasswordCallback"]);
    // What an administrator disables meanwhile goes no further.
    am.tree_with(&RealmPath::root(), "Example", &[("x", "DebugNode", json!({}), &[])], json!({"enabled": false})).await;
    assert_eq!(am.answer(&step, &[json!(PASSWORD)]).await.error(), (401, "Login failure"));
}

#[actix_web::test]
async fn a_state_that_grows_too_large_ends_the_journey() {
    let am = Am::new().await;
    let large = json!({"attributes": {"large": "x".repeat(MAX_STATE_BYTES)}});
    am.tree(
        "Large",
        &[
            ("set", "SetStateNode", large, &[("outcome", "name")]),
            ("name", "UsernameCollectorNode", json!({}), &[("outcome", "SUCCESS")]),
        ],
    )
    .await;
    assert_eq!(am.start("Large").await.error(), (401, "Login failure"));
    // The largest that fits is still read.
    let fits = json!({"attributes": {"large": "x".repeat(MAX_STATE_BYTES - 2048)}});
    am.put(quorate_raft::Kind::Node, "SetStateNode/Large-set", &fits).await;
    let step = am.start("Large").await;
    assert!(!token(&am.answer(&step, &[json!("demo")]).await).is_empty());
}

/// Keys come from the cluster: another cluster's steps are not ours.
#[actix_web::test]
async fn a_step_of_another_cluster_is_refused() {
    let am = Am::new().await;
    let (stranger, _) = testing::desk().await;
    let step = auth_id(&am.start("Example").await);
    let now = Stamp(0);
    let refused = open(&stranger, &RealmPath::root(), &step, now).err().expect("not ours");
    assert_eq!(refused.message, "AuthId JWT Signature not valid");
    assert!(open(&am.rig.desk, &RealmPath::root(), &step, now).is_ok());
}
