//! `/json/{realm}/realm-config/authentication/modules`: authentication modules (authn-sessions-realms.md a.18). Types that
//! are not listed here are kept as they come, for imports.

use super::{
    catalogue::{ConfigType, ORDINARY, Outcomes, attributes},
    instances::Family,
};
use crate::{crest::Version, rest::schema::Attribute as A};
use quorate_raft::Kind;

/// The family.
pub static MODULES: Family = Family {
    path: "realm-config/authentication/modules",
    kind: Kind::AuthenticationModule,
    types: || TYPES.iter().collect(),
    versions: &[Version(1, 0), Version(2, 0)],
    nodes: false,
};

const TYPES: &[ConfigType] = &[
    ConfigType {
        id: "datastore",
        name: "Data Store",
        help: "Verifies user name and password.",
        outcomes: Outcomes::None,
        schema: attributes![A::int("authenticationLevel", "Authentication Level", 0, 0)],
        ..ORDINARY
    },
    ConfigType {
        id: "amster",
        name: "ForgeRock Amster",
        help: "Verifies a signed JWT with one of the authorized keys.",
        outcomes: Outcomes::None,
        schema: attributes![
            A::text("authorizedKeys", "Authorized Keys"),
            A::flag("enabled", "Enabled", true),
            A::int("authenticationLevel", "Authentication Level", 0, 0),
        ],
        ..ORDINARY
    },
    ConfigType {
        id: "ldap",
        name: "LDAP",
        help: "Verifies user name and password against a directory.",
        outcomes: Outcomes::None,
        schema: attributes![
            A::list("primaryLdapServer", "Primary LDAP Server"),
            A::list("secondaryLdapServer", "Secondary LDAP Server"),
            A::list("userSearchStartDN", "DN to Start User Search"),
            A::text("userBindDN", "Bind User DN"),
            A::secret("userBindPassword", "Bind User Password"),
            A::int("authenticationLevel", "Authentication Level", 0, 0),
        ],
        open: true,
        ..ORDINARY
    },
];
