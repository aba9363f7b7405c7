//! Authentication: credentials become a session.
//!
//! Journeys that need no conversation: the credentials arrive in headers (zero page login, authn-sessions-realms.md a.9)
//! and one decision is taken. Which store decides is told by the service that is asked for ([`Service`]).

pub mod zero_page;

use crate::{
    attempts::{self, Attempt, Stopped},
    audit::{
        authentication::{Authentication, FailureReason, Happened, Progress},
        context,
    },
    caller::is_active,
    consensus::Unavailable,
    desk::Desk,
    sessions::{self, NotStarted, Started},
    views::Entry,
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

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
    /// Too many have failed before, or no decision: nothing is said about the password.
    #[error(transparent)]
    Stopped(Stopped),
    /// The right password, but no session.
    #[error(transparent)]
    NotStarted(NotStarted),
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
) -> Result<Started, Failure> {
    let proved = prove(desk, realm, service, name, password, from).await;
    tell(desk, realm, service, name, from, &proved);
    let Proved { key, entry } = proved?;
    let new = sessions::New {
        realm: realm.clone(),
        subject: key,
        entry,
        service: service.name().to_owned(),
        auth_level: 0,
        properties: BTreeMap::new(),
        from,
        max_life: None,
        max_idle: None,
        upgraded: None,
    };
    sessions::start(desk, new).await.map_err(|refused| match refused {
        NotStarted::Unavailable(unavailable) => Failure::Unavailable(unavailable),
        other => Failure::NotStarted(other),
    })
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
    from: Option<IpAddr>,
) -> Result<(), Failure> {
    let proved = prove(desk, realm, service, name, password, from).await;
    tell(desk, realm, service, name, from, &proved);
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
        Ok(proved) => (Progress::Successful, Some(sessions::universal_id(realm, &proved.key).into())),
        Err(Failure::Denied) => (Progress::Failed(FailureReason::LoginFailed), None),
        Err(Failure::Stopped(Stopped::Paused(_))) => (Progress::Failed(FailureReason::LockedOut), None),
        Err(Failure::NotStarted(_)) => (Progress::Failed(FailureReason::SessionCreateError), None),
        Err(Failure::Stopped(Stopped::Unavailable(_)) | Failure::Unavailable(_)) => return,
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
    from: Option<IpAddr>,
) -> Result<Proved, Failure> {
    desk.barrier().await?;
    let key = DocumentKey::new(realm, service.kind(), &service.id(name));
    let entry = desk.views().entry(&key);
    let verifier = entry.as_ref().and_then(|entry| entry.json().get(service.verifier())?.as_str().map(str::to_owned));
    // Nobody hears that an account exists but is not active: that is a wrong password like any other.
    let active = entry.as_deref().is_some_and(|entry| is_active(key.kind, entry));
    let verify = async {
        let fits = desk.passwords().verify(verifier.as_deref(), password).await?;
        Ok(fits && active)
    };
    let attempt = Attempt::new(key.clone(), from);
    let proved = attempts::guarded(desk, &attempt, verify).await.map_err(|stopped| match stopped {
        Stopped::Unavailable(unavailable) => Failure::Unavailable(unavailable),
        paused @ Stopped::Paused(_) => Failure::Stopped(paused),
    })?;
    match entry {
        Some(entry) if proved => Ok(Proved { key, entry }),
        _ => Err(Failure::Denied),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{caller, testing};
    use quorate_raft::{Command, Precondition};
    use serde_json::json;

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
        alone.later.store(30 * 60_000, std::sync::atomic::Ordering::Relaxed);
        desk.propose(Command::Tick).await.expect("ticks");
        assert!(caller::session(&desk, &second).is_none());
    }
}
