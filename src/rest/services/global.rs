//! A service of the cluster: a singleton that is always there. Until somebody writes it, it has the defaults, and no
//! document; its revision is 0 then.

use super::{DEFAULTS, Defaults, INSTANCES, Instances, Service};
use crate::{
    crest::{Call, Description, Error, Item, Match, Object, Resource, Returned, Shape, Version, unchanged},
    desk::put,
    rest::schema::LeftOut,
};
use quorate_raft::{Precondition, Seq};
use serde_json::{Value, json};

/// One service of the cluster.
pub struct GlobalService(pub &'static Service);

impl GlobalService {
    /// Its document; empty, at revision 0, when nobody wrote it.
    pub(super) fn find(&self, call: &Call<'_>) -> (Seq, Object) {
        match call.desk.views().entry(&self.0.global_key()) {
            Some(entry) => (entry.document.revision, entry.json().as_object().cloned().unwrap_or_default()),
            None => (Seq(0), Object::new()),
        }
    }

    /// As a GET shows it.
    pub(super) fn shown(&self, revision: Option<Seq>, stored: &Object) -> Item {
        let mut content = self.0.global.service(stored);
        if let Some(defaults) = self.defaults(stored) {
            content.insert(DEFAULTS.into(), Value::Object(defaults));
        }
        content.insert("_type".into(), self.0.marker());
        Item::new("", revision, content)
    }

    /// `defaults` as they are shown; `None` where there is no such member.
    fn defaults(&self, stored: &Object) -> Option<Object> {
        let schema = self.0.realm.as_ref().filter(|_| self.0.defaults == Defaults::Apart)?;
        let nothing = Object::new();
        Some(schema.service(stored.get(DEFAULTS).and_then(Value::as_object).unwrap_or(&nothing)))
    }

    /// What a client sends, over what is stored.
    fn merged(&self, content: &Object, former: &Object) -> Result<Object, Error> {
        // The schema lets `defaults` pass as they are; they are read by the realm's schema here.
        let mut stored = self.0.global.read(content, LeftOut::Keep(former))?.stored;
        let Some(schema) = self.0.realm.as_ref().filter(|_| self.0.defaults == Defaults::Apart) else {
            return Ok(stored);
        };
        let nothing = Object::new();
        let given = match content.get(DEFAULTS) {
            None | Some(Value::Null) => &nothing,
            Some(Value::Object(given)) => given,
            Some(_) => return Err(Error::invalid_value("Defaults")),
        };
        let kept = former.get(DEFAULTS).and_then(Value::as_object).unwrap_or(&nothing);
        let defaults = schema.read(given, LeftOut::Keep(kept))?.stored;
        stored.insert(DEFAULTS.into(), Value::Object(defaults));
        Ok(stored)
    }

    fn json_schema(&self) -> Value {
        let mut schema = self.0.global.json_schema();
        let realm = self.0.realm.as_ref().filter(|_| self.0.defaults == Defaults::Apart);
        if let (Some(realm), Some(properties)) = (realm, schema["properties"].as_object_mut()) {
            let order = properties.len();
            let mut defaults = realm.json_schema();
            defaults["title"] = json!("Realm Defaults");
            defaults["propertyOrder"] = json!(order);
            properties.insert(DEFAULTS.into(), defaults);
        }
        schema
    }
}

impl Resource for GlobalService {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Singleton)
            .titled(self.0.name, "A service of the cluster, with defaults for realms")
            .written(self.json_schema())
            .configuration()
    }

    fn put_creates(&self) -> bool {
        false
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, stored) = self.find(call);
        Ok(self.shown(Some(revision), &stored))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (revision, former) = self.find(call);
        let when = match unchanged(when, self.0.id, revision)? {
            Precondition::Revision(Seq(0)) => Precondition::Absent,
            written => written,
        };
        let stored = self.merged(content, &former)?;
        let write = put(self.0.global_key(), when, &Value::Object(stored.clone()), Vec::new(), false);
        let revision = call.write(write).await?;
        Ok(self.shown(Some(revision), &stored))
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "template" => {
                let Item { mut content, .. } = self.shown(None, &Object::new());
                content.remove("_type");
                Ok(Value::Object(content).into())
            }
            "schema" => Ok(self.json_schema().into()),
            "getType" => Ok(self.0.marker().into()),
            "nextdescendents" => {
                let below = INSTANCES.iter().filter(|kind| kind.service == self.0.id);
                let below = below.flat_map(|kind| Instances(kind).items(call));
                let below: Vec<Value> = below.map(|item| Item { revision: None, ..item }.whole()).collect();
                Ok(json!({"result": below}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
