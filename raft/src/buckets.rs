//! A map by hash, or by dice, that can be frozen in no time while writes go on: many small sorted maps, each copied on the first
//! write after a freeze. Freezing costs one reference count per bucket, however many entries there are; a write while frozen
//! copies one bucket, about a hundred entries when there are a million.

use crate::{ids::ProposalId, token::TokenHash};
use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

const BUCKETS: usize = 1 << 13;

/// A key whose first bits are as good as random.
pub trait Key: Ord {
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

impl<V: Clone, K: Key + Clone> Buckets<V, K> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value under `key`.
    pub fn get<Q: Key>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.buckets[bucket(key)].get(key)
    }

    /// The key that equals `key`, where keys are more than what they are compared by.
    pub fn get_key<Q: Key>(&self, key: &Q) -> Option<&K>
    where
        K: Borrow<Q>,
    {
        self.buckets[bucket(key)].get_key_value(key).map(|(key, _)| key)
    }

    /// Puts `value` under `key`; the former value comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let former = Arc::make_mut(&mut self.buckets[bucket(&key)]).insert(key, value);
        self.len += usize::from(former.is_none());
        former
    }

    /// Takes the value under `key` out. Copies nothing when there is none.
    pub fn remove<Q: Key>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// The same, with the key that it was under.
    pub fn remove_entry<Q: Key>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let bucket = &mut self.buckets[bucket(key)];
        if !bucket.contains_key(key) {
            return None;
        }
        let former = Arc::make_mut(bucket).remove_entry(key);
        self.len -= usize::from(former.is_some());
        former
    }

    /// Everything, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter())
    }
}

/// Of equal keys the last one counts. Quickest when they come in order.
impl<V: Clone, K: Key + Clone> FromIterator<(K, V)> for Buckets<V, K> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut sorted: Vec<_> = entries.into_iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let (mut buckets, mut sorted) = (Self::default(), sorted.into_iter().peekable());
        while let Some((first, value)) = sorted.next() {
            let number = bucket(&first);
            let rest = std::iter::from_fn(|| sorted.next_if(|(key, _)| bucket(key) == number));
            let one: BTreeMap<K, V> = std::iter::once((first, value)).chain(rest).collect();
            buckets.len += one.len();
            buckets.buckets[number] = Arc::new(one);
        }
        buckets
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
        let at_once: Buckets<u32> = live.iter().map(|(key, n)| (*key, *n)).collect();
        assert_eq!((&at_once, at_once.len()), (&live, 2500));
    }
}
