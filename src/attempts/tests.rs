//! Pauses, as a login meets them, on a cluster of one.

use super::*;
use crate::{
    authn::{self, Identities, Verdict},
    desk, testing,
    testing::Alone,
};
use actix_web::test::TestRequest;
use quorate_raft::Precondition;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

async fn user(desk: &Desk, name: &str) {
    let verifier = desk.passwords().hash("secret").await.expect("hashes");
    let body = json!({ "username": name, "inetUserStatus": ["Active"], "userpassword": verifier });
    let key = DocumentKey::new(&RealmPath::root(), Kind::User, name);
    desk.write(vec![desk::put(key, Precondition::Any, &body, vec![], false)]).await.expect("creates");
}

/// What comes of a login: `ok`, `denied`, or `paused`.
async fn login(desk: &Desk, name: &str, password: &str, from: &str) -> &'static str {
    match authn::prove(desk, &RealmPath::root(), Identities::Users, name, password, address(from)).await {
        Ok(Verdict::Right(_)) => "ok",
        Ok(Verdict::Wrong | Verdict::Locked) => "denied",
        Err(Stopped::Paused(pause)) => {
            assert!(pause <= desk.guard().limits.pause, "{pause:?}");
            "paused"
        }
        Err(other) => panic!("{other}"),
    }
}

async fn later(desk: &Desk, alone: &Alone, seconds: u64) {
    alone.later.fetch_add(seconds * 1000, Ordering::Relaxed);
    desk.propose(Command::Tick).await.expect("ticks");
}

/// Counts failures in the log without the slow hash of each.
async fn fail(desk: &Desk, name: &str, from: &str, times: usize) {
    let account = DocumentKey::new(&RealmPath::root(), Kind::User, name);
    for _ in 0..times {
        failed(desk, &Attempt::new(account.clone(), address(from))).await.expect("counted");
    }
}

/// One account from one address: five, then nothing, whoever exists; from elsewhere the user goes on.
#[actix_web::test]
async fn a_few_wrong_passwords_from_one_place_bring_a_pause_there() {
    let (desk, alone) = testing::desk().await;
    user(&desk, "demo").await;
    for name in ["demo", "nobody"] {
        for _ in 0..5 {
            assert_eq!(login(&desk, name, "wrong", "192.0.2.1").await, "denied");
        }
        assert_eq!(login(&desk, name, "wrong", "192.0.2.1").await, "paused", "{name}: no oracle");
        assert_eq!(login(&desk, name, "secret", "192.0.2.1").await, "paused", "nor for the right password");
    }
    assert_eq!(login(&desk, "DEMO", "secret", "192.0.2.1").await, "paused", "names ignore case");
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.2").await, "ok");
    later(&desk, &alone, 301).await;
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.1").await, "ok");
    later(&desk, &alone, 3600).await;
    assert!(desk.views().attempts.is_empty(), "G8: what is over is gone");
}

#[actix_web::test]
async fn a_success_forgets_the_failures_of_the_account_and_not_those_of_the_address() {
    let (desk, _alone) = testing::desk().await;
    user(&desk, "demo").await;
    fail(&desk, "demo", "192.0.2.1", 4).await;
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.1").await, "ok");
    fail(&desk, "demo", "192.0.2.1", 4).await;
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.1").await, "ok", "it began anew");
    // An account of one's own is no licence to guess those of others.
    for n in 0..92 {
        fail(&desk, &format!("victim{n}"), "192.0.2.1", 1).await;
    }
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.1").await, "paused");
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.2").await, "ok");
}

/// GR-09 from many places; and nobody keeps the administrator, an agent or a client out that way (CL-12).
#[actix_web::test]
async fn many_wrong_passwords_from_everywhere_pause_users_but_not_the_administrator() {
    let (desk, alone) = testing::desk().await;
    user(&desk, "demo").await;
    for n in 0..25 {
        fail(&desk, "demo", &format!("198.51.100.{n}"), 4).await;
        fail(&desk, "amadmin", &format!("198.51.100.{n}"), 4).await;
    }
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.1").await, "paused");
    assert_eq!(login(&desk, "amadmin", testing::PASSWORD, "192.0.2.1").await, "ok");
    assert_eq!(login(&desk, "amadmin", "wrong", "198.51.100.1").await, "denied", "the fifth from there");
    assert_eq!(login(&desk, "amadmin", testing::PASSWORD, "198.51.100.1").await, "paused");
    later(&desk, &alone, 301).await;
    assert_eq!(login(&desk, "demo", "secret", "192.0.2.1").await, "ok");
    for kind in [Kind::OAuth2Client, Kind::IdentityGateway] {
        let attempt = Attempt::new(DocumentKey::new(&RealmPath::root(), kind, "x"), None);
        assert_eq!(attempt.counts(&desk.guard().limits).all().count(), 0, "{kind:?}");
    }
}

/// What was right is turned away when the guesses beside it were too many by the time it was found right.
#[actix_web::test]
async fn a_right_guess_does_not_outrun_the_wrong_ones_beside_it() {
    let (desk, _alone) = testing::desk().await;
    let account = DocumentKey::new(&RealmPath::root(), Kind::User, "demo");
    let attempt = Attempt::new(account, address("192.0.2.1"));
    let verify = async {
        fail(&desk, "demo", "192.0.2.1", 5).await; // meanwhile
        Ok(true)
    };
    assert!(matches!(guarded(&desk, &attempt, verify).await, Err(Stopped::Paused(_))));
}

/// G7: a failure that could not be counted is told to nobody.
#[actix_web::test]
async fn without_quorum_nothing_is_said_about_a_password() {
    let (desk, alone) = testing::desk().await;
    let account = DocumentKey::new(&RealmPath::root(), Kind::User, "demo");
    let attempt = Attempt::new(account, address("192.0.2.1"));
    let cut_off: Arc<Alone> = alone.clone();
    let verify = async move {
        cut_off.cut_off.store(true, Ordering::Relaxed);
        Ok(false)
    };
    assert_eq!(guarded(&desk, &attempt, verify).await, Err(Stopped::Unavailable(Unavailable::NoQuorum)));
}

#[test]
fn a_network_of_64_bits_is_one_place() {
    let of = |text: &str| network(text.parse().expect("an address"));
    assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
    assert_eq!(of("2001:db8:1:2:3::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
}

#[actix_web::test]
async fn an_address_is_what_the_nearest_proxy_that_is_trusted_says() {
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    let (desk, _alone) = testing::desk_guarded(Guard { trusted_proxies: trusted.into(), ..Guard::default() }).await;
    let from = |peer: &str, lines: &[&str]| {
        let peer = SocketAddr::new(peer.parse().expect("an address"), 50_000);
        let mut request = TestRequest::default().peer_addr(peer);
        for line in lines {
            request = request.append_header(("X-Forwarded-For", *line));
        }
        source(&desk, &request.to_http_request()).map(|address| address.to_string())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(from("192.0.2.1", &[]), some("192.0.2.1"));
    assert_eq!(from("192.0.2.1", &["203.0.113.7"]), some("192.0.2.1"), "anybody can write that");
    assert_eq!(from("10.0.0.1", &["203.0.113.7"]), some("203.0.113.7"));
    assert_eq!(from("10.0.0.1", &["203.0.113.7, 192.0.2.9"]), some("192.0.2.9"), "what is left of it was sent");
    assert_eq!(from("10.0.0.1", &["203.0.113.7", "192.0.2.9, 10.0.0.2"]), some("192.0.2.9"));
    assert_eq!(from("::ffff:10.0.0.1", &["2001:db8::1"]), some("2001:db8::1"));
    assert_eq!(from("10.0.0.1", &[]), None);
    assert_eq!(from("10.0.0.1", &["192.0.2.9, unknown"]), None);
    assert_eq!(from("10.0.0.1", &["10.0.0.2"]), None);
}
