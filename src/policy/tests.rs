//! The library as a whole: the acceptance list, the naive evaluator beside it, and hostile input.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    PolicySetIndex,
    circumstances::{Circumstances, Environment},
    decide::{Decision, Request, decide},
    model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet, ResourceType},
    subject::{Module, Qualified, Session, Subject, UniversalId},
};

mod acceptance;
mod agreement;
mod hostile;
pub mod naive;

/// 2024-05-21T14:36:51Z, a Tuesday.
const NOW: i64 = 1_716_302_211_000;

fn audit() -> Audit {
    Audit::created("id=amadmin,ou=user,ou=am-config", 0)
}

/// The set `w` with resource type `W`: `api://w/*`, actions `GRANT` and `AUDIT` (§11).
fn warehouse() -> (PolicySet, ResourceType) {
    let of_type = json!({"uuid": "W", "name": "Warehouse", "patterns": ["api://w/*"],
        "actions": {"GRANT": true, "AUDIT": false}});
    let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["W"]});
    let set = PolicySet::create(&set, |uuid| uuid == "W", audit()).unwrap();
    (set, ResourceType::create(&of_type, "", audit()).unwrap())
}

/// A set without resource types, whose policies may have any resource.
fn anything() -> PolicySet {
    let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService"});
    PolicySet::create(&set, |_| true, audit()).unwrap()
}

/// Writes `body` into `set`.
fn written(body: &Value, set: &PolicySet, of_type: Option<&ResourceType>) -> Result<Policy, super::Error> {
    let context = PolicyContext { realm: "/alpha", creating: true, policy_set: Some(set), resource_type: of_type };
    PolicyDraft::parse(Some(body), PolicyName::Post { url: None })?.check(context, audit())
}

/// An index of `policies` as if they had been stored and read back.
fn index(set: &PolicySet, policies: &[Value]) -> PolicySetIndex {
    let mut index = PolicySetIndex::new(set);
    for body in policies {
        let policy = written(body, set, None).unwrap();
        index.upsert(Arc::new(Policy::from_stored(&policy.to_json()).unwrap()));
    }
    index
}

fn mona() -> Session {
    let module = |name: &str| Module { name: Qualified::new("/alpha", name), authenticated_at: NOW - 600_000 };
    Session {
        auth_level: 20,
        modules: vec![module("LDAP"), module("HOTP")],
        services: vec![Qualified::new("/alpha", "Strong")],
        realms: vec!["/alpha".into()],
        address: "198.51.100.20".parse().ok(),
        authenticated_at: NOW - 600_000,
        properties: BTreeMap::from([("branch".to_owned(), "hb|KI".to_owned())]),
        ..Session::new(UniversalId::new("id=mona,ou=user"), vec![UniversalId::new("id=g,ou=group")])
    }
}

fn claims(json: Value) -> Subject {
    Subject::claims(json.as_object().cloned().unwrap())
}

fn ask(index: &PolicySetIndex, subject: &Subject, environment: &Environment, resources: &[&str]) -> Vec<Decision> {
    let resources: Vec<String> = resources.iter().map(|resource| resource.to_string()).collect();
    let circumstances = Circumstances::new("/alpha", environment, NOW);
    decide(index, &Request { resources: &resources, subject, circumstances }).unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
