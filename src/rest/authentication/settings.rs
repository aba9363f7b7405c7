//! `/json/{realm}/realm-config/authentication` and `/json/global-config/authentication`: how a realm authenticates
//! (authn-sessions-realms.md a.12).
//!
//! | a.12                                              | here                |
//! |---------------------------------------------------|---------------------|
//! | groups, attributes, recorded defaults             | [`SCHEMA`]          |
//! | always there; PUT changes what it names           | `Settings::update`  |
//! | `sharedSecret` is write-only                      | `Settings::update`  |
//! | what a realm does not say, the global defaults do | [`effective`]       |
//!
//! The document holds what was said, sealed where it is secret; what was never said is no part of it.

use super::secrets::{self, Place};
use crate::{
    crest::{Call, Error, Item, Match, Object, Resource, Returned, Shape, Version, unchanged},
    desk::{Desk, put},
    layers::{self, Layers},
    rest::schema::{Attribute as A, LeftOut, Schema, Section},
};
use quorate_raft::{DocumentKey, Precondition, RealmPath, Seq};
use serde_json::{Value, json};

/// Id of the document of a realm, and of the global one.
pub const SETTINGS: &str = layers::AUTHENTICATION;

/// Where the realm's or the cluster's settings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settings {
    /// Of the realm that is addressed.
    Realm,
    /// Defaults of all realms.
    Global,
}

/// The attributes.
pub static SCHEMA: Schema = Schema { sections: SECTIONS, opaque: &[] };

const fn section(name: &'static str, title: &'static str, attributes: &'static [A]) -> Section {
    Section { name, title, bare: false, attributes }
}

const SECTIONS: &[Section] = &[
    section("core", "Core", CORE),
    section("userprofile", "User Profile", PROFILE),
    section("accountlockout", "Account Lockout", LOCKOUT),
    section("general", "General", GENERAL),
    section("security", "Security", SECURITY),
    section("trees", "Trees", TREES),
    section("postauthprocess", "Post Authentication Processing", AFTERWARDS),
];

const CORE: &[A] = &[
    A::default_text("adminAuthModule", "Administrator Authentication Configuration", "ldapService"),
    A::default_text("orgConfig", "Organization Authentication Configuration", "ldapService"),
];

const PROFILE: &[A] = &[
    A::choice("dynamicProfileCreation", "User Profile", &["false", "true", "createAlias", "ignore"], "false"),
    A::list("defaultRole", "User Profile Dynamic Creation Default Roles"),
    A::list_of("aliasAttributeName", "Alias Search Attribute Name", crate::rest::schema::any, &["uid"]),
];

const LOCKOUT: &[A] = &[
    A::flag("loginFailureLockoutMode", "Login Failure Lockout Mode", false),
    A::int("loginFailureCount", "Login Failure Lockout Count", 1, 5),
    A::int("loginFailureDuration", "Login Failure Lockout Interval", 1, 300),
    A::text("lockoutEmailAddress", "Email Address to Send Lockout Notification"),
    A::int("lockoutWarnUserCount", "Warn User After N Failures", 0, 0),
    A::int("lockoutDuration", "Login Failure Lockout Duration", 0, 0),
    A::int("lockoutDurationMultiplier", "Lockout Duration Multiplier", 1, 1),
    A::text("lockoutAttributeName", "Lockout Attribute Name"),
    A::text("lockoutAttributeValue", "Lockout Attribute Value"),
    A::text("invalidAttemptsDataAttributeName", "Invalid Attempts Data Attribute Name"),
    A::flag("storeInvalidAttemptsInDataStore", "Store Invalid Attempts in Data Store", true),
];

const GENERAL: &[A] = &[
    A::default_text("locale", "Default Authentication Locale", "en_US"),
    A::list_of("identityType", "Identity Types", crate::rest::schema::any, &["agent", "user"]),
    A::list("userStatusCallbackPlugins", "Pluggable User Status Event Classes"),
    A::flag("statelessSessionsEnabled", "Use Client-Side Sessions", false),
    A::flag("twoFactorRequired", "Two Factor Authentication Mandatory", false),
    A::int("defaultAuthLevel", "Default Authentication Level", 0, 0),
    A::text("externalLoginPageUrl", "External Login Page URL"),
];

const SECURITY: &[A] = &[
    A::flag("moduleBasedAuthEnabled", "Module Based Authentication", true),
    A::text("keyAlias", "Persistent Cookie Encryption Certificate Alias"),
    A::flag("zeroPageLoginEnabled", "Zero Page Login", false),
    A::list("zeroPageLoginReferrerWhiteList", "Zero Page Login Referer Whitelist"),
    A::flag("zeroPageLoginAllowedWithoutReferrer", "Zero Page Login Allowed without Referer?", true),
    A::secret("sharedSecret", "Organization Authentication Signing Secret"),
    A::flag("addClearSiteDataHeader", "Add clear-site-data Header on Logout", true),
];

const TREES: &[A] = &[
    // In memory of one node is no place where another could continue: the reference's third way is not offered.
    A::choice(
        "authenticationSessionsStateManagement",
        "Authentication session state management scheme",
        &["JWT", "CTS"],
        "JWT",
    ),
    A::int("authenticationSessionsMaxDuration", "Max duration (minutes)", 1, 5),
    A::int("suspendedAuthenticationTimeout", "Suspended authentication duration (minutes)", 1, 5),
    A::flag("authenticationSessionsWhitelist", "Enable allowlisting", false),
    A::flag("authenticationTreeCookieHttpOnly", "Enforce HttpOnly Protection of the Session Cookie", true),
];

const AFTERWARDS: &[A] = &[
    A::list_of("loginSuccessUrl", "Default Success Login URL", crate::rest::schema::any, &["/am/console"]),
    A::list("loginFailureUrl", "Default Failure Login URL"),
    A::list("loginPostProcessClass", "Authentication Post Processing Classes"),
    A::flag("usernameGeneratorEnabled", "Generate UserID Mode", true),
    A::default_text(
        "usernameGeneratorClass",
        "Pluggable User Name Generator Class",
        "com.sun.identity.authentication.spi.DefaultUserIDGenerator",
    ),
    A::list("userAttributeSessionMapping", "User Attribute Mapping to Session Attribute"),
];

const SECRET: (&str, &str) = ("security", "sharedSecret");

fn marker() -> Value {
    json!({"_id": "EMPTY", "name": "Core", "collection": false})
}

fn stored(desk: &Desk, key: &DocumentKey) -> (Option<Seq>, Object) {
    match desk.views().entry(key) {
        Some(entry) => (Some(entry.document.revision), entry.json().as_object().cloned().unwrap_or_default()),
        None => (None, Object::new()),
    }
}

/// The settings of a realm as they are in force: every attribute that has a value, and no secret. Pass the barrier first.
pub fn effective(desk: &Desk, realm: &RealmPath) -> Object {
    SCHEMA.service(&Layers::of(desk.views(), realm, SETTINGS).merged())
}

/// The attributes that `content` names, read; the rest is left as `former` has it.
fn read(content: &Object, former: &Object) -> Result<Object, Error> {
    let whole = SCHEMA.read(content, LeftOut::Keep(former))?.stored;
    let mut said = former.clone();
    for section in SECTIONS {
        let Some(Value::Object(named)) = content.get(section.name) else { continue };
        let values = whole.get(section.name).and_then(Value::as_object);
        let Value::Object(group) = said.entry(section.name).or_insert_with(|| json!({})) else { continue };
        for attribute in section.attributes.iter().filter(|attribute| named.contains_key(attribute.name)) {
            match values.and_then(|values| values.get(attribute.name)) {
                Some(value) => group.insert(attribute.name.into(), value.clone()),
                None => group.remove(attribute.name),
            };
        }
    }
    Ok(said)
}

impl Settings {
    fn key(self, call: &Call<'_>) -> DocumentKey {
        match self {
            Self::Realm => layers::realm_key(call.realm, SETTINGS),
            Self::Global => layers::cluster_key(SETTINGS),
        }
    }

    /// As it is shown: with defaults, the secret as `null`.
    fn shown(self, call: &Call<'_>, revision: Option<Seq>, own: &Object) -> Item {
        let mut groups = match self {
            Self::Realm => {
                let (_, cluster) = stored(call.desk, &layers::cluster_key(SETTINGS));
                SCHEMA.service(&layers::over(&cluster, own))
            }
            Self::Global => SCHEMA.service(own),
        };
        if let Some(Value::Object(security)) = groups.get_mut(SECRET.0) {
            security.insert(SECRET.1.into(), Value::Null);
        }
        let mut content = match self {
            Self::Realm => groups,
            Self::Global => Object::from_iter([("defaults".to_owned(), Value::Object(groups))]),
        };
        content.insert("_type".into(), marker());
        // What was never written has a revision, too: the one of the least entry.
        Item::new("", Some(revision.unwrap_or(Seq(0))), content)
    }

    /// The groups in what a client sends.
    fn groups(self, content: &Object) -> Result<Object, Error> {
        match self {
            Self::Realm => Ok(content.clone()),
            Self::Global => {
                if content.keys().any(|name| !name.starts_with('_') && name != "defaults") {
                    return Err(Error::invalid_attribute(["defaults"]));
                }
                match content.get("defaults") {
                    None => Ok(Object::new()),
                    Some(Value::Object(groups)) => Ok(groups.clone()),
                    Some(_) => Err(Error::invalid_value("defaults")),
                }
            }
        }
    }
}

impl Resource for Settings {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0), Version(2, 0)]
    }

    /// It is always there.
    fn put_creates(&self) -> bool {
        false
    }

    async fn read(&self, call: &Call<'_>, _: &str) -> Result<Item, Error> {
        let (revision, own) = stored(call.desk, &self.key(call));
        Ok(self.shown(call, revision, &own))
    }

    async fn update(&self, call: &Call<'_>, _: &str, content: &Object, when: &Match) -> Result<Item, Error> {
        let key = self.key(call);
        let (revision, former) = stored(call.desk, &key);
        let when = match revision {
            Some(revision) => unchanged(when, SETTINGS, revision)?,
            None => unchanged(when, SETTINGS, Seq(0)).map(|_| Precondition::Absent)?,
        };
        let mut groups = self.groups(content)?;
        let secret =
            secrets::taken(&mut groups, Some(SECRET.0), SECRET.1, "Organization Authentication Signing Secret")?;
        let mut said = read(&groups, &former)?;
        if let Some(secret) = secret {
            let place = Place { key: &key, attribute: SECRET.1 };
            let Value::Object(security) = said.entry(SECRET.0).or_insert_with(|| json!({})) else {
                return Err(Error::plain(500));
            };
            security.insert(secrets::sealed_name(SECRET.1), place.seal(call.desk, &secret)?.into());
        }
        let revision = call.write(put(key, when, &Value::Object(said.clone()), Vec::new(), false)).await?;
        Ok(self.shown(call, Some(revision), &said))
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match name {
            "schema" => Ok(SCHEMA.json_schema().into()),
            "template" => Ok(Value::Object(SCHEMA.service(&Object::new())).into()),
            "getType" => Ok(marker().into()),
            "nextdescendents" => Ok(json!({"result": []}).into()),
            _ => Err(Error::unsupported_action(name)),
        }
    }
}
