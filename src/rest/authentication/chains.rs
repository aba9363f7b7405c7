//! `/json/{realm}/realm-config/authentication/chains`: authentication chains (authn-sessions-realms.md a.18).
//!
//! A document holds the chain as it is shown, without `_id`, `_rev` and `_type`.

use crate::{
    crest::{Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Returned, Shape, Totals, Version},
    desk::{delete, put},
    rest::{
        identity::is_name,
        schema::{Attribute as A, LeftOut, Schema, Section},
    },
};
use quorate_raft::{DocumentKey, Kind, Precondition, Seq};
use serde_json::{Value, json};

/// Most modules of a chain.
const MAX_MODULES: usize = 50;

/// Most options of a module in a chain.
const MAX_OPTIONS: usize = 100;

const CRITERIA: [&str; 4] = ["REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"];

const MODULES: &str = "authChainConfiguration";

const EXISTS: &str = "Unable to save config: Service already exists";

/// The attributes; the modules are checked apart.
static SCHEMA: Schema = Schema {
    sections: &[Section {
        name: "",
        title: "",
        bare: false,
        attributes: &[
            A::list("loginPostProcessClass", "Post Authentication Processing Class"),
            A::list("loginSuccessUrl", "Successful Login URL"),
            A::list("loginFailureUrl", "Failed Login URL"),
        ],
    }],
    opaque: &[MODULES],
};

/// The resource.
pub struct Chains;

fn marker() -> Value {
    json!({"_id": "EMPTY", "name": "Authentication Configuration", "collection": true})
}

fn key(call: &Call<'_>, id: &str) -> DocumentKey {
    DocumentKey::new(call.realm, Kind::Chain, id)
}

/// A chain as it may be stored.
///
/// # Errors
/// 400 for what is no chain.
pub fn checked(content: &Object) -> Result<Object, Error> {
    let wrong = || Error::invalid_value("Authentication Chain Configuration");
    let mut chain = SCHEMA.read(content, LeftOut::Default)?.stored;
    let modules = match content.get(MODULES) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(modules)) if modules.len() <= MAX_MODULES => {
            modules.iter().map(module).collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    chain.insert(MODULES.into(), modules.into());
    Ok(chain)
}

/// One module of a chain.
fn module(value: &Value) -> Option<Value> {
    let given = value.as_object()?;
    if !given.keys().all(|name| ["module", "criteria", "options"].contains(&name.as_str())) {
        return None;
    }
    let name = given.get("module")?.as_str().filter(|name| is_name(name))?;
    let criteria = given.get("criteria")?.as_str()?;
    let criteria = CRITERIA.into_iter().find(|known| known.eq_ignore_ascii_case(criteria))?;
    let options = match given.get("options") {
        None => Object::new(),
        Some(options) => options.as_object()?.clone(),
    };
    let bounded = options.len() <= MAX_OPTIONS && options.values().all(Value::is_string);
    bounded.then(|| json!({"module": name, "criteria": criteria, "options": options}))
}

fn item(id: &str, revision: Option<Seq>, mut chain: Object) -> Item {
    chain.insert("_type".into(), marker());
    Item::new(id, revision, chain)
}

async fn all(call: &Call<'_>) -> Result<Vec<Item>, Error> {
    let all = call.collect(Kind::Chain);
    Ok(all.into_iter().map(|(id, revision, chain)| item(&id, Some(revision), chain)).collect())
}

impl Resource for Chains {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0), Version(2, 0)]
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let id = id.filter(|id| is_name(id)).ok_or_else(|| Error::invalid_value("Name"))?;
        if call.desk.views().entry(&key(call, id)).is_some() {
            return Err(create.taken(call, EXISTS));
        }
        let chain = checked(create.content)?;
        let write = put(key(call, id), Precondition::Absent, &Value::Object(chain.clone()), Vec::new(), false);
        let revision = call.write(write).await.map_err(|error| create.refused(call, error, EXISTS))?;
        Ok(item(id, Some(revision), chain))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let entry = call.desk.views().entry(&key(call, id)).ok_or_else(Error::not_found)?;
        let chain = entry.json().as_object().cloned().unwrap_or_default();
        Ok(item(id, Some(entry.document.revision), chain))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let chain = checked(content)?;
        let write = put(key(call, id), when.precondition(), &Value::Object(chain.clone()), Vec::new(), false);
        let revision = call.write(write).await?;
        Ok(item(id, Some(revision), chain))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let chain = self.read(call, id).await?;
        call.write(delete(key(call, id), when.precondition())).await?;
        Ok(chain)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer_all(all(call).await?, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "schema") => {
                let mut schema = SCHEMA.json_schema();
                schema["properties"][MODULES] = json!({
                    "title": "Authentication Chain Configuration", "description": "", "propertyOrder": 0,
                    "required": false, "type": "array", "exampleValue": "", "items": {"type": "object", "properties": {
                        "module": {"type": "string"},
                        "criteria": {"type": "string", "enum": CRITERIA},
                        "options": {"type": "object", "patternProperties": {".*": {"type": "string"}}},
                    }},
                });
                Ok(schema.into())
            }
            (None, "template") => Ok(Value::Object(checked(&Object::new())?).into()),
            (None, "getType") => Ok(marker().into()),
            (None, "getAllTypes" | "getCreatableTypes") => Ok(json!({"result": [marker()]}).into()),
            (None, "nextdescendents") => {
                let chains = all(call).await?.into_iter().map(|item| Item { revision: None, ..item }.whole());
                Ok(json!({"result": chains.collect::<Vec<Value>>()}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
