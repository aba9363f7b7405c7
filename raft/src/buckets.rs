//! A map by hash, or by dice, that can be frozen in no time while writes go on: many small sorted maps, each copied on the first
//! write after a freeze. Freezing costs one reference count per bucket, however many entries there are; a write while frozen
//! copies one bucket, about a hundred entries when there are a million.

use crate::{ids::ProposalId, token::TokenHash};
use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

const BUCKETS: usize = 1 << 13;

/// A key whose first bits are as good as random.
pub trait Key: Copy + Ord {
    /// They; in the order of the keys.
    fn head(&self) -> u16;
}

impl Key for TokenHash {
    fn head(&self) -> u16 {
        let [high, low, ..] = self.0;
        u16::from_be_bytes([high, low])
    }
}

impl Key for ProposalId {
    fn head(&self) -> u16 {
        (self.0 >> 112) as u16
    }
}

/// See the module. Iterates in the order of the keys, whatever the order of the writes (G9).
#[derive(Clone, Debug)]
pub struct Buckets<V, K = TokenHash> {
    buckets: Vec<Arc<BTreeMap<K, V>>>,
    len: usize,
}

impl<V, K> Default for Buckets<V, K> {
    fn default() -> Self {
        // All empty buckets are one, until they are written to.
        Self { buckets: vec![Arc::default(); BUCKETS], len: 0 }
    }
}

impl<V: PartialEq, K: PartialEq> PartialEq for Buckets<V, K> {
    fn eq(&self, other: &Self) -> bool {
        self.buckets == other.buckets
    }
}

/// The first thirteen bits of the key, so that bucket order is key order.
fn bucket(key: &impl Key) -> usize {
    usize::from(key.head() >> 3)
}

impl<V: Clone, K: Key> Buckets<V, K> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value under `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.buckets[bucket(key)].get(key)
    }

    /// Puts `value` under `key`; the former value comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let former = Arc::make_mut(&mut self.buckets[bucket(&key)]).insert(key, value);
        self.len += usize::from(former.is_none());
        former
    }

    /// Takes the value under `key` out. Copies nothing when there is none.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let bucket = &mut self.buckets[bucket(key)];
        if !bucket.contains_key(key) {
            return None;
        }
        let former = Arc::make_mut(bucket).remove(key);
        self.len -= usize::from(former.is_some());
        former
    }

    /// What lies between two keys that share their bucket, as two that share their first eight bytes do.
    pub fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = (&K, &V)> {
        self.buckets[bucket(keys.start())].range(keys)
    }

    /// Everything, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> TokenHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.wrapping_mul(0x9E37_79B9).to_be_bytes());
        TokenHash(bytes)
    }

    #[test]
    fn a_frozen_copy_does_not_see_later_writes_and_order_is_the_hashes() {
        let mut live = Buckets::default();
        for n in 0..5000 {
            assert_eq!(live.insert(key(n), n), None);
        }
        let frozen = live.clone();
        for n in 0..2500 {
            assert_eq!(live.remove(&key(n)), Some(n));
        }
        assert_eq!(live.remove(&key(0)), None);
        assert_eq!((live.len(), frozen.len()), (2500, 5000));
        assert_eq!(live.iter().count(), 2500);
        assert!(frozen.iter().zip(frozen.iter().skip(1)).all(|((a, _), (b, _))| a < b));
        assert_eq!(frozen.get(&key(7)), Some(&7));
        assert_eq!(live.get(&key(7)), None);
    }
}
