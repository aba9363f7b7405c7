//! One resource as it travels: id, revision, content; the part of it that `_fields` asks for, and the one field that
//! `_mimeType` asks for as it is (crest.md §5.7, §6).

use super::{
    Error, Object, Params, Protocol,
    pointer::{Names, Pointer},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::Seq;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// A resource, ready to be shown: nothing secret is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// `_id`
    pub id: String,
    /// `_rev`; absent for what has none.
    pub revision: Option<String>,
    /// The rest.
    pub content: Object,
}

impl Item {
    /// A resource at the revision of its document.
    pub fn new(id: impl Into<String>, revision: Option<Seq>, content: Object) -> Self {
        Self { id: id.into(), revision: revision.map(|seq| seq.0.to_string()), content }
    }

    /// What filters and sort keys look at: the content with `_id` and `_rev`.
    pub fn whole(&self) -> Value {
        let mut whole = self.content.clone();
        whole.insert("_id".into(), self.id.clone().into());
        if let Some(revision) = &self.revision {
            whole.insert("_rev".into(), revision.clone().into());
        }
        Value::Object(whole)
    }
}

/// `_fields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Everything.
    All,
    /// Only these, flat, under the last element of each pointer.
    Some(Vec<Pointer>),
}

impl Fields {
    /// Parses the parameter; absent, empty, `/` and `*` mean everything.
    ///
    /// # Errors
    /// 400 for an illegal pointer.
    pub fn parse(params: &Params) -> Result<Self, Error> {
        let mut pointers = Vec::new();
        let mut all = false;
        for value in params.all("_fields") {
            for field in value.split(',') {
                let pointer = Pointer::parse(field).ok_or_else(|| {
                    Error::bad_request(format!(
                        "The value '{value}' for parameter '_fields' could not be parsed as a comma separated list of \
                         JSON pointers"
                    ))
                })?;
                all |= field == "*" || pointer.leaf().is_none();
                pointers.push(pointer);
            }
        }
        Ok(if all || pointers.is_empty() { Self::All } else { Self::Some(pointers) })
    }

    /// How many fields are named.
    pub fn named(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Some(pointers) => pointers.len(),
        }
    }

    /// `item` with only the fields that are asked for.
    pub fn apply(&self, item: Item) -> Item {
        let Self::Some(pointers) = self else {
            return item;
        };
        let whole = item.whole();
        let mut content = Object::new();
        for pointer in pointers {
            if let (Some(leaf), Some(value)) = (pointer.leaf(), pointer.resolve(&whole, Names::Exact)) {
                content.insert(leaf.to_owned(), value.clone());
            }
        }
        Item { content, ..item }
    }
}

/// `_mimeType`: the media type that one field is answered as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Reads the parameter; `None` when it is absent.
    ///
    /// # Errors
    /// 400 unless exactly one field is asked for, and for what is no media type (RFC 9110 §8.3.1).
    pub fn parse(params: &Params, fields: &Fields) -> Result<Option<Self>, Error> {
        let Some(name) = params.get("_mimeType") else {
            return Ok(None);
        };
        if fields.named() != 1 {
            return Err(Error::bad_request("The mime type parameter requires only 1 field to be specified"));
        }
        let token = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
        };
        let is_type = name.len() <= 127 && name.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
        if is_type {
            return Ok(Some(Self(name.to_owned())));
        }
        Err(Error::bad_request(format!(
            "The value '{name}' for parameter '_mimeType' could not be parsed as a media type"
        )))
    }

    /// The value of `Content-Type`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one field of an item as bytes of this type: text as it is, everything else from base64url.
    ///
    /// # Errors
    /// 404 when there is no such field, 400 when its value has no such form.
    pub fn bytes(&self, item: &Item) -> Result<Vec<u8>, Error> {
        let value = item.content.values().next().ok_or_else(Error::not_found)?;
        let wrong = || Error::bad_request(format!("The field cannot be shown as {}", self.0));
        match value {
            Value::String(text) if self.0.eq_ignore_ascii_case("text/plain") => Ok(text.clone().into_bytes()),
            Value::Bool(_) | Value::Number(_) if self.0.eq_ignore_ascii_case("text/plain") => {
                Ok(value.to_string().into_bytes())
            }
            Value::String(text) => URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// How an item is written under a protocol.
pub(super) struct Shown<'i> {
    pub item: &'i Item,
    pub protocol: Protocol,
    /// Whether protocol 1.0 shows the id.
    pub id_in_v1: bool,
}

impl Serialize for Shown<'_> {
    /// `_id` and `_rev` first under protocol 2; under 1.0 the id last and no revision.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let item = self.item;
        if self.protocol > Protocol::V1_0 {
            map.serialize_entry("_id", &item.id)?;
            if let Some(revision) = &item.revision {
                map.serialize_entry("_rev", revision)?;
            }
        }
        for (name, value) in &item.content {
            if name != "_id" && name != "_rev" {
                map.serialize_entry(name, value)?;
            }
        }
        if self.protocol == Protocol::V1_0 && self.id_in_v1 {
            map.serialize_entry("_id", &item.id)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(query: &str, protocol: Protocol) -> String {
        let content =
            json!({"userName": "alice", "name": {"given": "Al", "family": "X"}, "tags": ["a", "b"], "nick": null});
        let item = Item::new("u1", Some(Seq(3)), content.as_object().cloned().unwrap_or_default());
        let fields = Params::parse(query).and_then(|params| Fields::parse(&params)).expect(query);
        let item = fields.apply(item);
        serde_json::to_string(&Shown { item: &item, protocol, id_in_v1: true }).expect("serializes")
    }

    /// The table of §6.
    #[test]
    fn fields_are_flat_and_keep_id_and_revision() {
        let v2 = Protocol::V2_1;
        assert_eq!(shown("_fields=userName", v2), r#"{"_id":"u1","_rev":"3","userName":"alice"}"#);
        assert_eq!(
            shown("_fields=/name/given,userName", v2),
            r#"{"_id":"u1","_rev":"3","given":"Al","userName":"alice"}"#
        );
        assert_eq!(shown("_fields=name", v2), r#"{"_id":"u1","_rev":"3","name":{"family":"X","given":"Al"}}"#);
        assert_eq!(shown("_fields=nothing", v2), r#"{"_id":"u1","_rev":"3"}"#);
        assert_eq!(shown("_fields=nick", v2), r#"{"_id":"u1","_rev":"3","nick":null}"#);
        assert_eq!(shown("_fields=tags/0", v2), r#"{"_id":"u1","_rev":"3","0":"a"}"#);
        for all in ["", "_fields=", "_fields=/", "_fields=*", "_fields=a,/"] {
            assert_eq!(shown(all, v2), shown("_prettyPrint=x", v2), "{all}");
            assert!(shown(all, v2).contains("family"), "{all}");
        }
    }

    /// §6: equal leaves overwrite each other, and the last one wins; `~` is no escape.
    #[test]
    fn the_last_of_equal_leaves_wins() {
        let v2 = Protocol::V2_1;
        assert_eq!(
            shown("_fields=userName,name/family,tags/1", v2),
            r#"{"_id":"u1","_rev":"3","1":"b","family":"X","userName":"alice"}"#
        );
        assert_eq!(shown("_fields=tags/0&_fields=name/0", v2), r#"{"_id":"u1","_rev":"3","0":"a"}"#);
        let content = json!({"a": {"x": 1}, "b": {"x": 2}, "c~1d": 3});
        let item = Item::new("u1", None, content.as_object().cloned().unwrap_or_default());
        for (query, expected) in [
            ("_fields=a/x,b/x", json!({"x": 2})),
            ("_fields=b/x,a/x", json!({"x": 1})),
            ("_fields=c~1d", json!({"c~1d": 3})),
        ] {
            let fields = Params::parse(query).and_then(|params| Fields::parse(&params)).expect(query);
            assert_eq!(Value::Object(fields.apply(item.clone()).content), expected, "{query}");
        }
    }

    #[test]
    fn a_field_alone_is_text_or_bytes() {
        let item = |value: Value| Item::new("u1", None, [("f".to_owned(), value)].into_iter().collect());
        let as_type = |name: &str, value: Value| MediaType(name.into()).bytes(&item(value)).map_err(|e| e.code());
        assert_eq!(as_type("text/plain", json!("a\n")), Ok(b"a\n".to_vec()));
        assert_eq!(as_type("text/plain", json!(7)), Ok(b"7".to_vec()));
        assert_eq!(as_type("image/png", json!("AQI_-w")), Ok(vec![1, 2, 63, 251]));
        assert_eq!(as_type("image/png", json!("not base64")), Err(400));
        assert_eq!(as_type("text/plain", json!({})), Err(400));
        let nothing = Item::new("u1", None, Object::new());
        assert_eq!(MediaType("text/plain".into()).bytes(&nothing).map_err(|e| e.code()), Err(404));
    }

    #[test]
    fn protocol_1_shows_the_id_last_and_no_revision() {
        assert_eq!(shown("_fields=userName", Protocol::V1_0), r#"{"userName":"alice","_id":"u1"}"#);
    }

    #[test]
    fn an_illegal_pointer_is_refused() {
        let fields = |query: &str| Params::parse(query).and_then(|params| Fields::parse(&params));
        let text =
            "The value 'a, b' for parameter '_fields' could not be parsed as a comma separated list of JSON pointers";
        assert_eq!(fields("_fields=a,+b"), Err(Error::bad_request(text)));
        assert!(fields("_fields=a//b").is_err());
        assert!(fields("_fields=a%2500%25").is_err());
    }
}
