//! A record of decisions: one structured event for each, written by a thread of its own behind a bounded queue.
//!
//! | it says                                              | here                                    |
//! |------------------------------------------------------|-----------------------------------------|
//! | complete or sampled, per policy set                  | [`Settings`], [`Share`]                 |
//! | a full queue drops, counted, or refuses (PD-10)      | [`WhenFull`], [`Audit::record`]         |
//! | drops are visible                                    | [`telemetry::DECISION_EVENTS`]          |
//! | nobody's name is in it                               | [`Event::subject`]                      |
//! | which version of the set decided (PD-07)             | [`Event::version`]                      |
//! | nobody waits for it, and it costs little             | `queue`, `event`                        |
//!
//! Events go to the log under the target [`TARGET`]: the log filter applies to them, and they look as the other lines do.

mod event;
mod queue;

pub use event::{Event, Principal, Purpose, TARGET};

use crate::{
    config::LogFormat,
    telemetry::{self, label},
};
use metrics::counter;
use queue::Queue;
use quorate_raft::RealmPath;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Largest piece that is written to the log at once, bytes; a line may make it longer.
const PIECE: usize = 64 << 10;

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
    queue: Arc<Queue>,
    seen: AtomicU64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Audit {
    /// Starts a writer to the log, whose lines look like `format`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(settings: Settings, format: LogFormat) -> io::Result<Self> {
        let mut lines = Vec::with_capacity(PIECE);
        Self::writing(settings, move |events| log(events, format, &mut lines))
    }

    /// Starts a writer to `sink`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn to(settings: Settings, mut sink: impl FnMut(Event) + Send + 'static) -> io::Result<Self> {
        Self::writing(settings, move |events| events.drain(..).for_each(&mut sink))
    }

    /// Starts a thread that hands all that waits to `write`, again and again.
    fn writing(settings: Settings, mut write: impl FnMut(&mut Vec<Event>) + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.queue));
        let waiting = queue.clone();
        let run = move || {
            let recorded = counter!(telemetry::DECISION_EVENTS, label::OUTCOME => "recorded");
            let mut events = Vec::new();
            while waiting.take(&mut events) {
                let count = events.len() as u64;
                write(&mut events);
                events.clear();
                recorded.increment(count);
            }
        };
        thread::Builder::new().name("decisions".into()).spawn(run)?;
        Ok(Self(Arc::new(Inner { settings, queue, seen: AtomicU64::new(0) })))
    }

    /// Waits until all that was recorded before is written, at most for `patience`; whether it is.
    pub fn settle(&self, patience: Duration) -> bool {
        self.0.queue.settle(patience)
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
        if self.0.queue.push(event) {
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
    use super::*;
    use crate::audit::event::tests::event;
    use std::sync::mpsc::channel;

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
            assert!(audit.settle(Duration::from_secs(10)), "all is written");
        }
    }

    /// What was recorded is written, even when nobody is left to record more.
    #[test]
    fn the_last_events_are_written() {
        let (told, heard) = channel();
        let audit = Audit::to(Settings::default(), move |event| told.send(event.resource).unwrap_or_default());
        let audit = audit.expect("a thread");
        for n in 0..100 {
            audit.record(event(&n.to_string())).expect("room");
        }
        drop(audit);
        let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(heard.iter().collect::<Vec<_>>(), expected);
    }
}
