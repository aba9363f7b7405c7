//! What the outside sees of Quorate: HTTP, OAuth 2.0, Common REST, authentication, policy evaluation, CLI and configuration.
//!
//! Read `desk` (what a handler works with), `actors` and `views` (who holds the state, who shows it), then the services.

pub mod actors;
pub mod attempts;
pub mod audit;
pub mod authn;
pub mod authzen;
pub mod base_url;
pub mod bootstrap;
pub mod caller;
pub mod cli;
pub mod config;
pub mod consensus;
pub mod cors;
pub mod crest;
pub mod decisions;
pub mod desk;
pub mod groups;
pub mod host;
pub mod http;
pub mod inheritance;
pub mod keys;
pub mod layers;
pub mod node;
pub mod oauth2;
pub mod operate;
pub mod passwords;
pub mod policy;
pub mod privileges;
pub mod realms;
pub mod rest;
pub mod secrets;
pub mod serve;
pub mod sessions;
pub mod telemetry;
#[cfg(test)]
pub(crate) mod testing;
pub mod transactions;
pub mod views;
