//! Topic `authentication`: who tried to log in, and what came of it (f.6).
//!
//! Journeys tell what happened as [`Authentication`] values; [`Audit::authentication`](super::Audit::authentication) records
//! them. Names are what the caller typed; no password, callback value or token is in them.

use super::redact::{bounded, guarded};
use crate::crest::Object;
use serde_json::{Value, json};
use std::{net::IpAddr, sync::Arc};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A journey began.
    TreeStarted,
    /// A node of a journey was passed.
    NodeCompleted,
    /// A journey ended.
    TreeCompleted,
    /// A login ended, whatever decided it.
    LoginCompleted,
    /// A module of a chain decided.
    ModuleCompleted,
    /// Somebody logged out.
    Logout,
}

impl Happened {
    /// The event's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TreeStarted => "AM-TREE-LOGIN-STARTED",
            Self::NodeCompleted => "AM-NODE-LOGIN-COMPLETED",
            Self::TreeCompleted => "AM-TREE-LOGIN-COMPLETED",
            Self::LoginCompleted => "AM-LOGIN-COMPLETED",
            Self::ModuleCompleted => "AM-LOGIN-MODULE-COMPLETED",
            Self::Logout => "AM-LOGOUT",
        }
    }
}

/// Why a login failed, in the words of f.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// Any reason that is not told.
    LoginFailed,
    /// The password is wrong.
    InvalidPassword,
    /// There is no such service.
    NoConfig,
    /// The user has no profile.
    NoUserProfile,
    /// The user is inactive.
    UserInactive,
    /// The user is locked out.
    LockedOut,
    /// The account has expired.
    AccountExpired,
    /// The login took too long.
    LoginTimeout,
    /// Too many sessions.
    MaxSessionReached,
    /// There is no such realm.
    InvalidRealm,
    /// The realm is switched off.
    RealmInactive,
    /// There is no such user.
    UserNotFound,
    /// The session could not be made.
    SessionCreateError,
    /// The level that is asked for cannot be reached.
    InvalidLevel,
}

impl FailureReason {
    /// As events say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginFailed => "LOGIN_FAILED",
            Self::InvalidPassword => "INVALID_PASSWORD",
            Self::NoConfig => "NO_CONFIG",
            Self::NoUserProfile => "NO_USER_PROFILE",
            Self::UserInactive => "USER_INACTIVE",
            Self::LockedOut => "LOCKED_OUT",
            Self::AccountExpired => "ACCOUNT_EXPIRED",
            Self::LoginTimeout => "LOGIN_TIMEOUT",
            Self::MaxSessionReached => "MAX_SESSION_REACHED",
            Self::InvalidRealm => "INVALID_REALM",
            Self::RealmInactive => "REALM_INACTIVE",
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::SessionCreateError => "SESSION_CREATE_ERROR",
            Self::InvalidLevel => "INVALID_LEVEL",
        }
    }
}

/// How far a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Undecided.
    Underway,
    /// Decided: yes.
    Successful,
    /// Decided: no.
    Failed(FailureReason),
}

/// One event of a login. What does not apply is left empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// What happened.
    pub happened: Happened,
    /// How far the login is.
    pub progress: Progress,
    /// The realm.
    pub realm: Arc<str>,
    /// The name that was given, if one was.
    pub principal: Option<String>,
    /// Universal id, once somebody is known.
    pub user_id: Option<Arc<str>>,
    /// Tracking id of the session or the journey.
    pub tracking_id: Option<Arc<str>>,
    /// Whence.
    pub address: Option<IpAddr>,
    /// `info` of the entry: `treeName`, `nodeType`, `nodeId`, `nodeOutcome`, `displayName`, `authLevel`, `authIndex`, …
    pub info: Vec<(&'static str, String)>,
}

impl Authentication {
    /// The keys of this topic.
    pub(super) fn members(&self) -> Object {
        let mut members = Object::new();
        let mut info: Object =
            self.info.iter().map(|(name, value)| ((*name).to_owned(), json!(guarded(&bounded(value))))).collect();
        if let Some(address) = self.address {
            info.insert("ipAddress".into(), json!(address.to_canonical().to_string()));
        }
        match self.progress {
            Progress::Underway => {}
            Progress::Successful => drop(members.insert("result".into(), json!("SUCCESSFUL"))),
            Progress::Failed(reason) => {
                members.insert("result".into(), json!("FAILED"));
                info.insert("failureReason".into(), json!(reason.name()));
            }
        }
        let principal: Vec<Value> = self.principal.iter().map(|name| json!(guarded(&bounded(name)))).collect();
        members.insert("principal".into(), Value::Array(principal));
        members.insert("entries".into(), json!([{ "info": info }]));
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_says_who_whence_and_why_not() {
        let login = |progress| Authentication {
            happened: Happened::LoginCompleted,
            progress,
            realm: "/alpha".into(),
            principal: Some("demo".into()),
            user_id: None,
            tracking_id: None,
            address: "::ffff:10.0.0.1".parse().ok(),
            info: vec![("treeName", "Example".into())],
        };
        let info = |more: &str| {
            let mut info = json!({"treeName": "Example", "ipAddress": "10.0.0.1"});
            if !more.is_empty() {
                info["failureReason"] = json!(more);
            }
            json!([{ "info": info }])
        };
        for (progress, result, reason) in [
            (Progress::Underway, None, ""),
            (Progress::Successful, Some("SUCCESSFUL"), ""),
            (Progress::Failed(FailureReason::LockedOut), Some("FAILED"), "LOCKED_OUT"),
        ] {
            let members = login(progress).members();
            assert_eq!(members.get("result").and_then(Value::as_str), result);
            assert_eq!(members.get("principal"), Some(&json!(["demo"])));
            assert_eq!(members.get("entries"), Some(&info(reason)));
        }
    }
}
