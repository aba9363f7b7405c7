//! The replicated core under faults, on one thread, in simulated time: three real openraft nodes with the real log store and
//! state machine, over disks that lose power and a network that loses messages. See `oracle` for what must never be seen.
//!
//! ```text
//! cargo test -p quorate-raft --test simulation              # new seeds each time, and old failures
//! SIM_SEED=17 cargo test -p quorate-raft --test simulation  # one seed
//! SIM_SEEDS=5000 SIM_SECONDS=60 cargo test …                # more, and longer, simulated
//! ```
//! A seed decides every die that we and openraft roll. Which of several waiting tasks runs first is tokio's choice: with
//! `RUSTFLAGS="--cfg tokio_unstable"` that follows the seed as well, and one seed is one history.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod dice;
mod network;
mod node;
mod oracle;
mod world;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Seeds that have failed once.
const OLD_FAILURES: [u64; 0] = [];

/// How many new seeds a run tries, unless told: so many at most, and none more when this time is up.
const SEEDS: u64 = 200;
const BUDGET: Duration = Duration::from_secs(45);
const MINIMUM: usize = 12;
/// How long trouble lasts for each, simulated, unless told.
const SECONDS: u64 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Names the seed when a run panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("panic under seed {}", self.0);
        }
    }
}

/// G1–G4, G6, G9 under everything that the oracle knows.
#[test]
fn nothing_that_was_said_becomes_untrue() {
    let seeds: Vec<u64> = match number("SIM_SEED") {
        Some(seed) => vec![seed],
        None => {
            let base = RandomState::new().hash_one("base") >> 20;
            OLD_FAILURES.into_iter().chain(base..base + number("SIM_SEEDS").unwrap_or(SEEDS)).collect()
        }
    };
    #[expect(clippy::disallowed_methods, reason = "what is measured here is how long the test takes")]
    let start = std::time::Instant::now();
    let limited = number("SIM_SEEDS").is_none();
    let chaos = Duration::from_secs(number("SIM_SECONDS").unwrap_or(SECONDS));
    let (next, tried, histories) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    let counts = Mutex::new(BTreeMap::<&str, u64>::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&seed) = seeds.get(place) else { break };
                    if limited && place >= OLD_FAILURES.len() + MINIMUM && start.elapsed() > BUDGET {
                        break;
                    }
                    tried.fetch_add(1, Ordering::Relaxed);
                    let named = Named(seed);
                    let report = world::run(seed, chaos);
                    drop(named);
                    histories.fetch_xor(report.hash, Ordering::Relaxed);
                    for (what, count) in report.counts {
                        *counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += count;
                    }
                    if let Some(story) = report.violation {
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push((seed, story));
                        break;
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (tried, histories) = (tried.into_inner(), histories.into_inner());
    println!("{tried} seeds, {chaos:?} each, histories {histories:016x}: {counts:#?}");
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (seed, story) in &failures {
        println!("{story}\nseed {seed}, replay: SIM_SEED={seed} cargo test -p quorate-raft --test simulation\n");
    }
    assert!(
        failures.is_empty(),
        "violations under seeds {:?}",
        failures.iter().map(|(seed, _)| seed).collect::<Vec<_>>()
    );
    // A simulation in which nothing goes wrong proves nothing.
    if tried >= MINIMUM {
        for what in [
            "ambushes",
            "answers lost",
            "codes replayed",
            "transactions used",
            "transactions used before",
            "copies delivered",
            "crashes",
            "disks failed",
            "partitions",
            "proposals acknowledged",
            "proposals given up",
            "proposals untimely",
            "reads",
            "revocations",
            "snapshots received",
            "writes that met another",
        ] {
            assert!(counts.get(what).is_some_and(|&count| count > 0), "nothing of: {what}");
        }
    }
}

/// With tokio's dice loaded as well, one seed is one history.
#[cfg(tokio_unstable)]
#[test]
fn one_seed_is_one_history() {
    for seed in 1..6 {
        let run = || world::run(seed, Duration::from_secs(10)).hash;
        assert_eq!(run(), run(), "seed {seed}");
    }
}
