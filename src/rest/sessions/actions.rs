//! The actions of versions 2 to 5 (b.3), in the order of the reference's table.

use super::{
    Target, by_handle, change, changes, current, info, life_end, may_act, may_set, owner_or, reset_idle,
    shown_properties,
};
use crate::{
    caller::{self, Caller},
    crest::{Call, Error, Object},
    desk::Desk,
    privileges::Endpoint,
    rest::identity::user_id,
    sessions::{self, cookies, properties, settings::SessionSettings},
};
use futures_util::future::try_join_all;
use quorate_raft::{Command, DocumentKey, Kind, Outcome, Refusal, TokenHash, sessions::DestroySession};
use serde_json::{Value, json};

/// Most handles in one request: as many as anybody can have listed and meant.
const MAX_HANDLES: usize = 1000;

/// Does what an action says.
pub(super) async fn act(call: &Call<'_>, name: &str, content: &Object) -> Result<Value, Error> {
    match name {
        "validate" => validate(call, &Target::read(call, content)?),
        "getSessionInfo" => get_info(call, content, false).await,
        "getSessionInfoAndResetIdleTime" if call.version.0 >= 3 => get_info(call, content, true).await,
        "refresh" => refresh(call, content).await,
        "logout" => logout(call, &Target::read(call, content)?).await,
        "logoutByHandle" => logout_by_handle(call, content).await,
        "logoutByUser" if call.version.0 >= 5 => logout_by_user(call, content).await,
        "getSessionProperties" => {
            let owner = whose_properties(call, content)?;
            Ok(shown_properties(&SessionSettings::of(call.desk, owner.realm()), &owner.session))
        }
        "updateSessionProperties" => update_properties(call, content).await,
        _ => Err(Error::no_action(name)),
    }
}

/// Unauthenticated callers may ask, and learn no more than that the token they hold lives.
pub(super) fn validate(call: &Call<'_>, target: &Target) -> Result<Value, Error> {
    let Some(owner) = &target.owner else {
        return Ok(json!({ "valid": false }));
    };
    if call.params.get("refresh") != Some("false") {
        caller::touch(call.desk, owner);
    }
    let data = &owner.session.data;
    Ok(match call.version.0 {
        ..=2 => json!({ "valid": true, "uid": data.name, "realm": data.realm.as_str() }),
        _ => json!({
            "valid": true,
            "sessionUid": properties::get(&owner.session, "AMCtxId").unwrap_or_default(),
            "uid": data.name,
            "realm": data.realm.as_str(),
        }),
    })
}

/// A dead target is told as such to whoever has a live session, and to version 2; to others it is as no session at all.
async fn get_info(call: &Call<'_>, content: &Object, reset: bool) -> Result<Value, Error> {
    let dead = || match call.version.0 {
        2 => Ok(json!({ "valid": false })),
        _ if call.caller.is_some() => Ok(json!({ "valid": false })),
        _ => Err(Error::unauthenticated()),
    };
    let Some(owner) = Target::read(call, content)?.owner else {
        return dead();
    };
    if reset && !reset_idle(call, &owner).await? {
        return dead();
    }
    match current(call, &owner) {
        Some(session) => Ok(info(call, &owner, &session)),
        None => dead(),
    }
}

async fn refresh(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let target = Target::read(call, content)?;
    let Some(owner) = target.owner else {
        return if target.named { Ok(json!({ "valid": false })) } else { Err(Error::unauthenticated()) };
    };
    owner_or(call, &owner, Endpoint::Configuration)?;
    if !reset_idle(call, &owner).await? {
        return Ok(json!({ "valid": false }));
    }
    let data = &owner.session.data;
    Ok(json!({
        "uid": data.name,
        "realm": data.realm.as_str(),
        "idletime": 0,
        "maxidletime": data.max_idle.0 / 60_000,
        "maxsessiontime": data.max_life.0 / 60_000,
        "maxtime": seconds_left(call.desk, &owner),
    }))
}

/// Whole seconds until the longest life is over.
pub(super) fn seconds_left(desk: &Desk, owner: &Caller) -> u64 {
    life_end(&owner.session).0.saturating_sub(sessions::now(desk).0) / 1000
}

/// Final once answered (G3). Whoever ends the session that the request carries is told to drop its cookie.
pub(super) async fn logout(call: &Call<'_>, target: &Target) -> Result<Value, Error> {
    let expired = || Ok(json!({ "result": "Token has expired" }));
    let Some(owner) = &target.owner else {
        return if target.named { expired() } else { Err(Error::unauthenticated()) };
    };
    if call.caller.is_none_or(|asking| asking.hash == owner.hash) {
        cookies::withdraw_with_answer(call.desk, call.request, owner.realm());
    }
    match sessions::end(call.desk, owner).await? {
        true => Ok(json!({ "result": "Successfully logged out" })),
        false => expired(),
    }
}

async fn logout_by_handle(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let asking = call.signed_in()?;
    let missing = || Error::bad_request("sessionHandles must be an array of session handles");
    let named = content.get("sessionHandles").and_then(Value::as_array).ok_or_else(missing)?;
    let handles: Vec<&str> = named.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(missing)?;
    if handles.len() > MAX_HANDLES {
        return Err(Error::bad_request(format!("At most {MAX_HANDLES} sessionHandles at once")));
    }
    // Who administers nothing learns nothing of what lives.
    if !asking.administers(call.realm) {
        return Err(Error::insufficient_privileges());
    }
    let ending = handles.into_iter().map(|handle| async move {
        let place = by_handle(handle).filter(|hash| {
            let session = call.desk.views().session(hash);
            session.is_some_and(|session| may_act(call, asking, Endpoint::Configuration, &session.data.subject))
        });
        let ended = match place {
            Some(hash) => destroy(call, hash).await?,
            None => false,
        };
        Ok::<_, Error>((handle.to_owned(), Value::Bool(ended)))
    });
    let ended = try_join_all(ending).await?;
    Ok(json!({ "result": ended.into_iter().collect::<Object>() }))
}

async fn destroy(call: &Call<'_>, hash: TokenHash) -> Result<bool, Error> {
    match call.desk.propose(Command::DestroySession(DestroySession(hash))).await? {
        Outcome::Refused(Refusal::UnknownSession) => Ok(false),
        Outcome::Refused(_) => Err(Error::plain(500)),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => Ok(true),
    }
}

/// All sessions of a user of the addressed realm, whoever keeps them and whatever `statelessLogoutByUser` says (G3).
async fn logout_by_user(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let asking = call.signed_in()?;
    let named = content.get("username").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = named.ok_or_else(|| Error::bad_request("username must be a string"))?;
    let subject = DocumentKey::new(call.realm, Kind::User, &user_id(name));
    let oneself = asking.session.data.subject == subject;
    if !oneself && !may_act(call, asking, Endpoint::Configuration, &subject) {
        return Err(Error::insufficient_privileges());
    }
    sessions::end_all(call.desk, &subject).await?;
    Ok(json!({ "result": true }))
}

/// The session whose properties are looked at or changed.
pub(super) fn whose_properties(call: &Call<'_>, content: &Object) -> Result<Caller, Error> {
    let owner = Target::read(call, content)?.owner.ok_or_else(Error::unauthenticated)?;
    owner_or(call, &owner, Endpoint::SessionProperties)?;
    Ok(owner)
}

async fn update_properties(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let owner = whose_properties(call, content)?;
    let changes = changes(content)?;
    if changes.is_empty() {
        return Err(Error::bad_request("No session properties in the request"));
    }
    let settings = SessionSettings::of(call.desk, owner.realm());
    may_set(&settings, changes.keys().map(|name| &**name))?;
    let session = change(call, &owner, changes).await?;
    Ok(shown_properties(&settings, &session))
}
