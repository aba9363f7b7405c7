//! `quorate`: parses the command line and runs one command.

use std::process::ExitCode;

use clap::Parser;
use quorate::{
    cli::{self, Cli, Command, Exit},
    config::Config,
    operate, serve, telemetry,
};

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
