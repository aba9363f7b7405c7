//! `authorize`.

use super::*;

/// Parameters beside a good request's, code and text of the error.
type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);

async fn world() -> (World, String) {
    let world = World::new().await;
    world.client("/alpha", "c", json!({})).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    (world, session)
}

/// A GET with the parameters of a good request, `more` instead of or beside them; an empty value leaves one out.
async fn get(world: &World, session: &str, more: &[(&str, &str)]) -> Reply {
    let base = [
        ("response_type", "code"),
        ("client_id", "c"),
        ("redirect_uri", CALLBACK),
        ("scope", "read"),
        ("state", "s t&1"),
    ];
    let mut pairs: Vec<(&str, &str)> =
        base.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name)).collect();
    pairs.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    let request = TestRequest::get().uri(&format!("{ALPHA}/authorize?{}", form(&pairs)));
    world.send(if session.is_empty() { request } else { with_session(request, session) }).await
}

#[track_caller]
fn assert_page(reply: &Reply, status: u16, code: &str, says: &str) {
    assert_eq!((reply.status, reply.header("location")), (status, ""), "{}", reply.body);
    assert!(reply.header("content-type").starts_with("text/html"));
    let csp = reply.header("content-security-policy");
    assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'self'"), "{csp}");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert!(reply.body.contains(&format!("message: \"{code}\"")), "{}", reply.body);
    assert!(reply.body.contains(&super::super::answer::html(says)), "{}", reply.body);
}

#[track_caller]
fn assert_sent(reply: &Reply, code: &str, says: &str) {
    let answer = reply.redirected(CALLBACK);
    let get = |name: &str| answer.get(name).map_or("", String::as_str);
    assert_eq!((get("error"), get("error_description")), (code, says));
    // Abuse AZ-11: `iss` in errors too; never a code beside an error.
    assert_eq!((get("state"), get("iss"), get("code")), ("s t&1", ISSUER, ""));
}

#[actix_web::test]
async fn az_06_nothing_is_redirected_before_client_and_uri_are_known_good() {
    let (world, session) = world().await;
    let two = json!({ "coreOAuth2ClientConfig": { "redirectionUris": [CALLBACK, "https://rp.example.com/2"] } });
    world.client("/alpha", "two", two).await;
    world.client("/alpha", "off", json!({ "coreOAuth2ClientConfig": { "status": "Inactive" } })).await;
    let failed = "Client authentication failed";
    let mismatch = "The redirection URI provided does not match a pre-registered value.";
    let evil = ("redirect_uri", "https://evil.example/cb");
    let cases: [Case<'_>; 10] = [
        (&[("client_id", "")], "invalid_request", "Missing parameter, client_id"),
        (&[("response_type", "")], "invalid_request", "Missing parameter, response_type"),
        (&[("client_id", "nobody")], "invalid_client", failed),
        (&[("client_id", "off")], "invalid_client", failed),
        (&[("client_id", "C")], "invalid_client", failed),
        (&[("client_id", "two"), ("redirect_uri", "")], "invalid_request", "Missing parameter: redirect_uri"),
        (&[("redirect_uri", "https://rp.example.com/c\u{e9}")], "invalid_request", "Invalid parameter: redirect_uri"),
        (&[evil], "redirect_uri_mismatch", mismatch),
        (&[evil, ("response_type", "token"), ("scope", "unknown")], "redirect_uri_mismatch", mismatch),
        (&[evil, ("prompt", "none"), ("client_id", "nobody")], "invalid_client", failed),
    ];
    for (more, code, says) in cases {
        assert_page(&get(&world, &session, more).await, 400, code, says);
    }
    let long = "s".repeat(4097);
    assert_page(&get(&world, &session, &[("state", &long)]).await, 400, "invalid_request", "Invalid parameter: state");
    let twice = "/am/oauth2/alpha/authorize?client_id=c&scope=a&scope=b";
    let says = "Invalid Request, duplicate request parameter found : scope";
    assert_page(&world.get(twice).await, 400, "invalid_request", says);
    // Abuse AZ-07: once in the query, once in the body.
    let both = post("/am/oauth2/alpha/authorize?scope=a", &[("scope", "a")]);
    assert_page(&world.send(both).await, 400, "invalid_request", says);
}

#[actix_web::test]
async fn what_the_client_did_wrong_is_told_to_the_client() {
    let (world, session) = world().await;
    let only_code = json!({ "advancedOAuth2ClientConfig": { "responseTypes": ["code"] } });
    world.client("/alpha", "only", only_code).await;
    world
        .client("/alpha", "cc", json!({ "advancedOAuth2ClientConfig": { "grantTypes": ["client_credentials"] } }))
        .await;
    let unsupported = "Response type is not supported.";
    let long = "n".repeat(3000);
    let cases: [Case<'_>; 14] = [
        (&[("response_type", "token")], "unsupported_response_type", unsupported),
        (&[("response_type", "code id_token")], "unsupported_response_type", unsupported),
        (&[("response_type", "nonsense")], "unsupported_response_type", unsupported),
        (&[("response_type", " ")], "unsupported_response_type", unsupported),
        (
            &[("response_type", "token"), ("client_id", "only")],
            "unsupported_response_type",
            "Client does not support this response type.",
        ),
        (
            &[("client_id", "cc")],
            "unauthorized_client",
            "The client is not authorized to request an authorization code using this method.",
        ),
        (&[("response_mode", "form_post")], "invalid_request", "Invalid parameter: response_mode"),
        (&[("request", "x.y.z")], "request_not_supported", "Request objects are not supported."),
        (
            &[("request_uri", "https://x")],
            "request_uri_not_supported",
            "Request objects by reference are not supported.",
        ),
        (&[("code_challenge", CHALLENGE)], "invalid_request", "Invalid value for code_challenge_method"),
        (&[("scope", "read nope")], "invalid_scope", "Unknown/invalid scope(s): [nope]"),
        (&[("scope", "")], "invalid_scope", "No scope requested and no default scope configured"),
        (&[("max_age", "soon")], "invalid_request", "Invalid parameter: max_age"),
        (&[("nonce", &long)], "invalid_request", "Invalid parameter: nonce"),
    ];
    for (more, code, says) in cases {
        assert_sent(&get(&world, &session, more).await, code, says);
    }
    let says = "Prompt parameter select_account is invalid or unsupported";
    assert_page(&get(&world, &session, &[("prompt", "select_account")]).await, 400, "bad_request", says);
}

#[actix_web::test]
async fn the_headless_form_gives_a_code() {
    let (world, session) = world().await;
    let reply = world.allow(&session, "c", "read", &[("state", "é &=\"<x>")]).await;
    assert_eq!(reply.status, 302);
    let answer = reply.redirected(CALLBACK);
    let names: Vec<&str> = answer.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_id", "code", "iss", "state"]);
    assert_eq!((answer["client_id"].as_str(), answer["iss"].as_str()), ("c", ISSUER));
    assert_eq!(answer["state"], "é &=\"<x>");
    assert_eq!(reply.header("cache-control"), "no-store");
    let long = "é".repeat(2048);
    let answer = world.allow(&session, "c", "read", &[("state", &long)]).await.redirected(CALLBACK);
    assert_eq!(answer["state"], long);
    let fragment = world.allow(&session, "c", "read", &[("response_mode", "fragment")]).await;
    assert!(fragment.header("location").starts_with("https://rp.example.com/cb#code="));

    // The SSO token in the header that is named like the cookie serves as well.
    let pairs = [
        ("scope", "read"),
        ("response_type", "code"),
        ("client_id", "c"),
        ("decision", "Allow"),
        ("csrf", session.as_str()),
    ];
    let request = post(&format!("{ALPHA}/authorize"), &pairs).insert_header(("iPlanetDirectoryPro", session.as_str()));
    let answer = world.send(request).await.redirected(CALLBACK);
    assert!(answer.contains_key("code"));
}

#[actix_web::test]
async fn se_02_a_decision_needs_proof_of_the_session() {
    let (world, session) = world().await;
    world.user("eve").await;
    let eve = world.session("eve").await;
    let decide = |cookie: String, csrf: String, decision: &'static str| {
        let pairs = [
            ("scope", "read"),
            ("response_type", "code"),
            ("client_id", "c"),
            ("redirect_uri", CALLBACK),
            ("state", "s t&1"),
            ("decision", decision),
            ("csrf", csrf.as_str()),
        ];
        let request = post(&format!("{ALPHA}/authorize"), &pairs);
        let world = &world;
        let request = if cookie.is_empty() { request } else { with_session(request, &cookie) };
        async move { world.send(request).await }
    };
    let none = String::new;
    for (cookie, csrf) in [
        (session.clone(), none()),
        (session.clone(), eve.clone()),
        (session.clone(), "x".to_owned()),
        (none(), session.clone()),
        (session.clone(), session.to_lowercase()),
    ] {
        assert_page(&decide(cookie, csrf, "allow").await, 400, "bad_request", "");
    }
    let denied = "Resource Owner did not authorize the request";
    for decision in ["deny", "", "allowed"] {
        assert_sent(&decide(session.clone(), session.clone(), decision).await, "access_denied", denied);
    }
    assert!(world.desk.views().codes.pin().is_empty());
    assert!(decide(session.clone(), session, "allow").await.redirected(CALLBACK).contains_key("code"));
}

#[actix_web::test]
async fn without_a_session_of_this_realm_people_log_in() {
    let (world, session) = world().await;
    let login = "https://am.example.com:8443/am/UI/Login";
    world.write("/alpha", Kind::IdentityGateway, "gateway", json!({ "status": "Active" })).await;
    world.write("/beta", Kind::User, "demo", json!({ "username": "demo" })).await;
    let gateway = world.session_of("/alpha", Kind::IdentityGateway, "gateway").await;
    let elsewhere = world.session_of("/beta", Kind::User, "demo").await;
    let top = world.session_of("/", Kind::User, "amAdmin").await;
    for session in ["", "nonsense", &gateway, &elsewhere, &top] {
        let reply = get(&world, session, &[("ui_locales", "de"), ("service", "Tree")]).await;
        assert_eq!(reply.status, 302);
        let names: Vec<&str> =
            reply.header("location").split(['?', '&']).skip(1).filter_map(|p| p.split('=').next()).collect();
        assert_eq!(names, ["realm", "locale", "service", "goto"]);
        let answer = reply.redirected(login);
        assert_eq!((answer["realm"].as_str(), answer["locale"].as_str()), ("/alpha", "de"));
        let (path, query) = answer["goto"].split_once('?').expect("a query");
        assert_eq!(path, format!("{ISSUER}/authorize"));
        let asked = parameters(query);
        assert_eq!((asked["state"].as_str(), asked["redirect_uri"].as_str()), ("s t&1", CALLBACK));
        // Abuse AZ-19.
        assert_sent(
            &get(&world, session, &[("prompt", "none")]).await,
            "login_required",
            "The request requires login.",
        );
    }
    // An ended session: the decision is authentic, yet nobody is there to make it.
    world.wait(7300).await;
    let reply = world.allow(&session, "c", "read", &[]).await;
    let goto = reply.redirected(login)["goto"].clone();
    assert!(!goto.contains("csrf") && !goto.contains(&session) && !goto.contains("decision"), "abuse SE-05");
}

#[actix_web::test]
async fn consent_is_asked_for_unless_client_and_provider_imply_it() {
    let (world, session) = world().await;
    let implied = json!({ "advancedOAuth2ClientConfig": { "isConsentImplied": true } });
    world.client("/alpha", "c", implied).await;
    assert_eq!(get(&world, &session, &[]).await.status, 200, "the provider does not allow it");
    world.write("/alpha", Kind::Service, "oauth-oidc", json!({ "consent": { "clientsCanSkipConsent": true } })).await;
    assert!(get(&world, &session, &[]).await.redirected(CALLBACK).contains_key("code"));
    assert!(get(&world, &session, &[("prompt", "none")]).await.redirected(CALLBACK).contains_key("code"));
    assert_eq!(get(&world, &session, &[("prompt", "consent")]).await.status, 200);
    world.client("/alpha", "c", json!({})).await;
    let reply = get(&world, &session, &[("prompt", "none")]).await;
    assert_sent(&reply, "consent_required", "The request requires consent.");
}

/// The inputs of the form on a consent page, as a browser would post them.
fn inputs(page: &str) -> Vec<(String, String)> {
    let unescape = |text: &str| {
        let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        pairs.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let mut inputs = Vec::new();
    for input in page.split("<input ").skip(1) {
        let quoted: Vec<&str> = input.split('"').collect();
        inputs.push((unescape(quoted[3]), unescape(quoted[5])));
    }
    inputs
}

#[actix_web::test]
async fn se_03_az_08_the_consent_page_is_safe_and_posts_back() {
    let (world, session) = world().await;
    let named = json!({ "advancedOAuth2ClientConfig": { "name": ["en|<img src=x>"] } });
    world.client("/alpha", "c", named).await;
    let hostile = "\"><script>alert(1)</script>'&amp;";
    let page = get(&world, &session, &[("state", hostile), ("realm", "/alpha")]).await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<script>") && !page.body.contains("<img"), "{}", page.body);
    assert!(page.body.contains("&lt;img src=x&gt;") && page.body.contains("<li>read</li>"));
    let csp = page.header("content-security-policy");
    assert!(
        csp.contains("form-action 'self' https://rp.example.com") && csp.contains("frame-ancestors 'self'"),
        "{csp}"
    );
    assert!(!page.body.contains(&session), "abuse SE-05");

    assert!(page.body.contains("action=\"/am/oauth2/realms/root/realms/alpha/authorize\""));
    let inputs = inputs(&page.body);
    let send = |inputs: Vec<(String, String)>, session: String, decision: &'static str| {
        let mut pairs: Vec<(&str, &str)> = inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        pairs.push(("decision", decision));
        let request = with_session(post(&format!("{ALPHA}/authorize"), &pairs), &session);
        let world = &world;
        async move { world.send(request).await }
    };
    let allowed = send(inputs.clone(), session.clone(), "allow").await;
    assert_eq!(allowed.status, 303, "abuse AZ-12");
    let answer = allowed.redirected(CALLBACK);
    assert!(answer.contains_key("code"));
    assert_eq!(answer["state"], hostile);
    let denied = send(inputs.clone(), session.clone(), "deny").await.redirected(CALLBACK);
    assert_eq!(denied["error"], "access_denied");

    // Another request, another session, later: the token of the page fits none of them (abuse SE-02, SE-08).
    let mut wider = inputs.clone();
    wider.iter_mut().filter(|(name, _)| name == "scope").for_each(|(_, value)| value.push_str(" write"));
    assert_page(&send(wider, session.clone(), "allow").await, 400, "bad_request", "");
    let other = world.session("demo").await;
    assert_page(&send(inputs.clone(), other, "allow").await, 400, "bad_request", "");
    world.wait(601).await;
    assert_page(&send(inputs, session, "allow").await, 400, "bad_request", "");
}

#[actix_web::test]
async fn a_post_that_decides_nothing_is_a_request() {
    let (world, session) = world().await;
    let pairs = [("scope", "read"), ("response_type", "code"), ("client_id", "c"), ("redirect_uri", CALLBACK)];
    let page = world.send(with_session(post(&format!("{ALPHA}/authorize"), &pairs), &session)).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<form"));
}

#[actix_web::test]
async fn az_20_a_fresh_login_is_demanded_and_noticed() {
    let (world, session) = world().await;
    world.client("/alpha", "c", json!({ "advancedOAuth2ClientConfig": { "isConsentImplied": true } })).await;
    world.write("/alpha", Kind::Service, "oauth-oidc", json!({ "consent": { "clientsCanSkipConsent": true } })).await;
    world.wait(100).await;
    let login = "https://am.example.com:8443/am/UI/Login";
    for more in [("prompt", "login"), ("max_age", "0"), ("max_age", "60")] {
        let reply = get(&world, &session, &[more]).await;
        let goto = reply.redirected(login)["goto"].clone();
        assert!(!goto.contains("prompt"));
        let back = goto.strip_prefix("https://am.example.com:8443").expect("ours").to_owned();
        let return_with = |session: String| world.send(with_session(TestRequest::get().uri(&back), &session));
        // The old session comes back: it is sent to log in again. A new one is accepted.
        assert!(return_with(session.clone()).await.redirected(login).contains_key("goto"), "{more:?}");
        world.wait(1).await;
        let fresh = world.session("demo").await;
        assert!(return_with(fresh).await.redirected(CALLBACK).contains_key("code"), "{more:?}");
        // A marker of one's own making is worth nothing.
        let forged = get(&world, &session, &[more, ("login_after", "e30.e30.x")]).await;
        assert!(forged.redirected(login).contains_key("goto"));
    }
    assert!(get(&world, &session, &[("max_age", "3600")]).await.redirected(CALLBACK).contains_key("code"));
    let default = json!({ "advancedOAuth2ClientConfig": { "isConsentImplied": true },
        "coreOpenIDClientConfig": { "defaultMaxAgeEnabled": true, "defaultMaxAge": 50 } });
    world.client("/alpha", "c", default).await;
    assert!(get(&world, &session, &[]).await.redirected(login).contains_key("goto"));
}

#[actix_web::test]
async fn the_only_registered_uri_need_not_be_named() {
    let (world, session) = world().await;
    let pairs =
        [("scope", "read"), ("response_type", "code"), ("client_id", "c"), ("decision", "allow"), ("csrf", &session)];
    let reply = world.send(with_session(post(&format!("{ALPHA}/authorize"), &pairs), &session)).await;
    let code = reply.redirected(CALLBACK).remove("code").expect("a code");
    assert_eq!(world.redeem("c", &code, &[]).await.status, 200);
}
