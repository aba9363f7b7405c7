//! Every metric by name, in one place, and how logs and metrics leave the process: lines to standard
//! error, and Prometheus text.
//!
//! Labels have few values the compiler knows ([`label`]); no token, secret, user or client name is
//! ever a label.

use std::io::IsTerminal;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};

/// Keys of metric labels.
pub mod label {
    /// Which service answered; never the path, which holds names and ids.
    pub const ROUTE: &str = "route";
    /// Class of the status: 2xx, 3xx, 4xx, 5xx.
    pub const STATUS: &str = "status";
    /// How it ended, from a closed set.
    pub const OUTCOME: &str = "outcome";
    /// Topic of an audit event.
    pub const TOPIC: &str = "topic";
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
/// Logins decided.
pub const AUTHENTICATIONS: &str = "quorate_authentications_total";
/// Policy decisions made.
pub const POLICY_DECISIONS: &str = "quorate_policy_decisions_total";
/// Time to decide over policies.
pub const POLICY_SECONDS: &str = "quorate_policy_decision_seconds";
/// Events about decisions, recorded or not.
pub const DECISION_EVENTS: &str = "quorate_decision_events_total";
/// Audit events, written or not.
pub const AUDIT_EVENTS: &str = "quorate_audit_events_total";
/// Proposals that got an answer, or did not.
pub const PROPOSALS: &str = "quorate_proposals_total";
/// Time from proposal to outcome.
pub const PROPOSAL_SECONDS: &str = "quorate_proposal_seconds";
/// Proposals that wait for their outcome.
pub const PROPOSALS_IN_FLIGHT: &str = "quorate_proposals_in_flight";
/// Time a read waited for its barrier.
pub const READ_BARRIER_SECONDS: &str = "quorate_read_barrier_seconds";
/// Whether this node leads.
pub const RAFT_LEADING: &str = "quorate_raft_leading";
/// Raft's term.
pub const RAFT_TERM: &str = "quorate_raft_term";
/// Last entry in the log.
pub const RAFT_LAST_INDEX: &str = "quorate_raft_last_index";
/// Last entry applied.
pub const RAFT_APPLIED_INDEX: &str = "quorate_raft_applied_index";
/// Records alive, by owner (G8).
pub const LIVE_RECORDS: &str = "quorate_live_records";
/// Bytes on disk (G8).
pub const DISK_BYTES: &str = "quorate_disk_bytes";

const fn metric(name: &'static str, kind: Kind, unit: Unit, help: &'static str) -> Metric {
    Metric { name, kind, unit, help }
}

/// All of them.
pub const METRICS: &[Metric] = &[
    metric(HTTP_REQUESTS, Kind::Counter, Unit::Count, "Requests answered, by route and status class"),
    metric(HTTP_SECONDS, Kind::Seconds, Unit::Seconds, "Time to answer a request, by route"),
    metric(AUTHENTICATIONS, Kind::Counter, Unit::Count, "Logins, by outcome: success, failure"),
    metric(POLICY_DECISIONS, Kind::Counter, Unit::Count, "Policy decisions, by outcome: allow, deny, none"),
    metric(POLICY_SECONDS, Kind::Seconds, Unit::Seconds, "Time to decide one request over policies"),
    metric(
        DECISION_EVENTS,
        Kind::Counter,
        Unit::Count,
        "Events about policy decisions, by outcome: recorded, dropped, refused",
    ),
    metric(
        AUDIT_EVENTS,
        Kind::Counter,
        Unit::Count,
        "Audit events, by topic and by outcome: recorded, dropped, refused, failed",
    ),
    metric(PROPOSALS, Kind::Counter, Unit::Count, "Proposals, by outcome; `unknown` and `overloaded` included"),
    metric(PROPOSAL_SECONDS, Kind::Seconds, Unit::Seconds, "Time from proposal to outcome, consensus included"),
    metric(PROPOSALS_IN_FLIGHT, Kind::Gauge, Unit::Count, "Proposals that wait for their outcome"),
    metric(READ_BARRIER_SECONDS, Kind::Seconds, Unit::Seconds, "Time a read waited until it could be linearizable"),
    metric(RAFT_LEADING, Kind::Gauge, Unit::Count, "1 while this node leads, else 0"),
    metric(RAFT_TERM, Kind::Gauge, Unit::Count, "Raft term"),
    metric(RAFT_LAST_INDEX, Kind::Gauge, Unit::Count, "Index of the last log entry"),
    metric(RAFT_APPLIED_INDEX, Kind::Gauge, Unit::Count, "Index of the last applied entry"),
    metric(LIVE_RECORDS, Kind::Gauge, Unit::Count, "Records alive in the replicated state, by owner"),
    metric(DISK_BYTES, Kind::Gauge, Unit::Bytes, "Bytes of the data directory on disk"),
];

/// Upper bounds of duration buckets, s: from an in-memory read to a lost leader.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Tells the recorder in charge what each metric means.
pub fn describe() {
    for Metric { name, kind, unit, help } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *unit, *help),
            Kind::Gauge => describe_gauge!(*name, *unit, *help),
            Kind::Seconds => describe_histogram!(*name, *unit, *help),
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
            metrics::counter!(PROPOSALS, label::OUTCOME => "issued").increment(2);
        });
        let text = Metrics(handle).render();
        assert!(text.contains("quorate_proposal_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("quorate_proposal_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
        assert!(text.contains("quorate_proposals_total{outcome=\"issued\"} 2"), "{text}");
        assert!(text.contains("# HELP quorate_proposals_total Proposals"), "{text}");
    }
}
