//! The configuration of a node: read once at the start, checked as a whole, passed down by value.
//!
//! Defaults < TOML file < `QUORATE_…` variables < flags. [`Config::load`] notes every mistake before
//! it gives up, so an operator sees all of them in one start; a name nobody knows is a mistake.
//!
//! | what                                   | where         |
//! |----------------------------------------|---------------|
//! | names, defaults and help               | [`settings`]  |
//! | file, variables, flags, and their merge| [`source`]    |
//! | passwords and keys                     | [`secret`]    |
//! | members, peer port, `--dev`            | [`peers`]     |
//! | certificate files                      | [`tls`]       |
//! | paths, base URL, proxies, cookies      | [`site`]      |
//! | times and sizes                        | [`bounds`]    |
//! | what is recorded, and where            | `auditing`    |

mod auditing;
pub mod bounds;
pub mod peers;
mod print;
mod reader;
pub mod secret;
pub mod settings;
pub mod site;
pub mod source;
pub mod tls;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::audit;
use crate::decisions;
use crate::passwords::Encoded;

pub use self::bounds::{AttemptLimits, Limits, RaftTiming};
pub use self::peers::{Bootstrap, Member, PeerAddress, PeerSecurity, Peers};
use self::reader::Reader;
pub use self::secret::{MasterKey, MasterKeySource, Secret};
pub use self::site::{BaseUrl, CookieSecure, Network, Site, is_context_path, is_token};
use self::source::Said;
pub use self::source::{Invalid, Sources};
pub use self::tls::{HttpTls, PeerTls};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of this node in its cluster, from 1.
    pub node_id: u64,
    /// Where the replicated state lies.
    pub data_dir: PathBuf,
    /// The other nodes.
    pub peers: Peers,
    /// Where clients talk to us.
    pub http: SocketAddr,
    /// Where `/metrics` is answered; `None`: on `http`.
    pub management: Option<SocketAddr>,
    /// Certificates of the `http` port; `None`: plain HTTP.
    pub tls: Option<HttpTls>,
    /// Threads that answer HTTP; `None`: one per core.
    pub http_workers: Option<NonZeroUsize>,
    /// How the outside addresses us.
    pub site: Site,
    /// First password of amAdmin; `None`: generate one.
    pub admin_password: Option<Secret>,
    /// Where the key that encrypts private keys comes from.
    pub master_key: MasterKeySource,
    /// What to log, and how.
    pub log: Log,
    /// What is recorded of what happens, and where.
    pub audit: audit::Settings,
    /// What is made of a verifier where a password is expected.
    pub encoded_passwords: Encoded,
    /// How questions to policies are answered.
    pub decisions: decisions::Settings,
    /// Raft's clock.
    pub raft: RaftTiming,
    /// Bounds on work and input.
    pub limits: Limits,
    /// Bounds on guessing.
    pub attempts: AttemptLimits,
    /// Time for a graceful stop.
    pub shutdown: Duration,
}

/// What to log, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Directives of [`EnvFilter`], checked.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// Reads and checks everything; on a mistake, tells all of them.
    pub fn load(sources: &Sources) -> Result<Self, Vec<Invalid>> {
        let mut bad = Vec::new();
        let said = Said::read(sources, &mut bad);
        let config = Self::read(&mut Reader::new(&said, &mut bad));
        match config {
            Some(config) if bad.is_empty() => Ok(config),
            _ => Err(bad),
        }
    }

    /// The effective configuration as TOML with the origin of each value; secrets are left out.
    pub fn print(sources: &Sources) -> Result<String, Vec<Invalid>> {
        Self::load(sources)?;
        Ok(print::print(&Said::read(sources, &mut Vec::new())))
    }

    /// The base URL a new cluster starts with: configured, or the `http` address. An address that
    /// means "all interfaces" is nobody's URL, so `localhost` stands in for it.
    pub fn base_url(&self) -> String {
        match &self.site.base_url {
            Some(url) => url.to_string(),
            None => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                match self.http.ip() {
                    ip if ip.is_unspecified() => {
                        format!("{scheme}://localhost:{}", self.http.port())
                    }
                    _ => format!("{scheme}://{}", self.http),
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let node_id = reader.number("node_id", 1..=u64::MAX);
        let data_dir = reader.path("data_dir").flatten();
        let http = reader.address("http").flatten();
        let management = reader.address("management");
        let tls = HttpTls::read(reader);
        let http_workers = reader.number("http_workers", 0..=1024);
        let peers = Peers::read(reader, node_id);
        listeners(reader, http, management.flatten(), peers.as_ref());
        let site = Site::read(reader);
        let admin_password = reader.secret("admin_password");
        let master_key = master_key(reader, data_dir.as_deref(), peers.as_ref());
        let log = log(reader);
        let audit = auditing::read(reader, data_dir.as_deref());
        let encoded = reader.switch("compat.pre_encoded_passwords");
        let decisions = decisions(reader);
        let raft = RaftTiming::read(reader);
        let limits = Limits::read(reader);
        let attempts = AttemptLimits::read(reader);
        let shutdown = reader.number("shutdown_seconds", 1..=600);
        Some(Self {
            node_id: node_id?,
            data_dir: data_dir?,
            peers: peers?,
            http: http?,
            management: management?,
            tls: tls?,
            http_workers: NonZeroUsize::new(usize::try_from(http_workers?).ok()?),
            site: site?,
            admin_password: admin_password?,
            master_key: master_key?,
            log: log?,
            audit: audit?,
            encoded_passwords: if encoded? { Encoded::Kept } else { Encoded::Plain },
            decisions: decisions?,
            raft: raft?,
            limits: limits?,
            attempts: attempts?,
            shutdown: Duration::from_secs(shutdown?),
        })
    }
}

/// No two of our own ports may be the same.
fn listeners(reader: &mut Reader<'_>, http: Option<SocketAddr>, management: Option<SocketAddr>, peers: Option<&Peers>) {
    let peer = peers.filter(|peers| peers.security != PeerSecurity::Closed).map(|peers| peers.listen);
    let named = [("http", http), ("management", management), ("peer", peer)];
    for (index, (key, address)) in named.iter().enumerate() {
        for (other, taken) in &named[..index] {
            if let (Some(address), Some(taken)) = (address, taken)
                && collide(*address, *taken)
            {
                reader.reject(key, format!("{address} is already taken by `{other}`"));
            }
        }
    }
}

fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let (ip, other) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() != 0 && a.port() == b.port() && (ip == other || ip.is_unspecified() || other.is_unspecified())
}

fn master_key(reader: &mut Reader<'_>, data_dir: Option<&Path>, peers: Option<&Peers>) -> Option<MasterKeySource> {
    if let Some(secret) = reader.secret("master_key")? {
        return match MasterKey::parse(&secret) {
            Ok(key) => Some(MasterKeySource::Given(key)),
            Err(problem) => {
                reader.reject("master_key", problem);
                None
            }
        };
    }
    if peers?.several() {
        reader.reject(
            "master_key",
            "must be set, the same on every node of a cluster (openssl rand -base64 32); \
             also as master_key_file, QUORATE_MASTER_KEY or QUORATE_MASTER_KEY_FILE",
        );
        return None;
    }
    let data_dir = data_dir?;
    let Some(name) = data_dir.file_name() else {
        reader.reject(
            "data_dir",
            "has no name that a key file could be put beside: name a directory, or set `master_key`",
        );
        return None;
    };
    let mut key_file = name.to_owned();
    key_file.push(".key");
    Some(MasterKeySource::KeyFile { path: data_dir.with_file_name(key_file), data_dir: data_dir.to_owned() })
}

fn decisions(reader: &mut Reader<'_>) -> Option<decisions::Settings> {
    let strict = reader.switch("decisions.strict");
    let dry_runs = reader.number("decisions.dry_runs_per_minute", 0..=1_000_000);
    Some(decisions::Settings { strict: strict?, dry_runs_per_minute: u32::try_from(dry_runs?).ok()? })
}

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let filter = reader.required("log.filter", |text| {
        EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|error| format!("`{text}`: {error}"))
    });
    let format = reader.required("log.format", |text| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json"),
    });
    Some(Log { filter: filter?, format: format? })
}
