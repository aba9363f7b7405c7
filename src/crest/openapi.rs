//! `_api`: an OpenAPI 3.0 document of what is registered (crest.md §15).
//!
//! The reference serves Swagger 2.0, whose paths carry fragments to tell operations on one path apart; no client of it
//! depends on that, and no tool reads it. Here one path has one entry per method, and what differs by parameter (an action,
//! a creation) is told by the parameter's values.
//!
//! Every status that an answer may have is in the document: a tester that meets another one has found a bug in either.

use super::{
    Operation, Shape, Version,
    describe::{Description, Exchange, Ids},
    error::reason,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The version of the specification.
pub const OPENAPI: &str = "3.0.3";

/// Statuses that any request below `/json` may get (crest.md §11): its own, the framework's, and the cluster's.
const COMMON: [u16; 10] = [400, 403, 404, 409, 412, 413, 429, 500, 501, 503];

/// An endpoint, as it was registered.
pub struct Endpoint {
    /// Its path below `/json`, realm included, without a trailing slash.
    pub path: String,
    /// Which part of it is described.
    pub part: Part,
    /// What it is.
    pub is: Is,
}

/// Which part of an endpoint a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The path itself and what is below.
    All,
    /// What is below.
    Instances,
}

/// What an endpoint is.
pub enum Is {
    /// A resource.
    Resource {
        /// Its shape.
        shape: Shape,
        /// Its versions.
        versions: Vec<Version>,
        /// Whether strangers may use it.
        is_public: bool,
        /// What it says.
        description: Box<Description>,
    },
    /// Something else, by method.
    Plain(Vec<Exchange>),
}

/// What a document says about the server.
pub struct About<'a> {
    /// Absolute URL of `/json`.
    pub server: String,
    /// The header and cookie that carry a session.
    pub cookie_name: &'a str,
    /// Whether a change needs a header of its own (crest.md §14).
    pub csrf: bool,
}

/// The document.
pub fn document(endpoints: &[Endpoint], about: &About<'_>) -> Value {
    let mut paths = Map::new();
    let mut tags = Vec::new();
    for endpoint in endpoints {
        let tag = tag(endpoint);
        if !tags.contains(&tag) {
            tags.push(tag.clone());
        }
        match &endpoint.is {
            Is::Resource { shape, versions, is_public, description } => {
                let resource =
                    Described { endpoint, shape: *shape, versions, is_public: *is_public, description, about, tag };
                if endpoint.part == Part::All {
                    put(&mut paths, &endpoint.path, resource.own());
                }
                if *shape == Shape::Collection {
                    put(&mut paths, &format!("{}/{{id}}", endpoint.path), resource.instances());
                }
            }
            Is::Plain(exchanges) => {
                for (path, entry) in plain(endpoint, exchanges, about, &tag) {
                    put(&mut paths, &path, entry);
                }
            }
        }
    }
    let tags: Vec<Value> = tags.into_iter().map(|tag| json!({"name": tag})).collect();
    json!({
        "openapi": OPENAPI,
        "info": {
            "title": "Quorate: Common REST",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Realms are addressed in the absolute form: `/realms/root`, then `/realms/{name}` for each level \
                            below. Errors are `{code, reason, message}`; a cluster without a majority answers 503.",
        },
        "servers": [{"url": about.server}],
        "tags": tags,
        "paths": paths,
        "components": components(about),
        "security": [{"session": []}, {"sessionCookie": []}],
    })
}

/// An entry without methods is no entry. What stands in the path for an id is a parameter.
fn put(paths: &mut Map<String, Value>, path: &str, mut entry: Map<String, Value>) {
    if entry.is_empty() {
        return;
    }
    let names = path.split('/').filter_map(|element| element.strip_prefix('{')?.strip_suffix('}'));
    let parameter =
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}});
    let parameters: Vec<Value> = names.map(parameter).collect();
    if !parameters.is_empty() {
        entry.insert("parameters".into(), parameters.into());
    }
    paths.insert(path.to_owned(), Value::Object(entry));
}

fn tag(endpoint: &Endpoint) -> String {
    if let Is::Resource { description, .. } = &endpoint.is
        && !description.title.is_empty()
    {
        return description.title.clone();
    }
    let levels: Vec<&str> = endpoint.path.split('/').filter(|level| !level.is_empty()).collect();
    let from = levels.iter().rposition(|level| *level == "realms").map_or(0, |at| at + 2);
    levels.get(from..).unwrap_or_default().join("/")
}

/// A name for an operation: letters, digits and underscores, unique by path and verb.
fn operation_id(path: &str, verb: &str) -> String {
    let name: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{}_{verb}", name.trim_matches('_'))
}

fn components(about: &About<'_>) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let query = |name: &str, description: &str, schema: Value| json!({"name": name, "in": "query", "description": description, "schema": schema});
    let parameters = json!({
        "fields": query("_fields", "Only these members, as a comma separated list of JSON pointers", json!({"type": "string"})),
        "prettyPrint": query("_prettyPrint", "Spread over lines", json!({"type": "boolean"})),
        "mimeType": query("_mimeType", "The one field as it is, in this media type", json!({"type": "string"})),
        "queryFilter": query("_queryFilter", "Which resources", json!({"type": "string", "example": "true"})),
        "pageSize": query("_pageSize", "Most resources of one answer; 0 for all", json!({"type": "integer", "format": "int32"})),
        "pagedResultsOffset": query("_pagedResultsOffset", "How many to skip", json!({"type": "integer", "format": "int32"})),
        "pagedResultsCookie": query("_pagedResultsCookie", "From the page before", json!({"type": "string"})),
        "totalPagedResultsPolicy": query("_totalPagedResultsPolicy", "Whether to count", json!({"type": "string", "enum": ["NONE", "ESTIMATE", "EXACT"]})),
        "sortKeys": query("_sortKeys", "By what: `+` or `-` and a JSON pointer, comma separated", json!({"type": "string"})),
        "ifMatch": {"name": "If-Match", "in": "header", "description": "Only this revision", "schema": {"type": "string"}},
        "ifNoneMatch": {"name": "If-None-Match", "in": "header", "description": "`*`: only where there is none", "schema": {"type": "string", "enum": ["*"]}},
        "knownRevision": {"name": "If-None-Match", "in": "header", "description": "The revision that the caller has", "schema": {"type": "string"}},
    });
    let error = json!({
        "type": "object",
        "required": ["code", "reason", "message"],
        "properties": {
            "code": {"type": "integer", "minimum": 400, "maximum": 599},
            "reason": text("The reason phrase of the code"),
            "message": text("What is wrong"),
            "detail": {"type": "object", "description": "Data for machines"},
        },
    });
    let patch = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["operation", "field"],
            "properties": {
                "operation": {"type": "string", "enum": ["add", "remove", "replace", "increment", "copy", "move"]},
                "field": text("JSON pointer to what is changed"),
                "from": text("JSON pointer to what is copied or moved"),
                "value": {"description": "What is added, replaced, removed or added up"},
            },
        },
    });
    json!({
        "parameters": parameters,
        "schemas": {"Error": error, "Patch": patch},
        "securitySchemes": {
            "session": {"type": "apiKey", "in": "header", "name": about.cookie_name},
            "sessionCookie": {"type": "apiKey", "in": "cookie", "name": about.cookie_name},
        },
    })
}

fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

fn error_answers(answers: &mut Map<String, Value>, codes: impl IntoIterator<Item = u16>) {
    for code in codes {
        let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
        answers.entry(code.to_string()).or_insert_with(|| json!({"description": reason(code), "content": content}));
    }
}

fn answer(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

fn body(schema: Value, required: bool) -> Value {
    json!({"required": required, "content": {"application/json": {"schema": schema}}})
}

struct Described<'e> {
    endpoint: &'e Endpoint,
    shape: Shape,
    versions: &'e [Version],
    is_public: bool,
    description: &'e Description,
    about: &'e About<'e>,
    tag: String,
}

impl Described<'_> {
    /// The resource with what the framework adds.
    fn shown(&self) -> Value {
        let mut shown = for_openapi(&self.description.shown);
        if let Some(schema) = shown.as_object_mut() {
            schema.remove("required"); // `_fields` leaves out what it likes
            let properties = schema.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("_id".into(), json!({"type": "string"}));
                properties.insert("_rev".into(), json!({"type": "string"}));
            }
        }
        shown
    }

    fn version_header(&self, changes: bool) -> Value {
        let versions: Vec<String> = self.versions.iter().map(|v| format!("{}\\.{}", v.0, v.1)).collect();
        let newest = self.versions.iter().max().map(ToString::to_string).unwrap_or_default();
        json!({
            "name": "Accept-API-Version",
            "in": "header",
            "description": "Versions of the framework's rules and of the resource",
            "required": changes && self.about.csrf,
            "schema": {"type": "string", "pattern": format!("^(protocol=2\\.1,)?resource=({})$", versions.join("|"))},
            "example": format!("protocol=2.1,resource={newest}"),
        })
    }

    fn operation(
        &self,
        verb: &str,
        text: &str,
        changes: bool,
        parameters: Vec<Value>,
        answers: Map<String, Value>,
    ) -> Value {
        let path = &self.endpoint.path;
        let mut all = vec![self.version_header(changes), parameter("prettyPrint")];
        all.extend(parameters);
        let mut answers = answers;
        let unauthenticated = (!self.is_public).then_some(401);
        let own = self.description.errors.iter().copied();
        error_answers(&mut answers, COMMON.into_iter().chain(unauthenticated).chain(own));
        let mut operation = json!({
            "operationId": operation_id(path, verb),
            "summary": text,
            "tags": [self.tag],
            "parameters": all,
            "responses": answers,
        });
        if !self.description.text.is_empty() {
            operation["description"] = self.description.text.clone().into();
        }
        if self.is_public {
            operation["security"] = json!([]);
        }
        operation
    }

    fn single(&self, code: &str, text: &str) -> Map<String, Value> {
        [(code.to_owned(), answer(text, self.shown()))].into_iter().collect()
    }

    /// The path itself: the collection, or the singleton.
    fn own(&self) -> Map<String, Value> {
        let mut entry = Map::new();
        let singleton = self.shape == Shape::Singleton;
        if singleton {
            self.instance_methods(&mut entry, "");
        } else if self.description.has(Operation::Query) {
            entry.insert("get".into(), self.query());
        }
        let creates = self.description.has(Operation::Create) && self.description.ids != Ids::Client;
        if let Some(post) = self.post(false, creates) {
            entry.insert("post".into(), post);
        }
        entry
    }

    /// One element below.
    fn instances(&self) -> Map<String, Value> {
        let mut entry = Map::new();
        self.instance_methods(&mut entry, "instance_");
        if let Some(post) = self.post(true, false) {
            entry.insert("post".into(), post);
        }
        entry
    }

    fn instance_methods(&self, entry: &mut Map<String, Value>, prefix: &str) {
        let description = self.description;
        let name = |verb: &str| format!("{prefix}{verb}");
        let fields = || parameter("fields");
        if description.has(Operation::Read) {
            let mut answers = self.single("200", "The resource");
            answers.insert("304".into(), json!({"description": reason(304)}));
            let parameters = vec![fields(), parameter("mimeType"), parameter("knownRevision")];
            entry.insert("get".into(), self.operation(&name("read"), "Read", false, parameters, answers));
        }
        let creates = description.has(Operation::Create) && description.ids != Ids::Server;
        if creates || description.has(Operation::Update) {
            let mut answers = Map::new();
            if description.has(Operation::Update) {
                answers.insert("200".into(), answer("The resource, updated", self.shown()));
            }
            if creates {
                answers.insert("201".into(), answer("The resource, created", self.shown()));
            }
            let parameters = vec![fields(), parameter("ifMatch"), parameter("ifNoneMatch")];
            let text = if creates { "Create or update" } else { "Update" };
            let mut put = self.operation(&name("put"), text, true, parameters, answers);
            put["requestBody"] = body(for_openapi(&description.schema), true);
            entry.insert("put".into(), put);
        }
        if description.has(Operation::Patch) {
            let parameters = vec![fields(), parameter("ifMatch")];
            let answers = self.single("200", "The resource, changed");
            let mut patch = self.operation(&name("patch"), "Change members", true, parameters, answers);
            patch["requestBody"] = body(json!({"$ref": "#/components/schemas/Patch"}), true);
            entry.insert("patch".into(), patch);
        }
        if description.has(Operation::Delete) {
            let parameters = vec![fields(), parameter("ifMatch")];
            let answers = self.single("200", "What it was");
            entry.insert("delete".into(), self.operation(&name("delete"), "Delete", true, parameters, answers));
        }
    }

    fn query(&self) -> Value {
        let item = if self.description.lists_ids { json!({"type": "string"}) } else { self.shown() };
        let envelope = json!({
            "type": "object",
            "required": ["result", "resultCount"],
            "properties": {
                "result": {"type": "array", "items": item},
                "resultCount": {"type": "integer"},
                "pagedResultsCookie": {"type": "string", "nullable": true},
                "totalPagedResultsPolicy": {"type": "string", "enum": ["NONE", "ESTIMATE", "EXACT"]},
                "totalPagedResults": {"type": "integer"},
                "remainingPagedResults": {"type": "integer"},
            },
        });
        let names =
            ["fields", "pageSize", "pagedResultsOffset", "pagedResultsCookie", "totalPagedResultsPolicy", "sortKeys"];
        let mut parameters: Vec<Value> = names.into_iter().map(parameter).collect();
        // One of the two is needed; which, only a reader can tell.
        match &self.description.query_id {
            None => {
                let text = match self.description.fields.as_slice() {
                    [] => "Which resources".to_owned(),
                    fields => format!("Which resources, by {}", fields.join(", ")),
                };
                parameters.push(json!({
                    "name": "_queryFilter", "in": "query", "required": true, "description": text,
                    "schema": {"type": "string"}, "example": "true",
                }));
            }
            Some(text) => {
                parameters.push(parameter("queryFilter"));
                parameters.push(json!({
                    "name": "_queryId", "in": "query", "description": text, "schema": {"type": "string"},
                }));
            }
        }
        let answers = [("200".to_owned(), answer("The resources", envelope))].into_iter().collect();
        self.operation("query", "Query", false, parameters, answers)
    }

    /// Actions, and creation where the server makes the id.
    fn post(&self, on_instance: bool, creates: bool) -> Option<Value> {
        let actions: Vec<_> =
            self.description.actions.iter().filter(|action| action.on_instance == on_instance).collect();
        if actions.is_empty() && !creates {
            return None;
        }
        let mut names: Vec<&str> = actions.iter().map(|action| action.name.as_str()).collect();
        let mut answers = Map::new();
        let mut results: Vec<Value> = Vec::new();
        let mut requests: Vec<Value> = Vec::new();
        for action in &actions {
            requests.push(for_openapi(&action.request));
            match &action.response {
                Some(schema) => results.push(for_openapi(schema)),
                None => drop(answers.insert("204".into(), json!({"description": "Done"}))),
            }
        }
        if creates {
            names.insert(0, "create");
            requests.push(for_openapi(&self.description.schema));
            answers.insert("201".into(), answer("The resource, created", self.shown()));
        }
        if !results.is_empty() {
            answers.insert("200".into(), answer("What the action answers", any_of(results)));
        }
        let told: Vec<String> = actions.iter().map(|action| format!("`{}`: {}.", action.name, action.text)).collect();
        let action = json!({
            "name": "_action", "in": "query", "required": !creates,
            "description": told.join(" "),
            "schema": {"type": "string", "enum": names},
        });
        let verb = if on_instance { "instance_action" } else { "action" };
        let text = if creates { "Create, or an action" } else { "An action" };
        let mut post = self.operation(verb, text, true, vec![action, parameter("fields")], answers);
        post["requestBody"] = body(any_of(requests), creates && actions.is_empty());
        Some(post)
    }
}

/// One schema for several possible ones.
fn any_of(mut schemas: Vec<Value>) -> Value {
    let mut different: Vec<Value> = Vec::new();
    for schema in schemas.drain(..) {
        if !different.contains(&schema) {
            different.push(schema);
        }
    }
    if different.len() == 1 { different.remove(0) } else { json!({"anyOf": different}) }
}

fn plain(
    endpoint: &Endpoint,
    exchanges: &[Exchange],
    about: &About<'_>,
    tag: &str,
) -> BTreeMap<String, Map<String, Value>> {
    let mut entries: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for exchange in exchanges {
        let path = format!("{}{}", endpoint.path, exchange.below);
        let mut answers = Map::new();
        for (code, schema) in &exchange.answers {
            let text = if *code < 300 { "Done" } else { reason(*code) };
            answers.insert(code.to_string(), answer(text, for_openapi(schema)));
        }
        error_answers(&mut answers, COMMON.into_iter().chain([401, 405, 415]));
        let mut parameters: Vec<Value> = Vec::new();
        if exchange.method != "get" {
            parameters.push(json!({
                "name": "Accept-API-Version", "in": "header", "required": about.csrf,
                "schema": {"type": "string", "pattern": "^(protocol=2\\.1,)?resource=[0-9]\\.[0-9]$"},
            }));
        }
        for (place, name, text) in &exchange.parameters {
            parameters.push(json!({"name": name, "in": place, "description": text, "schema": {"type": "string"}}));
        }
        let mut operation = json!({
            "operationId": operation_id(&path, exchange.method),
            "summary": exchange.text,
            "tags": [tag],
            "parameters": parameters,
            "responses": answers,
        });
        if let Some(request) = &exchange.request {
            operation["requestBody"] = body(for_openapi(request), false);
        }
        if exchange.is_public {
            operation["security"] = json!([]);
        }
        entries.entry(path).or_default().insert(exchange.method.to_owned(), operation);
    }
    entries
}

/// Keywords of JSON schema that OpenAPI 3.0 has.
const KEYWORDS: [&str; 22] = [
    "title",
    "description",
    "type",
    "format",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "uniqueItems",
    "nullable",
    "readOnly",
    "writeOnly",
    "example",
    "additionalProperties",
    "anyOf",
    "oneOf",
    "allOf",
];

/// A schema as consoles get it, in the words of OpenAPI 3.0: what that does not know is left out, `required` of members
/// becomes a list, types that may be null are told so.
pub fn for_openapi(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        return json!({});
    };
    let mut made = Map::new();
    for (name, value) in schema {
        match (name.as_str(), value) {
            ("properties", Value::Object(members)) => {
                let members: Map<String, Value> =
                    members.iter().map(|(name, member)| (name.clone(), for_openapi(member))).collect();
                made.insert(name.clone(), Value::Object(members));
            }
            ("items", items) => drop(made.insert(name.clone(), for_openapi(items))),
            ("anyOf" | "oneOf" | "allOf", Value::Array(several)) => {
                made.insert(name.clone(), several.iter().map(for_openapi).collect());
            }
            ("additionalProperties", Value::Object(_)) => drop(made.insert(name.clone(), for_openapi(value))),
            ("type", Value::Array(types)) => {
                let mut types = types.clone();
                let before = types.len();
                types.retain(|kind| kind != "null");
                if types.len() < before {
                    made.insert("nullable".into(), true.into());
                }
                if let [single] = types.as_slice() {
                    made.insert("type".into(), single.clone());
                }
            }
            (known, value) if KEYWORDS.contains(&known) => drop(made.insert(name.clone(), value.clone())),
            _ => {}
        }
    }
    let required = match (schema.get("required"), schema.get("properties")) {
        (Some(Value::Array(required)), _) => required.clone(),
        (_, Some(Value::Object(members))) => {
            let needed = members.iter().filter(|(_, member)| member.get("required") == Some(&Value::Bool(true)));
            needed.map(|(name, _)| Value::from(name.as_str())).collect()
        }
        _ => Vec::new(),
    };
    if !required.is_empty() {
        made.insert("required".into(), required.into());
    }
    if made.get("type").is_some_and(|kind| kind == "array") && !made.contains_key("items") {
        made.insert("items".into(), json!({}));
    }
    Value::Object(made)
}

#[cfg(test)]
pub(crate) mod tests;
