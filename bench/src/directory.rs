//! Administration at size: reads and filtered pages while the realm holds many users and OAuth 2.0 clients.
//!
//! One administrator asks, one request at a time, so that what is shown is how long an answer takes and not how many
//! there are. Each question comes with what its answer has to say: a page without its first member, or a total that is not
//! the true one, ends the run.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use crate::exchange::{Exchange, Share, each_once};
use crate::http::{Conn, Failure};
use crate::quorate::{Cluster, NODES, READY_LIMIT};
use crate::report::{Report, goal, median, short};
use crate::settings::Settings;

const REALM: &str = "/am/json/realms/root";
const CLIENTS: &str = "realm-config/agents/OAuth2Client";
/// Goal: a read, in ms.
const READ_GOAL: f64 = 5.0;
/// Goal: a filtered page, in ms.
const PAGE_GOAL: f64 = 50.0;
/// Members of a page.
const PAGE: usize = 20;
/// Users of one department.
const DEPARTMENT: usize = 100;
/// What all users' passwords hash to: hashing one for each would take most of an hour. Nobody logs in.
const VERIFIER: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cXVvcmF0ZS1iZW5jaC1zYWx0$XWC0sINVsSmPsxUEFBIlnULFpYPa3zrQ8ENM/3UdP5c";

/// Something to ask for.
struct Question {
    what: &'static str,
    goal: f64,
    path: String,
    /// The ids of the answer's first members, or of the one that was read.
    ids: Vec<String>,
    /// `totalPagedResults`, where it is asked for.
    total: Option<usize>,
}

/// How long the answers to one question took, in ms.
#[derive(Debug, Serialize)]
struct Timed {
    nodes: usize,
    users: usize,
    clients: usize,
    what: &'static str,
    asked: usize,
    p50: f64,
    p99: f64,
    most: f64,
}

fn user_name(n: usize) -> String {
    format!("user-{n:06}")
}

fn client_name(n: usize) -> String {
    format!("client-{n:06}")
}

fn user(n: usize) -> Value {
    json!({
        "username": user_name(n),
        "userpassword": VERIFIER,
        "givenName": [format!("Given{}", n % 997)],
        "sn": [format!("Family{}", n % 4999)],
        "cn": [format!("Given{} Family{}", n % 997, n % 4999)],
        "mail": [format!("{}@example.com", user_name(n))],
        "departmentNumber": [format!("d-{}", n / DEPARTMENT)],
        "inetUserStatus": [if n % 10 == 3 { "Inactive" } else { "Active" }],
    })
}

fn client(n: usize) -> Value {
    json!({
        "coreOAuth2ClientConfig": {
            "clientType": "Public", "clientName": [format!("Client {n}")],
            "scopes": ["openid", format!("scope-{}", n % 50)],
            "redirectionUris": [format!("https://{}.example.com/callback", client_name(n))],
        },
        "advancedOAuth2ClientConfig": { "tokenEndpointAuthMethod": "none" },
    })
}

/// Everything that is asked, of a realm with so many users and clients.
fn questions(users: usize, clients: usize) -> Vec<Question> {
    let (someone, something) = (users * 3 / 4, clients * 3 / 4);
    let far = users * 9 / 10;
    let read = |what, path: String, id: String| Question {
        what,
        goal: READ_GOAL,
        path: format!("{REALM}/{path}"),
        ids: vec![id],
        total: None,
    };
    let page = |what, path: &str, filter: &str, more: &str, ids: Vec<String>| Question {
        what,
        goal: PAGE_GOAL,
        path: format!("{REALM}/{path}?_queryFilter={filter}&_pageSize={PAGE}{more}"),
        ids,
        total: None,
    };
    let name = user_name(someone);
    let department = someone / DEPARTMENT;
    let first = |from: usize| (from..from + PAGE).map(user_name).collect::<Vec<_>>();
    let members = || first(department * DEPARTMENT);
    let active = (department * DEPARTMENT..).filter(|n| n % 10 != 3).take(PAGE).map(user_name).collect();
    vec![
        read("user by id", format!("users/{name}"), name.clone()),
        read("user by id, two fields", format!("users/{name}?_fields=cn,mail"), name.clone()),
        read("client by id", format!("{CLIENTS}/{}", client_name(something)), client_name(something)),
        page("users, `_id eq`", "users", &format!("_id+eq+%22{name}%22"), "", vec![name.clone()]),
        page("users, `userName eq`", "users", &format!("userName+eq+%22{name}%22"), "", vec![name.clone()]),
        page("users, `_id sw`", "users", &format!("_id+sw+%22{}%22", &name[..name.len() - 2]), "", members()),
        page("users, `mail eq`", "users", &format!("mail+eq+%22{name}@example.com%22"), "", vec![name.clone()]),
        page(
            "users, `departmentNumber eq`",
            "users",
            &format!("departmentNumber+eq+%22d-{department}%22"),
            "",
            members(),
        ),
        page(
            "users, `departmentNumber eq` and status",
            "users",
            &format!("departmentNumber+eq+%22d-{department}%22+and+inetUserStatus+eq+%22Active%22"),
            "",
            active,
        ),
        page(
            "users, console's search (`_id co` or `cn co` or `mail co`)",
            "users",
            &format!("_id+co+%22{name}%22+or+cn+co+%22{name}%22+or+mail+co+%22{name}%22"),
            "",
            vec![name.clone()],
        ),
        page("users, nothing found", "users", "mail+co+%22nobody-here%22", "", Vec::new()),
        page(
            "users, a page far behind",
            "users",
            "true",
            // The administrator is a user, too, and the first one.
            &format!("&_pagedResultsOffset={}", users + 1 - 5 * DEPARTMENT),
            first(users - 5 * DEPARTMENT),
        ),
        page("users, sorted by `-mail`", "users", "true", "&_sortKeys=-mail", {
            (0..PAGE).map(|n| user_name(users - 1 - n)).collect()
        }),
        page(
            "users, sorted by `mail`, far behind",
            "users",
            "true",
            &format!("&_sortKeys=mail&_pagedResultsOffset={far}"),
            {
                // The administrator has no address and comes first.
                (far - 1..far - 1 + PAGE).map(user_name).collect()
            },
        ),
        page(
            "users, a tenth of them",
            "users",
            "inetUserStatus+eq+%22Inactive%22",
            "",
            (0..PAGE).map(|n| user_name(10 * n + 3)).collect(),
        ),
        Question {
            total: Some(clients),
            ..page("clients, first page, counted", CLIENTS, "true", "&_totalPagedResultsPolicy=EXACT", {
                (0..PAGE).map(client_name).collect()
            })
        },
        page(
            "clients, `_id eq`",
            CLIENTS,
            &format!("_id+eq+%22{}%22", client_name(something)),
            "",
            vec![client_name(something)],
        ),
        page(
            "clients, `_id co`",
            CLIENTS,
            &format!("_id+co+%22{}%22", &client_name(something)[7..]),
            "",
            vec![client_name(something)],
        ),
    ]
}

/// A filter that looks at every user.
fn first_after_a_start(users: usize) -> Question {
    let name = user_name(users / 2);
    Question {
        what: "users, `mail eq`, the first question after a start",
        goal: PAGE_GOAL,
        path: format!("{REALM}/users?_queryFilter=mail+eq+%22{name}@example.com%22&_pageSize={PAGE}"),
        ids: vec![name],
        total: None,
    }
}

impl Question {
    /// Whether `answer` says what it has to.
    fn is_answered_by(&self, answer: &Value) -> Result<()> {
        let id = |item: &Value| item.get("_id").and_then(Value::as_str).map(str::to_owned);
        let found: Vec<Option<String>> = match answer.get("result").and_then(Value::as_array) {
            Some(result) => result.iter().map(id).collect(),
            None => vec![id(answer)],
        };
        let expected: Vec<Option<String>> = self.ids.iter().cloned().map(Some).collect();
        ensure!(found == expected, "{found:?} instead of {expected:?}");
        let total = answer.get("totalPagedResults").and_then(Value::as_u64);
        ensure!(
            self.total.is_none_or(|expected| total == Some(expected as u64)),
            "{total:?} in all instead of {:?}",
            self.total
        );
        Ok(())
    }

    /// In ms: how long the first answer took, and then so many others.
    async fn time(&self, cluster: &Cluster, node: SocketAddr, asked: usize) -> Result<(f64, Vec<f64>)> {
        let request = cluster.reads_as_admin(node, &self.path);
        let mut conn = Conn::new(node);
        let (mut first, mut took) = (0.0, Vec::with_capacity(asked));
        // The first one also opens the connection, and has whatever is made once made.
        for n in 0..=asked {
            let started = Instant::now();
            let answer = conn.send(&request).await.map_err(|failure| anyhow!(failure))?;
            let ms = started.elapsed().as_secs_f64() * 1e3;
            ensure!(answer.status == 200, "{}", Failure::refused(&answer));
            if n == 0 {
                first = ms;
                self.is_answered_by(&serde_json::from_slice(answer.body)?)?;
            } else {
                took.push(ms);
            }
        }
        Ok((first, took))
    }
}

async fn fill(
    cluster: &Cluster,
    what: &str,
    count: usize,
    threads: usize,
    one: impl Fn(SocketAddr, usize) -> Exchange,
) -> Result<()> {
    let shares: Vec<Share> =
        cluster.addresses().into_iter().map(|node| (node, (0..count).map(|n| one(node, n)).collect())).collect();
    let secs = each_once(shares, count, threads).await.with_context(|| format!("creating {what}"))?;
    eprintln!("quorate  {count} {what} created in {secs:.1} s");
    Ok(())
}

pub async fn run(settings: &Settings, report: &mut Report) -> Result<()> {
    let Some(binary) = &settings.quorate else {
        eprintln!("directory: nothing to do without quorate");
        return Ok(());
    };
    let (users, clients) = (settings.users, settings.many_clients);
    let mut rows = Vec::new();
    for nodes in [1, NODES] {
        let switch = [("QUORATE_COMPAT_PRE_ENCODED_PASSWORDS", "true".to_owned())];
        let mut cluster = Cluster::start_with(binary, &settings.work, nodes, &switch).await?;
        let put = |node, path: String, body: &Value, id: String| Exchange {
            request: cluster.as_admin(node, "PUT", &format!("{REALM}/{path}"), "resource=1.0", body),
            status: 201,
            expected: id.into_bytes().into(),
        };
        fill(&cluster, "clients", clients, settings.threads, |node, n| {
            put(node, format!("{CLIENTS}/{}", client_name(n)), &client(n), client_name(n))
        })
        .await?;
        fill(&cluster, "users", users, settings.threads, |node, n| Exchange {
            request: cluster.as_admin(
                node,
                "PUT",
                &format!("{REALM}/users/{}", user_name(n)),
                "resource=4.0",
                &user(n),
            ),
            status: 201,
            expected: user_name(n).into_bytes().into(),
        })
        .await?;
        // A follower, where there is one: its reads wait for the leader's word.
        let leader = cluster.leader().await?;
        let node = cluster.addresses().into_iter().enumerate().find(|(n, _)| nodes == 1 || *n != leader);
        let (_, node) = node.context("no nodes")?;
        for question in questions(users, clients) {
            let (_, took) = question
                .time(&cluster, node, settings.asked)
                .await
                .with_context(|| format!("{}: {}", question.what, question.path))?;
            let timed = Timed::of(nodes, users, clients, question.what, took);
            report.record("directory", &timed)?;
            rows.push(timed.cells(question.goal));
        }
        if nodes == 1 {
            // Whatever is made when it is needed first is needed now.
            cluster.kill(&[0])?;
            cluster.reap(&[0])?;
            let ready = cluster.restart(&[0], READY_LIMIT).await?;
            eprintln!("quorate  ready with {users} users after {:.1} s", ready.as_secs_f64());
            let question = first_after_a_start(users);
            let (first, _) = question.time(&cluster, node, 0).await.context(question.what)?;
            let timed = Timed::of(nodes, users, clients, question.what, vec![first]);
            report.record("directory", &timed)?;
            rows.push(timed.cells(question.goal));
        }
    }
    let heading = format!("Administration beside {users} users and {clients} clients: ms to the answer");
    report.table(&heading, "nodes | question | asked | p50 | p99 | most | goal (p99)", &rows)
}

impl Timed {
    fn of(nodes: usize, users: usize, clients: usize, what: &'static str, mut took: Vec<f64>) -> Self {
        took.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = took.len().saturating_sub(1);
            took.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
        };
        Self {
            nodes,
            users,
            clients,
            what,
            asked: took.len(),
            p50: median(took.iter().copied()),
            p99: at(0.99),
            most: at(1.0),
        }
    }

    fn cells(&self, most: f64) -> String {
        format!(
            "{} | {} | {} | {} | {} | {} | {}",
            self.nodes,
            self.what,
            self.asked,
            short(self.p50),
            short(self.p99),
            short(self.most),
            goal(&format!("≤ {most} ms"), self.p99 <= most)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_are_in_the_order_of_their_numbers_and_questions_are_told_apart() {
        let mut seen = BTreeMap::new();
        for question in questions(100_000, 10_000) {
            assert_eq!(seen.insert(question.path.clone(), question.what), None, "{}", question.path);
        }
        assert!(user_name(99_999) > user_name(9) && client_name(10) > client_name(9));
    }

    #[test]
    fn an_answer_with_other_members_or_another_total_is_wrong() {
        let question = Question { what: "x", goal: 1.0, path: String::new(), ids: vec!["a".into()], total: Some(7) };
        let right = json!({"result": [{"_id": "a"}], "totalPagedResults": 7});
        assert!(question.is_answered_by(&right).is_ok());
        for wrong in [
            json!({"result": [{"_id": "b"}], "totalPagedResults": 7}),
            json!({"result": [], "totalPagedResults": 7}),
            json!({"result": [{"_id": "a"}], "totalPagedResults": 8}),
        ] {
            assert!(question.is_answered_by(&wrong).is_err(), "{wrong}");
        }
        let read = Question { total: None, ..question };
        assert!(read.is_answered_by(&json!({"_id": "a"})).is_ok());
        assert!(read.is_answered_by(&json!({"_id": "b"})).is_err());
    }

    #[test]
    fn the_99th_percentile_has_to_reach_the_goal() {
        let took = |last: f64| (0..100).map(|n| if n < 98 { 1.0 } else { last }).collect();
        let cells = |last| Timed::of(1, 2, 3, "x", took(last)).cells(5.0);
        assert_eq!(cells(4.0), "1 | x | 100 | 1.00 | 4.00 | 4.00 | ≤ 5 ms: reached");
        assert!(cells(6.0).ends_with("≤ 5 ms: **missed**"));
    }
}
