//! openraft's generic names, made ours once.

use openraft::type_config::alias;
use quorate_raft::store::Machine;
pub use quorate_raft::store::{LogId, SnapshotMeta, TypeConfig, Vote};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The raft handle of a node.
pub type Raft<O> = openraft::Raft<TypeConfig, Machine<O>>;
/// What openraft reports of a node.
pub type Metrics = openraft::RaftMetrics<TypeConfig>;
/// One log entry.
pub type Entry = alias::EntryOf<TypeConfig>;
/// Entries for a follower.
pub type AppendRequest = openraft::raft::AppendEntriesRequest<TypeConfig>;
/// What became of them.
pub type AppendResponse = openraft::raft::AppendEntriesResponse<TypeConfig>;
/// A candidate's question.
pub type VoteRequest = openraft::raft::VoteRequest<TypeConfig>;
/// Its answer.
pub type VoteResponse = openraft::raft::VoteResponse<TypeConfig>;
/// A leader names its successor.
pub type TransferRequest = openraft::raft::TransferLeaderRequest<TypeConfig>;
/// What the successor says.
pub type TransferResponse = openraft::raft::TransferLeaderResponse<TypeConfig>;

/// Names a cluster, so that a node of another one is turned away. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub u128);

impl ClusterId {
    /// The id of the cluster that is bootstrapped with `members`: every node computes the same one from the same list,
    /// so it does not matter which of them starts first (FNV-1a, 128 bits).
    pub fn of<'a>(members: impl IntoIterator<Item = (u64, &'a str)>) -> Self {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let mut hash = BASIS;
        let mut eat = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
            }
        };
        for (id, addr) in members {
            eat(&id.to_le_bytes());
            eat(&(addr.len() as u64).to_le_bytes());
            eat(addr.as_bytes());
        }
        Self(hash)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
