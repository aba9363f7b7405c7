//! oauth2-config.md §16.

use crate::{
    keys::{self, Algorithm, Purpose, ring::LABELS},
    rest::testing::{Reply, Rig},
};
use serde_json::{Value, json};

const STORES: &str = "/global-config/secrets/stores";
const STORE: &str = "/global-config/secrets/stores/KeyStoreSecretStore/default-keystore";
const MAPPINGS: &str = "/global-config/secrets/stores/KeyStoreSecretStore/default-keystore/mappings";
const TOKENS: &str = "am.services.oauth2.stateless.signing.ES256";
const ID_TOKENS: &str = "am.services.oauth2.oidc.signing.ES256";
const INTERNAL: &str = "am.services.oauth2.jwt.authenticity.signing";

async fn map(rig: &Rig, label: &str, aliases: &[&str]) -> Reply {
    rig.send("PUT", &format!("{MAPPINGS}/{label}"), json!({"secretId": label, "aliases": aliases})).await
}

fn sign(rig: &Rig, purpose: Purpose, algorithm: Algorithm) -> String {
    let ring = keys::ring(&rig.desk).expect("keys");
    ring.signer(purpose, algorithm).expect("mapped").sign(&json!({"sub": "x"})).expect("signs")
}

fn verifies(rig: &Rig, purpose: Purpose, jws: &str) -> bool {
    keys::ring(&rig.desk).expect("keys").verify(purpose, jws).is_some()
}

fn kid(jws: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = URL_SAFE_NO_PAD.decode(jws.split('.').next().unwrap_or_default()).expect("base64");
    serde_json::from_slice::<Value>(&header).expect("JSON")["kid"].clone()
}

fn published(rig: &Rig) -> Vec<Value> {
    keys::ring(&rig.desk).expect("keys").published().map(|key| key["kid"].clone()).collect()
}

#[actix_web::test]
async fn the_store_and_its_mappings_are_those_of_the_reference() {
    let rig = Rig::new().await;
    let store = rig.get(STORE).await;
    assert_eq!((store.status, &store.json["_id"]), (200, &json!("default-keystore")), "{}", store.text);
    let aliases: Vec<&str> =
        store.json["keys"].as_array().into_iter().flatten().filter_map(|key| key["alias"].as_str()).collect();
    assert_eq!(aliases.len(), 3);
    for alias in ["rsajwtsigningkey", "es256test", "hmacsigningtest"] {
        assert!(aliases.contains(&alias), "{alias}");
    }
    let listed = rig.get(&format!("{MAPPINGS}?_queryFilter=true")).await.json;
    assert_eq!(listed["resultCount"], LABELS.len());
    let one = rig.get(&format!("{MAPPINGS}/{TOKENS}")).await;
    assert_eq!((&one.json["_id"], &one.json["secretId"]), (&json!(TOKENS), &json!(TOKENS)));
    assert_eq!(one.json["aliases"], json!(["es256test"]));
    let same = map(&rig, TOKENS, &["es256test"]).await;
    assert_eq!((same.status, &same.json), (200, &one.json), "what was read can be written");
    let act = |path: String| {
        let rig = &rig;
        async move { rig.send("POST", &path, json!({})).await }
    };
    let all = act(format!("{STORES}?_action=nextdescendents")).await.json;
    assert_eq!(all["result"][0]["_type"]["_id"], "KeyStoreSecretStore");
    let below = act(format!("{STORE}?_action=nextdescendents")).await.json;
    assert_eq!(below["result"][0], rig.get(&format!("{MAPPINGS}/{}", LABELS[0].name)).await.json);
    assert_eq!(act(format!("{STORES}?_action=getCreatableTypes")).await.json, json!({"result": []}));
    assert_eq!(act(format!("{MAPPINGS}?_action=getType")).await.json["_id"], "mappings");
    let schema = act(format!("{MAPPINGS}?_action=schema")).await.json;
    assert_eq!(schema["properties"]["secretId"]["enum"].as_array().map(Vec::len), Some(LABELS.len()));
    assert_eq!(
        act("/realms/root/realm-config/secrets/stores?_action=nextdescendents".into()).await.json,
        json!({"result": []})
    );
    assert_eq!(rig.get("/realms/root/realm-config/secrets/stores?_queryFilter=true").await.json["resultCount"], 0);
    assert_eq!(rig.get(&format!("{STORES}/KeyStoreSecretStore/other")).await.error(), (404, "Not Found"));
    assert_eq!(rig.get(&format!("{STORES}/KeyStoreSecretStore?_queryFilter=true")).await.json["resultCount"], 1);
    let other = rig.send("PUT", &format!("{STORES}/KeyStoreSecretStore/other"), json!({})).await;
    assert_eq!(other.error(), (501, "Operation is not supported."));
    assert_eq!(rig.get(&format!("{STORES}/HsmSecretStore")).await.status, 404);
}

/// Rotation: the new key signs, the old one verifies until it is taken out, and then never again.
#[actix_web::test]
async fn a_label_is_rotated() {
    let rig = Rig::new().await;
    let (tokens, es256) = (Purpose::ClientBasedTokens, Algorithm::ES256);
    let old = sign(&rig, tokens, es256);
    let id_token = sign(&rig, Purpose::OpenId, es256);
    assert_eq!(kid(&old), kid(&id_token), "one key for both, as in the reference");

    let rotated = map(&rig, TOKENS, &["es256-2027", "es256test"]).await;
    assert_eq!(
        (rotated.status, &rotated.json["aliases"]),
        (200, &json!(["es256-2027", "es256test"])),
        "{}",
        rotated.text
    );
    let new = sign(&rig, tokens, es256);
    assert_ne!(kid(&new), kid(&old));
    assert!(verifies(&rig, tokens, &old) && verifies(&rig, tokens, &new), "both are valid");
    assert!(published(&rig).contains(&kid(&new)) && published(&rig).contains(&kid(&old)));
    assert_eq!(kid(&sign(&rig, Purpose::OpenId, es256)), kid(&id_token), "another label is another matter");

    assert_eq!(map(&rig, TOKENS, &["es256-2027"]).await.status, 200);
    assert!(!verifies(&rig, tokens, &old) && verifies(&rig, tokens, &new));
    assert!(verifies(&rig, Purpose::OpenId, &id_token), "its label still has the key");
    assert!(published(&rig).contains(&kid(&id_token)));

    // With the last label that names it, a key is gone for good: an alias of the same name is another key.
    assert_eq!(map(&rig, ID_TOKENS, &["es256-2027"]).await.status, 200);
    assert!(!verifies(&rig, Purpose::OpenId, &id_token));
    assert!(!published(&rig).contains(&kid(&id_token)));
    assert_eq!(map(&rig, TOKENS, &["es256-2027", "es256test"]).await.status, 200);
    assert!(!verifies(&rig, tokens, &old) && verifies(&rig, tokens, &new));

    // A label without keys signs nothing and lets nothing pass.
    let deleted = rig.admin("DELETE", &format!("{MAPPINGS}/{TOKENS}")).go().await;
    assert_eq!((deleted.status, &deleted.json["_id"]), (200, &json!(TOKENS)));
    assert_eq!(rig.get(&format!("{MAPPINGS}/{TOKENS}")).await.error(), (404, "Not Found"));
    assert!(keys::ring(&rig.desk).expect("keys").signer(tokens, es256).is_err());
    assert!(!verifies(&rig, tokens, &new));
    let created =
        rig.send("POST", &format!("{MAPPINGS}?_action=create"), json!({"secretId": TOKENS, "aliases": ["a"]})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let again =
        rig.send("POST", &format!("{MAPPINGS}?_action=create"), json!({"secretId": TOKENS, "aliases": ["a"]})).await;
    assert_eq!(again.error(), (409, "Unable to save config: Service already exists"));
    assert_eq!(kid(&sign(&rig, tokens, es256)), published(&rig)[published(&rig).len() - 1]);
}

/// What only we read: the active key signs, what the former signed is read until the key is gone.
#[actix_web::test]
async fn the_internal_key_is_rotated() {
    let rig = Rig::new().await;
    let sign = || {
        let ring = keys::ring(&rig.desk).expect("keys");
        keys::signing_key(&ring, Algorithm::HS256).expect("a key").sign(&json!({"a": 1})).expect("signs")
    };
    let old = sign();
    let reads = |jws: &str| keys::verify(&keys::ring(&rig.desk).expect("keys"), jws).is_some();
    assert_eq!(map(&rig, INTERNAL, &["hs-2", "hmacsigningtest"]).await.status, 200);
    let new = sign();
    assert_ne!(kid(&new), kid(&old));
    assert!(reads(&old) && reads(&new));
    assert_eq!(map(&rig, "am.services.oauth2.stateless.signing.HMAC", &["hs-2"]).await.status, 200);
    assert_eq!(map(&rig, INTERNAL, &["hs-2"]).await.status, 200);
    assert!(!reads(&old) && reads(&new));
    let refused = rig.admin("DELETE", &format!("{MAPPINGS}/{INTERNAL}")).go().await;
    assert_eq!(refused.status, 409);
}

#[actix_web::test]
async fn what_cannot_be_mapped_is_refused() {
    let rig = Rig::new().await;
    let before = rig.get(STORE).await.json;
    let path = format!("{MAPPINGS}/{TOKENS}");
    for (body, label) in [
        (json!({"aliases": []}), "Aliases"),
        (json!({"aliases": "es256test"}), "Aliases"),
        (json!({"aliases": [1]}), "Aliases"),
        (json!({"aliases": ["a", "a"]}), "Aliases"),
        (json!({"aliases": ["../a"]}), "Aliases"),
        (json!({"aliases": [""]}), "Aliases"),
        (json!({"aliases": ["x".repeat(65)]}), "Aliases"),
        (json!({"aliases": (0..11).map(|n| format!("a{n}")).collect::<Vec<_>>()}), "Aliases"),
        (json!({"aliases": ["rsajwtsigningkey"]}), "Aliases"),
        (json!({"secretId": ID_TOKENS, "aliases": ["a"]}), "Secret ID"),
        (json!({}), "Aliases"),
    ] {
        let reply = rig.send("PUT", &path, body).await;
        assert_eq!(reply.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
    let unknown = rig.send("PUT", &path, json!({"aliases": ["a"], "key": "x"})).await;
    assert_eq!(unknown.error(), (400, "Invalid attribute specified."));
    let label = rig.send("PUT", &format!("{MAPPINGS}/am.nosuch"), json!({"aliases": ["a"]})).await;
    assert_eq!(label.error(), (400, "Data validation failed for the attribute, Secret ID"));
    assert_eq!(rig.get(STORE).await.json, before, "and nothing changed");

    // AD-04: two administrators, one revision.
    let tag = rig.get(&path).await.header("ETag").expect("a tag").to_owned();
    let (a, b) = (json!({"aliases": ["a", "es256test"]}), json!({"aliases": ["b", "es256test"]}));
    let (a, b) = futures_util::join!(
        rig.admin("PUT", &path).header("If-Match", &tag).json(&a),
        rig.admin("PUT", &path).header("If-Match", &tag).json(&b),
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    // Two labels at once are one document: both changes are in it.
    let (a, b) = futures_util::join!(map(&rig, TOKENS, &["t"]), map(&rig, ID_TOKENS, &["i"]));
    assert_eq!([a.status, b.status], [200, 200], "{} {}", a.text, b.text);
    assert_eq!(rig.get(&path).await.json["aliases"], json!(["t"]));
    assert_eq!(rig.get(&format!("{MAPPINGS}/{ID_TOKENS}")).await.json["aliases"], json!(["i"]));
}

/// G5: nothing private goes out.
#[actix_web::test]
async fn no_key_is_shown() {
    let rig = Rig::new().await;
    let ring =
        rig.desk.document(&quorate_raft::RealmPath::root(), quorate_raft::Kind::Keys, keys::RING).expect("a ring");
    let sealed: Vec<String> = ring.json()["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|key| key["sealed"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(sealed.len(), 3);
    for text in [
        rig.get(STORE).await.text,
        rig.get(&format!("{STORES}?_queryFilter=true")).await.text,
        rig.send("POST", &format!("{STORES}?_action=nextdescendents"), json!({})).await.text,
        rig.get(&format!("{MAPPINGS}?_queryFilter=true")).await.text,
    ] {
        assert!(text.contains("_id") && !text.contains("sealed"), "{text}");
        assert!(sealed.iter().all(|sealed| !text.contains(sealed.as_str())));
    }
}
