//! What a realm says about its sessions (b.6, b.3, b.5), in the order of [`crate::layers`], over the defaults of the reference.
//! Each document is read once per revision.
//!
//! | setting                                              | document                                        |
//! |------------------------------------------------------|-------------------------------------------------|
//! | `dynamic.*`, `quotas.*`, `general.latestAccess…`, `search.*` | service `session`                         |
//! | `dynamic.*` of one user, before all others            | the user's document ([`OwnLimits`])             |
//! | `sessionPropertyWhitelist`, `whitelistedQueryProperties` | service `amSessionPropertyWhitelist`          |
//! | `general.statelessSessionsEnabled`                   | settings `authentication` of the realm (a.12)   |
//! | `cookieDomains`, `locale`                            | global service `platform`                       |
//!
//! What the reference has for its own machinery (caching times, list time-outs, poll intervals, notification to agents, whether
//! a client-based session can be revoked) has no effect here: reads are linearizable, listings cost what they find, and every
//! revocation is final on all nodes at once (G2, G3).

use crate::{
    desk::Desk,
    layers::{AUTHENTICATION, Layers, SESSION, said},
    views::{Entry, Remembered},
};
use quorate_raft::{
    RealmPath, Span,
    sessions::{Exceeded, Quota},
};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

/// Service document of properties that may be seen and set.
pub const WHITELIST: &str = "amSessionPropertyWhitelist";
const PLATFORM: &str = "platform";

/// Member of a user's document: what services say about that user alone, by service.
pub const OF_USER: &str = "_services";

/// Longest time that a setting may name, minutes: a thousand years are as good as for ever, and do not overflow.
const MOST_MINUTES: u64 = 1000 * 365 * 24 * 60;
/// Most sessions in one listing, whatever the setting.
const MOST_LISTED: u64 = 10_000;

/// What holds in a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Longest life of a session.
    pub max_life: Span,
    /// Longest pause between two uses.
    pub max_idle: Span,
    /// How many sessions a user may have; `None`: any number.
    pub quota: Option<Quota>,
    /// Most sessions in the answer to a query.
    pub listed: usize,
    /// Whether new sessions of users are kept by their clients.
    pub client_based: bool,
    /// Properties that are shown, and may be set.
    pub shown: BTreeSet<String>,
    /// Properties that queries may ask for.
    pub queried: BTreeSet<String>,
}

/// What the service `session` says about one user: it wins over nodes, trees, realm and cluster (b.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits {
    /// Longest life of a session.
    pub max_life: Option<Span>,
    /// Longest pause between two uses.
    pub max_idle: Option<Span>,
    /// How many sessions the user may have, where that is limited at all.
    pub quota: Option<u32>,
}

impl OwnLimits {
    /// Of whoever has this document.
    pub fn of(entry: &Entry) -> Self {
        let own = entry.json().get(OF_USER).and_then(|services| services.get(SESSION));
        let said = own.map(Said::read).unwrap_or_default();
        Self { max_life: said.max_life, max_idle: said.max_idle, quota: said.quota_limit }
    }
}

/// What one document says; `None` where it says nothing.
#[derive(Debug, Default)]
struct Said {
    max_life: Option<Span>,
    max_idle: Option<Span>,
    quota_on: Option<bool>,
    quota_limit: Option<u32>,
    exceeded: Option<Exceeded>,
    touch_after: Option<Span>,
    listed: Option<u64>,
    client_based: Option<bool>,
    shown: Option<BTreeSet<String>>,
    queried: Option<BTreeSet<String>>,
}

/// What the first document says that says anything; each is read once per revision.
fn first<T>(layers: &Layers, what: impl Fn(&Said) -> Option<T>) -> Option<T> {
    layers.first(|entry| what(&entry.typed(Said::read)))
}

/// How old the last note of a session's use may be before a use is noted again; alone, because every request asks.
pub fn touch_after(desk: &Desk, realm: &RealmPath) -> Span {
    thread_local! {
        static KNOWN: Remembered<Rc<RefCell<HashMap<RealmPath, Span>>>> = const { Remembered::new() };
    }
    let known = KNOWN.with(|known| known.get(desk.views(), Rc::default));
    if let Some(&span) = known.borrow().get(realm) {
        return span;
    }
    let said = first(&Layers::of(desk.views(), realm, SESSION), |said| said.touch_after);
    let span = said.unwrap_or(Span::from_secs(60));
    known.borrow_mut().insert(realm.clone(), span);
    span
}

impl SessionSettings {
    /// What holds in `realm`, as the views show it.
    pub fn of(desk: &Desk, realm: &RealmPath) -> Self {
        let said = |id: &str| Layers::of(desk.views(), realm, id);
        let (session, whitelist, authentication) = (said(SESSION), said(WHITELIST), said(AUTHENTICATION));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let on = first(&session, |said| said.quota_on).unwrap_or(false);
        let quota = Quota {
            limit: first(&session, |said| said.quota_limit).unwrap_or(5),
            exceeded: first(&session, |said| said.exceeded).unwrap_or(Exceeded::DestroyNextExpiring),
        };
        let listed = first(&session, |said| said.listed).unwrap_or(120).min(MOST_LISTED);
        Self {
            max_life: first(&session, |said| said.max_life).unwrap_or(minutes(120)),
            max_idle: first(&session, |said| said.max_idle).unwrap_or(minutes(30)),
            quota: on.then_some(quota),
            listed: usize::try_from(listed).unwrap_or(usize::MAX),
            client_based: first(&authentication, |said| said.client_based).unwrap_or(false),
            shown: first(&whitelist, |said| said.shown.clone()).unwrap_or_else(|| names(&["AMCtxId"])),
            queried: first(&whitelist, |said| said.queried.clone()).unwrap_or_default(),
        }
    }
}

/// Domains that session cookies are set for, besides none: as the global service `platform` says.
pub fn cookie_domains(desk: &Desk) -> Vec<String> {
    texts(Layers::of_cluster(desk.views(), PLATFORM).value("", "cookieDomains")).unwrap_or_default()
}

/// The platform's locale, as Java spells it: `en_US` unless somebody says otherwise.
pub fn locale(desk: &Desk) -> String {
    let said = Layers::of_cluster(desk.views(), PLATFORM);
    let said = said.value("", "locale").and_then(Value::as_str);
    said.filter(|locale| !locale.is_empty()).unwrap_or("en_US").to_owned()
}

/// Whether a logout clears what a browser keeps for us (a.12, `security.addClearSiteDataHeader`): yes, unless somebody says no.
pub fn clears_site_data(desk: &Desk, realm: &RealmPath) -> bool {
    let said = Layers::of(desk.views(), realm, AUTHENTICATION);
    said.value("security", "addClearSiteDataHeader").and_then(Value::as_bool).unwrap_or(true)
}

const fn minutes(minutes: u64) -> Span {
    Span::from_secs(minutes * 60)
}

impl Said {
    fn read(body: &Value) -> Self {
        let number = |group, name| said(body, group, name).and_then(whole);
        let lasting = |name| {
            let said = number("dynamic", name)?;
            Some(minutes(said.clamp(1, MOST_MINUTES)))
        };
        let quotas = |name| said(body, "quotas", name).and_then(Value::as_str);
        Self {
            max_life: lasting("maxSessionTime"),
            max_idle: lasting("maxIdleTime"),
            quota_on: quotas("iplanet-am-session-enable-session-constraint").map(|on| on.eq_ignore_ascii_case("ON")),
            quota_limit: number("dynamic", "quotaLimit").map(|limit| u32::try_from(limit.max(1)).unwrap_or(u32::MAX)),
            exceeded: quotas("behaviourWhenQuotaExhausted").and_then(exceeded),
            touch_after: number("general", "latestAccessTimeUpdateFrequency").map(Span::from_secs),
            listed: number("search", "maxSessionListSize"),
            client_based: said(body, "general", "statelessSessionsEnabled").and_then(Value::as_bool),
            shown: texts(said(body, "", "sessionPropertyWhitelist")),
            queried: texts(said(body, "", "whitelistedQueryProperties")),
        }
    }
}

/// By the last part of AM's class name.
fn exceeded(action: &str) -> Option<Exceeded> {
    match action.rsplit('.').next()? {
        "DestroyNextExpiringAction" => Some(Exceeded::DestroyNextExpiring),
        "DestroyOldestAction" => Some(Exceeded::DestroyOldest),
        "DestroyAllAction" => Some(Exceeded::DestroyAll),
        "DenyAccessAction" => Some(Exceeded::DenyAccess),
        _ => None,
    }
}

/// A number, or a text that is one.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn texts<C: FromIterator<String>>(value: Option<&Value>) -> Option<C> {
    let values = value?.as_array()?;
    Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk, testing};
    use quorate_raft::{DocumentKey, Kind, Owners, Precondition, State};
    use serde_json::json;

    async fn store(desk: &Desk, key: DocumentKey, body: Value) {
        desk.write(vec![desk::put(key, Precondition::Any, &body, vec![], false)]).await.expect("stored");
    }

    /// G2 on a node that comes back with a snapshot: what its threads remember of the documents before is gone with them.
    #[actix_web::test]
    async fn what_is_remembered_does_not_outlive_a_snapshot() {
        let (desk, alone) = testing::desk().await;
        let root = RealmPath::root();
        let body = json!({"general": {"latestAccessTimeUpdateFrequency": 7}});
        store(&desk, DocumentKey::new(&root, Kind::GlobalService, SESSION), body).await;
        assert_eq!(touch_after(&desk, &root), Span::from_secs(7));
        alone.actors.install(State::default()).await;
        assert_eq!(touch_after(&desk, &root), Span::from_secs(60));
    }

    /// b.6, in the order of its table; then each layer over the one below.
    #[actix_web::test]
    async fn a_realm_has_its_own_settings_over_the_global_ones_over_the_defaults() {
        let (desk, _alone) = testing::desk().await;
        let (root, alpha) = (RealmPath::root(), RealmPath::from("/alpha"));
        let realm = DocumentKey::new(&root, Kind::Realm, "/alpha");
        store(&desk, realm, json!({"name": "alpha", "parentPath": "/", "active": true, "aliases": []})).await;
        let defaults = SessionSettings {
            max_life: minutes(120),
            max_idle: minutes(30),
            quota: None,
            listed: 120,
            client_based: false,
            shown: ["AMCtxId".to_owned()].into(),
            queried: BTreeSet::new(),
        };
        assert_eq!(SessionSettings::of(&desk, &root), defaults);
        assert_eq!(SessionSettings::of(&desk, &alpha), defaults);
        assert_eq!(touch_after(&desk, &alpha), Span::from_secs(60));

        let global = |id: &str| DocumentKey::new(&root, Kind::GlobalService, id);
        let action = "org.forgerock.openam.session.service.DenyAccessAction";
        store(
            &desk,
            global(SESSION),
            json!({
                "dynamic": {"maxSessionTime": 10, "maxIdleTime": "5", "quotaLimit": 0},
                "quotas": {
                    "iplanet-am-session-enable-session-constraint": "ON",
                    "behaviourWhenQuotaExhausted": action,
                },
                "general": {"latestAccessTimeUpdateFrequency": 7},
                "search": {"maxSessionListSize": 3},
            }),
        )
        .await;
        store(&desk, global(WHITELIST), json!({"defaults": {"sessionPropertyWhitelist": ["a", "b"]}})).await;
        store(&desk, global("platform"), json!({"cookieDomains": ["example.com"]})).await;
        let said = SessionSettings::of(&desk, &alpha);
        assert_eq!((said.max_life, said.max_idle), (minutes(10), minutes(5)));
        assert_eq!(said.quota, Some(Quota { limit: 1, exceeded: Exceeded::DenyAccess }));
        assert_eq!((touch_after(&desk, &alpha), said.listed), (Span::from_secs(7), 3));
        assert_eq!(said.shown, ["a".to_owned(), "b".to_owned()].into());
        assert_eq!(cookie_domains(&desk), ["example.com"]);

        let own = |id: &str| DocumentKey::new(&alpha, Kind::Service, id);
        store(&desk, own(SESSION), json!({"dynamic": {"maxIdleTime": 2}})).await;
        store(&desk, own(WHITELIST), json!({"sessionPropertyWhitelist": [], "whitelistedQueryProperties": ["c"]}))
            .await;
        store(&desk, own("authentication"), json!({"general": {"statelessSessionsEnabled": true}})).await;
        let said = SessionSettings::of(&desk, &alpha);
        assert_eq!((said.max_life, said.max_idle), (minutes(10), minutes(2)));
        assert_eq!((said.shown.len(), said.client_based), (0, true));
        assert_eq!(said.queried, ["c".to_owned()].into());
        let other = SessionSettings::of(&desk, &root);
        assert_eq!((other.max_idle, other.client_based), (minutes(5), false));
    }

    #[test]
    fn what_cannot_be_meant_is_bounded_or_left_out() {
        let said = Said::read(&json!({
            "dynamic": {"maxSessionTime": 18_446_744_073_709_551_615_u64, "maxIdleTime": 0, "quotaLimit": "many"},
            "quotas": {"behaviourWhenQuotaExhausted": "Surprise"},
            "sessionPropertyWhitelist": "AMCtxId",
        }));
        assert_eq!((said.max_life, said.max_idle), (Some(minutes(MOST_MINUTES)), Some(minutes(1))));
        assert!(said.quota_limit.is_none() && said.exceeded.is_none() && said.shown.is_none());
    }
}
