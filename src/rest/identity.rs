//! What users, groups and agents have in common: names, directory names, passwords, one name space.

use crate::{
    crest::Call,
    desk::WriteError,
    passwords::MAX_PASSWORD_BYTES,
    sessions::{escaped, realm_dn},
};
use quorate_raft::{DocumentKey, Kind, Precondition, RealmPath, Refusal, Seq, Write, documents::Change};

/// Kinds whose ids are names of clients and agents: one name space per realm (oauth2-config.md §11).
pub const AGENT_KINDS: [Kind; 3] = [Kind::OAuth2Client, Kind::IdentityGateway, Kind::Agent];

/// A user's or group's id in the form that is compared.
pub fn user_id(username: &str) -> String {
    username.to_lowercase()
}

/// Where a directory would have a user: `uid=demo,ou=people,o=alpha,ou=services,ou=am-config`.
pub fn user_dn(realm: &RealmPath, id: &str) -> String {
    format!("uid={},ou=people,{}", escaped(id), realm_dn(realm))
}

/// Where a directory would have a group: `cn=ops,ou=groups,o=alpha,ou=services,ou=am-config`.
pub fn group_dn(realm: &RealmPath, id: &str) -> String {
    format!("cn={},ou=groups,{}", escaped(id), realm_dn(realm))
}

/// The id of the user that `text` names in `realm`: by name, by universal id (`id=demo,ou=user,…`, of this realm), or by the
/// name that a directory gives (`uid=demo,ou=people,…`, whatever its suffix: directories differ). `None` for the universal
/// id of something else.
pub fn named_user(realm: &RealmPath, text: &str) -> Option<String> {
    let of_directory = text.split_once(",ou=people,").and_then(|(head, _)| head.strip_prefix("uid="));
    if let Some(name) = of_directory {
        return unescaped(name).map(|name| user_id(&name));
    }
    match text.strip_prefix("id=").and_then(|rest| rest.split_once(",ou=")) {
        None => Some(user_id(text)),
        Some((name, class)) => {
            let own = format!("user,{}", realm_dn(realm));
            (class.to_lowercase() == own.to_lowercase()).then(|| unescaped(name)).flatten().map(|name| user_id(&name))
        }
    }
}

/// The value behind its spelling in a directory name; `None` for a separator that is not escaped.
fn unescaped(value: &str) -> Option<String> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            ',' | '+' => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

/// Whether a name can be the id of a user, client or agent: it appears in paths, subjects and logs.
pub fn is_name(name: &str) -> bool {
    let bounded = !name.is_empty() && name.len() <= 255;
    bounded && name != "." && name != ".." && name.trim() == name && !name.chars().any(char::is_control)
}

/// The kinds of subject that appear in tokens by their bare name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A user.
    User,
    /// A client or agent of a kind.
    Agent(Kind),
}

/// Documents of other subjects that must not be there when `name` is taken. A token names its subject by the bare name: a
/// client that is called like a user could pass for that user, and the other way round. Clients and agents share one name
/// space.
fn rivals(realm: &RealmPath, name: &str, wanted: Named) -> Vec<DocumentKey> {
    let folded = user_id(name);
    let agents = |id: &str| AGENT_KINDS.map(|kind| DocumentKey::new(realm, kind, id));
    match wanted {
        // Users ignore case; of clients, the two spellings that a token could carry.
        Named::User if folded == name => agents(name).into(),
        Named::User => [agents(name), agents(&folded)].concat(),
        Named::Agent(own) => {
            let others = agents(name).into_iter().filter(|key| key.kind != own);
            others.chain([DocumentKey::new(realm, Kind::User, &folded)]).collect()
        }
    }
}

/// Whether another subject of the realm has this name already, as far as this node has seen: a kind word before the work.
/// [`create`] decides.
pub fn is_taken(call: &Call<'_>, name: &str, wanted: Named) -> bool {
    rivals(call.realm, name, wanted).iter().any(|key| call.desk.views().entry(key).is_some())
}

/// Why a subject was not created.
pub enum NotCreated {
    /// Another kind of subject has the name.
    Taken,
    /// Anything else.
    Other(WriteError),
}

/// Writes the document of a new subject, if nobody has its name: decided in one log entry, so that of two administrators at
/// two nodes one gets it.
///
/// # Errors
/// See [`NotCreated`].
pub async fn create(call: &Call<'_>, write: Write, name: &str, wanted: Named) -> Result<Seq, NotCreated> {
    create_all(call, vec![write], name, wanted).await
}

/// As [`create`], with more writes of which all or none happen.
///
/// # Errors
/// See [`NotCreated`].
pub async fn create_all(call: &Call<'_>, mut writes: Vec<Write>, name: &str, wanted: Named) -> Result<Seq, NotCreated> {
    let rivals = rivals(call.realm, name, wanted);
    let free = |key: &DocumentKey| Write { key: key.clone(), when: Precondition::Absent, change: Change::Keep };
    writes.extend(rivals.iter().map(free));
    match call.write_all(writes).await {
        Ok(revision) => Ok(revision),
        Err(WriteError::Refused(Refusal::Exists(key))) if rivals.contains(&key) => Err(NotCreated::Taken),
        Err(error) => Err(NotCreated::Other(error)),
    }
}

/// Whether a password or secret can be kept.
pub fn is_secret(secret: &str) -> bool {
    !secret.is_empty() && secret.len() <= MAX_PASSWORD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_in_three_ways() {
        let alpha = RealmPath::from("/alpha");
        let named = |text: &str| named_user(&alpha, text);
        let demo = Some("demo".to_owned());
        assert_eq!(named("Demo"), demo);
        assert_eq!(named("id=Demo,ou=user,o=alpha,ou=services,ou=am-config"), demo);
        assert_eq!(named("id=demo,ou=USER,o=Alpha,ou=services,ou=am-config"), demo);
        assert_eq!(named("uid=demo,ou=people,dc=example,dc=com"), demo);
        for other in [
            "id=demo,ou=user,o=beta,ou=services,ou=am-config",
            "id=demo,ou=user,o=alpha,o=alpha,ou=services,ou=am-config",
            "id=demo,ou=group,o=alpha,ou=services,ou=am-config",
            "id=demo,ou=user,ou=am-config",
            "uid=demo,o=x,ou=people,dc=example",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
        for name in ["a,b", "x=y", "q+\"w", "back\\slash", "id=a", " lead"] {
            assert_eq!(named(&user_dn(&alpha, name)).as_deref(), Some(name));
            let key = DocumentKey::new(&alpha, Kind::User, name);
            assert_eq!(named(&crate::sessions::universal_id(&alpha, &key)).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_name_is_visible_and_bounded() {
        for name in ["demo", "Zoë", "a b", "x@y", "a/b"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", " a", "a ", ".", "..", "a\nb", "a\u{7f}", &"x".repeat(256)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
