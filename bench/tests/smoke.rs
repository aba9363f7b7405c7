//! The whole tool once, against three processes that answer as Quorate would: this program, started with `serve`.
//!
//! The stand-in keeps no state that matters: a token is active if it looks like one, on any node, and the leader is the
//! lowest node whose peer port is open. So what is tested is the tool: starting, logging in, registering, loading,
//! killing, restarting, counting, and leaving nothing behind.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("serve") => stand_in::serve(&args[1..]),
        Some("--version") => println!("quorate stand-in"),
        // As the test harness is asked for its tests.
        Some("--list") => println!("smoke: test"),
        _ => {
            the_suites_run_and_leave_nothing_behind();
            a_wrong_answer_is_an_error_and_no_request();
            a_wrong_decision_is_an_error_and_a_change_that_never_counts_ends_the_run();
            an_interruption_ends_the_servers();
            foreign_load_is_refused();
            println!("smoke: ok");
        }
    }
}

/// The tool with this program as `quorate`, everything as small as it goes.
fn tool(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-bench"));
    let me = std::env::current_exe().unwrap();
    command.args([
        "--systems",
        "quorate",
        "--quick",
        "--secs",
        "0.2",
        "--warmup",
        "0.1",
        "--tokens",
        "1000",
        "--policies",
        "100",
        // The stand-in cannot filter, so the directory suite is not among them: what it holds answers against is tested
        // beside it.
        "--suites",
        "compare,failover,tokens,policy",
        "--quorate",
    ]);
    command.arg(me).arg("--work").arg(dir.join("work")).args(args);
    command
        .env("QUORATE_LISTEN", "must not reach the nodes")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn lines_of(stdout: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stdout);
    text.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn assert_nothing_is_left(dir: &Path) {
    let left: Vec<_> = std::fs::read_dir(dir.join("work")).unwrap().collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let me = std::env::current_exe().unwrap();
    let running = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let pid: Option<u32> = entry.file_name().to_string_lossy().parse().ok();
        let program = std::fs::read_link(entry.path().join("exe"));
        pid.is_some_and(|pid| pid != std::process::id()) && program.is_ok_and(|program| program == me)
    });
    assert_eq!(running.count(), 0, "servers are still running");
}

fn the_suites_run_and_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let stem = dir.path().join("results/all");
    let Output { status, stdout, stderr } =
        tool(dir.path(), &["--force", "--clients", "1,7", "--out", stem.to_str().unwrap()]).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{stderr}");
    let lines = lines_of(&std::fs::read(stem.with_extension("jsonl")).unwrap());
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();

    assert_eq!(of("machine")[0]["quorate"], "quorate stand-in");
    let loads = of("load");
    // 2 numbers of clients × 3 operations; 1 + 3 × 2 costs of 3 operations; 3 variants × 2 numbers of clients × few,
    // echo, many.
    assert_eq!(loads.len(), 2 * 3 + 7 * 3 + 3 * 2 * 3, "{stderr}");
    let echoes = loads.iter().filter(|load| load["system"] == "echo");
    assert_eq!(echoes.count(), 3 * 2);
    for load in loads {
        assert_eq!(load["errors"], 0, "{load}");
        assert!(load["requests"].as_u64().unwrap() > 0 && load["p50_us"].as_u64() <= load["p99_us"].as_u64(), "{load}");
    }
    assert_eq!(of("failover").len(), 1);
    // The stand-in leads again as soon as the killed process's port is closed.
    assert!(of("failover")[0]["ms_to_first_write"].as_f64().unwrap() < 10_000.0);
    assert_eq!(of("memory").len(), 3);
    assert!(of("memory").iter().all(|memory| memory["resident_bytes"].as_array().unwrap().len() == 3));
    assert_eq!(of("restart").len(), 2);
    for restart in of("restart") {
        assert_eq!(restart["tokens_wrong"], 0, "{restart}");
        assert!(restart["tokens_checked"].as_u64().unwrap() > 0, "{restart}");
    }
    // The few and the many on each variant; ratios of both at each number of clients; five changes.
    assert_eq!(of("policy-set-up").len(), 3 * 2);
    assert_eq!(of("policy-ratio").len(), 3 * 2 * 2);
    assert_eq!(of("policy-change").len(), 3 * 5);
    for change in of("policy-change") {
        let (nodes, change) = (&change["nodes"], &change["change"]);
        assert_eq!(change["stale"], 0, "{change}");
        assert!(change["put"].as_f64() < change["same_node"].as_f64());
        assert_eq!(change["other_nodes"].is_null(), *nodes == 1, "{change}");
    }
    for record in of("policy-record") {
        let nodes = record["variant"]["nodes"].as_u64().unwrap();
        assert_eq!(record["decisions_recorded"], 5 * nodes, "{record}");
    }
    let markdown = std::fs::read_to_string(stem.with_extension("md")).unwrap();
    assert!(String::from_utf8_lossy(&stdout).contains(&markdown), "the tables are printed too");
    for heading in [
        "Three nodes beside",
        "Leader killed",
        "Cost against live tokens",
        "Memory with",
        "Restart with",
        "Policy decisions beside an echo",
        "One of 100 policies changed",
        "Decisions written to the log",
    ] {
        assert!(markdown.contains(heading), "no table {heading}");
    }
    for table in markdown.split("\n\n").filter(|part| part.starts_with('|')) {
        let columns: BTreeSet<usize> = table.lines().map(|line| line.split('|').count()).collect();
        assert_eq!(columns.len(), 1, "a row has more or fewer cells than its heading:\n{table}");
    }
    assert_nothing_is_left(dir.path());
}

fn a_wrong_answer_is_an_error_and_no_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tool(dir.path(), &["--force", "--suites", "compare", "--clients", "2"]);
    let output = command.env("STAND_IN_DENIES", "yes").output().unwrap();
    let loads = lines_of(&output.stdout);
    let of = |op: &str| loads.iter().find(|load| load["op"] == op).unwrap();
    let introspect = of("introspect");
    assert!(introspect["errors"].as_u64() > Some(0), "{introspect}");
    assert_eq!(introspect["requests"], 0);
    assert!(introspect["first_error"].as_str().unwrap().contains(r#""active":false"#), "{introspect}");
    assert_eq!((of("issue")["errors"].as_u64(), of("revoke")["errors"].as_u64()), (Some(0), Some(0)));
    assert_nothing_is_left(dir.path());
}

fn a_wrong_decision_is_an_error_and_a_change_that_never_counts_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tool(dir.path(), &["--force", "--suites", "policy", "--clients", "2"]);
    let output = command.env("STAND_IN_DENIES", "yes").output().unwrap();
    let lines = lines_of(&output.stdout);
    let loads: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "load").collect();
    assert_eq!(loads.len(), 3);
    for load in loads {
        // One question in four is to be denied; that is right even of a server that denies everything.
        let (right, wrong) = (&load["requests"], &load["errors"]);
        match load["op"].as_str() {
            Some("evaluate") => assert!(wrong.as_u64() > right.as_u64(), "{load}"),
            _ => assert!(wrong == 0 && right.as_u64() > Some(0), "{load}"),
        }
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("before policy 0 was changed"), "{stderr}");
    assert_nothing_is_left(dir.path());
}

fn an_interruption_ends_the_servers() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = tool(dir.path(), &["--force", "--suites", "compare", "--secs", "600"]).spawn().unwrap();
    let mut progress = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(progress.next().unwrap().unwrap().contains("machine"));
    // The long run has begun when the stand-ins have issued more than the set-up needs.
    let begun = Instant::now();
    while !std::fs::read_dir(dir.path().join("work"))
        .unwrap()
        .flatten()
        .any(|entry| entry.path().join("1/busy").exists())
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "the load never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(!status.success() && stderr.contains("interrupted"), "{stderr}");
    assert_nothing_is_left(dir.path());
}

fn foreign_load_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = tool(dir.path(), &["--max-load=-1", "--patience", "0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("other work is running"));
    assert!(output.stdout.is_empty());
}

/// A server with the endpoints that the tool uses, a thread for each connection.
mod stand_in {
    use super::*;

    struct Node {
        id: u64,
        data: String,
        peers: Vec<SocketAddr>,
        clients: Mutex<BTreeSet<String>>,
        issued: AtomicU64,
        denies: bool,
    }

    pub fn serve(args: &[String]) {
        assert!(std::env::var_os("QUORATE_LISTEN").is_none(), "a foreign setting reached a node");
        let flag = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned().unwrap();
        assert!(args.contains(&"--dev".to_owned()));
        let members = flag("--cluster");
        let peers = members.split(',').map(|member| member.split_once('=').unwrap().1.parse().unwrap()).collect();
        std::fs::create_dir_all(flag("--data-dir")).unwrap();
        let node = Arc::new(Node {
            id: flag("--node-id").parse().unwrap(),
            data: flag("--data-dir"),
            peers,
            clients: Mutex::default(),
            issued: AtomicU64::new(0),
            denies: std::env::var_os("STAND_IN_DENIES").is_some(),
        });
        let peer = TcpListener::bind(flag("--peer")).unwrap();
        // Others connect to see whether this node lives; nothing is said.
        std::thread::spawn(move || peer.incoming().for_each(drop));
        for stream in TcpListener::bind(flag("--http")).unwrap().incoming() {
            let (node, stream) = (Arc::clone(&node), stream.unwrap());
            std::thread::spawn(move || node.connection(stream));
        }
    }

    impl Node {
        fn connection(&self, mut stream: TcpStream) -> Option<()> {
            stream.set_nodelay(true).unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            loop {
                let mut lines = Vec::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).ok()? == 0 {
                        return None;
                    }
                    match line.trim_end() {
                        "" => break,
                        line => lines.push(line.to_owned()),
                    }
                }
                let header = |name: &str| {
                    let value = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
                    value
                        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                        .map(|(_, value)| value.trim().to_owned())
                        .next()
                };
                let length = header("content-length").map_or(0, |text| text.parse().unwrap());
                let mut body = vec![0; length];
                reader.read_exact(&mut body).ok()?;
                let (status, answer) = self.answer(&lines[0], &header, &String::from_utf8(body).unwrap());
                // Text is sent as it is, everything else as JSON.
                let answer = match answer {
                    Value::String(text) => text,
                    json => json.to_string(),
                };
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
                    answer.len()
                )
                .ok()?;
            }
        }

        /// A file that is there once the policy was changed, for all nodes to see.
        fn changed(&self, policy: &str) -> PathBuf {
            let shared = Path::new(&self.data).parent().unwrap();
            shared.join(format!("changed-{policy}"))
        }

        fn answer(&self, request: &str, header: &dyn Fn(&str) -> Option<String>, body: &str) -> (u16, Value) {
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let client_is_known = || {
                let basic = header("authorization").unwrap();
                // Clients are registered on one node only, and here nodes know nothing of each other.
                basic.starts_with("Basic YmVuY2gt") || basic.starts_with("Basic YmVuY2g6")
            };
            let of_admin = || {
                assert_eq!(header("iplanetdirectorypro").as_deref(), Some("session"));
                assert!(header("accept-api-version").unwrap().ends_with(", protocol=1.0"));
                let sent: Value = serde_json::from_str(body).unwrap();
                sent
            };
            let invalid_client = (401, json!({ "error": "invalid_client" }));
            match (method, path) {
                ("GET", "/am/json/health/ready") => {
                    let lives = |peer: &&SocketAddr| TcpStream::connect(**peer).is_ok();
                    let leader = self.peers.iter().position(|peer| lives(&peer)).unwrap() + 1;
                    (200, json!({ "leader": leader, "node": self.id }))
                }
                ("GET", "/metrics") => {
                    let line = "quorate_decision_events_total{outcome=\"recorded\"} 5\n";
                    (200, json!(line))
                }
                ("POST", "/am/json/realms/root/authenticate") => {
                    assert_eq!(header("x-openam-username").as_deref(), Some("amAdmin"));
                    let right = header("x-openam-password") == std::env::var("QUORATE_ADMIN_PASSWORD").ok();
                    assert!(right && std::env::var("QUORATE_MASTER_KEY").unwrap().len() == 44 && body == "{}");
                    (200, json!({ "tokenId": "session", "successUrl": "/am/console", "realm": "/" }))
                }
                ("POST", "/am/json/realms/root/resourcetypes?_action=create") => {
                    let sent = of_admin();
                    assert_eq!(sent["uuid"], "bench");
                    (201, sent)
                }
                ("POST", "/am/json/realms/root/applications?_action=create") => {
                    let sent = of_admin();
                    assert_eq!(sent["resourceTypeUuids"], json!(["bench"]));
                    (201, sent)
                }
                ("POST", "/am/json/realms/root/policies?_action=create") => {
                    let sent = of_admin();
                    assert_eq!(sent["actionValues"], json!({ "GRANT": true }));
                    (201, sent)
                }
                ("POST", "/am/json/realms/root/policies?_action=evaluate") => {
                    let sent = of_admin();
                    let number = |text: &Value| text.as_str().unwrap()[..].rsplit_once('-').unwrap().1.to_owned();
                    let consumer = number(&sent["subject"]["claims"]["sub"]);
                    let set = sent["application"].as_str().unwrap();
                    let name = format!("{set}-{consumer}");
                    let actions = if self.denies || number(&sent["resources"][0]) != consumer {
                        json!({})
                    } else {
                        json!({ "GRANT": !self.changed(&name).exists() })
                    };
                    let row = json!({ "resource": sent["resources"][0], "actions": actions, "attributes": {}, "advices": {} });
                    (200, json!([row]))
                }
                ("PUT", path) if path.starts_with("/am/json/realms/root/policies/") => {
                    let sent = of_admin();
                    let name = path.rsplit_once('/').unwrap().1;
                    assert_eq!((&sent["name"], &sent["actionValues"]), (&json!(name), &json!({ "GRANT": false })));
                    std::fs::write(self.changed(name), "").unwrap();
                    (200, sent)
                }
                ("PUT", path) => {
                    let id = path.strip_prefix("/am/json/realms/root/realm-config/agents/OAuth2Client/").unwrap();
                    assert_eq!(header("iplanetdirectorypro").as_deref(), Some("session"));
                    assert_eq!(header("if-none-match").as_deref(), Some("*"));
                    assert_eq!(header("accept-api-version").as_deref(), Some("resource=1.0"));
                    let sent: Value = serde_json::from_str(body).unwrap();
                    assert_eq!(sent["coreOAuth2ClientConfig"]["defaultScopes"], json!(["api"]));
                    let new = self.clients.lock().unwrap().insert(id.to_owned());
                    if new { (201, json!({ "_id": id })) } else { (412, json!({ "code": 412 })) }
                }
                ("POST", "/am/oauth2/access_token") if client_is_known() => {
                    assert_eq!(body, "grant_type=client_credentials");
                    let number = self.issued.fetch_add(1, Ordering::Relaxed);
                    if number == 2000 {
                        std::fs::write(format!("{}/busy", self.data), "").unwrap();
                    }
                    let token = format!("stand-in-{}-{number}", self.id);
                    (200, json!({ "access_token": token, "scope": "api", "token_type": "Bearer", "expires_in": 86399 }))
                }
                ("POST", "/am/oauth2/introspect") if client_is_known() => {
                    (200, json!({ "active": !self.denies && body.starts_with("token=stand-in-"), "scope": "api" }))
                }
                ("POST", "/am/oauth2/token/revoke") if client_is_known() => {
                    assert!(body.starts_with("token=stand-in-"));
                    (200, json!({}))
                }
                ("POST", _) => invalid_client,
                _ => (404, json!({ "code": 404 })),
            }
        }
    }
}
