//! Names. One newtype per identifier, so that two of them cannot be swapped.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, LazyLock},
};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A realm's path: `/` for the top level, else `/alpha`, `/alpha/beta`.
    RealmPath
);
name!(
    /// An OAuth 2.0 client's id, case-sensitive, unique within its realm.
    ClientId
);
name!(
    /// A resource owner: a user's id, or the client's own id for client credentials.
    OwnerId
);

impl RealmPath {
    /// The top-level realm.
    pub fn root() -> Self {
        // Asked for several times by each request.
        static ROOT: LazyLock<RealmPath> = LazyLock::new(|| RealmPath::from("/"));
        ROOT.clone()
    }

    /// Whether this realm is `other` or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        let (own, other) = (self.as_str(), other.as_str());
        other == "/" || own.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Identifies one attempt to change something; a retry of the attempt carries the same id (G4). Random, 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProposalId(pub u128);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// `authGrantId`: the family of everything that one authorization produced. Not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GrantId(pub [u8; 20]);

/// A place in the log: entry index and position inside the entry. Grows with every applied draft, never repeats, is the
/// same on every replica: revisions and fences are made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// The draft at `position` of entry `index`.
    pub const fn new(index: u64, position: u16) -> Self {
        Self(index << 16 | position as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_lies_within_itself_and_its_ancestors_only() {
        let within = |a: &str, b: &str| RealmPath::from(a).is_within(&RealmPath::from(b));
        assert!(within("/alpha", "/"));
        assert!(within("/alpha/beta", "/alpha"));
        assert!(within("/alpha", "/alpha"));
        assert!(!within("/alphabet", "/alpha"));
        assert!(!within("/", "/alpha"));
    }
}
