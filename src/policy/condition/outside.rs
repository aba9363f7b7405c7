//! Decided by something else: `Script`, `Transaction`, and the legacy `Policy` (§4.10, §4.16, §4.17).
//!
//! | reference                                  | here                                       |
//! |--------------------------------------------|--------------------------------------------|
//! | §4.10, §7.4 outcome of a script            | [`Script`], asks [`Services::script`]      |
//! | §4.16 steps 1 and 4                        | [`Transaction`], asks [`Services::transaction`] |
//! | §4.16 what the strategy strings mean       | [`Strategy::of`]                           |
//! | §4.17 kept, never evaluated                | [`Legacy`]                                 |
//!
//! [`Services::script`]: crate::policy::circumstances::Services::script
//! [`Services::transaction`]: crate::policy::circumstances::Services::transaction

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Outcome, Scene, TTL_MAX, ValueSets};
use crate::policy::{
    Error,
    circumstances::{self, Effect, MAX_TX_IDS, ScriptCall, TransactionAsk},
    fault::Fault,
    members::{Members, Wrong},
    trace::{Comparison, Observer},
};

/// `Script`: a policy condition script says so. Whether it exists is not checked when the policy is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    script_id: String,
}

impl Script {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "scriptId"]])?;
        Ok(Self { script_id: members.required_text("scriptId")? })
    }

    pub(super) fn kind(&self) -> &'static str {
        "Script"
    }

    pub(super) fn members(&self) -> Value {
        json!({"scriptId": self.script_id})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let call = ScriptCall {
            script_id: &self.script_id,
            username: scene.subject.principals().next(),
            resource: scene.resource,
            subject: scene.subject,
            circumstances: scene.circumstances,
        };
        let said = scene.circumstances.services.script(&call)?;
        observer.compared(|| Comparison::new("authorized", true, said.satisfied));
        let said = Outcome { effects: BTreeSet::new(), ..said };
        Ok(match said.satisfied {
            true => Outcome { advices: ValueSets::new(), ..said },
            false => Outcome { ttl: TTL_MAX, ..said },
        })
    }
}

/// `Transaction`: the user has confirmed this very request, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    authentication_strategy: String,
    strategy_specifier: String,
}

impl Transaction {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "authenticationStrategy", "strategySpecifier"]])?;
        Ok(Self {
            authentication_strategy: members.required_text("authenticationStrategy")?,
            strategy_specifier: members.required_text("strategySpecifier")?,
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        "Transaction"
    }

    pub(super) fn members(&self) -> Value {
        json!({"authenticationStrategy": self.authentication_strategy, "strategySpecifier": self.strategy_specifier})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let session = scene.session(self.kind())?;
        let ids = scene.circumstances.values("TxId").unwrap_or_default();
        let ids = ids.get(..MAX_TX_IDS).unwrap_or(ids);
        let ask = TransactionAsk {
            ids,
            realm: scene.circumstances.realm,
            resource: scene.resource,
            user: &session.user,
            strategy: &self.authentication_strategy,
            specifier: &self.strategy_specifier,
        };
        let answer = scene.circumstances.services.transaction(&ask)?;
        observer.compared(|| Comparison::new("environment.TxId", "a completed transaction", json!(ids)));
        let mut outcome = match &answer {
            circumstances::Transaction::Completed(_) => Outcome::plain(true),
            circumstances::Transaction::Required(id) => Outcome::or_advise(false, "TransactionConditionAdvice", id),
        };
        outcome.effects.insert(match answer {
            circumstances::Transaction::Completed(id) => Effect::TransactionUsed { id },
            circumstances::Transaction::Required(id) => Effect::TransactionRequired { id },
        });
        Ok(Outcome { ttl: 0, ..outcome })
    }
}

/// How a transaction is to be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Realm,
    Tree,
    Level,
    /// A chain.
    Service,
    /// A module instance.
    Module,
}

impl Strategy {
    /// What a stored `authenticationStrategy` means: the name of an advice, or the label that
    /// administrators choose (§10 no. 7).
    pub fn of(stored: &str) -> Option<Self> {
        Some(match stored {
            "AuthenticateToRealmConditionAdvice" | "Authenticate to Realm" => Self::Realm,
            "AuthenticateToTreeConditionAdvice" | "Authenticate to Tree" => Self::Tree,
            "AuthLevelConditionAdvice" | "Auth Level" => Self::Level,
            "AuthenticateToServiceConditionAdvice" | "Authenticate to Chain" => Self::Service,
            "AuthSchemeConditionAdvice" | "Authenticate to Module" => Self::Module,
            _ => return None,
        })
    }
}

/// `Policy`: bridge to plug-ins from before 2010. Kept, and never decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legacy {
    class_name: Option<String>,
    properties: Option<Map<String, Value>>,
}

impl Legacy {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "className", "properties"]])?;
        let wrong = Wrong { member: "properties", expected: "an object" };
        let properties = members.value("properties");
        Ok(Self {
            class_name: members.text("className")?.map(str::to_owned),
            properties: properties.map(|value| value.as_object().cloned().ok_or(wrong)).transpose()?,
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        "Policy"
    }

    pub(super) fn members(&self) -> Value {
        let mut members = Map::new();
        members.extend(self.class_name.as_ref().map(|name| ("className".to_owned(), json!(name))));
        members.extend(self.properties.as_ref().map(|all| ("properties".to_owned(), json!(all))));
        Value::Object(members)
    }

    pub(super) fn evaluate(&self, _: &Scene<'_>, _: &mut impl Observer) -> Result<Outcome, Fault> {
        Err(Fault::LegacyCondition)
    }
}
