//! What is recorded of real requests, and that no secret is.

use super::{
    Audit, Event, Share, Topic, TopicSettings,
    context::Ids,
    files,
    redact::{self, Redactor},
};
use crate::{
    oauth2,
    rest::{self, testing::Rig},
};
use actix_web::{
    App,
    body::MessageBody,
    dev::{Service, ServiceRequest},
    middleware::{Next, from_fn},
    test::{TestRequest, init_service},
    web,
};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        mpsc::{Receiver, Sender},
    },
    time::Duration,
};

/// Hands lines over as they would be written.
pub(super) fn lines(
    ids: Arc<Ids>,
    redactor: Arc<Redactor>,
    told: Sender<Value>,
) -> impl FnMut(&mut Vec<Vec<Event>>) + Send + 'static {
    move |events| {
        for event in events.iter().flatten() {
            let line = files::line(event, &ids, &redactor);
            drop(told.send(serde_json::from_slice(&line).expect("JSON")));
        }
    }
}

/// Puts `more` over `base`.
pub(super) fn merge(base: &mut Value, more: Value) {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
}

fn everything() -> TopicSettings {
    TopicSettings { topics: Topic::ALL.into(), ..TopicSettings::default() }
}

/// A cluster of one whose events are heard, and the whole HTTP port.
struct Stage {
    rig: Rig,
    heard: Receiver<Value>,
}

async fn observed(
    desk: web::Data<crate::desk::Desk>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<actix_web::dev::ServiceResponse<impl MessageBody>, actix_web::Error> {
    super::access::observe(desk.audit(), "/am", request, next).await
}

impl Stage {
    async fn with(settings: TopicSettings) -> Self {
        let (audit, heard) = Audit::recording(settings);
        let stage = Self { rig: Rig::under(audit, &Default::default()).await, heard };
        stage.events();
        stage
    }

    /// What was recorded since the last call.
    fn events(&self) -> Vec<Value> {
        assert!(self.rig.desk.audit().settle(Duration::from_secs(10)), "all is written");
        self.heard.try_iter().collect()
    }

    async fn send(&self, request: TestRequest) -> (u16, String) {
        let desk = web::Data::new(self.rig.desk.clone());
        let json = web::scope("/am/json").configure(|config| {
            let routes = rest::routes().resource(rest::Scope::Realm, "sessions", rest::sessions::Sessions).plain(
                rest::Scope::Realm,
                "authenticate",
                rest::Csrf::Checked,
                rest::authenticate::handle,
            );
            rest::mount(rest::authorization::routes(routes), config);
        });
        let app = App::new()
            .app_data(desk)
            .wrap(from_fn(observed))
            .service(web::scope("/am/oauth2").configure(oauth2::configure))
            .service(json);
        let app = init_service(app).await;
        let response = app.call(request.to_request()).await.expect("an answer");
        let status = response.status().as_u16();
        let body = response.into_body().try_into_bytes().ok().expect("a body in one piece");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    fn admin(&self, method: &str, path: &str) -> TestRequest {
        ask(method, path).insert_header(("iPlanetDirectoryPro", self.rig.admin.as_str()))
    }
}

fn ask(method: &str, path: &str) -> TestRequest {
    TestRequest::with_uri(&format!("/am{path}"))
        .method(method.parse().expect("a method"))
        .peer_addr("192.0.2.7:50000".parse().expect("an address"))
        .insert_header(("Accept-API-Version", "protocol=2.1"))
        .insert_header(("Host", "am.example.com"))
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventName"].as_str().unwrap_or_default()).collect()
}

const ADMIN: &str = "id=amadmin,ou=user,ou=am-config";

/// f.6: keys of `access`, and one transaction for all that belongs to a request.
#[actix_web::test]
async fn requests_are_recorded_before_and_after() {
    let stage = Stage::with(everything()).await;
    let (status, _) =
        stage.send(stage.admin("GET", "/json/realms/root/users/amadmin?_fields=cn&_queryFilter=true")).await;
    assert_ne!(status, 401);
    let events = stage.events();
    assert_eq!(names(&events), ["AM-ACCESS-ATTEMPT", "AM-ACCESS-OUTCOME"]);
    let [attempt, outcome] = &events[..] else { panic!("{events:?}") };
    assert_eq!(attempt["transactionId"], outcome["transactionId"]);
    assert_ne!(attempt["_id"], outcome["_id"]);
    assert_eq!((&attempt["userId"], &outcome["userId"]), (&Value::Null, &json!(ADMIN)));
    assert_eq!(
        (&outcome["realm"], &outcome["component"], &outcome["topic"]),
        (&json!("/"), &json!("Users"), &json!("access"))
    );
    assert_eq!((&outcome["source"], &outcome["level"]), (&json!("audit"), &json!("INFO")));
    assert_eq!(outcome["client"], json!({"ip": "192.0.2.7", "port": 50000}));
    assert_eq!(outcome["request"], json!({"protocol": "CREST", "operation": "QUERY", "detail": null}));
    let http = &outcome["http"]["request"];
    assert_eq!(http["path"], "http://am.example.com/am/json/realms/root/users/amadmin");
    assert_eq!((&http["method"], &http["secure"]), (&json!("GET"), &json!(false)));
    assert_eq!(http["queryParameters"], json!({"_fields": ["cn"]}));
    assert_eq!(http["headers"], json!({"accept-api-version": ["protocol=2.1"], "host": ["am.example.com"]}));
    assert_eq!(http["cookies"], json!({}));
    assert_eq!(attempt["response"], Value::Null);

    let (status, _) = stage.send(stage.admin("GET", "/json/realms/root/users/nobody")).await;
    assert_eq!(status, 404);
    let outcome = stage.events().pop().expect("an outcome");
    let response = &outcome["response"];
    assert_eq!((&response["status"], &response["statusCode"]), (&json!("FAILED"), &json!("404")));
    assert_eq!(response["detail"], json!({"reason": "Not Found"}));
    assert!(response["elapsedTime"].is_u64() && response["elapsedTimeUnits"] == "MILLISECONDS", "{response}");
    // OAuth 2.0: who asks for what, in the words of the request.
    let form = "grant_type=client_credentials&client_id=web&client_secret=planted&scope=api";
    stage
        .send(
            ask("POST", "/oauth2/access_token")
                .insert_header(("Content-Type", "application/x-www-form-urlencoded"))
                .set_payload(form),
        )
        .await;
    let outcome = stage.events().pop().expect("an outcome");
    let expected = json!({"grant_type": "client_credentials", "client_id": "web", "scope": "api"});
    assert_eq!((&outcome["component"], &outcome["request"]["detail"]), (&json!("OAuth"), &expected));
}

/// f.6: keys of `config` and `activity`; only what happened is recorded, with what it was and is.
#[actix_web::test]
async fn changes_are_recorded_once_they_are_acknowledged() {
    let stage = Stage::with(TopicSettings::default()).await;
    let client = "/json/realms/root/realm-config/agents/OAuth2Client/web";
    let body = |status: &str| json!({"coreOAuth2ClientConfig": {"userpassword": "planted", "status": status, "scopes": ["api"]}});
    let put = |status: &str| stage.admin("PUT", client).set_json(body(status));
    assert_eq!(stage.send(put("Active")).await.0, 201);
    let events = stage.events();
    assert_eq!(names(&events), ["AM-CONFIG-CHANGE"]);
    let event = &events[0];
    assert_eq!((&event["operation"], &event["objectId"]), (&json!("CREATE"), &json!("/OAuth2Client/web")));
    assert_eq!((&event["userId"], &event["runAs"], &event["realm"]), (&json!(ADMIN), &json!(ADMIN), &json!("/")));
    assert_eq!((&event["before"], &event["topic"]), (&Value::Null, &json!("config")));
    assert_eq!(event["after"]["coreOAuth2ClientConfig"]["scopes"], json!(["api"]));
    assert!(event["revision"].as_str().is_some_and(|revision| revision != "0"), "{event}");
    // Another status, and another secret: told by name.
    assert_eq!(stage.send(put("Inactive")).await.0, 200);
    let event = stage.events().pop().expect("an event");
    assert_eq!(event["changedFields"], json!(["coreOAuth2ClientConfig/status"]));
    let status = |state: &str| event[state]["coreOAuth2ClientConfig"]["status"].clone();
    assert_eq!((status("before"), status("after")), (json!("Active"), json!("Inactive")));
    let mut other = body("Inactive");
    other["coreOAuth2ClientConfig"]["userpassword"] = json!("planted as well");
    assert_eq!(stage.send(stage.admin("PUT", client).set_json(other)).await.0, 200);
    let event = stage.events().pop().expect("an event");
    assert_eq!((&event["operation"], &event["changedFields"]), (&json!("UPDATE"), &json!(["userpassword"])));
    assert!(!event.to_string().contains("planted") && !event.to_string().contains("argon2"), "{event}");
    // What is refused did not happen.
    assert_eq!(
        stage.send(stage.admin("PUT", client).insert_header(("If-Match", "1")).set_json(body("Active"))).await.0,
        412
    );
    assert_eq!(stage.send(stage.admin("PUT", client).set_json(json!({"nonsense": 1}))).await.0, 400);
    assert_eq!(names(&stage.events()), [""; 0]);
    assert_eq!(stage.send(stage.admin("DELETE", client)).await.0, 200);
    let event = stage.events().pop().expect("an event");
    assert_eq!((&event["operation"], &event["after"]), (&json!("DELETE"), &Value::Null));

    // Users are activity.
    let user = json!({"username": "Demo", "userpassword": "correct horse planted", "mail": ["d@example.com"]});
    assert_eq!(stage.send(stage.admin("POST", "/json/realms/root/users?_action=create").set_json(user)).await.0, 201);
    let event = stage.events().pop().expect("an event");
    assert_eq!((&event["eventName"], &event["topic"]), (&json!("AM-IDENTITY-CHANGE"), &json!("activity")));
    assert_eq!((&event["component"], &event["objectId"]), (&json!("Users"), &json!("id=demo,ou=user,ou=am-config")));
    assert_eq!(event["after"]["mail"], json!(["d@example.com"]));
    assert!(event["changedFields"].as_array().is_some_and(|names| names.contains(&json!("userpassword"))), "{event}");
    assert!(!event.to_string().contains("planted"), "{event}");
    // A realm and what comes with it is one request: one transaction.
    let realm = json!({"name": "alpha", "parentPath": "/", "active": true, "aliases": []});
    assert_eq!(
        stage.send(stage.admin("POST", "/json/global-config/realms?_action=create").set_json(realm)).await.0,
        201
    );
    let events = stage.events();
    let transactions: BTreeSet<&str> = events.iter().filter_map(|event| event["transactionId"].as_str()).collect();
    assert!(transactions.len() == 1 && events.len() > 1, "{events:?}");
    assert_eq!((&events[0]["objectId"], &events[0]["component"]), (&json!("/alpha"), &json!("Realms")));
    assert_eq!(stage.send(stage.admin("DELETE", "/json/global-config/realms/L2FscGhh")).await.0, 200);
    assert_eq!(stage.events().len(), 1);
}

/// f.6: logins and sessions.
#[actix_web::test]
async fn logins_and_sessions_are_recorded() {
    let stage = Stage::with(TopicSettings::default()).await;
    let login = |password: &str| {
        ask("POST", "/json/realms/root/authenticate")
            .insert_header(("X-OpenAM-Username", "amAdmin"))
            .insert_header(("X-OpenAM-Password", password))
    };
    let named = |events: &[Value], name: &str| {
        let found: Vec<&Value> = events.iter().filter(|event| event["eventName"] == name).collect();
        assert_eq!(found.len(), 1, "{name}: {events:?}");
        found[0].clone()
    };
    assert_eq!(stage.send(login("planted")).await.0, 401);
    let events = stage.events();
    let failed = named(&events, "AM-LOGIN-COMPLETED");
    assert_eq!((&failed["result"], &failed["principal"]), (&json!("FAILED"), &json!(["amAdmin"])));
    let info = &failed["entries"][0]["info"];
    assert_eq!((&info["failureReason"], &info["ipAddress"]), (&json!("LOGIN_FAILED"), &json!("192.0.2.7")));
    assert!(!format!("{events:?}").contains("planted"));

    let (status, body) = stage.send(login(crate::testing::PASSWORD)).await;
    assert_eq!(status, 200);
    let token = serde_json::from_str::<Value>(&body).expect("JSON")["tokenId"].as_str().expect("a token").to_owned();
    let events = stage.events();
    let (done, session) = (named(&events, "AM-LOGIN-COMPLETED"), named(&events, "AM-SESSION-CREATED"));
    assert_eq!(done["transactionId"], session["transactionId"]);
    assert_eq!((&done["result"], &done["userId"]), (&json!("SUCCESSFUL"), &json!(ADMIN)));
    assert_eq!(done["principal"], json!(["amadmin"]));
    assert_eq!((&session["component"], &session["operation"]), (&json!("Session"), &json!("CREATE")));
    assert_eq!(session["trackingIds"], json!([session["objectId"]]));
    assert_eq!(session["before"], Value::Null);
    assert!(events.iter().all(|event| !event.to_string().contains(&token)));

    let logout = ask("POST", "/json/realms/root/sessions?_action=logout").insert_header(("iPlanetDirectoryPro", token));
    assert_eq!(stage.send(logout).await.0, 200);
    let ended = named(&stage.events(), "AM-SESSION-LOGGED_OUT");
    assert_eq!((&ended["userId"], &ended["operation"]), (&json!(ADMIN), &json!("DELETE")));
}

/// f.6: sessions end by themselves, by quota of time, or by somebody.
#[actix_web::test]
async fn sessions_that_time_out_are_told_apart_from_those_that_are_ended() {
    let stage = Stage::with(TopicSettings::default()).await;
    let audit = stage.rig.desk.audit().clone();
    stage.rig.desk.views().watch_timeouts(move |session| audit.session_timed_out(session));
    let root = RealmPath::root();
    let idle = stage.rig.session(&root, Kind::User, "amadmin").await;
    assert_eq!(names(&stage.events()), ["AM-SESSION-CREATED"]);
    let end = stage.admin("POST", "/json/realms/root/sessions?_action=logout").set_json(json!({"tokenId": idle}));
    assert_eq!(stage.send(end).await.0, 200);
    assert_eq!(names(&stage.events()), ["AM-SESSION-LOGGED_OUT"]);
    stage.rig.session(&root, Kind::User, "amadmin").await;
    stage.events();
    // Half an hour later both are idle for too long: the administrator's of the test, and this one.
    stage.rig.alone.later.store(1801 * 1000, std::sync::atomic::Ordering::Relaxed);
    stage.rig.desk.propose(quorate_raft::Command::Tick).await.expect("ticks");
    let events = stage.events();
    assert_eq!(names(&events), ["AM-SESSION-IDLE_TIMED_OUT"; 2]);
    assert_eq!((&events[0]["userId"], &events[0]["operation"]), (&json!(ADMIN), &json!("DELETE")));
    assert_eq!(events[0]["runAs"], "id=dsameuser,ou=user,ou=am-config");
}

/// Agents and administrators report; users and strangers do not, nor do agents for others.
#[actix_web::test]
async fn agents_report_events() {
    let stage = Stage::with(everything()).await;
    stage.rig.realm("alpha").await;
    let gateway = json!({"userpassword": "secret12", "status": "Active"});
    for realm in ["", "/realms/alpha"] {
        let path = format!("/realms/root{realm}/realm-config/agents/IdentityGateway/ig");
        assert_eq!(stage.rig.send("PUT", &path, gateway.clone()).await.status, 201);
    }
    let alpha = RealmPath::from("/alpha");
    let of_root = stage.rig.session(&RealmPath::root(), Kind::IdentityGateway, "ig").await;
    let of_alpha = stage.rig.session(&alpha, Kind::IdentityGateway, "ig").await;
    stage
        .rig
        .send("POST", "/realms/root/users?_action=create", json!({"username": "u", "userpassword": "correct horse"}))
        .await;
    let user = stage.rig.session(&RealmPath::root(), Kind::User, "u").await;
    let event = json!({"eventName": "AM-ACCESS-OUTCOME", "transactionId": "ig-1", "component": "Policy Agent"});
    for (path, token, expected) in [
        ("/json/global-audit/access", Some(&stage.rig.admin), 201),
        ("/json/global-audit/activity", Some(&of_root), 201),
        ("/json/global-audit/authentication", Some(&of_alpha), 403),
        ("/json/global-audit/config", Some(&user), 403),
        ("/json/global-audit/access", None, 401),
        ("/json/realms/root/realms/alpha/realm-audit/access", Some(&of_alpha), 201),
        ("/json/realms/root/realms/alpha/realm-audit/activity", Some(&stage.rig.admin), 201),
        ("/json/realms/root/realms/alpha/realm-audit/authentication", Some(&of_root), 403),
        ("/json/realms/root/realm-audit/config", Some(&of_alpha), 403),
        ("/json/realms/root/realm-audit/config", Some(&of_root), 201),
        ("/json/realms/root/realm-audit/config", None, 401),
    ] {
        let mut request = ask("POST", &format!("{path}?_action=create")).set_json(event.clone());
        if let Some(token) = token {
            request = request.insert_header(("iPlanetDirectoryPro", token.as_str()));
        }
        stage.events();
        let (status, body) = stage.send(request).await;
        assert_eq!(status, expected, "{path}: {body}");
        let reported: Vec<Value> =
            stage.events().into_iter().filter(|event| event["transactionId"] == "ig-1").collect();
        assert_eq!(reported.len(), usize::from(status == 201), "{path}");
        if let [reported] = &reported[..] {
            let realm = if path.contains("alpha") {
                json!("/alpha")
            } else if path.contains("realm-audit") {
                json!("/")
            } else {
                Value::Null
            };
            assert_eq!((&reported["realm"], &reported["component"]), (&realm, &json!("Policy Agent")), "{path}");
            assert!(reported["userId"].as_str().is_some_and(|user| user.starts_with("id=")), "{reported}");
        }
    }
    let read = stage.send(stage.admin("GET", "/json/global-audit/access?_queryFilter=true")).await;
    assert_eq!(read.0, 501, "{}", read.1);
}

/// Whatever a request carries wherever: no line holds a secret of it.
#[actix_web::test]
async fn no_secret_is_recorded() {
    let mut settings = everything();
    settings.whitelist = ["/access/http/request/headers/x-trace-id", "/access/http/request/queryParameters/goto"]
        .map(|field| redact::allowed(field).expect("a field"))
        .into();
    let stage = Stage::with(settings).await;
    let secret = "planted-S3cr3t";
    let form = |text: String| {
        ask("POST", "/oauth2/access_token")
            .insert_header(("Content-Type", "application/x-www-form-urlencoded"))
            .set_payload(text)
    };
    let jwt = format!("eyJhbGciOiJub25lIn0.{secret}.c2ln");
    let requests = [
        ask("GET", &format!("/json/realms/root/users/x?userpassword={secret}&code={secret}&access_token={secret}&_queryFilter={secret}"))
            .insert_header(("Authorization", format!("Bearer {secret}")))
            .insert_header(("Cookie", format!("iPlanetDirectoryPro={secret}; other={secret}")))
            .insert_header(("iPlanetDirectoryPro", secret))
            .insert_header(("X-OpenAM-Password", secret))
            .insert_header(("X-Custom", secret))
            .insert_header(("Referer", format!("https://a/?code={secret}")))
            .insert_header(("DPoP", jwt.as_str()))
            .insert_header(("X-Trace-Id", jwt.as_str()))
            .insert_header(("X-ForgeRock-TransactionId", "not-trusted")),
        ask("POST", &format!("/json/realms/root/authenticate?goto=https%3A%2F%2Fu%3A{secret}%40a%2F"))
            .insert_header(("X-OpenAM-Username", "demo"))
            .insert_header(("X-OpenAM-Password", secret))
            .set_json(json!({"callbacks": [{"input": [{"value": secret}]}], "authId": jwt})),
        ask("POST", &format!("/json/sessions/{secret}?_action=logout")).set_json(json!({"tokenId": secret})),
        form(format!("grant_type=client_credentials&client_id=web&client_secret={secret}&scope=api&state={secret}")),
        form(format!("grant_type=authorization_code&code={secret}&code_verifier={secret}&client_id={jwt}")),
        ask("GET", &format!("/oauth2/authorize?client_id=web&response_type=code&scope=api&state={secret}&nonce={secret}&login_hint={secret}&request={jwt}&id_token_hint={jwt}")),
        ask("GET", &format!("/oauth2/tokeninfo?access_token={secret}")),
        stage.admin("PUT", "/json/realms/root/realm-config/agents/OAuth2Client/web").set_json(
            json!({"coreOAuth2ClientConfig": {"userpassword": secret}, "signEncOAuth2ClientConfig": {"jwkSet": format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"{secret}\"}}]}}")}}),
        ),
        stage.admin("POST", "/json/realms/root/users?_action=create").set_json(
            json!({"username": "demo", "userpassword": secret, "postalAddress": [secret]}),
        ),
        stage.admin("PUT", "/json/realms/root/users/demo").set_json(json!({"userpassword": format!("{secret}-2")})),
        stage.admin("PUT", "/json/realms/root/realm-config/services/oauth-oidc").set_json(
            json!({"advancedOAuth2Config": {"hashSalt": secret}}),
        ),
        stage.admin("POST", "/json/realms/root/realm-config/services/oauth-oidc?_action=create").set_json(
            json!({"advancedOAuth2Config": {"hashSalt": secret}}),
        ),
        stage.admin("POST", "/json/global-audit/access?_action=create").set_json(json!({
            "eventName": "x", "transactionId": "t",
            "http": {"request": {"headers": {"authorization": [secret], "Cookie": [secret]}, "cookies": {"a": secret}}},
            "request": {"detail": {"password": secret, "client_secret": secret}},
        })),
    ];
    let count = requests.len();
    for request in requests {
        stage.send(request).await;
    }
    let events = stage.events();
    assert!(events.len() > 2 * count, "{} events", events.len());
    for event in events {
        let line = event.to_string();
        assert!(!line.contains(secret) && !line.contains("argon2"), "{line}");
        assert!(!line.contains(&stage.rig.admin), "{line}");
        assert_ne!(event["transactionId"], "not-trusted");
    }
}

/// crest.md §14: one transaction to a request, whose id strangers do not choose.
#[actix_web::test]
async fn the_events_of_a_request_carry_its_transaction() {
    let stage = Stage::with(everything()).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let request = stage.admin("GET", "/json/serverinfo/*").insert_header(("X-ForgeRock-TransactionId", "mine"));
        stage.send(request).await;
        let events = stage.events();
        let ids: std::collections::BTreeSet<String> =
            events.iter().map(|event| event["transactionId"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{events:?}");
        told.extend(ids);
    }
    assert!(told[0] != told[1] && !told.concat().contains("mine"), "{told:?}");
}

/// What is switched off costs nothing and records nothing; a share of requests is a share.
#[actix_web::test]
async fn topics_and_shares_are_obeyed() {
    let only = |topic| TopicSettings { topics: [topic].into(), ..TopicSettings::default() };
    let stage = Stage::with(only(Topic::Authentication)).await;
    stage.send(stage.admin("PUT", "/json/realms/root/realm-config/agents/OAuth2Client/web").set_json(json!({}))).await;
    assert_eq!(stage.events(), [Value::Null; 0]);
    let none = TopicSettings { access_share: Share::NONE, ..only(Topic::Access) };
    let stage = Stage::with(none).await;
    stage.send(stage.admin("GET", "/json/serverinfo/*")).await;
    assert_eq!(stage.events(), [Value::Null; 0]);
    let off = Audit::start(super::Settings::default(), crate::config::LogFormat::Text).expect("a thread");
    assert!(off.topics().is_none());
}

/// PD-10, CF-51: when what happens must not go unrecorded, it does not happen.
#[actix_web::test]
async fn what_cannot_be_recorded_is_refused_if_that_is_wanted() {
    let settings = TopicSettings { queue: 64, when_full: super::WhenFull::Refuse, ..everything() };
    let stage = Stage::with(settings).await;
    let path = "/realms/root/realm-config/agents/OAuth2Client/web";
    let client = || stage.admin("PUT", &format!("/json{path}")).set_json(json!({}));
    stage.events();
    let topics = stage.rig.desk.audit().topics().expect("recorded");
    let rooms: Vec<_> = std::iter::from_fn(|| topics.reserve(Topic::Config).ok().flatten()).collect();
    assert_eq!(rooms.len(), 64);
    // Neither by a request that cannot be recorded, nor by whoever changes something without one.
    assert_eq!(stage.send(client()).await.0, 503);
    assert_eq!(stage.rig.send("PUT", path, json!({})).await.status, 503);
    drop(rooms);
    assert_eq!(stage.send(stage.admin("GET", &format!("/json{path}"))).await.0, 404);
    assert_eq!(stage.send(client()).await.0, 201);
}
