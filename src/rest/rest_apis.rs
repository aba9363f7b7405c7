//! `/json/global-config/services/rest` (crest.md §13.3): what the framework does where a caller does not say. A singleton
//! that is always there; what is stored overrides the values of a fresh installation. Read by [`Settings`].
//!
//! [`Settings`]: crate::crest::Settings

use super::schema::{Attribute as A, LeftOut, Read, Schema, Section};
use crate::{
    crest::{
        Call, Description, Error, Item, Match, Object, Resource, Shape, Version,
        settings::{ID, KEY},
        unchanged,
    },
    desk::put,
};
use quorate_raft::{Precondition, Seq};
use serde_json::{Value, json};

const SCHEMA: Schema = Schema {
    sections: &[Section {
        name: "",
        title: "",
        bare: true,
        attributes: &[
            A::choice("defaultVersion", "Default Version", UNVERSIONED, "Latest"),
            A::choice("defaultProtocolVersion", "Default Protocol Version", UNVERSIONED, "Latest"),
            A::flag("warningHeader", "Warning Header", false),
            A::flag("csrfFilterEnabled", "CSRF Protection", true),
            A::choice("descriptionsState", "API Descriptions", &["STATIC", "DYNAMIC", "DISABLED"], "STATIC"),
        ],
    }],
    opaque: &[],
};

const UNVERSIONED: &[&str] = &["Latest", "Oldest", "None"];

/// The resource.
pub struct RestApis;

fn marker() -> Value {
    json!({"_id": ID, "name": "REST APIs", "collection": false})
}

fn stored(call: &Call<'_>) -> (Option<Seq>, Object) {
    match call.desk.views().entry(&KEY) {
        Some(entry) => (Some(entry.document.revision), entry.json().as_object().cloned().unwrap_or_default()),
        None => (None, Object::new()),
    }
}

fn shown(revision: Option<Seq>, stored: &Object) -> Item {
    let mut content = SCHEMA.service(stored);
    content.insert("_type".into(), marker());
    Item::new("", Some(revision.unwrap_or(Seq(0))), content)
}

impl Resource for RestApis {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn put_creates(&self) -> bool {
        false
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Singleton)
            .titled(
                "REST APIs",
                "Versions, warnings, protection against forged requests, and descriptors of all of REST",
            )
            .written(SCHEMA.json_schema())
            .configuration()
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, stored) = stored(call);
        Ok(shown(revision, &stored))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (revision, former) = stored(call);
        let when = match revision {
            Some(revision) => unchanged(when, ID, revision)?,
            None => {
                unchanged(when, ID, Seq(0))?;
                Precondition::Absent
            }
        };
        let Read { stored, .. } = SCHEMA.read(content, LeftOut::Keep(&former))?;
        let revision = call.write(put(KEY.clone(), when, &Value::Object(stored.clone()), Vec::new(), false)).await?;
        Ok(shown(Some(revision), &stored))
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Option<Value>, Error> {
        match name {
            "template" => Ok(Some(Value::Object(SCHEMA.service(&Object::new())))),
            "schema" => Ok(Some(SCHEMA.json_schema())),
            "getType" => Ok(Some(marker())),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
