//! `quorate export`: what a running node is configured with, as files that frodo and `quorate import` read.
//!
//! Passwords and secrets are not in them: the service does not know them. Pairwise salts are, so files are for their owner
//! only. What the server does not have is left out.

use super::{
    Exit,
    admin::{Admin, Session, Unreachable},
    import::realms_of,
    transfer::{KINDS, Kind, Realm, Shape, Subtype, frodo::path_of_realm, realm_key, realm_path, scripts},
};
use crate::{crest::Object, crest::percent, host};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// `quorate export`
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// How to reach a node, and as whom.
    #[command(flatten)]
    pub admin: Admin,
    /// Realm to export; may be repeated [default: all]
    #[arg(long = "realm", value_name = "REALM")]
    pub realms: Vec<String>,
    /// File (*.json) for everything, or directory for a file per object [default: standard output]
    #[arg(long, value_name = "FILE|DIR")]
    pub out: Option<PathBuf>,
    /// Export users and groups as well, without their passwords
    #[arg(long)]
    pub users: bool,
}

/// Why nothing, or not everything, was exported.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("there is no realm {0}")]
    NoRealm(Realm),
    #[error("{what} cannot be read: {why}")]
    Refused { what: String, why: String },
    #[error("{}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// Runs the command.
pub fn run(export: &Export) -> Exit {
    match perform(export) {
        Ok(count) => {
            eprintln!("{count} objects");
            Exit::Done
        }
        Err(stopped) => {
            eprintln!("quorate: {stopped}");
            Exit::Failed
        }
    }
}

/// Objects of a realm by member of the file.
type Members = BTreeMap<&'static str, Object>;

fn perform(export: &Export) -> Result<usize, Stopped> {
    let mut session = Session::start(&export.admin)?;
    let all = realms_of(&mut session)?;
    let paths: BTreeMap<Realm, &Value> = all.iter().filter_map(|realm| Some((path_of_realm(realm)?, realm))).collect();
    let wanted: Vec<Realm> = match export.realms.is_empty() {
        true => paths.keys().cloned().collect(),
        false => export.realms.iter().map(|realm| format!("/{}", realm.trim_matches('/'))).collect(),
    };
    if let Some(unknown) = wanted.iter().find(|realm| !paths.contains_key(*realm)) {
        return Err(Stopped::NoRealm(unknown.clone()));
    }
    let mut realms = Object::new();
    let mut of_realms: BTreeMap<Realm, Members> = BTreeMap::new();
    for realm in wanted {
        if let Some(object) = paths.get(&realm).and_then(|realm| realm.as_object()) {
            let id = object.get("_id").and_then(Value::as_str).unwrap_or_default();
            realms.insert(id.to_owned(), Value::Object(without_revision(object)));
        }
        let members = Reader { session: &mut session, realm: &realm }.members(export.users)?;
        of_realms.insert(realm, members);
    }
    let meta = meta(&session, &of_realms);
    let count = realms.len() + of_realms.values().flat_map(BTreeMap::values).map(Object::len).sum::<usize>();
    match &export.out {
        Some(path) if path.extension().is_none_or(|extension| extension != "json") => {
            separate(path, &meta, &realms, &of_realms)?;
        }
        out => {
            let whole: Object = of_realms.iter().map(|(realm, members)| (realm_key(realm), json!(members))).collect();
            let file = json!({"meta": meta, "global": {"realm": realms}, "realm": whole});
            match out {
                Some(path) => write(path, &file)?,
                None => println!("{}", pretty(&file)),
            }
        }
    }
    Ok(count)
}

fn meta(session: &Session, realms: &BTreeMap<Realm, Members>) -> Value {
    let now = Timestamp::from_millisecond(i64::try_from(host::now().0).unwrap_or(i64::MAX)).unwrap_or_default();
    let paths: Object = realms.keys().map(|realm| (realm_key(realm), json!(realm))).collect();
    json!({
        "origin": session.url(),
        "exportDate": now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "exportTool": "quorate",
        "exportToolVersion": env!("CARGO_PKG_VERSION"),
        "realms": paths,
    })
}

fn without_revision(object: &Object) -> Object {
    object.iter().filter(|(name, _)| *name != "_rev").map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Reads a realm.
struct Reader<'s> {
    session: &'s mut Session,
    realm: &'s str,
}

impl Reader<'_> {
    fn members(&mut self, users: bool) -> Result<Members, Stopped> {
        let mut members = Members::new();
        for kind in KINDS {
            let objects = match (kind.member, kind.shape) {
                (_, Shape::Realm) | ("nodes", _) => continue,
                ("user" | "userGroup", _) if !users => continue,
                ("trees", _) => self.journeys(kind)?,
                ("agent" | "agentGroup", _) => self.by_type(kind)?,
                (_, Shape::Singleton) => match self.get(kind, &kind.collection(self.realm, None))? {
                    Some(object) => {
                        members.insert(kind.member, object);
                        continue;
                    }
                    None => continue,
                },
                (_, Shape::Service) => self.services(kind)?,
                _ => self.plain(kind)?,
            };
            if !objects.is_empty() {
                members.insert(kind.member, objects);
            }
        }
        Ok(members)
    }

    /// `None` when there is no such thing.
    fn get(&mut self, kind: &Kind, path: &str) -> Result<Option<Object>, Stopped> {
        let reply = self.session.send("GET", path, kind.version, None)?;
        match reply.status {
            200 => Ok(reply.json.as_object().map(without_revision)),
            404 | 501 => Ok(None),
            _ => Err(Stopped::Refused { what: path.to_owned(), why: reply.message() }),
        }
    }

    /// What a query or `nextdescendents` answers; nothing when there is no such endpoint.
    fn list(&mut self, kind: &Kind, method: &str, path: &str) -> Result<Vec<Object>, Stopped> {
        let body = (method == "POST").then(|| json!({}));
        let reply = self.session.send(method, path, kind.version, body.as_ref())?;
        match reply.status {
            200 => {
                let result = reply.json.get("result").and_then(Value::as_array);
                Ok(result.into_iter().flatten().filter_map(Value::as_object).map(without_revision).collect())
            }
            404 | 501 => Ok(Vec::new()),
            _ => Err(Stopped::Refused { what: path.to_owned(), why: reply.message() }),
        }
    }

    /// Of a collection. Agents and groups are read one by one: a list shows them in another form, or not whole.
    fn plain(&mut self, kind: &'static Kind) -> Result<Object, Stopped> {
        let subtype = match kind.subtype {
            Subtype::Fixed(subtype) => Some(subtype),
            Subtype::None | Subtype::OfBody => None,
        };
        let collection = kind.collection(self.realm, subtype);
        let mut objects = Object::new();
        for mut object in self.list(kind, "GET", &format!("{collection}?_queryFilter=true"))? {
            let Some(id) = id_of(kind, &object) else {
                continue;
            };
            if subtype.is_some() || kind.member == "userGroup" {
                object = self.get(kind, &format!("{collection}/{}", percent::encode(&id)))?.unwrap_or(object);
            }
            if kind.member == "script" {
                if object.get("default") == Some(&Value::Bool(true)) {
                    continue;
                }
                let text = object.get("script").map(scripts::to_lines).unwrap_or_default();
                object.insert("script".into(), text);
            }
            objects.insert(id, Value::Object(object));
        }
        Ok(objects)
    }

    /// Agents, or groups of agents, of the types that have no member of their own.
    fn by_type(&mut self, kind: &'static Kind) -> Result<Object, Stopped> {
        let root = format!("{}/realm-config/agents", realm_path(self.realm));
        let found = match kind.member {
            "agent" => self.list(kind, "GET", &format!("{root}?_queryFilter=true"))?,
            _ => self.list(kind, "POST", &format!("{root}/groups?_action=nextdescendents"))?,
        };
        let mut objects = Object::new();
        for object in found {
            let of_type = object.get("_type").and_then(|of| of.get("_id")).and_then(Value::as_str).map(str::to_owned);
            let (Some(of_type), Some(id)) = (of_type, id_of(kind, &object)) else {
                continue;
            };
            if kind.member == "agent"
                && KINDS.iter().any(|kind| matches!(kind.subtype, Subtype::Fixed(of) if of == of_type))
            {
                continue;
            }
            let path = format!("{}/{}", kind.collection(self.realm, Some(&of_type)), percent::encode(&id));
            let object = self.get(kind, &path)?.unwrap_or(object);
            objects.insert(id, Value::Object(object));
        }
        Ok(objects)
    }

    fn services(&mut self, kind: &'static Kind) -> Result<Object, Stopped> {
        let collection = kind.collection(self.realm, None);
        let mut objects = Object::new();
        for object in self.list(kind, "POST", &format!("{collection}?_action=nextdescendents"))? {
            let of_type = object.get("_type").and_then(|of| of.get("_id")).and_then(Value::as_str).map(str::to_owned);
            let Some(id) = of_type.or_else(|| id_of(kind, &object)) else {
                continue;
            };
            if let Some(mut object) = self.get(kind, &format!("{collection}/{}", percent::encode(&id)))? {
                object.insert("location".into(), json!(self.realm));
                object.insert("nextDescendents".into(), json!([]));
                objects.insert(id, Value::Object(object));
            }
        }
        Ok(objects)
    }

    /// Journeys with their nodes, the nodes on their pages, and the scripts that they name.
    fn journeys(&mut self, kind: &'static Kind) -> Result<Object, Stopped> {
        let (Some(node), Some(script)) = (Kind::of_member("nodes"), Kind::of_member("script")) else {
            return Ok(Object::new());
        };
        let collection = kind.collection(self.realm, None);
        let mut trees = Object::new();
        for tree in self.list(kind, "GET", &format!("{collection}?_queryFilter=true"))? {
            let Some(id) = id_of(kind, &tree) else {
                continue;
            };
            let (mut nodes, mut inner, mut scripts_of) = (Object::new(), Object::new(), Object::new());
            let own = tree.get("nodes").and_then(Value::as_object).cloned().unwrap_or_default();
            let named = |id: &str, of: &Value| Some((id.to_owned(), of.get("nodeType")?.as_str()?.to_owned()));
            for (id, of_type) in own.iter().filter_map(|(id, of)| named(id, of)) {
                let Some(body) = self.node(node, &of_type, &id)? else {
                    continue;
                };
                let page = body.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
                for (id, of_type) in page.iter().filter_map(|of| named(of.get("_id")?.as_str()?, of)) {
                    if let Some(body) = self.node(node, &of_type, &id)? {
                        self.script_of(script, &body, &mut scripts_of)?;
                        inner.insert(id, Value::Object(body));
                    }
                }
                self.script_of(script, &body, &mut scripts_of)?;
                nodes.insert(id, Value::Object(body));
            }
            let journey = json!({
                "circlesOfTrust": {}, "emailTemplates": {}, "innerNodes": inner, "nodes": nodes, "saml2Entities": {},
                "scripts": scripts_of, "socialIdentityProviders": {}, "themes": [], "tree": tree,
            });
            trees.insert(id, journey);
        }
        Ok(trees)
    }

    fn node(&mut self, kind: &'static Kind, of_type: &str, id: &str) -> Result<Option<Object>, Stopped> {
        self.get(kind, &format!("{}/{}", kind.collection(self.realm, Some(of_type)), percent::encode(id)))
    }

    fn script_of(&mut self, kind: &'static Kind, node: &Object, scripts_of: &mut Object) -> Result<(), Stopped> {
        let Some(id) = node.get("script").and_then(Value::as_str).filter(|id| *id != "[Empty]") else {
            return Ok(());
        };
        let path = format!("{}/{}", kind.collection(self.realm, None), percent::encode(id));
        if let Some(mut script) = self.get(kind, &path)? {
            let text = script.get("script").map(scripts::to_lines).unwrap_or_default();
            script.insert("script".into(), text);
            scripts_of.insert(id.to_owned(), Value::Object(script));
        }
        Ok(())
    }
}

fn id_of(kind: &Kind, object: &Object) -> Option<String> {
    let named = |name: &str| object.get(name).and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    named(kind.id).or_else(|| named("_id"))
}

/// A file for each object, in the directories that frodo uses.
fn separate(dir: &Path, meta: &Value, realms: &Object, of_realms: &BTreeMap<Realm, Members>) -> Result<(), Stopped> {
    for (id, realm) in realms {
        let name = realm.get("name").and_then(Value::as_str).unwrap_or_default().replace('/', "root");
        let file = json!({"meta": meta, "realm": {id.clone(): realm}});
        write(&dir.join("global/realm").join(format!("{}.realm.json", file_name(&name))), &file)?;
    }
    for (realm, members) in of_realms {
        let place = dir.join("realm").join(file_name(&realm_key(realm)));
        for (&member, objects) in members {
            let Some(kind) = Kind::of_member(member) else {
                continue;
            };
            if kind.shape == Shape::Singleton {
                write(&place.join(format!("{}.json", kind.file)), &json!({"meta": meta, member: objects}))?;
                continue;
            }
            for (id, object) in objects {
                let file = json!({"meta": meta, member: {id.clone(): object}});
                let name = format!("{}.{}.json", file_name(id), kind.file);
                write(&place.join(kind.file).join(name), &file)?;
            }
        }
    }
    Ok(())
}

/// An id as the name of a file: no separator, no dot at the beginning, not too long.
fn file_name(id: &str) -> String {
    let encoded = percent::encode(id);
    let safe = if encoded.starts_with('.') { format!("%2E{}", encoded.get(1..).unwrap_or_default()) } else { encoded };
    match safe.len() > 160 {
        true => format!("{}-{}", safe.get(..120).unwrap_or_default(), uuid_of(id)),
        false => safe,
    }
}

fn uuid_of(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(crate::secrets::sha256(text.as_bytes()))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Writes a file that only its owner can read.
fn write(path: &Path, value: &Value) -> Result<(), Stopped> {
    let unwritable = |source| Stopped::Unwritable { path: path.to_owned(), source };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(unwritable)?;
    }
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    let mut file = file.map_err(unwritable)?;
    file.write_all(pretty(value).as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_names_of_files() {
        for (id, name) in [("web", "web"), ("a/b c", "a%2Fb%20c"), ("..", "%2E."), ("Zoë", "Zo%C3%AB")] {
            assert_eq!(file_name(id), name);
        }
        let (one, other) = (file_name(&"x".repeat(300)), file_name(&"x".repeat(301)));
        assert!(one != other && one.len() < 200, "{one}");
    }
}
