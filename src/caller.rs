//! Who is calling, as proved by an SSO token in the cookie or the header that is named like it.
//!
//! A session counts while it lives in log time, while the document of its subject exists with the fence that it had when the
//! session started, and while that subject is active (G3).

use crate::{
    audit::context,
    bootstrap::ADMINISTRATOR_ID,
    consensus::Unavailable,
    desk::Desk,
    secrets::{HandleKind, Presented},
    views::Entry,
};
use actix_web::HttpRequest;
use quorate_raft::{Command, Kind, RealmPath, Session, Span, TokenHash, sessions::TouchSession};
use std::sync::Arc;

/// A session's use is noted when the last note is older than this: reads must not each cost a write. Milliseconds.
const TOUCH_AFTER: u64 = 60_000;

/// What a caller is, by the kind of its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `amAdmin` of the top-level realm: may do everything everywhere.
    Administrator,
    /// An agent: may evaluate policies in its realm.
    Agent,
    /// Anybody else.
    User,
}

/// Somebody with a live session. Holding one is the proof: only [`authenticated`] and [`session`] make them.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session's place in the state.
    pub hash: TokenHash,
    /// The session.
    pub session: Arc<Session>,
    /// What the caller is.
    pub role: Role,
}

impl Caller {
    /// The caller's name in its canonical spelling.
    pub fn name(&self) -> &str {
        &self.session.data.name
    }

    /// The realm that authenticated the caller.
    pub fn realm(&self) -> &RealmPath {
        &self.session.data.realm
    }

    /// Whether the caller may administer `realm`.
    pub fn administers(&self, _realm: &RealmPath) -> bool {
        self.role == Role::Administrator
    }
}

/// Whether a stored user or agent may act: `inetUserStatus` of users, `status` of agents; absent means active.
pub fn is_active(kind: Kind, entry: &Entry) -> bool {
    let json = entry.json();
    let status = match kind {
        Kind::User => json.get("inetUserStatus").map(|status| status.get(0).unwrap_or(status)),
        Kind::OAuth2Client => json.get("coreOAuth2ClientConfig").and_then(|config| config.get("status")),
        _ => json.get("status"),
    };
    status.and_then(|status| status.as_str()).is_none_or(|status| status.eq_ignore_ascii_case("active"))
}

/// The token that a request carries: the header named like the cookie wins over the cookie.
pub fn presented_token(desk: &Desk, request: &HttpRequest) -> Option<String> {
    let name = &desk.front().cookie_name;
    if let Some(header) = request.headers().get(name.as_str()) {
        return header.to_str().ok().map(str::to_owned).filter(|token| !token.is_empty());
    }
    request.cookie(name).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty())
}

/// The live session behind `token`, as the views show it: call [`Desk::barrier`] first.
pub fn session(desk: &Desk, token: &str) -> Option<Caller> {
    let Presented { hash, .. } = Presented::parse(HandleKind::Session, token)?;
    let session = desk.views().session(&hash)?;
    let data = &session.data;
    let entry = desk.views().entry(&data.subject)?;
    if entry.document.fence != data.fence || !is_active(data.subject.kind, &entry) {
        return None;
    }
    let root = data.subject.realm == RealmPath::root();
    let role = match data.subject.kind {
        Kind::User if root && &*data.subject.id == ADMINISTRATOR_ID => Role::Administrator,
        Kind::User => Role::User,
        _ => Role::Agent,
    };
    Some(Caller { hash, session, role })
}

/// The caller of `request`, if it carries a live session. Includes the barrier, and notes that the session was used.
///
/// # Errors
/// Without quorum nobody is known (G7).
pub async fn authenticated(desk: &Desk, request: &HttpRequest) -> Result<Option<Caller>, Unavailable> {
    let Some(token) = presented_token(desk, request) else {
        return Ok(None);
    };
    desk.barrier().await?;
    let caller = session(desk, &token);
    if let Some(caller) = &caller {
        context::called_by(caller);
        touch(desk, caller);
    }
    Ok(caller)
}

/// Notes the use of a session, now and then, without making anybody wait for it.
pub fn touch(desk: &Desk, caller: &Caller) {
    if desk.views().log_time() >= caller.session.used + Span(TOUCH_AFTER) {
        let (desk, hash) = (desk.clone(), caller.hash);
        // A lost note costs the session some of its idle time; the next use notes again.
        actix_web::rt::spawn(async move { drop(desk.propose(Command::TouchSession(TouchSession(hash))).await) });
    }
}
