//! Whom conditions may ask.
//!
//! | authorization.md | it says                                                     | here                       |
//! |------------------|-------------------------------------------------------------|----------------------------|
//! | §4.14            | groups: users have some, nobody else does                   | [`Asked::groups`]          |
//! | §4.16            | a confirmation that fits, or else a new one to be asked for | [`Asked::transaction`]     |

use super::{Question, groups, located};
use crate::{
    desk::Desk,
    policy::{
        circumstances::{Services, Transaction, TransactionAsk},
        fault::Fault,
        subject::UniversalId,
    },
    transactions::{self, Ask},
};
use quorate_raft::{TokenHash, limits::MAX_TRANSACTIONS_OF, transactions::TransactionData};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The id of a transaction that nobody makes.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";

/// What becomes of a wish for a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transactions {
    /// It is asked for, and used where it is there.
    Real,
    /// It is told, under an id that means nothing; what is there stays.
    DryRun,
    /// Nobody is there who could be asked.
    Unsupported,
}

/// What conditions have asked for so far.
#[derive(Default)]
struct Planned {
    /// Confirmations to ask for, by id.
    wanted: BTreeMap<String, Arc<TransactionData>>,
    /// Confirmations that were found, and for what.
    found: BTreeMap<String, TokenHash>,
}

/// The services of one question, and what was asked of them.
pub struct Asked<'q> {
    question: &'q Question<'q>,
    transactions: Transactions,
    /// Confirmations that this question has used already.
    own: BTreeMap<String, TokenHash>,
    /// Confirmations that somebody else has used.
    lost: BTreeSet<String>,
    planned: Mutex<Planned>,
}

impl<'q> Asked<'q> {
    pub fn new(question: &'q Question<'q>, transactions: Transactions) -> Self {
        let (own, lost) = Default::default();
        Self { question, transactions, own, lost, planned: Mutex::default() }
    }

    pub const fn desk(&self) -> &'q Desk {
        self.question.desk
    }

    fn planned(&self) -> MutexGuard<'_, Planned> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has to be confirmed under `id`.
    pub fn wanted(&self, id: &str) -> Option<Arc<TransactionData>> {
        self.planned().wanted.get(id).cloned()
    }

    /// What was found to be confirmed under `id` and is still to be used.
    pub fn to_use(&self, id: &str) -> Option<TokenHash> {
        if self.own.contains_key(id) { None } else { self.planned().found.get(id).copied() }
    }

    /// The log has spoken: `id` was used for `what` by this question, or by somebody else.
    pub fn used(&mut self, id: String, what: TokenHash, by_us: bool) {
        match by_us {
            true => self.own.extend([(id, what)]),
            false => self.lost.extend([id]),
        }
    }

    /// Forgets what was asked, so that it can be asked anew.
    pub fn again(&mut self) {
        *self.planned() = Planned::default();
    }
}

impl Services for Asked<'_> {
    fn groups(&self, of: &UniversalId) -> Result<Vec<UniversalId>, Fault> {
        let desk = self.desk();
        Ok(located(desk.views(), of.as_str()).map(|user| groups(desk, &user)).unwrap_or_default())
    }

    fn transaction(&self, condition: &TransactionAsk<'_>) -> Result<Transaction, Fault> {
        let unsupported = Fault::Unsupported("Transaction");
        if self.transactions == Transactions::Unsupported {
            return Err(unsupported);
        }
        let owner = self.question.who.owner.as_ref().ok_or(Fault::NoSession("Transaction"))?;
        let ask = Ask { realm: self.question.realm, condition, owner };
        let what = ask.what();
        let fits = |id: &&String| match self.own.get(*id) {
            Some(used_for) => *used_for == what,
            None => !self.lost.contains(*id) && transactions::is_completed(self.desk(), id, &what),
        };
        if let Some(id) = condition.ids.iter().find(fits) {
            self.planned().found.insert(id.clone(), what);
            return Ok(Transaction::Completed(id.clone()));
        }
        let data = ask.opened().ok_or(unsupported)?;
        if self.transactions == Transactions::DryRun {
            return Ok(Transaction::Required(NO_ID.to_owned()));
        }
        let mut planned = self.planned();
        // One more would take the place of one of these.
        if planned.wanted.len() >= MAX_TRANSACTIONS_OF {
            return Err(Fault::Unavailable("too many transactions in one request".to_owned()));
        }
        let id = transactions::new_id();
        planned.wanted.insert(id.clone(), data);
        Ok(Transaction::Required(id))
    }
}
