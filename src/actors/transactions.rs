//! What readers are told of transactions: every one.

use super::owner::{Published, replaced};
use crate::views::Views;
use quorate_raft::{Transactions, transactions::TransactionChange};

impl Published for Transactions {
    fn publish(changed: Vec<TransactionChange>, views: &Views) {
        let view = views.transactions.pin();
        for (hash, transaction) in changed {
            match transaction {
                Some(transaction) => drop(view.insert(hash, transaction)),
                None => drop(view.remove(&hash)),
            }
        }
    }

    fn instead_of(&self, gone: &Self) -> Vec<TransactionChange> {
        let (old, now) = (gone.all().iter(), self.all());
        let all = now.iter().map(|(hash, transaction)| (*hash, transaction.clone()));
        replaced(old.map(|(hash, _)| *hash), |hash| now.get(hash).is_some(), all).collect()
    }
}
