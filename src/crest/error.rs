//! What a caller is told when a request fails: `{code, reason, message, detail?}` (crest.md §11). The HTTP status is `code`.

use crate::{consensus::Unavailable, desk::WriteError};
use quorate_raft::{Kind, Refusal, Span};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// An error of the framework or of a resource. `message` is for the caller: no secret, no path of ours, no internals.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    code: u16,
    message: String,
    detail: Option<Value>,
    retry_after: Option<u32>,
}

/// The reason phrase of a code (crest.md §11); `Resource Exception` for codes that the framework does not know.
pub const fn reason(code: u16) -> &'static str {
    match code {
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested range not satisfiable",
        417 => "Expectation Failed",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        _ => "Resource Exception",
    }
}

impl Error {
    /// Any code with any message; prefer a constructor that has a name.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, retry_after: None }
    }

    /// A code whose message is its reason.
    pub fn plain(code: u16) -> Self {
        Self::new(code, reason(code))
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 401: no session, or a dead one.
    pub fn unauthenticated() -> Self {
        Self::new(401, "Access Denied")
    }

    /// 403: a session without the privilege.
    pub fn insufficient_privileges() -> Self {
        Self::new(403, "The user has insufficient privileges")
    }

    /// 404 for a path that no route takes; `remainder` is what the router could not consume.
    pub fn no_route(remainder: &str) -> Self {
        Self::new(404, format!("Resource '{}' not found", remainder.trim_matches('/')))
    }

    /// 404 for a realm that is addressed by its path.
    pub fn no_realm(realm: &str) -> Self {
        Self::new(404, format!("Realm \"{realm}\" not found"))
    }

    /// 404 for an absent configuration object.
    pub fn not_found() -> Self {
        Self::plain(404)
    }

    /// 412 for an `If-Match` that names another revision.
    pub fn stale(id: &str) -> Self {
        Self::new(
            412,
            format!("The resource with ID '{id}' could not be updated because it does not have the required version"),
        )
    }

    /// 429 for a caller that asks too often; `seconds` after which it may again.
    pub fn too_many_requests(seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(429, "Too many requests") }
    }

    /// 501 for an operation that a resource does not have.
    pub fn unsupported() -> Self {
        Self::new(501, "Operation is not supported.")
    }

    /// 501 for an action that a resource does not have.
    pub fn no_action(action: &str) -> Self {
        Self::new(501, format!("Action {action} not implemented for this resource"))
    }

    /// 501 for an action that a configuration endpoint does not have: the families differ in their words (§11).
    pub fn unsupported_action(action: &str) -> Self {
        Self::new(501, format!("Action not supported: {action}"))
    }

    /// 501 for a filter that a resource does not evaluate.
    pub fn no_query(filter: &str) -> Self {
        Self::new(501, format!("Query not supported: {filter}"))
    }

    /// 400 for a member that the schema does not have.
    pub fn invalid_attribute<'n>(valid: impl IntoIterator<Item = &'n str>) -> Self {
        let mut valid: Vec<&str> = valid.into_iter().collect();
        valid.sort_unstable();
        Self::bad_request("Invalid attribute specified.").with_detail(serde_json::json!({ "validAttributes": valid }))
    }

    /// 400 for a value that the schema does not allow; `label` is the attribute's name in the console.
    pub fn invalid_value(label: &str) -> Self {
        Self::bad_request(format!("Data validation failed for the attribute, {label}"))
    }

    /// Adds data for machines.
    #[must_use]
    pub fn with_detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Adds when to try again; whole seconds, at least one.
    #[must_use]
    pub fn with_retry_after(mut self, pause: Span) -> Self {
        self.retry_after = Some(u32::try_from(pause.0.div_ceil(1000)).unwrap_or(u32::MAX).max(1));
        self
    }

    /// The HTTP status.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The text for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Seconds after which to try again.
    pub const fn retry_after(&self) -> Option<u32> {
        self.retry_after
    }
}

impl Serialize for Error {
    /// Keys in the order of the wire: code, reason, message, detail.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.code)?;
        map.serialize_entry("reason", reason(self.code))?;
        map.serialize_entry("message", &self.message)?;
        if let Some(detail) = &self.detail {
            map.serialize_entry("detail", detail)?;
        }
        map.end()
    }
}

impl From<Unavailable> for Error {
    /// G7: 503, and when to come back.
    fn from(unavailable: Unavailable) -> Self {
        Self { retry_after: Some(unavailable.retry_after()), ..Self::plain(503) }
    }
}

impl From<WriteError> for Error {
    /// For whoever has no better words; a resource that has them takes the refusal apart first.
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Unavailable(unavailable) => unavailable.into(),
            WriteError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<Refusal> for Error {
    /// The one place where a decision about documents becomes a status. No `_` arm.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Exists(_) => Self::plain(412),
            Refusal::Missing(_) => Self::not_found(),
            Refusal::Stale { key, .. } => Self::stale(&key.id),
            Refusal::Referenced { by, .. } => Self::new(409, format!("The resource is in use by '{}'", by.id)),
            Refusal::Dangling(key) if key.kind == Kind::Realm => Self::no_realm(&key.id),
            Refusal::Dangling(key) => {
                Self::bad_request(format!("The resource refers to '{}', which is absent", key.id))
            }
            Refusal::Protected(_) => Self::plain(409),
            Refusal::Full | Refusal::Untimely => Self::plain(503),
            // Not about documents: whoever proposes those commands answers in the words of their protocol.
            Refusal::UnknownCode
            | Refusal::OtherClient
            | Refusal::Expired
            | Refusal::Replayed
            | Refusal::OtherRedirect
            | Refusal::MissingVerifier
            | Refusal::WrongVerifier
            | Refusal::UnknownToken
            | Refusal::UnknownSession
            | Refusal::Quota
            | Refusal::Paused => Self::plain(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_raft::{DocumentKey, RealmPath, Seq};

    #[test]
    fn the_body_has_its_members_in_order() {
        let error = Error::invalid_attribute(["b", "a"]);
        let text = r#"{"code":400,"reason":"Bad Request","message":"Invalid attribute specified.","detail":{"validAttributes":["a","b"]}}"#;
        assert_eq!(serde_json::to_string(&error).expect("serializes"), text);
        assert_eq!(reason(499), "Resource Exception");
    }

    /// What the log decides against becomes the status that the reference has for it.
    #[test]
    fn refusals_have_their_statuses() {
        let key = |kind| DocumentKey::new(&RealmPath::root(), kind, "x");
        let told = |refusal: Refusal| {
            let error = Error::from(WriteError::Refused(refusal));
            (error.code(), error.message().to_owned())
        };
        assert_eq!(told(Refusal::Exists(key(Kind::User))).0, 412);
        assert_eq!(told(Refusal::Missing(key(Kind::User))), (404, "Not Found".into()));
        let stale = "The resource with ID 'x' could not be updated because it does not have the required version";
        assert_eq!(told(Refusal::Stale { key: key(Kind::User), found: Seq(1) }), (412, stale.into()));
        let by = key(Kind::Policy);
        assert_eq!(told(Refusal::Referenced { key: key(Kind::PolicySet), by }).0, 409);
        assert_eq!(told(Refusal::Dangling(key(Kind::Realm))), (404, "Realm \"x\" not found".into()));
        assert_eq!(told(Refusal::Dangling(key(Kind::ResourceType))).0, 400);
    }

    #[test]
    fn unavailable_tells_when_to_come_back() {
        let error = Error::from(Unavailable::Unknown);
        assert_eq!((error.code(), error.message(), error.retry_after()), (503, "Service Unavailable", Some(1)));
    }
}
