//! Groups as everybody but their administrators sees them: who is in them, and what that gives (authn-sessions-realms.md
//! d.5, g.2).
//!
//! A group's document has its name in lower case as id. It holds `username`, attributes, `uniqueMember` with the ids of
//! users of the same realm, `privileges` with the names of those it has; and it references the documents of its members, so
//! that a member exists as long as it is one, decided in the log. Whoever deletes a user takes it out of its groups in the
//! same entry.

use crate::{
    privileges::{Privilege, Privileges},
    views::Entry,
};
use papaya::HashMap;
use quorate_raft::{DocumentKey, RealmPath};
use serde_json::Value;
use std::sync::Arc;

/// Member of a stored group that lists its members.
pub const MEMBERS: &str = "uniqueMember";

/// Member of a stored group that lists its privileges.
pub const PRIVILEGES: &str = "privileges";

/// Id of what stands for all authenticated users of a realm: it has privileges, and no members to list.
pub const EVERYBODY: &str = "allauthenticatedusers";

/// A stored group, compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Ids of its members, in the form that is compared, in order.
    pub members: Vec<Arc<str>>,
    /// What it gives them.
    pub privileges: Privileges,
}

impl Group {
    /// Of a stored document: compiled once per revision. The one reader of this kind's typed form.
    pub fn of(entry: &Entry) -> Arc<Self> {
        entry.typed(Self::compile)
    }

    fn compile(stored: &Value) -> Self {
        let texts =
            |name: &str| stored.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut members: Vec<Arc<str>> = texts(MEMBERS).map(Arc::from).collect();
        members.sort_unstable();
        members.dedup();
        Self { members, privileges: texts(PRIVILEGES).filter_map(Privilege::parse).collect() }
    }
}

/// A user, by realm and id.
type User = (RealmPath, Arc<str>);

/// Which groups a user is in: the other direction of what groups say, kept with every change of a group.
#[derive(Default)]
pub struct Memberships(HashMap<User, Arc<[Arc<str>]>>);

impl Memberships {
    /// The ids of the groups of a user of `realm`, in order.
    pub fn of(&self, realm: &RealmPath, user: &str) -> Arc<[Arc<str>]> {
        self.0.pin().get(&(realm.clone(), Arc::from(user))).cloned().unwrap_or_default()
    }

    /// Follows a change of the group at `key`. Costs what the group has members.
    pub(crate) fn follow(&self, key: &DocumentKey, former: Option<&Entry>, now: Option<&Entry>) {
        let members = |entry: Option<&Entry>| entry.map(|entry| Group::of(entry).members.clone()).unwrap_or_default();
        let (former, now) = (members(former), members(now));
        let view = self.0.pin();
        for user in former.iter().filter(|user| now.binary_search(user).is_err()) {
            let place = (key.realm.clone(), user.clone());
            let rest: Arc<[Arc<str>]> = view
                .get(&place)
                .into_iter()
                .flat_map(|groups| groups.iter())
                .filter(|id| **id != key.id)
                .cloned()
                .collect();
            match rest.is_empty() {
                true => drop(view.remove(&place)),
                false => drop(view.insert(place, rest)),
            }
        }
        for user in now.iter().filter(|user| former.binary_search(user).is_err()) {
            let place = (key.realm.clone(), user.clone());
            let known = view.get(&place).into_iter().flat_map(|groups| groups.iter()).filter(|id| **id != key.id);
            let mut groups: Vec<Arc<str>> = known.chain([&key.id]).cloned().collect();
            groups.sort_unstable();
            view.insert(place, groups.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_raft::{Document, Kind, Seq};
    use serde_json::json;

    fn group(members: &[&str]) -> Entry {
        let body = json!({"uniqueMember": members, "privileges": ["PolicyAdmin", "NoSuch"]}).to_string();
        let body = Arc::from(body.into_bytes());
        Entry::new(Arc::new(Document { body, revision: Seq(1), fence: Seq(1), references: vec![] }))
    }

    #[test]
    fn both_directions_agree_after_every_change() {
        let views = Memberships::default();
        let (alpha, beta) = (RealmPath::from("/alpha"), RealmPath::from("/beta"));
        let of = |user: &str| views.of(&alpha, user).iter().map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
        let key = |realm: &RealmPath, id: &str| DocumentKey::new(realm, Kind::Group, id);
        let (first, second) = (group(&["ann", "bob"]), group(&["bob", "cleo"]));
        views.follow(&key(&alpha, "ops"), None, Some(&first));
        views.follow(&key(&alpha, "dev"), None, Some(&second));
        assert_eq!((of("ann"), of("bob"), of("cleo")), ("ops".into(), "dev ops".into(), "dev".into()));
        assert!(views.of(&beta, "ann").is_empty(), "a namesake elsewhere");
        views.follow(&key(&alpha, "ops"), Some(&first), Some(&second));
        assert_eq!((of("ann"), of("bob"), of("cleo")), ("".into(), "dev ops".into(), "dev ops".into()));
        views.follow(&key(&alpha, "dev"), Some(&second), None);
        assert_eq!((of("ann"), of("bob"), of("cleo")), ("".into(), "ops".into(), "ops".into()));
        views.follow(&key(&alpha, "ops"), Some(&second), None);
        assert!(views.0.pin().is_empty(), "nothing is left behind");
    }

    #[test]
    fn what_is_no_privilege_gives_nothing() {
        assert_eq!(Group::of(&group(&[])).privileges, Privileges::from_iter([Privilege::PolicyAdmin]));
    }
}
