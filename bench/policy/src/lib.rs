//! Equivalent policies and requests for three engines.
//!
//! | scenario      | one policy says                                                              |
//! |---------------|------------------------------------------------------------------------------|
//! | [`CONSUMERS`] | this consumer may have this scope of one API                                 |
//! | [`WILDCARDS`] | everybody may read what has this in its path, on whatever host               |
//!
//! Each policy is written as one policy of its engine (in Rego: one rule). Whatever an engine can prepare
//! before it is asked, it prepares before it is measured; Quorate canonicalises the resource while it is
//! measured, since that is part of its answer.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use cedar_policy::{Authorizer, Context, Entities, RestrictedExpression};
use quorate::policy::{
    PolicySetIndex,
    decide::{self, Circumstances, Environment},
    model::{Audit, Policy, PolicyContext, PolicyDraft, PolicyName, PolicySet},
    subject::Subject,
};
use serde_json::{Value, json};

/// One policy per consumer and scope.
pub const CONSUMERS: Scenario = Scenario { name: "consumers", wildcards: false };
/// Patterns that begin and end with wildcards.
pub const WILDCARDS: Scenario = Scenario { name: "wildcards", wildcards: true };

/// What the policies are like.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    wildcards: bool,
}

impl Scenario {
    /// The resource that policy `n` allows.
    pub fn resource(&self, n: usize) -> String {
        if self.wildcards { format!("https://h{}.acme.test/a/n{n}x/b", n % 7) } else { format!("api://w/scope-{n}") }
    }

    fn piece(n: usize) -> String {
        format!("n{n}x")
    }
}

/// Quorate's engine with `policies` policies.
pub struct Quorate {
    scenario: Scenario,
    set: PolicySet,
    pub index: PolicySetIndex,
}

impl Quorate {
    pub fn new(scenario: Scenario, policies: usize) -> Self {
        let set = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService"});
        let set = PolicySet::create(&set, |_| true, Audit::created("", 0)).expect("a policy set");
        let mut this = Self { scenario, index: PolicySetIndex::new(&set), set };
        (0..policies).for_each(|n| this.upsert(n));
        this
    }

    /// Policy `n`, ready to be taken in.
    pub fn policy(&self, n: usize) -> Arc<Policy> {
        let (resource, subject) = if self.scenario.wildcards {
            (format!("*://*:*/*{}*", Scenario::piece(n)), json!({"type": "NOT", "subject": {"type": "NONE"}}))
        } else {
            let claim = json!({"type": "JwtClaim", "claimName": "subject", "claimValue": format!("c{n}")});
            (self.scenario.resource(n), claim)
        };
        let body = json!({"name": format!("p{n}"), "applicationName": "w", "resources": [resource],
            "actionValues": {"GRANT": true}, "subject": subject});
        let context = PolicyContext { realm: "/", creating: true, policy_set: Some(&self.set), resource_type: None };
        let draft = PolicyDraft::parse(Some(&body), PolicyName::Post { url: None }).expect("a policy");
        Arc::new(draft.check(context, Audit::created("", 0)).expect("a policy that fits"))
    }

    fn upsert(&mut self, n: usize) {
        let policy = self.policy(n);
        self.index.upsert(policy);
    }

    /// Whether the consumer may have each of the resources.
    pub fn ask(&self, subject: &Subject, resources: &[String]) -> usize {
        let environment = Environment::new();
        let circumstances = Circumstances::new("/", &environment, 1_716_302_211_000);
        let request = decide::Request { resources, subject, circumstances };
        let decisions = decide::decide(&self.index, &request).expect("resources");
        decisions.iter().filter(|decision| decision.allows("GRANT")).count()
    }
}

/// The claims of consumer `n`.
pub fn subject(n: usize) -> Subject {
    let claims = json!({"sub": format!("c{n}"), "subject": format!("c{n}")});
    Subject::claims(claims.as_object().cloned().unwrap_or_default())
}

/// Cedar with `policies` policies.
pub struct Cedar {
    scenario: Scenario,
    pub set: cedar_policy::PolicySet,
    entities: Entities,
    authorizer: Authorizer,
}

impl Cedar {
    pub fn new(scenario: Scenario, policies: usize) -> Self {
        let mut set = cedar_policy::PolicySet::new();
        for n in 0..policies {
            set.add(Self::policy(scenario, n)).expect("a new policy");
        }
        Self { scenario, set, entities: Entities::empty(), authorizer: Authorizer::new() }
    }

    /// Policy `n`, ready to be taken in.
    pub fn policy(scenario: Scenario, n: usize) -> cedar_policy::Policy {
        let text = if scenario.wildcards {
            let piece = Scenario::piece(n);
            format!(
                r#"permit(principal, action == Action::"GRANT", resource) when {{ context.url like "*://*/*{piece}*" }};"#
            )
        } else {
            let resource = scenario.resource(n);
            format!(r#"permit(principal == User::"c{n}", action == Action::"GRANT", resource == Api::"{resource}");"#)
        };
        let id = cedar_policy::PolicyId::new(format!("p{n}"));
        cedar_policy::Policy::parse(Some(id), text).expect("a policy")
    }

    /// A request of consumer `n` for `resource`.
    pub fn request(&self, n: usize, resource: &str) -> cedar_policy::Request {
        let uid = |text: String| text.parse().expect("an entity");
        let (name, context) = if self.scenario.wildcards {
            let url = RestrictedExpression::new_string(resource.to_owned());
            ("any", Context::from_pairs([("url".to_owned(), url)]).expect("a context"))
        } else {
            (resource, Context::empty())
        };
        let (user, action) = (uid(format!(r#"User::"c{n}""#)), uid(r#"Action::"GRANT""#.to_owned()));
        cedar_policy::Request::new(user, action, uid(format!(r#"Api::"{name}""#)), context, None).expect("a request")
    }

    /// How many of the requests are allowed.
    pub fn ask(&self, requests: &[cedar_policy::Request]) -> usize {
        let allowed = |request: &&cedar_policy::Request| {
            let response = self.authorizer.is_authorized(request, &self.set, &self.entities);
            response.decision() == cedar_policy::Decision::Allow
        };
        requests.iter().filter(allowed).count()
    }
}

/// Regorus with `policies` rules.
pub struct Regorus {
    pub engine: regorus::Engine,
}

impl Regorus {
    pub fn new(scenario: Scenario, policies: usize) -> Self {
        let mut engine = regorus::Engine::new();
        let (head, default) = ("package w\nimport rego.v1\n", "default allow := false\n");
        // The length of a module is limited.
        for start in (0..policies).step_by(100) {
            let rules: String = (start..policies.min(start + 100)).map(|n| Self::rule(scenario, n)).collect();
            let default = if start == 0 { default } else { "" };
            engine.add_policy(format!("w{start}.rego"), format!("{head}{default}{rules}")).expect("a module");
        }
        Self { engine }
    }

    fn rule(scenario: Scenario, n: usize) -> String {
        let mut rule = String::new();
        let written = if scenario.wildcards {
            writeln!(
                rule,
                "allow if {{ input.action == \"GRANT\"; contains(input.resource, \"{}\") }}",
                Scenario::piece(n)
            )
        } else {
            let resource = scenario.resource(n);
            writeln!(
                rule,
                "allow if {{ input.resource == \"{resource}\"; input.subject == \"c{n}\"; input.action == \"GRANT\" }}"
            )
        };
        written.expect("writing to memory");
        rule
    }

    /// A request of consumer `n` for `resource`.
    pub fn input(n: usize, resource: &str) -> regorus::Value {
        let input: Value = json!({"subject": format!("c{n}"), "action": "GRANT", "resource": resource});
        regorus::Value::from_json_str(&input.to_string()).expect("JSON")
    }

    /// How many of the inputs are allowed.
    pub fn ask(&mut self, inputs: &[regorus::Value]) -> usize {
        let mut allowed = 0;
        for input in inputs {
            self.engine.set_input(input.clone());
            let value = self.engine.eval_rule("data.w.allow".to_owned()).expect("a value");
            allowed += usize::from(value == regorus::Value::Bool(true));
        }
        allowed
    }
}

/// What is asked: consumer in the middle of the set, that many resources, of which one is allowed
/// (consumers) or all (wildcards).
pub fn resources(scenario: Scenario, policies: usize, count: usize) -> (usize, Vec<String>) {
    let middle = policies / 2;
    let names: BTreeMap<usize, String> =
        (0..count).map(|n| (n, (middle + n) % policies.max(count))).map(|(n, of)| (n, scenario.resource(of))).collect();
    (middle, names.into_values().collect())
}
