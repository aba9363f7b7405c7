//! What happens while somebody authenticates, told in one place: to the log now, to the audit trail once it listens here.
//!
//! No event carries a password, a token or what a callback was answered with.

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
pub fn record(realm: &RealmPath, event: AuthenticationEvent<'_>) {
    use AuthenticationEvent::{Failed, Fault, Locked, Node, Succeeded};
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
