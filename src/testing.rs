//! A cluster of one, in memory, for tests of what stands above consensus: the same actors and views, a log that is a lock.

use crate::{
    actors::Actors,
    attempts::Guard,
    audit::Audit,
    base_url::Settings,
    bootstrap,
    config::LogFormat,
    consensus::{Consensus, Unavailable},
    decisions::{self, Rules},
    desk::{Desk, Front, Parts},
    host,
    keys::KeyRing,
    passwords::{Encoded, Passwords},
    views::Views,
};
use actix::Arbiter;
use futures_util::{FutureExt, future::BoxFuture};
use quorate_raft::{Batch, Command, Draft, Outcome, Owners, ProposalId, Stamp, owners::Clock, time::Reckoning};
use std::sync::{Arc, atomic::AtomicBool, atomic::AtomicU64, atomic::Ordering};
use tokio::sync::Mutex;

/// The administrator's password in tests.
pub(crate) const PASSWORD: &str = "changeit-please";

/// The log of one.
pub(crate) struct Alone {
    pub(crate) actors: Arc<Actors>,
    log: Mutex<(u64, Clock)>,
    /// Added to the clock, so that tests can let time pass. Milliseconds.
    pub(crate) later: AtomicU64,
    /// While set, nothing is decided: as without quorum.
    pub(crate) cut_off: AtomicBool,
}

impl Consensus for Alone {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Outcome, Unavailable>> {
        async move {
            if self.cut_off.load(Ordering::Relaxed) {
                return Err(Unavailable::NoQuorum);
            }
            let mut log = self.log.lock().await;
            log.0 += 1;
            let at = Stamp(host::now().0 + self.later.load(Ordering::Relaxed));
            let (index, clock) = &mut *log;
            let deadline = Reckoning::default().deadline(at, clock.now());
            let batch = Batch { at, drafts: vec![Draft { id: ProposalId(host::random_id()), deadline, command }] };
            let committed = clock.commit(*index, batch).collect();
            self.actors.apply(committed).await.pop().ok_or(Unavailable::Unknown)
        }
        .boxed()
    }

    fn barrier(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        let cut_off = self.cut_off.load(Ordering::Relaxed);
        async move { if cut_off { Err(Unavailable::NoQuorum) } else { Ok(()) } }.boxed()
    }
}

/// How the deployment looks in tests.
pub(crate) fn front() -> Front {
    Front {
        context_path: "/am".into(),
        cookie_name: "iPlanetDirectoryPro".into(),
        cookie_secure: false,
        cookie_same_site: None,
        valid_hosts: Vec::new(),
        trust_transaction_ids: false,
        base_url_from_request: false,
    }
}

/// A desk on a cluster of one that has been set up, and the log behind it.
pub(crate) async fn desk() -> (Desk, Arc<Alone>) {
    desk_with(Audit::start(Default::default(), LogFormat::Text).expect("a thread"), &Default::default()).await
}

/// As [`desk`], with another record of decisions, and other rules for them.
pub(crate) async fn desk_with(audit: Audit, decisions: &decisions::Settings) -> (Desk, Arc<Alone>) {
    desk_of(audit, decisions, Guard::default(), front()).await
}

/// As [`desk`], with other limits of failed attempts.
pub(crate) async fn desk_guarded(guard: Guard) -> (Desk, Arc<Alone>) {
    desk_guarded_front(guard, front()).await
}

/// As [`desk_guarded`], with another look, too.
pub(crate) async fn desk_guarded_front(guard: Guard, front: Front) -> (Desk, Arc<Alone>) {
    let audit = Audit::start(Default::default(), LogFormat::Text).expect("a thread");
    desk_of(audit, &Default::default(), guard, front).await
}

/// As [`desk_with`], with another look.
pub(crate) async fn desk_that(audit: Audit, decisions: &decisions::Settings, front: Front) -> (Desk, Arc<Alone>) {
    desk_of(audit, decisions, Guard::default(), front).await
}

async fn desk_of(audit: Audit, decisions: &decisions::Settings, guard: Guard, front: Front) -> (Desk, Arc<Alone>) {
    let views = Arc::new(Views::default());
    let actors = Arc::new(Actors::start(&[Arbiter::current()], views.clone()).expect("one arbiter"));
    let alone = Arc::new(Alone {
        actors: actors.clone(),
        log: Mutex::default(),
        later: AtomicU64::new(0),
        cut_off: AtomicBool::new(false),
    });
    let desk = Desk::new(Parts {
        consensus: alone.clone(),
        actors,
        views,
        passwords: Passwords::start(1, Encoded::Plain).expect("threads"),
        keys: KeyRing::new(&[7; 32]).expect("a key"),
        audit,
        rules: Rules::new(decisions),
        guard,
        front,
        audit_process: host::random_id(),
        audit_counter: AtomicU64::new(0),
    });
    let settings = Settings { base_url: "https://am.example.com:8443".into(), context_path: "/am".into() };
    bootstrap::run(&desk, &settings, PASSWORD).await.expect("sets up");
    (desk, alone)
}
