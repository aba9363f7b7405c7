//! Which scopes the request has: `OAuth2Scope` (§4.9).
//!
//! | reference                                          | here            |
//! |----------------------------------------------------|-----------------|
//! | §4.9 `environment.scope`, all elements (§10 no. 10) | [`OAuth2Scope`] |
//! | §4.9 RFC 6749 §3.3                                 | `is_scope`      |

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Outcome, Scene, within_limit};
use crate::policy::{
    Error,
    error::excerpt,
    fault::Fault,
    members::Members,
    trace::{Comparison, Observer},
};

/// `OAuth2Scope`: the environment has every scope listed. Claims are not consulted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2Scope {
    required_scopes: Vec<String>,
}

impl OAuth2Scope {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "requiredScopes"]])?;
        let scopes = members.texts("requiredScopes")?.filter(|scopes| !scopes.is_empty());
        let required_scopes = scopes.ok_or(Error::PropertyMissing("requiredScopes"))?;
        within_limit("requiredScopes", required_scopes.len())?;
        match required_scopes.iter().find(|scope| !is_scope(scope)) {
            Some(scope) => Err(Error::InvalidScope(excerpt(scope))),
            None => Ok(Self { required_scopes }),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        "OAuth2Scope"
    }

    pub(super) fn members(&self) -> Value {
        json!({"requiredScopes": self.required_scopes})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let sent = scene.circumstances.values("scope");
        observer.compared(|| Comparison::new("environment.scope", json!(self.required_scopes), json!(sent)));
        let scopes: BTreeSet<&str> = sent.into_iter().flatten().flat_map(|text| text.split_whitespace()).collect();
        Ok(Outcome::plain(self.required_scopes.iter().all(|scope| scopes.contains(scope.as_str()))))
    }
}

/// Whether this is one scope: printable, without space, quote and backslash.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}
