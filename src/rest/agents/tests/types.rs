//! oauth2-config.md §14, in its order.

use super::{AGENTS, rig, set};
use crate::rest::{
    agents::{TYPES, by_unique, flat},
    testing::{Reply, Rig},
};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

async fn put(rig: &Rig, path: &str, body: Value) -> Reply {
    rig.send("PUT", &format!("{AGENTS}/{path}"), body).await
}

async fn get(rig: &Rig, path: &str) -> Reply {
    rig.get(&format!("{AGENTS}/{path}")).await
}

#[actix_web::test]
async fn the_types_are_those_of_the_reference() {
    let rig = rig().await;
    let types = rig.send("POST", &format!("{AGENTS}?_action=getAllTypes"), json!({})).await.json;
    let named = |id: &str, name: &str| json!({"_id": id, "name": name, "collection": true});
    let expected = json!({"result": [
        named("WebAgent", "Web Agents"),
        named("J2EEAgent", "J2EE Agents"),
        named("2.2_Agent", "2.2 Agents"),
        named("OAuth2Client", "OAuth2 Client Agents"),
        named("SharedAgent", "Shared Agents"),
        named("SoapSTSAgent", "Soap STS Agents"),
        named("RemoteConsentAgent", "OAuth2 Remote Consent Agents"),
        named("SoftwarePublisher", "OAuth2 Software Publisher Agents"),
        named("IdentityGatewayAgent", "Identity Gateway Agents"),
        named("TrustedJwtIssuer", "OAuth2 Trusted JWT Issuer Agents"),
    ]});
    assert_eq!(types, expected);
    let own = |id: &'static str| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{AGENTS}/{id}?_action=getType"), json!({})).await.json["name"].clone() }
    };
    assert_eq!(own("2.2_Agent").await, "Policy Agents");
    assert_eq!(own("TrustedJwtIssuer").await, "OAuth2 Trusted JWT Issuer");
    assert_eq!(own("SoftwarePublisher").await, "OAuth2 Software Publisher");
    assert_eq!(own("RemoteConsentAgent").await, "OAuth2 Remote Consent Service");
    assert_eq!(own("SoapSTSAgent").await, "SOAP STS Agents");
    for (method, tail) in [("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x"), ("GET", "?_queryFilter=true")] {
        let reply = rig.admin(method, &format!("{AGENTS}/OAuth2Thing{tail}")).json(&json!({})).await;
        assert_eq!(reply.error(), (501, "OAuth 2.0 for Things is not enabled"), "{method}");
    }
    let action = rig.send("POST", &format!("{AGENTS}/OAuth2Thing?_action=template"), json!({})).await;
    assert_eq!(action.error(), (501, "OAuth 2.0 for Things is not enabled"));
}

/// The defaults of §14.1 to §14.6.
#[actix_web::test]
async fn defaults_are_those_of_the_reference() {
    let rig = rig().await;
    for (kind, expected) in [
        (
            "TrustedJwtIssuer",
            json!({"issuer": null, "jwksUri": null, "jwkSet": null, "jwksCacheTimeout": 3_600_000,
                "jwkStoreCacheMissCacheTime": 60_000, "consentedScopesClaim": "scope", "resourceOwnerIdentityClaim": "sub",
                "allowedSubjects": [], "agentgroup": null}),
        ),
        (
            "SoftwarePublisher",
            json!({"issuer": null, "softwareStatementSigningAlgorithm": "RS256", "publicKeyLocation": "jwks_uri",
                "jwksUri": null, "jwkSet": null, "jwksCacheTimeout": 3_600_000, "jwkStoreCacheMissCacheTime": 60_000,
                "agentgroup": null}),
        ),
        (
            "RemoteConsentAgent",
            json!({"remoteConsentRedirectUrl": null, "remoteConsentRequestSigningAlgorithm": "RS256",
                "remoteConsentRequestEncryptionEnabled": true,
                "remoteConsentRequestEncryptionAlgorithm": "RSA-OAEP-256",
                "remoteConsentRequestEncryptionMethod": "A128GCM", "remoteConsentResponseSigningAlg": "RS256",
                "remoteConsentResponseEncryptionAlgorithm": "RSA-OAEP-256",
                "remoteConsentResponseEncryptionMethod": "A128GCM", "publicKeyLocation": "jwks_uri", "jwksUri": null,
                "jwkSet": null, "jwksCacheTimeout": 3_600_000, "jwkStoreCacheMissCacheTime": 60_000,
                "requestTimeLimit": 180, "agentgroup": null}),
        ),
        (
            "IdentityGatewayAgent",
            json!({"status": "Active", "igCdssoRedirectUrls": [], "igCdssoLoginUrlTemplate": null,
                "igTokenIntrospection": "None", "secretLabelIdentifier": null, "agentgroup": null}),
        ),
        ("2.2_Agent", json!({"cdssoRootUrl": [], "description": null, "status": "Active"})),
    ] {
        let template = rig.send("POST", &format!("{AGENTS}/{kind}?_action=template"), json!({})).await.json;
        assert_eq!(template, expected, "{kind}");
        let schema = rig.send("POST", &format!("{AGENTS}/{kind}?_action=schema"), json!({})).await.json;
        assert_eq!(schema["type"], "object", "{kind}");
    }
    let soap = rig.send("POST", &format!("{AGENTS}/SoapSTSAgent?_action=template"), json!({})).await.json;
    assert_eq!(soap["publishServicePollInterval"], 300);
}

/// Every type: what it shows can be written back, and it is found by its id among all.
#[actix_web::test]
async fn every_type_lives_and_dies() {
    let rig = rig().await;
    for agent_type in TYPES {
        let path = format!("{}/one", agent_type.id);
        assert_eq!(get(&rig, &path).await.error(), (404, "Not Found"), "{path}");
        let created = put(&rig, &path, json!({"_id": "one", "userpassword-encrypted": "x"})).await;
        assert_eq!((created.status, &created.json["_type"]["_id"]), (201, &json!(agent_type.id)), "{}", created.text);
        let again = put(&rig, &path, created.json.clone()).await;
        assert_eq!((again.status, &again.json), (200, &created.json), "the same content has the same revision");
        assert_eq!(get(&rig, &path).await.json, created.json);
        let plain = rig.get(&format!("{AGENTS}/{}?_queryFilter=true", agent_type.id)).await.json;
        assert_eq!((&plain["resultCount"], &plain["totalPagedResultsPolicy"]), (&json!(1), &json!("EXACT")), "{path}");
        let found = rig.get(&format!("{AGENTS}?_queryFilter=_id+eq+'one'")).await.json;
        assert_eq!(found["result"], plain["result"], "{path}");
        for other in TYPES.into_iter().filter(|other| other.id != agent_type.id) {
            let path = format!("{}/one", other.id);
            assert_eq!(get(&rig, &path).await.error(), (404, "Not Found"), "{path}");
            assert_eq!(rig.admin("DELETE", &format!("{AGENTS}/{path}")).go().await.status, 404, "{path}");
            assert_eq!(
                put(&rig, &path, json!({})).await.error(),
                (409, "The name one is in use in this realm"),
                "{path}"
            );
        }
        let deleted = rig.admin("DELETE", &format!("{AGENTS}/{path}")).go().await;
        assert_eq!((deleted.status, &deleted.json["_id"]), (200, &json!("one")), "{}", deleted.text);
    }
    let nothing = rig.send("POST", &format!("{AGENTS}?_action=nextdescendents"), json!({})).await;
    assert_eq!(nothing.json, json!({"result": []}));
}

/// §14.1, §14.2: of two agents of a type in a realm, one has an issuer, even when both are written at once.
#[actix_web::test]
async fn an_issuer_is_trusted_once() {
    let rig = rig().await;
    let alpha = RealmPath::from("/alpha");
    let issuer = |url: &str| json!({"issuer": set(json!(url))});
    let name_of = |url: &str| {
        let entry = by_unique(rig.desk.views(), &alpha, &flat::TRUSTED_JWT_ISSUER, url)?;
        Some(entry.json()["consentedScopesClaim"].as_str()?.to_owned())
    };
    let with = |url: &str, claim: &str| json!({"issuer": url, "consentedScopesClaim": claim});
    assert_eq!(put(&rig, "TrustedJwtIssuer/a", with("https://idp.example.org", "a")).await.status, 201);
    let label = "Data validation failed for the attribute, JWT Issuer";
    assert_eq!(put(&rig, "TrustedJwtIssuer/b", issuer("https://idp.example.org")).await.error(), (400, label));
    assert_eq!(get(&rig, "TrustedJwtIssuer/b").await.status, 404, "and nothing was written");
    assert_eq!(
        put(&rig, "SoftwarePublisher/b", issuer("https://idp.example.org")).await.status,
        201,
        "of its own type"
    );
    assert_eq!(put(&rig, "TrustedJwtIssuer/c", issuer("https://idp.example.com")).await.status, 201);
    assert_eq!(put(&rig, "TrustedJwtIssuer/c", issuer("https://idp.example.org")).await.error(), (400, label));
    assert_eq!(name_of("https://idp.example.org").as_deref(), Some("a"));
    // It is free when it is given up, by a change or by the end of who had it.
    assert_eq!(put(&rig, "TrustedJwtIssuer/a", with("https://idp.example.net", "a")).await.status, 200);
    assert_eq!(name_of("https://idp.example.org"), None);
    assert_eq!(put(&rig, "TrustedJwtIssuer/c", with("https://idp.example.org", "c")).await.status, 200);
    assert_eq!(name_of("https://idp.example.org").as_deref(), Some("c"));
    assert_eq!(rig.admin("DELETE", &format!("{AGENTS}/TrustedJwtIssuer/c")).go().await.status, 200);
    let (a, b) = futures_util::join!(
        put(&rig, "TrustedJwtIssuer/x", issuer("https://idp.example.org")),
        put(&rig, "TrustedJwtIssuer/y", issuer("https://idp.example.org")),
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400], "{} {}", a.text, b.text);
    // Many without one do not get into each other's way, and no agent has a marker's name.
    assert_eq!(put(&rig, "TrustedJwtIssuer/d", json!({})).await.status, 201);
    assert_eq!(put(&rig, "TrustedJwtIssuer/e", json!({"issuer": null})).await.status, 201);
    let listed = rig.get(&format!("{AGENTS}/TrustedJwtIssuer?_queryFilter=true")).await.json;
    assert_eq!(listed["resultCount"], 4, "{listed}");
    let marker = "TrustedJwtIssuer/%01TrustedJwtIssuer%01https:%2F%2Fidp.example.org";
    assert_eq!(get(&rig, marker).await.status, 404);
    assert_eq!(put(&rig, marker, json!({})).await.status, 400);
}

#[actix_web::test]
async fn what_an_agent_cannot_be_is_refused() {
    let rig = rig().await;
    for (path, body, label) in [
        ("TrustedJwtIssuer/x", json!({"jwkSet": "{\"keys\":[{\"kty\":\"oct\",\"k\":\"x\"}]}"}), "JWK Set"),
        ("TrustedJwtIssuer/x", json!({"jwksUri": "file:///etc/passwd"}), "JWKs URI"),
        ("TrustedJwtIssuer/x", json!({"jwksCacheTimeout": -1}), "JWKs URI content cache timeout in ms"),
        ("TrustedJwtIssuer/x", json!({"issuer": "x".repeat(2049)}), "JWT Issuer"),
        (
            "SoftwarePublisher/x",
            json!({"softwareStatementSigningAlgorithm": "HS256"}),
            "Software statement signing Algorithm",
        ),
        ("SoftwarePublisher/x", json!({"publicKeyLocation": "x509"}), "Public key selector"),
        (
            "RemoteConsentAgent/x",
            json!({"remoteConsentRequestEncryptionAlgorithm": "RSA1_5"}),
            "Consent request Encryption Algorithm",
        ),
        ("RemoteConsentAgent/x", json!({"requestTimeLimit": 0}), "Consent Request Time Limit"),
        ("2.2_Agent/x", json!({"status": "Gone"}), "Status"),
        ("2.2_Agent/x", json!({"cdssoRootUrl": ["javascript:1"]}), "Agent Root URL for CDSSO"),
        ("2.2_Agent/x", json!({"userpassword": 7}), "Password"),
        ("WebAgent/x", json!({"globalWebAgentConfig": []}), "Global"),
        ("WebAgent/x", json!({"globalWebAgentConfig": {"status": "Gone"}}), "Status"),
        ("WebAgent/x", json!({"ssoWebAgentConfig": {"_verifier": "x"}}), "SSO"),
        ("WebAgent/x", json!({"ssoWebAgentConfig": {"a": "x".repeat(200_000)}}), "SSO"),
        ("SharedAgent/x", json!({"_verifier": "x"}), "Agent Profiles allowed to Read"),
        ("SharedAgent/x", json!({"_inherited": {"": ["status"]}}), "Agent Profiles allowed to Read"),
    ] {
        let reply = put(&rig, path, body).await;
        assert_eq!(
            reply.error(),
            (400, format!("Data validation failed for the attribute, {label}").as_str()),
            "{path}"
        );
    }
    for (path, body) in [
        ("TrustedJwtIssuer/x", json!({"isAdmin": true})),
        ("2.2_Agent/x", json!({"agentgroup": "g"})),
        ("WebAgent/x", json!({"isAdmin": true})),
        ("WebAgent/x", json!({"_verifier": "x"})),
    ] {
        let reply = put(&rig, path, body).await;
        assert_eq!(reply.error(), (400, "Invalid attribute specified."), "{path}");
        assert!(reply.json["detail"]["validAttributes"].is_array());
    }
    let nothing = rig.get(&format!("{AGENTS}?_queryFilter=true")).await;
    assert_eq!(nothing.json["resultCount"], 0, "and nothing was written");
}

/// §14.6: what is kept as it comes is kept whole, shown wrapped, and without anything secret (G5).
#[actix_web::test]
async fn an_agent_of_another_product_is_kept_as_it_comes() {
    let rig = rig().await;
    let body = json!({
        "userpassword": "agent-secret",
        "globalWebAgentConfig": {"status": set(json!("Active")), "agentUriPrefix": set(json!("https://app/amagent")),
            "resetEnable": set(json!(true)), "list": ["a", "b"], "unset": {"inherited": false}},
        "ssoWebAgentConfig": {"cookieName": "x", "map": {"inherited": false, "value": {"a": "b"}}},
        "miscWebAgentConfig": {"proxyPassword": set(json!("proxy-secret")), "deep": {"apiSecret": "x-secret", "y": 1}},
    });
    let created = put(&rig, "WebAgent/web", body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let global = &created.json["globalWebAgentConfig"];
    assert_eq!(
        (&global["agentUriPrefix"], &global["list"]),
        (&set(json!("https://app/amagent")), &set(json!(["a", "b"])))
    );
    assert_eq!((global.get("unset"), global.get("userpassword")), (None, None));
    assert_eq!(created.json["ssoWebAgentConfig"]["map"], set(json!({"a": "b"})));
    assert_eq!(created.json["miscWebAgentConfig"], json!({"deep": set(json!({"y": 1}))}));
    let again = put(&rig, "WebAgent/web", created.json.clone()).await;
    assert_eq!((again.status, &again.json), (200, &created.json), "what was read can be written");
    let plain = rig.get(&format!("{AGENTS}/WebAgent?_queryFilter=true")).await;
    assert_eq!(plain.json["result"][0]["globalWebAgentConfig"]["resetEnable"], true);
    let entry = rig.desk.document(&RealmPath::from("/alpha"), Kind::Agent, "web").expect("stored");
    let stored = entry.json().to_string();
    for text in [&created.text, &plain.text, &stored] {
        assert!(!text.contains("-secret"), "{text}");
    }
    assert!(!created.text.contains("argon2") && !plain.text.contains("argon2") && stored.contains("argon2"));

    let shared = put(&rig, "SharedAgent/s", json!({"agentsAllowed": ["web"], "password": "no-secret"})).await;
    assert_eq!((&shared.json["agentsAllowed"], shared.json.get("password")), (&set(json!(["web"])), None));
}

/// §14.4, §14.5: agents sign in with id and password; trusted issuers and publishers are no identities.
#[actix_web::test]
async fn agents_sign_in_and_others_do_not() {
    let rig = rig().await;
    let login = async |name: &str| {
        let reply = rig.sign_in("/realms/root/realms/alpha", "Agent", name, "agent-secret").await;
        assert!([200, 401].contains(&reply.status), "{}", reply.text);
        reply.status == 200
    };
    for (kind, status) in [
        ("IdentityGatewayAgent", json!({"status": "Inactive"})),
        ("2.2_Agent", json!({"status": "Inactive"})),
        ("WebAgent", json!({"globalWebAgentConfig": {"status": "Inactive"}})),
        ("J2EEAgent", json!({"globalJ2EEAgentConfig": {"status": "Inactive"}})),
    ] {
        let path = format!("{kind}/agent");
        put(&rig, &path, json!({"userpassword": "agent-secret"})).await;
        assert!(login("agent").await, "{kind}");
        assert!(!login("AGENT").await, "{kind}");
        let disabled = put(&rig, &path, status).await;
        assert_eq!(disabled.status, 200, "{}", disabled.text);
        assert!(!login("agent").await, "{kind}");
        rig.admin("DELETE", &format!("{AGENTS}/{path}")).go().await;
    }
    for kind in ["SoftwarePublisher", "RemoteConsentAgent", "OAuth2Client"] {
        let body = match kind {
            "OAuth2Client" => json!({"coreOAuth2ClientConfig": {"userpassword": "agent-secret"}}),
            _ => json!({"userpassword": "agent-secret"}),
        };
        assert_eq!(put(&rig, &format!("{kind}/agent"), body).await.status, 201);
        assert!(!login("agent").await, "{kind}");
        rig.admin("DELETE", &format!("{AGENTS}/{kind}/agent")).go().await;
    }
}
