//! Policy decisions on three nodes: as new as the last write, wherever that happened, and the same over every door.

use crate::harness::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const ALPHA: &str = "/json/realms/root/realms/alpha";

async fn set_up(cluster: &Cluster, admin: &str) {
    let realm = json!({ "name": "alpha", "active": true, "parentPath": "/", "aliases": [] });
    cluster.administer(0, admin, Method::POST, "/json/global-config/realms?_action=create", realm).await;
    let of_type =
        json!({ "uuid": "W", "name": "W", "patterns": ["api://w/*"], "actions": { "GRANT": true, "AUDIT": true } });
    let set = json!({ "name": "w", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["W"] });
    for (collection, body) in [("resourcetypes", of_type), ("applications", set)] {
        cluster.administer(0, admin, Method::POST, &format!("{ALPHA}/{collection}?_action=create"), body).await;
    }
}

fn policy(grant: bool) -> Value {
    json!({
        "applicationName": "w", "resourceTypeUuid": "W", "resources": ["api://w/r"], "actionValues": { "GRANT": grant },
        "subject": { "type": "JwtClaim", "claimName": "subject", "claimValue": "c1" },
    })
}

/// Goal: a decision on just-written policy reflects it on every node (G2, PD-06), asked as AM is asked, or as AuthZEN asks.
#[actix_web::test]
async fn a_decision_reflects_the_last_write_on_any_node() {
    let cluster = Cluster::of(3).await;
    let admin = cluster.admin(0).await;
    set_up(&cluster, &admin).await;
    let question = json!({ "resources": ["api://w/r"], "application": "w",
        "subject": { "claims": { "sub": "x", "subject": "c1" } } });
    let access = json!({ "subject": { "type": "client", "id": "c1" }, "action": { "name": "GRANT" },
        "resource": { "type": "w", "id": "api://w/r" } });
    for round in 0..24 {
        let (writer, reader, other, grant) = (round % 3, (round + 1) % 3, (round + 2) % 3, round % 2 == 0);
        let written = cluster
            .request(writer, Method::PUT, &format!("{ALPHA}/policies/r"))
            .header("iPlanetDirectoryPro", &admin)
            .header("X-Requested-With", "test")
            .json(&policy(grant))
            .send()
            .await
            .expect("an answer");
        assert!(written.status().is_success(), "{written:?}");
        let revision = written.headers().get("X-Quorate-Revision").expect("a revision").clone();
        let rows = cluster
            .administer(reader, &admin, Method::POST, &format!("{ALPHA}/policies?_action=evaluate"), question.clone())
            .await;
        assert_eq!(rows[0]["actions"], json!({ "GRANT": grant }), "round {round}");
        let decided = cluster
            .request(other, Method::POST, "/realms/root/realms/alpha/access/v1/evaluation")
            .header("iPlanetDirectoryPro", &admin)
            .header("X-Quorate-At-Least", &revision)
            .json(&access)
            .send()
            .await
            .expect("an answer");
        assert_eq!(decided.status(), StatusCode::OK);
        assert_eq!(decided.json::<Value>().await.expect("JSON")["decision"], json!(grant), "round {round}");
    }
    // Every node has counted what it recorded.
    for node in 0..3 {
        let metrics = reqwest::get(cluster.url(node, "/metrics").replace("/am/metrics", "/metrics"));
        let text = metrics.await.expect("an answer").text().await.expect("a text");
        assert!(text.contains("quorate_decision_events_total{outcome=\"recorded\"}"), "{text}");
    }
}
