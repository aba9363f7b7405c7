//! The first of many, without sorting or holding them all.

use std::cmp::Ordering;

/// How many more than wanted are held before they are thinned out: each costs a few comparisons, however many are wanted.
const SLACK: usize = 1024;

/// The least of what is offered, by an order in which no two are equal.
pub(super) struct Least<T, F> {
    wanted: usize,
    order: F,
    held: Vec<T>,
    // INVARIANT: once true, `held[wanted - 1]` is not less than any before it: nothing behind it in the order is wanted.
    thinned: bool,
}

impl<T, F: Fn(&T, &T) -> Ordering> Least<T, F> {
    pub fn new(wanted: usize, order: F) -> Self {
        Self { wanted, order, held: Vec::new(), thinned: false }
    }

    pub fn offer(&mut self, one: T) {
        let last = if self.thinned { self.held.get(self.wanted.saturating_sub(1)) } else { None };
        if last.is_some_and(|last| (self.order)(&one, last).is_gt()) {
            return;
        }
        self.held.push(one);
        if self.held.len() >= self.wanted.saturating_add(self.wanted.max(SLACK)) {
            self.thin();
        }
    }

    fn thin(&mut self) {
        if self.wanted < self.held.len() {
            self.held.select_nth_unstable_by(self.wanted.saturating_sub(1), &self.order);
            self.held.truncate(self.wanted);
            self.thinned = true;
        }
    }

    /// As many as are wanted, or all there are, without the first `skip`, in order.
    pub fn into_sorted(mut self, skip: usize) -> Vec<T> {
        self.thin();
        if skip > 0 && skip < self.held.len() {
            self.held.select_nth_unstable_by(skip, &self.order);
        }
        self.held.drain(..skip.min(self.held.len()));
        self.held.sort_unstable_by(&self.order);
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_beginning_of_what_is_sorted(
            mut all in prop::collection::hash_set(any::<u32>(), 0..4000).prop_map(Vec::from_iter),
            wanted in 0..3000_usize,
            skip in 0..3000_usize,
            falling in any::<bool>(),
        ) {
            if falling {
                all.sort_unstable_by(|a, b| b.cmp(a));
            }
            let mut least = Least::new(wanted, u32::cmp);
            for one in &all {
                least.offer(*one);
                prop_assert!(least.held.len() < 2 * wanted.max(SLACK));
            }
            all.sort_unstable();
            all.truncate(wanted);
            all.drain(..skip.min(all.len()));
            prop_assert_eq!(least.into_sorted(skip), all);
        }
    }
}
