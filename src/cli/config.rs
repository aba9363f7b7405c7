//! `quorate config validate | print`.

use super::{ConfigCommand, Exit};
use crate::config::{Config, Invalid};

/// Checks or prints the configuration that `serve` with the same flags would run with.
pub fn run(command: &ConfigCommand) -> Exit {
    let outcome = match command {
        ConfigCommand::Validate(serve) => Config::load(&serve.sources()).map(|_| "configuration is valid\n".to_owned()),
        ConfigCommand::Print(serve) => Config::print(&serve.sources()),
    };
    match outcome {
        Ok(text) => {
            print!("{text}");
            Exit::Done
        }
        Err(mistakes) => report(&mistakes),
    }
}

/// Tells all mistakes on standard error, one a line.
pub fn report(mistakes: &[Invalid]) -> Exit {
    let plural = if mistakes.len() == 1 { "" } else { "s" };
    eprintln!("{} mistake{plural} in the configuration:", mistakes.len());
    for mistake in mistakes {
        eprintln!("  {mistake}");
    }
    Exit::Misused
}
