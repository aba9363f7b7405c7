//! Token introspection (RFC 7662).
//!
//! | source                | it says                                                       | we do it in     |
//! |-----------------------|---------------------------------------------------------------|-----------------|
//! | 7662 §2.1             | `token` REQUIRED; the caller authenticates                     | [`answer`]      |
//! | abuse IN-01           | public clients do not introspect                              | [`answer`]      |
//! | 7662 §2.2             | inactive: `{"active":false}` and nothing else                  | `Answer`      |
//! | oauth2-endpoints §10  | who may: the client of an opaque token, the `aud` of a JWT,    | `may_introspect` |
//! |                       | holders of a scope in their profile                           |                 |
//! | 7662 §4               | anybody else learns nothing                                   | [`answer`]      |

use super::{
    Request,
    active::{self, Active},
    answer as http_answer,
    authenticate::{AuthenticatedClient, authenticate},
    client::{INTROSPECT_ALL, INTROSPECT_ANY_REALM},
    error::{Error, Result},
    provider::Provider,
    scope,
};
use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// The members of an answer, in AM's order.
#[derive(Serialize)]
struct Answer<'t> {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    realm: &'t str,
    client_id: &'t str,
    user_id: &'t str,
    username: &'t str,
    token_type: &'static str,
    exp: u64,
    sub: &'t str,
    iss: &'t str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subname: Option<&'t str>,
    #[serde(rename = "authGrantId")]
    auth_grant_id: String,
    #[serde(rename = "auditTrackingId")]
    audit_tracking_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'t str>,
    #[serde(rename = "policyResult", skip_serializing_if = "Option::is_none")]
    policy_result: Option<bool>,
}

/// RFC 7662 §2.
///
/// # Errors
/// `invalid_client`, a missing `token`, 503. Everything about the token itself is an answer.
pub async fn answer(request: &Request<'_>) -> Result<HttpResponse> {
    let desk = request.desk;
    let client = authenticate(desk, &request.realm, request.http, request.params, request.reads).await?;
    if client.client.public {
        return Err(Error::unauthenticated(&request.realm, false));
    }
    let token = request.params.get("token").ok_or_else(|| Error::invalid_request("Missing parameter: token"))?;
    let provider = Provider::of(desk, &request.realm);
    let found = active::find(desk, token)?.filter(|token| may_introspect(request, &provider, &client, token));
    let Some(token) = found else {
        return Ok(http_answer::json(StatusCode::OK, &Inactive { active: false }));
    };
    let (facts, modification) = (token.facts(), token.modification());
    let body = Answer {
        active: true,
        scope: scope::joined(facts.scope),
        realm: facts.realm,
        // The wire quirk: a client-based token belongs to its audience.
        client_id: match &token {
            Active::Opaque(_) => facts.client,
            Active::ClientBased(claims) => &claims.aud,
        },
        user_id: facts.owner,
        username: facts.owner,
        token_type: "Bearer",
        exp: facts.expires.secs(),
        sub: facts.owner,
        iss: facts.issuer,
        subname: provider.subname.then_some(facts.owner),
        auth_grant_id: token.auth_grant_id(),
        audit_tracking_id: token.audit_tracking_id(),
        aud: modification.aud.as_deref(),
        policy_result: modification.policy_result,
    };
    Ok(http_answer::json(StatusCode::OK, &body))
}

/// oauth2-endpoints §10: server-side tokens belong to the client they were issued to, client-based ones to their `aud`.
fn may_introspect(request: &Request<'_>, provider: &Provider, client: &AuthenticatedClient, token: &Active) -> bool {
    let has = |scope: &str| client.client.scope(scope).is_some();
    if has(INTROSPECT_ANY_REALM) {
        return true;
    }
    if token.facts().realm != request.realm.as_str() {
        return false;
    }
    let id = client.id.as_str();
    let owns = match token {
        Active::Opaque(token) => token.template.client == client.id,
        Active::ClientBased(claims) => claims.aud == id || (provider.client_id_owns && claims.client_id == id),
    };
    owns || has(INTROSPECT_ALL)
}
