//! Sending people to log in, and knowing that they did (oauth2-endpoints §4.6-4.8).
//!
//! | it says                                                             | we do it in                 |
//! |---------------------------------------------------------------------|-----------------------------|
//! | `{deployment}/UI/Login` with `realm`, `locale`, `service`, `goto`     | [`redirect`]                |
//! | `goto` lacks `prompt=login`, so that the return trip does not loop  | [`redirect`]                |
//! | on return the session is newer than the request (§4.6 \[S\])          | [`Marker`]                  |
//! | `max_age`, with `max_age=0` like `prompt=login`                      | [`Freshness`]               |
//!
//! The marker is a JWT of our own, so no node has to remember the request. It says at which log time the login was asked
//! for: a session that counts was created after that, in the log, whatever any clock says (G6).

use super::{
    Request, answer,
    error::{Code, Error, Result},
    issue::now,
};
use crate::keys::{self, Algorithm};
use actix_web::{HttpResponse, http::StatusCode};
use quorate_raft::{Session, Stamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The parameter that carries the marker.
pub const MARKER: &str = "login_after";
const TOKEN_NAME: &str = "authorize_login";
/// How long a login may take, seconds.
const PATIENCE: u64 = 600;

/// Asks for a session that was created after `after`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Marker<'m> {
    #[serde(rename = "tokenName")]
    token_name: Cow<'m, str>,
    /// Log time, milliseconds since the epoch.
    after: u64,
    exp: u64,
}

impl Marker<'_> {
    fn sign(request: &Request<'_>) -> Result<String> {
        let exp = now(request.desk).secs().saturating_add(PATIENCE);
        let marker = Marker { token_name: TOKEN_NAME.into(), after: request.desk.views().log_time().0, exp };
        let ring = keys::ring(request.desk)?;
        Ok(keys::signing_key(&ring, Algorithm::HS256)?.sign(&marker)?)
    }

    /// When the login was asked for, if this request is the return from one.
    pub fn read(request: &Request<'_>) -> Option<Stamp> {
        let jws = request.params.get(MARKER)?;
        let claims = keys::verify(&keys::ring(request.desk).ok()?, jws)?;
        let marker = Marker::deserialize(&claims).ok()?;
        let fits = marker.token_name == TOKEN_NAME && marker.exp > now(request.desk).secs();
        fits.then_some(Stamp(marker.after))
    }
}

/// How new a session has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It need not be.
    Any,
    /// Not older than this, seconds (`max_age`).
    Within(u64),
    /// Created after the request first came (`prompt=login`, `max_age=0`).
    New,
}

impl Freshness {
    /// Whether `session` is new enough. `after` is what a [`Marker`] says: whoever returns from the login that this request
    /// asked for has done what was asked.
    pub fn accepts(self, session: &Session, after: Option<Stamp>, now: Stamp) -> bool {
        let returned = after.is_some_and(|after| session.created > after);
        match self {
            Self::Any => true,
            Self::New => returned,
            Self::Within(seconds) => returned || now.secs().saturating_sub(session.created.secs()) < seconds,
        }
    }
}

/// Sends the browser to the login page, and from there back to this request.
///
/// # Errors
/// `server_error` when a marker cannot be signed.
pub fn redirect(request: &Request<'_>, freshness: Freshness) -> Result<HttpResponse> {
    let mut goto = format!("{}/authorize", request.base_url().issuer(&request.realm));
    let mut separator = '?';
    for (name, value) in request.params.iter() {
        let kept = match name {
            // Answers and markers belong to this trip, not to the next; the realm is in the path.
            "decision" | "csrf" | "save_consent" | "realm" | MARKER => continue,
            "prompt" => value.split(' ').filter(|word| *word != "login").collect::<Vec<_>>().join(" "),
            _ => value.to_owned(),
        };
        if !kept.is_empty() {
            answer::push_query(&mut goto, separator, name, &kept);
            separator = '&';
        }
    }
    if freshness != Freshness::Any {
        answer::push_query(&mut goto, separator, MARKER, &Marker::sign(request)?);
    }
    let mut location = format!("{}/UI/Login", request.base_url().deployment());
    answer::push_query(&mut location, '?', "realm", request.realm.as_str());
    let locale = ["ui_locales", "locale"].into_iter().find_map(|name| Some(("locale", request.params.get(name)?)));
    let journey = ["module", "service"].into_iter().find_map(|name| Some((name, request.params.get(name)?)));
    for (name, value) in locale.into_iter().chain(journey) {
        answer::push_query(&mut location, '&', name, value);
    }
    answer::push_query(&mut location, '&', "goto", &goto);
    if location.len() > MAX_LOCATION_BYTES {
        return Err(Error::of(Code::InvalidRequest));
    }
    Ok(answer::redirect(StatusCode::FOUND, &location))
}

/// Longest `Location` that we send, bytes: what browsers and proxies take.
const MAX_LOCATION_BYTES: usize = 16 << 10;
