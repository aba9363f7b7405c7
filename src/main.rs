//! `quorate`: parses the command line and runs one command.

use std::process::ExitCode;

use clap::Parser;
use quorate::cli::{self, Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => cli::demo::run(&args),
        Command::Config(command) => cli::config::run(&command),
        Command::Certs(command) => cli::certs::run(&command),
        Command::Serve(_) | Command::Cluster(_) => {
            eprintln!("not in this build");
            cli::Exit::Failed
        }
    }
    .into()
}
