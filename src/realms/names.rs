//! Realms by name and by alias, for readers: what a request names is found without looking at all realms.

use papaya::HashMap;
use quorate_raft::RealmPath;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// Folded path or alias to the realms that go by it. Paths begin with a slash, and aliases have none: one map holds both.
///
/// Names are free when a realm is created, and aliases unique; two writers at once may still make two of one.
#[derive(Default)]
pub struct Names(HashMap<Box<str>, Arc<BTreeSet<RealmPath>>>);

fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
}

fn aliases<'b>(body: Option<&'b Value>) -> impl Iterator<Item = &'b str> {
    let listed = body.and_then(|body| body.get("aliases")).and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(Value::as_str).filter(|alias| !alias.contains('/'))
}

impl Names {
    /// Whether there is no realm but the top-level one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The stored spelling of a path.
    pub fn path(&self, path: &str) -> Option<RealmPath> {
        if path == "/" {
            return Some(RealmPath::root());
        }
        let names = self.0.pin();
        let found = names.get(&*folded(path)).filter(|_| path.starts_with('/'))?;
        found.iter().find(|realm| realm.as_str() == path).or_else(|| found.first()).cloned()
    }

    /// The realm that goes by an alias.
    pub fn alias(&self, alias: &str) -> Option<RealmPath> {
        if alias.is_empty() || alias.contains('/') {
            return None;
        }
        self.0.pin().get(&*folded(alias)).and_then(|found| found.first().cloned())
    }

    /// The document of the realm at `path` was one and is another now. Calls come from one thread, in the order of the log.
    pub(crate) fn changed(&self, path: &str, before: Option<&Value>, now: Option<&Value>) {
        let realm = RealmPath::from(path.to_owned());
        let all = |body: Option<&Value>| -> BTreeSet<String> {
            let own = body.is_some().then_some(path);
            aliases(body).chain(own).map(|name| folded(name).into_owned()).collect()
        };
        let (former, current) = (all(before), all(now));
        // What stays is never missing, not even between two of these steps.
        for name in current.difference(&former) {
            self.update(name, |realms| {
                realms.insert(realm.clone());
            });
        }
        for name in former.difference(&current) {
            self.update(name, |realms| {
                realms.remove(&realm);
            });
        }
    }

    fn update(&self, name: &str, change: impl FnOnce(&mut BTreeSet<RealmPath>)) {
        let names = self.0.pin();
        let mut realms = names.get(name).map_or_else(BTreeSet::new, |known| (**known).clone());
        change(&mut realms);
        if realms.is_empty() {
            names.remove(name);
        } else {
            names.insert(name.into(), Arc::new(realms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn names_and_aliases_ignore_case() {
        let names = Names::default();
        assert!(names.is_empty());
        let body = json!({"aliases": ["Alpha.Example.com", "a/b", 7]});
        names.changed("/Alpha", None, Some(&body));
        names.changed("/Alpha/b", None, Some(&json!({"aliases": []})));
        for (path, found) in [
            ("/", Some("/")),
            ("/Alpha", Some("/Alpha")),
            ("/ALPHA", Some("/Alpha")),
            ("/alpha/B", Some("/Alpha/b")),
            ("alpha.example.com", None),
            ("/nosuch", None),
        ] {
            assert_eq!(names.path(path).as_ref().map(RealmPath::as_str), found, "{path}");
        }
        assert_eq!(names.alias("ALPHA.example.com"), Some("/Alpha".into()));
        assert_eq!((names.alias("/Alpha"), names.alias("a/b"), names.alias("")), (None, None, None));
        names.changed("/Alpha", Some(&body), Some(&json!({"aliases": ["other"]})));
        assert_eq!((names.alias("alpha.example.com"), names.alias("other")), (None, Some("/Alpha".into())));
        names.changed("/Alpha/b", Some(&json!({"aliases": []})), None);
        names.changed("/Alpha", Some(&json!({"aliases": ["other"]})), None);
        assert!(names.is_empty());
    }

    /// AD-01: realms that differ by case alone keep their names.
    #[test]
    fn the_exact_name_wins() {
        let names = Names::default();
        names.changed("/alpha", None, Some(&json!({})));
        names.changed("/Alpha", None, Some(&json!({})));
        assert_eq!((names.path("/alpha"), names.path("/Alpha")), (Some("/alpha".into()), Some("/Alpha".into())));
    }

    proptest! {
        /// After any changes, as if it had been built from what is there now.
        #[test]
        fn changes_leave_no_trace(changes in prop::collection::vec(("/[aAbB]", prop::option::of(prop::collection::vec("[xXy]", 0..3))), 0..30)) {
            let names = Names::default();
            let mut now: BTreeMap<String, Value> = BTreeMap::new();
            for (path, aliases) in changes {
                let body = aliases.map(|aliases| json!({"aliases": aliases}));
                names.changed(&path, now.get(&path), body.as_ref());
                match body {
                    Some(body) => drop(now.insert(path, body)),
                    None => drop(now.remove(&path)),
                }
            }
            let fresh = Names::default();
            for (path, body) in &now {
                fresh.changed(path, None, Some(body));
            }
            for name in ["/a", "/A", "/b", "/B", "/c"] {
                prop_assert_eq!(names.path(name), fresh.path(name));
            }
            for name in ["x", "X", "y"] {
                prop_assert_eq!(names.alias(name), fresh.alias(name));
            }
            prop_assert_eq!(names.is_empty(), now.is_empty());
        }
    }
}
