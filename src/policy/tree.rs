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
/// 400 when the resource has no canonical form (§2.6.4), or more than [`MAX_ENTRIES`] patterns concern it.
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
    // As a row the resource is compared like a pattern; one that could not be stored relates to nothing.
    if let Ok(own) = Pattern::parse_for(set.comparator(), resource) {
        tree.rows.push((own, Decision::new(resource)));
    }
    let mut left = MAX_ENTRIES;
    for policy in set.by_name() {
        for (pattern, decision) in entries(policy, &scene, &asked, &mut first) {
            left = left.checked_sub(1).ok_or(Error::TreeTooLarge(MAX_ENTRIES))?;
            tree.add(pattern, decision);
        }
    }
    let mut rows = tree.rows.into_iter().map(|(_, row)| row);
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
) -> Vec<(Pattern, Decision)> {
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
        return Vec::new();
    }
    let mut row = Decision::new("");
    let mut applies = false;
    if policy.policy.active {
        let contributed = contribution(policy, scene, &mut ());
        applies = matches!(&contributed, Ok(Some(contribution)) if contribution.actions.is_some());
        row.take(policy, contributed);
        first.faults.append(&mut row.faults);
        first.effects.append(&mut row.effects);
    }
    let named = |(reading, stored): (Pattern, &str)| (reading, Decision { resource: stored.to_owned(), ..row.clone() });
    relevant.map(named).take(if applies { usize::MAX } else { 1 }).collect()
}

/// Rows with what their resources are compared as.
struct Tree {
    rows: Vec<(Pattern, Decision)>,
}

impl Tree {
    fn add(&mut self, pattern: Pattern, mut entry: Decision) {
        let mut known = false;
        for (at, row) in &mut self.rows {
            match at.relation(&pattern) {
                Fit::Exact => {
                    row.merge_row(&entry);
                    known = true;
                }
                Fit::Sub => row.merge_row(&entry),
                Fit::Super | Fit::Wild => entry.merge_row(row),
                Fit::No => {}
            }
        }
        if !known {
            self.rows.push((pattern, entry));
        }
    }
}
