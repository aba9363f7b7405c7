//! Real processes that are killed, paused, cut short of disk and stopped: what was acknowledged must hold (G1–G4, G7).
//!
//! | file       | what happens                                                        |
//! |------------|---------------------------------------------------------------------|
//! | `administration` | two administrators at once; nodes lost between their writes   |
//! | `faults`   | leader, follower, all nodes killed; nodes paused; quorum lost; disk full |
//! | `inheritance` | one write about many clients, or about all tokens                |
//! | `lifecycle`| graceful stop, second start on the same data, restart                |
//! | `sessions` | sessions, quotas and failed attempts, told to one node, asked of another |
//! | `journeys` | steps of one journey on different nodes, replays, a leader that dies  |
//! | `chaos`    | random faults under random load; the history is checked              |

#[path = "../harness/mod.rs"]
mod harness;

mod administration;
mod chaos;
mod faults;
mod inheritance;
mod journeys;
mod lifecycle;
mod sessions;
