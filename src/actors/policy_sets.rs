//! Owns the compiled policy sets: resource types and policies of each set, as an index that decisions read.

use super::Install;
use crate::views::Views;
use actix::{Actor, Context, Handler, Message};
use quorate_raft::{DocumentKey, Kind, documents::DocumentChange};
use std::sync::Arc;

/// From the documents' owner: what changed, in order.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Changed(pub Vec<DocumentChange>);

/// Whether policy sets are compiled from such a document.
pub fn concerns(key: &DocumentKey) -> bool {
    matches!(key.kind, Kind::ResourceType | Kind::PolicySet | Kind::Policy)
}

/// The compiled sets, and where they are published.
pub struct PolicySetsOwner {
    #[expect(dead_code, reason = "lands with the engine")]
    views: Arc<Views>,
}

impl PolicySetsOwner {
    pub(super) fn new(views: Arc<Views>) -> Self {
        Self { views }
    }
}

impl Actor for PolicySetsOwner {
    type Context = Context<Self>;
}

impl Handler<Changed> for PolicySetsOwner {
    type Result = ();

    fn handle(&mut self, _: Changed, _: &mut Self::Context) {}
}

impl Handler<Install<Vec<DocumentChange>>> for PolicySetsOwner {
    type Result = ();

    fn handle(&mut self, _: Install<Vec<DocumentChange>>, _: &mut Self::Context) {}
}
