//! What a realm is configured with: what it says itself, else what the cluster says about realms. What neither says is left to
//! whoever asks, who knows the default.
//!
//! | authn-sessions-realms.md a.12, b.6; oauth2-config.md §13    | here               |
//! |-------------------------------------------------------------|--------------------|
//! | the realm's document, over the cluster's                    | [`Layers`]         |
//! | `defaults` in the cluster's, over what is beside them there | [`said`], [`over`] |
//! | an attribute in its group, or beside the groups             | [`said`]           |
//! | `null` says nothing                                         | [`said`], [`over`] |
//!
//! This is the only place where one is put before the other: sessions, authentication and the services of `rest` ask here.

use crate::{
    crest::Object,
    views::{Entry, Views},
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::Value;
use std::sync::Arc;

/// Id of the documents about sessions.
pub const SESSION: &str = "session";

/// Id of the documents about authentication, sessions kept by clients among it.
pub const AUTHENTICATION: &str = "authentication";

/// Where the cluster's document may hold what it says about realms.
const DEFAULTS: &str = "defaults";

/// Where the document of a realm is.
pub fn realm_key(realm: &RealmPath, id: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::Service, id)
}

/// Where the document of the cluster is.
pub fn cluster_key(id: &str) -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::GlobalService, id)
}

/// What is said about one thing in one realm, as the views show it: pass the barrier first where it decides anything. Two
/// look-ups; nothing is copied.
pub struct Layers {
    own: Option<Arc<Entry>>,
    cluster: Option<Arc<Entry>>,
}

impl Layers {
    /// About `id` in `realm`.
    pub fn of(views: &Views, realm: &RealmPath, id: &str) -> Self {
        Self { own: views.entry(&realm_key(realm, id)), cluster: views.entry(&cluster_key(id)) }
    }

    /// About `id`, which realms do not configure.
    pub fn of_cluster(views: &Views, id: &str) -> Self {
        Self { own: None, cluster: views.entry(&cluster_key(id)) }
    }

    /// What the first says that says anything.
    pub fn first<'l, T>(&'l self, say: impl Fn(&'l Entry) -> Option<T>) -> Option<T> {
        [&self.own, &self.cluster].into_iter().flatten().find_map(|entry| say(entry))
    }

    /// The value of attribute `name` in `group`, which is empty for attributes at the top; `None` where nobody says any.
    pub fn value(&self, group: &str, name: &str) -> Option<&Value> {
        self.first(|entry| said(entry.json(), group, name))
    }

    /// All that is said, group by group.
    pub fn merged(&self) -> Object {
        let object = |entry: &Option<Arc<Entry>>| entry.as_ref().and_then(|entry| entry.json().as_object().cloned());
        over(&object(&self.cluster).unwrap_or_default(), &object(&self.own).unwrap_or_default())
    }
}

/// What one document says of attribute `name` in `group`, or beside the groups, as some releases write it.
pub fn said<'b>(body: &'b Value, group: &str, name: &str) -> Option<&'b Value> {
    let within = |body: &'b Value| {
        let grouped = body.get(group).and_then(|group| group.get(name));
        grouped.or_else(|| body.get(name)).filter(|value| !value.is_null())
    };
    body.get(DEFAULTS).and_then(within).or_else(|| within(body))
}

/// What a realm's document says over what the cluster's does.
pub fn over(cluster: &Object, own: &Object) -> Object {
    let mut all = Object::new();
    let defaults = cluster.get(DEFAULTS).and_then(Value::as_object);
    let beside = cluster.iter().filter(|(name, _)| *name != DEFAULTS);
    for (name, value) in beside.chain(defaults.into_iter().flatten()).chain(own) {
        match value {
            Value::Null => {}
            Value::Object(said) => {
                let group = all.entry(name.clone()).or_insert_with(|| Value::Object(Object::new()));
                if let Value::Object(group) = group {
                    group.extend(said.iter().filter(|(_, v)| !v.is_null()).map(|(n, v)| (n.clone(), v.clone())));
                }
            }
            plain => drop(all.insert(name.clone(), plain.clone())),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn what_a_realm_says_comes_before_what_the_cluster_says_about_realms() {
        let cluster = json!({
            "g": { "a": 1, "b": 1, "c": 1 }, "top": 1, "beside": 1,
            "defaults": { "g": { "b": 2, "c": null }, "top": 2 },
        });
        let own = json!({ "g": { "a": 3, "b": null }, "top": null });
        let merged = over(&object(cluster.clone()), &object(own.clone()));
        assert_eq!(Value::Object(merged), json!({ "g": { "a": 3, "b": 2, "c": 1 }, "top": 2, "beside": 1 }));
        for (group, name, value) in [
            ("g", "a", Some(1)),
            ("g", "b", Some(2)),
            ("g", "c", Some(1)),
            ("", "top", Some(2)),
            ("g", "beside", Some(1)),
            ("g", "nosuch", None),
        ] {
            assert_eq!(said(&cluster, group, name), value.map(Value::from).as_ref(), "{group}/{name}");
        }
        assert_eq!((said(&own, "g", "a"), said(&own, "g", "b")), (Some(&json!(3)), None));
    }
}
