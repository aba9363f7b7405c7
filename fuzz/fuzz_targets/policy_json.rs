//! A policy as an administrator sends it. What is accepted is read back as it was written, decides without a panic, alike when
//! it is explained, and in a tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate::policy::{
    PolicySetIndex,
    circumstances::{Circumstances, Environment},
    decide::{self, Request},
    explain,
    model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet},
    subject::Subject,
    tree,
};
use serde_json::{Value, json};
use std::sync::Arc;

fuzz_target!(|input: &[u8]| {
    let Ok(body) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService"});
    let set = PolicySet::create(&set, |_| true, Audit::created("fuzz", 0)).expect("a set");
    let Ok(draft) = PolicyDraft::parse(Some(&body), PolicyName::Put { url: "p" }) else {
        return;
    };
    let context = PolicyContext { realm: "/", creating: true, policy_set: Some(&set), resource_type: None };
    let Ok(policy) = draft.check(context, Audit::created("fuzz", 1_716_302_211_093)) else {
        return;
    };
    let stored = policy.to_json();
    let read = Policy::from_stored(&stored).expect("what was written is read again");
    assert_eq!(read.to_json(), stored, "reading changes nothing");
    let resources = read.resources.clone();
    let mut index = PolicySetIndex::new(&set);
    index.upsert(Arc::new(read));
    let environment = Environment::from([("requestIp".to_owned(), vec!["198.51.100.20".to_owned()])]);
    let subject = Subject::claims(json!({"sub": "mona", "iss": "x"}).as_object().cloned().expect("an object"));
    let circumstances = Circumstances::new("/", &environment, 1_716_302_211_000);
    let request = Request { resources: &resources, subject: &subject, circumstances };
    if let (Ok(decisions), Ok(explanations)) = (decide::decide(&index, &request), explain::explain(&index, &request)) {
        for (decision, explanation) in decisions.iter().zip(&explanations) {
            assert_eq!(*decision, explanation.decision, "an explanation says what the decision says");
            assert!(decision.advices.is_empty() || decision.actions.is_empty(), "advice leaves no action standing");
        }
    }
    for resource in &resources {
        drop(tree::evaluate_tree(&index, resource, &subject, &circumstances));
    }
});
