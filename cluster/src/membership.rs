//! Who belongs to the cluster, and how that changes.
//!
//! | change                | how                                                                                             |
//! |-----------------------|-------------------------------------------------------------------------------------------------|
//! | static bootstrap      | every listed node derives the same cluster id and would write the same first entry; the lowest id does at once, others only if it does not show up |
//! | add                   | as learner: it receives everything and counts for nothing                                       |
//! | promote               | learner to voter, once it has nearly all of the log                                             |
//! | remove                | voter or learner; the last voter stays                                                          |
//! | transfer              | the leader hands over to the voter that lacks least                                             |
//! | announce              | a node corrects its own addresses in the membership after it started                            |
//!
//! An emptied disk must not come back under its old id: it has forgotten its votes and could help to lose what was
//! acknowledged. Remove the id and add a new one.

use crate::{
    Shared,
    admin::{AdminError, Answer, Operation, Status},
    health::{Role, members},
    types::{ClusterId, Metrics},
    wire,
};
use openraft::{
    ChangeMembers, Instant as _,
    async_runtime::watch::WatchReceiver,
    errors::{ChangeMembershipError, ClientWriteError, InitializeError, RaftError},
};
use quorate_raft::{Owners, store::Peer};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// How long an operation on the cluster may take, here and when it is forwarded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a transfer of leadership may take.
const TRANSFER: Duration = Duration::from_secs(2);

/// How long nodes with higher ids wait for the lowest to initialise the cluster; times their rank.
const GRACE: Duration = Duration::from_secs(3);

/// Entries that a learner may lack when it is promoted.
const NEARLY: u64 = 1000;

/// How often conditions without a signal of their own are looked at.
const LOOK: Duration = Duration::from_millis(50);

type Result<T> = std::result::Result<T, AdminError>;

/// The first membership: the same on every node, which is why it knows no HTTP addresses yet.
fn first_members(list: &BTreeMap<u64, String>) -> BTreeMap<u64, Peer> {
    list.iter().map(|(id, addr)| (*id, Peer { addr: addr.clone(), http: String::new() })).collect()
}

/// The id of the cluster that `list` bootstraps.
pub(crate) fn cluster_id(list: &BTreeMap<u64, String>) -> ClusterId {
    ClusterId::of(list.iter().map(|(id, addr)| (*id, addr.as_str())))
}

/// Makes a cluster of the listed nodes, unless there is one already.
pub(crate) async fn bootstrap<O: Owners>(shared: Arc<Shared<O>>) {
    let Some(list) = &shared.settings.bootstrap else { return };
    let rank = list.keys().take_while(|id| **id != shared.settings.node_id).count();
    let deadline = Instant::now() + GRACE * u32::try_from(rank).unwrap_or(u32::MAX);
    loop {
        match shared.raft.is_initialized().await {
            Ok(false) => {}
            Ok(true) | Err(_) => return, // there is a cluster, or no core to ask
        }
        if Instant::now() >= deadline {
            break;
        }
        sleep(LOOK).await;
    }
    match shared.raft.initialize(first_members(list)).await {
        Ok(()) => tracing::info!(node = shared.settings.node_id, "cluster initialised"),
        Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {} // somebody was faster
        Err(e) => tracing::error!(error = &e as &dyn std::error::Error, "cluster not initialised"),
    }
}

/// Sees to it that the membership holds this node's real addresses.
pub(crate) async fn announce<O: Owners>(shared: Arc<Shared<O>>) {
    let (id, me) = (shared.settings.node_id, shared.settings.me.clone());
    let mut pause = LOOK;
    loop {
        let stated = {
            let metrics = shared.raft.metrics();
            let metrics = metrics.borrow_watched();
            metrics.membership_config.membership().get_node(&id).cloned()
        };
        match stated {
            Some(stated) if stated == me => return,
            Some(_) => drop(shared.admin(Operation::Announce { id, peer: me.clone() }, true).await), // looked at again
            None => {} // not a member (yet)
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

impl<O: Owners> Shared<O> {
    /// Does `operation`, here or, if `pass_on`, at the leader.
    pub async fn admin(&self, operation: Operation, pass_on: bool) -> Result<Answer> {
        if let Operation::Status = operation {
            return Ok(Answer::Status(Status { cluster: self.peers.caller.cluster(), health: self.health() }));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let leader = *self.leader.borrow();
            let done = match leader {
                Some(leader) if leader == self.settings.node_id => {
                    timeout(deadline - Instant::now(), self.administrate(operation.clone()))
                        .await
                        .unwrap_or(Err(AdminError::Unknown))
                }
                Some(leader) if pass_on => self.pass_on(leader, operation.clone()).await,
                leader => Err(AdminError::NotLeader(leader)),
            };
            match done {
                // Nothing was changed: as good as not asked.
                Err(AdminError::NotLeader(_)) if pass_on && Instant::now() + LOOK < deadline => self.settle(LOOK).await,
                done => return done,
            }
        }
    }

    async fn pass_on(&self, leader: u64, operation: Operation) -> Result<Answer> {
        let peer = self.peers.get(leader).ok_or(AdminError::NotLeader(None))?;
        match peer.control.call(&wire::Request::Admin(operation), PATIENCE).await {
            Ok(wire::Answer::Admin(answer)) => answer,
            Err(crate::peers::CallError::NotSent(_)) => Err(AdminError::NotLeader(None)),
            Ok(_) | Err(_) => Err(AdminError::Unknown),
        }
    }

    /// Does `operation` as leader.
    async fn administrate(&self, operation: Operation) -> Result<Answer> {
        let known = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            members(&metrics)
        };
        let role = |id| known.iter().find(|member| member.id == id).map(|member| member.role);
        match operation {
            Operation::Status => {}
            Operation::Add { id, peer } => {
                if id == 0 {
                    return Err(AdminError::refused("node id 0 is not an id"));
                }
                if let Some(other) = known.iter().find(|member| member.peer.addr == peer.addr && member.id != id) {
                    return Err(AdminError::refused(format!("node {} has this address already", other.id)));
                }
                if role(id).is_some() {
                    return Err(AdminError::refused(format!("node {id} belongs to the cluster already")));
                }
                self.change(ChangeMembers::AddNodes(BTreeMap::from([(id, peer)]))).await?;
            }
            Operation::Promote { id } => match role(id) {
                None => return Err(AdminError::refused(format!("node {id} does not belong to the cluster"))),
                Some(Role::Voter) => {}
                Some(Role::Learner) => {
                    if timeout(PATIENCE / 2, self.until(|metrics| has_nearly_all(metrics, id))).await.is_err() {
                        return Err(AdminError::refused(format!("node {id} has not caught up")));
                    }
                    self.change(ChangeMembers::AddVoterIds(BTreeSet::from([id]))).await?;
                }
            },
            Operation::Remove { id } => match role(id) {
                None => return Err(AdminError::refused(format!("node {id} does not belong to the cluster"))),
                Some(Role::Learner) => self.change(ChangeMembers::RemoveNodes(BTreeSet::from([id]))).await?,
                Some(Role::Voter) => {
                    if known.iter().filter(|member| member.role == Role::Voter).count() == 1 {
                        return Err(AdminError::refused("the last voter cannot be removed"));
                    }
                    self.change(ChangeMembers::RemoveVoters(BTreeSet::from([id]))).await?;
                }
            },
            Operation::TransferLeader { to } => {
                if let Some(id) = to.filter(|id| role(*id) != Some(Role::Voter)) {
                    return Err(AdminError::refused(format!("node {id} has no vote")));
                }
                self.transfer(to).await?;
            }
            Operation::Announce { id, peer } => {
                if role(id).is_none() {
                    return Err(AdminError::refused(format!("node {id} does not belong to the cluster")));
                }
                self.change(ChangeMembers::SetNodes(BTreeMap::from([(id, peer)]))).await?;
            }
        }
        Ok(Answer::Done)
    }

    /// Writes a change of the membership, after the one that is being made, if any.
    async fn change(&self, change: ChangeMembers<u64, Peer>) -> Result<()> {
        loop {
            let error = match self.raft.change_membership(change.clone(), false).await {
                Ok(_) => return Ok(()),
                Err(RaftError::APIError(error)) => error,
                Err(RaftError::Fatal(_)) => return Err(AdminError::Unknown),
            };
            match error {
                ClientWriteError::ForwardToLeader(forward) => return Err(AdminError::NotLeader(forward.leader_id)),
                ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_)) => sleep(LOOK).await,
                ClientWriteError::ChangeMembershipError(why) => return Err(AdminError::refused(why.to_string())),
                ClientWriteError::PreconditionFailed(_) | ClientWriteError::LogEntryDiscarded(_) => {
                    return Err(AdminError::Unknown);
                }
            }
        }
    }

    /// Hands leadership to `wanted`, or to the voter that lacks least.
    pub async fn transfer(&self, wanted: Option<u64>) -> Result<()> {
        let me = self.settings.node_id;
        if wanted == Some(me) {
            return Ok(());
        }
        // A leader that was told to go stops leading: better not begin what cannot end well.
        let found = async {
            loop {
                match self.heir(wanted) {
                    Some(heir) => return heir,
                    None => sleep(LOOK).await,
                }
            }
        };
        let found = timeout(self.settings.timing.election_max, found).await; // a new leader has heard nobody yet
        let to = found.map_err(|_| AdminError::refused("no such voter was heard lately"))?;
        let mut leader = self.leader.clone();
        let handed_over = async {
            loop {
                if self.raft.trigger().transfer_leader(to).await.is_err() {
                    return;
                }
                // A follower that lacks an entry declines, so ask again until it has them all.
                if timeout(self.settings.timing.heartbeat * 3, leader.wait_for(|now| *now == Some(to))).await.is_ok() {
                    return;
                }
            }
        };
        let _ = timeout(TRANSFER, handed_over).await;
        match *self.leader.borrow() {
            Some(now) if now == me => Err(AdminError::refused(format!("node {to} did not take over"))),
            now if wanted.is_some() && now != wanted => Err(AdminError::Unknown), // somebody else did, or will
            _ => Ok(()),
        }
    }

    /// Another voter that was heard lately: `wanted`, or the one that lacks least.
    fn heir(&self, wanted: Option<u64>) -> Option<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let heard = |id: &u64| metrics.heartbeat.as_ref().and_then(|all| *all.get(id)?);
        let lately = |id: &u64| heard(id).is_some_and(|at| at.elapsed() < self.settings.timing.election_max);
        members(&metrics)
            .into_iter()
            .filter(|member| member.role == Role::Voter && member.id != self.settings.node_id)
            .filter(|member| wanted.is_none_or(|wanted| member.id == wanted) && lately(&member.id))
            .max_by_key(|member| member.matched)
            .map(|member| member.id)
    }

    /// Waits until `condition` holds of the metrics.
    async fn until(&self, condition: impl Fn(&Metrics) -> bool) {
        loop {
            {
                let metrics = self.raft.metrics();
                if condition(&metrics.borrow_watched()) {
                    return;
                }
            }
            sleep(LOOK).await;
        }
    }
}

fn has_nearly_all(metrics: &Metrics, id: u64) -> bool {
    let matched = metrics.replication.as_ref().and_then(|all| all.get(&id)?.as_ref().map(|log_id| log_id.index));
    matched.is_some_and(|matched| matched + NEARLY >= metrics.last_log_index.unwrap_or(0))
}
