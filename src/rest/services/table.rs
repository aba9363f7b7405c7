//! Which services there are, and their attributes with the defaults of the reference.
//!
//! | service                     | reference                          | who reads it here                           |
//! |-----------------------------|------------------------------------|---------------------------------------------|
//! | `oauth-oidc`                | oauth2-config.md §12, §13          | the OAuth 2.0 endpoints                     |
//! | `session`                   | authn-sessions-realms.md b.6       | sessions                                    |
//! | `amSessionPropertyWhitelist`| authn-sessions-realms.md b.3, b.5  | sessions                                    |
//! | `validation`                | authn-sessions-realms.md a.7       | authentication: where `goto` may lead       |
//! | `audit`                     | authn-sessions-realms.md f.6       | kept; what is recorded is each node's configuration |
//! | `platform`                  | authn-sessions-realms.md b.1, f.2  | cookies, `serverinfo`, sessions             |
//! | `dashboard`                 | authn-sessions-realms.md f.4       | [`crate::rest::dashboard`]                  |
//! | `baseurl`                   | oauth2-endpoints.md §1.2           | [`crate::base_url`]                         |
//! | `RemoteConsentService`      | oauth2-config.md §15               | kept for exports                            |
//! | `CorsService`               | oauth2-endpoints.md §2.7           | [`crate::cors`]                             |
//! | `rest`                      | crest.md §13.3                     | [`crate::crest::settings`]                  |
//!
//! What each attribute changes, and which are only kept: [`super::effects`].

use super::{Defaults, OfUser, PROVIDER, Service, provider};
use crate::{
    base_url::is_fixed_value,
    config::is_context_path,
    cors,
    crest::{self, Object},
    rest::{
        agents::checks::web_url,
        schema::{Attribute as A, Schema, Section},
    },
};

const fn section(name: &'static str, title: &'static str, attributes: &'static [A]) -> Section {
    Section { name, title, bare: false, attributes }
}

const fn flat(attributes: &'static [A]) -> Section {
    section("", "", attributes)
}

const fn schema(sections: &'static [Section]) -> Schema {
    Schema { sections, opaque: &[] }
}

/// The cluster has no attributes of its own, only defaults for realms.
const DEFAULTS_ONLY: Schema = with_defaults(&[]);

/// `defaults` is let through; [`super::GlobalService`] reads it by the schema of the realm.
const fn with_defaults(sections: &'static [Section]) -> Schema {
    Schema { sections, opaque: &[super::DEFAULTS] }
}

fn as_it_is(_: &mut Object) {}

const fn realm_only(id: &'static str, name: &'static str, realm: Schema) -> Service {
    let (global, defaults) = (DEFAULTS_ONLY, Defaults::Apart);
    Service { id, name, realm: Some(realm), global, defaults, of_user: OfUser::Never, complete: as_it_is }
}

const fn cluster_only(id: &'static str, name: &'static str, global: Schema) -> Service {
    Service { id, name, realm: None, global, defaults: Defaults::Apart, of_user: OfUser::Never, complete: as_it_is }
}

/// All services.
pub static TABLE: &[Service] = &[
    Service {
        id: PROVIDER,
        name: "OAuth2 Provider",
        realm: Some(provider::SCHEMA),
        global: with_defaults(&[flat(PROVIDERS)]),
        defaults: Defaults::Apart,
        of_user: OfUser::Never,
        complete: provider::complete,
    },
    Service {
        id: "session",
        name: "Session",
        realm: Some(schema(&[section("dynamic", "Dynamic Attributes", SESSION_DYNAMIC)])),
        global: schema(&[
            section("general", "General", SESSION_GENERAL),
            section("search", "Session Search", SESSION_SEARCH),
            section("notifications", "Session Property Change Notifications", SESSION_NOTIFICATIONS),
            section("quotas", "Session Quotas", SESSION_QUOTAS),
            section("stateless", "Client-based Sessions", SESSION_STATELESS),
            section("dynamic", "Dynamic Attributes", SESSION_DYNAMIC),
        ]),
        defaults: Defaults::Among,
        of_user: OfUser::Apart,
        complete: as_it_is,
    },
    realm_only("amSessionPropertyWhitelist", "Session Property Whitelist Service", schema(&[flat(WHITELIST)])),
    realm_only("validation", "Validation Service", schema(&[flat(VALIDATION)])),
    Service {
        id: "audit",
        name: "Audit Logging",
        realm: Some(schema(&[flat(AUDIT)])),
        global: with_defaults(&[flat(AUDIT)]),
        defaults: Defaults::Apart,
        of_user: OfUser::Never,
        complete: as_it_is,
    },
    cluster_only("platform", "Platform", schema(&[flat(PLATFORM)])),
    Service {
        of_user: OfUser::Profile,
        ..realm_only(
            "dashboard",
            "Dashboard",
            schema(&[flat(&[A::list("assignedDashboard", "Available Dashboard Apps")])]),
        )
    },
    realm_only("baseurl", "Base URL Source", schema(&[flat(BASE_URL)])),
    realm_only("RemoteConsentService", "Remote Consent Service", schema(&[flat(REMOTE_CONSENT)])),
    cluster_only(cors::SERVICE, "CORS Service", schema(&[flat(&[A::flag("enabled", "Enable the CORS filter", true)])])),
    cluster_only(crest::settings::ID, "REST APIs", schema(&[flat(REST_APIS)])),
];

/// oauth2-config.md §13.
const PROVIDERS: &[A] = &[
    A::int("blacklistCacheSize", "Token Blacklist Cache Size", 0, 10_000),
    A::int("blacklistPollInterval", "Blacklist Poll Interval (seconds)", 0, 60),
    A::int("blacklistPurgeDelay", "Blacklist Purge Delay (minutes)", 0, 1),
    A::flag(
        "statelessGrantTokenUpgradeCompatibilityMode",
        "Client-Based Grant Token Upgrade Compatibility Mode",
        false,
    ),
    A::choice(
        "storageScheme",
        "CTS Storage Scheme",
        &["CTS_ONE_TO_ONE_MODEL", "CTS_GRANT_SET_MODEL"],
        "CTS_ONE_TO_ONE_MODEL",
    ),
    A::flag("jwtTokenLifetimeValidationEnabled", "Enforce JWT Unreasonable Lifetime", true),
    A::int("jwtTokenUnreasonableLifetime", "JWT Unreasonable Lifetime (seconds)", 1, 86_400),
    A::list("jwtTokenRequiredClaims", "Required Claims in JWTs"),
    A::flag("allowUnauthorisedAccessToUserCodeForm", "Allow Unauthorised Access To User Code Form", false),
];

/// authn-sessions-realms.md b.6; minutes.
const SESSION_DYNAMIC: &[A] = &[
    A::int("maxSessionTime", "Maximum Session Time", 1, 120),
    A::int("maxIdleTime", "Maximum Idle Time", 1, 30),
    A::int("maxCachingTime", "Maximum Caching Time", 0, 3),
    A::int("quotaLimit", "Active User Sessions", 0, 5),
];

const SESSION_GENERAL: &[A] = &[
    A::int("latestAccessTimeUpdateFrequency", "Latest Access Time Update Frequency", 0, 60),
    A::flag("dnRestrictionOnly", "DN Restriction Only Enabled", false),
    A::list("timeoutHandlers", "Session Timeout Handler implementations"),
];

const SESSION_SEARCH: &[A] = &[
    A::int("maxSessionListSize", "Maximum Number of Search Results", 1, 120),
    A::int("sessionListRetrievalTimeout", "Timeout for Search", 1, 5),
];

const SESSION_NOTIFICATIONS: &[A] = &[
    A::choice("propertyChangeNotifications", "Enable Property Change Notifications", ON_OFF, "OFF"),
    A::list("notificationPropertyList", "Notification Properties"),
];

const ON_OFF: &[&str] = &["ON", "OFF"];

const SESSION_QUOTAS: &[A] = &[
    A::choice("iplanet-am-session-enable-session-constraint", "Enable Quota Constraints", ON_OFF, "OFF"),
    A::int("quotaConstraintMaxWaitTime", "Read Timeout for Quota Constraint", 0, 6000),
    A::choice(
        "behaviourWhenQuotaExhausted",
        "Resulting behavior if session quota exhausted",
        &[
            "org.forgerock.openam.session.service.DestroyNextExpiringAction",
            "org.forgerock.openam.session.service.DestroyOldestAction",
            "org.forgerock.openam.session.service.DestroyAllAction",
            "org.forgerock.openam.session.service.DenyAccessAction",
        ],
        "org.forgerock.openam.session.service.DestroyNextExpiringAction",
    ),
    A::choice("denyLoginWhenRepoDown", "Deny user login when session repository is down", &["YES", "NO"], "NO"),
];

const SESSION_STATELESS: &[A] = &[
    A::choice(
        "statelessSigningType",
        "Signing Algorithm Type",
        &["NONE", "HS256", "HS384", "HS512", "RS256", "ES256", "ES384", "ES512"],
        "HS256",
    ),
    // Our keys are generated; no key comes in over the wire (G5).
    A::dropped("statelessSigningHmacSecret", "Signing HMAC Shared Secret"),
    A::choice("statelessEncryptionType", "Encryption Algorithm", &["NONE", "RSA", "AES_KEYWRAP", "DIRECT"], "DIRECT"),
    A::dropped("statelessEncryptionAesKey", "Encryption Symmetric AES Key"),
    A::choice("statelessCompressionType", "Compression Algorithm", &["NONE", "DEF"], "NONE"),
    A::flag("openam-session-stateless-enable-session-blacklisting", "Enable Session Denylisting", false),
    A::int("openam-session-stateless-blacklist-cache-size", "Session Denylist Cache Size", 0, 10_000),
    A::int("openam-session-stateless-blacklist-poll-interval", "Denylist Poll Interval (seconds)", 0, 60),
    A::int("openam-session-stateless-blacklist-purge-delay", "Denylist Purge Delay (minutes)", 0, 1),
    A::int("openam-session-stateless-logout-poll-interval", "Logout Poll Interval (seconds)", 0, 60),
    A::flag("statelessLogoutByUser", "Enable Logout by User", false),
];

/// A name that a session property can have.
fn property(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.chars().any(char::is_control)
}

const WHITELIST: &[A] = &[
    A::list_of("sessionPropertyWhitelist", "Allowlisted Session Property Names", property, &["AMCtxId"]),
    A::list_of("whitelistedQueryProperties", "Session Properties to return for session queries", property, &[]),
];

/// A pattern of URLs: `*` and `-*-` stand for something.
fn destination(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.len() <= 2048 && pattern.chars().all(|c| !c.is_control() && !c.is_whitespace())
}

const VALIDATION: &[A] = &[A::list_of("validGotoDestinations", "Valid goto URL Resources", destination, &[])];

const AUDIT: &[A] = &[
    A::flag("auditEnabled", "Audit logging", true),
    A::list("whitelistFieldFilters", "Field include list filters"),
    A::list("blacklistFieldFilters", "Field exclude list filters"),
];

/// A cookie's domain: it ends up in `Set-Cookie`.
fn domain(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= 253 && name.strip_prefix('.').unwrap_or(name).split('.').all(label)
}

fn locale(name: &str) -> bool {
    name.len() <= 35 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

const PLATFORM: &[A] = &[
    A::list_of("cookieDomains", "Cookie Domains", domain, &[]),
    A::checked_or("locale", "Platform Locale", locale, "en_US"),
];

const BASE_URL: &[A] = &[
    A::choice(
        "source",
        "Base URL Source",
        &["REQUEST_VALUES", "X_FORWARDED_HEADERS", "FORWARDED_HEADER", "FIXED_VALUE", "EXTENSION_CLASS"],
        "REQUEST_VALUES",
    ),
    A::checked("fixedValue", "Fixed value base URL", is_fixed_value),
    A::text("extensionClassName", "Extension class name"),
    // Unset, it is where we are mounted: no service that is created with nothing said moves a realm's links elsewhere.
    A::checked("contextPath", "Context path", is_context_path),
];

/// oauth2-config.md §15; minutes.
const REMOTE_CONSENT: &[A] = &[
    A::text("clientId", "Client Name"),
    A::text("signingKeyAlias", "Signing Key Alias"),
    A::text("encryptionKeyAlias", "Encryption Key Alias"),
    A::checked("jwksUriAS", "Authorization Server jwk_uri", web_url),
    A::int("jwkStoreCacheTimeout", "JWK Store Cache Timeout (in minutes)", 0, 60),
    A::int("jwkStoreCacheMissCacheTime", "JWK Store Cache Miss Cache Time (in minutes)", 0, 1),
    A::int("consentResponseTimeLimit", "Consent Response Time Limit (in minutes)", 1, 2),
];

/// crest.md §13.3, §14, §15.
const REST_APIS: &[A] = &[
    A::choice("defaultVersion", "Default Version", UNVERSIONED, "Latest"),
    A::choice("defaultProtocolVersion", "Default Protocol Version", UNVERSIONED, "Latest"),
    A::flag("warningHeader", "Warning Header", false),
    A::flag("csrfFilterEnabled", "CSRF Protection", true),
    A::choice("descriptionsState", "API Descriptions", &["STATIC", "DYNAMIC", "DISABLED"], "STATIC"),
];

const UNVERSIONED: &[&str] = &["Latest", "Oldest", "None"];
