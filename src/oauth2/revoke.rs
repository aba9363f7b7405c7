//! Token revocation (RFC 7009).
//!
//! | source                | it says                                              | we do it in                 |
//! |-----------------------|------------------------------------------------------|-----------------------------|
//! | 7009 §2.1             | `token` REQUIRED; the client authenticates, public ones by name | [`answer`]       |
//! | 7009 §2.1             | only the client it was issued to                     | `revoke_access` (raft), [`client_based`] |
//! | 7009 §2.2             | unknown or expired: 200                              | `opaque`, `jws`         |
//! | oauth2-endpoints §11  | bodies and texts; codes and ID tokens are refused    | `opaque`, `jws`         |
//! | oauth2-tokens §6.1    | a JWT goes onto the blacklist until it has expired   | `jws`                     |
//! | G3                    | the answer comes after the decision of the cluster   | [`Desk::propose`](crate::desk::Desk::propose) |

use super::{
    Request, answer as http_answer,
    authenticate::{AuthenticatedClient, authenticate},
    client_based::{self, Read},
    error::{Code, Error, Result, unexpected},
    issue::now,
};
use crate::secrets::{HandleKind, Presented};
use actix_web::{HttpResponse, http::StatusCode};
use quorate_raft::{Command, Outcome, Refusal, Span, blacklist::BlacklistJti, grant_sets::RevokeAccess};
use serde::Serialize;

/// How long a revoked JWT is remembered beyond its end: `blacklistPurgeDelay`, one minute (oauth2-config §13).
const PURGE_DELAY: Span = Span::from_secs(60);

#[derive(Serialize)]
struct Empty {}

/// RFC 7009 §2.
///
/// # Errors
/// `invalid_client`, a missing `token`, a token of another client, something that is no access token, 503.
pub async fn answer(request: &Request<'_>) -> Result<HttpResponse> {
    let client = authenticate(request.desk, &request.realm, request.http, request.params, request.reads).await?;
    let token = request.params.get("token").ok_or_else(|| Error::invalid_request("Missing parameter: token"))?;
    if client_based::looks_like_jws(token) {
        jws(request, &client, token).await?;
    } else {
        opaque(request, &client, token).await?;
    }
    Ok(http_answer::json(StatusCode::OK, &Empty {}))
}

fn of_another_client() -> Error {
    Error::new(Code::InvalidGrant, "The provided token belongs to different access grant.")
}

fn no_access_token(name: &str) -> Error {
    Error::invalid_request(format!("Invalid token name: {name}"))
}

async fn opaque(request: &Request<'_>, client: &AuthenticatedClient, token: &str) -> Result<()> {
    let views = request.desk.views();
    let Some(Presented { hash, hint }) = Presented::parse(HandleKind::Access, token) else {
        return Ok(());
    };
    if views.access(&hash).is_none() {
        let code = Presented::parse(HandleKind::Code, token).and_then(|code| views.code(&code.hash));
        let own = code.is_some_and(|code| code.authorization.client == client.id);
        return if own { Err(no_access_token("access_code")) } else { Ok(()) };
    }
    let revoke = RevokeAccess { hint, hash, client: client.id.clone(), realm: request.realm.clone() };
    match request.desk.propose(Command::RevokeAccess(revoke)).await? {
        Outcome::Done | Outcome::Refused(Refusal::UnknownToken) => Ok(()),
        Outcome::Refused(Refusal::OtherClient) => Err(of_another_client()),
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Issued { .. } | Outcome::Written(_) => Err(unexpected()),
    }
}

async fn jws(request: &Request<'_>, client: &AuthenticatedClient, token: &str) -> Result<()> {
    let claims = match client_based::read(request.desk, token)? {
        Some(Read::Access(claims)) => claims,
        Some(Read::Other(name)) => return Err(no_access_token(&name)),
        None => return Ok(()),
    };
    // RFC 7009 §2.1 means the client it was issued to; AM takes the audience for it. Either may end the token.
    let id = client.id.as_str();
    if claims.realm != request.realm.as_str() || (claims.aud != id && claims.client_id != id) {
        return Err(of_another_client());
    }
    if claims.expires() <= now(request.desk) {
        return Ok(());
    }
    let blacklist = BlacklistJti { jti: claims.jti_hash(), until: claims.expires() + PURGE_DELAY };
    match request.desk.propose(Command::BlacklistJti(blacklist)).await? {
        Outcome::Done => Ok(()),
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Issued { .. } | Outcome::Written(_) => Err(unexpected()),
    }
}
