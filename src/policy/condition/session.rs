//! What the session is like: `Session` and `SessionProperty` (§4.11, §4.12).
//!
//! | reference                                | here                |
//! |------------------------------------------|---------------------|
//! | §4.11 age in minutes, its advice and end | [`SessionAge`]      |
//! | §4.12 every property has a listed value  | [`SessionProperty`] |

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Outcome, Scene, same_letters, within_limit};
use crate::policy::{
    Error,
    circumstances::Effect,
    error::excerpt,
    fault::Fault,
    members::{Members, Wrong},
    trace::{Comparison, Observer},
};

const MINUTE: i64 = 60_000;

/// `Session`: it is not too old. Who has none is not held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionAge {
    /// Minutes.
    max_session_time: i64,
    terminate_session: bool,
}

impl SessionAge {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "maxSessionTime", "terminateSession"]])?;
        let sent = members.value("maxSessionTime").ok_or(Error::PropertyMissing("maxSessionTime"))?;
        let minutes = match sent {
            Value::String(text) => text.trim().parse().ok(),
            number => number.as_i64(),
        };
        let invalid = || {
            let text = sent.as_str().map_or_else(|| sent.to_string(), str::to_owned);
            Error::invalid_property(&text, "maxSessionTime")
        };
        Ok(Self {
            max_session_time: minutes.filter(|minutes| *minutes >= 0).ok_or_else(invalid)?,
            terminate_session: members.boolean("terminateSession")?.unwrap_or_default(),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        "Session"
    }

    pub(super) fn members(&self) -> Value {
        json!({"maxSessionTime": self.max_session_time, "terminateSession": self.terminate_session})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let Some(session) = &scene.subject.session else {
            return Ok(Outcome::plain(true));
        };
        let key = "requestSessionCreationTime";
        let start = match scene.circumstances.first(key) {
            None => session.authenticated_at,
            Some(text) => text.trim().parse().map_err(|_| Fault::Environment { key, value: excerpt(text) })?,
        };
        let now = scene.circumstances.now;
        let end = start.saturating_add(self.max_session_time.saturating_mul(MINUTE));
        observer.compared(|| Comparison::new("now", json!({"before": end}), now));
        if now < end {
            return Ok(Outcome { ttl: end, ..Outcome::plain(true) });
        }
        let mut outcome = Outcome::or_advise(false, "SessionConditionAdvice", "deny");
        if self.terminate_session {
            outcome
                .advices
                .entry("SessionConditionAdvice".to_owned())
                .or_default()
                .insert("terminateSession".to_owned());
            outcome.effects.insert(Effect::TerminateSession);
        }
        Ok(outcome)
    }
}

/// `SessionProperty`: every property listed has one of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionProperty {
    ignore_value_case: bool,
    properties: BTreeMap<String, Vec<String>>,
}

impl SessionProperty {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "ignoreValueCase", "properties"]])?;
        let wrong = Wrong { member: "properties", expected: "an object of arrays of strings" };
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let entries = match members.value("properties") {
            None => return Err(Error::PropertyMissing("properties")),
            Some(value) => value.as_object().ok_or(wrong.clone())?,
        };
        within_limit("properties", entries.len())?;
        let entry = |(name, values): (&String, &Value)| Some((name.clone(), texts(values)?));
        let properties: BTreeMap<_, _> = entries.iter().map(entry).collect::<Option<_>>().ok_or(wrong)?;
        if properties.is_empty() {
            return Err(Error::PropertyMissing("properties"));
        }
        Ok(Self { ignore_value_case: members.boolean("ignoreValueCase")?.unwrap_or(true), properties })
    }

    pub(super) fn kind(&self) -> &'static str {
        "SessionProperty"
    }

    pub(super) fn members(&self) -> Value {
        json!({"ignoreValueCase": self.ignore_value_case, "properties": self.properties})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let session = scene.session("SessionProperty")?;
        let same = |a: &str, b: &str| if self.ignore_value_case { same_letters(a, b) } else { a == b };
        for (name, wanted) in self.properties.iter().filter(|(_, values)| !values.is_empty()) {
            let found = session.properties.get(name);
            observer.compared(|| Comparison::new(format!("session.{name}"), json!(wanted), json!(found)));
            let mut found = found.into_iter().flat_map(|text| text.split('|'));
            if !found.any(|found| wanted.iter().any(|wanted| same(found, wanted))) {
                return Ok(Outcome::plain(false));
            }
        }
        Ok(Outcome::plain(true))
    }
}
