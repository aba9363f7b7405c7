//! Common REST: the framework under everything below `/json` that is a resource. It knows no resource.
//!
//! | section of crest.md | subject                                            | module      |
//! |---------------------|----------------------------------------------------|-------------|
//! | §2, §4, §14         | from an HTTP request to a [`Verb`]                 | [`request`] |
//! | §3                  | parameters                                         | [`params`]  |
//! | §4.1                | JSON bodies, bounded                               | [`body`]    |
//! | §5, §4.3            | verb and place to the resource's method; upsert    | [`serve()`] |
//! | §5.7, §6            | what a resource looks like; `_fields`              | [`item`]    |
//! | §7                  | `_queryFilter`                                     | [`filter`]  |
//! | §8, §9              | queries, paging, sorting, totals                   | [`query`], [`cookie`] |
//! | §11                 | errors                                             | [`error`]   |
//! | §10                 | PATCH                                              | [`patch`]   |
//! | §13                 | versions                                           | [`version`] |
//! | §13.3               | the service *REST APIs*                            | [`settings`] |
//! | §14                 | transaction ids                                    | [`transaction`] |
//! | §15                 | descriptors                                        | [`describe`], [`openapi`] |
//!
//! # How to add a resource
//!
//! Write a type that implements [`Resource`]: its shape and versions, and those of the operations that it has; the others
//! answer 501 as the reference does. Operations find everything they need in the [`Call`]; by the time they run, the
//! request is well-formed, the barrier has passed (views show all that was acknowledged), the realm exists and the caller
//! may do it. Then register it: `rest::routes().resource(Scope::Realm, "notes", Notes)`. Who may do what is
//! [`Resource::permit`]: administrators, unless the resource says otherwise. A resource that reads before it writes passes
//! [`unchanged`] as the precondition; the framework starts it over when somebody else was faster and the caller did not
//! insist on a revision.
//!
//! ```
//! use quorate::{
//!     crest::{Call, Create, Error, Item, Listing, Match, Object, Query, Resource, Shape, Totals, Version, percent},
//!     desk,
//! };
//! use quorate_raft::{DocumentKey, Kind, Precondition};
//! use serde_json::Value;
//!
//! /// `/json/{realm}/notes`: `{"text": "…"}` under an id of the caller's choice.
//! struct Notes;
//!
//! impl Notes {
//!     fn key(&self, call: &Call<'_>, id: &str) -> DocumentKey {
//!         DocumentKey::new(call.realm, Kind::Group, id)
//!     }
//!
//!     /// What may be stored: this is where unknown members are refused.
//!     fn checked(&self, content: &Object) -> Result<Object, Error> {
//!         match content.keys().find(|name| !["_id", "_rev", "text"].contains(&name.as_str())) {
//!             Some(_) => Err(Error::invalid_attribute(["text"])),
//!             None => Ok(content.iter().filter(|(name, _)| *name == "text").map(|(n, v)| (n.clone(), v.clone())).collect()),
//!         }
//!     }
//! }
//!
//! impl Resource for Notes {
//!     fn shape(&self) -> Shape {
//!         Shape::Collection
//!     }
//!
//!     fn versions(&self) -> &[Version] {
//!         &[Version(1, 0)]
//!     }
//!
//!     async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
//!         let id = create.id.ok_or_else(|| Error::bad_request("A note needs an id"))?;
//!         let stored = self.checked(create.content)?;
//!         let write = desk::put(self.key(call, id), Precondition::Absent, &Value::Object(stored.clone()), vec![], false);
//!         let revision = call.write(write).await.map_err(|refused| create.refused(call, refused, "Note exists"))?;
//!         Ok(Item::new(id, Some(revision), stored))
//!     }
//!
//!     async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
//!         let entry = call.desk.document(call.realm, Kind::Group, id).ok_or_else(Error::not_found)?;
//!         let content = entry.json().as_object().cloned().unwrap_or_default();
//!         Ok(Item::new(id, Some(entry.document.revision), content))
//!     }
//!
//!     async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
//!         let stored = self.checked(content)?;
//!         let body = Value::Object(stored.clone());
//!         let write = desk::put(self.key(call, id), when.precondition(), &body, vec![], false);
//!         Ok(Item::new(id, Some(call.write(write).await?), stored))
//!     }
//!
//!     async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
//!         let item = self.read(call, id).await?;
//!         call.write(desk::delete(self.key(call, id), when.precondition())).await?;
//!         Ok(item)
//!     }
//!
//!     async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
//!         let all = call.collect(Kind::Group);
//!         query.answer_all(all.into_iter().map(|(id, revision, body)| Item::new(&*id, Some(revision), body)), Totals::Unpaged)
//!     }
//! }
//! # assert_eq!(percent::encode("a b"), "a%20b");
//! ```

pub mod body;
pub mod cookie;
pub mod describe;
pub mod error;
pub mod filter;
pub mod item;
pub mod native;
pub mod openapi;
pub mod params;
pub mod patch;
pub mod percent;
pub mod pointer;
mod pretty;
pub mod query;
pub mod request;
pub mod response;
pub mod scan;
pub mod serve;
pub mod settings;
mod text;
pub mod transaction;
pub mod version;

pub use body::Object;
pub use describe::{ActionDescription, Description, Operation};
pub use error::Error;
pub use item::{Fields, Item};
pub use params::Params;
pub use patch::Patch;
pub use query::{Listing, Query, Totals};
pub use request::{Head, Match, Verb};
pub use response::Returned;
pub use serve::{Served, serve};
pub use settings::Settings;
pub use transaction::TransactionId;
pub use version::{Accepted, Protocol, Version};

use crate::{
    caller::{Caller, Role},
    consensus::Unavailable,
    desk::{Desk, WriteError},
    privileges::Endpoint,
};
use actix_web::HttpRequest;
use quorate_raft::{Kind, Precondition, RealmPath, Refusal, Seq, Write};
use std::{cell::Cell, sync::Arc};

/// Where resources of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Under ids, one path element each.
    Collection,
    /// A collection whose members live elsewhere: it can be listed, and nothing is below it.
    List,
    /// At the path itself.
    Singleton,
}

/// What an operation works with. Holding one proves that the checks before it are done.
pub struct Call<'c> {
    /// Decisions, views, passwords.
    pub desk: &'c Desk,
    /// The realm that is addressed; it exists.
    pub realm: &'c RealmPath,
    /// Who asks; `None` only where the resource lets strangers in.
    pub caller: Option<&'c Caller>,
    /// Parameters that the framework does not know.
    pub params: &'c Params,
    /// The framework's rules for this request.
    pub protocol: Protocol,
    /// The version of the resource that was selected.
    pub version: Version,
    /// For headers that a resource has of its own.
    pub request: &'c HttpRequest,
    /// What the caller wants to see: the framework leaves out the rest of everything but what actions return.
    pub fields: &'c Fields,
    /// Whether the answer is spread over lines.
    pub pretty: bool,
    /// Where in the log the last write of this request happened: the answer tells it (see [`REVISION_HEADER`]).
    pub written: Cell<Option<Seq>>,
}

/// On the answer to a write: where in the log it happened, for whoever wants to read no older state than that. An extension.
pub const REVISION_HEADER: &str = "X-Quorate-Revision";

/// What is created.
#[derive(Clone, Copy)]
pub struct Create<'c> {
    /// From the path of a PUT; `None` for a POST, whose id the resource takes from the content or makes.
    pub id: Option<&'c str>,
    /// The content.
    pub content: &'c Object,
}

impl Create<'_> {
    /// The error for an id that is taken: 412 for a PUT, 409 for a POST and under protocol 1.0 (crest.md §4.3).
    pub fn taken(&self, call: &Call<'_>, message: impl Into<String>) -> Error {
        let precondition = self.id.is_some() && call.protocol > Protocol::V1_0;
        Error::new(if precondition { 412 } else { 409 }, message)
    }

    /// The error for a write that was refused; `taken` is the text for an id that is taken.
    pub fn refused(&self, call: &Call<'_>, error: WriteError, taken: &str) -> Error {
        match error {
            WriteError::Refused(Refusal::Exists(_)) => self.taken(call, taken),
            other => other.into(),
        }
    }
}

impl Call<'_> {
    /// What an action returns, written at once, in the manner that the request wants: for what need not be looked at again.
    pub fn text(&self, value: &impl serde::Serialize) -> Returned {
        Returned::Text(pretty::write(value, self.pretty))
    }

    /// Writes one document; its new revision.
    ///
    /// # Errors
    /// A refusal, for the resource to word, or no decision. `?` gives both the framework's words.
    pub async fn write(&self, write: Write) -> Result<Seq, WriteError> {
        self.write_all(vec![write]).await
    }

    /// Writes documents, all or none; where in the log that happened.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_all(&self, writes: Vec<Write>) -> Result<Seq, WriteError> {
        let revisions = self.desk.write(writes).await?;
        let revision = revisions.first().copied().ok_or(WriteError::Unavailable(Unavailable::Unknown))?;
        self.written.set(Some(revision));
        Ok(revision)
    }

    /// All documents of a kind in the realm: id, revision, content; by id. Copies everything: for collections that are small
    /// by nature. What may grow is listed by [`scan`].
    pub fn collect(&self, kind: Kind) -> Vec<(Arc<str>, Seq, Object)> {
        let rows = self.desk.rows(self.realm, kind);
        let copied = rows.iter().map(|row| {
            let content = row.entry.json().as_object().cloned().unwrap_or_default();
            (row.id.clone(), row.entry.document.revision, content)
        });
        copied.collect()
    }

    /// Lets administrators of the realm pass.
    ///
    /// # Errors
    /// 401 without a session, 403 without the privilege.
    pub fn administrator(&self) -> Result<(), Error> {
        match self.caller {
            None => Err(Error::unauthenticated()),
            Some(caller) if caller.administers(self.realm) => Ok(()),
            Some(_) => Err(Error::insufficient_privileges()),
        }
    }

    /// Lets everybody with a session pass.
    ///
    /// # Errors
    /// 401 without one.
    pub fn signed_in(&self) -> Result<&Caller, Error> {
        self.caller.ok_or_else(Error::unauthenticated)
    }

    /// Whether the caller is the user `id` (in the form that is compared) of this realm.
    pub fn is_user(&self, id: &str) -> bool {
        self.caller.is_some_and(|caller| {
            let subject = &caller.session.data.subject;
            caller.role != Role::Agent && subject.realm == *self.realm && &*subject.id == id
        })
    }
}

/// `when` for a document that was read as `revision` and is written back changed: the caller's precondition first, then
/// that nobody else wrote meanwhile.
///
/// # Errors
/// 412 when the caller asked for another revision.
pub fn unchanged(when: &Match, id: &str, revision: Seq) -> Result<Precondition, Error> {
    if when.fits(revision) { Ok(Precondition::Revision(revision)) } else { Err(Error::stale(id)) }
}

/// A resource: what it is, who may use it, what it can do. Operations that it does not have answer 501.
///
/// `id` is the path element as the caller wrote it, decoded; for a singleton it is empty.
#[expect(async_fn_in_trait, reason = "handlers of a worker run on its own thread")]
#[expect(unused_variables, reason = "the names tell what an operation gets")]
pub trait Resource: 'static {
    /// Where it lives.
    fn shape(&self) -> Shape;

    /// The versions that it answers; the newest is the default.
    fn versions(&self) -> &[Version];

    /// What it is to those who hold privileges (see [`crate::privileges`]).
    fn endpoint(&self) -> Endpoint {
        Endpoint::Configuration
    }

    /// Whether a caller may do this. `id` is `None` for the collection itself. Those may whose privileges say so for its
    /// [`endpoint`](Self::endpoint), and nobody else, unless the resource says otherwise.
    ///
    /// # Errors
    /// 401 or 403.
    fn permit(&self, call: &Call<'_>, id: Option<&str>, verb: &Verb) -> Result<(), Error> {
        call.permits(self.endpoint(), verb)
    }

    /// Whether strangers may use it: then nothing is asked of the cluster before an operation runs in the top-level realm.
    fn is_public(&self) -> bool {
        false
    }

    /// What it looks like and can do, for descriptors (crest.md §15): the shape's usual operations and any content, unless
    /// the resource says more.
    fn describe(&self) -> Description {
        Description::of(self.shape())
    }

    /// `Cache-Control` of its answers.
    fn cache_control(&self) -> &'static str {
        "private"
    }

    /// Whether protocol 1.0 shows the id in bodies (crest.md §5.7).
    fn shows_id_in_protocol_1(&self) -> bool {
        true
    }

    /// Whether a PUT without preconditions creates what does not exist.
    fn put_creates(&self) -> bool {
        true
    }

    /// What is said about a body that is needed and absent, where the framework's words are not the resource's.
    fn without_body(&self) -> Option<Error> {
        None
    }

    /// Creates one.
    ///
    /// # Errors
    /// [`Create::taken`] when it exists: a PUT without preconditions then becomes an update.
    async fn create(&self, call: &Call<'_>, create: Create<'_>) -> Result<Item, Error> {
        match self.shape() {
            Shape::Collection | Shape::List => Err(Error::unsupported()),
            Shape::Singleton => Err(Error::bad_request("The singleton resource cannot be created")),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// 404 when it does not exist.
    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        Err(Error::unsupported())
    }

    /// Updates one.
    ///
    /// # Errors
    /// 404 when it does not exist, 412 when `when` does not fit.
    async fn update(&self, call: &Call<'_>, id: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        Err(Error::unsupported())
    }

    /// Changes members of one. A resource whose items show all that an update takes passes this on to [`patch::by_update`].
    ///
    /// # Errors
    /// 404 when it does not exist, 412 when `when` does not fit, 400 and 409 for changes that cannot be made.
    async fn patch(&self, call: &Call<'_>, id: &str, patch: &Patch, when: &Match) -> Result<Item, Error> {
        Err(Error::unsupported())
    }

    /// Deletes one; what it was.
    ///
    /// # Errors
    /// 404 when it does not exist, 412 when `when` does not fit, 409 while it is in use.
    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        match self.shape() {
            Shape::Collection | Shape::List => Err(Error::unsupported()),
            Shape::Singleton => Err(Error::bad_request("The singleton resource cannot be deleted")),
        }
    }

    /// Lists.
    ///
    /// # Errors
    /// 501 for a query that it does not support.
    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        Err(Error::unsupported())
    }

    /// Does something that has a name, to one or, without an id, to all.
    ///
    /// # Errors
    /// 501 for a name that it does not know.
    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Returned, Error> {
        Err(Error::no_action(name))
    }
}
