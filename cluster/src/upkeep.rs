//! What has to happen while nobody asks for it: time passes, and the log does not grow for ever.

use crate::Shared;
use openraft::async_runtime::watch::WatchReceiver;
use quorate_raft::{Command, Owners};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// Most often that the leader writes time into the log for nothing else.
const TICK: Duration = Duration::from_millis(250);

/// How often the log is measured.
const MEASURE: Duration = Duration::from_millis(500);

/// Writes a tick when something in the replicated state is due to die and nothing else carries the time there.
pub(crate) async fn tick<O: Owners>(shared: Arc<Shared<O>>) {
    let mut look = interval(TICK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if *shared.leader.borrow() != Some(shared.settings.node_id) {
            continue;
        }
        let now = (shared.settings.clock)();
        if (shared.settings.next_death)().is_some_and(|death| death <= now)
            && let Err(e) = shared.propose(Command::Tick).await
        {
            tracing::debug!(error = %e, "no tick");
        }
    }
}

/// Takes a snapshot when the log has grown enough; openraft purges what the snapshot holds.
pub(crate) async fn snapshot<O: Owners>(shared: Arc<Shared<O>>) {
    let mut look = interval(MEASURE);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let due = shared.growth.is_due(shared.settings.limits.snapshot_after);
        if due && let Err(e) = shared.raft.trigger().snapshot().await {
            tracing::debug!(error = %e, "no snapshot");
        }
    }
}

/// Keeps what others need to know of raft at hand: who leads, and where everybody is.
pub(crate) async fn observe<O: Owners>(shared: Arc<Shared<O>>, leader: watch::Sender<Option<u64>>) {
    let mut metrics = shared.raft.server_metrics();
    loop {
        {
            let now = metrics.borrow_and_update();
            // A follower keeps naming a leader that has fallen silent; raft's word is enough to know whom to ask.
            leader.send_if_modified(|before| std::mem::replace(before, now.current_leader) != now.current_leader);
            for (id, peer) in now.membership_config.membership().nodes() {
                if *id != shared.settings.node_id {
                    shared.peers.place(*id, &peer.addr);
                }
            }
        }
        if metrics.changed().await.is_err() {
            leader.send_replace(None);
            return;
        }
    }
}
