//! Attributes of OAuth 2.0 clients (oauth2-config.md §3 to §8), with their labels in the console.

use super::{
    AgentType,
    checks::{
        CONTENT_ENCRYPTION, ID_TOKEN_SIGNATURES, KEY_ENCRYPTION, SIGNATURES, grant_type, https_url, jwk_set, pem,
        redirect_uri, response_type, scope, web_url,
    },
};
use crate::oauth2::client::RESPONSE_TYPES;
use crate::rest::schema::{Attribute as A, EMPTY, Schema, Section};
use quorate_raft::Kind;

/// The type.
pub static OAUTH2_CLIENT: AgentType = AgentType {
    kind: Kind::OAuth2Client,
    id: "OAuth2Client",
    listed: "OAuth2 Client Agents",
    name: "OAuth2 Clients",
    schema: Schema { sections: SECTIONS, opaque: &[] },
    shows_password: false,
    unique: None,
    signs_in: false,
};

/// `POLICY` is ours: audience scopes decided by the policy engine.
const BY_POLICY: &[&str] = &["PROVIDER", "SCRIPTED", "JAVA", "POLICY"];
const PLUGINS: &[&str] = &["PROVIDER", "SCRIPTED", "JAVA"];

const RESPONSE_FORMATS: &[&str] = &["JSON", "SIGNED_JWT", "ENCRYPTED_JWT", "SIGNED_THEN_ENCRYPTED_JWT"];

const fn section(name: &'static str, title: &'static str, attributes: &'static [A]) -> Section {
    Section { name, title, bare: false, attributes }
}

const SECTIONS: &[Section] = &[
    section("coreOAuth2ClientConfig", "Core", CORE),
    section("advancedOAuth2ClientConfig", "Advanced", ADVANCED),
    section("coreOpenIDClientConfig", "OpenID Connect", OPENID),
    section("signEncOAuth2ClientConfig", "Signing and Encryption", SIGNING),
    section("coreUmaClientConfig", "UMA", &[A::list("claimsRedirectionUris", "Claims Redirection URIs")]),
    Section {
        name: "overrideOAuth2ClientConfig",
        title: "OAuth2 Provider Overrides",
        bare: true,
        attributes: OVERRIDES,
    },
];

const CORE: &[A] = &[
    A::group("agentgroup", "Group"),
    A::choice("status", "Status", &["Active", "Inactive"], "Active"),
    A::secret("userpassword", "Client secret"),
    A::unset("secretLabelIdentifier", "Secret Label Identifier"),
    A::choice("clientType", "Client type", &["Confidential", "Public"], "Confidential"),
    A::flag("loopbackInterfaceRedirection", "Allow wildcard ports in redirect URIs", false),
    A::list_of("redirectionUris", "Redirection URIs", redirect_uri, &[]),
    A::list_of("scopes", "Scope(s)", scope, &[]),
    A::list_of("defaultScopes", "Default Scope(s)", scope, &[]),
    A::list("clientName", "Client Name"),
    A::int("authorizationCodeLifetime", "Authorization Code Lifetime (seconds)", 0, 0),
    A::int("refreshTokenLifetime", "Refresh Token Lifetime (seconds)", -1, 0),
    A::int("accessTokenLifetime", "Access Token Lifetime (seconds)", 0, 0),
];

const ADVANCED: &[A] = &[
    A::list("name", "Display name"),
    A::list("descriptions", "Display description"),
    A::list_of("requestUris", "Request uris", web_url, &[]),
    A::list_of("responseTypes", "Response Types", response_type, RESPONSE_TYPES),
    A::list_of("grantTypes", "Grant Types", grant_type, &["authorization_code"]),
    A::list("contacts", "Contacts"),
    A::choice(
        "tokenEndpointAuthMethod",
        "Token Endpoint Authentication Method",
        &[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "tls_client_auth",
            "self_signed_tls_client_auth",
            "none",
        ],
        "client_secret_basic",
    ),
    A::checked("sectorIdentifierUri", "Sector Identifier URI", https_url),
    A::choice("subjectType", "Subject Type", &["public", "pairwise"], "public"),
    // The registration access token is a bearer secret: it is not kept (G5).
    A::dropped("updateAccessToken", "Access Token"),
    A::list("clientUri", "Client URI"),
    A::list("logoUri", "Logo URI"),
    A::list("policyUri", "Privacy Policy URI"),
    A::list("tosURI", "Terms of Service URI"),
    A::flag("isConsentImplied", "Implied consent", false),
    A::flag("mixUpMitigation", "OAuth 2.0 Mix-Up Mitigation enabled", false),
    A::list("customProperties", "Custom Properties"),
    A::list("javascriptOrigins", "JavaScript Origins"),
    A::text("softwareIdentity", "Software Identity"),
    A::text("softwareVersion", "Software Version"),
    A::int("tokenExchangeAuthLevel", "Token Exchange Auth Level", 0, 0),
    A::list("allowedResourceServerAudienceValues", "Allowed Resource Server Audience Values"),
    A::int("refreshTokenGracePeriod", "Refresh Token Grace Period (seconds)", 0, 0),
    A::flag("require_pushed_authorization_requests", "Require Pushed Authorization Requests", false),
];

const OPENID: &[A] = &[
    A::list("claims", "Claim(s)"),
    A::list_of("postLogoutRedirectUri", "Post Logout Redirect URIs", redirect_uri, &[]),
    A::checked("clientSessionUri", "Client Session URI", web_url),
    A::int("defaultMaxAge", "Default Max Age", 1, 600),
    A::flag("defaultMaxAgeEnabled", "Default Max Age Enabled", false),
    A::list("defaultAcrValues", "Default ACR values"),
    A::int("jwtTokenLifetime", "OpenID Connect JWT Token Lifetime (seconds)", 0, 0),
    A::checked("backchannel_logout_uri", "Backchannel Logout URL", web_url),
    A::flag("backchannel_logout_session_required", "Backchannel Logout Session Required", false),
];

const SIGNING: &[A] = &[
    A::choice("publicKeyLocation", "Public key selector", &["x509", "jwks", "jwks_uri"], "jwks_uri"),
    A::checked("jwksUri", "Json Web Key URI", web_url),
    A::int("jwksCacheTimeout", "JWKs URI content cache timeout in ms", 0, 3_600_000),
    A::int("jwkStoreCacheMissCacheTime", "JWKs URI content cache miss cache time", 0, 60_000),
    A::checked("jwkSet", "Json Web Key", jwk_set),
    A::checked("clientJwtPublicKey", "Client JWT Bearer Public Key Certificate", pem),
    A::checked("idTokenPublicEncryptionKey", "Client ID Token Public Encryption Key", pem),
    A::choice(
        "tokenEndpointAuthSigningAlgorithm",
        "Token Endpoint Authentication Signing Algorithm",
        SIGNATURES,
        "RS256",
    ),
    A::choice("idTokenSignedResponseAlg", "ID Token Signing Algorithm", ID_TOKEN_SIGNATURES, "RS256"),
    A::flag("idTokenEncryptionEnabled", "Enable ID Token Encryption", false),
    A::choice("idTokenEncryptionAlgorithm", "ID Token Encryption Algorithm", KEY_ENCRYPTION, "RSA-OAEP-256"),
    A::choice("idTokenEncryptionMethod", "ID Token Encryption Method", CONTENT_ENCRYPTION, "A128CBC-HS256"),
    A::choice("requestParameterSignedAlg", "Request parameter signing algorithm", SIGNATURES, ""),
    A::choice("requestParameterEncryptedAlg", "Request parameter encryption algorithm", KEY_ENCRYPTION, ""),
    A::choice(
        "requestParameterEncryptedEncryptionAlgorithm",
        "Request parameter encryption method",
        CONTENT_ENCRYPTION,
        "A128CBC-HS256",
    ),
    A::choice("userinfoResponseFormat", "User info response format", RESPONSE_FORMATS, "JSON"),
    A::choice("userinfoSignedResponseAlg", "User info signed response algorithm", SIGNATURES, ""),
    A::choice("userinfoEncryptedResponseAlg", "User info encrypted response algorithm", KEY_ENCRYPTION, ""),
    A::choice(
        "userinfoEncryptedResponseEncryptionAlgorithm",
        "User info encrypted response encryption algorithm",
        CONTENT_ENCRYPTION,
        "A128CBC-HS256",
    ),
    A::choice("tokenIntrospectionResponseFormat", "Token introspection response format", RESPONSE_FORMATS, "JSON"),
    A::choice(
        "tokenIntrospectionSignedResponseAlg",
        "Token introspection response signing algorithm",
        SIGNATURES,
        "RS256",
    ),
    A::choice(
        "tokenIntrospectionEncryptedResponseAlg",
        "Token introspection response encryption algorithm",
        KEY_ENCRYPTION,
        "RSA-OAEP-256",
    ),
    A::choice(
        "tokenIntrospectionEncryptedResponseEncryptionAlgorithm",
        "Token introspection encrypted response encryption algorithm",
        CONTENT_ENCRYPTION,
        "A128CBC-HS256",
    ),
    A::choice(
        "authorizationResponseSigningAlgorithm",
        "Authorization Response JWT signing algorithm",
        SIGNATURES,
        "RS256",
    ),
    A::choice(
        "authorizationResponseEncryptionAlgorithm",
        "Authorization Response JWT encryption algorithm",
        KEY_ENCRYPTION,
        "",
    ),
    A::choice(
        "authorizationResponseEncryptionMethod",
        "Authorization Response JWT encryption method",
        CONTENT_ENCRYPTION,
        "",
    ),
    A::text("mTLSSubjectDN", "mTLS Subject DN"),
    A::checked("mTLSTrustedCert", "mTLS Self-Signed Certificate", pem),
    A::flag("mTLSCertificateBoundAccessTokens", "Use Certificate-Bound Access Tokens", false),
];

const OVERRIDES: &[A] = &[
    A::flag("providerOverridesEnabled", "Enable OAuth2 Provider Overrides", false),
    A::flag("statelessTokensEnabled", "Use Client-Based Access & Refresh Tokens", false),
    A::flag("tokenEncryptionEnabled", "Encrypt Client-Based Tokens", false),
    A::flag("issueRefreshToken", "Issue Refresh Tokens", true),
    A::flag("issueRefreshTokenOnRefreshedToken", "Issue Refresh Tokens on Refreshing Access Tokens", true),
    A::flag("usePolicyEngineForScope", "Use Policy Engine for Scope decisions", false),
    A::default_text("scopesPolicySet", "Scopes Policy Set", "oauth2Scopes"),
    A::flag("clientsCanSkipConsent", "Allow Clients to Skip Consent", false),
    A::flag("enableRemoteConsent", "Enable Remote Consent", false),
    A::text("remoteConsentServiceId", "Remote Consent Service ID"),
    A::flag("useForceAuthnForMaxAge", "Use Force Authentication for max_age", false),
    A::list("overrideableOIDCClaims", "Overrideable Id_Token Claims"),
    A::default_text("accessTokenMayActScript", "OAuth2 Access Token May Act Script", EMPTY),
    A::default_text("oidcMayActScript", "OIDC ID Token May Act Script", EMPTY),
    A::choice("accessTokenModificationPluginType", "Access Token Modification Plugin Type", BY_POLICY, "PROVIDER"),
    A::default_text("accessTokenModificationScript", "Access Token Modification Script", EMPTY),
    A::choice("oidcClaimsPluginType", "OIDC Claims Plugin Type", PLUGINS, "PROVIDER"),
    A::default_text("oidcClaimsScript", "OIDC Claims Script", EMPTY),
    A::choice("validateScopePluginType", "Scope Validation Plugin Type", BY_POLICY, "PROVIDER"),
    A::default_text(
        "validateScopeClass",
        "Scope Validation Plugin Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultScopeValidator",
    ),
    A::default_text("validateScopeScript", "Scope Validation Script", EMPTY),
    A::choice("evaluateScopePluginType", "Scope Evaluation Plugin Type", PLUGINS, "PROVIDER"),
    A::default_text(
        "evaluateScopeClass",
        "Scope Evaluation Plugin Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultScopeEvaluator",
    ),
    A::default_text("evaluateScopeScript", "Scope Evaluation Script", EMPTY),
    A::choice(
        "authorizeEndpointDataProviderPluginType",
        "Authorize Endpoint Data Provider Plugin Type",
        PLUGINS,
        "PROVIDER",
    ),
    A::default_text(
        "authorizeEndpointDataProviderClass",
        "Authorize Endpoint Data Provider Plugin Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultEndpointDataProvider",
    ),
    A::default_text("authorizeEndpointDataProviderScript", "Authorize Endpoint Data Provider Script", EMPTY),
    A::flag(
        "acceptAudienceParametersInTokenExchangeRequests",
        "Accept Audience Parameters in Token Exchange Requests",
        false,
    ),
];
