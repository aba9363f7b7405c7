//! What each attribute of each service does here: honoured, and where; or kept without effect, and why. All that AM's tools send
//! is stored and shown as it came; this table says what of it changes anything. `docs/compatibility-services.md` is written from
//! it, and tests hold it to the schemas (every attribute has one row) and to the sources (what is honoured is read where it says,
//! and what is kept is read nowhere).

use super::PROVIDER;
use std::fmt::Write as _;

/// What an attribute does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes what the server does; read in this file below `src/`.
    Honoured(&'static str),
    /// Stored and shown, and nothing else, for this reason.
    Kept(&'static str),
}

use Effect::{Honoured, Kept};

/// Attributes of one section of one service that share an effect.
#[derive(Debug)]
pub struct Row {
    /// Id of the service; with that of its instances behind a slash, where it is about those.
    pub service: &'static str,
    /// The section; empty for attributes at the top.
    pub section: &'static str,
    /// The attributes.
    pub names: &'static [&'static str],
    /// What they do.
    pub effect: Effect,
}

const fn row(service: &'static str, section: &'static str, names: &'static [&'static str], effect: Effect) -> Row {
    Row { service, section, names, effect }
}

const OF_PROVIDER: Effect = Honoured("oauth2/provider.rs");
const NO_REFRESH: Effect = Kept("no refresh tokens are issued");
const NO_EXCHANGE: Effect = Kept("token exchange and delegation are not served");
const NO_MACAROONS: Effect = Kept("tokens are opaque or JWTs; there are no macaroons");
const NO_DEVICE: Effect = Kept("the device flow is not served");
const NO_REGISTRATION: Effect = Kept("dynamic registration is not served");
const NO_OBJECTS: Effect = Kept("request objects and pushed requests are not served");
const NO_CERTIFICATES: Effect = Kept("clients do not authenticate with certificates");
const NO_ENCRYPTION: Effect = Kept("nothing is encrypted for clients");
const NO_CIBA: Effect = Kept("backchannel authentication is not served");
const NO_RCS: Effect = Kept("consent is asked by this server, not by a remote service");
const NO_PLUGINS: Effect = Kept("only scope validation and access token modification can be plugged");
const NO_PASSWORD: Effect = Kept("the password grant is not served");
const NO_PAIRWISE: Effect = Kept("subjects are public");
const FIXED_ALGORITHMS: Effect = Kept("ID tokens and userinfo are signed with RS256 or ES256, as metadata says");
const FOREIGN_JWTS: Effect = Kept("JWTs of others are not accepted, whatever is in them");
const REVOKED_AT_ONCE: Effect =
    Kept("what is revoked is dead on all nodes when that is answered; there is nothing to poll or purge");
const OF_SESSIONS: Effect = Honoured("sessions/settings.rs");
const ALWAYS_SEALED: Effect =
    Kept("client-based sessions are always signed (HS256) and encrypted (A256GCM) with keys of the cluster");
const OF_NODES: Effect =
    Kept("what is recorded is the configuration of each node (`audit.*`): who administers a realm cannot turn it off");
const SAMPLE_RCS: Effect = Kept("the reference's sample of a consent service is not served");

/// The table, in the order of [`TABLE`](super::TABLE).
pub const EFFECTS: &[Row] = &[
    row(
        PROVIDER,
        "coreOAuth2Config",
        &[
            "statelessTokensEnabled",
            "codeLifetime",
            "accessTokenLifetime",
            "usePolicyEngineForScope",
            "scopesPolicySet",
        ],
        OF_PROVIDER,
    ),
    row(
        PROVIDER,
        "coreOAuth2Config",
        &["refreshTokenLifetime", "issueRefreshToken", "issueRefreshTokenOnRefreshedToken"],
        NO_REFRESH,
    ),
    row(PROVIDER, "coreOAuth2Config", &["accessTokenMayActScript", "oidcMayActScript"], NO_EXCHANGE),
    row(PROVIDER, "coreOAuth2Config", &["macaroonTokensEnabled"], NO_MACAROONS),
    row(
        PROVIDER,
        "coreOAuth2Config",
        &["accessTokenModificationScript"],
        Kept("older releases have it here; it is read in `pluginsConfig`"),
    ),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &[
            "responseTypeClasses",
            "supportedScopes",
            "codeVerifierEnforced",
            "grantTypes",
            "tokenSigningAlgorithm",
            "tokenEncryptionEnabled",
            "includeSubnameInTokenClaims",
            "includeClientIdClaimInStatelessTokens",
        ],
        OF_PROVIDER,
    ),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["customLoginUrlTemplate"],
        Kept("people sign in at `{deployment}/UI/Login`"),
    ),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["authenticationAttributes", "displayNameAttribute"],
        Kept("people go by the name of their document"),
    ),
    row(PROVIDER, "advancedOAuth2Config", &["defaultScopes"], NO_REGISTRATION),
    row(PROVIDER, "advancedOAuth2Config", &["supportedSubjectTypes", "hashSalt"], NO_PAIRWISE),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["modifiedTimestampAttribute", "createdTimestampAttribute"],
        Kept("the `updated_at` claim is not issued"),
    ),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["passwordGrantAuthService", "moduleMessageEnabledInPasswordGrant"],
        NO_PASSWORD,
    ),
    row(PROVIDER, "advancedOAuth2Config", &["tokenCompressionEnabled"], Kept("client-based tokens are not compressed")),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &[
            "tlsClientCertificateTrustedHeader",
            "tlsClientCertificateHeaderFormat",
            "tlsCertificateBoundAccessTokensEnabled",
            "tlsCertificateRevocationCheckingEnabled",
        ],
        NO_CERTIFICATES,
    ),
    row(PROVIDER, "advancedOAuth2Config", &["refreshTokenGracePeriod"], NO_REFRESH),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["allowClientCredentialsInTokenRequestQueryParameters"],
        Kept("secrets in a URI are never looked at (RFC 6749 §2.3.1)"),
    ),
    row(PROVIDER, "advancedOAuth2Config", &["macaroonTokenFormat"], NO_MACAROONS),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &[
            "requestObjectProcessing",
            "requirePushedAuthorizationRequests",
            "parRequestUriLifetime",
            "nbfClaimRequiredInRequestObject",
            "expClaimRequiredInRequestObject",
            "maxAgeOfRequestObjectNbfClaim",
            "maxDifferenceBetweenRequestObjectNbfAndExp",
        ],
        NO_OBJECTS,
    ),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["tokenExchangeClasses", "tokenValidatorClasses", "acceptAudienceParametersInTokenExchangeRequests"],
        NO_EXCHANGE,
    ),
    row(PROVIDER, "advancedOAuth2Config", &["allowedAudienceValues"], FOREIGN_JWTS),
    row(PROVIDER, "advancedOAuth2Config", &["persistentClaims"], NO_REFRESH),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["enableApplicationContext"],
        Kept("no script runs with an application context"),
    ),
    row(
        PROVIDER,
        "advancedOAuth2Config",
        &["scopeImplementationClass"],
        Kept("older releases have it; scope validation is plugged in `pluginsConfig`"),
    ),
    row(
        PROVIDER,
        "clientDynamicRegistrationConfig",
        &[
            "allowDynamicRegistration",
            "generateRegistrationAccessTokens",
            "dynamicClientRegistrationScope",
            "dynamicClientRegistrationSoftwareStatementRequired",
            "requiredSoftwareStatementAttestedAttributes",
            "dynamicClientRegistrationScript",
        ],
        NO_REGISTRATION,
    ),
    row(PROVIDER, "coreOIDCConfig", &["supportedIDTokenSigningAlgorithms"], FIXED_ALGORITHMS),
    row(
        PROVIDER,
        "coreOIDCConfig",
        &["supportedIDTokenEncryptionAlgorithms", "supportedIDTokenEncryptionMethods"],
        NO_ENCRYPTION,
    ),
    row(PROVIDER, "coreOIDCConfig", &["supportedClaims"], Kept("metadata tells the claims that are issued")),
    row(PROVIDER, "coreOIDCConfig", &["jwtTokenLifetime"], OF_PROVIDER),
    row(
        PROVIDER,
        "coreOIDCConfig",
        &["oidcDiscoveryEndpointEnabled"],
        Kept("WebFinger is not served; metadata always is"),
    ),
    row(PROVIDER, "coreOIDCConfig", &["overrideableOIDCClaims", "oidcClaimsScript"], NO_PLUGINS),
    row(PROVIDER, "advancedOIDCConfig", &["jkwsURI"], Kept("keys are the cluster's own, at `connect/jwk_uri`")),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &["idTokenInfoClientAuthenticationEnabled"],
        Kept("`idtokeninfo` is not served"),
    ),
    row(PROVIDER, "advancedOIDCConfig", &["claimsParameterSupported"], Kept("the `claims` parameter is not looked at")),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &["loaMapping", "amrMappings"],
        Kept("`acr_values` choose no journey, and no `amr` is issued"),
    ),
    row(PROVIDER, "advancedOIDCConfig", &["defaultACR", "alwaysAddClaimsToToken", "minMaxAge"], OF_PROVIDER),
    row(PROVIDER, "advancedOIDCConfig", &["storeOpsTokens"], Kept("session management by frames is not served")),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &["includeAllKtyAlgCombinationsInJwksUri", "jwtSigningKidHeaderMappings"],
        Kept("each key is published once, under its own id"),
    ),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &["authorisedOpenIdConnectSSOClients", "authorisedIdmDelegationClients"],
        Kept("no client gets a session for a token"),
    ),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &["useForceAuthnForPromptLogin", "useForceAuthnForMaxAge"],
        Kept("`prompt=login` and `max_age` always ask for a session that is newer than the request"),
    ),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &[
            "supportedRequestParameterSigningAlgorithms",
            "supportedRequestParameterEncryptionAlgorithms",
            "supportedRequestParameterEncryptionEnc",
        ],
        NO_OBJECTS,
    ),
    row(PROVIDER, "advancedOIDCConfig", &["supportedTokenEndpointAuthenticationSigningAlgorithms"], FOREIGN_JWTS),
    row(PROVIDER, "advancedOIDCConfig", &["supportedUserInfoSigningAlgorithms"], FIXED_ALGORITHMS),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &[
            "supportedUserInfoEncryptionAlgorithms",
            "supportedUserInfoEncryptionEnc",
            "supportedTokenIntrospectionResponseEncryptionAlgorithms",
            "supportedTokenIntrospectionResponseEncryptionEnc",
            "supportedAuthorizationResponseEncryptionAlgorithms",
            "supportedAuthorizationResponseEncryptionEnc",
        ],
        NO_ENCRYPTION,
    ),
    row(
        PROVIDER,
        "advancedOIDCConfig",
        &["supportedTokenIntrospectionResponseSigningAlgorithms", "supportedAuthorizationResponseSigningAlgorithms"],
        Kept("introspection and authorization answer without a signature of their own"),
    ),
    row(
        PROVIDER,
        "deviceCodeConfig",
        &[
            "deviceUserCodeLength",
            "deviceUserCodeCharacterSet",
            "deviceCodeLifetime",
            "devicePollInterval",
            "verificationUrl",
            "completionUrl",
            "realmAllowUnauthorisedAccessToUserCodeForm",
        ],
        NO_DEVICE,
    ),
    row(PROVIDER, "consent", &["savedConsentAttribute"], Kept("consent is asked each time, and not saved")),
    row(PROVIDER, "consent", &["clientsCanSkipConsent"], OF_PROVIDER),
    row(
        PROVIDER,
        "consent",
        &[
            "enableRemoteConsent",
            "remoteConsentServiceId",
            "supportedRcsRequestSigningAlgorithms",
            "supportedRcsRequestEncryptionAlgorithms",
            "supportedRcsRequestEncryptionMethods",
            "supportedRcsResponseSigningAlgorithms",
            "supportedRcsResponseEncryptionAlgorithms",
            "supportedRcsResponseEncryptionMethods",
        ],
        NO_RCS,
    ),
    row(
        PROVIDER,
        "cibaConfig",
        &["cibaAuthReqIdLifetime", "cibaMinimumPollingInterval", "supportedCibaSigningAlgorithms"],
        NO_CIBA,
    ),
    row(
        PROVIDER,
        "pluginsConfig",
        &[
            "accessTokenModificationPluginType",
            "accessTokenModificationScript",
            "accessTokenModifierClass",
            "validateScopePluginType",
            "validateScopeClass",
            "validateScopeScript",
        ],
        OF_PROVIDER,
    ),
    row(
        PROVIDER,
        "pluginsConfig",
        &[
            "accessTokenEnricherClass",
            "oidcClaimsPluginType",
            "oidcClaimsScript",
            "oidcClaimsClass",
            "evaluateScopePluginType",
            "evaluateScopeClass",
            "evaluateScopeScript",
            "authorizeEndpointDataProviderPluginType",
            "authorizeEndpointDataProviderClass",
            "authorizeEndpointDataProviderScript",
        ],
        NO_PLUGINS,
    ),
    row(PROVIDER, "pluginsConfig", &["userCodeGeneratorClass"], NO_DEVICE),
    row(PROVIDER, "", &["blacklistCacheSize", "blacklistPollInterval", "blacklistPurgeDelay"], REVOKED_AT_ONCE),
    row(
        PROVIDER,
        "",
        &["statelessGrantTokenUpgradeCompatibilityMode"],
        Kept("client-based tokens have one form; there is none to be compatible with"),
    ),
    row(PROVIDER, "", &["storageScheme"], Kept("tokens are kept as grant sets, in replicated memory")),
    row(
        PROVIDER,
        "",
        &["jwtTokenLifetimeValidationEnabled", "jwtTokenUnreasonableLifetime", "jwtTokenRequiredClaims"],
        FOREIGN_JWTS,
    ),
    row(PROVIDER, "", &["allowUnauthorisedAccessToUserCodeForm"], NO_DEVICE),
    row("session", "general", &["latestAccessTimeUpdateFrequency"], OF_SESSIONS),
    row(
        "session",
        "general",
        &["dnRestrictionOnly", "timeoutHandlers"],
        Kept("sessions are not bound to agents, and no Java class runs at their end"),
    ),
    row("session", "search", &["maxSessionListSize"], OF_SESSIONS),
    row(
        "session",
        "search",
        &["sessionListRetrievalTimeout"],
        Kept("listings cost what they find, and end in two seconds"),
    ),
    row(
        "session",
        "notifications",
        &["propertyChangeNotifications", "notificationPropertyList"],
        Kept("agents are not notified; each answer is up to date"),
    ),
    row(
        "session",
        "quotas",
        &["iplanet-am-session-enable-session-constraint", "behaviourWhenQuotaExhausted"],
        OF_SESSIONS,
    ),
    row(
        "session",
        "quotas",
        &["quotaConstraintMaxWaitTime", "denyLoginWhenRepoDown"],
        Kept("the log decides about quotas in the entry that starts a session; without quorum nobody signs in"),
    ),
    row(
        "session",
        "stateless",
        &[
            "statelessSigningType",
            "statelessSigningHmacSecret",
            "statelessEncryptionType",
            "statelessEncryptionAesKey",
            "statelessCompressionType",
        ],
        ALWAYS_SEALED,
    ),
    row(
        "session",
        "stateless",
        &[
            "openam-session-stateless-enable-session-blacklisting",
            "openam-session-stateless-blacklist-cache-size",
            "openam-session-stateless-blacklist-poll-interval",
            "openam-session-stateless-blacklist-purge-delay",
            "openam-session-stateless-logout-poll-interval",
            "statelessLogoutByUser",
        ],
        REVOKED_AT_ONCE,
    ),
    row("session", "dynamic", &["maxSessionTime", "maxIdleTime", "quotaLimit"], OF_SESSIONS),
    row("session", "dynamic", &["maxCachingTime"], Kept("sessions are not cached: reads are linearizable")),
    row("amSessionPropertyWhitelist", "", &["sessionPropertyWhitelist", "whitelistedQueryProperties"], OF_SESSIONS),
    row("validation", "", &["validGotoDestinations"], Honoured("authn/journey/goto.rs")),
    row("audit", "", &["auditEnabled", "whitelistFieldFilters", "blacklistFieldFilters"], OF_NODES),
    row("platform", "", &["cookieDomains", "locale"], OF_SESSIONS),
    row("dashboard", "", &["assignedDashboard"], Honoured("rest/dashboard.rs")),
    row(
        "dashboard/instances",
        "",
        &["className", "name", "displayName", "icon", "login", "icfIdentifier"],
        Honoured("rest/dashboard.rs"),
    ),
    row("baseurl", "", &["source", "fixedValue", "contextPath"], Honoured("base_url.rs")),
    row("baseurl", "", &["extensionClassName"], Kept("no Java class runs here; the cluster's base URL holds")),
    row(
        "RemoteConsentService",
        "",
        &[
            "clientId",
            "signingKeyAlias",
            "encryptionKeyAlias",
            "jwksUriAS",
            "jwkStoreCacheTimeout",
            "jwkStoreCacheMissCacheTime",
            "consentResponseTimeLimit",
        ],
        SAMPLE_RCS,
    ),
    row("CorsService", "", &["enabled"], Honoured("cors.rs")),
    row(
        "CorsService/configuration",
        "",
        &[
            "enabled",
            "acceptedOrigins",
            "acceptedMethods",
            "acceptedHeaders",
            "exposedHeaders",
            "maxAge",
            "allowCredentials",
        ],
        Honoured("cors.rs"),
    ),
    row(
        "rest",
        "",
        &["defaultVersion", "defaultProtocolVersion", "warningHeader", "csrfFilterEnabled", "descriptionsState"],
        Honoured("crest/settings.rs"),
    ),
];

/// What an attribute does; `None` for one that no service has.
pub fn effect(service: &str, section: &str, name: &str) -> Option<Effect> {
    let is_it = |row: &&Row| row.service == service && row.section == section && row.names.contains(&name);
    EFFECTS.iter().find(is_it).map(|row| row.effect)
}

/// The text of `docs/compatibility-services.md`.
pub fn document() -> String {
    let mut text = String::from(
        "# Services: what is honoured, and what is only kept\n\n\
         Every attribute of every service that Quorate serves is validated, stored, replicated and shown as AM's tools send and\n\
         expect it. This table says which of them change what the server does, and which are kept without effect, with the\n\
         reason. It is written from `src/rest/services/effects.rs`; a test fails when it is not.\n\n\
         A realm's value wins over the cluster's `defaults`, and those over the shipped default. Of `session`, what a user's own\n\
         service says wins over both.\n",
    );
    let mut service = "";
    for row in EFFECTS {
        if row.service != service {
            service = row.service;
            // Writing to a string cannot fail.
            let _ = write!(text, "\n## `{service}`\n\n| attributes | effect |\n|---|---|\n");
        }
        let place = if row.section.is_empty() { String::new() } else { format!("{}.", row.section) };
        let names: Vec<String> = row.names.iter().map(|name| format!("`{place}{name}`")).collect();
        let _ = match row.effect {
            Honoured(file) => writeln!(text, "| {} | honoured in `src/{file}` |", names.join(", ")),
            Kept(reason) => writeln!(text, "| {} | kept without effect: {reason} |", names.join(", ")),
        };
    }
    text
}

#[cfg(test)]
mod tests;
