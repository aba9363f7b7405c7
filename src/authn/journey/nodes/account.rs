//! Accounts: switched on or off, how often they may fail, and which level they have reached.

use super::{Fault, Node, Step, Visit};
use crate::{
    authn::profile::{Amended, RETRIES, amend, is_never_locked, pretend},
    caller,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// `AccountActiveDecisionNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccountActiveDecision {}

impl Node for AccountActiveDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let key = visit.subject()?;
        let views = visit.scene.desk.views();
        Step::decided(visit.profile()?.is_some_and(|entry| caller::standing(views, key.kind, &entry).active))
    }
}

/// `AccountLockoutNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AccountLockout {
    lock_action: LockAction,
}

/// What to do to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LockAction {
    /// Switch it off.
    #[default]
    Lock,
    /// Switch it on.
    Unlock,
}

impl Node for AccountLockout {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let key = visit.subject()?;
        if is_never_locked(&key) {
            pretend(visit.scene.desk).await?;
            return Step::done();
        }
        let wanted = json!([if self.lock_action == LockAction::Lock { "Inactive" } else { "Active" }]);
        let amended = amend(visit.scene.desk, &key, |body| {
            if body.get("inetUserStatus") == Some(&wanted) {
                return Amended::Kept(());
            }
            body.insert("inetUserStatus".into(), wanted.clone());
            Amended::Changed { value: (), ends: true }
        });
        if amended.await?.is_none() {
            pretend(visit.scene.desk).await?;
        }
        Step::done()
    }
}

/// `RetryLimitDecisionNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RetryLimitDecision {
    retry_limit: u64,
    increment_user_attribute_on_failure: bool,
}

impl Default for RetryLimitDecision {
    fn default() -> Self {
        Self { retry_limit: 3, increment_user_attribute_on_failure: true }
    }
}

/// Counts one more, or forgets the count: whether there is another try.
fn retry(counts: &mut Map<String, Value>, node: &str, limit: u64) -> bool {
    let so_far = counts.get(node).and_then(Value::as_u64).unwrap_or_default();
    if so_far < limit {
        counts.insert(node.to_owned(), (so_far + 1).into());
        return true;
    }
    counts.remove(node);
    false
}

impl Node for RetryLimitDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        if self.increment_user_attribute_on_failure
            && let Ok(key) = visit.subject()
        {
            let counted = amend(visit.scene.desk, &key, |body| {
                let counts = body.entry(RETRIES).or_insert_with(|| json!({}));
                let value = counts.as_object_mut().is_some_and(|counts| retry(counts, visit.id, self.retry_limit));
                if counts.as_object().is_some_and(Map::is_empty) {
                    body.remove(RETRIES);
                }
                Amended::Changed { value, ends: false }
            });
            if let Some(again) = counted.await? {
                visit.journey.counted.insert(visit.id.to_owned());
                return Step::to(if again { "Retry" } else { "Reject" });
            }
            pretend(visit.scene.desk).await?;
        }
        // Nobody to count for: the journey counts for itself.
        let name = format!("{}.retryCount", visit.id);
        let mut counts = Map::new();
        counts.extend(visit.journey.state.get(&name).cloned().map(|count| (name.clone(), count)));
        let again = retry(&mut counts, &name, self.retry_limit);
        match counts.remove(&name) {
            Some(count) => visit.journey.state.put_shared(&name, count),
            None => visit.journey.state.remove(&name),
        }
        Step::to(if again { "Retry" } else { "Reject" })
    }
}

/// `AuthLevelDecisionNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AuthLevelDecision {
    auth_level_requirement: i32,
}

impl Node for AuthLevelDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        Step::decided(visit.journey.level >= self.auth_level_requirement)
    }
}

/// `ModifyAuthLevelNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ModifyAuthLevel {
    auth_level_increment: i32,
}

impl Node for ModifyAuthLevel {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        visit.journey.level = visit.journey.level.saturating_add(self.auth_level_increment);
        visit.journey.state.put_shared("authLevel", visit.journey.level);
        Step::done()
    }
}
