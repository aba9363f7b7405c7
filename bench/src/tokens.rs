//! What live tokens cost: time per operation, memory, disk, and the time to start again.
//!
//! Issue and revoke are measured as a cycle, get one and revoke it, so that the number of live tokens is the same at
//! the end as at the start. In every state the client with ten tokens is measured too, in turn with the client whose
//! tokens are many: one ratio shows what that client's own tokens cost, the other what all tokens cost.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::compare::fill;
use crate::load::{self, Plan, Run};
use crate::machine::{Pids, disk_usage, resident};
use crate::quorate::{Api, Cluster, Job, NODES, OAuthClient, READY_LIMIT, Token};
use crate::report::{Label, Measured, Medians, Ratio, Report, goal, median, short};
use crate::settings::{Route, Settings};

const ALL: [usize; NODES] = [0, 1, 2];
/// Live tokens of the client that the others are compared with.
const FEW: u64 = 10;
/// Connections of the loads measured here.
const CLIENTS: usize = 64;
/// Tokens of a client that introspection asks for, at most.
const SAMPLE: u64 = 50_000;

/// Clients that are loaded together, and tokens of theirs.
struct Subject {
    clients: Arc<[OAuthClient]>,
    pool: Arc<[Token]>,
}

/// The numbers of one subject in one state of the store.
#[derive(Default)]
struct Cost {
    introspect: Vec<Measured>,
    issue: Vec<Measured>,
    revoke: Vec<Measured>,
}

#[derive(Serialize)]
struct Memory<'a> {
    state: &'a str,
    live_tokens: u64,
    resident_bytes: Vec<u64>,
    disk_bytes: Vec<u64>,
}

#[derive(Serialize)]
struct Restart {
    what: &'static str,
    run: usize,
    live_tokens: u64,
    secs_to_ready: f64,
    tokens_checked: usize,
    /// Live tokens that a node did not call active.
    tokens_wrong: u64,
}

pub async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(binary) = &settings.quorate else {
        eprintln!("tokens: nothing to do without quorate");
        return Ok(());
    };
    let mut cluster = Cluster::start(binary, &settings.work).await?;
    let one = async |cluster: &Cluster, name: &str| -> Result<Arc<[OAuthClient]>> {
        Ok(Arc::from([cluster.register(name).await?]))
    };

    let few_client = one(&cluster, "bench-few").await?;
    let idle = remember(&cluster, "idle", 0, report).await?;
    let few = Subject { pool: fill(&cluster, &few_client, FEW, 1, settings.threads).await?, clients: few_client };

    let mut rows = Vec::new();
    let first = cost(&cluster, &few, &format!("{FEW} of one client"), settings, report, 0..settings.runs).await?;
    rows.push(flat_row(&format!("{FEW} of one client"), FEW, &first, None, &first));

    let mut total = FEW;
    let mut largest = None;
    for tokens in [settings.tokens / 100, settings.tokens] {
        let clients = one(&cluster, &format!("bench-{tokens}")).await?;
        let pool = fill(&cluster, &clients, tokens, (tokens / SAMPLE).max(1), settings.threads).await?;
        total += tokens;
        let subject = Subject { clients, pool };
        if tokens == settings.tokens {
            let full = remember(&cluster, "loaded", total, report).await?;
            memory_table(&idle, &full, report)?;
        }
        rows.extend(
            stage(&cluster, &format!("{tokens} of one client"), total, &subject, &few, &first, settings, report)
                .await?,
        );
        largest = Some(subject);
    }
    let largest = largest.context("no state was measured")?;
    restarts(&mut cluster, total, &largest, settings, report).await?;

    let many = many_clients(&cluster, settings).await?;
    let pool = fill(&cluster, &many, settings.tokens, (settings.tokens / SAMPLE).max(1), settings.threads).await?;
    // One token of each client was needed to have its secret checked.
    total += settings.tokens + many.len() as u64;
    let subject = Subject { clients: many, pool };
    let name = format!("{} of {} clients", settings.tokens, settings.many_clients);
    rows.extend(stage(&cluster, &name, total, &subject, &few, &first, settings, report).await?);

    let columns = "live tokens | in all | introspect/s | p50 ms | CPU µs | issue + revoke pairs/s | issue p50 ms | revoke p50 ms | CPU µs | errors \
                   | × the client with 10, beside it: introspect; pairs | × the first row: introspect; pairs | goal";
    report.table("Cost against live tokens (64 connections, all nodes)", columns, &rows)
}

/// Registers the many clients and has each of them get one token where it is at home.
async fn many_clients(cluster: &Cluster, settings: &Settings) -> Result<Arc<[OAuthClient]>> {
    let count = settings.many_clients;
    let clients: Arc<[OAuthClient]> =
        (0..count).map(|number| OAuthClient::new(&format!("bench-of-many-{number}"))).collect();
    eprintln!("registering {count} clients");
    let plan = Plan {
        clients: 12,
        threads: 1,
        warmup: Duration::ZERO,
        measure: Duration::from_secs(3600),
        pids: Pids::default(),
    };
    let registered =
        load::run(cluster.load(&ALL, &clients, Job::Register(Arc::new(AtomicUsize::new(0)))), &plan).await?;
    ensure!(
        registered.requests() == count,
        "only {} of {count} clients were registered: {:?}",
        registered.requests(),
        registered.first_error
    );
    for target in ALL {
        // One connection per node goes through all clients that are at home there.
        let at_home = (0..count)
            .filter(|client| client % NODES == target)
            .filter_map(|client| clients.get(client).cloned())
            .collect();
        let first_tokens = Job::issue_exactly(((count + NODES - 1 - target) / NODES) as u64, 0);
        let plan = Plan { clients: 1, ..plan.clone() };
        let warm = load::run(cluster.load(&[target], &at_home, first_tokens), &plan).await?;
        ensure!(
            warm.requests() == at_home.len(),
            "only {} of {} clients got a token: {:?}",
            warm.requests(),
            at_home.len(),
            warm.first_error
        );
    }
    Ok(clients)
}

/// Measures a subject in turn with the client that has few tokens. Two rows of the table.
#[expect(clippy::too_many_arguments, reason = "all of them differ from call to call or are the run's own")]
async fn stage(
    cluster: &Cluster,
    name: &str,
    total: u64,
    subject: &Subject,
    few: &Subject,
    first: &Cost,
    settings: &Settings,
    report: &mut Report,
) -> Result<[String; 2]> {
    let few_name = format!("{FEW} of one client, beside {name}");
    let (mut of_few, mut of_subject) = (Cost::default(), Cost::default());
    for run in 0..settings.runs {
        // Who goes first changes.
        let few_first = run % 2 == 0;
        if few_first {
            of_few.append(cost(cluster, few, &few_name, settings, report, run..run + 1).await?);
        }
        of_subject.append(cost(cluster, subject, name, settings, report, run..run + 1).await?);
        if !few_first {
            of_few.append(cost(cluster, few, &few_name, settings, report, run..run + 1).await?);
        }
    }
    Ok([flat_row(name, total, &of_subject, Some(&of_few), first), flat_row(&few_name, total, &of_few, None, first)])
}

/// What the operations of a subject cost now.
async fn cost(
    cluster: &Cluster,
    subject: &Subject,
    state: &str,
    settings: &Settings,
    report: &mut Report,
    runs: std::ops::Range<usize>,
) -> Result<Cost> {
    let mut cost = Cost::default();
    for run in runs {
        let label = Label {
            suite: "tokens",
            system: "quorate",
            route: Route::Spread.name(),
            clients: CLIENTS,
            run,
            state: state.to_owned(),
        };
        let pids = Pids { servers: cluster.pids(), idle: Vec::new() };
        let plan = Plan {
            clients: CLIENTS,
            threads: settings.threads,
            warmup: settings.warmup,
            measure: settings.measure,
            pids,
        };
        let of = |name: &str, op: usize, run: &Run<Vec<Token>>| Measured::of(&label, name, op, run);

        let asked =
            load::run(cluster.load(&ALL, &subject.clients, Job::Introspect(Arc::clone(&subject.pool))), &plan).await?;
        cost.introspect.push(of("introspect", Api::INTROSPECT, &asked));
        let cycled = load::run(cluster.load(&ALL, &subject.clients, Job::Cycle), &plan).await?;
        cost.issue.push(of("issue", Api::ISSUE, &cycled));
        cost.revoke.push(of("revoke", Api::REVOKE, &cycled));
        for measured in [&cost.introspect, &cost.issue, &cost.revoke].into_iter().filter_map(|runs| runs.last()) {
            report.measured(measured)?;
        }
        // The cycles that were cut off left a token each.
        let left: Arc<[Token]> = cycled.harvest.into_iter().flatten().collect();
        let plan = Plan { clients: NODES, warmup: Duration::ZERO, measure: Duration::from_secs(60), ..plan };
        let revoked = load::run(cluster.load(&ALL, &subject.clients, Job::revoke(Arc::clone(&left))), &plan).await?;
        ensure!(
            revoked.requests() == left.len(),
            "{} tokens were left live: {:?}",
            left.len() - revoked.requests(),
            revoked.first_error
        );
    }
    Ok(cost)
}

impl Cost {
    fn append(&mut self, mut more: Self) {
        self.introspect.append(&mut more.introspect);
        self.issue.append(&mut more.issue);
        self.revoke.append(&mut more.revoke);
    }

    /// Rates of introspection and of pairs, as multiples of the other's, run by run.
    fn times(&self, other: &Self) -> Option<(Ratio, Ratio)> {
        let rate = |ours: &[Measured], other: &[Measured]| {
            Ratio::of(ours.iter().zip(other).map(|(ours, other)| (ours.rps, other.rps)))
        };
        Some((rate(&self.introspect, &other.introspect)?, rate(&self.revoke, &other.revoke)?))
    }
}

fn flat_row(name: &str, total: u64, cost: &Cost, beside: Option<&Cost>, first: &Cost) -> String {
    let (introspect, issue, revoke) =
        (Medians::of(&cost.introspect), Medians::of(&cost.issue), Medians::of(&cost.revoke));
    let mark = |medians: &Medians| if medians.disturbed { " †" } else { "" };
    let ratios = [beside.and_then(|beside| cost.times(beside)), cost.times(first)];
    let [beside, first] =
        ratios.map(|ratio| ratio.map_or_else(String::new, |(introspect, pairs)| format!("{introspect}; {pairs}")));
    // Faster is not a miss.
    let flat = ratios.iter().flatten().all(|(introspect, pairs)| introspect.median >= 0.8 && pairs.median >= 0.8);
    format!(
        "{name} | {total} | {:.0}{} | {} | {:.0} | {:.0}{} | {} | {} | {:.0} | {} | {beside} | {first} | {}",
        introspect.rps,
        mark(&introspect),
        short(introspect.p50_ms),
        introspect.server_cpu_us,
        revoke.rps,
        mark(&revoke),
        short(issue.p50_ms),
        short(revoke.p50_ms),
        revoke.server_cpu_us,
        introspect.errors + revoke.errors,
        goal("≥ 0.8", flat)
    )
}

/// Memory and disk of each node, once the memory has settled.
async fn remember<'a>(cluster: &Cluster, state: &'a str, live_tokens: u64, report: &mut Report) -> Result<Memory<'a>> {
    let now = || -> Vec<u64> { cluster.pids().into_iter().filter_map(resident).collect() };
    let mut before = now();
    // Settled: within 1 % of what it was a second ago, on every node; or as settled as it gets in half a minute.
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = now();
        let settled = before.iter().zip(&after).all(|(before, after)| before.abs_diff(*after) * 100 <= *before);
        before = after;
        if settled {
            break;
        }
    }
    let memory =
        Memory { state, live_tokens, resident_bytes: before, disk_bytes: cluster.data().map(disk_usage).collect() };
    ensure!(memory.resident_bytes.len() == NODES, "a node is gone");
    report.record("memory", &memory)?;
    Ok(memory)
}

fn memory_table(idle: &Memory<'_>, full: &Memory<'_>, report: &mut Report) -> Result<()> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let live = full.live_tokens - idle.live_tokens;
    let each = |idle: u64, full: u64| full.saturating_sub(idle) as f64 / live.max(1) as f64;
    let mut rows = Vec::new();
    let memories = idle.resident_bytes.iter().zip(&full.resident_bytes);
    let disks = idle.disk_bytes.iter().zip(&full.disk_bytes);
    for (node, ((idle, full), (empty, used))) in memories.zip(disks).enumerate() {
        let (per_token, idle_mib) = (each(*idle, *full), mib(*idle));
        rows.push(format!(
            "{} | {idle_mib:.1} | {:.1} | {per_token:.0} | {:.1} | {:.0} | {}; {}",
            node + 1,
            mib(*full),
            mib(*used),
            each(*empty, *used),
            goal("≤ 400 B", per_token <= 400.0),
            goal("≤ 60 MiB idle", idle_mib <= 60.0)
        ));
    }
    let columns = "node | idle MiB | loaded MiB | bytes per token | disk MiB | disk bytes per token | goal";
    report.table(&format!("Memory with {live} live tokens (resident set)"), columns, &rows)
}

/// Restarts one node politely, then all of them after a SIGKILL, and asks for tokens each time.
async fn restarts(
    cluster: &mut Cluster,
    live_tokens: u64,
    subject: &Subject,
    settings: &Settings,
    report: &mut Report,
) -> Result<()> {
    let mut done = Vec::new();
    for run in 0..settings.runs {
        let follower = (cluster.leader().await? + 1) % NODES;
        cluster.stop(follower).await?;
        let taken = cluster.restart(&[follower], READY_LIMIT).await?;
        done.push(Restart::new("one node (SIGTERM)", run, live_tokens, taken, cluster, subject, report).await?);

        cluster.kill(&ALL)?;
        cluster.reap(&ALL)?;
        let taken = cluster.restart(&ALL, READY_LIMIT).await?;
        done.push(Restart::new("all nodes (SIGKILL)", run, live_tokens, taken, cluster, subject, report).await?);
    }
    remember(cluster, "restarted", live_tokens, report).await?;
    let row = |what: &str| {
        let own = || done.iter().filter(|restart| restart.what == what);
        let each: Vec<String> = own().map(|restart| short(restart.secs_to_ready)).collect();
        let middle = median(own().map(|restart| restart.secs_to_ready));
        let (checked, wrong) = own()
            .fold((0, 0), |(checked, wrong), restart| (checked + restart.tokens_checked, wrong + restart.tokens_wrong));
        let reached = goal("≤ 5 s, none lost", middle <= 5.0 && wrong == 0);
        format!("{what} | {} | {} | {wrong} of {checked} | {reached}", each.join(", "), short(middle))
    };
    let rows = [row("one node (SIGTERM)"), row("all nodes (SIGKILL)")];
    let columns = "restarted | s to ready, each | median | tokens not active | goal";
    report.table(&format!("Restart with {live_tokens} live tokens"), columns, &rows)
}

impl Restart {
    async fn new(
        what: &'static str,
        run: usize,
        live_tokens: u64,
        taken: Duration,
        cluster: &Cluster,
        subject: &Subject,
        report: &mut Report,
    ) -> Result<Self> {
        let plan = Plan {
            clients: 2 * NODES,
            threads: 1,
            warmup: Duration::ZERO,
            measure: Duration::from_secs(1),
            pids: Pids::default(),
        };
        let asked =
            load::run(cluster.load(&ALL, &subject.clients, Job::Introspect(Arc::clone(&subject.pool))), &plan).await?;
        if let Some(error) = &asked.first_error {
            eprintln!("         after the restart of {what}: {} errors, the first: {error}", asked.errors);
        }
        let tokens_checked = asked.requests() + asked.errors as usize;
        let restart = Self {
            what,
            run,
            live_tokens,
            secs_to_ready: taken.as_secs_f64(),
            tokens_checked,
            tokens_wrong: asked.errors,
        };
        eprintln!("quorate  {what} ready after {:.2} s", restart.secs_to_ready);
        report.record("restart", &restart)?;
        Ok(restart)
    }
}
