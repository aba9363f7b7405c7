//! Queries over stored documents, without copying them: what is asked for by id is looked up, what is asked for by the
//! beginning of an id is a range, filters look at stored [`Members`](crate::views::Members), of what is sorted only the
//! beginning is held, and only what is on the page is made into an [`Item`].
//!
//! | crest.md | it says                                                         | here             |
//! |----------|-----------------------------------------------------------------|------------------|
//! | §7.3     | strings ignore case: so do ids, and rows are sorted accordingly | `Span`         |
//! | §7.3     | what a filter selects                                           | `Test`           |
//! | §8       | `_queryId` of identities is a pattern of ids                    | [`Rows::takes_patterns`] |
//! | §9       | sort, then skip, then take; missing values first                | [`Query::scan`], `Least` |
//!
//! A resource tells how its stored documents look ([`Rows`]) and calls [`Query::scan`] with
//! [`Desk::rows`](crate::desk::Desk::rows).

mod compiled;
mod least;

use super::{
    Error, Item, Listing, Query, Totals,
    cookie::{Key, Position},
    filter::{Assertion, Filter, Operator},
    pointer::{Names, Pointer},
    query::{Select, wildcard},
};
use crate::views::{Ordered, Row};
use compiled::{Test, place};
use least::Least;
use serde_json::Value;
use std::{borrow::Cow, cmp::Ordering, iter};

/// Where a member is found in every row: asked once for a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'m> {
    /// In the document under this name, whatever its letter case, and shown as it is there.
    Stored(&'m str),
    /// Nowhere: it is not shown, and nobody may probe for it.
    Nowhere,
    /// [`Rows::member`] has to say.
    Made,
}

/// How stored documents look to whoever asks for them.
pub trait Rows {
    /// Whether `member` is the id, whatever its letter case: beside `_id`, which always is.
    fn is_id(&self, member: &str) -> bool;

    /// Whether `_queryId` is a pattern of ids.
    fn takes_patterns(&self) -> bool {
        false
    }

    /// Whether a row is one of the resources at all.
    fn has(&self, _: &Row) -> bool {
        true
    }

    /// Where `member` is. What is not [`Place::Made`] is compared without asking for it row by row: [`member`](Self::member)
    /// would say the same.
    fn place<'m>(&self, _: &'m str) -> Place<'m> {
        Place::Made
    }

    /// What [`item`](Self::item) would show as `member`, borrowed where it is stored like that. Nothing for what is not shown:
    /// nobody may probe for it.
    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>>;

    /// The row as it is shown.
    fn item(&self, row: &Row) -> Item;
}

/// Ids in lower case from `from` to before `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: String,
    /// `None` for no end.
    to: Option<String>,
}

impl Span {
    fn all() -> Self {
        Self { from: String::new(), to: None }
    }

    fn one(id: &str) -> Self {
        let from = id.to_lowercase();
        Self { to: Some(format!("{from}\0")), from }
    }

    fn beginning(head: &str) -> Self {
        let from = head.to_lowercase();
        // After everything that begins like that: no character follows the last.
        Self { to: (!from.is_empty()).then(|| format!("{from}{}", char::MAX)), from }
    }

    fn holds(&self, row: &Row) -> bool {
        self.to.as_deref().is_none_or(|to| *row.folded < *to)
    }
}

/// Where the rows are that `filter` can select: spans in order that do not overlap.
fn spans(filter: &Filter, of: &impl Rows) -> Vec<Span> {
    let mut spans = bounds(filter, of).unwrap_or_else(|| vec![Span::all()]);
    spans.sort_unstable();
    let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if last.to.as_ref().is_none_or(|to| span.from < *to) => {
                last.to = match (last.to.take(), span.to) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            _ => apart.push(span),
        }
    }
    apart
}

/// `None` for anywhere.
fn bounds(filter: &Filter, of: &impl Rows) -> Option<Vec<Span>> {
    match filter {
        Filter::Literal(false) => Some(Vec::new()),
        Filter::Compare(pointer, operator, Assertion::Text(text)) => {
            let [member] = pointer.elements() else {
                return None;
            };
            let id = member == "_id" || of.is_id(member);
            match operator {
                Operator::Equal if id => Some(vec![Span::one(text)]),
                Operator::StartsWith if id && !text.is_empty() => Some(vec![Span::beginning(text)]),
                _ => None,
            }
        }
        // One part that narrows is enough: the best, which is the one that looks things up.
        Filter::And(parts) => parts.iter().filter_map(|part| bounds(part, of)).min_by_key(|spans| {
            spans
                .iter()
                .map(|span| if span.to.as_ref().is_some_and(|to| to.ends_with('\0')) { 1 } else { 1000 })
                .sum::<usize>()
        }),
        Filter::Or(parts) => parts
            .iter()
            .map(|part| bounds(part, of))
            .collect::<Option<Vec<_>>>()
            .map(|spans| spans.into_iter().flatten().collect()),
        Filter::Literal(true) | Filter::Compare(..) | Filter::Present(_) | Filter::Not(_) => None,
    }
}

/// What `pointer` finds in a row.
fn find<'r>(row: &'r Row, pointer: &Pointer, of: &impl Rows) -> Option<Cow<'r, Value>> {
    let (member, rest) = pointer.elements().split_first()?;
    let value = of.member(row, member)?;
    if rest.is_empty() {
        return Some(value);
    }
    let rest = Pointer::of(rest.iter().cloned());
    match value {
        Cow::Borrowed(value) => rest.resolve(value, Names::AnyCase).map(Cow::Borrowed),
        Cow::Owned(value) => rest.resolve(&value, Names::AnyCase).cloned().map(Cow::Owned),
    }
}

/// What a row is sorted by.
type RowKey<'r> = Key<Cow<'r, [u8]>>;

/// A match, and what it is sorted by. Most queries have one sort key: it needs no memory of its own.
struct Keyed<'r> {
    first: RowKey<'r>,
    others: Vec<RowKey<'r>>,
    row: &'r Row,
}

impl<'r> Keyed<'r> {
    fn keys(&self) -> impl Iterator<Item = &RowKey<'r>> {
        iter::once(&self.first).chain(&self.others)
    }
}

/// A sort key, made ready for many rows.
enum By<'q> {
    Stored(&'q str),
    Nowhere,
    Made(&'q Pointer),
}

impl<'q> By<'q> {
    fn of(pointer: &'q Pointer, of: &impl Rows) -> Self {
        match place(pointer, of) {
            Some(Place::Stored(name)) => Self::Stored(name),
            Some(Place::Made) => Self::Made(pointer),
            // The whole has no order.
            Some(Place::Nowhere) | None => Self::Nowhere,
        }
    }

    /// The key of a row, bounded where a cookie is to hold it.
    fn key<'r>(&self, row: &'r Row, of: &impl Rows, bounded: bool) -> RowKey<'r> {
        match self {
            Self::Nowhere => Key::Missing,
            Self::Stored(name) => {
                let key: fn(_) -> RowKey<'r> = if bounded { Key::short_of_values } else { Key::of_values };
                key(row.members().get(name))
            }
            Self::Made(pointer) => {
                let key: fn(_) -> Key = if bounded { Key::short } else { Key::of };
                key(find(row, pointer, of).as_deref()).into()
            }
        }
    }
}

impl Query {
    /// Answers from `rows`, which look as `of` says.
    ///
    /// # Errors
    /// 501 for what the resource does not support.
    pub fn scan(&self, rows: &Ordered, of: &impl Rows, totals: Totals) -> Result<Listing, Error> {
        self.scan_counting(rows, of, totals, &mut 0)
    }

    /// [`scan`](Self::scan), adding up in `touched` at how many rows it looked.
    fn scan_counting(
        &self,
        rows: &Ordered,
        of: &impl Rows,
        totals: Totals,
        touched: &mut usize,
    ) -> Result<Listing, Error> {
        self.check_paging(totals)?;
        let everything = Filter::Literal(true);
        let (filter, pattern) = match &self.select {
            Select::Filter(filter) => (filter, None),
            Select::Id(pattern) if of.takes_patterns() => (&everything, Some(pattern.to_lowercase())),
            Select::Id(_) | Select::Expression(_) => return Err(Error::no_query("null")),
        };
        let spans = match pattern.as_deref() {
            None => spans(filter, of),
            Some(pattern) => match pattern.split_once('*') {
                Some((head, _)) => vec![Span::beginning(head)],
                None if pattern.is_empty() => vec![Span::all()],
                None => vec![Span::one(pattern)],
            },
        };
        let test = Test::of(filter, of);
        let selected = |row: &&Row| {
            let fits = match pattern.as_deref() {
                Some(pattern) => pattern.is_empty() || wildcard(pattern, &row.folded),
                None => test.passes(row, of),
            };
            fits && of.has(row)
        };
        let visited = spans.iter().flat_map(|span| rows.since(&span.from).take_while(|row| span.holds(row)));
        let matches = visited.inspect(|_| *touched += 1).filter(selected);
        let (from, most) = match self.page_size {
            0 => (0, usize::MAX),
            size => (self.offset, size),
        };
        let has_cookies = self.has_cookies(totals);
        if self.sort.is_empty() {
            // Rows come in the order of their ids: a place among them is an id.
            let after = if has_cookies { self.after()?.map(|position| place_of(&position.id)) } else { None };
            let (mut count, mut following) = (0, 0);
            let mut page: Vec<&Row> = Vec::new();
            for row in matches {
                count += 1;
                if after.as_ref().is_some_and(|after| (&*row.folded, &*row.id) <= (after.0.as_str(), after.1)) {
                    continue;
                }
                if following >= from && page.len() < most {
                    page.push(row);
                }
                following += 1;
            }
            let more = has_cookies && following.saturating_sub(from) > page.len();
            let next = page.last().filter(|_| more).map(|row| Position { keys: Vec::new(), id: row.id.to_string() });
            return Ok(self.listing(page.into_iter().map(|row| of.item(row)).collect(), next, count, totals));
        }
        let mut by = self.sort.iter().map(|key| By::of(&key.pointer, of));
        let (lead, others) = (by.next().unwrap_or(By::Nowhere), by.collect::<Vec<_>>());
        let after = if has_cookies { self.after()? } else { None };
        let after = after.map(|position| {
            let keys: Vec<RowKey<'_>> = position.keys.iter().cloned().map(Key::into).collect();
            (keys, place_of(&position.id))
        });
        // Rows are all different: sorting by them last makes the order total, and any sort a stable one.
        let order = |a: &Keyed<'_>, b: &Keyed<'_>| {
            self.order(a.keys(), b.keys()).then_with(|| (&a.row.folded, &a.row.id).cmp(&(&b.row.folded, &b.row.id)))
        };
        let end = from.saturating_add(most);
        let (mut count, mut following) = (0, 0_usize);
        let mut least = Least::new(end, order);
        for row in matches {
            count += 1;
            let key = |by: &By<'_>| by.key(row, of, has_cookies);
            let keyed = Keyed { first: key(&lead), others: others.iter().map(key).collect(), row };
            if let Some((keys, (folded, id))) = &after {
                let order = self.order(keyed.keys(), keys);
                if order.then_with(|| (&*row.folded, &*row.id).cmp(&(folded.as_str(), id))) != Ordering::Greater {
                    continue;
                }
            }
            following += 1;
            least.offer(keyed);
        }
        let page = least.into_sorted(from);
        let last = page.last().filter(|_| has_cookies && end < following);
        let next =
            last.map(|last| Position { keys: last.keys().map(Key::to_owned).collect(), id: last.row.id.to_string() });
        Ok(self.listing(page.into_iter().map(|keyed| of.item(keyed.row)).collect(), next, count, totals))
    }
}

/// Where a row of this id stands among the others.
fn place_of(id: &str) -> (String, &str) {
    (id.to_lowercase(), id)
}

#[cfg(test)]
mod tests;
