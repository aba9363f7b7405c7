//! Who may speak on the peer port.
//!
//! | rule                                                                   | kept by             |
//! |------------------------------------------------------------------------|---------------------|
//! | both ends present a certificate of the cluster's CA                     | `Transport::open` |
//! | TLS 1.3 only, one crypto provider, named explicitly                     | `Transport::open` |
//! | plaintext exists only between loopback addresses, listening and dialing | `Transport::listen`, `Transport::dial` |
//!
//! **A certificate proves membership, not identity.** The CA signs for cluster members and operators and for nobody else,
//! and every member can read and write everything anyway; so a node id stated in a `Hello` is believed from anyone who
//! holds a certificate, and the name in a certificate is not compared with the address that was dialed. The id is still
//! checked for mistakes: a node refuses a caller that means another id or another cluster.

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How nodes know each other.
#[derive(Clone, Debug)]
pub enum Security {
    /// Both ends verify each other against the cluster's CA. PEM files.
    Mtls {
        /// The CA's certificate.
        ca: PathBuf,
        /// This member's certificate, with intermediates if there are any.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// No encryption; refused unless every address is loopback.
    PlaintextLoopback,
    /// A node alone: nobody is let in, nobody is called. The port it is given is not opened.
    Closed,
}

/// Why the peer port cannot be secured. The operator has to act.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// A PEM file cannot be read, or does not hold what it should.
    #[error("cannot read {what} from {file}")]
    Pem {
        /// `CA certificate`, `certificate` or `private key`.
        what: &'static str,
        /// The file.
        file: PathBuf,
        #[source]
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The files are readable and do not make a usable identity.
    #[error("certificate and key are not usable")]
    Unusable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Plaintext beyond this machine.
    #[error("{0} is not a loopback address: peers outside this machine need mTLS")]
    NotLoopback(String),
}

/// The reading half of a connection.
pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// The writing half.
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Both ends of the peer port's security.
#[derive(Clone)]
pub(crate) enum Transport {
    /// Nobody gets through; a port of the system's choice on loopback stands in for the real one.
    Closed,
    Plain,
    Tls {
        acceptor: TlsAcceptor,
        connector: TlsConnector,
    },
}

impl Transport {
    /// Reads the files of `security`.
    pub fn open(security: &Security) -> Result<Self, SecurityError> {
        let (ca, cert, key) = match security {
            Security::Mtls { ca, cert, key } => (ca, cert, key),
            Security::PlaintextLoopback => return Ok(Self::Plain),
            Security::Closed => return Ok(Self::Closed),
        };
        let unusable = |e: rustls::Error| SecurityError::Unusable(Box::new(e));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());

        let mut roots = RootCertStore::empty();
        for root in certificates("CA certificate", ca)? {
            roots.add(root).map_err(|e| pem("CA certificate", ca, e))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates("certificate", cert)?;
        let key = || PrivateKeyDer::from_pem_file(key).map_err(|e| pem("private key", key, e));

        let callers = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|e| SecurityError::Unusable(Box::new(e)))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(callers)
            .with_single_cert(chain.clone(), key()?)
            .map_err(unusable)?;
        let member = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|e| SecurityError::Unusable(Box::new(e)))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .dangerous() // "custom verifier" in rustls' words: chain and signature are verified as always
            .with_custom_certificate_verifier(Arc::new(AnyMember(member)))
            .with_client_auth_cert(chain, key()?)
            .map_err(unusable)?;
        Ok(Self::Tls { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }

    /// Binds the peer port.
    pub async fn listen(&self, addr: SocketAddr) -> Result<io::Result<TcpListener>, SecurityError> {
        if matches!(self, Self::Plain) && !addr.ip().is_loopback() {
            return Err(SecurityError::NotLoopback(addr.to_string()));
        }
        if matches!(self, Self::Closed) {
            return Ok(TcpListener::bind(("127.0.0.1", 0)).await);
        }
        Ok(TcpListener::bind(addr).await)
    }

    /// Connects to a peer and proves membership to it.
    pub async fn dial(&self, addr: &str) -> io::Result<(Reader, Writer)> {
        if matches!(self, Self::Closed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut found = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for candidate in tokio::net::lookup_host(addr).await? {
            if matches!(self, Self::Plain) && !candidate.ip().is_loopback() {
                found = Err(io::Error::new(io::ErrorKind::PermissionDenied, SecurityError::NotLoopback(addr.into())));
                continue;
            }
            found = TcpStream::connect(candidate).await;
            if found.is_ok() {
                break;
            }
        }
        let stream = found?;
        stream.set_nodelay(true)?;
        match self {
            Self::Closed => Err(io::ErrorKind::PermissionDenied.into()),
            Self::Plain => Ok(halves(stream)),
            Self::Tls { connector, .. } => {
                // The name is required by the protocol and, see above, not compared.
                let name = ServerName::from(stream.peer_addr()?.ip());
                let stream = timeout(HANDSHAKE, connector.connect(name, stream)).await??;
                let (reader, writer) = tokio::io::split(stream);
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }

    /// Makes sure that whoever connected is a member.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(Reader, Writer)> {
        stream.set_nodelay(true)?;
        match self {
            Self::Closed => Err(io::ErrorKind::PermissionDenied.into()),
            Self::Plain => Ok(halves(stream)),
            Self::Tls { acceptor, .. } => {
                let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
                let (reader, writer) = tokio::io::split(stream);
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }
}

fn halves(stream: TcpStream) -> (Reader, Writer) {
    let (reader, writer) = stream.into_split();
    (Box::new(reader), Box::new(writer))
}

fn pem(what: &'static str, file: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SecurityError {
    SecurityError::Pem { what, file: file.into(), source: source.into() }
}

fn certificates(what: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| pem(what, file, e))?;
    if found.is_empty() {
        return Err(pem(what, file, "the file holds no certificate"));
    }
    Ok(found)
}

/// Accepts every certificate that chains to the cluster's CA, whatever name it carries.
#[derive(Debug)]
struct AnyMember(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyMember {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The verifier compares the name last: chain, dates and purpose were in order.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
