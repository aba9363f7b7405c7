//! A condition tree, evaluated at an instant: the first line is the instant (epoch ms) and what the request says of time, the
//! rest is JSON. Dates, times of day and zones of all kinds end in an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate::policy::{
    PolicySetIndex,
    circumstances::{Circumstances, Environment},
    condition::{Condition, TTL_MAX},
    decide::{self, Request},
    model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet},
    subject::{Session, Subject, UniversalId},
};
use serde_json::{Value, json};
use std::sync::Arc;

fuzz_target!(|input: &str| {
    let Some((first, rest)) = input.split_once('\n') else {
        return;
    };
    let (now, said) = first.split_once(' ').unwrap_or((first, ""));
    let now: i64 = now.parse().unwrap_or(1_716_302_211_000);
    let Ok(condition) = serde_json::from_str::<Value>(rest) else {
        return;
    };
    if let Ok(read) = Condition::parse(&condition) {
        let json = read.to_json();
        let again = Condition::parse(&json).expect("what was written is read again");
        assert_eq!(again.to_json(), json, "reading changes nothing");
    }
    let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService"});
    let set = PolicySet::create(&set, |_| true, Audit::created("fuzz", 0)).expect("a set");
    let body = json!({"name": "p", "applicationName": "w", "resources": ["r"], "actionValues": {"GRANT": true},
        "subject": {"type": "NOT", "subject": {"type": "NONE"}}, "condition": condition});
    let Ok(draft) = PolicyDraft::parse(Some(&body), PolicyName::Post { url: None }) else {
        return;
    };
    let context = PolicyContext { realm: "/", creating: true, policy_set: Some(&set), resource_type: None };
    let Ok(policy) = draft.check(context, Audit::created("fuzz", 0)) else {
        return;
    };
    let mut index = PolicySetIndex::new(&set);
    index.upsert(Arc::new(Policy::from_stored(&policy.to_json()).expect("what was written is read again")));
    let values: Vec<String> = said.split(' ').map(str::to_owned).collect();
    let keys = [
        "requestTime",
        "requestTimeZone",
        "requestIp",
        "requestDnsName",
        "requestAuthLevel",
        "requestSessionCreationTime",
        "requestAuthenticatedToRealms",
        "scope",
    ];
    let environment: Environment = match said {
        "" => Environment::new(),
        _ => keys.map(|key| (key.to_owned(), values.clone())).into(),
    };
    let session = Session::new(UniversalId::new("id=mona,ou=user"), Vec::new());
    for subject in [Subject::default(), Subject { session: Some(session), ..Subject::default() }] {
        let resources = ["r".to_owned()];
        let circumstances = Circumstances::new("/", &environment, now);
        let request = Request { resources: &resources, subject: &subject, circumstances };
        let row = &decide::decide(&index, &request).expect("a good resource")[0];
        assert!(row.faults.is_empty() || row.actions.is_empty(), "a policy with a fault grants nothing");
        assert!(row.ttl <= TTL_MAX);
    }
});
