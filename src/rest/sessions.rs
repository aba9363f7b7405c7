//! `sessions` (authn-sessions-realms.md b.2 to b.5): what a session is, whether it lives, what it carries, and its end.
//!
//! | version       | action                                             | who                                     | resets idle |
//! |---------------|----------------------------------------------------|-----------------------------------------|-------------|
//! | all           | `validate`                                         | anyone                                  | yes, unless `refresh=false` |
//! | all           | `logout`                                           | whoever has the token                   |             |
//! | 2.1 and later | `getSessionInfo`                                   | whoever has the token                   | no          |
//! | 3.1 and later | `getSessionInfoAndResetIdleTime`                   | whoever has the token                   | yes         |
//! | 2.1 and later | `refresh`                                          | owner, administrator                    | yes         |
//! | 2.1 and later | `getSessionProperties`, `updateSessionProperties`  | owner, administrator, by privilege      | no          |
//! | 2.1 and later | `logoutByHandle`                                   | administrator                           |             |
//! | 5.1           | `logoutByUser`                                     | administrator, the user                 |             |
//! | 1.2           | `isActive`, `getIdle`, … (see `legacy`)          | whoever has the token                   | `isActive` with `refresh=true` |
//! | 2.1 and later | query (see `query`)                              | administrator of the realm              | no          |
//!
//! Who presents a token in the body and none beside it speaks as its owner: it could as well have sent it as the cookie.

mod actions;
mod legacy;
mod query;
#[cfg(test)]
mod tests;

use crate::{
    caller::{self, Caller, Kept},
    crest::{
        ActionDescription, Call, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource,
        Returned, Shape, Verb, Version,
    },
    privileges::{Endpoint, Right},
    sessions::{
        self,
        properties::{self, MAX_NAME_BYTES, is_protected},
        settings::{SessionSettings, touch_after},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::{
    Command, DocumentKey, Outcome, Refusal, Session, Stamp, TokenHash,
    sessions::{TouchSession, UpdateSession},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The collection.
pub struct Sessions;

/// Longest value of a property, bytes.
const MAX_VALUE_BYTES: usize = 4096;

/// What every handle begins with. What follows is under what the session is stored: it says which session, and opens none.
const HANDLE: &str = "shandle:";

/// The handle of a session.
fn handle(TokenHash(hash): &TokenHash) -> String {
    format!("{HANDLE}{}", URL_SAFE_NO_PAD.encode(hash))
}

/// The place of the session that a handle names.
fn by_handle(handle: &str) -> Option<TokenHash> {
    let bytes = URL_SAFE_NO_PAD.decode(handle.strip_prefix(HANDLE)?).ok()?;
    bytes.try_into().ok().map(TokenHash)
}

/// The session that an action is about.
struct Target {
    /// The live session, if there is one.
    owner: Option<Caller>,
    /// Whether any token was named at all.
    named: bool,
}

impl Target {
    /// Behind a token.
    fn of(call: &Call<'_>, token: Option<&str>) -> Self {
        Self { owner: token.and_then(|token| caller::session(call.desk, token)), named: token.is_some() }
    }

    /// `tokenId` in the body, else the token that the request carries.
    fn read(call: &Call<'_>, content: &Object) -> Result<Self, Error> {
        match content.get("tokenId") {
            None | Some(Value::Null) => Ok(Self::of(call, caller::presented_token(call.desk, call.request).as_deref())),
            Some(Value::String(token)) => Ok(Self::of(call, Some(token))),
            Some(_) => Err(Error::bad_request("tokenId must be a string")),
        }
    }
}

/// Whether `asking` may act upon sessions of `subject` by a privilege (b.8): administrators of its realm may do everything, but
/// not to those who have more privileges than they.
fn may_act(call: &Call<'_>, asking: &Caller, endpoint: Endpoint, subject: &DocumentKey) -> bool {
    asking.may(endpoint, Right::Modify, &subject.realm) && asking.outranks(call.desk.views(), subject)
}

/// Lets the owner of a session pass, and whoever may act upon it by a privilege for `endpoint`.
fn owner_or(call: &Call<'_>, owner: &Caller, endpoint: Endpoint) -> Result<(), Error> {
    match call.caller {
        None => Ok(()), // who has the token and says nothing else is its owner
        Some(asking) if asking.hash == owner.hash => Ok(()),
        Some(asking) if may_act(call, asking, endpoint, &owner.session.data.subject) => Ok(()),
        Some(_) => Err(Error::insufficient_privileges()),
    }
}

/// Milliseconds since the epoch, with milliseconds: what listings show.
fn instant_with_milliseconds(stamp: Stamp) -> String {
    let seconds = sessions::instant(stamp);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), stamp.0 % 1000)
}

/// From when it is dead for want of use; a session that its client keeps does not idle out.
fn idle_end(session: &Session, kept: Kept) -> Stamp {
    let end = session.created + session.data.max_life;
    match kept {
        Kept::ByCluster => end.min(session.used + session.data.max_idle),
        Kept::ByClient => end,
    }
}

fn life_end(session: &Session) -> Stamp {
    session.created + session.data.max_life
}

/// b.3: the recorded layout.
fn info(call: &Call<'_>, owner: &Caller, session: &Session) -> Value {
    let settings = SessionSettings::of(call.desk, owner.realm());
    let shown: BTreeMap<&str, String> = settings
        .shown
        .iter()
        .filter_map(|name| Some((name.as_str(), properties::get(session, name)?.into_owned())))
        .collect();
    json!({
        "username": session.data.name,
        "universalId": session.data.universal_id,
        "realm": session.data.realm.as_str(),
        "latestAccessTime": sessions::instant(session.used),
        "maxIdleExpirationTime": sessions::instant(idle_end(session, owner.kept)),
        "maxSessionExpirationTime": sessions::instant(life_end(session)),
        "properties": shown,
    })
}

/// The session as it is now: an action may have changed it. `None` when it has ended meanwhile.
fn current(call: &Call<'_>, owner: &Caller) -> Option<Arc<Session>> {
    match owner.kept {
        Kept::ByCluster => call.desk.views().session(&owner.hash),
        Kept::ByClient => Some(owner.session.clone()),
    }
}

/// Notes the use of a session in the log, unless that was done a moment ago (b.6); whether the session lives.
async fn reset_idle(call: &Call<'_>, owner: &Caller) -> Result<bool, Error> {
    let noted = owner.session.used + touch_after(call.desk, owner.realm());
    if owner.kept == Kept::ByClient || sessions::now(call.desk) < noted {
        return Ok(true);
    }
    match call.desk.propose(Command::TouchSession(TouchSession(owner.hash))).await? {
        Outcome::Refused(Refusal::UnknownSession) => Ok(false),
        Outcome::Refused(_) => Err(Error::plain(500)),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => Ok(true),
    }
}

/// The properties that the realm shows; what is not set is empty.
fn shown_properties(settings: &SessionSettings, session: &Session) -> Value {
    let value = |name: &String| properties::get(session, name).map_or_else(String::new, |value| value.into_owned());
    Value::Object(settings.shown.iter().map(|name| (name.clone(), value(name).into())).collect())
}

/// 403 for names that are not the realm's to set, or the server's alone (b.3, b.7).
fn may_set<'n>(settings: &SessionSettings, names: impl IntoIterator<Item = &'n str>) -> Result<(), Error> {
    let mut names = names.into_iter();
    let settable = |name: &str| settings.shown.contains(name) && !is_protected(name) && name.len() <= MAX_NAME_BYTES;
    if names.all(settable) { Ok(()) } else { Err(Error::plain(403)) }
}

/// The values of an object of texts.
fn changes(content: &Object) -> Result<BTreeMap<Arc<str>, Option<Arc<str>>>, Error> {
    let named = content.iter().filter(|(name, _)| *name != "tokenId");
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(text) if text.len() <= MAX_VALUE_BYTES => {
            Ok((Arc::from(name.as_str()), Some(Arc::from(text.as_str()))))
        }
        _ => Err(Error::bad_request(format!(
            "The value of '{name}' must be a string of at most {MAX_VALUE_BYTES} bytes"
        ))),
    };
    named.map(text).collect()
}

/// Changes properties, in the log: of two who change different ones at once, both succeed.
async fn change(
    call: &Call<'_>,
    owner: &Caller,
    changes: BTreeMap<Arc<str>, Option<Arc<str>>>,
) -> Result<Arc<Session>, Error> {
    if owner.kept == Kept::ByClient {
        return Err(Error::new(501, "Properties of client-based sessions cannot be changed"));
    }
    match call.desk.propose(Command::UpdateSession(UpdateSession { hash: owner.hash, changes })).await? {
        Outcome::Refused(Refusal::UnknownSession) => Err(Error::unauthenticated()),
        Outcome::Refused(Refusal::Full) => Err(Error::bad_request("The session has too many properties")),
        Outcome::Refused(_) => Err(Error::plain(500)),
        Outcome::Done | Outcome::Issued { .. } | Outcome::Written(_) => {
            current(call, owner).ok_or_else(Error::unauthenticated)
        }
    }
}

impl Resource for Sessions {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 2), Version(2, 1), Version(3, 1), Version(4, 0), Version(5, 1)]
    }

    fn describe(&self) -> Description {
        let action = |name: &str, text: &str| ActionDescription::new(name, text);
        Description::of(Shape::Collection)
            .titled("Sessions", "Whoever holds a token may use it")
            .can([Operation::Query])
            .queryable(["username", "realm"])
            .action(action("validate", "Whether a session lives"))
            .action(action("getSessionInfo", "What a session is"))
            .action(action("getSessionInfoAndResetIdleTime", "What a session is, which begins to idle anew"))
            .action(action("refresh", "Lets a session begin to idle anew"))
            .action(action("logout", "Ends a session"))
    }

    /// Holding a token is the right to use it; what else is needed is checked by the action, or the query.
    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        match verb {
            Verb::Action(..) => Ok(()),
            Verb::Query(_) => call.signed_in().map(drop),
            _ => Err(Error::unsupported()),
        }
    }

    async fn read(&self, _: &Call<'_>, _: &str) -> Result<Item, Error> {
        Err(Error::unsupported())
    }

    async fn update(&self, _: &Call<'_>, _: &str, _: &Object, _: &Match) -> Result<Item, Error> {
        Err(Error::unsupported())
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        match call.version.0 {
            1 => legacy::list(call, query).await,
            _ => query::list(call, query).await,
        }
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        match call.version.0 {
            1 => legacy::act(call, id, name, content).await,
            _ if id.is_some() => Err(Error::no_action(name)),
            _ => actions::act(call, name, content).await,
        }
        .map(Returned::from)
    }
}
