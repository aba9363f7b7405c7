//! The answering end of the peer port.
//!
//! Each connection is one task: it reads requests, works on as many as [`AT_ONCE`] side by side and writes answers as they
//! come. A caller that does not read its answers is not read from either. Whatever is malformed or out of place ends the
//! connection and touches nothing else.

use crate::{
    Shared,
    membership::PATIENCE,
    peers::flush_queue,
    tls::{Reader, Writer},
    types::{AppendResponse, Vote},
    wire::{self, Answer, Blob, Frames, Hello, MAX_DRAFTS, MAX_FRAME, MAX_HELLO, Purpose, Refused, Request},
    write::Written,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use quorate_raft::{
    Owners,
    state::Part,
    store::{Snapshot, SnapshotReceiver},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::codec::FramedRead;

/// How long a caller may take to say who it is.
const GREETING: Duration = Duration::from_secs(5);

/// Requests of one connection that are worked on side by side.
const AT_ONCE: usize = 64;

/// Answers of one connection that wait to be written.
const OUTBOX: usize = 256;

/// Longest request of an operator.
const MAX_OPERATION: usize = 64 << 10;

/// How long this node, as leader, tries to commit what another node proposed.
const COMMIT: Duration = Duration::from_secs(5);

/// Backup bytes in one answer.
const PART: usize = 512 << 10;

type Requests = FramedRead<Reader, Frames<Request>>;

/// Accepts connections until the node stops.
pub(crate) async fn run<O: Owners>(shared: Arc<Shared<O>>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(shared.settings.limits.connections));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    let stop = shared.stop.clone();
                    if let Some(Err(e)) = stop.run_until_cancelled(connection(shared, stream)).await {
                        tracing::debug!(%from, error = &e as &dyn std::error::Error, "peer connection ended");
                    }
                    drop(permit);
                });
            }
            Err(e) => {
                // Out of descriptors, or the caller was gone again: neither gets better by asking at once.
                tracing::warn!(error = &e as &dyn std::error::Error, "peer not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn invalid(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, e)
}

async fn connection<O: Owners>(shared: Arc<Shared<O>>, stream: TcpStream) -> io::Result<()> {
    let (reader, writer) = shared.peers.caller.transport.accept(stream).await?;
    let mut requests = FramedRead::new(reader, Frames::<Request>::new(MAX_HELLO));
    let (id, hello) = match timeout(GREETING, requests.next()).await? {
        Some(Ok((id, Request::Hello(hello)))) => (id, hello),
        Some(Ok(_)) => return Err(invalid(Refused::OutOfPlace)),
        Some(Err(e)) => return Err(invalid(e)),
        None => return Ok(()),
    };
    let answers = Answers::start(writer);
    if let Err(why) = shared.welcome(&hello).await {
        tracing::warn!(from = hello.from, reason = %why, "peer refused");
        return answers.give(id, &Answer::Refused(why)).await;
    }
    let me = Hello {
        cluster: shared.peers.caller.cluster(),
        from: Some(shared.settings.node_id),
        to: hello.from,
        purpose: hello.purpose,
    };
    answers.give(id, &Answer::Welcome(me)).await?;
    requests.decoder_mut().raise(if hello.purpose == Purpose::Operator { MAX_OPERATION } else { MAX_FRAME });
    match hello.purpose {
        Purpose::Control => {
            let ended = side_by_side(shared.clone(), requests, answers).await;
            if let Some(peer) = hello.from {
                let _ = shared.departed.try_send(peer); // full: there is enough to look at
            }
            ended
        }
        Purpose::Append => side_by_side(shared, requests, answers).await,
        Purpose::Snapshot => snapshot(shared, requests, answers).await,
        Purpose::Operator => operator(shared, requests, answers).await,
    }
}

/// The way back to the caller. Ends when it is dropped, after what was given has been written.
struct Answers(mpsc::Sender<Bytes>);

impl Answers {
    fn start(mut writer: Writer) -> Self {
        let (outbox, mut queue) = mpsc::channel(OUTBOX);
        tokio::spawn(async move { flush_queue(&mut writer, &mut queue).await });
        Self(outbox)
    }

    async fn give(&self, id: u64, answer: &Answer) -> io::Result<()> {
        let frame = wire::frame(id, answer).map_err(invalid)?;
        self.0.send(frame).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

async fn side_by_side<O: Owners>(shared: Arc<Shared<O>>, mut requests: Requests, answers: Answers) -> io::Result<()> {
    let mut work = FuturesUnordered::<BoxFuture<'_, (u64, Answer)>>::new();
    loop {
        tokio::select! {
            Some((id, answer)) = work.next() => answers.give(id, &answer).await?,
            request = requests.next(), if work.len() < AT_ONCE => {
                let Some(request) = request else { return Ok(()) };
                let (id, request) = request.map_err(invalid)?;
                // First polled in the order of arrival, which is how appended entries stay in order.
                work.push(shared.answer(request).map(move |answer| (id, answer)).boxed());
            }
        }
    }
}

async fn snapshot<O: Owners>(shared: Arc<Shared<O>>, mut requests: Requests, answers: Answers) -> io::Result<()> {
    let mut begun: Option<(Vote, SnapshotReceiver)> = None;
    while let Some(request) = requests.next().await {
        let (id, request) = request.map_err(invalid)?;
        let answer = match (request, begun.take()) {
            (Request::SnapshotBegin { vote, meta, sum }, None) => {
                let Some(snapshots) = shared.snapshots() else { return Ok(()) };
                begun = Some((vote, snapshots.receive(meta, sum).await?));
                Answer::Continue
            }
            (Request::SnapshotParts(parts), Some((vote, mut receiver))) => {
                receiver.push(parts.into_iter().map(|blob| Part(blob.0)).collect()).await?;
                shared.pulse.hear();
                begun = Some((vote, receiver));
                Answer::Continue
            }
            (Request::SnapshotEnd, Some((vote, receiver))) => {
                let snapshot = receiver.finish().await?;
                let response = shared.raft.install_full_snapshot(vote, snapshot).await.map_err(io::Error::other)?;
                Answer::Installed(response.vote)
            }
            _ => return Err(invalid(Refused::OutOfPlace)),
        };
        answers.give(id, &answer).await?;
    }
    Ok(())
}

async fn operator<O: Owners>(shared: Arc<Shared<O>>, mut requests: Requests, answers: Answers) -> io::Result<()> {
    let mut backup: Option<(Snapshot, u64)> = None;
    while let Some(request) = requests.next().await {
        let (id, request) = request.map_err(invalid)?;
        let answer = match request {
            Request::Admin(operation) => Answer::Admin(shared.admin(operation, true).await),
            Request::BackupOpen => match shared.fresh_snapshot().await {
                Some(snapshot) => {
                    let (meta, sum) = (snapshot.meta.clone(), snapshot.snapshot.sum());
                    backup = Some((snapshot, 0));
                    Answer::Backup { meta, sum }
                }
                None => Answer::Refused(Refused::Unavailable),
            },
            Request::BackupParts => {
                let Some((snapshot, next)) = &mut backup else { return Err(invalid(Refused::OutOfPlace)) };
                let parts = snapshot.snapshot.read(*next, PART).await?;
                *next += parts.len() as u64;
                Answer::BackupParts(parts.into_iter().map(|part| Blob(part.0)).collect())
            }
            _ => return Err(invalid(Refused::OutOfPlace)),
        };
        answers.give(id, &answer).await?;
    }
    Ok(())
}

impl<O: Owners> Shared<O> {
    /// Whether the caller has come to the right place. A node that belongs to no cluster yet joins the caller's.
    async fn welcome(&self, hello: &Hello) -> Result<(), Refused> {
        let me = self.settings.node_id;
        if hello.to.is_some_and(|to| to != me) || hello.from == Some(me) {
            return Err(Refused::OtherNode);
        }
        if hello.from.is_none() && hello.purpose != Purpose::Operator {
            return Err(Refused::OutOfPlace);
        }
        match (self.peers.caller.cluster(), hello.cluster) {
            (Some(ours), Some(theirs)) if ours != theirs => Err(Refused::OtherCluster),
            (None, Some(theirs)) if hello.purpose != Purpose::Operator => {
                self.join(theirs).await.map_err(|_| Refused::Unavailable)
            }
            _ => Ok(()),
        }
    }

    /// One request of a node.
    async fn answer(&self, request: Request) -> Answer {
        const FAILED: Answer = Answer::Refused(Refused::Unavailable);
        match request {
            Request::Append(rpc) => match self.raft.append_entries(rpc).await {
                Ok(response) => {
                    if !matches!(response, AppendResponse::HigherVote(_)) {
                        self.pulse.hear();
                    }
                    Answer::Append(response)
                }
                Err(_) => FAILED,
            },
            Request::Vote(rpc) => self.raft.vote(rpc).await.map_or(FAILED, Answer::Vote),
            Request::PreVote(rpc) => self.raft.pre_vote(rpc).await.map_or(FAILED, Answer::Vote),
            Request::TransferLeader(rpc) => {
                self.raft.handle_transfer_leader(rpc).await.map_or(FAILED, Answer::TransferLeader)
            }
            Request::Propose(drafts) if (1..=MAX_DRAFTS).contains(&drafts.len()) => {
                let Ok(bytes) = wire::encoded_len(&*drafts) else { return FAILED };
                match timeout(COMMIT, self.write(Arc::unwrap_or_clone(drafts), bytes)).await {
                    Ok(Written::Done { index, outcomes }) => Answer::Proposed { index, outcomes },
                    Ok(Written::NotLeader(leader)) => Answer::NotLeader(leader),
                    Ok(Written::Unknown) | Err(_) => Answer::Unknown,
                }
            }
            Request::ReadIndex => match self.read_index().await {
                Ok(index) => Answer::ReadIndex(index),
                Err(leader) => Answer::NotLeader(leader),
            },
            Request::Admin(operation) => Answer::Admin(self.admin(operation, false).await),
            Request::Hello(_)
            | Request::Propose(_)
            | Request::SnapshotBegin { .. }
            | Request::SnapshotParts(_)
            | Request::SnapshotEnd
            | Request::BackupOpen
            | Request::BackupParts => Answer::Refused(Refused::OutOfPlace),
        }
    }

    /// A snapshot that holds everything that is applied now.
    async fn fresh_snapshot(&self) -> Option<Snapshot> {
        let wanted = self.applied.borrow().log_id;
        self.raft.trigger().snapshot().await.ok()?;
        let mut progress = self.raft.watch_snapshot_progress();
        timeout(PATIENCE, progress.wait_until_ge(&wanted)).await.ok()?.ok()?;
        self.snapshots()?.current()
    }
}
