//! Real nodes in one process, over loopback TCP and on real disks. Each node has a runtime with one worker of its own, so
//! that a test can freeze a node (as `SIGSTOP` would) or make it vanish (as `SIGKILL` would) without asking it.

use quorate_cluster::{Health, Limits, Node, Peer, ProposeError, Security, Settings, StartError};
use quorate_raft::{
    ClientId, Command, GrantId, Outcome, OwnerId, RealmPath, Seq, Span, Stamp, TokenHash,
    grant_sets::{IssueAccess, NewAccess, RevokeAccess, Template},
    limits::SHARDS,
    state::PlainOwners,
};
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::Instant};

/// How long a condition may take to come true on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node and the runtime it lives on.
struct Running {
    node: Node<PlainOwners>,
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Some nodes that know each other.
pub struct Cluster {
    dir: TempDir,
    addrs: BTreeMap<u64, String>,
    running: HashMap<u64, Running>,
    /// Changes the settings that every node starts with.
    pub adjust: fn(&mut Settings),
    pub security: fn(&TempDir, u64) -> Security,
}

/// As many addresses as asked for that are free now.
pub fn free_addrs(count: usize) -> Vec<String> {
    let bound: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    bound.iter().map(|listener| listener.local_addr().expect("bound").to_string()).collect()
}

pub fn plaintext(_: &TempDir, _: u64) -> Security {
    Security::PlaintextLoopback
}

impl Cluster {
    /// Nodes 1 to `count`, started together.
    pub async fn of(count: u64) -> Self {
        Self::with(count, plaintext, |_| {}).await
    }

    pub async fn with(count: u64, security: fn(&TempDir, u64) -> Security, adjust: fn(&mut Settings)) -> Self {
        let mut cluster = Self::empty(count, security, adjust);
        for id in 1..=count {
            cluster.start(id).await.expect("starts");
        }
        for id in 1..=count {
            cluster.until(id, "ready", |health| health.ready).await;
        }
        cluster
    }

    /// Nodes that are not started yet.
    pub fn empty(count: u64, security: fn(&TempDir, u64) -> Security, adjust: fn(&mut Settings)) -> Self {
        let addrs = (1..=count).zip(free_addrs(count as usize)).collect();
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, addrs, running: HashMap::new(), adjust, security }
    }

    pub fn dir(&self) -> &TempDir {
        &self.dir
    }

    pub fn addr(&self, id: u64) -> String {
        self.addrs[&id].clone()
    }

    pub fn data_dir(&self, id: u64) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    /// What node `id` starts with.
    pub fn settings(&self, id: u64) -> Settings {
        let addr = self.addr(id);
        let listen: SocketAddr = addr.parse().expect("an address");
        let me = Peer { addr, http: format!("http://node-{id}") };
        let dice = AtomicU64::new(1);
        let random = Arc::new(move || {
            let salt = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos();
            salt << 64 | u128::from(id) << 48 | u128::from(dice.fetch_add(1, Ordering::Relaxed))
        });
        let security = (self.security)(&self.dir, id);
        let mut settings = Settings::new(id, self.data_dir(id), listen, me, security, Arc::new(now), random);
        settings.bootstrap = Some(self.addrs.clone());
        (self.adjust)(&mut settings);
        settings
    }

    /// Starts node `id`, as a process would be started.
    pub async fn start(&mut self, id: u64) -> Result<(), StartError> {
        let settings = self.settings(id);
        self.start_with(settings).await
    }

    pub async fn start_with(&mut self, mut settings: Settings) -> Result<(), StartError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let owners = Arc::new(PlainOwners::default());
        let id = settings.node_id;
        let seen = owners.clone();
        settings.next_death = Arc::new(move || seen.0.lock().expect("whole").next_death());
        let started = runtime.spawn(quorate_cluster::start(settings, owners)).await.expect("no panic");
        match started {
            Ok(node) => {
                self.running.insert(id, Running { node, runtime: Some(runtime) });
                Ok(())
            }
            Err(e) => {
                runtime.shutdown_background();
                Err(e)
            }
        }
    }

    /// A node that was not there from the beginning gets an address.
    pub fn newcomer(&mut self, id: u64) -> Settings {
        let addr = free_addrs(1).remove(0);
        self.addrs.insert(id, addr);
        let mut settings = self.settings(id);
        settings.bootstrap = None;
        settings
    }

    pub fn node(&self, id: u64) -> &Node<PlainOwners> {
        &self.running[&id].node
    }

    pub fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.running.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Runs `work` where the node lives.
    pub fn on<F>(&self, id: u64, work: impl FnOnce(Node<PlainOwners>) -> F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let running = &self.running[&id];
        running.runtime.as_ref().expect("runs").spawn(work(running.node.clone()))
    }

    /// Stops node `id` as `SIGTERM` would.
    pub async fn stop(&mut self, id: u64) {
        self.on(id, |node| async move { node.shutdown().await }).await.expect("no panic");
        self.running.remove(&id);
    }

    /// Makes node `id` vanish between two instructions.
    pub fn kill(&mut self, id: u64) {
        self.running.remove(&id);
    }

    /// Starts a node whose last process may still hold the directory for a moment.
    pub async fn restart(&mut self, id: u64) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(e) = self.start(id).await {
            assert!(Instant::now() < deadline, "node {id} does not start: {e:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Freezes node `id` until the answer is dropped.
    pub fn freeze(&self, id: u64) -> Frozen {
        let (thaw, frozen) = mpsc::channel::<()>();
        self.on(id, |_| async move {
            let _ = frozen.recv(); // ends when the sender is dropped
        });
        Frozen(Some(thaw))
    }

    pub async fn until(&self, id: u64, what: &str, condition: impl Fn(&Health) -> bool) -> Health {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let health = self.node(id).health();
            if condition(&health) {
                return health;
            }
            assert!(Instant::now() < deadline, "node {id} is not {what}: {health:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Who leads, once somebody does and everybody knows.
    pub async fn leader(&self) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known: Vec<_> = self.running.values().map(|running| running.node.leader()).collect();
            if let Some(Some(leader)) = known.first()
                && known.iter().all(|other| other == &Some(*leader))
                && self.running.contains_key(leader)
            {
                return *leader;
            }
            assert!(Instant::now() < deadline, "no leader: {known:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Somebody who does not lead.
    pub async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        self.ids().into_iter().find(|id| *id != leader).expect("a follower")
    }

    /// Every running node sees token `n` as `expected` after its barrier.
    pub async fn assert_everywhere(&self, n: u64, expected: bool) {
        for id in self.ids() {
            self.node(id).read_barrier().await.expect("a quorum");
            assert_eq!(active(self.node(id), n), expected, "token {n} on node {id}");
        }
    }
}

/// A node that does nothing until this is dropped.
pub struct Frozen(Option<mpsc::Sender<()>>);

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

pub fn now() -> Stamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Stamp(since.as_millis() as u64)
}

fn hash(n: u64) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    TokenHash(bytes)
}

fn hint(n: u64) -> u8 {
    (n % u64::from(SHARDS)) as u8
}

/// The command that issues token `n`.
pub fn issue(n: u64) -> Command {
    issue_for(n, Span::from_secs(3600))
}

pub fn issue_for(n: u64, ttl: Span) -> Command {
    let template = Template {
        realm: RealmPath::root(),
        client: ClientId::from("client"),
        client_fence: Seq::default(),
        owner: OwnerId::from("client"),
        owner_fence: None,
        scope: vec!["read".into()],
        grant_type: "client_credentials".into(),
        issuer: "http://localhost/am/oauth2".into(),
        audit_process: 7,
        extra: "".into(),
    };
    let mut grant = [0; 20];
    grant[..8].copy_from_slice(&n.to_be_bytes());
    let access = NewAccess { hash: hash(n), template: template.into(), auth_time: 0, audit_counter: n, ttl };
    Command::IssueAccess(IssueAccess { hint: hint(n), grant: GrantId(grant), access })
}

/// The command that revokes token `n`.
pub fn revoke(n: u64) -> Command {
    Command::RevokeAccess(RevokeAccess {
        hint: hint(n),
        hash: hash(n),
        client: ClientId::from("client"),
        realm: RealmPath::root(),
    })
}

/// Whether `node` has token `n`, as a reader of its owners sees it.
pub fn active(node: &Node<PlainOwners>, n: u64) -> bool {
    let state = node.owners().0.lock().expect("whole");
    state.grants[usize::from(hint(n))].access().get(&hash(n)).is_some()
}

/// Issues token `n` at `node`, whatever it takes.
pub async fn must_issue(node: &Node<PlainOwners>, n: u64) {
    let outcome = node.propose(issue(n)).await;
    assert!(matches!(outcome, Ok(Outcome::Issued { .. })), "token {n}: {outcome:?}");
}

/// Issues tokens from `first` on at `node`, side by side, until the log has reached `index`.
pub async fn fill(node: &Node<PlainOwners>, first: u64, index: u64) -> u64 {
    let mut next = first;
    while node.health().applied < index {
        must_issue(node, next).await;
        next += 1;
    }
    next
}

/// Limits under which a few hundred entries make a snapshot and a purge.
pub fn small_log(settings: &mut Settings) {
    settings.limits = Limits { snapshot_after: 16 << 10, keep_entries: 16, ..settings.limits };
}

pub fn is_unavailable(outcome: &Result<Outcome, ProposeError>) -> bool {
    matches!(outcome, Err(ProposeError::NoQuorum | ProposeError::Unknown))
}
