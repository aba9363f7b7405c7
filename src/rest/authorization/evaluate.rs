//! `policies?_action=evaluate` and `evaluateTree` (authorization.md §2.6), and beyond the reference `explain` and `whatif`.
//!
//! | source     | it says                                                     | here            |
//! |------------|-------------------------------------------------------------|-----------------|
//! | §2.6.1     | the request                                                 | [`Evaluate`]    |
//! | §2.6.2     | the subject presented, or the caller                        | `who`           |
//! | §2.6.3     | rows; `_fields` applies to them                             | `rows`          |
//! | §2.6.4     | an unknown policy set is 404                                | `policy_set`    |
//! | §6.4       | strict mode is 500                                          | [`Question`]    |
//! | extension  | `explain`: the same, with the reasons                       | [`explain`]     |
//! | extension  | `whatif`: the same, against policies in the body            | [`whatif`]      |
//! | extension  | a decision that is no older than a revision                 | [`at_least`]    |

use super::{now, policies, policy_sets, resource_types};
use crate::{
    audit::Purpose,
    caller,
    crest::{Call, Error, Fields, Item, Object, Returned},
    decisions::{NoDecision, Question, TooMany, Who, at_least},
    policy::{
        self, PolicySetIndex,
        circumstances::Environment,
        evaluate::{Evaluate, EvaluateTree, Presented},
        explain::Explanation,
        model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet, ResourceType},
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Most policies that one request may try out.
const MAX_POLICIES: usize = 1000;

impl From<NoDecision> for Error {
    fn from(error: NoDecision) -> Self {
        match error {
            NoDecision::Refused(refused) => refused.into(),
            NoDecision::Unrecorded(_) => crate::consensus::Unavailable::Overloaded.into(),
            NoDecision::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

fn invalid(what: &str) -> Error {
    Error::bad_request(format!("Invalid value {what}"))
}

/// PD-14: whoever tries things out does so at a bounded rate.
fn count_dry_run(call: &Call<'_>) -> Result<(), Error> {
    let caller = call.signed_in()?;
    let counted = call.desk.rules().dry_runs.count(&caller.session.data.universal_id);
    counted.map_err(|TooMany { wait }| {
        Error::too_many_requests(u32::try_from(wait.as_secs_f64().ceil() as u64).unwrap_or(u32::MAX))
    })
}

/// The set that is asked.
fn policy_set(call: &Call<'_>, name: &str) -> Result<Arc<PolicySetIndex>, Error> {
    let unknown = || policy::Error::PolicySetUnknown { realm: call.realm.to_string() }.into();
    call.desk.policy_set(call.realm, name).ok_or_else(unknown)
}

/// §2.6.2: the subject that is presented, or the caller. The caller speaks from where the request comes from; what proxies
/// say about that is for `environment.requestIp`.
fn who(call: &Call<'_>, presented: Presented) -> Result<Who, Error> {
    match presented {
        Presented::Caller => {
            let address = call.request.peer_addr().map(|peer| peer.ip().to_canonical());
            Ok(Who::session(call.desk, call.signed_in()?, address))
        }
        Presented::Principals { sso_token, claims } => {
            let who = match sso_token {
                None => Who::default(),
                Some(token) => {
                    let owner = caller::session(call.desk, &token).ok_or_else(|| invalid("subject"))?;
                    Who::session(call.desk, &owner, None)
                }
            };
            Ok(who.and_claims(claims))
        }
    }
}

/// Each row as the caller wants to see it.
fn rows<R: Serialize>(call: &Call<'_>, rows: impl Iterator<Item = R>) -> Returned {
    if *call.fields == Fields::All {
        return call.text(&rows.collect::<Vec<_>>());
    }
    let shown = |row: R| {
        let content = super::object(json!(row));
        Value::Object(call.fields.apply(Item { id: String::new(), revision: None, content }).content)
    };
    Returned::Json(rows.map(shown).collect())
}

/// What a request asks, and of whom: everything that a [`Question`] refers to.
struct Asked<'q> {
    call: &'q Call<'q>,
    name: String,
    set: Arc<PolicySetIndex>,
    who: Who,
    environment: Environment,
}

impl<'q> Asked<'q> {
    /// Of a stored set.
    fn stored(call: &'q Call<'q>, name: String, presented: Presented, environment: Environment) -> Result<Self, Error> {
        let set = policy_set(call, &name)?;
        Ok(Self { call, set, who: who(call, presented)?, name, environment })
    }

    fn question(&self, purpose: Purpose) -> Question<'_> {
        let Self { call, name, set, who, environment } = self;
        Question { desk: call.desk, realm: call.realm, name, set, who, environment, purpose }
    }
}

/// `evaluate`
///
/// # Errors
/// §2.6.4.
pub async fn evaluate(call: &Call<'_>, content: &Object) -> Result<Returned, Error> {
    at_least(call.desk, call.request).await?;
    let Evaluate { resources, application, subject, environment } = Evaluate::of(content)?;
    let asked = Asked::stored(call, application, subject, environment)?;
    let with_ttl = call.version.0 > 1;
    let decisions = asked.question(Purpose::Evaluate).decide(&resources).await?;
    Ok(rows(call, decisions.iter().map(|decision| decision.row(with_ttl))))
}

/// `evaluateTree`
///
/// # Errors
/// §2.6.4.
pub async fn evaluate_tree(call: &Call<'_>, content: &Object) -> Result<Returned, Error> {
    at_least(call.desk, call.request).await?;
    let body = EvaluateTree::of(content)?;
    let EvaluateTree { resource, application, subject, environment } = body;
    let asked = Asked::stored(call, application, subject, environment)?;
    let with_ttl = call.version.0 > 1;
    let decisions = asked.question(Purpose::EvaluateTree).tree(&resource).await?;
    Ok(rows(call, decisions.iter().map(|decision| decision.row(with_ttl))))
}

/// `explain`: the body of `evaluate`; rows with the reasons. Nothing that a decision would have done is done.
///
/// # Errors
/// Those of [`evaluate`].
pub async fn explain(call: &Call<'_>, content: &Object) -> Result<Returned, Error> {
    count_dry_run(call)?;
    at_least(call.desk, call.request).await?;
    let Evaluate { resources, application, subject, environment } = Evaluate::of(content)?;
    let asked = Asked::stored(call, application, subject, environment)?;
    let explanations = asked.question(Purpose::Explain).explain(&resources)?;
    Ok(rows(call, explanations.iter().map(Explanation::to_json)))
}

/// `whatif`: the body of `evaluate` with `policies`, and where wanted `policySet` and `resourceTypes`, in place of what is
/// stored. Policies that are not in the body are not asked, unless `keepStored` is true: then those of the body replace the
/// stored ones of the same name. Writes nothing; `explain: true` adds the reasons.
///
/// # Errors
/// Those of [`evaluate`], and those of writing what is in the body.
pub async fn whatif(call: &Call<'_>, content: &Object) -> Result<Returned, Error> {
    count_dry_run(call)?;
    at_least(call.desk, call.request).await?;
    let Evaluate { resources, application, subject, environment } = Evaluate::of(content)?;
    let flag = |member: &'static str| match content.get(member) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(invalid(member)),
    };
    let set = Arc::new(tried(call, content, &application, flag("keepStored")?).await?);
    let explains = flag("explain")?;
    let asked = Asked { call, set, who: who(call, subject)?, name: application, environment };
    let question = asked.question(Purpose::WhatIf);
    Ok(match explains {
        true => rows(call, question.explain(&resources)?.iter().map(Explanation::to_json)),
        false => rows(call, question.try_out(&resources)?.iter().map(|decision| decision.row(true))),
    })
}

/// The set that a request wants tried, as it would be if what is in the body were stored.
async fn tried(call: &Call<'_>, content: &Object, name: &str, keep: bool) -> Result<PolicySetIndex, Error> {
    let audit = || Audit::created("whatif", now());
    let list = |member: &'static str| match content.get(member) {
        None | Some(Value::Null) => Ok(&[] as &[Value]),
        Some(Value::Array(items)) if items.len() <= MAX_POLICIES => Ok(items.as_slice()),
        Some(_) => Err(invalid(member)),
    };
    let mut types: BTreeMap<String, ResourceType> = BTreeMap::new();
    for body in list("resourceTypes")? {
        let of_type = ResourceType::create(body, &uuid::Uuid::new_v4().to_string(), audit())?;
        types.insert(of_type.uuid.clone(), of_type);
    }
    let of_uuid = |uuid: &str| types.get(uuid).cloned().or_else(|| resource_types::find(call, uuid));
    let set = match content.get("policySet") {
        None | Some(Value::Null) => {
            let unknown = || policy::Error::PolicySetUnknown { realm: call.realm.to_string() };
            policy_sets::find(call, name).ok_or_else(unknown)?.0
        }
        Some(body) => PolicySet::put(body, name, |uuid| of_uuid(uuid).is_some(), audit())?,
    };
    let mut index = PolicySetIndex::new(&set);
    if keep {
        let stored = policies::all(call).await?.filter(|policy| set.is_called(&policy.application_name));
        stored.for_each(|policy| index.upsert(Arc::new(policy)));
    }
    for body in list("policies")? {
        index.upsert(Arc::new(policy_of(call, body, &set, &of_uuid, audit())?));
    }
    Ok(index)
}

/// A policy of the body, checked as if it were created. It belongs to the set that is asked unless it says otherwise.
fn policy_of(
    call: &Call<'_>,
    body: &Value,
    set: &PolicySet,
    of_uuid: &impl Fn(&str) -> Option<ResourceType>,
    audit: Audit,
) -> Result<Policy, Error> {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.entry("applicationName").or_insert_with(|| json!(set.name));
    }
    let draft = PolicyDraft::parse(Some(&body), PolicyName::Post { url: None })?;
    let resource_type = draft.resource_type_uuid().and_then(of_uuid);
    let belongs = set.is_called(draft.application_name());
    let context = PolicyContext {
        realm: call.realm.as_str(),
        creating: true,
        policy_set: belongs.then_some(set),
        resource_type: resource_type.as_ref(),
    };
    Ok(draft.check(context, audit)?)
}
