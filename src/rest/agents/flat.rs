//! Agents whose attributes stand at the top (oauth2-config.md §14.1 to §14.5).

use super::{
    AgentType, Unique,
    checks::{CONTENT_ENCRYPTION, KEY_ENCRYPTION, SIGNATURES, jwk_set, web_url},
};
use crate::rest::schema::{Attribute as A, Schema, Section};
use quorate_raft::Kind;

const fn flat(sections: &'static [Section]) -> Schema {
    Schema { sections, opaque: &[] }
}

const fn top(attributes: &'static [A]) -> Section {
    Section { name: "", title: "", bare: false, attributes }
}

/// §14.4.
pub static IDENTITY_GATEWAY: AgentType = AgentType {
    kind: Kind::IdentityGateway,
    id: "IdentityGatewayAgent",
    listed: "Identity Gateway Agents",
    name: "Identity Gateway Agents",
    schema: flat(&[top(GATEWAY)]),
    shows_password: true,
    unique: None,
    signs_in: true,
};

/// §14.5.
pub static AGENT_2_2: AgentType = AgentType {
    kind: Kind::Agent,
    id: "2.2_Agent",
    listed: "2.2 Agents",
    name: "Policy Agents",
    schema: flat(&[top(POLICY_AGENT)]),
    shows_password: true,
    unique: None,
    signs_in: true,
};

/// §14.1.
pub static TRUSTED_JWT_ISSUER: AgentType = AgentType {
    kind: Kind::Agent,
    id: "TrustedJwtIssuer",
    listed: "OAuth2 Trusted JWT Issuer Agents",
    name: "OAuth2 Trusted JWT Issuer",
    schema: flat(&[top(ISSUER)]),
    shows_password: false,
    unique: Some(Unique { name: "issuer", label: "JWT Issuer" }),
    signs_in: false,
};

/// §14.2.
pub static SOFTWARE_PUBLISHER: AgentType = AgentType {
    kind: Kind::Agent,
    id: "SoftwarePublisher",
    listed: "OAuth2 Software Publisher Agents",
    name: "OAuth2 Software Publisher",
    schema: flat(&[top(PUBLISHER)]),
    shows_password: true,
    unique: Some(Unique { name: "issuer", label: "Software publisher issuer" }),
    signs_in: false,
};

/// §14.3.
pub static REMOTE_CONSENT: AgentType = AgentType {
    kind: Kind::Agent,
    id: "RemoteConsentAgent",
    listed: "OAuth2 Remote Consent Agents",
    name: "OAuth2 Remote Consent Service",
    schema: flat(&[top(CONSENT)]),
    shows_password: true,
    unique: None,
    signs_in: false,
};

const STATUSES: &[&str] = &["Active", "Inactive"];

/// An issuer is compared with `iss`, and part of a key.
fn issuer(text: &str) -> bool {
    text.len() <= 2048 && !text.chars().any(char::is_control)
}

const GATEWAY: &[A] = &[
    A::choice("status", "Status", STATUSES, "Active"),
    A::secret("userpassword", "Password"),
    A::list_of("igCdssoRedirectUrls", "Redirect URLs for CDSSO", web_url, &[]),
    A::text("igCdssoLoginUrlTemplate", "Login URL Template for CDSSO"),
    A::choice("igTokenIntrospection", "Token Introspection", &["None", "Realm", "Realm_Subs"], "None"),
    A::unset("secretLabelIdentifier", "Secret Label Identifier"),
    A::group("agentgroup", "Group"),
];

const POLICY_AGENT: &[A] = &[
    A::list_of("cdssoRootUrl", "Agent Root URL for CDSSO", cdsso_root, &[]),
    A::text("description", "Description"),
    A::choice("status", "Status", STATUSES, "Active"),
    A::secret("userpassword", "Password"),
];

/// `agentRootURL=https://app.example.com:443/` or the URL alone.
fn cdsso_root(text: &str) -> bool {
    web_url(text.strip_prefix("agentRootURL=").unwrap_or(text))
}

const JWKS_URI: A = A::checked("jwksUri", "JWKs URI", web_url);
const JWK_SET: A = A::checked("jwkSet", "JWK Set", jwk_set);
const CACHE: A = A::int("jwksCacheTimeout", "JWKs URI content cache timeout in ms", 0, 3_600_000);
const CACHE_MISS: A = A::int("jwkStoreCacheMissCacheTime", "JWKs URI content cache miss cache time", 0, 60_000);
const KEY_LOCATION: A = A::choice("publicKeyLocation", "Public key selector", &["jwks_uri", "jwks"], "jwks_uri");

const ISSUER: &[A] = &[
    A::group("agentgroup", "Group"),
    A::checked("issuer", "JWT Issuer", issuer),
    JWKS_URI,
    JWK_SET,
    CACHE,
    CACHE_MISS,
    A::default_text("consentedScopesClaim", "Consented Scopes Claim", "scope"),
    A::default_text("resourceOwnerIdentityClaim", "Resource Owner Identity Claim", "sub"),
    A::list("allowedSubjects", "Allowed Subjects"),
];

const PUBLISHER: &[A] = &[
    A::group("agentgroup", "Group"),
    A::secret("userpassword", "Software publisher secret"),
    A::checked("issuer", "Software publisher issuer", issuer),
    // Symmetric signatures are keyed by the secret, of which only a verifier is kept (G5).
    A::choice("softwareStatementSigningAlgorithm", "Software statement signing Algorithm", SIGNATURES, "RS256"),
    KEY_LOCATION,
    JWKS_URI,
    JWK_SET,
    CACHE,
    CACHE_MISS,
];

const CONSENT: &[A] = &[
    A::group("agentgroup", "Group"),
    A::secret("userpassword", "Remote Consent Service secret"),
    A::checked("remoteConsentRedirectUrl", "Redirect URL", web_url),
    A::choice("remoteConsentRequestSigningAlgorithm", "Consent request signing algorithm", SIGNATURES, "RS256"),
    A::flag("remoteConsentRequestEncryptionEnabled", "Enable consent request Encryption", true),
    A::choice(
        "remoteConsentRequestEncryptionAlgorithm",
        "Consent request Encryption Algorithm",
        KEY_ENCRYPTION,
        "RSA-OAEP-256",
    ),
    A::choice(
        "remoteConsentRequestEncryptionMethod",
        "Consent request Encryption Method",
        CONTENT_ENCRYPTION,
        "A128GCM",
    ),
    A::choice("remoteConsentResponseSigningAlg", "Consent response signing algorithm", SIGNATURES, "RS256"),
    A::choice(
        "remoteConsentResponseEncryptionAlgorithm",
        "Consent response encryption algorithm",
        KEY_ENCRYPTION,
        "RSA-OAEP-256",
    ),
    A::choice(
        "remoteConsentResponseEncryptionMethod",
        "Consent response encryption method",
        CONTENT_ENCRYPTION,
        "A128GCM",
    ),
    KEY_LOCATION,
    JWKS_URI,
    JWK_SET,
    CACHE,
    CACHE_MISS,
    A::int("requestTimeLimit", "Consent Request Time Limit", 1, 180),
];
