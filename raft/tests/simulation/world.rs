//! Three nodes with their disks, clients, and everything that goes wrong.

use crate::{
    clients::Clients,
    dice::Dice,
    network::{Life, Network, Weather},
    node::{Clock, Node},
    oracle::Oracle,
};
use openraft::{Config, SnapshotPolicy};
use quorate_raft::{
    Command,
    store::{
        Disks, Peer, Runtime,
        memory::{Faults, MemoryDisk},
    },
};
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

const IDS: [u64; 3] = [1, 2, 3];
const CLIENTS: usize = 5;

/// Furthest that a clock is off, in milliseconds. Two that are wrong in opposite directions differ by twice as much, and by
/// more than a draft's window: log time leaps that far when the one follows the other, or stands still for as long.
const SKEW: u64 = 120_000;

/// What a run came to.
pub struct Report {
    /// The story of the violation, if there was one.
    pub violation: Option<String>,
    /// How often what happened.
    pub counts: BTreeMap<&'static str, u64>,
    /// The same for the same history.
    pub hash: u64,
}

/// What of a node outlives its process.
struct Slot {
    log: MemoryDisk,
    snap: MemoryDisk,
    faults: Faults,
    clock: Clock,
    epoch: u64,
    /// Its process is on its way up.
    starting: bool,
    /// The disk operation that is to fail.
    fails_at: u64,
    /// Out of a thousand barriers, so many stall.
    stalls: Arc<AtomicU64>,
}

struct World {
    network: Arc<Network>,
    oracle: Arc<Oracle>,
    clients: Arc<Clients>,
    config: Arc<Config>,
    slots: Mutex<BTreeMap<u64, Slot>>,
    dice: Mutex<Dice>,
}

/// Everything that follows from one seed.
pub fn run(seed: u64, chaos: Duration) -> Report {
    Runtime::seed(seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    let runtime = builder.build().expect("a runtime");
    runtime.block_on(async move {
        let world = World::new(seed);
        world.live_through(chaos).await;
        Report { violation: world.oracle.violation(), counts: world.oracle.counts(), hash: world.oracle.hash() }
    })
}

impl World {
    fn new(seed: u64) -> Arc<Self> {
        let mut dice = Dice::new(seed);
        let oracle = Arc::new(Oracle::new());
        let (network, dying) = Network::new(dice.fork(), oracle.clone());
        let clients = Clients::new(network.clone(), oracle.clone());
        let config = Config {
            heartbeat_interval: 50,
            election_timeout_min: 200,
            election_timeout_max: 400,
            // Small, so that snapshots are built, sent and installed all the time.
            snapshot_policy: SnapshotPolicy::LogsSinceLast(120),
            max_in_snapshot_log_to_keep: 20,
            purge_batch_size: 8,
            max_payload_entries: 16,
            enable_pre_vote: Some(true),
            enable_leader_restore: Some(false),
            backoff: "20ms 50ms ...100ms".into(),
            ..Config::default()
        };
        let start = Instant::now();
        let slots = IDS.map(|id| {
            let stalls = Arc::new(AtomicU64::new(0));
            let faults = faults(dice.fork(), &stalls);
            let off = Arc::new(AtomicI64::new(wrong_clock(&mut dice)));
            let clock = Clock { start, off };
            let (log, snap) = (MemoryDisk::new(&faults), MemoryDisk::new(&faults));
            (id, Slot { log, snap, faults, clock, epoch: 0, starting: false, fails_at: u64::MAX, stalls })
        });
        let world = Arc::new(Self {
            network,
            oracle,
            clients,
            config: Arc::new(config.validate().expect("a valid configuration")),
            slots: Mutex::new(slots.into()),
            dice: Mutex::new(dice),
        });
        tokio::spawn(world.clone().ambush(dying));
        world
    }

    /// Nodes that die when they have just answered; most come back before anybody has missed them.
    async fn ambush(self: Arc<Self>, mut dying: mpsc::UnboundedReceiver<Life>) {
        while let Some(life) = dying.recv().await {
            if self.network.lives(life) {
                self.oracle.count("ambushes");
                self.crash(life.id);
                let after = self.roll(|dice| match dice.within(0..4) {
                    0 => dice.millis(0..1000),
                    _ => dice.millis(0..10),
                });
                let world = self.clone();
                tokio::spawn(async move {
                    sleep(after).await;
                    world.revive(life.id);
                });
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<u64, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn live_through(self: &Arc<Self>, chaos: Duration) {
        for id in IDS {
            self.clone().start(id).await;
        }
        let members: BTreeMap<u64, Peer> = IDS.into_iter().map(|id| (id, Peer::default())).collect();
        if let Some(node) = self.network.node(1) {
            node.note(node.raft.initialize(members).await);
        }
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(tokio::spawn(self.clients.clone().run(self.roll(Dice::fork))));
        }
        let end = Instant::now() + chaos;
        while Instant::now() < end && self.oracle.violation().is_none() {
            sleep(self.roll(|dice| dice.millis(100..1500))).await;
            self.trouble().await;
        }
        self.peace().await;
        self.clients.stop.store(true, Ordering::Relaxed);
        for client in clients {
            if client.await.is_err() {
                self.oracle.violated("a client panicked".into());
            }
        }
        if self.oracle.violation().is_some() {
            return;
        }
        self.verify().await;
        if self.roll(|dice| dice.per_mille(500)) {
            self.oracle.trace(|| "all power off at the end".into());
            IDS.into_iter().for_each(|id| self.crash(id));
            for id in IDS {
                self.clone().start(id).await;
            }
            self.verify().await;
        }
    }

    /// Starts a node on its disks.
    async fn start(self: Arc<Self>, id: u64) {
        let (disks, clock, life) = {
            let mut slots = self.slots();
            let Some(slot) = slots.get_mut(&id) else { return };
            if slot.starting || self.network.node(id).is_some() {
                return;
            }
            slot.starting = true;
            slot.epoch += 1;
            let disks = Disks { log: Arc::new(slot.log.clone()), snap: Arc::new(slot.snap.clone()) };
            (disks, slot.clock.clone(), Life { id, epoch: slot.epoch })
        };
        let started = Node::start(life, disks, clock, self.config.clone(), &self.network, &self.oracle).await;
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(&id) else { return };
        slot.starting = false;
        match started {
            Ok(node) => {
                self.oracle.trace(|| format!("node {id} starts, applied {:?}", node.applied.borrow().index()));
                self.network.join(node.clone());
                drop(slots);
                tokio::spawn(self.watch(node));
            }
            Err(_) if slot.faults.operations() > slot.fails_at => {
                self.oracle.count("disks failed");
                self.lose_power(slot);
                drop(slots);
                self.revive_later(id);
            }
            Err(error) => {
                drop(slots);
                self.oracle.violated(format!("node {id} cannot start: {error}"));
            }
        }
    }

    /// A node whose disk fails is a node that dies, and is started again by whoever looks after it.
    async fn watch(self: Arc<Self>, node: Arc<Node>) {
        let mut fatal = node.fatal.clone();
        let failed = fatal.wait_for(Option::is_some).await.is_ok();
        if failed && self.network.lives(node.life) {
            self.oracle.count("disks failed");
            self.oracle.trace(|| format!("the disk of node {} failed", node.life.id));
            self.crash(node.life.id);
            sleep(self.roll(|dice| dice.millis(100..2000))).await;
            self.revive(node.life.id);
        }
    }

    /// Ends a node's life between two instants.
    fn crash(&self, id: u64) {
        let Some(node) = self.network.leave(id) else { return };
        if let Some(slot) = self.slots().get_mut(&id) {
            self.lose_power(slot);
        }
        self.oracle.count("crashes");
        self.oracle.trace(|| format!("node {id} dies"));
        // Nobody hears it any more, and its disks are gone; this only tidies up.
        tokio::spawn(async move { drop(node.raft.shutdown().await) });
    }

    /// What no barrier covered is lost, but for some first part of it.
    fn lose_power(&self, slot: &mut Slot) {
        slot.faults = faults(self.roll(Dice::fork), &slot.stalls);
        slot.fails_at = u64::MAX;
        let keep = |disk: &MemoryDisk| self.roll(|dice| dice.within(0..disk.unsynced() as u64 + 1)) as usize;
        let (log, snap) = (keep(&slot.log), keep(&slot.snap));
        slot.log = slot.log.crash(log, &slot.faults);
        slot.snap = slot.snap.crash(snap, &slot.faults);
    }

    fn revive(self: &Arc<Self>, id: u64) {
        tokio::spawn(self.clone().start(id));
    }

    fn revive_later(self: &Arc<Self>, id: u64) {
        let (world, after) = (self.clone(), self.roll(|dice| dice.millis(50..4000)));
        tokio::spawn(async move {
            sleep(after).await;
            world.revive(id);
        });
    }

    /// A node, more often than not the one that leads.
    async fn victim(&self) -> u64 {
        let leader = match self.network.nodes().first() {
            Some(node) => node.raft.current_leader().await,
            None => None,
        };
        self.roll(|dice| match leader {
            Some(leader) if dice.per_mille(500) => leader,
            _ => dice.within(1..4),
        })
    }

    async fn trouble(self: &Arc<Self>) {
        let victim = self.victim().await;
        match self.roll(|dice| dice.within(0..16)) {
            0..=2 => {
                self.crash(victim);
                self.revive_later(victim);
            }
            3 => {
                self.oracle.trace(|| "all power off".into());
                IDS.into_iter().for_each(|id| self.crash(id));
                IDS.into_iter().for_each(|id| self.revive_later(id));
            }
            4..=5 => {
                self.oracle.count("partitions");
                self.oracle.trace(|| format!("node {victim} is cut off"));
                for other in IDS {
                    self.network.cut(victim, other);
                    self.network.cut(other, victim);
                }
            }
            6..=7 => {
                let other = self.roll(|dice| dice.within(1..4));
                self.oracle.count("partitions");
                self.oracle.trace(|| format!("nothing gets from {victim} to {other}"));
                self.network.cut(victim, other);
            }
            8..=9 => self.network.heal(),
            10 => {
                let weather = self.roll(|dice| Weather {
                    lost: dice.within(0..150),
                    doubled: dice.within(0..150),
                    late: dice.within(0..100),
                    ambushed: dice.within(0..10),
                });
                self.oracle.trace(|| format!("{weather:?}"));
                self.network.set_weather(weather);
            }
            11 => {
                if let Some(slot) = self.slots().get_mut(&victim) {
                    slot.fails_at = slot.faults.operations() + self.roll(|dice| dice.within(0..40));
                    let full = self.roll(|dice| dice.per_mille(500));
                    let kind = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
                    slot.faults.fail_at(slot.fails_at, kind);
                }
            }
            12 => {
                if let Some(slot) = self.slots().get(&victim) {
                    let stalls = self.roll(|dice| dice.within(0..300));
                    slot.stalls
                        .store(if slot.stalls.load(Ordering::Relaxed) > 0 { 0 } else { stalls }, Ordering::Relaxed);
                }
            }
            13 => {
                if let Some(slot) = self.slots().get(&victim) {
                    let off = self.roll(wrong_clock);
                    slot.clock.off.store(off, Ordering::Relaxed);
                    self.oracle.trace(|| format!("the clock of node {victim} is off by {off} ms"));
                }
            }
            14 => {
                if let Some(node) = self.network.node(victim) {
                    drop(node.raft.trigger().snapshot().await);
                }
            }
            _ => {
                let to = self.roll(|dice| dice.within(1..4));
                if let Some(node) = self.network.node(victim) {
                    self.oracle.trace(|| format!("node {victim} hands over to {to}"));
                    drop(node.raft.trigger().transfer_leader(to).await);
                }
            }
        }
    }

    /// Everything that is broken is repaired.
    async fn peace(self: &Arc<Self>) {
        self.oracle.trace(|| "peace".into());
        self.network.heal();
        self.network.set_weather(Weather::default());
        self.slots().values_mut().for_each(|slot| {
            slot.stalls.store(0, Ordering::Relaxed);
            slot.fails_at = u64::MAX;
            slot.faults.fail_at(u64::MAX, io::ErrorKind::Other);
        });
        IDS.into_iter().for_each(|id| self.revive(id));
        sleep(Duration::from_secs(2)).await;
    }

    /// Once there is peace, the cluster works; all nodes hold the same; and it is what clients were told.
    async fn verify(self: &Arc<Self>) {
        let mut dice = self.roll(Dice::fork);
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.clients.propose(&mut dice, vec![Command::Tick]).await.is_none() {
            if Instant::now() > deadline {
                let states: Vec<String> = self.network.nodes().iter().map(|node| node.describe()).collect();
                return self.oracle.violated(format!("there is peace, and no leader: {states:#?}"));
            }
        }
        for id in IDS {
            while !self.clients.look_at_everything(&mut dice, id).await {
                if Instant::now() > deadline {
                    let states: Vec<String> = self.network.nodes().iter().map(|node| node.describe()).collect();
                    return self.oracle.violated(format!("there is peace, and no answer from node {id}: {states:#?}"));
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
        let nodes = self.network.nodes();
        loop {
            let at: Vec<Option<u64>> = nodes.iter().map(|node| node.applied.borrow().index()).collect();
            if at.iter().all(|index| *index == at[0]) {
                break;
            }
            if Instant::now() > deadline {
                return self.oracle.violated(format!("there is peace, and the nodes stay at {at:?}"));
            }
            sleep(Duration::from_millis(50)).await;
        }
        if let [first, others @ ..] = nodes.as_slice() {
            for other in others {
                let same = first.owners.read(|one| other.owners.read(|two| one == two));
                let applied = *first.applied.borrow() == *other.applied.borrow();
                if !same || !applied {
                    let (one, two) = (first.life.id, other.life.id);
                    return self.oracle.violated(format!("nodes {one} and {two} hold different things"));
                }
            }
        }
    }
}

fn wrong_clock(dice: &mut Dice) -> i64 {
    dice.within(0..2 * SKEW) as i64 - SKEW as i64
}

/// A disk that takes its time, and at times far more than that.
fn faults(mut dice: Dice, stalls: &Arc<AtomicU64>) -> Faults {
    let faults = Faults::new();
    let stalls = stalls.clone();
    faults.latency(move || {
        if dice.per_mille(stalls.load(Ordering::Relaxed)) { dice.millis(100..900) } else { dice.millis(0..4) }
    });
    faults
}
