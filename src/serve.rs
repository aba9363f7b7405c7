//! `quorate serve`: one node, from its configuration to its graceful stop.
//!
//! Threads (see `docs/adr/0004-threads.md`): HTTP workers, one arbiter for the owners, a runtime for Raft and the peers,
//! the store's writers, and a few threads for passwords.

use crate::{
    actors::Actors,
    attempts::Guard,
    audit::Audit,
    base_url::Settings,
    bootstrap,
    config::{Bootstrap, Config, CookieSecure, HttpTls, PeerSecurity},
    decisions::Rules,
    desk::{Desk, Front, Parts},
    host, http,
    keys::KeyRing,
    node::Clustered,
    passwords::Passwords,
    telemetry::Metrics,
    views::Views,
};
use actix::Arbiter;
use actix_web::{App, HttpServer, dev::ServerHandle, web};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_cluster::{Node, Security};
use quorate_raft::store::Peer;
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use std::{
    io, process,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};

/// Why a node did not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The operating system or the disk.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: io::Error,
    },
    /// The cluster's part did not start.
    #[error(transparent)]
    Cluster(#[from] quorate_cluster::StartError),
    /// Keys are unusable.
    #[error(transparent)]
    Keys(#[from] crate::keys::KeyError),
    /// Telemetry did not start.
    #[error(transparent)]
    Telemetry(#[from] crate::telemetry::Error),
    /// TLS files are unusable.
    #[error("TLS: {0}")]
    Tls(String),
    /// The node met something that it cannot go on from.
    #[error("stopped: {0}")]
    Fatal(String),
}

trait During<T> {
    fn during(self, what: &'static str) -> Result<T, ServeError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: &'static str) -> Result<T, ServeError> {
        self.map_err(|source| ServeError::Io { what, source })
    }
}

/// Cores of this machine.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a node until it is told to stop. Blocks.
///
/// # Errors
/// [`ServeError`]; the process should end with status 1.
pub fn run(config: &Config) -> Result<(), ServeError> {
    let metrics = Metrics::install()?;
    // One provider for the whole process; a second installation is the same one again.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let raft = Builder::new_multi_thread()
        .worker_threads(if cores() < 4 { 1 } else { 2 })
        .thread_name("raft")
        .enable_all()
        .build()
        .during("starting the raft runtime")?;
    let handle = raft.handle().clone();
    let result = actix_web::rt::System::new().block_on(serve(config, &handle, metrics));
    raft.shutdown_timeout(Duration::from_secs(2));
    result
}

async fn serve(config: &Config, raft: &Handle, metrics: Metrics) -> Result<(), ServeError> {
    let master = config.master_key.open().during("opening the master key")?;
    let arbiters: Vec<Arbiter> = (0..if cores() < 8 { 1 } else { 2 }).map(|_| Arbiter::new()).collect();
    let handles: Vec<_> = arbiters.iter().map(Arbiter::handle).collect();
    let views = Arc::new(Views::default());
    let actors = Actors::start(&handles, views.clone()).ok_or_else(|| ServeError::Fatal("no arbiter".into()))?;
    let actors = Arc::new(actors);

    let node = raft.spawn(quorate_cluster::start(settings(config, &actors), actors.clone()));
    let node = node.await.map_err(|error| ServeError::Fatal(error.to_string()))??;

    let desk = Desk::new(Parts {
        consensus: Arc::new(Clustered::new(node.clone())),
        actors,
        views,
        passwords: Passwords::start(cores(), config.encoded_passwords).during("starting password threads")?,
        keys: KeyRing::new(master.expose())?,
        audit: Audit::start(config.audit.clone(), config.log.format)
            .during("starting to record events (audit.directory, audit.enabled)")?,
        rules: Rules::new(&config.decisions),
        guard: Guard { limits: config.attempts, trusted_proxies: config.site.trusted_proxies.clone() },
        front: Front {
            context_path: config.site.context_path.clone(),
            cookie_name: config.site.cookie_name.clone(),
            cookie_secure: match config.site.cookie_secure {
                CookieSecure::Always => true,
                CookieSecure::Never => false,
                CookieSecure::Auto => config.base_url().starts_with("https:"),
            },
            cookie_same_site: config.site.cookie_same_site,
            valid_hosts: config.site.valid_hosts.clone(),
            trust_transaction_ids: config.site.trust_transaction_ids,
            base_url_from_request: config.site.base_url_from_request,
        },
        audit_process: host::random_id(),
        audit_counter: AtomicU64::new(1),
    });
    // Every node sees a session time out; the one that leads tells.
    desk.views().watch_timeouts({
        let (node, audit, id) = (node.clone(), desk.audit().clone(), config.node_id);
        move |session| {
            if node.leader() == Some(id) {
                audit.session_timed_out(session);
            }
        }
    });
    let status = http::Status::new(desk.clone(), &config.data_dir, {
        let node = node.clone();
        move || node.health()
    });
    let servers = listen(config, &desk, &status, &metrics)?;
    let setting_up = actix_web::rt::spawn(set_up(desk.clone(), node.clone(), config.clone()));
    let upkeep = actix_web::rt::spawn({
        let desk = desk.clone();
        async move {
            loop {
                // A look at every client that is remembered is worth less often than folding samples.
                for _ in 0..12 {
                    sleep(Duration::from_secs(5)).await;
                    metrics.fold();
                }
                desk.forget_secrets();
            }
        }
    });
    tracing::info!(node.id = config.node_id, http = %config.http, "serving {}{}", config.base_url(), config.site.context_path);

    let ended = tokio::select! {
        stopped = stop_signal() => stopped.during("waiting for signals"),
        fatal = node.fatal() => Err(ServeError::Fatal(fatal.to_string())),
    };
    setting_up.abort();
    upkeep.abort();
    match &ended {
        Ok(()) => stop_gracefully(config, raft, &desk, &node, &status, &servers).await,
        Err(error) => {
            tracing::error!(%error, "cannot go on");
            for server in &servers {
                server.stop(false).await;
            }
        }
    }
    // Whatever ended it: what happened is written.
    desk.audit().settle(Duration::from_secs(1));
    for arbiter in arbiters {
        arbiter.stop();
    }
    ended
}

fn settings(config: &Config, actors: &Arc<Actors>) -> quorate_cluster::Settings {
    let (security, listen) = match &config.peers.security {
        PeerSecurity::MutualTls(tls) => {
            (Security::Mtls { ca: tls.ca.clone(), cert: tls.cert.clone(), key: tls.key.clone() }, config.peers.listen)
        }
        PeerSecurity::PlaintextOnLoopback => (Security::PlaintextLoopback, config.peers.listen),
        PeerSecurity::Closed => (Security::Closed, config.peers.listen),
    };
    let http = config.base_url();
    let found = match &config.peers.bootstrap {
        Bootstrap::Found(members) => Some(
            members
                .iter()
                .map(|member| (member.id, member.address.to_string()))
                .collect::<std::collections::BTreeMap<_, _>>(),
        ),
        Bootstrap::Join => None,
    };
    let own = found.as_ref().and_then(|members| members.get(&config.node_id).cloned());
    let me = Peer { addr: own.unwrap_or_else(|| config.peers.listen.to_string()), http };
    let mut settings = quorate_cluster::Settings::new(
        config.node_id,
        config.data_dir.clone(),
        listen,
        me,
        security,
        Arc::new(host::now),
        Arc::new(host::random_id),
    );
    settings.bootstrap = found;
    let owners = actors.clone();
    settings.next_death = Arc::new(move || owners.next_death());
    settings.timing.heartbeat = config.raft.heartbeat;
    settings.timing.election_min = config.raft.election_min;
    settings.timing.election_max = config.raft.election_max;
    settings.limits.in_flight = config.limits.max_inflight_proposals;
    settings
}

/// Binds the ports and starts to answer on them.
fn listen(
    config: &Config,
    desk: &Desk,
    status: &http::Status,
    metrics: &Metrics,
) -> Result<Vec<ServerHandle>, ServeError> {
    let workers = config.http_workers.map_or_else(|| if cores() >= 8 { cores() - 3 } else { cores() }, usize::from);
    let shared = (desk.clone(), status.clone(), metrics.clone(), config.management.is_none(), config.limits);
    let server = HttpServer::new(move || {
        let (desk, status, metrics, with_metrics, limits) = &shared;
        http::app(desk.clone(), status.clone(), with_metrics.then(|| metrics.clone()))
            .app_data(web::PayloadConfig::new(limits.form_bytes.max(limits.json_bytes)))
    })
    .workers(workers)
    .disable_signals()
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(config.limits.request_head)
    .shutdown_timeout(2);
    let server = match &config.tls {
        None => server.bind(config.http),
        Some(tls) => server.bind_rustls_0_23(config.http, http_tls(tls)?),
    }
    .during("binding the HTTP port")?
    .run();
    let mut handles = vec![server.handle()];
    actix_web::rt::spawn(server);
    if let Some(address) = config.management {
        let (status, metrics) = (status.clone(), metrics.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(status.clone()))
                .app_data(web::Data::new(metrics.clone()))
                .configure(http::management)
        })
        .workers(1)
        .disable_signals()
        .bind(address)
        .during("binding the management port")?
        .run();
        handles.push(server.handle());
        actix_web::rt::spawn(server);
    }
    Ok(handles)
}

fn http_tls(tls: &HttpTls) -> Result<ServerConfig, ServeError> {
    let broken = |error: &dyn std::fmt::Display| ServeError::Tls(error.to_string());
    let chain = crate::config::tls::certificates(&tls.cert).map_err(|error| broken(&error))?;
    let key = crate::config::tls::private_key(&tls.key).map_err(|error| broken(&error))?;
    let builder = match &tls.client_ca {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in crate::config::tls::certificates(path).map_err(|error| broken(&error))? {
                roots.add(root).map_err(|error| broken(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build();
            ServerConfig::builder().with_client_cert_verifier(verifier.map_err(|error| broken(&error))?)
        }
    };
    builder.with_single_cert(chain, key).map_err(|error| broken(&error))
}

/// Sets a new cluster up, from whichever node leads, and returns when that is done.
async fn set_up(desk: Desk, node: Node<Actors>, config: Config) {
    let settings = Settings { base_url: config.base_url(), context_path: config.site.context_path.clone() };
    let mut generated = None;
    while !bootstrap::is_done(&desk) {
        if node.leader() == Some(config.node_id) {
            let password = match &config.admin_password {
                Some(password) => password.expose(),
                None => generated.get_or_insert_with(|| URL_SAFE_NO_PAD.encode(host::random::<18>())),
            };
            match bootstrap::run(&desk, &settings, password).await {
                Ok(true) => announce(generated.as_deref()),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the cluster could not be set up yet"),
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    if let Err(error) = crate::keys::ring(&desk) {
        // Every token operation would fail: better said once, loudly, at the start.
        tracing::error!(%error, "this node cannot use the cluster's signing keys");
    }
}

/// The one secret that is ever printed: a password that nobody else has.
fn announce(generated: Option<&str>) {
    tracing::info!("the cluster is set up");
    if let Some(password) = generated {
        println!("amAdmin's password is {password} (shown once)");
    }
}

async fn stop_signal() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM"),
        _ = interrupt.recv() => tracing::info!("SIGINT"),
    }
    Ok(())
}

/// Not ready, leadership handed over, requests in flight answered, then the end (architecture.md §4).
async fn stop_gracefully(
    config: &Config,
    raft: &Handle,
    desk: &Desk,
    node: &Node<Actors>,
    status: &http::Status,
    servers: &[ServerHandle],
) {
    let whole = async {
        status.stop();
        node.retire().await;
        for server in servers {
            server.stop(true).await;
        }
        // Nobody decides any more; what was decided is written before the process ends.
        let audit = desk.audit().clone();
        drop(actix_web::rt::task::spawn_blocking(move || audit.settle(Duration::from_secs(1))).await);
        let node = node.clone();
        drop(raft.spawn(async move { node.shutdown().await }).await);
    };
    if timeout(config.shutdown, whole).await.is_err() {
        // What was acknowledged is on disk; there is nothing to lose by leaving now.
        tracing::warn!("not stopped in time; leaving");
        desk.audit().settle(Duration::from_secs(1));
        process::exit(0);
    }
}
