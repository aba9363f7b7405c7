//! What each key is used for (oauth2-config.md §16).
//!
//! | it says                                                          | here                       |
//! |------------------------------------------------------------------|----------------------------|
//! | code asks for a purpose; a label maps it to aliases              | [`Purpose`], [`LABELS`]    |
//! | the first alias is active: it signs                              | [`Ring::signer`]           |
//! | all aliases are valid: they verify, and are published            | [`Ring::verify`], [`Ring::published`] |
//! | rotation prepends a new alias, and removes the old one later     | [`Mappings`]               |
//! | no demo keys: generated, under the same labels and alias names   | [`KeyRing::generate`](super::KeyRing::generate) |
//!
//! Keys and mappings lie in one document: a change of a mapping and of the keys behind it is one change, for every reader.

use super::{Algorithm, KeyError, SigningKey, verify_by};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, ops::Deref};

/// Most aliases of a label.
pub const MAX_ALIASES: usize = 10;

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing client-based access tokens.
    ClientBasedTokens,
    /// Signing ID tokens and answers of userinfo.
    OpenId,
    /// What only we read: markers, tokens against forgery, sessions, journeys.
    Internal,
}

/// A label, what it is for, and the alias that it has in a new cluster.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name: `secretId`.
    pub name: &'static str,
    /// What its keys do.
    pub purpose: Purpose,
    /// How.
    pub algorithm: Algorithm,
    /// The alias of a new cluster.
    pub alias: &'static str,
}

const fn label(name: &'static str, purpose: Purpose, algorithm: Algorithm, alias: &'static str) -> Label {
    Label { name, purpose, algorithm, alias }
}

/// The labels of the reference that name something this server does.
pub const LABELS: &[Label] = &[
    label("am.services.oauth2.stateless.signing.ES256", Purpose::ClientBasedTokens, Algorithm::ES256, "es256test"),
    label("am.services.oauth2.stateless.signing.RSA", Purpose::ClientBasedTokens, Algorithm::RS256, "rsajwtsigningkey"),
    label("am.services.oauth2.stateless.signing.HMAC", Purpose::ClientBasedTokens, Algorithm::HS256, "hmacsigningtest"),
    label("am.services.oauth2.oidc.signing.ES256", Purpose::OpenId, Algorithm::ES256, "es256test"),
    label("am.services.oauth2.oidc.signing.RSA", Purpose::OpenId, Algorithm::RS256, "rsajwtsigningkey"),
    label("am.services.oauth2.jwt.authenticity.signing", Purpose::Internal, Algorithm::HS256, "hmacsigningtest"),
];

impl Label {
    /// By its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        LABELS.iter().find(|label| label.name == name)
    }
}

/// The alias of the key for an algorithm in a new cluster.
pub fn first_alias(algorithm: Algorithm) -> &'static str {
    LABELS.iter().find(|label| label.algorithm == algorithm).map_or("", |label| label.alias)
}

/// Whether an alias can be stored: it is shown, and part of no path.
pub fn is_alias(alias: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !alias.is_empty() && alias.len() <= 64 && alias.bytes().all(legal)
}

/// Which aliases each label has, the active one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mappings(BTreeMap<&'static str, Vec<String>>);

impl Mappings {
    /// From a stored ring. A label that it does not mention has the alias of a new cluster.
    pub fn of(ring: &Value) -> Self {
        let stored = &ring["mappings"];
        let aliases = |label: &Label| match stored.get(label.name).and_then(Value::as_array) {
            Some(aliases) => aliases.iter().filter_map(|alias| alias.as_str().map(str::to_owned)).collect(),
            None => vec![label.alias.to_owned()],
        };
        Self(LABELS.iter().map(|label| (label.name, aliases(label))).collect())
    }

    /// The aliases of a label.
    pub fn aliases(&self, label: &Label) -> &[String] {
        self.0.get(label.name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Maps a label to other aliases.
    pub fn set(&mut self, label: &Label, aliases: Vec<String>) {
        self.0.insert(label.name, aliases);
    }

    /// How far in front an alias stands, over all labels; `None` for one that no label has.
    pub fn rank(&self, alias: &str) -> Option<usize> {
        self.0.values().filter_map(|aliases| aliases.iter().position(|known| known == alias)).min()
    }

    /// As it is stored.
    pub fn to_json(&self) -> Value {
        let all = self.0.iter().map(|(label, aliases)| ((*label).to_owned(), json!(aliases)));
        Value::Object(all.collect::<Map<_, _>>())
    }
}

/// The keys of the cluster, opened, and what they are for.
pub struct Ring {
    keys: Vec<SigningKey>,
    mappings: Mappings,
}

impl Deref for Ring {
    type Target = [SigningKey];

    fn deref(&self) -> &[SigningKey] {
        &self.keys
    }
}

impl Ring {
    /// From keys and mappings. The active key for internal purposes comes first: it is what
    /// [`signing_key`](super::signing_key) finds.
    pub(super) fn new(mut keys: Vec<SigningKey>, mappings: Mappings) -> Self {
        let internal = LABELS.iter().find(|label| label.purpose == Purpose::Internal);
        let active = internal.and_then(|label| mappings.aliases(label).first());
        keys.sort_by_key(|key| active != Some(&key.alias));
        Self { keys, mappings }
    }

    /// The keys of a label, the active one first.
    fn keys_of(&self, label: &'static Label) -> impl Iterator<Item = &SigningKey> {
        let fits = |key: &&SigningKey, alias: &String| key.alias == *alias && key.algorithm == label.algorithm;
        self.mappings.aliases(label).iter().filter_map(move |alias| self.keys.iter().find(|key| fits(key, alias)))
    }

    /// The key that signs for a purpose with `algorithm`.
    ///
    /// # Errors
    /// [`KeyError::Missing`] when none is mapped.
    pub fn signer(&self, purpose: Purpose, algorithm: Algorithm) -> Result<&SigningKey, KeyError> {
        let label = LABELS.iter().find(|label| label.purpose == purpose && label.algorithm == algorithm);
        label.and_then(|label| self.keys_of(label).next()).ok_or(KeyError::Missing)
    }

    /// The claims of a compact JWS that a key which is valid for the purpose signed.
    pub fn verify(&self, purpose: Purpose, jws: &str) -> Option<Value> {
        let labels = LABELS.iter().filter(|label| label.purpose == purpose);
        verify_by(labels.flat_map(|label| self.keys_of(label)), jws)
    }

    /// The public keys that others verify with: each once.
    pub fn published(&self) -> impl Iterator<Item = Value> {
        let is_valid = |key: &&SigningKey| {
            let labels = LABELS.iter().filter(|label| label.purpose != Purpose::Internal);
            labels.flat_map(|label| self.keys_of(label)).any(|valid| valid.kid == key.kid)
        };
        self.keys.iter().filter(is_valid).filter_map(SigningKey::jwk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyRing, RemapError};

    fn without_aliases(mut stored: Value) -> Value {
        for key in stored["keys"].as_array_mut().into_iter().flatten() {
            key.as_object_mut().map(|key| key.remove("alias"));
        }
        stored
    }

    /// G10: a ring of a release that knew neither aliases nor mappings means what a new one means.
    #[test]
    fn a_ring_of_a_former_release_is_understood() {
        let master = KeyRing::new(&[7; 32]).expect("a key");
        let stored = without_aliases(master.generate().expect("keys"));
        let ring = master.load(&stored).expect("loads");
        for label in LABELS {
            let key = ring.signer(label.purpose, label.algorithm).expect("mapped");
            assert_eq!((key.algorithm, key.alias.as_str()), (label.algorithm, label.alias), "{}", label.name);
            let jws = key.sign(&json!({"a": 1})).expect("signs");
            assert_eq!(ring.verify(label.purpose, &jws), Some(json!({"a": 1})), "{}", label.name);
        }
        assert_eq!(ring.published().count(), 2, "no symmetric key");
        let label = LABELS.first().expect("a label");
        let mapped = master.remap(&stored, label, vec!["new".into(), label.alias.into()]).expect("maps");
        let ring = master.load(&mapped).expect("loads");
        assert_eq!(ring.signer(label.purpose, label.algorithm).expect("mapped").alias, "new");
        // A node of that release signs with the first key that fits: it must be one that all accept.
        let first = ring.iter().find(|key| key.algorithm == label.algorithm).expect("a key");
        assert!(ring.verify(label.purpose, &first.sign(&json!({})).expect("signs")).is_some());
    }

    #[test]
    fn keys_come_and_go_with_the_labels_that_name_them() {
        let master = KeyRing::new(&[7; 32]).expect("a key");
        let mut stored = master.generate().expect("keys");
        let aliases = |stored: &Value| -> Vec<String> {
            let keys = stored["keys"].as_array().into_iter().flatten();
            let mut all: Vec<String> = keys.filter_map(|key| Some(key["alias"].as_str()?.to_owned())).collect();
            all.sort_unstable();
            all
        };
        let [tokens, openid] = ["stateless.signing.ES256", "oidc.signing.ES256"]
            .map(|name| Label::find(&format!("am.services.oauth2.{name}")).expect("a label"));
        stored = master.remap(&stored, tokens, vec!["a".into()]).expect("maps");
        assert_eq!(aliases(&stored), ["a", "es256test", "hmacsigningtest", "rsajwtsigningkey"], "another label has it");
        stored = master.remap(&stored, openid, vec!["a".into()]).expect("maps");
        assert_eq!(aliases(&stored), ["a", "hmacsigningtest", "rsajwtsigningkey"]);
        stored = master.remap(&stored, openid, Vec::new()).expect("maps");
        stored = master.remap(&stored, tokens, Vec::new()).expect("maps");
        assert_eq!(aliases(&stored), ["hmacsigningtest", "rsajwtsigningkey"]);
        let other = master.remap(&stored, tokens, vec!["rsajwtsigningkey".into()]);
        assert!(matches!(other, Err(RemapError::OtherAlgorithm)));
        let broken = master.remap(&json!({"keys": "x"}), tokens, vec!["a".into()]);
        assert!(matches!(broken, Err(RemapError::Keys(KeyError::Missing))));
        let foreign = KeyRing::new(&[8; 32]).expect("a key");
        assert!(matches!(foreign.load(&stored), Err(KeyError::Sealed)), "G5: useless without the master key");
    }
}
