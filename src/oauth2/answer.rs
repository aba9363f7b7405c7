//! The head of every answer (oauth2-endpoints §2.3), URLs and HTML with foreign text in them.
//!
//! | source                | it says                                             | we do it in     |
//! |-----------------------|-----------------------------------------------------|-----------------|
//! | RFC 6749 §5.1         | `Cache-Control: no-store`, `Pragma: no-cache`         | [`builder`]     |
//! | RFC 8414 §3, 7517     | metadata and keys may be cached and read by anybody | [`metadata`]    |
//! | RFC 3986 §2.1         | foreign text in a URL is percent-encoded            | [`push_query`]  |
//! | abuse AZ-08           | foreign text in HTML and script is escaped          | [`html`], [`script`] |

use crate::secrets;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use std::fmt::Write;

/// The media type of JSON answers.
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

/// An answer that nobody may keep.
pub fn builder(status: StatusCode) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(status);
    builder
        .insert_header((header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((header::PRAGMA, HeaderValue::from_static("no-cache")));
    builder
}

/// `body` as JSON that nobody may keep.
pub fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(bytes) => builder(status).insert_header((header::CONTENT_TYPE, JSON)).body(bytes),
        Err(error) => {
            tracing::error!(%error, "an answer is not JSON");
            builder(StatusCode::INTERNAL_SERVER_ERROR).finish()
        }
    }
}

/// A public document: cached for minutes, revalidated by content, readable from any origin (oauth2-endpoints §2.7, §15).
pub fn metadata(request: &HttpRequest, document: &serde_json::Value) -> HttpResponse {
    let body = document.to_string();
    let digest = secrets::sha256(body.as_bytes());
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default()));
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut builder = HttpResponse::build(if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK });
    builder
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")))
        .insert_header((header::ETAG, tag));
    if known { builder.finish() } else { builder.insert_header((header::CONTENT_TYPE, JSON)).body(body) }
}

/// A page of our own: no foreign content, no referrer, frames of our own origin only (oauth2-endpoints §2.3, abuse SE-03,
/// SE-05). `policy` is the rest of the Content-Security-Policy.
pub fn page(status: StatusCode, policy: &str, body: String) -> HttpResponse {
    const CSP: HeaderName = header::CONTENT_SECURITY_POLICY;
    let policy = format!("default-src 'none'; base-uri 'none'; frame-ancestors 'self'; {policy}");
    builder(status)
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("text/html;charset=UTF-8")))
        .insert_header((header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .insert_header((CSP, policy))
        .body(body)
}

/// A redirection that carries no referrer and is not kept.
pub fn redirect(status: StatusCode, location: &str) -> HttpResponse {
    let mut builder = builder(status);
    builder
        .insert_header((header::LOCATION, location))
        .insert_header((header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .insert_header((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'self'")));
    builder.finish()
}

/// `value` with everything but unreserved characters percent-encoded.
pub fn percent(out: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Appends `name=value` behind `separator`.
pub fn push_query(out: &mut String, separator: char, name: &str, value: &str) {
    out.push(separator);
    percent(out, name);
    out.push('=');
    percent(out, value);
}

/// `text` for HTML content and quoted attributes.
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// `text` as a string literal inside a `<script>` element.
pub fn script(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '/' => literal.push_str("\\/"),
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' | ':' | '_' | '-' | '(' | ')' | '[' | ']' => {
                literal.push(c);
            }
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(literal, "\\u{unit:04x}");
                }
            }
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn az_08_foreign_text_stays_text() {
        let hostile = "</script><b a='x' b=\"y\">&\u{2028}é𝄞\r\n";
        assert!(!html(hostile).contains(['<', '>', '"', '\'']));
        let literal = script(hostile);
        assert!(literal.is_ascii() && !literal.contains(['<', '>', '&', '\'', '\n', '\r']));
        assert_eq!(serde_json::from_str::<String>(&literal).expect("a JSON string too"), hostile);
    }

    #[test]
    fn a_query_keeps_every_byte() {
        let mut url = "https://rp.example/cb".to_owned();
        push_query(&mut url, '?', "state", "a b+c&d=é\r\n");
        assert_eq!(url, "https://rp.example/cb?state=a%20b%2Bc%26d%3D%C3%A9%0D%0A");
    }
}
