//! ID tokens of the code grant (OpenID Connect Core §2, §3.1.3.6; oauth2-tokens §10).
//!
//! | source              | it says                                            | we do it in        |
//! |---------------------|----------------------------------------------------|--------------------|
//! | OIDC Core §2        | `iss`, `sub`, `aud`, `exp`, `iat`, `auth_time`, `nonce` | `Claims`      |
//! | OIDC Core §3.1.3.6  | `at_hash` for the access token                      | [`IdToken::sign`]  |
//! | oauth2-tokens §10   | AM's further members; `c_hash` here too              | `Claims`         |
//! | oauth2-tokens §10.5 | user claims only where configured                  | [`IdToken::sign`]  |

use super::{
    authenticate::AuthenticatedClient,
    client::Client,
    client_based,
    error::{Code, Error, Result},
    provider::{Provider, Settings},
    userinfo,
};
use crate::{
    desk::Desk,
    keys::{self, Algorithm, Purpose, Ring},
    views::Entry,
};
use quorate_raft::{RealmPath, Stamp, grant_sets::Authorization};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The `tokenName` that keeps ID tokens from passing as anything else.
const ID_TOKEN: &str = "id_token";

/// What an ID token is about.
pub struct IdToken<'t> {
    /// The cluster.
    pub desk: &'t Desk,
    /// The realm.
    pub realm: &'t RealmPath,
    /// Its provider.
    pub provider: &'t Provider,
    /// For whom it is.
    pub client: &'t AuthenticatedClient,
    /// What holds for that client.
    pub settings: &'t Settings,
    /// What the owner authorized.
    pub authorization: &'t Authorization,
    /// The owner's document.
    pub user: &'t Entry,
    /// The code that was redeemed.
    pub code: &'t str,
    /// The access token beside it.
    pub access_token: &'t str,
    /// When, log time.
    pub issued: Stamp,
}

#[derive(Serialize)]
struct Claims<'t> {
    at_hash: String,
    c_hash: String,
    sub: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subname: Option<&'t str>,
    #[serde(rename = "auditTrackingId")]
    audit_tracking_id: String,
    iss: &'t str,
    #[serde(rename = "tokenName")]
    token_name: &'static str,
    aud: &'t str,
    azp: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'t str>,
    auth_time: u64,
    realm: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'t str>,
    exp: u64,
    iat: u64,
    #[serde(rename = "tokenType")]
    token_type: &'static str,
    #[serde(flatten)]
    user: Map<String, Value>,
}

/// A key that signs ID tokens.
pub struct Signer(Arc<Ring>, Algorithm);

/// What signs the ID tokens of `client`.
///
/// # Errors
/// `server_error` when it is configured with what is not served, or this node has no usable keys.
pub fn signer(desk: &Desk, client: &Client) -> Result<Signer> {
    let algorithm = client.id_token_algorithm.ok_or(Error::new(Code::ServerError, "Unknown Signing Algorithm"))?;
    let ring = keys::ring(desk)?;
    ring.signer(Purpose::OpenId, algorithm)?;
    Ok(Signer(ring, algorithm))
}

impl Signer {
    /// A JWT over `claims`.
    ///
    /// # Errors
    /// `server_error` when signing fails.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String> {
        let Self(ring, algorithm) = self;
        Ok(ring.signer(Purpose::OpenId, *algorithm)?.sign(claims)?)
    }
}

impl IdToken<'_> {
    /// The token.
    ///
    /// # Errors
    /// `server_error` when signing fails.
    pub fn sign(&self, signer: &Signer) -> Result<String> {
        let authorization = self.authorization;
        let client = self.client.id.as_str();
        let iat = self.issued.secs();
        let user = match self.provider.always_add_claims {
            true => userinfo::claims(self.user.json(), &authorization.scope),
            false => Map::new(),
        };
        let claims = Claims {
            at_hash: keys::half_hash(self.access_token),
            c_hash: keys::half_hash(self.code),
            sub: authorization.owner.as_str(),
            subname: self.provider.subname.then_some(authorization.owner.as_str()),
            audit_tracking_id: client_based::audit_tracking_id(self.desk.next_audit()),
            iss: &authorization.issuer,
            token_name: ID_TOKEN,
            aud: client,
            azp: client,
            acr: authorization.acr.as_deref(),
            auth_time: authorization.auth_time,
            realm: self.realm.as_str(),
            nonce: authorization.nonce.as_deref(),
            exp: iat.saturating_add(self.settings.id_token_secs),
            iat,
            token_type: "JWTToken",
            user,
        };
        signer.sign(&claims)
    }
}
