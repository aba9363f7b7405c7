//! The record of policy decisions: one structured event for each.
//!
//! | it says                                              | here                                    |
//! |------------------------------------------------------|-----------------------------------------|
//! | complete or sampled, per policy set                  | [`Settings`], [`Share`]                 |
//! | a full queue drops, counted, or refuses (PD-10)      | [`WhenFull`], [`Audit::record`](super::Audit::record) |
//! | drops are visible                                    | [`telemetry::DECISION_EVENTS`]          |
//! | nobody's name is in it                               | [`Event::subject`]                      |
//!
//! Events go to the log under the target [`TARGET`], so that the log filter and format apply to them.

use super::{
    WhenFull,
    queue::{Counted, Sink},
    sample::Share,
};
use crate::telemetry;
use quorate_raft::RealmPath;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// Under which name events are logged.
pub const TARGET: &str = "quorate::decision";

/// Which decisions are recorded, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of policy sets that are not named.
    pub share: Share,
    /// Of policy sets by realm and name, the name in lower case.
    pub sets: BTreeMap<(String, String), Share>,
    /// When the queue is full.
    pub when_full: WhenFull,
    /// Events that wait to be written.
    pub queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { share: Share::ALL, sets: BTreeMap::new(), when_full: WhenFull::Drop, queue: 8192 }
    }
}

/// Reads `{realm}:{policy set}={share}`, as in `/alpha:oauth2Scopes=all`, for [`Settings::sets`].
///
/// # Errors
/// What is wrong with the text.
pub fn named_set(text: &str) -> Result<((String, String), Share), String> {
    let wrong = || format!("`{text}` is not REALM:SET=SHARE");
    let (place, share) = text.rsplit_once('=').ok_or_else(wrong)?;
    let (realm, set) = place.split_once(':').ok_or_else(wrong)?;
    if !realm.starts_with('/') || set.is_empty() {
        return Err(wrong());
    }
    let share = share.parse().map_err(|error| format!("`{text}`: {error}"))?;
    Ok(((realm.to_owned(), set.to_lowercase()), share))
}

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
        }
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Epoch milliseconds.
    pub at: i64,
    /// What for.
    pub purpose: Purpose,
    /// Whose policies.
    pub realm: RealmPath,
    /// Policy set, as asked for.
    pub set: String,
    /// As asked for.
    pub resource: String,
    /// Action → allowed.
    pub actions: Value,
    /// Names of advices: what would have to happen first.
    pub advices: Vec<String>,
    /// The policies that spoke about this resource and, as far as the index can tell, to this subject.
    pub policies: Vec<String>,
    /// Of those, the ones that could not be evaluated.
    pub faults: Vec<String>,
    /// Hash of realm and principal: events about one subject can be found, and nobody can be read off them.
    pub subject: String,
    /// Of the request, which may have had several resources.
    pub duration: Duration,
}

/// Where decisions are counted.
pub(super) const COUNTED: Counted = Counted { metric: telemetry::DECISION_EVENTS };

/// A sink that does with each event what a function does.
pub(super) struct Each<F>(pub F);

impl<F: FnMut(Event) + Send + 'static> Sink<Event> for Each<F> {
    fn write(&mut self, event: Event) {
        (self.0)(event);
        COUNTED.add(None, "recorded");
    }
}

impl Settings {
    /// How many decisions about `set` are to be recorded.
    pub(super) fn share_of(&self, realm: &RealmPath, set: &str) -> Share {
        match self.sets.is_empty() {
            true => self.share,
            false => *self.sets.get(&(realm.as_str().to_owned(), set.to_lowercase())).unwrap_or(&self.share),
        }
    }
}

/// Writes an event to the log.
pub(super) fn log(event: &Event) {
    let list = |names: &[String]| serde_json::to_string(names).unwrap_or_default();
    tracing::info!(
        target: TARGET,
        at = event.at,
        purpose = event.purpose.name(),
        realm = event.realm.as_str(),
        set = event.set,
        resource = event.resource,
        actions = %event.actions,
        advices = list(&event.advices),
        policies = list(&event.policies),
        faults = list(&event.faults),
        subject = event.subject,
        micros = u64::try_from(event.duration.as_micros()).unwrap_or(u64::MAX),
        "decision"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Audit, Full};
    use serde_json::json;
    use std::sync::mpsc::channel;

    fn event(resource: &str) -> Event {
        Event {
            at: 1,
            purpose: Purpose::Evaluate,
            realm: "/alpha".into(),
            set: "w".into(),
            resource: resource.into(),
            actions: json!({"GRANT": true}),
            advices: Vec::new(),
            policies: vec!["p".into()],
            faults: Vec::new(),
            subject: "x".into(),
            duration: Duration::from_micros(3),
        }
    }

    #[test]
    fn exceptions_are_read() {
        let (place, share) = named_set("/alpha:My Set=10%").expect("a set");
        assert_eq!((place, share), (("/alpha".to_owned(), "my set".to_owned()), "10%".parse().expect("a share")));
        for wrong in ["", "alpha:x=all", "/alpha=all", "/alpha:=all", "/alpha:x", "/alpha:x=some"] {
            assert!(named_set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_decisions_is_recorded_set_by_set() {
        let sets = ["/:all=all", "/:none=none"].map(|text| named_set(text).expect("a set"));
        let share = "25%".parse().expect("a share");
        let decisions = Settings { share, sets: sets.into(), ..Settings::default() };
        let audit = Audit::to(crate::audit::Settings { decisions, ..Default::default() }, drop).expect("a thread");
        let root = RealmPath::root();
        let count = |set: &str| (0..10_000).filter(|_| audit.wants(&root, set)).count();
        assert_eq!((count("ALL"), count("none")), (10_000, 0));
        let quarter = count("other");
        assert!((2200..2800).contains(&quarter), "{quarter}");
    }

    /// PD-10: a stuck writer never makes a decision wait; what is lost is told, or the decision is not made.
    #[test]
    fn a_full_queue_drops_or_refuses() {
        for (when_full, expected) in [(WhenFull::Drop, Ok(())), (WhenFull::Refuse, Err(Full))] {
            let (free, wait) = channel::<()>();
            let (told, heard) = channel();
            let decisions = Settings { queue: 2, when_full, ..Settings::default() };
            let settings = crate::audit::Settings { decisions, ..Default::default() };
            let audit = Audit::to(settings, move |event| {
                told.send(event.resource).expect("somebody listens");
                wait.recv().unwrap_or_default();
            })
            .expect("a thread");
            audit.record(event("a")).expect("room");
            assert_eq!(heard.recv().as_deref(), Ok("a"), "the writer holds it");
            audit.record(event("b")).expect("room");
            audit.record(event("c")).expect("room");
            assert_eq!(audit.record(event("lost")), expected);
            drop(free);
            assert_eq!((heard.recv().as_deref(), heard.recv().as_deref()), (Ok("b"), Ok("c")));
            audit.record(event("d")).expect("room again");
            assert_eq!(heard.recv().as_deref(), Ok("d"));
        }
    }
}
