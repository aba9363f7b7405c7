//! `/json/{realm}/realm-config/services`: the OAuth 2.0 provider of a realm (oauth2-config.md §12).
//!
//! | section | it says                                                       | here                  |
//! |---------|---------------------------------------------------------------|-----------------------|
//! | §12     | POST `_action=create` or PUT; DELETE                          | `Provider`            |
//! | §12.11  | what is omitted takes the defaults when it is created         | `Provider::create`    |
//! | §5.3    | (crest.md) what is omitted afterwards stays                   | `Provider::update`    |
//! | §2.3    | plain values, unset ones left out                             | [`super::schema`]     |
//!
//! A realm without the document has a provider all the same: with the defaults.

pub mod provider;

use super::schema::{LeftOut, Read};
use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource,
        Shape, Totals, Version, unchanged,
    },
    desk::{delete, put},
    host,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::{DocumentKey, Kind, Precondition, Seq};
use serde_json::{Value, json};

/// Id of the provider's document.
pub const PROVIDER: &str = "oauth-oidc";

const EXISTS: &str = "Unable to save config: Service already exists";

/// The provider service: a singleton that can be created and deleted.
pub struct Provider;

/// The services of a realm.
pub struct AllServices;

fn marker() -> Value {
    json!({"_id": PROVIDER, "name": "OAuth2 Provider", "collection": false})
}

fn key(call: &Call<'_>) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::Service, PROVIDER)
}

fn find(call: &Call<'_>) -> Option<(Seq, Object)> {
    let entry = call.desk.views().entry(&key(call))?;
    Some((entry.document.revision, entry.json().as_object().cloned().unwrap_or_default()))
}

fn shown(revision: Option<Seq>, stored: &Object) -> Item {
    let mut content = provider::SCHEMA.service(stored);
    content.insert("_type".into(), marker());
    Item::new("", revision, content)
}

impl Resource for Provider {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Singleton)
            .titled("OAuth2 Provider", "The OAuth 2.0 provider of a realm")
            .written(provider::SCHEMA.json_schema())
            .can([Operation::Create, Operation::Read, Operation::Update, Operation::Delete])
            .configuration()
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        if find(call).is_some() {
            return Err(create.taken(call, EXISTS));
        }
        let Read { mut stored, .. } = provider::SCHEMA.read(create.content, LeftOut::Default)?;
        // Pairwise subjects of two installations must not be linkable: the salt is ours alone unless it is given.
        if let Some(Value::Object(advanced)) = stored.get_mut("advancedOAuth2Config") {
            let salt = || URL_SAFE_NO_PAD.encode(host::random::<24>());
            advanced.entry("hashSalt").or_insert_with(|| salt().into());
        }
        let write = put(key(call), Precondition::Absent, &Value::Object(stored.clone()), Vec::new(), false);
        let written = call.write(write).await;
        let revision = written.map_err(|error| create.refused(call, error, EXISTS))?;
        Ok(shown(Some(revision), &stored))
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, stored) = find(call).ok_or_else(Error::not_found)?;
        Ok(shown(Some(revision), &stored))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (revision, former) = find(call).ok_or_else(Error::not_found)?;
        let when = unchanged(when, PROVIDER, revision)?;
        let Read { stored, .. } = provider::SCHEMA.read(content, LeftOut::Keep(&former))?;
        let revision = call.write(put(key(call), when, &Value::Object(stored.clone()), Vec::new(), false)).await?;
        Ok(shown(Some(revision), &stored))
    }

    async fn delete(&self, call: &Call<'_>, _: &str, when: &Match) -> Result<Item, Error> {
        let (revision, stored) = find(call).ok_or_else(Error::not_found)?;
        call.write(delete(key(call), when.precondition())).await?;
        Ok(shown(Some(revision), &stored))
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Option<Value>, Error> {
        match name {
            "template" => Ok(Some(Value::Object(provider::SCHEMA.service(&Object::new())))),
            "schema" => Ok(Some(provider::SCHEMA.json_schema())),
            "getType" => Ok(Some(marker())),
            _ => Err(Error::new(501, format!("Action not supported: {name}"))),
        }
    }
}

impl Resource for AllServices {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::List)
            .titled("Services", "Services of a realm")
            .action(ActionDescription::new("getAllTypes", "All services"))
            .action(ActionDescription::new("getCreatableTypes", "Services that the realm does not have yet"))
            .action(ActionDescription::new("nextdescendents", "All services with their attributes"))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let name = json!({"name": "OAuth2 Provider"}).as_object().cloned().unwrap_or_default();
        let all = find(call).map(|(revision, _)| Item::new(PROVIDER, Some(revision), name));
        query.answer_all(all, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Option<Value>, Error> {
        let stored = find(call);
        match name {
            "getAllTypes" => Ok(Some(json!({"result": [marker()]}))),
            "getCreatableTypes" => {
                let creatable: Vec<Value> = stored.is_none().then(marker).into_iter().collect();
                Ok(Some(json!({"result": creatable})))
            }
            "nextdescendents" => {
                let services = stored.map(|(_, stored)| Item { id: PROVIDER.into(), ..shown(None, &stored) }.whole());
                let services: Vec<Value> = services.into_iter().collect();
                Ok(Some(json!({"result": services})))
            }
            _ => Err(Error::new(501, format!("Action not supported: {name}"))),
        }
    }
}

#[cfg(test)]
mod tests;
