//! `/json/global-config/services/{service}/{type}`: what a service of the cluster has several of, each under a name that an
//! administrator chose. They are documents of their own, beside that of the service.
//!
//! | service       | type            | what it is                                   | who reads it              |
//! |---------------|-----------------|----------------------------------------------|---------------------------|
//! | `dashboard`   | `instances`     | an application that dashboards show (f.4)    | [`crate::rest::dashboard`] |
//! | `CorsService` | `configuration` | what pages of other origins may do           | [`crate::cors`]           |

use crate::{
    cors,
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Returned,
        Shape, Totals, Version, describe::Ids, unchanged,
    },
    desk::{Desk, delete, put},
    rest::{
        agents::checks::web_url,
        identity::is_name,
        schema::{Attribute as A, LeftOut, Schema, Section},
    },
    views::Entry,
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Seq};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most instances of one type: who reads them reads all.
const MAX_INSTANCES: usize = 100;

/// A type of instances.
#[derive(Debug)]
pub struct InstanceType {
    /// The service that they belong to.
    pub service: &'static str,
    /// `_id` of the type, and its place in paths.
    pub id: &'static str,
    /// Its name in the console.
    pub name: &'static str,
    /// Attributes of one.
    pub schema: Schema,
    /// What must hold of one beyond its schema.
    pub check: fn(&Object) -> Result<(), Error>,
}

fn anything(_: &Object) -> Result<(), Error> {
    Ok(())
}

/// Where a dashboard leads: a browser follows it.
fn link(url: &str) -> bool {
    let path = url.starts_with('/') && !url.starts_with("//");
    let plain = url.len() <= 2048 && url.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != '\\');
    plain && (path || web_url(url))
}

const DASHBOARD: &[A] = &[
    A::text("className", "Dashboard Class Name"),
    A::text("name", "Dashboard Name"),
    A::text("displayName", "Dashboard Display Name"),
    A::text("icon", "Dashboard Icon"),
    A::checked("login", "Dashboard Login", link),
    A::text("icfIdentifier", "ICF Identifier"),
];

const CORS: &[A] = &[
    A::flag("enabled", "Enable the CORS filter", false),
    A::list_of("acceptedOrigins", "Accepted Origins", cors::is_origin, &[]),
    A::list_of("acceptedMethods", "Accepted Methods", cors::is_name, &[]),
    A::list_of("acceptedHeaders", "Accepted Headers", cors::is_name, &[]),
    A::list_of("exposedHeaders", "Exposed Headers", cors::is_name, &[]),
    A::int("maxAge", "Max Age", 0, 600),
    A::flag("allowCredentials", "Allow Credentials", false),
];

/// oauth2-endpoints §2.7: never all origins with credentials.
fn considerate(stored: &Object) -> Result<(), Error> {
    if cors::is_reckless(stored) { Err(Error::invalid_value("Allow Credentials")) } else { Ok(()) }
}

/// All types.
pub static INSTANCES: &[InstanceType] = &[
    InstanceType {
        service: "dashboard",
        id: "instances",
        name: "Dashboard Instance",
        schema: flat(&[Section { name: "", title: "", bare: false, attributes: DASHBOARD }]),
        check: anything,
    },
    InstanceType {
        service: cors::SERVICE,
        id: cors::CONFIGURATION,
        name: "Cors Configuration",
        schema: flat(&[Section { name: "", title: "", bare: false, attributes: CORS }]),
        check: considerate,
    },
];

const fn flat(sections: &'static [Section]) -> Schema {
    Schema { sections, opaque: &[] }
}

/// The instances of one type.
pub struct Instances(pub &'static InstanceType);

impl InstanceType {
    fn prefix(&self) -> String {
        format!("{}/{}/", self.service, self.id)
    }

    fn key(&self, id: &str) -> DocumentKey {
        DocumentKey::new(&RealmPath::root(), Kind::GlobalService, &(self.prefix() + id))
    }

    fn marker(&self) -> Value {
        json!({"_id": self.id, "name": self.name, "collection": true})
    }

    fn shown(&self, id: &str, revision: Seq, stored: &Object) -> Item {
        let mut content = self.schema.service(stored);
        content.insert("_type".into(), self.marker());
        Item::new(id, Some(revision), content)
    }

    /// All instances of `service`'s `kind`, by their names, as the views show them.
    pub fn all(desk: &Desk, service: &str, kind: &str) -> Vec<(String, Arc<Entry>)> {
        let prefix = format!("{service}/{kind}/");
        let rows = desk.rows(&RealmPath::root(), Kind::GlobalService);
        let own = rows.iter().filter_map(|row| Some((row.id.strip_prefix(&prefix)?.to_owned(), row.entry.clone())));
        own.collect()
    }
}

impl Instances {
    fn find(&self, call: &Call<'_>, id: &str) -> Result<(Seq, Object), Error> {
        let entry = call.desk.views().entry(&self.0.key(id)).ok_or_else(Error::not_found)?;
        Ok((entry.document.revision, entry.json().as_object().cloned().unwrap_or_default()))
    }

    fn read_content(&self, content: &Object, left_out: LeftOut<'_>) -> Result<Object, Error> {
        let stored = self.0.schema.read(content, left_out)?.stored;
        (self.0.check)(&stored)?;
        Ok(stored)
    }

    /// All of them, as they are shown.
    pub(super) fn items(&self, call: &Call<'_>) -> Vec<Item> {
        let all = InstanceType::all(call.desk, self.0.service, self.0.id).into_iter();
        let item = |(id, entry): (String, Arc<Entry>)| {
            let body = entry.json().as_object().cloned().unwrap_or_default();
            self.0.shown(&id, entry.document.revision, &body)
        };
        all.map(item).collect()
    }
}

impl Resource for Instances {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled(self.0.name, "What a service of the cluster has several of")
            .written(self.0.schema.json_schema())
            .ids(Ids::Either)
            .configuration()
            .action(ActionDescription::new("nextdescendents", "All of them with their attributes"))
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str)).unwrap_or_default();
        let exists = "Unable to save config: Sub-configuration already exists";
        if call.desk.views().entry(&self.0.key(id)).is_some() {
            return Err(create.taken(call, exists));
        }
        // Such a name is a member of an object elsewhere, beside those of the framework.
        if !is_name(id) || id.starts_with('_') || id.contains('/') {
            return Err(Error::invalid_value("Name"));
        }
        if self.items(call).len() >= MAX_INSTANCES {
            return Err(Error::bad_request(format!("There cannot be more than {MAX_INSTANCES} of {}", self.0.name)));
        }
        let stored = self.read_content(create.content, LeftOut::Default)?;
        let write = put(self.0.key(id), Precondition::Absent, &Value::Object(stored.clone()), Vec::new(), false);
        let written = call.write(write).await;
        let revision = written.map_err(|error| create.refused(call, error, exists))?;
        Ok(self.0.shown(id, revision, &stored))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let (revision, stored) = self.find(call, id)?;
        Ok(self.0.shown(id, revision, &stored))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (revision, former) = self.find(call, id)?;
        let when = unchanged(when, id, revision)?;
        let stored = self.read_content(content, LeftOut::Keep(&former))?;
        let write = put(self.0.key(id), when, &Value::Object(stored.clone()), Vec::new(), false);
        Ok(self.0.shown(id, call.write(write).await?, &stored))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let (revision, stored) = self.find(call, id)?;
        call.write(delete(self.0.key(id), when.precondition())).await?;
        Ok(self.0.shown(id, revision, &stored))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(self.items(call), Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "template") => Ok(Value::Object(self.0.schema.service(&Object::new())).into()),
            (None, "schema") => Ok(self.0.schema.json_schema().into()),
            (None, "getType") => Ok(self.0.marker().into()),
            (None, "nextdescendents") => {
                let all = self.items(call).into_iter();
                let all: Vec<Value> = all.map(|item| Item { revision: None, ..item }.whole()).collect();
                Ok(json!({"result": all}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
