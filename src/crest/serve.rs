//! From a verb and a place to the method of a resource, and back to HTTP (crest.md §4.3, §5).

use super::{
    Call, Create, Description, Error, Head, Item, Listing, Match, Object, Operation, Patch, Resource, Settings, Shape,
    Verb, Version, body,
    cookie::Position,
    item::MediaType,
    percent,
    query::{Cookie, Query},
    request,
    response::{self, Answer, Manner},
};
use crate::{
    audit::context,
    base_url::BaseUrl,
    caller::{self, Caller},
    consensus::Unavailable,
    desk::Desk,
};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use quorate_raft::RealmPath;
use std::cell::Cell;

/// How often a change without preconditions starts over when others change the same resource meanwhile.
const ATTEMPTS: usize = 4;

/// A resource behind a pointer: what the routing table holds.
pub trait Served: 'static {
    /// The resource's shape.
    fn shape(&self) -> Shape;

    /// See [`Resource::is_public`].
    fn is_public(&self) -> bool;

    /// See [`Resource::describe`].
    fn describe(&self) -> Description;

    /// See [`Resource::versions`].
    fn versions(&self) -> &[Version];

    /// See [`Resource::without_body`].
    fn without_body(&self) -> Option<Error>;

    /// The version that answers a request, and how it answers.
    ///
    /// # Errors
    /// 404 when no version answers what is asked for, 400 when nothing is asked for and must be.
    fn manner(&self, head: &Head) -> Result<Manner, Error>;

    /// Does what is asked.
    fn run<'s>(
        &'s self,
        call: &'s Call<'s>,
        at: Place<'s>,
        asked: Asked<'s>,
    ) -> LocalBoxFuture<'s, Result<Answer, Error>>;
}

/// Where in a resource's paths a request points.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The endpoint, for messages.
    pub path: &'p str,
    /// The path element below it, decoded.
    pub id: Option<&'p str>,
}

/// What is asked, and how an answer of one field is wanted.
pub struct Asked<'v> {
    /// The verb.
    pub verb: &'v Verb,
    /// Whether a new resource's id stands in the path.
    pub put: bool,
    /// `_mimeType`
    pub media_type: Option<&'v MediaType>,
}

/// A request that found its resource.
pub struct Routed<'r> {
    /// The resource.
    pub resource: &'r dyn Served,
    /// Where in it.
    pub place: Place<'r>,
    /// What was asked for, without the body.
    pub head: &'r Head,
    /// The body.
    pub body: &'r [u8],
    /// The realm, found to exist.
    pub realm: &'r RealmPath,
}

/// Serves a routed request: version, session, privilege, verb, in this order.
pub async fn serve(desk: &Desk, request: &HttpRequest, routed: Routed<'_>) -> HttpResponse {
    let Routed { resource, place, head, body, realm } = routed;
    context::in_realm(realm);
    let rough = Manner { pretty: head.pretty, protocol: head.accepted.protocol, ..Manner::default() };
    let manner = match resource.manner(head) {
        Ok(manner) => manner,
        Err(error) => return response::fail(&error, rough),
    };
    let answer = async {
        let mut verb = head.verb(body).map_err(|error| match resource.without_body() {
            Some(own) if error == body::absent() => own,
            _ => error,
        })?;
        let caller = session(desk, request, resource.is_public()).await?;
        // The settings that let a request without proof pass may have been old: the barrier has passed now.
        if request::is_unproven(request) && Settings::of(desk).csrf {
            return Err(Error::plain(403));
        }
        if let Verb::Query(query) = &mut verb {
            open_cookie(desk, query, realm, place);
        }
        let call = Call {
            desk,
            realm,
            caller: caller.as_ref(),
            params: &head.params,
            protocol: head.accepted.protocol,
            version: manner.version.unwrap_or(super::Version(1, 0)),
            request,
            fields: &head.fields,
            pretty: head.pretty,
            written: Cell::default(),
        };
        let asked = Asked { verb: &verb, put: head.is_put(), media_type: head.media_type.as_ref() };
        let answer = resource.run(&call, place, asked).await?;
        Ok::<_, Error>((answer, call.written.get()))
    };
    match answer.await {
        Ok((answer, written)) => response::write(answer, Manner { written, ..manner }),
        Err(error) => response::fail(&error, manner),
    }
}

/// What the cookies of a query are bound to: where it is asked, and what.
fn cookie_of(realm: &RealmPath, place: Place<'_>, query: &Query) -> String {
    format!("{realm}\n{}\n{}", place.path.to_ascii_lowercase(), query.identity())
}

/// A cookie that does not open stays as it is: only resources that have cookies look at it.
fn open_cookie(desk: &Desk, query: &mut Query, realm: &RealmPath, place: Place<'_>) {
    if let Cookie::Sealed(sealed) = &query.cookie
        && let Some(position) = Position::open(desk, &cookie_of(realm, place, query), sealed)
    {
        query.cookie = Cookie::After(position);
    }
}

/// The absolute URL of the request, without query, at the realm's base URL.
fn url(call: &Call<'_>) -> String {
    let path = call.request.uri().path();
    let below = path.strip_prefix(call.desk.front().context_path.as_str()).unwrap_or(path);
    format!("{}{below}", BaseUrl::in_realm(call.desk, call.realm, call.request).deployment())
}

/// Who calls. Nothing is asked of the cluster for strangers at a public resource; everything else waits for the barrier.
async fn session(desk: &Desk, request: &HttpRequest, public: bool) -> Result<Option<Caller>, Error> {
    if public {
        return Ok(None);
    }
    desk.barrier().await?;
    let caller = caller::presented_token(desk, request).and_then(|token| caller::session(desk, &token));
    if let Some(caller) = &caller {
        context::called_by(caller);
        caller::touch(desk, caller);
    }
    Ok(caller)
}

impl<R: Resource> Served for R {
    fn shape(&self) -> Shape {
        Resource::shape(self)
    }

    fn is_public(&self) -> bool {
        Resource::is_public(self)
    }

    fn describe(&self) -> Description {
        Resource::describe(self)
    }

    fn versions(&self) -> &[Version] {
        Resource::versions(self)
    }

    fn without_body(&self) -> Option<Error> {
        Resource::without_body(self)
    }

    fn manner(&self, head: &Head) -> Result<Manner, Error> {
        let version = head.settings.select(Resource::versions(self), head.accepted.resource)?;
        Ok(Manner {
            pretty: head.pretty,
            protocol: head.accepted.protocol,
            version: Some(version),
            cache_control: self.cache_control(),
            id_in_v1: self.shows_id_in_protocol_1(),
            written: None,
        })
    }

    fn run<'s>(
        &'s self,
        call: &'s Call<'s>,
        at: Place<'s>,
        asked: Asked<'s>,
    ) -> LocalBoxFuture<'s, Result<Answer, Error>> {
        Box::pin(async move {
            self.permit(call, at.id, asked.verb)?;
            placed(Resource::shape(self), at, asked.verb, asked.put)?;
            let id = at.id.unwrap_or_default();
            let shown = |item: Item| Answer::Item(call.fields.apply(item));
            let created = |item: Item| {
                let url = url(call);
                let url = url.trim_end_matches('/');
                let location = match (asked.put, Resource::shape(self)) {
                    (true, _) | (_, Shape::Singleton) => url.to_owned(),
                    (false, Shape::Collection | Shape::List) => format!("{url}/{}", percent::encode(&item.id)),
                };
                Answer::Created(call.fields.apply(item), location)
            };
            Ok(match asked.verb {
                Verb::Create(content) => {
                    let id = at.id.filter(|_| asked.put).or((asked.put && at.id.is_none()).then_some(""));
                    created(self.create(call, Create { id, content }).await?)
                }
                Verb::Put(content) if !self.put_creates() => shown(update(self, call, id, content, &Match::Any).await?),
                Verb::Put(content) => match upsert(self, call, id, content).await? {
                    (item, true) => created(item),
                    (item, false) => shown(item),
                },
                Verb::Update(content, when) => shown(update(self, call, id, content, when).await?),
                Verb::Read(known) => {
                    let item = self.read(call, id).await?;
                    match (known, &item.revision, asked.media_type) {
                        (Some(known), Some(revision), _) if known == revision => Answer::NotModified(revision.clone()),
                        (_, _, None) => shown(item),
                        (_, _, Some(media_type)) => {
                            let item = call.fields.apply(item);
                            Answer::Field(media_type.bytes(&item)?, media_type.clone(), item.revision)
                        }
                    }
                }
                Verb::Delete(when) => shown(self.delete(call, id, when).await?),
                Verb::Patch(Ok(changes), when) => shown(patch(self, call, id, changes, when).await?),
                Verb::Patch(Err(error), _) => {
                    let can = Resource::describe(self).has(Operation::Patch);
                    return Err(if can { error.clone() } else { Error::unsupported() });
                }
                Verb::Query(query) => {
                    let listing = self.query(call, query).await?;
                    let items = listing.items.into_iter().map(|item| call.fields.apply(item)).collect();
                    let next = listing.next.as_ref();
                    let cookie = next.and_then(|next| next.seal(call.desk, &cookie_of(call.realm, at, query)));
                    Answer::Listing(Listing { items, ..listing }, cookie)
                }
                Verb::Action(name, content) => Answer::Result(self.action(call, at.id, name, content).await?),
            })
        })
    }
}

/// Updates. A caller that named no revision does not care which one it replaces: a resource that reads before it writes
/// and loses the race starts over.
async fn update<R: Resource>(
    resource: &R,
    call: &Call<'_>,
    id: &str,
    content: &Object,
    when: &Match,
) -> Result<Item, Error> {
    if *when != Match::Any {
        return resource.update(call, id, content, when).await;
    }
    for _ in 0..ATTEMPTS {
        match resource.update(call, id, content, when).await {
            Err(error) if error.code() == 412 => call.desk.barrier().await?,
            updated => return updated,
        }
    }
    Err(Unavailable::Overloaded.into())
}

/// Patches, as [`update`] updates.
async fn patch<R: Resource>(
    resource: &R,
    call: &Call<'_>,
    id: &str,
    changes: &Patch,
    when: &Match,
) -> Result<Item, Error> {
    if *when != Match::Any {
        return resource.patch(call, id, changes, when).await;
    }
    for _ in 0..ATTEMPTS {
        match resource.patch(call, id, changes, when).await {
            Err(error) if error.code() == 412 => call.desk.barrier().await?,
            patched => return patched,
        }
    }
    Err(Unavailable::Overloaded.into())
}

/// §5.1: create, and update where that fails because it exists. Whoever deletes in between is waited out. The second half
/// of the answer tells whether it was created.
async fn upsert<R: Resource>(resource: &R, call: &Call<'_>, id: &str, content: &Object) -> Result<(Item, bool), Error> {
    let mut attempts = 1;
    loop {
        match resource.create(call, Create { id: Some(id), content }).await {
            Err(error) if error.code() == 412 => {}
            created => return created.map(|item| (item, true)),
        }
        match update(resource, call, id, content, &Match::Any).await {
            Err(error) if error.code() == 404 && attempts < ATTEMPTS => attempts += 1,
            updated => return updated.map(|item| (item, false)),
        }
        call.desk.barrier().await?;
    }
}

/// Whether a verb makes sense where it points (crest.md §11).
fn placed(shape: Shape, at: Place<'_>, verb: &Verb, put: bool) -> Result<(), Error> {
    let path = at.path;
    let collection = |what: &str| Err(Error::bad_request(format!("The resource collection {path} cannot be {what}")));
    let instance = |what: &str| Err(Error::bad_request(format!("The resource instance {path} cannot be {what}")));
    match (shape, at.id, verb) {
        (Shape::Singleton, _, Verb::Query(_)) => Err(Error::bad_request("The singleton resource cannot be queried")),
        (Shape::Singleton, _, _) => Ok(()),
        (_, None, Verb::Create(_) | Verb::Put(_)) if put => {
            Err(Error::bad_request("No new resource ID in HTTP PUT request"))
        }
        (_, None, Verb::Read(_)) => collection("read"),
        (_, None, Verb::Update(..)) => collection("updated"),
        (_, None, Verb::Patch(..)) => collection("patched"),
        (_, None, Verb::Delete(_)) => collection("deleted"),
        (_, Some(_), Verb::Create(_)) if !put => instance("created"),
        (_, Some(_), Verb::Query(_)) => instance("queried"),
        _ => Ok(()),
    }
}
