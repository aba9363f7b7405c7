//! `policies` (authorization.md §2.4) and `policies?_action=evaluate` (§2.6).

use super::{created, modified, object, policy_sets, resource_types};
use crate::{
    caller::{self, Caller, Role},
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Verb, Version,
        pointer::Names,
    },
    desk::{WriteError, delete, put},
    host,
    policy::{
        self,
        decide::{Circumstances, Request, decide},
        evaluate::{Evaluate, Presented},
        model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName},
        subject::{Profile, Subject, UniversalId},
    },
    telemetry::{self, label},
};
use metrics::{counter, histogram};
use quorate_raft::{DocumentKey, Kind, Precondition, Refusal, Seq, Write};
use serde_json::Value;
use std::time::Instant;

/// The collection.
pub struct Policies;

fn key(call: &Call<'_>, name: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::Policy, name)
}

fn unknown(name: &str) -> Error {
    policy::Error::PolicyUnknown(name.to_owned()).into()
}

fn find(call: &Call<'_>, name: &str) -> Option<(Policy, Seq)> {
    let entry = call.desk.views().entry(&key(call, name))?;
    Some((Policy::from_stored(entry.json()).ok()?, entry.document.revision))
}

fn item(policy: &Policy, call: &Call<'_>) -> Item {
    let mut content = object(policy.to_json());
    if call.version.0 == 1 {
        content.remove("resourceTypeUuid");
    }
    Item { id: policy.name.clone(), revision: Some(policy.audit.revision()), content }
}

/// A policy lives no longer than its set and its resource type.
fn write(call: &Call<'_>, policy: &Policy, when: Precondition) -> Write {
    let mut references = vec![policy_sets::key(call, &policy.application_name)];
    references
        .extend(policy.resource_type_uuid.iter().map(|uuid| DocumentKey::new(call.realm, Kind::ResourceType, uuid)));
    put(key(call, &policy.name), when, &policy.to_json(), references, false)
}

/// Steps 6 to 9 of §2.4.4, against what this realm has.
fn checked(call: &Call<'_>, draft: PolicyDraft, creating: bool, audit: Audit) -> Result<Policy, Error> {
    let set = policy_sets::find(call, draft.application_name()).map(|(set, _)| set);
    let resource_type = draft.resource_type_uuid().and_then(|uuid| resource_types::find(call, uuid));
    let context = PolicyContext {
        realm: call.realm.as_str(),
        creating,
        policy_set: set.as_ref(),
        resource_type: resource_type.as_ref(),
    };
    Ok(draft.check(context, audit)?)
}

/// What the check relied on went away before the write.
fn raced(error: WriteError, call: &Call<'_>) -> Error {
    let realm = || call.realm.to_string();
    match error {
        WriteError::Refused(Refusal::Dangling(key)) if key.kind == Kind::PolicySet => {
            policy::Error::PolicySetUnknown { realm: realm() }.into()
        }
        WriteError::Refused(Refusal::Dangling(key)) if key.kind == Kind::ResourceType => {
            policy::Error::ResourceTypeUnknown { uuid: key.id.to_string(), realm: realm() }.into()
        }
        WriteError::Refused(Refusal::Exists(_)) => policy::Error::PolicyExists.into(),
        other => other.into(),
    }
}

/// `If-Match` names the date of the last change; whatever it says, nobody else may write in between.
fn when(given: &Match, policy: &Policy, revision: Seq) -> Result<Precondition, Error> {
    match given {
        Match::Revision(text) if *text != policy.audit.revision() => Err(Error::stale(&policy.name)),
        _ => Ok(Precondition::Revision(revision)),
    }
}

impl Resource for Policies {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0), Version(2, 0), Version(2, 1)]
    }

    fn shows_id_in_protocol_1(&self) -> bool {
        false
    }

    /// §2.11: agents may evaluate, in any realm; everything else is for administrators.
    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        let evaluates = matches!(verb, Verb::Action(name, _) if name == "evaluate");
        match call.caller {
            Some(caller) if evaluates && caller.role == Role::Agent => Ok(()),
            _ => call.administrator(),
        }
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let body = Value::Object(create.content.clone());
        let name = match create.id {
            Some(url) => PolicyName::Post { url: Some(url) },
            None => PolicyName::Post { url: None },
        };
        // A PUT takes its name from the URL when the body has none.
        let draft = match (create.id, create.content.contains_key("name")) {
            (Some(url), false) => PolicyDraft::parse(Some(&body), PolicyName::Put { url })?,
            _ => PolicyDraft::parse(Some(&body), name)?,
        };
        let made = checked(call, draft, true, created(call)?)?;
        let taken = policy::Error::PolicyExists.message();
        match call.write(write(call, &made, Precondition::Absent)).await {
            Ok(_) => Ok(item(&made, call)),
            Err(error @ WriteError::Refused(Refusal::Exists(_))) => Err(create.refused(call, error, &taken)),
            Err(error) => Err(raced(error, call)),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        find(call, id).map(|(policy, _)| item(&policy, call)).ok_or_else(|| unknown(id))
    }

    /// A name in the body that differs from the URL's renames (§2.4.5): out with the old, in with the new, in one entry.
    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, given: &Match) -> Result<Item, Error> {
        let (former, revision) = find(call, id).ok_or_else(|| unknown(id))?;
        let when = when(given, &former, revision)?;
        let draft = PolicyDraft::parse(Some(&Value::Object(content.clone())), PolicyName::Put { url: id })?;
        let made = checked(call, draft, false, modified(call, &former.audit)?)?;
        let writes = match made.name == former.name {
            true => vec![write(call, &made, when)],
            false => vec![delete(key(call, id), when), write(call, &made, Precondition::Absent)],
        };
        call.desk.write(writes).await.map_err(|error| raced(error, call))?;
        Ok(item(&made, call))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, given: &Match) -> Result<Item, Error> {
        let (former, revision) = find(call, id).ok_or_else(|| unknown(id))?;
        match call.write(delete(key(call, id), when(given, &former, revision)?)).await {
            Ok(_) => Ok(Item { id: former.name, revision: Some("0".to_owned()), content: Object::new() }),
            Err(WriteError::Refused(Refusal::Missing(_))) => Err(unknown(id)),
            Err(error) => Err(error.into()),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = call.collect(Kind::Policy).await?;
        let policies = all.into_iter().filter_map(|(_, _, stored)| Policy::from_stored(&Value::Object(stored)).ok());
        query.answer(policies.map(|policy| item(&policy, call)), Names::Exact, Totals::Remaining)
    }

    async fn action(
        &self,
        call: &Call<'_>,
        id: Option<&str>,
        name: &str,
        content: &Object,
    ) -> Result<Option<Value>, Error> {
        match (id, name) {
            (None, "evaluate") => evaluate(call, content).map(Some),
            _ => Err(Error::no_action(name)),
        }
    }
}

fn evaluate(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let start = Instant::now();
    let asked = Evaluate::parse(&Value::Object(content.clone()))?;
    let set = call.desk.policy_set(call.realm, &asked.application);
    let set = set.ok_or_else(|| policy::Error::PolicySetUnknown { realm: call.realm.to_string() })?;
    let subject = subject(call, asked.subject)?;
    let now = i64::try_from(host::now().0).unwrap_or(i64::MAX);
    let circumstances = Circumstances::new(call.realm.as_str(), &asked.environment, now);
    let request = Request { resources: &asked.resources, subject: &subject, circumstances };
    let decisions = decide(&set, &request)?;
    for decision in &decisions {
        let outcome = match decision.actions.values().any(|&allowed| !allowed) {
            true => "deny",
            false if decision.actions.is_empty() => "none",
            false => "allow",
        };
        counter!(telemetry::POLICY_DECISIONS, label::OUTCOME => outcome).increment(1);
        for (name, fault) in &decision.faults {
            tracing::warn!(realm = %call.realm, policy = %name, ?fault, "a policy could not be evaluated and grants nothing");
        }
    }
    histogram!(telemetry::POLICY_SECONDS).record(start.elapsed());
    let with_ttl = call.version.0 > 1;
    Ok(decisions.iter().map(|decision| decision.to_json(with_ttl)).collect())
}

/// §2.6.2: the subject that is presented, or the caller.
fn subject(call: &Call<'_>, presented: Presented) -> Result<Subject, Error> {
    match presented {
        Presented::Caller => Ok(of_session(call, call.signed_in()?)),
        Presented::Principals { sso_token, claims } => {
            let mut subject = match sso_token {
                None => Subject::default(),
                Some(token) => {
                    let owner = caller::session(call.desk, &token);
                    of_session(call, &owner.ok_or_else(|| policy::Error::InvalidValue("subject".into()))?)
                }
            };
            subject.claims = claims;
            Ok(subject)
        }
    }
}

fn of_session(call: &Call<'_>, owner: &Caller) -> Subject {
    let data = &owner.session.data;
    let mut subject = Subject::session(UniversalId::new(&*data.universal_id), Vec::new());
    subject.profile = call.desk.views().entry(&data.subject).map(|entry| profile(entry.json()));
    subject
}

/// Attributes that a policy may show: texts and lists of texts, nothing secret.
fn profile(user: &Value) -> Profile {
    let secret = |name: &str| name.starts_with('_') || name.to_lowercase().contains("password");
    let texts = |value: &Value| match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let attributes = user.as_object().into_iter().flatten();
    attributes
        .filter(|(name, _)| !secret(name))
        .filter_map(|(name, value)| Some((name.clone(), texts(value)?)))
        .collect()
}
