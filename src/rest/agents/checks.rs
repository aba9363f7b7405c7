//! What values of agents' attributes must look like (oauth2-config.md §11).

use serde_json::Value;

/// Longest URI, bytes.
const MAX_URI_BYTES: usize = 2048;

/// Asymmetric signatures. Symmetric ones are keyed by the client's secret, of which only a verifier is kept.
pub const SIGNATURES: &[&str] =
    &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/// What we sign ID tokens with.
pub const ID_TOKEN_SIGNATURES: &[&str] = &["RS256", "ES256"];

/// Asymmetric key encryption; `RSA1_5` is not offered (oauth2-endpoints.md §25).
pub const KEY_ENCRYPTION: &[&str] =
    &["RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"];

/// Content encryption.
pub const CONTENT_ENCRYPTION: &[&str] =
    &["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"];

/// Grant types that a client or provider can be configured with (oauth2-endpoints.md §6.1).
pub const GRANT_TYPES: &[&str] = &[
    "authorization_code",
    "client_credentials",
    "http://oauth.net/grant_type/device/1.0",
    "implicit",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:uma-ticket",
    "urn:openid:params:grant-type:ciba",
];

/// Words of response types.
const RESPONSE_WORDS: &[&str] = &["code", "token", "id_token", "device_code", "none", "permission"];

/// Schemes that a browser runs instead of visiting.
const RUNNING_SCHEMES: &[&str] = &["about", "blob", "data", "file", "javascript", "vbscript"];

/// An absolute URI without fragment, wildcard, or anything that two parsers could read as two hosts (AZ-02, AZ-04).
pub fn redirect_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let legal = |b: u8| b.is_ascii_graphic() && !b"#*\\<>\"{}|^`".contains(&b);
    let is_scheme = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !RUNNING_SCHEMES.iter().any(|running| running.eq_ignore_ascii_case(scheme));
    let fits = uri.len() <= MAX_URI_BYTES && uri.bytes().all(legal) && is_scheme && !rest.is_empty();
    if !fits || !["http", "https"].iter().any(|web| web.eq_ignore_ascii_case(scheme)) {
        return fits;
    }
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    authority.is_some_and(|authority| !authority.is_empty() && !authority.starts_with(':') && !authority.contains('@'))
}

/// An absolute `https` or `http` URL.
pub fn web_url(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    redirect_uri(url) && ["http", "https"].iter().any(|web| web.eq_ignore_ascii_case(scheme))
}

/// An absolute `https` URL.
pub fn https_url(url: &str) -> bool {
    web_url(url) && url.get(..6).is_some_and(|head| head.eq_ignore_ascii_case("https:"))
}

/// `name`, `name|description`, `name|locale|description`: the name is a scope-token (RFC 6749 §3.3).
pub fn scope(entry: &str) -> bool {
    let name = entry.split('|').next().unwrap_or_default();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// One of [`GRANT_TYPES`].
pub fn grant_type(name: &str) -> bool {
    GRANT_TYPES.contains(&name)
}

/// A combination of response types, each word once.
pub fn response_type(combination: &str) -> bool {
    let words: Vec<&str> = combination.split(' ').collect();
    words
        .iter()
        .enumerate()
        .all(|(n, word)| RESPONSE_WORDS.contains(word) && !words.iter().take(n).any(|earlier| earlier == word))
}

/// A JWK set as text, of public keys only: the replicated log holds no key that opens or signs anything (G5).
pub fn jwk_set(text: &str) -> bool {
    let Ok(Value::Object(set)) = serde_json::from_str(text) else {
        return false;
    };
    let secret = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
    let public = |key: &Value| {
        key.as_object().is_some_and(|key| {
            key.get("kty").is_some_and(Value::is_string) && !secret.iter().any(|member| key.contains_key(*member))
        })
    };
    set.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().all(public))
}

/// A PEM certificate or public key; a private key is refused (G5).
pub fn pem(text: &str) -> bool {
    !text.contains("PRIVATE KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn az_04_a_redirect_uri_names_one_place() {
        for uri in [
            "https://app.example.com/cb",
            "https://app.example.com",
            "http://127.0.0.1:8080/cb?x=y",
            "http://[::1]/cb",
            "com.example.app:/cb",
            "myapp://cb",
            "https://app.example.com:8443/a@b",
        ] {
            assert!(redirect_uri(uri), "{uri}");
        }
        for uri in [
            "",
            "/cb",
            "app.example.com/cb",
            "https:",
            "https:///cb",
            "https:/cb",
            "https://app.example.com/cb#f",
            "https://app.example.com*",
            "https://*.example.com/cb",
            "https://user@evil.example/cb",
            "https://app.example.com\\@evil.example",
            "https://app.example.com/a b",
            "https://app.example.com/\n",
            "https://é.example/",
            "https://:8080/",
            "javascript:alert(1)",
            "DATA:text/html,x",
            "1http://x",
        ] {
            assert!(!redirect_uri(uri), "{uri}");
        }
        assert!(https_url("HTTPS://a.example/") && !https_url("http://a.example/") && !web_url("myapp://cb"));
    }

    #[test]
    fn scopes_and_types_keep_to_their_grammar() {
        assert!(scope("read") && scope("api://x/*|en|Read everything") && scope("hidden|"));
        assert!(!scope("") && !scope("|x") && !scope("a b") && !scope("a\"b") && !scope("é"));
        assert!(response_type("code") && response_type("code id_token token"));
        assert!(
            !response_type("") && !response_type("code code") && !response_type("code  token") && !response_type("x")
        );
        assert!(grant_type("client_credentials") && !grant_type("Client_Credentials") && !grant_type("magic"));
    }

    #[test]
    fn g5_no_private_key_is_stored() {
        assert!(jwk_set(r#"{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y"}]}"#) && jwk_set(r#"{"keys":[]}"#));
        for set in [
            "",
            "[]",
            "{}",
            r#"{"keys":{}}"#,
            r#"{"keys":[{}]}"#,
            r#"{"keys":[{"kty":"EC","d":"x"}]}"#,
            r#"{"keys":[{"kty":"oct","k":"x"}]}"#,
        ] {
            assert!(!jwk_set(set), "{set}");
        }
        assert!(pem("-----BEGIN CERTIFICATE-----") && !pem("-----BEGIN RSA PRIVATE KEY-----"));
    }
}
