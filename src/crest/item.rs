//! One resource as it travels: id, revision, content; and the part of it that `_fields` asks for (crest.md §5.7, §6).

use super::{
    Error, Object, Params, Protocol,
    pointer::{Names, Pointer},
};
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
