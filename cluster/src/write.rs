//! The leader's side of a proposal: one entry at a time takes along everything that came in the meantime, from whichever node.
//!
//! An entry costs every node a flush, a dozen task switches and two messages, whatever is in it. Followers send their batches
//! at times of their own; written one by one they would be three times as many entries as there are rounds. So one entry is
//! under way at a time, and while there is a crowd, none follows sooner than [`PACE`]: with all cores busy, work that is saved
//! is worth more than the wait. Who is alone, or comes after a pause, waits for nobody.

use crate::{
    Shared,
    propose::{BATCH_BYTES, BATCH_DRAFTS},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use openraft::errors::{ClientWriteError, RaftError};
use quorate_raft::{Batch, Draft, Outcome, Owners};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

/// From one entry to the next, while there is a crowd.
const PACE: Duration = Duration::from_micros(2000);

/// So many drafts in one entry are a crowd.
const CROWD: usize = 8;

/// An entry that takes longer waits for a quorum; what comes after it no longer waits for the entry.
const STUCK: Duration = Duration::from_millis(50);

/// An entry that takes longer may still be committed, but nobody waits for it.
const COMMIT: Duration = Duration::from_secs(5);

/// What became of drafts that the leader was asked to write.
#[derive(Clone)]
pub(crate) enum Written {
    /// Committed and applied there.
    Done { index: u64, outcomes: Vec<Outcome> },
    /// Certainly not written.
    NotLeader(Option<u64>),
    /// Perhaps written.
    Unknown,
}

/// Drafts that travel together, and who waits for their outcomes.
pub(crate) struct Submission {
    drafts: Vec<Draft>,
    bytes: usize,
    answer: oneshot::Sender<Written>,
}

/// The queue in front of the log. What waits in it is bounded by those who wait: each node bounds its proposals, and each
/// connection its requests.
pub(crate) type Pen = mpsc::UnboundedSender<Submission>;

impl<O: Owners> Shared<O> {
    /// Stamps and writes, if this node leads. `bytes` is the encoded size of `drafts`. A caller that goes away takes back
    /// what is not under way yet.
    pub async fn write(&self, drafts: Vec<Draft>, bytes: usize) -> Written {
        let (answer, written) = oneshot::channel();
        match self.pen.send(Submission { drafts, bytes, answer }) {
            Ok(()) => written.await.unwrap_or(Written::Unknown),
            Err(_) => Written::NotLeader(None), // stopping
        }
    }

    /// Writes one entry and tells everybody what became of it.
    async fn write_entry(&self, taken: Vec<Submission>) {
        let (mut drafts, mut waiting) = (Vec::new(), Vec::with_capacity(taken.len()));
        for submission in taken {
            waiting.push((submission.drafts.len(), submission.answer));
            drafts.extend(submission.drafts);
        }
        let expected = drafts.len();
        let batch = Batch { at: (self.settings.clock)(), drafts };
        let failed = match timeout(COMMIT, self.raft.client_write(batch)).await {
            Ok(Ok(response)) if response.data.0.len() == expected => {
                let index = response.log_id.index;
                let mut outcomes = response.data.0.into_iter();
                for (count, answer) in waiting {
                    let outcomes = outcomes.by_ref().take(count).collect();
                    let _ = answer.send(Written::Done { index, outcomes }); // the caller may have gone
                }
                return;
            }
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
                Written::NotLeader(forward.leader_id)
            }
            Ok(Ok(_) | Err(_)) | Err(_) => Written::Unknown,
        };
        for (_, answer) in waiting {
            let _ = answer.send(failed.clone());
        }
    }
}

/// Writes what is submitted, as much as may travel together at a time.
pub(crate) async fn run<O: Owners>(shared: Arc<Shared<O>>, mut queue: mpsc::UnboundedReceiver<Submission>) {
    let mut under_way = FuturesUnordered::new();
    let mut left_over = None;
    loop {
        let first = match left_over.take() {
            Some(submission) => submission,
            None => tokio::select! {
                Some(()) = under_way.next() => continue,
                submission = queue.recv() => match submission {
                    Some(submission) => submission,
                    None => return,
                },
            },
        };
        let (taken, drafts);
        (taken, drafts, left_over) = gather(first, &mut queue);
        if drafts == 0 {
            continue;
        }
        let begun = Instant::now();
        under_way.push(shared.write_entry(taken));
        while !under_way.is_empty() {
            tokio::select! {
                Some(()) = under_way.next() => {}
                () = sleep_until(begun + STUCK) => break,
            }
        }
        if drafts >= CROWD {
            sleep_until(begun + PACE).await;
        }
    }
}

/// `first` and what waits behind it, as much as one entry may hold, the number of drafts, and one submission that was too
/// much. Whoever has given up meanwhile is left out.
fn gather(
    first: Submission,
    queue: &mut mpsc::UnboundedReceiver<Submission>,
) -> (Vec<Submission>, usize, Option<Submission>) {
    let (mut taken, mut drafts, mut bytes) = (Vec::new(), 0, 0);
    let mut next = Some(first);
    while let Some(submission) = next {
        if !submission.answer.is_closed() {
            let (more, size) = (drafts + submission.drafts.len(), bytes + submission.bytes);
            if !taken.is_empty() && (more > BATCH_DRAFTS || size > BATCH_BYTES) {
                return (taken, drafts, Some(submission));
            }
            (drafts, bytes) = (more, size);
            taken.push(submission);
        }
        next = queue.try_recv().ok();
    }
    (taken, drafts, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_raft::{Command, ProposalId, Stamp};

    fn submission(count: usize, bytes: usize) -> (Submission, oneshot::Receiver<Written>) {
        let (answer, written) = oneshot::channel();
        let drafts = (0..count)
            .map(|n| Draft { id: ProposalId(n as u128), deadline: Stamp(1), command: Command::Tick })
            .collect();
        (Submission { drafts, bytes, answer }, written)
    }

    /// What one entry takes of `waiting`, each its number of drafts and bytes, and how much is left.
    fn taken(waiting: &[(usize, usize)]) -> (usize, usize, Option<usize>, usize) {
        let (pen, mut queue) = mpsc::unbounded_channel();
        let mut callers = Vec::new();
        for &(count, bytes) in waiting {
            let (submission, caller) = submission(count, bytes);
            callers.push(caller);
            assert!(pen.send(submission).is_ok());
        }
        let first = queue.try_recv().expect("something waits");
        let (taken, drafts, left_over) = gather(first, &mut queue);
        (taken.len(), drafts, left_over.map(|submission| submission.drafts.len()), queue.len())
    }

    #[test]
    fn an_entry_takes_whoever_waits_up_to_its_bounds() {
        assert_eq!(taken(&[(1, 10)]), (1, 1, None, 0));
        assert_eq!(taken(&[(1, 10), (20, 200), (3, 30)]), (3, 24, None, 0));
        assert_eq!(taken(&[(BATCH_DRAFTS - 1, 10), (1, 10), (1, 10)]), (2, BATCH_DRAFTS, Some(1), 0));
        assert_eq!(taken(&[(1, BATCH_BYTES), (2, 1), (3, 1)]), (1, 1, Some(2), 1));
        // One that is too large for company goes alone.
        assert_eq!(taken(&[(1, BATCH_BYTES + 1), (2, 1)]), (1, 1, Some(2), 0));
    }

    #[test]
    fn who_has_given_up_is_not_written() {
        let (pen, mut queue) = mpsc::unbounded_channel();
        let (first, gone) = submission(1, 10);
        drop(gone);
        let (second, _waits) = submission(2, 10);
        let (third, also_gone) = submission(4, 10);
        drop(also_gone);
        for submission in [second, third] {
            assert!(pen.send(submission).is_ok());
        }
        let (taken, drafts, left_over) = gather(first, &mut queue);
        assert_eq!((taken.len(), drafts, left_over.is_none()), (1, 2, true));
    }
}
