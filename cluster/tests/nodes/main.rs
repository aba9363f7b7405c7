//! Three real nodes at a time: what they promise while all is well, and while it is not.

mod backup;
mod failover;
mod harness;
mod membership;
mod security;
mod together;
