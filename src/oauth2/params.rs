//! Request parameters, each name once.
//!
//! | source                | it says                                        | we do it in       |
//! |-----------------------|------------------------------------------------|-------------------|
//! | RFC 6749 appendix B   | `application/x-www-form-urlencoded`, UTF-8       | [`decode`]        |
//! | RFC 6749 §3.1, §3.2   | a parameter without a value counts as absent   | [`Params::get`]   |
//! | RFC 6749 §3.1, §3.2   | a parameter appears at most once               | [`Params::parse`] |
//! | oauth2-endpoints §2.2 | limits                                         | [`Params::parse`] |
//!
//! One pass over the bytes; what needs no decoding is not copied.

use super::error::{Code, Error, Result};
use std::borrow::Cow;

/// Longest body, bytes.
pub const MAX_FORM_BYTES: usize = 1 << 20;
/// Longest parameter, bytes, as sent.
const MAX_PARAMETER_BYTES: usize = 64 << 10;
/// Most parameters.
const MAX_PARAMETERS: usize = 200;
/// Longest name that an error repeats, bytes.
const MAX_ECHO_BYTES: usize = 100;

/// Names and values in the order they were sent.
#[derive(Debug, Default)]
pub struct Params<'r>(Vec<(Cow<'r, str>, Cow<'r, str>)>);

impl<'r> Params<'r> {
    /// Takes `sources` (a query string, a body) apart as if they were one.
    ///
    /// # Errors
    /// `invalid_request`: a name twice, bad encoding, or more than the limits allow.
    pub fn parse(sources: &[&'r [u8]]) -> Result<Self> {
        let mut params: Vec<(Cow<'r, str>, Cow<'r, str>)> = Vec::with_capacity(8);
        let pairs = sources.iter().flat_map(|source| source.split(|byte| *byte == b'&'));
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            if params.len() >= MAX_PARAMETERS || pair.len() > MAX_PARAMETER_BYTES {
                return Err(Error::of(Code::InvalidRequest));
            }
            let cut = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = match cut.and_then(|cut| pair.split_at_checked(cut)) {
                Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
                None => (pair, &[] as &[u8]),
            };
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(Error::of(Code::InvalidRequest));
            };
            if params.iter().any(|(known, _)| *known == name) {
                return Err(duplicate(&name));
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    /// The value of `name`, unless it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// Everything that was sent, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

fn duplicate(name: &str) -> Error {
    if name.len() > MAX_ECHO_BYTES {
        return Error::of(Code::InvalidRequest);
    }
    Error::invalid_request(format!("Invalid Request, duplicate request parameter found : {name}"))
}

/// Decodes one name or value: `+` is a space, `%xx` a byte, and the whole is UTF-8. `None` for anything else.
pub fn decode(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_apart() {
        let params = Params::parse(&[b"a=1&b=x+y%26z&empty=&flag&&c=%C3%A9=="]).expect("parses");
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), Some("x y&z"));
        assert_eq!(params.get("c"), Some("é=="));
        for absent in ["empty", "flag", "none"] {
            assert_eq!(params.get(absent), None);
        }
    }

    #[test]
    fn az_07_a_name_appears_once_wherever() {
        let says = |sources: &[&[u8]]| Params::parse(sources).expect_err("twice").says().to_owned();
        let text = "Invalid Request, duplicate request parameter found : scope";
        assert_eq!(says(&[b"scope=a&x=1&scope=b"]), text);
        assert_eq!(says(&[b"scope=a", b"scope=a"]), text);
        assert_eq!(says(&[b"scope=&s%63ope="]), text);
        let long = "n".repeat(5000);
        let twice = format!("{long}&{long}");
        assert!(!says(&[twice.as_bytes()]).contains("nnn"));
    }

    #[test]
    fn az_18_what_is_broken_or_too_big_is_refused() {
        let many = (0..=MAX_PARAMETERS).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        let long = format!("p={}", "x".repeat(MAX_PARAMETER_BYTES));
        let broken: [&[u8]; 6] = [b"a=%", b"a=%4", b"a=%zz", b"a=%ff", b"\xff=a", b"a=%+1"];
        for body in broken.into_iter().chain([many.as_bytes(), long.as_bytes()]) {
            assert_eq!(Params::parse(&[body]).expect_err("broken"), Error::of(Code::InvalidRequest));
        }
    }
}
