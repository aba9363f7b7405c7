//! The leader is killed: how long until a write succeeds elsewhere?
//!
//! Every 10 ms one write is sent to each survivor, however many are still unanswered; the first success ends the trial.
//! So neither a server that refuses at once nor one that lets requests wait is at an advantage. The clock starts just
//! before the signal.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::quorate::{NODES, READY_LIMIT, issues};
use crate::report::{Report, goal, median, short};
use crate::settings::Settings;
use crate::{etcd, quorate};

/// Between two writes to the same survivor.
const EVERY: Duration = Duration::from_millis(10);
/// A trial that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(60);
/// Writes under way at most.
const OUTSTANDING: usize = 1000;

#[derive(Serialize)]
struct Trial {
    system: &'static str,
    trial: usize,
    ms_to_first_write: f64,
    writes_sent: usize,
}

pub async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut ours = match &settings.quorate {
        Some(binary) => {
            let cluster = quorate::Cluster::start(binary, &settings.work).await?;
            let client = cluster.register("bench").await?;
            Some((cluster, client))
        }
        None => None,
    };
    let mut etcd = match &settings.etcd {
        Some(binary) => Some(etcd::Cluster::start(binary, &settings.work).await?),
        None => None,
    };
    let mut trials = Vec::new();
    for trial in 0..settings.trials {
        if let Some((cluster, client)) = &mut ours {
            let leader = cluster.leader().await?;
            let addresses = cluster.addresses();
            let survivors: Vec<_> =
                (0..NODES).filter(|node| *node != leader).filter_map(|node| addresses.get(node).copied()).collect();
            for survivor in &survivors {
                // Also makes the survivor check the client's secret, which is slow the first time after a start.
                ensure!(issues(*survivor, client).await, "{survivor} issued no token before the leader was killed");
            }
            let killed = Instant::now();
            cluster.kill(&[leader])?;
            let probe = |survivor: usize| {
                let (node, client) = (survivors.get(survivor).copied(), client.clone());
                async move {
                    match node {
                        Some(node) => issues(node, &client).await,
                        None => false,
                    }
                }
            };
            let (taken, writes_sent) =
                first_success(killed, survivors.len(), probe).await.context("Quorate after its leader's death")?;
            trials.push(Trial::new("quorate", trial, taken, writes_sent, report)?);
            cluster.reap(&[leader])?;
            cluster.restart(&[leader], READY_LIMIT).await?;
        }
        if let Some(cluster) = &mut etcd {
            let leader = cluster.leader().await?;
            let mut survivors = Vec::new();
            for (_, endpoint) in cluster.endpoints().iter().enumerate().filter(|(node, _)| *node != leader) {
                survivors.push(etcd::writer(endpoint).await?);
            }
            let killed = Instant::now();
            cluster.kill(leader)?;
            let probe = |survivor: usize| {
                let client = survivors.get(survivor).cloned();
                async move {
                    match client {
                        Some(mut client) => client.put("failover", "x", None).await.is_ok(),
                        None => false,
                    }
                }
            };
            let (taken, writes_sent) =
                first_success(killed, survivors.len(), probe).await.context("etcd after its leader's death")?;
            trials.push(Trial::new("etcd", trial, taken, writes_sent, report)?);
            cluster.reap(leader)?;
            cluster.restart(&[leader]).await?;
        }
    }
    let of = |system: &str| -> Vec<f64> {
        trials.iter().filter(|trial| trial.system == system).map(|trial| trial.ms_to_first_write).collect()
    };
    let (ours, etcd) = (of("quorate"), of("etcd"));
    let row = |name: &str, taken: &[f64], last: &str| {
        let each: Vec<String> = taken.iter().map(|ms| format!("{ms:.0}")).collect();
        format!("{name} | {} | {:.0} | {last}", each.join(", "), median(taken.iter().copied()))
    };
    let mut rows = Vec::new();
    if !ours.is_empty() {
        let mut last = " | ".to_owned();
        if !etcd.is_empty() {
            let ratio = median(ours.iter().copied()) / median(etcd.iter().copied()).max(0.1);
            last = format!("**{}** | {}", short(ratio), goal("≤ 0.5 × etcd", ratio <= 0.5));
        }
        rows.push(row("Quorate", &ours, &last));
    }
    if !etcd.is_empty() {
        rows.push(row("etcd", &etcd, " | "));
    }
    report.table(
        "Leader killed (SIGKILL) → first write accepted elsewhere",
        "system | ms, each trial | median | ratio | goal",
        &rows,
    )
}

impl Trial {
    fn new(
        system: &'static str,
        trial: usize,
        taken: Duration,
        writes_sent: usize,
        report: &mut Report,
    ) -> Result<Self> {
        let trial = Self { system, trial, ms_to_first_write: taken.as_secs_f64() * 1e3, writes_sent };
        eprintln!("{system:8} leader killed, trial {}: {:.0} ms", trial.trial, trial.ms_to_first_write);
        report.record("failover", &trial)?;
        Ok(trial)
    }
}

/// Sends writes to the survivors until one succeeds. Returns the time since `killed` and how many were sent.
async fn first_success<F: Future<Output = bool> + Send + 'static>(
    killed: Instant,
    survivors: usize,
    probe: impl Fn(usize) -> F,
) -> Result<(Duration, usize)> {
    let mut under_way = JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    let mut sent = 0;
    while killed.elapsed() < LIMIT {
        tokio::select! {
            Some(done) = under_way.join_next() => if done? { return Ok((killed.elapsed(), sent)) },
            _ = ticks.tick() => for survivor in 0..survivors {
                if under_way.len() < OUTSTANDING {
                    under_way.spawn(probe(survivor));
                    sent += 1;
                }
            },
        }
    }
    bail!("no write succeeded within {LIMIT:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_success_counts_whether_writes_are_refused_or_wait() {
        let start = Instant::now();
        let back = start + Duration::from_millis(120);
        // Survivor 0 refuses at once until it is back; survivor 1 never answers.
        let probe = move |survivor: usize| async move {
            if survivor == 1 {
                std::future::pending::<()>().await;
            }
            Instant::now() >= back
        };
        let (taken, sent) = first_success(start, 2, probe).await.unwrap();
        assert!(taken >= Duration::from_millis(120) && taken < Duration::from_secs(5), "{taken:?}");
        assert!(sent >= 4);

        // Every write waits, and the very first one is answered in the end.
        let start = Instant::now();
        let waiting = move |_| async move {
            tokio::time::sleep_until((start + Duration::from_millis(60)).into()).await;
            true
        };
        let (taken, _) = first_success(start, 2, waiting).await.unwrap();
        assert!(taken >= Duration::from_millis(60) && taken < Duration::from_secs(5), "{taken:?}");
    }
}
