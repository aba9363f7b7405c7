//! The `openidconnect` crate knows nothing of us; it must get from discovery to revocation.

use crate::harness::{Cluster, http_client};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthorizationCode, ClientId, ClientSecret, ConfigurationError,
    CsrfToken, HttpRequest, HttpResponse, IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    ProviderMetadata, RedirectUrl, RevocationUrl, Scope, TokenIntrospectionResponse, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreSubjectIdentifierType,
    },
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The endpoints of RFC 7009 and RFC 7662, as RFC 8414 names them.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    introspection_endpoint: String,
    revocation_endpoint: String,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let (head, body) = request.into_parts();
    let request = http_client().request(head.method, head.uri.to_string()).headers(head.headers).body(body);
    let answer = request.send().await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

#[actix_web::test]
async fn discovery_code_with_pkce_introspection_revocation() {
    let cluster = Cluster::of(1).await;
    let admin = cluster.admin(0).await;
    let redirect = "https://app.example.com/cb";
    let app = json!({
        "coreOAuth2ClientConfig": { "redirectionUris": [redirect], "scopes": ["openid", "profile", "api"] },
        "advancedOAuth2ClientConfig": {
            "grantTypes": ["authorization_code", "client_credentials"], "responseTypes": ["code"],
            "tokenEndpointAuthMethod": "client_secret_basic", "isConsentImplied": true,
        },
    });
    cluster.register(0, &admin, "root", "app", app).await;
    let user = json!({ "username": "demo", "userpassword": "Passw0rd!", "sn": ["Demo"] });
    cluster.administer(0, &admin, Method::PUT, "/json/realms/root/users/demo", user).await;

    // Consent is implied when the client says so and the provider lets clients say so.
    let service = json!({ "consent": { "clientsCanSkipConsent": true } });
    let path = "/json/realms/root/realm-config/services/oauth-oidc";
    cluster.administer(0, &admin, Method::PUT, path, service).await;

    let issuer = IssuerUrl::new(cluster.url(0, "/oauth2")).expect("a URL");
    let metadata = Metadata::discover_async(issuer, &send).await.expect("discovery");
    let more = metadata.additional_metadata().clone();
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new("app".into()),
        Some(ClientSecret::new("client-secret".into())),
    )
    .set_redirect_uri(RedirectUrl::new(redirect.into()).expect("a URL"))
    .set_introspection_url(IntrospectionUrl::new(more.introspection_endpoint.clone()).expect("a URL"))
    .set_revocation_url(RevocationUrl::new(more.revocation_endpoint.clone()).expect("a URL"));

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("profile".into()))
        .set_pkce_challenge(challenge)
        .url();
    let session = cluster.login(0, "root", "demo", "Passw0rd!").await.expect("logs in");
    let answer = http_client()
        .get(url.as_str())
        .header("Cookie", format!("iPlanetDirectoryPro={session}"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 302, "consent is implied");
    let location = answer.headers()["location"].to_str().expect("text");
    let location = reqwest::Url::parse(location).expect("a URL");
    let parameter =
        |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(parameter("state").as_ref(), Some(state.secret()));
    let code = AuthorizationCode::new(parameter("code").expect("a code"));

    let tokens = client
        .exchange_code(code)
        .expect("a token endpoint")
        .set_pkce_verifier(verifier)
        .request_async(&send)
        .await
        .expect("tokens");
    let id_token = tokens.id_token().expect("an ID token");
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, &nonce).expect("it verifies");
    assert_eq!(claims.subject().as_str(), "demo");
    if let Some(expected) = claims.access_token_hash() {
        let (alg, key) = (id_token.signing_alg().expect("signed"), id_token.signing_key(&verifier).expect("a key"));
        let actual = AccessTokenHash::from_token(tokens.access_token(), alg, key).expect("hashes");
        assert_eq!(&actual, expected);
    }
    let shown = client.introspect(tokens.access_token()).request_async(&send).await.expect("introspection");
    assert!(shown.active());
    assert_eq!(shown.username(), Some("demo"));
    // The crate refuses to send a revocation over plain HTTP (RFC 7009 §2); its request, then, by hand.
    assert!(matches!(
        client.revoke_token(CoreRevocableToken::AccessToken(tokens.access_token().clone())),
        Err(ConfigurationError::InsecureUrl("revocation"))
    ));
    let answer = http_client()
        .post(&more.revocation_endpoint)
        .basic_auth("app", Some("client-secret"))
        .form(&[("token", tokens.access_token().secret())])
        .send();
    assert_eq!(answer.await.expect("an answer").status(), 200);
    let shown = client.introspect(tokens.access_token()).request_async(&send).await.expect("introspection");
    assert!(!shown.active());

    let own = client.exchange_client_credentials().expect("an endpoint").add_scope(Scope::new("api".into()));
    let tokens = own.request_async(&send).await.expect("client credentials");
    let shown = client.introspect(tokens.access_token()).request_async(&send).await.expect("introspection");
    assert!(shown.active());
}
