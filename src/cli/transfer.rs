//! What `import` and `export` have in common: the kinds of object that administrators keep in files, and the two forms of
//! such files.
//!
//! | form     | a file looks like                                                              | module     |
//! |----------|--------------------------------------------------------------------------------|------------|
//! | frodo    | `{"meta": …, "application": {id: object}, "script": {…}, "trees": {…}, …}`     | [`frodo`]  |
//! | frodo, all | `{"meta": …, "global": {…}, "realm": {"root-alpha": {…}}}`                    | [`frodo`]  |
//! | Amster   | `{"metadata": {"realm", "entityType", "entityId"}, "data": object}`            | [`amster`] |
//!
//! Everything that differs between kinds stands in one table ([`KINDS`]): where they are in a file, where they are in the REST
//! API, what their id is, and, by its order, what has to be there before what.

pub mod amster;
pub mod compare;
pub mod frodo;
pub mod kinds;
pub mod report;
pub mod scripts;

pub use kinds::{KINDS, Kind, Shape, Subtype};

use crate::crest::{Object, percent};
use std::fmt;

/// A realm that files name in some way.
pub type Realm = String;

/// An object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub kind: &'static Kind,
    /// Where it belongs; `/` for what belongs to no realm.
    pub realm: Realm,
    /// Type of agent or node.
    pub subtype: Option<String>,
    /// Its id.
    pub id: String,
    /// Itself, as the REST API takes it.
    pub body: Object,
    /// What of it was changed on the way.
    pub notes: Vec<String>,
}

/// Something in a file that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where it belongs.
    pub realm: Realm,
    /// What it is.
    pub what: String,
    /// Its id.
    pub id: String,
    /// Why.
    pub why: String,
}

/// What is in a file.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// What can be imported, as far as the file tells.
    pub items: Vec<Item>,
    /// What cannot.
    pub left: Vec<Left>,
}

/// A file is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON object.
    #[error("is not a JSON object: {0}")]
    NotJson(String),
    /// It has no form that we know.
    #[error("is neither an export of frodo nor of Amster")]
    Unknown,
    /// It is of a form that we know, and broken.
    #[error("{0}")]
    Broken(String),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subtype = self.subtype.as_deref().filter(|_| self.kind.subtype == Subtype::OfBody);
        write!(f, "{} {}", subtype.unwrap_or(self.kind.name), self.id)
    }
}

/// The realm's path in URLs: `/realms/root/realms/alpha`.
pub fn realm_path(realm: &str) -> String {
    let below: String = realm
        .split('/')
        .filter(|level| !level.is_empty())
        .map(|level| format!("/realms/{}", percent::encode(level)))
        .collect();
    format!("/realms/root{below}")
}

/// The realm as frodo's files and Amster's directories spell it: `root-alpha-beta`.
pub fn realm_key(realm: &str) -> String {
    format!("root{}", realm.trim_end_matches('/').replace('/', "-"))
}

/// The realm that a spelling means: `root-a-b` can be `/a/b` or `/a-b`. Of those that are known, the deepest; of unknown ones
/// that with a level for each part.
pub fn realm_of_key(key: &str, known: &[Realm]) -> Option<Realm> {
    let below = key.strip_prefix("root")?;
    if below.is_empty() {
        return Some("/".to_owned());
    }
    let mut candidates: Vec<&Realm> = known.iter().filter(|realm| realm_key(realm) == key).collect();
    candidates.sort_by_key(|realm| std::cmp::Reverse(realm.matches('/').count()));
    match candidates.first() {
        Some(realm) => Some((*realm).clone()),
        None => below.starts_with('-').then(|| below.replace('-', "/")),
    }
}

/// What a file holds. `realm` is for what names none, `known` are realms that exist or are in other files.
///
/// # Errors
/// [`Unreadable`].
pub fn read(text: &str, realm: &str, known: &[Realm]) -> Result<Contents, Unreadable> {
    // As the REST API reads bodies: bounded in depth, no member twice.
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    let Some(object) = value.as_object() else {
        return Err(Unreadable::NotJson("it is something else".to_owned()));
    };
    if amster::is_one(object) {
        return amster::read(object, realm);
    }
    // Our own exports say which realm a spelling means.
    let told = object.get("meta").and_then(|meta| meta.get("realms")).and_then(serde_json::Value::as_object);
    let told =
        told.into_iter().flat_map(|realms| realms.values()).filter_map(|realm| realm.as_str().map(str::to_owned));
    let known: Vec<Realm> = told.chain(known.iter().cloned()).collect();
    frodo::read(object, realm, &known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_and_their_spellings() {
        for (realm, path, key) in [
            ("/", "/realms/root", "root"),
            ("/alpha", "/realms/root/realms/alpha", "root-alpha"),
            ("/a/b c", "/realms/root/realms/a/realms/b%20c", "root-a-b c"),
        ] {
            assert_eq!((realm_path(realm).as_str(), realm_key(realm).as_str()), (path, key));
        }
        let known = ["/a-b".to_owned(), "/x/y".to_owned(), "/x-y".to_owned()];
        for (key, realm) in [
            ("root", Some("/")),
            ("root-a-b", Some("/a-b")),
            ("root-x-y", Some("/x/y")),
            ("root-c-d", Some("/c/d")),
            ("rooted", None),
            ("alpha", None),
        ] {
            assert_eq!(realm_of_key(key, &known).as_deref(), realm, "{key}");
        }
    }
}
