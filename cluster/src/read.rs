//! Linearizable reads: a barrier that ends once this node has applied everything acknowledged before the barrier began.
//!
//! A round asks the leader for its *read index* (the end of what it knows committed, at least its own first entry), after
//! which the leader proves to itself by a heartbeat round to a quorum, **begun after the question came**, that nobody else
//! led at that time. The round ends here when that index is applied. Everybody who was waiting when a round began shares
//! it; whoever comes later waits for the next one, because the running one may have taken its index before an
//! acknowledgement that the newcomer has already seen.
//!
//! # Why no lease
//! A leader could answer without asking anybody while its lease lasts. The lease is only as good as the clocks and the
//! memories of those who granted it, and both fail in ordinary life:
//! - a virtual machine that is frozen and resumed (live migration, a suspended laptop) may see no time pass; its lease
//!   looks fresh while another leader has long been elected. (After `SIGSTOP` alone a check made later fails rightly:
//!   the monotonic clock kept running. A check made just before the pause is also harmless, because the read then *began*
//!   before the pause. It is the frozen clock that is deadly.)
//! - a follower that granted the lease and restarted has forgotten it, and may help to elect another leader at once.
//!
//! Either would show a revoked token as active (G3). A shared round costs one exchange of small messages for all reads
//! that wait, which is less than what the rest of a request costs; so there is no lease read anywhere.
//!
//! # Alone
//! A leader that is the only voter, in the membership that is in force and in every change to it that has begun, asks
//! nobody, for there is nobody to ask: no other node can be elected or commit anything before it votes itself out, which
//! takes two rounds through this node's log. What was acknowledged, was applied here first; what a former run of this node
//! acknowledged, is applied once an entry of its present term is. Then the barrier has passed already.
//!
//! A pause *during* a round is harmless: every heartbeat that counts was acknowledged after the index was taken, by a
//! follower that had not promised itself to a later leader. At that moment no later leader had committed anything, and the
//! read may be ordered there, however late the acknowledgement is noticed.

use crate::{
    Shared,
    peers::{CallError, lock},
    wire::{Answer, Request},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use openraft::{
    ReadPolicy, ServerState,
    async_runtime::watch::WatchReceiver,
    errors::{LinearizableReadError, RaftError},
    raft::linearizable_read::LinearizerOption,
};
use quorate_raft::Owners;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

/// Rounds on their way at once.
const ROUNDS: usize = 2;

/// How long one try may take: to learn the index, and to apply up to it.
const ASK: Duration = Duration::from_millis(400);
const APPLY: Duration = Duration::from_secs(1);

/// Pause before a round is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a read cannot be linearizable now. The caller may come again later; it must not answer from what it has (G7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader with a quorum answered in time.
    #[error("the cluster has no quorum")]
    NoQuorum,
    /// This node is going away.
    #[error("the node is shutting down")]
    ShuttingDown,
}

type Waiter = oneshot::Sender<()>;

/// Those who wait for the next round.
#[derive(Default)]
pub(crate) struct Reads {
    waiting: Mutex<Vec<Waiter>>,
    came: Notify,
}

impl Reads {
    fn take(&self) -> Vec<Waiter> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

impl<O: Owners> Shared<O> {
    /// Waits until reads from this node's owners reflect everything acknowledged, anywhere, before this call.
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        if self.stop.is_cancelled() {
            return Err(ReadError::ShuttingDown);
        }
        if self.is_alone() {
            return Ok(());
        }
        let (waiter, done) = oneshot::channel();
        lock(&self.reads.waiting).push(waiter);
        self.reads.came.notify_one();
        tokio::select! {
            done = timeout(self.settings.timing.read, done) => match done {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(ReadError::ShuttingDown), // the waiter was dropped with the task below
                Err(_) => Err(ReadError::NoQuorum),
            },
            () = self.stop.cancelled() => Err(ReadError::ShuttingDown),
        }
    }

    /// Whether this node leads as the only voter, and has applied all that it led before. See the module.
    fn is_alone(&self) -> bool {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let (led, applied) = (metrics.current_term, metrics.last_applied.as_ref());
        let me = self.settings.node_id;
        metrics.running_state.is_ok()
            && metrics.state == ServerState::Leader
            && applied.is_some_and(|applied| applied.leader_id.term == led)
            && metrics.membership_config.membership().get_joint_config().iter().all(|voters| voters.iter().eq([&me]))
    }

    /// How far a node must apply before it reads, if this node leads; else who might.
    pub async fn read_index(&self) -> Result<u64, Option<u64>> {
        let policy = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(ASK);
        match self.raft.get_read_linearizer(policy).await {
            Ok(linearizer) => Ok(linearizer.read_log_id().index()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => Err(forward.leader_id),
            Err(_) => Err(None),
        }
    }

    async fn ask_for_index(&self, leader: u64) -> Option<u64> {
        if leader == self.settings.node_id {
            return self.read_index().await.ok();
        }
        match self.peers.get(leader)?.control.call(&Request::ReadIndex, ASK).await {
            Ok(Answer::ReadIndex(index)) => Some(index),
            Ok(_) | Err(CallError::NotSent(_) | CallError::Lost | CallError::Late) => None,
        }
    }

    /// One try of a round; whether it succeeded.
    async fn try_round(&self) -> bool {
        let mut leader = self.leader.clone();
        let Some(at) = *leader.borrow_and_update() else { return false };
        let index = tokio::select! {
            index = self.ask_for_index(at) => index,
            _ = leader.wait_for(|now| *now != Some(at)) => None,
        };
        match index {
            Some(index) => timeout(APPLY, self.applied(index)).await.is_ok(),
            None => false,
        }
    }

    async fn round(&self) {
        let mut sharing = self.reads.take();
        loop {
            sharing.retain(|waiter| !waiter.is_closed());
            if sharing.is_empty() {
                return;
            }
            if self.try_round().await {
                for waiter in sharing {
                    let _ = waiter.send(()); // the caller may have gone
                }
                return;
            }
            self.settle(PAUSE).await;
            sharing.append(&mut self.reads.take()); // the next try begins after they came
        }
    }
}

/// Runs rounds while somebody waits.
pub(crate) async fn run<O: Owners>(shared: Arc<Shared<O>>) {
    let mut rounds = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = rounds.next() => {}
            () = shared.reads.came.notified(), if rounds.len() < ROUNDS => rounds.push(shared.round()),
        }
    }
}
