//! One decision, as it is handed over and as it is written.
//!
//! Handing over must cost next to nothing, so an [`Event`] shares what it can and leaves to the writer's thread what can be
//! made later: sorted names, the hash of the subject, the line.

use crate::{
    config::LogFormat,
    policy::{
        SetVersion,
        model::{Actions, Policy},
    },
    secrets,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::RealmPath;
use serde::Serialize;
use std::{io::Write, sync::Arc, time::Duration};

/// Under which name events are logged.
pub const TARGET: &str = "quorate::decision";

/// What was asked, and on whose behalf a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `policies?_action=evaluate`
    Evaluate,
    /// `policies?_action=evaluateTree`
    EvaluateTree,
    /// AuthZEN.
    AuthZen,
    /// Scope of a token.
    Token,
    /// `policies?_action=explain`: nobody acts on it.
    Explain,
    /// `policies?_action=whatif`: nobody acts on it, and the policies are not those of the realm.
    WhatIf,
    /// `authIndexType=resource`: which authentication a resource wants.
    Advice,
}

impl Purpose {
    /// In events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::EvaluateTree => "evaluateTree",
            Self::AuthZen => "authzen",
            Self::Token => "token",
            Self::Explain => "explain",
            Self::WhatIf => "whatif",
            Self::Advice => "advice",
        }
    }
}

/// Whom a decision is about. Never written: only its hash is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Universal id, of a session.
    pub user: Option<String>,
    /// `sub`, of claims.
    pub sub: Option<String>,
}

/// One decision.
#[derive(Clone, Debug)]
pub struct Event {
    /// Epoch milliseconds.
    pub at: i64,
    /// What for.
    pub purpose: Purpose,
    /// Whose policies.
    pub realm: RealmPath,
    /// Policy set, as asked for.
    pub set: String,
    /// Which version of it.
    pub version: SetVersion,
    /// As asked for.
    pub resource: String,
    /// Action → allowed.
    pub actions: Actions,
    /// Names of advices: what would have to happen first.
    pub advices: Vec<String>,
    /// The policies that spoke about this resource and, as far as the index can tell, to this subject.
    pub policies: Vec<Arc<Policy>>,
    /// How many more there were than are named.
    pub omitted: usize,
    /// Of those, the ones that could not be evaluated.
    pub faults: Vec<String>,
    /// Whom it is about.
    pub principal: Principal,
    /// Of the request, which may have had several resources.
    pub duration: Duration,
}

/// What is written of an event.
#[derive(Serialize)]
struct Fields<'e> {
    at: i64,
    purpose: &'static str,
    realm: &'e str,
    set: &'e str,
    version: String,
    resource: &'e str,
    actions: &'e Actions,
    advices: &'e [String],
    policies: Vec<&'e str>,
    omitted: usize,
    faults: &'e [String],
    subject: String,
    micros: u64,
}

impl Event {
    /// Hash of realm and principal: events about one subject can be found, and nobody can be read off them.
    pub fn subject(&self) -> String {
        let Principal { user, sub } = &self.principal;
        // Texts always become JSON, and no two triples become the same.
        let named = serde_json::to_vec(&(self.realm.as_str(), user, sub)).unwrap_or_default();
        let hash = secrets::sha256(&named);
        URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
    }

    /// Names of [`policies`](Self::policies), in order.
    pub fn policy_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.policies.iter().map(|policy| policy.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    fn fields(&self) -> Fields<'_> {
        Fields {
            at: self.at,
            purpose: self.purpose.name(),
            realm: self.realm.as_str(),
            set: &self.set,
            version: self.version.to_string(),
            resource: &self.resource,
            actions: &self.actions,
            advices: &self.advices,
            policies: self.policy_names(),
            omitted: self.omitted,
            faults: &self.faults,
            subject: self.subject(),
            micros: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// Appends the line of this event. In both formats a control character in a name is escaped, so that no name can begin
    /// a line of its own.
    pub(super) fn write(&self, format: LogFormat, lines: &mut Vec<u8>) {
        let at = jiff::Timestamp::from_millisecond(self.at).unwrap_or_default();
        // Writing to memory does not fail, and every value here is representable.
        drop(match format {
            LogFormat::Text => self.write_text(at, lines),
            LogFormat::Json => self.write_json(at, lines),
        });
    }

    fn write_text(&self, at: jiff::Timestamp, lines: &mut Vec<u8>) -> serde_json::Result<()> {
        let fields = self.fields();
        write!(lines, "{at}  INFO {TARGET}: decision at={}", fields.at).map_err(serde_json::Error::io)?;
        field(lines, "purpose", &fields.purpose)?;
        field(lines, "realm", &fields.realm)?;
        field(lines, "set", &fields.set)?;
        field(lines, "version", &fields.version)?;
        field(lines, "resource", &fields.resource)?;
        field(lines, "subject", &fields.subject)?;
        field(lines, "actions", fields.actions)?;
        field(lines, "advices", fields.advices)?;
        field(lines, "faults", fields.faults)?;
        field(lines, "policies", &fields.policies)?;
        field(lines, "omitted", &fields.omitted)?;
        field(lines, "micros", &fields.micros)?;
        lines.push(b'\n');
        Ok(())
    }

    fn write_json(&self, at: jiff::Timestamp, lines: &mut Vec<u8>) -> serde_json::Result<()> {
        #[derive(Serialize)]
        struct Line<'e> {
            timestamp: String,
            level: &'static str,
            message: &'static str,
            #[serde(flatten)]
            fields: Fields<'e>,
            target: &'static str,
        }
        let line = Line {
            timestamp: at.to_string(),
            level: "INFO",
            message: "decision",
            fields: self.fields(),
            target: TARGET,
        };
        serde_json::to_writer(&mut *lines, &line)?;
        lines.push(b'\n');
        Ok(())
    }
}

/// Appends ` name=value`. Formatting would cost more than all of this.
fn field(lines: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) -> serde_json::Result<()> {
    lines.push(b' ');
    lines.extend_from_slice(name.as_bytes());
    lines.push(b'=');
    serde_json::to_writer(lines, value)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::policy::{
        PolicySetIndex,
        model::{Audit, PolicySet},
    };
    use serde_json::{Value, json};

    /// An event of a set without policies.
    pub fn event(resource: &str) -> Event {
        let body = json!({"name": "w", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["t"]});
        let set = PolicySet::create(&body, |_| true, Audit::created("x", 1)).expect("a set");
        Event {
            at: 1_000,
            purpose: Purpose::Evaluate,
            realm: "/alpha".into(),
            set: "w".into(),
            version: PolicySetIndex::new(&set).version(),
            resource: resource.into(),
            actions: Actions::from([("GRANT".to_owned(), true)]),
            advices: Vec::new(),
            policies: Vec::new(),
            omitted: 0,
            faults: vec!["p".into()],
            principal: Principal { user: None, sub: Some("mona".into()) },
            duration: Duration::from_micros(3),
        }
    }

    fn line(event: &Event, format: LogFormat) -> String {
        let mut line = Vec::new();
        event.write(format, &mut line);
        String::from_utf8(line).expect("text")
    }

    #[test]
    fn a_line_says_all_but_who() {
        let event = event("api://w/\"r\"\n2026 INFO forged");
        let (version, subject) = (event.version, event.subject());
        assert_eq!(subject.len(), 22);
        assert_eq!(
            line(&event, LogFormat::Text),
            format!(
                "1970-01-01T00:00:01Z  INFO quorate::decision: decision at=1000 purpose=\"evaluate\" realm=\"/alpha\" \
                 set=\"w\" version=\"{version}\" resource=\"api://w/\\\"r\\\"\\n2026 INFO forged\" subject=\"{subject}\" \
                 actions={{\"GRANT\":true}} advices=[] faults=[\"p\"] policies=[] omitted=0 micros=3\n"
            )
        );
        let json = line(&event, LogFormat::Json);
        assert!(json.ends_with("}\n") && json.matches('\n').count() == 1, "{json}");
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            read,
            json!({"timestamp": "1970-01-01T00:00:01Z", "level": "INFO", "message": "decision", "target": TARGET,
                "at": 1000, "purpose": "evaluate", "realm": "/alpha", "set": "w", "version": version.to_string(),
                "resource": event.resource, "subject": subject, "actions": {"GRANT": true}, "advices": [],
                "faults": ["p"], "policies": [], "omitted": 0, "micros": 3})
        );
        assert!(!json.contains("mona"), "{json}");
    }

    #[test]
    fn subjects_differ_by_realm_and_by_how_they_are_known() {
        let hash = |realm: &str, user: Option<&str>, sub: Option<&str>| {
            let principal = Principal { user: user.map(str::to_owned), sub: sub.map(str::to_owned) };
            Event { realm: realm.into(), principal, ..event("x") }.subject()
        };
        let all = [
            hash("/", Some("a"), None),
            hash("/", None, Some("a")),
            hash("/", None, None),
            hash("/b", Some("a"), None),
            hash("/", Some("a"), Some("a")),
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(hash("/", Some("a"), None), hash("/", Some("a"), None));
    }
}
