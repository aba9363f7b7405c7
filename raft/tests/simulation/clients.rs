//! What clients do: they issue, redeem, revoke and look, at any node, and ask again with the same id when no answer came.

use crate::{
    dice::Dice,
    network::{Life, Lost, Mood, Network},
    node::{Node, Unsettled},
    oracle::Oracle,
    support::words,
};
use futures_util::FutureExt;
use quorate_raft::{
    Command, DocumentKey, Draft, Kind, Outcome, ProposalId, RealmPath, Refusal, Span, Stamp, State,
    documents::{Precondition, WriteDocuments},
    grant_sets::Purchase,
    limits::SHARDS,
    sessions::{DestroySession, TouchSession},
    transactions::Step,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// Lives that no simulation outlasts.
const LONG: Span = Span::from_secs(7200);
const COUNTERS: u64 = 3;

#[derive(Clone, Debug, PartialEq)]
enum What {
    Token,
    Session,
    Jti,
}

/// Something to look at, and to revoke.
#[derive(Clone, Debug)]
struct Item {
    what: What,
    name: String,
    hint: u8,
}

#[derive(Clone, Debug, Default)]
struct CodeItem {
    name: String,
    hint: u8,
    buyers: Vec<String>,
    replayed: bool,
}

/// What all clients know of.
#[derive(Default)]
struct Book {
    items: Vec<Item>,
    codes: Vec<CodeItem>,
    /// Transactions that are confirmed.
    confirmed: Vec<String>,
    made: u64,
}

/// See the module.
pub struct Clients {
    pub network: Arc<Network>,
    pub oracle: Arc<Oracle>,
    pub stop: AtomicBool,
    book: Mutex<Book>,
}

impl Clients {
    pub fn new(network: Arc<Network>, oracle: Arc<Oracle>) -> Arc<Self> {
        Arc::new(Self { network, oracle, stop: AtomicBool::new(false), book: Mutex::default() })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One client, until it is told to stop.
    pub async fn run(self: Arc<Self>, mut dice: Dice) {
        while !self.stop.load(Ordering::Relaxed) {
            sleep(dice.millis(5..60)).await;
            match dice.within(0..22) {
                0..=4 => self.issue(&mut dice).await,
                5..=6 => self.authorize(&mut dice).await,
                7..=9 => self.redeem(&mut dice).await,
                10..=12 => self.revoke(&mut dice).await,
                13..=14 => self.count_up(&mut dice).await,
                15 => self.confirm(&mut dice).await,
                16 => self.use_up(&mut dice).await,
                17 => drop(self.propose(&mut dice, vec![Command::Tick]).await),
                _ => {
                    let some = self.some(&mut dice, 12);
                    self.look(&mut dice, None, &some).await;
                }
            }
        }
    }

    fn name(&self, kind: char) -> String {
        let mut book = self.book();
        book.made += 1;
        format!("{kind}{}", book.made)
    }

    /// Few old ones and many new ones: most trouble is with what has just happened.
    fn some(&self, dice: &mut Dice, most: usize) -> Vec<Item> {
        let book = self.book();
        let recent = book.items.len().saturating_sub(30);
        let all = book.items.as_slice();
        let new = all.get(recent..).unwrap_or_default();
        (0..most).filter_map(|n| if n % 3 == 0 { dice.pick(all) } else { dice.pick(new) }.cloned()).collect()
    }

    fn item(&self, what: What, name: &str, hint: u8) {
        self.book().items.push(Item { what, name: name.into(), hint });
    }

    async fn issue(&self, dice: &mut Dice) {
        let mut commands = Vec::new();
        let mut issued = Vec::new();
        for _ in 0..dice.within(1..4) {
            let hint = dice.within(0..u64::from(SHARDS)) as u8;
            let mortal = dice.per_mille(50);
            let ttl = if mortal { Span(dice.within(1..5000)) } else { LONG };
            let (what, name) = match dice.within(0..4) {
                0 => (What::Session, self.name('s')),
                _ => (What::Token, self.name('a')),
            };
            if mortal {
                self.oracle.mortal(&name);
            }
            commands.push(match what {
                What::Session => words::login(&name, &words::alpha(), "demo", ttl, ttl),
                _ => with_hint(words::issue(&name, &words::alpha(), "web", ttl), hint),
            });
            self.item(what, &name, hint);
            issued.push((name, mortal));
        }
        let Some(outcomes) = self.propose(dice, commands).await else { return };
        for ((name, mortal), outcome) in issued.iter().zip(outcomes) {
            match outcome {
                Outcome::Issued { .. } if !mortal => self.oracle.born(name),
                Outcome::Issued { .. } => {}
                other => self.oracle.violated(format!("{name} was not issued: {other:?}")),
            }
        }
    }

    async fn authorize(&self, dice: &mut Dice) {
        let name = self.name('c');
        let hint = dice.within(0..u64::from(SHARDS)) as u8;
        let authorization = words::authorization(&name, &words::alpha(), "web", None, None);
        let command = with_hint(words::code(&name, authorization, Span::from_secs(600)), hint);
        if self.propose(dice, vec![command]).await.is_some() {
            self.book().codes.push(CodeItem { name, hint, ..CodeItem::default() });
        }
    }

    /// Buys a token for a code that somebody got lately; at times two buyers meet.
    async fn redeem(&self, dice: &mut Dice) {
        let name = self.name('b');
        let (place, code) = {
            let mut book = self.book();
            let recent = book.codes.len().saturating_sub(6);
            let places: Vec<usize> = (recent..book.codes.len()).collect();
            let Some(&place) = dice.pick(&places) else { return };
            let Some(code) = book.codes.get_mut(place) else { return };
            let before = code.clone();
            code.buyers.push(name.clone());
            (place, before)
        };
        self.oracle.buying(&code.name, &name, &code.buyers);
        if code.replayed {
            self.oracle.ended(&name);
        }
        self.item(What::Token, &name, code.hint);
        let access = words::new_access(&name, &words::alpha(), "web", "demo", LONG);
        let redeem = words::redeem(&code.name, &words::alpha(), "web", None, None, Purchase::Opaque(access));
        let Some(outcomes) = self.propose(dice, vec![with_hint(redeem, code.hint)]).await else { return };
        match outcomes.first() {
            Some(Outcome::Issued { .. }) => self.oracle.sold(&code.name, &name),
            Some(Outcome::Refused(Refusal::Replayed)) => {
                self.oracle.count("codes replayed");
                let mut book = self.book();
                let Some(code) = book.codes.get_mut(place) else { return };
                code.replayed = true;
                let buyers = code.buyers.clone();
                drop(book);
                self.oracle.replayed(&buyers);
            }
            other => self.oracle.violated(format!("{} for {name}: {other:?}", code.name)),
        }
    }

    /// Somebody confirms something.
    async fn confirm(&self, dice: &mut Dice) {
        let name = self.name('t');
        let by = words::hash("s");
        // In one entry, by a user of its own: nobody's oldest has to go.
        let commands = vec![
            words::open(&name, &name, "s", "w", LONG),
            words::transact(&name, Step::Begin(by)),
            words::transact(&name, Step::Complete(by)),
        ];
        let Some(outcomes) = self.propose(dice, commands).await else { return };
        match outcomes.as_slice() {
            [Outcome::Issued { .. }, Outcome::Done, Outcome::Done] => self.book().confirmed.push(name),
            other => self.oracle.violated(format!("{name} was not confirmed: {other:?}")),
        }
    }

    /// Uses what somebody confirmed lately; at times two meet.
    async fn use_up(&self, dice: &mut Dice) {
        let me = self.name('u');
        let name = {
            let book = self.book();
            let recent = book.confirmed.len().saturating_sub(2);
            let Some(name) = dice.pick(book.confirmed.get(recent..).unwrap_or_default()) else { return };
            name.clone()
        };
        let command = words::transact(&name, Step::Use(words::hash("w")));
        let Some(outcomes) = self.propose(dice, vec![command]).await else { return };
        match outcomes.first() {
            Some(Outcome::Done) => self.oracle.used(&name, &me),
            Some(Outcome::Refused(Refusal::UnknownToken)) => self.oracle.count("transactions used before"),
            other => self.oracle.violated(format!("{name} for {me}: {other:?}")),
        }
    }

    async fn revoke(&self, dice: &mut Dice) {
        let item = if dice.per_mille(200) {
            let name = self.name('j');
            self.item(What::Jti, &name, 0);
            Item { what: What::Jti, name, hint: 0 }
        } else {
            let Some(item) = self.some(dice, 2).pop() else { return };
            item
        };
        let Item { what, name, hint } = item;
        if what == What::Session && dice.per_mille(300) {
            self.propose(dice, vec![Command::TouchSession(TouchSession(words::hash(&name)))]).await;
            return;
        }
        self.oracle.threatened(&name);
        let command = match what {
            What::Token => with_hint(words::revoke(&name, &words::alpha(), "web"), hint),
            What::Session => Command::DestroySession(DestroySession(words::hash(&name))),
            What::Jti => words::blacklist(&name, Stamp(u64::MAX / 2)),
        };
        let Some(outcomes) = self.propose(dice, vec![command]).await else { return };
        match outcomes.first() {
            Some(Outcome::Done) => {
                self.oracle.count("revocations");
                self.oracle.ended(&name);
            }
            // Not there yet, or dead of age: it says nothing about later.
            Some(Outcome::Refused(Refusal::UnknownToken | Refusal::UnknownSession)) => {}
            other => self.oracle.violated(format!("revoking {name}: {other:?}")),
        }
    }

    /// An administrator reads a document, adds one, and writes it back if nobody else did.
    async fn count_up(&self, dice: &mut Dice) {
        let document = format!("n{}", dice.within(0..COUNTERS));
        let Some((_, found)) = self.read_counter(dice, None, &document).await else { return };
        let (when, next) = match found {
            Some((revision, number)) => (Precondition::Revision(revision), number + 1),
            None => (Precondition::Absent, 1),
        };
        let write = words::put(counter(&document), when, &next.to_string(), Vec::new(), false);
        self.oracle.counting(&document);
        let write = Command::WriteDocuments(WriteDocuments(vec![write]));
        let Some(outcomes) = self.propose(dice, vec![write]).await else { return };
        match outcomes.first() {
            Some(Outcome::Written(_)) => self.oracle.counted(&document, true),
            Some(Outcome::Refused(Refusal::Exists(_) | Refusal::Stale { .. })) => {
                self.oracle.count("writes that met another");
                self.oracle.counted(&document, false);
            }
            other => self.oracle.violated(format!("{document}: {other:?}")),
        }
    }

    async fn read_counter(
        &self,
        dice: &mut Dice,
        at: Option<u64>,
        document: &str,
    ) -> Option<(u64, Option<(quorate_raft::Seq, u64)>)> {
        let least = self.oracle.least(document);
        let node = self.barrier(dice, at).await?;
        let found = node.owners.read(|state| {
            let stored = state.documents.get(&counter(document))?;
            let number = String::from_utf8_lossy(&stored.body).parse().unwrap_or_default();
            Some((stored.revision, number))
        });
        let id = node.life.id;
        self.oracle.seen_count(id, document, least, found.map_or(0, |(_, number)| number));
        Some((id, found))
    }

    /// Looks at some things, on that node or any; whether it came to an answer.
    async fn look(&self, dice: &mut Dice, at: Option<u64>, items: &[Item]) -> bool {
        let start = self.oracle.moment();
        let Some(node) = self.barrier(dice, at).await else { return false };
        let active: Vec<bool> = node.owners.read(|state| items.iter().map(|item| is_active(state, item)).collect());
        for (item, active) in items.iter().zip(active) {
            self.oracle.seen(node.life.id, &item.name, start, active);
        }
        self.oracle.count("reads");
        true
    }

    /// Looks at everything there is; whether it came to an answer.
    pub async fn look_at_everything(&self, dice: &mut Dice, at: u64) -> bool {
        let items = self.book().items.clone();
        let mut complete = self.look(dice, Some(at), &items).await;
        for n in 0..COUNTERS {
            complete &= self.read_counter(dice, Some(at), &format!("n{n}")).await.is_some();
        }
        complete
    }

    /// Any node that is up, or the one asked for.
    fn front(&self, dice: &mut Dice, at: Option<u64>) -> Option<Arc<Node>> {
        match at {
            Some(id) => self.network.node(id),
            None => dice.pick(&self.network.nodes()).cloned(),
        }
    }

    /// A node that reflects everything that was acknowledged before the call.
    async fn barrier(&self, dice: &mut Dice, at: Option<u64>) -> Option<Arc<Node>> {
        let node = self.front(dice, at)?;
        let leader = node.raft.current_leader().await?;
        let index = if leader == node.life.id {
            node.clone().read_index().await?
        } else {
            let ask = self.network.call(Mood::Plain, node.life, leader, (), |node, ()| node.read_index().boxed());
            timeout(Duration::from_secs(1), ask).await.ok()?.ok()?
        };
        if !node.has_applied(index, Duration::from_secs(2)).await || !self.network.lives(node.life) {
            return None;
        }
        Some(node)
    }

    /// Proposes at any node, which passes it on to the leader; again and again with the same ids, for some seconds. None:
    /// nobody knows what came of it.
    pub async fn propose(&self, dice: &mut Dice, commands: Vec<Command>) -> Option<Vec<Outcome>> {
        let maker = self.front(dice, None)?;
        let deadline = maker.deadline();
        let drafts = commands.into_iter().map(|command| Draft { id: ProposalId(dice.id()), deadline, command });
        let drafts: Vec<Draft> = drafts.collect();
        let labels: Vec<&str> = drafts.iter().map(|draft| draft.command.label()).collect();
        let deadline = Instant::now() + dice.millis(500..6000);
        let mut known = None;
        while Instant::now() < deadline {
            if let Some(node) = self.front(dice, None) {
                let leader = match known.take() {
                    Some(leader) => Some(leader),
                    None => node.raft.current_leader().await,
                };
                match self.propose_once(&node, leader.unwrap_or(node.life.id), drafts.clone()).await {
                    // This copy had no effect, and never will; nobody knows of others.
                    Ok((index, outcomes)) if outcomes.contains(&Outcome::Refused(Refusal::Untimely)) => {
                        self.oracle.count("proposals untimely");
                        self.oracle.trace(|| format!("{labels:?} at {index}: not at this time"));
                        if maker.has_applied(index, Duration::from_millis(500)).await {
                            maker.correct();
                        }
                        return None;
                    }
                    Ok((index, outcomes)) if self.network.lives(node.life) => {
                        for (draft, outcome) in drafts.iter().zip(&outcomes) {
                            if !may_differ(&draft.command) {
                                self.oracle.acknowledged(index, draft.id, outcome);
                            }
                        }
                        self.oracle.count("proposals acknowledged");
                        self.oracle.trace(|| {
                            let outcomes: Vec<&str> = outcomes.iter().map(Outcome::label).collect();
                            format!("{labels:?} through {} at {index}: {outcomes:?}", node.life.id)
                        });
                        return Some(outcomes);
                    }
                    // The node that was asked has died before it could say so.
                    Ok(_) => self.oracle.count("answers lost"),
                    Err(Unsettled::NotLeader(leader)) => known = leader,
                    Err(Unsettled::Unknown) => self.oracle.count("answers lost"),
                }
            }
            sleep(dice.millis(5..150)).await;
        }
        self.oracle.count("proposals given up");
        self.oracle.trace(|| format!("{labels:?}: nobody knows"));
        None
    }

    async fn propose_once(
        &self,
        node: &Arc<Node>,
        leader: u64,
        drafts: Vec<Draft>,
    ) -> Result<(u64, Vec<Outcome>), Unsettled> {
        let patience = Duration::from_millis(1500);
        if leader == node.life.id {
            return timeout(patience, node.clone().propose(drafts)).await.unwrap_or(Err(Unsettled::Unknown));
        }
        let from: Life = node.life;
        let forward = self.network.call(Mood::Plain, from, leader, drafts, |node, drafts| {
            async move { Some(node.propose(drafts).await) }.boxed()
        });
        match timeout(patience, forward).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Lost::Refused)) => Err(Unsettled::NotLeader(None)),
            Ok(Err(Lost::Broken)) | Err(_) => Err(Unsettled::Unknown),
        }
    }
}

fn counter(name: &str) -> DocumentKey {
    DocumentKey::new(&RealmPath::root(), Kind::User, name)
}

fn is_active(state: &State, item: &Item) -> bool {
    let hash = words::hash(&item.name);
    match item.what {
        What::Token => {
            state.grants.get(usize::from(item.hint)).is_some_and(|shard| shard.access().get(&hash).is_some())
        }
        What::Session => state.sessions.live().get(&hash).is_some(),
        What::Jti => state.blacklist.entries().get(&hash).is_none(),
    }
}

/// A copy may be told of what happened since: a session ends later with each use, and whoever revokes what is not there yet
/// finds it next time.
fn may_differ(command: &Command) -> bool {
    matches!(command, Command::TouchSession(_) | Command::RevokeAccess(_) | Command::DestroySession(_))
}

/// The same command, for another shard.
fn with_hint(mut command: Command, to: u8) -> Command {
    match &mut command {
        Command::IssueAccess(issue) => issue.hint = to,
        Command::IssueCode(issue) => issue.hint = to,
        Command::RedeemCode(redeem) => redeem.hint = to,
        Command::RevokeAccess(revoke) => revoke.hint = to,
        _ => {}
    }
    command
}
