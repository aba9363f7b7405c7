//! The calling end of raft's messages.
//!
//! | openraft asks for         | we send                          | on the connection for |
//! |---------------------------|----------------------------------|-----------------------|
//! | replication               | `Append`, pipelined, in order    | entries               |
//! | heartbeat, read index     | `Append` without entries         | control               |
//! | vote, pre-vote, transfer  | `Vote`, `PreVote`, `TransferLeader` | control            |
//! | snapshot                  | `SnapshotBegin`, parts, `SnapshotEnd` | one of its own   |

use crate::{
    peers::{CallError, Link, Peer, Peers, Pending},
    types::{
        AppendRequest, AppendResponse, Entry, LogId, TransferRequest, TransferResponse, TypeConfig, Vote, VoteRequest,
        VoteResponse,
    },
    wire::{self, Answer, Blob, Purpose, Refused, Request},
};
use futures_util::{
    Stream, StreamExt,
    future::{BoxFuture, ready},
    pin_mut, stream,
    stream::BoxStream,
};
use openraft::{
    OptionalSend, RaftNetworkFactory, RaftNetworkV2,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::{RPCOption, RPCTypes},
    raft::{SnapshotResponse, StreamAppendResult},
};
use quorate_raft::store::{Peer as Place, Snapshot, SnapshotHandle};
use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

/// Entry bytes in one `Append`; a longer request travels in pieces, each answered for itself.
const PIECE: usize = 1 << 20;

/// Pieces on their way at once.
const DEPTH: usize = 32;

/// Snapshot bytes in one part, parts on their way, and how long one may take.
const PART: usize = 512 << 10;
const PARTS_AHEAD: usize = 4;
const PART_PATIENCE: Duration = Duration::from_secs(30);

/// How long the receiver may take to check, decode and install a snapshot.
const INSTALL_PATIENCE: Duration = Duration::from_secs(300);

type RpcError = RPCError<TypeConfig>;

/// Makes the clients that openraft replicates through.
pub(crate) struct Network {
    pub me: u64,
    pub peers: Arc<Peers>,
    /// How long a follower may take to make entries durable.
    pub append_patience: Duration,
}

impl Network {
    fn client(&self, target: u64, place: &Place, purpose: Purpose) -> Client {
        let peer = self.peers.place(target, &place.addr);
        Client { me: self.me, target, peer, purpose, append_patience: self.append_patience }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, node: &Place) -> Client {
        self.client(target, node, Purpose::Append)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Place) -> Client {
        self.client(target, node, Purpose::Control)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Place) -> Client {
        self.client(target, node, Purpose::Snapshot)
    }
}

/// Talks raft to one peer.
pub(crate) struct Client {
    me: u64,
    target: u64,
    peer: Arc<Peer>,
    purpose: Purpose,
    append_patience: Duration,
}

impl Client {
    /// Where entries and heartbeats go.
    fn link(&self) -> &Link {
        match self.purpose {
            Purpose::Append => &self.peer.append,
            Purpose::Control | Purpose::Snapshot | Purpose::Operator => &self.peer.control,
        }
    }

    /// A heartbeat is worth nothing late; entries wait for the follower's disk.
    fn patience(&self, option: &RPCOption) -> Duration {
        match self.purpose {
            Purpose::Append => option.soft_ttl().max(self.append_patience),
            Purpose::Control | Purpose::Snapshot | Purpose::Operator => option.soft_ttl(),
        }
    }

    fn error(&self, action: RPCTypes, patience: Duration, error: CallError) -> RpcError {
        match error {
            CallError::NotSent(e) => Unreachable::new(&e).into(),
            CallError::Lost => NetworkError::new(&error).into(),
            CallError::Late => Timeout { action, id: self.me, target: self.target, timeout: patience }.into(),
        }
    }

    async fn ask(&self, action: RPCTypes, request: Request, patience: Duration) -> Result<Answer, RpcError> {
        self.peer.control.call(&request, patience).await.map_err(|e| self.error(action, patience, e))
    }

    /// Puts one piece on its way; pieces leave in the order of these calls.
    async fn send_piece(&self, request: AppendRequest, patience: Duration) -> Result<Sent, RpcError> {
        let prev = request.prev_log_id;
        let last = request.entries.last().map(|entry| entry.log_id).or(prev);
        let request = Request::Append(request);
        let sent = async { self.link().connection().await?.send(&request).await };
        match tokio::time::timeout(patience, sent).await {
            Ok(Ok(pending)) => Ok(Sent { prev, last, pending }),
            Ok(Err(e)) => Err(self.error(RPCTypes::AppendEntries, patience, e)),
            Err(_) => Err(self.error(RPCTypes::AppendEntries, patience, CallError::Late)),
        }
    }

    /// Waits until the follower has made a piece durable, or said why not.
    async fn settle_piece(
        &self,
        sent: Result<Sent, RpcError>,
        patience: Duration,
    ) -> Result<StreamAppendResult<TypeConfig>, RpcError> {
        let Sent { prev, last, pending } = sent?;
        match pending.wait(patience).await {
            // Nothing precedes the very first entry, so nothing can conflict with it.
            Ok(Answer::Append(AppendResponse::Conflict)) if prev.is_none() => Err(out_of_place()),
            Ok(Answer::Append(response)) => Ok(response.into_stream_result(prev, last)),
            Ok(_) => Err(out_of_place()),
            Err(e) => Err(self.error(RPCTypes::AppendEntries, patience, e)),
        }
    }

    async fn send_snapshot(&self, vote: Vote, snapshot: &Snapshot) -> Result<Vote, StreamingError<TypeConfig>> {
        let unreachable = |e: std::io::Error| StreamingError::Unreachable(Unreachable::new(&e));
        let failed = |e: CallError| match e {
            CallError::NotSent(e) => unreachable(e),
            e @ (CallError::Lost | CallError::Late) => StreamingError::Network(NetworkError::new(&e)),
        };
        let connection = self.peer.snapshot.dial().await.map_err(unreachable)?;
        let sum = snapshot.snapshot.sum();
        let begin = Request::SnapshotBegin { vote, meta: snapshot.meta.clone(), sum };
        go_on(connection.call(&begin, PART_PATIENCE).await.map_err(failed)?)?;

        let mut ahead: VecDeque<Pending> = VecDeque::new();
        let mut next = 0;
        loop {
            let parts = snapshot.snapshot.read(next, PART).await.map_err(|e| {
                StreamingError::Unreachable(Unreachable::new(&e)) // a newer snapshot may have replaced this one: start over
            })?;
            if parts.is_empty() {
                break;
            }
            next += parts.len() as u64;
            let parts = parts.into_iter().map(|part| Blob(part.0)).collect();
            ahead.push_back(connection.send(&Request::SnapshotParts(parts)).await.map_err(failed)?);
            if ahead.len() >= PARTS_AHEAD {
                settle(&mut ahead, &failed).await?;
            }
        }
        while !ahead.is_empty() {
            settle(&mut ahead, &failed).await?;
        }
        match connection.call(&Request::SnapshotEnd, INSTALL_PATIENCE).await.map_err(failed)? {
            Answer::Installed(vote) => Ok(vote),
            _ => Err(out_of_place().into()),
        }
    }
}

/// A piece on its way.
struct Sent {
    prev: Option<LogId>,
    last: Option<LogId>,
    pending: Pending,
}

/// The peer broke the protocol, or turned us away.
fn out_of_place() -> RpcError {
    NetworkError::new(&Refused::OutOfPlace).into()
}

/// Waits for the oldest part on its way.
async fn settle(
    ahead: &mut VecDeque<Pending>,
    failed: &impl Fn(CallError) -> StreamingError<TypeConfig>,
) -> Result<(), StreamingError<TypeConfig>> {
    match ahead.pop_front() {
        Some(pending) => go_on(pending.wait(PART_PATIENCE).await.map_err(failed)?),
        None => Ok(()),
    }
}

/// Whether the receiver wants more.
fn go_on(answer: Answer) -> Result<(), StreamingError<TypeConfig>> {
    match answer {
        Answer::Continue => Ok(()),
        // It has no room, or is busy with another: try again later rather than at once.
        _ => Err(StreamingError::Unreachable(Unreachable::new(&Refused::Unavailable))),
    }
}

/// Cuts a request into pieces that fit a frame. A piece holds at least one entry; an entry fits a frame by its own bounds.
fn pieces(request: AppendRequest) -> Vec<AppendRequest> {
    if request.entries.len() < 2 {
        return vec![request];
    }
    let AppendRequest { vote, mut prev_log_id, entries, leader_commit } = request;
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
    for entry in entries {
        // What cannot be measured gets a piece of its own, and its error when it is sent.
        let length = wire::encoded_len(&entry).unwrap_or(PIECE);
        if bytes + length > PIECE && !piece.is_empty() {
            let last = entry_before(&piece, prev_log_id);
            pieces.push(AppendRequest { vote, prev_log_id, entries: std::mem::take(&mut piece), leader_commit });
            (prev_log_id, bytes) = (last, 0);
        }
        bytes += length;
        piece.push(entry);
    }
    pieces.push(AppendRequest { vote, prev_log_id, entries: piece, leader_commit });
    pieces
}

/// The log id that the entry after `piece` follows.
fn entry_before(piece: &[Entry], prev: Option<LogId>) -> Option<LogId> {
    piece.last().map(|entry| entry.log_id).or(prev)
}

impl RaftNetworkV2<TypeConfig> for Client {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(&mut self, rpc: AppendRequest, option: RPCOption) -> Result<AppendResponse, RpcError> {
        let patience = self.patience(&option);
        let request = Request::Append(rpc);
        match self.link().call(&request, patience).await {
            Ok(Answer::Append(response)) => Ok(response),
            Ok(_) => Err(out_of_place()),
            Err(e) => Err(self.error(RPCTypes::AppendEntries, patience, e)),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendRequest> + OptionalSend + Unpin + 'static,
    {
        let patience = self.patience(&option);
        let this: &'s Self = self;
        let answers = input
            .flat_map(|request| stream::iter(pieces(request)))
            .then(move |piece| this.send_piece(piece, patience))
            .map(move |sent| this.settle_piece(sent, patience))
            .buffered(DEPTH)
            .scan(false, |over, answer| {
                // What follows a piece that was not accepted cannot be accepted either.
                let item = (!*over).then_some(answer);
                *over = !matches!(item, Some(Ok(Ok(_))));
                ready(item)
            });
        Box::pin(ready(Ok(answers.boxed())))
    }

    async fn vote(&mut self, rpc: VoteRequest, option: RPCOption) -> Result<VoteResponse, RpcError> {
        match self.ask(RPCTypes::Vote, Request::Vote(rpc), option.soft_ttl()).await? {
            Answer::Vote(response) => Ok(response),
            _ => Err(out_of_place()),
        }
    }

    async fn pre_vote(&mut self, rpc: VoteRequest, option: RPCOption) -> Result<VoteResponse, RpcError> {
        match self.ask(RPCTypes::Vote, Request::PreVote(rpc), option.soft_ttl()).await? {
            Answer::Vote(response) => Ok(response),
            _ => Err(out_of_place()),
        }
    }

    async fn transfer_leader(&mut self, req: TransferRequest, option: RPCOption) -> Result<TransferResponse, RpcError> {
        match self.ask(RPCTypes::TransferLeader, Request::TransferLeader(req), option.soft_ttl()).await? {
            Answer::TransferLeader(response) => Ok(response),
            _ => Err(out_of_place()),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sending = self.send_snapshot(vote, &snapshot);
        pin_mut!(cancel);
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = sending => sent.map(SnapshotResponse::new),
        }
    }
}
