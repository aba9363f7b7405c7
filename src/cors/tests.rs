use super::*;
use crate::{
    http::{self, Status},
    rest::testing::Rig,
};
use actix_web::{
    dev::Service,
    test::{TestRequest, init_service},
};
use quorate_cluster::Health;
use serde_json::json;
use std::path::Path;

const CONFIGURATIONS: &str = "/global-config/services/CorsService/configuration";
const APP: &str = "https://app.example.com";
const JSON: &str = "/am/json/realms/root/users/amadmin";
const TOKEN: &str = "/am/oauth2/realms/root/access_token";

/// What came back: status, and the headers of this specification.
struct Told {
    status: u16,
    origin: Option<String>,
    credentials: Option<String>,
    methods: Option<String>,
    headers: Option<String>,
    exposed: Option<String>,
    max_age: Option<String>,
    vary: String,
}

impl Told {
    /// Whether the page is told nothing that it could use.
    fn is_silent(&self) -> bool {
        let all = [&self.origin, &self.credentials, &self.methods, &self.headers, &self.exposed, &self.max_age];
        all.into_iter().all(Option::is_none)
    }
}

fn health() -> Health {
    Health {
        live: true,
        ready: true,
        reason: None,
        id: 1,
        leader: Some(1),
        term: 1,
        last_log: 1,
        committed: 1,
        applied: 1,
        lag: 0,
        snapshot: 0,
        purged: 0,
        members: Vec::new(),
    }
}

async fn send(rig: &Rig, request: TestRequest) -> Told {
    // The whole application: where this stands in it is part of what is promised.
    let status = Status::new(rig.desk.clone(), Path::new("/nonexistent"), health);
    let app = init_service(http::app(rig.desk.clone(), status, None)).await;
    let response = app.call(request.to_request()).await.expect("an answer");
    let headers = response.headers();
    let text = |name: HeaderName| {
        let all: Vec<&str> = headers.get_all(name).filter_map(|value| value.to_str().ok()).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    Told {
        status: response.status().as_u16(),
        origin: text(header::ACCESS_CONTROL_ALLOW_ORIGIN),
        credentials: text(header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
        methods: text(header::ACCESS_CONTROL_ALLOW_METHODS),
        headers: text(header::ACCESS_CONTROL_ALLOW_HEADERS),
        exposed: text(header::ACCESS_CONTROL_EXPOSE_HEADERS),
        max_age: text(header::ACCESS_CONTROL_MAX_AGE),
        vary: text(header::VARY).unwrap_or_default(),
    }
}

async fn get(rig: &Rig, path: &str, origin: &str) -> Told {
    send(rig, TestRequest::get().uri(path).insert_header(("Origin", origin))).await
}

async fn preflight(rig: &Rig, path: &str, origin: &str, method: &str, headers: &str) -> Told {
    let request = TestRequest::default().method(Method::OPTIONS).uri(path).insert_header(("Origin", origin));
    let request = request.insert_header(("Access-Control-Request-Method", method));
    let named = request.insert_header(("Access-Control-Request-Headers", headers));
    send(rig, named).await
}

async fn configure(rig: &Rig, name: &str, body: Value) {
    let reply = rig.send("PUT", &format!("{CONFIGURATIONS}/{name}"), body).await;
    assert!(reply.status == 200 || reply.status == 201, "{}", reply.text);
}

fn app_with_credentials() -> Value {
    json!({"enabled": true, "acceptedOrigins": [APP, "https://Other.example.com:443"], "acceptedMethods": ["put", "DELETE"],
        "acceptedHeaders": ["Accept-API-Version", "Content-Type", "iPlanetDirectoryPro"],
        "exposedHeaders": ["WWW-Authenticate", "ETag"], "maxAge": 60, "allowCredentials": true})
}

/// "Off until configured", and off again.
#[actix_web::test]
async fn nothing_is_granted_unasked() {
    let rig = Rig::new().await;
    for path in [JSON, TOKEN] {
        assert!(get(&rig, path, APP).await.is_silent(), "{path}");
        let asked = preflight(&rig, path, APP, "POST", "content-type").await;
        assert!(asked.is_silent() && asked.status >= 400, "{path}: {}", asked.status);
    }
    let told = send(&rig, TestRequest::get().uri(JSON)).await;
    assert!(told.is_silent() && told.vary.is_empty());
    configure(&rig, "one", json!({"acceptedOrigins": [APP]})).await;
    assert!(get(&rig, JSON, APP).await.is_silent(), "a configuration is off until it is turned on");
    configure(&rig, "one", app_with_credentials()).await;
    assert_eq!(get(&rig, JSON, APP).await.origin.as_deref(), Some(APP));
    rig.send("PUT", "/global-config/services/CorsService", json!({"enabled": false})).await;
    assert!(get(&rig, JSON, APP).await.is_silent());
    assert!(preflight(&rig, JSON, APP, "PUT", "").await.is_silent());
}

/// AZ-21: actual requests, by origin.
#[actix_web::test]
async fn an_origin_matches_exactly_or_not_at_all() {
    let rig = Rig::new().await;
    configure(&rig, "one", app_with_credentials()).await;
    for path in [JSON, TOKEN] {
        for origin in [APP, "https://other.example.com"] {
            let told = get(&rig, path, origin).await;
            assert_eq!((told.origin.as_deref(), told.credentials.as_deref()), (Some(origin), Some("true")), "{path}");
            assert_eq!((told.exposed.as_deref(), told.vary.as_str()), (Some("WWW-Authenticate, ETag"), "Origin"));
            assert_eq!(told.methods, None);
        }
        for foreign in [
            "https://evil.example",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.example",
            "https://evil-app.example.com",
            "https://sub.app.example.com",
            "https://APP.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://app.example.com, https://evil.example",
            "null",
            "*",
            "",
        ] {
            let told = get(&rig, path, foreign).await;
            assert!(told.is_silent(), "{path} {foreign}");
            assert_eq!(told.vary, "Origin", "{path} {foreign}");
        }
        let twice = TestRequest::get().uri(path).append_header(("Origin", APP)).append_header(("Origin", APP));
        assert!(send(&rig, twice).await.is_silent());
        // A cache must not hand what it got without an origin to a page.
        let told = send(&rig, TestRequest::get().uri(path)).await;
        assert_eq!((told.is_silent(), told.vary.as_str()), (true, "Origin"));
    }
}

/// Fetch §3.3.3.
#[actix_web::test]
async fn a_preflight_is_granted_as_a_whole() {
    let rig = Rig::new().await;
    configure(&rig, "one", app_with_credentials()).await;
    let told = preflight(&rig, JSON, APP, "PUT", "content-type, Accept-API-Version").await;
    assert_eq!((told.status, told.origin.as_deref(), told.credentials.as_deref()), (204, Some(APP), Some("true")));
    assert_eq!((told.methods.as_deref(), told.max_age.as_deref()), (Some("PUT, DELETE"), Some("60")));
    assert_eq!(told.headers.as_deref(), Some("accept-api-version, content-type, iplanetdirectorypro"));
    assert_eq!(told.vary, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        assert_eq!(preflight(&rig, TOKEN, APP, method, "").await.status, 204, "{method}");
    }
    for (origin, method, headers) in [
        (APP, "PATCH", ""),
        (APP, "put", ""),
        (APP, "PUT", "x-evil"),
        (APP, "PUT", "content-type, *"),
        (APP, "", ""),
        ("https://evil.example", "PUT", ""),
        ("null", "GET", ""),
    ] {
        let told = preflight(&rig, JSON, origin, method, headers).await;
        assert!(told.is_silent() && told.status >= 400, "{origin} {method} {headers}: {}", told.status);
    }
    let many = vec!["content-type"; MAX_HEADERS + 1].join(",");
    assert!(preflight(&rig, JSON, APP, "PUT", &many).await.is_silent());
    // No other origin has any business there.
    for path in
        ["/am/oauth2/authorize", "/am/oauth2/realms/root/authorize", "/am/oauth2/nosuch", "/am/jsonx", "/am/XUI/"]
    {
        let told = preflight(&rig, path, APP, "GET", "").await;
        assert!(told.is_silent() && told.vary.is_empty(), "{path}");
        assert!(get(&rig, path, APP).await.is_silent(), "{path}");
    }
}

/// oauth2-endpoints §2.7: all origins, but never with what a browser knows about its user.
#[actix_web::test]
async fn all_origins_never_come_with_credentials() {
    let rig = Rig::new().await;
    let both = json!({"enabled": true, "acceptedOrigins": ["*"], "allowCredentials": true});
    let refused = rig.send("PUT", &format!("{CONFIGURATIONS}/all"), both.clone()).await;
    assert_eq!(refused.error(), (400, "Data validation failed for the attribute, Allow Credentials"));
    configure(&rig, "all", json!({"enabled": true, "acceptedOrigins": ["*"]})).await;
    let wider = rig.send("PUT", &format!("{CONFIGURATIONS}/all"), json!({"allowCredentials": true})).await;
    assert_eq!(wider.status, 400, "{}", wider.text);
    let told = get(&rig, JSON, "https://anybody.example").await;
    assert_eq!((told.origin.as_deref(), told.credentials), (Some("*"), None));
    assert!(get(&rig, JSON, "null").await.is_silent());
    // Whoever is named is granted what it is named for.
    configure(&rig, "zoe", app_with_credentials()).await;
    let told = get(&rig, JSON, APP).await;
    assert_eq!((told.origin.as_deref(), told.credentials.as_deref()), (Some(APP), Some("true")));
    // Should a document say both all the same, it is read as the narrower one.
    assert!(is_reckless(both.as_object().expect("an object")));
    assert!(!Configuration::read(&both).credentials);
    for (name, value, label) in [
        ("acceptedOrigins", json!(["app.example.com"]), "Accepted Origins"),
        ("acceptedOrigins", json!(["https://app.example.com/path"]), "Accepted Origins"),
        ("acceptedOrigins", json!(["https://*.example.com"]), "Accepted Origins"),
        ("acceptedOrigins", json!(["null"]), "Accepted Origins"),
        ("acceptedMethods", json!(["*"]), "Accepted Methods"),
        ("acceptedHeaders", json!(["a b"]), "Accepted Headers"),
        ("acceptedHeaders", json!(["*"]), "Accepted Headers"),
        ("exposedHeaders", json!(["a\r\nSet-Cookie"]), "Exposed Headers"),
        ("maxAge", json!(-1), "Max Age"),
    ] {
        let refused = rig.send("PUT", &format!("{CONFIGURATIONS}/bad"), json!({name: value})).await;
        assert_eq!(refused.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
}

/// Discovery and keys are everybody's, and say so themselves; §2.7.
#[actix_web::test]
async fn metadata_may_be_read_by_anybody() {
    let rig = Rig::new().await;
    configure(&rig, "one", app_with_credentials()).await;
    for path in ["/am/oauth2/.well-known/openid-configuration", "/am/oauth2/connect/jwk_uri"] {
        for origin in [APP, "https://anybody.example"] {
            let told = get(&rig, path, origin).await;
            assert_eq!((told.origin.as_deref(), told.credentials), (Some("*"), None), "{path}");
        }
    }
}

/// §2.7: `javascriptOrigins` of active clients of the addressed realm, at the endpoints that clients call themselves.
#[actix_web::test]
async fn a_clients_own_origins_reach_its_realms_endpoints() {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let spa = "https://spa.example.com";
    let client = |status: &str, origins: Value| {
        json!({"coreOAuth2ClientConfig": {"status": status, "userpassword": "a long secret"},
            "advancedOAuth2ClientConfig": {"javascriptOrigins": origins}})
    };
    let path = "/realms/root/realms/alpha/realm-config/agents/OAuth2Client/spa";
    let put = rig.send("PUT", path, client("Active", json!(["https://SPA.example.com:443", "*"]))).await;
    assert_eq!(put.status, 201, "{}", put.text);
    let (token, json) =
        ("/am/oauth2/realms/root/realms/alpha/access_token", "/am/json/realms/root/realms/alpha/users/x");
    for path in
        [token, "/am/oauth2/alpha/userinfo", "/am/oauth2/introspect?realm=/alpha", "/am/oauth2/alpha/token/revoke"]
    {
        let told = get(&rig, path, spa).await;
        assert_eq!((told.origin.as_deref(), told.credentials), (Some(spa), None), "{path}");
        assert!(get(&rig, path, "https://evil.example").await.is_silent(), "{path}");
    }
    let told = preflight(&rig, token, spa, "POST", "authorization, content-type").await;
    assert_eq!((told.status, told.methods.as_deref()), (204, Some("GET, POST")));
    for (path, what) in [(TOKEN, "another realm"), (json, "not OAuth 2.0"), ("/am/oauth2/alpha/authorize", "pages")] {
        assert!(get(&rig, path, spa).await.is_silent(), "{what}");
        assert!(preflight(&rig, path, spa, "POST", "").await.is_silent(), "{what}");
    }
    assert!(preflight(&rig, token, spa, "PUT", "").await.is_silent());
    // It ends with the client: switched off, with other origins, gone.
    for (status, origins) in [("Inactive", json!([spa])), ("Active", json!(["https://new.example.com"]))] {
        rig.send("PUT", path, client(status, origins)).await;
        assert!(get(&rig, token, spa).await.is_silent(), "{status}");
    }
    assert!(get(&rig, token, "https://new.example.com").await.origin.is_some());
    rig.admin("DELETE", path).go().await;
    assert!(get(&rig, token, "https://new.example.com").await.is_silent());
}

#[test]
fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
    for (text, spelled) in [
        ("https://a.example", Some("https://a.example")),
        ("HTTPS://A.example:443", Some("https://a.example")),
        ("http://a.example:80", Some("http://a.example")),
        ("http://a.example:443", Some("http://a.example:443")),
        ("http://[::1]:8080", Some("http://[::1]:8080")),
        ("capacitor://localhost", Some("capacitor://localhost")),
        ("https://", None),
        ("://a", None),
        ("https://a/b", None),
        ("https://a?b", None),
        ("https://u@a", None),
        ("https://a b", None),
        ("https://*", None),
        ("1x://a", None),
        ("null", None),
    ] {
        assert_eq!(origin(text).as_deref(), spelled, "{text}");
    }
    assert_eq!(origin(&format!("https://{}", "a".repeat(MAX_ORIGIN_BYTES))), None);
}
