//! oauth2-config.md §17: what a configuration tool asks, in its order.

use super::{AGENTS, consumer, rig};
use serde_json::{Value, json};

const REALM: &str = "/realms/root/realms/alpha/realm-config";
const HEADER: (&str, &str) = ("Accept-API-Version", "protocol=2.1,resource=1.0");

#[actix_web::test]
async fn a_tool_exports_and_imports() {
    let rig = rig().await;
    let ask = |method: &str, path: &str| rig.admin(method, path).header(HEADER.0, HEADER.1);
    let provider = format!("{REALM}/services/oauth-oidc");
    let client = format!("{AGENTS}/OAuth2Client/api1");

    // Import: PUT; on 404 of the provider POST `_action=create`.
    let created = ask("PUT", &client).json(&consumer()).await;
    assert_eq!((created.status, created.header("Content-API-Version")), (201, Some("resource=1.0")));
    assert_eq!(ask("GET", &provider).go().await.error(), (404, "Not Found"));
    let body = json!({"_id": "", "_type": {"_id": "oauth-oidc", "name": "OAuth2 Provider", "collection": false},
        "coreOAuth2Config": {"accessTokenLifetime": 600}});
    assert_eq!(ask("POST", &format!("{provider}?_action=create")).json(&body).await.status, 201);

    // Export: the client alone, wrapped; the provider; scripts by the attributes that name them.
    let exported = ask("GET", &client).go().await;
    assert_eq!((exported.status, exported.header("Cache-Control")), (200, Some("private")));
    assert_eq!(
        exported.header("ETag"),
        Some(format!("\"{}\"", exported.json["_rev"].as_str().expect("text")).as_str())
    );
    let settings = ask("GET", &provider).go().await.json;
    assert_eq!((&settings["_id"], &settings["coreOAuth2Config"]["accessTokenLifetime"]), (&json!(""), &json!(600)));
    let scripts = |group: &Value| -> Vec<String> {
        let attributes = group.as_object().into_iter().flatten();
        let named =
            attributes.filter(|(name, value)| name.ends_with("Script") && *value != "[Empty]" && !value.is_null());
        named.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(scripts(&exported.json["overrideOAuth2ClientConfig"]), Vec::<String>::new());
    assert!(scripts(&settings["pluginsConfig"]).contains(&"accessTokenModificationScript".to_owned()));
    let types = ask("POST", &format!("{AGENTS}?_action=getAllTypes")).json(&json!({})).await;
    assert_eq!(types.json["result"].as_array().map(Vec::len), Some(10));
    let found = ask("GET", &format!("{AGENTS}?_queryFilter=_id+eq+'api1'")).go().await;
    assert_eq!(
        (&found.json["resultCount"], &found.json["result"][0]["_type"]["_id"]),
        (&json!(1), &json!("OAuth2Client"))
    );
    let all = ask("POST", &format!("{AGENTS}?_action=nextdescendents")).json(&json!({})).await;
    assert_eq!(all.json["result"][0]["_id"], "api1");
    let groups = ask("POST", &format!("{AGENTS}/groups?_action=nextdescendents")).json(&json!({})).await;
    assert_eq!((groups.status, &groups.json), (200, &json!({"result": []})));
    let services = ask("POST", &format!("{REALM}/services?_action=nextdescendents")).json(&json!({})).await;
    assert_eq!(services.json["result"][0]["_id"], "oauth-oidc");
    let services = ask("POST", "/global-config/services?_action=nextdescendents").json(&json!({})).await;
    assert_eq!(services.status, 200);

    // Import again: the wrapped body without `_rev`, `-encrypted` names and all; 200, and a wrapped answer.
    let mut body = exported.json.clone();
    body.as_object_mut().map(|body| body.remove("_rev"));
    body["coreOAuth2ClientConfig"]["userpassword-encrypted"] = json!("AAAA");
    let again = ask("PUT", &client).json(&body).await;
    assert_eq!((again.status, &again.json), (200, &exported.json));
    let mut body = settings.clone();
    body.as_object_mut().map(|body| body.remove("_rev"));
    let again = ask("PUT", &provider).json(&body).await;
    assert_eq!((again.status, &again.json["advancedOAuth2Config"]), (200, &settings["advancedOAuth2Config"]));

    // Another realm of the same content has the same revision (§1.3), as long as no secret is in it.
    rig.realm("beta").await;
    let plain = json!({"coreOAuth2ClientConfig": {"scopes": ["read"]}});
    let here = ask("PUT", &format!("{AGENTS}/OAuth2Client/twin")).json(&plain).await;
    let there = ask("PUT", "/realms/root/realms/beta/realm-config/agents/OAuth2Client/twin").json(&plain).await;
    assert_eq!((here.status, &here.json["_rev"]), (201, &there.json["_rev"]));

    // What is not there, and who may not.
    assert_eq!(ask("GET", &format!("{AGENTS}/OAuth2Client/nosuch")).go().await.error(), (404, "Not Found"));
    let stranger = rig.ask("GET", &client).go().await;
    assert_eq!(stranger.error(), (401, "Access Denied"));
}
