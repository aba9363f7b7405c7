//! Where the journey leads, what is told at its end, how long it may take, and what is measured on the way.

use super::{Fault, Node, Step, Visit, data::set_properties};
use crate::{authn::journey::engine::extend, host};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `SetSuccessUrlNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetSuccessUrl {
    success_url: String,
}

impl Node for SetSuccessUrl {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        visit.journey.state.put_shared("successUrl", self.success_url.as_str());
        Step::done()
    }
}

/// `SetFailureUrlNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetFailureUrl {
    failure_url: String,
}

impl Node for SetFailureUrl {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        visit.journey.state.put_shared("failureUrl", self.failure_url.as_str());
        Step::done()
    }
}

/// `SetSuccessDetailsNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetSuccessDetails {
    success_details: Map<String, Value>,
    session_properties: BTreeMap<String, String>,
}

impl Node for SetSuccessDetails {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        set_properties(visit.journey, &self.session_properties)?;
        visit.journey.success_details.extend(self.success_details.clone());
        Step::done()
    }
}

/// `SetFailureDetailsNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetFailureDetails {
    failure_message: Map<String, Value>,
    failure_details: Map<String, Value>,
}

impl Node for SetFailureDetails {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        tell(visit, &self.failure_message, &self.failure_details)
    }
}

/// `SetErrorDetailsNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetErrorDetails {
    error_message: Map<String, Value>,
    error_details: Map<String, Value>,
}

impl Node for SetErrorDetails {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        tell(visit, &self.error_message, &self.error_details)
    }
}

fn tell(visit: &mut Visit<'_, '_>, message: &Map<String, Value>, details: &Map<String, Value>) -> Result<Step, Fault> {
    if let Some(text) = visit.scene.request.choose(message) {
        visit.journey.state.put_shared("errorMessage", text);
    }
    visit.journey.failure_details.extend(details.clone());
    Step::done()
}

/// `UpdateJourneyTimeoutNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UpdateJourneyTimeout {
    operation: Operation,
    value: i64,
}

impl Default for UpdateJourneyTimeout {
    fn default() -> Self {
        Self { operation: Operation::Set, value: 5 }
    }
}

/// What to do to the timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// So many minutes from the start of the journey.
    Set,
    /// So many minutes more, or less.
    Modify,
}

impl Node for UpdateJourneyTimeout {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let from = match self.operation {
            Operation::Set => visit.journey.started,
            Operation::Modify => visit.journey.expires,
        };
        extend(visit.journey, from.saturating_add_signed(self.value.saturating_mul(60)));
        Step::done()
    }
}

/// Where the timer's start is kept, unless the configuration says otherwise.
const TIMER: &str = "TimerNodeStartTime";

fn or_timer(property: &str) -> &str {
    if property.is_empty() { TIMER } else { property }
}

/// `TimerStartNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TimerStart {
    start_time_property: String,
}

impl Node for TimerStart {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        visit.journey.state.put_shared(or_timer(&self.start_time_property), host::now().0);
        Step::done()
    }
}

/// `TimerStopNode`. Keys of metrics are free text, so what is measured goes to the log, not into labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TimerStop {
    start_time_property: String,
    metric_key: String,
}

impl Node for TimerStop {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let start = visit.journey.state.get(or_timer(&self.start_time_property)).and_then(Value::as_u64);
        let start = start.ok_or_else(|| Fault::of("the timer was not started"))?;
        let milliseconds = host::now().0.saturating_sub(start);
        tracing::info!(realm = %visit.scene.realm, key = self.metric_key, milliseconds, "a journey's timer stopped");
        Step::done()
    }
}

/// `MeterNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meter {
    metric_key: String,
}

impl Node for Meter {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        tracing::info!(realm = %visit.scene.realm, key = self.metric_key, "a journey passed a meter");
        Step::done()
    }
}

/// `DebugNode`: tells the log which values there are, and none of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Debug {}

impl Node for Debug {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let (scene, journey) = (visit.scene, &*visit.journey);
        let keys = journey.state.keys().into_iter().collect::<Vec<_>>().join(" ");
        tracing::info!(realm = %scene.realm, node = visit.id, service = journey.service.name(), keys, "state");
        Step::done()
    }
}
