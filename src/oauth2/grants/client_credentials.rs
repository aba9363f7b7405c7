//! Client credentials grant. Read with the RFC open beside it.
//!
//! | RFC                   | it says                                    | we do it in                  |
//! |-----------------------|--------------------------------------------|------------------------------|
//! | 6749 §4.4             | confidential clients only                  | [`grant`]                    |
//! | 6749 §4.4.2           | `scope` OPTIONAL                           | [`scope::resolve`]           |
//! | authorization §8.2    | scope by policy                            | [`scope_policy::for_client`] |
//! | 6749 §4.4.3           | no refresh token                           | none is made                 |
//! | oauth2-endpoints §7.4 | the subject is the client; no ID token     | [`Owner::Client`]            |

use crate::{
    oauth2::{
        Reads,
        audience::{self, Asker},
        error::{Code, Error, Result, unexpected},
        grant_type::GrantType,
        issue::{Grant, Owner, Prepared, TokenResponse, now},
        scope, scope_policy,
        token::TokenRequest,
    },
    secrets,
};
use quorate_raft::{Command, Outcome, grant_sets::IssueAccess};

/// RFC 6749 §4.4.
///
/// # Errors
/// RFC 6749 §5.2.
pub async fn grant(asked: &TokenRequest<'_>) -> Result<TokenResponse> {
    let TokenRequest { http: request, client, provider, settings } = asked;
    let desk = request.desk;
    if client.client.public {
        return Err(Error::new(Code::UnauthorizedClient, "Public clients can't use client credentials grant."));
    }
    let scope = scope::resolve(request.params.get("scope"), &client.client, settings)?;
    let scope = scope_policy::for_client(desk, &request.realm, (client.id.as_str(), &client.client), settings, scope)?;
    let asker = Asker { subject: client.id.as_str(), client: client.id.as_str() };
    let (scope, modification) = audience::modify(desk, &request.realm, &client.client, settings, scope, asker)?;
    let grant = Grant {
        desk,
        realm: &request.realm,
        provider,
        client,
        settings,
        owner: Owner::Client,
        grant_type: GrantType::ClientCredentials,
        id: secrets::new_grant_id(client.fence),
        scope,
        issuer: request.base_url().issuer(&request.realm).into(),
        modification,
        auth_time: None,
        auth_level: None,
    };
    let prepared = grant.prepare()?;
    let (issued, expires) = match &prepared {
        Prepared::Opaque(minted, access) => {
            let issue = IssueAccess { hint: minted.hint(), grant: grant.id, access: access.clone() };
            match desk.propose(Command::IssueAccess(issue)).await? {
                Outcome::Issued { issued, expires } => (issued, expires),
                Outcome::Refused(refusal) => return Err(refusal.into()),
                Outcome::Done | Outcome::Written(_) => return Err(unexpected()),
            }
        }
        // Nothing is stored for it: it can only be revoked.
        Prepared::ClientBased(..) => {
            if request.reads == Reads::ToBeConfirmed {
                desk.barrier().await?;
            }
            let issued = now(desk);
            (issued, issued + settings.access_ttl)
        }
    };
    grant.finish(prepared, issued, expires)
}
