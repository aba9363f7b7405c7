//! The seam to the hardware: ordered trees of small records, and a barrier. Everything above it (packing, truncation, purge,
//! snapshots) is the same code over sled and over the memory disk that loses power on command.
//!
//! What an implementation must keep: a write is seen by reads at once; what was written before a [`Disk::barrier`] that
//! returned `Ok` outlives a crash; of what was written after it, a crash keeps some prefix, in the order of the writes; one
//! [`Tree::write`] is kept or lost as a whole. After any error from a write or a barrier nothing more is asked of it.

use std::{io, ops::ControlFlow, sync::Arc, thread, time::Duration};
use tokio::sync::oneshot;

/// A place where trees are kept. Two of them make a node: one for the log, one for snapshots, so that writing a snapshot
/// does not stretch the log's barrier.
pub trait Disk: Send + Sync + 'static {
    /// The tree of that name, empty if there was none.
    fn tree(&self, name: &str) -> io::Result<Arc<dyn Tree>>;

    /// The names of all trees.
    fn trees(&self) -> io::Result<Vec<String>>;

    /// Forgets a tree and all that is in it.
    fn drop_tree(&self, name: &str) -> io::Result<()>;

    /// Returns when everything that was written before is safe from a power failure.
    fn barrier(&self) -> io::Result<()>;

    /// Looks for signs that the rules on which [`Disk::barrier`] relies were broken.
    fn check(&self) -> io::Result<()>;

    /// `None`: calls wait for hardware, and belong on a thread that may wait. `Some`: calls return at once, on any thread;
    /// whoever asks for a barrier should let this much time go by first (simulation).
    fn latency(&self) -> Option<Duration>;
}

/// Records in the order of their keys.
pub trait Tree: Send + Sync + 'static {
    /// Puts one record, in place of a former one.
    fn put(&self, key: &[u8], value: &[u8]) -> io::Result<()>;

    /// Makes all these changes or, after a crash, none.
    fn write(&self, changes: Vec<Change>) -> io::Result<()>;

    /// The record under `key`.
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// The record under the greatest key that is not above `key`.
    fn floor(&self, key: &[u8]) -> io::Result<Option<(Vec<u8>, Vec<u8>)>>;

    /// Visits records in order from `from` on, until the visitor breaks off or fails.
    fn scan(&self, from: &[u8], visit: Visit<'_>) -> io::Result<()>;
}

/// Sees a record's key and value.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> io::Result<ControlFlow<()>>;

/// One change of a [`Tree::write`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts a record, in place of a former one.
    Put(Vec<u8>, Vec<u8>),
    /// Removes a record, if there is one.
    Remove(Vec<u8>),
}

/// The disks of one node.
#[derive(Clone)]
pub struct Disks {
    /// Log, vote, committed index, identity.
    pub log: Arc<dyn Disk>,
    /// Snapshots.
    pub snap: Arc<dyn Disk>,
}

/// Runs `work`, which uses `disk`, where it may wait for it.
pub(super) async fn away<T: Send + 'static>(
    disk: &Arc<dyn Disk>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match disk.latency() {
        None => tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?,
        Some(latency) => {
            settle(latency).await;
            work()
        }
    }
}

/// How much a thread that writes snapshots yields to others: about a third of a share when all cores are busy.
const NICE: i32 = 5;

/// The same for long work that can wait: on a thread of its own, which leaves the processor to those that somebody waits for.
pub(super) async fn aside<T: Send + 'static>(
    disk: &Arc<dyn Disk>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if disk.latency().is_some() {
        return away(disk, work).await;
    }
    let (done, answer) = oneshot::channel();
    let politely = move || {
        // Of this thread alone, and only downwards. Where that is not allowed, it is as hurried as the rest.
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!(%error, "the snapshot thread keeps its priority");
        }
        drop(done.send(work())); // the node is stopping
    };
    thread::Builder::new().name("raft-snapshot".into()).spawn(politely)?;
    answer.await.map_err(|_| io::Error::other("the thread that writes snapshots panicked"))?
}

/// Lets simulated time go by.
pub(super) async fn settle(latency: Duration) {
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
}
