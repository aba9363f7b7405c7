//! Clients that inherit from a group (oauth2-config.md §10), and keys that are rotated (§16), as tokens see it.

use super::*;
use crate::{desk::delete, keys::ring::Label, rest::agents::OAUTH2_CLIENT};
use quorate_raft::Seq;

fn group_key() -> DocumentKey {
    DocumentKey::new(&"/alpha".into(), Kind::AgentGroup, &format!("{}/g", OAUTH2_CLIENT.id))
}

impl World {
    async fn group(&self, status: &str, scopes: &[&str], turned: bool) {
        let body = json!({ "coreOAuth2ClientConfig": { "status": status, "scopes": scopes } });
        self.desk.write(vec![put(group_key(), Precondition::Any, &body, vec![], turned)]).await.expect("writes");
    }

    /// Makes the client `id`, which exists, inherit status and scopes.
    async fn join(&self, id: &str) {
        let key = DocumentKey::new(&"/alpha".into(), Kind::OAuth2Client, id);
        let mut body = self.desk.views().entry(&key).expect("exists").json().clone();
        body["_inherited"] = json!({ "coreOAuth2ClientConfig": ["status", "scopes"] });
        self.desk.write(vec![put(key, Precondition::Any, &body, vec![group_key()], false)]).await.expect("writes");
    }

    async fn asked(&self, client: &str, scope: &str) -> u16 {
        let asked =
            [("grant_type", "client_credentials"), ("scope", scope), ("client_id", client), ("client_secret", SECRET)];
        self.post("access_token", &asked).await.status
    }

    /// Maps a label of the keys, as the secret store does.
    async fn map(&self, label: &str, aliases: &[&str]) {
        let key = DocumentKey::new(&RealmPath::root(), Kind::Keys, crate::keys::RING);
        let ring = self.desk.views().entry(&key).expect("a ring");
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let body = self.desk.keys().remap(ring.json(), Label::find(label).expect("a label"), aliases).expect("maps");
        self.desk.write(vec![put(key, Precondition::Any, &body, vec![], false)]).await.expect("writes");
    }
}

/// G2, G3: a change of the group is a change of its clients, at once, for every kind of token.
#[actix_web::test]
async fn a_group_gives_and_takes_scopes_and_status() {
    let world = World::new().await;
    world
        .client("/alpha", "all", json!({ "coreOAuth2ClientConfig": { "scopes": ["am-introspect-all-tokens"] } }))
        .await;
    for mode in [json!({}), stateless()] {
        world.group("Active", &["read"], true).await;
        world.client("/alpha", "c", mode).await;
        world.join("c").await;
        assert_eq!((world.asked("c", "read").await, world.asked("c", "write").await), (200, 400));
        world.group("Active", &["read", "write"], false).await;
        assert_eq!(world.asked("c", "write").await, 200);
        let token = world.token("c", "read").await;
        world.user("Demo").await;
        let session = world.session("Demo").await;
        let code = world.code(&session, "c", "read", &[]).await;
        assert!(world.is_active("all", &token).await);

        world.group("Inactive", &["read", "write"], true).await;
        assert!(!world.is_active("all", &token).await);
        assert_eq!(world.asked("c", "read").await, 400);
        world.group("Active", &["read", "write"], true).await;
        assert!(!world.is_active("all", &token).await, "what died stays dead");
        assert_eq!(world.redeem("c", &code, &[]).await.status, 400, "and so does a code of before");
        let renewed = world.token("c", "read").await;
        assert!(world.is_active("all", &renewed).await);
        // A group that is in use is not deleted; were it gone, nothing that depends on it would be allowed.
        let gone = world.desk.write(vec![delete(group_key(), Precondition::Any)]).await;
        assert!(gone.is_err());
    }
    let key = DocumentKey::new(&"/alpha".into(), Kind::OAuth2Client, "c");
    let entry = world.desk.views().entry(&key).expect("exists");
    let twice = [(); 2].map(|()| super::super::client::Client::of(world.desk.views(), &entry));
    assert!(Arc::ptr_eq(&twice[0].0, &twice[1].0), "compiled once per revision of client and group");
    assert!(twice[0].1 > Seq(0));
}

/// Rotation over HTTP: new tokens carry the new key, old ones live until the old alias is taken out.
#[actix_web::test]
async fn client_based_tokens_follow_the_mapping_of_their_label() {
    let world = World::new().await;
    world.client("/alpha", "c", stateless()).await;
    let label = "am.services.oauth2.stateless.signing.ES256";
    let kids = || async {
        let document = world.get(&format!("{ALPHA}/connect/jwk_uri")).await.json();
        document["keys"].as_array().expect("keys").iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    let (old, before) = (world.token("c", "read").await, kids().await);
    world.map(label, &["new", "es256test"]).await;
    let (new, between) = (world.token("c", "read").await, kids().await);
    assert!(world.is_active("c", &old).await && world.is_active("c", &new).await);
    assert_eq!((before.len(), between.len()), (2, 3));
    assert!(before.iter().all(|kid| between.contains(kid)));
    assert_ne!(old.split('.').next(), new.split('.').next(), "another kid");
    world.map(label, &["new"]).await;
    assert!(!world.is_active("c", &old).await && world.is_active("c", &new).await);
    assert_eq!(kids().await.len(), 3, "ID tokens are still signed with the old key");
    world.map("am.services.oauth2.oidc.signing.ES256", &["new"]).await;
    assert_eq!(kids().await.len(), 2);
    world.map(label, &[]).await;
    assert!(!world.is_active("c", &new).await);
    let asked =
        [("grant_type", "client_credentials"), ("scope", "read"), ("client_id", "c"), ("client_secret", SECRET)];
    assert_eq!(world.post("access_token", &asked).await.status, 500, "nothing is signed with a key that is not mapped");
}
