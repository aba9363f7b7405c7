//! The OAuth 2.0 / OpenID Connect provider: every endpoint below `{context}/oauth2`.
//!
//! Read `serve_path` (what happens to every request), then one file per endpoint; the grants lie in [`grants`].
//!
//! | endpoint                                  | RFC                          | file               |
//! |-------------------------------------------|------------------------------|--------------------|
//! | `access_token`                            | 6749 §3.2, 7636              | [`token`]          |
//! | `authorize`                               | 6749 §3.1, OIDC Core §3.1.2   | [`authorize`]      |
//! | `introspect`                              | 7662                         | [`introspect`]     |
//! | `token/revoke`                            | 7009                         | [`revoke`]         |
//! | `tokeninfo`                               | (AM)                         | [`tokeninfo`]      |
//! | `userinfo`                                | OIDC Core §5.3, 6750          | [`userinfo`]       |
//! | `connect/jwk_uri`                         | 7517                         | [`discovery`]      |
//! | `.well-known/openid-configuration`        | OIDC Discovery §4            | [`discovery`]      |
//! | `.well-known/oauth-authorization-server`  | 8414                         | [`discovery`]      |
//!
//! | rule for all of them                      | source                       | we do it in        |
//! |-------------------------------------------|------------------------------|--------------------|
//! | three realm forms and `?realm=`           | oauth2-endpoints §1.1        | `realm_of`         |
//! | method, media type, limits                | oauth2-endpoints §2.1, §2.2  | `serve_path`       |
//! | secrets in the URI are not looked at      | RFC 6749 §2.3.1, abuse CO-09 | [`Source`]         |
//! | a security decision follows a barrier     | G2                           | `serve_path`       |
//! | no decision without quorum                | G7                           | [`error`]          |

pub mod active;
pub mod answer;
pub mod attributes;
pub mod audience;
pub mod authenticate;
pub mod authorize;
pub mod bearer;
pub mod client;
pub mod client_based;
pub mod consent;
pub mod discovery;
pub mod error;
pub mod grant_type;
pub mod grants;
pub mod id_token;
pub mod introspect;
pub mod issue;
pub mod login;
pub mod params;
pub mod pkce;
pub mod provider;
pub mod redirect;
pub mod revoke;
pub mod scope;
pub mod scope_policy;
pub mod token;
pub mod tokeninfo;
pub mod userinfo;

#[cfg(test)]
mod tests;

use crate::{
    audit::context,
    base_url::BaseUrl,
    desk::Desk,
    realms::{self, InPath, NoRealm},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web,
};
use error::{Code, Error, Result};
use grant_type::GrantType;
use params::{MAX_FORM_BYTES, Params};
use quorate_raft::RealmPath;

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `access_token`
    AccessToken,
    /// `authorize`
    Authorize,
    /// `introspect`
    Introspect,
    /// `token/revoke`
    Revoke,
    /// `tokeninfo`
    TokenInfo,
    /// `userinfo`
    UserInfo,
    /// `connect/jwk_uri`
    Jwks,
    /// `.well-known/openid-configuration`
    OpenIdConfiguration,
    /// `.well-known/oauth-authorization-server`
    AuthorizationServer,
}

/// Where an endpoint's parameters come from. `realm` is read from the query string by all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The body of a POST; the query string is not looked at.
    Form,
    /// Query string and body of a POST as if they were one.
    QueryAndForm,
    /// The query string.
    Query,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::AccessToken,
        Self::Authorize,
        Self::Introspect,
        Self::Revoke,
        Self::TokenInfo,
        Self::UserInfo,
        Self::Jwks,
        Self::OpenIdConfiguration,
        Self::AuthorizationServer,
    ];

    /// The path below the realm.
    pub const fn path(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::Authorize => "authorize",
            Self::Introspect => "introspect",
            Self::Revoke => "token/revoke",
            Self::TokenInfo => "tokeninfo",
            Self::UserInfo => "userinfo",
            Self::Jwks => "connect/jwk_uri",
            Self::OpenIdConfiguration => ".well-known/openid-configuration",
            Self::AuthorizationServer => ".well-known/oauth-authorization-server",
        }
    }

    fn parse(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }

    /// Allowed methods, in the words of the error and of the `Allow` header.
    const fn methods(self) -> (&'static str, &'static str) {
        match self {
            Self::AccessToken | Self::Introspect | Self::Revoke => ("POST", "POST"),
            Self::Authorize | Self::UserInfo => ("GET or POST", "GET, POST"),
            Self::TokenInfo => ("GET", "GET"),
            Self::Jwks | Self::OpenIdConfiguration | Self::AuthorizationServer => ("GET", "GET, HEAD"),
        }
    }

    const fn source(self) -> Source {
        match self {
            Self::Authorize => Source::QueryAndForm,
            Self::TokenInfo => Source::Query,
            _ => Source::Form,
        }
    }

    /// Public documents, which decide nothing.
    const fn is_metadata(self) -> bool {
        matches!(self, Self::Jwks | Self::OpenIdConfiguration | Self::AuthorizationServer)
    }
}

/// A request as endpoints see it: past method, media type, limits, barrier and realm.
pub struct Request<'r> {
    /// The cluster.
    pub desk: &'r Desk,
    /// The head of the request.
    pub http: &'r HttpRequest,
    /// The realm, which exists.
    pub realm: RealmPath,
    /// The parameters, each once.
    pub params: &'r Params<'r>,
    /// Whether the read barrier has been passed.
    pub reads: Reads,
}

impl Request<'_> {
    /// What the realm is called from where this request comes: issuer, links.
    pub fn base_url(&self) -> BaseUrl {
        BaseUrl::in_realm(self.desk, &self.realm, self.http)
    }
}

/// What an answer may rest on (G2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The barrier was passed: views are up to date.
    Confirmed,
    /// Views as they are; whoever answers must have something decided, or pass the barrier, before it is checked that
    /// nothing that was read has changed (ADR 8).
    ToBeConfirmed,
}

/// Mounts the service; the caller provides the scope `{context}/oauth2` and [`Desk`] as `web::Data`.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/{tail:.*}").to(serve));
}

/// Mounts what lies at the root of the host: metadata under the path that RFC 8414 §3.1 derives from an issuer by inserting
/// the well-known name between host and path.
pub fn configure_root(config: &mut web::ServiceConfig) {
    config.service(web::resource("/.well-known/oauth-authorization-server{issuer:/.*}").to(serve_inserted));
}

async fn serve(desk: web::Data<Desk>, http: HttpRequest, payload: web::Payload) -> HttpResponse {
    let path = http.match_info().query("tail").to_owned();
    serve_path(&desk, &http, payload, &path).await
}

async fn serve_inserted(desk: web::Data<Desk>, http: HttpRequest, payload: web::Payload) -> HttpResponse {
    let issuer = http.match_info().query("issuer");
    let below = issuer.strip_prefix(desk.front().context_path.as_str()).and_then(|rest| rest.strip_prefix("/oauth2"));
    match below.filter(|realm| realm.is_empty() || realm.starts_with('/')) {
        Some(realm) => {
            let path = format!("{}/{}", realm.trim_end_matches('/'), Endpoint::AuthorizationServer.path());
            serve_path(&desk, &http, payload, &path).await
        }
        None => Error::of(Code::NotFound).response(None),
    }
}

/// The endpoint at `path`, which is what lies below the mount point, and what the path says about the realm.
pub fn addressed(path: &str) -> Option<(Endpoint, InPath)> {
    let addressed = realms::address(path, |rest| Endpoint::parse(rest).is_some())?;
    // oauth2-endpoints §1.1: below `oauth2`, `realms/` is always followed by `root` first.
    let fits = !matches!(addressed.realm, InPath::Relative(_));
    fits.then_some((Endpoint::parse(addressed.rest)?, addressed.realm))
}

/// Answers every request; `path` is what lies below the mount point.
async fn serve_path(desk: &Desk, http: &HttpRequest, payload: web::Payload, path: &str) -> HttpResponse {
    let Some((endpoint, realm)) = addressed(path) else {
        return Error::of(Code::NotFound).response(None);
    };
    let body = match receive(endpoint, http, payload).await {
        Ok(body) => body,
        Err(error) => return fail(endpoint, desk, None, &error, None),
    };
    let sources: &[&[u8]] = match endpoint.source() {
        Source::Form => &[&body],
        Source::Query => &[http.query_string().as_bytes()],
        Source::QueryAndForm => &[http.query_string().as_bytes(), &body],
    };
    let params = match Params::parse(sources) {
        Ok(params) => params,
        Err(error) => return fail(endpoint, desk, None, &error, None),
    };
    context::asked(|name| params.get(name));
    if endpoint == Endpoint::AccessToken
        && params.get("grant_type") == Some(GrantType::ClientCredentials.name())
        && let Some(answer) = issue_at_once(desk, http, &realm, &params).await
    {
        return answer;
    }
    let realm = match realm_of(desk, endpoint, realm, http).await {
        Ok(realm) => realm,
        Err(error) => return fail(endpoint, desk, None, &error, None),
    };
    context::in_realm(&realm);
    let request = Request { desk, http, realm, params: &params, reads: Reads::Confirmed };
    let answer = match endpoint {
        Endpoint::AccessToken => token::answer(&request).await,
        Endpoint::Authorize => authorize::answer(&request).await,
        Endpoint::Introspect => introspect::answer(&request).await,
        Endpoint::Revoke => revoke::answer(&request).await,
        Endpoint::TokenInfo => tokeninfo::answer(&request),
        Endpoint::UserInfo => userinfo::answer(&request),
        Endpoint::Jwks => discovery::keys(&request),
        Endpoint::OpenIdConfiguration | Endpoint::AuthorizationServer => Ok(discovery::metadata(&request)),
    };
    // oauth2-endpoints §2.4: the token endpoint echoes `state` when it says no.
    let state = if endpoint == Endpoint::AccessToken { params.get("state") } else { None };
    answer.unwrap_or_else(|error| fail(endpoint, desk, Some(&request.realm), &error, state))
}

/// A token by client credentials without waiting for the barrier first: the log entry that stores the token comes after
/// everything acknowledged before the request, and when no document has changed until this node has applied it, then
/// client, provider and policies were read as they were at that entry (ADR 8). `None` when that is not so, or when the
/// answer would be "no": then the request is answered anew, after the barrier.
async fn issue_at_once(desk: &Desk, http: &HttpRequest, in_path: &InPath, params: &Params<'_>) -> Option<HttpResponse> {
    if *in_path == InPath::Nothing && !http.query_string().is_empty() {
        return None;
    }
    let epoch = desk.views().documents_epoch();
    let realm = realms::find(desk, http, in_path, None).ok()?;
    context::in_realm(&realm);
    let request = Request { desk, http, realm, params, reads: Reads::ToBeConfirmed };
    match token::answer(&request).await {
        Ok(answer) if desk.views().documents_epoch() == epoch => Some(answer),
        // Without quorum, asking again would only take longer to say so.
        Err(error) if error.is_unavailable() => Some(error.response(params.get("state"))),
        Ok(_) | Err(_) => None,
    }
}

fn fail(
    endpoint: Endpoint,
    desk: &Desk,
    realm: Option<&RealmPath>,
    error: &Error,
    state: Option<&str>,
) -> HttpResponse {
    if endpoint == Endpoint::Authorize { consent::error_page(desk, realm, error) } else { error.response(state) }
}

/// Checks method and media type, and reads the body of a form.
async fn receive(endpoint: Endpoint, http: &HttpRequest, payload: web::Payload) -> Result<web::Bytes> {
    let (required, allow) = endpoint.methods();
    let method = http.method();
    let allowed = allow.split(", ").any(|name| name == method.as_str());
    if !allowed {
        let found: String = method.as_str().chars().take(20).collect();
        return Err(Error::method(required, allow, &found));
    }
    if method != Method::POST {
        return Ok(web::Bytes::new());
    }
    let body = match payload.to_bytes_limited(MAX_FORM_BYTES).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(Error::of(Code::InvalidRequest)),
        Err(_) => return Err(Error::too_large()),
    };
    if !body.is_empty() && !is_form(http) {
        return Err(Error::invalid_request("Invalid Content Type"));
    }
    Ok(body)
}

fn is_form(http: &HttpRequest) -> bool {
    let media_type = http.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The realm that the request names, if it exists: path before query before host before the top level. Passes the read
/// barrier, which metadata needs only before it denies that a realm exists.
async fn realm_of(desk: &Desk, endpoint: Endpoint, in_path: InPath, http: &HttpRequest) -> Result<RealmPath> {
    let query = http.query_string();
    let read = match in_path {
        InPath::Nothing if !query.is_empty() => Some(Params::parse(&[query.as_bytes()])?),
        _ => None,
    };
    let parameter = read.as_ref().and_then(|params| params.get("realm"));
    let is_named = in_path != InPath::Nothing || parameter.is_some();
    if endpoint.is_metadata()
        && (is_named || realms::is_certain(desk, http, &in_path, parameter))
        && let Ok(realm) = realms::find(desk, http, &in_path, parameter)
    {
        return Ok(realm);
    }
    desk.barrier().await?;
    realms::find(desk, http, &in_path, parameter).map_err(Error::from)
}

impl From<NoRealm> for Error {
    fn from(none: NoRealm) -> Self {
        match none {
            NoRealm::Absent(realm) => Self::realm(realm.as_str()),
            NoRealm::Parameter(value) => Self::realm(&value),
            NoRealm::Host(host) => Self::invalid_request(format!("FQDN \"{host}\" is not valid.")),
            NoRealm::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
