//! Queries: what is asked, and the envelope of the answer (crest.md §5.6, §8, §9).

use super::{
    Error, Item, Params,
    filter::Filter,
    pointer::{Names, Pointer},
};
use serde_json::Value;
use std::{borrow::Borrow, cmp::Ordering};

/// A query, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which resources.
    pub select: Select,
    /// Most of them in one answer; 0 for all.
    pub page_size: usize,
    /// How many to skip.
    pub offset: usize,
    /// Whether a `_pagedResultsCookie` was sent.
    pub cookie: bool,
    /// Whether a total is asked for.
    pub counted: bool,
    /// In which order.
    pub sort: Vec<SortKey>,
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
    /// Policy `EXACT`, always.
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
        let cookie = params.has("_pagedResultsCookie");
        if cookie && offset > 0 {
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

    /// 501 for pages of what has none.
    pub(super) fn check_paging(&self, totals: Totals) -> Result<(), Error> {
        if totals == Totals::Unpaged && (self.page_size > 0 || self.offset > 0 || self.cookie) {
            return Err(Error::new(501, "Query paging not currently supported"));
        }
        Ok(())
    }

    fn present(&self, mut items: Vec<Item>, names: Names, totals: Totals) -> Result<Listing, Error> {
        self.check_paging(totals)?;
        if !self.sort.is_empty() {
            let mut keyed: Vec<(Vec<Option<Value>>, Item)> = items
                .into_iter()
                .map(|item| {
                    let whole = item.whole();
                    let key = |key: &SortKey| key.pointer.resolve(&whole, names).and_then(sortable).cloned();
                    (self.sort.iter().map(key).collect(), item)
                })
                .collect();
            keyed.sort_by(|(a, _), (b, _)| self.order(a, b));
            items = keyed.into_iter().map(|(_, item)| item).collect();
        }
        let matches = items.len();
        let page: Vec<Item> = if self.page_size == 0 {
            items
        } else {
            items.into_iter().skip(self.offset).take(self.page_size).collect()
        };
        Ok(self.listing(page, matches, totals))
    }

    /// The envelope of a page of that many matches.
    pub(super) fn listing(&self, page: Vec<Item>, matches: usize, totals: Totals) -> Listing {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (policy, total, remaining) = match totals {
            Totals::Unpaged if self.counted => ("EXACT", count(matches), -1),
            Totals::Unpaged => ("NONE", -1, -1),
            Totals::Remaining => ("NONE", -1, count(matches.saturating_sub(page.len()))),
            Totals::Exact => ("EXACT", count(matches), -1),
        };
        Listing { items: page, policy, total, remaining, names_only: false }
    }

    /// Compares what two resources have under the sort keys.
    pub(super) fn order<V: Borrow<Value>>(&self, a: &[Option<V>], b: &[Option<V>]) -> Ordering {
        let orders = self.sort.iter().zip(a.iter().zip(b)).map(|(key, (a, b))| {
            let order = match (a.as_ref().map(V::borrow), b.as_ref().map(V::borrow)) {
                (Some(Value::String(a)), Some(Value::String(b))) => a.encode_utf16().cmp(b.encode_utf16()),
                (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
                (Some(Value::Number(a)), Some(Value::Number(b))) => {
                    a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)
                }
                (a, b) => rank(a).cmp(&rank(b)),
            };
            if key.descending { order.reverse() } else { order }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }
}

/// Missing values sort first; values of different types in a fixed order of types, so that sorting is total.
fn rank(value: Option<&Value>) -> u8 {
    match value {
        None => 0,
        Some(Value::Bool(_)) => 1,
        Some(Value::Number(_)) => 2,
        Some(_) => 3,
    }
}

/// An attribute with one value sorts by it; other arrays and objects count as missing.
pub(super) fn sortable(value: &Value) -> Option<&Value> {
    match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value),
        Value::Array(values) => match values.as_slice() {
            [Value::Array(_) | Value::Object(_) | Value::Null] => None,
            [single] => Some(single),
            _ => None,
        },
        Value::Null | Value::Object(_) => None,
    }
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
        .filter(|keys| keys.len() <= 16)
        .ok_or_else(|| unparsable("_sortKeys", text, "a comma separated list of sort keys"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn query(parameters: &str) -> Result<Query, (u16, String)> {
        Params::parse(parameters)
            .and_then(|params| Query::parse(&params))
            .map_err(|e| (e.code(), e.message().to_owned()))
    }

    fn items(ids: &str) -> Vec<Item> {
        ids.chars()
            .map(|id| {
                let content = json!({"rank": u32::from(id) % 3, "name": [format!("n{id}")]});
                Item::new(id, None, content.as_object().cloned().unwrap_or_default())
            })
            .collect()
    }

    fn ids(listing: &Listing) -> String {
        listing.items.iter().map(|item| item.id.as_str()).collect()
    }

    #[test]
    fn bad_parameters_are_told_apart() {
        let exclusive = |a, b| format!("The parameters {a} and {b} are mutually exclusive");
        for (parameters, text) in [
            ("_queryFilter=true&_queryId=*", exclusive("_queryId", "_queryFilter")),
            ("_queryId=*&_queryExpression=x", exclusive("_queryId", "_queryExpression")),
            ("_queryFilter=true&_queryExpression=x", exclusive("_queryFilter", "_queryExpression")),
            (
                "_queryFilter=true&_pagedResultsOffset=1&_pagedResultsCookie=x",
                exclusive("_pagedResultsOffset", "_pagedResultsCookie"),
            ),
            (
                "_queryFilter=true&_pageSize=x",
                "The value 'x' for parameter '_pageSize' could not be parsed as a valid integer".into(),
            ),
            (
                "_queryFilter=true&_pagedResultsOffset=2147483648",
                "The value '2147483648' for parameter '_pagedResultsOffset' could not be parsed as a valid integer"
                    .into(),
            ),
            (
                "_queryFilter=true&_totalPagedResultsPolicy=SOME",
                "The value 'SOME' for parameter '_totalPagedResultsPolicy' could not be parsed as a valid count policy"
                    .into(),
            ),
            (
                "_queryFilter=true&_sortKeys=a,,b",
                "The value 'a,,b' for parameter '_sortKeys' could not be parsed as a comma separated list of sort keys"
                    .into(),
            ),
        ] {
            assert_eq!(query(parameters), Err((400, text)), "{parameters}");
        }
    }

    #[test]
    fn pages_and_totals_follow_the_family() {
        let ask = |parameters: &str, totals| {
            let query = query(parameters).expect(parameters);
            query.answer(items("abcde"), Names::Exact, totals).map(|l| (ids(&l), l.policy, l.total, l.remaining))
        };
        let page = "_queryFilter=true&_pageSize=2&_pagedResultsOffset=2";
        assert_eq!(ask(page, Totals::Exact), Ok(("cd".into(), "EXACT", 5, -1)));
        assert_eq!(ask(page, Totals::Remaining), Ok(("cd".into(), "NONE", -1, 3)));
        assert_eq!(ask(page, Totals::Unpaged), Err(Error::new(501, "Query paging not currently supported")));
        assert_eq!(ask("_queryFilter=true&_pageSize=0", Totals::Unpaged), Ok(("abcde".into(), "NONE", -1, -1)));
        assert_eq!(
            ask("_queryFilter=true&_pageSize=0&_totalPagedResultsPolicy=exact", Totals::Unpaged),
            Ok(("abcde".into(), "EXACT", 5, -1))
        );
        assert_eq!(
            ask("_queryFilter=true&_pagedResultsOffset=2", Totals::Remaining),
            Ok(("abcde".into(), "NONE", -1, 0))
        );
        assert_eq!(ask("_queryFilter=_id+eq+'c'", Totals::Exact), Ok(("c".into(), "EXACT", 1, -1)));
    }

    #[test]
    fn results_are_sorted_stably_by_several_keys() {
        let sorted = |parameters: &str| {
            let query = query(parameters).expect(parameters);
            ids(&query.answer(items("edcba"), Names::Exact, Totals::Remaining).expect("answers"))
        };
        assert_eq!(sorted("_queryFilter=true&_sortKeys=_id"), "abcde");
        assert_eq!(sorted("_queryFilter=true&_sortKeys=-_id"), "edcba");
        assert_eq!(sorted("_queryFilter=true&_sortKeys=rank,-_id"), "cdaeb");
        assert_eq!(sorted("_queryFilter=true&_sortKeys=+name"), "abcde");
        assert_eq!(sorted("_queryFilter=true&_sortKeys=missing"), "edcba");
    }

    #[test]
    fn an_id_pattern_has_stars() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "abc", true),
            ("al*", "alice", true),
            ("*ice", "alice", true),
            ("a*i*e", "alice", true),
            ("a*i*", "alice", true),
            ("alice", "alice", true),
            ("ali", "alice", false),
            ("a*c", "alice", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(wildcard(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn only_true_is_a_filter_of_configuration() {
        let ask = |parameters: &str| query(parameters).expect(parameters).answer_all(items("ab"), Totals::Unpaged);
        assert!(ask("_queryFilter=(TRUE)").is_ok());
        assert_eq!(ask("_queryFilter=name+eq+'x'"), Err(Error::new(501, "Query not supported: /name eq \"x\"")));
        assert_eq!(ask("_queryId=*"), Err(Error::new(501, "Query not supported: null")));
    }
}
