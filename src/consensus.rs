//! What the HTTP layers need of the cluster, as a seam: the node in production, a cluster of one without disk in tests.

use futures_util::future::BoxFuture;
use quorate_raft::{Command, Outcome};

/// Why there is no answer. Business refusals are not here: they are outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Turned away before anything left this process; it can never commit.
    #[error("too many requests in flight")]
    Overloaded,
    /// Larger than an entry may be; it was not proposed and never will be.
    #[error("request too large")]
    TooLarge,
    /// No majority answers; nothing was decided, and nothing was sent.
    #[error("no quorum")]
    NoQuorum,
    /// Sent, and nothing came back in time. It may still commit.
    #[error("outcome unknown")]
    Unknown,
}

impl Unavailable {
    /// Seconds after which trying again makes sense: `Retry-After`.
    pub const fn retry_after(self) -> u32 {
        match self {
            Self::Overloaded | Self::TooLarge | Self::NoQuorum | Self::Unknown => 1,
        }
    }
}

/// Decides, in one order for all nodes.
pub trait Consensus: Send + Sync + 'static {
    /// Puts a command to the log and waits for what came of it, here and on a majority.
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Outcome, Unavailable>>;

    /// Waits until this node's views show everything that was acknowledged before the call (G2).
    fn barrier(&self) -> BoxFuture<'_, Result<(), Unavailable>>;
}
