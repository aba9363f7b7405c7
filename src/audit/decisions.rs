//! The record of policy decisions: one structured event for each.
//!
//! | it says                                              | here                                    |
//! |------------------------------------------------------|-----------------------------------------|
//! | complete or sampled, per policy set                  | [`Settings`], [`Share`]                 |
//! | a full queue drops, counted, or refuses (PD-10)      | [`WhenFull`], [`Audit::record`](super::Audit::record) |
//! | drops are visible                                    | [`telemetry::DECISION_EVENTS`]          |
//! | nobody's name is in it                               | [`Event::subject`]                      |
//! | which version of the set decided (PD-07)             | [`Event::version`]                      |
//! | nobody waits for it, and it costs little             | `queue`, `event`                        |
//!
//! Events go to the log under the target [`TARGET`]: the log filter applies to them, and they look as the other lines do.

mod event;

pub use event::{Event, Principal, Purpose, TARGET};

use super::{WhenFull, queue::Counted, sample::Share};
use crate::{config::LogFormat, telemetry};
use quorate_raft::RealmPath;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// Largest piece that is written to the log at once, bytes; a line may make it longer.
const PIECE: usize = 64 << 10;

/// Where decisions are counted.
pub(super) const COUNTED: Counted = Counted(telemetry::DECISION_EVENTS);

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

impl Settings {
    /// How many decisions about `set` are to be recorded.
    pub(super) fn share_of(&self, realm: &RealmPath, set: &str) -> Share {
        match self.sets.is_empty() {
            true => self.share,
            false => *self.sets.get(&(realm.as_str().to_owned(), set.to_lowercase())).unwrap_or(&self.share),
        }
    }
}

/// A writer to the log, whose lines look like `format`.
pub(super) fn to_log(format: LogFormat) -> impl FnMut(&mut Vec<Event>) + Send + 'static {
    let mut lines = Vec::with_capacity(PIECE);
    move |events| log(events, format, &mut lines)
}

/// Writes events to standard error, many at a time, as far as the log filter lets them.
fn log(events: &mut Vec<Event>, format: LogFormat, lines: &mut Vec<u8>) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    let send = |lines: &mut Vec<u8>| {
        // A log that cannot be written to has nowhere to complain.
        drop(io::stderr().lock().write_all(lines));
        lines.clear();
    };
    for event in events.drain(..) {
        event.write(format, lines);
        if lines.len() >= PIECE {
            send(lines);
        }
    }
    if !lines.is_empty() {
        send(lines);
    }
}

#[cfg(test)]
mod tests {
    use super::{event::tests::event, *};
    use crate::audit::{Audit, Full};
    use std::{sync::mpsc::channel, time::Duration};

    fn settings(decisions: Settings) -> crate::audit::Settings {
        crate::audit::Settings { decisions, ..Default::default() }
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
        let audit = Audit::to(settings(Settings { share, sets: sets.into(), ..Settings::default() }), drop);
        let audit = audit.expect("a thread");
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
            let audit = Audit::to(settings(Settings { queue: 2, when_full, ..Settings::default() }), move |event| {
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
            assert!(audit.settle(Duration::from_secs(10)), "all is written");
        }
    }

    /// What was recorded is written, even when nobody is left to record more.
    #[test]
    fn the_last_events_are_written() {
        let (told, heard) = channel();
        let audit =
            Audit::to(settings(Settings::default()), move |event| told.send(event.resource).unwrap_or_default());
        let audit = audit.expect("a thread");
        for n in 0..100 {
            audit.record(event(&n.to_string())).expect("room");
        }
        drop(audit);
        let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(heard.iter().collect::<Vec<_>>(), expected);
    }
}
