//! Names of every span field and every metric, in one place, and how they leave the process: log
//! lines to standard error, metrics as Prometheus text.
//!
//! Labels have few values the compiler knows ([`label`]); no token, secret, user or client name is
//! ever a label, nor a token or secret a field.

use std::io::IsTerminal;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};

/// Fields of spans and events. A request is one span; [`PROPOSAL_ID`](field::PROPOSAL_ID) travels
/// with a forwarded proposal, so that one search finds the request on every node.
pub mod field {
    /// Number of the node that writes the line.
    pub const NODE_ID: &str = "node.id";
    /// Correlation id of a request, also told to the client in a 500.
    pub const REQUEST_ID: &str = "request.id";
    /// Method of a request.
    pub const METHOD: &str = "http.method";
    /// Route pattern of a request, never the path itself: paths hold names and ids.
    pub const ROUTE: &str = "http.route";
    /// Status of the answer.
    pub const STATUS: &str = "http.status";
    /// Realm path.
    pub const REALM: &str = "realm";
    /// OAuth 2.0 client that proved itself.
    pub const CLIENT_ID: &str = "client.id";
    /// `grant_type`.
    pub const GRANT_TYPE: &str = "grant.type";
    /// Id of the proposal.
    pub const PROPOSAL_ID: &str = "proposal.id";
    /// What the cluster decided: `Outcome::label()`.
    pub const OUTCOME: &str = "outcome";
}

/// Keys of metric labels.
pub mod label {
    /// Route pattern.
    pub const ROUTE: &str = "route";
    /// Request method.
    pub const METHOD: &str = "method";
    /// Status code.
    pub const STATUS: &str = "status";
    /// `grant_type`.
    pub const GRANT_TYPE: &str = "grant_type";
    /// `opaque` or `jwt`.
    pub const FORMAT: &str = "format";
    /// How it ended, from a closed set.
    pub const OUTCOME: &str = "outcome";
    /// Kind of replicated state: grant_sets, blacklist, sessions, policy_sets, documents.
    pub const OWNER: &str = "owner";
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, seconds.
    Seconds,
    /// Sizes of batches.
    Batch,
}

/// One metric: its name, what it is, its unit, and what it tells.
#[derive(Debug)]
pub struct Metric {
    /// As Prometheus sees it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// Its help line, labels included.
    pub help: &'static str,
}

/// Requests answered.
pub const HTTP_REQUESTS: &str = "quorate_http_requests_total";
/// Time to answer a request.
pub const HTTP_SECONDS: &str = "quorate_http_request_seconds";
/// Requests being answered.
pub const HTTP_IN_FLIGHT: &str = "quorate_http_requests_in_flight";
/// Access tokens issued.
pub const TOKENS_ISSUED: &str = "quorate_tokens_issued_total";
/// Introspections answered.
pub const INTROSPECTIONS: &str = "quorate_introspections_total";
/// Revocations answered.
pub const REVOCATIONS: &str = "quorate_revocations_total";
/// Logins decided.
pub const AUTHENTICATIONS: &str = "quorate_authentications_total";
/// Policy decisions made.
pub const POLICY_DECISIONS: &str = "quorate_policy_decisions_total";
/// Time to decide over policies.
pub const POLICY_SECONDS: &str = "quorate_policy_decision_seconds";
/// Proposals that got an answer, or did not.
pub const PROPOSALS: &str = "quorate_proposals_total";
/// Time from proposal to outcome.
pub const PROPOSAL_SECONDS: &str = "quorate_proposal_seconds";
/// Proposals that wait for their outcome.
pub const PROPOSALS_IN_FLIGHT: &str = "quorate_proposals_in_flight";
/// Time a read waited for its barrier.
pub const READ_BARRIER_SECONDS: &str = "quorate_read_barrier_seconds";
/// Reads that shared one barrier.
pub const READ_BARRIER_SHARED: &str = "quorate_read_barrier_shared_reads";
/// Whether this node leads.
pub const RAFT_LEADING: &str = "quorate_raft_leading";
/// Raft's term.
pub const RAFT_TERM: &str = "quorate_raft_term";
/// Last entry in the log.
pub const RAFT_LAST_INDEX: &str = "quorate_raft_last_index";
/// Last entry applied.
pub const RAFT_APPLIED_INDEX: &str = "quorate_raft_applied_index";
/// Changes of leader seen.
pub const RAFT_LEADER_CHANGES: &str = "quorate_raft_leader_changes_total";
/// Time of one durable flush.
pub const LOG_FLUSH_SECONDS: &str = "quorate_log_flush_seconds";
/// Entries that shared one flush.
pub const LOG_FLUSH_ENTRIES: &str = "quorate_log_flush_entries";
/// Records alive, by owner (G8).
pub const LIVE_RECORDS: &str = "quorate_live_records";
/// Messages that wait in an owner's mailbox.
pub const MAILBOX_DEPTH: &str = "quorate_mailbox_depth";
/// Bytes on disk (G8).
pub const DISK_BYTES: &str = "quorate_disk_bytes";

const fn metric(name: &'static str, kind: Kind, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind, unit, help }
}

/// All of them.
pub const METRICS: &[Metric] = &[
    metric(HTTP_REQUESTS, Kind::Counter, Unit::Count, "Requests answered, by route, method and status"),
    metric(HTTP_SECONDS, Kind::Seconds, Unit::Seconds, "Time to answer a request, by route"),
    metric(HTTP_IN_FLIGHT, Kind::Gauge, Unit::Count, "Requests being answered"),
    metric(TOKENS_ISSUED, Kind::Counter, Unit::Count, "Access tokens issued, by grant_type and format"),
    metric(INTROSPECTIONS, Kind::Counter, Unit::Count, "Introspections, by outcome: active, inactive"),
    metric(REVOCATIONS, Kind::Counter, Unit::Count, "Revocations, by outcome"),
    metric(AUTHENTICATIONS, Kind::Counter, Unit::Count, "Logins, by outcome: success, failure"),
    metric(POLICY_DECISIONS, Kind::Counter, Unit::Count, "Policy decisions, by outcome: allow, deny, none"),
    metric(POLICY_SECONDS, Kind::Seconds, Unit::Seconds, "Time to decide one request over policies"),
    metric(PROPOSALS, Kind::Counter, Unit::Count, "Proposals, by outcome; `unknown` and `overloaded` included"),
    metric(PROPOSAL_SECONDS, Kind::Seconds, Unit::Seconds, "Time from proposal to outcome, consensus included"),
    metric(PROPOSALS_IN_FLIGHT, Kind::Gauge, Unit::Count, "Proposals that wait for their outcome"),
    metric(READ_BARRIER_SECONDS, Kind::Seconds, Unit::Seconds, "Time a read waited until it could be linearizable"),
    metric(READ_BARRIER_SHARED, Kind::Batch, Unit::Count, "Reads that shared one barrier"),
    metric(RAFT_LEADING, Kind::Gauge, Unit::Count, "1 while this node leads, else 0"),
    metric(RAFT_TERM, Kind::Gauge, Unit::Count, "Raft term"),
    metric(RAFT_LAST_INDEX, Kind::Gauge, Unit::Count, "Index of the last log entry"),
    metric(RAFT_APPLIED_INDEX, Kind::Gauge, Unit::Count, "Index of the last applied entry"),
    metric(RAFT_LEADER_CHANGES, Kind::Counter, Unit::Count, "Changes of leader seen by this node"),
    metric(LOG_FLUSH_SECONDS, Kind::Seconds, Unit::Seconds, "Time of one durable flush of the log"),
    metric(LOG_FLUSH_ENTRIES, Kind::Batch, Unit::Count, "Log entries that shared one flush"),
    metric(LIVE_RECORDS, Kind::Gauge, Unit::Count, "Records alive in the replicated state, by owner"),
    metric(MAILBOX_DEPTH, Kind::Gauge, Unit::Count, "Messages waiting for an owner, by owner"),
    metric(DISK_BYTES, Kind::Gauge, Unit::Bytes, "Bytes of the data directory on disk"),
];

/// Upper bounds of duration buckets, s: from an in-memory read to a lost leader.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of batch-size buckets.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Tells the recorder in charge what each metric means.
pub fn describe() {
    for Metric { name, kind, unit, help } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *help),
            Kind::Gauge => describe_gauge!(*name, *unit, *help),
            Kind::Seconds | Kind::Batch => describe_histogram!(*name, *unit, *help),
        }
    }
}

/// Telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter does not parse; a checked configuration never gives this.
    #[error("log filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process has a log subscriber already.
    #[error("logging was started before")]
    Log(#[from] tracing_subscriber::util::TryInitError),
    /// This process has a metrics recorder already.
    #[error("metrics were started before")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Starts logging to standard error.
pub fn init_log(log: &Log) -> Result<(), Error> {
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).finish().try_init()?,
    }
    Ok(())
}

/// What `/metrics` answers from.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder of this process and describes every metric.
    pub fn install() -> Result<Self, Error> {
        let handle = builder()?.install_recorder()?;
        describe();
        Ok(Self(handle))
    }

    /// Prometheus text format. Samples are folded into buckets here: call it (a scrape does) or
    /// [`Metrics::fold`] every few seconds, or they pile up.
    pub fn render(&self) -> String {
        self.fold();
        self.0.render()
    }

    /// Folds pending samples into their buckets, so that memory stays bounded while nobody scrapes.
    pub fn fold(&self) {
        self.0.run_upkeep();
    }
}

fn builder() -> Result<PrometheusBuilder, Error> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        let bounds = match metric.kind {
            Kind::Counter | Kind::Gauge => continue,
            Kind::Seconds => SECONDS,
            Kind::Batch => BATCHES,
        };
        builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.into()), bounds)?;
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_prometheus_and_are_unique() {
        let mut seen = BTreeSet::new();
        for Metric { name, kind, help, .. } in METRICS {
            assert!(seen.insert(name), "{name} twice");
            assert!(
                name.starts_with("quorate_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *kind == Kind::Seconds, "{name}");
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn histograms_render_as_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::histogram!(PROPOSAL_SECONDS).record(0.003);
            metrics::counter!(TOKENS_ISSUED, label::GRANT_TYPE => "client_credentials", label::FORMAT => "opaque")
                .increment(2);
        });
        let text = Metrics(handle).render();
        assert!(text.contains("quorate_proposal_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("quorate_proposal_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
        assert!(
            text.contains("quorate_tokens_issued_total{grant_type=\"client_credentials\",format=\"opaque\"} 2"),
            "{text}"
        );
        assert!(text.contains("# HELP quorate_tokens_issued_total Access tokens issued"), "{text}");
    }
}
