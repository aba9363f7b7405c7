//! The live access tokens of a shard, each stored once and found in three ways: by hash, by when it dies, by its grant.
//!
//! Each of the three is a sorted set of references to the same tokens, compared by what it sorts by: eight bytes and some air
//! for each, instead of a second and third copy of hash, time and grant. At a million tokens that is most of what they cost.

use crate::{
    buckets::{Buckets, Key},
    grant_sets::AccessToken,
    ids::GrantId,
    time::Stamp,
    token::TokenHash,
};
use std::{
    borrow::Borrow,
    cmp::Ordering,
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What a token is found by: its grant, and itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenId {
    /// Its family.
    pub grant: GrantId,
    /// SHA-256 of its handle.
    pub hash: TokenHash,
}

/// A token, known by its hash: equal means the same handle.
#[derive(Clone, Debug)]
pub struct ByHash(pub Arc<AccessToken>);

/// A token, sorted by when it dies.
#[derive(Clone, Debug)]
struct ByDeath(Arc<AccessToken>);

/// A token, sorted by its grant.
#[derive(Clone, Debug)]
struct ByGrant(Arc<AccessToken>);

impl Borrow<TokenHash> for ByHash {
    fn borrow(&self) -> &TokenHash {
        &self.0.id.hash
    }
}

impl Borrow<TokenId> for ByGrant {
    fn borrow(&self) -> &TokenId {
        &self.0.id
    }
}

impl Hash for ByHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash.hash(state);
    }
}

impl Key for ByHash {
    fn head(&self) -> u16 {
        self.0.id.hash.head()
    }
}

/// Compares `$of` by what `$key` makes of its token.
macro_rules! sorted_by {
    ($of:ident, $key:expr) => {
        impl Ord for $of {
            fn cmp(&self, other: &Self) -> Ordering {
                let key = $key;
                key(&self.0).cmp(&key(&other.0))
            }
        }

        impl PartialOrd for $of {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $of {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $of {}
    };
}

sorted_by!(ByHash, |token: &AccessToken| token.id.hash);
sorted_by!(ByDeath, |token: &AccessToken| (token.expires, token.id.hash));
sorted_by!(ByGrant, |token: &AccessToken| token.id);

/// See the module. Iterates in the order of the hashes (G9).
#[derive(Clone, Debug, Default)]
pub struct LiveTokens {
    by_hash: Buckets<(), ByHash>,
    // INVARIANT: the same tokens as in `by_hash`, but in a frozen copy, which has none.
    by_death: BTreeSet<ByDeath>,
    by_grant: BTreeSet<ByGrant>,
}

/// All of every token, not only what it is sorted by.
impl PartialEq for LiveTokens {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(|(_, token)| token).eq(other.iter().map(|(_, token)| token))
    }
}

impl LiveTokens {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// The token whose handle has this hash.
    pub fn get(&self, hash: &TokenHash) -> Option<&Arc<AccessToken>> {
        self.by_hash.get_key(hash).map(|ByHash(token)| token)
    }

    /// Everything, in the order of the hashes.
    pub fn iter(&self) -> impl Iterator<Item = (&TokenHash, &Arc<AccessToken>)> {
        self.by_hash.iter().map(|(ByHash(token), ())| (&token.id.hash, token))
    }

    /// The token that dies first.
    pub fn first_to_die(&self) -> Option<&Arc<AccessToken>> {
        self.by_death.first().map(|ByDeath(token)| token)
    }

    /// When that is.
    pub fn next_death(&self) -> Option<Stamp> {
        self.first_to_die().map(|token| token.expires)
    }

    /// The hashes of the tokens of one grant.
    pub fn of_grant(&self, grant: GrantId) -> Vec<TokenHash> {
        let id = |fill: u8| TokenId { grant, hash: TokenHash([fill; 32]) };
        self.by_grant.range(id(0)..=id(u8::MAX)).map(|ByGrant(token)| token.id.hash).collect()
    }

    /// Puts in a token that is not there yet.
    pub(crate) fn insert(&mut self, token: Arc<AccessToken>) {
        self.by_death.insert(ByDeath(token.clone()));
        self.by_grant.insert(ByGrant(token.clone()));
        self.by_hash.insert(ByHash(token), ());
    }

    /// Takes a token out.
    pub(crate) fn remove(&mut self, hash: &TokenHash) -> Option<Arc<AccessToken>> {
        let (ByHash(token), ()) = self.by_hash.remove_entry(hash)?;
        let dying = ByDeath(token);
        self.by_death.remove(&dying);
        let ByDeath(token) = dying;
        self.by_grant.remove(&token.id);
        Some(token)
    }

    /// What a snapshot needs, in no time.
    pub(crate) fn frozen(&self) -> Self {
        Self { by_hash: self.by_hash.clone(), ..Self::default() }
    }
}

/// Builds each set at once, which is quicker than token by token, and leaves no air in it. What is sorted are the keys
/// themselves: to look each of them up in its token would be a walk through all of memory for every comparison.
impl FromIterator<Arc<AccessToken>> for LiveTokens {
    fn from_iter<I: IntoIterator<Item = Arc<AccessToken>>>(tokens: I) -> Self {
        let tokens: Vec<_> = tokens.into_iter().collect();
        Self {
            by_death: in_order(&tokens, |token| (token.expires, token.id.hash)).map(ByDeath).collect(),
            by_grant: in_order(&tokens, |token| token.id).map(ByGrant).collect(),
            by_hash: in_order(&tokens, |token| token.id.hash).map(|token| (ByHash(token), ())).collect(),
        }
    }
}

fn in_order<K: Ord>(
    tokens: &[Arc<AccessToken>],
    key: impl Fn(&AccessToken) -> K,
) -> impl Iterator<Item = Arc<AccessToken>> {
    let mut keyed: Vec<_> = tokens.iter().map(|token| (key(token), token.clone())).collect();
    keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    keyed.into_iter().map(|(_, token)| token)
}
