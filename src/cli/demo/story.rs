//! What the demo asks for and what must come out: one API gets a token for another API, scoped and
//! addressed by policy, from any node; any node can introspect it; a revocation answered anywhere is
//! true everywhere; and none of it is lost with a leader.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::nodes::{Nodes, random};
use super::talk::{Answer, Call, Kept, Talk, millis};
use super::{Broken, READY_WITHIN};

/// Nodes that tree `Example` of every realm has, and the two ends of all trees.
const HEADERS: &str = "eccbc87e-4b5c-32fe-a830-8fd9f2a7baf3";
const DATA_STORE: &str = "c81e728d-9d4c-3f63-af06-7f89cc14862c";
const SUCCESS: &str = "70e691a5-1e33-4ac3-a356-e7b6d60d92e0";
const FAILURE: &str = "e301438c-0bd0-429c-ab0c-66126501069a";
const REALM: &str = "realms/root/realms/alpha";
const CONSUMER: &str = "scopeDrivenAPI1Client";
const PROVIDER: &str = "scopeDrivenAPI2Client";
const SCOPE: &str = "api://scopeDrivenAPI2Client/read";
const REDIRECT_URI: &str = "https://api1.example.com/callback";
const USER: &str = "ada";

const COOKIE: &str = "iPlanetDirectoryPro";
const ACCEPT: &str = "Accept-API-Version";

/// Longest time without a leader before the step counts as failed.
const NEW_LEADER_WITHIN: Duration = Duration::from_secs(15);
/// Whose tokens a client gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tokens {
    /// Opaque; the cluster keeps them.
    ServerSide,
    /// Signed JWTs; the cluster keeps those that were revoked.
    ClientBased,
}

/// Something that is created by POST: what it is, where below `/json`, and in which version.
struct Kind {
    what: &'static str,
    collection: &'static str,
    version: &'static str,
}

const REALMS: Kind = Kind { what: "realm", collection: "global-config/realms", version: "protocol=2.1,resource=1.0" };
const USERS: Kind =
    Kind { what: "user", collection: "realms/root/realms/alpha/users", version: "protocol=2.1,resource=4.0" };
const RESOURCE_TYPES: Kind = Kind {
    what: "resource type",
    collection: "realms/root/realms/alpha/resourcetypes",
    version: "protocol=1.0,resource=1.0",
};
const POLICY_SETS: Kind = Kind {
    what: "policy set",
    collection: "realms/root/realms/alpha/applications",
    version: "protocol=1.0,resource=2.1",
};
const POLICIES: Kind =
    Kind { what: "policy", collection: "realms/root/realms/alpha/policies", version: "protocol=1.0,resource=2.1" };

pub(super) async fn tell(talk: &mut Talk, nodes: &mut Nodes) -> Result<(), Broken> {
    let mut story = Story { talk, nodes };
    let user_id = story.set_up().await?;
    story.client_credentials().await?;
    story.authorization_code(&user_id).await?;
    story.leader_dies().await
}

struct Story<'a> {
    talk: &'a mut Talk,
    nodes: &'a mut Nodes,
}

impl Story<'_> {
    /// Realm, clients, policy and user; the user's id.
    async fn set_up(&mut self) -> Result<String, Broken> {
        self.talk.heading("Setting up: a realm, two APIs, a policy between them, a user");
        let password = self.nodes.admin_password().expose().to_owned();
        self.talk.hide("ADMIN_PASSWORD", &password);
        for name in ["API1_SECRET", "API2_SECRET", "USER_PASSWORD"] {
            self.talk.hide(name, random()?.expose());
        }

        let login = Call::new(Method::POST, self.url(1, "json/realms/root/authenticate")?)
            .header("X-OpenAM-Username", "amAdmin")
            .header("X-OpenAM-Password", password)
            .header("Content-Type", "application/json")
            .header(ACCEPT, "resource=2.1")
            .keep(Kept::Member("tokenId"), "ADMIN_SSO");
        let answer = self.talk.send(login).await?;
        self.talk.must("amAdmin is logged in", answer.status == 200 && self.talk.kept("ADMIN_SSO").is_ok())?;

        let realm = json!({"name": "alpha", "active": true, "parentPath": "/", "aliases": []});
        self.create(1, &REALMS, realm).await?;

        self.put_client(2, CONSUMER, Tokens::ServerSide).await?;
        self.put_client(3, PROVIDER, Tokens::ServerSide).await?;

        let user = json!({
            "username": USER, "userpassword": self.talk.kept("USER_PASSWORD")?, "mail": "ada@example.com",
        });
        let user = self.create(1, &USERS, user).await?;
        let user_id = user.text("_id").unwrap_or(USER).to_owned();

        let kind = json!({
            "name": PROVIDER, "patterns": [format!("api://{PROVIDER}/*")], "actions": {"GRANT": true},
        });
        let kind = self.create(2, &RESOURCE_TYPES, kind).await?;
        let set = json!({
            "name": PROVIDER, "displayName": format!("{PROVIDER} Policies"),
            "applicationType": "iPlanetAMWebAgentService", "entitlementCombiner": "DenyOverride",
            "resourceTypeUuids": [kind.member("uuid")],
            "subjects": ["AND", "OR", "NOT", "JwtClaim", "AuthenticatedUsers", "Identity", "NONE"],
            "conditions": [], "attributeNames": [],
        });
        self.create(3, &POLICY_SETS, set).await?;
        let is = |subject: &str| json!({"type": "JwtClaim", "claimName": "subject", "claimValue": subject});
        let policy = json!({
            "name": "read", "active": true, "applicationName": PROVIDER, "resourceTypeUuid": kind.member("uuid"),
            "resources": [SCOPE], "actionValues": {"GRANT": true},
            "subject": {"type": "OR", "subjects": [is(CONSUMER), is(&user_id)]},
        });
        self.create(1, &POLICIES, policy).await?;
        Ok(user_id)
    }

    /// First walk-through: the API asks for itself.
    async fn client_credentials(&mut self) -> Result<(), Broken> {
        self.talk.heading("Client credentials: issued on node 1, introspected on node 2");
        let issue = self.issue(1)?.keep(Kept::Member("access_token"), "TOKEN");
        let answer = self.talk.send(issue).await?;
        self.talk.must("a token was issued", answer.status == 200 && self.talk.kept("TOKEN").is_ok())?;

        let answer = self.introspect(2, "TOKEN", CONSUMER).await?;
        self.holds(&answer, "active", json!(true));
        self.holds(&answer, "scope", json!("read"));
        self.holds(&answer, "realm", json!("/alpha"));
        self.holds(&answer, "client_id", json!(CONSUMER));
        self.holds(&answer, "aud", json!(PROVIDER));
        self.holds(&answer, "policyResult", json!(true));
        Ok(())
    }

    /// Second walk-through: the API asks for a user, and tokens are client-based.
    async fn authorization_code(&mut self, user_id: &str) -> Result<(), Broken> {
        self.talk.heading("Authorization code: the user is the subject, tokens are signed JWTs");
        let provider = json!({"coreOAuth2Config": {"statelessTokensEnabled": true}});
        let put = self
            .admin(Method::PUT, 1, &in_realm("realm-config/services/oauth-oidc"), "protocol=2.1,resource=1.0")?
            .json(provider)
            .brief();
        let answer = self.talk.send(put).await?;
        self.talk.must("the realm's tokens are client-based", matches!(answer.status, 200 | 201))?;
        // A client with overrides of its own takes this setting from them, not from the realm.
        self.put_client(2, CONSUMER, Tokens::ClientBased).await?;

        let tree = json!({
            "entryNodeId": HEADERS,
            "nodes": {
                HEADERS: {"displayName": "Headers", "nodeType": "ZeroPageLoginNode", "x": 0, "y": 0,
                    "connections": {"true": DATA_STORE, "false": FAILURE}},
                DATA_STORE: {"displayName": "Data Store", "nodeType": "DataStoreDecisionNode", "x": 0, "y": 0,
                    "connections": {"true": SUCCESS, "false": FAILURE}},
            },
        });
        let path = in_realm("realm-config/authentication/authenticationtrees/trees/PasswordGrant");
        let put = self.admin(Method::PUT, 3, &path, "protocol=2.1,resource=1.0")?.json(tree).brief();
        let answer = self.talk.send(put).await?;
        self.talk.must("there is a journey for name and password in headers", matches!(answer.status, 200 | 201))?;

        let login = "authenticate?authIndexType=service&authIndexValue=PasswordGrant";
        let login = Call::new(Method::POST, self.url(2, &in_realm(login))?)
            .header("X-OpenAM-Username", USER)
            .header("X-OpenAM-Password", self.talk.kept("USER_PASSWORD")?)
            .header("Content-Type", "application/json")
            .header(ACCEPT, "resource=2.1")
            .keep(Kept::Member("tokenId"), "USER_SSO");
        let answer = self.talk.send(login).await?;
        self.talk.must("the user is logged in", answer.status == 200 && self.talk.kept("USER_SSO").is_ok())?;

        let session = self.talk.kept("USER_SSO")?;
        let authorize = Call::new(Method::POST, self.oauth2(3, "authorize")?)
            .header("Cookie", format!("{COOKIE}={session}"))
            .form([
                ("scope", SCOPE),
                ("response_type", "code"),
                ("client_id", CONSUMER),
                ("redirect_uri", REDIRECT_URI),
                ("decision", "allow"),
                ("csrf", &session),
            ])
            .keep(Kept::Query("code"), "CODE");
        let answer = self.talk.send(authorize).await?;
        let there = answer.location.as_deref().is_some_and(|url| url.starts_with(REDIRECT_URI));
        let redirected = matches!(answer.status, 302 | 303) && there && self.talk.kept("CODE").is_ok();
        self.talk.must("node 3 sends the browser back with a code", redirected)?;

        let exchange = Call::new(Method::POST, self.oauth2(1, "access_token")?)
            .form([
                ("grant_type", "authorization_code"),
                ("code", &self.talk.kept("CODE")?),
                ("redirect_uri", REDIRECT_URI),
                ("client_id", CONSUMER),
                ("client_secret", &self.talk.kept("API1_SECRET")?),
            ])
            .keep(Kept::Member("access_token"), "USER_TOKEN");
        let answer = self.talk.send(exchange).await?;
        let jwt = self.talk.kept("USER_TOKEN").is_ok_and(|token| token.matches('.').count() == 2);
        self.talk.must("node 1 exchanges the code for a signed JWT", answer.status == 200 && jwt)?;

        let answer = self.introspect(2, "USER_TOKEN", PROVIDER).await?;
        self.holds(&answer, "active", json!(true));
        self.holds(&answer, "scope", json!("read"));
        self.holds(&answer, "client_id", json!(PROVIDER));
        self.holds(&answer, "user_id", json!(user_id));
        self.holds(&answer, "policyResult", json!(true));

        self.talk.note("a client-based token is its audience's: the API that asked for it may not look inside");
        let answer = self.introspect(3, "USER_TOKEN", CONSUMER).await?;
        self.holds(&answer, "active", json!(false));
        Ok(())
    }

    /// SIGKILL of the leader, revocation without it, and its return.
    async fn leader_dies(&mut self) -> Result<(), Broken> {
        self.talk.heading("The leader dies");
        self.talk.note("back to server-side tokens, so that each one is a durable write of the cluster");
        self.put_client(1, CONSUMER, Tokens::ServerSide).await?;

        let ready = self.talk.send(Call::new(Method::GET, self.url(1, "json/health/ready")?)).await?;
        let leader = ready.member("leader").as_u64();
        let leader = leader.ok_or_else(|| Broken::Step("node 1 does not say who leads".into()))?;
        let pid = self.nodes.kill(leader)?;
        let died = Instant::now();
        self.talk.note(&format!("kill -9 {pid}   # node {leader}, which led"));

        let survivors = self.nodes.alive();
        let (first, last) = match survivors.as_slice() {
            [first, .., last] => (*first, *last),
            _ => return Err(Broken::Step("fewer than two nodes are left".into())),
        };
        let issue = self.issue(first)?.keep(Kept::Member("access_token"), "NEXT_TOKEN");
        let answer = self.talk.send(issue.patient(NEW_LEADER_WITHIN)).await?;
        let what = format!("node {first} issued the next token {} after the leader's death", millis(died.elapsed()));
        self.talk.must(&what, answer.status == 200 && self.talk.kept("NEXT_TOKEN").is_ok())?;

        for node in &survivors {
            let answer = self.introspect(*node, "TOKEN", CONSUMER).await?;
            self.active_on(*node, &answer, "the first token", true);
        }
        let answer = self.introspect(last, "USER_TOKEN", PROVIDER).await?;
        self.active_on(last, &answer, "the user's token", true);

        self.talk.heading("Revoked on one node, over on all");
        let revoke = Call::new(Method::POST, self.oauth2(last, "token/revoke")?).form([
            ("token", &self.talk.kept("TOKEN")?),
            ("client_id", CONSUMER),
            ("client_secret", &self.talk.kept("API1_SECRET")?),
        ]);
        let answer = self.talk.send(revoke).await?;
        self.talk.must(&format!("node {last} revoked the first token"), answer.status == 200)?;
        for node in &survivors {
            let answer = self.introspect(*node, "TOKEN", CONSUMER).await?;
            self.active_on(*node, &answer, "the first token", false);
        }

        self.talk.heading("The dead node comes back");
        self.nodes.start(leader)?;
        let took = self.nodes.ready(self.talk, leader, READY_WITHIN).await?;
        self.talk.check(&format!("node {leader} is ready again after {}", millis(took)), true);
        let answer = self.introspect(leader, "TOKEN", CONSUMER).await?;
        self.active_on(leader, &answer, "the token that was revoked while it was dead", false);
        let answer = self.introspect(leader, "NEXT_TOKEN", CONSUMER).await?;
        self.active_on(leader, &answer, "the token that was issued while it was dead", true);
        Ok(())
    }

    fn issue(&self, node: u64) -> Result<Call, Broken> {
        Ok(Call::new(Method::POST, self.oauth2(node, "access_token")?).form([
            ("scope", SCOPE),
            ("grant_type", "client_credentials"),
            ("client_id", CONSUMER),
            ("client_secret", &self.talk.kept("API1_SECRET")?),
        ]))
    }

    async fn introspect(&mut self, node: u64, token: &str, client: &str) -> Result<Answer, Broken> {
        let secret = self.talk.kept(if client == CONSUMER { "API1_SECRET" } else { "API2_SECRET" })?;
        let call = Call::new(Method::POST, self.oauth2(node, "introspect")?).form([
            ("token", &self.talk.kept(token)?),
            ("client_id", client),
            ("client_secret", &secret),
        ]);
        // Rather than a stale answer, a node that does not know the new leader yet gives none (G7).
        self.talk.send(call.patient(NEW_LEADER_WITHIN)).await
    }

    /// One of the two APIs as an OAuth 2.0 client; the consumer's scopes are decided by policy.
    async fn put_client(&mut self, node: u64, id: &str, tokens: Tokens) -> Result<(), Broken> {
        let secret = self.talk.kept(if id == CONSUMER { "API1_SECRET" } else { "API2_SECRET" })?;
        let mut client = json!({
            "coreOAuth2ClientConfig": {
                "userpassword": secret,
                "clientType": set("Confidential"),
            },
            "advancedOAuth2ClientConfig": {
                "grantTypes": set(json!(["client_credentials"])),
                "tokenEndpointAuthMethod": set("client_secret_post"),
            },
        });
        if id == CONSUMER {
            client = json!({
                "coreOAuth2ClientConfig": {
                    "userpassword": secret,
                    "clientType": set("Confidential"),
                    "redirectionUris": set(json!([REDIRECT_URI])),
                },
                "advancedOAuth2ClientConfig": {
                    "grantTypes": set(json!(["client_credentials", "authorization_code"])),
                    "responseTypes": set(json!(["code"])),
                    "tokenEndpointAuthMethod": set("client_secret_post"),
                    "isConsentImplied": set(true),
                },
                "overrideOAuth2ClientConfig": {
                    "providerOverridesEnabled": true,
                    "validateScopePluginType": "POLICY",
                    "accessTokenModificationPluginType": "POLICY",
                    "statelessTokensEnabled": tokens == Tokens::ClientBased,
                    "clientsCanSkipConsent": true,
                },
            });
        }
        let path = in_realm(&format!("realm-config/agents/OAuth2Client/{id}"));
        let put = self.admin(Method::PUT, node, &path, "protocol=2.1,resource=1.0")?.json(client).brief();
        let answer = self.talk.send(put).await?;
        self.talk.must(&format!("node {node} knows client {id}"), matches!(answer.status, 200 | 201))
    }

    async fn create(&mut self, node: u64, kind: &Kind, body: Value) -> Result<Answer, Broken> {
        let path = format!("json/{}?_action=create", kind.collection);
        let call = self.admin(Method::POST, node, &path, kind.version)?.json(body).brief();
        let answer = self.talk.send(call).await?;
        self.talk.must(&format!("node {node} created the {}", kind.what), answer.status == 201)?;
        Ok(answer)
    }

    fn admin(&self, method: Method, node: u64, path: &str, version: &str) -> Result<Call, Broken> {
        let call = Call::new(method, self.url(node, path)?);
        Ok(call.header(COOKIE, self.talk.kept("ADMIN_SSO")?).header(ACCEPT, version))
    }

    fn holds(&mut self, answer: &Answer, member: &str, expected: Value) {
        let found = answer.member(member);
        let held = answer.status == 200 && found == expected;
        let what =
            if held { format!("{member} is {expected}") } else { format!("{member} is {found}, not {expected}") };
        self.talk.check(&what, held);
    }

    fn active_on(&mut self, node: u64, answer: &Answer, token: &str, active: bool) {
        let held = answer.status == 200 && answer.member("active") == json!(active);
        self.talk.check(&format!("node {node}: {token} is {}active", if active { "" } else { "not " }), held);
    }

    fn url(&self, node: u64, path: &str) -> Result<String, Broken> {
        Ok(format!("http://{}/am/{path}", self.nodes.node(node)?.http))
    }

    fn oauth2(&self, node: u64, endpoint: &str) -> Result<String, Broken> {
        self.url(node, &format!("oauth2/{REALM}/{endpoint}"))
    }
}

fn in_realm(path: &str) -> String {
    format!("json/{REALM}/{path}")
}

/// An attribute of a client, set on it and not inherited.
fn set(value: impl Into<Value>) -> Value {
    json!({"inherited": false, "value": value.into()})
}
