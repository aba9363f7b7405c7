//! The owners: actors that hold the replicated state, change it in log order, and publish read views before they answer.
//!
//! [`Actors`] is the production side of [`Owners`]: it deals each batch out by [`split`], one [`Apply`] per owner, and waits
//! for all of them, so that `last_applied` never runs ahead of any view. Applies may pass the mailbox limit only because of
//! that wait (one in flight per owner); everybody else uses `try_send` and hears `Overloaded` when a mailbox is full.
//!
//! An owner that dies has half a state. It is not restarted: the node stops and replays (`owner_lost`).

mod attempts;
mod blacklist;
pub mod documents;
mod grant_sets;
pub mod owner;
pub mod policy_sets;
pub mod sessions;
mod transactions;

use self::owner::Owner;
use crate::views::Views;
use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, dev::ToEnvelope};
use futures_util::future::join_all;
use quorate_raft::{
    Attempts, Blacklist, Command, Committed, Documents, Frozen, GrantSets, Outcome, Owned, Owners, Sessions, Stamp,
    State, Transactions,
    attempts::AttemptCommand,
    blacklist::BlacklistCommand,
    documents::{DocumentChange, DocumentCommand},
    grant_sets::GrantCommand,
    limits::SHARDS,
    owners::{Split, Task, split},
    sessions::SessionCommand,
    transactions::Transact,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Messages that an owner queues before it says that it is overloaded.
pub const MAILBOX: usize = 1024;

/// From the log: what was committed, in order. The only message that changes an owner.
#[derive(Message)]
#[rtype(result = "Vec<(usize, Outcome)>")]
pub struct Apply<C: 'static>(pub Vec<Task<C>>);

/// From the log: a copy for a snapshot.
#[derive(Message)]
#[rtype(result = "S")]
pub struct Freeze<S: 'static>(std::marker::PhantomData<fn() -> S>);

/// From the log: replace the state.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Install<S>(pub S);

/// When the next thing of an owner dies, for the leader's ticker; `u64::MAX` for never.
#[derive(Clone, Default)]
pub struct NextDeath(Arc<AtomicU64>);

impl NextDeath {
    fn set(&self, next: Option<Stamp>) {
        self.0.store(next.map_or(u64::MAX, |stamp| stamp.0), Ordering::Release);
    }

    fn get(&self) -> Option<Stamp> {
        Some(self.0.load(Ordering::Acquire)).filter(|&next| next != u64::MAX).map(Stamp)
    }
}

/// Addresses of all owners.
pub struct Actors {
    grants: Vec<Addr<Owner<GrantSets>>>,
    blacklist: Addr<Owner<Blacklist>>,
    sessions: Addr<Owner<Sessions>>,
    attempts: Addr<Owner<Attempts>>,
    transactions: Addr<Owner<Transactions>>,
    documents: Addr<documents::DocumentsOwner>,
    policy_sets: Addr<policy_sets::PolicySetsOwner>,
    deaths: Vec<NextDeath>,
    views: Arc<Views>,
}

/// Starts `actor` on `arbiter` with a bounded mailbox.
fn start<A>(arbiter: &ArbiterHandle, actor: impl FnOnce() -> A + Send + 'static) -> Addr<A>
where
    A: Actor<Context = Context<A>>,
{
    A::start_in_arbiter(arbiter, move |context| {
        context.set_mailbox_capacity(MAILBOX);
        actor()
    })
}

/// The state would diverge from the other replicas from here on. Stop at once; the restart replays.
fn owner_lost() -> ! {
    tracing::error!("an owner of replicated state is gone; stopping this node so that it replays from its log");
    std::process::abort()
}

async fn ask<A, M>(owner: &Addr<A>, message: M) -> M::Result
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
    A::Context: ToEnvelope<A, M>,
{
    owner.send(message).await.unwrap_or_else(|_| owner_lost())
}

impl Actors {
    /// Starts all owners on the given arbiters, grant-set shards dealt round.
    pub fn start(arbiters: &[ArbiterHandle], views: Arc<Views>) -> Option<Self> {
        let first = arbiters.first()?;
        let deaths: Vec<NextDeath> = (0..SHARDS + 5).map(|_| NextDeath::default()).collect();
        deaths.iter().for_each(|death| death.set(None));
        let grants = deaths
            .iter()
            .take(usize::from(SHARDS))
            .zip(arbiters.iter().cycle())
            .map(|(death, arbiter)| {
                let (views, death) = (views.clone(), death.clone());
                start(arbiter, move || Owner::new(views, death))
            })
            .collect();
        let mut rest = deaths.iter().skip(usize::from(SHARDS)).cloned();
        let (blacklist_death, session_death, answer_death) = (rest.next()?, rest.next()?, rest.next()?);
        let (attempts_death, transactions_death) = (rest.next()?, rest.next()?);
        let own = || views.clone();
        let (a, b, c, d, e, f) = (own(), own(), own(), own(), own(), own());
        Some(Self {
            grants,
            blacklist: start(first, move || Owner::new(a, blacklist_death)),
            sessions: start(first, move || Owner::new(b, session_death)),
            attempts: start(first, move || Owner::new(e, attempts_death)),
            transactions: start(first, move || Owner::new(f, transactions_death)),
            documents: start(first, move || documents::DocumentsOwner::new(c, answer_death)),
            policy_sets: start(first, move || policy_sets::PolicySetsOwner::new(d)),
            deaths,
            views,
        })
    }

    /// The documents' owner, for listings.
    pub fn documents(&self) -> &Addr<documents::DocumentsOwner> {
        &self.documents
    }

    /// The sessions' owner, for listings.
    pub fn sessions(&self) -> &Addr<Owner<Sessions>> {
        &self.sessions
    }

    /// When the next thing dies: the leader ticks then.
    pub fn next_death(&self) -> Option<Stamp> {
        self.deaths.iter().filter_map(NextDeath::get).min()
    }

    /// Documents that policy sets are compiled from go on to their owner, inside the same apply.
    async fn apply_documents(&self, tasks: Vec<Task<DocumentCommand>>) -> Vec<(usize, Outcome)> {
        let documents::Applied { outcomes, changed, policy } =
            ask(&self.documents, documents::ApplyDocuments(tasks)).await;
        if !policy.is_empty() {
            ask(&self.policy_sets, policy_sets::Changed(policy)).await;
        }
        if changed {
            self.views.documents_changed();
        }
        outcomes
    }
}

impl Owners for Actors {
    async fn apply(&self, batch: Vec<Committed<Command>>) -> Vec<Outcome> {
        let reached = batch.last().map(|committed| (committed.at, committed.seq));
        let Split { grants, blacklist, sessions, attempts, transactions, documents, mut outcomes } = split(batch);
        let grants = self.grants.iter().zip(grants).filter(|(_, tasks)| !tasks.is_empty());
        let grants = join_all(grants.map(|(owner, tasks)| ask(owner, Apply::<GrantCommand>(tasks))));
        let blacklist = async {
            match blacklist.is_empty() {
                true => Vec::new(),
                false => ask(&self.blacklist, Apply::<BlacklistCommand>(blacklist)).await,
            }
        };
        let sessions = async {
            match sessions.is_empty() {
                true => Vec::new(),
                false => ask(&self.sessions, Apply::<SessionCommand>(sessions)).await,
            }
        };
        let attempts = async {
            match attempts.is_empty() {
                true => Vec::new(),
                false => ask(&self.attempts, Apply::<AttemptCommand>(attempts)).await,
            }
        };
        let transactions = async {
            match transactions.is_empty() {
                true => Vec::new(),
                false => ask(&self.transactions, Apply::<Transact>(transactions)).await,
            }
        };
        let documents = async {
            match documents.is_empty() {
                true => Vec::new(),
                false => self.apply_documents(documents).await,
            }
        };
        let (grants, blacklist, sessions, attempts, transactions, documents) =
            tokio::join!(grants, blacklist, sessions, attempts, transactions, documents);
        let others = blacklist.into_iter().chain(sessions).chain(attempts).chain(transactions).chain(documents);
        for (place, outcome) in grants.into_iter().flatten().chain(others) {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = outcome;
            }
        }
        if let Some((at, seq)) = reached {
            self.views.reach(at);
            self.views.has_applied(seq);
            self.views.tell_timeouts(at);
        }
        outcomes
    }

    async fn freeze(&self) -> Frozen {
        let grants = join_all(self.grants.iter().map(|owner| ask(owner, Freeze::<GrantSets>::now()))).await;
        Frozen::new(
            grants,
            ask(&self.blacklist, Freeze::<Blacklist>::now()).await,
            ask(&self.sessions, Freeze::<Sessions>::now()).await,
            ask(&self.attempts, Freeze::<Attempts>::now()).await,
            ask(&self.transactions, Freeze::<Transactions>::now()).await,
            ask(&self.documents, Freeze::<Documents>::now()).await,
        )
    }

    async fn install(&self, state: State) {
        let State { grants, blacklist, sessions, attempts, transactions, documents } = state;
        let others = [blacklist.now(), sessions.now(), attempts.now(), transactions.now(), documents.now()];
        let now = grants.iter().map(GrantSets::now).chain(others).max();
        join_all(self.grants.iter().zip(grants).map(|(owner, shard)| ask(owner, Install(shard)))).await;
        ask(&self.blacklist, Install(blacklist)).await;
        ask(&self.sessions, Install(sessions)).await;
        self.views.forget_ended();
        ask(&self.attempts, Install(attempts)).await;
        ask(&self.transactions, Install(transactions)).await;
        let policy: Vec<DocumentChange> = documents.iter().filter(|(key, _)| policy_sets::concerns(key)).collect();
        ask(&self.documents, Install(documents)).await;
        ask(&self.policy_sets, Install(policy)).await;
        self.views.documents_changed();
        if let Some(now) = now {
            self.views.reach(now);
        }
    }
}

impl<S> Freeze<S> {
    fn now() -> Self {
        Self(std::marker::PhantomData)
    }
}
