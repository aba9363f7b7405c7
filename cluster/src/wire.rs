//! What nodes say to each other: frames on a stream, many requests in flight, answers in any order.
//!
//! ```text
//! length u32 BE | version u8 | request id u64 BE | message (bincode)
//! ```
//! `length` counts everything after itself. A connection starts with [`Request::Hello`] answered by [`Answer::Welcome`];
//! anything else first, a frame that is too long, or one that does not decode closes the connection.
//!
//! Messages are read by the version before and the version after this one (G10): variants are only appended, never
//! reordered, and their fields never change. The encodings are pinned at the end of this file.
//!
//! | messages                                        | conversation                                          |
//! |-------------------------------------------------|-------------------------------------------------------|
//! | `Hello` → `Welcome`                             | who is calling, and is this the right cluster         |
//! | `Append`, `Vote`, `PreVote`, `TransferLeader`   | raft, answered in kind                                |
//! | `SnapshotBegin`, `SnapshotParts`*, `SnapshotEnd` | a snapshot, on a connection of its own                |
//! | `Propose` → `Proposed`                          | a follower hands drafts to the leader                 |
//! | `ReadIndex` → `ReadIndex`                       | a follower asks how far it must apply before it reads |
//! | `Admin` → `Admin`                               | an operator, or a node on an operator's behalf        |
//! | `BackupOpen`, `BackupParts`*                     | an operator fetches a snapshot, part by part          |

use crate::{
    admin::{self, AdminError},
    types::{
        AppendRequest, AppendResponse, ClusterId, SnapshotMeta, TransferRequest, TransferResponse, Vote, VoteRequest,
        VoteResponse,
    },
};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use quorate_raft::{Draft, Outcome, store::Sum};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{marker::PhantomData, sync::Arc};
use tokio_util::codec::Decoder;

/// The version that this build speaks.
pub const VERSION: u8 = 1;

/// Longest frame that a known peer may send; an entry is at most a batch and one draft.
pub const MAX_FRAME: usize = 8 << 20;

/// Longest frame before the caller said who it is.
pub const MAX_HELLO: usize = 4 << 10;

/// Drafts in one `Propose`.
pub const MAX_DRAFTS: usize = quorate_raft::limits::MAX_BATCH;

const LENGTH: usize = 4;
const HEADER: usize = 1 + 8;

/// What a connection is for. Each purpose has a connection of its own, so that none waits behind another's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Heartbeats, votes, proposals, reads: small and urgent.
    Control,
    /// Log entries.
    Append,
    /// One snapshot.
    Snapshot,
    /// An operator: only `Admin` and `Backup…` are answered.
    Operator,
}

/// How a connection is opened, and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The speaker's cluster, if it belongs to one yet.
    pub cluster: Option<ClusterId>,
    /// The speaker, if it is a node.
    pub from: Option<u64>,
    /// Whom the speaker means to reach, if it knows.
    pub to: Option<u64>,
    /// What for.
    pub purpose: Purpose,
}

/// What one side asks. Order is the format.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Who is calling.
    Hello(Hello),
    /// Entries, or none: a heartbeat.
    Append(AppendRequest),
    /// An election.
    Vote(VoteRequest),
    /// Would an election succeed?
    PreVote(VoteRequest),
    /// The leader names its successor.
    TransferLeader(TransferRequest),
    /// A snapshot follows.
    SnapshotBegin {
        /// The sender's vote.
        vote: Vote,
        /// Where the snapshot stands.
        meta: SnapshotMeta,
        /// What will follow.
        sum: Sum,
    },
    /// The next parts of the snapshot that was begun on this connection.
    SnapshotParts(Vec<Blob>),
    /// The snapshot is complete: install it.
    SnapshotEnd,
    /// Drafts for the leader's log; shared, because a retry sends the same ones.
    Propose(Arc<Vec<Draft>>),
    /// How far must I apply before I read?
    ReadIndex,
    /// An operation on the cluster.
    Admin(admin::Operation),
    /// A fresh snapshot, for a backup.
    BackupOpen,
    /// The next parts of it.
    BackupParts,
}

/// What the other side answers. Order is the format.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Hello`].
    Welcome(Hello),
    /// To [`Request::Append`].
    Append(AppendResponse),
    /// To [`Request::Vote`] and [`Request::PreVote`].
    Vote(VoteResponse),
    /// To [`Request::TransferLeader`].
    TransferLeader(TransferResponse),
    /// To [`Request::SnapshotBegin`] and [`Request::SnapshotParts`]: go on.
    Continue,
    /// To [`Request::SnapshotEnd`]: the receiver's vote.
    Installed(Vote),
    /// To [`Request::Propose`].
    Proposed {
        /// The entry that holds the drafts.
        index: u64,
        /// One per draft, in order.
        outcomes: Vec<Outcome>,
    },
    /// To [`Request::ReadIndex`].
    ReadIndex(u64),
    /// To [`Request::Admin`].
    Admin(Result<admin::Answer, AdminError>),
    /// To [`Request::BackupOpen`].
    Backup {
        /// Where the snapshot stands.
        meta: SnapshotMeta,
        /// What will follow.
        sum: Sum,
    },
    /// To [`Request::BackupParts`]; empty: that was all.
    BackupParts(Vec<Blob>),
    /// Not done, because this node does not lead. Nothing was written.
    NotLeader(Option<u64>),
    /// Nothing is known of the outcome.
    Unknown,
    /// Refused for what it is.
    Refused(Refused),
}

/// Why a well-formed message was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    /// The caller belongs to another cluster.
    #[error("this node belongs to another cluster")]
    OtherCluster,
    /// The caller means another node.
    #[error("this node has another id")]
    OtherNode,
    /// The message does not belong on this connection.
    #[error("the message does not belong here")]
    OutOfPlace,
    /// This node is going away.
    #[error("this node is shutting down")]
    ShuttingDown,
    /// This node cannot serve it now.
    #[error("this node cannot serve the request now")]
    Unavailable,
}

/// Bytes as bytes: one copy instead of one step per byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Blob;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// Why a frame was not understood. The connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The stream broke.
    #[error("connection lost")]
    Io(#[from] std::io::Error),
    /// Spoken by a build that is newer than this one, or not by Quorate.
    #[error("unknown wire version {0}")]
    Version(u8),
    /// Longer than allowed, or too short to be a frame.
    #[error("a frame of {0} bytes")]
    Length(usize),
    /// Right version, wrong content.
    #[error("malformed message")]
    Malformed(#[source] Box<bincode::error::DecodeError>),
    /// Something follows the message.
    #[error("{0} bytes after the end of the message")]
    Trailing(usize),
    /// The message cannot be written.
    #[error("cannot encode")]
    Encode(#[source] Box<bincode::error::EncodeError>),
}

const fn config() -> Configuration<LittleEndian, Varint, Limit<MAX_FRAME>> {
    bincode::config::standard().with_limit::<MAX_FRAME>()
}

/// `message` as one frame.
///
/// # Errors
/// A message that no receiver would accept: longer than [`MAX_FRAME`].
pub fn frame<T: Serialize>(id: u64, message: &T) -> Result<Bytes, WireError> {
    let mut bytes = BytesMut::with_capacity(256);
    bytes.put_u32(0);
    bytes.put_u8(VERSION);
    bytes.put_u64(id);
    let mut writer = bytes.writer();
    bincode::serde::encode_into_std_write(message, &mut writer, config())
        .map_err(|e| WireError::Encode(Box::new(e)))?;
    let mut bytes = writer.into_inner();
    let length = bytes.len() - LENGTH;
    let stated = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME).ok_or(WireError::Length(length))?;
    if let Some(place) = bytes.first_chunk_mut::<LENGTH>() {
        *place = stated.to_be_bytes();
    }
    Ok(bytes.freeze())
}

/// Bytes that `message` takes in a frame or an entry.
pub fn encoded_len<T: Serialize>(message: &T) -> Result<usize, WireError> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    bincode::serde::encode_into_std_write(message, &mut count, config()).map_err(|e| WireError::Encode(Box::new(e)))?;
    Ok(count.0)
}

/// Takes messages of type `T` off a stream.
pub struct Frames<T> {
    limit: usize,
    message: PhantomData<fn() -> T>,
}

impl<T> Frames<T> {
    /// Accepts frames up to `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { limit, message: PhantomData }
    }

    /// Accepts longer frames from now on.
    pub fn raise(&mut self, limit: usize) {
        self.limit = limit;
    }
}

impl<T: DeserializeOwned> Decoder for Frames<T> {
    type Item = (u64, T);
    type Error = WireError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<(u64, T)>, WireError> {
        let Some(stated) = buffer.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = u32::from_be_bytes(*stated) as usize;
        if length < HEADER || length > self.limit {
            return Err(WireError::Length(length));
        }
        if buffer.len() < LENGTH + length {
            // Reserves what the sender really fills, not what it claims: a claim costs nothing.
            buffer.reserve((LENGTH + length - buffer.len()).min(256 << 10));
            return Ok(None);
        }
        buffer.advance(LENGTH);
        let mut frame = buffer.split_to(length);
        match frame.get_u8() {
            VERSION => {}
            other => return Err(WireError::Version(other)),
        }
        let id = frame.get_u64();
        let (message, read) =
            bincode::serde::decode_from_slice(&frame, config()).map_err(|e| WireError::Malformed(Box::new(e)))?;
        match frame.len() - read {
            0 => Ok(Some((id, message))),
            rest => Err(WireError::Trailing(rest)),
        }
    }
}
