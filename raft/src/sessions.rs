//! Sessions (SSO tokens): who authenticated, when, and until when it counts.
//!
//! | what is decided inside one entry                            | here               |
//! |-------------------------------------------------------------|--------------------|
//! | whether a subject may have one more, and which one goes      | `Sessions::start`  |
//! | that an upgraded session ends when the new one starts        | `Sessions::start`  |
//! | changes of properties: of each property, the last one counts | `Sessions::update` |
//! | that all sessions of a subject end                           | `Sessions::destroy_of` |

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    documents::{DocumentKey, Kind},
    ids::{ProposalId, RealmPath, Seq},
    limits::{DRAFT_WINDOW_MS, MAX_ANSWERS, MAX_PROPERTY_BYTES, MAX_SESSIONS},
    owners::{Committed, Owned},
    time::{Span, Stamp},
    token::TokenHash,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a session is about; fixed when it starts, but for its properties.
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

/// How many sessions a subject may have, and what happens to the others when one more starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Most sessions at the same time; at least one.
    pub limit: u32,
    /// What to do when there are as many.
    pub exceeded: Exceeded,
}

/// What happens when a subject with as many sessions as it may have starts another. Order is the log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exceeded {
    /// The one that would die first ends.
    DestroyNextExpiring,
    /// The one that started first ends.
    DestroyOldest,
    /// All of them end.
    DestroyAll,
    /// There is no new one.
    DenyAccess,
}

/// Start a session, as [`CreateSession`], under a quota or in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartSession {
    /// SHA-256 of the handle.
    pub hash: TokenHash,
    /// What it is about.
    pub data: Arc<SessionData>,
    /// How many the subject may have; `None`: any number.
    pub quota: Option<Quota>,
    /// A session of the same subject, which ends when this one starts.
    pub replaces: Option<TokenHash>,
}

/// Change properties of a session; those that are not named stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateSession {
    /// Which one.
    pub hash: TokenHash,
    /// New values by name; `None` takes the property away.
    pub changes: BTreeMap<Arc<str>, Option<Arc<str>>>,
}

/// End all sessions of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroySessionsOf(pub DocumentKey);

/// The commands that sessions understand.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionCommand {
    /// See [`CreateSession`].
    Create(CreateSession),
    /// See [`TouchSession`].
    Touch(TouchSession),
    /// See [`DestroySession`].
    Destroy(DestroySession),
    /// See [`StartSession`].
    Start(StartSession),
    /// See [`UpdateSession`].
    Update(UpdateSession),
    /// See [`DestroySessionsOf`].
    DestroyOf(DestroySessionsOf),
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
    /// First answers of proposals that nothing else tells a copy of, until no copy can have an effect (R-6; ADR 9).
    answers: Buckets<(Outcome, Stamp), ProposalId>,
    // INVARIANT: the three below are derived from the ones above; `restore` rebuilds them.
    deaths: BTreeSet<(Stamp, TokenHash)>,
    forgotten: BTreeSet<(Stamp, ProposalId)>,
    by_subject: BTreeSet<(DocumentKey, TokenHash)>,
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
            SessionCommand::Start(start) => self.start(committed.id, start, changed),
            SessionCommand::Update(update) => self.once(committed.id, |sessions| sessions.update(update, changed)),
            SessionCommand::DestroyOf(DestroySessionsOf(subject)) => {
                self.once(committed.id, |sessions| Ok(sessions.destroy_of(&subject, changed)))
            }
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
                    self.by_subject.remove(&(session.data.subject.clone(), hash));
                    let forget = session.created + Span(DRAFT_WINDOW_MS);
                    if forget > self.now {
                        self.remember(hash, session, forget);
                    }
                    changed.push((hash, None));
                }
                None => drop(self.ended.remove(&hash)),
            }
        }
        while let Some(&(when, id)) = self.forgotten.first()
            && when <= self.now
        {
            self.forgotten.pop_first();
            self.answers.remove(&id);
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        let forgotten = self.forgotten.first().map(|&(when, _)| when);
        self.deaths.first().map(|&(when, _)| when).into_iter().chain(forgotten).min()
    }

    fn frozen(&self) -> Self {
        let (live, ended, answers) = (self.live.clone(), self.ended.clone(), self.answers.clone());
        Self { now: self.now, live, ended, answers, ..Self::default() }
    }
}

impl Sessions {
    fn create(&mut self, create: CreateSession, changed: &mut Vec<SessionChange>) -> Result<Outcome, Refusal> {
        if let Some(first) = self.made(&create.hash) {
            return Ok(first);
        }
        if self.live.len() + self.ended.len() >= MAX_SESSIONS {
            return Err(Refusal::Full);
        }
        Ok(self.begin(create.hash, create.data, changed))
    }

    /// What came of an earlier copy: a handle is random, so the same hash again is the same attempt again.
    fn made(&self, hash: &TokenHash) -> Option<Outcome> {
        let ended = || self.ended.get(hash).map(|(session, _)| session);
        let stored = self.live.get(hash).or_else(ended)?;
        Some(Outcome::Issued { issued: stored.created, expires: stored.expires() })
    }

    fn begin(&mut self, hash: TokenHash, data: Arc<SessionData>, changed: &mut Vec<SessionChange>) -> Outcome {
        let session = Session { data, created: self.now, used: self.now };
        let outcome = Outcome::Issued { issued: session.created, expires: session.expires() };
        self.by_subject.insert((session.data.subject.clone(), hash));
        self.set(hash, session, changed);
        outcome
    }

    /// A session that was started tells a copy what came of it; a refusal has to be remembered, or a copy would start the
    /// session after all, and end others for it.
    fn start(
        &mut self,
        id: ProposalId,
        start: StartSession,
        changed: &mut Vec<SessionChange>,
    ) -> Result<Outcome, Refusal> {
        if let Some(first) = self.made(&start.hash).or_else(|| self.answered(id)) {
            return Ok(first);
        }
        if self.answers.len() >= MAX_ANSWERS {
            return Err(Refusal::Full);
        }
        let StartSession { hash, data, quota, replaces } = start;
        let ending = self.make_room(&data, quota, replaces).inspect_err(|refusal| {
            self.answer(id, Outcome::Refused(refusal.clone()));
        })?;
        for former in ending {
            self.end(&former, changed);
        }
        Ok(self.begin(hash, data, changed))
    }

    /// Reads only: which sessions have to end for this one to start, or why it may not.
    fn make_room(
        &self,
        data: &SessionData,
        quota: Option<Quota>,
        replaces: Option<TokenHash>,
    ) -> Result<Vec<TokenHash>, Refusal> {
        if size(&data.properties) > MAX_PROPERTY_BYTES || self.live.len() + self.ended.len() >= MAX_SESSIONS {
            return Err(Refusal::Full);
        }
        if let Some(former) = replaces
            && self.live.get(&former).is_none_or(|session| session.data.subject != data.subject)
        {
            return Err(Refusal::UnknownSession);
        }
        let mut ending: Vec<TokenHash> = replaces.into_iter().collect();
        let Some(Quota { limit, exceeded }) = quota else {
            return Ok(ending);
        };
        let others = self.of_subject(&data.subject).filter(|(hash, _)| Some(**hash) != replaces);
        let mut others: Vec<(&TokenHash, &Arc<Session>)> = others.collect();
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        if others.len() < limit {
            return Ok(ending);
        }
        let excess = others.len() - limit + 1;
        match exceeded {
            Exceeded::DenyAccess => return Err(Refusal::Quota),
            Exceeded::DestroyAll => {}
            Exceeded::DestroyOldest => {
                others.sort_by_key(|(hash, session)| (session.created, **hash));
                others.truncate(excess);
            }
            Exceeded::DestroyNextExpiring => {
                others.sort_by_key(|(hash, session)| (session.expires(), **hash));
                others.truncate(excess);
            }
        }
        ending.extend(others.into_iter().map(|(hash, _)| *hash));
        Ok(ending)
    }

    /// A change of properties neither lengthens nor shortens a life.
    fn update(&mut self, update: UpdateSession, changed: &mut Vec<SessionChange>) -> Result<Outcome, Refusal> {
        let UpdateSession { hash, changes } = update;
        let stored = self.live.get(&hash).ok_or(Refusal::UnknownSession)?;
        let mut properties = stored.data.properties.clone();
        for (name, value) in changes {
            match value {
                Some(value) => drop(properties.insert(name, value)),
                None => drop(properties.remove(&name)),
            }
        }
        if size(&properties) > MAX_PROPERTY_BYTES {
            return Err(Refusal::Full);
        }
        let data = Arc::new(SessionData { properties, ..(*stored.data).clone() });
        let session = Session { data, ..(**stored).clone() };
        let outcome = Outcome::Issued { issued: session.created, expires: session.expires() };
        self.set(hash, session, changed);
        Ok(outcome)
    }

    fn destroy_of(&mut self, subject: &DocumentKey, changed: &mut Vec<SessionChange>) -> Outcome {
        let theirs: Vec<TokenHash> = self.of_subject(subject).map(|(hash, _)| *hash).collect();
        for hash in theirs {
            self.end(&hash, changed);
        }
        Outcome::Done
    }

    /// Does what no later copy may do again.
    fn once(
        &mut self,
        id: ProposalId,
        effect: impl FnOnce(&mut Self) -> Result<Outcome, Refusal>,
    ) -> Result<Outcome, Refusal> {
        if let Some(first) = self.answered(id) {
            return Ok(first);
        }
        if self.answers.len() >= MAX_ANSWERS {
            return Err(Refusal::Full);
        }
        let outcome = effect(self).unwrap_or_else(Outcome::Refused);
        self.answer(id, outcome.clone());
        Ok(outcome)
    }

    fn answered(&self, id: ProposalId) -> Option<Outcome> {
        self.answers.get(&id).map(|(first, _)| first.clone())
    }

    fn answer(&mut self, id: ProposalId, outcome: Outcome) {
        let forget = self.now + Span(DRAFT_WINDOW_MS);
        self.forgotten.insert((forget, id));
        self.answers.insert(id, (outcome, forget));
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
        match self.end(hash, changed) {
            true => Ok(Outcome::Done),
            false => Err(Refusal::UnknownSession),
        }
    }

    /// Whether there was such a session; it has ended now.
    fn end(&mut self, hash: &TokenHash, changed: &mut Vec<SessionChange>) -> bool {
        let Some(session) = self.live.remove(hash) else {
            return false;
        };
        self.deaths.remove(&(session.expires(), *hash));
        self.by_subject.remove(&(session.data.subject.clone(), *hash));
        self.remember(*hash, session, self.now + Span(DRAFT_WINDOW_MS));
        changed.push((*hash, None));
        true
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

    /// Answers that are remembered for copies, by proposal.
    pub fn answers(&self) -> &Buckets<(Outcome, Stamp), ProposalId> {
        &self.answers
    }

    /// The live sessions of a subject, in the order of their hashes, without a look at any other.
    pub fn of_subject(&self, subject: &DocumentKey) -> impl Iterator<Item = (&TokenHash, &Arc<Session>)> {
        let end = |fill: u8| (subject.clone(), TokenHash([fill; 32]));
        self.by_subject.range(end(0)..=end(u8::MAX)).filter_map(|(_, hash)| Some((hash, self.live.get(hash)?)))
    }

    /// The live sessions of a realm's subjects, by subject, without a look at any other realm.
    pub fn of_realm(&self, realm: &RealmPath) -> impl Iterator<Item = (&TokenHash, &Arc<Session>)> {
        // Keys sort by realm first; none comes before the first kind with an empty id.
        let first = (DocumentKey::new(realm, Kind::Settings, ""), TokenHash([0; 32]));
        let range = self.by_subject.range(first..).take_while(move |(subject, _)| subject.realm == *realm);
        range.filter_map(|(_, hash)| Some((hash, self.live.get(hash)?)))
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(
        now: Stamp,
        live: impl IntoIterator<Item = (TokenHash, Session)>,
        ended: impl IntoIterator<Item = (TokenHash, Session, Stamp)>,
        answers: impl IntoIterator<Item = (ProposalId, Outcome, Stamp)>,
    ) -> Self {
        let mut restored = Self { now, ..Self::default() };
        let mut deaths = Vec::new();
        for (hash, session) in live {
            deaths.push((session.expires(), hash));
            restored.by_subject.insert((session.data.subject.clone(), hash));
            restored.live.insert(hash, Arc::new(session));
        }
        for (hash, session, forget) in ended {
            deaths.push((forget, hash));
            restored.ended.insert(hash, (Arc::new(session), forget));
        }
        restored.deaths = deaths.into_iter().collect();
        for (id, outcome, forget) in answers {
            restored.forgotten.insert((forget, id));
            restored.answers.insert(id, (outcome, forget));
        }
        restored
    }
}

/// Bytes of all names and values.
fn size(properties: &BTreeMap<Arc<str>, Arc<str>>) -> usize {
    properties.iter().map(|(name, value)| name.len() + value.len()).sum()
}
