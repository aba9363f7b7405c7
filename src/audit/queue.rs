//! Events that wait to be written: bounded, handed over many at a time, to a thread of their own.
//!
//! | it says                                       | here                              |
//! |-----------------------------------------------|-----------------------------------|
//! | a full queue drops, counted, or refuses (PD-10) | [`WhenFull`], [`Recorder`]      |
//! | a change is refused before it is made, never after | [`Recorder::reserve`], [`Room`] |
//! | a stop loses nothing that was recorded        | [`Recorder::settle`]              |
//!
//! Whoever records an event neither waits nor wakes anybody, but for the first one after a pause: waking a thread costs more
//! than all the rest of recording. The writer, once awake, gathers for [`GATHER`] before it takes what there is, unless half
//! of the room is used.

use crate::telemetry::label;
use metrics::counter;
use std::{
    fmt, io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How long events may wait for others to be written with.
const GATHER: Duration = Duration::from_millis(5);

/// What happens when an event cannot be recorded because the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The request is answered, and the lost event counted.
    Drop,
    /// The request is not answered: 503.
    Refuse,
}

/// The queue is full, and the event must not go unrecorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of events is full")]
pub struct Full;

/// The metric that counts what becomes of events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted(pub &'static str);

impl Counted {
    /// Events of a topic, if they have topics.
    pub fn add(self, topic: Option<&'static str>, outcome: &'static str, events: u64) {
        match topic {
            None => counter!(self.0, label::OUTCOME => outcome).increment(events),
            Some(topic) => counter!(self.0, label::TOPIC => topic, label::OUTCOME => outcome).increment(events),
        }
    }
}

/// A queue, and the thread that empties it. The thread ends, with all written, once this is dropped.
pub(super) struct Recorder<E> {
    queue: Arc<Queue<E>>,
    when_full: WhenFull,
    counted: Counted,
}

impl<E> fmt::Debug for Recorder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("room", &self.queue.room)
            .field("when_full", &self.when_full)
            .finish_non_exhaustive()
    }
}

/// Room for one event. Dropped, it is given back.
pub(super) struct Room<'q, E> {
    queue: &'q Queue<E>,
    used: bool,
}

impl<E> fmt::Debug for Room<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}

impl<E: Send + 'static> Recorder<E> {
    /// Starts a thread called `name` that hands all that waits to `write`, again and again.
    pub fn start(
        name: &str,
        room: usize,
        when_full: WhenFull,
        counted: Counted,
        mut write: impl FnMut(&mut Vec<E>) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(room));
        let waiting = queue.clone();
        let run = move || {
            let mut events = Vec::new();
            while waiting.take(&mut events) {
                write(&mut events);
                events.clear();
            }
        };
        thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Self { queue, when_full, counted })
    }

    /// Records; never waits.
    ///
    /// # Errors
    /// [`Full`], if that is what the settings want.
    pub fn record(&self, event: E) -> Result<(), Full> {
        if self.queue.push(event) { Ok(()) } else { self.full(None) }
    }

    /// Takes room for an event of a topic that will be known later. `Ok(None)`: there is none, which was counted, and the
    /// request goes on.
    ///
    /// # Errors
    /// [`Full`], if that is what the settings want.
    pub fn reserve(&self, topic: &'static str) -> Result<Option<Room<'_, E>>, Full> {
        match self.queue.promise() {
            true => Ok(Some(Room { queue: &self.queue, used: false })),
            false => self.full(Some(topic)).map(|()| None),
        }
    }

    fn full(&self, topic: Option<&'static str>) -> Result<(), Full> {
        match self.when_full {
            WhenFull::Drop => {
                self.counted.add(topic, "dropped", 1);
                Ok(())
            }
            WhenFull::Refuse => {
                self.counted.add(topic, "refused", 1);
                Err(Full)
            }
        }
    }

    /// Waits until all that was recorded before is written, at most for `patience`; whether it is.
    pub fn settle(&self, patience: Duration) -> bool {
        self.queue.settle(patience)
    }
}

impl<E> Drop for Recorder<E> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl<E> Room<'_, E> {
    /// Records; never waits, never fails.
    pub fn record(mut self, event: E) {
        self.used = true;
        self.queue.keep_promise(event);
    }
}

impl<E> Drop for Room<'_, E> {
    fn drop(&mut self) {
        if !self.used {
            self.queue.lock().promised -= 1;
        }
    }
}

/// What waits.
struct Queue<E> {
    room: usize,
    waiting: Mutex<Waiting<E>>,
    /// For the writer: something to do.
    came: Condvar,
    /// For whoever waits until nothing is left to do.
    went: Condvar,
}

struct Waiting<E> {
    events: Vec<E>,
    /// Events that will come, and have room.
    promised: usize,
    writer: Writer,
    /// No more will come.
    closed: bool,
}

/// What the writer does.
#[derive(PartialEq, Eq)]
enum Writer {
    /// Writes what it took, or has not begun.
    Busy,
    /// Waits for the first event.
    Asleep,
    /// Waits for others.
    Gathering,
}

impl<E> Queue<E> {
    /// For so many events.
    fn new(room: usize) -> Self {
        let waiting = Waiting { events: Vec::new(), promised: 0, writer: Writer::Busy, closed: false };
        Self { room, waiting: Mutex::new(waiting), came: Condvar::new(), went: Condvar::new() }
    }

    /// Nothing that can panic happens under the lock.
    fn lock(&self) -> MutexGuard<'_, Waiting<E>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_half_full(&self, waiting: &Waiting<E>) -> bool {
        waiting.events.len() * 2 >= self.room
    }

    /// Puts an event at the end; whether there was room.
    fn push(&self, event: E) -> bool {
        let waiting = self.lock();
        if self.is_full(&waiting) {
            return false;
        }
        self.append(waiting, event);
        true
    }

    fn is_full(&self, waiting: &Waiting<E>) -> bool {
        waiting.events.len() + waiting.promised >= self.room
    }

    /// Keeps room for an event; whether there was any.
    fn promise(&self) -> bool {
        let mut waiting = self.lock();
        let has_room = !self.is_full(&waiting);
        waiting.promised += usize::from(has_room);
        has_room
    }

    /// Puts an event at the end that there is room for.
    fn keep_promise(&self, event: E) {
        let mut waiting = self.lock();
        waiting.promised -= 1;
        self.append(waiting, event);
    }

    fn append(&self, mut waiting: MutexGuard<'_, Waiting<E>>, event: E) {
        waiting.events.push(event);
        let wakes = match waiting.writer {
            Writer::Asleep => true,
            Writer::Gathering => self.is_half_full(&waiting),
            Writer::Busy => false,
        };
        if wakes {
            waiting.writer = Writer::Busy;
        }
        drop(waiting);
        if wakes {
            self.came.notify_one();
        }
    }

    /// For the writer: waits for events and takes all of them into `events`, which is empty. `false` when none will come.
    fn take(&self, events: &mut Vec<E>) -> bool {
        let mut waiting = self.lock();
        if waiting.events.is_empty() {
            self.went.notify_all();
        }
        while waiting.events.is_empty() {
            if waiting.closed {
                return false;
            }
            waiting.writer = Writer::Asleep;
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let since = Instant::now();
        while !waiting.closed && !self.is_half_full(&waiting) {
            let Some(left) = GATHER.checked_sub(since.elapsed()) else {
                break;
            };
            waiting.writer = Writer::Gathering;
            waiting = self.came.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.writer = Writer::Busy;
        mem::swap(&mut waiting.events, events);
        true
    }

    /// Waits until the writer has written everything, at most for `patience`; whether it has.
    fn settle(&self, patience: Duration) -> bool {
        let is_busy = |waiting: &mut Waiting<E>| waiting.writer != Writer::Asleep || !waiting.events.is_empty();
        let settled = self.went.wait_timeout_while(self.lock(), patience, is_busy);
        !settled.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// No more will come.
    fn close(&self) {
        self.lock().closed = true;
        self.came.notify_one();
    }
}
