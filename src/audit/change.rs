//! Topics `config` and `activity`: what the log was asked to change and did (f.6). There is one place where that is noticed:
//! [`Desk::propose`](crate::desk::Desk::propose), by which every change passes, whoever wants it.
//!
//! | command                | topic, event                                                     |
//! |------------------------|------------------------------------------------------------------|
//! | write of a user        | activity, `AM-IDENTITY-CHANGE`                                    |
//! | write of a group       | activity, `AM-GROUP-CHANGE`                                       |
//! | any other write        | config, `AM-CONFIG-CHANGE`                                        |
//! | a session starts       | activity, `AM-SESSION-CREATED`; of the one whose place it takes, `AM-SESSION-DESTROYED` |
//! | a session is ended     | activity, `AM-SESSION-LOGGED_OUT` by its owner, else `AM-SESSION-DESTROYED` |
//! | all of a subject are   | activity, one `AM-SESSION-DESTROYED` for the subject              |
//! | properties change      | activity, `AM-SESSION-PROPERTY_CHANGED` with their names          |
//! | a session times out    | activity, `AM-SESSION-IDLE_TIMED_OUT` or `…MAX_TIMED_OUT`, by the node that leads |
//!
//! Only what was acknowledged is recorded: what was refused did not happen, and of what nobody knows it is not said. The node
//! that proposed records, so there is one event in the cluster, whichever node leads.

use super::{
    Audit, Body, Component, Event, Full, Head, Room, Topic, Topics,
    context::{self, Context, INTERNAL},
    redact::Redactor,
};
use crate::{
    crest::Object,
    host,
    views::{Entry, Views},
};
use quorate_raft::{
    Command, DocumentKey, Kind, Outcome, RealmPath, Session, TokenHash,
    documents::{Change as DocumentChange, RemoveRealm},
    sessions::SessionData,
};
use serde_json::{Value, json};
use std::sync::Arc;

const CREATED: &str = "AM-SESSION-CREATED";
const DESTROYED: &str = "AM-SESSION-DESTROYED";
const LOGGED_OUT: &str = "AM-SESSION-LOGGED_OUT";

/// What happened to a document or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It is new.
    Create,
    /// It is another.
    Update,
    /// It is gone.
    Delete,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// What it was and is.
#[derive(Debug)]
enum States {
    /// A document; read and redacted by the writer, so that no request waits for that.
    Document { kind: Kind, before: Option<Arc<Entry>>, after: Option<Arc<[u8]>>, revision: u64 },
    /// A session: its properties are for its own eyes, but for the names of those that changed.
    Session { changed: Vec<String> },
}

/// A change.
#[derive(Debug)]
pub struct Change {
    operation: Operation,
    object: String,
    run_as: Arc<str>,
    states: States,
}

impl Change {
    /// The keys of these topics.
    pub(super) fn members(&self, redactor: &Redactor) -> Object {
        let mut members = Object::new();
        members.insert("objectId".into(), json!(self.object));
        members.insert("operation".into(), json!(self.operation.name()));
        members.insert("runAs".into(), json!(&*self.run_as));
        if let States::Document { kind, before, after, revision } = &self.states {
            let before = before.as_ref().map(|entry| entry.json().clone());
            let after = after.as_ref().map(|body| serde_json::from_slice::<Value>(body).unwrap_or_default());
            let shown = |state: &Option<Value>| match state {
                None => Value::Null,
                Some(state) => Value::Object(redactor.shown(*kind, state)),
            };
            members.insert("before".into(), shown(&before));
            members.insert("after".into(), shown(&after));
            members.insert("changedFields".into(), json!(changed(before.as_ref(), after.as_ref())));
            members.insert("revision".into(), json!(revision.to_string()));
        }
        if let States::Session { changed } = &self.states
            && !changed.is_empty()
        {
            members.insert("changedFields".into(), json!(changed));
        }
        members
    }
}

/// Members that differ, those of sections as `section/member`, without their values. Verifiers are called what people call
/// what is verified.
fn changed(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let empty = Object::new();
    let of = |state: Option<&Value>| state.and_then(Value::as_object).cloned();
    let (before, after) = (of(before), of(after));
    let (before, after) = (before.as_ref().unwrap_or(&empty), after.as_ref().unwrap_or(&empty));
    let mut names: Vec<String> = Vec::new();
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        match (before.get(key), after.get(key)) {
            (one, other) if one == other => {}
            (one, other) if key.ends_with("Config") => {
                names.extend(changed(one, other).into_iter().map(|name| format!("{key}/{name}")));
            }
            _ if key == "_verifier" => names.push("userpassword".to_owned()),
            _ => names.push(key.clone()),
        }
    }
    names
}

/// Where a kind of document belongs.
const fn place(kind: Kind) -> (Topic, &'static str, Component) {
    match kind {
        Kind::User => (Topic::Activity, "AM-IDENTITY-CHANGE", Component::Users),
        Kind::Group => (Topic::Activity, "AM-GROUP-CHANGE", Component::Groups),
        Kind::Realm => (Topic::Config, "AM-CONFIG-CHANGE", Component::Realms),
        Kind::ResourceType | Kind::PolicySet | Kind::Policy => (Topic::Config, "AM-CONFIG-CHANGE", Component::Policy),
        Kind::Script => (Topic::Config, "AM-CONFIG-CHANGE", Component::Script),
        _ => (Topic::Config, "AM-CONFIG-CHANGE", Component::Config),
    }
}

/// What an event calls a document: identities by their universal id, the rest by realm, kind and id.
fn object_id(key: &DocumentKey) -> String {
    match key.kind {
        Kind::User | Kind::Group => crate::sessions::universal_id(&key.realm, key),
        Kind::Realm => key.id.to_string(),
        kind => format!("{}/{kind:?}/{}", key.realm.as_str().trim_end_matches('/'), key.id),
    }
}

/// What will be recorded if the log agrees.
#[derive(Debug)]
struct Draft {
    topic: Topic,
    name: &'static str,
    component: Component,
    realm: Arc<str>,
    change: Change,
    about: Option<About>,
}

/// Whose session it is.
#[derive(Debug)]
struct About {
    user_id: Arc<str>,
    tracking_id: Option<Arc<str>>,
}

/// Events that wait for the log's answer; dropped, nothing happened.
#[derive(Debug)]
pub struct Pending<'a> {
    context: Option<Arc<Context>>,
    topics: &'a Topics,
    room: Option<Room<'a>>,
    drafts: Vec<Draft>,
}

impl Audit {
    /// Looks at a command that is about to be proposed; `None` when nothing of it is recorded.
    ///
    /// # Errors
    /// [`Full`], if what cannot be recorded must not happen.
    pub fn observe<'a>(&'a self, views: &Views, command: &Command) -> Result<Option<Pending<'a>>, Full> {
        let Some(topics) = self.topics() else {
            return Ok(None);
        };
        let mut pending = Pending { context: None, topics, room: None, drafts: Vec::new() };
        match command {
            Command::WriteDocuments(writes) => {
                for write in &writes.0 {
                    pending.document(views, &write.key, &write.change)?;
                }
            }
            Command::DeleteRealm(realm) | Command::RemoveRealm(RemoveRealm { realm, .. }) => {
                let key = DocumentKey::new(&RealmPath::root(), Kind::Realm, realm.as_str());
                pending.document(views, &key, &DocumentChange::Delete)?;
            }
            Command::CreateSession(create) => pending.session(CREATED, Operation::Create, &create.data, Vec::new())?,
            Command::StartSession(start) => {
                pending.session(CREATED, Operation::Create, &start.data, Vec::new())?;
                if let Some(former) = start.replaces.and_then(|hash| views.session(&hash)) {
                    pending.session(DESTROYED, Operation::Delete, &former.data, Vec::new())?;
                }
            }
            Command::UpdateSession(update) => {
                if let Some(session) = views.session(&update.hash) {
                    let names = update.changes.keys().map(|name| name.to_string()).collect();
                    pending.session("AM-SESSION-PROPERTY_CHANGED", Operation::Update, &session.data, names)?;
                }
            }
            Command::DestroySessionsOf(subject) => pending.sessions_of(&subject.0)?,
            Command::DestroySession(destroy) => {
                let logs_out = context::current().is_some_and(|context| context.logs_out(&destroy.0));
                let name = if logs_out { LOGGED_OUT } else { DESTROYED };
                if let Some(session) = views.session(&destroy.0) {
                    pending.session(name, Operation::Delete, &session.data, Vec::new())?;
                }
            }
            _ => {}
        }
        if pending.drafts.is_empty() {
            return Ok(None);
        }
        pending.context = context::current();
        Ok(Some(pending))
    }

    /// A session ended because its time was over; told by the node that leads.
    pub fn session_timed_out(&self, session: &Session) {
        let idle = session.used + session.data.max_idle < session.created + session.data.max_life;
        let name = if idle { "AM-SESSION-IDLE_TIMED_OUT" } else { "AM-SESSION-MAX_TIMED_OUT" };
        self.session(name, Operation::Delete, &session.data);
    }

    /// A session that its token carries was started: the log does not know it.
    pub fn client_session_started(&self, data: &SessionData) {
        self.session(CREATED, Operation::Create, data);
    }

    /// A session that its token carries was ended.
    pub fn client_session_ended(&self, hash: &TokenHash, data: &SessionData) {
        let logs_out = context::current().is_some_and(|context| context.logs_out(hash));
        self.session(if logs_out { LOGGED_OUT } else { DESTROYED }, Operation::Delete, data);
    }

    /// What happened does not wait for room: what is lost is counted.
    fn session(&self, name: &'static str, operation: Operation, data: &SessionData) {
        let Some(topics) = self.topics() else {
            return;
        };
        let mut pending = Pending { context: context::current(), topics, room: None, drafts: Vec::new() };
        if pending.session(name, operation, data, Vec::new()).is_ok() {
            pending.record(&Outcome::Done);
        }
    }
}

impl Pending<'_> {
    /// Takes room once for all that the command changes.
    fn has_room(&mut self, topic: Topic) -> Result<bool, Full> {
        if self.room.is_none() {
            self.room = self.topics.reserve(topic)?;
        }
        Ok(self.room.is_some())
    }

    fn document(&mut self, views: &Views, key: &DocumentKey, change: &DocumentChange) -> Result<(), Full> {
        let (topic, name, component) = place(key.kind);
        if !self.topics.records(topic) {
            return Ok(());
        }
        let before = views.entry(key);
        let (operation, after) = match change {
            DocumentChange::Keep => return Ok(()),
            DocumentChange::Put { body, .. } if before.is_some() => (Operation::Update, Some(body.clone())),
            DocumentChange::Put { body, .. } => (Operation::Create, Some(body.clone())),
            DocumentChange::Delete => (Operation::Delete, None),
        };
        if !self.has_room(topic)? {
            return Ok(());
        }
        let states = States::Document { kind: key.kind, before, after, revision: 0 };
        let change = Change { operation, object: object_id(key), run_as: INTERNAL.into(), states };
        let realm = key.realm.as_str().into();
        self.drafts.push(Draft { topic, name, component, realm, change, about: None });
        Ok(())
    }

    fn session(
        &mut self,
        name: &'static str,
        operation: Operation,
        data: &SessionData,
        changed: Vec<String>,
    ) -> Result<(), Full> {
        let tracking_id = data.properties.get("AMCtxId").cloned();
        let object = tracking_id.as_deref().unwrap_or_default().to_owned();
        let about = About { user_id: data.universal_id.clone(), tracking_id };
        self.of_sessions(name, operation, &data.realm, object, about, changed)
    }

    /// All sessions of a subject: which they are, only the log knows.
    fn sessions_of(&mut self, subject: &DocumentKey) -> Result<(), Full> {
        let id = crate::sessions::universal_id(&subject.realm, subject);
        let about = About { user_id: id.as_str().into(), tracking_id: None };
        self.of_sessions(DESTROYED, Operation::Delete, &subject.realm, id, about, Vec::new())
    }

    fn of_sessions(
        &mut self,
        name: &'static str,
        operation: Operation,
        realm: &RealmPath,
        object: String,
        about: About,
        changed: Vec<String>,
    ) -> Result<(), Full> {
        if !self.topics.records(Topic::Activity) || !self.has_room(Topic::Activity)? {
            return Ok(());
        }
        let change = Change { operation, object, run_as: INTERNAL.into(), states: States::Session { changed } };
        let (topic, component, realm) = (Topic::Activity, Component::Session, realm.as_str().into());
        self.drafts.push(Draft { topic, name, component, realm, change, about: Some(about) });
        Ok(())
    }

    /// The log has answered.
    pub fn record(self, outcome: &Outcome) {
        let revision = match outcome {
            Outcome::Refused(_) => return,
            Outcome::Written(revisions) => revisions.first().map_or(0, |seq| seq.0),
            Outcome::Done | Outcome::Issued { .. } => 0,
        };
        let at = i64::try_from(host::now().0).unwrap_or(i64::MAX);
        let context = self.context.as_deref();
        let user = context.and_then(Context::user);
        let transaction: Arc<str> =
            context.map_or_else(|| self.topics.next_id().into(), |context| context.transaction().clone());
        let event = |draft: Draft| {
            let Draft { topic, name, component, realm, mut change, about } = draft;
            if let States::Document { revision: known, .. } = &mut change.states {
                *known = revision;
            }
            // What happens outside of requests is done by us; who starts a session is whom it is about.
            let owner = about.as_ref().map(|about| about.user_id.clone());
            let doer = user.map(|user| user.id.clone()).or_else(|| context.is_none().then(|| INTERNAL.into()));
            change.run_as = doer.clone().or_else(|| owner.clone()).unwrap_or_else(|| INTERNAL.into());
            let user_id = owner.or(doer);
            let session = about.and_then(|about| about.tracking_id);
            let tracking = session.or_else(|| user.and_then(|user| user.tracking_id.clone()));
            let head = Head {
                at,
                name: name.into(),
                transaction: transaction.clone(),
                user_id,
                tracking_ids: tracking.into_iter().collect(),
                component,
                realm: Some(realm),
            };
            Event { topic, head, body: Body::Change(Box::new(change)) }
        };
        if let Some(room) = self.room {
            room.record(self.drafts.into_iter().map(event).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_named_without_their_values() {
        let before = json!({"a": 1, "_verifier": "x", "coreConfig": {"s": [1], "t": 2}, "same": {"x": 1}});
        let after = json!({"b": 1, "_verifier": "y", "coreConfig": {"s": [2], "t": 2}, "same": {"x": 1}});
        let names = ["userpassword", "a", "b", "coreConfig/s"];
        assert_eq!(changed(Some(&before), Some(&after)), names);
        assert_eq!(changed(None, Some(&json!({"a": null, "b": 1}))), ["a", "b"]);
        assert_eq!(changed(Some(&before), Some(&before)), [""; 0]);
    }

    #[test]
    fn documents_have_names() {
        let id = |realm: &str, kind, id: &str| object_id(&DocumentKey::new(&realm.into(), kind, id));
        assert_eq!(id("/alpha", Kind::User, "demo"), "id=demo,ou=user,o=alpha,ou=services,ou=am-config");
        assert_eq!(id("/", Kind::Group, "staff"), "id=staff,ou=group,ou=am-config");
        assert_eq!(id("/", Kind::Realm, "/alpha"), "/alpha");
        assert_eq!(id("/alpha", Kind::OAuth2Client, "web"), "/alpha/OAuth2Client/web");
    }
}
