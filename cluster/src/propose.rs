//! The way of a draft into the log, and of its outcome back.
//!
//! Drafts that wait go together: whoever comes while earlier ones are on their way travels in the next batch, so a lone
//! client waits for nobody and a crowd shares one entry. One task does it all for a node; a draft costs one channel.
//!
//! | where the leader is | what happens                                                                               |
//! |---------------------|--------------------------------------------------------------------------------------------|
//! | here                | the batch is stamped and written, with what the others sent meanwhile (`write`)             |
//! | elsewhere           | one `Propose` carries it there; its answer counts here once this node has applied the entry |
//! | unknown, or changed | the *same* drafts again, for a while; the state machine answers a repeated id with its first outcome (G4) |
//!
//! Nothing is concluded from silence: see [`ProposeError`].
//!
//! A draft gets its deadline here, in log time, before it leaves (ADR 9). Should the log refuse it as untimely, this node's idea
//! of log time was wrong; the log has just set it right. If that was the only copy that can have been written, a fresh draft
//! takes its place; else nobody knows what the others came to.

use crate::{
    Shared,
    peers::CallError,
    wire::{Answer, Request},
    write::Written,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use quorate_raft::{Command, Draft, Outcome, Owners, ProposalId, Refusal, limits::MAX_DRAFT_BYTES};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};

/// Most drafts and bytes that travel together.
pub(crate) const BATCH_DRAFTS: usize = 512;
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Batches on their way at once.
const PIPELINE: usize = 4;

/// How long a leader may take for one forwarded batch before it is sent again.
const FORWARD: Duration = Duration::from_secs(2);

/// First pause before a batch is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How often a proposal is made anew because log time was reckoned wrong. Once suffices, unless the leader changes meanwhile.
const RECKONINGS: usize = 3;

/// Why a proposal brought no outcome. Refusals are outcomes, not errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Turned away before it left this process: too many are on their way, or the node is shutting down. It can never
    /// commit. The caller may come again later.
    #[error("too many proposals are on their way")]
    Overloaded,
    /// Larger than any draft may be. It can never commit, and trying again will not help.
    #[error("the proposal is too large")]
    TooLarge,
    /// No leader took it in time. It can never commit. The caller may come again later.
    #[error("the cluster has no quorum")]
    NoQuorum,
    /// Written, or perhaps written, and nothing came back. It may still commit: never conclude that nothing happened.
    #[error("the outcome is not known")]
    Unknown,
}

type Result<T> = std::result::Result<T, ProposeError>;

/// A draft that waits for its outcome.
pub(crate) struct Waiting {
    draft: Draft,
    bytes: usize,
    since: Instant,
    caller: Caller,
}

/// Who waits, and the room it takes until it is answered.
struct Caller {
    answer: oneshot::Sender<Result<Outcome>>,
    _room: OwnedSemaphorePermit,
}

/// The door: bounds what is on its way.
pub(crate) struct Proposals {
    queue: mpsc::UnboundedSender<Waiting>, // bounded by `room`
    room: Arc<Semaphore>,
    capacity: u32,
}

impl Proposals {
    /// A door with room for `capacity` proposals, and the queue behind it.
    pub fn new(capacity: usize) -> (Self, mpsc::UnboundedReceiver<Waiting>) {
        let (queue, waiting) = mpsc::unbounded_channel();
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX).max(1);
        let room = Arc::new(Semaphore::new(capacity as usize));
        (Self { queue, room, capacity }, waiting)
    }

    async fn submit(&self, draft: Draft) -> Result<Outcome> {
        let room = self.room.clone().try_acquire_owned().map_err(|_| ProposeError::Overloaded)?;
        let bytes = crate::wire::encoded_len(&draft).map_err(|_| ProposeError::TooLarge)?;
        if bytes > MAX_DRAFT_BYTES {
            return Err(ProposeError::TooLarge);
        }
        let (answer, outcome) = oneshot::channel();
        let waiting = Waiting { draft, bytes, since: Instant::now(), caller: Caller { answer, _room: room } };
        self.queue.send(waiting).map_err(|_| ProposeError::Overloaded)?;
        outcome.await.unwrap_or(Err(ProposeError::Unknown))
    }

    /// Turns away whoever comes from now on, and waits until everybody inside has an answer.
    pub async fn drain(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.room.acquire_many(self.capacity)).await;
        self.room.close();
    }
}

impl<O: Owners> Shared<O> {
    /// Proposes `command` under a fresh id and waits until it is applied here.
    pub async fn propose(&self, command: Command) -> Result<Outcome> {
        for _ in 0..RECKONINGS {
            match self.propose_draft(self.draft(command.clone())).await {
                Ok(Outcome::Refused(Refusal::Untimely)) => {
                    let (clock, applied) = ((self.settings.clock)(), self.applied.borrow().at);
                    tracing::debug!(?clock, log = ?applied, "log time is not what this node took it to be");
                    self.reckoning.correct(clock, applied);
                }
                answer => return answer,
            }
        }
        Err(ProposeError::Unknown)
    }

    /// A new draft, with a fresh id and a deadline.
    pub fn draft(&self, command: Command) -> Draft {
        let deadline = self.reckoning.deadline((self.settings.clock)(), self.applied.borrow().at);
        Draft { id: ProposalId((self.settings.random)()), deadline, command }
    }

    /// The same for a draft that has its id and deadline already.
    pub async fn propose_draft(&self, draft: Draft) -> Result<Outcome> {
        self.proposals.submit(draft).await
    }

    /// Hands drafts to the leader `to`.
    async fn forward(&self, to: u64, drafts: &Arc<Vec<Draft>>) -> Written {
        let Some(peer) = self.peers.get(to) else { return Written::NotLeader(None) };
        match peer.control.call(&Request::Propose(drafts.clone()), FORWARD).await {
            Ok(Answer::Proposed { index, outcomes }) if outcomes.len() == drafts.len() => {
                Written::Done { index, outcomes }
            }
            Ok(Answer::NotLeader(leader)) => Written::NotLeader(leader),
            Ok(Answer::Refused(_)) | Err(CallError::NotSent(_)) => Written::NotLeader(None),
            Ok(_) | Err(CallError::Lost | CallError::Late) => Written::Unknown,
        }
    }

    /// One try. Given up when the leader changes, because then nobody may be left who would answer.
    async fn attempt(&self, drafts: &Arc<Vec<Draft>>, bytes: usize) -> Written {
        let mut leader = self.leader.clone();
        let Some(at) = *leader.borrow_and_update() else { return Written::NotLeader(None) };
        let written = async {
            if at == self.settings.node_id {
                self.write(drafts.to_vec(), bytes).await
            } else {
                self.forward(at, drafts).await
            }
        };
        tokio::select! {
            written = written => written,
            _ = leader.wait_for(|now| *now != Some(at)) => Written::Unknown,
        }
    }

    /// Sees one batch through.
    async fn carry(self: Arc<Self>, drafts: Vec<Draft>, bytes: usize, callers: Vec<Caller>, deadline: Instant) {
        let drafts = Arc::new(drafts);
        let (mut perhaps_written, mut pause) = (false, FIRST_PAUSE);
        loop {
            let attempt = timeout_at(deadline, self.attempt(&drafts, bytes)).await;
            match attempt {
                Ok(Written::Done { index, outcomes }) => {
                    // The outcome stands, whether or not this node keeps up.
                    let _ = timeout_at(deadline, self.applied(index)).await;
                    for (caller, outcome) in callers.into_iter().zip(outcomes) {
                        let answer = match outcome {
                            // This copy had no effect; an earlier one may have had.
                            Outcome::Refused(Refusal::Untimely) if perhaps_written => Err(ProposeError::Unknown),
                            outcome => Ok(outcome),
                        };
                        let _ = caller.answer.send(answer); // the caller may have gone
                    }
                    return;
                }
                Ok(Written::NotLeader(_)) => {}
                Ok(Written::Unknown) | Err(_) => perhaps_written = true,
            }
            if Instant::now() + pause >= deadline {
                let error = if perhaps_written { ProposeError::Unknown } else { ProposeError::NoQuorum };
                callers.into_iter().for_each(|caller| drop(caller.answer.send(Err(error))));
                return;
            }
            self.settle(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A pause that ends early when a leader appears.
    pub async fn settle(&self, pause: Duration) {
        let mut leader = self.leader.clone();
        let unknown = leader.borrow_and_update().is_none();
        tokio::select! {
            () = sleep(pause) => {}
            _ = leader.changed(), if unknown => {}
        }
    }

    /// Waits until this node has applied the entry at `index`.
    pub async fn applied(&self, index: u64) {
        let mut applied = self.applied.clone();
        let _ = applied.wait_for(|applied| applied.index() >= Some(index)).await; // closed: the node is stopping
    }
}

/// Takes what waits, as much as may travel together, and sees it through; several batches at a time.
pub(crate) async fn run<O: Owners>(shared: Arc<Shared<O>>, mut queue: mpsc::UnboundedReceiver<Waiting>) {
    let mut on_their_way = FuturesUnordered::new();
    let mut waiting = Vec::with_capacity(BATCH_DRAFTS);
    loop {
        tokio::select! {
            Some(()) = on_their_way.next() => {}
            taken = queue.recv_many(&mut waiting, BATCH_DRAFTS), if on_their_way.len() < PIPELINE => {
                if taken == 0 {
                    return;
                }
                let mut rest = waiting.drain(..).peekable();
                while let Some(oldest) = rest.peek().map(|first| first.since) {
                    let (mut drafts, mut callers, mut bytes) = (Vec::new(), Vec::new(), 0);
                    while let Some(next) = rest.next_if(|next| drafts.is_empty() || bytes + next.bytes <= BATCH_BYTES) {
                        bytes += next.bytes;
                        drafts.push(next.draft);
                        callers.push(next.caller);
                    }
                    on_their_way.push(shared.clone().carry(drafts, bytes, callers, oldest + shared.settings.timing.propose));
                }
            }
        }
    }
}
