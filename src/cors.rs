//! Cross-origin resource sharing: which pages of other origins may read our answers (WHATWG Fetch §3.3; AZ-21, BCP-21).
//!
//! | it says                                                                  | here                    |
//! |--------------------------------------------------------------------------|-------------------------|
//! | global service `CorsService`, its instances `configuration`              | `Configuration`         |
//! | oauth2-endpoints §2.7: origins match exactly, none is reflected unasked   | `granted`               |
//! | §2.7: `*` never with credentials                                         | [`is_reckless`], `Grant` |
//! | §2.7: `javascriptOrigins` of active clients of the realm, OAuth 2.0 only | `ClientOrigins`         |
//! | §2.7: discovery and keys may be read by anybody                          | `oauth2::answer::metadata` |
//! | RFC 9700 §2.6: never the authorization endpoint                          | `Place::of`             |
//! | Fetch §3.3.3: a preflight names origin, method and headers               | `Grant::preflight`      |
//! | Fetch §3.3.5: answers differ by origin                                   | `vary`                  |
//!
//! Off until something is configured. Of several configurations, the first in the order of their names that accepts the origin
//! (and, of a preflight, method and headers) is the one that counts. A request from elsewhere is answered as ever; it is the
//! browser that keeps the answer from a page that may not read it. Preflights that are not granted are answered by the endpoint,
//! which knows no `OPTIONS`.

use crate::{
    base_url::usual_port,
    config::is_token,
    desk::Desk,
    oauth2::{self, client::Client},
    realms::{self, InPath},
    rest::services::{effective, instances::InstanceType},
    views::{Entry, Ordered, Remembered},
};
use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use quorate_raft::{Kind, RealmPath};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
    sync::Arc,
};

/// Id of the global service.
pub const SERVICE: &str = "CorsService";
/// Its type of instances.
pub const CONFIGURATION: &str = "configuration";

/// Longest origin that is looked at, bytes.
const MAX_ORIGIN_BYTES: usize = 512;
/// Most headers that a preflight may name.
const MAX_HEADERS: usize = 64;
/// Most realms whose clients' origins a thread remembers.
const MAX_REALMS: usize = 64;

/// What pages of a client's `javascriptOrigins` may send and read at the endpoints of OAuth 2.0, which take no other methods and
/// no session.
const OF_CLIENTS: (&[&str], &[&str], &[&str], u64) =
    (&["GET", "POST"], &["authorization", "content-type", "accept-api-version"], &["WWW-Authenticate"], 600);

/// The origin `text` as browsers spell it: lower case, without the port that its scheme has anyway; `None` for what is none.
pub fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let host = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if !is_scheme || rest.is_empty() || text.len() > MAX_ORIGIN_BYTES || !rest.bytes().all(host) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let bare = usual_port(scheme).and_then(|(_, port)| lower.strip_suffix(port)).map(str::to_owned);
    Some(bare.unwrap_or(lower))
}

/// Whether `text` can be accepted: an origin, or `*` for all.
pub fn is_origin(text: &str) -> bool {
    text == "*" || origin(text).is_some()
}

/// Whether `text` names one method or header, and is no wildcard.
pub fn is_name(text: &str) -> bool {
    is_token(text) && text.len() <= 128 && text != "*"
}

/// Whether a stored configuration is one that nobody should have: all origins, with credentials.
pub fn is_reckless(stored: &serde_json::Map<String, Value>) -> bool {
    let any = stored.get("acceptedOrigins").and_then(Value::as_array).into_iter().flatten().any(|origin| origin == "*");
    any && stored.get("allowCredentials") == Some(&Value::Bool(true))
}

/// What one configuration lets others do, compiled.
#[derive(Debug, Default)]
struct Configuration {
    enabled: bool,
    origins: BTreeSet<String>,
    any_origin: bool,
    methods: Vec<String>,
    /// In lower case.
    headers: Vec<String>,
    exposed: Vec<String>,
    max_age: u64,
    credentials: bool,
}

impl Configuration {
    fn of(entry: &Entry) -> Arc<Self> {
        entry.typed(Self::read)
    }

    fn read(body: &Value) -> Self {
        let list = |name: &str| -> Vec<String> {
            let values = body.get(name).and_then(Value::as_array);
            values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
        let origins = list("acceptedOrigins");
        let any_origin = origins.iter().any(|origin| origin == "*");
        Self {
            enabled: flag("enabled"),
            origins: origins.iter().filter_map(|text| origin(text)).collect(),
            any_origin,
            methods: list("acceptedMethods").iter().map(|method| method.to_ascii_uppercase()).collect(),
            headers: list("acceptedHeaders").iter().map(|name| name.to_ascii_lowercase()).collect(),
            exposed: list("exposedHeaders"),
            max_age: body.get("maxAge").and_then(Value::as_u64).unwrap_or(600),
            // Said twice, so that no document can say both: what is stored was checked when it was written.
            credentials: flag("allowCredentials") && !any_origin,
        }
    }

    /// What clients' own origins are granted.
    fn of_clients() -> Self {
        let own = |list: &[&str]| list.iter().map(|&item| item.to_owned()).collect();
        let (methods, headers, exposed, max_age) = OF_CLIENTS;
        Self { methods: own(methods), headers: own(headers), exposed: own(exposed), max_age, ..Self::default() }
    }
}

/// What is governed here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Below `/json`.
    Json,
    /// An endpoint of OAuth 2.0 in a realm.
    OAuth(InPath),
}

impl Place {
    /// `None` for what no other origin has any business with: the authorization endpoint, pages, everything that is not named
    /// here.
    fn of(desk: &Desk, path: &str) -> Option<Self> {
        let below = path.strip_prefix(desk.front().context_path.as_str())?;
        if let Some(rest) = below.strip_prefix("/json") {
            return (rest.is_empty() || rest.starts_with('/')).then_some(Self::Json);
        }
        let (endpoint, realm) = oauth2::addressed(below.strip_prefix("/oauth2/")?)?;
        (endpoint != oauth2::Endpoint::Authorize).then_some(Self::OAuth(realm))
    }
}

/// What an origin is granted.
struct Grant {
    configuration: Arc<Configuration>,
    /// The origin, or `*`.
    origin: HeaderValue,
}

/// A request of a page, as far as it is decided about.
struct Asked<'a> {
    origin: &'a str,
    /// Of a preflight: the method and the headers, in lower case.
    wants: Option<(&'a str, Vec<String>)>,
}

impl Asked<'_> {
    fn suits(&self, configuration: &Configuration) -> bool {
        let Some((method, headers)) = &self.wants else { return true };
        // Fetch §3.3.3: these need no leave.
        let simple = ["GET", "HEAD", "POST"].contains(method);
        (simple || configuration.methods.iter().any(|known| known == method))
            && headers.iter().all(|name| configuration.headers.contains(name))
    }
}

/// The configurations that are on, by their names.
type Configurations = Rc<[Arc<Configuration>]>;

/// The configurations that are on, as the views show them; `None` while the service is off. Every request asks.
fn configurations(desk: &Desk) -> Option<Configurations> {
    thread_local! {
        static KNOWN: Remembered<Option<Configurations>> = const { Remembered::new() };
    }
    let made = || {
        effective(desk, &RealmPath::root(), SERVICE).flag("", "enabled").then(|| {
            let all = InstanceType::all(desk, SERVICE, CONFIGURATION);
            let all = all.iter().map(|(_, entry)| Configuration::of(entry));
            all.filter(|configuration| configuration.enabled).collect()
        })
    };
    KNOWN.with(|known| known.get(desk.views(), made))
}

/// What is granted, as the views show it.
fn granted(desk: &Desk, place: &Place, request: &HttpRequest, asked: &Asked<'_>) -> Option<Grant> {
    let all = configurations(desk)?;
    let exact = |configuration: &&Arc<Configuration>| configuration.origins.contains(asked.origin);
    let found = all.iter().filter(exact).find(|configuration| asked.suits(configuration));
    if let Some(configuration) = found {
        let origin = HeaderValue::from_str(asked.origin).ok()?;
        return Some(Grant { configuration: configuration.clone(), origin });
    }
    if let Place::OAuth(in_path) = place
        && of_a_client(desk, in_path, request, asked.origin)
    {
        let configuration = Arc::new(Configuration::of_clients());
        if asked.suits(&configuration) {
            return Some(Grant { configuration, origin: HeaderValue::from_str(asked.origin).ok()? });
        }
    }
    let any = all.iter().find(|configuration| configuration.any_origin && asked.suits(configuration))?;
    Some(Grant { configuration: any.clone(), origin: HeaderValue::from_static("*") })
}

/// The origins of the active clients of a realm, and of what listings they were made.
#[derive(Default)]
struct ClientOrigins {
    clients: Ordered,
    groups: Ordered,
    origins: Rc<BTreeSet<String>>,
}

impl ClientOrigins {
    /// As the views show them. Looks at every client once after each change of any: a thread remembers the rest.
    fn of(desk: &Desk, realm: &RealmPath) -> Rc<BTreeSet<String>> {
        thread_local! {
            static KNOWN: RefCell<HashMap<RealmPath, ClientOrigins>> = RefCell::default();
        }
        let clients = desk.rows(realm, Kind::OAuth2Client);
        let groups = desk.rows(realm, Kind::AgentGroup);
        KNOWN.with_borrow_mut(|known| {
            if let Some(former) = known.get(realm)
                && former.clients.is_same(&clients)
                && former.groups.is_same(&groups)
            {
                return former.origins.clone();
            }
            let active =
                clients.iter().map(|row| Client::of(desk.views(), &row.entry).0).filter(|client| client.active);
            let origins: BTreeSet<String> = active.flat_map(|client| client.javascript_origins.clone()).collect();
            let origins = Rc::new(origins);
            if known.len() >= MAX_REALMS {
                known.clear();
            }
            known.insert(realm.clone(), ClientOrigins { clients, groups, origins: origins.clone() });
            origins
        })
    }
}

/// Whether `origin` is one of an active client of the realm that the request addresses.
fn of_a_client(desk: &Desk, in_path: &InPath, request: &HttpRequest, origin: &str) -> bool {
    let query = request.query_string();
    let params = crate::crest::Params::parse(query).unwrap_or_default();
    let parameter = if *in_path == InPath::Nothing { params.get("realm") } else { None };
    realms::find(desk, request, in_path, parameter).is_ok_and(|realm| ClientOrigins::of(desk, &realm).contains(origin))
}

/// The one value of a header.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// What a preflight asks for; `None` for one that asks for nothing that could be granted.
fn wants(headers: &HeaderMap) -> Option<(&str, Vec<String>)> {
    let method = one(headers, &header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let named = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).map(|line| line.to_str().unwrap_or("*"));
    let names: Vec<String> = named
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .take(MAX_HEADERS + 1)
        .collect();
    (names.len() <= MAX_HEADERS).then_some((method, names))
}

/// Adds to `Vary`.
fn vary(headers: &mut HeaderMap, names: &'static str) {
    headers.append(header::VARY, HeaderValue::from_static(names));
}

fn put(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let (false, Ok(value)) = (values.is_empty(), HeaderValue::from_str(&values.join(", "))) {
        headers.insert(name, value);
    }
}

impl Grant {
    fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        if self.configuration.credentials && self.origin != "*" {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    fn preflight(&self) -> HttpResponse {
        let mut response = HttpResponse::NoContent().finish();
        let headers = response.headers_mut();
        self.tell(headers);
        put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &self.configuration.methods);
        put(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &self.configuration.headers);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.configuration.max_age));
        vary(headers, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
        response
    }
}

/// Answers preflights, and tells browsers who may read the other answers.
///
/// # Errors
/// Those of `next`.
pub async fn answer<B: MessageBody + 'static>(
    desk: web::Data<Desk>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(place) = Place::of(&desk, request.path()) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let sent = one(request.headers(), &header::ORIGIN);
    // What is spelled otherwise comes from no browser.
    let from = sent.filter(|sent| origin(sent).as_deref() == Some(*sent)).map(str::to_owned);
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if let (true, Some(from)) = (is_preflight, &from)
        && let Some(wants) = wants(request.headers())
        && let Some(grant) = granted(&desk, &place, request.request(), &Asked { origin: from, wants: Some(wants) })
    {
        return Ok(request.into_response(grant.preflight()).map_into_right_body());
    }
    // A preflight that is not granted is told nothing.
    let from = from.filter(|_| !is_preflight);
    // After the endpoint, which has passed the barrier: who was shut out before the request is shut out here.
    let mut response = next.call(request).await?;
    // What anybody may read says so itself.
    if response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return Ok(response.map_into_left_body());
    }
    let grant = from.and_then(|from| granted(&desk, &place, response.request(), &Asked { origin: &from, wants: None }));
    let differs = sent_or_configured(&desk, response.request());
    let headers = response.headers_mut();
    if let Some(grant) = grant {
        grant.tell(headers);
        put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &grant.configuration.exposed);
    }
    if differs {
        vary(headers, "Origin");
    }
    Ok(response.map_into_left_body())
}

/// Whether an answer could be another for another origin.
fn sent_or_configured(desk: &Desk, request: &HttpRequest) -> bool {
    request.headers().contains_key(header::ORIGIN) || configurations(desk).is_some_and(|all| !all.is_empty())
}

#[cfg(test)]
mod tests;
