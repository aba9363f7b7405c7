//! `POST /json/{realm}/authenticate` (authn-sessions-realms.md a.1, a.4, a.7, a.8): not a resource, a plain endpoint.
//!
//! | step                                            | reference | here          |
//! |-------------------------------------------------|-----------|---------------|
//! | POST only; a body must be JSON                  | a.1       | `attempt`     |
//! | who names no version gets the configured one    | crest.md §13.3 | `handle` |
//! | what a journey comes to                         | a.2 – a.10 | [`journey`]   |
//! | `authId`, `callbacks`, and what goes with them  | a.4       | `step`        |
//! | `tokenId`, `successUrl`, `realm`, cookies       | a.7       | `success`     |
//! | failures, by version                            | a.8       | `failed`      |

use super::PlainCall;
use crate::{
    attempts::Stopped,
    authn::journey::{
        self, Kept, Reply, callback, failure::Failure, finish::Success, nodes::Prompt, state::CustomCookie,
    },
    crest::{
        Error, Object, Params, Settings, Version, body,
        response::{self, Manner},
    },
    sessions::cookies,
    telemetry::{self, label},
};
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    cookie::{Cookie, SameSite, time::Duration},
    http::{Method, StatusCode, header::CONTENT_TYPE},
};
use metrics::counter;
use serde_json::{Map, Value, json};

const VERSIONS: [Version; 2] = [Version(1, 2), Version(2, 1)];

/// The endpoint.
pub async fn handle(call: PlainCall) -> HttpResponse {
    let header = call.request.headers().get("Accept-API-Version").and_then(|value| value.to_str().ok());
    let settings = Settings::of(&call.desk);
    let selected = settings.accepted(header).and_then(|accepted| settings.select(&VERSIONS, accepted.resource));
    let version = match selected {
        Ok(version) => version,
        Err(error) => return response::fail(&error, Manner::default()),
    };
    let reply = attempt(&call).await;
    let outcome = match &reply {
        Ok(Reply::Step { .. }) => None,
        Ok(Reply::Success(_) | Reply::Kept(_)) => Some("success"),
        Ok(Reply::Unconfirmed(_)) | Err(_) => Some("failure"),
    };
    if let Some(outcome) = outcome {
        counter!(telemetry::AUTHENTICATIONS, label::OUTCOME => outcome).increment(1);
    }
    match reply {
        Ok(Reply::Step { auth_id, prompt, chain }) => step(version, auth_id, prompt, chain),
        Ok(Reply::Success(success)) => succeeded(&call, version, success),
        Ok(Reply::Kept(Kept { token, success_url }) | Reply::Unconfirmed(Kept { token, success_url })) => {
            let body = json!({ "tokenId": token, "successUrl": success_url, "realm": call.realm.as_str() });
            answer(StatusCode::OK, version).json(body)
        }
        Err(failure) => failed(version, failure),
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

async fn attempt(call: &PlainCall) -> Result<Reply, Failure> {
    let PlainCall { desk, realm, request, body, rest } = call;
    if let Some(below) = rest.first() {
        return Err(Error::no_route(below).into());
    }
    if request.method() != Method::POST {
        return Err(Error::plain(405).into());
    }
    let body = content(request, body)?;
    let params = Params::parse(request.query_string())?;
    journey::authenticate(desk, realm, request, params, &body).await
}

/// a.1: an empty body may have any media type, any other must be a JSON object.
fn content(request: &HttpRequest, content: &[u8]) -> Result<Object, Error> {
    if content.is_empty() {
        return Ok(Object::new());
    }
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Error::plain(415));
    }
    body::optional_object(content)
}

fn answer(status: StatusCode, version: Version) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response::headers(&mut response, "private");
    response.insert_header(("Content-API-Version", format!("resource={version}")));
    response
}

/// a.4; what a tree does not say is left out, a chain says everything.
fn step(version: Version, auth_id: String, prompt: Prompt, chain: bool) -> HttpResponse {
    let mut body = Map::new();
    body.insert("authId".into(), auth_id.into());
    if chain {
        body.insert("template".into(), "".into());
    }
    body.extend(prompt.stage.map(|stage| ("stage".to_owned(), stage.into())));
    body.extend(prompt.header.map(|header| ("header".to_owned(), header.into())));
    if chain {
        body.insert("infoText".into(), "".into());
    }
    body.extend(prompt.description.map(|text| ("description".to_owned(), text.into())));
    body.insert("callbacks".into(), callback::render(&prompt.callbacks, prompt.from_page));
    answer(StatusCode::OK, version).json(body)
}

/// a.7.
fn succeeded(call: &PlainCall, version: Version, success: Success) -> HttpResponse {
    let Success { session, success_url, details, cookies: customs } = success;
    let mut response = answer(StatusCode::OK, version);
    let mut body = Map::new();
    match session {
        None => drop(body.insert("message".into(), "Authentication Successful".into())),
        Some(session) => {
            let token = session.reveal();
            for cookie in cookies::grant(&call.desk, &call.request, &token) {
                response.cookie(cookie);
            }
            body.insert("tokenId".into(), token.into());
        }
    }
    for cookie in customs {
        response.cookie(custom(cookie));
    }
    body.insert("successUrl".into(), success_url.into());
    body.insert("realm".into(), call.realm.as_str().into());
    for (name, value) in details {
        body.entry(name).or_insert(value);
    }
    response.json(body)
}

fn custom(cookie: CustomCookie) -> Cookie<'static> {
    let CustomCookie { name, value, max_age, domain, path, secure, http_only, same_site } = cookie;
    let same_site = match same_site.as_str() {
        "STRICT" => SameSite::Strict,
        "NONE" => SameSite::None,
        _ => SameSite::Lax,
    };
    // RFC 6265bis: a cookie for other sites must be secure.
    let secure = secure || same_site == SameSite::None;
    let mut built = Cookie::build(name, value).http_only(http_only).secure(secure).same_site(same_site);
    if let Some(seconds) = max_age {
        built = built.max_age(Duration::seconds(seconds));
    }
    if let Some(domain) = domain {
        built = built.domain(domain);
    }
    built.path(path.unwrap_or_else(|| "/".to_owned())).finish()
}

/// a.8: version 1 has a body of its own.
fn failed(version: Version, failure: Failure) -> HttpResponse {
    if let Some(error) = failure.instead {
        return response::fail(&error, Manner { version: Some(version), ..Manner::default() });
    }
    let Failure { status, message, detail, .. } = failure;
    if version.0 == 1 {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = json!({ "errorMessage": message });
        if let (Some(body), Some(url)) = (body.as_object_mut(), detail.get("failureUrl")) {
            body.insert("failureUrl".into(), url.clone());
        }
        return answer(status, version).json(body);
    }
    let error = Error::new(status, message);
    let error = if detail.is_empty() { error } else { error.with_detail(Value::Object(detail)) };
    response::fail(&error, Manner { version: Some(version), ..Manner::default() })
}

#[cfg(test)]
mod tests;
