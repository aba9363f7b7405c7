//! How a journey ends (authn-sessions-realms.md a.7, a.8, a.10, a.16, a.19).
//!
//! | it says                                                                    | we do it in          |
//! |----------------------------------------------------------------------------|----------------------|
//! | a.16 who it is: what was proved, else the name; profile rule; account status | [`succeed`]          |
//! | a.7 `successUrl`: tree, `goto`, profile, chain, realm, default              | [`success_url`]      |
//! | a.7 `noSession`                                                             | [`succeed`]          |
//! | b.7 properties of the session                                               | `properties`       |
//! | a.7 `failureUrl`: tree, `gotoOnFail`, profile, chain, realm, none           | `failure_url`      |
//! | a.8 one text for all failures, unless a node has another                    | [`fail`]             |
//! | a.19 failures count, and success starts anew                                | [`fail`], [`succeed`] |

use super::{
    chain,
    failure::{Code, Failure},
    persistent,
    scene::Scene,
    state::{CustomCookie, Journey},
};
use crate::{
    authn::{
        events::{AuthenticationEvent, record},
        lockout::{self, Counted},
        profile::{Amended, RETRIES, amend},
    },
    caller::{self, Caller},
    sessions::{self, New, NotStarted, Started, settings},
    views::Entry,
};
use quorate_raft::{DocumentKey, Kind, Span};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// What comes of success.
pub struct Success {
    /// The session, unless there is none.
    pub session: Option<Started>,
    /// Where to go.
    pub success_url: String,
    /// What nodes add to the answer.
    pub details: Map<String, Value>,
    /// Cookies that nodes set.
    pub cookies: Vec<CustomCookie>,
}

/// Whoever it is: what was proved, else the user who is named.
fn subject(scene: &Scene<'_>, journey: &Journey) -> Option<DocumentKey> {
    match &journey.subject {
        Some((kind, id)) => Some(DocumentKey::new(scene.realm, *kind, id)),
        None => {
            let name = journey.username()?.to_lowercase();
            Some(DocumentKey::new(scene.realm, Kind::User, &name))
        }
    }
}

/// The first value of an attribute of a profile.
fn attribute<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    let values = entry.json().get(name)?;
    values.get(0).unwrap_or(values).as_str().filter(|text| !text.is_empty())
}

fn said(url: Option<&str>) -> Option<String> {
    url.filter(|url| !url.is_empty()).map(str::to_owned)
}

/// a.7, first that is there; as AM 7.5, a tree's own URL replaces `goto`.
pub fn success_url(scene: &Scene<'_>, journey: &Journey, profile: Option<&Entry>) -> String {
    let first = |urls: &[String]| said(urls.first().map(String::as_str));
    let of_chain = || {
        let chain = journey.service.is_chain().then(|| chain::of(scene, &journey.service).ok()).flatten()?;
        first(&chain.login_success_url)
    };
    said(journey.state.text("successUrl"))
        .or_else(|| journey.goto.clone())
        .or_else(|| said(profile.and_then(|entry| attribute(entry, "iplanet-am-user-success-url"))))
        .or_else(of_chain)
        .or_else(|| first(&scene.settings.postauthprocess.login_success_url))
        .unwrap_or_else(|| default_url(scene))
}

/// The global default.
pub fn default_url(scene: &Scene<'_>) -> String {
    format!("{}/console", scene.desk.front().context_path)
}

/// a.7, first that is there. A profile's is told to whoever has proved to be its owner, and to nobody who only names it.
fn failure_url(scene: &Scene<'_>, journey: &Journey) -> Option<String> {
    let first = |urls: &[String]| said(urls.first().map(String::as_str));
    let of_chain = || {
        let chain = journey.service.is_chain().then(|| chain::of(scene, &journey.service).ok()).flatten()?;
        first(&chain.login_failure_url)
    };
    let of_profile = || {
        let (kind, id) = journey.subject.as_ref()?;
        let entry = scene.desk.document(scene.realm, *kind, id)?;
        said(attribute(&entry, "iplanet-am-user-failure-url"))
    };
    said(journey.state.text("failureUrl"))
        .or_else(|| journey.goto_on_fail.clone())
        .or_else(of_profile)
        .or_else(of_chain)
        .or_else(|| first(&scene.settings.postauthprocess.login_failure_url))
}

/// The session that will be upgraded, if it lives.
fn upgraded(scene: &Scene<'_>, journey: &Journey) -> Result<Option<Caller>, NotStarted> {
    match &journey.upgrades {
        None => Ok(None),
        Some(token) => caller::session(scene.desk, token).map(Some).ok_or(NotStarted::Ended),
    }
}

/// Those that nodes set, and those that are ours; later ones win. What an upgraded session had, it hands on by itself.
fn properties(scene: &Scene<'_>, journey: &Journey, url: &str) -> BTreeMap<String, String> {
    let mut all = journey.properties.clone();
    let locale = settings::locale(scene.desk);
    let ours = [
        ("IndexType", journey.service.index_type()),
        ("successURL", url),
        ("UserProfile", "Required"),
        ("Locale", &locale),
        ("CharSet", "UTF-8"),
        ("clientType", "genericHTML"),
    ];
    all.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    all.insert("loginURL".to_owned(), format!("{}/UI/Login", scene.base_url().deployment()));
    all
}

/// The journey came to a good end: who it is, if they may.
///
/// # Errors
/// When there is nobody, or they may not.
pub fn identified(scene: &Scene<'_>, journey: &Journey) -> Result<(DocumentKey, Arc<Entry>), Failure> {
    let Some(key) = subject(scene, journey) else {
        let (service, node) = (journey.service.name(), "");
        record(scene.desk, scene.realm, AuthenticationEvent::Fault { service, node, cause: "nobody was identified" });
        return Err(refuse(scene, journey, base(journey)));
    };
    let Some(entry) = scene.desk.views().entry(&key) else {
        return Err(refuse(scene, journey, Failure::coded(Code::ProfileRequired)));
    };
    if !caller::standing(scene.desk.views(), key.kind, &entry).active || lockout::is_locked(&entry, scene.now) {
        let mut failure = Failure::coded(if journey.service.is_chain() { Code::NotActive } else { Code::Locked });
        if let Some(message) = journey.state.text("lockoutMessage") {
            failure.message = message.to_owned();
        }
        return Err(refuse(scene, journey, failure));
    }
    Ok((key, entry))
}

/// The journey came to a good end: who it is, whether they may, and their session.
///
/// # Errors
/// When there is nobody, or they may not.
pub async fn succeed(scene: &Scene<'_>, journey: Journey) -> Result<Success, Failure> {
    let (key, entry) = identified(scene, &journey)?;
    let url = success_url(scene, &journey, Some(&entry));
    let started = match journey.no_session {
        true => None,
        false => Some(start(scene, &journey, &key, entry.clone(), &url).await?),
    };
    let mut cookies = persistent::cookies(scene, &journey, &key, &entry);
    forget(scene, &journey, &key, &entry).await;
    let principal = sessions::universal_id(scene.realm, &key);
    let (service, session) = (journey.service.name(), started.is_some());
    record(scene.desk, scene.realm, AuthenticationEvent::Succeeded { service, principal: &principal, session });
    cookies.extend(journey.cookies);
    if journey.no_session {
        cookies.clear();
    }
    Ok(Success { session: started, success_url: url, details: journey.success_details, cookies })
}

async fn start(
    scene: &Scene<'_>,
    journey: &Journey,
    key: &DocumentKey,
    entry: Arc<Entry>,
    url: &str,
) -> Result<Started, Failure> {
    let told = |refused: NotStarted| refuse(scene, journey, refused.into());
    let former = upgraded(scene, journey).map_err(told)?;
    let minutes = |minutes: u64| Span::from_secs(minutes.saturating_mul(60));
    let new = New {
        realm: scene.realm.clone(),
        subject: key.clone(),
        entry,
        service: journey.service.name().to_owned(),
        auth_level: journey.level,
        properties: properties(scene, journey, url),
        from: scene.request.from,
        max_life: journey.max_session.map(minutes),
        max_idle: journey.max_idle.map(minutes),
        upgraded: former,
    };
    sessions::start(scene.desk, new).await.map_err(told)
}

/// Success starts counts anew. The session is there already: should this not be written, the counts stand a while longer.
pub async fn forget(scene: &Scene<'_>, journey: &Journey, key: &DocumentKey, entry: &Entry) {
    let forgotten = async {
        lockout::succeeded(scene.desk, key).await?;
        if !journey.counted.is_empty() && entry.json().get(RETRIES).is_some() {
            let cleared = amend(scene.desk, key, |body| {
                let Some(counts) = body.get_mut(RETRIES).and_then(Value::as_object_mut) else {
                    return Amended::Kept(());
                };
                counts.retain(|node, _| !journey.counted.contains(node));
                if counts.is_empty() {
                    body.remove(RETRIES);
                }
                Amended::Changed { value: (), ends: false }
            });
            cleared.await?;
        }
        Ok::<_, crate::desk::WriteError>(())
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(realm = %scene.realm, %error, "counts of failed attempts were not started anew");
    }
}

/// What everybody hears who fails.
fn base(journey: &Journey) -> Failure {
    let mut failure = if journey.service.is_chain() { Failure::plain(Code::Failed) } else { Failure::login() };
    if let Some(message) = journey.state.text("errorMessage").filter(|message| !message.is_empty()) {
        failure.message = message.to_owned();
    }
    failure
}

/// `failure`, with what goes with every failure of this journey.
pub fn refuse(scene: &Scene<'_>, journey: &Journey, mut failure: Failure) -> Failure {
    if failure.instead.is_some() {
        return failure;
    }
    for (name, value) in &journey.failure_details {
        failure.detail.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let (service, principal) = (journey.service.name(), journey.username());
    record(scene.desk, scene.realm, AuthenticationEvent::Failed { service, principal, message: &failure.message });
    let url = failure_url(scene, journey);
    failure.going_to(url)
}

/// A node could not do its work: a failure like any other, that counts against nobody.
pub fn faulted(scene: &Scene<'_>, journey: &Journey) -> Failure {
    refuse(scene, journey, base(journey))
}

/// The journey came to a bad end.
pub async fn fail(scene: &Scene<'_>, journey: &Journey) -> Failure {
    let mut failure = base(journey);
    let rules = &scene.settings.accountlockout;
    if let Some(key) = subject(scene, journey) {
        match lockout::failed(scene.desk, rules, &key, scene.now).await {
            Ok(Counted::Quietly) => {}
            Ok(Counted::Warn(left)) => {
                let warning = format!("Warning: You will be locked out after {left} more failure(s).");
                failure.message = match journey.service.is_chain() {
                    true => format!("{} {warning}", failure.message),
                    false => warning,
                };
            }
            // Whoever was never warned is not told either: it would say that the account exists.
            Ok(Counted::Locked) if rules.lockout_warn_user_count > 0 => failure = Failure::coded(Code::Locked),
            Ok(Counted::Locked) => {}
            // What was not counted must not be a free guess.
            Err(crate::desk::WriteError::Unavailable(unavailable)) => return unavailable.into(),
            Err(crate::desk::WriteError::Refused(refusal)) => {
                tracing::warn!(realm = %scene.realm, refusal = refusal.label(), "a failed attempt was not counted");
                return crate::consensus::Unavailable::Overloaded.into();
            }
        }
    }
    refuse(scene, journey, failure)
}
