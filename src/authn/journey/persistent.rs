//! Persistent cookies (authn-sessions-realms.md a.15): whoever has one need not authenticate again for a while.
//!
//! | a.15, abuse cases                                              | we do it in                        |
//! |----------------------------------------------------------------|------------------------------------|
//! | a signed and encrypted JWT in the cookie                       | `mint`, [`open`]                   |
//! | `hmacSigningKey`                                               | `Keys::of`                         |
//! | `idleTimeout`, `maxLife`                                       | `Wish::until`, [`Opened`]          |
//! | a cookie of another realm, name or signing key opens nothing   | `Keys::of`                         |
//! | it is set for whoever the journey ends with, once it ends well  | [`cookies`]                        |
//!
//! The cookie is no session: ending sessions, one or all of a user, leaves it, as it is meant to. It dies with the fence of its
//! user, so switching the account off and changing its password end it, on all nodes at once (G3); so does a new signing key.
//! Nobody gets one who administers the cluster.
//!
//! Keys are derived from the cluster's key ring, the realm, the cookie's name and `hmacSigningKey`: whoever knows the latter
//! alone, which administrators type in, can make no cookie.

use super::{
    auth_id::{HEADER, decrypt, encrypt, sign},
    scene::Scene,
    state::{CustomCookie, Journey},
};
use crate::{
    desk::Desk,
    keys::{self, KeyError},
    secrets::sha256,
    sessions::is_administrator,
    views::Entry,
};
use aws_lc_rs::{
    aead::{AES_256_GCM, RandomizedNonceKey},
    hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use quorate_raft::{DocumentKey, Kind, RealmPath, Seq};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `typ` of the claims: no other token of ours passes as a cookie (RFC 8725 §3.12).
const TYP: &str = "persistent";

/// Longest cookie that is looked at, bytes.
const MAX_BYTES: usize = 4096;

/// A cookie that is to be set, should the journey end well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The node that wants it: type and id, under which its signing key is found.
    pub node: String,
    /// The cookie's name.
    pub name: String,
    /// How long it may go unused, seconds.
    pub idle: u64,
    /// From when on it is worth nothing however often it is used, seconds since the epoch.
    pub end: u64,
    /// Attribute `Secure`.
    pub secure: bool,
    /// Attribute `HttpOnly`.
    pub http_only: bool,
}

impl Wish {
    /// From when on the cookie that is set at `now` is worth nothing.
    fn until(&self, now: u64) -> u64 {
        now.saturating_add(self.idle).min(self.end)
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    typ: String,
    sub: String,
    realm: String,
    fence: u64,
    ip: Option<IpAddr>,
    exp: u64,
    end: u64,
}

/// What a cookie says that is ours, has not expired, and whose user may still act.
pub struct Opened {
    /// The id of the user's document.
    pub user: String,
    /// Whence it was obtained.
    pub from: Option<IpAddr>,
    /// From when on it is worth nothing however often it is used, seconds.
    pub end: u64,
}

struct Keys {
    sign: hmac::Key,
    encrypt: RandomizedNonceKey,
}

impl Keys {
    fn of(desk: &Desk, realm: &RealmPath, name: &str, signing_key: Option<&str>) -> Result<Self, KeyError> {
        let secret = BASE64.encode(sha256(signing_key.unwrap_or_default().as_bytes()));
        let ring = keys::ring(desk)?;
        // Names of cookies and digests have no spaces: no two combinations make the same label.
        let derive = |what: &str| keys::derive(&ring, &format!("persistent cookie 1 {what} {secret} {name} {realm}"));
        Ok(Self {
            sign: hmac::Key::new(hmac::HMAC_SHA256, &*derive("sign")?),
            encrypt: RandomizedNonceKey::new(&AES_256_GCM, &*derive("encrypt")?)?,
        })
    }
}

/// The key that administrators have given a node of this type and id, if any.
///
/// # Errors
/// When it does not open here.
pub fn signing_key(desk: &Desk, realm: &RealmPath, node: &str) -> Result<Option<String>, KeyError> {
    let key = DocumentKey::new(realm, Kind::Node, node);
    let entry = desk.views().entry(&key);
    let stored = entry.as_ref().and_then(|entry| entry.json().as_object());
    let revealed =
        stored.map(|stored| crate::rest::authentication::secrets::reveal(desk, &key, stored, "hmacSigningKey"));
    Ok(revealed.transpose()?.flatten().map(|secret| secret.to_string()))
}

fn mint(scene: &Scene<'_>, wish: &Wish, user: &DocumentKey, entry: &Entry) -> Result<String, KeyError> {
    let secret = signing_key(scene.desk, scene.realm, &wish.node)?;
    let keys = Keys::of(scene.desk, scene.realm, &wish.name, secret.as_deref())?;
    let claims = Claims {
        typ: TYP.to_owned(),
        sub: user.id.to_string(),
        realm: scene.realm.to_string(),
        fence: entry.document.fence.0,
        ip: scene.request.from,
        exp: wish.until(scene.now.secs()),
        end: wish.end,
    };
    encrypt(&keys.encrypt, sign(&keys.sign, &claims)?.into_bytes())
}

/// What `cookie` called `name` says, if it is worth anything.
///
/// # Errors
/// Without usable keys.
pub fn open(scene: &Scene<'_>, node: &str, name: &str, cookie: &str) -> Result<Option<Opened>, KeyError> {
    if cookie.len() > MAX_BYTES {
        return Ok(None);
    }
    let secret = signing_key(scene.desk, scene.realm, node)?;
    let keys = Keys::of(scene.desk, scene.realm, name, secret.as_deref())?;
    Ok(read(scene, &keys, cookie))
}

fn read(scene: &Scene<'_>, keys: &Keys, cookie: &str) -> Option<Opened> {
    let jws = String::from_utf8(decrypt(&keys.encrypt, cookie)?).ok()?;
    let (message, signature) = jws.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    // The algorithm is ours to choose, whatever a header says (JW-01).
    hmac::verify(&keys.sign, message.as_bytes(), &BASE64.decode(signature).ok()?).ok()?;
    let claims: Claims = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    let key = DocumentKey::new(scene.realm, Kind::User, &claims.sub);
    let entry = scene.desk.views().entry(&key)?;
    let counts = header == HEADER
        && claims.typ == TYP
        && claims.realm == scene.realm.as_str()
        && scene.now.secs() < claims.exp.min(claims.end)
        && entry.document.fence == Seq(claims.fence)
        && crate::caller::is_active(Kind::User, &entry)
        && !is_administrator(&key);
    counts.then_some(Opened { user: claims.sub, from: claims.ip, end: claims.end })
}

/// The cookies that the journey is to set for `user`, with whom it has ended well.
pub fn cookies(scene: &Scene<'_>, journey: &Journey, user: &DocumentKey, entry: &Entry) -> Vec<CustomCookie> {
    if user.kind != Kind::User || is_administrator(user) {
        return Vec::new();
    }
    let now = scene.now.secs();
    let live = journey.persistent.iter().filter(|wish| wish.until(now) > now);
    let minted = live.filter_map(|wish| match mint(scene, wish, user, entry) {
        Ok(value) => Some(CustomCookie {
            name: wish.name.clone(),
            value,
            max_age: i64::try_from(wish.until(now) - now).ok(),
            domain: None,
            path: None,
            secure: wish.secure || scene.desk.front().cookie_secure,
            http_only: wish.http_only,
            same_site: "LAX".to_owned(),
        }),
        Err(error) => {
            tracing::error!(%error, realm = %scene.realm, "a persistent cookie was not set");
            None
        }
    });
    minted.collect()
}

#[cfg(test)]
mod tests;
