//! A network that loses, delays, doubles and reorders, and that can be cut in either direction.
//!
//! Each message travels alone, so a later one may overtake it. What is lost, or meets a cut, is silence to the sender;
//! what reaches a node that is down is refused at once. A copy of a message may arrive seconds after the message did, and
//! after its sender has died: it lay in some buffer.

use crate::{dice::Dice, node::Node, oracle::Oracle};
use futures_util::future::{BoxFuture, FutureExt};
use openraft::{
    AnyError, OptionalSend, RaftNetworkFactory, RaftNetworkV2,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable},
    network::{RPCOption, RPCTypes},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, TransferLeaderResponse,
        VoteRequest, VoteResponse,
    },
};
use quorate_raft::store::{Peer, Snapshot, SnapshotHandle, TypeConfig, Vote};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// One life of one node: who sends a message. A node that restarts is another sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    pub id: u64,
    pub epoch: u64,
}

/// How bad it is, out of a thousand messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub lost: u64,
    pub doubled: u64,
    /// Delayed by up to half a second instead of a few milliseconds.
    pub late: u64,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug)]
pub enum Lost {
    /// The request was not delivered, for certain.
    Refused,
    /// It was, or may have been.
    Broken,
}

/// See the module.
pub struct Network {
    oracle: Arc<Oracle>,
    inner: Mutex<Inner>,
}

struct Inner {
    dice: Dice,
    weather: Weather,
    /// From, to.
    cuts: BTreeSet<(u64, u64)>,
    nodes: BTreeMap<u64, Arc<Node>>,
}

/// What will become of a message.
struct Fate {
    delay: Duration,
    lost: bool,
    /// When a copy of it arrives.
    copy: Option<Duration>,
}

impl Network {
    pub fn new(dice: Dice, oracle: Arc<Oracle>) -> Arc<Self> {
        let (weather, cuts, nodes) = (Weather::default(), BTreeSet::new(), BTreeMap::new());
        Arc::new(Self { oracle, inner: Mutex::new(Inner { dice, weather, cuts, nodes }) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_weather(&self, weather: Weather) {
        self.inner().weather = weather;
    }

    /// No message gets from one to the other; the way back is another cut.
    pub fn cut(&self, from: u64, to: u64) {
        self.inner().cuts.insert((from, to));
    }

    pub fn heal(&self) {
        self.inner().cuts.clear();
    }

    /// The node can be reached from now on.
    pub fn join(&self, node: Arc<Node>) {
        self.inner().nodes.insert(node.life.id, node);
    }

    /// The node cannot be reached any more, and whatever its former life still says is not heard.
    pub fn leave(&self, id: u64) -> Option<Arc<Node>> {
        self.inner().nodes.remove(&id)
    }

    pub fn node(&self, id: u64) -> Option<Arc<Node>> {
        self.inner().nodes.get(&id).cloned()
    }

    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.inner().nodes.values().cloned().collect()
    }

    /// Whether this life of the node still goes on.
    pub fn lives(&self, life: Life) -> bool {
        self.inner().nodes.get(&life.id).is_some_and(|node| node.life == life)
    }

    fn fate(&self) -> Fate {
        let mut inner = self.inner();
        let Weather { lost, doubled, late } = inner.weather;
        let dice = &mut inner.dice;
        let delay = if dice.per_mille(late) { dice.millis(10..500) } else { dice.millis(0..4) };
        let lost = dice.per_mille(lost);
        let copy = dice.per_mille(doubled).then(|| match dice.within(0..10) {
            0 => dice.millis(1000..6000),
            _ => dice.millis(0..200),
        });
        Fate { delay, lost, copy }
    }

    fn is_cut(&self, from: u64, to: u64) -> bool {
        self.inner().cuts.contains(&(from, to))
    }

    /// Sends a request and waits for the answer, for ever if need be: the caller has a limit of its own.
    pub async fn call<Q, A>(self: &Arc<Self>, from: Life, to: u64, request: Q, handle: Handler<Q, A>) -> Result<A, Lost>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
    {
        let Fate { delay, lost, copy } = self.fate();
        if let Some(after) = copy {
            let (network, request) = (self.clone(), request.clone());
            tokio::spawn(async move {
                sleep(after).await;
                if !network.is_cut(from.id, to)
                    && let Some(node) = network.node(to)
                {
                    network.oracle.count("copies delivered");
                    drop(handle(node, request).await);
                }
            });
        }
        sleep(delay).await;
        if lost || self.is_cut(from.id, to) || !self.lives(from) {
            return pending().await;
        }
        let Some(node) = self.node(to) else { return Err(Lost::Refused) };
        let life = node.life;
        let (tell, told) = oneshot::channel();
        // It is handled even if the sender has given up meanwhile.
        tokio::spawn(async move { drop(tell.send(handle(node, request).await)) });
        let answer = told.await.ok().flatten();
        let Fate { delay, lost, .. } = self.fate();
        sleep(delay).await;
        if lost || self.is_cut(to, from.id) || !self.lives(from) {
            return pending().await;
        }
        if self.lives(life) { answer.ok_or(Lost::Broken) } else { Err(Lost::Broken) }
    }
}

/// What a node does with a request; none if it is in no state to answer.
pub type Handler<Q, A> = fn(Arc<Node>, Q) -> BoxFuture<'static, Option<A>>;

/// Makes the clients that openraft replicates through.
pub struct Links {
    pub network: Arc<Network>,
    pub from: Life,
}

impl RaftNetworkFactory<TypeConfig> for Links {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _: &Peer) -> Link {
        Link { network: self.network.clone(), from: self.from, to: target }
    }
}

/// From one node to another.
pub struct Link {
    network: Arc<Network>,
    from: Life,
    to: u64,
}

type RpcError = RPCError<TypeConfig>;

impl Link {
    async fn ask<Q, A>(
        &self,
        action: RPCTypes,
        request: Q,
        option: &RPCOption,
        handle: Handler<Q, A>,
    ) -> Result<A, RpcError>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
    {
        let patience = option.soft_ttl();
        match timeout(patience, self.network.call(self.from, self.to, request, handle)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Lost::Refused)) => Err(Unreachable::new(&AnyError::error("refused")).into()),
            Ok(Err(Lost::Broken)) => Err(NetworkError::new(&AnyError::error("broken")).into()),
            Err(_) => Err(Timeout { action, id: self.from.id, target: self.to, timeout: patience }.into()),
        }
    }
}

/// A whole snapshot as it arrives: its parts are pushed one message at a time, see [`Link::full_snapshot`].
#[derive(Clone)]
struct Arriving {
    vote: Vote,
    snapshot: Snapshot,
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        self.ask(RPCTypes::AppendEntries, rpc, &option, |node, rpc| {
            async move { node.note(node.raft.append_entries(rpc).await) }.boxed()
        })
        .await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask(RPCTypes::Vote, rpc, &option, |node, rpc| async move { node.note(node.raft.vote(rpc).await) }.boxed())
            .await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask(RPCTypes::Vote, rpc, &option, |node, rpc| {
            async move { node.note(node.raft.pre_vote(rpc).await) }.boxed()
        })
        .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        // As long as the slowest of its parts may take, so that a loss does not hold up replication for ever.
        let transfer = self.network.call(self.from, self.to, Arriving { vote, snapshot }, |node, arriving| {
            async move { node.receive(arriving.vote, arriving.snapshot).await }.boxed()
        });
        let transfer = timeout(Duration::from_secs(3), transfer);
        tokio::select! {
            biased;
            closed = cancel => Err(closed.into()),
            answer = transfer => match answer {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) | Err(_) => Err(Unreachable::new(&AnyError::error("no answer")).into()),
            },
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        self.ask(RPCTypes::TransferLeader, rpc, &option, |node, rpc| {
            async move { node.note_fatal(node.raft.handle_transfer_leader(rpc).await) }.boxed()
        })
        .await
    }
}
