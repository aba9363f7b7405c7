//! Authentication: credentials become a session.
//!
//! Journeys that need no conversation: the credentials arrive in headers (zero page login, authn-sessions-realms.md a.9)
//! and one decision is taken. Which store decides is told by the service that is asked for ([`Service`]).

pub mod zero_page;

use crate::{
    audit::{
        authentication::{Authentication, FailureReason, Happened, Progress},
        context,
    },
    caller::is_active,
    consensus::Unavailable,
    desk::Desk,
    host,
    secrets::{HandleKind, Minted},
    views::Entry,
};
use jiff::Timestamp;
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, RealmPath, Refusal, Span,
    sessions::{CreateSession, SessionData},
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// Longest life of a session and longest pause between two uses, minutes: AM's defaults (b.6).
const MAX_SESSION_MINUTES: u64 = 120;
const MAX_IDLE_MINUTES: u64 = 30;

/// The services that a realm has: who decides about the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Users decide: `ldapService`, `Example`, `PasswordGrant`, and the default.
    Users(&'static str),
    /// Agents decide: `Agent`, `AgentLogin`.
    Agents(&'static str),
}

impl Service {
    /// The service of that name (`authIndexType=service`).
    pub fn parse(name: &str) -> Option<Self> {
        let users = ["ldapService", "Example", "PasswordGrant"].into_iter().map(Self::Users);
        let agents = ["Agent", "AgentLogin"].into_iter().map(Self::Agents);
        users.chain(agents).find(|service| service.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users(name) | Self::Agents(name) => name,
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Users(_) => Kind::User,
            Self::Agents(_) => Kind::IdentityGateway,
        }
    }

    /// User names ignore case, agents' do not.
    fn id(self, name: &str) -> String {
        match self {
            Self::Users(_) => name.to_lowercase(),
            Self::Agents(_) => name.to_owned(),
        }
    }

    /// The member of the document that holds the verifier.
    const fn verifier(self) -> &'static str {
        match self {
            Self::Users(_) => "userpassword",
            Self::Agents(_) => "_verifier",
        }
    }
}

/// Why nobody was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Unknown, wrong, or not active: one answer, so that nobody can probe.
    #[error("login failure")]
    Denied,
    /// No decision.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Verifies `password` and starts a session. `from` is the address that the connection comes from.
///
/// # Errors
/// [`Failure::Denied`] takes as long for an unknown name as for a wrong password.
pub async fn login(
    desk: &Desk,
    realm: &RealmPath,
    service: Service,
    name: &str,
    password: &str,
    from: Option<IpAddr>,
) -> Result<Minted, Failure> {
    let proved = prove(desk, realm, service, name, password).await;
    tell(desk, realm, service, name, from, &proved);
    start_session(desk, realm, service, proved?, from).await.map_err(Failure::Unavailable)
}

/// Verifies `password` and starts nothing (`noSession=true`).
///
/// # Errors
/// As [`login`].
pub async fn check(
    desk: &Desk,
    realm: &RealmPath,
    service: Service,
    name: &str,
    password: &str,
) -> Result<(), Failure> {
    let proved = prove(desk, realm, service, name, password).await;
    tell(desk, realm, service, name, None, &proved);
    proved.map(drop)
}

/// Records what came of an attempt; where nothing was decided, nothing happened.
fn tell(
    desk: &Desk,
    realm: &RealmPath,
    service: Service,
    name: &str,
    from: Option<IpAddr>,
    outcome: &Result<Proved, Failure>,
) {
    let (progress, user_id) = match outcome {
        Ok(proved) => (Progress::Successful, Some(universal_id(realm, &proved.key).into())),
        Err(Failure::Denied) => (Progress::Failed(FailureReason::LoginFailed), None),
        Err(Failure::Unavailable(_)) => return,
    };
    let address = from.or_else(|| Some(context::current()?.address()?.ip()));
    desk.audit().authentication(Authentication {
        happened: Happened::LoginCompleted,
        progress,
        realm: realm.as_str().into(),
        principal: Some(name.to_owned()),
        user_id,
        tracking_id: None,
        address,
        info: vec![("authIndex", format!("service={}", service.name())), ("authLevel", "0".to_owned())],
    });
}

/// Somebody whose password was verified. Holding one is the proof.
struct Proved {
    key: DocumentKey,
    entry: Arc<Entry>,
}

async fn prove(
    desk: &Desk,
    realm: &RealmPath,
    service: Service,
    name: &str,
    password: &str,
) -> Result<Proved, Failure> {
    desk.barrier().await?;
    let key = DocumentKey::new(realm, service.kind(), &service.id(name));
    let entry = desk.views().entry(&key);
    let verifier = entry.as_ref().and_then(|entry| entry.json().get(service.verifier())?.as_str().map(str::to_owned));
    let fits = desk.passwords().verify(verifier.as_deref(), password).await?;
    match entry {
        Some(entry) if fits && is_active(key.kind, &entry) => Ok(Proved { key, entry }),
        _ => Err(Failure::Denied),
    }
}

async fn start_session(
    desk: &Desk,
    realm: &RealmPath,
    service: Service,
    proved: Proved,
    from: Option<IpAddr>,
) -> Result<Minted, Unavailable> {
    let Proved { key, entry } = proved;
    let name = entry.json().get("username").and_then(|name| name.as_str()).unwrap_or(&key.id).to_owned();
    let universal_id = universal_id(realm, &key);
    let (process, counter) = desk.next_audit();
    let text = |text: &str| Arc::<str>::from(text);
    let instant = Timestamp::from_millisecond(i64::try_from(host::now().0).unwrap_or(i64::MAX)).unwrap_or_default();
    let properties: BTreeMap<Arc<str>, Arc<str>> = [
        ("AMCtxId", audit_text(process, counter)),
        ("Service", service.name().to_owned()),
        ("Organization", realm_dn(realm)),
        ("authInstant", instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ]
    .into_iter()
    .chain(from.map(|address| ("Host", address.to_canonical().to_string())))
    .map(|(name, value)| (text(name), text(&value)))
    .collect();
    let data = SessionData {
        realm: realm.clone(),
        fence: entry.document.fence,
        subject: key,
        name: name.into(),
        universal_id: universal_id.into(),
        auth_level: 0,
        max_life: Span::from_secs(MAX_SESSION_MINUTES * 60),
        max_idle: Span::from_secs(MAX_IDLE_MINUTES * 60),
        properties,
    };
    let minted = Minted::new(HandleKind::Session, 0);
    let create = CreateSession { hash: minted.hash(), data: Arc::new(data) };
    match desk.propose(Command::CreateSession(create)).await? {
        Outcome::Issued { .. } => Ok(minted),
        Outcome::Refused(Refusal::Full) => Err(Unavailable::Overloaded),
        Outcome::Refused(_) | Outcome::Done | Outcome::Written(_) => Err(Unavailable::Unknown),
    }
}

/// `<uuid>-<counter>`: correlation data, never a credential (oauth2-tokens.md §2.1).
pub fn audit_text(process: u128, counter: u64) -> String {
    format!("{}-{counter}", uuid::Uuid::from_u128(process))
}

/// The realm's place in AM's directory tree, as universal ids show it (b.7).
pub fn realm_dn(realm: &RealmPath) -> String {
    let levels: Vec<&str> = realm.as_str().split('/').filter(|level| !level.is_empty()).collect();
    match levels.is_empty() {
        true => "ou=am-config".to_owned(),
        false => {
            levels.iter().rev().map(|level| format!("o={level},")).collect::<String>() + "ou=services,ou=am-config"
        }
    }
}

/// AM's universal id of a user or an agent.
pub fn universal_id(realm: &RealmPath, key: &DocumentKey) -> String {
    let class = if key.kind == Kind::User { "user" } else { "agent" };
    format!("id={},ou={class},{}", key.id, realm_dn(realm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{caller, testing};
    use quorate_raft::Precondition;
    use serde_json::json;

    #[test]
    fn universal_ids_are_spelled_as_in_am() {
        let user = |realm: &str, id: &str| {
            let realm = RealmPath::from(realm);
            universal_id(&realm, &DocumentKey::new(&realm, Kind::User, id))
        };
        assert_eq!(user("/", "amadmin"), "id=amadmin,ou=user,ou=am-config");
        assert_eq!(user("/alpha", "demo"), "id=demo,ou=user,o=alpha,ou=services,ou=am-config");
        assert_eq!(user("/a/b", "x"), "id=x,ou=user,o=b,o=a,ou=services,ou=am-config");
    }

    #[actix_web::test]
    async fn the_administrator_gets_a_session_and_a_wrong_password_does_not() {
        let (desk, alone) = testing::desk().await;
        let root = RealmPath::root();
        let users = Service::Users("ldapService");
        let minted = login(&desk, &root, users, "AMADMIN", testing::PASSWORD, None).await.expect("right password");
        let token = minted.reveal();
        let caller = caller::session(&desk, &token).expect("a live session");
        assert_eq!((caller.name(), caller.role), ("amAdmin", caller::Role::Administrator));
        for (name, password) in [("amadmin", "wrong"), ("nobody", testing::PASSWORD), ("", "")] {
            assert_eq!(login(&desk, &root, users, name, password, None).await.err(), Some(Failure::Denied), "{name}");
        }
        let agents = Service::Agents("Agent");
        assert_eq!(login(&desk, &root, agents, "amadmin", testing::PASSWORD, None).await.err(), Some(Failure::Denied));
        alone.cut_off.store(true, std::sync::atomic::Ordering::Relaxed);
        let cut_off = login(&desk, &root, users, "amadmin", testing::PASSWORD, None).await.err();
        assert_eq!(cut_off, Some(Failure::Unavailable(Unavailable::NoQuorum)));
    }

    #[actix_web::test]
    async fn a_session_dies_with_its_time_and_with_its_user() {
        let (desk, alone) = testing::desk().await;
        let root = RealmPath::root();
        let users = Service::Users("ldapService");
        let verifier = desk.passwords().hash("secret").await.expect("hashes");
        let user = |status: &str| json!({ "username": "Demo", "inetUserStatus": [status], "userpassword": verifier });
        let key = DocumentKey::new(&root, Kind::User, "demo");
        let store = |status: &'static str, fence| {
            crate::desk::put(key.clone(), Precondition::Any, &user(status), vec![], fence)
        };
        desk.write(vec![store("Active", false)]).await.expect("creates");
        let first = login(&desk, &root, users, "demo", "secret", None).await.expect("logs in").reveal();
        assert_eq!(caller::session(&desk, &first).expect("live").name(), "Demo");
        // Disabled, then enabled: what was issued before stays dead (G3).
        desk.write(vec![store("Inactive", true)]).await.expect("disables");
        assert!(caller::session(&desk, &first).is_none());
        assert_eq!(login(&desk, &root, users, "demo", "secret", None).await.err(), Some(Failure::Denied));
        desk.write(vec![store("Active", true)]).await.expect("enables");
        assert!(caller::session(&desk, &first).is_none());
        let second = login(&desk, &root, users, "demo", "secret", None).await.expect("logs in").reveal();
        assert!(caller::session(&desk, &second).is_some());
        // Idle for longer than allowed.
        alone.later.store(MAX_IDLE_MINUTES * 60_000, std::sync::atomic::Ordering::Relaxed);
        desk.propose(Command::Tick).await.expect("ticks");
        assert!(caller::session(&desk, &second).is_none());
    }
}
