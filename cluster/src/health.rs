//! Whether this node can do its work, told truthfully.
//!
//! *Live* means that a restart would not help: the raft core runs and the store has not failed. *Ready* means that a
//! request sent here now has a good chance: this node is caught up, and heard from a leader, or as leader from a quorum,
//! within the time that a leader's word lasts. A node that was frozen is not ready when it wakes, because the moment it
//! heard from the leader is compared with the clock when somebody asks, not remembered as a verdict.

use crate::{Shared, types::Metrics};
use openraft::{Instant as _, ServerState, async_runtime::watch::WatchReceiver};
use quorate_raft::{Owners, store::Peer};
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How often [`Node::watch_health`](crate::Node::watch_health) looks.
const LOOK: Duration = Duration::from_millis(100);

/// What a node says of itself. Fields are the format: it travels in [`Status`](crate::admin::Status).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// A restart would not help.
    pub live: bool,
    /// Requests may be sent here.
    pub ready: bool,
    /// Why they may not.
    pub reason: Option<Reason>,
    /// This node.
    pub id: u64,
    /// Who leads, as far as this node knows.
    pub leader: Option<u64>,
    /// The election that this node has seen last.
    pub term: u64,
    /// Last entry in this node's log.
    pub last_log: u64,
    /// Last entry known to be committed by the cluster.
    pub committed: u64,
    /// Last entry applied here.
    pub applied: u64,
    /// Entries known to be committed and not applied here yet.
    pub lag: u64,
    /// Last entry that this node's snapshot holds.
    pub snapshot: u64,
    /// Last entry that is gone from this node's log, because a snapshot holds it.
    pub purged: u64,
    /// Everybody, by id.
    pub members: Vec<Member>,
}

impl Health {
    /// Before the first look.
    pub(crate) const fn unknown(id: u64) -> Self {
        Self {
            live: true,
            ready: false,
            reason: Some(Reason::Starting),
            id,
            leader: None,
            term: 0,
            last_log: 0,
            committed: 0,
            applied: 0,
            lag: 0,
            snapshot: 0,
            purged: 0,
            members: Vec::new(),
        }
    }
}

/// Why a node is not ready. Order is the format: it travels in [`Status`](crate::admin::Status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The store or the raft core failed; the process has to be restarted.
    Failed,
    /// The node is going away.
    ShuttingDown,
    /// The node has not caught up since it started.
    Starting,
    /// No leader was heard lately.
    NoLeader,
    /// This node leads and a quorum was not heard lately.
    NoQuorum,
}

impl Reason {
    /// A few words for people, and for labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::ShuttingDown => "shutting down",
            Self::Starting => "starting",
            Self::NoLeader => "no leader",
            Self::NoQuorum => "no quorum",
        }
    }
}

/// One node of the cluster, as this node knows it. Fields are the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Whether it counts.
    pub role: Role,
    /// Where it is.
    pub peer: Peer,
    /// Last entry that it is known to have; only the leader knows.
    pub matched: Option<u64>,
}

/// Whether a member counts for a quorum. Order is the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It votes and counts.
    Voter,
    /// It follows and does not count.
    Learner,
}

/// What a node notices about itself between two looks.
pub(crate) struct Pulse {
    began: Instant,
    /// Milliseconds after `began` at which a leader was heard, plus one; 0: never.
    heard: AtomicU64,
    recovered: AtomicBool,
    leaving: AtomicBool,
    fresh: Duration,
}

impl Pulse {
    /// Nothing noticed yet. What was heard counts for `fresh`.
    pub fn new(fresh: Duration) -> Self {
        let (heard, recovered, leaving) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(false));
        Self { began: Instant::now(), heard, recovered, leaving, fresh }
    }

    /// A leader was heard just now.
    pub fn hear(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.heard.store(now + 1, Ordering::Relaxed);
    }

    fn heard_lately(&self) -> bool {
        match self.heard.load(Ordering::Relaxed) {
            0 => false,
            at => self.began.elapsed().saturating_sub(Duration::from_millis(at - 1)) < self.fresh,
        }
    }

    /// The node has caught up.
    pub fn recover(&self) {
        self.recovered.store(true, Ordering::Relaxed);
    }

    /// The node is going away; whether that is news.
    pub fn leave(&self) -> bool {
        !self.leaving.swap(true, Ordering::Relaxed)
    }
}

impl<O: Owners> Shared<O> {
    /// How this node is, now.
    pub fn health(&self) -> Health {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let reason = self.reason(&metrics);
        let applied = self.applied.borrow().index().unwrap_or(0);
        let committed = metrics.cluster_committed.as_ref().map_or(0, |id| id.index).max(applied);
        Health {
            live: reason != Some(Reason::Failed),
            ready: reason.is_none(),
            reason,
            id: self.settings.node_id,
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log: metrics.last_log_index.unwrap_or(0),
            committed,
            applied,
            lag: committed - applied,
            snapshot: metrics.snapshot.as_ref().map_or(0, |id| id.index),
            purged: metrics.purged.as_ref().map_or(0, |id| id.index),
            members: members(&metrics),
        }
    }

    /// Everybody in the cluster, by id.
    pub fn members(&self) -> Vec<Member> {
        members(&self.raft.metrics().borrow_watched())
    }

    fn reason(&self, metrics: &Metrics) -> Option<Reason> {
        if self.failed.borrow().is_some() {
            return Some(Reason::Failed);
        }
        if self.pulse.leaving.load(Ordering::Relaxed) {
            return Some(Reason::ShuttingDown);
        }
        if metrics.state == ServerState::Leader {
            let alone = metrics.membership_config.membership().voter_ids().eq([self.settings.node_id]);
            let heard = metrics.last_quorum_acked.as_ref().is_some_and(|at| at.elapsed() < self.pulse.fresh);
            if !alone && !heard {
                return Some(Reason::NoQuorum);
            }
        } else if metrics.current_leader.is_none() || !self.pulse.heard_lately() {
            return Some(Reason::NoLeader);
        }
        (!self.pulse.recovered.load(Ordering::Relaxed)).then_some(Reason::Starting)
    }
}

/// Everybody in the effective membership.
pub(crate) fn members(metrics: &Metrics) -> Vec<Member> {
    let membership = metrics.membership_config.membership();
    let voters: std::collections::BTreeSet<u64> = membership.voter_ids().collect();
    let matched = |id: &u64| metrics.replication.as_ref()?.get(id)?.as_ref().map(|log_id| log_id.index);
    let mut members: Vec<Member> = membership
        .nodes()
        .map(|(id, peer)| Member {
            id: *id,
            role: if voters.contains(id) { Role::Voter } else { Role::Learner },
            peer: peer.clone(),
            matched: matched(id),
        })
        .collect();
    members.sort_by_key(|member| member.id);
    members
}

/// Publishes changes of health.
pub(crate) async fn run<O: Owners>(shared: Arc<Shared<O>>, health: watch::Sender<Health>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let now = shared.health();
        health.send_if_modified(|before| {
            let news = *before != now;
            *before = now;
            news
        });
    }
}

/// Waits until everything that was acknowledged before this node started is applied here.
pub(crate) async fn recover<O: Owners>(shared: Arc<Shared<O>>) {
    while shared.read_barrier().await.is_err() {
        if shared.stop.is_cancelled() {
            return;
        }
    }
    shared.pulse.recover();
    tracing::info!(node = shared.settings.node_id, "caught up");
}
