//! The acceptance list (§11) and the traps (§9), as far as they are this library's, in the reference's order.
//! Row 25 of §11, the case table of §5.4, is in `resource/tests.rs`; what is left out here is REST's.

use super::*;
use crate::policy::{
    Error,
    evaluate::Evaluate,
    model::built_in,
    resource::Comparator,
    tree::{MAX_ENTRIES, evaluate_tree},
};

/// Policy P of §11.
fn p() -> Value {
    json!({"name": "P", "active": true, "applicationName": "w", "resourceTypeUuid": "W", "resources": ["api://w/r"],
        "actionValues": {"GRANT": true},
        "subject": {"type": "JwtClaim", "claimName": "subject", "claimValue": "c1"}})
}

fn with(changes: Value) -> Value {
    let mut body = p();
    for (member, value) in object(changes) {
        body[member] = value;
    }
    body
}

fn write(body: &Value) -> Result<Policy, Error> {
    let (set, of_type) = warehouse();
    written(body, &set, Some(&of_type))
}

fn set(policies: &[Value]) -> PolicySetIndex {
    let (set, of_type) = warehouse();
    let mut index = PolicySetIndex::new(&set);
    for body in policies {
        index.upsert(Arc::new(written(body, &set, Some(&of_type)).unwrap()));
    }
    index
}

fn rows(policies: &[Value], subject: &Subject, resources: &[&str]) -> Value {
    let decisions = ask(&set(policies), subject, &Environment::new(), resources);
    decisions.iter().map(|decision| json!(decision.row(true))).collect()
}

fn c1() -> Subject {
    claims(json!({"sub": "x", "subject": "c1"}))
}

fn everybody() -> Value {
    json!({"type": "NOT", "subject": {"type": "NONE"}})
}

#[test]
fn rows_5_to_9_writing_policies() {
    let told = |body: &Value| {
        let error = write(body).unwrap_err();
        (error.status(), error.message())
    };
    let resource = "Invalid value api://x/1 for property resources".to_owned();
    assert_eq!(told(&with(json!({"resources": ["api://x/1"]}))), (400, resource));
    let action = "Invalid value SHRED for property actionValues".to_owned();
    assert_eq!(told(&with(json!({"actionValues": {"SHRED": true}}))), (400, action));

    let context = PolicyContext { realm: "/alpha", creating: true, policy_set: None, resource_type: None };
    let nope = with(json!({"applicationName": "nope"}));
    let draft = PolicyDraft::parse(Some(&nope), PolicyName::Post { url: None }).unwrap();
    let error = draft.check(context, audit()).unwrap_err();
    assert_eq!((error.status(), error.message().as_str()), (400, "Unable to retrieve application under realm /alpha."));

    let without_subject = write(&with(json!({"subject": null}))).unwrap();
    assert_eq!(without_subject.to_json()["subject"], json!({"type": "NONE"}));

    let (types, sets) = built_in::objects(audit());
    let of_type = types.iter().find(|of_type| of_type.uuid == built_in::URL);
    let default = sets.iter().find(|set| set.is_called(PolicySet::DEFAULT)).unwrap();
    let body = json!({"name": "u", "resourceTypeUuid": built_in::URL, "resources": ["https://a.acme.test/*"]});
    let stored = written(&body, default, of_type).unwrap();
    assert_eq!(stored.to_json()["resources"], json!(["https://a.acme.test:443/*"]));
}

#[test]
fn rows_11_to_18_deciding() {
    let actions = |policies: &[Value], subject: &Subject| rows(policies, subject, &["api://w/r"])[0]["actions"].clone();
    // 11
    let both = rows(&[p()], &c1(), &["api://w/r", "api://w/z"]);
    assert_eq!((&both[0]["actions"], &both[1]["actions"]), (&json!({"GRANT": true}), &json!({})));
    // 12
    let no_sub = json!({"resources": ["api://w/r"], "subject": {"claims": {"subject": "c1"}}});
    assert_eq!(Evaluate::parse(&no_sub).unwrap_err().message(), "Invalid value subject");
    // 13
    assert_eq!(actions(&[p()], &claims(json!({"sub": "x", "subject": ["c0", "c1"]}))), json!({"GRANT": true}));
    // 14
    let session = Subject { session: Some(mona()), ..Subject::default() };
    assert_eq!(actions(&[p()], &session), json!({}));
    // 15
    let deny = with(json!({"name": "D", "actionValues": {"GRANT": false}}));
    assert_eq!(actions(&[p(), deny], &c1()), json!({"GRANT": false}));
    // 16
    let level = with(json!({"name": "L", "subject": {"type": "AuthenticatedUsers"},
        "condition": {"type": "AuthLevel", "authLevel": 99}}));
    let row = &rows(&[p(), level], &Subject { session: Some(mona()), ..c1() }, &["api://w/r"])[0];
    assert_eq!(row["actions"], json!({}));
    assert_eq!(row["advices"], json!({"AuthLevelConditionAdvice": ["99"]}));
    // 17
    let office = with(json!({"condition": {"type": "SimpleTime", "startTime": "08:00", "endTime": "18:00"}}));
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let environment = Environment::from([("requestTime".to_owned(), vec![at("2024-05-21T17:00:00Z").to_string()])]);
    let row = &ask(&set(&[office]), &c1(), &environment, &["api://w/r"])[0];
    assert_eq!((row.allows("GRANT"), row.ttl), (true, at("2024-05-21T18:00:00Z")));
    // 18
    assert_eq!(actions(&[with(json!({"active": false}))], &c1()), json!({}));
    // 20
    let empty = Evaluate::parse(&json!({"resources": []})).unwrap_err();
    assert_eq!(empty.message(), "Invalid value resources");
    // 21
    let old = ask(&set(&[p()]), &c1(), &Environment::new(), &["api://w/r"]);
    assert!(json!(old[0].row(false)).get("ttl").is_none());
}

/// §9, by number; those that are not here are REST's, or are told by the tests of one type.
#[test]
fn traps() {
    let granted = |policies: &[Value], subject: &Subject| rows(policies, subject, &["api://w/r"])[0]["actions"].clone();
    let everybody = everybody();
    let fails = |condition: Value| with(json!({"name": "F", "subject": everybody, "condition": condition}));
    // 1: without advice a failed condition is no deny, with advice it wipes the row; attributes stay.
    let attributes = json!([{"type": "Static", "propertyName": "tier", "propertyValues": ["gold"]}]);
    let grants = with(json!({"resourceAttributes": attributes}));
    let scope = fails(json!({"type": "OAuth2Scope", "requiredScopes": ["r"]}));
    assert_eq!(granted(&[grants.clone(), scope], &c1()), json!({"GRANT": true}));
    let scheme = fails(json!({"type": "AuthScheme", "authScheme": ["LDAP"]}));
    let row = &rows(&[grants, scheme], &c1(), &["api://w/r"])[0];
    assert_eq!((&row["actions"], &row["attributes"]), (&json!({}), &json!({"tier": ["gold"]})));
    assert_eq!(row["advices"], json!({"AuthSchemeConditionAdvice": ["LDAP"]}));
    // 2
    assert_eq!(granted(&[with(json!({"subject": null}))], &c1()), json!({}));
    // 3
    let user = json!({"type": "Identity", "subjectValues": ["id=mona,ou=user"]});
    let looks_like = claims(json!({"sub": "id=mona,ou=user"}));
    assert_eq!(granted(&[with(json!({"subject": user}))], &looks_like), json!({}));
    assert_eq!(granted(&[with(json!({"subject": {"type": "AuthenticatedUsers"}}))], &looks_like), json!({}));
    // 12: claim values and action names have letter case.
    assert_eq!(granted(&[p()], &claims(json!({"sub": "x", "subject": "C1"}))), json!({}));
    assert!(write(&with(json!({"actionValues": {"grant": true}}))).is_err());
    // 17
    assert_eq!(rows(&[p()], &c1(), &["api://w/r"])[0]["ttl"].to_string(), "9223372036854775807");
    // 22: the resource type says AUDIT false, and has no say.
    assert_eq!(granted(&[with(json!({"actionValues": {"AUDIT": true}}))], &c1()), json!({"AUDIT": true}));
    // 23
    let scope = json!({"type": "JwtClaim", "claimName": "scope", "claimValue": "a"});
    let scoped = [with(json!({"subject": scope}))];
    assert_eq!(granted(&scoped, &claims(json!({"sub": "x", "scope": "a b"}))), json!({}));
    assert_eq!(granted(&scoped, &claims(json!({"sub": "x", "scope": ["a", "b"]}))), json!({"GRANT": true}));
    // 26
    let attributes = json!([{"type": "Static", "propertyName": "aud", "propertyValues": ["https://a.acme.test"]}]);
    let only = with(json!({"actionValues": {}, "resourceAttributes": attributes}));
    let row = &rows(&[only], &c1(), &["api://w/r"])[0];
    assert_eq!((&row["actions"], &row["attributes"]), (&json!({}), &json!({"aud": ["https://a.acme.test"]})));
    // 27
    assert_eq!(rows(&[p()], &c1(), &["api://w/r", "api://w/r"]).as_array().unwrap().len(), 1);
}

/// A policy for delegation: what a token exchange reads are attributes (§6.7).
#[test]
fn attributes_dictate_what_a_delegation_gets() {
    let values =
        |name: &str, values: &[&str]| json!({"type": "Static", "propertyName": name, "propertyValues": values});
    let body = json!({"name": "delegate", "applicationName": "w", "resources": ["delegate-scope"],
        "actionValues": {"GRANT": true},
        "subject": {"type": "JwtClaim", "claimName": "iss", "claimValue": "https://am.acme.test"},
        "resourceAttributes": [values("aud", &["https://a.acme.test", "https://b.acme.test"]), values("scp", &["read"]),
            values("allowedActors", &["gateway"])]});
    let index = index(&anything(), &[body]);
    let token = claims(json!({"sub": "mona", "iss": "https://am.acme.test", "exp": 1}));
    let row = &ask(&index, &token, &Environment::new(), &["delegate-scope"])[0];
    assert_eq!(
        json!(row.attributes),
        json!({"aud": ["https://a.acme.test", "https://b.acme.test"], "scp": ["read"], "allowedActors": ["gateway"]})
    );
}

fn tree(index: &PolicySetIndex, subject: &Subject, resource: &str) -> Result<Vec<Value>, Error> {
    let environment = Environment::new();
    let rows = evaluate_tree(index, resource, subject, &Circumstances::new("/alpha", &environment, NOW))?;
    Ok(rows.iter().map(|row| json!([row.resource, row.actions, row.advices])).collect())
}

/// §6.8: the example, in both orders, and the observations around it.
#[test]
fn trees_are_merged_as_the_reference_merges() {
    let policy = |name: &str, resource: &str, actions: Value| {
        json!({"name": name, "applicationName": "w", "resources": [resource], "actionValues": actions,
            "subject": everybody()})
    };
    let of = |names: [&str; 3]| {
        let [a, b, c] = names;
        index(
            &anything(),
            &[
                policy(a, "https://docs.acme.test/*", json!({"GET": true})),
                policy(b, "https://docs.acme.test/hr/*", json!({"GET": false})),
                policy(c, "https://docs.acme.test/", json!({"GET": true, "POST": false})),
            ],
        )
    };
    let asked = |index: &PolicySetIndex, resource: &str| tree(index, &Subject::default(), resource).unwrap();
    assert_eq!(
        asked(&of(["a", "b", "c"]), "https://docs.acme.test/"),
        [
            json!(["https://docs.acme.test/", {"GET": true, "POST": false}, {}]),
            json!(["https://docs.acme.test:443/*", {"GET": true}, {}]),
            json!(["https://docs.acme.test:443/hr/*", {"GET": false, "POST": false}, {}]),
        ]
    );
    // Order C, A, B.
    let rows = asked(&of(["b", "c", "a"]), "https://docs.acme.test/");
    assert_eq!(rows[1], json!(["https://docs.acme.test:443/*", {"GET": true, "POST": false}, {}]));
    // What covers a concrete resource does not flow into its row.
    let rows = asked(&of(["a", "b", "c"]), "https://docs.acme.test/hr/pay");
    assert_eq!(rows[0], json!(["https://docs.acme.test/hr/pay", {}, {}]));
    assert_eq!(rows.len(), 3);
    assert_eq!(asked(&index(&anything(), &[]), "api://w/r"), [json!(["api://w/r", {}, {}])]);
}

#[test]
fn trees_show_policies_that_do_not_apply_once_and_empty() {
    let policy = |name: &str, changes: Value| {
        let mut policy = json!({"name": name, "applicationName": "w", "resources": ["api://w/*", "api://w/r/*"],
            "actionValues": {"GRANT": true}, "subject": everybody()});
        for (member, value) in object(changes) {
            policy[member] = value;
        }
        policy
    };
    let asleep = policy("a", json!({"active": false}));
    let nobody = policy("b", json!({"subject": null, "resources": ["api://w/*/x", "api://w/r/x"]}));
    let advised =
        policy("c", json!({"condition": {"type": "AuthScheme", "authScheme": ["X"]}, "resources": ["api://w/r"]}));
    let unrelated = policy("d", json!({"resources": ["api://x/*", "stock.read"]}));
    let own = policy("e", json!({"resources": ["api://w/$SELF/*"]}));
    let rows = tree(
        &index(&anything(), &[asleep, nobody, advised, unrelated, own]),
        &claims(json!({"sub": "r"})),
        "api://w/r",
    );
    assert_eq!(
        rows.unwrap(),
        [
            json!(["api://w/r", {}, {"AuthSchemeConditionAdvice": ["X"]}]),
            json!(["api://w/*", {}, {}]), // came before the advice, and is not below it
            json!(["api://w/*/x", {}, {"AuthSchemeConditionAdvice": ["X"]}]), // the first of two that are relevant
            json!(["api://w/$SELF/*", {}, {"AuthSchemeConditionAdvice": ["X"]}]),
        ]
    );
    let many: Vec<_> =
        (0..=MAX_ENTRIES).map(|n| policy(&format!("p{n}"), json!({"resources": [format!("api://w/{n}")]}))).collect();
    let error = tree(&index(&anything(), &many), &Subject::default(), "api://w").unwrap_err();
    assert_eq!(error, Error::TreeTooLarge(MAX_ENTRIES));
    assert!(tree(&index(&anything(), &[]), &Subject::default(), "http://h:x/").is_err());
}

/// §5.7.
#[test]
fn other_comparators_compare_in_their_own_way() {
    let class = |name: &str| format!("com.sun.identity.entitlement.{name}");
    let of_class = |name: &str| {
        let set =
            json!({"name": "w", "applicationType": "iPlanetAMWebAgentService", "resourceComparator": class(name)});
        PolicySet::create(&set, |_| true, audit()).unwrap()
    };
    let delegation = json!({"name": "w", "applicationType": "sunAMDelegationService"});
    let delegation = PolicySet::create(&delegation, |_| true, audit()).unwrap();
    assert_eq!(delegation.comparator(), Comparator::Regex);
    let (prefix, exact, regex) =
        (of_class("PrefixResourceName"), of_class("ExactMatchResourceName"), of_class("RegExResourceName"));
    assert_eq!(of_class("URLResourceName").comparator(), Comparator::Url);
    let grants = |set: &PolicySet, pattern: &str, resource: &str| {
        let body = json!({"name": "p", "applicationName": "w", "resources": [pattern], "actionValues": {"GRANT": true},
            "subject": everybody()});
        let subject = claims(json!({"sub": "a.c"}));
        ask(&index(set, &[body]), &subject, &Environment::new(), &[resource])[0].allows("GRANT")
    };
    for (set, pattern, resource, expected) in [
        // No ports are added, queries keep their order; paths are normalised, and wildcards mean what they mean.
        (&prefix, "https://a.test/x", "https://a.test/x", true),
        (&prefix, "https://a.test/x", "https://a.test:443/x", false),
        (&prefix, "https://a.test/s?b=1&a=2", "https://a.test/s?a=2&b=1", false),
        (&prefix, "https://a.test/X/*", "https://A.test//x/./y", true),
        (&prefix, "https://*:443/x", "https://a.test:443/x", true),
        (&prefix, "w/-*-", "w/a", true),
        (&prefix, "w/-*-", "w/a/b", false),
        (&exact, "a//b/*", "a//b/*", true),
        (&exact, "a//b/*", "a//b/c", false),
        (&exact, "a", "A", false),
        (&exact, "http://h:x/*-*-", "http://h:x/*-*-", true),
        (&regex, "sms://[^/]*/policy/.*", "sms://alpha/policy/x", true),
        (&regex, "sms://[^/]*/policy/.*", "sms://alpha/policy", false),
        (&regex, "a|b", "ab", false),
        (&regex, "a", "A", false),
        (&regex, "u/$SELF", "u/abc", false), // the name stands for itself
        (&regex, "u/$SELF", "u/a.c", true),
        (&delegation, "sms://.*", "sms://x/y", true),
    ] {
        assert_eq!(grants(set, pattern, resource), expected, "{pattern} {resource}");
    }
    let refused = |set: &PolicySet, pattern: &str| {
        let body = json!({"name": "p", "applicationName": "w", "resources": [pattern]});
        written(&body, set, None).unwrap_err().message()
    };
    for unbounded in ["(", "(?=a)b", r"(a)\1", "(?:(?:a{1000}){1000}){1000}", "a)|(b", "(?x)a #"] {
        assert_eq!(refused(&regex, unbounded), format!("Invalid value {unbounded} for property resources"));
    }
    assert!(refused(&prefix, "*/-*-").contains("for property resources"));

    // §5.5 for them.
    let of_type = json!({"uuid": "t", "name": "T", "actions": {}, "patterns": ["a.*", "b"]});
    let of_type = ResourceType::create(&of_type, "", audit()).unwrap();
    let accepts = |comparator, resource| {
        let pattern = crate::policy::resource::Pattern::parse_for(comparator, resource).unwrap();
        of_type.accepts(&pattern)
    };
    assert!(
        accepts(Comparator::Exact, "a.*") && !accepts(Comparator::Exact, "a.x") && !accepts(Comparator::Exact, "b/c")
    );
    assert!(accepts(Comparator::Regex, "axx") && accepts(Comparator::Regex, "b") && !accepts(Comparator::Regex, "c"));
    assert!(
        accepts(Comparator::Prefix, "b/c") && accepts(Comparator::Prefix, "a.x") && !accepts(Comparator::Prefix, "c")
    );
}

/// A set that gets another comparator keeps its policies; one that cannot be read is a fault of every decision.
#[test]
fn a_policy_that_cannot_be_read_any_more_is_a_fault() {
    let exact = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService",
        "resourceComparator": "com.sun.identity.entitlement.ExactMatchResourceName"});
    let exact = PolicySet::create(&exact, |_| true, audit()).unwrap();
    let body = json!({"name": "deny", "applicationName": "w", "resources": ["http://h:x/"], "subject": everybody(),
        "actionValues": {"GRANT": false}});
    let policy = Arc::new(written(&body, &exact, None).unwrap());
    let mut index = PolicySetIndex::new(&anything());
    index.upsert(policy);
    let row = &ask(&index, &Subject::default(), &Environment::new(), &["api://w/r"])[0];
    assert!(row.faults["deny"].to_string().contains("http://h:x/"));
    assert!(index.remove("deny"));
    assert!(ask(&index, &Subject::default(), &Environment::new(), &["api://w/r"])[0].faults.is_empty());
}

/// What an explanation says, on one example.
#[test]
fn explanations_name_what_decided_and_what_would_have_to_differ() {
    use crate::policy::explain::explain;
    let policies = [
        p(),
        with(json!({"name": "deny", "actionValues": {"GRANT": false},
            "subject": {"type": "JwtClaim", "claimName": "subject", "claimValue": "c2"}})),
        with(json!({"name": "late", "condition": {"type": "AND", "conditions": [
            {"type": "OAuth2Scope", "requiredScopes": ["r"]}, {"type": "IPv4", "startIp": "10.0.0.1"}]}})),
        with(json!({"name": "else", "resources": ["api://w/else"]})),
        with(json!({"name": "off", "active": false})),
    ];
    let (index, subject, environment) = (set(&policies), c1(), Environment::new());
    let resources = ["api://w/r".to_owned()];
    let circumstances = Circumstances::new("/alpha", &environment, NOW);
    let explained = explain(&index, &Request { resources: &resources, subject: &subject, circumstances }).unwrap();
    let json = explained[0].to_json();
    assert_eq!(json["actions"], json!({"GRANT": true}));
    assert_eq!(json["deciding"], json!({"GRANT": ["P"]}));
    assert_eq!(json["omitted"], json!(0));
    let of = |name: &str| json["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == name).unwrap();
    assert_eq!(of("P")["verdict"], "applies");
    assert_eq!(of("P")["subject"]["compared"], json!([{"of": "claims.subject", "wanted": "c1", "found": "c1"}]));
    assert!(of("P").get("wouldHaveToDiffer").is_none());
    assert_eq!(of("deny")["verdict"], "subjectDiffers");
    assert_eq!(
        of("deny")["wouldHaveToDiffer"]["compared"],
        json!([{"of": "claims.subject", "wanted": "c2", "found": "c1"}])
    );
    assert_eq!(of("late")["verdict"], "conditionFails");
    let change = json!({"allOf": [{"type": "OAuth2Scope", "must": "hold",
        "written": {"type": "OAuth2Scope", "requiredScopes": ["r"]},
        "compared": [{"of": "environment.scope", "wanted": ["r"], "found": null}]}]});
    assert_eq!(of("late")["wouldHaveToDiffer"], change);
    assert_eq!(of("late")["condition"]["children"][1]["answer"], "skipped");
    assert_eq!(of("else")["verdict"], "resourceDiffers");
    assert_eq!(of("else")["wouldHaveToDiffer"], json!({"resource": {"oneOf": ["api://w/else"]}}));
    assert_eq!(of("off")["verdict"], "inactive");
}
