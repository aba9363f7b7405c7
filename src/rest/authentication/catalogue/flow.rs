//! Flow and presentation.

use super::{ConfigType, ORDINARY, Outcome, Outcomes, attributes, flag, node, texts};
use crate::{
    crest::{Error, Object},
    rest::{
        authentication::instances::is_type_name,
        identity::is_name,
        schema::{Attribute as A, Schema, Section, any},
        scripts::contexts::TREE_DECISION_SCRIPT,
    },
};
use serde_json::Value;

/// Most nodes of one page.
const MAX_CHILDREN: usize = 50;

/// The types, in the order of the reference.
pub const TYPES: &[ConfigType] = &[
    ConfigType {
        id: "PageNode",
        name: "Page Node",
        tags: &["utilities"],
        help: "Shows several nodes on one page.",
        outcomes: Outcomes::OfLastChild,
        schema: Schema {
            sections: &[Section {
                name: "",
                title: "",
                bare: false,
                attributes: &[
                    A::map("pageHeader", "Page Header"),
                    A::map("pageDescription", "Page Description"),
                    A::text("stage", "Stage"),
                ],
            }],
            opaque: &["nodes"],
        },
        check: page,
        ..ORDINARY
    },
    node!(
        "InnerTreeEvaluatorNode",
        "Inner Tree Evaluator",
        &["utilities"],
        "Runs another journey.",
        Outcomes::Of(inner_tree),
        [A::text("tree", "Tree Name"), A::flag("displayErrorOutcome", "Display Error Outcome", false)]
    ),
    node!(
        "ScriptedDecisionNode",
        "Scripted Decision",
        &["utilities"],
        "Runs a script that decides.",
        Outcomes::Of(|config| named(texts(config, "outcomes"))),
        [
            A::default_text("script", "Script", TREE_DECISION_SCRIPT),
            A::list_of("outcomes", "Outcomes", is_name, &[]),
            A::list_of("inputs", "Script Inputs", any, &["*"]),
            A::list_of("outputs", "Script Outputs", any, &["*"]),
        ]
    ),
    node!(
        "ChoiceCollectorNode",
        "Choice Collector",
        &["utilities"],
        "Lets the user choose.",
        Outcomes::Of(|config| named(texts(config, "choices"))),
        [
            A::list_of("choices", "Choices", is_name, &[]),
            A::text("defaultChoice", "Default Choice"),
            A::text("prompt", "Prompt"),
        ]
    ),
    node!(
        "MessageNode",
        "Message Node",
        &["utilities"],
        "Shows a message with two answers.",
        Outcomes::TrueFalse,
        [
            A::map("message", "Message"),
            A::map("messageYes", "Positive Answer"),
            A::map("messageNo", "Negative Answer"),
            A::text("stateField", "Shared State Property Name"),
        ]
    ),
    node!(
        "PollingWaitNode",
        "Polling Wait Node",
        &["utilities"],
        "Lets the client wait.",
        Outcomes::Of(polling),
        [
            A::int("secondsToWait", "Seconds To Wait", 1, 8),
            A::flag("spamDetectionEnabled", "Enable Spam Detection", false),
            A::int("spamDetectionTolerance", "Spam Detection Tolerance", 1, 3),
            A::map("waitingMessage", "Waiting Message"),
            A::flag("exitable", "Exitable", false),
            A::map("exitMessage", "Exit Message"),
        ]
    ),
    node!(
        "FlowControlNode",
        "Flow Control",
        &["utilities"],
        "Divides journeys at random.",
        Outcomes::Of(flow_control),
        [
            A::int("percentageA", "Outcome A Percentage", 0, 50),
            A::text("outcomeADisplayName", "Outcome A Display Name"),
            A::text("outcomeBDisplayName", "Outcome B Display Name"),
        ],
        check: percentage
    ),
    node!(
        "SetSuccessUrlNode",
        "Success URL",
        &["utilities"],
        "Sets where success leads.",
        Outcomes::One,
        [A::text("successUrl", "Success URL")]
    ),
    node!(
        "SetFailureUrlNode",
        "Failure URL",
        &["utilities"],
        "Sets where failure leads.",
        Outcomes::One,
        [A::text("failureUrl", "Failure URL")]
    ),
    node!(
        "SetSuccessDetailsNode",
        "Set Success Details",
        &["utilities"],
        "Adds to what is answered on success.",
        Outcomes::One,
        [A::map("successDetails", "Success Details"), A::map("sessionProperties", "Session Properties")]
    ),
    node!(
        "SetFailureDetailsNode",
        "Set Failure Details",
        &["utilities"],
        "Adds to what is answered on failure.",
        Outcomes::One,
        [A::map("failureMessage", "Failure Message"), A::map("failureDetails", "Failure Details")]
    ),
    node!(
        "SetErrorDetailsNode",
        "Set Error Details",
        &["utilities"],
        "Adds to what is answered on an error.",
        Outcomes::One,
        [A::map("errorMessage", "Error Message"), A::map("errorDetails", "Error Details")]
    ),
    node!(
        "UpdateJourneyTimeoutNode",
        "Update Journey Timeout",
        &["utilities"],
        "Changes how long the journey may take.",
        Outcomes::One,
        [
            A::choice("operation", "Operation", &["SET", "MODIFY"], "SET"),
            A::int("value", "Value (minutes)", i32::MIN as i64, 5),
        ]
    ),
    node!(
        "DebugNode",
        "Debug",
        &["utilities"],
        "Shows the state of the journey.",
        Outcomes::One,
        [A::flag("popupEnabled", "Popup Enabled", true)]
    ),
    node!(
        "TimerStartNode",
        "Timer Start",
        &["metrics"],
        "Starts a timer.",
        Outcomes::One,
        [A::text("startTimeProperty", "Start Time Property")]
    ),
    node!(
        "TimerStopNode",
        "Timer Stop",
        &["metrics"],
        "Stops a timer and counts the time.",
        Outcomes::One,
        [A::text("startTimeProperty", "Start Time Property"), A::text("metricKey", "Metric Key")]
    ),
    node!("MeterNode", "Meter", &["metrics"], "Counts.", Outcomes::One, [A::text("metricKey", "Metric Key")]),
    node!(
        "MetadataNode",
        "Get Metadata",
        &["utilities"],
        "Tells the client values of the shared state.",
        Outcomes::One,
        [A::list("attributes", "Attributes")]
    ),
];

fn named<'c>(texts: impl Iterator<Item = &'c str>) -> Vec<Outcome> {
    texts.map(|text| Outcome::new(text, text)).collect()
}

fn inner_tree(config: &Object) -> Vec<Outcome> {
    let error = flag(config, "displayErrorOutcome").then(|| Outcome::new("error", "Error"));
    [Outcome::new("true", "True"), Outcome::new("false", "False")].into_iter().chain(error).collect()
}

fn polling(config: &Object) -> Vec<Outcome> {
    let exited = flag(config, "exitable").then(|| Outcome::new("EXITED", "Exited"));
    let spam = flag(config, "spamDetectionEnabled").then(|| Outcome::new("SPAM", "Spam"));
    std::iter::once(Outcome::new("DONE", "Done")).chain(exited).chain(spam).collect()
}

fn flow_control(config: &Object) -> Vec<Outcome> {
    let name = |attribute: &str, id: &str| config.get(attribute).and_then(Value::as_str).unwrap_or(id).to_owned();
    vec![Outcome::new("A", &name("outcomeADisplayName", "A")), Outcome::new("B", &name("outcomeBDisplayName", "B"))]
}

fn percentage(config: &Object) -> Result<(), Error> {
    let fits = super::number(config, "percentageA").is_none_or(|percent| percent <= 100);
    if fits { Ok(()) } else { Err(Error::invalid_value("Outcome A Percentage")) }
}

/// The nodes of a page: references, and none of them a page or another journey.
fn page(config: &Object) -> Result<(), Error> {
    let invalid = || Error::invalid_value("Nodes");
    let children = match config.get("nodes") {
        None => return Ok(()),
        Some(Value::Array(children)) if children.len() <= MAX_CHILDREN => children,
        Some(_) => return Err(invalid()),
    };
    for child in children {
        let child = child.as_object().ok_or_else(invalid)?;
        let text = |name: &str| child.get(name).and_then(Value::as_str);
        let known = |name: &String| ["_id", "nodeType", "displayName", "nodeVersion"].contains(&name.as_str());
        let id = text("_id").is_some_and(|id| is_name(id) && !id.contains('/'));
        let of_type = text("nodeType").is_some_and(is_type_name);
        if !id || !of_type || !child.keys().all(known) || !child.values().all(Value::is_string) {
            return Err(invalid());
        }
        if text("nodeType").is_some_and(|name| ["PageNode", "InnerTreeEvaluatorNode"].contains(&name)) {
            return Err(invalid());
        }
    }
    Ok(())
}
