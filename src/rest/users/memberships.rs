//! `users/{user}/groups`: which groups a user is in (authn-sessions-realms.md d.5).

use super::{find, not_found, outranked, owner_or_administrator};
use crate::{
    crest::{
        ActionDescription, Call, Description, Error, Item, Listing, Object, Query, Resource, Returned, Shape, Totals,
        Verb, Version, pointer::Names,
    },
    privileges::Endpoint,
    rest::{groups, identity::user_id},
};
use quorate_raft::Kind;
use serde_json::{Value, json};

/// Most groups that one request names.
const MAX_GROUPS: usize = 256;

/// The groups of one user.
pub struct Memberships {
    /// The user's name, as it stands in the path.
    pub user: String,
}

/// Puts the user `id` into the groups that `content` names, and out of all others; in one log entry.
///
/// # Errors
/// 400 for a group that does not exist; 403 for a user or a group that may do more than the caller.
pub(super) async fn set(call: &Call<'_>, id: &str, content: &Object) -> Result<(), Error> {
    let missing = || Error::bad_request("'groups' attribute not set in JSON content.");
    let named = content.get("groups").and_then(Value::as_array).ok_or_else(missing)?;
    let names: Option<Vec<&str>> = named.iter().map(Value::as_str).collect();
    let names = names.filter(|names| names.len() <= MAX_GROUPS).ok_or_else(|| Error::invalid_value("groups"))?;
    let key = find(call, id).ok_or_else(not_found)?.key;
    outranked(call, &key)?;
    groups::join(call, &key, &names).await
}

impl Resource for Memberships {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::List).action(ActionDescription::new(
            "updateMemberships",
            "Puts the user into these groups, and out of all others",
        ))
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        match verb {
            Verb::Query(_) => owner_or_administrator(call, &self.user),
            _ => call.permits(Endpoint::Users, verb),
        }
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let key = find(call, &self.user).ok_or_else(not_found)?.key;
        let groups = call.desk.views().groups_of(call.realm, &key.id);
        let items = groups.iter().filter_map(|group| {
            let entry = call.desk.document(call.realm, Kind::Group, group)?;
            let name = entry.json().get("username")?.as_str()?.to_owned();
            let content = json!({"groupname": name}).as_object().cloned().unwrap_or_default();
            Some(Item::new(name, Some(entry.document.revision), content))
        });
        query.answer(items, Names::AnyCase, Totals::Remaining)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        match name {
            "updateMemberships" => {
                set(call, &user_id(&self.user), content).await?;
                Ok(json!({}).into())
            }
            _ => Err(Error::unsupported()),
        }
    }
}
