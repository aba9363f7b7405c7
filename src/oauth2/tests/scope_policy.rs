//! `usePolicyEngineForScope` over HTTP (authorization.md §8.2).

use super::*;
use crate::actors::policy_sets::set_id;

/// Scope is put to policy in `/alpha`: `read` is granted to whoever is signed in and to client `c`, `write` is denied to
/// everybody, nobody says anything about `mail`.
async fn world() -> (World, String) {
    let world = World::new().await;
    let provider = json!({ "coreOAuth2Config": { "usePolicyEngineForScope": true, "scopesPolicySet": "Scopes" },
        "consent": { "clientsCanSkipConsent": true } });
    world.write("/alpha", Kind::Service, "oauth-oidc", provider).await;
    let set = json!({ "name": "Scopes", "applicationType": "iPlanetAMWebAgentService", "resourceTypeUuids": ["S"] });
    world.write("/alpha", Kind::PolicySet, &set_id("Scopes"), set).await;
    let policy = |name: &str, resource: &str, grant: bool, subject: Value| {
        json!({ "name": name, "applicationName": "Scopes", "resourceTypeUuid": "S", "resources": [resource],
            "actionValues": { "GRANT": grant }, "subject": subject })
    };
    let signed_in = json!({ "type": "AuthenticatedUsers" });
    let is_c = json!({ "type": "JwtClaim", "claimName": "client", "claimValue": "c" });
    let everybody = json!({ "type": "NOT", "subject": { "type": "NONE" } });
    for (name, body) in [
        ("a", policy("a", "read", true, json!({ "type": "OR", "subjects": [signed_in, is_c] }))),
        ("b", policy("b", "write", false, everybody)),
    ] {
        world.write("/alpha", Kind::Policy, name, body).await;
    }
    let scopes = json!({ "coreOAuth2ClientConfig": { "scopes": ["read", "write", "mail"] } });
    world.client("/alpha", "c", scopes.clone()).await;
    let implied = json!({ "advancedOAuth2ClientConfig": { "isConsentImplied": true } });
    world.client("/alpha", "implied", merged(scopes.clone(), &implied)).await;
    let off = json!({ "overrideOAuth2ClientConfig": { "providerOverridesEnabled": true } });
    world.client("/alpha", "off", merged(scopes, &off)).await;
    world.user("demo").await;
    let session = world.session("demo").await;
    (world, session)
}

async fn granted(world: &World, client: &str, scope: &str) -> Option<String> {
    let asked =
        [("grant_type", "client_credentials"), ("scope", scope), ("client_id", client), ("client_secret", SECRET)];
    let reply = world.post("access_token", &asked).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["scope"].as_str().map(str::to_owned)
}

#[actix_web::test]
async fn clients_get_what_policy_grants() {
    let (world, _) = world().await;
    for (client, scope, expected) in [
        ("c", "read write mail", Some("read")),
        ("c", "write", None),
        ("c", "mail", None),
        // Consent is implied: what nobody decides is granted, what is denied is not.
        ("implied", "read write mail", Some("read mail")),
        // The override is laid over the provider: this client is not put to policy.
        ("off", "read write mail", Some("read write mail")),
    ] {
        assert_eq!(granted(&world, client, scope).await.as_deref(), expected, "{client}: {scope}");
    }
    // Policy narrows what the profile allows; it does not widen it.
    let asked =
        [("grant_type", "client_credentials"), ("scope", "read other"), ("client_id", "c"), ("client_secret", SECRET)];
    assert_eq!(
        world.post("access_token", &asked).await.error(),
        error(400, "invalid_scope", "Unknown/invalid scope(s): [other]")
    );
    // A set that is gone grants nothing.
    let key = DocumentKey::new(&"/alpha".into(), Kind::PolicySet, &set_id("Scopes"));
    world.desk.write(vec![crate::desk::delete(key, Precondition::Any)]).await.expect("deletes");
    let asked =
        [("grant_type", "client_credentials"), ("scope", "read"), ("client_id", "implied"), ("client_secret", SECRET)];
    assert_eq!(world.post("access_token", &asked).await.error().1, "server_error");
}

#[actix_web::test]
async fn owners_are_asked_about_what_policy_leaves_open() {
    let (world, session) = world().await;
    let get = |scope: &str| {
        let query =
            form(&[("response_type", "code"), ("client_id", "c"), ("redirect_uri", CALLBACK), ("scope", scope)]);
        with_session(TestRequest::get().uri(&format!("{ALPHA}/authorize?{query}")), &session)
    };
    // Granted: no consent. What is denied is not spoken of.
    for scope in ["read", "read write"] {
        let reply = world.send(get(scope)).await;
        let code = reply.redirected(CALLBACK).remove("code").expect("a code");
        assert_eq!(world.redeem("c", &code, &[]).await.json()["scope"], "read", "{scope}");
    }
    // Open: the owner is asked about that, and about nothing else.
    let page = world.send(get("read write mail")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(
        page.body.contains("<li>mail</li>")
            && !page.body.contains("<li>read</li>")
            && !page.body.contains("<li>write</li>")
    );
    let code = world.code(&session, "c", "read write mail", &[]).await;
    assert_eq!(world.redeem("c", &code, &[]).await.json()["scope"], "read mail");
    // Everything is denied: a code without scope.
    let code = world.code(&session, "c", "write", &[]).await;
    assert_eq!(world.redeem("c", &code, &[]).await.json().get("scope"), None);
}
