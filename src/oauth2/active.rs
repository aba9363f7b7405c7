//! Whether a token is active: the one place that decides it, for introspection, tokeninfo, userinfo and revocation.
//!
//! | source                | it says                                                      | we do it in                 |
//! |-----------------------|--------------------------------------------------------------|-----------------------------|
//! | RFC 7662 §2.2         | not expired, not revoked, issued by us                        | [`find`]                    |
//! | oauth2-tokens §2.3    | a handle is looked up under its kind; log time decides        | `Views::access`             |
//! | oauth2-tokens §3.3    | a JWT: signature, `cts`, `tokenName`, `iss`, time, blacklist  | [`client_based::read`], [`find`] |
//! | G3                    | its client and its owner exist, are active and the same ones  | `principals_stand`        |
//! | G2                    | callers have passed the read barrier                          | `oauth2::serve_path`             |

use super::{
    audience::Modification,
    client_based::{self, AccessClaims, Read},
    error::Result,
    issue::now,
};
use crate::{
    caller,
    desk::Desk,
    inheritance::Standing,
    secrets::{self, HandleKind, Presented},
};
use quorate_raft::{AccessToken, DocumentKey, GrantId, Kind, RealmPath, Seq, Stamp};
use std::sync::Arc;

/// A token that is active now.
pub enum Active {
    /// Lives in replicated state.
    Opaque(Arc<AccessToken>),
    /// Lives in itself.
    ClientBased(Box<AccessClaims<'static>>),
}

/// What both kinds say.
pub struct Facts<'t> {
    /// The realm it was issued in.
    pub realm: &'t str,
    /// The client it was issued to.
    pub client: &'t str,
    /// Resource owner, or the client itself.
    pub owner: &'t str,
    /// Whether the owner is a user.
    pub is_user: bool,
    /// Granted scope.
    pub scope: &'t [Arc<str>],
    /// Wire name of the grant.
    pub grant_type: &'t str,
    /// Issuer.
    pub issuer: &'t str,
    /// From when it is dead.
    pub expires: Stamp,
}

impl Active {
    /// What both kinds say.
    pub fn facts(&self) -> Facts<'_> {
        match self {
            Self::Opaque(token) => Facts {
                realm: token.template.realm.as_str(),
                client: token.template.client.as_str(),
                owner: token.template.owner.as_str(),
                is_user: token.template.owner_fence.is_some(),
                scope: &token.template.scope,
                grant_type: &token.template.grant_type,
                issuer: &token.template.issuer,
                expires: token.expires,
            },
            Self::ClientBased(claims) => Facts {
                realm: &claims.realm,
                client: &claims.client_id,
                owner: &claims.sub,
                is_user: claims.sub_fence.is_some(),
                scope: &claims.scope,
                grant_type: &claims.grant_type,
                issuer: &claims.iss,
                expires: claims.expires(),
            },
        }
    }

    /// `authGrantId`.
    pub fn auth_grant_id(&self) -> String {
        match self {
            Self::Opaque(token) => secrets::grant_text(&token.id.grant),
            Self::ClientBased(claims) => claims.auth_grant_id.clone(),
        }
    }

    /// `auditTrackingId`.
    pub fn audit_tracking_id(&self) -> String {
        match self {
            Self::Opaque(token) => client_based::audit_tracking_id((token.template.audit_process, token.audit_counter)),
            Self::ClientBased(claims) => claims.audit_tracking_id.clone(),
        }
    }

    /// What policy added to an opaque token; in a client-based one it has become claims.
    pub fn modification(&self) -> Modification {
        match self {
            Self::Opaque(token) => Modification::from_text(&token.template.extra),
            Self::ClientBased(claims) => Modification { aud: None, policy_result: claims.policy_result },
        }
    }

    /// Seconds that it still lives.
    pub fn expires_in(&self, desk: &Desk) -> u64 {
        self.facts().expires.secs().saturating_sub(now(desk).secs())
    }
}

/// The document of a user: names ignore case.
pub fn user_key(realm: &RealmPath, name: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::User, &name.to_lowercase())
}

/// The token, if it is active. Call [`Desk::barrier`] first.
///
/// # Errors
/// `server_error` when this node cannot verify signatures.
pub fn find(desk: &Desk, token: &str) -> Result<Option<Active>> {
    if let Some(Presented { hash, .. }) = Presented::parse(HandleKind::Access, token) {
        let Some(token) = desk.views().access(&hash) else {
            return Ok(None);
        };
        let template = &token.template;
        let stand = principals_stand(
            desk,
            &template.realm,
            (template.client.as_str(), template.client_fence),
            template.owner_fence.map(|fence| (template.owner.as_str(), fence)),
        );
        return Ok(stand.then_some(Active::Opaque(token)));
    }
    if !client_based::looks_like_jws(token) {
        return Ok(None);
    }
    let Some(Read::Access(claims)) = client_based::read(desk, token)? else {
        return Ok(None);
    };
    Ok(is_active(desk, &claims).then_some(Active::ClientBased(claims)))
}

fn is_active(desk: &Desk, claims: &AccessClaims<'_>) -> bool {
    let Some(grant): Option<GrantId> = claims.grant() else {
        return false;
    };
    claims.expires() > now(desk)
        && !desk.views().is_revoked(&claims.jti_hash(), &grant)
        && principals_stand(
            desk,
            &RealmPath::from(&*claims.realm),
            (&claims.client_id, secrets::grant_fence(&grant)),
            claims.owner_fence().map(|fence| (&*claims.sub, fence)),
        )
}

/// Whether client and owner are the ones that the token was issued to and for, and may act (G3).
fn principals_stand(desk: &Desk, realm: &RealmPath, client: (&str, Seq), owner: Option<(&str, Seq)>) -> bool {
    let stands = |key: DocumentKey, fence: Seq| {
        desk.views()
            .entry(&key)
            .is_some_and(|entry| caller::standing(desk.views(), key.kind, &entry) == Standing { active: true, fence })
    };
    let (id, fence) = client;
    stands(DocumentKey::new(realm, Kind::OAuth2Client, id), fence)
        && owner.is_none_or(|(name, fence)| stands(user_key(realm, name), fence))
}
