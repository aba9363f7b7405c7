//! Times and sizes: how fast the cluster notices, and how much it takes on.

use std::time::Duration;

use super::reader::Reader;
use quorate_raft::Span;

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

/// How many attempts to prove who one is may fail, and what then. See [`crate::attempts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLimits {
    /// For one account from one address; 0 for any number.
    pub per_account_and_address: u32,
    /// From one address; 0 for any number.
    pub per_address: u32,
    /// For one user from wherever; 0 for any number.
    pub per_account: u32,
    /// Over which time failures from one address are added up.
    pub window: Span,
    /// Over which time those from wherever are.
    pub account_window: Span,
    /// How long nothing is let through at the limit.
    pub pause: Span,
}

/// As [`settings`](super::settings) has it.
impl Default for AttemptLimits {
    fn default() -> Self {
        Self {
            per_account_and_address: 5,
            per_address: 100,
            per_account: 100,
            window: Span::from_secs(300),
            account_window: Span::from_secs(3600),
            pause: Span::from_secs(300),
        }
    }
}

impl AttemptLimits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut count = |key| Some(u32::try_from(reader.number(key, 0..=1_000_000)?).unwrap_or(u32::MAX));
        let pair = count("attempts.per_account_and_address");
        let address = count("attempts.per_address");
        let account = count("attempts.per_account");
        let mut seconds = |key| reader.number(key, 1..=86_400).map(Span::from_secs);
        let window = seconds("attempts.window_seconds");
        let account_window = seconds("attempts.account_window_seconds");
        let pause = seconds("attempts.pause_seconds");
        Some(Self {
            per_account_and_address: pair?,
            per_address: address?,
            per_account: account?,
            window: window?,
            account_window: account_window?,
            pause: pause?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::find;

    #[test]
    fn what_the_settings_say_is_what_holds_without_them() {
        let said = |key: &str| find(key).and_then(|setting| setting.default?.parse::<u64>().ok()).expect(key);
        let AttemptLimits { per_account_and_address, per_address, per_account, window, account_window, pause } =
            AttemptLimits::default();
        assert_eq!(u64::from(per_account_and_address), said("attempts.per_account_and_address"));
        assert_eq!(u64::from(per_address), said("attempts.per_address"));
        assert_eq!(u64::from(per_account), said("attempts.per_account"));
        assert_eq!(window, Span::from_secs(said("attempts.window_seconds")));
        assert_eq!(account_window, Span::from_secs(said("attempts.account_window_seconds")));
        assert_eq!(pause, Span::from_secs(said("attempts.pause_seconds")));
    }
}
