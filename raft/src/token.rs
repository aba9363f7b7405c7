//! Bearer secrets as the log knows them: hashes, never the secret (G5, R-3).

use serde::{Deserialize, Serialize};
use std::fmt;

/// SHA-256 of a handle, prefixed with its kind before hashing so that kinds have separate key spaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    /// Four bytes are enough to follow a token through a trace and too few to be of use to anybody else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "TokenHash({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// A PKCE challenge in its one stored form: SHA-256 of the verifier (RFC 7636 §4.2). For method `plain` the challenge
/// itself is hashed when it arrives, so that both methods compare alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Challenge(pub [u8; 32]);
