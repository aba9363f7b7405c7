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
pub const VERSION: u8 = 2;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        admin::{Operation, Status},
        health::{Health, Member, Reason, Role},
        types::LogId,
    };
    use openraft::{Membership, StoredMembership, entry::RaftEntry, vote::RaftLeaderId};
    use quorate_raft::{Batch, Command, ProposalId, Stamp, store::Peer};

    fn log_id(term: u64, index: u64) -> LogId {
        LogId::new(openraft::impls::leader_id_adv::LeaderId::new(term, 1), index)
    }

    fn peer() -> Peer {
        Peer { addr: "a:1".into(), http: "h".into() }
    }

    fn drafts() -> Vec<Draft> {
        vec![Draft { id: ProposalId(5), deadline: Stamp(6), command: Command::Tick }]
    }

    fn meta() -> SnapshotMeta {
        let membership =
            Membership::new(vec![[1].into()], std::collections::BTreeMap::from([(1, peer()), (2, peer())]))
                .expect("valid");
        SnapshotMeta {
            last_log_id: Some(log_id(2, 9)),
            last_membership: StoredMembership::new(Some(log_id(1, 3)), membership),
        }
    }

    fn health() -> Health {
        let member = Member { id: 1, role: Role::Learner, peer: peer(), matched: Some(300) };
        Health { reason: Some(Reason::NoQuorum), members: vec![member], ..Health::unknown(1) }
    }

    /// One of each, in the order of the format.
    fn requests() -> Vec<(Request, &'static str)> {
        let entry = openraft::Entry::new(
            log_id(2, 8),
            openraft::EntryPayload::Normal(Batch { at: Stamp(7), drafts: drafts() }),
        );
        let vote = Vote::new_committed(2, 1);
        let append = AppendRequest {
            vote,
            prev_log_id: Some(log_id(2, 7)),
            entries: vec![entry],
            leader_commit: Some(log_id(2, 6)),
        };
        let candidate = || VoteRequest::new(Vote::new(3, 2), Some(log_id(2, 8)));
        let hello = Hello { cluster: Some(ClusterId(1)), from: Some(2), to: Some(3), purpose: Purpose::Append };
        let sum = Sum { parts: 1, bytes: 2, crc: 3 };
        vec![
            (Request::Hello(hello), "0001010102010301"),
            (Request::Append(append), "01020101010201070102010801070105060001020106"),
            (Request::Vote(candidate()), "020302000102010800"),
            (Request::PreVote(candidate()), "030302000102010800"),
            (Request::TransferLeader(TransferRequest::new(vote, 2, Some(log_id(2, 8)))), "040201010201020108"),
            (
                Request::SnapshotBegin { vote, meta: meta(), sum },
                "050201010102010901010103010101020103613a3101680203613a31016800010203",
            ),
            (Request::SnapshotParts(vec![Blob(vec![1, 2])]), "0601020102"),
            (Request::SnapshotEnd, "07"),
            (Request::Propose(Arc::new(drafts())), "0801050600"),
            (Request::ReadIndex, "09"),
            (Request::Admin(Operation::Status), "0a00"),
            (Request::Admin(Operation::Add { id: 4, peer: peer() }), "0a010403613a310168"),
            (Request::Admin(Operation::Promote { id: 4 }), "0a0204"),
            (Request::Admin(Operation::Remove { id: 4 }), "0a0304"),
            (Request::Admin(Operation::TransferLeader { to: Some(4) }), "0a040104"),
            (Request::Admin(Operation::Announce { id: 4, peer: peer() }), "0a050403613a310168"),
            (Request::BackupOpen, "0b"),
            (Request::BackupParts, "0c"),
        ]
    }

    fn answers() -> Vec<(Answer, &'static str)> {
        let hello = Hello { cluster: None, from: Some(3), to: None, purpose: Purpose::Operator };
        let vote = Vote::new(3, 2);
        let sum = Sum { parts: 1, bytes: 2, crc: 3 };
        let status = Status { cluster: Some(ClusterId(1)), health: health() };
        vec![
            (Answer::Welcome(hello), "000001030003"),
            (Answer::Append(AppendResponse::Success), "0100"),
            (Answer::Append(AppendResponse::Conflict), "0102"),
            (Answer::Append(AppendResponse::HigherVote(vote)), "0103030200"),
            (Answer::Vote(VoteResponse::new(vote, Some(log_id(2, 8)), true)), "020302000101020108"),
            (Answer::TransferLeader(Ok(())), "0300"),
            (Answer::Continue, "04"),
            (Answer::Installed(vote), "05030200"),
            (Answer::Proposed { index: 9, outcomes: vec![Outcome::Done] }, "06090100"),
            (Answer::ReadIndex(9), "0709"),
            (Answer::Admin(Ok(admin::Answer::Done)), "080000"),
            (
                Answer::Admin(Ok(admin::Answer::Status(status))),
                "08000101010100010401000000000000000001010103613a31016801fb2c01",
            ),
            (Answer::Admin(Err(AdminError::NotLeader(Some(2)))), "0801000102"),
            (Answer::Admin(Err(AdminError::Refused("no".into()))), "080101026e6f"),
            (Answer::Admin(Err(AdminError::Unknown)), "080102"),
            (Answer::Backup { meta: meta(), sum }, "090102010901010103010101020103613a3101680203613a31016800010203"),
            (Answer::BackupParts(vec![Blob(vec![1, 2])]), "0a01020102"),
            (Answer::NotLeader(Some(2)), "0b0102"),
            (Answer::Unknown, "0c"),
            (Answer::Refused(Refused::OtherCluster), "0d00"),
            (Answer::Refused(Refused::Unavailable), "0d04"),
        ]
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check<T: Serialize + DeserializeOwned + std::fmt::Debug>(messages: Vec<(T, &'static str)>) {
        let mut changed = Vec::new();
        for (message, pinned) in messages {
            let bytes = frame(0x0102, &message).expect("fits");
            assert_eq!(bytes.len() - LENGTH - HEADER, encoded_len(&message).expect("measures"));
            let body = hex(&bytes[LENGTH + HEADER..]);
            if body != pinned {
                changed.push(format!("{message:?}\n  {body}"));
            }
            let mut buffer = BytesMut::from(&bytes[..]);
            let (id, read) = Frames::<T>::new(MAX_FRAME).decode(&mut buffer).expect("decodes").expect("whole");
            assert_eq!((id, format!("{read:?}")), (0x0102, format!("{message:?}")));
            assert!(buffer.is_empty());
        }
        assert!(changed.is_empty(), "the format of released versions never changes (G10):\n{}", changed.join("\n"));
    }

    #[test]
    fn requests_keep_their_encoding() {
        check(requests());
    }

    #[test]
    fn answers_keep_their_encoding() {
        check(answers());
    }

    #[test]
    fn a_frame_is_length_version_id_and_message() {
        let bytes = frame(0x0102, &Request::ReadIndex).expect("fits");
        assert_eq!(hex(&bytes), "0000000a02000000000000010209");
    }

    #[test]
    fn a_frame_that_comes_in_drops_is_read_when_it_is_whole() {
        let bytes = frame(7, &Request::Propose(Arc::new(drafts()))).expect("fits");
        let mut frames = Frames::<Request>::new(MAX_FRAME);
        let mut buffer = BytesMut::new();
        for byte in &bytes[..bytes.len() - 1] {
            buffer.put_u8(*byte);
            assert!(frames.decode(&mut buffer).expect("not wrong yet").is_none());
        }
        buffer.put_u8(bytes[bytes.len() - 1]);
        assert!(matches!(frames.decode(&mut buffer), Ok(Some((7, Request::Propose(_))))));
    }

    #[test]
    fn what_is_not_a_frame_is_an_error_and_costs_nothing() {
        let decode = |limit: usize, bytes: &[u8]| {
            let mut buffer = BytesMut::from(bytes);
            let result = Frames::<Request>::new(limit).decode(&mut buffer);
            assert!(buffer.capacity() < 1 << 20, "a claim reserves nothing");
            result
        };
        let framed = |body: &[u8]| {
            let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(body);
            bytes
        };
        let body = |version: u8, message: &[u8]| {
            let mut body = vec![version];
            body.extend([0; 8]);
            body.extend_from_slice(message);
            framed(&body)
        };
        assert!(matches!(decode(MAX_FRAME, &[0xff; 64]), Err(WireError::Length(_))));
        assert!(matches!(decode(MAX_FRAME, &framed(&[1; HEADER - 1])), Err(WireError::Length(_))), "too short");
        assert!(matches!(decode(16, &body(VERSION, &[9; 16])), Err(WireError::Length(_))), "too long here");
        assert!(matches!(decode(MAX_FRAME, &body(1, &[9])), Err(WireError::Version(1))));
        assert!(matches!(decode(MAX_FRAME, &body(VERSION, &[])), Err(WireError::Malformed(_))));
        assert!(matches!(decode(MAX_FRAME, &body(VERSION, &[200])), Err(WireError::Malformed(_))), "no such message");
        assert!(matches!(decode(MAX_FRAME, &body(VERSION, &[9, 9])), Err(WireError::Trailing(1))));
        let mut endless = vec![8, 253]; // Propose, and a 64-bit length
        endless.extend([0xff; 8]);
        assert!(matches!(decode(MAX_FRAME, &body(VERSION, &endless)), Err(WireError::Malformed(_))));
        let mut million = vec![8, 252]; // Propose, and a 32-bit length
        million.extend(1_000_000u32.to_le_bytes());
        assert!(matches!(decode(MAX_FRAME, &body(VERSION, &million)), Err(WireError::Malformed(_))));
        assert!(matches!(decode(MAX_FRAME, &framed(&[VERSION; HEADER + 4])[..10]), Ok(None)), "not whole yet");
    }

    #[test]
    fn a_message_that_nobody_would_accept_is_not_sent() {
        let large = Answer::BackupParts(vec![Blob(vec![0; MAX_FRAME])]);
        assert!(frame(1, &large).is_err());
    }
}
