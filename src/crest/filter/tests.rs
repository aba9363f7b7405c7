//! crest.md §7.5, row by row; the canonical form; hostile filters.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn object() -> Value {
    json!({"_id": "u1", "userName": "Alice", "age": 30, "score": 7.5, "active": true, "nick": null,
        "tags": ["red", "Blue", 7], "name": {"given": "Alice", "family": "O'Neil"},
        "emails": [{"value": "a@x.org"}, {"value": "b@x.org"}],
        "path": "c:\\temp\\", "q": "say \"hi\"", "empty": "",
        "created": "2024-05-01T10:00:00Z", "!x": 1, "a/b": "slash", "a b": "sp"})
}

/// What a row of the table says.
#[derive(Debug, PartialEq)]
enum Row {
    Match,
    NoMatch,
    /// 400; for rows 80 and 109 the reference has 500, and calls 400 a safe deviation (§7.2).
    Invalid,
}

use Row::{Invalid, Match, NoMatch};

/// Number, filter, result. Rows 111 and 112 are in [`nesting_ends_at_63`].
const TABLE: &[(usize, &str, Row)] = &[
    (1, "true", Match),
    (2, "false", NoMatch),
    (3, "TRUE", Match),
    (4, "true and false", NoMatch),
    (5, "true or false and false", Match),
    (6, "(true or false) and false", NoMatch),
    (7, "! (true)", NoMatch),
    (8, "! false", Match),
    (9, "!true", Invalid),
    (10, "!(true)", NoMatch),
    (11, "! ! true", Invalid),
    (12, "! (! (true))", Match),
    (13, "userName eq \"alice\"", Match),
    (14, "userName eq 'ALICE'", Match),
    (15, "/userName eq \"Alice\"", Match),
    (16, "userName/ eq \"Alice\"", Match),
    (17, "userName EQ \"Alice\"", Match),
    (18, "userName eq Alice", Invalid),
    (19, "userName co \"LIC\"", Match),
    (20, "userName sw \"al\"", Match),
    (21, "userName sw \"lice\"", NoMatch),
    (22, "userName gt \"Al\"", Match),
    (23, "userName ge \"alice\"", Match),
    (24, "userName lt \"alice\"", NoMatch),
    (25, "userName le \"Alicf\"", Match),
    (26, "age eq 30", Match),
    (27, "age eq 30.0", Match),
    (28, "age eq \"30\"", NoMatch),
    (29, "age eq +30", Match),
    (30, "age eq 3e1", Invalid),
    (31, "age eq 3.0e1", Match),
    (32, "age gt 29.9", Match),
    (33, "age lt 30", NoMatch),
    (34, "age co 30", Match),
    (35, "age sw 3", NoMatch),
    (36, "score ge 7", Match),
    (37, "score eq 7.5", Match),
    (38, "score eq .75", NoMatch),
    (39, "age eq null", Invalid),
    (40, "active eq true", Match),
    (41, "active eq TRUE", Match),
    (42, "active eq \"true\"", NoMatch),
    (43, "active gt false", Match),
    (44, "active eq 1", NoMatch),
    (45, "nick pr", Match),
    (46, "nick eq \"\"", NoMatch),
    (47, "missing pr", NoMatch),
    (48, "missing eq 1", NoMatch),
    (49, "! (missing eq 1)", Match),
    (50, "! (missing pr)", Match),
    (51, "empty pr", Match),
    (52, "empty eq \"\"", Match),
    (53, "empty sw \"\"", Match),
    (54, "userName co \"\"", Match),
    (55, "tags eq \"red\"", Match),
    (56, "tags eq \"BLUE\"", Match),
    (57, "tags eq 7", Match),
    (58, "tags/1 eq \"blue\"", Match),
    (59, "tags/3 pr", NoMatch),
    (60, "tags/- pr", NoMatch),
    (61, "tags eq \"red\" and tags eq \"blue\"", Match),
    (62, "! (tags eq \"red\")", NoMatch),
    (63, "name/given eq \"alice\"", Match),
    (64, "name/family eq \"O'Neil\"", Match),
    (65, "name/family eq 'O\\'Neil'", Match),
    (66, "name eq \"x\"", NoMatch),
    (67, "name pr", Match),
    (68, "emails/0/value sw \"a\"", Match),
    (69, "emails/value pr", NoMatch),
    (70, "emails/value eq \"a@x.org\"", NoMatch),
    (71, "path eq \"c:\\\\temp\\\\\"", Match),
    (72, "path eq \"c:\\temp\\\"", Invalid),
    (73, "path eq 'c:\\\\temp\\\\'", Match),
    (74, "q eq \"say \\\"hi\\\"\"", Match),
    (75, "q eq 'say \"hi\"'", Match),
    (76, "q eq \"say \\h\\i\"", NoMatch),
    (77, "created gt \"2024-04-30T23:59:59Z\"", Match),
    (78, "a%2Fb eq \"slash\"", Match),
    (79, "a%20b eq \"sp\"", Match),
    (80, "a{b eq 1", Invalid),
    (81, "/ pr", Match),
    (82, "_id eq \"u1\"", Match),
    (83, "userName eq \"alice\" and age gt 40 or active eq true", Match),
    (84, "userName eq \"zed\" or age gt 20 and active eq false", NoMatch),
    (85, "(userName eq \"zed\" or age gt 20) and active eq true", Match),
    (86, "(age eq 30)and(active eq true)", Match),
    (87, "userName eq \"alice\"and age pr", Match),
    (88, "userName eq\"alice\"", Invalid),
    (89, "age eq 30and true", Invalid),
    (90, "!x pr", Match),
    (91, "! x pr", Match),
    (92, "userName regex \"al.*\"", NoMatch),
    (93, "userName regex \"al.*\" or true", NoMatch),
    (94, "! (userName regex \"al.*\")", NoMatch),
    (95, "userName op! 1", Invalid),
    (96, "userName eq", Invalid),
    (97, "userName", Invalid),
    (98, "", Invalid),
    (99, "()", Invalid),
    (100, "(true", Invalid),
    (101, "true)", Invalid),
    (102, "\"userName\" eq \"alice\"", Invalid),
    (103, "userName eq \"alice", Invalid),
    (104, "true true", Invalid),
    (105, "userName pr 1", Invalid),
    (106, "true eq \"T\"", Invalid),
    (107, "age eq 9223372036854775808", Invalid),
    (108, "userName eq \"ali\\ce\"", Match),
    (109, "age\teq 30", Invalid),
    (110, "userName eq \"alice\" AND age EQ 30 OR false", Match),
];

#[test]
fn the_case_table_of_the_reference() {
    let object = object();
    assert_eq!(TABLE.iter().map(|(n, ..)| *n).collect::<Vec<_>>(), (1..=110).collect::<Vec<_>>());
    for (n, filter, row) in TABLE {
        let result = match Filter::parse(filter) {
            Ok(parsed) if parsed.selects(&object, Names::Exact) => Match,
            Ok(_) => NoMatch,
            Err(error) => {
                let text = format!(
                    "The value '{filter}' for parameter '_queryFilter' could not be parsed as a valid query filter"
                );
                assert_eq!(error, Error::bad_request(text), "row {n}");
                Invalid
            }
        };
        assert_eq!(result, *row, "row {n}: {filter}");
    }
}

/// Rows 111 and 112, and beyond.
#[test]
fn nesting_ends_at_63() {
    let nested = |n: usize| Filter::parse(&format!("{}true{}", "(".repeat(n), ")".repeat(n)));
    assert!(nested(63).is_ok_and(|filter| filter.selects(&object(), Names::Exact)));
    for n in [64, 256, 8000] {
        assert!(nested(n).is_err(), "{n}");
    }
}

#[test]
fn the_canonical_form_is_the_one_of_the_reference() {
    for (filter, canonical) in [
        ("TRUE", "true"),
        ("(true)", "true"),
        ("true and true", "(true and true)"),
        ("a/b eq 'x'", "/a/b eq \"x\""),
        ("a eq 5", "/a eq 5"),
        ("a eq +5", "/a eq 5"),
        ("a eq .5", "/a eq 0.5"),
        ("a eq 1.0e300", "/a eq 1.0e300"),
        ("a%2Fb pr", "/a%2Fb pr"),
        ("/ pr", "/ pr"),
        ("! a pr", "! (/a pr)"),
    ] {
        assert_eq!(Filter::parse(filter).expect(filter).to_string(), canonical);
    }
}

#[test]
fn names_ignore_case_where_asked_to() {
    let filter = Filter::parse("USERNAME eq 'alice'").expect("parses");
    assert!(filter.selects(&object(), Names::AnyCase));
    assert!(!filter.selects(&object(), Names::Exact));
}

#[test]
fn numbers_that_are_none_are_refused() {
    for number in ["NaN", "Infinity", "inf", "1.0e999", "-1.0e999", "1..2", "1.2.3", "--1", "0x1F", "1e", "1.e", "."] {
        assert!(Filter::parse(&format!("age eq {number}")).is_err(), "{number}");
    }
    assert!(Filter::parse(&format!("age eq 1.{}", "0".repeat(10_000))).is_ok());
}

/// Length is bounded, and with it everything that is made of a filter.
#[test]
fn long_filters_are_refused() {
    let long = |n: usize| format!("a eq \"{}\"", "x".repeat(n));
    assert!(Filter::parse(&long(MAX_FILTER_BYTES - 7)).is_ok());
    assert!(Filter::parse(&long(MAX_FILTER_BYTES)).is_err());
    let many = "a pr or ".repeat(MAX_FILTER_BYTES / 8 - 1) + "a pr";
    assert!(Filter::parse(&many).is_ok());
    assert!(Filter::parse(&format!("{} pr", "a/".repeat(MAX_FILTER_BYTES))).is_err());
}

fn filters() -> impl Strategy<Value = Filter> {
    let pointer = prop::collection::vec(".{1,4}", 0..3).prop_map(Pointer::of);
    let operator = prop_oneof![
        Just(Operator::Equal),
        Just(Operator::Contains),
        Just(Operator::StartsWith),
        Just(Operator::Less),
        Just(Operator::LessOrEqual),
        Just(Operator::Greater),
        Just(Operator::GreaterOrEqual),
        Just(Operator::Extended("regex".into())),
    ];
    let assertion = prop_oneof![
        ".{0,6}".prop_map(Assertion::Text),
        any::<i64>().prop_map(Assertion::Integer),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Assertion::Double),
        any::<bool>().prop_map(Assertion::Bool),
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Filter::Literal),
        pointer.clone().prop_map(Filter::Present),
        (pointer, operator, assertion)
            .prop_map(|(pointer, operator, assertion)| Filter::Compare(pointer, operator, assertion)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner, 2..4).prop_map(Filter::Or),
        ]
    })
}

proptest! {
    /// Printed and parsed, it is the same filter.
    #[test]
    fn a_filter_prints_as_it_parses(filter in filters()) {
        let printed = filter.to_string();
        prop_assert_eq!(Filter::parse(&printed), Ok(filter), "{}", printed);
    }

    /// No input makes the parser fall over, and what is parsed has a canonical form.
    #[test]
    fn canonical_is_a_fixed_point(text in r#"[()! "'\\a1.%]{0,12}( (and|or|eq|pr|true|co|\(|\)|'a'|a|5))*"#) {
        if let Ok(filter) = Filter::parse(&text) {
            let canonical = filter.to_string();
            prop_assert_eq!(Filter::parse(&canonical), Ok(filter), "{}", canonical);
        }
    }
}
