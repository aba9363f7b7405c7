//! Policy sets as version 1.0 of `applications` shows them (authorization.md §2.3.6): with the actions and patterns of their
//! resource types in place of the types.

use super::{Error, created, modified, object, resource_types};
use crate::{
    crest::{Call, Item, Object},
    host,
    policy::model::{PolicySet, ResourceType},
};
use quorate_raft::{Precondition, Write};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What 1.0 has no word for.
const HIDDEN: [&str; 2] = ["resourceTypeUuids", "displayName"];

/// A set as 1.0 shows it.
pub fn item(call: &Call<'_>, set: &PolicySet) -> Item {
    let types: Vec<ResourceType> =
        set.resource_type_uuids.iter().filter_map(|uuid| resource_types::find(call, uuid)).collect();
    let actions: BTreeMap<&String, bool> =
        types.iter().flat_map(|of_type| &of_type.actions).map(|(name, value)| (name, *value)).collect();
    let resources: BTreeSet<&String> = types.iter().flat_map(|of_type| &of_type.patterns).collect();
    let mut content = object(set.to_json());
    content.retain(|name, _| !HIDDEN.contains(&name.as_str()));
    content.insert("realm".into(), call.realm.as_str().into());
    content.insert("actions".into(), json!(actions));
    content.insert("resources".into(), json!(resources));
    Item { id: set.name.clone(), revision: Some(set.audit.revision()), content }
}

/// The realm that the body names must be the one that is addressed.
fn realm_fits(call: &Call<'_>, content: &Object) -> Result<(), Error> {
    let named = content.get("realm").and_then(Value::as_str);
    if named == Some(call.realm.as_str()) {
        return Ok(());
    }
    let named: String = named.unwrap_or("null").chars().take(512).collect();
    Err(Error::bad_request(format!(
        "Attempted to create Application in realm {named}, but request originated from {}.",
        call.realm
    )))
}

/// A resource type with what the body says about actions and patterns, not stored yet.
fn wanted(call: &Call<'_>, content: &Object, name: &str) -> Result<ResourceType, Error> {
    let invalid = |what: &str| Error::bad_request(format!("Invalid {what} defined in request"));
    let actions = content.get("actions").filter(|value| value.is_object()).ok_or_else(|| invalid("actions"))?;
    let resources = content.get("resources").filter(|value| value.is_array()).ok_or_else(|| invalid("resources"))?;
    let body =
        json!({"name": name, "description": "Generated resource type", "patterns": resources, "actions": actions});
    let fresh = uuid::Uuid::new_v4().to_string();
    Ok(ResourceType::create(&body, &fresh, created(call)?)?)
}

fn is_same(a: &ResourceType, b: &ResourceType) -> bool {
    let patterns = |of_type: &ResourceType| of_type.patterns.iter().cloned().collect::<BTreeSet<_>>();
    a.actions == b.actions && patterns(a) == patterns(b)
}

/// The body in the words of 2.x for a set that is `new`, or that refers to `types`; and what has to be written for it first.
///
/// # Errors
/// 400 in the words of §2.3.6.
pub async fn translated(
    call: &Call<'_>,
    content: &Object,
    name: &str,
    types: Option<&[String]>,
) -> Result<(Object, Vec<Write>), Error> {
    realm_fits(call, content)?;
    let (uuid, writes) = match types {
        Some([_, _, ..]) => {
            return Err(Error::bad_request(
                "Cannot modify application with more than one resource type using version 1.0 of this endpoint",
            ));
        }
        Some([uuid]) => match resource_types::find(call, uuid) {
            Some(former) => {
                let wanted = wanted(call, content, &former.name)?;
                let write = (!is_same(&wanted, &former)).then_some(()).map(|()| {
                    let audit = modified(call, &former.audit)?;
                    let changed =
                        ResourceType { patterns: wanted.patterns, actions: wanted.actions, audit, ..former.clone() };
                    Ok::<_, Error>(resource_types::write(call, &changed, Precondition::Present))
                });
                (uuid.clone(), write.transpose()?.into_iter().collect())
            }
            None => found_or_made(call, content, name).await?,
        },
        Some([]) | None => found_or_made(call, content, name).await?,
    };
    let mut translated = content.clone();
    HIDDEN.iter().for_each(|hidden| drop(translated.remove(*hidden)));
    translated.insert("resourceTypeUuids".into(), json!([uuid]));
    Ok((translated, writes))
}

async fn found_or_made(call: &Call<'_>, content: &Object, name: &str) -> Result<(String, Vec<Write>), Error> {
    let digits = u32::from_be_bytes(host::random::<4>()) % 10_000;
    let wanted = wanted(call, content, &format!("{name}ResourceType{digits:04}"))?;
    let all = resource_types::all(call).await?;
    Ok(match all.iter().find(|known| is_same(known, &wanted)) {
        Some(known) => (known.uuid.clone(), Vec::new()),
        None => {
            let writes = resource_types::creating(call.realm, &wanted);
            (wanted.uuid, writes)
        }
    })
}
