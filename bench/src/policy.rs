//! Policy decisions over HTTP beside an echo of the same JSON; ten policies beside many; how soon a change counts.
//!
//! Two policy sets lie on the same nodes, one with [`FEW`] policies, one with as many as [`Settings::policies`] says. Each
//! policy lets one consumer (a `JwtClaim` on `sub`) have one resource. All that is compared is loaded in turn, with requests
//! of the same length: decisions over the few, the echo, decisions over the many. A ratio is taken run by run.
//!
//! One question in four asks for what another consumer may have and has to be answered without an action, so a server
//! that always says yes fails as one does that always says no.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::echo::Echo;
use crate::exchange::{Exchange, Exchanges, Share, each_once};
use crate::http::{Conn, Failure, request};
use crate::load::{self, Plan};
use crate::machine::Pids;
use crate::quorate::{Cluster, NODES};
use crate::report::{Label, MEDIAN_COLUMNS, Measured, Medians, Ratio, Report, goal, median, short};
use crate::settings::Settings;

/// Policies of the small set.
const FEW: usize = 10;
/// A changed policy that does not count after so long never will.
const CHANGE_LIMIT: Duration = Duration::from_secs(5);
/// Versions of the resource and of the protocol, as deployed callers ask for them.
const VERSION: &str = "resource=2.1, protocol=1.0";
const REALM: &str = "/am/json/realms/root";
/// The resource type of all policies.
const RESOURCE_TYPE: &str = "bench";

/// Goal: a decision takes at most so many times what the echo takes.
const ECHO_GOAL: f64 = 1.5;
/// Goal: a decision over many policies takes at most so many times what one over few takes.
const FLAT_GOAL: f64 = 2.0;
/// Goal: from sending a change until an answer shows it, in ms.
const CHANGE_GOAL: f64 = 10.0;

/// How the nodes are started.
#[derive(Debug, Clone, Copy, Serialize)]
struct Variant {
    nodes: usize,
    /// `decisions.record`: which decisions are written to the log.
    recorded: &'static str,
}

const VARIANTS: [Variant; 3] = [
    Variant { nodes: 1, recorded: "all" },
    Variant { nodes: 1, recorded: "none" },
    Variant { nodes: NODES, recorded: "all" },
];

impl Variant {
    fn route(self) -> &'static str {
        if self.nodes == 1 { "alone" } else { "spread" }
    }

    fn cells(self) -> String {
        format!("{} | {}", self.nodes, self.recorded)
    }
}

/// What is loaded in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Few,
    Echo,
    Many,
}

/// The echo lies between the two, so that each is next to it. Every other run goes the other way round.
const TURNS: [Target; 3] = [Target::Few, Target::Echo, Target::Many];

/// A policy set, and how many policies it has. Policy `n` lets consumer `n` have resource `n`.
///
/// Names and numbers are of one length, so that all questions are.
#[derive(Debug, Clone, Copy)]
struct PolicySet {
    name: &'static str,
    policies: usize,
}

impl PolicySet {
    fn policy_name(self, n: usize) -> String {
        format!("{}-{n:07}", self.name)
    }

    fn resource(n: usize) -> String {
        format!("api://bench/scope-{n:07}")
    }

    fn consumer(n: usize) -> String {
        format!("consumer-{n:07}")
    }

    /// Policy `n`, as it is written.
    fn policy(self, n: usize, grants: bool) -> Value {
        json!({
            "name": self.policy_name(n),
            "active": true,
            "applicationName": self.name,
            "resourceTypeUuid": RESOURCE_TYPE,
            "resources": [Self::resource(n)],
            "actionValues": { "GRANT": grants },
            "subject": { "type": "JwtClaim", "claimName": "sub", "claimValue": Self::consumer(n) },
        })
    }

    /// May this consumer have this resource?
    fn question(self, consumer: usize, resource: usize) -> Value {
        json!({
            "resources": [Self::resource(resource)],
            "application": self.name,
            "subject": { "claims": { "sub": Self::consumer(consumer) } },
        })
    }

    /// Question `n` of a load, and the actions of the right answer.
    fn asked(self, n: usize) -> (Value, &'static str) {
        match n % 4 {
            3 => (self.question(n, (n + 1) % self.policies), r#""actions":{},"#),
            _ => (self.question(n, n), r#""actions":{"GRANT":true}"#),
        }
    }
}

/// All runs of one variant and one number of clients.
struct Rows {
    variant: Variant,
    clients: usize,
    few: Vec<Measured>,
    echo: Vec<Measured>,
    many: Vec<Measured>,
}

/// How soon one change counted, in ms.
#[derive(Debug, Clone, Copy, Serialize)]
struct Change {
    /// From sending the PUT until its answer.
    put: f64,
    /// From sending the PUT until the node that took it answered by the new policy.
    same_node: f64,
    /// The same on the last of the other nodes; `None` when there are none.
    other_nodes: Option<f64>,
    /// Answers by the old policy to questions asked after the PUT was answered.
    stale: usize,
}

#[derive(Serialize)]
struct SetUp {
    #[serde(flatten)]
    variant: Variant,
    policies: usize,
    secs: f64,
}

pub async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(binary) = &settings.quorate else {
        eprintln!("policy: nothing to do without quorate");
        return Ok(());
    };
    let (mut rows, mut changes, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for variant in VARIANTS {
        let service = Service::start(binary, variant, settings, report).await?;
        for clients in &settings.policy_clients {
            let measured = service.measure(*clients, settings, report).await?;
            measured.record(settings.policies, report)?;
            rows.extend(measured.cells(settings.policies));
        }
        changes.push(service.change(settings.changes, report).await?);
        let (recorded, dropped) = service.recorded().await?;
        records.push(format!("{} | {recorded} | {dropped}", variant.cells()));
        let line = json!({ "variant": variant, "decisions_recorded": recorded, "decisions_dropped": dropped });
        report.record("policy-record", &line)?;
    }
    let columns = format!(
        "nodes | recorded | clients | policies | {MEDIAN_COLUMNS} | echo {MEDIAN_COLUMNS} | req/s ratio to echo | req/s ratio to {FEW} policies | goals"
    );
    report.table("Policy decisions beside an echo of the same JSON", &columns, &rows)?;
    let heading = format!("One of {} policies changed: ms from sending the PUT", settings.policies);
    let columns = "nodes | recorded | changes | to its answer, p50 | most | to the new decision on the same node, p50 | most | on all other nodes, p50 | most | old decisions after the answer | goals";
    report.table(&heading, columns, &changes)?;
    report.table(
        "Decisions written to the log",
        "nodes | recorded | decisions written | dropped, the queue being full",
        &records,
    )
}

/// The counter of decision events with this outcome, on a page of metrics; 0 without such a line.
fn decision_events(page: &str, outcome: &str) -> u64 {
    let label = format!("outcome=\"{outcome}\"");
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("quorate_decision_events_total{"))
        .filter_map(|line| line.split_once("} "));
    lines
        .filter(|(labels, _)| labels.split(',').any(|pair| pair == label))
        .filter_map(|(_, count)| count.parse::<u64>().ok())
        .sum()
}

/// Nodes with both policy sets, and the echo.
struct Service {
    variant: Variant,
    cluster: Cluster,
    echo: Echo,
    few: Vec<Share>,
    many: Vec<Share>,
    echoed: Vec<Share>,
    large: PolicySet,
    // Last, so that it is removed after the echo is dead.
    _dir: TempDir,
}

impl Service {
    async fn start(binary: &Path, variant: Variant, settings: &Settings, report: &mut Report) -> Result<Self> {
        let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let variables =
            [("QUORATE_DECISIONS_RECORD", variant.recorded.to_owned()), ("QUORATE_HTTP_WORKERS", workers.to_string())];
        let cluster = Cluster::start_with(binary, &settings.work, variant.nodes, &variables).await?;
        let dir = TempDir::with_prefix_in("echo-", &settings.work)?;
        let echo = Echo::start(workers, dir.path()).await?;
        let small = PolicySet { name: "few", policies: FEW };
        let large = PolicySet { name: "all", policies: settings.policies };
        let mut service =
            Self { variant, cluster, echo, few: Vec::new(), many: Vec::new(), echoed: Vec::new(), large, _dir: dir };
        let resource_type = json!({
            "uuid": RESOURCE_TYPE, "name": RESOURCE_TYPE,
            "patterns": ["api://bench/*"], "actions": { "GRANT": true },
        });
        service.create("resourcetypes", "1.0", &resource_type).await?;
        for set in [small, large] {
            service.fill(set, settings.threads, report).await?;
        }
        for node in service.cluster.addresses() {
            service.few.push((node, service.questions(node, small)));
            service.many.push((node, service.questions(node, large)));
        }
        let echo = service.echo.http;
        let echoed = service.requests(echo, large).enumerate();
        let echoed = echoed.map(|(n, (request, _))| Exchange {
            request,
            status: 200,
            // Whose question it is: an echo of another one fails.
            expected: PolicySet::consumer(n).into_bytes().into(),
        });
        service.echoed.push((echo, echoed.collect()));
        Ok(service)
    }

    /// Creates one thing over REST.
    async fn create(&self, collection: &str, version: &str, body: &Value) -> Result<()> {
        let node = *self.cluster.addresses().first().context("no nodes")?;
        let path = format!("{REALM}/{collection}?_action=create");
        let version = format!("resource={version}, protocol=1.0");
        let request = self.cluster.as_admin(node, "POST", &path, &version, body);
        let created = self.cluster.ask(node, &request).await;
        created.map(drop).with_context(|| format!("creating one of the {collection}"))
    }

    /// Creates a policy set and its policies, on all nodes at once.
    async fn fill(&self, set: PolicySet, threads: usize, report: &mut Report) -> Result<()> {
        let body = json!({
            "name": set.name, "applicationType": "iPlanetAMWebAgentService",
            "resourceTypeUuids": [RESOURCE_TYPE],
        });
        self.create("applications", "2.1", &body).await?;
        let path = format!("{REALM}/policies?_action=create");
        let creations = |node: SocketAddr| {
            let creation = |n| Exchange {
                request: self.cluster.as_admin(node, "POST", &path, VERSION, &set.policy(n, true)),
                status: 201,
                expected: set.policy_name(n).into_bytes().into(),
            };
            (0..set.policies).map(creation).collect()
        };
        let nodes = self.cluster.addresses().into_iter();
        let shares = nodes.map(|node| (node, creations(node))).collect();
        let secs = each_once(shares, set.policies, threads).await.context("creating policies")?;
        eprintln!("quorate  {} policies created in {secs:.1} s, {} nodes", set.policies, self.variant.nodes);
        report.record("policy-set-up", &SetUp { variant: self.variant, policies: set.policies, secs })
    }

    /// One question about each policy of a set, and the actions of the right answer.
    fn requests(&self, server: SocketAddr, set: PolicySet) -> impl Iterator<Item = (Vec<u8>, &'static str)> {
        (0..set.policies).map(move |n| {
            let (question, actions) = set.asked(n);
            (self.evaluate(server, &question), actions)
        })
    }

    /// The same with the nodes' answers.
    fn questions(&self, node: SocketAddr, set: PolicySet) -> Arc<[Exchange]> {
        let exchange =
            |(request, actions): (_, &str)| Exchange { request, status: 200, expected: actions.as_bytes().into() };
        self.requests(node, set).map(exchange).collect()
    }

    fn evaluate(&self, server: SocketAddr, question: &Value) -> Vec<u8> {
        let path = format!("{REALM}/policies?_action=evaluate");
        self.cluster.as_admin(server, "POST", &path, VERSION, question)
    }

    /// Decisions that all nodes have written to the log since they started, and those that they dropped instead.
    async fn recorded(&self) -> Result<(u64, u64)> {
        let mut sum = (0, 0);
        for node in self.cluster.addresses() {
            let mut conn = Conn::new(node);
            let page = request("GET", "/metrics", node, &[], "");
            let answer = conn.send(&page).await?;
            ensure!(answer.status == 200, "{}", Failure::refused(&answer));
            let text = String::from_utf8_lossy(answer.body);
            sum.0 += decision_events(&text, "recorded");
            sum.1 += decision_events(&text, "dropped");
        }
        Ok(sum)
    }

    /// All runs with one number of clients.
    async fn measure(&self, clients: usize, settings: &Settings, report: &mut Report) -> Result<Rows> {
        let mut rows = Rows { variant: self.variant, clients, few: Vec::new(), echo: Vec::new(), many: Vec::new() };
        for run in 0..settings.runs {
            let mut turns = TURNS;
            if run % 2 == 1 {
                turns.reverse();
            }
            for target in turns {
                let measured = self.one_run(target, clients, run, settings).await?;
                report.measured(&measured)?;
                match target {
                    Target::Few => rows.few.push(measured),
                    Target::Echo => rows.echo.push(measured),
                    Target::Many => rows.many.push(measured),
                }
            }
        }
        Ok(rows)
    }

    async fn one_run(&self, target: Target, clients: usize, run: usize, settings: &Settings) -> Result<Measured> {
        let (shares, system, policies) = match target {
            Target::Few => (&self.few, "quorate", FEW),
            Target::Echo => (&self.echoed, "echo", 0),
            Target::Many => (&self.many, "quorate", self.large.policies),
        };
        let (nodes, echo) = (self.cluster.pids(), vec![self.echo.pid()]);
        let (servers, idle) = match target {
            Target::Echo => (echo, nodes),
            Target::Few | Target::Many => (nodes, echo),
        };
        let plan = Plan {
            clients,
            threads: settings.threads,
            warmup: settings.warmup,
            measure: settings.measure,
            pids: Pids { servers, idle },
        };
        let load = Exchanges { shares: shares.clone(), once: None };
        let done = load::run(Arc::new(load), &plan).await?;
        let Variant { nodes, recorded } = self.variant;
        let (op, state) = match target {
            Target::Echo => ("echo", format!("beside {nodes} nodes, recorded {recorded}")),
            Target::Few | Target::Many => {
                ("evaluate", format!("{policies} policies, {nodes} nodes, recorded {recorded}"))
            }
        };
        let label = Label { suite: "policy", system, route: self.variant.route(), clients, run, state };
        Ok(Measured::of(&label, op, 0, &done))
    }

    /// Changes so many policies of the large set, one after the other; the cells of a row.
    async fn change(&self, changes: usize, report: &mut Report) -> Result<String> {
        let mut seen = Vec::with_capacity(changes);
        for number in 0..changes {
            // Another policy each time, all over the set.
            let n = number * self.large.policies / changes;
            let change = self.change_one(n).await?;
            report.record(
                "policy-change",
                &json!({ "nodes": self.variant.nodes, "recorded": self.variant.recorded,
                "policies": self.large.policies, "change": change }),
            )?;
            seen.push(change);
        }
        Ok(change_cells(self.variant, &seen))
    }

    /// Makes policy `n` deny what it granted, and asks every node at once, again and again, until it says so.
    async fn change_one(&self, n: usize) -> Result<Change> {
        let addresses = self.cluster.addresses();
        let first = *addresses.first().context("no nodes")?;
        let question = self.large.question(n, n);
        let mut waiting = Vec::with_capacity(addresses.len());
        for node in &addresses {
            let exchange = |actions: &'static str| Exchange {
                request: self.evaluate(*node, &question),
                status: 200,
                expected: actions.as_bytes().into(),
            };
            let mut conn = Conn::new(*node);
            // Also opens the connection.
            exchange(r#""actions":{"GRANT":true}"#)
                .over(&mut conn)
                .await
                .with_context(|| format!("{node}, before policy {n} was changed"))?;
            waiting.push((conn, exchange(r#""actions":{"GRANT":false}"#)));
        }
        let path = format!("{REALM}/policies/{}", self.large.policy_name(n));
        let body = self.large.policy(n, false);
        let put = Exchange {
            request: self.cluster.as_admin(first, "PUT", &path, VERSION, &body),
            status: 200,
            expected: self.large.policy_name(n).into_bytes().into(),
        };
        let mut writer = Conn::new(first);
        writer.open().await?;
        let started = Instant::now();
        put.over(&mut writer).await.with_context(|| format!("changing policy {n}"))?;
        let put = millis(started);
        let mut asking = JoinSet::new();
        for (node, (conn, exchange)) in waiting.into_iter().enumerate() {
            asking.spawn(async move { (node, first_new(started, conn, &exchange).await) });
        }
        let mut change = Change { put, same_node: 0.0, other_nodes: None, stale: 0 };
        while let Some(answered) = asking.join_next().await {
            let (node, first_new) = answered?;
            let (taken, stale) = first_new.with_context(|| format!("node {} after policy {n} changed", node + 1))?;
            change.stale += stale;
            if node == 0 {
                change.same_node = taken;
            } else {
                change.other_nodes = Some(change.other_nodes.unwrap_or(0.0).max(taken));
            }
        }
        Ok(change)
    }
}

/// Asks until the answer is the expected one: ms since `started`, and how many answers were others.
async fn first_new(started: Instant, mut conn: Conn, exchange: &Exchange) -> Result<(f64, usize)> {
    let mut stale = 0;
    while started.elapsed() < CHANGE_LIMIT {
        match exchange.over(&mut conn).await {
            Ok(()) => return Ok((millis(started), stale)),
            Err(Failure::Unexpected(_)) => stale += 1,
            Err(failure) => return Err(anyhow!(failure)),
        }
    }
    bail!("{stale} answers, none by the new policy")
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn change_cells(variant: Variant, changes: &[Change]) -> String {
    let cells = |numbers: Vec<f64>| {
        if numbers.is_empty() {
            return "– | –".to_owned();
        }
        let most = numbers.iter().copied().fold(0.0, f64::max);
        format!("{} | {}", short(median(numbers)), short(most))
    };
    let same: Vec<f64> = changes.iter().map(|change| change.same_node).collect();
    let others: Vec<f64> = changes.iter().filter_map(|change| change.other_nodes).collect();
    let stale: usize = changes.iter().map(|change| change.stale).sum();
    let soon = median(same.iter().copied()).max(median(others.iter().copied())) <= CHANGE_GOAL;
    format!(
        "{} | {} | {} | {} | {} | {stale} | {}, {}",
        variant.cells(),
        changes.len(),
        cells(changes.iter().map(|change| change.put).collect()),
        cells(same),
        cells(others),
        goal(&format!("≤ {CHANGE_GOAL} ms"), soon),
        goal("none old", stale == 0),
    )
}

impl Rows {
    /// Rates as a share of the echo's, and of those with few policies.
    fn ratios(&self, ours: &[Measured]) -> (Option<Ratio>, Option<Ratio>) {
        let to = |others: &[Measured]| Ratio::of(ours.iter().zip(others).map(|(ours, other)| (ours.rps, other.rps)));
        (to(&self.echo), to(&self.few))
    }

    fn record(&self, policies: usize, report: &mut Report) -> Result<()> {
        for (count, ours) in [(FEW, &self.few), (policies, &self.many)] {
            let (Some(echo), Some(few)) = self.ratios(ours) else {
                continue;
            };
            let line = json!({
                "nodes": self.variant.nodes, "recorded": self.variant.recorded, "clients": self.clients, "policies": count,
                "rps_to_echo": echo.median, "rps_to_echo_least": echo.least, "rps_to_echo_most": echo.most,
                "rps_to_few": few.median, "rps_to_few_least": few.least, "rps_to_few_most": few.most,
            });
            report.record("policy-ratio", &line)?;
        }
        Ok(())
    }

    /// A row for the few policies and one for the many.
    fn cells(&self, policies: usize) -> [String; 2] {
        let shown = |ratio: Option<Ratio>| ratio.map_or_else(|| "–".to_owned(), |r| r.to_string());
        [(FEW, &self.few), (policies, &self.many)].map(|(count, ours)| {
            let (echo, few) = self.ratios(ours);
            let reached = |ratio: Option<Ratio>, most: f64| ratio.is_some_and(|ratio| ratio.median >= 1.0 / most);
            let mut goals = goal(&format!("≤ {ECHO_GOAL} × echo"), reached(echo, ECHO_GOAL));
            let flat = (count > FEW).then(|| {
                let text = format!("≤ {FLAT_GOAL} × {FEW} policies");
                goals = format!("{goals}, {}", goal(&text, reached(few, FLAT_GOAL)));
                few
            });
            format!(
                "{} | {} | {count} | {} | {} | {} | {} | {goals}",
                self.variant.cells(),
                self.clients,
                Medians::of(ours).cells(),
                Medians::of(&self.echo).cells(),
                shown(echo),
                shown(flat.flatten()),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: PolicySet = PolicySet { name: "all", policies: 1000 };

    #[test]
    fn questions_are_of_one_length_and_one_in_four_is_refused() {
        let few = PolicySet { name: "few", policies: FEW };
        let lengths: std::collections::BTreeSet<usize> = (0..1000)
            .map(|n| SET.asked(n).0)
            .chain((0..FEW).map(|n| few.asked(n).0))
            .map(|question| question.to_string().len())
            .collect();
        assert_eq!(lengths.len(), 1);
        let refused = (0..1000).filter(|n| !SET.asked(*n).1.contains("true"));
        assert_eq!(refused.count(), 250);
        // The last question asks for the first resource, not for one that is not there.
        assert_eq!(SET.asked(999).0, SET.question(999, 0));
    }

    #[test]
    fn decision_events_are_read_by_their_outcome() {
        let page = "# HELP quorate_decision_events_total x\nquorate_decision_events_total{outcome=\"recorded\"} 12\n\
            quorate_decision_events_total{outcome=\"dropped\"} 3\nquorate_other{outcome=\"dropped\"} 9\n";
        let counted = ["recorded", "dropped", "refused"].map(|outcome| decision_events(page, outcome));
        assert_eq!(counted, [12, 3, 0]);
    }

    fn measured(rps: f64) -> Measured {
        let label =
            Label { suite: "policy", system: "quorate", route: "alone", clients: 64, run: 0, state: String::new() };
        let run = load::Run::<()> {
            secs: 1.0,
            samples: vec![vec![100; rps as usize]],
            errors: 0,
            first_error: None,
            exhausted: false,
            cpu: crate::machine::CpuUse::default(),
            harvest: vec![],
        };
        Measured::of(&label, "evaluate", 0, &run)
    }

    #[test]
    fn a_rate_is_held_against_the_echo_and_against_few_policies() {
        let rows = Rows {
            variant: VARIANTS[0],
            clients: 64,
            few: vec![measured(900.0)],
            echo: vec![measured(1000.0)],
            many: vec![measured(400.0)],
        };
        let [few, many] = rows.cells(1000);
        assert!(few.ends_with("| **0.90** (0.90–0.90) | – | ≤ 1.5 × echo: reached"), "{few}");
        assert!(
            many.ends_with(
                "| **0.40** (0.40–0.40) | **0.44** (0.44–0.44) | ≤ 1.5 × echo: **missed**, ≤ 2 × 10 policies: **missed**"
            ),
            "{many}"
        );
    }

    #[test]
    fn an_old_decision_after_the_answer_misses_a_goal_however_soon_the_new_one_comes() {
        let change = |stale| Change { put: 1.0, same_node: 2.0, other_nodes: Some(3.0), stale };
        let cells = change_cells(VARIANTS[2], &[change(0), change(0)]);
        assert_eq!(
            cells,
            "3 | all | 2 | 1.00 | 1.00 | 2.00 | 2.00 | 3.00 | 3.00 | 0 | ≤ 10 ms: reached, none old: reached"
        );
        let cells = change_cells(VARIANTS[2], &[change(0), change(1)]);
        assert!(cells.ends_with("| 1 | ≤ 10 ms: reached, none old: **missed**"), "{cells}");
        let slow = Change { other_nodes: Some(11.0), ..change(0) };
        assert!(change_cells(VARIANTS[2], &[slow]).contains("≤ 10 ms: **missed**"));
    }
}
