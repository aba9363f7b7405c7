//! One replica: state, clock and position in the log, without a log.

use quorate_raft::{
    Batch, Outcome, State,
    owners::Clock,
    state::{Part, StateBuilder},
};

/// What a node keeps of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replica {
    pub state: State,
    pub clock: Clock,
    /// Index of the last entry that was applied; the first one is 1.
    pub index: u64,
}

impl Replica {
    /// Applies the next entry of the log.
    pub fn apply(&mut self, batch: Batch) -> Vec<Outcome> {
        self.index += 1;
        self.state.apply(self.clock.commit(self.index, batch).collect())
    }

    /// The snapshot that it would write now.
    pub fn snapshot(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        self.state
            .freeze()
            .write(self.clock, &mut |part| {
                parts.push(part);
                Ok(())
            })
            .expect("a reachable state can be written");
        parts
    }

    /// Another replica, that knows only the snapshot of this one.
    pub fn through_a_snapshot(&self) -> Self {
        let mut builder = StateBuilder::default();
        for part in self.snapshot() {
            builder.push(&part).expect("what was written can be read");
        }
        let (state, clock) = builder.finish();
        Self { state, clock, index: self.index }
    }
}
