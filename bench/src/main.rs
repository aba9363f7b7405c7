//! Measures three Quorate nodes beside three etcd nodes on this machine and prints ratios.
//!
//! | suite      | in            | shows                                                                       |
//! |------------|---------------|-----------------------------------------------------------------------------|
//! | `compare`  | [`compare`]   | issue, introspect, revoke beside put and get, at several numbers of clients |
//! | `failover` | [`failover`]  | the leader is killed: time to the first write accepted elsewhere            |
//! | `tokens`   | [`tokens`]    | cost, memory and restart with a million live tokens                         |
//! | `policy`   | [`policy`]    | decisions beside an [`echo`] of the same JSON; how soon a change counts      |
//! | `directory`| [`directory`] | reads and pages beside 100 000 users and 10 000 clients                     |
//!
//! Below them: [`quorate`] and [`etcd`] (start, load, kill a cluster), [`load`] (the closed loop), [`exchange`] (prepared requests), [`http`] (a cheap
//! client), [`process`] (children that cannot outlive the run), [`machine`] (what it all ran on), [`report`].

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod compare;
mod directory;
mod echo;
mod etcd;
mod exchange;
mod failover;
mod http;
mod load;
mod machine;
mod policy;
mod process;
mod quorate;
mod report;
mod settings;
mod tokens;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::machine::{Machine, available_memory, is_memory_only, wait_for_quiet};
use crate::report::Report;
use crate::settings::{Args, Role, Settings, Suite};

/// Bytes to have free for every live token, on three nodes and in the load generator, with room to spare.
const BYTES_PER_TOKEN: u64 = 4_000;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.role {
        Some(Role::Echo { http, workers }) => echo::serve(http, workers),
        None => Settings::new(args).and_then(measure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("quorate-bench: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(settings: Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        // An interruption drops the suite that runs, and with it the servers and their data.
        tokio::select! {
            done = suites(&settings) => done,
            interrupted = interruption() => interrupted,
        }
    });
    runtime.shutdown_background();
    done
}

async fn interruption() -> Result<()> {
    let (mut interrupt, mut terminate, mut hangup) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    bail!("interrupted")
}

async fn suites(settings: &Settings) -> Result<()> {
    std::fs::create_dir_all(&settings.work).with_context(|| format!("cannot make {}", settings.work.display()))?;
    if !settings.force {
        wait_for_quiet(settings.max_load, settings.patience).await?;
        if is_memory_only(&settings.work) {
            bail!(
                "{} is in memory, where a flush costs nothing: name a directory on a disk with --work",
                settings.work.display()
            );
        }
        let needed = if settings.suites.contains(&Suite::Tokens) { 2 * settings.tokens * BYTES_PER_TOKEN } else { 0 };
        if available_memory() < needed {
            bail!(
                "{} live tokens may need {} MiB of memory; choose fewer with --tokens",
                settings.tokens,
                needed >> 20
            );
        }
    }
    let out = settings.out.as_deref();
    let mut report = Report::new(out)?;
    report.machine(&Machine::describe(&settings.work, settings.quorate.as_deref(), settings.etcd.as_deref())?)?;
    for suite in &settings.suites {
        let done = match suite {
            Suite::Compare => compare::run(settings, &mut report).await,
            Suite::Failover => failover::run(settings, &mut report).await,
            Suite::Tokens => tokens::run(settings, &mut report).await,
            Suite::Policy => policy::run(settings, &mut report).await,
            Suite::Directory => directory::run(settings, &mut report).await,
        };
        if let Err(cause) = done {
            // What was measured so far is worth keeping.
            report.finish(out)?;
            return Err(cause.context(format!("suite {suite:?}")));
        }
    }
    report.finish(out)
}
