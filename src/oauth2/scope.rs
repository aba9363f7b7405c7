//! From the scope that was asked for to the scope that may be granted.
//!
//! | source                | it says                                                     | we do it in   |
//! |-----------------------|-------------------------------------------------------------|---------------|
//! | RFC 6749 §3.3, A.4    | `scope-token *( SP scope-token )`                             | [`parse`]     |
//! | RFC 6749 §3.3         | fully or partially ignored, or refused: we refuse           | [`resolve`]   |
//! | oauth2-endpoints §24  | defaults, allowed set, texts                                | [`resolve`]   |
//! | issue 2, item 6       | audience scopes are decided by policy at issuance           | [`resolve`], [`audience`](super::audience) |

use super::{
    client::Client,
    error::{Code, Error, Result},
    provider::{Plugin, Settings},
};
use crate::policy::audience;
use std::sync::Arc;

/// Most values in one request.
const MAX_SCOPES: usize = 256;
/// Longest scope parameter, bytes: it is stored with every code.
const MAX_SCOPE_BYTES: usize = 8 << 10;
/// Longest list that an error repeats, bytes: errors travel in redirects too.
const MAX_ECHO_BYTES: usize = 1 << 10;

/// The values in `text`, in order, each once. RFC 6749 A.4; the grammar is a security boundary, because values end up in
/// resource names and documents.
///
/// # Errors
/// `invalid_scope`, without repeating what broke the grammar.
pub fn parse(text: &str) -> Result<Vec<&str>> {
    let mut values: Vec<&str> = Vec::new();
    if text.len() > MAX_SCOPE_BYTES {
        return Err(Error::of(Code::InvalidScope));
    }
    for value in text.split(' ') {
        let is_token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if value.is_empty() || !value.bytes().all(is_token) || values.len() >= MAX_SCOPES {
            return Err(Error::of(Code::InvalidScope));
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(values)
}

/// What a request for `requested` may be granted, before policy decides about audience scopes.
///
/// # Errors
/// `invalid_scope`, and `server_error` when the client is configured with a validator that is not served.
pub fn resolve(requested: Option<&str>, client: &Client, settings: &Settings) -> Result<Vec<Arc<str>>> {
    // An audience scope needs both halves: without the decision at issuance, accepting it would grant it.
    let by_policy = match settings.validate_scope {
        Plugin::BuiltIn => false,
        Plugin::Policy => settings.modify_access == Plugin::Policy,
        Plugin::Unsupported => return Err(Error::new(Code::ServerError, "Error while running validate scope script")),
    };
    let Some(requested) = requested else {
        if client.default_scopes.is_empty() {
            return Err(Error::new(Code::InvalidScope, "No scope requested and no default scope configured"));
        }
        return Ok(client.default_scopes.clone());
    };
    let mut granted = Vec::new();
    let mut unknown = Vec::new();
    for value in parse(requested)? {
        match client.scope(value) {
            Some(scope) => granted.push(scope.clone()),
            None if by_policy && audience::parse(value).is_some() => granted.push(value.into()),
            None => unknown.push(value),
        }
    }
    if unknown.is_empty() { Ok(granted) } else { Err(refused(&unknown)) }
}

fn refused(unknown: &[&str]) -> Error {
    let list = unknown.join(", ");
    if list.len() > MAX_ECHO_BYTES {
        return Error::of(Code::InvalidScope);
    }
    Error::new(Code::InvalidScope, format!("Unknown/invalid scope(s): [{list}]"))
}

/// The values as one parameter (RFC 6749 §3.3); `None` for none.
pub fn joined(scope: &[Arc<str>]) -> Option<String> {
    let (first, rest) = scope.split_first()?;
    let mut text = String::with_capacity(scope.iter().map(|value| value.len() + 1).sum());
    text.push_str(first);
    for value in rest {
        text.push(' ');
        text.push_str(value);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{super::provider::Provider, *};
    use serde_json::{Value, json};

    fn resolved(requested: Option<&str>, overrides: Value) -> std::result::Result<String, String> {
        let client = Client::compile(&json!({
            "coreOAuth2ClientConfig": { "scopes": ["read|en|Read", "write"], "defaultScopes": ["basic"] },
            "overrideOAuth2ClientConfig": overrides,
        }));
        let settings = Provider::compile(&Value::Null).settings(&client);
        match resolve(requested, &client, &settings) {
            Ok(scope) => Ok(joined(&scope).unwrap_or_default()),
            Err(error) => Err(format!("{}: {}", error.code().name(), error.says())),
        }
    }

    #[test]
    fn co_11_nothing_beyond_the_profile_is_granted() {
        for (requested, expected) in [
            (None, Ok("basic")),
            (Some("read"), Ok("read")),
            (Some("write read write basic"), Ok("write read basic")),
            (Some("read x y"), Err("invalid_scope: Unknown/invalid scope(s): [x, y]")),
            (Some("api://svc/read"), Err("invalid_scope: Unknown/invalid scope(s): [api://svc/read]")),
            (
                Some("am-introspect-all-tokens"),
                Err("invalid_scope: Unknown/invalid scope(s): [am-introspect-all-tokens]"),
            ),
            (Some("rea\"d"), Err("invalid_scope: Unknown/invalid scope(s)")),
            (Some("rea\\d"), Err("invalid_scope: Unknown/invalid scope(s)")),
            (Some("réad"), Err("invalid_scope: Unknown/invalid scope(s)")),
            (Some("read  write"), Err("invalid_scope: Unknown/invalid scope(s)")),
            (Some(" "), Err("invalid_scope: Unknown/invalid scope(s)")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(resolved(requested, json!({})), expected, "{requested:?}");
        }
    }

    #[test]
    fn audience_scopes_need_validator_and_modifier() {
        let both = json!({ "providerOverridesEnabled": true,
            "validateScopePluginType": "POLICY", "accessTokenModificationPluginType": "POLICY" });
        assert_eq!(resolved(Some("api://svc/read read"), both.clone()), Ok("api://svc/read read".into()));
        for not_one in ["api:///read", "api://svc/", "api://svc", "apis://svc/read"] {
            assert!(resolved(Some(not_one), both.clone()).is_err(), "{not_one}");
        }
        for half in [
            json!({ "providerOverridesEnabled": true, "validateScopePluginType": "POLICY" }),
            json!({ "validateScopePluginType": "POLICY", "accessTokenModificationPluginType": "POLICY" }),
        ] {
            assert!(resolved(Some("api://svc/read"), half).is_err());
        }
        let scripted = json!({ "providerOverridesEnabled": true, "validateScopePluginType": "SCRIPTED",
            "validateScopeScript": "11111111-cf70-473b-bd28-26931edc476b" });
        assert_eq!(
            resolved(Some("read"), scripted),
            Err("server_error: Error while running validate scope script".into())
        );
    }

    #[test]
    fn az_18_scope_is_bounded() {
        let many = (0..300).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert_eq!(resolved(Some(&many), json!({})), Err("invalid_scope: Unknown/invalid scope(s)".into()));
        assert_eq!(resolved(Some(&"x".repeat(9000)), json!({})), Err("invalid_scope: Unknown/invalid scope(s)".into()));
        assert_eq!(resolved(Some(&"x".repeat(2000)), json!({})), Err("invalid_scope: Unknown/invalid scope(s)".into()));
    }
}
