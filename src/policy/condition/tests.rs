//! Every condition type: what it accepts, how it reads back, what it says.

use super::*;
use crate::policy::circumstances;
use crate::policy::{
    circumstances::{Environment, ManagedQuery, NoServices, ScriptCall, Services, TransactionAsk},
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
    says_with(condition, session, entries, &NoServices)
}

fn says_with(
    condition: &Value,
    session: Option<Session>,
    entries: &[(&str, &[&str])],
    services: &dyn Services,
) -> Result<Outcome, Fault> {
    let (condition, environment) = (Condition::parse(condition).unwrap(), environment(entries));
    let subject = Subject { session, ..Subject::default() };
    let circumstances = Circumstances { services, ..Circumstances::new("/alpha", &environment, NOW) };
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

fn parsed(json: &Value) -> Value {
    Condition::parse(json).unwrap().to_json()
}

/// §4.2.
#[test]
fn levels_come_from_the_environment_or_else_the_session() {
    let level = |n: i64| json!({"type": "AuthLevel", "authLevel": n});
    let at_most = |n: i64| json!({"type": "LEAuthLevel", "authLevel": n});
    let advice = |n: &str| advised(&[("AuthLevelConditionAdvice", n)]);
    fn sent<'a>(values: &'a [&'a str]) -> [(&'a str, &'a [&'a str]); 1] {
        [("requestAuthLevel", values)]
    }
    assert_eq!(says(&level(20), Some(mona()), &[]), yes());
    assert_eq!(says(&level(21), Some(mona()), &[]), advice("21"));
    assert_eq!(says(&level(30), Some(mona()), &sent(&["/alpha:30", "5"])), yes());
    assert_eq!(says(&level(10), Some(mona()), &sent(&["5"])), advice("10"));
    assert_eq!(says(&level(30), None, &sent(&["30"])), yes());
    assert_eq!(says(&at_most(20), Some(mona()), &[]), yes());
    assert_eq!(says(&at_most(19), Some(mona()), &[]), no(), "no advice");
    assert_eq!(says(&level(1), None, &[]), Err(Fault::NoSession("AuthLevel")));
    assert_eq!(says(&at_most(1), None, &[]), Err(Fault::NoSession("LEAuthLevel")));
    for unreadable in ["high", ""] {
        let fault = Fault::Environment { key: "requestAuthLevel", value: unreadable.into() };
        assert_eq!(says(&level(1), Some(mona()), &sent(&[unreadable, "30"])), Err(fault));
    }
    assert!(says(&level(0), Some(mona()), &sent(&[])).is_err());

    assert_eq!(refused(json!({"type": "AuthLevel"})), "Property value 'AuthLevel' should be defined.");
    assert_eq!(refused(level(-1)), "Invalid value -1 for property AuthLevel");
    assert!(refused(json!({"type": "AuthLevel", "authLevel": "x"})).contains("'authLevel'"));
    assert!(refused(json!({"type": "AuthLevel", "authLevel": 1, "colour": 1})).contains("'colour'"));
    assert_eq!(parsed(&at_most(7)), at_most(7));
}

/// §4.3.
#[test]
fn schemes_must_all_be_passed_and_not_idle() {
    let schemes = |all: &[&str]| json!({"type": "AuthScheme", "authScheme": all});
    let missing = |scheme: &str| advised(&[("AuthSchemeConditionAdvice", scheme)]);
    fn sent<'a>(values: &'a [&'a str]) -> [(&'a str, &'a [&'a str]); 1] {
        [("requestAuthSchemes", values)]
    }
    for (listed, expected) in [
        (vec!["LDAP", "HOTP"], yes()),
        (vec!["/alpha:LDAP"], yes()),
        (vec!["/beta:LDAP"], missing("/beta:LDAP")),
        (vec!["LDAP", "SAE", "HOTP", "X"], missing("SAE")),
    ] {
        assert_eq!(says(&schemes(&listed), Some(mona()), &[]), expected, "{listed:?}");
    }
    assert_eq!(says(&schemes(&["LDAP"]), None, &[]), missing("LDAP"));
    assert_eq!(says(&schemes(&["LDAP"]), None, &sent(&["LDAP"])), yes());
    assert_eq!(says(&schemes(&["LDAP"]), Some(mona()), &sent(&["HOTP"])), missing("LDAP"));
    assert_eq!(says(&schemes(&["LDAP"]), None, &sent(&["/alpha:LDAP"])), missing("LDAP"), "as it is");

    let idle = json!({"type": "AuthScheme", "authScheme": ["LDAP", "HOTP"], "applicationName": "payroll",
        "applicationIdleTimeout": 15});
    let property = "am.protected.policy.AppIdleTimesoutAt.payroll";
    let until = |session: Session| says(&idle, Some(session), &[]);
    let moved = |to: i64| {
        let effect = Effect::SetSessionProperty { name: property.into(), value: to.to_string() };
        Ok(Outcome { ttl: to, effects: [effect].into(), ..Outcome::plain(true) })
    };
    let expired = advised(&[("AuthSchemeConditionAdvice", "LDAP"), ("ForceAuth", "true")]);
    assert_eq!(until(mona()), moved(NOW + 900_000), "ten minutes ago");
    let mut old = mona();
    old.modules.iter_mut().for_each(|module| module.authenticated_at = NOW - 901_000);
    assert_eq!(until(old.clone()), expired);
    old.properties.insert(property.into(), (NOW + 1).to_string());
    assert_eq!(until(old.clone()), moved(NOW + 900_000), "kept awake");
    old.properties.insert(property.into(), (NOW - 1).to_string());
    assert_eq!(until(old), expired);
    let half = says(&idle, None, &sent(&["LDAP", "HOTP"]));
    assert_eq!(half, expired, "nobody to be awake");

    assert_eq!(refused(json!({"type": "AuthScheme"})), "Property value 'authScheme' should be defined.");
    assert_eq!(refused(schemes(&[])), "Property value 'authScheme' should be defined.");
    assert_eq!(refused(schemes(&["LDAP", " "])), "Property value 'authScheme' contains a blank value.");
    assert_eq!(parsed(&idle), idle);
    assert_eq!(parsed(&schemes(&["LDAP"])), schemes(&["LDAP"]));
}

/// §4.4.
#[test]
fn realms_compare_without_case_and_slash() {
    let realm = |name: &str| json!({"type": "AuthenticateToRealm", "authenticateToRealm": name});
    fn sent<'a>(values: &'a [&'a str]) -> [(&'a str, &'a [&'a str]); 1] {
        [("requestAuthenticatedToRealms", values)]
    }
    for name in ["/alpha", "alpha", "/ALPHA"] {
        assert_eq!(says(&realm(name), Some(mona()), &[]), yes());
    }
    let advice = advised(&[("AuthenticateToRealmConditionAdvice", "/Beta")]);
    assert_eq!(says(&realm("/Beta"), Some(mona()), &[]), advice);
    assert_eq!(says(&realm("/Beta"), None, &sent(&["/beta"])), yes());
    assert!(!says(&realm("/alpha"), Some(mona()), &sent(&[])).unwrap().satisfied);
    assert_eq!(says(&realm("/"), None, &sent(&["/"])), yes());
    assert_eq!(says(&realm("/"), None, &[]), Err(Fault::NoSession("AuthenticateToRealm")));
    let missing = "Property value 'authenticateToRealm' should be defined.";
    assert_eq!(refused(json!({"type": "AuthenticateToRealm"})), missing);
    assert_eq!(refused(realm("")), missing);
    assert_eq!(parsed(&realm("/a")), realm("/a"));
}

/// §4.5.
#[test]
fn services_match_in_any_realm_and_are_advised_with_theirs() {
    let service = |name: &str| json!({"type": "AuthenticateToService", "authenticateToService": name});
    fn sent<'a>(values: &'a [&'a str]) -> [(&'a str, &'a [&'a str]); 1] {
        [("requestAuthenticatedToServices", values)]
    }
    let advice = |name: &str| advised(&[("AuthenticateToServiceConditionAdvice", name)]);
    for (name, expected) in [
        ("StrongLogin", yes()),
        ("/alpha:StrongLogin", yes()),
        ("/beta:StrongLogin", advice("/beta:StrongLogin")),
        ("stronglogin", advice("/alpha:stronglogin")),
    ] {
        assert_eq!(says(&service(name), Some(mona()), &[]), expected, "{name}");
    }
    assert_eq!(says(&service("Two"), None, &sent(&["/beta:Two"])), yes());
    assert_eq!(says(&service("Two"), None, &sent(&["Two"])), yes());
    assert_eq!(says(&service("/beta:Two"), None, &sent(&["Two"])), advice("/beta:Two"));
    assert_eq!(says(&service("Two"), None, &[]), Err(Fault::NoSession("AuthenticateToService")));
    let missing = "Property value 'authenticateToService' should be defined.";
    assert_eq!(refused(json!({"type": "AuthenticateToService"})), missing);
    assert_eq!(parsed(&service("x")), service("x"));
}

/// §4.6.
#[test]
fn managed_users_are_looked_up() {
    struct Directory;
    impl Services for Directory {
        fn managed_object(&self, query: &ManagedQuery<'_>) -> Result<Option<Value>, Fault> {
            assert_eq!((query.resource, query.query_field), ("managed/alpha_user", "userName"));
            let roles = json!({"effectiveRoles": [{"name": "picker"}, {"name": "dispatcher"}], "level": 3,
                "tags": ["a", ["b"]]});
            Ok((query.username == "mona").then_some(roles))
        }
    }
    let user = |field: &str, comparator: &str, value: &str| {
        json!({"type": "IdmUser", "identityResource": "managed/alpha_user", "queryField": "userName",
            "decisionField": field, "comparator": comparator, "value": value})
    };
    for (field, comparator, value, expected) in [
        ("effectiveRoles/*/name", "EQUALS", "dispatcher", true),
        ("/effectiveRoles/*/name", "EQUALS", "dispatch", false),
        ("effectiveRoles/0/name", "EQUALS", "dispatcher", false),
        ("effectiveRoles/*/name", "STARTS_WITH", "disp", true),
        ("effectiveRoles/*/name", "ENDS_WITH", "er", true),
        ("effectiveRoles/*/name", "CONTAINS", "patch", true),
        ("effectiveRoles/*/name", "CONTAINS", "boss", false),
        ("effectiveRoles/*/name", "REGEX", "p.*r", true),
        ("effectiveRoles/*/name", "REGEX", "p", false),
        ("level", "EQUALS", "3", true),
        ("tags", "EQUALS", "a", true),
        ("tags", "EQUALS", "b", false),
        ("nothing/here", "CONTAINS", "", false),
    ] {
        let condition = user(field, comparator, value);
        let said = says_with(&condition, Some(mona()), &[], &Directory);
        assert_eq!(said, Ok(Outcome::plain(expected)), "{condition}");
        assert_eq!(parsed(&condition), condition);
    }
    let equals = user("level", "EQUALS", "3");
    assert_eq!(says_with(&equals, None, &[], &Directory), no());
    let paul = Session::new(UniversalId::new("id=paul,ou=user"), Vec::new());
    assert_eq!(says_with(&equals, Some(paul), &[], &Directory), no());
    assert_eq!(says(&equals, Some(mona()), &[]), Err(Fault::Unsupported("IdmUser")));
    assert_eq!(refused(user("a", "LIKE", "b")), "Invalid value LIKE for property comparator");
    assert_eq!(refused(user("a", "REGEX", "(")), "Invalid value ( for property value");
    assert_eq!(refused(json!({"type": "IdmUser"})), "Property value 'value' should be defined.");
}

/// §4.7.
#[test]
fn addresses_lie_in_a_range_or_have_a_name() {
    let v4 = json!({"type": "IPv4", "startIp": "198.51.100.10", "endIp": "198.51.100.99",
        "dnsName": ["*.corp.acme.test", "Desk.acme.test"]});
    fn ip<'a>(values: &'a [&'a str]) -> [(&'a str, &'a [&'a str]); 1] {
        [("requestIp", values)]
    }
    for (address, expected) in [
        ("198.51.100.10", true),
        ("198.51.100.99", true),
        ("198.51.100.9", false),
        ("198.51.100.100", false),
        ("2001:db8::1", false),
        ("198.51.100.256", false),
        ("", false),
    ] {
        assert_eq!(says(&v4, Some(mona()), &ip(&[address])), Ok(Outcome::plain(expected)), "{address}");
    }
    assert_eq!(says(&v4, Some(mona()), &[]), yes(), "the session's");
    assert_eq!(says(&v4, Some(mona()), &ip(&[])), no(), "an empty key is a key");
    assert_eq!(says(&v4, None, &[]), no());
    for (name, expected) in [
        ("a.corp.acme.test", true),
        ("A.CORP.acme.test", true),
        ("corp.acme.test", false),
        ("desk.acme.TEST", true),
        ("x.desk.acme.test", false),
    ] {
        assert_eq!(says(&v4, None, &[("requestDnsName", &[name])]), Ok(Outcome::plain(expected)), "{name}");
    }
    let by_address = [("requestDnsName", &["x.test"][..]), ("requestIp", &["198.51.100.10"][..])];
    assert_eq!(says(&v4, None, &by_address), yes());
    let any = json!({"type": "IPv4", "dnsName": ["*"]});
    assert_eq!(says(&any, None, &[("requestDnsName", &["x.test"])]), yes());

    let v6 = json!({"type": "IPv6", "startIp": "2001:db8::1", "endIp": "2001:db8::ff"});
    assert_eq!(says(&v6, None, &ip(&["2001:DB8:0::7f"])), yes());
    assert_eq!(says(&v6, None, &ip(&["2001:db8::100"])), no());
    assert_eq!(says(&v6, None, &ip(&["198.51.100.10"])), no());
    let single = json!({"type": "IPv6", "endIp": "::1"});
    assert_eq!(says(&single, None, &ip(&["::1"])), yes());
    assert_eq!(says(&single, None, &ip(&["::2"])), no());

    let old = json!({"type": "IPv4", "ipRange": ["10.0.0.1-10.0.0.9", "10.1.0.1", "10.1.0.9", "10.2.0.1"]});
    for (address, expected) in [("10.0.0.5", true), ("10.0.0.10", false), ("10.1.0.5", true), ("10.2.0.1", false)] {
        assert_eq!(says(&old, None, &ip(&[address])), Ok(Outcome::plain(expected)), "{address}");
    }
    let flat = json!(["10.0.0.1", "10.0.0.9", "10.1.0.1", "10.1.0.9", "10.2.0.1"]);
    assert_eq!(parsed(&old), json!({"type": "IPv4", "ipRange": flat, "dnsName": []}));
    let again = parsed(&old);
    assert_eq!(parsed(&again), again);

    let bad = |members: Value| {
        let mut condition = json!({"type": "IPv4"});
        condition.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
        refused(condition)
    };
    assert_eq!(bad(json!({})), "ipRange, dnsName, or startIp-endIp pair MUST be defined.");
    assert_eq!(bad(json!({"startIp": "10.0.0.2", "endIp": "10.0.0.1"})), "Start IP can not be larger than end IP.");
    assert_eq!(bad(json!({"startIp": "::1"})), "Invalid value ::1 for property startIp");
    assert_eq!(bad(json!({"startIp": "10.0.0.1", "endIp": "x"})), "Invalid value x for property endIp");
    assert_eq!(bad(json!({"ipRange": ["x"]})), "Invalid value x for property ipRange");
    for name in ["a.*", "*a.test", "*.*.test", "**", ""] {
        assert_eq!(bad(json!({"dnsName": [name]})), format!("Invalid value {name} for property dnsName"));
    }
}

/// §4.8.
#[test]
fn directories_are_asked_with_well_formed_filters() {
    struct Directory;
    impl Services for Directory {
        fn ldap_filter(&self, filter: &str, user: &UniversalId) -> Result<bool, Fault> {
            Ok(filter.contains("picker") && *user == mona().user)
        }
    }
    let filter = |text: &str| json!({"type": "LDAPFilter", "ldapFilter": text});
    let pickers = filter("(&(employeeType=picker)(l=Bremen))");
    assert_eq!(says_with(&pickers, Some(mona()), &[], &Directory), yes());
    assert_eq!(says_with(&filter("(l=Bremen)"), Some(mona()), &[], &Directory), no());
    assert_eq!(says_with(&pickers, None, &[], &Directory), Err(Fault::NoSession("LDAPFilter")));
    assert_eq!(says(&pickers, Some(mona()), &[]), Err(Fault::Unsupported("LDAPFilter")));
    let deep = format!("{}(a=b){}", "(!".repeat(60), ")".repeat(60));
    for good in ["(a=*)", "(a~=b)", "(a>=1)", "(&)", "(!(a=b))", "(|(a=b)(!(c=d)))", r"(a=\28b\29)", "(a:dn:=b)", &deep]
    {
        assert_eq!(parsed(&filter(good)), filter(good));
    }
    let too_deep = format!("{}(a=b){}", "(!".repeat(100), ")".repeat(100));
    for bad in [
        "",
        "a=b",
        "(a=b",
        "a=b)",
        "(a)",
        "(=b)",
        "()",
        "(!)",
        "(!(a=b)(c=d))",
        "(a=b)(c=d)",
        "((a=b))",
        r"(a=\2)",
        "(a=b))",
        "(a b=c)",
        "(&(a=b)",
        "(a=(b)",
        &too_deep,
    ] {
        assert_eq!(refused(filter(bad)), format!("Invalid value {bad} for property ldapFilter"));
    }
    assert_eq!(refused(json!({"type": "LDAPFilter"})), "Property value 'ldapFilter' should be defined.");
}

/// §4.9.
#[test]
fn scopes_come_from_the_environment() {
    let both = json!({"type": "OAuth2Scope", "requiredScopes": ["stock.read", "stock.write"]});
    for (sent, expected) in [
        (&["stock.read stock.write"][..], true),
        (&["x  stock.write\tstock.read"], true),
        (&["stock.read", "stock.write"], true), // §10 no. 10
        (&["stock.read"], false),
        (&["stock.read,stock.write"], false),
        (&["STOCK.READ stock.write"], false),
        (&[], false),
    ] {
        assert_eq!(says(&both, None, &[("scope", sent)]), Ok(Outcome::plain(expected)), "{sent:?}");
    }
    assert_eq!(says(&both, None, &[("scopes", &["stock.read stock.write"])]), no());
    let missing = "Property value 'requiredScopes' should be defined.";
    assert_eq!(refused(json!({"type": "OAuth2Scope"})), missing);
    assert_eq!(refused(json!({"type": "OAuth2Scope", "requiredScopes": []})), missing);
    for scope in ["a b", "", "a\"b", "a\\b", "ä"] {
        assert_eq!(
            refused(json!({"type": "OAuth2Scope", "requiredScopes": ["a", scope]})),
            format!("Invalid OAuth2 Scope '{scope}': See RFC 6749 section 3.3 for allowed values.")
        );
    }
    assert_eq!(parsed(&both), both);
}

/// §4.10, §7.4.
#[test]
fn scripts_say_what_they_may() {
    struct Engine(std::sync::atomic::AtomicUsize);
    impl Services for Engine {
        fn script(&self, call: &ScriptCall<'_>) -> Result<Outcome, Fault> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert_eq!((call.resource, call.username), ("api://w/r", Some(mona().user.as_str())));
            let (advices, attributes) = (sets(&[("Ask", "again")]), sets(&[("branch", "HB")]));
            let effects = [Effect::TerminateSession].into();
            Ok(Outcome { satisfied: call.script_id == "yes", advices, attributes, ttl: 7, effects })
        }
    }
    let script = |id: &str| json!({"type": "Script", "scriptId": id});
    let engine = Engine(0.into());
    let attributes = sets(&[("branch", "HB")]);
    let said = says_with(&script("yes"), Some(mona()), &[], &engine);
    assert_eq!(said, Ok(Outcome { attributes: attributes.clone(), ttl: 7, ..Outcome::plain(true) }));
    let said = says_with(&script("no"), Some(mona()), &[], &engine);
    assert_eq!(said, Ok(Outcome { attributes, advices: sets(&[("Ask", "again")]), ..Outcome::plain(false) }));
    let twice = json!({"type": "AND", "conditions": [script("yes"), script("yes")]});
    let before = engine.0.load(std::sync::atomic::Ordering::Relaxed);
    assert!(says_with(&twice, Some(mona()), &[], &engine).unwrap().satisfied);
    assert_eq!(engine.0.load(std::sync::atomic::Ordering::Relaxed), before + 1, "equal conditions ask once");

    let fault = says(&script("b1a4"), None, &[]).unwrap_err();
    assert_eq!(fault.to_string(), "Script condition is unable to load script b1a4.");
    assert!(says(&json!({"type": "NOT", "condition": script("b1a4")}), None, &[]).is_err());
    assert_eq!(refused(json!({"type": "Script"})), "Property value 'scriptId' should be defined.");
    assert_eq!(parsed(&script("x")), script("x"));
}

/// §4.11.
#[test]
fn sessions_grow_old() {
    let age = |minutes: Value, terminate: bool| json!({"type": "Session", "maxSessionTime": minutes, "terminateSession": terminate});
    let until = |ttl: i64| Ok(Outcome { ttl, ..Outcome::plain(true) });
    let denied = advised(&[("SessionConditionAdvice", "deny")]);
    assert_eq!(says(&age(json!(20), false), Some(mona()), &[]), until(NOW + 600_000));
    assert_eq!(says(&age(json!("11"), true), Some(mona()), &[]), until(NOW + 60_000));
    assert_eq!(says(&age(json!(10), false), Some(mona()), &[]), denied, "now is too late");
    let mut ended = says(&age(json!(10), true), Some(mona()), &[]).unwrap();
    assert_eq!(ended.effects, [Effect::TerminateSession].into());
    assert_eq!(json!(ended.advices), json!({"SessionConditionAdvice": ["deny", "terminateSession"]}));
    ended = says(&json!({"type": "NOT", "condition": age(json!(10), true)}), Some(mona()), &[]).unwrap();
    assert_eq!(ended.effects, [Effect::TerminateSession].into(), "evaluated is evaluated");
    assert_eq!(says(&age(json!(0), true), None, &[]), yes());
    let (recent, far) = ((NOW - 1).to_string(), i64::MAX.to_string());
    let created = |value: &str| says(&age(json!(1), false), Some(mona()), &[("requestSessionCreationTime", &[value])]);
    assert_eq!(created(&recent), until(NOW + 59_999));
    assert_eq!(created(&far), until(i64::MAX), "no overflow");
    assert!(created("soon").is_err());

    assert_eq!(refused(json!({"type": "Session"})), "Property value 'maxSessionTime' should be defined.");
    for bad in [json!(-1), json!("-1")] {
        assert_eq!(refused(age(bad, false)), "Invalid value -1 for property maxSessionTime");
    }
    assert_eq!(refused(age(json!("x"), false)), "Invalid value x for property maxSessionTime");
    assert_eq!(refused(age(json!(1.5), false)), "Invalid value 1.5 for property maxSessionTime");
    assert_eq!(parsed(&json!({"type": "Session", "maxSessionTime": "20"})), age(json!(20), false));
}

/// §4.12.
#[test]
fn session_properties_have_listed_values() {
    let mut session = mona();
    session.properties.insert("am.protected.branch".into(), "hb|KI".into());
    session.properties.insert("CharSet".into(), "UTF-8".into());
    let says = |members: Value, ignore: Option<bool>| {
        let mut condition = json!({"type": "SessionProperty", "properties": members});
        if let Some(ignore) = ignore {
            condition["ignoreValueCase"] = json!(ignore);
        }
        says(&condition, Some(session.clone()), &[]).map(|outcome| outcome.satisfied)
    };
    let branch = |values: &[&str]| json!({"am.protected.branch": values, "CharSet": ["UTF-8"]});
    assert_eq!(says(branch(&["HB", "HH"]), None), Ok(true));
    assert_eq!(says(branch(&["HB", "HH"]), Some(false)), Ok(false));
    assert_eq!(says(branch(&["KI"]), Some(false)), Ok(true));
    assert_eq!(says(branch(&["hb|KI"]), None), Ok(false), "split");
    assert_eq!(says(branch(&[]), None), Ok(true), "an empty list asks nothing");
    assert_eq!(says(json!({"charset": ["UTF-8"]}), None), Ok(false), "names have letter case");

    let none = json!({"type": "SessionProperty", "properties": {}});
    assert_eq!(refused(none), "Property value 'properties' should be defined.");
    assert!(refused(json!({"type": "SessionProperty", "properties": {"a": "b"}})).contains("'properties'"));
    let read = parsed(&json!({"type": "SessionProperty", "properties": {"a": ["b"]}}));
    assert_eq!(read, json!({"type": "SessionProperty", "ignoreValueCase": true, "properties": {"a": ["b"]}}));
    assert_eq!(super::tests::says(&read, None, &[]), Err(Fault::NoSession("SessionProperty")));
}

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// §4.13. Columns: members, now, satisfied, `ttl` (empty for none).
#[test]
fn times_are_intersections_of_windows() {
    let night = json!({"startTime": "22:00", "endTime": "06:00"});
    let office = json!({"startTime": "08:00", "endTime": "18:00", "enforcementTimeZone": "Europe/Berlin"});
    let week = json!({"startDay": "mon", "endDay": "FRI"});
    let weekend = json!({"startDay": "sat", "endDay": "sun"});
    let monday = json!({"startDay": "mon", "endDay": "mon"});
    let all_but_monday = json!({"startDay": "tue", "endDay": "sun"});
    let whole_week = json!({"startDay": "tue", "endDay": "mon"});
    let year = json!({"startDate": "2026:01:01", "endDate": "2026:12:31"});
    let nights_of_the_week = json!({"startTime": "22:00", "endTime": "06:00", "startDay": "mon", "endDay": "fri"});
    let everything = json!({"startTime": "00:00", "endTime": "24:00", "startDay": "", "endDay": ""});
    let far = json!({"startTime": "06:00", "endTime": "07:00", "enforcementTimeZone": "GMT+2:00"});
    // 2026-11-16 is a Monday.
    for (members, now, satisfied, ttl) in [
        (&night, "2026-11-16T12:00:00Z", false, ""),
        (&night, "2026-11-16T23:00:00Z", true, "2026-11-17T06:00:00Z"),
        (&night, "2026-11-16T05:00:00Z", true, "2026-11-16T06:00:00Z"),
        (&night, "2026-11-16T06:00:00Z", true, "2026-11-16T06:00:00Z"),
        (&night, "2026-11-16T06:00:00.001Z", false, ""),
        (&night, "2026-11-16T22:00:00Z", true, "2026-11-17T06:00:00Z"),
        (&office, "2026-11-16T06:59:59Z", false, "2026-11-16T07:00:00Z"),
        (&office, "2026-11-16T07:00:00Z", true, "2026-11-16T17:00:00Z"),
        (&office, "2026-11-16T17:00:00Z", true, "2026-11-16T17:00:00Z"),
        (&office, "2026-11-16T17:00:01Z", false, ""),
        (&office, "2026-07-16T06:00:00Z", true, "2026-07-16T16:00:00Z"), // summer time
        (&week, "2026-11-15T23:00:00Z", false, "2026-11-16T00:00:00Z"),  // Sunday: before this week's Monday
        (&week, "2026-11-16T00:00:00Z", true, "2026-11-21T00:00:00Z"),
        (&week, "2026-11-21T00:00:00Z", true, "2026-11-21T00:00:00Z"), // Friday 24:00
        (&week, "2026-11-21T00:00:00.001Z", false, ""),
        (&weekend, "2026-11-15T12:00:00Z", true, "2026-11-16T00:00:00Z"),
        (&weekend, "2026-11-21T12:00:00Z", true, "2026-11-23T00:00:00Z"),
        (&weekend, "2026-11-18T12:00:00Z", false, ""),
        (&monday, "2026-11-16T23:59:59Z", true, "2026-11-17T00:00:00Z"),
        (&monday, "2026-11-17T00:00:01Z", false, ""),
        (&all_but_monday, "2026-11-16T12:00:00Z", false, ""),
        (&all_but_monday, "2026-11-15T12:00:00Z", true, "2026-11-16T00:00:00Z"),
        (&whole_week, "2026-11-16T12:00:00Z", true, "2026-11-17T00:00:00Z"),
        (&whole_week, "2026-11-17T12:00:00Z", true, "2026-11-24T00:00:00Z"),
        (&year, "2025-12-31T23:59:59Z", false, "2026-01-01T00:00:00Z"),
        (&year, "2026-12-31T23:59:59Z", true, "2027-01-01T00:00:00Z"),
        (&year, "2027-01-01T00:00:01Z", false, ""),
        (&nights_of_the_week, "2026-11-21T01:00:00Z", false, ""), // Saturday
        (&nights_of_the_week, "2026-11-16T01:00:00Z", true, "2026-11-16T06:00:00Z"),
        (&everything, "2026-11-16T12:00:00Z", true, "2026-11-17T00:00:00Z"),
        (&far, "2026-11-16T04:30:00Z", true, "2026-11-16T05:00:00Z"),
        // The night of 29 March 2026 has no 02:30 in Berlin; it comes at 03:30 (01:30Z).
        (
            &json!({"startTime": "02:30", "endTime": "04:00", "enforcementTimeZone": "Europe/Berlin"}),
            "2026-03-29T01:00:00Z",
            false,
            "2026-03-29T01:30:00Z",
        ),
    ] {
        let mut condition = json!({"type": "SimpleTime"});
        condition.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
        let now = at(now).to_string();
        let said = says(&condition, None, &[("requestTime", &[&now])]).unwrap();
        let ttl = if ttl.is_empty() { TTL_MAX } else { at(ttl) };
        assert_eq!(said, Outcome { ttl, ..Outcome::plain(satisfied) }, "{condition} at {now}");
    }
}

/// §4.13: where *now* and the zone come from.
#[test]
fn times_are_told_by_the_environment_or_the_clock() {
    let afternoon = json!({"type": "SimpleTime", "startTime": "14:00", "endTime": "15:00"}); // NOW is 14:36:51Z
    let satisfied = |entries: &[(&str, &[&str])]| says(&afternoon, None, entries).map(|outcome| outcome.satisfied);
    assert_eq!(satisfied(&[]), Ok(true));
    assert_eq!(satisfied(&[("requestTimeZone", &["Europe/Berlin"])]), Ok(false));
    assert_eq!(satisfied(&[("requestTimeZone", &["US/Mountain"])]), Ok(false));
    assert_eq!(satisfied(&[("requestTimeZone", &["GMT-0015"])]), Ok(true));
    assert_eq!(satisfied(&[("requestTime", &["0"])]), Ok(false));
    assert_eq!(satisfied(&[("requestTime", &[])]), Ok(true));
    assert_eq!(satisfied(&[("requestTimeZone", &["Mars/Base"])]), Err(Fault::TimeZone("Mars/Base".into())));
    let unreadable = Fault::Environment { key: "requestTime", value: "noon".into() };
    assert_eq!(satisfied(&[("requestTime", &["noon"])]), Err(unreadable));
    assert_eq!(satisfied(&[("requestTime", &[&i64::MAX.to_string()])]), Err(Fault::Time));
    let mut own = afternoon.clone();
    own["enforcementTimeZone"] = json!("Europe/Berlin");
    let said = says(&own, None, &[("requestTimeZone", &["UTC"])]).unwrap();
    assert!(!said.satisfied, "its own zone comes first");
    for (zone, known) in [
        ("GMT+2:00", true),
        ("GMT-0330", true),
        ("GMT+5", true),
        ("GMT", true),
        ("UTC", true),
        ("America/New_York", true),
        ("GMT+24:00", false),
        ("GMT+2:60", false),
        ("GMT+2:0", false),
        ("GMT+", false),
        ("GMT+12345", false),
        ("../etc/passwd", false),
        ("", false),
    ] {
        assert_eq!(time::zone(zone).is_some(), known, "{zone}");
    }
}

/// §4.13, §2.10.3.
#[test]
fn times_that_mean_nothing_are_refused() {
    let time = |members: Value| {
        let mut condition = json!({"type": "SimpleTime"});
        condition.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
        condition
    };
    let nothing =
        "At least one of the properties Start Date, Start Time, Start Day should be defined with non null value.";
    assert_eq!(refused(time(json!({}))), nothing);
    assert_eq!(refused(time(json!({"startTime": "", "endTime": ""}))), nothing);
    assert_eq!(refused(time(json!({"enforcementTimeZone": "UTC"}))), nothing);
    for (present, missing, value) in [
        ("startTime", "endTime", "06:00"),
        ("endTime", "startTime", "06:00"),
        ("startDay", "endDay", "mon"),
        ("endDate", "startDate", "2026:01:01"),
    ] {
        let message = format!("Should define value for {missing}, since value is defined for {present}");
        assert_eq!(refused(time(json!({present: value}))), message);
    }
    for (value, other, start, end) in [
        ("25:00", "06:00", "startTime", "endTime"),
        ("06:60", "06:00", "startTime", "endTime"),
        ("6", "06:00", "startTime", "endTime"),
        ("+6:00", "06:00", "startTime", "endTime"),
        ("006:00", "06:00", "startTime", "endTime"),
        ("monday", "fri", "startDay", "endDay"),
        ("2026-01-01", "2026:12:31", "startDate", "endDate"),
        ("2026:02:30", "2026:12:31", "startDate", "endDate"),
        ("2026:01:01:01", "2026:12:31", "startDate", "endDate"),
    ] {
        let message = format!("Invalid value {value} for property {start}");
        assert_eq!(refused(time(json!({start: value, end: other}))), message);
    }
    let reversed = time(json!({"startDate": "2026:12:31", "endDate": "2026:01:01"}));
    assert_eq!(refused(reversed), "Start date, 2026:12:31 cannot be greater than end date, 2026:01:01");

    let whole = time(json!({"startTime": "22:00", "endTime": "06:00", "startDay": "Mon", "endDay": "fri",
        "startDate": "2026:01:01", "endDate": "2026:12:31", "enforcementTimeZone": "Europe/Berlin"}));
    assert_eq!(parsed(&whole), whole);
    // Who writes a zone has to know it; who reads it contributes nothing.
    let mars = time(json!({"startTime": "22:00", "endTime": "06:00", "enforcementTimeZone": "Mars/Base"}));
    let read = Condition::parse(&mars).unwrap();
    let message = "Invalid value Mars/Base for property enforcementTimeZone";
    assert_eq!(Condition::Not(Box::new(read)).check().unwrap_err().message(), message);
    assert_eq!(says(&mars, None, &[]), Err(Fault::TimeZone("Mars/Base".into())));
}

/// §4.14.
#[test]
fn membership_is_that_of_the_environments_principal() {
    struct Directory;
    impl Services for Directory {
        fn groups(&self, of: &UniversalId) -> Result<Vec<UniversalId>, Fault> {
            let paul = *of == UniversalId::new("id=paul,ou=user,ou=am-config");
            Ok(paul.then(|| UniversalId::new("ID=pickers, ou=group,ou=am-config")).into_iter().collect())
        }
    }
    let condition = json!({"type": "AMIdentityMembership", "amIdentityName":
        ["id=pickers,ou=group,ou=am-config", "id=eve,ou=user,ou=am-config"]});
    for (values, expected) in [
        (&["id=paul,ou=user,ou=am-config"][..], true),
        (&["ID=Eve,ou=user, ou=am-config"], true),
        (&["id=nobody,ou=user,ou=am-config", "id=paul,ou=user,ou=am-config"], false), // only the first
        (&[], false),
    ] {
        let said = says_with(&condition, None, &[("invocatorPrincipalUuid", values)], &Directory);
        assert_eq!(said, Ok(Outcome::plain(expected)), "{values:?}");
    }
    assert_eq!(says_with(&condition, Some(mona()), &[], &Directory), no(), "not the session's user");
    let own = json!({"type": "AMIdentityMembership", "amIdentityName": [mona().groups[0].as_str()]});
    assert_eq!(says(&own, Some(mona()), &[("invocatorPrincipalUuid", &[mona().user.as_str()])]), yes());
    let unknown = says(&condition, None, &[("invocatorPrincipalUuid", &["id=paul,ou=user"])]);
    assert_eq!(unknown, Err(Fault::Unsupported("group membership")));
    let missing = "Property value 'amIdentityName' should be defined.";
    assert_eq!(refused(json!({"type": "AMIdentityMembership", "amIdentityName": []})), missing);
    assert_eq!(parsed(&condition), condition);
}

/// §4.15.
#[test]
fn addresses_demand_authentication() {
    let rules = |all: &[&str]| json!({"type": "ResourceEnvIP", "resourceEnvIPConditionValue": all});
    fn from<'a>(values: &'a [&'a str]) -> [(&'a str, &'a [&'a str]); 1] {
        [("requestIp", values)]
    }
    let mut session = mona();
    session.properties.insert("Role".into(), "boss|picker".into());
    session.properties.insert("UserToken".into(), "mona".into());
    let check = |rule: &str, entries: &[(&str, &[&str])], expected: Result<Outcome, Fault>| {
        assert_eq!(says(&rules(&[rule]), Some(session.clone()), entries), expected, "{rule} {entries:?}");
        assert_eq!(parsed(&rules(&[rule])), rules(&[rule]));
    };
    let here = from(&["198.51.100.7"]);
    let level = "IF IP=[198.51.100.0-198.51.100.255] THEN authlevel=30";
    check(level, &here, advised(&[("AuthLevelConditionAdvice", "30")]));
    check("if ip=[198.51.100.7] then AuthLevel=10", &here, yes());
    check(level, &from(&["198.51.101.7"]), no());
    check(level, &[], no()); // no key: cannot match, whatever the session's address is
    check(level, &from(&[]), advised(&[("AuthLevelConditionAdvice", "30")])); // an empty key: the session's
    check("IF IP=[2001:db8::1-2001:db8::f] THEN module=LDAP", &from(&["2001:db8::7"]), yes());
    check("IF IP=[198.51.*.*] THEN module=LDAP", &here, yes());
    check("IF IP=[198.52.*.*] THEN module=LDAP", &here, no());
    check("IF IP=[*.*.*.*] THEN module=LDAP", &from(&["2001:db8::7"]), yes());
    check("IF IP=198.51.100.7 THEN module=LDAP", &here, no()); // no brackets
    check("IF IP=[x] THEN module=LDAP", &here, no());
    check("IF IP=[x] THEN module=LDAP", &[("IP", &["[X]"])], yes()); // textually
    check("IF dnsName=a.test THEN module=LDAP", &[("dnsName", &["b.test", "A.test"])], yes());
    check("IF dnsName=a.test THEN module=LDAP", &[("dnsName", &["b.test"])], no());
    for (demand, advice) in [
        ("module=SAE", "AuthSchemeConditionAdvice"),
        ("service=Weak", "AuthenticateToServiceConditionAdvice"),
        ("role=admin", "AuthRoleConditionAdvice"),
        ("user=paul", "AuthUserConditionAdvice"),
        ("redirectURL=https://x.test/?a=b", "AuthRedirectionConditionAdvice"),
        ("realm=/beta", "AuthenticateToRealmConditionAdvice"),
        ("org=/beta", "AuthenticateToRealmConditionAdvice"),
    ] {
        let (_, value) = demand.split_once('=').unwrap();
        check(&format!("IF IP=[198.51.100.7] THEN {demand}"), &here, advised(&[(advice, value)]));
    }
    for demand in
        ["module=LDAP", "service=StrongLogin", "service=/alpha:StrongLogin", "role=picker", "user=mona", "realm=/alpha"]
    {
        check(&format!("IF IP=[198.51.100.7] THEN {demand}"), &here, yes());
    }
    let two = rules(&["IF IP=[10.0.0.1] THEN module=SAE", "IF IP=[*.*.*.*] THEN module=LDAP"]);
    assert_eq!(says(&two, Some(session.clone()), &here), yes(), "the first that applies");
    assert_eq!(says(&two, None, &here), Err(Fault::NoSession("ResourceEnvIP")));

    for bad in [
        "",
        "IP=[1.2.3.4]",
        "IF IP=[1.2.3.4]",
        "IF IP THEN module=x",
        "IF a=b THEN magic=x",
        "IF a=b THEN module",
        "IF a=b THEN authlevel=high",
        "IFa=b THEN module=x",
        "IF a=b THENmodule=x",
        "IF a= THEN module=x",
    ] {
        let message = refused(rules(&["IF a=b THEN module=x", bad]));
        let expected = match bad {
            "" => "Property value 'resourceEnvIPConditionValue' contains a blank value.".to_owned(),
            bad => format!("Invalid value {bad} for property resourceEnvIPConditionValue"),
        };
        assert_eq!(message, expected);
    }
}

/// §4.16.
#[test]
fn transactions_are_confirmed_once() {
    struct Transactions;
    impl Services for Transactions {
        fn transaction(&self, ask: &TransactionAsk<'_>) -> Result<circumstances::Transaction, Fault> {
            assert_eq!(
                (ask.realm, ask.resource, ask.strategy, ask.specifier),
                ("/alpha", "api://w/r", "Auth Level", "5")
            );
            assert_eq!(ask.user, &mona().user);
            assert!(ask.ids.len() <= 16);
            Ok(match ask.ids.iter().any(|id| id == "done") {
                true => circumstances::Transaction::Completed("done".into()),
                false => circumstances::Transaction::Required("7b0a".into()),
            })
        }
    }
    let condition = json!({"type": "Transaction", "authenticationStrategy": "Auth Level", "strategySpecifier": "5"});
    let required = Outcome {
        ttl: 0,
        advices: sets(&[("TransactionConditionAdvice", "7b0a")]),
        effects: [Effect::TransactionRequired { id: "7b0a".into() }].into(),
        ..Outcome::plain(false)
    };
    let used = Effect::TransactionUsed { id: "done".into() };
    let completed = Outcome { ttl: 0, effects: [used].into(), ..Outcome::plain(true) };
    assert_eq!(says_with(&condition, Some(mona()), &[], &Transactions), Ok(required.clone()));
    assert_eq!(says_with(&condition, Some(mona()), &[("TxId", &["stale"])], &Transactions), Ok(required.clone()));
    assert_eq!(says_with(&condition, Some(mona()), &[("TxId", &["done"])], &Transactions), Ok(completed.clone()));
    assert_eq!(says_with(&condition, Some(mona()), &[("TxId", &["stale", "done"])], &Transactions), Ok(completed));
    let late = [&["stale"; 16][..], &["done"]].concat();
    assert_eq!(says_with(&condition, Some(mona()), &[("TxId", &late)], &Transactions), Ok(required.clone()), "bounded");
    assert_eq!(says_with(&condition, None, &[], &Transactions), Err(Fault::NoSession("Transaction")));
    assert_eq!(says(&condition, Some(mona()), &[]), Err(Fault::Unsupported("Transaction")));
    assert_eq!(outside::Strategy::of("Auth Level"), outside::Strategy::of("AuthLevelConditionAdvice"));
    assert_eq!(outside::Strategy::of("other"), None);
    for member in ["authenticationStrategy", "strategySpecifier"] {
        let mut without = condition.clone();
        without[member] = json!(null);
        assert_eq!(refused(without), format!("Property value '{member}' should be defined."));
    }
    assert_eq!(parsed(&condition), condition);
}

/// §4.17.
#[test]
fn a_legacy_condition_is_kept_and_grants_nothing_even_negated() {
    let legacy = json!({"type": "Policy", "className": "com.example.Old", "properties": {"a": ["b"]}});
    assert_eq!(parsed(&legacy), legacy);
    assert_eq!(says(&legacy, Some(mona()), &[]), Err(Fault::LegacyCondition));
    assert_eq!(says(&json!({"type": "NOT", "condition": legacy}), Some(mona()), &[]), Err(Fault::LegacyCondition));
}
