//! What the tests of the replicated state share: a replica, and short ways to write commands down.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod model;
pub mod replica;
pub mod words;
