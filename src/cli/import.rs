//! `quorate import`: objects of files become objects of a running node, over REST, as an administrator.
//!
//! | step                                                             | where            |
//! |------------------------------------------------------------------|------------------|
//! | files, also of whole directories, are read before anything is written | `gather`    |
//! | one of each object; what is referred to first                    | `ordered`        |
//! | for each object: what the server has, and what differs           | `Import::plan`   |
//! | written only when it differs; a second run finds nothing to do   | `Import::write`  |
//! | what the server does not know is left out, and told              | `without`        |
//!
//! Nothing is deleted. A failure of one object does not keep the others from being imported: each has its line in the report.

use super::{
    Exit,
    admin::{Admin, Reply, Session, Unreachable},
    transfer::{
        self, Contents, Item, Kind, Realm, Shape,
        compare::{self, Described, Difference},
        frodo::path_of_realm,
        realm_of_key,
        report::{Entry, Report, Verdict},
    },
};
use crate::{crest::Object, host};
use clap::Args;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Largest file that is read, bytes.
const MAX_FILE: u64 = 256 << 20;
/// How many secrets are tried in vain: each counts as a failed login from here. Those after are set without a try.
const MAX_WRONG_SECRETS: usize = 2;
/// How often an object is written anew without what the server does not know.
const ATTEMPTS: usize = 24;

/// `quorate import`
#[derive(Clone, Debug, Args)]
pub struct Import {
    /// Files, or directories with files: exports of frodo or Amster
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How to reach a node, and as whom.
    #[command(flatten)]
    pub admin: Admin,
    /// Realm of files that name none
    #[arg(long, value_name = "REALM", default_value = "/")]
    pub realm: String,
    /// Report what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// End with status 1 unless everything is exactly as in the files
    #[arg(long)]
    pub strict: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("{}", .0.join("\n"))]
    Unreadable(Vec<String>),
    #[error("realms cannot be listed: {0}")]
    NoRealms(String),
}

/// Runs the command and reports.
pub fn run(import: &Import) -> Exit {
    match perform(import) {
        Ok(report) => {
            match import.json {
                true => println!("{}", report.to_json()),
                false => println!("{report}"),
            }
            let fine = report.is_ok() && (!import.strict || report.is_exact());
            if fine { Exit::Done } else { Exit::Failed }
        }
        Err(stopped) => {
            eprintln!("quorate: {stopped}");
            Exit::Failed
        }
    }
}

fn perform(import: &Import) -> Result<Report, Stopped> {
    let texts = texts(&import.files).map_err(Stopped::Unreadable)?;
    let mut session = Session::start(&import.admin)?;
    let known = realms(&mut session)?;
    let Contents { items, left } = gather(&texts, &import.realm, &known).map_err(Stopped::Unreadable)?;
    let gone = left.iter().filter(|left| left.what == "script" && !left.why.contains("shipped"));
    let gone = gone.map(|left| (left.realm.clone(), left.id.clone())).collect();
    let of_file = items.iter().filter(|item| item.kind.shape == Shape::Realm);
    let realms = of_file.filter_map(|item| path_of_realm(&Value::Object(item.body.clone()))).chain(known).collect();
    let mut work = Work {
        session,
        dry_run: import.dry_run,
        described: BTreeMap::new(),
        realms,
        gone,
        wrong_secrets: 0,
        report: Report::default(),
    };
    work.report.dry_run = import.dry_run;
    for item in ordered(items) {
        let entry = work.item(item)?;
        work.report.entries.push(entry);
    }
    work.report.entries.extend(left.iter().map(Entry::from));
    Ok(std::mem::take(&mut work.report))
}

/// The realms of a server.
pub fn realms_of(session: &mut Session) -> Result<Vec<Value>, Unreachable> {
    let reply = session.send("GET", "/global-config/realms?_queryFilter=true", "protocol=2.0,resource=1.0", None)?;
    Ok(reply.json.get("result").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn realms(session: &mut Session) -> Result<Vec<Realm>, Stopped> {
    let realms: Vec<Realm> = realms_of(session)?.iter().filter_map(path_of_realm).collect();
    match realms.is_empty() {
        true => Err(Stopped::NoRealms("the server shows none to this user".to_owned())),
        false => Ok(realms),
    }
}

/// The texts of files, those of directories in the order of their names.
fn texts(files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Vec<String>> {
    let (mut texts, mut bad) = (Vec::new(), Vec::new());
    for file in files {
        if let Err(error) = collect(file, true, &mut texts) {
            bad.push(format!("{}: {error}", file.display()));
        }
    }
    if bad.is_empty() { Ok(texts) } else { Err(bad) }
}

fn collect(path: &Path, named: bool, texts: &mut Vec<(PathBuf, String)>) -> io::Result<()> {
    if path.is_dir() {
        let mut inside: Vec<PathBuf> =
            fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| collect(path, false, texts));
    }
    if !named && path.extension().is_none_or(|extension| extension != "json") {
        return Ok(());
    }
    let mut text = String::new();
    let size = fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if size as u64 > MAX_FILE {
        return Err(io::Error::other("is too large"));
    }
    texts.push((path.to_owned(), text));
    Ok(())
}

/// The realm that a place of frodo's names: `…/realm/root-alpha/…`.
fn realm_of_place(path: &Path, known: &[Realm]) -> Option<Realm> {
    let mut parts = path.iter().filter_map(|part| part.to_str());
    parts.find(|part| *part == "realm")?;
    realm_of_key(parts.next()?, known)
}

/// What is in all files.
fn gather(texts: &[(PathBuf, String)], realm: &str, known: &[Realm]) -> Result<Contents, Vec<String>> {
    let (mut all, mut bad) = (Contents::default(), Vec::new());
    for (path, text) in texts {
        let realm = realm_of_place(path, known).unwrap_or_else(|| realm.to_owned());
        match transfer::read(text, &realm, known) {
            Ok(mut contents) => {
                all.items.append(&mut contents.items);
                all.left.append(&mut contents.left);
            }
            Err(error) => bad.push(format!("{}: {error}", path.display())),
        }
    }
    if bad.is_empty() { Ok(all) } else { Err(bad) }
}

/// One of each object, in an order in which what is referred to comes first: by kind, realms by depth, inner nodes before
/// pages, inner journeys before those that go through them.
fn ordered(items: Vec<Item>) -> Vec<Item> {
    let mut unique: BTreeMap<(usize, usize, Realm, Option<String>, String), Item> = BTreeMap::new();
    for mut item in items {
        let rank = match item.kind.shape {
            Shape::Realm => {
                path_of_realm(&Value::Object(item.body.clone())).map_or(0, |path| path.matches('/').count())
            }
            _ => usize::from(item.subtype.as_deref() == Some("PageNode")),
        };
        let key = (item.kind.order(), rank, item.realm.clone(), item.subtype.clone(), item.id.clone());
        if let Some(other) = unique.get(&key)
            && other.body != item.body
        {
            item.notes.push("it is in the files more than once, and not the same; the last one counts".to_owned());
        }
        unique.insert(key, item);
    }
    inner_first(unique.into_values().collect())
}

/// The journeys among `items` so that inner ones come first; a circle stays as it is, and the server says what it thinks of it.
fn inner_first(items: Vec<Item>) -> Vec<Item> {
    let is_tree = |item: &Item| item.kind.member == "trees";
    let nodes: BTreeMap<(&str, &str), &str> = items
        .iter()
        .filter(|item| item.kind.member == "nodes")
        .filter_map(|item| Some(((item.realm.as_str(), item.id.as_str()), item.body.get("tree")?.as_str()?)))
        .collect();
    let inner = |tree: &Item| -> BTreeSet<String> {
        let own = tree.body.get("nodes").and_then(Value::as_object);
        let ids = own.into_iter().flat_map(|nodes| nodes.keys());
        ids.filter_map(|id| nodes.get(&(tree.realm.as_str(), id.as_str()))).map(|&name| name.to_owned()).collect()
    };
    let mut needs: Vec<(Realm, String, BTreeSet<String>)> = items
        .iter()
        .filter(|item| is_tree(item))
        .map(|tree| (tree.realm.clone(), tree.id.clone(), inner(tree)))
        .collect();
    let mut order: Vec<(Realm, String)> = Vec::new();
    while !needs.is_empty() {
        let waiting: BTreeSet<(Realm, String)> =
            needs.iter().map(|(realm, id, _)| (realm.clone(), id.clone())).collect();
        let ready = needs.iter().position(|(realm, id, inner)| {
            inner.iter().all(|name| name == id || !waiting.contains(&(realm.clone(), name.clone())))
        });
        let (realm, id, _) = needs.remove(ready.unwrap_or(0));
        order.push((realm, id));
    }
    let place = |item: &Item| order.iter().position(|(realm, id)| *realm == item.realm && *id == item.id);
    let (mut trees, others): (Vec<Item>, Vec<Item>) = items.into_iter().partition(is_tree);
    trees.sort_by_key(place);
    let after = others.iter().position(|item| item.kind.order() > Kind::of_member("trees").map_or(0, Kind::order));
    let (mut all, rest) = match after {
        None => (others, Vec::new()),
        Some(at) => {
            let mut first = others;
            let rest = first.split_off(at);
            (first, rest)
        }
    };
    all.extend(trees);
    all.extend(rest);
    all
}

/// The work, while it is done.
struct Work {
    session: Session,
    dry_run: bool,
    described: BTreeMap<(String, Option<String>), Described>,
    /// Realms that exist or are in the files.
    realms: BTreeSet<Realm>,
    /// Scripts that cannot be here, by realm and id.
    gone: BTreeSet<(Realm, String)>,
    wrong_secrets: usize,
    report: Report,
}

/// What is to be done about an object.
enum Plan {
    Create,
    Update,
    Nothing,
    Cannot(Verdict, String),
}

impl Work {
    fn item(&mut self, mut item: Item) -> Result<Entry, Unreachable> {
        if item.kind.shape == Shape::Realm {
            return self.realm(&item);
        }
        if !self.realms.contains(&item.realm) {
            let why = format!("there is no realm {}", item.realm);
            return Ok(Entry::new(&item, Verdict::Failed, [why]));
        }
        self.without_scripts(&mut item);
        let (plan, mut notes) = self.plan(&item)?;
        let verdict = match plan {
            Plan::Cannot(verdict, why) => {
                notes.push(why);
                verdict
            }
            Plan::Nothing => Verdict::Unchanged,
            Plan::Create | Plan::Update if self.dry_run => {
                if matches!(plan, Plan::Create) {
                    Verdict::Created
                } else {
                    Verdict::Updated
                }
            }
            Plan::Create | Plan::Update => {
                notes.clear();
                match self.write(&item, matches!(plan, Plan::Create), &mut notes)? {
                    Ok(()) if matches!(plan, Plan::Create) => Verdict::Created,
                    Ok(()) => Verdict::Updated,
                    Err(why) => {
                        notes.push(why);
                        Verdict::Failed
                    }
                }
            }
        };
        Ok(Entry::new(&item, verdict, notes))
    }

    /// What has to be done, and what has to be said about it.
    fn plan(&mut self, item: &Item) -> Result<(Plan, Vec<String>), Unreachable> {
        let reply = self.session.send("GET", &item.path(), item.kind.version, None)?;
        let said = |unknown: Vec<String>| -> Vec<String> {
            unknown.into_iter().map(|name| format!("{name} is not known here and left out")).collect()
        };
        if reply.has_no_endpoint() {
            let what = item.subtype.as_deref().unwrap_or(item.kind.name);
            return Ok((
                Plan::Cannot(Verdict::Unsupported, format!("this server has nothing like {what}")),
                Vec::new(),
            ));
        }
        match reply.status {
            200 => {}
            404 => {
                let described = self.described(item)?;
                let mut notes = said(compare::unknown(&item.body, &described));
                notes.extend(needs_password(item).then(|| NO_PASSWORD.to_owned()));
                return Ok((Plan::Create, notes));
            }
            _ => return Ok((Plan::Cannot(Verdict::Failed, reply.message()), Vec::new())),
        }
        let current = reply.json.as_object().cloned().unwrap_or_default();
        let described = self.described(item)?;
        let found = Difference::of(item.kind, &item.body, &current, &described);
        let is_there = found.is_none();
        let mut notes = said(found.unknown);
        let plan = match is_there {
            true if signs_in_no_more(item, &current) => {
                notes.extend(secret(&item.body).map(|_| UNTRIED.to_owned()));
                Plan::Nothing
            }
            true if self.has_its_secret(item)? => Plan::Nothing,
            _ => Plan::Update,
        };
        Ok((plan, notes))
    }

    /// What the server says about a kind of object, asked once.
    fn described(&mut self, item: &Item) -> Result<Described, Unreachable> {
        if !item.kind.described {
            return Ok(Described::default());
        }
        // Services are kinds of their own.
        let own = if item.kind.shape == Shape::Service { Some(item.id.clone()) } else { item.subtype.clone() };
        let path = match item.kind.shape {
            Shape::Service | Shape::Singleton => item.path(),
            Shape::Collection | Shape::Realm => item.kind.collection(&item.realm, item.subtype.as_deref()),
        };
        let key = (item.kind.member.to_owned(), own);
        if let Some(known) = self.described.get(&key) {
            return Ok(known.clone());
        }
        let mut ask = |action: &str| -> Result<Option<Object>, Unreachable> {
            let reply =
                self.session.send("POST", &format!("{path}?_action={action}"), item.kind.version, Some(&json!({})))?;
            Ok(reply.json.as_object().filter(|_| reply.is_ok()).cloned())
        };
        let described = Described { schema: ask("schema")?, template: ask("template")? };
        // A realm that does not exist yet tells nothing about what it will have.
        if described.schema.is_some() || described.template.is_some() {
            self.described.insert(key, described.clone());
        }
        Ok(described)
    }

    /// Whether the secret that the file has, if it has one, is the one that the server knows.
    fn has_its_secret(&mut self, item: &Item) -> Result<bool, Unreachable> {
        let Some(secret) = secret(&item.body) else {
            return Ok(true);
        };
        if self.wrong_secrets >= MAX_WRONG_SECRETS {
            return Ok(false);
        }
        let fits = match item.kind.member {
            "application" => self.session.knows_client(&item.realm, &item.id, secret)?,
            "user" => self.session.knows_password(&item.realm, "ldapService", &item.id, secret)?,
            _ => self.session.knows_password(&item.realm, "Agent", &item.id, secret)?,
        };
        self.wrong_secrets += usize::from(!fits);
        Ok(fits)
    }

    /// References to scripts that cannot be here become references to none.
    fn without_scripts(&self, item: &mut Item) {
        if !matches!(item.kind.member, "service" | "application" | "agent" | "agentGroup") || self.gone.is_empty() {
            return;
        }
        let Item { realm, body, notes, .. } = item;
        for (name, value) in body.iter_mut().filter_map(|(_, section)| section.as_object_mut()).flatten() {
            let held = match value {
                Value::Object(wrapped) => wrapped.get_mut("value"),
                plain => Some(plain),
            };
            if let Some(held) = held
                && let Some(id) = held.as_str()
                && self.gone.contains(&(realm.clone(), id.to_owned()))
            {
                notes.push(format!("{name} named the script {id}, which is not imported; it names none"));
                *held = json!("[Empty]");
            }
        }
    }

    /// Writes an object; `Err` says why the server did not take it.
    fn write(&mut self, item: &Item, create: bool, notes: &mut Vec<String>) -> Result<Result<(), String>, Unreachable> {
        let mut body = item.body.clone();
        if create && needs_password(item) {
            let password = format!("{:032x}{:032x}", host::random_id(), host::random_id());
            body.insert("userpassword".into(), password.into());
            notes.push(NO_PASSWORD.to_owned());
        }
        let (path, version) = (item.path(), item.kind.version);
        let collection = item.kind.collection(&item.realm, item.subtype.as_deref());
        let mut by_post = false;
        for _ in 0..ATTEMPTS {
            let content = Value::Object(body.clone());
            let reply = match (item.kind.shape, create) {
                (Shape::Service, true) => {
                    self.session.send("POST", &format!("{path}?_action=create"), version, Some(&content))?
                }
                _ if by_post => {
                    self.session.send("POST", &format!("{collection}?_action=create"), version, Some(&content))?
                }
                _ => self.session.send("PUT", &path, version, Some(&content))?,
            };
            if reply.is_ok() {
                let kept = reply.json.as_object().cloned().unwrap_or_default();
                let described = self.described(item)?;
                let found = Difference::of(item.kind, &body, &kept, &described);
                notes.extend(found.unknown.into_iter().map(|name| format!("{name} is not known here and left out")));
                notes.extend(found.differs.into_iter().map(|name| format!("{name} is kept in another form")));
                return Ok(Ok(()));
            }
            if create && reply.status == 404 && !by_post && item.kind.shape == Shape::Collection {
                // Some collections are added to by POST alone.
                by_post = true;
                continue;
            }
            let described = self.described(item)?;
            match without(&mut body, &reply, &described) {
                Some(names) => {
                    notes.extend(names.into_iter().map(|name| format!("{name} is not known here and left out")))
                }
                None => return Ok(Err(reply.message())),
            }
        }
        Ok(Err("there is too much in it that is not known here".to_owned()))
    }

    fn realm(&mut self, item: &Item) -> Result<Entry, Unreachable> {
        let shown = |verdict, notes: Vec<String>| Entry::new(item, verdict, notes);
        let path = path_of_realm(&Value::Object(item.body.clone())).unwrap_or_default();
        let reply = self.session.send("GET", &item.path(), item.kind.version, None)?;
        let exists = reply.is_ok();
        let current = reply.json.as_object().cloned().unwrap_or_default();
        let found = Difference::of(item.kind, &item.body, &current, &Described::default());
        if exists && path == "/" {
            let note = (!found.is_none()).then(|| "the top-level realm cannot be changed".to_owned());
            return Ok(shown(Verdict::Unchanged, note.into_iter().collect()));
        }
        let verdict = match exists {
            true if found.is_none() => return Ok(shown(Verdict::Unchanged, Vec::new())),
            true => Verdict::Updated,
            false => Verdict::Created,
        };
        if self.dry_run {
            return Ok(shown(verdict, Vec::new()));
        }
        let body = Some(Value::Object(item.body.clone()));
        let reply = match exists {
            true => self.session.send("PUT", &item.path(), item.kind.version, body.as_ref())?,
            false => {
                self.session.send("POST", "/global-config/realms?_action=create", item.kind.version, body.as_ref())?
            }
        };
        match reply.is_ok() {
            true => Ok(shown(verdict, Vec::new())),
            false => {
                self.realms.remove(&path);
                Ok(shown(Verdict::Failed, vec![reply.message()]))
            }
        }
    }
}

/// What is said of a user without a password: exports have none, and nobody is created without one.
const NO_PASSWORD: &str =
    "it has no password in the file; until an administrator sets one, it has one that nobody knows";

/// What is said of the password of a user who is not let in with the right one either: to set it each time would make no
/// import the last, and to try it would count as a failed login.
const UNTRIED: &str = "whether it has this password cannot be told while it is inactive; it was left as it is";

fn signs_in_no_more(item: &Item, current: &Object) -> bool {
    item.kind.member == "user" && current.get("inetUserStatus") == Some(&json!(["Inactive"]))
}

fn needs_password(item: &Item) -> bool {
    item.kind.member == "user" && secret(&item.body).is_none()
}

/// The secret of an object, in the clear.
fn secret(body: &Object) -> Option<&str> {
    let own = body.iter().find(|(name, _)| compare::is_secret(name)).and_then(|(_, value)| text(value));
    own.or_else(|| {
        body.values().filter_map(Value::as_object).find_map(|section| {
            section.iter().find(|(name, _)| compare::is_secret(name)).and_then(|(_, value)| text(value))
        })
    })
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()).map(String::as_str),
        Value::Array(items) => items.first().and_then(text),
        Value::Object(wrapped) => wrapped.get("value").and_then(text),
        _ => None,
    }
}

/// Takes out of `body` what the server says that it does not know; what was taken out, or `None` when that is not what it says.
/// The server names what it knows, and not where: the section is the one that has most of these names, by what the server says
/// that it has, else by what the body has.
fn without(body: &mut Object, reply: &Reply, described: &Described) -> Option<Vec<String>> {
    let valid = reply.json.get("detail")?.get("validAttributes")?.as_array()?;
    let is_valid = |name: &str| name.starts_with('_') || valid.iter().any(|valid| valid.as_str() == Some(name));
    let shared = |names: &Object| names.keys().filter(|name| !name.starts_with('_') && is_valid(name)).count();
    let take = |members: &mut Object| -> Vec<String> {
        let names: Vec<String> = members.keys().filter(|name| !is_valid(name)).cloned().collect();
        names.iter().for_each(|name| drop(members.remove(name)));
        names
    };
    let sections: Vec<String> = body
        .iter()
        .filter(|(name, value)| value.is_object() && !name.starts_with('_'))
        .map(|(name, _)| name.clone())
        .collect();
    let known = |section: &String| {
        let of_server = described.section(section).map_or(0, shared);
        let of_body = body.get(section).and_then(Value::as_object).map_or(0, shared);
        (of_server, of_body)
    };
    let best = sections.iter().map(|section| (known(section), section)).max().filter(|(shared, _)| *shared > (0, 0));
    let removed = match best {
        Some((_, section)) if shared(body) == 0 => {
            let members = body.get_mut(section).and_then(Value::as_object_mut)?;
            take(members).into_iter().map(|name| format!("{section}/{name}")).collect()
        }
        _ => take(body),
    };
    Some(removed).filter(|names: &Vec<String>| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(member: &str, subtype: Option<&str>, id: &str, body: Value) -> Item {
        let kind = Kind::of_member(member).expect("a kind");
        let body = body.as_object().cloned().expect("an object");
        Item { kind, realm: "/".into(), subtype: subtype.map(str::to_owned), id: id.into(), body, notes: Vec::new() }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let tree = |id: &str, nodes: &[&str]| {
            let nodes: Object = nodes.iter().map(|&node| (node.to_owned(), json!({}))).collect();
            item("trees", None, id, json!({"nodes": nodes}))
        };
        let inner = |id: &str, tree: &str| item("nodes", Some("InnerTreeEvaluatorNode"), id, json!({"tree": tree}));
        let items = vec![
            item("user", None, "u", json!({})),
            tree("A", &["n1"]),
            tree("B", &["n2"]),
            tree("C", &[]),
            tree("Loop", &["n3"]),
            item("nodes", Some("PageNode"), "p", json!({})),
            inner("n1", "B"),
            inner("n2", "C"),
            inner("n3", "Loop"),
            item("policy", None, "p", json!({})),
            item("application", Some("OAuth2Client"), "web", json!({"a": 1})),
            item("application", Some("OAuth2Client"), "web", json!({"a": 2})),
            item("script", None, "s", json!({})),
            item("realm", None, "L2EvYg", json!({"name": "b", "parentPath": "/a"})),
            item("realm", None, "L3o", json!({"name": "z", "parentPath": "/"})),
        ];
        let ordered = ordered(items);
        let told: Vec<String> = ordered.iter().map(ToString::to_string).collect();
        let inner = "InnerTreeEvaluatorNode";
        let expected = [
            "realm L3o".to_owned(),
            "realm L2EvYg".to_owned(),
            "script s".to_owned(),
            "policy p".to_owned(),
            "OAuth2Client web".to_owned(),
            format!("{inner} n1"),
            format!("{inner} n2"),
            format!("{inner} n3"),
            "PageNode p".to_owned(),
            "journey C".to_owned(),
            "journey B".to_owned(),
            "journey A".to_owned(),
            "journey Loop".to_owned(),
            "user u".to_owned(),
        ];
        assert_eq!(told, expected);
        assert_eq!(ordered[4].body.get("a"), Some(&json!(2)));
        assert_eq!(ordered[4].notes.len(), 1);
    }

    #[test]
    fn what_is_not_known_is_taken_out_where_it_is() {
        let refused = |valid: &[&str]| Reply {
            status: 400,
            json: json!({"code": 400, "message": "Invalid attribute specified.", "detail": {"validAttributes": valid}}),
        };
        let body = || {
            json!({"_id": "x", "core": {"a": 1, "odd": 2}, "other": {"b": 1}, "new": {"z": 1}})
                .as_object()
                .cloned()
                .expect("an object")
        };
        let nothing = Described::default();
        let mut one = body();
        assert_eq!(without(&mut one, &refused(&["core", "other"]), &nothing), Some(vec!["new".to_owned()]));
        assert_eq!(without(&mut one, &refused(&["a", "c"]), &nothing), Some(vec!["core/odd".to_owned()]));
        assert_eq!(without(&mut one, &refused(&["core", "other"]), &nothing), None, "nothing is left to take out");
        assert_eq!(without(&mut one, &Reply { status: 400, json: json!({"message": "no"}) }, &nothing), None);
        let mut flat = json!({"a": 1, "odd": 2}).as_object().cloned().expect("an object");
        assert_eq!(without(&mut flat, &refused(&["a"]), &nothing), Some(vec!["odd".to_owned()]));
        // A section with nothing but what is not known: the server's own account of it tells.
        let schema =
            json!({"properties": {"core": {"properties": {"a": {}, "c": {}}}, "other": {"properties": {"b": {}}}}});
        let described = Described { schema: schema.as_object().cloned(), template: None };
        let mut odd =
            json!({"_type": {"x": 1}, "core": {"odd": 1}, "other": {"b": 1}}).as_object().cloned().expect("an object");
        assert_eq!(without(&mut odd, &refused(&["a", "c"]), &described), Some(vec!["core/odd".to_owned()]));
    }

    #[test]
    fn secrets_are_found() {
        for (body, expected) in [
            (json!({"userpassword": "x"}), Some("x")),
            (json!({"userPassword": ["x"]}), Some("x")),
            (json!({"coreOAuth2ClientConfig": {"userpassword": {"inherited": false, "value": "x"}}}), Some("x")),
            (json!({"coreOAuth2ClientConfig": {"userpassword": null}}), None),
            (json!({"a": {"b": "x"}}), None),
        ] {
            assert_eq!(secret(body.as_object().expect("an object")), expected, "{body}");
        }
    }

    #[test]
    fn places_name_realms() {
        let known = ["/a-b".to_owned()];
        for (path, realm) in [
            ("out/realm/root-alpha/policy/x.policy.json", Some("/alpha")),
            ("out/realm/root-a-b/x.json", Some("/a-b")),
            ("out/realm/root/x.json", Some("/")),
            ("out/x.json", None),
            ("realm/x.json", None),
        ] {
            assert_eq!(realm_of_place(Path::new(path), &known).as_deref(), realm, "{path}");
        }
    }
}
