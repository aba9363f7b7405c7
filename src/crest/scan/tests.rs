use super::*;
use crate::{
    crest::Params,
    views::{Entry, Views},
};
use proptest::prelude::*;
use quorate_raft::{Document, Seq};
use serde_json::json;
use std::sync::Arc;

/// Documents with a `name` that is the id as it is written, a secret, and some attributes.
struct People;

impl Rows for People {
    fn is_id(&self, member: &str) -> bool {
        member.eq_ignore_ascii_case("name")
    }

    fn takes_patterns(&self) -> bool {
        true
    }

    fn has(&self, row: &Row) -> bool {
        &*row.id != "hidden"
    }

    fn place<'m>(&self, member: &'m str) -> Place<'m> {
        match member {
            id if id == "_id" || self.is_id(id) => Place::Stored("name"),
            "_rev" => Place::Made,
            secret if secret.eq_ignore_ascii_case("secret") => Place::Nowhere,
            other => Place::Stored(other),
        }
    }

    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>> {
        match member {
            id if id == "_id" || self.is_id(id) => row.entry.json().get("name").map(Cow::Borrowed),
            "_rev" => Some(Cow::Owned(row.entry.document.revision.0.to_string().into())),
            secret if secret.eq_ignore_ascii_case("secret") => None,
            other => {
                let other = Pointer::of([other.to_owned()]);
                other.resolve(row.entry.json(), Names::AnyCase).map(Cow::Borrowed)
            }
        }
    }

    fn item(&self, row: &Row) -> Item {
        let mut content = row.entry.json().as_object().cloned().unwrap_or_default();
        content.remove("secret");
        let name = content.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Item::new(name, Some(row.entry.document.revision), content)
    }
}

/// The same, where everything is asked for row by row.
struct Asked;

impl Rows for Asked {
    fn is_id(&self, member: &str) -> bool {
        People.is_id(member)
    }

    fn takes_patterns(&self) -> bool {
        true
    }

    fn has(&self, row: &Row) -> bool {
        People.has(row)
    }

    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>> {
        People.member(row, member)
    }

    fn item(&self, row: &Row) -> Item {
        People.item(row)
    }
}

fn people(names: impl IntoIterator<Item = String>) -> Ordered {
    documents(names.into_iter().enumerate().map(|(n, name)| {
        json!({
            "name": name, "secret": "x", "team": [format!("t{}", n % 3)], "age": n % 50, "address": {"city": "Ulm"},
        })
    }))
}

fn documents(bodies: impl IntoIterator<Item = Value>) -> Ordered {
    let mut rows = Ordered::default();
    for (n, body) in bodies.into_iter().enumerate() {
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        let body = Arc::from(body.to_string().into_bytes());
        let document = Document { body, revision: Seq(n as u64), fence: Seq(0), references: vec![] };
        rows.set(&Arc::from(name.to_lowercase()), Some(Arc::new(Entry::new(Arc::new(document)))));
    }
    rows
}

fn query(parameters: &str) -> Query {
    Params::parse(parameters).and_then(|params| Query::parse(&params)).expect(parameters)
}

fn ask(rows: &Ordered, parameters: &str) -> (String, i64, usize) {
    let mut touched = 0;
    let listing = query(parameters).scan_counting(rows, &People, Totals::Remaining, &mut touched).expect(parameters);
    let ids: Vec<&str> = listing.items.iter().map(|item| item.id.as_str()).collect();
    (ids.join(" "), listing.remaining, touched)
}

/// What is asked for by id costs what is found, not what is stored.
#[test]
fn ids_are_looked_up_and_their_beginnings_are_ranges() {
    let rows = people((0..5000).map(|n| format!("User{n:04}")));
    for (parameters, found, touched) in [
        ("_queryFilter=_id+eq+'user0042'", "User0042", 1),
        ("_queryFilter=NAME+eq+\"USER0042\"", "User0042", 1),
        ("_queryFilter=_id+eq+'nobody'", "", 0),
        ("_queryFilter=_id+eq+'user0042'+and+age+eq+42", "User0042", 1),
        ("_queryFilter=age+eq+43+and+_id+eq+'user0042'", "", 1),
        ("_queryFilter=_id+sw+'user1'+and+name+eq+'user0042'", "", 1),
        ("_queryFilter=_id+eq+'user0042'+or+name+eq+'user0007'", "User0007 User0042", 2),
        ("_queryFilter=_id+eq+'user0042'+or+name+sw+'USER004'+and+age+eq+41", "User0041 User0042", 10),
        ("_queryFilter=_id+sw+'user499'+and+age+gt+97", "", 10),
        ("_queryFilter=false", "", 0),
        ("_queryId=user0042", "User0042", 1),
        ("_queryId=USER004*2", "User0042", 10),
        ("_queryFilter=_id+sw+'user004'&_pageSize=2&_pagedResultsOffset=1", "User0041 User0042", 10),
    ] {
        let (ids, _, seen) = ask(&rows, parameters);
        assert_eq!((ids.as_str(), seen), (found, touched), "{parameters}");
    }
    assert_eq!(ask(&rows, "_queryFilter=_id+co+'0042'").2, 5000, "what is no beginning is searched for");
    assert_eq!(ask(&rows, "_queryFilter=!+(_id+eq+'user0042')&_pageSize=1").2, 5000);
    assert_eq!(ask(&rows, "_queryFilter=_id+sw+''&_pageSize=1").2, 5000);
}

/// The same as building everything first and looking then.
#[test]
fn it_answers_what_the_long_way_answers() {
    let mut names: Vec<String> = (0..300).map(|n| format!("{}{n}", ["a", "B", "aé", "Z", "É"][n % 5])).collect();
    names.push("hidden".into());
    let rows = people(names);
    let items = || rows.iter().filter(|row| People.has(row)).map(|row| People.item(row));
    for parameters in [
        "_queryFilter=true",
        "_queryFilter=true&_pageSize=7&_pagedResultsOffset=290",
        "_queryFilter=true&_sortKeys=-age,name&_pageSize=20&_pagedResultsOffset=15",
        "_queryFilter=true&_sortKeys=team,-_rev",
        "_queryFilter=true&_sortKeys=nosuch",
        "_queryFilter=team+eq+'T1'+and+age+lt+9",
        "_queryFilter=address/city+eq+'ulm'+and+_id+co+'é1'",
        "_queryFilter=_id+sw+'É'",
        "_queryFilter=_id+sw+'b1'+or+_id+sw+'b'",
        "_queryFilter=_id+eq+'B11'+or+_id+sw+'b1'+or+age+eq+3",
        "_queryFilter=team/0+co+'2'+and+!+(age+gt+5)",
        "_queryFilter=secret+pr",
        "_queryFilter=!+(SECRET+eq+'x')+and+age+lt+3",
        "_queryFilter=/+pr+and+age+eq+3",
        "_queryFilter=/+eq+3",
        "_queryFilter=_rev+eq+'17'",
        "_queryFilter=age+zz+3+or+age+eq+3",
        "_queryId=*1*",
        "_queryId=AÉ*",
        "_queryId=",
    ] {
        let query = query(parameters);
        let long = query.by_id_pattern(items(), Names::AnyCase, Totals::Remaining);
        assert_eq!(query.scan(&rows, &People, Totals::Remaining), long, "{parameters}");
    }
    for depth in [0, 1, 250, 299, 300, 500] {
        let query = query(&format!("_queryFilter=true&_sortKeys=-team,_id&_pageSize=9&_pagedResultsOffset={depth}"));
        let long = query.by_id_pattern(items(), Names::AnyCase, Totals::Remaining);
        assert_eq!(query.scan(&rows, &People, Totals::Remaining), long, "{depth}");
    }
    let unpaged = query("_queryFilter=true&_pageSize=1").scan(&rows, &People, Totals::Unpaged);
    assert_eq!(unpaged, Err(Error::new(501, "Query paging not currently supported")));
    let expression = query("_queryExpression=x").scan(&rows, &People, Totals::Exact);
    assert_eq!(expression.map_err(|error| error.code()), Err(501));
}

/// crest.md §9: pages that are continued by their cookies are the whole, in its order, however large they are.
#[test]
fn pages_by_cookie_are_the_whole() {
    use crate::crest::query::Cookie;
    let rows = people((0..500).map(|n| format!("{}{}", if n % 3 == 0 { "User" } else { "é" }, n * 7 % 500)));
    for parameters in ["", "&_sortKeys=-age,name", "&_sortKeys=team", "&_sortKeys=nosuch,-_id"] {
        let ids = |listing: &Listing| listing.items.iter().map(|item| item.id.clone()).collect::<Vec<_>>();
        let whole = query(&format!("_queryFilter=true{parameters}")).scan(&rows, &People, Totals::Exact).expect("all");
        for size in [1, 7, 300, 1000] {
            let mut query = query(&format!("_queryFilter=true&_pageSize={size}{parameters}"));
            let mut paged = Vec::new();
            loop {
                let listing = query.scan(&rows, &People, Totals::Exact).expect("a page");
                assert!(listing.items.len() <= size && listing.total == whole.total);
                paged.extend(ids(&listing));
                match listing.next {
                    Some(next) => query.cookie = Cookie::After(next),
                    None => break,
                }
            }
            assert_eq!(paged, ids(&whole), "{size} {parameters}");
        }
    }
    let foreign = query("_queryFilter=true&_pageSize=2&_pagedResultsCookie=x").scan(&rows, &People, Totals::Exact);
    assert_eq!(foreign.map_err(|error| error.code()), Err(400));
}

/// Views show the same documents both ways.
#[actix_web::test]
async fn rows_follow_every_change_of_documents() {
    use crate::desk::{delete, put};
    use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath};
    let (desk, _) = crate::testing::desk().await;
    let root = RealmPath::root();
    let key = |id: &str| DocumentKey::new(&root, Kind::Script, id);
    let write = |id: &str| put(key(id), Precondition::Any, &json!({"name": id}), vec![], false);
    let ids = |views: &Views| views.rows(&root, Kind::Script).iter().map(|row| row.id.to_string()).collect::<Vec<_>>();
    assert!(ids(desk.views()).is_empty());
    desk.write(vec![write("b"), write("A"), write("c")]).await.expect("writes");
    let held = desk.rows(&root, Kind::Script);
    assert_eq!(ids(desk.views()), ["A", "b", "c"]);
    desk.write(vec![delete(key("b"), Precondition::Present), write("c")]).await.expect("writes");
    assert_eq!(ids(desk.views()), ["A", "c"]);
    assert_eq!(held.len(), 3, "who reads is not disturbed");
    for row in desk.rows(&root, Kind::Script).iter() {
        let entry = desk.views().entry(&key(&row.id)).expect("the same document");
        assert!(Arc::ptr_eq(&entry, &row.entry), "and no second copy");
    }
    desk.write(vec![delete(key("A"), Precondition::Any), delete(key("c"), Precondition::Any)]).await.expect("writes");
    assert!(ids(desk.views()).is_empty());
    assert!(!desk.views().collections.pin().contains_key(&(root.clone(), Kind::Script)));
}

/// Texts that differ only in case, in ways that take Unicode to see, or in which half of the code units they are.
fn texts() -> impl Strategy<Value = String> {
    let letters: &'static [&'static str] =
        &["a", "A", "k", "K", "\u{212a}", "é", "É", "ß", "İ", "ı", "Σ", "ς", "\u{ffff}", "😀", " ", ""];
    prop::collection::vec(prop::sample::select(letters), 0..4).prop_map(|letters| letters.concat())
}

fn values() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        4 => texts().prop_map(Value::from),
        1 => (-3..3_i64).prop_map(Value::from),
        1 => prop::sample::select(&[0.5, -1.5, 2.0][..]).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => texts().prop_map(|text| json!({"x": text, "X": [text]})),
    ];
    prop_oneof![one.clone(), prop::collection::vec(one, 0..4).prop_map(Value::Array)]
}

const MEMBERS: [&str; 5] = ["a", "A", "bb", "bB", "é"];

fn bodies() -> impl Strategy<Value = Vec<Value>> {
    let members = prop::collection::btree_map(prop::sample::select(&MEMBERS[..]), values(), 0..4);
    prop::collection::vec((members, texts()), 1..12).prop_map(|all| {
        let body = |(n, (members, text)): (usize, (std::collections::BTreeMap<&str, Value>, String))| {
            let mut body = json!(members);
            body["name"] = format!("{text}{n}").into();
            body["secret"] = text.into();
            body
        };
        all.into_iter().enumerate().map(body).collect()
    })
}

fn pointers() -> impl Strategy<Value = Pointer> {
    let asked: &'static [&'static str] = &[
        "a", "A", "BB", "bb", "Bb", "é", "É", "a/x", "A/1", "bb/0", "bb/0/x", "_id", "NAME", "_rev", "secret",
        "Secret", "none", "/",
    ];
    prop::sample::select(asked).prop_map(|text| Pointer::parse(text).expect("parses"))
}

fn filters() -> impl Strategy<Value = Filter> {
    let operators: &'static [&'static str] = &["eq", "co", "sw", "lt", "le", "gt", "ge", "eq", "co", "sw", "zz"];
    let assertion = prop_oneof![
        4 => texts().prop_map(Assertion::Text),
        1 => (-3..3_i64).prop_map(Assertion::Integer),
        1 => prop::sample::select(&[0.5, -1.5, 2.0][..]).prop_map(Assertion::Double),
        1 => any::<bool>().prop_map(Assertion::Bool),
    ];
    let operator = prop::sample::select(operators).prop_map(|word| match Filter::parse(&format!("a {word} 1")) {
        Ok(Filter::Compare(_, operator, _)) => operator,
        other => panic!("{other:?}"),
    });
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Filter::Literal),
        2 => pointers().prop_map(Filter::Present),
        9 => (pointers(), operator, assertion).prop_map(|(pointer, op, assertion)| Filter::Compare(pointer, op, assertion)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner, 2..4).prop_map(Filter::Or),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// §7.3, §9: whatever is stored, asked for and sorted by, the fast way and the plain way agree, and so does the one on
    /// which nothing is known beforehand.
    #[test]
    fn a_scan_is_the_plain_evaluation(
        bodies in bodies(),
        filter in filters(),
        sort in prop::collection::vec((pointers(), any::<bool>()), 0..3),
        (page_size, offset) in (0..5_usize, 0..5_usize),
    ) {
        let rows = documents(bodies);
        let sort = sort.into_iter().filter(|(pointer, _)| pointer.leaf().is_some());
        let query = Query {
            select: Select::Filter(filter),
            sort: sort.map(|(pointer, descending)| crate::crest::query::SortKey { pointer, descending }).collect(),
            page_size,
            offset,
            ..query("_queryFilter=true")
        };
        let items = rows.iter().map(|row| People.item(row));
        let plain = query.answer(items, Names::AnyCase, Totals::Remaining);
        prop_assert_eq!(&query.scan(&rows, &People, Totals::Remaining), &plain);
        prop_assert_eq!(&query.scan(&rows, &Asked, Totals::Remaining), &plain);
    }
}
