//! Results: one line of JSON per measurement as they come, Markdown tables at the end.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::load::Run;
use crate::machine::{Machine, percentile};

/// The share of the machine that other work may take before a number is marked as disturbed.
const DISTURBED: f64 = 0.20;

/// One operation's numbers from one run of a load.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    pub suite: &'static str,
    pub system: &'static str,
    pub op: String,
    /// Where the clients connect: to all nodes (`spread`) or to the leader.
    pub route: &'static str,
    pub clients: usize,
    pub run: usize,
    /// What else tells this measurement from others, such as how many tokens are live.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    pub secs: f64,
    pub requests: usize,
    pub rps: f64,
    pub p50_us: u32,
    pub p99_us: u32,
    pub max_us: u32,
    /// Failed requests of the whole run, warm-up included.
    pub errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// Processor time of all nodes per request of the run, µs.
    pub server_cpu_us: f64,
    /// Processor time of the load generator per request of the run, µs.
    pub client_cpu_us: f64,
    pub other_cpu_share: f64,
}

/// What tells one measurement from another.
#[derive(Debug, Clone)]
pub struct Label {
    pub suite: &'static str,
    pub system: &'static str,
    pub route: &'static str,
    pub clients: usize,
    pub run: usize,
    pub state: String,
}

impl Measured {
    /// The numbers of operation `op` of a run; `name` is what it is called.
    pub fn of<H>(label: &Label, name: &str, op: usize, run: &Run<H>) -> Self {
        let samples = run.samples.get(op).map(Vec::as_slice).unwrap_or_default();
        let all = run.requests().max(1) as f64;
        Self {
            suite: label.suite,
            system: label.system,
            op: name.to_owned(),
            route: label.route,
            clients: label.clients,
            run: label.run,
            state: label.state.clone(),
            secs: run.secs,
            requests: samples.len(),
            rps: samples.len() as f64 / run.secs,
            p50_us: percentile(samples, 0.5),
            p99_us: percentile(samples, 0.99),
            max_us: samples.last().copied().unwrap_or(0),
            errors: run.errors,
            first_error: run.first_error.clone(),
            server_cpu_us: run.cpu.servers * 1e6 / all,
            client_cpu_us: run.cpu.client * 1e6 / all,
            other_cpu_share: run.cpu.other_share,
        }
    }
}

/// The medians of several runs of the same measurement.
#[derive(Debug, Clone, Copy, Default)]
pub struct Medians {
    pub rps: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The longest of all runs.
    pub max_ms: f64,
    /// Of all runs together.
    pub errors: u64,
    pub server_cpu_us: f64,
    pub client_cpu_us: f64,
    pub disturbed: bool,
}

impl Medians {
    pub fn of(runs: &[Measured]) -> Self {
        let ms = |pick: fn(&Measured) -> u32| median(runs.iter().map(|run| f64::from(pick(run)) / 1e3));
        Self {
            rps: median(runs.iter().map(|run| run.rps)),
            p50_ms: ms(|run| run.p50_us),
            p99_ms: ms(|run| run.p99_us),
            max_ms: runs.iter().map(|run| f64::from(run.max_us) / 1e3).fold(0.0, f64::max),
            errors: runs.iter().map(|run| run.errors).sum(),
            server_cpu_us: median(runs.iter().map(|run| run.server_cpu_us)),
            client_cpu_us: median(runs.iter().map(|run| run.client_cpu_us)),
            disturbed: runs.iter().any(|run| run.other_cpu_share > DISTURBED),
        }
    }

    /// As cells of a table, under [`MEDIAN_COLUMNS`].
    pub fn cells(&self) -> String {
        let mark = if self.disturbed { " †" } else { "" };
        format!(
            "{:.0}{mark} | {} | {} | {} | {} | {:.0} / {:.0}",
            self.rps,
            short(self.p50_ms),
            short(self.p99_ms),
            short(self.max_ms),
            self.errors,
            self.server_cpu_us,
            self.client_cpu_us
        )
    }
}

/// Headings for [`Medians::cells`].
pub const MEDIAN_COLUMNS: &str = "req/s | p50 ms | p99 ms | max ms | errors | CPU µs server / client";

/// A number with about three digits.
pub fn short(number: f64) -> String {
    match number {
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// The middle of the numbers, or the mean of the two in the middle; 0 without numbers.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = |from_end: usize| sorted.get(from_end).copied();
    let (upper, lower) = (middle(sorted.len() / 2), middle(sorted.len().saturating_sub(1) / 2));
    (upper.unwrap_or(0.0) + lower.unwrap_or(0.0)) / 2.0
}

/// How many times one number is of another, run by run: each pair was taken one right after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Ratio {
    /// `None` without a pair, or when nothing was measured on the other side.
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let ratios: Vec<f64> =
            pairs.into_iter().filter(|(_, other)| *other > 0.0).map(|(ours, other)| ours / other).collect();
        let least = ratios.iter().copied().min_by(f64::total_cmp)?;
        let most = ratios.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { median: median(ratios), least, most })
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "**{}** ({}–{})", short(self.median), short(self.least), short(self.most))
    }
}

/// A goal and whether it was reached, for the last column of a table.
pub fn goal(text: &str, reached: bool) -> String {
    format!("{text}: {}", if reached { "reached" } else { "**missed**" })
}

/// Where results go.
pub struct Report {
    lines: Option<File>,
    text: String,
}

impl Report {
    /// Results go to `STEM.jsonl` and `STEM.md`, or to the standard output alone.
    pub fn new(stem: Option<&Path>) -> Result<Self> {
        let lines = stem.map(|stem| {
            let path = stem.with_extension("jsonl");
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))
        });
        Ok(Self { lines: lines.transpose()?, text: String::new() })
    }

    /// Writes one line of JSON, with `kind` as its first member's value.
    pub fn record(&mut self, kind: &str, what: &impl Serialize) -> Result<()> {
        #[derive(Serialize)]
        struct Line<'a, T> {
            kind: &'a str,
            #[serde(flatten)]
            what: &'a T,
        }
        let line = serde_json::to_string(&Line { kind, what })?;
        match &mut self.lines {
            Some(file) => writeln!(file, "{line}")?,
            None => println!("{line}"),
        }
        Ok(())
    }

    /// Records the numbers of a load.
    pub fn measured(&mut self, measured: &Measured) -> Result<()> {
        let Measured { system, op, route, clients, run, state, rps, p50_us, p99_us, errors, .. } = measured;
        eprintln!(
            "{system:8} {op:11} {route:7} {clients:4} clients, run {run} {state}: {rps:9.0}/s, p50 {p50_us} µs, p99 {p99_us} µs, {errors} errors"
        );
        if let Some(error) = &measured.first_error {
            eprintln!("         first error: {error}");
        }
        self.record("load", measured)
    }

    /// The machine, as the first lines of the text.
    pub fn machine(&mut self, machine: &Machine) -> Result<()> {
        self.record("machine", machine)?;
        let Machine {
            cpu,
            cores,
            memory_gib,
            kernel,
            disk,
            fdatasync_p50_us,
            fdatasync_p99_us,
            load_before,
            quorate,
            etcd,
        } = machine;
        writeln!(self.text, "Machine: {cores} × {cpu}, {memory_gib:.0} GiB, Linux {kernel}, data on {disk}.")?;
        writeln!(
            self.text,
            "One 4 KiB append + fdatasync: p50 {fdatasync_p50_us} µs, p99 {fdatasync_p99_us} µs. Load average before: {load_before}."
        )?;
        writeln!(self.text, "Quorate: {quorate}. etcd: {etcd}. The load generator runs on the same cores.\n")?;
        writeln!(
            self.text,
            "† = other work took more than {:.0} % of the machine in one of the runs.",
            DISTURBED * 100.0
        )?;
        Ok(())
    }

    /// A table under a heading. `columns` and `rows` hold cells separated by `|`.
    pub fn table(&mut self, heading: &str, columns: &str, rows: &[String]) -> Result<()> {
        writeln!(self.text, "\n### {heading}\n\n| {columns} |\n|{}", " --- |".repeat(columns.split('|').count()))?;
        for row in rows {
            writeln!(self.text, "| {row} |")?;
        }
        Ok(())
    }

    /// Prints the text, and writes it to `STEM.md`.
    pub fn finish(&self, stem: Option<&Path>) -> Result<()> {
        println!("{}", self.text);
        match stem {
            Some(stem) => Ok(std::fs::write(stem.with_extension("md"), &self.text)?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::CpuUse;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!((median([7.0]), median([])), (7.0, 0.0));
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        // The machine was half as fast in the second run, for both: the ratio does not see it.
        let ratio = Ratio::of([(20.0, 10.0), (10.0, 5.0), (33.0, 11.0)]).unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.most), (2.0, 2.0, 3.0));
        assert_eq!(Ratio::of([(1.0, 0.0)]), None);
    }

    #[test]
    fn a_measurement_is_per_second_and_per_request() {
        let run = Run {
            secs: 2.0,
            samples: vec![vec![], (1..=100).collect(), vec![500; 100]],
            errors: 3,
            first_error: Some("503".to_owned()),
            exhausted: false,
            cpu: CpuUse { servers: 0.02, client: 0.01, other_share: 0.3 },
            harvest: vec![()],
        };
        let label = Label { suite: "s", system: "quorate", route: "spread", clients: 4, run: 0, state: String::new() };
        let measured = Measured::of(&label, "introspect", 1, &run);
        assert_eq!(
            (measured.requests, measured.rps, measured.p50_us, measured.p99_us, measured.max_us),
            (100, 50.0, 50, 99, 100)
        );
        assert_eq!((measured.server_cpu_us, measured.client_cpu_us), (100.0, 50.0));
        let medians = Medians::of(&[measured]);
        assert!(medians.disturbed);
        assert_eq!(medians.cells(), "50 † | 0.05 | 0.10 | 0.10 | 3 | 100 / 50");
        assert_eq!(medians.cells().split('|').count(), MEDIAN_COLUMNS.split('|').count());
    }
}
