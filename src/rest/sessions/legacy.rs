//! Version 1 (b.4): the token in `tokenId`, in the path, in the cookie or the header; one question, one answer.
//!
//! | action                        | answer                                  | for a token that is not live |
//! |-------------------------------|-----------------------------------------|------------------------------|
//! | `validate`                    | `valid`, `uid`, `realm`                 | `valid` false                |
//! | `logout`                      | `result`                                | `Token has expired`          |
//! | `isActive`                    | `active`                                | false                        |
//! | `getIdle`                     | `idletime`, seconds                     | -1                           |
//! | `getMaxIdle`                  | `maxidletime`, minutes                  | -1                           |
//! | `getMaxSessionTime`           | `maxsessiontime`, minutes               | -1                           |
//! | `getMaxTime`, `getTimeLeft`   | `maxtime`, seconds                      | -1                           |
//! | `getProperty`                 | the named properties, or all            | 401                          |
//! | `setProperty`, `deleteProperty` | `success`                             | 401                          |
//! | `getPropertyNames`            | `properties`                            | 401                          |
//!
//! A token in a URL ends up in logs and histories (SE-05): that is what version 1 asks for, and why nobody should use it. We log
//! no URLs.

use super::{
    Target,
    actions::{logout, seconds_left, validate},
    change, changes, may_set, owner_or,
    query::administered,
    reset_idle,
};
use crate::{
    actors::sessions::Whose,
    caller::{self, Caller},
    crest::{Call, Error, Item, Listing, Object, Query, Totals, query::Select},
    privileges::Endpoint,
    sessions::{self, properties, settings::SessionSettings},
};
use quorate_raft::Session;
use serde_json::{Value, json};
use std::sync::Arc;

/// The one server that there is to a client: any node.
const SERVER: &str = "01";

/// Does what an action says.
pub(super) async fn act(call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Value, Error> {
    let carried = || caller::presented_token(call.desk, call.request);
    let token = call.params.get("tokenId").or(id).map(str::to_owned).or_else(carried);
    let target = Target::of(call, token.as_deref());
    let owner = target.owner.as_ref();
    let number = |member: &str, value: Option<u64>| {
        let value = value.map_or(json!(-1), |value| json!(value));
        Ok(json!({ member: value }))
    };
    let minutes = |span: quorate_raft::Span| span.0 / 60_000;
    match name {
        "validate" => validate(call, &target),
        "logout" => logout(call, &target).await,
        "isActive" => is_active(call, owner).await,
        "getIdle" => number("idletime", owner.map(|owner| idle_seconds(call, &owner.session))),
        "getMaxIdle" => number("maxidletime", owner.map(|owner| minutes(owner.session.data.max_idle))),
        "getMaxSessionTime" => number("maxsessiontime", owner.map(|owner| minutes(owner.session.data.max_life))),
        "getMaxTime" | "getTimeLeft" => number("maxtime", owner.map(|owner| seconds_left(call.desk, owner))),
        "getProperty" | "setProperty" | "deleteProperty" | "getPropertyNames" => {
            let owner = owner.ok_or_else(Error::unauthenticated)?;
            owner_or(call, owner, Endpoint::SessionProperties)?;
            property_action(call, owner, name, content).await
        }
        _ => Err(Error::no_action(name)),
    }
}

async fn is_active(call: &Call<'_>, owner: Option<&Caller>) -> Result<Value, Error> {
    let active = match owner {
        Some(owner) if call.params.get("refresh") == Some("true") => reset_idle(call, owner).await?,
        Some(_) => true,
        None => false,
    };
    Ok(json!({ "active": active }))
}

fn idle_seconds(call: &Call<'_>, session: &Session) -> u64 {
    sessions::now(call.desk).0.saturating_sub(session.used.0) / 1000
}

/// `{"properties": ["a", "b"]}`; empty where none are named.
fn names(content: &Object) -> Result<Vec<&str>, Error> {
    let wrong = || Error::bad_request("properties must be an array of strings");
    match content.get("properties") {
        None => Ok(Vec::new()),
        Some(Value::Array(names)) => names.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

async fn property_action(call: &Call<'_>, owner: &Caller, name: &str, content: &Object) -> Result<Value, Error> {
    let settings = SessionSettings::of(call.desk, owner.realm());
    let session = &owner.session;
    match name {
        "getPropertyNames" => Ok(json!({ "properties": settings.shown })),
        "getProperty" => {
            let named = names(content)?;
            let asked: Vec<&str> = match named.is_empty() {
                true => settings.shown.iter().map(String::as_str).collect(),
                false if named.iter().all(|name| settings.shown.contains(*name)) => named,
                false => return Err(Error::plain(403)),
            };
            let told =
                asked.into_iter().filter_map(|name| Some((name.to_owned(), properties::get(session, name)?.into())));
            Ok(Value::Object(told.map(|(name, value): (String, String)| (name, value.into())).collect()))
        }
        "setProperty" => {
            let changes = changes(content)?;
            may_set(&settings, changes.keys().map(|name| &**name))?;
            change(call, owner, changes).await?;
            Ok(json!({ "success": true }))
        }
        _ => {
            let named = names(content)?;
            may_set(&settings, named.iter().copied())?;
            change(call, owner, named.into_iter().map(|name| (Arc::from(name), None)).collect()).await?;
            Ok(json!({ "success": true }))
        }
    }
}

/// `_queryId=list` names the servers; `all`, or one of them, lists sessions: who, and for how long.
pub(super) async fn list(call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
    administered(call, call.realm)?;
    let Select::Id(id) = &query.select else {
        return Err(Error::unsupported());
    };
    let items = match id.as_str() {
        "list" => vec![Item::new(SERVER, None, Object::new())],
        "all" | SERVER => {
            let most = SessionSettings::of(call.desk, call.realm).listed;
            let found = call.desk.sessions_of(Whose::Realm(call.realm.clone()), most).await?;
            found.iter().map(|(hash, session)| shown(call, super::handle(hash), session)).collect()
        }
        _ => return Err(Error::bad_request("Unable to find a server with the given server identifier")),
    };
    Query { select: Select::Filter(crate::crest::filter::Filter::Literal(true)), ..query.clone() }
        .answer_all(items, Totals::Unpaged)
}

fn shown(call: &Call<'_>, handle: String, session: &Session) -> Item {
    let left = session.expires().0.saturating_sub(sessions::now(call.desk).0) / 1000;
    let content = json!({ "userid": session.data.name, "timeleft": left });
    Item::new(handle, None, content.as_object().cloned().unwrap_or_default())
}
