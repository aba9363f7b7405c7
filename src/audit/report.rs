//! Events that agents and administrators report: `/json/global-audit/{topic}`, `/json/{realm}/realm-audit/{topic}` (f.6).
//!
//! What is reported is a stranger's word: its keys are those of the topic, its size is bounded, and the rules about secrets
//! apply to it as to our own events. Time, transaction and the rest are what it says; who reported it, in `userId`, is not
//! what it says but who called.

use super::{
    Body, Component, Event, Full, Head, Topic, Topics, context,
    redact::{bounded, guarded},
};
use crate::{
    crest::{Error, Object},
    host,
};
use jiff::Timestamp;
use quorate_raft::RealmPath;
use serde_json::Value;

/// Most values in one event.
const MAX_VALUES: usize = 512;
/// Deepest nesting.
const MAX_DEPTH: usize = 8;
/// Most tracking ids.
const MAX_IDS: usize = 16;

/// Keys of every event; the rest are those of its topic.
const COMMON: &[&str] = &[
    "_id",
    "timestamp",
    "eventName",
    "transactionId",
    "userId",
    "trackingIds",
    "component",
    "realm",
    "source",
    "topic",
    "level",
];

/// The keys of a topic beyond the common ones.
const fn keys(topic: Topic) -> &'static [&'static str] {
    match topic {
        Topic::Access => &["client", "server", "request", "http", "response"],
        Topic::Activity | Topic::Config => {
            &["runAs", "objectId", "operation", "before", "after", "changedFields", "revision"]
        }
        Topic::Authentication => &["result", "principal", "context", "entries"],
    }
}

/// What is reported, checked.
#[derive(Debug)]
pub struct Report {
    name: String,
    transaction: String,
    tracking_ids: Vec<String>,
    component: Component,
    at: i64,
    members: Object,
}

impl Report {
    /// Checks what somebody reports.
    ///
    /// # Errors
    /// 400, with what is wrong.
    pub fn check(topic: Topic, content: &Object) -> Result<Self, Error> {
        let wrong = |name: &str| Error::bad_request(format!("Invalid value for field {name}"));
        let known = |name: &str| COMMON.contains(&name) || keys(topic).contains(&name);
        if let Some(unknown) = content.keys().find(|name| !known(name)) {
            return Err(Error::bad_request(format!(
                "Field {} is not known to topic {}",
                bounded(unknown),
                topic.name()
            )));
        }
        let text = |name: &str| match content.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text))
                if !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control) =>
            {
                Ok(Some(guarded(text)))
            }
            Some(_) => Err(wrong(name)),
        };
        let required = |name: &str| text(name)?.ok_or_else(|| Error::bad_request(format!("Field {name} is required")));
        let name = required("eventName")?;
        let transaction = required("transactionId")?;
        let at = match text("timestamp")? {
            None => host::now().0.try_into().unwrap_or(i64::MAX),
            Some(text) => text.parse::<Timestamp>().map_err(|_| wrong("timestamp"))?.as_millisecond(),
        };
        let component = match text("component")? {
            None => Component::Audit,
            Some(name) => Component::parse(&name).ok_or_else(|| wrong("component"))?,
        };
        let tracking_ids = match content.get("trackingIds") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(ids)) if ids.len() <= MAX_IDS => {
                let id = |id: &Value| id.as_str().map(|id| guarded(&bounded(id))).ok_or_else(|| wrong("trackingIds"));
                ids.iter().map(id).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong("trackingIds")),
        };
        let mut left = MAX_VALUES;
        let mut members = Object::new();
        for (name, value) in content.iter().filter(|(name, _)| keys(topic).contains(&name.as_str())) {
            members.insert(name.clone(), plain(value, 0, &mut left).ok_or_else(|| wrong(name))?);
        }
        Ok(Self { name, transaction, tracking_ids, component, at, members })
    }
}

/// A value without secrets; `None` when it is too large or too deep. Headers, cookies and parameters that carry credentials
/// are left out by name, wherever they stand.
fn plain(value: &Value, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    if depth > MAX_DEPTH {
        return None;
    }
    match value {
        Value::String(text) => Some(Value::String(guarded(&bounded(text)))),
        Value::Array(items) => {
            items.iter().map(|item| plain(item, depth + 1, left)).collect::<Option<_>>().map(Value::Array)
        }
        Value::Object(members) => {
            let mut shown = Object::new();
            for (name, value) in members.iter().filter(|(name, _)| !super::redact::is_secret_name(name)) {
                shown.insert(bounded(name), plain(value, depth + 1, left)?);
            }
            Some(Value::Object(shown))
        }
        plain => Some(plain.clone()),
    }
}

impl Topics {
    /// Records what was reported by whoever is calling; `realm` for an event of a realm.
    ///
    /// # Errors
    /// [`Full`], if what cannot be recorded must not be acknowledged.
    pub fn report(&self, topic: Topic, realm: Option<&RealmPath>, report: Report) -> Result<(), Full> {
        if !self.records(topic) {
            return Ok(());
        }
        let Some(room) = self.reserve(topic)? else {
            return Ok(());
        };
        let head = Head {
            at: report.at,
            name: report.name.into(),
            transaction: report.transaction.into(),
            user_id: context::current().and_then(|context| Some(context.user()?.id.clone())),
            tracking_ids: report.tracking_ids.into_iter().map(Into::into).collect(),
            component: report.component,
            realm: realm.map(|realm| realm.as_str().into()),
        };
        room.record(vec![Event { topic, head, body: Body::Reported(report.members) }]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(topic: Topic, content: Value) -> Result<Object, String> {
        let content = content.as_object().cloned().unwrap_or_default();
        Report::check(topic, &content).map(|report| report.members).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn reports_are_checked() {
        let with = |more: Value| {
            let mut event = json!({"eventName": "AM-ACCESS-OUTCOME", "transactionId": "t-1"});
            crate::audit::tests::merge(&mut event, more);
            check(Topic::Access, event)
        };
        assert_eq!(with(json!({})), Ok(Object::new()));
        for (more, error) in [
            (json!({"eventName": null}), "Field eventName is required"),
            (json!({"transactionId": ""}), "Invalid value for field transactionId"),
            (json!({"transactionId": "a\nb"}), "Invalid value for field transactionId"),
            (json!({"timestamp": "yesterday"}), "Invalid value for field timestamp"),
            (json!({"component": "Kitchen"}), "Invalid value for field component"),
            (json!({"trackingIds": "x"}), "Invalid value for field trackingIds"),
            (json!({"trackingIds": vec!["x"; 17]}), "Invalid value for field trackingIds"),
            (json!({"before": {}}), "Field before is not known to topic access"),
            (json!({"http": vec![0; 600]}), "Invalid value for field http"),
        ] {
            assert_eq!(with(more), Err(error.to_owned()));
        }
        let mut deep = json!(1);
        for _ in 0..20 {
            deep = json!([deep]);
        }
        assert_eq!(with(json!({"request": deep})), Err("Invalid value for field request".to_owned()));
        let http = json!({"http": {"request": {
            "headers": {"Authorization": ["Bearer planted"], "host": ["a"]},
            "cookies": {"iPlanetDirectoryPro": "planted"},
            "queryParameters": {"code": ["planted"], "realm": ["/"]},
        }}});
        let expected = json!({"request": {"headers": {"host": ["a"]}, "queryParameters": {"realm": ["/"]}}});
        assert_eq!(with(http).map(|members| members["http"].clone()), Ok(expected));
        assert!(check(Topic::Config, json!({"eventName": "x", "transactionId": "t", "before": {"a": 1}})).is_ok());
    }
}
