//! Times and sizes: how fast the cluster notices, and how much it takes on.

use std::time::Duration;

use super::reader::Reader;

/// Raft's clock. Checked: `election_min` is more than twice `heartbeat`, `election_max` is more
/// than `election_min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaftTiming {
    /// Between two heartbeats.
    pub heartbeat: Duration,
    /// Shortest silence before an election.
    pub election_min: Duration,
    /// Longest silence before an election.
    pub election_max: Duration,
}

impl RaftTiming {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let heartbeat = reader.number("raft.heartbeat_ms", 1..=60_000);
        let min = reader.number("raft.election_timeout_min_ms", 1..=600_000);
        let max = reader.number("raft.election_timeout_max_ms", 1..=600_000);
        let mut fine = true;
        if let (Some(heartbeat), Some(min)) = (heartbeat, min)
            && min < heartbeat * 3
        {
            reader.reject("raft.heartbeat_ms", "must be at most a third of `raft.election_timeout_min_ms`");
            fine = false;
        }
        if let (Some(min), Some(max)) = (min, max)
            && max <= min
        {
            reader.reject("raft.election_timeout_max_ms", "must be over `raft.election_timeout_min_ms`");
            fine = false;
        }
        let (heartbeat, min, max) = (heartbeat?, min?, max?);
        fine.then_some(Self {
            heartbeat: Duration::from_millis(heartbeat),
            election_min: Duration::from_millis(min),
            election_max: Duration::from_millis(max),
        })
    }
}

/// What one request, and all of them together, may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Changes that may wait for the cluster at once; more are answered 503.
    pub max_inflight_proposals: usize,
    /// Largest form body, bytes.
    pub form_bytes: usize,
    /// Largest JSON body, bytes.
    pub json_bytes: usize,
    /// Time for a client to send its request head.
    pub request_head: Duration,
}

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let proposals = reader.number("limits.max_inflight_proposals", 1..=1_000_000);
        let form = reader.number("limits.form_bytes", 1024..=16 << 20);
        let json = reader.number("limits.json_bytes", 1024..=64 << 20);
        let head = reader.number("limits.request_head_ms", 100..=600_000);
        Some(Self {
            max_inflight_proposals: usize::try_from(proposals?).ok()?,
            form_bytes: usize::try_from(form?).ok()?,
            json_bytes: usize::try_from(json?).ok()?,
            request_head: Duration::from_millis(head?),
        })
    }
}
