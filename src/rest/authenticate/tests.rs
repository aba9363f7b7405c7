//! The tables of a.1 to a.10, in their order.

use crate::{
    authn::journey::testing::{Am, PASSWORD, answered, named, token, types},
    caller,
    rest::testing::Reply,
};
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn failed(reply: &Reply) -> (u16, &str) {
    reply.error()
}

/// a.1.
#[actix_web::test]
async fn the_endpoint_is_as_in_a_1() {
    let am = Am::new().await;
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        assert_eq!(failed(&am.with_method(method).go().await), (405, "Method Not Allowed"), "{method}");
    }
    let unsupported = am.ask("").raw("text/plain", "{}").await;
    assert_eq!(failed(&unsupported), (415, "Unsupported Media Type"));
    assert_eq!(am.ask("").raw("text/plain", "").await.status, 200, "an empty body may be anything");
    assert_eq!(am.ask("").raw("application/json; charset=utf-8", "{}").await.status, 200);
    assert_eq!(am.ask("").raw("application/json", "{").await.status, 400);
    assert_eq!(failed(&am.bare().go().await), (403, "Forbidden"));
    assert_eq!(am.bare().header("X-Requested-With", "curl").go().await.status, 200);

    for (asked, answers) in [
        ("resource=2.0, protocol=1.0", "resource=2.1"),
        ("protocol=1.0,resource=2.1", "resource=2.1"),
        ("resource=1.0", "resource=1.2"),
        ("resource=1.2", "resource=1.2"),
    ] {
        let reply = am.ask("").header("Accept-API-Version", asked).go().await;
        assert_eq!((reply.status, reply.header("Content-API-Version")), (200, Some(answers)), "{asked}");
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        assert_eq!(reply.header("Cache-Control"), Some("private"));
    }
    assert_eq!(am.ask("").header("Accept-API-Version", "resource=3.0").go().await.status, 404);

    let success = am.headers(&named("Example"), "demo", PASSWORD).await;
    let cookies: Vec<&str> = success.headers.get_all("Set-Cookie").map(|value| value.to_str().expect("text")).collect();
    assert_eq!(cookies[0], format!("iPlanetDirectoryPro={}; HttpOnly; Path=/", token(&success)));
    assert_eq!(cookies[1], "amlbcookie=01; HttpOnly; Path=/");
}

/// a.2, row by row.
#[actix_web::test]
async fn bodies_mean_what_a_2_says() {
    let am = Am::new().await;
    let example = named("Example");
    for reply in [am.ask(&example).go().await, am.ask(&example).json(&json!({})).await] {
        assert_eq!(types(&reply), ["NameCallback"], "starts");
    }
    assert!(!token(&am.headers(&example, "demo", PASSWORD).await).is_empty(), "headers are consumed");

    let step = am.start("Example").await;
    assert_eq!(types(&am.answer(&step, &[json!("demo")]).await), ["PasswordCallback"], "continues");

    // Callbacks without authId: a chain takes them for its first step, a tree starts anew.
    let chain = am.ask("").go().await;
    let mut whole = answered(&chain, &[json!("demo"), json!(PASSWORD)]);
    whole.as_object_mut().expect("an object").remove("authId");
    assert!(!token(&am.ask("").json(&whole).await).is_empty());
    let number = "Incorrect number of callbacks found in JSON response";
    assert_eq!(failed(&am.ask("").json(&json!({"callbacks": []})).await), (400, number));
    let mut other = whole.clone();
    other["callbacks"].as_array_mut().expect("callbacks").reverse();
    let kind = "Required callback not found in JSON response";
    assert_eq!(failed(&am.ask("").json(&other).await), (400, kind));
    assert_eq!(types(&am.ask(&example).json(&whole).await), ["NameCallback"]);

    // `goto` in the body.
    let going = json!({"goto": "/am/app"});
    let request = am.ask(&example).header("X-OpenAM-Username", "demo").header("X-OpenAM-Password", PASSWORD);
    assert_eq!(request.json(&going).await.json["successUrl"], "/am/app");

    // Parameters are ignored beside an authId; those that are bound win.
    let step = am.start("Example").await;
    let body = answered(&step, &[json!("demo")]);
    let step = am.ask("?authIndexType=service&authIndexValue=nosuch").json(&body).await;
    assert_eq!(types(&step), ["PasswordCallback"]);

    for malformed in ["{\"authId\":", "[]", "\"x\""] {
        assert_eq!(am.ask("").raw("application/json", malformed).await.status, 400, "{malformed}");
    }
    // A step comes back whole. What does not was not submitted: it can be put right.
    let mut part = answered(&step, &[]);
    part["callbacks"] = json!([]);
    assert_eq!(failed(&am.ask("").json(&part).await), (400, number));
    part["callbacks"] = json!([{"type": "NameCallback", "input": [{"value": "x"}]}]);
    assert_eq!(failed(&am.ask("").json(&part).await), (400, kind));
    assert!(!token(&am.answer(&step, &[json!(PASSWORD)]).await).is_empty());
}

/// a.3: parameters, then the types of index.
#[actix_web::test]
async fn parameters_choose_as_in_a_3() {
    let am = Am::new().await;
    let none = (400, "No Configuration found");
    for query in [
        "?authIndexType=service&authIndexValue=nosuch",
        "?authIndexType=user&authIndexValue=demo",
        "?authIndexType=role&authIndexValue=x",
        "?authIndexType=resource&authIndexValue=https%3A%2F%2Fx",
        "?authIndexType=transaction",
        "?authIndexType=composite_advice&authIndexValue=x",
        "?authIndexType=module",
        "?authIndexValue=Example",
    ] {
        assert_eq!(failed(&am.ask(query).go().await), none, "{query}");
    }
    let unknown = am.ask("?authIndexType=colour&authIndexValue=red").go().await;
    assert_eq!(failed(&unknown), (400, "Unknown Authentication Index Type"));
    assert_eq!(types(&am.ask("?authIndexType=service").go().await), ["NameCallback", "PasswordCallback"]);
    assert_eq!(types(&am.ask("?authIndexType=SERVICE&authIndexValue=Example").go().await), ["NameCallback"]);

    for kind in ["module", "module_instance"] {
        let step = am.ask(&format!("?authIndexType={kind}&authIndexValue=DataStore")).go().await;
        assert!(!token(&am.answer(&step, &[json!("demo"), json!(PASSWORD)]).await).is_empty());
    }
    let module = am.ask("?authIndexType=module&authIndexValue=nosuch").go().await;
    assert_eq!(failed(&module), (404, "Authentication Module Not Found."));

    am.put(Kind::AuthenticationModule, "datastore/Strong", &json!({"authenticationLevel": 7})).await;
    am.put(Kind::AuthenticationModule, "ldap/Directory", &json!({"authenticationLevel": 9})).await;
    let level = |level: &str| format!("?authIndexType=level&authIndexValue={level}");
    assert_eq!(failed(&am.ask(&level("high")).go().await), (400, "Invalid Auth Level."));
    assert_eq!(failed(&am.ask(&level("8")).go().await), none);
    let step = am.ask(&level("5")).go().await;
    let strong = token(&am.answer(&step, &[json!("demo"), json!(PASSWORD)]).await);
    let caller = caller::session(&am.rig.desk, &strong).expect("a session");
    assert_eq!(caller.session.data.auth_level, 7);
    // More than one service will do.
    let choice = am.ask(&level("0")).go().await;
    assert_eq!(choice.json["callbacks"][0]["output"][1]["value"], json!(["DataStore", "Strong"]));
    let step = am.answer(&choice, &[json!(1)]).await;
    assert_eq!(types(&step), ["NameCallback", "PasswordCallback"]);
    assert!(!token(&am.answer(&step, &[json!("demo"), json!(PASSWORD)]).await).is_empty());

    let advice = "%3CAdvices%3E%3CAttributeValuePair%3E%3CAttribute%20name%3D%22AuthenticateToTreeConditionAdvice%22\
                  %2F%3E%3CValue%3E%2F%3AExample%3C%2FValue%3E%3C%2FAttributeValuePair%3E%3C%2FAdvices%3E";
    let step = am.ask(&format!("?authIndexType=composite_advice&authIndexValue={advice}")).go().await;
    assert_eq!(types(&step), ["NameCallback"]);

    am.settings(json!({"security": {"moduleBasedAuthEnabled": false}, "core": {"orgConfig": "Example"}})).await;
    let module = am.ask("?authIndexType=module&authIndexValue=DataStore").go().await;
    assert_eq!(failed(&module), (401, "Module Based Authentication is not allowed."));
    assert_eq!(types(&am.ask("").go().await), ["NameCallback"], "the realm's default");
    am.settings(json!({"core": {"orgConfig": "[Empty]"}})).await;
    assert_eq!(failed(&am.ask("").go().await), none);
    assert_eq!(failed(&am.ask("?suspendedId=x").go().await).0, 401);
}

/// a.4, with the chain of a.18 and the tree of a.13.
#[actix_web::test]
async fn steps_look_as_in_a_4() {
    let am = Am::new().await;
    let chain = am.ask("").go().await;
    let mut body = chain.json.clone();
    body["authId"] = json!("");
    let expected = json!({
        "authId": "", "template": "", "stage": "DataStore1", "header": "Sign in", "infoText": "",
        "callbacks": [
            {"type": "NameCallback", "output": [{"name": "prompt", "value": " User Name: "}],
             "input": [{"name": "IDToken1", "value": ""}]},
            {"type": "PasswordCallback", "output": [{"name": "prompt", "value": " Password: "}],
             "input": [{"name": "IDToken2", "value": ""}]},
        ],
    });
    assert_eq!(body, expected);
    let tree = am.start("Example").await;
    let members: Vec<&String> = tree.json.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["authId", "callbacks"]);
    assert_eq!(tree.json["callbacks"][0]["output"][0]["value"], "User Name");
    let tree = am.answer(&tree, &[json!("demo")]).await;
    assert_eq!(tree.json["callbacks"][0]["output"][0]["value"], "Password");
    assert_eq!(tree.json["callbacks"][0]["input"][0]["name"], "IDToken1");
}

/// a.7.
#[actix_web::test]
async fn success_looks_as_in_a_7() {
    let am = Am::new().await;
    let example = named("Example");
    let with = |query: &str| format!("{example}&{query}");
    let reply = am.headers(&example, "demo", PASSWORD).await;
    let members: Vec<&String> = reply.json.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["realm", "successUrl", "tokenId"]);
    assert_eq!((&reply.json["successUrl"], &reply.json["realm"]), (&json!("/am/console"), &json!("/")));

    let without = am.headers(&with("noSession=true"), "demo", PASSWORD).await;
    let body = json!({"message": "Authentication Successful", "successUrl": "/am/console", "realm": "/"});
    assert_eq!((without.status, &without.json), (200, &body));
    assert!(without.header("Set-Cookie").is_none());

    // successUrl: each row is defined where the ones before it are not.
    let url = async |query: &str, service: &str| {
        let query = format!("?authIndexType=service&authIndexValue={service}{query}");
        am.headers(&query, "demo", PASSWORD).await.json["successUrl"].as_str().expect("a URL").to_owned()
    };
    am.settings(json!({"postauthprocess": {"loginSuccessUrl": ["/realm"]}})).await;
    assert_eq!(url("", "Example").await, "/realm");
    am.user("demo", json!({"iplanet-am-user-success-url": ["/profile"]})).await;
    assert_eq!(url("", "Example").await, "/profile");
    assert_eq!(url("&goto=%2Fgoto", "Example").await, "/goto");
    assert_eq!(url("&goto=https%3A%2F%2Fevil.example%2F", "Example").await, "/profile", "AZ-13: ignored");
    let decide: &[(&str, &str)] = &[("true", "SUCCESS"), ("false", "FAILURE")];
    am.tree(
        "Urls",
        &[
            ("zero", "ZeroPageLoginNode", json!({}), &[("true", "url"), ("false", "FAILURE")]),
            ("url", "SetSuccessUrlNode", json!({"successUrl": "/tree"}), &[("outcome", "fail")]),
            ("fail", "SetFailureUrlNode", json!({"failureUrl": "/tree-failed"}), &[("outcome", "decide")]),
            ("decide", "DataStoreDecisionNode", json!({}), decide),
        ],
    )
    .await;
    assert_eq!(url("&goto=%2Fgoto", "Urls").await, "/tree");

    // failureUrl.
    let failure = async |query: &str, service: &str| {
        let query = format!("?authIndexType=service&authIndexValue={service}{query}");
        am.headers(&query, "demo", "wrong").await.json["detail"]["failureUrl"].clone()
    };
    assert_eq!(failure("", "Example").await, Value::Null);
    am.settings(json!({"postauthprocess": {"loginFailureUrl": ["/realm-failed"]}})).await;
    assert_eq!(failure("", "Example").await, "/realm-failed");
    assert_eq!(failure("&gotoOnFail=%2Foops", "Example").await, "/oops");
    assert_eq!(failure("&gotoOnFail=%2F%2Fevil.example", "Example").await, "/realm-failed");
    assert_eq!(failure("&gotoOnFail=%2Foops", "Urls").await, "/tree-failed");
}

/// a.8.
#[actix_web::test]
async fn failures_look_as_in_a_8() {
    let am = Am::new().await;
    let body = json!({"code": 401, "reason": "Unauthorized", "message": "Login failure"});
    let mut seen = Vec::new();
    for (name, password) in [("demo", "wrong"), ("nobody", PASSWORD), ("nobody", "wrong"), ("demo", "")] {
        let step = am.start("Example").await;
        let step = am.answer(&step, &[json!(name)]).await;
        let reply = am.answer(&step, &[json!(password)]).await;
        assert_eq!((reply.status, &reply.json), (401, &body), "{name}");
        assert!(reply.header("Set-Cookie").is_none());
        seen.push(reply.text);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "nobody learns which was wrong");
    let first = am.ask(&named("Example")).header("Accept-API-Version", "resource=1.2");
    let first = first.header("X-OpenAM-Username", "demo").header("X-OpenAM-Password", "wrong").go().await;
    assert_eq!((first.status, first.text.as_str()), (401, r#"{"errorMessage":"Login failure"}"#));

    let denied = am.headers("", "demo", "wrong").await;
    assert_eq!(failed(&denied), (401, "Authentication Failed"));
    assert_eq!(failed(&am.at("/realms/root/realms/x", "").go().await), (404, "Realm \"/x\" not found"));
    assert_eq!(failed(&am.ask("?realm=/x").go().await), (400, "Invalid realm, /x"));

    am.tree("Broken", &[("x", "NoSuchNode", json!({}), &[("outcome", "SUCCESS")])]).await;
    assert_eq!(failed(&am.start("Broken").await), (401, "Login failure"));

    am.user("sleeper", json!({"inetUserStatus": ["Inactive"]})).await;
    let locked = am.headers(&named("Example"), "sleeper", PASSWORD).await;
    assert_eq!(failed(&locked), (401, "Your account has been locked."));
    assert_eq!(failed(&am.headers("", "sleeper", PASSWORD).await), (401, "User not Active"));
    assert_eq!(failed(&am.headers(&named("Example"), "sleeper", "wrong").await), (401, "Login failure"));

    let only_name: &[(&str, &str)] = &[("outcome", "SUCCESS")];
    am.tree("Anyone", &[("any", "AnonymousUserNode", json!({}), only_name)]).await;
    let nobody = am.start("Anyone").await;
    assert_eq!(failed(&nobody), (401, "User Requires Profile to Login"));
    assert_eq!(nobody.json["detail"]["errorCode"], "100");

    am.rig.realm("alpha").await;
    let closed = json!({"name": "alpha", "parentPath": "/", "active": false, "aliases": []});
    am.put(Kind::Realm, "/alpha", &closed).await;
    let reply = am.at("/realms/root/realms/alpha", "").go().await;
    assert_eq!(failed(&reply), (400, "Org is inactive"));

    am.rig.alone.cut_off.store(true, Ordering::Relaxed);
    assert_eq!(am.start("Example").await.status, 503, "G7");
}

/// a.9.
#[actix_web::test]
async fn headers_log_in_as_in_a_9() {
    let am = Am::new().await;
    am.user("Zo\u{eb}", json!({})).await;
    assert!(!token(&am.headers(&named("Example"), "=?UTF-8?B?Wm/Dqw==?=", PASSWORD).await).is_empty());
    assert!(!token(&am.headers("", "demo", PASSWORD).await).is_empty(), "a chain's first step is filled");
    // On continuation they are ignored.
    let step = am.start("Example").await;
    let body = answered(&step, &[json!("demo")]);
    let request = am.ask("").header("X-OpenAM-Username", "demo").header("X-OpenAM-Password", PASSWORD);
    assert_eq!(types(&request.json(&body).await), ["PasswordCallback"]);
    // Not both of them: as if there were none.
    let one = am.ask(&named("Example")).header("X-OpenAM-Username", "demo").go().await;
    assert_eq!(types(&one), ["NameCallback"]);
    let chain = am.ask("").header("X-OpenAM-Username", "demo").go().await;
    assert_eq!(types(&chain), ["NameCallback", "PasswordCallback"]);
    // Pages that are not welcome.
    let strict = json!({"allowWithoutReferer": false, "referrerWhiteList": ["https://good.example/"],
        "usernameHeader": "X-User"});
    am.tree(
        "Strict",
        &[
            ("zero", "ZeroPageLoginNode", strict, &[("true", "decide"), ("false", "FAILURE")]),
            ("decide", "DataStoreDecisionNode", json!({}), &[("true", "SUCCESS"), ("false", "FAILURE")]),
        ],
    )
    .await;
    for (referer, status) in [("https://good.example/", 200), ("https://bad.example/", 401)] {
        let request = am.ask(&named("Strict")).header("Referer", referer).header("X-User", "demo");
        assert_eq!(request.header("X-OpenAM-Password", PASSWORD).go().await.status, status, "{referer}");
    }
}

/// a.10, row by row.
#[actix_web::test]
async fn sessions_count_as_in_a_10() {
    let am = Am::new().await;
    let desk = &am.rig.desk;
    let alive = |token: &str| caller::session(desk, token).is_some();
    let first = am.login().await;
    // None, or invalid: as ever. An explicit one must be valid.
    let invalid = am.ask(&named("Example")).session("nonsense").go().await;
    assert_eq!(types(&invalid), ["NameCallback"]);
    assert_eq!(am.ask("?sessionUpgradeSSOTokenId=nonsense").go().await.status, 400);

    // Good enough: no index, or the same service.
    for query in [String::new(), named("Example")] {
        let reply = am.ask(&query).session(&first).go().await;
        let body = json!({"tokenId": "", "successUrl": "/am/console", "realm": "/"});
        assert_eq!((reply.status, &reply.json), (200, &body), "{query}");
        assert!(reply.header("Set-Cookie").is_none());
    }
    let explicit = am.ask(&format!("?sessionUpgradeSSOTokenId={first}")).go().await;
    assert_eq!(explicit.json["tokenId"], "");
    am.settings(json!({"trees": {"authenticationTreeCookieHttpOnly": false}})).await;
    assert_eq!(am.ask("").session(&first).go().await.json["tokenId"], first.as_str());
    am.settings(json!({})).await;

    // Another service, ForceAuth, mustRun: an upgrade.
    let plan: &[_] = &[
        ("zero", "ZeroPageLoginNode", json!({}), &[("true", "level"), ("false", "FAILURE")][..]),
        ("level", "ModifyAuthLevelNode", json!({"authLevelIncrement": 5}), &[("outcome", "props")]),
        ("props", "SetSessionPropertiesNode", json!({"properties": {"colour": "red"}}), &[("outcome", "decide")]),
        ("decide", "DataStoreDecisionNode", json!({}), &[("true", "SUCCESS"), ("false", "FAILURE")]),
    ];
    am.tree("Stronger", plan).await;
    let upgrade = |service: &str, token: &str, password: &str| {
        let request = am.ask(&named(service)).session(token);
        request.header("X-OpenAM-Username", "demo").header("X-OpenAM-Password", password).go()
    };
    assert_eq!(failed(&upgrade("Stronger", &first, "wrong").await), (401, "Login failure"));
    assert!(alive(&first), "an upgrade that failed leaves the session alone");
    let second = token(&upgrade("Stronger", &first, PASSWORD).await);
    assert!(alive(&second) && !alive(&first), "an upgrade replaces it");
    let data = caller::session(desk, &second).expect("a session").session.data.clone();
    assert_eq!((data.auth_level, data.properties.get("colour").map(|v| &**v)), (5, Some("red")));
    assert_eq!(data.properties.get("Service").map(|v| &**v), Some("Stronger"));
    // The next one keeps what was there.
    let third = token(&upgrade("Example", &second, PASSWORD).await);
    let data = caller::session(desk, &third).expect("a session").session.data.clone();
    assert_eq!((data.auth_level, data.properties.get("colour").map(|v| &**v)), (5, Some("red")));
    let forced = am.ask(&format!("{}&ForceAuth=true", named("Example"))).session(&third);
    let forced = forced.header("X-OpenAM-Username", "demo").header("X-OpenAM-Password", PASSWORD).go().await;
    let fourth = token(&forced);
    assert!(alive(&fourth) && fourth != third);
    am.tree_with(
        &RealmPath::root(),
        "Always",
        &[plan[0].clone(), plan[1].clone(), plan[2].clone(), plan[3].clone()],
        json!({"mustRun": true}),
    )
    .await;
    let fifth = token(&upgrade("Always", &fourth, PASSWORD).await);
    assert_eq!(upgrade("Always", &fifth, "wrong").await.status, 401, "runs again all the same");

    // Another user.
    am.user("other", json!({})).await;
    let request = am.ask(&named("Stronger")).session(&fifth);
    let other = request.header("X-OpenAM-Username", "other").header("X-OpenAM-Password", PASSWORD).go().await;
    assert_eq!((other.status, &other.json["detail"]["errorCode"]), (401, &json!("124")));
    assert!(alive(&fifth));

    // Of another realm: none.
    am.rig.realm("alpha").await;
    let elsewhere = am.at("/realms/root/realms/alpha", "").session(&fifth).go().await;
    assert_eq!(types(&elsewhere), ["NameCallback", "PasswordCallback"]);
}
