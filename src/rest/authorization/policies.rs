//! `policies` (authorization.md §2.4); their actions are in [`copy`] and [`evaluate`].
//!
//! | reference    | it says                                                       | here                          |
//! |--------------|---------------------------------------------------------------|-------------------------------|
//! | §2.1.5       | the revision is the date of the last change                   | `item`                        |
//! | §2.4.4       | the order of validation                                       | [`PolicyDraft`], `checked`    |
//! | §2.4.5       | a PUT with another name renames                               | [`Resource::update`]          |
//! | §2.4.6       | filters; `_queryId=queryByIdentityUid`                        | [`filter`]                    |
//! | §2.4.8       | errors; what is missing is 400 while creating                 | `checked`, `raced`            |
//! | §2.4.9       | version 1.0                                                   | `body`, `item`                |
//! | §2.11        | who may do what                                                | [`crate::privileges`]         |

use super::{copy, created, evaluate, filter, insists, modified, object, policy_sets, resource_types};
use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Returned,
        Shape, Version, query::Select,
    },
    desk::{WriteError, delete, put},
    policy::{
        self,
        model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName},
        subject::UniversalId,
    },
    privileges::Endpoint,
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Seq, Write};
use serde_json::{Value, json};

/// The collection.
pub struct Policies;

pub(super) fn key(realm: &RealmPath, name: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::Policy, name)
}

pub(super) fn unknown(name: &str) -> Error {
    policy::Error::PolicyUnknown(name.to_owned()).into()
}

/// A policy of the realm, and where it was last written.
pub(super) fn find(call: &Call<'_>, name: &str) -> Option<(Policy, Seq)> {
    let entry = call.desk.views().entry(&key(call.realm, name))?;
    Some((Policy::from_stored(entry.json()).ok()?, entry.document.revision))
}

/// All policies of the realm, by name.
pub(super) async fn all(call: &Call<'_>) -> Result<impl Iterator<Item = Policy>, Error> {
    let stored = call.collect(Kind::Policy);
    Ok(stored.into_iter().filter_map(|(_, _, body)| Policy::from_stored(&Value::Object(body)).ok()))
}

/// As version `call.version` shows it.
pub(super) fn shown(policy: &Policy, call: &Call<'_>) -> Object {
    let mut content = object(policy.to_json());
    if call.version.0 == 1 {
        content.remove("resourceTypeUuid");
    }
    content
}

fn item(policy: &Policy, call: &Call<'_>) -> Item {
    Item { id: policy.name.clone(), revision: Some(policy.audit.revision()), content: shown(policy, call) }
}

/// To store a policy: it lives no longer than its set and its resource type.
pub(super) fn write(realm: &RealmPath, policy: &Policy, when: Precondition) -> Write {
    let mut references = vec![policy_sets::key_in(realm, &policy.application_name)];
    references.extend(policy.resource_type_uuid.iter().map(|uuid| DocumentKey::new(realm, Kind::ResourceType, uuid)));
    put(key(realm, &policy.name), when, &policy.to_json(), references, false)
}

/// Steps 6 to 9 of §2.4.4, against what `realm` has.
pub(super) fn checked(
    call: &Call<'_>,
    realm: &RealmPath,
    draft: PolicyDraft,
    creating: bool,
    audit: Audit,
) -> Result<Policy, Error> {
    let set = policy_sets::find_in(call, realm, draft.application_name()).map(|(set, _)| set);
    let resource_type = draft.resource_type_uuid().and_then(|uuid| resource_types::find_in(call, realm, uuid));
    let context = PolicyContext {
        realm: realm.as_str(),
        creating,
        policy_set: set.as_ref(),
        resource_type: resource_type.as_ref(),
    };
    Ok(draft.check(context, audit)?)
}

/// What the check relied on went away before the write.
pub(super) fn raced(error: WriteError, creating: bool) -> Error {
    let missing = |error: policy::Error| if creating { error.while_creating() } else { error };
    match error {
        WriteError::Refused(Refusal::Dangling(key)) if key.kind == Kind::PolicySet => {
            missing(policy::Error::PolicySetUnknown { realm: key.realm.to_string() }).into()
        }
        WriteError::Refused(Refusal::Dangling(key)) if key.kind == Kind::ResourceType => {
            let (uuid, realm) = (key.id.to_string(), key.realm.to_string());
            missing(policy::Error::ResourceTypeUnknown { uuid, realm }).into()
        }
        WriteError::Refused(Refusal::Exists(_)) => policy::Error::PolicyExists.into(),
        other => other.into(),
    }
}

/// The body in the words of 2.x: 1.0 knows no resource types, so the set's only one is meant (§2.4.9).
fn body(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let mut body = content.clone();
    if call.version.0 == 1 {
        let missing = || Error::bad_request("Invalid application name defined in request");
        let name = content.get("applicationName").and_then(Value::as_str).ok_or_else(missing)?;
        let unknown = || {
            let name: String = name.chars().take(1024).collect();
            Error::new(404, format!("Unable to find application {name}"))
        };
        let (set, _) = policy_sets::find(call, name).ok_or_else(unknown)?;
        match set.resource_type_uuids.as_slice() {
            [] => drop(body.remove("resourceTypeUuid")),
            [only] => drop(body.insert("resourceTypeUuid".into(), json!(only))),
            _ => {
                return Err(Error::bad_request(
                    "Cannot create policy under an application with more than one resource type using version 1.0 of \
                     this endpoint",
                ));
            }
        }
    }
    Ok(Value::Object(body))
}

impl Resource for Policies {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0), Version(2, 0), Version(2, 1)]
    }

    fn describe(&self) -> Description {
        let evaluate = |name: &str, text: &str| ActionDescription::new(name, text);
        Description::of(Shape::Collection)
            .titled("Policies", "Who may do what to which resources, under which circumstances")
            .queryable([
                "name",
                "description",
                "applicationName",
                "createdBy",
                "creationDate",
                "lastModifiedBy",
                "lastModifiedDate",
            ])
            .with_query_id("`queryByIdentityUid`: policies that name the identity of the parameter `uid`")
            .action(evaluate("evaluate", "Decides about resources"))
            .action(evaluate("evaluateTree", "Decides about a resource and those below it"))
            .action(evaluate("explain", "Decides, and says why"))
            .action(evaluate("whatif", "Decides by a policy set that is not stored"))
            .action(ActionDescription::new("copy", "Copies the policies of a set"))
            .action(ActionDescription::new("move", "Moves the policies of a set"))
            .action(ActionDescription::new("copy", "Copies a policy").on_instance())
            .action(ActionDescription::new("move", "Moves a policy").on_instance())
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Policies
    }

    fn without_body(&self) -> Option<Error> {
        PolicyDraft::parse(None, PolicyName::Post { url: None }).err().map(Error::from)
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let taken = policy::Error::PolicyExists.message();
        // A PUT to what exists is an update, whatever its body would be worth as a new policy.
        if create.id.is_some_and(|name| find(call, name).is_some()) {
            return Err(create.taken(call, taken));
        }
        let body = body(call, create.content)?;
        // A PUT takes its name from the URL when the body has none.
        let draft = match (create.id, create.content.contains_key("name")) {
            (Some(url), false) => PolicyDraft::parse(Some(&body), PolicyName::Put { url })?,
            (url, _) => PolicyDraft::parse(Some(&body), PolicyName::Post { url })?,
        };
        let made = checked(call, call.realm, draft, true, created(call)?)?;
        match call.write(write(call.realm, &made, Precondition::Absent)).await {
            Ok(_) => Ok(item(&made, call)),
            Err(error @ WriteError::Refused(Refusal::Exists(_))) => Err(create.refused(call, error, &taken)),
            Err(error) => Err(raced(error, true)),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        find(call, id).map(|(policy, _)| item(&policy, call)).ok_or_else(|| unknown(id))
    }

    /// A name in the body that differs from the URL's renames (§2.4.5): out with the old, in with the new, in one entry.
    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, given: &Match) -> Result<Item, Error> {
        let (former, revision) = find(call, id).ok_or_else(|| unknown(id))?;
        insists(given, id, &former.audit, revision)?;
        let draft = PolicyDraft::parse(Some(&body(call, content)?), PolicyName::Put { url: id })?;
        let made = checked(call, call.realm, draft, false, modified(call, &former.audit)?)?;
        let when = Precondition::Revision(revision);
        let writes = match made.name == former.name {
            true => vec![write(call.realm, &made, when)],
            false => vec![delete(key(call.realm, id), when), write(call.realm, &made, Precondition::Absent)],
        };
        call.write_all(writes).await.map_err(|error| raced(error, false))?;
        Ok(item(&made, call))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, given: &Match) -> Result<Item, Error> {
        let (former, revision) = find(call, id).ok_or_else(|| unknown(id))?;
        let when = insists(given, id, &former.audit, revision)?;
        match call.write(delete(key(call.realm, id), when)).await {
            Ok(_) => Ok(Item { id: former.name, revision: Some("0".to_owned()), content: Object::new() }),
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(unknown(id)),
            Err(error) => Err(error.into()),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let filter = match &query.select {
            Select::Filter(filter) => filter::checked(filter, &filter::Policies)?,
            Select::Expression(_) => filter::Checked::Literal(true),
            Select::Id(id) if id == "queryByIdentityUid" => {
                let missing = || Error::bad_request("Query is missing uid property.");
                let uid = call.params.get("uid").filter(|uid| !uid.is_empty()).ok_or_else(missing)?;
                let uid = UniversalId::new(uid);
                let named = all(call).await?.filter(|policy| policy.subject.lists(&uid));
                return filter::present(query, named.map(|policy| item(&policy, call)).collect());
            }
            Select::Id(id) => {
                let id: String = id.chars().take(256).collect();
                return Err(Error::bad_request(format!("Invalid query Id {id}.")));
            }
        };
        filter.answer(query, all(call).await?.map(|policy| item(&policy, call)))
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        let has_copy = call.version >= Version(2, 1);
        match (id, name) {
            (None, "evaluate") => evaluate::evaluate(call, content).await,
            (None, "evaluateTree") => evaluate::evaluate_tree(call, content).await,
            (None, "explain") => evaluate::explain(call, content).await,
            (None, "whatif") => evaluate::whatif(call, content).await,
            (Some(id), "copy" | "move") if has_copy => {
                copy::one(call, id, name == "move", content).await.map(Returned::from)
            }
            (None, "copy" | "move") if has_copy => copy::set(call, name == "move", content).await.map(Returned::from),
            _ => Err(Error::no_action(name)),
        }
    }
}
