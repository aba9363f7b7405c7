//! Starting and stopping.

use crate::harness::{Cluster, plain_command};
use serde_json::json;
use std::time::Duration;

/// Goal: SIGTERM hands over and ends within five seconds; requests at the other nodes hardly notice.
#[actix_web::test]
async fn the_leader_leaves_gracefully() {
    let mut cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    cluster.register(0, &admin, "root", "svc", json!({})).await;
    let leader = cluster.leader().await;
    let token = cluster.issue(leader, "svc").await.expect("issues");
    let took = cluster.nodes[leader].stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let other = (leader + 1) % 3;
    assert_eq!(cluster.is_active(other, "svc", &token).await, Ok(true));
    cluster.issue(other, "svc").await.expect("issues");
}

/// Goal: a second process on the same data refuses, and the first goes on.
#[actix_web::test]
async fn a_second_start_on_the_same_data_refuses() {
    let cluster = Cluster::of(1).await;
    let mut second = cluster.nodes[0].command();
    second.args(["--http", "127.0.0.1:0"]);
    let output = second.output().expect("it runs and ends");
    assert!(!output.status.success());
    assert!(cluster.admin(0).await.len() > 20);
}

/// Goal: a single node comes back with everything; its log holds no secret (G1, G5).
#[actix_web::test]
async fn a_single_node_restarts() {
    let mut cluster = Cluster::of(1).await;
    let admin = cluster.admin(0).await;
    cluster.register(0, &admin, "root", "svc", json!({})).await;
    let token = cluster.issue(0, "svc").await.expect("issues");
    for _ in 0..2 {
        cluster.nodes[0].stop();
        cluster.nodes[0].start();
        cluster.ready(0).await;
        assert_eq!(cluster.is_active(0, "svc", &token).await, Ok(true));
    }
    assert!(cluster.admin(0).await.len() > 20);
    let log = cluster.nodes[0].log_text();
    for secret in [&token, &admin, "client-secret", crate::harness::ADMIN_PASSWORD, crate::harness::MASTER_KEY] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    cluster.nodes[0].stop();
    let found = std::process::Command::new("grep").args(["-rlaF", &token]).arg(&cluster.nodes[0].data_dir).output();
    assert!(found.expect("grep runs").stdout.is_empty(), "a token in the clear is on disk");
}

fn succeeds(command: &mut std::process::Command) -> String {
    let output = command.output().expect("it runs and ends");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Goal: a backup brings back what administrators wrote, and no bearer secret: nobody knows what was revoked since (G3).
#[actix_web::test]
async fn a_backup_brings_back_documents_and_no_tokens() {
    let mut cluster = Cluster::of(1).await;
    let admin = cluster.admin(0).await;
    cluster.register(0, &admin, "root", "svc", json!({})).await;
    let signed =
        json!({ "overrideOAuth2ClientConfig": { "providerOverridesEnabled": true, "statelessTokensEnabled": true } });
    cluster.register(0, &admin, "root", "signed", signed).await;
    let opaque = cluster.issue(0, "svc").await.expect("issues");
    let client_based = cluster.issue(0, "signed").await.expect("issues");
    assert_eq!(client_based.split('.').count(), 3, "{client_based}");

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("backup");
    let peer = cluster.nodes[0].peer();
    succeeds(plain_command().args(["cluster", "backup", "--peer", &peer]).arg(&file));
    assert!(succeeds(plain_command().args(["cluster", "status", "--peer", &peer])).contains("is ready"));
    // Both are revoked after the backup was taken; a restored cluster cannot know.
    cluster.revoke(0, "svc", &opaque).await.expect("revokes");
    cluster.revoke(0, "signed", &client_based).await.expect("revokes");
    cluster.nodes[0].stop();

    succeeds(plain_command().args(["cluster", "verify"]).arg(&file));
    cluster.nodes[0].data_dir = dir.path().join("restored");
    succeeds(&mut cluster.nodes[0].quorate(&["cluster", "restore", file.to_str().expect("text")]));
    cluster.nodes[0].start();
    cluster.ready(0).await;
    assert_eq!(cluster.is_active(0, "svc", &opaque).await, Ok(false));
    assert_eq!(cluster.is_active(0, "signed", &client_based).await, Ok(false), "keys were replaced");
    let fresh = cluster.issue(0, "signed").await.expect("clients are there, with their secrets");
    assert_eq!(cluster.is_active(0, "signed", &fresh).await, Ok(true));
    // A damaged file is refused.
    let mut bytes = std::fs::read(&file).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("writes");
    assert!(!plain_command().args(["cluster", "verify"]).arg(&file).status().expect("it runs").success());
}
