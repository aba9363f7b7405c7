//! The policy service's resources: what administrators write for [`policy`], and evaluation.
//!
//! | authorization.md | resource                          | here                |
//! |------------------|-----------------------------------|---------------------|
//! | §2.2             | `resourcetypes`                   | [`ResourceTypes`]   |
//! | §2.3             | `applications` (policy sets)      | [`PolicySets`]      |
//! | §2.4, §2.6       | `policies`, `?_action=evaluate`   | [`Policies`]        |
//! | §2.11            | who may call what                 | `permit`            |
//!
//! The library decides what may be stored; here is what the store decides: whether names are free, and whether an object is
//! still in use. The latter is a reference between documents, checked inside the log entry.

mod policies;
mod policy_sets;
mod resource_types;

pub use policies::Policies;
pub use policy_sets::PolicySets;
pub use resource_types::ResourceTypes;

use crate::{
    crest::{Call, Error, Object},
    host, policy,
    policy::model::Audit,
};
use serde_json::Value;

impl From<policy::Error> for Error {
    fn from(error: policy::Error) -> Self {
        Self::new(error.status(), error.message())
    }
}

/// Now, in the unit of dates of policy objects.
fn now() -> i64 {
    i64::try_from(host::now().0).unwrap_or(i64::MAX)
}

/// Who writes, as dates and names of policy objects show it.
fn author<'c>(call: &'c Call<'_>) -> Result<&'c str, Error> {
    call.signed_in().map(|caller| &*caller.session.data.universal_id)
}

/// For an object that is made now.
fn created(call: &Call<'_>) -> Result<Audit, Error> {
    Ok(Audit::created(author(call)?, now()))
}

/// For an object that is changed now. Its date moves on even within one millisecond: it is the revision.
fn modified(call: &Call<'_>, former: &Audit) -> Result<Audit, Error> {
    Ok(former.modified(author(call)?, now().max(former.last_modified_date + 1)))
}

/// A rendered object as the framework wants it.
fn object(json: Value) -> Object {
    match json {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}
