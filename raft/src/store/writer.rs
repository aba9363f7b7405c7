//! The only writer of the log. Takes what has queued up while the last barrier ran, writes it, asks for one barrier, and
//! only then says that it is durable: group commit.
//!
//! The loop knows a queue and a [`Disk`], nothing else: a plain thread runs it over sled, a task of the simulation over
//! memory. Votes, truncations, purges and settings end a group, and get a barrier of their own.

use super::{
    LogId, TypeConfig,
    disk::{Disk, Tree, settle},
    fatal::FailStop,
    records::{Packer, RECORD, seal, sweep, truncate},
};
use crate::codec;
use openraft::storage::IOFlushed;
use std::{io, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Most entries of one group.
const GROUP_ENTRIES: usize = 4096;
/// Bytes after which a group is closed.
const GROUP_BYTES: usize = 8 << 20;
/// Purged records that are removed at a time while nobody waits.
const SWEEP_IDLE: usize = 64;
/// Purged records that are removed after each group, and twice what it wrote: so that a log that is never idle shrinks too.
const SWEEP_BUSY: usize = 8;

/// Keys in the tree "meta".
pub mod meta {
    /// The last vote.
    pub const VOTE: &str = "vote";
    /// The last log id that is known to be committed.
    pub const COMMITTED: &str = "committed";
    /// The last log id that was purged.
    pub const PURGED: &str = "purged";
    /// Version of the layout.
    pub const FORMAT: &str = "format";
    /// The node's id.
    pub const NODE: &str = "node";
    /// The cluster's id.
    pub const CLUSTER: &str = "cluster";
}

/// Something to be written. What carries a `done` is durable when that is answered with `Ok`.
pub enum Io {
    /// Encoded entries that follow those before.
    Append {
        /// Index of the first of them.
        first: u64,
        /// All of them.
        frames: Vec<Vec<u8>>,
        /// openraft's.
        done: IOFlushed<TypeConfig>,
    },
    /// Goes along with a later group.
    Committed(LogId),
    /// Removes entries from this index on.
    Truncate(u64, Done),
    /// Removes entries up to this one, which may come to pass later.
    Purge(LogId, Done),
    /// Sets a record of the tree "meta".
    Set(&'static str, Vec<u8>, Done),
}

/// Told whether it is durable.
pub type Done = oneshot::Sender<io::Result<()>>;

/// What the writer tells readers: how far the log is on disk.
pub trait Progress: Send + 'static {
    /// Every entry below `next` is durable, and can be read from disk.
    fn durable(&self, next: u64);
}

/// See the module.
pub struct Writer<P> {
    disk: Arc<dyn Disk>,
    log: Arc<dyn Tree>,
    meta: Arc<dyn Tree>,
    stop: FailStop,
    progress: P,
    /// Every entry below is durable.
    durable: u64,
    committed: Option<LogId>,
    /// Entries below are purged; their records are not all removed yet.
    sweep: Option<u64>,
}

/// What is written and not yet safe.
#[derive(Default)]
struct Group {
    packer: Packer,
    entries: usize,
    bytes: usize,
    /// The index after the last entry.
    next: Option<u64>,
    waiting: Vec<IOFlushed<TypeConfig>>,
}

impl<P: Progress> Writer<P> {
    /// A writer over an opened log, of which every entry below `durable` is durable.
    pub fn new(disk: Arc<dyn Disk>, stop: FailStop, progress: P, durable: u64) -> io::Result<Self> {
        let (log, meta) = (disk.tree("log")?, disk.tree("meta")?);
        Ok(Self { disk, log, meta, stop, progress, durable, committed: None, sweep: None })
    }

    /// Whether its disk lets it run as a task among others, instead of on a thread of its own.
    pub fn is_simulated(&self) -> bool {
        self.disk.latency().is_some()
    }

    /// Runs until nobody can ask for anything any more, or until a write or barrier fails.
    pub async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Io>) {
        while let Some(io) = self.next(&mut queue).await {
            let mut group = Group::default();
            let gathered = self.gather(&mut group, io, &mut queue);
            let (flushed, last) = match gathered {
                Ok(last) => (self.commit(&mut group).await, last),
                Err(error) => (Err(error), None),
            };
            let flushed = self.stop.guard("appending to the log", flushed).is_ok();
            for done in group.waiting.drain(..) {
                done.io_completed(if flushed { Ok(()) } else { self.stop.check() });
            }
            match last {
                Some(last) if flushed => self.exclusive(last).await,
                Some(last) => self.refuse(last),
                None => {}
            }
            let swept = self.sweep.map_or(Ok(()), |before| self.sweep(before, SWEEP_BUSY + 2 * group.bytes / RECORD));
            if swept.and_then(|()| self.stop.check()).is_err() {
                break;
            }
        }
        queue.close();
        while let Ok(io) = queue.try_recv() {
            self.refuse(io);
        }
        if self.stop.check().is_ok() {
            let left = self.finish().await;
            // Nobody waits for it, and nothing that anybody was told depends on it.
            drop(self.stop.guard("closing the log", left));
        }
    }

    /// The next request. While there is none, removes what was purged.
    async fn next(&mut self, queue: &mut mpsc::UnboundedReceiver<Io>) -> Option<Io> {
        while let Some(before) = self.sweep {
            if let Ok(io) = queue.try_recv() {
                return Some(io);
            }
            self.sweep(before, SWEEP_IDLE).ok()?;
        }
        queue.recv().await
    }

    /// Removes up to `most` records of entries below `before`. Once that was all, looks whether sled kept its word.
    fn sweep(&mut self, before: u64, most: usize) -> io::Result<()> {
        let more = sweep(&*self.log, before, most);
        let more = more.and_then(|more| if more { Ok(true) } else { self.disk.check().map(|()| false) });
        if !self.stop.guard("removing purged entries", more)? {
            self.sweep = None;
        }
        Ok(())
    }

    /// Writes `io` and what queues up behind it, up to the first request that needs a barrier of its own.
    fn gather(&mut self, group: &mut Group, io: Io, queue: &mut mpsc::UnboundedReceiver<Io>) -> io::Result<Option<Io>> {
        let mut next = Some(io);
        while let Some(io) = next.take() {
            match io {
                Io::Append { first, frames, done } => {
                    group.waiting.push(done);
                    for (number, frame) in (first..).zip(frames) {
                        group.packer.push(&*self.log, number, &frame)?;
                        group.entries += 1;
                        group.bytes += frame.len();
                        group.next = Some(number + 1);
                    }
                }
                Io::Committed(at) => self.committed = Some(at),
                exclusive => return Ok(Some(exclusive)),
            }
            if group.entries < GROUP_ENTRIES && group.bytes < GROUP_BYTES {
                next = queue.try_recv().ok();
            }
        }
        Ok(None)
    }

    /// Makes the group safe.
    async fn commit(&mut self, group: &mut Group) -> io::Result<()> {
        if group.waiting.is_empty() {
            return Ok(());
        }
        group.packer.flush(&*self.log)?;
        self.save_committed()?;
        self.barrier().await?;
        if let Some(next) = group.next {
            self.durable = next;
            self.progress.durable(next);
        }
        Ok(())
    }

    /// Saves the committed log id if its entry is durable by now: so one that is beyond the end of the log is proof, on the
    /// next start, that the disk lost what it had confirmed.
    fn save_committed(&mut self) -> io::Result<()> {
        if let Some(at) = self.committed.take_if(|at| at.index < self.durable) {
            self.set(meta::COMMITTED, &codec::encode(&at)?)?;
        }
        Ok(())
    }

    async fn exclusive(&mut self, io: Io) {
        let (done, doing, result) = match io {
            Io::Truncate(from, done) => (done, "truncating the log", self.truncate(from).await),
            Io::Purge(upto, done) => (done, "purging the log", self.purge(upto).await),
            Io::Set(key, value, done) => (done, "saving vote or identity", self.save(key, &value).await),
            Io::Append { .. } | Io::Committed(_) => return,
        };
        let result = self.stop.guard(doing, result);
        // Whoever asked may be gone.
        drop(done.send(result));
    }

    async fn truncate(&mut self, from: u64) -> io::Result<()> {
        truncate(&*self.log, from)?;
        self.barrier().await?;
        self.durable = self.durable.min(from);
        self.progress.durable(self.durable);
        Ok(())
    }

    /// First says so, then does it: entries that are left over are harmless, entries that are missing are not.
    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.set(meta::PURGED, &codec::encode(&upto)?)?;
        self.barrier().await?;
        self.sweep = Some(upto.index + 1);
        self.durable = self.durable.max(upto.index + 1);
        self.progress.durable(self.durable);
        Ok(())
    }

    async fn save(&mut self, key: &str, value: &[u8]) -> io::Result<()> {
        self.set(key, value)?;
        self.barrier().await
    }

    fn set(&self, key: &str, value: &[u8]) -> io::Result<()> {
        self.meta.put(key.as_bytes(), &seal(key.as_bytes(), value))
    }

    async fn barrier(&self) -> io::Result<()> {
        settle(self.disk.latency().unwrap_or_default()).await;
        self.disk.barrier()
    }

    /// Answers with the reason why the store has stopped.
    fn refuse(&self, io: Io) {
        let why = self.stop.check();
        match io {
            Io::Append { done, .. } => done.io_completed(why),
            Io::Truncate(_, done) | Io::Purge(_, done) | Io::Set(_, _, done) => drop(done.send(why)),
            Io::Committed(_) => {}
        }
    }

    /// Saves what waited for one more group.
    async fn finish(&mut self) -> io::Result<()> {
        if self.committed.is_some() {
            self.save_committed()?;
            self.barrier().await?;
        }
        Ok(())
    }
}

impl<P> Drop for Writer<P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Whoever waits for this writer would wait for ever.
            drop(self.stop.guard::<()>("writing the log", Err(io::Error::other("the writer panicked"))));
        }
    }
}
