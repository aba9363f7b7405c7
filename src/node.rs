//! The production side of [`Consensus`]: this process's node of the cluster.

use crate::{
    actors::Actors,
    consensus::{Consensus, Unavailable},
    telemetry::{self, label},
};
use futures_util::{FutureExt, future::BoxFuture};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use quorate_cluster::{Node, ProposeError, ReadError};
use quorate_raft::{Command, Outcome};
use std::time::Instant;

/// A node, and how it is doing.
pub struct Clustered {
    node: Node<Actors>,
    seconds: Histogram,
    in_flight: Gauge,
    barrier_seconds: Histogram,
    issued: Counter,
}

impl Clustered {
    /// For the node of this process.
    pub fn new(node: Node<Actors>) -> Self {
        Self {
            node,
            seconds: histogram!(telemetry::PROPOSAL_SECONDS),
            in_flight: gauge!(telemetry::PROPOSALS_IN_FLIGHT),
            barrier_seconds: histogram!(telemetry::READ_BARRIER_SECONDS),
            issued: counter!(telemetry::PROPOSALS, label::OUTCOME => "issued"),
        }
    }
}

impl Consensus for Clustered {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Outcome, Unavailable>> {
        async move {
            let start = Instant::now();
            self.in_flight.increment(1);
            let answer = self.node.propose(command).await;
            self.in_flight.decrement(1);
            self.seconds.record(start.elapsed());
            let label = match &answer {
                Ok(outcome) => outcome.label(),
                Err(ProposeError::Overloaded) => "overloaded",
                Err(ProposeError::TooLarge) => "too_large",
                Err(ProposeError::NoQuorum) => "no_quorum",
                Err(ProposeError::Unknown) => "unknown",
            };
            match label {
                "issued" => self.issued.increment(1), // the hot one, without a look-up
                label => counter!(telemetry::PROPOSALS, label::OUTCOME => label).increment(1),
            }
            answer.map_err(|error| match error {
                ProposeError::Overloaded => Unavailable::Overloaded,
                ProposeError::TooLarge => Unavailable::TooLarge,
                ProposeError::NoQuorum => Unavailable::NoQuorum,
                ProposeError::Unknown => Unavailable::Unknown,
            })
        }
        .boxed()
    }

    fn barrier(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        async move {
            let start = Instant::now();
            let passed = self.node.read_barrier().await;
            self.barrier_seconds.record(start.elapsed());
            passed.map_err(|error| match error {
                ReadError::NoQuorum | ReadError::ShuttingDown => Unavailable::NoQuorum,
            })
        }
        .boxed()
    }
}
