//! How the session came about: `AuthLevel`, `LEAuthLevel`, `AuthScheme`, `AuthenticateToRealm`,
//! `AuthenticateToService` (§4.2–§4.5).
//!
//! | reference                              | here                              |
//! |----------------------------------------|-----------------------------------|
//! | §4.2 `requestAuthLevel` or the session | `level`                           |
//! | §4.3 modules and idle deadlines        | [`AuthScheme`]                    |
//! | §4.4 realms                            | [`AuthenticateToRealm`], `in_realm` |
//! | §4.5 services, qualified advice        | [`AuthenticateToService`]         |

use serde_json::{Map, Value, json};

use super::{Outcome, Scene, texts};
use crate::policy::{
    Error,
    circumstances::Effect,
    fault::Fault,
    members::Members,
    subject::Session,
    trace::{Comparison, Observer},
};

pub(crate) const AUTH_LEVEL_ADVICE: &str = "AuthLevelConditionAdvice";
pub(crate) const SCHEME_ADVICE: &str = "AuthSchemeConditionAdvice";
pub(crate) const REALM_ADVICE: &str = "AuthenticateToRealmConditionAdvice";
pub(crate) const SERVICE_ADVICE: &str = "AuthenticateToServiceConditionAdvice";
/// Session properties that hold the idle deadline of an application (§4.3).
const IDLE_DEADLINE: &str = "am.protected.policy.AppIdleTimesoutAt.";
const MINUTE: i64 = 60_000;

/// `AuthLevel` (at least) or `LEAuthLevel` (at most).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthLevel {
    auth_level: i64,
    at_most: bool,
}

impl AuthLevel {
    pub(super) fn parse(members: &Members<'_>, at_most: bool) -> Result<Self, Error> {
        members.only(&[&["type", "authLevel"]])?;
        match members.integer("authLevel")?.ok_or(Error::PropertyMissing("AuthLevel"))? {
            auth_level @ 0.. => Ok(Self { auth_level, at_most }),
            negative => Err(Error::invalid_property(&negative.to_string(), "AuthLevel")),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.at_most { "LEAuthLevel" } else { "AuthLevel" }
    }

    pub(super) fn members(&self) -> Value {
        json!({"authLevel": self.auth_level})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let current = level(scene, scene.subject.session.as_ref(), self.kind())?;
        observer.compared(|| Comparison::new("authLevel", self.auth_level, current));
        if self.at_most {
            return Ok(Outcome::plain(current <= self.auth_level));
        }
        Ok(Outcome::or_advise(current >= self.auth_level, AUTH_LEVEL_ADVICE, self.auth_level.to_string()))
    }
}

/// The highest level that the environment names, or else the session's.
pub(super) fn level(scene: &Scene<'_>, session: Option<&Session>, kind: &'static str) -> Result<i64, Fault> {
    let key = "requestAuthLevel";
    let Some(levels) = scene.circumstances.values(key) else {
        return session.map(|session| session.auth_level).ok_or(Fault::NoSession(kind));
    };
    let unreadable = |value: &str| Fault::Environment { key, value: crate::policy::error::excerpt(value) };
    let read = |level: &String| {
        let unqualified = level.rsplit_once(':').map_or(level.as_str(), |(_, level)| level);
        unqualified.trim().parse::<i64>().map_err(|_| unreadable(level))
    };
    let levels: Vec<i64> = levels.iter().map(read).collect::<Result<_, _>>()?;
    levels.into_iter().max().ok_or_else(|| unreadable(""))
}

/// `AuthScheme`: every module instance listed was passed, and the application was not idle for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthScheme {
    auth_scheme: Vec<String>,
    application_name: Option<String>,
    /// Minutes.
    application_idle_timeout: Option<i64>,
}

impl AuthScheme {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "authScheme", "applicationName", "applicationIdleTimeout"]])?;
        Ok(Self {
            auth_scheme: texts(members, "authScheme")?,
            application_name: members.text("applicationName")?.map(str::to_owned),
            application_idle_timeout: members.integer("applicationIdleTimeout")?,
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        "AuthScheme"
    }

    pub(super) fn members(&self) -> Value {
        let mut members = Map::from_iter([("authScheme".to_owned(), json!(self.auth_scheme))]);
        members.extend(self.application_idle_timeout.map(|n| ("applicationIdleTimeout".to_owned(), json!(n))));
        members.extend(self.application_name.as_ref().map(|name| ("applicationName".to_owned(), json!(name))));
        Value::Object(members)
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let session = scene.subject.session.as_ref();
        observer.compared(|| Comparison::new("authSchemes", json!(self.auth_scheme), modules(scene, session)));
        if let Some(missing) = self.auth_scheme.iter().find(|scheme| !passed(scene, session, scheme)) {
            return Ok(Outcome::or_advise(false, SCHEME_ADVICE, missing));
        }
        let idle = self.application_name.as_ref().zip(self.application_idle_timeout.filter(|minutes| *minutes > 0));
        let Some((application, minutes)) = idle else {
            return Ok(Outcome::plain(true));
        };
        let timeout = minutes.saturating_mul(MINUTE);
        let property = format!("{IDLE_DEADLINE}{application}");
        if let Some(idle) = self.first_idle(scene, session, &property, timeout, observer) {
            let mut outcome = Outcome::or_advise(false, SCHEME_ADVICE, idle);
            outcome.advices.insert("ForceAuth".to_owned(), ["true".to_owned()].into());
            return Ok(outcome);
        }
        let ttl = scene.circumstances.now.saturating_add(timeout);
        let moved = Effect::SetSessionProperty { name: property, value: ttl.to_string() };
        Ok(Outcome { ttl, effects: [moved].into(), ..Outcome::plain(true) })
    }

    /// The first module instance that has to be passed again; without a session, the first.
    fn first_idle(
        &self,
        scene: &Scene<'_>,
        session: Option<&Session>,
        property: &str,
        timeout: i64,
        observer: &mut impl Observer,
    ) -> Option<&String> {
        let now = scene.circumstances.now;
        let Some(session) = session else {
            return self.auth_scheme.first();
        };
        let deadline = session.properties.get(property).and_then(|text| text.parse::<i64>().ok());
        observer.compared(|| Comparison::new(format!("session.{property}"), now, deadline));
        if deadline.is_some_and(|deadline| deadline >= now) {
            return None;
        }
        self.auth_scheme.iter().find(|scheme| {
            let module = session.modules.iter().filter(|module| module.name.is_called(scheme));
            let passed_at = module.map(|module| module.authenticated_at).max().unwrap_or(session.authenticated_at);
            passed_at.saturating_add(timeout) < now
        })
    }
}

/// The module instances that the environment names, or else the session's.
fn modules(scene: &Scene<'_>, session: Option<&Session>) -> Value {
    match (scene.circumstances.values("requestAuthSchemes"), session) {
        (Some(schemes), _) => json!(schemes),
        (None, Some(session)) => session.modules.iter().map(|module| module.name.to_string()).collect(),
        (None, None) => Value::Null,
    }
}

/// Whether the module instance `scheme` was passed. What the environment says is compared as it is.
pub(super) fn passed(scene: &Scene<'_>, session: Option<&Session>, scheme: &str) -> bool {
    match scene.circumstances.values("requestAuthSchemes") {
        Some(schemes) => schemes.iter().any(|passed| passed == scheme),
        None => session.is_some_and(|session| session.modules.iter().any(|module| module.name.is_called(scheme))),
    }
}

/// `AuthenticateToRealm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticateToRealm {
    authenticate_to_realm: String,
}

impl AuthenticateToRealm {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "authenticateToRealm"]])?;
        Ok(Self { authenticate_to_realm: members.required_text("authenticateToRealm")? })
    }

    pub(super) fn kind(&self) -> &'static str {
        "AuthenticateToRealm"
    }

    pub(super) fn members(&self) -> Value {
        json!({"authenticateToRealm": self.authenticate_to_realm})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let wanted = &self.authenticate_to_realm;
        let session = scene.subject.session.as_ref();
        let satisfied = in_realm(scene, session, wanted, "AuthenticateToRealm", observer)?;
        Ok(Outcome::or_advise(satisfied, REALM_ADVICE, wanted))
    }
}

/// Whether the environment, or else the session, was authenticated to the realm `wanted`.
pub(super) fn in_realm(
    scene: &Scene<'_>,
    session: Option<&Session>,
    wanted: &str,
    kind: &'static str,
    observer: &mut impl Observer,
) -> Result<bool, Fault> {
    let realms = match scene.circumstances.values("requestAuthenticatedToRealms") {
        Some(realms) => realms,
        None => &session.ok_or(Fault::NoSession(kind))?.realms,
    };
    observer.compared(|| Comparison::new("authenticatedToRealms", wanted, json!(realms)));
    let plain = |realm: &str| realm.trim_start_matches('/').to_lowercase();
    let wanted = plain(wanted);
    Ok(realms.iter().any(|realm| plain(realm) == wanted))
}

/// `AuthenticateToService`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticateToService {
    authenticate_to_service: String,
}

impl AuthenticateToService {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        members.only(&[&["type", "authenticateToService"]])?;
        Ok(Self { authenticate_to_service: members.required_text("authenticateToService")? })
    }

    pub(super) fn kind(&self) -> &'static str {
        "AuthenticateToService"
    }

    pub(super) fn members(&self) -> Value {
        json!({"authenticateToService": self.authenticate_to_service})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let wanted = &self.authenticate_to_service;
        let session = scene.subject.session.as_ref();
        let satisfied = by_service(scene, session, wanted, "AuthenticateToService", observer)?;
        Ok(Outcome::or_advise(satisfied, SERVICE_ADVICE, qualified(scene, wanted)))
    }
}

/// Whether the environment, or else the session, was authenticated by the service `wanted`; without a
/// realm in its name, in any.
pub(super) fn by_service(
    scene: &Scene<'_>,
    session: Option<&Session>,
    wanted: &str,
    kind: &'static str,
    observer: &mut impl Observer,
) -> Result<bool, Fault> {
    match scene.circumstances.values("requestAuthenticatedToServices") {
        Some(services) => {
            observer.compared(|| Comparison::new("authenticatedToServices", wanted, json!(services)));
            let unqualified = |service: &str| service.split_once(':').is_some_and(|(_, name)| name == wanted);
            Ok(services.iter().any(|service| service == wanted || unqualified(service)))
        }
        None => {
            let services = &session.ok_or(Fault::NoSession(kind))?.services;
            observer.compared(|| {
                let found: Value = services.iter().map(ToString::to_string).collect();
                Comparison::new("authenticatedToServices", wanted, found)
            });
            Ok(services.iter().any(|service| service.is_called(wanted)))
        }
    }
}

/// A service as advice names it: with its realm (§4.5).
pub(super) fn qualified(scene: &Scene<'_>, service: &str) -> String {
    if service.contains(':') { service.to_owned() } else { format!("{}:{service}", scene.circumstances.realm) }
}
