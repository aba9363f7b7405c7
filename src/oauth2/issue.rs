//! Issuing access tokens, opaque or client-based, and the answer that hands them out.
//!
//! | RFC                | it says                                          | we do it in           |
//! |--------------------|--------------------------------------------------|-----------------------|
//! | 6749 §5.1          | the answer                                       | [`TokenResponse`]     |
//! | 6749 §3.3          | `scope` tells what was granted                     | [`TokenResponse`]     |
//! | 6749 §10.10        | 160 random bits; the log sees hashes only (G5)     | [`Grant::prepare`]    |
//! | oauth2-tokens §3.1 | the claims of a JWT                              | [`Grant::finish`]     |

use super::{
    audience::Modification,
    authenticate::AuthenticatedClient,
    client_based::{self, AccessClaims},
    error::{Code, Error, Result},
    grant_type::GrantType,
    provider::{Format, Provider, Settings},
    scope,
};
use crate::{
    desk::Desk,
    host,
    keys::{self, Algorithm, Purpose, Ring},
    secrets::{self, HandleKind, Minted},
};
use quorate_raft::{
    GrantId, OwnerId, RealmPath, Seq, Stamp,
    grant_sets::{NewAccess, Purchase, Template},
};
use serde::Serialize;
use std::{borrow::Cow, sync::Arc};

/// For whom a token is.
#[derive(Clone, Debug)]
pub enum Owner {
    /// The client itself.
    Client,
    /// A user, by canonical name, and the fence of the user's document.
    User(OwnerId, Seq),
}

/// Everything about a token that is decided before it is stored or signed.
pub struct Grant<'g> {
    /// The cluster.
    pub desk: &'g Desk,
    /// The realm.
    pub realm: &'g RealmPath,
    /// Its provider.
    pub provider: &'g Provider,
    /// To whom the token goes.
    pub client: &'g AuthenticatedClient,
    /// What holds for that client.
    pub settings: &'g Settings,
    /// For whom it is.
    pub owner: Owner,
    /// How it was asked for.
    pub grant_type: GrantType,
    /// The family.
    pub id: GrantId,
    /// Granted scope.
    pub scope: Vec<Arc<str>>,
    /// Issuer at the time of the grant.
    pub issuer: Arc<str>,
    /// Fields set by policy.
    pub modification: Modification,
    /// When the owner authenticated, seconds since the epoch; `None` for now.
    pub auth_time: Option<u64>,
    /// Authentication level of the owner's session.
    pub auth_level: Option<i32>,
}

/// A token whose secret exists, and nothing else of it.
pub enum Prepared {
    /// To be stored.
    Opaque(Minted, NewAccess),
    /// To be signed.
    ClientBased(Minted, Arc<Ring>, Algorithm),
}

impl Prepared {
    /// What a code buys with it.
    pub fn purchase(&self, settings: &Settings) -> Purchase {
        match self {
            Self::Opaque(_, access) => Purchase::Opaque(access.clone()),
            Self::ClientBased(jti, ..) => Purchase::ClientBased { jti: jti.hash(), ttl: settings.access_ttl },
        }
    }
}

/// The time for what is not decided in the log: no node's clock may bring a token to life again that log time has ended.
pub fn now(desk: &Desk) -> Stamp {
    host::now().max(desk.views().log_time())
}

impl Grant<'_> {
    /// The owner's name on the wire: `sub`.
    pub fn owner_id(&self) -> OwnerId {
        match &self.owner {
            Owner::Client => OwnerId(self.client.id.0.clone()),
            Owner::User(name, _) => name.clone(),
        }
    }

    fn hint(&self) -> u8 {
        secrets::grant_set_hint(self.realm, &self.client.id, &self.owner_id())
    }

    /// Mints the secret, and finds the key that will sign, so that nothing can fail after the log has decided.
    ///
    /// # Errors
    /// `server_error` when the configured form cannot be issued.
    pub fn prepare(&self) -> Result<Prepared> {
        match self.settings.format {
            Format::Opaque => {
                let minted = Minted::new(HandleKind::Access, self.hint());
                let (audit_process, audit_counter) = self.desk.next_audit();
                let access = NewAccess {
                    hash: minted.hash(),
                    template: Arc::new(self.template(audit_process)),
                    auth_time: self.auth_time.unwrap_or_else(|| now(self.desk).secs()),
                    audit_counter,
                    ttl: self.settings.access_ttl,
                };
                Ok(Prepared::Opaque(minted, access))
            }
            Format::ClientBased(None) => Err(Error::new(Code::ServerError, "Unknown Signing Algorithm")),
            Format::ClientBased(Some(algorithm)) => {
                let ring = keys::ring(self.desk)?;
                ring.signer(Purpose::ClientBasedTokens, algorithm)?;
                Ok(Prepared::ClientBased(Minted::new(HandleKind::Jti, self.hint()), ring, algorithm))
            }
        }
    }

    fn template(&self, audit_process: u128) -> Template {
        Template {
            realm: self.realm.clone(),
            client: self.client.id.clone(),
            client_fence: self.client.fence,
            owner: self.owner_id(),
            owner_fence: match self.owner {
                Owner::Client => None,
                Owner::User(_, fence) => Some(fence),
            },
            scope: self.scope.clone(),
            grant_type: self.grant_type.name().into(),
            issuer: self.issuer.clone(),
            audit_process,
            extra: self.modification.to_text().into(),
        }
    }

    /// The token that the client gets, valid from `issued` until `expires`.
    ///
    /// # Errors
    /// `server_error` when signing fails.
    pub fn finish(&self, prepared: Prepared, issued: Stamp, expires: Stamp) -> Result<TokenResponse> {
        let access_token = match prepared {
            Prepared::Opaque(minted, _) => minted.reveal(),
            Prepared::ClientBased(jti, ring, algorithm) => {
                let key = ring.signer(Purpose::ClientBasedTokens, algorithm)?;
                key.sign(&self.claims(jti, issued, expires))?
            }
        };
        Ok(TokenResponse {
            access_token,
            scope: scope::joined(&self.scope),
            id_token: None,
            token_type: "Bearer",
            expires_in: expires.secs().saturating_sub(issued.secs()),
        })
    }

    fn claims(&self, jti: Minted, issued: Stamp, expires: Stamp) -> AccessClaims<'_> {
        let (iat, exp) = (issued.secs(), expires.secs());
        let sub = match &self.owner {
            Owner::Client => self.client.id.as_str(),
            Owner::User(name, _) => name.as_str(),
        };
        AccessClaims {
            sub: sub.into(),
            cts: client_based::CTS.into(),
            auth_level: self.auth_level,
            audit_tracking_id: client_based::audit_tracking_id(self.desk.next_audit()),
            subname: self.provider.subname.then(|| sub.into()),
            iss: (&*self.issuer).into(),
            token_name: client_based::ACCESS_TOKEN.into(),
            token_type: "Bearer".into(),
            auth_grant_id: secrets::grant_text(&self.id),
            aud: self.modification.aud.as_deref().unwrap_or(self.client.id.as_str()).into(),
            nbf: iat,
            grant_type: self.grant_type.name().into(),
            scope: Cow::Borrowed(&self.scope),
            auth_time: self.auth_time.unwrap_or(iat),
            realm: self.realm.as_str().into(),
            exp,
            iat,
            expires_in: exp.saturating_sub(iat),
            jti: jti.reveal().into(),
            client_id: self.client.id.as_str().into(),
            sub_fence: match self.owner {
                Owner::Client => None,
                Owner::User(_, fence) => Some(fence.0),
            },
            policy_result: self.modification.policy_result,
        }
    }
}

/// RFC 6749 §5.1.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    /// The token.
    pub access_token: String,
    /// What was granted, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// OpenID Connect Core §3.1.3.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
}
