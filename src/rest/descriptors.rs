//! `_api` and `_crestapi` (crest.md §15): what is registered at a path and below, in the words of OpenAPI and of the
//! framework itself.
//!
//! Whoever asks needs a session, of whomever: strangers have no business with what a server could do (HT-09). A document is
//! made from the table of routes at each request; no resource is asked anything but to describe itself.

use super::Routes;
use crate::{
    base_url::BaseUrl,
    caller,
    crest::{
        Error, Params, Settings,
        describe::Exchange,
        native,
        openapi::{self, About},
        response::{self, Answer, Manner},
    },
    desk::Desk,
};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `_api`
    OpenApi,
    /// `_crestapi`
    Native,
}

/// The descriptor that a request asks for (crest.md §2): any method with `_api`; a GET with `_crestapi` that is no query.
pub(super) fn wanted(request: &HttpRequest) -> Option<Wanted> {
    let query = request.query_string();
    // Most requests have no parameters, and of those that do most name neither.
    if !query.to_ascii_lowercase().contains("api") {
        return None;
    }
    let params = Params::parse(query).ok()?;
    let is_query = ["_queryId", "_queryExpression", "_queryFilter"].iter().any(|name| params.has(name));
    if params.has("_api") {
        Some(Wanted::OpenApi)
    } else if params.has("_crestapi") && request.method() == "GET" && !is_query {
        Some(Wanted::Native)
    } else {
        None
    }
}

/// The document about `path`, raw and below `/json`.
///
/// # Errors
/// 501 when descriptors are disabled, 401 without a session, 404 for a path that leads nowhere.
pub(super) async fn answer(
    desk: &Desk,
    routes: &Routes,
    request: &HttpRequest,
    path: &str,
    wanted: Wanted,
) -> Result<HttpResponse, Error> {
    let params = Params::parse(request.query_string())?;
    let (named, below) = routes.at_or_below(path)?;
    desk.barrier().await?;
    let settings = Settings::of(desk);
    if !settings.described {
        return Err(Error::plain(501));
    }
    caller::authenticated(desk, request).await?.ok_or_else(Error::unauthenticated)?;
    let realm = named.resolve(desk, request, &params).await?;
    let endpoints = below.endpoints(&realm);
    let document = match wanted {
        Wanted::OpenApi => {
            let about = About {
                server: format!("{}/json", BaseUrl::in_realm(desk, &realm, request).deployment()),
                cookie_name: &desk.front().cookie_name,
                csrf: settings.csrf,
            };
            openapi::document(&endpoints, &about)
        }
        Wanted::Native => native::document(&endpoints),
    };
    let pretty = params.get("_prettyPrint").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Ok(response::write(Answer::Result(document.into()), Manner { pretty, ..Manner::default() }))
}

/// `authenticate` is no resource (authn-sessions-realms.md a.1).
pub fn authenticate() -> Vec<Exchange> {
    vec![Exchange {
        below: "",
        method: "post",
        text: "Signs in: credentials in headers, or callbacks step by step".to_owned(),
        parameters: vec![
            ("query", "authIndexType", "What `authIndexValue` names, `service` for a journey"),
            ("query", "authIndexValue", "By what to sign in"),
            ("query", "noSession", "`true` for a check without a session"),
            ("query", "ForceAuth", "`true` to sign in anew in spite of a session"),
            ("header", "X-OpenAM-Username", "The name"),
            ("header", "X-OpenAM-Password", "The password"),
        ],
        request: Some(json!({"type": "object", "properties": {
            "authId": {"type": "string"}, "callbacks": {"type": "array", "items": {"type": "object"}},
        }})),
        // Version 1 has errors of its own shape.
        answers: [200, 400, 401, 405, 415, 429].map(|code| (code, json!({"type": "object"}))).into(),
        is_public: true,
    }]
}

/// `subjectattributes` is a query whose results are bare strings (authorization.md §2.7.4).
pub fn subject_attributes() -> Vec<Exchange> {
    vec![Exchange {
        below: "",
        method: "get",
        text: "Attributes of users that a policy may promise".to_owned(),
        parameters: vec![("query", "_queryFilter", "`true`")],
        request: None,
        answers: vec![(
            200,
            json!({"type": "object", "properties": {
                "result": {"type": "array", "items": {"type": "string"}}, "resultCount": {"type": "integer"},
            }}),
        )],
        is_public: false,
    }]
}

/// One method of configuration that is served below a plain endpoint.
fn configuration(below: &'static str, method: &'static str, text: &str) -> Exchange {
    let answers: &[u16] = if matches!(method, "put" | "post") { &[200, 201] } else { &[200] };
    Exchange {
        below,
        method,
        text: text.to_owned(),
        parameters: match method {
            "post" => vec![("query", "_action", "Which action")],
            "get" => vec![("query", "_queryFilter", "`true`, for all of a collection")],
            _ => Vec::new(),
        },
        request: matches!(method, "put" | "post").then(|| json!({"type": "object"})),
        answers: answers.iter().map(|code| (*code, json!({"type": "object"}))).collect(),
        is_public: false,
    }
}

/// Configuration of many types below one path: `{type}`, and below it `{id}` (crest.md §16).
pub fn types() -> Vec<Exchange> {
    vec![
        configuration("", "get", "All of all types"),
        configuration("", "post", "An action on all types"),
        configuration("/{type}", "get", "All of a type"),
        configuration("/{type}", "post", "Creates one of a type, or an action on it"),
        configuration("/{type}/{id}", "get", "Reads one"),
        configuration("/{type}/{id}", "put", "Creates or updates one"),
        configuration("/{type}/{id}", "delete", "Deletes one"),
    ]
}

/// What scripts are for, and the engine of each.
pub fn script_contexts() -> Vec<Exchange> {
    vec![
        configuration("", "get", "All contexts"),
        configuration("", "post", "An action on all contexts"),
        configuration("/{context}", "get", "Reads a context"),
        configuration("/{context}", "put", "Updates a context"),
        configuration("/{context}/engineConfiguration", "get", "Reads the engine of a context"),
        configuration("/{context}/engineConfiguration", "put", "Updates the engine of a context"),
    ]
}
