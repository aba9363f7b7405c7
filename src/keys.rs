//! Signing keys: one ring per cluster, in a document whose private parts are sealed under the master key (G5), which is
//! configured and never lies beside the data.
//!
//! Parsed keys are cached: signing must not parse a private key per token. What each key is for, and how keys are rotated, is
//! told by [`mod@ring`].

pub mod ring;

pub use ring::{Purpose, Ring};

use crate::{desk::Desk, host, secrets};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    encoding::{AsDer, Pkcs8V1Der},
    hmac, rand,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use quorate_raft::{Kind, RealmPath};
use ring::{Label, Mappings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Id of the document that holds the ring.
pub const RING: &str = "signing";

/// Signature algorithms (RFC 7518 §3.1) that we sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256: tokens that only we verify.
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

impl Algorithm {
    /// The name in a JOSE header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::HS256, Self::RS256, Self::ES256].into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The sealed keys do not open: this node has another master key than the one that sealed them.
    #[error("the signing keys do not open under this node's master key")]
    Sealed,
    /// There is no ring, or it is not one.
    #[error("the cluster has no usable signing keys")]
    Missing,
    /// The cryptographic library refused.
    #[error("cannot make or use a signing key")]
    Crypto,
}

/// Why a label was not mapped.
#[derive(Debug, thiserror::Error)]
pub enum RemapError {
    /// An alias names a key for another algorithm.
    #[error("an alias names a key for another algorithm")]
    OtherAlgorithm,
    /// Keys cannot be made or read.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl From<aws_lc_rs::error::Unspecified> for KeyError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Crypto
    }
}

/// As stored: `sealed` is nonce ‖ ciphertext of the private key, base64. Rings of former releases have no aliases.
#[derive(Clone, Serialize, Deserialize)]
struct StoredKey {
    alg: Algorithm,
    kid: String,
    sealed: String,
    #[serde(default)]
    alias: String,
}

impl StoredKey {
    fn alias(&self) -> &str {
        if self.alias.is_empty() { ring::first_alias(self.alg) } else { &self.alias }
    }
}

/// A key ready for use.
pub struct SigningKey {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Its id in headers and JWKS.
    pub kid: String,
    /// What mappings call it.
    pub alias: String,
    key: Material,
}

enum Material {
    Hmac(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>, ParsedPublicKey),
    Ec(EcdsaKeyPair, ParsedPublicKey),
}

/// Opens and seals.
pub struct KeyRing {
    master: RandomizedNonceKey,
}

impl KeyRing {
    /// With the master key of this cluster.
    ///
    /// # Errors
    /// Never for 32 bytes.
    pub fn new(master: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(Self { master: RandomizedNonceKey::new(&AES_256_GCM, master)? })
    }

    /// `secret`, sealed and bound to `label`, base64.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn seal(&self, label: &str, secret: &[u8]) -> Result<String, KeyError> {
        let mut sealed = secret.to_vec();
        let nonce = self.master.seal_in_place_append_tag(Aad::from(label.as_bytes()), &mut sealed)?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut sealed);
        Ok(STANDARD.encode(bytes))
    }

    /// What [`seal`](Self::seal) sealed under the same label.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] when it was sealed under another key or label, or is damaged.
    pub fn open(&self, label: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| KeyError::Sealed)?;
        let (nonce, body) = bytes.split_at_checked(NONCE_LEN).ok_or(KeyError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Sealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let opened = self.master.open_in_place(nonce, Aad::from(label.as_bytes()), &mut body);
        let length = opened.map_err(|_| KeyError::Sealed)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// A new ring, one key per algorithm, as the document to store.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn generate(&self) -> Result<Value, KeyError> {
        let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::HS256];
        let keys: Vec<StoredKey> = algorithms
            .into_iter()
            .map(|algorithm| self.generate_one(algorithm, ring::first_alias(algorithm)))
            .collect::<Result<_, _>>()?;
        Ok(json!({ "keys": keys }))
    }

    fn generate_one(&self, alg: Algorithm, alias: &str) -> Result<StoredKey, KeyError> {
        let secret = match alg {
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            Algorithm::ES256 => {
                let random = rand::SystemRandom::new();
                let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            Algorithm::HS256 => Zeroizing::new(host::random::<32>().to_vec()),
        };
        // AM's kids are base64 of a digest; any unique text would do.
        let kid = STANDARD.encode(host::random::<20>());
        Ok(StoredKey { alg, sealed: self.seal(&kid, &secret)?, kid, alias: alias.to_owned() })
    }

    /// A stored ring in which `label` has other aliases. An alias that names no key yet gets one; a key that no label names any
    /// longer is destroyed.
    ///
    /// Takes its time: run it where nobody waits for the thread.
    ///
    /// # Errors
    /// [`RemapError`].
    pub fn remap(&self, stored: &Value, label: &Label, aliases: Vec<String>) -> Result<Value, RemapError> {
        let mut keys = Vec::<StoredKey>::deserialize(&stored["keys"]).map_err(|_| KeyError::Missing)?;
        for key in &mut keys {
            key.alias = key.alias().to_owned();
        }
        for alias in &aliases {
            match keys.iter().find(|key| key.alias == *alias) {
                Some(key) if key.alg != label.algorithm => return Err(RemapError::OtherAlgorithm),
                Some(_) => {}
                None => keys.push(self.generate_one(label.algorithm, alias)?),
            }
        }
        let mut mappings = Mappings::of(stored);
        mappings.set(label, aliases);
        keys.retain(|key| mappings.rank(&key.alias).is_some());
        // Active ones first: a node of a former release signs with the first key that it finds.
        keys.sort_by_key(|key| mappings.rank(&key.alias));
        Ok(json!({ "keys": keys, "mappings": mappings.to_json() }))
    }

    fn load(&self, stored: &Value) -> Result<Ring, KeyError> {
        let keys = Vec::<StoredKey>::deserialize(&stored["keys"]).map_err(|_| KeyError::Missing)?;
        let keys = keys.into_iter().map(|key| self.load_one(key)).collect::<Result<_, _>>()?;
        Ok(Ring::new(keys, Mappings::of(stored)))
    }

    fn load_one(&self, stored: StoredKey) -> Result<SigningKey, KeyError> {
        let alias = stored.alias().to_owned();
        let StoredKey { alg, kid, sealed, .. } = stored;
        let secret = self.open(&kid, &sealed)?;
        let key = match alg {
            Algorithm::HS256 => Material::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret))),
            Algorithm::RS256 => {
                let pair = RsaKeyPair::from_pkcs8(&secret).map_err(|_| KeyError::Crypto)?;
                let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())
                    .map_err(|_| KeyError::Crypto)?;
                Material::Rsa(Box::new(pair), public)
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &secret)
                    .map_err(|_| KeyError::Crypto)?;
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                    .map_err(|_| KeyError::Crypto)?;
                Material::Ec(pair, public)
            }
        };
        Ok(SigningKey { algorithm: alg, kid, alias, key })
    }
}

/// The ring of the cluster, opened; parsed once per revision.
///
/// # Errors
/// [`KeyError`] when this node cannot open it.
pub fn ring(desk: &Desk) -> Result<Arc<Ring>, KeyError> {
    let entry = desk.document(&RealmPath::root(), Kind::Keys, RING).ok_or(KeyError::Missing)?;
    let loaded = entry.typed(|json| desk.keys().load(json).map(Arc::new));
    match loaded.as_ref() {
        Ok(ring) => Ok(ring.clone()),
        Err(KeyError::Sealed) => Err(KeyError::Sealed),
        Err(KeyError::Missing) => Err(KeyError::Missing),
        Err(KeyError::Crypto) => Err(KeyError::Crypto),
    }
}

/// The first key for `algorithm`: of symmetric ones, the active one for what only we read ([`Purpose::Internal`]).
///
/// # Errors
/// [`KeyError`] when there is none.
pub fn signing_key(ring: &[SigningKey], algorithm: Algorithm) -> Result<&SigningKey, KeyError> {
    ring.iter().find(|key| key.algorithm == algorithm).ok_or(KeyError::Missing)
}

/// [`SigningKey::derived`] of the symmetric key that signs now.
///
/// # Errors
/// [`KeyError`] when the ring has no symmetric key.
pub fn derive(ring: &[SigningKey], label: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    signing_key(ring, Algorithm::HS256)?.derived(label)
}

impl SigningKey {
    /// A compact JWS over `claims` (RFC 7515 §3.1).
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn sign(&self, claims: &(impl Serialize + ?Sized)) -> Result<String, KeyError> {
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Crypto)?;
        let header = json!({ "typ": "JWT", "kid": self.kid, "alg": self.algorithm.name() });
        let mut jws = URL_SAFE_NO_PAD.encode(header.to_string());
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jws);
        let signature = self.signature(jws.as_bytes())?;
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
        Ok(jws)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.key {
            Material::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Material::Rsa(pair, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Material::Ec(pair, _) => Ok(pair.sign(&rand::SystemRandom::new(), message)?.as_ref().to_vec()),
        }
    }

    fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Material::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Rsa(_, public) | Material::Ec(_, public) => public.verify_sig(message, signature).is_ok(),
        }
    }

    /// 32 bytes for a purpose of their own, which every node of the cluster can derive and nobody else: HMAC-SHA256 is a
    /// pseudo-random function, and no JWS begins with the word and the space that stand before the label.
    ///
    /// # Errors
    /// [`KeyError::Missing`] for a key that is not symmetric: what it signs is public.
    pub fn derived(&self, label: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        if !matches!(self.key, Material::Hmac(_)) {
            return Err(KeyError::Missing);
        }
        let tag = Zeroizing::new(self.signature(format!("derive {label}").as_bytes())?);
        tag.first_chunk().copied().map(Zeroizing::new).ok_or(KeyError::Crypto)
    }

    /// The public key as a JWK (RFC 7517); `None` for a symmetric one.
    pub fn jwk(&self) -> Option<Value> {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let common = |mut jwk: Value| {
            jwk["kid"] = json!(self.kid);
            jwk["use"] = json!("sig");
            jwk["alg"] = json!(self.algorithm.name());
            jwk
        };
        match &self.key {
            Material::Hmac(_) => None,
            Material::Rsa(pair, _) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                Some(common(json!({ "kty": "RSA", "n": b64(&parts.n), "e": b64(&parts.e) })))
            }
            Material::Ec(pair, _) => {
                // An uncompressed point: 0x04 ‖ x ‖ y.
                let (x, y) = pair.public_key().as_ref().get(1..65)?.split_at(32);
                Some(common(json!({ "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) })))
            }
        }
    }
}

/// Longest JWT that is looked at, bytes.
pub const MAX_JWT_BYTES: usize = 16 * 1024;

/// The claims of a compact JWS that one of our keys signed, whatever the key is for: for what only we read.
pub fn verify(ring: &[SigningKey], jws: &str) -> Option<Value> {
    verify_by(ring.iter(), jws)
}

/// The claims of a compact JWS that one of `keys` signed. The algorithm comes from the key, never from the header alone
/// (oauth2-tokens §3.3).
fn verify_by<'k>(mut keys: impl Iterator<Item = &'k SigningKey>, jws: &str) -> Option<Value> {
    if jws.len() > MAX_JWT_BYTES {
        return None;
    }
    let (message, signature) = jws.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    if claims.contains('.') {
        return None;
    }
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let (kid, alg) = (header["kid"].as_str()?, header["alg"].as_str()?);
    let unsupported = header.get("crit").is_some() || header.get("zip").is_some_and(|zip| zip != "NONE");
    let key = keys.find(|key| secrets::equal(key.kid.as_bytes(), kid.as_bytes()))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if unsupported || key.algorithm.name() != alg || !key.fits(message.as_bytes(), &signature) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Left half of SHA-256 of `text`, base64url: `at_hash`, `c_hash` (OpenID Connect Core §3.1.3.6).
pub fn half_hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default())
}

const _: fn() = || {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<SigningKey>();
    let _ = signature::ED25519_PUBLIC_KEY_LEN;
};
