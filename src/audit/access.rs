//! Topic `access`: requests, and what came of them (f.6).
//!
//! | f.6                                                  | here                       |
//! |------------------------------------------------------|----------------------------|
//! | `AM-ACCESS-ATTEMPT` before, `AM-ACCESS-OUTCOME` after | [`observe`]               |
//! | `component` by family of endpoints                   | [`component`]              |
//! | `request{protocol, operation, detail}`               | `Asked`                    |
//! | `http`, `client`, `server`, `response`               | `Access::members`        |
//! | nothing secret                                       | [`Redactor`]               |
//!
//! Health and metrics are asked every few seconds by machines that nobody needs to find again: they are not recorded.

use super::{
    Audit, Body, Component, Event, Head, Room, Topic,
    context::{self, Context},
    redact::{self, Redactor, bounded},
};
use crate::{crest::Object, host};
use actix_web::{
    Error, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::Next,
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

const ATTEMPT: &str = "AM-ACCESS-ATTEMPT";
const OUTCOME: &str = "AM-ACCESS-OUTCOME";

/// What is asked, in the words of Common REST.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    protocol: Option<&'static str>,
    operation: Option<&'static str>,
    detail: Object,
}

/// A request as it came.
#[derive(Debug)]
pub struct Requested {
    client: Option<SocketAddr>,
    server: Option<SocketAddr>,
    secure: bool,
    method: String,
    url: String,
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    asked: Asked,
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    status: StatusCode,
    headers: Vec<(String, String)>,
    elapsed: Duration,
    detail: Vec<(&'static str, String)>,
}

/// A request, before or after it was answered.
#[derive(Debug)]
pub struct Access {
    requested: Arc<Requested>,
    outcome: Option<Outcome>,
}

fn endpoint(address: SocketAddr) -> Value {
    json!({ "ip": address.ip().to_canonical().to_string(), "port": address.port() })
}

/// Name → values, as f.6 has headers and parameters.
fn multimap(pairs: &[(String, String)]) -> Value {
    let mut map = Object::new();
    for (name, value) in pairs {
        if let Value::Array(values) = map.entry(name.clone()).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    Value::Object(map)
}

impl Access {
    /// The keys of this topic.
    pub(super) fn members(&self, _: &Redactor) -> Object {
        let Self { requested, outcome } = self;
        let Asked { protocol, operation, detail } = &requested.asked;
        let mut detail = detail.clone();
        if let Some(outcome) = outcome {
            detail
                .extend(outcome.detail.iter().map(|(name, value)| ((*name).to_owned(), json!(redact::guarded(value)))));
        }
        let mut members = Object::new();
        if let Some(client) = requested.client {
            members.insert("client".into(), endpoint(client));
        }
        if let Some(server) = requested.server {
            members.insert("server".into(), endpoint(server));
        }
        let detail = if detail.is_empty() { Value::Null } else { Value::Object(detail) };
        members.insert("request".into(), json!({"protocol": protocol, "operation": operation, "detail": detail}));
        let mut http = json!({"request": {
            "secure": requested.secure,
            "method": requested.method,
            "path": requested.url,
            "queryParameters": multimap(&requested.parameters),
            "headers": multimap(&requested.headers),
            "cookies": {},
        }});
        if let (Some(Outcome { status, headers, elapsed, .. }), Some(http)) = (outcome, http.as_object_mut()) {
            http.insert("response".into(), json!({"headers": multimap(headers)}));
            let failed = status.is_client_error() || status.is_server_error();
            let reason = failed.then(|| json!({"reason": status.canonical_reason().unwrap_or("Error")}));
            let response = json!({
                "status": if failed { "FAILED" } else { "SUCCESSFUL" },
                "statusCode": status.as_u16().to_string(),
                "detail": reason,
                "elapsedTime": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                "elapsedTimeUnits": "MILLISECONDS",
            });
            members.insert("response".into(), response);
        }
        members.insert("http".into(), http);
        members
    }
}

/// The part of the service that answers `path`, below the context path; `None` for what is not recorded.
pub fn component(path: &str) -> Option<Component> {
    let Some(json) = path.strip_prefix("/json/") else {
        return match path {
            "/livez" | "/readyz" | "/metrics" => None,
            _ if path.split('/').any(|element| matches!(element, "access" | "authzen-configuration")) => {
                Some(Component::Policy)
            }
            _ => Some(Component::OAuth),
        };
    };
    if json.starts_with("health/") {
        return None;
    }
    match json.split('/').filter_map(family).min_by_key(|&(precedence, _)| precedence) {
        Some((_, Component::Config)) if json.starts_with("global-config/realms") => Some(Component::Realms),
        Some((_, component)) => Some(component),
        None => Some(Component::Config),
    }
}

/// What an element of a path below `/json` says about the part of the service, and which elements that outweighs: the names
/// of endpoints are names of realms and resources, too. Each request asks, so each element is looked at once.
fn family(element: &str) -> Option<(u8, Component)> {
    Some(match element {
        "global-audit" | "realm-audit" => (0, Component::Audit),
        "realm-config" | "global-config" => (1, Component::Config),
        "authenticate" => (2, Component::Authentication),
        "sessions" => (3, Component::Session),
        "users" => (4, Component::Users),
        "groups" => (5, Component::Groups),
        "scripts" => (6, Component::Script),
        "serverinfo" => (7, Component::ServerInfo),
        "dashboard" => (8, Component::Dashboard),
        "policies" | "applications" | "resourcetypes" | "applicationtypes" | "conditiontypes" | "subjecttypes"
        | "subjectattributes" | "decisioncombiners" => (9, Component::Policy),
        _ => return None,
    })
}

impl Asked {
    fn of(request: &ServiceRequest, component: Component, parameters: &[(String, String)]) -> Self {
        let parameter =
            |name: &str| parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        let mut detail = Object::new();
        if component == Component::OAuth {
            return Self { protocol: None, operation: None, detail };
        }
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let method = match header("X-HTTP-Method-Override") {
            Some(method) if request.method() == "POST" => method,
            _ => request.method().as_str(),
        };
        let operation = match (method, parameter("_action")) {
            ("POST", None) if component == Component::Authentication => {
                detail.insert("action".into(), json!("authenticate"));
                "ACTION"
            }
            ("POST", None) => "CREATE",
            ("POST", Some(action)) if action == "create" => "CREATE",
            ("POST", Some(action)) => {
                detail.insert("action".into(), json!(action));
                "ACTION"
            }
            ("PUT", _) if header("If-None-Match") == Some("*") => "CREATE",
            ("PUT", _) => "UPDATE",
            ("PATCH", _) => "PATCH",
            ("DELETE", _) => "DELETE",
            _ if request.query_string().to_ascii_lowercase().contains("_query") => "QUERY",
            _ => "READ",
        };
        Self { protocol: Some("CREST"), operation: Some(operation), detail }
    }
}

impl Requested {
    fn of(request: &ServiceRequest, component: Component, redactor: &Redactor) -> Self {
        let secure = request.app_config().secure();
        let host = request.headers().get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        let scheme = if secure { "https" } else { "http" };
        let parameters = redactor.parameters(request.query_string());
        Self {
            client: request.peer_addr(),
            server: Some(request.app_config().local_addr()),
            secure,
            method: bounded(request.method().as_str()),
            url: format!("{scheme}://{}{}", bounded(&host.unwrap_or_default()), redact::path(request.path())),
            headers: redactor.headers(request.headers()),
            asked: Asked::of(request, component, &parameters),
            parameters,
        }
    }
}

/// Answers a request, records it if that is wanted, and lets everything that is recorded meanwhile know what it belongs to.
///
/// # Errors
/// What the service says.
pub async fn observe<B: MessageBody>(
    audit: &Audit,
    context_path: &str,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let below = request.path().strip_prefix(context_path).unwrap_or(request.path());
    let (Some(topics), Some(component)) = (audit.topics(), component(below)) else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let recorded = topics.records(Topic::Access) && topics.picks_request();
    let context = Arc::new(Context::of(&request, recorded));
    if !recorded {
        return context::scope(context, next.call(request)).await.map(ServiceResponse::map_into_left_body);
    }
    // Room for both, before anything is done: what cannot be recorded is not begun, if that is what the settings want.
    let (Ok(attempt), Ok(outcome)) = (topics.reserve(Topic::Access), topics.reserve(Topic::Access)) else {
        let busy = HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).finish();
        return Ok(request.into_response(busy).map_into_right_body());
    };
    let start = Instant::now();
    let requested = Arc::new(Requested::of(&request, component, topics.redactor()));
    let realm_of_path = realm_of(below);
    record(
        attempt,
        ATTEMPT,
        component,
        &context,
        &realm_of_path,
        Access { requested: requested.clone(), outcome: None },
    );
    let answer = context::scope(context.clone(), next.call(request)).await;
    let (status, headers) = match &answer {
        Ok(answer) => (answer.status(), topics.redactor().response_headers(answer.headers())),
        Err(error) => (error.as_response_error().status_code(), Vec::new()),
    };
    let detail = context.detail().to_vec();
    let outcome_of = Outcome { status, headers, elapsed: start.elapsed(), detail };
    record(outcome, OUTCOME, component, &context, &realm_of_path, Access { requested, outcome: Some(outcome_of) });
    answer.map(ServiceResponse::map_into_left_body)
}

/// The realm as a path in its long form names it, whether or not it exists; resolved realms are told by the context.
fn realm_of(below: &str) -> Option<Arc<str>> {
    let (_, after) = below.split_once("/realms/root")?;
    let mut levels = after.split('/').skip(1);
    let mut realm = String::new();
    while let (Some("realms"), Some(level)) = (levels.next(), levels.next()) {
        realm.push('/');
        realm.push_str(&redact::guarded(&bounded(level)));
    }
    Some(if realm.is_empty() { "/".into() } else { realm.into() })
}

fn record(
    room: Option<Room<'_>>,
    name: &'static str,
    component: Component,
    context: &Context,
    realm_of_path: &Option<Arc<str>>,
    access: Access,
) {
    let Some(room) = room else {
        return;
    };
    let user = context.user();
    let head = Head {
        at: i64::try_from(host::now().0).unwrap_or(i64::MAX),
        name: name.into(),
        transaction: context.transaction().clone(),
        user_id: user.map(|user| user.id.clone()),
        tracking_ids: user.and_then(|user| user.tracking_id.clone()).into_iter().collect(),
        component,
        realm: context.realm().map(|realm| Arc::from(realm.as_str())).or_else(|| realm_of_path.clone()),
    };
    room.record(vec![Event { topic: Topic::Access, head, body: Body::Access(Box::new(access)) }]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_by_family() {
        for (path, expected) in [
            ("/livez", None),
            ("/metrics", None),
            ("/json/health/ready", None),
            ("/oauth2/access_token", Some(Component::OAuth)),
            ("/oauth2/realms/root/realms/alpha/introspect", Some(Component::OAuth)),
            ("/access/v1/evaluation", Some(Component::Policy)),
            ("/json/authenticate", Some(Component::Authentication)),
            ("/json/realms/root/sessions", Some(Component::Session)),
            ("/json/realms/root/users/demo", Some(Component::Users)),
            ("/json/groups", Some(Component::Groups)),
            ("/json/policies", Some(Component::Policy)),
            ("/json/alpha/resourcetypes/x", Some(Component::Policy)),
            ("/json/global-config/realms/Lw", Some(Component::Realms)),
            ("/json/global-config/services/audit", Some(Component::Config)),
            ("/json/realms/root/realm-config/agents/OAuth2Client/x", Some(Component::Config)),
            ("/json/scripts", Some(Component::Script)),
            ("/json/serverinfo/*", Some(Component::ServerInfo)),
            ("/json/global-audit/access", Some(Component::Audit)),
        ] {
            assert_eq!(component(path), expected, "{path}");
        }
    }

    #[test]
    fn operations_by_method_and_parameters() {
        use actix_web::test::TestRequest;
        let redactor = Redactor::default();
        for (method, uri, override_, operation, action) in [
            ("GET", "/json/users/demo", None, "READ", None),
            ("GET", "/json/users?_queryFilter=true", None, "QUERY", None),
            ("GET", "/json/users?_queryId=*", None, "QUERY", None),
            ("POST", "/json/users?_action=create", None, "CREATE", None),
            ("POST", "/json/users", None, "CREATE", None),
            ("POST", "/json/users?_action=idFromSession", None, "ACTION", Some("idFromSession")),
            ("POST", "/json/users/demo", Some("PUT"), "UPDATE", None),
            ("POST", "/json/users/demo", Some("DELETE"), "DELETE", None),
            ("PUT", "/json/users/demo", None, "UPDATE", None),
            ("PATCH", "/json/users/demo", None, "PATCH", None),
            ("DELETE", "/json/users/demo", Some("GET"), "DELETE", None),
            ("POST", "/json/authenticate", None, "ACTION", Some("authenticate")),
        ] {
            let mut request = TestRequest::with_uri(uri).method(method.parse().expect("a method"));
            if let Some(method) = override_ {
                request = request.insert_header(("X-HTTP-Method-Override", method));
            }
            let request = request.to_srv_request();
            let component = component(request.path()).expect("recorded");
            let asked = Asked::of(&request, component, &redactor.parameters(request.query_string()));
            assert_eq!((asked.protocol, asked.operation), (Some("CREST"), Some(operation)), "{method} {uri}");
            assert_eq!(asked.detail.get("action").and_then(Value::as_str), action, "{method} {uri}");
        }
    }

    #[test]
    fn realms_of_paths() {
        for (path, realm) in [
            ("/json/realms/root/users", Some("/")),
            ("/json/realms/root/realms/alpha/realms/beta/users", Some("/alpha/beta")),
            ("/oauth2/realms/root/realms/alpha/access_token", Some("/alpha")),
            ("/json/users", None),
        ] {
            assert_eq!(realm_of(path).as_deref(), realm, "{path}");
        }
    }
}
