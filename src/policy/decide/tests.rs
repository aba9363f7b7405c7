//! Decisions of whole policy sets, and what must not change them.

use std::{slice::from_ref, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::policy::{
    audience,
    model::{Audit, Comparator, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet, ResourceType},
    subject::{Session, UniversalId},
    trie::MAX_KEY,
};

fn audit() -> Audit {
    Audit::created("id=amadmin,ou=user,ou=am-config", 0)
}

/// The policy set `w` with these policies, written as an administrator would.
fn set(policies: &[Value]) -> PolicySetIndex {
    let mut index = PolicySetIndex::new(&empty_set());
    for body in policies {
        index.upsert(policy(body));
    }
    index
}

fn empty_set() -> PolicySet {
    let body = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService",
        "resourceTypeUuids": ["t"]});
    PolicySet::create(&body, |_| true, audit()).unwrap()
}

/// `body` completed by a name, a set and a type, unless it has its own.
fn policy(body: &Value) -> Arc<Policy> {
    let of_type = json!({"uuid": "t", "name": "T", "actions": {"GRANT": true, "AUDIT": true},
        "patterns": ["*", "*://*", "*?*", "*://*?*"]});
    let of_type = ResourceType::create(&of_type, "", audit()).unwrap();
    let mut whole = json!({"name": "p", "applicationName": "w", "resourceTypeUuid": "t",
        "resources": ["api://w/r"], "actionValues": {"GRANT": true},
        "subject": {"type": "NOT", "subject": {"type": "NONE"}}});
    for (member, value) in body.as_object().unwrap() {
        whole[member] = value.clone();
    }
    let context = PolicyContext {
        realm: "/alpha",
        creating: true,
        policy_set: Some(&empty_set()),
        resource_type: Some(&of_type),
    };
    let draft = PolicyDraft::parse(Some(&whole), PolicyName::Post { url: None }).unwrap();
    Arc::new(draft.check(context, audit()).unwrap())
}

fn claims(json: Value) -> Subject {
    Subject::claims(json.as_object().cloned().unwrap())
}

fn ask(index: &PolicySetIndex, subject: &Subject, resources: &[&str]) -> Result<Vec<Decision>, Error> {
    let resources: Vec<String> = resources.iter().map(|sent| sent.to_string()).collect();
    decide(index, &request(&resources, subject))
}

static NOWHERE: Environment = Environment::new();

fn request<'a>(resources: &'a [String], subject: &'a Subject) -> Request<'a> {
    Request { resources, subject, circumstances: Circumstances::new("/alpha", &NOWHERE, 0) }
}

/// The actions of one resource, for nobody in particular.
fn actions(index: &PolicySetIndex, resource: &str) -> Value {
    let rows = ask(index, &Subject::default(), &[resource]).unwrap();
    json!(rows[0].actions)
}

/// §8.3 and rows 11, 13, 14 of the acceptance checklist.
#[test]
fn an_api_grants_scopes_to_the_consumers_it_names() {
    let consumer = json!({"type": "OR", "subjects": [
        {"type": "JwtClaim", "claimName": "subject", "claimValue": "c1"},
        {"type": "JwtClaim", "claimName": "subject", "claimValue": "user-7"}]});
    let index = set(&[json!({"resources": ["api://w/r"], "subject": consumer})]);
    let audience = audience::first(&["api://w/r", "api://w/z"]).unwrap();
    let granted = |subject: &Subject| {
        let resources = audience.resources();
        audience.granted(&decide(&index, &request(&resources, subject)).unwrap())
    };
    assert_eq!(granted(&claims(json!({"sub": "x", "subject": "c1"}))), ["r"]);
    assert_eq!(granted(&claims(json!({"sub": "x", "subject": ["c0", "user-7"]}))), ["r"]);
    assert!(granted(&claims(json!({"sub": "c1", "subject": "c2"}))).is_empty());
    assert!(granted(&Subject::session(UniversalId::new("id=c1,ou=user"), vec![])).is_empty());
}

#[test]
fn rows_are_those_of_the_wire() {
    let index = set(&[json!({"resourceAttributes":
        [{"type": "Static", "propertyName": "tier", "propertyValues": ["gold"]}]})]);
    let rows = ask(&index, &Subject::default(), &["api://W//r", "api://w/z", "api://W//r"]).unwrap();
    let rows: Vec<_> = rows.iter().map(|decision| decision.row(true)).collect();
    assert_eq!(
        json!(rows),
        json!([
            {"resource": "api://W//r", "actions": {"GRANT": true}, "attributes": {"tier": ["gold"]},
                "advices": {}, "ttl": 9_223_372_036_854_775_807_i64},
            {"resource": "api://w/z", "actions": {}, "attributes": {}, "advices": {},
                "ttl": 9_223_372_036_854_775_807_i64},
        ])
    );
    let old = ask(&index, &Subject::default(), &["api://w/r"]).unwrap();
    assert!(json!(old[0].row(false)).get("ttl").is_none());
}

#[test]
fn a_request_with_a_bad_resource_is_refused_as_a_whole() {
    let index = set(&[]);
    let told = |resources: &[&str]| ask(&index, &Subject::default(), resources).unwrap_err();
    assert_eq!(told(&[]).message(), "Invalid value resources");
    assert_eq!(told(&["api://w/r", "http://h:80x/"]).message(), "Invalid port 80x");
    assert_eq!(told(&["api://w/*/-*-"]).message(), "Same rule cannot have both types of wildcards.");
    assert_eq!(told(&vec!["a"; MAX_RESOURCES + 1]).status(), 400);
}

/// The worked examples of §6.5, as far as they need no condition.
#[test]
fn a_deny_overrides_and_an_absence_does_not() {
    let grant = json!({"name": "grant", "actionValues": {"GRANT": true, "AUDIT": true}});
    let deny = json!({"name": "deny", "actionValues": {"AUDIT": false}});
    let nobody = json!({"name": "nobody", "actionValues": {"GRANT": false}, "subject": {"type": "NONE"}});
    let asleep = json!({"name": "asleep", "actionValues": {"GRANT": false}, "active": false});
    let elsewhere = json!({"name": "else", "actionValues": {"GRANT": false}, "resources": ["api://w/s"]});
    let index = set(&[grant.clone(), deny, nobody, asleep, elsewhere]);
    assert_eq!(index.len(), 5);
    assert_eq!(actions(&index, "api://w/r"), json!({"GRANT": true, "AUDIT": false}));
    assert_eq!(actions(&index, "api://w/t"), json!({}));

    let only_attributes = json!({"name": "a", "actionValues": {}});
    assert_eq!(actions(&set(&[only_attributes]), "api://w/r"), json!({}));
}

#[test]
fn advice_leaves_no_action_standing_and_ttl_is_the_least() {
    let yes = Actions::from([("GRANT".to_owned(), true)]);
    let values = |name: &str, value: &str| ValueSets::from([(name.into(), [value.into()].into())]);
    let none = ValueSets::new;
    let applies = || Contribution {
        actions: Some(&yes),
        attributes: values("tier", "gold"),
        advices: none(),
        ttl: 20,
        effects: BTreeSet::new(),
    };
    let fails =
        |advices, ttl| Contribution { actions: None, attributes: none(), advices, ttl, effects: BTreeSet::new() };
    let level = |n: &str| values("AuthLevelConditionAdvice", n);
    let merged = |contributions: Vec<Contribution<'_>>| {
        let mut decision = Decision::new("r");
        contributions.into_iter().for_each(|contribution| decision.merge(contribution));
        decision
    };

    let quiet = merged(vec![applies(), fails(none(), 7)]);
    assert_eq!((quiet.actions, quiet.ttl), (yes.clone(), 7));
    for order in [
        vec![applies(), fails(level("10"), TTL_MAX), fails(level("20"), 30)],
        vec![fails(level("20"), 30), fails(level("10"), TTL_MAX), applies()],
    ] {
        let advised = merged(order);
        assert_eq!(advised.actions, Actions::new());
        assert_eq!(json!(advised.advices), json!({"AuthLevelConditionAdvice": ["10", "20"]}));
        assert_eq!(advised.attributes, values("tier", "gold"));
        assert_eq!(advised.ttl, 20);
    }
}

#[test]
fn a_policy_that_cannot_be_decided_contributes_nothing_and_is_named() {
    let number = json!({"type": "JwtClaim", "claimName": "n", "claimValue": "1"});
    let negated = json!({"name": "negated", "subject": {"type": "NOT", "subject": number}});
    let legacy = json!({"name": "legacy", "subject": {"type": "Policy", "name": "x"}});
    let index = set(&[negated, legacy, json!({"name": "fine", "actionValues": {"AUDIT": true}})]);
    let rows = ask(&index, &claims(json!({"sub": "x", "n": 1})), &["api://w/r"]).unwrap();
    assert_eq!(json!(rows[0].actions), json!({"AUDIT": true}));
    let faults = BTreeMap::from([
        ("negated".to_owned(), Fault::ClaimNotText("n".into())),
        ("legacy".to_owned(), Fault::LegacySubject),
    ]);
    assert_eq!(rows[0].faults, faults);
}

#[test]
fn user_attributes_come_from_the_profile_or_the_policy_does_not_apply() {
    let body = json!({"resourceAttributes": [
        {"type": "User", "propertyName": "mail", "propertyValues": []},
        {"type": "User", "propertyName": "names", "propertyValues": ["cn", "sn"]},
        {"type": "User", "propertyName": "fax", "propertyValues": []},
        {"type": "Static", "propertyName": "mail", "propertyValues": ["desk@acme.test"]}]});
    let index = set(&[body]);
    let mut mona = Subject::session(UniversalId::new("id=mona,ou=user"), vec![]);
    let unknown = &ask(&index, &mona, &["api://w/r"]).unwrap()[0];
    assert_eq!((&unknown.actions, &unknown.attributes), (&Actions::new(), &ValueSets::new()));
    assert_eq!(unknown.faults["p"], Fault::NoProfile);

    let attribute = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let profile = [attribute("mail", "mona@acme.test"), attribute("cn", "Mona M"), attribute("sn", "M")];
    mona.profile = Some(profile.into());
    let known = &ask(&index, &mona, &["api://w/r"]).unwrap()[0];
    assert_eq!(json!(known.actions), json!({"GRANT": true}));
    assert_eq!(
        json!(known.attributes),
        json!({"mail": ["desk@acme.test", "mona@acme.test"], "names": ["M", "Mona M"]})
    );
}

#[test]
fn self_is_each_principal() {
    let index = set(&[json!({"resources": ["https://me.acme.test/u/$SELF/*"]})]);
    let sees = |subject: &Subject, resource: &str| ask(&index, subject, &[resource]).unwrap()[0].allows("GRANT");
    let mona = Subject::session(UniversalId::new("id=mona,ou=user,ou=am-config"), vec![]);
    assert!(sees(&mona, "https://me.acme.test/u/mona/x"));
    assert!(!sees(&mona, "https://me.acme.test/u/paul/x"));
    assert!(sees(&claims(json!({"sub": "paul"})), "https://me.acme.test/u/paul/x"));
    assert!(!sees(&claims(json!({"sub": "*"})), "https://me.acme.test/u/paul/x"));
    assert!(!sees(&Subject::default(), "https://me.acme.test/u/$SELF/x"));
}

#[test]
fn a_changed_policy_replaces_itself_and_a_removed_one_is_gone() {
    let mut index = set(&[json!({"resources": ["api://w/a", "api://w/b*"]})]);
    assert_eq!(actions(&index, "api://w/a"), json!({"GRANT": true}));
    index.upsert(policy(&json!({"resources": ["api://w/b*"], "actionValues": {"AUDIT": true}})));
    assert_eq!(actions(&index, "api://w/a"), json!({}));
    assert_eq!(actions(&index, "api://w/b1"), json!({"AUDIT": true}));
    assert_eq!((index.len(), index.get("p").is_some()), (1, true));

    // Moved to another set: no longer any of this one's business.
    let mut moved = Policy::clone(&policy(&json!({})));
    moved.application_name = "W".into();
    index.upsert(Arc::new(moved.clone()));
    assert_eq!(index.len(), 1, "letter case does not make another set");
    moved.application_name = "x".into();
    index.upsert(Arc::new(moved));
    assert!(index.is_empty());

    index.upsert(policy(&json!({})));
    assert!(index.remove("p"));
    assert!(!index.remove("p"));
    assert_eq!(actions(&index, "api://w/r"), json!({}));
}

/// The index finds long texts by their beginnings; what differs behind that is another resource.
#[test]
fn resources_that_begin_alike_for_long_are_told_apart() {
    let long = |end: &str| format!("api://w/{}{end}", "r".repeat(2 * MAX_KEY));
    let index =
        set(&[json!({"name": "a", "resources": [long("/a")]}), json!({"name": "b", "resources": [long("/b")]})]);
    for (end, granted) in [("/a", true), ("/b", true), ("/c", false), ("", false)] {
        let expected = if granted { json!({"GRANT": true}) } else { json!({}) };
        assert_eq!(actions(&index, &long(end)), expected, "{end}");
    }
    let asked = asked(&index, &long("/a"), &Subject::default());
    assert_eq!(asked.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn policies_of_a_set_whose_comparator_is_not_served_never_match() {
    let body = json!({"name": "w", "applicationType": "umaApplicationType"});
    let mut index = PolicySetIndex::new(&PolicySet::create(&body, |_| true, audit()).unwrap());
    index.upsert(policy(&json!({})));
    assert_eq!((index.len(), actions(&index, "api://w/r")), (1, json!({})));
}

/// A decision looks at what can match: the other 499 policies are not visited.
#[test]
fn a_decision_does_not_look_at_every_policy() {
    let many = |of: fn(usize) -> Value| (0..500).map(of).collect::<Vec<_>>();
    let by_path = |n| json!({"name": format!("p{n}"), "resources": [format!("api://w/{n}/*")]});
    let by_host = |n| json!({"name": format!("p{n}"), "resources": [format!("https://*.t{n}.test/*")]});
    let by_end = |n| json!({"name": format!("p{n}"), "resources": [format!("*:{n}")]});
    let by_piece = |n| json!({"name": format!("p{n}"), "resources": [format!("*://*:*/*n{n}x*")]});
    let by_self = |n| json!({"name": format!("p{n}"), "resources": [format!("https://t{n}.test/$SELF")]});
    let by_text = |n| json!({"name": format!("p{n}"), "resources": [format!("api://w/{n}")]});
    let by_claim = |n: usize| {
        json!({"name": format!("p{n}"), "subject":
            {"type": "JwtClaim", "claimName": "subject", "claimValue": format!("c{n}")}})
    };
    let by_group = |n: usize| {
        json!({"name": format!("p{n}"), "subject":
            {"type": "Identity", "subjectValues": [format!("id=g{n},ou=group")]}})
    };
    let mut subject = claims(json!({"sub": "x", "subject": "c7"}));
    subject.session = Some(Session::new(UniversalId::new("id=mona,ou=user"), vec![UniversalId::new("id=g7,ou=group")]));
    for (policies, resource) in [
        (many(by_path), "api://w/7/x"),
        (many(by_host), "https://a.t7.test/x"),
        (many(by_end), "stock:7"),
        (many(by_piece), "https://a.test/x/n7x/n7x"),
        (many(by_self), "https://t7.test/mona"),
        (many(by_text), "api://w/7"),
        (many(by_claim), "api://w/r"),
        (many(by_group), "api://w/r"),
    ] {
        let index = set(&policies);
        let visited = index.visited(&Resource::parse(resource).unwrap(), &subject);
        assert_eq!(visited, 1, "{resource}");
        assert!(ask(&index, &subject, &[resource]).unwrap()[0].allows("GRANT"));
    }
}

/// Every policy of `policies`, asked one after the other: what the index may only be faster than.
fn without_index(policies: &[Arc<Policy>], subject: &Subject, sent: &str) -> Decision {
    let resource = Resource::parse(sent).unwrap();
    let mut decision = Decision::new(sent);
    let circumstances = Circumstances::new("/alpha", &NOWHERE, 0);
    let compiled: Vec<_> = policies.iter().map(|policy| Compiled::new(policy.clone(), Comparator::Url)).collect();
    let scene = Scene::new(&circumstances, subject, resource.canonical());
    for policy in compiled.iter().filter(|compiled| compiled.policy.active) {
        if policy.matching(&resource, subject).is_some()
            && let Ok(Some(contribution)) = contribution(policy, &scene, &mut ())
        {
            decision.merge(contribution);
        }
    }
    decision
}

fn subject_tree() -> impl Strategy<Value = Value> {
    let claim = |name: &'static str| {
        prop::sample::select(vec!["a", "b", "c"])
            .prop_map(move |value| json!({"type": "JwtClaim", "claimName": name, "claimValue": value}))
    };
    let identity = prop::sample::select(vec!["id=mona,ou=user", "id=paul,ou=user", "id=g,ou=group"])
        .prop_map(|id| json!({"type": "Identity", "subjectValues": [id]}));
    let leaf = prop_oneof![
        Just(json!({"type": "NONE"})),
        Just(json!({"type": "AuthenticatedUsers"})),
        claim("x"),
        claim("y"),
        claim("number"),
        identity,
    ];
    leaf.prop_recursive(3, 12, 3, |child| {
        prop_oneof![
            prop::collection::vec(child.clone(), 1..4)
                .prop_map(|children| json!({"type": "AND", "subjects": children})),
            prop::collection::vec(child.clone(), 1..4).prop_map(|children| json!({"type": "OR", "subjects": children})),
            child.prop_map(|child| json!({"type": "NOT", "subject": child})),
        ]
    })
}

const PATTERNS: [&str; 16] = [
    "api://w/a",
    "api://w/a/*",
    "api://w/*",
    "api://w/-*-/b",
    "api://*/a",
    "*",
    "*/a",
    "w/*",
    "w/-*-",
    "https://*.acme.test/*",
    "https://eu.acme.test/*",
    "https://eu.acme.test/a",
    "*://*:*/*",
    "https://eu.acme.test/*?*",
    "https://eu.acme.test/$SELF",
    "https://*:443/a",
];
const RESOURCES: [&str; 11] = [
    "api://w/a",
    "api://w/a/b",
    "api://W/c/b",
    "w/a",
    "w",
    "https://eu.acme.test/a",
    "https://eu.acme.test",
    "https://eu.acme.test/a/b?c",
    "https://us.acme.test/a",
    "https://eu.acme.test/mona",
    "a",
];

fn policies() -> impl Strategy<Value = Vec<Arc<Policy>>> {
    let resources = prop::sample::subsequence(PATTERNS.to_vec(), 1..4);
    let actions =
        prop::collection::btree_map(prop::sample::select(vec!["GRANT", "AUDIT"]), prop::bool::weighted(0.7), 0..3);
    let one = (resources, actions, subject_tree(), prop::bool::weighted(0.9), 0..4_u8);
    prop::collection::vec(one, 0..12).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(n, (resources, actions, subject, active, tier))| {
                let tier = json!([{"type": "Static", "propertyName": "tier",
                    "propertyValues": [tier.to_string()]}]);
                policy(&json!({"name": format!("p{n}"), "resources": resources, "active": active,
                    "actionValues": actions, "subject": subject, "resourceAttributes": tier}))
            })
            .collect()
    })
}

fn subjects() -> impl Strategy<Value = Subject> {
    let claim = prop::sample::select(vec![json!("a"), json!(["b", "c"]), json!(null), json!(1)]);
    let claims = (claim.clone(), claim)
        .prop_map(|(x, y)| json!({"sub": "mona", "x": x, "y": y, "number": 1}).as_object().cloned());
    let session = prop::option::of(prop::sample::subsequence(vec!["id=g,ou=group", "id=h,ou=group"], 0..2));
    (prop_oneof![claims, Just(None)], session).prop_map(|(claims, groups)| Subject {
        session: groups.map(|groups| {
            Session::new(UniversalId::new("ID=Mona, ou=user"), groups.into_iter().map(UniversalId::new).collect())
        }),
        claims,
        profile: None,
    })
}

fn without_faults(mut decision: Decision) -> Decision {
    decision.faults.clear();
    decision
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The index leaves out nothing that would have contributed.
    #[test]
    fn the_index_decides_like_looking_at_every_policy(policies in policies(), subject in subjects()) {
        let mut index = PolicySetIndex::new(&empty_set());
        policies.iter().cloned().for_each(|policy| index.upsert(policy));
        for decision in ask(&index, &subject, &RESOURCES).unwrap() {
            let expected = without_index(&policies, &subject, &decision.resource);
            prop_assert_eq!(without_faults(decision), expected);
        }
    }

    /// Metamorphic: the order in which policies were written does not show, nor do policies that came
    /// and went, nor a policy written twice.
    #[test]
    fn the_history_of_a_set_does_not_change_its_decisions(
        policies in policies(),
        others in policies(),
        subject in subjects(),
        order in any::<prop::sample::Index>(),
    ) {
        let mut plain = PolicySetIndex::new(&empty_set());
        policies.iter().cloned().for_each(|policy| plain.upsert(policy));

        let mut eventful = PolicySetIndex::new(&empty_set());
        others.into_iter().for_each(|policy| eventful.upsert(policy));
        let mut turned = policies.clone();
        turned.reverse();
        if !turned.is_empty() {
            let by = order.index(turned.len());
            turned.rotate_left(by);
        }
        turned.iter().chain(&turned).cloned().for_each(|policy| eventful.upsert(policy));
        for n in policies.len()..12 {
            eventful.remove(&format!("p{n}"));
        }

        prop_assert_eq!(eventful.len(), plain.len());
        prop_assert_eq!(
            ask(&eventful, &subject, &RESOURCES).unwrap(),
            ask(&plain, &subject, &RESOURCES).unwrap()
        );
        policies.iter().for_each(|policy| assert!(eventful.remove(&policy.name)));
        prop_assert!(eventful.holds_nothing());
    }
}

/// PD-07: the version tells sets apart by what is in them, and by nothing else.
#[test]
fn a_version_is_of_what_is_in_a_set() {
    let changed = |body: &Value, at: i64| {
        let policy = policy(body);
        Arc::new(Policy { audit: policy.audit.modified("x", at), ..Policy::clone(&policy) })
    };
    let (a, b) = (json!({"name": "a"}), json!({"name": "b", "active": false}));
    let empty = set(&[]).version();
    let both = set(&[a.clone(), b.clone()]).version();
    assert_eq!(both, set(&[b.clone(), a.clone()]).version(), "in whatever order it came");
    let (one, other) = (set(from_ref(&a)).version(), set(from_ref(&b)).version());
    let all = [empty, one, other, both].map(|version| version.to_string());
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{all:?}");
    let mut index = set(&[a.clone(), b.clone()]);
    index.upsert(changed(&a, 1));
    assert_ne!(index.version(), both, "a change");
    index.upsert(changed(&a, 0));
    assert_eq!(index.version(), both, "the same again");
    assert!(index.remove("b"));
    assert_eq!(index.version(), one);
    assert!(!index.remove("b"));
    assert_eq!(index.version(), one);
    // One that moves to another set is gone from this one.
    index.upsert(Arc::new(Policy { application_name: "other".into(), ..Policy::clone(&policy(&a)) }));
    assert_eq!(index.version(), empty);
    let renamed = PolicySet { audit: audit().modified("x", 1), ..empty_set() };
    assert_ne!(PolicySetIndex::new(&renamed).version(), empty, "a set that was changed");
}

/// What is told of a decision is who was asked, whatever they said.
#[test]
fn a_decision_tells_who_was_asked() {
    let index = set(&[
        json!({"name": "says yes"}),
        json!({"name": "says nothing", "condition": {"type": "OAuth2Scope", "requiredScopes": ["x"]}}),
        json!({"name": "cannot say", "condition": {"type": "AuthLevel", "authLevel": 1}}),
        json!({"name": "of another", "subject": {"type": "JwtClaim", "claimName": "sub", "claimValue": "other"}}),
        json!({"name": "elsewhere", "resources": ["api://w/z"]}),
        json!({"name": "asleep", "active": false}),
    ]);
    let (subject, resources) = (claims(json!({"sub": "mona"})), ["api://w/r".to_owned()]);
    let environment = Environment::new();
    let request = Request {
        resources: &resources,
        subject: &subject,
        circumstances: Circumstances::new("/alpha", &environment, 0),
    };
    let told = decide_and_tell(&index, &request).unwrap();
    let mut names: Vec<&str> = told[0].asked.iter().map(|policy| policy.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["cannot say", "says nothing", "says yes"]);
    let mut again: Vec<String> = asked(&index, &resources[0], &subject).iter().map(|p| p.name.clone()).collect();
    again.sort_unstable();
    assert_eq!(again, names);
    assert_eq!(vec![told[0].decision.clone()], decide(&index, &request).unwrap());
}
