//! Decides a resource and whatever policies say at, below and above it: `evaluateTree` (§6.8).
//!
//! | reference                                    | here                         |
//! |----------------------------------------------|------------------------------|
//! | §6.8 step 1: the resource itself, empty      | [`evaluate_tree`]            |
//! | §6.8 step 2: which patterns are relevant     | `Pattern::is_relevant_for`   |
//! | §6.8 step 3: one contribution per pattern    | `entries`                    |
//! | §6.8 step 4: who is merged into whom         | `Tree::add`                  |
//! | "process policies by name for determinism"   | [`evaluate_tree`]            |

use super::{
    Error,
    budget::Budget,
    condition::Scene,
    decide::{Circumstances, Decision, PolicySetIndex, contribution},
    index::Compiled,
    resource::{Fit, Pattern, Resource},
    subject::Subject,
};

/// Most contributions to one tree: the work grows with their square.
pub const MAX_ENTRIES: usize = 1000;

/// The row of `resource`, as sent, then one per policy pattern that concerns it.
///
/// # Errors
/// 400 when the resource has no canonical form (§2.6.4), more than [`MAX_ENTRIES`] patterns concern it, or there is more work
/// than a request may cause.
pub fn evaluate_tree(
    set: &PolicySetIndex,
    resource: &str,
    subject: &Subject,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<Decision>, Error> {
    let asked = set.resource(resource)?;
    let scene = Scene::new(circumstances, subject, asked.canonical());
    let mut first = Decision { faults: set.unreadable().clone(), ..Decision::new(resource) };
    let mut tree = Tree { rows: Vec::new() };
    let mut budget = Budget::new(subject, circumstances.environment);
    // As a row the resource is compared like a pattern; one that could not be stored relates to nothing.
    if let Ok(own) = Pattern::parse_for(set.comparator(), resource) {
        tree.rows.push(Row { pattern: own, decision: Decision::new(resource) });
    }
    let mut left = MAX_ENTRIES;
    for policy in set.by_name() {
        for (pattern, decision) in entries(policy, &scene, &asked, &mut first, &mut budget)? {
            left = left.checked_sub(1).ok_or(Error::TreeTooLarge(MAX_ENTRIES))?;
            tree.add(Row { pattern, decision }, &mut budget)?;
        }
    }
    let mut rows = tree.rows.into_iter().map(|row| row.decision);
    if let Some(row) = rows.next() {
        first = Decision { faults: first.faults, effects: first.effects, ..row };
    }
    Ok(std::iter::once(first).chain(rows).collect())
}

/// What `policy` contributes to a tree of `resource`: a row per relevant pattern if it applies, and
/// otherwise one without actions. Its faults and effects go to `first`.
fn entries<'a>(
    policy: &'a Compiled,
    scene: &Scene<'a>,
    resource: &Resource,
    first: &mut Decision,
    budget: &mut Budget<'_>,
) -> Result<Vec<(Pattern, Decision)>, Error> {
    let length = resource.folded().len();
    let looked_at = |pattern: &Pattern| comparison(pattern.folded().len() + length);
    budget.spend(policy.patterns.iter().map(looked_at).sum())?;
    let relevant = policy.patterns.iter().filter_map(|pattern| {
        let mut readings = vec![pattern.clone()];
        if pattern.names_principal() {
            readings = scene.subject.principal_names().filter_map(|name| pattern.for_principal(name)).collect();
        }
        let reading = readings.into_iter().find(|reading| reading.is_relevant_for(resource));
        reading.map(|reading| (reading, pattern.canonical()))
    });
    let mut relevant = relevant.peekable();
    if relevant.peek().is_none() {
        return Ok(Vec::new());
    }
    budget.ask(policy)?;
    let mut row = Decision::new("");
    let mut applies = false;
    if policy.policy.active {
        let contributed = contribution(policy, scene, &mut ());
        applies = matches!(&contributed, Ok(Some(contribution)) if contribution.actions.is_some());
        row.take(policy, contributed);
        first.faults.append(&mut row.faults);
        first.effects.append(&mut row.effects);
    }
    let count = if applies { usize::MAX } else { 1 };
    let mut named = Vec::new();
    for (reading, stored) in relevant.take(count) {
        budget.copy(&row)?;
        named.push((reading, Decision { resource: stored.to_owned(), ..row.clone() }));
    }
    Ok(named)
}

/// What comparing so many bytes costs; most of a tree's patterns are compared with each other.
fn comparison(bytes: usize) -> u64 {
    u64::try_from(bytes / 64).unwrap_or(u64::MAX).saturating_add(1)
}

/// Rows with what their resources are compared as.
struct Tree {
    rows: Vec<Row>,
}

struct Row {
    pattern: Pattern,
    decision: Decision,
}

impl Row {
    fn take(&mut self, other: &Row, budget: &mut Budget<'_>) -> Result<(), Error> {
        budget.copy(&other.decision)?;
        self.decision.merge_row(&other.decision);
        Ok(())
    }
}

impl Tree {
    fn add(&mut self, mut entry: Row, budget: &mut Budget<'_>) -> Result<(), Error> {
        let mut known = false;
        for row in &mut self.rows {
            budget.spend(comparison(row.pattern.folded().len() + entry.pattern.folded().len()))?;
            match row.pattern.relation(&entry.pattern) {
                Fit::Exact => {
                    row.take(&entry, budget)?;
                    known = true;
                }
                Fit::Sub => row.take(&entry, budget)?,
                Fit::Super | Fit::Wild => entry.take(row, budget)?,
                Fit::No => {}
            }
        }
        if !known {
            self.rows.push(entry);
        }
        Ok(())
    }
}
