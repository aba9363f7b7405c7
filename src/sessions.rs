//! Sessions (SSO tokens): how one starts, what it says about itself, how it ends (authn-sessions-realms.md part b).
//!
//! | section | it says                                                  | we do it in              |
//! |---------|----------------------------------------------------------|--------------------------|
//! | b.1     | a token is opaque to clients; its kinds                   | [`Started`]              |
//! | b.6     | limits: explicit, else of the realm, else global, else default | [`settings`]       |
//! | b.7     | default properties; universal ids                         | [`start`], [`universal_id`] |
//! | a.10    | an upgrade replaces the session of the same user          | [`start`]                |
//!
//! Whoever has authenticated somebody calls [`start`]; nobody else makes sessions.

use crate::{
    caller::Caller,
    consensus::Unavailable,
    desk::Desk,
    host,
    secrets::{HandleKind, Minted},
    views::Entry,
};
use jiff::Timestamp;
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, RealmPath, Refusal, Span, Stamp,
    sessions::{CreateSession, SessionData},
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

/// Longest life of a session and longest pause between two uses, minutes: AM's defaults (b.6).
const MAX_SESSION_MINUTES: u64 = 120;
const MAX_IDLE_MINUTES: u64 = 30;

/// A session to be started. Who fills it in has proved that the subject is who it says it is.
#[derive(Clone, Debug)]
pub struct New {
    /// The realm that authenticated.
    pub realm: RealmPath,
    /// The document of the user or agent.
    pub subject: DocumentKey,
    /// That document, as it was when the proof was checked: its fence goes into the session.
    pub entry: Arc<Entry>,
    /// The journey, tree or chain (session property `Service`).
    pub service: String,
    /// The authentication level that was reached.
    pub auth_level: i32,
    /// What nodes and scripts put into the session.
    pub properties: BTreeMap<String, String>,
    /// Where the request came from.
    pub from: Option<IpAddr>,
    /// Longest life; `None`: what the realm says.
    pub max_life: Option<Span>,
    /// Longest pause between two uses; `None`: what the realm says.
    pub max_idle: Option<Span>,
    /// The session that this one takes the place of: it ends when this one starts.
    pub upgraded: Option<Caller>,
}

/// A session that has started. Its token is shown once.
pub struct Started {
    token: String,
}

impl Started {
    /// The token, by value: for the answer and the cookie, and for nothing else.
    pub fn reveal(self) -> String {
        self.token
    }
}

/// Why no session was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    /// The subject has as many sessions as it may have (code 115, `You have reached your session limit.`).
    #[error("session limit reached")]
    Quota,
    /// The session to be upgraded is somebody else's (code 124).
    #[error("the session belongs to another subject")]
    OtherSubject,
    /// The session to be upgraded has ended meanwhile.
    #[error("the session to be upgraded has ended")]
    Ended,
    /// No decision.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Starts a session, and ends the one that it upgrades.
///
/// # Errors
/// See [`NotStarted`]; nothing has changed then, unless there was no decision.
pub async fn start(desk: &Desk, new: New) -> Result<Started, NotStarted> {
    if new.upgraded.as_ref().is_some_and(|former| former.session.data.subject != new.subject) {
        return Err(NotStarted::OtherSubject);
    }
    let data = Arc::new(describe(desk, &new));
    let minted = Minted::new(HandleKind::Session, 0);
    let create = CreateSession { hash: minted.hash(), data };
    match desk.propose(Command::CreateSession(create)).await? {
        Outcome::Issued { .. } => Ok(Started { token: minted.reveal() }),
        Outcome::Refused(Refusal::Full) => Err(Unavailable::Overloaded.into()),
        Outcome::Refused(_) | Outcome::Done | Outcome::Written(_) => Err(Unavailable::Unknown.into()),
    }
}

/// What the session is about.
fn describe(desk: &Desk, new: &New) -> SessionData {
    let key = &new.subject;
    let name = new.entry.json().get("username").and_then(|name| name.as_str()).unwrap_or(&key.id);
    let (process, counter) = desk.next_audit();
    let own = [
        ("AMCtxId", audit_text(process, counter)),
        ("Service", new.service.clone()),
        ("Organization", realm_dn(&new.realm)),
        ("authInstant", instant(host::now())),
    ];
    let own = own.into_iter().chain(new.from.map(|address| ("Host", address.to_canonical().to_string())));
    let given = new.properties.iter().map(|(name, value)| (name.as_str(), value.clone()));
    // Later ones win: nobody overwrites what we say ourselves.
    let properties = given.chain(own).map(|(name, value)| (Arc::from(name), Arc::from(value.as_str()))).collect();
    SessionData {
        realm: new.realm.clone(),
        fence: new.entry.document.fence,
        name: name.into(),
        universal_id: universal_id(&new.realm, key).into(),
        subject: key.clone(),
        auth_level: new.auth_level,
        max_life: new.max_life.unwrap_or(Span::from_secs(MAX_SESSION_MINUTES * 60)),
        max_idle: new.max_idle.unwrap_or(Span::from_secs(MAX_IDLE_MINUTES * 60)),
        properties,
    }
}

/// UTC, whole seconds, as AM writes times of sessions.
pub fn instant(stamp: Stamp) -> String {
    let instant = Timestamp::from_millisecond(i64::try_from(stamp.0).unwrap_or(i64::MAX)).unwrap_or_default();
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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
}
