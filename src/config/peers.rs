//! Who founds the cluster, where the other nodes are, and how the way there is protected.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::reader::Reader;
use super::tls::PeerTls;

/// Where another node's peer port is: a host name or IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    host: String,
    port: u16,
}

impl PeerAddress {
    /// Host name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the address cannot leave this machine (`localhost` cannot, RFC 6761 §6.3).
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be HOST:PORT, not `{text}`");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?.to_string(),
            None if is_host_name(host) => host.to_owned(),
            None => return Err(wrong()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// RFC 1123 §2.1, plus the underscore that container networks use.
pub(crate) fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

/// A member of the first cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Node number, from 1.
    pub id: u64,
    /// Where its peer port is.
    pub address: PeerAddress,
}

impl FromStr for Member {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, address) = text.split_once('=').ok_or_else(|| format!("must be ID=HOST:PORT, not `{text}`"))?;
        let id = id.trim().parse().ok().filter(|id| *id > 0);
        let id = id.ok_or_else(|| format!("`{text}`: the number before `=` must be a whole number from 1"))?;
        Ok(Self { id, address: address.trim().parse().map_err(|problem| format!("`{text}`: {problem}"))? })
    }
}

/// What a node with an empty data directory does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// Founds a cluster of exactly these members, itself among them, sorted by id.
    Found(Vec<Member>),
    /// Waits to be added by `quorate cluster add`.
    Join,
}

/// What protects messages between nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerSecurity {
    /// A node alone without certificates: the peer port stays closed.
    Closed,
    /// `--dev`: plaintext; every address was checked to be loopback.
    PlaintextOnLoopback,
    /// Certificates on both sides.
    MutualTls(PeerTls),
}

/// Everything about the other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Where this node listens for the others.
    pub listen: SocketAddr,
    /// What to do when there is no data yet.
    pub bootstrap: Bootstrap,
    /// What protects the way.
    pub security: PeerSecurity,
}

impl Peers {
    /// Whether this node is meant to work with others from its first start on.
    pub fn several(&self) -> bool {
        match &self.bootstrap {
            Bootstrap::Found(members) => members.len() > 1,
            Bootstrap::Join => true,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, node_id: Option<u64>) -> Option<Self> {
        let listen = reader.address("peer").flatten();
        let members = reader.list("cluster", str::parse::<Member>);
        let join = reader.switch("join");
        let dev = reader.switch("dev");
        let tls = PeerTls::read(reader);

        if let Some(members) = &members {
            distinct(reader, members);
            let named = node_id.is_none_or(|id| members.iter().any(|member| member.id == id));
            if !members.is_empty() && !named && join == Some(false) {
                reader.reject(
                    "cluster",
                    "does not list this node's own `node_id`; set `join` if it is to be added later",
                );
            }
        }
        if dev == Some(true) {
            if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
                reader.reject("peer", "must be a loopback address with `dev`");
            }
            for member in members.iter().flatten().filter(|member| !member.address.is_loopback()) {
                reader.reject("cluster", format!("{} must be a loopback address with `dev`", member.address));
            }
        }
        let several = join == Some(true) || members.as_ref().is_some_and(|members| members.len() > 1);
        if several && dev == Some(false) && !reader.is_set("peer_tls.cert") && matches!(tls, Some(None)) {
            reader.reject(
                "peer_tls",
                "a cluster of several nodes needs `ca`, `cert` and `key` (see `quorate certs`), or `dev` on loopback",
            );
        }

        let (listen, mut members, join, dev, tls) = (listen?, members?, join?, dev?, tls?);
        let bootstrap = if join {
            Bootstrap::Join
        } else {
            if members.is_empty() {
                members.push(Member { id: node_id?, address: listen.into() });
            }
            members.sort_by_key(|member| member.id);
            Bootstrap::Found(members)
        };
        let security = match tls {
            Some(tls) => PeerSecurity::MutualTls(tls),
            None if dev => PeerSecurity::PlaintextOnLoopback,
            None => PeerSecurity::Closed,
        };
        Some(Self { listen, bootstrap, security })
    }
}

fn distinct(reader: &mut Reader<'_>, members: &[Member]) {
    let (mut ids, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for Member { id, address } in members {
        if !ids.insert(id) {
            reader.reject("cluster", format!("lists node {id} twice"));
        }
        if !addresses.insert(address) {
            reader.reject("cluster", format!("lists {address} twice"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_or_are_refused() {
        for text in ["127.0.0.1:8090", "[::1]:8090", "node-1.example.com:1", "quorate_node1:65535"] {
            assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
        }
        for text in
            ["", ":1", "host", "host:", "host:0", "host:65536", "::1:80", "[::1]", "a b:1", "-a:1", "a..b:1", "a/b:1"]
        {
            assert!(text.parse::<PeerAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_told_from_names_that_only_look_like_it() {
        for (text, loopback) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("LocalHost:1", true),
            ("localhost.example.com:1", false),
            ("10.0.0.1:1", false),
            ("0.0.0.0:1", false),
        ] {
            assert_eq!(text.parse::<PeerAddress>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
