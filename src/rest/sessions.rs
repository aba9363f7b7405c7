//! `sessions` (authn-sessions-realms.md b.2, b.3): what a session is, whether it lives, and its end.
//!
//! | action                          | who                             | refreshes |
//! |---------------------------------|---------------------------------|-----------|
//! | `validate`                      | anyone                          | yes, unless `refresh=false` |
//! | `getSessionInfo`                | whoever has the token           | no        |
//! | `getSessionInfoAndResetIdleTime`| whoever has the token           | yes       |
//! | `refresh`                       | owner, administrator            | yes       |
//! | `logout`                        | whoever has the token           |           |

use crate::{
    caller::{self, Caller, Role},
    crest::{Call, Error, Object, Resource, Shape, Verb, Version},
};
use jiff::Timestamp;
use quorate_raft::{
    Command, Outcome, Refusal, Session, Stamp,
    sessions::{DestroySession, TouchSession},
};
use serde_json::{Value, json};

/// The collection.
pub struct Sessions;

/// `tokenId` in the body, else the token that the request carries.
struct Target {
    /// The live session behind it, if there is one.
    session: Option<Caller>,
    /// Whether any token was named at all.
    named: bool,
}

fn target(call: &Call<'_>, content: &Object) -> Result<Target, Error> {
    let token = match content.get("tokenId") {
        None | Some(Value::Null) => caller::presented_token(call.desk, call.request),
        Some(Value::String(token)) => Some(token.clone()),
        Some(_) => return Err(Error::bad_request("tokenId must be a string")),
    };
    Ok(Target { session: token.as_deref().and_then(|token| caller::session(call.desk, token)), named: token.is_some() })
}

/// UTC, whole seconds.
fn time(stamp: Stamp) -> String {
    let instant = Timestamp::from_millisecond(i64::try_from(stamp.0).unwrap_or(i64::MAX)).unwrap_or_default();
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn property<'s>(session: &'s Session, name: &str) -> &'s str {
    session.data.properties.get(name).map_or("", |value| value)
}

fn info(session: &Session) -> Value {
    json!({
        "username": session.data.name,
        "universalId": session.data.universal_id,
        "realm": session.data.realm.as_str(),
        "latestAccessTime": time(session.used),
        "maxIdleExpirationTime": time(session.used + session.data.max_idle),
        "maxSessionExpirationTime": time(session.created + session.data.max_life),
        "properties": { "AMCtxId": property(session, "AMCtxId") },
    })
}

/// Notes the use of a session in the log; it may have ended in between.
async fn reset_idle(call: &Call<'_>, owner: &Caller) -> Result<bool, Error> {
    let outcome = call.desk.propose(Command::TouchSession(TouchSession(owner.hash))).await?;
    Ok(!matches!(outcome, Outcome::Refused(_)))
}

impl Resource for Sessions {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(2, 1), Version(3, 1), Version(4, 0)]
    }

    /// Holding a token is the right to use it; what else is needed is checked by the action.
    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        match verb {
            Verb::Action(..) => Ok(()),
            _ => call.administrator(),
        }
    }

    async fn action(
        &self,
        call: &Call<'_>,
        id: Option<&str>,
        name: &str,
        content: &Object,
    ) -> Result<Option<Value>, Error> {
        if id.is_some() {
            return Err(Error::no_action(name));
        }
        match name {
            "validate" => validate(call, content).await,
            "getSessionInfo" => get_info(call, content, false).await,
            "getSessionInfoAndResetIdleTime" if call.version.0 >= 3 => get_info(call, content, true).await,
            "refresh" => refresh(call, content).await,
            "logout" => logout(call, content).await,
            _ => Err(Error::no_action(name)),
        }
        .map(Some)
    }
}

async fn validate(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let Some(owner) = target(call, content)?.session else {
        return Ok(json!({ "valid": false }));
    };
    if call.params.get("refresh") != Some("false") {
        caller::touch(call.desk, &owner);
    }
    let data = &owner.session.data;
    Ok(match call.version.0 {
        ..=2 => json!({ "valid": true, "uid": data.name, "realm": data.realm.as_str() }),
        _ => json!({
            "valid": true,
            "sessionUid": property(&owner.session, "AMCtxId"),
            "uid": data.name,
            "realm": data.realm.as_str(),
        }),
    })
}

async fn get_info(call: &Call<'_>, content: &Object, reset: bool) -> Result<Value, Error> {
    let owner = target(call, content)?.session.ok_or_else(Error::unauthenticated)?;
    if reset && !reset_idle(call, &owner).await? {
        return Err(Error::unauthenticated());
    }
    let session = call.desk.views().session(&owner.hash).ok_or_else(Error::unauthenticated)?;
    Ok(info(&session))
}

async fn refresh(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let asking = call.signed_in()?;
    let Some(owner) = target(call, content)?.session else {
        return Ok(json!({ "valid": false }));
    };
    if asking.hash != owner.hash && asking.role != Role::Administrator {
        return Err(Error::insufficient_privileges());
    }
    if !reset_idle(call, &owner).await? {
        return Ok(json!({ "valid": false }));
    }
    let data = &owner.session.data;
    let ends = owner.session.created + data.max_life;
    Ok(json!({
        "uid": data.name,
        "realm": data.realm.as_str(),
        "idletime": 0,
        "maxidletime": data.max_idle.0 / 60_000,
        "maxsessiontime": data.max_life.0 / 60_000,
        "maxtime": ends.0.saturating_sub(call.desk.views().log_time().0) / 1000,
    }))
}

/// Final once answered (G3).
async fn logout(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let target = target(call, content)?;
    let expired = json!({ "result": "Token has expired" });
    let Some(owner) = target.session else {
        return if target.named { Ok(expired) } else { Err(Error::unauthenticated()) };
    };
    match call.desk.propose(Command::DestroySession(DestroySession(owner.hash))).await? {
        Outcome::Refused(Refusal::UnknownSession) => Ok(expired),
        Outcome::Refused(_) => Err(Error::plain(500)),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => {
            Ok(json!({ "result": "Successfully logged out" }))
        }
    }
}
