//! How sessions start and end, on a cluster of one.

use super::*;
use crate::{
    caller::{self, Role},
    desk, testing,
};
use quorate_raft::Precondition;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const ALPHA: &str = "/alpha";

async fn store(desk: &Desk, key: DocumentKey, body: Value, fence: bool) {
    desk.write(vec![desk::put(key, Precondition::Any, &body, vec![], fence)]).await.expect("stored");
}

/// A cluster of one with realm `/alpha`, its user `Demo`, and what its services say.
async fn world(services: &[(&str, Value)]) -> (Desk, std::sync::Arc<testing::Alone>) {
    let (desk, alone) = testing::desk().await;
    let (root, alpha) = (RealmPath::root(), RealmPath::from(ALPHA));
    let body = json!({"name": "alpha", "parentPath": "/", "active": true, "aliases": []});
    store(&desk, DocumentKey::new(&root, Kind::Realm, ALPHA), body, false).await;
    for (name, status) in [("demo", "Active"), ("other", "Active")] {
        let body = json!({"username": name.replace('d', "D"), "inetUserStatus": [status]});
        store(&desk, demo(name), body, false).await;
    }
    for (id, body) in services {
        store(&desk, DocumentKey::new(&alpha, Kind::Service, id), body.clone(), false).await;
    }
    (desk, alone)
}

fn demo(name: &str) -> DocumentKey {
    DocumentKey::new(&RealmPath::from(ALPHA), Kind::User, name)
}

fn client_based() -> [(&'static str, Value); 1] {
    [("authentication", json!({"general": {"statelessSessionsEnabled": true}}))]
}

fn new(desk: &Desk, subject: &DocumentKey) -> New {
    New {
        realm: subject.realm.clone(),
        subject: subject.clone(),
        entry: desk.views().entry(subject).expect("a subject"),
        service: "ldapService".to_owned(),
        auth_level: 0,
        properties: BTreeMap::new(),
        from: Some([192, 0, 2, 1].into()),
        max_life: None,
        max_idle: None,
        upgraded: None,
    }
}

async fn started(desk: &Desk, new: New) -> String {
    start(desk, new).await.expect("starts").reveal()
}

fn property(caller: &Caller, name: &str) -> Option<String> {
    properties::get(&caller.session, name).map(|value| value.into_owned())
}

#[test]
fn universal_ids_are_spelled_as_in_am() {
    let user = |realm: &str, id: &str| {
        let realm = RealmPath::from(realm);
        universal_id(&realm, &DocumentKey::new(&realm, Kind::User, id))
    };
    assert_eq!(user("/", "amadmin"), "id=amadmin,ou=user,ou=am-config");
    assert_eq!(user("/alpha", "demo"), "id=demo,ou=user,o=alpha,ou=services,ou=am-config");
    assert_eq!(user("/a/b", "x"), "id=x,ou=user,o=b,o=a,ou=services,ou=am-config");
}

#[actix_web::test]
async fn what_is_explicit_wins_over_what_the_realm_says() {
    let (desk, _alone) = world(&[("session", json!({"dynamic": {"maxSessionTime": 10, "maxIdleTime": 5}}))]).await;
    let token = started(&desk, new(&desk, &demo("demo"))).await;
    let caller = caller::session(&desk, &token).expect("live");
    let data = &caller.session.data;
    assert_eq!((data.max_life, data.max_idle), (Span::from_secs(600), Span::from_secs(300)));
    assert_eq!((caller.name(), caller.role, caller.kept), ("Demo", Role::User, Kept::ByCluster));
    assert_eq!(property(&caller, "Host").as_deref(), Some("192.0.2.1"));
    let explicit =
        New { max_life: Some(Span::from_secs(60)), max_idle: Some(Span::from_secs(30)), ..new(&desk, &demo("demo")) };
    let caller = caller::session(&desk, &started(&desk, explicit).await).expect("live");
    assert_eq!(
        (caller.session.data.max_life, caller.session.data.max_idle),
        (Span::from_secs(60), Span::from_secs(30))
    );
}

/// a.10, SE-01: a new token, the old one dead, what the old session carried carried on; never by somebody else.
#[actix_web::test]
async fn an_upgrade_takes_the_place_of_the_session_of_the_same_user() {
    let (desk, _alone) = world(&[]).await;
    let given = BTreeMap::from([("colour".to_owned(), "red".to_owned()), ("AMCtxId".to_owned(), "forged".to_owned())]);
    let first = started(&desk, New { auth_level: 3, properties: given, ..new(&desk, &demo("demo")) }).await;
    let former = caller::session(&desk, &first).expect("live");
    assert_ne!(property(&former, "AMCtxId").as_deref(), Some("forged"));
    let by_other = New { upgraded: Some(former.clone()), ..new(&desk, &demo("other")) };
    assert_eq!(start(&desk, by_other).await.err(), Some(NotStarted::OtherSubject));
    assert!(caller::session(&desk, &first).is_some(), "nothing happened to it");

    let given = BTreeMap::from([("shape".to_owned(), "round".to_owned())]);
    let upgraded = || New {
        service: "mfa".to_owned(),
        auth_level: 1,
        properties: given.clone(),
        upgraded: Some(former.clone()),
        ..new(&desk, &demo("demo"))
    };
    let second = started(&desk, upgraded()).await;
    assert_ne!(first, second);
    assert!(caller::session(&desk, &first).is_none());
    let caller = caller::session(&desk, &second).expect("live");
    assert_eq!(caller.session.data.auth_level, 3, "what was reached stays reached");
    for (name, value) in [("colour", "red"), ("shape", "round"), ("Service", "mfa")] {
        assert_eq!(property(&caller, name).as_deref(), Some(value));
    }
    assert_ne!(property(&caller, "AMCtxId"), property(&former, "AMCtxId"));
    assert_eq!(start(&desk, upgraded()).await.err(), Some(NotStarted::Ended), "it has been upgraded already");
}

/// b.6.
#[actix_web::test]
async fn a_quota_of_the_realm_is_kept_for_users() {
    let deny = json!({
        "dynamic": {"quotaLimit": 2},
        "quotas": {
            "iplanet-am-session-enable-session-constraint": "ON",
            "behaviourWhenQuotaExhausted": "org.forgerock.openam.session.service.DenyAccessAction",
        },
    });
    let (desk, _alone) = world(&[("session", deny)]).await;
    let first = started(&desk, new(&desk, &demo("demo"))).await;
    started(&desk, new(&desk, &demo("demo"))).await;
    assert_eq!(start(&desk, new(&desk, &demo("demo"))).await.err(), Some(NotStarted::Quota));
    started(&desk, new(&desk, &demo("other"))).await;
    let former = caller::session(&desk, &first);
    assert!(start(&desk, New { upgraded: former, ..new(&desk, &demo("demo")) }).await.is_ok(), "one for one");
    let agent = DocumentKey::new(&RealmPath::from(ALPHA), Kind::IdentityGateway, "gateway");
    store(&desk, agent.clone(), json!({}), false).await;
    for _ in 0..3 {
        started(&desk, new(&desk, &agent)).await;
    }
}

#[actix_web::test]
async fn a_session_holds_only_so_much() {
    let (desk, _alone) = world(&[]).await;
    let much = BTreeMap::from([("note".to_owned(), "x".repeat(MAX_PROPERTY_BYTES))]);
    let much = New { properties: much, ..new(&desk, &demo("demo")) };
    assert_eq!(start(&desk, much).await.err(), Some(NotStarted::TooLarge));
}

/// b.1: the token is the session; it says nothing to whoever cannot open it, and ends like any other (G3).
#[actix_web::test]
async fn a_client_based_session_is_signed_and_encrypted_and_ends_at_once() {
    let (desk, alone) = world(&client_based()).await;
    let given = BTreeMap::from([("colour".to_owned(), "red".to_owned())]);
    let token = started(&desk, New { properties: given, auth_level: 2, ..new(&desk, &demo("demo")) }).await;
    assert!(desk.views().sessions.is_empty(), "nobody keeps it");
    let parts: Vec<&str> = token.split('*').collect();
    assert!(
        matches!(parts[..], [id, extension, _] if id.len() == 28 && extension.starts_with("AAJTSQACMDE")),
        "{token}"
    );
    assert!(parts[2].starts_with("eyJ") && parts[2].split('.').count() == 5, "a compact JWE");
    assert!(!token.contains("demo") && token.len() <= client_based::MAX_BYTES);

    let caller = caller::session(&desk, &token).expect("live");
    assert_eq!((caller.name(), caller.kept, caller.session.data.auth_level), ("Demo", Kept::ByClient, 2));
    assert_eq!(property(&caller, "colour").as_deref(), Some("red"));
    // As clients of AM hand it back.
    let raw = token.replacen('*', "@", 1).replace('*', "#").replace('-', "+").replace('_', "/").replace('.', "=");
    assert!(caller::session(&desk, &raw).is_some());
    assert!(caller::session(&desk, &crate::crest::percent::encode(&token)).is_some());

    // It does not idle out, and is not used for longer than it may live.
    let second = started(&desk, new(&desk, &demo("demo"))).await;
    let third = started(&desk, new(&desk, &demo("demo"))).await;
    alone.later.store(119 * 60_000, Ordering::Relaxed);
    desk.propose(Command::Tick).await.expect("ticks");
    assert!(caller::session(&desk, &token).is_some());
    assert_eq!(end(&desk, &caller).await, Ok(true));
    assert!(caller::session(&desk, &token).is_none(), "ended");
    let caller = caller::session(&desk, &second).expect("the others live");
    let upgraded = started(&desk, New { upgraded: Some(caller), ..new(&desk, &demo("demo")) }).await;
    assert!(caller::session(&desk, &second).is_none(), "upgraded");
    assert!(caller::session(&desk, &upgraded).is_some());
    store(&desk, demo("demo"), json!({"username": "Demo", "inetUserStatus": ["Inactive"]}), true).await;
    assert!(caller::session(&desk, &third).is_none(), "disabled");
    store(&desk, demo("demo"), json!({"username": "Demo", "inetUserStatus": ["Active"]}), true).await;
    assert!(caller::session(&desk, &third).is_none(), "and stays dead");
    let fourth = started(&desk, new(&desk, &demo("demo"))).await;
    alone.later.fetch_add(121 * 60_000, Ordering::Relaxed);
    desk.propose(Command::Tick).await.expect("ticks");
    assert!(caller::session(&desk, &fourth).is_none(), "over");
}

/// b.3, G3: all that started by then, whoever keeps them, and none that starts later.
#[actix_web::test]
async fn all_sessions_of_a_user_end_at_once() {
    let (desk, alone) = world(&[]).await;
    let by_cluster = started(&desk, new(&desk, &demo("demo"))).await;
    let [(id, body)] = client_based();
    store(&desk, DocumentKey::new(&RealmPath::from(ALPHA), Kind::Service, id), body, false).await;
    let by_client = started(&desk, new(&desk, &demo("demo"))).await;
    let other = started(&desk, new(&desk, &demo("other"))).await;
    end_all(&desk, &demo("demo")).await.expect("ends");
    let lives = |token: &str| caller::session(&desk, token).is_some();
    assert_eq!((lives(&by_cluster), lives(&by_client), lives(&other)), (false, false, true));
    alone.later.fetch_add(10, Ordering::Relaxed);
    let later = started(&desk, new(&desk, &demo("demo"))).await;
    assert!(lives(&later));
    end_all(&desk, &demo("demo")).await.expect("ends");
    assert_eq!((lives(&later), lives(&by_client), lives(&other)), (false, false, true));
    let for_ever = New { max_life: Some(Span::from_secs(500 * 86_400)), ..new(&desk, &demo("demo")) };
    let kept = caller::session(&desk, &started(&desk, for_ever).await).map(|caller| caller.kept);
    assert_eq!(kept, Some(Kept::ByCluster), "what lives too long is kept");
}

/// RFC 8725: nothing but our own tokens, as they were made, is a session.
#[actix_web::test]
async fn no_other_text_is_a_client_based_session() {
    let (desk, _alone) = world(&client_based()).await;
    let token = started(&desk, new(&desk, &demo("demo"))).await;
    let (prefix, jwe) = token.rsplit_once('*').expect("three parts");
    let parts: Vec<&str> = jwe.split('.').collect();
    for n in [0, 2, 3, 4] {
        for part in ["", "AAAA", "!!!!"] {
            let mut parts = parts.clone();
            parts[n] = part;
            assert!(caller::session(&desk, &format!("{prefix}*{}", parts.join("."))).is_none(), "{n} {part}");
        }
    }
    for other in
        [jwe.to_owned(), format!("{token}.x"), format!("{prefix}.*"), format!("a.*b.*{}", parts[..3].join("."))]
    {
        assert!(caller::session(&desk, &other).is_none(), "{other}");
    }
    // What we sign for other purposes is no session, even when it is in the right envelope's place.
    let ring = crate::keys::ring(&desk).expect("keys");
    let key = crate::keys::signing_key(&ring, crate::keys::Algorithm::HS256).expect("a key");
    let jws = key.sign(&json!({"typ": "session", "jti": "x"})).expect("signs");
    assert!(caller::session(&desk, &format!("{prefix}*{jws}")).is_none(), "signed and not encrypted");
}

#[actix_web::test]
async fn the_administrator_has_server_side_sessions_and_so_has_what_does_not_fit_into_a_cookie() {
    let (desk, _alone) = world(&client_based()).await;
    let root = RealmPath::root();
    let body = json!({"general": {"statelessSessionsEnabled": true}});
    store(&desk, DocumentKey::new(&root, Kind::Service, "authentication"), body, false).await;
    let admin = DocumentKey::new(&root, Kind::User, ADMINISTRATOR_ID);
    let caller = caller::session(&desk, &started(&desk, new(&desk, &admin)).await).expect("live");
    assert_eq!((caller.kept, caller.role), (Kept::ByCluster, Role::Administrator));
    // Nor does a token help that somebody made all the same.
    let forged = client_based::seal(&desk, &caller.session.data, caller.session.created).expect("keys").expect("fits");
    assert!(caller::session(&desk, &forged).is_none());
    let much = BTreeMap::from([("note".to_owned(), "x".repeat(4000))]);
    let token = started(&desk, New { properties: much, ..new(&desk, &demo("demo")) }).await;
    assert_eq!(caller::session(&desk, &token).map(|caller| caller.kept), Some(Kept::ByCluster));
}
