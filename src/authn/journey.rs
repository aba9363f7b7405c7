//! Journeys: authentication in steps (authn-sessions-realms.md a.1 to a.18; ADR 14).
//!
//! | section     | it says                                              | here                 |
//! |-------------|------------------------------------------------------|----------------------|
//! | a.2         | what a body means                                    | [`authenticate`]     |
//! | a.3         | which service is asked for                           | [`advice`]           |
//! | a.4, a.6    | steps and callbacks                                  | [`callback`]         |
//! | a.5         | `authId`                                             | [`auth_id`]          |
//! | a.7         | `goto`                                               | [`goto`]             |
//! | a.7, a.8    | success and failure                                  | [`finish`], [`failure`] |
//! | a.10        | existing sessions                                    | [`authenticate`]     |
//! | authorization.md §4.16 | transactions are confirmed                | [`confirm`]          |
//! | a.13, a.18  | trees and chains as they are stored                  | [`model`]            |
//! | a.15        | nodes                                                | [`nodes`]            |
//! | a.15        | persistent cookies                                   | [`persistent`]       |
//! | a.16        | the engine, and what it knows                        | [`engine`], [`state`] |
//! | a.18        | chains                                               | [`chain`]            |
//!
//! Suspension (a.11) is not served: it needs somebody to send mail. `suspendedId` is answered like a link that has expired.

pub mod advice;
pub mod auth_id;
pub mod callback;
pub mod chain;
pub mod confirm;
pub mod engine;
pub mod failure;
pub mod finish;
pub mod goto;
pub mod model;
pub mod nodes;
pub mod persistent;
pub mod scene;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use self::{
    advice::{Index, Wanted},
    auth_id::NotSealed,
    callback::{Answer, Callback, answers},
    engine::{Halt, extend},
    failure::{Code, Failure},
    finish::Success,
    nodes::{Fault, Prompt},
    scene::{Incoming, Scene},
    state::{Journey, Links, NodeState, Page, Service},
};
use super::settings::Settings;
use crate::{
    caller::{self, Caller},
    crest::{Object, Params},
    desk::Desk,
    host,
};
use actix_web::HttpRequest;
use quorate_raft::{Kind, RealmPath};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What comes of a request.
pub enum Reply {
    /// Something is asked.
    Step {
        /// The journey, for the next request.
        auth_id: String,
        /// What.
        prompt: Prompt,
        /// Whether it is a chain that asks.
        chain: bool,
    },
    /// Authenticated.
    Success(Success),
    /// Authenticated before, or again to confirm something: the session is what it was.
    Kept(Kept),
    /// The same, but nothing was confirmed.
    Unconfirmed(Kept),
}

/// A session that is what it was.
pub struct Kept {
    /// The token that the caller has, unless the realm keeps it from scripts.
    pub token: String,
    /// Where to go.
    pub success_url: String,
}

impl Kept {
    fn of(scene: &Scene<'_>, journey: &Journey, caller: &Caller, token: String) -> Self {
        let entry = scene.desk.views().entry(&caller.session.data.subject);
        let success_url = finish::success_url(scene, journey, entry.as_deref());
        let hidden = scene.settings.trees.authentication_tree_cookie_http_only;
        Self { token: if hidden { String::new() } else { token }, success_url }
    }
}

/// Whether nobody authenticates in the realm, because it was switched off (a.8, code 109).
fn is_closed(desk: &Desk, realm: &RealmPath) -> bool {
    let stored = desk.document(&RealmPath::root(), Kind::Realm, realm.as_str());
    stored.is_some_and(|entry| entry.json().get("active") == Some(&Value::Bool(false)))
}

/// One request: starts a journey, or goes on with one.
///
/// # Errors
/// What a.8 has for it.
pub async fn authenticate(
    desk: &Desk,
    realm: &RealmPath,
    request: &HttpRequest,
    params: Params,
    body: &Object,
) -> Result<Reply, Failure> {
    desk.barrier().await?;
    if is_closed(desk, realm) {
        return Err(Failure::plain(Code::OrgInactive));
    }
    let incoming = Incoming::of(desk, request, params);
    let settings = Settings::of(desk, realm);
    let now = host::now().max(desk.views().log_time());
    let scene = Scene { desk, realm, request: &incoming, settings, now };
    match body.get("authId").filter(|id| !id.is_null()) {
        Some(Value::String(auth_id)) => resume(&scene, auth_id, body).await,
        Some(_) => Err(Failure::bad_request("Failed to parse JWT, it is no text")),
        None if scene.request.params.has("suspendedId") => Err(Failure::timed_out(false)),
        None => begin(&scene, request, body).await,
    }
}

/// a.2: a step comes back.
async fn resume(scene: &Scene<'_>, auth_id: &str, body: &Object) -> Result<Reply, Failure> {
    let opened = auth_id::open(scene.desk, scene.realm, auth_id, scene.now)?;
    let asked = &opened.journey.asked;
    let given = match asked.as_slice() {
        [only] if only.is_redirect() => vec![Answer::none()],
        asked => answers(asked, body.get("callbacks"))?,
    };
    // From here on the step is used up: what it is answered with is tried once, on one node.
    let mut journey = opened.spend(scene.desk).await?;
    if journey.offered.is_empty() {
        return run(scene, journey, given).await;
    }
    let chosen = given.first().map(Answer::choice).unwrap_or_default();
    let mut offered = std::mem::take(&mut journey.offered);
    if chosen >= offered.len() {
        return Err(Failure::plain(Code::NoConfiguration));
    }
    journey.asked.clear();
    journey.service = offered.swap_remove(chosen);
    enter(scene, journey, None).await
}

/// The session that the request comes with, and its token.
async fn existing(scene: &Scene<'_>, request: &HttpRequest) -> Result<Option<(Caller, String)>, Failure> {
    let explicit = scene.request.params.get("sessionUpgradeSSOTokenId");
    let (caller, token) = match explicit {
        Some(token) => {
            let caller = caller::session(scene.desk, token);
            (Some(caller.ok_or_else(|| Failure::bad_request("Invalid SSO token to upgrade"))?), token.to_owned())
        }
        None => {
            let token = caller::presented_token(scene.desk, request).unwrap_or_default();
            (caller::authenticated(scene.desk, request).await?, token)
        }
    };
    Ok(caller.filter(|caller| caller.realm() == scene.realm).map(|caller| (caller, token)))
}

/// a.2, a.10: a journey starts, unless there is a session that is as good.
async fn begin(scene: &Scene<'_>, request: &HttpRequest, body: &Object) -> Result<Reply, Failure> {
    let params = &scene.request.params;
    let Index { wanted, told } = Index::of(scene, params)?;
    let existing = existing(scene, request).await?;
    let forced = params.get("ForceAuth") == Some("true");
    let goto = scene.valid_goto(params.get("goto").or_else(|| body.get("goto").and_then(Value::as_str)));
    let (wanted, transaction) = match wanted {
        Wanted::Transaction(id) => (confirm::wanted(scene, &id, existing.as_ref())?, Some(id)),
        Wanted::Resource(url) => {
            let caller = existing.as_ref().map(|(caller, _)| caller);
            (Wanted::for_resource(scene, &url, caller)?, None)
        }
        other => (other, None),
    };
    let services = wanted.services(scene, transaction.is_some()).await?;
    let mut services = services.into_iter();
    let Some(first) = services.next() else { return Err(Failure::plain(Code::NoConfiguration)) };
    let others: Vec<Service> = services.collect();

    let must_run = |service: &Service| match service {
        Service::Tree(name) => model::tree(scene.desk, scene.realm, name).is_some_and(|tree| tree.must_run),
        Service::Chain(_) | Service::Module(_) => false,
    };
    let mut journey = Journey {
        service: first.clone(),
        offered: Vec::new(),
        index: told,
        at: Vec::new(),
        links: Links::default(),
        asked: Vec::new(),
        page: Page::default(),
        state: NodeState::default(),
        subject: None,
        level: 0,
        properties: BTreeMap::new(),
        cookies: Vec::new(),
        persistent: Vec::new(),
        success_details: Map::new(),
        failure_details: Map::new(),
        counted: BTreeSet::new(),
        goto,
        goto_on_fail: scene.valid_goto(params.get("gotoOnFail")),
        no_session: params.get("noSession") == Some("true"),
        upgrades: None,
        transaction,
        max_session: None,
        max_idle: None,
        started: scene.now.secs(),
        expires: 0,
    };
    extend(&mut journey, deadline(scene, scene.settings.trees.authentication_sessions_max_duration));
    if let Some((caller, token)) = existing {
        if let Some(id) = &journey.transaction {
            confirm::begin(scene, id, &caller).await?;
        } else if !forced && wanted.is_satisfied(&caller) && !must_run(&first) {
            return Ok(Reply::Kept(Kept::of(scene, &journey, &caller, token)));
        }
        journey.upgrades = Some(token);
    }
    for (key, url) in [("userGotoParam", params.get("goto")), ("userGotoOnFailParam", params.get("gotoOnFail"))] {
        if let Some(url) = scene.valid_goto(url) {
            journey.state.put_shared(key, url);
        }
    }
    journey.state.put_shared("realm", scene.realm.as_str());
    journey.state.put_shared("authLevel", 0);
    if !others.is_empty() {
        return offer(scene, journey, others);
    }
    enter(scene, journey, body.get("callbacks")).await
}

/// So many minutes from now, seconds.
fn deadline(scene: &Scene<'_>, minutes: u64) -> u64 {
    scene.now.secs().saturating_add(minutes.saturating_mul(60))
}

/// a.3: more than one service will do; the caller chooses.
fn offer(scene: &Scene<'_>, mut journey: Journey, others: Vec<Service>) -> Result<Reply, Failure> {
    journey.offered = std::iter::once(journey.service.clone()).chain(others).collect();
    let names: Vec<String> = journey.offered.iter().map(|service| service.name().to_owned()).collect();
    let prompt = Prompt { callbacks: vec![Callback::choice("Choose how to sign in", &names, 0)], ..Prompt::default() };
    journey.asked = prompt.callbacks.iter().map(Callback::asked).collect();
    ask(scene, journey, prompt)
}

/// Starts the journey's service. `sent` are callbacks that came without `authId` (a.2).
async fn enter(scene: &Scene<'_>, mut journey: Journey, sent: Option<&Value>) -> Result<Reply, Failure> {
    let Service::Tree(name) = journey.service.clone() else {
        let Some(sent) = sent else { return run(scene, journey, Vec::new()).await };
        // A chain's first step, answered before it was asked.
        return match chain::run(scene, &mut journey, Vec::new()).await {
            Ok(Halt::Asks(_)) => {
                let given = answers(&journey.asked, Some(sent))?;
                run(scene, journey, given).await
            }
            other => conclude(scene, journey, other).await,
        };
    };
    if let Err(fault) = engine::enter(scene, &mut journey, &name) {
        return conclude(scene, journey, Err(fault)).await;
    }
    if let Some(tree) = model::tree(scene.desk, scene.realm, &name) {
        journey.no_session |= tree.no_session;
        journey.max_session = tree.maximum_session_time;
        journey.max_idle = tree.maximum_idle_time;
        if let Some(minutes) = tree.tree_timeout.filter(|minutes| *minutes > 0) {
            extend(&mut journey, deadline(scene, minutes));
        }
    }
    run(scene, journey, Vec::new()).await
}

async fn run(scene: &Scene<'_>, mut journey: Journey, given: Vec<Answer>) -> Result<Reply, Failure> {
    let halt = match journey.service {
        Service::Tree(_) => engine::run(scene, &mut journey, given).await,
        Service::Chain(_) | Service::Module(_) => chain::run(scene, &mut journey, given).await,
    };
    conclude(scene, journey, halt).await
}

async fn conclude(scene: &Scene<'_>, journey: Journey, halt: Result<Halt, Fault>) -> Result<Reply, Failure> {
    match halt {
        Ok(Halt::Asks(prompt)) => ask(scene, journey, prompt),
        Ok(Halt::Ends(true)) if journey.transaction.is_some() => {
            confirm::succeed(scene, journey).await.map(Reply::Kept)
        }
        Ok(Halt::Ends(true)) => finish::succeed(scene, journey).await.map(Reply::Success),
        Ok(Halt::Ends(false)) => confirm::failed(scene, &journey, finish::fail(scene, &journey).await),
        Err(Fault::Stopped(stopped)) => Err(stopped.into()),
        Err(Fault::Node(cause)) => {
            tracing::warn!(realm = %scene.realm, service = journey.service.name(), %cause, "a journey failed");
            confirm::failed(scene, &journey, finish::faulted(scene, &journey))
        }
    }
}

fn ask(scene: &Scene<'_>, journey: Journey, prompt: Prompt) -> Result<Reply, Failure> {
    match auth_id::seal(scene.desk, scene.realm, &journey) {
        Ok(auth_id) => {
            Ok(Reply::Step { auth_id, prompt, chain: journey.service.is_chain() && journey.offered.is_empty() })
        }
        Err(error @ NotSealed::TooLarge) => {
            tracing::warn!(realm = %scene.realm, service = journey.service.name(), %error, "a journey failed");
            Err(finish::faulted(scene, &journey))
        }
        Err(NotSealed::Keys(error)) => {
            tracing::error!(%error, "journeys cannot be signed");
            Err(Failure::new(500, crate::crest::error::reason(500)))
        }
    }
}
