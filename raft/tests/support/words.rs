//! Commands in few words: everything that a test does not care about has a plain value.

use quorate_raft::{
    Challenge, ClientId, Command, DocumentKey, GrantId, Kind, OwnerId, RealmPath, Seq, Span, Stamp, TokenHash,
    attempts::{ClearFailures, Count, NoteFailure},
    blacklist::{BlacklistJti, Spend},
    documents::{Change, Precondition, Write},
    grant_sets::{
        Authorization, IssueAccess, IssueCode, NewAccess, Purchase, RedeemCode, RevokeAccess, RevokeGrant, Template,
    },
    sessions::{CreateSession, Quota, SessionData, StartSession, UpdateSession},
    transactions::{Step, Transact, TransactionData},
};
use std::{collections::BTreeMap, sync::Arc};

/// Bytes that stand for a name; different names, different bytes (FNV-1a, stretched).
pub fn bytes<const N: usize>(name: &str) -> [u8; N] {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut stir = |byte: u8| {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes()[0]
    };
    for byte in name.bytes() {
        stir(byte);
    }
    std::array::from_fn(|n| stir(n as u8))
}

/// The hash of the handle called `name`.
pub fn hash(name: &str) -> TokenHash {
    TokenHash(bytes(name))
}

/// The family called `name`.
pub fn family(name: &str) -> GrantId {
    GrantId(bytes(name))
}

/// The PKCE challenge, or the hash of the verifier, called `name`.
pub fn challenge(name: &str) -> Challenge {
    Challenge(bytes(name))
}

/// All commands about grants go to one shard here; which one does not matter.
pub const HINT: u8 = 3;

pub fn alpha() -> RealmPath {
    RealmPath::from("/alpha")
}

pub fn template(realm: &RealmPath, client: &str, owner: &str) -> Arc<Template> {
    Arc::new(Template {
        realm: realm.clone(),
        client: ClientId::from(client),
        client_fence: Seq::new(1, 0),
        owner: OwnerId::from(owner),
        owner_fence: (client != owner).then_some(Seq::new(2, 0)),
        scope: vec!["read".into()],
        grant_type: "client_credentials".into(),
        issuer: "http://am.test/am/oauth2/alpha".into(),
        audit_process: 7,
        extra: "".into(),
    })
}

pub fn new_access(name: &str, realm: &RealmPath, client: &str, owner: &str, ttl: Span) -> NewAccess {
    NewAccess { hash: hash(name), template: template(realm, client, owner), auth_time: 0, audit_counter: 1, ttl }
}

pub fn issue(name: &str, realm: &RealmPath, client: &str, ttl: Span) -> Command {
    issue_of(name, name, realm, client, ttl)
}

/// The same, as one of several tokens of a grant.
pub fn issue_of(grant: &str, name: &str, realm: &RealmPath, client: &str, ttl: Span) -> Command {
    let access = new_access(name, realm, client, client, ttl);
    Command::IssueAccess(IssueAccess { hint: HINT, grant: family(grant), access })
}

/// What a user authorized; `redirect` is `None` when the request named no URI.
pub fn authorization(
    grant: &str,
    realm: &RealmPath,
    client: &str,
    redirect: Option<&str>,
    pkce: Option<&str>,
) -> Arc<Authorization> {
    Arc::new(Authorization {
        realm: realm.clone(),
        client: ClientId::from(client),
        client_fence: Seq::new(1, 0),
        owner: OwnerId::from("demo"),
        owner_fence: Seq::new(2, 0),
        scope: vec!["read".into()],
        issuer: "http://am.test/am/oauth2/alpha".into(),
        grant: family(grant),
        redirect_uri: redirect.unwrap_or("https://registered").into(),
        redirect_uri_sent: redirect.is_some(),
        challenge: pkce.map(challenge),
        nonce: None,
        claims: None,
        acr: None,
        auth_level: 0,
        auth_time: 0,
    })
}

pub fn code(name: &str, authorization: Arc<Authorization>, ttl: Span) -> Command {
    Command::IssueCode(IssueCode { hint: HINT, hash: hash(name), authorization, ttl })
}

pub fn redeem(
    code: &str,
    realm: &RealmPath,
    client: &str,
    redirect: Option<&str>,
    verifier: Option<&str>,
    purchase: Purchase,
) -> Command {
    Command::RedeemCode(RedeemCode {
        hint: HINT,
        code: hash(code),
        realm: realm.clone(),
        client: ClientId::from(client),
        redirect_uri: redirect.map(Arc::from),
        verifier: verifier.map(challenge),
        purchase,
    })
}

pub fn revoke(name: &str, realm: &RealmPath, client: &str) -> Command {
    let (client, realm) = (ClientId::from(client), realm.clone());
    Command::RevokeAccess(RevokeAccess { hint: HINT, hash: hash(name), client, realm })
}

pub fn revoke_grant(name: &str, until: Stamp) -> Command {
    Command::RevokeGrant(RevokeGrant { hint: HINT, grant: family(name), until })
}

pub fn blacklist(jti: &str, until: Stamp) -> Command {
    Command::BlacklistJti(BlacklistJti { jti: hash(jti), until })
}

pub fn spend(name: &str, until: Stamp) -> Command {
    Command::Spend(Spend { hash: hash(name), until })
}

pub fn user(realm: &RealmPath, name: &str) -> DocumentKey {
    DocumentKey::new(realm, Kind::User, name)
}

pub fn login(name: &str, realm: &RealmPath, user: &str, max_life: Span, max_idle: Span) -> Command {
    Command::CreateSession(CreateSession { hash: hash(name), data: session(realm, user, max_life, max_idle) })
}

/// The same, under a quota or in the place of another session.
pub fn start(name: &str, data: Arc<SessionData>, quota: Option<Quota>, replaces: Option<&str>) -> Command {
    Command::StartSession(StartSession { hash: hash(name), data, quota, replaces: replaces.map(hash) })
}

pub fn session(realm: &RealmPath, user: &str, max_life: Span, max_idle: Span) -> Arc<SessionData> {
    Arc::new(SessionData {
        realm: realm.clone(),
        subject: self::user(realm, user),
        fence: Seq::new(2, 0),
        name: user.into(),
        universal_id: format!("id={user},ou=user,o=alpha,ou=services,ou=am-config").into(),
        auth_level: 0,
        max_life,
        max_idle,
        properties: BTreeMap::from([("Locale".into(), "en".into())]),
    })
}

/// `k=v` sets, `k` takes away.
pub fn update(name: &str, changes: &[&str]) -> Command {
    let change = |change: &&str| match change.split_once('=') {
        Some((key, value)) => (key.into(), Some(value.into())),
        None => ((*change).into(), None),
    };
    Command::UpdateSession(UpdateSession { hash: hash(name), changes: changes.iter().map(change).collect() })
}

/// A failure, counted under one key.
pub fn fail(key: &str, limit: u32, window: Span, pause: Span) -> Command {
    Command::NoteFailure(NoteFailure(vec![Count { key: hash(key), limit, window, pause }]))
}

/// A success: forgets what was counted under `key`, unless there is a pause under it or under `other`.
pub fn pass(key: &str, other: Option<&str>) -> Command {
    let unless = other.into_iter().map(hash).collect();
    Command::ClearFailures(ClearFailures { clear: vec![hash(key)], unless })
}

/// A transaction that a user has to confirm with the session called `by`.
pub fn open(name: &str, user: &str, by: &str, what: &str, life: Span) -> Command {
    let data = TransactionData {
        realm: alpha(),
        subject: self::user(&alpha(), user),
        session: hash(by),
        what: hash(what),
        strategy: "Authenticate to Tree".into(),
        specifier: "Approve".into(),
        life,
    };
    transact(name, Step::Open(Arc::new(data)))
}

pub fn transact(name: &str, step: Step) -> Command {
    Command::Transact(Transact { hash: hash(name), step })
}

pub fn put(key: DocumentKey, when: Precondition, body: &str, references: Vec<DocumentKey>, fence: bool) -> Write {
    Write { key, when, change: Change::Put { body: body.as_bytes().into(), references, fence } }
}

pub fn delete(key: DocumentKey, when: Precondition) -> Write {
    Write { key, when, change: Change::Delete }
}
