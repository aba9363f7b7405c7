//! A dead leader is succeeded at once.
//!
//! Followers wait out the leader's word before they stand for election, because silence may be a slow network. A leader
//! whose process ended is not silent: its connections are closed by its system, and nobody listens on its port any more.
//! Whoever sees both stops waiting for *itself*: it takes its own promise to the leader as void and asks for votes.
//!
//! Nothing rests on this being right. Votes are still given by raft's rules, no read trusts a lease (C-5), and the question
//! is put as a pre-vote first, which every other node refuses that still hears the leader: one node that is cut off by a
//! firewall, or an operator's mistake, deposes nobody. Where the signs are missing (a frozen process, a lost host, a cut
//! cable) the election timeout does its work as ever.

use crate::{Shared, health::Role};
use openraft::async_runtime::watch::WatchReceiver;
use quorate_raft::Owners;
use std::{io, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::sleep};

/// Departures that wait to be looked at. More than there are peers says nothing new.
pub(crate) const DEPARTURES: usize = 64;

/// How often, and how far apart, a peer that hung up is looked for. Its system closes one thing after the other.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// How often votes are asked for, and how long an answer may take. Others may notice a little later.
const CALLS: u32 = 5;
const BETWEEN_CALLS: Duration = Duration::from_millis(60);

/// Head start of each candidate over the next, so that they do not all ask at once.
const HEAD_START: Duration = Duration::from_millis(15);

/// Follows up on peers that closed their connection to us.
pub(crate) async fn run<O: Owners>(shared: Arc<Shared<O>>, mut departed: mpsc::Receiver<u64>) {
    while let Some(peer) = departed.recv().await {
        if *shared.leader.borrow() == Some(peer) && shared.is_gone(peer).await {
            shared.succeed(peer).await;
        }
    }
}

impl<O: Owners> Shared<O> {
    /// Whether nobody listens where `peer` should. Any other answer, or none, is no proof.
    async fn is_gone(&self, peer: u64) -> bool {
        let Some(peer) = self.peers.get(peer) else { return false };
        for _ in 0..LOOKS {
            match peer.control.dial().await {
                Ok(_) => return false,
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => return true,
                Err(_) => sleep(BETWEEN_LOOKS).await,
            }
        }
        false
    }

    /// Stands for election, unless somebody else is faster.
    async fn succeed(&self, dead: u64) {
        let me = self.settings.node_id;
        tracing::warn!(node = me, leader = dead, "the leader is gone");
        if self.release_from(dead).await.is_none() {
            return;
        }
        let members = self.members();
        let voters = members.iter().filter(|member| member.role == Role::Voter && member.id != dead);
        let Some(rank) = voters.map(|voter| voter.id).position(|id| id == me) else { return };
        let mut leader = self.leader.clone();
        sleep(HEAD_START * u32::try_from(rank).unwrap_or(u32::MAX)).await;
        for _ in 0..CALLS {
            if *leader.borrow_and_update() != Some(dead) || self.raft.trigger().elect(true).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(BETWEEN_CALLS) => {}
                _ = leader.changed() => {}
            }
        }
    }

    /// Takes this node's promise to `dead` as void. This is what raft does with a follower when a leader hands over to
    /// somebody else; the vote names the leader that is meant, so a newer one is not affected.
    async fn release_from(&self, dead: u64) -> Option<()> {
        let vote = self.raft.metrics().borrow_watched().vote;
        if vote.leader_id.node_id != dead || !vote.committed {
            return None;
        }
        let release = crate::types::TransferRequest::new(vote, dead, None);
        self.raft.handle_transfer_leader(release).await.ok()?.ok()
    }
}
