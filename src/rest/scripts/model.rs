//! A script: what a client may say of it, and what the server says itself (authn-sessions-realms.md e.1).
//!
//! | e.1                                                         | here                 |
//! |-------------------------------------------------------------|----------------------|
//! | name, script, language, context are required, in this order | `Given::of`          |
//! | standard base64 of UTF-8                                    | [`source`]           |
//! | dates and authors are the server's; `default` is ignored    | [`Script::updated`]  |
//! | the evaluator version follows the context and stays         | `version`            |
//! | (scripting.md §20) Groovy is refused                        | [`language`]         |

use super::contexts::{self, JAVASCRIPT};
use crate::crest::{Error, Object};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Longest source, bytes.
pub const MAX_SOURCE_BYTES: usize = 512 << 10;

/// Longest name, bytes.
const MAX_NAME_BYTES: usize = 1024;

/// Longest description, bytes.
const MAX_DESCRIPTION_BYTES: usize = 16 << 10;

/// What the reference stores of scripts that nobody made.
pub const NOBODY: &str = "null";

/// A script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Unique in the realm.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The source.
    pub source: String,
    /// Whether it was shipped.
    pub default: bool,
    /// What it is for: one of [`contexts::CONTEXTS`].
    pub context: String,
    /// Which bindings it gets: `1.0` or `2.0`.
    pub evaluator_version: String,
    /// Who made it, and when.
    pub created: Author,
    /// Who changed it last, and when.
    pub modified: Author,
}

/// Who, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Universal id.
    pub id: String,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// What a client says of a script.
struct Given {
    name: String,
    description: Option<String>,
    source: String,
    context: &'static contexts::Context,
    version: Option<String>,
}

/// The text of a member that must be there and not empty.
fn required<'c>(content: &'c Object, name: &str, missing: &str) -> Result<&'c str, Error> {
    let text = content.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Error::bad_request(missing))
}

/// The source in what a client sends.
///
/// # Errors
/// 400 when it is missing, or no base64 of UTF-8.
pub fn source(content: &Object) -> Result<String, Error> {
    let undecodable = || Error::bad_request("Failed to decode UTF-8 encoded script");
    let encoded = match content.get("script") {
        None | Some(Value::Null) => return Err(Error::bad_request("A script must be specified")),
        Some(Value::String(encoded)) if encoded.is_empty() => {
            return Err(Error::bad_request("A script must be specified"));
        }
        Some(Value::String(encoded)) => encoded,
        Some(_) => return Err(undecodable()),
    };
    let bytes = STANDARD.decode(encoded).map_err(|_| undecodable())?;
    if bytes.len() > MAX_SOURCE_BYTES {
        return Err(Error::bad_request(format!("A script has at most {MAX_SOURCE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| undecodable())
}

/// The language in what a client sends: there is one.
///
/// # Errors
/// 400 for any other.
pub fn language(content: &Object) -> Result<(), Error> {
    match required(content, "language", "Scripting language must be specified")? {
        JAVASCRIPT => Ok(()),
        other => Err(Error::bad_request(format!("Scripting language not supported: {}", shortened(other)))),
    }
}

/// What a client sent, as far as it is worth repeating.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

impl Given {
    fn of(content: &Object) -> Result<Self, Error> {
        let name = required(content, "name", "Script name must be specified")?;
        if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(Error::bad_request("Script name must be specified"));
        }
        let source = source(content)?;
        language(content)?;
        let context = required(content, "context", "Script type must be specified")?;
        let unknown = || Error::bad_request(format!("Script type not recognised: {}", shortened(context)));
        let context = contexts::find(context).ok_or_else(unknown)?;
        let description = match content.get("description") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.len() <= MAX_DESCRIPTION_BYTES => Some(text.clone()),
            Some(_) => return Err(Error::invalid_value("description")),
        };
        let version = content.get("evaluatorVersion").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { name: name.to_owned(), description, source, context, version })
    }

    /// The first version of the context, unless it has the one that is asked for.
    fn version(&self, asked: Option<&str>) -> String {
        let versions = self.context.versions;
        let version = versions.iter().find(|version| Some(**version) == asked).or(versions.first());
        version.copied().unwrap_or("1.0").to_owned()
    }
}

/// AD-03: a script has these members, and clients send back the ones that are the server's.
const MEMBERS: [&str; 11] = [
    "context",
    "createdBy",
    "creationDate",
    "default",
    "description",
    "evaluatorVersion",
    "language",
    "lastModifiedBy",
    "lastModifiedDate",
    "name",
    "script",
];

fn known(content: &Object) -> Result<(), Error> {
    let owned = |name: &str| name.starts_with('_') || name == "exports" || name == "global";
    match content.keys().any(|name| !owned(name) && !MEMBERS.contains(&name.as_str())) {
        true => Err(Error::invalid_attribute(MEMBERS)),
        false => Ok(()),
    }
}

impl Script {
    /// A new one.
    ///
    /// # Errors
    /// 400 in the words of the reference.
    pub fn created(content: &Object, by: Author) -> Result<Self, Error> {
        let given = Given::of(content)?;
        known(content)?;
        Ok(Self {
            evaluator_version: given.version(given.version.as_deref()),
            name: given.name,
            description: given.description,
            source: given.source,
            default: false,
            context: given.context.id.to_owned(),
            created: by.clone(),
            modified: by,
        })
    }

    /// This one, replaced. Its evaluator version cannot be changed, unless it gets another context that has another.
    ///
    /// # Errors
    /// 400 in the words of the reference.
    pub fn updated(&self, content: &Object, by: Author) -> Result<Self, Error> {
        let given = Given::of(content)?;
        known(content)?;
        Ok(Self {
            evaluator_version: given.version(Some(&self.evaluator_version)),
            name: given.name,
            description: given.description,
            source: given.source,
            default: self.default,
            context: given.context.id.to_owned(),
            created: self.created.clone(),
            modified: by,
        })
    }

    /// As it is stored and shown.
    pub fn to_json(&self) -> Object {
        let json = json!({
            "name": self.name,
            "description": self.description,
            "script": STANDARD.encode(&self.source),
            "default": self.default,
            "language": JAVASCRIPT,
            "context": self.context,
            "createdBy": self.created.id,
            "creationDate": self.created.at,
            "lastModifiedBy": self.modified.id,
            "lastModifiedDate": self.modified.at,
            "evaluatorVersion": self.evaluator_version,
        });
        json.as_object().cloned().unwrap_or_default()
    }

    /// A stored one; `None` for what is none.
    pub fn of_stored(body: &Object) -> Option<Self> {
        let text = |name: &str| body.get(name)?.as_str().map(str::to_owned);
        let author = |by: &str, at: &str| Some(Author { id: text(by)?, at: body.get(at)?.as_i64()? });
        Some(Self {
            name: text("name")?,
            description: text("description"),
            source: String::from_utf8(STANDARD.decode(text("script")?).ok()?).ok()?,
            default: body.get("default")?.as_bool()?,
            context: text("context")?,
            evaluator_version: text("evaluatorVersion")?,
            created: author("createdBy", "creationDate")?,
            modified: author("lastModifiedBy", "lastModifiedDate")?,
        })
    }
}
