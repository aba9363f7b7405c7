//! JSON that arrives: bounded, and refused where two readers could see two things.
//!
//! | what                                  | answer |
//! |---------------------------------------|--------|
//! | more than [`MAX_BYTES`]               | 413    |
//! | nested deeper than [`MAX_DEPTH`]      | 400    |
//! | more values than [`MAX_VALUES`]       | 400    |
//! | a member twice in one object          | 400    |
//! | NUL in a string or a name             | 400    |
//! | half a surrogate pair, not UTF-8      | 400    |
//! | a number that no double holds         | 400    |
//! | not JSON, or something after the JSON | 400    |

use super::Error;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// Most bytes of a request body.
pub const MAX_BYTES: usize = 1 << 20;

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// Most values of all kinds in one body: what a megabyte of `[[],[],…` would cost in memory is many times its length.
pub const MAX_VALUES: usize = 1 << 16;

/// A JSON object.
pub type Object = Map<String, Value>;

/// Reads a body, up to [`MAX_BYTES`].
///
/// # Errors
/// 413 beyond that, 400 when the connection breaks.
pub async fn read(mut payload: Payload) -> Result<Bytes, Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Error::plain(400))?;
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(Error::plain(413));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The JSON in `body`; `None` when there is nothing but white space.
///
/// # Errors
/// 400 with the texts of crest.md §4.1.
pub fn parse(body: &[u8]) -> Result<Option<Value>, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let left = Cell::new(MAX_VALUES);
    let value = Strict { depth: 0, left: &left }.deserialize(&mut reader).map_err(|_| {
        Error::bad_request("The request could not be processed because the provided content is not valid JSON")
    })?;
    reader.end().map_err(|_| {
        Error::bad_request("The request could not be processed because there is trailing data after the JSON content")
    })?;
    Ok(Some(value))
}

/// The object in `body`, for operations that need one.
///
/// # Errors
/// 400 with the texts of crest.md §4.1.
pub fn object(body: &[u8]) -> Result<Object, Error> {
    match parse(body)? {
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(not_an_object()),
        None => Err(absent()),
    }
}

/// The error for an operation that needs a body and has none.
pub(super) fn absent() -> Error {
    Error::bad_request("The request could not be processed because it did not contain any JSON content")
}

/// The object in `body`, for operations that can do without: an empty body is an empty object.
///
/// # Errors
/// 400 with the texts of crest.md §4.1.
pub fn optional_object(body: &[u8]) -> Result<Object, Error> {
    match parse(body)? {
        Some(Value::Object(object)) => Ok(object),
        None | Some(Value::Null) => Ok(Object::new()),
        Some(_) => Err(not_an_object()),
    }
}

fn not_an_object() -> Error {
    Error::bad_request("The request could not be processed because the provided content is not a JSON object")
}

/// Builds a [`Value`] and refuses what the module's table refuses.
#[derive(Clone, Copy)]
struct Strict<'l> {
    depth: usize,
    left: &'l Cell<usize>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth < MAX_DEPTH {
            Ok(Self { depth: self.depth + 1, ..self })
        } else {
            Err(E::custom("nested too deeply"))
        }
    }
}

fn text<E: serde::de::Error>(text: &str) -> Result<&str, E> {
    if text.contains('\0') { Err(E::custom("NUL in a string")) } else { Ok(text) }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.left.set(self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        text(value).map(|value| Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            text::<A::Error>(&name)?;
            let value = members.next_value_seed(inside)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(body: &str) -> String {
        object(body.as_bytes()).expect_err(body).message().to_owned()
    }

    /// JW-08, AZ-18: what two parsers could read differently, or one could choke on.
    #[test]
    fn ambiguous_and_bottomless_json_is_refused() {
        let invalid = "The request could not be processed because the provided content is not valid JSON";
        let deep = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        for body in [
            "{",
            "{\"a\":1,\"a\":2}",
            "{\"x\":{\"a\":1,\"b\":2,\"a\":1}}",
            "{\"a\":\"\\u0000\"}",
            "{\"\\u0000\":1}",
            "{a:1}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "{\"a\":01}",
            "{\"a\":-1e400}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\\ud800\"}",
            "{\"\\ud83d\":1}",
            "{\"a\":\"\\x41\"}",
            "{\"a\":\"\n\"}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":1 /* */}",
            "\u{feff}{}",
        ] {
            assert_eq!(told(body), invalid, "{body}");
        }
        assert_eq!(told(&deep(MAX_DEPTH)), invalid);
        assert_eq!(told(&deep(100_000)), invalid);
        assert!(object(deep(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        assert!(object(b"{\"a\":\"\xed\xa0\x80\"}").is_err(), "a surrogate in UTF-8");
        assert_eq!(object(b"{\"a\":\"\\ud83d\\ude00\"}").map(|o| o["a"].clone()), Ok("😀".into()));
    }

    /// Memory is bounded by counting values, whatever the length of the body allows.
    #[test]
    fn a_body_has_no_more_values_than_it_may() {
        let list = |n: usize| format!("{{\"a\":[{}]}}", vec!["[]"; n].join(","));
        assert!(object(list(MAX_VALUES - 2).as_bytes()).is_ok());
        assert!(object(list(MAX_VALUES - 1).as_bytes()).is_err());
        let members: Vec<String> = (0..MAX_VALUES).map(|n| format!("\"{n}\":0")).collect();
        assert!(object(format!("{{{}}}", members.join(",")).as_bytes()).is_err());
        // Long numbers and names are one value each.
        let long = format!("{{\"{}\":0.{}1}}", "n".repeat(100_000), "0".repeat(100_000));
        assert!(object(long.as_bytes()).is_ok());
    }

    #[test]
    fn the_rest_is_told_apart_as_the_reference_does() {
        let because = |text: &str| format!("The request could not be processed because {text}");
        assert_eq!(told(" "), because("it did not contain any JSON content"));
        assert_eq!(told("{} {}"), because("there is trailing data after the JSON content"));
        assert_eq!(told("[1]"), because("the provided content is not a JSON object"));
        assert_eq!(optional_object(b""), Ok(Object::new()));
        assert!(optional_object(b"[]").is_err());
    }

    proptest! {
        /// Whatever is accepted is what a lenient parser reads, too.
        #[test]
        fn strict_agrees_with_lenient(body in r#"[\[\]{}",:0-9a b\\.-]{0,40}"#) {
            if let Ok(Some(value)) = parse(body.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str(&body).ok());
            }
        }
    }
}
