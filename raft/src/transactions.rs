//! Transactions: something that a user confirms by authenticating for it, and that is allowed once for that
//! (authorization.md §4.16; ADR 20).
//!
//! | step                                                        | decided in                  |
//! |-------------------------------------------------------------|-----------------------------|
//! | somebody has to confirm something                           | [`Step::Open`]              |
//! | they authenticate for it, with the session that asked for it | [`Step::Begin`], of all who try one |
//! | they have                                                   | [`Step::Complete`]          |
//! | it is allowed, once                                         | [`Step::Use`], of all who try one |
//!
//! What is confirmed is a digest here; what it is made of is nobody's business. A subject has at most
//! [`MAX_TRANSACTIONS_OF`] transactions: one more takes the place of its own oldest, and never of somebody else's (G8).
//! A transaction stays until it would have expired, used or not, and until no copy of what opened it can have an effect.

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    documents::DocumentKey,
    ids::{ProposalId, RealmPath},
    limits::{DRAFT_WINDOW_MS, MAX_STRATEGY_BYTES, MAX_TRANSACTIONS, MAX_TRANSACTIONS_OF},
    owners::{Committed, Owned},
    time::{Span, Stamp},
    token::TokenHash,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// What a transaction is about; fixed when it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionData {
    /// The realm whose policy asks for it, where it is confirmed.
    pub realm: RealmPath,
    /// The document of whoever has to confirm it.
    pub subject: DocumentKey,
    /// The session that has to authenticate for it.
    pub session: TokenHash,
    /// Digest of what is confirmed.
    pub what: TokenHash,
    /// How it is confirmed, as the policy says.
    pub strategy: Arc<str>,
    /// By which realm, tree, level, chain or module.
    pub specifier: Arc<str>,
    /// Its life.
    pub life: Span,
}

/// How far a transaction is. Order is the log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Nobody has begun to authenticate for it.
    Created,
    /// Somebody has; by which proposal.
    InProgress(ProposalId),
    /// It is confirmed; by which proposal that was begun.
    Completed(ProposalId),
    /// It was used; by which proposals it was begun and used.
    Used(ProposalId, ProposalId),
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// What it is about.
    pub data: Arc<TransactionData>,
    /// Log time of its birth.
    pub opened: Stamp,
    /// How far it is.
    pub stage: Stage,
}

impl Transaction {
    /// Log time from which it is worth nothing.
    pub fn expires(&self) -> Stamp {
        self.opened + self.data.life
    }

    /// Log time from which it is forgotten.
    fn forgotten(&self) -> Stamp {
        self.expires().max(self.opened + Span(DRAFT_WINDOW_MS))
    }
}

/// Do something with a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transact {
    /// SHA-256 of its id.
    pub hash: TokenHash,
    /// What to do.
    pub step: Step,
}

/// What is done with a transaction. Order is the log format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Make it.
    Open(Arc<TransactionData>),
    /// This session begins to authenticate for it.
    Begin(TokenHash),
    /// This session has authenticated for it.
    Complete(TokenHash),
    /// Use it for what has this digest.
    Use(TokenHash),
}

/// A transaction that changed, or went.
pub type TransactionChange = (TokenHash, Option<Arc<Transaction>>);

/// All transactions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transactions {
    now: Stamp,
    all: Buckets<Arc<Transaction>>,
    // INVARIANT: the two below are derived from the one above; `restore` rebuilds them.
    deaths: BTreeSet<(Stamp, TokenHash)>,
    /// Of each subject the oldest first.
    by_subject: BTreeSet<(DocumentKey, Stamp, TokenHash)>,
}

impl Owned for Transactions {
    type Command = Transact;
    type Change = TransactionChange;

    fn apply(&mut self, committed: Committed<Transact>, changed: &mut Vec<TransactionChange>) -> Outcome {
        self.advance(committed.at, changed);
        let Transact { hash, step } = committed.command;
        match step {
            Step::Open(data) => self.open(hash, data, changed),
            step => self.go_on(committed.id, hash, &step, changed),
        }
        .unwrap_or_else(Outcome::Refused)
    }

    fn advance(&mut self, at: Stamp, changed: &mut Vec<TransactionChange>) {
        self.now = self.now.max(at);
        while let Some(&(when, hash)) = self.deaths.first()
            && when <= self.now
        {
            self.remove(hash, changed);
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        self.deaths.first().map(|&(when, _)| when)
    }

    fn frozen(&self) -> Self {
        Self { now: self.now, all: self.all.clone(), ..Self::default() }
    }
}

impl Transactions {
    /// Ids are random: the same hash again is the same attempt again.
    fn open(
        &mut self,
        hash: TokenHash,
        data: Arc<TransactionData>,
        changed: &mut Vec<TransactionChange>,
    ) -> Result<Outcome, Refusal> {
        if let Some(known) = self.all.get(&hash) {
            return Ok(Outcome::Issued { issued: known.opened, expires: known.expires() });
        }
        if data.strategy.len() + data.specifier.len() > MAX_STRATEGY_BYTES {
            return Err(Refusal::Full);
        }
        let own: Vec<TokenHash> = self.of_subject(&data.subject).collect();
        match own.first() {
            Some(oldest) if own.len() >= MAX_TRANSACTIONS_OF => self.remove(*oldest, changed),
            _ if self.all.len() >= MAX_TRANSACTIONS => return Err(Refusal::Full),
            _ => {}
        }
        let opened = Transaction { data, opened: self.now, stage: Stage::Created };
        let outcome = Outcome::Issued { issued: opened.opened, expires: opened.expires() };
        self.put(hash, opened, changed);
        Ok(outcome)
    }

    /// Of all who begin one, and of all who use one, the first has; who hears no answer asks again with the same id.
    /// Only whoever began it completes it, so that may be said twice. A refusal is not remembered: who begins what is created
    /// and uses what is completed is refused because of somebody who came first, or too late, and that stays so.
    fn go_on(
        &mut self,
        id: ProposalId,
        hash: TokenHash,
        step: &Step,
        changed: &mut Vec<TransactionChange>,
    ) -> Result<Outcome, Refusal> {
        let known = self.all.get(&hash).filter(|known| self.now < known.expires()).ok_or(Refusal::UnknownToken)?;
        let data = &known.data;
        let next = match (step, known.stage) {
            (Step::Begin(session), _) | (Step::Complete(session), _) if *session != data.session => None,
            (Step::Use(what), _) if *what != data.what => None,
            (Step::Begin(_), Stage::Created) => Some(Stage::InProgress(id)),
            (Step::Begin(_), Stage::InProgress(by) | Stage::Completed(by) | Stage::Used(by, _)) if by == id => {
                Some(known.stage)
            }
            (Step::Complete(_), Stage::InProgress(begun)) => Some(Stage::Completed(begun)),
            (Step::Complete(_), Stage::Completed(_) | Stage::Used(..)) => Some(known.stage),
            (Step::Use(_), Stage::Completed(begun)) => Some(Stage::Used(begun, id)),
            (Step::Use(_), Stage::Used(_, by)) if by == id => Some(known.stage),
            (Step::Open(_) | Step::Begin(_) | Step::Complete(_) | Step::Use(_), _) => None,
        };
        let stage = next.ok_or(Refusal::UnknownToken)?;
        if stage != known.stage {
            let next = Transaction { stage, ..(**known).clone() };
            self.put(hash, next, changed);
        }
        Ok(Outcome::Done)
    }

    fn of_subject(&self, subject: &DocumentKey) -> impl Iterator<Item = TokenHash> {
        let least = (subject.clone(), Stamp(0), TokenHash([0; 32]));
        self.by_subject.range(least..).take_while(move |(of, ..)| of == subject).map(|&(_, _, hash)| hash)
    }

    /// Neither birth nor death of a transaction that is there ever changes.
    fn put(&mut self, hash: TokenHash, transaction: Transaction, changed: &mut Vec<TransactionChange>) {
        let transaction = Arc::new(transaction);
        self.index(hash, &transaction);
        changed.push((hash, Some(transaction.clone())));
        self.all.insert(hash, transaction);
    }

    fn index(&mut self, hash: TokenHash, transaction: &Transaction) {
        self.deaths.insert((transaction.forgotten(), hash));
        self.by_subject.insert((transaction.data.subject.clone(), transaction.opened, hash));
    }

    fn remove(&mut self, hash: TokenHash, changed: &mut Vec<TransactionChange>) {
        if let Some(gone) = self.all.remove(&hash) {
            self.deaths.remove(&(gone.forgotten(), hash));
            self.by_subject.remove(&(gone.data.subject.clone(), gone.opened, hash));
            changed.push((hash, None));
        }
    }

    /// All of them, in the order of their hashes.
    pub fn all(&self) -> &Buckets<Arc<Transaction>> {
        &self.all
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(now: Stamp, all: impl IntoIterator<Item = (TokenHash, Transaction)>) -> Self {
        let mut restored = Self { now, ..Self::default() };
        for (hash, transaction) in all {
            restored.index(hash, &transaction);
            restored.all.insert(hash, Arc::new(transaction));
        }
        restored
    }
}
