//! Who a user is according to others: `AMIdentityMembership`, `LDAPFilter`, `IdmUser` (§4.14, §4.8, §4.6).
//!
//! | reference                                | here                                        |
//! |------------------------------------------|---------------------------------------------|
//! | §4.14 `invocatorPrincipalUuid`           | [`Membership`], asks [`Services::groups`]   |
//! | §4.8 well-formed filter                  | `is_filter`                                 |
//! | §4.8 the directory finds the user        | [`LdapFilter`], asks [`Services::ldap_filter`] |
//! | §4.6 pointer, comparators                | [`IdmUser`], asks [`Services::managed_object`] |
//!
//! [`Services::groups`]: crate::policy::circumstances::Services::groups
//! [`Services::ldap_filter`]: crate::policy::circumstances::Services::ldap_filter
//! [`Services::managed_object`]: crate::policy::circumstances::Services::managed_object

use regex::Regex;
use serde_json::{Value, json};

use super::{Outcome, Scene, texts};
use crate::policy::{
    Error,
    circumstances::ManagedQuery,
    fault::Fault,
    members::Members,
    resource::{MAX_LENGTH, regex},
    subject::{UniversalId, first_component},
    trace::{Comparison, Observer},
};

/// `AMIdentityMembership`: the environment's principal is one of these, or a member of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    am_identity_name: Vec<UniversalId>,
}

impl Membership {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "amIdentityName"]])?;
        let names = texts(members, "amIdentityName")?;
        Ok(Self { am_identity_name: names.into_iter().map(UniversalId::new).collect() })
    }

    pub(super) fn kind(&self) -> &'static str {
        "AMIdentityMembership"
    }

    pub(super) fn members(&self) -> Value {
        json!({"amIdentityName": self.names()})
    }

    fn names(&self) -> Vec<&str> {
        self.am_identity_name.iter().map(UniversalId::as_str).collect()
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let named = scene.circumstances.first("invocatorPrincipalUuid");
        observer.compared(|| Comparison::new("environment.invocatorPrincipalUuid", json!(self.names()), named));
        let Some(principal) = named.map(UniversalId::new) else {
            return Ok(Outcome::plain(false));
        };
        if self.am_identity_name.contains(&principal) {
            return Ok(Outcome::plain(true));
        }
        let groups = match &scene.subject.session {
            Some(session) if session.user == principal => session.groups.clone(),
            _ => scene.circumstances.services.groups(&principal)?,
        };
        observer.compared(|| {
            let found: Value = groups.iter().map(UniversalId::as_str).collect();
            Comparison::new("its groups", json!(self.names()), found)
        });
        Ok(Outcome::plain(groups.iter().any(|group| self.am_identity_name.contains(group))))
    }
}

/// `LDAPFilter`: the directory finds the session's user with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapFilter {
    ldap_filter: String,
}

impl LdapFilter {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "ldapFilter"]])?;
        let filter = members.text("ldapFilter")?.ok_or(Error::PropertyMissing("ldapFilter"))?;
        if !is_filter(filter) {
            return Err(Error::invalid_property(filter, "ldapFilter"));
        }
        Ok(Self { ldap_filter: filter.to_owned() })
    }

    pub(super) fn kind(&self) -> &'static str {
        "LDAPFilter"
    }

    pub(super) fn members(&self) -> Value {
        json!({"ldapFilter": self.ldap_filter})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let session = scene.session(self.kind())?;
        let found = scene.circumstances.services.ldap_filter(&self.ldap_filter, &session.user)?;
        observer.compared(|| Comparison::new("session.user found by filter", self.ldap_filter.as_str(), found));
        Ok(Outcome::plain(found))
    }
}

/// Deepest nesting of a filter.
const MAX_FILTER_DEPTH: usize = 64;

/// Whether this is a search filter (RFC 4515 §3), in one pass.
fn is_filter(text: &str) -> bool {
    if text.len() > MAX_LENGTH {
        return false;
    }
    /// A filter that is open: how it goes on.
    enum Open {
        /// `&` or `|`: any number of filters.
        List,
        /// `!`: one filter, which is still missing.
        One,
        /// `!` with its filter.
        Full,
    }
    let mut open: Vec<Open> = Vec::new();
    let mut rest = text.trim();
    let mut done = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(')') {
            rest = after;
            match open.pop() {
                Some(Open::List | Open::Full) => {}
                Some(Open::One) | None => return false,
            }
        } else if let Some(after) = rest.strip_prefix('(') {
            match open.last_mut() {
                None if done => return false,
                Some(Open::Full) => return false,
                Some(one @ Open::One) => *one = Open::Full,
                None | Some(Open::List) => {}
            }
            if let Some(after) = after.strip_prefix(['&', '|']) {
                open.push(Open::List);
                rest = after;
            } else if let Some(after) = after.strip_prefix('!') {
                open.push(Open::One);
                rest = after;
            } else {
                match after.split_once(')') {
                    Some((item, after)) if is_item(item) => rest = after,
                    _ => return false,
                }
            }
        } else {
            return false;
        }
        done = true;
        if open.len() > MAX_FILTER_DEPTH {
            return false;
        }
    }
    done && open.is_empty()
}

/// `attribute=value`, also with `~=`, `>=`, `<=` and `:=`.
fn is_item(item: &str) -> bool {
    let Some((attribute, value)) = item.split_once('=') else {
        return false;
    };
    let attribute = attribute.strip_suffix(['~', '>', '<', ':']).unwrap_or(attribute);
    let named = |c: char| c.is_ascii_alphanumeric() || "-.;:_".contains(c);
    let escaped = |tail: &str| tail.len() >= 2 && tail.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    !attribute.is_empty()
        && attribute.chars().all(named)
        && !value.contains(['(', '\0'])
        && value.split('\\').skip(1).all(escaped)
}

/// `IdmUser`: a field of the user's managed object has such a value.
#[derive(Debug, Clone)]
pub struct IdmUser {
    identity_resource: String,
    query_field: String,
    decision_field: String,
    comparator: Comparator,
    value: String,
}

/// How the field is compared with the value.
#[derive(Debug, Clone)]
enum Comparator {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
    Regex(Box<Regex>),
}

impl Comparator {
    fn name(&self) -> &'static str {
        match self {
            Self::Equals => "EQUALS",
            Self::Contains => "CONTAINS",
            Self::StartsWith => "STARTS_WITH",
            Self::EndsWith => "ENDS_WITH",
            Self::Regex(_) => "REGEX",
        }
    }
}

impl PartialEq for IdmUser {
    fn eq(&self, other: &Self) -> bool {
        self.members() == other.members()
    }
}

impl Eq for IdmUser {}

impl IdmUser {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "identityResource", "queryField", "decisionField", "comparator", "value"]])?;
        let text = |member| Ok::<_, Error>(members.text(member)?.ok_or(Error::PropertyMissing(member))?.to_owned());
        let value = text("value")?;
        let comparator = match text("comparator")?.as_str() {
            "EQUALS" => Comparator::Equals,
            "CONTAINS" => Comparator::Contains,
            "STARTS_WITH" => Comparator::StartsWith,
            "ENDS_WITH" => Comparator::EndsWith,
            "REGEX" if value.len() > MAX_LENGTH => return Err(Error::invalid_property(&value, "value")),
            "REGEX" => {
                let regex = regex(&value).map_err(|_| Error::invalid_property(&value, "value"))?;
                Comparator::Regex(Box::new(regex))
            }
            unknown => return Err(Error::invalid_property(unknown, "comparator")),
        };
        Ok(Self {
            identity_resource: text("identityResource")?,
            query_field: text("queryField")?,
            decision_field: text("decisionField")?,
            comparator,
            value,
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        "IdmUser"
    }

    pub(super) fn members(&self) -> Value {
        json!({"identityResource": self.identity_resource, "queryField": self.query_field,
            "decisionField": self.decision_field, "comparator": self.comparator.name(), "value": self.value})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let Some(session) = &scene.subject.session else {
            return Ok(Outcome::plain(false));
        };
        let username = first_component(session.user.as_str());
        let query = ManagedQuery { resource: &self.identity_resource, query_field: &self.query_field, username };
        let object = scene.circumstances.services.managed_object(&query)?;
        let mut found = object.iter().collect::<Vec<_>>();
        for step in self.decision_field.split('/').filter(|step| !step.is_empty()) {
            found = found.into_iter().flat_map(|value| below(value, step)).collect();
        }
        observer.compared(|| Comparison::new(self.decision_field.as_str(), self.value.as_str(), json!(found)));
        Ok(Outcome::plain(found.into_iter().any(|value| self.fits(value))))
    }

    fn fits(&self, found: &Value) -> bool {
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => found.to_string(),
            Value::Array(elements) => return elements.iter().any(|element| !element.is_array() && self.fits(element)),
            Value::Null | Value::Object(_) => return false,
        };
        match &self.comparator {
            Comparator::Equals => text == self.value,
            Comparator::Contains => text.contains(&self.value),
            Comparator::StartsWith => text.starts_with(&self.value),
            Comparator::EndsWith => text.ends_with(&self.value),
            Comparator::Regex(regex) => regex.is_match(&text),
        }
    }
}

/// One step of a pointer; `*` is every element of an array.
fn below<'a>(value: &'a Value, step: &str) -> Vec<&'a Value> {
    match value {
        Value::Array(elements) if step == "*" => elements.iter().collect(),
        Value::Array(elements) => step.parse().ok().and_then(|at: usize| elements.get(at)).into_iter().collect(),
        Value::Object(members) => members.get(step).into_iter().collect(),
        _ => Vec::new(),
    }
}
