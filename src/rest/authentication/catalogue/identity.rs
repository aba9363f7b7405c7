//! Nodes about identity objects of an identity management system: known by name and outcomes, for imports. What the reference
//! does not list of their configuration is kept as it comes.

use super::{ConfigType, ORDINARY, Outcomes, attributes, node};
use crate::rest::schema::Attribute as A;

const GROUP: &[&str] = &["identity-management"];

/// The types, in the order of the reference.
pub const TYPES: &[ConfigType] = &[
    node!(
        "AttributeCollectorNode",
        "Attribute Collector",
        GROUP,
        "Asks for attributes of the identity.",
        Outcomes::One,
        [
            A::list("attributesToCollect", "Attributes to Collect"),
            A::default_text("identityAttribute", "Identity Attribute", "userName"),
            A::flag("required", "All Attributes Required", false),
            A::flag("validateInputs", "Validate Input", false),
        ]
    ),
    node!(
        "AttributePresentDecisionNode",
        "Attribute Present Decision",
        GROUP,
        "Tells whether the identity has an attribute.",
        Outcomes::TrueFalse,
        [],
        open: true
    ),
    node!(
        "AttributeValueDecisionNode",
        "Attribute Value Decision",
        GROUP,
        "Tells whether the identity has a value.",
        Outcomes::TrueFalse,
        [],
        open: true
    ),
    node!(
        "QueryFilterDecisionNode",
        "Query Filter Decision",
        GROUP,
        "Tells whether the identity fits a filter.",
        Outcomes::TrueFalse,
        [],
        open: true
    ),
    node!(
        "LoginCountDecisionNode",
        "Login Count Decision",
        GROUP,
        "Tells whether the identity has logged in so often.",
        Outcomes::TrueFalse,
        [
            A::choice("interval", "Interval", &["AT", "EVERY"], "AT"),
            A::int("amount", "Amount", 0, 25),
            A::default_text("identityAttribute", "Identity Attribute", "userName"),
        ]
    ),
    node!(
        "ProfileCompletenessDecisionNode",
        "Profile Completeness Decision",
        GROUP,
        "Tells whether the profile is complete enough.",
        Outcomes::TrueFalse,
        [],
        open: true
    ),
    node!(
        "IdentifyExistingUserNode",
        "Identify Existing User",
        GROUP,
        "Finds the identity.",
        Outcomes::TrueFalse,
        [],
        open: true
    ),
    node!(
        "IncrementLoginCountNode",
        "Increment Login Count",
        GROUP,
        "Counts a login.",
        Outcomes::One,
        [],
        open: true
    ),
    node!(
        "AcceptTermsAndConditionsNode",
        "Accept Terms and Conditions",
        GROUP,
        "Asks for consent to the terms.",
        Outcomes::One,
        [],
        open: true
    ),
    node!(
        "EmailSuspendNode",
        "Email Suspend Node",
        GROUP,
        "Goes on when a mailed link is followed.",
        Outcomes::One,
        [],
        open: true
    ),
    node!(
        "KbaCreateNode",
        "KBA Definition",
        GROUP,
        "Asks for security questions and answers.",
        Outcomes::One,
        [],
        open: true
    ),
    node!(
        "CreateObjectNode",
        "Create Object",
        GROUP,
        "Creates the identity.",
        Outcomes::Fixed(&[("CREATED", "Created"), ("FAILURE", "Failed")]),
        [],
        open: true
    ),
    node!(
        "PatchObjectNode",
        "Patch Object",
        GROUP,
        "Changes the identity.",
        Outcomes::Fixed(&[("PATCHED", "Patched"), ("FAILURE", "Failed")]),
        [],
        open: true
    ),
    node!(
        "EmailTemplateNode",
        "Email Template Node",
        GROUP,
        "Sends a mail.",
        Outcomes::Fixed(&[("EMAIL_SENT", "Email Sent"), ("EMAIL_NOT_SENT", "Email Not Sent")]),
        [],
        open: true
    ),
    node!(
        "SelectIdPNode",
        "Select Identity Provider",
        &["federation"],
        "Lets the user choose a provider.",
        Outcomes::Fixed(&[
            ("socialAuthentication", "Social Authentication"),
            ("localAuthentication", "Local Authentication"),
        ]),
        [],
        open: true
    ),
    node!(
        "SocialProviderHandlerNode",
        "Social Provider Handler Node",
        &["federation"],
        "Lets a social provider authenticate.",
        Outcomes::Fixed(&[("ACCOUNT_EXISTS", "Account exists"), ("NO_ACCOUNT", "No account exists")]),
        [],
        open: true
    ),
    node!(
        "SocialProviderHandlerNodeV2",
        "Social Provider Handler Node",
        &["federation"],
        "Lets a social provider authenticate, and tells when it did not.",
        Outcomes::Fixed(&[
            ("ACCOUNT_EXISTS", "Account exists"),
            ("NO_ACCOUNT", "No account exists"),
            ("SOCIAL_AUTH_INTERRUPTED", "Social auth interrupted"),
        ]),
        [],
        open: true
    ),
];
