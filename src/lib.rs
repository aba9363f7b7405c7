//! What the outside sees of Quorate: HTTP, OAuth 2.0, Common REST, authentication, policy evaluation, CLI and configuration.
//!
//! Read `desk` (what a handler works with), `actors` and `views` (who holds the state, who shows it), then the services.

pub mod actors;
pub mod authn;
pub mod base_url;
pub mod bootstrap;
pub mod caller;
pub mod consensus;
pub mod desk;
pub mod host;
pub mod keys;
pub mod oauth2;
pub mod passwords;
pub mod policy;
pub mod realms;
pub mod secrets;
#[cfg(test)]
pub(crate) mod testing;
pub mod views;
