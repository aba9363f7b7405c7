//! Listing sessions (b.5): whose, by user and realm, and no more than the realm allows.
//!
//! | rule                                              | here                                                     |
//! |---------------------------------------------------|----------------------------------------------------------|
//! | `eq`, `and`                                       | anything else is 501                                     |
//! | `username`, `realm`, and what `whitelistedQueryProperties` names | any other field is 400                    |
//! | `realm` alone                                     | the sessions of the realm                                |
//! | no `realm`                                        | 400: a user name says nothing without one                |
//! | `maxSessionListSize`                              | most in one answer                                       |
//! | client-based sessions                             | nobody keeps them, so nobody lists them                  |
//! | administrators                                    | of the realm in the filter (SE-06)                       |
//!
//! Neither asks all sessions: the owner of the sessions finds those of a user and those of a realm by themselves.

use super::{handle, idle_end, instant_with_milliseconds, life_end};
use crate::{
    actors::sessions::Whose,
    caller::Kept,
    crest::{
        Call, Error, Item, Listing, Object, Query, Totals,
        filter::{Assertion, Filter, Operator},
        query::Select,
    },
    rest::identity::user_id,
    sessions::{self, properties, settings::SessionSettings},
};
use quorate_raft::{DocumentKey, Kind, RealmPath, Session, TokenHash};
use serde_json::json;
use std::collections::BTreeMap;

/// What a filter asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    username: Option<String>,
    realm: Option<String>,
    /// Properties by name.
    properties: BTreeMap<String, String>,
    /// Whether two conditions contradict each other: then nothing is found.
    nothing: bool,
}

impl Wanted {
    fn read(filter: &Filter) -> Result<Self, Error> {
        let mut wanted = Self::default();
        wanted.add(filter)?;
        Ok(wanted)
    }

    fn add(&mut self, filter: &Filter) -> Result<(), Error> {
        match filter {
            Filter::And(all) => all.iter().try_for_each(|one| self.add(one)),
            Filter::Compare(pointer, Operator::Equal, Assertion::Text(value)) => {
                let name = pointer.leaf().unwrap_or_default();
                let slot = match name {
                    "username" => &mut self.username,
                    "realm" => &mut self.realm,
                    _ => {
                        let former = self.properties.insert(name.to_owned(), value.clone());
                        self.nothing |= former.is_some_and(|former| former != *value);
                        return Ok(());
                    }
                };
                let former = slot.replace(value.clone());
                self.nothing |= former.is_some_and(|former| former != *value);
                Ok(())
            }
            Filter::Compare(..) | Filter::Literal(_) | Filter::Present(_) | Filter::Not(_) | Filter::Or(_) => {
                Err(Error::no_query(&filter.to_string()))
            }
        }
    }
}

/// 403 for whoever does not administer `realm`.
pub(super) fn administered(call: &Call<'_>, realm: &RealmPath) -> Result<(), Error> {
    match call.signed_in()?.administers(realm) {
        true => Ok(()),
        false => Err(Error::insufficient_privileges()),
    }
}

/// The realm that a filter names, as it is stored: `/alpha`, `alpha`, or `/`.
fn realm(call: &Call<'_>, named: &str) -> Option<RealmPath> {
    let path = format!("/{}", named.trim_matches('/'));
    let realm = RealmPath::from(path);
    call.desk.realm_exists(&realm).then_some(realm)
}

/// Answers a query.
pub(super) async fn list(call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
    // Who administers nothing here hears nothing about filters either.
    administered(call, call.realm)?;
    let Select::Filter(filter) = &query.select else {
        return Err(Error::no_query("null"));
    };
    let wanted = Wanted::read(filter)?;
    let settings = SessionSettings::of(call.desk, call.realm);
    if let Some(other) = wanted.properties.keys().find(|name| !settings.queried.contains(*name)) {
        return Err(Error::bad_request(format!("{other} is not supported in query filter")));
    }
    let named = wanted.realm.as_deref().ok_or_else(|| Error::bad_request("The query filter must name a realm"))?;
    let found = match realm(call, named) {
        Some(realm) => {
            administered(call, &realm)?;
            find(call, &wanted, &realm).await?
        }
        None => Vec::new(),
    };
    let all = Query { select: Select::Filter(Filter::Literal(true)), ..query.clone() };
    all.answer_all(found, Totals::Unpaged)
}

async fn find(call: &Call<'_>, wanted: &Wanted, realm: &RealmPath) -> Result<Vec<Item>, Error> {
    if wanted.nothing {
        return Ok(Vec::new());
    }
    let settings = SessionSettings::of(call.desk, realm);
    // With conditions on properties, more has to be looked at than is shown; still only one user's, or one realm's.
    let most = if wanted.properties.is_empty() { settings.listed } else { usize::MAX };
    let found = match &wanted.username {
        Some(name) => {
            let mut found = Vec::new();
            for kind in [Kind::User, Kind::IdentityGateway] {
                let id = if kind == Kind::User { user_id(name) } else { name.clone() };
                let whose = Whose::Subject(DocumentKey::new(realm, kind, &id));
                found.extend(call.desk.sessions_of(whose, most).await?);
            }
            found
        }
        None => call.desk.sessions_of(Whose::Realm(realm.clone()), most).await?,
    };
    let fits = |session: &Session| {
        let mut conditions = wanted.properties.iter();
        conditions.all(|(name, value)| properties::get(session, name).is_some_and(|found| *found == **value))
    };
    let now = call.desk.views().log_time();
    let live = found.iter().filter(|(_, session)| session.expires() > now && fits(session));
    Ok(live.take(settings.listed).map(|(hash, session)| shown(hash, session, &settings)).collect())
}

fn shown(hash: &TokenHash, session: &Session, settings: &SessionSettings) -> Item {
    let data = &session.data;
    let content = json!({
        "username": data.name,
        "universalId": data.universal_id,
        "realm": data.realm.as_str(),
        "sessionHandle": handle(hash),
        "latestAccessTime": instant_with_milliseconds(session.used),
        "maxIdleExpirationTime": sessions::instant(idle_end(session, Kept::ByCluster)),
        "maxSessionExpirationTime": sessions::instant(life_end(session)),
    });
    let mut content = content.as_object().cloned().unwrap_or_default();
    let queried: Object = settings
        .queried
        .iter()
        .filter_map(|name| Some((name.clone(), properties::get(session, name)?.into_owned().into())))
        .collect();
    if !queried.is_empty() {
        content.insert("properties".into(), queried.into());
    }
    Item::new(handle(hash), None, content)
}
