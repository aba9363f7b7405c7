//! Answers: status, headers, body (crest.md §4.2, §11).

use super::{
    Error, Item, Listing, Protocol, REVISION_HEADER, Version,
    item::{MediaType, Shown},
    pretty,
};
use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use quorate_raft::Seq;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// How an answer is to be written.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Spread over lines.
    pub pretty: bool,
    /// The framework's rules.
    pub protocol: Protocol,
    /// The version that answers; `None` before one is selected.
    pub version: Option<Version>,
    /// `Cache-Control`.
    pub cache_control: &'static str,
    /// Whether protocol 1.0 shows ids.
    pub id_in_v1: bool,
    /// Where in the log the request wrote, if it did.
    pub written: Option<Seq>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            pretty: false,
            protocol: Protocol::V2_1,
            version: None,
            cache_control: "private",
            id_in_v1: true,
            written: None,
        }
    }
}

/// What came of a request.
pub enum Answer {
    /// One resource.
    Item(Item),
    /// One resource that is new; where it is, as an absolute URL.
    Created(Item, String),
    /// The caller has this revision already.
    NotModified(String),
    /// One field of a resource that has this revision, as it is.
    Field(Vec<u8>, MediaType, Option<String>),
    /// Several resources, and the cookie of the page that follows.
    Listing(Listing, Option<String>),
    /// What an action returned.
    Result(Returned),
}

/// What an action returns.
pub enum Returned {
    /// Nothing: 204.
    Nothing,
    /// JSON.
    Json(Value),
    /// JSON that is written already, in the manner that the request wants: see [`Call::text`](super::Call::text).
    Text(Vec<u8>),
}

impl From<Value> for Returned {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

static CONTENT_API_VERSION: HeaderName = HeaderName::from_static("content-api-version");

/// What keeps browsers from taking an answer for something else (crest.md §4.2). Names and values that are known are not
/// parsed again and again.
static SECURITY: [(HeaderName, HeaderValue); 6] = [
    (header::EXPIRES, HeaderValue::from_static("0")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (header::CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// Headers of every answer below `/json` (crest.md §4.2).
pub fn headers(response: &mut HttpResponseBuilder, cache_control: &str) {
    response.insert_header((header::CACHE_CONTROL, cache_control));
    for (name, value) in &SECURITY {
        response.insert_header((name.clone(), value.clone()));
    }
}

/// The same on a finished answer, where it does not have them.
pub fn secure(response: &mut HttpResponse) {
    let headers = response.headers_mut();
    let private = (header::CACHE_CONTROL, HeaderValue::from_static("private"));
    for (name, value) in SECURITY.iter().chain([&private]) {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// Tells a caller that named no version to do so (crest.md §13.3); `agent` is `CREST`, or `chf` for what is no resource.
pub fn warn(response: &mut HttpResponse, agent: &str) {
    let text = format!("100 {agent} \"Accept-API-Version should be included in the request.\"");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::WARNING, value);
    }
}

fn respond(status: StatusCode, manner: Manner) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    headers(&mut response, manner.cache_control);
    if let Some(version) = manner.version {
        // Without formatting: nearly every answer says it.
        let said = ["resource=", &version.0.to_string(), ".", &version.1.to_string()].concat();
        response.insert_header((CONTENT_API_VERSION.clone(), said));
    }
    if let Some(Seq(revision)) = manner.written {
        response.insert_header((REVISION_HEADER, revision.to_string()));
    }
    response
}

fn json(response: HttpResponseBuilder, value: &impl Serialize, manner: Manner) -> HttpResponse {
    json_text(response, pretty::write(value, manner.pretty))
}

fn json_text(mut response: HttpResponseBuilder, text: Vec<u8>) -> HttpResponse {
    response
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8")))
        .body(text)
}

/// Writes an answer.
pub fn write(answer: Answer, manner: Manner) -> HttpResponse {
    let shown = |item| Shown { item, protocol: manner.protocol, id_in_v1: manner.id_in_v1 };
    let tagged = |mut response: HttpResponseBuilder, item: &Item| {
        if let Some(revision) = &item.revision {
            response.insert_header(("ETag", format!("\"{revision}\"")));
        }
        response
    };
    match answer {
        Answer::Item(item) => json(tagged(respond(StatusCode::OK, manner), &item), &shown(&item), manner),
        Answer::Created(item, location) => {
            let mut response = tagged(respond(StatusCode::CREATED, manner), &item);
            response.insert_header(("Location", location));
            json(response, &shown(&item), manner)
        }
        Answer::NotModified(revision) => {
            respond(StatusCode::NOT_MODIFIED, manner).insert_header(("ETag", format!("\"{revision}\""))).finish()
        }
        Answer::Field(bytes, media_type, revision) => {
            let mut response = respond(StatusCode::OK, manner);
            if let Some(revision) = revision {
                response.insert_header(("ETag", format!("\"{revision}\"")));
            }
            // Whoever may write the field does not get to run scripts in our origin through whoever reads it.
            response
                .insert_header(("Content-Type", media_type.as_str()))
                .insert_header(("Content-Security-Policy", "sandbox; default-src 'none'"))
                .insert_header(("Content-Disposition", "attachment"))
                .body(bytes)
        }
        Answer::Listing(listing, cookie) => {
            let mut response = respond(StatusCode::OK, manner);
            if let (false, Some(version)) = (listing.items.is_empty(), manner.version) {
                let versions = format!("protocol={},resource={version}", manner.protocol);
                response.insert_header((CONTENT_API_VERSION.clone(), versions));
            }
            let result: Vec<Shown<'_>> = listing.items.iter().map(shown).collect();
            json(response, &Envelope { result, listing: &listing, cookie }, manner)
        }
        Answer::Result(Returned::Json(value)) => json(respond(StatusCode::OK, manner), &value, manner),
        Answer::Result(Returned::Text(text)) => json_text(respond(StatusCode::OK, manner), text),
        Answer::Result(Returned::Nothing) => respond(StatusCode::NO_CONTENT, manner).finish(),
    }
}

/// Writes an error.
pub fn fail(error: &Error, manner: Manner) -> HttpResponse {
    let status = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, manner);
    if let Some(seconds) = error.retry_after() {
        response.insert_header(("Retry-After", seconds.to_string()));
    }
    json(response, error, manner)
}

/// §5.6: all six members, in this order.
struct Envelope<'l> {
    result: Vec<Shown<'l>>,
    listing: &'l Listing,
    cookie: Option<String>,
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        if self.listing.names_only {
            let names: Vec<&str> = self.listing.items.iter().map(|item| item.id.as_str()).collect();
            map.serialize_entry("result", &names)?;
        } else {
            map.serialize_entry("result", &self.result)?;
        }
        map.serialize_entry("resultCount", &self.result.len())?;
        map.serialize_entry("pagedResultsCookie", &self.cookie)?;
        map.serialize_entry("totalPagedResultsPolicy", self.listing.policy)?;
        map.serialize_entry("totalPagedResults", &self.listing.total)?;
        map.serialize_entry("remainingPagedResults", &self.listing.remaining)?;
        map.end()
    }
}
