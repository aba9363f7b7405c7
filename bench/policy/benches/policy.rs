//! Decisions and updates of Quorate, Cedar and Regorus in one run: `cargo bench` in this directory.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use quorate_policy_bench::{CONSUMERS, Cedar, Quorate, Regorus, Scenario, WILDCARDS, resources, subject};

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const SAMPLES: usize = 20;

/// One request for so many resources, in sets of each size.
fn decisions(c: &mut Criterion, scenario: Scenario, count: usize) {
    let mut group = c.benchmark_group(format!("{}/{count} resources", scenario.name));
    for policies in SIZES {
        let (n, resources) = resources(scenario, policies, count);
        let (ours, cedar, mut rego) =
            (Quorate::new(scenario, policies), Cedar::new(scenario, policies), Regorus::new(scenario, policies));
        let subject = subject(n);
        let requests: Vec<_> = resources.iter().map(|resource| cedar.request(n, resource)).collect();
        let inputs: Vec<_> = resources.iter().map(|resource| Regorus::input(n, resource)).collect();
        let allowed = ours.ask(&subject, &resources);
        assert!(allowed > 0 && (allowed, allowed) == (cedar.ask(&requests), rego.ask(&inputs)), "they agree");
        group.bench_function(BenchmarkId::new("quorate", policies), |b| {
            b.iter(|| ours.ask(black_box(&subject), black_box(&resources)))
        });
        group.bench_function(BenchmarkId::new("cedar", policies), |b| b.iter(|| cedar.ask(black_box(&requests))));
        // Seconds for each iteration: fewer of them.
        group.sample_size(if policies * count > 100_000 { 10 } else { SAMPLES });
        group.bench_function(BenchmarkId::new("regorus", policies), |b| b.iter(|| rego.ask(black_box(&inputs))));
        group.sample_size(SAMPLES);
    }
    group.finish();
}

fn single(c: &mut Criterion) {
    for scenario in [CONSUMERS, WILDCARDS] {
        decisions(c, scenario, 1);
    }
}

fn several(c: &mut Criterion) {
    for (scenario, count) in [(CONSUMERS, 10), (CONSUMERS, 100), (WILDCARDS, 10), (WILDCARDS, 100)] {
        decisions(c, scenario, count);
    }
}

/// A policy changes in a set of ten thousand, and the next decision sees it. Readers keep what they have, so each
/// engine works on a copy. Regorus cannot replace a module: its update is a new engine, which is not measured.
fn update(c: &mut Criterion) {
    let policies = 10_000;
    let mut group = c.benchmark_group("update of 1 in 10000");
    for scenario in [CONSUMERS, WILDCARDS] {
        let (n, resources) = resources(scenario, policies, 1);
        let (ours, cedar) = (Quorate::new(scenario, policies), Cedar::new(scenario, policies));
        let (subject, requests) = (subject(n), [cedar.request(n, &resources[0])]);
        group.bench_function(BenchmarkId::new("quorate", scenario.name), |b| {
            b.iter_batched(
                || (ours.policy(n), ours.index.clone()),
                |(policy, published)| {
                    let mut index = published.clone();
                    index.upsert(policy);
                    (index, published)
                },
                BatchSize::SmallInput,
            )
        });
        assert_eq!(ours.ask(&subject, &resources), 1);
        group.bench_function(BenchmarkId::new("cedar", scenario.name), |b| {
            b.iter_batched(
                || Cedar::policy(scenario, n),
                |policy| {
                    let mut set = cedar.set.clone();
                    set.remove_static(policy.id().clone()).expect("it is there");
                    set.add(policy).expect("it is new");
                    set
                },
                BatchSize::SmallInput,
            )
        });
        assert_eq!(cedar.ask(&requests), 1);
    }
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(SAMPLES)
}

criterion_group! { name = benches; config = quick(); targets = single, several, update }
criterion_main!(benches);
