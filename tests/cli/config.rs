//! Which value wins, which mistakes are told, and what is never shown.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate::config::{Bootstrap, Config, Invalid, LogFormat, MasterKeySource, PeerSecurity, Sources};

use crate::{quorate, stderr, stdout};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const THREE: &str = "1=127.0.0.1:8091,2=127.0.0.1:8092,3=[::1]:8093";

/// Sources of one case; the directory goes with it.
struct Case {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl Case {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    fn toml(mut self, text: &str) -> Self {
        self.sources.file = Some(self.file("quorate.toml", text));
        self
    }

    fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.sources.env.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.sources.flags.push((key, value.into()));
        self
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self) -> Config {
        Config::load(&self.sources).unwrap_or_else(|bad| panic!("{bad:#?}"))
    }

    fn mistakes(&self) -> Vec<Invalid> {
        Config::load(&self.sources).expect_err("a mistake")
    }

    /// The only mistake, as `key: problem`.
    fn mistake(&self) -> String {
        match self.mistakes().as_slice() {
            [mistake] => mistake.to_string(),
            mistakes => panic!("{mistakes:#?}"),
        }
    }
}

#[test]
fn nothing_said_is_one_node_on_loopback() {
    let config = Case::new().load();
    assert_eq!(config.node_id, 1);
    assert_eq!(config.data_dir, Path::new("./quorate-data"));
    assert_eq!(config.http, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.base_url(), "http://127.0.0.1:8080");
    assert_eq!(config.site.context_path, "/am");
    assert_eq!(config.site.cookie_name, "iPlanetDirectoryPro");
    assert_eq!(config.peers.security, PeerSecurity::Closed);
    assert!(!config.peers.several());
    let Bootstrap::Found(members) = &config.peers.bootstrap else { panic!("{:?}", config.peers) };
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].id, 1);
    let MasterKeySource::KeyFile { path, .. } = &config.master_key else { panic!("{:?}", config.master_key) };
    assert_eq!(path, Path::new("./quorate-data.key"));
    assert_eq!(config.limits.max_inflight_proposals, 8192);
    assert_eq!(config.raft.heartbeat, Duration::from_millis(100));
    assert_eq!(config.raft.election_min, Duration::from_millis(300));
    assert_eq!(config.raft.election_max, Duration::from_millis(600));
    assert_eq!(config.shutdown, Duration::from_secs(5));
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.audit.decisions, quorate::audit::decisions::Settings::default());
    let topics = config.audit.topics.as_ref().expect("recorded");
    let directory = topics.directory.clone().expect("files");
    assert_eq!((directory.path.as_path(), directory.fsync), (Path::new("./quorate-data.audit"), false));
    let expected = quorate::audit::TopicSettings { directory: Some(directory), ..Default::default() };
    assert_eq!(*topics, expected);
    assert_eq!(config.decisions, quorate::decisions::Settings::default());
    assert_eq!(config.http_workers, None);
}

#[test]
fn flags_win_over_variables_over_file_over_defaults() {
    let file = "http = \"127.0.0.1:1001\"\n[raft]\nheartbeat_ms = 11\n[limits]\njson_bytes = 4096\n";
    let load = |depth: usize| {
        let mut case = Case::new();
        if depth > 0 {
            case = case.toml(file);
        }
        if depth > 1 {
            case = case.var("QUORATE_HTTP", "127.0.0.1:1002").var("QUORATE_RAFT_HEARTBEAT_MS", "12");
        }
        if depth > 2 {
            case = case.flag("http", "127.0.0.1:1003");
        }
        let config = case.load();
        (config.http.port(), config.raft.heartbeat.as_millis(), config.limits.json_bytes)
    };
    assert_eq!(load(0), (8080, 100, 1 << 20));
    assert_eq!(load(1), (1001, 11, 4096));
    assert_eq!(load(2), (1002, 12, 4096));
    assert_eq!(load(3), (1003, 12, 4096));
}

#[test]
fn all_mistakes_are_told_in_one_start() {
    let case = Case::new()
        .toml(
            "http = \"localhost\"\ncontext_path = \"am/\"\ncolour = \"red\"\nlog = 3\n\
             [raft]\nheartbeat_ms = 400\nelection_timeout_max_ms = 300\nhartbeat_ms = 1\n[limits]\nform_bytes = -1\n",
        )
        .var("QUORATE_NODE_ID", "0")
        .var("QUORATE_BASE_URL", "https://a.example/am")
        .var("QUORATE_DATADIR", "x")
        .var("QUORATE_MASTER_KEY", "c2hvcnQ=")
        .var("QUORATE_TRUSTED_PROXIES", "10.0.0.0/8,nobody,::/200")
        .flag("cluster", "1=127.0.0.1:1,x");
    let mut told: Vec<String> = case.mistakes().iter().map(ToString::to_string).collect();
    told.sort();
    let expected = [
        "--cluster: must be ID=HOST:PORT",
        "QUORATE_BASE_URL: must have no path",
        "QUORATE_DATADIR: no such variable; did you mean `QUORATE_DATA_DIR`?",
        "QUORATE_MASTER_KEY: must be exactly 32 bytes",
        "QUORATE_NODE_ID: must be a whole number, at least 1",
        "QUORATE_TRUSTED_PROXIES: must be an address or a network like 10.0.0.0/8, not `::/200`",
        "QUORATE_TRUSTED_PROXIES: must be an address or a network like 10.0.0.0/8, not `nobody`",
        "colour: no such setting",
        "context_path: must be like /am",
        "http: must be IP:PORT",
        "limits.form_bytes: must be a whole number from 1024 to",
        "log: is a table",
        "raft.election_timeout_max_ms: must be over",
        "raft.hartbeat_ms: no such setting; did you mean `raft.heartbeat_ms`?",
        "raft.heartbeat_ms: must be at most a third",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\nis not\n{expected}");
    }
}

#[test]
fn each_setting_refuses_what_it_cannot_mean() {
    for (name, values) in [
        ("QUORATE_NODE_ID", &["-1", "1.5", "one", "99999999999999999999"][..]),
        ("QUORATE_HTTP", &["8080", "localhost:8080", "127.0.0.1", "127.0.0.1:65536", "0.0.0.0:8090/x"]),
        ("QUORATE_MANAGEMENT", &["nowhere", "127.0.0.1:8080", "0.0.0.0:8080", "[::ffff:127.0.0.1]:8080"]),
        ("QUORATE_CLUSTER", &["1", "0=a:1", "1=a", "1=a:0", "1=a:1,1=b:1", "1=a:1,2=a:1", "2=127.0.0.1:1", "1=a b:1"]),
        ("QUORATE_DEV", &["yes", "2"]),
        ("QUORATE_JOIN", &["maybe"]),
        ("QUORATE_COOKIE_NAME", &["a b", "a;b", "a=b"]),
        ("QUORATE_COOKIE_SECURE", &["always"]),
        ("QUORATE_SHUTDOWN_SECONDS", &["0", "601", "5s"]),
        ("QUORATE_HTTP_WORKERS", &["-1", "1025"]),
        ("QUORATE_LIMITS_MAX_INFLIGHT_PROPOSALS", &["0", "many"]),
        ("QUORATE_LOG_FILTER", &["quorate=loud", "a=b=c"]),
        ("QUORATE_LOG_FORMAT", &["xml"]),
        ("QUORATE_DECISIONS_RECORD", &["some", "5", "101%", "0.001%"]),
        ("QUORATE_DECISIONS_RECORD_SETS", &["w=all", "alpha:w=all", "/alpha:w", "/alpha:w=some"]),
        ("QUORATE_DECISIONS_WHEN_FULL", &["wait"]),
        ("QUORATE_DECISIONS_QUEUE", &["0", "many"]),
        ("QUORATE_TLS_CERT", &["/nonexistent.pem"]),
        ("QUORATE_PEER_TLS_CA", &["/nonexistent.pem"]),
        ("QUORATE_MASTER_KEY_FILE", &["/nonexistent"]),
        ("QUORATE_DATA_DIR", &["..", "/"]),
    ] {
        for value in values {
            let bad = Case::new().var(name, *value).mistakes();
            assert!(!bad.is_empty() && bad.iter().all(|bad| !bad.problem.is_empty()), "{name}={value}");
        }
    }
}

#[test]
fn dev_allows_loopback_and_nothing_else() {
    let dev = |peer: &str, cluster: &str| {
        Case::new().flag("peer", peer).flag("cluster", cluster).flag("dev", "true").var("QUORATE_MASTER_KEY", KEY)
    };
    let config = dev("127.0.0.1:8091", THREE).load();
    assert_eq!(config.peers.security, PeerSecurity::PlaintextOnLoopback);
    assert!(config.peers.several());

    assert_eq!(dev("0.0.0.0:8091", THREE).mistake(), "--peer: must be a loopback address with `dev`");
    let mistakes = dev("127.0.0.1:8091", "1=127.0.0.1:1,2=10.0.0.2:1,3=node3:1").mistakes();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "--cluster: 10.0.0.2:1 must be a loopback address with `dev`",
            "--cluster: node3:1 must be a loopback address with `dev`",
        ]
    );
}

#[test]
fn several_nodes_need_certificates_and_a_key_of_their_own() {
    let told: Vec<String> =
        Case::new().flag("cluster", THREE).mistakes().iter().map(|mistake| mistake.key.clone()).collect();
    assert_eq!(told, ["peer_tls", "master_key"]);
    let told: Vec<String> =
        Case::new().var("QUORATE_JOIN", "true").mistakes().iter().map(|mistake| mistake.key.clone()).collect();
    assert_eq!(told, ["peer_tls", "master_key"]);
    let key = Case::new().flag("cluster", THREE).flag("dev", "true").mistake();
    assert!(key.starts_with("master_key: must be set"), "{key}");
}

#[test]
fn a_node_founds_only_a_cluster_that_lists_it() {
    let fourth =
        || Case::new().flag("node_id", "4").flag("cluster", THREE).flag("dev", "true").var("QUORATE_MASTER_KEY", KEY);
    assert!(fourth().mistake().starts_with("--cluster: does not list this node's own"));
    let config = fourth().var("QUORATE_JOIN", "true").load();
    assert_eq!(config.peers.bootstrap, Bootstrap::Join);
}

#[test]
fn certificates_are_checked_at_the_start() {
    let case = Case::new();
    let pki = case.dir.path().join("pki");
    for args in [&["certs", "init", "pki"][..], &["certs", "node", "pki", "a"], &["certs", "node", "pki", "b"]] {
        assert!(quorate(args, &[], case.dir.path()).status.success());
    }
    let with = |ca: &str, cert: &str, key: &str| {
        Case::new()
            .flag("cluster", "1=a:1,2=b:1")
            .var("QUORATE_MASTER_KEY", KEY)
            .var("QUORATE_PEER_TLS_CA", pki.join(ca))
            .var("QUORATE_PEER_TLS_CERT", pki.join(cert))
            .var("QUORATE_PEER_TLS_KEY", pki.join(key))
    };
    let config = with("ca.pem", "a.pem", "a.key").load();
    assert!(matches!(config.peers.security, PeerSecurity::MutualTls(_)));
    let other = with("ca.pem", "a.pem", "b.key").mistake();
    assert!(other.starts_with("QUORATE_PEER_TLS_KEY: is not the key of the certificate"), "{other}");
    let swapped = with("ca.pem", "a.key", "a.pem").mistakes();
    assert_eq!(swapped.len(), 2, "{swapped:#?}");
    let partial = Case::new().var("QUORATE_PEER_TLS_CA", pki.join("ca.pem")).mistakes();
    let keys: Vec<&str> = partial.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(keys, ["peer_tls.cert", "peer_tls.key"]);

    let http = |cert: &str, key: &str| {
        Case::new().var("QUORATE_TLS_CERT", pki.join(cert)).var("QUORATE_TLS_KEY", pki.join(key))
    };
    assert_eq!(http("a.pem", "a.key").load().base_url(), "https://127.0.0.1:8080");
    assert!(http("a.pem", "b.key").mistake().starts_with("QUORATE_TLS_KEY:"));
}

#[test]
fn secrets_come_from_files_too_and_later_still_wins() {
    let case = Case::new();
    let path = case.file("password", "from a file\n");
    let toml = format!("admin_password_file = {:?}\n", path.display().to_string());
    let read = |case: Case| case.load().admin_password.map(|secret| secret.expose().to_owned());
    assert_eq!(read(Case::new()), None);
    assert_eq!(read(Case::new().toml(&toml)).as_deref(), Some("from a file"));
    assert_eq!(read(Case::new().var("QUORATE_ADMIN_PASSWORD_FILE", &path)).as_deref(), Some("from a file"));
    let both = Case::new().toml(&toml).var("QUORATE_ADMIN_PASSWORD", "from a variable");
    assert_eq!(read(both).as_deref(), Some("from a variable"));
    let both = Case::new().toml("admin_password = \"plain\"\n").var("QUORATE_ADMIN_PASSWORD_FILE", &path);
    assert_eq!(read(both).as_deref(), Some("from a file"));

    let twice = Case::new().toml(&format!("admin_password = \"plain\"\n{toml}")).mistake();
    assert_eq!(twice, "admin_password_file: is given twice: also as admin_password");
    let twice = Case::new().var("QUORATE_ADMIN_PASSWORD", "x").var("QUORATE_ADMIN_PASSWORD_FILE", &path).mistake();
    assert!(twice.contains("is given twice"), "{twice}");
}

#[test]
fn variables_that_are_nobodys_mistake_are_let_pass() {
    let case = Case::new()
        .var("QUORATE_PORT_8080_TCP", "tcp://10.0.0.1:8080")
        .var("QUORATE_SERVICE_HOST", "10.0.0.1")
        .var("QUORATE_MANAGEMENT", "")
        .var("PATH", "/bin");
    assert_eq!(case.load().management, None);
}

#[test]
fn a_broken_file_is_a_mistake_that_quotes_no_secret() {
    let case = Case::new().toml("admin_password = \"hunter2\nhttp = \"127.0.0.1:1\"\n").var("QUORATE_NODE_ID", "x");
    let told: Vec<String> = case.mistakes().iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("is not TOML") && told[0].contains("line 1"), "{told:#?}");
    assert!(!told.concat().contains("hunter2"), "{told:#?}");
    let mut missing = Case::new();
    missing.sources.file = Some("/nonexistent/quorate.toml".into());
    assert!(missing.mistake().starts_with("/nonexistent/quorate.toml: cannot be read"));
}

#[test]
fn validate_tells_all_mistakes_with_status_2() {
    let dir = tempfile::tempdir().unwrap();
    let fine = quorate(&["config", "validate"], &[], dir.path());
    assert_eq!((fine.status.code(), stdout(&fine).as_str()), (Some(0), "configuration is valid\n"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "checking writes nothing");

    let bad = quorate(&["config", "validate", "--http", "here"], &[("QUORATE_NODE_ID", "0")], dir.path());
    assert_eq!(bad.status.code(), Some(2));
    let told = stderr(&bad);
    assert!(told.contains("2 mistakes") && told.contains("--http:") && told.contains("QUORATE_NODE_ID:"), "{told}");
    assert!(bad.stdout.is_empty());
}

#[test]
fn print_gives_back_the_same_configuration_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("quorate.toml");
    fs::write(
        &file,
        "cookie_name = \"sso\"\ntrusted_proxies = [\"10.0.0.0/8\", \"192.0.2.1\"]\nadmin_password = \"hunter2\"\n\
         [log]\nfilter = \"info,quorate=debug\"\n",
    )
    .unwrap();
    let env = [
        ("QUORATE_CONFIG", file.to_str().unwrap()),
        ("QUORATE_MASTER_KEY", KEY),
        ("QUORATE_LIMITS_FORM_BYTES", "4096"),
    ];
    let args = ["config", "print", "--node-id", "2", "--cluster", "2=127.0.0.1:8091, 3=127.0.0.1:8092", "--dev"];
    let output = quorate(&args, &env, dir.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    for line in [
        "node_id = 2  # --node-id".to_owned(),
        "cluster = [\"2=127.0.0.1:8091\", \"3=127.0.0.1:8092\"]  # --cluster".into(),
        "dev = true  # --dev".into(),
        format!("cookie_name = \"sso\"  # {}", file.display()),
        "form_bytes = 4096  # QUORATE_LIMITS_FORM_BYTES".into(),
        "# master_key = \"<redacted>\"  # QUORATE_MASTER_KEY".into(),
        format!("# admin_password = \"<redacted>\"  # {}", file.display()),
        "http = \"127.0.0.1:8080\"  # default".into(),
        "# management is not set".into(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}\nis not in\n{printed}");
    }
    assert!(!printed.contains("hunter2") && !printed.contains(KEY));

    let again = Case::new().toml(&printed).var("QUORATE_MASTER_KEY", KEY).load();
    let mut env: Vec<(OsString, OsString)> = env[1..].iter().map(|(k, v)| (k.into(), v.into())).collect();
    env.push(("QUORATE_NODE_ID".into(), "2".into()));
    let flags = vec![("cluster", "2=127.0.0.1:8091, 3=127.0.0.1:8092".into()), ("dev", "true".into())];
    let mut first = Config::load(&Sources { file: Some(file), env, flags }).unwrap();
    first.admin_password = None;
    assert_eq!(format!("{again:?}"), format!("{first:?}"));
}

#[test]
fn a_configuration_shows_no_secret() {
    let case = Case::new().var("QUORATE_ADMIN_PASSWORD", "hunter2").var("QUORATE_MASTER_KEY", KEY);
    let config = case.load();
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("<redacted>") && !shown.contains("hunter2"), "{shown}");
    let MasterKeySource::Given(key) = &config.master_key else { panic!("{:?}", config.master_key) };
    assert_eq!(key.to_base64().expose(), KEY);
    assert!(!shown.contains(KEY) && !shown.contains("0, 1, 2, 3"), "{shown}");
    let secret = config.admin_password.unwrap();
    assert_eq!(serde_json::to_string(&secret).unwrap(), "\"<redacted>\"");
}
