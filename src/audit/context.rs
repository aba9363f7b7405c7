//! What is known of the request that is being answered, for events that are noticed far from it.
//!
//! The HTTP port puts each request's future into `scope`; whoever learns more about the request says so ([`called_by`],
//! [`client`], [`in_realm`], [`asked`]), and whatever is recorded while it is answered asks [`current`]. Outside of a request, and
//! while nothing is audited, there is no context, and telling it something does nothing.
//!
//! | crest.md §14, f.6                                     | here                       |
//! |-------------------------------------------------------|----------------------------|
//! | `X-ForgeRock-TransactionId`, if inbound ids are trusted | [`TransactionId`]        |

use crate::caller::Caller;
use crate::crest::TransactionId;
use actix_web::dev::ServiceRequest;
use quorate_raft::{DocumentKey, Kind, RealmPath, TokenHash};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

/// AM's internal account: what nobody asked for is done by it.
pub const INTERNAL: &str = "id=dsameuser,ou=user,ou=am-config";

/// Ids that no other process makes: `<uuid>-<n>`.
#[derive(Debug)]
pub(super) struct Ids {
    process: Uuid,
    next: AtomicU64,
}

impl Ids {
    pub fn new(process: u128) -> Self {
        Self { process: Uuid::from_u128(process), next: AtomicU64::new(1) }
    }

    pub fn next(&self) -> String {
        format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Whoever calls.
#[derive(Clone, Debug)]
pub struct User {
    /// Universal id.
    pub id: Arc<str>,
    /// Tracking id of the session, if there is one.
    pub tracking_id: Option<Arc<str>>,
    /// Where the session is.
    pub session: Option<TokenHash>,
}

/// A request.
#[derive(Debug)]
pub struct Context {
    transaction: Arc<str>,
    address: Option<SocketAddr>,
    logs_out: bool,
    detailed: bool,
    user: OnceLock<User>,
    realm: OnceLock<RealmPath>,
    asked: OnceLock<Vec<(&'static str, String)>>,
}

tokio::task_local! {
    static CURRENT: Arc<Context>;
}

impl Context {
    /// For a request. `detailed`: whether an event about the request itself is wanted.
    pub(super) fn of(request: &ServiceRequest, detailed: bool) -> Self {
        Self {
            transaction: TransactionId::of(request.request()).shared(),
            address: request.peer_addr(),
            logs_out: request.query_string().split('&').any(|pair| pair == "_action=logout"),
            detailed,
            user: OnceLock::new(),
            realm: OnceLock::new(),
            asked: OnceLock::new(),
        }
    }

    /// What the events of this request belong to.
    pub fn transaction(&self) -> &Arc<str> {
        &self.transaction
    }

    /// Where the connection comes from.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Who calls, as far as that is known by now.
    pub fn user(&self) -> Option<&User> {
        self.user.get()
    }

    /// The realm that is addressed, as far as that is known by now.
    pub fn realm(&self) -> Option<&RealmPath> {
        self.realm.get()
    }

    /// Whether the request ends the session `hash` as its owner does.
    pub(super) fn logs_out(&self, hash: &TokenHash) -> bool {
        self.logs_out || self.user.get().is_some_and(|user| user.session.as_ref() == Some(hash))
    }

    pub(super) fn detail(&self) -> &[(&'static str, String)] {
        self.asked.get().map_or(&[], Vec::as_slice)
    }
}

/// The request that is being answered.
pub fn current() -> Option<Arc<Context>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Runs `future` as part of a request.
pub(super) async fn scope<F: Future>(context: Arc<Context>, future: F) -> F::Output {
    CURRENT.scope(context, future).await
}

fn tell(learn: impl FnOnce(&Context)) {
    if let Some(context) = current() {
        learn(&context);
    }
}

/// Tells who calls. What was told first counts.
pub fn called_by(caller: &Caller) {
    let user = || User {
        id: caller.session.data.universal_id.clone(),
        tracking_id: caller.session.data.properties.get("AMCtxId").cloned(),
        session: Some(caller.hash),
    };
    tell(|context| _ = context.user.get_or_init(user));
}

/// Tells which OAuth 2.0 client calls. What was told first counts.
pub fn client(realm: &RealmPath, id: &str) {
    let id = || crate::sessions::universal_id(realm, &DocumentKey::new(realm, Kind::OAuth2Client, id)).into();
    let user = || User { id: id(), tracking_id: None, session: None };
    tell(|context| _ = context.user.get_or_init(user));
}

/// Tells which realm is addressed.
pub fn in_realm(realm: &RealmPath) {
    tell(|context| _ = context.realm.get_or_init(|| realm.clone()));
}

/// Tells what an OAuth 2.0 request asks for: of its parameters, those that are no secrets.
pub fn asked<'p>(parameter: impl Fn(&'static str) -> Option<&'p str>) {
    let telling = || {
        let names = ["grant_type", "client_id", "response_type", "scope"];
        let tell = |name| Some((name, super::redact::bounded(parameter(name)?)));
        names.into_iter().filter_map(tell).collect()
    };
    tell(|context| {
        if context.detailed {
            _ = context.asked.get_or_init(telling);
        }
    });
}
