//! Real nodes for black-box tests: child processes on loopback, killed by pid and cleaned up whatever happens. Waits on
//! conditions, never for a time.

#![allow(dead_code, reason = "each test binary uses its part")]

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub const ADMIN_PASSWORD: &str = "an-administrator's-password";
pub const MASTER_KEY: &str = "cXVvcmF0ZS10ZXN0LW1hc3Rlci1rZXktMzItYnl0ZXM=";

/// Most time that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster of child processes.
pub struct Cluster {
    pub nodes: Vec<Node>,
    outside: Outside,
    dir: TempDir,
}

/// The cluster as a client sees it: addresses.
#[derive(Clone)]
pub struct Outside {
    pub client: Client,
    http: Vec<u16>,
}

impl std::ops::Deref for Cluster {
    type Target = Outside;

    fn deref(&self) -> &Outside {
        &self.outside
    }
}

/// One node, running or not.
pub struct Node {
    pub id: u64,
    http: u16,
    cluster: String,
    peer: u16,
    pub data_dir: PathBuf,
    log: PathBuf,
    base_url: String,
    child: Option<Child>,
}

/// Ports that are free now. They are held until all are known, so that none is given twice.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("an address").port()).collect()
}

/// The executable under test, with nothing of this process's environment but the search path.
pub fn plain_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let path = std::env::var_os("PATH").map(|path| ("PATH", path));
    command.env_clear().envs(path).stdin(Stdio::null());
    command
}

pub fn http_client() -> Client {
    Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .connect_timeout(Duration::from_secs(2))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("an HTTP client")
}

impl Node {
    /// `quorate serve` for this node.
    pub fn command(&self) -> Command {
        self.quorate(&["serve"])
    }

    /// Another command with the settings of this node.
    pub fn quorate(&self, subcommand: &[&str]) -> Command {
        let mut command = plain_command();
        command
            .args(subcommand)
            .args(["--dev", "--node-id", &self.id.to_string()])
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(["--http", &format!("127.0.0.1:{}", self.http)])
            .args(["--peer", &self.peer()])
            .args(["--cluster", &self.cluster])
            .env("QUORATE_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("QUORATE_MASTER_KEY", MASTER_KEY)
            .env("QUORATE_BASE_URL", &self.base_url);
        command
    }

    /// Where its peer port is.
    pub fn peer(&self) -> String {
        format!("127.0.0.1:{}", self.peer)
    }

    pub fn start(&mut self) {
        assert!(self.child.is_none(), "node {} runs already", self.id);
        let log = File::options().create(true).append(true).open(&self.log).expect("a log file");
        let errors = log.try_clone().expect("a second handle");
        self.child = Some(self.command().stdout(log).stderr(errors).spawn().expect("the node starts"));
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the node runs").id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child of ours").is_none())
    }

    /// Sends a signal by its name, e.g. `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "signal {name} to node {}", self.id);
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// SIGTERM, and how long it took to end; the status must be success.
    pub fn stop(&mut self) -> Duration {
        let start = Instant::now();
        self.signal("TERM");
        let mut child = self.child.take().expect("the node runs");
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "node {} does not stop", self.id);
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "node {} ended with {status}; {}", self.id, self.log_tail());
        start.elapsed()
    }

    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<_> = text.lines().rev().take(15).collect();
        format!("last lines of its log:\n{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("node {}: {}", self.id, self.log_tail());
        }
    }
}

impl Cluster {
    /// Starts `count` nodes and waits until all of them are ready.
    pub async fn of(count: usize) -> Self {
        let cluster = Self::prepared(count, None);
        cluster.started().await
    }

    /// As [`of`](Self::of), node 1 with its data under `data_dir`.
    pub async fn with_first_on(count: usize, data_dir: &Path) -> Self {
        Self::prepared(count, Some(data_dir)).started().await
    }

    fn prepared(count: usize, first: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let ports = free_ports(2 * count);
        let (http, peers) = ports.split_at(count);
        let members: Vec<_> = peers.iter().enumerate().map(|(n, port)| format!("{}=127.0.0.1:{port}", n + 1)).collect();
        let nodes = (0..count)
            .map(|n| Node {
                id: n as u64 + 1,
                http: http[n],
                peer: peers[n],
                cluster: members.join(","),
                data_dir: match first {
                    Some(first) if n == 0 => first.join("data"),
                    _ => dir.path().join(format!("node-{}", n + 1)),
                },
                log: dir.path().join(format!("node-{}.log", n + 1)),
                base_url: format!("http://127.0.0.1:{}", http[0]),
                child: None,
            })
            .collect();
        Self { nodes, outside: Outside { client: http_client(), http: http.to_vec() }, dir }
    }

    async fn started(mut self) -> Self {
        self.nodes.iter_mut().for_each(Node::start);
        self.all_ready().await;
        self
    }

    pub async fn all_ready(&mut self) {
        for n in 0..self.nodes.len() {
            self.ready(n).await;
        }
    }

    /// Waits until node `n` says that it is ready; fails at once when it has died.
    pub async fn ready(&mut self, n: usize) -> Value {
        let start = Instant::now();
        loop {
            if let Some(answer) = self.health(n).await
                && answer["ready"] == true
            {
                return answer;
            }
            let node = &mut self.nodes[n];
            assert!(node.is_running(), "node {} died; {}", node.id, node.log_tail());
            assert!(start.elapsed() < PATIENCE, "node {} does not get ready; {}", node.id, node.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn outside(&self) -> Outside {
        self.outside.clone()
    }

    pub async fn health(&self, n: usize) -> Option<Value> {
        self.client.get(self.url(n, "/json/health/ready")).send().await.ok()?.json().await.ok()
    }

    /// Index of the node that leads, as a majority of the running nodes says.
    pub async fn leader(&mut self) -> usize {
        let start = Instant::now();
        loop {
            let mut named = Vec::new();
            for n in 0..self.nodes.len() {
                if self.nodes[n].is_running()
                    && let Some(answer) = self.health(n).await
                    && answer["ready"] == true
                    && let Some(leader) = answer["leader"].as_u64()
                {
                    named.push(leader);
                }
            }
            for leader in &named {
                if 2 * named.iter().filter(|other| *other == leader).count() > self.nodes.len() {
                    return *leader as usize - 1;
                }
            }
            assert!(start.elapsed() < PATIENCE, "no leader");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Outside {
    pub fn url(&self, n: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}/am{path}", self.http[n])
    }

    pub fn request(&self, n: usize, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(n, path))
    }

    /// amAdmin's SSO token.
    pub async fn admin(&self, n: usize) -> String {
        self.login(n, "root", "amAdmin", ADMIN_PASSWORD).await.expect("the administrator logs in")
    }

    /// An SSO token of a user, `realm` as in `root` or `root/realms/alpha`.
    pub async fn login(&self, n: usize, realm: &str, name: &str, password: &str) -> Option<String> {
        let answer = self
            .request(n, Method::POST, &format!("/json/realms/{realm}/authenticate"))
            .header("X-OpenAM-Username", name)
            .header("X-OpenAM-Password", password)
            .header("Accept-API-Version", "resource=2.1")
            .json(&json!({}))
            .send()
            .await
            .ok()?;
        let body: Value = answer.json().await.ok()?;
        body["tokenId"].as_str().map(str::to_owned)
    }

    /// An administrator's request with a JSON body; panics with the answer unless it succeeds.
    pub async fn administer(&self, n: usize, admin: &str, method: Method, path: &str, body: Value) -> Value {
        let request = self
            .request(n, method.clone(), path)
            .header("iPlanetDirectoryPro", admin)
            .header("X-Requested-With", "test")
            .json(&body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body = answer.text().await.expect("a body");
        assert!(status.is_success(), "{method} {path}: {status} {body}");
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    /// Registers a client of the top-level realm with scope `api` and the secret `bench-secret`.
    pub async fn register(&self, n: usize, admin: &str, realm: &str, id: &str, more: Value) {
        let mut body = json!({
            "coreOAuth2ClientConfig": {
                "userpassword": "client-secret",
                "clientType": "Confidential",
                "scopes": ["api"],
                "defaultScopes": ["api"],
                "accessTokenLifetime": 3600,
            },
            "advancedOAuth2ClientConfig": { "grantTypes": ["client_credentials"], "tokenEndpointAuthMethod": "client_secret_post" },
        });
        merge(&mut body, more);
        let path = format!("/json/realms/{realm}/realm-config/agents/OAuth2Client/{id}");
        self.administer(n, admin, Method::PUT, &path, body).await;
    }

    /// A form post to an OAuth endpoint; status and JSON.
    pub async fn form(&self, n: usize, path: &str, fields: &[(&str, &str)]) -> reqwest::Result<(StatusCode, Value)> {
        let answer = self.request(n, Method::POST, path).form(fields).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// An access token for client `id` by client credentials.
    pub async fn issue(&self, n: usize, id: &str) -> Result<String, String> {
        let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", "client-secret")];
        match self.form(n, "/oauth2/access_token", &fields).await {
            Ok((StatusCode::OK, body)) => {
                body["access_token"].as_str().map(str::to_owned).ok_or_else(|| body.to_string())
            }
            Ok((status, body)) => Err(format!("{status} {body}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether a token is active, as node `n` says; `Err` when it does not say.
    pub async fn is_active(&self, n: usize, id: &str, token: &str) -> Result<bool, String> {
        let fields = [("token", token), ("client_id", id), ("client_secret", "client-secret")];
        match self.form(n, "/oauth2/introspect", &fields).await {
            Ok((StatusCode::OK, body)) => body["active"].as_bool().ok_or_else(|| body.to_string()),
            Ok((status, body)) => Err(format!("{status} {body}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Revokes a token; `Err` when it is not known whether that happened.
    pub async fn revoke(&self, n: usize, id: &str, token: &str) -> Result<(), String> {
        let fields = [("token", token), ("client_id", id), ("client_secret", "client-secret")];
        match self.form(n, "/oauth2/token/revoke", &fields).await {
            Ok((StatusCode::OK, _)) => Ok(()),
            Ok((status, body)) => Err(format!("{status} {body}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Puts `more` over `base`, object by object.
pub fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (name, value) in more {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more,
    }
}
