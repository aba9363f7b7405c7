//! Persistent cookies: set, and taken for an authentication (see [`super::super::persistent`]).

use super::{Fault, Node, Step, Visit};
use crate::{
    authn::journey::persistent::{self, Wish},
    config::is_token,
};
use quorate_raft::Kind;
use serde::Deserialize;

const HOUR: u64 = 3600;

/// The cookie, as both nodes configure it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Cookie {
    idle_timeout: u64,
    use_secure_cookie: bool,
    use_http_only_cookie: bool,
    persistent_cookie_name: String,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            idle_timeout: 5,
            use_secure_cookie: true,
            use_http_only_cookie: true,
            persistent_cookie_name: "session-jwt".to_owned(),
        }
    }
}

impl Cookie {
    /// Its name: a token (RFC 6265 §4.1.1), and none of ours.
    fn name(&self, visit: &Visit<'_, '_>) -> Result<&str, Fault> {
        let name = &self.persistent_cookie_name;
        let is_usable = is_token(name) && *name != visit.scene.desk.front().cookie_name && name != "amlbcookie";
        is_usable.then_some(name.as_str()).ok_or_else(|| Fault::of("such a cookie cannot be used"))
    }

    /// Asks for it until `end`; the last wish for a cookie counts.
    fn wish(&self, visit: &mut Visit<'_, '_>, node: String, end: u64) {
        let name = &self.persistent_cookie_name;
        visit.journey.persistent.retain(|other| other.name != *name);
        visit.journey.persistent.push(Wish {
            node,
            name: name.clone(),
            idle: self.idle_timeout.saturating_mul(HOUR),
            end,
            secure: self.use_secure_cookie,
            http_only: self.use_http_only_cookie,
        });
    }
}

/// `SetPersistentCookieNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetPersistentCookie {
    #[serde(flatten)]
    cookie: Cookie,
    max_life: u64,
}

impl Default for SetPersistentCookie {
    fn default() -> Self {
        Self { cookie: Cookie::default(), max_life: 5 }
    }
}

impl Node for SetPersistentCookie {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        self.cookie.name(visit)?;
        let node = format!("SetPersistentCookieNode/{}", visit.id);
        let end = visit.scene.now.secs().saturating_add(self.max_life.saturating_mul(HOUR));
        self.cookie.wish(visit, node, end);
        Step::done()
    }
}

/// `PersistentCookieDecisionNode`. A cookie that is taken is set again, with the idle time starting anew and the same end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PersistentCookieDecision {
    #[serde(flatten)]
    cookie: Cookie,
    enforce_client_ip: bool,
}

impl Node for PersistentCookieDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let name = self.cookie.name(visit)?;
        let node = format!("PersistentCookieDecisionNode/{}", visit.id);
        let cookies = visit.scene.request.cookies.iter();
        let mut named = cookies.filter(|(known, _)| known == name).map(|(_, value)| value);
        // Two of one name: somebody has planted one of them (SE-01).
        let (Some(cookie), None) = (named.next(), named.next()) else {
            return Step::decided(false);
        };
        let Some(opened) = persistent::open(visit.scene, &node, name, cookie)? else {
            return Step::decided(false);
        };
        let here = visit.scene.request.from;
        if self.enforce_client_ip && (here.is_none() || here != opened.from) {
            return Step::decided(false);
        }
        let stored = visit.scene.desk.document(visit.scene.realm, Kind::User, &opened.user);
        let spelled = stored.as_ref().and_then(|entry| entry.json().get("username")?.as_str());
        visit.journey.state.put_shared("username", spelled.unwrap_or(&opened.user));
        visit.journey.subject = Some((Kind::User, opened.user));
        self.cookie.wish(visit, node, opened.end);
        Step::decided(true)
    }
}
