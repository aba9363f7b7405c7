//! Everything administrators write: versioned JSON by (realm, kind, id). Preconditions are checked here, inside the log
//! entry, so that two administrators on two nodes cannot both win.

use crate::{
    buckets::Buckets,
    command::{Outcome, Refusal},
    ids::{ProposalId, RealmPath, Seq},
    limits::{DRAFT_WINDOW_MS, MAX_ANSWERS},
    owners::{Committed, Owned},
    time::{Span, Stamp},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a document describes. Order is the log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Cluster-wide settings: base URL, bootstrap facts. Realm `/`.
    Settings,
    /// Signing and encryption keys, sealed (G5). Realm `/`.
    Keys,
    /// A realm, stored in realm `/` under its own path, whatever its parent.
    Realm,
    /// A realm's service, e.g. the OAuth 2.0 provider `oauth-oidc`.
    Service,
    /// A user.
    User,
    /// A group.
    Group,
    /// An OAuth 2.0 client.
    OAuth2Client,
    /// An Identity Gateway agent.
    IdentityGateway,
    /// A resource type of the policy engine.
    ResourceType,
    /// A policy set; AM's REST calls it an application.
    PolicySet,
    /// A policy.
    Policy,
    /// An agent of any other type; its body names the type. All agents of a realm share one name space.
    Agent,
    /// A group that agents inherit attributes from; id `{type}/{name}`.
    AgentGroup,
    /// A script.
    Script,
    /// A journey (authentication tree).
    Tree,
    /// A node of journeys; id `{node type}/{uuid}`.
    Node,
    /// An authentication chain.
    Chain,
    /// An instance of an authentication module; id `{type}/{name}`.
    AuthenticationModule,
    /// A secret store; id `{type}/{name}`.
    SecretStore,
    /// What a secret store holds for a label; id `{store type}/{store}/{label}`.
    SecretMapping,
    /// Cluster-wide configuration of a service, defaults for realms among it. Realm `/`.
    GlobalService,
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentKey {
    /// The realm it belongs to.
    pub realm: RealmPath,
    /// What it is.
    pub kind: Kind,
    /// Its id in the form that is compared; callers fold case where the kind ignores it.
    pub id: Arc<str>,
}

impl DocumentKey {
    /// Shorthand.
    pub fn new(realm: &RealmPath, kind: Kind, id: &str) -> Self {
        Self { realm: realm.clone(), kind, id: id.into() }
    }
}

/// A stored document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// JSON text. Secrets in it are hashes, verifiers or sealed (G5).
    pub body: Arc<[u8]>,
    /// Where in the log it was last written: its `_rev`.
    pub revision: Seq,
    /// Where in the log it was created, or last written with `fence`. Whatever was issued in its name under
    /// another fence is dead, for good (G3): it does not come back when a client is enabled or created again.
    pub fence: Seq,
    /// Documents that must exist while this one does.
    pub references: Vec<DocumentKey>,
}

/// What must be true of the stored document for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precondition {
    /// Nothing.
    Any,
    /// `If-None-Match: *`.
    Absent,
    /// It exists (`If-Match: *`).
    Present,
    /// It exists with this revision.
    Revision(Seq),
}

/// What to do to a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Store this JSON text.
    Put {
        /// The text.
        body: Arc<[u8]>,
        /// Documents that must exist, now and as long as this one does.
        references: Vec<DocumentKey>,
        /// Whether tokens and sessions issued in this document's name die with this write.
        fence: bool,
    },
    /// Remove it; refused while another document references it, and of a realm.
    Delete,
    /// Nothing: only the condition counts, for the other writes of the proposal. That a name is free is said so.
    Keep,
}

/// One change to one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Which document.
    pub key: DocumentKey,
    /// Under which condition.
    pub when: Precondition,
    /// What to do.
    pub change: Change,
}

/// Create, update or delete documents, all or none. Each write sees the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteDocuments(pub Vec<Write>);

/// Delete a realm's document and every document in the realm, if the realm's document is as the caller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveRealm {
    /// The realm.
    pub realm: RealmPath,
    /// What must be true of its document; that it exists must be in any case.
    pub when: Precondition,
}

/// A document that changed, for whoever publishes read views: the new content, or `None` when it is gone.
pub type DocumentChange = (DocumentKey, Option<Arc<Document>>);

type Collection = BTreeMap<Arc<str>, Arc<Document>>;

/// All documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    now: Stamp,
    collections: BTreeMap<(RealmPath, Kind), Arc<Collection>>,
    /// First answers of proposals, as long as a copy of them can have an effect: until then (R-6; ADR 9).
    answers: Buckets<(Outcome, Stamp), ProposalId>,
    // INVARIANT: the two below are derived from the ones above; `restore` rebuilds them.
    /// `(referenced, by)`.
    referenced: BTreeSet<(DocumentKey, DocumentKey)>,
    /// When each answer is forgotten.
    deaths: BTreeSet<(Stamp, ProposalId)>,
}

impl Owned for Documents {
    type Command = DocumentCommand;
    type Change = DocumentChange;

    fn apply(&mut self, committed: Committed<DocumentCommand>, changed: &mut Vec<DocumentChange>) -> Outcome {
        let Committed { seq, at, id, command, .. } = committed;
        self.advance(at, changed);
        if let Some((first, _)) = self.answers.get(&id) {
            return first.clone();
        }
        if self.answers.len() >= MAX_ANSWERS {
            return Outcome::Refused(Refusal::Full);
        }
        let mark = changed.len();
        let outcome = match command {
            DocumentCommand::Write(WriteDocuments(writes)) => self.write_all(seq, writes, changed),
            DocumentCommand::DeleteRealm(realm) => self.delete_realm(seq, &realm, Precondition::Present, changed),
            DocumentCommand::RemoveRealm(RemoveRealm { realm, when }) => self.delete_realm(seq, &realm, when, changed),
        }
        .unwrap_or_else(|refusal| {
            changed.truncate(mark);
            Outcome::Refused(refusal)
        });
        self.remember(id, outcome.clone(), self.now + Span(DRAFT_WINDOW_MS));
        outcome
    }

    fn advance(&mut self, at: Stamp, _: &mut Vec<DocumentChange>) {
        self.now = self.now.max(at);
        while let Some(&(when, id)) = self.deaths.first()
            && when <= self.now
        {
            self.deaths.pop_first();
            self.answers.remove(&id);
        }
    }

    fn now(&self) -> Stamp {
        self.now
    }

    fn next_death(&self) -> Option<Stamp> {
        self.deaths.first().map(|&(when, _)| when)
    }

    fn frozen(&self) -> Self {
        Self { now: self.now, collections: self.collections.clone(), answers: self.answers.clone(), ..Self::default() }
    }
}

impl Documents {
    fn remember(&mut self, id: ProposalId, outcome: Outcome, forget: Stamp) {
        self.deaths.insert((forget, id));
        self.answers.insert(id, (outcome, forget));
    }

    /// All writes or none: each is applied in turn, and on a refusal the former contents are put back, last first.
    fn write_all(
        &mut self,
        seq: Seq,
        writes: Vec<Write>,
        changed: &mut Vec<DocumentChange>,
    ) -> Result<Outcome, Refusal> {
        let mut undo: Vec<DocumentChange> = Vec::with_capacity(writes.len());
        let mut refused = None;
        let count = writes.len();
        for write in writes {
            match self.decide(seq, &write) {
                Ok(_) if write.change == Change::Keep => {}
                Ok(next) => {
                    changed.push((write.key.clone(), next.clone()));
                    undo.push((write.key.clone(), self.get(&write.key).cloned()));
                    self.set(write.key, next);
                }
                Err(refusal) => {
                    refused = Some(refusal);
                    break;
                }
            }
        }
        match refused {
            None => Ok(Outcome::Written(vec![seq; count])),
            Some(refusal) => {
                for (key, former) in undo.into_iter().rev() {
                    self.set(key, former);
                }
                Err(refusal)
            }
        }
    }

    /// Reads only: what the document would become, or why not.
    fn decide(&self, seq: Seq, write: &Write) -> Result<Option<Arc<Document>>, Refusal> {
        let key = &write.key;
        let stored = self.get(key);
        self.require(write.when, key)?;
        match &write.change {
            Change::Put { body, references, fence } => {
                self.require_realm(&key.realm)?;
                self.require_name(key)?;
                if let Some(dangling) = references.iter().find(|target| *target != key && self.get(target).is_none()) {
                    return Err(Refusal::Dangling(dangling.clone()));
                }
                let fence = match stored {
                    Some(document) if !fence => document.fence,
                    _ => seq,
                };
                Ok(Some(Arc::new(Document {
                    body: body.clone(),
                    revision: seq,
                    fence,
                    references: references.clone(),
                })))
            }
            Change::Keep => Ok(stored.cloned()),
            Change::Delete => {
                if stored.is_none() {
                    return Err(Refusal::Missing(key.clone()));
                }
                if key.kind == Kind::Realm {
                    return Err(Refusal::Protected(key.clone()));
                }
                match self.referrer(key) {
                    Some(by) => Err(Refusal::Referenced { key: key.clone(), by: by.clone() }),
                    None => Ok(None),
                }
            }
        }
    }

    /// That a document is as a condition says.
    fn require(&self, when: Precondition, key: &DocumentKey) -> Result<(), Refusal> {
        match (when, self.get(key)) {
            (Precondition::Any, _) | (Precondition::Absent, None) | (Precondition::Present, Some(_)) => Ok(()),
            (Precondition::Absent, Some(_)) => Err(Refusal::Exists(key.clone())),
            (Precondition::Present | Precondition::Revision(_), None) => Err(Refusal::Missing(key.clone())),
            (Precondition::Revision(expected), Some(document)) if document.revision == expected => Ok(()),
            (Precondition::Revision(_), Some(document)) => {
                Err(Refusal::Stale { key: key.clone(), found: document.revision })
            }
        }
    }

    /// Nothing is written into a realm that is gone: a write that raced the deletion would come back to life with a new
    /// realm of the same name.
    fn require_realm(&self, realm: &RealmPath) -> Result<(), Refusal> {
        let key = DocumentKey::new(&RealmPath::root(), Kind::Realm, realm.as_str());
        if *realm == RealmPath::root() || self.get(&key).is_some() { Ok(()) } else { Err(Refusal::Dangling(key)) }
    }

    /// Realms' names ignore case: no two whose paths differ in nothing else.
    fn require_name(&self, key: &DocumentKey) -> Result<(), Refusal> {
        if key.kind != Kind::Realm || self.get(key).is_some() {
            return Ok(());
        }
        let realms = self.collection(&key.realm, Kind::Realm);
        match realms.keys().find(|path| path.eq_ignore_ascii_case(&key.id)) {
            Some(path) => Err(Refusal::Exists(DocumentKey::new(&key.realm, Kind::Realm, path))),
            None => Ok(()),
        }
    }

    /// Refused while the realm has sub-realms: they are deleted first, one by one, so that nobody loses a tree by a slip.
    fn delete_realm(
        &mut self,
        seq: Seq,
        realm: &RealmPath,
        when: Precondition,
        changed: &mut Vec<DocumentChange>,
    ) -> Result<Outcome, Refusal> {
        let key = DocumentKey::new(&RealmPath::root(), Kind::Realm, realm.as_str());
        self.require(Precondition::Present, &key)?;
        self.require(when, &key)?;
        let children = self.collection(&RealmPath::root(), Kind::Realm);
        if let Some((child, _)) = children
            .iter()
            .find(|(path, _)| path.as_ref() != realm.as_str() && RealmPath((*path).clone()).is_within(realm))
        {
            return Err(Refusal::Referenced { key, by: DocumentKey::new(&RealmPath::root(), Kind::Realm, child) });
        }
        let mut doomed = vec![key];
        for ((owner, kind), collection) in &self.collections {
            if owner == realm {
                doomed.extend(collection.keys().map(|id| DocumentKey::new(realm, *kind, id)));
            }
        }
        for key in doomed {
            changed.push((key.clone(), None));
            self.set(key, None);
        }
        Ok(Outcome::Written(vec![seq]))
    }

    /// The document under `key`.
    pub fn get(&self, key: &DocumentKey) -> Option<&Arc<Document>> {
        self.collections.get(&(key.realm.clone(), key.kind))?.get(&key.id)
    }

    /// All documents of a kind in a realm, by id.
    pub fn collection(&self, realm: &RealmPath, kind: Kind) -> Arc<BTreeMap<Arc<str>, Arc<Document>>> {
        self.collections.get(&(realm.clone(), kind)).cloned().unwrap_or_default()
    }

    /// Every document, in key order.
    pub fn iter(&self) -> impl Iterator<Item = DocumentChange> {
        self.collections.iter().flat_map(|((realm, kind), collection)| {
            collection.iter().map(move |(id, document)| {
                (DocumentKey { realm: realm.clone(), kind: *kind, id: id.clone() }, Some(document.clone()))
            })
        })
    }

    /// Answers that retries still get, and until when, in the order of the ids.
    pub fn answers(&self) -> &Buckets<(Outcome, Stamp), ProposalId> {
        &self.answers
    }

    fn referrer(&self, key: &DocumentKey) -> Option<&DocumentKey> {
        // The least possible referrer, so that the range starts at the first entry for `key`.
        let least = DocumentKey { realm: RealmPath::from(""), kind: Kind::Settings, id: "".into() };
        self.referenced
            .range((key.clone(), least)..)
            .take_while(|(target, _)| target == key)
            .map(|(_, by)| by)
            .find(|by| *by != key)
    }

    /// The one place that changes a document, keeping the derived index true.
    fn set(&mut self, key: DocumentKey, next: Option<Arc<Document>>) {
        let place = (key.realm.clone(), key.kind);
        let collection = self.collections.entry(place.clone()).or_default();
        let former = match &next {
            Some(document) => Arc::make_mut(collection).insert(key.id.clone(), document.clone()),
            None => Arc::make_mut(collection).remove(&key.id),
        };
        if collection.is_empty() {
            self.collections.remove(&place);
        }
        for target in former.iter().flat_map(|document| &document.references) {
            self.referenced.remove(&(target.clone(), key.clone()));
        }
        for target in next.iter().flat_map(|document| &document.references) {
            self.referenced.insert((target.clone(), key.clone()));
        }
    }

    /// Rebuilds from what a snapshot holds.
    pub(crate) fn restore(
        now: Stamp,
        documents: impl IntoIterator<Item = (DocumentKey, Document)>,
        answers: impl IntoIterator<Item = (ProposalId, Outcome, Stamp)>,
    ) -> Self {
        let mut restored = Self { now, ..Self::default() };
        for (key, document) in documents {
            restored.set(key, Some(Arc::new(document)));
        }
        for (id, outcome, forget) in answers {
            restored.remember(id, outcome, forget);
        }
        restored
    }
}

/// The commands that documents understand.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentCommand {
    /// See [`WriteDocuments`].
    Write(WriteDocuments),
    /// See [`Command::DeleteRealm`](crate::Command::DeleteRealm).
    DeleteRealm(RealmPath),
    /// See [`RemoveRealm`].
    RemoveRealm(RemoveRealm),
}
