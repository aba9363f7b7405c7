//! Properties of sessions (b.7): what every session says about itself, what journeys put in, and which of them may be changed.
//!
//! What follows from the session itself is not stored in it, but told when somebody asks.

use quorate_raft::Session;
use std::{borrow::Cow, collections::BTreeMap};

/// The properties that every session has (b.7): the server sets them, and no journey may say otherwise.
const DEFAULTS: [&str; 24] = [
    "AMCtxId",
    "amlbcookie",
    "authInstant",
    "AuthLevel",
    "AuthType",
    "CharSet",
    "clientType",
    "FullLoginURL",
    "Host",
    "HostName",
    "IndexType",
    "Locale",
    "loginURL",
    "OidcSid",
    "Organization",
    "Principal",
    "Principals",
    "Service",
    "successURL",
    "sun.am.UniversalIdentifier",
    "UserId",
    "UserProfile",
    "UserToken",
    "XUSRef",
];

/// What nobody sets over REST besides.
const INTERNAL: [&str; 2] = ["SessionHandle", "TokenRestriction"];

fn is_among(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether every session has this property from the server. Names are compared without case: `userid` is no other property.
pub fn is_default(name: &str) -> bool {
    is_among(&DEFAULTS, name)
}

/// Whether nobody sets a property over REST.
pub fn is_protected(name: &str) -> bool {
    is_default(name) || is_among(&INTERNAL, name)
}

/// Longest name of a property, bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// A property of a session: what follows from the session itself, else what is stored, else what is always the same.
pub fn get<'s>(session: &'s Session, name: &str) -> Option<Cow<'s, str>> {
    let data = &session.data;
    match name {
        "AuthLevel" => Some(Cow::Owned(data.auth_level.to_string())),
        "Principal" | "Principals" | "sun.am.UniversalIdentifier" => Some(Cow::Borrowed(&data.universal_id)),
        "UserId" | "UserToken" => Some(Cow::Borrowed(&data.name)),
        _ => {
            let stored = data.properties.get(name).map(|value| Cow::Borrowed(&**value));
            stored.or_else(|| fixed(session, name))
        }
    }
}

fn fixed<'s>(session: &'s Session, name: &str) -> Option<Cow<'s, str>> {
    Some(Cow::Borrowed(match name {
        "amlbcookie" => "01",
        "CharSet" => "UTF-8",
        "clientType" => "genericHTML",
        "HostName" => return session.data.properties.get("Host").map(|host| Cow::Borrowed(&**host)),
        "IndexType" => "service",
        "Locale" => "en_US",
        "UserProfile" => "Required",
        _ => return None,
    }))
}

/// All properties of a session, those that are told when somebody asks among them.
pub fn all(session: &Session) -> BTreeMap<String, String> {
    let stored = session.data.properties.keys().map(|name| &**name);
    let names = stored.chain(DEFAULTS).chain(INTERNAL);
    names.filter_map(|name| Some((name.to_owned(), get(session, name)?.into_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::universal_id;
    use quorate_raft::{DocumentKey, Kind, RealmPath, Seq, SessionData, Span, Stamp};
    use std::sync::Arc;

    fn session(properties: &[(&str, &str)]) -> Session {
        let realm = RealmPath::from("/alpha");
        let subject = DocumentKey::new(&realm, Kind::User, "demo");
        let data = SessionData {
            universal_id: universal_id(&realm, &subject).into(),
            realm,
            subject,
            fence: Seq(1),
            name: "Demo".into(),
            auth_level: 7,
            max_life: Span(1),
            max_idle: Span(1),
            properties: properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        };
        Session { data: Arc::new(data), created: Stamp(0), used: Stamp(0) }
    }

    /// b.7, as far as there is something to tell.
    #[test]
    fn a_session_says_about_itself_what_the_reference_lists() {
        let session =
            session(&[("Host", "192.0.2.1"), ("Service", "ldapService"), ("UserId", "forged"), ("colour", "red")]);
        let all = all(&session);
        for (name, value) in [
            ("amlbcookie", "01"),
            ("AuthLevel", "7"),
            ("CharSet", "UTF-8"),
            ("clientType", "genericHTML"),
            ("colour", "red"),
            ("Host", "192.0.2.1"),
            ("HostName", "192.0.2.1"),
            ("IndexType", "service"),
            ("Locale", "en_US"),
            ("Principal", "id=demo,ou=user,o=alpha,ou=services,ou=am-config"),
            ("Service", "ldapService"),
            ("sun.am.UniversalIdentifier", "id=demo,ou=user,o=alpha,ou=services,ou=am-config"),
            ("UserId", "Demo"),
            ("UserProfile", "Required"),
            ("UserToken", "Demo"),
        ] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
            assert_eq!(get(&session, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(get(&session, "XUSRef"), None);
        assert_eq!(get(&session, "colours"), None);
    }

    #[test]
    fn what_the_server_sets_nobody_else_does() {
        for name in ["AMCtxId", "amctxid", "Principal", "USERID", "sun.am.UniversalIdentifier"] {
            assert!(is_protected(name), "{name}");
        }
        assert!(!is_protected("colour"));
    }
}
