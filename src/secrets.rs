//! Bearer secrets: minted, hashed, revealed once (G5).
//!
//! A handle is 21 bytes as 28 characters of base64url: 160 random bits and one byte that tells the shard. The last byte is
//! an untrusted hint: a wrong one finds nothing. What is looked up is SHA-256 over the kind and the handle, so a handle of
//! one kind is never found as another.

use crate::host;
use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::{Challenge, ClientId, GrantId, OwnerId, RealmPath, Seq, TokenHash};

/// What a handle is for. The byte is hashed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HandleKind {
    /// Opaque access token.
    Access = 1,
    /// Authorization code.
    Code = 2,
    /// SSO token.
    Session = 3,
    /// `jti` of a client-based token.
    Jti = 4,
    /// `otk` of a step of a journey.
    Step = 16,
    /// Id of a transaction.
    Transaction = 17,
}

/// Characters of a handle.
pub const HANDLE_CHARS: usize = 28;
const HANDLE_BYTES: usize = 21;

/// A bearer secret in the clear, alive from mint to response. No `Clone`, no `Debug`, no `Serialize`.
pub struct Minted {
    text: String,
    hash: TokenHash,
    hint: u8,
}

impl Minted {
    /// A new handle of `kind`, routed by `hint`.
    pub fn new(kind: HandleKind, hint: u8) -> Self {
        let mut bytes = host::random::<HANDLE_BYTES>();
        bytes[HANDLE_BYTES - 1] = hint;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let hash = hash(kind, &text);
        Self { text, hash, hint }
    }

    /// What the log may know of it.
    pub fn hash(&self) -> TokenHash {
        self.hash
    }

    /// The routing hint inside it.
    pub fn hint(&self) -> u8 {
        self.hint
    }

    /// By value: a secret is shown to its owner once.
    pub fn reveal(self) -> String {
        self.text
    }
}

/// A handle that somebody presented, as far as it can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Under what it would be stored.
    pub hash: TokenHash,
    /// Where it claims to be stored.
    pub hint: u8,
}

impl Presented {
    /// Parses a handle; `None` for whatever cannot be one.
    pub fn parse(kind: HandleKind, text: &str) -> Option<Self> {
        if text.len() != HANDLE_CHARS {
            return None;
        }
        let mut bytes = [0; HANDLE_BYTES];
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (read == HANDLE_BYTES).then(|| Self { hash: hash(kind, text), hint: bytes[HANDLE_BYTES - 1] })
    }
}

/// SHA-256 over the kind and the text.
pub fn hash(kind: HandleKind, text: &str) -> TokenHash {
    let mut context = Context::new(&SHA256);
    context.update(&[kind as u8]);
    context.update(text.as_bytes());
    TokenHash(sha256_bytes(context.finish().as_ref()))
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_bytes(digest(&SHA256, bytes).as_ref())
}

fn sha256_bytes(digest: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest);
    out
}

/// RFC 7636 §4.6: the stored form of a `code_verifier`.
pub fn s256(verifier: &str) -> Challenge {
    Challenge(sha256(verifier.as_bytes()))
}

/// The shard hint of a grant set: all codes and tokens of (realm, client, owner) live together.
pub fn grant_set_hint(realm: &RealmPath, client: &ClientId, owner: &OwnerId) -> u8 {
    let mut context = Context::new(&SHA256);
    for part in [realm.as_str(), client.as_str(), owner.as_str()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref()[0]
}

/// A new `authGrantId`: 96 random bits, then the client's fence, so that a client-based token tells under which fence it
/// was issued without a claim of its own.
pub fn new_grant_id(fence: Seq) -> GrantId {
    let mut bytes = [0; 20];
    let (random, tail) = bytes.split_at_mut(12);
    host::fill_random(random);
    tail.copy_from_slice(&fence.0.to_be_bytes());
    GrantId(bytes)
}

/// The fence inside a grant id.
pub fn grant_fence(grant: &GrantId) -> Seq {
    let mut tail = [0; 8];
    tail.copy_from_slice(&grant.0[12..]);
    Seq(u64::from_be_bytes(tail))
}

/// A grant id as text, 27 characters.
pub fn grant_text(grant: &GrantId) -> String {
    URL_SAFE_NO_PAD.encode(grant.0)
}

/// The grant id in `text`.
pub fn parse_grant(text: &str) -> Option<GrantId> {
    let mut bytes = [0; 20];
    let read = (text.len() == 27).then(|| URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok())??;
    (read == 20).then_some(GrantId(bytes))
}

/// Equal, in time that does not depend on where they differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_back_as_what_was_minted_and_as_nothing_else() {
        let minted = Minted::new(HandleKind::Access, 7);
        let (hash, text) = (minted.hash(), minted.reveal());
        assert_eq!(text.len(), HANDLE_CHARS);
        assert_eq!(Presented::parse(HandleKind::Access, &text), Some(Presented { hash, hint: 7 }));
        assert_ne!(Presented::parse(HandleKind::Code, &text).map(|p| p.hash), Some(hash));
        for wrong in ["", "short", &text[1..], &format!("{text}A"), &text.replace(&text[..1], "!")] {
            assert_eq!(Presented::parse(HandleKind::Access, wrong), None);
        }
    }

    #[test]
    fn a_grant_id_carries_its_fence() {
        let grant = new_grant_id(Seq(0x1234_5678));
        assert_eq!(grant_fence(&grant), Seq(0x1234_5678));
        assert_eq!(parse_grant(&grant_text(&grant)), Some(grant));
        assert_eq!(parse_grant("x"), None);
    }

    #[test]
    fn the_hint_of_a_grant_set_separates_its_parts() {
        let hint = |c: &str, o: &str| {
            (0..32).map(|n| grant_set_hint(&format!("/{n}").into(), &c.into(), &o.into())).collect::<Vec<_>>()
        };
        assert_ne!(hint("ab", "c"), hint("a", "bc"));
    }
}
