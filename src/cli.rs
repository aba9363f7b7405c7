//! The command line: what can be typed, as types. What it does is one function per command.
//!
//! | command             | typed as         | done in            |
//! |---------------------|------------------|--------------------|
//! | `quorate serve`     | [`Serve`]        | `serve::run`       |
//! | `quorate demo`      | [`Demo`]         | [`demo::run`]      |
//! | `quorate cluster …` | [`Cluster`]      | `operate`          |
//! | `quorate config …`  | [`ConfigCommand`]| [`config::run`]    |
//! | `quorate certs …`   | [`Certs`]        | [`certs::run`]     |
//! | `quorate import`    | [`Import`]       | [`import::run`]    |
//! | `quorate export`    | [`Export`]       | [`export::run`]    |
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage or configuration.

pub mod admin;
pub mod certs;
pub mod config;
pub mod demo;
pub mod export;
pub mod import;
pub mod transfer;

pub use export::Export;
pub use import::Import;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::settings::{SETTINGS, Shape};
use crate::config::{PeerAddress, Sources};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Done,
    /// It did not.
    Failed,
    /// It was asked wrongly: usage or configuration.
    Misused,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Misused => 2,
        })
    }
}

/// `quorate`
#[derive(Debug, Parser)]
#[command(
    name = "quorate",
    version,
    about = "A clustered authorization service: OAuth 2.0, OpenID Connect and policy decisions, replicated by Raft",
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage or configuration.",
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one node
    ///
    /// With nothing else: one node on 127.0.0.1:8080, data in ./quorate-data, which initialises
    /// itself and serves http://127.0.0.1:8080/am. The administrator is amAdmin; the first password
    /// comes from QUORATE_ADMIN_PASSWORD or is generated and printed once.
    #[command(after_long_help = settings_help())]
    Serve(Serve),
    /// Start three nodes on this machine, walk through the main job, and stay up
    ///
    /// Temporary data on loopback ports. Two APIs, a policy and a user are set up; tokens are issued on
    /// one node and introspected on another, the leader is killed, a token is revoked, and every
    /// request is shown with its answer and timing.
    Demo(Demo),
    /// Look at a cluster and change it
    #[command(subcommand)]
    Cluster(Cluster),
    /// Check or show the configuration `serve` would run with
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make a cluster CA and node certificates for mutual TLS between nodes
    #[command(subcommand)]
    Certs(Certs),
    /// Bring configuration that administrators have in files into a running node
    ///
    /// Reads exports of frodo (single objects, one kind, everything) and of Amster: realms, scripts, services, resource types,
    /// policy sets, policies, agents, OAuth 2.0 clients, journeys, users and groups. What is there already is left alone;
    /// nothing is deleted. Each object is reported as created, updated or unchanged, exact or adapted, unsupported or failed.
    #[command(
        after_long_help = "Exit status: 0 no object failed, 1 one did (with --strict: or is not exact), 2 wrong usage."
    )]
    Import(Import),
    /// Write the configuration of a running node to files that frodo and `quorate import` read
    Export(Export),
}

/// `quorate serve`. What was typed; what it means is told by
/// [`Config::load`](crate::config::Config::load).
#[derive(Clone, Debug, Default, Args)]
pub struct Serve {
    /// TOML file with settings; variables and flags win over it
    #[arg(long, value_name = "FILE", env = "QUORATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Number of this node in the cluster, from 1 [default: 1]
    #[arg(long, value_name = "N")]
    pub node_id: Option<String>,
    /// Directory of the replicated state [default: ./quorate-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// IP:PORT that clients talk to [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// IP:PORT that the other nodes talk to [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR")]
    pub peer: Option<String>,
    /// First members of a new cluster, the same line on every node; ignored once it exists
    ///
    /// The order in which the nodes start does not matter. Later changes: quorate cluster.
    #[arg(long, value_name = "1=HOST:PORT,2=HOST:PORT,…")]
    pub cluster: Option<String>,
    /// Allow plaintext between nodes, on loopback addresses only; relaxes nothing else
    #[arg(long)]
    pub dev: bool,
}

impl Serve {
    /// Where the configuration comes from: the file, this process's environment and these flags.
    pub fn sources(&self) -> Sources {
        let Self { config, node_id, data_dir, http, peer, cluster, dev } = self;
        let texts =
            [("node_id", node_id), ("data_dir", data_dir), ("http", http), ("peer", peer), ("cluster", cluster)];
        let mut flags: Vec<_> = texts.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect();
        if *dev {
            flags.push(("dev", "true".into()));
        }
        Sources { file: config.clone(), flags, ..Sources::of_process() }
    }
}

/// `quorate demo`
#[derive(Clone, Copy, Debug, Args)]
pub struct Demo {
    /// End after the walk-through: status 0 if every step held, 1 if not
    #[arg(long)]
    pub exit: bool,
    /// HTTP on ports N+1 to N+3, peers on N+11 to N+13 [default: 8080, or free ports if those are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=65_000))]
    pub port_base: Option<u16>,
}

/// `quorate cluster`
#[derive(Clone, Debug, Subcommand)]
pub enum Cluster {
    /// Show the members, who leads, and how far each one is
    Status {
        /// How to reach the cluster.
        #[command(flatten)]
        target: Target,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a node as a learner; it runs already, with `join` set and an empty data directory
    Add {
        /// How to reach the cluster.
        #[command(flatten)]
        target: Target,
        /// Number of the new node, not used before
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        node: u64,
        /// Where the others reach its peer port
        #[arg(value_name = "HOST:PORT")]
        address: PeerAddress,
    },
    /// Make a learner that has caught up a voter
    Promote {
        /// How to reach the cluster.
        #[command(flatten)]
        target: Target,
        /// Number of the node
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        node: u64,
    },
    /// Take a node out of the cluster for good
    Remove {
        /// How to reach the cluster.
        #[command(flatten)]
        target: Target,
        /// Number of the node
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        node: u64,
    },
    /// Hand leadership to another node
    TransferLeader {
        /// How to reach the cluster.
        #[command(flatten)]
        target: Target,
        /// Number of the node that shall lead; without it, the voter that is furthest
        #[arg(value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        node: Option<u64>,
    },
    /// Write a consistent copy of the replicated state to a file, while the cluster works
    ///
    /// The file holds hashes of tokens, verifiers of passwords, and private keys encrypted under the
    /// master key; keep that key elsewhere.
    Backup {
        /// How to reach the cluster.
        #[command(flatten)]
        target: Target,
        /// File to write; must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Fill an empty data directory from a backup, as the first node of a new cluster
    ///
    /// Everything revoked before the backup stays revoked. The node must not be running.
    Restore {
        /// File to read
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the new node's settings come from.
        #[command(flatten)]
        node: Serve,
    },
    /// Check a backup without using it
    Verify {
        /// File to read
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// How to reach a running cluster: the peer port of any of its nodes, and what proves who asks.
///
/// Without a certificate only a node that was started with `--dev` answers, on this machine.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// Peer port of any node
    #[arg(long, value_name = "HOST:PORT", env = "QUORATE_PEER", default_value = "127.0.0.1:8090")]
    pub peer: String,
    /// The cluster's CA (PEM)
    #[arg(long, value_name = "FILE", env = "QUORATE_PEER_TLS_CA", requires_all = ["cert", "key"])]
    pub ca: Option<PathBuf>,
    /// A certificate that the CA signed (PEM), as made by `quorate certs node`
    #[arg(long, value_name = "FILE", env = "QUORATE_PEER_TLS_CERT", requires = "ca")]
    pub cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", env = "QUORATE_PEER_TLS_KEY", requires = "ca")]
    pub key: Option<PathBuf>,
}

/// `quorate config`
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report every mistake in the configuration, or none
    #[command(after_long_help = settings_help())]
    Validate(Serve),
    /// Print the effective configuration as TOML, with the origin of each value and without secrets
    #[command(after_long_help = settings_help())]
    Print(Serve),
}

/// `quorate certs`
#[derive(Clone, Debug, Subcommand)]
pub enum Certs {
    /// Make a cluster CA: DIR/ca.pem and DIR/ca.key
    Init {
        /// Directory to put it into; created if absent, nothing in it is overwritten
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Make a certificate for one node: DIR/NAME.pem and DIR/NAME.key, signed by DIR/ca.pem
    ///
    /// It names NAME, the given hosts, localhost, 127.0.0.1 and ::1, and serves for both ends of a
    /// connection.
    Node {
        /// Directory with the CA
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Name of the node: the host name that `cluster` lists it under, if it has one
        #[arg(value_name = "NAME")]
        name: String,
        /// Another host name or IP address the node is reached by; may be repeated
        #[arg(long = "host", value_name = "H")]
        hosts: Vec<String>,
    },
}

/// Every setting, for `--help`.
fn settings_help() -> String {
    let mut help = String::from(
        "Settings, by TOML key (a.b is key b in table [a]) and variable. Later wins: default, file, variable, flag.\n\
         Secrets are also read from files: <key>_file in TOML, <VARIABLE>_FILE in the environment.\n",
    );
    for setting in SETTINGS {
        let mut facts = Vec::new();
        if let Some(default) = setting.default {
            facts.push(format!("default {default}"));
        }
        if setting.shape == Shape::Secret {
            facts.push("secret".into());
        }
        if let Some(flag) = setting.flag {
            facts.push(flag.into());
        }
        let facts = if facts.is_empty() { String::new() } else { format!(" [{}]", facts.join(", ")) };
        let (key, variable) = (setting.key, setting.variable());
        // Writing to a string cannot fail.
        let _ = write!(help, "\n  {key}, {variable}{facts}\n      {}", setting.help);
    }
    help
}
