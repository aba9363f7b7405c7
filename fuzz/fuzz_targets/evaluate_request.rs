//! The body of `evaluate` and `evaluateTree`: read, and decided over a few policies, in time that the body's length bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate::policy::{
    PolicySetIndex,
    circumstances::Circumstances,
    decide::{self, Request},
    evaluate::{Evaluate, EvaluateTree, Presented},
    model::{Audit, PolicyContext, PolicyDraft, PolicyName, PolicySet},
    subject::Subject,
    tree,
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static INDEX: LazyLock<PolicySetIndex> = LazyLock::new(|| {
    let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService"});
    let set = PolicySet::create(&set, |_| true, Audit::created("fuzz", 0)).expect("a set");
    let mut index = PolicySetIndex::new(&set);
    let anybody = json!({"type": "NOT", "subject": {"type": "NONE"}});
    for (name, resource, subject, condition) in [
        ("claim", "api://w/*", json!({"type": "JwtClaim", "claimName": "sub", "claimValue": "mona"}), Value::Null),
        ("self", "https://me.acme.test/u/$SELF/*", anybody.clone(), Value::Null),
        ("scope", "https://*.acme.test:*/a*", anybody.clone(), json!({"type": "OAuth2Scope", "requiredScopes": ["a"]})),
        ("address", "*?*", anybody, json!({"type": "IPv4", "startIp": "1.0.0.0", "endIp": "9.0.0.0"})),
    ] {
        let mut body = json!({"name": name, "applicationName": "w", "resources": [resource],
            "actionValues": {"GRANT": true}, "subject": subject});
        if !condition.is_null() {
            body["condition"] = condition;
        }
        let context = PolicyContext { realm: "/", creating: true, policy_set: Some(&set), resource_type: None };
        let draft = PolicyDraft::parse(Some(&body), PolicyName::Post { url: None }).expect("a policy");
        index.upsert(Arc::new(draft.check(context, Audit::created("fuzz", 0)).expect("a policy")));
    }
    index
});

fn subject(presented: Presented) -> Subject {
    match presented {
        Presented::Caller => Subject::default(),
        Presented::Principals { claims, .. } => claims.map_or_else(Subject::default, Subject::claims),
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(body) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    if let Ok(Evaluate { resources, subject: presented, environment, .. }) = Evaluate::parse(&body) {
        let subject = subject(presented);
        let circumstances = Circumstances::new("/", &environment, 1_716_302_211_000);
        if let Ok(rows) = decide::decide(&INDEX, &Request { resources: &resources, subject: &subject, circumstances }) {
            let distinct: std::collections::HashSet<_> = resources.iter().collect();
            assert_eq!(rows.len(), distinct.len(), "a row for each resource");
            for row in rows {
                assert!(row.to_json(true)["resource"].as_str() == Some(&row.resource));
            }
        }
    }
    if let Ok(EvaluateTree { resource, subject: presented, environment, .. }) = EvaluateTree::parse(&body) {
        let circumstances = Circumstances::new("/", &environment, 1_716_302_211_000);
        drop(tree::evaluate_tree(&INDEX, &resource, &subject(presented), &circumstances));
    }
});
