//! OAuth 2.0 over HTTP, as clients see it that know nothing of us.
//!
//! | file             | what                                                                    |
//! |------------------|-------------------------------------------------------------------------|
//! | `walk_throughs`  | API-to-API: the requests that administrators and clients send, in order |
//! | `decisions`      | policy decisions are as new as the last write, on any node              |
//! | `client_library` | the `openidconnect` crate, from discovery to revocation                 |

#[path = "../harness/mod.rs"]
mod harness;

mod client_library;
mod decisions;
mod walk_throughs;
