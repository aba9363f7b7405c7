//! What a thread has made of documents, for as long as none of them changes: for what every request asks.

use super::Views;
use std::cell::RefCell;

/// One thing made of documents, and at which [epoch](Views::documents_epoch) of which views. Meant for thread locals.
#[derive(Debug)]
pub struct Remembered<T>(RefCell<Option<(u64, T)>>);

impl<T> Remembered<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Remembered<T> {
    /// The thing, `make`d of what `views` show if any document has changed since it was made. Whoever passed a barrier
    /// before gets what was true at it: a change is acknowledged after the epoch has moved on (G2).
    pub fn get(&self, views: &Views, make: impl FnOnce() -> T) -> T {
        // Before the documents are read: of a change that is published meanwhile, the next who asks learns.
        let epoch = views.documents_epoch();
        if let Some((of, known)) = &*self.0.borrow()
            && *of == epoch
        {
            return known.clone();
        }
        let made = make();
        self.0.replace(Some((epoch, made.clone())));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_again_after_a_change_and_for_other_views() {
        let (views, others) = (Views::default(), Views::default());
        let remembered = Remembered::new();
        assert_eq!(remembered.get(&views, || 1), 1);
        assert_eq!(remembered.get(&views, || 2), 1);
        views.documents_changed();
        assert_eq!(remembered.get(&views, || 3), 3);
        // As old as the first, but not the same.
        others.documents_changed();
        assert_eq!(remembered.get(&others, || 4), 4);
    }

    /// A change that is published while the thing is made must not be hidden by it.
    #[test]
    fn what_was_made_during_a_change_is_made_again() {
        let views = Views::default();
        let remembered = Remembered::new();
        let made = remembered.get(&views, || {
            views.documents_changed();
            1
        });
        assert_eq!((made, remembered.get(&views, || 2)), (1, 2));
    }
}
