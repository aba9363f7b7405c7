//! A map from texts to values that is cheap to copy and cheap to change: a change copies the path to what
//! changes and shares the rest, so that whoever holds an older copy keeps seeing that.

use std::sync::Arc;

/// Longest part of a key that counts, in bytes: longer keys that begin alike share a value. Bounds the depth.
pub(crate) const MAX_KEY: usize = 256;

/// See the module. Cloning takes constant time.
#[derive(Debug)]
pub(crate) struct Trie<V> {
    root: Arc<Node<V>>,
}

/// Each node but the root has a value, or several children.
#[derive(Debug)]
struct Node<V> {
    /// What of the key lies between the parent and this node.
    label: Box<[u8]>,
    value: Option<Arc<V>>,
    /// By first byte of their labels, which differ and are not empty. The byte is here, too: looking for a child
    /// then touches no other.
    children: Vec<(u8, Arc<Node<V>>)>,
}

impl<V> Clone for Trie<V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<V> Clone for Node<V> {
    fn clone(&self) -> Self {
        Self { label: self.label.clone(), value: self.value.clone(), children: self.children.clone() }
    }
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::new(&[])) }
    }
}

impl<V> Node<V> {
    fn new(label: &[u8]) -> Self {
        Self { label: label.into(), value: None, children: Vec::new() }
    }

    fn find(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |(first, _)| *first)
    }

    fn child(&self, first: u8) -> Option<&Self> {
        self.children.get(self.find(first).ok()?).map(|(_, child)| child.as_ref())
    }
}

/// What of a key counts.
fn counted(key: &[u8]) -> &[u8] {
    key.get(..MAX_KEY).unwrap_or(key)
}

impl<V> Trie<V> {
    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.root.value.is_none() && self.root.children.is_empty()
    }

    /// The value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let (mut node, mut rest) = (self.root.as_ref(), counted(key));
        while let Some(first) = rest.first() {
            node = node.child(*first)?;
            rest = rest.strip_prefix(&*node.label)?;
        }
        node.value.as_deref()
    }

    /// Visits the values of all keys that `text` begins with, shortest first.
    pub fn visit<'a>(&'a self, text: &[u8], mut visit: impl FnMut(&'a V)) {
        let (mut node, mut rest) = (self.root.as_ref(), text);
        loop {
            if let Some(value) = &node.value {
                visit(value);
            }
            let next = rest.first().and_then(|first| node.child(*first));
            match next.and_then(|next| Some((next, rest.strip_prefix(&*next.label)?))) {
                Some(found) => (node, rest) = found,
                None => return,
            }
        }
    }

    /// All values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        let mut open = vec![self.root.as_ref()];
        std::iter::from_fn(move || {
            while let Some(node) = open.pop() {
                open.extend(node.children.iter().rev().map(|(_, child)| child.as_ref()));
                if let Some(value) = &node.value {
                    return Some(value.as_ref());
                }
            }
            None
        })
    }
}

impl<V: Clone + Default> Trie<V> {
    /// The value of `key`, which is made if there is none.
    pub fn entry(&mut self, key: &[u8]) -> &mut V {
        let mut node = Arc::make_mut(&mut self.root);
        let mut rest = counted(key);
        while let Some(first) = rest.first() {
            let at = match node.find(*first) {
                Ok(at) => at,
                Err(at) => {
                    node.children.insert(at, (*first, Arc::new(Node::new(rest))));
                    at
                }
            };
            node = Arc::make_mut(&mut node.children[at].1); // found or inserted just now
            let common = node.label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            let (head, tail) = node.label.split_at(common);
            if let Some(next) = tail.first().copied() {
                // The key ends within the label, or leaves it: a node comes in between.
                let (head, tail) = (Box::from(head), Box::from(tail));
                let below =
                    Node { label: tail, value: node.value.take(), children: std::mem::take(&mut node.children) };
                (node.label, node.children) = (head, vec![(next, Arc::new(below))]);
            }
            rest = rest.get(common..).unwrap_or_default();
        }
        Arc::make_mut(node.value.get_or_insert_default())
    }

    /// Changes the value of `key`, if there is one; it goes when `change` says that it is not needed any more.
    pub fn change(&mut self, key: &[u8], change: impl FnOnce(&mut V) -> bool) {
        if self.get(key).is_some() {
            Self::change_below(Arc::make_mut(&mut self.root), counted(key), change);
        }
    }

    fn change_below(node: &mut Node<V>, rest: &[u8], change: impl FnOnce(&mut V) -> bool) {
        let Some(first) = rest.first() else {
            let keep = node.value.as_mut().is_some_and(|value| change(Arc::make_mut(value)));
            if !keep {
                node.value = None;
            }
            return;
        };
        let Ok(at) = node.find(*first) else {
            return;
        };
        let child = Arc::make_mut(&mut node.children[at].1); // found just now
        let rest = rest.strip_prefix(&*child.label).unwrap_or_default();
        Self::change_below(child, rest, change);
        if child.value.is_some() {
            return;
        }
        match child.children.as_slice() {
            [] => drop(node.children.remove(at)),
            [(_, only)] => {
                let mut only = Node::clone(only);
                only.label = [&child.label, &only.label].into_iter().flat_map(|label| label.iter().copied()).collect();
                *child = only;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn shape<V>(node: &Node<V>, is_root: bool) {
        assert!(is_root || !node.label.is_empty());
        assert!(is_root || node.value.is_some() || node.children.len() > 1);
        let firsts: Vec<u8> = node.children.iter().map(|(first, _)| *first).collect();
        assert!(node.children.iter().all(|(first, child)| child.label.first() == Some(first)));
        assert!(firsts.windows(2).all(|pair| pair[0] < pair[1]), "{firsts:?}");
        node.children.iter().for_each(|(_, child)| shape(child, false));
    }

    proptest! {
        /// Beside an ordinary map; and a copy keeps what it had.
        #[test]
        fn it_is_a_map_whose_copies_keep_theirs(changes in prop::collection::vec(("[ab]{0,5}", 0..4_u8), 0..40)) {
            let (mut trie, mut map) = (Trie::<u8>::default(), BTreeMap::<String, u8>::new());
            let mut copies = Vec::new();
            for (key, value) in changes {
                copies.push((trie.clone(), map.clone()));
                if value == 0 {
                    trie.change(key.as_bytes(), |_| false);
                    map.remove(&key);
                } else {
                    *trie.entry(key.as_bytes()) = value;
                    map.insert(key, value);
                }
                shape(&trie.root, true);
            }
            copies.push((trie, map));
            for (trie, map) in copies {
                prop_assert!(trie.values().eq(map.values()));
                prop_assert_eq!(trie.is_empty(), map.is_empty());
                for text in ["", "a", "ab", "abab", "bbbbbb"] {
                    prop_assert_eq!(trie.get(text.as_bytes()), map.get(text));
                    let mut begins = Vec::new();
                    trie.visit(text.as_bytes(), |value| begins.push(*value));
                    let expected = (0..=text.len()).filter_map(|end| map.get(&text[..end])).copied();
                    prop_assert!(expected.eq(begins));
                }
            }
        }
    }

    #[test]
    fn long_keys_share_what_they_begin_with() {
        let key = |end: &str| format!("{}{end}", "k".repeat(MAX_KEY)).into_bytes();
        let mut trie = Trie::<u8>::default();
        *trie.entry(&key("a")) += 1;
        *trie.entry(&key("b")) += 1;
        assert_eq!(trie.get(&key("c")), Some(&2));
        trie.change(&key("d"), |_| false);
        assert!(trie.is_empty());
    }
}
