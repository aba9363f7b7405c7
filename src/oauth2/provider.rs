//! The realm's provider service `oauth-oidc` (oauth2-config §12), compiled once per revision, and what holds for one client
//! when its overrides (§8) are laid over it.
//!
//! A realm without the document has a provider with the documented defaults, except where oauth2-endpoints §25 asks for the
//! safer one: no implicit and no password grant, PKCE for public clients, asymmetric signatures.

use super::{
    attributes::Attributes,
    client::{Client, scope_names},
    grant_type::GrantTypes,
};
use crate::{desk::Desk, keys::Algorithm};
use quorate_raft::{Kind, RealmPath, Span, limits::MAX_CODE_SECS};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

/// Id of the provider's document.
pub const PROVIDER: &str = "oauth-oidc";

/// Seconds.
const ACCESS_LIFETIME: u64 = 3600;
/// Seconds.
const CODE_LIFETIME: u64 = 120;
/// Seconds.
const ID_TOKEN_LIFETIME: u64 = 3600;

/// Who does what a plugin point decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// The server, in its standard way.
    BuiltIn,
    /// The policy engine: audience scopes (see [`audience`](super::audience)).
    Policy,
    /// Something that is not served here. Using it fails: a request must not succeed as if nothing were configured.
    Unsupported,
}

/// The plugin points that concern tokens; `None` falls through to the provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plugins {
    /// Validates requested scope.
    pub validate_scope: Option<Plugin>,
    /// Modifies access tokens.
    pub modify_access: Option<Plugin>,
}

impl Plugins {
    /// From a client's override group or the provider's `pluginsConfig`.
    pub fn compile(group: Attributes<'_>) -> Self {
        // The ids are those of the scripts that AM ships; they do what the built-in does (oauth2-config §12.9).
        let validate_scope = plugin(
            group,
            ["validateScopePluginType", "validateScopeClass", "validateScopeScript"],
            &["25e6c06d-cf70-473b-bd28-26931edc476b"],
        );
        let modify_access = plugin(
            group,
            ["accessTokenModificationPluginType", "accessTokenModifierClass", "accessTokenModificationScript"],
            &["d22f9a0c-426a-4466-b95e-d0f125b0d5fa", "39c08084-1238-43e8-857f-2e11005eac49"],
        );
        Self { validate_scope, modify_access }
    }
}

/// The policy set that scope is put to (authorization.md §8.1), from the provider's core group or a client's override group;
/// `None` where policy is not asked.
pub fn scope_policy_set(group: Attributes<'_>) -> Option<Arc<str>> {
    let set = group.text("scopesPolicySet").filter(|name| !name.is_empty()).unwrap_or("oauth2Scopes");
    group.flag("usePolicyEngineForScope", false).then(|| set.into())
}

fn plugin(group: Attributes<'_>, [kind, class, script]: [&str; 3], standard_scripts: &[&str]) -> Option<Plugin> {
    let standard = match group.text(kind)? {
        "PROVIDER" => return None,
        "POLICY" => return Some(Plugin::Policy),
        // AM's own classes mean the built-in behaviour (oauth2-config §8).
        "JAVA" => group.text(class).is_none_or(|class| class.starts_with("org.forgerock.o")),
        "SCRIPTED" => group.text(script).is_none_or(|script| standard_scripts.contains(&script)),
        _ => false,
    };
    Some(if standard { Plugin::BuiltIn } else { Plugin::Unsupported })
}

/// Who must send a `code_challenge` (oauth2-endpoints §4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PkceRule {
    /// Everybody.
    All,
    /// Public clients.
    Public,
    /// Public clients without a secret.
    Passwordless,
    /// Nobody.
    Nobody,
}

/// The provider of a realm.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Access tokens are signed JWTs.
    pub stateless: bool,
    /// Seconds; 0 means dead on arrival.
    pub access_lifetime: u64,
    /// Seconds.
    pub code_lifetime: u64,
    /// Seconds.
    pub id_token_lifetime: u64,
    /// Grants that it serves.
    pub grant_types: GrantTypes,
    /// Response types that are configured, served or not.
    pub response_types: BTreeSet<Box<str>>,
    /// What signs client-based tokens; `None` is an algorithm that we do not sign with.
    pub signing: Option<Algorithm>,
    /// Encrypted tokens were asked for.
    pub encrypted: bool,
    /// Whether tokens carry `subname`.
    pub subname: bool,
    /// Whether `client_id` in a client-based token makes its holder's client an owner (oauth2-endpoints §10).
    pub client_id_owns: bool,
    /// Who must use PKCE.
    pub pkce: PkceRule,
    /// Implied consent counts.
    pub can_skip_consent: bool,
    /// Scopes for metadata.
    pub supported_scopes: Vec<Arc<str>>,
    /// User claims go into ID tokens too.
    pub always_add_claims: bool,
    /// Whether an `acr` claim is expected without being asked for.
    pub expects_acr: bool,
    /// Least `max_age`, seconds.
    pub min_max_age: u64,
    /// The policy set that scope is put to.
    pub scope_policy_set: Option<Arc<str>>,
    plugins: Plugins,
}

impl Provider {
    /// From a document, or `null` for a realm that has none.
    pub fn compile(document: &Value) -> Self {
        let core = Attributes::group(document, "coreOAuth2Config");
        let advanced = Attributes::group(document, "advancedOAuth2Config");
        let openid = Attributes::group(document, "coreOIDCConfig");
        let more_openid = Attributes::group(document, "advancedOIDCConfig");
        let consent = Attributes::group(document, "consent");
        let plugins = Plugins::compile(Attributes::group(document, "pluginsConfig"));
        let response_types = advanced.list("responseTypeClasses").unwrap_or_else(|| vec!["code", "id_token", "token"]);
        Self {
            stateless: core.flag("statelessTokensEnabled", false),
            access_lifetime: core.number("accessTokenLifetime").unwrap_or(ACCESS_LIFETIME),
            code_lifetime: core.number("codeLifetime").unwrap_or(CODE_LIFETIME),
            id_token_lifetime: openid.number("jwtTokenLifetime").unwrap_or(ID_TOKEN_LIFETIME),
            grant_types: advanced
                .list("grantTypes")
                .map_or_else(GrantTypes::all, |names| GrantTypes::of(names.into_iter())),
            response_types: response_types
                .into_iter()
                .filter_map(|entry| entry.split('|').next().filter(|name| !name.is_empty()))
                .map(Into::into)
                .collect(),
            signing: advanced.text("tokenSigningAlgorithm").map_or(Some(Algorithm::ES256), Algorithm::parse),
            encrypted: advanced.flag("tokenEncryptionEnabled", false),
            subname: advanced.flag("includeSubnameInTokenClaims", true),
            client_id_owns: advanced.flag("includeClientIdClaimInStatelessTokens", false),
            pkce: match advanced.text("codeVerifierEnforced") {
                Some("false") => PkceRule::Nobody,
                Some("true") => PkceRule::All,
                Some("passwordless") => PkceRule::Passwordless,
                Some("public") => PkceRule::Public,
                Some(_) => PkceRule::All,
                None if advanced.flag("codeVerifierEnforced", false) => PkceRule::All,
                None => PkceRule::Public,
            },
            can_skip_consent: consent.flag("clientsCanSkipConsent", false),
            supported_scopes: scope_names(advanced.list("supportedScopes")),
            always_add_claims: more_openid.flag("alwaysAddClaimsToToken", false),
            expects_acr: more_openid.list("defaultACR").is_some_and(|values| !values.is_empty()),
            min_max_age: more_openid.number("minMaxAge").unwrap_or(1).max(1),
            scope_policy_set: scope_policy_set(core),
            plugins,
        }
    }

    /// The provider of `realm`.
    pub fn of(desk: &Desk, realm: &RealmPath) -> Arc<Self> {
        static DEFAULT: LazyLock<Arc<Provider>> = LazyLock::new(|| Arc::new(Provider::compile(&Value::Null)));
        if let Some(entry) = desk.document(realm, Kind::Service, PROVIDER) {
            return entry.typed(Self::compile);
        }
        // oauth2-config §13: what the cluster says of realms that say nothing.
        match desk.document(&RealmPath::root(), Kind::GlobalService, PROVIDER) {
            Some(entry) => entry.typed(|global| Self::compile(&global["defaults"])),
            None => DEFAULT.clone(),
        }
    }

    /// What holds for `client`.
    pub fn settings(&self, client: &Client) -> Settings {
        let overrides = client.overrides.as_ref();
        let plugins = overrides.map(|overrides| overrides.plugins).unwrap_or_default();
        let stateless = overrides.map_or(self.stateless, |overrides| overrides.stateless);
        let encrypted = overrides.map_or(self.encrypted, |overrides| overrides.encrypted);
        let seconds = |own: Option<u64>, inherited| own.unwrap_or(inherited);
        Settings {
            format: match (stateless, encrypted) {
                (false, _) => Format::Opaque,
                (true, false) => Format::ClientBased(self.signing),
                (true, true) => Format::ClientBased(None),
            },
            access_ttl: Span::from_secs(seconds(client.access_lifetime, self.access_lifetime)),
            code_ttl: Span::from_secs(seconds(client.code_lifetime, self.code_lifetime).min(MAX_CODE_SECS)),
            id_token_secs: seconds(client.id_token_lifetime, self.id_token_lifetime),
            asks_consent: !(client.consent_implied
                && overrides.map_or(self.can_skip_consent, |overrides| overrides.can_skip_consent)),
            validate_scope: plugins.validate_scope.or(self.plugins.validate_scope).unwrap_or(Plugin::BuiltIn),
            modify_access: plugins.modify_access.or(self.plugins.modify_access).unwrap_or(Plugin::BuiltIn),
            scope_policy_set: match overrides {
                Some(overrides) => overrides.scope_policy_set.clone(),
                None => self.scope_policy_set.clone(),
            },
        }
    }
}

/// In what form an access token is issued (oauth2-tokens §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A handle; the token lives in replicated state.
    Opaque,
    /// A JWT signed with this algorithm; `None` cannot be issued.
    ClientBased(Option<Algorithm>),
}

/// What provider and client together say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In what form access tokens are issued.
    pub format: Format,
    /// How long they live.
    pub access_ttl: Span,
    /// How long codes live.
    pub code_ttl: Span,
    /// How long ID tokens live, seconds.
    pub id_token_secs: u64,
    /// Whether the resource owner is asked.
    pub asks_consent: bool,
    /// Who validates scope.
    pub validate_scope: Plugin,
    /// Who modifies access tokens.
    pub modify_access: Plugin,
    /// The policy set that scope is put to before it is granted; `None` where policy is not asked.
    pub scope_policy_set: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_realm_without_a_document_has_the_safe_defaults() {
        let provider = Provider::compile(&Value::Null);
        let settings = provider.settings(&Client::compile(&json!({})));
        assert_eq!(settings.format, Format::Opaque);
        assert_eq!((settings.access_ttl, settings.code_ttl), (Span::from_secs(3600), Span::from_secs(120)));
        assert!(settings.asks_consent);
        assert_eq!((provider.pkce, provider.signing), (PkceRule::Public, Some(Algorithm::ES256)));
        assert_eq!((settings.validate_scope, settings.modify_access), (Plugin::BuiltIn, Plugin::BuiltIn));
    }

    #[test]
    fn overrides_replace_everything_they_list_when_enabled() {
        let provider = Provider::compile(&json!({
            "coreOAuth2Config": { "statelessTokensEnabled": true, "accessTokenLifetime": 600 },
            "consent": { "clientsCanSkipConsent": true } }));
        let client = |overrides: Value| {
            Client::compile(&json!({
                "coreOAuth2ClientConfig": { "authorizationCodeLifetime": 86400 },
                "advancedOAuth2ClientConfig": { "isConsentImplied": true },
                "overrideOAuth2ClientConfig": overrides }))
        };
        let settings = provider.settings(&client(json!({ "statelessTokensEnabled": false })));
        assert_eq!(settings.format, Format::ClientBased(Some(Algorithm::ES256)));
        assert!(!settings.asks_consent);
        assert_eq!(settings.code_ttl, Span::from_secs(MAX_CODE_SECS));
        let settings = provider.settings(&client(json!({ "providerOverridesEnabled": true })));
        assert_eq!((settings.format, settings.asks_consent), (Format::Opaque, true));
        assert_eq!(settings.access_ttl, Span::from_secs(600));
    }

    #[test]
    fn a_plugin_that_is_not_served_is_never_taken_for_the_standard_one() {
        let modify = |group: Value| {
            let document = json!({ "g": group });
            Plugins::compile(Attributes::group(&document, "g")).modify_access
        };
        let of = |kind: &str, script: &str| {
            modify(json!({ "accessTokenModificationPluginType": kind, "accessTokenModificationScript": script }))
        };
        assert_eq!(of("POLICY", "[Empty]"), Some(Plugin::Policy));
        assert_eq!(of("PROVIDER", "x"), None);
        assert_eq!(of("SCRIPTED", "[Empty]"), Some(Plugin::BuiltIn));
        assert_eq!(of("SCRIPTED", "d22f9a0c-426a-4466-b95e-d0f125b0d5fa"), Some(Plugin::BuiltIn));
        assert_eq!(of("SCRIPTED", "3f3a0c11-0000-4466-b95e-d0f125b0d5fa"), Some(Plugin::Unsupported));
        assert_eq!(of("GROOVY", "[Empty]"), Some(Plugin::Unsupported));
    }
}
