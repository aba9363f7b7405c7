//! Authorization code grant, token endpoint half. Read with the RFCs open beside it.
//!
//! | RFC                   | it says                                          | we do it in                       |
//! |-----------------------|--------------------------------------------------|-----------------------------------|
//! | 6749 §4.1.3           | `code` REQUIRED                                  | [`grant`]                         |
//! | oauth2-endpoints §7.1 | `scope` refused; `redirect_uri` REQUIRED         | [`grant`]                         |
//! | 6749 §4.1.3           | issued to this client                            | `peek`, `redeem_code` (raft)    |
//! | 6749 §4.1.3           | `redirect_uri` identical to the one sent before  | `redeem_code` (raft)              |
//! | 7636 §4.5-4.6         | `code_verifier` transforms to the challenge      | [`pkce::verifier`], `redeem_code` |
//! | 6749 §4.1.2           | used at most once; a replay revokes              | `redeem_code` (raft)              |
//! | G3, abuse GR-09       | the owner may still act                          | `peek`                          |
//! | OIDC Core §3.1.3.3    | an ID token when `openid` was authorized         | [`id_token`]                      |

use crate::{
    caller,
    oauth2::{
        active::user_key,
        audience::{self, Asker},
        error::{Code, Error, Result, unexpected},
        grant_type::GrantType,
        id_token::{self, IdToken},
        issue::{Grant, Owner, TokenResponse},
        pkce, redirect,
        token::TokenRequest,
    },
    secrets::{HandleKind, Presented},
    views::Entry,
};
use quorate_raft::{
    Command, Outcome, RealmPath, TokenHash,
    grant_sets::{Authorization, RedeemCode},
};
use std::sync::Arc;

/// RFC 6749 §4.1.3, RFC 7636 §4.5.
///
/// # Errors
/// RFC 6749 §5.2; the order is that of oauth2-endpoints §7.1.
pub async fn grant(asked: &TokenRequest<'_>) -> Result<TokenResponse> {
    let TokenRequest { http: request, client, provider, settings } = asked;
    let (desk, params) = (request.desk, request.params);
    if params.get("scope").is_some() {
        return Err(Error::invalid_request(
            "Scope parameter is not supported on an authorization code access_token exchange request. \
             Scope parameter should be supplied to the authorize request.",
        ));
    }
    let code = params.get("code").ok_or_else(|| Error::invalid_request("Missing parameter, 'code'"))?;
    let redirect_uri =
        params.get("redirect_uri").ok_or_else(|| Error::invalid_request("Missing parameter, 'redirect_uri'"))?;
    if !redirect::is_registered(&client.client, redirect_uri) {
        return Err(Error::of(Code::RedirectUriMismatch));
    }
    let presented = Presented::parse(HandleKind::Code, code).ok_or_else(|| Error::of(Code::InvalidGrant))?;
    let (authorization, user) = peek(asked, &request.realm, &presented.hash)?;

    let asker = Asker { subject: authorization.owner.as_str(), client: client.id.as_str() };
    let scope = authorization.scope.clone();
    let (scope, modification) = audience::modify(desk, &request.realm, &client.client, settings, scope, asker)?;
    let grant = Grant {
        desk,
        realm: &request.realm,
        provider,
        client,
        settings,
        owner: Owner::User(authorization.owner.clone(), authorization.owner_fence),
        grant_type: GrantType::AuthorizationCode,
        id: authorization.grant,
        scope,
        issuer: authorization.issuer.clone(),
        modification,
        auth_time: Some(authorization.auth_time),
        auth_level: Some(authorization.auth_level),
    };
    let prepared = grant.prepare()?;
    let signer = match authorization.scope.iter().any(|scope| **scope == *"openid") {
        true => Some(id_token::signer(desk, &client.client)?),
        false => None,
    };
    let redeem = RedeemCode {
        hint: presented.hint,
        code: presented.hash,
        realm: request.realm.clone(),
        client: client.id.clone(),
        redirect_uri: Some(redirect_uri.into()),
        verifier: params.get("code_verifier").map(pkce::verifier),
        purchase: prepared.purchase(settings),
    };
    let (issued, expires) = match desk.propose(Command::RedeemCode(redeem)).await? {
        Outcome::Issued { issued, expires } => (issued, expires),
        Outcome::Refused(refusal) => return Err(refusal.into()),
        Outcome::Done | Outcome::Written(_) => return Err(unexpected()),
    };
    let mut response = grant.finish(prepared, issued, expires)?;
    if let Some(signer) = signer {
        let id_token = IdToken {
            desk,
            realm: &request.realm,
            provider,
            client,
            settings,
            authorization: &authorization,
            user: &user,
            code,
            access_token: &response.access_token,
            issued,
        };
        response.id_token = Some(id_token.sign(&signer)?);
    }
    Ok(response)
}

/// What stands behind a code, as the views show it: enough to prepare what it buys. Whether it buys anything is decided in
/// the log. A code of another client or realm ends here, so that nobody spends or revokes what belongs to another; so does
/// one whose client or owner is no longer the one that it was issued to and for.
fn peek(asked: &TokenRequest<'_>, realm: &RealmPath, hash: &TokenHash) -> Result<(Arc<Authorization>, Arc<Entry>)> {
    let invalid = || Error::of(Code::InvalidGrant);
    let desk = asked.http.desk;
    let stored = desk.views().code(hash).ok_or_else(invalid)?;
    let authorization = stored.authorization.clone();
    let client = &asked.client;
    let is_ours = authorization.client == client.id && authorization.realm == *realm;
    if !is_ours || authorization.client_fence != client.fence {
        return Err(invalid());
    }
    let key = user_key(realm, authorization.owner.as_str());
    let user = desk.views().entry(&key).ok_or_else(invalid)?;
    if user.document.fence != authorization.owner_fence || !caller::is_active(key.kind, &user) {
        return Err(invalid());
    }
    Ok((authorization, user))
}
