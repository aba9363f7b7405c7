//! `policies?_action=copy` and `move` (authorization.md §2.5): one policy, or all of a policy set, to another name, set,
//! resource type or realm. What is moved leaves and arrives in one log entry.
//!
//! | it says                                            | here            |
//! |----------------------------------------------------|-----------------|
//! | `to.name`, `to.application`, `to.realm`, `to.resourceType` | [`one`] |
//! | `from.application`, `to.namePostfix`, `resourceTypeMapping` | [`set`]  |
//! | write access in the destination realm              | `destination`   |
//! | errors                                             | everywhere      |

use super::{
    created,
    policies::{self, all, checked, find, key, raced, shown, unknown},
    policy_sets,
};
use crate::{
    crest::{Call, Error, Object},
    desk::{WriteError, delete},
    policy::{
        self,
        model::{Policy, PolicyDraft, PolicyName},
    },
    privileges::{Endpoint, Right},
    realms::from_parameter,
};
use quorate_raft::{Precondition, RealmPath, Refusal, Seq};
use serde_json::{Value, json};

/// Most policies that one request copies.
const MAX_POLICIES: usize = 2048;

/// A member that must be an object.
fn definition<'c>(content: &'c Object, member: &str) -> Result<&'c Object, Error> {
    let missing = || Error::bad_request(format!("{member} definition is missing"));
    content.get(member).and_then(Value::as_object).ok_or_else(missing)
}

/// A member that may be there, and then is text.
fn text<'c>(members: &'c Object, member: &str) -> Result<Option<&'c str>, Error> {
    match members.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::bad_request(format!("Invalid value {member}"))),
    }
}

/// The realm that `to` names, where the caller may write.
fn destination(call: &Call<'_>, to: &Object) -> Result<RealmPath, Error> {
    let Some(named) = text(to, "realm")? else {
        return Ok(call.realm.clone());
    };
    let invalid = || {
        let named: String = named.chars().take(512).collect();
        Error::bad_request(format!("Invalid destination realm: {named}"))
    };
    let realm = from_parameter(named).filter(|realm| call.desk.realm_exists(realm)).ok_or_else(invalid)?;
    match call.signed_in()?.may(Endpoint::Policies, Right::Modify, &realm) {
        true => Ok(realm),
        false => Err(Error::insufficient_privileges()),
    }
}

/// What changes on the way.
struct Changes<'c> {
    realm: &'c RealmPath,
    name: String,
    application: Option<&'c str>,
    resource_type: Option<&'c str>,
}

/// `source` as it will be at its destination, checked there.
fn arrived(call: &Call<'_>, source: &Policy, changes: Changes<'_>) -> Result<Policy, Error> {
    let mut body = source.to_json();
    let put = |body: &mut Value, member: &str, value: Option<&str>| {
        if let (Some(members), Some(value)) = (body.as_object_mut(), value) {
            members.insert(member.to_owned(), json!(value));
        }
    };
    put(&mut body, "name", Some(&changes.name));
    put(&mut body, "applicationName", changes.application);
    put(&mut body, "resourceTypeUuid", changes.resource_type);
    let draft = PolicyDraft::parse(Some(&body), PolicyName::Post { url: None })?;
    checked(call, changes.realm, draft, true, created(call)?)
}

/// Writes what arrives, and removes what leaves.
async fn carry_out(
    call: &Call<'_>,
    leaving: &[(Policy, Option<Seq>)],
    realm: &RealmPath,
    arriving: &[Policy],
) -> Result<(), Error> {
    let gone = leaving.iter().map(|(policy, revision)| {
        delete(key(call.realm, &policy.name), revision.map_or(Precondition::Present, Precondition::Revision))
    });
    let new = arriving.iter().map(|policy| policies::write(realm, policy, Precondition::Absent));
    match call.write_all(gone.chain(new).collect()).await {
        Ok(_) => Ok(()),
        Err(WriteError::Refused(Refusal::Exists(_))) => {
            Err(Error::bad_request("policy name already exists within the realm"))
        }
        Err(WriteError::Refused(Refusal::Missing(key))) => Err(unknown(&key.id)),
        Err(error) => Err(raced(error, true)),
    }
}

/// `POST policies/{name}?_action=copy`
///
/// # Errors
/// §2.5.
pub async fn one(call: &Call<'_>, name: &str, moves: bool, content: &Object) -> Result<Value, Error> {
    let (source, revision) = find(call, name).ok_or_else(|| unknown(name))?;
    let to = definition(content, "to")?;
    let realm = destination(call, to)?;
    let changes = Changes {
        realm: &realm,
        name: text(to, "name")?.unwrap_or(&source.name).to_owned(),
        application: text(to, "application")?,
        resource_type: text(to, "resourceType")?,
    };
    let made = arrived(call, &source, changes)?;
    let leaving = if moves { vec![(source, Some(revision))] } else { Vec::new() };
    carry_out(call, &leaving, &realm, std::slice::from_ref(&made)).await?;
    Ok(Value::Object(shown(&made, call)))
}

/// `POST policies?_action=copy`
///
/// # Errors
/// §2.5.
pub async fn set(call: &Call<'_>, moves: bool, content: &Object) -> Result<Value, Error> {
    let from = definition(content, "from")?;
    let application =
        text(from, "application")?.ok_or_else(|| Error::bad_request("from application definition is missing"))?;
    let to = definition(content, "to")?;
    let realm = destination(call, to)?;
    let mapping = match content.get("resourceTypeMapping") {
        None | Some(Value::Null) => Object::new(),
        Some(Value::Object(mapping)) => mapping.clone(),
        Some(_) => return Err(Error::bad_request("Invalid value resourceTypeMapping")),
    };
    let (source, _) = policy_sets::find(call, application).ok_or_else(|| {
        Error::from(policy::Error::PolicySetUnknown { realm: call.realm.to_string() }.while_creating())
    })?;
    let (destined, postfix) = (text(to, "application")?, text(to, "namePostfix")?.unwrap_or_default());
    let mut leaving = Vec::new();
    let mut arriving = Vec::new();
    for policy in all(call).await?.filter(|policy| source.is_called(&policy.application_name)) {
        if arriving.len() >= MAX_POLICIES {
            return Err(Error::bad_request(format!("More than {MAX_POLICIES} policies")));
        }
        let resource_type = match &policy.resource_type_uuid {
            Some(uuid) => text(&mapping, uuid)?,
            None => None,
        };
        let name = format!("{}{postfix}", policy.name);
        arriving.push(arrived(call, &policy, Changes { realm: &realm, name, application: destined, resource_type })?);
        if moves {
            leaving.push((policy, None));
        }
    }
    if !arriving.is_empty() {
        carry_out(call, &leaving, &realm, &arriving).await?;
    }
    Ok(arriving.iter().map(|policy| Value::Object(shown(policy, call))).collect())
}
