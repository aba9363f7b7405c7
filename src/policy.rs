//! The policy engine of the authorization service: who may do what to which resource. A pure library:
//! it knows no HTTP, no actors, no store, no clock; whatever it decides, it decides from its arguments.
//!
//! Read [`resource`] (what policies and requests speak about), [`subject`] (who asks), [`condition`]
//! (under which circumstances), [`model`] (what administrators write), [`decide`] (the answer).
//!
//! | authorization reference              | here                                        |
//! |--------------------------------------|---------------------------------------------|
//! | §2.2, §2.3, §2.4 objects and checks  | [`model`]                                   |
//! | §2.7 catalogues of types             | [`catalogue`]                               |
//! | §2.6 evaluate on the wire            | [`evaluate`], [`decide::Decision::row`] |
//! | §2.10 errors                         | [`error`]                                   |
//! | §3 subject types                     | [`subject`]                                 |
//! | §4 environment conditions            | [`condition`]; what they see: [`circumstances`] |
//! | §5 the resource language             | [`resource`]                                |
//! | §6 evaluation                        | [`decide`]; its index in `index`            |
//! | §6.4 errors inside a policy          | [`fault`]                                   |
//! | §6.8 `evaluateTree`                  | [`tree`]                                    |
//! | beyond the reference: why            | [`explain`], [`trace`]                      |
//! | §8.3 scopes that name their audience | [`audience`]                                |
//!
//! | id  | invariant                                                             | held by                     |
//! |-----|-----------------------------------------------------------------------|-----------------------------|
//! | P-1 | what cannot be decided does not grant, not even negated               | [`fault`]: a third answer   |
//! | P-2 | the order and history of policies do not change a decision            | `tests/agreement.rs`        |
//! | P-3 | the index leaves out only what would not have contributed             | `tests/agreement.rs`        |
//! | P-4 | nothing that narrows a policy is accepted and then ignored            | [`model`], [`condition`]    |
//! | P-5 | a comparison takes linear time, whatever is compared                  | [`resource`], `tests/hostile.rs` |
//! | P-6 | an explanation says what the decision says                            | [`trace`], `tests/agreement.rs`  |
//! | P-7 | a reader keeps the set it has, whatever is changed meanwhile          | `trie`, `tests/agreement.rs`     |

pub mod audience;
pub mod budget;
pub mod catalogue;
pub mod circumstances;
pub mod condition;
pub mod decide;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod fault;
mod index;
mod members;
pub mod model;
pub mod resource;
pub mod subject;
pub mod trace;
pub mod tree;
mod trie;

pub use decide::PolicySetIndex;
pub use error::Error;
pub use index::SetVersion;

#[cfg(test)]
mod tests;
