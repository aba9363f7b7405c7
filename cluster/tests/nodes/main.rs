//! Three real nodes at a time: what they promise while all is well, and while it is not.

mod failover;
mod harness;
mod membership;
mod security;
mod together;
