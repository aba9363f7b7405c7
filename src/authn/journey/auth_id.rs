//! `authId`: a journey between two steps, in the client's hands (authn-sessions-realms.md a.5; ADR 14).
//!
//! | it says                                                             | we do it in              |
//! |---------------------------------------------------------------------|--------------------------|
//! | a JWS, header exactly `{"typ":"JWT","alg":"HS256"}`                 | `HEADER`, [`seal`]     |
//! | `otk`, 130 random bits in base32, new with every step               | `one_time_key`         |
//! | `realm`, `authIndexType`, `authIndexValue`, `exp`, `iat`            | `Claims`               |
//! | `sessionId`: `*…*` and a nested, encrypted JWT with the state       | `encrypt`, `decrypt` |
//! | `Failed to parse JWT, …`, `AuthId JWT Signature not valid`          | [`open`]                 |
//! | a step is submitted once                                            | [`Opened::spend`]        |
//!
//! Every key is derived from the cluster's key ring: any node can go on. The signing key is one of the realm's, so that a step
//! of one realm is none of another. The state is encrypted under a key of its own, derived with the `otk`: no two steps share
//! a key, and a state does not fit another step.

use super::{failure::Failure, state::Journey};
use crate::{
    consensus::Unavailable,
    desk::Desk,
    host,
    keys::{self, KeyError},
    secrets::{HandleKind, hash},
};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use quorate_raft::{Command, Outcome, RealmPath, Refusal, Stamp, blacklist::Spend};
use serde::{Deserialize, Serialize};

/// `{"typ":"JWT","alg":"HS256"}`, encoded.
pub(super) const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// `{"typ":"JWT","alg":"dir","enc":"A256GCM"}`, encoded (RFC 7516 §4).
const STATE_HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0";

/// What AM's session references begin with: site `01`, type `JWT_AUTH`, no server.
const REFERENCE: &str = "*AAJTSQACMDEABHR5cGUACEpXVF9BVVRIAAJTMQAA*";

/// Bytes of AES-GCM's tag.
const TAG: usize = 16;

/// Most bytes of a journey's state: nodes that put more into it fail.
pub const MAX_STATE_BYTES: usize = 24 << 10;

/// Longest `authId` that is looked at, bytes: base64 in base64 of the largest state, and the claims.
pub const MAX_AUTH_ID_BYTES: usize = 48 << 10;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    otk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_index_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_index_value: Option<String>,
    realm: String,
    session_id: String,
    exp: u64,
    iat: u64,
}

/// A journey that cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// Nodes put more into the state than it may hold.
    #[error("the state of the journey is larger than {MAX_STATE_BYTES} bytes")]
    TooLarge,
    /// No key.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

/// A step that came back: it is ours, of this realm, and has not expired. Whether it came back before, [`spend`](Self::spend)
/// says.
pub struct Opened {
    /// The journey as it was.
    pub journey: Journey,
    otk: String,
    expires: u64,
}

/// 130 random bits in 26 characters.
fn one_time_key() -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    host::random::<26>().iter().map(|byte| char::from(DIGITS[usize::from(byte & 31)])).collect()
}

fn mac_key(desk: &Desk, realm: &RealmPath) -> Result<hmac::Key, KeyError> {
    let key = keys::derive(&keys::ring(desk)?, &format!("authId 1 {realm}"))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
}

fn state_key(desk: &Desk, realm: &RealmPath, otk: &str) -> Result<RandomizedNonceKey, KeyError> {
    // A one-time key has neither spaces nor slashes: no two pairs make the same label.
    let key = keys::derive(&keys::ring(desk)?, &format!("journey 1 {otk} {realm}"))?;
    Ok(RandomizedNonceKey::new(&AES_256_GCM, &*key)?)
}

/// A compact JWE, direct encryption (RFC 7516 §7.1).
pub(super) fn encrypt(key: &RandomizedNonceKey, mut state: Vec<u8>) -> Result<String, KeyError> {
    let nonce = key.seal_in_place_append_tag(Aad::from(STATE_HEADER), &mut state)?;
    let (text, tag) = state.split_at_checked(state.len().saturating_sub(TAG)).ok_or(KeyError::Crypto)?;
    let mut jwe = format!("{STATE_HEADER}..");
    for (part, separator) in [(nonce.as_ref().as_slice(), "."), (text, "."), (tag, "")] {
        BASE64.encode_string(part, &mut jwe);
        jwe.push_str(separator);
    }
    Ok(jwe)
}

pub(super) fn decrypt(key: &RandomizedNonceKey, jwe: &str) -> Option<Vec<u8>> {
    let mut parts = jwe.strip_prefix(STATE_HEADER)?.strip_prefix("..")?.split('.');
    let (nonce, text, tag) = (parts.next()?, parts.next()?, parts.next()?);
    let nonce = Nonce::try_assume_unique_for_key(&BASE64.decode(nonce).ok()?).ok()?;
    let mut state = BASE64.decode(text).ok()?;
    state.extend(BASE64.decode(tag).ok()?);
    let length = key.open_in_place(nonce, Aad::from(STATE_HEADER), &mut state).ok()?.len();
    state.truncate(length);
    parts.next().is_none().then_some(state)
}

/// A compact JWS (RFC 7515 §7.1) of `claims`.
pub(super) fn sign(key: &hmac::Key, claims: &impl Serialize) -> Result<String, KeyError> {
    let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Crypto)?;
    let mut jws = format!("{HEADER}.");
    BASE64.encode_string(claims, &mut jws);
    let signature = hmac::sign(key, jws.as_bytes());
    jws.push('.');
    BASE64.encode_string(signature, &mut jws);
    Ok(jws)
}

/// The `authId` of the next step.
///
/// # Errors
/// [`NotSealed`].
pub fn seal(desk: &Desk, realm: &RealmPath, journey: &Journey) -> Result<String, NotSealed> {
    let state = serde_json::to_vec(journey).map_err(|_| KeyError::Crypto)?;
    if state.len() > MAX_STATE_BYTES {
        return Err(NotSealed::TooLarge);
    }
    let otk = one_time_key();
    let encrypted = encrypt(&state_key(desk, realm, &otk)?, state)?;
    let (auth_index_type, auth_index_value) = journey.index.clone().unzip();
    let claims = Claims {
        otk,
        auth_index_type,
        auth_index_value,
        realm: realm.to_string(),
        session_id: format!("{REFERENCE}{encrypted}"),
        exp: journey.expires,
        iat: journey.started,
    };
    Ok(sign(&mac_key(desk, realm)?, &claims)?)
}

/// The journey in `auth_id`, at `now`.
///
/// # Errors
/// 400 for what is not ours; the timeout when it has expired.
pub fn open(desk: &Desk, realm: &RealmPath, auth_id: &str, now: Stamp) -> Result<Opened, Failure> {
    let unreadable = |what: &str| Failure::bad_request(format!("Failed to parse JWT, {what}"));
    let invalid = || Failure::bad_request("AuthId JWT Signature not valid");
    if auth_id.len() > MAX_AUTH_ID_BYTES {
        return Err(unreadable("it is too long"));
    }
    let (message, signature) = auth_id.rsplit_once('.').ok_or_else(|| unreadable("it has no signature"))?;
    let (header, claims) = message.split_once('.').ok_or_else(|| unreadable("it has no claims"))?;
    let decode = |part: &str| BASE64.decode(part).map_err(|_| unreadable("it is not base64url"));
    let signature = decode(signature)?;
    let is_json = |bytes: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    let (head, body) = (decode(header)?, decode(claims)?);
    if !is_json(&head) || !is_json(&body) {
        return Err(unreadable("it is not JSON"));
    }
    // The algorithm is ours to choose, whatever a header says (JW-01).
    let key = mac_key(desk, realm).map_err(unusable)?;
    if header != HEADER || hmac::verify(&key, message.as_bytes(), &signature).is_err() {
        return Err(invalid());
    }
    let claims: Claims = serde_json::from_slice(&body).map_err(|_| invalid())?;
    let state = claims.session_id.strip_prefix(REFERENCE).and_then(|encrypted| {
        let key = state_key(desk, realm, &claims.otk).ok()?;
        serde_json::from_slice::<Journey>(&decrypt(&key, encrypted)?).ok()
    });
    let journey = state.filter(|_| claims.realm == realm.as_str()).ok_or_else(invalid)?;
    let expires = claims.exp.min(journey.expires);
    if now.secs() >= expires {
        return Err(Failure::timed_out(journey.service.is_chain()));
    }
    Ok(Opened { journey, otk: claims.otk, expires })
}

fn unusable(error: KeyError) -> Failure {
    tracing::error!(%error, "journeys cannot be signed");
    Failure::new(500, crate::crest::error::reason(500))
}

impl Opened {
    /// Submits the step: of all who do, on whatever nodes, one gets the journey.
    ///
    /// # Errors
    /// The timeout for all others, and once log time has reached the end; 503 when there is no decision.
    pub async fn spend(self, desk: &Desk) -> Result<Journey, Failure> {
        let until = Stamp(self.expires.saturating_mul(1000));
        let spend = Spend { hash: hash(HandleKind::Step, &self.otk), until };
        match desk.propose(Command::Spend(spend)).await? {
            Outcome::Done => Ok(self.journey),
            Outcome::Refused(Refusal::Replayed | Refusal::Expired) => {
                Err(Failure::timed_out(self.journey.service.is_chain()))
            }
            Outcome::Refused(_) => Err(Unavailable::Overloaded.into()),
            Outcome::Issued { .. } | Outcome::Written(_) => Err(Unavailable::Unknown.into()),
        }
    }
}

#[cfg(test)]
mod tests;
