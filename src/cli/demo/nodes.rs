//! The demo's three processes. Whatever happens to the demo, [`Nodes`] takes them along when it is
//! dropped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Broken;
use super::talk::Talk;
use crate::config::settings::PREFIX;
use crate::config::{MasterKey, Secret};

/// Ports used when nobody names any and these are free: 8081 to 8083, peers 8091 to 8093.
const PREFERRED_BASE: u16 = 8080;
/// Distance of a peer port from its HTTP port.
const PEERS_ABOVE: u16 = 10;
/// How much of a log is shown when something went wrong, bytes.
const TAIL: u64 = 3000;
/// Between two looks at a node that is not ready yet.
const POLL: Duration = Duration::from_millis(20);

/// One node.
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) http: SocketAddr,
    pub(super) log: PathBuf,
    peer: SocketAddr,
    child: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Either it is dead already, or it is now; nothing else can be done about it here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Three nodes and where their files lie.
pub(super) struct Nodes {
    // Dropped in this order: no node writes into the directory while it is removed.
    nodes: Vec<Node>,
    admin_password: Secret,
    master_key: Secret,
    dir: TempDir,
}

impl Nodes {
    /// Chooses ports and makes a directory; starts nothing yet.
    pub(super) fn prepare(port_base: Option<u16>) -> Result<Self, Broken> {
        let dir = tempfile::Builder::new()
            .prefix("quorate-demo-")
            .tempdir()
            .map_err(Broken::system("temporary directory"))?;
        let nodes = ports(port_base)?
            .into_iter()
            .zip(1..)
            .map(|((http, peer), id)| Node {
                id,
                http: SocketAddr::from((Ipv4Addr::LOCALHOST, http)),
                peer: SocketAddr::from((Ipv4Addr::LOCALHOST, peer)),
                log: dir.path().join(format!("node-{id}.log")),
                child: None,
            })
            .collect();
        let master_key = MasterKey::generate().map_err(Broken::system("master key"))?.to_base64();
        Ok(Self { nodes, admin_password: random()?, master_key, dir })
    }

    pub(super) fn admin_password(&self) -> &Secret {
        &self.admin_password
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn all(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn node(&self, id: u64) -> Result<&Node, Broken> {
        self.nodes.iter().find(|node| node.id == id).ok_or_else(|| Broken::Step(format!("there is no node {id}")))
    }

    /// Nodes whose process runs.
    pub(super) fn alive(&self) -> Vec<u64> {
        self.nodes.iter().filter(|node| node.child.is_some()).map(|node| node.id).collect()
    }

    /// Starts `quorate serve` as node `id`, on the data it had before, if any.
    pub(super) fn start(&mut self, id: u64) -> Result<(), Broken> {
        let members: Vec<String> = self.nodes.iter().map(|node| format!("{}={}", node.id, node.peer)).collect();
        let base_url = format!("http://{}", self.node(1)?.http);
        let data_dir = self.dir.path().join(id.to_string());
        let node = self.node(id)?;
        let what = || Broken::system(format!("starting node {id}"));
        let log = OpenOptions::new().create(true).append(true).open(&node.log).map_err(what())?;
        let mut command = Command::new(std::env::current_exe().map_err(what())?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX)) {
            command.env_remove(name); // the demo's nodes are configured by the demo alone
        }
        command
            .arg("serve")
            .args(["--node-id", &id.to_string()])
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--http", &node.http.to_string()])
            .args(["--peer", &node.peer.to_string()])
            .args(["--cluster", &members.join(",")])
            .arg("--dev")
            .env("QUORATE_ADMIN_PASSWORD", self.admin_password.expose())
            .env("QUORATE_MASTER_KEY", self.master_key.expose())
            .env("QUORATE_BASE_URL", base_url)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(what())?)
            .stderr(log)
            // A group of its own: Ctrl-C is for the demo, which then stops its nodes.
            .process_group(0);
        let child = command.spawn().map_err(what())?;
        if let Some(node) = self.nodes.iter_mut().find(|node| node.id == id) {
            node.child = Some(child);
        }
        Ok(())
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, id: u64) -> Result<u32, Broken> {
        let child = self.nodes.iter_mut().find(|node| node.id == id).and_then(|node| node.child.take());
        let mut child = child.ok_or_else(|| Broken::Step(format!("node {id} does not run")))?;
        let what = || Broken::system(format!("killing node {id}"));
        child.kill().map_err(what())?;
        child.wait().map_err(what())?;
        Ok(child.id())
    }

    /// Waits until a node says it is ready.
    pub(super) async fn ready(&mut self, talk: &Talk, id: u64, within: Duration) -> Result<Duration, Broken> {
        let began = Instant::now();
        let url = format!("http://{}/am/json/health/ready", self.node(id)?.http);
        loop {
            if talk.probe(&url).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(began.elapsed());
            }
            let node = self.nodes.iter_mut().find(|node| node.id == id);
            let ended = node.and_then(|node| node.child.as_mut()).and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(Broken::Step(format!("node {id} ended by itself: {status}")));
            }
            if began.elapsed() > within {
                return Err(Broken::Step(format!("node {id} was not ready within {} s", within.as_secs())));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The end of each log.
    pub(super) fn log_tails(&self) -> Vec<(u64, String)> {
        self.nodes.iter().filter_map(|node| Some((node.id, tail(&node.log).ok()?))).collect()
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A secret for this run only.
pub(super) fn random() -> Result<Secret, Broken> {
    use base64::Engine;
    let mut bytes = [0; 18];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Broken::Step("the operating system has no randomness".into()))?;
    Ok(Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)))
}

/// Three pairs of HTTP and peer port: those asked for, else the preferred ones, else free ones.
fn ports(base: Option<u16>) -> Result<Vec<(u16, u16)>, Broken> {
    let from = |base: u16| (1..=3).map(|n| (base + n, base + n + PEERS_ABOVE)).collect::<Vec<_>>();
    match base {
        Some(base) => Ok(from(base)),
        None => {
            let preferred = from(PREFERRED_BASE);
            let free = preferred.iter().flat_map(|(http, peer)| [*http, *peer]).all(|port| listen(port).is_ok());
            if free { Ok(preferred) } else { free_ports() }
        }
    }
}

fn free_ports() -> Result<Vec<(u16, u16)>, Broken> {
    let what = || Broken::system("free ports");
    // All are held until the last one is chosen, so that no two are the same.
    let held: Vec<TcpListener> = (0..6).map(|_| listen(0)).collect::<Result<_, _>>().map_err(what())?;
    let ports: Vec<u16> = held
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<Result<_, _>>()
        .map_err(what())?;
    Ok(ports.iter().copied().step_by(2).zip(ports.iter().copied().skip(1).step_by(2)).collect())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
