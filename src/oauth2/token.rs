//! The token endpoint.
//!
//! | RFC                   | it says                                               | we do it in             |
//! |-----------------------|-------------------------------------------------------|-------------------------|
//! | 6749 §3.2             | POST only                                             | `oauth2::serve_path`         |
//! | 6749 §4.1.3, §4.4.2   | `grant_type` REQUIRED                                 | [`answer`]              |
//! | 6749 §3.2.1           | the client authenticates                              | [`authenticate`](super::authenticate) |
//! | 6749 §5.2             | `unsupported_grant_type`, `unauthorized_client`       | [`answer`]              |
//! | 6749 §5.1             | the answer                                            | [`TokenResponse`](super::issue::TokenResponse) |
//!
//! The order of the checks is that of oauth2-endpoints §6.1.

use super::{
    Request, answer as http_answer,
    authenticate::{AuthenticatedClient, authenticate},
    error::{Code, Error, Result},
    grant_type::GrantType,
    grants::{authorization_code, client_credentials},
    provider::{Provider, Settings},
};
use actix_web::{HttpResponse, http::StatusCode};
use std::sync::Arc;

/// A grant about to be decided: what every grant works with.
pub struct TokenRequest<'r> {
    /// The request.
    pub http: &'r Request<'r>,
    /// Who asks.
    pub client: AuthenticatedClient,
    /// The realm's provider.
    pub provider: Arc<Provider>,
    /// What holds for this client.
    pub settings: Settings,
}

/// RFC 6749 §3.2.
///
/// # Errors
/// RFC 6749 §5.2.
pub async fn answer(request: &Request<'_>) -> Result<HttpResponse> {
    let Some(name) = request.params.get("grant_type") else {
        return Err(Error::invalid_request("Grant type is not set"));
    };
    let grant_type = GrantType::parse(name).ok_or(Error::of(Code::UnsupportedGrantType))?;
    let client = authenticate(request.desk, &request.realm, request.http, request.params, request.reads).await?;
    let provider = Provider::of(request.desk, &request.realm);
    if !provider.grant_types.contains(grant_type) {
        return Err(Error::of(Code::UnsupportedGrantType));
    }
    if !client.client.grant_types.contains(grant_type) {
        return Err(Error::new(Code::UnauthorizedClient, "Client is not authorized to use the grant type"));
    }
    let settings = provider.settings(&client.client);
    let asked = TokenRequest { http: request, client, provider, settings };
    let response = match grant_type {
        GrantType::AuthorizationCode => authorization_code::grant(&asked).await?,
        GrantType::ClientCredentials => client_credentials::grant(&asked).await?,
    };
    Ok(http_answer::json(StatusCode::OK, &response))
}
