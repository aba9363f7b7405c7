//! How a request names a realm (crest.md §12, oauth2-endpoints.md §1.1).
//!
//! | form        | example below the service prefix                    |
//! |-------------|-----------------------------------------------------|
//! | REST path   | `realms/root/realms/alpha/access_token`              |
//! | legacy path | `alpha/access_token`, `a/b/authorize`                |
//! | query       | `access_token?realm=/alpha`                          |
//! | none        | `access_token`: the top-level realm                  |
//!
//! The path wins over the query.

use quorate_raft::RealmPath;

/// Longest realm path that is looked at, bytes.
const MAX_REALM_BYTES: usize = 512;

/// A request path below its service prefix, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed<'p> {
    /// The realm that is named, whether or not it exists; `None` when the path names none.
    pub realm: Option<RealmPath>,
    /// What follows, without a leading slash.
    pub rest: &'p str,
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
    let mut rest = path;
    if let Some(after) = strip_segment(rest, "realms") {
        // `realms/root` first; each further level is prefixed by `realms/` again.
        rest = strip_segment(after, "root")?;
        let mut levels = Vec::new();
        while let Some(after) = strip_segment(rest, "realms") {
            let (level, after) = first_segment(after);
            if !is_level(level) {
                return None;
            }
            levels.push(level);
            rest = after;
        }
        let realm = join(&levels);
        return (realm.as_str().len() <= MAX_REALM_BYTES).then_some(Addressed { realm: Some(realm), rest });
    }
    let mut levels = Vec::new();
    loop {
        if is_endpoint(rest) {
            let realm = (!levels.is_empty()).then(|| join(&levels));
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
    (first == segment).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Option<(Option<String>, String)> {
        address(path, |rest| rest == "token" || rest.starts_with("users"))
            .map(|a| (a.realm.map(|r| r.to_string()), a.rest.to_owned()))
    }

    #[test]
    fn every_form_names_its_realm() {
        let some = |realm: Option<&str>, rest: &str| Some((realm.map(str::to_owned), rest.to_owned()));
        assert_eq!(at("token"), some(None, "token"));
        assert_eq!(at("realms/root/token"), some(Some("/"), "token"));
        assert_eq!(at("realms/root/realms/alpha/token"), some(Some("/alpha"), "token"));
        assert_eq!(at("realms/root/realms/a/realms/b/users/x"), some(Some("/a/b"), "users/x"));
        assert_eq!(at("alpha/token"), some(Some("/alpha"), "token"));
        assert_eq!(at("a/b/users/x/y"), some(Some("/a/b"), "users/x/y"));
    }

    #[test]
    fn what_names_no_realm_is_refused() {
        for path in
            ["", "alpha", "realms/alpha/token", "realms/root/realms//token", "a//token", "../token", "a%2f/token"]
        {
            assert_eq!(at(path), None, "{path}");
        }
        assert_eq!(at(&format!("{}token", "a/".repeat(400))), None);
    }

    #[test]
    fn the_parameter_takes_a_path_with_or_without_slash() {
        assert_eq!(from_parameter("/"), Some(RealmPath::root()));
        assert_eq!(from_parameter("alpha"), Some("/alpha".into()));
        assert_eq!(from_parameter("/a/b"), Some("/a/b".into()));
        assert_eq!(from_parameter("/a/../b"), None);
    }
}
