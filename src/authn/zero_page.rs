//! Zero page login: user name and password in request headers (a.9).

use actix_web::http::header::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// The names of the headers.
pub const USERNAME: &str = "X-OpenAM-Username";
/// See [`USERNAME`].
pub const PASSWORD: &str = "X-OpenAM-Password";

/// Credentials as sent.
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Zeroizing<String>,
}

/// What the headers hold.
pub enum Headers {
    /// Not both of them are there.
    Absent,
    /// One of them is repeated or cannot be text.
    Unusable,
    /// Both, once each.
    Present(Credentials),
}

/// Reads the headers of these names; each must be there exactly once.
pub fn read(headers: &HeaderMap, username: &str, password: &str) -> Headers {
    let mut values = [username, password].map(|name| headers.get_all(name).collect::<Vec<_>>()).into_iter();
    match (values.next().as_deref(), values.next().as_deref()) {
        (Some([username]), Some([password])) => match (decode(username.as_bytes()), decode(password.as_bytes())) {
            (Some(username), Some(password)) => {
                Headers::Present(Credentials { username, password: Zeroizing::new(password) })
            }
            _ => Headers::Unusable,
        },
        (Some([]), _) | (_, Some([])) => Headers::Absent,
        _ => Headers::Unusable,
    }
}

/// A header value as text: RFC 2047 encoded words decoded, UTF-8 taken as it is, anything else read as ISO-8859-1.
fn decode(value: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
    };
    match encoded_word(&text) {
        Some(decoded) => decoded,
        None => Some(text),
    }
}

/// `=?charset?B|Q?text?=` (RFC 2047 §2), of ASCII characters only: others have been read as some character set already, and
/// would be read twice. The outer `None`: it is none; the inner: it is a broken one.
fn encoded_word(text: &str) -> Option<Option<String>> {
    let inner = text.strip_prefix("=?")?.strip_suffix("?=").filter(|inner| inner.is_ascii())?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, body) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(body).ok(),
        "Q" | "q" => quoted(body),
        _ => return None,
    };
    let latin = charset.eq_ignore_ascii_case("ISO-8859-1");
    Some(bytes.and_then(|bytes| match (latin, charset.eq_ignore_ascii_case("UTF-8")) {
        (true, _) => Some(bytes.into_iter().map(char::from).collect()),
        (_, true) => String::from_utf8(bytes).ok(),
        _ => None,
    }))
}

/// RFC 2047 §4.2.
fn quoted(body: &str) -> Option<Vec<u8>> {
    let mut bytes = body.bytes();
    let mut out = Vec::with_capacity(body.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            plain => plain,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn read_all(pairs: &[(&str, &[u8])]) -> Headers {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            headers.append(name, HeaderValue::from_bytes(value).expect("a header value"));
        }
        read(&headers, USERNAME, PASSWORD)
    }

    #[test]
    fn values_are_decoded_as_the_reference_says() {
        for (sent, meant) in [
            (&b"demo"[..], "demo"),
            (b"=?UTF-8?B?Wm/Dqw==?=", "Zo\u{eb}"),
            (b"=?utf-8?q?a=20b_c?=", "a b c"),
            (b"=?ISO-8859-1?Q?Zo=EB?=", "Zo\u{eb}"),
            (b"Zo\xeb", "Zo\u{eb}"),
            ("Zo\u{eb}".as_bytes(), "Zo\u{eb}"),
            (b"=?what", "=?what"),
            // Found by fuzzing: what is no encoded word was decoded twice.
            (b"=?ISO-8859-1?Q?\xb4?=", "=?ISO-8859-1?Q?\u{b4}?="),
        ] {
            match read_all(&[(USERNAME, sent), (PASSWORD, b"p")]) {
                Headers::Present(credentials) => assert_eq!(credentials.username, meant),
                _ => panic!("{meant} was not read"),
            }
        }
    }

    #[test]
    fn anything_but_one_of_each_is_no_login() {
        assert!(matches!(read_all(&[(USERNAME, b"a")]), Headers::Absent));
        assert!(matches!(read_all(&[]), Headers::Absent));
        assert!(matches!(read_all(&[(USERNAME, b"a"), (USERNAME, b"b"), (PASSWORD, b"p")]), Headers::Unusable));
        assert!(matches!(read_all(&[(USERNAME, b"=?UTF-8?B?!?="), (PASSWORD, b"p")]), Headers::Unusable));
    }
}
