//! What was typed: TOML file, variables and flags, merged key by key, each value with its origin.
//!
//! Nothing is understood here beyond names; `reader` turns the values into settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::secret::Secret;
use super::settings::{self, FILE_SUFFIX, PREFIX, SETTINGS, Shape};

/// One mistake in the configuration: which setting, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invalid {
    /// The setting as it was written: a TOML key, a variable or a flag.
    pub key: String,
    /// What is wrong, without the value if it is a secret.
    pub problem: String,
}

impl Invalid {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

impl std::error::Error for Invalid {}

/// Where settings are read from; later ones win: defaults, `file`, `env`, `flags`.
#[derive(Clone, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// The environment; variables that do not start with `QUORATE_` are ignored.
    pub env: Vec<(OsString, OsString)>,
    /// Settings given as flags: dotted key and text.
    pub flags: Vec<(&'static str, String)>,
}

impl Sources {
    /// The environment of this process, and nothing else yet.
    pub fn of_process() -> Self {
        Self { env: std::env::vars_os().collect(), ..Self::default() }
    }
}

/// Variables with our prefix that are not settings of a node: the command line reads them itself.
const FOR_THE_COMMAND_LINE: &[&str] = &["QUORATE_CONFIG"];

/// Everything that was said, merged.
pub(super) struct Said {
    figment: Figment,
}

impl Said {
    /// Reads all sources. Notes every mistake in `bad` and goes on.
    pub(super) fn read(sources: &Sources, bad: &mut Vec<Invalid>) -> Self {
        let mut figment = Figment::new();
        let defaults = SETTINGS.iter().filter_map(|setting| Some((setting.key, setting.default?)));
        figment = figment.merge(Layer::of("default", defaults.map(|(key, text)| (key, text.to_owned()))));
        if let Some(path) = &sources.file {
            figment = figment.merge(file(path, bad));
        }
        for layer in variables(&sources.env, bad) {
            figment = figment.merge(layer);
        }
        for (key, text) in &sources.flags {
            let flag = settings::find(key).and_then(|setting| setting.flag).unwrap_or(key);
            figment = figment.merge(Layer::of(flag, [(*key, text.clone())]));
        }
        Self { figment }
    }

    /// The value that won.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.figment.find_value(key).ok()
    }

    /// Who said it: `default`, a file name, a variable or a flag.
    pub(super) fn origin(&self, key: &str) -> String {
        self.figment.find_metadata(key).map_or_else(|| "default".into(), |metadata| metadata.name.to_string())
    }

    /// How to call the setting in a mistake: as its writer wrote it.
    pub(super) fn spelled(&self, key: &str) -> String {
        let origin = self.origin(key);
        if origin.starts_with(PREFIX) || origin.starts_with("--") { origin } else { key.into() }
    }
}

/// Values with one origin.
struct Layer {
    origin: String,
    values: Dict,
}

impl Layer {
    fn of(origin: impl Into<String>, values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut layer = Self { origin: origin.into(), values: Dict::new() };
        for (key, text) in values {
            layer.set(key, Value::from(text));
        }
        layer
    }

    fn set(&mut self, key: &str, value: Value) {
        match key.split_once('.') {
            None => {
                self.values.insert(key.into(), value);
            }
            Some((table, name)) => {
                let entry = self.values.entry(table.into()).or_insert_with(|| Value::from(Dict::new()));
                if let Value::Dict(_, dict) = entry {
                    dict.insert(name.into(), value);
                }
            }
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn file(path: &Path, bad: &mut Vec<Invalid>) -> Layer {
    let name = path.display().to_string();
    let mut layer = Layer { origin: name.clone(), values: Dict::new() };
    let dict = match std::fs::read_to_string(path) {
        Err(error) => {
            bad.push(Invalid::new(name, format!("cannot be read: {error}")));
            return layer;
        }
        Ok(text) => match Toml::string(&text).data() {
            Err(error) => {
                bad.push(Invalid::new(name, format!("is not TOML: {}", without_excerpt(&error))));
                return layer;
            }
            Ok(mut profiles) => profiles.remove(&Profile::Default).unwrap_or_default(),
        },
    };
    let mut said = BTreeMap::new();
    flatten("", dict, &mut said);
    for (key, value) in said {
        if settings::find(&key).is_some() {
            layer.set(&key, value);
        } else if let Some(secret) = secret_file_key(&key) {
            let Some(path) = value.as_str() else {
                bad.push(Invalid::new(key, "must be the name of a file"));
                continue;
            };
            // Keys come sorted: the plain one was here before the one with the suffix.
            if layer.values.contains_key(secret) {
                bad.push(Invalid::new(&*key, format!("is given twice: also as {secret}")));
            }
            match Secret::read(Path::new(path)) {
                Ok(value) => layer.set(secret, Value::from(value.expose())),
                Err(error) => bad.push(Invalid::new(key, format!("{path} cannot be read: {error}"))),
            }
        } else if is_table(&key) {
            bad.push(Invalid::new(&*key, format!("is a table: write its settings under [{key}]")));
        } else {
            let known = SETTINGS.iter().flat_map(|setting| {
                let file = (setting.shape == Shape::Secret).then(|| format!("{}{FILE_SUFFIX}", setting.key));
                [Some(setting.key.to_owned()), file].into_iter().flatten()
            });
            bad.push(Invalid::new(&*key, unknown("setting", &key, known)));
        }
    }
    layer
}

/// The parser's message without the lines it quotes: one of them may hold a secret.
fn without_excerpt(error: &figment::Error) -> String {
    let whole = error.to_string();
    let kept: Vec<&str> = whole
        .lines()
        .filter(|line| {
            let bar = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            !bar.starts_with('|')
        })
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    kept.join(": ")
}

/// Dotted keys of everything that is not a table. A table where a setting should be stays as it
/// is, so that the reader can say what it expected.
fn flatten(prefix: &str, dict: Dict, into: &mut BTreeMap<String, Value>) {
    for (name, value) in dict {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Dict(_, dict) if settings::find(&key).is_none() && !dict.is_empty() => {
                flatten(&key, dict, into);
            }
            Value::Dict(_, dict) if dict.is_empty() && is_table(&key) => {}
            value => {
                into.insert(key, value);
            }
        }
    }
}

fn is_table(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.split_once('.').is_some_and(|(table, _)| table == key))
}

fn secret_file_key(key: &str) -> Option<&'static str> {
    let setting = settings::find(key.strip_suffix(FILE_SUFFIX)?)?;
    (setting.shape == Shape::Secret).then_some(setting.key)
}

fn variables(env: &[(OsString, OsString)], bad: &mut Vec<Invalid>) -> Vec<Layer> {
    let mut layers = Vec::new();
    let mut seen: BTreeMap<&'static str, String> = BTreeMap::new();
    for (name, value) in env {
        let name = name.to_string_lossy();
        // An empty variable is how compose files say "not set".
        if value.is_empty()
            || !name.starts_with(PREFIX)
            || FOR_THE_COMMAND_LINE.contains(&&*name)
            || is_service_link(&name)
        {
            continue;
        }
        let direct = SETTINGS.iter().find(|setting| setting.variable() == name);
        let from_file = SETTINGS
            .iter()
            .filter(|setting| setting.shape == Shape::Secret)
            .find(|setting| format!("{}{}", setting.variable(), FILE_SUFFIX.to_ascii_uppercase()) == name);
        let Some(setting) = direct.or(from_file) else {
            let known = SETTINGS.iter().flat_map(|setting| {
                let file = (setting.shape == Shape::Secret).then(|| format!("{}_FILE", setting.variable()));
                [Some(setting.variable()), file].into_iter().flatten()
            });
            bad.push(Invalid::new(&*name, unknown("variable", &name, known)));
            continue;
        };
        if let Some(other) = seen.insert(setting.key, name.to_string()) {
            bad.push(Invalid::new(&*name, format!("is given twice: also as {other}")));
        }
        let Some(value) = value.to_str() else {
            bad.push(Invalid::new(&*name, "is not UTF-8"));
            continue;
        };
        let value = if direct.is_some() {
            Value::from(value)
        } else {
            match Secret::read(Path::new(value)) {
                Ok(secret) => Value::from(secret.expose()),
                Err(error) => {
                    bad.push(Invalid::new(&*name, format!("{value} cannot be read: {error}")));
                    continue;
                }
            }
        };
        let mut layer = Layer { origin: name.to_string(), values: Dict::new() };
        layer.set(setting.key, value);
        layers.push(layer);
    }
    layers
}

/// Variables that Docker and Kubernetes put into every container beside a service named
/// `quorate`; they are nobody's mistake.
fn is_service_link(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    rest == "PORT"
        || rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn unknown(what: &str, name: &str, known: impl Iterator<Item = String>) -> String {
    match closest(name, known) {
        Some(known) => format!("no such {what}; did you mean `{known}`?"),
        None => format!("no such {what}"),
    }
}

/// The known name nearest to `name`, if it is near enough to be a slip of the fingers.
fn closest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let tail = |text: &str| text.rsplit('.').next().unwrap_or(text).to_owned();
    known
        .map(|known| {
            // A key in the wrong table is as near as one with a wrong letter.
            let elsewhere = if tail(&known) == tail(name) { 1 } else { usize::MAX };
            (distance(name, &known).min(elsewhere), known)
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + name.len() / 5)
        .map(|(_, known)| known)
}

/// Edits between two words: insert, delete, replace, or swap two neighbours.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, letter) in a.chars().enumerate() {
        let mut current = Vec::with_capacity(last.len());
        current.push(row + 1);
        for (column, other) in b.iter().enumerate() {
            let replace = last[column] + usize::from(letter != *other);
            let mut best = replace.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = column > 0 && previous == Some(*other) && b[column - 1] == letter;
            if swapped && let Some(swap) = before_last.get(column - 1) {
                best = best.min(swap + 1);
            }
            current.push(best);
        }
        previous = Some(letter);
        before_last = std::mem::replace(&mut last, current);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("http", "http", 0),
            ("htpt", "http", 1),
            ("htp", "http", 1),
            ("kitten", "sitting", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = || SETTINGS.iter().map(|setting| setting.key.to_owned());
        for (typed, meant) in [
            ("data_dri", Some("data_dir")),
            ("heartbeat_ms", Some("raft.heartbeat_ms")),
            ("raft.hartbeat_ms", Some("raft.heartbeat_ms")),
            ("https", Some("http")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(closest(typed, known()).as_deref(), meant, "{typed}");
        }
    }

    #[test]
    fn only_link_variables_are_let_pass() {
        for name in ["QUORATE_PORT", "QUORATE_SERVICE_HOST", "QUORATE_SERVICE_PORT_HTTP", "QUORATE_PORT_8080_TCP_ADDR"]
        {
            assert!(is_service_link(name), "{name}");
        }
        for name in ["QUORATE_PORTS", "QUORATE_HTTP", "QUORATE_PORT_HTTP", "QUORATE_SERVICE", "PORT"] {
            assert!(!is_service_link(name), "{name}");
        }
    }
}
