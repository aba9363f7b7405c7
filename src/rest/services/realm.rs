//! A service in a realm: a singleton that is created and deleted.

use super::Service;
use crate::{
    crest::{
        Call, Create, Description, Error, Item, Match, Object, Operation, Resource, Returned, Shape, Version, unchanged,
    },
    desk::{delete, put},
    rest::schema::{LeftOut, Schema},
};
use quorate_raft::{Precondition, Seq};
use serde_json::Value;

pub(super) const EXISTS: &str = "Unable to save config: Service already exists";

/// One service of a realm.
pub struct RealmService {
    service: &'static Service,
    schema: &'static Schema,
}

impl RealmService {
    /// `None` for what realms do not configure.
    pub fn of(service: &'static Service) -> Option<Self> {
        Some(Self { service, schema: service.realm.as_ref()? })
    }

    /// Its document, if it was created.
    pub(super) fn find(&self, call: &Call<'_>) -> Option<(Seq, Object)> {
        let entry = call.desk.views().entry(&self.service.realm_key(call.realm))?;
        Some((entry.document.revision, entry.json().as_object().cloned().unwrap_or_default()))
    }

    /// As a GET shows it.
    pub(super) fn shown(&self, revision: Option<Seq>, stored: &Object) -> Item {
        let mut content = self.schema.service(stored);
        content.insert("_type".into(), self.service.marker());
        Item::new("", revision, content)
    }

    /// What the cluster says that a realm has.
    fn defaults(&self, call: &Call<'_>) -> Object {
        let global = call.desk.views().entry(&self.service.global_key());
        let defaults = global.as_deref().and_then(|entry| self.service.defaults_in(entry.json())?.as_object().cloned());
        defaults.unwrap_or_default()
    }
}

impl Resource for RealmService {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Singleton)
            .titled(self.service.name, "A service of a realm")
            .written(self.schema.json_schema())
            .can([Operation::Create, Operation::Read, Operation::Update, Operation::Delete])
            .configuration()
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        if self.find(call).is_some() {
            return Err(create.taken(call, EXISTS));
        }
        let mut stored = self.schema.read(create.content, LeftOut::Keep(&self.defaults(call)))?.stored;
        (self.service.complete)(&mut stored);
        let key = self.service.realm_key(call.realm);
        let write = put(key, Precondition::Absent, &Value::Object(stored.clone()), Vec::new(), false);
        let written = call.write(write).await;
        let revision = written.map_err(|error| create.refused(call, error, EXISTS))?;
        Ok(self.shown(Some(revision), &stored))
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, stored) = self.find(call).ok_or_else(Error::not_found)?;
        Ok(self.shown(Some(revision), &stored))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (revision, former) = self.find(call).ok_or_else(Error::not_found)?;
        let when = unchanged(when, self.service.id, revision)?;
        let stored = self.schema.read(content, LeftOut::Keep(&former))?.stored;
        let key = self.service.realm_key(call.realm);
        let write = put(key, when, &Value::Object(stored.clone()), Vec::new(), false);
        let revision = call.write(write).await?;
        Ok(self.shown(Some(revision), &stored))
    }

    async fn delete(&self, call: &Call<'_>, _: &str, when: &Match) -> Result<Item, Error> {
        let (revision, stored) = self.find(call).ok_or_else(Error::not_found)?;
        call.write(delete(self.service.realm_key(call.realm), when.precondition())).await?;
        Ok(self.shown(Some(revision), &stored))
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "template" => Ok(Value::Object(self.schema.service(&self.defaults(call))).into()),
            "schema" => Ok(self.schema.json_schema().into()),
            "getType" => Ok(self.service.marker().into()),
            // Nothing is below it.
            "nextdescendents" => Ok(serde_json::json!({"result": []}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
