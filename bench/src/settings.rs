//! What was typed ([`Args`]), and what it means ([`Settings`]).

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

/// Measures three Quorate nodes beside three etcd nodes on this machine.
#[derive(Debug, Parser)]
// A later flag wins, so that a script may set its own defaults before what was typed.
#[command(version, about, args_override_self = true)]
pub struct Args {
    /// The Quorate binary.
    #[arg(long, value_name = "PATH", default_value = "../target/release/quorate")]
    quorate: PathBuf,
    /// The etcd binary.
    #[arg(long, value_name = "PATH", default_value = "etcd")]
    etcd: PathBuf,
    /// Which systems to measure.
    #[arg(long, value_delimiter = ',', default_value = "quorate,etcd")]
    systems: Vec<System>,
    /// Which suites to run.
    #[arg(long, value_delimiter = ',', default_value = "compare,failover,tokens,policy,directory")]
    suites: Vec<Suite>,
    /// About a minute, to see that everything works: the numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Numbers of clients to measure at [default: compare: 1,64,512; policy: 1,64].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=4096))]
    clients: Option<Vec<u16>>,
    /// Where clients connect [default: spread,leader; quick: spread].
    #[arg(long, value_delimiter = ',')]
    routes: Option<Vec<Route>>,
    /// Seconds of each run that count [default: 5; quick: 1].
    #[arg(long, value_parser = seconds)]
    secs: Option<Duration>,
    /// Seconds of load before those [default: 1; quick: 0.3].
    #[arg(long, value_parser = seconds)]
    warmup: Option<Duration>,
    /// Runs of each measurement, of which the median is shown [default: 3; quick: 1].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    runs: Option<u16>,
    /// How often the leader is killed [default: 5; quick: 1].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    trials: Option<u16>,
    /// Live tokens of one client in the largest case [default: 1000000; quick: 20000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
    tokens: Option<u32>,
    /// OAuth clients in the case of many clients [default: 10000; quick: 20].
    #[arg(long, value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    many_clients: Option<u32>,
    /// Policies in the large policy set [default: 10000; quick: 500].
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    policies: Option<u32>,
    /// Users in the directory suite [default: 100000; quick: 2000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    users: Option<u32>,
    /// Threads of the load generator.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Directory on the disk to measure; data of both systems goes below it and is removed in the end.
    #[arg(long, value_name = "DIR", default_value = "target/work")]
    work: PathBuf,
    /// Results go to STEM.jsonl and STEM.md as well.
    #[arg(long, value_name = "STEM")]
    out: Option<PathBuf>,
    /// The load average of the last minute above which a run is refused.
    #[arg(long, default_value_t = 0.7)]
    max_load: f64,
    /// Seconds to wait for the load average to fall.
    #[arg(long, value_parser = seconds, default_value = "180")]
    patience: Duration,
    /// Run in spite of other load, of little memory, or of a work directory that is no disk.
    #[arg(long)]
    force: bool,
    /// What this program is instead of the bench, when the bench starts it.
    #[command(subcommand)]
    pub role: Option<Role>,
}

/// What the bench starts this program as.
#[derive(Debug, Clone, Subcommand)]
pub enum Role {
    /// A server that answers the JSON it gets.
    #[command(hide = true)]
    Echo {
        #[arg(long)]
        http: SocketAddr,
        /// Threads that answer.
        #[arg(long)]
        workers: NonZeroUsize,
    },
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().context("not a number of seconds")?;
    let duration = Duration::try_from_secs_f64(seconds)?;
    if duration > Duration::from_secs(3600) {
        bail!("more than an hour");
    }
    Ok(duration)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum System {
    Quorate,
    Etcd,
}

/// A group of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Rates and latencies beside etcd's.
    Compare,
    /// The leader is killed.
    Failover,
    /// Many live tokens: flat cost, memory, restart.
    Tokens,
    /// Policy decisions beside an echo, and how soon a changed policy counts.
    Policy,
    /// Reads and pages beside many users and clients.
    Directory,
}

/// Where the clients of a load connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Route {
    /// To all nodes, round-robin.
    Spread,
    /// To the leader.
    Leader,
}

impl Route {
    pub fn name(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::Leader => "leader",
        }
    }
}

/// A run, completely described.
#[derive(Debug)]
pub struct Settings {
    /// `None`: not measured.
    pub quorate: Option<PathBuf>,
    pub etcd: Option<PathBuf>,
    pub suites: Vec<Suite>,
    pub clients: Vec<usize>,
    /// Numbers of clients that ask for policy decisions.
    pub policy_clients: Vec<usize>,
    pub routes: Vec<Route>,
    pub measure: Duration,
    pub warmup: Duration,
    pub runs: usize,
    pub trials: usize,
    pub tokens: u64,
    pub many_clients: usize,
    pub policies: usize,
    /// Policies that are changed to see how soon that counts.
    pub changes: usize,
    pub users: usize,
    /// How often each question of the directory suite is asked.
    pub asked: usize,
    /// Tokens that introspection asks for, and keys that get reads.
    pub pool: usize,
    pub threads: usize,
    pub work: PathBuf,
    pub out: Option<PathBuf>,
    pub max_load: f64,
    pub patience: Duration,
    pub force: bool,
}

impl Settings {
    /// # Errors
    /// When a binary that is to be measured is not there.
    pub fn new(args: Args) -> Result<Self> {
        let quick = args.quick;
        let by = |typed: Option<u32>, full: u32, short: u32| typed.unwrap_or(if quick { short } else { full });
        let secs = |typed: Option<Duration>, full: f64, short: f64| {
            typed.unwrap_or(Duration::from_secs_f64(if quick { short } else { full }))
        };
        let measured = |system, binary: &Path| args.systems.contains(&system).then(|| find(binary)).transpose();
        let clients = |unless_typed: &[u16]| {
            let numbers = args.clients.as_deref().unwrap_or(unless_typed);
            numbers.iter().copied().map(usize::from).collect()
        };
        Ok(Self {
            quorate: measured(System::Quorate, &args.quorate)?,
            etcd: measured(System::Etcd, &args.etcd)?,
            suites: args.suites,
            clients: clients(&[1, 64, 512]),
            policy_clients: clients(&[1, 64]),
            routes: args
                .routes
                .unwrap_or_else(|| if quick { vec![Route::Spread] } else { vec![Route::Spread, Route::Leader] }),
            measure: secs(args.secs, 5.0, 1.0),
            warmup: secs(args.warmup, 1.0, 0.3),
            runs: by(args.runs.map(u32::from), 3, 1) as usize,
            trials: by(args.trials.map(u32::from), 5, 1) as usize,
            tokens: u64::from(by(args.tokens, 1_000_000, 20_000)),
            many_clients: by(args.many_clients, 10_000, 20) as usize,
            policies: by(args.policies, 10_000, 500) as usize,
            changes: by(None, 20, 5) as usize,
            users: by(args.users, 100_000, 2_000) as usize,
            asked: by(None, 100, 20) as usize,
            pool: by(None, 20_000, 2_000) as usize,
            threads: usize::from(args.threads),
            work: args.work,
            out: args.out,
            max_load: args.max_load,
            patience: args.patience,
            force: args.force,
        })
    }
}

/// The binary as a path that does not depend on the working directory; a bare name is looked up in `PATH`.
fn find(binary: &Path) -> Result<PathBuf> {
    let bare = binary.parent().is_some_and(|parent| parent.as_os_str().is_empty());
    let found = if bare {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(binary)).find(|path| path.is_file())
    } else {
        binary.canonicalize().ok()
    };
    found.with_context(|| format!("there is no {}; see --help for how to name another", binary.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(args: &[&str]) -> Result<Settings> {
        Settings::new(Args::try_parse_from(
            ["quorate-bench", "--quorate", "/bin/sh", "--etcd", "sh"].iter().chain(args),
        )?)
    }

    #[test]
    fn quick_shortens_what_was_not_typed() {
        let full = settings(&[]).unwrap();
        assert_eq!(
            (full.runs, full.tokens, full.clients.as_slice(), full.policy_clients.as_slice(), full.routes.len()),
            (3, 1_000_000, &[1, 64, 512][..], &[1, 64][..], 2)
        );
        assert_eq!((full.policies, full.changes), (10_000, 20));
        let quick = settings(&["--quick", "--runs", "2", "--secs", "0.5"]).unwrap();
        assert_eq!(
            (quick.runs, quick.tokens, quick.policies, quick.measure),
            (2, 20_000, 500, Duration::from_millis(500))
        );
        let typed = settings(&["--clients", "7"]).unwrap();
        assert_eq!((typed.clients, typed.policy_clients), (vec![7], vec![7]));
    }

    #[test]
    fn a_binary_is_found_in_the_path_or_where_it_is_said_to_be() {
        let found = settings(&[]).unwrap();
        assert!(found.etcd.unwrap().is_absolute() && found.quorate.unwrap().is_absolute());
        assert!(settings(&["--systems", "etcd"]).unwrap().quorate.is_none());
        assert!(find(Path::new("no-such-binary")).is_err() && find(Path::new("./no/such")).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [
            ["--secs", "-1"],
            ["--secs", "1e9"],
            ["--clients", "0"],
            ["--runs", "0"],
            ["--policies", "10"],
            ["--suites", "all"],
        ] {
            assert!(settings(&args).is_err(), "{args:?}");
        }
    }
}
