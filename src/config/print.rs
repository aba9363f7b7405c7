//! The effective configuration as TOML that says where each value came from. Loading it again gives
//! the same configuration, secrets excepted: they are comments.

use figment::value::Value;

use super::reader::{items, scalar};
use super::secret::REDACTED;
use super::settings::{SETTINGS, Setting, Shape};
use super::source::Said;

pub(super) fn print(said: &Said) -> String {
    let mut out = String::new();
    let mut open = "";
    for setting in SETTINGS {
        let (table, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if table != open {
            out.push_str(&format!("\n[{table}]\n"));
            open = table;
        }
        out.push_str(&match said.value(setting.key) {
            None => format!("# {name} is not set\n"),
            Some(_) if setting.shape == Shape::Secret => {
                format!("# {name} = \"{REDACTED}\"  # {}\n", said.origin(setting.key))
            }
            Some(value) => format!("{name} = {}  # {}\n", literal(setting, &value), said.origin(setting.key)),
        });
    }
    out
}

fn literal(setting: &Setting, value: &Value) -> String {
    let text = || scalar(value).unwrap_or_default();
    match setting.shape {
        Shape::Number | Shape::Switch => text(),
        Shape::List => {
            let items: Vec<String> = items(value).unwrap_or_default().iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        }
        Shape::Text | Shape::Secret => quoted(&text()),
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
