//! A pattern and a resource, a line each; a third line names who asks. Whatever they are: the canonical form is stable, what
//! matches is found through the index, and no name stands for more than itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate::policy::{
    PolicySetIndex,
    circumstances::{Circumstances, Environment},
    decide::{self, Request},
    model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet},
    resource::{Comparator, Pattern, Resource},
    subject::Subject,
};
use serde_json::json;
use std::sync::Arc;

const COMPARATORS: [(Comparator, &str); 4] = [
    (Comparator::Url, "URLResourceName"),
    (Comparator::Prefix, "PrefixResourceName"),
    (Comparator::Exact, "ExactMatchResourceName"),
    (Comparator::Regex, "RegExResourceName"),
];

fuzz_target!(|input: &str| {
    let mut lines = input.lines();
    let (Some(pattern), Some(resource)) = (lines.next(), lines.next()) else {
        return;
    };
    let name = lines.next().unwrap_or("mona");
    for (comparator, class) in COMPARATORS {
        let read = Pattern::parse_for(comparator, pattern);
        let asked = Resource::parse_for(comparator, resource);
        let Ok(read) = read else {
            continue;
        };
        let again = Pattern::parse_for(comparator, read.canonical()).expect("what was stored is read again");
        assert_eq!(again.canonical(), read.canonical(), "canonical forms are stable");
        if let Some(named) = read.for_principal(name) {
            assert!(!name.contains('*') && !name.contains('/'), "a name chooses what it matches: {named:?}");
        }
        let Ok(asked) = asked else {
            continue;
        };
        // Through a policy, as it would be stored.
        let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService",
            "resourceComparator": format!("com.sun.identity.entitlement.{class}")});
        let set = PolicySet::create(&set, |_| true, Audit::created("fuzz", 0)).expect("a set");
        let body = json!({"name": "p", "applicationName": "w", "resources": [pattern], "actionValues": {"GRANT": true},
            "subject": {"type": "NOT", "subject": {"type": "NONE"}}});
        let context =
            PolicyContext { realm: "/", creating: true, policy_set: Some(&set), resource_type: None };
        let Ok(draft) = PolicyDraft::parse(Some(&body), PolicyName::Post { url: None }) else {
            continue;
        };
        let Ok(policy) = draft.check(context, Audit::created("fuzz", 0)) else {
            continue;
        };
        let policy = Policy::from_stored(&policy.to_json()).expect("what was written is read again");
        let mut index = PolicySetIndex::new(&set);
        index.upsert(Arc::new(policy));
        let (environment, resources) = (Environment::new(), [resource.to_owned()]);
        let subject = Subject::claims(json!({"sub": name}).as_object().cloned().expect("an object"));
        let request =
            Request { resources: &resources, subject: &subject, circumstances: Circumstances::new("/", &environment, 0) };
        let granted = decide::decide(&index, &request).expect("a resource that was read")[0].allows("GRANT");
        let fits = match read.names_principal() {
            true => read.for_principal(name).is_some_and(|named| named.matches(&asked)),
            false => read.matches(&asked),
        };
        // A name that is a DN stands for its first value, which the index knows and this does not.
        if !read.names_principal() || !name.contains(['=', ',']) {
            assert_eq!(granted, fits, "the index and the matcher disagree: {pattern:?} {resource:?} {class}");
        }
    }
});
