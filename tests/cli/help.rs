//! `--help` names everything there is, and usage mistakes end with status 2.

use std::path::Path;

use quorate::config::settings::{SETTINGS, Shape};

use crate::{quorate, stderr, stdout};

fn help(args: &[&str]) -> String {
    let output = quorate(&[args, &["--help"]].concat(), &[], Path::new("."));
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    stdout(&output)
}

#[test]
fn every_command_is_listed() {
    for (args, names) in [
        (&[][..], &["serve", "demo", "cluster", "config", "certs", "import", "export", "Exit status"][..]),
        (&["cluster"], &["status", "add", "promote", "remove", "transfer-leader", "backup", "restore", "verify"]),
        (&["config"], &["validate", "print"]),
        (&["certs"], &["init", "node"]),
        (
            &["serve"],
            &[
                "--config <FILE>",
                "--node-id <N>",
                "--data-dir <DIR>",
                "--http <ADDR>",
                "--peer <ADDR>",
                "--cluster",
                "--dev",
            ],
        ),
        (&["demo"], &["--exit", "--port-base <N>"]),
        (&["cluster", "add"], &["<ID>", "<HOST:PORT>", "--peer", "--ca", "--cert", "--key"]),
        (
            &["import"],
            &["<FILE>", "--realm", "--url", "--user", "--password-file", "--dry-run", "--strict", "--json", "--ca"],
        ),
        (&["export"], &["--realm", "--out", "--users", "--url", "--password-file"]),
        (&["certs", "node"], &["<DIR>", "<NAME>", "--host <H>"]),
    ] {
        let help = help(args);
        for name in names {
            assert!(help.contains(name), "{args:?} does not tell of {name}:\n{help}");
        }
    }
}

#[test]
fn every_setting_is_listed_with_its_variable_default_and_flag() {
    for args in [&["serve"][..], &["config", "print"], &["config", "validate"]] {
        let help = help(args);
        for setting in SETTINGS {
            let line = help
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("{}, {}", setting.key, setting.variable())))
                .unwrap_or_else(|| panic!("{args:?} does not tell of {}", setting.key));
            if let Some(default) = setting.default {
                assert!(line.contains(&format!("default {default}")), "{line}");
            }
            if let Some(flag) = setting.flag {
                assert!(line.contains(flag) && help.contains(&format!("{flag} ")) || setting.key == "dev", "{line}");
            }
            assert_eq!(line.contains("secret"), setting.shape == Shape::Secret, "{line}");
        }
    }
}

#[test]
fn no_flag_takes_a_secret() {
    for setting in SETTINGS.iter().filter(|setting| setting.shape == Shape::Secret) {
        assert_eq!(setting.flag, None, "{} would be seen in the list of processes", setting.key);
        let flag = format!("--{}", setting.key.replace('_', "-"));
        assert_eq!(quorate(&["serve", &flag, "x"], &[], Path::new(".")).status.code(), Some(2));
    }
}

#[test]
fn wrong_usage_ends_with_status_2() {
    for args in [
        &[][..],
        &["serv"],
        &["serve", "--nope"],
        &["cluster"],
        &["cluster", "add", "0", "host:1"],
        &["cluster", "add", "4", "host"],
        &["cluster", "promote", "four"],
        &["certs", "node", "dir"],
        &["demo", "--port-base", "65001"],
        &["import"],
        &["import", "x.json", "--password", "secret"],
    ] {
        let output = quorate(args, &[], Path::new("."));
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}
