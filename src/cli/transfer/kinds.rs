//! The kinds of object, in the order in which they are imported: what is referred to comes first.

use super::Item;
use crate::crest::percent;

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Under ids.
    Collection,
    /// Under ids, and each is one thing of a realm: a service.
    Service,
    /// At the path itself.
    Singleton,
    /// Realms: created by POST, and their id is made of their path.
    Realm,
}

/// How it is told of what type an object is, where a kind has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subtype {
    /// It has none.
    None,
    /// It is always this.
    Fixed(&'static str),
    /// `_type._id` says so.
    OfBody,
}

/// A kind of object.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// What reports call it.
    pub name: &'static str,
    /// The member of frodo's exports that holds it.
    pub member: &'static str,
    /// What frodo calls a file with one of it.
    pub file: &'static str,
    /// What Amster calls it.
    pub entities: &'static [&'static str],
    /// Where it is below the realm; `{type}` is the type.
    pub path: &'static str,
    /// `Accept-API-Version`.
    pub version: &'static str,
    /// Where instances are.
    pub shape: Shape,
    /// Its type.
    pub subtype: Subtype,
    /// The member of an instance that is its id.
    pub id: &'static str,
    /// Whether lists mean something by their order.
    pub ordered: bool,
    /// Whether an update puts what is left out back to its default.
    pub resets: bool,
    /// Whether `_action=schema` tells which attributes there are.
    pub described: bool,
    /// Members that the server sets.
    pub ignored: &'static [&'static str],
}

const STAMPS: &[&str] =
    &["createdBy", "creationDate", "lastModifiedBy", "lastModifiedDate", "createdDate", "lastModified"];

const SMS: &str = "protocol=2.1,resource=1.0";

const BASE: Kind = Kind {
    name: "",
    member: "",
    file: "",
    entities: &[],
    path: "",
    version: SMS,
    shape: Shape::Collection,
    subtype: Subtype::None,
    id: "_id",
    ordered: false,
    resets: false,
    described: false,
    ignored: &[],
};

/// All kinds.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "realm",
        member: "realm",
        file: "realm",
        entities: &["Realms"],
        path: "/global-config/realms",
        version: "protocol=2.0,resource=1.0",
        shape: Shape::Realm,
        ..BASE
    },
    Kind {
        name: "script",
        member: "script",
        file: "script",
        entities: &["Scripts"],
        path: "scripts",
        version: "protocol=2.0,resource=1.0",
        ordered: true,
        ignored: STAMPS,
        ..BASE
    },
    Kind {
        name: "authentication",
        member: "authentication",
        file: "authentication.settings",
        entities: &["Authentication"],
        path: "realm-config/authentication",
        version: "protocol=1.0,resource=2.0",
        shape: Shape::Singleton,
        described: true,
        ..BASE
    },
    Kind {
        name: "service",
        member: "service",
        file: "service",
        entities: &[],
        path: "realm-config/services",
        shape: Shape::Service,
        described: true,
        ..BASE
    },
    Kind {
        name: "resourcetype",
        member: "resourcetype",
        file: "resourcetype",
        entities: &["ResourceTypes"],
        path: "resourcetypes",
        version: "protocol=1.0,resource=1.0",
        id: "uuid",
        ignored: STAMPS,
        ..BASE
    },
    Kind {
        name: "policyset",
        member: "policyset",
        file: "policyset",
        entities: &["Applications", "PolicySets"],
        path: "applications",
        version: "protocol=1.0,resource=2.1",
        id: "name",
        ignored: STAMPS,
        ..BASE
    },
    Kind {
        name: "policy",
        member: "policy",
        file: "policy",
        entities: &["Policies"],
        path: "policies",
        version: "protocol=1.0,resource=2.1",
        id: "name",
        ignored: STAMPS,
        ..BASE
    },
    Kind {
        name: "agentGroup",
        member: "agentGroup",
        file: "agentGroup",
        entities: &[
            "OAuth2ClientGroups",
            "IdentityGatewayAgentGroups",
            "TrustedJwtIssuerGroups",
            "SoftwarePublisherGroups",
        ],
        path: "realm-config/agents/groups/{type}",
        subtype: Subtype::OfBody,
        resets: true,
        ..BASE
    },
    Kind {
        name: "OAuth2Client",
        member: "application",
        file: "oauth2.app",
        entities: &["OAuth2Clients"],
        path: "realm-config/agents/{type}",
        subtype: Subtype::Fixed("OAuth2Client"),
        resets: true,
        described: true,
        ..BASE
    },
    Kind {
        name: "TrustedJwtIssuer",
        member: "trustedJwtIssuer",
        file: "trustedJwtIssuer",
        entities: &["TrustedJwtIssuer", "TrustedJwtIssuers", "OAuth2TrustedJwtIssuers"],
        path: "realm-config/agents/{type}",
        subtype: Subtype::Fixed("TrustedJwtIssuer"),
        resets: true,
        described: true,
        ..BASE
    },
    Kind {
        name: "agent",
        member: "agent",
        file: "agent",
        entities: &[
            "IdentityGatewayAgents",
            "WebAgents",
            "J2eeAgents",
            "SoftwarePublisher",
            "SoftwarePublishers",
            "RemoteConsentAgent",
            "RemoteConsentAgents",
            "SoapStsAgents",
        ],
        path: "realm-config/agents/{type}",
        subtype: Subtype::OfBody,
        resets: true,
        described: true,
        ..BASE
    },
    NODE,
    TREE,
    Kind {
        name: "user",
        member: "user",
        file: "user",
        entities: &["Users"],
        path: "users",
        version: "protocol=2.0,resource=4.0",
        ignored: &[
            "createTimestamp",
            "modifyTimestamp",
            "universalid",
            "dn",
            "realm",
            "objectClass",
            "uid",
            "isMemberOf",
        ],
        ..BASE
    },
    Kind {
        name: "group",
        member: "userGroup",
        file: "userGroup",
        entities: &["Groups"],
        path: "groups",
        version: "protocol=2.0,resource=4.0",
        ignored: &[
            "createTimestamp",
            "modifyTimestamp",
            "universalid",
            "dn",
            "realm",
            "objectClass",
            "objectclass",
            "cn",
        ],
        ..BASE
    },
];

/// Nodes of journeys: in frodo's exports they lie inside of their journey.
const NODE: Kind = Kind {
    name: "node",
    member: "nodes",
    file: "node",
    entities: &[],
    path: "realm-config/authentication/authenticationtrees/nodes/{type}",
    subtype: Subtype::OfBody,
    ordered: true,
    ..BASE
};

/// Journeys.
const TREE: Kind = Kind {
    name: "journey",
    member: "trees",
    file: "journey",
    entities: &["AuthTree"],
    path: "realm-config/authentication/authenticationtrees/trees",
    ordered: true,
    ..BASE
};

impl Kind {
    /// The kind that a member of frodo's exports holds.
    pub fn of_member(member: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.member == member)
    }

    /// The kind of an entity of Amster.
    pub fn of_entity(entity: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.entities.contains(&entity))
    }

    /// Its place in the order of import.
    pub fn order(&self) -> usize {
        KINDS.iter().position(|kind| kind == self).unwrap_or(KINDS.len())
    }

    /// Where instances are created and listed, below `/json`.
    pub fn collection(&self, realm: &str, subtype: Option<&str>) -> String {
        match self.shape {
            Shape::Realm => self.path.to_owned(),
            _ => {
                let path = self.path.replace("{type}", &percent::encode(subtype.unwrap_or_default()));
                format!("{}/{path}", super::realm_path(realm))
            }
        }
    }
}

impl Item {
    /// Where it is, below `/json`.
    pub fn path(&self) -> String {
        let collection = self.kind.collection(&self.realm, self.subtype.as_deref());
        match self.kind.shape {
            Shape::Singleton => collection,
            Shape::Realm | Shape::Collection | Shape::Service => format!("{collection}/{}", percent::encode(&self.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_references_come_first() {
        let mut members = BTreeSet::new();
        for kind in KINDS {
            assert!(members.insert(kind.member), "{} twice", kind.member);
        }
        let order = |member: &str| Kind::of_member(member).map(Kind::order);
        for (first, then) in [
            ("realm", "script"),
            ("script", "service"),
            ("resourcetype", "policyset"),
            ("policyset", "policy"),
            ("script", "policy"),
            ("agentGroup", "application"),
            ("agentGroup", "agent"),
            ("script", "application"),
            ("nodes", "trees"),
            ("script", "nodes"),
            ("user", "userGroup"),
        ] {
            assert!(order(first).is_some() && order(first) < order(then), "{first} before {then}");
        }
    }

    #[test]
    fn places_in_the_api() {
        let item = |member: &str, subtype: Option<&str>, id: &str| {
            let kind = Kind::of_member(member).expect("a kind");
            let (subtype, id) = (subtype.map(str::to_owned), id.to_owned());
            Item { kind, realm: "/alpha".into(), subtype, id, body: Default::default(), notes: Vec::new() }.path()
        };
        let alpha = "/realms/root/realms/alpha";
        assert_eq!(item("realm", None, "L2FscGhh"), "/global-config/realms/L2FscGhh");
        assert_eq!(item("service", None, "oauth-oidc"), format!("{alpha}/realm-config/services/oauth-oidc"));
        assert_eq!(item("authentication", None, ""), format!("{alpha}/realm-config/authentication"));
        assert_eq!(
            item("agent", Some("IdentityGatewayAgent"), "a b"),
            format!("{alpha}/realm-config/agents/IdentityGatewayAgent/a%20b")
        );
        assert_eq!(item("policy", None, "a/b"), format!("{alpha}/policies/a%2Fb"));
    }
}
