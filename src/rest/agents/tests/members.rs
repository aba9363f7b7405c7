//! What a query sees of an agent without making the whole of it is what it would be shown.

use super::{AGENTS, CLIENTS, consumer, rig};
use crate::{
    crest::scan::Rows,
    rest::agents::{TYPES, members::OfType},
};
use quorate_raft::RealmPath;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[actix_web::test]
async fn a_member_alone_is_what_it_is_among_the_others() {
    let rig = rig().await;
    let group = json!({"coreOAuth2ClientConfig": {"clientName": ["of the group"], "status": "Inactive"}});
    assert_eq!(rig.send("PUT", &format!("{AGENTS}/groups/OAuth2Client/g"), group).await.status, 201);
    let heir = json!({"coreOAuth2ClientConfig": {"agentgroup": "g", "clientName": {"inherited": true},
        "scopes": ["own"]}});
    for (id, body) in [("consumer", consumer()), ("heir", heir), ("bare", json!({}))] {
        let created = rig.send("PUT", &format!("{CLIENTS}/{id}"), body).await;
        assert_eq!(created.status, 201, "{id}: {}", created.text);
    }
    for agent_type in TYPES {
        let notes = match agent_type.id {
            "WebAgent" => json!({"miscWebAgentConfig": {"notes": "x"}}),
            "SharedAgent" => json!({"notes": "x"}),
            "SoftwarePublisher" | "TrustedJwtIssuer" => json!({"issuer": "https://issuer.example/"}),
            _ => json!({}),
        };
        let path = format!("{AGENTS}/{}/of-{}", agent_type.id, agent_type.id);
        let created = rig.send("PUT", &path, notes).await;
        assert_eq!(created.status, 201, "{}: {}", agent_type.id, created.text);
    }
    let alpha = RealmPath::from("/alpha");
    let mut seen = BTreeSet::new();
    for agent_type in TYPES {
        let of_type = OfType { agent_type, views: rig.desk.views() };
        let rows = rig.desk.rows(&alpha, agent_type.kind);
        let all: Vec<_> = rows.iter().collect();
        for row in all.iter().filter(|row| of_type.has(row)) {
            let item = of_type.item(row);
            let alone = |member: &str| of_type.member(row, member).map(|value| value.into_owned());
            assert_eq!(alone("_id"), Some(Value::from(&*item.id)));
            assert_eq!(alone("_rev"), item.revision.clone().map(Value::from), "{}", row.id);
            for (member, value) in &item.content {
                assert_eq!(alone(member).as_ref(), Some(value), "{} of {}", member, row.id);
            }
            for hidden in ["_verifier", "_inherited", "nosuch", "", "userpassword"] {
                assert_eq!(alone(hidden), item.content.get(hidden).cloned(), "{hidden} of {}", row.id);
            }
            seen.insert(item.id);
        }
        for row in all.iter().filter(|row| !of_type.has(row)) {
            assert_eq!(of_type.member(row, "_type"), None, "{} is no {}", row.id, agent_type.id);
        }
    }
    assert_eq!(seen.len(), TYPES.len() + 3, "{seen:?}");
    for (filter, found) in [
        ("coreOAuth2ClientConfig%2FclientName+eq+'of+the+group'", "heir"),
        ("coreOAuth2ClientConfig%2Fscopes+co+'READ'", "consumer"),
        ("advancedOAuth2ClientConfig%2FisConsentImplied+eq+true", "consumer"),
        ("!(coreOAuth2ClientConfig%2Fagentgroup+eq+'g')+and+_id+co+'e'", "bare consumer of-OAuth2Client"),
    ] {
        let listed = rig.get(&format!("{CLIENTS}?_queryFilter={filter}")).await.json;
        let ids: Vec<&str> =
            listed["result"].as_array().into_iter().flatten().filter_map(|i| i["_id"].as_str()).collect();
        assert_eq!(ids.join(" "), found, "{filter}: {listed}");
    }
}
