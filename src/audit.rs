//! A record of decisions: one structured event for each, written by a thread of its own behind a bounded queue.
//!
//! | it says                                              | here                                    |
//! |------------------------------------------------------|-----------------------------------------|
//! | complete or sampled, per policy set                  | [`Settings`], [`Share`]                 |
//! | a full queue drops, counted, or refuses (PD-10)      | [`WhenFull`], [`Audit::record`]         |
//! | drops are visible                                    | [`telemetry::DECISION_EVENTS`]          |
//! | nobody's name is in it                               | [`Event::subject`]                      |
//!
//! Events go to the log under the target [`TARGET`], so that the log filter and format apply to them.

use crate::telemetry::{self, label};
use metrics::counter;
use quorate_raft::RealmPath;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Under which name events are logged.
pub const TARGET: &str = "quorate::decision";

/// How many decisions are recorded, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    /// Every decision.
    pub const ALL: Self = Self(10_000);
    /// No decision.
    pub const NONE: Self = Self(0);
}

/// The text is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be all, none or a percentage with at most two decimals, such as 2.5%")]
pub struct NoShare;

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        match text {
            "all" => return Ok(Self::ALL),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        let number = text.strip_suffix('%').ok_or(NoShare)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
            return Err(NoShare);
        }
        let whole: u16 = whole.parse().map_err(|_| NoShare)?;
        let scale = if decimals.len() == 1 { 10 } else { 1 };
        let decimals: u16 = decimals.parse().map_err(|_| NoShare)?;
        Some(whole * 100 + decimals * scale).filter(|share| *share <= Self::ALL.0).map(Self).ok_or(NoShare)
    }
}

/// What happens to a decision that cannot be recorded because the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is answered, and the lost event counted.
    Drop,
    /// It is not answered: 503.
    Refuse,
}

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

/// The queue is full, and the decision must not go unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of decisions is full")]
pub struct Full;

/// Where decisions are recorded; cheap to clone. The writer ends with the last clone.
#[derive(Clone, Debug)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    queue: SyncSender<Event>,
    seen: AtomicU64,
}

impl Audit {
    /// Starts a writer to the log.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(settings: Settings) -> io::Result<Self> {
        Self::to(settings, |event| log(&event))
    }

    /// Starts a writer to `sink`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn to(settings: Settings, mut sink: impl FnMut(Event) + Send + 'static) -> io::Result<Self> {
        let (queue, events) = sync_channel::<Event>(settings.queue);
        let write = move || {
            for event in events {
                sink(event);
                counter!(telemetry::DECISION_EVENTS, label::OUTCOME => "recorded").increment(1);
            }
        };
        thread::Builder::new().name("decisions".into()).spawn(write)?;
        Ok(Self(Arc::new(Inner { settings, queue, seen: AtomicU64::new(0) })))
    }

    /// Whether the next decision about `set` is to be recorded. Of a share, which ones are is not foreseeable from outside.
    pub fn wants(&self, realm: &RealmPath, set: &str) -> bool {
        let Settings { share, sets, .. } = &self.0.settings;
        let Share(share) = match sets.is_empty() {
            true => *share,
            false => *sets.get(&(realm.as_str().to_owned(), set.to_lowercase())).unwrap_or(share),
        };
        match share {
            0 => false,
            10_000 => true,
            share => scattered(self.0.seen.fetch_add(1, Ordering::Relaxed)) % 10_000 < u64::from(share),
        }
    }

    /// Records a decision; never waits.
    ///
    /// # Errors
    /// [`Full`], if that is what the settings want.
    pub fn record(&self, event: Event) -> Result<(), Full> {
        if self.0.queue.try_send(event).is_ok() {
            return Ok(());
        }
        let (outcome, answer) = match self.0.settings.when_full {
            WhenFull::Drop => ("dropped", Ok(())),
            WhenFull::Refuse => ("refused", Err(Full)),
        };
        counter!(telemetry::DECISION_EVENTS, label::OUTCOME => outcome).increment(1);
        answer
    }
}

/// Spreads consecutive numbers over all of them (`SplitMix64`'s finalizer).
fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn log(event: &Event) {
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
    fn shares_are_read() {
        for (text, share) in [
            ("all", Ok(Share::ALL)),
            ("none", Ok(Share::NONE)),
            ("100%", Ok(Share::ALL)),
            ("0%", Ok(Share::NONE)),
            ("2.5%", Ok(Share(250))),
            ("0.01%", Ok(Share(1))),
            ("99.99%", Ok(Share(9999))),
            ("100.01%", Err(NoShare)),
            ("101%", Err(NoShare)),
            ("2.555%", Err(NoShare)),
            ("-1%", Err(NoShare)),
            (".5%", Err(NoShare)),
            ("5", Err(NoShare)),
            ("%", Err(NoShare)),
            ("", Err(NoShare)),
        ] {
            assert_eq!(text.parse(), share, "{text}");
        }
        let (place, share) = named_set("/alpha:My Set=10%").expect("a set");
        assert_eq!((place, share), (("/alpha".to_owned(), "my set".to_owned()), Share(1000)));
        for wrong in ["", "alpha:x=all", "/alpha=all", "/alpha:=all", "/alpha:x", "/alpha:x=some"] {
            assert!(named_set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_decisions_is_recorded_set_by_set() {
        let sets = ["/:all=all", "/:none=none"].map(|text| named_set(text).expect("a set"));
        let settings = Settings { share: Share(2500), sets: sets.into(), ..Settings::default() };
        let audit = Audit::to(settings, drop).expect("a thread");
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
            let settings = Settings { queue: 2, when_full, ..Settings::default() };
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
