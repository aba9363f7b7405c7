//! `/json/{realm}/serverinfo` (authn-sessions-realms.md f.1 to f.3): what clients and pages ask before they sign in.

use super::services;
use crate::{
    crest::{Call, Description, Error, Item, Object, Operation, Resource, Returned, Shape, Verb, Version},
    secrets::sha256,
    sessions::settings,
};
use quorate_raft::RealmPath;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The version of Access Management whose wire we speak: clients switch on the first `x.y.z` they find.
const SPOKEN: &str = "7.5.0";

/// `serverinfo/*` and `serverinfo/cookieDomains`.
pub struct ServerInfo;

/// `serverinfo/version`.
pub struct ServerVersion;

/// An item whose revision is a hash of its content, since no document lies behind it.
pub(super) fn item(id: &str, content: &Value) -> Item {
    let [a, b, c, d, ..] = sha256(content.to_string().as_bytes());
    let revision = i32::from_be_bytes([a, b, c, d]).to_string();
    let content = content.as_object().cloned().unwrap_or_default();
    Item { id: id.to_owned(), revision: Some(revision), content }
}

/// The domains that session cookies are set for: `[null]`, for none but the host itself, unless the service `platform` names
/// some (f.2).
fn domains(call: &Call<'_>) -> Value {
    let platform = services::effective(call.desk, &RealmPath::root(), "platform");
    match platform.list("", "cookieDomains") {
        none if none.is_empty() => json!([null]),
        domains => json!(domains),
    }
}

/// The first language of `Accept-Language` that looks like one; without, that of the platform.
fn language(call: &Call<'_>) -> String {
    let header = call.request.headers().get("Accept-Language").and_then(|value| value.to_str().ok());
    let tag = header.and_then(|value| value.split([',', ';']).next()).map(str::trim);
    let is_tag =
        |tag: &&str| !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    tag.filter(is_tag).map_or_else(|| settings::locale(call.desk).replace('_', "-"), str::to_owned)
}

impl Resource for ServerInfo {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 1), Version(2, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Server information", "`*` is what clients ask first; `cookieDomains` has only these")
            .can([Operation::Read])
    }

    fn permit(&self, _: &Call<'_>, _: Option<&str>, _: &Verb) -> Result<(), Error> {
        Ok(())
    }

    fn is_public(&self) -> bool {
        true
    }

    fn cache_control(&self) -> &'static str {
        "no-store"
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let front = call.desk.front();
        let domains = domains(call);
        match id {
            "*" => Ok(item(
                id,
                &json!({
                    "domains": domains,
                    "protectedUserAttributes": ["telephoneNumber", "mail"],
                    "cookieName": front.cookie_name,
                    "secureCookie": front.cookie_secure,
                    "forgotPassword": "false",
                    "forgotUsername": "false",
                    "kbaEnabled": "false",
                    "selfRegistration": "false",
                    "lang": language(call),
                    "successfulUserRegistrationDestination": "default",
                    "socialImplementations": [],
                    "referralsEnabled": "false",
                    "zeroPageLogin": {"enabled": false, "refererWhitelist": [], "allowedWithoutReferer": true},
                    "realm": call.realm.as_str(),
                    "xuiUserSessionValidationEnabled": true,
                    "fileBasedConfiguration": false,
                    "userIdAttributes": [],
                }),
            )),
            "cookieDomains" => Ok(item(id, &json!({"domains": domains}))),
            other => Err(Error::new(501, format!("ResourceId not supported: {other}"))),
        }
    }

    async fn action(&self, _: &Call<'_>, _: Option<&str>, _: &str, _: &Object) -> Result<Returned, Error> {
        Err(Error::unsupported())
    }
}

static VERSION: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "version": SPOKEN,
        "fullVersion": format!("Access Management {SPOKEN} spoken by Quorate {}", env!("CARGO_PKG_VERSION")),
        "revision": env!("CARGO_PKG_VERSION"),
        "date": "",
    })
});

impl Resource for ServerVersion {
    fn shape(&self) -> Shape {
        Shape::Singleton
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Singleton).titled("Server version", "What is spoken, and by whom").can([Operation::Read])
    }

    /// Any session; strangers have no business with versions (HT-09).
    fn permit(&self, call: &Call<'_>, _: Option<&str>, _: &Verb) -> Result<(), Error> {
        call.signed_in().map(drop)
    }

    fn cache_control(&self) -> &'static str {
        "no-store"
    }

    async fn read(&self, _: &Call<'_>, _: &str) -> Result<Item, Error> {
        Ok(item("version", &VERSION))
    }
}

#[cfg(test)]
mod tests;
