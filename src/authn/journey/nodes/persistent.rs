//! Persistent cookies: set, and taken for an authentication (see [`super::super::persistent`]).

use super::{Fault, Node, Step, Visit};
use crate::authn::journey::persistent::{self, Wish};
use quorate_raft::Kind;
use serde::Deserialize;

const HOUR: u64 = 3600;

/// Whether a cookie of this name may be set: a token (RFC 6265 §4.1.1), and none of ours.
fn is_usable(visit: &Visit<'_, '_>, name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && name != visit.scene.desk.front().cookie_name
        && name != "amlbcookie"
}

fn unusable() -> Fault {
    Fault::of("such a cookie cannot be used")
}

/// `SetPersistentCookieNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetPersistentCookie {
    idle_timeout: u64,
    max_life: u64,
    use_secure_cookie: bool,
    use_http_only_cookie: bool,
    persistent_cookie_name: String,
}

impl Default for SetPersistentCookie {
    fn default() -> Self {
        Self {
            idle_timeout: 5,
            max_life: 5,
            use_secure_cookie: true,
            use_http_only_cookie: true,
            persistent_cookie_name: "session-jwt".to_owned(),
        }
    }
}

impl Node for SetPersistentCookie {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let name = &self.persistent_cookie_name;
        if !is_usable(visit, name) {
            return Err(unusable());
        }
        let now = visit.scene.now.secs();
        wish(
            visit,
            Wish {
                node: format!("SetPersistentCookieNode/{}", visit.id),
                name: name.clone(),
                idle: self.idle_timeout.saturating_mul(HOUR),
                end: now.saturating_add(self.max_life.saturating_mul(HOUR)),
                secure: self.use_secure_cookie,
                http_only: self.use_http_only_cookie,
            },
        );
        Step::done()
    }
}

/// The last wish for a cookie counts.
fn wish(visit: &mut Visit<'_, '_>, wish: Wish) {
    visit.journey.persistent.retain(|other| other.name != wish.name);
    visit.journey.persistent.push(wish);
}

/// `PersistentCookieDecisionNode`. A cookie that is taken is set again, with the idle time starting anew and the same end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PersistentCookieDecision {
    idle_timeout: u64,
    enforce_client_ip: bool,
    use_secure_cookie: bool,
    use_http_only_cookie: bool,
    persistent_cookie_name: String,
}

impl Default for PersistentCookieDecision {
    fn default() -> Self {
        Self {
            idle_timeout: 5,
            enforce_client_ip: false,
            use_secure_cookie: true,
            use_http_only_cookie: true,
            persistent_cookie_name: "session-jwt".to_owned(),
        }
    }
}

impl Node for PersistentCookieDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let name = &self.persistent_cookie_name;
        if !is_usable(visit, name) {
            return Err(unusable());
        }
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
        wish(
            visit,
            Wish {
                node,
                name: name.clone(),
                idle: self.idle_timeout.saturating_mul(HOUR),
                end: opened.end,
                secure: self.use_secure_cookie,
                http_only: self.use_http_only_cookie,
            },
        );
        Step::decided(true)
    }
}
