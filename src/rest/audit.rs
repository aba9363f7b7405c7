//! `global-audit/{topic}` and `realm-audit/{topic}` (authn-sessions-realms.md f.6): events that agents and administrators
//! report. They can be created, and nothing else: whoever wants to read them reads the files.
//!
//! | who                        | `global-audit`                | `realm-audit`      |
//! |----------------------------|-------------------------------|--------------------|
//! | administrators             | yes                           | of their realms    |
//! | agents                     | those of the top-level realm  | of their own realm |
//! | users, strangers           | no                            | no                 |
//!
//! An event of a topic that is not recorded here is accepted and dropped: what is kept is the deployment's choice, and nothing
//! that the agent could do better.

use crate::{
    audit::{Topic, report::Report},
    caller::Role,
    consensus::Unavailable,
    crest::{Call, Create, Description, Error, Item, Operation, Resource, Shape, Verb, Version, describe::Ids},
};
use quorate_raft::RealmPath;

/// Events of a topic.
pub struct Events {
    topic: Topic,
    /// Whether they belong to a realm.
    of_realm: bool,
}

impl Events {
    /// Of the whole service.
    pub const fn global(topic: Topic) -> Self {
        Self { topic, of_realm: false }
    }

    /// Of a realm.
    pub const fn of_realm(topic: Topic) -> Self {
        Self { topic, of_realm: true }
    }
}

impl Resource for Events {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    /// Events are reported; none is shown or changed.
    fn describe(&self) -> Description {
        Description::of(Shape::Collection).can([Operation::Create]).ids(Ids::Server)
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, verb: &Verb) -> Result<(), Error> {
        let realm = if self.of_realm { call.realm.clone() } else { RealmPath::root() };
        match call.caller {
            Some(caller)
                if caller.role == Role::Agent
                    && caller.session.data.subject.realm == realm
                    && matches!(verb, Verb::Create(_)) =>
            {
                Ok(())
            }
            _ => call.administrator(),
        }
    }

    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        if create.id.is_some() {
            return Err(Error::unsupported());
        }
        let report = Report::check(self.topic, create.content)?;
        if let Some(topics) = call.desk.audit().topics() {
            let realm = self.of_realm.then_some(call.realm);
            topics.report(self.topic, realm, report).map_err(|_| Error::from(Unavailable::Overloaded))?;
        }
        let mut content = create.content.clone();
        let id = content.remove("_id").and_then(|id| id.as_str().map(str::to_owned)).filter(|id| id.len() <= 255);
        let id = id.unwrap_or_else(|| uuid::Uuid::from_u128(crate::host::random_id()).to_string());
        content.remove("_rev");
        Ok(Item::new(id, None, content))
    }
}

#[cfg(test)]
mod tests;
