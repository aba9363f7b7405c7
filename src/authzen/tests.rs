//! The rules of the specification, over HTTP.

use super::*;
use crate::{
    oauth2,
    rest::{
        authorization::{self, routes},
        testing::Rig,
    },
};
use actix_web::{App, body::MessageBody, dev::Service, http::header::HeaderMap, test};
use quorate_raft::Kind;

pub(crate) struct Answer {
    pub status: u16,
    headers: HeaderMap,
    text: String,
    pub json: Value,
}

/// Realm `alpha` with policy set `docs`: whoever works in sales may read everything, mona may write one thing.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.realm("alpha").await;
    let send = |path: &'static str, body: Value| {
        let ask = rig.admin("POST", &format!("/realms/root/realms/alpha/{path}?_action=create"));
        async move { assert_eq!(ask.at(authorization::routes(crate::rest::routes())).json(&body).await.status, 201) }
    };
    send(
        "resourcetypes",
        json!({"uuid": "D", "name": "D", "patterns": ["*"], "actions": {"can_read": true, "can_write": true}}),
    )
    .await;
    send(
        "applications",
        json!({"name": "docs", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["D"]}),
    )
    .await;
    let policy = |name: &str, resource: &str, action: &str, claim: &str, value: &str| {
        json!({"name": name, "applicationName": "docs", "resourceTypeUuid": "D", "resources": [resource],
            "actionValues": {action: true}, "subject": {"type": "JwtClaim", "claimName": claim, "claimValue": value},
            "resourceAttributes": [{"type": "Static", "propertyName": "by", "propertyValues": [name]}]})
    };
    send("policies", policy("sales read", "*", "can_read", "department", "Sales")).await;
    send("policies", policy("mona writes", "1", "can_write", "sub", "mona")).await;
    let mut dated = policy("from home", "home", "can_read", "department", "Sales");
    dated["condition"] = json!({"type": "IPv4", "startIp": "198.51.100.1", "endIp": "198.51.100.9"});
    dated["actionValues"] = json!({"can_write": true});
    send("policies", dated).await;
    rig
}

pub(crate) async fn call(rig: &Rig, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let context = web::scope("/am").service(web::scope("/oauth2").configure(oauth2::configure)).configure(configure);
    let app = App::new().app_data(web::Data::new(rig.desk.clone())).service(context).configure(configure_root);
    let app = test::init_service(app).await;
    let mut request = test::TestRequest::default().method(method.parse().expect("a method")).uri(path);
    for header in headers {
        request = request.insert_header(*header);
    }
    let response = app.call(request.set_payload(body.to_owned()).to_request()).await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.into_body().try_into_bytes().unwrap_or_default();
    let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, text, json }
}

async fn ask(rig: &Rig, api: &str, body: Value) -> Answer {
    let path = format!("/am/realms/root/realms/alpha/access/v1/{api}");
    let headers = [("iPlanetDirectoryPro", rig.admin.as_str()), ("Content-Type", "application/json")];
    call(rig, "POST", &path, &headers, &body.to_string()).await
}

fn alice() -> Value {
    json!({"type": "user", "id": "alice", "properties": {"department": "Sales"}})
}

fn question(id: &str, action: &str) -> Value {
    json!({"subject": alice(), "action": {"name": action}, "resource": {"type": "docs", "id": id}})
}

#[actix_web::test]
async fn one_evaluation() {
    let rig = rig().await;
    let answer = ask(&rig, "evaluation", question("1", "can_read")).await;
    let granted = json!({"decision": true, "context": {"attributes": {"by": ["sales read"]}}});
    assert_eq!((answer.status, answer.json), (200, granted));
    assert_eq!(ask(&rig, "evaluation", question("1", "can_write")).await.json["decision"], false);
    let with = |member: &str, value: Value| {
        let mut body = question("home", "can_write");
        body[member] = value;
        body
    };
    // The context is the environment of conditions.
    for (context, decision) in [
        (json!({"requestIp": "198.51.100.5"}), true),
        (json!({"requestIp": ["198.51.100.5"], "time": {"zone": 1}, "n": 1}), true),
        (json!({"requestIp": "203.0.113.5"}), false),
        (json!({}), false),
    ] {
        assert_eq!(ask(&rig, "evaluation", with("context", context)).await.json["decision"], decision);
    }
    // A property cannot be another subject's id; unknown sets and resources that are none permit nothing.
    let forged = json!({"type": "user", "id": "alice", "properties": {"sub": "mona", "subject": "mona"}});
    let body = json!({"subject": forged, "action": {"name": "can_write"}, "resource": {"type": "docs", "id": "1"}});
    assert_eq!(ask(&rig, "evaluation", body).await.json, json!({"decision": false}));
    let unknown = ask(&rig, "evaluation", with("resource", json!({"type": "nope", "id": "1"}))).await;
    assert_eq!((unknown.status, unknown.json), (200, json!({"decision": false})));
    // Unknown members are ignored; a session is a subject, too.
    assert_eq!(ask(&rig, "evaluation", with("colour", json!("red"))).await.status, 200);
    let session = json!({"type": "session", "id": rig.admin});
    assert_eq!(ask(&rig, "evaluation", with("subject", session)).await.json["decision"], false);
    for (member, value, message) in [
        ("subject", Value::Null, "subject is missing"),
        ("action", Value::Null, "action is missing"),
        ("resource", Value::Null, "resource is missing"),
        ("subject", json!("alice"), "subject must be an object"),
        ("subject", json!({"type": "user"}), "subject.id must be a string"),
        ("subject", json!({"id": "alice"}), "subject.type must be a string"),
        ("subject", json!({"type": "user", "id": "a", "properties": 1}), "subject.properties must be an object"),
        ("subject", json!({"type": "session", "id": "no such"}), "subject is no live session"),
        ("action", json!({}), "action.name must be a string"),
        ("resource", json!({"type": "docs"}), "resource.id must be a string"),
        ("resource", json!({"type": "docs", "id": "http://h:80x/"}), "Invalid port 80x"),
        ("context", json!([]), "context must be an object"),
    ] {
        let answer = ask(&rig, "evaluation", with(member, value)).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, message));
    }
}

#[actix_web::test]
async fn several_evaluations() {
    let rig = rig().await;
    let resource = |id: &str| json!({"resource": {"type": "docs", "id": id}});
    let with_defaults = |semantic: &str, evaluations: Value| {
        json!({"subject": alice(), "action": {"name": "can_write"}, "context": {"requestIp": "198.51.100.5"},
            "evaluations": evaluations, "options": {"evaluations_semantic": semantic, "other": 1}})
    };
    let decisions = |answer: &Answer| -> Vec<bool> {
        let all = answer.json["evaluations"].as_array().expect("decisions").iter();
        all.map(|decision| decision["decision"].as_bool().expect("a truth")).collect()
    };
    // Defaults, and what overrides them.
    let own = json!({"resource": {"type": "docs", "id": "1"}, "action": {"name": "can_read"}});
    let three = json!([resource("1"), resource("home"), own]);
    for (semantic, expected) in [
        ("execute_all", vec![false, true, true]),
        ("deny_on_first_deny", vec![false]),
        ("permit_on_first_permit", vec![false, true]),
    ] {
        let answer = ask(&rig, "evaluations", with_defaults(semantic, three.clone())).await;
        assert_eq!((answer.status, decisions(&answer)), (200, expected), "{semantic}");
        assert_eq!(answer.json.get("decision"), None);
    }
    // An error of one is a closed decision of that one.
    let bad = json!([resource("home"), {"resource": {"type": "docs"}}, resource("home")]);
    let answer = ask(&rig, "evaluations", with_defaults("execute_all", bad.clone())).await;
    assert_eq!(decisions(&answer), [true, false, true]);
    let error = json!({"status": 400, "message": "resource.id must be a string"});
    assert_eq!(answer.json["evaluations"][1]["context"]["error"], error);
    assert_eq!(decisions(&ask(&rig, "evaluations", with_defaults("deny_on_first_deny", bad)).await), [true, false]);
    // Without any, it is one evaluation.
    let mut none = question("1", "can_read");
    assert_eq!(ask(&rig, "evaluations", none.clone()).await.json["decision"], true);
    none["evaluations"] = json!([]);
    assert_eq!(ask(&rig, "evaluations", none).await.json["decision"], true);
    // What is wrong with the whole is told at once.
    let many = json!(vec![resource("1"); MAX_EVALUATIONS + 1]);
    for (body, message) in [
        (with_defaults("some", three), "options.evaluations_semantic is none of the three"),
        (with_defaults("execute_all", json!({})), "evaluations must be an array"),
        (with_defaults("execute_all", json!([1])), "an evaluation must be an object"),
        (with_defaults("execute_all", many), "more than 1000 evaluations"),
        (json!({"evaluations": [resource("1")], "options": 1}), "options must be an object"),
    ] {
        let answer = ask(&rig, "evaluations", body).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, message));
    }
}

/// PD-01, PD-13.
#[actix_web::test]
async fn who_may_ask() {
    let rig = rig().await;
    let path = "/am/realms/root/realms/alpha/access/v1/evaluation";
    let body = question("1", "can_read").to_string();
    let json = ("Content-Type", "application/json");
    let root = RealmPath::root();
    let admin = |path: &'static str, body: Value| {
        let ask = rig.admin("PUT", path);
        async move { assert_eq!(ask.at(routes(crate::rest::routes())).json(&body).await.status, 201) }
    };
    admin("/realms/root/users/demo", json!({"userpassword": "correct horse"})).await;
    admin("/realms/root/realms/alpha/realm-config/agents/IdentityGateway/gw", json!({"userpassword": "gateway pass"}))
        .await;
    let client = |scopes: Value| {
        json!({"coreOAuth2ClientConfig": {"userpassword": "secret of app", "scopes": scopes, "defaultScopes": scopes},
            "advancedOAuth2ClientConfig": {"grantTypes": ["client_credentials"]}})
    };
    admin("/realms/root/realms/alpha/realm-config/agents/OAuth2Client/pep", client(json!([EVALUATE]))).await;
    admin("/realms/root/realms/alpha/realm-config/agents/OAuth2Client/app", client(json!(["read"]))).await;
    admin("/realms/root/realm-config/agents/OAuth2Client/pep", client(json!([EVALUATE]))).await;
    let token = |realm: &'static str, client: &'static str| {
        let rig = &rig;
        async move {
            let form = format!("grant_type=client_credentials&client_id={client}&client_secret=secret%20of%20app");
            let headers = [("Content-Type", "application/x-www-form-urlencoded")];
            let answer = call(rig, "POST", &format!("/am/oauth2{realm}/access_token"), &headers, &form).await;
            format!("Bearer {}", answer.json["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)))
        }
    };
    let alpha = "/realms/root/realms/alpha";
    let (pep, app, elsewhere) = (token(alpha, "pep").await, token(alpha, "app").await, token("", "pep").await);
    let demo = rig.session(&root, Kind::User, "demo").await;
    let gateway = rig.session(&"/alpha".into(), Kind::IdentityGateway, "gw").await;
    let bearer = format!("Bearer {gateway}");
    let cookie = format!("iPlanetDirectoryPro={gateway}");
    for (header, status) in [
        (("X-Nothing", ""), 401),
        (("Authorization", "Bearer no.such.token"), 401),
        (("Authorization", "Basic cGVwOnNlY3JldA=="), 401),
        (("Cookie", cookie.as_str()), 401),
        (("Authorization", elsewhere.as_str()), 401),
        (("Authorization", app.as_str()), 403),
        (("iPlanetDirectoryPro", demo.as_str()), 403),
        (("Authorization", pep.as_str()), 200),
        (("Authorization", bearer.as_str()), 200),
        (("iPlanetDirectoryPro", gateway.as_str()), 200),
    ] {
        let answer = call(&rig, "POST", path, &[header, json], &body).await;
        assert_eq!(answer.status, status, "{header:?}: {}", answer.text);
        assert_eq!(answer.headers.contains_key("WWW-Authenticate"), status == 401);
    }
}

#[actix_web::test]
async fn transport() {
    let rig = rig().await;
    let admin = ("iPlanetDirectoryPro", rig.admin.as_str());
    let json = ("Content-Type", "application/json");
    let body = question("1", "can_read").to_string();
    let path = "/am/realms/root/realms/alpha/access/v1/evaluation";
    let identified = call(&rig, "POST", path, &[admin, json, ("X-Request-ID", "bfe9eb29")], &body).await;
    let header =
        |answer: &Answer, name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    assert_eq!(header(&identified, "X-Request-ID").as_deref(), Some("bfe9eb29"));
    assert_eq!(header(&identified, "Content-Type").as_deref(), Some("application/json"));
    let refused = call(&rig, "POST", path, &[("X-Request-ID", "1"), json], &body).await;
    assert_eq!((refused.status, header(&refused, "X-Request-ID").as_deref()), (401, Some("1")));
    for (method, path, headers, body, status) in [
        ("GET", path, vec![admin], "", 405),
        ("POST", path, vec![admin], body.as_str(), 400),
        ("POST", path, vec![admin, ("Content-Type", "text/plain")], body.as_str(), 400),
        ("POST", path, vec![admin, json], "", 400),
        ("POST", path, vec![admin, json], "[]", 400),
        ("POST", path, vec![admin, json], "{\"subject\":1,\"subject\":2}", 400),
        ("POST", "/am/realms/root/realms/nope/access/v1/evaluation", vec![admin, json], body.as_str(), 404),
        ("POST", "/am/realms/alpha/access/v1/evaluation", vec![admin, json], body.as_str(), 404),
        ("POST", "/access/v1/search", vec![admin, json], body.as_str(), 404),
        // The top-level realm has no such policy set.
        ("POST", "/access/v1/evaluation", vec![admin, json], body.as_str(), 200),
        ("POST", "/am/access/v1/evaluation", vec![admin, json], body.as_str(), 200),
        ("POST", path, vec![admin, json, (decisions::AT_LEAST_HEADER, "1")], body.as_str(), 200),
        ("POST", path, vec![admin, json, (decisions::AT_LEAST_HEADER, "x")], body.as_str(), 400),
        ("POST", path, vec![admin, json, (decisions::AT_LEAST_HEADER, "99999999999999")], body.as_str(), 412),
    ] {
        let answer = call(&rig, method, path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path} {headers:?} {body}: {}", answer.text);
    }
    rig.alone.cut_off.store(true, std::sync::atomic::Ordering::Relaxed);
    let cut_off = call(&rig, "POST", path, &[admin, json], &body).await;
    assert_eq!((cut_off.status, header(&cut_off, "Retry-After").as_deref()), (503, Some("1")));
}

#[actix_web::test]
async fn metadata_names_its_endpoints() {
    let rig = rig().await;
    for (path, pdp) in [
        ("", "https://am.example.com:8443"),
        ("/am", "https://am.example.com:8443/am"),
        ("/am/realms/root/realms/alpha", "https://am.example.com:8443/am/realms/root/realms/alpha"),
    ] {
        let answer = call(&rig, "GET", &format!("{WELL_KNOWN}{path}"), &[], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(
            answer.json,
            json!({
                "policy_decision_point": pdp,
                "access_evaluation_endpoint": format!("{pdp}/access/v1/evaluation"),
                "access_evaluations_endpoint": format!("{pdp}/access/v1/evaluations"),
            })
        );
    }
    for path in ["/am/realms/root/realms/nope", "/other", "/amx", "/am/x"] {
        assert_eq!(call(&rig, "GET", &format!("{WELL_KNOWN}{path}"), &[], "").await.status, 404, "{path}");
    }
}
