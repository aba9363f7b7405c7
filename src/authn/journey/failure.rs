//! Why an authentication comes to nothing, and what the caller is told (authn-sessions-realms.md a.8).

use crate::{attempts::Stopped, consensus::Unavailable, crest, sessions::NotStarted};
use serde_json::{Map, Value};

/// Error codes of the reference that are ever answered, each with its text and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// There is no profile.
    ProfileRequired,
    /// The account is switched off.
    NotActive,
    /// No such service.
    NoConfiguration,
    /// A chain denies.
    Failed,
    /// The realm is switched off.
    OrgInactive,
    /// The journey has expired, or the step was submitted before.
    TimedOut,
    /// The account is locked.
    Locked,
    /// Too many sessions.
    SessionLimit,
    /// A session that cannot be made.
    NoSession,
    /// `authIndexType=level` without a number.
    InvalidLevel,
    /// Modules may not be asked for.
    ModulesNotAllowed,
    /// An upgrade by somebody else.
    OtherUser,
    /// No such module.
    NoModule,
    /// No such transaction, or not for this session, or not now (authorization.md §4.16).
    Transaction,
}

impl Code {
    /// Number, default text and status.
    pub const fn told(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::ProfileRequired => ("100", "User Requires Profile to Login", 401),
            Self::NotActive => ("104", "User not Active", 401),
            Self::NoConfiguration => ("105", "No Configuration found", 400),
            Self::Failed => ("107", "Authentication Failed", 401),
            Self::OrgInactive => ("109", "Org is inactive", 400),
            Self::TimedOut => ("110", "Session has timed out", 408),
            Self::Locked => ("112", "Your account has been locked.", 401),
            Self::SessionLimit => ("115", "You have reached your session limit.", 401),
            Self::NoSession => ("118", "Can not create new session.", 500),
            Self::InvalidLevel => ("119", "Invalid Auth Level.", 400),
            Self::ModulesNotAllowed => ("120", "Module Based Authentication is not allowed.", 401),
            Self::OtherUser => {
                ("124", "Session Upgrade fails since user is different than original authenticated user", 400)
            }
            Self::NoModule => ("126", "Authentication Module Not Found.", 404),
            Self::Transaction => ("128", "Unable to read transaction.", 401),
        }
    }
}

/// A failed authentication, as it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The status.
    pub status: u16,
    /// The text.
    pub message: String,
    /// What clients look at: `failureUrl`, `errorCode`, and what nodes add.
    pub detail: Map<String, Value>,
    /// Nothing was decided: this answer instead, whatever the version (G7).
    pub instead: Option<Box<crest::Error>>,
}

impl Failure {
    /// A status and a text.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), detail: Map::new(), instead: None }
    }

    /// 400 with a text.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// The one failure of trees: who it was and why is not told.
    pub fn login() -> Self {
        Self::new(401, "Login failure")
    }

    /// The text and the status of a code, without the code: where the reference shows none.
    pub fn plain(code: Code) -> Self {
        let (_, message, status) = code.told();
        Self::new(status, message)
    }

    /// The text, the status and the number of a code.
    pub fn coded(code: Code) -> Self {
        let mut failure = Self::plain(code);
        failure.detail.insert("errorCode".into(), code.told().0.into());
        failure
    }

    /// The journey is over; trees answer 401, chains 408.
    pub fn timed_out(chain: bool) -> Self {
        let failure = Self::coded(Code::TimedOut);
        if chain { failure } else { Self { status: 401, ..failure } }
    }

    /// With where to go.
    #[must_use]
    pub fn going_to(mut self, url: Option<String>) -> Self {
        self.detail.extend(url.map(|url| ("failureUrl".to_owned(), Value::from(url))));
        self
    }
}

impl From<Unavailable> for Failure {
    /// G7.
    fn from(unavailable: Unavailable) -> Self {
        let error = crest::Error::from(unavailable);
        Self { instead: Some(Box::new(error.clone())), ..Self::new(error.code(), error.message()) }
    }
}

impl From<Stopped> for Failure {
    /// a.8, code 121: during a pause whatever the password is, and when to come back.
    fn from(stopped: Stopped) -> Self {
        let error = crest::Error::from(stopped);
        Self { instead: Some(Box::new(error.clone())), ..Self::new(error.code(), error.message()) }
    }
}

impl From<NotStarted> for Failure {
    fn from(refused: NotStarted) -> Self {
        match refused {
            NotStarted::Quota => Self::coded(Code::SessionLimit),
            // a.10: an upgrade by another user is denied; the 400 of the table is the chains'.
            NotStarted::OtherSubject => Self { status: 401, ..Self::coded(Code::OtherUser) },
            NotStarted::Ended => Self::timed_out(false),
            NotStarted::TooLarge => Self::coded(Code::NoSession),
            NotStarted::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<crest::Error> for Failure {
    fn from(error: crest::Error) -> Self {
        Self::new(error.code(), error.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a.8, the rows of the table that are ever answered, in its order.
    #[test]
    fn codes_have_their_texts_and_statuses() {
        let rows = [
            (Code::ProfileRequired, "100", "User Requires Profile to Login", 401),
            (Code::NotActive, "104", "User not Active", 401),
            (Code::NoConfiguration, "105", "No Configuration found", 400),
            (Code::Failed, "107", "Authentication Failed", 401),
            (Code::OrgInactive, "109", "Org is inactive", 400),
            (Code::TimedOut, "110", "Session has timed out", 408),
            (Code::Locked, "112", "Your account has been locked.", 401),
            (Code::SessionLimit, "115", "You have reached your session limit.", 401),
            (Code::NoSession, "118", "Can not create new session.", 500),
            (Code::InvalidLevel, "119", "Invalid Auth Level.", 400),
            (Code::ModulesNotAllowed, "120", "Module Based Authentication is not allowed.", 401),
            (
                Code::OtherUser,
                "124",
                "Session Upgrade fails since user is different than original authenticated user",
                400,
            ),
            (Code::NoModule, "126", "Authentication Module Not Found.", 404),
            (Code::Transaction, "128", "Unable to read transaction.", 401),
        ];
        for (code, number, text, status) in rows {
            let failure = Failure::coded(code);
            assert_eq!((failure.status, failure.message.as_str()), (status, text));
            assert_eq!(failure.detail["errorCode"], number);
            assert!(Failure::plain(code).detail.is_empty());
        }
        assert_eq!((Failure::timed_out(true).status, Failure::timed_out(false).status), (408, 401));
        assert_eq!(Failure::from(NotStarted::OtherSubject).status, 401);
        let nowhere = Failure::login().going_to(None);
        assert!(nowhere.detail.is_empty());
    }
}
