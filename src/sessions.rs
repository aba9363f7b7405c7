//! Sessions (SSO tokens): how one starts, what it says about itself, how it ends (authn-sessions-realms.md part b).
//!
//! | section | it says                                                  | we do it in              |
//! |---------|----------------------------------------------------------|--------------------------|
//! | b.1     | tokens are handed back in many forms                      | [`token`]                |
//! | b.1     | server-side and client-based sessions                     | [`start`], [`client_based`] |
//! | b.1     | cookies                                                   | [`cookies`]              |
//! | b.6     | limits and quotas: explicit, else of the realm, else global, else default | [`settings`], [`start`] |
//! | b.7     | default properties, protected ones; universal ids         | [`properties`], [`universal_id`] |
//! | a.10    | an upgrade replaces the session of the same user          | [`start`]                |
//! | G3      | a session that has ended is dead on all nodes             | [`end`], [`end_all`]     |
//!
//! Whoever has authenticated somebody calls [`start`]; nobody else makes sessions.

pub mod client_based;
pub mod cookies;
pub mod properties;
pub mod settings;
pub mod token;

use self::settings::{OwnLimits, SessionSettings};
use crate::{
    bootstrap::ADMINISTRATOR_ID,
    caller::{self, Caller, Kept},
    consensus::Unavailable,
    desk::Desk,
    host,
    secrets::{HandleKind, Minted},
    views::Entry,
};
use jiff::Timestamp;
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, RealmPath, Refusal, SessionData, Span, Stamp,
    limits::MAX_PROPERTY_BYTES,
    sessions::{DestroySession, DestroySessionsOf, StartSession},
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

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
    /// Journeys have put more into the session than a session may hold.
    #[error("the session's properties are too large")]
    TooLarge,
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
    let mut settings = SessionSettings::of(desk, &new.realm);
    if let (Some(quota), Some(limit)) = (&mut settings.quota, OwnLimits::of(&new.entry).quota) {
        quota.limit = limit;
    }
    let data = describe(desk, &new, &settings);
    let size: usize = data.properties.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_PROPERTY_BYTES {
        return Err(NotStarted::TooLarge);
    }
    if settings.client_based
        && !is_administrator(&new.subject)
        && let Some(token) = kept_by_client(desk, &data).await?
    {
        // The former ends first: a token that nobody has seen yet is no session.
        if let Some(former) = &new.upgraded
            && !end(desk, former).await?
        {
            return Err(NotStarted::Ended);
        }
        desk.audit().client_session_started(&data);
        return Ok(Started { token });
    }
    let kept = |kept: Kept| new.upgraded.as_ref().filter(|former| former.kept == kept);
    let minted = Minted::new(HandleKind::Session, 0);
    let command = StartSession {
        hash: minted.hash(),
        quota: settings.quota.filter(|_| new.subject.kind == Kind::User),
        replaces: kept(Kept::ByCluster).map(|former| former.hash),
        data: Arc::new(data),
    };
    match desk.propose(Command::StartSession(command)).await? {
        Outcome::Issued { .. } => {}
        Outcome::Refused(Refusal::Quota) => return Err(NotStarted::Quota),
        Outcome::Refused(Refusal::UnknownSession) => return Err(NotStarted::Ended),
        Outcome::Refused(Refusal::Full) => return Err(Unavailable::Overloaded.into()),
        Outcome::Refused(_) | Outcome::Done | Outcome::Written(_) => return Err(Unavailable::Unknown.into()),
    }
    if let Some(former) = kept(Kept::ByClient) {
        end(desk, former).await?;
    }
    Ok(Started { token: minted.reveal() })
}

/// A token that holds the session. It starts in log time (G6), as others do: log time stands still while nothing happens, so it
/// has to be asked for.
async fn kept_by_client(desk: &Desk, data: &SessionData) -> Result<Option<String>, Unavailable> {
    desk.propose(Command::Tick).await?;
    client_based::seal(desk, data, desk.views().log_time()).map_err(|error| no_keys(&error))
}

/// Ends a session; whether it was this that ended it. No node knows it any more when this returns (G3).
///
/// # Errors
/// Without a decision: it may live on.
pub async fn end(desk: &Desk, owner: &Caller) -> Result<bool, Unavailable> {
    let command = match owner.kept {
        Kept::ByCluster => Command::DestroySession(DestroySession(owner.hash)),
        Kept::ByClient => Command::BlacklistJti(client_based::ending(owner.hash, &owner.session)),
    };
    match desk.propose(command).await? {
        Outcome::Refused(Refusal::UnknownSession) => Ok(false),
        Outcome::Refused(Refusal::Full) => Err(Unavailable::Overloaded),
        Outcome::Refused(_) => Err(Unavailable::Unknown),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => {
            if owner.kept == Kept::ByClient {
                desk.audit().client_session_ended(&owner.hash, &owner.session.data);
            }
            Ok(true)
        }
    }
}

/// Ends all sessions of a subject, whoever keeps them. What starts later lives.
///
/// # Errors
/// Without a decision: some may live on.
pub async fn end_all(desk: &Desk, subject: &DocumentKey) -> Result<(), Unavailable> {
    let done = |outcome: Outcome| match outcome {
        Outcome::Refused(Refusal::Full) => Err(Unavailable::Overloaded),
        Outcome::Refused(_) => Err(Unavailable::Unknown),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => Ok(()),
    };
    done(desk.propose(Command::DestroySessionsOf(DestroySessionsOf(subject.clone()))).await?)?;
    // That entry has brought log time along: no session that started before has a later one.
    let mark = desk.views().log_time();
    done(desk.propose(Command::BlacklistJti(client_based::ending_all(subject, mark))).await?)
}

/// Now, for what is not decided in the log: log time, which stands still while nothing happens, or this node's clock. A clock
/// that is ahead ends a client-based session early, and none late.
pub fn now(desk: &Desk) -> Stamp {
    desk.views().log_time().max(host::now())
}

/// Whether this is `amAdmin`, whose sessions the cluster always keeps.
pub fn is_administrator(subject: &DocumentKey) -> bool {
    subject.kind == Kind::User && subject.realm == RealmPath::root() && *subject.id == *ADMINISTRATOR_ID
}

fn no_keys(error: &crate::keys::KeyError) -> Unavailable {
    tracing::error!(%error, "cannot make client-based sessions");
    Unavailable::Unknown
}

/// What the session is about. What is said about its subject alone limits it before anything else does (b.6). An upgraded
/// session hands on its properties and keeps the level that was reached.
fn describe(desk: &Desk, new: &New, settings: &SessionSettings) -> SessionData {
    let (key, limits) = (&new.subject, OwnLimits::of(&new.entry));
    let name = new.entry.json().get("username").and_then(|name| name.as_str()).unwrap_or(&key.id);
    let (process, counter) = desk.next_audit();
    let former = new.upgraded.as_ref().map(|former| &former.session.data);
    let text = |(name, value): (&str, &str)| (Arc::from(name), Arc::from(value));
    let mut properties: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for (name, value) in former.into_iter().flat_map(|data| &data.properties) {
        properties.insert(name.clone(), value.clone());
    }
    properties.extend(new.properties.iter().map(|(name, value)| text((name, value))));
    // Later ones win: nobody overwrites what we say ourselves.
    let own = [
        ("AMCtxId", audit_text(process, counter)),
        ("Service", new.service.clone()),
        ("Organization", realm_dn(&new.realm)),
        ("authInstant", instant(host::now())),
    ];
    properties.extend(own.iter().map(|(name, value)| text((name, value))));
    match new.from {
        Some(address) => drop(properties.insert("Host".into(), address.to_canonical().to_string().into())),
        None => drop(properties.remove("Host")),
    }
    SessionData {
        realm: new.realm.clone(),
        fence: caller::standing(desk.views(), key.kind, &new.entry).fence,
        name: name.into(),
        universal_id: universal_id(&new.realm, key).into(),
        subject: key.clone(),
        auth_level: former.map_or(new.auth_level, |former| former.auth_level.max(new.auth_level)),
        max_life: limits.max_life.or(new.max_life).unwrap_or(settings.max_life),
        max_idle: limits.max_idle.or(new.max_idle).unwrap_or(settings.max_idle),
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

/// A value as it is spelled in a name of a directory (RFC 4514 §2.4): the name of somebody cannot look like the name of
/// somebody else, or of another realm.
pub fn escaped(value: &str) -> String {
    let mut spelled = String::with_capacity(value.len());
    for (n, c) in value.char_indices() {
        if ",+\"\\<>;=".contains(c) || (n == 0 && c == '#') {
            spelled.push('\\');
        }
        spelled.push(c);
    }
    spelled
}

/// AM's universal id of a user, a group or an agent, by its document in `realm`.
pub fn universal_id(realm: &RealmPath, key: &DocumentKey) -> String {
    let class = match key.kind {
        Kind::User => "user",
        Kind::Group => "group",
        _ => "agent",
    };
    format!("id={},ou={class},{}", escaped(&key.id), realm_dn(realm))
}

#[cfg(test)]
mod tests;
