//! `/json/{realm}/realm-config/services` and `/json/global-config/services`: configuration of services (oauth2-config.md §2.3,
//! §12, §13, §15; authn-sessions-realms.md b.6, f.6; crest.md §16).
//!
//! | it says                                                          | here                                |
//! |------------------------------------------------------------------|-------------------------------------|
//! | which services there are, their attributes                       | [`TABLE`], [`table`], [`provider`]  |
//! | a realm's service is created, updated and deleted                | [`RealmService`]                    |
//! | what is omitted when it is created takes the global defaults     | `RealmService::create`              |
//! | what is omitted afterwards stays (crest.md §5.3)                 | `RealmService::update`              |
//! | global services are always there: read and update                | [`GlobalService`]                   |
//! | `defaults` of a global service                                   | [`Defaults`]                        |
//! | the parents: types, creatable types, `nextdescendents`           | [`AllServices`], [`AllGlobalServices`] |
//! | plain values, unset ones left out                                | [`super::schema`]                   |
//!
//! What holds in a realm is told by [`effective()`]: what the realm says, else what the cluster says, else the default.

mod global;
mod lists;
pub mod provider;
mod realm;
pub mod table;

pub use global::GlobalService;
pub use lists::{AllGlobalServices, AllServices};
pub use realm::RealmService;
pub use table::TABLE;

use super::{Routes, Scope, schema::Schema};
use crate::{
    crest::Object,
    desk::Desk,
    layers::{self, Layers},
};
use quorate_raft::{DocumentKey, RealmPath};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

/// Id of the OAuth 2.0 provider.
pub const PROVIDER: &str = "oauth-oidc";

/// Where the cluster's configuration of a service holds the defaults for realms.
const DEFAULTS: &str = "defaults";

/// Where a global service keeps what a realm has when it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// Under the member `defaults`.
    Apart,
    /// Among its own attributes, under the names that they have in the realm: a service with dynamic attributes.
    Among,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// `_id` of its type, and its place in paths.
    pub id: &'static str,
    /// Its name in the console.
    pub name: &'static str,
    /// What a realm configures; `None` where the cluster alone does.
    pub realm: Option<Schema>,
    /// What the cluster configures, without the defaults for realms.
    pub global: Schema,
    /// Where those are.
    pub defaults: Defaults,
    /// Completes what a realm creates.
    pub complete: fn(&mut Object),
}

impl Service {
    /// By its id.
    pub fn find(id: &str) -> Option<&'static Self> {
        TABLE.iter().find(|service| service.id == id)
    }

    fn marker(&self) -> Value {
        json!({"_id": self.id, "name": self.name, "collection": false})
    }

    fn realm_key(&self, realm: &RealmPath) -> DocumentKey {
        layers::realm_key(realm, self.id)
    }

    fn global_key(&self) -> DocumentKey {
        layers::cluster_key(self.id)
    }

    /// In the cluster's configuration, what stands for a realm that says nothing.
    fn defaults_in<'g>(&self, global: &'g Value) -> Option<&'g Value> {
        match self.defaults {
            Defaults::Apart => global.get(DEFAULTS),
            Defaults::Among => Some(global),
        }
    }
}

/// Adds the services to `routes`.
pub fn routes(routes: Routes) -> Routes {
    let routes = routes.resource(Scope::Realm, "realm-config/services", AllServices).resource(
        Scope::Global,
        "global-config/services",
        AllGlobalServices,
    );
    TABLE.iter().fold(routes, |routes, service| {
        let routes =
            routes.resource(Scope::Global, &format!("global-config/services/{}", service.id), GlobalService(service));
        match RealmService::of(service) {
            Some(realm) => routes.resource(Scope::Realm, &format!("realm-config/services/{}", service.id), realm),
            None => routes,
        }
    })
}

/// What holds for a service in a realm, as the views show it: call [`Desk::barrier`] first where it decides anything.
pub struct Effective {
    service: Option<&'static Service>,
    said: Layers,
}

/// What holds for the service `id` in `realm`: what is said there, in the order of [`Layers`], over the default. Costs two
/// look-ups and copies nothing. A service that does not exist has no values.
pub fn effective(desk: &Desk, realm: &RealmPath, id: &str) -> Effective {
    Effective { service: Service::find(id), said: Layers::of(desk.views(), realm, id) }
}

/// What services say when nobody said anything, by id: what the cluster has, and what a realm has.
static UNSAID: LazyLock<BTreeMap<&'static str, (Value, Value)>> = LazyLock::new(|| {
    let template = |schema: &Schema| Value::Object(schema.service(&Object::new()));
    let both = |service: &Service| (template(&service.global), service.realm.as_ref().map_or(Value::Null, template));
    TABLE.iter().map(|service| (service.id, both(service))).collect()
});

impl Effective {
    /// The value of attribute `name` in `section`, which is empty for attributes at the top; `None` for what is unset.
    pub fn value(&self, section: &str, name: &str) -> Option<&Value> {
        let service = self.service?;
        let (cluster, realm) = UNSAID.get(service.id)?;
        let unsaid = || [realm, cluster].into_iter().find_map(|body| layers::said(body, section, name));
        self.said.value(section, name).or_else(unsaid)
    }

    /// A boolean; `false` where there is none.
    pub fn flag(&self, section: &str, name: &str) -> bool {
        self.value(section, name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// An integer.
    pub fn number(&self, section: &str, name: &str) -> Option<i64> {
        self.value(section, name).and_then(Value::as_i64)
    }

    /// A string.
    pub fn text(&self, section: &str, name: &str) -> Option<&str> {
        self.value(section, name).and_then(Value::as_str)
    }

    /// Strings; none where there are none.
    pub fn list(&self, section: &str, name: &str) -> Vec<&str> {
        let values = self.value(section, name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
