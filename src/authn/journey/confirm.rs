//! A journey that confirms a transaction, instead of starting a session (authorization.md §4.16 steps 2 and 3).
//!
//! | §4.16 | it says                                                        | here          |
//! |-------|----------------------------------------------------------------|---------------|
//! | 2     | the same session authenticates, by what the strategy says      | [`wanted`]    |
//! | 2     | in progress; wrong state or unknown: 401, code 128             | [`begin`]     |
//! | 3     | completed; the session is returned unchanged                   | [`succeed`]   |
//! | 3     | a failed journey answers 200, and nothing is completed         | [`failed`]    |

use super::{
    Kept, Reply,
    advice::Wanted,
    failure::{Code, Failure},
    finish,
    scene::Scene,
    state::Journey,
};
use crate::{
    authn::events::{AuthenticationEvent, record},
    caller::{self, Caller},
    sessions::{self, NotStarted},
    transactions,
};

fn unreadable() -> Failure {
    Failure::coded(Code::Transaction)
}

/// What has to be done to confirm `id`. Whose it is and how far it is are one question to a stranger.
///
/// # Errors
/// 401, code 128, for whoever cannot confirm it now; 400 when the policy asks for something that is not there.
pub fn wanted(scene: &Scene<'_>, id: &str, existing: Option<&(Caller, String)>) -> Result<Wanted, Failure> {
    let pending = existing.and_then(|(caller, _)| transactions::pending(scene.desk, scene.realm, id, caller));
    let pending = pending.ok_or_else(unreadable)?;
    let wanted = Wanted::confirming(scene, &pending.strategy, &pending.specifier);
    wanted.ok_or_else(|| Failure::plain(Code::NoConfiguration))
}

/// Begins: of all who try, one does.
///
/// # Errors
/// 401, code 128, for the others; 503 without a decision.
pub async fn begin(scene: &Scene<'_>, id: &str, caller: &Caller) -> Result<(), Failure> {
    transactions::begin(scene.desk, id, caller).await?.then_some(()).ok_or_else(unreadable)
}

/// The session that began it, if it lives, and its token.
fn owner(scene: &Scene<'_>, journey: &Journey) -> Option<(Caller, String)> {
    let token = journey.upgrades.clone()?;
    Some((caller::session(scene.desk, &token)?, token))
}

/// The journey came to a good end: it is confirmed if it was its owner who took it.
///
/// # Errors
/// When there is nobody, or they may not, or it is somebody else, or too late.
pub async fn succeed(scene: &Scene<'_>, journey: Journey) -> Result<Kept, Failure> {
    let (key, entry) = finish::identified(scene, &journey)?;
    let refused = |failure: Failure| finish::refuse(scene, &journey, failure);
    let (caller, token) = owner(scene, &journey).ok_or_else(|| refused(NotStarted::Ended.into()))?;
    if caller.session.data.subject != key {
        return Err(refused(NotStarted::OtherSubject.into()));
    }
    let id = journey.transaction.as_deref().unwrap_or_default();
    if !transactions::complete(scene.desk, id, &caller).await? {
        return Err(refused(unreadable()));
    }
    finish::forget(scene, &journey, &key, &entry).await;
    let principal = sessions::universal_id(scene.realm, &key);
    let service = journey.service.name();
    record(scene.desk, scene.realm, AuthenticationEvent::Succeeded { service, principal: &principal, session: false });
    Ok(Kept::of(scene, &journey, &caller, token))
}

/// The journey came to a bad end, `failure`. One that was to confirm something leaves the session as it is, and says no more.
///
/// # Errors
/// The failure, of any other journey; and of this when there is no session any more, or nothing was decided.
pub fn failed(scene: &Scene<'_>, journey: &Journey, failure: Failure) -> Result<Reply, Failure> {
    let confirming = journey.transaction.is_some() && failure.instead.is_none();
    match confirming.then(|| owner(scene, journey)).flatten() {
        Some((caller, token)) => Ok(Reply::Unconfirmed(Kept::of(scene, journey, &caller, token))),
        None => Err(failure),
    }
}

#[cfg(test)]
mod tests;
