//! What a group's document holds, what of it is shown, and what may be written (authn-sessions-realms.md d.5).

use crate::{
    crest::{Error, Item, Object, Version, scan::Rows},
    desk::WriteError,
    groups::{EVERYBODY, Group, MEMBERS, PRIVILEGES},
    privileges::{Privilege, Privileges},
    rest::{
        identity::{group_dn, named_user, user_dn},
        users::profile::{attribute, text},
    },
    sessions::universal_id,
    views::Row,
};
use quorate_raft::{DocumentKey, Kind, RealmPath, Refusal, Seq};
use serde_json::{Value, json};
use std::{borrow::Cow, sync::Arc};

/// Most members of one group: a change of a group is one entry of the log.
pub const MAX_MEMBERS: usize = 10_000;

/// Attributes of groups.
const ATTRIBUTES: [&str; 8] = ["businessCategory", "cn", "description", "mail", "o", "ou", "owner", "seeAlso"];

/// Members that are shown and not set: what a reader sends back unchanged is accepted (AD-03).
const READ_ONLY: [&str; 4] = ["dn", "objectclass", "realm", "universalid"];

/// A stored group.
pub struct Stored {
    /// Where.
    pub key: DocumentKey,
    /// As of when.
    pub revision: Seq,
    /// What it means.
    pub group: Arc<Group>,
    /// What is stored.
    pub body: Object,
}

impl Stored {
    /// As it is after a write.
    pub fn written(key: DocumentKey, revision: Seq, body: Object, members: Vec<Arc<str>>) -> Self {
        let stored = body.get(PRIVILEGES).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let privileges = stored.filter_map(Privilege::parse).collect();
        Self { key, revision, group: Arc::new(Group { members, privileges }), body }
    }
}

/// All 22, and whether each is given.
pub fn privileges(given: Privileges) -> Value {
    let flag = |privilege: Privilege| (privilege.name().to_owned(), Value::Bool(given.has(privilege)));
    Privilege::ALL.into_iter().map(flag).collect()
}

/// The names of those that are given, as they are stored.
pub fn names(given: Privileges) -> Vec<&'static str> {
    Privilege::ALL.into_iter().filter(|privilege| given.has(*privilege)).map(Privilege::name).collect()
}

/// `former`, with those changed that `map` names.
///
/// # Errors
/// 400 for what is no map of privileges to booleans.
pub fn assigned(map: &Value, former: Privileges) -> Result<Privileges, Error> {
    let invalid = || Error::invalid_value(PRIVILEGES);
    map.as_object().ok_or_else(invalid)?.iter().try_fold(former, |given, (name, value)| {
        let privilege = Privileges::from_iter([Privilege::parse(name).ok_or_else(invalid)?]);
        match value.as_bool().ok_or_else(invalid)? {
            true => Ok(given.and(privilege)),
            false => Ok(given.without(privilege)),
        }
    })
}

/// # Errors
/// 400 for more members than a group can have.
pub fn check_count(members: &[Arc<str>]) -> Result<(), Error> {
    match members.len() <= MAX_MEMBERS {
        true => Ok(()),
        false => Err(Error::bad_request(format!("A group cannot have more than {MAX_MEMBERS} members"))),
    }
}

/// The ids of users that a list names, in order.
fn members(realm: &RealmPath, list: &Value) -> Result<Vec<Arc<str>>, Error> {
    let invalid = || Error::invalid_value(MEMBERS);
    let list = match list {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    };
    let one = |value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= 1024).ok_or_else(invalid)?;
        named_user(realm, text).map(Arc::from).ok_or_else(|| no_user(text))
    };
    let mut members = list.iter().map(one).collect::<Result<Vec<Arc<str>>, Error>>()?;
    members.sort_unstable();
    members.dedup();
    check_count(&members)?;
    Ok(members)
}

fn no_user(name: &str) -> Error {
    let name: String = name.chars().take(256).collect();
    Error::bad_request(format!("Identity {name} of type user not found."))
}

/// A refused write of a group in the words of d.3, where there are any.
///
/// # Errors
/// The refusal itself, for the framework's words.
pub fn refused(error: WriteError) -> Result<Error, WriteError> {
    match error {
        WriteError::Refused(Refusal::Dangling(key)) if key.kind == Kind::User => Ok(no_user(&key.id)),
        other => Err(other),
    }
}

/// What is to become of a group.
pub struct Changes<'c> {
    /// The name that the content gives.
    pub username: Option<&'c str>,
    /// What the group gives its members afterwards.
    pub privileges: Privileges,
    members: Vec<Arc<str>>,
    attributes: Vec<(&'static str, Value)>,
}

impl<'c> Changes<'c> {
    /// `current` is what a reader sees of `stored`.
    ///
    /// # Errors
    /// 400 for a member that groups do not have, and for a value that it cannot have.
    pub fn of(content: &'c Object, current: &Object, stored: &Stored) -> Result<Self, Error> {
        let realm = &stored.key.realm;
        let mut changes = Self {
            username: None,
            privileges: stored.group.privileges,
            members: stored.group.members.clone(),
            attributes: Vec::new(),
        };
        let mut listed = false;
        for (name, value) in content.iter().filter(|(name, _)| *name != "_id" && *name != "_rev") {
            let list = match name.as_str() {
                "members" => value.as_object().map(|inner| match inner.iter().next() {
                    None => Ok(None),
                    Some((only, list)) if inner.len() == 1 && only.eq_ignore_ascii_case(MEMBERS) => Ok(Some(list)),
                    Some(_) => Err(Error::invalid_value("members")),
                }),
                other if other.eq_ignore_ascii_case(MEMBERS) => Some(Ok(Some(value))),
                _ => None,
            };
            if let Some(list) = list {
                if let Some(list) = list? {
                    if std::mem::replace(&mut listed, true) {
                        return Err(Error::invalid_value(MEMBERS)); // twice, in two places
                    }
                    changes.members = members(realm, list)?;
                }
            } else if name.eq_ignore_ascii_case("username") {
                changes.username = Some(text(value).ok_or_else(|| Error::bad_request("Identity name not provided"))?);
            } else if name == PRIVILEGES {
                changes.privileges = assigned(value, stored.group.privileges)?;
            } else if let Some(known) = ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                if changes.attributes.iter().any(|(other, _)| other == known) {
                    return Err(Error::invalid_value(known)); // twice, in two spellings
                }
                changes.attributes.push((known, attribute(known, value)?));
            } else if !READ_ONLY.contains(&name.as_str()) || current.get(name) != Some(value) {
                return Err(Error::invalid_attribute(
                    ATTRIBUTES.into_iter().chain(["members", PRIVILEGES, "username"]),
                ));
            }
        }
        Ok(changes)
    }

    /// Writes everything but the members into a stored body; an empty attribute goes away. The members.
    ///
    /// # Errors
    /// 400 for too much.
    pub fn apply(self, body: &mut Object) -> Result<Vec<Arc<str>>, Error> {
        for (name, value) in self.attributes {
            match value.as_array().is_some_and(Vec::is_empty) {
                true => drop(body.remove(name)),
                false => drop(body.insert(name.to_owned(), value)),
            }
        }
        body.insert(PRIVILEGES.into(), names(self.privileges).into());
        Ok(self.members)
    }
}

/// What every version shows.
fn common(key: &DocumentKey, body: &Object) -> Object {
    let mut content: Object = body
        .iter()
        .filter(|(name, _)| *name != MEMBERS && *name != PRIVILEGES)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for member in READ_ONLY {
        content.extend(computed(key, member).map(|value| (member.to_owned(), value)));
    }
    content
}

fn computed(key: &DocumentKey, member: &str) -> Option<Value> {
    Some(match member {
        "realm" => key.realm.as_str().into(),
        "universalid" => json!([universal_id(&key.realm, key)]),
        "dn" => json!([group_dn(&key.realm, &key.id)]),
        "objectclass" => json!(["top", "groupofuniquenames"]),
        _ => return None,
    })
}

fn directory_names(realm: &RealmPath, group: &Group) -> Value {
    group.members.iter().map(|id| Value::from(user_dn(realm, id))).collect()
}

fn item(body: &Object, revision: Seq, content: Object) -> Item {
    let name = body.get("username").and_then(Value::as_str).unwrap_or_default();
    Item::new(name, Some(revision), content)
}

/// A group that is read alone.
pub fn shown(stored: &Stored, version: Version) -> Item {
    let Stored { key, revision, group, body } = stored;
    let mut content = common(key, body);
    if version < Version(4, 0) {
        content.insert(MEMBERS.into(), directory_names(&key.realm, group));
    } else {
        content.insert("members".into(), json!({MEMBERS: group.members}));
        content.insert(PRIVILEGES.into(), privileges(group.privileges));
    }
    item(body, *revision, content)
}

/// Groups of a realm, as queries see them.
pub struct Listed<'l>(pub &'l RealmPath);

impl Rows for Listed<'_> {
    fn is_id(&self, member: &str) -> bool {
        member.eq_ignore_ascii_case("username") || member.eq_ignore_ascii_case("name")
    }

    fn takes_patterns(&self) -> bool {
        true
    }

    fn has(&self, row: &Row) -> bool {
        &*row.id != EVERYBODY
    }

    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>> {
        let body = row.entry.json();
        if member == "_id" || self.is_id(member) {
            return body.get("username").map(Cow::Borrowed);
        }
        if member == "_rev" {
            return Some(Cow::Owned(row.entry.document.revision.0.to_string().into()));
        }
        if member.eq_ignore_ascii_case(MEMBERS) {
            return Some(Cow::Owned(directory_names(self.0, &Group::of(&row.entry))));
        }
        if let Some(computed) = READ_ONLY.into_iter().find(|name| name.eq_ignore_ascii_case(member)) {
            let key = DocumentKey { realm: self.0.clone(), kind: Kind::Group, id: row.id.clone() };
            return self::computed(&key, computed).map(Cow::Owned);
        }
        let known = ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(member))?;
        body.get(*known).map(Cow::Borrowed)
    }

    fn item(&self, row: &Row) -> Item {
        let key = DocumentKey { realm: self.0.clone(), kind: Kind::Group, id: row.id.clone() };
        let empty = Object::new();
        let body = row.entry.json().as_object().unwrap_or(&empty);
        let mut content = common(&key, body);
        content.insert(MEMBERS.into(), directory_names(self.0, &Group::of(&row.entry)));
        item(body, row.entry.document.revision, content)
    }
}

/// For consoles.
pub fn schema() -> Value {
    let list = |name: &str| (name.to_owned(), json!({"title": name, "type": "array", "items": {"type": "string"}}));
    let mut properties: Object = ATTRIBUTES.into_iter().map(list).collect();
    properties.insert("username".into(), json!({"title": "Group name", "type": "string", "required": true}));
    let (_, members) = list(MEMBERS);
    properties.insert("members".into(), json!({"type": "object", "properties": {MEMBERS: members}}));
    let flag = |privilege: Privilege| (privilege.name().to_owned(), json!({"type": "boolean"}));
    let flags: Object = Privilege::ALL.into_iter().map(flag).collect();
    properties.insert(PRIVILEGES.into(), json!({"type": "object", "properties": flags}));
    json!({"type": "object", "properties": properties})
}
