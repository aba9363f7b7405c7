//! A cluster in a file, and a cluster out of a file.

use crate::harness::{Cluster, active, issue, must_issue, plaintext, revoke};
use quorate_cluster::{
    ClusterId, Security,
    admin::Client,
    backup::{BackupError, NewCluster, Summary, restore, verify},
};
use quorate_raft::{
    Command, GrantId, Kind, Outcome, Precondition, RealmPath, Span, Stamp, Write,
    documents::{Change, DocumentKey, WriteDocuments},
    grant_sets::RevokeGrant,
};
use std::{fs, path::Path};

fn alice() -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::User, "alice")
}

fn write_alice(when: Precondition) -> Command {
    let change = Change::Put { body: b"{\"cn\":\"Alice\"}".as_slice().into(), references: Vec::new(), fence: false };
    Command::WriteDocuments(WriteDocuments(vec![Write { key: alice(), when, change }]))
}

async fn back_up(cluster: &Cluster, id: u64, file: &Path) -> Summary {
    let operator = Client::connect(&cluster.addr(id), &Security::PlaintextLoopback).await.expect("connects");
    operator.backup(file).await.expect("a backup")
}

/// Goal: documents come back in a new cluster that can grow; bearer secrets do not, and what was revoked stays so (G3).
#[tokio::test]
async fn a_backup_makes_a_new_cluster_without_bearer_secrets() {
    let cluster = Cluster::of(3).await;
    let node = cluster.node(1);
    assert!(matches!(node.propose(write_alice(Precondition::Absent)).await, Ok(Outcome::Written(_))));
    must_issue(node, 1).await;
    must_issue(node, 2).await;
    assert_eq!(node.propose(revoke(2)).await, Ok(Outcome::Done));
    let (grant, until) = (GrantId([9; 20]), crate::harness::now() + Span::from_secs(3600));
    let family = Command::RevokeGrant(RevokeGrant { hint: 3, grant, until });
    assert_eq!(node.propose(family).await, Ok(Outcome::Done));

    let follower = cluster.follower().await;
    let file = cluster.dir().path().join("backup");
    let taken = back_up(&cluster, follower, &file).await;
    assert_eq!(verify(&file).expect("whole"), taken);
    assert_eq!(taken.cluster, node.cluster());
    assert!(taken.index > 0 && taken.at > Stamp(0));
    must_issue(node, 3).await; // the old cluster goes on

    let mut new = Cluster::empty(1, plaintext, |settings| settings.bootstrap = None);
    let identity = NewCluster { cluster: ClusterId(77), node_id: 1, peer: new.settings(1).me };
    assert_eq!(restore(&file, &new.data_dir(1), identity.clone()).await.expect("restores"), taken);
    let again = restore(&file, &new.data_dir(1), identity).await;
    assert!(matches!(again, Err(BackupError::NotEmpty(_))), "a node's data are never overwritten");

    new.start(1).await.expect("starts");
    let health = new.until(1, "ready", |health| health.ready).await;
    assert_eq!((new.node(1).cluster(), health.members.len()), (Some(ClusterId(77)), 1));
    assert!(health.applied > taken.index, "the log goes on where the backup ended");
    assert!(new.node(1).log_time() >= taken.at, "and so does its time");
    {
        let state = new.node(1).owners().0.lock().expect("whole");
        assert!(state.documents.get(&alice()).is_some());
        assert_eq!(state.grants[3].revoked().get(&grant), Some(&until));
    }
    for n in 1..=3 {
        assert!(!active(new.node(1), n), "token {n}");
    }
    assert!(matches!(new.node(1).propose(write_alice(Precondition::Present)).await, Ok(Outcome::Written(_))));

    let settings = new.newcomer(2);
    let peer = settings.me.clone();
    new.start_with(settings).await.expect("starts");
    let operator = Client::connect(&new.addr(1), &Security::PlaintextLoopback).await.expect("connects");
    operator.add(2, peer).await.expect("a quorum");
    new.until(2, "ready", |health| health.ready).await;
    must_issue(new.node(2), 4).await;
    new.assert_everywhere(4, true).await;
    new.kill(1);
    new.restart(1).await;
    new.until(1, "ready", |health| health.ready).await;
    new.assert_everywhere(4, true).await;
}

/// Goal: a file that is not whole is not believed, whatever is wrong with it.
#[tokio::test]
async fn a_damaged_backup_is_refused() {
    let cluster = Cluster::of(1).await;
    assert!(matches!(cluster.node(1).propose(issue(1)).await, Ok(Outcome::Issued { .. })));
    let file = cluster.dir().path().join("backup");
    back_up(&cluster, 1, &file).await;
    let whole = fs::read(&file).expect("reads");
    let damaged = cluster.dir().path().join("damaged");
    let refused = |bytes: &[u8]| {
        fs::write(&damaged, bytes).expect("writes");
        matches!(verify(&damaged), Err(BackupError::Damaged { .. }))
    };
    for length in 0..whole.len() {
        assert!(refused(&whole[..length]), "cut to {length} of {} bytes", whole.len());
    }
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        assert!(refused(&bytes), "byte {place} changed");
    }
    assert!(refused(&[whole.as_slice(), b"x"].concat()), "something follows");
    fs::write(&damaged, &whole[..whole.len() - 1]).expect("writes");
    let target = cluster.data_dir(5);
    let new = NewCluster { cluster: ClusterId(1), node_id: 1, peer: cluster.settings(1).me };
    assert!(matches!(restore(&damaged, &target, new).await, Err(BackupError::Damaged { .. })));
    assert!(!target.exists(), "nothing is left of a failed restore");
}
