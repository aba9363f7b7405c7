//! The power goes between any two operations of the disks, the disk is full at any operation, the medium lies: whatever
//! was reported durable is there afterwards, and what is not whole is not believed.
//!
//! A history of everything that openraft asks of a store is run against a model. For each operation of the disks it is run
//! again up to there; of the writes that no barrier covered, some are kept. What the next process finds must be the model
//! at some point between the last thing that was reported and the last thing that was asked for.

use futures_util::stream;
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
    state::PlainOwners,
    store::{
        Disks, Entry, LogId, Opened, Peer, Snapshot, TypeConfig, Vote,
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
    let drafts = drafts.map(|(n, command)| Draft { id: ProposalId(u128::from(index) << 64 | n), command }).collect();
    Entry::new_normal(id(term, index), Batch { at: Stamp(1000 * index), drafts })
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
