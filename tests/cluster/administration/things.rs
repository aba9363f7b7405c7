//! Everything that administrators write over REST, and what is not in the table, with the reason.

use serde_json::{Value, json};

/// Something that administrators write: where, in which version, and what it looks like.
pub struct Thing {
    pub path: &'static str,
    pub version: &'static str,
    /// What is written the `n`th time.
    pub body: fn(u32) -> Value,
    /// Where in it is what differs from time to time; it is read again in the same place.
    pub place: &'static str,
    pub begins: Begins,
}

/// How it comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// By a PUT.
    Put,
    /// By a POST to this collection.
    Post(&'static str),
    /// It is always there.
    There,
}

impl Thing {
    /// What `body` has at the place that counts.
    pub fn written(&self, n: u32) -> Value {
        (self.body)(n).pointer(self.place).cloned().unwrap_or_else(|| panic!("{} has no {}", self.path, self.place))
    }

    /// What an answer has there: agents wrap their values.
    pub fn shown(&self, answer: &Value) -> Value {
        match answer.pointer(self.place) {
            Some(Value::Object(wrapped)) if wrapped.contains_key("inherited") => {
                wrapped.get("value").cloned().unwrap_or(Value::Null)
            }
            Some(plain) => plain.clone(),
            None => Value::Null,
        }
    }

    /// Whether it can be deleted.
    pub fn goes(&self) -> bool {
        self.begins != Begins::There
    }
}

const fn put(path: &'static str, version: &'static str, place: &'static str, body: fn(u32) -> Value) -> Thing {
    Thing { path, version, body, place, begins: Begins::Put }
}

const fn there(path: &'static str, version: &'static str, place: &'static str, body: fn(u32) -> Value) -> Thing {
    Thing { path, version, body, place, begins: Begins::There }
}

fn text(n: u32) -> String {
    format!("value-{n}")
}

/// Whether `n` is odd: for what has two values.
fn odd(n: u32) -> bool {
    n % 2 == 1
}

const V1: &str = "resource=1.0";

/// One of each; each names what it refers to before itself.
pub const THINGS: &[Thing] = &[
    Thing {
        path: "/json/global-config/realms/L2FscGhh",
        version: V1,
        body: |n| json!({ "name": "alpha", "parentPath": "/", "active": true, "aliases": [text(n)] }),
        place: "/aliases",
        begins: Begins::Post("/json/global-config/realms"),
    },
    put(
        "/json/realms/root/users/kim",
        "resource=4.0",
        "/sn",
        |n| json!({ "username": "kim", "userpassword": "Passw0rd!", "sn": [text(n)] }),
    ),
    put(
        "/json/realms/root/users/kim/services/session",
        V1,
        "/dynamic/maxIdleTime",
        |n| json!({ "dynamic": { "maxIdleTime": n + 1 } }),
    ),
    put(
        "/json/realms/root/users/kim/services/dashboard",
        V1,
        "/assignedDashboard",
        |n| json!({ "assignedDashboard": [text(n)] }),
    ),
    put(
        "/json/realms/root/groups/staff",
        "resource=4.0",
        "/description",
        |n| json!({ "members": { "uniqueMember": ["kim"] }, "description": [text(n)] }),
    ),
    there(
        "/json/realms/root/groups/allauthenticatedusers",
        "resource=4.0",
        "/privileges/RealmReadAccess",
        |n| json!({ "privileges": { "RealmReadAccess": odd(n) } }),
    ),
    put("/json/realms/root/scripts/33333333-2222-3333-4444-555555555555", "resource=1.1", "/description", |n| {
        json!({ "name": "claims", "script": "MQ==", "language": "JAVASCRIPT", "context": "OIDC_CLAIMS",
            "description": text(n) })
    }),
    // Services, of a realm and of all.
    put(
        "/json/realms/root/realm-config/services/oauth-oidc",
        V1,
        "/coreOAuth2Config/scopesPolicySet",
        |n| json!({ "coreOAuth2Config": { "scopesPolicySet": text(n) } }),
    ),
    put(
        "/json/realms/root/realm-config/services/session",
        V1,
        "/dynamic/maxCachingTime",
        |n| json!({ "dynamic": { "maxCachingTime": n } }),
    ),
    put(
        "/json/realms/root/realm-config/services/amSessionPropertyWhitelist",
        V1,
        "/sessionPropertyWhitelist",
        |n| json!({ "sessionPropertyWhitelist": [text(n)] }),
    ),
    put(
        "/json/realms/root/realm-config/services/validation",
        V1,
        "/validGotoDestinations",
        |n| json!({ "validGotoDestinations": [format!("https://{}.example/*", text(n))] }),
    ),
    put(
        "/json/realms/root/realm-config/services/audit",
        V1,
        "/whitelistFieldFilters",
        |n| json!({ "whitelistFieldFilters": [text(n)] }),
    ),
    put(
        "/json/realms/root/realm-config/services/dashboard",
        V1,
        "/assignedDashboard",
        |n| json!({ "assignedDashboard": [text(n)] }),
    ),
    put(
        "/json/realms/root/realm-config/services/baseurl",
        V1,
        "/fixedValue",
        |n| json!({ "fixedValue": format!("https://{}.example", text(n)) }),
    ),
    put(
        "/json/realms/root/realm-config/services/RemoteConsentService",
        V1,
        "/clientId",
        |n| json!({ "clientId": text(n) }),
    ),
    there(
        "/json/global-config/services/oauth-oidc",
        V1,
        "/defaults/coreOAuth2Config/scopesPolicySet",
        |n| json!({ "defaults": { "coreOAuth2Config": { "scopesPolicySet": text(n) } } }),
    ),
    there(
        "/json/global-config/services/session",
        V1,
        "/dynamic/maxCachingTime",
        |n| json!({ "dynamic": { "maxCachingTime": n } }),
    ),
    there(
        "/json/global-config/services/amSessionPropertyWhitelist",
        V1,
        "/defaults/sessionPropertyWhitelist",
        |n| json!({ "defaults": { "sessionPropertyWhitelist": [text(n)] } }),
    ),
    there(
        "/json/global-config/services/validation",
        V1,
        "/defaults/validGotoDestinations",
        |n| json!({ "defaults": { "validGotoDestinations": [format!("https://{}.example/*", text(n))] } }),
    ),
    there(
        "/json/global-config/services/audit",
        V1,
        "/defaults/whitelistFieldFilters",
        |n| json!({ "defaults": { "whitelistFieldFilters": [text(n)] } }),
    ),
    there(
        "/json/global-config/services/platform",
        V1,
        "/cookieDomains",
        |n| json!({ "cookieDomains": [format!("{}.example", text(n))] }),
    ),
    there(
        "/json/global-config/services/dashboard",
        V1,
        "/defaults/assignedDashboard",
        |n| json!({ "defaults": { "assignedDashboard": [text(n)] } }),
    ),
    put(
        "/json/global-config/services/dashboard/instances/mail",
        V1,
        "/displayName",
        |n| json!({ "displayName": text(n) }),
    ),
    there("/json/global-config/services/CorsService", V1, "/enabled", |n| json!({ "enabled": odd(n) })),
    put(
        "/json/global-config/services/CorsService/configuration/race",
        V1,
        "/acceptedOrigins",
        |n| json!({ "acceptedOrigins": [format!("https://{}.example", text(n))] }),
    ),
    there(
        "/json/global-config/services/baseurl",
        V1,
        "/defaults/fixedValue",
        |n| json!({ "defaults": { "fixedValue": format!("https://{}.example", text(n)) } }),
    ),
    there(
        "/json/global-config/services/RemoteConsentService",
        V1,
        "/defaults/clientId",
        |n| json!({ "defaults": { "clientId": text(n) } }),
    ),
    there(
        "/json/global-config/services/rest",
        V1,
        "/descriptionsState",
        |n| json!({ "descriptionsState": if odd(n) { "DYNAMIC" } else { "STATIC" } }),
    ),
    there(
        "/json/global-config/services/scripting",
        V1,
        "/defaultContext",
        |n| json!({ "defaultContext": if odd(n) { "OIDC_CLAIMS" } else { "POLICY_CONDITION" } }),
    ),
    there(
        "/json/global-config/services/scripting/contexts/OIDC_CLAIMS",
        V1,
        "/defaultScript",
        |n| json!({ "defaultScript": format!("{n:08}-2222-3333-4444-555555555555") }),
    ),
    there(
        "/json/global-config/services/scripting/contexts/OIDC_CLAIMS/engineConfiguration",
        V1,
        "/coreThreads",
        |n| json!({ "coreThreads": n + 1 }),
    ),
    there(
        "/json/global-config/secrets/stores/KeyStoreSecretStore/default-keystore/mappings/\
         am.services.oauth2.stateless.signing.HMAC",
        V1,
        "/aliases",
        |n| json!({ "aliases": [text(n)] }),
    ),
    // How a realm authenticates.
    there(
        "/json/realms/root/realm-config/authentication",
        V1,
        "/general/locale",
        |n| json!({ "general": { "locale": text(n) } }),
    ),
    there(
        "/json/global-config/authentication",
        V1,
        "/defaults/general/locale",
        |n| json!({ "defaults": { "general": { "locale": text(n) } } }),
    ),
    put(
        "/json/realms/root/realm-config/authentication/authenticationtrees/nodes/MessageNode/\
         44444444-2222-3333-4444-555555555555",
        V1,
        "/message/en",
        |n| json!({ "message": { "en": text(n) } }),
    ),
    put(
        "/json/realms/root/realm-config/authentication/authenticationtrees/trees/Race",
        V1,
        "/description",
        |n| json!({ "entryNodeId": "e301438c-0bd0-429c-ab0c-66126501069a", "nodes": {}, "description": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/authentication/modules/datastore/race",
        V1,
        "/authenticationLevel",
        |n| json!({ "authenticationLevel": n }),
    ),
    put(
        "/json/realms/root/realm-config/authentication/chains/race",
        V1,
        "/loginSuccessUrl",
        |n| json!({ "loginSuccessUrl": [text(n)] }),
    ),
    // Groups of agents, and agents in them.
    put(
        "/json/realms/root/realm-config/agents/groups/OAuth2Client/g",
        V1,
        "/coreOAuth2ClientConfig/clientName",
        |n| json!({ "coreOAuth2ClientConfig": { "clientName": [text(n)] } }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/IdentityGatewayAgent/g",
        V1,
        "/igCdssoLoginUrlTemplate",
        |n| json!({ "igCdssoLoginUrlTemplate": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/J2EEAgent/g",
        V1,
        "/miscJ2EEAgentConfig/notes",
        |n| json!({ "miscJ2EEAgentConfig": { "notes": text(n) } }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/WebAgent/g",
        V1,
        "/miscWebAgentConfig/notes",
        |n| json!({ "miscWebAgentConfig": { "notes": text(n) } }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/SoapSTSAgent/g",
        V1,
        "/publishServicePollInterval",
        |n| json!({ "publishServicePollInterval": n + 1 }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/RemoteConsentAgent/g",
        V1,
        "/jwksCacheTimeout",
        |n| json!({ "jwksCacheTimeout": n }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/SoftwarePublisher/g",
        V1,
        "/jwksCacheTimeout",
        |n| json!({ "jwksCacheTimeout": n }),
    ),
    put(
        "/json/realms/root/realm-config/agents/groups/TrustedJwtIssuer/g",
        V1,
        "/consentedScopesClaim",
        |n| json!({ "consentedScopesClaim": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/agents/OAuth2Client/shop",
        V1,
        "/coreOAuth2ClientConfig/redirectionUris",
        |n| {
            json!({ "coreOAuth2ClientConfig": { "agentgroup": "g",
            "redirectionUris": [format!("https://{}.example/", text(n))] } })
        },
    ),
    put(
        "/json/realms/root/realm-config/agents/IdentityGatewayAgent/gateway",
        V1,
        "/igCdssoLoginUrlTemplate",
        |n| json!({ "agentgroup": "g", "igCdssoLoginUrlTemplate": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/agents/IdentityGateway/newer",
        V1,
        "/igCdssoLoginUrlTemplate",
        |n| json!({ "igCdssoLoginUrlTemplate": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/agents/J2EEAgent/java",
        V1,
        "/miscJ2EEAgentConfig/notes",
        |n| json!({ "agentgroup": "g", "miscJ2EEAgentConfig": { "notes": text(n) } }),
    ),
    put(
        "/json/realms/root/realm-config/agents/WebAgent/web",
        V1,
        "/miscWebAgentConfig/notes",
        |n| json!({ "agentgroup": "g", "miscWebAgentConfig": { "notes": text(n) } }),
    ),
    put(
        "/json/realms/root/realm-config/agents/SoapSTSAgent/soap",
        V1,
        "/publishServicePollInterval",
        |n| json!({ "publishServicePollInterval": n + 1 }),
    ),
    put("/json/realms/root/realm-config/agents/SharedAgent/shared", V1, "/notes", |n| json!({ "notes": text(n) })),
    put(
        "/json/realms/root/realm-config/agents/2.2_Agent/old",
        V1,
        "/description",
        |n| json!({ "description": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/agents/RemoteConsentAgent/consent",
        V1,
        "/jwksCacheTimeout",
        |n| json!({ "jwksCacheTimeout": n }),
    ),
    put(
        "/json/realms/root/realm-config/agents/SoftwarePublisher/publisher",
        V1,
        "/issuer",
        |n| json!({ "issuer": text(n) }),
    ),
    put(
        "/json/realms/root/realm-config/agents/TrustedJwtIssuer/issuer",
        V1,
        "/issuer",
        |n| json!({ "issuer": text(n) }),
    ),
    // Policies.
    put("/json/realms/root/resourcetypes/11111111-2222-3333-4444-555555555555", V1, "/description", |n| {
        json!({ "uuid": "11111111-2222-3333-4444-555555555555", "name": "door", "description": text(n),
            "patterns": ["door:*"], "actions": { "OPEN": true } })
    }),
    put("/json/realms/root/applications/doors", "resource=2.1", "/description", |n| {
        json!({ "name": "doors", "applicationType": "iPlanetAMWebAgentService", "description": text(n),
            "resourceTypeUuids": ["11111111-2222-3333-4444-555555555555"] })
    }),
    put("/json/realms/root/policies/front", "resource=2.1", "/description", |n| {
        json!({ "name": "front", "applicationName": "doors", "description": text(n), "resources": ["door:front"],
            "resourceTypeUuid": "11111111-2222-3333-4444-555555555555", "actionValues": { "OPEN": true },
            "subject": { "type": "AuthenticatedUsers" } })
    }),
];

/// What can be written, is not in the table, and need not be.
pub const EXEMPT: &[(&str, &str)] = &[
    ("/global-audit/{topic}", "events are reported, and nobody changes one"),
    ("/realms/root/realm-audit/{topic}", "events are reported, and nobody changes one"),
    ("/realms/root/realms", "the realms of /global-config/realms, by the same code"),
    ("/realms/root/realms/{id}", "the realms of /global-config/realms, by the same code"),
    ("/realms/root/users/{user}/devices/2fa/{kind}/{id}", "made by journeys, and only deleted here"),
    ("/realms/root/users/{user}/devices/{kind}/{id}", "made by journeys, and only deleted here"),
    ("/realms/root/realm-config/agents/OAuth2Thing", "501, whatever is asked: there are no things here"),
    ("/realms/root/realm-config/agents/OAuth2Thing/{id}", "501, whatever is asked: there are no things here"),
    ("/realms/root/users/{user}/oauth2/applications/{id}", "what users granted: it ends, and is not configuration"),
];

/// Whether a path is one of those that a template stands for.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(t, element)| t.starts_with('{') || *t == element)
}

/// Paths of an OpenAPI document at which something can be created, changed or deleted.
fn writable(document: &Value) -> Vec<String> {
    let creates = |entry: &Value| {
        let parameters = entry["post"]["parameters"].as_array().into_iter().flatten();
        let actions = parameters.filter(|parameter| parameter["name"] == "_action");
        actions
            .flat_map(|action| action["schema"]["enum"].as_array().into_iter().flatten())
            .any(|name| name == "create")
    };
    let writes =
        |entry: &Value| ["put", "patch", "delete"].iter().any(|method| entry.get(method).is_some()) || creates(entry);
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().filter(|(_, entry)| writes(entry)).map(|(path, _)| path.clone()).collect()
}

/// What a document says that can be written, and neither [`THINGS`] nor [`EXEMPT`] knows; and exemptions for what is not
/// there.
pub fn forgotten(document: &Value) -> Vec<String> {
    let writable = writable(document);
    let tested = |template: &str| {
        THINGS.iter().any(|thing| {
            let path = thing.path.strip_prefix("/json").expect("a path below /json");
            let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
            fits(template, path) || fits(template, collection)
        })
    };
    let untested = writable.iter().filter(|path| !tested(path) && !EXEMPT.iter().any(|(exempt, _)| fits(exempt, path)));
    let idle = EXEMPT.iter().filter(|(exempt, _)| !writable.iter().any(|path| fits(exempt, path)));
    untested.cloned().chain(idle.map(|(exempt, why)| format!("{exempt} is exempt ({why}) and not there"))).collect()
}
