//! Snapshots: written beside the log while writes go on, received from a leader, and handed to laggards part by part.
//!
//! ```text
//! write or receive parts → barrier → "current" points to them → barrier → the former ones go, once nobody reads them
//! ```
//! A snapshot is a tree of its own, `s-<n>`; its parts are packed as `records` says. Only the one that "current" points to outlives a
//! restart. Two snapshots of the same position differ in number, not in content (G9).

use super::{
    LogId, Snapshot, SnapshotMeta,
    disk::{Disk, Tree, aside, away},
    fatal::FailStop,
    records::{self, Packer, corrupt, seal, setting},
};
use crate::{
    codec,
    owners::Clock,
    state::{Frozen, Part, State, StateBuilder},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt, io,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// Key of the pointer to the current snapshot, in the tree "meta".
const CURRENT: &[u8] = b"current";
/// Key of the id of the node that these snapshots belong to, in the tree "meta".
const NODE: &[u8] = b"node";
/// Tree names begin with it.
const PREFIX: &str = "s-";

/// What the parts of a snapshot come to: for whoever receives them, and for ourselves on the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many there are.
    pub parts: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// CRC-32 over each part's length (u64, big-endian) and content, in order.
    pub crc: u32,
}

impl Sum {
    fn add(&mut self, part: &[u8]) {
        let length = part.len() as u64;
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(&length.to_be_bytes());
        hasher.update(part);
        *self = Self { parts: self.parts + 1, bytes: self.bytes + length, crc: hasher.finalize() };
    }
}

/// The pointer to the current snapshot.
#[derive(Serialize, Deserialize)]
struct Pointer {
    number: u64,
    meta: SnapshotMeta,
    sum: Sum,
}

/// How much log there is beyond the current snapshot, and how large that is. Taking the next one when the former exceeds the
/// latter makes the cost of snapshots a constant share of the cost of writing.
#[derive(Debug, Default)]
pub struct Growth {
    appended: AtomicU64,
    covered: AtomicU64,
    size: AtomicU64,
}

impl Growth {
    /// Bytes of log entries appended since the current snapshot was taken.
    pub fn since_snapshot(&self) -> u64 {
        self.appended().saturating_sub(self.covered.load(Ordering::Relaxed))
    }

    /// Bytes of the current snapshot; 0 if there is none.
    pub fn snapshot_bytes(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Whether a snapshot should be taken: there is more log than snapshot, and more than `floor` bytes of it.
    pub fn is_due(&self, floor: u64) -> bool {
        self.since_snapshot() > self.snapshot_bytes().max(floor)
    }

    pub(super) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    pub(super) fn append(&self, bytes: usize) {
        self.appended.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn snapshot(&self, covered: u64, size: u64) {
        self.covered.store(covered, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
    }
}

/// A snapshot that lies on disk. Cheap to clone; while one is around, its parts stay.
#[derive(Clone)]
pub struct SnapshotHandle(Arc<Stored>);

struct Stored {
    disk: Arc<dyn Disk>,
    tree: Arc<dyn Tree>,
    number: Number,
    sum: Sum,
    /// What was decoded on the way in, so that it need not be read again.
    decoded: Mutex<Option<(State, Clock)>>,
}

/// The number of a tree that is in use. Dropping the tree is work for later, and for a thread that may wait.
struct Number {
    number: u64,
    unused: Arc<Mutex<Vec<u64>>>,
}

impl Drop for Number {
    fn drop(&mut self) {
        lock(&self.unused).push(self.number);
    }
}

impl fmt::Debug for SnapshotHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotHandle").field("number", &self.0.number.number).field("sum", &self.0.sum).finish()
    }
}

impl SnapshotHandle {
    /// What the parts come to.
    pub fn sum(&self) -> Sum {
        self.0.sum
    }

    /// Parts from number `from` on, about `most` bytes of them and at least one. None: that was all.
    ///
    /// # Errors
    /// Whatever the disk says; `InvalidData` if a part is damaged.
    pub async fn read(&self, from: u64, most: usize) -> io::Result<Vec<Part>> {
        let stored = self.0.clone();
        away(&self.0.disk, move || {
            let (mut parts, mut bytes) = (Vec::new(), 0);
            records::read(&*stored.tree, from, &mut |_, part| {
                if bytes >= most && !parts.is_empty() {
                    return Ok(ControlFlow::Break(()));
                }
                bytes += part.len();
                parts.push(Part(part.to_vec()));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(parts)
        })
        .await
    }

    /// Visits every part in order, and checks at the end that it was all of them. Waits for the disk.
    ///
    /// # Errors
    /// Whatever `visit` or the disk says; `InvalidData` if a part is damaged or missing.
    pub fn for_each_part(&self, visit: &mut dyn FnMut(Part) -> io::Result<()>) -> io::Result<()> {
        let mut sum = Sum::default();
        records::read(&*self.0.tree, 0, &mut |_, part| {
            sum.add(part);
            visit(Part(part.to_vec()))?;
            Ok(ControlFlow::Continue(()))
        })?;
        if sum == self.0.sum { Ok(()) } else { Err(corrupt("the parts of the snapshot are not what was written")) }
    }

    /// The state that it holds. Waits for the disk.
    fn state(&self) -> io::Result<(State, Clock)> {
        if let Some(decoded) = lock(&self.0.decoded).take() {
            return Ok(decoded);
        }
        let mut builder = StateBuilder::default();
        self.for_each_part(&mut |part| Ok(builder.push(&part)?))?;
        Ok(builder.finish())
    }
}

/// All snapshots of a node: the current one, those on their way in or being written, those still read.
#[derive(Clone)]
pub struct Snapshots(Arc<Inner>);

/// See [`Snapshots::downgrade`].
#[derive(Clone)]
pub(super) struct WeakSnapshots(Weak<Inner>);

impl WeakSnapshots {
    pub fn upgrade(&self) -> Option<Snapshots> {
        self.0.upgrade().map(Snapshots)
    }
}

struct Inner {
    disk: Arc<dyn Disk>,
    meta: Arc<dyn Tree>,
    stop: FailStop,
    growth: Arc<Growth>,
    current: Mutex<Option<Snapshot>>,
    next: AtomicU64,
    /// Numbers of trees that nobody holds any more.
    unused: Arc<Mutex<Vec<u64>>>,
    /// Held while "current" is switched.
    switching: Mutex<()>,
}

/// What a node starts from.
pub(super) struct Restored {
    pub meta: SnapshotMeta,
    pub state: State,
    pub clock: Clock,
    /// The node that the snapshots say they belong to.
    pub node: Option<u64>,
}

impl Restored {
    /// The last entry that is part of it.
    pub fn covers(&self) -> Option<LogId> {
        self.meta.last_log_id
    }
}

impl Snapshots {
    /// Opens the snapshots on `disk` and loads the current one; an empty state if there is none.
    pub(super) async fn open(disk: Arc<dyn Disk>, stop: FailStop, growth: Arc<Growth>) -> io::Result<(Self, Restored)> {
        let opening = disk.clone();
        away(&disk, move || {
            let meta = opening.tree("meta")?;
            let pointer = setting::<Pointer>(&*meta, CURRENT)?;
            let node = setting(&*meta, NODE)?;
            let number = pointer.as_ref().map(|pointer| pointer.number);
            let leftovers = opening.trees()?.into_iter().filter(|name| name.starts_with(PREFIX));
            let keep = number.map(name);
            for leftover in leftovers.filter(|name| Some(name) != keep.as_ref()) {
                opening.drop_tree(&leftover)?;
            }
            opening.barrier()?;
            let unused = Arc::default();
            let snapshots = Self(Arc::new(Inner {
                disk: opening,
                meta,
                stop,
                growth,
                current: Mutex::default(),
                next: AtomicU64::new(number.map_or(0, |number| number + 1)),
                unused,
                switching: Mutex::default(),
            }));
            let Some(Pointer { number, meta, sum }) = pointer else {
                let (state, clock) = StateBuilder::default().finish();
                return Ok((snapshots, Restored { meta: SnapshotMeta::default(), state, clock, node }));
            };
            let handle = snapshots.stored(snapshots.number(number), sum, None)?;
            let (state, clock) = handle.state()?;
            snapshots.0.growth.snapshot(0, sum.bytes);
            *lock(&snapshots.0.current) = Some(Snapshot { meta: meta.clone(), snapshot: handle });
            Ok((snapshots, Restored { meta, state, clock, node }))
        })
        .await
    }

    /// The snapshot that a restart would begin with.
    pub fn current(&self) -> Option<Snapshot> {
        lock(&self.0.current).clone()
    }

    /// Remembers whose these snapshots are, so that a log that was lost is missed.
    pub(super) async fn mark(&self, node: u64) -> io::Result<()> {
        let this = self.clone();
        away(&self.0.disk, move || {
            this.0.stop.check()?;
            let put = this.0.meta.put(NODE, &seal(NODE, &codec::encode(&node)?));
            this.0.stop.guard("saving the identity", put.and_then(|()| this.0.disk.barrier()))
        })
        .await
    }

    /// A handle that does not keep the disk open.
    pub(super) fn downgrade(&self) -> WeakSnapshots {
        WeakSnapshots(Arc::downgrade(&self.0))
    }

    pub(super) fn growth(&self) -> &Growth {
        &self.0.growth
    }

    /// Makes room for a snapshot from a peer, which says that it covers `meta` and comes to `sum`.
    ///
    /// # Errors
    /// The store has failed.
    pub async fn receive(&self, meta: SnapshotMeta, sum: Sum) -> io::Result<SnapshotReceiver> {
        let this = self.clone();
        let incoming = away(&self.0.disk, move || this.0.stop.guard("receiving a snapshot", this.begin())).await?;
        let incoming = Some((incoming, StateBuilder::default()));
        Ok(SnapshotReceiver { snapshots: self.clone(), meta, announced: sum, incoming })
    }

    /// Writes what was frozen, and makes it the current snapshot unless a newer one has become that meanwhile.
    pub(super) async fn write(
        &self,
        meta: SnapshotMeta,
        clock: Clock,
        frozen: Frozen,
        covered: u64,
    ) -> io::Result<Snapshot> {
        let this = self.clone();
        aside(&self.0.disk, move || {
            let written = this.begin().and_then(|mut incoming| {
                frozen.write(clock, &mut |part| incoming.write(&part))?;
                let snapshot = Snapshot { meta, snapshot: this.seal(incoming, None)? };
                this.switch(&snapshot, covered)?;
                Ok(snapshot)
            });
            this.0.stop.guard("writing a snapshot", written)
        })
        .await
    }

    /// Makes a snapshot the current one, durably, and decodes it.
    pub(super) async fn install(&self, meta: SnapshotMeta, handle: SnapshotHandle) -> io::Result<(State, Clock)> {
        let this = self.clone();
        away(&self.0.disk, move || {
            let installed = this.adopt(handle).and_then(|handle| {
                let decoded = handle.state()?;
                this.switch(&Snapshot { meta, snapshot: handle }, this.0.growth.appended())?;
                Ok(decoded)
            });
            this.0.stop.guard("installing a snapshot", installed)
        })
        .await
    }

    /// The same snapshot on our own disk.
    fn adopt(&self, handle: SnapshotHandle) -> io::Result<SnapshotHandle> {
        if Arc::ptr_eq(&handle.0.number.unused, &self.0.unused) {
            return Ok(handle);
        }
        let mut incoming = self.begin()?;
        handle.for_each_part(&mut |part| incoming.write(&part))?;
        self.seal(incoming, None)
    }

    fn begin(&self) -> io::Result<Incoming> {
        self.0.stop.check()?;
        let number = self.number(self.0.next.fetch_add(1, Ordering::Relaxed));
        let tree = self.0.disk.tree(&name(number.number))?;
        Ok(Incoming { number, tree, packer: Packer::default(), sum: Sum::default() })
    }

    /// Makes the parts that were written safe.
    fn seal(&self, incoming: Incoming, decoded: Option<(State, Clock)>) -> io::Result<SnapshotHandle> {
        let Incoming { number, tree, mut packer, sum } = incoming;
        packer.flush(&*tree)?;
        self.0.disk.barrier()?;
        self.stored(number, sum, decoded)
    }

    fn stored(&self, number: Number, sum: Sum, decoded: Option<(State, Clock)>) -> io::Result<SnapshotHandle> {
        let (disk, tree) = (self.0.disk.clone(), self.0.disk.tree(&name(number.number))?);
        Ok(SnapshotHandle(Arc::new(Stored { disk, tree, number, sum, decoded: Mutex::new(decoded) })))
    }

    fn number(&self, number: u64) -> Number {
        Number { number, unused: self.0.unused.clone() }
    }

    /// Points "current" to a snapshot whose parts are safe.
    fn switch(&self, snapshot: &Snapshot, covered: u64) -> io::Result<()> {
        let _one_at_a_time = lock(&self.0.switching);
        let current = self.current();
        let is_old = |current: &Snapshot| {
            current.meta.last_log_id > snapshot.meta.last_log_id
                || Arc::ptr_eq(&current.snapshot.0, &snapshot.snapshot.0)
        };
        if !current.as_ref().is_some_and(is_old) {
            let (number, sum) = (snapshot.snapshot.0.number.number, snapshot.snapshot.0.sum);
            let pointer = Pointer { number, meta: snapshot.meta.clone(), sum };
            self.0.meta.put(CURRENT, &seal(CURRENT, &codec::encode(&pointer)?))?;
            self.0.disk.barrier()?;
            *lock(&self.0.current) = Some(snapshot.clone());
            self.0.growth.snapshot(covered, sum.bytes);
        }
        drop(current);
        let unused = std::mem::take(&mut *lock(&self.0.unused));
        unused.into_iter().try_for_each(|number| self.0.disk.drop_tree(&name(number)))?;
        self.0.disk.check()
    }
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// A snapshot that is being written.
struct Incoming {
    number: Number,
    tree: Arc<dyn Tree>,
    packer: Packer,
    sum: Sum,
}

impl Incoming {
    fn write(&mut self, part: &Part) -> io::Result<()> {
        self.packer.push(&*self.tree, self.sum.parts, &part.0)?;
        self.sum.add(&part.0);
        Ok(())
    }
}

/// A snapshot that comes in from a peer. Dropped before [`SnapshotReceiver::finish`], it was never there.
pub struct SnapshotReceiver {
    snapshots: Snapshots,
    meta: SnapshotMeta,
    announced: Sum,
    /// Gone after an error.
    incoming: Option<(Incoming, StateBuilder)>,
}

impl SnapshotReceiver {
    /// The number of the part that is due next.
    pub fn next(&self) -> u64 {
        self.incoming.as_ref().map_or(0, |(incoming, _)| incoming.sum.parts)
    }

    /// Takes the next parts, in order. Each is decoded at once, so that what is wrong is refused before it counts.
    ///
    /// # Errors
    /// `InvalidData` if they are not what was announced, or not parts of a snapshot: the sender's fault, this node is well.
    /// Anything else: the store has failed. Either way the receiver is of no more use.
    pub async fn push(&mut self, parts: Vec<Part>) -> io::Result<()> {
        let (mut incoming, mut builder) = self.incoming.take().ok_or_else(abandoned)?;
        let (snapshots, announced) = (self.snapshots.clone(), self.announced);
        let taken = away(&self.snapshots.0.disk, move || {
            for part in parts {
                builder.push(&part)?;
                snapshots.0.stop.guard("receiving a snapshot", incoming.write(&part))?;
                if incoming.sum.parts > announced.parts || incoming.sum.bytes > announced.bytes {
                    return Err(invalid("more parts than were announced"));
                }
            }
            Ok((incoming, builder))
        })
        .await?;
        self.incoming = Some(taken);
        Ok(())
    }

    /// The complete snapshot, on disk, decoded, and ready to be installed.
    ///
    /// # Errors
    /// As [`SnapshotReceiver::push`].
    pub async fn finish(mut self) -> io::Result<Snapshot> {
        let (incoming, builder) = self.incoming.take().ok_or_else(abandoned)?;
        if incoming.sum != self.announced {
            return Err(invalid("the parts are not what was announced"));
        }
        let snapshots = self.snapshots.clone();
        let finished = away(&self.snapshots.0.disk, move || {
            let sealed = snapshots.seal(incoming, Some(builder.finish()));
            snapshots.0.stop.guard("receiving a snapshot", sealed)
        });
        Ok(Snapshot { meta: self.meta, snapshot: finished.await? })
    }
}

fn abandoned() -> io::Error {
    invalid("an earlier part was refused")
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("snapshot from a peer: {what}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
