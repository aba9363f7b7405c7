//! crest.md §10 as tables, and against a second implementation that is written from the text and cares for no cost.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn object(value: &Value) -> Object {
    value.as_object().cloned().expect("an object")
}

fn parsed(operations: &Value) -> Result<Patch, (u16, String)> {
    Patch::parse(operations.to_string().as_bytes()).map_err(|e| (e.code(), e.message().to_owned()))
}

/// `/set` and `/deep/set` are sets.
fn is_set(pointer: &Pointer) -> bool {
    let schema = json!({"properties": {
        "set": {"type": "array", "uniqueItems": true},
        "list": {"type": "array", "uniqueItems": false},
        "deep": {"properties": {"set": {"uniqueItems": true}}},
    }});
    sets(&schema)(pointer)
}

fn before() -> Value {
    json!({"mail": "a@x", "n": 5, "f": 1.5, "list": ["a", "b", "a"], "numbers": [1, 2.5], "set": ["a", "b"],
        "deep": {"x": {"y": 1}, "set": [1]}, "people": [{"name": "al"}, {"name": "bo"}], "none": null})
}

fn patched(operations: Value) -> Result<Value, (u16, String)> {
    let patch = parsed(&operations)?;
    patch.apply(&object(&before()), is_set).map(Value::Object).map_err(|e| (e.code(), e.message().to_owned()))
}

/// Second table of §10: what is no patch.
#[test]
fn what_an_operation_needs_and_refuses() {
    let told = |detail: &str| {
        Err((
            400,
            format!(
                "The request could not be processed because the provided content is not a valid JSON patch: {detail}"
            ),
        ))
    };
    for (operation, detail) in [
        (json!({"field": "/a", "value": 1}), "/0/operation: Expecting a value"),
        (json!({"operation": null, "field": "/a"}), "/0/operation: Expecting a value"),
        (json!({"operation": "test", "field": "/a", "value": 1}), "Invalid patch operation type test"),
        (json!({"operation": 7, "field": "/a"}), "Invalid patch operation type 7"),
        (json!({"operation": "add", "value": 1}), "/0/field: Expecting a value"),
        (json!({"operation": "add", "field": 1, "value": 1}), "/0/field: Expecting a JSON pointer"),
        (json!({"operation": "add", "field": "a//b", "value": 1}), "/0/field: Expecting a JSON pointer"),
        (json!({"operation": "add", "field": "/a"}), "No value field provided for 'add' operation"),
        (
            json!({"operation": "replace", "field": "/a", "value": null}),
            "No value field provided for 'replace' operation",
        ),
        (json!({"operation": "increment", "field": "/a"}), "No value field provided for 'increment' operation"),
        (json!({"operation": "transform", "field": "/a"}), "No value field provided for 'transform' operation"),
        (json!({"operation": "add", "field": "/a", "from": "/b", "value": 1}), "'add' does not accept from field"),
        (
            json!({"operation": "replace", "field": "/a", "from": "/b", "value": 1}),
            "'replace' does not accept from field",
        ),
        (json!({"operation": "remove", "field": "/a", "from": "/b"}), "'remove' does not accept from field"),
        (
            json!({"operation": "increment", "field": "/a", "from": "/b", "value": 1}),
            "'increment' does not accept from field",
        ),
        (
            json!({"operation": "transform", "field": "/a", "from": "/b", "value": 1}),
            "'transform' does not accept from field",
        ),
        (json!({"operation": "copy", "field": "/a"}), "No from field provided for 'copy' operation"),
        (json!({"operation": "move", "field": "/a"}), "No from field provided for 'move' operation"),
        (json!({"operation": "copy", "field": "/a", "from": "/b", "value": 1}), "'copy' does not accept value field"),
        (json!({"operation": "move", "field": "/a", "from": "/b", "value": 1}), "'move' does not accept value field"),
        (
            json!({"operation": "increment", "field": "/a", "value": "1000"}),
            "Non-numeric value provided for increment operation",
        ),
        (json!({"operation": "replace", "field": "/_id", "value": "x"}), "The field '/_id' cannot be patched"),
        (json!({"operation": "remove", "field": "_rev"}), "The field '/_rev' cannot be patched"),
        (json!("add"), "/0: Expecting an object"),
    ] {
        assert_eq!(parsed(&json!([operation])).map(drop), told(detail), "{operation}");
    }
    let no_array =
        "The request could not be processed because the provided content is not a JSON array of patch operations";
    assert_eq!(parsed(&json!({"operation": "add"})), Err((400, no_array.into())));
    let empty = "The request could not be processed because it did not contain any JSON content";
    assert_eq!(Patch::parse(b" ").map_err(|e| e.message().to_owned()), Err(empty.into()));
    assert!(Patch::parse(b"[{]").is_err());
    assert!(parsed(&json!([{"operation": "ADD", "field": "a", "value": 1}])).is_ok(), "operations ignore case");
}

/// Third table of §10, in its order: one operation, and what changes by it.
#[test]
fn what_an_operation_does() {
    let op = |operation: &str, field: &str| json!({"operation": operation, "field": field});
    let with =
        |operation: &str, field: &str, value: Value| json!({"operation": operation, "field": field, "value": value});
    let from = |operation: &str, from: &str, field: &str| json!({"operation": operation, "field": field, "from": from});
    for (operation, pointer, now) in [
        // add
        (with("add", "/mail", json!("b")), "/mail", json!("b")),
        (with("add", "mail", json!("b")), "/mail", json!("b")),
        (with("add", "/none", json!(1)), "/none", json!(1)),
        (with("add", "/p/q/r", json!(1)), "/p", json!({"q": {"r": 1}})),
        (with("add", "/list", json!(["b", "c"])), "/list", json!(["a", "b", "a", "b", "c"])),
        (with("add", "/set", json!(["b", "c", "c"])), "/set", json!(["a", "b", "c"])),
        (with("add", "/deep/set", json!([1, 2])), "/deep/set", json!([1, 2])),
        (with("add", "/list", json!("a")), "/list", json!(["a", "b", "a", "a"])),
        (with("add", "/set", json!("a")), "/set", json!(["a", "b"])),
        (with("add", "/list/-", json!("z")), "/list", json!(["a", "b", "a", "z"])),
        (with("add", "/list/-", json!(["z"])), "/list", json!(["a", "b", "a", ["z"]])),
        (with("add", "/list/1", json!("z")), "/list", json!(["a", "z", "b", "a"])),
        (with("add", "/list/3", json!("z")), "/list", json!(["a", "b", "a", "z"])),
        (with("add", "/people/1/name", json!("cy")), "/people/1", json!({"name": "cy"})),
        (with("add", "/", json!({"only": 1})), "/only", json!(1)),
        // remove
        (op("remove", "/mail"), "/mail", Value::Null),
        (op("remove", "/list/0"), "/list", json!(["b", "a"])),
        (op("remove", "/nosuch"), "/mail", json!("a@x")),
        (op("remove", "/nosuch/below"), "/nosuch", Value::Null),
        (op("remove", "/mail/below"), "/mail", json!("a@x")),
        (op("remove", "/list/9"), "/list", json!(["a", "b", "a"])),
        (op("remove", "/list/-"), "/list", json!(["a", "b", "a"])),
        (with("remove", "/list", json!("a")), "/list", json!(["b"])),
        (with("remove", "/set", json!("a")), "/set", json!(["b"])),
        (with("remove", "/list", json!("z")), "/list", json!(["a", "b", "a"])),
        (with("remove", "/mail", json!("a@x")), "/mail", Value::Null),
        (with("remove", "/mail", json!("other")), "/mail", json!("a@x")),
        (op("remove", "/"), "/mail", Value::Null),
        // replace
        (with("replace", "/mail", json!(["x"])), "/mail", json!(["x"])),
        (with("replace", "/deep", json!({"z": 1})), "/deep", json!({"z": 1})),
        (with("replace", "/list", json!(["c"])), "/list", json!(["c"])),
        (with("replace", "/set", json!(["c", "c"])), "/set", json!(["c"])),
        (with("replace", "/p/q", json!(1)), "/p", json!({"q": 1})),
        (with("replace", "/list/1", json!("z")), "/list", json!(["a", "z", "a"])),
        // increment
        (with("increment", "/n", json!(-6)), "/n", json!(-1)),
        (with("increment", "/n", json!(0.5)), "/n", json!(5.5)),
        (with("increment", "/f", json!(1)), "/f", json!(2.5)),
        (with("increment", "/numbers", json!(1)), "/numbers", json!([2, 3.5])),
        (with("increment", "/numbers/0", json!(1)), "/numbers", json!([2, 2.5])),
        // copy, move
        (from("copy", "/mail", "/backup"), "/backup", json!("a@x")),
        (from("copy", "/mail", "/list"), "/list", json!(["a", "b", "a", "a@x"])),
        (from("copy", "/list", "/list"), "/list", json!(["a", "b", "a", "a", "b", "a"])),
        (from("copy", "/deep", "/deep/again"), "/deep/again", json!({"x": {"y": 1}, "set": [1]})),
        (from("move", "/mail", "/p/mail"), "/p", json!({"mail": "a@x"})),
        (from("move", "/mail", "/p/mail"), "/mail", Value::Null),
        (from("move", "/list/0", "/list/2"), "/list", json!(["b", "a", "a"])),
    ] {
        let after = patched(json!([operation])).unwrap_or_else(|error| panic!("{operation}: {error:?}"));
        let found = Pointer::parse(pointer).expect(pointer).resolve(&after, Names::Exact).cloned();
        assert_eq!(found.unwrap_or(Value::Null), now, "{operation}");
    }
    for (operation, error) in [
        (with("add", "/list/9", json!(1)), (409, "The field '/list/9' does not exist")),
        (with("add", "/list/x", json!(1)), (409, "The field '/list/x' does not exist")),
        (with("add", "/list/01", json!(1)), (409, "The field '/list/01' does not exist")),
        (with("add", "/people/7/name", json!(1)), (409, "The field '/people/7/name' does not exist")),
        (with("add", "/mail/below", json!(1)), (409, "The field '/mail/below' does not exist")),
        (with("add", "/none/below", json!(1)), (409, "The field '/none/below' does not exist")),
        (with("replace", "/n/below/it", json!(1)), (409, "The field '/n/below/it' does not exist")),
        (with("add", "/set/-", json!(1)), (400, "The field '/set' is a set and has no indexes")),
        (with("replace", "/set/0", json!(1)), (400, "The field '/set' is a set and has no indexes")),
        (op("remove", "/deep/set/0"), (400, "The field '/deep/set' is a set and has no indexes")),
        (with("increment", "/nosuch", json!(1)), (400, "The field '/nosuch' does not exist")),
        (with("increment", "/mail", json!(1)), (400, "The field '/mail' is not a number")),
        (with("increment", "/list", json!(1)), (400, "The field '/list' is not a number")),
        (with("increment", "/", json!(1)), (400, "The field '/' is not a number")),
        (from("copy", "/nosuch", "/p"), (409, "The field '/nosuch' does not exist")),
        (from("move", "/nosuch", "/p"), (409, "The field '/nosuch' does not exist")),
        (from("move", "/deep", "/deep/x"), (409, "The field '/deep' cannot be moved to '/deep/x'")),
        (from("move", "/mail", "/mail"), (409, "The field '/mail' cannot be moved to '/mail'")),
        (with("transform", "/mail", json!({"script": {}})), (501, "Operation is not supported.")),
    ] {
        assert_eq!(patched(json!([operation])), Err((error.0, error.1.to_owned())), "{operation}");
    }
    for whole in [json!("text"), json!([1])] {
        assert_eq!(patched(json!([with("replace", "", whole)])).map_err(|e| e.0), Err(400));
    }
    assert_eq!(patched(json!([])), Ok(before()));
}

/// §10: all or none, each seeing the ones before.
#[test]
fn operations_follow_each_other() {
    let all = json!([
        {"operation": "add", "field": "/p/q", "value": [1]},
        {"operation": "add", "field": "/p/q/-", "value": 2},
        {"operation": "copy", "from": "/p/q/1", "field": "/p/r"},
        {"operation": "increment", "field": "/p/r", "value": 40},
        {"operation": "remove", "field": "/p/q"},
    ]);
    assert_eq!(patched(all).map(|after| after["p"].clone()), Ok(json!({"r": 42})));
}

#[test]
fn integers_do_not_wrap() {
    let add = |n: Value| {
        let patch = Patch::of(vec![json!({"operation": "increment", "field": "/n", "value": n})]).expect("a patch");
        patch.apply(&object(&json!({"n": i64::MAX})), |_| false).map(|after| after["n"].clone()).map_err(|e| e.code())
    };
    assert_eq!(add(json!(1)), Ok(json!(1u64 << 63)));
    assert_eq!(add(json!(u64::MAX)), Err(400));
    assert_eq!(add(json!(1e308)), Ok(json!(1e308)));
}

/// AD-02, AD-03 and JSON of whatever size: bounded by work, not by the clock.
#[test]
fn a_patch_costs_no_more_than_its_budget() {
    let apply = |operations: Vec<Value>| {
        let content = object(&json!({"a": {"text": "x".repeat(1000)}, "l": vec![0; 1000], "set": [1]}));
        Patch::of(operations).and_then(|patch| patch.apply(&content, is_set)).map(drop).map_err(|e| e.code())
    };
    // Doubling: 2^256 times the content.
    let double = json!({"operation": "copy", "from": "/l", "field": "/l"});
    assert_eq!(apply(vec![double; MAX_OPERATIONS]), Err(413));
    // Nesting: one level more each time, until it is too deep.
    let nest = json!({"operation": "copy", "from": "/a", "field": "/a/a"});
    assert_eq!(apply(vec![nest; MAX_OPERATIONS]), Err(400));
    // Long pointers make no deep parents.
    let deep = json!({"operation": "add", "field": "/a".repeat(10_000), "value": 1});
    assert_eq!(apply(vec![deep]), Err(400));
    let just = json!({"operation": "add", "field": "/b".repeat(body::MAX_DEPTH), "value": 1});
    assert_eq!(apply(vec![just.clone()]), Ok(()));
    let below = json!({"operation": "add", "field": "/b".repeat(body::MAX_DEPTH), "value": [1]});
    assert_eq!(apply(vec![below]), Err(400));
    assert_eq!(apply(vec![just; MAX_OPERATIONS + 1]), Err(400));
    // Sets compare all with all.
    let union = json!({"operation": "add", "field": "/set", "value": (0..3000).collect::<Vec<_>>()});
    assert_eq!(apply(vec![union]), Err(413));
    // Removing from the front of a long list moves the rest.
    let long = json!({"operation": "add", "field": "/l", "value": vec![0; 60_000]});
    let front = json!({"operation": "remove", "field": "/l/0"});
    assert_eq!(apply([vec![long], vec![front; 255]].concat()), Err(413));
}

/// The table again, written over values that are taken apart and put together anew at every step.
mod naive {
    use super::*;

    type Outcome<T> = Result<T, u16>;

    /// What stands at `path` becomes what `change` makes of it; `make` has absent parents made.
    fn at(
        value: Option<Value>,
        path: &[String],
        make: bool,
        change: &mut dyn FnMut(Option<Value>) -> Outcome<Option<Value>>,
    ) -> Outcome<Option<Value>> {
        let Some((first, rest)) = path.split_first() else {
            return change(value);
        };
        match value {
            None if make => at(Some(json!({})), path, make, change),
            None => Ok(None),
            Some(Value::Object(mut members)) => {
                let inner = at(members.remove(first), rest, make, change)?;
                members.extend(inner.map(|inner| (first.clone(), inner)));
                Ok(Some(Value::Object(members)))
            }
            Some(Value::Array(values)) => {
                let place = values.iter().enumerate().position(|(n, _)| n.to_string() == *first);
                match place {
                    Some(place) => {
                        let mut made = Vec::new();
                        for (n, value) in values.into_iter().enumerate() {
                            if n == place {
                                made.extend(at(Some(value), rest, make, change)?);
                            } else {
                                made.push(value);
                            }
                        }
                        Ok(Some(Value::Array(made)))
                    }
                    None if make => Err(409),
                    None => Ok(Some(Value::Array(values))),
                }
            }
            Some(_) if make => Err(409),
            Some(scalar) => Ok(Some(scalar)),
        }
    }

    fn get(value: &Value, path: &[String]) -> Option<Value> {
        let mut found = None;
        at(Some(value.clone()), path, false, &mut |there| {
            found = there.clone();
            Ok(there)
        })
        .ok();
        found
    }

    fn reaches_into_a_set(path: &[String]) -> bool {
        (0..path.len()).any(|end| is_set(&Pointer::of(path[..end].to_vec())))
    }

    fn merged(list: Vec<Value>, more: Vec<Value>, is_set: bool) -> Value {
        let mut all = list;
        for value in more {
            if !(is_set && all.iter().any(|known| *known == value)) {
                all.push(value);
            }
        }
        Value::Array(all)
    }

    fn add(whole: Value, field: &Pointer, value: Value) -> Outcome<Value> {
        let path = field.elements();
        if reaches_into_a_set(path) {
            return Err(400);
        }
        let Some((leaf, above)) = path.split_last() else {
            return if value.is_object() { Ok(value) } else { Err(400) };
        };
        let unique = is_set(field);
        let changed = at(Some(whole), above, true, &mut |parent| match parent.unwrap_or_else(|| json!({})) {
            Value::Object(mut members) => {
                let more = |value: Value| match value {
                    Value::Array(values) => values,
                    single => vec![single],
                };
                let now = match (members.remove(leaf), value.clone()) {
                    (Some(Value::Array(list)), value) => merged(list, more(value), unique),
                    (_, Value::Array(values)) => merged(Vec::new(), values, unique),
                    (_, value) => value,
                };
                members.insert(leaf.clone(), now);
                Ok(Some(Value::Object(members)))
            }
            Value::Array(values) => {
                let places: Vec<String> = (0..=values.len()).map(|n| n.to_string()).collect();
                let place = if leaf == "-" { Some(values.len()) } else { places.iter().position(|p| p == leaf) };
                let (head, tail) = values.split_at(place.ok_or(409u16)?);
                Ok(Some(Value::Array([head, std::slice::from_ref(&value), tail].concat())))
            }
            _ => Err(409),
        })?;
        changed.ok_or(500)
    }

    fn remove(whole: Value, field: &Pointer, only: Option<&Value>) -> Outcome<Value> {
        if reaches_into_a_set(field.elements()) {
            return Err(400);
        }
        let changed = at(Some(whole), field.elements(), false, &mut |there| {
            Ok(match (there, only) {
                (Some(Value::Array(values)), Some(only)) => {
                    Some(Value::Array(values.into_iter().filter(|value| value != only).collect()))
                }
                (Some(value), Some(only)) if value != *only => Some(value),
                _ => None,
            })
        })?;
        Ok(changed.unwrap_or_else(|| json!({})))
    }

    fn increment(whole: Value, field: &Pointer, by: &Number) -> Outcome<Value> {
        if reaches_into_a_set(field.elements()) {
            return Err(400);
        }
        let one = |value: &Value| match (value.as_i64(), by.as_i64(), value.as_f64(), by.as_f64()) {
            (Some(a), Some(b), ..) => Ok(json!(a + b)),
            (_, _, Some(a), Some(b)) => Ok(json!(a + b)),
            _ => Err(400u16),
        };
        let mut seen = false;
        let changed = at(Some(whole), field.elements(), false, &mut |there| {
            seen |= there.is_some();
            match there.ok_or(400u16)? {
                Value::Array(values) => values.iter().map(one).collect::<Outcome<Vec<_>>>().map(|v| Some(v.into())),
                value => one(&value).map(Some),
            }
        })?;
        changed.filter(|_| seen).ok_or(400)
    }

    pub(super) fn apply(patch: &Patch, content: &Value) -> Outcome<Value> {
        let mut whole = content.clone();
        for operation in patch.operations() {
            whole = match operation {
                Operation::Add { field, value } => add(whole, field, value.clone())?,
                Operation::Remove { field, value } => remove(whole, field, value.as_ref())?,
                Operation::Replace { field, value } => add(remove(whole, field, None)?, field, value.clone())?,
                Operation::Increment { field, by } => increment(whole, field, by)?,
                Operation::Copy { from, field } | Operation::Move { from, field } => {
                    let moves = matches!(operation, Operation::Move { .. });
                    if moves && field.elements().starts_with(from.elements()) {
                        return Err(409);
                    }
                    if reaches_into_a_set(from.elements()) {
                        return Err(400);
                    }
                    let value = get(&whole, from.elements()).ok_or(409u16)?;
                    let rest = if moves { remove(whole, from, None)? } else { whole };
                    add(rest, field, value)?
                }
                Operation::Transform { .. } => return Err(501),
            };
        }
        Ok(whole)
    }
}

fn pointers() -> impl Strategy<Value = String> {
    let element =
        prop_oneof![Just("a"), Just("b"), Just("list"), Just("set"), Just("0"), Just("1"), Just("-"), Just("deep")];
    prop::collection::vec(element, 0..4).prop_map(|elements| elements.iter().map(|e| format!("/{e}")).collect())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![(-3i64..3).prop_map(Value::from), Just(json!(0.5)), Just(json!("a")), Just(json!(true)),];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("a|b|set|list", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn operations() -> impl Strategy<Value = Value> {
    let with = |name: &'static str| {
        (pointers(), values())
            .prop_map(move |(field, value)| json!({"operation": name, "field": field, "value": value}))
    };
    let from = |name: &'static str| {
        (pointers(), pointers()).prop_map(move |(from, field)| json!({"operation": name, "field": field, "from": from}))
    };
    prop_oneof![
        with("add"),
        with("replace"),
        with("remove"),
        pointers().prop_map(|field| json!({"operation": "remove", "field": field})),
        (pointers(), -3i64..3).prop_map(|(field, by)| json!({"operation": "increment", "field": field, "value": by})),
        from("copy"),
        from("move"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Two implementations of one text agree on every patch: the same result, or the same status.
    #[test]
    fn two_readings_of_the_reference_agree(
        members in prop::collection::btree_map("a|b|list|set|deep", values(), 0..5),
        operations in prop::collection::vec(operations(), 0..6),
    ) {
        let content: Object = members.into_iter().collect();
        let patch = Patch::of(operations).expect("a patch");
        let ours = patch.apply(&content, is_set).map(Value::Object).map_err(|e| e.code());
        prop_assert_eq!(ours, naive::apply(&patch, &Value::Object(content)));
    }

    /// Whatever arrives is a patch or is refused with 400.
    #[test]
    fn no_body_makes_the_parser_fall_over(body in r#"[\[\]{}",:0-9a/operationfieldvalue -]{0,80}"#) {
        if let Err(error) = Patch::parse(body.as_bytes()) {
            prop_assert_eq!(error.code(), 400);
        }
    }
}
