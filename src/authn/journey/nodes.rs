//! What nodes do (authn-sessions-realms.md a.15), one file per subject. A node reads its configuration with serde, and
//! comes to an outcome or asks.
//!
//! | a.15                                        | here              |
//! |---------------------------------------------|-------------------|
//! | credentials and decisions                   | [`credentials`]   |
//! | accounts and levels                         | [`account`]       |
//! | pages, choices, messages, waiting           | [`presentation`]  |
//! | URLs, details, timeouts, metrics            | [`flow`]          |
//! | state, sessions, cookies, headers           | [`data`]          |
//! | persistent cookies                          | [`persistent`]    |
//! | one-time passwords                          | [`one_time`]      |
//! | OATH devices, recovery codes                | [`oath`]          |
//! | scripted decisions                          | [`scripted`]      |
//!
//! Inner trees are the engine's own: they are places, not work. A type that is not here fails where it is reached, like a
//! node whose configuration cannot be read.

pub mod account;
pub mod credentials;
pub mod data;
pub mod flow;
pub mod oath;
pub mod one_time;
pub mod persistent;
pub mod presentation;
pub mod scripted;

use super::{
    callback::{Answer, Callback},
    model::without_nulls,
    scene::Scene,
    state::{Inputs, Journey},
};
use crate::{
    attempts::{self, Attempt, Stopped},
    consensus::Unavailable,
    desk::WriteError,
    keys::KeyError,
    views::Entry,
};
use quorate_raft::{DocumentKey, Kind};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{borrow::Cow, sync::Arc};

/// The id of the only outcome of a node that has one.
pub const OUTCOME: &str = "outcome";

/// What a node comes to.
pub enum Step {
    /// An outcome.
    Outcome(Cow<'static, str>),
    /// Questions.
    Ask(Prompt),
}

/// A step to be shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// What is asked.
    pub callbacks: Vec<Callback>,
    /// What it is about, for the program that shows it.
    pub stage: Option<String>,
    /// Its title.
    pub header: Option<String>,
    /// A text below the title.
    pub description: Option<String>,
    /// Whether callbacks carry their numbers.
    pub from_page: bool,
}

/// Why a node comes to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot do its work. The text is for the operator: the caller hears what everybody hears who fails.
    #[error("{0}")]
    Node(Cow<'static, str>),
    /// Too many have failed before, or no decision.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<Unavailable> for Fault {
    fn from(unavailable: Unavailable) -> Self {
        Self::Stopped(unavailable.into())
    }
}

impl Fault {
    /// For the operator.
    pub fn of(cause: impl Into<Cow<'static, str>>) -> Self {
        Self::Node(cause.into())
    }
}

impl From<WriteError> for Fault {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Unavailable(unavailable) => unavailable.into(),
            WriteError::Refused(refusal) => Self::of(format!("a document was not written: {}", refusal.label())),
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::of(error.to_string())
    }
}

/// What a node works with.
pub struct Visit<'v, 's> {
    /// The request and the realm.
    pub scene: &'v Scene<'s>,
    /// The journey.
    pub journey: &'v mut Journey,
    /// The node's id.
    pub id: &'v str,
    /// What was answered to what it asked; empty when it is reached for the first time.
    pub answers: &'v [Answer],
}

impl Visit<'_, '_> {
    /// The name that somebody claims, or has proved.
    ///
    /// # Errors
    /// When no node has asked for it: the journey is put together wrongly.
    pub fn username(&self) -> Result<String, Fault> {
        self.journey.username().map(str::to_owned).ok_or_else(|| Fault::of("no user name is known yet"))
    }

    /// Where the document is of whoever it is about: proved, else the user who is named.
    ///
    /// # Errors
    /// When nobody is.
    pub fn subject(&self) -> Result<DocumentKey, Fault> {
        let realm = self.scene.realm;
        match &self.journey.subject {
            Some((kind, id)) => Ok(DocumentKey::new(realm, *kind, id)),
            None => Ok(DocumentKey::new(realm, Kind::User, &self.username()?.to_lowercase())),
        }
    }

    /// Verifies a second factor, unless too many have failed before. Counted by itself: a right password forgives no wrong
    /// second factor, and whoever has the one could guess the other for ever.
    ///
    /// # Errors
    /// During a pause, and when nothing was decided.
    pub async fn guarded(&self, verify: impl Future<Output = Result<bool, Fault>>) -> Result<bool, Fault> {
        let DocumentKey { realm, kind, id } = self.subject()?;
        // No name has a line break in it: no account is called like that.
        let account = DocumentKey::new(&realm, kind, &format!("{id}\nsecond factor"));
        let attempt = Attempt::new(account, self.scene.request.from);
        let desk = self.scene.desk;
        if let Some(pause) = attempts::blocked(desk, &attempt) {
            return Err(Stopped::Paused(pause).into());
        }
        let right = verify.await?;
        match right {
            true => attempts::succeeded(desk, &attempt).await?,
            false => attempts::failed(desk, &attempt).await?,
        }
        Ok(right)
    }

    /// That document, if it exists.
    ///
    /// # Errors
    /// As [`subject`](Self::subject).
    pub fn profile(&self) -> Result<Option<Arc<Entry>>, Fault> {
        Ok(self.scene.desk.views().entry(&self.subject()?))
    }
}

impl Step {
    /// The only outcome.
    pub const fn done() -> Result<Self, Fault> {
        Ok(Self::Outcome(Cow::Borrowed(OUTCOME)))
    }

    /// An outcome with a name that is known.
    pub const fn to(outcome: &'static str) -> Result<Self, Fault> {
        Ok(Self::Outcome(Cow::Borrowed(outcome)))
    }

    /// `true` or `false`.
    pub const fn decided(yes: bool) -> Result<Self, Fault> {
        Self::to(if yes { "true" } else { "false" })
    }

    /// Questions without more around them.
    pub fn ask(callbacks: Vec<Callback>) -> Result<Self, Fault> {
        Ok(Self::Ask(Prompt { callbacks, ..Prompt::default() }))
    }
}

/// A node: its configuration, and what it does.
trait Node: DeserializeOwned {
    /// Does it.
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault>;

    /// Which values of the state it may ask for, that a node before it may have put there for one request only.
    fn inputs(&self) -> Inputs {
        Inputs::None
    }
}

/// Configuration of an inner tree evaluator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InnerTree {
    /// Which tree.
    pub tree: String,
    /// Whether a fault inside is an outcome of its own.
    #[serde(default)]
    pub display_error_outcome: bool,
}

macro_rules! nodes {
    ($($node_type:literal => $name:ident: $config:path),* $(,)?) => {
        /// A node's configuration, read once per revision.
        #[derive(Debug)]
        pub enum NodeConfig {
            $(#[doc = $node_type] $name($config),)*
            /// A tree inside the tree.
            InnerTree(InnerTree),
            /// Nobody knows what to do here; the cause is for the operator.
            Unusable(String),
        }

        /// All types that do something.
        pub const TYPES: &[&str] = &[$($node_type,)* "InnerTreeEvaluatorNode"];

        impl NodeConfig {
            /// Reads the configuration of a node.
            pub fn parse(node_type: &str, stored: &Value) -> Self {
                let stored = without_nulls(stored);
                let unreadable = |error: serde_json::Error| Self::Unusable(format!("its configuration cannot be read: {error}"));
                match node_type {
                    $($node_type => <$config>::deserialize(stored).map_or_else(unreadable, Self::$name),)*
                    "InnerTreeEvaluatorNode" => InnerTree::deserialize(stored).map_or_else(unreadable, Self::InnerTree),
                    other => Self::Unusable(format!("nodes of type {other} are not supported here")),
                }
            }

            /// Does what the node does.
            ///
            /// # Errors
            /// See [`Fault`].
            pub async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
                match self {
                    $(Self::$name(config) => config.visit(visit).await,)*
                    Self::InnerTree(_) => Err(Fault::of("a tree cannot be evaluated here")),
                    Self::Unusable(cause) => Err(Fault::of(cause.clone())),
                }
            }

            /// Which values of the state it may ask for.
            pub fn inputs(&self) -> Inputs {
                match self {
                    $(Self::$name(config) => config.inputs(),)*
                    // What the nodes of another tree ask for is not looked up.
                    Self::InnerTree(_) => Inputs::All,
                    Self::Unusable(_) => Inputs::None,
                }
            }
        }
    };
}

nodes! {
    "ZeroPageLoginNode" => ZeroPageLogin: credentials::ZeroPageLogin,
    "UsernameCollectorNode" => UsernameCollector: credentials::UsernameCollector,
    "PasswordCollectorNode" => PasswordCollector: credentials::PasswordCollector,
    "ValidatedUsernameNode" => ValidatedUsername: credentials::ValidatedUsername,
    "ValidatedPasswordNode" => ValidatedPassword: credentials::ValidatedPassword,
    "DataStoreDecisionNode" => DataStoreDecision: credentials::DataStoreDecision,
    "AgentDataStoreDecisionNode" => AgentDataStoreDecision: credentials::AgentDataStoreDecision,
    "IdentityStoreDecisionNode" => IdentityStoreDecision: credentials::IdentityStoreDecision,
    "AnonymousUserNode" => AnonymousUser: credentials::AnonymousUser,
    "AccountActiveDecisionNode" => AccountActiveDecision: account::AccountActiveDecision,
    "AccountLockoutNode" => AccountLockout: account::AccountLockout,
    "RetryLimitDecisionNode" => RetryLimitDecision: account::RetryLimitDecision,
    "AuthLevelDecisionNode" => AuthLevelDecision: account::AuthLevelDecision,
    "ModifyAuthLevelNode" => ModifyAuthLevel: account::ModifyAuthLevel,
    "PageNode" => Page: presentation::Page,
    "ChoiceCollectorNode" => ChoiceCollector: presentation::ChoiceCollector,
    "MessageNode" => Message: presentation::Message,
    "PollingWaitNode" => PollingWait: presentation::PollingWait,
    "MetadataNode" => Metadata: presentation::Metadata,
    "SetSuccessUrlNode" => SetSuccessUrl: flow::SetSuccessUrl,
    "SetFailureUrlNode" => SetFailureUrl: flow::SetFailureUrl,
    "SetSuccessDetailsNode" => SetSuccessDetails: flow::SetSuccessDetails,
    "SetFailureDetailsNode" => SetFailureDetails: flow::SetFailureDetails,
    "SetErrorDetailsNode" => SetErrorDetails: flow::SetErrorDetails,
    "UpdateJourneyTimeoutNode" => UpdateJourneyTimeout: flow::UpdateJourneyTimeout,
    "TimerStartNode" => TimerStart: flow::TimerStart,
    "TimerStopNode" => TimerStop: flow::TimerStop,
    "MeterNode" => Meter: flow::Meter,
    "DebugNode" => Debug: flow::Debug,
    "SetSessionPropertiesNode" => SetSessionProperties: data::SetSessionProperties,
    "RemoveSessionPropertiesNode" => RemoveSessionProperties: data::RemoveSessionProperties,
    "SessionDataNode" => SessionData: data::SessionData,
    "SetStateNode" => SetState: data::SetState,
    "CookiePresenceDecisionNode" => CookiePresenceDecision: data::CookiePresenceDecision,
    "SetCustomCookieNode" => SetCustomCookie: data::SetCustomCookie,
    "SetPersistentCookieNode" => SetPersistentCookie: persistent::SetPersistentCookie,
    "PersistentCookieDecisionNode" => PersistentCookieDecision: persistent::PersistentCookieDecision,
    "RequestHeaderNode" => RequestHeader: data::RequestHeader,
    "QueryParameterNode" => QueryParameter: data::QueryParameter,
    "OneTimePasswordGeneratorNode" => OneTimePasswordGenerator: one_time::OneTimePasswordGenerator,
    "OneTimePasswordCollectorDecisionNode" => OneTimePasswordCollector: one_time::OneTimePasswordCollector,
    "OathRegistrationNode" => OathRegistration: oath::OathRegistration,
    "OathTokenVerifierNode" => OathTokenVerifier: oath::OathTokenVerifier,
    "RecoveryCodeDisplayNode" => RecoveryCodeDisplay: oath::RecoveryCodeDisplay,
    "RecoveryCodeCollectorDecisionNode" => RecoveryCodeCollector: oath::RecoveryCodeCollector,
    "ScriptedDecisionNode" => ScriptedDecision: scripted::ScriptedDecision,
}
