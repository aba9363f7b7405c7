//! Events that wait to be written: bounded, handed over many at a time.
//!
//! Whoever records an event neither waits nor wakes anybody, but for the first one after a pause: waking a thread costs more
//! than all the rest of recording. The writer, once awake, gathers for [`GATHER`] before it takes what there is, unless half
//! of the room is used.

use super::Event;
use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long events may wait for others to be written with.
const GATHER: Duration = Duration::from_millis(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    room: usize,
    waiting: Mutex<Waiting>,
    /// For the writer: something to do.
    came: Condvar,
    /// For whoever waits until nothing is left to do.
    went: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    events: Vec<Event>,
    writer: Writer,
    /// No more will come.
    closed: bool,
}

/// What the writer does.
#[derive(Debug, Default, PartialEq, Eq)]
enum Writer {
    /// Writes what it took, or has not begun.
    #[default]
    Busy,
    /// Waits for the first event.
    Asleep,
    /// Waits for others.
    Gathering,
}

impl Queue {
    /// For so many events.
    pub fn new(room: usize) -> Self {
        Self { room, waiting: Mutex::default(), came: Condvar::new(), went: Condvar::new() }
    }

    /// Nothing that can panic happens under the lock.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_half_full(&self, waiting: &Waiting) -> bool {
        waiting.events.len() * 2 >= self.room
    }

    /// Puts an event at the end; whether there was room.
    pub fn push(&self, event: Event) -> bool {
        let mut waiting = self.lock();
        if waiting.events.len() >= self.room {
            return false;
        }
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
        true
    }

    /// For the writer: waits for events and takes all of them into `events`, which is empty. `false` when none will come.
    pub fn take(&self, events: &mut Vec<Event>) -> bool {
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
    pub fn settle(&self, patience: Duration) -> bool {
        let is_busy = |waiting: &mut Waiting| waiting.writer != Writer::Asleep || !waiting.events.is_empty();
        let settled = self.went.wait_timeout_while(self.lock(), patience, is_busy);
        !settled.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// No more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.came.notify_one();
    }
}
