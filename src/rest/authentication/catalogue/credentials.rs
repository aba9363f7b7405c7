//! Credentials and decisions.

use super::{ConfigType, ORDINARY, Outcomes, attributes, node};
use crate::rest::schema::Attribute as A;

const LDAP: Outcomes = Outcomes::Fixed(&[
    ("TRUE", "True"),
    ("FALSE", "False"),
    ("LOCKED", "Locked"),
    ("CANCELLED", "Cancelled"),
    ("EXPIRED", "Expired"),
]);

/// The types, in the order of the reference.
pub const TYPES: &[ConfigType] = &[
    node!(
        "ZeroPageLoginNode",
        "Zero Page Login Collector",
        &["basic-authn"],
        "Takes user name and password from request headers.",
        Outcomes::Fixed(&[("true", "Has Credentials"), ("false", "No Credentials")]),
        [
            A::default_text("usernameHeader", "Username Header Name", "X-OpenAM-Username"),
            A::default_text("passwordHeader", "Password Header Name", "X-OpenAM-Password"),
            A::flag("allowWithoutReferer", "Allow Without Referer", true),
            A::list("referrerWhiteList", "Referer Whitelist"),
        ]
    ),
    node!(
        "UsernameCollectorNode",
        "Username Collector",
        &["basic-authn"],
        "Asks for the user name.",
        Outcomes::One,
        []
    ),
    node!("PasswordCollectorNode", "Password Collector", &["basic-authn"], "Asks for the password.", Outcomes::One, []),
    node!(
        "DataStoreDecisionNode",
        "Data Store Decision",
        &["basic-authn"],
        "Verifies user name and password.",
        Outcomes::TrueFalse,
        []
    ),
    node!(
        "AgentDataStoreDecisionNode",
        "Agent Data Store Decision",
        &["basic-authn"],
        "Verifies name and password of an agent.",
        Outcomes::TrueFalse,
        []
    ),
    node!(
        "IdentityStoreDecisionNode",
        "Identity Store Decision",
        &["basic-authn"],
        "Verifies user name and password, and lets an expired password be changed.",
        LDAP,
        [
            A::int("minimumPasswordLength", "Minimum Password Length", 0, 8),
            A::flag("useUniversalIdForUsername", "Use Universal ID for Username", true),
            A::flag("mixedCaseForPasswordChangeMessages", "Use mixed case for password change messages", false),
        ]
    ),
    node!(
        "LdapDecisionNode",
        "LDAP Decision",
        &["basic-authn"],
        "Verifies user name and password against a directory.",
        LDAP,
        [
            A::list("primaryServers", "Primary LDAP Server"),
            A::list("secondaryServers", "Secondary LDAP Server"),
            A::list("accountSearchBaseDn", "DN to Start User Search"),
            A::text("adminDn", "Bind User DN"),
            A::secret("adminPassword", "Bind User Password"),
            A::text("userProfileAttribute", "Attribute Used to Retrieve User Profile"),
            A::list("searchFilterAttributes", "Attributes Used to Search for a User to be Authenticated"),
            A::text("userSearchFilter", "User Search Filter"),
            A::choice("searchScope", "Search Scope", &["OBJECT", "ONE_LEVEL", "SUBTREE"], "SUBTREE"),
            A::choice("ldapConnectionMode", "LDAP Connection Mode", &["LDAP", "LDAPS", "START_TLS"], "LDAP"),
            A::flag("returnUserDn", "Return User DN to DataStore", true),
            A::int("minimumPasswordLength", "Minimum Password Length", 0, 8),
        ],
        open: true
    ),
    node!(
        "ValidatedUsernameNode",
        "Platform Username",
        &["identity-management"],
        "Asks for the user name of an identity object.",
        Outcomes::One,
        [
            A::default_text("usernameAttribute", "Username Attribute", "userName"),
            A::flag("validateInput", "Validate Username", false),
        ]
    ),
    node!(
        "ValidatedPasswordNode",
        "Platform Password",
        &["identity-management"],
        "Asks for the password of an identity object.",
        Outcomes::One,
        [
            A::default_text("passwordAttribute", "Password Attribute", "password"),
            A::flag("validateInput", "Validate Password", false),
        ]
    ),
    node!(
        "AnonymousUserNode",
        "Anonymous User Mapping",
        &["basic-authn"],
        "Goes on as the anonymous user.",
        Outcomes::One,
        [A::default_text("anonymousUserName", "Anonymous User Name", "anonymous")]
    ),
    node!(
        "AnonymousSessionUpgradeNode",
        "Anonymous Session Upgrade",
        &["basic-authn"],
        "Upgrades the session of the anonymous user.",
        Outcomes::One,
        []
    ),
    node!(
        "AmsterJwtDecisionNode",
        "Amster Jwt Decision Node",
        &["utilities"],
        "Verifies a signed JWT with one of the authorized keys.",
        Outcomes::TrueFalse,
        [A::text("authorizedKeys", "Authorized Keys")]
    ),
    node!(
        "AccountActiveDecisionNode",
        "Account Active Decision",
        &["identity-management"],
        "Tells whether the user's account is active.",
        Outcomes::TrueFalse,
        []
    ),
    node!(
        "AuthLevelDecisionNode",
        "Auth Level Decision",
        &["risk"],
        "Tells whether the authentication level suffices.",
        Outcomes::TrueFalse,
        [A::int("authLevelRequirement", "Sufficient Authentication Level", 0, 0)]
    ),
    node!(
        "ModifyAuthLevelNode",
        "Modify Auth Level",
        &["risk"],
        "Adds to the authentication level.",
        Outcomes::One,
        [A::int("authLevelIncrement", "Value To Add", i32::MIN as i64, 0)]
    ),
    node!(
        "RetryLimitDecisionNode",
        "Retry Limit Decision",
        &["utilities"],
        "Lets a user try again, so many times.",
        Outcomes::Fixed(&[("Retry", "Retry"), ("Reject", "Reject")]),
        [
            A::int("retryLimit", "Retry limit", 1, 3),
            A::flag("incrementUserAttributeOnFailure", "Save Retry Limit to User", true),
        ]
    ),
    node!(
        "AccountLockoutNode",
        "Account Lockout",
        &["utilities"],
        "Locks or unlocks the user's account.",
        Outcomes::One,
        [A::choice("lockAction", "Lock Action", &["LOCK", "UNLOCK"], "LOCK")]
    ),
];
