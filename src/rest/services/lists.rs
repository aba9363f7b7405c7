//! The parents: services of a realm, and of the cluster.

use super::{GlobalService, RealmService, TABLE};
use crate::crest::{
    ActionDescription, Call, Description, Error, Item, Listing, Object, Query, Resource, Returned, Shape, Totals,
    Version,
};
use serde_json::{Value, json};

/// The services of a realm.
pub struct AllServices;

/// The services of the cluster.
pub struct AllGlobalServices;

fn named(id: &str, name: &str, item: &Item) -> Item {
    let content = json!({"name": name}).as_object().cloned().unwrap_or_default();
    Item { id: id.to_owned(), revision: item.revision.clone(), content }
}

/// As a parent shows a descendent: whole, under its id, without revision (crest.md §16).
fn descendent(id: &str, item: Item) -> Value {
    Item { id: id.to_owned(), revision: None, ..item }.whole()
}

/// The services that the realm has created.
fn created<'c>(call: &'c Call<'_>) -> impl Iterator<Item = (&'static str, &'static str, Item)> + 'c {
    TABLE.iter().filter_map(move |service| {
        let resource = RealmService::of(service)?;
        let (revision, stored) = resource.find(call)?;
        Some((service.id, service.name, resource.shown(Some(revision), &stored)))
    })
}

fn all<'c>(call: &'c Call<'_>) -> impl Iterator<Item = (&'static str, &'static str, Item)> + 'c {
    TABLE.iter().map(move |service| {
        let resource = GlobalService(service);
        let (revision, stored) = resource.find(call);
        (service.id, service.name, resource.shown(Some(revision), &stored))
    })
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
            .titled("Services of a realm", "By their ids")
            .action(ActionDescription::new("getAllTypes", "All services"))
            .action(ActionDescription::new("getCreatableTypes", "Services that are not there yet"))
            .action(ActionDescription::new("nextdescendents", "All services with their attributes"))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(created(call).map(|(id, name, item)| named(id, name, &item)), Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        let types = TABLE.iter().filter(|service| service.realm.is_some());
        match name {
            "getAllTypes" => {
                let markers: Vec<Value> = types.map(|service| service.marker()).collect();
                Ok(json!({"result": markers}).into())
            }
            "getCreatableTypes" => {
                let missing = types.filter(|service| call.desk.views().entry(&service.realm_key(call.realm)).is_none());
                let markers: Vec<Value> = missing.map(|service| service.marker()).collect();
                Ok(json!({"result": markers}).into())
            }
            "nextdescendents" => {
                let services: Vec<Value> = created(call).map(|(id, _, item)| descendent(id, item)).collect();
                Ok(json!({"result": services}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

impl Resource for AllGlobalServices {
    fn shape(&self) -> Shape {
        Shape::List
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::List)
            .titled("Services of the cluster", "By their ids")
            .action(ActionDescription::new("getAllTypes", "All services"))
            .action(ActionDescription::new("getCreatableTypes", "Services that are not there yet"))
            .action(ActionDescription::new("nextdescendents", "All services with their attributes"))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(all(call).map(|(id, name, item)| named(id, name, &item)), Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "getAllTypes" => {
                let markers: Vec<Value> = TABLE.iter().map(|service| service.marker()).collect();
                Ok(json!({"result": markers}).into())
            }
            // All of them are there already.
            "getCreatableTypes" => Ok(json!({"result": []}).into()),
            "nextdescendents" => {
                let services: Vec<Value> = all(call).map(|(id, _, item)| descendent(id, item)).collect();
                Ok(json!({"result": services}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
