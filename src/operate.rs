//! `quorate cluster …`: what an operator asks of a running cluster, over the peer port of any of its nodes, with a
//! certificate of the cluster's CA; and what is done to backups without one.

use crate::cli::{Cluster, Exit, Target};
use quorate_cluster::{
    ClusterId, Health, Role, Security,
    admin::{AdminError, Client},
    backup::{self, NewCluster, Summary},
};
use quorate_raft::store::Peer;
use serde_json::json;
use std::fmt::Write as _;

/// Runs one subcommand and reports on standard output or error.
pub fn run(command: &Cluster) -> Exit {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(perform(command)) {
        Ok(report) => {
            println!("{report}");
            Exit::Done
        }
        Err(error) => failed(&*error),
    }
}

fn failed(error: &dyn std::error::Error) -> Exit {
    eprintln!("quorate: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
    Exit::Failed
}

type Outcome = Result<String, Box<dyn std::error::Error>>;

async fn connect(target: &Target) -> Result<Client, AdminError> {
    let security = match (&target.ca, &target.cert, &target.key) {
        (Some(ca), Some(cert), Some(key)) => Security::Mtls { ca: ca.clone(), cert: cert.clone(), key: key.clone() },
        // Refused by the transport unless the address is on this machine.
        _ => Security::PlaintextLoopback,
    };
    Client::connect(&target.peer, &security).await
}

async fn perform(command: &Cluster) -> Outcome {
    match command {
        Cluster::Status { target, json } => {
            let status = connect(target).await?.status().await?;
            Ok(if *json { as_json(&status.health) } else { as_text(&status.health) })
        }
        Cluster::Add { target, node, address } => {
            let peer = Peer { addr: address.to_string(), http: String::new() };
            connect(target).await?.add(*node, peer).await?;
            Ok(format!("node {node} is a learner; promote it when it has caught up"))
        }
        Cluster::Promote { target, node } => {
            connect(target).await?.promote(*node).await?;
            Ok(format!("node {node} votes"))
        }
        Cluster::Remove { target, node } => {
            connect(target).await?.remove(*node).await?;
            Ok(format!("node {node} is no member any more; its id must not be used again"))
        }
        Cluster::TransferLeader { target, node } => {
            let client = connect(target).await?;
            client.transfer_leader(*node).await?;
            Ok("leadership was handed over".to_owned())
        }
        Cluster::Backup { target, file } => {
            let client = connect(target).await?;
            Ok(summary("written", &client.backup(file).await?))
        }
        Cluster::Verify { file } => Ok(summary("whole", &backup::verify(file)?)),
        Cluster::Restore { file, node } => restore(file, node).await,
    }
}

async fn restore(file: &std::path::Path, node: &crate::cli::Serve) -> Outcome {
    let config = crate::config::Config::load(&node.sources())
        .map_err(|bad| bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let peer = Peer { addr: config.peers.listen.to_string(), http: config.base_url() };
    let new = NewCluster { cluster: ClusterId(crate::host::random_id()), node_id: config.node_id, peer };
    let restored = backup::restore(file, &config.data_dir, new).await?;
    let next = format!("start node {} on {} and add the others to it", config.node_id, config.data_dir.display());
    Ok(format!("{}\n{next}", summary("restored; tokens and sessions of the old cluster are dead", &restored)))
}

/// What a backup holds, in a line.
fn summary(what: &str, summary: &Summary) -> String {
    let Summary { index, at, parts, bytes, .. } = summary;
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap_or(i64::MAX)).unwrap_or_default();
    format!("{what}: entry {index} of {at:.0}, {parts} parts, {bytes} bytes")
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Learner => "learner",
    }
}

fn as_text(health: &Health) -> String {
    let mut text = String::new();
    let reason = health.reason.map_or("", |reason| reason.label());
    let ready = if health.ready { "ready" } else { "not ready" };
    let leader = health.leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
    // Writing to a String does not fail.
    let _ = writeln!(text, "node {} is {ready} {reason}; leader {leader}, term {}", health.id, health.term);
    let _ = writeln!(text, "log {}, committed {}, applied {}", health.last_log, health.committed, health.applied);
    for member in &health.members {
        let matched = member.matched.map_or_else(String::new, |index| format!(", has {index}"));
        let _ = writeln!(text, "  {:>3}  {:<8} {}{matched}", member.id, role(member.role), member.peer.addr);
    }
    text.truncate(text.trim_end().len());
    text
}

fn as_json(health: &Health) -> String {
    let members: Vec<_> = health
        .members
        .iter()
        .map(|m| json!({ "id": m.id, "role": role(m.role), "peer": m.peer.addr, "http": m.peer.http, "matched": m.matched }))
        .collect();
    json!({
        "id": health.id, "ready": health.ready, "reason": health.reason.map(|reason| reason.label()),
        "leader": health.leader, "term": health.term, "lastLog": health.last_log, "committed": health.committed,
        "applied": health.applied, "lag": health.lag, "members": members,
    })
    .to_string()
}
