//! openraft's state machine: passes what is committed on to the owners, in log order, and answers in the same order.
//!
//! Nothing of it is on disk between snapshots: state and position change together in memory, and on a start both come from
//! the snapshot, from where openraft replays the log.

use super::{
    Answers, Entry, LogId, Membership, Snapshot, SnapshotMeta, TypeConfig,
    snapshot::{Restored, SnapshotHandle, Snapshots},
};
use crate::{
    command::{Command, Outcome},
    limits::MAX_BATCH,
    owners::{Clock, Committed, Owners},
    state::Frozen,
    time::Stamp,
};
use futures_util::{FutureExt, Stream, StreamExt};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder,
    storage::{ApplyResponder, EntryResponder, RaftStateMachine},
};
use std::{io, sync::Arc};
use tokio::sync::watch;

/// How far the log has been applied on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The last entry whose effect reads can see.
    pub log_id: Option<LogId>,
    /// Log time.
    pub at: Stamp,
}

impl Applied {
    /// The index of that entry.
    pub fn index(&self) -> Option<u64> {
        self.log_id.map(|id| id.index)
    }
}

/// What goes with a state: changed when it changes, frozen when it is frozen.
#[derive(Clone, Default)]
struct Position {
    last: Option<LogId>,
    membership: Membership,
    clock: Clock,
}

impl Position {
    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.last, last_membership: self.membership.clone() }
    }

    fn applied(&self) -> Applied {
        Applied { log_id: self.last, at: self.clock.now() }
    }
}

/// See the module.
pub struct Machine<O> {
    owners: Arc<O>,
    snapshots: Snapshots,
    position: Position,
    applied: watch::Sender<Applied>,
}

/// Entries that are applied together.
#[derive(Default)]
struct Group {
    commands: Vec<Committed<Command>>,
    /// Each entry's number of commands, and who waits for its answer.
    waiting: Vec<(usize, Option<ApplyResponder<TypeConfig>>)>,
}

impl<O: Owners> Machine<O> {
    /// A machine that continues where a snapshot left off.
    pub(super) async fn start(
        owners: Arc<O>,
        snapshots: Snapshots,
        restored: Restored,
    ) -> (Self, watch::Receiver<Applied>) {
        let Restored { meta, state, clock, .. } = restored;
        owners.install(state).await;
        let position = Position { last: meta.last_log_id, membership: meta.last_membership, clock };
        let (applied, watch) = watch::channel(position.applied());
        (Self { owners, snapshots, position, applied }, watch)
    }

    /// Notes what an entry asks for.
    fn collect(
        group: &mut Group,
        position: &mut Position,
        entry: Entry,
        responder: Option<ApplyResponder<TypeConfig>>,
    ) {
        let before = group.commands.len();
        match entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(batch) => group.commands.extend(position.clock.commit(entry.log_id.index, batch)),
            EntryPayload::Membership(membership) => {
                position.membership = Membership::new(Some(entry.log_id), membership);
            }
        }
        position.last = Some(entry.log_id);
        group.waiting.push((group.commands.len() - before, responder));
    }

    /// Lets the owners do it, says how far we are, and answers: in this order, or a client might not find what it wrote.
    async fn apply_group(&mut self, group: Group, position: Position) -> io::Result<()> {
        let due = group.commands.len();
        let outcomes = if due == 0 { Vec::new() } else { self.owners.apply(group.commands).await };
        if outcomes.len() != due {
            return Err(io::Error::other(format!("{} outcomes of {due} commands", outcomes.len())));
        }
        self.position = position;
        self.applied.send_replace(self.position.applied());
        let mut outcomes: std::vec::IntoIter<Outcome> = outcomes.into_iter();
        for (count, responder) in group.waiting {
            let answers = Answers(outcomes.by_ref().take(count).collect());
            if let Some(responder) = responder {
                responder.send(answers);
            }
        }
        Ok(())
    }
}

impl<O: Owners> RaftStateMachine<TypeConfig> for Machine<O> {
    type SnapshotData = SnapshotHandle;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, Membership)> {
        Ok((self.position.last, self.position.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let mut next = entries.next().await;
        while let Some(first) = next.take() {
            let (mut group, mut position) = (Group::default(), self.position.clone());
            let mut item = Some(first);
            while let Some(entry) = item.take() {
                let (entry, responder) = entry?;
                Self::collect(&mut group, &mut position, entry, responder);
                // What is ready goes along; what is not must not keep the rest waiting.
                if group.commands.len() < MAX_BATCH && group.waiting.len() < MAX_BATCH {
                    item = entries.next().now_or_never().flatten();
                }
            }
            self.apply_group(group, position).await?;
            next = entries.next().await;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        // Between two applies: state, position and log size are of one moment.
        let frozen = self.owners.freeze().await;
        SnapshotBuilder {
            snapshots: self.snapshots.clone(),
            frozen,
            meta: self.position.meta(),
            clock: self.position.clock,
            covered: self.snapshots.growth().appended(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotHandle) -> io::Result<()> {
        let (state, clock) = self.snapshots.install(meta.clone(), snapshot).await?;
        self.owners.install(state).await;
        self.position = Position { last: meta.last_log_id, membership: meta.last_membership.clone(), clock };
        self.applied.send_replace(self.position.applied());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        Ok(self.snapshots.current())
    }
}

/// A frozen state and its position, on their way to disk.
pub struct SnapshotBuilder {
    snapshots: Snapshots,
    frozen: Frozen,
    meta: SnapshotMeta,
    clock: Clock,
    /// Log bytes that it covers.
    covered: u64,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotHandle;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        self.snapshots.write(self.meta.clone(), self.clock, self.frozen.clone(), self.covered).await
    }
}
