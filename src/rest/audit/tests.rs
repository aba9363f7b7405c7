//! Who may report, and what (`audit::tests` says what becomes of it).

use crate::rest::testing::Rig;
use serde_json::json;

/// Every topic, of the service and of a realm: events can be created by those who may, and nothing else can be done.
#[actix_web::test]
async fn events_are_reported_and_never_read() {
    let rig = Rig::new().await;
    let event = json!({"eventName": "AM-ACCESS-OUTCOME", "transactionId": "t-1"});
    for path in [
        "/global-audit/access",
        "/global-audit/activity",
        "/global-audit/authentication",
        "/global-audit/config",
        "/realms/root/realm-audit/access",
        "/realms/root/realm-audit/activity",
        "/realms/root/realm-audit/authentication",
        "/realms/root/realm-audit/config",
    ] {
        let create = format!("{path}?_action=create");
        assert_eq!(rig.send("POST", &create, event.clone()).await.status, 201, "{path}");
        assert_eq!(rig.ask("POST", &create).json(&event).await.error(), (401, "Access Denied"), "{path}");
        let unknown = json!({"eventName": "x", "transactionId": "t", "kitchen": 1});
        assert_eq!(rig.send("POST", &create, unknown).await.status, 400, "{path}");
        assert_eq!(rig.send("PUT", &format!("{path}/x"), event.clone()).await.status, 501, "{path}");
        assert_eq!(rig.get(&format!("{path}/x")).await.status, 501, "{path}");
        assert_eq!(rig.get(&format!("{path}?_queryFilter=true")).await.status, 501, "{path}");
    }
}
