//! Resources whose type stands in their path: an endpoint is the collection of all types, `…/{type}` the collection of one,
//! `…/{type}/{id}` a member. The types are no endpoints of their own, since there are some that only importers know.

use super::PlainCall;
use crate::{
    crest::{
        Error, Head, Served,
        response::{self, Manner},
        serve::{self, Place, Routed},
    },
    sessions::cookies,
};
use actix_web::HttpResponse;

/// What a path below the endpoint points at.
pub struct Pointed {
    /// The resource.
    pub resource: Box<dyn Served>,
    /// The element of the path that is an id in it.
    pub id: Option<String>,
}

impl Pointed {
    /// A collection or singleton itself.
    pub fn whole(resource: impl Served) -> Self {
        Self { resource: Box::new(resource), id: None }
    }

    /// A member of a collection.
    pub fn member(resource: impl Served, id: &str) -> Self {
        Self { resource: Box::new(resource), id: Some(id.to_owned()) }
    }
}

/// Serves the endpoint `endpoint` and what is below it; `find` tells what the path elements below it point at.
pub async fn serve(
    call: PlainCall,
    endpoint: &str,
    find: impl Fn(&[String]) -> Result<Pointed, Error>,
) -> HttpResponse {
    let PlainCall { desk, realm, request, body, rest } = call;
    let found = Head::parse(&request).and_then(|head| Ok((head, find(&rest)?)));
    let (head, Pointed { resource, id }) = match found {
        Ok(found) => found,
        Err(error) => {
            return response::fail(&error, Manner { pretty: super::pretty(&request), ..Manner::default() });
        }
    };
    let path = std::iter::once(endpoint).chain(rest.iter().map(String::as_str)).collect::<Vec<_>>().join("/");
    let place = Place { path: &path, id: id.as_deref() };
    let routed = Routed { resource: &*resource, place, head: &head, body: &body, realm: &realm };
    let mut response = serve::serve(&desk, &request, routed).await;
    cookies::amend(&request, &mut response);
    response
}

/// 404 for a path below `endpoint` that no type takes.
pub fn nowhere(rest: &[String]) -> Error {
    Error::no_route(&rest.join("/"))
}
