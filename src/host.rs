//! The host's clock and dice. Everything above `cluster/` that needs either takes them from here; nothing below may.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use quorate_raft::Stamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of this node, for what is not replicated: JWT `iat`, cookies, logs. Milliseconds since the epoch.
pub fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
pub fn fill_random(bytes: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "no token, key or id may be made without randomness")]
    SystemRandom::new().fill(bytes).expect("the operating system's random generator works");
}

/// `N` random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// A random 128-bit id.
pub fn random_id() -> u128 {
    u128::from_be_bytes(random())
}
