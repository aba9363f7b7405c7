//! Attributes of Identity Gateway agents (oauth2-config.md §14.4).

use super::{AgentType, checks::web_url};
use crate::rest::schema::{Attribute as A, Schema, Section};
use quorate_raft::Kind;

/// The type.
pub static IDENTITY_GATEWAY: AgentType = AgentType {
    kind: Kind::IdentityGateway,
    id: "IdentityGatewayAgent",
    listed: "Identity Gateway Agents",
    name: "Identity Gateway Agents",
    schema: Schema { sections: &[Section { name: "", title: "", bare: false, attributes: ATTRIBUTES }], opaque: &[] },
    status: "/status",
    shows_password: true,
};

const ATTRIBUTES: &[A] = &[
    A::choice("status", "Status", &["Active", "Inactive"], "Active"),
    A::secret("userpassword", "Password"),
    A::list_of("igCdssoRedirectUrls", "Redirect URLs for CDSSO", web_url, &[]),
    A::text("igCdssoLoginUrlTemplate", "Login URL Template for CDSSO"),
    A::choice("igTokenIntrospection", "Token Introspection", &["None", "Realm", "Realm_Subs"], "None"),
    A::unset("secretLabelIdentifier", "Secret Label Identifier"),
    A::unset("agentgroup", "Group"),
];
