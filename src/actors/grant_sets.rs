//! What readers are told of a shard of grant sets: live tokens, codes in whatever state, revoked grants.

use super::owner::{Published, replaced};
use crate::views::Views;
use quorate_raft::{ByHash, GrantSets, grant_sets::GrantChange};

impl Published for GrantSets {
    fn publish(changed: Vec<GrantChange>, views: &Views) {
        let access = views.access.pin();
        let codes = views.codes.pin();
        let revoked = views.revoked.pin();
        for change in changed {
            match change {
                GrantChange::Access(_, Some(token)) => drop(access.insert(ByHash(token))),
                GrantChange::Access(hash, None) => drop(access.remove(&hash)),
                GrantChange::Code(hash, Some(code)) => drop(codes.insert(hash, code)),
                GrantChange::Code(hash, None) => drop(codes.remove(&hash)),
                GrantChange::Grant(grant, Some(until)) => drop(revoked.insert(grant, until)),
                GrantChange::Grant(grant, None) => drop(revoked.remove(&grant)),
            }
        }
    }

    fn instead_of(&self, gone: &Self) -> Vec<GrantChange> {
        let (access, codes, revoked) = (self.access(), self.codes(), self.revoked());
        let tokens = replaced(
            gone.access().iter().map(|(hash, _)| *hash),
            |hash| access.get(hash).is_some(),
            access.iter().map(|(hash, token)| (*hash, token.clone())),
        );
        let codes = replaced(
            gone.codes().iter().map(|(hash, _)| *hash),
            |hash| codes.get(hash).is_some(),
            codes.iter().map(|(hash, code)| (*hash, code.clone())),
        );
        let grants = replaced(
            gone.revoked().keys().copied(),
            |grant| revoked.contains_key(grant),
            revoked.iter().map(|(grant, until)| (*grant, *until)),
        );
        let tokens = tokens.map(|(hash, token)| GrantChange::Access(hash, token));
        let codes = codes.map(|(hash, code)| GrantChange::Code(hash, code));
        tokens.chain(codes).chain(grants.map(|(grant, until)| GrantChange::Grant(grant, until))).collect()
    }
}
