//! `POST /json/{realm}/authenticate` (authn-sessions-realms.md a.1, a.2, a.7, a.8): not a resource, a plain endpoint.
//!
//! | step                                            | reference |
//! |-------------------------------------------------|-----------|
//! | POST only; a body must be JSON                   | a.1       |
//! | which service: `authIndexType=service`           | a.3       |
//! | credentials in headers                           | a.9       |
//! | a live session of the realm is good enough       | a.10      |
//! | `tokenId`, `successUrl`, `realm`, cookies        | a.7       |
//! | one failure for all reasons                      | a.8       |

use super::PlainCall;
use crate::{
    attempts::{self, Stopped},
    authn::{
        self, Failure, Service,
        zero_page::{self, Credentials, Headers},
    },
    caller,
    crest::{
        Accepted, Error, Params, Version, body,
        response::{self, Manner},
        version,
    },
    desk::Desk,
    sessions::{NotStarted, cookies},
    telemetry::{self, label},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header::CONTENT_TYPE},
};
use metrics::counter;
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};
use std::net::IpAddr;

const VERSIONS: [Version; 2] = [Version(1, 2), Version(2, 1)];

/// What comes of an attempt, before it is rendered.
enum Success {
    /// A new session: its token.
    Session(String),
    /// The caller has one already; its token is not repeated (HttpOnly protection).
    Already,
    /// `noSession=true`.
    NoSession,
}

/// The endpoint.
pub async fn handle(call: PlainCall) -> HttpResponse {
    let header = call.request.headers().get("Accept-API-Version").and_then(|value| value.to_str().ok());
    let selected = Accepted::parse(header).and_then(|accepted| version::select(&VERSIONS, accepted.resource));
    let manner = |version| Manner { version, ..Manner::default() };
    let version = match selected {
        Ok(version) => version,
        Err(error) => return response::fail(&error, manner(None)),
    };
    let outcome = attempt(&call).await;
    let label = if outcome.is_ok() { "success" } else { "failure" };
    counter!(telemetry::AUTHENTICATIONS, label::OUTCOME => label).increment(1);
    match outcome {
        Ok(success) => succeed(&call, success, version),
        // Version 1 has a body of its own; nobody needs more than the text.
        Err(error) if version.0 == 1 && error.code() != 503 => {
            let mut response = HttpResponse::build(status(&error));
            response::headers(&mut response, "private");
            response.insert_header(("Content-API-Version", format!("resource={version}")));
            response.json(json!({ "errorMessage": error.message() }))
        }
        Err(error) => response::fail(&error, manner(Some(version))),
    }
}

fn status(error: &Error) -> actix_web::http::StatusCode {
    actix_web::http::StatusCode::from_u16(error.code()).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)
}

impl From<NotStarted> for Error {
    /// a.8, codes 115, 124 and 110.
    fn from(refused: NotStarted) -> Self {
        let coded = |status, message, code| Self::new(status, message).with_detail(json!({ "errorCode": code }));
        match refused {
            NotStarted::Quota => coded(401, "You have reached your session limit.", "115"),
            NotStarted::OtherSubject => {
                coded(400, "Session Upgrade fails since user is different than original authenticated user", "124")
            }
            NotStarted::Ended => coded(401, "Session has timed out", "110"),
            NotStarted::TooLarge => coded(500, "Can not create new session.", "118"),
            NotStarted::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<Stopped> for Error {
    /// a.8, code 121: the same during a pause whatever the password is, and when to come back.
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Paused(pause) => Self::new(429, "Too Many Authentication Attempts!!")
                .with_detail(json!({ "errorCode": "121" }))
                .with_retry_after(pause),
            Stopped::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied => Self::new(401, "Login failure"),
            Failure::NotStarted(refused) => refused.into(),
            Failure::Stopped(stopped) => stopped.into(),
            Failure::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

async fn attempt(call: &PlainCall) -> Result<Success, Error> {
    let PlainCall { desk, realm, request, body, rest } = call;
    if let Some(below) = rest.first() {
        return Err(Error::no_route(below));
    }
    if request.method() != Method::POST {
        return Err(Error::plain(405));
    }
    let step = step(request, body)?;
    let params = Params::parse(request.query_string())?;
    let index = index(&params)?;
    is_open(desk, realm)?;
    match zero_page::read(request.headers()) {
        // A step of a journey that we did not start is nobody's login.
        _ if step.get("authId").is_some() => Err(Failure::Denied.into()),
        Headers::Present(credentials) => {
            let service = index.unwrap_or(Service::Users("ldapService"));
            let from = attempts::source(desk, request);
            login(desk, realm, service, &credentials, params.get("noSession") == Some("true"), from).await
        }
        Headers::Absent if index.is_none() && params.get("ForceAuth") != Some("true") => {
            match caller::authenticated(desk, request).await? {
                Some(caller) if caller.realm() == realm => Ok(Success::Already),
                _ => Err(Failure::Denied.into()),
            }
        }
        Headers::Absent | Headers::Unusable => Err(Failure::Denied.into()),
    }
}

/// a.1: an empty body may have any media type, any other must be a JSON object.
fn step(request: &HttpRequest, content: &[u8]) -> Result<serde_json::Map<String, Value>, Error> {
    if content.is_empty() {
        return Ok(serde_json::Map::new());
    }
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Error::plain(415));
    }
    body::optional_object(content)
}

/// a.3: which service is asked for; `None` for the realm's default.
fn index(params: &Params) -> Result<Option<Service>, Error> {
    let unknown = || Error::bad_request("No Configuration found");
    match (params.get("authIndexType"), params.get("authIndexValue")) {
        (None, None) => Ok(None),
        (Some(kind), Some(value)) if kind.eq_ignore_ascii_case("service") => {
            Service::parse(value).map(Some).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

/// a.8, code 109: nobody authenticates in a realm that was switched off.
fn is_open(desk: &Desk, realm: &RealmPath) -> Result<(), Error> {
    let stored = desk.document(&RealmPath::root(), Kind::Realm, realm.as_str());
    match stored.is_some_and(|entry| entry.json().get("active") == Some(&Value::Bool(false))) {
        true => Err(Error::bad_request("Org is inactive")),
        false => Ok(()),
    }
}

async fn login(
    desk: &Desk,
    realm: &RealmPath,
    service: Service,
    credentials: &Credentials,
    no_session: bool,
    from: Option<IpAddr>,
) -> Result<Success, Error> {
    let Credentials { username, password } = credentials;
    if no_session {
        authn::check(desk, realm, service, username, password, from).await?;
        return Ok(Success::NoSession);
    }
    let minted = authn::login(desk, realm, service, username, password, from).await?;
    Ok(Success::Session(minted.reveal()))
}

fn succeed(call: &PlainCall, success: Success, version: Version) -> HttpResponse {
    let PlainCall { desk, realm, .. } = call;
    let front = desk.front();
    let url = format!("{}/console", front.context_path);
    let mut response = HttpResponse::Ok();
    response::headers(&mut response, "private");
    response.insert_header(("Content-API-Version", format!("resource={version}")));
    let body = match &success {
        Success::NoSession => {
            json!({ "message": "Authentication Successful", "successUrl": url, "realm": realm.as_str() })
        }
        Success::Already => json!({ "tokenId": "", "successUrl": url, "realm": realm.as_str() }),
        Success::Session(token) => {
            for cookie in cookies::grant(desk, &call.request, token) {
                response.cookie(cookie);
            }
            json!({ "tokenId": token, "successUrl": url, "realm": realm.as_str() })
        }
    };
    response.json(body)
}
