//! `policies?_action=evaluate` (authorization.md §2.6).

use crate::{
    caller::{self, Caller},
    crest::{Call, Error, Object},
    policy::{
        self,
        decide::{Request, decide},
        evaluate::{Evaluate, Presented},
        subject::{Profile, Subject, UniversalId},
    },
    telemetry::{self, label},
};
use metrics::{counter, histogram};
use serde_json::Value;
use std::time::Instant;

pub fn evaluate(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let start = Instant::now();
    let asked = Evaluate::parse(&Value::Object(content.clone()))?;
    let set = call.desk.policy_set(call.realm, &asked.application);
    let set = set.ok_or_else(|| policy::Error::PolicySetUnknown { realm: call.realm.to_string() })?;
    let subject = subject(call, asked.subject)?;
    let request = Request { resources: &asked.resources, subject: &subject, environment: &asked.environment };
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
