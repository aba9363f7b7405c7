//! Evaluation over HTTP: authorization.md §2.6, §6.8 and §11, the walk-throughs that this product is for, and what goes beyond
//! the reference.

use super::{ALPHA, Service, policy, set, with};
use crate::{
    audit::{self, Audit},
    decisions::AT_LEAST_HEADER,
    decisions::Settings,
    rest::{Csrf, Scope, authorization::routes, testing::Reply},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const MAX: i64 = i64::MAX;

fn jwt(payload: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(payload))
}

impl Service {
    async fn evaluate(&self, body: &Value) -> Reply {
        self.send("POST", "policies?_action=evaluate", body).await
    }

    /// The rows, which there must be.
    async fn rows(&self, body: &Value) -> Vec<Value> {
        let reply = self.evaluate(body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json.as_array().expect("rows").clone()
    }

    /// The actions of the only row.
    async fn actions(&self, body: &Value) -> Value {
        let rows = self.rows(body).await;
        assert_eq!(rows.len(), 1);
        rows[0]["actions"].clone()
    }
}

fn claims(subject: &str) -> Value {
    json!({"claims": {"sub": "x", "subject": subject}})
}

fn ask(resources: &[&str], subject: &Value) -> Value {
    json!({"resources": resources, "application": "w", "subject": subject})
}

/// §2.6.1 to §2.6.3.
#[actix_web::test]
async fn evaluation_as_in_2_6() {
    let service = Service::with_w().await;
    service
        .policy(&with(
            policy("r"),
            "resourceAttributes",
            json!([{"type": "Static", "propertyName": "tier", "propertyValues": ["gold"]}]),
        ))
        .await;
    let rows = service.rows(&ask(&["api://w/z", "api://w/r", "API://W//R", "api://w/r"], &claims("c1"))).await;
    // Distinct, in the order asked, echoed as sent; what nothing matches is empty.
    assert_eq!(
        rows,
        [
            json!({"resource": "api://w/z", "actions": {}, "attributes": {}, "advices": {}, "ttl": MAX}),
            json!({"resource": "api://w/r", "actions": {"GRANT": true}, "attributes": {"tier": ["gold"]}, "advices": {}, "ttl": MAX}),
            json!({"resource": "API://W//R", "actions": {"GRANT": true}, "attributes": {"tier": ["gold"]}, "advices": {}, "ttl": MAX}),
        ]
    );
    let reply = service.evaluate(&ask(&["api://w/r"], &claims("c1"))).await;
    assert!(reply.text.contains("\"ttl\":9223372036854775807"), "{}", reply.text);
    // The set's letter case does not count; unknown members are ignored; a bare string is an array of one.
    let loose = json!({"resources": ["api://w/r"], "application": "W", "actions": ["GRANT"], "subject": claims("c1"),
        "environment": {"region": "eu"}});
    assert_eq!(service.actions(&loose).await, json!({"GRANT": true}));
    // Without `application`: the default set, which has nothing here.
    let default = with(ask(&["api://w/r"], &claims("c1")), "application", Value::Null);
    assert_eq!(service.actions(&default).await, json!({}));
    // 2.6.2: a JWT is decoded, whatever its signature and dates; it is preferred to claims.
    let token = jwt(&json!({"sub": "x", "subject": "c1", "exp": 1}));
    assert_eq!(service.actions(&ask(&["api://w/r"], &json!({"jwt": token}))).await, json!({"GRANT": true}));
    let both = json!({"jwt": token, "claims": {"sub": "x", "subject": "other"}});
    assert_eq!(service.actions(&ask(&["api://w/r"], &both)).await, json!({"GRANT": true}));
    // `_fields`, and rows of version 1.0 (§2.4.9).
    let path = "policies?_action=evaluate&_fields=resource,actions/GRANT";
    let reply = service.send("POST", path, &ask(&["api://w/r"], &claims("c1"))).await;
    assert_eq!(reply.json, json!([{"resource": "api://w/r", "GRANT": true}]));
    let v1 = service
        .versioned("resource=1.0", "POST", "policies?_action=evaluate", &ask(&["api://w/r"], &claims("c1")))
        .await;
    assert_eq!((v1.status, v1.json[0].get("ttl")), (200, None));
}

/// §2.6.4, row by row; PD-13.
#[actix_web::test]
async fn evaluation_errors_as_in_2_6_4() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let subject = || claims("c1");
    let unknown = "Unable to retrieve application under realm /alpha.";
    for (body, status, message) in [
        (json!({"application": "w"}), 400, "Invalid value resources"),
        (json!({"resources": "api://w/r"}), 400, "Invalid value resources"),
        (json!({"resources": []}), 400, "Invalid value resources"),
        (json!({"resources": [1]}), 400, "Invalid value resources"),
        (with(ask(&["x"], &subject()), "application", json!("nope")), 404, unknown),
        (ask(&["x"], &json!({"ssoToken": "AQIC5w"})), 400, "Invalid value subject"),
        (ask(&["x"], &json!({"jwt": "a.b.c"})), 400, "Invalid value subject"),
        (ask(&["x"], &json!({"claims": {"subject": "c1"}})), 400, "Invalid value subject"),
        (ask(&["x"], &json!({"claims": {"sub": 1}})), 400, "Invalid value subject"),
        (ask(&["x"], &json!("mona")), 400, "Invalid value subject"),
        (ask(&["x"], &json!({})), 400, "Invalid value subject"),
        (with(ask(&["x"], &subject()), "environment", json!({"a": 1})), 400, "Invalid value environment"),
        (ask(&["http://h:80x/"], &subject()), 400, "Invalid port 80x"),
        (ask(&["api://w/*/-*-"], &subject()), 400, "Same rule cannot have both types of wildcards."),
    ] {
        assert_eq!(service.evaluate(&body).await.error(), (status, message), "{body}");
    }
    for body in [json!({}), json!({"resource": ""}), json!({"resource": ["x"]})] {
        let reply = service.send("POST", "policies?_action=evaluateTree", &body).await;
        assert_eq!(reply.error(), (400, "Invalid value resource"), "{body}");
    }
    // A session that ended is none; one good member does not save a bad one.
    let user = service.user("mona").await;
    let ended = json!({"ssoToken": user});
    assert_eq!(service.evaluate(&ask(&["api://w/r"], &ended)).await.status, 200);
    let two = json!({"ssoToken": "no such", "claims": {"sub": "x", "subject": "c1"}});
    assert_eq!(service.evaluate(&ask(&["api://w/r"], &two)).await.error(), (400, "Invalid value subject"));
    service.rig.alone.later.store(48 * 3600 * 1000, std::sync::atomic::Ordering::Relaxed);
    service.rig.desk.propose(quorate_raft::Command::Tick).await.expect("decided");
    let admin = service.rig.session(&quorate_raft::RealmPath::root(), quorate_raft::Kind::User, "amadmin").await;
    let late =
        service.session_as(Some(&admin), "POST", "policies?_action=evaluate", &ask(&["api://w/r"], &ended)).await;
    assert_eq!(late.error(), (400, "Invalid value subject"));
}

/// §3.1 to §3.6 as far as sessions are concerned; §4: what conditions learn from the session store.
#[actix_web::test]
async fn sessions_and_their_facts() {
    let service = Service::with_w().await;
    let mona = service.user("mona").await;
    let anyone = |name: &str| with(policy(name), "subject", json!({"type": "AuthenticatedUsers"}));
    let token = json!({"ssoToken": mona});
    service.policy(&anyone("any")).await;
    let identity = json!({"type": "Identity", "subjectValues": ["ID=mona, ou=user,O=alpha, ou=services,ou=am-config"]});
    service.policy(&with(policy("her"), "subject", identity)).await;
    let profile = json!([{"type": "User", "propertyName": "mail", "propertyValues": []},
        {"type": "User", "propertyName": "userpassword", "propertyValues": []}]);
    service.policy(&with(anyone("mail"), "resourceAttributes", profile)).await;
    for (name, condition) in [
        ("level", json!({"type": "AuthLevel", "authLevel": 0})),
        ("realm", json!({"type": "AuthenticateToRealm", "authenticateToRealm": "/alpha"})),
        ("short", json!({"type": "Session", "maxSessionTime": 5, "terminateSession": false})),
    ] {
        service.policy(&with(anyone(name), "condition", condition)).await;
    }
    let granted = json!({"GRANT": true});
    for name in ["any", "her", "mail", "level", "realm", "short"] {
        let resource = format!("api://w/{name}");
        assert_eq!(service.actions(&ask(&[&resource], &token)).await, granted, "{name}");
        // Claims are nobody's session (trap 3); the condition "Session" does not matter then, its subject does.
        assert_eq!(service.actions(&ask(&[&resource], &claims("c1"))).await, json!({}), "{name}");
    }
    let rows = service.rows(&ask(&["api://w/mail"], &token)).await;
    assert_eq!(rows[0]["attributes"], json!({"mail": ["mona@example.com"]}), "no secret is promised");
    // §6.4: who has no profile is promised nothing, and granted nothing.
    let promised = with(
        policy("promise"),
        "resourceAttributes",
        json!([{"type": "User", "propertyName": "mail", "propertyValues": []}]),
    );
    service.policy(&promised).await;
    assert_eq!(service.actions(&ask(&["api://w/promise"], &claims("c1"))).await, json!({}));
    // §4.2: too low a level gives advice, which leaves no action standing.
    service.policy(&with(anyone("high"), "condition", json!({"type": "AuthLevel", "authLevel": 99}))).await;
    let rows = service.rows(&ask(&["api://w/high"], &token)).await;
    assert_eq!((&rows[0]["actions"], &rows[0]["advices"]), (&json!({}), &json!({"AuthLevelConditionAdvice": ["99"]})));
    // §2.6.1: without a subject, the caller; trap 20.
    let caller = with(ask(&["api://w/any"], &Value::Null), "subject", Value::Null);
    assert_eq!(service.actions(&caller).await, granted);
    // `$SELF` in a policy's resource.
    service.policy(&with(anyone("self"), "resources", json!(["api://w/u/$SELF/*"]))).await;
    assert_eq!(service.actions(&ask(&["api://w/u/mona/x"], &token)).await, granted);
    assert_eq!(service.actions(&ask(&["api://w/u/paul/x"], &token)).await, json!({}));
}

/// §4.7: whence the subject speaks, when the request does not say so: the caller now, anybody else when the session began.
#[actix_web::test]
async fn addresses_come_from_the_connection() {
    let service = Service::with_w().await;
    service.user("mona").await;
    let near = json!({"type": "IPv4", "startIp": "198.51.100.1", "endIp": "198.51.100.9"});
    let anyone = with(policy("r"), "subject", json!({"type": "AuthenticatedUsers"}));
    service.policy(&with(anyone, "condition", near)).await;
    let table = || routes(crate::rest::routes());
    let (near, far) = ("198.51.100.5", "203.0.113.5");
    let own = with(ask(&["api://w/r"], &Value::Null), "subject", Value::Null);
    for (address, actions) in
        [(near, json!({"GRANT": true})), (far, json!({})), ("::ffff:198.51.100.5", json!({"GRANT": true}))]
    {
        let request = service.rig.admin("POST", &format!("{ALPHA}/policies?_action=evaluate"));
        let rows = request.at(table()).from(address).json(&own).await.json;
        assert_eq!(rows[0]["actions"], actions, "{address}");
        // A header that anybody could send is not believed; what the caller says in the environment is.
        let request = service.rig.admin("POST", &format!("{ALPHA}/policies?_action=evaluate"));
        let forwarded = request.at(table()).from(far).header("X-Forwarded-For", address).json(&own).await.json;
        assert_eq!(forwarded[0]["actions"], json!({}), "{address}");
    }
    let told = with(own, "environment", json!({"requestIp": [near]}));
    assert_eq!(service.actions(&told).await, json!({"GRANT": true}));
    for (address, actions) in [(near, json!({"GRANT": true})), (far, json!({}))] {
        let with_login = table().plain(Scope::Realm, "authenticate", Csrf::Checked, crate::rest::authenticate::handle);
        let login = service.rig.ask("POST", &format!("{ALPHA}/authenticate")).at(with_login).from(address);
        let login = login.header("X-OpenAM-Username", "mona").header("X-OpenAM-Password", "correct horse");
        let login = login.header("Accept-API-Version", "resource=2.1").go().await;
        let subject = json!({"ssoToken": login.json["tokenId"]});
        assert_eq!(service.actions(&ask(&["api://w/r"], &subject)).await, actions, "{address}: {}", login.text);
    }
}

/// §6.5, worked examples; §6.6.
#[actix_web::test]
async fn merging_as_in_6_5() {
    let service = Service::with_w().await;
    service.policy(&with(policy("r"), "actionValues", json!({"GRANT": true, "AUDIT": true}))).await;
    let granted = json!({"GRANT": true, "AUDIT": true});
    let second = |name: &str, member: &str, value: Value| with(with(policy("r"), "name", json!(name)), member, value);
    let body = ask(&["api://w/r"], &claims("c1"));
    service.policy(&second("p2", "actionValues", json!({"AUDIT": false}))).await;
    assert_eq!(service.actions(&body).await, json!({"GRANT": true, "AUDIT": false}));
    let other = json!({"type": "JwtClaim", "claimName": "subject", "claimValue": "c2"});
    assert_eq!(service.send("PUT", "policies/p2", &second("p2", "subject", other)).await.status, 200);
    assert_eq!(service.actions(&body).await, granted, "not a veto");
    let past = json!({"type": "SimpleTime", "startDate": "2001:01:01", "endDate": "2001:01:02"});
    assert_eq!(service.send("PUT", "policies/p2", &second("p2", "condition", past)).await.status, 200);
    assert_eq!(service.actions(&body).await, granted, "a failed condition without advice is no veto");
    // A policy of another set has no say, whatever its condition advises (§6.3).
    assert_eq!(service.send("POST", "applications?_action=create", &set("v", &["W"])).await.status, 201);
    let elsewhere =
        with(second("p3", "condition", json!({"type": "AuthLevel", "authLevel": 9})), "applicationName", json!("v"));
    service.policy(&elsewhere).await;
    assert_eq!(service.actions(&body).await, granted);
    assert_eq!(
        service
            .send(
                "PUT",
                "policies/p2",
                &with(second("p2", "active", json!(false)), "actionValues", json!({"GRANT": false}))
            )
            .await
            .status,
        200
    );
    assert_eq!(service.actions(&body).await, granted, "inactive");
}

/// §6.8, the example of the reference.
#[actix_web::test]
async fn trees_as_in_6_8() {
    let service = Service::new().await;
    let page = |name: &str, resource: &str, actions: Value| {
        json!({"name": name, "resources": [resource], "resourceTypeUuid": super::URL, "actionValues": actions,
            "subject": {"type": "NOT", "subject": {"type": "NONE"}}})
    };
    service.policy(&page("A", "https://docs.acme.test/*", json!({"GET": true}))).await;
    service.policy(&page("B", "https://docs.acme.test/hr/*", json!({"GET": false}))).await;
    service.policy(&page("C", "https://docs.acme.test/", json!({"GET": true, "POST": false}))).await;
    let reply = service
        .send(
            "POST",
            "policies?_action=evaluateTree",
            &json!({"resource": "https://docs.acme.test/", "subject": claims("c")}),
        )
        .await;
    let row = |resource: &str, actions: Value| json!({"resource": resource, "actions": actions, "attributes": {}, "advices": {}, "ttl": MAX});
    assert_eq!(
        reply.json,
        json!([
            row("https://docs.acme.test/", json!({"GET": true, "POST": false})),
            row("https://docs.acme.test:443/*", json!({"GET": true})),
            row("https://docs.acme.test:443/hr/*", json!({"GET": false, "POST": false})),
        ])
    );
    let v1 = json!({"resource": "https://docs.acme.test/", "subject": claims("c")});
    let v1 = service.versioned("resource=1.0", "POST", "policies?_action=evaluateTree", &v1).await;
    assert_eq!((v1.status, v1.json[0].get("ttl")), (200, None));
    let unknown = json!({"resource": "x", "application": "nope"});
    assert_eq!(service.send("POST", "policies?_action=evaluateTree", &unknown).await.status, 404);
}

/// §11 as far as it is about evaluation: rows 11 to 21, 24.
#[actix_web::test]
async fn acceptance_as_in_11() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let mona = service.user("mona").await;
    let body = |subject: Value| ask(&["api://w/r"], &subject);
    // 11
    let rows = service.rows(&ask(&["api://w/r", "api://w/z"], &claims("c1"))).await;
    assert_eq!((&rows[0]["actions"], &rows[1]["actions"]), (&json!({"GRANT": true}), &json!({})));
    // 12
    assert_eq!(
        service.evaluate(&body(json!({"claims": {"subject": "c1"}}))).await.error(),
        (400, "Invalid value subject")
    );
    // 13
    assert_eq!(
        service.actions(&body(json!({"claims": {"sub": "x", "subject": ["c0", "c1"]}}))).await,
        json!({"GRANT": true})
    );
    // 14
    assert_eq!(service.actions(&body(json!({"ssoToken": mona}))).await, json!({}));
    // 15
    let denies = with(with(policy("r"), "name", json!("denies")), "actionValues", json!({"GRANT": false}));
    service.policy(&denies).await;
    assert_eq!(service.actions(&body(claims("c1"))).await, json!({"GRANT": false}));
    assert_eq!(service.send("DELETE", "policies/denies", &Value::Null).await.status, 200);
    // 16
    let steps_up = with(
        with(with(policy("r"), "name", json!("up")), "subject", json!({"type": "AuthenticatedUsers"})),
        "condition",
        json!({"type": "AuthLevel", "authLevel": 99}),
    );
    service.policy(&steps_up).await;
    let two = json!({"ssoToken": mona, "claims": {"sub": "x", "subject": "c1"}});
    let rows = service.rows(&body(two)).await;
    assert_eq!((&rows[0]["actions"], &rows[0]["advices"]), (&json!({}), &json!({"AuthLevelConditionAdvice": ["99"]})));
    assert_eq!(service.send("DELETE", "policies/up", &Value::Null).await.status, 200);
    // 17
    let until = json!({"type": "SimpleTime", "startTime": "00:00", "endTime": "18:00", "enforcementTimeZone": "UTC"});
    assert_eq!(service.send("PUT", "policies/r", &with(policy("r"), "condition", until)).await.status, 200);
    let at_17 = json!({"requestTime": ["1716310800000"]}); // 2024-05-21T17:00:00Z
    let rows = service.rows(&with(body(claims("c1")), "environment", at_17)).await;
    assert_eq!((&rows[0]["actions"], &rows[0]["ttl"]), (&json!({"GRANT": true}), &json!(1_716_314_400_000_i64)));
    // 18
    assert_eq!(service.send("PUT", "policies/r", &with(policy("r"), "active", json!(false))).await.status, 200);
    assert_eq!(service.actions(&body(claims("c1"))).await, json!({}));
    // 19, 20
    assert_eq!(service.evaluate(&with(body(claims("c1")), "application", json!("nope"))).await.status, 404);
    assert_eq!(service.evaluate(&json!({"resources": []})).await.error(), (400, "Invalid value resources"));
}

/// The walk-through of API-to-API communication, set up as it says: resource type, policy set named like the provider, a
/// policy for the consumer's scope, and the question that its script asks, with the session of a gateway agent.
#[actix_web::test]
async fn the_api_to_api_walk_through() {
    let service = Service::new().await;
    let gateway = service.agent("policy-gateway").await;
    let provider = "scopeDrivenAPI2Client";
    let of_type =
        json!({"uuid": "T", "name": provider, "patterns": [format!("api://{provider}/*")], "actions": {"GRANT": true}});
    assert_eq!(service.send("POST", "resourcetypes?_action=create", &of_type).await.status, 201);
    assert_eq!(service.send("POST", "applications?_action=create", &set(provider, &["T"])).await.status, 201);
    let subject = |value: &str| json!({"type": "JwtClaim", "claimName": "subject", "claimValue": value});
    let user = "3f0c6c1e-77aa-4b44-9b0c-1d7f2f6f2f10";
    service
        .policy(&json!({
            "name": "read", "active": true, "applicationName": provider, "resourceTypeUuid": "T",
            "resources": [format!("api://{provider}/read")], "actionValues": {"GRANT": true},
            "subject": {"type": "OR", "subjects": [subject("scopeDrivenAPI1Client"), subject(user)]},
        }))
        .await;
    let body = |application: &str, subject: &str| {
        json!({
            "resources": [format!("api://{provider}/read"), format!("api://{provider}/write")],
            "application": application,
            "subject": {"claims": {"sub": "id=policy-gateway,ou=agent,o=alpha,ou=services,ou=am-config",
                "subject": subject, "client": "scopeDrivenAPI1Client"}},
        })
    };
    let ask = |body: Value| {
        let request = service.rig.ask("POST", &format!("{ALPHA}/policies?_action=evaluate"));
        let request = request.header("Accept-API-Version", "resource=2.0, protocol=1.0").session(&gateway);
        async move { request.at(routes(crate::rest::routes())).json(&body).await }
    };
    // The client for itself, and the user of the second walk-through.
    for who in ["scopeDrivenAPI1Client", user] {
        let reply = ask(body(provider, who)).await;
        assert_eq!(reply.json[0]["resource"], json!(format!("api://{provider}/read")));
        assert_eq!((&reply.json[0]["actions"], &reply.json[1]["actions"]), (&json!({"GRANT": true}), &json!({})));
    }
    assert_eq!(ask(body(provider, "somebody else")).await.json[0]["actions"], json!({}));
    assert_eq!(ask(body("not onboarded", user)).await.status, 404);
}

/// The delegation policy: the resource `delegate-scope`, whoever's token has the right issuer, and response attributes that
/// tell the token exchange what to issue.
#[actix_web::test]
async fn the_delegation_policy() {
    let service = Service::new().await;
    let scopes = "d60b7a71-1dc6-44a5-8e48-e4b9d92dee8b";
    assert_eq!(
        service.send("POST", "applications?_action=create", &set("resource_policies", &[scopes])).await.status,
        201
    );
    let attribute =
        |name: &str, values: &[&str]| json!({"type": "Static", "propertyName": name, "propertyValues": values});
    service
        .policy(&json!({
            "name": "delegate", "applicationName": "resource_policies", "resourceTypeUuid": scopes,
            "resources": ["delegate-scope"], "actionValues": {"GRANT": true},
            "subject": {"type": "JwtClaim", "claimName": "iss", "claimValue": "http://localhost:8080/openam/oauth2"},
            "resourceAttributes": [
                attribute("aud", &["service.example"]),
                attribute("scp", &["read", "write"]),
                attribute("allowedActors", &["Bob", "HelpDeskAdministrator", "James"]),
            ],
        }))
        .await;
    let alice = |issuer: &str| {
        jwt(
            &json!({"sub": "user.0", "iss": issuer, "aud": "myuserclient1", "may_act": {"sub": "Bob"}, "exp": 1_523_062_316}),
        )
    };
    let body = |token: &str| json!({"subject": {"jwt": token}, "application": "resource_policies", "resources": ["delegate-scope"]});
    let rows = service.rows(&body(&alice("http://localhost:8080/openam/oauth2"))).await;
    let sorted = |name: &str| {
        let mut values: Vec<&str> = rows[0]["attributes"][name]
            .as_array()
            .expect("values")
            .iter()
            .map(|value| value.as_str().expect("text"))
            .collect();
        values.sort_unstable();
        values
    };
    assert_eq!(rows[0]["resource"], "delegate-scope");
    assert_eq!((&rows[0]["actions"], &rows[0]["ttl"]), (&json!({"GRANT": true}), &json!(MAX)));
    assert_eq!((sorted("aud"), sorted("scp")), (vec!["service.example"], vec!["read", "write"]));
    assert_eq!(sorted("allowedActors"), ["Bob", "HelpDeskAdministrator", "James"]);
    let rows = service.rows(&body(&alice("http://evil.example/oauth2"))).await;
    assert_eq!((&rows[0]["actions"], &rows[0]["attributes"]), (&json!({}), &json!({})));
}

/// Extension: why.
#[actix_web::test]
async fn explanations_name_the_reasons() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let explained = |subject: Value| {
        let service = &service;
        async move { service.send("POST", "policies?_action=explain", &ask(&["api://w/r"], &subject)).await.json[0].clone() }
    };
    let row = explained(claims("c1")).await;
    assert_eq!((&row["actions"], &row["deciding"]), (&json!({"GRANT": true}), &json!({"GRANT": ["r"]})));
    assert_eq!((&row["policies"][0]["policy"], &row["policies"][0]["verdict"]), (&json!("r"), &json!("applies")));
    let row = explained(claims("c2")).await;
    assert_eq!((&row["actions"], &row["policies"][0]["verdict"]), (&json!({}), &json!("subjectDiffers")), "{row}");
    let compared = &row["policies"][0]["subject"]["compared"][0];
    assert_eq!(
        (&compared["of"], &compared["wanted"], &compared["found"]),
        (&json!("claims.subject"), &json!("c1"), &json!("c2"))
    );
    assert!(row["policies"][0]["wouldHaveToDiffer"].is_object(), "{row}");
    for body in [json!({}), with(ask(&["x"], &claims("c1")), "application", json!("nope"))] {
        assert!([400, 404].contains(&service.send("POST", "policies?_action=explain", &body).await.status));
    }
}

/// Extension: a change can be tried before it is saved, and nothing is written (PD-14).
#[actix_web::test]
async fn what_if_decides_over_the_body() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let question = || ask(&["api://w/r", "api://w/s"], &claims("c1"));
    let tried = |body: Value| {
        let service = &service;
        async move {
            let reply = service.send("POST", "policies?_action=whatif", &body).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            (reply.json[0]["actions"].clone(), reply.json[1]["actions"].clone())
        }
    };
    let (yes, no, nothing) = (json!({"GRANT": true}), json!({"GRANT": false}), json!({}));
    // Only what is in the body counts, unless what is stored is to be kept.
    let s = with(policy("s"), "applicationName", Value::Null);
    assert_eq!(tried(with(question(), "policies", json!([s]))).await, (nothing.clone(), yes.clone()));
    let kept = with(with(question(), "policies", json!([s])), "keepStored", json!(true));
    assert_eq!(tried(kept).await, (yes.clone(), yes.clone()));
    let replaced = with(policy("r"), "actionValues", no.clone());
    let kept = with(with(question(), "policies", json!([replaced])), "keepStored", json!(true));
    assert_eq!(tried(kept).await, (no, nothing.clone()));
    // A set and a type that are not stored at all.
    let new = json!({"resources": ["x://1"], "application": "new", "subject": claims("c1"),
        "resourceTypes": [{"uuid": "N", "name": "N", "patterns": ["x://*"], "actions": {"GRANT": true}}],
        "policySet": {"applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["N"]},
        "policies": [{"name": "p", "resourceTypeUuid": "N", "resources": ["x://*"], "actionValues": {"GRANT": true},
            "subject": {"type": "JwtClaim", "claimName": "subject", "claimValue": "c1"}}]});
    assert_eq!(tried(new.clone()).await.0, yes);
    let explained = service.send("POST", "policies?_action=whatif", &with(new, "explain", json!(true))).await;
    assert_eq!(explained.json[0]["deciding"], json!({"GRANT": ["p"]}));
    for path in ["applications/new", "resourcetypes/N", "policies/p", "policies/s"] {
        assert_eq!(service.get(path).await.status, 404, "{path}");
    }
    assert_eq!(service.get("policies/r").await.json["actionValues"], yes);
    // What could not be saved cannot be tried.
    let foreign = "Invalid value api://depot/x for property resources";
    for (body, status, message) in [
        (with(question(), "policies", json!([with(policy("s"), "resources", json!(["api://depot/x"]))])), 400, foreign),
        (with(question(), "policies", json!({})), 400, "Invalid value policies"),
        (with(question(), "keepStored", json!(1)), 400, "Invalid value keepStored"),
        (with(question(), "application", json!("nope")), 404, "Unable to retrieve application under realm /alpha."),
        (
            with(question(), "policies", json!([with(policy("s"), "applicationName", json!("other"))])),
            400,
            "Unable to retrieve application under realm /alpha.",
        ),
    ] {
        assert_eq!(service.send("POST", "policies?_action=whatif", &body).await.error(), (status, message), "{body}");
    }
}

/// G2, PD-06: a decision reflects what was written before it, and can be asked to be no older than a write.
#[actix_web::test]
async fn decisions_are_as_new_as_asked() {
    let service = Service::with_w().await;
    let body = ask(&["api://w/r"], &claims("c1"));
    let written = service.send("PUT", "policies/r", &policy("r")).await;
    let revision = written.header(crate::crest::REVISION_HEADER).expect("a revision").to_owned();
    let asked = |revision: &str| {
        let request = service.rig.admin("POST", &format!("{ALPHA}/policies?_action=evaluate"));
        let request = request.at(routes(crate::rest::routes())).header(AT_LEAST_HEADER, revision);
        let body = body.clone();
        async move { request.json(&body).await }
    };
    assert_eq!(asked(&revision).await.json[0]["actions"], json!({"GRANT": true}));
    let deleted = service.send("DELETE", "policies/r", &Value::Null).await;
    let later = deleted.header(crate::crest::REVISION_HEADER).expect("a revision").to_owned();
    assert_eq!(asked(&later).await.json[0]["actions"], json!({}));
    let far = (u64::MAX >> 1).to_string();
    let message = format!("Revision {far} has not been reached");
    assert_eq!(asked(&far).await.error(), (412, message.as_str()));
    for wrong in ["", "x", "-1", "1.5"] {
        let message = "Invalid value for header X-Quorate-At-Least";
        assert_eq!(asked(wrong).await.error(), (400, message), "{wrong:?}");
    }
    // G7: without quorum there is no decision at all.
    service.rig.alone.cut_off.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(asked(&later).await.status, 503);
}

/// Every decision is one event; its subject cannot be read off it.
#[actix_web::test]
async fn decisions_are_recorded() {
    let (told, heard) = std::sync::mpsc::channel();
    let record = Audit::to(audit::Settings::default(), move |event| drop(told.send(event))).expect("a thread");
    let service = Service::recorded(record).await;
    service.policy(&policy("r")).await;
    let denied = with(with(policy("r"), "name", json!("s")), "subject", json!({"type": "AuthenticatedUsers"}));
    service.policy(&denied).await;
    assert_eq!(service.rows(&ask(&["api://w/r", "api://w/z"], &claims("c1"))).await.len(), 2);
    let first = heard.recv().expect("an event");
    assert_eq!((first.realm.as_str(), first.set.as_str(), first.resource.as_str()), ("/alpha", "w", "api://w/r"));
    assert_eq!((first.purpose.name(), json!(first.actions)), ("evaluate", json!({"GRANT": true})));
    // `s` speaks about the resource, but to nobody who is known by claims alone; the index cannot tell that.
    assert_eq!((first.policy_names(), first.subject().len()), (vec!["r", "s"], 22));
    let second = heard.recv().expect("an event");
    assert_eq!((second.resource.as_str(), json!(second.actions)), ("api://w/z", json!({})));
    assert_eq!((second.subject(), second.version), (first.subject(), first.version));
    // A dry run says that it is one.
    service.send("POST", "policies?_action=whatif", &ask(&["api://w/r"], &json!({"claims": {"sub": "y"}}))).await;
    let dry = heard.recv().expect("an event");
    assert_eq!(dry.purpose.name(), "whatif");
    assert_ne!((dry.subject(), dry.version), (first.subject(), first.version));
    // What was refused is no decision.
    service.evaluate(&json!({"resources": []})).await;
    service
        .send(
            "POST",
            "policies?_action=evaluateTree",
            &json!({"resource": "api://w/r", "application": "w", "subject": claims("c1")}),
        )
        .await;
    let tree = heard.recv().expect("an event");
    assert_eq!((tree.purpose.name(), tree.version), ("evaluateTree", first.version));
    // PD-07: after a change it is another version that decides.
    assert_eq!(service.send("DELETE", "policies/s", &Value::Null).await.status, 200);
    assert_eq!(service.rows(&ask(&["api://w/r"], &claims("c1"))).await.len(), 1);
    let last = heard.recv().expect("an event");
    assert_eq!(last.policy_names(), ["r"]);
    assert_ne!(last.version, first.version);
    assert!(service.rig.desk.audit().settle(std::time::Duration::from_secs(10)));
    assert!(heard.try_recv().is_err());
}

/// PD-04, PD-11, AZ-18: what is sent to hurt is refused or answered soon; nothing is granted by it.
#[actix_web::test]
async fn hostile_questions() {
    let service = Service::with_w().await;
    service.policy(&policy("r")).await;
    let many: Vec<String> = (0..10_001).map(|n| format!("api://w/{n}")).collect();
    let body = json!({"resources": many, "application": "w", "subject": claims("c1")});
    assert_eq!(service.evaluate(&body).await.error(), (400, "Invalid value resources"));
    let stars = "*a".repeat(2000);
    let wild = with(policy("wild"), "resources", json!([format!("api://w/{stars}")]));
    let stored = service.send("POST", "policies?_action=create", &wild).await;
    assert!([201, 400].contains(&stored.status), "{}", stored.text);
    let long = format!("api://w/{}", "a".repeat(100_000));
    let reply = service.evaluate(&ask(&[&long], &claims("c1"))).await;
    assert!(reply.status == 400 || reply.json[0]["actions"] == json!({}), "{}", reply.status);
    let mut deep = json!({"type": "NONE"});
    for _ in 0..40 {
        deep = json!({"type": "NOT", "subject": deep});
    }
    assert_eq!(service.send("PUT", "policies/deep", &with(policy("deep"), "subject", deep)).await.status, 400);
    for resource in
        ["api://w/r/..", "api://w/%72", "api://w/r%00", "api://w/r?", "api://w/r#", "api://w./r", "api://w/r/"]
    {
        assert_eq!(service.actions(&ask(&[resource], &claims("c1"))).await, json!({}), "{resource}");
    }
    for raw in ["[]", "{\"resources\":[\"a\"],\"resources\":[\"b\"]}", "{\"resources\":[\"\\u0000\"]}"] {
        let request = service.rig.admin("POST", &format!("{ALPHA}/policies?_action=evaluate"));
        let reply = request.at(routes(crate::rest::routes())).raw("application/json", raw).await;
        assert_eq!(reply.status, 400, "{raw}");
    }
    // A filter that others backtrack over for ages.
    let slow = "applications?_queryFilter=name+eq+%22((a%2B)%2B)%2B$%22";
    assert!([200, 400].contains(&service.get(slow).await.status));
    assert_eq!(service.get("applications?_queryFilter=name+eq+%22(%22").await.status, 400);
    assert_eq!(service.actions(&ask(&["api://w/r"], &claims("c1"))).await, json!({"GRANT": true}), "still alive");
}

/// §6.4, strict: a policy that cannot be evaluated spoils the decision instead of keeping out of it; trying out still tells
/// which one it is.
#[actix_web::test]
async fn strict_decisions_have_no_faults() {
    let fault = || with(policy("level"), "condition", json!({"type": "AuthLevel", "authLevel": 1}));
    let fault = || with(fault(), "resources", json!(["api://w/r"]));
    for (strict, status) in [(false, 200), (true, 500)] {
        let service = Service::ruled(&Settings { strict, ..Settings::default() }).await;
        service.policy(&policy("r")).await;
        assert_eq!(service.evaluate(&ask(&["api://w/r"], &claims("c1"))).await.status, 200, "no fault");
        service.policy(&fault()).await;
        // No session: the level cannot be known (§4.0).
        let reply = service.evaluate(&ask(&["api://w/r"], &claims("c1"))).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        let body = json!({"resource": "api://w/r", "application": "w", "subject": claims("c1")});
        assert_eq!(service.send("POST", "policies?_action=evaluateTree", &body).await.status, status);
        match strict {
            true => assert_eq!(reply.error(), (500, "Internal error.")),
            false => assert_eq!(reply.json[0]["actions"], json!({"GRANT": true})),
        }
        let told = service.send("POST", "policies?_action=explain", &ask(&["api://w/r"], &claims("c1"))).await;
        let verdicts: Vec<&Value> =
            told.json[0]["policies"].as_array().expect("policies").iter().map(|p| &p["verdict"]).collect();
        assert_eq!(verdicts, ["fault", "applies"], "{}", told.text);
        // Who is not asked cannot spoil anything.
        assert_eq!(service.evaluate(&ask(&["api://w/r"], &claims("nobody"))).await.status, 200);
    }
}

/// PD-14: dry runs are bounded per caller, decisions are not.
#[actix_web::test]
async fn dry_runs_are_bounded() {
    let service = Service::ruled(&Settings { dry_runs_per_minute: 3, ..Settings::default() }).await;
    service.policy(&policy("r")).await;
    let body = ask(&["api://w/r"], &claims("c1"));
    let user = service.user("mona").await;
    for action in ["explain", "whatif", "explain"] {
        assert_eq!(service.send("POST", &format!("policies?_action={action}"), &body).await.status, 200);
        // Who may not do it at all uses nothing up.
        let path = format!("policies?_action={action}");
        assert_eq!(service.session_as(Some(&user), "POST", &path, &body).await.status, 403);
    }
    for action in ["explain", "whatif"] {
        let reply = service.send("POST", &format!("policies?_action={action}"), &body).await;
        assert_eq!(reply.error(), (429, "Too many requests"));
        let wait: u64 = reply.header("retry-after").expect("when").parse().expect("seconds");
        assert!((1..=20).contains(&wait), "{wait}");
    }
    assert_eq!(service.evaluate(&body).await.status, 200);
}
