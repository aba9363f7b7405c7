//! Client-based sessions: the session itself is the token, signed, then encrypted (b.1; AM's defaults `HS256` and `DIRECT`).
//!
//! | source       | it says                                              | we do it in               |
//! |--------------|------------------------------------------------------|---------------------------|
//! | b.1          | `<id>.*<extension>.*<JWT>`, extension type `JWT`      | [`seal`], [`looks_like`]  |
//! | RFC 7516 §7.1 | compact serialization, `dir` and `A256GCM`          | `encrypt`, `decrypt`      |
//! | RFC 7519 §11.2 | signed, then encrypted                            | [`seal`], [`open`]        |
//! | RFC 8725 §3.12 | no other token of ours passes as a session        | `typ` in the claims; a key of its own |
//! | b.1          | amAdmin always has a server-side session              | [`super::start`], [`crate::caller`] |
//! | G3           | logout and the fence of the subject end it at once    | [`has_ended`], [`crate::caller`] |
//! | b.3          | so does the end of all sessions of its subject         | [`ending_all`]            |
//!
//! The signature is the cluster's `HS256` key; the encryption key is derived from it, so that both come and go with the ring.
//! What does not fit into a cookie is kept by the cluster instead.

use crate::{
    desk::Desk,
    host,
    keys::{self, Algorithm, KeyError, SigningKey},
    secrets::{self, HandleKind},
};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use quorate_raft::{DocumentKey, Session, SessionData, Span, Stamp, TokenHash, blacklist::BlacklistJti};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest token that is handed out, bytes: browsers keep 4096 of a cookie with its name and attributes.
pub const MAX_BYTES: usize = 3800;

/// Longest life of a client-based session. One that may live longer is kept by the cluster, so that "all sessions of a user
/// that started by then" has to be remembered no longer than this.
const MAX_LIFE: Span = Span::from_secs(400 * 24 * 60 * 60);

/// How much longer than it can live a session is remembered as ended: clocks may differ by less.
const PURGE_DELAY: Span = Span::from_secs(300);

/// `typ` of the claims.
const TYP: &str = "session";
/// What the encryption key is derived for.
const LABEL: &str = "client-based sessions";
/// Bytes of the authentication tag.
const TAG_LEN: usize = 16;

/// What the token says.
#[derive(Serialize, Deserialize)]
struct Claims {
    typ: String,
    /// Under what it is revoked.
    jti: String,
    /// When it started, log time, milliseconds since the epoch.
    created: u64,
    data: SessionData,
}

/// Whether a token (in its normal form) is of this kind rather than a handle.
pub fn looks_like(token: &str) -> bool {
    token.len() > secrets::HANDLE_CHARS && token.contains(".*")
}

/// A token for a session that started at `created`, in log time; `None` when it would not fit into a cookie, or may live too
/// long to be let go.
///
/// # Errors
/// [`KeyError`] when this node has no usable keys.
pub fn seal(desk: &Desk, data: &SessionData, created: Stamp) -> Result<Option<String>, KeyError> {
    let ring = keys::ring(desk)?;
    let key = keys::signing_key(&ring, Algorithm::HS256)?;
    let jti = URL_SAFE_NO_PAD.encode(host::random::<20>());
    let jws = key.sign(&Claims { typ: TYP.to_owned(), jti, created: created.0, data: data.clone() })?;
    let token = format!("{}{}", prefix(), encrypt(key, jws.into_bytes())?);
    Ok((token.len() <= MAX_BYTES && data.max_life <= MAX_LIFE).then_some(token))
}

/// The session in a token of ours, and under what it is revoked. Whether it is live is for [`crate::caller`].
pub fn open(desk: &Desk, token: &str) -> Option<(TokenHash, Arc<Session>)> {
    let (_, jwe) = token.rsplit_once('*')?;
    let ring = keys::ring(desk).ok()?;
    let jws = decrypt(&ring, jwe)?;
    let claims = Claims::deserialize(keys::verify(&ring, &jws)?).ok()?;
    let created = Stamp(claims.created);
    let session = Session { data: Arc::new(claims.data), created, used: created };
    (claims.typ == TYP).then(|| (secrets::hash(HandleKind::Session, &claims.jti), Arc::new(session)))
}

/// What ends a session: an entry of the blacklist, until it could not live anyway.
pub fn ending(hash: TokenHash, session: &Session) -> BlacklistJti {
    BlacklistJti { jti: hash, until: session.created + session.data.max_life + PURGE_DELAY }
}

/// What ends all sessions of a subject that started at `mark` or before.
pub fn ending_all(subject: &DocumentKey, mark: Stamp) -> BlacklistJti {
    BlacklistJti { jti: all_of(subject), until: mark + MAX_LIFE }
}

/// Under what it is remembered that all sessions of a subject have ended. Begins with a space, which no `jti` does.
fn all_of(DocumentKey { realm, kind, id }: &DocumentKey) -> TokenHash {
    secrets::hash(HandleKind::Session, &format!(" all of {}", json!([realm.as_str(), format!("{kind:?}"), &**id])))
}

/// Whether somebody has ended a session, or all of its subject that had started by then.
pub fn has_ended(desk: &Desk, hash: &TokenHash, session: &Session) -> bool {
    let view = desk.views().blacklist.pin();
    let by_then = |until: &Stamp| session.created + MAX_LIFE <= *until;
    view.contains_key(hash) || view.get(&all_of(&session.data.subject)).is_some_and(by_then)
}

/// `<id>.*<extension>.*`: nothing is looked up by it; it tells clients what kind of token this is.
fn prefix() -> String {
    let mut extension = Vec::new();
    for (key, value) in [("SI", "01"), ("SK", ""), ("type", "JWT"), ("S1", "")] {
        for text in [key, value] {
            extension.extend(u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
            extension.extend(text.as_bytes());
        }
    }
    let c66 = |bytes: &[u8]| {
        let plain = STANDARD.encode(bytes);
        plain.replace('+', "-").replace('/', "_").replace('=', ".")
    };
    // AM's ids are 20 bytes, which end in padding, which becomes the dot before the star.
    format!("{}*{}.*", c66(&host::random::<20>()), c66(&extension).trim_end_matches('.'))
}

fn cipher(key: &SigningKey) -> Result<RandomizedNonceKey, KeyError> {
    let derived = key.derived(LABEL)?;
    Ok(RandomizedNonceKey::new(&AES_256_GCM, &*derived)?)
}

/// RFC 7516 §5.1 with direct encryption: the encrypted key is empty, the header is the additional data.
fn encrypt(key: &SigningKey, mut text: Vec<u8>) -> Result<String, KeyError> {
    let header = json!({ "typ": "JWT", "cty": "JWT", "alg": "dir", "enc": "A256GCM", "kid": key.kid });
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let nonce = cipher(key)?.seal_in_place_append_tag(Aad::from(header.as_bytes()), &mut text)?;
    let (sealed, tag) = text.split_at_checked(text.len().saturating_sub(TAG_LEN)).ok_or(KeyError::Crypto)?;
    let [nonce, sealed, tag] = [nonce.as_ref(), sealed, tag].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    Ok(format!("{header}..{nonce}.{sealed}.{tag}"))
}

/// RFC 7516 §5.2; the algorithms are ours, whatever the header says.
fn decrypt(ring: &[SigningKey], jwe: &str) -> Option<String> {
    let mut parts = jwe.split('.');
    let (header, empty, nonce, sealed, tag) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let said: Value = serde_json::from_slice(&decoded(header)?).ok()?;
    let kid = said["kid"].as_str()?;
    let ours =
        said["alg"] == "dir" && said["enc"] == "A256GCM" && said.get("crit").is_none() && said.get("zip").is_none();
    if !ours || !empty.is_empty() || parts.next().is_some() {
        return None;
    }
    let same =
        |key: &&SigningKey| key.algorithm == Algorithm::HS256 && secrets::equal(key.kid.as_bytes(), kid.as_bytes());
    let key = ring.iter().find(same)?;
    let nonce = decoded(nonce).filter(|nonce| nonce.len() == NONCE_LEN)?;
    let tag = decoded(tag).filter(|tag| tag.len() == TAG_LEN)?;
    let mut text = decoded(sealed)?;
    text.extend(tag);
    let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
    let length = cipher(key).ok()?.open_in_place(nonce, Aad::from(header.as_bytes()), &mut text).ok()?.len();
    text.truncate(length);
    String::from_utf8(text).ok()
}
