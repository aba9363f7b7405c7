use super::*;

const SCHEMA: Schema = Schema {
    sections: &[
        Section {
            name: "core",
            title: "Core",
            bare: false,
            attributes: &[
                Attribute::flag("on", "On", true),
                Attribute::int("life", "Life (seconds)", -1, 7),
                Attribute::text("uri", "URI"),
                Attribute::choice("kind", "Kind", &["One", "Two"], "One"),
                Attribute::list("names", "Names"),
                Attribute::secret("password", "Password"),
                Attribute::unset("group", "Group"),
            ],
        },
        Section { name: "bare", title: "Bare", bare: true, attributes: &[Attribute::text("script", "Script")] },
        Section { name: "", title: "", bare: false, attributes: &[Attribute::map("map", "Map")] },
    ],
    opaque: &["newer"],
};

fn object(value: &Value) -> Object {
    value.as_object().cloned().expect("an object")
}

fn read(content: Value) -> Result<Value, String> {
    let read = SCHEMA.read(&object(&content), LeftOut::Default);
    read.map(|read| Value::Object(read.stored)).map_err(|e| e.message().to_owned())
}

fn defaults() -> Value {
    json!({"core": {"on": true, "life": 7, "kind": "One", "names": []}, "bare": {}, "map": {}})
}

#[test]
fn wrapped_and_bare_values_read_alike() {
    assert_eq!(read(json!({})), Ok(defaults()));
    let wrapped = json!({"core": {
        "on": {"inherited": false, "value": "FALSE"}, "life": {"inherited": true, "value": "-1"},
        "uri": {"inherited": false}, "kind": "two", "names": {"inherited": false, "value": [null, "a", 5, "a"]},
    }, "map": {"inherited": false, "value": {"a": "b"}}, "newer": {"any": [1]}, "_id": "x", "_rev": "1",
        "password-encrypted": "x"});
    let mut expected = defaults();
    expected["core"] = json!({"on": false, "life": -1, "kind": "Two", "names": ["a", "5"]});
    expected["map"] = json!({"a": "b"});
    expected["newer"] = json!({"any": [1]});
    assert_eq!(read(wrapped), Ok(expected));
    let mut single = defaults();
    single["core"]["names"] = json!(["only"]);
    assert_eq!(read(json!({"core": {"names": "only", "kind": "", "life": null}})), Ok(single));
}

#[test]
fn what_an_attribute_does_not_have_is_refused() {
    let invalid = |label: &str| Err(format!("Data validation failed for the attribute, {label}"));
    for (attribute, value, label) in [
        ("on", json!("yes"), "On"),
        ("life", json!(-2), "Life (seconds)"),
        ("life", json!(1.5), "Life (seconds)"),
        ("life", json!(1u64 << 40), "Life (seconds)"),
        ("kind", json!("Three"), "Kind"),
        ("names", json!([{"a": 1}]), "Names"),
        ("names", json!({"a": 1}), "Names"),
        ("password", json!(""), "Password"),
        ("password", json!(7), "Password"),
        ("group", json!("g"), "Group"),
    ] {
        assert_eq!(read(json!({"core": {attribute: value}})), invalid(label), "{attribute}");
    }
    assert_eq!(read(json!({"map": {"a": 1}})), invalid("Map"));
    assert_eq!(read(json!({"core": []})), invalid("Core"));
    for unknown in
        [json!({"isAdmin": true}), json!({"core": {"isAdmin": true}}), json!({"on": true}), json!({"_verifier": "x"})]
    {
        assert_eq!(read(unknown), Err("Invalid attribute specified.".into()));
    }
}

#[test]
fn what_is_left_out_stays_where_it_should() {
    let stored = object(&json!({"core": {"on": false, "uri": "u"}, "map": {"a": "b"}, "newer": 1}));
    let content = object(&json!({"core": {"life": 9, "password": "s3cret"}}));
    let read = SCHEMA.read(&content, LeftOut::Keep(&stored)).expect("reads");
    let core = json!({"on": false, "life": 9, "uri": "u", "kind": "One", "names": []});
    assert_eq!(Value::Object(read.stored), json!({"core": core, "bare": {}, "map": {"a": "b"}, "newer": 1}));
    assert_eq!(read.secret.as_deref(), Some("s3cret"));
}

/// §2.1 to §2.3: three shapes of one thing.
#[test]
fn each_reader_gets_its_shape() {
    let stored = object(&json!({"core": {"on": false}, "bare": {}}));
    let set = |value: Value| json!({"inherited": false, "value": value});
    assert_eq!(
        Value::Object(SCHEMA.wrapped(&stored)),
        json!({
            "core": {"on": set(json!(false)), "life": set(json!(7)), "uri": {"inherited": false},
                "kind": set(json!("One")), "names": set(json!([]))},
            "bare": {"script": null}, "map": set(json!({})),
        })
    );
    assert_eq!(
        Value::Object(SCHEMA.plain(&stored)),
        json!({"core": {"on": false, "life": 7, "uri": null, "kind": "One", "names": [], "group": null},
            "bare": {"script": null}, "map": {}})
    );
    assert_eq!(
        Value::Object(SCHEMA.service(&stored)),
        json!({"core": {"on": false, "life": 7, "kind": "One", "names": []}, "bare": {}, "map": {}})
    );
}
