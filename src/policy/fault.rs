//! Why a policy could not be decided. Not "not satisfied": under `NOT` that would grant (§6.4).

/// The policy contributes nothing, and the caller logs this; a strict caller refuses the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A number, boolean, object, or an array that is not all strings (§3.4).
    #[error("claim '{0}' is neither a string nor an array of strings")]
    ClaimNotText(String),
    /// §3.7; class names are kept, never loaded.
    #[error("subject of legacy type 'Policy' cannot be evaluated")]
    LegacySubject,
    /// §4.17; class names are kept, never loaded.
    #[error("condition of legacy type 'Policy' cannot be evaluated")]
    LegacyCondition,
    /// §6.4: a `User` response attribute was promised.
    #[error("user attributes were promised, but no user profile is known")]
    NoProfile,
    /// §4.0: the condition looks at the session, and the subject has none.
    #[error("condition {0} needs a session")]
    NoSession(&'static str),
    /// A value of the request's environment that its condition cannot read.
    #[error("environment value '{value}' of '{key}' cannot be read")]
    Environment { key: &'static str, value: String },
    /// §4.13: the time zone is not in this host's database.
    #[error("time zone '{0}' is not known")]
    TimeZone(String),
    /// An instant outside of what calendars can say.
    #[error("the time of the request is outside of the calendar")]
    Time,
    /// §4.10, in the words of the reference.
    #[error("Script condition is unable to load script {0}.")]
    ScriptNotLoaded(String),
    /// §7.4: it threw, took too long, or answered nonsense.
    #[error("Condition evaluation fails.")]
    ScriptFailed(String),
    /// Whatever a condition asks is not available here.
    #[error("{0} is not supported here")]
    Unsupported(&'static str),
    /// The service asked could not answer now.
    #[error("{0}")]
    Unavailable(String),
    /// A stored resource that its set's comparator cannot read any more.
    #[error("resource '{0}' cannot be read")]
    Resource(String),
}
