//! All replicated state together: as one plain value, as a frozen copy, and as the parts of a snapshot.

use crate::{
    attempts::{Attempts, Counter},
    blacklist::Blacklist,
    codec::{self, CodecError},
    command::{Command, Outcome},
    documents::{Document, DocumentKey, Documents},
    grant_sets::{AccessToken, GrantSets, StoredCode, Template},
    ids::{GrantId, ProposalId},
    limits::SHARDS,
    live_tokens::TokenId,
    owners::{Clock, Committed, Owned, Owners, Split, run, split},
    sessions::{Session, Sessions},
    time::Stamp,
    token::TokenHash,
    transactions::{Transaction, Transactions},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Everything that the log has brought about.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Grant sets, by shard.
    pub grants: Vec<GrantSets>,
    /// Revoked client-based tokens.
    pub blacklist: Blacklist,
    /// Sessions.
    pub sessions: Sessions,
    /// Failed attempts.
    pub attempts: Attempts,
    /// What users have to confirm.
    pub transactions: Transactions,
    /// Documents.
    pub documents: Documents,
}

impl Default for State {
    fn default() -> Self {
        Self {
            grants: (0..SHARDS).map(|_| GrantSets::default()).collect(),
            blacklist: Blacklist::default(),
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            transactions: Transactions::default(),
            documents: Documents::default(),
        }
    }
}

impl State {
    /// Applies commands in log order; the same as the owners do side by side.
    pub fn apply(&mut self, batch: Vec<Committed<Command>>) -> Vec<Outcome> {
        let Split { grants, blacklist, sessions, attempts, transactions, documents, mut outcomes } = split(batch);
        let grants = self.grants.iter_mut().zip(grants).flat_map(|(shard, tasks)| run(shard, tasks, &mut Vec::new()));
        let decided = grants
            .chain(run(&mut self.blacklist, blacklist, &mut Vec::new()))
            .chain(run(&mut self.sessions, sessions, &mut Vec::new()))
            .chain(run(&mut self.attempts, attempts, &mut Vec::new()))
            .chain(run(&mut self.transactions, transactions, &mut Vec::new()))
            .chain(run(&mut self.documents, documents, &mut Vec::new()));
        for (place, outcome) in decided {
            outcomes[place] = outcome;
        }
        outcomes
    }

    /// When the next thing dies: the leader ticks then.
    pub fn next_death(&self) -> Option<Stamp> {
        let grants = self.grants.iter().filter_map(GrantSets::next_death);
        let others = [
            self.blacklist.next_death(),
            self.sessions.next_death(),
            self.attempts.next_death(),
            self.transactions.next_death(),
            self.documents.next_death(),
        ];
        grants.chain(others.into_iter().flatten()).min()
    }

    /// A copy for a snapshot, in no time.
    pub fn freeze(&self) -> Frozen {
        Frozen {
            grants: self.grants.iter().map(GrantSets::frozen).collect(),
            blacklist: self.blacklist.frozen(),
            sessions: self.sessions.frozen(),
            attempts: self.attempts.frozen(),
            transactions: self.transactions.frozen(),
            documents: self.documents.frozen(),
        }
    }
}

/// The state between two applies, cheap to take and to hold, put together from what each owner froze.
#[derive(Clone, Debug)]
pub struct Frozen {
    grants: Vec<GrantSets>,
    blacklist: Blacklist,
    sessions: Sessions,
    attempts: Attempts,
    transactions: Transactions,
    documents: Documents,
}

impl Frozen {
    /// From the frozen copies of the owners; grant sets in the order of their shards.
    pub fn new(
        grants: Vec<GrantSets>,
        blacklist: Blacklist,
        sessions: Sessions,
        attempts: Attempts,
        transactions: Transactions,
        documents: Documents,
    ) -> Self {
        Self { grants, blacklist, sessions, attempts, transactions, documents }
    }
}

/// A piece of a snapshot. The same state gives the same pieces on every node (G9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part(pub Vec<u8>);

/// Aimed size of a part: small enough for one record of the store, unless a single item is larger.
const PART_BYTES: usize = 4096;

/// What a part holds. Order is the snapshot format.
#[derive(Debug, Serialize, Deserialize)]
enum Content {
    /// A shard's log time and its revoked families.
    Shard(u8, Stamp, Vec<(GrantId, Stamp)>),
    /// Templates used by the access and ended parts of the shard that follow: number and content.
    Templates(u8, Vec<(u32, Template)>),
    Access(u8, Vec<(TokenHash, StoredAccess)>),
    Codes(u8, Vec<(TokenHash, StoredCode)>),
    Blacklist(Stamp, Vec<(TokenHash, Stamp)>),
    Sessions(Stamp, Vec<(TokenHash, Session)>),
    Documents(Vec<(DocumentKey, Document)>),
    /// The documents' log time, and answers to retries, each with when it is forgotten.
    Answers(Stamp, Vec<(ProposalId, Outcome, Stamp)>),
    /// Log time of the whole state; an owner that heard nothing for a while is behind it.
    Clock(Stamp),
    /// Dead tokens of a shard that are remembered, and until when.
    Ended(u8, Vec<(TokenHash, StoredAccess, Stamp)>),
    /// Dead sessions that are remembered, and until when.
    EndedSessions(Vec<(TokenHash, Session, Stamp)>),
    /// What was used once, by which proposal, and until when that is remembered.
    Spent(Vec<(TokenHash, ProposalId, Stamp)>),
    /// Answers about sessions, for copies, each with when it is forgotten.
    SessionAnswers(Vec<(ProposalId, Outcome, Stamp)>),
    /// The log time of the counters of failed attempts, and counters.
    Attempts(Stamp, Vec<(TokenHash, Counter)>),
    /// The log time of the transactions, and transactions.
    Transactions(Stamp, Vec<(TokenHash, Transaction)>),
}

/// An access token beside its template's number.
#[derive(Debug, Serialize, Deserialize)]
struct StoredAccess {
    template: u32,
    grant: GrantId,
    issued: Stamp,
    expires: Stamp,
    auth_time: u64,
    audit_counter: u64,
}

/// Groups items into parts of about [`PART_BYTES`].
fn pack<T: Serialize>(
    items: impl Iterator<Item = T>,
    estimate: usize,
    mut content: impl FnMut(Vec<T>) -> Content,
    out: &mut dyn FnMut(Part) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let per_part = (PART_BYTES / estimate).max(1);
    let mut group = Vec::with_capacity(per_part);
    for item in items {
        group.push(item);
        if group.len() == per_part {
            out(Part(codec::encode(&content(std::mem::take(&mut group)))?))?;
        }
    }
    if !group.is_empty() {
        out(Part(codec::encode(&content(group))?))?;
    }
    Ok(())
}

impl Frozen {
    /// Writes the snapshot taken at log time `clock`, part by part, in an order that [`StateBuilder`] can read. Runs beside the owners.
    ///
    /// # Errors
    /// Whatever `out` returns; encoding itself does not fail on states that `apply` can reach.
    pub fn write(&self, clock: Clock, out: &mut dyn FnMut(Part) -> std::io::Result<()>) -> std::io::Result<()> {
        out(Part(codec::encode(&Content::Clock(clock.now()))?))?;
        for (number, shard) in (0u8..).zip(&self.grants) {
            let revoked = shard.revoked().iter().map(|(&grant, &until)| (grant, until)).collect();
            out(Part(codec::encode(&Content::Shard(number, shard.now(), revoked))?))?;
            // Numbers by first use in the order of the hashes: the same on every replica.
            let mut numbers: BTreeMap<&Template, u32> = BTreeMap::new();
            let ended = shard.ended().iter().map(|(_, (token, _))| token);
            for token in shard.access().iter().map(|(_, token)| token).chain(ended) {
                let next = numbers.len() as u32;
                numbers.entry(&token.template).or_insert(next);
            }
            let mut templates: Vec<(u32, Template)> = numbers.iter().map(|(&t, &n)| (n, t.clone())).collect();
            templates.sort_by_key(|&(n, _)| n);
            pack(templates.into_iter(), 400, |group| Content::Templates(number, group), out)?;
            let stored = |(hash, token): (&TokenHash, &Arc<AccessToken>)| {
                let stored = StoredAccess {
                    template: *numbers.get(&*token.template)?,
                    grant: token.id.grant,
                    issued: token.issued,
                    expires: token.expires,
                    auth_time: token.auth_time,
                    audit_counter: token.audit_counter,
                };
                Some((*hash, stored))
            };
            pack(shard.access().iter().filter_map(stored), 96, |group| Content::Access(number, group), out)?;
            let ended = shard.ended().iter().filter_map(|(hash, (token, forget))| {
                let (hash, token) = stored((hash, token))?;
                Some((hash, token, *forget))
            });
            pack(ended, 104, |group| Content::Ended(number, group), out)?;
            let codes = shard.codes().iter().map(|(hash, code)| (*hash, (**code).clone()));
            pack(codes, 512, |group| Content::Codes(number, group), out)?;
        }
        let entries = self.blacklist.entries().iter().map(|(&jti, &until)| (jti, until));
        out(Part(codec::encode(&Content::Blacklist(self.blacklist.now(), Vec::new()))?))?;
        pack(entries, 40, |group| Content::Blacklist(self.blacklist.now(), group), out)?;
        let spent = self.blacklist.spent().iter().map(|(&hash, &(by, forget))| (hash, by, forget));
        pack(spent, 56, Content::Spent, out)?;
        let sessions = self.sessions.live().iter().map(|(hash, session)| (*hash, (**session).clone()));
        out(Part(codec::encode(&Content::Sessions(self.sessions.now(), Vec::new()))?))?;
        pack(sessions, 512, |group| Content::Sessions(self.sessions.now(), group), out)?;
        let ended = self.sessions.ended().iter();
        let ended = ended.map(|(hash, (session, forget))| (*hash, (**session).clone(), *forget));
        pack(ended, 512, Content::EndedSessions, out)?;
        let answers = self.sessions.answers().iter();
        let answers = answers.map(|(id, (outcome, forget))| (*id, outcome.clone(), *forget));
        pack(answers, 40, Content::SessionAnswers, out)?;
        let now = self.attempts.now();
        out(Part(codec::encode(&Content::Attempts(now, Vec::new()))?))?;
        let counters = self.attempts.counters().iter().map(|(&key, &counter)| (key, counter));
        pack(counters, 48, |group| Content::Attempts(now, group), out)?;
        let now = self.transactions.now();
        out(Part(codec::encode(&Content::Transactions(now, Vec::new()))?))?;
        let transactions = self.transactions.all().iter().map(|(hash, transaction)| (*hash, (**transaction).clone()));
        pack(transactions, 256, |group| Content::Transactions(now, group), out)?;
        let documents = self.documents.iter().filter_map(|(key, document)| Some((key, (*document?).clone())));
        pack(documents, 1024, Content::Documents, out)?;
        let now = self.documents.now();
        out(Part(codec::encode(&Content::Answers(now, Vec::new()))?))?;
        let answers = self.documents.answers().iter();
        let answers = answers.map(|(id, (outcome, forget))| (*id, outcome.clone(), *forget));
        pack(answers, 40, |group| Content::Answers(now, group), out)
    }
}

/// Puts a [`State`] together from the parts of a snapshot.
#[derive(Default)]
pub struct StateBuilder {
    clock: Clock,
    shards: BTreeMap<u8, ShardParts>,
    blacklist: (Stamp, Vec<(TokenHash, Stamp)>),
    spent: Vec<(TokenHash, ProposalId, Stamp)>,
    sessions: (Stamp, Vec<(TokenHash, Session)>),
    ended_sessions: Vec<(TokenHash, Session, Stamp)>,
    session_answers: Vec<(ProposalId, Outcome, Stamp)>,
    attempts: (Stamp, Vec<(TokenHash, Counter)>),
    transactions: (Stamp, Vec<(TokenHash, Transaction)>),
    documents: Vec<(DocumentKey, Document)>,
    answers: (Stamp, Vec<(ProposalId, Outcome, Stamp)>),
}

#[derive(Default)]
struct ShardParts {
    now: Stamp,
    revoked: Vec<(GrantId, Stamp)>,
    templates: BTreeMap<u32, Arc<Template>>,
    access: Vec<AccessToken>,
    ended: Vec<(AccessToken, Stamp)>,
    codes: Vec<(TokenHash, StoredCode)>,
}

impl ShardParts {
    /// The token with its template back in place.
    fn token(&self, (hash, stored): (TokenHash, StoredAccess)) -> Result<AccessToken, CodecError> {
        let StoredAccess { template, grant, issued, expires, auth_time, audit_counter } = stored;
        let template = self.templates.get(&template).ok_or_else(|| broken("a token without template"))?.clone();
        Ok(AccessToken { id: TokenId { grant, hash }, template, issued, expires, auth_time, audit_counter })
    }
}

fn broken(what: &str) -> CodecError {
    CodecError::Malformed(what.into())
}

impl StateBuilder {
    /// Takes the next part, in the order they were written.
    ///
    /// # Errors
    /// A part that this build cannot read, or that does not fit what came before it.
    pub fn push(&mut self, part: &Part) -> Result<(), CodecError> {
        match codec::decode::<Content>(&part.0)? {
            Content::Shard(n, ..)
            | Content::Templates(n, _)
            | Content::Access(n, _)
            | Content::Ended(n, _)
            | Content::Codes(n, _)
                if n >= SHARDS =>
            {
                return Err(broken("a shard that does not exist"));
            }
            Content::Shard(n, now, revoked) => {
                let shard = self.shards.entry(n).or_default();
                shard.now = now;
                shard.revoked = revoked;
            }
            Content::Templates(n, templates) => {
                let shard = self.shards.entry(n).or_default();
                shard.templates.extend(templates.into_iter().map(|(n, t)| (n, Arc::new(t))));
            }
            Content::Access(n, tokens) => {
                let shard = self.shards.entry(n).or_default();
                let tokens = tokens.into_iter().map(|stored| shard.token(stored)).collect::<Result<Vec<_>, _>>()?;
                shard.access.extend(tokens);
            }
            Content::Ended(n, tokens) => {
                let shard = self.shards.entry(n).or_default();
                for (hash, stored, forget) in tokens {
                    let token = shard.token((hash, stored))?;
                    shard.ended.push((token, forget));
                }
            }
            Content::Codes(n, codes) => self.shards.entry(n).or_default().codes.extend(codes),
            Content::Blacklist(now, entries) => {
                self.blacklist.0 = now;
                self.blacklist.1.extend(entries);
            }
            Content::Spent(spent) => self.spent.extend(spent),
            Content::Sessions(now, sessions) => {
                self.sessions.0 = now;
                self.sessions.1.extend(sessions);
            }
            Content::EndedSessions(sessions) => self.ended_sessions.extend(sessions),
            Content::SessionAnswers(answers) => self.session_answers.extend(answers),
            Content::Attempts(now, counters) => {
                self.attempts.0 = now;
                self.attempts.1.extend(counters);
            }
            Content::Transactions(now, transactions) => {
                self.transactions.0 = now;
                self.transactions.1.extend(transactions);
            }
            Content::Documents(documents) => self.documents.extend(documents),
            Content::Clock(now) => self.clock = Clock::at(now),
            Content::Answers(now, answers) => {
                self.answers.0 = now;
                self.answers.1.extend(answers);
            }
        }
        Ok(())
    }

    /// The state with every derived index rebuilt, and the log time that it had reached.
    pub fn finish(mut self) -> (State, Clock) {
        let grants = (0..SHARDS)
            .map(|n| {
                let shard = self.shards.remove(&n).unwrap_or_default();
                GrantSets::restore(shard.now, shard.access, shard.ended, shard.codes, shard.revoked)
            })
            .collect();
        let state = State {
            grants,
            blacklist: Blacklist::restore(self.blacklist.0, self.blacklist.1, self.spent),
            sessions: Sessions::restore(self.sessions.0, self.sessions.1, self.ended_sessions, self.session_answers),
            attempts: Attempts::restore(self.attempts.0, self.attempts.1),
            transactions: Transactions::restore(self.transactions.0, self.transactions.1),
            documents: Documents::restore(self.answers.0, self.documents, self.answers.1),
        };
        (state, self.clock)
    }
}

/// The state as one value behind a lock: for tests, simulation and benchmarks.
#[derive(Default)]
pub struct PlainOwners(pub Mutex<State>);

impl Owners for PlainOwners {
    async fn apply(&self, batch: Vec<Committed<Command>>) -> Vec<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).apply(batch)
    }

    async fn freeze(&self) -> Frozen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).freeze()
    }

    async fn install(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
