//! The bodies of `policies?_action=evaluate` and `evaluateTree` (§2.6).
//!
//! | reference                         | here                      |
//! |-----------------------------------|---------------------------|
//! | §2.6.1 request                    | [`Evaluate::of`], [`EvaluateTree::of`] |
//! | §2.6.2 `subject`                  | [`Presented`]             |
//! | §2.6.2 `jwt` is only decoded      | `decoded`                 |
//! | §2.6.4 errors                     | [`Evaluate::of`]          |
//!
//! What is left to the caller: finding the set (404 [`Error::PolicySetUnknown`]), and turning the
//! presented subject into a [`Subject`](super::subject::Subject) by looking up the session.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Error, circumstances::Environment, members::Members, model::PolicySet, subject::Claims};

/// Most values in one `environment`; the reference documents no limit. Conditions compare them with lists of
/// their own.
pub const MAX_ENVIRONMENT: usize = 4096;

/// A request to evaluate, well-formed.
#[derive(Debug, PartialEq)]
pub struct Evaluate {
    /// As sent; [`decide`](super::decide::decide) drops repetitions and bounds the number.
    pub resources: Vec<String>,
    /// The policy set asked; letter case does not count.
    pub application: String,
    pub subject: Presented,
    pub environment: Environment,
}

/// Whom a request says it is about.
#[derive(PartialEq)]
pub enum Presented {
    /// Nobody is named: the caller itself.
    Caller,
    /// A session to look up, claims to believe, or both.
    Principals { sso_token: Option<String>, claims: Option<Claims> },
}

/// Without the token.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("Caller"),
            Self::Principals { sso_token, claims } => f
                .debug_struct("Principals")
                .field("sso_token", &sso_token.is_some())
                .field("claims", &claims.is_some())
                .finish(),
        }
    }
}

/// A request to evaluate a tree, well-formed.
#[derive(Debug, PartialEq)]
pub struct EvaluateTree {
    /// As sent.
    pub resource: String,
    /// The policy set asked; letter case does not count.
    pub application: String,
    pub subject: Presented,
    pub environment: Environment,
}

impl Evaluate {
    /// Reads a body. Members it does not know are ignored.
    pub fn parse(body: &Value) -> Result<Self, Error> {
        body.as_object().ok_or_else(|| Error::invalid_value("resources")).and_then(Self::of)
    }

    /// Reads a body that is an object.
    pub fn of(body: &Map<String, Value>) -> Result<Self, Error> {
        let invalid = || Error::invalid_value("resources");
        let members = Members(body);
        let resources = members.value("resources").and_then(strings);
        let resources = resources.filter(|resources| !resources.is_empty()).ok_or_else(invalid)?;
        let (application, subject, environment) = common(&members)?;
        Ok(Self { resources, application, subject, environment })
    }
}

impl EvaluateTree {
    /// Reads a body. Members it does not know are ignored.
    pub fn parse(body: &Value) -> Result<Self, Error> {
        body.as_object().ok_or_else(|| Error::invalid_value("resource")).and_then(Self::of)
    }

    /// Reads a body that is an object.
    pub fn of(body: &Map<String, Value>) -> Result<Self, Error> {
        let invalid = || Error::invalid_value("resource");
        let members = Members(body);
        let resource = members.text("resource").ok().flatten().filter(|resource| !resource.is_empty());
        let resource = resource.ok_or_else(invalid)?.to_owned();
        let (application, subject, environment) = common(&members)?;
        Ok(Self { resource, application, subject, environment })
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// What both requests have: application, subject, environment.
fn common(members: &Members<'_>) -> Result<(String, Presented, Environment), Error> {
    let invalid = |member: &'static str| move || Error::invalid_value(member);
    let application = match members.value("application") {
        None => PolicySet::DEFAULT,
        Some(name) => name.as_str().ok_or_else(invalid("application"))?,
    };
    let subject = match members.value("subject") {
        None => Presented::Caller,
        Some(subject) => presented(subject).ok_or_else(invalid("subject"))?,
    };
    let environment = match members.value("environment") {
        None => Some(Environment::new()),
        Some(environment) => environment.as_object().and_then(|entries| {
            let values = |value: &Value| match value {
                Value::String(value) => Some(vec![value.clone()]),
                value => strings(value),
            };
            entries.iter().map(|(key, value)| Some((key.clone(), values(value)?))).collect()
        }),
    };
    let size = |environment: &Environment| environment.values().map(|values| values.len().max(1)).sum::<usize>();
    let environment = environment.filter(|environment| size(environment) <= MAX_ENVIRONMENT);
    Ok((application.to_owned(), subject, environment.ok_or_else(invalid("environment"))?))
}

/// Reads a `subject`: one bad member spoils it, whatever the others are. Of `jwt` and `claims` the
/// first is preferred (§3.1).
fn presented(subject: &Value) -> Option<Presented> {
    let members = Members::of(subject, "subject").ok()?;
    let sso_token = match members.value("ssoToken") {
        None => None,
        Some(token) => Some(token.as_str()?.to_owned()),
    };
    let jwt = match members.value("jwt") {
        None => None,
        Some(jwt) => Some(decoded(jwt.as_str()?)?),
    };
    let claims = match members.value("claims") {
        None => None,
        Some(claims) => Some(with_sub(claims.clone())?),
    };
    let claims = jwt.or(claims);
    (sso_token.is_some() || claims.is_some()).then_some(Presented::Principals { sso_token, claims })
}

/// The payload of a compact JWT. Neither signature nor dates are looked at: the caller has done that,
/// or wants to know what an old token would have been allowed.
fn decoded(jwt: &str) -> Option<Claims> {
    let mut parts = jwt.split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let is_compact = parts.next().is_none() && json(header)?.is_object();
    is_compact.then(|| with_sub(json(payload)?)).flatten()
}

/// An object with a string `sub`.
fn with_sub(claims: Value) -> Option<Claims> {
    match claims {
        Value::Object(claims) if claims.get("sub").is_some_and(Value::is_string) => Some(claims),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(header: &str, payload: &str) -> String {
        let encode = |part| URL_SAFE_NO_PAD.encode(part);
        format!("{}.{}.c2ln", encode(header), encode(payload))
    }

    fn told(body: Value) -> String {
        let error = Evaluate::parse(&body).unwrap_err();
        assert_eq!(error.status(), 400);
        error.message()
    }

    fn subject(subject: Value) -> Result<Presented, Error> {
        Evaluate::parse(&json!({"resources": ["x"], "subject": subject})).map(|body| body.subject)
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let body = Evaluate::parse(&json!({"resources": ["b", "a", "b"], "actions": 1})).unwrap();
        assert_eq!(
            body,
            Evaluate {
                resources: ["b", "a", "b"].map(str::to_owned).into(),
                application: "iPlanetAMWebAgentService".into(),
                subject: Presented::Caller,
                environment: Environment::new(),
            }
        );
        let body = Evaluate::parse(&json!({"resources": ["a"], "application": "w", "subject": null,
            "environment": {"requestIp": ["::1"], "region": "eu", "none": []}}))
        .unwrap();
        assert_eq!(body.application, "w");
        let environment = [
            ("none".to_owned(), vec![]),
            ("region".to_owned(), vec!["eu".to_owned()]),
            ("requestIp".to_owned(), vec!["::1".to_owned()]),
        ];
        assert_eq!(body.environment, Environment::from(environment));
    }

    #[test]
    fn bad_requests_are_refused_in_the_words_of_the_reference() {
        for resources in [json!(null), json!("a"), json!([]), json!(["a", 1])] {
            assert_eq!(told(json!({"resources": resources})), "Invalid value resources");
        }
        assert_eq!(told(json!([])), "Invalid value resources");
        assert_eq!(told(json!({"resources": ["a"], "application": 1})), "Invalid value application");
        for environment in [json!([]), json!({"a": 1}), json!({"a": [1]}), json!({"a": vec!["b"; MAX_ENVIRONMENT + 1]})]
        {
            let body = json!({"resources": ["a"], "environment": environment});
            assert_eq!(told(body), "Invalid value environment");
        }
    }

    #[test]
    fn a_tree_has_one_resource() {
        let body = EvaluateTree::parse(&json!({"resource": "a", "application": "w", "environment": {"k": "v"}}));
        let environment = Environment::from([("k".to_owned(), vec!["v".to_owned()])]);
        let (resource, application) = ("a".to_owned(), "w".to_owned());
        assert_eq!(body, Ok(EvaluateTree { resource, application, subject: Presented::Caller, environment }));
        for body in [json!({}), json!({"resource": ["a"]}), json!({"resources": ["a"]}), json!([])] {
            assert_eq!(EvaluateTree::parse(&body).unwrap_err().message(), "Invalid value resource");
        }
        let body = json!({"resource": "a", "subject": {}});
        assert_eq!(EvaluateTree::parse(&body).unwrap_err().message(), "Invalid value subject");
    }

    #[test]
    fn a_subject_is_good_in_every_member_or_bad() {
        let header = r#"{"alg":"none"}"#;
        let good = jwt(header, r#"{"sub":"mona","exp":1}"#);
        let claims = |json: Value| json.as_object().cloned();
        let principals = |sso_token: Option<&str>, claims| {
            Ok(Presented::Principals { sso_token: sso_token.map(str::to_owned), claims })
        };
        assert_eq!(subject(json!({"ssoToken": "t"})), principals(Some("t"), None));
        let mona = || claims(json!({"sub": "mona", "exp": 1}));
        assert_eq!(subject(json!({"jwt": good})), principals(None, mona()));
        let all = json!({"ssoToken": "t", "jwt": good, "claims": {"sub": "paul"}});
        assert_eq!(subject(all), principals(Some("t"), mona()));

        let no_sub = jwt(header, "{}");
        let no_header = jwt("[]", r#"{"sub":"mona"}"#);
        for bad in [
            json!({}),
            json!("t"),
            json!([]),
            json!({"ssoToken": 1}),
            json!({"ssoToken": "t", "claims": {}}),
            json!({"claims": {"sub": 1}}),
            json!({"claims": "sub"}),
            json!({"jwt": no_sub}),
            json!({"jwt": no_header}),
            json!({"jwt": format!("{good}.x.y")}),
            json!({"jwt": "a.b"}),
            json!({"jwt": "a.b.c"}),
            json!({"jwt": "", "ssoToken": "t"}),
        ] {
            assert_eq!(subject(bad.clone()), Err(Error::InvalidValue("subject".into())), "{bad}");
        }
    }

    #[test]
    fn a_token_does_not_show_in_debug_output() {
        let shown = format!("{:?}", subject(json!({"ssoToken": "s3cret"})));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
