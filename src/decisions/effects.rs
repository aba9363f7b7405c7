//! What a decision asks to be done (authorization.md §6.9).
//!
//! | effect                                                | when it is done                                    | here          |
//! |-------------------------------------------------------|----------------------------------------------------|---------------|
//! | §4.16 a confirmation is used                          | before the answer, in the log: one of all who try  | `settled`     |
//! | §4.16 a confirmation is asked for                     | before the answer, in the log, if the answer says so | `settled`   |
//! | §4.11 a session that is too old ends                  | beside the answer                                  | `carry_out`   |
//! | §4.3 a session's idle deadline for an application moves | beside the answer, once a second at most         | `carry_out`   |

use super::{
    NoDecision, Question,
    services::{Asked, Transactions},
};
use crate::{
    audit::Purpose,
    caller::{Caller, Kept},
    desk::Desk,
    policy::{
        self,
        circumstances::Effect,
        decide::{Decided, Decision},
    },
    sessions, transactions,
};
use futures_util::future::{join_all, try_join_all};
use quorate_raft::{Command, sessions::UpdateSession};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The advice that names what has to be confirmed.
const ADVICE: &str = "TransactionConditionAdvice";

/// A deadline that would move by less (milliseconds) stays where it is: reads must not each cost a write.
const DEADLINE_STEP: i64 = 1000;

/// Something that has a decision.
pub(super) trait Decides {
    fn decision(&self) -> &Decision;
}

impl Decides for Decision {
    fn decision(&self) -> &Decision {
        self
    }
}

impl Decides for Decided<'_> {
    fn decision(&self) -> &Decision {
        &self.decision
    }
}

impl Question<'_> {
    /// Decides until what was decided holds: a confirmation that it rests on was used by this question and by nobody else.
    /// Each time it does not hold, one confirmation fewer is left, and there are few.
    pub(super) async fn settled<T>(
        &self,
        decide: impl Fn(&Asked<'_>) -> Result<(Vec<T>, Duration), policy::Error>,
    ) -> Result<(Vec<T>, Duration), NoDecision>
    where
        T: Decides,
    {
        let mut asked = Asked::new(self, Transactions::Real);
        loop {
            let (decided, duration) = decide(&asked)?;
            let effects = || decided.iter().flat_map(|decided| &decided.decision().effects);
            if effects().next().is_none() || self.is_refused(&decided) {
                return Ok((decided, duration));
            }
            let uses = effects().filter_map(|effect| match effect {
                Effect::TransactionUsed { id } => Some((id.clone(), asked.to_use(id)?)),
                _ => None,
            });
            let uses: BTreeMap<String, _> = uses.collect();
            let used = join_all(uses.iter().map(|(id, what)| transactions::use_up(self.desk, id, *what))).await;
            let mut holds = true;
            for ((id, what), used) in uses.into_iter().zip(used) {
                let by_us = used?;
                holds &= by_us;
                asked.used(id, what, by_us);
            }
            if holds {
                self.ask_for(&asked, &decided).await?;
                return Ok((decided, duration));
            }
            asked.again();
        }
    }

    /// Makes the transactions that the answer names. Those that only a condition knows of, whose failure made no difference,
    /// nobody would ever confirm.
    async fn ask_for(&self, asked: &Asked<'_>, decided: &[impl Decides]) -> Result<(), NoDecision> {
        let advices = decided.iter().filter_map(|decided| decided.decision().advices.get(ADVICE));
        let ids: BTreeSet<&String> = advices.flatten().collect();
        let wanted = ids.into_iter().filter_map(|id| Some((id, asked.wanted(id)?)));
        try_join_all(wanted.map(|(id, data)| transactions::open(self.desk, id, data))).await?;
        Ok(())
    }

    /// Whether there will be no answer (§6.4), so that nothing is to be done either.
    fn is_refused(&self, decided: &[impl Decides]) -> bool {
        // Of a tree the first row says what went wrong.
        let judged = if self.purpose == Purpose::EvaluateTree { 1 } else { decided.len() };
        decided.iter().take(judged).any(|decided| self.judge(decided.decision()).is_err())
    }

    /// Whatever of a decision does not change it: it has been made, and may be told meanwhile.
    pub(super) fn carry_out(&self, decisions: &[Decision]) {
        let Some(owner) = &self.who.owner else {
            return;
        };
        let effects: BTreeSet<&Effect> = decisions.iter().flat_map(|decision| &decision.effects).collect();
        if effects.contains(&Effect::TerminateSession) {
            let (desk, owner) = (self.desk.clone(), owner.clone());
            // Whether it is gone already does not change the decision.
            actix_web::rt::spawn(async move { sessions::end(&desk, &owner).await });
            return;
        }
        let moved = effects.into_iter().filter_map(|effect| match effect {
            Effect::SetSessionProperty { name, value } => moved(owner, name, value),
            _ => None,
        });
        let changes: BTreeMap<Arc<str>, Option<Arc<str>>> = moved.collect();
        if owner.kept == Kept::ByCluster && !changes.is_empty() {
            set(self.desk, owner, changes);
        }
    }
}

/// The change of a deadline, if it is worth one.
fn moved(owner: &Caller, name: &str, value: &str) -> Option<(Arc<str>, Option<Arc<str>>)> {
    let deadline = |text: &str| text.parse::<i64>().ok();
    let known = owner.session.data.properties.get(name).and_then(|known| deadline(known));
    let stays = known
        .zip(deadline(value))
        .is_some_and(|(known, next)| (known..known.saturating_add(DEADLINE_STEP)).contains(&next));
    (!stays).then(|| (name.into(), Some(value.into())))
}

/// A lost change costs the session some of its idle time; the next decision tries again.
fn set(desk: &Desk, owner: &Caller, changes: BTreeMap<Arc<str>, Option<Arc<str>>>) {
    let (desk, hash) = (desk.clone(), owner.hash);
    actix_web::rt::spawn(
        async move { drop(desk.propose(Command::UpdateSession(UpdateSession { hash, changes })).await) },
    );
}
