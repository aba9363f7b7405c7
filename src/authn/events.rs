//! What happens while somebody authenticates, told in one place: to the log, and to the audit topic `authentication`.
//!
//! | event                 | audited as (f.6)                                                          |
//! |-----------------------|---------------------------------------------------------------------------|
//! | `Node` of a tree      | `AM-NODE-LOGIN-COMPLETED`                                                 |
//! | `Node` of a chain     | `AM-LOGIN-MODULE-COMPLETED`                                               |
//! | `Succeeded`, `Failed` | `AM-LOGIN-COMPLETED` with `result`, and why not                           |
//! | `Fault`, `Locked`     | not: the first is for operators, the second shows in the user's document  |
//!
//! No event carries a password, a token or what a callback was answered with.

use crate::{
    audit::{
        authentication::{Authentication, FailureReason, Happened, Progress},
        context,
    },
    desk::Desk,
};
use quorate_raft::RealmPath;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationEvent<'e> {
    /// A node of a tree, or a module of a chain, came to an outcome.
    Node {
        /// The tree or chain.
        service: &'e str,
        /// Type of the node.
        node_type: &'e str,
        /// Its id in the tree.
        node: &'e str,
        /// What came of it.
        outcome: &'e str,
        /// Whom it is about, as far as that is known.
        principal: Option<&'e str>,
    },
    /// A node could not do its work.
    Fault {
        /// The tree or chain.
        service: &'e str,
        /// Its id in the tree.
        node: &'e str,
        /// For the operator.
        cause: &'e str,
    },
    /// The authentication succeeded.
    Succeeded {
        /// The tree or chain.
        service: &'e str,
        /// The universal id of whoever it is.
        principal: &'e str,
        /// Whether a session was started.
        session: bool,
    },
    /// The authentication failed.
    Failed {
        /// The tree or chain.
        service: &'e str,
        /// Whom it was about, as far as that is known.
        principal: Option<&'e str>,
        /// What the caller was told.
        message: &'e str,
    },
    /// An account was locked after too many failures.
    Locked {
        /// The universal id of the account.
        principal: &'e str,
    },
}

/// Tells an event.
pub fn record(desk: &Desk, realm: &RealmPath, event: AuthenticationEvent<'_>) {
    use AuthenticationEvent::{Failed, Fault, Locked, Node, Succeeded};
    if let Some(event) = audited(realm, event) {
        desk.audit().authentication(event);
    }
    let realm = realm.as_str();
    match event {
        Node { service, node_type, node, outcome, principal } => {
            tracing::debug!(realm, service, node_type, node, outcome, principal, "a node came to an outcome");
        }
        Fault { service, node, cause } => {
            tracing::warn!(realm, service, node, cause, "a node of a journey cannot do its work");
        }
        Succeeded { service, principal, session } => {
            tracing::info!(realm, service, principal, session, "authentication succeeded");
        }
        Failed { service, principal, message } => {
            tracing::info!(realm, service, principal, message, "authentication failed");
        }
        Locked { principal } => tracing::warn!(realm, principal, "an account was locked after too many failures"),
    }
}

/// The event as it is audited, if it is.
fn audited(realm: &RealmPath, event: AuthenticationEvent<'_>) -> Option<Authentication> {
    use AuthenticationEvent::{Failed, Fault, Locked, Node, Succeeded};
    let (happened, progress, service, principal) = match event {
        Node { service, node_type, principal, .. } => {
            // Types of nodes are called so; types of modules are not.
            let of_tree = node_type.ends_with("Node");
            let happened = if of_tree { Happened::NodeCompleted } else { Happened::ModuleCompleted };
            (happened, Progress::Underway, service, principal)
        }
        Succeeded { service, principal, .. } => {
            (Happened::LoginCompleted, Progress::Successful, service, Some(named(principal)))
        }
        Failed { service, principal, message } => {
            (Happened::LoginCompleted, Progress::Failed(reason(message)), service, principal)
        }
        Fault { .. } | Locked { .. } => return None,
    };
    let mut info = vec![("treeName", service.to_owned())];
    if let Node { node_type, node, outcome, .. } = event {
        let about = [("nodeType", node_type), ("nodeId", node), ("nodeOutcome", outcome)];
        info.extend(about.map(|(name, value)| (name, value.to_owned())));
    }
    Some(Authentication {
        happened,
        progress,
        realm: realm.as_str().into(),
        principal: principal.map(str::to_owned),
        user_id: if let Succeeded { principal, .. } = event { Some(principal.into()) } else { None },
        tracking_id: None,
        address: context::current().and_then(|context| Some(context.address()?.ip())),
        info,
    })
}

/// The name in a universal id.
fn named(universal_id: &str) -> &str {
    universal_id.strip_prefix("id=").and_then(|rest| rest.split_once(",ou=")).map_or(universal_id, |(name, _)| name)
}

/// Why, as far as the caller was told.
fn reason(message: &str) -> FailureReason {
    let says = |word: &str| message.to_ascii_lowercase().contains(word);
    match () {
        () if says("lock") => FailureReason::LockedOut,
        () if says("not active") || says("inactive") => FailureReason::UserInactive,
        () if says("timed out") => FailureReason::LoginTimeout,
        () if says("session limit") => FailureReason::MaxSessionReached,
        () => FailureReason::LoginFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_audited_without_secrets() {
        let realm = RealmPath::from("/alpha");
        let of = |event| audited(&realm, event);
        let node = |node_type| AuthenticationEvent::Node {
            service: "Login",
            node_type,
            node: "n",
            outcome: "true",
            principal: None,
        };
        assert_eq!(of(node("DataStoreDecisionNode")).map(|event| event.happened), Some(Happened::NodeCompleted));
        assert_eq!(of(node("DataStore")).map(|event| event.happened), Some(Happened::ModuleCompleted));
        let principal = "id=demo,ou=user,o=alpha,ou=services,ou=am-config";
        let event = of(AuthenticationEvent::Succeeded { service: "Login", principal, session: true }).expect("audited");
        assert_eq!((event.principal.as_deref(), event.user_id.as_deref()), (Some("demo"), Some(principal)));
        assert_eq!(event.progress, Progress::Successful);
        for (message, expected) in [
            ("Login failure", FailureReason::LoginFailed),
            ("User Account Locked", FailureReason::LockedOut),
            ("User is not active", FailureReason::UserInactive),
            ("Session has timed out", FailureReason::LoginTimeout),
        ] {
            let event = of(AuthenticationEvent::Failed { service: "Login", principal: Some("x"), message });
            assert_eq!(event.map(|event| event.progress), Some(Progress::Failed(expected)), "{message}");
        }
        assert_eq!(of(AuthenticationEvent::Locked { principal }), None);
    }
}
