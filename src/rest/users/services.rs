//! `users/{user}/services`: what services say about one user (authn-sessions-realms.md d.6, b.6, f.4).
//!
//! | it says                                                      | here                              |
//! |--------------------------------------------------------------|-----------------------------------|
//! | which services a user has: list, types, `nextdescendents`     | [`UserServices`]                  |
//! | `unassignServices`                                            | [`UserServices`]                  |
//! | one service: created, read, updated, deleted                  | [`UserService`]                   |
//! | what is left out when it is created is as it is in the realm  | `UserService::create`             |
//! | who: the owner looks, administrators who outrank write (AD-02) | `permit`, `users::change`       |
//! | b.6: limits of a user's sessions win                          | [`OwnLimits`]                     |
//! | f.4: what a user's dashboard shows                            | [`super::super::dashboard`]       |
//!
//! A user's limits are nobody's who is limited by them: owners read, and write nothing. What a service says is part of the
//! user's document ([`OfUser`]), so that it goes with the user; sessions that have started keep the limits they started with.
//!
//! [`OwnLimits`]: crate::sessions::settings::OwnLimits

use super::{Stored, change, find, not_found, owner_or_administrator, user_id};
use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource,
        Returned, Shape, Totals, Verb, Version, unchanged,
    },
    privileges::{Endpoint, Right},
    rest::{
        schema::{LeftOut, Schema},
        services::{OfUser, Service, TABLE, effective},
    },
    sessions::settings::OF_USER,
};
use quorate_raft::{DocumentKey, Kind, Seq};
use serde_json::{Value, json};

/// Most services that one request names.
const MAX_NAMES: usize = 64;

/// The services of one user.
pub struct UserServices {
    /// The user's name, as it stands in the path.
    pub user: String,
}

/// One service of one user.
pub struct UserService {
    /// The user's name, as it stands in the path.
    pub user: String,
    /// The service.
    pub service: &'static Service,
}

/// Services that users have, with what of a user they say.
pub fn of_users() -> impl Iterator<Item = (&'static Service, &'static Schema)> {
    TABLE.iter().filter(|service| service.of_user != OfUser::Never).filter_map(|service| {
        let schema = service.realm.as_ref()?;
        Some((service, schema))
    })
}

/// What the user with `body` has of `service`.
fn of_body(service: &Service, schema: &Schema, body: &Object) -> Option<Object> {
    match service.of_user {
        OfUser::Never => None,
        OfUser::Apart => body.get(OF_USER)?.get(service.id)?.as_object().cloned(),
        OfUser::Profile => {
            let names = schema.sections.iter().flat_map(|section| section.attributes).map(|attribute| attribute.name);
            let own: Object = names.filter_map(|name| Some((name.to_owned(), body.get(name)?.clone()))).collect();
            (!own.is_empty()).then_some(own)
        }
    }
}

/// Writes what the user has of `service` into `body`; `None` takes it away.
fn into_body(service: &Service, schema: &Schema, body: &mut Object, said: Option<Object>) {
    match service.of_user {
        OfUser::Never => {}
        OfUser::Apart => {
            let mut all = body.remove(OF_USER).and_then(|all| all.as_object().cloned()).unwrap_or_default();
            match said {
                Some(said) => drop(all.insert(service.id.into(), said.into())),
                None => drop(all.remove(service.id)),
            }
            if !all.is_empty() {
                body.insert(OF_USER.into(), all.into());
            }
        }
        OfUser::Profile => {
            for attribute in schema.sections.iter().flat_map(|section| section.attributes) {
                match said.as_ref().and_then(|said| said.get(attribute.name)) {
                    Some(value) => drop(body.insert(attribute.name.into(), value.clone())),
                    None => drop(body.remove(attribute.name)),
                }
            }
        }
    }
}

fn shown(service: &Service, schema: &Schema, revision: Option<Seq>, said: &Object) -> Item {
    let mut content = schema.service(said);
    content.insert("_type".into(), service.marker());
    Item::new("", revision, content)
}

/// The owner and administrators look; whoever may write users writes.
fn permit(call: &Call<'_>, user: &str, verb: &Verb) -> Result<(), Error> {
    match Right::of(Endpoint::Users, verb) {
        Some(Right::Read) => owner_or_administrator(call, user),
        _ => call.permits(Endpoint::Users, verb),
    }
}

impl UserServices {
    fn assigned(&self, call: &Call<'_>) -> Result<Vec<(&'static Service, Item)>, Error> {
        let Stored { body, revision, .. } = find(call, &self.user).ok_or_else(not_found)?;
        let own = of_users().filter_map(|(service, schema)| {
            let said = of_body(service, schema, &body)?;
            Some((service, shown(service, schema, Some(revision), &said)))
        });
        Ok(own.collect())
    }

    async fn unassign(&self, call: &Call<'_>, content: &Object) -> Result<(), Error> {
        let named = content.get("serviceNames").and_then(Value::as_array);
        let named = named.ok_or_else(|| Error::bad_request("'serviceNames' attribute not set in JSON content."))?;
        let find = |name: &Value| of_users().find(|(service, _)| Some(service.id) == name.as_str());
        let found: Option<Vec<_>> = named.iter().take(MAX_NAMES + 1).map(find).collect();
        let found = found.filter(|found| found.len() <= MAX_NAMES);
        let found = found.ok_or_else(|| Error::invalid_value("serviceNames"))?;
        let unassigned = change(call, &self.user, |stored| {
            for (service, schema) in &found {
                into_body(service, schema, &mut stored.body, None);
            }
            Ok(())
        });
        unassigned.await.map(drop)
    }
}

impl Resource for UserServices {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Users
    }

    fn describe(&self) -> Description {
        Description::of(Shape::List)
            .titled("Services of a user", "What services say about one user, by their ids")
            .action(ActionDescription::new("getAllTypes", "Services that users can have"))
            .action(ActionDescription::new("getCreatableTypes", "Services that the user does not have yet"))
            .action(ActionDescription::new("nextdescendents", "Services of the user with their attributes"))
            .action(ActionDescription::new("unassignServices", "Takes the services `serviceNames` from the user"))
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        permit(call, &self.user, verb)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let items = self.assigned(call)?.into_iter().map(|(service, item)| {
            let content = json!({"name": service.name}).as_object().cloned().unwrap_or_default();
            Item { id: service.id.to_owned(), revision: item.revision, content }
        });
        query.answer_all(items, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        let markers = |services: Vec<&Service>| {
            let markers: Vec<Value> = services.into_iter().map(Service::marker).collect();
            json!({"result": markers})
        };
        match name {
            "getAllTypes" => {
                self.assigned(call)?;
                Ok(markers(of_users().map(|(service, _)| service).collect()).into())
            }
            "getCreatableTypes" => {
                let assigned = self.assigned(call)?;
                let missing = |service: &&Service| !assigned.iter().any(|(own, _)| own.id == service.id);
                Ok(markers(of_users().map(|(service, _)| service).filter(missing).collect()).into())
            }
            "nextdescendents" => {
                let own = self.assigned(call)?.into_iter();
                let own: Vec<Value> =
                    own.map(|(service, item)| Item { id: service.id.into(), revision: None, ..item }.whole()).collect();
                Ok(json!({"result": own}).into())
            }
            "unassignServices" => {
                self.unassign(call, content).await?;
                Ok(json!({}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

impl UserService {
    fn schema(&self) -> Result<&'static Schema, Error> {
        self.service.realm.as_ref().ok_or_else(not_found)
    }

    /// What holds in the realm.
    fn defaults(&self, call: &Call<'_>, schema: &Schema) -> Object {
        let realm = effective(call.desk, call.realm, self.service.id);
        let mut all = Object::new();
        for section in schema.sections {
            let named = section.attributes.iter().filter_map(|attribute| {
                Some((attribute.name.to_owned(), realm.value(section.name, attribute.name)?.clone()))
            });
            match section.name {
                "" => all.extend(named),
                name => drop(all.insert(name.into(), Value::Object(named.collect()))),
            }
        }
        all
    }
}

impl Resource for UserService {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Users
    }

    fn describe(&self) -> Description {
        let schema = self.service.realm.as_ref().map_or_else(|| json!({"type": "object"}), Schema::json_schema);
        Description::of(Shape::Singleton)
            .titled(self.service.name, "What a service says about one user")
            .written(schema)
            .can([Operation::Create, Operation::Read, Operation::Update, Operation::Delete])
            .configuration()
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        permit(call, &self.user, verb)
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let schema = self.schema()?;
        let defaults = self.defaults(call, schema);
        let (said, revision) = change(call, &self.user, |stored| {
            if of_body(self.service, schema, &stored.body).is_some() {
                return Err(create.taken(call, "Unable to save config: Service already exists"));
            }
            let said = schema.read(create.content, LeftOut::Keep(&defaults))?.stored;
            into_body(self.service, schema, &mut stored.body, Some(said.clone()));
            Ok(said)
        })
        .await?;
        Ok(shown(self.service, schema, Some(revision), &said))
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let schema = self.schema()?;
        let Stored { body, revision, .. } = find(call, &self.user).ok_or_else(not_found)?;
        let said = of_body(self.service, schema, &body).ok_or_else(Error::not_found)?;
        Ok(shown(self.service, schema, Some(revision), &said))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let schema = self.schema()?;
        let (said, revision) = change(call, &self.user, |stored| {
            let former = of_body(self.service, schema, &stored.body).ok_or_else(Error::not_found)?;
            unchanged(when, self.service.id, stored.revision)?;
            let said = schema.read(content, LeftOut::Keep(&former))?.stored;
            into_body(self.service, schema, &mut stored.body, Some(said.clone()));
            Ok(said)
        })
        .await?;
        Ok(shown(self.service, schema, Some(revision), &said))
    }

    async fn delete(&self, call: &Call<'_>, _: &str, when: &Match) -> Result<Item, Error> {
        let schema = self.schema()?;
        let ((said, revision), _) = change(call, &self.user, |stored| {
            let said = of_body(self.service, schema, &stored.body).ok_or_else(Error::not_found)?;
            unchanged(when, self.service.id, stored.revision)?;
            into_body(self.service, schema, &mut stored.body, None);
            Ok((said, stored.revision))
        })
        .await?;
        Ok(shown(self.service, schema, Some(revision), &said))
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        let key = DocumentKey::new(call.realm, Kind::User, &user_id(&self.user));
        call.desk.views().entry(&key).ok_or_else(not_found)?;
        let schema = self.schema()?;
        match name {
            "template" => Ok(Value::Object(schema.service(&self.defaults(call, schema))).into()),
            "schema" => Ok(schema.json_schema().into()),
            "getType" => Ok(self.service.marker().into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

#[cfg(test)]
mod tests;
