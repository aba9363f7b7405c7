//! Agents that are kept so that they can be imported and exported, and are identities (oauth2-config.md §14.6). What they have
//! in their groups of attributes is theirs: it is bounded, and otherwise taken as it comes. Nothing that sounds like a secret
//! is kept but the verifier of their password.

use super::AgentType;
use crate::rest::schema::{Attribute as A, Schema, Section};
use quorate_raft::Kind;

const fn agent(id: &'static str, listed: &'static str, name: &'static str, sections: &'static [Section]) -> AgentType {
    AgentType {
        kind: Kind::Agent,
        id,
        listed,
        name,
        schema: Schema { sections, opaque: &[] },
        shows_password: false,
        unique: None,
        signs_in: true,
    }
}

const fn open(name: &'static str, title: &'static str, attributes: &'static [A]) -> Section {
    Section { name, title, bare: false, attributes }
}

const STATUS: A = A::choice("status", "Status", &["Active", "Inactive"], "Active");
const PASSWORD: A = A::secret("userpassword", "Password");
const GROUP: A = A::group("agentgroup", "Group");

const TOP: &[A] = &[PASSWORD, GROUP];
const GLOBAL: &[A] = &[STATUS, PASSWORD, A::others("Global")];
const APPLICATION: &[A] = &[A::others("Application")];
const SSO: &[A] = &[A::others("SSO")];
const SERVICES: &[A] = &[A::others("Access Management Services")];
const MISC: &[A] = &[A::others("Miscellaneous")];
const ADVANCED: &[A] = &[A::others("Advanced")];

/// A web agent.
pub static WEB_AGENT: AgentType = agent(
    "WebAgent",
    "Web Agents",
    "Web Agents",
    &[
        open("globalWebAgentConfig", "Global", GLOBAL),
        open("applicationWebAgentConfig", "Application", APPLICATION),
        open("ssoWebAgentConfig", "SSO", SSO),
        open("amServicesWebAgent", "Access Management Services", SERVICES),
        open("miscWebAgentConfig", "Miscellaneous", MISC),
        open("advancedWebAgentConfig", "Advanced", ADVANCED),
        open("", "", TOP),
    ],
);

/// A Java agent.
pub static J2EE_AGENT: AgentType = agent(
    "J2EEAgent",
    "J2EE Agents",
    "J2EE Agents",
    &[
        open("globalJ2EEAgentConfig", "Global", GLOBAL),
        open("applicationJ2EEAgentConfig", "Application", APPLICATION),
        open("ssoJ2EEAgentConfig", "SSO", SSO),
        open("amServicesJ2EEAgent", "Access Management Services", SERVICES),
        open("miscJ2EEAgentConfig", "Miscellaneous", MISC),
        open("advancedJ2EEAgentConfig", "Advanced", ADVANCED),
        open("", "", TOP),
    ],
);

/// An agent that reads the profiles of others.
pub static SHARED_AGENT: AgentType = agent(
    "SharedAgent",
    "Shared Agents",
    "Shared Agents",
    &[open("", "", &[STATUS, PASSWORD, A::others("Agent Profiles allowed to Read")])],
);

/// An agent of the SOAP security token service.
pub static SOAP_STS_AGENT: AgentType = agent(
    "SoapSTSAgent",
    "Soap STS Agents",
    "SOAP STS Agents",
    &[open(
        "",
        "",
        &[
            STATUS,
            PASSWORD,
            GROUP,
            A::int("publishServicePollInterval", "Poll Interval", 1, 300),
            A::others("SOAP STS"),
        ],
    )],
);
