//! openraft's log storage: [`LogStore`] writes, [`LogReader`] reads. Appending returns at once; the writer reports when it
//! is durable. The newest entries are served from memory, older ones from disk.

use super::{
    Entry, LogId, Runtime, TypeConfig, Vote,
    disk::{Disk, Tree, away},
    fatal::FailStop,
    records::{self, corrupt, setting},
    snapshot::{Growth, Restored, Snapshots, WeakSnapshots},
    writer::{Io, Progress, Writer, meta},
};
use crate::{codec, limits::MAX_DECODE_BYTES};
use futures_util::{Stream, TryStreamExt, stream};
use openraft::{
    AsyncRuntime, OptionalSend, RaftLogReader,
    storage::{IOFlushed, LogState, RaftLogStorage},
};
use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, ControlFlow, RangeBounds},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// Most entries that are kept in memory once they are on disk.
const TAIL_ENTRIES: usize = 4096;
/// Most bytes of them, encoded. Decoded they take three to four times as much, on every node, for good.
const TAIL_BYTES: usize = 4 << 20;
/// Aimed size of what is read, or sent to a peer, at a time.
const READ_BYTES: usize = 2 << 20;
/// The layout that this build writes and reads.
const FORMAT: u32 = 1;

/// The log as openraft writes it.
pub struct LogStore {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Io>,
}

/// The log as replication and the state machine read it.
#[derive(Clone)]
pub struct LogReader {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    log: Arc<dyn Tree>,
    stop: FailStop,
    growth: Arc<Growth>,
    state: Mutex<State>,
}

/// What the log is, including what is not on disk yet.
#[derive(Default)]
struct State {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// Where a log begins of which nothing has been purged; 0, but for openraft's tests.
    begin: u64,
    last: Option<LogId>,
    tail: Tail,
    /// Entries below are on disk.
    durable: u64,
}

/// The newest entries, without gaps: what is not on disk yet, and as much more as there is room for.
#[derive(Default)]
struct Tail {
    /// Each with its encoded size.
    entries: VecDeque<(Entry, usize)>,
    bytes: usize,
}

impl Tail {
    /// Index of the first entry.
    fn first(&self) -> Option<u64> {
        self.entries.front().map(|(entry, _)| entry.log_id.index)
    }

    fn push(&mut self, entry: Entry, size: usize) {
        self.bytes += size;
        self.entries.push_back((entry, size));
    }

    fn pop(&mut self) {
        self.bytes -= self.entries.pop_front().map_or(0, |(_, size)| size);
    }

    /// Forgets entries that are below `durable`, oldest first, until the bounds hold.
    fn trim(&mut self, durable: u64) {
        while (self.entries.len() > TAIL_ENTRIES || self.bytes > TAIL_BYTES)
            && self.first().is_some_and(|i| i < durable)
        {
            self.pop();
        }
    }

    /// Forgets entries from `from` on.
    fn truncate(&mut self, from: u64) {
        while self.entries.back().is_some_and(|(entry, _)| entry.log_id.index >= from) {
            self.bytes -= self.entries.pop_back().map_or(0, |(_, size)| size);
        }
    }

    /// Forgets entries below `before`.
    fn purge(&mut self, before: u64) {
        while self.first().is_some_and(|index| index < before) {
            self.pop();
        }
    }
}

impl State {
    /// The first index that can be read.
    fn first(&self) -> u64 {
        next(self.purged).max(self.begin)
    }
}

/// The index after `at`.
fn next(at: Option<LogId>) -> u64 {
    at.map_or(0, |at| at.index + 1)
}

/// What [`Shared::recent`] found.
enum Found {
    Entries(Vec<Entry>),
    /// Those from the first index, below the second, are on disk only.
    OnDisk(u64, u64),
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries from `start` on, below `end`: about [`READ_BYTES`], and at least one if there is one.
    async fn some(self: &Arc<Self>, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        loop {
            let (from, to) = match self.recent(start, end) {
                Found::Entries(entries) => return Ok(entries),
                Found::OnDisk(from, to) => (from, to),
            };
            let log = self.log.clone();
            let read = away(&self.disk, move || old(&*log, from, to)).await;
            match read {
                Ok(entries) if entries.first().is_some_and(|entry| entry.log_id.index == from) => return Ok(entries),
                // It was purged while we read.
                _ if self.state().first() > from => {}
                Ok(_) => {
                    return self.stop.guard("reading the log", Err(corrupt(format_args!("entry {from} is missing"))));
                }
                Err(error) => return self.stop.guard("reading the log", Err(error)),
            }
        }
    }

    fn recent(&self, start: u64, end: u64) -> Found {
        let state = self.state();
        let (start, end) = (start.max(state.first()), end.min(next(state.last)));
        if start >= end {
            return Found::Entries(Vec::new());
        }
        let Some(first) = state.tail.first().filter(|&first| first <= start) else {
            return Found::OnDisk(start, state.tail.first().map_or(end, |first| end.min(first)));
        };
        let mut bytes = 0;
        let skip = usize::try_from(start - first).unwrap_or(usize::MAX);
        let most = usize::try_from(end - start).unwrap_or(usize::MAX);
        let entries = state.tail.entries.iter().skip(skip).take(most).take_while(|(_, size)| {
            let before = bytes;
            bytes += size;
            before < READ_BYTES
        });
        Found::Entries(entries.map(|(entry, _)| entry.clone()).collect())
    }
}

/// Reads entries from disk: about [`READ_BYTES`], and at least one if there is one.
fn old(log: &dyn Tree, from: u64, to: u64) -> io::Result<Vec<Entry>> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    records::read(log, from, &mut |index, frame| {
        if index >= to || bytes >= READ_BYTES {
            return Ok(ControlFlow::Break(()));
        }
        bytes += frame.len();
        entries.push(decode(index, frame)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}

fn decode(index: u64, frame: &[u8]) -> io::Result<Entry> {
    let entry: Entry = codec::decode(frame)?;
    if entry.log_id.index == index {
        Ok(entry)
    } else {
        Err(corrupt(format_args!("entry {} in the place of entry {index}", entry.log_id.index)))
    }
}

impl Progress for Arc<Shared> {
    fn durable(&self, next: u64) {
        let mut state = self.state();
        state.durable = next;
        state.tail.trim(next);
    }
}

/// `range` as first index and index after the last.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let (start, end) = bounds(&range);
        let mut entries = self.shared.some(start, end).await?;
        while let Some(last) = entries.last() {
            let more = self.shared.some(last.log_id.index + 1, end).await?;
            if more.is_empty() {
                break;
            }
            entries.extend(more);
        }
        Ok(entries)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.shared.some(start, end).await
    }

    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let shared = self.shared.clone();
        let groups = stream::try_unfold((shared, start), move |(shared, start)| async move {
            let entries = shared.some(start, end).await?;
            Ok::<_, io::Error>(entries.last().map(|last| last.log_id.index + 1).map(|next| (entries, (shared, next))))
        });
        groups.map_ok(|entries| stream::iter(entries.into_iter().map(Ok))).try_flatten()
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.shared.state().vote)
    }
}

impl LogStore {
    /// Hands a request to the writer.
    fn ask(&self, io: Io) -> io::Result<()> {
        ask(&self.shared.stop, &self.queue, io)
    }

    /// Hands a request to the writer and waits until it is durable.
    async fn ask_and_wait(&self, io: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Io) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.ask(io(done))?;
        answer.await.map_err(|_| gone())?
    }
}

fn ask(stop: &FailStop, queue: &mpsc::UnboundedSender<Io>, io: Io) -> io::Result<()> {
    stop.check()?;
    queue.send(io).map_err(|_| gone())
}

/// The writer went without an answer.
fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the log writer has stopped")
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.shared.state();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader { shared: self.shared.clone() }
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let value = codec::encode(vote)?;
        self.ask_and_wait(|done| Io::Set(meta::VOTE, value, done)).await?;
        self.shared.state().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.ask(Io::Committed(committed))?;
            self.shared.state().committed = Some(committed);
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.shared.state().committed)
    }

    async fn append<I>(&mut self, entries: I, done: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.shared.stop.check()?;
        let (mut encoded, mut frames, mut bytes) = (Vec::new(), Vec::new(), 0);
        for entry in entries {
            let frame = codec::encode(&entry)?;
            if frame.len() > MAX_DECODE_BYTES {
                let error = format!("entry {} is larger than any reader accepts", entry.log_id.index);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
            }
            bytes += frame.len();
            encoded.push((entry, frame.len()));
            frames.push(frame);
        }
        let Some(first) = encoded.first().map(|(entry, _)| entry.log_id.index) else {
            done.io_completed(Ok(()));
            return Ok(());
        };
        {
            let mut state = self.shared.state();
            let due = (first..).zip(&encoded).all(|(index, (entry, _))| entry.log_id.index == index);
            if !due || state.last.is_some_and(|last| last.index + 1 != first) {
                let error = format!("entries from {first} on do not follow {:?}", state.last);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
            }
            if state.last.is_none() {
                state.begin = first;
            }
            for (entry, size) in encoded {
                state.last = Some(entry.log_id);
                state.tail.push(entry, size);
            }
        }
        self.shared.growth.append(bytes);
        self.ask(Io::Append { first, frames, done })
    }

    async fn truncate_after(&mut self, after: Option<LogId>) -> io::Result<()> {
        let from = next(after);
        {
            let mut state = self.shared.state();
            if next(state.last) <= from {
                return Ok(());
            }
            state.last = if from > state.first() { after } else { state.purged };
            state.tail.truncate(from);
        }
        self.ask_and_wait(|done| Io::Truncate(from, done)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        {
            let mut state = self.shared.state();
            if next(state.purged) > upto.index {
                return Ok(());
            }
            state.purged = Some(upto);
            if next(state.last) <= upto.index {
                state.last = Some(upto);
            }
            state.tail.purge(upto.index + 1);
        }
        self.ask_and_wait(|done| Io::Purge(upto, done)).await
    }
}

/// Whose data these are. A node id is never used again for an emptied disk, so a disk remembers whose it is.
#[derive(Clone)]
pub struct Identity {
    stop: FailStop,
    queue: mpsc::WeakUnboundedSender<Io>,
    snapshots: WeakSnapshots,
    known: Arc<Mutex<(Option<u64>, Option<u128>)>>,
}

impl Identity {
    /// The node that these data belong to; none if they are new.
    pub fn node(&self) -> Option<u64> {
        self.known().0
    }

    /// The cluster that they belong to; none if that has not been said yet.
    pub fn cluster(&self) -> Option<u128> {
        self.known().1
    }

    /// Makes them this node's, once and for all.
    ///
    /// # Errors
    /// `AlreadyExists` if they are another's; whatever the disk says.
    pub async fn claim_node(&self, id: u64) -> io::Result<()> {
        match self.node() {
            Some(known) if known == id => Ok(()),
            Some(known) => Err(taken(format_args!("node {known}"), format_args!("node {id}"))),
            None => {
                self.set(meta::NODE, codec::encode(&id)?).await?;
                self.snapshots.upgrade().ok_or_else(gone)?.mark(id).await?;
                self.known().0 = Some(id);
                Ok(())
            }
        }
    }

    /// Makes them this cluster's, once and for all.
    ///
    /// # Errors
    /// `AlreadyExists` if they are another's; whatever the disk says.
    pub async fn claim_cluster(&self, id: u128) -> io::Result<()> {
        match self.cluster() {
            Some(known) if known == id => Ok(()),
            Some(known) => Err(taken(format_args!("cluster {known:032x}"), format_args!("cluster {id:032x}"))),
            None => {
                self.set(meta::CLUSTER, codec::encode(&id)?).await?;
                self.known().1 = Some(id);
                Ok(())
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, (Option<u64>, Option<u128>)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn set(&self, key: &'static str, value: Vec<u8>) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        {
            let queue = self.queue.upgrade().ok_or_else(gone)?;
            ask(&self.stop, &queue, Io::Set(key, value, done))?;
        }
        answer.await.map_err(|_| gone())?
    }
}

fn taken(owner: impl std::fmt::Display, other: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("this data directory belongs to {owner}, not to {other}"))
}

/// Opens the log on `disk`: checks it from end to end and against the snapshot, and starts its writer.
pub(super) async fn open(
    disk: Arc<dyn Disk>,
    stop: FailStop,
    growth: Arc<Growth>,
    snapshots: &Snapshots,
    restored: &Restored,
) -> io::Result<(LogStore, Identity)> {
    let (reading, covered) = (disk.clone(), restored.covers());
    let (log, state, known, beyond) = away(&disk, move || recover(&*reading, covered)).await?;
    match (known.0, restored.node) {
        // The power went in the middle of a claim.
        (Some(node), None) => snapshots.mark(node).await?,
        (node, marked) if node == marked => {}
        (node, marked) => {
            return Err(corrupt(format_args!("a log of node {node:?} beside snapshots of node {marked:?}")));
        }
    }
    growth.append(beyond);
    let durable = state.durable;
    let shared = Arc::new(Shared { disk: disk.clone(), log, stop: stop.clone(), growth, state: Mutex::new(state) });
    let (queue, requests) = mpsc::unbounded_channel();
    let writer = Writer::new(disk, stop.clone(), shared.clone(), durable)?;
    if writer.is_simulated() {
        drop(Runtime::spawn(writer.run(requests)));
    } else {
        let alone = tokio::runtime::Builder::new_current_thread().build()?;
        thread::Builder::new().name("raft-log-io".into()).spawn(move || alone.block_on(writer.run(requests)))?;
    }
    let (queue_of_log, snapshots) = (queue.downgrade(), snapshots.downgrade());
    let identity = Identity { stop, queue: queue_of_log, snapshots, known: Arc::new(Mutex::new(known)) };
    Ok((LogStore { shared, queue }, identity))
}

type Recovered = (Arc<dyn Tree>, State, (Option<u64>, Option<u128>), usize);

/// Reads what a former process left. The last number is the size of the entries that the snapshot does not cover.
fn recover(disk: &dyn Disk, covered: Option<LogId>) -> io::Result<Recovered> {
    let (log, meta) = (disk.tree("log")?, disk.tree("meta")?);
    match setting::<u32>(&*meta, meta::FORMAT.as_bytes())? {
        Some(FORMAT) => {}
        Some(other) => return Err(corrupt(format_args!("format {other} is unknown to this build"))),
        None => {
            let key = meta::FORMAT.as_bytes();
            meta.put(key, &records::seal(key, &codec::encode(&FORMAT)?))?;
            disk.barrier()?;
        }
    }
    let mut state = State {
        vote: setting(&*meta, meta::VOTE.as_bytes())?,
        committed: setting(&*meta, meta::COMMITTED.as_bytes())?,
        purged: setting(&*meta, meta::PURGED.as_bytes())?,
        ..State::default()
    };
    // sled cuts a damaged log short without a word. What is known otherwise must fit what is left of it.
    if let Some(purged) = state.purged.filter(|purged| covered.is_none_or(|covered| covered.index < purged.index)) {
        return Err(corrupt(format_args!("the log was purged up to {purged}, the snapshot covers {covered:?} only")));
    }
    if let Some(covered) = covered.filter(|covered| state.vote.is_none_or(|vote| vote.leader_id < covered.leader_id)) {
        return Err(corrupt(format_args!("the last vote is older than the snapshot, which covers {covered}")));
    }
    // A purge that did not come to its end.
    records::sweep(&*log, state.first(), usize::MAX)?;
    disk.check()?;
    state.last = state.purged;
    let mut size = 0;
    let (mut first, mut frames, mut held) = (None, VecDeque::<(u64, Vec<u8>)>::new(), 0);
    records::read(&*log, state.first(), &mut |index, frame| {
        first.get_or_insert(index);
        if index >= next(covered) {
            size += frame.len();
        }
        held += frame.len();
        frames.push_back((index, frame.to_vec()));
        while frames.len() > TAIL_ENTRIES || held > TAIL_BYTES && frames.len() > 1 {
            held -= frames.pop_front().map_or(0, |(_, frame)| frame.len());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let (Some(first), Some(purged)) = (first, state.purged)
        && first != purged.index + 1
    {
        return Err(corrupt(format_args!("entries between {purged} and {first} are missing")));
    }
    state.begin = first.unwrap_or_default();
    for (index, frame) in frames {
        let entry = decode(index, &frame)?;
        state.last = Some(entry.log_id);
        state.tail.push(entry, frame.len());
    }
    if let Some(committed) = state.committed
        && committed.index >= next(state.last)
    {
        let end = next(state.last);
        return Err(corrupt(format_args!(
            "the log ends before {end}, but {committed} was on disk: it has lost entries"
        )));
    }
    state.durable = next(state.last);
    let known = (setting(&*meta, meta::NODE.as_bytes())?, setting(&*meta, meta::CLUSTER.as_bytes())?);
    Ok((log, state, known, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Command, Draft, ProposalId, Stamp};
    use openraft::{entry::RaftEntry, testing::log_id};

    /// openraft's types are part of the log format; a new openraft that writes them differently must not go unnoticed.
    #[test]
    fn what_openraft_adds_to_the_format_is_pinned() {
        let at = log_id::<TypeConfig>(3, 2, 300);
        assert_eq!(codec::encode(&at).expect("encodes"), [2, 3, 2, 251, 44, 1]);
        assert_eq!(codec::encode(&Vote::new_committed(3, 2)).expect("encodes"), [2, 3, 2, 1]);
        assert_eq!(codec::encode(&Entry::new_blank(at)).expect("encodes"), [2, 3, 2, 251, 44, 1, 0]);
        let draft = Draft { id: ProposalId(5), deadline: Stamp(10), command: Command::Tick };
        let normal = Entry::new_normal(at, Batch { at: Stamp(9), drafts: vec![draft] });
        assert_eq!(codec::encode(&normal).expect("encodes"), [2, 3, 2, 251, 44, 1, 1, 9, 1, 5, 10, 0]);
    }
}
