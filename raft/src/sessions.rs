//! Sessions (SSO tokens): who authenticated, when, and until when it counts.

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    documents::DocumentKey,
    ids::{RealmPath, Seq},
    limits::{DRAFT_WINDOW_MS, MAX_SESSIONS},
    owners::{Committed, Owned},
    time::{Span, Stamp},
    token::TokenHash,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a session is about; fixed when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionData {
    /// The realm that authenticated it.
    pub realm: RealmPath,
    /// The document of whoever authenticated: a user or an agent.
    pub subject: DocumentKey,
    /// That document's fence; the session dies when it moves (G3).
    pub fence: Seq,
    /// The name in its canonical spelling.
    pub name: Arc<str>,
    /// AM's universal id, e.g. `id=demo,ou=user,o=alpha,ou=services,ou=am-config`.
    pub universal_id: Arc<str>,
    /// Authentication level that was reached.
    pub auth_level: i32,
    /// Longest life.
    pub max_life: Span,
    /// Longest pause between two uses.
    pub max_idle: Span,
    /// Session properties.
    pub properties: BTreeMap<Arc<str>, Arc<str>>,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// What it is about.
    pub data: Arc<SessionData>,
    /// When it started, log time.
    pub created: Stamp,
    /// When it was last used, log time.
    pub used: Stamp,
}

impl Session {
    /// From when it is dead: the earlier of its two limits.
    pub fn expires(&self) -> Stamp {
        (self.created + self.data.max_life).min(self.used + self.data.max_idle)
    }
}

/// Start a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSession {
    /// SHA-256 of the handle.
    pub hash: TokenHash,
    /// What it is about.
    pub data: Arc<SessionData>,
}

/// Note that a session was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TouchSession(pub TokenHash);

/// End a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroySession(pub TokenHash);

/// The commands that sessions understand.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionCommand {
    /// See [`CreateSession`].
    Create(CreateSession),
    /// See [`TouchSession`].
    Touch(TouchSession),
    /// See [`DestroySession`].
    Destroy(DestroySession),
}

/// A session that changed, or ended.
pub type SessionChange = (TokenHash, Option<Arc<Session>>);

/// All sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sessions {
    now: Stamp,
    live: Buckets<Arc<Session>>,
    /// Sessions that were destroyed, or have expired early, as long as a copy of what made or ended them can have an effect
    /// (ADR 9).
    ended: Buckets<(Arc<Session>, Stamp)>,
    /// Derived from both.
    deaths: BTreeSet<(Stamp, TokenHash)>,
}

impl Owned for Sessions {
    type Command = SessionCommand;
    type Change = SessionChange;

    fn apply(&mut self, committed: Committed<SessionCommand>, changed: &mut Vec<SessionChange>) -> Outcome {
        self.advance(committed.at, changed);
        match committed.command {
            SessionCommand::Create(create) => self.create(create, changed),
            SessionCommand::Touch(TouchSession(hash)) => self.touch(hash, changed),
            SessionCommand::Destroy(DestroySession(hash)) => self.destroy(&hash, changed),
        }
        .unwrap_or_else(Outcome::Refused)
    }

    fn advance(&mut self, at: Stamp, changed: &mut Vec<SessionChange>) {
        self.now = self.now.max(at);
        while let Some(&(when, hash)) = self.deaths.first()
            && when <= self.now
        {
            self.deaths.pop_first();
            // INVARIANT: a hash is live or ended, never both, so each has one death.
            match self.live.remove(&hash) {
                Some(session) => {
                    let forget = session.created + Span(DRAFT_WINDOW_MS);
                    if forget > self.now {
                        self.remember(hash, session, forget);
                    }
                    changed.push((hash, None));
                }
                None => drop(self.ended.remove(&hash)),
            }
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        self.deaths.first().map(|&(when, _)| when)
    }

    fn frozen(&self) -> Self {
        Self { now: self.now, live: self.live.clone(), ended: self.ended.clone(), deaths: BTreeSet::new() }
    }
}

impl Sessions {
    fn create(&mut self, create: CreateSession, changed: &mut Vec<SessionChange>) -> Result<Outcome, Refusal> {
        // A handle is random: the same hash again is the same attempt again.
        if let Some(stored) =
            self.live.get(&create.hash).or_else(|| self.ended.get(&create.hash).map(|(session, _)| session))
        {
            return Ok(Outcome::Issued { issued: stored.created, expires: stored.expires() });
        }
        if self.live.len() + self.ended.len() >= MAX_SESSIONS {
            return Err(Refusal::Full);
        }
        let session = Session { data: create.data, created: self.now, used: self.now };
        let outcome = Outcome::Issued { issued: session.created, expires: session.expires() };
        self.set(create.hash, session, changed);
        Ok(outcome)
    }

    fn touch(&mut self, hash: TokenHash, changed: &mut Vec<SessionChange>) -> Result<Outcome, Refusal> {
        let stored = self.live.get(&hash).ok_or(Refusal::UnknownSession)?;
        let session = Session { used: self.now, ..(**stored).clone() };
        let outcome = Outcome::Issued { issued: session.created, expires: session.expires() };
        self.set(hash, session, changed);
        Ok(outcome)
    }

    /// A destroyed session is remembered until no copy can have an effect any more, neither of the proposal that made it
    /// (G3) nor of this one.
    fn destroy(&mut self, hash: &TokenHash, changed: &mut Vec<SessionChange>) -> Result<Outcome, Refusal> {
        if self.ended.get(hash).is_some() {
            return Ok(Outcome::Done);
        }
        let session = self.live.remove(hash).ok_or(Refusal::UnknownSession)?;
        self.deaths.remove(&(session.expires(), *hash));
        self.remember(*hash, session, self.now + Span(DRAFT_WINDOW_MS));
        changed.push((*hash, None));
        Ok(Outcome::Done)
    }

    fn remember(&mut self, hash: TokenHash, session: Arc<Session>, forget: Stamp) {
        self.deaths.insert((forget, hash));
        self.ended.insert(hash, (session, forget));
    }

    fn set(&mut self, hash: TokenHash, session: Session, changed: &mut Vec<SessionChange>) {
        let session = Arc::new(session);
        if let Some(former) = self.live.insert(hash, session.clone()) {
            self.deaths.remove(&(former.expires(), hash));
        }
        self.deaths.insert((session.expires(), hash));
        changed.push((hash, Some(session)));
    }

    /// Live sessions, in the order of their hashes.
    pub fn live(&self) -> &Buckets<Arc<Session>> {
        &self.live
    }

    /// Dead sessions that are remembered, so that no copy of a creation brings them back, in the order of their hashes.
    pub fn ended(&self) -> &Buckets<(Arc<Session>, Stamp)> {
        &self.ended
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(
        now: Stamp,
        live: impl IntoIterator<Item = (TokenHash, Session)>,
        ended: impl IntoIterator<Item = (TokenHash, Session, Stamp)>,
    ) -> Self {
        let mut restored = Self { now, ..Self::default() };
        let mut deaths = Vec::new();
        for (hash, session) in live {
            deaths.push((session.expires(), hash));
            restored.live.insert(hash, Arc::new(session));
        }
        for (hash, session, forget) in ended {
            deaths.push((forget, hash));
            restored.ended.insert(hash, (Arc::new(session), forget));
        }
        restored.deaths = deaths.into_iter().collect();
        restored
    }
}
