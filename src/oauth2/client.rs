//! A registered client, compiled from its document once per revision (oauth2-config §3-§8).
//!
//! | RFC           | it says                                               | we hold it in                |
//! |---------------|-------------------------------------------------------|------------------------------|
//! | 6749 §2.1     | confidential and public clients                       | [`Client::public`]           |
//! | 6749 §3.1.2.2 | registered redirection URIs                           | [`Client::redirect_uris`]    |
//! | 7591 §2       | grant types, response types, authentication method    | [`Client::grant_types`], [`Client::response_types`], [`Client::auth_method`] |

use super::{
    attributes::Attributes,
    grant_type::GrantTypes,
    provider::{Plugins, scope_policy_set},
};
use crate::{
    cors,
    inheritance::{self, Standing},
    keys::Algorithm,
    views::{Entry, Views},
};
use quorate_raft::Seq;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

/// A scope in a profile whose holder may introspect every token of its realm.
pub const INTROSPECT_ALL: &str = "am-introspect-all-tokens";
/// The same, in every realm.
pub const INTROSPECT_ANY_REALM: &str = "am-introspect-all-tokens-any-realm";
/// Lets a client evaluate policies of its realm over [`authzen`](crate::authzen). An extension.
pub const EVALUATE: &str = "am-evaluate-policies";
/// Scopes that mean a privilege: nothing but the profile grants them (oauth2-endpoints §24).
pub const RESERVED: [&str; 4] = [INTROSPECT_ALL, INTROSPECT_ANY_REALM, "dynamic_client_registration", EVALUATE];

/// What a client may ask for unless its profile says otherwise, whether or not we serve it (oauth2-config §4).
pub const RESPONSE_TYPES: &[&str] = &[
    "code",
    "token",
    "id_token",
    "code token",
    "token id_token",
    "code id_token",
    "code token id_token",
    "device_code",
    "device_code id_token",
];

/// How a client proves itself at the token endpoint (OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
    /// `none`
    None,
    /// A method that is not served here: the client cannot authenticate.
    Other,
}

/// In what form userinfo answers this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserInfoFormat {
    /// `JSON`
    Json,
    /// `SIGNED_JWT`
    Signed,
    /// Encrypted forms, which are not served.
    Other,
}

/// `overrideOAuth2ClientConfig` with `providerOverridesEnabled`: replaces what the provider says.
#[derive(Clone, Debug)]
pub struct Overrides {
    /// Access tokens are signed JWTs.
    pub stateless: bool,
    /// Encrypted tokens were asked for.
    pub encrypted: bool,
    /// Implied consent counts.
    pub can_skip_consent: bool,
    /// What validates scope and modifies tokens; absent members fall through to the provider.
    pub plugins: Plugins,
    /// The policy set that scope is put to; `None` where policy is not asked.
    pub scope_policy_set: Option<Arc<str>>,
}

/// A client. Holding one proves nothing about the caller.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whether it may do anything at all.
    pub active: bool,
    /// Cannot keep a secret.
    pub public: bool,
    /// PHC string of its secret.
    pub verifier: Option<Box<str>>,
    /// Where answers may be sent.
    pub redirect_uris: Vec<Box<str>>,
    /// Origins whose pages may use the endpoints that clients call themselves (see [`crate::cors`]).
    pub javascript_origins: Vec<String>,
    /// RFC 8252 §7.3: the port of a loopback URI does not matter.
    pub any_loopback_port: bool,
    /// What it may ask for: `scopes` and `defaultScopes`, in that order.
    pub scopes: Vec<Arc<str>>,
    /// What it gets when it asks for nothing.
    pub default_scopes: Vec<Arc<str>>,
    /// Grants it may use.
    pub grant_types: GrantTypes,
    /// Combinations it may ask for.
    pub response_types: Vec<BTreeSet<Box<str>>>,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// The administrator consented for everybody.
    pub consent_implied: bool,
    /// What the consent page calls it.
    pub display_name: Option<Box<str>>,
    /// Seconds; `None` inherits.
    pub code_lifetime: Option<u64>,
    /// Seconds; `None` inherits.
    pub access_lifetime: Option<u64>,
    /// Seconds; `None` inherits.
    pub id_token_lifetime: Option<u64>,
    /// What signs its ID tokens; `None` is an algorithm that we do not sign with.
    pub id_token_algorithm: Option<Algorithm>,
    /// `max_age` where the request has none, seconds.
    pub default_max_age: Option<u64>,
    /// Whether an `acr` claim is expected without being asked for.
    pub expects_acr: bool,
    /// How userinfo answers.
    pub userinfo_format: UserInfoFormat,
    /// Replaces provider settings.
    pub overrides: Option<Overrides>,
}

/// `name|locale|text` without what is for people (oauth2-endpoints §24).
pub fn scope_names(entries: Option<Vec<&str>>) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for entry in entries.unwrap_or_default() {
        let name = entry.split('|').next().unwrap_or_default();
        if !name.is_empty() && !names.iter().any(|known| **known == *name) {
            names.push(name.into());
        }
    }
    names
}

impl Client {
    /// From a document of kind `OAuth2Client`. Whatever is no client document is an inactive client.
    pub fn compile(document: &Value) -> Self {
        let core = Attributes::group(document, "coreOAuth2ClientConfig");
        let advanced = Attributes::group(document, "advancedOAuth2ClientConfig");
        let openid = Attributes::group(document, "coreOpenIDClientConfig");
        let signing = Attributes::group(document, "signEncOAuth2ClientConfig");
        let default_scopes = scope_names(core.list("defaultScopes"));
        let mut scopes = scope_names(core.list("scopes"));
        for scope in &default_scopes {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        // oauth2-tokens §13: 0 inherits.
        let lifetime = |group: Attributes<'_>, name| group.number(name).filter(|seconds| *seconds > 0);
        let known_status = core.text("status").unwrap_or("Active");
        Self {
            active: document.is_object() && known_status.eq_ignore_ascii_case("Active"),
            public: core.text("clientType").is_some_and(|kind| kind.eq_ignore_ascii_case("Public")),
            verifier: document.get("_verifier").and_then(Value::as_str).map(Into::into),
            redirect_uris: core.list("redirectionUris").unwrap_or_default().into_iter().map(Into::into).collect(),
            javascript_origins: {
                let named = advanced.list("javascriptOrigins").unwrap_or_default();
                named.into_iter().filter_map(cors::origin).collect()
            },
            any_loopback_port: core.flag("loopbackInterfaceRedirection", false),
            scopes,
            default_scopes,
            grant_types: advanced
                .list("grantTypes")
                .map_or(GrantTypes::AUTHORIZATION_CODE, |names| GrantTypes::of(names.into_iter())),
            response_types: match advanced.list("responseTypes") {
                Some(types) => types.into_iter().map(words).collect(),
                None => RESPONSE_TYPES.iter().copied().map(words).collect(),
            },
            auth_method: match advanced.text("tokenEndpointAuthMethod").unwrap_or("client_secret_basic") {
                "client_secret_basic" => AuthMethod::Basic,
                "client_secret_post" => AuthMethod::Post,
                "none" => AuthMethod::None,
                _ => AuthMethod::Other,
            },
            consent_implied: advanced.flag("isConsentImplied", false),
            display_name: ["name", "clientName"]
                .into_iter()
                .zip([advanced, core])
                .find_map(|(name, group)| group.list(name)?.first().copied())
                .map(|entry| entry.rsplit('|').next().unwrap_or(entry).into()),
            code_lifetime: lifetime(core, "authorizationCodeLifetime"),
            access_lifetime: lifetime(core, "accessTokenLifetime"),
            id_token_lifetime: lifetime(openid, "jwtTokenLifetime"),
            id_token_algorithm: match signing.text("idTokenSignedResponseAlg") {
                None => Some(Algorithm::RS256),
                // Symmetric ID tokens are keyed by the client's secret, of which we keep a verifier only.
                Some(name) => Algorithm::parse(name).filter(|algorithm| *algorithm != Algorithm::HS256),
            }
            .filter(|_| !signing.flag("idTokenEncryptionEnabled", false)),
            default_max_age: openid
                .flag("defaultMaxAgeEnabled", false)
                .then(|| openid.number("defaultMaxAge").unwrap_or(600)),
            expects_acr: openid.list("defaultAcrValues").is_some_and(|values| !values.is_empty()),
            userinfo_format: match signing.text("userinfoResponseFormat").unwrap_or("JSON") {
                "JSON" => UserInfoFormat::Json,
                "SIGNED_JWT" => UserInfoFormat::Signed,
                _ => UserInfoFormat::Other,
            },
            overrides: Overrides::compile(document),
        }
    }

    /// A stored client with what it inherits, and the fence under which it stands: the one reader of this kind's typed form.
    /// Compiled once per revision of the client, and of its group.
    pub fn of(views: &Views, entry: &Entry) -> (Arc<Self>, Seq) {
        if inheritance::group_key(&entry.document).is_none() {
            return (entry.typed(Self::compile), entry.document.fence);
        }
        let group = inheritance::group(views, entry);
        let Standing { fence, .. } = inheritance::standing(entry, group.as_deref());
        let revision = group.as_ref().map(|group| group.document.revision);
        let compiled: Arc<Grouped> = entry.typed(|_| Grouped::default());
        if let Some(client) = compiled.compiled_with(revision) {
            return (client, fence);
        }
        let whole = inheritance::merged(entry.json(), group.as_deref().map(Entry::json));
        let mut client = Self::compile(&whole);
        // Where the group is gone, what it said is not known: deny.
        client.active &= group.is_some();
        let client = Arc::new(client);
        compiled.remember(revision, client.clone());
        (client, fence)
    }

    /// The scope `name` if the profile has it.
    pub fn scope(&self, name: &str) -> Option<&Arc<str>> {
        self.scopes.iter().find(|scope| ***scope == *name)
    }
}

/// The compiled form of a client that has a group, with the revision of the group that it was compiled with.
#[derive(Default)]
struct Grouped(RwLock<Option<(Option<Seq>, Arc<Client>)>>);

impl Grouped {
    fn compiled_with(&self, group: Option<Seq>) -> Option<Arc<Client>> {
        // A lock that is poisoned holds a whole value all the same: it is only ever replaced.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(of, _)| *of == group).map(|(_, client)| client.clone())
    }

    fn remember(&self, group: Option<Seq>, client: Arc<Client>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((group, client));
    }
}

impl Overrides {
    fn compile(document: &Value) -> Option<Self> {
        let group = Attributes::group(document, "overrideOAuth2ClientConfig");
        group.flag("providerOverridesEnabled", false).then(|| Self {
            stateless: group.flag("statelessTokensEnabled", false),
            encrypted: group.flag("tokenEncryptionEnabled", false),
            can_skip_consent: group.flag("clientsCanSkipConsent", false),
            plugins: Plugins::compile(group),
            scope_policy_set: scope_policy_set(group),
        })
    }
}

fn words(combination: &str) -> BTreeSet<Box<str>> {
    combination.split(' ').filter(|word| !word.is_empty()).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_members_have_the_documented_defaults() {
        let client = Client::compile(&json!({}));
        assert!(client.active && !client.public && client.verifier.is_none());
        assert_eq!((client.auth_method, client.id_token_algorithm), (AuthMethod::Basic, Some(Algorithm::RS256)));
        assert_eq!(client.grant_types, GrantTypes::AUTHORIZATION_CODE);
        assert!(client.scopes.is_empty() && client.overrides.is_none() && client.code_lifetime.is_none());
    }

    #[test]
    fn what_is_no_client_document_is_inactive() {
        assert!(!Client::compile(&Value::Null).active);
        assert!(!Client::compile(&json!({ "coreOAuth2ClientConfig": { "status": "Inactive" } })).active);
    }

    #[test]
    fn scopes_lose_their_texts_and_include_the_defaults() {
        let client = Client::compile(&json!({ "coreOAuth2ClientConfig": {
            "scopes": ["read|en|Read", "api://svc/x", "read"], "defaultScopes": ["write|Write", "read"] } }));
        let names: Vec<&str> = client.scopes.iter().map(|scope| &**scope).collect();
        assert_eq!(names, ["read", "api://svc/x", "write"]);
        assert_eq!(client.default_scopes.len(), 2);
    }
}
