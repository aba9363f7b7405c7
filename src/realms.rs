//! How a request names a realm (crest.md §12, oauth2-endpoints.md §1.1): one way for everything below the context path.
//!
//! | form         | example below the service prefix                   | looked up                                       |
//! |--------------|----------------------------------------------------|-------------------------------------------------|
//! | absolute     | `realms/root/realms/alpha/access_token`            | from the top                                    |
//! | relative     | `realms/alpha/realms/beta/access_token`            | below the host's realm, else an alias first     |
//! | legacy path  | `alpha/access_token`, `a/b/authorize`              | as relative                                     |
//! | parameter    | `access_token?realm=/alpha`, `?realm=alias`        | from the top, else an alias; not with the first two |
//! | host         | `Host: alpha.example.com`                          | an alias                                        |
//! | none         | `access_token`                                     | the top-level realm                             |
//!
//! Names and aliases ignore ASCII case; where two names differ by nothing else, the exact one is meant. What is found is told
//! in the spelling that is stored. The host of the base URL is nobody's alias: there, nothing needs to be looked up.
//!
//! Whether a host may be addressed at all (§12.2) is asked when `valid_hosts` is configured.

mod names;

pub use names::Names;

use crate::{consensus::Unavailable, desk::Desk};
use actix_web::HttpRequest;
use quorate_raft::RealmPath;
use std::borrow::Cow;

/// Longest realm path that is looked at, bytes.
const MAX_REALM_BYTES: usize = 512;

/// What a path says about the realm, whether or not there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InPath {
    /// `realms/root/…`
    Absolute(RealmPath),
    /// `realms/x/…`
    Relative(RealmPath),
    /// `a/b/…`
    Legacy(RealmPath),
    /// Nothing.
    Nothing,
}

/// A request path below its service prefix, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed<'p> {
    /// The realm that is named.
    pub realm: InPath,
    /// What follows, without a leading slash.
    pub rest: &'p str,
}

/// Why a request leads to no realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRealm {
    /// The path names one that does not exist.
    Absent(RealmPath),
    /// The parameter does.
    Parameter(String),
    /// The host is not ours.
    Host(String),
    /// Without quorum nobody knows.
    Unavailable(Unavailable),
}

/// A realm name as AM allows it; whatever else a path holds is no realm.
fn is_level(level: &str) -> bool {
    !level.is_empty() && level != "." && level != ".." && !level.contains(['\\', '\0', '?', '#', '%'])
}

fn join(levels: &[&str]) -> RealmPath {
    match levels {
        [] => RealmPath::root(),
        levels => RealmPath::from(levels.iter().fold(String::new(), |path, level| path + "/" + level)),
    }
}

/// Takes `path` apart. `is_endpoint` tells whether a string starts with an endpoint, which ends the legacy form: the
/// shortest realm that leaves an endpoint wins.
pub fn address<'p>(path: &'p str, is_endpoint: impl Fn(&str) -> bool) -> Option<Addressed<'p>> {
    let path = path.trim_start_matches('/');
    let mut levels = Vec::new();
    let mut rest = path;
    if let Some(after) = strip_segment(path, "realms") {
        // `realms/` before each level. `root` first makes it absolute.
        let root = strip_segment(after, "root");
        rest = root.unwrap_or(path);
        while let Some(after) = strip_segment(rest, "realms") {
            let (level, after) = first_segment(after);
            if !is_level(level) || path.len() - after.len() > 2 * MAX_REALM_BYTES {
                return None;
            }
            levels.push(level);
            rest = after;
        }
        let realm = join(&levels);
        let realm = if root.is_some() { InPath::Absolute(realm) } else { InPath::Relative(realm) };
        return Some(Addressed { realm, rest });
    }
    loop {
        if is_endpoint(rest) {
            let realm = if levels.is_empty() { InPath::Nothing } else { InPath::Legacy(join(&levels)) };
            return Some(Addressed { realm, rest });
        }
        let (level, after) = first_segment(rest);
        if !is_level(level) || rest.len() == after.len() || path.len() - after.len() > MAX_REALM_BYTES {
            return None;
        }
        levels.push(level);
        rest = after;
    }
}

/// The realm that a `realm=` parameter names: `/`, `/alpha`, `alpha`, `/a/b`.
pub fn from_parameter(value: &str) -> Option<RealmPath> {
    let levels: Vec<&str> = value.split('/').filter(|level| !level.is_empty()).collect();
    let fits = value.len() <= MAX_REALM_BYTES && levels.iter().all(|level| is_level(level));
    fits.then(|| join(&levels))
}

fn first_segment(path: &str) -> (&str, &str) {
    path.split_once('/').unwrap_or((path, ""))
}

fn strip_segment<'p>(path: &'p str, segment: &str) -> Option<&'p str> {
    let (first, rest) = first_segment(path);
    first.eq_ignore_ascii_case(segment).then_some(rest)
}

/// The host that a request is addressed to, without its port, in lower case; empty when that cannot be told. What proxies
/// say about it is not asked: realms are not theirs to choose.
pub fn host(request: &HttpRequest) -> Cow<'_, str> {
    let mut sent = request.headers().get_all("Host");
    let host = match (request.uri().host(), sent.next(), sent.next()) {
        (Some(host), ..) => host,
        (None, Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    let bare = bare_host(host);
    if bare.bytes().any(|b| b.is_ascii_uppercase()) { bare.to_ascii_lowercase().into() } else { bare.into() }
}

/// A host without its port, the brackets of an address, and the dot at the end of a name.
pub fn bare_host(authority: &str) -> &str {
    let bare = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    bare.strip_suffix('.').unwrap_or(bare)
}

/// The host of the base URL.
fn is_own(desk: &Desk, host: &str) -> bool {
    let base = desk.base_url();
    let authority = base.origin().split_once("://").map_or("", |(_, authority)| authority);
    bare_host(authority).eq_ignore_ascii_case(host)
}

/// Whether we go by the name `host`: it is that of the base URL, one of `valid_hosts`, or a realm's alias.
pub fn knows(desk: &Desk, host: &str) -> bool {
    desk.front().valid_hosts.iter().any(|valid| valid.eq_ignore_ascii_case(host))
        || is_own(desk, host)
        || desk.views().realms.alias(host).is_some()
}

/// §12.2: whether a request may be addressed to this host.
///
/// # Errors
/// [`NoRealm::Host`] for a host that is none of ours, where that is asked.
pub fn check_host(desk: &Desk, request: &HttpRequest) -> Result<(), NoRealm> {
    if desk.front().valid_hosts.is_empty() {
        return Ok(());
    }
    let host = host(request);
    if knows(desk, &host) { Ok(()) } else { Err(NoRealm::Host(host.into_owned())) }
}

/// The realm of the host: an alias's, else the top-level realm.
fn of_host(desk: &Desk, request: &HttpRequest) -> RealmPath {
    let names = &desk.views().realms;
    let alias = || {
        let host = host(request);
        names.alias(&host).filter(|_| !is_own(desk, &host))
    };
    if names.is_empty() { RealmPath::root() } else { alias().unwrap_or_else(RealmPath::root) }
}

/// `path` below the realm of the host, or with an alias as its first level.
fn below_host(desk: &Desk, request: &HttpRequest, path: &RealmPath) -> Option<RealmPath> {
    let names = &desk.views().realms;
    let host = of_host(desk, request);
    let below = |realm: &RealmPath, rest: &str| match (realm.as_str(), rest) {
        (realm, "") => names.path(realm),
        ("/", rest) => names.path(rest),
        (realm, rest) => names.path(&format!("{realm}{rest}")),
    };
    below(&host, path.as_str()).or_else(|| {
        let (first, _) = first_segment(path.as_str().trim_start_matches('/'));
        let rest = path.as_str().get(1 + first.len()..).unwrap_or_default();
        below(&names.alias(first)?, rest)
    })
}

/// The realm that a request names, as the views show it: for whoever has passed the barrier, or confirms what was read.
///
/// # Errors
/// All of [`NoRealm`] but the last.
pub fn find(
    desk: &Desk,
    request: &HttpRequest,
    in_path: &InPath,
    parameter: Option<&str>,
) -> Result<RealmPath, NoRealm> {
    check_host(desk, request)?;
    let names = &desk.views().realms;
    match (in_path, parameter) {
        (InPath::Absolute(realm), _) => names.path(realm.as_str()).ok_or_else(|| NoRealm::Absent(realm.clone())),
        (InPath::Relative(realm), _) | (InPath::Legacy(realm), None) => {
            below_host(desk, request, realm).ok_or_else(|| NoRealm::Absent(realm.clone()))
        }
        (InPath::Legacy(_) | InPath::Nothing, Some(value)) => {
            let realm = from_parameter(value).and_then(|realm| {
                let name = realm.as_str().trim_start_matches('/');
                names.path(realm.as_str()).or_else(|| names.alias(name))
            });
            realm.ok_or_else(|| NoRealm::Parameter(value.chars().take(MAX_REALM_BYTES).collect()))
        }
        (InPath::Nothing, None) => Ok(of_host(desk, request)),
    }
}

/// Whether a realm can be told without asking the log: the top-level realm always exists.
pub fn is_certain(desk: &Desk, request: &HttpRequest, in_path: &InPath, parameter: Option<&str>) -> bool {
    desk.front().valid_hosts.is_empty()
        && match (in_path, parameter) {
            (InPath::Absolute(realm), _) => *realm == RealmPath::root(),
            (InPath::Nothing, None) => {
                let host = host(request);
                host.is_empty() || is_own(desk, &host)
            }
            (InPath::Relative(_), _) | (InPath::Legacy(_), _) => false,
            (InPath::Nothing, Some(value)) => value == "/",
        }
}

/// The realm that a request names, with everything in view that was acknowledged before (G2).
///
/// # Errors
/// [`NoRealm`].
pub async fn resolve(
    desk: &Desk,
    request: &HttpRequest,
    in_path: &InPath,
    parameter: Option<&str>,
) -> Result<RealmPath, NoRealm> {
    if !is_certain(desk, request, in_path, parameter) {
        desk.barrier().await.map_err(NoRealm::Unavailable)?;
    }
    find(desk, request, in_path, parameter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn at(path: &str) -> Option<(InPath, String)> {
        address(path, |rest| rest == "token" || rest.starts_with("users")).map(|a| (a.realm, a.rest.to_owned()))
    }

    #[test]
    fn every_form_names_its_realm() {
        use InPath::{Absolute, Legacy, Nothing, Relative};
        let some = |realm: InPath, rest: &str| Some((realm, rest.to_owned()));
        assert_eq!(at("token"), some(Nothing, "token"));
        assert_eq!(at("realms/root/token"), some(Absolute("/".into()), "token"));
        assert_eq!(at("realms/ROOT/token"), some(Absolute("/".into()), "token"));
        assert_eq!(at("realms/root/realms/alpha/token"), some(Absolute("/alpha".into()), "token"));
        assert_eq!(at("realms/root/realms/a/realms/b/users/x"), some(Absolute("/a/b".into()), "users/x"));
        assert_eq!(at("realms/alpha/token"), some(Relative("/alpha".into()), "token"));
        assert_eq!(at("realms/alpha/realms/root/token"), some(Relative("/alpha/root".into()), "token"));
        assert_eq!(at("alpha/token"), some(Legacy("/alpha".into()), "token"));
        assert_eq!(at("a/b/users/x/y"), some(Legacy("/a/b".into()), "users/x/y"));
    }

    #[test]
    fn what_names_no_realm_is_refused() {
        for path in [
            "",
            "alpha",
            "realms",
            "realms/root/realms//token",
            "a//token",
            "../token",
            "a%2f/token",
            "realms/../token",
        ] {
            assert_eq!(at(path), None, "{path}");
        }
        assert_eq!(at(&format!("{}token", "a/".repeat(400))), None);
        assert_eq!(at(&format!("{}token", "realms/a/".repeat(400))), None);
    }

    #[test]
    fn the_parameter_takes_a_path_with_or_without_slash() {
        assert_eq!(from_parameter("/"), Some(RealmPath::root()));
        assert_eq!(from_parameter("alpha"), Some("/alpha".into()));
        assert_eq!(from_parameter("/a/b"), Some("/a/b".into()));
        assert_eq!(from_parameter("/a/../b"), None);
    }

    #[test]
    fn a_host_has_neither_port_nor_case() {
        for (sent, expected) in [
            ("am.example.com", "am.example.com"),
            ("AM.Example.com:8443", "am.example.com"),
            ("am.example.com.:8443", "am.example.com"),
            ("[::1]:8080", "::1"),
            ("", ""),
        ] {
            let request = TestRequest::default().insert_header(("Host", sent)).to_http_request();
            assert_eq!(host(&request), expected, "{sent}");
        }
        let twice = TestRequest::default().append_header(("Host", "a")).append_header(("Host", "b")).to_http_request();
        assert_eq!(host(&twice), "");
        let proxied = TestRequest::default().insert_header(("X-Forwarded-Host", "a")).to_http_request();
        assert_eq!(host(&proxied), "");
    }
}
