//! Client-based access tokens: signed JWTs (oauth2-tokens §3).
//!
//! | source             | it says                                                          | we do it in            |
//! |--------------------|------------------------------------------------------------------|------------------------|
//! | oauth2-tokens §3.1 | the claims                                                       | [`AccessClaims`]       |
//! | oauth2-tokens §3.3 | algorithm by key, then `cts`, `tokenName`, `iss`, `realm`          | [`read`]               |
//! | RFC 8725 §3.12     | no other JWT of ours passes as an access token                   | [`Read`]               |
//! | G3                 | the fences of client and owner travel along                      | [`AccessClaims::client_id`], [`AccessClaims::sub_fence`], `authGrantId` |
//!
//! `aud` tells to whom the token belongs on the wire, and policy may set it to the API's name; so the client that the token
//! was issued to, whose disabling must kill it, has a claim of its own (as newer AM releases have).

use crate::{
    base_url::BaseUrl,
    desk::Desk,
    keys::{self, KeyError, Purpose},
    secrets::{self, HandleKind},
};
use quorate_raft::{GrantId, RealmPath, Seq, Stamp, TokenHash};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use uuid::Uuid;

/// `cts` of every such token.
pub const CTS: &str = "OAUTH2_STATELESS_GRANT";
/// `tokenName` of access tokens.
pub const ACCESS_TOKEN: &str = "access_token";

/// What a client-based access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessClaims<'a> {
    /// Resource owner, or the client itself.
    pub sub: Cow<'a, str>,
    /// [`CTS`].
    pub cts: Cow<'a, str>,
    /// Authentication level of the session, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_level: Option<i32>,
    /// Correlates audit records.
    #[serde(rename = "auditTrackingId")]
    pub audit_tracking_id: String,
    /// `sub` as a plain name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subname: Option<Cow<'a, str>>,
    /// Issuer of the realm.
    pub iss: Cow<'a, str>,
    /// [`ACCESS_TOKEN`].
    #[serde(rename = "tokenName")]
    pub token_name: Cow<'a, str>,
    /// `Bearer`.
    pub token_type: Cow<'a, str>,
    /// The family.
    #[serde(rename = "authGrantId")]
    pub auth_grant_id: String,
    /// Whose token it is.
    pub aud: Cow<'a, str>,
    /// Seconds since the epoch.
    pub nbf: u64,
    /// Wire name of the grant.
    pub grant_type: Cow<'a, str>,
    /// Granted scope: an array here, unlike everywhere else.
    pub scope: Cow<'a, [Arc<str>]>,
    /// When the owner authenticated, seconds since the epoch.
    pub auth_time: u64,
    /// The realm.
    pub realm: Cow<'a, str>,
    /// Seconds since the epoch.
    pub exp: u64,
    /// Seconds since the epoch.
    pub iat: u64,
    /// Lifetime as issued, seconds; it does not change.
    pub expires_in: u64,
    /// Key of the blacklist.
    pub jti: Cow<'a, str>,
    /// The client it was issued to.
    pub client_id: Cow<'a, str>,
    /// The fence of the owner's document; absent when the owner is the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_fence: Option<u64>,
    /// What policy said about audience scopes.
    #[serde(rename = "policyResult", default, skip_serializing_if = "Option::is_none")]
    pub policy_result: Option<bool>,
}

impl AccessClaims<'_> {
    /// The family, with the client's fence inside.
    pub fn grant(&self) -> Option<GrantId> {
        secrets::parse_grant(&self.auth_grant_id)
    }

    /// Under what the blacklist knows the token.
    pub fn jti_hash(&self) -> TokenHash {
        secrets::hash(HandleKind::Jti, &self.jti)
    }

    /// The fence of the owner's document.
    pub fn owner_fence(&self) -> Option<Seq> {
        self.sub_fence.map(Seq)
    }

    /// From when the token is dead.
    pub fn expires(&self) -> Stamp {
        Stamp(self.exp.saturating_mul(1000))
    }
}

/// A JWT that one of our keys signed.
pub enum Read {
    /// An access token; whether it is active is not known yet.
    Access(Box<AccessClaims<'static>>),
    /// Something else of ours, by its `tokenName`.
    Other(String),
}

/// Whether `token` looks like a JWS rather than a handle (oauth2-tokens §1).
pub fn looks_like_jws(token: &str) -> bool {
    token.len() > secrets::HANDLE_CHARS && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Reads and verifies a JWS; `None` for whatever we did not sign. Time, revocation and realm are for
/// [`active`](super::active).
///
/// # Errors
/// [`KeyError`] when this node has no usable keys: nothing can be said about the token then.
pub fn read(desk: &Desk, jws: &str) -> Result<Option<Read>, KeyError> {
    let Some(json) = keys::ring(desk)?.verify(Purpose::ClientBasedTokens, jws) else {
        return Ok(None);
    };
    let name = json["tokenName"].as_str().unwrap_or_default();
    if name != ACCESS_TOKEN || json["cts"] != CTS {
        return Ok(Some(Read::Other(name.to_owned())));
    }
    let Ok(claims) = AccessClaims::deserialize(&json) else {
        return Ok(None);
    };
    let ours = BaseUrl::has_issued(desk, &RealmPath::from(&*claims.realm), &claims.iss);
    Ok(ours.then(|| Read::Access(Box::new(claims))))
}

/// `auditTrackingId` from its two halves.
pub fn audit_tracking_id((process, counter): (u128, u64)) -> String {
    format!("{}-{counter}", Uuid::from_u128(process))
}
