//! How a realm authenticates (authn-sessions-realms.md a.12): what it says itself, else what the cluster says, else the
//! defaults of the reference.

use crate::{
    crest::Object,
    desk::Desk,
    layers::{AUTHENTICATION, Layers},
};
use quorate_raft::RealmPath;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The attributes that the engine reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Which service answers when none is asked for.
    pub core: Core,
    /// What may be asked for, and how.
    pub security: Security,
    /// Journeys.
    pub trees: Trees,
    /// Account lockout (a.19).
    pub accountlockout: Lockout,
    /// Where to go afterwards.
    pub postauthprocess: Afterwards,
}

/// Group `core`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Core {
    /// The tree or chain that answers when none is asked for; `[Empty]` for none.
    pub org_config: String,
}

impl Default for Core {
    fn default() -> Self {
        Self { org_config: "ldapService".to_owned() }
    }
}

/// Group `security`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Security {
    /// Whether `authIndexType=module` is allowed.
    pub module_based_auth_enabled: bool,
}

impl Default for Security {
    fn default() -> Self {
        Self { module_based_auth_enabled: true }
    }
}

/// Group `trees`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Trees {
    /// Longest life of a journey, minutes.
    pub authentication_sessions_max_duration: u64,
    /// Whether the body of somebody who has a session already keeps its token to itself.
    pub authentication_tree_cookie_http_only: bool,
}

impl Default for Trees {
    fn default() -> Self {
        Self { authentication_sessions_max_duration: 5, authentication_tree_cookie_http_only: true }
    }
}

/// Group `accountlockout`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Lockout {
    /// Whether failures are counted at all.
    pub login_failure_lockout_mode: bool,
    /// How many lock an account.
    pub login_failure_count: u32,
    /// Within how many minutes.
    pub login_failure_duration: u64,
    /// For how many minutes it is locked; 0 until an administrator unlocks it.
    pub lockout_duration: u64,
    /// By what that grows each time.
    pub lockout_duration_multiplier: u64,
    /// From how many failures on users are warned; 0 for never.
    pub lockout_warn_user_count: u32,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            login_failure_lockout_mode: false,
            login_failure_count: 5,
            login_failure_duration: 300,
            lockout_duration: 0,
            lockout_duration_multiplier: 1,
            lockout_warn_user_count: 0,
        }
    }
}

/// Group `postauthprocess`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Afterwards {
    /// Where to go after success; the first one counts.
    #[serde(deserialize_with = "texts")]
    pub login_success_url: Vec<String>,
    /// Where to go after failure; the first one counts.
    #[serde(deserialize_with = "texts")]
    pub login_failure_url: Vec<String>,
}

/// A list, or one text where a list of one is meant.
fn texts<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::String(one) => vec![one],
        Value::Array(many) => many.into_iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    })
}

impl Settings {
    /// Those of `realm`.
    pub fn of(desk: &Desk, realm: &RealmPath) -> Self {
        let said = Layers::of(desk.views(), realm, AUTHENTICATION).merged();
        // Group by group: one that does not parse leaves the others alone.
        fn group<T: Default + for<'de> Deserialize<'de>>(said: &Object, name: &str) -> T {
            said.get(name).and_then(|group| T::deserialize(group).ok()).unwrap_or_default()
        }
        Self {
            core: group(&said, "core"),
            security: group(&said, "security"),
            trees: group(&said, "trees"),
            accountlockout: group(&said, "accountlockout"),
            postauthprocess: group(&said, "postauthprocess"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk::put, testing};
    use quorate_raft::{DocumentKey, Kind, Precondition};
    use serde_json::json;

    #[actix_web::test]
    async fn a_realm_overrides_the_cluster_and_the_cluster_the_defaults() {
        let (desk, _) = testing::desk().await;
        let root = RealmPath::root();
        assert_eq!(Settings::of(&desk, &root), Settings::default());
        let store = |kind, body: Value| {
            put(DocumentKey::new(&root, kind, AUTHENTICATION), Precondition::Any, &body, Vec::new(), false)
        };
        let global = json!({
            "core": { "orgConfig": "Global" },
            "accountlockout": { "loginFailureLockoutMode": true, "loginFailureCount": 2 },
            "postauthprocess": { "loginSuccessUrl": ["/a", "/b"] },
        });
        let own = json!({
            "_id": "",
            "core": { "orgConfig": "Own", "adminAuthModule": null },
            "accountlockout": { "loginFailureCount": 3, "loginFailureDuration": null },
            "security": { "moduleBasedAuthEnabled": "not a flag" },
        });
        desk.write(vec![store(Kind::GlobalService, global), store(Kind::Service, own)]).await.expect("writes");
        let settings = Settings::of(&desk, &root);
        assert_eq!(settings.core.org_config, "Own");
        assert_eq!(settings.postauthprocess.login_success_url, ["/a", "/b"]);
        assert!(settings.security.module_based_auth_enabled);
        let lockout = Lockout { login_failure_lockout_mode: true, login_failure_count: 3, ..Lockout::default() };
        assert_eq!(settings.accountlockout, lockout);
    }
}
