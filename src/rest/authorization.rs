//! The policy service's resources: what administrators write for [`policy`], and evaluation.
//!
//! | authorization.md | resource                                      | here                                       |
//! |------------------|-----------------------------------------------|--------------------------------------------|
//! | §1.3             | what every realm has from its first moment    | [`built_in`]                               |
//! | §2.1.6           | what a query filter may say                   | [`filter`], [`regex`]                      |
//! | §2.2             | `resourcetypes`                               | [`ResourceTypes`]                          |
//! | §2.3             | `applications` (policy sets)                  | [`PolicySets`]; version 1.0 in `legacy`    |
//! | §2.4             | `policies`                                    | [`Policies`]                               |
//! | §2.5             | `policies?_action=copy`, `move`               | `copy`                                     |
//! | §2.6             | `policies?_action=evaluate`, `evaluateTree`   | [`evaluate`]                               |
//! | extensions       | `policies?_action=explain`, `whatif`          | [`evaluate`]                               |
//! | §2.7             | what types there are                          | [`catalogues`], [`subject_attributes`]     |
//! | §2.11            | who may call what                             | `Resource::permit` of each                 |
//!
//! The library decides what may be stored; here is what the store decides: whether names are free, and whether an object is
//! still in use. The latter is a reference between documents, checked inside the log entry.

pub mod built_in;
pub mod catalogues;
mod copy;
pub mod evaluate;
pub mod filter;
mod legacy;
mod policies;
mod policy_sets;
pub mod regex;
mod resource_types;
pub mod subject_attributes;
#[cfg(test)]
mod tests;

pub use policies::Policies;
pub use policy_sets::PolicySets;
pub use resource_types::ResourceTypes;

use super::{Csrf, Routes, Scope, descriptors};
use crate::{
    crest::{Call, Error, Match, Object},
    host, policy,
    policy::model::Audit,
};
use quorate_raft::{Precondition, Seq};
use serde_json::Value;

/// Adds the resources of the policy service.
pub fn routes(routes: Routes) -> Routes {
    routes
        .resource(Scope::Realm, "resourcetypes", ResourceTypes)
        .resource(Scope::Realm, "applications", PolicySets)
        .resource(Scope::Realm, "policies", Policies)
        .resource(Scope::Realm, "applicationtypes", catalogues::APPLICATION_TYPES)
        .resource(Scope::Realm, "conditiontypes", catalogues::CONDITION_TYPES)
        .resource(Scope::Realm, "subjecttypes", catalogues::SUBJECT_TYPES)
        .resource(Scope::Realm, "decisioncombiners", catalogues::DECISION_COMBINERS)
        .plain(Scope::Realm, "subjectattributes", Csrf::Own, subject_attributes::handle)
        .described(descriptors::subject_attributes())
}

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

/// `If-Match` names the date of the last change (§2.1.5). The reference accepts other revisions and ignores them
/// (unconfirmed); here a caller who insists on one is told that it has passed (AD-04).
fn insists(given: &Match, id: &str, former: &Audit, revision: Seq) -> Result<Precondition, Error> {
    match given {
        Match::Revision(text) if *text != former.revision() => Err(Error::stale(id)),
        Match::Revision(_) => Ok(Precondition::Revision(revision)),
        Match::Any => Ok(Precondition::Present),
    }
}

/// A rendered object as the framework wants it.
fn object(json: Value) -> Object {
    match json {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}
