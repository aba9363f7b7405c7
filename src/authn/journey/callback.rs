//! Callbacks: what a step asks, and what was answered (authn-sessions-realms.md a.4, a.6).
//!
//! | it says                                                          | we do it in                  |
//! |------------------------------------------------------------------|------------------------------|
//! | a.6 names and order of outputs and inputs, type by type          | the constructors of [`Callback`] |
//! | a.4 `IDToken<n>`, counted over all callbacks of the step         | [`render`]                   |
//! | a.4 `_id` when the step comes from a page node                   | [`render`]                   |
//! | a.2 a step is returned whole; only `input[].value` is read       | [`answers`]                  |
//!
//! A callback is rendered once and forgotten; [`Asked`], its type and the forms of its inputs, travels in the journey's
//! state, and is what an answer is held against.

use super::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Longest text of one input, bytes.
pub const MAX_ANSWER_BYTES: usize = 16 << 10;

/// Most callbacks of one step.
pub const MAX_CALLBACKS: usize = 64;

/// What the input of [`Callback::way_out`] holds while nobody takes it.
const NOT_TAKEN: u32 = 100;

/// What an input may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Any text.
    Text,
    /// `true` or `false`, as such or as text.
    Flag,
    /// A number, as such or as text.
    Number,
    /// The place of one of so many choices, as a number or as text.
    Choice(u32),
}

/// One input of a callback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// What follows `IDToken<n>` in its name.
    suffix: String,
    /// What it holds until somebody answers.
    initial: Value,
    /// What it may hold.
    form: Form,
}

/// A callback to be rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct Callback {
    kind: &'static str,
    output: Vec<(&'static str, Value)>,
    input: Vec<Input>,
}

/// What is remembered of a callback that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    kind: String,
    input: Vec<Input>,
}

/// What was answered to one callback: a value for each of its inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer(Vec<Value>);

/// `messageType` of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// For information.
    Information = 0,
    /// A warning.
    Warning = 1,
    /// An error.
    Error = 2,
    /// A script for a browser.
    Script = 4,
}

/// Types of the attribute input callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// `StringAttributeInputCallback`.
    Text,
    /// `NumberAttributeInputCallback`.
    Number,
    /// `BooleanAttributeInputCallback`.
    Flag,
}

/// What the validating callbacks have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validation {
    /// The policies, as clients show them.
    pub policies: Map<String, Value>,
    /// Requirements that the last answer failed, each a JSON document.
    pub failed: Vec<String>,
    /// Whether the answer is only to be checked.
    pub only: bool,
}

fn input(suffix: &str, initial: impl Into<Value>, form: Form) -> Input {
    Input { suffix: suffix.to_owned(), initial: initial.into(), form }
}

fn count(choices: usize) -> u32 {
    u32::try_from(choices).unwrap_or(u32::MAX)
}

impl Callback {
    fn new(kind: &'static str, output: Vec<(&'static str, Value)>, input: Vec<Input>) -> Self {
        Self { kind, output, input }
    }

    /// Asks for a name.
    pub fn name(prompt: &str, default: &str) -> Self {
        Self::new("NameCallback", vec![("prompt", prompt.into())], vec![input("", default, Form::Text)])
    }

    /// Asks for a secret.
    pub fn password(prompt: &str) -> Self {
        Self::new("PasswordCallback", vec![("prompt", prompt.into())], vec![input("", "", Form::Text)])
    }

    /// Asks to choose one.
    pub fn choice(prompt: &str, choices: &[String], default: usize) -> Self {
        let output = vec![("prompt", prompt.into()), ("choices", json!(choices)), ("defaultChoice", default.into())];
        Self::new("ChoiceCallback", output, vec![input("", default, Form::Choice(count(choices.len())))])
    }

    /// Asks to confirm, with options of one's own.
    pub fn confirmation(prompt: &str, options: &[String], default: usize) -> Self {
        let output = vec![
            ("prompt", prompt.into()),
            ("messageType", 0.into()),
            ("options", json!(options)),
            ("optionType", (-1).into()),
            ("defaultOption", default.into()),
        ];
        Self::new("ConfirmationCallback", output, vec![input("", default, Form::Choice(count(options.len())))])
    }

    /// Offers a way out of waiting; answered with 100 as long as nobody takes it.
    pub fn way_out(option: &str) -> Self {
        let mut callback = Self::confirmation("", &[option.to_owned()], 0);
        callback.input = vec![input("", NOT_TAKEN, Form::Choice(NOT_TAKEN + 1))];
        callback
    }

    /// Asks for a text.
    pub fn text_input(prompt: &str, default: &str) -> Self {
        let output = vec![("prompt", prompt.into()), ("defaultText", default.into())];
        Self::new("TextInputCallback", output, vec![input("", default, Form::Text)])
    }

    /// Tells something.
    pub fn text_output(kind: Message, message: &str) -> Self {
        Self::new("TextOutputCallback", Self::text(kind, message), Vec::new())
    }

    /// Tells that the journey goes on elsewhere.
    pub fn suspended_text_output(kind: Message, message: &str) -> Self {
        Self::new("SuspendedTextOutputCallback", Self::text(kind, message), Vec::new())
    }

    fn text(kind: Message, message: &str) -> Vec<(&'static str, Value)> {
        // The reference: the type is a string here, a number in ConfirmationCallback.
        vec![("message", message.into()), ("messageType", (kind as u8).to_string().into())]
    }

    /// Carries a value that nobody types.
    pub fn hidden_value(id: &str, value: &str) -> Self {
        let output = vec![("value", value.into()), ("id", id.into())];
        Self::new("HiddenValueCallback", output, vec![input("", id, Form::Text)])
    }

    /// Asks to come again, milliseconds later.
    pub fn polling_wait(wait: u64, message: &str) -> Self {
        let output = vec![("waitTime", wait.to_string().into()), ("message", message.into())];
        Self::new("PollingWaitCallback", output, Vec::new())
    }

    /// Sends the browser somewhere; `data` is the form of a POST.
    pub fn redirect(url: &str, data: Option<Map<String, Value>>, tracking_cookie: bool) -> Self {
        let method = if data.is_some() { "POST" } else { "GET" };
        let mut output = vec![
            ("redirectUrl", url.into()),
            ("redirectMethod", method.into()),
            ("trackingCookie", tracking_cookie.into()),
        ];
        output.extend(data.map(|data| ("redirectData", Value::Object(data))));
        Self::new("RedirectCallback", output, Vec::new())
    }

    /// Tells something to the program that shows the step.
    pub fn metadata(data: Map<String, Value>) -> Self {
        Self::new("MetadataCallback", vec![("data", Value::Object(data))], Vec::new())
    }

    /// Asks for a language.
    pub fn language(language: &str, country: &str) -> Self {
        let inputs = vec![input("Language", language, Form::Text), input("Country", country, Form::Text)];
        Self::new("LanguageCallback", Vec::new(), inputs)
    }

    /// Asks for a user name that may have to fulfil policies.
    pub fn validated_username(prompt: &str, default: &str, validation: Validation) -> Self {
        let mut output = Self::validation(&validation);
        output.push(("prompt", prompt.into()));
        Self::new("ValidatedCreateUsernameCallback", output, Self::validated(default.into(), Form::Text, &validation))
    }

    /// Asks for a password that may have to fulfil policies.
    pub fn validated_password(prompt: &str, echo: bool, validation: Validation) -> Self {
        let mut output = vec![("echoOn", echo.into())];
        output.extend(Self::validation(&validation));
        output.push(("prompt", prompt.into()));
        Self::new("ValidatedCreatePasswordCallback", output, Self::validated("".into(), Form::Text, &validation))
    }

    /// Asks for an attribute of an identity.
    pub fn attribute(
        of: AttributeType,
        name: &str,
        prompt: &str,
        required: bool,
        value: Value,
        validation: Validation,
    ) -> Self {
        let (kind, form) = match of {
            AttributeType::Text => ("StringAttributeInputCallback", Form::Text),
            AttributeType::Number => ("NumberAttributeInputCallback", Form::Number),
            AttributeType::Flag => ("BooleanAttributeInputCallback", Form::Flag),
        };
        let mut output = vec![("name", name.into()), ("prompt", prompt.into()), ("required", required.into())];
        output.extend(Self::validation(&validation));
        output.push(("value", value.clone()));
        Self::new(kind, output, Self::validated(value, form, &validation))
    }

    fn validation(validation: &Validation) -> Vec<(&'static str, Value)> {
        vec![
            ("policies", Value::Object(validation.policies.clone())),
            ("failedPolicies", json!(validation.failed)),
            ("validateOnly", validation.only.into()),
        ]
    }

    fn validated(initial: Value, form: Form, validation: &Validation) -> Vec<Input> {
        vec![input("", initial, form), input("validateOnly", validation.only, Form::Flag)]
    }

    /// Asks for a question and its answer.
    pub fn kba_create(prompt: &str, questions: &[String], own: bool) -> Self {
        let output = vec![
            ("prompt", prompt.into()),
            ("predefinedQuestions", json!(questions)),
            ("allowUserDefinedQuestions", own.into()),
        ];
        let inputs = vec![input("question", "", Form::Text), input("answer", "", Form::Text)];
        Self::new("KbaCreateCallback", output, inputs)
    }

    /// Asks to accept terms.
    pub fn terms(version: &str, terms: &str, created: &str) -> Self {
        let output = vec![("version", version.into()), ("terms", terms.into()), ("createDate", created.into())];
        Self::new("TermsAndConditionsCallback", output, vec![input("", false, Form::Flag)])
    }

    /// Asks for an identity provider.
    pub fn select_idp(providers: Value) -> Self {
        let output = vec![("providers", providers), ("value", "".into())];
        Self::new("SelectIdPCallback", output, vec![input("", "", Form::Text)])
    }

    /// Asks for the token of an identity provider; `outputs` in the order of the reference.
    pub fn idp(outputs: [Value; 9]) -> Self {
        let names = [
            "provider",
            "clientId",
            "redirectUri",
            "scopes",
            "nonce",
            "acrValues",
            "request",
            "requestUri",
            "acceptsJSON",
        ];
        let inputs = vec![input("token", "", Form::Text), input("token_type", "", Form::Text)];
        Self::new("IdPCallback", names.into_iter().zip(outputs).collect(), inputs)
    }

    /// Asks for facts about the device, as JSON text.
    pub fn device_profile(metadata: bool, location: bool, message: &str) -> Self {
        let output = vec![("metadata", metadata.into()), ("location", location.into()), ("message", message.into())];
        Self::new("DeviceProfileCallback", output, vec![input("", "", Form::Text)])
    }

    /// Asks for consent to share; `outputs` in the order of the reference.
    pub fn consent_mapping(outputs: [Value; 8]) -> Self {
        let names = ["name", "displayName", "icon", "accessLevel", "titles", "message", "isRequired", "fields"];
        Self::new(
            "ConsentMappingCallback",
            names.into_iter().zip(outputs).collect(),
            vec![input("", false, Form::Flag)],
        )
    }

    /// Asks for the response of a captcha.
    pub fn recaptcha(site_key: &str) -> Self {
        Self::new("ReCaptchaCallback", vec![("recaptchaSiteKey", site_key.into())], vec![input("", "", Form::Text)])
    }

    /// What to remember of it.
    pub fn asked(&self) -> Asked {
        Asked { kind: self.kind.to_owned(), input: self.input.clone() }
    }
}

/// The member `callbacks` of a step.
pub fn render(callbacks: &[Callback], from_page: bool) -> Value {
    let one = |(place, callback): (usize, &Callback)| {
        let mut shown = Map::new();
        shown.insert("type".into(), callback.kind.into());
        let pair = |name: &str, value: &Value| json!({ "name": name, "value": value });
        let output: Vec<Value> = callback.output.iter().map(|(name, value)| pair(name, value)).collect();
        shown.insert("output".into(), output.into());
        if !callback.input.is_empty() {
            let named = |input: &Input| pair(&format!("IDToken{}{}", place + 1, input.suffix), &input.initial);
            shown.insert("input".into(), callback.input.iter().map(named).collect::<Vec<_>>().into());
        }
        if from_page {
            shown.insert("_id".into(), place.into());
        }
        Value::Object(shown)
    };
    callbacks.iter().enumerate().map(one).collect::<Vec<_>>().into()
}

impl Asked {
    /// Whether the browser was sent away: its return has no callbacks to look at (a.2).
    pub fn is_redirect(&self) -> bool {
        self.kind == "RedirectCallback"
    }
}

impl Answer {
    /// To a callback that nobody answers.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The text of the first input.
    pub fn text(&self) -> &str {
        self.0.first().and_then(Value::as_str).unwrap_or_default()
    }

    /// The choice in the first input.
    pub fn choice(&self) -> usize {
        self.0.first().and_then(Value::as_u64).and_then(|choice| usize::try_from(choice).ok()).unwrap_or_default()
    }

    /// The flag in input `n`.
    pub fn flag(&self, n: usize) -> bool {
        self.0.get(n).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The values of all inputs.
    pub fn values(&self) -> &[Value] {
        &self.0
    }
}

/// What was answered to `asked`: the member `callbacks` of a step that came back.
///
/// # Errors
/// 400 unless number, order and types are those that were sent and every value has its form.
pub fn answers(asked: &[Asked], callbacks: Option<&Value>) -> Result<Vec<Answer>, Failure> {
    let sent = callbacks.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if sent.len() != asked.len() {
        return Err(Failure::bad_request("Incorrect number of callbacks found in JSON response"));
    }
    asked.iter().zip(sent).map(|(asked, sent)| answer(asked, sent)).collect()
}

fn answer(asked: &Asked, sent: &Value) -> Result<Answer, Failure> {
    if sent.get("type").and_then(Value::as_str) != Some(asked.kind.as_str()) {
        return Err(Failure::bad_request("Required callback not found in JSON response"));
    }
    let inputs = sent.get("input").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let value = |(n, input): (usize, &Input)| {
        let given = inputs.get(n).and_then(|given| given.get("value")).filter(|value| !value.is_null());
        let taken = match given {
            None => Some(input.initial.clone()),
            Some(given) => input.form.take(given),
        };
        taken.ok_or_else(|| Failure::bad_request(format!("Invalid value for {} in JSON response", asked.kind)))
    };
    asked.input.iter().enumerate().map(value).collect::<Result<_, _>>().map(Answer)
}

impl Form {
    /// The value in its one form, if it can have it.
    fn take(self, given: &Value) -> Option<Value> {
        match (self, given) {
            (Self::Text, Value::String(text)) => (text.len() <= MAX_ANSWER_BYTES).then(|| given.clone()),
            (Self::Flag, Value::Bool(_)) | (Self::Number, Value::Number(_)) => Some(given.clone()),
            (Self::Flag, Value::String(text)) => match text.as_str() {
                "true" => Some(true.into()),
                "false" | "" => Some(false.into()),
                _ => None,
            },
            (Self::Number, Value::String(text)) => match text.trim() {
                "" => Some(Value::Null),
                text => text.parse::<serde_json::Number>().ok().map(Value::Number),
            },
            (Self::Choice(of), Value::Number(_) | Value::String(_)) => {
                let chosen = match given {
                    Value::String(text) => text.trim().parse().ok(),
                    number => number.as_u64(),
                };
                chosen.filter(|chosen| *chosen < u64::from(of)).map(Value::from)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
