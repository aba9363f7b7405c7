//! Three etcd nodes with default settings, beside which Quorate is measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use etcd_client::{Client, ConnectOptions, KvClient};
use tempfile::TempDir;

use crate::http::Failure;
use crate::load::{Load, Step, Worker};
use crate::process::{Process, free_addresses, wait_until};
use crate::quorate::NODES;

/// Limit for the cluster to become healthy.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Clients that share one HTTP/2 connection. Sharing is cheaper for etcd than a connection for each client, which is
/// what the other side's clients have.
const CLIENTS_PER_CONNECTION: usize = 64;
/// Size of every value, in bytes.
const VALUE: usize = 256;

/// A client of exactly one node.
async fn connect(endpoint: &str, limit: Duration) -> Result<Client, etcd_client::Error> {
    let options = ConnectOptions::new().with_timeout(limit).with_connect_timeout(limit);
    Client::connect([endpoint], Some(options)).await
}

/// One node, running or killed.
struct Node {
    client_url: String,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

/// Three nodes on loopback with data of their own. Dropping it kills the nodes and removes the data.
pub struct Cluster {
    binary: PathBuf,
    nodes: Vec<Node>,
    // Last, so that it is removed after the nodes are dead.
    _dir: TempDir,
}

impl Cluster {
    /// Starts three nodes with data below `work` and waits until each of them answers a linearizable read.
    pub async fn start(binary: &Path, work: &Path) -> Result<Self> {
        let dir = TempDir::with_prefix_in("etcd-", work)?;
        let addresses = free_addresses(2 * NODES)?;
        let (clients, peers) = addresses.split_at(NODES);
        let members: Vec<String> = peers.iter().zip(1..).map(|(peer, id)| format!("n{id}=http://{peer}")).collect();
        let members = members.join(",");
        let node = |id: usize, client: String, peer: String| {
            let flags = [
                ("name", format!("n{id}")),
                ("data-dir", dir.path().join(id.to_string()).display().to_string()),
                ("listen-client-urls", client.clone()),
                ("advertise-client-urls", client.clone()),
                ("listen-peer-urls", peer.clone()),
                ("initial-advertise-peer-urls", peer),
                ("initial-cluster", members.clone()),
                ("initial-cluster-state", "new".to_owned()),
                ("logger", "zap".to_owned()),
                ("log-level", "error".to_owned()),
            ];
            let arguments = flags.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]).collect();
            Node { client_url: client, arguments, log: dir.path().join(format!("{id}.log")), process: None }
        };
        let pairs = clients.iter().zip(peers).zip(1..);
        let nodes =
            pairs.map(|((client, peer), id)| node(id, format!("http://{client}"), format!("http://{peer}"))).collect();
        let mut cluster = Self { binary: binary.to_owned(), nodes, _dir: dir };
        cluster.restart(&[0, 1, 2]).await?;
        Ok(cluster)
    }

    /// Starts these nodes, which must not be running, and waits until all nodes are healthy.
    pub async fn restart(&mut self, nodes: &[usize]) -> Result<Duration> {
        for (id, node) in self.nodes.iter_mut().enumerate().filter(|(id, _)| nodes.contains(id)) {
            node.process = None;
            let mut command = Command::new(&self.binary);
            for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"ETCD_")) {
                command.env_remove(name);
            }
            command.args(&node.arguments);
            node.process = Some(Process::start(&format!("etcd node {}", id + 1), &mut command, &node.log)?);
        }
        let (pids, urls) = (self.pids(), self.endpoints());
        let healthy = || async {
            for url in &urls {
                let Ok(mut client) = connect(url, Duration::from_secs(1)).await else {
                    return false;
                };
                if client.get("health", None).await.is_err() {
                    return false;
                }
            }
            true
        };
        wait_until("etcd is healthy", READY_LIMIT, &pids, healthy).await.map_err(|cause| {
            let words: Vec<String> =
                self.nodes.iter().filter_map(|node| node.process.as_ref()).map(Process::last_words).collect();
            anyhow!("{cause:#}\n{}", words.join("\n"))
        })
    }

    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.client_url.clone()).collect()
    }

    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(|node| node.process.as_ref()).map(Process::pid).collect()
    }

    /// The position of the leader: the node that names itself.
    pub async fn leader(&self) -> Result<usize> {
        for (position, node) in self.nodes.iter().enumerate() {
            let status = connect(&node.client_url, Duration::from_secs(5)).await?.status().await?;
            if status.leader() != 0 && status.header().is_some_and(|header| header.member_id() == status.leader()) {
                return Ok(position);
            }
        }
        Err(anyhow!("no etcd node leads"))
    }

    /// SIGKILL for one node; returns when the signal is sent.
    pub fn kill(&mut self, node: usize) -> Result<()> {
        self.process(node)?.kill()
    }

    /// Waits for a killed node to be gone.
    pub fn reap(&mut self, node: usize) -> Result<()> {
        self.process(node)?.reap()
    }

    fn process(&mut self, node: usize) -> Result<&mut Process> {
        self.nodes.get_mut(node).and_then(|node| node.process.as_mut()).context("not running")
    }

    /// Writes the keys that [`Job::Get`] reads.
    pub async fn seed(&self, keys: usize) -> Result<()> {
        let mut all = tokio::task::JoinSet::new();
        for (number, url) in self.endpoints().into_iter().enumerate() {
            let mut client = connect(&url, Duration::from_secs(30)).await?.kv_client();
            // A few writers share each connection: one alone would take a flush per key.
            for lane in 0..16 {
                let mut client = client.clone();
                all.spawn(async move {
                    for key in (number * 16 + lane..keys).step_by(NODES * 16) {
                        client.put(seeded(key), vec![b'v'; VALUE], None).await?;
                    }
                    Ok::<_, etcd_client::Error>(())
                });
            }
            client.get("health", None).await?;
        }
        while let Some(done) = all.join_next().await {
            done??;
        }
        Ok(())
    }

    /// A load of this cluster on these of its nodes.
    pub fn load(&self, targets: &[usize], job: Job) -> Arc<KeyValue> {
        let targets =
            targets.iter().filter_map(|target| self.nodes.get(*target)).map(|node| node.client_url.clone()).collect();
        let nonce = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        Arc::new(KeyValue { targets, job, nonce })
    }
}

/// A client of one node for single writes, connected and tried.
pub async fn writer(endpoint: &str) -> Result<KvClient> {
    let mut client = connect(endpoint, Duration::from_secs(30)).await?.kv_client();
    client.put("writer", "ready", None).await?;
    Ok(client)
}

/// A key spread over the key space, as a hash is, of the length of a token's.
fn key(prefix: &str, nonce: u64, number: u64) -> String {
    let mut z = (nonce ^ number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^= z >> 27;
    format!("{prefix}/{z:016x}{nonce:016x}{number:012x}")
}

fn seeded(number: usize) -> String {
    key("seed", 0, number as u64)
}

/// What the clients of a load do.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    /// Write 256 bytes under a key that nobody else writes.
    Put,
    /// Read one of so many seeded keys, linearizably.
    Get { keys: usize },
}

/// A load over gRPC, clients spread over the target nodes round-robin.
pub struct KeyValue {
    targets: Vec<String>,
    job: Job,
    nonce: u64,
}

impl Load for KeyValue {
    type Worker = KeyValueClient;
    const OPS: &'static [&'static str] = &["put", "get"];

    async fn workers(&self, numbers: &[usize]) -> Result<Vec<KeyValueClient>> {
        ensure!(!self.targets.is_empty(), "a load needs a target");
        let mut workers = Vec::with_capacity(numbers.len());
        for (target, url) in self.targets.iter().enumerate() {
            let here: Vec<usize> =
                numbers.iter().copied().filter(|number| number % self.targets.len() == target).collect();
            for group in here.chunks(CLIENTS_PER_CONNECTION) {
                let mut client = connect(url, Duration::from_secs(30)).await?.kv_client();
                client.get("health", None).await.with_context(|| format!("cannot connect to {url}"))?;
                workers.extend(group.iter().map(|number| KeyValueClient {
                    client: client.clone(),
                    job: self.job,
                    nonce: self.nonce,
                    number: *number,
                    turn: 0,
                }));
            }
        }
        Ok(workers)
    }
}

/// One client of a load.
pub struct KeyValueClient {
    client: KvClient,
    job: Job,
    nonce: u64,
    number: usize,
    turn: u64,
}

impl Worker for KeyValueClient {
    type Harvest = ();

    async fn step(&mut self) -> Result<Step, Failure> {
        self.turn += 1;
        let failed = |error: etcd_client::Error| Failure::Unexpected(error.to_string());
        match self.job {
            Job::Put => {
                let own = ((self.number as u64) << 32) | self.turn;
                self.client.put(key("tokn", self.nonce, own), vec![b'v'; VALUE], None).await.map_err(failed)?;
                Ok(Step::Done(0))
            }
            Job::Get { keys } => {
                let wanted = (self.number * 7919 + self.turn as usize) % keys.max(1);
                let found = self.client.get(seeded(wanted), None).await.map_err(failed)?;
                match found.kvs() {
                    [one] if one.value().len() == VALUE => Ok(Step::Done(1)),
                    _ => Err(Failure::Unexpected(format!("key {wanted} is not as it was seeded"))),
                }
            }
        }
    }

    fn harvest(self) {}
}
