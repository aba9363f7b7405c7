//! The documents of one kind in one realm, in the order of their ids: what listings read. A reader keeps what it was given,
//! for as long as it likes, and blocks nobody; the owner of the documents copies what it changes, a few hundred rows, and
//! shares the rest.

use super::{Entry, Members};
use std::sync::{Arc, OnceLock};

/// Most rows of one piece. A change copies one piece and the list of pieces: at 100 000 rows both are of this size.
const PIECE: usize = 256;

/// One document.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id in lower case: what rows are sorted by, so that a reader who ignores case finds it without looking at others.
    pub folded: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// The document: the same one that [`Views::entry`](super::Views::entry) shows.
    pub entry: Arc<Entry>,
    // Here and not in the entry: who looks at all rows goes from one to the next, and to an entry only when it is shown.
    members: OnceLock<Members>,
}

impl Row {
    fn new(id: Arc<str>, entry: Arc<Entry>) -> Self {
        Self { folded: fold(&id), id, entry, members: OnceLock::new() }
    }

    /// The members of the document, made when they are asked for first; the document's JSON is not kept for that.
    pub fn members(&self) -> &Members {
        self.members.get_or_init(|| self.entry.glance(Members::of))
    }

    fn place(&self) -> (&str, &str) {
        (&self.folded, &self.id)
    }
}

/// The form in which ids are compared by readers who ignore case. What is in it already is not copied.
fn fold(id: &Arc<str>) -> Arc<str> {
    let folded = id.to_lowercase();
    if *folded == **id { id.clone() } else { folded.into() }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Ordered {
    // INVARIANT: no piece is empty; rows ascend by (folded, id) within and across pieces.
    pieces: Arc<Vec<Arc<Vec<Row>>>>,
    len: usize,
}

impl Ordered {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether nothing has changed between the two.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.is_empty() && other.is_empty()) || Arc::ptr_eq(&self.pieces, &other.pieces)
    }

    /// All rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// The rows from the first whose id in lower case is not below `folded`: found by bisection.
    pub fn since<'o>(&'o self, folded: &str) -> impl Iterator<Item = &'o Row> + use<'o> {
        let piece = self.pieces.partition_point(|piece| piece.last().is_some_and(|last| *last.folded < *folded));
        let from = self.pieces.get(piece).map_or(0, |piece| piece.partition_point(|row| *row.folded < *folded));
        self.pieces.iter().skip(piece).flat_map(|piece| piece.iter()).skip(from)
    }

    /// Stores a document, or removes it.
    pub(crate) fn set(&mut self, id: &Arc<str>, entry: Option<Arc<Entry>>) {
        self.put(id, entry.map(|entry| Row::new(id.clone(), entry)));
    }

    /// The same for documents that are searched by their members: those are made here, document by document, so that the
    /// first reader who asks for them does not wait for those of all.
    pub(crate) fn set_searched(&mut self, id: &Arc<str>, entry: Option<Arc<Entry>>) {
        let row = entry.map(|entry| Row::new(id.clone(), entry));
        if let Some(row) = &row {
            row.members();
        }
        self.put(id, row);
    }

    fn put(&mut self, id: &Arc<str>, row: Option<Row>) {
        let folded = fold(id);
        let place = (&*folded, &**id);
        let at = self.pieces.partition_point(|piece| piece.last().is_some_and(|last| last.place() < place));
        match row {
            Some(row) => self.insert(at, row),
            None => self.remove(at, place),
        }
    }

    fn insert(&mut self, at: usize, row: Row) {
        let pieces = Arc::make_mut(&mut self.pieces);
        // What belongs behind everything goes to the last piece.
        let at = at.min(pieces.len().saturating_sub(1));
        let Some(piece) = pieces.get_mut(at) else {
            pieces.push(Arc::new(vec![row]));
            self.len = 1;
            return;
        };
        let rows = Arc::make_mut(piece);
        match rows.binary_search_by(|known| known.place().cmp(&row.place())) {
            Ok(same) => {
                if let Some(slot) = rows.get_mut(same) {
                    *slot = row;
                }
            }
            Err(between) => {
                rows.insert(between, row);
                self.len += 1;
                if rows.len() > PIECE {
                    let upper = rows.split_off(PIECE / 2);
                    pieces.insert(at + 1, Arc::new(upper));
                }
            }
        }
    }

    fn remove(&mut self, at: usize, place: (&str, &str)) {
        let found = self.pieces.get(at).and_then(|piece| piece.binary_search_by(|row| row.place().cmp(&place)).ok());
        let Some(row) = found else {
            return;
        };
        let pieces = Arc::make_mut(&mut self.pieces);
        if let Some(piece) = pieces.get_mut(at) {
            let rows = Arc::make_mut(piece);
            rows.remove(row);
            self.len -= 1;
            if rows.is_empty() {
                pieces.remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_raft::{Document, Seq};
    use std::collections::BTreeMap;

    fn entry(revision: u64) -> Arc<Entry> {
        let document = Document { body: Arc::from(*b"{}"), revision: Seq(revision), fence: Seq(0), references: vec![] };
        Arc::new(Entry::new(Arc::new(document)))
    }

    fn ids(ordered: &Ordered) -> Vec<String> {
        ordered.iter().map(|row| row.id.to_string()).collect()
    }

    /// Against a sorted map, over a few thousand writes; and what a reader holds does not change under it.
    #[test]
    fn it_is_a_sorted_map_that_readers_may_keep() {
        let (mut ordered, mut model) = (Ordered::default(), BTreeMap::new());
        let mut dice: u64 = 1;
        let mut held = Vec::new();
        for step in 0..6000_u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id: Arc<str> = format!("{}{}", if dice >> 60 == 0 { "U" } else { "u" }, (dice >> 33) % 1500).into();
            if (dice >> 20).is_multiple_of(3) {
                ordered.set(&id, None);
                model.remove(&(id.to_lowercase(), id.clone()));
            } else {
                ordered.set(&id, Some(entry(step)));
                model.insert((id.to_lowercase(), id.clone()), step);
            }
            if step % 1000 == 0 {
                held.push((ordered.clone(), ids(&ordered)));
            }
        }
        let rows: Vec<((String, Arc<str>), u64)> = ordered
            .iter()
            .map(|row| ((row.folded.to_string(), row.id.clone()), row.entry.document.revision.0))
            .collect();
        assert_eq!(rows, model.clone().into_iter().collect::<Vec<_>>());
        assert_eq!(ordered.len(), model.len());
        assert!(ordered.pieces.len() > 2 && ordered.pieces.iter().all(|piece| !piece.is_empty()));
        for from in ["", "u", "u7", "u700", "u7000", "z"] {
            let found: Vec<String> = ordered.since(from).map(|row| row.id.to_string()).collect();
            let expected: Vec<String> =
                model.keys().filter(|(folded, _)| folded.as_str() >= from).map(|(_, id)| id.to_string()).collect();
            assert_eq!(found, expected, "{from}");
        }
        for (reader, as_it_was) in held {
            assert_eq!(ids(&reader), as_it_was);
        }
    }

    /// And a copy of the piece has them, too.
    #[test]
    fn members_of_what_is_searched_are_there_before_anybody_asks() {
        let mut ordered = Ordered::default();
        ordered.set_searched(&"a".into(), Some(entry(1)));
        ordered.set(&"b".into(), Some(entry(1)));
        let held = ordered.clone();
        ordered.set_searched(&"c".into(), Some(entry(1)));
        let made = |ordered: &Ordered| ordered.iter().map(|row| row.members.get().is_some()).collect::<Vec<_>>();
        assert_eq!((made(&held), made(&ordered)), (vec![true, false], vec![true, false, true]));
        assert!(held.iter().all(|row| row.entry.json.get().is_none()), "and no tree is kept for it");
    }

    #[test]
    fn nothing_is_left_of_what_was_removed() {
        let mut ordered = Ordered::default();
        let id: Arc<str> = "a".into();
        ordered.set(&id, None);
        assert!(ordered.is_empty() && ordered.is_same(&Ordered::default()));
        ordered.set(&id, Some(entry(1)));
        ordered.set(&"b".into(), None);
        assert_eq!(ordered.len(), 1);
        ordered.set(&id, None);
        assert!(ordered.is_empty() && ordered.pieces.is_empty());
    }
}
