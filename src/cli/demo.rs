//! `quorate demo`: three real nodes on this machine and the main job on them, shown request by
//! request.
//!
//! | part                                   | where     |
//! |----------------------------------------|-----------|
//! | child processes, their ports and files | `nodes`   |
//! | requests as curl lines, answers, checks| `talk`    |
//! | what is asked, and what must come out  | `story`   |
//!
//! The children are of this executable, so what is shown is what `quorate serve` does. They die
//! with the demo, and their data with them: also on Ctrl-C, SIGTERM, SIGHUP and panic.

mod nodes;
mod story;
mod talk;

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use self::nodes::Nodes;
use self::talk::Talk;
use super::{Demo, Exit};

/// Longest time a node may take to get ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The demo cannot go on.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{what}")]
    System {
        what: String,
        #[source]
        cause: io::Error,
    },
    #[error("{request}")]
    Request {
        request: String,
        #[source]
        cause: reqwest::Error,
    },
    #[error("{0}")]
    Step(String),
}

impl Broken {
    fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |cause| Self::System { what, cause }
    }
}

/// Runs the demo until it is through (`--exit`) or stopped.
pub fn run(args: &Demo) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return Exit::Failed;
        }
    };
    match runtime.block_on(until_stopped(args)) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(broken) => {
            eprintln!("quorate demo: {}", with_causes(&broken));
            Exit::Failed
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// `Ok(true)` if every step held.
async fn until_stopped(args: &Demo) -> Result<bool, Broken> {
    let no_signals = || Broken::system("signals");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals())?;
    let mut hangup = signal(SignalKind::hangup()).map_err(no_signals())?;
    let walked = Cell::new(false);
    tokio::select! {
        outcome = show(args, &walked) => outcome,
        _ = interrupt.recv() => Ok(walked.get()),
        _ = terminate.recv() => Ok(walked.get()),
        _ = hangup.recv() => Ok(walked.get()),
    }
}

/// Shows everything, and sets `walked` once every step held; a demo stopped before that failed.
async fn show(args: &Demo, walked: &Cell<bool>) -> Result<bool, Broken> {
    let began = Instant::now();
    let mut talk = Talk::new()?;
    let mut nodes = Nodes::prepare(args.port_base)?;

    talk.heading("Three nodes on this machine");
    for id in 1..=3 {
        nodes.start(id)?;
    }
    let outcome = walk(&mut talk, &mut nodes).await;
    if let Err(broken) = &outcome {
        talk.check(&with_causes(broken), false);
    }
    let held = talk.all_held();
    walked.set(held);
    talk.summary(began.elapsed());
    if !held {
        for (id, tail) in nodes.log_tails() {
            talk.note(&format!("last log lines of node {id}:\n{tail}"));
        }
    }
    // Nodes that could not even be walked through are nothing to stay up with.
    if args.exit || outcome.is_err() {
        return Ok(held);
    }

    let file = nodes.dir().join("demo.env");
    crate::config::secret::write_private(&file, &talk.exports()).map_err(Broken::system(file.display().to_string()))?;
    talk.heading("Still up");
    for node in nodes.all() {
        talk.note(&format!("node {}  http://{}/am  log {}", node.id, node.http, node.log.display()));
    }
    talk.note(&format!("to repeat the lines above:  set -a; . {}", file.display()));
    talk.note("Ctrl-C stops the nodes and removes their data");
    std::future::pending().await
}

async fn walk(talk: &mut Talk, nodes: &mut Nodes) -> Result<(), Broken> {
    for id in 1..=3 {
        let took = nodes.ready(talk, id, READY_WITHIN).await?;
        talk.check(
            &format!("node {id} is ready on http://{}/am after {} ms", nodes.node(id)?.http, took.as_millis()),
            true,
        );
    }
    story::tell(talk, nodes).await
}
