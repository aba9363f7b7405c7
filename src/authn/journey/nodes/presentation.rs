//! What is shown: pages, choices, messages, waiting.

use super::{Fault, Node, Prompt, Step, Visit};
use crate::authn::journey::{
    callback::{self, Callback},
    model,
    state::{self, Inputs},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Most nodes of a page.
const MAX_CHILDREN: usize = 32;

/// `PageNode`: the callbacks of several nodes in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Page {
    nodes: Vec<Child>,
    page_header: Map<String, Value>,
    page_description: Map<String, Value>,
    stage: Option<String>,
}

/// A node on a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Child {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "nodeType")]
    node_type: String,
}

impl Page {
    async fn child(&self, visit: &mut Visit<'_, '_>, n: usize, answers: &[callback::Answer]) -> Result<Step, Fault> {
        let Some(Child { id, node_type }) = self.nodes.get(n) else { return Err(Fault::of("the page has changed")) };
        if ["PageNode", "InnerTreeEvaluatorNode"].contains(&node_type.as_str()) {
            return Err(Fault::of(format!("a page cannot have a node of type {node_type}")));
        }
        let config = model::node(visit.scene.desk, visit.scene.realm, node_type, id);
        let config = config.ok_or_else(|| Fault::of(format!("there is no node {node_type} {id}")))?;
        let mut inner = Visit { scene: visit.scene, journey: visit.journey, id, answers };
        // A page is no part of a page, so this goes one level deep; the compiler does not know.
        Box::pin(config.visit(&mut inner)).await
    }

    /// Asks what the children ask. A child that cannot do its work before others are answered waits for that.
    async fn show(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let mut page = state::Page::default();
        let mut callbacks = Vec::new();
        for n in 0..self.nodes.len() {
            let (asked, outcome) = match self.child(visit, n, &[]).await {
                Ok(Step::Ask(prompt)) => {
                    let asked = prompt.callbacks.len();
                    callbacks.extend(prompt.callbacks);
                    (asked, None)
                }
                Ok(Step::Outcome(outcome)) => (0, Some(outcome.into_owned())),
                Err(Fault::Node(_)) if !callbacks.is_empty() => (0, None),
                Err(fault) => return Err(fault),
            };
            page.asked.push(asked);
            page.outcomes.push(outcome);
        }
        if callbacks.is_empty() {
            let last = page.outcomes.pop().flatten();
            return last.map(|outcome| Step::Outcome(outcome.into())).ok_or_else(|| Fault::of("the page is empty"));
        }
        visit.journey.page = page;
        let text = |texts| visit.scene.request.choose(texts).map(str::to_owned);
        Ok(Step::Ask(Prompt {
            callbacks,
            stage: self.stage.clone().filter(|stage| !stage.is_empty()),
            header: text(&self.page_header),
            description: text(&self.page_description),
            from_page: true,
        }))
    }
}

impl Node for Page {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        if self.nodes.len() > MAX_CHILDREN {
            return Err(Fault::of(format!("a page has {MAX_CHILDREN} nodes at most")));
        }
        if visit.answers.is_empty() {
            return self.show(visit).await;
        }
        let page = std::mem::take(&mut visit.journey.page);
        if page.asked.len() != self.nodes.len() || page.asked.iter().sum::<usize>() != visit.answers.len() {
            return Err(Fault::of("the page has changed since it was shown"));
        }
        let (mut given, mut again, mut last) = (visit.answers, false, None);
        for (n, (count, outcome)) in page.asked.into_iter().zip(page.outcomes).enumerate() {
            let (own, rest) = given.split_at_checked(count).unwrap_or_default();
            given = rest;
            last = match outcome {
                Some(outcome) => Some(outcome.into()),
                None => match self.child(visit, n, own).await? {
                    Step::Outcome(outcome) => Some(outcome),
                    Step::Ask(_) => {
                        again = true;
                        None
                    }
                },
            };
        }
        match last {
            // Whoever left something out sees the whole page again.
            _ if again => self.show(visit).await,
            Some(outcome) => Ok(Step::Outcome(outcome)),
            None => Err(Fault::of("the page is empty")),
        }
    }

    fn inputs(&self) -> Inputs {
        // Its children are read where they run.
        Inputs::All
    }
}

/// `ChoiceCollectorNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChoiceCollector {
    choices: Vec<String>,
    default_choice: String,
    prompt: String,
}

impl Node for ChoiceCollector {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        match visit.answers.first() {
            Some(answer) => {
                let chosen = self.choices.get(answer.choice()).cloned();
                chosen.map(|choice| Step::Outcome(choice.into())).ok_or_else(|| Fault::of("there is no such choice"))
            }
            None if self.choices.is_empty() => Err(Fault::of("there is nothing to choose")),
            None => {
                let default = self.choices.iter().position(|choice| *choice == self.default_choice);
                Step::ask(vec![Callback::choice(&self.prompt, &self.choices, default.unwrap_or_default())])
            }
        }
    }
}

/// `MessageNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Message {
    message: Map<String, Value>,
    message_yes: Map<String, Value>,
    message_no: Map<String, Value>,
    state_field: Option<String>,
}

impl Node for Message {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        if let Some(answer) = visit.answers.get(1) {
            let yes = answer.choice() == 0;
            if let Some(field) = self.state_field.as_deref().filter(|field| !field.is_empty()) {
                visit.journey.state.put_shared(field, answer.choice());
            }
            return Step::decided(yes);
        }
        let text = |texts, default| visit.scene.request.localized(texts, default);
        let options = [text(&self.message_yes, "Yes"), text(&self.message_no, "No")].map(str::to_owned);
        Step::ask(vec![
            Callback::text_output(callback::Message::Information, text(&self.message, "Default message")),
            Callback::confirmation("", &options, 1),
        ])
    }
}

/// `PollingWaitNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PollingWait {
    seconds_to_wait: u64,
    spam_detection_enabled: bool,
    spam_detection_tolerance: u64,
    waiting_message: Map<String, Value>,
    exitable: bool,
    exit_message: Map<String, Value>,
}

impl Default for PollingWait {
    fn default() -> Self {
        Self {
            seconds_to_wait: 8,
            spam_detection_enabled: false,
            spam_detection_tolerance: 3,
            waiting_message: Map::new(),
            exitable: false,
            exit_message: Map::new(),
        }
    }
}

impl Node for PollingWait {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let (until, early) = (format!("{}.until", visit.id), format!("{}.early", visit.id));
        let now = visit.scene.now.0;
        let state = &mut visit.journey.state;
        let number = |value: Option<&Value>| value.and_then(Value::as_u64);
        if visit.answers.is_empty() {
            let wait = self.seconds_to_wait.saturating_mul(1000);
            state.put_shared(&until, now.saturating_add(wait));
            state.remove(&early);
        } else {
            let done = number(state.get(&until)).is_some_and(|until| now >= until);
            let exits = visit.answers.get(1).is_some_and(|answer| answer.choice() == 0);
            let come = number(state.get(&early)).unwrap_or_default() + 1;
            let spam = self.spam_detection_enabled && come > self.spam_detection_tolerance;
            let outcome = match (exits, done, spam) {
                (true, ..) => Some("EXITED"),
                (_, true, _) => Some("DONE"),
                (_, _, true) => Some("SPAM"),
                _ => None,
            };
            if let Some(outcome) = outcome {
                state.remove(&until);
                state.remove(&early);
                return Step::to(outcome);
            }
            state.put_shared(&early, come);
        }
        let left = number(state.get(&until)).unwrap_or_default().saturating_sub(now);
        let text = |texts, default| visit.scene.request.localized(texts, default);
        let mut callbacks = vec![Callback::polling_wait(left, text(&self.waiting_message, "Please wait"))];
        if self.exitable {
            callbacks.push(Callback::way_out(text(&self.exit_message, "Exit")));
        }
        Step::ask(callbacks)
    }
}

/// `MetadataNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    attributes: Vec<String>,
}

impl Node for Metadata {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        if !visit.answers.is_empty() {
            return Step::done();
        }
        // What is shown to everybody is shared state, and nothing that is kept from the client.
        let known = |name: &String| Some((name.clone(), visit.journey.state.shared(name)?.clone()));
        Step::ask(vec![Callback::metadata(self.attributes.iter().filter_map(known).collect())])
    }
}
