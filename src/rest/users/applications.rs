//! `users/{user}/oauth2/applications`: which clients hold something in the name of a user, and its end
//! (authn-sessions-realms.md d.6, oauth2-endpoints.md §20).
//!
//! | §20                                             | here                              |
//! |-------------------------------------------------|-----------------------------------|
//! | the user or an administrator                    | `Resource::permit`                |
//! | one item per client: scopes, latest expiry      | `Application`                   |
//! | DELETE revokes all tokens of (user, client)     | `Applications::delete`            |
//! | none: 404                                       | `Applications::delete`            |
//! | G3: final, also for what is under way           | `revoke`                          |
//!
//! What a client holds is found where it is: opaque tokens, and codes, which know what they bought for as long as it lives,
//! client-based tokens among it.

use super::{find, not_found, outranked, owner_or_administrator};
use crate::{
    caller::is_active,
    consensus::Unavailable,
    crest::{
        Call, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource, Shape, Totals, Verb,
        Version,
    },
    desk::Desk,
    secrets::grant_set_hint,
};
use jiff::Timestamp;
use quorate_raft::{
    ClientId, Command, DocumentKey, GrantId, Kind, Outcome, OwnerId, RealmPath, Seq, Stamp,
    grant_sets::{Code, RevokeGrant},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How often what has come meanwhile is revoked, too.
const ATTEMPTS: usize = 8;

/// The applications of one user.
pub struct Applications {
    /// The user's name, as it stands in the path.
    pub user: String,
}

/// What one client holds in the name of one user.
struct Application {
    scopes: BTreeSet<Arc<str>>,
    expires: Stamp,
    /// The families, each with whom it was issued to: names are spelled as they were when it was issued.
    grants: BTreeMap<GrantId, OwnerId>,
}

/// Something that was issued.
struct Issued<'i> {
    realm: &'i RealmPath,
    client: &'i ClientId,
    client_fence: Seq,
    owner: &'i OwnerId,
    owner_fence: Seq,
    scope: &'i [Arc<str>],
    grant: GrantId,
    expires: Stamp,
}

/// What clients hold in the name of the user at `key`: looks at every live token and code.
fn held(desk: &Desk, key: &DocumentKey) -> BTreeMap<ClientId, Application> {
    let views = desk.views();
    let now = views.log_time();
    let mut found: BTreeMap<ClientId, Application> = BTreeMap::new();
    let Some(fence) = views.entry(key).map(|entry| entry.document.fence) else {
        return found;
    };
    let revoked = views.revoked.pin();
    let mut stands: BTreeMap<ClientId, Option<Seq>> = BTreeMap::new();
    let mut note = |issued: Issued<'_>| {
        let theirs = issued.owner_fence == fence
            && *issued.realm == key.realm
            && issued.owner.as_str().to_lowercase() == *key.id;
        if !theirs || issued.expires <= now || revoked.contains_key(&issued.grant) {
            return;
        }
        let client = stands.entry(issued.client.clone()).or_insert_with(|| {
            let client = DocumentKey::new(&key.realm, Kind::OAuth2Client, issued.client.as_str());
            let entry = views.entry(&client).filter(|entry| is_active(client.kind, entry))?;
            Some(entry.document.fence)
        });
        if *client != Some(issued.client_fence) {
            return;
        }
        let application = found.entry(issued.client.clone()).or_insert_with(|| Application {
            scopes: BTreeSet::new(),
            expires: issued.expires,
            grants: BTreeMap::new(),
        });
        application.scopes.extend(issued.scope.iter().cloned());
        application.expires = application.expires.max(issued.expires);
        application.grants.insert(issued.grant, issued.owner.clone());
    };
    for token in views.access.pin().iter() {
        let (token, template) = (&token.0, &token.0.template);
        if let Some(owner_fence) = template.owner_fence {
            note(Issued {
                realm: &template.realm,
                client: &template.client,
                client_fence: template.client_fence,
                owner: &template.owner,
                owner_fence,
                scope: &template.scope,
                grant: token.id.grant,
                expires: token.expires,
            });
        }
    }
    for (_, code) in views.codes.pin().iter() {
        let authorization = &code.authorization;
        let expires = match &code.state {
            Code::Live => code.expires,
            Code::Spent { expires, .. } => *expires,
            Code::Burnt => continue,
        };
        note(Issued {
            realm: &authorization.realm,
            client: &authorization.client,
            client_fence: authorization.client_fence,
            owner: &authorization.owner,
            owner_fence: authorization.owner_fence,
            scope: &authorization.scope,
            grant: authorization.grant,
            expires,
        });
    }
    found
}

/// [`held`], off the HTTP workers: it looks at everything that lives.
async fn held_by(desk: &Desk, key: &DocumentKey) -> Result<BTreeMap<ClientId, Application>, Error> {
    let (desk, key) = (desk.clone(), key.clone());
    actix_web::web::block(move || held(&desk, &key)).await.map_err(|_| Unavailable::Overloaded.into())
}

/// Revokes families of (user, client): final, once this has returned.
async fn revoke(desk: &Desk, realm: &RealmPath, client: &ClientId, held: &Application) -> Result<(), Error> {
    for (grant, owner) in &held.grants {
        let hint = grant_set_hint(realm, client, owner);
        let command = RevokeGrant { hint, grant: *grant, until: held.expires };
        match desk.propose(Command::RevokeGrant(command)).await? {
            Outcome::Done => {}
            Outcome::Refused(refusal) => return Err(refusal.into()),
            Outcome::Issued { .. } | Outcome::Written(_) => return Err(Unavailable::Unknown.into()),
        }
    }
    Ok(())
}

impl Applications {
    fn key(&self, call: &Call<'_>) -> Result<DocumentKey, Error> {
        find(call, &self.user).map(|stored| stored.key).ok_or_else(not_found)
    }
}

/// What a client's profile calls a scope: `read|Read your albums`, `read|en|Read your albums`; else its name.
fn description<'d>(told: Option<&'d Vec<Value>>, scope: &'d str) -> &'d str {
    let entries = told.into_iter().flatten().filter_map(Value::as_str);
    let of_scope = entries.filter_map(|entry| entry.split_once('|').filter(|(name, _)| *name == scope));
    let mut texts = of_scope.map(|(_, rest)| rest.split_once('|').unwrap_or(("", rest)));
    let first = texts.clone().next();
    texts.find(|(locale, _)| locale.is_empty() || *locale == "en").or(first).map_or(scope, |(_, text)| text)
}

fn item(call: &Call<'_>, client: &ClientId, held: &Application) -> Item {
    let entry = call.desk.document(call.realm, Kind::OAuth2Client, client.as_str());
    let told = entry.as_ref().and_then(|entry| entry.json().pointer("/coreOAuth2ClientConfig/scopes")?.as_array());
    let scopes: Object = held.scopes.iter().map(|scope| (scope.to_string(), description(told, scope).into())).collect();
    let expires = Timestamp::from_millisecond(i64::try_from(held.expires.0).unwrap_or(i64::MAX)).unwrap_or_default();
    let content = json!({
        "name": null,
        "scopes": scopes,
        "expiryDateTime": expires.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "logoUri": null,
    });
    let content = content.as_object().cloned().unwrap_or_default();
    Item { id: client.to_string(), revision: Some(held.expires.0.to_string()), content }
}

impl Resource for Applications {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 1)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection).can([Operation::Read, Operation::Delete, Operation::Query])
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        owner_or_administrator(call, &self.user)?;
        match verb {
            Verb::Delete(_) if !call.is_user(&super::user_id(&self.user)) => {
                let key = DocumentKey::new(call.realm, Kind::User, &super::user_id(&self.user));
                outranked(call, &key)
            }
            _ => Ok(()),
        }
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let client = ClientId::from(id);
        let held = held_by(call.desk, &self.key(call)?).await?;
        held.get(&client).map(|held| item(call, &client, held)).ok_or_else(not_found)
    }

    async fn delete(&self, call: &Call<'_>, id: &str, _: &Match) -> Result<Item, Error> {
        let (key, client) = (self.key(call)?, ClientId::from(id));
        let mut gone = None;
        for _ in 0..ATTEMPTS {
            let mut held = held_by(call.desk, &key).await?;
            let Some(held) = held.remove(&client) else {
                return gone.ok_or_else(not_found);
            };
            gone.get_or_insert_with(|| item(call, &client, &held));
            revoke(call.desk, call.realm, &client, &held).await?;
            // What was issued meanwhile goes the same way.
            call.desk.barrier().await?;
        }
        Err(Unavailable::Overloaded.into())
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let held = held_by(call.desk, &self.key(call)?).await?;
        query.answer_all(held.iter().map(|(client, held)| item(call, client, held)), Totals::Unpaged)
    }
}

#[cfg(test)]
mod tests {
    use super::description;
    use serde_json::json;

    #[test]
    fn a_scope_goes_by_its_text_in_the_profile() {
        let told = json!(["read|fr|Lire", "read|en|Read", "write|Write", "plain", 7]);
        let told = told.as_array();
        for (scope, text) in [("read", "Read"), ("write", "Write"), ("plain", "plain"), ("other", "other")] {
            assert_eq!(description(told, scope), text);
        }
        assert_eq!(description(None, "read"), "read");
    }
}
