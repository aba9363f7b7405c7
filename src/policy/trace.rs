//! Watching an evaluation: the same code decides and explains, and only who watches differs.

use serde_json::{Value, json};

use super::fault::Fault;

/// Told each step of an evaluation. `()` watches nothing, at no cost.
pub(crate) trait Observer {
    /// A node of a subject or condition tree is looked at.
    fn enter(&mut self, _kind: &'static str, _written: impl FnOnce() -> Value) {}
    /// Two values are compared.
    fn compared(&mut self, _comparison: impl FnOnce() -> Comparison) {}
    /// The node looked at last is done.
    fn leave(&mut self, _answer: impl FnOnce() -> Answer) {}
    /// A node is not looked at, because the ones before it have decided.
    fn skipped(&mut self, _kind: &'static str, _written: impl FnOnce() -> Value) {}
}

impl Observer for () {}

/// What a node compared: the member of the policy, and what the request had to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What of the request was looked at: `claims.subject`, `environment.requestIp`, `session.authLevel`.
    pub of: String,
    /// What the policy wants.
    pub wanted: Value,
    /// What there was; null if nothing.
    pub found: Value,
}

impl Comparison {
    pub(crate) fn new(of: impl Into<String>, wanted: impl Into<Value>, found: impl Into<Value>) -> Self {
        Self { of: of.into(), wanted: wanted.into(), found: found.into() }
    }

    fn to_json(&self) -> Value {
        json!({"of": self.of, "wanted": self.wanted, "found": self.found})
    }
}

/// What a node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Satisfied,
    NotSatisfied,
    Fault(Fault),
    /// Not looked at: what came before had decided.
    Skipped,
}

impl Answer {
    pub(crate) fn of(said: Result<bool, &Fault>) -> Self {
        match said {
            Ok(true) => Self::Satisfied,
            Ok(false) => Self::NotSatisfied,
            Err(fault) => Self::Fault(fault.clone()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::NotSatisfied => "notSatisfied",
            Self::Fault(_) => "fault",
            Self::Skipped => "skipped",
        }
    }
}

/// One node of an evaluated tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The node's `type`.
    pub kind: &'static str,
    /// As in the policy; of logical nodes only the type, since their children follow.
    pub written: Value,
    pub answer: Answer,
    pub compared: Vec<Comparison>,
    pub steps: Vec<Step>,
}

impl Step {
    /// As an explanation shows it.
    pub fn to_json(&self) -> Value {
        let mut step = json!({"type": self.kind, "answer": self.answer.name()});
        if let Answer::Fault(fault) = &self.answer {
            step["fault"] = json!(fault.to_string());
        }
        if !self.compared.is_empty() {
            step["compared"] = self.compared.iter().map(Comparison::to_json).collect();
        }
        match self.steps.as_slice() {
            [] => step["written"] = self.written.clone(),
            steps => step["children"] = steps.iter().map(Self::to_json).collect(),
        }
        step
    }

    /// What would have to differ for this node to be satisfied (or, if `wanted` is false, not satisfied);
    /// `None` when it is so already. What was skipped is taken to be as needed.
    pub(crate) fn to_change(&self, wanted: bool) -> Option<Value> {
        match (&self.answer, wanted) {
            (Answer::Satisfied, true) | (Answer::NotSatisfied, false) | (Answer::Skipped, _) => return None,
            _ => {}
        }
        let of_children = |wanted| self.steps.iter().filter_map(|step| step.to_change(wanted)).collect::<Vec<_>>();
        let change = match (self.kind, wanted) {
            ("AND", true) | ("OR", false) if !self.steps.is_empty() => json!({"allOf": of_children(wanted)}),
            ("AND", false) | ("OR", true) if !self.steps.is_empty() => json!({"anyOf": of_children(wanted)}),
            ("NOT", _) if !self.steps.is_empty() => return self.steps.iter().find_map(|step| step.to_change(!wanted)),
            _ => {
                let mut change = json!({"type": self.kind, "must": if wanted { "hold" } else { "not hold" },
                    "written": self.written});
                if !self.compared.is_empty() {
                    change["compared"] = self.compared.iter().map(Comparison::to_json).collect();
                }
                change
            }
        };
        Some(change)
    }
}

/// Remembers every step.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Nodes entered and not yet left, outermost first.
    open: Vec<Step>,
    /// Trees that are done.
    pub done: Vec<Step>,
}

impl Recorder {
    fn add(&mut self, step: Step) {
        match self.open.last_mut() {
            Some(parent) => parent.steps.push(step),
            None => self.done.push(step),
        }
    }
}

impl Observer for Recorder {
    fn enter(&mut self, kind: &'static str, written: impl FnOnce() -> Value) {
        let (compared, steps) = (Vec::new(), Vec::new());
        self.open.push(Step { kind, written: written(), answer: Answer::Skipped, compared, steps });
    }

    fn compared(&mut self, comparison: impl FnOnce() -> Comparison) {
        if let Some(step) = self.open.last_mut() {
            step.compared.push(comparison());
        }
    }

    fn leave(&mut self, answer: impl FnOnce() -> Answer) {
        if let Some(step) = self.open.pop() {
            self.add(Step { answer: answer(), ..step });
        }
    }

    fn skipped(&mut self, kind: &'static str, written: impl FnOnce() -> Value) {
        let (compared, steps) = (Vec::new(), Vec::new());
        self.add(Step { kind, written: written(), answer: Answer::Skipped, compared, steps });
    }
}
