//! OAuth 2.0 over HTTP, as clients see it that know nothing of us.
//!
//! | file             | what                                                                    |
//! |------------------|-------------------------------------------------------------------------|
//! | `walk_throughs`  | API-to-API: the requests that administrators and clients send, in order |
//! | `client_library` | the `openidconnect` crate, from discovery to revocation                 |

#[path = "../harness/mod.rs"]
mod harness;

mod client_library;
mod walk_throughs;
