//! What a user's document holds, and what of it is shown (authn-sessions-realms.md d.2).
//!
//! | d.2                                                        | here                         |
//! |------------------------------------------------------------|------------------------------|
//! | every attribute is an array of strings                     | `attribute`                  |
//! | `kbaInfo` is an array of objects                           | [`kba_shown`]                |
//! | names of attributes ignore case                            | [`canonical`], [`Profiles`]  |
//! | passwords are never returned                               | [`shown`], [`Profiles`]      |
//! | `roles` only in one's own profile                          | [`roles`]                    |
//! | `dn`, `objectClass`, `universalid`, dates                  | `computed`                   |

use crate::{
    bootstrap::ADMINISTRATOR_ID,
    caller::{Caller, Role},
    crest::{
        Error, Item, Object,
        scan::{Place, Rows},
    },
    privileges::Privilege,
    rest::identity::{is_secret, user_dn},
    sessions::universal_id,
    views::Row,
};
use quorate_raft::{DocumentKey, Kind, RealmPath, Seq};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Most values of one attribute, and most bytes of one value.
const MAX_VALUES: usize = 256;
const MAX_VALUE_BYTES: usize = 4096;

/// Most bytes of everything that a user's document holds: pages of a thousand users stay pages.
const MAX_PROFILE_BYTES: usize = 256 << 10;

/// Where the verifier is stored, and what the password is called on the wire.
pub const PASSWORD: &str = "userpassword";

/// Where questions and answers for who has forgotten the password are stored; the answers as verifiers.
pub const KBA: &str = "kbaInfo";

/// When it was written first and last; set by the server.
const CREATED: &str = "createTimestamp";
const MODIFIED: &str = "modifyTimestamp";

/// Attributes that a user may have. Others that start with one of `OPEN` are free to use.
pub const ATTRIBUTES: &[&str] = &[
    "assignedDashboard",
    "c",
    "cn",
    "co",
    "departmentNumber",
    "description",
    "displayName",
    "employeeNumber",
    "employeeType",
    "facsimileTelephoneNumber",
    "givenName",
    "homePhone",
    "inetUserHttpURL",
    "inetUserStatus",
    "initials",
    "iplanet-am-user-alias-list",
    "iplanet-am-user-failure-url",
    "iplanet-am-user-success-url",
    "l",
    "mail",
    "manager",
    "mobile",
    "o",
    "organizationName",
    "ou",
    "pager",
    "postalAddress",
    "postalCode",
    "preferredLanguage",
    "preferredlocale",
    "preferredtimezone",
    "roomNumber",
    "sn",
    "st",
    "street",
    "sunIdentityMSISDNNumber",
    "telephoneNumber",
    "title",
    "uid",
];

/// Prefixes of attributes that an installation defines for itself.
const OPEN: &[&str] = &["custom-", "custom_", "fr-attr-", "frIndexed", "frUnindexed"];

/// What users may write in their own profile. The rest says who they are to others, and is for administrators.
const OWN: &[&str] = &[
    "cn",
    "description",
    "displayName",
    "facsimileTelephoneNumber",
    "givenName",
    "homePhone",
    "initials",
    "mail",
    "mobile",
    "pager",
    "postalAddress",
    "postalCode",
    "preferredLanguage",
    "preferredlocale",
    "preferredtimezone",
    "sn",
    "street",
    "telephoneNumber",
];

/// Of those, what tells where to reach somebody: changed only by who knows the password (d.3).
const PROTECTED: &[&str] = &["mail", "telephoneNumber"];

/// Members that are shown and not set: what a reader sends back unchanged is accepted (AD-03).
const READ_ONLY: &[&str] = &[CREATED, "dn", KBA, MODIFIED, "objectClass", "realm", "roles", "universalid", "username"];

/// The stored spelling of an attribute's name; `None` for one that users do not have.
pub fn canonical(name: &str) -> Option<Cow<'_, str>> {
    if let Some(known) = ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return Some(Cow::Borrowed(known));
    }
    let open = OPEN.iter().any(|prefix| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)));
    let legal = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (open && legal).then_some(Cow::Borrowed(name))
}

/// A value as it is stored: an array of strings.
pub fn attribute(name: &str, value: &Value) -> Result<Value, Error> {
    let one = |value: &Value| match value {
        Value::String(text) if text.len() <= MAX_VALUE_BYTES => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let values: Option<Vec<String>> = match value {
        Value::Null => Some(Vec::new()),
        Value::Array(values) if values.len() <= MAX_VALUES => values.iter().map(one).collect(),
        single => one(single).map(|text| vec![text]),
    };
    let values = values.ok_or_else(|| Error::invalid_value(name))?;
    if name == "inetUserStatus" {
        let known = |text: &str| ["Active", "Inactive"].into_iter().find(|status| status.eq_ignore_ascii_case(text));
        return match values.as_slice() {
            [status] => known(status).map(|status| json!([status])).ok_or_else(|| Error::invalid_value(name)),
            _ => Err(Error::invalid_value(name)),
        };
    }
    Ok(values.into())
}

/// The one value of a member that has one.
pub fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(values) => match values.as_slice() {
            [Value::String(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A user's content, taken apart.
pub struct Changes<'c> {
    /// The name that it gives, for whoever wants to know whether it is the right one.
    pub username: Option<&'c str>,
    /// The new password.
    pub password: Option<&'c str>,
    attributes: Vec<(String, Value)>,
}

impl<'c> Changes<'c> {
    /// `current` is what a reader sees, for members that may be sent back unchanged.
    ///
    /// # Errors
    /// 400 for a member that users do not have, and for a value that it cannot have.
    pub fn of(content: &'c Object, current: &Object) -> Result<Self, Error> {
        let mut changes = Self { username: None, password: None, attributes: Vec::new() };
        for (name, value) in content {
            if name == "_id" || name == "_rev" {
                continue;
            }
            if name.eq_ignore_ascii_case("username") {
                changes.username = Some(text(value).ok_or_else(|| Error::bad_request("Identity name not provided"))?);
            } else if name.eq_ignore_ascii_case(PASSWORD) {
                let password = text(value).filter(|password| is_secret(password));
                changes.password = Some(password.ok_or_else(|| Error::invalid_value(PASSWORD))?);
            } else if let Some(known) = canonical(name) {
                let value = attribute(&known, value)?;
                if changes.attributes.iter().any(|(other, _)| other.eq_ignore_ascii_case(&known)) {
                    return Err(Error::invalid_value(&known)); // twice, in two spellings
                }
                changes.attributes.push((known.into_owned(), value));
            } else if !READ_ONLY.contains(&name.as_str()) || current.get(name) != Some(value) {
                return Err(Error::invalid_attribute(ATTRIBUTES.iter().copied().chain([PASSWORD, "username"])));
            }
        }
        Ok(changes)
    }

    /// Leaves only what differs from `body`.
    pub fn differing(&mut self, body: &Object) {
        let none = json!([]);
        self.attributes.retain(|(name, value)| {
            let stored = body.iter().find(|(stored, _)| stored.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            stored.unwrap_or(&none) != value
        });
    }

    /// The first attribute that users may not write themselves.
    pub fn beyond_own(&self) -> Option<&str> {
        self.attributes.iter().map(|(name, _)| name.as_str()).find(|name| !OWN.contains(name))
    }

    /// The first attribute whose change needs the password: its name and its new value.
    pub fn protected(&self) -> Option<(&str, &Value)> {
        let found = self.attributes.iter().find(|(name, _)| PROTECTED.contains(&name.as_str()));
        found.map(|(name, value)| (name.as_str(), value))
    }

    /// Writes the attributes into a stored body; an empty one goes away.
    ///
    /// # Errors
    /// 400 when there is too much of it.
    pub fn apply(self, body: &mut Object) -> Result<(), Error> {
        for (name, value) in self.attributes {
            let stored = body.keys().find(|key| key.eq_ignore_ascii_case(&name)).cloned().unwrap_or(name);
            if value.as_array().is_some_and(Vec::is_empty) {
                body.remove(&stored);
            } else {
                body.insert(stored, value);
            }
        }
        let texts = body.values().flat_map(|value| value.as_array().into_iter().flatten()).filter_map(Value::as_str);
        let size: usize = texts.map(str::len).sum();
        if size > MAX_PROFILE_BYTES {
            return Err(Error::bad_request(format!("A profile cannot hold more than {MAX_PROFILE_BYTES} bytes")));
        }
        Ok(())
    }
}

/// What is not stored but follows from where the user is.
fn computed(realm: &RealmPath, id: &str, member: &str) -> Option<Value> {
    Some(match member {
        "realm" => realm.as_str().into(),
        "universalid" => json!([universal_id(realm, &DocumentKey::new(realm, Kind::User, id))]),
        "dn" => json!([user_dn(realm, id)]),
        "objectClass" => json!(["top", "person", "inetorgperson"]),
        _ => return None,
    })
}

/// Members that [`computed`] knows.
const COMPUTED: [&str; 4] = ["realm", "universalid", "dn", "objectClass"];

/// Stored members that are nobody's to see, or only in one's own profile.
const HIDDEN: [&str; 3] = [PASSWORD, "roles", KBA];

/// Those, and what authentication keeps about a user.
fn is_hidden(name: &str) -> bool {
    name.starts_with('_') || HIDDEN.contains(&name)
}

/// What a stored user looks like to a reader: without the verifier. This is the only way out.
pub fn shown(key: &DocumentKey, revision: Seq, body: &Object) -> Item {
    let mut content: Object =
        body.iter().filter(|(name, _)| !is_hidden(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    for member in COMPUTED {
        content.extend(computed(&key.realm, &key.id, member).map(|value| (member.to_owned(), value)));
    }
    let name = body.get("username").and_then(Value::as_str).unwrap_or_default();
    Item::new(name, Some(revision), content)
}

/// What users see of themselves besides.
pub fn own(item: &mut Item, caller: &Caller, body: &Object) {
    item.content.insert("roles".into(), roles(caller).into());
    if let Some(kba) = body.get(KBA) {
        item.content.insert(KBA.into(), kba_shown(kba));
    }
}

/// What a console offers to the caller (d.2).
pub fn roles(caller: &Caller) -> Vec<&'static str> {
    let realm = caller.realm();
    if caller.role == Role::Administrator {
        return vec!["ui-global-admin", "ui-realm-admin"];
    }
    let mut roles = Vec::new();
    if caller.privileges_in(realm).has(Privilege::RealmAdmin) {
        if *realm == RealmPath::root() {
            roles.push("ui-global-admin");
        }
        roles.push("ui-realm-admin");
    }
    roles.push("ui-self-service-user");
    roles
}

/// Questions without their answers.
pub fn kba_shown(stored: &Value) -> Value {
    let question = |entry: &Value| {
        let members = entry.as_object().into_iter().flatten().filter(|(name, _)| *name != "answer");
        Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    stored.as_array().into_iter().flatten().map(question).collect()
}

/// `20240108232723Z`, of now.
fn stamp() -> String {
    let now = jiff::Timestamp::from_millisecond(i64::try_from(crate::host::now().0).unwrap_or(i64::MAX));
    now.unwrap_or_default().strftime("%Y%m%d%H%M%SZ").to_string()
}

/// Notes that a body is written now.
pub fn stamped(body: &mut Object) {
    let now = json!([stamp()]);
    body.entry(CREATED).or_insert_with(|| now.clone());
    body.insert(MODIFIED.into(), now);
}

/// `inetUserStatus` of a stored body.
pub fn status(body: &Object) -> Option<&str> {
    body.get("inetUserStatus").and_then(|status| status.get(0)).and_then(Value::as_str)
}

/// Whether `key` is the administrator's: neither deleted, disabled nor given another password through REST (g.1, AD-08).
pub fn is_administrator(key: &DocumentKey) -> bool {
    key.realm == RealmPath::root() && &*key.id == ADMINISTRATOR_ID
}

/// Users of a realm, as queries see them.
pub struct Profiles<'p>(pub &'p RealmPath);

impl Rows for Profiles<'_> {
    fn is_id(&self, member: &str) -> bool {
        member.eq_ignore_ascii_case("username") || member.eq_ignore_ascii_case("name")
    }

    fn takes_patterns(&self) -> bool {
        true
    }

    fn place<'m>(&self, member: &'m str) -> Place<'m> {
        if member == "_id" || self.is_id(member) {
            return Place::Stored("username");
        }
        if member == "_rev" || COMPUTED.iter().any(|name| name.eq_ignore_ascii_case(member)) {
            return Place::Made;
        }
        // Whatever its letter case: the document is searched ignoring it.
        if is_hidden(member) || HIDDEN.iter().any(|name| name.eq_ignore_ascii_case(member)) {
            return Place::Nowhere;
        }
        Place::Stored(member)
    }

    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>> {
        let body = row.entry.json();
        if member == "_id" || self.is_id(member) {
            return body.get("username").map(Cow::Borrowed);
        }
        if member == "_rev" {
            return Some(Cow::Owned(row.entry.document.revision.0.to_string().into()));
        }
        if let Some(computed) = COMPUTED.into_iter().find(|name| name.eq_ignore_ascii_case(member)) {
            return self::computed(self.0, &row.id, computed).map(Cow::Owned);
        }
        let body = body.as_object()?;
        let found = body.get_key_value(member);
        let (name, value) = found.or_else(|| body.iter().find(|(name, _)| name.eq_ignore_ascii_case(member)))?;
        (!is_hidden(name)).then_some(Cow::Borrowed(value))
    }

    fn item(&self, row: &Row) -> Item {
        let key = DocumentKey { realm: self.0.clone(), kind: Kind::User, id: row.id.clone() };
        let empty = Object::new();
        shown(&key, row.entry.document.revision, row.entry.json().as_object().unwrap_or(&empty))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{Entry, Ordered};
    use quorate_raft::Document;
    use std::sync::Arc;

    /// What is told of a member once is what would be told of it for each row; and nobody finds out about what is hidden.
    #[test]
    fn members_are_where_they_are_said_to_be() {
        let body = json!({"username": "Al", "cn": ["A", "É"], "mail": [], "frAttr": 1, PASSWORD: "$argon2id$x", "roles": ["r"],
            KBA: [{"answer": "x"}], "_lockout": "x", CREATED: ["20240108232723Z"]});
        let document = Document {
            body: Arc::from(body.to_string().into_bytes()),
            revision: Seq(3),
            fence: Seq(0),
            references: Vec::new(),
        };
        let mut rows = Ordered::default();
        rows.set(&"al".into(), Some(Arc::new(Entry::new(Arc::new(document)))));
        let (realm, row) = (RealmPath::root(), rows.iter().next().expect("one row"));
        let profiles = Profiles(&realm);
        let names = ["_id", "_rev", "name", "createTimestamp", "sn", "_lockout", "_", "realm", "dn", "objectClass"];
        for name in names.into_iter().chain(body.as_object().expect("an object").keys().map(String::as_str)) {
            for name in [name.to_owned(), name.to_uppercase()] {
                let hidden =
                    [PASSWORD, "roles", "kbaInfo", "_lockout", "_"].iter().any(|h| h.eq_ignore_ascii_case(&name));
                let found = profiles.member(row, &name);
                match profiles.place(&name) {
                    Place::Nowhere => assert!((hidden || name.starts_with('_')) && found.is_none(), "{name}"),
                    Place::Stored(stored) => {
                        assert!(!hidden, "{name}");
                        let stored =
                            row.members().get(stored).map(|values| format!("{:?}", values.collect::<Vec<_>>()));
                        let expected = found.map(|value| {
                            let document = json!({"x": value});
                            let members = crate::views::Members::of(&document);
                            format!("{:?}", members.get("x").into_iter().flatten().collect::<Vec<_>>())
                        });
                        assert_eq!(stored, expected, "{name}");
                    }
                    Place::Made => assert!(!hidden && found.is_some(), "{name}"),
                }
            }
        }
    }
}
