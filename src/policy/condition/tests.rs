//! Every condition type: what it accepts, how it reads back, what it says.

use super::*;
use crate::policy::{
    circumstances::Environment,
    subject::{Module, Qualified, UniversalId},
};

fn refused(json: Value) -> String {
    let error = Condition::parse(&json).unwrap_err();
    assert_eq!(error.status(), 400);
    error.message()
}

fn sets(pairs: &[(&str, &str)]) -> ValueSets {
    pairs.iter().map(|(name, value)| (name.to_string(), [value.to_string()].into())).collect()
}

/// 2024-05-21T14:36:51Z, a Tuesday.
const NOW: i64 = 1_716_302_211_000;

fn mona() -> Session {
    let user = UniversalId::new("id=mona,ou=user,o=alpha,ou=services,ou=am-config");
    let module = |name: &str| Module { name: Qualified::new("/alpha", name), authenticated_at: NOW - 600_000 };
    Session {
        auth_level: 20,
        modules: vec![module("LDAP"), module("HOTP")],
        services: vec![Qualified::new("/alpha", "StrongLogin")],
        realms: vec!["/alpha".into()],
        address: "198.51.100.20".parse().ok(),
        authenticated_at: NOW - 600_000,
        ..Session::new(user, vec![UniversalId::new("id=pickers,ou=group,o=alpha,ou=services,ou=am-config")])
    }
}

fn environment(entries: &[(&str, &[&str])]) -> Environment {
    let owned = |values: &[&str]| values.iter().map(|value| value.to_string()).collect();
    entries.iter().map(|(key, values)| (key.to_string(), owned(values))).collect()
}

/// What `condition` says of a subject with this session, at [`NOW`].
fn says(condition: &Value, session: Option<Session>, entries: &[(&str, &[&str])]) -> Result<Outcome, Fault> {
    let (condition, environment) = (Condition::parse(condition).unwrap(), environment(entries));
    let subject = Subject { session, ..Subject::default() };
    let circumstances = Circumstances::new("/alpha", &environment, NOW);
    condition.evaluate(&Scene::new(&circumstances, &subject, "api://w/r"), &mut ())
}

fn yes() -> Result<Outcome, Fault> {
    Ok(Outcome::plain(true))
}

fn no() -> Result<Outcome, Fault> {
    Ok(Outcome::plain(false))
}

fn advised(pairs: &[(&str, &str)]) -> Result<Outcome, Fault> {
    Ok(Outcome { advices: sets(pairs), ..Outcome::plain(false) })
}

/// §4.1, row by row; which children are looked at shows in the advices.
#[test]
fn logic_keeps_what_the_reference_keeps() {
    let level = |n: i64| json!({"type": "AuthLevel", "authLevel": n});
    let at_most = |n: i64| json!({"type": "LEAuthLevel", "authLevel": n});
    let of = |kind: &str, children: &[Value]| json!({"type": kind, "conditions": children});
    let not = |child: Value| json!({"type": "NOT", "condition": child});
    let advice = |n: &str| advised(&[("AuthLevelConditionAdvice", n)]);
    for (condition, expected) in [
        (of("AND", &[level(10), at_most(30)]), yes()),
        (of("AND", &[level(10), level(30), level(40)]), advice("30")),
        (of("AND", &[at_most(10), level(30)]), no()),
        (of("OR", &[level(30), level(10)]), yes()),
        (of("OR", &[level(30), level(40)]), advice("40")), // the later replaces the earlier
        (not(level(30)), yes()),
        (not(level(10)), no()),
        (not(not(level(30))), no()),
    ] {
        assert_eq!(says(&condition, Some(mona()), &[]), expected, "{condition}");
        assert_eq!(Condition::parse(&condition).unwrap().to_json(), condition);
    }
    let nobody = Err(Fault::NoSession("AuthLevel"));
    assert_eq!(says(&not(level(1)), None, &[]), nobody);
    assert_eq!(says(&of("OR", &[level(1), not(level(1))]), None, &[]), nobody);
}

#[test]
fn what_is_no_condition_is_refused() {
    assert_eq!(refused(json!({"type": "Foo"})), "JSON string is invalid. Unknown condition type 'Foo'.");
    let missing = "Property value 'conditions' should be defined.";
    assert_eq!(refused(json!({"type": "AND"})), missing);
    assert_eq!(refused(json!({"type": "OR", "conditions": []})), missing);
    assert_eq!(refused(json!({"type": "NOT"})), "Property value 'condition' should be defined.");
    assert!(refused(json!({})).contains("type"));
    assert!(refused(json!([])).starts_with("JSON string is invalid. "));
    let deep = (0..MAX_DEPTH).fold(json!({}), |child, _| json!({"type": "AND", "conditions": [child]}));
    assert!(refused(deep).contains("nested"));
}
