//! All nodes up.

use crate::harness::{Cluster, active, issue, issue_for, must_issue, now, revoke};
use quorate_cluster::{Operation, ProposeError, ReadError, Role};
use quorate_raft::{
    Command, Draft, Kind, Outcome, Precondition, ProposalId, RealmPath, Refusal, Span, Stamp, Write,
    documents::{Change, DocumentKey, WriteDocuments},
    limits::DRAFT_WINDOW_MS,
};
use std::sync::Arc;

/// Goal: what any node answered, every node knows (G2), and it is told where everybody is.
#[tokio::test]
async fn a_token_issued_anywhere_is_active_everywhere_until_it_is_revoked_anywhere() {
    let cluster = Cluster::of(3).await;
    for (id, other) in [(1, 2), (2, 3), (3, 1)] {
        must_issue(cluster.node(id), id).await;
        assert!(active(cluster.node(id), id), "the answer waited for the local apply");
        cluster.assert_everywhere(id, true).await;
        assert_eq!(cluster.node(other).propose(revoke(id)).await, Ok(Outcome::Done));
        cluster.assert_everywhere(id, false).await;
    }
    let health = cluster
        .until(1, "told all addresses", |health| health.members.iter().all(|member| !member.peer.http.is_empty()))
        .await;
    let members: Vec<_> = health.members.iter().map(|m| (m.id, m.role, m.peer.http.as_str())).collect();
    let voter = Role::Voter;
    assert_eq!(members, [(1, voter, "http://node-1"), (2, voter, "http://node-2"), (3, voter, "http://node-3")]);
}

/// Goal: a node alone is a cluster.
#[tokio::test]
async fn one_node_is_enough_if_there_is_one() {
    let mut cluster = Cluster::of(1).await;
    must_issue(cluster.node(1), 1).await;
    cluster.assert_everywhere(1, true).await;
    cluster.stop(1).await;
    cluster.start(1).await.expect("the directory is free after a stop");
    cluster.assert_everywhere(1, true).await;
}

/// Goal: a node that is alone reads without asking anybody only as long as it is alone (G2): with a second voter that does not
/// answer, its barrier does not pass.
#[tokio::test]
async fn one_of_two_does_not_read_alone() {
    let mut cluster = Cluster::of(1).await;
    must_issue(cluster.node(1), 1).await;
    cluster.node(1).read_barrier().await.expect("alone");
    let settings = cluster.newcomer(2);
    let peer = settings.me.clone();
    cluster.start_with(settings).await.expect("starts");
    for operation in [Operation::Add { id: 2, peer }, Operation::Promote { id: 2 }] {
        cluster.node(1).admin(operation).await.expect("done");
        cluster.assert_everywhere(1, true).await;
    }
    cluster.kill(2);
    assert_eq!(cluster.node(1).read_barrier().await, Err(ReadError::NoQuorum));
    cluster.restart(2).await;
    cluster.assert_everywhere(1, true).await;
}

/// Goal: a repeated proposal gets its first answer (G4, C-2), at whichever node it is repeated.
#[tokio::test]
async fn a_repeated_id_gets_its_first_answer() {
    let cluster = Cluster::of(3).await;
    let key = DocumentKey::new(&RealmPath::root(), Kind::User, "alice");
    let change = Change::Put { body: b"{}".as_slice().into(), references: Vec::new(), fence: false };
    let create = WriteDocuments(vec![Write { key: key.clone(), when: Precondition::Absent, change }]);
    let deadline = now() + Span::from_secs(60);
    let draft = |id| Draft { id: ProposalId(id), deadline, command: Command::WriteDocuments(create.clone()) };

    let first = cluster.node(1).propose_draft(draft(1)).await.expect("a quorum");
    assert!(matches!(first, Outcome::Written(_)), "{first:?}");
    for id in cluster.ids() {
        assert_eq!(cluster.node(id).propose_draft(draft(1)).await, Ok(first.clone()));
    }
    let other = cluster.node(2).propose_draft(draft(2)).await;
    assert_eq!(other, Ok(Outcome::Refused(Refusal::Exists(key))));
}

/// Goal: a copy that comes after its deadline has no effect, and says so (G3; ADR 9).
#[tokio::test]
async fn a_copy_after_its_deadline_has_no_effect() {
    let cluster = Cluster::of(3).await;
    let draft = cluster.node(1).draft(issue(1));
    let late = Draft { deadline: now(), ..draft.clone() };
    let far = Draft { deadline: draft.deadline + Span(DRAFT_WINDOW_MS), ..draft.clone() };
    for id in cluster.ids() {
        for untimely in [&late, &far] {
            let answer = cluster.node(id).propose_draft(untimely.clone()).await;
            assert_eq!(answer, Ok(Outcome::Refused(Refusal::Untimely)));
        }
    }
    cluster.assert_everywhere(1, false).await;
    assert!(matches!(cluster.node(2).propose_draft(draft).await, Ok(Outcome::Issued { .. })));
    cluster.assert_everywhere(1, true).await;
}

/// Goal: nodes whose clocks are ten minutes apart serve all the same, whoever leads: the log sets their reckoning right.
#[tokio::test]
async fn wrong_clocks_are_set_right_by_the_log() {
    const OFF: Span = Span::from_secs(600);
    let mut cluster = Cluster::with(3, crate::harness::plaintext, |settings| {
        settings.clock = match settings.node_id {
            1 => Arc::new(|| now() + OFF),
            2 => Arc::new(|| Stamp(now().0 - OFF.0)),
            _ => Arc::new(now),
        };
    })
    .await;
    for id in cluster.ids() {
        must_issue(cluster.node(id), id).await;
    }
    let leader = cluster.leader().await;
    cluster.stop(leader).await;
    for id in cluster.ids() {
        cluster.until(id, "ready", |health| health.ready).await;
        must_issue(cluster.node(id), 10 + id).await;
        assert_eq!(cluster.node(id).propose(revoke(id)).await, Ok(Outcome::Done));
        cluster.assert_everywhere(id, false).await;
        cluster.assert_everywhere(10 + id, true).await;
    }
}

/// Goal: many clients at all nodes get their own answers, and share entries.
#[tokio::test]
async fn a_crowd_shares_entries_and_everyone_gets_their_own_answer() {
    let cluster = Cluster::of(3).await;
    let before = cluster.node(1).health().applied;
    let clients: Vec<_> = (0..64u64)
        .map(|client| {
            cluster.on(1 + client % 3, move |node| async move {
                for n in (0..20).map(|n| 1000 + client * 20 + n) {
                    must_issue(&node, n).await;
                    assert!(active(&node, n));
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("every token is issued");
    }
    for n in 1000..1000 + 64 * 20 {
        assert!(active(cluster.node(1), n) || cluster.node(1).health().lag > 0, "token {n}");
    }
    let entries = cluster.node(1).health().applied - before;
    assert!(entries < 64 * 20 / 2, "1280 proposals took {entries} entries");
}

/// Goal: what expires disappears while nobody calls, by the log's clock, everywhere (G6, G8).
#[tokio::test]
async fn the_leader_ticks_when_something_is_due() {
    let cluster = Cluster::of(3).await;
    let issued = cluster.node(1).propose(issue_for(1, Span(1500))).await;
    let Ok(Outcome::Issued { expires, .. }) = issued else { panic!("{issued:?}") };
    assert!(active(cluster.node(1), 1));
    for id in cluster.ids() {
        let node = cluster.node(id);
        cluster
            .until(id, "past the token's end, and rid of it", |_| node.log_time() >= expires && !active(node, 1))
            .await;
    }
    assert!(now() >= expires, "and so has the leader's");
    let at = cluster.node(1).health().applied;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(cluster.node(1).health().applied, at, "nothing is due, so nothing is written");
}

/// Goal: what is too large is turned away at once, and what is too much as well (C-7).
#[tokio::test]
async fn bounds_are_kept_at_the_door() {
    let cluster = Cluster::with(1, crate::harness::plaintext, |settings| settings.limits.in_flight = 4).await;
    let body = vec![b' '; quorate_raft::limits::MAX_DRAFT_BYTES];
    let change = Change::Put { body: body.into(), references: Vec::new(), fence: false };
    let key = DocumentKey::new(&RealmPath::root(), Kind::User, "large");
    let large = Command::WriteDocuments(WriteDocuments(vec![Write { key, when: Precondition::Any, change }]));
    assert_eq!(cluster.node(1).propose(large).await, Err(ProposeError::TooLarge));

    let frozen = cluster.freeze(1);
    let node = cluster.node(1).clone();
    let waiting: Vec<_> = (0..4)
        .map(|n| {
            let node = node.clone();
            tokio::spawn(async move { node.propose(issue(n)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    while node.propose(revoke(99)).await != Err(ProposeError::Overloaded) {}
    drop(frozen);
    for answer in waiting {
        assert!(matches!(answer.await.expect("no panic"), Ok(Outcome::Issued { .. })));
    }
}
