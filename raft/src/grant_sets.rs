//! Grant sets: authorization codes and access tokens by family, one shard of them.
//!
//! | rule                                                                 | where             |
//! |----------------------------------------------------------------------|-------------------|
//! | RFC 6749 §4.1.2 a code works once; a replay revokes what it bought     | `redeem_code`     |
//! | RFC 6749 §4.1.3 same client, same `redirect_uri`                       | `redeem_code`     |
//! | RFC 7636 §4.6 the verifier matches the challenge                       | `redeem_code`     |
//! | RFC 7009 §2.1 only the client it was issued to may revoke a token      | `revoke_access`   |
//! | G3, G4 no copy of an issue brings a token back that was revoked or has expired | `end_access`, `advance` |
//! | oauth2-tokens §6.4 revoking a grant ends all of it, and what is still to come | `revoke_grant` |
//! | G8 expired things disappear by themselves, each operation is O(log n)  | `advance`         |
//!
//! What many tokens have in common (client, owner, scope …) is stored once, as a [`Template`]; tokens are records of their
//! own, so that a client with a million live tokens costs no more per operation than one with ten (G8).

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    ids::{ClientId, GrantId, OwnerId, RealmPath, Seq},
    limits::{CODE_MARGIN_MS, DRAFT_WINDOW_MS, MAX_CODE_SECS, MAX_LIVE_PER_SHARD},
    live_tokens::{LiveTokens, TokenId},
    owners::{Committed, Owned},
    time::{Span, Stamp},
    token::{Challenge, TokenHash},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

/// What the tokens of one client, owner, scope and grant type have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Template {
    /// The realm.
    pub realm: RealmPath,
    /// The client the token is issued to.
    pub client: ClientId,
    /// The client document's fence when the token was issued; a token dies when it moves (G3).
    pub client_fence: Seq,
    /// The resource owner; the client's own id for client credentials.
    pub owner: OwnerId,
    /// The user document's fence; `None` when the owner is the client itself.
    pub owner_fence: Option<Seq>,
    /// Granted scope values, in order.
    pub scope: Vec<Arc<str>>,
    /// The wire name of the grant type.
    pub grant_type: Arc<str>,
    /// Issuer at the time of the grant.
    pub issuer: Arc<str>,
    /// The process that minted the token: first half of `auditTrackingId`.
    pub audit_process: u128,
    /// Fields that token modification set (`aud`, `policyResult` …), as a JSON object; empty when there are none.
    pub extra: Arc<str>,
}

/// A live opaque access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Its family, and the hash of its handle.
    pub id: TokenId,
    /// What it shares with others.
    pub template: Arc<Template>,
    /// When it was issued, log time.
    pub issued: Stamp,
    /// From when it is dead, log time.
    pub expires: Stamp,
    /// When the owner authenticated, seconds since the epoch.
    pub auth_time: u64,
    /// Second half of `auditTrackingId`.
    pub audit_counter: u64,
}

/// The particulars of a token about to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccess {
    /// SHA-256 of the handle.
    pub hash: TokenHash,
    /// What it shares with others.
    pub template: Arc<Template>,
    /// When the owner authenticated, seconds since the epoch.
    pub auth_time: u64,
    /// Second half of `auditTrackingId`.
    pub audit_counter: u64,
    /// How long it lives.
    pub ttl: Span,
}

/// Store a new opaque access token of a grant of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueAccess {
    /// Routing hint of the handle.
    pub hint: u8,
    /// Its family.
    pub grant: GrantId,
    /// The token.
    pub access: NewAccess,
}

/// What the resource owner authorized, as remembered between the two halves of the code grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// The realm.
    pub realm: RealmPath,
    /// The client it was issued to.
    pub client: ClientId,
    /// The client document's fence.
    pub client_fence: Seq,
    /// Who authorized.
    pub owner: OwnerId,
    /// The user document's fence.
    pub owner_fence: Seq,
    /// Authorized scope values, in order.
    pub scope: Vec<Arc<str>>,
    /// Issuer at the time of the grant.
    pub issuer: Arc<str>,
    /// The family.
    pub grant: GrantId,
    /// The redirect URI that was used.
    pub redirect_uri: Arc<str>,
    /// Whether the request named it (RFC 6749 §4.1.3).
    pub redirect_uri_sent: bool,
    /// PKCE challenge, when one was sent.
    pub challenge: Option<Challenge>,
    /// OpenID Connect `nonce`.
    pub nonce: Option<Arc<str>>,
    /// OpenID Connect `claims`, raw JSON.
    pub claims: Option<Arc<str>>,
    /// `acr` that the authentication reached.
    pub acr: Option<Arc<str>>,
    /// Authentication level of the session.
    pub auth_level: i32,
    /// When the owner authenticated, seconds since the epoch.
    pub auth_time: u64,
}

/// Store a new authorization code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueCode {
    /// Routing hint of the handle.
    pub hint: u8,
    /// SHA-256 of the code.
    pub hash: TokenHash,
    /// What was authorized.
    pub authorization: Arc<Authorization>,
    /// How long it lives; [`MAX_CODE_SECS`] at most.
    pub ttl: Span,
}

/// What a redeemed code buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purchase {
    /// An opaque token, stored in the same entry.
    Opaque(NewAccess),
    /// A client-based token: the JWT itself is minted by the node that asked; only its id is remembered.
    ClientBased {
        /// SHA-256 of its `jti`.
        jti: TokenHash,
        /// How long it lives.
        ttl: Span,
    },
}

impl Purchase {
    fn hash(&self) -> TokenHash {
        match self {
            Self::Opaque(access) => access.hash,
            Self::ClientBased { jti, .. } => *jti,
        }
    }

    fn ttl(&self) -> Span {
        match self {
            Self::Opaque(access) => access.ttl,
            Self::ClientBased { ttl, .. } => *ttl,
        }
    }
}

/// Exchange a code, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemCode {
    /// Routing hint of the handle.
    pub hint: u8,
    /// SHA-256 of the code.
    pub code: TokenHash,
    /// Realm of the endpoint.
    pub realm: RealmPath,
    /// The authenticated client.
    pub client: ClientId,
    /// `redirect_uri` as sent.
    pub redirect_uri: Option<Arc<str>>,
    /// SHA-256 of `code_verifier`.
    pub verifier: Option<Challenge>,
    /// What it buys.
    pub purchase: Purchase,
}

/// Revoke one opaque access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeAccess {
    /// Routing hint of the handle.
    pub hint: u8,
    /// SHA-256 of the handle.
    pub hash: TokenHash,
    /// The authenticated client.
    pub client: ClientId,
    /// Realm of the endpoint.
    pub realm: RealmPath,
}

/// Revoke everything of one grant: opaque tokens end, however they came about; codes that have bought nothing yet buy nothing
/// any more; nothing is issued that is still under way; and until `until` every client-based token of it is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeGrant {
    /// Shard that holds the grant.
    pub hint: u8,
    /// The family.
    pub grant: GrantId,
    /// Until when client-based tokens of the family could still be valid.
    pub until: Stamp,
}

/// A code is one of these two things; "spent, yet redeemable" cannot be written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// It can be redeemed.
    Live,
    /// It bought something.
    Spent {
        /// What, so that a retry is told from a replay.
        bought: TokenHash,
        /// When.
        issued: Stamp,
        /// Until when what it bought lives.
        expires: Stamp,
    },
    /// A failed check spent it (RFC 9700 §2.1.1: one guess).
    Burnt,
}

/// A code and what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCode {
    /// What was authorized.
    pub authorization: Arc<Authorization>,
    /// From when it is dead, log time.
    pub expires: Stamp,
    /// From when it is unknown: late enough to say why it failed, and to notice a replay while what it bought lives.
    pub forget: Stamp,
    /// Live, spent or burnt.
    pub state: Code,
}

/// What changed, for whoever publishes read views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantChange {
    /// A token exists, or no longer.
    Access(TokenHash, Option<Arc<AccessToken>>),
    /// A code has a new state, or is gone.
    Code(TokenHash, Option<Arc<StoredCode>>),
    /// A family is revoked until then; `None` forgets it.
    Grant(GrantId, Option<Stamp>),
}

/// The commands that grant sets understand.
#[derive(Clone, Debug, PartialEq)]
pub enum GrantCommand {
    /// See [`IssueAccess`].
    IssueAccess(IssueAccess),
    /// See [`IssueCode`].
    IssueCode(IssueCode),
    /// See [`RedeemCode`].
    RedeemCode(RedeemCode),
    /// See [`RevokeAccess`].
    RevokeAccess(RevokeAccess),
    /// See [`RevokeGrant`].
    RevokeGrant(RevokeGrant),
}

/// What expires beside live tokens, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mortal {
    Ended(TokenHash),
    Code(TokenHash),
    Grant(GrantId),
}

/// One shard of grant sets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrantSets {
    now: Stamp,
    access: LiveTokens,
    /// Tokens that were revoked, or have expired early, as long as a copy of what made or ended them can have an effect:
    /// until then (ADR 9).
    ended: Buckets<(Arc<AccessToken>, Stamp)>,
    codes: Buckets<Arc<StoredCode>>,
    /// Revoked families, for client-based tokens that nobody can delete.
    revoked: BTreeMap<GrantId, Stamp>,
    // INVARIANT: the two below are derived from the ones above; `restore` rebuilds them.
    deaths: BTreeSet<(Stamp, Mortal)>,
    /// How many tokens use each.
    templates: BTreeMap<Arc<Template>, usize>,
}

impl Owned for GrantSets {
    type Command = GrantCommand;
    type Change = GrantChange;

    fn apply(&mut self, committed: Committed<GrantCommand>, changed: &mut Vec<GrantChange>) -> Outcome {
        self.advance(committed.at, changed);
        match committed.command {
            GrantCommand::IssueAccess(issue) => self.issue_access(issue, changed),
            GrantCommand::IssueCode(issue) => self.issue_code(issue, changed),
            GrantCommand::RedeemCode(redeem) => self.redeem_code(redeem, changed),
            GrantCommand::RevokeAccess(revoke) => self.revoke_access(&revoke, changed),
            GrantCommand::RevokeGrant(revoke) => Ok(self.revoke_grant(revoke.grant, revoke.until, changed)),
        }
        .unwrap_or_else(Outcome::Refused)
    }

    fn advance(&mut self, at: Stamp, changed: &mut Vec<GrantChange>) {
        self.now = self.now.max(at);
        while let Some(token) = self.access.first_to_die().filter(|token| token.expires <= self.now) {
            let hash = token.id.hash;
            if let Some(token) = self.remove_access(&hash, changed) {
                let forget = token.issued + Span(DRAFT_WINDOW_MS);
                self.remember(token, forget);
            }
        }
        while let Some(&(when, mortal)) = self.deaths.first()
            && when <= self.now
        {
            self.deaths.pop_first();
            match mortal {
                Mortal::Ended(hash) => {
                    if let Some((token, _)) = self.ended.remove(&hash) {
                        self.release(&token.template);
                    }
                }
                Mortal::Code(hash) => {
                    self.codes.remove(&hash);
                    changed.push(GrantChange::Code(hash, None));
                }
                Mortal::Grant(grant) => {
                    self.revoked.remove(&grant);
                    changed.push(GrantChange::Grant(grant, None));
                }
            }
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        self.deaths.first().map(|&(when, _)| when).into_iter().chain(self.access.next_death()).min()
    }

    fn frozen(&self) -> Self {
        Self {
            now: self.now,
            access: self.access.frozen(),
            ended: self.ended.clone(),
            codes: self.codes.clone(),
            revoked: self.revoked.clone(),
            ..Self::default()
        }
    }
}

impl GrantSets {
    fn issue_access(&mut self, issue: IssueAccess, changed: &mut Vec<GrantChange>) -> Result<Outcome, Refusal> {
        // A handle is 160 random bits: the same hash again is the same attempt again.
        let hash = &issue.access.hash;
        if let Some(stored) = self.access.get(hash).or_else(|| self.ended_token(hash)) {
            return Ok(Outcome::Issued { issued: stored.issued, expires: stored.expires });
        }
        self.require_grant(&issue.grant)?;
        self.make_room()?;
        Ok(self.store_access(issue.grant, issue.access, changed))
    }

    fn issue_code(&mut self, issue: IssueCode, changed: &mut Vec<GrantChange>) -> Result<Outcome, Refusal> {
        let ttl = issue.ttl.min(Span::from_secs(MAX_CODE_SECS));
        if let Some(stored) = self.codes.get(&issue.hash) {
            let issued = Stamp(stored.expires.0.saturating_sub(ttl.0));
            return Ok(Outcome::Issued { issued, expires: stored.expires });
        }
        self.require_grant(&issue.authorization.grant)?;
        self.make_room()?;
        let expires = self.now + ttl;
        let forget = (expires + Span(CODE_MARGIN_MS)).max(self.now + Span(DRAFT_WINDOW_MS));
        self.deaths.insert((forget, Mortal::Code(issue.hash)));
        self.set_code(
            issue.hash,
            StoredCode { authorization: issue.authorization, expires, forget, state: Code::Live },
            changed,
        );
        Ok(Outcome::Issued { issued: self.now, expires })
    }

    /// RFC 6749 §4.1.2–4.1.3, RFC 7636 §4.6: a code works at most once; a second use revokes what the first one bought.
    /// The client is checked first, so that nobody can spend or revoke what belongs to another.
    fn redeem_code(&mut self, redeem: RedeemCode, changed: &mut Vec<GrantChange>) -> Result<Outcome, Refusal> {
        // Decide: reads only.
        let stored = self.codes.get(&redeem.code).ok_or(Refusal::UnknownCode)?.clone();
        let authorization = &stored.authorization;
        if authorization.client != redeem.client || authorization.realm != redeem.realm {
            return Err(Refusal::OtherClient);
        }
        match &stored.state {
            Code::Live if stored.expires <= self.now => return Err(Refusal::Expired),
            Code::Live => self.require_grant(&authorization.grant)?,
            Code::Spent { bought, issued, expires } if *bought == redeem.purchase.hash() => {
                return Ok(Outcome::Issued { issued: *issued, expires: *expires });
            }
            Code::Spent { expires, .. } => {
                self.revoke_grant(authorization.grant, *expires, changed);
                return Err(Refusal::Replayed);
            }
            Code::Burnt => return Err(Refusal::Replayed),
        }
        if let Some(refusal) = mismatch(authorization, &redeem) {
            if refusal != Refusal::MissingVerifier {
                let burnt = StoredCode { state: Code::Burnt, ..(*stored).clone() };
                self.set_code(redeem.code, burnt, changed);
            }
            return Err(refusal);
        }
        // Unreachable with honest dice; a purchase that was ended must not come back by way of a code that did (G3).
        let bought = &redeem.purchase.hash();
        if self.access.get(bought).or_else(|| self.ended_token(bought)).is_some() {
            return Err(Refusal::Replayed);
        }
        self.make_room()?;

        // Write: no `return` and no `?` below, so that half a redemption cannot happen.
        let (bought, issued, expires) = (redeem.purchase.hash(), self.now, self.now + redeem.purchase.ttl());
        let spent = StoredCode { state: Code::Spent { bought, issued, expires }, ..(*stored).clone() };
        let forget = expires.max(stored.forget).max(self.now + Span(DRAFT_WINDOW_MS));
        self.deaths.remove(&(stored.forget, Mortal::Code(redeem.code)));
        self.deaths.insert((forget, Mortal::Code(redeem.code)));
        self.set_code(redeem.code, StoredCode { forget, ..spent }, changed);
        if let Purchase::Opaque(access) = redeem.purchase {
            self.store_access(authorization.grant, access, changed);
        }
        Ok(Outcome::Issued { issued, expires })
    }

    /// RFC 7009 §2.1. A token that is not there is no error; a token of another client is left alone. A retry finds the
    /// token among the ended ones and gets its first answer.
    fn revoke_access(&mut self, revoke: &RevokeAccess, changed: &mut Vec<GrantChange>) -> Result<Outcome, Refusal> {
        let live = self.access.get(&revoke.hash);
        let stored = live.or_else(|| self.ended_token(&revoke.hash)).ok_or(Refusal::UnknownToken)?;
        if stored.template.client != revoke.client || stored.template.realm != revoke.realm {
            return Err(Refusal::OtherClient);
        }
        self.end_access(&revoke.hash, changed);
        Ok(Outcome::Done)
    }

    fn revoke_grant(&mut self, grant: GrantId, until: Stamp, changed: &mut Vec<GrantChange>) -> Outcome {
        for hash in self.access.of_grant(grant) {
            self.end_access(&hash, changed);
        }
        // Marked at least until its codes are dead, and no draft of it is left that was made before this one.
        let until = until.max(self.now + Span::from_secs(MAX_CODE_SECS));
        let until = match self.revoked.get(&grant) {
            Some(&known) => {
                self.deaths.remove(&(known, Mortal::Grant(grant)));
                known.max(until)
            }
            None => until,
        };
        self.revoked.insert(grant, until);
        self.deaths.insert((until, Mortal::Grant(grant)));
        changed.push(GrantChange::Grant(grant, Some(until)));
        Outcome::Done
    }

    /// Nothing is issued that belongs to a revoked grant.
    fn require_grant(&self, grant: &GrantId) -> Result<(), Refusal> {
        if self.revoked.contains_key(grant) { Err(Refusal::Replayed) } else { Ok(()) }
    }

    fn make_room(&self) -> Result<(), Refusal> {
        let held = self.access.len() + self.ended.len() + self.codes.len();
        if held < MAX_LIVE_PER_SHARD { Ok(()) } else { Err(Refusal::Full) }
    }

    fn store_access(&mut self, grant: GrantId, access: NewAccess, changed: &mut Vec<GrantChange>) -> Outcome {
        let token = Arc::new(AccessToken {
            id: TokenId { grant, hash: access.hash },
            template: self.intern(access.template),
            issued: self.now,
            expires: self.now + access.ttl,
            auth_time: access.auth_time,
            audit_counter: access.audit_counter,
        });
        let outcome = Outcome::Issued { issued: token.issued, expires: token.expires };
        self.access.insert(token.clone());
        changed.push(GrantChange::Access(access.hash, Some(token)));
        outcome
    }

    fn ended_token(&self, hash: &TokenHash) -> Option<&Arc<AccessToken>> {
        self.ended.get(hash).map(|(token, _)| token)
    }

    /// Takes a token out before its time. It is remembered until no copy can have an effect any more, neither of the
    /// proposal that made it (G3) nor of this one. Not for longer, however long the token would have lived: what is
    /// held is a function of the live (G8).
    fn end_access(&mut self, hash: &TokenHash, changed: &mut Vec<GrantChange>) {
        if let Some(token) = self.remove_access(hash, changed) {
            self.remember(token, self.now + Span(DRAFT_WINDOW_MS));
        }
    }

    /// Keeps a token that is dead until `forget`, if that is yet to come.
    fn remember(&mut self, token: Arc<AccessToken>, forget: Stamp) {
        if forget <= self.now {
            return self.release(&token.template);
        }
        let hash = token.id.hash;
        self.deaths.insert((forget, Mortal::Ended(hash)));
        self.ended.insert(hash, (token, forget));
    }

    fn remove_access(&mut self, hash: &TokenHash, changed: &mut Vec<GrantChange>) -> Option<Arc<AccessToken>> {
        let token = self.access.remove(hash)?;
        changed.push(GrantChange::Access(*hash, None));
        Some(token)
    }

    fn set_code(&mut self, hash: TokenHash, code: StoredCode, changed: &mut Vec<GrantChange>) {
        let code = Arc::new(code);
        self.codes.insert(hash, code.clone());
        changed.push(GrantChange::Code(hash, Some(code)));
    }

    /// The stored template that equals `template`, so that a million tokens share one; counts its user.
    fn intern(&mut self, template: Arc<Template>) -> Arc<Template> {
        let entry = self.templates.entry(template);
        let known = entry.key().clone();
        *entry.or_default() += 1;
        known
    }

    /// Counts a user of the template less, and forgets it after the last.
    fn release(&mut self, template: &Arc<Template>) {
        if let Entry::Occupied(mut users) = self.templates.entry(template.clone()) {
            *users.get_mut() -= 1;
            if *users.get() == 0 {
                users.remove();
            }
        }
    }

    /// Live access tokens, in the order of their hashes.
    pub fn access(&self) -> &LiveTokens {
        &self.access
    }

    /// Dead tokens that are remembered, so that no copy of an issue brings them back, in the order of their hashes.
    pub fn ended(&self) -> &Buckets<(Arc<AccessToken>, Stamp)> {
        &self.ended
    }

    /// Codes that are live or remembered, in the order of their hashes.
    pub fn codes(&self) -> &Buckets<Arc<StoredCode>> {
        &self.codes
    }

    /// Revoked families and until when.
    pub fn revoked(&self) -> &BTreeMap<GrantId, Stamp> {
        &self.revoked
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(
        now: Stamp,
        access: impl IntoIterator<Item = AccessToken>,
        ended: impl IntoIterator<Item = (AccessToken, Stamp)>,
        codes: impl IntoIterator<Item = (TokenHash, StoredCode)>,
        revoked: impl IntoIterator<Item = (GrantId, Stamp)>,
    ) -> Self {
        let mut restored = Self { now, ..Self::default() };
        let mut deaths = Vec::new();
        for (hash, code) in codes {
            deaths.push((code.forget, Mortal::Code(hash)));
            restored.codes.insert(hash, Arc::new(code));
        }
        let access: Vec<_> = access.into_iter().map(|token| restored.adopt(token)).collect();
        restored.access = access.into_iter().collect();
        for (token, forget) in ended {
            deaths.push((forget, Mortal::Ended(token.id.hash)));
            let token = restored.adopt(token);
            restored.ended.insert(token.id.hash, (token, forget));
        }
        for (grant, until) in revoked {
            deaths.push((until, Mortal::Grant(grant)));
            restored.revoked.insert(grant, until);
        }
        restored.deaths = deaths.into_iter().collect();
        restored
    }

    /// A token from a snapshot, with the template that this shard has.
    fn adopt(&mut self, token: AccessToken) -> Arc<AccessToken> {
        let template = self.intern(token.template);
        Arc::new(AccessToken { template, ..token })
    }
}

/// The checks that spend a code when they fail, in the RFCs' order.
fn mismatch(authorization: &Authorization, redeem: &RedeemCode) -> Option<Refusal> {
    let same_redirect = match &redeem.redirect_uri {
        Some(sent) => *sent == authorization.redirect_uri,
        None => !authorization.redirect_uri_sent,
    };
    if !same_redirect {
        return Some(Refusal::OtherRedirect);
    }
    match (&authorization.challenge, &redeem.verifier) {
        (None, None) => None,
        (Some(challenge), Some(verifier)) if challenge == verifier => None,
        (Some(_), None) => Some(Refusal::MissingVerifier),
        // RFC 9700 §2.1.1: a verifier without a challenge is a downgrade attempt.
        (Some(_) | None, Some(_)) => Some(Refusal::WrongVerifier),
    }
}
