//! `quorate certs`: a CA of the cluster's own, and node certificates under it, for mutual TLS
//! between nodes. ECDSA P-256 throughout.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use jiff::{Span, Zoned};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::{Certs, Exit};
use crate::config::peers::is_host_name;
use crate::config::secret::write_private;

/// Validity of a cluster CA, years.
const CA_YEARS: i64 = 10;
/// Validity of a node certificate, years. A new one is made with `certs node` after moving the
/// old files away; nodes under the same CA accept each other's old and new ones.
const NODE_YEARS: i64 = 2;

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there already; nothing was changed.
    #[error("{} exists already; nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// The directory has no CA.
    #[error("{} has no CA: run `quorate certs init {}` first", .0.display(), .0.display())]
    NoCa(PathBuf),
    /// The name cannot be a host name, or is the CA's own.
    #[error("`{0}` cannot name a node: use a host name, and not `ca`")]
    Name(String),
    /// The host is neither a host name nor an IP address.
    #[error("`{0}` is neither a host name nor an IP address")]
    Host(String),
    /// A file could not be read or written.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The CA's files hold no usable CA, or the generator failed.
    #[error("certificate")]
    Certificate(#[from] rcgen::Error),
    /// The calendar does not reach that far.
    #[error("date")]
    Date(#[from] jiff::Error),
}

/// Makes what is asked for and says so.
pub fn run(command: &Certs) -> Exit {
    let made = match command {
        Certs::Init { dir } => init(dir),
        Certs::Node { dir, name, hosts } => node(dir, name, hosts),
    };
    match made {
        Ok(made) => {
            println!("{}\n{}\nvalid until {}", made.cert.display(), made.key.display(), made.until);
            Exit::Done
        }
        Err(error) => {
            eprint!("{error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            Exit::Failed
        }
    }
}

/// A certificate and its key, as files.
#[derive(Debug)]
pub struct Made {
    /// PEM certificate.
    pub cert: PathBuf,
    /// PEM key, mode 0600.
    pub key: PathBuf,
    /// Last day of validity.
    pub until: jiff::civil::Date,
}

/// Makes a CA: `ca.pem` and `ca.key` in `dir`.
pub fn init(dir: &Path) -> Result<Made, Error> {
    fs::create_dir_all(dir).map_err(|error| Error::File(dir.into(), error))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Quorate cluster CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let until = valid_for(&mut params, CA_YEARS)?;
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    save(dir, "ca", &cert.pem(), &key, until)
}

/// Makes a certificate for the node `name`: `NAME.pem` and `NAME.key` in `dir`, where the CA lies.
pub fn node(dir: &Path, name: &str, hosts: &[String]) -> Result<Made, Error> {
    if !is_host_name(name) || name.eq_ignore_ascii_case("ca") || name.parse::<IpAddr>().is_ok() {
        return Err(Error::Name(name.into()));
    }
    let (ca_cert, ca_key) = (dir.join("ca.pem"), dir.join("ca.key"));
    if !ca_cert.exists() || !ca_key.exists() {
        return Err(Error::NoCa(dir.into()));
    }
    let read = |path: &PathBuf| fs::read_to_string(path).map_err(|error| Error::File(path.clone(), error));
    let issuer = Issuer::from_ca_cert_pem(&read(&ca_cert)?, KeyPair::from_pem(&read(&ca_key)?)?)?;

    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.subject_alt_names = names(name, hosts)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let until = valid_for(&mut params, NODE_YEARS)?;
    let key = KeyPair::generate()?;
    let cert = params.signed_by(&key, &issuer)?;
    save(dir, name, &cert.pem(), &key, until)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CommonName, name);
    dn
}

fn names(name: &str, hosts: &[String]) -> Result<Vec<SanType>, Error> {
    let mut names = Vec::new();
    for host in [name, "localhost"].into_iter().chain(hosts.iter().map(String::as_str)) {
        let san = match host.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) if is_host_name(host) => SanType::DnsName(host.try_into()?),
            Err(_) => return Err(Error::Host(host.into())),
        };
        names.push(san);
    }
    names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
    names.push(SanType::IpAddress(Ipv6Addr::LOCALHOST.into()));
    let mut distinct = Vec::with_capacity(names.len());
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    Ok(distinct)
}

/// From yesterday, because clocks differ, for so many years.
fn valid_for(params: &mut CertificateParams, years: i64) -> Result<jiff::civil::Date, Error> {
    let today = Zoned::now().date();
    let (from, until) = (today.yesterday()?, today.checked_add(Span::new().try_years(years)?)?);
    let [not_before, not_after] = [from, until]
        .map(|date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs()));
    params.not_before = not_before;
    params.not_after = not_after;
    Ok(until)
}

/// Writes both files or none; the key first, because nobody uses a certificate without its key.
fn save(dir: &Path, name: &str, cert: &str, key: &KeyPair, until: jiff::civil::Date) -> Result<Made, Error> {
    let made = Made { cert: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")), until };
    if let Some(taken) = [&made.cert, &made.key].into_iter().find(|path| path.exists()) {
        return Err(Error::Exists(taken.clone()));
    }
    let fail = |path: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(path.into()),
        _ => Error::File(path.into(), error),
    };
    write_private(&made.key, key.serialize_pem().trim_end()).map_err(|error| fail(&made.key, error))?;
    let mut file = fs::OpenOptions::new();
    let written = file.write(true).create_new(true).open(&made.cert).and_then(|mut file| {
        io::Write::write_all(&mut file, cert.as_bytes())?;
        file.sync_all()
    });
    if let Err(error) = written {
        // The key alone is of no use, and would be in the way of a second try.
        let _ = fs::remove_file(&made.key);
        return Err(fail(&made.cert, error));
    }
    Ok(made)
}
