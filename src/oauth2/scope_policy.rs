//! Scope decided by policy (authorization.md §8): with `usePolicyEngineForScope`, every scope that a client may ask for is put
//! to the policy set `scopesPolicySet`, action `GRANT`, before it is granted.
//!
//! | §8.2                                                       | we do it in                          |
//! |------------------------------------------------------------|--------------------------------------|
//! | the switch and the set: provider, or the client's override | `Settings::scope_policy_set`         |
//! | resources are the scopes, `environment.clientId`           | [`put`]                              |
//! | subject: the resource owner's session                      | [`Asker::Owner`]                     |
//! | subject: the client itself, as claims                      | [`Asker::Client`]                    |
//! | `GRANT: true` granted, `false` dropped, else undecided     | [`Verdict`]                          |
//! | undecided: consent, or dropped unless consent is implied   | `authorize`, `Verdict::without_owner` |
//!
//! A scope that names its audience and is not in the client's profile is decided by [`audience`](super::audience) instead.

use super::{
    client::Client,
    error::{Code, Error, Result},
    provider::Settings,
};
use crate::{
    audit::Purpose,
    caller::Caller,
    decisions::{NoDecision, Question, Who},
    desk::Desk,
    policy::{audience::GRANT, circumstances::Environment},
};
use quorate_raft::RealmPath;
use serde_json::{Map, Value};
use std::{net::IpAddr, sync::Arc};

/// Who asks for scope.
#[derive(Clone, Copy)]
pub enum Asker<'a> {
    /// The resource owner, with a session, speaking from an address.
    Owner(&'a Caller, Option<IpAddr>),
    /// The client for itself.
    Client,
}

/// What policy says about each scope, in the order asked; what it denies is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The scope, and whether it was granted; what was not is undecided.
    scope: Vec<(Arc<str>, bool)>,
}

impl Verdict {
    /// Where policy is not asked, it decides nothing.
    fn undecided(scope: Vec<Arc<str>>) -> Self {
        Self { scope: scope.into_iter().map(|scope| (scope, false)).collect() }
    }

    /// What the owner has to be asked about.
    pub fn to_ask(&self) -> Vec<Arc<str>> {
        self.scope.iter().filter(|(_, granted)| !granted).map(|(scope, _)| scope.clone()).collect()
    }

    /// What is granted once the owner has consented to what was undecided.
    pub fn with_owner(self) -> Vec<Arc<str>> {
        self.scope.into_iter().map(|(scope, _)| scope).collect()
    }

    /// What is granted where there is nobody to ask.
    fn without_owner(self, implied: bool) -> Vec<Arc<str>> {
        self.scope.into_iter().filter(|(_, granted)| implied || *granted).map(|(scope, _)| scope).collect()
    }
}

/// Puts `scope` to the policy set, if there is one to ask.
///
/// # Errors
/// `server_error` when the set does not exist: what should have been asked must not be granted.
pub fn put(
    desk: &Desk,
    realm: &RealmPath,
    (client_id, client): (&str, &Client),
    settings: &Settings,
    scope: Vec<Arc<str>>,
    asker: Asker<'_>,
) -> Result<Verdict> {
    let Some(name) = &settings.scope_policy_set else {
        return Ok(Verdict::undecided(scope));
    };
    let missing = || Error::new(Code::ServerError, "The policy set for scopes does not exist");
    let set = desk.policy_set(realm, name).ok_or_else(missing)?;
    let who = match asker {
        Asker::Owner(caller, address) => Who::session(desk, caller, address),
        Asker::Client => {
            let names = ["sub", "subject", "client"];
            Who::claims(Map::from_iter(names.map(|name| (name.to_owned(), Value::String(client_id.to_owned())))))
        }
    };
    let environment = Environment::from([("clientId".to_owned(), vec![client_id.to_owned()])]);
    let question =
        Question { desk, realm, name, set: &set, who: &who, environment: &environment, purpose: Purpose::Token };
    let mut verdict = Verdict { scope: Vec::with_capacity(scope.len()) };
    for scope in scope {
        if client.scope(&scope).is_none() {
            verdict.scope.push((scope, false));
            continue;
        }
        // One by one: a scope that is no resource spoils only itself.
        let resource = [scope.to_string()];
        let said = match question.decide_for_token(&resource) {
            Ok(decisions) => decisions.first().and_then(|decision| decision.actions.get(GRANT).copied()),
            Err(NoDecision::Refused(_)) => None,
            Err(NoDecision::Unrecorded(_)) => return Err(crate::consensus::Unavailable::Overloaded.into()),
            Err(NoDecision::Unavailable(unavailable)) => return Err(unavailable.into()),
        };
        match said {
            Some(false) => {}
            said => verdict.scope.push((scope, said == Some(true))),
        }
    }
    Ok(verdict)
}

/// What a client may have for itself: there is nobody who could consent.
///
/// # Errors
/// As [`put`].
pub fn for_client(
    desk: &Desk,
    realm: &RealmPath,
    (client_id, client): (&str, &Client),
    settings: &Settings,
    scope: Vec<Arc<str>>,
) -> Result<Vec<Arc<str>>> {
    if settings.scope_policy_set.is_none() {
        return Ok(scope);
    }
    let verdict = put(desk, realm, (client_id, client), settings, scope, Asker::Client)?;
    // What names its audience is decided later, by the audience's own policies.
    let (own, named): (Vec<_>, Vec<_>) =
        verdict.scope.into_iter().partition(|(scope, _)| client.scope(scope).is_some());
    let mut granted = Verdict { scope: own }.without_owner(!settings.asks_consent);
    granted.extend(named.into_iter().map(|(scope, _)| scope));
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use super::{super::provider::Provider, *};
    use crate::{desk::put as document, testing::desk};
    use quorate_raft::{DocumentKey, Kind, Precondition};
    use serde_json::json;

    const SCOPE_TYPE: &str = "d60b7a71-1dc6-44a5-8e48-e4b9d92dee8b";

    async fn says(desk: &Desk, scope: &str, grant: bool, subject: Value) {
        let name = format!("about {scope}").replace([':', '/'], " ");
        let policy = json!({"name": name, "applicationName": "oauth2Scopes", "resourceTypeUuid": SCOPE_TYPE,
            "resources": [scope], "actionValues": {"GRANT": grant}, "subject": subject});
        let key = DocumentKey::new(&RealmPath::root(), Kind::Policy, &name);
        desk.write(vec![document(key, Precondition::Any, &policy, Vec::new(), false)]).await.expect("writes");
    }

    fn settings(switched_on: bool, implied: bool) -> (Client, Settings) {
        let client = Client::compile(&json!({
            "coreOAuth2ClientConfig": {"scopes": ["a", "b", "c", "http://h:80x/"]},
            "advancedOAuth2ClientConfig": {"isConsentImplied": implied},
        }));
        let provider = Provider::compile(&json!({
            "coreOAuth2Config": {"usePolicyEngineForScope": switched_on},
            "consent": {"clientsCanSkipConsent": true},
        }));
        let settings = provider.settings(&client);
        (client, settings)
    }

    fn scope(text: &str) -> Vec<Arc<str>> {
        text.split(' ').map(Into::into).collect()
    }

    /// The table of §8.2, the column without a user.
    #[actix_web::test]
    async fn a_client_gets_what_policy_grants() {
        let (desk, _) = desk().await;
        let root = RealmPath::root();
        says(&desk, "a", true, json!({"type": "JwtClaim", "claimName": "sub", "claimValue": "app"})).await;
        says(&desk, "b", false, json!({"type": "NOT", "subject": {"type": "NONE"}})).await;
        let granted = |(client, settings): (Client, Settings), asked: &str| {
            let granted = for_client(&desk, &root, ("app", &client), &settings, scope(asked)).expect("decided");
            granted.join(" ")
        };
        assert_eq!(granted(settings(false, false), "a b c"), "a b c", "not switched on");
        assert_eq!(granted(settings(true, false), "a b c"), "a");
        assert_eq!(granted(settings(true, true), "a b c"), "a c", "consent is implied");
        // What cannot be evaluated spoils nothing else; what names its audience is somebody else's to decide.
        assert_eq!(granted(settings(true, false), "http://h:80x/ a api://svc/read"), "a api://svc/read");
        let (client, settings) = settings(true, false);
        let other = for_client(&desk, &root, ("other", &client), &settings, scope("a")).expect("decided");
        assert!(other.is_empty());
    }

    #[actix_web::test]
    async fn without_its_policy_set_nothing_is_granted() {
        let (desk, _) = desk().await;
        let (client, settings) = settings(true, true);
        let settings = Settings { scope_policy_set: Some("nope".into()), ..settings };
        let refused = for_client(&desk, &RealmPath::root(), ("app", &client), &settings, scope("a"));
        assert_eq!(refused.expect_err("no set").code(), Code::ServerError);
    }

    #[test]
    fn a_client_overrides_switch_and_set() {
        let client = |overrides: Value| Client::compile(&json!({"overrideOAuth2ClientConfig": overrides}));
        let provider = Provider::compile(
            &json!({"coreOAuth2Config": {"usePolicyEngineForScope": true, "scopesPolicySet": "mine"}}),
        );
        let set = |overrides: Value| provider.settings(&client(overrides)).scope_policy_set;
        assert_eq!(set(json!({})).as_deref(), Some("mine"));
        let on = json!({"providerOverridesEnabled": true, "usePolicyEngineForScope": true});
        assert_eq!(set(on).as_deref(), Some("oauth2Scopes"));
        assert_eq!(set(json!({"providerOverridesEnabled": true})), None);
    }
}
