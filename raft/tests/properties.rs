//! What must be true of any sequence of commands. See the invariants (`R-…`) of the crate and `scripts/` for stories.

mod support;

use quorate_raft::{Batch, Command, Draft, ProposalId, Span, Stamp};
use support::{replica::Replica, words};

/// R-7, G8: a thousand users have come and gone, and nothing of them is held: no index, no cache.
#[test]
fn what_has_expired_leaves_nothing_behind() {
    let mut replica = Replica::default();
    let drafts = (0..1000).map(|n| {
        let command = words::issue(&format!("a{n}"), &words::alpha(), &format!("client{n}"), Span::from_secs(10));
        Draft { id: ProposalId(n), command }
    });
    let drafts = drafts.collect();
    replica.apply(Batch { at: Stamp(0), drafts });
    let drafts = vec![Draft { id: ProposalId(9999), command: Command::Tick }];
    replica.apply(Batch { at: Stamp(10_000), drafts: drafts.clone() });

    let mut fresh = Replica::default();
    fresh.apply(Batch { at: Stamp(10_000), drafts });
    assert_eq!(replica.state, fresh.state);
}
