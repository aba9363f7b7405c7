//! a.18.

use super::{BASE, act, put, rig, stored, without};
use quorate_raft::Kind;
use serde_json::{Value, json};

#[actix_web::test]
async fn a_chain_lives_and_dies() {
    let rig = rig().await;
    let chains = format!("{BASE}/chains");
    let shipped = rig.get(&format!("{chains}/ldapService")).await;
    assert_eq!(
        without(shipped.json, &["_rev"]),
        json!({"_id": "ldapService",
            "authChainConfiguration": [{"module": "DataStore", "criteria": "REQUIRED", "options": {}}],
            "loginPostProcessClass": [], "loginSuccessUrl": [], "loginFailureUrl": [],
            "_type": {"_id": "EMPTY", "name": "Authentication Configuration", "collection": true}})
    );
    let all = rig.get(&format!("{chains}?_queryFilter=true")).await.json;
    let names: Vec<&Value> = all["result"].as_array().expect("a list").iter().map(|chain| &chain["_id"]).collect();
    assert_eq!(names, ["amsterService", "ldapService"]);

    let path = format!("{chains}/two");
    let body = json!({"authChainConfiguration": [
        {"module": "DataStore", "criteria": "sufficient", "options": {"a": "b"}}, {"module": "LDAP", "criteria": "OPTIONAL"},
    ], "loginSuccessUrl": ["https://app.example.com/"]});
    let created = put(&rig, &path, "protocol=2.0,resource=2.0", body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.json["authChainConfiguration"][0]["criteria"], "SUFFICIENT");
    assert_eq!(created.json["authChainConfiguration"][1]["options"], json!({}));
    let again = put(&rig, &path, "protocol=2.0,resource=2.0", created.json.clone()).await;
    assert_eq!(again.status, 200, "what was read can be written: {}", again.text);
    let stale =
        rig.admin("PUT", &path).header("If-Match", created.header("ETag").expect("a tag")).json(&json!({})).await;
    assert_eq!(stale.status, 412);
    let deleted = rig.admin("DELETE", &path).go().await;
    assert_eq!((deleted.status, deleted.json), (200, again.json));
    assert_eq!(rig.get(&path).await.error(), (404, "Not Found"));
}

#[actix_web::test]
async fn what_is_no_chain_is_refused() {
    let rig = rig().await;
    let path = format!("{BASE}/chains/bad");
    let label = "Data validation failed for the attribute, Authentication Chain Configuration";
    for modules in [
        json!({}),
        json!([1]),
        json!([{"module": "DataStore"}]),
        json!([{"module": "DataStore", "criteria": "MAYBE"}]),
        json!([{"module": "", "criteria": "REQUIRED"}]),
        json!([{"module": "DataStore", "criteria": "REQUIRED", "options": {"a": 1}}]),
        json!([{"module": "DataStore", "criteria": "REQUIRED", "isAdmin": true}]),
        (0..51).map(|_| json!({"module": "DataStore", "criteria": "REQUIRED"})).collect(),
    ] {
        let reply = rig.send("PUT", &path, json!({"authChainConfiguration": modules})).await;
        assert_eq!(reply.error(), (400, label), "{modules}");
    }
    assert_eq!(rig.send("PUT", &path, json!({"x": 1})).await.error(), (400, "Invalid attribute specified."));
    assert_eq!(stored(&rig, Kind::Chain, "bad"), None);
    let chains = format!("{BASE}/chains");
    assert_eq!(act(&rig, &chains, "schema").await.json["properties"]["authChainConfiguration"]["type"], "array");
    assert_eq!(act(&rig, &chains, "template").await.json["authChainConfiguration"], json!([]));
    assert_eq!(act(&rig, &chains, "getType").await.json["_id"], "EMPTY");
    assert_eq!(act(&rig, &chains, "nextdescendents").await.json["result"].as_array().map(Vec::len), Some(2));
}

#[actix_web::test]
async fn modules_have_types() {
    let rig = rig().await;
    let modules = format!("{BASE}/modules");
    let types = act(&rig, &modules, "getAllTypes").await.json;
    assert_eq!(types["result"][0], json!({"_id": "datastore", "name": "Data Store", "collection": true}));
    let all = rig.get(&format!("{modules}?_queryFilter=true")).await.json;
    let names: Vec<&Value> = all["result"].as_array().expect("a list").iter().map(|module| &module["_id"]).collect();
    assert_eq!(names, ["Amster", "DataStore"]);
    let shipped = rig.get(&format!("{modules}/datastore/DataStore")).await.json;
    assert_eq!(
        without(shipped, &["_rev"]),
        json!({"_id": "DataStore", "authenticationLevel": 0,
            "_type": {"_id": "datastore", "name": "Data Store", "collection": true}})
    );
    let path = format!("{modules}/ldap/Directory");
    let body = json!({"userBindPassword": "s3cret-of-ldap", "authenticationLevel": 5, "minimumPasswordLength": "8"});
    let created = rig.send("PUT", &path, body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(
        (&created.json["userBindPassword"], &created.json["minimumPasswordLength"]),
        (&Value::Null, &json!("8"))
    );
    assert_eq!(created.json.get("_outcomes"), None);
    let document = stored(&rig, Kind::AuthenticationModule, "ldap/Directory").expect("stored");
    assert!(!document.to_string().contains("s3cret-of-ldap"));
    let nameless = rig.send("POST", &format!("{modules}/ldap?_action=create"), json!({})).await;
    assert_eq!(nameless.error(), (400, "Data validation failed for the attribute, Name"));
    let named = rig.send("POST", &format!("{modules}/ldap?_action=create"), json!({"_id": "Second"})).await;
    assert_eq!(named.status, 201, "{}", named.text);
    let of_type = rig.get(&format!("{modules}/ldap?_queryFilter=true")).await.json;
    assert_eq!(of_type["resultCount"], 2);
    let bad = rig.send("PUT", &format!("{modules}/datastore/x"), json!({"authenticationLevel": "high"})).await;
    assert_eq!(bad.error(), (400, "Data validation failed for the attribute, Authentication Level"));
    assert_eq!(act(&rig, &format!("{modules}/amster"), "template").await.json["enabled"], true);
    assert_eq!(act(&rig, &format!("{modules}/nosuch"), "schema").await.error(), (404, "Resource 'nosuch' not found"));
    assert_eq!(rig.admin("DELETE", &path).go().await.status, 200);
    assert_eq!(rig.get(&path).await.error(), (404, "Not Found"));
}
