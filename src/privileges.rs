//! Who may do what over REST (authn-sessions-realms.md part g, authorization.md §2.11). Deny by default: what no row below
//! grants, nobody but `amAdmin` may do.
//!
//! | source    | it says                                                        | here                                |
//! |-----------|----------------------------------------------------------------|-------------------------------------|
//! | g.1       | `amAdmin` may do everything everywhere                          | [`Caller::may`]                     |
//! | g.2       | 22 privileges, held by groups of a realm                        | [`Privilege`], [`Privileges`]       |
//! | g.2       | also by all authenticated users                                 | [`held`]                            |
//! | g.2       | effective in the realm of the login and below it                | [`Caller::privileges_in`]           |
//! | g.2, §2.11| which privilege grants what                                     | `GRANTS`                            |
//! | g.3       | which right a request needs                                     | [`Right::of`]                       |
//! | g.3       | an action without mapping is refused                            | [`Call::permits`]                   |
//! | §2.11     | agents may evaluate, in any realm                               | [`Caller::may`]                     |
//! | §2.11     | whoever holds a policy privilege reads the catalogues           | `GRANTS`, [`Endpoint::is_catalogue`]|
//! | AD-02     | nobody gets at one who may do more                              | [`Caller::outranks`]                |
//!
//! What a caller holds is looked up with every request, after the barrier: by the groups of the user, of which each has its
//! privileges compiled once per revision. A privilege that is taken away is gone with the write that took it, on every node;
//! the session stays.

use crate::{
    bootstrap::ADMINISTRATOR_ID,
    caller::{Caller, Role},
    crest::{Call, Error, Verb},
    groups::{self, Group},
    views::Views,
};
use quorate_raft::{DocumentKey, Kind, RealmPath, sessions::SessionData};

macro_rules! privileges {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What a group can be given (g.2): the names are those of the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Privilege {
            $($(#[$doc])* $name,)+
        }

        impl Privilege {
            /// All of them, in the order of the reference.
            pub const ALL: [Self; 22] = [$(Self::$name),+];

            /// Its name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

privileges! {
    /// Everything in the realm.
    RealmAdmin,
    /// Policies and what belongs to them, but not asking them.
    PolicyAdmin,
    /// Reading realms.
    RealmReadAccess,
    /// Agents and clients.
    AgentAdmin,
    /// SAML 2.0 and WS-Federation metadata; there is none here, so it grants nothing.
    FederationAdmin,
    /// The logging service; there is none here, so it grants nothing.
    LogAdmin,
    /// As `LogAdmin`.
    LogRead,
    /// As `LogAdmin`.
    LogWrite,
    /// Asking policies.
    EntitlementRestAccess,
    /// Reading policies.
    PrivilegeRestReadAccess,
    /// Reading and writing policies.
    PrivilegeRestAccess,
    /// Reading policy sets.
    ApplicationReadAccess,
    /// Reading and writing policy sets.
    ApplicationModifyAccess,
    /// Reading resource types.
    ResourceTypeReadAccess,
    /// Reading and writing resource types.
    ResourceTypeModifyAccess,
    /// Reading the catalogue of kinds of policy set.
    ApplicationTypesReadAccess,
    /// Reading the catalogue of conditions.
    ConditionTypesReadAccess,
    /// Reading the catalogue of subjects.
    SubjectTypesReadAccess,
    /// Reading the catalogue of decision combiners.
    DecisionCombinersReadAccess,
    /// Reading the names of profile attributes.
    SubjectAttributesReadAccess,
    /// Properties of others' sessions.
    SessionPropertyModifyAccess,
    /// Caches; there are none to manage here, so it grants nothing.
    CacheAdmin,
}

impl Privilege {
    /// The privilege of that name; letter case counts.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|privilege| privilege.name() == name)
    }
}

/// A set of privileges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges(u32);

impl Privileges {
    /// None.
    pub const NONE: Self = Self(0);

    /// Every one there is.
    pub const ALL: Self = Self((1 << Privilege::ALL.len()) - 1);

    /// Whether `privilege` is among them.
    pub const fn has(self, privilege: Privilege) -> bool {
        self.0 & (1 << privilege as u32) != 0
    }

    /// These and `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These and what they imply: an administrator of the realm may do whatever any of them grants.
    #[must_use]
    pub const fn implied(self) -> Self {
        if self.has(Privilege::RealmAdmin) { Self::ALL } else { self }
    }
}

impl FromIterator<Privilege> for Privileges {
    fn from_iter<I: IntoIterator<Item = Privilege>>(privileges: I) -> Self {
        Self(privileges.into_iter().fold(0, |bits, privilege| bits | 1 << privilege as u32))
    }
}

/// What a request is about, as far as privileges tell things apart (`rest/1.0/<endpoint>` of g.3). A resource names its
/// endpoint once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Everything that only administrators of the realm may touch: `realm-config`, `groups`, `scripts` and, in the
    /// top-level realm, `global-config`. What does not say otherwise is this.
    Configuration,
    /// `users`
    Users,
    /// `realm-config/agents`
    Agents,
    /// `realms`, `global-config/realms`
    Realms,
    /// Properties of sessions.
    SessionProperties,
    /// `policies`
    Policies,
    /// `applications`
    Applications,
    /// `resourcetypes`
    ResourceTypes,
    /// `applicationtypes`
    ApplicationTypes,
    /// `conditiontypes`
    ConditionTypes,
    /// `subjecttypes`
    SubjectTypes,
    /// `decisioncombiners`
    DecisionCombiners,
    /// `subjectattributes`
    SubjectAttributes,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Configuration,
        Self::Users,
        Self::Agents,
        Self::Realms,
        Self::SessionProperties,
        Self::Policies,
        Self::Applications,
        Self::ResourceTypes,
        Self::ApplicationTypes,
        Self::ConditionTypes,
        Self::SubjectTypes,
        Self::DecisionCombiners,
        Self::SubjectAttributes,
    ];

    /// Lists of what the policy engine knows: no secrets, and needed to make sense of the rest.
    pub const fn is_catalogue(self) -> bool {
        matches!(
            self,
            Self::ApplicationTypes
                | Self::ConditionTypes
                | Self::SubjectTypes
                | Self::DecisionCombiners
                | Self::SubjectAttributes
        )
    }

    /// Whether the layer in front of the resource knows every action, so that it refuses the others itself, whoever asks.
    const fn knows_every_action(self) -> bool {
        matches!(self, Self::Policies)
    }
}

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Look.
    Read,
    /// Change.
    Modify,
    /// Ask policies for a decision.
    Evaluate,
    /// Ask policies for their reasons, or for what others would decide. Not the reference's: it tells what policies say, and
    /// is nobody's who may only ask (PD-14).
    Explain,
}

impl Right {
    /// What `verb` needs at `endpoint` (g.3); `None` for an action that is in no table.
    pub fn of(endpoint: Endpoint, verb: &Verb) -> Option<Self> {
        Some(match verb {
            Verb::Read(_) | Verb::Query(_) => Self::Read,
            Verb::Action(name, _) => return Self::of_action(endpoint, name),
            _ => Self::Modify,
        })
    }

    fn of_action(endpoint: Endpoint, name: &str) -> Option<Self> {
        Some(match (endpoint, name) {
            (Endpoint::Policies, "evaluate" | "evaluateTree") => Self::Evaluate,
            (Endpoint::Policies, "explain" | "whatif") => Self::Explain,
            (Endpoint::SessionProperties, "getProperty" | "getPropertyNames" | "setProperty" | "deleteProperty") => {
                Self::Modify
            }
            (Endpoint::Users, "setGroups" | "updateMemberships" | "changePassword" | "unassignServices" | "reset") => {
                Self::Modify
            }
            (_, "copy" | "move" | "clone") => Self::Modify,
            (
                _,
                "schema" | "validate" | "template" | "getAllTypes" | "getCreatableTypes" | "getType"
                | "nextdescendents" | "listOutputs",
            ) => Self::Read,
            _ => return None,
        })
    }
}

const READ: &[Right] = &[Right::Read];
const WRITE: &[Right] = &[Right::Read, Right::Modify];

/// Which privilege grants what, beside `RealmAdmin`, which grants all of it.
const GRANTS: &[(Privilege, Endpoint, &[Right])] = &[
    (Privilege::PolicyAdmin, Endpoint::Policies, &[Right::Read, Right::Modify, Right::Explain]),
    (Privilege::PolicyAdmin, Endpoint::Applications, WRITE),
    (Privilege::PolicyAdmin, Endpoint::ResourceTypes, WRITE),
    (Privilege::PolicyAdmin, Endpoint::SessionProperties, WRITE),
    (Privilege::PolicyAdmin, Endpoint::Realms, READ),
    (Privilege::RealmReadAccess, Endpoint::Realms, READ),
    (Privilege::AgentAdmin, Endpoint::Agents, WRITE),
    (Privilege::EntitlementRestAccess, Endpoint::Policies, &[Right::Evaluate]),
    (Privilege::PrivilegeRestReadAccess, Endpoint::Policies, READ),
    (Privilege::PrivilegeRestAccess, Endpoint::Policies, WRITE),
    (Privilege::ApplicationReadAccess, Endpoint::Applications, READ),
    (Privilege::ApplicationModifyAccess, Endpoint::Applications, WRITE),
    (Privilege::ResourceTypeReadAccess, Endpoint::ResourceTypes, READ),
    (Privilege::ResourceTypeModifyAccess, Endpoint::ResourceTypes, WRITE),
    (Privilege::SessionPropertyModifyAccess, Endpoint::SessionProperties, WRITE),
];

/// Privileges of the policy service: any one of them opens the catalogues (§2.11).
const POLICY_PRIVILEGES: [Privilege; 13] = [
    Privilege::PolicyAdmin,
    Privilege::EntitlementRestAccess,
    Privilege::PrivilegeRestReadAccess,
    Privilege::PrivilegeRestAccess,
    Privilege::ApplicationReadAccess,
    Privilege::ApplicationModifyAccess,
    Privilege::ResourceTypeReadAccess,
    Privilege::ResourceTypeModifyAccess,
    Privilege::ApplicationTypesReadAccess,
    Privilege::ConditionTypesReadAccess,
    Privilege::SubjectTypesReadAccess,
    Privilege::DecisionCombinersReadAccess,
    Privilege::SubjectAttributesReadAccess,
];

impl Privileges {
    /// Whether they grant `right` at `endpoint`.
    pub fn grant(self, endpoint: Endpoint, right: Right) -> bool {
        if self.has(Privilege::RealmAdmin) {
            return true;
        }
        if endpoint.is_catalogue() && right == Right::Read {
            return POLICY_PRIVILEGES.into_iter().any(|privilege| self.has(privilege));
        }
        GRANTS.iter().any(|&(privilege, at, rights)| at == endpoint && self.has(privilege) && rights.contains(&right))
    }
}

/// What the subject of a session holds in the realm of its login: from its groups there, and from what all authenticated
/// users of that realm were given.
pub fn held(views: &Views, data: &SessionData) -> Privileges {
    let subject = &data.subject;
    if subject.kind != Kind::User || subject.realm != data.realm {
        return Privileges::NONE;
    }
    of_user(views, &subject.realm, &subject.id)
}

/// What a user holds in its own realm.
pub fn of_user(views: &Views, realm: &RealmPath, id: &str) -> Privileges {
    let of = |group: &str| {
        let entry = views.document(realm, Kind::Group, group);
        entry.map_or(Privileges::NONE, |entry| Group::of(&entry).privileges)
    };
    let groups = views.groups_of(realm, id);
    groups.iter().map(|group| of(group)).fold(of(groups::EVERYBODY), Privileges::and)
}

impl Caller {
    /// What the caller holds as far as `realm` is concerned: that is the realm of the login, or below it.
    pub fn privileges_in(&self, realm: &RealmPath) -> Privileges {
        match self.role {
            Role::Administrator => Privileges::ALL,
            Role::User | Role::Agent if realm.is_within(self.realm()) => self.privileges.implied(),
            Role::User | Role::Agent => Privileges::NONE,
        }
    }

    /// Whether the caller may do this in `realm`.
    pub fn may(&self, endpoint: Endpoint, right: Right, realm: &RealmPath) -> bool {
        match self.role {
            Role::Administrator => true,
            Role::Agent if endpoint == Endpoint::Policies && right == Right::Evaluate => true,
            Role::Agent | Role::User => self.privileges_in(realm).grant(endpoint, right),
        }
    }

    /// Whether the caller may act upon a user who has other privileges: with no fewer than that user has. Nobody but
    /// `amAdmin` acts upon `amAdmin`.
    pub fn outranks(&self, views: &Views, user: &DocumentKey) -> bool {
        if self.role == Role::Administrator {
            return true;
        }
        if user.realm == RealmPath::root() && &*user.id == ADMINISTRATOR_ID {
            return false;
        }
        let theirs = of_user(views, &user.realm, &user.id).implied();
        theirs.without(self.privileges_in(&user.realm)).is_empty()
    }
}

impl Call<'_> {
    /// Lets those pass who may do `verb` at `endpoint` in the realm that is addressed.
    ///
    /// # Errors
    /// 401 without a session, 403 without the privilege or for an action that no privilege is about.
    pub fn permits(&self, endpoint: Endpoint, verb: &Verb) -> Result<(), Error> {
        let caller = self.signed_in()?;
        match Right::of(endpoint, verb) {
            Some(right) if caller.may(endpoint, right, self.realm) => Ok(()),
            Some(_) => Err(Error::insufficient_privileges()),
            // The resource says what it thinks of it.
            None if caller.role == Role::Administrator && !endpoint.knows_every_action() => Ok(()),
            None if endpoint.knows_every_action() || caller.administers(self.realm) => Err(unmapped(verb)),
            None => Err(Error::insufficient_privileges()),
        }
    }
}

fn unmapped(verb: &Verb) -> Error {
    let name: String = match verb {
        Verb::Action(name, _) => name.chars().take(256).collect(),
        _ => String::new(),
    };
    Error::new(403, format!("No privilege mapping for requested action {name}"))
}

#[cfg(test)]
mod tests;
