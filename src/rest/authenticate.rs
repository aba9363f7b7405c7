//! `POST /json/{realm}/authenticate` (authn-sessions-realms.md a.1, a.2, a.7, a.8): not a resource, a plain endpoint.
//!
//! | step                                               | reference |
//! |----------------------------------------------------|-----------|
//! | POST only; a body must be JSON                      | a.1       |
//! | which service: `authIndexType=service`              | a.3       |
//! | credentials in headers                              | a.9       |
//! | session, cookie, `tokenId`, `successUrl`, `realm`   | a.7       |
//! | one failure for all reasons                         | a.8       |

use crate::{
    authn::{
        self, Failure, Service,
        zero_page::{self, Headers},
    },
    crest::{
        Accepted, Error, Params, body,
        request::forgeable,
        response::{self, Manner},
        version,
    },
    desk::Desk,
    telemetry::{self, label},
};
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::Cookie,
    http::{Method, header::CONTENT_TYPE},
};
use metrics::counter;
use quorate_raft::RealmPath;
use serde_json::{Value, json};
