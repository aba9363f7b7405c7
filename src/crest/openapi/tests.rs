//! What a document says, and that a reader of OpenAPI 3.0 can read it.

use super::*;
use crate::crest::ActionDescription;

fn about() -> About<'static> {
    About { server: "https://am.example.com/am/json".into(), cookie_name: "iPlanetDirectoryPro", csrf: true }
}

fn resource(path: &str, shape: Shape, description: Description) -> Endpoint {
    let is = Is::Resource {
        shape,
        versions: vec![Version(1, 0), Version(2, 1)],
        is_public: false,
        description: Box::new(description),
    };
    Endpoint { path: path.into(), part: Part::All, is }
}

fn users() -> Description {
    let schema = json!({"type": "object", "properties": {
        "username": {"type": "string", "title": "Name", "required": true, "propertyOrder": 100, "exampleValue": ""},
        "tags": {"type": "array", "uniqueItems": true, "items": {"type": "string", "required": false}},
        "nick": {"type": ["string", "null"]},
        "list": {"type": "array"},
        "map": {"type": "object", "patternProperties": {".*": {"type": "string"}}},
    }});
    Description::of(Shape::Collection)
        .titled("Users", "People who sign in")
        .written(schema)
        .queryable(["_id", "mail"])
        .with_query_id("A pattern of names")
        .action(ActionDescription::new("schema", "The schema"))
        .action(ActionDescription::new("changePassword", "Changes the password").on_instance())
        .error(428)
}

#[test]
fn a_collection_has_its_methods() {
    let document = document(&[resource("/realms/root/users", Shape::Collection, users())], &about());
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/realms/root/users", "/realms/root/users/{id}"]);
    let methods = |path: &str| paths[path].as_object().expect(path).keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(methods("/realms/root/users"), "get post");
    assert_eq!(methods("/realms/root/users/{id}"), "delete get parameters post put");
    let post = &paths["/realms/root/users"]["post"];
    assert_eq!(post["parameters"][2]["schema"]["enum"], json!(["create", "schema"]));
    assert_eq!(post["parameters"][2]["required"], json!(false), "without an action it creates");
    assert_eq!(post["parameters"][0]["required"], json!(true), "a change needs a header of its own");
    let on_instance = &paths["/realms/root/users/{id}"]["post"]["parameters"][2];
    assert_eq!((&on_instance["schema"]["enum"], &on_instance["required"]), (&json!(["changePassword"]), &json!(true)));
    let codes: Vec<&String> =
        paths["/realms/root/users/{id}"]["put"]["responses"].as_object().expect("codes").keys().collect();
    assert_eq!(
        codes,
        ["200", "201", "400", "401", "403", "404", "409", "412", "413", "428", "429", "500", "501", "503"]
    );
    let schema = &post["requestBody"]["content"]["application/json"]["schema"]["anyOf"][1];
    assert_eq!(schema["required"], json!(["username"]));
    assert_eq!(schema["properties"]["username"], json!({"type": "string", "title": "Name"}));
    assert_eq!(schema["properties"]["nick"], json!({"type": "string", "nullable": true}));
    assert_eq!(schema["properties"]["list"], json!({"type": "array", "items": {}}));
}

#[test]
fn shapes_and_operations_decide_what_is_there() {
    use crate::crest::Operation::{Create, Patch, Query, Read};
    let keys = |shape, description| {
        let document = document(&[resource("/x", shape, description)], &about());
        let paths = document["paths"].as_object().cloned().expect("paths");
        let entry = |(path, entry): (String, Value)| {
            let methods: Vec<String> = entry.as_object().expect("an entry").keys().cloned().collect();
            format!("{path}: {}", methods.join(" "))
        };
        paths.into_iter().map(entry).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(keys(Shape::Singleton, Description::of(Shape::Singleton)), "/x: get put");
    assert_eq!(keys(Shape::List, Description::of(Shape::List)), "/x: get");
    let read_only = Description::of(Shape::Collection).can([Read, Query]);
    assert_eq!(keys(Shape::Collection, read_only), "/x: get; /x/{id}: get parameters");
    let by_server = Description::of(Shape::Collection).can([Create]).ids(Ids::Server);
    assert_eq!(keys(Shape::Collection, by_server), "/x: post");
    let by_client = Description::of(Shape::Collection).can([Create, Patch]).ids(Ids::Client);
    assert_eq!(keys(Shape::Collection, by_client), "/x/{id}: parameters patch put");
    assert_eq!(keys(Shape::Collection, Description::of(Shape::Collection).can([])), "");
}

#[test]
fn strangers_are_told_where_they_may() {
    let mut endpoint = resource("/serverinfo", Shape::Singleton, Description::of(Shape::Singleton));
    if let Is::Resource { is_public, .. } = &mut endpoint.is {
        *is_public = true;
    }
    let exchange = Exchange {
        below: "",
        method: "post",
        text: "Sign in".into(),
        parameters: vec![("header", "X-OpenAM-Username", "The name")],
        request: Some(json!({"type": "object"})),
        answers: vec![(200, json!({"type": "object"}))],
        is_public: true,
    };
    let plain = Endpoint { path: "/authenticate".into(), part: Part::All, is: Is::Plain(vec![exchange]) };
    let silent = Endpoint { path: "/silent".into(), part: Part::All, is: Is::Plain(Vec::new()) };
    let document = document(&[endpoint, plain, silent], &about());
    assert_eq!(document["paths"]["/serverinfo"]["get"]["security"], json!([]));
    assert_eq!(document["paths"]["/serverinfo"]["get"]["responses"].get("401"), None);
    assert_eq!(document["paths"]["/authenticate"]["post"]["security"], json!([]));
    assert_eq!(document["paths"].get("/silent"), None);
}

#[test]
fn queries_that_show_ids_say_so() {
    let items = |description: Description| {
        let document = document(&[resource("/realms", Shape::Collection, description)], &about());
        let answer = &document["paths"]["/realms"]["get"]["responses"]["200"]["content"]["application/json"];
        answer["schema"]["properties"]["result"]["items"]["type"].clone()
    };
    assert_eq!(items(Description::of(Shape::Collection)), "object");
    assert_eq!(items(Description::of(Shape::Collection).listing_ids()), "string");
}

/// Everything that is referred to is there, ids are unique, every path parameter is declared.
#[test]
fn a_document_is_consistent() {
    let endpoints = [
        resource("/realms/root/users", Shape::Collection, users()),
        resource("/realms/root/realms/users", Shape::Collection, users()),
        resource("/global", Shape::Singleton, Description::of(Shape::Singleton).configuration()),
    ];
    let document = document(&endpoints, &about());
    check(&document);
}

/// Fails on what a reader of OpenAPI would trip over.
pub(crate) fn check(document: &Value) {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    assert_eq!(document["openapi"], OPENAPI);
    let mut found = Vec::new();
    references(document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = std::collections::BTreeSet::new();
    for (path, entry) in document["paths"].as_object().expect("paths") {
        assert!(path.starts_with('/') && !path.contains(['#', '?']), "{path}");
        let declared: Vec<&str> =
            entry["parameters"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
        let named: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(named, declared, "{path}");
        for (method, operation) in entry.as_object().expect("an entry").iter().filter(|(name, _)| *name != "parameters")
        {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let answers = operation["responses"].as_object().expect("answers");
            assert!(answers.keys().any(|code| code.starts_with('2')), "{method} {path}");
            for code in ["400", "403", "404", "500", "503"] {
                assert!(answers.contains_key(code), "{method} {path} {code}");
            }
            for parameter in operation["parameters"].as_array().expect("parameters") {
                let named =
                    parameter.get("$ref").is_some() || parameter["name"].is_string() && parameter["in"].is_string();
                assert!(named, "{parameter}");
            }
            assert!(operation.get("requestBody").is_none() || !["get", "delete"].contains(&method.as_str()));
        }
    }
}
