//! What a line of an audit topic says (authn-sessions-realms.md f.6).
//!
//! | f.6                    | here                                                        |
//! |------------------------|-------------------------------------------------------------|
//! | topics                 | [`Topic`]                                                   |
//! | common keys            | [`Head`], `Line`                                          |
//! | keys of each topic     | [`Body`]: [`Access`], [`Change`], [`Authentication`]        |
//! | components             | [`Component`]                                               |
//! | event names            | constants below, each beside what is built with it          |

use super::{access::Access, authentication::Authentication, change::Change, redact::Redactor};
use crate::crest::Object;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{borrow::Cow, str::FromStr, sync::Arc};

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Requests and what came of them.
    Access,
    /// Sessions, users and groups that changed.
    Activity,
    /// Who tried to log in.
    Authentication,
    /// Configuration that changed.
    Config,
}

/// The text is no topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be access, activity, authentication or config")]
pub struct NoTopic;

impl Topic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Access, Self::Activity, Self::Authentication, Self::Config];

    /// In events, file names, paths and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Activity => "activity",
            Self::Authentication => "authentication",
            Self::Config => "config",
        }
    }
}

impl FromStr for Topic {
    type Err = NoTopic;

    fn from_str(text: &str) -> Result<Self, NoTopic> {
        Self::ALL.into_iter().find(|topic| topic.name() == text).ok_or(NoTopic)
    }
}

/// The part of the service, or beside it, that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// OAuth 2.0 and OpenID Connect.
    OAuth,
    /// The token store.
    Cts,
    /// Agents that enforce policies.
    PolicyAgent,
    /// Logins.
    Authentication,
    /// The dashboard.
    Dashboard,
    /// What clients ask first.
    ServerInfo,
    /// Users.
    Users,
    /// Groups.
    Groups,
    /// One-time passwords.
    Oath,
    /// Users' devices.
    Devices,
    /// Policy administration and decisions.
    Policy,
    /// Realms.
    Realms,
    /// Sessions.
    Session,
    /// Scripts.
    Script,
    /// Everything else that administrators configure.
    Config,
    /// Security token service.
    Sts,
    /// Recordings for troubleshooting.
    Record,
    /// Events that others report.
    Audit,
    /// RADIUS.
    Radius,
    /// SAML 2.0.
    Saml2,
    /// User self-service.
    SelfService,
    /// Descriptions of the API.
    Documentation,
}

impl Component {
    /// All of them, in the order of f.6.
    pub const ALL: [Self; 22] = [
        Self::OAuth,
        Self::Cts,
        Self::PolicyAgent,
        Self::Authentication,
        Self::Dashboard,
        Self::ServerInfo,
        Self::Users,
        Self::Groups,
        Self::Oath,
        Self::Devices,
        Self::Policy,
        Self::Realms,
        Self::Session,
        Self::Script,
        Self::Config,
        Self::Sts,
        Self::Record,
        Self::Audit,
        Self::Radius,
        Self::Saml2,
        Self::SelfService,
        Self::Documentation,
    ];

    /// As f.6 spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OAuth => "OAuth",
            Self::Cts => "CTS",
            Self::PolicyAgent => "Policy Agent",
            Self::Authentication => "Authentication",
            Self::Dashboard => "Dashboard",
            Self::ServerInfo => "Server Info",
            Self::Users => "Users",
            Self::Groups => "Groups",
            Self::Oath => "Oath",
            Self::Devices => "Devices",
            Self::Policy => "Policy",
            Self::Realms => "Realms",
            Self::Session => "Session",
            Self::Script => "Script",
            Self::Config => "Config",
            Self::Sts => "STS",
            Self::Record => "Record",
            Self::Audit => "Audit",
            Self::Radius => "Radius",
            Self::Saml2 => "SAML2",
            Self::SelfService => "Self Service",
            Self::Documentation => "Documentation",
        }
    }

    /// The component of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|component| component.name() == name)
    }
}

/// What every event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Epoch milliseconds, by the clock of the node that saw it.
    pub at: i64,
    /// The name of the event.
    pub name: Cow<'static, str>,
    /// What the event belongs to, across systems.
    pub transaction: Arc<str>,
    /// Universal id of whoever did it, if that is known.
    pub user_id: Option<Arc<str>>,
    /// Tracking ids of sessions and tokens that it is about.
    pub tracking_ids: Vec<Arc<str>>,
    /// The part of the service.
    pub component: Component,
    /// The realm, if there is one.
    pub realm: Option<Arc<str>>,
}

/// What an event says beyond its head.
#[derive(Debug)]
pub enum Body {
    /// A request, or what came of it.
    Access(Box<Access>),
    /// Something changed.
    Change(Box<Change>),
    /// A login, or a step of one.
    Authentication(Box<Authentication>),
    /// What somebody else reports, checked.
    Reported(Object),
}

/// An event on its way to the sinks.
#[derive(Debug)]
pub struct Event {
    /// Where it goes.
    pub topic: Topic,
    /// What every event says.
    pub head: Head,
    /// The rest.
    pub body: Body,
}

/// An event as it is written: with its id, and without what must not be written.
pub(super) struct Line<'e> {
    pub id: String,
    pub event: &'e Event,
    pub redactor: &'e Redactor,
}

/// ISO 8601, milliseconds, UTC.
pub(super) fn timestamp(millis: i64) -> String {
    Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Event { topic, head, body } = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("_id", &self.id)?;
        map.serialize_entry("timestamp", &timestamp(head.at))?;
        map.serialize_entry("eventName", &*head.name)?;
        map.serialize_entry("transactionId", &*head.transaction)?;
        if let Some(user) = &head.user_id {
            map.serialize_entry("userId", &**user)?;
        }
        if !head.tracking_ids.is_empty() {
            let ids: Vec<&str> = head.tracking_ids.iter().map(|id| &**id).collect();
            map.serialize_entry("trackingIds", &ids)?;
        }
        let members = match body {
            Body::Access(access) => access.members(self.redactor),
            Body::Change(change) => change.members(self.redactor),
            Body::Authentication(authentication) => authentication.members(),
            Body::Reported(members) => members.clone(),
        };
        for (name, value) in self.redactor.filtered(*topic, members) {
            map.serialize_entry(&name, &value)?;
        }
        if let Some(realm) = &head.realm {
            map.serialize_entry("realm", &**realm)?;
        }
        map.serialize_entry("component", head.component.name())?;
        map.serialize_entry("source", "audit")?;
        map.serialize_entry("topic", topic.name())?;
        map.serialize_entry("level", "INFO")?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_times() {
        for topic in Topic::ALL {
            assert_eq!(topic.name().parse(), Ok(topic));
        }
        assert_eq!("Access".parse::<Topic>(), Err(NoTopic));
        assert_eq!(timestamp(1_735_787_045_678), "2025-01-02T03:04:05.678Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
    }
}
