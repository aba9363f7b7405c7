//! Which aliases a label has.

use super::{ring, ring_key, unusable};
use crate::{
    consensus::Unavailable,
    crest::{
        Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Returned, Shape, Totals, Version,
        pointer::Names,
    },
    desk::{WriteError, put},
    keys::{
        KeyError, RemapError,
        ring::{LABELS, Label, MAX_ALIASES, Mappings, Purpose, is_alias},
    },
    rest::agents::{fits, tag},
    views::Entry,
};
use quorate_raft::{Precondition, Refusal};
use serde_json::{Value, json};
use std::sync::Arc;

/// The mappings of the store.
pub struct LabelMappings;

/// How often a change starts over when the mappings of other labels change meanwhile.
const ATTEMPTS: usize = 4;

const EXISTS: &str = "Unable to save config: Service already exists";

fn marker() -> Value {
    json!({"_id": "mappings", "name": "Mappings", "collection": true})
}

fn item(label: &Label, aliases: &[String]) -> Item {
    let content = json!({"secretId": label.name, "aliases": aliases, "_type": marker()});
    let content = content.as_object().cloned().unwrap_or_default();
    let tag = tag(Value::Object(content.clone()).to_string().as_bytes(), None);
    Item { id: label.name.to_owned(), revision: Some(tag), content }
}

/// The mappings that a stored ring has.
pub(super) fn all(ring: &Entry) -> Vec<Item> {
    let mappings = Mappings::of(ring.json());
    let mapped = LABELS.iter().filter(|label| !mappings.aliases(label).is_empty());
    mapped.map(|label| item(label, mappings.aliases(label))).collect()
}

/// The mapping of the label `id`, and the ring it lies in.
fn find(call: &Call<'_>, id: &str) -> Result<(&'static Label, Vec<String>, Arc<Entry>), Error> {
    let ring = ring(call)?;
    let label = Label::find(id).ok_or_else(Error::not_found)?;
    let aliases = Mappings::of(ring.json()).aliases(label).to_vec();
    Ok((label, aliases, ring))
}

/// What a client sends: aliases, each once, the active one first.
fn aliases(label: &Label, content: &Object) -> Result<Vec<String>, Error> {
    const NAMES: [&str; 2] = ["secretId", "aliases"];
    if content.keys().any(|name| !name.starts_with('_') && !NAMES.contains(&name.as_str())) {
        return Err(Error::invalid_attribute(NAMES));
    }
    if content.get("secretId").is_some_and(|id| id != label.name) {
        return Err(Error::invalid_value("Secret ID"));
    }
    let given = content.get("aliases").and_then(Value::as_array);
    let given: Option<Vec<&str>> = given.and_then(|given| given.iter().map(Value::as_str).collect());
    let fits = |aliases: &Vec<&str>| {
        let once = aliases.iter().enumerate().all(|(n, alias)| !aliases.iter().take(n).any(|earlier| earlier == alias));
        !aliases.is_empty() && aliases.len() <= MAX_ALIASES && once && aliases.iter().all(|alias| is_alias(alias))
    };
    let aliases = given.filter(fits).ok_or_else(|| Error::invalid_value("Aliases"))?;
    Ok(aliases.into_iter().map(str::to_owned).collect())
}

/// Maps `label` to `aliases`, in the ring as it was read; whether it was still that ring.
async fn remap(call: &Call<'_>, ring: &Arc<Entry>, label: &'static Label, aliases: Vec<String>) -> Result<bool, Error> {
    let (desk, entry) = (call.desk.clone(), ring.clone());
    // Making a key takes its time.
    let made = actix_web::web::block(move || desk.keys().remap(entry.json(), label, aliases)).await;
    let made = made.map_err(|_| unusable(&KeyError::Crypto))?;
    let body = made.map_err(|error| match error {
        RemapError::OtherAlgorithm => Error::invalid_value("Aliases"),
        RemapError::Keys(error) => unusable(&error),
    })?;
    let when = Precondition::Revision(ring.document.revision);
    match call.write(put(ring_key(), when, &body, Vec::new(), false)).await {
        Ok(_) => Ok(true),
        Err(WriteError::Refused(Refusal::Stale { .. })) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Maps the label `id` to what `wanted` makes of the aliases that it has; the label, and what it had. All labels lie in one
/// document: that somebody else changes another one is no reason to refuse, so then it is looked at anew.
async fn change(
    call: &Call<'_>,
    id: &str,
    wanted: impl Fn(&'static Label, &[String]) -> Result<Vec<String>, Error>,
) -> Result<(&'static Label, Vec<String>), Error> {
    for _ in 0..ATTEMPTS {
        let (label, former, ring) = find(call, id)?;
        let aliases = wanted(label, &former)?;
        if aliases == former || remap(call, &ring, label, aliases).await? {
            return Ok((label, former));
        }
        call.desk.barrier().await?;
    }
    Err(Unavailable::Overloaded.into())
}

/// That there is a mapping, and the one that the caller means.
fn mapped(label: &Label, aliases: &[String], when: &Match) -> Result<(), Error> {
    if aliases.is_empty() {
        return Err(Error::not_found());
    }
    fits(when, label.name, item(label, aliases).revision.as_deref().unwrap_or_default())
}

impl Resource for LabelMappings {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let text = |name: &str| create.content.get(name).and_then(Value::as_str);
        let id = create.id.or_else(|| text("secretId")).or_else(|| text("_id"));
        let label = id.and_then(Label::find).ok_or_else(|| Error::invalid_value("Secret ID"))?;
        let (label, _) = change(call, label.name, |label, former| match former {
            [] => aliases(label, create.content),
            _ => Err(create.taken(call, EXISTS)),
        })
        .await?;
        Ok(item(label, &aliases(label, create.content)?))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        match find(call, id)? {
            (_, aliases, _) if aliases.is_empty() => Err(Error::not_found()),
            (label, aliases, _) => Ok(item(label, &aliases)),
        }
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let (label, _) = change(call, id, |label, former| {
            mapped(label, former, when)?;
            aliases(label, content)
        })
        .await?;
        Ok(item(label, &aliases(label, content)?))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let (label, former) = change(call, id, |label, former| {
            mapped(label, former, when)?;
            match label.purpose {
                Purpose::Internal => Err(Error::new(409, "Without this mapping nobody could sign in")),
                Purpose::ClientBasedTokens | Purpose::OpenId => Ok(Vec::new()),
            }
        })
        .await?;
        Ok(item(label, &former))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        query.answer(all(&*ring(call)?), Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, _: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "getType") => Ok(marker().into()),
            (None, "template") => Ok(json!({"secretId": "", "aliases": []}).into()),
            (None, "schema") => {
                let labels: Vec<&str> = LABELS.iter().map(|label| label.name).collect();
                Ok(json!({"type": "object", "properties": {
                    "secretId": {"title": "Secret ID", "description": "", "propertyOrder": 100, "required": true,
                        "type": "string", "enum": labels, "exampleValue": ""},
                    "aliases": {"title": "Aliases", "description": "", "propertyOrder": 200, "required": true,
                        "type": "array", "items": {"type": "string"}, "exampleValue": ""},
                }})
                .into())
            }
            (Some(_), "nextdescendents") => Ok(json!({"result": []}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
