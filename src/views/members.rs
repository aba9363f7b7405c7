//! The members of a document in one piece of memory, for whoever compares those of many documents: a parsed document is a tree
//! whose nodes lie anywhere, and looking at one member of 100 000 such trees takes longer than comparing it.
//!
//! What a filter or a sort key can tell apart is kept, and nothing else: booleans, numbers as doubles, texts as they are and
//! in lower case; that there is something else, but not what.
//!
//! ```text
//! document = member*
//! member   = length name length value*        ; length of all values
//! value    = 0                                ; null, an object, an array within an array
//!          | 1 | 2                            ; false, true
//!          | 3 double                         ; little endian
//!          | 4 length text                    ; ASCII
//!          | 5 length text length text        ; as it is, in lower case
//! length   = 7 bits in a byte, lowest first, the eighth set in all but the last
//! ```

use serde_json::Value;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub struct Members(Arc<[u8]>);

/// The values of one member: one for what is no array.
#[derive(Clone, Copy, Debug)]
pub struct Values<'m>(&'m [u8]);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'m> {
    /// Nothing that is compared.
    Other,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text of ASCII alone; its lower case costs nothing.
    Ascii(&'m [u8]),
    /// Any other text, as UTF-8.
    Text {
        /// As it is.
        whole: &'m [u8],
        /// In lower case.
        folded: &'m [u8],
    },
}

impl Members {
    /// Of a document; what is no object has none.
    pub fn of(document: &Value) -> Self {
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        for (name, value) in document.as_object().into_iter().flatten() {
            values.clear();
            match value {
                Value::Array(array) => array.iter().for_each(|value| push(&mut values, value)),
                one => push(&mut values, one),
            }
            push_bytes(&mut bytes, name.as_bytes());
            push_bytes(&mut bytes, &values);
        }
        Self(bytes.into())
    }

    /// The member of that name, or else the first that is spelled so but for ASCII case.
    pub fn get(&self, name: &str) -> Option<Values<'_>> {
        let name = name.as_bytes();
        let mut rest = &*self.0;
        let mut alike = None;
        while let Some(known) = take_bytes(&mut rest) {
            let values = Values(take_bytes(&mut rest)?);
            if known == name {
                return Some(values);
            }
            if alike.is_none() && known.eq_ignore_ascii_case(name) {
                alike = Some(values);
            }
        }
        alike
    }
}

impl<'m> Iterator for Values<'m> {
    type Item = Scalar<'m>;

    fn next(&mut self) -> Option<Scalar<'m>> {
        let (kind, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match kind {
            1 => Scalar::Bool(false),
            2 => Scalar::Bool(true),
            3 => {
                let (double, rest) = self.0.split_first_chunk()?;
                self.0 = rest;
                Scalar::Number(f64::from_le_bytes(*double))
            }
            4 => Scalar::Ascii(take_bytes(&mut self.0)?),
            5 => Scalar::Text { whole: take_bytes(&mut self.0)?, folded: take_bytes(&mut self.0)? },
            _ => Scalar::Other,
        })
    }
}

fn push(to: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => to.push(0),
        Value::Bool(truth) => to.push(1 + u8::from(*truth)),
        Value::Number(number) => {
            to.push(3);
            to.extend(number.as_f64().unwrap_or_default().to_le_bytes());
        }
        Value::String(text) if text.is_ascii() => {
            to.push(4);
            push_bytes(to, text.as_bytes());
        }
        Value::String(text) => {
            to.push(5);
            push_bytes(to, text.as_bytes());
            push_bytes(to, text.to_lowercase().as_bytes());
        }
    }
}

fn push_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length > 0x7f {
        to.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
    to.extend_from_slice(bytes);
}

fn take_bytes<'b>(from: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (first, mut rest) = from.split_first()?;
    let mut length = usize::from(first & 0x7f);
    let (mut byte, mut shift) = (*first, 7);
    while byte > 0x7f {
        let (next, after) = rest.split_first()?;
        length |= usize::from(next & 0x7f).checked_shl(shift)?;
        (byte, shift, rest) = (*next, shift + 7, after);
    }
    let (bytes, rest) = rest.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn values(document: &Value, name: &str) -> Option<Vec<String>> {
        Members::of(document).get(name).map(|values| values.map(|value| format!("{value:?}")).collect())
    }

    fn shown(values: &[Scalar<'_>]) -> Option<Vec<String>> {
        Some(values.iter().map(|value| format!("{value:?}")).collect())
    }

    #[test]
    fn what_can_be_told_apart_is_kept() {
        let text = "É";
        let document = json!({
            "a": true, "b": [false, 1.5, -3, "x", text, null, {"a": 1}, ["x"]], "c": [], "d": null, "": "empty", "A": "B",
        });
        assert_eq!(values(&document, "a"), shown(&[Scalar::Bool(true)]));
        assert_eq!(values(&document, "A"), shown(&[Scalar::Ascii(b"B")]), "the very name first");
        assert_eq!(values(&document, "C"), shown(&[]));
        assert_eq!(values(&document, "d"), shown(&[Scalar::Other]));
        assert_eq!(values(&document, ""), shown(&[Scalar::Ascii(b"empty")]));
        let b = [
            Scalar::Bool(false),
            Scalar::Number(1.5),
            Scalar::Number(-3.0),
            Scalar::Ascii(b"x"),
            Scalar::Text { whole: text.as_bytes(), folded: "é".as_bytes() },
            Scalar::Other,
            Scalar::Other,
            Scalar::Other,
        ];
        assert_eq!(values(&document, "B"), shown(&b));
        assert_eq!(values(&document, "e"), None);
        assert_eq!(values(&json!({"é": 1}), "É"), None, "names ignore the case of ASCII");
        assert_eq!(values(&json!(["a"]), "a"), None);
    }

    proptest! {
        /// Whatever is in it and however long, everything is found again.
        #[test]
        fn nothing_is_lost(texts in prop::collection::btree_map(".{0,8}", prop::collection::vec(".{0,200}", 0..4), 0..12)) {
            let document = serde_json::to_value(&texts).expect("texts");
            for (name, expected) in &texts {
                let members = Members::of(&document);
                let found = members.get(name).expect("is there").map(|value| match value {
                    Scalar::Ascii(text) => (text.to_vec(), text.to_ascii_lowercase()),
                    Scalar::Text { whole, folded } => (whole.to_vec(), folded.to_vec()),
                    other => panic!("{other:?}"),
                });
                let expected = expected.iter().map(|text| (text.clone().into_bytes(), text.to_lowercase().into_bytes()));
                prop_assert!(found.eq(expected));
            }
        }

        /// No bytes make a reader fall over.
        #[test]
        fn broken_bytes_end_it(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let members = Members(bytes.into());
            if let Some(values) = members.get("a") {
                prop_assert!(values.count() <= 40);
            }
            prop_assert!(Values(&members.0).count() <= 40);
        }
    }
}
