//! The one base URL that issuers and self-links are built from: cluster-wide state, taken at bootstrap, so that every node
//! names the same issuer. `../reference` terms: *Base URL Source*, fixed value.

use crate::desk::Desk;
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// Id of the document that holds [`Settings`].
pub const SETTINGS: &str = "cluster";

/// Where it is: asked for at almost every request.
static KEY: LazyLock<DocumentKey> = LazyLock::new(|| DocumentKey::new(&RealmPath::root(), Kind::Settings, SETTINGS));

/// Cluster-wide settings, written once at bootstrap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Scheme, host and port, without a trailing slash and without the context path.
    pub base_url: String,
    /// Below what the API is served: `/am`.
    pub context_path: String,
}

/// `base_url` with the context path: the deployment URL.
#[derive(Clone, Debug)]
pub struct BaseUrl(Arc<Settings>);

impl BaseUrl {
    /// As the cluster has it.
    pub fn of(desk: &Desk) -> Self {
        let settings = desk.views().entry(&KEY);
        Self(
            settings
                .map_or_else(Arc::default, |entry| entry.typed(|json| Settings::deserialize(json).unwrap_or_default())),
        )
    }

    /// `https://host:443`, without the context path.
    pub fn origin(&self) -> &str {
        &self.0.base_url
    }

    /// `https://host:443/am`.
    pub fn deployment(&self) -> String {
        format!("{}{}", self.0.base_url, self.0.context_path)
    }

    /// The issuer of a realm, in its one spelling: `{deployment}/oauth2` for the top level, else
    /// `{deployment}/oauth2/realms/root/realms/a/realms/b` (oauth2-endpoints §1.2).
    pub fn issuer(&self, realm: &RealmPath) -> String {
        let mut issuer = format!("{}/oauth2", self.deployment());
        if *realm != RealmPath::root() {
            issuer.push_str("/realms/root");
            for level in realm.as_str().split('/').filter(|level| !level.is_empty()) {
                issuer.push_str("/realms/");
                issuer.push_str(level);
            }
        }
        issuer
    }
}
