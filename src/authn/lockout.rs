//! Account lockout (authn-sessions-realms.md a.19): who fails too often in too short a time is locked out.
//!
//! | it says                                                         | we do it in    |
//! |-----------------------------------------------------------------|----------------|
//! | failures are counted per user within `loginFailureDuration`     | [`failed`]     |
//! | at `loginFailureCount` the account is locked                    | [`failed`]     |
//! | `lockoutDuration` 0: `inetUserStatus` becomes `Inactive`        | [`failed`]     |
//! | more: for that many minutes, times the multiplier               | [`failed`], [`is_locked`] |
//! | a warning from `lockoutWarnUserCount` failures on               | [`Counted`]    |
//! | success starts the count anew                                   | [`succeeded`]  |
//!
//! The count is part of the user's document and moves under its revision: it holds on every node, and survives their
//! restarts. AM writes XML into `sunAMAuthInvalidAttemptsData`; here it is a member that nobody sees.

use super::{
    events::{AuthenticationEvent, record},
    profile::{Amended, INVALID_ATTEMPTS, amend, is_never_locked, pretend},
    settings::Lockout,
};
use crate::{
    desk::{Desk, WriteError},
    sessions::universal_id,
    views::Entry,
};
use quorate_raft::{DocumentKey, Stamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest that an account is locked for a time, minutes.
const MAX_LOCKOUT_MINUTES: u64 = 525_600;

/// What is kept about an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Attempts {
    /// Failures in a row.
    count: u32,
    /// When the first of them was, milliseconds.
    first: u64,
    /// Until when the account is locked, milliseconds.
    locked_until: u64,
    /// How often in a row it was locked for a time.
    lockouts: u32,
}

impl Attempts {
    fn of(body: Option<&Value>) -> Self {
        body.and_then(|stored| Self::deserialize(stored).ok()).unwrap_or_default()
    }
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Nothing that the user is told.
    Quietly,
    /// A warning: so many more, and the account is locked.
    Warn(u32),
    /// The account is locked now.
    Locked,
}

const MINUTE: u64 = 60_000;

/// Whether the account is locked for a time, at `now`.
pub fn is_locked(entry: &Entry, now: Stamp) -> bool {
    Attempts::of(entry.json().get(INVALID_ATTEMPTS)).locked_until > now.0
}

fn count(rules: &Lockout, attempts: &mut Attempts, now: Stamp) -> Counted {
    if now.0.saturating_sub(attempts.first) > rules.login_failure_duration.saturating_mul(MINUTE) {
        (attempts.count, attempts.first) = (0, now.0);
    }
    attempts.count = attempts.count.saturating_add(1);
    let limit = rules.login_failure_count.max(1);
    if attempts.count < limit {
        let warn = rules.lockout_warn_user_count > 0 && attempts.count >= rules.lockout_warn_user_count;
        return if warn { Counted::Warn(limit - attempts.count) } else { Counted::Quietly };
    }
    let factor = rules.lockout_duration_multiplier.max(1).saturating_pow(attempts.lockouts.min(32));
    let minutes = rules.lockout_duration.saturating_mul(factor).min(MAX_LOCKOUT_MINUTES);
    *attempts = Attempts {
        locked_until: if minutes == 0 { 0 } else { now.0.saturating_add(minutes * MINUTE) },
        lockouts: attempts.lockouts.saturating_add(1),
        ..Attempts::default()
    };
    Counted::Locked
}

/// Counts a failure of whoever `key` names. Does nothing unless the realm locks accounts.
///
/// # Errors
/// When it was not written down.
pub async fn failed(desk: &Desk, rules: &Lockout, key: &DocumentKey, now: Stamp) -> Result<Counted, WriteError> {
    if !rules.login_failure_lockout_mode || is_never_locked(key) {
        return Ok(Counted::Quietly);
    }
    let counted = amend(desk, key, |body| {
        let mut attempts = Attempts::of(body.get(INVALID_ATTEMPTS));
        // Whoever is locked already stays locked until then, and not for longer.
        if attempts.locked_until > now.0 {
            return Amended::Kept(Counted::Quietly);
        }
        let counted = count(rules, &mut attempts, now);
        let for_good = counted == Counted::Locked && attempts.locked_until == 0;
        if for_good {
            body.insert("inetUserStatus".into(), json!(["Inactive"]));
            body.remove(INVALID_ATTEMPTS);
        } else {
            body.insert(INVALID_ATTEMPTS.into(), json!(attempts));
        }
        Amended::Changed { value: counted, ends: for_good }
    });
    let Some(counted) = counted.await? else {
        pretend(desk).await?;
        return Ok(Counted::Quietly);
    };
    if counted == Counted::Locked {
        record(desk, &key.realm, AuthenticationEvent::Locked { principal: &universal_id(&key.realm, key) });
    }
    Ok(counted)
}

/// Starts the count of whoever `key` names anew.
///
/// # Errors
/// When it was not written down.
pub async fn succeeded(desk: &Desk, key: &DocumentKey) -> Result<(), WriteError> {
    let forgotten = amend(desk, key, |body| match body.remove(INVALID_ATTEMPTS) {
        Some(_) => Amended::Changed { value: (), ends: false },
        None => Amended::Kept(()),
    });
    forgotten.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk::put, testing};
    use quorate_raft::{Kind, Precondition, RealmPath};

    fn rules() -> Lockout {
        Lockout {
            login_failure_lockout_mode: true,
            login_failure_count: 3,
            login_failure_duration: 10,
            lockout_warn_user_count: 1,
            ..Lockout::default()
        }
    }

    async fn user() -> (Desk, DocumentKey) {
        let (desk, _) = testing::desk().await;
        let key = DocumentKey::new(&RealmPath::root(), Kind::User, "demo");
        let body = json!({"username": "demo", "inetUserStatus": ["Active"]});
        desk.write(vec![put(key.clone(), Precondition::Any, &body, Vec::new(), false)]).await.expect("writes");
        (desk, key)
    }

    fn at(minutes: u64) -> Stamp {
        Stamp((1_000_000 + minutes) * MINUTE)
    }

    #[actix_web::test]
    async fn an_account_is_locked_for_good() {
        let (desk, key) = user().await;
        let rules = rules();
        let fail = |minutes| failed(&desk, &rules, &key, at(minutes));
        assert_eq!(fail(0).await, Ok(Counted::Warn(2)));
        assert_eq!(fail(1).await, Ok(Counted::Warn(1)));
        succeeded(&desk, &key).await.expect("forgets");
        assert_eq!(fail(2).await, Ok(Counted::Warn(2)), "success starts anew");
        assert_eq!(fail(3).await, Ok(Counted::Warn(1)));
        assert_eq!(fail(14).await, Ok(Counted::Warn(2)), "too long ago to count");
        assert_eq!(fail(15).await, Ok(Counted::Warn(1)));
        assert_eq!(fail(16).await, Ok(Counted::Locked));
        let entry = desk.views().entry(&key).expect("a user");
        assert!(!crate::caller::is_active(Kind::User, &entry) && !is_locked(&entry, at(16)));
        let off = Lockout::default();
        assert_eq!(failed(&desk, &off, &key, at(17)).await, Ok(Counted::Quietly));
        let administrator = DocumentKey::new(&key.realm, Kind::User, "amadmin");
        for n in 0..9 {
            assert_eq!(failed(&desk, &rules, &administrator, at(n)).await, Ok(Counted::Quietly), "never locked");
        }
        let nobody = DocumentKey::new(&key.realm, Kind::User, "nobody");
        assert_eq!(failed(&desk, &rules, &nobody, at(17)).await, Ok(Counted::Quietly));
    }

    #[actix_web::test]
    async fn an_account_is_locked_for_a_time_that_grows() {
        let (desk, key) = user().await;
        let rules = Lockout { login_failure_count: 1, lockout_duration: 5, lockout_duration_multiplier: 3, ..rules() };
        let locked = |minutes| is_locked(&desk.views().entry(&key).expect("a user"), at(minutes));
        assert_eq!(failed(&desk, &rules, &key, at(0)).await, Ok(Counted::Locked));
        assert!(locked(4) && !locked(5));
        assert_eq!(failed(&desk, &rules, &key, at(4)).await, Ok(Counted::Quietly), "locked already");
        assert!(!locked(5));
        assert_eq!(failed(&desk, &rules, &key, at(6)).await, Ok(Counted::Locked));
        assert!(locked(20) && !locked(21));
        assert!(crate::caller::is_active(Kind::User, &desk.views().entry(&key).expect("a user")));
    }
}
