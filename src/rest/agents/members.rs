//! Agents of one type.

use super::{AgentType, EXISTS, TYPE, VERIFIER, fits, tag};
use crate::{
    crest::{
        Call, Create, Description, Error, Item, Listing, Match, Object, Query, Resource, Returned, Shape, Totals,
        Version, scan::Rows,
    },
    desk::{WriteError, delete, put},
    inheritance::{self, INHERITED},
    privileges::Endpoint,
    rest::{
        identity::{self, Named, NotCreated, is_name, is_taken},
        schema::{Place, Read, ReadHeir, Schema},
    },
    views::{Entry, Row, Views},
};
use quorate_raft::{DocumentKey, Precondition, Refusal, Write, documents::Change};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// Agents of one type.
pub struct Agents(pub &'static AgentType);

/// Agents of one type, as queries see them. What a filter asks for beside the id has its defaults and may be inherited: so the
/// member that is asked for is made, and no other.
pub(super) struct OfType<'v> {
    pub(super) agent_type: &'static AgentType,
    pub(super) views: &'v Views,
}

impl Rows for OfType<'_> {
    fn is_id(&self, _: &str) -> bool {
        false // `_id`, and nothing else
    }

    fn has(&self, row: &Row) -> bool {
        self.agent_type.lists(row)
    }

    fn member<'r>(&self, row: &'r Row, member: &str) -> Option<Cow<'r, Value>> {
        if member == "_id" {
            return Some(Cow::Owned((&*row.id).into()));
        }
        self.agent_type.member_of(self.views, row, member).map(Cow::Owned)
    }

    fn item(&self, row: &Row) -> Item {
        self.agent_type.plain_of(self.views, row)
    }
}

/// A stored agent, and the group that it has.
struct Stored {
    key: DocumentKey,
    entry: Arc<Entry>,
    group: Option<Arc<Entry>>,
}

impl Stored {
    fn tag(&self) -> String {
        tag(&self.entry.document.body, self.group.as_ref().map(|group| &*group.document.body))
    }

    fn group(&self) -> Option<&Value> {
        self.group.as_deref().map(Entry::json)
    }

    /// The group that says what the status is, if it does.
    fn status_from(&self) -> Option<&DocumentKey> {
        inheritance::group_key(&self.entry.document).filter(|_| inheritance::inherits_status(self.entry.json()))
    }

    fn verifier(&self) -> Option<&str> {
        self.entry.json().get(VERIFIER).and_then(Value::as_str)
    }
}

/// What an agent becomes.
struct Next {
    body: Value,
    group: Option<(DocumentKey, Arc<Entry>)>,
    secret: Option<String>,
}

impl Next {
    fn group(&self) -> Option<&Value> {
        self.group.as_ref().map(|(_, entry)| entry.json())
    }

    fn references(&self) -> Vec<DocumentKey> {
        self.group.iter().map(|(key, _)| key.clone()).collect()
    }

    fn status_from(&self) -> Option<&DocumentKey> {
        self.group.as_ref().map(|(key, _)| key).filter(|_| inheritance::inherits_status(&self.body))
    }

    /// Keeps the verifier that is to be stored.
    fn with(mut self, verifier: Option<String>) -> Self {
        if let (Some(verifier), Some(body)) = (verifier, self.body.as_object_mut()) {
            body.insert(VERIFIER.to_owned(), verifier.into());
        }
        self
    }

    /// As a single GET will show it.
    fn item(&self, agent_type: &AgentType, id: &str) -> Item {
        let group = self.group.as_ref().map(|(_, entry)| &*entry.document.body);
        agent_type.wrapped(id, tag(self.body.to_string().as_bytes(), group), &self.body, self.group())
    }
}

/// The attributes of a section, which an empty name puts at the top.
fn section_mut<'o>(body: &'o mut Object, section: &str) -> Option<&'o mut Object> {
    if section.is_empty() { Some(body) } else { body.get_mut(section).and_then(Value::as_object_mut) }
}

fn value(body: &Value, (section, name): Place) -> Option<&Value> {
    let group = if section.is_empty() { Some(body) } else { body.get(section) };
    group?.get(name)
}

/// Whether a client, by what it sends for an attribute, leaves the value to us.
fn says_no_value(given: Option<&Value>) -> bool {
    match given {
        None => true,
        Some(given) => given.get("inherited").and_then(Value::as_bool) == Some(true) && given.get("value").is_none(),
    }
}

impl Agents {
    fn find(&self, call: &Call<'_>, id: &str) -> Result<Stored, Error> {
        let entry = self.0.find(call.desk.views(), call.realm, id).ok_or_else(Error::not_found)?;
        let group = inheritance::group(call.desk.views(), &entry);
        Ok(Stored { key: DocumentKey::new(call.realm, self.0.kind, id), entry, group })
    }

    /// The verifier to store, and whether it is for another secret than before.
    async fn secret(
        &self,
        call: &Call<'_>,
        secret: Option<&str>,
        former: Option<&str>,
    ) -> Result<(Option<String>, bool), Error> {
        let Some(secret) = secret else {
            return Ok((former.map(str::to_owned), false));
        };
        if former.is_some() && call.desk.passwords().verify(former, secret).await? {
            return Ok((former.map(str::to_owned), false));
        }
        Ok((Some(call.desk.passwords().hash(secret).await?), true))
    }

    /// What `content` makes of the agent (§2.4, §10).
    fn next(&self, call: &Call<'_>, content: &Object, former: Option<&Stored>) -> Result<Next, Error> {
        let ReadHeir { own: Read { mut stored, secret }, mut inherited } = self.0.schema.read_heir(content)?;
        // What only one may have, nobody shares.
        inherited.retain(|(_, name)| self.0.unique.is_none_or(|unique| unique.name != *name));
        let place = self.0.group_place();
        let name =
            place.and_then(|(section, name)| section_mut(&mut stored, section)?.get(name)?.as_str().map(str::to_owned));
        let group = match name {
            Some(name) => {
                let key = self.0.group_key(call.realm, &name);
                let entry = call.desk.views().entry(&key).ok_or_else(|| Error::invalid_value("Group"))?;
                inherit(&mut stored, &inherited);
                Some((key, entry))
            }
            None => {
                if let Some(former) = former {
                    self.keep(&mut stored, content, former);
                }
                None
            }
        };
        if self.0.kind == quorate_raft::Kind::Agent {
            stored.insert(TYPE.to_owned(), self.0.id.into());
        }
        Ok(Next { body: Value::Object(stored), group, secret })
    }

    /// Without its group, an agent keeps the values that it had from there as its own, unless it is given others (§10).
    fn keep(&self, stored: &mut Object, content: &Object, former: &Stored) {
        let body = former.entry.json();
        let had: BTreeSet<(&str, &str)> = inheritance::inherited(body).collect();
        let whole = inheritance::merged(body, former.group());
        let kept = |place: &Place| had.contains(place) && says_no_value(Schema::given(content, *place));
        for place in self.0.schema.heritable().filter(kept) {
            let (section, name) = place;
            match (section_mut(stored, section), value(&whole, place)) {
                (Some(own), Some(value)) => drop(own.insert(name.to_owned(), value.clone())),
                (Some(own), None) => drop(own.remove(name)),
                (None, _) => {}
            }
        }
    }

    /// The writes that keep the value of the unique attribute to one agent.
    fn markers(&self, call: &Call<'_>, id: &str, former: Option<&Value>, next: Option<&Value>) -> Vec<Write> {
        let Some(unique) = self.0.unique else {
            return Vec::new();
        };
        let of = |body: Option<&Value>| body.and_then(|body| Some(body.get(unique.name)?.as_str()?.to_owned()));
        let (former, next) = (of(former), of(next));
        if former == next {
            return Vec::new();
        }
        let key = |value: String| self.0.marker_key(call.realm, &value);
        let gone = former.map(|value| delete(key(value), Precondition::Present));
        let new = next.map(|value| put(key(value), Precondition::Absent, &json!({"agent": id}), Vec::new(), false));
        gone.into_iter().chain(new).collect()
    }

    /// In this resource's words, what it has words for.
    fn refused(&self, error: WriteError) -> Result<WriteError, Error> {
        match (&error, self.0.unique) {
            (WriteError::Refused(Refusal::Exists(key)), Some(unique)) if !super::is_agent(&key.id) => {
                Err(Error::invalid_value(unique.label))
            }
            (WriteError::Refused(Refusal::Dangling(key) | Refusal::Missing(key)), _)
                if key.kind == quorate_raft::Kind::AgentGroup =>
            {
                Err(Error::invalid_value("Group"))
            }
            _ => Ok(error),
        }
    }
}

/// Notes what is inherited, and drops the values that stand there.
fn inherit(stored: &mut Object, inherited: &[Place]) {
    let mut names: Map<String, Value> = Map::new();
    for (section, name) in inherited {
        if let Some(own) = section_mut(stored, section) {
            own.remove(*name);
        }
        if let Some(names) = names.entry(*section).or_insert_with(|| json!([])).as_array_mut() {
            names.push((*name).into());
        }
    }
    if !names.is_empty() {
        stored.insert(INHERITED.to_owned(), Value::Object(names));
    }
}

impl Resource for Agents {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled(
                self.0.name,
                "Values are plain or `{\"inherited\": false, \"value\": …}`, and wrapped when one is read alone",
            )
            .written(self.0.schema.json_schema())
            .configuration()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Agents
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        let id = create.id.or_else(|| create.content.get("_id").and_then(Value::as_str));
        let id = id.filter(|id| is_name(id)).ok_or_else(|| Error::invalid_value("Name"))?;
        // First, and before the slow hash: a PUT of an agent that exists comes here before it becomes an update.
        if self.find(call, id).is_ok() {
            return Err(create.taken(call, EXISTS));
        }
        // 409 in any case: an update would not help.
        let in_use = || Error::new(409, format!("The name {id} is in use in this realm"));
        let wanted = Named::Agent(self.0.kind);
        if is_taken(call, id, wanted) || call.desk.document(call.realm, self.0.kind, id).is_some() {
            return Err(in_use());
        }
        let next = self.next(call, create.content, None)?;
        let (verifier, _) = self.secret(call, next.secret.as_deref(), None).await?;
        let next = next.with(verifier);
        let key = DocumentKey::new(call.realm, self.0.kind, id);
        let mut writes = vec![put(key, Precondition::Absent, &next.body, next.references(), false)];
        writes.extend(self.markers(call, id, None, Some(&next.body)));
        if let Err(error) = identity::create_all(call, writes, id, wanted).await {
            return Err(match error {
                NotCreated::Taken => in_use(),
                NotCreated::Other(error) => create.refused(call, self.refused(error)?, EXISTS),
            });
        }
        Ok(next.item(self.0, id))
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let stored = self.find(call, id)?;
        Ok(self.0.wrapped(id, stored.tag(), stored.entry.json(), stored.group()))
    }

    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let former = self.find(call, id)?;
        fits(when, id, &former.tag())?;
        let next = self.next(call, content, Some(&former))?;
        let (verifier, renewed) = self.secret(call, next.secret.as_deref(), former.verifier()).await?;
        let next = next.with(verifier);
        let was_active = inheritance::is_active(former.entry.json(), former.group());
        let turned = was_active != inheritance::is_active(&next.body, next.group());
        // The group's fence counts no longer: ours takes its place, or what died by it would come back.
        let left = former.status_from().is_some_and(|group| Some(group) != next.status_from());
        let when = Precondition::Revision(former.entry.document.revision);
        let mut writes = vec![put(former.key.clone(), when, &next.body, next.references(), renewed || turned || left)];
        // What was decided here was decided about this state of the group.
        writes.extend(next.group.as_ref().map(|(key, group)| Write {
            key: key.clone(),
            when: Precondition::Revision(group.document.revision),
            change: Change::Keep,
        }));
        writes.extend(self.markers(call, id, Some(former.entry.json()), Some(&next.body)));
        if let Err(error) = call.write_all(writes).await {
            return Err(self.refused(error)?.into());
        }
        Ok(next.item(self.0, id))
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let stored = self.find(call, id)?;
        fits(when, id, &stored.tag())?;
        let revision = Precondition::Revision(stored.entry.document.revision);
        let mut writes = vec![delete(stored.key.clone(), revision)];
        writes.extend(self.markers(call, id, Some(stored.entry.json()), None));
        call.write_all(writes).await?;
        Ok(self.0.wrapped(id, stored.tag(), stored.entry.json(), stored.group()))
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let of_type = OfType { agent_type: self.0, views: call.desk.views() };
        query.scan(&call.desk.rows(call.realm, self.0.kind), &of_type, Totals::Exact)
    }

    async fn action(&self, _: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "template") => Ok(Value::Object(self.0.schema.template()).into()),
            (None, "schema") => Ok(self.0.schema.json_schema().into()),
            (None, "getType") => Ok(self.0.marker().into()),
            // Nothing is below an agent.
            (Some(_), "nextdescendents") => Ok(json!({"result": []}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
