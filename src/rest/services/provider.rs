//! Attributes of the OAuth 2.0 provider (oauth2-config.md §12). Defaults are those of the reference, except where
//! oauth2-endpoints.md §25 asks for the safer one: PKCE for public clients, no `implicit` and no `password` grant, asymmetric
//! signatures, a salt of one's own.

use crate::{
    crest::Object,
    host,
    rest::{
        agents::checks::{grant_type, redirect_uri, scope, web_url},
        schema::{Attribute as A, Default, EMPTY, Form, Schema, Section, any},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// Its attributes.
pub const SCHEMA: Schema = Schema {
    sections: &[
        section("coreOAuth2Config", "Core", CORE),
        section("advancedOAuth2Config", "Advanced", ADVANCED),
        section("clientDynamicRegistrationConfig", "Client Dynamic Registration", REGISTRATION),
        section("coreOIDCConfig", "OpenID Connect", OIDC),
        section("advancedOIDCConfig", "Advanced OpenID Connect", ADVANCED_OIDC),
        section("deviceCodeConfig", "Device Flow", DEVICE),
        section("consent", "Consent", CONSENT),
        section("cibaConfig", "CIBA", CIBA),
        section("pluginsConfig", "Plugins", PLUGINS),
    ],
    opaque: &["aiAgentsConfig"],
};

const fn section(name: &'static str, title: &'static str, attributes: &'static [A]) -> Section {
    Section { name, title, bare: false, attributes }
}

/// oauth2-endpoints.md §25, 18.
fn salt(text: &str) -> bool {
    text != "changeme"
}

/// Completes a new provider: pairwise subjects of two installations must not be linkable, so the salt is ours alone unless it
/// is given.
pub fn complete(stored: &mut Object) {
    if let Some(Value::Object(advanced)) = stored.get_mut("advancedOAuth2Config") {
        let salt = || URL_SAFE_NO_PAD.encode(host::random::<24>());
        advanced.entry("hashSalt").or_insert_with(|| salt().into());
    }
}

/// What we sign client-based tokens with.
const TOKEN_SIGNATURES: &[&str] = &["ES256", "RS256", "HS256"];

const SIGNATURES: &[&str] =
    &["PS384", "ES384", "RS384", "HS256", "HS512", "ES256", "RS256", "HS384", "ES512", "PS256", "PS512", "RS512"];
const SIGNATURES_AND_EDDSA: &[&str] = &[
    "PS384", "ES384", "RS384", "HS256", "HS512", "ES256", "RS256", "HS384", "ES512", "PS256", "PS512", "RS512", "EdDSA",
];
const USERINFO_SIGNATURES: &[&str] = &["ES384", "HS256", "HS512", "ES256", "RS256", "HS384", "ES512"];
const KEY_ENCRYPTION: &[&str] = &[
    "ECDH-ES+A256KW",
    "ECDH-ES+A192KW",
    "RSA-OAEP",
    "ECDH-ES+A128KW",
    "RSA-OAEP-256",
    "A128KW",
    "A256KW",
    "ECDH-ES",
    "dir",
    "A192KW",
];
const CONTENT_ENCRYPTION: &[&str] =
    &["A256GCM", "A192GCM", "A128GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"];

const CORE: &[A] = &[
    A::flag("statelessTokensEnabled", "Use Client-Based Access & Refresh Tokens", false),
    A::int("codeLifetime", "Authorization Code Lifetime (seconds)", 1, 120),
    A::int("refreshTokenLifetime", "Refresh Token Lifetime (seconds)", -1, 604_800),
    A::int("accessTokenLifetime", "Access Token Lifetime (seconds)", 0, 3600),
    A::flag("issueRefreshToken", "Issue Refresh Tokens", true),
    A::flag("issueRefreshTokenOnRefreshedToken", "Issue Refresh Tokens on Refreshing Access Tokens", true),
    A::flag("usePolicyEngineForScope", "Use Policy Engine for Scope decisions", false),
    A::default_text("scopesPolicySet", "Scopes Policy Set", "oauth2Scopes"),
    A::default_text("accessTokenMayActScript", "OAuth2 Access Token May Act Script", EMPTY),
    A::default_text("oidcMayActScript", "OIDC ID Token May Act Script", EMPTY),
    A::flag("macaroonTokensEnabled", "Use Macaroon Access and Refresh Tokens", false),
    A::text("accessTokenModificationScript", "OAuth2 Access Token Modification Script"),
];

const ADVANCED: &[A] = &[
    A::text("customLoginUrlTemplate", "Custom Login URL Template"),
    A::list_of(
        "responseTypeClasses",
        "Response Type Plugins",
        any,
        &[
            "code|org.forgerock.oauth2.core.AuthorizationCodeResponseTypeHandler",
            "id_token|org.forgerock.openidconnect.IdTokenResponseTypeHandler",
            "token|org.forgerock.oauth2.core.TokenResponseTypeHandler",
        ],
    ),
    A::list_of(
        "authenticationAttributes",
        "User Profile Attribute(s) the Resource Owner is Authenticated On",
        any,
        &["uid"],
    ),
    A::default_text("displayNameAttribute", "User Display Name attribute", "cn"),
    A::list_of("supportedScopes", "Client Registration Scope Allowlist", scope, &[]),
    A::list_of("defaultScopes", "Default Client Scopes", scope, &[]),
    A::list_of("supportedSubjectTypes", "Subject Types supported", any, &["public", "pairwise"]),
    A::checked("hashSalt", "Subject Identifier Hash Salt", salt),
    A::choice(
        "codeVerifierEnforced",
        "Code Verifier Parameter Required",
        &["true", "public", "passwordless", "false"],
        "public",
    ),
    A::text("modifiedTimestampAttribute", "Modified Timestamp Attribute Name"),
    A::text("createdTimestampAttribute", "Created Timestamp Attribute Name"),
    A::default_text("passwordGrantAuthService", "Password Grant Authentication Service", EMPTY),
    A::flag("moduleMessageEnabledInPasswordGrant", "Enable Auth Module Messages for Password Credentials Grant", false),
    A::list_of(
        "grantTypes",
        "Grant Types",
        grant_type,
        &[
            "authorization_code",
            "client_credentials",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:saml2-bearer",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "urn:ietf:params:oauth:grant-type:uma-ticket",
            "urn:openid:params:grant-type:ciba",
        ],
    ),
    A::choice("tokenSigningAlgorithm", "OAuth2 Token Signing Algorithm", TOKEN_SIGNATURES, "ES256"),
    A::flag("tokenCompressionEnabled", "Client-Based Token Compression", false),
    A::flag("tokenEncryptionEnabled", "Encrypt Client-Based Tokens", false),
    A::text("tlsClientCertificateTrustedHeader", "Trusted TLS Client Certificate Header"),
    A::choice(
        "tlsClientCertificateHeaderFormat",
        "TLS Client Certificate Header Format",
        &["URLENCODED_PEM", "BASE64_ENCODED_CERT"],
        "URLENCODED_PEM",
    ),
    A::flag("tlsCertificateBoundAccessTokensEnabled", "Support TLS Certificate-Bound Access Tokens", true),
    A::flag("tlsCertificateRevocationCheckingEnabled", "Check TLS Certificate Revocation Status", false),
    A::flag("includeSubnameInTokenClaims", "Include subname claim in tokens issued by the OAuth2 Provider", true),
    newer_flag("includeClientIdClaimInStatelessTokens", "Include client_id claim in client-based tokens"),
    A::int("refreshTokenGracePeriod", "Refresh Token Grace Period (seconds)", 0, 0),
    A::flag(
        "allowClientCredentialsInTokenRequestQueryParameters",
        "Allow clients to send credentials as query parameters",
        false,
    ),
    A::choice("macaroonTokenFormat", "Macaroon Token Format", &["V1", "V2"], "V2"),
    A::choice("requestObjectProcessing", "Request Object Processing Specification", &["OIDC", "JAR"], "OIDC"),
    A::flag("requirePushedAuthorizationRequests", "Require Pushed Authorization Requests", false),
    A::int("parRequestUriLifetime", "PAR Request URI Lifetime (seconds)", 1, 90),
    A::flag("nbfClaimRequiredInRequestObject", "NBF claim required in request object", false),
    A::flag("expClaimRequiredInRequestObject", "EXP claim required in request object", false),
    A::int("maxAgeOfRequestObjectNbfClaim", "Max age of request object NBF claim", 0, 0),
    A::int("maxDifferenceBetweenRequestObjectNbfAndExp", "Max difference between request object NBF and EXP", 0, 0),
    A::list_of("tokenExchangeClasses", "Token Exchanger Plugins", any, EXCHANGES),
    A::list_of(
        "tokenValidatorClasses",
        "Token Validator Plugins",
        any,
        &[
            "urn:ietf:params:oauth:token-type:id_token|org.forgerock.oauth2.core.tokenexchange.idtoken.OidcIdTokenValidator",
            "urn:ietf:params:oauth:token-type:access_token|org.forgerock.oauth2.core.tokenexchange.accesstoken.OAuth2AccessTokenValidator",
        ],
    ),
    A::list("allowedAudienceValues", "Additional Audience Values"),
    newer_flag(
        "acceptAudienceParametersInTokenExchangeRequests",
        "Accept Audience Parameters in Token Exchange Requests",
    ),
    A::list("persistentClaims", "Persistent Claims"),
    newer_flag("enableApplicationContext", "Enable Application Context"),
    A::text("scopeImplementationClass", "Scope Implementation Class"),
];

/// Newer releases have it: shown once it is set.
const fn newer_flag(name: &'static str, label: &'static str) -> A {
    A { name, label, form: Form::Flag, default: Default::None }
}

const EXCHANGES: &[&str] = &[
    "urn:ietf:params:oauth:token-type:access_token=>urn:ietf:params:oauth:token-type:access_token|org.forgerock.oauth2.core.tokenexchange.accesstoken.AccessTokenToAccessTokenExchanger",
    "urn:ietf:params:oauth:token-type:id_token=>urn:ietf:params:oauth:token-type:id_token|org.forgerock.oauth2.core.tokenexchange.idtoken.IdTokenToIdTokenExchanger",
    "urn:ietf:params:oauth:token-type:access_token=>urn:ietf:params:oauth:token-type:id_token|org.forgerock.oauth2.core.tokenexchange.accesstoken.AccessTokenToIdTokenExchanger",
    "urn:ietf:params:oauth:token-type:id_token=>urn:ietf:params:oauth:token-type:access_token|org.forgerock.oauth2.core.tokenexchange.idtoken.IdTokenToAccessTokenExchanger",
];

const REGISTRATION: &[A] = &[
    A::flag("allowDynamicRegistration", "Allow Open Dynamic Client Registration", false),
    A::flag("generateRegistrationAccessTokens", "Generate Registration Access Tokens", true),
    A::default_text(
        "dynamicClientRegistrationScope",
        "Scope to give access to dynamic client registration",
        "dynamic_client_registration",
    ),
    A::flag(
        "dynamicClientRegistrationSoftwareStatementRequired",
        "Require Software Statement for Dynamic Client Registration",
        false,
    ),
    A::list_of(
        "requiredSoftwareStatementAttestedAttributes",
        "Required Software Statement Attested Attributes",
        any,
        &["redirect_uris"],
    ),
    A::text("dynamicClientRegistrationScript", "Dynamic Client Registration Script"),
];

const OIDC: &[A] = &[
    A::list_of("supportedIDTokenSigningAlgorithms", "ID Token Signing Algorithms supported", any, SIGNATURES),
    A::list_of("supportedIDTokenEncryptionAlgorithms", "ID Token Encryption Algorithms supported", any, KEY_ENCRYPTION),
    A::list_of("supportedIDTokenEncryptionMethods", "ID Token Encryption Methods supported", any, CONTENT_ENCRYPTION),
    A::list("supportedClaims", "Supported Claims"),
    A::int("jwtTokenLifetime", "OpenID Connect JWT Token Lifetime (seconds)", 0, 3600),
    A::flag("oidcDiscoveryEndpointEnabled", "OIDC Provider Discovery", false),
    A::list("overrideableOIDCClaims", "Overrideable Id_Token Claims"),
    A::text("oidcClaimsScript", "OIDC Claims Script"),
];

const ADVANCED_OIDC: &[A] = &[
    A::checked("jkwsURI", "Remote JSON Web Key URL", web_url),
    A::flag("idTokenInfoClientAuthenticationEnabled", "Idtokeninfo Endpoint Requires Client Authentication", true),
    A::flag("claimsParameterSupported", "Enable \"claims_parameter_supported\"", false),
    A::map("loaMapping", "OpenID Connect acr_values to Auth Chain Mapping"),
    A::list("defaultACR", "Default ACR values"),
    A::map("amrMappings", "OpenID Connect id_token amr Values to Auth Module Mappings"),
    A::flag("alwaysAddClaimsToToken", "Always Return Claims in ID Tokens", false),
    A::flag("storeOpsTokens", "Enable Session Management", true),
    A::flag("includeAllKtyAlgCombinationsInJwksUri", "Include all kty and alg combinations in jwks_uri", false),
    A::list("authorisedOpenIdConnectSSOClients", "Authorized OIDC SSO Clients"),
    A::list("authorisedIdmDelegationClients", "Authorized IDM Delegation Clients"),
    A::flag("useForceAuthnForPromptLogin", "Use Force Authentication for prompt=login", false),
    A::flag("useForceAuthnForMaxAge", "Use Force Authentication for max_age", false),
    A { name: "minMaxAge", label: "Minimum max_age", form: Form::Int(0), default: Default::None },
    A::map("jwtSigningKidHeaderMappings", "JWT Signing kid Header Mappings"),
    A::list_of(
        "supportedRequestParameterSigningAlgorithms",
        "Request Parameter Signing Algorithms Supported",
        any,
        SIGNATURES,
    ),
    A::list_of(
        "supportedRequestParameterEncryptionAlgorithms",
        "Request Parameter Encryption Algorithms Supported",
        any,
        KEY_ENCRYPTION,
    ),
    A::list_of(
        "supportedRequestParameterEncryptionEnc",
        "Request Parameter Encryption Methods Supported",
        any,
        CONTENT_ENCRYPTION,
    ),
    A::list_of(
        "supportedTokenEndpointAuthenticationSigningAlgorithms",
        "Supported Token Endpoint JWS Signing Algorithms.",
        any,
        SIGNATURES,
    ),
    A::list_of("supportedUserInfoSigningAlgorithms", "UserInfo Signing Algorithms Supported", any, USERINFO_SIGNATURES),
    A::list_of(
        "supportedUserInfoEncryptionAlgorithms",
        "UserInfo Encryption Algorithms Supported",
        any,
        KEY_ENCRYPTION,
    ),
    A::list_of("supportedUserInfoEncryptionEnc", "UserInfo Encryption Methods Supported", any, CONTENT_ENCRYPTION),
    A::list_of(
        "supportedTokenIntrospectionResponseSigningAlgorithms",
        "Token Introspection Response Signing Algorithms Supported",
        any,
        SIGNATURES_AND_EDDSA,
    ),
    A::list_of(
        "supportedTokenIntrospectionResponseEncryptionAlgorithms",
        "Token Introspection Response Encryption Algorithms Supported",
        any,
        KEY_ENCRYPTION,
    ),
    A::list_of(
        "supportedTokenIntrospectionResponseEncryptionEnc",
        "Token Introspection Response Encryption Methods Supported",
        any,
        CONTENT_ENCRYPTION,
    ),
    A::list_of(
        "supportedAuthorizationResponseSigningAlgorithms",
        "Authorization Response Signing Algorithms Supported",
        any,
        SIGNATURES_AND_EDDSA,
    ),
    A::list_of(
        "supportedAuthorizationResponseEncryptionAlgorithms",
        "Authorization Response Encryption Algorithms Supported",
        any,
        KEY_ENCRYPTION,
    ),
    A::list_of(
        "supportedAuthorizationResponseEncryptionEnc",
        "Authorization Response Encryption Methods Supported",
        any,
        CONTENT_ENCRYPTION,
    ),
];

const DEVICE: &[A] = &[
    A::int("deviceUserCodeLength", "User Code Character Length", 1, 8),
    A::default_text(
        "deviceUserCodeCharacterSet",
        "User Code Character Set",
        "234567ACDEFGHJKLMNPQRSTWXYZabcdefhijkmnopqrstwxyz",
    ),
    A::int("deviceCodeLifetime", "Device Code Lifetime (seconds)", 1, 300),
    A::int("devicePollInterval", "Device Polling Interval", 1, 5),
    A::checked("verificationUrl", "Verification URL", redirect_uri),
    A::checked("completionUrl", "Device Completion URL", redirect_uri),
    newer_flag("realmAllowUnauthorisedAccessToUserCodeForm", "Allow Unauthorised Access To User Code Form"),
];

const CONSENT: &[A] = &[
    A::text("savedConsentAttribute", "Saved Consent Attribute Name"),
    A::flag("clientsCanSkipConsent", "Allow Clients to Skip Consent", false),
    A::flag("enableRemoteConsent", "Enable Remote Consent", false),
    A::text("remoteConsentServiceId", "Remote Consent Service ID"),
    A::list_of(
        "supportedRcsRequestSigningAlgorithms",
        "Remote Consent Service Request Signing Algorithms Supported",
        any,
        SIGNATURES,
    ),
    A::list_of(
        "supportedRcsRequestEncryptionAlgorithms",
        "Remote Consent Service Request Encryption Algorithms Supported",
        any,
        KEY_ENCRYPTION,
    ),
    A::list_of(
        "supportedRcsRequestEncryptionMethods",
        "Remote Consent Service Request Encryption Methods Supported",
        any,
        CONTENT_ENCRYPTION,
    ),
    A::list_of(
        "supportedRcsResponseSigningAlgorithms",
        "Remote Consent Service Response Signing Algorithms Supported",
        any,
        SIGNATURES,
    ),
    A::list_of(
        "supportedRcsResponseEncryptionAlgorithms",
        "Remote Consent Service Response Encryption Algorithms Supported",
        any,
        KEY_ENCRYPTION,
    ),
    A::list_of(
        "supportedRcsResponseEncryptionMethods",
        "Remote Consent Service Response Encryption Methods Supported",
        any,
        CONTENT_ENCRYPTION,
    ),
];

const CIBA: &[A] = &[
    A::int("cibaAuthReqIdLifetime", "Back Channel Authentication ID Lifetime (seconds)", 1, 600),
    A::int("cibaMinimumPollingInterval", "Polling Wait Interval (seconds)", 1, 2),
    A::list_of("supportedCibaSigningAlgorithms", "Signing Algorithms Supported", any, &["ES256", "PS256"]),
];

const TYPES: &[&str] = &["SCRIPTED", "JAVA"];

const PLUGINS: &[A] = &[
    A::choice("accessTokenModificationPluginType", "Access Token Modification Plugin Type", TYPES, "SCRIPTED"),
    A::default_text(
        "accessTokenModificationScript",
        "Access Token Modification Script",
        "d22f9a0c-426a-4466-b95e-d0f125b0d5fa",
    ),
    A::text("accessTokenModifierClass", "Access Token Modifier Plugin Implementation Class"),
    A::default_text(
        "accessTokenEnricherClass",
        "Access Token Enricher Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultAccessTokenEnricher",
    ),
    A::choice("oidcClaimsPluginType", "OIDC Claims Plugin Type", TYPES, "SCRIPTED"),
    A::default_text("oidcClaimsScript", "OIDC Claims Script", "36863ffb-40ec-48b9-94b1-9a99f71cc3b5"),
    A::text("oidcClaimsClass", "OIDC Claims Plugin Implementation Class"),
    A::choice("validateScopePluginType", "Scope Validation Plugin Type", TYPES, "JAVA"),
    A::default_text(
        "validateScopeClass",
        "Scope Validation Plugin Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultScopeValidator",
    ),
    A::default_text("validateScopeScript", "Scope Validation Script", "25e6c06d-cf70-473b-bd28-26931edc476b"),
    A::choice("evaluateScopePluginType", "Scope Evaluation Plugin Type", TYPES, "JAVA"),
    A::default_text(
        "evaluateScopeClass",
        "Scope Evaluation Plugin Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultScopeEvaluator",
    ),
    A::default_text("evaluateScopeScript", "Scope Evaluation Script", "da56fe60-8b38-4c46-a405-d6b306d4b336"),
    A::choice("authorizeEndpointDataProviderPluginType", "Authorize Endpoint Data Provider Plugin Type", TYPES, "JAVA"),
    A::default_text(
        "authorizeEndpointDataProviderClass",
        "Authorize Endpoint Data Provider Plugin Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultEndpointDataProvider",
    ),
    A::default_text(
        "authorizeEndpointDataProviderScript",
        "Authorize Endpoint Data Provider Script",
        "3f93ef6e-e54a-4393-aba1-f322656db28a",
    ),
    A::default_text(
        "userCodeGeneratorClass",
        "User Code Generator Implementation Class",
        "org.forgerock.oauth2.core.plugins.registry.DefaultUserCodeGenerator",
    ),
];
