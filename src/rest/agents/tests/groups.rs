//! oauth2-config.md §2, §10: groups, what is inherited from them, and that a status from there keeps G3.

use super::{AGENTS, CLIENTS, rig, set};
use crate::{
    caller,
    oauth2::client::Client,
    rest::testing::{Reply, Rig},
};
use proptest::prelude::*;
use quorate_raft::{Kind, RealmPath, Seq};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn group(rig: &Rig, id: &str, body: Value) -> Reply {
    rig.send("PUT", &format!("{AGENTS}/groups/OAuth2Client/{id}"), body).await
}

async fn client(rig: &Rig, id: &str, body: Value) -> Reply {
    rig.send("PUT", &format!("{CLIENTS}/{id}"), body).await
}

fn inherit() -> Value {
    json!({"inherited": true})
}

fn inherited(value: Value) -> Value {
    json!({"inherited": true, "value": value})
}

/// What the OAuth side sees: scopes, and whether and under which fence the client stands.
fn effective(rig: &Rig, id: &str) -> (Vec<String>, bool, Seq) {
    let entry = rig.desk.document(&RealmPath::from("/alpha"), Kind::OAuth2Client, id).expect("stored");
    let (client, fence) = Client::of(rig.desk.views(), &entry);
    let standing = caller::standing(rig.desk.views(), Kind::OAuth2Client, &entry);
    assert_eq!((client.active, fence), (standing.active, standing.fence), "two readers, one answer");
    (client.scopes.iter().map(ToString::to_string).collect(), standing.active, fence)
}

#[actix_web::test]
async fn a_group_lives_and_dies() {
    let rig = rig().await;
    let path = format!("{AGENTS}/groups/OAuth2Client/g");
    assert_eq!(rig.get(&path).await.error(), (404, "Not Found"));
    let created = group(&rig, "g", json!({"coreOAuth2ClientConfig": {"scopes": ["openid"]}})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let core = &created.json["coreOAuth2ClientConfig"];
    assert_eq!((&core["scopes"], &core["status"]), (&json!(["openid"]), &json!("Active")), "plain");
    for absent in ["userpassword", "agentgroup", "secretLabelIdentifier"] {
        assert_eq!(core.get(absent), None, "{absent}");
    }
    assert_eq!(created.json["_type"]["_id"], "OAuth2Client");
    let again = rig.send("PUT", &path, created.json.clone()).await;
    assert_eq!((again.status, &again.json), (200, &created.json));
    let taken = rig.send("POST", &format!("{AGENTS}/groups/OAuth2Client?_action=create"), json!({"_id": "g"})).await;
    assert_eq!(taken.error(), (409, "Unable to save config: Service already exists"));
    for (body, message) in [
        (json!({"coreOAuth2ClientConfig": {"userpassword": "group-secret"}}), "Invalid attribute specified."),
        (json!({"coreOAuth2ClientConfig": {"agentgroup": "h"}}), "Invalid attribute specified."),
        (json!({"isAdmin": true}), "Invalid attribute specified."),
        (json!({"coreOAuth2ClientConfig": {"status": "Gone"}}), "Data validation failed for the attribute, Status"),
    ] {
        assert_eq!(group(&rig, "h", body).await.error(), (400, message));
    }
    let listed = rig.get(&format!("{AGENTS}/groups/OAuth2Client?_queryFilter=true")).await.json;
    assert_eq!((&listed["resultCount"], &listed["result"][0]["_id"]), (&json!(1), &json!("g")));
    let template = rig.send("POST", &format!("{AGENTS}/groups/OAuth2Client?_action=template"), json!({})).await.json;
    assert_eq!(template["coreOAuth2ClientConfig"].get("agentgroup"), None);
    let issuer = json!({"issuer": "https://idp.example.org"});
    let issuer = rig.send("PUT", &format!("{AGENTS}/groups/TrustedJwtIssuer/t"), issuer).await;
    assert_eq!(issuer.error(), (400, "Invalid attribute specified."), "an issuer is one agent's own");
    rig.send("PUT", &format!("{AGENTS}/groups/TrustedJwtIssuer/t"), json!({})).await;
    let all = rig.send("POST", &format!("{AGENTS}/groups?_action=nextdescendents"), json!({})).await.json;
    let ids: Vec<&str> = all["result"].as_array().into_iter().flatten().filter_map(|g| g["_id"].as_str()).collect();
    assert_eq!(ids, ["g", "t"]);
    let types = rig.send("POST", &format!("{AGENTS}/groups?_action=getAllTypes"), json!({})).await.json;
    assert!(types["result"].as_array().is_some_and(|types| types.iter().all(|t| t["_id"] != "2.2_Agent")));
    assert_eq!(rig.get(&format!("{AGENTS}/groups/2.2_Agent/x")).await.status, 404);
    let deleted = rig.admin("DELETE", &path).go().await;
    assert_eq!((deleted.status, &deleted.json["_id"]), (200, &json!("g")));
    let found = rig.get(&format!("{AGENTS}/groups?_queryFilter=_id+eq+'g'")).await.json;
    assert_eq!(found["resultCount"], 0);
}

/// §2.1, §2.2, §10.
#[actix_web::test]
async fn a_client_takes_what_it_inherits_and_only_that() {
    let rig = rig().await;
    let body = json!({"coreOAuth2ClientConfig": {"scopes": ["openid", "profile"], "clientName": ["From the group"]},
        "coreOpenIDClientConfig": {"clientSessionUri": "https://app.example.com/"}});
    group(&rig, "g", body).await;
    let body = json!({
        "coreOAuth2ClientConfig": {"agentgroup": "g", "userpassword": "own-secret", "scopes": inherit(),
            "clientName": ["Own"], "redirectionUris": inherited(json!(["https://ignored.example.com/"]))},
        "coreOpenIDClientConfig": {"clientSessionUri": inherit(), "backchannel_logout_uri": inherit()},
    });
    let created = client(&rig, "c", body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let core = &created.json["coreOAuth2ClientConfig"];
    assert_eq!((&core["agentgroup"], &core["scopes"]), (&json!("g"), &inherited(json!(["openid", "profile"]))));
    assert_eq!((&core["clientName"], &core["redirectionUris"]), (&set(json!(["Own"])), &inherited(json!([]))));
    let openid = &created.json["coreOpenIDClientConfig"];
    assert_eq!(openid["clientSessionUri"], inherited(json!("https://app.example.com/")));
    assert_eq!(openid["backchannel_logout_uri"], inherit(), "unset there, unset here");
    let listed = rig.get(&format!("{CLIENTS}?_queryFilter=true")).await.json;
    let core = &listed["result"][0]["coreOAuth2ClientConfig"];
    assert_eq!((&core["agentgroup"], &core["scopes"]), (&json!("g"), &json!(["openid", "profile"])), "lists are plain");
    assert_eq!(effective(&rig, "c").0, ["openid", "profile"]);

    // A change of the group is a change of the client, at once and in its revision.
    group(
        &rig,
        "g",
        json!({"coreOAuth2ClientConfig": {"scopes": ["read"], "redirectionUris": ["https://a.example/"]}}),
    )
    .await;
    let read = rig.get(&format!("{CLIENTS}/c")).await;
    assert_ne!(read.json["_rev"], created.json["_rev"]);
    assert_eq!(read.json["coreOAuth2ClientConfig"]["scopes"], inherited(json!(["read"])));
    assert_eq!(effective(&rig, "c").0, ["read"]);
    let stale = created.header("ETag").expect("a tag");
    let refused = rig.admin("PUT", &format!("{CLIENTS}/c")).header("If-Match", stale).json(&json!({})).await;
    assert_eq!(refused.status, 412, "who saw the former group saw another client");
    let round = client(&rig, "c", read.json.clone()).await;
    assert_eq!((round.status, &round.json), (200, &read.json), "what was read can be written");

    // In use it is not deleted; a group that is absent is not assigned.
    let in_use = rig.admin("DELETE", &format!("{AGENTS}/groups/OAuth2Client/g")).go().await;
    assert_eq!(in_use.error(), (409, "The resource is in use by 'c'"));
    let absent = client(&rig, "c", json!({"coreOAuth2ClientConfig": {"agentgroup": "nosuch"}})).await;
    assert_eq!(absent.error(), (400, "Data validation failed for the attribute, Group"));
    rig.send("PUT", &format!("{AGENTS}/groups/IdentityGatewayAgent/ig"), json!({})).await;
    let other = client(&rig, "c", json!({"coreOAuth2ClientConfig": {"agentgroup": "ig"}})).await;
    assert_eq!(other.error(), (400, "Data validation failed for the attribute, Group"), "of another type");

    // Another group: what is inherited follows.
    group(&rig, "h", json!({"coreOAuth2ClientConfig": {"scopes": ["write"]}})).await;
    let moved = json!({"coreOAuth2ClientConfig": {"agentgroup": "h", "scopes": inherit(), "clientName": inherit()}});
    client(&rig, "c", moved).await;
    assert_eq!(effective(&rig, "c").0, ["write"]);
    assert_eq!(rig.admin("DELETE", &format!("{AGENTS}/groups/OAuth2Client/g")).go().await.status, 200);

    // No group: the last values are the client's own, unless it says others.
    group(&rig, "h", json!({"coreOAuth2ClientConfig": {"scopes": ["last"], "clientName": ["Last"]}})).await;
    let left = client(
        &rig,
        "c",
        json!({"coreOAuth2ClientConfig": {"agentgroup": null, "scopes": inherit(), "clientName": ["Other"]}}),
    )
    .await;
    let core = &left.json["coreOAuth2ClientConfig"];
    assert_eq!(
        (core.get("agentgroup"), &core["scopes"], &core["clientName"]),
        (None, &set(json!(["last"])), &set(json!(["Other"])))
    );
    assert_eq!(rig.admin("DELETE", &format!("{AGENTS}/groups/OAuth2Client/h")).go().await.status, 200);
    assert_eq!(effective(&rig, "c").0, ["last"]);
    // §2.4: without a group nothing is inherited.
    let alone = client(
        &rig,
        "d",
        json!({"coreOAuth2ClientConfig": {"scopes": inherited(json!(["own"])), "status": inherit()}}),
    )
    .await;
    let core = &alone.json["coreOAuth2ClientConfig"];
    assert_eq!((&core["scopes"], &core["status"]), (&set(json!(["own"])), &set(json!("Active"))));
    let (verifier, _) = super::stored(&rig, Kind::OAuth2Client, "c");
    assert_eq!(
        rig.desk.passwords().verify(verifier["_verifier"].as_str(), "own-secret").await,
        Ok(true),
        "all the while"
    );
}

/// G3 with a session: a gateway agent whose status comes from its group.
#[actix_web::test]
async fn a_session_dies_with_the_status_of_the_group() {
    let rig = rig().await;
    let group = |status: &'static str| {
        rig.send(
            "PUT",
            "/realms/root/realms/alpha/realm-config/agents/groups/IdentityGatewayAgent/g",
            json!({"status": status}),
        )
    };
    group("Active").await;
    let body = json!({"agentgroup": "g", "status": inherit(), "userpassword": "gateway-secret"});
    let created = rig.send("PUT", &format!("{AGENTS}/IdentityGatewayAgent/ig"), body).await;
    assert_eq!((created.status, &created.json["agentgroup"]), (201, &json!("g")), "{}", created.text);
    let login = async || {
        let reply = rig.sign_in("/realms/root/realms/alpha", "Agent", "ig", "gateway-secret").await;
        reply.json["tokenId"].as_str().map(str::to_owned)
    };
    let alive = |token: &str| caller::session(&rig.desk, token).is_some();
    let first = login().await.expect("logs in");
    assert!(alive(&first));
    group("Inactive").await;
    assert!(!alive(&first));
    assert!(login().await.is_none());
    group("Active").await;
    assert!(!alive(&first), "what died stays dead");
    let second = login().await.expect("logs in");
    assert!(alive(&second));
    // Leaving the group, and coming back to one that is older, brings nothing back.
    rig.send("PUT", &format!("{AGENTS}/IdentityGatewayAgent/ig"), json!({})).await;
    assert!(!alive(&first) && !alive(&second));
    rig.send("PUT", &format!("{AGENTS}/IdentityGatewayAgent/ig"), json!({"agentgroup": "g", "status": inherit()}))
        .await;
    assert!(!alive(&first) && !alive(&second));
}

/// One step of an administrator.
#[derive(Clone, Debug)]
enum Step {
    /// Writes the group's status and scopes.
    Group { which: usize, active: bool, scope: u8 },
    /// Writes the client: in a group or not, inheriting the status or the scopes or not.
    Client { group: Option<usize>, status: bool, scopes: bool, active: bool, scope: u8 },
    /// Deletes the client and makes it again.
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..2usize, any::<bool>(), 0..3u8).prop_map(|(which, active, scope)| Step::Group { which, active, scope }),
        (prop::option::of(0..2usize), any::<bool>(), any::<bool>(), any::<bool>(), 0..3u8)
            .prop_map(|(group, status, scopes, active, scope)| Step::Client { group, status, scopes, active, scope }),
        Just(Step::Again),
    ]
}

/// What the model knows of one holder of values.
#[derive(Clone)]
struct Values {
    active: bool,
    scope: String,
}

impl Values {
    fn body(&self) -> Value {
        json!({"status": if self.active { "Active" } else { "Inactive" }, "scopes": [self.scope]})
    }
}

async fn walk(steps: Vec<Step>) {
    let rig = rig().await;
    let mut groups = [Values { active: true, scope: "g0".into() }, Values { active: true, scope: "g1".into() }];
    for (n, values) in groups.iter().enumerate() {
        group(&rig, &format!("g{n}"), json!({"coreOAuth2ClientConfig": values.body()})).await;
    }
    let start = Values { active: true, scope: "own".into() };
    client(&rig, "c", json!({"coreOAuth2ClientConfig": start.body()})).await;
    // Group, whether the status is inherited, whether the scopes are, own values.
    let mut own = (None::<usize>, false, false, start.clone());
    let mut issued: BTreeSet<Seq> = BTreeSet::new();
    let mut dead: BTreeSet<Seq> = BTreeSet::new();
    for step in steps {
        match step.clone() {
            Step::Group { which, active, scope } => {
                let values = Values { active, scope: format!("s{scope}") };
                let written = group(&rig, &format!("g{which}"), json!({"coreOAuth2ClientConfig": values.body()})).await;
                assert_eq!(written.status, 200, "{}", written.text);
                groups[which] = values;
            }
            Step::Client { group, status, scopes, active, scope } => {
                let values = Values { active, scope: format!("s{scope}") };
                let mut core = values.body();
                if let Some(group) = group {
                    core["agentgroup"] = json!(format!("g{group}"));
                    if status {
                        core["status"] = inherit();
                    }
                    if scopes {
                        core["scopes"] = inherit();
                    }
                }
                let written = client(&rig, "c", json!({"coreOAuth2ClientConfig": core})).await;
                assert_eq!(written.status, 200, "{}", written.text);
                own = (group, group.is_some() && status, group.is_some() && scopes, values);
            }
            Step::Again => {
                rig.admin("DELETE", &format!("{CLIENTS}/c")).go().await;
                let written = client(&rig, "c", json!({"coreOAuth2ClientConfig": start.body()})).await;
                assert_eq!(written.status, 201, "{}", written.text);
                own = (None, false, false, start.clone());
                dead.extend(&issued);
            }
        }
        let (scopes, active, fence) = effective(&rig, "c");
        let (group, status, inherits_scopes, values) = &own;
        let from = |inherits: bool| group.filter(|_| inherits).map_or(values, |group| &groups[group]);
        assert_eq!((active, scopes), (from(*status).active, vec![from(*inherits_scopes).scope.clone()]), "{step:?}");
        // Whatever was issued under a fence lives exactly while the client stands active under it.
        for old in &issued {
            if !(active && *old == fence) {
                dead.insert(*old);
            }
        }
        assert!(!(active && dead.contains(&fence)), "{step:?}: what was dead lives again");
        if active {
            issued.insert(fence);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever administrators do to a client and its groups: readers see what the model says, and nothing that died lives.
    #[test]
    fn inheritance_follows_the_model_and_never_runs_backwards(steps in prop::collection::vec(step(), 1..16)) {
        actix_web::rt::System::new().block_on(walk(steps));
    }
}
