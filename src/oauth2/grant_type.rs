//! Grant types (RFC 6749 §1.3) that the token endpoint serves.

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::AuthorizationCode, Self::ClientCredentials];

    /// On the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::AuthorizationCode => 1,
            Self::ClientCredentials => 2,
        }
    }
}

/// A set of grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantTypes(u8);

impl GrantTypes {
    /// What a client may use unless its profile says otherwise.
    pub const AUTHORIZATION_CODE: Self = Self(GrantType::AuthorizationCode.bit());

    /// Those among `names` that are served.
    pub fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Self(names.filter_map(GrantType::parse).fold(0, |bits, grant| bits | grant.bit()))
    }

    /// Everything that is served.
    pub fn all() -> Self {
        Self::of(GrantType::ALL.into_iter().map(GrantType::name))
    }

    /// Whether `grant` is among them.
    pub const fn contains(self, grant: GrantType) -> bool {
        self.0 & grant.bit() != 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        GrantType::ALL.into_iter().filter(move |grant| self.contains(*grant)).map(GrantType::name)
    }
}
