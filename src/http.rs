//! The HTTP port: which service answers what, health, metrics, and what every answer has in common.

use crate::{
    audit::access,
    authzen, bootstrap, cors,
    desk::Desk,
    oauth2,
    rest::{self, Csrf, Scope, authenticate, authorization, descriptors, sessions},
    telemetry::{self, Metrics, label},
};
use actix_web::{
    App, Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web,
};
use metrics::{Counter, Histogram, counter, gauge, histogram};
use quorate_cluster::Health;
use serde_json::json;
use std::{
    cell::RefCell,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What the health endpoints need to know.
#[derive(Clone)]
pub struct Status {
    health: Arc<dyn Fn() -> Health + Send + Sync>,
    stopping: Arc<AtomicBool>,
    desk: Desk,
    data_dir: Arc<Path>,
}

impl Status {
    /// From the node's own account of itself.
    pub fn new(desk: Desk, data_dir: &Path, health: impl Fn() -> Health + Send + Sync + 'static) -> Self {
        Self { health: Arc::new(health), stopping: Arc::default(), desk, data_dir: data_dir.into() }
    }

    /// From now on: not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Why this node is not ready, if it is not, and how it is doing.
    fn readiness(&self) -> (Option<&'static str>, Health) {
        let health = (self.health)();
        let reason = if self.stopping.load(Ordering::Acquire) {
            Some("stopping")
        } else if !health.ready {
            Some(health.reason.map_or("not ready", quorate_cluster::Reason::label))
        } else if !bootstrap::is_done(&self.desk) {
            Some("the cluster is being set up")
        } else {
            None
        };
        (reason, health)
    }
}

async fn live(status: web::Data<Status>) -> HttpResponse {
    match (status.health)().live {
        true => HttpResponse::Ok().json(json!({ "live": true })),
        false => HttpResponse::ServiceUnavailable().json(json!({ "live": false })),
    }
}

async fn ready(status: web::Data<Status>) -> HttpResponse {
    let (reason, health) = status.readiness();
    let members: Vec<_> = health
        .members
        .iter()
        .map(|member| json!({ "id": member.id, "role": format!("{:?}", member.role).to_lowercase() }))
        .collect();
    let body = json!({
        "ready": reason.is_none(),
        "reason": reason,
        "id": health.id,
        "leader": health.leader,
        "term": health.term,
        "applied": health.applied,
        "lag": health.lag,
        "members": members,
    });
    let mut response = match reason {
        None => HttpResponse::Ok(),
        Some(_) => HttpResponse::ServiceUnavailable(),
    };
    response.insert_header(("Cache-Control", "no-store")).json(body)
}

async fn metrics_page(metrics: web::Data<Metrics>, status: web::Data<Status>) -> HttpResponse {
    let health = (status.health)();
    gauge!(telemetry::RAFT_LEADING).set(if health.leader == Some(health.id) { 1.0 } else { 0.0 });
    gauge!(telemetry::RAFT_TERM).set(health.term as f64);
    gauge!(telemetry::RAFT_LAST_INDEX).set(health.last_log as f64);
    gauge!(telemetry::RAFT_APPLIED_INDEX).set(health.applied as f64);
    let views = status.desk.views();
    for (owner, live) in [
        ("access_tokens", views.access.len()),
        ("codes", views.codes.len()),
        ("blacklist", views.blacklist.len()),
        ("sessions", views.sessions.len()),
        ("attempts", views.attempts.len()),
        ("documents", views.documents.len()),
    ] {
        gauge!(telemetry::LIVE_RECORDS, label::OWNER => owner).set(live as f64);
    }
    gauge!(telemetry::DISK_BYTES).set(bytes_below(&status.data_dir) as f64);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(metrics.render())
}

/// Bytes of the files in a directory of ours and below: a handful, whatever the state holds.
fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0, // removed meanwhile
        })
        .sum()
}

/// Everything below `/json`.
fn json(cfg: &mut web::ServiceConfig) {
    let routes = authorization::routes(rest::routes())
        .resource(Scope::Realm, "sessions", sessions::Sessions)
        .plain(Scope::Realm, "authenticate", Csrf::Checked, authenticate::handle)
        .described(descriptors::authenticate());
    rest::mount(routes, cfg);
}

/// Health and metrics, at their short names.
pub fn management(cfg: &mut web::ServiceConfig) {
    cfg.route("/livez", web::get().to(live))
        .route("/readyz", web::get().to(ready))
        .route("/metrics", web::get().to(metrics_page));
}

/// What an answer is labelled with: the service, not the path, which an outsider could make up without end.
fn route(path: &str, context: &str) -> &'static str {
    let rest = path.strip_prefix(context).unwrap_or(path);
    let last = rest.rsplit('/').next().unwrap_or_default();
    match (rest.starts_with("/oauth2/"), rest.starts_with("/json/"), last) {
        (false, false, "evaluation" | "evaluations") if rest.contains("/access/v1/") => "access",
        (true, _, "access_token") => "oauth2/access_token",
        (true, _, "authorize") => "oauth2/authorize",
        (true, _, "introspect") => "oauth2/introspect",
        (true, _, "revoke") => "oauth2/token/revoke",
        (true, _, "tokeninfo") => "oauth2/tokeninfo",
        (true, _, _) => "oauth2",
        (_, true, "authenticate") => "json/authenticate",
        (_, true, "sessions") => "json/sessions",
        (_, true, _) => "json",
        _ => "other",
    }
}

/// What counts and times the answers of one kind.
struct Meter {
    route: &'static str,
    status: &'static str,
    count: Counter,
    seconds: Histogram,
}

/// Counts an answer. A thread looks each meter up once: that costs more than counting.
fn count(route: &'static str, status: &'static str, took: Duration) {
    thread_local! {
        static METERS: RefCell<Vec<Meter>> = const { RefCell::new(Vec::new()) };
    }
    METERS.with_borrow_mut(|meters| {
        let known = meters.iter().position(|meter| meter.route == route && meter.status == status);
        let at = known.unwrap_or_else(|| {
            let count = counter!(telemetry::HTTP_REQUESTS, label::ROUTE => route, label::STATUS => status);
            let seconds = histogram!(telemetry::HTTP_SECONDS, label::ROUTE => route);
            meters.push(Meter { route, status, count, seconds });
            meters.len() - 1
        });
        if let Some(meter) = meters.get(at) {
            meter.count.increment(1);
            meter.seconds.record(took);
        }
    });
}

/// Counts, times and records answers.
async fn measure(
    front: web::Data<String>,
    desk: web::Data<Desk>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let route = route(request.path(), &front);
    let start = Instant::now();
    let response = access::observe(desk.audit(), &front, request, next).await?;
    let status = match response.status().as_u16() {
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    count(route, status, start.elapsed());
    Ok(response)
}

/// The application of one worker.
pub fn app(
    desk: Desk,
    status: Status,
    metrics: Option<Metrics>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let context = desk.front().context_path.clone();
    let app = App::new()
        .app_data(web::Data::new(desk))
        .app_data(web::Data::new(status))
        .app_data(web::Data::new(context.clone()))
        .wrap(from_fn(cors::answer))
        .wrap(from_fn(measure))
        .service(
            web::scope(&context)
                .route("/json/health/live", web::get().to(live))
                .route("/json/health/ready", web::get().to(ready))
                .service(web::scope("/oauth2").configure(oauth2::configure))
                .service(web::scope("/json").configure(json))
                .configure(authzen::configure),
        )
        .route("/livez", web::get().to(live))
        .route("/readyz", web::get().to(ready))
        .configure(oauth2::configure_root)
        .configure(authzen::configure_root);
    match metrics {
        Some(metrics) => app.app_data(web::Data::new(metrics)).route("/metrics", web::get().to(metrics_page)),
        None => app,
    }
}
