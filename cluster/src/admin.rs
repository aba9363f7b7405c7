//! What an operator can ask of a cluster, and the client that asks.

use crate::{
    health::Health,
    membership::PATIENCE,
    peers::{CallError, Connection},
    tls::{Security, SecurityError, Transport},
    types::ClusterId,
    wire::{self, Hello, Purpose, Request},
};
use quorate_raft::store::Peer;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An operation on the cluster. Any node takes it. Order is the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// How is the node that is asked?
    Status,
    /// Let a node join, as a learner.
    Add {
        /// An id that was never used before.
        id: u64,
        /// Where the node is.
        peer: Peer,
    },
    /// Let a learner count.
    Promote {
        /// Which.
        id: u64,
    },
    /// Let a node go.
    Remove {
        /// Which.
        id: u64,
    },
    /// Let another voter lead.
    TransferLeader {
        /// Which; the one that lacks least if not said.
        to: Option<u64>,
    },
    /// A member's addresses are these. Nodes do this by themselves when they start.
    Announce {
        /// Which.
        id: u64,
        /// Where it is.
        peer: Peer,
    },
}

/// What came of an operation. Order is the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// To [`Operation::Status`].
    Status(Status),
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its cluster, if it belongs to one yet.
    pub cluster: Option<ClusterId>,
    /// Its health.
    pub health: Health,
}

/// Why an operation was not done. Order is the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AdminError {
    /// No leader took it; nothing was changed. The operator may try again.
    #[error("no leader took the operation")]
    NotLeader(Option<u64>),
    /// It makes no sense as things are; nothing was changed. The operator has to ask for something else.
    #[error("{0}")]
    Refused(String),
    /// It may have happened: look at the status.
    #[error("the outcome is not known")]
    Unknown,
    /// The node could not be asked.
    #[error("the node cannot be reached: {0}")]
    Unreachable(String),
}

impl AdminError {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

impl From<SecurityError> for AdminError {
    fn from(error: SecurityError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl From<CallError> for AdminError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent(e) => Self::Unreachable(e.to_string()),
            CallError::Lost | CallError::Late => Self::Unknown,
        }
    }
}

/// An operator's connection to one node.
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects to the peer port at `addr` (`HOST:PORT`).
    ///
    /// # Errors
    /// [`AdminError::Unreachable`], with the reason in words.
    pub async fn connect(addr: &str, security: &Security) -> Result<Self, AdminError> {
        let hello = Hello { cluster: None, from: None, to: None, purpose: Purpose::Operator };
        let transport = Transport::open(security)?;
        let opened = Connection::open(&transport, addr, hello).await;
        let (connection, _) = opened.map_err(|e| AdminError::Unreachable(e.to_string()))?;
        Ok(Self { connection })
    }

    /// Asks for `operation`.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn ask(&self, operation: Operation) -> Result<Answer, AdminError> {
        match self.call(&Request::Admin(operation), PATIENCE + PATIENCE / 4).await? {
            wire::Answer::Admin(answer) => answer,
            wire::Answer::Refused(why) => Err(AdminError::refused(why.to_string())),
            _ => Err(AdminError::Unknown),
        }
    }

    /// One request of any kind.
    pub(crate) async fn call(&self, request: &Request, patience: Duration) -> Result<wire::Answer, AdminError> {
        Ok(self.connection.call(request, patience).await?)
    }

    async fn done(&self, operation: Operation) -> Result<(), AdminError> {
        match self.ask(operation).await? {
            Answer::Done => Ok(()),
            Answer::Status(_) => Err(AdminError::Unknown),
        }
    }

    /// How the node is.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn status(&self) -> Result<Status, AdminError> {
        match self.ask(Operation::Status).await? {
            Answer::Status(status) => Ok(status),
            Answer::Done => Err(AdminError::Unknown),
        }
    }

    /// Lets a node join, as a learner.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn add(&self, id: u64, peer: Peer) -> Result<(), AdminError> {
        self.done(Operation::Add { id, peer }).await
    }

    /// Lets a learner count.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn promote(&self, id: u64) -> Result<(), AdminError> {
        self.done(Operation::Promote { id }).await
    }

    /// Lets a node go.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn remove(&self, id: u64) -> Result<(), AdminError> {
        self.done(Operation::Remove { id }).await
    }

    /// Lets another voter lead.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn transfer_leader(&self, to: Option<u64>) -> Result<(), AdminError> {
        self.done(Operation::TransferLeader { to }).await
    }
}
