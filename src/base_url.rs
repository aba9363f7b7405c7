//! The base URLs that issuers and self-links are built from. The cluster has one, taken at bootstrap, so that every node names
//! the same issuer. A realm may have another, by its service *Base URL Source* (`baseurl`).
//!
//! | source               | origin                                                   | counts when                              |
//! |----------------------|----------------------------------------------------------|------------------------------------------|
//! | `FIXED_VALUE`        | `fixedValue`                                             | always; while it is unset, the cluster's |
//! | `REQUEST_VALUES`     | scheme of the connection, `Host`                         | `base_url_from_request` is on, and the host is one of ours |
//! | `X_FORWARDED_HEADERS`| `X-Forwarded-Proto`, `X-Forwarded-Host`                  | besides, a trusted proxy says it         |
//! | `FORWARDED_HEADER`   | `proto` and `host` of `Forwarded` (RFC 7239)             | the same                                 |
//! | `EXTENSION_CLASS`    | a Java class                                             | never                                    |
//! | `contextPath`        | what follows the origin                                  | always; unset, the cluster's             |
//!
//! Whatever does not count leaves the cluster's. A host is ours when the realm's requests may be addressed to it by name (see
//! [`realms::knows`]) at the port of the base URL or the usual one of its scheme: no issuer and no link can be made to lead
//! elsewhere by a header (IN-11).

use crate::{
    config,
    desk::Desk,
    realms,
    rest::services::{self, Effective},
};
use actix_web::{HttpRequest, http::header::HeaderMap};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// Id of the document that holds [`Settings`].
pub const SETTINGS: &str = "cluster";

/// Id of a realm's service.
pub const SERVICE: &str = "baseurl";

/// Where it is: asked for at almost every request.
static KEY: LazyLock<DocumentKey> = LazyLock::new(|| DocumentKey::new(&RealmPath::root(), Kind::Settings, SETTINGS));

/// Cluster-wide settings, written once at bootstrap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Scheme, host and port, without a trailing slash and without the context path.
    pub base_url: String,
    /// Below what the API is served: `/am`.
    pub context_path: String,
}

/// `base_url` with the context path: the deployment URL.
#[derive(Clone, Debug)]
pub struct BaseUrl(Arc<Settings>);

/// Where a realm takes its base URL from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Of the realm's own configuration.
    Fixed,
    /// Of what the request is addressed to.
    Request,
    /// Of what a proxy says in `X-Forwarded-…`.
    XForwarded,
    /// Of what a proxy says in `Forwarded`.
    Forwarded,
}

impl Source {
    /// `None` for an extension class.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "FIXED_VALUE" => Some(Self::Fixed),
            "REQUEST_VALUES" => Some(Self::Request),
            "X_FORWARDED_HEADERS" => Some(Self::XForwarded),
            "FORWARDED_HEADER" => Some(Self::Forwarded),
            _ => None,
        }
    }

    fn of(said: &Effective) -> Option<Self> {
        said.text("", "source").and_then(Self::parse)
    }
}

/// Whether `text` can be a `fixedValue`: what the configuration takes for a base URL, with or without a slash at its end.
pub fn is_fixed_value(text: &str) -> bool {
    origin_of(text).is_some()
}

fn origin_of(fixed: &str) -> Option<&str> {
    let bare = fixed.strip_suffix('/').unwrap_or(fixed);
    bare.parse::<config::BaseUrl>().is_ok().then_some(bare)
}

impl BaseUrl {
    /// As the cluster has it.
    pub fn of(desk: &Desk) -> Self {
        let settings = desk.views().entry(&KEY);
        Self(
            settings
                .map_or_else(Arc::default, |entry| entry.typed(|json| Settings::deserialize(json).unwrap_or_default())),
        )
    }

    /// As `realm` has it for `request`.
    pub fn in_realm(desk: &Desk, realm: &RealmPath, request: &HttpRequest) -> Self {
        let cluster = Self::of(desk);
        let said = services::effective(desk, realm, SERVICE);
        let origin = match Source::of(&said) {
            Some(Source::Fixed) => said.text("", "fixedValue").and_then(origin_of).map(str::to_owned),
            Some(source) if desk.front().base_url_from_request => {
                let named = source.read(desk, request);
                named.filter(|named| named.is_ours(desk, &cluster)).map(|named| named.origin())
            }
            Some(_) | None => None,
        };
        cluster.with(origin, said.text("", "contextPath"))
    }

    /// Whether `issuer` is one under which `realm` may have issued something: the cluster's, or what its own service says, whoever
    /// asks now.
    pub fn has_issued(desk: &Desk, realm: &RealmPath, issuer: &str) -> bool {
        let cluster = Self::of(desk);
        if cluster.issuer(realm) == issuer {
            return true;
        }
        let said = services::effective(desk, realm, SERVICE);
        let below = cluster.clone().with(Some(String::new()), said.text("", "contextPath")).issuer(realm);
        let Some(origin) = issuer.strip_suffix(below.as_str()) else { return false };
        match Source::of(&said) {
            Some(Source::Fixed) => {
                let fixed = said.text("", "fixedValue").and_then(origin_of);
                fixed.map_or(origin == cluster.origin(), |fixed| fixed == origin)
            }
            Some(_) if desk.front().base_url_from_request => {
                let named = origin.split_once("://").and_then(|(scheme, host)| Named::new(scheme, host));
                origin == cluster.origin() || named.is_some_and(|named| named.is_ours(desk, &cluster))
            }
            Some(_) | None => origin == cluster.origin(),
        }
    }

    fn with(self, origin: Option<String>, context_path: Option<&str>) -> Self {
        if origin.is_none() && context_path.is_none() {
            return self;
        }
        Self(Arc::new(Settings {
            base_url: origin.unwrap_or_else(|| self.0.base_url.clone()),
            context_path: context_path.map_or_else(|| self.0.context_path.clone(), str::to_owned),
        }))
    }

    /// `https://host:443`, without the context path.
    pub fn origin(&self) -> &str {
        &self.0.base_url
    }

    /// `https://host:443/am`.
    pub fn deployment(&self) -> String {
        format!("{}{}", self.0.base_url, self.0.context_path)
    }

    /// The issuer of a realm, in its one spelling: `{deployment}/oauth2` for the top level, else
    /// `{deployment}/oauth2/realms/root/realms/a/realms/b` (oauth2-endpoints §1.2).
    pub fn issuer(&self, realm: &RealmPath) -> String {
        let mut issuer = format!("{}/oauth2", self.deployment());
        if *realm != RealmPath::root() {
            issuer.push_str("/realms/root");
            for level in realm.as_str().split('/').filter(|level| !level.is_empty()) {
                issuer.push_str("/realms/");
                issuer.push_str(level);
            }
        }
        issuer
    }
}

/// What a request says that we are called. Not believed until [`Named::is_ours`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    scheme: &'static str,
    /// Host and, unless it is the usual one of the scheme, port; in lower case.
    authority: String,
}

/// A scheme of the web in lower case, and the port that it has unless another is named, as an authority ends with it.
pub fn usual_port(scheme: &str) -> Option<(&'static str, &'static str)> {
    [("https", ":443"), ("http", ":80")].into_iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known))
}

impl Named {
    fn new(scheme: &str, authority: &str) -> Option<Self> {
        let (scheme, usual) = usual_port(scheme.trim())?;
        let authority = authority.trim().to_ascii_lowercase();
        let authority = authority.strip_suffix(usual).unwrap_or(&authority).to_owned();
        let named = Self { scheme, authority };
        named.origin().parse::<config::BaseUrl>().is_ok().then_some(named)
    }

    fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    fn is_ours(&self, desk: &Desk, cluster: &BaseUrl) -> bool {
        let own = cluster.origin().split_once("://").and_then(|(scheme, own)| Self::new(scheme, own));
        let port = |authority: &str| {
            let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
            behind.split_once(':').map(|(_, port)| port.to_owned())
        };
        let named = port(&self.authority);
        let fits = named.is_none() || own.is_some_and(|own| port(&own.authority) == named);
        fits && realms::knows(desk, realms::bare_host(&self.authority))
    }
}

impl Source {
    /// What `request` says, as far as it is asked and those who say it are believed.
    fn read(self, desk: &Desk, request: &HttpRequest) -> Option<Named> {
        let headers = request.headers();
        let believed = || request.peer_addr().is_some_and(|peer| desk.guard().trusts(peer.ip()));
        match self {
            Self::Fixed => None,
            Self::Request => {
                let scheme = if request.app_config().secure() { "https" } else { "http" };
                let in_line = request.uri().authority().map(|authority| authority.as_str());
                Named::new(scheme, in_line.or_else(|| only(headers, "Host"))?)
            }
            Self::XForwarded if believed() => {
                Named::new(last(headers, "X-Forwarded-Proto")?, last(headers, "X-Forwarded-Host")?)
            }
            Self::Forwarded if believed() => {
                let hop = last(headers, "Forwarded")?;
                Named::new(parameter(hop, "proto")?, parameter(hop, "host")?)
            }
            Self::XForwarded | Self::Forwarded => None,
        }
    }
}

/// The value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// What the nearest proxy has said in a list that each of a chain adds to.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).last()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

/// A parameter of one element of `Forwarded` (RFC 7239 §4): `for=192.0.2.1;proto=https;host="am.example.com:8443"`.
fn parameter<'h>(hop: &'h str, name: &str) -> Option<&'h str> {
    let mut pairs = hop.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests;
