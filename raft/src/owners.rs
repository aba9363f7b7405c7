//! Who holds the live state. [`Owners`] is the whole seam between the log and its effect: actors implement it in
//! production, a plain value in tests and simulation. [`Clock`] and [`split`] are shared by both, so that they agree.

use crate::{
    attempts::AttemptCommand,
    blacklist::BlacklistCommand,
    command::{Batch, Command, Outcome, Refusal, is_timely},
    documents::DocumentCommand,
    grant_sets::GrantCommand,
    ids::{ProposalId, Seq},
    limits::SHARDS,
    sessions::SessionCommand,
    state::{Frozen, State},
    time::Stamp,
    transactions::Transact,
};
use std::future::Future;

/// A command with what the log knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed<C> {
    /// Its place in the log.
    pub seq: Seq,
    /// Log time; never runs backwards.
    pub at: Stamp,
    /// Identifies the attempt.
    pub id: ProposalId,
    /// The draft's; [`split`] has seen to it.
    pub deadline: Stamp,
    /// What to do.
    pub command: C,
}

/// Holds the live state and changes it, one call at a time, in log order.
pub trait Owners: Send + Sync + 'static {
    /// Applies what was committed and answers in the same order. When it returns, read views show it.
    fn apply(&self, batch: Vec<Committed<Command>>) -> impl Future<Output = Vec<Outcome>> + Send;

    /// The state as it is between two applies, cheaply: whatever it copies is copied later, on write.
    fn freeze(&self) -> impl Future<Output = Frozen> + Send;

    /// Replaces the state, on start and when a snapshot arrives.
    fn install(&self, state: State) -> impl Future<Output = ()> + Send;
}

/// Log time: entries carry their leader's clock, and a new leader's clock may be behind the old one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock(Stamp);

impl Clock {
    /// A clock that has reached `now`.
    pub const fn at(now: Stamp) -> Self {
        Self(now)
    }

    /// Log time now.
    pub const fn now(self) -> Stamp {
        self.0
    }

    /// Places and times for the drafts of the entry at `index`.
    pub fn commit(&mut self, index: u64, batch: Batch) -> impl Iterator<Item = Committed<Command>> + use<> {
        self.0 = self.0.max(batch.at);
        let at = self.0;
        (0u16..).zip(batch.drafts).map(move |(position, draft)| Committed {
            seq: Seq::new(index, position),
            at,
            id: draft.id,
            deadline: draft.deadline,
            command: draft.command,
        })
    }
}

/// What one owner holds: a part of the state, which nobody else changes.
pub trait Owned: Default {
    /// What can be asked of it.
    type Command;
    /// What readers of it are told.
    type Change;

    /// Decides and applies one committed command; what changed is appended to `changed`.
    fn apply(&mut self, committed: Committed<Self::Command>, changed: &mut Vec<Self::Change>) -> Outcome;

    /// Moves log time on and lets go of what has died by then.
    fn advance(&mut self, at: Stamp, changed: &mut Vec<Self::Change>);

    /// Log time of this owner; behind that of the log while it hears nothing.
    fn now(&self) -> Stamp;

    /// When the next thing dies.
    fn next_death(&self) -> Option<Stamp>;

    /// A copy for a snapshot, in no time: derived indexes stay behind.
    fn frozen(&self) -> Self;
}

/// Does what an owner has to do, in order; its outcomes by their places in the answer.
pub fn run<S: Owned>(
    state: &mut S,
    tasks: Vec<Task<S::Command>>,
    changed: &mut Vec<S::Change>,
) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task {
            Task::Tick(at) => state.advance(at, changed),
            Task::Do(place, committed) => outcomes.push((place, state.apply(committed, changed))),
        }
    }
    outcomes
}

/// What one owner has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Task<C> {
    /// Time has come; nothing else.
    Tick(Stamp),
    /// A command; the number is the place of its outcome in the answer.
    Do(usize, Committed<C>),
}

/// Commands by the owner that decides them; in each list, log order. One command touches one owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Grant sets, by shard.
    pub grants: Vec<Vec<Task<GrantCommand>>>,
    /// The blacklist.
    pub blacklist: Vec<Task<BlacklistCommand>>,
    /// Sessions.
    pub sessions: Vec<Task<SessionCommand>>,
    /// Failed attempts.
    pub attempts: Vec<Task<AttemptCommand>>,
    /// Transactions.
    pub transactions: Vec<Task<Transact>>,
    /// Documents.
    pub documents: Vec<Task<DocumentCommand>>,
    /// An outcome for each command: the owners' answers go into their places. Final are [`Outcome::Done`] of a tick, and
    /// [`Refusal::Untimely`] of what no owner gets to see.
    pub outcomes: Vec<Outcome>,
}

/// What the log knows of a command that an owner is to decide.
#[derive(Clone, Copy)]
struct Seat {
    place: usize,
    seq: Seq,
    at: Stamp,
    id: ProposalId,
    deadline: Stamp,
}

impl Seat {
    fn task<C>(self, command: C) -> Task<C> {
        let Self { place, seq, at, id, deadline } = self;
        Task::Do(place, Committed { seq, at, id, deadline, command })
    }
}

/// Deals a batch out to the owners. What is not timely is refused here, for all of them alike (ADR 9); a tick always is: it
/// carries time, and two carry no more.
pub fn split(batch: Vec<Committed<Command>>) -> Split {
    let mut split = Split {
        grants: (0..SHARDS).map(|_| Vec::new()).collect(),
        blacklist: Vec::new(),
        sessions: Vec::new(),
        attempts: Vec::new(),
        transactions: Vec::new(),
        documents: Vec::new(),
        outcomes: vec![Outcome::Done; batch.len()],
    };
    for (place, Committed { seq, at, id, deadline, command }) in batch.into_iter().enumerate() {
        if !is_timely(deadline, at) && command != Command::Tick {
            split.outcomes[place] = Outcome::Refused(Refusal::Untimely);
            continue;
        }
        let seat = Seat { place, seq, at, id, deadline };
        let mut grant = |hint: u8, command| split.grants[usize::from(hint % SHARDS)].push(seat.task(command));
        match command {
            Command::Tick => {
                split.grants.iter_mut().for_each(|tasks| tasks.push(Task::Tick(at)));
                split.blacklist.push(Task::Tick(at));
                split.sessions.push(Task::Tick(at));
                split.attempts.push(Task::Tick(at));
                split.transactions.push(Task::Tick(at));
                split.documents.push(Task::Tick(at));
            }
            Command::IssueAccess(c) => grant(c.hint, GrantCommand::IssueAccess(c)),
            Command::IssueCode(c) => grant(c.hint, GrantCommand::IssueCode(c)),
            Command::RedeemCode(c) => grant(c.hint, GrantCommand::RedeemCode(c)),
            Command::RevokeAccess(c) => grant(c.hint, GrantCommand::RevokeAccess(c)),
            Command::RevokeGrant(c) => grant(c.hint, GrantCommand::RevokeGrant(c)),
            Command::BlacklistJti(c) => split.blacklist.push(seat.task(BlacklistCommand::Revoke(c))),
            Command::Spend(c) => split.blacklist.push(seat.task(BlacklistCommand::Spend(c))),
            Command::CreateSession(c) => split.sessions.push(seat.task(SessionCommand::Create(c))),
            Command::TouchSession(c) => split.sessions.push(seat.task(SessionCommand::Touch(c))),
            Command::DestroySession(c) => split.sessions.push(seat.task(SessionCommand::Destroy(c))),
            Command::WriteDocuments(c) => split.documents.push(seat.task(DocumentCommand::Write(c))),
            Command::DeleteRealm(c) => split.documents.push(seat.task(DocumentCommand::DeleteRealm(c))),
            Command::RemoveRealm(c) => split.documents.push(seat.task(DocumentCommand::RemoveRealm(c))),
            Command::StartSession(c) => split.sessions.push(seat.task(SessionCommand::Start(c))),
            Command::UpdateSession(c) => split.sessions.push(seat.task(SessionCommand::Update(c))),
            Command::DestroySessionsOf(c) => split.sessions.push(seat.task(SessionCommand::DestroyOf(c))),
            Command::NoteFailure(c) => split.attempts.push(seat.task(AttemptCommand::Note(c))),
            Command::ClearFailures(c) => split.attempts.push(seat.task(AttemptCommand::Clear(c))),
            Command::Transact(c) => split.transactions.push(seat.task(c)),
        }
    }
    split
}
