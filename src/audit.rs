//! What is written down of what happens: policy decisions, and AM's audit topics (authn-sessions-realms.md f.6).
//!
//! | what                                             | noticed in                                   | module             |
//! |--------------------------------------------------|----------------------------------------------|--------------------|
//! | topic `access`: requests                         | the HTTP port                                | [`access`]         |
//! | topics `config`, `activity`: changes, sessions   | [`Desk::propose`](crate::desk::Desk::propose) | [`change`]        |
//! | topic `authentication`: logins                   | [`crate::authn`]                             | [`authentication`] |
//! | events that agents and administrators report     | `rest::audit`                                | [`report`]         |
//! | policy decisions                                 | [`crate::decisions`]                         | [`decisions`]      |
//!
//! | rule for all of them                             | here                          |
//! |--------------------------------------------------|-------------------------------|
//! | nobody waits for a disk; what is lost is counted | `queue`                       |
//! | no secret is written                             | [`redact`]                    |
//! | bounded files                                    | [`files`]                     |
//! | what belongs to one request has one transaction id | [`context`]                 |
//!
//! Two queues, each with its thread: decisions come by the ten thousand and must not crowd out who changed what.

pub mod access;
pub mod authentication;
pub mod change;
pub mod context;
pub mod decisions;
pub mod files;
mod queue;
pub mod redact;
pub mod report;
mod sample;
#[cfg(test)]
mod tests;
pub mod topic;

pub use decisions::{Event as DecisionEvent, Principal, Purpose, named_set};
pub use queue::{Full, WhenFull};
pub use sample::{NoShare, Share};
pub use topic::{Body, Component, Event, Head, Topic};

use crate::{config::LogFormat, host};
use authentication::Authentication;
use context::Ids;
use files::{Directory, Writer};
use queue::Recorder;
use quorate_raft::RealmPath;
use redact::{Allowed, Denied, Redactor};
use sample::Sampler;
use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

/// Room for the events of one command or one request: either all of them are recorded, or none.
type Room<'q> = queue::Room<'q, Vec<Event>>;

/// What is recorded, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Of policy decisions.
    pub decisions: decisions::Settings,
    /// Of topics; `None` for nothing.
    pub topics: Option<TopicSettings>,
}

/// What is recorded of topics, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// Which.
    pub topics: BTreeSet<Topic>,
    /// How many requests are recorded, if `access` is among them.
    pub access_share: Share,
    /// Files.
    pub directory: Option<Directory>,
    /// Whether lines go to standard output.
    pub stdout: bool,
    /// When the queue is full.
    pub when_full: WhenFull,
    /// Events that wait to be written.
    pub queue: usize,
    /// What is written beyond the defaults.
    pub whitelist: Vec<Allowed>,
    /// What is not written.
    pub blacklist: Vec<Denied>,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            topics: [Topic::Activity, Topic::Authentication, Topic::Config].into(),
            access_share: Share::ALL,
            directory: None,
            stdout: false,
            when_full: WhenFull::Drop,
            queue: 8192,
            whitelist: Vec::new(),
            blacklist: Vec::new(),
        }
    }
}

/// Where things are recorded; cheap to clone. The writers end with the last clone.
#[derive(Clone, Debug)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    decisions: decisions::Settings,
    decided: Recorder<DecisionEvent>,
    sampler: Sampler,
    topics: Option<Topics>,
}

/// The topics, while anything of them is recorded.
#[derive(Debug)]
pub struct Topics {
    settings: TopicSettings,
    queue: Recorder<Vec<Event>>,
    ids: Arc<Ids>,
    redactor: Arc<Redactor>,
    sampler: Sampler,
}

impl Audit {
    /// Starts the writers: decisions to the log, whose lines look like `format`, and topics to their files.
    ///
    /// # Errors
    /// When a thread cannot be started or the directory cannot be written.
    pub fn start(settings: Settings, format: LogFormat) -> io::Result<Self> {
        Self::writing(settings, decisions::to_log(format))
    }

    /// As [`start`](Self::start), with another place for decisions.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn to(settings: Settings, mut decided: impl FnMut(DecisionEvent) + Send + 'static) -> io::Result<Self> {
        Self::writing(settings, move |events| events.drain(..).for_each(&mut decided))
    }

    fn writing(
        settings: Settings,
        mut decided: impl FnMut(&mut Vec<DecisionEvent>) + Send + 'static,
    ) -> io::Result<Self> {
        let Settings { decisions, topics } = settings;
        let topics = match topics {
            Some(topics) if topics.directory.is_some() || topics.stdout => {
                topics.directory.as_ref().map_or(Ok(()), Directory::prepare)?;
                let (directory, stdout, when_full) = (topics.directory.clone(), topics.stdout, topics.when_full);
                let writer = |ids, redactor| {
                    let mut writer = Writer::new(ids, redactor, directory, stdout, when_full);
                    move |events: &mut Vec<Vec<Event>>| writer.write(events.iter().flatten())
                };
                Some(Topics::start(topics, writer)?)
            }
            _ => None,
        };
        let write = move |events: &mut Vec<DecisionEvent>| {
            let count = events.len() as u64;
            decided(events);
            decisions::COUNTED.add(None, "recorded", count);
        };
        let decisions::Settings { queue, when_full, .. } = decisions;
        let decided = Recorder::start("decisions", queue, when_full, decisions::COUNTED, write)?;
        Ok(Self(Arc::new(Inner { decisions, decided, sampler: Sampler::default(), topics })))
    }

    /// Records topics into a channel.
    #[cfg(test)]
    pub(crate) fn recording(settings: TopicSettings) -> (Self, std::sync::mpsc::Receiver<serde_json::Value>) {
        let (told, heard) = std::sync::mpsc::channel();
        let topics = Topics::start(settings, |ids, redactor| tests::lines(ids, redactor, told)).expect("a thread");
        let Self(inner) = Self::start(Settings::default(), LogFormat::Text).expect("a thread");
        let inner = Arc::into_inner(inner).expect("nobody else has it");
        (Self(Arc::new(Inner { topics: Some(topics), ..inner })), heard)
    }

    /// The topics, if anything of them is recorded.
    pub fn topics(&self) -> Option<&Topics> {
        self.0.topics.as_ref()
    }

    /// Whether the next decision about `set` is to be recorded. Of a share, which ones are is not foreseeable from outside.
    pub fn wants(&self, realm: &RealmPath, set: &str) -> bool {
        self.0.sampler.picks(self.0.decisions.share_of(realm, set))
    }

    /// Records a decision; never waits.
    ///
    /// # Errors
    /// [`Full`], if that is what the settings want.
    pub fn record(&self, event: DecisionEvent) -> Result<(), Full> {
        self.0.decided.record(event)
    }

    /// Records an event of a login; never waits. A login that cannot be recorded is decided all the same: its session is
    /// recorded, or refused, as a change.
    pub fn authentication(&self, event: Authentication) {
        let Some(topics) = self.topics().filter(|topics| topics.records(Topic::Authentication)) else {
            return;
        };
        let Ok(Some(room)) = topics.reserve(Topic::Authentication) else {
            return;
        };
        let context = context::current();
        let head = Head {
            at: i64::try_from(host::now().0).unwrap_or(i64::MAX),
            name: event.happened.name().into(),
            transaction: context.map_or_else(|| topics.next_id().into(), |context| context.transaction().clone()),
            user_id: event.user_id.clone(),
            tracking_ids: event.tracking_id.clone().into_iter().collect(),
            component: Component::Authentication,
            realm: Some(event.realm.clone()),
        };
        room.record(vec![Event { topic: Topic::Authentication, head, body: Body::Authentication(Box::new(event)) }]);
    }

    /// Waits until all that was recorded before is written, at most for `patience` each; whether it is.
    pub fn settle(&self, patience: Duration) -> bool {
        let decided = self.0.decided.settle(patience);
        self.topics().is_none_or(|topics| topics.queue.settle(patience)) && decided
    }
}

impl Topics {
    /// `writer` makes what writes from what the topics share with it.
    fn start<W: FnMut(&mut Vec<Vec<Event>>) + Send + 'static>(
        settings: TopicSettings,
        writer: impl FnOnce(Arc<Ids>, Arc<Redactor>) -> W,
    ) -> io::Result<Self> {
        let ids = Arc::new(Ids::new(host::random_id()));
        let redactor = Arc::new(Redactor::new(settings.whitelist.clone(), settings.blacklist.clone()));
        let write = writer(ids.clone(), redactor.clone());
        let queue = Recorder::start("audit", settings.queue, settings.when_full, files::COUNTED, write)?;
        Ok(Self { settings, queue, ids, redactor, sampler: Sampler::default() })
    }

    /// Whether a topic is recorded.
    pub fn records(&self, topic: Topic) -> bool {
        self.settings.topics.contains(&topic)
    }

    fn picks_request(&self) -> bool {
        self.sampler.picks(self.settings.access_share)
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn next_id(&self) -> String {
        self.ids.next()
    }

    fn reserve(&self, topic: Topic) -> Result<Option<Room<'_>>, Full> {
        self.queue.reserve(topic.name())
    }
}
