//! `subjectattributes` (authorization.md §2.7.4): the profile attributes that a policy may promise. A query only, whose
//! result is an array of bare strings, which no resource of the framework has: hence a plain endpoint that keeps its rules.

use crate::{
    caller,
    crest::{
        Error, Head, Verb, Version,
        request::forgeable,
        response::{self, Manner},
    },
    privileges::{Endpoint, Right},
    rest::{PlainCall, users},
};
use actix_web::HttpResponse;
use serde_json::{Value, json};

const VERSIONS: [Version; 1] = [Version(1, 0)];

/// The endpoint.
pub async fn handle(call: PlainCall) -> HttpResponse {
    let mut manner = Manner::default();
    match answer(&call, &mut manner).await {
        Ok(listing) => response::write(response::Answer::Result(listing.into()), manner),
        Err(error) => response::fail(&error, manner),
    }
}

async fn answer(call: &PlainCall, manner: &mut Manner) -> Result<Value, Error> {
    if forgeable(&call.request) {
        return Err(Error::plain(403));
    }
    let head = Head::parse(&call.request)?;
    (manner.pretty, manner.protocol) = (head.pretty, head.accepted.protocol);
    manner.version = Some(head.settings.select(&VERSIONS, head.accepted.resource)?);
    let verb = head.verb(&call.body)?;
    match caller::authenticated(&call.desk, &call.request).await? {
        None => return Err(Error::unauthenticated()),
        Some(caller) if caller.may(Endpoint::SubjectAttributes, Right::Read, &call.realm) => {}
        Some(_) => return Err(Error::insufficient_privileges()),
    }
    match (call.rest.as_slice(), verb) {
        ([], Verb::Query(_)) => Ok(json!({
            "result": users::ATTRIBUTES,
            "resultCount": users::ATTRIBUTES.len(),
            "pagedResultsCookie": null,
            "remainingPagedResults": 0,
        })),
        ([] | [_], _) => Err(Error::unsupported()),
        (deeper, _) => Err(Error::no_route(&deeper.join("/"))),
    }
}
