//! frodo's files: objects by kind and id, of one realm, of all realms, or one journey with all that belongs to it.
//!
//! | member of a file                        | becomes                                                            |
//! |-----------------------------------------|--------------------------------------------------------------------|
//! | `application`, `script`, `policy`, …    | the objects, as the REST API takes them (`prepared`)             |
//! | `trees`                                 | for each its scripts, its nodes, inner nodes first, and the journey |
//! | `tree`, `nodes`, … at the top           | one journey: the form of single exports of old                     |
//! | `global`, `realm` with realms in it     | the export of everything                                           |
//! | anything else that is not empty         | told as left over, with the reason                                 |

use super::{Contents, Item, Kind, Left, Realm, Shape, Subtype, Unreadable, realm_of_key, scripts};
use crate::{crest::Object, groups::MEMBERS, rest::identity::named_user};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::RealmPath;
use serde_json::{Value, json};

/// Members of what is exported that are no part of it.
const ARTEFACTS: &[&str] = &["_rev", "_provider", "_outcomes", "location", "nextDescendents"];

/// What is known to have no counterpart here, and why.
const FOREIGN: &[(&str, &str)] = &[
    ("secretstore", "keys and secrets are made here and never imported"),
    ("secret", "keys and secrets are made here and never imported"),
    ("saml", "there is no SAML here"),
    ("idp", "social providers are not supported"),
    ("emailTemplate", "email is sent by others"),
    ("theme", "pages have no themes"),
    ("idm", "identity management is another product"),
    ("managedApplication", "identity management is another product"),
    ("mapping", "identity management is another product"),
    ("sync", "identity management is another product"),
    ("internalRole", "identity management is another product"),
    ("variable", "variables are of the hosted service"),
    ("server", "nodes are configured by their own settings"),
    ("site", "nodes are configured by their own settings"),
];

/// What is in a file.
///
/// # Errors
/// [`Unreadable::Unknown`] when nothing of it is of this form.
pub fn read(object: &Object, realm: &str, known: &[Realm]) -> Result<Contents, Unreadable> {
    let mut contents = Contents::default();
    if let Some(tree) = object.get("tree").and_then(Value::as_object) {
        let id = tree.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        journey(&mut contents, realm, &id, object);
        return Ok(contents);
    }
    let of_realms = object
        .get("realm")
        .and_then(Value::as_object)
        .filter(|realms| realms.keys().any(|key| key.starts_with("root")));
    if object.contains_key("global") || of_realms.is_some() {
        let empty = Object::new();
        let global = object.get("global").and_then(Value::as_object).unwrap_or(&empty);
        whole(&mut contents, global, of_realms.unwrap_or(&empty), known)?;
        return Ok(contents);
    }
    let is_ours = |name: &String| Kind::of_member(name).is_some() || FOREIGN.iter().any(|(known, _)| known == name);
    if !object.keys().any(is_ours) {
        return Err(Unreadable::Unknown);
    }
    of_realm(&mut contents, realm, object);
    Ok(contents)
}

/// The export of everything.
fn whole(contents: &mut Contents, global: &Object, realms: &Object, known: &[Realm]) -> Result<(), Unreadable> {
    let mut known = known.to_vec();
    for (name, members) in global {
        match (name.as_str(), members.as_object()) {
            ("realm", Some(realms)) => {
                known.extend(realms.values().filter_map(path_of_realm));
                section(contents, "/", "realm", realms);
            }
            (_, Some(members)) if !members.is_empty() => {
                let why = reason(name).unwrap_or("global configuration is not imported");
                contents.left.push(Left {
                    realm: "/".into(),
                    what: format!("global {name}"),
                    id: format!("{} in all", members.len()),
                    why: why.to_owned(),
                });
            }
            _ => {}
        }
    }
    for (key, members) in realms {
        let realm = realm_of_key(key, &known).ok_or_else(|| Unreadable::Broken(format!("`{key}` is no realm")))?;
        let members = members.as_object().ok_or_else(|| Unreadable::Broken(format!("realm `{key}` is no object")))?;
        of_realm(contents, &realm, members);
    }
    Ok(())
}

fn reason(member: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(known, _)| *known == member).map(|(_, why)| *why)
}

/// The path of a realm's object.
pub fn path_of_realm(realm: &Value) -> Option<Realm> {
    let (name, parent) = (realm.get("name")?.as_str()?, realm.get("parentPath").and_then(Value::as_str).unwrap_or(""));
    match name {
        "/" => Some("/".to_owned()),
        name => Some(format!("{}/{name}", parent.trim_end_matches('/'))),
    }
}

/// The objects of a realm.
fn of_realm(contents: &mut Contents, realm: &str, members: &Object) {
    for (name, value) in members {
        let Some(objects) = value.as_object().filter(|objects| !objects.is_empty()) else {
            continue;
        };
        match name.as_str() {
            "meta" => {}
            "trees" => {
                for (id, tree) in objects {
                    if let Some(tree) = tree.as_object() {
                        journey(contents, realm, id, tree);
                    }
                }
            }
            "authentication" => section(contents, realm, name, &Object::from_iter([(String::new(), value.clone())])),
            _ if Kind::of_member(name).is_some() => section(contents, realm, name, objects),
            _ => {
                let why = reason(name).unwrap_or("there is nothing like it here").to_owned();
                let count = format!("{} in all", objects.len());
                contents.left.push(Left { realm: realm.to_owned(), what: name.clone(), id: count, why });
            }
        }
    }
}

/// Objects of a kind, by id.
fn section(contents: &mut Contents, realm: &str, member: &str, objects: &Object) {
    let Some(kind) = Kind::of_member(member) else {
        return;
    };
    for (id, body) in objects {
        let left =
            |why: &str| Left { realm: realm.to_owned(), what: kind.name.into(), id: id.clone(), why: why.to_owned() };
        let Some(body) = body.as_object() else {
            contents.left.push(left("it is no object"));
            continue;
        };
        let subtype = match kind.subtype {
            Subtype::None => None,
            Subtype::Fixed(subtype) => Some(subtype.to_owned()),
            Subtype::OfBody => match body.get("_type").and_then(|of| of.get("_id")).and_then(Value::as_str) {
                Some(subtype) => Some(subtype.to_owned()),
                None => {
                    contents.left.push(left("it does not say of what type it is"));
                    continue;
                }
            },
        };
        if body.get("location").and_then(Value::as_str) == Some("global") {
            contents.left.push(left("global configuration is not imported"));
            continue;
        }
        let of_body = body.get(kind.id).and_then(Value::as_str).filter(|own| !own.is_empty());
        let own = if kind.shape == Shape::Service { id.as_str() } else { of_body.unwrap_or(id) }.to_owned();
        let item = Item { kind, realm: realm.to_owned(), subtype, id: own, body: body.clone(), notes: Vec::new() };
        match prepared(item) {
            Ok(item) => contents.items.push(item),
            Err(left) => contents.left.push(left),
        }
    }
}

/// A journey with what belongs to it.
fn journey(contents: &mut Contents, realm: &str, id: &str, members: &Object) {
    let objects = |name: &str| members.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    section(contents, realm, "script", &objects("scripts"));
    for name in ["innerNodes", "innernodes", "nodes"] {
        section(contents, realm, "nodes", &objects(name));
    }
    let mut tree = Object::new();
    tree.extend(members.get("tree").cloned().map(|tree| (id.to_owned(), tree)));
    let first = contents.items.len();
    section(contents, realm, "trees", &tree);
    let left_out = ["emailTemplates", "saml2Entities", "circlesOfTrust", "socialIdentityProviders", "themes"];
    for name in left_out {
        let count = members.get(name).map_or(0, |value| match value {
            Value::Object(members) => members.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        });
        if let (Some(tree), true) = (contents.items.get_mut(first), count > 0) {
            tree.notes.push(format!("its {name} ({count}) are not imported"));
        }
    }
}

/// An object as the REST API takes it, with notes on what was changed; or why it cannot be taken.
pub(super) fn prepared(mut item: Item) -> Result<Item, Left> {
    for artefact in ARTEFACTS {
        item.body.remove(*artefact);
    }
    for ignored in item.kind.ignored {
        item.body.remove(*ignored);
    }
    let mut notes = Vec::new();
    without_encrypted(&mut item.body, "", &mut notes);
    let left = |why: &str| Left {
        realm: item.realm.clone(),
        what: item.subtype.clone().unwrap_or_else(|| item.kind.name.to_owned()),
        id: item.id.clone(),
        why: why.to_owned(),
    };
    match item.kind.member {
        "realm" => {
            let path = path_of_realm(&Value::Object(item.body.clone())).ok_or_else(|| left("it has no name"))?;
            item.id = URL_SAFE_NO_PAD.encode(&path);
            item.body.remove("_id");
        }
        "script" => {
            if item.body.get("default") == Some(&Value::Bool(true)) {
                return Err(left("it is shipped with the service"));
            }
            if item
                .body
                .get("language")
                .and_then(Value::as_str)
                .is_some_and(|language| language.eq_ignore_ascii_case("groovy"))
            {
                return Err(left("Groovy is not run here; write it in JavaScript"));
            }
            let text = item.body.get("script").and_then(scripts::to_api).ok_or_else(|| left("it has no text"))?;
            item.body.insert("script".into(), text);
        }
        "userGroup" => with_members(&mut item),
        _ => {}
    }
    item.notes.append(&mut notes);
    Ok(item)
}

/// Members of a group by their names, where the REST API has them: older releases have them at the top, and directories give
/// users names of their own.
fn with_members(group: &mut Item) {
    let is_list = |name: &str| name.eq_ignore_ascii_case(MEMBERS);
    let at_top = group.body.keys().find(|name| is_list(name)).cloned();
    if let Some(list) = at_top.and_then(|name| group.body.remove(&name)) {
        group.body.entry("members").or_insert_with(|| json!({MEMBERS: list}));
    }
    let realm = RealmPath::from(group.realm.as_str());
    let lists = group.body.get_mut("members").and_then(Value::as_object_mut).into_iter().flatten();
    for name in lists.filter_map(|(_, list)| list.as_array_mut()).flatten() {
        if let Some(user) = name.as_str().and_then(|name| named_user(&realm, name)) {
            *name = user.into();
        }
    }
}

/// Removes what only the system that exported it can read.
fn without_encrypted(body: &mut Object, place: &str, notes: &mut Vec<String>) {
    let encrypted: Vec<String> = body.keys().filter(|name| name.ends_with("-encrypted")).cloned().collect();
    for name in encrypted {
        if body.remove(&name).is_some_and(|value| !value.is_null() && value != json!("")) {
            let name = name.trim_end_matches("-encrypted");
            notes.push(format!("{place}{name} is encrypted for another system and was left out"));
        }
    }
    for (name, value) in body.iter_mut() {
        if let Value::Object(below) = value {
            without_encrypted(below, &format!("{place}{name}/"), notes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(file: Value) -> Contents {
        read(file.as_object().expect("an object"), "/alpha", &[]).expect("an export")
    }

    fn told(contents: &Contents) -> Vec<String> {
        contents.items.iter().map(|item| format!("{} {item}", item.realm)).collect()
    }

    #[test]
    fn objects_by_kind() {
        let contents = contents(json!({
            "meta": {"exportTool": "frodo"},
            "application": {"web": {"_id": "web", "_rev": "1", "_provider": {"x": 1}, "coreOAuth2ClientConfig": {
                "userpassword": null, "userpassword-encrypted": "AAAA", "scopes": {"inherited": false, "value": ["a"]},
            }}},
            "script": {
                "s1": {"_id": "s1", "name": "one", "language": "JAVASCRIPT", "script": ["a", "b"], "createdBy": "x"},
                "s2": {"_id": "s2", "name": "two", "language": "GROOVY", "script": ["a"]},
                "s3": {"_id": "s3", "name": "three", "default": true, "script": ["a"]},
            },
            "service": {"oauth-oidc": {"_id": "", "location": "/alpha", "nextDescendents": [], "consent": {}},
                        "audit": {"_id": "", "location": "global"}},
            "agent": {"ig": {"_id": "ig", "_type": {"_id": "IdentityGatewayAgent"}}, "odd": {"_id": "odd"}},
            "saml": {"hosted": {}},
            "idp": {},
            "authentication": {"_id": "", "core": {}},
        }));
        let items = [
            "/alpha IdentityGatewayAgent ig",
            "/alpha OAuth2Client web",
            "/alpha authentication ",
            "/alpha script s1",
            "/alpha service oauth-oidc",
        ];
        assert_eq!(told(&contents), items);
        let client = &contents.items[1];
        let expected = json!({"_id": "web", "coreOAuth2ClientConfig": {
            "userpassword": null, "scopes": {"inherited": false, "value": ["a"]},
        }});
        assert_eq!(Value::Object(client.body.clone()), expected);
        assert_eq!(
            client.notes,
            ["coreOAuth2ClientConfig/userpassword is encrypted for another system and was left out"]
        );
        assert_eq!(contents.items[3].body.get("script"), Some(&json!("YQpi")));
        assert_eq!(contents.items[3].body.get("createdBy"), None);
        let mut left: Vec<(&str, &str)> =
            contents.left.iter().map(|left| (left.what.as_str(), left.id.as_str())).collect();
        left.sort_unstable();
        let expected =
            [("agent", "odd"), ("saml", "1 in all"), ("script", "s2"), ("script", "s3"), ("service", "audit")];
        assert_eq!(left, expected);
    }

    #[test]
    fn journeys_bring_their_scripts_and_nodes() {
        let node = |of_type: &str| json!({"_type": {"_id": of_type}, "_outcomes": []});
        let tree = json!({
            "tree": {"_id": "Login", "entryNodeId": "n1", "nodes": {}},
            "nodes": {"n1": node("PageNode")},
            "innerNodes": {"n2": node("UsernameCollectorNode")},
            "scripts": {"s": {"_id": "s", "language": "JAVASCRIPT", "script": ["a"]}},
            "themes": [{}],
            "saml2Entities": {},
        });
        let expected =
            ["/alpha script s", "/alpha UsernameCollectorNode n2", "/alpha PageNode n1", "/alpha journey Login"];
        let all = contents(json!({"trees": {"Login": tree.clone()}}));
        assert_eq!(told(&all), expected);
        assert_eq!(all.items[3].notes, ["its themes (1) are not imported"]);
        assert!(!all.items[2].body.contains_key("_outcomes"));
        assert_eq!(told(&contents(tree)), expected, "the form of single exports of old");
    }

    #[test]
    fn everything_at_once() {
        let realm = |name: &str, parent: &str| json!({"name": name, "parentPath": parent, "active": true});
        let all = contents(json!({
            "meta": {},
            "global": {"realm": {"a": realm("a-b", "/"), "Lw": realm("/", "")}, "server": {"x": {}}, "idm": {}},
            "realm": {"root-a-b": {"policy": {"p": {"name": "p"}}}, "root": {"policy": {"q": {"name": "q"}}}},
        }));
        assert_eq!(told(&all), ["/ realm Lw", "/ realm L2EtYg", "/ policy q", "/a-b policy p"]);
        assert_eq!(all.left.len(), 1);
        for unknown in [json!({}), json!({"meta": {}}), json!({"x": {"y": {}}})] {
            assert_eq!(read(unknown.as_object().expect("an object"), "/", &[]), Err(Unreadable::Unknown), "{unknown}");
        }
        let broken = json!({"realm": {"root-a": 1}});
        assert!(read(broken.as_object().expect("an object"), "/", &[]).is_err());
    }
}
