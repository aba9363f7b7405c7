//! What an OAuth 2.0 endpoint may say when it says no.
//!
//! | RFC               | it says                                           | we do it in                   |
//! |-------------------|---------------------------------------------------|-------------------------------|
//! | 6749 §5.2         | `error`, `error_description` as JSON, status 400    | [`Error::response`]           |
//! | 6749 §5.2         | 401 and `WWW-Authenticate` after an `Authorization` header | [`Error::unauthenticated`] |
//! | 6750 §3           | `WWW-Authenticate: Bearer` at protected resources   | [`Error::bearer`]             |
//! | 6749 §4.1.2.1     | codes of the authorization endpoint               | [`Code`]                      |
//! | oauth2-endpoints §2.5 | status, code and default text per condition   | [`Code`]                      |
//!
//! Words for the client are fixed texts; what went wrong inside goes to the log and nowhere else.

use super::answer;
use crate::{attempts::Stopped, consensus::Unavailable, keys::KeyError};
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use quorate_raft::{RealmPath, Refusal};
use serde::Serialize;
use std::borrow::Cow;

/// Every code that we answer, each with one status and one default description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The resource owner said no.
    AccessDenied,
    /// Malformed beyond what OAuth has words for; a failed CSRF check.
    BadRequest,
    /// `prompt=none`, and somebody would have to be asked.
    ConsentRequired,
    /// The token lacks a scope.
    InsufficientScope,
    /// Client authentication failed.
    InvalidClient,
    /// Code, or what stands behind it, is not valid.
    InvalidGrant,
    /// A parameter is missing, wrong or repeated.
    InvalidRequest,
    /// A scope that cannot be granted.
    InvalidScope,
    /// The access token is not valid.
    InvalidToken,
    /// `prompt=none`, and nobody is logged in.
    LoginRequired,
    /// Another method is required.
    MethodNotAllowed,
    /// No such endpoint.
    NotFound,
    /// The redirection URI is not one of the client's.
    RedirectUriMismatch,
    /// OpenID Connect Core §6: request objects are not supported.
    RequestNotSupported,
    /// OpenID Connect Core §6: request objects by reference are not supported.
    RequestUriNotSupported,
    /// Our fault.
    ServerError,
    /// Nothing was decided; try again.
    TemporarilyUnavailable,
    /// The client may not do this.
    UnauthorizedClient,
    /// No such grant type here.
    UnsupportedGrantType,
    /// No such response type here, or not for this client.
    UnsupportedResponseType,
}

impl Code {
    /// On the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::BadRequest => "bad_request",
            Self::ConsentRequired => "consent_required",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidToken => "invalid_token",
            Self::LoginRequired => "login_required",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::RedirectUriMismatch => "redirect_uri_mismatch",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    const fn default_text(self) -> &'static str {
        match self {
            Self::AccessDenied => "Resource Owner did not authorize the request",
            Self::BadRequest => "",
            Self::ConsentRequired => "The request requires consent.",
            Self::InsufficientScope => "The resource requested requires scope: openid",
            Self::InvalidClient => "Client authentication failed",
            Self::InvalidGrant => "The provided access grant is invalid, expired, or revoked.",
            Self::InvalidRequest => {
                "The request is missing a required parameter, includes an invalid parameter value, or is otherwise malformed."
            }
            Self::InvalidScope => "Unknown/invalid scope(s)",
            Self::InvalidToken => {
                "The access token provided is expired, revoked, malformed, or invalid for other reasons."
            }
            Self::LoginRequired => "The request requires login.",
            Self::MethodNotAllowed => "Method not allowed",
            Self::NotFound => "Invalid URL",
            Self::RedirectUriMismatch => "The redirection URI provided does not match a pre-registered value.",
            Self::RequestNotSupported => "Request objects are not supported.",
            Self::RequestUriNotSupported => "Request objects by reference are not supported.",
            Self::ServerError => "The server failed to process the request.",
            Self::TemporarilyUnavailable => "The service is temporarily unavailable, try again later.",
            Self::UnauthorizedClient => {
                "The client is not authorized to request an authorization code using this method."
            }
            Self::UnsupportedGrantType => "Grant type is not supported",
            Self::UnsupportedResponseType => "Response type is not supported.",
        }
    }
}

/// What goes into the head of the answer beside the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Head {
    Plain,
    /// 401 with this challenge.
    Challenge(String),
    /// 503, and when to come back, seconds.
    RetryAfter(u32),
    /// 429, and when to come back, seconds.
    Paused(u32),
    /// 405, and what is allowed.
    Allow(&'static str),
    /// 413.
    TooLarge,
}

/// An answer that says no. RFC 6749 §5.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    says: Cow<'static, str>,
    head: Head,
}

/// Result of anything that an endpoint does.
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    error_description: &'a str,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
}

impl Error {
    /// `code` with the text that goes with it when there is no better one.
    pub const fn of(code: Code) -> Self {
        Self { code, says: Cow::Borrowed(code.default_text()), head: Head::Plain }
    }

    /// `code` with a text of its own.
    pub fn new(code: Code, says: impl Into<Cow<'static, str>>) -> Self {
        Self { code, says: says.into(), head: Head::Plain }
    }

    /// `invalid_request` with a text of its own.
    pub fn invalid_request(says: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, says)
    }

    /// RFC 6749 §5.2: one text for every reason, and 401 when the client used the `Authorization` header.
    pub fn unauthenticated(realm: &RealmPath, used_header: bool) -> Self {
        Self::of(Code::InvalidClient).challenged(realm, used_header)
    }

    /// The same, when the client proved itself in a way that is not the one it is registered with.
    pub fn other_method(realm: &RealmPath, used_header: bool) -> Self {
        Self::new(Code::InvalidClient, "Invalid authentication method for accessing this endpoint.")
            .challenged(realm, used_header)
    }

    fn challenged(mut self, realm: &RealmPath, used_header: bool) -> Self {
        if used_header {
            self.head = Head::Challenge(format!("Basic realm=\"{}\"", quotable(realm.as_str())));
        }
        self
    }

    /// RFC 6750 §3.1.
    pub fn bearer(code: Code, realm: &RealmPath) -> Self {
        let challenge = format!("Bearer realm=\"{}\", error=\"{}\"", quotable(realm.as_str()), code.name());
        Self { head: Head::Challenge(challenge), ..Self::of(code) }
    }

    /// oauth2-endpoints §2.1.
    pub fn method(required: &'static str, allow: &'static str, found: &str) -> Self {
        let says = format!("Required Method: {required} found: {found}");
        Self { head: Head::Allow(allow), ..Self::new(Code::MethodNotAllowed, says) }
    }

    /// oauth2-endpoints §1.1.
    pub fn realm(named: &str) -> Self {
        Self::invalid_request(format!("Invalid realm, {named}"))
    }

    /// RFC 9110 §15.5.14.
    pub fn too_large() -> Self {
        Self { head: Head::TooLarge, ..Self::invalid_request("The request is too large.") }
    }

    /// The OAuth code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// `error_description`; may be empty.
    pub fn says(&self) -> &str {
        &self.says
    }

    /// Whether there was no decision: 503.
    pub fn is_unavailable(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match (&self.head, self.code) {
            (Head::Challenge(_), Code::InvalidClient) => StatusCode::UNAUTHORIZED,
            (Head::TooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Head::Paused(_), _) => StatusCode::TOO_MANY_REQUESTS,
            (_, code) => code.status(),
        }
    }

    /// The JSON answer; `state` is echoed where an endpoint promises it.
    pub fn response(&self, state: Option<&str>) -> HttpResponse {
        let body = Body { error_description: &self.says, error: self.code.name(), state };
        let mut response = answer::json(self.status(), &body);
        self.amend(&mut response);
        response
    }

    /// Adds what the status needs to the head of a response that renders this error in another form.
    pub fn amend(&self, response: &mut HttpResponse) {
        let (name, value) = match &self.head {
            Head::Plain | Head::TooLarge => return,
            Head::Challenge(challenge) => (header::WWW_AUTHENTICATE, HeaderValue::from_str(challenge)),
            Head::RetryAfter(seconds) | Head::Paused(seconds) => (header::RETRY_AFTER, Ok(HeaderValue::from(*seconds))),
            Head::Allow(methods) => (header::ALLOW, Ok(HeaderValue::from_static(methods))),
        };
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
}

/// A realm as a quoted-string may hold it (RFC 9110 §5.6.4).
fn quotable(realm: &str) -> String {
    realm.chars().map(|c| if c.is_ascii_graphic() && c != '"' && c != '\\' { c } else { '?' }).collect()
}

/// G7: without a decision there is no answer, and never an old one.
impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        tracing::debug!(%unavailable, "no decision");
        Self { head: Head::RetryAfter(unavailable.retry_after()), ..Self::of(Code::TemporarilyUnavailable) }
    }
}

/// RFC 6585 §4: whatever the secret is, for as long as the pause lasts.
impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Unavailable(unavailable) => unavailable.into(),
            Stopped::Paused(pause) => {
                let seconds = u32::try_from(pause.0.div_ceil(1000)).unwrap_or(u32::MAX).max(1);
                let says = "Too many failed attempts, try again later.";
                Self { head: Head::Paused(seconds), ..Self::new(Code::TemporarilyUnavailable, says) }
            }
        }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        tracing::error!(%error, "cannot sign");
        Self::of(Code::ServerError)
    }
}

/// The one place where a decision of the cluster becomes a word of the RFC.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        use Refusal::*;
        tracing::debug!(refusal = refusal.label(), "refused");
        match refusal {
            // One sentence for many reasons: which check failed is for the log, not for a thief.
            UnknownCode | OtherClient | Replayed | OtherRedirect | WrongVerifier => Self::of(Code::InvalidGrant),
            // Only the client that the code was issued to hears these two.
            Expired => Self::new(Code::InvalidGrant, "Authorization code expired."),
            MissingVerifier => Self::invalid_request("code_verifier parameter required"),
            Full | Untimely => {
                Self { head: Head::RetryAfter(1), ..Self::of(Code::TemporarilyUnavailable) } // nothing is evicted
            }
            UnknownToken | UnknownSession | Quota | Paused => Self::of(Code::ServerError),
            Exists(_) | Missing(_) | Stale { .. } | Referenced { .. } | Dangling(_) | Protected(_) => {
                Self::of(Code::ServerError)
            }
        }
    }
}

/// An outcome that its command cannot have. Owners and endpoints disagree: a bug, and nothing was promised.
pub fn unexpected() -> Error {
    tracing::error!("a command had an outcome that it cannot have");
    Error::of(Code::ServerError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_user_is_challenged_and_a_form_user_is_not() {
        let realm = RealmPath::from("/al\"pha\u{e4}");
        assert_eq!(Error::unauthenticated(&realm, false).status(), 400);
        let response = Error::unauthenticated(&realm, true).response(None);
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().get("www-authenticate").expect("a challenge"), "Basic realm=\"/al?pha?\"");
    }

    #[test]
    fn every_reason_why_a_code_fails_sounds_the_same() {
        let says: Vec<_> = [Refusal::UnknownCode, Refusal::OtherClient, Refusal::Replayed, Refusal::OtherRedirect]
            .into_iter()
            .chain([Refusal::WrongVerifier])
            .map(Error::from)
            .collect();
        assert!(says.iter().all(|error| *error == Error::of(Code::InvalidGrant)));
        let full = Error::from(Refusal::Full).response(None);
        assert_eq!((full.status().as_u16(), full.headers().contains_key("retry-after")), (503, true));
    }
}
