//! What a refused policy request is told: status and text of the reference, each in one place.
//!
//! | reference                                   | here                                       |
//! |---------------------------------------------|--------------------------------------------|
//! | §2.2.4 resource types                       | `ResourceType…`, [`Error::Binder`]         |
//! | §2.3.5 policy sets                          | `PolicySet…`, [`Error::ApplicationType`]   |
//! | §2.4.8 policies                             | `Policy…`, [`Error::Json`]                 |
//! | §2.10.3 subjects and conditions             | `Property…` and their neighbours           |
//! | §2.6.4 evaluate                             | [`Error::InvalidValue`] and the last group |
//! | "404s raised while creating are a 400" §2.4.8 | [`Error::while_creating`]                |

/// A refusal of the policy service. `Display` is the message on the wire, [`Error::status`] its HTTP status.
///
/// The variants about what is stored (exists, is missing, is in use) are for whoever owns the store;
/// this library decides the others itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // Bodies.
    #[error("Invalid value {0}")]
    InvalidValue(String),
    #[error("Invalid value {value} for property {property}")]
    InvalidProperty { value: String, property: &'static str },
    #[error("JSON string is invalid. {0}.")]
    Json(String),
    #[error("Unable to instantiate class {0}.")]
    Binder(String),
    #[error("Property value '{0}' should be defined.")]
    PropertyMissing(&'static str),
    #[error("Property value '{0}' contains a blank value.")]
    PropertyBlank(&'static str),
    #[error("Should define value for {missing}, since value is defined for {present}")]
    PropertyUnpaired { missing: &'static str, present: &'static str },
    #[error("At least one of the properties Start Date, Start Time, Start Day should be defined with non null value.")]
    TimeMissing,
    #[error("Start date, {start} cannot be greater than end date, {end}")]
    DatesReversed { start: String, end: String },
    #[error("Start IP can not be larger than end IP.")]
    AddressesReversed,
    #[error("ipRange, dnsName, or startIp-endIp pair MUST be defined.")]
    AddressMissing,
    #[error("Invalid OAuth2 Scope '{0}': See RFC 6749 section 3.3 for allowed values.")]
    InvalidScope(String),
    #[error("Invalid Entitlement Subject classes in Application Privilege.")]
    LogicalSubjectEmpty,

    // Policies.
    #[error("Privilege name is missing.")]
    PolicyNameMissing,
    #[error("Policy name cannot be empty.")]
    PolicyNameEmpty,
    #[error("Policy name specified in URL does not match policy name specified in JSON.")]
    PolicyNameMismatch,
    #[error("Invalid Policy Name")]
    PolicyNameInvalid,
    #[error("No resource type expected as the application has none associated.")]
    PolicyResourceTypeUnexpected,
    #[error("Invalid resource type {0}, must be one from the set defined against the containing application.")]
    PolicyResourceTypeForeign(String),
    #[error("Policy already exists")]
    PolicyExists,
    #[error("Policy {0} does not exist.")]
    PolicyUnknown(String),

    // Resource types.
    #[error("Resource Type name must be specified.")]
    ResourceTypeNameMissing,
    #[error("Resource Type UUID specified in URL does not match UUID specified in JSON.")]
    ResourceTypeUuidMismatch,
    /// Names the uuid or the name, whichever is taken.
    #[error("Resource Type {0} already exists")]
    ResourceTypeExists(String),
    #[error("Resource Type {uuid} does not exist in realm {realm}")]
    ResourceTypeUnknown { uuid: String, realm: String },
    #[error("Unable to remove resource type {0} because it is referenced in the policy model.")]
    ResourceTypeInUse(String),

    // Policy sets.
    #[error("Invalid application type defined in request.")]
    ApplicationType,
    #[error("Application name must be specified.")]
    PolicySetNameMissing,
    #[error("Application name specified in URL does not match application name specified in JSON.")]
    PolicySetNameMismatch,
    #[error("Invalid Policy Set Id")]
    PolicySetNameInvalid,
    #[error("Invalid resource type {0}.")]
    PolicySetResourceType(String),
    #[error("Application already exists")]
    PolicySetExists,
    /// Read of a set, write of a policy into it, or evaluation against it.
    #[error("Unable to retrieve application under realm {realm}.")]
    PolicySetUnknown { realm: String },
    #[error("{0} application not found in realm.")]
    PolicySetUnknownOnDelete(String),
    #[error("{0} not found.")]
    PolicySetUnknownOnUpdate(String),
    #[error(
        "Application cannot be altered because policies exist within the Application. \
         Remove all policies from the Application before attempting to delete the Application."
    )]
    PolicySetNotEmpty,

    // Resources of an evaluation.
    /// Also the reference's answer, placeholder and all, to an http URL whose path mixes wildcards.
    #[error("Invalid port {0}")]
    InvalidPort(String),
    #[error("Same rule cannot have both types of wildcards.")]
    MixedWildcards,
    /// More work than an evaluation may cause.
    #[error("More than {0} policy resources concern the resource")]
    TreeTooLarge(usize),
    #[error("The request causes too much work: ask for less at once")]
    TooMuchWork,
    /// Of a caller that wants no decision when a policy cannot be evaluated (§6.4). Which one and why is for the log.
    #[error("Internal error.")]
    PolicyFaulty,

    /// See [`Error::while_creating`].
    #[error("{0}")]
    WhileCreating(Box<Error>),
}

impl Error {
    /// HTTP status (§2.10.1).
    pub fn status(&self) -> u16 {
        use Error::*;
        match self {
            InvalidValue(_)
            | InvalidProperty { .. }
            | Json(_)
            | Binder(_)
            | PropertyMissing(_)
            | PropertyBlank(_)
            | PropertyUnpaired { .. }
            | TimeMissing
            | DatesReversed { .. }
            | AddressesReversed
            | AddressMissing
            | InvalidScope(_)
            | LogicalSubjectEmpty
            | TreeTooLarge(_)
            | TooMuchWork
            | PolicyNameMissing
            | PolicyNameEmpty
            | PolicyNameMismatch
            | PolicyNameInvalid
            | PolicyResourceTypeUnexpected
            | PolicyResourceTypeForeign(_)
            | ResourceTypeNameMissing
            | ResourceTypeUuidMismatch
            | ApplicationType
            | PolicySetNameMissing
            | PolicySetNameMismatch
            | PolicySetNameInvalid
            | PolicySetResourceType(_)
            | InvalidPort(_)
            | MixedWildcards
            | WhileCreating(_) => 400,
            PolicyUnknown(_)
            | ResourceTypeUnknown { .. }
            | PolicySetUnknown { .. }
            | PolicySetUnknownOnDelete(_)
            | PolicySetUnknownOnUpdate(_) => 404,
            PolicyFaulty => 500,
            PolicyExists | ResourceTypeExists(_) | ResourceTypeInUse(_) | PolicySetExists | PolicySetNotEmpty => 409,
        }
    }

    /// The message on the wire.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// Creating a policy in a set that does not exist is a bad request, not a missing policy:
    /// a 404 becomes a 400 with the same text, anything else stays (§2.4.8).
    pub fn while_creating(self) -> Self {
        if self.status() == 404 { Self::WhileCreating(Box::new(self)) } else { self }
    }

    /// `Invalid value {what}`, for what may come from outside.
    pub(crate) fn invalid_value(what: &str) -> Self {
        Self::InvalidValue(excerpt(what))
    }

    pub(crate) fn invalid_property(value: &str, property: &'static str) -> Self {
        Self::InvalidProperty { value: excerpt(value), property }
    }

    /// `JSON string is invalid. {detail}.`
    pub(crate) fn json(detail: impl Into<String>) -> Self {
        Self::Json(detail.into())
    }
}

/// Longest piece of a request that an error repeats, in characters.
const EXCERPT: usize = 1024;

/// What an error repeats of a request: all of it, unless somebody is trying to have megabytes echoed.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_set_is_404_except_while_creating() {
        let missing = Error::PolicySetUnknown { realm: "/alpha".into() };
        assert_eq!(missing.status(), 404);
        let creating = missing.clone().while_creating();
        assert_eq!((creating.status(), creating.message()), (400, missing.message()));
        assert_eq!(Error::PolicyExists.while_creating(), Error::PolicyExists);
    }

    #[test]
    fn an_error_does_not_echo_megabytes() {
        let message = Error::invalid_value(&"ä".repeat(1 << 20)).message();
        assert_eq!(message.chars().count(), "Invalid value ".len() + EXCERPT);
    }
}
