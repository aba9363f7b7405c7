//! What a node is told when it starts. Checked once, in [`Settings::check`], and never looked up anywhere else.

use crate::tls::Security;
use quorate_raft::{Stamp, store::Peer};
use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// A clock: milliseconds since the Unix epoch. The leader's stamps entries (G6).
pub type Clock = Arc<dyn Fn() -> Stamp + Send + Sync>;
/// A source of unpredictable numbers.
pub type Random = Arc<dyn Fn() -> u128 + Send + Sync>;
/// When the next thing in the replicated state dies; the leader ticks then.
pub type NextDeath = Arc<dyn Fn() -> Option<Stamp> + Send + Sync>;

/// Everything that [`start`](crate::start) needs to know.
#[derive(Clone)]
pub struct Settings {
    /// This node: not 0, unlike every other node's, and never used again once its disk is lost.
    pub node_id: u64,
    /// Where the store lies.
    pub data_dir: PathBuf,
    /// The peer port. Port 0 picks a free one, see [`Node::peer_addr`](crate::Node::peer_addr).
    pub listen: SocketAddr,
    /// How other nodes and operators reach this one.
    pub me: Peer,
    /// Static bootstrap: peer addresses by id, the same list on every node. Ignored once the node belongs to a cluster.
    /// `None`: wait until a cluster adds this node.
    pub bootstrap: Option<BTreeMap<u64, String>>,
    /// How nodes know each other.
    pub security: Security,
    /// The host's clock.
    pub clock: Clock,
    /// The host's dice.
    pub random: Random,
    /// When the owners expect the next death.
    pub next_death: NextDeath,
    /// How long things may take.
    pub timing: Timing,
    /// How much there may be.
    pub limits: Limits,
}

/// How long things may take.
///
/// A silent leader is succeeded after `election_max` (its word has to run out) and then between `election_min` and
/// `election_max` (somebody has to stand): with the defaults 0.9 to 1.2 s after its last heartbeat. One whose process ended
/// is succeeded at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two heartbeats of the leader.
    pub heartbeat: Duration,
    /// Shortest wait of a follower, after the leader's word has run out, before it stands for election.
    pub election_min: Duration,
    /// Longest such wait; also how long the leader's word lasts.
    pub election_max: Duration,
    /// How long a proposal is retried.
    pub propose: Duration,
    /// How long a read waits for its barrier.
    pub read: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(100),
            election_min: Duration::from_millis(300),
            election_max: Duration::from_millis(600),
            propose: Duration::from_secs(5),
            read: Duration::from_secs(3),
        }
    }
}

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Proposals of this node that have no answer yet.
    pub in_flight: usize,
    /// Log bytes after which a snapshot is taken, unless the snapshot itself is larger.
    pub snapshot_after: u64,
    /// Entries that stay in the log although a snapshot holds them, for followers that lag a little.
    pub keep_entries: u64,
    /// Open connections on the peer port.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: 8192, snapshot_after: 64 << 20, keep_entries: 10_000, connections: 256 }
    }
}

/// A setting that cannot be right. The operator has to act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Ids start at 1.
    #[error("node id 0 is not an id")]
    NodeId,
    /// The static list names everybody, this node included.
    #[error("node {0} is missing from the list of cluster members")]
    NotListed(u64),
    /// The list says one address and the node another.
    #[error("node {id} is reached at {own}, but the list of cluster members says {listed}")]
    OtherAddress {
        /// This node.
        id: u64,
        /// What it says of itself.
        own: String,
        /// What the list says.
        listed: String,
    },
    /// Two members with one address.
    #[error("two cluster members share the address {0}")]
    SharedAddress(String),
    /// Followers would stand for election between two heartbeats.
    #[error(
        "the heartbeat must be at most a third of the shortest election timeout, and that shorter than the longest"
    )]
    Timing,
}

impl Settings {
    /// Settings with defaults for everything that has one.
    pub fn new(
        node_id: u64,
        data_dir: PathBuf,
        listen: SocketAddr,
        me: Peer,
        security: Security,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self {
            node_id,
            data_dir,
            listen,
            me,
            bootstrap: None,
            security,
            clock,
            random,
            next_death: Arc::new(|| None),
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }

    /// Finds settings that contradict each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.node_id == 0 {
            return Err(Invalid::NodeId);
        }
        if let Some(list) = &self.bootstrap {
            if list.contains_key(&0) {
                return Err(Invalid::NodeId);
            }
            let listed = list.get(&self.node_id).ok_or(Invalid::NotListed(self.node_id))?;
            if *listed != self.me.addr {
                let (own, listed) = (self.me.addr.clone(), listed.clone());
                return Err(Invalid::OtherAddress { id: self.node_id, own, listed });
            }
            let mut seen = std::collections::BTreeSet::new();
            if let Some(twice) = list.values().find(|addr| !seen.insert(*addr)) {
                return Err(Invalid::SharedAddress(twice.clone()));
            }
        }
        let Timing { heartbeat, election_min, election_max, .. } = self.timing;
        if heartbeat.as_millis() == 0 || heartbeat * 3 > election_min || election_min >= election_max {
            return Err(Invalid::Timing);
        }
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("node_id", &self.node_id)
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("me", &self.me)
            .field("bootstrap", &self.bootstrap)
            .field("security", &self.security)
            .field("timing", &self.timing)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
