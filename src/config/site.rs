//! How the outside addresses us: paths, base URL, proxies and cookies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use actix_web::cookie::SameSite;

use super::reader::Reader;

/// `scheme://host[:port]` that issuers and links start with; the context path follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Without a trailing slash, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "must be http://host[:port] or https://host[:port]";
        // The parser drops tabs and line breaks and repairs backslashes; we want what was written.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(WRONG);
        }
        let url = reqwest::Url::parse(text).map_err(|_| WRONG)?;
        let authority = text.split_once("://").map(|(_, rest)| rest).ok_or(WRONG)?;
        let bare = url.username().is_empty() && url.password().is_none() && !authority.contains('@');
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare {
            return Err(WRONG);
        }
        if text.ends_with('/') {
            return Err("must not end in a slash");
        }
        if authority.contains(['/', '?', '#']) {
            return Err("must have no path: the path is `context_path`");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A network in CIDR notation; a single address is one of full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in it. IPv4 written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix(u128::from(network.to_bits()) << 96, u128::from(address.to_bits()) << 96, self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_prefix(network.to_bits(), address.to_bits(), self.prefix)
            }
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, bits: u8) -> bool {
    bits == 0 || (a ^ b) >> (128 - u32::from(bits)) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be an address or a network like 10.0.0.0/8, not `{text}`");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(wrong)?,
            None => longest,
        };
        Ok(Self { address, prefix })
    }
}

/// When cookies carry `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSecure {
    /// When the request came over https, directly or as a trusted proxy says.
    Auto,
    /// On every cookie.
    Always,
    /// On none.
    Never,
}

/// How the outside addresses us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Starts with a slash, does not end in one.
    pub context_path: String,
    /// Base URL for a new cluster; `None`: the `http` address, see [`super::Config::base_url`].
    pub base_url: Option<BaseUrl>,
    /// Whether realms may take their base URL from what requests are addressed to, as far as that is a name of ours.
    pub base_url_from_request: bool,
    /// Whose `X-Forwarded-*` and `Forwarded` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Session cookie and header.
    pub cookie_name: String,
    /// When cookies carry `Secure`.
    pub cookie_secure: CookieSecure,
    /// What session cookies say about requests from other sites; `None`: nothing.
    pub cookie_same_site: Option<SameSite>,
    /// Hosts that requests may be addressed to, beside that of the base URL and DNS aliases of realms; empty: any.
    pub valid_hosts: Vec<String>,
    /// Whether `X-ForgeRock-TransactionId` of callers is taken.
    pub trust_transaction_ids: bool,
}

impl Site {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let context_path = reader.required("context_path", context_path);
        let base_url = reader.optional("base_url", str::parse::<BaseUrl>);
        let base_url_from_request = reader.switch("base_url_from_request");
        let trusted_proxies = reader.list("trusted_proxies", str::parse::<Network>);
        let cookie_name = reader.required("cookie_name", cookie_name);
        let cookie_secure = reader.required("cookie_secure", |text| match text {
            "auto" => Ok(CookieSecure::Auto),
            "true" => Ok(CookieSecure::Always),
            "false" => Ok(CookieSecure::Never),
            _ => Err("must be auto, true or false"),
        });
        let cookie_same_site = reader.required("cookie_same_site", |text| match text {
            "unset" => Ok(None),
            "none" => Ok(Some(SameSite::None)),
            "lax" => Ok(Some(SameSite::Lax)),
            "strict" => Ok(Some(SameSite::Strict)),
            _ => Err("must be unset, none, lax or strict"),
        });
        if cookie_same_site == Some(Some(SameSite::None)) && cookie_secure == Some(CookieSecure::Never) {
            reader.reject("cookie_same_site", "`none` needs `cookie_secure`: browsers drop such cookies otherwise");
            return None;
        }
        let valid_hosts = reader.list("valid_hosts", host);
        let trust_transaction_ids = reader.switch("trust_transaction_ids");
        Some(Self {
            context_path: context_path?,
            base_url: base_url?,
            base_url_from_request: base_url_from_request?,
            trusted_proxies: trusted_proxies?,
            cookie_name: cookie_name?,
            cookie_secure: cookie_secure?,
            cookie_same_site: cookie_same_site?,
            valid_hosts: valid_hosts?,
            trust_transaction_ids: trust_transaction_ids?,
        })
    }
}

fn context_path(text: &str) -> Result<String, &'static str> {
    const WRONG: &str =
        "must be like /am: a slash and a name of letters, digits, `-`, `_`, `.` or `~`, no slash at the end";
    let segments = text.strip_prefix('/').ok_or(WRONG)?;
    let fine = segments.split('/').all(|segment| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
    });
    if fine { Ok(text.to_owned()) } else { Err(WRONG) }
}

/// Whether `text` can be a context path.
pub fn is_context_path(text: &str) -> bool {
    context_path(text).is_ok()
}

/// A host as requests name it: without a port.
fn host(text: &str) -> Result<String, &'static str> {
    let fine = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if fine && (1..=253).contains(&text.len()) || text.parse::<std::net::Ipv6Addr>().is_ok() {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("must be a host name or an address, without a port")
    }
}

/// Whether `text` is a token (RFC 9110 §5.6.2): what names of headers and cookies (RFC 6265 §4.1.1) and methods are.
pub fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

/// A token, because the name is a cookie's and a header's.
fn cookie_name(text: &str) -> Result<String, &'static str> {
    if is_token(text) && text.len() <= 64 {
        Ok(text.to_owned())
    } else {
        Err("must be a cookie name: up to 64 letters, digits or !#$%&'*+-.^_`|~")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        for text in ["http://localhost:8080", "https://am.example.com", "https://am.example.com:443", "http://[::1]:80"]
        {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "am.example.com",
            "ftp://a",
            "https://",
            "https://a/",
            "https://a/am",
            "https://a?x",
            "https://a#x",
            "https://u@a",
            "https://@a",
            "https://a\\b",
            "https:a",
            "https:///a",
            "http://a b",
            "http://a\n",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn networks() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("2001:db8::/32", "2001:db8:1::", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network:?} {address}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "host"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_have_no_port() {
        assert_eq!(host("AM.example.com").as_deref(), Ok("am.example.com"));
        assert_eq!(host("::1").as_deref(), Ok("::1"));
        for text in ["", "am.example.com:8443", "http://a", "a b", "[::1]"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_and_cookie_names() {
        for (path, fine) in [
            ("/am", true),
            ("/a/b", true),
            ("am", false),
            ("/", false),
            ("/am/", false),
            ("/a//b", false),
            ("/..", false),
            ("/a b", false),
        ] {
            assert_eq!(context_path(path).is_ok(), fine, "{path}");
        }
        for (name, fine) in [
            ("iPlanetDirectoryPro", true),
            ("__Host-sso", true),
            ("", false),
            ("a b", false),
            ("a=b", false),
            ("a;", false),
        ] {
            assert_eq!(cookie_name(name).is_ok(), fine, "{name}");
        }
    }
}
