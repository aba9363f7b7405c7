//! `quorate`: parses the command line and runs one command.

use std::process::ExitCode;

use clap::Parser;
use quorate::{
    cli::{self, Cli, Command, Exit},
    config::Config,
    operate, serve, telemetry,
};

/// A million small records that come and go at different times: glibc's allocator keeps a third more for them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc looks through a thread's cache of free memory after every 64 KiB that the thread got: at every other request, which
/// is a twentieth of what requests cost. A megabyte is soon enough. A C string, found by its name.
// SAFETY: nothing else has this name; jemalloc's own definition is weak, for this purpose.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static MALLOC_CONF: &[u8; 29] = b"tcache_gc_incr_bytes:1048576\0";

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => match Config::load(&args.sources()) {
            Ok(config) => serve(&config),
            Err(mistakes) => cli::config::report(&mistakes),
        },
        Command::Demo(args) => cli::demo::run(&args),
        Command::Cluster(command) => operate::run(&command),
        Command::Config(command) => cli::config::run(&command),
        Command::Certs(command) => cli::certs::run(&command),
        Command::Import(import) => cli::import::run(&import),
        Command::Export(export) => cli::export::run(&export),
    }
    .into()
}

fn serve(config: &Config) -> Exit {
    let result = telemetry::init_log(&config.log).map_err(serve::ServeError::from).and_then(|()| serve::run(config));
    match result {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("quorate: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            Exit::Failed
        }
    }
}
