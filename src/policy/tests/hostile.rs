//! Hostile input: no panic, and bounded time, whatever is read, compared or asked.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::policy::{
    Error,
    condition::{Condition, time::zone},
    evaluate::{Evaluate, EvaluateTree},
    explain::explain,
    resource::{Comparator, MAX_LENGTH, MAX_WILDCARDS, Pattern, Resource},
    subject::{MAX_DEPTH, SubjectTree},
    tree::evaluate_tree,
};

const COMPARATORS: [Comparator; 5] =
    [Comparator::Url, Comparator::Prefix, Comparator::Exact, Comparator::Regex, Comparator::None];

/// JSON built of what policies are built of, in the wrong places.
fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "AND",
            "OR",
            "NOT",
            "JwtClaim",
            "Identity",
            "SimpleTime",
            "IPv4",
            "IPv6",
            "Session",
            "AuthLevel",
            "AuthScheme",
            "ResourceEnvIP",
            "LDAPFilter",
            "IdmUser",
            "OAuth2Scope",
            "SessionProperty",
            "Transaction",
            "Script",
            "REGEX",
            "22:00",
            "mon",
            "2026:02:30",
            "GMT+2:00",
            "10.0.0.1",
            "::1",
            "(a=b)",
            "IF a=b THEN authlevel=1",
            "api://w/*",
            "http://h:x",
            "-*-*",
            "Static",
            "User",
            "",
            " ",
            "\u{0}",
            "İ",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    let leaf = prop_oneof![
        3 => text.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let member = prop::sample::select(vec![
        "type",
        "conditions",
        "condition",
        "subjects",
        "subject",
        "claimName",
        "claimValue",
        "subjectValues",
        "authLevel",
        "authScheme",
        "startTime",
        "endTime",
        "startDay",
        "endDay",
        "startDate",
        "endDate",
        "enforcementTimeZone",
        "startIp",
        "endIp",
        "ipRange",
        "dnsName",
        "maxSessionTime",
        "properties",
        "requiredScopes",
        "ldapFilter",
        "resourceEnvIPConditionValue",
        "comparator",
        "value",
        "name",
        "active",
        "resources",
        "actionValues",
        "resourceAttributes",
        "propertyName",
        "propertyValues",
        "resource",
        "environment",
        "claims",
        "jwt",
        "sub",
        "x",
    ]);
    leaf.prop_recursive(5, 40, 6, move |child| {
        prop_oneof![
            prop::collection::vec(child.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(member.clone(), child, 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// Runs `what` and says that it was quick enough; generous, for a debug build on a busy machine.
fn quick<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = run();
    assert!(start.elapsed() < Duration::from_secs(5), "{what} took {:?}", start.elapsed());
    done
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_json_is_read_or_refused(any in json(), policy in json(), condition in json(), subject in json()) {
        let mut whole = json!({"name": "p", "resources": ["a"], "subject": subject, "condition": condition});
        if let (Some(whole), Some(more)) = (whole.as_object_mut(), policy.as_object()) {
            whole.extend(more.clone());
        }
        for body in [&any, &policy, &whole] {
            if let Ok(condition) = Condition::parse(body) {
                prop_assert_eq!(Condition::parse(&condition.to_json()), Ok(condition.clone()));
            }
            if let Ok(subject) = SubjectTree::parse(body) {
                prop_assert_eq!(SubjectTree::parse(&subject.to_json()), Ok(subject.clone()));
            }
            let _ = (Evaluate::parse(body), EvaluateTree::parse(body), PolicySet::create(body, |_| true, audit()));
            let _ = (ResourceType::create(body, "u", audit()), Policy::from_stored(body));
            if let Ok(policy) = written(body, &anything(), None) {
                prop_assert_eq!(Policy::from_stored(&policy.to_json()), Ok(policy));
            }
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_refused(text in "\\PC{0,40}", other in "[a*/?#:.-]{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let lossy = String::from_utf8_lossy(&bytes);
        for pattern in [text.as_str(), other.as_str(), &lossy] {
            for comparator in COMPARATORS {
                let Ok(pattern) = Pattern::parse_for(comparator, pattern) else { continue };
                let again = Pattern::parse_for(comparator, pattern.canonical());
                prop_assert_eq!(again.as_ref(), Ok(&pattern), "what is stored can be read");
                for resource in [text.as_str(), other.as_str(), &lossy] {
                    if let Ok(resource) = Resource::parse_for(comparator, resource) {
                        pattern.matches(&resource);
                    }
                }
                let _ = (pattern.accepts(&pattern), pattern.for_principal(&other));
            }
        }
    }

    #[test]
    fn any_text_is_a_time_or_refused(text in "\\PC{0,20}", near in "[0-9:+GMTa-z/-]{0,12}") {
        for text in [&text, &near] {
            let _ = zone(text);
            for (start, end) in [("startTime", "endTime"), ("startDay", "endDay"), ("startDate", "endDate")] {
                let mut condition = json!({"type": "SimpleTime"});
                (condition[start], condition[end]) = (json!(text), json!(text));
                condition["enforcementTimeZone"] = json!(near);
                if let Ok(condition) = Condition::parse(&condition) {
                    prop_assert_eq!(Condition::parse(&condition.to_json()), Ok(condition.clone()));
                }
            }
        }
    }

    /// Evaluation at any instant, in any part of the calendar.
    #[test]
    fn any_instant_has_an_answer(now in any::<i64>(), year in 1..9999_i32) {
        let time = json!({"type": "SimpleTime", "startTime": "22:00", "endTime": "06:00", "startDay": "fri", "endDay": "mon",
            "startDate": format!("{year:04}:01:01"), "endDate": "9999:12:31", "enforcementTimeZone": "America/New_York"});
        let session = json!({"type": "Session", "maxSessionTime": i64::MAX});
        let body = json!({"name": "p", "applicationName": "w", "resources": ["a"], "subject": {"type": "AuthenticatedUsers"},
            "condition": {"type": "OR", "conditions": [time, session]}});
        let index = index(&anything(), &[body]);
        let subject = Subject { session: Some(mona()), ..Subject::default() };
        let environment = Environment::from([("requestSessionCreationTime".to_owned(), vec![now.to_string()])]);
        let circumstances = Circumstances::new("/alpha", &environment, now);
        let resources = ["a".to_owned()];
        let request = Request { resources: &resources, subject: &subject, circumstances };
        prop_assert!(decide(&index, &request).is_ok());
    }
}

/// The longest patterns and resources there are, repeating themselves.
#[test]
fn comparing_takes_linear_time() {
    let text = "a".repeat(MAX_LENGTH);
    let levels = "a/".repeat(MAX_LENGTH / 2);
    let piece = "a".repeat(MAX_LENGTH / MAX_WILDCARDS - 3);
    let mut patterns: Vec<String> =
        ["a*", "*a", "a-*-", "-*-a", "-*-/", "*?*"].map(|piece| format!("{}b", piece.repeat(MAX_WILDCARDS))).into();
    patterns.extend([format!("{piece}*").repeat(MAX_WILDCARDS), format!("{piece}-*-").repeat(MAX_WILDCARDS)]);
    patterns.extend(["(a*)*b", "(a|a)*b", "(a|aa)+$b", ".*.*.*.*.*b", "[a-z]*a[a-z]{50}b"].map(str::to_owned));
    for pattern in &patterns {
        for comparator in COMPARATORS {
            let Ok(compiled) = Pattern::parse_for(comparator, pattern) else { continue };
            for text in [&text, &levels] {
                let resource = Resource::parse_for(comparator, text).unwrap();
                quick(pattern, || (compiled.matches(&resource), compiled.is_relevant_for(&resource)));
            }
        }
    }
}

/// Ten thousand policies whose patterns all have to be searched for in the longest resource there is.
#[test]
fn a_decision_among_many_wildcards_is_quick() {
    let one = |n: usize| {
        json!({"name": format!("p{n}"), "applicationName": "w", "subject": {"type": "NONE"},
            "resources": [format!("*a{}*", "a".repeat(n % 200)), format!("*{n}b*"), format!("-*-/x{n}/-*-")]})
    };
    let mut policies: Vec<_> = (0..2000).map(one).collect();
    policies.iter_mut().for_each(|policy| policy["subject"] = json!({"type": "NOT", "subject": {"type": "NONE"}}));
    let index = index(&anything(), &policies);
    let longest = "a".repeat(MAX_LENGTH);
    let environment = Environment::new();
    let rows = quick("decide", || ask(&index, &Subject::default(), &environment, &[longest.as_str(), "x/x7/x", "17b"]));
    assert_eq!(rows.len(), 3);
    let circumstances = Circumstances::new("/alpha", &environment, NOW);
    let _ = quick("tree", || evaluate_tree(&index, &longest, &Subject::default(), &circumstances));
    let resources = [longest.clone()];
    let request = Request { resources: &resources, subject: &Subject::default(), circumstances };
    assert_eq!(quick("explain", || explain(&index, &request)).unwrap()[0].policies.len(), 1000);
}

#[test]
fn nesting_and_numbers_are_bounded() {
    let nested = |depth: usize, member: &str, leaf: Value| {
        (0..depth).fold(leaf, |child, _| {
            let mut node = json!({"type": "NOT"});
            node[member] = child;
            node
        })
    };
    let level = json!({"type": "AuthLevel", "authLevel": 1});
    assert!(Condition::parse(&nested(MAX_DEPTH - 1, "condition", level.clone())).is_ok());
    assert!(Condition::parse(&nested(MAX_DEPTH, "condition", level)).is_err());
    assert!(Condition::parse(&nested(10_000, "condition", json!({"type": "Foo"}))).is_err());
    let wide = |n: usize| json!({"type": "AND", "conditions": vec![json!({"type": "AuthLevel", "authLevel": 1}); n]});
    assert!(quick("wide", || Condition::parse(&wide(10_000))).is_ok());
    assert!(Condition::parse(&wide(10_001)).is_err());
    let huge = "x".repeat(1 << 20);
    for condition in [
        json!({"type": "LDAPFilter", "ldapFilter": format!("({huge}=a)")}),
        json!({"type": "SimpleTime", "startTime": huge, "endTime": huge}),
        json!({"type": "ResourceEnvIP", "resourceEnvIPConditionValue": [format!("IF a={} THEN", " ".repeat(1 << 20))]}),
        json!({"type": "IdmUser", "identityResource": "m", "queryField": "u", "decisionField": "d", "comparator": "REGEX",
            "value": huge}),
        json!({"type": "IPv4", "startIp": huge}),
    ] {
        let message = quick("refusal", || Condition::parse(&condition)).unwrap_err().message();
        assert!(message.len() < 4096, "an error does not echo megabytes");
    }
}

/// PD-04, PD-11: what a request may cause is bounded, whatever is multiplied with what; over budget nothing is granted.
#[test]
fn work_is_bounded() {
    let everybody = json!({"type": "NOT", "subject": {"type": "NONE"}});
    let body = |name: String, subject: Value| {
        json!({"name": name, "applicationName": "w", "resources": ["api://w/*"], "actionValues": {"GRANT": true},
            "subject": subject})
    };
    let resources: Vec<String> = (0..10_000).map(|n| format!("api://w/{n}")).collect();
    let environment = Environment::new();
    let circumstances = Circumstances::new("/", &environment, NOW);
    let decided = |index: &PolicySetIndex, resources: &[String], subject: &Subject| {
        decide(index, &Request { resources, subject, circumstances }).map(|rows| rows.len())
    };
    // Many policies that all speak about many resources.
    let many: Vec<Value> = (0..1_000).map(|n| body(n.to_string(), everybody.clone())).collect();
    let many = index(&anything(), &many);
    let subject = claims(json!({"sub": "mona"}));
    assert_eq!(decided(&many, &resources[..100], &subject), Ok(100), "many of the simplest are no trouble");
    let refused = quick("many", || decided(&many, &resources, &subject));
    assert_eq!(refused, Err(Error::TooMuchWork));
    // One with a long list, asked about a long list.
    let list: Vec<Value> = (0..10_000).map(|n| json!(format!("id=u{n},ou=user"))).collect();
    let long = json!({"type": "OR", "subjects": [{"type": "Identity", "subjectValues": list}, everybody]});
    let long = index(&anything(), &[body("long".into(), long)]);
    assert_eq!(decided(&long, &resources[..50], &subject), Ok(50));
    assert_eq!(quick("long", || decided(&long, &resources, &subject)), Err(Error::TooMuchWork));
    // Large attributes in every row.
    let mut large = body("large".into(), everybody.clone());
    let values: Vec<String> = (0..1_000).map(|n| format!("{n:0>500}")).collect();
    large["resourceAttributes"] = json!([{"type": "Static", "propertyName": "a", "propertyValues": values}]);
    let large = index(&anything(), &[large]);
    assert_eq!(decided(&large, &resources[..10], &subject), Ok(10));
    assert_eq!(quick("large", || decided(&large, &resources, &subject)), Err(Error::TooMuchWork));
    // A claim with very many values, before policies that each look through them.
    let claim = json!({"type": "NOT", "subject": {"type": "JwtClaim", "claimName": "groups", "claimValue": "x"}});
    let looking: Vec<Value> = (0..50).map(|n| body(n.to_string(), claim.clone())).collect();
    let looking = index(&anything(), &looking);
    let groups: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let crowd = claims(json!({"sub": "mona", "groups": groups}));
    assert_eq!(decided(&looking, &resources[..1], &crowd), Ok(1));
    assert_eq!(quick("crowd", || decided(&looking, &resources[..100], &crowd)), Err(Error::TooMuchWork));
    // Explaining repeats what is compared: what is passed over is left out, what was asked is refused.
    let request = Request { resources: &resources[..2], subject: &crowd, circumstances };
    let explained = quick("explained", || explain(&looking, &request));
    assert_eq!(explained.map(|rows| rows.len()), Err(Error::TooMuchWork));
    // Trees: many patterns that all lie below each other.
    let nested: Vec<Value> = (0..900)
        .map(|n| {
            let mut policy = body(format!("{n:03}"), everybody.clone());
            policy["resources"] = json!([format!("api://w/{}*", "a".repeat(n * 4))]);
            policy
        })
        .collect();
    let nested = index(&anything(), &nested);
    let tree = quick("nested", || evaluate_tree(&nested, "api://w", &subject, &circumstances));
    assert_eq!(tree.map(|rows| rows.len()), Err(Error::TooMuchWork));
    let few: Vec<Value> = (0..60)
        .map(|n| {
            let mut policy = body(format!("{n:03}"), everybody.clone());
            policy["resources"] = json!([format!("api://w/{}*", "a/".repeat(n))]);
            policy
        })
        .collect();
    let few = index(&anything(), &few);
    let tree = evaluate_tree(&few, "api://w", &subject, &circumstances);
    assert!(tree.is_ok_and(|rows| rows.len() > 50), "nesting alone is no trouble");
}
