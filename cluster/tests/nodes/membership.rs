//! Nodes come and go.

use crate::harness::{Cluster, fill, must_issue, plaintext, small_log};
use quorate_cluster::{AdminError, ClusterId, Member, Operation, Role, Security, admin::Client};
use std::time::Duration;

/// Goal: a cluster grows and shrinks under an operator's hands, through any node, without losing anything.
#[tokio::test]
async fn a_node_is_added_promoted_and_removed() {
    let mut cluster = Cluster::with(3, plaintext, small_log).await;
    must_issue(cluster.node(1), 1).await;
    fill(cluster.node(1), 100, 700).await;
    cluster.until(1, "purged", |health| health.purged > 0).await;

    let follower = cluster.follower().await;
    let settings = cluster.newcomer(4);
    let peer = settings.me.clone();
    cluster.start_with(settings).await.expect("starts");
    assert!(!cluster.node(4).health().ready, "it belongs to nobody yet");
    let operator = Client::connect(&cluster.addr(follower), &Security::PlaintextLoopback).await.expect("connects");
    assert_eq!(operator.add(4, peer.clone()).await, Ok(()));
    assert!(matches!(operator.add(4, peer.clone()).await, Err(AdminError::Refused(_))), "twice");
    assert!(matches!(operator.add(5, peer).await, Err(AdminError::Refused(_))), "one address, two ids");
    cluster.until(4, "ready", |health| health.ready).await;
    cluster.assert_everywhere(1, true).await;
    assert_eq!(cluster.node(4).cluster(), cluster.node(1).cluster());

    assert_eq!(operator.promote(4).await, Ok(()));
    let leader = cluster.leader().await;
    let role = |health: &quorate_cluster::Health, id| health.members.iter().find(|m| m.id == id).map(|m| m.role);
    cluster.until(leader, "aware of a voter", |health| role(health, 4) == Some(Role::Voter)).await;
    must_issue(cluster.node(4), 2).await;
    cluster.assert_everywhere(2, true).await;

    let gone = cluster.ids().into_iter().find(|id| *id != leader && *id != 4 && *id != follower);
    let gone = gone.unwrap_or(follower);
    assert_eq!(cluster.node(leader).admin(Operation::Remove { id: gone }).await.map(|_| ()), Ok(()));
    cluster.stop(gone).await;
    let health = cluster.until(leader, "rid of it", |health| role(health, gone).is_none()).await;
    assert_eq!(health.members.len(), 3);
    must_issue(cluster.node(4), 3).await;
    cluster.assert_everywhere(3, true).await;
}

/// Goal: a leader can be removed; another one leads.
#[tokio::test]
async fn a_leader_is_removed() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let removed = cluster.node(follower).admin(Operation::Remove { id: leader }).await;
    assert_eq!(removed.map(|_| ()), Ok(()));
    cluster.until(follower, "led by another", |health| health.leader.is_some_and(|now| now != leader)).await;
    cluster.stop(leader).await;
    must_issue(cluster.node(follower), 1).await;
    cluster.assert_everywhere(1, true).await;
}

/// Goal: leadership goes where it is told to go, and impossible operations change nothing.
#[tokio::test]
async fn leadership_is_transferred() {
    let cluster = Cluster::of(3).await;
    let heir = cluster.follower().await;
    let operator = Client::connect(&cluster.addr(heir), &Security::PlaintextLoopback).await.expect("connects");
    assert_eq!(operator.transfer_leader(Some(heir)).await, Ok(()));
    assert_eq!(cluster.leader().await, heir);
    assert_eq!(operator.transfer_leader(None).await, Ok(()));
    assert_ne!(cluster.leader().await, heir);
    for impossible in [
        Operation::Add { id: 0, peer: cluster.settings(1).me },
        Operation::Promote { id: 9 },
        Operation::Remove { id: 9 },
        Operation::TransferLeader { to: Some(9) },
    ] {
        let answer = operator.ask(impossible.clone()).await;
        assert!(matches!(answer, Err(AdminError::Refused(_))), "{impossible:?}: {answer:?}");
    }
    let status = operator.status().await.expect("answers");
    assert_eq!(status.health.id, heir);
    assert_eq!(status.cluster, cluster.node(1).cluster());
    must_issue(cluster.node(1), 1).await;
}

/// Goal: operators who come at the same time are served one after the other.
#[tokio::test]
async fn changes_wait_for_each_other() {
    let mut cluster = Cluster::of(1).await;
    let mut operations = Vec::new();
    for id in 2..6 {
        let peer = cluster.newcomer(id).me;
        operations.push(cluster.on(1, move |node| async move { node.admin(Operation::Add { id, peer }).await }));
    }
    for operation in operations {
        assert_eq!(operation.await.expect("no panic").map(|_| ()), Ok(()));
    }
    assert_eq!(cluster.node(1).members().len(), 5);
}

/// Goal: the last voter stays.
#[tokio::test]
async fn the_last_voter_cannot_be_removed() {
    let cluster = Cluster::of(1).await;
    let removed = cluster.node(1).admin(Operation::Remove { id: 1 }).await;
    assert!(matches!(removed, Err(AdminError::Refused(_))), "{removed:?}");
}

/// Goal: the order of starting does not matter, not even if the first of the list never comes.
#[tokio::test]
async fn a_cluster_forms_without_its_first_member() {
    let mut cluster = Cluster::empty(3, plaintext, |_| {});
    cluster.start(3).await.expect("starts");
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.start(2).await.expect("starts");
    cluster.until(2, "ready", |health| health.ready).await;
    must_issue(cluster.node(3), 1).await;
    cluster.start(1).await.expect("starts");
    cluster.until(1, "ready", |health| health.ready).await;
    cluster.assert_everywhere(1, true).await;
}

/// Goal: every node derives the same cluster from the same list, and another one from another.
#[test]
fn a_cluster_id_depends_on_the_whole_list() {
    let of = |list: &[(u64, &'static str)]| ClusterId::of(list.iter().copied());
    assert_eq!(of(&[(1, "a:1"), (2, "b:2")]), of(&[(1, "a:1"), (2, "b:2")]));
    assert_ne!(of(&[(1, "a:1"), (2, "b:2")]), of(&[(1, "a:1"), (3, "b:2")]));
    assert_ne!(of(&[(1, "a:1"), (2, "b:2")]), of(&[(1, "a:1"), (2, "b:3")]));
    assert_eq!(of(&[(1, "a:1")]).to_string().len(), 32);
}

/// Goal: a node that comes back at another address is found there.
#[tokio::test]
async fn a_node_moves() {
    let mut cluster = Cluster::of(3).await;
    let mover = cluster.follower().await;
    must_issue(cluster.node(mover), 1).await;
    cluster.stop(mover).await;
    let before = cluster.addr(mover);
    let settings = cluster.newcomer(mover);
    let now_at = settings.me.addr.clone();
    assert_ne!(before, now_at);
    cluster.start_with(settings).await.expect("starts");
    let is_there = |member: &Member| member.id == mover && member.peer.addr == now_at;
    cluster.until(mover, "found", |health| health.ready && health.members.iter().any(is_there)).await;
    must_issue(cluster.node(mover), 2).await;
    cluster.assert_everywhere(1, true).await;
    cluster.assert_everywhere(2, true).await;
}

/// Goal: leadership is not handed to a node that is not there.
#[tokio::test]
async fn the_dead_inherit_nothing() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let dead = cluster.follower().await;
    cluster.kill(dead);
    tokio::time::sleep(cluster.settings(leader).timing.election_max * 3).await; // its last sign of life grows old
    let transferred = cluster.node(leader).admin(Operation::TransferLeader { to: Some(dead) }).await;
    assert!(matches!(transferred, Err(AdminError::Refused(_))), "{transferred:?}");
    must_issue(cluster.node(leader), 1).await;
    assert_eq!(cluster.node(leader).admin(Operation::TransferLeader { to: None }).await.map(|_| ()), Ok(()));
    let heir = cluster.leader().await;
    assert!(heir != leader && heir != dead);
    must_issue(cluster.node(heir), 2).await;
}
