//! The command line and the configuration, from outside: what an operator types, and what comes out.

mod certs;
mod config;
#[path = "../harness/mod.rs"]
mod harness;
mod help;
mod import;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `quorate` with an environment of nothing but `env`.
fn quorate(args: &[&str], env: &[(&str, &str)], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
