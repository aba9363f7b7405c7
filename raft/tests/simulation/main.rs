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
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Seeds that have failed once.
const OLD_FAILURES: [u64; 0] = [];

/// How many seeds a run tries, unless told.
const SEEDS: u64 = 100;
/// How long trouble lasts for each, simulated, unless told.
const SECONDS: u64 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// G1–G4, G6, G9 under everything that the oracle knows.
#[test]
fn nothing_that_was_said_becomes_untrue() {
    let seeds: Vec<u64> = match number("SIM_SEED") {
        Some(seed) => vec![seed],
        None => {
            let base = RandomState::new().hash_one("base") >> 20;
            let count = number("SIM_SEEDS").unwrap_or(SEEDS);
            OLD_FAILURES.into_iter().chain(base..base + count).collect()
        }
    };
    let chaos = Duration::from_secs(number("SIM_SECONDS").unwrap_or(SECONDS));
    let (next, histories) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    let counts = Mutex::new(BTreeMap::<&str, u64>::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let report = world::run(seed, chaos);
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
    println!("{} seeds, {chaos:?} each, histories {:016x}: {counts:#?}", seeds.len(), histories.into_inner());
    for (seed, story) in failures.into_inner().unwrap_or_else(PoisonError::into_inner) {
        panic!("seed {seed} (replay: SIM_SEED={seed} cargo test -p quorate-raft --test simulation)\n{story}");
    }
    // A simulation in which nothing goes wrong proves nothing.
    if seeds.len() >= 20 {
        for what in [
            "answers lost",
            "codes replayed",
            "copies delivered",
            "crashes",
            "disks failed",
            "partitions",
            "proposals acknowledged",
            "proposals given up",
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
