//! What the store costs: a durable append, applying an entry beside few and many live tokens, freezing, a snapshot on its
//! way to disk and back. Over sled, on the disk of the temporary directory.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::stream;
use openraft::{
    entry::RaftEntry,
    storage::{IOFlushed, RaftLogStorage, RaftSnapshotBuilder, RaftStateMachine},
    testing::log_id,
    type_config::TypeConfigExt,
};
use quorate_raft::{
    Batch, Command, Draft, GrantId, ProposalId, RealmPath, Seq, Span, Stamp, TokenHash,
    grant_sets::{IssueAccess, NewAccess, Template},
    state::PlainOwners,
    store::{Entry, LogStore, Opened, TypeConfig, Vote, open},
};
use std::{cell::RefCell, hint::black_box, path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// An opaque access token of one client, as the token endpoint writes it; about 330 bytes.
fn issue(n: u64, template: &Arc<Template>, ttl: Span) -> Draft {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    hash[8..16].copy_from_slice(&n.to_be_bytes());
    let access = NewAccess { hash: TokenHash(hash), template: template.clone(), auth_time: 1, audit_counter: n, ttl };
    let grant = GrantId(std::array::from_fn(|i| hash[i]));
    let command = Command::IssueAccess(IssueAccess { hint: hash[0], grant, access });
    Draft { id: ProposalId(n.into()), deadline: Stamp(n + 1), command }
}

fn template() -> Arc<Template> {
    Arc::new(Template {
        realm: RealmPath::from("/alpha"),
        client: "consumer-api".into(),
        client_fence: Seq(1),
        owner: "consumer-api".into(),
        owner_fence: None,
        scope: vec!["read".into(), "write".into()],
        grant_type: "client_credentials".into(),
        issuer: "https://id.example.com/am/oauth2/realms/root/realms/alpha".into(),
        audit_process: 7,
        extra: r#"{"aud":"provider-api","policyResult":true}"#.into(),
    })
}

/// Entries of one draft each, a millisecond apart, whose tokens live for `live` entries.
struct Log {
    next: u64,
    template: Arc<Template>,
    live: u64,
}

impl Log {
    fn of(live: u64) -> Self {
        Self { next: 0, template: template(), live }
    }

    fn entry(&mut self) -> Entry {
        let index = self.next;
        self.next += 1;
        let drafts = vec![issue(index, &self.template, Span(self.live))];
        Entry::new_normal(log_id::<TypeConfig>(1, 1, index), Batch { at: Stamp(index), drafts })
    }
}

async fn start(dir: &Path) -> Opened<PlainOwners> {
    let mut opened = open(dir, Arc::default()).await.expect("opens");
    opened.log.save_vote(&Vote::new_committed(1, 1)).await.expect("saved");
    opened
}

async fn append(log: &mut LogStore, entries: Vec<Entry>) {
    let (done, flushed) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(done)).await.expect("appends");
    flushed.await.expect("answered").expect("durable");
}

async fn apply(opened: &mut Opened<PlainOwners>, entries: Vec<Entry>) {
    let entries = stream::iter(entries.into_iter().map(|entry| Ok((entry, None))));
    opened.machine.apply(entries).await.expect("applies");
}

/// One append, one barrier: group commit makes batches of what arrives meanwhile.
fn durable_append(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("durable_append");
    for batch in [1, 16, 256] {
        let (dir, mut log) = (TempDir::new().expect("a directory"), Log::of(1000));
        let mut opened = runtime.block_on(start(dir.path()));
        group.throughput(Throughput::Elements(batch));
        group.bench_function(format!("batch_{batch}"), |b| {
            b.iter_batched(
                || (0..batch).map(|_| log.entry()).collect(),
                |entries| runtime.block_on(append(&mut opened.log, entries)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The cost of an issue must not depend on how many tokens the client already holds (G8).
fn apply_issue(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("apply_issue");
    group.throughput(Throughput::Elements(64));
    for live in [10, 100_000] {
        let (dir, mut log) = (TempDir::new().expect("a directory"), Log::of(live));
        let mut opened = runtime.block_on(start(dir.path()));
        let fill = (0..live).map(|_| log.entry()).collect();
        runtime.block_on(apply(&mut opened, fill));
        group.bench_function(format!("beside_{live}"), |b| {
            b.iter_batched(
                || (0..64).map(|_| log.entry()).collect(),
                |entries| runtime.block_on(apply(&mut opened, entries)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// What a snapshot costs whoever writes meanwhile (freeze), and the disk (write, restart).
fn snapshot(c: &mut Criterion) {
    const LIVE: u64 = 100_000;
    let runtime = Runtime::new().expect("a runtime");
    let (dir, mut log) = (TempDir::new().expect("a directory"), Log::of(LIVE));
    let mut opened = runtime.block_on(start(dir.path()));
    let fill = (0..LIVE).map(|_| log.entry()).collect();
    runtime.block_on(apply(&mut opened, fill));
    let mut group = c.benchmark_group("snapshot");
    group.sample_size(10);
    group.bench_function("freeze_100000", |b| {
        b.iter(|| black_box(runtime.block_on(opened.machine.get_snapshot_builder())));
    });
    group.throughput(Throughput::Elements(LIVE));
    group.bench_function("write_100000", |b| {
        b.iter(|| {
            let mut builder = runtime.block_on(opened.machine.get_snapshot_builder());
            runtime.block_on(builder.build_snapshot()).expect("written")
        });
    });
    let left = RefCell::new(Some(opened));
    group.bench_function("restart_100000", |b| {
        b.iter_batched(
            || {
                if let Some(Opened { released, log, machine, snapshots, .. }) = left.take() {
                    drop((log, machine, snapshots));
                    runtime.block_on(released.wait());
                }
            },
            |()| *left.borrow_mut() = Some(runtime.block_on(start(dir.path()))),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, durable_append, apply_issue, snapshot);
criterion_main!(benches);
