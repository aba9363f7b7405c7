//! Random policy sets and requests: the library agrees with the naive evaluator, and with itself when
//! nothing that matters is changed.
//!
//! `QUORATE_POLICY_CASES=100000 cargo test --lib policy::tests::agreement` runs as many; the default takes
//! seconds.

use proptest::prelude::*;

use super::*;
use crate::policy::{
    explain::{Verdict, explain},
    subject::Profile,
    trace::Answer,
};

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + Clone + use<T> {
    prop::sample::select(values.to_vec())
}

fn subject_tree() -> impl Strategy<Value = Value> {
    let claim = (one_of(&["x", "y", "number"]), one_of(&["a", "b", "c"]))
        .prop_map(|(name, value)| json!({"type": "JwtClaim", "claimName": name, "claimValue": value}));
    let identity = one_of(&["id=mona,ou=user", "ID=G, ou=group", "id=paul,ou=user"])
        .prop_map(|id| json!({"type": "Identity", "subjectValues": ["id=nobody,ou=user", id]}));
    let everybody = json!({"type": "NOT", "subject": {"type": "NONE"}});
    let leaf = prop_oneof![
        3 => Just(everybody),
        3 => claim,
        2 => identity,
        1 => Just(json!({"type": "AuthenticatedUsers"})),
        1 => Just(json!({"type": "NONE"})),
        1 => Just(json!({"type": "Policy", "className": "x"})),
    ];
    leaf.prop_recursive(2, 6, 3, |child| {
        let several = prop::collection::vec(child.clone(), 1..3);
        prop_oneof![
            several.clone().prop_map(|children| json!({"type": "AND", "subjects": children})),
            several.prop_map(|children| json!({"type": "OR", "subjects": children})),
            child.prop_map(|child| json!({"type": "NOT", "subject": child})),
        ]
    })
}

fn time() -> impl Strategy<Value = Value> {
    let clock = one_of(&["00:00", "06:00", "14:36", "14:37", "22:00", "24:00"]);
    let day = one_of(&["sun", "Mon", "tue", "wed", "sat"]);
    let dates = one_of(&[("2024:05:01", "2024:05:21"), ("2024:02:29", "2024:05:20"), ("2024:05:22", "2025:01:01")]);
    let zone = prop::option::weighted(0.5, one_of(&["UTC", "GMT+2:00", "GMT-0330"]));
    let (times, days) = ((clock.clone(), clock), (day.clone(), day));
    let windows = (prop::option::of(times), prop::option::of(days), prop::option::of(dates), zone);
    windows.prop_map(|(times, days, dates, zone)| {
        let mut time = json!({"type": "SimpleTime"});
        let mut put = |names: [&str; 2], values: Option<(&str, &str)>| {
            if let Some((start, end)) = values {
                (time[names[0]], time[names[1]]) = (json!(start), json!(end));
            }
        };
        let nothing = times.is_none() && days.is_none() && dates.is_none();
        put(["startTime", "endTime"], if nothing { Some(("06:00", "22:00")) } else { times });
        put(["startDay", "endDay"], days);
        put(["startDate", "endDate"], dates);
        if let Some(zone) = zone {
            time["enforcementTimeZone"] = json!(zone);
        }
        time
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let level = (one_of(&["AuthLevel", "LEAuthLevel"]), one_of(&[0, 10, 20, 30]))
        .prop_map(|(kind, level)| json!({"type": kind, "authLevel": level}));
    let scheme = prop::sample::subsequence(vec!["LDAP", "/alpha:HOTP", "/beta:LDAP", "SAE"], 1..3)
        .prop_map(|all| json!({"type": "AuthScheme", "authScheme": all}));
    let realm = one_of(&["alpha", "/ALPHA", "/beta", "/"])
        .prop_map(|realm| json!({"type": "AuthenticateToRealm", "authenticateToRealm": realm}));
    let service = one_of(&["Strong", "/alpha:Strong", "/beta:Strong", "Weak"])
        .prop_map(|service| json!({"type": "AuthenticateToService", "authenticateToService": service}));
    let address = one_of(&[
        json!({"type": "IPv4", "startIp": "198.51.100.10", "endIp": "198.51.100.99", "dnsName": ["*.a.test"]}),
        json!({"type": "IPv4", "startIp": "10.0.0.1", "endIp": "10.0.0.1"}),
        json!({"type": "IPv6", "startIp": "::1", "endIp": "::ff", "dnsName": ["b.test", "*"]}),
    ]);
    let scope = prop::sample::subsequence(vec!["r", "w", "x"], 1..3)
        .prop_map(|scopes| json!({"type": "OAuth2Scope", "requiredScopes": scopes}));
    let session = (one_of(&[0, 10, 11, 60]), any::<bool>())
        .prop_map(|(max, end)| json!({"type": "Session", "maxSessionTime": max, "terminateSession": end}));
    let property = (one_of(&["branch", "none"]), one_of(&["HB", "KI", "HH"]), any::<bool>()).prop_map(
        |(name, value, ignore)| json!({"type": "SessionProperty", "ignoreValueCase": ignore, "properties": {name: [value, "x"]}}),
    );
    let member = one_of(&["id=g,ou=group", "id=paul,ou=user"])
        .prop_map(|id| json!({"type": "AMIdentityMembership", "amIdentityName": [id]}));
    let rules = [
        "IF IP=[198.51.100.0-198.51.100.255] THEN authlevel=30",
        "IF IP=[198.51.*.*] THEN module=LDAP",
        "IF IP=[::1-::ff] THEN realm=/alpha",
        "IF region=EU THEN service=Weak",
        "IF IP=[*.*.*.*] THEN module=SAE",
    ];
    let rules = prop::sample::subsequence(rules.to_vec(), 1..3)
        .prop_map(|rules| json!({"type": "ResourceEnvIP", "resourceEnvIPConditionValue": rules}));
    let broken = one_of(&[json!({"type": "Script", "scriptId": "s"}), json!({"type": "Policy", "className": "x"})]);
    let leaf = prop_oneof![
        3 => level, 2 => scheme, 2 => realm, 2 => service, 2 => address, 2 => scope, 2 => session, 2 => property,
        4 => time(), 1 => member, 2 => rules, 1 => broken
    ];
    leaf.prop_recursive(3, 8, 3, |child| {
        let several = prop::collection::vec(child.clone(), 1..4);
        prop_oneof![
            several.clone().prop_map(|children| json!({"type": "AND", "conditions": children})),
            several.prop_map(|children| json!({"type": "OR", "conditions": children})),
            child.prop_map(|child| json!({"type": "NOT", "condition": child})),
        ]
    })
}

const PATTERNS: [&str; 24] = [
    "api://w/a",
    "api://w/a/*",
    "api://w/*",
    "api://w/-*-/b",
    "api://w/-*-",
    "api://*/a",
    "API://W//a",
    "*",
    "*/a",
    "*a*",
    "w/*",
    "w/-*-",
    "https://*.acme.test/*",
    "https://eu.acme.test/*",
    "https://eu.acme.test/a",
    "*://*:*/*",
    "http*://eu.acme.test/*",
    "https://eu.acme.test/*?*",
    "https://eu.acme.test/s?b=2&a=*",
    "https://eu.acme.test/$SELF",
    "api://w/$SELF/*",
    "https://*:443/a",
    "https://*/b/*",
    "*://*:*/a*b",
];
const RESOURCES: [&str; 16] = [
    "api://w/a",
    "api://w/a/b",
    "api://W/c/b",
    "api://w/mona/x",
    "w/a",
    "w",
    "https://eu.acme.test/a",
    "https://eu.acme.test",
    "https://eu.acme.test/a/b?c",
    "https://eu.acme.test//x/../b/b",
    "https://eu.acme.test/s?a=1&b=2",
    "https://us.acme.test/a",
    "https://eu.acme.test/mona",
    "https://eu.acme.test:8443/b/",
    "https://eu.acme.test:x/",
    "a",
];

fn policies() -> impl Strategy<Value = Vec<Value>> {
    let resources = prop::sample::subsequence(PATTERNS.to_vec(), 1..4);
    let actions = prop::collection::btree_map(one_of(&["GRANT", "AUDIT"]), prop::bool::weighted(0.7), 0..3);
    let attribute = one_of(&[
        json!({"type": "Static", "propertyName": "tier", "propertyValues": ["gold", "beta"]}),
        json!({"type": "Static", "propertyName": "mail", "propertyValues": ["desk@acme.test"]}),
        json!({"type": "User", "propertyName": "mail", "propertyValues": []}),
        json!({"type": "User", "propertyName": "names", "propertyValues": ["cn", "fax"]}),
    ]);
    let attributes = prop::option::weighted(0.3, prop::collection::vec(attribute, 0..3));
    let condition = prop::option::weighted(0.6, condition());
    let (active, set) = (prop::bool::weighted(0.9), one_of(&["w", "w", "W", "w", "other"]));
    let one = (resources, actions, subject_tree(), condition, attributes, active, set);
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(n, (resources, actions, subject, condition, attributes, active, set))| {
                json!({"name": format!("p{n}"), "applicationName": set, "resources": resources, "active": active,
                    "actionValues": actions, "subject": subject, "condition": condition,
                    "resourceAttributes": attributes})
            })
            .collect()
    })
}

fn subjects() -> impl Strategy<Value = Subject> {
    let claim = one_of(&[json!("a"), json!(["b", "c"]), json!(null), json!(1), json!(["a", 1])]);
    let claims = (one_of(&["mona", "id=paul,ou=user", "*"]), claim.clone(), claim)
        .prop_map(|(sub, x, y)| object(json!({"sub": sub, "x": x, "y": y, "number": 1})));
    let levels = one_of(&[0, 20, 30]);
    let session = (levels, any::<bool>()).prop_map(|(auth_level, address)| {
        let mut session = Session { auth_level, ..mona() };
        session.address = session.address.filter(|_| address);
        session
    });
    let attribute = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let profile = Profile::from([attribute("mail", "mona@acme.test"), attribute("cn", "Mona")]);
    let profile = prop::option::weighted(0.6, Just(profile));
    (prop::option::weighted(0.6, claims), prop::option::weighted(0.6, session), profile)
        .prop_map(|(claims, session, profile)| Subject { session, claims, profile })
}

fn environments() -> impl Strategy<Value = Environment> {
    let entries: [(&str, &[&str]); 18] = [
        ("region", &["eu"]),
        ("requestAuthLevel", &["/alpha:30", "5"]),
        ("requestAuthLevel", &["high"]),
        ("requestAuthLevel", &[]),
        ("requestAuthSchemes", &["LDAP", "/alpha:HOTP"]),
        ("requestAuthenticatedToRealms", &["/beta", "/"]),
        ("requestAuthenticatedToServices", &["/beta:Strong", "Weak"]),
        ("requestIp", &["198.51.100.11"]),
        ("requestIp", &["::7"]),
        ("requestIp", &[]),
        ("requestDnsName", &["x.A.test", "b.test"]),
        ("scope", &["r w"]),
        ("scope", &["r", "x"]),
        ("requestSessionCreationTime", &["1716302200000"]),
        ("requestTime", &["1716249600000"]),
        ("requestTimeZone", &["GMT+2:00"]),
        ("requestTimeZone", &["Mars/Base"]),
        ("invocatorPrincipalUuid", &["id=mona,ou=user"]),
    ];
    prop::sample::subsequence(entries.to_vec(), 0..7).prop_map(|entries| {
        let texts = |values: &[&str]| values.iter().map(|value| value.to_string()).collect();
        entries.into_iter().map(|(key, values)| (key.to_owned(), texts(values))).collect()
    })
}

fn resources() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(RESOURCES.to_vec(), 1..6)
}

fn built(policies: &[Value]) -> PolicySetIndex {
    let other = PolicySet { name: "other".into(), ..anything() };
    let mut index = PolicySetIndex::new(&anything());
    for body in policies {
        let set = if body["applicationName"] == "other" { &other } else { &anything() };
        let policy = written(body, set, None).unwrap();
        index.upsert(Arc::new(Policy::from_stored(&policy.to_json()).unwrap()));
    }
    index
}

fn decided(index: &PolicySetIndex, subject: &Subject, environment: &Environment, resource: &str) -> Option<Decision> {
    let resources = [resource.to_owned()];
    let circumstances = Circumstances::new("/alpha", environment, NOW);
    decide(index, &Request { resources: &resources, subject, circumstances }).ok()?.pop()
}

fn cases() -> ProptestConfig {
    let asked = std::env::var("QUORATE_POLICY_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::with_cases(asked.unwrap_or(1000))
    }
}

proptest! {
    #![proptest_config(cases())]

    /// The library says what the reference says, and its explanation says the same.
    #[test]
    fn the_library_agrees_with_the_naive_evaluator(
        policies in policies(),
        subject in subjects(),
        environment in environments(),
        resources in resources(),
    ) {
        let index = built(&policies);
        let world = naive::World {
            policies: &policies,
            set: "w",
            session: subject.session.as_ref(),
            claims: subject.claims.as_ref(),
            profile: subject.profile.as_ref(),
            environment: &environment,
            now: NOW,
            realm: "/alpha",
        };
        for resource in resources {
            let decision = decided(&index, &subject, &environment, resource);
            let expected = naive::evaluate(&world, resource);
            let row = decision.clone().map(|Decision { actions, attributes, advices, ttl, .. }| {
                naive::Row { actions, attributes, advices, ttl }
            });
            prop_assert_eq!(row, expected, "{}", resource);

            let asked = [resource.to_owned()];
            let circumstances = Circumstances::new("/alpha", &environment, NOW);
            let explained = explain(&index, &Request { resources: &asked, subject: &subject, circumstances }).ok();
            let explained = explained.and_then(|mut rows| rows.pop());
            prop_assert_eq!(decision.as_ref(), explained.as_ref().map(|explained| &explained.decision));
            let Some(explained) = explained else { continue };
            prop_assert_eq!(explained.policies.len(), index.len());
            for policy in &explained.policies {
                // What the decision did not look at would not have contributed.
                let passed_over = policy.condition.is_none() && policy.verdict == Verdict::SubjectDiffers;
                let subject = policy.subject.as_ref().map(|step| &step.answer);
                prop_assert!(!passed_over || subject != Some(&Answer::Satisfied), "{:?}", policy);
                prop_assert_eq!(policy.change.is_none(), policy.verdict == Verdict::Applies, "{:?}", policy);
            }
            let applied = explained.policies.iter().filter(|policy| policy.verdict == Verdict::Applies);
            let named = explained.deciding.values().flatten().count();
            prop_assert!(explained.decision.actions.is_empty() || named > 0 && applied.count() > 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Metamorphic: other names, another order, an eventful past and policies that do not concern the request
    /// change nothing.
    #[test]
    fn what_does_not_matter_changes_nothing(
        policies in policies(),
        others in policies(),
        subject in subjects(),
        environment in environments(),
        turn in any::<prop::sample::Index>(),
    ) {
        let plain = built(&policies);
        let renamed: Vec<Value> = policies
            .iter()
            .enumerate()
            .map(|(n, policy)| Value::Object(Map::from_iter(object(policy.clone()).into_iter().map(|(member, value)| {
                let value = if member == "name" { json!(format!("{}-{n}", 97 - n)) } else { value };
                (member, value)
            }))))
            .collect();
        let mut turned = policies.clone();
        if !turned.is_empty() {
            let by = turn.index(turned.len());
            turned.rotate_left(by);
        }
        let everybody = json!({"type": "NOT", "subject": {"type": "NONE"}});
        let irrelevant = |name: &str, member: &str, value: Value| {
            let mut policy = json!({"name": name, "applicationName": "w", "resources": PATTERNS, "subject": everybody,
                "actionValues": {"GRANT": false}, "active": true});
            policy[member] = value;
            policy
        };
        let mut crowded = policies.clone();
        crowded.extend([
            irrelevant("asleep", "active", json!(false)),
            irrelevant("elsewhere", "applicationName", json!("other")),
            irrelevant("nobody", "subject", json!({"type": "NONE"})),
            irrelevant("nothing", "resources", json!(["api://else/*", "https://*.else.test/*", "*/else", "*else*"])),
        ]);
        let mut eventful = built(&others);
        let copy = eventful.clone();
        for n in 0..8 {
            eventful.remove(&format!("p{n}"));
        }
        prop_assert!(eventful.holds_nothing());
        for policy in policies.iter().chain(&policies).filter(|policy| policy["applicationName"] != "other") {
            let policy = written(policy, &anything(), None).unwrap();
            eventful.upsert(Arc::new(policy));
        }
        let [turned, crowded, renamed, others] =
            [&turned, &crowded, &renamed, &others].map(|policies| built(policies));
        for resource in RESOURCES {
            let expected = decided(&plain, &subject, &environment, resource);
            let bare = |decision: Option<Decision>| decision.map(|mut decision| {
                decision.faults.clear();
                decision
            });
            prop_assert_eq!(&decided(&turned, &subject, &environment, resource), &expected);
            prop_assert_eq!(&decided(&eventful, &subject, &environment, resource), &expected);
            prop_assert_eq!(&decided(&crowded, &subject, &environment, resource), &expected);
            prop_assert_eq!(bare(decided(&renamed, &subject, &environment, resource)), bare(expected));
            // Whoever holds an older copy keeps seeing that.
            let then = decided(&others, &subject, &environment, resource);
            prop_assert_eq!(decided(&copy, &subject, &environment, resource), then);
        }
    }
}
