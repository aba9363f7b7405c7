//! openraft and what it stands on: the log, the vote and the snapshots, on disk before anybody says so (G1, G10).
//!
//! Read `disk` (the seam to hardware), `records` (bytes), `log` and `writer` (one queue, one writer, one barrier per group),
//! `snapshot`, `machine` (openraft's apply → [`Owners::apply`]), `sled_disk` and `memory` (the two disks).
//!
//! | rule                                                             | held by                                       |
//! |------------------------------------------------------------------|-----------------------------------------------|
//! | nothing is reported durable before a barrier that covered it      | `writer`; `tests/crash_points.rs`             |
//! | vote, append, truncate and purge reach the disk in call order     | one queue, `writer`                           |
//! | after a failed write or barrier: no second try, the node stops    | [`Fatal`], `tests/crash_points.rs`            |
//! | state, position, membership and log time change together          | `machine::Position`                           |
//! | a snapshot's position and state are taken together (R-5)          | [`Machine`]                                   |
//! | a snapshot is durable before `install_snapshot` returns           | `snapshot`; `tests/crash_points.rs`           |
//! | what lies on the disk is checked before it is believed            | `records::unseal`; `tests/crash_points.rs`    |
//! | a directory belongs to one node, and to one process at a time     | [`Identity`], `sled_disk::Lock`               |
//!
//! ```text
//! <data>/LOCK     exclusive, taken before the rest is opened
//! <data>/log/     sled: "log"   entries, as `records`             "meta"  vote, committed, purged, format, node, cluster
//! <data>/snap/    sled: "s-<n>" parts of a snapshot, as `records` "meta"  current → number, position, membership, checksum
//! ```

pub mod disk;
mod fatal;
mod log;
pub mod machine;
pub mod memory;
mod records;
mod runtime;
mod sled_disk;
pub mod snapshot;
mod writer;

pub use disk::{Disk, Disks};
pub use fatal::Fatal;
pub use log::{Identity, LogStore};
pub use machine::{Applied, Machine};
pub use runtime::Runtime;
pub use snapshot::{Growth, SnapshotHandle, SnapshotReceiver, Snapshots, Sum};

use crate::{
    command::{Batch, Outcome},
    owners::Owners,
};
use fatal::FailStop;
use openraft::type_config::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf};
use serde::{Deserialize, Serialize};
use sled_disk::{Lock, SledDisk};
use std::{fmt, io, path::Path, sync::Arc};
use tokio::sync::watch;

openraft::declare_raft_types!(
    /// openraft, as it is used here.
    pub TypeConfig:
        D = Batch,
        R = Answers,
        NodeId = u64,
        Node = Peer,
        AsyncRuntime = Runtime,
);

/// A place in the log, with the leader that wrote it.
pub type LogId = LogIdOf<TypeConfig>;
/// Who this node follows, and in which term.
pub type Vote = VoteOf<TypeConfig>;
/// One entry of the log.
pub type Entry = <TypeConfig as openraft::RaftTypeConfig>::Entry;
/// The members of the cluster, and where in the log they were decided.
pub type Membership = StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
/// A snapshot: what it covers, and where its parts are.
pub type Snapshot = SnapshotOf<TypeConfig, SnapshotHandle>;

/// What came of an entry: one outcome per draft, in order. None for entries that are openraft's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers(pub Vec<Outcome>);

/// Where a node can be found.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// `HOST:PORT` of its peer port.
    pub addr: String,
    /// The URL at which clients find it.
    pub http: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.addr)
    }
}

impl fmt::Display for Batch {
    /// For openraft's own log lines: no content, so no personal data either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} drafts at {}", self.drafts.len(), self.at.0)
    }
}

/// An open store, in the pieces that different parts of a node need.
pub struct Opened<O> {
    /// For `Raft::new`.
    pub log: LogStore,
    /// For `Raft::new`. Has loaded the current snapshot already; openraft replays the log from there.
    pub machine: Machine<O>,
    /// Receives snapshots, and has the current one.
    pub snapshots: Snapshots,
    /// Whose data these are.
    pub identity: Identity,
    /// Says why, once the store has failed for good. The node must stop then: it can neither write nor answer.
    pub fatal: watch::Receiver<Option<Fatal>>,
    /// How far the log has been applied. Changes after read views do and before proposers hear of it.
    pub applied: watch::Receiver<Applied>,
    /// How much log there is beyond the current snapshot.
    pub growth: Arc<Growth>,
    /// Ends when all pieces are gone and the directory is free again.
    pub released: Released,
}

/// See [`Opened::released`].
pub struct Released(Option<watch::Receiver<()>>);

impl Released {
    /// Waits until everything that used the directory has let go of it.
    pub async fn wait(self) {
        if let Some(mut lock) = self.0 {
            while lock.changed().await.is_ok() {}
        }
    }
}

/// Opens the store in `dir`, or makes one, and puts the state of its snapshot into `owners`.
///
/// # Errors
/// `ResourceBusy` if another process has it; `InvalidData` if what lies there is damaged or newer than this build: the node
/// has to join again under a new id, with an empty directory.
pub async fn open<O: Owners>(dir: &Path, owners: Arc<O>) -> io::Result<Opened<O>> {
    let dir = dir.to_path_buf();
    let opening = move || {
        let lock = Arc::new(Lock::take(&dir)?);
        let released = lock.released();
        let log: Arc<dyn Disk> = Arc::new(SledDisk::open(&dir.join("log"), lock.clone())?);
        let snap: Arc<dyn Disk> = Arc::new(SledDisk::open(&dir.join("snap"), lock)?);
        // The names of both directories and of the lock are in this one.
        std::fs::File::open(&dir)?.sync_all()?;
        Ok::<_, io::Error>((Disks { log, snap }, released))
    };
    let (disks, released) = tokio::task::spawn_blocking(opening).await.map_err(io::Error::other)??;
    let opened = open_on(disks, owners).await?;
    Ok(Opened { released: Released(Some(released)), ..opened })
}

/// Opens a store on given disks: simulation, and tests.
///
/// # Errors
/// As [`open`].
pub async fn open_on<O: Owners>(disks: Disks, owners: Arc<O>) -> io::Result<Opened<O>> {
    let stop = FailStop::default();
    let growth = Arc::new(Growth::default());
    let (snapshots, restored) = Snapshots::open(disks.snap, stop.clone(), growth.clone()).await?;
    let (log, identity) = log::open(disks.log, stop.clone(), growth.clone(), &snapshots, &restored).await?;
    let (machine, applied) = Machine::start(owners, snapshots.clone(), restored).await;
    let fatal = stop.watch();
    Ok(Opened { log, machine, snapshots, identity, fatal, applied, growth, released: Released(None) })
}
