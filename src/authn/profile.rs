//! What authentication writes into the document of a user or agent: counts of failures, devices. Decided in the log: of two
//! nodes that count at once, both count.
//!
//! Such members are not attributes. Their names begin with an underscore, and nobody is shown them.

use crate::{
    bootstrap::ADMINISTRATOR_ID,
    desk::{Desk, WriteError, put},
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal};
use serde_json::{Map, Value};

/// Failed authentications in a row (a.19).
pub const INVALID_ATTEMPTS: &str = "_invalidAttempts";
/// Retries by node (`RetryLimitDecisionNode`).
pub const RETRIES: &str = "_retryLimitNodeCount";
/// Devices for one-time passwords.
pub const OATH_DEVICES: &str = "_oathDeviceProfiles";

/// Most times that a change is tried again because somebody else was faster.
const MAX_TRIES: usize = 16;

/// What a change makes of a document.
pub enum Amended<T> {
    /// Nothing: it stays as it is.
    Kept(T),
    /// Something. `ends` says whether sessions and tokens of the subject end with it.
    Changed {
        /// What came of it.
        value: T,
        /// See above.
        ends: bool,
    },
}

/// Changes a document as `change` says, on the revision that `change` saw. `None` when there is no such document.
///
/// # Errors
/// When it was not written, or others were faster all the time.
pub async fn amend<T>(
    desk: &Desk,
    key: &DocumentKey,
    mut change: impl FnMut(&mut Map<String, Value>) -> Amended<T>,
) -> Result<Option<T>, WriteError> {
    let mut refused = None;
    for _ in 0..MAX_TRIES {
        let Some(entry) = desk.views().entry(key) else { return Ok(None) };
        let mut body = entry.json().as_object().cloned().unwrap_or_default();
        let (value, ends) = match change(&mut body) {
            Amended::Kept(value) => return Ok(Some(value)),
            Amended::Changed { value, ends } => (value, ends),
        };
        let when = Precondition::Revision(entry.document.revision);
        let write = put(key.clone(), when, &Value::Object(body), entry.document.references.clone(), ends);
        match desk.write(vec![write]).await {
            Ok(_) => return Ok(Some(value)),
            // The refusal was applied here, too: the next look shows what won.
            Err(WriteError::Refused(refusal @ Refusal::Stale { .. })) => refused = Some(refusal),
            Err(WriteError::Refused(Refusal::Missing(_))) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Err(refused.map_or(crate::consensus::Unavailable::Overloaded.into(), WriteError::Refused))
}

/// Whether an account is never locked: whoever could lock the administrator out would own the cluster.
pub fn is_never_locked(key: &DocumentKey) -> bool {
    key.kind == Kind::User && key.realm == RealmPath::root() && *key.id == *ADMINISTRATOR_ID
}

/// Spends the time that writing down a failure takes, for accounts that do not exist: or their absence would show.
///
/// # Errors
/// Without quorum.
pub async fn pretend(desk: &Desk) -> Result<(), WriteError> {
    desk.propose(quorate_raft::Command::Tick).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use futures_util::future::join_all;
    use serde_json::json;

    #[actix_web::test]
    async fn all_who_count_at_once_count() {
        let (desk, _) = testing::desk().await;
        let key = DocumentKey::new(&RealmPath::root(), Kind::User, "demo");
        let count = |body: &mut Map<String, Value>| {
            let so_far = body.get("_n").and_then(Value::as_u64).unwrap_or_default();
            body.insert("_n".into(), (so_far + 1).into());
            Amended::Changed { value: so_far + 1, ends: false }
        };
        assert_eq!(amend(&desk, &key, count).await, Ok(None));
        let write = put(key.clone(), Precondition::Any, &json!({"username": "demo"}), Vec::new(), false);
        desk.write(vec![write]).await.expect("writes");
        let fence = desk.views().entry(&key).expect("a user").document.fence;
        let mut seen: Vec<_> = join_all((0..8).map(|_| amend(&desk, &key, count))).await;
        seen.sort_by_key(|counted| counted.clone().ok().flatten());
        assert_eq!(seen, (1..=8).map(|n| Ok(Some(n))).collect::<Vec<_>>());
        let entry = desk.views().entry(&key).expect("a user");
        assert_eq!((entry.document.fence, &entry.json()["username"]), (fence, &json!("demo")));
        let kept = amend(&desk, &key, |_| Amended::Kept(7)).await;
        assert_eq!(kept, Ok(Some(7)));
        assert_eq!(desk.views().entry(&key).expect("a user").document.revision, entry.document.revision);
    }
}
