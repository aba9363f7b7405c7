//! Scripted decisions (authn-sessions-realms.md a.17): the seam to a script engine. Until one is plugged in, such a node
//! fails where it is reached, and says so in the log.

use super::{Fault, Node, Step, Visit};
use crate::authn::journey::state::Inputs;
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;

/// Configuration of a scripted decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ScriptedDecision {
    /// Id of the script.
    pub script: String,
    /// What it may come to.
    #[serde(default)]
    pub outcomes: Vec<String>,
    /// Keys of the state that it reads; `*` for any.
    #[serde(default = "any")]
    pub inputs: Vec<String>,
    /// Keys of the state that it writes; `*` for any.
    #[serde(default = "any")]
    pub outputs: Vec<String>,
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Runs the script of a node.
pub trait Scripts {
    /// What the script comes to: one of the node's outcomes, or callbacks.
    fn decide<'f>(
        &'f self,
        node: &'f ScriptedDecision,
        visit: &'f mut Visit<'_, '_>,
    ) -> LocalBoxFuture<'f, Result<Step, Fault>>;
}

/// No engine.
pub struct Unsupported;

impl Scripts for Unsupported {
    fn decide<'f>(
        &'f self,
        node: &'f ScriptedDecision,
        _: &'f mut Visit<'_, '_>,
    ) -> LocalBoxFuture<'f, Result<Step, Fault>> {
        Box::pin(async move { Err(Fault::of(format!("script {}: scripts are unsupported here", node.script))) })
    }
}

impl Node for ScriptedDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let step = Unsupported.decide(self, visit).await?;
        match &step {
            Step::Outcome(outcome) if !self.outcomes.iter().any(|known| known == outcome) => {
                Err(Fault::of(format!("Invalid outcome from script, '{outcome}'")))
            }
            _ => Ok(step),
        }
    }

    fn inputs(&self) -> Inputs {
        match self.inputs.iter().any(|key| key == "*") {
            true => Inputs::All,
            false => Inputs::keys(self.inputs.iter().map(String::as_str)),
        }
    }
}
