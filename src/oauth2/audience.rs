//! Scopes that name the API they are for: `api://{provider}/{permission}`, decided by the policy set that is named like the
//! provider, when the token is issued (issue 2, item 6; scripting.md §17 describes the scripts that this replaces).
//!
//! | it says                                                            | we do it in                |
//! |--------------------------------------------------------------------|----------------------------|
//! | the last slash divides provider and permission                     | [`audience::parse`]        |
//! | only the first audience asked for is evaluated, others are dropped | [`audience::first`]        |
//! | claims `subject` (owner or client) and `client`                    | `granted`                |
//! | granted: rows with `actions.GRANT === true`                        | [`audience::Audience::granted`] |
//! | `aud`, the granted permissions as scope, `policyResult` true       | [`modify`]                 |
//! | nothing granted: `policyResult` false and no scope, still 200      | [`modify`]                 |
//! | no audience asked for: what the client's profile allows            | [`modify`]                 |
//! | reserved scopes only from the profile (oauth2-endpoints §24)       | [`modify`]                 |

use super::{
    client::{Client, RESERVED},
    error::{Code, Error, Result},
    provider::{Plugin, Settings},
};
use crate::{
    actors::policy_sets::set_id,
    audit::Purpose,
    consensus::Unavailable,
    decisions::{NoDecision, Question, Who},
    desk::Desk,
    policy::{audience, circumstances::Environment},
    views::Entry,
};
use quorate_raft::{Kind, RealmPath};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

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
    let asked: Vec<&str> = scope.iter().map(|scope| &**scope).collect();
    let Some(first) = audience::first(&asked) else {
        let allowed = scope.into_iter().filter(|scope| client.scope(scope).is_some()).collect();
        return Ok((allowed, Modification { aud: None, policy_result: Some(false) }));
    };
    let mut permissions = granted(desk, realm, &first, asker)?.unwrap_or_default();
    permissions.retain(|permission| !RESERVED.contains(&&**permission) || client.scope(permission).is_some());
    let aud = (!permissions.is_empty()).then(|| first.provider.into());
    let policy_result = Some(aud.is_some());
    Ok((permissions, Modification { aud, policy_result }))
}

/// The permissions that the policy set named like the provider grants to `asker`, in the order asked; `None` when there is
/// no such set, or what was asked cannot be evaluated. Here letter case counts in the name: it becomes the token's audience,
/// and a client of another spelling is another client.
fn granted(
    desk: &Desk,
    realm: &RealmPath,
    audience: &audience::Audience<'_>,
    asker: Asker<'_>,
) -> Result<Option<Vec<Arc<str>>>> {
    let stored = desk.document(realm, Kind::PolicySet, &set_id(audience.provider));
    let is_named = |entry: &Entry| entry.json().get("name").and_then(Value::as_str) == Some(audience.provider);
    let (Some(set), Some(_)) = (desk.policy_set(realm, audience.provider), stored.filter(|entry| is_named(entry)))
    else {
        return Ok(None);
    };
    let text = |value: &str| Value::String(value.to_owned());
    let claims = Map::from_iter([
        ("sub".to_owned(), text(asker.subject)),
        ("subject".to_owned(), text(asker.subject)),
        ("client".to_owned(), text(asker.client)),
    ]);
    let question = Question {
        desk,
        realm,
        name: audience.provider,
        set: &set,
        who: &Who::claims(claims),
        environment: &Environment::new(),
        purpose: Purpose::Token,
    };
    match question.decide_for_token(&audience.resources()) {
        Ok(decisions) => Ok(Some(audience.granted(&decisions).into_iter().map(Into::into).collect())),
        Err(NoDecision::Refused(error)) => {
            tracing::debug!(provider = audience.provider, %error, "audience scopes cannot be evaluated");
            Ok(None)
        }
        Err(NoDecision::Unrecorded(_)) => Err(Unavailable::Overloaded.into()),
        Err(NoDecision::Unavailable(unavailable)) => Err(unavailable.into()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::provider::Provider, *};
    use crate::{desk::put, policy::model::built_in, testing::desk};
    use quorate_raft::{DocumentKey, Precondition};
    use serde_json::json;

    /// A policy of set `provider` in `realm` that grants `resource` to whoever has `claim` = `value`.
    pub(in super::super) async fn grant(
        desk: &Desk,
        realm: &str,
        provider: &str,
        resource: &str,
        claim: &str,
        value: &str,
    ) {
        let set = json!({ "name": provider, "applicationType": "iPlanetAMWebAgentService",
            "resourceTypeUuids": [built_in::URL] });
        let name = format!("{claim} {value} {}", resource.replace('/', " "));
        let policy = json!({ "name": name, "active": true, "applicationName": provider, "resources": [resource],
            "resourceTypeUuid": built_in::URL, "actionValues": { "GRANT": true },
            "subject": { "type": "JwtClaim", "claimName": claim, "claimValue": value } });
        let write = |kind, id: &str, body| {
            put(DocumentKey::new(&realm.into(), kind, id), Precondition::Any, body, Vec::new(), false)
        };
        let writes = vec![write(Kind::PolicySet, &set_id(provider), &set), write(Kind::Policy, &name, &policy)];
        desk.write(writes).await.expect("writes");
        assert!(desk.policy_set(&realm.into(), provider).is_some_and(|index| index.get(&name).is_some()), "compiles");
    }

    #[actix_web::test]
    async fn the_first_audience_is_decided_and_the_rest_is_dropped() {
        let (desk, _) = desk().await;
        grant(&desk, "/", "svc", "api://svc/read", "subject", "consumer").await;
        grant(&desk, "/", "svc", "api://svc/am-introspect-all-tokens", "subject", "consumer").await;
        grant(&desk, "/", "svc", "api://svc/write", "client", "other").await;
        grant(&desk, "/", "depot", "api://depot/read", "subject", "consumer").await;
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
                modify(&desk, &RealmPath::root(), &client, &settings, asked, asker).expect("decides");
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
