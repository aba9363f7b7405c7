//! Nodes stop, vanish, freeze and come back.

use crate::harness::{
    Cluster, PATIENCE, active, fill, is_unavailable, issue, must_issue, plaintext, revoke, small_log,
};
use quorate_cluster::{ProposeError, ReadError, Reason};
use quorate_raft::Outcome;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Goal: a leader that stops hands over first, so hardly anybody notices.
#[tokio::test]
async fn a_leader_that_stops_hands_over() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    must_issue(cluster.node(leader), 1).await;
    let begun = Instant::now();
    cluster.stop(leader).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "stopping took {:?}", begun.elapsed());
    let heir = cluster.leader().await;
    assert_ne!(heir, leader);
    must_issue(cluster.node(heir), 2).await;
    cluster.start(leader).await.expect("the directory is free after a stop");
    cluster.assert_everywhere(1, true).await;
    cluster.assert_everywhere(2, true).await;
}

/// Goal: a leader's death costs a moment and nothing that was acknowledged (G1); whoever was waiting is served by the next.
#[tokio::test]
async fn proposals_survive_the_leaders_death() {
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    let clients: Vec<_> = others
        .iter()
        .map(|id| {
            let first = id * 1000;
            cluster.on(*id, move |node| async move {
                let (mut n, begun) = (first, Instant::now());
                while begun.elapsed() < Duration::from_secs(4) {
                    must_issue(&node, n).await; // the death below happens inside one of these
                    n += 1;
                }
                first..n
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.kill(leader);
    for client in clients {
        let issued = client.await.expect("every token is issued");
        assert!(issued.end - issued.start > 10, "{issued:?}");
        for n in issued {
            cluster.assert_everywhere(n, true).await;
        }
    }
    cluster.restart(leader).await;
    cluster.until(leader, "ready again", |health| health.ready).await;
    cluster.assert_everywhere(others[0] * 1000, true).await;
}

/// Goal: a leader whose process ended is succeeded at once, long before its word would have run out.
#[tokio::test]
async fn a_dead_leader_is_succeeded_at_once() {
    let mut cluster = Cluster::with(3, plaintext, |settings| {
        settings.timing.election_min = Duration::from_secs(4);
        settings.timing.election_max = Duration::from_secs(5);
        settings.timing.propose = Duration::from_secs(8);
    })
    .await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    must_issue(cluster.node(follower), 1).await;
    let begun = Instant::now();
    cluster.kill(leader);
    must_issue(cluster.node(follower), 2).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    cluster.assert_everywhere(1, true).await;
}

/// Goal: a frozen leader is succeeded within a second and a half, because it says nothing.
#[tokio::test]
async fn a_frozen_leader_is_succeeded_in_time() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let frozen = cluster.freeze(leader);
    let begun = Instant::now();
    must_issue(cluster.node(follower), 1).await;
    let took = begun.elapsed();
    drop(frozen);
    assert!(took > Duration::from_millis(300), "it was not deposed rashly: {took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}"); // 1.5 s on a machine that has time
    cluster.until(leader, "back", |health| health.ready).await;
    cluster.assert_everywhere(1, true).await;
}

/// Goal: all killed at once, and everything acknowledged is there (G1).
#[tokio::test]
async fn everything_is_there_after_all_were_killed() {
    let mut cluster = Cluster::of(3).await;
    for n in 0..50 {
        must_issue(cluster.node(1 + n % 3), n).await;
    }
    for id in 1..=3 {
        cluster.kill(id);
    }
    for id in 1..=3 {
        cluster.restart(id).await;
    }
    for id in 1..=3 {
        cluster.until(id, "ready", |health| health.ready).await;
    }
    for n in 0..50 {
        cluster.assert_everywhere(n, true).await;
    }
}

/// Goal: without a quorum nothing is answered that could be wrong (G7), and all is well when one comes back.
#[tokio::test]
async fn two_of_three_down_is_unavailable_and_heals_by_itself() {
    let mut cluster = Cluster::of(3).await;
    must_issue(cluster.node(1), 1).await;
    let follower = cluster.follower().await;
    let survivor = cluster.ids().into_iter().find(|id| *id != follower).expect("three");
    for id in cluster.ids() {
        if id != survivor {
            cluster.kill(id);
        }
    }
    let begun = Instant::now();
    let node = cluster.node(survivor);
    let (written, read) = tokio::join!(node.propose(issue(2)), node.read_barrier());
    assert!(is_unavailable(&written), "{written:?}");
    assert_eq!(read, Err(ReadError::NoQuorum));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let health = cluster.until(survivor, "not ready", |health| !health.ready).await;
    assert!(matches!(health.reason, Some(Reason::NoQuorum | Reason::NoLeader)), "{health:?}");
    assert!(health.live, "a restart would not help");
    assert_eq!(cluster.node(survivor).propose(issue(3)).await, Err(ProposeError::NoQuorum), "never handed to anybody");

    cluster.restart(follower).await;
    cluster.until(survivor, "ready", |health| health.ready).await;
    must_issue(cluster.node(survivor), 4).await;
    cluster.assert_everywhere(1, true).await;
    cluster.assert_everywhere(3, false).await;
    cluster.assert_everywhere(4, true).await;
}

/// Goal: a leader that was frozen while another took over does not answer from its old state (G3), whether the read began
/// before it woke or after.
#[tokio::test]
async fn a_leader_that_wakes_up_deposed_does_not_show_a_revoked_token() {
    let cluster = Cluster::of(3).await;
    let old = cluster.leader().await;
    must_issue(cluster.node(old), 1).await;
    let frozen = cluster.freeze(old);
    let other = cluster.ids().into_iter().find(|id| *id != old).expect("three");
    let revoked = timeout(PATIENCE, async {
        loop {
            match cluster.node(other).propose(revoke(1)).await {
                Ok(outcome) => return outcome,
                Err(ProposeError::NoQuorum | ProposeError::Unknown) => {}
                Err(e) => panic!("{e}"),
            }
        }
    });
    assert_eq!(revoked.await, Ok(Outcome::Done));
    assert!(active(cluster.node(old), 1), "the frozen node has not heard of it");

    let node = cluster.node(old).clone();
    let reader = tokio::spawn(async move {
        let barrier = node.read_barrier().await;
        (barrier, active(&node, 1))
    });
    cluster.until(old, "aware that it heard from nobody, even while frozen", |health| !health.ready).await;
    drop(frozen);
    let (barrier, seen) = reader.await.expect("no panic");
    assert!(barrier.is_err() || !seen, "a revoked token was seen as active");
    cluster.until(old, "following", |health| health.ready).await;
    cluster.assert_everywhere(1, false).await;
}

/// Goal: who lags behind the log's beginning is helped by a snapshot, while writes go on.
#[tokio::test]
async fn a_node_that_lags_gets_a_snapshot() {
    let mut cluster = Cluster::with(3, plaintext, small_log).await;
    let laggard = cluster.follower().await;
    cluster.kill(laggard);
    let leader = cluster.leader().await;
    let behind = cluster.node(leader).health().last_log;
    let next = fill(cluster.node(leader), 0, behind + 1200).await;
    cluster.until(leader, "purged", |health| health.purged > behind).await;
    cluster.restart(laggard).await;
    must_issue(cluster.node(leader), next).await;
    let health = cluster.until(laggard, "caught up", |health| health.ready && health.lag == 0).await;
    assert!(health.snapshot > behind, "it was caught up by a snapshot: {health:?}");
    for n in [0, next / 2, next] {
        cluster.assert_everywhere(n, true).await;
    }
    cluster.kill(laggard);
    cluster.restart(laggard).await;
    cluster.until(laggard, "back from its snapshot", |health| health.ready).await;
    cluster.assert_everywhere(next, true).await;
}
