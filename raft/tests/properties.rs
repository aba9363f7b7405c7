//! What must be true of any sequence of commands. See the invariants (`R-…`) of the crate, and `scripts/` for stories.
//!
//! | property                                                     | holds                                 |
//! |--------------------------------------------------------------|---------------------------------------|
//! | R-1, G9 a snapshot is the state, and its bytes are the same   | `replicas_agree`                      |
//! | R-2, G6 a clock that runs backwards changes nothing           | `time_never_runs_backwards`           |
//! | R-7, G8 what has expired leaves nothing behind                | `the_dead_leave_nothing_behind`       |
//! | G4 a code buys one token                                      | `a_code_buys_one_token`               |
//! | G3, G4 what was revoked or has expired is never there again   | `the_dead_stay_dead`                  |
//! | grant sets do what their rules say, indexes or not            | `grant_sets_agree_with_plain_maps`    |
//! | sessions likewise; a subject never has more than its quota     | `sessions_agree_with_a_plain_map`     |
//! | nobody fails more often than the limit before the pause        | `nobody_guesses_more_often_than_the_limit` |
//! | a transaction is used once, after its other steps, in its time | `a_transaction_is_used_once`         |
//! | documents likewise; all writes of a proposal happen, or none  | `documents_agree_with_a_plain_map`    |

mod support;

use proptest::{collection::vec, prelude::*, sample::select};
use quorate_raft::{
    Batch, Command, DocumentKey, Draft, Kind, Outcome, ProposalId, RealmPath, Refusal, Span, Stamp, State, TokenHash,
    attempts::Counter,
    documents::{Change, Precondition, RemoveRealm, Write, WriteDocuments},
    grant_sets::{Purchase, RedeemCode},
    limits::{DRAFT_WINDOW_MS, MAX_ATTEMPTS, MAX_TRANSACTIONS_OF},
    sessions::{DestroySession, DestroySessionsOf, Exceeded, Quota, TouchSession},
    transactions::{Step, Transact},
};
use std::collections::{BTreeMap, BTreeSet};
use support::{
    model::{PlainDocuments, PlainGrants, PlainSessions},
    replica::Replica,
    words,
};

/// A log: entries with the leader's clock and what travelled together.
type Log = Vec<Batch>;

fn client() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("web"), 1 => Just("evil")]
}

fn realm() -> impl Strategy<Value = RealmPath> {
    prop_oneof![6 => Just(words::alpha()), 1 => Just(RealmPath::from("/beta"))]
}

/// Lives from none to two minutes.
fn span() -> impl Strategy<Value = Span> {
    (0..120_000u64).prop_map(Span)
}

fn redirect() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![6 => Just(None), 1 => Just(Some("https://registered")), 1 => Just(Some("https://other"))]
}

fn pkce() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![6 => Just(None), 2 => Just(Some("v1")), 1 => Just(Some("v2"))]
}

/// Anything about grants. Few names, so that commands meet: four tokens, three codes with four buyers each, two families.
fn grant_command() -> impl Strategy<Value = Command> {
    let token =
        || prop_oneof![(0..4u8).prop_map(|n| format!("a{n}")), (0..3u8, 0..4u8).prop_map(|(c, n)| bought(c, n))];
    prop_oneof![
        3 => (0..4u8, realm(), client(), span())
            .prop_map(|(n, realm, client, ttl)| words::issue(&format!("a{n}"), &realm, client, ttl)),
        3 => (0..3u8, realm(), client(), redirect(), pkce(), span()).prop_map(|(n, realm, client, redirect, pkce, ttl)| {
            let family = format!("g{}", n % 2);
            let ttl = Span(8 * ttl.0); // some longer than they may be
            words::code(&format!("c{n}"), words::authorization(&family, &realm, client, redirect, pkce), ttl)
        }),
        6 => (0..3u8, 0..4u8, realm(), client(), redirect(), pkce(), span()).prop_map(
            |(code, buyer, realm, client, redirect, pkce, ttl)| {
                let name = bought(code, buyer);
                let purchase = match buyer {
                    0 => Purchase::ClientBased { jti: words::hash(&name), ttl },
                    _ => Purchase::Opaque(words::new_access(&name, &realm, client, "demo", ttl)),
                };
                words::redeem(&format!("c{code}"), &realm, client, redirect, pkce, purchase)
            }
        ),
        3 => (token(), realm(), client()).prop_map(|(name, realm, client)| words::revoke(&name, &realm, client)),
        1 => (select(vec!["g0", "g1", "a0", "a1"]), 0..2_000_000u64)
            .prop_map(|(grant, until)| words::revoke_grant(grant, Stamp(until))),
        1 => Just(Command::Tick),
    ]
}

/// What the buyer of a code wants for it.
fn bought(code: u8, buyer: u8) -> String {
    format!("c{code} for {buyer}")
}

fn other_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => (0..3u8, 0..600_000u64).prop_map(|(n, until)| words::spend(&format!("k{n}"), Stamp(until))),
        2 => (0..3u8, 0..600_000u64).prop_map(|(n, until)| words::blacklist(&format!("j{n}"), Stamp(until))),
        6 => session_command(),
        2 => attempt_command(),
        4 => transaction_command(),
        2 => document_command(),
    ]
}

/// Anything about sessions: few names, two users.
fn session_command() -> impl Strategy<Value = Command> {
    let session = || (0..6u8).prop_map(|n| format!("s{n}"));
    let user = || select(vec!["demo", "other"]);
    let exceeded = select(vec![
        Exceeded::DestroyNextExpiring,
        Exceeded::DestroyOldest,
        Exceeded::DestroyAll,
        Exceeded::DenyAccess,
    ]);
    let quota = prop_oneof![
        1 => Just(None),
        3 => (0..3u32, exceeded).prop_map(|(limit, exceeded)| Some(Quota { limit, exceeded })),
    ];
    let replaces = prop_oneof![3 => Just(None), 1 => session().prop_map(Some)];
    prop_oneof![
        2 => (session(), user(), span(), span())
            .prop_map(|(name, user, max, idle)| words::login(&name, &words::alpha(), user, max, idle)),
        6 => (session(), user(), span(), span(), quota, replaces).prop_map(|(name, user, max, idle, quota, replaces)| {
            words::start(&name, words::session(&words::alpha(), user, max, idle), quota, replaces.as_deref())
        }),
        2 => session().prop_map(|name| Command::TouchSession(TouchSession(words::hash(&name)))),
        2 => session().prop_map(|name| Command::DestroySession(DestroySession(words::hash(&name)))),
        3 => (session(), select(vec!["a=1", "a=2", "a", "b=1", "Locale"]))
            .prop_map(|(name, change)| words::update(&name, &[change])),
        1 => user().prop_map(|user| Command::DestroySessionsOf(DestroySessionsOf(words::user(&words::alpha(), user)))),
    ]
}

fn attempt_command() -> impl Strategy<Value = Command> {
    let key = || (0..3u8).prop_map(|n| format!("k{n}"));
    prop_oneof![
        4 => (key(), 0..4u32, span(), span())
            .prop_map(|(key, limit, window, pause)| words::fail(&key, limit, window, pause)),
        1 => (key(), key()).prop_map(|(key, other)| words::pass(&key, Some(&other))),
    ]
}

/// Anything about transactions: three of them, two sessions, two things to confirm.
fn transaction_command() -> impl Strategy<Value = Command> {
    let step = (0..4u8, select(vec!["s0", "s0", "s0", "s1"]), select(vec!["w0", "w0", "w0", "w1"]), span());
    (0..3u8, step).prop_map(|(n, (step, by, what, life))| {
        let name = format!("t{n}");
        match step {
            0 => words::open(&name, "demo", by, what, life),
            1 => words::transact(&name, Step::Begin(words::hash(by))),
            2 => words::transact(&name, Step::Complete(words::hash(by))),
            _ => words::transact(&name, Step::Use(words::hash(what))),
        }
    })
}

/// Few documents in few realms, which point at each other.
fn document_key() -> impl Strategy<Value = DocumentKey> {
    let realm = select(vec!["/", "/alpha", "/alpha/beta"]);
    let plain = (realm, select(vec![Kind::User, Kind::PolicySet, Kind::Policy]), select(vec!["a", "b"]));
    prop_oneof![
        3 => plain.prop_map(|(realm, kind, id)| DocumentKey::new(&RealmPath::from(realm), kind, id)),
        1 => select(vec!["/alpha", "/alpha/beta", "/Alpha"])
            .prop_map(|path| DocumentKey::new(&RealmPath::root(), Kind::Realm, path)),
    ]
}

fn precondition() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        5 => Just(Precondition::Any),
        1 => Just(Precondition::Absent),
        1 => Just(Precondition::Present),
        1 => (1..30u64).prop_map(|index| Precondition::Revision(quorate_raft::Seq::new(index, 0))),
    ]
}

fn document_write() -> impl Strategy<Value = Write> {
    let change = prop_oneof![
        3 => (vec(document_key(), 0..3), any::<bool>(), 0..9u8)
            .prop_map(|(references, fence, n)| Change::Put { body: vec![n].into(), references, fence }),
        1 => Just(Change::Delete),
        1 => Just(Change::Keep),
    ];
    (document_key(), precondition(), change).prop_map(|(key, when, change)| Write { key, when, change })
}

fn document_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        8 => vec(document_write(), 1..4).prop_map(|writes| Command::WriteDocuments(WriteDocuments(writes))),
        1 => select(vec!["/alpha", "/alpha/beta"]).prop_map(|path| Command::DeleteRealm(RealmPath::from(path))),
        1 => (select(vec!["/alpha", "/alpha/beta"]), precondition()).prop_map(|(path, when)| {
            Command::RemoveRealm(RemoveRealm { realm: RealmPath::from(path), when })
        }),
    ]
}

/// The leader's clock goes on by up to `most` milliseconds, and at times back. Some attempts come more than once, and some
/// too late or too early.
fn log(command: impl Strategy<Value = Command> + 'static, most: i64) -> impl Strategy<Value = Log> {
    let step = prop_oneof![6 => 0..most, 1 => Just(0), 1 => -most..0];
    let deadline = prop_oneof![9 => 1..=DRAFT_WINDOW_MS, 1 => 0..2 * DRAFT_WINDOW_MS];
    let draft = (command, deadline, prop_oneof![9 => any::<u128>(), 1 => 0..4u128]);
    vec((step, vec(draft, 1..4)), 1..60).prop_map(|entries| {
        let mut now = 0i64;
        let mut said: BTreeMap<ProposalId, Draft> = BTreeMap::new();
        let mut latest = 0;
        let entries = entries.into_iter().map(|(step, drafts)| {
            now = (now + step).max(0);
            latest = now.max(latest);
            let drafts = drafts.into_iter().map(|(command, patience, id)| {
                let draft = Draft { id: ProposalId(id), deadline: Stamp(latest.unsigned_abs() + patience), command };
                said.entry(draft.id).or_insert(draft).clone()
            });
            Batch { at: Stamp(now.unsigned_abs()), drafts: drafts.collect() }
        });
        entries.collect()
    })
}

fn everything() -> impl Strategy<Value = Command> {
    prop_oneof![2 => grant_command(), 1 => other_command()]
}

/// Every access token that is in the state.
fn live(state: &State) -> impl Iterator<Item = &TokenHash> {
    state.grants.iter().flat_map(|shard| shard.access().iter().map(|(hash, _)| hash))
}

/// The same log, in which nobody but its first draft makes a handle: handles are random.
fn only_copies(mut log: Log) -> Log {
    let mut makers: BTreeMap<TokenHash, Draft> = BTreeMap::new();
    for draft in log.iter_mut().flat_map(|batch| &mut batch.drafts) {
        let made = match &draft.command {
            Command::IssueAccess(issue) => issue.access.hash,
            Command::CreateSession(create) => create.hash,
            Command::StartSession(start) => start.hash,
            Command::IssueCode(issue) => issue.hash,
            Command::Transact(Transact { hash, step: Step::Open(_) }) => *hash,
            Command::RedeemCode(RedeemCode { purchase: Purchase::Opaque(access), .. }) => access.hash,
            _ => continue,
        };
        *draft = makers.entry(made).or_insert_with(|| draft.clone()).clone();
    }
    log
}

fn tick(at: Stamp) -> Batch {
    Batch { at, drafts: vec![Draft { id: ProposalId(u128::MAX), deadline: at, command: Command::Tick }] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// two replicas that read the same log answer the same and hold the same, wherever one of them restarted from a
    /// snapshot, and write the same snapshot, byte by byte (G9).
    #[test]
    fn replicas_agree(log in log(everything(), 30_000), cuts in vec(0..60usize, 0..3)) {
        let (mut steady, mut restarted) = (Replica::default(), Replica::default());
        for (n, batch) in log.into_iter().enumerate() {
            if cuts.contains(&n) {
                restarted = restarted.through_a_snapshot();
            }
            prop_assert_eq!(steady.apply(batch.clone()), restarted.apply(batch));
        }
        prop_assert_eq!(steady.snapshot(), restarted.snapshot());
        prop_assert_eq!(&steady, &restarted.through_a_snapshot());
        prop_assert_eq!(steady, restarted);
    }

    /// log time never runs backwards, and a leader whose clock is behind does exactly what one would do whose clock
    /// stood at the last stamp.
    #[test]
    fn time_never_runs_backwards(log in log(everything(), 30_000)) {
        let (mut told, mut straight) = (Replica::default(), Replica::default());
        let mut latest = Stamp::default();
        for batch in log {
            latest = latest.max(batch.at);
            prop_assert_eq!(told.apply(batch.clone()), straight.apply(Batch { at: latest, ..batch }));
            prop_assert_eq!(told.clock.now(), latest);
        }
        prop_assert_eq!(told, straight);
    }

    /// when log time has passed every expiry, nothing is left but documents: no token, no index, no template.
    #[test]
    fn the_dead_leave_nothing_behind(log in log(everything(), 30_000)) {
        let mut replica = Replica::default();
        for batch in log {
            replica.apply(batch);
        }
        // The leader ticks when the next thing dies, so that must lead to the end, too.
        while let Some(at) = replica.state.next_death() {
            replica.apply(tick(at));
            prop_assert_ne!(replica.state.next_death(), Some(at), "it was due, and is still there");
        }
        let end = replica.clock.now();
        let mut fresh = Replica::default();
        replica.apply(tick(end));
        fresh.apply(tick(end));
        prop_assert!(replica.state.grants == fresh.state.grants, "grant sets hold something: {:?}", replica.snapshot());
        prop_assert_eq!(replica.state.blacklist, fresh.state.blacklist);
        prop_assert_eq!(replica.state.sessions, fresh.state.sessions);
        prop_assert_eq!(replica.state.attempts, fresh.state.attempts);
        prop_assert_eq!(replica.state.transactions, fresh.state.transactions);
        prop_assert!(replica.state.documents.answers().is_empty());
    }

    /// G4: whoever redeems, how often, in which order: at most one token was ever given for a code, and if two tried to
    /// buy, none is left.
    #[test]
    fn a_code_buys_one_token(
        pkce in pkce(),
        buyers in vec((0..4u8, client(), pkce(), 0..20_000u64), 1..12),
    ) {
        let mut replica = Replica::default();
        let mut attempts = 0..;
        let mut once = |replica: &mut Replica, at, command| {
            let id = ProposalId(attempts.next().unwrap_or_default());
            replica.apply(Batch { at, drafts: vec![Draft { id, deadline: at + Span(1), command }] }).remove(0)
        };
        let authorization = words::authorization("g", &words::alpha(), "web", None, pkce);
        once(&mut replica, Stamp(0), words::code("c", authorization, Span::from_secs(60)));
        let mut sold = None;
        let mut now = Stamp(0);
        for (buyer, client, verifier, later) in buyers {
            now = now + Span(later);
            let name = bought(0, buyer);
            let access = words::new_access(&name, &words::alpha(), client, "demo", Span::from_secs(3600));
            let redeem = words::redeem("c", &words::alpha(), client, None, verifier, Purchase::Opaque(access));
            let outcome = once(&mut replica, now, redeem);
            if let Outcome::Issued { issued, .. } = outcome {
                prop_assert_eq!(client, "web");
                let first = *sold.get_or_insert((buyer, issued));
                prop_assert_eq!((buyer, issued), first, "the code was sold twice");
            }
            if outcome == Outcome::Refused(Refusal::Replayed) {
                prop_assert_eq!(live(&replica.state).count(), 0);
            }
            prop_assert!(live(&replica.state).count() <= 1);
        }
    }

    /// G3, G4: of what one draft makes, no copy makes a second one, however late it comes, and whatever was said in between:
    /// what was answered as revoked, or has expired, is never there again. Also through a restart.
    #[test]
    fn the_dead_stay_dead(log in log(everything(), 30_000), cut in 0..60usize) {
        let mut replica = Replica::default();
        let mut dead: BTreeSet<TokenHash> = BTreeSet::new();
        let mut seen: BTreeSet<TokenHash> = BTreeSet::new();
        let mut listed: BTreeMap<TokenHash, Stamp> = BTreeMap::new();
        for (n, batch) in only_copies(log).into_iter().enumerate() {
            if n == cut {
                replica = replica.through_a_snapshot();
            }
            let outcomes = replica.apply(batch.clone());
            for (draft, outcome) in batch.drafts.into_iter().zip(outcomes) {
                if outcome != Outcome::Done {
                    continue;
                }
                match draft.command {
                    Command::RevokeAccess(revoke) => drop(dead.insert(revoke.hash)),
                    Command::DestroySession(DestroySession(hash)) => drop(dead.insert(hash)),
                    Command::BlacklistJti(revoke) => {
                        let until = listed.entry(revoke.jti).or_default();
                        *until = revoke.until.max(*until);
                    }
                    _ => {}
                }
            }
            replica.apply(tick(batch.at));
            let sessions = replica.state.sessions.live().iter().map(|(hash, _)| hash);
            let now: BTreeSet<TokenHash> = live(&replica.state).chain(sessions).copied().collect();
            dead.extend(seen.difference(&now));
            prop_assert!(dead.is_disjoint(&now), "back from the dead");
            seen.extend(now);
            for (jti, until) in &listed {
                let known = replica.state.blacklist.entries().get(jti).is_some();
                prop_assert!(known || *until <= replica.clock.now());
            }
        }
    }

    /// A model without shards, indexes, interning or shared structure comes to the same answers and holds the same.
    #[test]
    fn grant_sets_agree_with_plain_maps(log in log(grant_command(), 30_000)) {
        let (mut replica, mut plain) = (Replica::default(), PlainGrants::default());
        for batch in log {
            let expected = plain.apply(&batch);
            prop_assert_eq!(replica.apply(batch), expected);
            // A shard that heard nothing lets go a little later; here all go to one, but ticks reach every owner.
            replica.apply(tick(plain.now));
            plain.assert_same(&replica.state);
        }
    }

    /// So does one for sessions, that looks at all of them to find a subject's.
    #[test]
    fn sessions_agree_with_a_plain_map(log in log(session_command(), 30_000)) {
        let (mut replica, mut plain) = (Replica::default(), PlainSessions::default());
        for batch in log {
            let expected = plain.apply(&batch);
            prop_assert_eq!(replica.apply(batch), expected);
            replica.apply(tick(plain.now));
            plain.assert_same(&replica.state.sessions);
        }
    }

    /// Within a window no more than `limit` failures are counted; then there is a pause, which failing on does not lengthen and
    /// succeeding does not end.
    #[test]
    fn nobody_guesses_more_often_than_the_limit(limit in 1..6u32, guesses in vec((any::<bool>(), 0..20_000u64), 1..60)) {
        let (window, pause) = (Span(30_000), Span(60_000));
        let (mut replica, mut now) = (Replica::default(), Stamp(1));
        let mut plain: Option<Counter> = None;
        for (n, (right, later)) in (0..).zip(guesses) {
            now = now + Span(later);
            plain = plain.filter(|counter| counter.until > now);
            let expected = match (right, plain) {
                (true, Some(Counter { paused: true, .. })) => Outcome::Refused(Refusal::Paused),
                _ => Outcome::Done,
            };
            plain = match (right, plain) {
                (_, Some(counter)) if counter.paused => Some(counter),
                (true, _) => None,
                (false, counter) => {
                    let counter = counter.unwrap_or(Counter { paused: false, failures: 0, until: now + window });
                    let failures = counter.failures + 1;
                    let paused = failures == limit;
                    Some(Counter { paused, failures, until: if paused { now + pause } else { counter.until } })
                }
            };
            let command = if right { words::pass("k", None) } else { words::fail("k", limit, window, pause) };
            let draft = Draft { id: ProposalId(n), deadline: now + Span(1), command };
            prop_assert_eq!(replica.apply(Batch { at: now, drafts: vec![draft] }).remove(0), expected);
            prop_assert_eq!(replica.state.attempts.counters().get(&words::hash("k")).copied(), plain);
        }
    }

    /// G4: a transaction is used at most once, for what it was opened for, after the session that it was opened for has begun
    /// it, alone, and completed it, and before its end.
    #[test]
    fn a_transaction_is_used_once(said in vec((transaction_command(), 0..20_000u64), 1..80)) {
        #[derive(Default)]
        struct Seen { begun: u32, completed: bool, used: u32 }
        let (mut replica, mut now) = (Replica::default(), Stamp(1));
        let mut seen: BTreeMap<TokenHash, Seen> = BTreeMap::new();
        for (n, (command, later)) in (0..).zip(said) {
            now = now + Span(later);
            let Command::Transact(Transact { hash, step }) = command.clone() else { unreachable!() };
            let draft = Draft { id: ProposalId(n), deadline: now + Span(1), command };
            replica.apply(tick(now));
            let before = replica.state.transactions.all().get(&hash).cloned();
            let outcome = replica.apply(Batch { at: now, drafts: vec![draft] }).remove(0);
            if before.is_none() {
                seen.insert(hash, Seen::default());
            }
            let Some((seen, before)) = seen.get_mut(&hash).zip(before) else { continue };
            if outcome != Outcome::Done {
                continue;
            }
            prop_assert!(now < before.expires());
            match step {
                Step::Open(_) => prop_assert!(false, "opening says until when"),
                Step::Begin(by) => {
                    prop_assert_eq!(by, before.data.session);
                    seen.begun += 1;
                }
                Step::Complete(by) => {
                    prop_assert_eq!((by, seen.begun), (before.data.session, 1));
                    seen.completed = true;
                }
                Step::Use(what) => {
                    prop_assert_eq!((what, seen.completed), (before.data.what, true));
                    seen.used += 1;
                }
            }
            prop_assert!(seen.begun <= 1 && seen.used <= 1);
        }
    }

    /// So does one for documents, that checks by looking at everything and undoes by throwing a copy away.
    #[test]
    fn documents_agree_with_a_plain_map(log in log(document_command(), 1_000)) {
        let (mut replica, mut plain) = (Replica::default(), PlainDocuments::default());
        for batch in log {
            let index = replica.index + 1;
            let now = batch.at.max(replica.clock.now());
            let expected = plain.apply(index, now, &batch);
            prop_assert_eq!(replica.apply(batch), expected);
            plain.assert_same(&replica.state.documents);
        }
    }
}

/// G8: counters do not grow without end, and the one with most failures stays whoever else fails.
#[test]
fn at_capacity_the_counter_that_matters_least_is_given_up() {
    let hour = Span::from_secs(3600);
    let drafts = |names: std::ops::Range<usize>| {
        let fail = move |n: usize| Draft {
            id: ProposalId(n as u128),
            deadline: Stamp(1),
            command: words::fail(&format!("k{n}"), 5, hour, hour),
        };
        names.map(fail).collect::<Vec<_>>()
    };
    let mut replica = Replica::default();
    let target = || words::fail("target", 5, hour, hour);
    let twice = (0..2).map(|n| Draft { id: ProposalId(1 << 70 | n), deadline: Stamp(1), command: target() });
    replica.apply(Batch { at: Stamp(0), drafts: twice.collect() });
    for first in (0..MAX_ATTEMPTS + 100).step_by(1000) {
        let drafts = drafts(first..(first + 1000).min(MAX_ATTEMPTS + 100));
        replica.apply(Batch { at: Stamp(0), drafts });
    }
    let counters = replica.state.attempts.counters();
    assert_eq!(counters.len(), MAX_ATTEMPTS);
    assert_eq!(counters.get(&words::hash("target")).map(|counter| counter.failures), Some(2));
    assert!(counters.get(&words::hash(&format!("k{}", MAX_ATTEMPTS + 99))).is_some(), "the newest is counted");
}

/// G8: a subject that opens more than it may loses its own oldest, and nobody else loses anything.
#[test]
fn a_subject_has_a_bounded_number_of_transactions() {
    let mut replica = Replica::default();
    let mut open = |name: &str, user: &str, at: u64| {
        let command = words::open(name, user, "s", "w", Span::from_secs(180));
        let draft = Draft { id: ProposalId(u128::from(at)), deadline: Stamp(at + 1), command };
        let outcome = replica.apply(Batch { at: Stamp(at), drafts: vec![draft] }).remove(0);
        assert!(matches!(outcome, Outcome::Issued { .. }), "{outcome:?}");
        replica.state.transactions.clone()
    };
    open("other", "other", 1);
    for n in 0..MAX_TRANSACTIONS_OF as u64 + 3 {
        open(&format!("t{n}"), "demo", 2 + n);
    }
    let all = open("last", "other", 900);
    assert_eq!(all.all().len(), MAX_TRANSACTIONS_OF + 2);
    let has = |name: &str| all.all().get(&words::hash(name)).is_some();
    assert!(!has("t0") && !has("t2") && has("t3") && has("other") && has("last"));
}

/// R-7, G8: the templates of a thousand clients go with their tokens.
#[test]
fn templates_go_with_their_tokens() {
    let issue = |n: u128| {
        let client = format!("client{n}");
        let command = words::issue(&format!("a{n}"), &words::alpha(), &client, Span::from_secs(10));
        Draft { id: ProposalId(n), deadline: Stamp(1), command }
    };
    let (mut replica, mut fresh) = (Replica::default(), Replica::default());
    replica.apply(Batch { at: Stamp(0), drafts: (0..1000).map(issue).collect() });
    let end = Stamp(DRAFT_WINDOW_MS);
    replica.apply(tick(end));
    fresh.apply(tick(end));
    assert_eq!(replica.state, fresh.state);
}

/// the answers to documents' proposals are remembered as long as a copy can ask for them, and not longer (G8).
#[test]
fn answers_are_remembered_as_long_as_anybody_may_ask() {
    let realm = DocumentKey::new(&RealmPath::root(), Kind::Realm, "/alpha");
    let put = |n: u128| {
        let write = words::put(realm.clone(), Precondition::Any, "{}", Vec::new(), false);
        let command = Command::WriteDocuments(WriteDocuments(vec![write]));
        Draft { id: ProposalId(n), deadline: Stamp(DRAFT_WINDOW_MS), command }
    };
    let mut replica = Replica::default();
    let written = |replica: &mut Replica, at, n| replica.apply(Batch { at: Stamp(at), drafts: vec![put(n)] }).remove(0);
    let first: Vec<Outcome> = (0..5000).map(|n| written(&mut replica, 0, n)).collect();
    let mut replica = replica.through_a_snapshot();
    let last = DRAFT_WINDOW_MS - 1;
    let again: Vec<Outcome> = (0..5000).map(|n| written(&mut replica, last, n)).collect();
    assert!(first == again, "every one of them");
    assert_eq!(written(&mut replica, DRAFT_WINDOW_MS, 0), Outcome::Refused(Refusal::Untimely));
    replica.apply(tick(Stamp(DRAFT_WINDOW_MS)));
    assert!(replica.state.documents.answers().is_empty());
}
