//! Placeholder until the engine lands.
/// Compiled set.
#[derive(Debug)]
pub struct PolicySetIndex;
