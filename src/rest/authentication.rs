//! How a realm authenticates, as administrators configure it (authn-sessions-realms.md a.12 to a.15, a.18). Running journeys is
//! not done here.
//!
//! | path below `{realm}/realm-config/authentication`  | what                          | file          |
//! |---------------------------------------------------|-------------------------------|---------------|
//! | itself; `/json/global-config/authentication`      | settings, and their defaults  | [`settings`]  |
//! | `authenticationtrees/trees`                       | journeys                      | [`trees`]     |
//! | `authenticationtrees/nodes[/{type}]`              | nodes of journeys             | [`instances`], [`catalogue`] |
//! | `chains`                                          | chains                        | [`chains`]    |
//! | `modules[/{type}]`                                | modules                       | [`instances`], [`modules`] |
//! | of every new realm                                | trees, chains, modules        | [`built_in`]  |
//!
//! # What is stored
//!
//! | kind                         | id                   | content                                                      |
//! |------------------------------|----------------------|--------------------------------------------------------------|
//! | `Service`, `GlobalService`   | `authentication`     | what was said of the settings: read [`settings::effective`]  |
//! | `Tree`                       | name                 | the tree as it is shown                                      |
//! | `Node`                       | `{type}/{uuid}`      | the attributes, defaults included; secrets by [`secrets::reveal`] |
//! | `Chain`                      | name                 | the chain as it is shown                                     |
//! | `AuthenticationModule`       | `{type}/{name}`      | as nodes                                                     |

pub mod built_in;
pub mod catalogue;
pub mod chains;
pub mod instances;
pub mod modules;
pub mod secrets;
pub mod settings;
#[cfg(test)]
pub(crate) mod tests;
pub mod trees;

use super::{Csrf, Routes, Scope, descriptors};
use crate::crest::Version;
use instances::Family;
use quorate_raft::Kind;

/// The nodes of journeys.
pub static NODES: Family = Family {
    path: "realm-config/authentication/authenticationtrees/nodes",
    kind: Kind::Node,
    types: || catalogue::types().collect(),
    versions: &[Version(1, 0), Version(2, 0)],
    nodes: true,
};

/// Adds the resources of authentication.
pub fn routes(routes: Routes) -> Routes {
    let served = |family: &'static Family| move |call| instances::handle(family, call);
    routes
        .resource(Scope::Realm, "realm-config/authentication", settings::Settings::Realm)
        .resource(Scope::Global, "global-config/authentication", settings::Settings::Global)
        .resource(Scope::Realm, "realm-config/authentication/authenticationtrees/trees", trees::Trees)
        .resource(Scope::Realm, "realm-config/authentication/chains", chains::Chains)
        .plain(Scope::Realm, NODES.path, Csrf::Own, served(&NODES))
        .described(descriptors::types())
        .plain(Scope::Realm, modules::MODULES.path, Csrf::Own, served(&modules::MODULES))
        .described(descriptors::types())
}
