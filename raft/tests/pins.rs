//! R-4, G10: what is in a log, a snapshot or a message between nodes can be read by every later build.
//!
//! `support/pins.txt` holds one encoding of each kind of entry, answer and snapshot part. A line of it never changes: old
//! logs hold exactly those bytes. New variants are appended, to their type and here; a type that has to change its shape
//! gets a new version byte and keeps its decoder (see `codec`).

mod support;

use quorate_raft::{
    Batch, ClientId, Command, DocumentKey, Draft, GrantId, Kind, Outcome, OwnerId, ProposalId, RealmPath, Refusal, Seq,
    Span, Stamp, TokenHash,
    attempts::{ClearFailures, Count, NoteFailure},
    blacklist::{BlacklistJti, Spend},
    codec,
    documents::{Change, Precondition, RemoveRealm, Write, WriteDocuments},
    grant_sets::{
        Authorization, IssueAccess, IssueCode, NewAccess, Purchase, RedeemCode, RevokeAccess, RevokeGrant, Template,
    },
    sessions::{
        CreateSession, DestroySession, DestroySessionsOf, Exceeded, Quota, SessionData, StartSession, TouchSession,
        UpdateSession,
    },
    state::{Part, StateBuilder},
    token::Challenge,
    transactions::{Stage, Step, Transact, TransactionData},
};

use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fmt::{Debug, Write as _},
    sync::Arc,
};
use support::replica::Replica;

const PINS: &str = include_str!("support/pins.txt");

/// `name tag hex`, checked to come back as it was.
fn pin<T: Serialize + DeserializeOwned + PartialEq + Debug>(lines: &mut String, name: &str, value: &T) {
    let bytes = codec::encode(value).expect("encodes");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value), "{name} comes back");
    line(lines, name, &bytes);
}

fn line(lines: &mut String, name: &str, bytes: &[u8]) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let _ = writeln!(lines, "{name} {hex}");
}

/// Every line of the file is still what this build writes, and nothing is written that has no line.
#[test]
fn nothing_that_was_ever_written_changes() {
    let mut lines = String::new();
    commands().iter().for_each(|command| pin(&mut lines, &format!("command {}", command.label()), command));
    purchases().iter().for_each(|(name, purchase)| pin(&mut lines, &format!("purchase {name}"), purchase));
    writes().iter().for_each(|(name, write)| pin(&mut lines, &format!("write {name}"), write));
    exceeded().iter().for_each(|exceeded| pin(&mut lines, &format!("exceeded {exceeded:?}"), exceeded));
    steps().iter().for_each(|(name, step)| pin(&mut lines, &format!("step {name}"), step));
    stages().iter().for_each(|(name, stage)| pin(&mut lines, &format!("stage {name}"), stage));
    kinds().iter().for_each(|kind| pin(&mut lines, &format!("kind {kind:?}"), kind));
    outcomes().iter().for_each(|outcome| pin(&mut lines, &format!("outcome {}", outcome.label()), outcome));
    refusals().iter().for_each(|refusal| pin(&mut lines, &format!("refusal {}", refusal.label()), refusal));
    pin(&mut lines, "batch", &batch());
    let names = ["clock", "shard", "templates", "access", "ended", "codes", "blacklist", "spent", "sessions"];
    let later = ["ended sessions", "session answers", "attempts", "transactions", "documents", "answers"];
    let names: Vec<&str> = names.into_iter().chain(later).collect();
    let parts = parts();
    let tags: Vec<_> = parts.iter().map(|part| part.0.get(1).copied()).collect();
    assert_eq!(parts.len(), names.len(), "one part of each kind: {tags:?}");
    names.iter().zip(parts).for_each(|(name, part)| line(&mut lines, &format!("part {name}"), &part.0));

    for pinned in PINS.lines() {
        let (name, _) = pinned.rsplit_once(' ').unwrap_or_default();
        let now = lines.lines().find(|line| line.rsplit_once(' ').is_some_and(|(of, _)| of == name));
        assert_eq!(now, Some(pinned), "this build writes it differently: old logs become unreadable");
    }
    let new: Vec<&str> = lines.lines().filter(|line| !PINS.lines().any(|pinned| pinned == *line)).collect();
    assert!(new.is_empty(), "not pinned yet; add:\n{}", new.join("\n"));
}

/// A tag is the place of the variant in this list. `match` makes a new variant fail to compile until it has a number, and
/// a pin.
#[test]
fn tags_are_where_they_were() {
    for (place, command) in (0u8..).zip(commands()) {
        let tag = match command {
            Command::Tick => 0,
            Command::IssueAccess(_) => 1,
            Command::IssueCode(_) => 2,
            Command::RedeemCode(_) => 3,
            Command::RevokeAccess(_) => 4,
            Command::RevokeGrant(_) => 5,
            Command::BlacklistJti(_) => 6,
            Command::CreateSession(_) => 7,
            Command::TouchSession(_) => 8,
            Command::DestroySession(_) => 9,
            Command::WriteDocuments(_) => 10,
            Command::DeleteRealm(_) => 11,
            Command::Spend(_) => 12,
            Command::StartSession(_) => 13,
            Command::UpdateSession(_) => 14,
            Command::DestroySessionsOf(_) => 15,
            Command::NoteFailure(_) => 16,
            Command::ClearFailures(_) => 17,
            Command::RemoveRealm(_) => 18,
            Command::Transact(_) => 19,
        };
        tagged(&command, tag, place);
    }
    for (place, outcome) in (0u8..).zip(outcomes()) {
        let tag = match outcome {
            Outcome::Done => 0,
            Outcome::Issued { .. } => 1,
            Outcome::Written(_) => 2,
            Outcome::Refused(_) => 3,
        };
        tagged(&outcome, tag, place);
    }
    for (place, refusal) in (0u8..).zip(refusals()) {
        let tag = match refusal {
            Refusal::UnknownCode => 0,
            Refusal::OtherClient => 1,
            Refusal::Expired => 2,
            Refusal::Replayed => 3,
            Refusal::OtherRedirect => 4,
            Refusal::MissingVerifier => 5,
            Refusal::WrongVerifier => 6,
            Refusal::UnknownToken => 7,
            Refusal::UnknownSession => 8,
            Refusal::Full => 9,
            Refusal::Exists(_) => 10,
            Refusal::Missing(_) => 11,
            Refusal::Stale { .. } => 12,
            Refusal::Referenced { .. } => 13,
            Refusal::Dangling(_) => 14,
            Refusal::Untimely => 15,
            Refusal::Protected(_) => 16,
            Refusal::Quota => 17,
            Refusal::Paused => 18,
        };
        tagged(&refusal, tag, place);
    }
    for (place, kind) in (0u8..).zip(kinds()) {
        let tag = match kind {
            Kind::Settings => 0,
            Kind::Keys => 1,
            Kind::Realm => 2,
            Kind::Service => 3,
            Kind::User => 4,
            Kind::Group => 5,
            Kind::OAuth2Client => 6,
            Kind::IdentityGateway => 7,
            Kind::ResourceType => 8,
            Kind::PolicySet => 9,
            Kind::Policy => 10,
            Kind::Agent => 11,
            Kind::AgentGroup => 12,
            Kind::Script => 13,
            Kind::Tree => 14,
            Kind::Node => 15,
            Kind::Chain => 16,
            Kind::AuthenticationModule => 17,
            Kind::SecretStore => 18,
            Kind::SecretMapping => 19,
            Kind::GlobalService => 20,
        };
        tagged(&kind, tag, place);
    }
}

#[test]
fn tags_of_what_exceeds_a_quota_are_where_they_were() {
    for (place, exceeded) in (0u8..).zip(exceeded()) {
        let tag = match exceeded {
            Exceeded::DestroyNextExpiring => 0,
            Exceeded::DestroyOldest => 1,
            Exceeded::DestroyAll => 2,
            Exceeded::DenyAccess => 3,
        };
        tagged(&exceeded, tag, place);
    }
}

#[test]
fn tags_of_transactions_are_where_they_were() {
    for (place, (_, step)) in (0u8..).zip(steps()) {
        let tag = match step {
            Step::Open(_) => 0,
            Step::Begin(_) => 1,
            Step::Complete(_) => 2,
            Step::Use(_) => 3,
        };
        tagged(&step, tag, place);
    }
    for (place, (_, stage)) in (0u8..).zip(stages()) {
        let tag = match stage {
            Stage::Created => 0,
            Stage::InProgress(_) => 1,
            Stage::Completed(_) => 2,
            Stage::Used(..) => 3,
        };
        tagged(&stage, tag, place);
    }
}

fn tagged<T: Serialize + Debug>(value: &T, tag: u8, place: u8) {
    assert_eq!(tag, place, "{value:?} is pinned in the order of the tags");
    assert_eq!(codec::encode(value).expect("encodes").get(..2), Some(&[codec::VERSION, tag][..]), "{value:?}");
}

/// A pinned snapshot can be read, and means what it meant.
#[test]
fn a_pinned_snapshot_can_be_read() {
    let mut builder = StateBuilder::default();
    for line in PINS.lines().filter_map(|line| line.strip_prefix("part ")) {
        let (_, hex) = line.rsplit_once(' ').expect("name and bytes");
        let byte = |at| u8::from_str_radix(hex.get(at..at + 2).unwrap_or_default(), 16).expect("hex");
        builder.push(&Part((0..hex.len()).step_by(2).map(byte).collect())).expect("an old part can be read");
    }
    let (state, clock) = builder.finish();
    let replica = populated();
    assert_eq!(clock, replica.clock);
    assert!(state == replica.state, "the pinned snapshot is the state it was taken of");
}

fn hash(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

fn access(n: u8) -> NewAccess {
    NewAccess {
        hash: hash(n),
        template: Arc::new(Template {
            realm: RealmPath::from("/a"),
            client: ClientId::from("c"),
            client_fence: Seq::new(1, 2),
            owner: OwnerId::from("o"),
            owner_fence: Some(Seq::new(3, 4)),
            scope: vec!["s".into(), "t".into()],
            grant_type: "g".into(),
            issuer: "i".into(),
            audit_process: 5,
            extra: "{}".into(),
        }),
        auth_time: 6,
        audit_counter: 7,
        ttl: Span(8000),
    }
}

fn authorization() -> Arc<Authorization> {
    Arc::new(Authorization {
        realm: RealmPath::from("/a"),
        client: ClientId::from("c"),
        client_fence: Seq::new(1, 2),
        owner: OwnerId::from("o"),
        owner_fence: Seq::new(3, 4),
        scope: vec!["s".into()],
        issuer: "i".into(),
        grant: GrantId([9; 20]),
        redirect_uri: "r".into(),
        redirect_uri_sent: true,
        challenge: Some(Challenge([10; 32])),
        nonce: Some("n".into()),
        claims: Some("{}".into()),
        acr: None,
        auth_level: -1,
        auth_time: 11,
    })
}

fn redeem(purchase: Purchase) -> RedeemCode {
    RedeemCode {
        hint: 12,
        code: hash(13),
        realm: RealmPath::from("/a"),
        client: ClientId::from("c"),
        redirect_uri: Some("r".into()),
        verifier: Some(Challenge([10; 32])),
        purchase,
    }
}

fn session() -> Arc<SessionData> {
    Arc::new(SessionData {
        realm: RealmPath::from("/a"),
        subject: key(),
        fence: Seq::new(1, 2),
        name: "n".into(),
        universal_id: "u".into(),
        auth_level: 3,
        max_life: Span(40_000),
        max_idle: Span(50_000),
        properties: BTreeMap::from([("k".into(), "v".into())]),
    })
}

fn transaction() -> Arc<TransactionData> {
    Arc::new(TransactionData {
        realm: RealmPath::from("/a"),
        subject: key(),
        session: hash(33),
        what: hash(34),
        strategy: "s".into(),
        specifier: "p".into(),
        life: Span(36_000),
    })
}

fn key() -> DocumentKey {
    DocumentKey::new(&RealmPath::from("/a"), Kind::User, "u")
}

fn realm_key() -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::Realm, "/a")
}

fn put(key: DocumentKey, references: Vec<DocumentKey>) -> Write {
    Write { key, when: Precondition::Any, change: Change::Put { body: b"{}"[..].into(), references, fence: true } }
}

/// In the order of the tags.
fn commands() -> Vec<Command> {
    vec![
        Command::Tick,
        Command::IssueAccess(IssueAccess { hint: 12, grant: GrantId([14; 20]), access: access(15) }),
        Command::IssueCode(IssueCode { hint: 12, hash: hash(13), authorization: authorization(), ttl: Span(60_000) }),
        Command::RedeemCode(redeem(Purchase::Opaque(access(16)))),
        Command::RevokeAccess(RevokeAccess {
            hint: 12,
            hash: hash(15),
            client: ClientId::from("c"),
            realm: RealmPath::from("/a"),
        }),
        Command::RevokeGrant(RevokeGrant { hint: 12, grant: GrantId([17; 20]), until: Stamp(18_000) }),
        Command::BlacklistJti(BlacklistJti { jti: hash(19), until: Stamp(20_000) }),
        Command::CreateSession(CreateSession { hash: hash(21), data: session() }),
        Command::TouchSession(TouchSession(hash(21))),
        Command::DestroySession(DestroySession(hash(21))),
        Command::WriteDocuments(WriteDocuments(vec![put(realm_key(), Vec::new()), put(key(), vec![realm_key()])])),
        Command::DeleteRealm(RealmPath::from("/a")),
        Command::Spend(Spend { hash: hash(25), until: Stamp(26_000) }),
        Command::StartSession(StartSession {
            hash: hash(25),
            data: session(),
            quota: Some(Quota { limit: 5, exceeded: Exceeded::DestroyOldest }),
            replaces: Some(hash(24)),
        }),
        Command::UpdateSession(UpdateSession {
            hash: hash(24),
            changes: BTreeMap::from([("k".into(), Some("w".into())), ("l".into(), None)]),
        }),
        Command::DestroySessionsOf(DestroySessionsOf(DocumentKey::new(&RealmPath::from("/a"), Kind::Agent, "x"))),
        Command::NoteFailure(NoteFailure(vec![Count {
            key: hash(26),
            limit: 5,
            window: Span(27_000),
            pause: Span(28_000),
        }])),
        Command::ClearFailures(ClearFailures { clear: vec![hash(29)], unless: vec![hash(30)] }),
        Command::RemoveRealm(RemoveRealm {
            realm: RealmPath::from("/a"),
            when: Precondition::Revision(Seq::new(31, 2)),
        }),
        Command::Transact(Transact { hash: hash(31), step: Step::Open(transaction()) }),
    ]
}

fn purchases() -> Vec<(&'static str, Purchase)> {
    vec![
        ("opaque", Purchase::Opaque(access(16))),
        ("client_based", Purchase::ClientBased { jti: hash(22), ttl: Span(23_000) }),
    ]
}

fn writes() -> Vec<(&'static str, Write)> {
    let when = |when| Write { key: key(), when, change: Change::Delete };
    vec![
        ("put", put(key(), vec![realm_key()])),
        ("delete any", when(Precondition::Any)),
        ("delete absent", when(Precondition::Absent)),
        ("delete present", when(Precondition::Present)),
        ("delete revision", when(Precondition::Revision(Seq::new(300, 2)))),
        ("keep", Write { key: key(), when: Precondition::Absent, change: Change::Keep }),
    ]
}

/// In the order of the tags.
fn steps() -> Vec<(&'static str, Step)> {
    vec![
        ("open", Step::Open(transaction())),
        ("begin", Step::Begin(hash(33))),
        ("complete", Step::Complete(hash(33))),
        ("use", Step::Use(hash(34))),
    ]
}

/// In the order of the tags.
fn stages() -> Vec<(&'static str, Stage)> {
    let by = ProposalId(35);
    vec![
        ("created", Stage::Created),
        ("in progress", Stage::InProgress(by)),
        ("completed", Stage::Completed(by)),
        ("used", Stage::Used(by, ProposalId(36))),
    ]
}

fn exceeded() -> Vec<Exceeded> {
    vec![Exceeded::DestroyNextExpiring, Exceeded::DestroyOldest, Exceeded::DestroyAll, Exceeded::DenyAccess]
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind::Settings,
        Kind::Keys,
        Kind::Realm,
        Kind::Service,
        Kind::User,
        Kind::Group,
        Kind::OAuth2Client,
        Kind::IdentityGateway,
        Kind::ResourceType,
        Kind::PolicySet,
        Kind::Policy,
        Kind::Agent,
        Kind::AgentGroup,
        Kind::Script,
        Kind::Tree,
        Kind::Node,
        Kind::Chain,
        Kind::AuthenticationModule,
        Kind::SecretStore,
        Kind::SecretMapping,
        Kind::GlobalService,
    ]
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Done,
        Outcome::Issued { issued: Stamp(1), expires: Stamp(1_700_000_000_000) },
        Outcome::Written(vec![Seq::new(1, 0), Seq::new(2, 3)]),
        Outcome::Refused(Refusal::UnknownCode),
    ]
}

fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::UnknownCode,
        Refusal::OtherClient,
        Refusal::Expired,
        Refusal::Replayed,
        Refusal::OtherRedirect,
        Refusal::MissingVerifier,
        Refusal::WrongVerifier,
        Refusal::UnknownToken,
        Refusal::UnknownSession,
        Refusal::Full,
        Refusal::Exists(key()),
        Refusal::Missing(key()),
        Refusal::Stale { key: key(), found: Seq::new(1, 2) },
        Refusal::Referenced { key: key(), by: realm_key() },
        Refusal::Dangling(realm_key()),
        Refusal::Untimely,
        Refusal::Protected(realm_key()),
        Refusal::Quota,
        Refusal::Paused,
    ]
}

fn batch() -> Batch {
    let draft = |id, command| Draft { id: ProposalId(id), deadline: Stamp(1_700_000_060_000), command };
    Batch {
        at: Stamp(1_700_000_000_000),
        drafts: vec![draft(u128::MAX - 1, Command::Tick), draft(1, Command::DeleteRealm(RealmPath::root()))],
    }
}

/// A replica that holds one of everything that a snapshot can hold; one shard has it all, the others are as new.
fn populated() -> Replica {
    let mut commands = commands();
    commands.retain(|command| {
        use Command::{DeleteRealm, RemoveRealm, RevokeGrant, StartSession, Tick, TouchSession, UpdateSession};
        !matches!(
            command,
            Tick | TouchSession(_)
                | DeleteRealm(_)
                | RemoveRealm(_)
                | RevokeGrant(_)
                | StartSession(_)
                | UpdateSession(_)
        )
    });
    let revoked = RevokeGrant { hint: 12, grant: GrantId([17; 20]), until: Stamp(700_000) };
    commands.push(Command::RevokeGrant(revoked));
    commands.push(Command::CreateSession(CreateSession { hash: hash(24), data: session() }));
    let drafts = (1..).map(ProposalId).zip(commands);
    let drafts = drafts.map(|(id, command)| Draft { id, deadline: Stamp(60_000), command }).collect();
    let mut replica = Replica::default();
    let outcomes = replica.apply(Batch { at: Stamp(1000), drafts });
    assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))), "{outcomes:?}");
    replica
}

/// One part of each kind, in the order they are written.
fn parts() -> Vec<Part> {
    let mut parts = populated().snapshot();
    // Shards without content, and the empty first parts of the blacklist and the sessions, say nothing new.
    parts.retain(|part| part.0.len() > 12 || part.0.get(1).is_some_and(|tag| [8, 12].contains(tag)));
    parts
}
