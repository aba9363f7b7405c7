//! Backups: a snapshot of the cluster in one file, and a new cluster made of one.
//!
//! ```text
//! "QUORATE BACKUP 1"                      16 bytes
//! (length u32 BE | crc32 u32 BE | bytes)* the first record is the header, each further one a part of the snapshot
//! ```
//! A file is believed only as a whole: every record's checksum, the number of parts and bytes that the header promised,
//! nothing behind them, and every part decodes.
//!
//! **A restored cluster starts without bearer secrets.** The backup may hold tokens that were revoked after it was taken,
//! and nobody knows which. So opaque tokens, codes and sessions are left behind (G3): clients ask for new ones. What was
//! revoked *before* the backup, by family or by `jti`, stays revoked. Client-based tokens die with the keys that signed
//! them: these are left behind too, and the first node that starts makes new ones.
//!
//! A restored cluster has a new id, and one member, so that nodes of the old one cannot join by accident.

use crate::{
    AdminError, ClusterId,
    admin::Client,
    types::{LogId, SnapshotMeta, TypeConfig, Vote},
    wire,
};
use openraft::{
    Membership, StoredMembership,
    storage::{RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine},
};
use quorate_raft::{
    Committed, DocumentKey, GrantSets, Kind, Owned, Precondition, ProposalId, RealmPath, Seq, Sessions, Span, Stamp,
    State, codec,
    documents::{Change, DocumentCommand, WriteDocuments},
    grant_sets::{GrantCommand, RevokeGrant},
    limits::DRAFT_WINDOW_MS,
    state::{Part, PlainOwners, StateBuilder},
    store::{self, Opened, Peer, Sum},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

const MAGIC: &[u8; 16] = b"QUORATE BACKUP 1";

/// Longest record that is read.
const MAX_RECORD: u32 = 16 << 20;

/// Parts that are handed to the store at once while restoring.
const PARTS: usize = 128;

/// How long the store may take to let go of the directory.
const CLOSE: Duration = Duration::from_secs(10);

/// What a backup holds, first record. Fields are the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    cluster: Option<ClusterId>,
    meta: SnapshotMeta,
    sum: Sum,
}

/// What a backup is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The cluster it was taken from.
    pub cluster: Option<ClusterId>,
    /// The last entry it holds.
    pub index: u64,
    /// Log time at that entry.
    pub at: Stamp,
    /// Parts of the snapshot.
    pub parts: u64,
    /// Bytes of the snapshot.
    pub bytes: u64,
}

/// Why a backup was not taken, or is of no use. The operator has to act.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The node did not give one.
    #[error(transparent)]
    Node(#[from] AdminError),
    /// The file, or the directory, cannot be used.
    #[error("{path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not a whole backup.
    #[error("{path} is not a whole backup: {why}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A node's data are never overwritten.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
}

fn failed(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |source| BackupError::Io { path: path.into(), source }
}

fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Writes a backup; it has its name only once it is whole and safe.
struct Output {
    file: BufWriter<File>,
    partial: PathBuf,
}

impl Output {
    fn create(path: &Path) -> io::Result<Self> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut file = BufWriter::new(File::create(&partial)?);
        file.write_all(MAGIC)?;
        Ok(Self { file, partial })
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MAX_RECORD);
        let length = length.ok_or(io::ErrorKind::InvalidData)?;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&crc(bytes).to_be_bytes())?;
        self.file.write_all(bytes)
    }

    fn finish(self, path: &Path) -> io::Result<()> {
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&self.partial, path)?;
        sync_parent(path)
    }
}

/// Makes the name of `path` durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a backup, part by part.
struct Input {
    file: BufReader<File>,
    path: PathBuf,
    header: Header,
    parts: u64,
    bytes: u64,
}

impl Input {
    fn open(path: &Path) -> Result<Self, BackupError> {
        let file = BufReader::new(File::open(path).map_err(failed(path))?);
        let header = Header { cluster: None, meta: SnapshotMeta::default(), sum: Sum::default() };
        let mut input = Self { file, path: path.into(), header, parts: 0, bytes: 0 };
        let mut magic = [0; MAGIC.len()];
        input.fill(&mut magic)?;
        if magic != *MAGIC {
            return Err(input.damaged("it does not begin like one"));
        }
        let header = input.record()?;
        input.header = codec::decode(&header).map_err(|_| input.damaged("its header is unknown to this version"))?;
        Ok(input)
    }

    fn damaged(&self, why: &'static str) -> BackupError {
        BackupError::Damaged { path: self.path.clone(), why }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.file.read_exact(bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it is cut short"),
            _ => failed(&self.path)(e),
        })
    }

    fn record(&mut self) -> Result<Vec<u8>, BackupError> {
        let (mut length, mut stated) = ([0; 4], [0; 4]);
        self.fill(&mut length)?;
        self.fill(&mut stated)?;
        let length = u32::from_be_bytes(length);
        if length > MAX_RECORD {
            return Err(self.damaged("a record is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        if crc(&bytes) != u32::from_be_bytes(stated) {
            return Err(self.damaged("a checksum is wrong"));
        }
        Ok(bytes)
    }

    /// The next part; `None` after the last, if all is well up to there.
    fn part(&mut self) -> Result<Option<Part>, BackupError> {
        if self.parts < self.header.sum.parts {
            let bytes = self.record()?;
            self.parts += 1;
            self.bytes += bytes.len() as u64;
            return Ok(Some(Part(bytes)));
        }
        if self.bytes != self.header.sum.bytes {
            return Err(self.damaged("its size is not what its header says"));
        }
        match self.file.read(&mut [0]).map_err(failed(&self.path))? {
            0 => Ok(None),
            _ => Err(self.damaged("something follows its end")),
        }
    }
}

/// Checks that `path` is a whole backup, and says of what. Reads and decodes all of it.
///
/// # Errors
/// See [`BackupError`].
pub fn verify(path: &Path) -> Result<Summary, BackupError> {
    let mut input = Input::open(path)?;
    let mut builder = StateBuilder::default();
    while let Some(part) = input.part()? {
        builder.push(&part).map_err(|_| input.damaged("a part cannot be decoded"))?;
    }
    let (_, clock) = builder.finish();
    let Header { cluster, meta, sum } = input.header;
    let index = meta.last_log_id.map_or(0, |id| id.index);
    Ok(Summary { cluster, index, at: clock.now(), parts: sum.parts, bytes: sum.bytes })
}

/// What a restored cluster is to be.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Its name: never that of an old one, so draw it.
    pub cluster: ClusterId,
    /// The id of its first member.
    pub node_id: u64,
    /// Where that is.
    pub peer: Peer,
}

/// Makes `data_dir`, which must be empty or absent, the data of a new cluster of one node with the documents of the backup
/// at `path`. It is there as a whole or not at all. See the module for what is left behind.
///
/// # Errors
/// See [`BackupError`].
pub async fn restore(path: &Path, data_dir: &Path, new: NewCluster) -> Result<Summary, BackupError> {
    let summary = verify(path)?;
    match fs::read_dir(data_dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(BackupError::NotEmpty(data_dir.into()));
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(data_dir)(e)),
    }
    let mut aside = data_dir.as_os_str().to_owned();
    aside.push(".restoring");
    let aside = PathBuf::from(aside);
    if aside.exists() {
        return Err(BackupError::NotEmpty(aside)); // an earlier attempt failed, or is at work
    }
    fs::create_dir_all(&aside).map_err(failed(&aside))?;
    let restored = fill(path, &aside, new).await.and_then(|()| {
        if data_dir.exists() {
            fs::remove_dir(data_dir).map_err(failed(data_dir))?;
        }
        fs::rename(&aside, data_dir).and_then(|()| sync_parent(data_dir)).map_err(failed(data_dir))
    });
    if restored.is_err() {
        let _ = fs::remove_dir_all(&aside); // the first error is the one to tell
    }
    restored.map(|()| summary)
}

/// Fills the empty directory `dir`.
async fn fill(path: &Path, dir: &Path, new: NewCluster) -> Result<(), BackupError> {
    let broken = failed(dir);
    let mut input = Input::open(path)?;
    let owners = Arc::new(PlainOwners::default());
    let opened = store::open(dir, owners.clone()).await.map_err(&broken)?;
    let Opened { mut log, mut machine, snapshots, identity, released, .. } = opened;
    identity.claim_node(new.node_id).await.map_err(&broken)?;
    identity.claim_cluster(new.cluster.0).await.map_err(&broken)?;

    let meta = alone(&input.header.meta, new.node_id, new.peer).map_err(&broken)?;
    let mut receiver = snapshots.receive(meta.clone(), input.header.sum).await.map_err(&broken)?;
    loop {
        let mut parts = Vec::with_capacity(PARTS);
        while parts.len() < PARTS
            && let Some(part) = input.part()?
        {
            parts.push(part);
        }
        if parts.is_empty() {
            break;
        }
        receiver.push(parts).await.map_err(&broken)?;
    }
    let complete = receiver.finish().await.map_err(&broken)?;
    machine.install_snapshot(&meta, complete.snapshot).await.map_err(&broken)?;
    forget_bearers(&mut owners.0.lock().unwrap_or_else(PoisonError::into_inner));
    let kept = machine.get_snapshot_builder().await.build_snapshot().await.map_err(&broken)?;
    drop(kept);

    if let Some(last) = meta.last_log_id {
        // The log begins behind the snapshot, and no election may be won in a term that the old cluster has seen.
        RaftLogStorage::<TypeConfig>::purge(&mut log, last).await.map_err(&broken)?;
        let vote = Vote::new(last.leader_id.term, new.node_id);
        RaftLogStorage::<TypeConfig>::save_vote(&mut log, &vote).await.map_err(&broken)?;
    }
    drop((log, machine, snapshots, identity));
    timeout(CLOSE, released.wait()).await.map_err(|_| broken(io::ErrorKind::TimedOut.into()))
}

/// The same place in the log, with one member.
fn alone(meta: &SnapshotMeta, node_id: u64, peer: Peer) -> io::Result<SnapshotMeta> {
    let log_id: Option<LogId> = *meta.last_membership.log_id();
    let nodes = BTreeMap::from([(node_id, peer)]);
    let membership = Membership::new(vec![[node_id].into()], nodes).map_err(io::Error::other)?;
    Ok(SnapshotMeta { last_log_id: meta.last_log_id, last_membership: StoredMembership::new(log_id, membership) })
}

/// Leaves tokens, codes, sessions and signing keys behind, and keeps what says that something is revoked.
fn forget_bearers(state: &mut State) {
    for (hint, shard) in (0u8..).zip(&mut state.grants) {
        let (at, revoked) = (shard.now(), shard.revoked().clone());
        let mut kept = GrantSets::default();
        for (grant, until) in revoked {
            let command = GrantCommand::RevokeGrant(RevokeGrant { hint, grant, until });
            kept.apply(
                Committed { seq: Seq::default(), at, id: ProposalId(0), deadline: at, command },
                &mut Vec::new(),
            );
        }
        *shard = kept;
    }
    state.sessions = Sessions::default();
    let root = RealmPath::root();
    // The proposals of the old cluster are no business of the new one: by then all answers to them are forgotten.
    let at = state.documents.now() + Span(DRAFT_WINDOW_MS);
    let keys = state.documents.collection(&root, Kind::Keys);
    for (n, id) in (0u128..).zip(keys.keys()) {
        let change = Change::Delete;
        let write =
            quorate_raft::Write { key: DocumentKey::new(&root, Kind::Keys, id), when: Precondition::Any, change };
        let command = DocumentCommand::Write(WriteDocuments(vec![write]));
        let committed = Committed { seq: Seq::default(), at, id: ProposalId(n), deadline: at, command };
        state.documents.apply(committed, &mut Vec::new());
    }
}

impl Client {
    /// Writes a backup to `path`: a snapshot that the node takes now.
    ///
    /// # Errors
    /// See [`BackupError`]. Nothing has the name `path` then that had not before.
    pub async fn backup(&self, path: &Path) -> Result<Summary, BackupError> {
        const FIRST: Duration = Duration::from_secs(60);
        const NEXT: Duration = Duration::from_secs(30);
        let cluster = self.status().await?.cluster;
        let (meta, sum) = match self.call(&wire::Request::BackupOpen, FIRST).await? {
            wire::Answer::Backup { meta, sum } => (meta, sum),
            _ => return Err(AdminError::refused("the node has no snapshot to give now").into()),
        };
        let header = codec::encode(&Header { cluster, meta, sum });
        let header = header.map_err(|e| failed(path)(e.into()))?;
        let mut output = Output::create(path).map_err(failed(path))?;
        output.record(&header).map_err(failed(path))?;
        loop {
            match self.call(&wire::Request::BackupParts, NEXT).await? {
                wire::Answer::BackupParts(parts) if parts.is_empty() => break,
                wire::Answer::BackupParts(parts) => {
                    for part in parts {
                        output.record(&part.0).map_err(failed(path))?;
                    }
                }
                _ => return Err(AdminError::refused("the node stopped giving").into()),
            }
        }
        output.finish(path).map_err(failed(path))?;
        verify(path)
    }
}
