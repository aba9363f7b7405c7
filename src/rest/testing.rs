//! Requests against all resources, on a cluster of one, for tests.

use super::{Csrf, Routes, Scope, authenticate, mount, routes};
use crate::{
    audit::Audit,
    bootstrap::ADMINISTRATOR_ID,
    config::LogFormat,
    decisions,
    desk::{Desk, Front},
    secrets::{HandleKind, Minted},
    sessions::universal_id,
    testing::{Alone, desk_that, front},
};
use actix_web::{
    App,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    http::{Method, StatusCode, header::HeaderMap},
    test::{TestRequest, init_service},
    web,
};
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, RealmPath, Span,
    sessions::{CreateSession, SessionData},
};
use serde_json::Value;
use std::sync::Arc;

/// A cluster of one, and the administrator's session on it.
pub(crate) struct Rig {
    pub desk: Desk,
    pub alone: Arc<Alone>,
    pub admin: String,
}

/// What came back.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Status and message of an error.
    pub fn error(&self) -> (u16, &str) {
        let (code, message) = (&self.json["code"], &self.json["message"]);
        assert_eq!(code.as_u64(), Some(u64::from(self.status)), "{}", self.text);
        (self.status, message.as_str().unwrap_or_default())
    }
}

/// A request in the making.
pub(crate) struct Ask<'r> {
    rig: &'r Rig,
    request: TestRequest,
    routes: Option<Routes>,
}

impl Rig {
    pub async fn new() -> Self {
        Self::under(Audit::start(Default::default(), LogFormat::Text).expect("a thread"), &Default::default()).await
    }

    /// With another record of decisions, and other rules for them.
    pub async fn under(audit: Audit, decisions: &decisions::Settings) -> Self {
        Self::with(audit, decisions, front()).await
    }

    /// With another look from the outside.
    pub async fn looking(front: Front) -> Self {
        let audit = Audit::start(Default::default(), LogFormat::Text).expect("a thread");
        Self::with(audit, &Default::default(), front).await
    }

    async fn with(audit: Audit, decisions: &decisions::Settings, front: Front) -> Self {
        let (desk, alone) = desk_that(audit, decisions, front).await;
        let mut rig = Self { desk, alone, admin: String::new() };
        rig.admin = rig.session(&RealmPath::root(), Kind::User, ADMINISTRATOR_ID).await;
        rig
    }

    /// A session of whoever has such a document.
    pub async fn session(&self, realm: &RealmPath, kind: Kind, id: &str) -> String {
        let entry = self.desk.document(realm, kind, id).expect("a subject");
        let minted = Minted::new(HandleKind::Session, 0);
        let data = SessionData {
            realm: realm.clone(),
            subject: DocumentKey::new(realm, kind, id),
            fence: entry.document.fence,
            name: entry.json()["username"].as_str().unwrap_or(id).into(),
            universal_id: universal_id(realm, &DocumentKey::new(realm, kind, id)).as_str().into(),
            auth_level: 0,
            max_life: Span::from_secs(7200),
            max_idle: Span::from_secs(1800),
            properties: Default::default(),
        };
        let create = CreateSession { hash: minted.hash(), data: Arc::new(data) };
        let outcome = self.desk.propose(Command::CreateSession(create)).await.expect("decided");
        assert!(matches!(outcome, Outcome::Issued { .. }));
        minted.reveal()
    }

    /// A request without anything but the version header.
    pub fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        self.bare(method, path).header("Accept-API-Version", "protocol=2.1")
    }

    /// A request without the version header.
    pub fn bare(&self, method: &str, path: &str) -> Ask<'_> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Ask { rig: self, request: TestRequest::default().method(method).uri(&format!("/am/json{path}")), routes: None }
    }

    /// As the administrator.
    pub fn admin(&self, method: &str, path: &str) -> Ask<'_> {
        self.ask(method, path).session(&self.admin)
    }

    /// As the administrator, with JSON.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.admin(method, path).json(&body).await
    }

    /// As the administrator, a GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.admin("GET", path).go().await
    }

    /// A user, at the realm in `base`.
    pub async fn user(&self, base: &str, name: &str) {
        let body = serde_json::json!({"username": name, "userpassword": "correct horse"});
        let reply = self.send("POST", &format!("{base}/users?_action=create"), body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    /// A group of these users with these privileges, at the realm in `base`.
    pub async fn group(&self, base: &str, name: &str, members: &[&str], privileges: &[&str]) {
        let given: serde_json::Map<String, Value> = privileges.iter().map(|p| ((*p).to_owned(), true.into())).collect();
        let body = serde_json::json!({"members": {"uniqueMember": members}, "privileges": given});
        let reply = self.send("PUT", &format!("{base}/groups/{name}"), body).await;
        assert!(reply.status == 201 || reply.status == 200, "{}", reply.text);
    }

    /// What comes of name and password in headers, by the tree `service` of a realm: `/realms/root`.
    pub async fn sign_in(&self, realm: &str, service: &str, name: &str, password: &str) -> Reply {
        let path = format!("{realm}/authenticate?authIndexType=service&authIndexValue={service}");
        let table = routes().plain(Scope::Realm, "authenticate", Csrf::Checked, authenticate::handle);
        let request = self.ask("POST", &path).header("X-OpenAM-Username", name).header("X-OpenAM-Password", password);
        request.at(table).go().await
    }

    /// A realm below the top-level realm.
    pub async fn realm(&self, name: &str) {
        let body = serde_json::json!({"name": name, "parentPath": "/", "active": true, "aliases": []});
        let reply = self.send("POST", "/global-config/realms?_action=create", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
}

impl Ask<'_> {
    pub fn session(self, token: &str) -> Self {
        self.header("iPlanetDirectoryPro", token)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.insert_header((name, value));
        self
    }

    /// From an address.
    pub fn from(mut self, address: &str) -> Self {
        self.request = self.request.peer_addr(std::net::SocketAddr::new(address.parse().expect("an address"), 50_000));
        self
    }

    /// With other routes than ours.
    pub fn at(mut self, routes: Routes) -> Self {
        self.routes = Some(routes);
        self
    }

    pub async fn json(self, body: &Value) -> Reply {
        self.raw("application/json", &body.to_string()).await
    }

    /// As [`json`](Self::json), for bodies that do not live long enough.
    pub async fn json_owned(self, body: Value) -> Reply {
        self.json(&body).await
    }

    /// The headers, and a body that need not be text.
    pub async fn bytes(self) -> (HeaderMap, Vec<u8>) {
        let (_, headers, body) = self.answer().await;
        (headers, body.to_vec())
    }

    pub async fn raw(mut self, content_type: &str, body: &str) -> Reply {
        self.request = self.request.insert_header(("Content-Type", content_type)).set_payload(body.to_owned());
        self.go().await
    }

    async fn answer(self) -> (StatusCode, HeaderMap, web::Bytes) {
        let table = self.routes.unwrap_or_else(|| super::authorization::routes(routes()));
        let scope = web::scope("/am/json").configure(|config| mount(table, config));
        let app = init_service(App::new().app_data(web::Data::new(self.rig.desk.clone())).service(scope)).await;
        let response: ServiceResponse = app.call(self.request.to_request()).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.into_body().try_into_bytes().expect("a body in one piece"))
    }

    pub async fn go(self) -> Reply {
        let (status, headers, body) = self.answer().await;
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        if status != StatusCode::NO_CONTENT {
            for (name, value) in [("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "SAMEORIGIN")] {
                assert_eq!(headers.get(name).and_then(|v| v.to_str().ok()), Some(value), "{text}");
            }
        }
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status: status.as_u16(), headers, json, text }
    }
}
