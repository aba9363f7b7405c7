//! From what was typed to what it means, one setting at a time, noting every mistake on the way.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use figment::value::Value;

use super::secret::Secret;
use super::source::{Invalid, Said};

/// Reads settings; a mistake is noted and gives `None`, so that reading goes on.
pub(super) struct Reader<'a> {
    said: &'a Said,
    bad: &'a mut Vec<Invalid>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(said: &'a Said, bad: &'a mut Vec<Invalid>) -> Self {
        Self { said, bad }
    }

    /// Notes a mistake in a setting.
    pub(super) fn reject(&mut self, key: &str, problem: impl Display) {
        self.bad.push(Invalid::new(self.said.spelled(key), problem.to_string()));
    }

    /// Whether anybody said anything, right or wrong.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.said.value(key).is_some()
    }

    /// An optional setting: `Some(None)` if it is unset, `None` if it is wrong.
    pub(super) fn optional<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let Some(value) = self.said.value(key) else {
            return Some(None);
        };
        let Some(text) = scalar(&value) else {
            self.reject(key, "must be one value, not a list or table");
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(Some(value)),
            Err(problem) => {
                self.reject(key, problem);
                None
            }
        }
    }

    /// A setting that has a default.
    pub(super) fn required<T, E: Display>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let value = self.optional(key, parse)?;
        if value.is_none() {
            self.reject(key, "must be set");
        }
        value
    }

    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.required(key, |text| {
            text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
                if *range.end() == u64::MAX {
                    format!("must be a whole number, at least {}", range.start())
                } else {
                    format!("must be a whole number from {} to {}", range.start(), range.end())
                }
            })
        })
    }

    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        self.required(key, |text| match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("must be true or false"),
        })
    }

    pub(super) fn address(&mut self, key: &str) -> Option<Option<SocketAddr>> {
        self.optional(key, |text| {
            text.parse().map_err(|_| format!("must be IP:PORT, like 127.0.0.1:8080 or [::1]:8080, not `{text}`"))
        })
    }

    pub(super) fn path(&mut self, key: &str) -> Option<Option<PathBuf>> {
        self.optional(key, |text| if text.is_empty() { Err("must not be empty") } else { Ok(PathBuf::from(text)) })
    }

    /// Each item of a list; all of its mistakes are noted.
    pub(super) fn list<T, E: Display>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        let Some(value) = self.said.value(key) else {
            return Some(Vec::new());
        };
        let Some(items) = items(&value) else {
            self.reject(key, "must be a list of strings");
            return None;
        };
        let mut parsed = Some(Vec::with_capacity(items.len()));
        for item in items {
            match parse(&item) {
                Ok(item) => {
                    if let Some(parsed) = &mut parsed {
                        parsed.push(item);
                    }
                }
                Err(problem) => {
                    self.reject(key, problem);
                    parsed = None;
                }
            }
        }
        parsed
    }

    /// A secret; never named in a mistake.
    pub(super) fn secret(&mut self, key: &str) -> Option<Option<Secret>> {
        let Some(value) = self.said.value(key) else {
            return Some(None);
        };
        match scalar(&value) {
            Some(text) if !text.is_empty() => Some(Some(Secret::new(text))),
            Some(_) => {
                self.reject(key, "is empty");
                None
            }
            None => {
                self.reject(key, "must be a string");
                None
            }
        }
    }
}

/// A single value as text, whatever type TOML gave it.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.trim().to_owned()),
        Value::Num(_, number) => {
            let integer = number.to_i128().map(|n| n.to_string());
            integer
                .or_else(|| number.to_u128().map(|n| n.to_string()))
                .or_else(|| number.to_f64().map(|n| n.to_string()))
        }
        Value::Bool(_, switch) => Some(switch.to_string()),
        _ => None,
    }
}

/// The items of a list: an array of values, or one text with commas.
pub(super) fn items(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(_, values) => values.iter().map(scalar).collect(),
        value => {
            let text = scalar(value)?;
            Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
        }
    }
}
