//! The framework over HTTP, on a resource that has everything: crest.md §4.3, §5, §6, §9, §10, §11, §14.

use crate::{
    crest::{
        ActionDescription, Call, Create, Description, Error, Item, Listing, Match, Object, Operation, Patch, Query,
        Resource, Returned, Shape, Totals, Version, patch, pointer::Names, unchanged,
    },
    desk::{delete, put},
    rest::{
        Routes, Scope, routes,
        testing::{Reply, Rig},
    },
};
use quorate_raft::{DocumentKey, Kind, Precondition};
use serde_json::{Value, json};

/// Notes: whatever object under an id; `tags` is a set.
struct Notes;

fn key(call: &Call<'_>, id: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::Group, id)
}

fn stored(content: &Object) -> Object {
    content.iter().filter(|(name, _)| !name.starts_with('_')).map(|(n, v)| (n.clone(), v.clone())).collect()
}

impl Resource for Notes {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 2), Version(2, 1), Version(3, 0)]
    }

    fn describe(&self) -> Description {
        let schema = json!({"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": true, "items": {"type": "string"}}}});
        let description = Description::of(Shape::Collection).titled("Notes", "For tests").written(schema);
        description.and(Operation::Patch).action(ActionDescription::new("nothing", "Answers 204"))
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let id = id.ok_or_else(|| Error::bad_request("A note needs an id"))?;
        let content = stored(create.content);
        let write = put(key(call, id), Precondition::Absent, &Value::Object(content.clone()), vec![], false);
        let revision = call.write(write).await.map_err(|refused| create.refused(call, refused, "Note exists"))?;
        Ok(Item::new(id, Some(revision), content))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let entry = call.desk.document(call.realm, Kind::Group, id).ok_or_else(Error::not_found)?;
        Ok(Item::new(id, Some(entry.document.revision), entry.json().as_object().cloned().unwrap_or_default()))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let entry = call.desk.document(call.realm, Kind::Group, id).ok_or_else(Error::not_found)?;
        let when = unchanged(when, id, entry.document.revision)?;
        let content = stored(content);
        let write = put(key(call, id), when, &Value::Object(content.clone()), vec![], false);
        Ok(Item::new(id, Some(call.write(write).await?), content))
    }

    async fn patch(&self, call: &Call<'_>, id: &str, changes: &Patch, when: &Match) -> Result<Item, Error> {
        patch::by_update(self, call, id, changes, when).await
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let item = self.read(call, id).await?;
        call.write(delete(key(call, id), when.precondition())).await?;
        Ok(item)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = call.collect(Kind::Group);
        let items = all.into_iter().map(|(id, revision, content)| Item::new(&*id, Some(revision), content));
        query.answer(items, Names::Exact, Totals::Exact)
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        match name {
            "nothing" => Ok(Returned::Nothing),
            "echo" => Ok(Value::Object(content.clone()).into()),
            _ => Err(Error::no_action(name)),
        }
    }
}

/// One that exists once.
struct Single;

impl Resource for Single {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    async fn read(&self, _: &Call<'_>, _: &str) -> Result<Item, Error> {
        Ok(Item::new("", None, Object::new()))
    }
}

fn table() -> Routes {
    routes().resource(Scope::Realm, "notes", Notes).resource(Scope::Realm, "single", Single)
}

struct Notebook(Rig);

impl Notebook {
    async fn new() -> Self {
        Self(Rig::new().await)
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
        let mut ask = self.0.admin(method, path).at(table());
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        match body {
            Some(body) => ask.json(&body).await,
            None => ask.go().await,
        }
    }

    async fn put(&self, id: &str, content: Value) -> String {
        let reply = self.ask("PUT", &format!("/notes/{id}"), &[], Some(content)).await;
        assert!([200, 201].contains(&reply.status), "{}", reply.text);
        tag(&reply)
    }
}

fn tag(reply: &Reply) -> String {
    reply.header("ETag").expect("a tag").to_owned()
}

const STALE: &str = "The resource with ID 'n' could not be updated because it does not have the required version";

/// §4.3, third table: PATCH and DELETE with a revision, in its order.
#[actix_web::test]
async fn patch_and_delete_with_a_revision() {
    let notes = Notebook::new().await;
    let patch = json!([{"operation": "add", "field": "/n", "value": 1}]);
    for (method, body) in [("PATCH", Some(patch)), ("DELETE", None)] {
        let ask = |condition: Option<String>| {
            let (notes, body) = (&notes, body.clone());
            async move {
                let headers: Vec<(&str, &str)> = condition.iter().map(|tag| ("If-Match", tag.as_str())).collect();
                notes.ask(method, "/notes/n", &headers, body).await
            }
        };
        for condition in [None, Some("*")] {
            let condition = || condition.map(str::to_owned);
            assert_eq!(ask(condition()).await.error(), (404, "Not Found"), "{method}");
            notes.put("n", json!({})).await;
            assert_eq!(ask(condition()).await.status, 200, "{method}");
            notes.ask("DELETE", "/notes/n", &[], None).await;
        }
        let former = notes.put("n", json!({"a": 1})).await;
        let current = notes.put("n", json!({"a": 2})).await;
        assert_eq!(ask(Some(former.clone())).await.error(), (412, STALE), "{method}");
        assert_eq!(ask(Some(current)).await.status, 200, "{method}");
        notes.ask("DELETE", "/notes/n", &[], None).await;
        assert_eq!(ask(Some(former)).await.error(), (404, "Not Found"), "{method}");
    }
}

/// §10 over HTTP: the whole resource comes back, nothing changes when anything fails, `_fields` counts.
#[actix_web::test]
async fn a_patch_changes_all_or_nothing() {
    let notes = Notebook::new().await;
    let first = notes.put("n", json!({"text": "a", "tags": ["x"]})).await;
    let patch = |operations: Value| notes.ask("PATCH", "/notes/n", &[], Some(operations));
    let nothing = patch(json!([])).await;
    assert_eq!((nothing.status, tag(&nothing)), (200, first.clone()));
    let changed = patch(json!([
        {"operation": "replace", "field": "text", "value": "b"},
        {"operation": "add", "field": "/tags", "value": ["x", "y"]},
    ]))
    .await;
    assert_eq!(changed.json["text"], "b");
    assert_eq!(changed.json["tags"], json!(["x", "y"]), "a set by its schema");
    assert_ne!(tag(&changed), first);
    let failed = patch(json!([
        {"operation": "replace", "field": "text", "value": "c"},
        {"operation": "increment", "field": "text", "value": 1},
    ]))
    .await;
    assert_eq!(failed.error(), (400, "The field '/text' is not a number"));
    let invalid = "The request could not be processed because the provided content is not a valid JSON patch: ";
    let told = patch(json!([{"operation": "add", "field": "x"}])).await;
    assert_eq!(told.error(), (400, &*format!("{invalid}No value field provided for 'add' operation")));
    let array =
        "The request could not be processed because the provided content is not a JSON array of patch operations";
    assert_eq!(patch(json!({})).await.error(), (400, array));
    let typed = notes.0.admin("PATCH", "/notes/n").at(table()).raw("text/plain", "[]").await;
    assert_eq!(typed.status, 400);
    let after = notes.ask("GET", "/notes/n?_fields=text", &[], None).await;
    assert_eq!((tag(&after), &after.json["text"]), (tag(&changed), &json!("b")));
    let some = notes.ask("PATCH", "/notes/n?_fields=text", &[], Some(json!([]))).await;
    assert_eq!((some.json.get("tags"), &some.json["text"]), (None, &json!("b")));
    assert_eq!(
        notes.ask("PATCH", "/notes", &[], Some(json!([]))).await.error(),
        (400, "The resource collection notes cannot be patched")
    );
    // What has no PATCH answers as it always did.
    assert_eq!(notes.ask("PATCH", "/single", &[], Some(json!([]))).await.error(), (501, "Operation is not supported."));
}

/// §11, catalogue: what the framework says by itself, in its order.
#[actix_web::test]
async fn errors_are_those_of_the_catalogue() {
    let notes = Notebook::new().await;
    notes.put("n", json!({})).await;
    for (method, path, body, code, message) in [
        ("GET", "/type1/node1", None, 404, "Resource 'type1/node1' not found"),
        ("GET", "/realms/root/type1/node1", None, 404, "Resource 'type1/node1' not found"),
        ("GET", "/notes/n/below/it", None, 404, "Resource 'n/below/it' not found"),
        ("GET", "/notes/absent", None, 404, "Not Found"),
        ("GET", "/notes", None, 400, "The resource collection notes cannot be read"),
        ("PUT", "/notes", Some(json!({})), 400, "No new resource ID in HTTP PUT request"),
        ("DELETE", "/notes", None, 400, "The resource collection notes cannot be deleted"),
        ("POST", "/notes/n?_action=create", Some(json!({})), 400, "The resource instance notes/n cannot be created"),
        ("GET", "/notes/n?_queryFilter=true", None, 400, "The resource instance notes/n cannot be queried"),
        ("POST", "/single?_action=create", Some(json!({})), 400, "The singleton resource cannot be created"),
        ("DELETE", "/single", None, 400, "The singleton resource cannot be deleted"),
        ("GET", "/single?_queryFilter=true", None, 400, "The singleton resource cannot be queried"),
        ("PUT", "/single", Some(json!({})), 400, "The singleton resource cannot be created"),
        ("GET", "/users?_queryExpression=x", None, 501, "Query not supported: null"),
        ("OPTIONS", "/notes", None, 501, "Method OPTIONS not supported"),
        ("HEAD", "/notes/n", None, 501, "Method HEAD not supported"),
        ("TRACE", "/notes/n", None, 501, "Method TRACE not supported"),
        ("POST", "/notes?_action=fly", None, 501, "Action fly not implemented for this resource"),
        ("GET", "/global-config/realms?_queryFilter=name+eq+'x'", None, 501, "Query not supported: /name eq \"x\""),
        (
            "GET",
            "/global-config/realms?_queryFilter=true&_pageSize=1",
            None,
            501,
            "Query paging not currently supported",
        ),
    ] {
        assert_eq!(notes.ask(method, path, &[], body).await.error(), (code, message), "{method} {path}");
    }
    let taken = notes.ask("POST", "/notes?_action=create", &[], Some(json!({"_id": "n"}))).await;
    assert_eq!(taken.error(), (409, "Note exists"), "the id is not from the path");
    let absent = ("If-None-Match", "*");
    assert_eq!(notes.ask("PUT", "/notes/n", &[absent], Some(json!({}))).await.error(), (412, "Note exists"));
    let old = ("Accept-API-Version", "protocol=1.0");
    assert_eq!(notes.ask("PUT", "/notes/n", &[absent, old], Some(json!({}))).await.error(), (409, "Note exists"));
}

/// §5.1, §5.5, §17: 201 and where, 204 for nothing, bodies of actions are optional.
#[actix_web::test]
async fn creation_and_actions() {
    let notes = Notebook::new().await;
    for (n, path) in ["/notes?_action=create", "/notes?_action=CREATE", "/notes"].into_iter().enumerate() {
        let id = format!("a b/{n}");
        let created = notes.ask("POST", path, &[], Some(json!({"_id": id, "text": "x"}))).await;
        let place = format!("https://am.example.com:8443/am/json/notes/a%20b%2F{n}");
        assert_eq!((created.status, created.header("Location")), (201, Some(&*place)), "{path}");
        assert!(created.text.starts_with(&format!("{{\"_id\":\"{id}\",\"_rev\":\"")), "{}", created.text);
        assert!(created.header("X-Quorate-Revision").is_some());
        let read = notes.ask("GET", &format!("/notes/a%20b%2F{n}"), &[], None).await;
        assert_eq!(tag(&read), tag(&created));
    }
    let nothing = notes.ask("POST", "/notes?_action=nothing", &[], None).await;
    assert_eq!((nothing.status, nothing.text.as_str(), nothing.header("ETag")), (204, "", None));
    let echo = notes.ask("POST", "/notes?_action=echo", &[], Some(json!({"b": 1}))).await;
    assert_eq!((echo.text.as_str(), echo.header("Content-API-Version")), ("{\"b\":1}", Some("resource=3.0")));
    // §13.2, §13.4.
    let older = notes.ask("GET", "/notes/nosuch", &[("Accept-API-Version", "resource=1.0")], None).await;
    assert_eq!(older.header("Content-API-Version"), Some("resource=1.2"));
    let none = notes.ask("GET", "/notes/x", &[("Accept-API-Version", "resource=2.2")], None).await;
    assert_eq!(none.error(), (404, "Accept-API-Version: Requested version \"2.2\" does not match any routes."));
}

/// §6: one field, as it is; and nothing that a browser would run.
#[actix_web::test]
async fn a_field_in_its_own_media_type() {
    let notes = Notebook::new().await;
    notes.put("n", json!({"text": "<b>\n", "image": "AQI_-w"})).await;
    let text = notes.ask("GET", "/notes/n?_fields=text&_mimeType=text/plain", &[], None).await;
    assert_eq!((text.text.as_str(), text.header("Content-Type")), ("<b>\n", Some("text/plain")));
    assert!(text.header("ETag").is_some());
    let html = notes.ask("GET", "/notes/n?_fields=text&_mimeType=text/html", &[], None).await;
    assert_eq!(html.status, 400, "no base64");
    let image =
        notes.0.admin("GET", "/notes/n?_fields=image&_mimeType=text/csv").at(table()).header("If-None-Match", "\"0\"");
    let policy = image.bytes().await;
    assert_eq!(policy.1, [1, 2, 63, 251]);
    assert_eq!(
        policy.0.get("Content-Security-Policy").and_then(|v| v.to_str().ok()),
        Some("sandbox; default-src 'none'")
    );
    assert_eq!(policy.0.get("Content-Disposition").and_then(|v| v.to_str().ok()), Some("attachment"));
    assert_eq!(notes.ask("GET", "/notes/n?_fields=nosuch&_mimeType=text/plain", &[], None).await.status, 404);
}

/// §9: pages by cookie while others write, and cookies that are not ours.
#[actix_web::test]
async fn pages_are_continued_by_cookie() {
    let notes = Notebook::new().await;
    for id in ["a", "b", "c", "d", "e", "f"] {
        notes.put(id, json!({"rank": id.len()})).await;
    }
    let page = |cookie: Value, more: &'static str| {
        let cookie = cookie.as_str().map(|cookie| format!("&_pagedResultsCookie={cookie}")).unwrap_or_default();
        let path = format!("/notes?_queryFilter=true&_pageSize=2{cookie}{more}");
        let notes = &notes;
        async move { notes.ask("GET", &path, &[], None).await }
    };
    let ids = |reply: &Reply| {
        let all = reply.json["result"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|item| item["_id"].as_str().map(str::to_owned)).collect::<String>()
    };
    let first = page(Value::Null, "").await;
    assert_eq!((ids(&first).as_str(), &first.json["totalPagedResults"]), ("ab", &json!(6)));
    notes.ask("DELETE", "/notes/b", &[], None).await;
    notes.ask("DELETE", "/notes/c", &[], None).await;
    notes.put("aa", json!({})).await;
    let second = page(first.json["pagedResultsCookie"].clone(), "").await;
    assert_eq!(ids(&second), "de");
    let last = page(second.json["pagedResultsCookie"].clone(), "").await;
    assert_eq!((ids(&last).as_str(), &last.json["pagedResultsCookie"]), ("f", &Value::Null));
    let refused = (400, "The paged results cookie is invalid for this query");
    for more in ["&_sortKeys=rank", "&_sortKeys=-_id"] {
        assert_eq!(page(first.json["pagedResultsCookie"].clone(), more).await.error(), refused, "{more}");
    }
    assert_eq!(page(json!("MTpfaWQ"), "").await.error(), refused);
    let both = page(first.json["pagedResultsCookie"].clone(), "&_pagedResultsOffset=1").await;
    let exclusive = "The parameters _pagedResultsOffset and _pagedResultsCookie are mutually exclusive";
    assert_eq!(both.error(), (400, exclusive));
    // A family without cookies ignores them.
    let users = notes.ask("GET", "/users?_queryFilter=true&_pageSize=5&_pagedResultsCookie=x", &[], None).await;
    assert_eq!((users.status, &users.json["pagedResultsCookie"]), (200, &Value::Null));
}

/// §4.2, §14: headers that every answer has.
#[actix_web::test]
async fn every_answer_has_its_headers() {
    let notes = Notebook::new().await;
    for path in ["/notes?_queryFilter=true", "/nosuch", "/notes/absent", "/serverinfo/*"] {
        let reply = notes.ask("GET", path, &[("X-ForgeRock-TransactionId", "theirs")], None).await;
        for (name, value) in [
            ("Content-Type", "application/json;charset=UTF-8"),
            ("Expires", "0"),
            ("Pragma", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "SAMEORIGIN"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path} {name}");
        }
        let cache = if path.starts_with("/serverinfo") { "no-store" } else { "private" };
        assert_eq!(reply.header("Cache-Control"), Some(cache), "{path}");
        let transaction = reply.header("X-ForgeRock-TransactionId").expect("a transaction");
        assert_eq!((transaction.len(), transaction == "theirs"), (36, false), "nobody trusts callers' ids");
        assert_eq!(reply.header("Warning"), None);
    }
}
