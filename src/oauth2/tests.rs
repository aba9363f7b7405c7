//! The endpoints over HTTP, on a cluster of one; one file per endpoint, and here what they share: the world they run in and
//! the rules that hold for all of them.

mod authorize;
mod code;
mod groups;
mod introspect;
mod metadata;
mod openid;
mod revoke;
mod scope_policy;
mod token;
mod tokeninfo;
mod userinfo;

use super::{configure, configure_root};
use crate::{
    desk::{Desk, put},
    testing::{self, Alone},
};
use actix_web::{
    App,
    http::{Method, StatusCode, header},
    test::{TestRequest, call_service, init_service, read_body},
    web,
};
use quorate_raft::{
    Command, DocumentKey, Kind, Precondition, RealmPath, Span,
    sessions::{CreateSession, SessionData},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

/// The realm of most tests.
const ALPHA: &str = "/am/oauth2/realms/root/realms/alpha";
const ISSUER: &str = "https://am.example.com:8443/am/oauth2/realms/root/realms/alpha";
const SECRET: &str = "s3cret";
const CALLBACK: &str = "https://rp.example.com/cb";
const FORM: &str = "application/x-www-form-urlencoded";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A cluster of one with realm `/alpha`.
struct World {
    desk: Desk,
    alone: Arc<Alone>,
}

/// An answer, read.
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Status, code and text of an error.
    fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("error_description"))
    }

    /// The parameters of a redirect to `uri`.
    #[track_caller]
    fn redirected(&self, uri: &str) -> BTreeMap<String, String> {
        let location = self.header("location");
        assert!([302, 303].contains(&self.status), "{} {}", self.status, self.body);
        let query = location.strip_prefix(uri).unwrap_or_else(|| panic!("redirected to {location}"));
        parameters(query)
    }
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let query = query.trim_start_matches(['?', '#', '&']);
    let params = super::params::Params::parse(&[query.as_bytes()]).expect("a query");
    params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in pairs {
        super::answer::push_query(&mut form, '&', name, value);
    }
    form.trim_start_matches('&').to_owned()
}

/// `base` with the members of `over` laid over it, deeply.
fn merged(mut base: Value, over: &Value) -> Value {
    match (&mut base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                let old = base.remove(name).unwrap_or(Value::Null);
                base.insert(name.clone(), merged(old, value));
            }
        }
        (base, over) => *base = over.clone(),
    }
    base
}

/// A client that asks policy about audience scopes.
fn by_policy() -> Value {
    json!({ "overrideOAuth2ClientConfig": { "providerOverridesEnabled": true,
        "validateScopePluginType": "POLICY", "accessTokenModificationPluginType": "POLICY" } })
}

fn stateless() -> Value {
    json!({ "overrideOAuth2ClientConfig": { "providerOverridesEnabled": true, "statelessTokensEnabled": true } })
}

fn public() -> Value {
    json!({ "_verifier": null, "coreOAuth2ClientConfig": { "clientType": "Public" },
        "advancedOAuth2ClientConfig": { "tokenEndpointAuthMethod": "none" } })
}

impl World {
    async fn new() -> Self {
        let (desk, alone) = testing::desk().await;
        let world = Self { desk, alone };
        for realm in ["/alpha", "/beta"] {
            world.write("/", Kind::Realm, realm, json!({ "name": &realm[1..] })).await;
        }
        world
    }

    async fn write(&self, realm: &str, kind: Kind, id: &str, body: Value) {
        let key = DocumentKey::new(&realm.into(), kind, id);
        self.desk.write(vec![put(key, Precondition::Any, &body, vec![], false)]).await.expect("writes");
    }

    /// A confidential client with [`SECRET`], scopes `read write openid profile`… as `over` says.
    async fn client(&self, realm: &str, id: &str, over: Value) {
        thread_local! { static VERIFIER: std::cell::RefCell<Option<String>> = const { std::cell::RefCell::new(None) }; }
        let known = VERIFIER.with_borrow(Clone::clone);
        let verifier = match known {
            Some(verifier) => verifier,
            None => self.desk.passwords().hash(SECRET).await.expect("hashes"),
        };
        VERIFIER.set(Some(verifier.clone()));
        let base = json!({
            "coreOAuth2ClientConfig": { "status": "Active", "clientType": "Confidential",
                "redirectionUris": [CALLBACK], "scopes": ["read", "write"], "defaultScopes": [] },
            "advancedOAuth2ClientConfig": { "tokenEndpointAuthMethod": "client_secret_post",
                "grantTypes": ["authorization_code", "client_credentials"] },
            "_verifier": verifier,
        });
        self.write(realm, Kind::OAuth2Client, id, merged(base, &over)).await;
    }

    async fn user(&self, name: &str) {
        let body = json!({ "username": name, "uid": [name], "cn": ["Demo User"], "sn": ["User"], "givenName": ["Demo"],
            "mail": ["demo@example.com", "d@example.com"], "inetUserStatus": ["Active"], "userpassword": "$argon2id$x" });
        self.write("/alpha", Kind::User, &name.to_lowercase(), body).await;
    }

    /// A session of `name` in `/alpha`.
    async fn session(&self, name: &str) -> String {
        self.session_of("/alpha", Kind::User, name).await
    }

    async fn session_of(&self, realm: &str, kind: Kind, name: &str) -> String {
        let subject = DocumentKey::new(&realm.into(), kind, &name.to_lowercase());
        let fence = self.desk.views().entry(&subject).expect("exists").document.fence;
        let minted = crate::secrets::Minted::new(crate::secrets::HandleKind::Session, 0);
        let data = SessionData {
            realm: realm.into(),
            subject,
            fence,
            name: name.into(),
            universal_id: format!("id={name},ou=user,o=alpha,ou=services,ou=am-config").into(),
            auth_level: 5,
            max_life: Span::from_secs(7200),
            max_idle: Span::from_secs(1800),
            properties: BTreeMap::new(),
        };
        let create = CreateSession { hash: minted.hash(), data: Arc::new(data) };
        self.desk.propose(Command::CreateSession(create)).await.expect("decides");
        minted.reveal()
    }

    async fn send(&self, request: TestRequest) -> Reply {
        let desk = web::Data::new(self.desk.clone());
        let service = web::scope("/am/oauth2").configure(configure);
        let app = init_service(App::new().app_data(desk).configure(configure_root).service(service)).await;
        let response = call_service(&app, request.to_request()).await;
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned())).collect();
        let status = response.status().as_u16();
        let body = String::from_utf8(read_body(response).await.to_vec()).expect("UTF-8");
        Reply { status, headers, body }
    }

    async fn get(&self, uri: &str) -> Reply {
        self.send(TestRequest::get().uri(uri)).await
    }

    /// POSTs a form to an endpoint of `/alpha`.
    async fn post(&self, endpoint: &str, pairs: &[(&str, &str)]) -> Reply {
        self.send(post(&format!("{ALPHA}/{endpoint}"), pairs)).await
    }

    /// A token by client credentials.
    async fn token(&self, client: &str, scope: &str) -> String {
        let asked =
            [("grant_type", "client_credentials"), ("scope", scope), ("client_id", client), ("client_secret", SECRET)];
        let reply = self.post("access_token", &asked).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }

    async fn introspect(&self, client: &str, token: &str) -> Value {
        let reply =
            self.post("introspect", &[("token", token), ("client_id", client), ("client_secret", SECRET)]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    async fn is_active(&self, client: &str, token: &str) -> bool {
        self.introspect(client, token).await["active"] == true
    }

    /// The headless authorization request of the walk-through, with `more` parameters.
    async fn allow(&self, session: &str, client: &str, scope: &str, more: &[(&str, &str)]) -> Reply {
        let mut pairs = vec![
            ("scope", scope),
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("decision", "allow"),
            ("csrf", session),
        ];
        pairs.extend(more);
        self.send(with_session(post(&format!("{ALPHA}/authorize"), &pairs), session)).await
    }

    async fn code(&self, session: &str, client: &str, scope: &str, more: &[(&str, &str)]) -> String {
        let reply = self.allow(session, client, scope, more).await;
        let mut answer = reply.redirected(CALLBACK);
        answer.remove("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    async fn redeem(&self, client: &str, code: &str, more: &[(&str, &str)]) -> Reply {
        let mut pairs = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
        pairs.extend([("client_id", client), ("client_secret", SECRET)]);
        pairs.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        pairs.extend(more.iter().filter(|(_, value)| !value.is_empty()));
        self.post("access_token", &pairs).await
    }

    /// Lets time pass, in the log.
    async fn wait(&self, seconds: u64) {
        self.alone.later.fetch_add(seconds * 1000, Ordering::Relaxed);
        self.desk.propose(Command::Tick).await.expect("ticks");
    }

    fn cut_off(&self, yes: bool) {
        self.alone.cut_off.store(yes, Ordering::Relaxed);
    }

    async fn grant_by_policy(&self, provider: &str, resource: &str, claim: &str, value: &str) {
        super::audience::tests::grant(&self.desk, "/alpha", provider, resource, claim, value).await;
    }
}

fn post(uri: &str, pairs: &[(&str, &str)]) -> TestRequest {
    TestRequest::post().uri(uri).insert_header((header::CONTENT_TYPE, FORM)).set_payload(form(pairs))
}

fn with_session(request: TestRequest, session: &str) -> TestRequest {
    request.insert_header((header::COOKIE, format!("iPlanetDirectoryPro={session}")))
}

fn with_basic(request: TestRequest, id: &str, secret: &str) -> TestRequest {
    use base64::Engine;
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    request.insert_header((header::AUTHORIZATION, format!("Basic {credentials}")))
}

fn with_bearer(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")))
}

fn error(status: u16, code: &str, says: &str) -> (u16, String, String) {
    (status, code.to_owned(), says.to_owned())
}

const INVALID_GRANT: &str = "The provided access grant is invalid, expired, or revoked.";
const INVALID_TOKEN: &str = "The access token provided is expired, revoked, malformed, or invalid for other reasons.";
const MALFORMED: &str =
    "The request is missing a required parameter, includes an invalid parameter value, or is otherwise malformed.";

#[actix_web::test]
async fn every_realm_form_reaches_the_same_realm() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let asked =
        [("grant_type", "client_credentials"), ("scope", "read"), ("client_id", "c"), ("client_secret", SECRET)];
    for uri in [
        "/am/oauth2/realms/root/realms/alpha/access_token",
        "/am/oauth2/alpha/access_token",
        "/am/oauth2/access_token?realm=/alpha",
        "/am/oauth2/access_token?realm=alpha",
        "/am/oauth2/realms/root/realms/alpha/access_token?realm=/beta", // the path wins
    ] {
        assert_eq!(world.send(post(uri, &asked)).await.status, 200, "{uri}");
    }
    // A client of one realm is unknown in every other (abuse AD-01).
    for uri in ["/am/oauth2/access_token", "/am/oauth2/realms/root/realms/beta/access_token"] {
        let reply = world.send(post(uri, &asked)).await;
        assert_eq!(reply.error(), error(400, "invalid_client", "Client authentication failed"), "{uri}");
    }
}

#[actix_web::test]
async fn unknown_realms_and_paths_are_told_apart() {
    let world = World::new().await;
    for (uri, named) in [
        ("/am/oauth2/realms/root/realms/nowhere/access_token", "/nowhere"),
        ("/am/oauth2/nowhere/access_token", "/nowhere"),
        ("/am/oauth2/access_token?realm=/alpha/nowhere", "/alpha/nowhere"),
    ] {
        let reply = world.send(post(uri, &[("grant_type", "client_credentials")])).await;
        assert_eq!(reply.error(), error(400, "invalid_request", &format!("Invalid realm, {named}")), "{uri}");
    }
    for uri in ["/", "/nothing", "/realms/root/nothing", "/realms/alpha/access_token", "/realms/root/realms/a%2Fb/../x"]
    {
        let reply = world.get(&format!("/am/oauth2{uri}")).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (404, Some("not_found")), "{uri}");
    }
    let reply = world.get("/am/oauth2/realms/root/realms/%3Cb%3E/authorize").await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("Invalid realm, /&lt;b&gt;") && !reply.body.contains("<b>"), "{}", reply.body);
}

/// oauth2-endpoints §1.1, AD-01: names ignore case, the host is an alias where the path says nothing, and the path wins.
#[actix_web::test]
async fn a_realm_is_found_by_case_and_by_host() {
    let world = World::new().await;
    let body = json!({"name": "Gamma", "parentPath": "/", "active": true, "aliases": ["gamma.example.com"]});
    let key = DocumentKey::new(&RealmPath::root(), Kind::Realm, "/Gamma");
    let write = put(key, Precondition::Absent, &body, Vec::new(), false);
    world.desk.write(vec![write]).await.expect("written");
    let issuer = |host: &str, path: &str| {
        let uri = format!("/am/oauth2{path}/.well-known/oauth-authorization-server");
        let request = TestRequest::get().uri(&uri).insert_header(("Host", host));
        let world = &world;
        async move {
            let reply = world.send(request).await;
            let issuer = reply.json()["issuer"].as_str().unwrap_or_default().to_owned();
            issuer.split_once("/oauth2").map_or(reply.status.to_string(), |(_, realm)| realm.to_owned())
        }
    };
    for (host, path, realm) in [
        ("am.example.com", "/realms/root/realms/GAMMA", "/realms/root/realms/Gamma"),
        ("am.example.com", "/gamma", "/realms/root/realms/Gamma"),
        ("am.example.com", "/realms/ROOT", ""),
        ("gamma.example.com", "", "/realms/root/realms/Gamma"),
        ("GAMMA.example.com:8443", "", "/realms/root/realms/Gamma"),
        ("gamma.example.com", "/realms/root", ""),
        ("gamma.example.com", "/realms/root/realms/alpha", "/realms/root/realms/alpha"),
        ("am.example.com", "/alpha", "/realms/root/realms/alpha"),
        ("am.example.com", "/gamma.example.com", "/realms/root/realms/Gamma"),
        ("elsewhere.example.com", "", ""),
    ] {
        assert_eq!(issuer(host, path).await, realm, "{host} {path}");
    }
    assert_eq!(issuer("gamma.example.com", "/nosuch").await, "400");
}

#[actix_web::test]
async fn ht_08_other_methods_are_refused() {
    let world = World::new().await;
    let send = |method: Method, endpoint: &str| {
        world.send(TestRequest::default().method(method).uri(&format!("{ALPHA}/{endpoint}")))
    };
    let reply = send(Method::GET, "access_token").await;
    assert_eq!(reply.error(), error(405, "method_not_allowed", "Required Method: POST found: GET"));
    assert_eq!(reply.header("allow"), "POST");
    let reply = send(Method::PUT, "authorize").await;
    assert_eq!((reply.status, reply.header("allow")), (405, "GET, POST"));
    assert!(reply.body.contains("Required Method: GET or POST found: PUT"));
    for (method, endpoint) in [
        (Method::GET, "introspect"),
        (Method::GET, "token/revoke"),
        (Method::POST, "tokeninfo"),
        (Method::DELETE, "userinfo"),
        (Method::POST, "connect/jwk_uri"),
        (Method::TRACE, "access_token"),
        (Method::OPTIONS, "access_token"),
    ] {
        assert_eq!(send(method, endpoint).await.status, 405, "{endpoint}");
    }
}

#[actix_web::test]
async fn co_09_only_a_form_of_bounded_size_is_read_and_never_the_query() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let uri = format!("{ALPHA}/access_token");
    let json = TestRequest::post().uri(&uri).set_json(json!({ "grant_type": "client_credentials" }));
    assert_eq!(world.send(json).await.error(), error(400, "invalid_request", "Invalid Content Type"));
    let bare = TestRequest::post().uri(&uri).set_payload("grant_type=client_credentials");
    assert_eq!(world.send(bare).await.error(), error(400, "invalid_request", "Invalid Content Type"));

    let query = form(&[("grant_type", "client_credentials"), ("client_id", "c"), ("client_secret", SECRET)]);
    let in_query = TestRequest::post().uri(&format!("{uri}?{query}"));
    assert_eq!(world.send(in_query).await.error(), error(400, "invalid_request", "Grant type is not set"));

    let huge = TestRequest::post().uri(&uri).insert_header((header::CONTENT_TYPE, FORM));
    let reply = world.send(huge.set_payload(vec![b'a'; (1 << 20) + 1])).await;
    assert_eq!((reply.status, reply.json()["error"].as_str()), (413, Some("invalid_request")));

    let charset = TestRequest::post().uri(&uri).insert_header((header::CONTENT_TYPE, format!("{FORM}; charset=UTF-8")));
    let reply = world.send(charset.set_payload(format!("scope=read&{query}"))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[actix_web::test]
async fn az_07_parameters_appear_once_at_every_endpoint() {
    let world = World::new().await;
    for endpoint in ["access_token", "introspect", "token/revoke", "userinfo"] {
        let reply = world.post(endpoint, &[("client_id", "a"), ("client_id", "b")]).await;
        let says = "Invalid Request, duplicate request parameter found : client_id";
        assert_eq!(reply.error(), error(400, "invalid_request", says), "{endpoint}");
    }
    for broken in ["a=%zz", "a=%ff"] {
        let request =
            TestRequest::post().uri(&format!("{ALPHA}/access_token")).insert_header((header::CONTENT_TYPE, FORM));
        assert_eq!(world.send(request.set_payload(broken)).await.error(), error(400, "invalid_request", MALFORMED));
    }
}

#[actix_web::test]
async fn co_10_nothing_may_be_kept() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    let good = [("grant_type", "client_credentials"), ("scope", "read"), ("client_id", "c"), ("client_secret", SECRET)];
    for reply in [
        world.post("access_token", &good).await,
        world.post("access_token", &[]).await,
        world.post("introspect", &[]).await,
        world.get(&format!("{ALPHA}/tokeninfo")).await,
        world.get(&format!("{ALPHA}/authorize")).await,
    ] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("pragma"), "no-cache");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("x-frame-options"), "SAMEORIGIN");
    }
    let reply = world.post("access_token", &good).await;
    assert_eq!(reply.header("content-type"), "application/json;charset=UTF-8");
}

#[actix_web::test]
async fn g7_without_quorum_nothing_is_answered_but_metadata() {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    let token = world.token("c", "read").await;
    world.cut_off(true);
    let credentials = [("client_id", "c"), ("client_secret", SECRET), ("token", token.as_str())];
    let mut replies = vec![
        world.post("access_token", &[("grant_type", "client_credentials")]).await,
        world.post("introspect", &credentials).await,
        world.post("token/revoke", &credentials).await,
        world.send(with_bearer(TestRequest::get().uri(&format!("{ALPHA}/tokeninfo")), &token)).await,
        world.send(with_bearer(TestRequest::get().uri(&format!("{ALPHA}/userinfo")), &token)).await,
    ];
    for reply in &replies {
        assert_eq!(reply.json()["error"], "temporarily_unavailable");
    }
    replies.push(world.allow(&session, "c", "read", &[]).await);
    for reply in &replies {
        assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    }
    assert_eq!(world.get(&format!("{ALPHA}/.well-known/openid-configuration")).await.status, StatusCode::OK);
    assert_eq!(world.get("/am/oauth2/nowhere/connect/jwk_uri").await.status, 503, "whether it exists is a decision");
    world.cut_off(false);
    assert!(world.is_active("c", &token).await);
}
