//! PATCH of a user (authn-sessions-realms.md d.3): administrators set a password, or the questions for who has forgotten it.
//!
//! | d.3                                                | here             |
//! |----------------------------------------------------|------------------|
//! | administrators only                                | [`may_patch`]    |
//! | from version 3.0                                   | [`may_patch`]    |
//! | only `replace`, only `userPassword`, `kbaInfo`     | [`Replacement::of`] |
//! | an inactive user is not patched: 403               | [`apply`]        |
//! | the answer has the id `result` and the revision 1  | [`apply`]        |

use super::{
    Stored, check_password, find, not_found, outranked,
    profile::{KBA, PASSWORD, is_administrator, kba_shown, stamped, status, text},
};
use crate::{
    crest::{Call, Error, Item, Match, Object, Version, unchanged},
    desk::put,
    rest::identity::is_secret,
};
use serde_json::{Value, json};

/// Most questions of one user, and most bytes of one of their texts.
const MAX_QUESTIONS: usize = 32;
const MAX_TEXT: usize = 1024;

/// What a question consists of.
const QUESTION: [&str; 3] = ["answer", "customQuestion", "questionId"];

/// One operation that users take.
#[derive(Debug, PartialEq)]
pub enum Replacement<'p> {
    /// `userPassword`
    Password(&'p str),
    /// `kbaInfo`
    Questions(&'p [Value]),
}

impl<'p> Replacement<'p> {
    /// An operation by its name, its field without slashes, and its value.
    ///
    /// # Errors
    /// 400 in the words of d.3.
    pub fn of(operation: &str, field: &str, value: Option<&'p Value>) -> Result<Self, Error> {
        if !operation.eq_ignore_ascii_case("replace") {
            return Err(Error::bad_request(format!("PATCH of user does not support operation {operation}")));
        }
        match field.to_lowercase().as_str() {
            PASSWORD => {
                let password = value.and_then(text).filter(|password| is_secret(password));
                password.map(Self::Password).ok_or_else(|| Error::invalid_value("userPassword"))
            }
            "kbainfo" => {
                let questions = value.and_then(Value::as_array).filter(|questions| questions.len() <= MAX_QUESTIONS);
                questions.map(|questions| Self::Questions(questions)).ok_or_else(|| Error::invalid_value(KBA))
            }
            _ => Err(Error::bad_request(format!(
                "For the object type user, field \"{field}\" cannot be altered by PATCH"
            ))),
        }
    }
}

/// Lets administrators pass, in versions that know of it.
///
/// # Errors
/// 401, 403, 501.
pub fn may_patch(call: &Call<'_>) -> Result<(), Error> {
    let caller = call.signed_in()?;
    if !caller.administers(call.realm) {
        return Err(Error::new(403, "Only admin can patch user values"));
    }
    if call.version < Version(3, 0) { Err(Error::unsupported()) } else { Ok(()) }
}

/// Applies `replacements` to the user `id`, all or none.
///
/// # Errors
/// 404 for nobody, 403 for who is not active or may do more than the caller, 412 for another revision.
pub async fn apply(call: &Call<'_>, id: &str, replacements: &[Replacement<'_>], when: &Match) -> Result<Item, Error> {
    let Stored { key, revision, mut body } = find(call, id).ok_or_else(not_found)?;
    let when = unchanged(when, id, revision)?;
    outranked(call, &key)?;
    if is_administrator(&key) || status(&body) == Some("Inactive") {
        return Err(Error::plain(403));
    }
    let mut fence = false;
    let mut content = Object::new();
    for replacement in replacements {
        match replacement {
            Replacement::Password(password) => {
                check_password(password)?;
                body.insert(PASSWORD.into(), call.desk.passwords().verifier(password).await?.into());
                fence = true;
            }
            Replacement::Questions(questions) => {
                let mut stored = Vec::with_capacity(questions.len());
                for question in *questions {
                    stored.push(hashed(call, question).await?);
                }
                let stored = Value::Array(stored);
                content.insert(KBA.into(), kba_shown(&stored));
                body.insert(KBA.into(), stored);
            }
        }
    }
    stamped(&mut body);
    call.write(put(key, when, &Value::Object(body), Vec::new(), fence)).await?;
    Ok(Item { id: "result".into(), revision: Some("1".into()), content })
}

/// A question as it is stored: its answer is a secret like a password (G5). Answers ignore case.
async fn hashed(call: &Call<'_>, question: &Value) -> Result<Value, Error> {
    let invalid = || Error::invalid_value(KBA);
    let members = question.as_object().ok_or_else(invalid)?;
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_TEXT => Ok(Some(text.as_str())),
        Some(_) => Err(invalid()),
    };
    if !members.keys().all(|name| QUESTION.contains(&name.as_str())) {
        return Err(invalid());
    }
    let answer = text("answer")?.map(str::to_lowercase).filter(|answer| is_secret(answer)).ok_or_else(invalid)?;
    let answer = call.desk.passwords().hash(&answer).await?;
    match (text("questionId")?, text("customQuestion")?) {
        (Some(id), None) => Ok(json!({"questionId": id, "answer": answer})),
        (None, Some(custom)) => Ok(json!({"customQuestion": custom, "answer": answer})),
        (None, None) | (Some(_), Some(_)) => Err(invalid()),
    }
}
