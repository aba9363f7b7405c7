//! Configuration over REST, from all nodes at once.

use crate::harness::{ADMIN_PASSWORD, Cluster, Outside};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Something that administrators write: where, in which version, and what it looks like with a text of theirs in it.
struct Thing {
    path: &'static str,
    version: &'static str,
    body: fn(&str) -> Value,
    /// Where the text is when it is read again.
    text: &'static str,
}

/// One of each family of resources; each names what it refers to before itself.
const THINGS: &[Thing] = &[
    Thing {
        path: "/json/realms/root/users/kim",
        version: "resource=4.0",
        body: |text| json!({ "username": "kim", "userpassword": "Passw0rd!", "sn": [text] }),
        text: "/sn/0",
    },
    Thing {
        path: "/json/realms/root/realm-config/agents/OAuth2Client/shop",
        version: "resource=1.0",
        body: |text| json!({ "coreOAuth2ClientConfig": { "clientName": [text] } }),
        text: "/coreOAuth2ClientConfig/clientName/value/0",
    },
    Thing {
        path: "/json/realms/root/realm-config/agents/IdentityGatewayAgent/gateway",
        version: "resource=1.0",
        body: |text| json!({ "igCdssoLoginUrlTemplate": text }),
        text: "/igCdssoLoginUrlTemplate/value",
    },
    Thing {
        path: "/json/realms/root/realm-config/services/oauth-oidc",
        version: "resource=1.0",
        body: |text| json!({ "coreOAuth2Config": { "scopesPolicySet": text } }),
        text: "/coreOAuth2Config/scopesPolicySet",
    },
    Thing {
        path: "/json/realms/root/resourcetypes/11111111-2222-3333-4444-555555555555",
        version: "resource=1.0",
        body: |text| {
            json!({ "uuid": "11111111-2222-3333-4444-555555555555", "name": "door", "description": text,
                "patterns": ["door:*"], "actions": { "OPEN": true } })
        },
        text: "/description",
    },
    Thing {
        path: "/json/realms/root/applications/doors",
        version: "resource=2.1",
        body: |text| {
            json!({ "name": "doors", "applicationType": "iPlanetAMWebAgentService", "description": text,
                "resourceTypeUuids": ["11111111-2222-3333-4444-555555555555"] })
        },
        text: "/description",
    },
    Thing {
        path: "/json/realms/root/policies/front",
        version: "resource=2.1",
        body: |text| {
            json!({ "name": "front", "applicationName": "doors", "description": text, "resources": ["door:front"],
                "resourceTypeUuid": "11111111-2222-3333-4444-555555555555", "actionValues": { "OPEN": true },
                "subject": { "type": "AuthenticatedUsers" } })
        },
        text: "/description",
    },
];

/// Status and JSON of an answer.
type Told = (StatusCode, Value);

async fn ask(
    outside: &Outside,
    n: usize,
    admin: &str,
    method: Method,
    thing: &Thing,
    condition: Option<(&str, &str)>,
    body: Option<Value>,
) -> Told {
    let mut request = outside
        .request(n, method, thing.path)
        .header("iPlanetDirectoryPro", admin)
        .header("Accept-API-Version", thing.version);
    if let Some((name, value)) = condition {
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.unwrap_or(Value::Null))
}

async fn read(outside: &Outside, n: usize, admin: &str, thing: &Thing) -> (String, String) {
    let (status, json) = ask(outside, n, admin, Method::GET, thing, None, None).await;
    assert_eq!(status, StatusCode::OK, "{} at {n}: {json}", thing.path);
    let text = json.pointer(thing.text).and_then(Value::as_str).unwrap_or_default().to_owned();
    (json["_rev"].as_str().expect("a revision").to_owned(), text)
}

/// The two answers in an order that tells who won.
fn winner(answers: [Told; 2], won: StatusCode, lost: StatusCode, what: &str) -> usize {
    let statuses = answers.each_ref().map(|(status, _)| *status);
    match statuses {
        [first, second] if first == won && second == lost => 0,
        [first, second] if first == lost && second == won => 1,
        _ => panic!("{what}: {answers:?}"),
    }
}

/// Goal: of two administrators at two nodes one wins, the other hears 412, and all nodes show what won at once (G2).
#[actix_web::test]
async fn of_two_administrators_at_two_nodes_one_wins() {
    let cluster = Cluster::of(3).await;
    let outside = cluster.outside();
    let admins = [outside.admin(0).await, outside.admin(1).await, outside.admin(2).await];
    for thing in THINGS {
        let race = |round: usize, condition: (&'static str, String)| {
            let (outside, admins) = (&outside, &admins);
            async move {
                let put = |side: usize| {
                    let n = (round + side) % 3;
                    let condition = Some((condition.0, condition.1.as_str()));
                    let body = (thing.body)(&format!("round-{round}-by-{side}"));
                    ask(outside, n, &admins[n], Method::PUT, thing, condition, Some(body))
                };
                let (first, second) = futures_util::join!(put(0), put(1));
                [first, second]
            }
        };
        let answers = race(0, ("If-None-Match", "*".to_owned())).await;
        let mut won = winner(answers, StatusCode::CREATED, StatusCode::PRECONDITION_FAILED, thing.path);
        for round in 1..6 {
            let mut seen = Vec::new();
            for (n, admin) in admins.iter().enumerate() {
                seen.push(read(&outside, n, admin, thing).await);
            }
            let text = format!("round-{}-by-{won}", round - 1);
            assert!(seen.iter().all(|(rev, read)| *read == text && *rev == seen[0].0), "{}: {seen:?}", thing.path);
            let answers = race(round, ("If-Match", seen[0].0.clone())).await;
            won = winner(answers, StatusCode::OK, StatusCode::PRECONDITION_FAILED, thing.path);
        }
    }
    // A create by POST names no place: the loser hears 409 (crest.md §4.3).
    let create = |n: usize| {
        let request = outside
            .request(n, Method::POST, "/json/global-config/realms?_action=create")
            .header("iPlanetDirectoryPro", &admins[n])
            .header("Accept-API-Version", "protocol=2.0,resource=1.0")
            .json(&json!({ "name": "alpha", "parentPath": "/", "active": true, "aliases": [] }));
        async move { (request.send().await.expect("an answer").status(), Value::Null) }
    };
    let (first, second) = futures_util::join!(create(1), create(2));
    winner([first, second], StatusCode::CREATED, StatusCode::CONFLICT, "realms");
}

/// Goal: what was answered survives the death of any node (G1); a minority refuses, and changes nothing (G7).
#[actix_web::test]
async fn configuration_outlives_a_node_and_a_minority_writes_none() {
    let mut cluster = Cluster::of(3).await;
    let outside = cluster.outside();
    let admin = outside.admin(0).await;
    for thing in THINGS {
        let body = (thing.body)("first");
        let (status, json) = ask(&outside, 0, &admin, Method::PUT, thing, None, Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{}: {json}", thing.path);
    }
    let leader = cluster.leader().await;
    cluster.nodes[leader].kill();
    let [a, b] = [(leader + 1) % 3, (leader + 2) % 3];
    let started = Instant::now();
    while outside.login(a, "root", "amAdmin", ADMIN_PASSWORD).await.is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody leads");
    }
    for thing in THINGS {
        assert_eq!(read(&outside, b, &admin, thing).await.1, "first", "{}", thing.path);
        let body = (thing.body)("second");
        let (status, json) = ask(&outside, a, &admin, Method::PUT, thing, None, Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{}: {json}", thing.path);
    }
    cluster.nodes[b].kill();
    for thing in THINGS {
        let body = (thing.body)("third");
        let (status, json) = ask(&outside, a, &admin, Method::PUT, thing, None, Some(body)).await;
        assert_eq!((status, &json["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(503)), "{}: {json}", thing.path);
    }
    for n in [leader, b] {
        cluster.nodes[n].start();
    }
    cluster.all_ready().await;
    for thing in THINGS {
        for n in 0..3 {
            assert_eq!(read(&outside, n, &admin, thing).await.1, "second", "{} at {n}", thing.path);
        }
    }
}
