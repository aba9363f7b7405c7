//! Under which circumstances a policy applies: the condition tree.
//!
//! | reference                                     | here                          |
//! |-----------------------------------------------|-------------------------------|
//! | §4 result of a condition                      | [`Outcome`]                   |
//! | §4.1 `AND`, `OR`, `NOT`                       | `Condition::evaluate`       |
//! | §4.1 refused without children                 | [`Condition::parse`]          |
//! | §4.2–§4.5 levels, modules, realms, services   | [`authentication`]            |
//! | §4.6, §4.8, §4.14 identities                  | [`identity`]                  |
//! | §4.7 addresses                                | [`address`]                   |
//! | §4.9 scopes                                   | [`scope`]                     |
//! | §4.10, §4.16, §4.17 scripts, transactions, plug-ins | [`outside`]             |
//! | §4.11, §4.12 sessions                         | [`session`]                   |
//! | §4.13 times                                   | [`time`]                      |
//! | §4.15 addresses that demand authentication    | [`resource_env_ip`]           |
//! | §2.4.8 unknown condition type                 | [`Condition::parse`]          |
//! | §4.0 what a subject without session means     | each type's `evaluate`        |
//! | §4 "equal conditions are cached"              | `Scene::asked`                |
//!
//! Each type is a struct with three functions: `parse` checks (§2.10.3), `members` reads back, `evaluate`
//! decides from a `Scene`. What cannot be decided is a [`Fault`], never "not satisfied" (§6.4).

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Value, json};

use super::{
    Error,
    circumstances::{Circumstances, Effect},
    fault::Fault,
    members::Members,
    subject::{MAX_DEPTH, Session, Subject, within_limit},
    trace::{Answer, Observer},
};

pub mod address;
pub mod authentication;
pub mod identity;
pub mod outside;
pub mod resource_env_ip;
pub mod scope;
pub mod session;
pub mod time;

use address::{AddressRange, Family};
use authentication::{AuthLevel, AuthScheme, AuthenticateToRealm, AuthenticateToService};
use identity::{IdmUser, LdapFilter, Membership};
use outside::{Legacy, Script, Transaction};
use resource_env_ip::ResourceEnvIp;
use scope::OAuth2Scope;
use session::{SessionAge, SessionProperty};
use time::SimpleTime;

/// Names with their sets of values: `attributes` and `advices` of a decision.
pub type ValueSets = BTreeMap<String, BTreeSet<String>>;

/// No limit on how long a decision holds (§6.6).
pub const TTL_MAX: i64 = i64::MAX;

/// What evaluating a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub satisfied: bool,
    pub advices: ValueSets,
    pub attributes: ValueSets,
    /// Epoch milliseconds until which this holds; 0 for "do not cache", [`TTL_MAX`] for no limit.
    pub ttl: i64,
    /// What the evaluation asks to be done, whatever becomes of its answer.
    pub effects: BTreeSet<Effect>,
}

impl Outcome {
    /// Satisfied or not, with nothing to add, for as long as anybody likes.
    pub fn plain(satisfied: bool) -> Self {
        Self {
            satisfied,
            advices: ValueSets::new(),
            attributes: ValueSets::new(),
            ttl: TTL_MAX,
            effects: BTreeSet::new(),
        }
    }

    /// Satisfied, or else not with this advice.
    pub(crate) fn or_advise(satisfied: bool, advice: &str, value: impl Into<String>) -> Self {
        let mut outcome = Self::plain(satisfied);
        if !satisfied {
            outcome.advices.insert(advice.to_owned(), [value.into()].into());
        }
        outcome
    }

    /// Takes in what a child of a logical condition adds. Of two children that give the same advice the
    /// later replaces the earlier (§4.1).
    fn add(&mut self, child: Outcome) {
        self.advices.extend(child.advices);
        self.attributes.extend(child.attributes);
        self.effects.extend(child.effects);
        self.ttl = self.ttl.min(child.ttl);
    }

    /// As a logical condition that is satisfied has it.
    fn satisfied(self) -> Self {
        Self { satisfied: true, advices: ValueSets::new(), ..self }
    }

    /// As a logical condition that is not satisfied has it.
    fn not_satisfied(self) -> Self {
        Self { satisfied: false, ttl: TTL_MAX, ..self }
    }

    /// `NOT` (§4.1): keeps only the attributes.
    fn inverse(self) -> Self {
        let Self { satisfied, attributes, effects, .. } = self;
        Self { attributes, effects, ..Self::plain(!satisfied) }
    }
}

/// What a condition is evaluated against: one resource of one request.
pub(crate) struct Scene<'a> {
    pub circumstances: &'a Circumstances<'a>,
    pub subject: &'a Subject,
    /// Canonical.
    pub resource: &'a str,
    /// Answers of services, by condition.
    asked: RefCell<Vec<(&'a Leaf, Result<Outcome, Fault>)>>,
}

impl<'a> Scene<'a> {
    pub fn new(circumstances: &'a Circumstances<'a>, subject: &'a Subject, resource: &'a str) -> Self {
        Self { circumstances, subject, resource, asked: RefCell::default() }
    }

    /// The subject's session, which `kind` cannot do without.
    fn session(&self, kind: &'static str) -> Result<&'a Session, Fault> {
        self.subject.session.as_ref().ok_or(Fault::NoSession(kind))
    }

    /// What `leaf` says, which is asked for once: equal conditions of one resource share the answer.
    fn asked(&self, leaf: &'a Leaf, ask: impl FnOnce() -> Result<Outcome, Fault>) -> Result<Outcome, Fault> {
        if let Some((_, known)) = self.asked.borrow().iter().find(|(asked, _)| *asked == leaf) {
            return known.clone();
        }
        let answer = ask();
        self.asked.borrow_mut().push((leaf, answer.clone()));
        answer
    }
}

/// A policy's `condition` member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Leaf(Leaf),
}

/// A condition that is not made of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    AuthLevel(AuthLevel),
    AuthScheme(AuthScheme),
    AuthenticateToRealm(AuthenticateToRealm),
    AuthenticateToService(AuthenticateToService),
    IdmUser(Box<IdmUser>),
    Ip(AddressRange),
    LdapFilter(LdapFilter),
    Legacy(Legacy),
    Membership(Membership),
    OAuth2Scope(OAuth2Scope),
    ResourceEnvIp(ResourceEnvIp),
    Script(Script),
    Session(SessionAge),
    SessionProperty(SessionProperty),
    SimpleTime(Box<SimpleTime>),
    Transaction(Transaction),
}

/// The same for every type.
macro_rules! each {
    ($leaf:expr, $it:ident => $what:expr) => {
        match $leaf {
            Leaf::AuthLevel($it) => $what,
            Leaf::AuthScheme($it) => $what,
            Leaf::AuthenticateToRealm($it) => $what,
            Leaf::AuthenticateToService($it) => $what,
            Leaf::IdmUser($it) => $what,
            Leaf::Ip($it) => $what,
            Leaf::LdapFilter($it) => $what,
            Leaf::Legacy($it) => $what,
            Leaf::Membership($it) => $what,
            Leaf::OAuth2Scope($it) => $what,
            Leaf::ResourceEnvIp($it) => $what,
            Leaf::Script($it) => $what,
            Leaf::Session($it) => $what,
            Leaf::SessionProperty($it) => $what,
            Leaf::SimpleTime($it) => $what,
            Leaf::Transaction($it) => $what,
        }
    };
}

impl Condition {
    /// Reads a `condition` member.
    pub fn parse(value: &Value) -> Result<Self, Error> {
        Self::parse_at(value, 0)
    }

    fn parse_at(value: &Value, depth: usize) -> Result<Self, Error> {
        if depth == MAX_DEPTH {
            return Err(Error::json(format!("Conditions are nested deeper than {MAX_DEPTH} levels")));
        }
        let members = Members::of(value, "condition")?;
        let only = |name| members.only(&[&["type", name]]);
        match members.kind("condition")? {
            "AND" => {
                only("conditions")?;
                Ok(Self::And(children(&members, depth)?))
            }
            "OR" => {
                only("conditions")?;
                Ok(Self::Or(children(&members, depth)?))
            }
            "NOT" => {
                only("condition")?;
                let child = members.value("condition").ok_or(Error::PropertyMissing("condition"))?;
                Ok(Self::Not(Box::new(Self::parse_at(child, depth + 1)?)))
            }
            kind => Leaf::parse(kind, &members).map(Self::Leaf),
        }
    }

    /// Refuses what is well-formed and yet cannot be evaluated on this host: for who writes a policy, not for who
    /// reads what another host has written.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::And(children) | Self::Or(children) => children.iter().try_for_each(Self::check),
            Self::Not(child) => child.check(),
            Self::Leaf(Leaf::SimpleTime(time)) => time.check(),
            Self::Leaf(_) => Ok(()),
        }
    }

    /// The `condition` member as it reads back.
    pub fn to_json(&self) -> Value {
        let all = |children: &[Self]| children.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::And(children) => json!({"type": "AND", "conditions": all(children)}),
            Self::Or(children) => json!({"type": "OR", "conditions": all(children)}),
            Self::Not(child) => json!({"type": "NOT", "condition": child.to_json()}),
            Self::Leaf(leaf) => leaf.to_json(),
        }
    }

    /// The `type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::And(_) => "AND",
            Self::Or(_) => "OR",
            Self::Not(_) => "NOT",
            Self::Leaf(leaf) => leaf.kind(),
        }
    }

    /// Evaluates the tree, children in the order written.
    pub(crate) fn evaluate<'a>(&'a self, scene: &Scene<'a>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        observer.enter(self.kind(), || self.to_json());
        let outcome = match self {
            Self::And(children) => Self::until(children, false, scene, observer),
            Self::Or(children) => Self::until(children, true, scene, observer),
            Self::Not(child) => child.evaluate(scene, observer).map(Outcome::inverse),
            Self::Leaf(leaf) => leaf.evaluate(scene, observer),
        };
        observer.leave(|| Answer::of(outcome.as_ref().map(|outcome| outcome.satisfied)));
        outcome
    }

    /// `AND` and `OR` (§4.1): stops at the first child that says `decisive`. Without children it is
    /// satisfied.
    fn until<'a>(
        children: &'a [Self],
        decisive: bool,
        scene: &Scene<'a>,
        observer: &mut impl Observer,
    ) -> Result<Outcome, Fault> {
        let mut all = Outcome::plain(true);
        let mut satisfied = children.is_empty() || !decisive;
        let mut children = children.iter();
        while let Some(child) = children.next() {
            let outcome = child.evaluate(scene, observer);
            let decided = outcome.as_ref().is_ok_and(|outcome| outcome.satisfied == decisive);
            if decided || outcome.is_err() {
                children.by_ref().for_each(|child| observer.skipped(child.kind(), || child.to_json()));
            }
            all.add(outcome?);
            if decided {
                satisfied = decisive;
            }
        }
        Ok(if satisfied { all.satisfied() } else { all.not_satisfied() })
    }
}

impl Leaf {
    fn parse(kind: &str, members: &Members<'_>) -> Result<Self, Error> {
        Ok(match kind {
            "AMIdentityMembership" => Self::Membership(Membership::parse(members)?),
            "AuthLevel" => Self::AuthLevel(AuthLevel::parse(members, false)?),
            "AuthScheme" => Self::AuthScheme(AuthScheme::parse(members)?),
            "AuthenticateToRealm" => Self::AuthenticateToRealm(AuthenticateToRealm::parse(members)?),
            "AuthenticateToService" => Self::AuthenticateToService(AuthenticateToService::parse(members)?),
            "IPv4" => Self::Ip(AddressRange::parse(members, Family::V4)?),
            "IPv6" => Self::Ip(AddressRange::parse(members, Family::V6)?),
            "IdmUser" => Self::IdmUser(Box::new(IdmUser::parse(members)?)),
            "LDAPFilter" => Self::LdapFilter(LdapFilter::parse(members)?),
            "LEAuthLevel" => Self::AuthLevel(AuthLevel::parse(members, true)?),
            "OAuth2Scope" => Self::OAuth2Scope(OAuth2Scope::parse(members)?),
            "Policy" => Self::Legacy(Legacy::parse(members)?),
            "ResourceEnvIP" => Self::ResourceEnvIp(ResourceEnvIp::parse(members)?),
            "Script" => Self::Script(Script::parse(members)?),
            "Session" => Self::Session(SessionAge::parse(members)?),
            "SessionProperty" => Self::SessionProperty(SessionProperty::parse(members)?),
            "SimpleTime" => Self::SimpleTime(Box::new(SimpleTime::parse(members)?)),
            "Transaction" => Self::Transaction(Transaction::parse(members)?),
            unknown => return Err(members.unknown_kind("condition", unknown)),
        })
    }

    /// The `type`.
    fn kind(&self) -> &'static str {
        each!(self, leaf => leaf.kind())
    }

    fn to_json(&self) -> Value {
        let members = each!(self, leaf => leaf.members());
        let kind = ("type".to_owned(), json!(self.kind()));
        Value::Object(std::iter::once(kind).chain(members.as_object().cloned().unwrap_or_default()).collect())
    }

    fn evaluate<'a>(&'a self, scene: &Scene<'a>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let asks = matches!(
            self,
            Self::IdmUser(_) | Self::LdapFilter(_) | Self::Membership(_) | Self::Script(_) | Self::Transaction(_)
        );
        let evaluate = |observer| each!(self, leaf => leaf.evaluate(scene, observer));
        if asks { scene.asked(self, || evaluate(observer)) } else { evaluate(observer) }
    }
}

fn children(members: &Members<'_>, depth: usize) -> Result<Vec<Condition>, Error> {
    let children = members.values("conditions")?.unwrap_or_default();
    if children.is_empty() {
        return Err(Error::PropertyMissing("conditions"));
    }
    within_limit("conditions", children.len())?;
    children.iter().map(|child| Condition::parse_at(child, depth + 1)).collect()
}

/// Equality of texts whose letter case does not count; the first difference ends it.
fn same_letters(a: &str, b: &str) -> bool {
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// An array of strings that must be there: not empty, nothing in it blank (§2.10.3).
fn texts(members: &Members<'_>, member: &'static str) -> Result<Vec<String>, Error> {
    let texts = members.texts(member)?.filter(|texts| !texts.is_empty()).ok_or(Error::PropertyMissing(member))?;
    within_limit(member, texts.len())?;
    if texts.iter().any(|text| text.trim().is_empty()) {
        return Err(Error::PropertyBlank(member));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests;
