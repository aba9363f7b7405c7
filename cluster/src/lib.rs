//! What happens between nodes: transport, proposals, reads, membership, health. Knows nothing of HTTP or OAuth, and decides
//! nothing that the log has to decide.
//!
//! Read `wire` (messages), `tls` (who may speak), `peers` (who and where), `network` and `server` (the two ends), `propose`
//! (a draft's way into the log), `read` (linearizable reads), `membership`, `health`, `succession`, `upkeep`, `admin` and `backup` (for
//! operators), and [`start`], which puts them together.
//!
//! | id  | invariant                                                                   | held by                                |
//! |-----|-----------------------------------------------------------------------------|----------------------------------------|
//! | C-1 | a proposal is answered with an outcome only after a majority flushed it and this node applied it | `propose::Shared::carry` |
//! | C-2 | a retry carries the same id and the same deadline                             | `propose::Shared::carry`               |
//! | C-3 | "certainly not written" is said only of what was never handed to a socket or appended | `peers::CallError`, `propose::Written` |
//! | C-4 | a read barrier that a caller waits for began after the caller came           | `read::Reads`                          |
//! | C-5 | no lease is trusted for reads                                                | `read`                                 |
//! | C-6 | without mTLS nothing leaves the machine                                      | `tls::Transport`                       |
//! | C-7 | everything that waits is bounded, in number or in time                       | `Limits`, `Timing`, `wire::MAX_FRAME`  |

pub mod admin;
pub mod backup;
pub mod health;
mod membership;
mod network;
mod peers;
pub mod propose;
pub mod read;
mod server;
pub mod settings;
mod succession;
pub mod tls;
pub mod types;
mod upkeep;
pub mod wire;
mod write;

pub use admin::{AdminError, Operation};
pub use health::{Health, Member, Reason, Role};
pub use propose::ProposeError;
pub use quorate_raft::store::Peer;
pub use read::ReadError;
pub use settings::{Invalid, Limits, Settings, Timing};
pub use tls::{Security, SecurityError};
pub use types::ClusterId;

use crate::{
    health::Pulse,
    network::Network,
    peers::{Caller, Peers, lock},
    propose::Proposals,
    read::Reads,
    tls::Transport,
    types::Raft,
};
use openraft::{SnapshotPolicy, async_runtime::watch::WatchReceiver};
use quorate_raft::{
    Command, Draft, Outcome, Owners, Stamp,
    store::{self, Applied, Growth, Identity, Opened, Released, Snapshots},
    time::Reckoning,
};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long a stopping node waits for proposals on their way, for raft, and for the store.
const DRAIN: Duration = Duration::from_secs(1);
const STOP: Duration = Duration::from_secs(2);

/// Why a node does not start. The operator has to act.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that contradict each other.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// Certificates, or plaintext where it is not allowed.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The peer port is taken, or not ours to take.
    #[error("cannot listen for peers on {addr}")]
    Listen {
        /// The peer port.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The data directory is in use, damaged, or another node's.
    #[error("cannot use the data directory")]
    Store(#[source] io::Error),
    /// openraft does not start.
    #[error("cannot start raft: {0}")]
    Raft(String),
}

/// Why the process has to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// The store failed and must not be written again.
    #[error("the store failed: {0}")]
    Store(String),
    /// The raft core ended.
    #[error("raft ended: {0}")]
    Raft(String),
    /// One of the node's own tasks ended: a defect.
    #[error("a task of the node ended")]
    Task,
}

/// What the parts of a node share.
pub(crate) struct Shared<O: Owners> {
    settings: Settings,
    peer_addr: SocketAddr,
    raft: Raft<O>,
    owners: Arc<O>,
    peers: Arc<Peers>,
    applied: watch::Receiver<Applied>,
    growth: Arc<Growth>,
    leader: watch::Receiver<Option<u64>>,
    health: watch::Receiver<Health>,
    proposals: Proposals,
    pen: write::Pen,
    reckoning: Reckoning,
    reads: Reads,
    pulse: Pulse,
    departed: mpsc::Sender<u64>,
    store: Mutex<Option<Store>>,
    failed: watch::Receiver<Option<Fatal>>,
    stop: CancellationToken,
    released: tokio::sync::Mutex<Option<Released>>,
}

/// Parts of the store that keep it open; let go of when the node stops.
struct Store {
    snapshots: Snapshots,
    identity: Identity,
}

impl<O: Owners> Shared<O> {
    fn snapshots(&self) -> Option<Snapshots> {
        lock(&self.store).as_ref().map(|store| store.snapshots.clone())
    }

    /// This node belongs to `cluster` from now on.
    async fn join(&self, cluster: ClusterId) -> io::Result<()> {
        let identity = lock(&self.store).as_ref().map(|store| store.identity.clone());
        identity.ok_or(io::ErrorKind::NotConnected)?.claim_cluster(cluster.0).await?;
        *self.peers.caller.cluster.write().unwrap_or_else(PoisonError::into_inner) = Some(cluster);
        tracing::info!(node = self.settings.node_id, %cluster, "joined");
        Ok(())
    }
}

/// A running node. Cheap to clone; all clones are the same node.
pub struct Node<O: Owners>(Arc<Shared<O>>);

impl<O: Owners> Clone for Node<O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Opens the store, joins or makes the cluster, and serves peers. Returns as soon as the node runs; whether it is caught up
/// and has a leader is a matter of its [`Health`]. Runs on the multi-thread tokio runtime of the caller.
///
/// # Errors
/// See [`StartError`]. The peer port is bound first, so that a port in use is found before anything is written.
pub async fn start<O: Owners>(settings: Settings, owners: Arc<O>) -> Result<Node<O>, StartError> {
    settings.check()?;
    let transport = Transport::open(&settings.security)?;
    let addr = settings.listen;
    let listening = |source| StartError::Listen { addr, source };
    let listener = transport.listen(addr).await?.map_err(listening)?;
    let peer_addr = listener.local_addr().map_err(listening)?;

    let id = settings.node_id;
    let opened = store::open(&settings.data_dir, owners.clone()).await.map_err(StartError::Store)?;
    let Opened { log, machine, snapshots, identity, mut fatal, applied, growth, released } = opened;
    identity.claim_node(id).await.map_err(StartError::Store)?;
    let cluster = match (identity.cluster(), &settings.bootstrap) {
        (None, Some(list)) => {
            let cluster = membership::cluster_id(list);
            identity.claim_cluster(cluster.0).await.map_err(StartError::Store)?;
            Some(cluster)
        }
        (known, _) => known.map(ClusterId),
    };

    let peers = Arc::new(Peers::new(Caller { id, cluster: RwLock::new(cluster), transport }));
    let network = Network { me: id, peers: peers.clone(), append_patience: settings.timing.election_max };
    let config = Arc::new(config(&settings).validate().map_err(|e| StartError::Raft(e.to_string()))?);
    let raft = Raft::<O>::new(id, config, network, log, machine).await.map_err(|e| StartError::Raft(e.to_string()))?;

    let (proposals, proposed) = Proposals::new(settings.limits.in_flight);
    let (pen, submitted) = mpsc::unbounded_channel();
    let (leader_is, leader) = watch::channel(None);
    let (health_is, health) = watch::channel(Health::unknown(id));
    let (failed_is, failed) = watch::channel(None);
    let (departed, departures) = mpsc::channel(succession::DEPARTURES);
    let shared = Arc::new(Shared {
        pulse: Pulse::new(settings.timing.election_max),
        settings,
        peer_addr,
        raft,
        owners,
        peers,
        applied,
        growth,
        leader,
        health,
        proposals,
        pen,
        reckoning: Reckoning::default(),
        reads: Reads::default(),
        departed,
        store: Mutex::new(Some(Store { snapshots, identity })),
        failed,
        stop: CancellationToken::new(),
        released: tokio::sync::Mutex::new(Some(released)),
    });

    let mut tasks = Tasks { stop: shared.stop.clone(), set: JoinSet::new() };
    tasks.forever(server::run(shared.clone(), listener));
    tasks.forever(propose::run(shared.clone(), proposed));
    tasks.forever(write::run(shared.clone(), submitted));
    tasks.forever(read::run(shared.clone()));
    tasks.forever(succession::run(shared.clone(), departures));
    tasks.forever(upkeep::tick(shared.clone()));
    tasks.forever(upkeep::snapshot(shared.clone()));
    tasks.forever(health::run(shared.clone(), health_is));
    tasks.once(upkeep::observe(shared.clone(), leader_is));
    tasks.once(membership::bootstrap(shared.clone()));
    tasks.once(membership::announce(shared.clone()));
    tasks.once(health::recover(shared.clone()));
    let (mut core, stop) = (shared.raft.server_metrics(), shared.stop.clone());
    let raft = shared.raft.metrics();
    let core_ended = move || {
        Fatal::Raft(match &raft.borrow_watched().running_state {
            Err(e) => e.to_string(),
            Ok(()) => "without a reason".into(),
        })
    };
    tokio::spawn(async move {
        let failure = tokio::select! {
            biased;
            () = stop.cancelled() => return tasks.end().await,
            failure = store_failure(&mut fatal) => Fatal::Store(failure),
            () = async { while core.changed().await.is_ok() {} } => core_ended(),
            () = tasks.broken() => Fatal::Task,
        };
        tracing::error!(node = id, error = %failure, "the node cannot go on");
        failed_is.send_replace(Some(failure));
        stop.cancelled().await;
        tasks.end().await;
    });
    Ok(Node(shared))
}

/// Ends when the store has failed for good, and says how.
async fn store_failure(fatal: &mut watch::Receiver<Option<store::Fatal>>) -> String {
    match fatal.wait_for(Option::is_some).await.map(|failure| failure.as_ref().map(ToString::to_string)) {
        Ok(failure) => failure.unwrap_or_default(),
        Err(_) => "gone".into(),
    }
}

/// The node's own tasks.
struct Tasks {
    stop: CancellationToken,
    set: JoinSet<bool>,
}

impl Tasks {
    /// A task that ends with the node and not before.
    fn forever(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.set.spawn(async move { stop.run_until_cancelled_owned(task).await.is_none() });
    }

    /// A task that may finish.
    fn once(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.set.spawn(async move {
            stop.run_until_cancelled_owned(task).await;
            true
        });
    }

    /// Ends when a task panicked, or ended although it must not.
    async fn broken(&mut self) {
        while let Some(ended) = self.set.join_next().await {
            if !matches!(ended, Ok(true)) {
                return;
            }
        }
    }

    async fn end(mut self) {
        while self.set.join_next().await.is_some() {}
    }
}

/// openraft's settings. What is not named here is not used, or right by default.
fn config(settings: &Settings) -> openraft::Config {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    openraft::Config {
        cluster_name: "quorate".into(),
        heartbeat_interval: millis(settings.timing.heartbeat),
        election_timeout_min: millis(settings.timing.election_min),
        election_timeout_max: millis(settings.timing.election_max),
        // Snapshots are taken by the size of the log, see `upkeep`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: settings.limits.keep_entries,
        purge_batch_size: 256,
        max_payload_entries: 256,
        enable_pre_vote: Some(true),
        // A restarted leader may have applied more than it remembers as committed: it stands for election like anybody.
        enable_leader_restore: Some(false),
        backoff: "50ms 100ms 200ms ...300ms".into(),
        ..openraft::Config::default()
    }
}

impl<O: Owners> Node<O> {
    /// This node's id.
    pub fn id(&self) -> u64 {
        self.0.settings.node_id
    }

    /// Where the peer port really listens.
    pub fn peer_addr(&self) -> SocketAddr {
        self.0.peer_addr
    }

    /// Who holds the live state.
    pub fn owners(&self) -> &Arc<O> {
        &self.0.owners
    }

    /// Proposes `command` under a fresh id. The answer is what the log decided, and this node has applied it.
    ///
    /// # Errors
    /// See [`ProposeError`]; a refusal is an outcome.
    pub async fn propose(&self, command: Command) -> Result<Outcome, ProposeError> {
        self.0.propose(command).await
    }

    /// A draft of `command` with a fresh id, and the deadline that [`propose`](Self::propose) would give it.
    pub fn draft(&self, command: Command) -> Draft {
        self.0.draft(command)
    }

    /// Proposes a draft that has its id and deadline already: whoever repeats one gets its first outcome (G4), or hears that
    /// it is [untimely](quorate_raft::Refusal::Untimely): then no copy that this call sent had an effect.
    ///
    /// # Errors
    /// See [`ProposeError`].
    pub async fn propose_draft(&self, draft: Draft) -> Result<Outcome, ProposeError> {
        self.0.propose_draft(draft).await
    }

    /// After this, reads from this node's owners reflect everything that was acknowledged, anywhere, before the call (G2).
    ///
    /// # Errors
    /// See [`ReadError`]; the caller must not answer from what it has (G7).
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        self.0.read_barrier().await
    }

    /// How this node is, now.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// Changes of health, looked at ten times a second.
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.0.health.clone()
    }

    /// The replicated clock, as far as it is applied here (G6).
    pub fn log_time(&self) -> Stamp {
        self.0.applied.borrow().at
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<u64> {
        *self.0.leader.borrow()
    }

    /// This node's cluster, if it belongs to one yet.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.0.peers.caller.cluster()
    }

    /// Everybody in the cluster.
    pub fn members(&self) -> Vec<Member> {
        self.0.members()
    }

    /// Does `operation`, at the leader if need be.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn admin(&self, operation: Operation) -> Result<admin::Answer, AdminError> {
        self.0.admin(operation, true).await
    }

    /// Ends only when the process has to: it can neither write nor answer any more.
    pub async fn fatal(&self) -> Fatal {
        let mut failed = self.0.failed.clone();
        match failed.wait_for(Option::is_some).await.map(|failure| failure.clone()) {
            Ok(Some(failure)) => failure,
            // The node was stopped on purpose.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// First half of stopping: not ready any more, and leadership handed over. Requests are still served.
    pub async fn retire(&self) {
        let others = self.members().iter().any(|member| member.role == Role::Voter && member.id != self.id());
        if self.0.pulse.leave() && others && self.leader() == Some(self.id()) {
            match self.0.transfer(None).await {
                Ok(()) => tracing::info!(node = self.id(), "leadership handed over"),
                Err(e) => tracing::warn!(node = self.id(), error = %e, "leadership not handed over"),
            }
        }
    }

    /// Stops: [`retire`](Self::retire), then wait for what is on its way, then close. At most five seconds. When it returns
    /// the data directory is free.
    pub async fn shutdown(&self) {
        self.retire().await;
        let mut released = self.0.released.lock().await;
        let Some(released) = released.take() else { return };
        self.0.proposals.drain(DRAIN).await;
        self.0.stop.cancel();
        if timeout(STOP, self.0.raft.shutdown()).await.is_err() {
            tracing::warn!(node = self.id(), "raft did not stop in time");
        }
        self.0.peers.close();
        drop(lock(&self.0.store).take());
        if timeout(STOP, released.wait()).await.is_err() {
            tracing::warn!(node = self.id(), "the store is still in use");
        }
    }
}
