//! Metadata and keys: public, the same on every node, built from cluster-wide state only (abuse IN-11, IN-12).
//!
//! | source                  | it says                                    | we do it in     |
//! |-------------------------|---------------------------------------------|-----------------|
//! | RFC 8414 §2, OIDC Discovery §3 | the members                           | [`metadata`]    |
//! | RFC 9207 §3             | `authorization_response_iss_parameter_supported` | [`metadata`] |
//! | RFC 7517 §5             | the key set                                 | [`keys()`]      |
//! | oauth2-endpoints §15    | never a symmetric key                       | `SigningKey::jwk` |

use super::{Endpoint, Request, answer, error::Result, provider::Provider, userinfo};
use crate::keys;
use actix_web::HttpResponse;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// RFC 8414 §3.2; the OpenID document is the same one.
pub fn metadata(request: &Request<'_>) -> HttpResponse {
    let provider = Provider::of(request.desk, &request.realm);
    let issuer = request.base_url().issuer(&request.realm);
    let url = |endpoint: Endpoint| format!("{issuer}/{}", endpoint.path());
    let scopes: BTreeSet<Arc<str>> = ["openid", "profile", "email", "phone", "address"]
        .into_iter()
        .map(Arc::from)
        .chain(provider.supported_scopes.iter().cloned())
        .collect();
    let mut claims: BTreeSet<&str> = userinfo::claim_names().collect();
    claims.extend(["sub", "subname", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr"]);
    let secrets = ["client_secret_basic", "client_secret_post"];
    let with_public = ["client_secret_basic", "client_secret_post", "none"];
    let document = json!({
        "issuer": issuer,
        "version": "3.0",
        "authorization_endpoint": url(Endpoint::Authorize),
        "token_endpoint": url(Endpoint::AccessToken),
        "userinfo_endpoint": url(Endpoint::UserInfo),
        "introspection_endpoint": url(Endpoint::Introspect),
        "revocation_endpoint": url(Endpoint::Revoke),
        "jwks_uri": url(Endpoint::Jwks),
        "scopes_supported": scopes,
        "claims_supported": claims,
        "claims_parameter_supported": false,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": provider.grant_types.names().collect::<Vec<_>>(),
        "subject_types_supported": ["public"],
        "acr_values_supported": [],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": with_public,
        "revocation_endpoint_auth_methods_supported": with_public,
        "introspection_endpoint_auth_methods_supported": secrets,
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "userinfo_signing_alg_values_supported": ["RS256", "ES256"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_pushed_authorization_requests": false,
        "tls_client_certificate_bound_access_tokens": false,
        "authorization_response_iss_parameter_supported": true,
    });
    answer::metadata(request.http, &document)
}

/// RFC 7517 §5.
///
/// # Errors
/// `server_error` when this node has no usable keys.
pub fn keys(request: &Request<'_>) -> Result<HttpResponse> {
    let ring = keys::ring(request.desk)?;
    let keys: Vec<_> = ring.published().collect();
    Ok(answer::metadata(request.http, &json!({ "keys": keys })))
}
