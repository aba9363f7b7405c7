mod frodo;
mod groups;
mod members;
mod types;

use crate::rest::testing::{Reply, Rig};
use quorate_raft::{Kind, RealmPath, Seq};
use serde_json::{Value, json};

const CLIENTS: &str = "/realms/root/realms/alpha/realm-config/agents/OAuth2Client";
const GATEWAYS: &str = "/realms/root/realms/alpha/realm-config/agents/IdentityGateway";
const AGENTS: &str = "/realms/root/realms/alpha/realm-config/agents";

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig
}

fn set(value: Value) -> Value {
    json!({"inherited": false, "value": value})
}

/// As an administrator following seed 000 sends it: some values wrapped, some not.
fn consumer() -> Value {
    json!({
        "coreOAuth2ClientConfig": {
            "userpassword": "consumer-secret",
            "clientType": set(json!("Confidential")),
            "redirectionUris": set(json!(["https://app.example.com/cb"])),
            "scopes": ["read|en|Read"],
        },
        "advancedOAuth2ClientConfig": {
            "grantTypes": set(json!(["client_credentials", "authorization_code"])),
            "isConsentImplied": "true",
        },
        "overrideOAuth2ClientConfig": {
            "providerOverridesEnabled": true,
            "validateScopePluginType": "POLICY",
            "accessTokenModificationPluginType": "POLICY",
        },
    })
}

fn stored(rig: &Rig, kind: Kind, id: &str) -> (Value, Seq) {
    let entry = rig.desk.document(&RealmPath::from("/alpha"), kind, id).expect("stored");
    (entry.json().clone(), entry.document.fence)
}

async fn put(rig: &Rig, id: &str, body: Value) -> Reply {
    rig.send("PUT", &format!("{CLIENTS}/{id}"), body).await
}

#[actix_web::test]
async fn a_client_lives_and_dies() {
    let rig = rig().await;
    let created = put(&rig, "api1", consumer()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(created.header("X-Quorate-Revision").is_some(), "a creation tells its revision of the log");
    let core = &created.json["coreOAuth2ClientConfig"];
    assert_eq!(core["clientType"], set(json!("Confidential")));
    assert_eq!(core["status"], set(json!("Active")));
    assert_eq!(core["accessTokenLifetime"], set(json!(0)));
    assert_eq!(core.get("agentgroup"), None);
    let advanced = &created.json["advancedOAuth2ClientConfig"];
    assert_eq!(advanced["isConsentImplied"], set(json!(true)));
    assert_eq!(advanced["sectorIdentifierUri"], json!({"inherited": false}));
    assert_eq!(created.json["signEncOAuth2ClientConfig"]["idTokenSignedResponseAlg"], set(json!("RS256")));
    let overrides = &created.json["overrideOAuth2ClientConfig"];
    assert_eq!(
        (&overrides["validateScopePluginType"], &overrides["issueRefreshToken"]),
        (&json!("POLICY"), &json!(true))
    );
    assert_eq!(overrides["remoteConsentServiceId"], Value::Null);
    assert_eq!(created.json["_type"], json!({"_id": "OAuth2Client", "name": "OAuth2 Clients", "collection": true}));
    let read = rig.get(&format!("{CLIENTS}/api1")).await;
    assert_eq!(read.json, created.json);
    assert_eq!(read.header("ETag"), created.header("ETag"));

    // What a configuration tool exports it imports again.
    let again = put(&rig, "api1", read.json.clone()).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let mut same = again.json.clone();
    same["_rev"] = read.json["_rev"].clone();
    assert_eq!(same, read.json);

    // PUT replaces: what is left out is reset.
    let reset = put(&rig, "api1", json!({"coreOAuth2ClientConfig": {"clientName": ["API 1"]}})).await;
    assert_eq!(reset.json["coreOAuth2ClientConfig"]["redirectionUris"], set(json!([])));
    assert_eq!(reset.json["overrideOAuth2ClientConfig"]["providerOverridesEnabled"], false);

    let deleted = rig.admin("DELETE", &format!("{CLIENTS}/api1")).go().await;
    assert_eq!((deleted.status, &deleted.json["_id"]), (200, &json!("api1")));
    assert_eq!(rig.get(&format!("{CLIENTS}/api1")).await.error(), (404, "Not Found"));
    assert_eq!(rig.admin("DELETE", &format!("{CLIENTS}/api1")).go().await.status, 404);
}

/// What the OAuth side reads.
#[actix_web::test]
async fn what_is_stored_is_plain_and_whole() {
    let rig = rig().await;
    put(&rig, "api1", consumer()).await;
    let (body, _) = stored(&rig, Kind::OAuth2Client, "api1");
    assert_eq!(body["coreOAuth2ClientConfig"]["redirectionUris"], json!(["https://app.example.com/cb"]));
    assert_eq!(body["coreOAuth2ClientConfig"]["scopes"], json!(["read|en|Read"]));
    assert_eq!(body["advancedOAuth2ClientConfig"]["grantTypes"], json!(["client_credentials", "authorization_code"]));
    assert_eq!(body["advancedOAuth2ClientConfig"]["tokenEndpointAuthMethod"], "client_secret_basic");
    assert_eq!(body["overrideOAuth2ClientConfig"]["accessTokenModificationPluginType"], "POLICY");
    let verifier = body["_verifier"].as_str();
    assert_eq!(rig.desk.passwords().verify(verifier, "consumer-secret").await, Ok(true));
    assert!(!body.to_string().contains("consumer-secret"));
}

/// Lists are plain: unset values are null, nothing is wrapped (oauth2-config.md §2.2).
#[actix_web::test]
async fn lists_show_plain_values() {
    let rig = rig().await;
    for id in ["a", "b", "c"] {
        put(&rig, id, consumer()).await;
    }
    let listed = rig.get(&format!("{CLIENTS}?_queryFilter=true")).await.json;
    let totals = json!([
        listed["resultCount"],
        listed["totalPagedResultsPolicy"],
        listed["totalPagedResults"],
        listed["remainingPagedResults"]
    ]);
    assert_eq!(totals, json!([3, "EXACT", 3, -1]));
    let core = &listed["result"][0]["coreOAuth2ClientConfig"];
    assert_eq!((&core["status"], core.get("agentgroup")), (&json!("Active"), Some(&Value::Null)));
    assert_eq!(listed["result"][0]["advancedOAuth2ClientConfig"]["sectorIdentifierUri"], Value::Null);
    let found = |query: &'static str| {
        let rig = &rig;
        async move {
            let listed = rig.get(&format!("{CLIENTS}?{query}")).await.json;
            let ids = listed["result"].as_array().into_iter().flatten().filter_map(|c| c["_id"].as_str());
            ids.collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(found("_queryFilter=_id+eq+'b'").await, "b");
    assert_eq!(found("_queryFilter=_id+co+'a'+or+_id+sw+'c'").await, "a c");
    assert_eq!(found("_queryFilter=true&_pageSize=1&_pagedResultsOffset=1&_sortKeys=-_id").await, "b");
    let by_id = rig.get(&format!("{CLIENTS}?_queryId=*")).await;
    assert_eq!(by_id.error(), (501, "Query not supported: null"));

    let all = rig.get(&format!("{AGENTS}?_queryFilter=_id+eq+'b'")).await.json;
    assert_eq!((&all["result"][0]["_id"], &all["totalPagedResultsPolicy"]), (&json!("b"), &json!("NONE")));
    let ids = |query: &'static str| {
        let rig = &rig;
        async move {
            let listed = rig.get(&format!("{AGENTS}?{query}")).await.json;
            let ids = listed["result"].as_array().into_iter().flatten().filter_map(|agent| agent["_id"].as_str());
            (ids.collect::<Vec<_>>().join(" "), listed["totalPagedResults"].clone())
        }
    };
    assert_eq!(
        ids("_queryFilter=_id+sw+'B'+or+_id+eq+'a'").await,
        ("a b".into(), json!(-1)),
        "case is ignored (crest.md §7.3)"
    );
    assert_eq!(ids("_queryFilter=true&_sortKeys=-_id").await.0, "c b a");
    assert_eq!(ids("_queryFilter=true&_totalPagedResultsPolicy=EXACT").await, ("a b c".into(), json!(3)));
    assert_eq!(ids("_queryFilter=coreOAuth2ClientConfig%2Fstatus+eq+'active'").await.0, "a b c");
    let paged = rig.get(&format!("{AGENTS}?_queryFilter=true&_pageSize=1")).await;
    assert_eq!(paged.error(), (501, "Query paging not currently supported"));
    rig.send("PUT", &format!("{GATEWAYS}/ig"), json!({"userpassword": "gateway-secret"})).await;
    let descendents = rig.send("POST", &format!("{AGENTS}?_action=nextdescendents"), json!({})).await.json;
    let kinds: Vec<&str> =
        descendents["result"].as_array().into_iter().flatten().filter_map(|a| a["_type"]["_id"].as_str()).collect();
    assert_eq!(kinds, ["OAuth2Client", "OAuth2Client", "OAuth2Client", "IdentityGatewayAgent"]);
    let types = rig.send("POST", &format!("{AGENTS}?_action=getAllTypes"), json!({})).await.json;
    assert_eq!(types["result"][3], json!({"_id": "OAuth2Client", "name": "OAuth2 Client Agents", "collection": true}));
    assert_eq!(rig.get(&format!("{AGENTS}/AIAgent")).await.error(), (404, "Resource 'AIAgent' not found"));
}

/// G5: secrets come in and never out.
#[actix_web::test]
async fn a_secret_is_never_shown() {
    let rig = rig().await;
    let body = json!({"userpassword": set(json!("gateway-secret"))});
    let texts = [
        put(&rig, "api1", consumer()).await.text,
        put(&rig, "api1", consumer()).await.text,
        rig.get(&format!("{CLIENTS}/api1")).await.text,
        rig.get(&format!("{CLIENTS}/api1?_fields=_verifier,coreOAuth2ClientConfig/userpassword,_type")).await.text,
        rig.get(&format!("{CLIENTS}?_queryFilter=true")).await.text,
        rig.get(&format!("{AGENTS}?_queryFilter=true")).await.text,
        rig.send("PUT", &format!("{GATEWAYS}/ig"), body).await.text,
        rig.get(&format!("{GATEWAYS}?_queryFilter=true")).await.text,
        rig.send("POST", &format!("{AGENTS}?_action=nextdescendents"), json!({})).await.text,
        rig.admin("DELETE", &format!("{CLIENTS}/api1")).go().await.text,
        rig.admin("DELETE", &format!("{GATEWAYS}/ig")).go().await.text,
    ];
    for text in texts {
        assert!(text.contains("_id"), "{text}");
        for secret in ["argon2", "_verifier", "-secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    put(&rig, "api1", consumer()).await;
    let probe =
        rig.get(&format!("{CLIENTS}?_queryFilter=_verifier+pr+or+coreOAuth2ClientConfig%2Fuserpassword+pr")).await;
    assert_eq!(probe.json["resultCount"], 0, "nobody can probe for verifiers");
}

/// G3: what was issued under a fence dies when it moves; a change that concerns nobody leaves it.
#[actix_web::test]
async fn the_fence_moves_with_status_and_secret_only() {
    let rig = rig().await;
    put(&rig, "api1", consumer()).await;
    let fence = || stored(&rig, Kind::OAuth2Client, "api1").1;
    let verifier = || stored(&rig, Kind::OAuth2Client, "api1").0["_verifier"].clone();
    let (first, known) = (fence(), verifier());

    put(&rig, "api1", consumer()).await;
    assert_eq!((fence(), verifier()), (first, known.clone()), "the same secret is no change");
    let mut body = consumer();
    body["coreOAuth2ClientConfig"]["userpassword"] = Value::Null;
    body["coreOAuth2ClientConfig"]["scopes"] = json!(["write"]);
    put(&rig, "api1", body.clone()).await;
    assert_eq!((fence(), verifier()), (first, known.clone()), "no secret keeps the stored one");

    body["coreOAuth2ClientConfig"]["status"] = set(json!("inactive"));
    put(&rig, "api1", body.clone()).await;
    let disabled = fence();
    assert!(disabled > first);
    body["coreOAuth2ClientConfig"]["status"] = Value::Null;
    put(&rig, "api1", body.clone()).await;
    let enabled = fence();
    assert!(enabled > disabled);

    body["coreOAuth2ClientConfig"]["userpassword"] = json!("another-secret");
    put(&rig, "api1", body).await;
    assert!(fence() > enabled);
    assert_ne!(verifier(), known);
    let renewed = fence();
    rig.admin("DELETE", &format!("{CLIENTS}/api1")).go().await;
    put(&rig, "api1", consumer()).await;
    assert!(fence() > renewed, "a namesake is another client");
}

/// oauth2-config.md §2.4, §11; AD-03, AZ-04.
#[actix_web::test]
async fn what_a_client_cannot_be_is_refused() {
    let rig = rig().await;
    let core = |name: &str, value: Value| json!({"coreOAuth2ClientConfig": {name: value}});
    let signing = |name: &str, value: Value| json!({"signEncOAuth2ClientConfig": {name: value}});
    for (body, label) in [
        (core("redirectionUris", json!(["https://app.example.com/cb#f"])), "Redirection URIs"),
        (core("redirectionUris", set(json!(["https://*.example.com"]))), "Redirection URIs"),
        (core("redirectionUris", json!(["/cb"])), "Redirection URIs"),
        (core("scopes", json!(["a b"])), "Scope(s)"),
        (core("status", json!("Gone")), "Status"),
        (core("clientType", json!("Secret")), "Client type"),
        (core("accessTokenLifetime", json!(-1)), "Access Token Lifetime (seconds)"),
        (core("refreshTokenLifetime", json!(-2)), "Refresh Token Lifetime (seconds)"),
        (core("agentgroup", json!("nosuch")), "Group"),
        (core("userpassword", json!("")), "Client secret"),
        (core("userpassword", json!("x".repeat(1025))), "Client secret"),
        (json!({"advancedOAuth2ClientConfig": {"grantTypes": ["magic"]}}), "Grant Types"),
        (json!({"advancedOAuth2ClientConfig": {"responseTypes": ["code code"]}}), "Response Types"),
        (
            json!({"advancedOAuth2ClientConfig": {"tokenEndpointAuthMethod": "guess"}}),
            "Token Endpoint Authentication Method",
        ),
        (json!({"advancedOAuth2ClientConfig": {"sectorIdentifierUri": "http://x.example"}}), "Sector Identifier URI"),
        (json!({"coreOpenIDClientConfig": {"defaultMaxAge": 0}}), "Default Max Age"),
        (signing("idTokenSignedResponseAlg", json!("RS265")), "ID Token Signing Algorithm"),
        (signing("idTokenSignedResponseAlg", json!("HS256")), "ID Token Signing Algorithm"),
        (signing("jwkSet", json!("not a set")), "Json Web Key"),
        (json!({"overrideOAuth2ClientConfig": {"validateScopePluginType": "MAGIC"}}), "Scope Validation Plugin Type"),
        (json!({"overrideOAuth2ClientConfig": {"oidcClaimsPluginType": "POLICY"}}), "OIDC Claims Plugin Type"),
    ] {
        let reply = put(&rig, "api1", body).await;
        assert_eq!(reply.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
    for body in [
        json!({"isAdmin": true}),
        json!({"_verifier": "x"}),
        core("isAdmin", json!(true)),
        core("_verifier", json!("x")),
    ] {
        let reply = put(&rig, "api1", body).await;
        assert_eq!(reply.error(), (400, "Invalid attribute specified."));
        assert!(reply.json["detail"]["validAttributes"].is_array());
    }
    let listed = rig.get(&format!("{CLIENTS}?_queryFilter=true")).await;
    assert_eq!(listed.json["resultCount"], 0, "and nothing was written");
}

/// One name, one subject: clients, agents and users share their names in tokens.
#[actix_web::test]
async fn names_are_shared_with_other_agents_and_users() {
    let rig = rig().await;
    let users = "/realms/root/realms/alpha/users";
    let user = |name: &str| json!({"username": name, "userpassword": "correct horse"});
    assert_eq!(rig.send("PUT", &format!("{users}/demo"), user("demo")).await.status, 201);
    assert_eq!(put(&rig, "demo", consumer()).await.error(), (409, "The name demo is in use in this realm"));
    assert_eq!(put(&rig, "DEMO", consumer()).await.status, 409);
    assert_eq!(put(&rig, "api1", consumer()).await.status, 201);
    assert_eq!(put(&rig, "API1", consumer()).await.status, 201, "ids of clients do not ignore case");
    let gateway = rig.send("PUT", &format!("{GATEWAYS}/api1"), json!({})).await;
    assert_eq!(gateway.error(), (409, "The name api1 is in use in this realm"));
    let taken = rig.send("PUT", &format!("{users}/api1"), user("api1")).await;
    assert_eq!(taken.error(), (409, "An agent with the name api1 exists"));
    assert_eq!(rig.send("PUT", "/realms/root/users/api1", user("api1")).await.status, 201, "elsewhere it is free");

    let create = |body: Value| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{CLIENTS}?_action=create"), body).await }
    };
    assert_eq!(create(json!({})).await.error(), (400, "Data validation failed for the attribute, Name"));
    assert_eq!(create(json!({"_id": "api1"})).await.error(), (409, "Unable to save config: Service already exists"));
    let created = create(json!({"_id": "a/b"})).await;
    let location =
        "https://am.example.com:8443/am/json/realms/root/realms/alpha/realm-config/agents/OAuth2Client/a%2Fb";
    assert_eq!((created.status, created.header("Location")), (201, Some(location)));
    assert_eq!(rig.get(&format!("{CLIENTS}/a%2Fb")).await.json["_id"], "a/b");
    let only = rig.admin("PUT", &format!("{CLIENTS}/api1")).header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(only.error(), (412, "Unable to save config: Service already exists"));
}

/// AD-04: two administrators read the same revision; one of them wins.
#[actix_web::test]
async fn of_two_updates_of_one_revision_one_wins() {
    let rig = rig().await;
    let tag = put(&rig, "api1", consumer()).await.header("ETag").expect("a tag").to_owned();
    let path = format!("{CLIENTS}/api1");
    let (a, b) = (consumer(), json!({}));
    let (a, b) = futures_util::join!(
        rig.admin("PUT", &path).header("If-Match", &tag).json(&a),
        rig.admin("PUT", &path).header("If-Match", &tag).json(&b),
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);

    let path = format!("{CLIENTS}/new");
    let create = || rig.admin("PUT", &path).header("If-None-Match", "*");
    let body = consumer();
    let (a, b) = futures_util::join!(create().json(&body), create().json(&body));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412]);
    let unconditional = || rig.admin("PUT", &path);
    let (a, b) = futures_util::join!(unconditional().json(&body), unconditional().json(&body));
    assert_eq!([a.status, b.status], [200, 200], "who names no revision is not bothered");
}

#[actix_web::test]
async fn a_gateway_agent_lives_and_dies() {
    let rig = rig().await;
    let created = rig.send("PUT", &format!("{GATEWAYS}/ig"), json!({"userpassword": "gateway-secret"})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let expected = json!({
        "_id": "ig", "_rev": created.json["_rev"],
        "status": set(json!("Active")), "igTokenIntrospection": set(json!("None")), "igCdssoRedirectUrls": set(json!([])),
        "igCdssoLoginUrlTemplate": {"inherited": false}, "userpassword": null,
        "_type": {"_id": "IdentityGatewayAgent", "name": "Identity Gateway Agents", "collection": true},
    });
    assert_eq!(created.json, expected);
    let other_path = "/realms/root/realms/alpha/realm-config/agents/IdentityGatewayAgent/ig";
    assert_eq!(rig.get(other_path).await.json, expected, "under the name of its type, too");
    let (body, fence) = stored(&rig, Kind::IdentityGateway, "ig");
    assert_eq!((&body["status"], body["_verifier"].is_string()), (&json!("Active"), true));

    let session = rig.session(&RealmPath::from("/alpha"), Kind::IdentityGateway, "ig").await;
    let version = || rig.ask("GET", "/serverinfo/version").session(&session).go();
    assert_eq!(version().await.status, 200);
    let agent = rig.ask("GET", &format!("{GATEWAYS}/ig")).session(&session).go().await;
    assert_eq!(agent.error(), (403, "The user has insufficient privileges"));
    let disabled = rig.send("PUT", &format!("{GATEWAYS}/ig"), json!({"status": "Inactive"})).await;
    assert_eq!(disabled.json["status"], set(json!("Inactive")));
    assert!(stored(&rig, Kind::IdentityGateway, "ig").1 > fence);
    assert_eq!(version().await.status, 401);
    let invalid = rig.send("PUT", &format!("{GATEWAYS}/ig"), json!({"igTokenIntrospection": "Everything"})).await;
    assert_eq!(invalid.error(), (400, "Data validation failed for the attribute, Token Introspection"));
    assert_eq!(rig.admin("DELETE", &format!("{GATEWAYS}/ig")).go().await.status, 200);
    assert_eq!(rig.get(&format!("{GATEWAYS}/ig")).await.status, 404);
}

#[actix_web::test]
async fn templates_and_schemas_help_to_create() {
    let rig = rig().await;
    let act = |action: &'static str| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{CLIENTS}?_action={action}"), json!({})).await }
    };
    let template = act("template").await.json;
    assert_eq!(template["coreOAuth2ClientConfig"]["status"], "Active");
    assert_eq!(template["coreOpenIDClientConfig"]["defaultMaxAge"], 600);
    assert_eq!(put(&rig, "api1", template).await.status, 201, "a template can be sent as it is");
    let schema = act("schema").await.json;
    let kind = &schema["properties"]["coreOAuth2ClientConfig"]["properties"]["clientType"];
    assert_eq!(kind["enum"], json!(["Confidential", "Public"]));
    assert_eq!(act("getType").await.json["_id"], "OAuth2Client");
    assert_eq!(act("nosuch").await.error(), (501, "Action not supported: nosuch"));
}

/// Goal: a name is given once, though neither administrator could see the other's write when they looked.
#[actix_web::test]
async fn of_a_user_and_a_client_with_one_name_one_is_made() {
    let rig = rig().await;
    for (n, name) in ["bob", "Ann"].into_iter().enumerate() {
        let user = json!({"username": name, "userpassword": "correct horse"});
        let users = "/realms/root/realms/alpha/users?_action=create";
        let (user, client) = futures_util::join!(rig.send("POST", users, user), put(&rig, name, consumer()));
        let told = [user.status, client.status];
        assert!(told == [201, 409] || told == [409, 201], "{n}: {told:?} {} {}", user.text, client.text);
    }
}
