//! Moving values: state, session properties, cookies, headers, parameters.

use super::{Fault, Node, Step, Visit};
use crate::{
    authn::journey::state::{CustomCookie, Journey},
    caller,
    config::is_token,
    sessions::properties::is_default,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Longest value that is copied from a header or parameter, bytes.
const MAX_COPIED_BYTES: usize = 4096;

/// Puts properties into the session to come.
///
/// # Errors
/// For a name that is ours.
pub(super) fn set_properties(journey: &mut Journey, properties: &BTreeMap<String, String>) -> Result<(), Fault> {
    if let Some(name) = properties.keys().find(|name| is_default(name)) {
        return Err(Fault::of(format!("the session property {name} is reserved")));
    }
    journey.properties.extend(properties.clone());
    Ok(())
}

/// `SetSessionPropertiesNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetSessionProperties {
    properties: BTreeMap<String, String>,
    max_session_time: Option<u64>,
    max_idle_time: Option<u64>,
}

impl Node for SetSessionProperties {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        set_properties(visit.journey, &self.properties)?;
        visit.journey.max_session = self.max_session_time.or(visit.journey.max_session);
        visit.journey.max_idle = self.max_idle_time.or(visit.journey.max_idle);
        Step::done()
    }
}

/// `RemoveSessionPropertiesNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RemoveSessionProperties {
    property_names: Vec<String>,
}

impl Node for RemoveSessionProperties {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        visit.journey.properties.retain(|name, _| !self.property_names.contains(name));
        Step::done()
    }
}

/// `SessionDataNode`: copies from the session that is upgraded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionData {
    session_data_key: String,
    shared_state_key: String,
}

impl Default for SessionData {
    fn default() -> Self {
        Self { session_data_key: "UserToken".to_owned(), shared_state_key: String::new() }
    }
}

impl Node for SessionData {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let caller = visit.journey.upgrades.as_ref().and_then(|token| caller::session(visit.scene.desk, token));
        let value = caller.map(|caller| caller.session).and_then(|session| match self.session_data_key.as_str() {
            "UserToken" | "UserId" => Some(session.data.name.to_string()),
            "AuthLevel" => Some(session.data.auth_level.to_string()),
            "sun.am.UniversalIdentifier" | "Principal" => Some(session.data.universal_id.to_string()),
            key => session.data.properties.get(key).map(|value| value.to_string()),
        });
        if let Some(value) = value {
            visit.journey.state.put_shared(&self.shared_state_key, value);
        }
        Step::done()
    }
}

/// `SetStateNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SetState {
    attributes: Map<String, Value>,
}

impl Node for SetState {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        for (key, value) in &self.attributes {
            visit.journey.state.put_shared(key, value.clone());
        }
        Step::done()
    }
}

/// `CookiePresenceDecisionNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CookiePresenceDecision {
    cookie_name: String,
}

impl Node for CookiePresenceDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        Step::decided(visit.scene.request.cookies.iter().any(|(name, _)| *name == self.cookie_name))
    }
}

/// `SetCustomCookieNode`: the cookie is set once the journey succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetCustomCookie {
    name: String,
    value: String,
    max_age: Option<Value>,
    domain: Option<String>,
    path: Option<String>,
    use_secure_cookie: bool,
    use_http_only_cookie: bool,
    same_site: String,
}

/// What may be in a cookie's value (RFC 6265 §4.1.1).
fn is_cookie_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

fn is_attribute(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

impl Node for SetCustomCookie {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let attributes = [&self.domain, &self.path].into_iter().flatten();
        let fits = is_token(&self.name)
            && self.value.bytes().all(is_cookie_octet)
            && attributes.clone().all(|text| is_attribute(text));
        let ours = &visit.scene.desk.front().cookie_name;
        if !fits || self.name == *ours {
            return Err(Fault::of("such a cookie cannot be set"));
        }
        let max_age = match &self.max_age {
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(number) => number.as_i64(),
            None => None,
        };
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        visit.journey.cookies.retain(|cookie| cookie.name != self.name);
        visit.journey.cookies.push(CustomCookie {
            name: self.name.clone(),
            value: self.value.clone(),
            max_age,
            domain: text(&self.domain),
            path: text(&self.path),
            secure: self.use_secure_cookie,
            http_only: self.use_http_only_cookie,
            same_site: self.same_site.clone(),
        });
        Step::done()
    }
}

/// One value, or the list that a delimited one stands for.
fn copied(text: &str, delimited: bool) -> Option<Value> {
    let whole = text.len() <= MAX_COPIED_BYTES;
    whole.then(|| match delimited {
        true => text.split(',').map(|part| Value::from(part.trim())).collect::<Vec<_>>().into(),
        false => text.into(),
    })
}

/// `RequestHeaderNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestHeader {
    allowed_headers: BTreeMap<String, String>,
    headers_to_be_delimited: Vec<String>,
}

impl Node for RequestHeader {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        for (header, key) in &self.allowed_headers {
            let value = visit.scene.request.headers.get(header.as_str()).and_then(|value| value.to_str().ok());
            let delimited = self.headers_to_be_delimited.iter().any(|name| name.eq_ignore_ascii_case(header));
            if let Some(value) = value.and_then(|text| copied(text, delimited)) {
                visit.journey.state.put_shared(key, value);
            }
        }
        Step::done()
    }
}

/// `QueryParameterNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueryParameter {
    allowed_query_parameters: BTreeMap<String, String>,
    query_parameters_to_be_delimited: Vec<String>,
}

impl Node for QueryParameter {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        for (parameter, key) in &self.allowed_query_parameters {
            let delimited = self.query_parameters_to_be_delimited.contains(parameter);
            let value = visit.scene.request.params.get(parameter).and_then(|text| copied(text, delimited));
            if let Some(value) = value {
                visit.journey.state.put_shared(key, value);
            }
        }
        Step::done()
    }
}
