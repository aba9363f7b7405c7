//! Everything that must come out the same on every node: no clock, no dice, no HTTP, no actors.
//!
//! Read `ids`, `token`, `time` (nouns), `command` (verbs), `grant_sets`, `blacklist`, `sessions`, `attempts`,
//! `transactions`, `documents` (their effect), `state` (all of it together), `owners` (who holds it), `store` (openraft and sled).
//!
//! | id  | invariant                                                | held by                              |
//! |-----|----------------------------------------------------------|--------------------------------------|
//! | R-1 | same log, same state, wherever a replica restarted       | `tests/properties.rs`                |
//! | R-2 | replicated time never runs backwards                     | `owners::Clock`, `tests/properties.rs` |
//! | R-3 | a bearer secret enters a command only as its hash        | `TokenHash`, the only token type     |
//! | R-4 | command tags only ever grow, encodings never change      | `tests/pins.rs`                      |
//! | R-5 | a snapshot's position and state are taken together       | `store::machine`                     |
//! | R-6 | a retried proposal gets its first answer, not a second   | `tests/scripts/*.txt`                |
//! | R-7 | what has expired is gone: state is a function of the live | `tests/properties.rs`                |
//! | R-8 | no copy of a proposal has an effect once what came of it is forgotten | `owners::split`, `tests/properties.rs` |

pub mod attempts;
pub mod blacklist;
pub mod buckets;
pub mod codec;
pub mod command;
pub mod documents;
pub mod grant_sets;
pub mod ids;
pub mod limits;
pub mod live_tokens;
pub mod owners;
pub mod sessions;
pub mod state;
pub mod store;
pub mod time;
pub mod token;
pub mod transactions;

pub use attempts::Attempts;
pub use blacklist::Blacklist;
pub use command::{Batch, Command, Draft, Outcome, Refusal};
pub use documents::{Document, DocumentKey, Documents, Kind, Precondition, Write};
pub use grant_sets::{AccessToken, GrantSets};
pub use ids::{ClientId, GrantId, OwnerId, ProposalId, RealmPath, Seq};
pub use live_tokens::{ByHash, LiveTokens, TokenId};
pub use owners::{Committed, Owned, Owners};
pub use sessions::{Session, SessionData, Sessions};
pub use state::{Frozen, State};
pub use time::{Span, Stamp};
pub use token::{Challenge, TokenHash};
pub use transactions::Transactions;
