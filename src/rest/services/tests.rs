use crate::{
    authn,
    rest::testing::Rig,
    sessions::settings::{SessionSettings, touch_after},
};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const SERVICES: &str = "/realms/root/realms/alpha/realm-config/services";
const GLOBAL: &str = "/global-config/services";
const PROVIDER: &str = "/realms/root/realms/alpha/realm-config/services/oauth-oidc";

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    rig
}

#[actix_web::test]
async fn a_provider_lives_and_dies() {
    let rig = rig().await;
    assert_eq!(rig.get(PROVIDER).await.error(), (404, "Not Found"));
    let body = json!({"coreOAuth2Config": {"statelessTokensEnabled": false, "accessTokenLifetime": 600},
        "advancedOAuth2Config": {"codeVerifierEnforced": true, "supportedScopes": ["openid", "profile|en|Your profile"]}});
    let created = rig.send("POST", &format!("{PROVIDER}?_action=create"), body.clone()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(
        created.header("Location"),
        Some("https://am.example.com:8443/am/json/realms/root/realms/alpha/realm-config/services/oauth-oidc")
    );
    assert!(created.text.starts_with("{\"_id\":\"\",\"_rev\":\""), "{}", created.text);
    let (core, advanced) = (&created.json["coreOAuth2Config"], &created.json["advancedOAuth2Config"]);
    assert_eq!((&core["accessTokenLifetime"], &core["codeLifetime"]), (&json!(600), &json!(120)));
    assert_eq!(
        (&advanced["codeVerifierEnforced"], &advanced["tokenSigningAlgorithm"]),
        (&json!("true"), &json!("ES256"))
    );
    assert_eq!(advanced.get("customLoginUrlTemplate"), None, "unset values are left out");
    assert_eq!(created.json["_type"], json!({"_id": "oauth-oidc", "name": "OAuth2 Provider", "collection": false}));
    assert_eq!(rig.get(PROVIDER).await.json, created.json);
    let again = rig.send("POST", &format!("{PROVIDER}?_action=create"), body).await;
    assert_eq!(again.error(), (409, "Unable to save config: Service already exists"));

    // What is omitted afterwards stays.
    let updated = rig.send("PUT", PROVIDER, json!({"coreOAuth2Config": {"statelessTokensEnabled": true}})).await;
    assert_eq!(updated.status, 200, "{}", updated.text);
    let core = &updated.json["coreOAuth2Config"];
    assert_eq!((&core["statelessTokensEnabled"], &core["accessTokenLifetime"]), (&json!(true), &json!(600)));
    assert_eq!(updated.json["advancedOAuth2Config"], created.json["advancedOAuth2Config"]);
    let round = rig.send("PUT", PROVIDER, updated.json).await;
    assert_eq!(round.status, 200, "what was read can be written: {}", round.text);

    let deleted = rig.admin("DELETE", PROVIDER).go().await;
    assert_eq!((deleted.status, &deleted.json["coreOAuth2Config"]["accessTokenLifetime"]), (200, &json!(600)));
    assert_eq!(rig.admin("DELETE", PROVIDER).go().await.error(), (404, "Not Found"));
    let any = rig.admin("PUT", PROVIDER).header("If-Match", "*").json(&json!({})).await;
    assert_eq!(any.error(), (404, "Not Found"));
    assert_eq!(rig.send("PUT", PROVIDER, json!({})).await.status, 201, "PUT creates it, too");
    let only = rig.admin("PUT", PROVIDER).header("If-None-Match", "*").json(&json!({})).await;
    assert_eq!(only.status, 412);
    assert_eq!(
        rig.get(&format!("{PROVIDER}?_queryFilter=true")).await.error(),
        (400, "The singleton resource cannot be queried")
    );
}

/// oauth2-endpoints.md §25, 18: subjects of two installations cannot be linked by a salt that everybody knows.
#[actix_web::test]
async fn the_salt_is_ones_own() {
    let rig = rig().await;
    rig.send("PUT", PROVIDER, json!({})).await;
    rig.send("PUT", "/realms/root/realm-config/services/oauth-oidc", json!({})).await;
    let salt = |realm: &str| {
        let entry = rig.desk.document(&RealmPath::from(realm), Kind::Service, super::PROVIDER).expect("stored");
        entry.json()["advancedOAuth2Config"]["hashSalt"].as_str().expect("a salt").to_owned()
    };
    assert_ne!(salt("/"), salt("/alpha"));
    let known = rig.send("PUT", PROVIDER, json!({"advancedOAuth2Config": {"hashSalt": "changeme"}})).await;
    assert_eq!(known.error(), (400, "Data validation failed for the attribute, Subject Identifier Hash Salt"));
    let before = salt("/alpha");
    rig.send("PUT", PROVIDER, json!({"coreOAuth2Config": {"codeLifetime": 60}})).await;
    assert_eq!(salt("/alpha"), before);
}

#[actix_web::test]
async fn what_a_provider_cannot_be_is_refused() {
    let rig = rig().await;
    for (section, name, value, label) in [
        ("coreOAuth2Config", "accessTokenLifetime", json!(-1), "Access Token Lifetime (seconds)"),
        ("coreOAuth2Config", "statelessTokensEnabled", json!(1), "Use Client-Based Access & Refresh Tokens"),
        ("advancedOAuth2Config", "tokenSigningAlgorithm", json!("none"), "OAuth2 Token Signing Algorithm"),
        ("advancedOAuth2Config", "codeVerifierEnforced", json!("maybe"), "Code Verifier Parameter Required"),
        ("advancedOAuth2Config", "grantTypes", json!(["magic"]), "Grant Types"),
        ("advancedOIDCConfig", "loaMapping", json!({"a": 1}), "OpenID Connect acr_values to Auth Chain Mapping"),
    ] {
        let reply = rig.send("PUT", PROVIDER, json!({section: {name: value}})).await;
        assert_eq!(reply.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
    for body in [json!({"isAdmin": true}), json!({"coreOAuth2Config": {"isAdmin": true}})] {
        assert_eq!(rig.send("PUT", PROVIDER, body).await.error(), (400, "Invalid attribute specified."));
    }
    assert_eq!(rig.get(PROVIDER).await.status, 404);
    let newer = rig.send("PUT", PROVIDER, json!({"aiAgentsConfig": {"x": [1]}})).await;
    assert_eq!(newer.json["aiAgentsConfig"], json!({"x": [1]}), "what newer releases have is kept");
}

#[actix_web::test]
async fn services_are_listed() {
    let rig = rig().await;
    let act = |parent: &'static str, action: &'static str| {
        let rig = &rig;
        async move { rig.send("POST", &format!("{parent}?_action={action}"), json!({})).await.json["result"].clone() }
    };
    let ids = |result: &Value| -> Vec<String> {
        result.as_array().into_iter().flatten().filter_map(|one| Some(one["_id"].as_str()?.to_owned())).collect()
    };
    let all = [
        "oauth-oidc",
        "session",
        "amSessionPropertyWhitelist",
        "validation",
        "audit",
        "dashboard",
        "baseurl",
        "RemoteConsentService",
    ];
    assert_eq!(act(SERVICES, "nextdescendents").await, json!([]));
    assert_eq!(ids(&act(SERVICES, "getCreatableTypes").await), all);
    rig.send("PUT", PROVIDER, json!({})).await;
    assert_eq!(ids(&act(SERVICES, "getCreatableTypes").await), all[1..]);
    assert_eq!(ids(&act(SERVICES, "getAllTypes").await), all);
    let descendent = act(SERVICES, "nextdescendents").await[0].clone();
    assert_eq!((&descendent["_id"], descendent.get("_rev")), (&json!("oauth-oidc"), None));
    let listed = rig.get(&format!("{SERVICES}?_queryFilter=true")).await.json;
    assert_eq!((&listed["resultCount"], &listed["result"][0]["_id"]), (&json!(1), &json!("oauth-oidc")));
    let template = rig.send("POST", &format!("{PROVIDER}?_action=template"), json!({})).await.json;
    assert_eq!(template["coreOAuth2Config"]["refreshTokenLifetime"], 604_800);
    assert_eq!(template["advancedOAuth2Config"].get("hashSalt"), None::<&Value>);
    let schema = rig.send("POST", &format!("{PROVIDER}?_action=schema"), json!({})).await.json;
    assert_eq!(schema["properties"]["coreOAuth2Config"]["properties"]["codeLifetime"]["type"], "integer");
    assert_eq!(rig.get(&format!("{SERVICES}/nosuch")).await.error(), (404, "Resource 'nosuch' not found"));

    let cluster = act(GLOBAL, "nextdescendents").await;
    assert_eq!(ids(&cluster), ids(&act(GLOBAL, "getAllTypes").await));
    assert!(ids(&cluster).contains(&"platform".to_owned()));
    assert_eq!(cluster[0].get("_rev"), None);
    assert_eq!(act(GLOBAL, "getCreatableTypes").await, json!([]));
    let listed = rig.get(&format!("{GLOBAL}?_queryFilter=true")).await.json;
    assert_eq!(listed["resultCount"], json!(super::TABLE.len()));
    assert_eq!(rig.get(&format!("{GLOBAL}/nosuch")).await.error(), (404, "Resource 'nosuch' not found"));
    assert_eq!(rig.get(&format!("{SERVICES}/platform")).await.error(), (404, "Resource 'platform' not found"));
}

/// Every service of the table: what each shows can be written back, and its schema names what it shows.
#[actix_web::test]
async fn every_service_round_trips() {
    let rig = rig().await;
    for service in super::TABLE {
        let global = format!("{GLOBAL}/{}", service.id);
        let shown = rig.get(&global).await;
        assert_eq!((shown.status, &shown.json["_type"]["_id"]), (200, &json!(service.id)), "{}", shown.text);
        assert!(shown.text.starts_with("{\"_id\":\"\",\"_rev\":\"0\""), "{}", shown.text);
        let written = rig.send("PUT", &global, shown.json.clone()).await;
        assert_eq!(written.status, 200, "{}", written.text);
        assert_ne!(written.json["_rev"], "0");
        let mut same = written.json.clone();
        same["_rev"] = json!("0");
        assert_eq!(same, shown.json, "{}", service.id);
        let schema = rig.send("POST", &format!("{global}?_action=schema"), json!({})).await.json;
        for name in shown.json.as_object().into_iter().flat_map(|shown| shown.keys()).filter(|n| !n.starts_with('_')) {
            assert!(schema["properties"][name].is_object(), "{}: {name}", service.id);
        }
        assert_eq!(rig.admin("DELETE", &global).go().await.status, 400);
        assert_eq!(rig.send("POST", &format!("{global}?_action=create"), json!({})).await.status, 400);
        let kind = rig.send("POST", &format!("{global}?_action=getType"), json!({})).await.json;
        assert_eq!(kind["name"], service.name);
        if service.realm.is_none() {
            continue;
        }
        let own = format!("{SERVICES}/{}", service.id);
        assert_eq!(rig.get(&own).await.error(), (404, "Not Found"));
        let template = rig.send("POST", &format!("{own}?_action=template"), json!({})).await.json;
        let created = rig.send("POST", &format!("{own}?_action=create"), template).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let again = rig.send("PUT", &own, created.json.clone()).await;
        assert_eq!((again.status, &again.json["_type"]), (200, &created.json["_type"]), "{}", again.text);
        assert_eq!(
            rig.send("PUT", &own, json!({"isAdmin": true})).await.error(),
            (400, "Invalid attribute specified.")
        );
        assert_eq!(rig.admin("DELETE", &own).go().await.status, 200);
    }
}

/// oauth2-config.md §12.11, §13: defaults of the cluster are copied when a realm creates the service, and hold until then.
#[actix_web::test]
async fn realms_take_the_defaults_of_the_cluster_at_creation() {
    let rig = rig().await;
    let global = format!("{GLOBAL}/oauth-oidc");
    let life = |lifetime: u32| json!({"defaults": {"coreOAuth2Config": {"accessTokenLifetime": lifetime}}});
    let put = rig.send("PUT", &global, life(111)).await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert_eq!(
        (&put.json["blacklistCacheSize"], &put.json["jwtTokenUnreasonableLifetime"]),
        (&json!(10_000), &json!(86_400))
    );
    assert_eq!(put.json["defaults"]["deviceCodeConfig"]["deviceCodeLifetime"], 300);
    let alpha = RealmPath::from("/alpha");
    let read = || {
        let own =
            super::effective(&rig.desk, &alpha, super::PROVIDER).number("coreOAuth2Config", "accessTokenLifetime");
        (own, crate::oauth2::provider::Provider::of(&rig.desk, &alpha).access_lifetime)
    };
    assert_eq!(read(), (Some(111), 111), "a realm without the service has what the cluster says");
    rig.send("PUT", PROVIDER, json!({"coreOAuth2Config": {"codeLifetime": 60}})).await;
    rig.send("PUT", &global, life(222)).await;
    assert_eq!(read(), (Some(111), 111), "later changes do not propagate");
    rig.admin("DELETE", PROVIDER).go().await;
    assert_eq!(read(), (Some(222), 222));
    for (body, label) in [
        (json!({"defaults": {"coreOAuth2Config": {"accessTokenLifetime": -1}}}), "Access Token Lifetime (seconds)"),
        (json!({"defaults": []}), "Defaults"),
        (json!({"storageScheme": "SQL"}), "CTS Storage Scheme"),
    ] {
        let refused = rig.send("PUT", &global, body).await;
        assert_eq!(refused.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
    let unknown = rig.send("PUT", &global, json!({"defaults": {"nosuch": 1}})).await;
    assert_eq!(unknown.error(), (400, "Invalid attribute specified."));
    assert_eq!(read(), (Some(222), 222), "and nothing changed");
}

/// What is shown as a default holds: to say it changes nothing, for whoever reads the settings.
#[actix_web::test]
async fn a_default_that_is_said_is_the_one_that_held_before() {
    let rig = rig().await;
    let alpha = RealmPath::from("/alpha");
    let sessions = || (SessionSettings::of(&rig.desk, &alpha), touch_after(&rig.desk, &alpha));
    let authentication = || authn::settings::Settings::of(&rig.desk, &alpha);
    let (of_sessions, of_authentication) = (sessions(), authentication());
    for path in ["services/session", "services/amSessionPropertyWhitelist", "authentication"] {
        let path = format!("/global-config/{path}");
        let shown = rig.get(&path).await.json;
        let written = rig.send("PUT", &path, shown).await;
        assert_eq!(written.status, 200, "{path}: {}", written.text);
    }
    assert_eq!(sessions(), of_sessions);
    let mut said = authentication();
    // Nobody who says nothing is sent anywhere but to where our own console is.
    assert_eq!(std::mem::take(&mut said.postauthprocess.login_success_url), ["/am/console"]);
    assert_eq!(said, of_authentication);
}

/// authn-sessions-realms.md b.6, f.6: the values of the reference; the realm's own before the cluster's.
#[actix_web::test]
async fn what_holds_in_a_realm_is_its_own_then_the_clusters_then_the_default() {
    let rig = rig().await;
    let alpha = RealmPath::from("/alpha");
    let session = || super::effective(&rig.desk, &alpha, "session");
    assert_eq!(
        (session().number("dynamic", "maxSessionTime"), session().number("dynamic", "quotaLimit")),
        (Some(120), Some(5))
    );
    assert_eq!(session().text("quotas", "iplanet-am-session-enable-session-constraint"), Some("OFF"));
    assert_eq!(session().number("general", "latestAccessTimeUpdateFrequency"), Some(60));
    rig.send(
        "PUT",
        &format!("{GLOBAL}/session"),
        json!({"dynamic": {"maxIdleTime": 7}, "search": {"maxSessionListSize": 9}}),
    )
    .await;
    assert_eq!(
        (session().number("dynamic", "maxIdleTime"), session().number("dynamic", "maxSessionTime")),
        (Some(7), Some(120))
    );
    let created = rig.send("PUT", &format!("{SERVICES}/session"), json!({"dynamic": {"maxSessionTime": 10}})).await;
    assert_eq!((created.status, &created.json["dynamic"]["maxIdleTime"]), (201, &json!(7)), "copied: {}", created.text);
    assert_eq!(created.json.get("search"), None);
    assert_eq!(
        (session().number("dynamic", "maxSessionTime"), session().number("search", "maxSessionListSize")),
        (Some(10), Some(9))
    );
    let list = super::effective(&rig.desk, &alpha, "amSessionPropertyWhitelist");
    assert_eq!(list.list("", "sessionPropertyWhitelist"), ["AMCtxId"]);
    let audit = super::effective(&rig.desk, &alpha, "audit");
    assert!(audit.flag("", "auditEnabled"));
    assert_eq!(audit.value("", "nosuch"), None);
    assert_eq!(super::effective(&rig.desk, &alpha, "nosuch").value("", "auditEnabled"), None);
    let secret = json!({"stateless": {"statelessSigningHmacSecret": "c2VjcmV0"}});
    let kept = rig.send("PUT", &format!("{GLOBAL}/session"), secret).await;
    assert!(kept.status == 200 && !kept.text.contains("c2VjcmV0"), "no key comes in over the wire: {}", kept.text);
    for (path, body, label) in [
        ("platform", json!({"cookieDomains": ["a;b"]}), "Cookie Domains"),
        ("session", json!({"dynamic": {"maxIdleTime": 0}}), "Maximum Idle Time"),
        ("validation", json!({"defaults": {"validGotoDestinations": ["a b"]}}), "Valid goto URL Resources"),
    ] {
        let refused = rig.send("PUT", &format!("{GLOBAL}/{path}"), body).await;
        assert_eq!(refused.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
}

/// AD-04: two administrators, one revision, also where nobody wrote before.
#[actix_web::test]
async fn of_two_first_writers_of_a_global_service_one_wins() {
    let rig = rig().await;
    let path = format!("{GLOBAL}/platform");
    let tag = rig.get(&path).await.header("ETag").expect("a tag").to_owned();
    let (a, b) = (json!({"cookieDomains": ["a.example"]}), json!({"cookieDomains": ["b.example"]}));
    let (a, b) = futures_util::join!(
        rig.admin("PUT", &path).header("If-Match", &tag).json(&a),
        rig.admin("PUT", &path).header("If-Match", &tag).json(&b),
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let (a, b) = futures_util::join!(rig.send("PUT", &path, json!({})), rig.send("PUT", &path, json!({})));
    assert_eq!([a.status, b.status], [200, 200], "who names no revision is not bothered");
}

/// Deny by default: services, agents, groups and keys are administrators' business, each of them.
#[actix_web::test]
async fn nobody_else_configures_anything() {
    let rig = rig().await;
    let user = json!({"username": "demo", "userpassword": "correct horse"});
    rig.send("POST", "/realms/root/realms/alpha/users?_action=create", user).await;
    let demo = rig.session(&RealmPath::from("/alpha"), Kind::User, "demo").await;
    rig.send("PUT", "/realms/root/realms/alpha/realm-config/agents/IdentityGateway/ig", json!({})).await;
    let agent = rig.session(&RealmPath::from("/alpha"), Kind::IdentityGateway, "ig").await;
    let of_realm = [
        "/realm-config/services",
        "/realm-config/services/oauth-oidc",
        "/realm-config/services/session",
        "/realm-config/services/amSessionPropertyWhitelist",
        "/realm-config/services/validation",
        "/realm-config/services/audit",
        "/realm-config/services/dashboard",
        "/realm-config/services/baseurl",
        "/realm-config/services/RemoteConsentService",
        "/realm-config/secrets/stores",
        "/realm-config/agents",
        "/realm-config/agents/groups",
        "/realm-config/agents/WebAgent",
        "/realm-config/agents/J2EEAgent",
        "/realm-config/agents/2.2_Agent",
        "/realm-config/agents/OAuth2Client",
        "/realm-config/agents/OAuth2Thing",
        "/realm-config/agents/SharedAgent",
        "/realm-config/agents/SoapSTSAgent",
        "/realm-config/agents/RemoteConsentAgent",
        "/realm-config/agents/SoftwarePublisher",
        "/realm-config/agents/IdentityGateway",
        "/realm-config/agents/IdentityGatewayAgent",
        "/realm-config/agents/TrustedJwtIssuer",
        "/realm-config/agents/groups/WebAgent",
        "/realm-config/agents/groups/J2EEAgent",
        "/realm-config/agents/groups/OAuth2Client",
        "/realm-config/agents/groups/SoapSTSAgent",
        "/realm-config/agents/groups/RemoteConsentAgent",
        "/realm-config/agents/groups/SoftwarePublisher",
        "/realm-config/agents/groups/IdentityGatewayAgent",
        "/realm-config/agents/groups/TrustedJwtIssuer",
    ];
    let of_cluster = [
        "/global-config/services",
        "/global-config/services/oauth-oidc",
        "/global-config/services/session",
        "/global-config/services/amSessionPropertyWhitelist",
        "/global-config/services/validation",
        "/global-config/services/audit",
        "/global-config/services/platform",
        "/global-config/services/dashboard",
        "/global-config/services/baseurl",
        "/global-config/services/RemoteConsentService",
        "/global-config/secrets/stores",
        "/global-config/secrets/stores/KeyStoreSecretStore",
        "/global-config/secrets/stores/KeyStoreSecretStore/default-keystore/mappings",
    ];
    let of_realm = of_realm.map(|path| format!("/realms/root/realms/alpha{path}"));
    for path in of_realm.into_iter().chain(of_cluster.map(str::to_owned)) {
        for (method, tail) in [("GET", "?_queryFilter=true"), ("POST", "?_action=getType"), ("PUT", "")] {
            let path = format!("{path}{tail}");
            let stranger = rig.ask(method, &path).json(&json!({})).await;
            assert_eq!(stranger.error(), (401, "Access Denied"), "{method} {path}");
            for session in [&demo, &agent] {
                let refused = rig.ask(method, &path).session(session).json(&json!({})).await;
                assert_eq!(refused.error(), (403, "The user has insufficient privileges"), "{method} {path}");
            }
        }
        let administrator = rig.send("POST", &format!("{path}?_action=getType"), json!({})).await;
        assert!([200, 501].contains(&administrator.status), "{path}: {}", administrator.text);
    }
}
