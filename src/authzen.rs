//! The OpenID AuthZEN Authorization API 1.0, mapped onto policy sets. An extension: AM has no such thing.
//!
//! | specification                | it says                                                        | we do it in        |
//! |------------------------------|----------------------------------------------------------------|--------------------|
//! | Access Evaluation API        | `subject`, `action`, `resource` required, `context` optional   | `Evaluation`       |
//! | Access Evaluations API       | defaults at the top; without `evaluations` a single one        | `evaluations`      |
//! | evaluations semantics        | `execute_all`, `deny_on_first_deny`, `permit_on_first_permit`  | [`Semantic`]       |
//! | errors of one evaluation     | `decision: false`, `context.error`                             | `Failure::to_json` |
//! | errors of a request          | the status, and a text                                         | `fail`             |
//! | unknown members are ignored  |                                                                | `Evaluation`       |
//! | `X-Request-ID` comes back    |                                                                | `identified`     |
//! | metadata, per tenant         | `/.well-known/authzen-configuration{/path}`                    | `metadata`         |
//!
//! | AuthZEN                         | here                                                                             |
//! |---------------------------------|----------------------------------------------------------------------------------|
//! | PDP (tenant)                    | a realm: `{context}/realms/root/realms/alpha`; the top-level realm is `{context}` or nothing |
//! | `resource.type`, `resource.id`  | policy set, resource; an unknown set permits nothing                             |
//! | `action.name`                   | action                                                                           |
//! | `subject` of type `session`     | whoever owns the session whose token is `id`                                     |
//! | `subject` of any other type     | claims: its properties, `sub` and `subject` (both the id), `type`                |
//! | `context`                       | `environment`: texts, lists of texts, numbers, truths; the rest nobody could look at |
//! | `decision`                      | whether the action is allowed; `context` has attributes, advices and ttl, if any |
//!
//! Who may ask: agents and administrators with their session, as header or bearer token, and clients with an access token of
//! that realm with the scope [`EVALUATE`].

use crate::{
    audit::Purpose,
    base_url::BaseUrl,
    caller,
    consensus::Unavailable,
    crest::{
        self, Object,
        body::{self, parse},
    },
    decisions::{self, NoDecision, Question, Who},
    desk::Desk,
    oauth2::{active, bearer, client::EVALUATE},
    policy::{circumstances::Environment, condition::TTL_MAX},
    privileges::{Endpoint, Right},
    realms::{self, Addressed, InPath},
};
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, StatusCode, header},
    web,
};
use quorate_raft::RealmPath;
use serde_json::{Value, json};

/// Most evaluations of one request.
const MAX_EVALUATIONS: usize = 1000;
/// Longest request id that comes back, bytes.
const MAX_REQUEST_ID: usize = 256;
/// The metadata's place.
const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

/// Which of several evaluations are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantic {
    /// All.
    ExecuteAll,
    /// Until one is denied.
    DenyOnFirstDeny,
    /// Until one is permitted.
    PermitOnFirstPermit,
}

impl Semantic {
    fn of(body: &Object) -> Result<Self, Failure> {
        let options = match body.get("options") {
            None | Some(Value::Null) => return Ok(Self::ExecuteAll),
            Some(options) => options.as_object().ok_or_else(|| Failure::bad("options must be an object"))?,
        };
        match options.get("evaluations_semantic") {
            None | Some(Value::Null) => Ok(Self::ExecuteAll),
            Some(Value::String(word)) if word == "execute_all" => Ok(Self::ExecuteAll),
            Some(Value::String(word)) if word == "deny_on_first_deny" => Ok(Self::DenyOnFirstDeny),
            Some(Value::String(word)) if word == "permit_on_first_permit" => Ok(Self::PermitOnFirstPermit),
            Some(_) => Err(Failure::bad("options.evaluations_semantic is none of the three")),
        }
    }

    fn ends_with(self, permitted: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !permitted,
            Self::PermitOnFirstPermit => permitted,
        }
    }
}

/// Why a request, or one evaluation of it, has no decision.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    status: u16,
    message: String,
    retry_after: Option<u32>,
}

impl Failure {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// As the decision of one evaluation: closed.
    fn to_json(&self) -> Value {
        json!({"decision": false, "context": {"error": {"status": self.status, "message": self.message}}})
    }
}

impl From<crest::Error> for Failure {
    fn from(error: crest::Error) -> Self {
        Self { retry_after: error.retry_after(), ..Self::new(error.code(), error.message()) }
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        crest::Error::from(unavailable).into()
    }
}

/// One question, well-formed.
struct Evaluation<'b> {
    subject_type: &'b str,
    subject_id: &'b str,
    properties: Option<&'b Object>,
    action: &'b str,
    set: &'b str,
    resource: &'b str,
    environment: Environment,
}

impl<'b> Evaluation<'b> {
    /// From an evaluation, what it leaves out taken from `defaults`.
    fn of(own: &'b Object, defaults: &'b Object) -> Result<Self, Failure> {
        let member = |name: &str| own.get(name).or_else(|| defaults.get(name)).filter(|value| !value.is_null());
        let entity = |name: &'static str| {
            let value = member(name).ok_or_else(|| Failure::bad(format!("{name} is missing")))?;
            value.as_object().ok_or_else(|| Failure::bad(format!("{name} must be an object")))
        };
        let text = |object: &'b Object, of: &str, name: &str| {
            let value = object.get(name).and_then(Value::as_str);
            value.ok_or_else(|| Failure::bad(format!("{of}.{name} must be a string")))
        };
        let (subject, action, resource) = (entity("subject")?, entity("action")?, entity("resource")?);
        let properties = match subject.get("properties") {
            None | Some(Value::Null) => None,
            Some(Value::Object(properties)) => Some(properties),
            Some(_) => return Err(Failure::bad("subject.properties must be an object")),
        };
        let environment = match member("context") {
            None => Environment::new(),
            Some(Value::Object(context)) => context.iter().filter_map(|(k, v)| Some((k.clone(), texts(v)?))).collect(),
            Some(_) => return Err(Failure::bad("context must be an object")),
        };
        Ok(Self {
            subject_type: text(subject, "subject", "type")?,
            subject_id: text(subject, "subject", "id")?,
            properties,
            action: text(action, "action", "name")?,
            set: text(resource, "resource", "type")?,
            resource: text(resource, "resource", "id")?,
            environment,
        })
    }

    fn who(&self, desk: &Desk) -> Result<Who, Failure> {
        if self.subject_type == "session" {
            let owner = caller::session(desk, self.subject_id);
            let owner = owner.ok_or_else(|| Failure::bad("subject is no live session"))?;
            return Ok(Who::session(desk, &owner, None));
        }
        let mut claims = self.properties.cloned().unwrap_or_default();
        for (name, value) in [("sub", self.subject_id), ("subject", self.subject_id), ("type", self.subject_type)] {
            claims.insert(name.to_owned(), value.into());
        }
        Ok(Who::claims(claims))
    }

    /// The decision, and whether it permits.
    async fn decide(&self, desk: &Desk, realm: &RealmPath) -> Result<(Value, bool), Failure> {
        let Some(set) = desk.policy_set(realm, self.set) else {
            return Ok((json!({"decision": false}), false));
        };
        let question = Question {
            desk,
            realm,
            name: self.set,
            set: &set,
            who: &self.who(desk)?,
            environment: &self.environment,
            purpose: Purpose::AuthZen,
        };
        let decisions = question.decide(&[self.resource.to_owned()]).await.map_err(|error| match error {
            NoDecision::Refused(refused) => Failure::new(refused.status(), refused.message()),
            NoDecision::Unrecorded(_) => Unavailable::Overloaded.into(),
            NoDecision::Unavailable(unavailable) => unavailable.into(),
        })?;
        let Some(row) = decisions.first() else {
            return Ok((json!({"decision": false}), false));
        };
        let permitted = row.allows(self.action);
        let mut context = Object::new();
        for (name, values) in [("attributes", &row.attributes), ("advices", &row.advices)] {
            if !values.is_empty() {
                context.insert(name.to_owned(), json!(values));
            }
        }
        if row.ttl != TTL_MAX {
            context.insert("ttl".to_owned(), json!(row.ttl));
        }
        let mut decision = json!({"decision": permitted});
        if !context.is_empty() {
            decision["context"] = Value::Object(context);
        }
        Ok((decision, permitted))
    }
}

/// A member of `context` as conditions look at it.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Number(number) => Some(vec![number.to_string()]),
        Value::Bool(truth) => Some(vec![truth.to_string()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Object(_) => None,
    }
}

/// Access Evaluations API.
async fn evaluations(desk: &Desk, realm: &RealmPath, body: &Object) -> Result<Value, Failure> {
    let all = match body.get("evaluations") {
        None | Some(Value::Null) => return single(desk, realm, body).await,
        Some(Value::Array(all)) if all.is_empty() => return single(desk, realm, body).await,
        Some(Value::Array(all)) if all.len() <= MAX_EVALUATIONS => all,
        Some(Value::Array(_)) => return Err(Failure::bad(format!("more than {MAX_EVALUATIONS} evaluations"))),
        Some(_) => return Err(Failure::bad("evaluations must be an array")),
    };
    let semantic = Semantic::of(body)?;
    let mut decisions = Vec::with_capacity(all.len());
    for evaluation in all {
        let own = evaluation.as_object().ok_or_else(|| Failure::bad("an evaluation must be an object"))?;
        let decided = match Evaluation::of(own, body) {
            Ok(evaluation) => evaluation.decide(desk, realm).await,
            Err(failure) => Err(failure),
        };
        let (decision, permitted) = match decided {
            Ok(decided) => decided,
            // Nothing was decided, and nothing will be.
            Err(failure) if failure.status == 503 => return Err(failure),
            Err(failure) => (failure.to_json(), false),
        };
        decisions.push(decision);
        if semantic.ends_with(permitted) {
            break;
        }
    }
    Ok(json!({"evaluations": decisions}))
}

/// Access Evaluation API.
async fn single(desk: &Desk, realm: &RealmPath, body: &Object) -> Result<Value, Failure> {
    let none = Object::new();
    Evaluation::of(body, &none)?.decide(desk, realm).await.map(|(decision, _)| decision)
}

/// Whoever asks must be one who may.
fn authorize(desk: &Desk, realm: &RealmPath, request: &HttpRequest) -> Result<(), Failure> {
    let unknown = || Failure::new(401, "Access Denied");
    let header = request.headers().get(desk.front().cookie_name.as_str()).and_then(|value| value.to_str().ok());
    let presented = header.or_else(|| bearer::from_header(request)).ok_or_else(unknown)?;
    let forbidden = || Failure::new(403, "The user has insufficient privileges");
    if let Some(caller) = caller::session(desk, presented) {
        caller::touch(desk, &caller);
        let may = caller.may(Endpoint::Policies, Right::Evaluate, realm);
        return may.then_some(()).ok_or_else(forbidden);
    }
    let token = active::find(desk, presented).map_err(|_| Failure::new(500, "Internal Server Error"))?;
    let token = token.ok_or_else(unknown)?;
    let facts = token.facts();
    if facts.realm != realm.as_str() {
        return Err(unknown());
    }
    facts.scope.iter().any(|scope| **scope == *EVALUATE).then_some(()).ok_or_else(forbidden)
}

/// The realm that a path names, if it exists. The barrier has passed.
fn realm(desk: &Desk, levels: Option<&str>) -> Result<RealmPath, Failure> {
    let named = match levels {
        None => Some(RealmPath::root()),
        Some(levels) => match realms::address(&format!("realms/{levels}"), |_| false) {
            Some(Addressed { realm: InPath::Absolute(realm), rest: "" }) => desk.views().realms.path(realm.as_str()),
            _ => None,
        },
    };
    named.ok_or_else(|| Failure::new(404, "Not Found"))
}

async fn answer(desk: &Desk, request: &HttpRequest, payload: web::Payload) -> Result<Value, Failure> {
    let several = match request.match_info().query("api") {
        "evaluation" => false,
        "evaluations" => true,
        _ => return Err(Failure::new(404, "Not Found")),
    };
    if request.method() != Method::POST {
        return Err(Failure::new(405, "Method Not Allowed"));
    }
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Failure::bad("Content-Type must be application/json"));
    }
    let body = body::read(payload).await?;
    desk.barrier().await?;
    let realm = realm(desk, request.match_info().get("levels"))?;
    authorize(desk, &realm, request)?;
    decisions::at_least(desk, request).await?;
    let Some(Value::Object(body)) = parse(&body)? else {
        return Err(Failure::bad("the body must be a JSON object"));
    };
    if several { evaluations(desk, &realm, &body).await } else { single(desk, &realm, &body).await }
}

/// A request id that the caller chose comes back, as long as it could be one.
fn identified(request: &HttpRequest, mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    if let Some(id) = request.headers().get("X-Request-ID").filter(|id| id.len() <= MAX_REQUEST_ID) {
        response.insert_header(("X-Request-ID", id.clone()));
    }
    crest::response::headers(&mut response, "no-store");
    response
}

fn fail(request: &HttpRequest, failure: &Failure) -> HttpResponse {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = identified(request, HttpResponse::build(status));
    if let Some(seconds) = failure.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    match failure.status {
        401 => drop(response.insert_header((header::WWW_AUTHENTICATE, "Bearer"))),
        405 => drop(response.insert_header((header::ALLOW, "POST"))),
        _ => {}
    }
    response.insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8")).body(failure.message.clone())
}

async fn serve(desk: web::Data<Desk>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match answer(&desk, &request, payload).await {
        Ok(answer) => identified(&request, HttpResponse::Ok()).json(answer),
        Err(failure) => fail(&request, &failure),
    }
}

/// Policy Decision Point metadata: public. The path behind the well-known name is that of the PDP.
async fn metadata(desk: web::Data<Desk>, request: HttpRequest) -> HttpResponse {
    let path = request.match_info().get("pdp").unwrap_or_default().trim_end_matches('/').to_owned();
    let found = async {
        desk.barrier().await?;
        let context = desk.front().context_path.as_str();
        let below = match path.strip_prefix(context) {
            Some(below) if below.is_empty() || below.starts_with('/') => below,
            _ if path.is_empty() => "",
            _ => return Err(Failure::new(404, "Not Found")),
        };
        let levels = match below {
            "" => None,
            below => Some(below.strip_prefix("/realms/").ok_or_else(|| Failure::new(404, "Not Found"))?),
        };
        realm(&desk, levels)
    };
    let realm = match found.await {
        Ok(realm) => realm,
        Err(failure) => return fail(&request, &failure),
    };
    let pdp = format!("{}{path}", BaseUrl::in_realm(&desk, &realm, &request).origin());
    let document = json!({
        "policy_decision_point": pdp,
        "access_evaluation_endpoint": format!("{pdp}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{pdp}/access/v1/evaluations"),
    });
    identified(&request, HttpResponse::Ok()).json(document)
}

/// Mounts realms below the context path; the caller provides the scope and [`Desk`] as `web::Data`.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/access/v1/{api}").to(serve))
        .service(web::resource("/realms/{levels:.+}/access/v1/{api}").to(serve));
}

/// Mounts what lies at the root of the host: the top-level realm, and everybody's metadata.
pub fn configure_root(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/access/v1/{api}").to(serve))
        .service(web::resource(format!("{WELL_KNOWN}{{pdp:(/.*)?}}")).route(web::get().to(metadata)));
}

#[cfg(test)]
pub(crate) mod tests;
