//! The power goes between any two operations of the disks, the disk is full at any operation, the medium lies: whatever
//! was reported durable is there afterwards, and what is not whole is not believed.
//!
//! A history of everything that openraft asks of a store is run against a model. For each operation of the disks it is run
//! again up to there; of the writes that no barrier covered, some are kept. What the next process finds must be the model
//! at some point between the last thing that was reported and the last thing that was asked for.

use futures_util::{TryStreamExt, stream};
use openraft::{
    Membership, StorageHelper,
    entry::RaftEntry,
    storage::{IOFlushed, RaftLogReader, RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine},
    testing::log_id,
    type_config::TypeConfigExt,
};
use quorate_raft::{
    Batch, Command, DocumentKey, Draft, GrantId, Kind, Precondition, ProposalId, RealmPath, Seq, Span, Stamp, State,
    TokenHash, Write,
    blacklist::BlacklistJti,
    documents::{Change, WriteDocuments},
    grant_sets::{IssueAccess, NewAccess, Template},
    owners::Clock,
    state::{Part, PlainOwners},
    store::{
        Disks, Entry, LogId, Opened, Peer, Snapshot, Sum, TypeConfig, Vote,
        memory::{Faults, MemoryDisk},
        open, open_on,
    },
};
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, PoisonError},
};
use tempfile::TempDir;

const NODE: u64 = 7;

// ---- what is in the log ------------------------------------------------------------------------------------------

fn id(term: u64, index: u64) -> LogId {
    log_id::<TypeConfig>(term, NODE, index)
}

fn hash(n: u64) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    bytes[8..16].copy_from_slice(&n.to_be_bytes());
    TokenHash(bytes)
}

fn issue(n: u64) -> Command {
    let template = Template {
        realm: RealmPath::root(),
        client: "web".into(),
        client_fence: Seq(1),
        owner: "web".into(),
        owner_fence: None,
        scope: vec!["a".into(), "b".into()],
        grant_type: "client_credentials".into(),
        issuer: "http://127.0.0.1/am".into(),
        audit_process: 5,
        extra: "".into(),
    };
    let access = NewAccess {
        hash: hash(n),
        template: Arc::new(template),
        auth_time: 1,
        audit_counter: n,
        ttl: Span::from_secs(3600),
    };
    Command::IssueAccess(IssueAccess { hint: n as u8, grant: GrantId([n as u8; 20]), access })
}

fn revoke(n: u64) -> Command {
    Command::BlacklistJti(BlacklistJti { jti: hash(n), until: Stamp(9_000_000 + n) })
}

fn document(n: u64, size: usize) -> Command {
    let key = DocumentKey::new(&RealmPath::root(), Kind::Settings, &format!("d{n}"));
    let body = (0..size).map(|i| b'a' + (i as u64 * n % 26) as u8).collect();
    let change = Change::Put { body, references: vec![], fence: false };
    Command::WriteDocuments(WriteDocuments(vec![Write { key, when: Precondition::Any, change }]))
}

fn normal(term: u64, index: u64, commands: Vec<Command>) -> Entry {
    let drafts = (0..).zip(commands);
    let at = Stamp(1000 * index);
    let draft = |(n, command)| Draft { id: ProposalId(u128::from(index) << 64 | n), deadline: at + Span(1), command };
    Entry::new_normal(id(term, index), Batch { at, drafts: drafts.map(draft).collect() })
}

fn members(term: u64, index: u64) -> Entry {
    let nodes = [(NODE, Peer { addr: "127.0.0.1:7000".into(), http: "http://127.0.0.1:8080".into() })];
    let voters = nodes.iter().map(|(id, _)| *id).collect();
    let membership = Membership::new(vec![voters], BTreeMap::from(nodes)).expect("a membership");
    Entry::new_membership(id(term, index), membership)
}

/// What gets committed, in every history: blank, membership and normal entries; small, large, and larger than a record.
fn chain() -> Vec<Entry> {
    let mut chain = vec![members(1, 0), Entry::new_blank(id(1, 1))];
    chain.push(normal(1, 2, vec![issue(1), revoke(2)]));
    chain.push(normal(1, 3, vec![document(1, 20_000)]));
    chain.push(normal(1, 4, vec![]));
    chain.push(normal(1, 5, (0..20).map(issue).collect()));
    chain.extend((6..10).map(|index| normal(2, index, vec![issue(100 + index), Command::Tick])));
    chain.push(normal(2, 10, (0..300).map(|n| revoke(1000 + n)).collect()));
    chain.push(members(2, 11));
    chain.extend((12..16).map(|index| normal(3, index, vec![revoke(index), document(index % 3, 700)])));
    chain.extend((16..24).map(|index| normal(4, index, vec![issue(200 + index)])));
    chain
}

/// What the log makes of it: state and log time before each entry, and after the last; applied one by one.
struct Truth {
    chain: Vec<Entry>,
    states: Vec<(State, Clock)>,
    /// A snapshot of the first 18 entries, on another node.
    leader: Snapshot,
}

impl Truth {
    async fn new() -> Self {
        let chain = chain();
        let (mut state, mut clock) = (State::default(), Clock::default());
        let mut states = vec![(state.clone(), clock)];
        for entry in &chain {
            if let openraft::EntryPayload::Normal(batch) = &entry.payload {
                for committed in clock.commit(entry.log_id.index, batch.clone()) {
                    state.apply(vec![committed]);
                }
            }
            states.push((state.clone(), clock));
        }
        let faults = Faults::new();
        let mut node = Node::start(disks(&MemoryDisk::new(&faults), &MemoryDisk::new(&faults))).await.expect("opens");
        node.append(vec![chain[..18].to_vec()]).await.expect("appends");
        node.apply(id(4, 17)).await.expect("applies");
        node.snapshot().await.expect("a snapshot");
        let leader = node.store.snapshots.current().expect("it is there");
        Self { chain, states, leader }
    }
}

// ---- the model ---------------------------------------------------------------------------------------------------

/// Something that a disk keeps or loses as a whole.
#[derive(Clone, Debug)]
enum Step {
    Node,
    Vote(Vote),
    Append(Entry),
    Truncate(u64),
    Purge(LogId),
    Snapshot(LogId),
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    node: Option<u64>,
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: Vec<Entry>,
    snapshot: Option<LogId>,
}

impl Model {
    fn after(steps: &[Step]) -> Self {
        let mut model = Self::default();
        for step in steps.iter().cloned() {
            match step {
                Step::Node => model.node = Some(NODE),
                Step::Vote(vote) => model.vote = Some(vote),
                Step::Append(entry) => model.entries.push(entry),
                Step::Truncate(from) => model.entries.retain(|entry| entry.log_id.index < from),
                Step::Purge(upto) => {
                    model.purged = Some(upto);
                    model.entries.retain(|entry| entry.log_id.index > upto.index);
                }
                Step::Snapshot(at) => model.snapshot = Some(at),
            }
        }
        model
    }

    async fn of(opened: &mut Opened<PlainOwners>) -> Self {
        let mut reader = opened.log.get_log_reader().await;
        Self {
            node: opened.identity.node(),
            vote: reader.read_vote().await.expect("a vote is read"),
            purged: opened.log.get_log_state().await.expect("the log is there").last_purged_log_id,
            entries: reader.try_get_log_entries(..).await.expect("entries are read"),
            snapshot: opened.snapshots.current().and_then(|snapshot| snapshot.meta.last_log_id),
        }
    }
}

// ---- a node's life -----------------------------------------------------------------------------------------------

struct Node {
    store: Opened<PlainOwners>,
    owners: Arc<PlainOwners>,
    steps: Vec<Step>,
    /// How many of the steps were reported durable.
    told: usize,
}

impl Node {
    async fn start(disks: Disks) -> io::Result<Self> {
        let owners = Arc::<PlainOwners>::default();
        Ok(Self { store: open_on(disks, owners.clone()).await?, owners, steps: vec![], told: 0 })
    }

    async fn on(dir: &Path) -> io::Result<Self> {
        let owners = Arc::<PlainOwners>::default();
        Ok(Self { store: open(dir, owners.clone()).await?, owners, steps: vec![], told: 0 })
    }

    /// Lets go of the directory.
    async fn stop(self) {
        let released = self.store.released;
        drop((self.store.log, self.store.machine, self.store.snapshots));
        released.wait().await;
    }

    fn told_all(&mut self) {
        self.told = self.steps.len();
    }

    async fn claim(&mut self) -> io::Result<()> {
        self.steps.push(Step::Node);
        self.store.identity.claim_node(NODE).await?;
        self.told_all();
        Ok(())
    }

    async fn vote(&mut self, term: u64, committed: bool) -> io::Result<()> {
        let vote = if committed { Vote::new_committed(term, NODE) } else { Vote::new(term, NODE) };
        self.steps.push(Step::Vote(vote));
        self.store.log.save_vote(&vote).await?;
        self.told_all();
        Ok(())
    }

    /// Appends groups of entries, all of them before any is durable.
    async fn append(&mut self, groups: Vec<Vec<Entry>>) -> io::Result<()> {
        let mut waiting = vec![];
        for group in groups {
            self.steps.extend(group.iter().cloned().map(Step::Append));
            let (done, flushed) = TypeConfig::oneshot();
            self.store.log.append(group, IOFlushed::signal(done)).await?;
            waiting.push((self.steps.len(), flushed));
        }
        for (steps, flushed) in waiting {
            flushed.await.expect("every append is answered")?;
            self.told = steps;
        }
        Ok(())
    }

    async fn truncate(&mut self, after: LogId) -> io::Result<()> {
        self.steps.push(Step::Truncate(after.index + 1));
        self.store.log.truncate_after(Some(after)).await?;
        self.told_all();
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.steps.push(Step::Purge(upto));
        self.store.log.purge(upto).await?;
        self.told_all();
        Ok(())
    }

    /// Applies what is in the log up to there, as openraft does.
    async fn apply(&mut self, upto: LogId) -> io::Result<()> {
        self.store.log.save_committed(Some(upto)).await?;
        let from = self.store.machine.applied_state().await?.0.map_or(0, |last| last.index + 1);
        let entries = self.store.log.get_log_reader().await.try_get_log_entries(from..=upto.index).await?;
        assert_eq!(entries.last().map(|entry| entry.log_id), Some(upto), "appended entries are readable");
        self.store.machine.apply(stream::iter(entries.into_iter().map(|entry| Ok((entry, None))))).await
    }

    async fn snapshot(&mut self) -> io::Result<()> {
        let at = self.store.machine.applied_state().await?.0.expect("something is applied");
        self.steps.push(Step::Snapshot(at));
        self.store.machine.get_snapshot_builder().await.build_snapshot().await?;
        self.told_all();
        Ok(())
    }

    /// Takes a snapshot from a leader, two parts at a time, and installs it.
    async fn install(&mut self, from: &Snapshot) -> io::Result<()> {
        let at = from.meta.last_log_id.expect("a position");
        self.steps.push(Step::Snapshot(at));
        let mut receiver = self.store.snapshots.receive(from.meta.clone(), from.snapshot.sum()).await?;
        loop {
            let parts = from.snapshot.read(receiver.next(), 8192).await?;
            if parts.is_empty() {
                break;
            }
            receiver.push(parts).await?;
        }
        let received = receiver.finish().await?;
        self.store.machine.install_snapshot(&received.meta, received.snapshot).await?;
        self.told_all();
        Ok(())
    }

    fn state(&self) -> State {
        self.owners.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything that openraft asks of a store.
    async fn live(&mut self, truth: &Truth) -> io::Result<()> {
        let chain = &truth.chain;
        self.claim().await?;
        self.vote(1, true).await?;
        self.append(vec![chain[..1].to_vec()]).await?;
        self.append(vec![chain[1..3].to_vec(), chain[3..4].to_vec(), chain[4..6].to_vec()]).await?;
        self.apply(id(1, 4)).await?;
        // Another leader's entries, which never become committed: some share a record with those that stay.
        self.append(vec![(6..9).map(|index| normal(1, index, vec![revoke(5000 + index)])).collect()]).await?;
        self.append(vec![vec![normal(1, 9, (0..200).map(revoke).collect())], vec![Entry::new_blank(id(1, 10))]])
            .await?;
        self.vote(2, false).await?;
        self.truncate(id(1, 5)).await?;
        self.vote(2, true).await?;
        self.append(vec![chain[6..8].to_vec()]).await?;
        self.append(vec![chain[8..12].to_vec()]).await?;
        self.apply(id(2, 9)).await?;
        self.snapshot().await?;
        self.purge(id(2, 7)).await?;
        self.apply(id(2, 11)).await?;
        self.append(vec![vec![normal(2, 12, vec![revoke(1)]), normal(2, 13, vec![revoke(2)])]]).await?;
        self.truncate(id(2, 12)).await?;
        self.snapshot().await?;
        // Off for a while; the leader has purged what we lack.
        self.vote(4, true).await?;
        self.truncate(id(2, 11)).await?;
        self.install(&truth.leader).await?;
        self.purge(id(4, 17)).await?;
        self.append(vec![chain[18..20].to_vec(), chain[20..22].to_vec()]).await?;
        self.apply(id(4, 20)).await?;
        self.purge(id(4, 17)).await?;
        self.append(vec![chain[22..24].to_vec()]).await
    }
}

impl Node {
    /// openraft's own start: loads, replays what is known to be committed, mends what a crash left.
    async fn recovers(&mut self, truth: &Truth, what: &str) {
        let snapshot = self.store.snapshots.current().and_then(|snapshot| snapshot.meta.last_log_id);
        let Opened { log, machine, .. } = &mut self.store;
        let recovered = StorageHelper::new(log, machine).with_id(NODE).get_initial_state().await;
        recovered.unwrap_or_else(|e| panic!("{what}: does not start: {e}"));
        let (applied, membership) = self.store.machine.applied_state().await.expect("a position");
        assert!(applied >= snapshot, "{what}: {applied:?} is before the snapshot");
        let count = applied.map_or(0, |last| last.index as usize + 1);
        let (state, clock) = &truth.states[count];
        assert!(self.state() == *state, "{what}: the state at {applied:?} is not what the log makes of it");
        let published = *self.store.applied.borrow();
        assert_eq!((published.log_id, published.at), (applied, clock.now()), "{what}");
        let members = truth.chain[..count].iter().rfind(|entry| entry.get_membership().is_some());
        assert_eq!(*membership.log_id(), members.map(|entry| entry.log_id), "{what}");
    }

    /// A new leader's entry and a vote.
    async fn lives_on(&mut self, what: &str) -> Entry {
        let end = self.store.log.get_log_state().await.expect("the log is there").last_log_id;
        let next = Entry::new_blank(id(9, end.map_or(0, |last| last.index + 1)));
        self.append(vec![vec![next.clone()]]).await.unwrap_or_else(|e| panic!("{what}: cannot append: {e}"));
        self.vote(9, true).await.unwrap_or_else(|e| panic!("{what}: cannot vote: {e}"));
        next
    }
}

fn disks(log: &MemoryDisk, snap: &MemoryDisk) -> Disks {
    Disks { log: Arc::new(log.clone()), snap: Arc::new(snap.clone()) }
}

/// What the next process finds, and that it can go on from there.
async fn check(steps: &[Step], told: usize, truth: &Truth, log: &MemoryDisk, snap: &MemoryDisk, what: &str) {
    let mut node = Node::start(disks(log, snap)).await.unwrap_or_else(|e| panic!("{what}: does not open: {e}"));
    let found = Model::of(&mut node.store).await;
    let possible = (told..=steps.len()).any(|count| Model::after(&steps[..count]) == found);
    assert!(possible, "{what}: after {told} of {} steps were told, found {found:#?}", steps.len());
    node.recovers(truth, what).await;

    // Life goes on: a new leader's entry, a vote, and a clean restart.
    let next = node.lives_on(what).await;
    drop(node);
    let faults = Faults::new();
    let (log, snap) = (log.crash(usize::MAX, &faults), snap.crash(usize::MAX, &faults));
    let mut node = Node::start(disks(&log, &snap)).await.unwrap_or_else(|e| panic!("{what}: does not open again: {e}"));
    let again = Model::of(&mut node.store).await;
    assert_eq!(again.entries.last(), Some(&next), "{what}");
    assert_eq!(again.vote, Some(Vote::new_committed(9, NODE)), "{what}");
}

/// How many of `unsynced` writes to keep.
fn kept(unsynced: usize) -> Vec<usize> {
    let mut kept = vec![0, 1, unsynced / 2, unsynced];
    kept.sort_unstable();
    kept.dedup();
    kept.retain(|&keep| keep <= unsynced);
    kept
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    PowerCut,
    /// Only this one operation fails; a later one would succeed, if it were asked for.
    Full,
}

/// A node that lived until `fault` hit operation `at`.
struct Fallen {
    steps: Vec<Step>,
    told: usize,
    log: MemoryDisk,
    snap: MemoryDisk,
    /// Nothing hit it.
    lived: bool,
}

async fn live_until(at: u64, fault: Fault, truth: &Truth) -> Fallen {
    let faults = Faults::new();
    match fault {
        Fault::PowerCut => faults.cut_at(at),
        Fault::Full => faults.fail_at(at, io::ErrorKind::StorageFull),
    }
    let (log, snap) = (MemoryDisk::new(&faults), MemoryDisk::new(&faults));
    let Ok(mut node) = Node::start(disks(&log, &snap)).await else {
        return Fallen { steps: vec![], told: 0, log, snap, lived: false };
    };
    let lived = node.live(truth).await.is_ok();
    let (steps, told) = (node.steps.clone(), node.told);
    if !lived {
        let why = node.store.fatal.borrow().clone().expect("whoever watches learns of it");
        if let Fault::Full = fault {
            assert_eq!(why.kind(), io::ErrorKind::StorageFull);
        }
        // Nothing works any more, though the disk would.
        assert!(node.vote(8, false).await.is_err());
        let end = node.store.log.get_log_state().await.expect("the log is there").last_log_id;
        let next = Entry::new_blank(id(8, end.map_or(0, |last| last.index + 1)));
        assert!(node.append(vec![vec![next]]).await.is_err());
        assert!(node.store.machine.get_snapshot_builder().await.build_snapshot().await.is_err());
    }
    Fallen { steps, told, log, snap, lived }
}

/// Lets the history fail at every operation, and looks at what is left in every way.
async fn at_every_operation(fault: Fault) {
    let truth = Truth::new().await;
    for at in 0.. {
        let Fallen { steps, told, log, snap, lived } = live_until(at, fault, &truth).await;
        for keep_log in kept(log.unsynced()) {
            for keep_snap in kept(snap.unsynced()) {
                let what = format!("{fault:?} at operation {at}, {keep_log} and {keep_snap} unsynced writes kept");
                let faults = Faults::new();
                let (log, snap) = (log.crash(keep_log, &faults), snap.crash(keep_snap, &faults));
                check(&steps, told, &truth, &log, &snap, &what).await;
            }
        }
        if lived {
            assert!(at > 80, "the history had {at} operations only");
            return;
        }
    }
}

#[tokio::test]
async fn every_power_cut_leaves_what_was_told() {
    at_every_operation(Fault::PowerCut).await;
}

#[tokio::test]
async fn every_full_disk_stops_the_store_and_leaves_what_was_told() {
    at_every_operation(Fault::Full).await;
}

/// The power goes again while the next process recovers, and again.
#[tokio::test]
async fn a_power_cut_during_recovery_changes_nothing() {
    let truth = Truth::new().await;
    for at in 0.. {
        let Fallen { steps, told, mut log, mut snap, lived } = live_until(at, Fault::PowerCut, &truth).await;
        for operations in 0..4 {
            let faults = Faults::new();
            (log, snap) = (log.crash(usize::MAX, &faults), snap.crash(usize::MAX, &faults));
            faults.cut_at(operations);
            if let Ok(mut node) = Node::start(disks(&log, &snap)).await {
                let Opened { log, machine, .. } = &mut node.store;
                // Whether it gets through depends on where the power went.
                drop(StorageHelper::new(log, machine).with_id(NODE).get_initial_state().await);
            }
        }
        let faults = Faults::new();
        let (log, snap) = (log.crash(0, &faults), snap.crash(0, &faults));
        let mut node = Node::start(disks(&log, &snap)).await.unwrap_or_else(|e| panic!("{at}: does not open: {e}"));
        // What openraft itself purged when it started is no step of ours.
        let found = Model::of(&mut node.store).await;
        let possible = (told..=steps.len()).map(|count| Model::after(&steps[..count])).any(|mut model| {
            if let Some(purged) = found.purged.filter(|_| found.purged == found.snapshot && found.purged > model.purged)
            {
                model.purged = found.purged;
                model.entries.retain(|entry| entry.log_id.index > purged.index);
            }
            model == found
        });
        assert!(possible, "operation {at}: found {found:#?}");
        node.recovers(&truth, "after recovery").await;
        if lived {
            return;
        }
    }
}

// ---- damage ------------------------------------------------------------------------------------------------------

/// A bit flips in any record, wherever it lies: the store says so instead of believing it.
#[tokio::test]
async fn a_flipped_bit_is_noticed() {
    let truth = Truth::new().await;
    let Fallen { log, snap, .. } = live_until(u64::MAX, Fault::PowerCut, &truth).await;
    let mut flipped = 0;
    let trees = |disk: &MemoryDisk| quorate_raft::store::Disk::trees(disk).expect("trees");
    for (disk, trees, other, is_log) in [(&log, trees(&log), &snap, true), (&snap, trees(&snap), &log, false)] {
        for tree in trees {
            for (key, size) in disk.keys(&tree) {
                for byte in [0, 1, 4, 5, size / 2, size - 1] {
                    let faults = Faults::new();
                    let (bad, good) = (disk.crash(usize::MAX, &faults), other.crash(usize::MAX, &faults));
                    assert!(bad.corrupt(&tree, &key, byte), "there is a byte {byte} of {size}");
                    let found = Node::start(if is_log { disks(&bad, &good) } else { disks(&good, &bad) }).await;
                    let error =
                        found.err().unwrap_or_else(|| panic!("byte {byte} of {tree}/{key:02x?} flipped unnoticed"));
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
                    flipped += 1;
                }
            }
        }
    }
    assert!(flipped > 60, "{flipped} bits only");
}

/// A whole record is gone, though it was durable: noticed too, unless nothing but it was the end of the log.
#[tokio::test]
async fn a_hole_is_noticed() {
    let truth = Truth::new().await;
    let Fallen { log, snap, steps, .. } = live_until(u64::MAX, Fault::PowerCut, &truth).await;
    let records = log.keys("log");
    for (place, (key, _)) in records.iter().enumerate() {
        let faults = Faults::new();
        let (log, snap) = (log.crash(usize::MAX, &faults), snap.crash(usize::MAX, &faults));
        let tree = quorate_raft::store::Disk::tree(&log, "log").expect("the tree");
        tree.write(vec![quorate_raft::store::disk::Change::Remove(key.clone())]).expect("removed");
        match Node::start(disks(&log, &snap)).await {
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}"),
            Ok(mut node) => {
                let (found, all) = (Model::of(&mut node.store).await, Model::after(&steps));
                assert_eq!(place, records.len() - 1, "only the last record may be missed");
                assert!(all.entries.starts_with(&found.entries));
            }
        }
    }
}

/// The end of the log is gone, though it was known to be committed: the node must not vote with what is left.
#[tokio::test]
async fn a_lost_end_is_noticed_by_what_was_committed() {
    let truth = Truth::new().await;
    let faults = Faults::new();
    let (log, snap) = (MemoryDisk::new(&faults), MemoryDisk::new(&faults));
    let mut node = Node::start(disks(&log, &snap)).await.expect("opens");
    for entry in &truth.chain[..6] {
        node.append(vec![vec![entry.clone()]]).await.expect("appends");
        node.apply(entry.log_id).await.expect("applies");
    }
    drop(node);
    let records = log.keys("log");
    let log = log.crash(usize::MAX, &faults);
    let tree = quorate_raft::store::Disk::tree(&log, "log").expect("the tree");
    for (key, _) in records.iter().rev().take(2) {
        tree.write(vec![quorate_raft::store::disk::Change::Remove(key.clone())]).expect("removed");
    }
    let snap = snap.crash(usize::MAX, &faults);
    let error = Node::start(disks(&log, &snap)).await.err().expect("it does not open");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
}

// ---- the same over sled ------------------------------------------------------------------------------------------

/// The history again, on the real thing, with a restart in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sled_keeps_what_was_told() {
    let (dir, truth) = (TempDir::new().expect("a directory"), Truth::new().await);
    let mut node = Node::on(dir.path()).await.expect("opens");
    node.live(&truth).await.expect("lives");
    let told = Model::after(&node.steps);
    node.stop().await;

    let mut node = Node::on(dir.path()).await.expect("opens again");
    assert_eq!(Model::of(&mut node.store).await, told);
    node.recovers(&truth, "after a restart").await;
    let next = node.lives_on("after a restart").await;
    node.stop().await;

    let mut node = Node::on(dir.path()).await.expect("opens a third time");
    assert_eq!(Model::of(&mut node.store).await.entries.last(), Some(&next));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_belongs_to_one_process_and_one_node() {
    let dir = TempDir::new().expect("a directory");
    let node = Node::on(dir.path()).await.expect("opens");
    let identity = node.store.identity.clone();
    assert_eq!((identity.node(), identity.cluster()), (None, None));
    identity.claim_node(NODE).await.expect("ours now");
    identity.claim_cluster(99).await.expect("ours now");
    let second = Node::on(dir.path()).await.err().expect("refused");
    assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
    assert!(second.to_string().contains("in use"), "{second}");
    node.stop().await;

    let node = Node::on(dir.path()).await.expect("free again");
    let identity = node.store.identity.clone();
    assert_eq!((identity.node(), identity.cluster()), (Some(NODE), Some(99)));
    identity.claim_node(NODE).await.expect("still ours");
    let other = identity.claim_node(NODE + 1).await.expect_err("not theirs");
    assert_eq!(other.kind(), io::ErrorKind::AlreadyExists);
    assert!(other.to_string().contains("belongs to node 7"), "{other}");
    assert_eq!(identity.claim_cluster(1).await.map_err(|e| e.kind()), Err(io::ErrorKind::AlreadyExists));
    node.stop().await;
    assert_eq!(identity.claim_cluster(99).await.map_err(|e| e.kind()).err(), None, "known without asking the disk");
}

/// Copies a data directory and lets `damage` have the log's file.
fn damaged(from: &Path, damage: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let to = TempDir::new().expect("a directory");
    for part in ["log", "snap"] {
        std::fs::create_dir(to.path().join(part)).expect("made");
        for file in std::fs::read_dir(from.join(part)).expect("read") {
            let file = file.expect("an entry");
            if file.file_type().expect("a type").is_file() {
                std::fs::copy(file.path(), to.path().join(part).join(file.file_name())).expect("copied");
            }
        }
    }
    let path = to.path().join("log/db");
    let mut bytes = std::fs::read(&path).expect("read");
    damage(&mut bytes);
    std::fs::write(&path, bytes).expect("written");
    to
}

/// sled's file loses its end, or a bit of it flips. sled then cuts its log short, without a word. What is left is the log
/// as it once was, or is refused: because the snapshot, or the identity beside it, knows better.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_sleds_file_is_an_error_or_an_older_log_and_never_garbage() {
    let truth = Truth::new().await;
    let (old, young) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let mut node = Node::on(old.path()).await.expect("opens");
    node.live(&truth).await.expect("lives");
    let lived = node.steps.clone();
    node.stop().await;
    let mut node = Node::on(young.path()).await.expect("opens");
    node.claim().await.expect("ours");
    node.vote(1, true).await.expect("voted");
    for index in 0..300 {
        node.append(vec![vec![normal(1, index, vec![document(index, 4000)])]]).await.expect("appends");
    }
    let (grown, all) = (node.steps.clone(), node.steps.len());
    node.stop().await;

    let (mut opened, mut refused) = (0, 0);
    for (dir, steps) in [(&old, &lived), (&young, &grown)] {
        let file = std::fs::read(dir.path().join("log/db")).expect("read");
        let written = file.iter().rposition(|&byte| byte != 0).expect("bytes");
        for place in (0..24).map(|n| written * n / 24) {
            for cut in [true, false] {
                let copy = damaged(dir.path(), |bytes| if cut { bytes.truncate(place) } else { bytes[place] ^= 0x10 });
                let Ok(mut node) = Node::on(copy.path()).await else {
                    refused += 1;
                    continue;
                };
                opened += 1;
                let found = Model::of(&mut node.store).await;
                let was = (0..=steps.len()).any(|count| {
                    let model = Model::after(&steps[..count]);
                    Model { snapshot: found.snapshot, ..model } == found
                });
                assert!(was, "{} {place} of {written}: found {found:#?}", if cut { "cut at" } else { "flipped at" });
                node.stop().await;
            }
        }
    }
    assert!(opened > 20 && refused > 20, "{opened} opened, {refused} refused, of {all} steps");
}

/// Far more than memory holds, read back from disk, then purged: sled wrote no side files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_entries_are_read_back_and_purged() {
    const ENTRIES: u64 = 100_000;
    let dir = TempDir::new().expect("a directory");
    let mut node = Node::on(dir.path()).await.expect("opens");
    let entry = |index| normal(1, index, vec![issue(index)]);
    node.vote(1, true).await.expect("voted");
    let (log, mut waiting) = (&mut node.store.log, vec![]);
    for first in (0..ENTRIES).step_by(250) {
        let (done, flushed) = TypeConfig::oneshot();
        log.append((first..first + 250).map(entry), IOFlushed::signal(done)).await.expect("appends");
        waiting.push(flushed);
    }
    for flushed in waiting {
        flushed.await.expect("answered").expect("durable");
    }
    let mut reader = log.get_log_reader().await;
    let old = reader.try_get_log_entries(500..510).await.expect("read");
    assert_eq!(old, (500..510).map(entry).collect::<Vec<_>>());
    let limited = reader.limited_get_log_entries(0, ENTRIES).await.expect("read");
    assert_eq!(limited.first(), Some(&entry(0)));
    assert!((1000..ENTRIES as usize / 2).contains(&limited.len()), "{} at a time", limited.len());
    let all: Vec<u64> = {
        let entries = reader.entries_stream(7..ENTRIES + 10).await;
        entries.map_ok(|entry| entry.log_id.index).try_collect().await.expect("read")
    };
    assert!(all.iter().copied().eq(7..ENTRIES));

    let entries = reader.entries_stream(..=99_990).await.map_ok(|entry| (entry, None));
    node.store.machine.apply(Box::pin(entries)).await.expect("applied");
    node.store.machine.get_snapshot_builder().await.build_snapshot().await.expect("a snapshot");
    for upto in [10_000, 10_001, 99_970] {
        log.purge(id(1, upto)).await.expect("purged");
        let (done, flushed) = TypeConfig::oneshot();
        let last = log.get_log_state().await.expect("there").last_log_id.expect("one").index;
        log.append(vec![entry(last + 1)], IOFlushed::signal(done)).await.expect("appends");
        flushed.await.expect("answered").expect("durable");
    }
    let left = reader.try_get_log_entries(0..).await.expect("read");
    assert_eq!(left, (99_971..ENTRIES + 3).map(entry).collect::<Vec<_>>());
    drop(reader);
    node.stop().await;
    let blobs = dir.path().join("log/blobs");
    assert_eq!(std::fs::read_dir(&blobs).map_or(0, Iterator::count), 0, "side files in {}", blobs.display());
    let mut node = Node::on(dir.path()).await.expect("opens again");
    let left = node.store.log.get_log_reader().await.try_get_log_entries(0..).await.expect("read");
    assert_eq!(left.len(), 32);
    node.stop().await;
}

/// sled runs into a full disk: here, a limit on file size in a process of its own. What it told before that is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_sled_stops_the_store_and_loses_nothing() {
    const CHILD: &str = "QUORATE_TEST_FILL";
    let entry = |index| normal(1, index, vec![document(index, 4000)]);
    if let Some(dir) = std::env::var_os(CHILD) {
        let mut node = Node::on(Path::new(&dir)).await.expect("opens");
        for index in 0.. {
            if node.append(vec![vec![entry(index)]]).await.is_err() {
                break;
            }
            println!("told {index}");
        }
        assert!(node.store.fatal.borrow().is_some());
        assert!(node.vote(8, false).await.is_err());
        println!("stopped");
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let child = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_full_disk_under_sled_stops_the_store_and_loses_nothing", "--nocapture"])
        .env(CHILD, dir.path())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("stopped"), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    let told =
        said.lines().filter_map(|line| line.strip_prefix("told ")?.parse::<u64>().ok()).next_back().expect("some");
    let mut node = Node::on(dir.path()).await.expect("opens again");
    let found = Model::of(&mut node.store).await.entries;
    assert!(found.len() as u64 > told, "{} found, {told} told", found.len());
    assert!(found.iter().zip(0..).all(|(found, index)| *found == entry(index)));
    node.lives_on("with room again").await;
    node.stop().await;
}

// ---- snapshots from peers ----------------------------------------------------------------------------------------

/// A peer sends nonsense: an error, and the node is as well as before.
#[tokio::test]
async fn a_snapshot_that_is_not_what_was_announced_is_refused() {
    let truth = Truth::new().await;
    let faults = Faults::new();
    let (log, snap) = (MemoryDisk::new(&faults), MemoryDisk::new(&faults));
    let node = Node::start(disks(&log, &snap)).await.expect("opens");
    let (meta, sum) = (&truth.leader.meta, truth.leader.snapshot.sum());
    let parts = truth.leader.snapshot.read(0, usize::MAX).await.expect("read");
    assert_eq!(parts.len() as u64, sum.parts);
    let snapshots = &node.store.snapshots;
    let attempt = async |sum, parts: Vec<Part>| {
        let mut receiver = snapshots.receive(meta.clone(), sum).await.expect("room");
        receiver.push(parts).await?;
        receiver.finish().await
    };
    let refused = async |sum, parts, why| {
        let error = attempt(sum, parts).await.err().unwrap_or_else(|| panic!("{why}"));
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{why}: {error}");
    };
    refused(sum, parts[1..].to_vec(), "a part less").await;
    refused(sum, [&parts[..], &parts[..1]].concat(), "a part more").await;
    refused(sum, parts.iter().rev().cloned().collect(), "another order").await;
    refused(sum, vec![Part(b"no part".to_vec())], "nonsense").await;
    refused(sum, vec![Part(vec![])], "an empty part").await;
    refused(Sum { crc: !sum.crc, ..sum }, parts.clone(), "another checksum").await;
    refused(Sum { bytes: sum.bytes - 1, ..sum }, parts.clone(), "fewer bytes").await;
    assert!(node.store.fatal.borrow().is_none());
    assert!(snapshots.current().is_none());
    let received = attempt(sum, parts.clone()).await.expect("the right ones are taken");
    assert_eq!(received.snapshot.sum(), sum);
    assert_eq!(received.snapshot.read(0, usize::MAX).await.expect("read"), parts);
    // Received is not installed: a restart knows nothing of it, and keeps nothing of it.
    let faults = Faults::new();
    let (log, snap) = (log.crash(usize::MAX, &faults), snap.crash(usize::MAX, &faults));
    let node = Node::start(disks(&log, &snap)).await.expect("opens");
    assert!(node.store.snapshots.current().is_none());
    assert_eq!(quorate_raft::store::Disk::trees(&snap).expect("trees"), ["meta"]);
}

/// While a laggard reads a snapshot, newer ones are taken; it reads to the end, then the old one goes.
#[tokio::test]
async fn a_snapshot_stays_while_it_is_read() {
    let truth = Truth::new().await;
    let faults = Faults::new();
    let (log, snap) = (MemoryDisk::new(&faults), MemoryDisk::new(&faults));
    let mut node = Node::start(disks(&log, &snap)).await.expect("opens");
    node.append(vec![truth.chain.clone()]).await.expect("appends");
    node.apply(id(2, 9)).await.expect("applies");
    assert_eq!(node.store.growth.snapshot_bytes(), 0);
    assert!(node.store.growth.is_due(0) && !node.store.growth.is_due(1 << 30));
    node.snapshot().await.expect("a snapshot");
    let old = node.store.snapshots.current().expect("it is there").snapshot;
    assert_eq!(node.store.growth.snapshot_bytes(), old.sum().bytes);
    assert_eq!(node.store.growth.since_snapshot(), 0, "all that was appended before, applied or not");
    node.apply(id(4, 23)).await.expect("applies");
    node.snapshot().await.expect("a snapshot");
    let trees = || quorate_raft::store::Disk::trees(&snap).expect("trees");
    assert_eq!(trees(), ["meta", "s-0", "s-1"]);
    let mut from = 0;
    while let Some(parts) = Some(old.read(from, 1).await.expect("read")).filter(|parts| !parts.is_empty()) {
        from += parts.len() as u64;
    }
    assert_eq!(from, old.sum().parts);
    drop(old);
    node.snapshot().await.expect("a snapshot");
    assert_eq!(trees(), ["meta", "s-2"]);
}
