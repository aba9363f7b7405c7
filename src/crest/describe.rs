//! What endpoints say about themselves, for descriptors (crest.md §15): a resource in its own file by
//! [`Resource::describe`](super::Resource::describe), a plain endpoint where it is registered.
//!
//! What nothing is said about is described openly: any content, the operations that are usual for the shape, and the errors
//! of the framework, 501 among them.

use super::Shape;
use serde_json::{Value, json};

/// What can be done to a resource, apart from actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// POST, or PUT where it does not exist.
    Create,
    /// GET.
    Read,
    /// PUT where it exists.
    Update,
    /// DELETE.
    Delete,
    /// PATCH.
    Patch,
    /// GET with a query.
    Query,
}

/// Where the id of a new resource comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// From the server, or from the content: only POST creates.
    Server,
    /// From the path: only PUT creates.
    Client,
    /// Both ways.
    Either,
}

/// An action.
#[derive(Clone, Debug)]
pub struct ActionDescription {
    /// Its name on the wire.
    pub name: String,
    /// Whether it is directed at one resource; else at the collection, or the singleton.
    pub on_instance: bool,
    /// What it does, in one sentence.
    pub text: String,
    /// JSON schema of what it takes.
    pub request: Value,
    /// JSON schema of what it answers; `None` for 204.
    pub response: Option<Value>,
}

impl ActionDescription {
    /// An action of the collection or singleton, with any object in and out.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let any = || json!({"type": "object"});
        Self { name: name.into(), on_instance: false, text: text.into(), request: any(), response: Some(any()) }
    }

    /// Directed at one resource.
    #[must_use]
    pub fn on_instance(self) -> Self {
        Self { on_instance: true, ..self }
    }

    /// What it takes.
    #[must_use]
    pub fn takes(self, schema: Value) -> Self {
        Self { request: schema, ..self }
    }

    /// What it answers.
    #[must_use]
    pub fn answers(self, schema: Value) -> Self {
        Self { response: Some(schema), ..self }
    }
}

/// A resource, described.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its name; empty for the one its path gives.
    pub title: String,
    /// What it is, in one sentence.
    pub text: String,
    /// JSON schema of what is written.
    pub schema: Value,
    /// JSON schema of what is shown, without `_id` and `_rev`.
    pub shown: Value,
    /// What can be done.
    pub operations: Vec<Operation>,
    /// Where ids come from.
    pub ids: Ids,
    /// Members that a query filter may name; empty when only `true` is taken, or any.
    pub fields: Vec<String>,
    /// What a `_queryId` means, where there is one.
    pub query_id: Option<String>,
    /// Whether a query shows ids, as texts, and nothing else of what it finds.
    pub lists_ids: bool,
    /// Actions.
    pub actions: Vec<ActionDescription>,
    /// Statuses that it answers beyond those of the framework.
    pub errors: Vec<u16>,
}

impl Description {
    /// The usual resource of a shape.
    pub fn of(shape: Shape) -> Self {
        use Operation::{Create, Delete, Query, Read, Update};
        let any = || json!({"type": "object"});
        let operations = match shape {
            Shape::Collection => vec![Create, Read, Update, Delete, Query],
            Shape::List => vec![Query],
            Shape::Singleton => vec![Read, Update],
        };
        Self {
            title: String::new(),
            text: String::new(),
            schema: any(),
            shown: any(),
            operations,
            ids: Ids::Either,
            fields: Vec::new(),
            query_id: None,
            lists_ids: false,
            actions: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// With a name and a sentence.
    #[must_use]
    pub fn titled(self, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { title: title.into(), text: text.into(), ..self }
    }

    /// With a schema of what is written.
    #[must_use]
    pub fn written(self, schema: Value) -> Self {
        Self { schema, ..self }
    }

    /// With a schema of what is shown. It must hold for every answer: members that `_fields` leaves out are not required.
    #[must_use]
    pub fn shown(self, shown: Value) -> Self {
        Self { shown, ..self }
    }

    /// With queries that show ids, and nothing else.
    #[must_use]
    pub fn listing_ids(self) -> Self {
        Self { lists_ids: true, ..self }
    }

    /// With these operations, and no others.
    #[must_use]
    pub fn can(self, operations: impl IntoIterator<Item = Operation>) -> Self {
        Self { operations: operations.into_iter().collect(), ..self }
    }

    /// With one operation more.
    #[must_use]
    pub fn and(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// With ids from there.
    #[must_use]
    pub fn ids(self, ids: Ids) -> Self {
        Self { ids, ..self }
    }

    /// With filters on these members.
    #[must_use]
    pub fn queryable<'n>(self, fields: impl IntoIterator<Item = &'n str>) -> Self {
        Self { fields: fields.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// With a `_queryId` of this meaning.
    #[must_use]
    pub fn with_query_id(self, text: impl Into<String>) -> Self {
        Self { query_id: Some(text.into()), ..self }
    }

    /// With an action.
    #[must_use]
    pub fn action(mut self, action: ActionDescription) -> Self {
        self.actions.push(action);
        self
    }

    /// With `schema`, `template` and `getType`, which most configuration has.
    #[must_use]
    pub fn configuration(self) -> Self {
        self.action(ActionDescription::new("schema", "The JSON schema of this configuration"))
            .action(ActionDescription::new("template", "Defaults of this configuration"))
            .action(ActionDescription::new("getType", "Id and name of this type of configuration"))
    }

    /// With a status beyond those of the framework.
    #[must_use]
    pub fn error(mut self, code: u16) -> Self {
        self.errors.push(code);
        self
    }

    /// Whether an operation is there.
    pub fn has(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }
}

/// One method of an endpoint that is no resource.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What follows the path of the endpoint: nothing, or `/{…}` for an element of any value.
    pub below: &'static str,
    /// The HTTP method, in lower case.
    pub method: &'static str,
    /// What it does, in one sentence.
    pub text: String,
    /// Query parameters and headers: where (`query`, `header`), name, meaning.
    pub parameters: Vec<(&'static str, &'static str, &'static str)>,
    /// JSON schema of the body.
    pub request: Option<Value>,
    /// JSON schema by status.
    pub answers: Vec<(u16, Value)>,
    /// Whether strangers may.
    pub is_public: bool,
}
