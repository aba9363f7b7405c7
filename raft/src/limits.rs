//! Bounds that all replicas share. Changing one changes the state machine: it needs a new format version (G10).

/// Shards of grant sets. A handle's routing hint is taken modulo this.
pub const SHARDS: u8 = 8;

/// Most drafts in one log entry; also the room in a [`Seq`](crate::Seq) for the position inside an entry.
pub const MAX_BATCH: usize = 4096;

/// Most bytes of one encoded draft. A larger one is turned away before it is proposed.
pub const MAX_DRAFT_BYTES: usize = 2 << 20;

/// Most bytes of one encoded entry, peer message or snapshot part that a decoder accepts.
pub const MAX_DECODE_BYTES: usize = 64 << 20;

/// Live access tokens and codes of one shard; beyond it an issue is refused (`Full`) rather than the node lost.
pub const MAX_LIVE_PER_SHARD: usize = 8 << 20;

/// Live sessions of the cluster.
pub const MAX_SESSIONS: usize = 8 << 20;

/// Bytes of all names and values of a session's properties.
pub const MAX_PROPERTY_BYTES: usize = 16 << 10;

/// Counters of failed attempts; beyond it the one that matters least is given up.
pub const MAX_ATTEMPTS: usize = 1 << 17;

/// Keys under which one attempt is counted, cleared or held up.
pub const MAX_COUNTS: usize = 4;

/// Transactions of the cluster.
pub const MAX_TRANSACTIONS: usize = 1 << 16;

/// Transactions of one subject; one more takes the place of the oldest of them.
pub const MAX_TRANSACTIONS_OF: usize = 64;

/// Bytes of a transaction's strategy and of what specifies it, together.
pub const MAX_STRATEGY_BYTES: usize = 512;

/// Document proposals whose answers are remembered for retries; beyond it a proposal is refused (`Full`), for what is
/// remembered must not be forgotten early. Two thousand a second, without end.
pub const MAX_ANSWERS: usize = 1 << 18;

/// Longest life of an authorization code, seconds (RFC 6749 §4.1.2 recommends ten minutes at most). One that was to live
/// longer is cut.
pub const MAX_CODE_SECS: u64 = 600;

/// How long an expired code is still known, so that whoever comes late hears why (milliseconds).
pub const CODE_MARGIN_MS: u64 = 60_000;

/// Longest time (milliseconds of log time) from the entry in which a draft has its effect to its deadline. What came of a
/// draft is remembered that long: no copy of it can have an effect after that (G3, G4; ADR 9).
pub const DRAFT_WINDOW_MS: u64 = 120_000;

const _: () =
    assert!(DRAFT_WINDOW_MS <= MAX_CODE_SECS * 1000, "a revoked grant is marked until no draft of it can be left");
const _: () = assert!(MAX_BATCH <= 1 << 16, "a Seq has 16 bits for the position inside an entry");
const _: () = assert!(SHARDS.is_power_of_two());
