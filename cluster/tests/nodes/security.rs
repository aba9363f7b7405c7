//! Who is let in, and what strangers can do.

use crate::harness::{Cluster, must_issue, plaintext};
use quorate_cluster::{AdminError, Security, SecurityError, StartError, admin::Client, settings::Invalid};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Writes a CA and certificates of its members into `dir`.
fn write_certificates(dir: &Path, members: &[u64]) {
    fs::create_dir_all(dir).expect("a directory");
    let mut params = CertificateParams::new(Vec::new()).expect("valid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs");
    fs::write(dir.join("ca.pem"), ca.pem()).expect("writes");
    for id in members {
        let mut params = CertificateParams::new(vec![format!("node-{id}.example")]).expect("valid");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &ca).expect("signs");
        fs::write(dir.join(format!("{id}.pem")), cert.pem()).expect("writes");
        fs::write(dir.join(format!("{id}.key")), key.serialize_pem()).expect("writes");
    }
}

fn member(dir: &Path, id: u64) -> Security {
    Security::Mtls { ca: dir.join("ca.pem"), cert: dir.join(format!("{id}.pem")), key: dir.join(format!("{id}.key")) }
}

fn mtls(dir: &TempDir, id: u64) -> Security {
    let dir = dir.path().join("certs");
    if !dir.exists() {
        write_certificates(&dir, &[1, 2, 3, 9]);
    }
    member(&dir, id)
}

/// Goal: nodes with certificates of one CA are a cluster, and an operator with one can talk to it.
#[tokio::test]
async fn a_cluster_over_mutual_tls() {
    let mut cluster = Cluster::with(3, mtls, |_| {}).await;
    for id in 1..=3 {
        must_issue(cluster.node(id), id).await;
        cluster.assert_everywhere(id, true).await;
    }
    let operator = Client::connect(&cluster.addr(1), &mtls(cluster.dir(), 9)).await.expect("connects");
    assert_eq!(operator.status().await.expect("answers").health.id, 1);
    let leader = cluster.leader().await;
    cluster.stop(leader).await;
    let heir = cluster.leader().await;
    must_issue(cluster.node(heir), 4).await;
}

/// Goal: without a certificate of the cluster's CA nobody is heard: not with one of another CA, not without any.
#[tokio::test]
async fn strangers_are_refused() {
    let cluster = Cluster::with(1, mtls, |_| {}).await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    write_certificates(elsewhere.path(), &[1]);
    let stranger = Client::connect(&cluster.addr(1), &member(elsewhere.path(), 1)).await;
    assert!(matches!(stranger, Err(AdminError::Unreachable(_))), "another CA");

    // Even one that trusts the cluster's CA, but holds another's certificate.
    let own = cluster.dir().path().join("certs");
    let mixed = Security::Mtls {
        ca: own.join("ca.pem"),
        cert: elsewhere.path().join("1.pem"),
        key: elsewhere.path().join("1.key"),
    };
    let stranger = Client::connect(&cluster.addr(1), &mixed).await;
    assert!(matches!(stranger, Err(AdminError::Unreachable(_))), "a foreign certificate");
    let naked = Client::connect(&cluster.addr(1), &Security::PlaintextLoopback).await;
    assert!(matches!(naked, Err(AdminError::Unreachable(_))), "no TLS at all");
    must_issue(cluster.node(1), 1).await;
}

/// Goal: plaintext does not leave the machine, neither listening nor dialing (C-6).
#[tokio::test]
async fn plaintext_is_for_loopback_only() {
    let mut cluster = Cluster::empty(1, plaintext, |settings| settings.listen.set_ip([0, 0, 0, 0].into()));
    let started = cluster.start(1).await;
    assert!(matches!(started, Err(StartError::Security(SecurityError::NotLoopback(_)))), "{started:?}");
    let Err(AdminError::Unreachable(why)) = Client::connect("192.0.2.1:1", &Security::PlaintextLoopback).await else {
        panic!("dialed a foreign address in plaintext")
    };
    assert!(why.contains("loopback"), "{why}");
}

/// Goal: whatever a stranger sends to the port ends that connection and touches nothing else.
#[tokio::test]
async fn garbage_is_harmless() {
    let cluster = Cluster::of(3).await;
    let frame = |length: u32, rest: &[u8]| [length.to_be_bytes().as_slice(), rest].concat();
    let garbage: [Vec<u8>; 7] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 64 << 10],
        vec![0; 64],
        frame(u32::MAX, &[1; 16]),
        frame(16, &[9; 16]),                              // a version of the future
        frame(12, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7]), // not a greeting
        frame(11, &[1, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0]),    // a well-formed message before any greeting
    ];
    for id in cluster.ids() {
        for bytes in &garbage {
            let mut stream = TcpStream::connect(cluster.addr(id)).await.expect("connects");
            let _ = stream.write_all(bytes).await; // may be cut off while it writes
            let mut answer = Vec::new();
            let closed = timeout(Duration::from_secs(8), stream.read_to_end(&mut answer)).await;
            assert!(closed.is_ok(), "node {id} keeps listening to {:?}", &bytes[..8]);
        }
    }
    // Half a greeting, and silence: nobody else has to wait for it.
    let mut silent = TcpStream::connect(cluster.addr(1)).await.expect("connects");
    silent.write_all(&[0, 0]).await.expect("writes");
    must_issue(cluster.node(1), 1).await;
    cluster.assert_everywhere(1, true).await;
}

/// Goal: mistakes of an operator are found when a node starts, and named.
#[tokio::test]
async fn mistakes_are_named() {
    let mut cluster = Cluster::of(1).await;
    let again = cluster.start(1).await;
    assert!(matches!(again, Err(StartError::Listen { .. })), "the port is in use: {again:?}");
    let mut settings = cluster.newcomer(2);
    settings.data_dir = cluster.data_dir(1);
    let same_dir = cluster.start_with(settings).await;
    assert!(matches!(same_dir, Err(StartError::Store(_))), "the directory is in use: {same_dir:?}");

    cluster.stop(1).await;
    let mut settings = cluster.newcomer(2);
    settings.data_dir = cluster.data_dir(1);
    let other_id = cluster.start_with(settings).await;
    assert!(matches!(other_id, Err(StartError::Store(_))), "the directory is another node's: {other_id:?}");

    let mut settings = cluster.settings(1);
    settings.node_id = 0;
    assert_eq!(settings.check(), Err(Invalid::NodeId));
    let mut settings = cluster.settings(1);
    settings.bootstrap = Some([(2, "127.0.0.1:1".to_owned())].into());
    assert_eq!(settings.check(), Err(Invalid::NotListed(1)));
    let mut settings = cluster.settings(1);
    settings.timing.heartbeat = settings.timing.election_min;
    assert_eq!(settings.check(), Err(Invalid::Timing));
    settings.security = Security::Mtls { ca: "/nowhere".into(), cert: "/nowhere".into(), key: "/nowhere".into() };
    settings.timing.heartbeat = settings.timing.election_min / 5;
    let started = cluster.start_with(settings).await;
    assert!(matches!(started, Err(StartError::Security(SecurityError::Pem { .. }))), "{started:?}");
}

/// Goal: a node of another cluster, or another node than was meant, is turned away.
#[tokio::test]
async fn clusters_do_not_mix() {
    let mut one = Cluster::of(1).await;
    let two = Cluster::of(1).await;
    let status = Client::connect(&two.addr(1), &Security::PlaintextLoopback).await.expect("connects");
    assert_ne!(status.status().await.expect("answers").cluster, one.node(1).cluster());
    // Cluster one believes that node 2 lives where cluster two's node 1 lives.
    let mut peer = one.newcomer(2).me;
    peer.addr = two.addr(1);
    let operator = Client::connect(&one.addr(1), &Security::PlaintextLoopback).await.expect("connects");
    assert_eq!(operator.add(2, peer).await, Ok(()));
    must_issue(one.node(1), 1).await;
    must_issue(two.node(1), 2).await;
    let members = two.until(1, "undisturbed", |health| health.ready).await.members;
    assert_eq!(members.len(), 1, "cluster two was not touched");
}
