//! Golden stories of the replicated state: `scripts/*.txt`, one goal each, to be read by a human.
//!
//! `@10 redeem c1 web -> a1 | issued @10, until @3610`: at log time 10 s an entry is written; what came of it stands last.
//! A line that starts with `&` travels in the same entry as the line before it. `#7` names the attempt, so that a second
//! line with it is a copy of the first (R-6); without it every line is an attempt of its own. A draft has the latest deadline
//! that its first entry allows, unless `by=S` says otherwise. Lines that ask (`active`, `session`, …)
//! come after a tick of their time, since only log time makes things expire (G6). After every third entry a second
//! replica is replaced by one that has read nothing but its snapshot, and has to agree.
//!
//! `UPDATE=1 cargo test -p quorate-raft --test scripts` writes the results and the columns anew; read the difference.
//!
//! | line                                                    | what                                                  |
//! |---------------------------------------------------------|-------------------------------------------------------|
//! | `issue a1 web [ttl=3600] [grant=a1]`                    | an access token, client credentials                   |
//! | `code c1 web [ttl=60] [grant=c1] [redirect=U] [pkce=V]` | an authorization code; without U none was sent        |
//! | `redeem c1 web -> a1 [redirect=U] [verifier=V] [ttl=]`  | buys access token `a1`; `jwt:j1` is client-based       |
//! | `revoke a1 web`, `revoke-grant c1 until=S`              | end a token, a family                                 |
//! | `blacklist j1 until=S`                                  | end a client-based token                              |
//! | `spend k1 until=S`                                      | use what may be used once                             |
//! | `login s1 demo [max=7200] [idle=1800]`, `touch`, `logout` | a session                                           |
//! | `open t1 demo with=s1 for=w1 [life=180]`, `begin t1 s1`, `complete t1 s1`, `use t1 w1` | a transaction          |
//! | `put Kind:id [if=absent|present|rN] [refs=Kind:id,…] [fence] [{json}]`, `delete Kind:id [if=…]`, `keep Kind:id if=…` | documents; `+` joins writes that go all or none |
//! | `delete-realm /alpha [if=…]`, `tick`                    |                                                       |
//! | `active a1`, `session s1`, `stage t1`, `blacklisted j1`, `revoked c1`, `get Kind:id`, `held`, `clock` | ask                 |
//!
//! `realm=/beta` on any line: in that realm, else in `/alpha`.

mod support;

use quorate_raft::{
    Batch, Command, DocumentKey, Draft, Kind, Outcome, ProposalId, RealmPath, Refusal, Seq, Span, Stamp, State,
    documents::{Change, Precondition, RemoveRealm, Write, WriteDocuments},
    grant_sets::Purchase,
    limits::DRAFT_WINDOW_MS,
    sessions::{DestroySession, DestroySessionsOf, Exceeded, Quota, TouchSession},
    transactions::{Stage, Step as Next},
};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};
use support::{replica::Replica, words};

/// Every story comes out as it is written.
#[test]
fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let update = std::env::var_os("UPDATE").is_some();
    let mut stories = 0;
    let mut wrong = String::new();
    for file in fs::read_dir(&folder).expect("scripts/ exists") {
        let path = file.expect("can be listed").path();
        let told = fs::read_to_string(&path).expect("a story is text");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(told.starts_with("# Goal: "), "{name} says first what it is about");
        let happened = Story::default().run(&name, &told);
        stories += 1;
        if happened == told {
            continue;
        }
        if update {
            fs::write(&path, &happened).expect("the story can be written");
            continue;
        }
        let _ = writeln!(wrong, "{name}:");
        let mut lines = (told.lines(), happened.lines());
        loop {
            match (lines.0.next(), lines.1.next()) {
                (None, None) => break,
                (told, happened) if told == happened => {}
                (told, happened) => {
                    let _ = writeln!(wrong, "-{}\n+{}", told.unwrap_or_default(), happened.unwrap_or_default());
                }
            }
        }
    }
    assert!(stories > 0);
    assert!(wrong.is_empty(), "stories went another way (UPDATE=1 accepts it):\n{wrong}");
}

/// A line, taken apart.
enum Line<'a> {
    Prose(&'a str),
    Step(Step<'a>),
}

/// `time verb rest | result`; the time is empty in the second and later drafts of an entry.
struct Step<'a> {
    time: &'a str,
    words: Vec<&'a str>,
    result: String,
}

#[derive(Default)]
struct Story {
    steady: Replica,
    restarted: Replica,
    attempts: u128,
    /// Of named attempts: a copy carries the deadline of the first.
    deadlines: BTreeMap<ProposalId, Stamp>,
}

impl Story {
    /// The story as it happens: same lines, true results, straight columns.
    fn run(mut self, name: &str, told: &str) -> String {
        let mut lines: Vec<Line> = told
            .lines()
            .map(|line| match line.split_once(char::is_whitespace) {
                Some((time, rest)) if time.starts_with(['@', '&']) => {
                    let action = rest.rsplit_once('|').map_or(rest, |(action, _)| action);
                    Line::Step(Step { time, words: action.split_whitespace().collect(), result: String::new() })
                }
                _ => Line::Prose(line),
            })
            .collect();
        let mut steps: Vec<&mut Step> = lines
            .iter_mut()
            .filter_map(|line| match line {
                Line::Step(step) => Some(step),
                Line::Prose(_) => None,
            })
            .collect();
        for entry in steps.chunk_by_mut(|_, next| next.time == "&") {
            let at = stamp(entry[0].time.trim_start_matches('@'));
            let asks = entry.len() == 1 && self.ask(at, &entry[0].words, &mut entry[0].result);
            if !asks {
                let drafts = entry.iter().map(|step| self.draft(name, at, &step.words)).collect();
                for (step, outcome) in entry.iter_mut().zip(self.apply(Batch { at, drafts })) {
                    step.result = tell(&outcome);
                }
            }
        }
        assert_eq!(self.steady, self.restarted, "R-1: both replicas hold the same");
        columns(&lines)
    }

    fn apply(&mut self, batch: Batch) -> Vec<Outcome> {
        let outcomes = self.steady.apply(batch.clone());
        assert_eq!(outcomes, self.restarted.apply(batch), "R-1: both replicas answer alike");
        if self.steady.index.is_multiple_of(3) {
            self.restarted = self.restarted.through_a_snapshot();
        }
        outcomes
    }

    /// Whether the line asks, rather than does; if so, the answer.
    fn ask(&mut self, at: Stamp, words: &[&str], answer: &mut String) -> bool {
        let [verb, rest @ ..] = words else { return false };
        if !["active", "session", "property", "failures", "stage", "blacklisted", "revoked", "get", "held", "clock"]
            .contains(verb)
        {
            return false;
        }
        let id = self.attempt(None);
        self.apply(Batch { at, drafts: vec![Draft { id, deadline: at, command: Command::Tick }] });
        let what = rest.first().copied().unwrap_or_default();
        let State { grants, blacklist, sessions, attempts, transactions, documents } = &self.steady.state;
        let grants = &grants[usize::from(words::HINT)];
        let yes = |yes: bool| if yes { "yes".into() } else { "no".into() };
        *answer = match *verb {
            "active" => yes(grants.access().get(&words::hash(what)).is_some()),
            "session" => match sessions.live().get(&words::hash(what)) {
                Some(session) => format!("{}, until {}", session.data.name, second(session.expires())),
                None => "no".into(),
            },
            "property" => {
                let session = sessions.live().get(&words::hash(what));
                let value = session.and_then(|session| session.data.properties.get(*rest.get(1).unwrap_or(&"")));
                value.map_or("none".into(), |value| value.to_string())
            }
            "failures" => match attempts.counters().get(&words::hash(what)) {
                Some(counter) => {
                    let what = if counter.paused { ", paused" } else { "" };
                    format!("{}{what}, until {}", counter.failures, second(counter.until))
                }
                None => "none".into(),
            },
            "stage" => match transactions.all().get(&words::hash(what)) {
                Some(known) => {
                    let stage = match known.stage {
                        Stage::Created => "created",
                        Stage::InProgress(_) => "in progress",
                        Stage::Completed(_) => "completed",
                        Stage::Used(..) => "used",
                    };
                    format!("{stage}, until {}", second(known.expires()))
                }
                None => "none".into(),
            },
            "blacklisted" => yes(blacklist.entries().get(&words::hash(what)).is_some()),
            "revoked" => yes(grants.revoked().contains_key(&words::family(what))),
            "get" => match documents.get(&key(&realm(rest), what)) {
                Some(found) => {
                    let body = String::from_utf8_lossy(&found.body);
                    format!("{body}, revision {}, fence {}", place(found.revision), place(found.fence))
                }
                None => "nothing".into(),
            },
            "held" => format!(
                "{} tokens, {} codes, {} families, {} jti, {} sessions, {} documents, {} answers",
                grants.access().len() + grants.ended().len(),
                grants.codes().len(),
                grants.revoked().len(),
                blacklist.entries().len(),
                sessions.live().len() + sessions.ended().len(),
                documents.iter().count(),
                documents.answers().len(),
            ),
            _ => second(self.steady.clock.now()),
        };
        true
    }

    fn attempt(&mut self, named: Option<&str>) -> ProposalId {
        self.attempts += 1;
        ProposalId(match named {
            Some(named) => 1 << 64 | named.parse::<u128>().expect("an attempt is a number"),
            None => self.attempts,
        })
    }

    fn draft(&mut self, story: &str, at: Stamp, words: &[&str]) -> Draft {
        let id = self.attempt(words.iter().find_map(|word| word.strip_prefix('#')));
        let command = command(words).unwrap_or_else(|| panic!("{story}: nobody understands {words:?}"));
        let latest = at.max(self.steady.clock.now()) + Span(DRAFT_WINDOW_MS);
        let deadline = option(words, "by").map_or(latest, stamp);
        let deadline = *self.deadlines.entry(id).or_insert(deadline);
        Draft { id, deadline, command }
    }
}

fn command(words: &[&str]) -> Option<Command> {
    let [verb, rest @ ..] = words else { return None };
    let what = rest.first().copied().unwrap_or_default();
    let whose = rest.get(1).copied().unwrap_or_default();
    let realm = realm(rest);
    let span = |name, default| option(rest, name).map_or(Span::from_secs(default), |text| Span(stamp(text).0));
    let until = || option(rest, "until").map(stamp);
    Some(match *verb {
        "tick" => Command::Tick,
        "issue" => words::issue_of(option(rest, "grant").unwrap_or(what), what, &realm, whose, span("ttl", 3600)),
        "code" => {
            let grant = option(rest, "grant").unwrap_or(what);
            let (redirect, pkce) = (option(rest, "redirect"), option(rest, "pkce"));
            words::code(what, words::authorization(grant, &realm, whose, redirect, pkce), span("ttl", 60))
        }
        "redeem" => {
            let bought = rest.iter().skip_while(|word| **word != "->").nth(1)?;
            let ttl = span("ttl", 3600);
            let purchase = match bought.strip_prefix("jwt:") {
                Some(jti) => Purchase::ClientBased { jti: words::hash(jti), ttl },
                None => Purchase::Opaque(words::new_access(bought, &realm, whose, "demo", ttl)),
            };
            words::redeem(what, &realm, whose, option(rest, "redirect"), option(rest, "verifier"), purchase)
        }
        "revoke" => words::revoke(what, &realm, whose),
        "revoke-grant" => words::revoke_grant(what, until()?),
        "blacklist" => words::blacklist(what, until()?),
        "spend" => words::spend(what, until()?),
        "login" => words::login(what, &realm, whose, span("max", 7200), span("idle", 1800)),
        "touch" => Command::TouchSession(TouchSession(words::hash(what))),
        "logout" => Command::DestroySession(DestroySession(words::hash(what))),
        "start" => {
            let data = words::session(&realm, whose, span("max", 7200), span("idle", 1800));
            let quota = match option(rest, "quota") {
                Some(quota) => Some(self::quota(quota)?),
                None => None,
            };
            words::start(what, data, quota, option(rest, "replaces"))
        }
        "set" => {
            let changes: Vec<&str> = rest.iter().skip(1).filter(|word| !word.starts_with('#')).copied().collect();
            words::update(what, &changes)
        }
        "logout-all" => Command::DestroySessionsOf(DestroySessionsOf(words::user(&realm, what))),
        "fail" => {
            let limit = option(rest, "limit").map_or(Some(3), |limit| limit.parse().ok())?;
            words::fail(what, limit, span("window", 60), span("pause", 300))
        }
        "pass" => words::pass(what, option(rest, "unless")),
        "open" => words::open(what, whose, option(rest, "with")?, option(rest, "for")?, span("life", 180)),
        "begin" => words::transact(what, Next::Begin(words::hash(whose))),
        "complete" => words::transact(what, Next::Complete(words::hash(whose))),
        "use" => words::transact(what, Next::Use(words::hash(whose))),
        "put" | "delete" | "keep" => {
            let writes = words.split(|word| *word == "+").map(write).collect::<Option<_>>()?;
            Command::WriteDocuments(WriteDocuments(writes))
        }
        "delete-realm" => match condition(rest)? {
            Precondition::Any => Command::DeleteRealm(RealmPath::from(what)),
            when => Command::RemoveRealm(RemoveRealm { realm: RealmPath::from(what), when }),
        },
        _ => return None,
    })
}

/// `2:oldest`.
fn quota(text: &str) -> Option<Quota> {
    let (limit, exceeded) = text.split_once(':')?;
    let exceeded = match exceeded {
        "next" => Exceeded::DestroyNextExpiring,
        "oldest" => Exceeded::DestroyOldest,
        "all" => Exceeded::DestroyAll,
        "deny" => Exceeded::DenyAccess,
        _ => return None,
    };
    Some(Quota { limit: limit.parse().ok()?, exceeded })
}

/// `if=…`
fn condition(rest: &[&str]) -> Option<Precondition> {
    Some(match option(rest, "if") {
        None => Precondition::Any,
        Some("absent") => Precondition::Absent,
        Some("present") => Precondition::Present,
        Some(revision) => Precondition::Revision(Seq::new(revision.strip_prefix('r')?.parse().ok()?, 0)),
    })
}

fn write(words: &[&str]) -> Option<Write> {
    let [verb, what, rest @ ..] = words else { return None };
    let realm = realm(rest);
    let key = key(&realm, what);
    let when = condition(rest)?;
    let references = option(rest, "refs").into_iter().flat_map(|refs| refs.split(','));
    let references = references.map(|text| self::key(&realm, text)).collect();
    let body = rest.iter().find(|word| word.starts_with('{')).copied().unwrap_or("{}");
    match *verb {
        "put" => Some(words::put(key, when, body, references, rest.contains(&"fence"))),
        "delete" => Some(words::delete(key, when)),
        "keep" => Some(Write { key, when, change: Change::Keep }),
        _ => None,
    }
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn realm(words: &[&str]) -> RealmPath {
    option(words, "realm").map_or_else(words::alpha, RealmPath::from)
}

/// `Kind:id`; realms and settings live in the top-level realm, whatever the line says.
fn key(realm: &RealmPath, text: &str) -> DocumentKey {
    let (kind, id) = text.split_once(':').expect("a document is Kind:id");
    let (realm, kind) = match kind {
        "Realm" => (&RealmPath::root(), Kind::Realm),
        "User" => (realm, Kind::User),
        "Client" => (realm, Kind::OAuth2Client),
        "PolicySet" => (realm, Kind::PolicySet),
        "Policy" => (realm, Kind::Policy),
        _ => panic!("nobody knows the kind {kind}"),
    };
    DocumentKey::new(realm, kind, id)
}

/// Seconds with up to three decimals.
fn stamp(text: &str) -> Stamp {
    let (whole, thousandths) = text.split_once('.').unwrap_or((text, "0"));
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text} is not a time"));
    Stamp(number(whole) * 1000 + number(&format!("{thousandths:0<3}")))
}

fn second(at: Stamp) -> String {
    match at.0 % 1000 {
        0 => format!("@{}", at.secs()),
        rest => format!("@{}.{rest:03}", at.secs()),
    }
}

fn place(Seq(seq): Seq) -> String {
    match seq & 0xffff {
        0 => format!("r{}", seq >> 16),
        position => format!("r{}.{position}", seq >> 16),
    }
}

fn named(key: &DocumentKey) -> String {
    format!("{:?}:{} of {}", key.kind, key.id, key.realm)
}

fn tell(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".into(),
        Outcome::Issued { issued, expires } => format!("issued {}, until {}", second(*issued), second(*expires)),
        Outcome::Written(revisions) => {
            format!("written, {}", revisions.iter().map(|&seq| place(seq)).collect::<Vec<_>>().join(" "))
        }
        Outcome::Refused(refusal) => match refusal {
            Refusal::UnknownCode => "code is unknown".into(),
            Refusal::OtherClient => "belongs to another client".into(),
            Refusal::Expired => "code has expired".into(),
            Refusal::Replayed => "used before, or revoked; so is what it bought".into(),
            Refusal::OtherRedirect => "redirect_uri differs; the code is spent".into(),
            Refusal::MissingVerifier => "code_verifier is missing".into(),
            Refusal::WrongVerifier => "code_verifier does not match; the code is spent".into(),
            Refusal::UnknownToken => "token is unknown".into(),
            Refusal::UnknownSession => "session is unknown".into(),
            Refusal::Full => "full".into(),
            Refusal::Exists(key) => format!("{} exists", named(key)),
            Refusal::Missing(key) => format!("{} does not exist", named(key)),
            Refusal::Stale { key, found } => format!("{} has revision {}", named(key), place(*found)),
            Refusal::Referenced { key, by } => format!("{} is needed by {}", named(key), named(by)),
            Refusal::Dangling(key) => format!("needs {}, which does not exist", named(key)),
            Refusal::Untimely => "not at this time".into(),
            Refusal::Quota => "has as many sessions as it may have".into(),
            Refusal::Paused => "too many failures".into(),
            Refusal::Protected(key) => format!("{} does not go by itself", named(key)),
        },
    }
}

/// The lines with their results, in straight columns.
fn columns(lines: &[Line]) -> String {
    let steps = || {
        lines.iter().filter_map(|line| match line {
            Line::Step(step) => Some(step),
            Line::Prose(_) => None,
        })
    };
    let width = |of: &dyn Fn(&Step) -> usize| steps().map(of).max().unwrap_or(0);
    let time = width(&|step| step.time.len());
    let verb = width(&|step| step.words.first().map_or(0, |word| word.len()));
    let rest = |step: &Step| step.words.get(1..).unwrap_or_default().join(" ");
    let action = width(&|step| rest(step).chars().count());
    let mut text = String::new();
    for line in lines {
        let _ = match line {
            Line::Prose(prose) => writeln!(text, "{prose}"),
            Line::Step(step) => {
                let first = step.words.first().copied().unwrap_or_default();
                writeln!(text, "{:time$} {first:verb$} {:action$} | {}", step.time, rest(step), step.result)
            }
        };
    }
    text
}
