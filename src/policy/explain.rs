//! Why a decision is what it is. Beyond the reference.
//!
//! The decision of an [`Explanation`] comes from the functions that [`decide`](super::decide::decide) uses,
//! only watched; policies that a decision does not look at are then looked at as well, without effect.
//!
//! | question                             | here                        |
//! |--------------------------------------|-----------------------------|
//! | what would `evaluate` answer         | [`Explanation::decision`]   |
//! | which policies were considered       | [`Explanation::policies`]   |
//! | what did each compare                | [`Considered`], [`Step`]    |
//! | which one decided                    | [`Explanation::deciding`]   |
//! | what would have to differ            | [`Considered::change`]      |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Error,
    budget::Budget,
    condition::Scene,
    decide::{Contribution, Decision, PolicySetIndex, Request, contribution, distinct},
    fault::Fault,
    index::Compiled,
    model::Actions,
    resource::{Pattern, Resource},
    trace::{Recorder, Step},
};

/// Most policies that an explanation shows of one resource; those that the decision looked at come first.
pub const MAX_SHOWN: usize = 1000;

/// Most resources that one request may have explained.
pub const MAX_RESOURCES: usize = 100;

/// Why a policy set says what it says about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Exactly what [`decide`](super::decide::decide) says.
    pub decision: Decision,
    /// By name those that speak about the resource, then by name the others.
    pub policies: Vec<Considered>,
    /// How many more policies the set has than are shown.
    pub omitted: usize,
    /// Action → the policies that decided it: those that deny, or else those that allow.
    pub deciding: BTreeMap<String, BTreeSet<String>>,
    /// The policies whose advice left no action standing.
    pub advising: BTreeSet<String>,
}

/// What became of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    pub name: String,
    pub verdict: Verdict,
    /// The policy's resources, canonical.
    pub resources: Vec<String>,
    /// The one that matched.
    pub matched: Option<String>,
    /// The subject tree, if it came to that.
    pub subject: Option<Step>,
    /// The condition tree, if it came to that.
    pub condition: Option<Step>,
    /// Of a policy that applies.
    pub actions: Option<Actions>,
    /// What would have to differ for the policy to apply; none if it does.
    pub change: Option<Value>,
}

/// The first check that a policy did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Applies,
    Inactive,
    ResourceDiffers,
    SubjectDiffers,
    ConditionFails,
    Fault(Fault),
}

impl Verdict {
    fn name(&self) -> &'static str {
        match self {
            Self::Applies => "applies",
            Self::Inactive => "inactive",
            Self::ResourceDiffers => "resourceDiffers",
            Self::SubjectDiffers => "subjectDiffers",
            Self::ConditionFails => "conditionFails",
            Self::Fault(_) => "fault",
        }
    }
}

/// Explains every distinct resource of `request`, in the order asked. Conditions are evaluated as they are
/// for a decision: give `request` services without side effects.
///
/// # Errors
/// Those of [`decide`](super::decide::decide), repeating what is compared being work as well; and more than
/// [`MAX_RESOURCES`] resources.
pub fn explain(set: &PolicySetIndex, request: &Request<'_>) -> Result<Vec<Explanation>, Error> {
    let distinct = distinct(set, request.resources)?;
    if distinct.len() > MAX_RESOURCES {
        return Err(Error::invalid_value("resources"));
    }
    let mut budget = Budget::new(request.subject, request.circumstances.environment);
    distinct.iter().map(|(sent, resource)| explain_one(set, sent, resource, request, &mut budget)).collect()
}

fn explain_one(
    set: &PolicySetIndex,
    sent: &str,
    resource: &Resource,
    request: &Request<'_>,
    budget: &mut Budget<'_>,
) -> Result<Explanation, Error> {
    let scene = Scene::new(&request.circumstances, request.subject, resource.canonical());
    let mut decision = Decision { faults: set.unreadable().clone(), ..Decision::new(sent) };
    let (mut deciding, mut advising) = (BTreeMap::new(), BTreeSet::new());
    let mut looked_at = BTreeMap::new();
    let mut work = 0;
    let matching = set.matching(resource, request.subject, &mut work);
    budget.spend(work)?;
    for policy in matching {
        budget.ask(policy)?;
        budget.show(policy)?;
        let mut recorder = Recorder::default();
        let contributed = contribution(policy, &scene, &mut recorder);
        let name = policy.policy.name.as_str();
        if let Ok(Some(contribution)) = &contributed {
            note(&mut deciding, name, contribution.actions);
            if !contribution.advices.is_empty() {
                advising.insert(name.to_owned());
            }
        }
        looked_at.insert(name, considered(policy, resource, request, recorder, &contributed));
        decision.take(policy, contributed);
    }
    // Of those who had a say, those who say what was decided.
    let deciding = deciding
        .into_iter()
        .filter_map(|((action, allowed), names)| {
            (decision.actions.get(&action) == Some(&allowed)).then_some((action, names))
        })
        .collect();
    let all = set.by_name();
    let others = all.iter().filter(|policy| !looked_at.contains_key(policy.policy.name.as_str()));
    let others: Vec<_> = others.take(MAX_SHOWN.saturating_sub(looked_at.len())).collect();
    let mut policies: Vec<Considered> = looked_at.into_values().take(MAX_SHOWN).collect();
    // What the decision did not look at is shown as far as there is room.
    let shown = others.into_iter().take_while(|policy| budget.show(policy).is_ok());
    policies.extend(shown.map(|policy| passed_over(policy, resource, request)));
    let omitted = all.len().saturating_sub(policies.len());
    Ok(Explanation { decision, policies, omitted, deciding, advising })
}

type Said = BTreeMap<(String, bool), BTreeSet<String>>;

fn note(said: &mut Said, name: &str, actions: Option<&Actions>) {
    for (action, allowed) in actions.into_iter().flatten() {
        said.entry((action.clone(), *allowed)).or_default().insert(name.to_owned());
    }
}

/// A policy that the decision looked at.
fn considered(
    policy: &Compiled,
    resource: &Resource,
    request: &Request<'_>,
    recorder: Recorder,
    contributed: &Result<Option<Contribution<'_>>, Fault>,
) -> Considered {
    let mut steps = recorder.done.into_iter();
    let (subject, condition) = (steps.next(), steps.next());
    let verdict = match contributed {
        Ok(Some(Contribution { actions: Some(_), .. })) => Verdict::Applies,
        Ok(Some(_)) => Verdict::ConditionFails,
        Ok(None) => Verdict::SubjectDiffers,
        Err(fault) => Verdict::Fault(fault.clone()),
    };
    let change = match &verdict {
        Verdict::Applies => None,
        Verdict::Fault(Fault::NoProfile) => Some(json!({"profile": "must be known"})),
        _ => [&subject, &condition].into_iter().flatten().find_map(|step| step.to_change(true)),
    };
    let actions = (verdict == Verdict::Applies).then(|| policy.policy.action_values.clone());
    let matched = policy.matching(resource, request.subject).map(|pattern| pattern.canonical().to_owned());
    let (name, resources) = (policy.policy.name.clone(), policy.policy.resources.clone());
    Considered { name, verdict, resources, matched, subject, condition, actions, change }
}

/// A policy that the decision did not look at: its subject is looked at, for what it would say, but not its
/// condition.
fn passed_over(policy: &Compiled, resource: &Resource, request: &Request<'_>) -> Considered {
    let matched = policy.matching(resource, request.subject).map(Pattern::canonical).map(str::to_owned);
    let mut recorder = Recorder::default();
    let said = policy.policy.subject.evaluate(request.subject, &mut recorder);
    let subject = recorder.done.into_iter().next();
    let mut change: Vec<Value> = Vec::new();
    if !policy.policy.active {
        change.push(json!({"active": true}));
    }
    if matched.is_none() {
        change.push(json!({"resource": {"oneOf": policy.policy.resources}}));
    }
    change.extend(subject.iter().filter_map(|step| step.to_change(true)));
    let verdict = match (&policy.unreadable, said) {
        _ if !policy.policy.active => Verdict::Inactive,
        (Some(fault), _) if matched.is_none() => Verdict::Fault(fault.clone()),
        _ if matched.is_none() => Verdict::ResourceDiffers,
        (_, Err(fault)) => Verdict::Fault(fault),
        _ => Verdict::SubjectDiffers,
    };
    let change = if change.len() > 1 { Some(json!({"allOf": change})) } else { change.pop() };
    let (name, resources) = (policy.policy.name.clone(), policy.policy.resources.clone());
    Considered { name, verdict, resources, matched, subject, condition: None, actions: None, change }
}

impl Explanation {
    /// The row of `evaluate`, with the reasons.
    pub fn to_json(&self) -> Value {
        let mut row = json!(self.decision.row(true));
        row["policies"] = self.policies.iter().map(Considered::to_json).collect();
        row["omitted"] = json!(self.omitted);
        row["deciding"] = json!(self.deciding);
        row["advising"] = json!(self.advising);
        row
    }
}

impl Considered {
    fn to_json(&self) -> Value {
        let mut json = json!({"policy": self.name, "verdict": self.verdict.name(),
            "resource": {"matched": self.matched, "patterns": self.resources}});
        if let Verdict::Fault(fault) = &self.verdict {
            json["fault"] = json!(fault.to_string());
        }
        for (member, step) in [("subject", &self.subject), ("condition", &self.condition)] {
            if let Some(step) = step {
                json[member] = step.to_json();
            }
        }
        if let Some(actions) = &self.actions {
            json["actions"] = json!(actions);
        }
        if let Some(change) = &self.change {
            json["wouldHaveToDiffer"] = change.clone();
        }
        json
    }
}
