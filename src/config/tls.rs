//! Certificates and keys, by file. They are read once here to find mistakes at the start, and again
//! by whoever serves with them, so that a renewed file is seen by the next start or reload.

use std::io;
use std::path::{Path, PathBuf};

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::reader::Reader;

/// Certificate files for the peer port, both sides of every connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTls {
    /// The cluster's CA.
    pub ca: PathBuf,
    /// This node's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl PeerTls {
    /// `Some(None)` if nothing is set, `None` if something is wrong.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let files = ["peer_tls.ca", "peer_tls.cert", "peer_tls.key"].map(|key| (key, reader.path(key)));
        let some = files.iter().any(|(key, _)| reader.is_set(key));
        let [ca, cert, key] = files.map(|(key, file)| {
            if some && file == Some(None) {
                reader.reject(key, "must be set as well: `ca`, `cert` and `key` belong together");
                return None;
            }
            file
        });
        let (Some(ca), Some(cert), Some(key)) = (ca?, cert?, key?) else {
            return Some(None);
        };
        check_certificates(reader, "peer_tls.ca", &ca)?;
        check_pair(reader, "peer_tls.cert", &cert, "peer_tls.key", &key)?;
        Some(Some(Self { ca, cert, key }))
    }
}

/// Certificate files for the HTTP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTls {
    /// Certificate chain, leaf first.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// CA of client certificates; clients without one are let in, wrong ones are not.
    pub client_ca: Option<PathBuf>,
}

impl HttpTls {
    /// `Some(None)` if nothing is set, `None` if something is wrong.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let (cert, key) = (reader.path("tls.cert"), reader.path("tls.key"));
        let client_ca = reader.path("tls.client_ca");
        let some = cert != Some(None) || key != Some(None) || client_ca != Some(None);
        let mut complete = true;
        for (name, file) in [("tls.cert", &cert), ("tls.key", &key)] {
            if some && *file == Some(None) {
                reader.reject(name, "must be set as well: TLS needs `cert` and `key`");
                complete = false;
            }
        }
        let (cert, key, client_ca) = (cert?, key?, client_ca?);
        if !complete {
            return None;
        }
        let (Some(cert), Some(key)) = (cert, key) else {
            return Some(None);
        };
        if let Some(client_ca) = &client_ca {
            check_certificates(reader, "tls.client_ca", client_ca)?;
        }
        check_pair(reader, "tls.cert", &cert, "tls.key", &key)?;
        Some(Some(Self { cert, key, client_ca }))
    }
}

/// All certificates of a PEM file; at least one.
pub fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| unreadable(path, error))?;
    if certificates.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no certificate in {}", path.display())));
    }
    Ok(certificates)
}

/// The private key of a PEM file.
pub fn private_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: rustls_pki_types::pem::Error) -> io::Error {
    use rustls_pki_types::pem::Error::{Io, NoItemsFound};
    match error {
        Io(error) => io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display())),
        NoItemsFound => {
            io::Error::new(io::ErrorKind::InvalidData, format!("no PEM of the right kind in {}", path.display()))
        }
        error => io::Error::new(io::ErrorKind::InvalidData, format!("{} is not PEM: {error}", path.display())),
    }
}

fn check_certificates(reader: &mut Reader<'_>, key: &str, path: &Path) -> Option<()> {
    certificates(path).map_err(|error| reader.reject(key, error)).ok().map(drop)
}

/// Both files are readable and the key is the certificate's.
fn check_pair(reader: &mut Reader<'_>, cert_key: &str, cert: &Path, key_key: &str, key: &Path) -> Option<()> {
    let chain = certificates(cert).map_err(|error| reader.reject(cert_key, error)).ok();
    let private = private_key(key).map_err(|error| reader.reject(key_key, error)).ok();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain?, private?, &provider)
        .map_err(|_| reader.reject(key_key, format!("is not the key of the certificate in {}", cert.display())))
        .ok()
        .map(drop)
}
