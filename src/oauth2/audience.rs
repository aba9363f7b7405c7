//! Scopes that name the API they are for: `api://{provider}/{permission}`, decided by the policy set that is named like the
//! provider, when the token is issued (issue 2, item 6; scripting.md §17 describes the scripts that this replaces).
//!
//! | it says                                                            | we do it in                |
//! |--------------------------------------------------------------------|----------------------------|
//! | the last slash divides provider and permission                     | [`AudienceScope::parse`]   |
//! | only the first audience asked for is evaluated, others are dropped | [`modify`]                 |
//! | claims `subject` (owner or client) and `client`                    | [`granted`]                |
//! | granted: rows with `actions.GRANT === true`                        | [`granted`]                |
//! | `aud`, the granted permissions as scope, `policyResult` true       | [`modify`]                 |
//! | nothing granted: `policyResult` false and no scope, still 200      | [`modify`]                 |
//! | no audience asked for: what the client's profile allows            | [`modify`]                 |
//! | reserved scopes only from the profile (oauth2-endpoints §24)       | [`modify`]                 |

use super::{
    client::{Client, RESERVED},
    error::{Code, Error, Result},
    provider::{Plugin, Settings},
};
use crate::{desk::Desk, policy::PolicySetIndex};
use quorate_raft::RealmPath;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The action that grants a scope.
const GRANT: &str = "GRANT";

/// A scope of this shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudienceScope<'s> {
    /// The API's client id.
    pub provider: &'s str,
    /// What the token's scope says when it is granted.
    pub permission: &'s str,
}

impl<'s> AudienceScope<'s> {
    /// `None` for any other scope.
    pub fn parse(scope: &'s str) -> Option<Self> {
        let (provider, permission) = scope.strip_prefix("api://")?.rsplit_once('/')?;
        (!provider.is_empty() && !permission.is_empty()).then_some(Self { provider, permission })
    }
}

/// What a decision adds to a token; replaces what the token would otherwise say (`AccessToken::setField` in AM's words).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modification {
    /// The API that the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<Arc<str>>,
    /// Whether policy granted anything.
    #[serde(rename = "policyResult", skip_serializing_if = "Option::is_none")]
    pub policy_result: Option<bool>,
}

impl Modification {
    /// As stored with an opaque token: a JSON object, or nothing.
    pub fn to_text(&self) -> String {
        if *self == Self::default() { String::new() } else { serde_json::to_string(self).unwrap_or_default() }
    }

    /// Back from [`to_text`](Self::to_text).
    pub fn from_text(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { serde_json::from_str(text).unwrap_or_default() }
    }
}

/// Who asks for a token.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The resource owner's name, or the client's id when it asks for itself.
    pub subject: &'a str,
    /// The client's id.
    pub client: &'a str,
}

/// The scope and the further fields of a token about to be issued for `scope`.
///
/// # Errors
/// `server_error` when the client is configured with a modifier that is not served.
pub fn modify(
    desk: &Desk,
    realm: &RealmPath,
    client: &Client,
    settings: &Settings,
    scope: Vec<Arc<str>>,
    asker: Asker<'_>,
) -> Result<(Vec<Arc<str>>, Modification)> {
    match settings.modify_access {
        Plugin::BuiltIn => return Ok((scope, Modification::default())),
        Plugin::Unsupported => {
            return Err(Error::new(Code::ServerError, "Error running access token modification plugin"));
        }
        Plugin::Policy => {}
    }
    let Some(first) = scope.iter().find_map(|scope| AudienceScope::parse(scope)) else {
        let allowed = scope.into_iter().filter(|scope| client.scope(scope).is_some()).collect();
        return Ok((allowed, Modification { aud: None, policy_result: Some(false) }));
    };
    let of_first = |scope: &&str| AudienceScope::parse(scope).is_some_and(|other| other.provider == first.provider);
    let asked: Vec<&str> = scope.iter().map(|scope| &**scope).filter(of_first).collect();
    let mut permissions = granted(desk, realm, first.provider, &asked, asker).unwrap_or_default();
    permissions.retain(|permission| !RESERVED.contains(&&**permission) || client.scope(permission).is_some());
    let aud = (!permissions.is_empty()).then(|| first.provider.into());
    let policy_result = Some(aud.is_some());
    Ok((permissions, Modification { aud, policy_result }))
}

/// The permissions among `scopes` that the policy set named `provider` grants to `asker`, in the order asked; `None` when
/// there is no such set.
pub fn granted(
    desk: &Desk,
    realm: &RealmPath,
    provider: &str,
    scopes: &[&str],
    asker: Asker<'_>,
) -> Option<Vec<Arc<str>>> {
    let set = desk.policy_set(realm, provider)?;
    let text = |value: &str| Value::String(value.to_owned());
    let claims = Map::from_iter([
        ("sub".to_owned(), text(asker.subject)),
        ("subject".to_owned(), text(asker.subject)),
        ("client".to_owned(), text(asker.client)),
    ]);
    let allowed = allowed(&set, GRANT, scopes, claims);
    let permission = |scope: &&str| AudienceScope::parse(scope).map(|scope| scope.permission.into());
    Some(scopes.iter().filter(|scope| allowed.contains(scope)).filter_map(permission).collect())
}

/// The `resources` on which `set` allows `action` to a subject with `claims`. The seam to the policy engine; until it lands,
/// no set allows anything.
#[cfg(not(test))]
fn allowed<'r>(
    PolicySetIndex: &PolicySetIndex,
    _action: &str,
    _resources: &[&'r str],
    _claims: Map<String, Value>,
) -> Vec<&'r str> {
    Vec::new()
}

#[cfg(test)]
fn allowed<'r>(
    PolicySetIndex: &PolicySetIndex,
    action: &str,
    resources: &[&'r str],
    claims: Map<String, Value>,
) -> Vec<&'r str> {
    tests::RULES.with_borrow(|rules| {
        let is_allowed = |asked: &&&str| {
            rules.iter().any(|(resource, claim, value)| {
                action == "GRANT"
                    && *resource == ***asked
                    && claims.get(claim).and_then(Value::as_str) == Some(value.as_str())
            })
        };
        resources.iter().filter(is_allowed).copied().collect()
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::provider::Provider, *};
    use crate::testing::desk;
    use serde_json::json;
    use std::cell::RefCell;

    thread_local! {
        /// Stands in for the engine: resource, claim, value.
        pub(in super::super) static RULES: RefCell<Vec<(String, String, String)>> = const { RefCell::new(Vec::new()) };
    }

    /// A policy set `provider` in `realm` that grants `resource` to whoever has `claim` = `value`.
    pub(in super::super) fn grant(desk: &Desk, realm: &str, provider: &str, resource: &str, claim: &str, value: &str) {
        desk.views().policy_sets.pin().insert((realm.into(), provider.into()), Arc::new(PolicySetIndex));
        RULES.with_borrow_mut(|rules| rules.push((resource.into(), claim.into(), value.into())));
    }

    #[actix_web::test]
    async fn the_first_audience_is_decided_and_the_rest_is_dropped() {
        let (desk, _) = desk().await;
        grant(&desk, "/alpha", "svc", "api://svc/read", "subject", "consumer");
        grant(&desk, "/alpha", "svc", "api://svc/am-introspect-all-tokens", "subject", "consumer");
        grant(&desk, "/alpha", "svc", "api://svc/write", "client", "other");
        grant(&desk, "/alpha", "depot", "api://depot/read", "subject", "consumer");
        let client = Client::compile(&json!({ "coreOAuth2ClientConfig": { "scopes": ["plain"] },
            "overrideOAuth2ClientConfig": { "providerOverridesEnabled": true,
                "validateScopePluginType": "POLICY", "accessTokenModificationPluginType": "POLICY" } }));
        let settings = Provider::compile(&Value::Null).settings(&client);
        let asker = Asker { subject: "consumer", client: "consumer" };
        for (scope, granted, aud, result) in [
            ("api://svc/read api://svc/write api://depot/read plain", "read", Some("svc"), true),
            ("plain api://depot/read api://svc/read", "read", Some("depot"), true),
            ("api://svc/write", "", None, false),
            ("api://svc/am-introspect-all-tokens", "", None, false),
            ("api://nobody/read", "", None, false),
            ("plain", "plain", None, false),
        ] {
            let asked = scope.split(' ').map(Into::into).collect();
            let (scope, modification) =
                modify(&desk, &"/alpha".into(), &client, &settings, asked, asker).expect("decides");
            assert_eq!(scope.join(" "), granted);
            assert_eq!(modification, Modification { aud: aud.map(Into::into), policy_result: Some(result) });
            assert_eq!(Modification::from_text(&modification.to_text()), modification);
        }
    }

    #[test]
    fn a_token_without_modification_stores_nothing() {
        assert_eq!(Modification::default().to_text(), "");
        assert_eq!(Modification::from_text(""), Modification::default());
    }
}
