//! What of a request or an object may be written down. Nothing that is not named here, or in the settings, is.
//!
//! | what                          | rule                                                                            |
//! |-------------------------------|---------------------------------------------------------------------------------|
//! | headers, query parameters     | those of `HEADERS`, `PARAMETERS`; more by `audit.whitelist`, never `NEVER` |
//! | cookies, bodies               | none                                                                            |
//! | path                          | elements that could be tokens are `*`                                           |
//! | users and groups              | attributes of `IDENTITY`; more by `audit.whitelist`                           |
//! | configuration                 | all but members whose name says that they are secret, and texts that look so    |
//! | scripts                       | their digest: people write passwords into scripts                               |
//! | keys, secret stores           | nothing                                                                         |
//!
//! What is left out still counts among `changedFields`: a new password shows as changed, and nothing else.

use super::topic::Topic;
use crate::{crest::Object, secrets::sha256};
use actix_web::http::header::HeaderMap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::Kind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Longest text of a request that is written, characters.
const MAX_TEXT: usize = 256;
/// Longest text of an object that is written, characters.
const MAX_VALUE: usize = 2048;
/// Deepest nesting of an object that is written.
const MAX_DEPTH: usize = 16;
/// Most values of one object that are written.
const MAX_VALUES: usize = 4096;

/// Request headers that are written.
const HEADERS: &[&str] = &[
    "accept",
    "accept-api-version",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "origin",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forgerock-transactionid",
    "x-http-method-override",
    "x-requested-with",
];

/// Response headers that are written. Not `Location`: codes travel in it.
const RESPONSE_HEADERS: &[&str] = &[
    "cache-control",
    "content-api-version",
    "content-length",
    "content-type",
    "etag",
    "retry-after",
    "x-quorate-revision",
];

/// Query parameters that are written. Not `_queryFilter`: people search for people.
const PARAMETERS: &[&str] = &[
    "_action",
    "_fields",
    "_pageSize",
    "_pagedResultsOffset",
    "_prettyPrint",
    "_queryId",
    "_sortKeys",
    "_totalPagedResultsPolicy",
    "ForceAuth",
    "acr_values",
    "authIndexType",
    "authIndexValue",
    "client_id",
    "code_challenge_method",
    "noSession",
    "prompt",
    "realm",
    "response_mode",
    "response_type",
    "scope",
    "service",
];

/// Names that no setting makes visible.
const NEVER: &[&str] = &[
    "authorization",
    "cookie",
    "dpop",
    "proxy-authorization",
    "set-cookie",
    "location",
    "x-openam-password",
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "csrf",
    "id_token_hint",
    "password",
    "refresh_token",
    "state",
    "token",
    "tokenId",
    "userpassword",
    "_verifier",
];

/// Attributes of users and groups that are written.
const IDENTITY: &[&str] = &[
    "_id",
    "cn",
    "createTimestamp",
    "description",
    "dn",
    "employeeNumber",
    "givenName",
    "inetUserStatus",
    "isMemberOf",
    "mail",
    "members",
    "modifyTimestamp",
    "objectClass",
    "preferredLocale",
    "privileges",
    "realm",
    "sn",
    "telephoneNumber",
    "uid",
    "uniqueMember",
    "universalid",
    "username",
];

/// What the name of a member contains when its value is a secret.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "verifier",
    "salt",
    "sealed",
    "credential",
    "privatekey",
    "private_key",
    "apikey",
    "api_key",
    "accesskey",
    "access_key",
    "jwkset",
    "sharedkey",
    "encryptionkey",
    "signingkey",
    "storepass",
    "keypass",
    "bindpw",
    "authtoken",
    "bearer",
];

/// A field of `audit.whitelist`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowed {
    /// `/access/http/request/headers/{name}`, in lower case.
    Header(String),
    /// `/access/http/response/headers/{name}`, in lower case.
    ResponseHeader(String),
    /// `/access/http/request/queryParameters/{name}`
    Parameter(String),
    /// `/activity/before/{attribute}` or `/activity/after/{attribute}`: either allows both.
    Attribute(String),
}

/// Reads an item of `audit.whitelist`.
///
/// # Errors
/// What is wrong with the text.
pub fn allowed(text: &str) -> Result<Allowed, String> {
    const PLACES: &str = "must be /access/http/request/headers/NAME, /access/http/response/headers/NAME, \
                          /access/http/request/queryParameters/NAME or /activity/after/NAME";
    let (place, name) = text.rsplit_once('/').filter(|(_, name)| !name.is_empty()).ok_or(PLACES)?;
    if NEVER.iter().any(|never| never.eq_ignore_ascii_case(name)) || names_secret(name) {
        return Err(format!("`{name}` is never written"));
    }
    match place {
        "/access/http/request/headers" => Ok(Allowed::Header(name.to_ascii_lowercase())),
        "/access/http/response/headers" => Ok(Allowed::ResponseHeader(name.to_ascii_lowercase())),
        "/access/http/request/queryParameters" => Ok(Allowed::Parameter(name.to_owned())),
        "/activity/before" | "/activity/after" => Ok(Allowed::Attribute(name.to_owned())),
        _ => Err(PLACES.to_owned()),
    }
}

/// A field of `audit.blacklist`: a topic, and member names from the top of its events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    topic: Topic,
    members: Vec<String>,
}

/// Reads an item of `audit.blacklist`, as in `/access/http/request/headers/user-agent`.
///
/// # Errors
/// What is wrong with the text.
pub fn denied(text: &str) -> Result<Denied, String> {
    let wrong = || format!("`{text}` is not /TOPIC/MEMBER, with more members below");
    let mut parts = text.strip_prefix('/').ok_or_else(wrong)?.split('/');
    let topic = parts.next().unwrap_or_default().parse().map_err(|error| format!("`{text}`: {error}"))?;
    let members: Vec<String> = parts.map(str::to_owned).collect();
    if members.is_empty() || members.iter().any(String::is_empty) {
        Err(wrong())
    } else {
        Ok(Denied { topic, members })
    }
}

/// The rules above, with the settings.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    allowed: BTreeSet<Allowed>,
    denied: Vec<Denied>,
}

/// `text`, cut.
pub fn bounded(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

impl Redactor {
    /// With these exceptions.
    pub fn new(allowed: impl IntoIterator<Item = Allowed>, denied: Vec<Denied>) -> Self {
        Self { allowed: allowed.into_iter().collect(), denied }
    }

    /// The request headers that are written: name, value.
    pub fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        self.listed(headers, HEADERS, Allowed::Header)
    }

    /// The response headers that are written.
    pub fn response_headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        self.listed(headers, RESPONSE_HEADERS, Allowed::ResponseHeader)
    }

    fn listed(&self, headers: &HeaderMap, list: &[&str], as_field: fn(String) -> Allowed) -> Vec<(String, String)> {
        let shown = |name: &str| list.contains(&name) || self.allows(|| as_field(name.to_owned()));
        let listed = headers.iter().filter(|(name, _)| shown(name.as_str()));
        listed.map(|(name, value)| (name.as_str().to_owned(), header_text(value.as_bytes()))).collect()
    }

    fn allows(&self, field: impl FnOnce() -> Allowed) -> bool {
        !self.allowed.is_empty() && self.allowed.contains(&field())
    }

    /// The query parameters that are written: name, value. What cannot be decoded is left out.
    pub fn parameters(&self, query: &str) -> Vec<(String, String)> {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(query).map(|pairs| pairs.into_inner());
        let shown = |name: &str| {
            let listed = PARAMETERS
                .iter()
                .any(|listed| *listed == name || (listed.starts_with('_') && listed.eq_ignore_ascii_case(name)));
            listed || self.allows(|| Allowed::Parameter(name.to_owned()))
        };
        let pairs = pairs.unwrap_or_default().into_iter().filter(|(name, _)| shown(name));
        pairs.map(|(name, value)| (name, guarded(&bounded(&value)))).collect()
    }

    /// A document as events show it, and the digest of what they do not show of it is nowhere.
    pub fn shown(&self, kind: Kind, document: &Value) -> Object {
        let Some(members) = document.as_object() else {
            return Object::new();
        };
        let mut left = MAX_VALUES;
        match kind {
            Kind::Keys | Kind::Settings | Kind::SecretStore | Kind::SecretMapping => Object::new(),
            Kind::User | Kind::Group => members
                .iter()
                .filter(|(name, _)| {
                    IDENTITY.contains(&name.as_str()) || self.allows(|| Allowed::Attribute((*name).clone()))
                })
                .filter_map(|(name, value)| Some((name.clone(), visible(name, value, 0, &mut left)?)))
                .collect(),
            Kind::Script => members
                .iter()
                .filter_map(|(name, value)| {
                    let value = match name.as_str() {
                        "script" => json!(digest(value)),
                        _ => visible(name, value, 0, &mut left)?,
                    };
                    Some((name.clone(), value))
                })
                .collect(),
            _ => members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), visible(name, value, 0, &mut left)?)))
                .collect(),
        }
    }

    /// `members` of an event of `topic` without those of the black list.
    pub fn filtered(&self, topic: Topic, mut members: Object) -> Object {
        for denied in self.denied.iter().filter(|denied| denied.topic == topic) {
            remove(&mut members, &denied.members);
        }
        members
    }
}

fn remove(members: &mut Object, path: &[String]) {
    match path {
        [] => {}
        [last] => drop(members.remove(last)),
        [first, below @ ..] => {
            if let Some(Value::Object(members)) = members.get_mut(first) {
                remove(members, below);
            }
        }
    }
}

/// A header's value: visible characters, cut, and not what looks like a token.
fn header_text(value: &[u8]) -> String {
    guarded(&bounded(&String::from_utf8_lossy(value)))
}

fn digest(value: &Value) -> String {
    format!("sha256:{}", URL_SAFE_NO_PAD.encode(sha256(value.to_string().as_bytes())))
}

fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Whether what is called `name` is left out of events that others report.
pub(super) fn is_secret_name(name: &str) -> bool {
    names_secret(name)
        || name.eq_ignore_ascii_case("cookies")
        || NEVER.iter().any(|never| never.eq_ignore_ascii_case(name))
}

/// A value as it is shown: `None` for a secret. Numbers and truths are never secrets, whatever they are called.
fn visible(name: &str, value: &Value, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        _ if depth > MAX_DEPTH || names_secret(name) => None,
        Value::String(text) => Some(Value::String(guarded(&text.chars().take(MAX_VALUE).collect::<String>()))),
        Value::Array(items) => {
            Some(Value::Array(items.iter().filter_map(|item| visible("", item, depth + 1, left)).collect()))
        }
        // A private JWK, wherever it stands.
        Value::Object(members) if members.contains_key("kty") => None,
        Value::Object(members) => {
            let shown =
                members.iter().filter_map(|(name, value)| Some((name.clone(), visible(name, value, depth + 1, left)?)));
            Some(Value::Object(shown.collect()))
        }
    }
}

/// Second belt: a text that looks like a secret is not written, wherever it stands.
pub fn guarded(text: &str) -> String {
    if looks_secret(text) { "[hidden]".to_owned() } else { text.to_owned() }
}

/// PHC strings, JWTs, PEM keys, SSO tokens of AM, URLs with a password, and private JWKs as text.
fn looks_secret(text: &str) -> bool {
    let jwt = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).any(is_jwt);
    text.contains("$argon2")
        || text.contains("-----BEGIN")
        || text.contains("\"kty\"")
        || (text.contains("AQIC") && text.len() >= 40)
        || text.split_once("://").is_some_and(|(_, rest)| {
            rest.split('/').next().is_some_and(|authority| authority.contains(':') && authority.contains('@'))
        })
        || jwt(text)
}

fn is_jwt(word: &str) -> bool {
    word.starts_with("eyJ") && word.bytes().filter(|byte| *byte == b'.').count() >= 2
}

/// A path with `*` for what could be a token: whatever follows `sessions` or `tokens`, and what looks like a handle of ours.
pub fn path(path: &str) -> String {
    let mut former = "";
    let mut shown = String::with_capacity(path.len());
    for (n, element) in path.split('/').enumerate() {
        let hidden = !element.is_empty()
            && (matches!(former, "sessions" | "tokens" | "token") && element != "revoke"
                || looks_secret(element)
                || is_handle(element));
        if n > 0 {
            shown.push('/');
        }
        shown.push_str(if hidden { "*" } else { element });
        former = element;
    }
    shown.chars().take(1024).collect()
}

/// 28 characters of base64url, of all sorts: a handle of ours, and no name that anybody gave.
fn is_handle(element: &str) -> bool {
    let all = |class: fn(&u8) -> bool| element.bytes().any(|byte| class(&byte));
    element.len() == crate::secrets::HANDLE_CHARS
        && element.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && all(u8::is_ascii_uppercase)
        && all(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let name = |name: &str| name.to_owned();
        for (text, expected) in [
            ("/access/http/request/headers/X-Trace", Some(Allowed::Header(name("x-trace")))),
            ("/access/http/response/headers/Vary", Some(Allowed::ResponseHeader(name("vary")))),
            ("/access/http/request/queryParameters/_queryFilter", Some(Allowed::Parameter(name("_queryFilter")))),
            ("/activity/after/postalAddress", Some(Allowed::Attribute(name("postalAddress")))),
            ("/access/http/request/headers/Authorization", None),
            ("/access/http/request/headers/X-OpenAM-Password", None),
            ("/access/http/request/queryParameters/client_secret", None),
            ("/access/http/request/queryParameters/code", None),
            ("/activity/after/userPassword", None),
            ("/activity/after/", None),
            ("/config/after/x", None),
            ("x", None),
        ] {
            assert_eq!(allowed(text).ok(), expected, "{text}");
        }
        for (text, fine) in [
            ("/access/http/request/headers/user-agent", true),
            ("/activity/before", true),
            ("/activity", false),
            ("/activity//x", false),
            ("/none/x", false),
            ("activity/x", false),
        ] {
            assert_eq!(denied(text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn paths_hide_tokens() {
        for (given, shown) in [
            ("/am/json/realms/root/users/demo", "/am/json/realms/root/users/demo"),
            ("/am/json/sessions/AQIC5wM2LY4Sfcz.x*AAJTSQ", "/am/json/sessions/*"),
            ("/am/oauth2/token/revoke", "/am/oauth2/token/revoke"),
            ("/am/json/tokens/abc", "/am/json/tokens/*"),
            ("/x/eyJhbGciOi.eyJzdWIi.c2ln/y", "/x/*/y"),
            ("/x/AbCdEfGhIjKlMnOpQrStUvWxYz01", "/x/*"),
            ("/x/a-name-of-twenty-eight-chars", "/x/a-name-of-twenty-eight-chars"),
        ] {
            assert_eq!(path(given), shown);
        }
    }

    #[test]
    fn objects_are_shown_without_secrets() {
        let redactor = Redactor::default();
        let shown = |kind, document: Value| Value::Object(redactor.shown(kind, &document));
        let client = json!({
            "_verifier": "$argon2id$v=19$x",
            "coreOAuth2ClientConfig": {"userpassword": "planted", "scopes": ["api"], "passwordRetries": 3},
            "signEncOAuth2ClientConfig": {"jwkSet": "{\"keys\":[]}", "jwksUri": "https://a/jwks"},
            "advancedOAuth2ClientConfig": {"clientUri": ["https://u:planted@a/"], "keys": [{"kty": "oct", "k": "planted"}]},
        });
        let expected = json!({
            "coreOAuth2ClientConfig": {"scopes": ["api"], "passwordRetries": 3},
            "signEncOAuth2ClientConfig": {"jwksUri": "https://a/jwks"},
            "advancedOAuth2ClientConfig": {"clientUri": ["[hidden]"], "keys": []},
        });
        assert_eq!(shown(Kind::OAuth2Client, client), expected);
        let user = json!({"username": "demo", "userpassword": "$argon2id$", "kbaInfo": ["planted"], "sn": ["x"]});
        assert_eq!(shown(Kind::User, user), json!({"username": "demo", "sn": ["x"]}));
        for kind in [Kind::Keys, Kind::Settings, Kind::SecretStore, Kind::SecretMapping] {
            assert_eq!(shown(kind, json!({"a": "planted"})), json!({}), "{kind:?}");
        }
        let script = shown(Kind::Script, json!({"name": "s", "script": "planted"}));
        assert_eq!(script["name"], "s");
        assert!(script["script"].as_str().is_some_and(|text| text.starts_with("sha256:")), "{script}");
        let node = json!({"hostName": "mail", "password": "planted", "smtpPassphrase": {"a": "planted"}});
        assert_eq!(shown(Kind::Node, node), json!({"hostName": "mail"}));
        let mut deep = json!("planted");
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert!(!shown(Kind::Tree, json!({"a": deep})).to_string().contains("planted"), "too deep to be shown");
        let many: Vec<u32> = (0..10_000).collect();
        assert_eq!(shown(Kind::Tree, json!({"a": many}))["a"].as_array().map(Vec::len), Some(MAX_VALUES - 1));
    }

    #[test]
    fn the_settings_make_exceptions() {
        let allow = ["/activity/after/kbaInfo", "/access/http/request/queryParameters/_queryFilter"]
            .map(|f| allowed(f).expect("a field"));
        let redactor = Redactor::new(allow, vec![denied("/access/http/request/headers").expect("a field")]);
        let user = json!({"kbaInfo": ["x"], "other": "y"});
        assert_eq!(Value::Object(redactor.shown(Kind::User, &user)), json!({"kbaInfo": ["x"]}));
        let query = "_queryFilter=true&code=planted&realm=%2Falpha&_ACTION=x&state=planted";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [pair("_queryFilter", "true"), pair("realm", "/alpha"), pair("_ACTION", "x")];
        assert_eq!(redactor.parameters(query), expected);
        let event = json!({"http": {"request": {"headers": {"host": ["a"]}, "method": "GET"}}});
        let left = redactor.filtered(Topic::Access, event.as_object().cloned().unwrap_or_default());
        assert_eq!(Value::Object(left), json!({"http": {"request": {"method": "GET"}}}));
    }
}
