//! The closed loop: so many clients, each with one request under way at any time, for so many seconds.
//!
//! Clients are tasks on one or two threads with a single-threaded runtime each; nothing is shared between threads while
//! a load runs. Every latency is kept, 4 bytes each, so percentiles are exact.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::http::Failure;
use crate::machine::{CpuClock, CpuUse, Pids, micros};

/// How long a client may still wait for an answer when the time is over.
const GRACE: Duration = Duration::from_secs(10);
/// Between a failed request and the next one of the same client, so that a refusing server is not drowned.
const PAUSE: Duration = Duration::from_millis(5);

/// A client that only failed for so long gives up: what it waits for will not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one step of a client came to.
pub enum Step {
    /// One request was answered as it should be. The number says which of [`Load::OPS`].
    Done(usize),
    /// There is nothing left to ask for. The client is finished.
    Exhausted,
}

/// One client: a connection and what it asks for.
pub trait Worker: 'static {
    /// What the client brings home at the end, tokens for instance.
    type Harvest: Send + 'static;

    /// Makes one request and waits for its answer.
    async fn step(&mut self) -> Result<Step, Failure>;

    fn harvest(self) -> Self::Harvest;
}

/// A kind of load: makes the clients.
pub trait Load: Send + Sync + 'static {
    type Worker: Worker;
    /// Names of the operations whose latencies are told apart.
    const OPS: &'static [&'static str];

    /// Makes the clients with these numbers, connected. Called once on each thread, with that thread's share.
    async fn workers(&self, clients: &[usize]) -> Result<Vec<Self::Worker>>;
}

/// How much load, and for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    pub clients: usize,
    pub threads: usize,
    /// Runs before the window that counts.
    pub warmup: Duration,
    /// The window that counts. A load that is exhausted ends it early.
    pub measure: Duration,
    pub pids: Pids,
}

/// What came of a load.
pub struct Run<H> {
    /// The window that counted, in seconds.
    pub secs: f64,
    /// Latencies in µs, sorted, for each of [`Load::OPS`].
    pub samples: Vec<Vec<u32>>,
    /// Requests that failed, warm-up included.
    pub errors: u64,
    pub first_error: Option<String>,
    /// Whether the load was exhausted before the time was over.
    pub exhausted: bool,
    pub cpu: CpuUse,
    pub harvest: Vec<H>,
}

impl<H> Run<H> {
    pub fn requests(&self) -> usize {
        self.samples.iter().map(Vec::len).sum()
    }
}

/// What the clients of one thread count.
struct Tally {
    samples: Vec<Vec<u32>>,
    last_done: Option<Instant>,
    errors: u64,
    first_error: Option<String>,
    exhausted: bool,
}

impl Tally {
    fn new(ops: usize) -> Self {
        Self {
            samples: vec![Vec::with_capacity(1 << 16); ops],
            last_done: None,
            errors: 0,
            first_error: None,
            exhausted: false,
        }
    }

    fn failed(&mut self, why: impl ToString) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| why.to_string());
    }
}

/// The part of a thread's time that counts.
#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    until: Instant,
}

/// Runs a load to its end.
///
/// # Errors
/// When a client cannot be made. Failed requests are no error here: they are counted.
pub async fn run<L: Load>(load: Arc<L>, plan: &Plan) -> Result<Run<<L::Worker as Worker>::Harvest>> {
    let threads = plan.threads.clamp(1, plan.clients.max(1));
    let barrier = Arc::new(Barrier::new(threads));
    let mut parts = Vec::with_capacity(threads);
    for thread in 0..threads {
        let (load, plan, barrier) = (Arc::clone(&load), plan.clone(), Arc::clone(&barrier));
        let (done, part) = oneshot::channel();
        let clients: Vec<usize> = (thread..plan.clients).step_by(threads).collect();
        let body = move || {
            // Nobody listens any more when the whole run was interrupted.
            let _ = done.send(on_thread(&*load, &plan, &clients, &barrier, thread == 0));
        };
        std::thread::Builder::new().name(format!("load-{thread}")).spawn(body)?;
        parts.push(part);
    }
    let mut run = Run {
        secs: plan.measure.as_secs_f64(),
        samples: vec![Vec::new(); L::OPS.len()],
        errors: 0,
        first_error: None,
        exhausted: false,
        cpu: CpuUse::default(),
        harvest: Vec::with_capacity(plan.clients),
    };
    let (mut from, mut last_done) = (None, None);
    for part in parts {
        let Part { tally, harvest, window, cpu } = part.await.context("a load thread panicked")??;
        for (all, own) in run.samples.iter_mut().zip(tally.samples) {
            all.extend(own);
        }
        run.errors += tally.errors;
        run.first_error = run.first_error.or(tally.first_error);
        run.exhausted |= tally.exhausted;
        run.harvest.extend(harvest);
        run.cpu = cpu.unwrap_or(run.cpu);
        from = from.min(Some(window.from)).or(Some(window.from));
        last_done = last_done.max(tally.last_done);
    }
    if let (true, Some(from), Some(last_done)) = (run.exhausted, from, last_done) {
        run.secs = last_done.saturating_duration_since(from).as_secs_f64().clamp(1e-6, run.secs);
    }
    run.samples.iter_mut().for_each(|samples| samples.sort_unstable());
    Ok(run)
}

/// What one thread hands back.
struct Part<H> {
    tally: Tally,
    harvest: Vec<H>,
    window: Window,
    cpu: Option<CpuUse>,
}

fn on_thread<L: Load>(
    load: &L,
    plan: &Plan,
    clients: &[usize],
    barrier: &Barrier,
    meters: bool,
) -> Result<Part<<L::Worker as Worker>::Harvest>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let workers = load.workers(clients).await;
        barrier.wait(); // also when there are no workers, or the other threads would wait for ever
        let workers = workers?;
        let from = Instant::now() + plan.warmup;
        let window = Window { from, until: from + plan.measure };
        let tally = Rc::new(RefCell::new(Tally::new(L::OPS.len())));
        let meter = meters.then(|| {
            let pids = plan.pids.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep_until(window.from.into()).await;
                CpuClock::read(&pids)
            })
        });
        let clients: Vec<_> = workers
            .into_iter()
            .map(|worker| tokio::task::spawn_local(client(worker, window, Rc::clone(&tally))))
            .collect();
        let mut harvest = Vec::with_capacity(clients.len());
        for client in clients {
            harvest.push(client.await.context("a client panicked")?);
        }
        let cpu = match meter {
            Some(meter) => {
                Some(meter.await.context("the meter panicked")?).map(|start| CpuClock::read(&plan.pids).since(&start))
            }
            None => None,
        };
        Ok(Part { tally: tally.replace(Tally::new(0)), harvest, window, cpu })
    })
}

/// One client's life. A request counts if its answer arrives within the window.
async fn client<W: Worker>(mut worker: W, window: Window, tally: Rc<RefCell<Tally>>) -> W::Harvest {
    let life = async {
        let mut started = Instant::now();
        let mut last_done = started;
        while started < window.until && started - last_done < PATIENCE {
            match worker.step().await {
                Ok(Step::Done(op)) => {
                    let ended = Instant::now();
                    if (window.from..=window.until).contains(&ended) {
                        let mut tally = tally.borrow_mut();
                        tally.last_done = Some(ended);
                        if let Some(samples) = tally.samples.get_mut(op) {
                            samples.push(micros(ended - started));
                        }
                    }
                    (started, last_done) = (ended, ended);
                }
                Ok(Step::Exhausted) => {
                    tally.borrow_mut().exhausted = true;
                    return;
                }
                Err(failure) => {
                    tally.borrow_mut().failed(failure);
                    tokio::time::sleep(PAUSE).await;
                    started = Instant::now();
                }
            }
        }
    };
    if tokio::time::timeout_at((window.until + GRACE).into(), life).await.is_err() {
        tally.borrow_mut().failed(format!("no answer within {} s of the end", GRACE.as_secs()));
    }
    worker.harvest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Takes `pace` per request, fails every `fails`-th, ends after `budget` requests of all clients.
    struct Fake {
        pace: Duration,
        fails: u64,
        budget: AtomicU64,
    }
    struct FakeWorker {
        load: Arc<Fake>,
        steps: u64,
    }
    struct FakeLoad(Arc<Fake>);

    impl Load for FakeLoad {
        type Worker = FakeWorker;
        const OPS: &'static [&'static str] = &["even", "odd"];
        async fn workers(&self, clients: &[usize]) -> Result<Vec<FakeWorker>> {
            Ok(clients.iter().map(|_| FakeWorker { load: Arc::clone(&self.0), steps: 0 }).collect())
        }
    }

    impl Worker for FakeWorker {
        type Harvest = u64;
        async fn step(&mut self) -> Result<Step, Failure> {
            let left = self.load.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            let Ok(_) = left else {
                return Ok(Step::Exhausted);
            };
            self.steps += 1;
            tokio::time::sleep(self.load.pace).await;
            if self.steps.is_multiple_of(self.load.fails) {
                return Err(Failure::Malformed("as planned"));
            }
            Ok(Step::Done(usize::from(self.steps % 2 == 1)))
        }
        fn harvest(self) -> u64 {
            self.steps
        }
    }

    fn plan(clients: usize, threads: usize, warmup_ms: u64, measure_ms: u64) -> Plan {
        let ms = Duration::from_millis;
        Plan { clients, threads, warmup: ms(warmup_ms), measure: ms(measure_ms), pids: Pids::default() }
    }

    fn fake(pace_ms: u64, fails: u64, budget: u64) -> Arc<FakeLoad> {
        Arc::new(FakeLoad(Arc::new(Fake {
            pace: Duration::from_millis(pace_ms),
            fails,
            budget: AtomicU64::new(budget),
        })))
    }

    #[tokio::test]
    async fn a_closed_loop_is_as_fast_as_its_server_allows_and_warm_up_does_not_count() {
        let run = run(fake(10, u64::MAX, u64::MAX), &plan(4, 2, 200, 300)).await.unwrap();
        // 4 clients × 300 ms ÷ 10 ms = 120 at most; timers may be late, never early.
        assert!((40..=124).contains(&run.requests()), "{}", run.requests());
        assert!(run.harvest.iter().sum::<u64>() > run.requests() as u64, "warm-up requests were made too");
        assert!(run.samples.iter().flatten().all(|sample| *sample >= 10_000));
        assert!(run.samples[0].is_sorted() && !run.samples[0].is_empty() && !run.samples[1].is_empty());
        assert_eq!((run.harvest.len(), run.errors, run.exhausted, run.secs), (4, 0, false, 0.3));
    }

    #[tokio::test]
    async fn a_budget_is_spent_exactly_and_ends_the_run() {
        let started = Instant::now();
        let run = run(fake(1, u64::MAX, 100), &plan(8, 2, 0, 60_000)).await.unwrap();
        assert_eq!((run.requests(), run.harvest.iter().sum::<u64>(), run.exhausted), (100, 100, true));
        assert!(run.secs > 0.01 && run.secs < started.elapsed().as_secs_f64());
    }

    #[tokio::test]
    async fn failures_are_counted_and_explained_and_are_no_samples() {
        let run = run(fake(1, 5, 100), &plan(1, 1, 0, 60_000)).await.unwrap();
        assert_eq!((run.errors, run.requests()), (20, 80));
        assert_eq!(run.first_error.as_deref(), Some("not understood: as planned"));
    }
}
