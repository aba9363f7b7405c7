//! What must never be seen, and whoever sees it.
//!
//! | oracle                                                                     | where            |
//! |----------------------------------------------------------------------------|------------------|
//! | every node applies the same drafts at the same places, with the same outcome | `applied`      |
//! | log time never runs backwards, on no node and over no restart (G6)          | `applied`, `restored` |
//! | what was acknowledged is in the log, with that outcome (G1, G4)             | `acknowledged`   |
//! | what was acknowledged as issued is active on every later read (G1, G2)      | `seen`           |
//! | what was acknowledged as revoked is active on no later read (G3)            | `seen`           |
//! | what a read has shown gone, of age or not, no later read shows (G2, G3)     | `seen`           |
//! | what a read has shown active is so on a later read, unless revoked or aged (G2) | `seen`       |
//! | a code is sold once, and a second sale leaves nothing (G4)                  | `sold`, `replayed` |
//! | a transaction is used once (G4)                                            | `used`           |
//! | no administrator's write is lost, or done twice (G4)                        | `counted`        |

use quorate_raft::{Outcome, ProposalId, Refusal, Seq, Stamp};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// A moment: everything that happens has one of its own.
pub type Moment = u64;

/// What can be issued and revoked: a token, a session, a client-based token.
#[derive(Clone, Debug, Default)]
struct Thing {
    /// Since when it was acknowledged as issued.
    born: Option<Moment>,
    /// Since when somebody has been trying to revoke it.
    threatened: Option<Moment>,
    /// Since when it was acknowledged as revoked.
    ended: Option<Moment>,
    /// When a read last showed it active.
    seen: Option<Moment>,
    /// When a read first showed it gone.
    missed: Option<Moment>,
    /// It may die of age: then it may be gone at any time.
    mortal: bool,
}

/// A document that is counted up.
#[derive(Clone, Debug, Default)]
struct Counter {
    /// How often that was tried and acknowledged.
    tried: u64,
    done: u64,
    /// How often it was certainly not done.
    refused: u64,
}

#[derive(Default)]
struct Inner {
    now: Moment,
    things: BTreeMap<String, Thing>,
    /// Codes, and who was sold a token for them.
    codes: BTreeMap<String, Option<String>>,
    /// Transactions, and who used them.
    used: BTreeMap<String, String>,
    counters: BTreeMap<String, Counter>,
    log: BTreeMap<Seq, (ProposalId, Stamp, Outcome)>,
    first: BTreeMap<ProposalId, Outcome>,
    /// Where each node is.
    position: BTreeMap<u64, (u64, Stamp)>,
    violation: Option<String>,
    trace: VecDeque<String>,
    hash: u64,
    counts: BTreeMap<&'static str, u64>,
}

/// See the module.
pub struct Oracle {
    start: Instant,
    inner: Mutex<Inner>,
}

/// Lines of the trace that are kept.
const TRACE: usize = 250;

impl Oracle {
    pub fn new() -> Self {
        Self { start: Instant::now(), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new moment.
    pub fn moment(&self) -> Moment {
        let mut inner = self.inner();
        inner.now += 1;
        inner.now
    }

    pub fn count(&self, what: &'static str) {
        *self.inner().counts.entry(what).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.inner().counts.clone()
    }

    /// Notes something for whoever looks for the reason of a failure.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        let at = self.start.elapsed().as_millis();
        let line = format!("{at:>6} {}", line());
        let mut inner = self.inner();
        inner.hash =
            line.bytes().fold(inner.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        if inner.trace.len() == TRACE {
            inner.trace.pop_front();
        }
        inner.trace.push_back(line);
    }

    /// The same for the same history.
    pub fn hash(&self) -> u64 {
        self.inner().hash
    }

    /// The first violation is kept, with what led to it.
    pub fn violated(&self, what: String) {
        let mut inner = self.inner();
        if inner.violation.is_none() {
            let mut story = String::new();
            inner.trace.iter().for_each(|line| story = std::mem::take(&mut story) + line + "\n");
            let _ = write!(story, "{:>6} VIOLATION: {what}", self.start.elapsed().as_millis());
            inner.violation = Some(story);
        }
    }

    pub fn violation(&self) -> Option<String> {
        self.inner().violation.clone()
    }

    /// A node begins at this index, with this log time: the snapshot's.
    pub fn restored(&self, node: u64, index: Option<u64>, at: Stamp) {
        self.inner().position.insert(node, (index.unwrap_or_default(), at));
    }

    /// A node has applied a draft.
    pub fn applied(&self, node: u64, seq: Seq, id: ProposalId, at: Stamp, outcome: &Outcome) {
        let index = seq.0 >> 16;
        let mut wrong = None;
        {
            let mut inner = self.inner();
            let (before, then) = inner.position.insert(node, (index, at)).unwrap_or_default();
            if index < before {
                wrong = Some(format!("node {node} applied entry {index} after {before}"));
            } else if at < then {
                wrong = Some(format!("node {node} went back in time from {then:?} to {at:?} at entry {index}"));
            }
            let now = (id, at, outcome.clone());
            match inner.log.get(&seq) {
                Some(known) if *known != now => {
                    wrong = Some(format!("node {node} did {now:?} at {seq:?}, another had done {known:?}"));
                }
                Some(_) => {}
                None => {
                    inner.log.insert(seq, now);
                    // What is untimely is no answer: an earlier copy had one, or a later one will.
                    if *outcome != Outcome::Refused(Refusal::Untimely) {
                        inner.first.entry(id).or_insert_with(|| outcome.clone());
                    }
                }
            }
        }
        if let Some(wrong) = wrong {
            self.violated(wrong);
        }
    }

    /// A client was told this outcome of a draft that it proposed.
    pub fn acknowledged(&self, index: u64, id: ProposalId, outcome: &Outcome) {
        let inner = self.inner();
        let written = inner.log.range(Seq::new(index, 0)..=Seq::new(index, u16::MAX)).any(|(_, known)| known.0 == id);
        let first = inner.first.get(&id).cloned();
        drop(inner);
        if !written {
            self.violated(format!("{id} was acknowledged at entry {index}, where nobody applied it"));
        } else if first.as_ref() != Some(outcome) {
            self.violated(format!("{id} was answered {outcome:?}, and {first:?} before that"));
        }
    }

    fn thing(&self, name: &str, change: impl FnOnce(&mut Thing, Moment)) {
        let mut inner = self.inner();
        inner.now += 1;
        let now = inner.now;
        change(inner.things.entry(name.into()).or_default(), now);
    }

    /// Somebody tries to issue it; it may die of age.
    pub fn mortal(&self, name: &str) {
        self.thing(name, |thing, _| thing.mortal = true);
    }

    /// It was acknowledged as issued.
    pub fn born(&self, name: &str) {
        self.thing(name, |thing, now| {
            thing.born.get_or_insert(now);
        });
    }

    /// Somebody begins to try to revoke it.
    pub fn threatened(&self, name: &str) {
        self.thing(name, |thing, now| {
            thing.threatened.get_or_insert(now);
        });
    }

    /// It was acknowledged as revoked.
    pub fn ended(&self, name: &str) {
        self.thing(name, |thing, now| {
            thing.ended.get_or_insert(now);
        });
    }

    /// A linearizable read that began at `start` and ends now, on that node, found it active or not.
    pub fn seen(&self, node: u64, name: &str, start: Moment, active: bool) {
        let mut wrong = None;
        self.thing(name, |thing, now| {
            let before = |moment: Option<Moment>| moment.is_some_and(|moment| moment < start);
            if active {
                if before(thing.ended) {
                    wrong = Some("active, though it had been acknowledged as revoked");
                } else if before(thing.missed) {
                    wrong = Some("active again, after an earlier read had shown it gone");
                }
                thing.seen.get_or_insert(now);
            } else {
                if thing.threatened.is_none() && !thing.mortal {
                    if before(thing.born) {
                        wrong = Some("not active, though it had been acknowledged as issued");
                    } else if before(thing.seen) {
                        wrong = Some("not active any more, though nobody revoked it");
                    }
                }
                if before(thing.born) || before(thing.seen) {
                    thing.missed.get_or_insert(now);
                }
            }
        });
        if let Some(wrong) = wrong {
            self.violated(format!("{name} is {wrong}; read on node {node}"));
        }
    }

    /// Somebody begins to try to buy `name` for the code: whatever else was bought is in danger.
    pub fn buying(&self, code: &str, name: &str, rivals: &[String]) {
        rivals.iter().filter(|rival| *rival != name).for_each(|rival| self.threatened(rival));
        if !rivals.is_empty() {
            self.threatened(name);
        }
        self.inner().codes.entry(code.into()).or_default();
    }

    /// The code was acknowledged as redeemed for `name`.
    pub fn sold(&self, code: &str, name: &str) {
        let mut inner = self.inner();
        let sold = inner.codes.entry(code.into()).or_default();
        let before = sold.get_or_insert_with(|| name.into()).clone();
        drop(inner);
        if before != name {
            self.violated(format!("{code} was sold twice: for {before} and for {name}"));
        }
        self.born(name);
    }

    /// The transaction was acknowledged as used by `name`.
    pub fn used(&self, transaction: &str, name: &str) {
        let before = self.inner().used.entry(transaction.into()).or_insert_with(|| name.into()).clone();
        if before != name {
            self.violated(format!("{transaction} was used twice: by {before} and by {name}"));
        }
        self.count("transactions used");
    }

    /// The code was acknowledged as replayed: nothing that it bought is active.
    pub fn replayed(&self, names: &[String]) {
        names.iter().for_each(|name| self.ended(name));
    }

    /// Somebody tries to count the document up.
    pub fn counting(&self, document: &str) {
        self.inner().counters.entry(document.into()).or_default().tried += 1;
    }

    /// It was acknowledged, or refused.
    pub fn counted(&self, document: &str, done: bool) {
        let mut inner = self.inner();
        let counter = inner.counters.entry(document.into()).or_default();
        if done {
            counter.done += 1;
        } else {
            counter.refused += 1;
        }
    }

    /// How often the document was certainly counted up by now: the least that a read may find that begins now.
    pub fn least(&self, document: &str) -> u64 {
        self.inner().counters.get(document).map_or(0, |counter| counter.done)
    }

    /// A linearizable read, for which [`Oracle::least`] was `least` when it began, found this number.
    pub fn seen_count(&self, node: u64, document: &str, least: u64, found: u64) {
        let counter = self.inner().counters.get(document).cloned().unwrap_or_default();
        if found < least {
            self.violated(format!("{document} is {found} on node {node}, though {least} writes had been acknowledged"));
        }
        if found > counter.tried - counter.refused {
            self.violated(format!("{document} is {found} on node {node}, but {counter:?}"));
        }
    }
}
