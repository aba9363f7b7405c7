//! A bounded queue in front of a thread that writes: nobody who records something waits for a disk.
//!
//! | it says                                     | here                          |
//! |---------------------------------------------|-------------------------------|
//! | a full queue drops, or refuses (PD-10)      | [`WhenFull`], [`Queue::reserve`] |
//! | what is written is counted, what is lost too | `Counted`                    |
//! | a stop loses nothing that was recorded      | [`Queue::flush`]              |
//!
//! Room is taken by counting, before what is recorded exists: who has a [`Room`] can record without failing, so that a change
//! can be refused before it is made, and never after.

use crate::telemetry::label;
use metrics::counter;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

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

/// Where the events of a queue are counted: the metric, and the label that tells events apart, if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub metric: &'static str,
}

impl Counted {
    pub fn add(self, topic: Option<&'static str>, outcome: &'static str) {
        match topic {
            None => counter!(self.metric, label::OUTCOME => outcome).increment(1),
            Some(topic) => counter!(self.metric, label::TOPIC => topic, label::OUTCOME => outcome).increment(1),
        }
    }
}

/// Where events end: called by the writer's thread only.
pub(super) trait Sink<E>: Send + 'static {
    /// Writes one event; whether it was written is counted by the sink.
    fn write(&mut self, event: E);

    /// Called when nothing waits, and before a flush is answered.
    fn rest(&mut self) {}
}

enum Message<E> {
    Event(E),
    Flush(std::sync::mpsc::SyncSender<()>),
}

/// The queue; cheap to clone. The writer ends with the last clone.
#[derive(Debug)]
pub(super) struct Queue<E> {
    sender: Sender<Message<E>>,
    taken: Arc<AtomicUsize>,
    capacity: usize,
    when_full: WhenFull,
    counted: Counted,
}

/// Room for one event. Dropped, it is given back.
#[derive(Debug)]
pub(super) struct Room<'q, E> {
    queue: &'q Queue<E>,
    used: bool,
}

impl<E: Send + 'static> Queue<E> {
    /// Starts the writer, a thread called `name`.
    pub fn start(
        name: &str,
        capacity: usize,
        when_full: WhenFull,
        counted: Counted,
        sink: impl Sink<E>,
    ) -> io::Result<Self> {
        let (sender, events) = channel();
        let taken = Arc::new(AtomicUsize::new(0));
        let waiting = taken.clone();
        thread::Builder::new().name(name.into()).spawn(move || write(&events, &waiting, sink))?;
        Ok(Self { sender, taken, capacity, when_full, counted })
    }

    /// Takes room for an event of a topic. `Ok(None)`: there is none, which was counted, and the request goes on.
    ///
    /// # Errors
    /// [`Full`], if that is what the settings want.
    pub fn reserve(&self, topic: Option<&'static str>) -> Result<Option<Room<'_, E>>, Full> {
        let more = |taken: usize| (taken < self.capacity).then_some(taken + 1);
        if self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok() {
            return Ok(Some(Room { queue: self, used: false }));
        }
        match self.when_full {
            WhenFull::Drop => {
                self.counted.add(topic, "dropped");
                Ok(None)
            }
            WhenFull::Refuse => {
                self.counted.add(topic, "refused");
                Err(Full)
            }
        }
    }

    /// Waits until everything that was recorded before is written, at most for `patience`.
    pub fn flush(&self, patience: Duration) {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        if self.sender.send(Message::Flush(done)).is_ok() {
            // Whoever stops does so in time, flushed or not.
            _ = wait.recv_timeout(patience);
        }
    }
}

impl<E> Room<'_, E> {
    /// Records; never waits.
    pub fn record(mut self, event: E) {
        // A writer that is gone ended with a panic, which was logged: then this counts as lost.
        match self.queue.sender.send(Message::Event(event)) {
            Ok(()) => self.used = true,
            Err(_) => self.queue.counted.add(None, "failed"),
        }
    }
}

impl<E> Drop for Room<'_, E> {
    fn drop(&mut self) {
        if !self.used {
            self.queue.taken.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn write<E>(events: &Receiver<Message<E>>, waiting: &AtomicUsize, mut sink: impl Sink<E>) {
    let mut next = events.recv();
    while let Ok(message) = next {
        match message {
            Message::Event(event) => {
                waiting.fetch_sub(1, Ordering::AcqRel);
                sink.write(event);
            }
            Message::Flush(done) => {
                sink.rest();
                _ = done.send(());
            }
        }
        next = match events.try_recv() {
            Ok(message) => Ok(message),
            Err(_) => {
                sink.rest();
                events.recv()
            }
        };
    }
}
