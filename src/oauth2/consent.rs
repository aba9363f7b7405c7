//! The pages of the authorization endpoint: asking for consent, and saying what went wrong.
//!
//! | source                     | it says                                              | we do it in            |
//! |----------------------------|------------------------------------------------------|------------------------|
//! | RFC 6749 §10.2, abuse SE-08 | the owner sees client and scope, and decides          | [`page`]               |
//! | RFC 6749 §10.12, abuse SE-02 | the decision carries a token bound to session and request | `CsrfToken`     |
//! | oauth2-endpoints §4.11     | the SSO token itself is accepted too                 | [`is_authentic`]       |
//! | RFC 6749 §10.13, abuse SE-03 | no foreign frames                                   | `answer::page`         |
//! | oauth2-endpoints §2.6      | the error page and its `pageData`                    | [`error_page`]         |
//! | abuse AZ-08                | everything foreign is escaped                        | [`html`], [`script`]   |

use super::{
    Request,
    answer::{self, html, script},
    client::Client,
    error::{Error, Result},
    issue::now,
    login::MARKER,
    redirect::Target,
};
use crate::{
    caller::Caller,
    desk::Desk,
    host,
    keys::{self, Algorithm},
    secrets,
};
use actix_web::{HttpResponse, http::StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::{RealmPath, TokenHash};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt::Write, sync::Arc};

const TOKEN_NAME: &str = "authorize_csrf";
/// How long a consent page is good for, seconds.
const PATIENCE: u64 = 600;
/// Parameters that answer a request rather than make it.
const ANSWERS: [&str; 5] = ["decision", "csrf", "save_consent", "realm", MARKER];

/// Proves that a decision comes from a page that we showed in this session for this request.
#[derive(Debug, Serialize, Deserialize)]
struct CsrfToken<'t> {
    #[serde(rename = "tokenName")]
    token_name: Cow<'t, str>,
    session: String,
    request: String,
    exp: u64,
}

/// Where a decision comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client that holds the SSO token and speaks for its owner.
    Headless,
    /// Our page in a browser.
    Page,
}

/// Whether the `csrf` parameter proves that whoever holds the session `token` sent this decision.
pub fn is_authentic(request: &Request<'_>, token: Option<&str>) -> Option<Origin> {
    let (csrf, token) = (request.params.get("csrf")?, token?);
    if secrets::equal(csrf.as_bytes(), token.as_bytes()) {
        return Some(Origin::Headless);
    }
    let session = secrets::hash(secrets::HandleKind::Session, token);
    let claims = keys::verify(&keys::ring(request.desk).ok()?, csrf)?;
    let claims = CsrfToken::deserialize(&claims).ok()?;
    let fits = claims.token_name == TOKEN_NAME
        && claims.exp > now(request.desk).secs()
        && secrets::equal(claims.session.as_bytes(), session_name(&session).as_bytes())
        && secrets::equal(claims.request.as_bytes(), digest(request).as_bytes());
    fits.then_some(Origin::Page)
}

fn session_name(session: &TokenHash) -> String {
    // Hashed once more: the hash is the session's key in the state, and the page is not the place for it.
    URL_SAFE_NO_PAD.encode(secrets::sha256(&session.0))
}

/// What was asked, whatever the order of the parameters.
fn digest(request: &Request<'_>) -> String {
    let mut asked: Vec<(&str, &str)> = request.params.iter().filter(|(name, _)| !ANSWERS.contains(name)).collect();
    asked.sort_unstable();
    let mut text = String::new();
    for (name, value) in std::iter::once(("", request.realm.as_str())).chain(asked) {
        answer::push_query(&mut text, '&', name, value);
    }
    URL_SAFE_NO_PAD.encode(secrets::sha256(text.as_bytes()))
}

/// Asks the owner of `caller` whether `client` may have `scope`.
///
/// # Errors
/// `server_error` when this node cannot sign.
pub fn page(
    request: &Request<'_>,
    caller: &Caller,
    (client_id, client): (&str, &Client),
    target: &Target,
    scope: &[Arc<str>],
) -> Result<HttpResponse> {
    let token = CsrfToken {
        token_name: TOKEN_NAME.into(),
        session: session_name(&caller.hash),
        request: digest(request),
        exp: now(request.desk).secs().saturating_add(PATIENCE),
    };
    let csrf = keys::signing_key(&keys::ring(request.desk)?, Algorithm::HS256)?.sign(&token)?;

    let name = client.display_name.as_deref().unwrap_or(client_id);
    let mut page = head("Authorize");
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<h1>Authorize {}</h1><p>Signed in as <b>{}</b>. <b>{}</b> asks for:</p><ul>",
        html(name),
        html(caller.name()),
        html(name)
    );
    for scope in scope {
        let _ = write!(page, "<li>{}</li>", html(scope));
    }
    let _ = write!(page, "</ul><form method=\"post\" action=\"{}\">", html(&action(request)));
    let asked = request.params.iter().filter(|(name, value)| !ANSWERS.contains(name) && !value.is_empty());
    for (name, value) in asked.chain([("csrf", csrf.as_str())]) {
        let _ = write!(page, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", html(name), html(value));
    }
    page.push_str(
        "<button name=\"decision\" value=\"allow\">Allow</button> \
         <button name=\"decision\" value=\"deny\">Deny</button></form></body></html>",
    );
    let policy = format!("form-action 'self' {}", target.origin());
    Ok(answer::page(StatusCode::OK, &policy, page))
}

/// Where the page posts to: this endpoint under its canonical path, without the query string that it came with.
fn action(request: &Request<'_>) -> String {
    let base_url = request.base_url();
    let issuer = base_url.issuer(&request.realm);
    let path = issuer.strip_prefix(&base_url.deployment()).unwrap_or("/oauth2").to_owned();
    format!("{}{path}/authorize", request.desk.front().context_path)
}

fn head(title: &str) -> String {
    format!("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>")
}

/// oauth2-endpoints §2.6: for people to read, with the object that AM's pages read.
pub fn error_page(desk: &Desk, realm: Option<&RealmPath>, error: &Error) -> HttpResponse {
    let nonce = URL_SAFE_NO_PAD.encode(host::random::<16>());
    let realm = realm.map_or("/", RealmPath::as_str);
    let mut page = head("Error");
    let _ = write!(
        page,
        "<script nonce=\"{nonce}\">pageData = {{ realm: {}, baseUrl: {}, error: {{ description: {}, message: {} }} }};</script>\
         <h1>{}</h1><p>{}</p></body></html>",
        script(realm),
        script(&format!("{}/XUI/", desk.base_url().deployment())),
        script(error.says()),
        script(error.code().name()),
        html(error.code().name()),
        html(error.says())
    );
    let policy = format!("form-action 'none'; script-src 'nonce-{nonce}'");
    let mut response = answer::page(error.status(), &policy, page);
    error.amend(&mut response);
    response
}
