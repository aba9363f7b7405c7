//! `quorate certs`: the chain stands up to rustls on both ends, and nothing is overwritten.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use quorate::config::tls::{certificates, private_key};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;

use crate::{quorate, stderr};

fn certs(dir: &Path, args: &[&str]) -> std::process::Output {
    quorate(&[&["certs"], args].concat(), &[], dir)
}

fn made(dir: &Path, args: &[&str]) {
    let output = certs(dir, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
}

fn roots(dir: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&dir.join("ca.pem")).unwrap() {
        roots.add(certificate).unwrap();
    }
    roots
}

fn server(dir: &Path, name: &str) -> ServerConnection {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(dir).into(), provider.clone()).build().unwrap();
    let (chain, key) = pair(dir, name);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    ServerConnection::new(config.into()).unwrap()
}

/// A client that believes in `ca`'s CA, and says it is `name` of `dir`, or nobody.
fn client(ca: &Path, identity: Option<(&Path, &str)>, host: &str) -> ClientConnection {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(ca));
    let config = match identity {
        Some((dir, name)) => {
            let (chain, key) = pair(dir, name);
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    ClientConnection::new(config.into(), ServerName::try_from(host.to_owned()).unwrap()).unwrap()
}

type Pair = (Vec<rustls_pki_types::CertificateDer<'static>>, rustls_pki_types::PrivateKeyDer<'static>);

fn pair(dir: &Path, name: &str) -> Pair {
    let chain = certificates(&dir.join(format!("{name}.pem"))).unwrap();
    (chain, private_key(&dir.join(format!("{name}.key"))).unwrap())
}

/// Passes messages between the two until both are content or one is not.
fn shake(mut client: ClientConnection, mut server: ServerConnection) -> Result<(), rustls::Error> {
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut io::Cursor::new(wire)).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut io::Cursor::new(wire)).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn two_nodes_accept_each_other_by_every_name() {
    let dir = tempfile::tempdir().unwrap();
    let pki = dir.path().join("pki");
    made(dir.path(), &["init", "pki"]);
    made(
        dir.path(),
        &["node", "pki", "node1", "--host", "a.example.com", "--host", "192.0.2.7", "--host", "localhost"],
    );
    made(dir.path(), &["node", "pki", "node2"]);
    for host in ["node1", "a.example.com", "192.0.2.7", "localhost", "127.0.0.1", "::1"] {
        shake(client(&pki, Some((&pki, "node2")), host), server(&pki, "node1"))
            .unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    shake(client(&pki, Some((&pki, "node1")), "node2"), server(&pki, "node2")).unwrap();
}

#[test]
fn strangers_are_turned_away_on_both_ends() {
    let dir = tempfile::tempdir().unwrap();
    for pki in ["ours", "theirs"] {
        made(dir.path(), &["init", pki]);
        made(dir.path(), &["node", pki, "node1"]);
    }
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    assert!(shake(client(&ours, None, "node1"), server(&ours, "node1")).is_err(), "no certificate");
    assert!(shake(client(&ours, Some((&theirs, "node1")), "node1"), server(&ours, "node1")).is_err(), "their client");
    assert!(shake(client(&theirs, Some((&ours, "node1")), "node1"), server(&ours, "node1")).is_err(), "their server");
    assert!(shake(client(&ours, Some((&ours, "node1")), "node9"), server(&ours, "node1")).is_err(), "another name");
}

#[test]
fn keys_are_private_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), &["init", "pki"]);
    made(dir.path(), &["node", "pki", "node1"]);
    let files = ["ca.pem", "ca.key", "node1.pem", "node1.key"];
    let read = || files.map(|file| fs::read(dir.path().join("pki").join(file)).unwrap());
    let before = read();
    for key in ["ca.key", "node1.key"] {
        let mode = fs::metadata(dir.path().join("pki").join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    for args in [&["init", "pki"][..], &["node", "pki", "node1"], &["node", "pki", "ca"]] {
        assert_eq!(certs(dir.path(), args).status.code(), Some(1), "{args:?}");
    }
    assert_eq!(read(), before);
}

#[test]
fn names_that_are_no_host_names_make_no_file() {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), &["init", "pki"]);
    for args in [
        &["node", "pki", "../evil"][..],
        &["node", "pki", ""],
        &["node", "pki", "a b"],
        &["node", "pki", "node1", "--host", "not a host"],
        &["node", "elsewhere", "node1"],
    ] {
        let output = certs(dir.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(dir.path().join("pki")).unwrap().count(), 2);
}
