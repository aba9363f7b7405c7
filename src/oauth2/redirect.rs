//! Redirection URIs: which are a client's own, and answers sent there.
//!
//! | source                  | it says                                             | we do it in          |
//! |-------------------------|-----------------------------------------------------|----------------------|
//! | RFC 6749 §3.1.2.3       | registered; may be left out when there is one       | [`choose`]           |
//! | RFC 9700 §2.1           | byte-equal                                          | [`is_registered`]    |
//! | RFC 8252 §7.3           | any port of a loopback address, where the client says so | `same_but_port` |
//! | RFC 6749 §3.1.2         | absolute, no fragment                               | [`choose`]           |
//! | RFC 9700 §2.6, abuse AZ-05 | nothing that a browser would run or read           | `is_safe`          |
//! | RFC 6749 §4.1.2         | parameters are added to the query                   | [`Target::location`] |
//! | RFC 9207 §2             | `iss` in every answer, errors too                   | [`Target::location`] |

use super::{
    answer::push_query,
    client::Client,
    error::{Code, Error, Result},
};

/// Where an answer goes. Holding one proves that the client registered it: nothing is ever sent anywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URI.
    pub uri: String,
    /// Whether the request named it.
    pub sent: bool,
}

/// Where the answer to a request that names `sent` goes (oauth2-endpoints §4.3).
///
/// # Errors
/// For a page, never for a redirect.
pub fn choose(client: &Client, sent: Option<&str>) -> Result<Target> {
    let Some(sent) = sent else {
        return match client.redirect_uris.as_slice() {
            [only] if is_safe(only) => Ok(Target { uri: only.to_string(), sent: false }),
            _ => Err(Error::invalid_request("Missing parameter: redirect_uri")),
        };
    };
    if !sent.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid_request("Invalid parameter: redirect_uri"));
    }
    if is_registered(client, sent) {
        Ok(Target { uri: sent.to_owned(), sent: true })
    } else {
        Err(Error::of(Code::RedirectUriMismatch))
    }
}

/// Whether `uri` is one of the client's.
pub fn is_registered(client: &Client, uri: &str) -> bool {
    let matches = |registered: &str| registered == uri || (client.any_loopback_port && same_but_port(registered, uri));
    is_safe(uri) && client.redirect_uris.iter().any(|registered| matches(registered))
}

/// The scheme of an absolute URI (RFC 3986 §3.1).
fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let mut bytes = scheme.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    (starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))).then_some(scheme)
}

/// Absolute, without a fragment, and of a scheme that names a server or (with a dot in it, RFC 8252 §7.1) an app. Whatever
/// was registered, a `javascript:` or `data:` URI is not redirected to.
fn is_safe(uri: &str) -> bool {
    let is_known = |scheme: &str| {
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") || scheme.contains('.')
    };
    uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains('#') && scheme(uri).is_some_and(is_known)
}

/// Whether both are URIs of the same loopback address that differ in the port at most.
fn same_but_port(registered: &str, sent: &str) -> bool {
    match (loopback(registered), loopback(sent)) {
        (Some(registered), Some(sent)) => registered == sent,
        _ => false,
    }
}

/// Host and rest of an `http` URI of this machine, without the port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let after = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| after.starts_with(host))?;
    let rest = after.get(host.len()..)?;
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = port.split_at_checked(digits)?;
            number.parse::<u16>().ok()?;
            rest
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// Where parameters go (oauth2-endpoints §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// `query`
    Query,
    /// `fragment`
    Fragment,
}

impl Target {
    /// The URI with `parameters` added, in their order; those without a value are left out.
    pub fn location(&self, mode: ResponseMode, parameters: &[(&str, Option<&str>)]) -> String {
        let mut location = self.uri.clone();
        let mut separator = match mode {
            ResponseMode::Fragment => '#',
            ResponseMode::Query if location.contains('?') => '&',
            ResponseMode::Query => '?',
        };
        for (name, value) in parameters {
            if let Some(value) = value {
                push_query(&mut location, separator, name, value);
                separator = '&';
            }
        }
        location
    }

    /// Scheme and authority, for a Content-Security-Policy; the scheme alone where the rest could break out of one.
    pub fn origin(&self) -> String {
        let scheme = scheme(&self.uri).unwrap_or("https");
        let rest = self.uri.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")).unwrap_or_default();
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte);
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        if is_web && !authority.is_empty() && authority.bytes().all(is_plain) {
            format!("{scheme}://{authority}")
        } else {
            format!("{scheme}:")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn client(uris: &[&str], loopback: bool) -> Client {
        Client::compile(&json!({ "coreOAuth2ClientConfig": {
            "redirectionUris": uris, "loopbackInterfaceRedirection": loopback } }))
    }

    #[test]
    fn az_01_az_02_byte_equal_or_nothing() {
        let uri = "https://rp.example.com/cb?x=1";
        let one = client(&[uri], true);
        assert_eq!(choose(&one, Some(uri)), Ok(Target { uri: uri.into(), sent: true }));
        let mut mutants: Vec<String> = Vec::new();
        for cut in 0..uri.len() {
            mutants.push(format!("{}{}", &uri[..cut], &uri[cut + 1..]));
            for inserted in ["/", ".", "@", "\\", "%2e", ":8443", "x", "*", "#", "?"] {
                mutants.push(format!("{}{inserted}{}", &uri[..cut], &uri[cut..]));
            }
        }
        let others =
            ["https://rp.example.com/CB?x=1", "HTTPS://rp.example.com/cb?x=1", "https://RP.example.com/cb?x=1"];
        mutants.extend(others.map(str::to_owned));
        mutants.extend(
            ["https://rp.example.com/cb?x=1/", "https://u@rp.example.com/cb?x=1", "//rp.example.com/cb?x=1"]
                .map(str::to_owned),
        );
        for mutant in mutants {
            let error = choose(&one, Some(&mutant)).expect_err(&mutant);
            assert_eq!(error.code(), Code::RedirectUriMismatch, "{mutant}");
        }
        for broken in
            ["https://rp.example.com/cb\r\nX: y", "https://rp.example.com/c b", "https://rp.exämple.com/", "\0"]
        {
            assert_eq!(choose(&one, Some(broken)), Err(Error::invalid_request("Invalid parameter: redirect_uri")));
        }
    }

    #[test]
    fn az_03_only_the_port_of_a_loopback_address_may_differ() {
        let native = client(&["http://127.0.0.1/cb", "http://[::1]:1/cb"], true);
        for (uri, fits) in [
            ("http://127.0.0.1:5001/cb", true),
            ("http://[::1]:80/cb", true),
            ("http://[::1]/cb", true),
            ("http://127.0.0.1:99999/cb", false),
            ("http://127.0.0.1:/cb", false),
            ("http://127.0.0.1:5001/cb/", false),
            ("http://127.0.0.1:5001/cb?x", false),
            ("http://localhost:5001/cb", false),
            ("https://127.0.0.1:5001/cb", false),
            ("http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1:80@evil.example/cb", false),
        ] {
            assert_eq!(is_registered(&native, uri), fits, "{uri}");
        }
        assert!(!is_registered(&client(&["http://127.0.0.1/cb"], false), "http://127.0.0.1:5001/cb"));
        assert!(is_registered(&client(&["http://localhost/cb"], true), "http://localhost:7/cb"));
    }

    #[test]
    fn az_05_nothing_that_runs_is_redirected_to_even_if_registered() {
        for uri in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "myapp:cb",
        ] {
            assert!(!is_registered(&client(&[uri], true), uri), "{uri}");
            assert!(choose(&client(&[uri], true), None).is_err(), "{uri}");
        }
        assert!(is_registered(&client(&["com.example.app:/cb"], false), "com.example.app:/cb"));
    }

    #[test]
    fn leaving_it_out_needs_exactly_one() {
        assert_eq!(
            choose(&client(&["https://a/b"], false), None),
            Ok(Target { uri: "https://a/b".into(), sent: false })
        );
        for uris in [&[][..], &["https://a/b", "https://a/c"]] {
            assert_eq!(
                choose(&client(uris, false), None),
                Err(Error::invalid_request("Missing parameter: redirect_uri"))
            );
        }
    }

    #[test]
    fn parameters_join_the_query_that_is_there() {
        let target = |uri: &str| Target { uri: uri.into(), sent: true };
        let parameters = [("code", Some("x&y")), ("state", None), ("iss", Some("https://a"))];
        let location = |uri| target(uri).location(ResponseMode::Query, &parameters);
        assert_eq!(location("https://a/b"), "https://a/b?code=x%26y&iss=https%3A%2F%2Fa");
        assert_eq!(location("https://a/b?c=d"), "https://a/b?c=d&code=x%26y&iss=https%3A%2F%2Fa");
        assert_eq!(target("https://a/b?c").location(ResponseMode::Fragment, &[("x", Some(""))]), "https://a/b?c#x=");
        assert_eq!(target("https://a:1/b").origin(), "https://a:1");
        assert_eq!(target("https://a;script-src/b").origin(), "https:");
        assert_eq!(target("com.example:/b").origin(), "com.example:");
    }
}
