//! Runs trees (authn-sessions-realms.md a.16): from node to node, into inner trees and out again, until something is asked or
//! the end is reached.
//!
//! | bound                          | why                                                    |
//! |--------------------------------|--------------------------------------------------------|
//! | [`MAX_VISITS`] nodes a request | a loop that asks nothing must not run for ever         |
//! | [`MAX_DEPTH`] trees in trees   | a tree that evaluates itself must not grow for ever    |
//! | [`MAX_JOURNEY_MINUTES`]        | what is spent is remembered until the journey is over  |

use super::{
    callback::{Answer, MAX_CALLBACKS},
    model::{self, FAILURE, SUCCESS, Tree},
    nodes::{Fault, NodeConfig, Prompt, Step, Visit},
    scene::Scene,
    state::{Frame, Inputs, Journey},
};
use crate::authn::events::{AuthenticationEvent, record};
use std::{collections::BTreeSet, sync::Arc};

/// Most nodes that run for one request.
pub const MAX_VISITS: usize = 64;

/// Most trees inside each other.
pub const MAX_DEPTH: usize = 8;

/// Longest life of a journey, minutes.
pub const MAX_JOURNEY_MINUTES: u64 = 24 * 60;

/// Where a run comes to rest.
pub enum Halt {
    /// Something is asked.
    Asks(Prompt),
    /// The end, well or badly.
    Ends(bool),
}

/// Sets when the journey is over, seconds, within bounds.
pub fn extend(journey: &mut Journey, expires: u64) {
    journey.expires = expires.clamp(journey.started, journey.started.saturating_add(MAX_JOURNEY_MINUTES * 60));
}

fn tree(scene: &Scene<'_>, name: &str) -> Result<Arc<Tree>, Fault> {
    let found = model::tree(scene.desk, scene.realm, name);
    found.ok_or_else(|| Fault::of(format!("there is no tree {name}, or it is disabled")))
}

/// Goes into a tree.
///
/// # Errors
/// When it cannot be used, or is too deep.
pub fn enter(scene: &Scene<'_>, journey: &mut Journey, name: &str) -> Result<(), Fault> {
    if journey.at.len() >= MAX_DEPTH {
        return Err(Fault::of(format!("more than {MAX_DEPTH} trees are inside each other")));
    }
    let node = tree(scene, name)?.entry_node_id.clone();
    journey.at.push(Frame { tree: name.to_owned(), node });
    Ok(())
}

/// Goes where `outcome` of the node that the innermost tree is at leads.
fn follow(scene: &Scene<'_>, journey: &mut Journey, outcome: &str) -> Result<(), Fault> {
    let Some(Frame { tree: name, node }) = journey.at.last() else { return Err(nowhere()) };
    let tree = tree(scene, name)?;
    let place = tree.nodes.get(node).ok_or_else(|| Fault::of(format!("tree {name} has no node {node}")))?;
    let next = place.connections.get(outcome).cloned();
    let next = next.ok_or_else(|| Fault::of(format!("outcome {outcome} of {} leads nowhere", place.node_type)))?;
    let principal = journey.username();
    let node_type = place.node_type.as_str();
    record(scene.desk, scene.realm, AuthenticationEvent::Node { service: name, node_type, node, outcome, principal });
    if let Some(frame) = journey.at.last_mut() {
        frame.node = next;
    }
    Ok(())
}

fn nowhere() -> Fault {
    Fault::of("the journey is nowhere")
}

/// Runs `journey` on. `answers` are for the node that asked last.
///
/// # Errors
/// When a node cannot do its work.
pub async fn run(scene: &Scene<'_>, journey: &mut Journey, mut answers: Vec<Answer>) -> Result<Halt, Fault> {
    for _ in 0..MAX_VISITS {
        let Some(frame) = journey.at.last().cloned() else { return Err(nowhere()) };
        let end = match frame.node.as_str() {
            SUCCESS => Some(true),
            FAILURE => Some(false),
            _ => None,
        };
        let step = match end {
            Some(well) => {
                journey.at.pop();
                if journey.at.is_empty() {
                    return Ok(Halt::Ends(well));
                }
                Step::decided(well)
            }
            None => visit(scene, journey, &frame, &std::mem::take(&mut answers)).await,
        };
        match step {
            Ok(Step::Outcome(outcome)) if !outcome.is_empty() => follow(scene, journey, &outcome)?,
            Ok(Step::Outcome(_)) => {} // into an inner tree
            Ok(Step::Ask(prompt)) => return pause(scene, journey, prompt),
            Err(Fault::Node(cause)) => {
                let (service, node) = (frame.tree.as_str(), frame.node.as_str());
                record(scene.desk, scene.realm, AuthenticationEvent::Fault { service, node, cause: &cause });
                caught(scene, journey)?;
            }
            Err(other) => return Err(other),
        }
    }
    Err(Fault::of(format!("more than {MAX_VISITS} nodes ran and asked nothing")))
}

async fn visit(scene: &Scene<'_>, journey: &mut Journey, frame: &Frame, answers: &[Answer]) -> Result<Step, Fault> {
    let config = config(scene, frame)?;
    if let NodeConfig::InnerTree(inner) = &*config {
        enter(scene, journey, &inner.tree)?;
        return Ok(Step::Outcome("".into()));
    }
    let mut visit = Visit { scene, journey, id: &frame.node, answers };
    config.visit(&mut visit).await
}

fn config(scene: &Scene<'_>, frame: &Frame) -> Result<Arc<NodeConfig>, Fault> {
    let tree = tree(scene, &frame.tree)?;
    let place = tree.nodes.get(&frame.node);
    let node_type = &place.ok_or_else(|| Fault::of(format!("the tree has no node {}", frame.node)))?.node_type;
    let found = model::node(scene.desk, scene.realm, node_type, &frame.node);
    found.ok_or_else(|| Fault::of(format!("there is no {node_type} {}", frame.node)))
}

/// A fault inside a tree whose evaluator has an outcome for it ends there; any other ends the journey.
fn caught(scene: &Scene<'_>, journey: &mut Journey) -> Result<(), Fault> {
    while journey.at.len() > 1 {
        journey.at.pop();
        let Some(outer) = journey.at.last() else { break };
        if matches!(&*config(scene, outer)?, NodeConfig::InnerTree(inner) if inner.display_error_outcome) {
            return follow(scene, journey, "error");
        }
    }
    Err(Fault::of("a node failed"))
}

fn pause(scene: &Scene<'_>, journey: &mut Journey, prompt: Prompt) -> Result<Halt, Fault> {
    if prompt.callbacks.is_empty() || prompt.callbacks.len() > MAX_CALLBACKS {
        return Err(Fault::of(format!("a step has one to {MAX_CALLBACKS} callbacks")));
    }
    journey.asked = prompt.callbacks.iter().map(|callback| callback.asked()).collect();
    let ahead = journey.at.iter().map(|frame| ahead(scene, frame)).fold(Inputs::None, Inputs::and);
    journey.state.pause(&ahead);
    Ok(Halt::Asks(prompt))
}

/// What the nodes that can still be reached in this tree may ask for.
fn ahead(scene: &Scene<'_>, from: &Frame) -> Inputs {
    let Ok(tree) = tree(scene, &from.tree) else { return Inputs::None };
    let (mut seen, mut next, mut inputs) = (BTreeSet::new(), vec![from.node.as_str()], Inputs::None);
    while let Some(id) = next.pop() {
        let Some(place) = tree.nodes.get(id).filter(|_| seen.insert(id)) else { continue };
        if let Some(config) = model::node(scene.desk, scene.realm, &place.node_type, id) {
            inputs = inputs.and(config.inputs());
        }
        next.extend(place.connections.values().map(String::as_str));
    }
    inputs
}
