//! What a journey knows between two steps (authn-sessions-realms.md a.16).
//!
//! Shared and secure state travel to the client and back, encrypted ([`super::auth_id`]); transient state lives as long as
//! one request. Values of it that a node still ahead asks for become secure state when the journey pauses.

use super::{callback::Asked, persistent::Wish};
use quorate_raft::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Values by key, in their three kinds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeState {
    shared: Map<String, Value>,
    secure: Map<String, Value>,
    #[serde(skip)]
    transient: Map<String, Value>,
}

/// Which transient values the nodes that are still ahead may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Inputs {
    /// Any.
    All,
    /// These.
    #[default]
    None,
    /// These.
    Keys(BTreeSet<String>),
}

impl Inputs {
    /// Of one node.
    pub fn keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        Self::Keys(keys.into_iter().map(str::to_owned).collect())
    }

    /// Of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, one) | (one, Self::None) => one,
            (Self::Keys(mut one), Self::Keys(other)) => {
                one.extend(other);
                Self::Keys(one)
            }
        }
    }

    fn has(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Keys(keys) => keys.contains(key),
        }
    }
}

impl NodeState {
    /// The value under `key`: transient, then secure, then shared.
    pub fn get(&self, key: &str) -> Option<&Value> {
        [&self.transient, &self.secure, &self.shared].into_iter().find_map(|values| values.get(key))
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The value under `key`, if it is shared.
    pub fn shared(&self, key: &str) -> Option<&Value> {
        self.shared.get(key)
    }

    /// A value that the client's copy of the journey carries along.
    pub fn put_shared(&mut self, key: &str, value: impl Into<Value>) {
        self.shared.insert(key.to_owned(), value.into());
    }

    /// A value for this request, and for nodes that ask for it later.
    pub fn put_transient(&mut self, key: &str, value: impl Into<Value>) {
        self.transient.insert(key.to_owned(), value.into());
    }

    /// Forgets a value, wherever it is.
    pub fn remove(&mut self, key: &str) {
        for values in [&mut self.transient, &mut self.secure, &mut self.shared] {
            values.remove(key);
        }
    }

    /// Sets a member of the object under `key`, in shared or transient state.
    pub fn put_member(&mut self, transient: bool, key: &str, member: &str, value: impl Into<Value>) {
        let values = if transient { &mut self.transient } else { &mut self.shared };
        let object = values.entry(key.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(object) = object {
            object.insert(member.to_owned(), value.into());
        }
    }

    /// All keys.
    pub fn keys(&self) -> BTreeSet<&str> {
        let all = [&self.transient, &self.secure, &self.shared];
        all.into_iter().flat_map(|values| values.keys().map(String::as_str)).collect()
    }

    /// The journey pauses: transient values that `ahead` asks for become secure, the others are gone.
    pub fn pause(&mut self, ahead: &Inputs) {
        for (key, value) in std::mem::take(&mut self.transient) {
            if ahead.has(&key) {
                self.secure.insert(key, value);
            }
        }
    }
}

/// Which service is authenticated by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// A tree.
    Tree(String),
    /// A chain.
    Chain(String),
    /// A module by itself.
    Module(String),
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Tree(name) | Self::Chain(name) | Self::Module(name) => name,
        }
    }

    /// Whether failures are told as chains do.
    pub const fn is_chain(&self) -> bool {
        !matches!(self, Self::Tree(_))
    }

    /// Session property `IndexType`.
    pub const fn index_type(&self) -> &'static str {
        if matches!(self, Self::Module(_)) { "module_instance" } else { "service" }
    }
}

/// Where a journey is in one tree. The last of them is where it goes on; those before it wait for the trees inside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The tree.
    pub tree: String,
    /// The node.
    pub node: String,
}

/// How far a chain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The next module.
    pub next: usize,
    /// Whether something required has failed.
    pub failed: bool,
    /// Whether something has succeeded.
    pub succeeded: bool,
}

/// What the children of a page have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many callbacks each of them sent.
    pub asked: Vec<usize>,
    /// The outcomes of those that sent none.
    pub outcomes: Vec<Option<String>>,
}

/// A cookie that is set once the journey succeeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomCookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Seconds it lives.
    pub max_age: Option<i64>,
    /// Its domain.
    pub domain: Option<String>,
    /// Its path.
    pub path: Option<String>,
    /// Attribute `Secure`.
    pub secure: bool,
    /// Attribute `HttpOnly`.
    pub http_only: bool,
    /// Attribute `SameSite`: `STRICT`, `LAX`, `NONE`.
    pub same_site: String,
}

/// Everything about a journey that the next step needs, on whatever node of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journey {
    /// By what.
    pub service: Service,
    /// Services to choose from, when more than one will do; nothing has run then.
    pub offered: Vec<Service>,
    /// `authIndexType` and value, as it was started.
    pub index: Option<(String, String)>,
    /// Where it is, for a tree.
    pub at: Vec<Frame>,
    /// Where it is, for a chain.
    pub links: Links,
    /// What was asked.
    pub asked: Vec<Asked>,
    /// What the page that was asked has come to.
    pub page: Page,
    /// What nodes know.
    pub state: NodeState,
    /// Whoever it is, once a node has proved it: kind and id of the document.
    pub subject: Option<(Kind, String)>,
    /// Authentication level so far.
    pub level: i32,
    /// Properties for the session.
    pub properties: BTreeMap<String, String>,
    /// Cookies for the browser.
    pub cookies: Vec<CustomCookie>,
    /// Cookies that let whoever this is in again.
    #[serde(default)]
    pub persistent: Vec<Wish>,
    /// Members for the answer of success.
    pub success_details: Map<String, Value>,
    /// Members for the answer of failure.
    pub failure_details: Map<String, Value>,
    /// Accounts whose count of retries starts anew with success: nodes that counted.
    pub counted: BTreeSet<String>,
    /// Where the caller wants to go; valid.
    pub goto: Option<String>,
    /// Where the caller wants to go on failure; valid.
    pub goto_on_fail: Option<String>,
    /// Whether there will be no session.
    pub no_session: bool,
    /// The token of the session that will be upgraded: its owner's, who carries the journey.
    pub upgrades: Option<String>,
    /// The id of the transaction that it confirms; then the session stays as it is.
    #[serde(default)]
    pub transaction: Option<String>,
    /// Longest life of the session, minutes.
    pub max_session: Option<u64>,
    /// Longest pause of the session, minutes.
    pub max_idle: Option<u64>,
    /// When it began, seconds.
    pub started: u64,
    /// When it is over, seconds.
    pub expires: u64,
}

impl Journey {
    /// Whom it is about, as far as that is known: proved, or said.
    pub fn username(&self) -> Option<&str> {
        self.state.text("username").filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a.16.
    #[test]
    fn values_are_found_transient_then_secure_then_shared() {
        let mut state = NodeState::default();
        state.put_shared("key", "shared");
        assert_eq!(state.text("key"), Some("shared"));
        state.put_transient("key", "was transient");
        state.pause(&Inputs::keys(["key"]));
        assert_eq!(state.text("key"), Some("was transient"));
        state.put_transient("key", "transient");
        assert_eq!(state.text("key"), Some("transient"));
        assert_eq!(state.keys().into_iter().collect::<Vec<_>>(), ["key"]);
        state.remove("key");
        assert_eq!(state.get("key"), None);
    }

    #[test]
    fn what_nobody_ahead_asks_for_does_not_leave_the_request() {
        let mut state = NodeState::default();
        state.put_transient("password", "secret");
        state.put_transient("oneTimePassword", "12345678");
        let kept = |state: &NodeState, ahead: Inputs| {
            let mut paused = state.clone();
            paused.pause(&ahead);
            let text = serde_json::to_string(&paused).expect("JSON");
            let back: NodeState = serde_json::from_str(&text).expect("the same");
            back.keys().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(kept(&state, Inputs::None), Vec::<String>::new());
        assert_eq!(kept(&state, Inputs::keys(["username", "password"])), ["password"]);
        assert_eq!(kept(&state, Inputs::All), ["oneTimePassword", "password"]);
        let both = Inputs::keys(["password"]).and(Inputs::None).and(Inputs::keys(["oneTimePassword"]));
        assert_eq!(kept(&state, both), ["oneTimePassword", "password"]);
        assert_eq!(Inputs::keys(["a"]).and(Inputs::All), Inputs::All);
        assert!(!serde_json::to_string(&state).expect("JSON").contains("secret"), "transient state is never written");
    }
}
