//! What a cluster holds from its first moment: settings, the administrator, the built-in policy objects, journeys and chains, signing keys. Written
//! once, by whichever node gets there first: every write demands that the document is absent, in one log entry. A cluster that
//! was restored from a backup has everything but the keys, and gets new ones.

use crate::{
    base_url::{SETTINGS, Settings},
    consensus::Unavailable,
    desk::{Desk, WriteError, put},
    keys::{KeyError, RING},
    rest::{authentication, authorization},
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal};
use serde_json::json;

/// The administrator's user name, as authenticated in the top-level realm.
pub const ADMINISTRATOR: &str = "amAdmin";

/// Id of the administrator's document: user names ignore case.
pub const ADMINISTRATOR_ID: &str = "amadmin";

/// Why a cluster could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// No decision; try again.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Keys cannot be made.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

fn is_founded(desk: &Desk) -> bool {
    desk.document(&RealmPath::root(), Kind::Settings, SETTINGS).is_some()
}

fn has_keys(desk: &Desk) -> bool {
    desk.document(&RealmPath::root(), Kind::Keys, RING).is_some()
}

/// Whether the cluster has been set up, as far as this node's views show.
pub fn is_done(desk: &Desk) -> bool {
    is_founded(desk) && has_keys(desk)
}

/// Sets the cluster up, unless it is. Returns whether this call made the administrator.
///
/// # Errors
/// [`BootstrapError`]; the call can be repeated.
pub async fn run(desk: &Desk, settings: &Settings, password: &str) -> Result<bool, BootstrapError> {
    desk.barrier().await?;
    if is_done(desk) {
        return Ok(false);
    }
    let root = RealmPath::root();
    let first = |kind, id, body: &serde_json::Value| {
        put(DocumentKey::new(&root, kind, id), Precondition::Absent, body, Vec::new(), false)
    };
    let mut writes = Vec::new();
    let founding = !is_founded(desk);
    if founding {
        let administrator = json!({
            "username": ADMINISTRATOR,
            "universalid": [format!("id={ADMINISTRATOR_ID},ou=user,ou=am-config")],
            "inetUserStatus": ["Active"],
            "roles": ["ui-global-admin", "ui-realm-admin"],
            "userpassword": desk.passwords().hash(password).await?,
        });
        writes.push(first(Kind::Settings, SETTINGS, &json!(settings)));
        writes.push(first(Kind::User, ADMINISTRATOR_ID, &administrator));
        writes.extend(authorization::built_in::writes(&root));
        writes.extend(authentication::built_in::writes(&root));
    }
    if !has_keys(desk) {
        writes.push(first(Kind::Keys, RING, &desk.keys().generate()?));
    }
    match desk.write(writes).await {
        Ok(_) => Ok(founding),
        Err(WriteError::Refused(Refusal::Exists(_))) => Ok(false),
        Err(WriteError::Refused(_)) => Err(Unavailable::Unknown.into()),
        Err(WriteError::Unavailable(error)) => Err(error.into()),
    }
}
