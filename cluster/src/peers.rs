//! Who and where: one [`Link`] per peer and purpose, which dials when it is needed and again when it breaks.
//!
//! A [`Connection`] carries many requests at once; answers find their request by id. Whether a request may have reached
//! the other side is never guessed: [`CallError::NotSent`] means that it certainly did not.

use crate::{
    tls::{Reader, Transport, Writer},
    types::ClusterId,
    wire::{self, Answer, Frames, Hello, MAX_FRAME, MAX_HELLO, Purpose, Refused, Request, WireError},
};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};

/// How long dialing, handshake and greeting may take together.
const DIAL: Duration = Duration::from_secs(2);

/// Requests that wait for the socket before a caller has to wait itself.
const OUTBOX: usize = 256;

/// Requests in a row that ran out of time, nothing having been heard meanwhile, before a connection is given up.
const STRIKES: u32 = 4;

/// Pause after a failed dial, doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Nobody has seen the request.
    #[error("the peer cannot be reached")]
    NotSent(#[source] io::Error),
    /// The connection broke; the request may have arrived.
    #[error("the connection broke")]
    Lost,
    /// No answer in time; the request may have arrived.
    #[error("no answer in time")]
    Late,
}

/// A value behind a lock that no panic can spoil: every critical section below leaves it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Requests that wait for their answers.
#[derive(Default)]
struct Waiting(Mutex<HashMap<u64, oneshot::Sender<Answer>>>);

/// One open stream to a peer.
pub(crate) struct Connection {
    outbox: mpsc::Sender<Bytes>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
    strikes: Arc<AtomicU32>,
    gone: CancellationToken,
}

/// A request on its way.
pub(crate) struct Pending {
    id: u64,
    answer: oneshot::Receiver<Answer>,
    waiting: Arc<Waiting>,
    strikes: Arc<AtomicU32>,
    gone: CancellationToken,
}

impl Connection {
    /// Dials `addr` and introduces the caller.
    pub async fn open(transport: &Transport, addr: &str, hello: Hello) -> io::Result<(Self, Hello)> {
        timeout(DIAL, Self::greet(transport, addr, hello)).await?
    }

    async fn greet(transport: &Transport, addr: &str, hello: Hello) -> io::Result<(Self, Hello)> {
        let (reader, mut writer) = transport.dial(addr).await?;
        let broken = |e: WireError| io::Error::new(io::ErrorKind::InvalidData, e);
        writer.write_all(&wire::frame(0, &Request::Hello(hello)).map_err(broken)?).await?;
        writer.flush().await?;
        let mut frames = FramedRead::new(reader, Frames::<Answer>::new(MAX_HELLO));
        let welcome = match frames.next().await {
            Some(Ok((0, Answer::Welcome(welcome)))) => welcome,
            Some(Ok((_, Answer::Refused(why)))) => return Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
            Some(Ok(_)) => return Err(io::Error::new(io::ErrorKind::InvalidData, Refused::OutOfPlace)),
            Some(Err(e)) => return Err(broken(e)),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        frames.decoder_mut().raise(MAX_FRAME);

        let (outbox, queue) = mpsc::channel(OUTBOX);
        let gone = CancellationToken::new();
        let waiting = Arc::<Waiting>::default();
        let strikes = Arc::<AtomicU32>::default();
        tokio::spawn(gone.clone().run_until_cancelled_owned(send(writer, queue, gone.clone())));
        tokio::spawn(receive(frames, waiting.clone(), strikes.clone(), gone.clone()));
        Ok((Self { outbox, waiting, next: AtomicU64::new(1), strikes, gone }, welcome))
    }

    /// Whether the stream is known to be broken.
    pub fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    /// Puts a request on its way. Requests leave in the order of these calls.
    pub async fn send(&self, request: &Request) -> Result<Pending, CallError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let frame =
            wire::frame(id, request).map_err(|e| CallError::NotSent(io::Error::new(io::ErrorKind::InvalidInput, e)))?;
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting.0).insert(id, sender);
        // From here on `pending` removes the entry, whatever happens.
        let pending = Pending {
            id,
            answer,
            waiting: self.waiting.clone(),
            strikes: self.strikes.clone(),
            gone: self.gone.clone(),
        };
        let sent = self.gone.run_until_cancelled(self.outbox.send(frame)).await;
        match sent {
            Some(Ok(())) => Ok(pending),
            Some(Err(_)) | None => Err(CallError::NotSent(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// Asks and waits.
    pub async fn call(&self, request: &Request, patience: Duration) -> Result<Answer, CallError> {
        self.send(request).await?.wait(patience).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

impl Pending {
    /// Waits for the answer.
    pub async fn wait(mut self, patience: Duration) -> Result<Answer, CallError> {
        match timeout(patience, &mut self.answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Lost),
            Err(_) => {
                if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
                    self.gone.cancel();
                }
                Err(CallError::Late)
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        lock(&self.waiting.0).remove(&self.id);
    }
}

/// Writes what is queued, as much at a time as there is.
async fn send(mut writer: Writer, mut queue: mpsc::Receiver<Bytes>, gone: CancellationToken) {
    let _end = gone.drop_guard();
    flush_queue(&mut writer, &mut queue).await;
}

/// Writes frames until the queue is closed or the stream breaks.
pub(crate) async fn flush_queue(writer: &mut Writer, queue: &mut mpsc::Receiver<Bytes>) {
    const MANY: usize = 64;
    const SMALL: usize = 16 << 10;
    let mut frames = Vec::with_capacity(MANY);
    let mut together = Vec::with_capacity(SMALL);
    while queue.recv_many(&mut frames, MANY).await > 0 {
        for frame in frames.drain(..) {
            if together.len() + frame.len() > SMALL && !together.is_empty() {
                if writer.write_all(&together).await.is_err() {
                    return;
                }
                together.clear();
            }
            if frame.len() > SMALL {
                if writer.write_all(&frame).await.is_err() {
                    return;
                }
            } else {
                together.extend_from_slice(&frame);
            }
        }
        if writer.write_all(&together).await.is_err() || writer.flush().await.is_err() {
            return;
        }
        together.clear();
    }
}

/// Hands answers to whoever waits for them.
async fn receive(
    mut frames: FramedRead<Reader, Frames<Answer>>,
    waiting: Arc<Waiting>,
    strikes: Arc<AtomicU32>,
    gone: CancellationToken,
) {
    let _end = gone.clone().drop_guard();
    while let Some(Some(frame)) = gone.run_until_cancelled(frames.next()).await {
        match frame {
            Ok((id, answer)) => {
                strikes.store(0, Ordering::Relaxed);
                let waiter = lock(&waiting.0).remove(&id);
                if let Some(waiter) = waiter {
                    let _ = waiter.send(answer); // gone meanwhile: nobody needs the answer
                }
            }
            Err(e) => {
                tracing::warn!(error = &e as &dyn std::error::Error, "peer connection closed");
                break;
            }
        }
    }
    gone.cancel();
    lock(&waiting.0).clear(); // dropped senders wake everybody who still waits
}

/// The way to one peer for one purpose.
pub(crate) struct Link {
    target: u64,
    purpose: Purpose,
    caller: Arc<Caller>,
    addr: RwLock<String>,
    open: RwLock<Option<Arc<Connection>>>,
    dialing: tokio::sync::Mutex<Pause>,
}

/// When a peer may be dialed again.
#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    length: Duration,
}

/// What every link of a node needs.
pub(crate) struct Caller {
    pub id: u64,
    pub cluster: RwLock<Option<ClusterId>>,
    pub transport: Transport,
}

impl Caller {
    /// This node's cluster, if it belongs to one yet.
    pub fn cluster(&self) -> Option<ClusterId> {
        *self.cluster.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn new(target: u64, purpose: Purpose, addr: String, caller: Arc<Caller>) -> Self {
        let (addr, open) = (RwLock::new(addr), RwLock::default());
        Self { target, purpose, caller, addr, open, dialing: tokio::sync::Mutex::default() }
    }

    fn is_at(&self, addr: &str) -> bool {
        *self.addr.read().unwrap_or_else(PoisonError::into_inner) == addr
    }

    fn move_to(&self, addr: &str) {
        *self.addr.write().unwrap_or_else(PoisonError::into_inner) = addr.into();
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn usable(&self) -> Option<Arc<Connection>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone().filter(|open| !open.is_gone())
    }

    /// The open connection, or a new one. Fails at once while a recently failed dial is being waited out.
    pub async fn connection(&self) -> Result<Arc<Connection>, CallError> {
        if let Some(open) = self.usable() {
            return Ok(open);
        }
        let mut pause = self.dialing.lock().await;
        if let Some(open) = self.usable() {
            return Ok(open); // somebody else dialed while we waited
        }
        if pause.until.is_some_and(|until| Instant::now() < until) {
            return Err(CallError::NotSent(io::ErrorKind::NotConnected.into()));
        }
        match self.dial().await {
            Ok(open) => {
                *pause = Pause::default();
                let open = Arc::new(open);
                *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open.clone());
                Ok(open)
            }
            Err(e) => {
                pause.length = (pause.length * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                pause.until = Some(Instant::now() + pause.length);
                tracing::debug!(peer = self.target, error = &e as &dyn std::error::Error, "peer not reached");
                Err(CallError::NotSent(e))
            }
        }
    }

    /// A connection that nobody else uses.
    pub async fn dial(&self) -> io::Result<Connection> {
        let addr = self.addr.read().unwrap_or_else(PoisonError::into_inner).clone();
        let hello = Hello {
            cluster: self.caller.cluster(),
            from: Some(self.caller.id),
            to: Some(self.target),
            purpose: self.purpose,
        };
        let (connection, welcome) = Connection::open(&self.caller.transport, &addr, hello).await?;
        if welcome.from != Some(self.target) {
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, Refused::OtherNode));
        }
        Ok(connection)
    }

    /// Asks and waits, dialing first if need be.
    pub async fn call(&self, request: &Request, patience: Duration) -> Result<Answer, CallError> {
        let start = Instant::now();
        let open = timeout(patience, self.connection())
            .await
            .map_err(|_| CallError::NotSent(io::ErrorKind::TimedOut.into()))??;
        open.call(request, patience.saturating_sub(start.elapsed())).await
    }
}

/// All links to one peer.
pub(crate) struct Peer {
    /// Heartbeats, votes, proposals, reads.
    pub control: Link,
    /// Log entries.
    pub append: Link,
    /// Dialed anew for every snapshot.
    pub snapshot: Link,
}

/// The peers that this node talks to, by id.
pub(crate) struct Peers {
    pub caller: Arc<Caller>,
    known: RwLock<HashMap<u64, Arc<Peer>>>,
}

impl Peers {
    /// Knows nobody yet.
    pub fn new(caller: Caller) -> Self {
        Self { caller: Arc::new(caller), known: RwLock::default() }
    }

    /// The peer, if it was ever placed.
    pub fn get(&self, id: u64) -> Option<Arc<Peer>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The peer at its current address; links move there if it moved.
    pub fn place(&self, id: u64, addr: &str) -> Arc<Peer> {
        if let Some(peer) = self.get(id) {
            for link in [&peer.control, &peer.append, &peer.snapshot] {
                if !link.is_at(addr) {
                    link.move_to(addr);
                }
            }
            return peer;
        }
        let link = |purpose| Link::new(id, purpose, addr.into(), self.caller.clone());
        let peer = Arc::new(Peer {
            control: link(Purpose::Control),
            append: link(Purpose::Append),
            snapshot: link(Purpose::Snapshot),
        });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(id).or_insert(peer).clone()
    }

    /// Closes every connection.
    pub fn close(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
