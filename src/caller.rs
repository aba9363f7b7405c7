//! Who is calling, as proved by an SSO token in the cookie or the header that is named like it.
//!
//! A session counts while it lives in log time, while the document of its subject exists with the fence that it had when the
//! session started, and while that subject is active (G3).

use crate::{
    audit::context,
    consensus::Unavailable,
    desk::Desk,
    inheritance::{self, Standing},
    privileges::{self, Endpoint, Privileges, Right},
    secrets::{HandleKind, Presented},
    sessions::{self, client_based, settings::touch_after, token},
    views::{Entry, Views},
};
use actix_web::HttpRequest;
use quorate_raft::{Command, Kind, RealmPath, Session, Span, TokenHash, sessions::TouchSession};
use std::sync::Arc;

/// No session's use is noted more often than this, whatever its realm wants.
const TOUCH_AT_MOST: Span = Span::from_secs(1);

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

/// Who keeps a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The cluster: the token is a handle.
    ByCluster,
    /// Its client: the token is the session. It does not idle out, and cannot be changed.
    ByClient,
}

/// Somebody with a live session. Holding one is the proof: only [`authenticated`] and [`session`] make them.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session's place in the state; of one that its client keeps, under what it is revoked.
    pub hash: TokenHash,
    /// The session.
    pub session: Arc<Session>,
    /// Who keeps it.
    pub kept: Kept,
    /// What the caller is.
    pub role: Role,
    /// What the caller's groups give, in the realm of the login and below: see [`Caller::may`].
    pub privileges: Privileges,
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
    pub fn administers(&self, realm: &RealmPath) -> bool {
        self.may(Endpoint::Configuration, Right::Modify, realm)
    }
}

/// Whether a stored user or agent may act, by its own document: `inetUserStatus` of users, `status` of agents; absent means
/// active. An agent that takes its status from a group may not, as far as this can tell: ask [`standing`].
pub fn is_active(kind: Kind, entry: &Entry) -> bool {
    if kind != Kind::User {
        return inheritance::standing(entry, None).active;
    }
    let json = entry.json();
    let status = json.get("inetUserStatus").map(|status| status.get(0).unwrap_or(status));
    status.and_then(|status| status.as_str()).is_none_or(|status| status.eq_ignore_ascii_case("active"))
}

/// Whether a stored user or agent may act, its group's share included, and the fence under which it does.
pub fn standing(views: &Views, kind: Kind, entry: &Entry) -> Standing {
    match kind {
        Kind::User => Standing { active: is_active(kind, entry), fence: entry.document.fence },
        _ => inheritance::standing(entry, inheritance::group(views, entry).as_deref()),
    }
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
pub fn session(desk: &Desk, presented: &str) -> Option<Caller> {
    let token = token::normal(presented)?;
    let (hash, session, kept) = match client_based::looks_like(&token) {
        true => {
            let (hash, session) = client_based::open(desk, &token)?;
            let ended = client_based::has_ended(desk, &hash, &session);
            let alive = !ended && session.created + session.data.max_life > sessions::now(desk);
            // The cluster keeps the administrator's, whatever is presented.
            (alive && !sessions::is_administrator(&session.data.subject)).then_some((hash, session, Kept::ByClient))?
        }
        false => {
            let Presented { hash, .. } = Presented::parse(HandleKind::Session, &token)?;
            (hash, desk.views().session(&hash)?, Kept::ByCluster)
        }
    };
    let data = &session.data;
    let entry = desk.views().entry(&data.subject)?;
    if standing(desk.views(), data.subject.kind, &entry) != (Standing { active: true, fence: data.fence }) {
        return None;
    }
    let role = match data.subject.kind {
        _ if sessions::is_administrator(&data.subject) => Role::Administrator,
        Kind::User => Role::User,
        _ => Role::Agent,
    };
    let privileges = match role {
        Role::User => privileges::held(desk.views(), data),
        // What these may does not come from groups: see [`Caller::may`].
        Role::Administrator | Role::Agent => Privileges::NONE,
    };
    Some(Caller { hash, session, kept, role, privileges })
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

/// Notes the use of a session, now and then, without making anybody wait for it: reads must not each cost a write. How often
/// is for the realm to say (`latestAccessTimeUpdateFrequency`).
pub fn touch(desk: &Desk, caller: &Caller) {
    let (now, used) = (sessions::now(desk), caller.session.used);
    if caller.kept == Kept::ByClient || now < used + TOUCH_AT_MOST {
        return;
    }
    if now >= used + touch_after(desk, caller.realm()) {
        let (desk, hash) = (desk.clone(), caller.hash);
        // A lost note costs the session some of its idle time; the next use notes again.
        actix_web::rt::spawn(async move { drop(desk.propose(Command::TouchSession(TouchSession(hash))).await) });
    }
}
