//! Requests that were made beforehand, with what their answers have to say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::http::{Conn, Failure};
use crate::load::{self, Load, Plan, Step, Worker};
use crate::machine::Pids;

/// A request, and what makes an answer the right one.
pub struct Exchange {
    pub request: Vec<u8>,
    pub status: u16,
    /// Has to be in the body.
    pub expected: Box<[u8]>,
}

impl Exchange {
    /// Makes it; an answer that is not the right one is a failure.
    pub async fn over(&self, conn: &mut Conn) -> Result<(), Failure> {
        let answer = conn.send(&self.request).await?;
        if answer.status != self.status {
            Err(Failure::refused(&answer))
        } else if !answer.contains(&self.expected) {
            Err(Failure::unexpected(&answer))
        } else {
            Ok(())
        }
    }
}

/// A server, and the exchanges there are with it.
pub type Share = (SocketAddr, Arc<[Exchange]>);

/// Connections that create things: enough to be quick about it.
const CREATORS: usize = 64;
/// Nothing as slow as fifty things a second is worth waiting for.
const CREATED_PER_SECOND: usize = 50;

/// Makes each of `count` exchanges once, on whichever of the servers is asked next. Each share holds all of them, made for
/// its server. Returns the seconds it took.
///
/// # Errors
/// When one of them fails, or all of them take too long.
pub async fn each_once(shares: Vec<Share>, count: usize, threads: usize) -> Result<f64> {
    let started = Instant::now();
    let plan = Plan {
        clients: CREATORS.min(count),
        threads,
        warmup: Duration::ZERO,
        measure: Duration::from_secs(10 + (count / CREATED_PER_SECOND) as u64),
        pids: Pids::default(),
    };
    let load = Exchanges { shares, once: Some(Arc::default()) };
    let done = load::run(Arc::new(load), &plan).await?;
    ensure!(
        done.requests() == count && done.errors == 0,
        "{} of {count} were done; first error: {:?}",
        done.requests(),
        done.first_error
    );
    Ok(started.elapsed().as_secs_f64())
}

/// A load of prepared exchanges, clients spread over the servers round-robin.
pub struct Exchanges {
    pub shares: Vec<Share>,
    /// The number of the next one when each is to be made once; without it they are made round and round.
    pub once: Option<Arc<AtomicUsize>>,
}

pub struct Client {
    conn: Conn,
    exchanges: Arc<[Exchange]>,
    once: Option<Arc<AtomicUsize>>,
    next: usize,
}

impl Load for Exchanges {
    type Worker = Client;
    const OPS: &'static [&'static str] = &["exchange"];

    async fn workers(&self, clients: &[usize]) -> Result<Vec<Client>> {
        let mut workers = Vec::with_capacity(clients.len());
        for client in clients {
            let share = client.checked_rem(self.shares.len());
            let (server, exchanges) =
                share.and_then(|share| self.shares.get(share)).context("a load needs a server")?;
            let mut conn = Conn::new(*server);
            conn.open().await.with_context(|| format!("cannot connect to {server}"))?;
            workers.push(Client {
                conn,
                exchanges: Arc::clone(exchanges),
                once: self.once.clone(),
                // Apart, so that clients do not march in step.
                next: client.wrapping_mul(7919),
            });
        }
        Ok(workers)
    }
}

impl Worker for Client {
    type Harvest = ();

    async fn step(&mut self) -> Result<Step, Failure> {
        let position = match &self.once {
            Some(next) => Some(next.fetch_add(1, Ordering::Relaxed)),
            None => {
                self.next = self.next.wrapping_add(1);
                self.next.checked_rem(self.exchanges.len())
            }
        };
        match position.and_then(|position| self.exchanges.get(position)) {
            None => Ok(Step::Exhausted),
            Some(exchange) => exchange.over(&mut self.conn).await.map(|()| Step::Done(0)),
        }
    }

    fn harvest(self) {}
}
