//! Issue, introspect and revoke beside etcd's put and linearizable get.
//!
//! Both clusters run all the time, on the same disk, and are loaded in turn: the two numbers of a ratio are taken one
//! right after the other, and which of them comes first changes from run to run. Each number of clients starts with
//! fresh clusters, so that every row of the table starts from the same state.

use std::sync::Arc;

use anyhow::Result;

use crate::load::{self, Plan};
use crate::machine::Pids;
use crate::quorate::{Api, Job, NODES, OAuthClient, Token};
use crate::report::{Label, MEDIAN_COLUMNS, Measured, Medians, Ratio, Report, goal, short};
use crate::settings::{Route, Settings};
use crate::{etcd, quorate};

/// Connections that fill a pool of tokens: enough to be quick about it.
const FILLERS: usize = 128;

/// The operations of a row, and what they are compared with.
const OPS: [(&str, &str); 3] = [("issue", "put"), ("introspect", "get"), ("revoke", "put")];

/// All runs of one operation, ours and etcd's, in pairs.
struct Row {
    clients: usize,
    route: Route,
    op: &'static str,
    peer: &'static str,
    ours: Vec<Measured>,
    etcd: Vec<Measured>,
}

pub async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut rows = Vec::new();
    for clients in &settings.clients {
        for route in &settings.routes {
            rows.extend(one_state(settings, *clients, *route, report).await?);
        }
    }
    for row in &rows {
        row.record(report)?;
    }
    let columns =
        format!("clients | to | op | {MEDIAN_COLUMNS} | etcd op | {MEDIAN_COLUMNS} | req/s ratio | p50 ratio | goal");
    let cells: Vec<String> = rows.iter().map(Row::cells).collect();
    report.table("Three nodes beside three etcd nodes", &columns, &cells)
}

/// All rows of one number of clients and one route, on fresh clusters.
async fn one_state(settings: &Settings, clients: usize, route: Route, report: &mut Report) -> Result<Vec<Row>> {
    let mut ours = match &settings.quorate {
        Some(binary) => Some(Ours::start(binary, settings).await?),
        None => None,
    };
    let etcd = match &settings.etcd {
        Some(binary) => {
            let cluster = etcd::Cluster::start(binary, &settings.work).await?;
            cluster.seed(settings.pool).await?;
            Some(cluster)
        }
        None => None,
    };
    let mut rows: Vec<Row> = OPS
        .map(|(op, peer)| Row { clients, route, op, peer, ours: Vec::new(), etcd: Vec::new() })
        .into_iter()
        .collect();
    let pids = |servers: Vec<u32>, idle: Vec<u32>| Pids { servers, idle };
    let our_pids = ours.as_ref().map(|ours| ours.cluster.pids()).unwrap_or_default();
    let etcd_pids = etcd.as_ref().map(etcd::Cluster::pids).unwrap_or_default();
    for run in 0..settings.runs {
        let label =
            |system| Label { suite: "compare", system, route: route.name(), clients, run, state: String::new() };
        let plan = |pids| Plan {
            clients,
            threads: settings.threads,
            warmup: settings.warmup,
            measure: settings.measure,
            pids,
        };
        for row in &mut rows {
            let order = if run % 2 == 0 { ["quorate", "etcd"] } else { ["etcd", "quorate"] };
            for system in order {
                if let (Some(ours), "quorate") = (&mut ours, system) {
                    let plan = plan(pids(our_pids.clone(), etcd_pids.clone()));
                    let measured = ours.measure(row.op, route, &plan, &label("quorate")).await?;
                    report.measured(&measured)?;
                    row.ours.push(measured);
                }
                if let (Some(cluster), "etcd") = (&etcd, system) {
                    let targets = match route {
                        Route::Spread => (0..NODES).collect(),
                        Route::Leader => vec![cluster.leader().await?],
                    };
                    let (job, op) = if row.peer == "get" {
                        (etcd::Job::Get { keys: settings.pool }, 1)
                    } else {
                        (etcd::Job::Put, 0)
                    };
                    let done = load::run(cluster.load(&targets, job), &plan(pids(etcd_pids.clone(), our_pids.clone())))
                        .await?;
                    let measured = Measured::of(&label("etcd"), row.peer, op, &done);
                    report.measured(&measured)?;
                    row.etcd.push(measured);
                }
            }
        }
    }
    Ok(rows)
}

/// Our cluster with its one client and the tokens that introspection asks for.
struct Ours {
    cluster: quorate::Cluster,
    clients: Arc<[OAuthClient]>,
    pool: Arc<[Token]>,
    threads: usize,
    /// The rate of the last issue run, to guess how many tokens a revoke run needs.
    issue_rate: f64,
}

impl Ours {
    async fn start(binary: &std::path::Path, settings: &Settings) -> Result<Self> {
        let cluster = quorate::Cluster::start(binary, &settings.work).await?;
        let clients: Arc<[OAuthClient]> = Arc::from([cluster.register("bench").await?]);
        let mut ours = Self { cluster, clients, pool: Arc::default(), threads: settings.threads, issue_rate: 0.0 };
        ours.pool = fill(&ours.cluster, &ours.clients, settings.pool as u64, 1, ours.threads).await?;
        Ok(ours)
    }

    async fn measure(&mut self, op: &str, route: Route, plan: &Plan, label: &Label) -> Result<Measured> {
        let (job, index) = match op {
            "issue" => (Job::issue(), Api::ISSUE),
            "introspect" => (Job::Introspect(Arc::clone(&self.pool)), Api::INTROSPECT),
            _ => {
                let seconds = (plan.warmup + plan.measure).as_secs_f64();
                // Revoking may be faster than issuing was; what is left over stays live and harms nobody.
                let needed = (self.issue_rate * seconds * 2.0) as u64 + 1000;
                (Job::revoke(fill(&self.cluster, &self.clients, needed, 1, self.threads).await?), Api::REVOKE)
            }
        };
        let targets = match route {
            Route::Spread => (0..NODES).collect(),
            Route::Leader => vec![self.cluster.leader().await?],
        };
        let done = load::run(self.cluster.load(&targets, &self.clients, job), plan).await?;
        let measured = Measured::of(label, op, index, &done);
        if op == "issue" {
            self.issue_rate = measured.rps;
        }
        Ok(measured)
    }
}

/// Gets exactly so many tokens for these clients, on all nodes, and keeps one in `keep` of them.
pub async fn fill(
    cluster: &quorate::Cluster,
    clients: &Arc<[OAuthClient]>,
    tokens: u64,
    keep: u64,
    threads: usize,
) -> Result<Arc<[Token]>> {
    // Nothing as slow as ten a second is worth waiting for.
    let limit = std::time::Duration::from_secs(60 + tokens / 10);
    let plan =
        Plan { clients: FILLERS, threads, warmup: std::time::Duration::ZERO, measure: limit, pids: Pids::default() };
    let load = cluster.load(&[0, 1, 2], clients, Job::issue_exactly(tokens, keep));
    let done = load::run(load, &plan).await?;
    let issued = done.requests() as u64;
    anyhow::ensure!(
        issued == tokens,
        "only {issued} of {tokens} tokens were issued; first error: {:?}",
        done.first_error
    );
    if let Some(error) = &done.first_error {
        eprintln!("         {} errors while {tokens} tokens were issued, the first: {error}", done.errors);
    }
    Ok(done.harvest.into_iter().flatten().collect())
}

impl Row {
    fn ratios(&self) -> (Option<Ratio>, Option<Ratio>) {
        let pairs = || self.ours.iter().zip(&self.etcd);
        let rate = Ratio::of(pairs().map(|(ours, etcd)| (ours.rps, etcd.rps)));
        let latency = Ratio::of(pairs().map(|(ours, etcd)| (f64::from(ours.p50_us), f64::from(etcd.p50_us))));
        (rate, latency)
    }

    /// The goals of the design that this row can show.
    fn goal(&self) -> String {
        match (self.op, self.clients, self.ratios()) {
            ("issue" | "introspect", 64, (Some(rate), _)) => goal("≥ 2 × etcd", rate.median >= 2.0),
            ("issue", 1, (_, Some(latency))) => goal("p50 ≤ etcd's", latency.median <= 1.0),
            _ => String::new(),
        }
    }

    fn record(&self, report: &mut Report) -> Result<()> {
        let (Some(rate), Some(latency)) = self.ratios() else {
            return Ok(());
        };
        let line = serde_json::json!({
            "op": self.op, "peer_op": self.peer, "route": self.route.name(), "clients": self.clients,
            "rps_ratio": rate.median, "rps_ratio_least": rate.least, "rps_ratio_most": rate.most, "p50_ratio": latency.median,
        });
        report.record("ratio", &line)
    }

    fn cells(&self) -> String {
        let side = |runs: &[Measured]| {
            if runs.is_empty() { "– | – | – | – | – | –".to_owned() } else { Medians::of(runs).cells() }
        };
        let (rate, latency) = self.ratios();
        format!(
            "{} | {} | {} | {} | {} | {} | {} | {} | {}",
            self.clients,
            self.route.name(),
            self.op,
            side(&self.ours),
            self.peer,
            side(&self.etcd),
            rate.map_or_else(|| "–".to_owned(), |ratio| ratio.to_string()),
            latency.map_or_else(|| "–".to_owned(), |ratio| short(ratio.median)),
            self.goal()
        )
    }
}
