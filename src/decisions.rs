//! Deciding over a realm's policy sets, for whoever asks: REST, AuthZEN, token issuance. The library decides; here the session
//! store tells it what it needs to know about a subject, what a decision asks to be done is done, and every decision is
//! counted and recorded.
//!
//! | authorization.md | it says                                                | here                     |
//! |------------------|--------------------------------------------------------|--------------------------|
//! | §2.6.2, §3.1     | what the evaluated subject contains                    | [`Who`]                  |
//! | §4               | what conditions may look at                            | `session`, [`Question`]  |
//! | §6.4             | a policy that cannot be evaluated contributes nothing  | `tell`                   |
//! | §6.9             | read your writes; side effects                         | [`Question::decide`], `effects` |
//! | §4.16            | what a user has to confirm, and has                    | `services`, `effects`    |
//! | §6.4             | strict mode: then there is no decision                 | [`Rules::strict`]        |
//! | extension        | a decision that is no older than a revision            | [`at_least`]             |
//! | extension        | trying things out is bounded (PD-14)                   | [`DryRuns`]              |
//!
//! Callers pass the barrier before they ask (G2): then a decision reflects every policy that was acknowledged before.

mod dry_runs;
mod effects;
mod services;

pub use dry_runs::{DryRuns, TooMany};

use self::services::{Asked, Transactions};

use crate::{
    audit::{DecisionEvent as Event, Full, Principal, Purpose},
    caller::Caller,
    consensus::Unavailable,
    crest,
    desk::Desk,
    host,
    policy::{
        self, PolicySetIndex,
        circumstances::{Circumstances, Environment},
        decide::{self, Decided, Decision, Request},
        explain::{self, Explanation},
        model::Policy,
        subject::{Claims, Profile, Qualified, Session, Subject, UniversalId},
        tree,
    },
    rest::identity::named_user,
    sessions::universal_id,
    telemetry::{self, label},
    views::Views,
};
use actix_web::{HttpRequest, http::header::HeaderName};
use metrics::{Counter, Histogram, counter, histogram};
use quorate_raft::{DocumentKey, Kind, RealmPath, Seq};
use serde_json::Value;
use std::{
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

/// Property of a session that holds whence it was started.
const HOST: &str = "Host";
/// Property of a session that names the journey that authenticated it.
const SERVICE: &str = "Service";

/// How questions are answered, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// See [`Rules::strict`].
    pub strict: bool,
    /// `explain` and `whatif` that a caller may have answered by a node in a minute.
    pub dry_runs_per_minute: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { strict: false, dry_runs_per_minute: 120 }
    }
}

/// How questions are answered.
#[derive(Debug)]
pub struct Rules {
    /// Whether `evaluate`, `evaluateTree` and AuthZEN refuse to decide when a policy cannot be evaluated, as commercial
    /// servers do (authorization.md §4.0, §6.4). Otherwise that policy grants nothing, and the others decide.
    pub strict: bool,
    /// Who tried out how much.
    pub dry_runs: DryRuns,
}

impl Rules {
    /// As configured.
    pub fn new(settings: &Settings) -> Self {
        Self { strict: settings.strict, dry_runs: DryRuns::new(settings.dry_runs_per_minute) }
    }
}

/// A subject, and the session behind it.
#[derive(Clone, Debug, Default)]
pub struct Who {
    subject: Subject,
    owner: Option<Caller>,
}

impl Who {
    /// Known by a session, with what the session store and the user's document say. `address` is whence the session's owner
    /// speaks, where that is known better than by the session.
    pub fn session(desk: &Desk, owner: &Caller, address: Option<IpAddr>) -> Self {
        let data = &owner.session.data;
        let mut subject = Subject { session: Some(session(desk, owner, address)), ..Subject::default() };
        subject.profile = desk.views().entry(&data.subject).map(|entry| profile(entry.json()));
        Self { subject, owner: Some(owner.clone()) }
    }

    /// Known by claims.
    pub fn claims(claims: Claims) -> Self {
        Self { subject: Subject::claims(claims), owner: None }
    }

    /// With claims besides.
    #[must_use]
    pub fn and_claims(mut self, claims: Option<Claims>) -> Self {
        self.subject.claims = claims;
        self
    }

    fn principal(&self) -> Principal {
        let Subject { session, claims, .. } = &self.subject;
        let sub = claims.as_ref().and_then(|claims| claims.get("sub")).and_then(Value::as_str);
        let user = session.as_ref().map(|session| session.user.as_str().to_owned());
        Principal { user, sub: sub.map(str::to_owned) }
    }
}

/// What conditions may look at, from the session store.
fn session(desk: &Desk, owner: &Caller, address: Option<IpAddr>) -> Session {
    let data = &owner.session.data;
    let realm = data.realm.to_string();
    let millis = |stamp: quorate_raft::Stamp| i64::try_from(stamp.0).unwrap_or(i64::MAX);
    let service = data.properties.get(SERVICE).map(|name| Qualified::new(realm.clone(), &**name));
    let started_at = data.properties.get(HOST).and_then(|host| host.parse().ok());
    Session {
        user: UniversalId::new(&*data.universal_id),
        groups: groups(desk, &data.subject),
        auth_level: data.auth_level.into(),
        modules: Vec::new(),
        services: service.into_iter().collect(),
        realms: vec![realm],
        address: address.or(started_at),
        authenticated_at: millis(owner.session.created),
        properties: data.properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
    }
}

/// The groups of a user, as policies name them: those of the user's own realm.
fn groups(desk: &Desk, user: &DocumentKey) -> Vec<UniversalId> {
    let of_user = (user.kind == Kind::User).then(|| desk.views().groups_of(&user.realm, &user.id));
    let group = |id: &Arc<str>| DocumentKey { realm: user.realm.clone(), kind: Kind::Group, id: id.clone() };
    let ids = of_user.iter().flat_map(|groups| groups.iter());
    ids.map(|id| UniversalId::new(universal_id(&user.realm, &group(id)))).collect()
}

/// The user behind a universal id.
fn located(views: &Views, id: &str) -> Option<DocumentKey> {
    let id = id.to_lowercase();
    let (_, place) = id.split_once(",ou=user,")?;
    let levels = place.strip_suffix("ou=am-config")?;
    let levels = if levels.is_empty() { levels } else { levels.strip_suffix("ou=services,")? };
    let names = levels.split_terminator(',').rev().map(|level| level.strip_prefix("o="));
    let path = names.collect::<Option<Vec<_>>>()?.iter().fold(String::new(), |path, name| path + "/" + name);
    let realm = match path.is_empty() {
        true => RealmPath::root(),
        false => {
            let realms = views.rows(&RealmPath::root(), Kind::Realm);
            let row = realms.since(&path).next().filter(|row| *row.folded == *path)?;
            RealmPath(row.id.clone())
        }
    };
    let user = named_user(&realm, &id)?;
    Some(DocumentKey::new(&realm, Kind::User, &user))
}

/// Attributes that a policy may show: texts and lists of texts, nothing secret.
fn profile(user: &Value) -> Profile {
    let secret = |name: &str| name.starts_with('_') || name.to_lowercase().contains("password");
    let texts = |value: &Value| match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let attributes = user.as_object().into_iter().flatten();
    attributes
        .filter(|(name, _)| !secret(name))
        .filter_map(|(name, value)| Some((name.clone(), texts(value)?)))
        .collect()
}

/// Now, epoch milliseconds.
fn now() -> i64 {
    i64::try_from(host::now().0).unwrap_or(i64::MAX)
}

/// On a question: decide from no older state than this revision, which a write told. An extension.
pub const AT_LEAST_HEADER: &str = "X-Quorate-At-Least";
/// As it is looked up: names that are known are not parsed again and again.
static AT_LEAST: HeaderName = HeaderName::from_static("x-quorate-at-least");

/// Whether the state is as new as `request` wants it. The barrier has passed, so the views show whatever was acknowledged
/// before. A revision that they do not show all the same is one that this cluster has not reached: after one more entry of
/// the log there is no doubt about it.
///
/// # Errors
/// 400 for what is no revision, 412 for one that was never told, 503 without quorum.
pub async fn at_least(desk: &Desk, request: &HttpRequest) -> Result<(), crest::Error> {
    let Some(header) = request.headers().get(&AT_LEAST) else {
        return Ok(());
    };
    let revision = header.to_str().ok().and_then(|text| text.parse().ok()).map(Seq);
    let invalid = || crest::Error::bad_request(format!("Invalid value for header {AT_LEAST_HEADER}"));
    let revision = revision.ok_or_else(invalid)?;
    match desk.has_reached(revision).await? {
        true => Ok(()),
        false => Err(crest::Error::new(412, format!("Revision {} has not been reached", revision.0))),
    }
}

/// Why there is no decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDecision {
    /// The question is a bad one.
    #[error(transparent)]
    Refused(#[from] policy::Error),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] Full),
    /// What it asks to be done was not decided (G7).
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Most policies that one event names, by name those that come first: an event must not grow with a policy set.
const MAX_NAMED: usize = 100;

/// Decisions with an action that is denied, with none at all, and others; looked up once, for they are counted often.
static DENIED: LazyLock<Counter> = LazyLock::new(|| decisions("deny"));
static SILENT: LazyLock<Counter> = LazyLock::new(|| decisions("none"));
static ALLOWED: LazyLock<Counter> = LazyLock::new(|| decisions("allow"));

fn decisions(outcome: &'static str) -> Counter {
    counter!(telemetry::POLICY_DECISIONS, label::OUTCOME => outcome)
}

/// What is asked of a policy set.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// Whose session store, and where decisions are recorded.
    pub desk: &'q Desk,
    /// Whose policies.
    pub realm: &'q RealmPath,
    /// The name of the set, as asked for.
    pub name: &'q str,
    /// The set.
    pub set: &'q PolicySetIndex,
    /// Who wants something.
    pub who: &'q Who,
    /// Under which circumstances.
    pub environment: &'q Environment,
    /// What for.
    pub purpose: Purpose,
}

impl Question<'_> {
    fn circumstances<'a>(&'a self, asked: &'a Asked<'_>) -> Circumstances<'a> {
        let told = Circumstances::new(self.realm.as_str(), self.environment, now());
        Circumstances { services: asked, ..told }
    }

    fn request<'r>(&'r self, resources: &'r [String], asked: &'r Asked<'_>) -> Request<'r> {
        Request { resources, subject: &self.who.subject, circumstances: self.circumstances(asked) }
    }

    /// Decides each resource, and does what the decisions ask for. What users have to confirm, and what they have confirmed
    /// and is used now, is in the log when this returns; of a confirmation that somebody else used meanwhile, on whatever
    /// node, the answer knows.
    ///
    /// # Errors
    /// [`NoDecision`]: then nothing was allowed.
    pub async fn decide(&self, resources: &[String]) -> Result<Vec<Decision>, NoDecision> {
        let decide = |asked: &Asked<'_>| {
            let start = Instant::now();
            let decided = decide::decide_and_tell(self.set, &self.request(resources, asked))?;
            Ok((decided, self.timed(start)))
        };
        let (decided, duration) = self.settled(decide).await?;
        let decisions = self.told(decided, duration)?;
        decisions.iter().try_for_each(|decision| self.judge(decision))?;
        self.carry_out(&decisions);
        Ok(decisions)
    }

    /// As [`decide`](Self::decide), for a token that is being issued: nobody is there who could be asked to confirm anything,
    /// so a policy that wants that cannot be evaluated.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub fn decide_for_token(&self, resources: &[String]) -> Result<Vec<Decision>, NoDecision> {
        let decisions = self.unsettled(resources, Transactions::Unsupported)?;
        self.carry_out(&decisions);
        Ok(decisions)
    }

    /// Refuses a decision that some policy could not contribute to, where that is wanted. Of a token the scope is decided
    /// all the same: without that policy.
    fn judge(&self, decision: &Decision) -> Result<(), policy::Error> {
        match self.purpose {
            Purpose::Evaluate | Purpose::EvaluateTree | Purpose::AuthZen
                if self.desk.rules().strict && !decision.faults.is_empty() =>
            {
                Err(policy::Error::PolicyFaulty)
            }
            _ => Ok(()),
        }
    }

    /// Decides without doing anything.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub fn try_out(&self, resources: &[String]) -> Result<Vec<Decision>, NoDecision> {
        self.unsettled(resources, Transactions::DryRun)
    }

    fn unsettled(&self, resources: &[String], transactions: Transactions) -> Result<Vec<Decision>, NoDecision> {
        let start = Instant::now();
        let asked = Asked::new(self, transactions);
        let decided = decide::decide_and_tell(self.set, &self.request(resources, &asked))?;
        self.told(decided, self.timed(start))
    }

    /// Counts and records what was decided.
    fn told(&self, decided: Vec<Decided<'_>>, duration: Duration) -> Result<Vec<Decision>, NoDecision> {
        self.warn(decided.iter().map(|decided| &decided.decision));
        let told = |Decided { decision, asked }| {
            self.tell(&decision, duration, || asked.into_iter().cloned().collect())?;
            Ok(decision)
        };
        decided.into_iter().map(told).collect()
    }

    /// Decides a resource and what lies at, below and above it.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub async fn tree(&self, resource: &str) -> Result<Vec<Decision>, NoDecision> {
        let decide = |asked: &Asked<'_>| {
            let start = Instant::now();
            let rows = tree::evaluate_tree(self.set, resource, &self.who.subject, &self.circumstances(asked))?;
            Ok((rows, self.timed(start)))
        };
        let (rows, duration) = self.settled(decide).await?;
        self.warn(rows.first());
        if let Some(first) = rows.first() {
            self.tell(first, duration, || self.asked(first))?;
            self.judge(first)?;
        }
        self.carry_out(&rows);
        Ok(rows)
    }

    /// Decides without doing anything, and says why.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub fn explain(&self, resources: &[String]) -> Result<Vec<Explanation>, NoDecision> {
        let start = Instant::now();
        let asked = Asked::new(self, Transactions::DryRun);
        let explanations = explain::explain(self.set, &self.request(resources, &asked))?;
        let duration = self.timed(start);
        self.warn(explanations.iter().map(|explanation| &explanation.decision));
        for Explanation { decision, .. } in &explanations {
            self.tell(decision, duration, || self.asked(decision))?;
        }
        Ok(explanations)
    }

    /// The policies that are asked about a resource that was decided before.
    fn asked(&self, decision: &Decision) -> Vec<Arc<Policy>> {
        decide::asked(self.set, &decision.resource, &self.who.subject)
    }

    fn timed(&self, start: Instant) -> Duration {
        static SECONDS: LazyLock<Histogram> = LazyLock::new(|| histogram!(telemetry::POLICY_SECONDS));
        let duration = start.elapsed();
        SECONDS.record(duration);
        duration
    }

    /// Logs that policies could not be evaluated: one line for a request, however many resources and policies it has, so that
    /// nobody floods the log with questions. Events name all of them.
    fn warn<'d>(&self, decisions: impl IntoIterator<Item = &'d Decision>) {
        let mut faults = decisions.into_iter().flat_map(|decision| &decision.faults);
        if let Some((policy, fault)) = faults.next() {
            let others = faults.count();
            tracing::warn!(
                realm = %self.realm,
                set = self.name,
                policy,
                %fault,
                others,
                "a policy could not be evaluated and grants nothing"
            );
        }
    }

    /// Counts and records; `asked` are the policies that were.
    fn tell(
        &self,
        decision: &Decision,
        duration: Duration,
        asked: impl FnOnce() -> Vec<Arc<Policy>>,
    ) -> Result<(), Full> {
        let outcome = match decision.actions.values().any(|&allowed| !allowed) {
            true => &DENIED,
            false if decision.actions.is_empty() => &SILENT,
            false => &ALLOWED,
        };
        outcome.increment(1);
        if !self.desk.audit().wants(self.realm, self.name) {
            return Ok(());
        }
        let mut policies = asked();
        let omitted = policies.len().saturating_sub(MAX_NAMED);
        if omitted > 0 {
            policies.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            policies.truncate(MAX_NAMED);
        }
        self.desk.audit().record(Event {
            at: now(),
            purpose: self.purpose,
            realm: self.realm.clone(),
            set: self.name.to_owned(),
            version: self.set.version(),
            resource: decision.resource.clone(),
            actions: decision.actions.clone(),
            advices: decision.advices.keys().cloned().collect(),
            policies,
            omitted,
            faults: decision.faults.keys().take(MAX_NAMED).cloned().collect(),
            principal: self.who.principal(),
            duration,
        })
    }
}
