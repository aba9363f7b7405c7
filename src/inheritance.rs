//! What clients and agents take from their group (oauth2-config.md §2, §10), for whoever decides by it and for whoever shows it.
//!
//! | it says                                                               | here                      |
//! |-----------------------------------------------------------------------|---------------------------|
//! | `inherited: true` takes the group's current value, at read and run time | [`merged`]              |
//! | a group in use is not deleted, an assigned one exists                 | the document's references |
//! | not inheritable: secret, group, id                                    | `rest::schema`            |
//! | G3, for a status that comes from the group                            | [`standing`]              |
//!
//! A document says which group it has by its one reference to a [`Kind::AgentGroup`], and which attributes it inherits in the
//! member [`INHERITED`]: names, by section. Its own values of those are not stored.
//!
//! Whoever inherits the status stands under the younger of two fences, its own and its group's. The group's fence moves when
//! the group's status turns; the client's own when it stops inheriting the status from that group. So the fence under which a
//! client stands never runs backwards, and each turn of the status, wherever it was written, leaves everything that was
//! issued before it dead.

use crate::views::{Entry, Views};
use quorate_raft::{Document, DocumentKey, Kind, Seq};
use serde_json::Value;
use std::{borrow::Cow, sync::Arc};

/// The member that tells what is inherited.
pub const INHERITED: &str = "_inherited";

/// The section and the name of the attribute that tells whether an agent of any kind may act.
const STATUS: [(&str, &str); 4] = [
    ("coreOAuth2ClientConfig", "status"),
    ("", "status"),
    ("globalWebAgentConfig", "status"),
    ("globalJ2EEAgentConfig", "status"),
];

/// Whether a subject may act, and under which fence: sessions and tokens that carry another one are dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it may act.
    pub active: bool,
    /// The fence.
    pub fence: Seq,
}

/// The key of the group that a document names.
pub fn group_key(document: &Document) -> Option<&DocumentKey> {
    document.references.iter().find(|key| key.kind == Kind::AgentGroup)
}

/// The group of a client or agent, if it has one.
pub fn group(views: &Views, entry: &Entry) -> Option<Arc<Entry>> {
    views.entry(group_key(&entry.document)?)
}

/// The attribute `name` of `section`; an empty section is the body itself.
fn attribute<'b>(body: &'b Value, section: &str, name: &str) -> Option<&'b Value> {
    let group = if section.is_empty() { body } else { body.get(section)? };
    group.get(name)
}

/// What a body inherits: section and name.
pub fn inherited(body: &Value) -> impl Iterator<Item = (&str, &str)> {
    let sections = body.get(INHERITED).and_then(Value::as_object);
    sections.into_iter().flatten().flat_map(|(section, names)| {
        let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(move |name| (section.as_str(), name))
    })
}

/// A body with the values that it inherits. Without a group it is as it is.
pub fn merged<'b>(body: &'b Value, group: Option<&Value>) -> Cow<'b, Value> {
    let Some(group) = group.filter(|_| body.get(INHERITED).is_some()) else {
        return Cow::Borrowed(body);
    };
    let mut whole = body.clone();
    for (section, name) in inherited(body) {
        let target = if section.is_empty() { Some(&mut whole) } else { whole.get_mut(section) };
        if let (Some(Value::Object(target)), Some(value)) = (target, attribute(group, section, name)) {
            target.insert(name.to_owned(), value.clone());
        }
    }
    Cow::Owned(whole)
}

/// What the body itself, or the group where the status comes from there, says about the status: active unless it says
/// otherwise.
pub fn is_active(body: &Value, group: Option<&Value>) -> bool {
    let source = if inherits_status(body) { group } else { Some(body) };
    // Where the group is gone nobody knows: deny.
    source.is_some_and(says_active)
}

fn says_active(body: &Value) -> bool {
    let status = STATUS.iter().find_map(|(section, name)| attribute(body, section, name));
    status.and_then(Value::as_str).is_none_or(|status| status.eq_ignore_ascii_case("active"))
}

/// Whether the status comes from the group.
pub fn inherits_status(body: &Value) -> bool {
    inherited(body).any(|place| STATUS.contains(&place))
}

/// How a client or agent stands, with what it inherits from `group`.
pub fn standing(entry: &Entry, group: Option<&Entry>) -> Standing {
    let own = entry.document.fence;
    let body = entry.json();
    let active = body.is_object() && is_active(body, group.map(Entry::json));
    match group.filter(|_| inherits_status(body)) {
        Some(group) => Standing { active, fence: own.max(group.document.fence) },
        None => Standing { active, fence: own },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(body: &Value, fence: u64) -> Entry {
        let body = Arc::from(body.to_string().into_bytes());
        Entry::new(Arc::new(Document { body, revision: Seq(99), fence: Seq(fence), references: Vec::new() }))
    }

    #[test]
    fn only_what_is_inherited_comes_from_the_group() {
        let own = json!({"core": {"a": 1, "b": 2}, "flat": 3, "_inherited": {"core": ["b", "c"], "": ["flat"]}});
        let group = json!({"core": {"a": 10, "b": 20, "c": 30}, "flat": 40, "other": 50});
        let whole = merged(&own, Some(&group)).into_owned();
        assert_eq!(
            (&whole["core"], &whole["flat"], whole.get("other")),
            (&json!({"a": 1, "b": 20, "c": 30}), &json!(40), None)
        );
        assert_eq!(*merged(&own, None), own);
        let hostile = json!({"core": 1, "_inherited": {"core": ["a", 1], "nosuch": ["x"], "": 7}});
        assert_eq!(*merged(&hostile, Some(&group)), hostile);
    }

    #[test]
    fn a_status_stands_under_the_younger_fence_where_it_comes_from() {
        let client = |inherits: bool| {
            let inherited = if inherits { json!({"coreOAuth2ClientConfig": ["status"]}) } else { json!({}) };
            entry(&json!({"coreOAuth2ClientConfig": {}, "_inherited": inherited}), 5)
        };
        let group = |status: &str, fence| entry(&json!({"coreOAuth2ClientConfig": {"status": status}}), fence);
        let stands = |active, fence| Standing { active, fence: Seq(fence) };
        assert_eq!(standing(&client(true), Some(&group("Inactive", 7))), stands(false, 7));
        assert_eq!(standing(&client(true), Some(&group("Active", 3))), stands(true, 5));
        assert_eq!(standing(&client(false), Some(&group("Inactive", 7))), stands(true, 5));
        assert_eq!(standing(&client(true), None), stands(false, 5), "without its group nobody knows");
        for body in
            [json!({"status": "inactive"}), json!({"globalWebAgentConfig": {"status": "Inactive"}}), json!(null)]
        {
            assert!(!standing(&entry(&body, 1), None).active, "{body}");
        }
        assert!(standing(&entry(&json!({}), 1), None).active);
    }
}
