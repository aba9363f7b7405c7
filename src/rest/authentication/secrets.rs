//! Secrets in configuration: sealed where they are stored, `null` where they are shown (G5).
//!
//! A secret attribute `x` is stored as `x-encrypted`: sealed under the cluster's master key, bound to the document and the
//! attribute, so that it opens nowhere else. Whoever needs it asks [`reveal`].

use crate::{
    crest::{Error, Object},
    desk::Desk,
    keys::KeyError,
    rest::identity::is_secret,
};
use quorate_raft::DocumentKey;
use serde_json::Value;
use zeroize::Zeroizing;

const SUFFIX: &str = "-encrypted";

/// How names of secrets end, in configuration whose schema is not known.
const SECRETIVE: &[&str] = &[
    "password",
    "passphrase",
    "secret",
    "secretkey",
    "privatekey",
    "signingkey",
    "apikey",
    "accesskey",
    "credentials",
];

/// Whether an attribute that no schema lists is taken for a secret, by the end of its path.
pub fn sounds_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    SECRETIVE.iter().any(|end| path.ends_with(end))
}

/// Where `name` is stored, sealed.
pub fn sealed_name(name: &str) -> String {
    format!("{name}{SUFFIX}")
}

/// Where a secret belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The document.
    pub key: &'p DocumentKey,
    /// The attribute in it.
    pub attribute: &'p str,
}

impl Place<'_> {
    fn label(&self) -> String {
        let DocumentKey { realm, kind, id } = self.key;
        format!("configuration {kind:?} {realm} {id} {}", self.attribute)
    }

    /// `secret`, sealed for this place.
    ///
    /// # Errors
    /// 500 when the cryptographic library refuses.
    pub fn seal(&self, desk: &Desk, secret: &str) -> Result<String, Error> {
        desk.keys().seal(&self.label(), secret.as_bytes()).map_err(|_| Error::plain(500))
    }
}

/// The secret `attribute` of a document; `None` when it has none.
///
/// # Errors
/// [`KeyError::Sealed`] when it was sealed elsewhere, or under another master key.
pub fn reveal(
    desk: &Desk,
    key: &DocumentKey,
    stored: &Object,
    attribute: &str,
) -> Result<Option<Zeroizing<String>>, KeyError> {
    let Some(sealed) = stored.get(&sealed_name(attribute)).and_then(Value::as_str) else {
        return Ok(None);
    };
    let opened = desk.keys().open(&Place { key, attribute }.label(), sealed)?;
    let text = std::str::from_utf8(&opened).map_err(|_| KeyError::Sealed)?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// Takes the secret `name` out of what a client sends, of its group `section` if there is one. `None` when nothing, or
/// `null`, is said about it: then it stays as it is.
///
/// # Errors
/// 400 for what cannot be a secret; `label` is the attribute's name in the console.
pub fn taken(
    content: &mut Object,
    section: Option<&str>,
    name: &str,
    label: &str,
) -> Result<Option<Zeroizing<String>>, Error> {
    let group = match section {
        None => Some(content),
        Some(section) => content.get_mut(section).and_then(Value::as_object_mut),
    };
    match group.and_then(|group| group.remove(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(secret)) if is_secret(&secret) => Ok(Some(Zeroizing::new(secret))),
        Some(_) => Err(Error::invalid_value(label)),
    }
}

/// Seals all strings of `content` whose paths (names, separated by `/`) `is_secret` knows; the ones that are `null` or left
/// out stay as `former` has them. What a client sends under a sealed name is dropped.
///
/// # Errors
/// 400 for a secret that is too long.
pub fn seal_all(
    desk: &Desk,
    key: &DocumentKey,
    content: &mut Object,
    former: Option<&Object>,
    is_secret: &dyn Fn(&str) -> bool,
) -> Result<(), Error> {
    seal_below(desk, key, content, former, is_secret, "")
}

fn seal_below(
    desk: &Desk,
    key: &DocumentKey,
    content: &mut Object,
    former: Option<&Object>,
    is_known: &dyn Fn(&str) -> bool,
    path: &str,
) -> Result<(), Error> {
    content.retain(|name, _| !name.ends_with(SUFFIX));
    let mut sealed = Object::new();
    for (name, value) in content.iter_mut() {
        let attribute = format!("{path}{name}");
        match value {
            Value::String(secret) if is_known(&attribute) && !secret.is_empty() => {
                if !is_secret(secret) {
                    return Err(Error::invalid_value(name));
                }
                sealed.insert(sealed_name(name), Place { key, attribute: &attribute }.seal(desk, secret)?.into());
            }
            Value::Object(inner) => {
                let former = former.and_then(|former| former.get(name)).and_then(Value::as_object);
                seal_below(desk, key, inner, former, is_known, &format!("{attribute}/"))?;
            }
            Value::Array(values) => {
                for (n, value) in values.iter_mut().enumerate() {
                    if let Value::Object(inner) = value {
                        seal_below(desk, key, inner, None, is_known, &format!("{attribute}/{n}/"))?;
                    }
                }
            }
            _ => {}
        }
    }
    let is_known = |name: &str| is_known(&format!("{path}{name}"));
    content.retain(|name, value| !(sealed.contains_key(&sealed_name(name)) || (is_known(name) && value.is_null())));
    for (name, value) in former.into_iter().flatten() {
        if let Some(plain) = name.strip_suffix(SUFFIX)
            && is_known(plain)
            && !content.contains_key(plain)
        {
            sealed.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    content.extend(sealed);
    Ok(())
}

/// `stored` as it may be shown: `null` for each secret.
pub fn hidden(stored: &Object) -> Object {
    let shown = stored.iter().map(|(name, value)| match name.strip_suffix(SUFFIX) {
        Some(plain) => (plain.to_owned(), Value::Null),
        None => (name.clone(), hidden_value(value)),
    });
    shown.collect()
}

fn hidden_value(value: &Value) -> Value {
    match value {
        Value::Object(inner) => Value::Object(hidden(inner)),
        Value::Array(values) => values.iter().map(hidden_value).collect(),
        plain => plain.clone(),
    }
}
