//! Second, simpler models of the state to disagree with: no shards, no indexes, nothing shared, every question answered by
//! looking at everything.

use quorate_raft::{
    Batch, Command, Document, DocumentKey, Documents, Draft, GrantId, Kind, Outcome, ProposalId, RealmPath, Refusal,
    Seq, Session, Sessions, Span, Stamp, State, TokenHash, TokenId, Write,
    documents::{Change, Precondition, RemoveRealm, WriteDocuments},
    grant_sets::{AccessToken, Authorization, Code, NewAccess, Purchase, RedeemCode, StoredCode},
    limits::{CODE_MARGIN_MS, DRAFT_WINDOW_MS},
    sessions::{
        CreateSession, DestroySession, DestroySessionsOf, Exceeded, Quota, SessionData, StartSession, TouchSession,
        UpdateSession,
    },
};
use std::{collections::BTreeMap, sync::Arc};

const WINDOW: Span = Span(DRAFT_WINDOW_MS);

/// No effect from its deadline on, nor if that is more than a window away.
fn untimely(draft: &Draft, now: Stamp) -> bool {
    draft.command != Command::Tick && (now >= draft.deadline || draft.deadline.0 - now.0 > WINDOW.0)
}

/// Codes and access tokens.
#[derive(Default)]
pub struct PlainGrants {
    pub now: Stamp,
    /// With until when it is remembered, if it was revoked while it lived.
    tokens: BTreeMap<TokenHash, (AccessToken, Option<Stamp>)>,
    codes: BTreeMap<TokenHash, StoredCode>,
    revoked: BTreeMap<GrantId, Stamp>,
}

impl PlainGrants {
    pub fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        self.now = self.now.max(batch.at);
        let now = self.now;
        self.tokens.retain(|_, (token, forget)| now < forget.unwrap_or(token.expires.max(token.issued + WINDOW)));
        self.codes.retain(|_, code| now < code.forget);
        self.revoked.retain(|_, until| now < *until);
        let decide = |draft: &Draft| match untimely(draft, now) {
            true => Outcome::Refused(Refusal::Untimely),
            false => self.decide(&draft.command),
        };
        batch.drafts.iter().map(decide).collect()
    }

    fn decide(&mut self, command: &Command) -> Outcome {
        let forget = self.now + WINDOW;
        match command {
            Command::IssueAccess(issue) => match self.tokens.get(&issue.access.hash) {
                Some((token, _)) => Outcome::Issued { issued: token.issued, expires: token.expires },
                None if self.revoked.contains_key(&issue.grant) => Outcome::Refused(Refusal::Replayed),
                None => self.store(issue.grant, &issue.access),
            },
            Command::IssueCode(issue) => {
                let known = self.codes.contains_key(&issue.hash);
                if !known && self.revoked.contains_key(&issue.authorization.grant) {
                    return Outcome::Refused(Refusal::Replayed);
                }
                let ttl = Span(issue.ttl.0.min(600_000));
                let expires = self.now + ttl;
                let fresh = StoredCode {
                    authorization: issue.authorization.clone(),
                    expires,
                    forget: (expires + Span(CODE_MARGIN_MS)).max(self.now + WINDOW),
                    state: Code::Live,
                };
                let stored = self.codes.entry(issue.hash).or_insert(fresh);
                Outcome::Issued { issued: Stamp(stored.expires.0.saturating_sub(ttl.0)), expires: stored.expires }
            }
            Command::RedeemCode(redeem) => self.redeem(redeem),
            Command::RevokeAccess(revoke) => match self.tokens.get_mut(&revoke.hash) {
                None => Outcome::Refused(Refusal::UnknownToken),
                Some((token, revoked)) => {
                    if token.template.client != revoke.client || token.template.realm != revoke.realm {
                        return Outcome::Refused(Refusal::OtherClient);
                    }
                    if self.now < token.expires {
                        revoked.get_or_insert(forget);
                    }
                    Outcome::Done
                }
            },
            Command::RevokeGrant(revoke) => {
                self.revoke_family(revoke.grant, revoke.until);
                Outcome::Done
            }
            _ => Outcome::Done,
        }
    }

    fn redeem(&mut self, redeem: &RedeemCode) -> Outcome {
        let Some(code) = self.codes.get(&redeem.code).cloned() else {
            return Outcome::Refused(Refusal::UnknownCode);
        };
        let authorization: &Authorization = &code.authorization;
        let (hash, ttl) = match &redeem.purchase {
            Purchase::Opaque(access) => (access.hash, access.ttl),
            Purchase::ClientBased { jti, ttl } => (*jti, *ttl),
        };
        if authorization.client != redeem.client || authorization.realm != redeem.realm {
            return Outcome::Refused(Refusal::OtherClient);
        }
        match code.state {
            Code::Spent { bought, issued, expires } if bought == hash => return Outcome::Issued { issued, expires },
            Code::Spent { expires, .. } => {
                self.revoke_family(authorization.grant, expires);
                return Outcome::Refused(Refusal::Replayed);
            }
            Code::Burnt => return Outcome::Refused(Refusal::Replayed),
            Code::Live if self.now >= code.expires => return Outcome::Refused(Refusal::Expired),
            Code::Live if self.revoked.contains_key(&authorization.grant) => {
                return Outcome::Refused(Refusal::Replayed);
            }
            Code::Live => {}
        }
        let redirect_is_wrong = match &redeem.redirect_uri {
            Some(uri) => **uri != *authorization.redirect_uri,
            None => authorization.redirect_uri_sent,
        };
        let refusal = if redirect_is_wrong {
            Some(Refusal::OtherRedirect)
        } else if redeem.verifier == authorization.challenge {
            None
        } else if redeem.verifier.is_none() {
            return Outcome::Refused(Refusal::MissingVerifier);
        } else {
            Some(Refusal::WrongVerifier)
        };
        if let Some(refusal) = refusal {
            self.codes.insert(redeem.code, StoredCode { state: Code::Burnt, ..code });
            return Outcome::Refused(refusal);
        }
        if self.tokens.contains_key(&hash) {
            return Outcome::Refused(Refusal::Replayed);
        }
        let (issued, expires) = (self.now, self.now + ttl);
        let grant = authorization.grant;
        let forget = code.forget.max(expires).max(self.now + WINDOW);
        let state = Code::Spent { bought: hash, issued, expires };
        self.codes.insert(redeem.code, StoredCode { state, forget, ..code });
        if let Purchase::Opaque(access) = &redeem.purchase {
            self.store(grant, access);
        }
        Outcome::Issued { issued, expires }
    }

    fn store(&mut self, grant: GrantId, access: &NewAccess) -> Outcome {
        let NewAccess { hash, template, auth_time, audit_counter, ttl } = access.clone();
        let (issued, expires) = (self.now, self.now + ttl);
        let id = TokenId { grant, hash };
        self.tokens.insert(hash, (AccessToken { id, template, issued, expires, auth_time, audit_counter }, None));
        Outcome::Issued { issued, expires }
    }

    fn revoke_family(&mut self, grant: GrantId, until: Stamp) {
        let (now, forget) = (self.now, self.now + WINDOW);
        let family = self.tokens.values_mut().filter(|(token, _)| token.id.grant == grant && now < token.expires);
        family.for_each(|(_, revoked)| {
            revoked.get_or_insert(forget);
        });
        let known = self.revoked.entry(grant).or_default();
        *known = until.max(now + Span(600_000)).max(*known);
    }

    pub fn assert_same(&self, state: &State) {
        let found = |ended: bool| {
            let shards = state.grants.iter();
            let tokens = shards.flat_map(move |shard| -> Vec<(TokenHash, AccessToken)> {
                match ended {
                    true => shard.ended().iter().map(|(hash, (token, _))| (*hash, (**token).clone())).collect(),
                    false => shard.access().iter().map(|(hash, token)| (*hash, (**token).clone())).collect(),
                }
            });
            tokens.collect::<BTreeMap<_, _>>()
        };
        let expected = |ended: bool| {
            let tokens = self
                .tokens
                .iter()
                .filter(|(_, (token, revoked))| (revoked.is_some() || token.expires <= self.now) == ended);
            tokens.map(|(hash, (token, _))| (*hash, token.clone())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(found(false), expected(false), "live tokens");
        assert_eq!(found(true), expected(true), "dead tokens");
        let codes = state.grants.iter().flat_map(|shard| shard.codes().iter());
        let codes: BTreeMap<TokenHash, StoredCode> = codes.map(|(hash, code)| (*hash, (**code).clone())).collect();
        assert_eq!(codes, self.codes, "codes");
        let revoked: BTreeMap<GrantId, Stamp> = state
            .grants
            .iter()
            .flat_map(|shard| shard.revoked().iter())
            .map(|(&grant, &until)| (grant, until))
            .collect();
        assert_eq!(revoked, self.revoked, "families");
    }
}

/// Documents. Forgets no answer.
#[derive(Clone, Default)]
pub struct PlainDocuments {
    documents: BTreeMap<DocumentKey, Document>,
    answers: BTreeMap<ProposalId, Outcome>,
}

impl PlainDocuments {
    pub fn apply(&mut self, index: u64, now: Stamp, batch: &Batch) -> Vec<Outcome> {
        let drafts = (0u16..).zip(&batch.drafts);
        drafts
            .map(|(position, draft)| {
                if untimely(draft, now) {
                    return Outcome::Refused(Refusal::Untimely);
                }
                if let Some(first) = self.answers.get(&draft.id) {
                    return first.clone();
                }
                let seq = Seq::new(index, position);
                // All or nothing: work on a copy, and keep it only if everything went well.
                let mut copy = self.documents.clone();
                let outcome = match &draft.command {
                    Command::WriteDocuments(WriteDocuments(writes)) => writes
                        .iter()
                        .try_for_each(|write| put_or_delete(&mut copy, seq, write))
                        .map(|()| Outcome::Written(vec![seq; writes.len()])),
                    Command::DeleteRealm(realm) => {
                        delete_realm(&mut copy, realm, Precondition::Any).map(|()| Outcome::Written(vec![seq]))
                    }
                    Command::RemoveRealm(RemoveRealm { realm, when }) => {
                        delete_realm(&mut copy, realm, *when).map(|()| Outcome::Written(vec![seq]))
                    }
                    other => panic!("not about documents: {other:?}"),
                };
                let outcome = match outcome {
                    Ok(outcome) => {
                        self.documents = copy;
                        outcome
                    }
                    Err(refusal) => Outcome::Refused(refusal),
                };
                self.answers.insert(draft.id, outcome.clone());
                outcome
            })
            .collect()
    }

    pub fn assert_same(&self, documents: &Documents) {
        let found: BTreeMap<DocumentKey, Document> =
            documents.iter().filter_map(|(key, document)| Some((key, (*document?).clone()))).collect();
        assert_eq!(found, self.documents);
    }
}

fn realm_key(path: &RealmPath) -> DocumentKey {
    DocumentKey { realm: RealmPath::root(), kind: Kind::Realm, id: Arc::from(path.as_str()) }
}

fn put_or_delete(all: &mut BTreeMap<DocumentKey, Document>, seq: Seq, write: &Write) -> Result<(), Refusal> {
    let key = &write.key;
    let stored = all.get(key);
    match write.when {
        Precondition::Any => {}
        Precondition::Absent if stored.is_some() => return Err(Refusal::Exists(key.clone())),
        Precondition::Absent => {}
        Precondition::Present if stored.is_none() => return Err(Refusal::Missing(key.clone())),
        Precondition::Present => {}
        Precondition::Revision(revision) => match stored {
            None => return Err(Refusal::Missing(key.clone())),
            Some(document) if document.revision != revision => {
                return Err(Refusal::Stale { key: key.clone(), found: document.revision });
            }
            Some(_) => {}
        },
    }
    match &write.change {
        Change::Put { body, references, fence } => {
            if key.realm != RealmPath::root() && !all.contains_key(&realm_key(&key.realm)) {
                return Err(Refusal::Dangling(realm_key(&key.realm)));
            }
            let twin = |(other, _): &(&DocumentKey, &Document)| {
                other.kind == Kind::Realm
                    && other.realm == key.realm
                    && other.id.to_lowercase() == key.id.to_lowercase()
            };
            if key.kind == Kind::Realm
                && stored.is_none()
                && let Some((twin, _)) = all.iter().find(twin)
            {
                return Err(Refusal::Exists(twin.clone()));
            }
            for target in references {
                if target != key && !all.contains_key(target) {
                    return Err(Refusal::Dangling(target.clone()));
                }
            }
            let fence = stored.filter(|_| !fence).map_or(seq, |document| document.fence);
            let document = Document { body: body.clone(), revision: seq, fence, references: references.clone() };
            all.insert(key.clone(), document);
        }
        Change::Keep => {}
        Change::Delete => {
            if stored.is_none() {
                return Err(Refusal::Missing(key.clone()));
            }
            if key.kind == Kind::Realm {
                return Err(Refusal::Protected(key.clone()));
            }
            if let Some((by, _)) = all.iter().find(|(by, other)| *by != key && other.references.contains(key)) {
                return Err(Refusal::Referenced { key: key.clone(), by: by.clone() });
            }
            all.remove(key);
        }
    }
    Ok(())
}

fn delete_realm(
    all: &mut BTreeMap<DocumentKey, Document>,
    realm: &RealmPath,
    when: Precondition,
) -> Result<(), Refusal> {
    let key = realm_key(realm);
    let Some(stored) = all.get(&key) else {
        return Err(Refusal::Missing(key));
    };
    match when {
        Precondition::Absent => return Err(Refusal::Exists(key)),
        Precondition::Revision(revision) if stored.revision != revision => {
            return Err(Refusal::Stale { key, found: stored.revision });
        }
        Precondition::Any | Precondition::Present | Precondition::Revision(_) => {}
    }
    let below = format!("{realm}/");
    let child =
        all.keys().find(|key| key.realm == RealmPath::root() && key.kind == Kind::Realm && key.id.starts_with(&below));
    if let Some(child) = child {
        return Err(Refusal::Referenced { key, by: child.clone() });
    }
    all.retain(|other, _| *other != key && other.realm != *realm);
    Ok(())
}

/// Sessions.
#[derive(Default)]
pub struct PlainSessions {
    pub now: Stamp,
    live: BTreeMap<TokenHash, Session>,
    /// With until when it is remembered.
    ended: BTreeMap<TokenHash, (Session, Stamp)>,
    answers: BTreeMap<ProposalId, (Outcome, Stamp)>,
}

impl PlainSessions {
    pub fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        self.now = self.now.max(batch.at);
        let outcomes = batch.drafts.iter().map(|draft| {
            self.let_go();
            match untimely(draft, self.now) {
                true => Outcome::Refused(Refusal::Untimely),
                false => self.decide(draft).unwrap_or_else(Outcome::Refused),
            }
        });
        outcomes.collect()
    }

    fn let_go(&mut self) {
        let now = self.now;
        self.ended.retain(|_, (_, forget)| *forget > now);
        self.answers.retain(|_, (_, forget)| *forget > now);
        for (hash, session) in self.live.clone() {
            if session.expires() <= now {
                self.live.remove(&hash);
                let forget = session.created + WINDOW;
                if forget > now {
                    self.ended.insert(hash, (session, forget));
                }
            }
        }
    }

    fn decide(&mut self, draft: &Draft) -> Result<Outcome, Refusal> {
        let issued = |session: &Session| Outcome::Issued { issued: session.created, expires: session.expires() };
        if let Command::CreateSession(CreateSession { hash, .. }) | Command::StartSession(StartSession { hash, .. }) =
            &draft.command
            && let Some(session) = self.live.get(hash).or(self.ended.get(hash).map(|(session, _)| session))
        {
            return Ok(issued(session));
        }
        match &draft.command {
            Command::CreateSession(create) => Ok(self.begin(create.hash, &create.data)),
            Command::TouchSession(TouchSession(hash)) => {
                let session = self.live.get_mut(hash).ok_or(Refusal::UnknownSession)?;
                session.used = self.now;
                Ok(issued(session))
            }
            Command::DestroySession(DestroySession(hash)) => {
                if !self.ended.contains_key(hash) && !self.end(*hash) {
                    return Err(Refusal::UnknownSession);
                }
                Ok(Outcome::Done)
            }
            Command::StartSession(_) | Command::UpdateSession(_) | Command::DestroySessionsOf(_) => {
                if let Some((first, _)) = self.answers.get(&draft.id) {
                    return Ok(first.clone());
                }
                let outcome = self.decide_once(&draft.command).unwrap_or_else(Outcome::Refused);
                if !matches!((&draft.command, &outcome), (Command::StartSession(_), Outcome::Issued { .. })) {
                    self.answers.insert(draft.id, (outcome.clone(), self.now + WINDOW));
                }
                Ok(outcome)
            }
            _ => Ok(Outcome::Done),
        }
    }

    fn decide_once(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        match command {
            Command::StartSession(StartSession { hash, data, quota, replaces }) => {
                let same = |session: &Session| session.data.subject == data.subject;
                if replaces.is_some_and(|former| !self.live.get(&former).is_some_and(same)) {
                    return Err(Refusal::UnknownSession);
                }
                let mut others: Vec<(TokenHash, Session)> =
                    self.live.iter().map(|(hash, session)| (*hash, session.clone())).collect();
                others.retain(|(hash, session)| same(session) && Some(*hash) != *replaces);
                if let Some(Quota { limit, exceeded }) = quota {
                    let limit = (*limit).max(1) as usize;
                    let key = |(hash, session): &(TokenHash, Session)| match exceeded {
                        Exceeded::DestroyNextExpiring => (session.expires(), *hash),
                        _ => (session.created, *hash),
                    };
                    others.sort_by_key(key);
                    if others.len() >= limit && *exceeded == Exceeded::DenyAccess {
                        return Err(Refusal::Quota);
                    }
                    let all = *exceeded == Exceeded::DestroyAll && others.len() >= limit;
                    while !others.is_empty() && (all || others.len() >= limit) {
                        let (hash, _) = others.remove(0);
                        self.end(hash);
                    }
                }
                replaces.map(|former| self.end(former));
                Ok(self.begin(*hash, data))
            }
            Command::UpdateSession(UpdateSession { hash, changes }) => {
                let session = self.live.get_mut(hash).ok_or(Refusal::UnknownSession)?;
                let mut data = (*session.data).clone();
                for (name, value) in changes {
                    data.properties.remove(name);
                    data.properties.extend(value.clone().map(|value| (name.clone(), value)));
                }
                session.data = Arc::new(data);
                Ok(Outcome::Issued { issued: session.created, expires: session.expires() })
            }
            Command::DestroySessionsOf(DestroySessionsOf(subject)) => {
                let theirs = self.live.iter().filter(|(_, session)| session.data.subject == *subject);
                for hash in theirs.map(|(hash, _)| *hash).collect::<Vec<_>>() {
                    self.end(hash);
                }
                Ok(Outcome::Done)
            }
            _ => Ok(Outcome::Done),
        }
    }

    fn begin(&mut self, hash: TokenHash, data: &Arc<SessionData>) -> Outcome {
        let session = Session { data: data.clone(), created: self.now, used: self.now };
        let outcome = Outcome::Issued { issued: session.created, expires: session.expires() };
        self.live.insert(hash, session);
        outcome
    }

    fn end(&mut self, hash: TokenHash) -> bool {
        let Some(session) = self.live.remove(&hash) else { return false };
        self.ended.insert(hash, (session, self.now + WINDOW));
        true
    }

    /// The same sessions, found by subject and by realm as well.
    pub fn assert_same(&mut self, sessions: &Sessions) {
        self.let_go();
        let live: BTreeMap<TokenHash, Session> =
            sessions.live().iter().map(|(hash, session)| (*hash, (**session).clone())).collect();
        assert_eq!(live, self.live);
        let ended: BTreeMap<TokenHash, (Session, Stamp)> =
            sessions.ended().iter().map(|(hash, (session, forget))| (*hash, ((**session).clone(), *forget))).collect();
        assert_eq!(ended, self.ended);
        for user in ["demo", "other", "nobody"] {
            let subject = DocumentKey::new(&RealmPath::from("/alpha"), Kind::User, user);
            let theirs = self.live.iter().filter(|(_, session)| session.data.subject == subject);
            assert!(sessions.of_subject(&subject).map(|(hash, _)| hash).eq(theirs.map(|(hash, _)| hash)), "{user}");
        }
        assert_eq!(sessions.of_realm(&RealmPath::from("/alpha")).count(), self.live.len());
        assert_eq!(sessions.of_realm(&RealmPath::from("/alp")).count(), 0);
    }
}
