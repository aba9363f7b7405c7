//! Quorate nodes, three of them or as many as are wanted: start, set up over HTTP as an administrator would, put under
//! load, kill, restart.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::http::{Answer, Conn, Failure, request};
use crate::load::{Load, Step, Worker};
use crate::process::{Process, free_addresses, wait_until};

/// Nodes of a cluster, unless another number is asked for.
pub const NODES: usize = 3;
/// Limit for one request of the set-up.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Limit for a node to become ready.
pub const READY_LIMIT: Duration = Duration::from_secs(300);
/// Lifetime of every token, in seconds: none expires while it is measured.
const TOKEN_LIFETIME: u32 = 86_400;

/// An OAuth 2.0 client with its secret, as `Authorization: Basic` wants it.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    pub id: String,
    basic: String,
}

impl OAuthClient {
    const SECRET: &str = "bench-secret";

    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), basic: STANDARD.encode(format!("{id}:{}", Self::SECRET)) }
    }

    fn registration(&self, session: &str, node: SocketAddr) -> Vec<u8> {
        let path = format!("/am/json/realms/root/realm-config/agents/OAuth2Client/{}", self.id);
        let body = json!({
            "coreOAuth2ClientConfig": {
                "userpassword": Self::SECRET,
                "scopes": ["api"],
                "defaultScopes": ["api"],
                "accessTokenLifetime": TOKEN_LIFETIME,
            },
            "advancedOAuth2ClientConfig": { "grantTypes": ["client_credentials"] },
        });
        let session = format!("iPlanetDirectoryPro: {session}");
        let headers = [
            session.as_str(),
            "If-None-Match: *",
            "Accept-API-Version: resource=1.0",
            "Content-Type: application/json",
        ];
        request("PUT", &path, node, &headers, &body.to_string())
    }
}

/// A live token and the position of its client in the list of clients.
#[derive(Debug, Clone)]
pub struct Token {
    client: usize,
    text: Box<str>,
}

/// One node of a cluster, running or stopped.
struct Node {
    http: SocketAddr,
    data: PathBuf,
    log: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

/// Nodes on loopback with data of their own. Dropping it kills the nodes and removes the data.
pub struct Cluster {
    binary: PathBuf,
    nodes: Vec<Node>,
    environment: Vec<(&'static str, String)>,
    session: String,
    // Last, so that it is removed after the nodes are dead.
    _dir: TempDir,
}

impl Cluster {
    /// Starts three nodes with data below `work` and waits until all are ready. Logs in as the administrator.
    pub async fn start(binary: &Path, work: &Path) -> Result<Self> {
        Self::start_with(binary, work, NODES, &[]).await
    }

    /// As [`start`](Self::start), so many nodes, with these variables in their environment.
    pub async fn start_with(
        binary: &Path,
        work: &Path,
        nodes: usize,
        variables: &[(&'static str, String)],
    ) -> Result<Self> {
        let dir = TempDir::with_prefix_in("quorate-", work)?;
        let addresses = free_addresses(2 * nodes)?;
        let (http, peer) = addresses.split_at(nodes);
        let members: Vec<String> = peer.iter().zip(1..).map(|(peer, id)| format!("{id}={peer}")).collect();
        let node = |id: usize, http: &SocketAddr, peer: &SocketAddr| {
            let data = dir.path().join(id.to_string());
            let flag = |name: &str, value: String| [format!("--{name}"), value];
            let mut arguments = vec!["serve".to_owned()];
            arguments.extend(flag("node-id", id.to_string()));
            arguments.extend(flag("data-dir", data.display().to_string()));
            arguments.extend(flag("http", http.to_string()));
            arguments.extend(flag("peer", peer.to_string()));
            arguments.extend(flag("cluster", members.join(",")));
            arguments.push("--dev".to_owned());
            Node { http: *http, data, log: dir.path().join(format!("{id}.log")), arguments, process: None }
        };
        let nodes = http.iter().zip(peer).zip(1..).map(|((http, peer), id)| node(id, http, peer)).collect();
        let random = || -> Result<[u8; 32]> {
            let mut bytes = [0; 32];
            std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
            Ok(bytes)
        };
        let password = STANDARD.encode(random()?);
        let mut environment = variables.to_vec();
        environment
            .extend([("QUORATE_ADMIN_PASSWORD", password.clone()), ("QUORATE_MASTER_KEY", STANDARD.encode(random()?))]);
        let mut cluster = Self { binary: binary.to_owned(), nodes, environment, session: String::new(), _dir: dir };
        let all: Vec<usize> = (0..cluster.nodes.len()).collect();
        cluster.restart(&all, READY_LIMIT).await?;
        cluster.session = cluster.log_in(&password).await?;
        Ok(cluster)
    }

    /// Starts these nodes, which must not be running, at once. Returns the time from the start until all are ready.
    pub async fn restart(&mut self, nodes: &[usize], limit: Duration) -> Result<Duration> {
        let started = Instant::now();
        for (id, node) in self.nodes.iter_mut().enumerate().filter(|(id, _)| nodes.contains(id)) {
            // Reaps the process that ran before, if any.
            node.process = None;
            let mut command = Command::new(&self.binary);
            for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"QUORATE_")) {
                command.env_remove(name);
            }
            command.args(&node.arguments).envs(self.environment.iter().cloned());
            node.process = Some(Process::start(&format!("quorate node {}", id + 1), &mut command, &node.log)?);
        }
        let mut waiting = JoinSet::new();
        for node in self.nodes.iter().enumerate().filter(|(id, _)| nodes.contains(id)).map(|(_, node)| node) {
            let (addr, pids) = (node.http, node.pids());
            waiting.spawn(async move {
                let what = format!("{addr} is ready");
                wait_until(&what, limit, &pids, || is_ready(addr)).await
            });
        }
        while let Some(ready) = waiting.join_next().await {
            ready?.map_err(|cause| anyhow!("{cause:#}\n{}", self.last_words()))?;
        }
        Ok(started.elapsed())
    }

    fn last_words(&self) -> String {
        let words = self.nodes.iter().filter_map(|node| node.process.as_ref()).map(Process::last_words);
        words.collect::<Vec<_>>().join("\n")
    }

    /// Zero-page login, as in the reference's authentication chapter.
    async fn log_in(&self, password: &str) -> Result<String> {
        let node = self.node(0)?.http;
        let password = format!("X-OpenAM-Password: {password}");
        let headers = [
            "X-OpenAM-Username: amAdmin",
            password.as_str(),
            "Accept-API-Version: resource=2.0, protocol=1.0",
            "Content-Type: application/json",
        ];
        let login = request("POST", "/am/json/realms/root/authenticate", node, &headers, "{}");
        let answer = self.ask(node, &login).await.context("logging in as amAdmin")?;
        let session = answer.get("tokenId").and_then(Value::as_str).context("the login's answer has no tokenId")?;
        Ok(session.to_owned())
    }

    /// The bytes of a request that the administrator makes, with a JSON body. `version` is `Accept-API-Version`.
    pub fn as_admin(&self, node: SocketAddr, method: &str, path: &str, version: &str, body: &Value) -> Vec<u8> {
        let session = format!("iPlanetDirectoryPro: {}", self.session);
        let version = format!("Accept-API-Version: {version}");
        let headers = [session.as_str(), version.as_str(), "Content-Type: application/json"];
        request(method, path, node, &headers, &body.to_string())
    }

    /// The bytes of a request for something to read, as the administrator.
    pub fn reads_as_admin(&self, node: SocketAddr, path: &str) -> Vec<u8> {
        let session = format!("iPlanetDirectoryPro: {}", self.session);
        request("GET", path, node, &[session.as_str()], "")
    }

    /// One request of the set-up, with JSON in the answer.
    pub async fn ask(&self, node: SocketAddr, request: &[u8]) -> Result<Value> {
        let mut conn = Conn::new(node);
        let asked = tokio::time::timeout(REQUEST_LIMIT, conn.send(request)).await;
        let answer =
            asked.context("no answer in time")?.map_err(|failure| anyhow!("{failure}\n{}", self.last_words()))?;
        ensure!((200..300).contains(&answer.status), "{}", Failure::refused(&answer));
        Ok(serde_json::from_slice(answer.body)?)
    }

    /// Registers a client and has every node check its secret once, so that no measurement pays for that.
    pub async fn register(&self, id: &str) -> Result<OAuthClient> {
        let client = OAuthClient::new(id);
        let first = self.node(0)?.http;
        self.ask(first, &client.registration(&self.session, first))
            .await
            .with_context(|| format!("registering client {id}"))?;
        for node in &self.nodes {
            let mut bytes = Vec::new();
            Form::new("/am/oauth2/access_token", node.http).fill(&mut bytes, &client, ISSUE, "");
            let issued = self
                .ask(node.http, &bytes)
                .await
                .with_context(|| format!("client {id}'s first token from {}", node.http))?;
            ensure!(issued.get("access_token").is_some(), "no access_token in the answer from {}", node.http);
        }
        Ok(client)
    }

    /// The position of the leader, as the nodes that run say.
    pub async fn leader(&self) -> Result<usize> {
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            let health = request("GET", "/am/json/health/ready", node.http, &[], "");
            let Ok(answer) = self.ask(node.http, &health).await else {
                continue;
            };
            if let Some(id) = answer.get("leader").and_then(Value::as_u64) {
                let position = usize::try_from(id)?.checked_sub(1).filter(|position| *position < self.nodes.len());
                return position.with_context(|| format!("the leader is said to be node {id}"));
            }
        }
        bail!("no node knows a leader")
    }

    fn node(&self, position: usize) -> Result<&Node> {
        self.nodes.get(position).context("no such node")
    }

    /// HTTP addresses of all nodes.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.http).collect()
    }

    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().flat_map(Node::pids).collect()
    }

    /// Data directories of all nodes.
    pub fn data(&self) -> impl Iterator<Item = &Path> {
        self.nodes.iter().map(|node| node.data.as_path())
    }

    /// SIGKILL for these nodes; returns when the signals are sent.
    pub fn kill(&mut self, nodes: &[usize]) -> Result<()> {
        for (_, node) in self.nodes.iter_mut().enumerate().filter(|(id, _)| nodes.contains(id)) {
            node.process.as_mut().context("not running")?.kill()?;
        }
        Ok(())
    }

    /// Waits for killed nodes to be gone.
    pub fn reap(&mut self, nodes: &[usize]) -> Result<()> {
        for (_, node) in self.nodes.iter_mut().enumerate().filter(|(id, _)| nodes.contains(id)) {
            node.process.as_mut().context("not running")?.reap()?;
        }
        Ok(())
    }

    /// SIGTERM for one node; returns how long it took to stop.
    pub async fn stop(&mut self, node: usize) -> Result<Duration> {
        let node = self.nodes.get_mut(node).context("no such node")?;
        let mut process = node.process.take().context("not running")?;
        process.terminate(Duration::from_secs(30)).await
    }

    /// A load of this cluster by `clients`, on these of its nodes.
    pub fn load(&self, targets: &[usize], clients: &Arc<[OAuthClient]>, job: Job) -> Arc<Api> {
        let targets = targets.iter().filter_map(|target| self.nodes.get(*target)).map(|node| node.http).collect();
        Arc::new(Api { targets, session: self.session.clone(), clients: Arc::clone(clients), job })
    }
}

impl Node {
    fn pids(&self) -> Vec<u32> {
        self.process.iter().map(Process::pid).collect()
    }
}

async fn is_ready(node: SocketAddr) -> bool {
    let health = request("GET", "/am/json/health/ready", node, &["Connection: close"], "");
    let mut conn = Conn::new(node);
    let asked = tokio::time::timeout(Duration::from_secs(2), conn.send(&health)).await;
    matches!(asked, Ok(Ok(Answer { status: 200, .. })))
}

/// One token request, on a connection of its own. Whether the answer is a token.
pub async fn issues(node: SocketAddr, client: &OAuthClient) -> bool {
    let mut bytes = Vec::new();
    Form::new("/am/oauth2/access_token", node).fill(&mut bytes, client, ISSUE, "");
    let mut conn = Conn::new(node);
    let sent = conn.send(&bytes).await;
    matches!(sent, Ok(answer) if issued(&answer).is_ok())
}

const ISSUE: &str = "grant_type=client_credentials";
const TOKEN: &str = "token=";

/// A form to be posted by a client that authenticates with `client_secret_basic` (RFC 6749 §2.3.1).
struct Form {
    head: Vec<u8>,
}

impl Form {
    fn new(path: &str, node: SocketAddr) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {node}\r\nContent-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic "
        );
        Self { head: head.into_bytes() }
    }

    /// Puts the bytes of one request in place of what `out` held.
    fn fill(&self, out: &mut Vec<u8>, client: &OAuthClient, field: &str, value: &str) {
        out.clear();
        out.extend_from_slice(&self.head);
        out.extend_from_slice(client.basic.as_bytes());
        out.extend_from_slice(b"\r\nContent-Length: ");
        out.extend_from_slice((field.len() + value.len()).to_string().as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(value.as_bytes());
    }
}

/// RFC 6749 §5.1: the token in an answer.
fn issued<'a>(answer: &'a Answer<'_>) -> Result<&'a str, Failure> {
    if answer.status != 200 {
        return Err(Failure::refused(answer));
    }
    // Sent back as a form field without escaping, so it has to be of RFC 3986's unreserved characters.
    let plain = |token: &&str| token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    answer.json_str("access_token").filter(plain).ok_or_else(|| Failure::unexpected(answer))
}

/// What the clients of a load do.
#[derive(Clone)]
pub enum Job {
    /// Register every client once. The number is the next one's position.
    Register(Arc<AtomicUsize>),
    /// Get tokens, as many as the budget says, and keep one in `keep` of them (0: none).
    Issue { budget: Arc<AtomicU64>, keep: u64 },
    /// Ask whether tokens of the pool are active. Anything but yes is an error.
    Introspect(Arc<[Token]>),
    /// Revoke the tokens of the pool one by one. The number is the next one's position.
    Revoke(Arc<[Token]>, Arc<AtomicUsize>),
    /// Get a token and revoke it, in turn: both are measured, and the number of live tokens stays as it is.
    Cycle,
}

impl Job {
    /// Tokens for as long as the time lasts, none kept.
    pub fn issue() -> Self {
        Self::Issue { budget: Arc::new(AtomicU64::new(u64::MAX)), keep: 0 }
    }

    /// Exactly so many tokens, one in `keep` of them kept.
    pub fn issue_exactly(tokens: u64, keep: u64) -> Self {
        Self::Issue { budget: Arc::new(AtomicU64::new(tokens)), keep }
    }

    pub fn revoke(pool: Arc<[Token]>) -> Self {
        Self::Revoke(pool, Arc::default())
    }
}

/// A load over HTTP, clients' connections spread over the target nodes round-robin.
///
/// With many OAuth clients, each of them is at home on one target, as behind a balancer with affinity: a node checks a
/// secret slowly the first time it meets a client, and that is not what is measured here.
pub struct Api {
    targets: Vec<SocketAddr>,
    session: String,
    clients: Arc<[OAuthClient]>,
    job: Job,
}

impl Api {
    pub const ISSUE: usize = 0;
    pub const INTROSPECT: usize = 1;
    pub const REVOKE: usize = 2;
    pub const REGISTER: usize = 3;
}

impl Load for Api {
    type Worker = ApiClient;
    const OPS: &'static [&'static str] = &["issue", "introspect", "revoke", "register"];

    async fn workers(&self, numbers: &[usize]) -> Result<Vec<ApiClient>> {
        let count = self.targets.len();
        let mut workers = Vec::with_capacity(numbers.len());
        for (target, node) in self.targets.iter().enumerate() {
            let at_home = |client: usize| self.clients.len() < count || client % count == target;
            let clients: Arc<[usize]> = (0..self.clients.len()).filter(|client| at_home(*client)).collect();
            let tokens: Arc<[usize]> = match &self.job {
                Job::Introspect(pool) => {
                    pool.iter().enumerate().filter(|(_, token)| at_home(token.client)).map(|(i, _)| i).collect()
                }
                _ => Arc::default(),
            };
            for number in numbers.iter().filter(|number| *number % count == target) {
                let mut wire = Wire {
                    conn: Conn::new(*node),
                    forms: ["/am/oauth2/access_token", "/am/oauth2/introspect", "/am/oauth2/token/revoke"]
                        .map(|path| Form::new(path, *node)),
                    request: Vec::with_capacity(512),
                    clients: Arc::clone(&self.clients),
                };
                wire.conn.open().await.with_context(|| format!("cannot connect to {node}"))?;
                workers.push(ApiClient {
                    wire,
                    node: *node,
                    session: self.session.clone(),
                    job: self.job.clone(),
                    // Apart, so that clients do not march through the pool in step.
                    clients: Turns { next: number.wrapping_mul(7919), among: Arc::clone(&clients) },
                    tokens: Turns { next: number.wrapping_mul(7919), among: Arc::clone(&tokens) },
                    held: None,
                    kept: Vec::new(),
                });
            }
        }
        ensure!(workers.len() == numbers.len(), "a load needs a target");
        Ok(workers)
    }
}

/// Positions taken one after the other, round and round.
struct Turns {
    next: usize,
    among: Arc<[usize]>,
}

impl Iterator for Turns {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.next = self.next.wrapping_add(1);
        self.among.get(self.next.checked_rem(self.among.len())?).copied()
    }
}

/// A connection and the requests that go over it.
struct Wire {
    conn: Conn,
    forms: [Form; 3],
    request: Vec<u8>,
    clients: Arc<[OAuthClient]>,
}

impl Wire {
    /// Sends one form and gives back the answer if its status is 200.
    async fn post(&mut self, op: usize, client: usize, field: &str, value: &str) -> Result<Answer<'_>, Failure> {
        let nothing = || Failure::Unexpected("the load has no such client".to_owned());
        let client = self.clients.get(client).ok_or_else(nothing)?;
        self.forms.get(op).ok_or_else(nothing)?.fill(&mut self.request, client, field, value);
        let answer = self.conn.send(&self.request).await?;
        if answer.status == 200 { Ok(answer) } else { Err(Failure::refused(&answer)) }
    }

    async fn issue(&mut self, client: usize) -> Result<Token, Failure> {
        let answer = self.post(Api::ISSUE, client, ISSUE, "").await?;
        Ok(Token { client, text: issued(&answer)?.into() })
    }

    async fn introspect(&mut self, token: &Token) -> Result<(), Failure> {
        let answer = self.post(Api::INTROSPECT, token.client, TOKEN, &token.text).await?;
        if answer.contains(b"\"active\":true") { Ok(()) } else { Err(Failure::unexpected(&answer)) }
    }

    async fn revoke(&mut self, token: &Token) -> Result<(), Failure> {
        self.post(Api::REVOKE, token.client, TOKEN, &token.text).await.map(drop)
    }
}

/// One client of a load.
pub struct ApiClient {
    wire: Wire,
    node: SocketAddr,
    session: String,
    job: Job,
    /// OAuth clients that are at home on this node, and the tokens of those.
    clients: Turns,
    tokens: Turns,
    /// The token that a cycle has to revoke next.
    held: Option<Token>,
    kept: Vec<Token>,
}

impl Worker for ApiClient {
    type Harvest = Vec<Token>;

    async fn step(&mut self) -> Result<Step, Failure> {
        match &self.job {
            Job::Register(next) => {
                let next = next.fetch_add(1, Ordering::Relaxed);
                let Some(client) = self.wire.clients.get(next) else {
                    return Ok(Step::Exhausted);
                };
                let answer = self.wire.conn.send(&client.registration(&self.session, self.node)).await?;
                if answer.status != 201 {
                    return Err(Failure::refused(&answer));
                }
                Ok(Step::Done(Api::REGISTER))
            }
            Job::Issue { budget, keep } => {
                let left = budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                let (Ok(left), Some(client)) = (left, self.clients.next()) else {
                    return Ok(Step::Exhausted);
                };
                match self.wire.issue(client).await {
                    Ok(token) if *keep > 0 && left % keep == 0 => self.kept.push(token),
                    Ok(_) => {}
                    Err(failure) => {
                        budget.fetch_add(1, Ordering::Relaxed);
                        return Err(failure);
                    }
                }
                Ok(Step::Done(Api::ISSUE))
            }
            Job::Introspect(pool) => {
                let Some(token) = self.tokens.next().and_then(|next| pool.get(next)) else {
                    return Ok(Step::Exhausted);
                };
                self.wire.introspect(token).await?;
                Ok(Step::Done(Api::INTROSPECT))
            }
            Job::Revoke(pool, next) => {
                let Some(token) = pool.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return Ok(Step::Exhausted);
                };
                self.wire.revoke(token).await?;
                Ok(Step::Done(Api::REVOKE))
            }
            Job::Cycle => match self.held.take() {
                None => {
                    let Some(client) = self.clients.next() else {
                        return Ok(Step::Exhausted);
                    };
                    self.held = Some(self.wire.issue(client).await?);
                    Ok(Step::Done(Api::ISSUE))
                }
                Some(token) => {
                    self.wire.revoke(&token).await?;
                    Ok(Step::Done(Api::REVOKE))
                }
            },
        }
    }

    /// Tokens kept, and for a cycle the one that its end left live.
    fn harvest(mut self) -> Vec<Token> {
        self.kept.extend(self.held);
        self.kept
    }
}
