use super::*;
use crate::{
    attempts::Guard,
    config::Network,
    oauth2,
    rest::testing::Rig,
    testing::{self, front},
};
use actix_web::{App, test as web_test, test::TestRequest, web};
use quorate_raft::{Precondition, Seq};
use serde_json::{Value, json};

const OWN: &str = "/realms/root/realms/alpha/realm-config/services/baseurl";

fn asked(headers: &[(&str, &str)], from: &str) -> HttpRequest {
    let peer = std::net::SocketAddr::new(from.parse().expect("an address"), 50_000);
    let request = TestRequest::default().peer_addr(peer);
    headers.iter().fold(request, |request, (name, value)| request.append_header((*name, *value))).to_http_request()
}

/// A desk that may look at requests, behind a proxy at 10.0.0.1, with realm `/alpha` and its alias.
async fn desk() -> Desk {
    let trusted: Network = "10.0.0.1".parse().expect("a network");
    let front = crate::desk::Front {
        base_url_from_request: true,
        valid_hosts: vec!["am.internal".into(), "2001:db8::1".into()],
        ..front()
    };
    let (desk, _) =
        testing::desk_guarded_front(Guard { trusted_proxies: vec![trusted], ..Guard::default() }, front).await;
    let realm = json!({"name": "alpha", "parentPath": "/", "active": true, "aliases": ["alpha.example.com"]});
    store(&desk, DocumentKey::new(&RealmPath::root(), Kind::Realm, "/alpha"), &realm).await;
    desk
}

async fn store(desk: &Desk, key: DocumentKey, body: &Value) -> Vec<Seq> {
    desk.write(vec![crate::desk::put(key, Precondition::Any, body, Vec::new(), false)]).await.expect("stored")
}

/// IN-11, row by row: what is said, by whom, and what comes of it.
#[actix_web::test]
async fn a_base_url_comes_from_a_request_only_as_far_as_it_is_ours() {
    let desk = desk().await;
    let alpha = RealmPath::from("/alpha");
    let cluster = "https://am.example.com:8443";
    let (proxy, stranger) = ("10.0.0.1", "192.0.2.7");
    let forwarded = |host: &'static str| [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", host)];
    type Row<'r> = (&'r str, &'r [(&'r str, &'r str)], &'r str, &'r str);
    let rows: &[Row<'_>] = &[
        ("REQUEST_VALUES", &[("Host", "am.internal")], stranger, "http://am.internal"),
        ("REQUEST_VALUES", &[("Host", "AM.internal:80")], stranger, "http://am.internal"),
        ("REQUEST_VALUES", &[("Host", "am.internal:8443")], stranger, "http://am.internal:8443"),
        ("REQUEST_VALUES", &[("Host", "alpha.example.com")], stranger, "http://alpha.example.com"),
        ("REQUEST_VALUES", &[("Host", "[2001:db8::1]:8443")], stranger, "http://[2001:db8::1]:8443"),
        ("REQUEST_VALUES", &[("Host", "evil.example")], stranger, cluster),
        ("REQUEST_VALUES", &[("Host", "am.internal:666")], stranger, cluster),
        ("REQUEST_VALUES", &[("Host", "am.internal@evil.example")], stranger, cluster),
        ("REQUEST_VALUES", &[("Host", "am.internal/evil")], stranger, cluster),
        ("REQUEST_VALUES", &[("Host", "am.internal"), ("Host", "evil.example")], stranger, cluster),
        ("REQUEST_VALUES", &[("X-Forwarded-Host", "am.internal"), ("X-Forwarded-Proto", "https")], proxy, cluster),
        ("REQUEST_VALUES", &[], stranger, cluster),
        ("X_FORWARDED_HEADERS", &forwarded("am.internal"), proxy, "https://am.internal"),
        ("X_FORWARDED_HEADERS", &forwarded("evil.example, am.internal:443"), proxy, "https://am.internal"),
        ("X_FORWARDED_HEADERS", &forwarded("am.internal, evil.example"), proxy, cluster),
        ("X_FORWARDED_HEADERS", &forwarded("evil.example"), proxy, cluster),
        ("X_FORWARDED_HEADERS", &forwarded("am.internal"), stranger, cluster),
        ("X_FORWARDED_HEADERS", &[("X-Forwarded-Host", "am.internal")], proxy, cluster),
        (
            "X_FORWARDED_HEADERS",
            &[("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "am.internal")],
            proxy,
            cluster,
        ),
        (
            "FORWARDED_HEADER",
            &[("Forwarded", "for=192.0.2.9;proto=https;host=am.internal")],
            proxy,
            "https://am.internal",
        ),
        (
            "FORWARDED_HEADER",
            &[("Forwarded", "host=evil.example, Proto=http; Host=\"am.internal:8443\"")],
            proxy,
            "http://am.internal:8443",
        ),
        ("FORWARDED_HEADER", &[("Forwarded", "proto=https;host=am.internal")], stranger, cluster),
        ("FORWARDED_HEADER", &[("Forwarded", "proto=https;host=evil.example")], proxy, cluster),
        ("FORWARDED_HEADER", &[("Forwarded", "host=am.internal")], proxy, cluster),
        ("EXTENSION_CLASS", &[("Host", "am.internal")], proxy, cluster),
        ("FIXED_VALUE", &[("Host", "am.internal")], proxy, cluster),
    ];
    let key = DocumentKey::new(&alpha, Kind::Service, SERVICE);
    for (source, headers, from, origin) in rows {
        store(&desk, key.clone(), &json!({"source": source})).await;
        let base = BaseUrl::in_realm(&desk, &alpha, &asked(headers, from));
        assert_eq!(base.origin(), *origin, "{source} {headers:?}");
        assert!(BaseUrl::has_issued(&desk, &alpha, &base.issuer(&alpha)), "{source} {headers:?}");
    }
    for issuer in [
        "https://evil.example/am/oauth2/realms/root/realms/alpha",
        "http://am.internal:666/am/oauth2/realms/root/realms/alpha",
        "http://am.internal/am/oauth2",
        "http://am.internal/am/oauth2/realms/root/realms/alpha/",
    ] {
        store(&desk, key.clone(), &json!({"source": "REQUEST_VALUES"})).await;
        assert!(!BaseUrl::has_issued(&desk, &alpha, issuer), "{issuer}");
    }
}

/// The value of a realm moves what the realm says of itself, and nothing else; nobody is asked.
#[actix_web::test]
async fn a_fixed_value_is_the_realms_own_name() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let (root, alpha) = (RealmPath::root(), RealmPath::from("/alpha"));
    let request = asked(&[("Host", "am.internal"), ("X-Forwarded-Host", "am.internal")], "192.0.2.7");
    let before = BaseUrl::in_realm(&rig.desk, &alpha, &request).issuer(&alpha);
    assert_eq!(before, "https://am.example.com:8443/am/oauth2/realms/root/realms/alpha");
    for (body, label) in [
        (json!({"fixedValue": "https://login.example.org/am"}), "Fixed value base URL"),
        (json!({"fixedValue": "javascript:alert(1)"}), "Fixed value base URL"),
        (json!({"fixedValue": "https://a@b"}), "Fixed value base URL"),
        (json!({"contextPath": "//evil.example"}), "Context path"),
        (json!({"source": "HOST"}), "Base URL Source"),
    ] {
        let refused = rig.send("PUT", OWN, body).await;
        assert_eq!(refused.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
    let said = json!({"source": "FIXED_VALUE", "fixedValue": "https://login.example.org/", "contextPath": "/sso"});
    let created = rig.send("POST", &format!("{OWN}?_action=create"), said).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let links = "https://login.example.org/sso/json/realms/root/realms/alpha/realm-config/services/baseurl";
    assert_eq!(created.header("Location"), Some(links));
    let now = BaseUrl::in_realm(&rig.desk, &alpha, &request);
    assert_eq!(now.issuer(&alpha), "https://login.example.org/sso/oauth2/realms/root/realms/alpha");
    assert_eq!(BaseUrl::in_realm(&rig.desk, &root, &request).origin(), "https://am.example.com:8443");
    // What was issued before lives on.
    assert!(
        BaseUrl::has_issued(&rig.desk, &alpha, &before) && BaseUrl::has_issued(&rig.desk, &alpha, &now.issuer(&alpha))
    );
    assert!(!BaseUrl::has_issued(&rig.desk, &root, &now.issuer(&root)));

    let app = App::new().app_data(web::Data::new(rig.desk.clone()));
    let app = web_test::init_service(app.service(web::scope("/am/oauth2").configure(oauth2::configure))).await;
    let path = "/am/oauth2/realms/root/realms/alpha/.well-known/openid-configuration";
    let metadata: Value = web_test::call_and_read_body_json(&app, TestRequest::get().uri(path).to_request()).await;
    let issuer = "https://login.example.org/sso/oauth2/realms/root/realms/alpha";
    assert_eq!(
        (&metadata["issuer"], &metadata["token_endpoint"]),
        (&json!(issuer), &json!(format!("{issuer}/access_token")))
    );
}

/// Off, a request decides nothing, whatever the realm says and whoever we are called.
#[actix_web::test]
async fn without_leave_no_request_is_looked_at() {
    let (desk, _alone) = testing::desk().await;
    let root = RealmPath::root();
    let key = DocumentKey::new(&root, Kind::Service, SERVICE);
    for source in ["REQUEST_VALUES", "X_FORWARDED_HEADERS", "FORWARDED_HEADER"] {
        store(&desk, key.clone(), &json!({"source": source, "contextPath": "/x"})).await;
        let request = asked(&[("Host", "am.example.com"), ("X-Forwarded-Host", "am.example.com")], "192.0.2.7");
        assert_eq!(BaseUrl::in_realm(&desk, &root, &request).deployment(), "https://am.example.com:8443/x");
        assert!(!BaseUrl::has_issued(&desk, &root, "http://am.example.com/x/oauth2"));
        assert!(BaseUrl::has_issued(&desk, &root, "https://am.example.com:8443/x/oauth2"));
    }
}
