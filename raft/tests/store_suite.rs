//! openraft's own storage suite, over sled and over the disk in memory.

use futures_util::future::{Either, join_all};
use openraft::{
    Config, RaftNetworkFactory, RaftNetworkV2, SnapshotPolicy, StorageError,
    errors::{RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse},
    testing::log::{StoreBuilder, Suite},
};
use quorate_raft::{
    Batch, Command, Draft, Outcome, ProposalId, Refusal, Stamp, State, TokenHash,
    blacklist::BlacklistJti,
    sessions::DestroySession,
    state::PlainOwners,
    store::{
        Answers, Applied, Disks, LogStore, Machine, Opened, Peer, Released, Snapshot, SnapshotHandle, Snapshots,
        TypeConfig, Vote,
        memory::{Faults, MemoryDisk},
        open, open_on,
    },
};
use std::{
    collections::BTreeMap,
    future::Future,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::watch;

type Built<G> = Result<(G, LogStore, Machine<PlainOwners>), StorageError<TypeConfig>>;

struct OnSled;

impl StoreBuilder<TypeConfig, LogStore, Machine<PlainOwners>, TempDir> for OnSled {
    async fn build(&self) -> Built<TempDir> {
        let dir = TempDir::new().expect("a directory");
        let opened = open(dir.path(), Arc::new(PlainOwners::default())).await.expect("opens");
        Ok((dir, opened.log, opened.machine))
    }
}

struct InMemory;

impl StoreBuilder<TypeConfig, LogStore, Machine<PlainOwners>> for InMemory {
    async fn build(&self) -> Built<()> {
        let faults = Faults::new();
        let disks = Disks { log: Arc::new(MemoryDisk::new(&faults)), snap: Arc::new(MemoryDisk::new(&faults)) };
        let opened = open_on(disks, Arc::new(PlainOwners::default())).await.expect("opens");
        Ok(((), opened.log, opened.machine))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_passes_on_sled() {
    Suite::test_all(OnSled).await.expect("the suite");
}

#[tokio::test]
async fn the_suite_passes_in_memory() {
    Suite::test_all(InMemory).await.expect("the suite");
}

// ---- openraft itself, on the store -------------------------------------------------------------------------------

type Raft = openraft::Raft<TypeConfig, Machine<PlainOwners>>;
/// Who runs, and where its snapshots go.
type Running = Arc<Mutex<BTreeMap<u64, (Raft, Snapshots)>>>;

/// Calls the other node, in this process.
struct Wire {
    running: Running,
    to: u64,
}

impl Wire {
    fn peer(&self) -> Result<(Raft, Snapshots), Unreachable<TypeConfig>> {
        let running = self.running.lock().expect("not poisoned");
        running.get(&self.to).cloned().ok_or_else(|| Unreachable::from_string("not running"))
    }
}

impl RaftNetworkFactory<TypeConfig> for Wire {
    type Network = Self;

    async fn new_client(&mut self, to: u64, _: &Peer) -> Self {
        Self { running: self.running.clone(), to }
    }
}

impl RaftNetworkV2<TypeConfig> for Wire {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let answer = self.peer()?.0.append_entries(request).await;
        answer.map_err(|error| Unreachable::new(&error).into())
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.peer()?.0.vote(request).await.map_err(|error| Unreachable::new(&error).into())
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        _: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let (raft, snapshots) = self.peer()?;
        let send = async {
            let mut receiver = snapshots.receive(snapshot.meta, snapshot.snapshot.sum()).await?;
            loop {
                let parts = snapshot.snapshot.read(receiver.next(), 64 << 10).await?;
                if parts.is_empty() {
                    return receiver.finish().await;
                }
                receiver.push(parts).await?;
            }
        };
        let received = send.await.map_err(|error| Unreachable::new(&error))?;
        raft.install_full_snapshot(vote, received).await.map_err(|error| Unreachable::new(&error).into())
    }
}

/// One node on sled.
struct Node {
    raft: Raft,
    owners: Arc<PlainOwners>,
    applied: watch::Receiver<Applied>,
    snapshots: Snapshots,
    released: Released,
}

impl Node {
    async fn start(id: u64, dir: &Path, running: &Running) -> Self {
        let owners = Arc::<PlainOwners>::default();
        let Opened { log, machine, snapshots, applied, released, identity, .. } =
            open(dir, owners.clone()).await.expect("opens");
        identity.claim_node(id).await.expect("its own");
        let config = Config {
            heartbeat_interval: 100,
            election_timeout_min: 400,
            election_timeout_max: 800,
            snapshot_policy: SnapshotPolicy::Never,
            max_in_snapshot_log_to_keep: 0,
            purge_batch_size: 1,
            replication_lag_threshold: 1,
            ..Config::default()
        };
        let wire = Wire { running: running.clone(), to: id };
        let config = Arc::new(config.validate().expect("valid"));
        let raft = Raft::new(id, config, wire, log, machine).await.expect("starts");
        running.lock().expect("not poisoned").insert(id, (raft.clone(), snapshots.clone()));
        Self { raft, owners, applied, snapshots, released }
    }

    async fn stop(self, id: u64, running: &Running) {
        drop(running.lock().expect("not poisoned").remove(&id));
        self.raft.shutdown().await.expect("stops");
        let released = self.released;
        drop((self.raft, self.snapshots));
        tokio::time::timeout(Duration::from_secs(20), released.wait()).await.expect("the directory is free");
    }

    async fn reaches(&mut self, index: u64) {
        let reached = self.applied.wait_for(|applied| applied.index() >= Some(index));
        tokio::time::timeout(Duration::from_secs(20), reached).await.expect("in time").expect("runs");
    }

    fn state(&self) -> State {
        self.owners.0.lock().expect("not poisoned").clone()
    }

    /// Takes a snapshot that covers the log up to there, so that the log is purged. openraft does not hear the request while
    /// it is busy with a former one, so it is repeated.
    async fn cover(&self, index: u64) {
        for _ in 0..80 {
            self.raft.trigger().snapshot().await.expect("asked for");
            let wait = self.raft.wait(Some(Duration::from_millis(250)));
            if wait.metrics(|now| now.purged.is_some_and(|at| at.index >= index), "purged").await.is_ok() {
                return;
            }
        }
        panic!("no snapshot covers entry {index}");
    }
}

fn peer(id: u64) -> Peer {
    Peer { addr: format!("127.0.0.1:{id}"), http: String::new() }
}

fn batch(n: u64) -> Batch {
    let revoke = |n: u64| {
        let mut jti = [0; 32];
        jti[..8].copy_from_slice(&n.to_be_bytes());
        Command::BlacklistJti(BlacklistJti { jti: TokenHash(jti), until: Stamp(1 << 40) })
    };
    let missing = DestroySession(TokenHash([9; 32]));
    let commands = [revoke(2 * n), Command::DestroySession(missing), revoke(2 * n + 1)];
    let drafts = (0..).zip(commands).map(|(i, command)| {
        let id = ProposalId(u128::from(n) << 8 | i);
        Draft { id, deadline: Stamp(n + 1), command }
    });
    Batch { at: Stamp(n), drafts: drafts.collect() }
}

/// Answers in order; snapshots while writes go on; a restart; a newcomer that gets a snapshot, because the log is purged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openraft_runs_on_it() {
    let dirs: Vec<TempDir> = (0..2).map(|_| TempDir::new().expect("a directory")).collect();
    let running = Running::default();
    let first = Node::start(1, dirs[0].path(), &running).await;
    first.raft.initialize(BTreeMap::from([(1, peer(1))])).await.expect("a cluster of one");
    first.raft.wait(Some(Duration::from_secs(20))).current_leader(1, "leads").await.expect("leads");

    let write = async |raft: &Raft, n| {
        let answer = raft.client_write(batch(n)).await.expect("written");
        let refused = Outcome::Refused(Refusal::UnknownSession);
        assert_eq!(answer.data, Answers(vec![Outcome::Done, refused, Outcome::Done]));
        answer.log_id.index
    };
    let mut last = 0;
    for round in 0..5 {
        let writes = (round * 40..(round + 1) * 40).map(|n| write(&first.raft, n));
        let snapshot = async { first.raft.trigger().snapshot().await.expect("asked for") };
        last = join_all(writes.map(Either::Left).chain([Either::Right(async {
            snapshot.await;
            0
        })]))
        .await
        .into_iter()
        .max()
        .expect("one");
    }
    first.cover(last).await;
    last = write(&first.raft, 1000).await;
    let state = first.state();
    assert_eq!(state.blacklist.entries().len(), 402);
    first.stop(1, &running).await;

    let mut first = Node::start(1, dirs[0].path(), &running).await;
    first.raft.wait(Some(Duration::from_secs(20))).current_leader(1, "leads again").await.expect("leads again");
    first.reaches(last).await;
    assert!(first.state() == state, "a restart changes nothing");

    let mut second = Node::start(2, dirs[1].path(), &running).await;
    first.raft.add_learner(2, peer(2), true).await.expect("joins");
    last = write(&first.raft, 1001).await;
    second.reaches(last).await;
    assert!(second.snapshots.current().is_some(), "the beginning of the log is long gone");
    assert!(second.state() == first.state());
    second.stop(2, &running).await;
    last = write(&first.raft, 1002).await;
    let mut second = Node::start(2, dirs[1].path(), &running).await;
    second.reaches(last).await;
    assert!(second.state() == first.state());
    second.stop(2, &running).await;
    first.stop(1, &running).await;
}
