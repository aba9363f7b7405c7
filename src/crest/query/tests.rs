//! crest.md §3 and §9: parameters of queries, pages, totals, order.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn query(parameters: &str) -> Result<Query, (u16, String)> {
    Params::parse(parameters).and_then(|params| Query::parse(&params)).map_err(|e| (e.code(), e.message().to_owned()))
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
            "The value '2147483648' for parameter '_pagedResultsOffset' could not be parsed as a valid integer".into(),
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
    assert_eq!(ask("_queryFilter=true&_pagedResultsOffset=2", Totals::Remaining), Ok(("abcde".into(), "NONE", -1, 0)));
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

/// §3: what is an integer, what a policy, what a sort key.
#[test]
fn parameters_of_queries() {
    let page = |value: &str| query(&format!("_queryFilter=true&_pageSize={value}")).map(|query| query.page_size);
    let integer = |value: &str| {
        Err((400, format!("The value '{value}' for parameter '_pageSize' could not be parsed as a valid integer")))
    };
    assert_eq!((page("0"), page("-5"), page("2147483647")), (Ok(0), Ok(0), Ok(2_147_483_647)));
    for wrong in ["", "1.0", "1e3", "0x1", "99999999999", "NaN"] {
        assert_eq!(page(wrong), integer(wrong), "{wrong}");
    }
    let policy = |value: &str| query(&format!("_queryFilter=true&_totalPagedResultsPolicy={value}")).map(|q| q.counted);
    for (value, counted) in [("none", false), ("ESTIMATE", true), ("Exact", true)] {
        assert_eq!(policy(value), Ok(counted), "{value}");
    }
    assert!(policy("").is_err());
    // An empty cookie is none, and an offset of 0 excludes nothing.
    for parameters in ["_pagedResultsCookie=&_pagedResultsOffset=3", "_pagedResultsCookie=x&_pagedResultsOffset=0"] {
        assert!(query(&format!("_queryFilter=true&{parameters}")).is_ok(), "{parameters}");
    }
    let keys = |value: &str| query(&format!("_queryFilter=true&_sortKeys={value}")).map(|query| query.identity());
    assert_eq!(keys("%2Ba,-b/c"), Ok("+/a,-/b/c\nfilter true".into()));
    assert_eq!(keys("+a"), keys("a"), "a raw plus arrives as a space");
    for wrong in ["", "-", "a,,b", "a b", "/", "a//b", &["a"; 17].join(",")] {
        assert!(matches!(keys(wrong), Err((400, _))), "{wrong}");
    }
}

/// §9, AM's in-memory order: absent first, then by type, strings by code unit; descending is the reverse.
#[test]
fn the_order_of_values() {
    let item =
        |(id, value): (usize, Value)| Item::new(format!("{id}"), None, [("v".to_owned(), value)].into_iter().collect());
    let values = || {
        ["b", "B", "a", "Z"].map(|text| json!(text)).into_iter().chain([
            json!(2),
            json!(-1.5),
            json!(null),
            json!(true),
            json!(false),
            json!({"x": 1}),
            json!([1, 2]),
            json!(["a"]),
        ])
    };
    let sorted = |key: &str| {
        let query = query(&format!("_queryFilter=true&_sortKeys={key}")).expect(key);
        let items = values().enumerate().map(item);
        let listing = query.answer(items, Names::Exact, Totals::Remaining).expect("answers");
        listing.items.iter().map(|item| item.content["v"].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted("v"), r#"null {"x":1} [1,2] false true -1.5 2 "B" "Z" "a" ["a"] "b""#);
    assert_eq!(sorted("-v"), r#""b" "a" ["a"] "Z" "B" 2 -1.5 true false null {"x":1} [1,2]"#);
}

/// §9, first table but one: what each family says about totals, page by page.
#[test]
fn totals_of_each_family() {
    let ask = |parameters: &str, totals| {
        let query = query(&format!("_queryFilter=true&{parameters}")).expect(parameters);
        let listing = query.answer(items("abcde"), Names::Exact, totals).map_err(|e| e.code())?;
        Ok::<_, u16>((ids(&listing), listing.policy, listing.total, listing.remaining, listing.next.is_some()))
    };
    for (parameters, totals, expected) in [
        ("", Totals::Unpaged, Ok(("abcde", "NONE", -1, -1, false))),
        ("", Totals::Remaining, Ok(("abcde", "NONE", -1, 0, false))),
        ("", Totals::Exact, Ok(("abcde", "EXACT", 5, -1, false))),
        ("_totalPagedResultsPolicy=EXACT", Totals::Unpaged, Ok(("abcde", "EXACT", 5, -1, false))),
        ("_pageSize=2", Totals::Unpaged, Err(501)),
        ("_pagedResultsOffset=1", Totals::Unpaged, Err(501)),
        ("_pagedResultsCookie=x", Totals::Unpaged, Err(501)),
        ("_pageSize=2", Totals::Remaining, Ok(("ab", "NONE", -1, 3, false))),
        ("_pageSize=2&_pagedResultsCookie=x", Totals::Remaining, Ok(("ab", "NONE", -1, 3, false))),
        ("_pageSize=2&_pagedResultsOffset=4", Totals::Remaining, Ok(("e", "NONE", -1, 4, false))),
        ("_pageSize=2", Totals::Exact, Ok(("ab", "EXACT", 5, -1, true))),
        ("_pageSize=2&_pagedResultsOffset=2", Totals::Exact, Ok(("cd", "EXACT", 5, -1, true))),
        ("_pageSize=2&_pagedResultsOffset=4", Totals::Exact, Ok(("e", "EXACT", 5, -1, false))),
        ("_pageSize=2&_pagedResultsOffset=9", Totals::Exact, Ok(("", "EXACT", 5, -1, false))),
        ("_pageSize=5", Totals::Exact, Ok(("abcde", "EXACT", 5, -1, false))),
        ("_pageSize=2&_sortKeys=-_id", Totals::Exact, Ok(("ed", "EXACT", 5, -1, true))),
        // A cookie that did not open is none of ours.
        ("_pageSize=2&_pagedResultsCookie=x", Totals::Exact, Err(400)),
    ] {
        let expected =
            expected.map(|(ids, policy, total, remaining, next)| (ids.to_owned(), policy, total, remaining, next));
        assert_eq!(ask(parameters, totals), expected, "{parameters} {totals:?}");
    }
}

#[test]
fn a_cookie_fits_its_sort_keys() {
    let mut other = query("_queryFilter=true&_pageSize=2&_sortKeys=a,b").expect("parses");
    other.cookie = Cookie::After(Position { keys: vec![Key::Missing], id: "a".into() });
    assert_eq!(other.answer(items("abc"), Names::Exact, Totals::Exact).map_err(|e| e.code()), Err(400));
}

/// What others do between two pages.
#[derive(Clone, Debug)]
enum Meanwhile {
    Create(u8, u8),
    Delete(u8),
}

fn meanwhile() -> impl Strategy<Value = Vec<Meanwhile>> {
    let one = prop_oneof![
        (any::<u8>(), 0..4u8).prop_map(|(id, rank)| Meanwhile::Create(id, rank)),
        any::<u8>().prop_map(Meanwhile::Delete),
    ];
    prop::collection::vec(one, 0..6)
}

proptest! {
    /// Paging by cookie shows whatever stays exactly once, and nothing twice, whatever is created and deleted meanwhile,
    /// in the order that was asked for.
    #[test]
    fn every_element_that_stays_is_shown_once(
        first in prop::collection::btree_map(any::<u8>(), 0..4u8, 0..40),
        changes in prop::collection::vec(meanwhile(), 0..40),
        page_size in 1..5usize,
        sort in prop_oneof![Just(""), Just("&_sortKeys=rank"), Just("&_sortKeys=-rank,-_id"), Just("&_sortKeys=nosuch")],
    ) {
        let mut stored: BTreeMap<u8, u8> = first.clone();
        let mut stayed: BTreeSet<u8> = first.keys().copied().collect();
        let mut seen: Vec<u8> = Vec::new();
        let mut cookie = Cookie::Absent;
        let mut changes = changes.into_iter();
        loop {
            let mut query = query(&format!("_queryFilter=true&_pageSize={page_size}{sort}")).expect("parses");
            query.cookie = cookie;
            let all = stored.iter().map(|(id, rank)| {
                let content = json!({"rank": rank});
                Item::new(format!("{id:03}"), None, content.as_object().cloned().unwrap_or_default())
            });
            let listing = query.answer(all, Names::Exact, Totals::Exact).expect("answers");
            prop_assert!(listing.items.len() <= page_size);
            seen.extend(listing.items.iter().map(|item| item.id.parse::<u8>().expect("a number")));
            match listing.next {
                // As it comes back from a client.
                Some(next) => {
                    let text = serde_json::to_vec(&next).expect("serializes");
                    cookie = Cookie::After(serde_json::from_slice(&text).expect("deserializes"));
                }
                None => break,
            }
            for change in changes.next().unwrap_or_default() {
                match change {
                    Meanwhile::Create(id, rank) => {
                        // What is written again in another place has not stayed.
                        if stored.insert(id, rank) != Some(rank) {
                            stayed.remove(&id);
                        }
                    }
                    Meanwhile::Delete(id) => {
                        stored.remove(&id);
                        stayed.remove(&id);
                    }
                }
            }
        }
        for id in &stayed {
            prop_assert_eq!(seen.iter().filter(|known| *known == id).count(), 1, "{} of {:?}", id, seen);
        }
        let sorted: Vec<u8> = seen.iter().copied().filter(|id| stayed.contains(id)).collect();
        let mut expected = sorted.clone();
        expected.sort_by_key(|id| match sort {
            "&_sortKeys=rank" => (i16::from(stored[id]), i16::from(*id)),
            "&_sortKeys=-rank,-_id" => (-i16::from(stored[id]), -i16::from(*id)),
            _ => (0, i16::from(*id)),
        });
        prop_assert_eq!(sorted, expected);
    }
}
