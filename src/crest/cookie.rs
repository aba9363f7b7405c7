//! `_pagedResultsCookie` (crest.md §9): where a page ended, as a place in the order and not as a number, sealed under the
//! cluster's key so that any node can go on from it and nobody else can read or make one.
//!
//! It is bound to the collection, the filter and the sort keys: for another query it does not open. Its length is bounded by
//! the number of sort keys and by what [`Key::short`] keeps of each.

use super::text::code_units;
use crate::{
    desk::Desk,
    views::{Scalar, Values},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{borrow::Cow, cmp::Ordering};

/// Characters of a string that decide about its place where pages are continued by cookies; equal ones follow by id.
const SHORT: usize = 64;

/// Longest cookie that is looked at, bytes.
pub const MAX_COOKIE_BYTES: usize = 16 << 10;

/// What an element is sorted by: missing values first, then by type, then by value. Texts are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key<T = String> {
    /// No value, or one that has no order: an array or an object.
    Missing,
    /// A boolean: false first.
    Bool(bool),
    /// The bits of a double: text would lose some.
    Number(u64),
    /// A string, by its code units.
    Text(T),
}

impl Key {
    /// The key of a value. An attribute with one value sorts by it.
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            Some(Value::Bool(truth)) => Self::Bool(*truth),
            Some(Value::Number(number)) => Self::Number(number.as_f64().unwrap_or_default().to_bits()),
            Some(Value::String(text)) => Self::Text(text.clone()),
            Some(Value::Array(values)) => match values.as_slice() {
                [single @ (Value::Bool(_) | Value::Number(_) | Value::String(_))] => Self::of(Some(single)),
                _ => Self::Missing,
            },
            None | Some(Value::Null | Value::Object(_)) => Self::Missing,
        }
    }

    /// The key of a value, bounded.
    pub fn short(value: Option<&Value>) -> Self {
        match Self::of(value) {
            Self::Text(text) => Self::Text(text.chars().take(SHORT).collect()),
            key => key,
        }
    }
}

impl<'m> Key<Cow<'m, [u8]>> {
    /// The key of the values of a member, as [`Key::of`] says.
    pub fn of_values(values: Option<Values<'m>>) -> Self {
        let Some(mut values) = values else {
            return Self::Missing;
        };
        match (values.next(), values.next()) {
            (Some(Scalar::Bool(truth)), None) => Self::Bool(truth),
            (Some(Scalar::Number(number)), None) => Self::Number(number.to_bits()),
            (Some(Scalar::Ascii(text) | Scalar::Text { whole: text, .. }), None) => Self::Text(Cow::Borrowed(text)),
            _ => Self::Missing,
        }
    }

    /// The same, as [`Key::short`] says.
    pub fn short_of_values(values: Option<Values<'m>>) -> Self {
        match Self::of_values(values) {
            Self::Text(Cow::Borrowed(text)) => Self::Text(Cow::Borrowed(head(text))),
            key => key,
        }
    }

    /// For a cookie.
    pub fn to_owned(&self) -> Key {
        match self {
            Self::Missing => Key::Missing,
            Self::Bool(truth) => Key::Bool(*truth),
            Self::Number(bits) => Key::Number(*bits),
            Self::Text(text) => Key::Text(String::from_utf8_lossy(text).into_owned()),
        }
    }
}

impl<'k> From<Key> for Key<Cow<'k, [u8]>> {
    fn from(key: Key) -> Self {
        match key {
            Key::Missing => Self::Missing,
            Key::Bool(truth) => Self::Bool(truth),
            Key::Number(bits) => Self::Number(bits),
            Key::Text(text) => Self::Text(Cow::Owned(text.into_bytes())),
        }
    }
}

/// The first [`SHORT`] characters of a text.
fn head(text: &[u8]) -> &[u8] {
    let mut starts = text.iter().enumerate().filter(|(_, byte)| !matches!(byte, 0x80..=0xbf)).map(|(at, _)| at);
    let end = if text.len() <= SHORT { None } else { starts.nth(SHORT) };
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

impl<T> Key<T> {
    fn rank(&self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

impl<T: AsRef<[u8]> + Eq> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => code_units(a.as_ref(), b.as_ref()),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => f64::from_bits(*a).total_cmp(&f64::from_bits(*b)),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl<T: AsRef<[u8]> + Eq> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A place in the order of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// By the sort keys.
    pub keys: Vec<Key>,
    /// Among those with the same keys.
    pub id: String,
}

impl Position {
    /// As a cookie of the query `of`; `None` should the cluster's key refuse to work, or the place be too long to tell.
    pub fn seal(&self, desk: &Desk, of: &str) -> Option<String> {
        let text = serde_json::to_vec(self).ok()?;
        let sealed = desk.keys().seal(&label(of), &text).ok()?;
        // The alphabet for URLs: clients put cookies into query strings, some without escaping them.
        let cookie: String = sealed
            .chars()
            .filter(|c| *c != '=')
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => c,
            })
            .collect();
        (cookie.len() <= MAX_COOKIE_BYTES).then_some(cookie)
    }

    /// What [`seal`](Self::seal) sealed for the same query.
    pub fn open(desk: &Desk, of: &str, cookie: &str) -> Option<Self> {
        if cookie.len() > MAX_COOKIE_BYTES || !cookie.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return None;
        }
        let mut sealed = cookie.replace('-', "+").replace('_', "/");
        sealed.push_str(["", "", "==", "="].get(sealed.len() % 4).copied().unwrap_or_default());
        let text = desk.keys().open(&label(of), &sealed).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

fn label(of: &str) -> String {
    format!("paged results cookie\n{of}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::desk;
    use serde_json::json;

    /// Opaque, bound to its query, refused when anything of it is changed.
    #[actix_web::test]
    async fn a_cookie_opens_for_its_query_alone() {
        let (desk, _) = desk().await;
        let position = Position {
            keys: vec![Key::Text("secret surname".into()), Key::Number(7), Key::Missing],
            id: "é/ü".into(),
        };
        let cookie = position.seal(&desk, "/\nusers\n+/sn").expect("seals");
        assert!(cookie.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{cookie}");
        assert_eq!(Position::open(&desk, "/\nusers\n+/sn", &cookie), Some(position.clone()));
        for other in ["/alpha\nusers\n+/sn", "/\ngroups\n+/sn", "/\nusers\n-/sn"] {
            assert_eq!(Position::open(&desk, other, &cookie), None, "{other}");
        }
        for at in 0..cookie.len() {
            let mut changed = cookie.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            let opened = Position::open(&desk, "/\nusers\n+/sn", &changed);
            // The last character may carry bits that mean nothing.
            assert!(opened.is_none() || at + 1 == cookie.len() && opened.as_ref() == Some(&position), "{at}");
        }
        for nonsense in ["", "x", "AAAA", "NDI6YSxi", "=", "é", &"A".repeat(MAX_COOKIE_BYTES + 1)] {
            assert_eq!(Position::open(&desk, "/\nusers\n+/sn", nonsense), None, "{nonsense}");
        }
    }

    /// However long what is sorted by, the cookie is short.
    #[actix_web::test]
    async fn a_cookie_is_bounded() {
        let (desk, _) = desk().await;
        let value = json!("\u{1}\"ü😀".repeat(10_000));
        let keys = vec![Key::short(Some(&value)); super::super::query::MAX_SORT_KEYS];
        let position = Position { keys, id: "x".repeat(1000) };
        let cookie = position.seal(&desk, "q").expect("fits");
        assert!(cookie.len() <= MAX_COOKIE_BYTES);
        assert_eq!(Position::open(&desk, "q", &cookie), Some(position));
        let longer = Position { keys: Vec::new(), id: "x".repeat(MAX_COOKIE_BYTES) };
        assert_eq!(longer.seal(&desk, "q"), None);
    }

    #[test]
    fn keys_are_ordered_by_type_and_value() {
        let keys = [json!(null), json!(false), json!(true), json!(-2), json!(1.5), json!(7), json!("B"), json!("a")];
        let keys: Vec<Key> = keys.iter().map(|value| Key::of(Some(value))).collect();
        assert!(keys.is_sorted());
        assert_eq!((Key::of(None), Key::of(Some(&json!({})))), (Key::Missing, Key::Missing));
        assert_eq!(Key::of(Some(&json!(["a"]))), Key::of(Some(&json!("a"))));
        assert_eq!(Key::of(Some(&json!(["a", "b"]))), Key::Missing);
    }
}
