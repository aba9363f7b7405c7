//! Queries: what is asked, and the envelope of the answer (crest.md §5.6, §8, §9).
//!
//! A page that is continued by its cookie begins after the last element of the page before, wherever that is by then: what
//! others create or delete meanwhile moves nothing, so that every element that stays is shown exactly once. The cookie holds
//! the place of that element in the order, sealed ([`super::cookie`]).

use super::{
    Error, Item, Params,
    cookie::{Key, Position},
    filter::Filter,
    pointer::{Names, Pointer},
};
use serde_json::Value;
use std::cmp::Ordering;

/// Most sort keys of one query.
pub const MAX_SORT_KEYS: usize = 16;

/// A query, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which resources.
    pub select: Select,
    /// Most of them in one answer; 0 for all.
    pub page_size: usize,
    /// How many to skip.
    pub offset: usize,
    /// Where the page before ended.
    pub cookie: Cookie,
    /// Whether a total is asked for.
    pub counted: bool,
    /// In which order.
    pub sort: Vec<SortKey>,
}

/// `_pagedResultsCookie`.
#[derive(Clone, Debug, PartialEq)]
pub enum Cookie {
    /// None was sent.
    Absent,
    /// As it was sent. The framework opens it before it asks the resource; one that stays sealed is none of ours, or is for
    /// another query.
    Sealed(String),
    /// Opened.
    After(Position),
}

/// Which resources a query selects.
#[derive(Clone, Debug, PartialEq)]
pub enum Select {
    /// `_queryFilter`
    Filter(Filter),
    /// `_queryId`
    Id(String),
    /// `_queryExpression`: no resource takes it.
    Expression(String),
}

/// One of `_sortKeys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub pointer: Pointer,
    /// Largest first.
    pub descending: bool,
}

/// What the answer says about totals, by the habit of the endpoint family (crest.md §9, last table but one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Totals {
    /// Policy `NONE`, totals -1, no paging: `_pageSize`, cookie and offset are refused.
    Unpaged,
    /// Policy `NONE`, total -1; what remains after the page is told. Without `_pageSize` the offset is ignored.
    Remaining,
    /// Policy `EXACT`, always. Pages are continued by offset or by cookie.
    Exact,
}

/// The answer to a query, before it is rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The resources of this page.
    pub items: Vec<Item>,
    /// `totalPagedResultsPolicy`.
    pub policy: &'static str,
    /// `totalPagedResults`; -1 for not counted.
    pub total: i64,
    /// `remainingPagedResults`; -1 for not counted.
    pub remaining: i64,
    /// Where the page ended, should more follow and the family have cookies.
    pub next: Option<Position>,
    /// Whether the resources are shown by their ids alone, as old versions do.
    pub names_only: bool,
}

impl Query {
    /// Parses the parameters of a query.
    ///
    /// # Errors
    /// 400 with the texts of crest.md §3.
    pub fn parse(params: &Params) -> Result<Self, Error> {
        let (filter, id, expression) =
            (params.get("_queryFilter"), params.get("_queryId"), params.get("_queryExpression"));
        let exclusive =
            |a: &str, b: &str| Err(Error::bad_request(format!("The parameters {a} and {b} are mutually exclusive")));
        let select = match (filter, id, expression) {
            (Some(_), Some(_), _) => return exclusive("_queryId", "_queryFilter"),
            (_, Some(_), Some(_)) => return exclusive("_queryId", "_queryExpression"),
            (Some(_), _, Some(_)) => return exclusive("_queryFilter", "_queryExpression"),
            (Some(filter), None, None) => Select::Filter(Filter::parse(filter)?),
            (None, Some(id), None) => Select::Id(id.to_owned()),
            (None, None, expression) => Select::Expression(expression.unwrap_or_default().to_owned()),
        };
        let offset = integer(params, "_pagedResultsOffset")?;
        let cookie = match params.get("_pagedResultsCookie") {
            None | Some("") => Cookie::Absent,
            Some(sealed) => Cookie::Sealed(sealed.to_owned()),
        };
        if cookie != Cookie::Absent && offset > 0 {
            return exclusive("_pagedResultsOffset", "_pagedResultsCookie");
        }
        let page_size = integer(params, "_pageSize")?;
        let counted = match params.get("_totalPagedResultsPolicy") {
            None => false,
            Some(policy) if policy.eq_ignore_ascii_case("NONE") => false,
            Some(policy) if ["ESTIMATE", "EXACT"].iter().any(|p| p.eq_ignore_ascii_case(policy)) => true,
            Some(policy) => return Err(unparsable("_totalPagedResultsPolicy", policy, "a valid count policy")),
        };
        Ok(Self { select, page_size, offset, cookie, counted, sort: sort_keys(params)? })
    }

    /// Filters, sorts and pages `all` in memory. `names` tells how the filter and the sort keys find members; a `_queryId`
    /// is answered by resources whose ids are searched by patterns ([`by_id_pattern`](Self::by_id_pattern)) and refused by
    /// this.
    ///
    /// # Errors
    /// 501 for what the resource does not support.
    pub fn answer(&self, all: impl IntoIterator<Item = Item>, names: Names, totals: Totals) -> Result<Listing, Error> {
        let filter = match &self.select {
            Select::Filter(filter) => filter,
            Select::Id(_) | Select::Expression(_) => return Err(Error::no_query("null")),
        };
        let keep = |item: &Item| *filter == Filter::Literal(true) || filter.selects(&item.whole(), names);
        self.present(all.into_iter().filter(keep).collect(), names, totals)
    }

    /// As [`answer`](Self::answer), for configuration, which takes no filter but `true` (crest.md §7.4).
    ///
    /// # Errors
    /// 501 for any other.
    pub fn answer_all(&self, all: impl IntoIterator<Item = Item>, totals: Totals) -> Result<Listing, Error> {
        match &self.select {
            Select::Filter(Filter::Literal(true)) => self.present(all.into_iter().collect(), Names::Exact, totals),
            Select::Filter(filter) => Err(Error::no_query(&filter.to_string())),
            Select::Id(_) | Select::Expression(_) => Err(Error::no_query("null")),
        }
    }

    /// As [`answer`](Self::answer), for identities: `_queryId` is a pattern of ids, `*` for any characters, case ignored.
    ///
    /// # Errors
    /// 501 for a `_queryExpression`.
    pub fn by_id_pattern(
        &self,
        all: impl IntoIterator<Item = Item>,
        names: Names,
        totals: Totals,
    ) -> Result<Listing, Error> {
        match &self.select {
            Select::Id(pattern) => {
                let keep =
                    |item: &Item| pattern.is_empty() || wildcard(&pattern.to_lowercase(), &item.id.to_lowercase());
                self.present(all.into_iter().filter(keep).collect(), names, totals)
            }
            Select::Filter(_) | Select::Expression(_) => self.answer(all, names, totals),
        }
    }

    /// The text that the cookies of this query belong to: what is selected and in which order (crest.md §9).
    pub fn identity(&self) -> String {
        let select = match &self.select {
            Select::Filter(filter) => format!("filter {filter}"),
            Select::Id(id) => format!("id {id}"),
            Select::Expression(expression) => format!("expression {expression}"),
        };
        let sign = |key: &SortKey| format!("{}{}", if key.descending { "-" } else { "+" }, key.pointer);
        format!("{}\n{select}", self.sort.iter().map(sign).collect::<Vec<_>>().join(","))
    }

    /// 501 for pages of what has none.
    pub(super) fn check_paging(&self, totals: Totals) -> Result<(), Error> {
        if totals == Totals::Unpaged && (self.page_size > 0 || self.offset > 0 || self.cookie != Cookie::Absent) {
            return Err(Error::new(501, "Query paging not currently supported"));
        }
        Ok(())
    }

    fn present(&self, items: Vec<Item>, names: Names, totals: Totals) -> Result<Listing, Error> {
        self.check_paging(totals)?;
        let matches = items.len();
        let (page, next) = if self.has_cookies(totals) {
            self.page(items, names)?
        } else {
            (self.skipped(self.sorted(items, names)), None)
        };
        Ok(self.listing(page, next, matches, totals))
    }

    /// The envelope of a page of that many matches, and where it ends.
    pub(super) fn listing(&self, page: Vec<Item>, next: Option<Position>, matches: usize, totals: Totals) -> Listing {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (policy, total, remaining) = match totals {
            Totals::Unpaged if self.counted => ("EXACT", count(matches), -1),
            Totals::Unpaged => ("NONE", -1, -1),
            Totals::Remaining => ("NONE", -1, count(matches.saturating_sub(page.len()))),
            Totals::Exact => ("EXACT", count(matches), -1),
        };
        Listing { items: page, policy, total, remaining, names_only: false, next }
    }

    /// By the sort keys; equal ones stay in the order they came in.
    fn sorted(&self, items: Vec<Item>, names: Names) -> Vec<Item> {
        if self.sort.is_empty() {
            return items;
        }
        let mut keyed: Vec<(Vec<Key>, Item)> =
            items.into_iter().map(|item| (self.keys(&item, names, Key::of), item)).collect();
        keyed.sort_by(|(a, _), (b, _)| self.order(a, b));
        keyed.into_iter().map(|(_, item)| item).collect()
    }

    /// §9: without a page size the offset is ignored.
    fn skipped(&self, items: Vec<Item>) -> Vec<Item> {
        if self.page_size == 0 { items } else { items.into_iter().skip(self.offset).take(self.page_size).collect() }
    }

    /// Whether pages are continued by cookies: where they are asked for, and the family has them.
    pub(super) fn has_cookies(&self, totals: Totals) -> bool {
        totals == Totals::Exact && self.page_size > 0
    }

    /// After which place the page begins.
    ///
    /// # Errors
    /// 400 for a cookie that is none of ours, or is for another query.
    pub(super) fn after(&self) -> Result<Option<&Position>, Error> {
        match &self.cookie {
            Cookie::Absent => Ok(None),
            Cookie::After(position) if position.keys.len() == self.sort.len() => Ok(Some(position)),
            Cookie::After(_) | Cookie::Sealed(_) => Err(broken_cookie()),
        }
    }

    /// The page after the cookie, or at the offset, in an order in which no two elements have the same place; and where it
    /// ends, unless it is the last one.
    fn page(&self, items: Vec<Item>, names: Names) -> Result<(Vec<Item>, Option<Position>), Error> {
        let after = self.after()?;
        let place = |a: &Position, b: &Position| self.order(&a.keys, &b.keys).then_with(|| a.id.cmp(&b.id));
        let placed = items.into_iter().map(|item| {
            let keys = self.keys(&item, names, Key::short);
            (Position { keys, id: item.id.clone() }, item)
        });
        let mut placed: Vec<(Position, Item)> =
            placed.filter(|(at, _)| after.is_none_or(|after| place(at, after) == Ordering::Greater)).collect();
        placed.sort_by(|(a, _), (b, _)| place(a, b));
        let following = placed.len().saturating_sub(self.offset) > self.page_size;
        let mut page: Vec<(Position, Item)> = placed.into_iter().skip(self.offset).take(self.page_size).collect();
        let next = page.last_mut().filter(|_| following).map(|(at, _)| std::mem::take(at));
        Ok((page.into_iter().map(|(_, item)| item).collect(), next))
    }

    fn keys(&self, item: &Item, names: Names, key: fn(Option<&Value>) -> Key) -> Vec<Key> {
        if self.sort.is_empty() {
            return Vec::new();
        }
        let whole = item.whole();
        self.sort.iter().map(|by| key(by.pointer.resolve(&whole, names))).collect()
    }

    /// Compares what two resources have under the sort keys.
    pub(super) fn order<'k, K: Ord + 'k>(
        &self,
        a: impl IntoIterator<Item = &'k K>,
        b: impl IntoIterator<Item = &'k K>,
    ) -> Ordering {
        let mut orders = self.sort.iter().zip(a.into_iter().zip(b)).map(|(key, (a, b))| {
            let order = a.cmp(b);
            if key.descending { order.reverse() } else { order }
        });
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// §9: rejected when it cannot be decoded or the sort keys changed.
fn broken_cookie() -> Error {
    Error::bad_request("The paged results cookie is invalid for this query")
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters. Linear in both for each star.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty(); // no star at all
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn unparsable(name: &str, value: &str, what: &str) -> Error {
    Error::bad_request(format!("The value '{value}' for parameter '{name}' could not be parsed as {what}"))
}

/// A 32-bit integer; negative counts as 0.
fn integer(params: &Params, name: &str) -> Result<usize, Error> {
    let Some(text) = params.get(name) else {
        return Ok(0);
    };
    let number: i32 = text.parse().map_err(|_| unparsable(name, text, "a valid integer"))?;
    Ok(usize::try_from(number).unwrap_or(0))
}

fn sort_keys(params: &Params) -> Result<Vec<SortKey>, Error> {
    let Some(text) = params.get("_sortKeys") else {
        return Ok(Vec::new());
    };
    let key = |key: &str| {
        // A raw `+` arrives as a space.
        let (descending, name) = match key.as_bytes().first()? {
            b'-' => (true, key.strip_prefix('-')?),
            b'+' | b' ' => (false, key.get(1..)?),
            _ => (false, key),
        };
        let pointer = Pointer::parse(name).filter(|pointer| pointer.leaf().is_some())?;
        Some(SortKey { pointer, descending })
    };
    text.split(',')
        .map(key)
        .collect::<Option<Vec<_>>>()
        .filter(|keys| keys.len() <= MAX_SORT_KEYS)
        .ok_or_else(|| unparsable("_sortKeys", text, "a comma separated list of sort keys"))
}

#[cfg(test)]
mod tests;
