//! What an import did, or would do, object by object.

use super::{Item, Left};
use serde_json::{Value, json};
use std::fmt;

/// What came of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is there as the file has it: new.
    Created,
    /// It is there as the file has it: it was another before.
    Updated,
    /// It was there already.
    Unchanged,
    /// It cannot be here.
    Unsupported,
    /// It should be there, and is not.
    Failed,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

/// How true to the file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// As the file has it.
    Exact,
    /// With changes, which the notes tell.
    Adapted,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The realm.
    pub realm: String,
    /// What it is, with its id.
    pub object: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What was changed, or why not.
    pub notes: Vec<String>,
}

impl Entry {
    /// About an object.
    pub fn new(item: &Item, verdict: Verdict, more: impl IntoIterator<Item = String>) -> Self {
        let notes = item.notes.iter().cloned().chain(more).collect();
        Self { realm: item.realm.clone(), object: item.to_string(), verdict, notes }
    }

    /// Whether it is as in the file; of what is not there, nothing can be said.
    pub fn fidelity(&self) -> Option<Fidelity> {
        match self.verdict {
            Verdict::Unsupported | Verdict::Failed => None,
            _ if self.notes.is_empty() => Some(Fidelity::Exact),
            _ => Some(Fidelity::Adapted),
        }
    }

    fn fidelity_name(&self) -> &'static str {
        match self.fidelity() {
            None => "",
            Some(Fidelity::Exact) => "exact",
            Some(Fidelity::Adapted) => "adapted",
        }
    }
}

impl From<&Left> for Entry {
    fn from(left: &Left) -> Self {
        Self {
            realm: left.realm.clone(),
            object: format!("{} {}", left.what, left.id),
            verdict: Verdict::Unsupported,
            notes: vec![left.why.clone()],
        }
    }
}

/// All lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The lines, in the order of the work.
    pub entries: Vec<Entry>,
}

impl Report {
    fn count(&self, verdict: Verdict) -> usize {
        self.entries.iter().filter(|entry| entry.verdict == verdict).count()
    }

    /// Whether everything that could be imported was.
    pub fn is_ok(&self) -> bool {
        self.count(Verdict::Failed) == 0
    }

    /// Whether everything is as in the files.
    pub fn is_exact(&self) -> bool {
        self.entries.iter().all(|entry| entry.fidelity() == Some(Fidelity::Exact))
    }

    /// For machines.
    pub fn to_json(&self) -> Value {
        let entries: Vec<Value> = self
            .entries
            .iter()
            .map(|entry| {
                json!({
                    "realm": entry.realm, "object": entry.object, "verdict": entry.verdict.name(),
                    "fidelity": entry.fidelity().map(|_| entry.fidelity_name()), "notes": entry.notes,
                })
            })
            .collect();
        json!({ "dryRun": self.dry_run, "objects": entries })
    }
}

/// Text of a file or of a server on a terminal: no control characters, on one line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            let Entry { realm, object, verdict, notes } = entry;
            let (realm, object) = (printable(realm), printable(object));
            writeln!(f, "{:<11} {:<7} {realm:<12} {object}", verdict.name(), entry.fidelity_name())?;
            for note in notes {
                writeln!(f, "{:>20} {}", "", printable(note))?;
            }
        }
        let adapted = self.entries.iter().filter(|entry| entry.fidelity() == Some(Fidelity::Adapted)).count();
        let would = if self.dry_run { "nothing was written; would be: " } else { "" };
        write!(
            f,
            "{} objects: {would}{} created, {} updated, {} unchanged ({adapted} of them adapted), {} unsupported, {} failed",
            self.entries.len(),
            self.count(Verdict::Created),
            self.count(Verdict::Updated),
            self.count(Verdict::Unchanged),
            self.count(Verdict::Unsupported),
            self.count(Verdict::Failed),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_and_hides_nothing() {
        let entry = |verdict, notes: &[&str]| Entry {
            realm: "/alpha".into(),
            object: "policy p\u{1b}[2J".into(),
            verdict,
            notes: notes.iter().map(|&note| note.to_owned()).collect(),
        };
        let mut report =
            Report { dry_run: true, entries: vec![entry(Verdict::Created, &[]), entry(Verdict::Unchanged, &[])] };
        assert!(report.is_ok() && report.is_exact());
        report.entries.push(entry(Verdict::Updated, &["x left\nout"]));
        assert!(report.is_ok() && !report.is_exact());
        report.entries.push(entry(Verdict::Unsupported, &["no such thing"]));
        assert!(report.is_ok());
        report.entries.push(entry(Verdict::Failed, &["400 no"]));
        assert!(!report.is_ok());
        let text = report.to_string();
        for part in
            ["created     exact   /alpha       policy p [2J", "adapted", "x left out", "no such thing", "400 no"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let last = "5 objects: nothing was written; would be: 1 created, 1 updated, 1 unchanged (1 of them adapted), \
                    1 unsupported, 1 failed";
        assert!(text.ends_with(last), "{text}");
        assert_eq!(report.to_json()["objects"][2]["fidelity"], "adapted");
    }
}
