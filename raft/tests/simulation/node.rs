//! One life of one node: what a process would hold, from its start to its death.

use crate::{
    network::{Life, Links, Network},
    oracle::Oracle,
};
use openraft::{
    Config, Raft, ReadPolicy,
    async_runtime::WatchReceiver as _,
    errors::{ClientWriteError, Fatal, LinearizableReadError, RaftError},
    raft::SnapshotResponse,
    raft::linearizable_read::LinearizerOption,
};
use quorate_raft::{
    Batch, Command, Committed, Draft, Frozen, Outcome, Owners, Stamp, State,
    state::PlainOwners,
    store::{Applied, Disks, Machine, Snapshot, Snapshots, TypeConfig, Vote, open_on},
    time::Reckoning,
};
use std::{
    fmt::Debug,
    io,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// The plain state, watched by the oracle.
pub struct Watched {
    id: u64,
    oracle: Arc<Oracle>,
    plain: PlainOwners,
}

impl Watched {
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.plain.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Owners for Watched {
    async fn apply(&self, batch: Vec<Committed<Command>>) -> Vec<Outcome> {
        let known: Vec<_> = batch.iter().map(|committed| (committed.seq, committed.id, committed.at)).collect();
        let outcomes = self.plain.apply(batch).await;
        for ((seq, id, at), outcome) in known.into_iter().zip(&outcomes) {
            self.oracle.applied(self.id, seq, id, at, outcome);
        }
        outcomes
    }

    async fn freeze(&self) -> Frozen {
        self.plain.freeze().await
    }

    async fn install(&self, state: State) {
        self.plain.install(state).await;
    }
}

/// A clock that is wrong by so many milliseconds, and may be set while it runs.
#[derive(Clone)]
pub struct Clock {
    pub start: Instant,
    pub off: Arc<AtomicI64>,
}

impl Clock {
    /// The simulation begins a day after the epoch, so that a clock that is behind has somewhere to be.
    pub fn now(&self) -> Stamp {
        let true_time = self.start.elapsed().as_millis() as i64 + 86_400_000;
        Stamp((true_time + self.off.load(Ordering::Relaxed)).unsigned_abs())
    }
}

/// Why a proposal brought no answer.
#[derive(Clone, Copy, Debug)]
pub enum Unsettled {
    /// It was not written; this node may know who leads.
    NotLeader(Option<u64>),
    /// It may have been written.
    Unknown,
}

/// See the module.
pub struct Node {
    pub life: Life,
    pub raft: Raft<TypeConfig, Machine<Watched>>,
    pub owners: Arc<Watched>,
    pub applied: watch::Receiver<Applied>,
    pub fatal: watch::Receiver<Option<quorate_raft::store::Fatal>>,
    snapshots: Snapshots,
    clock: Clock,
    reckoning: Reckoning,
    oracle: Arc<Oracle>,
}

impl Node {
    /// Starts on what is on the disks.
    pub async fn start(
        life: Life,
        disks: Disks,
        clock: Clock,
        config: Arc<Config>,
        network: &Arc<Network>,
        oracle: &Arc<Oracle>,
    ) -> io::Result<Arc<Self>> {
        let owners = Arc::new(Watched { id: life.id, oracle: oracle.clone(), plain: PlainOwners::default() });
        let opened = open_on(disks, owners.clone()).await?;
        opened.identity.claim_node(life.id).await?;
        let (applied, fatal, snapshots) = (opened.applied, opened.fatal, opened.snapshots);
        oracle.restored(life.id, applied.borrow().index(), applied.borrow().at);
        let links = Links { network: network.clone(), from: life };
        let raft = Raft::new(life.id, config, links, opened.log, opened.machine).await.map_err(io::Error::other)?;
        Ok(Arc::new(Self {
            life,
            raft,
            owners,
            applied,
            fatal,
            snapshots,
            clock,
            reckoning: Reckoning::default(),
            oracle: oracle.clone(),
        }))
    }

    /// The answer, if the node is in a state to give one. A panic inside is a violation in itself.
    pub fn note<T, E: Debug>(&self, result: Result<T, RaftError<TypeConfig, E>>) -> Option<T> {
        match result {
            Ok(answer) => Some(answer),
            Err(RaftError::Fatal(fatal)) => self.note_fatal(Err(fatal)),
            Err(RaftError::APIError(_)) => None,
        }
    }

    pub fn note_fatal<T>(&self, result: Result<T, Fatal<TypeConfig>>) -> Option<T> {
        if let Err(Fatal::Panicked) = &result {
            self.oracle.violated(format!("node {} panicked", self.life.id));
        }
        result.ok()
    }

    /// The deadline of drafts that are made here and now.
    pub fn deadline(&self) -> Stamp {
        self.reckoning.deadline(self.clock.now(), self.applied.borrow().at)
    }

    /// The log said that a deadline of this node's was untimely.
    pub fn correct(&self) {
        self.reckoning.correct(self.clock.now(), self.applied.borrow().at);
    }

    /// Stamps drafts and writes them, if this node leads.
    pub async fn propose(self: Arc<Self>, drafts: Vec<Draft>) -> Result<(u64, Vec<Outcome>), Unsettled> {
        let batch = Batch { at: self.clock.now(), drafts };
        match self.raft.client_write(batch).await {
            Ok(written) => Ok((written.log_id.index, written.data.0)),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Err(Unsettled::NotLeader(forward.leader_id))
            }
            Err(error) => {
                self.note::<(), _>(Err(error));
                Err(Unsettled::Unknown)
            }
        }
    }

    /// How far a node must have applied before it reads, if this node leads.
    pub async fn read_index(self: Arc<Self>) -> Option<u64> {
        let policy = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(Duration::from_millis(500));
        match self.raft.get_read_linearizer(policy).await {
            Ok(linearizer) => Some(linearizer.read_log_id().index()),
            Err(RaftError::APIError(
                LinearizableReadError::ForwardToLeader(_) | LinearizableReadError::QuorumNotEnough(_),
            )) => None,
            Err(error) => self.note(Err(error)),
        }
    }

    /// Waits until this node has applied so much.
    pub async fn has_applied(&self, index: u64, patience: Duration) -> bool {
        let mut applied = self.applied.clone();
        let reached = applied.wait_for(|applied| applied.index().is_some_and(|at| at >= index));
        matches!(timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// For whoever looks for the reason of a failure.
    pub fn describe(&self) -> String {
        let Life { id, epoch } = self.life;
        let metrics = self.raft.metrics().borrow_watched().clone();
        format!("node {id}, life {epoch}: {metrics}, store {:?}", *self.fatal.borrow())
    }

    /// Takes a snapshot from a leader: part by part, then as a whole.
    pub async fn receive(self: Arc<Self>, vote: Vote, snapshot: Snapshot) -> Option<SnapshotResponse<TypeConfig>> {
        let mut receiver = self.snapshots.receive(snapshot.meta.clone(), snapshot.snapshot.sum()).await.ok()?;
        loop {
            let parts = snapshot.snapshot.read(receiver.next(), 32 << 10).await.ok()?;
            if parts.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            receiver.push(parts).await.ok()?;
        }
        let received = receiver.finish().await.ok()?;
        self.oracle.count("snapshots received");
        self.note_fatal(self.raft.install_full_snapshot(vote, received).await)
    }
}
