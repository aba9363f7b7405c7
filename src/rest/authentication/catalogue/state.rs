//! State, sessions and cookies.

use super::{ConfigType, ORDINARY, Outcomes, attributes, node, optional_int};
use crate::{
    crest::{Error, Object},
    rest::schema::Attribute as A,
    sessions::properties::is_default,
};
use serde_json::Value;

/// Five hours, in the unit of the nodes: hours.
const FIVE_HOURS: i64 = 5;

/// The types, in the order of the reference.
pub const TYPES: &[ConfigType] = &[
    node!(
        "SetSessionPropertiesNode",
        "Set Session Properties",
        &["utilities"],
        "Sets properties of the session to come.",
        Outcomes::One,
        [
            A::map("properties", "Properties"),
            optional_int("maxSessionTime", "Maximum Session Time (minutes)", 1),
            optional_int("maxIdleTime", "Maximum Idle Time (minutes)", 1),
        ],
        check: unprotected
    ),
    node!(
        "RemoveSessionPropertiesNode",
        "Remove Session Properties",
        &["utilities"],
        "Takes properties away from the session to come.",
        Outcomes::One,
        [A::list("propertyNames", "Property Names")]
    ),
    node!(
        "SessionDataNode",
        "Get Session Data",
        &["utilities"],
        "Copies a property of the session that there is.",
        Outcomes::One,
        [
            A::default_text("sessionDataKey", "Session Data Key", "UserToken"),
            A::text("sharedStateKey", "Shared State Key"),
        ]
    ),
    node!(
        "SetStateNode",
        "Set State",
        &["utilities"],
        "Sets values of the shared state.",
        Outcomes::One,
        [A::map("attributes", "Attributes")]
    ),
    node!(
        "CookiePresenceDecisionNode",
        "Cookie Presence Decision",
        &["risk"],
        "Tells whether a cookie came with the request.",
        Outcomes::TrueFalse,
        [A::text("cookieName", "Name of Cookie")]
    ),
    node!(
        "SetCustomCookieNode",
        "Set Custom Cookie",
        &["utilities"],
        "Sets a cookie.",
        Outcomes::One,
        [
            A::text("name", "Custom Cookie Name"),
            A::text("value", "Custom Cookie Value"),
            A::text("maxAge", "Max Age"),
            A::text("domain", "Custom Cookie Domain"),
            A::text("path", "Custom Cookie Path"),
            A::flag("useSecureCookie", "Use Secure Cookie", false),
            A::flag("useHttpOnlyCookie", "Use HTTP Only Cookie", false),
            A::choice("sameSite", "Custom Cookie SameSite attribute", &["LAX", "STRICT", "NONE"], "LAX"),
        ]
    ),
    node!(
        "SetPersistentCookieNode",
        "Set Persistent Cookie",
        &["utilities"],
        "Sets a cookie that authenticates later.",
        Outcomes::One,
        [
            A::int("idleTimeout", "Idle Timeout (hours)", 0, FIVE_HOURS),
            A::int("maxLife", "Max life (hours)", 0, FIVE_HOURS),
            A::flag("useSecureCookie", "Use secure cookie", true),
            A::flag("useHttpOnlyCookie", "Use HTTP only cookie", true),
            A::secret("hmacSigningKey", "HMAC Signing Key"),
            A::default_text("persistentCookieName", "Persistent Cookie Name", "session-jwt"),
        ]
    ),
    node!(
        "PersistentCookieDecisionNode",
        "Persistent Cookie Decision",
        &["basic-authn"],
        "Verifies a persistent cookie.",
        Outcomes::TrueFalse,
        [
            A::int("idleTimeout", "Idle Timeout (hours)", 0, FIVE_HOURS),
            A::flag("enforceClientIp", "Enforce Client IP", false),
            A::flag("useSecureCookie", "Use secure cookie", true),
            A::flag("useHttpOnlyCookie", "Use HTTP only cookie", true),
            A::secret("hmacSigningKey", "HMAC Signing Key"),
            A::default_text("persistentCookieName", "Persistent cookie name", "session-jwt"),
        ]
    ),
    node!(
        "RequestHeaderNode",
        "Request Header Node",
        &["utilities"],
        "Copies request headers into the shared state.",
        Outcomes::One,
        [A::map("allowedHeaders", "Allowed Headers"), A::list("headersToBeDelimited", "Headers To Be Delimited")]
    ),
    node!(
        "QueryParameterNode",
        "Query Parameter Node",
        &["utilities"],
        "Copies query parameters into the shared state.",
        Outcomes::One,
        [
            A::map("allowedQueryParameters", "Allowed Query Parameters"),
            A::list("queryParametersToBeDelimited", "Query Parameters To Be Delimited"),
        ]
    ),
    node!(
        "RegisterLogoutWebhookNode",
        "Register Logout Webhook",
        &["utilities"],
        "Calls a webhook when the session ends.",
        Outcomes::One,
        [A::text("webhookName", "Webhook name")]
    ),
];

fn unprotected(config: &Object) -> Result<(), Error> {
    let mut names = config.get("properties").and_then(Value::as_object).into_iter().flat_map(Object::keys);
    if names.any(|name| is_default(name)) { Err(Error::invalid_value("Properties")) } else { Ok(()) }
}
