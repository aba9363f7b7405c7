//! What the policy service of every realm has from its first moment (authorization.md §1.3): written in the log entry that
//! makes the realm, so that no realm is ever seen without.

use super::resource_types;
use crate::{
    actors::policy_sets::set_id,
    desk::put,
    policy::model::{Audit, built_in},
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Write};

/// Who made them.
const AUTHOR: &str = "id=dsameuser,ou=user,ou=am-config";

/// The resource types and policy sets of a new realm.
pub fn writes(realm: &RealmPath) -> Vec<Write> {
    let (types, sets) = built_in::objects(Audit::created(AUTHOR, super::now()));
    let key = |kind, id: &str| DocumentKey::new(realm, kind, id);
    let types = types.into_iter().flat_map(|of_type| resource_types::creating(realm, &of_type));
    let sets = sets.into_iter().map(|set| {
        let references = set.resource_type_uuids.iter().map(|uuid| key(Kind::ResourceType, uuid)).collect();
        put(key(Kind::PolicySet, &set_id(&set.name)), Precondition::Absent, &set.to_json(), references, false)
    });
    types.chain(sets).collect()
}
