//! The service *REST APIs* (crest.md §13.3, §14, §15): what the framework does where a caller does not say. Read at each
//! request from the document that administrators write at `global-config/services/rest`; what is not stored has the values
//! of a fresh installation.
//!
//! | attribute                | values                        | read by                               |
//! |--------------------------|-------------------------------|---------------------------------------|
//! | `defaultVersion`         | `Latest`, `Oldest`, `None`    | [`Settings::select`]                  |
//! | `defaultProtocolVersion` | `Latest`, `Oldest`, `None`    | [`Settings::accepted`]                |
//! | `warningHeader`          | boolean                       | [`super::response::warn`]             |
//! | `csrfFilterEnabled`      | boolean                       | [`super::request::forgeable`]         |
//! | `descriptionsState`      | `STATIC`, `DYNAMIC`, `DISABLED` | `rest::descriptors`                 |

use super::{
    Error,
    version::{Accepted, Protocol, Version, select},
};
use crate::{desk::Desk, views::Remembered};
use actix_web::{HttpRequest, web::Data};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::Value;
use std::sync::LazyLock;

/// Id of the document.
pub const ID: &str = "rest";

/// Where the settings are stored.
pub static KEY: LazyLock<DocumentKey> = LazyLock::new(|| DocumentKey::new(&RealmPath::root(), Kind::GlobalService, ID));

/// Which version answers a caller that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unversioned {
    /// The newest.
    Latest,
    /// The oldest.
    Oldest,
    /// None: 400.
    None,
}

impl Unversioned {
    fn of(value: Option<&Value>) -> Self {
        match value.and_then(Value::as_str) {
            Some("Oldest") => Self::Oldest,
            Some("None") => Self::None,
            _ => Self::Latest,
        }
    }
}

/// The settings, compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Of a resource.
    pub version: Unversioned,
    /// Of the framework.
    pub protocol: Unversioned,
    /// Whether callers that name no version are warned.
    pub warns: bool,
    /// Whether a change needs a header that no form of another site can send.
    pub csrf: bool,
    /// Whether descriptors are served.
    pub described: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { version: Unversioned::Latest, protocol: Unversioned::Latest, warns: false, csrf: true, described: true }
    }
}

impl From<&Value> for Settings {
    fn from(stored: &Value) -> Self {
        Self {
            version: Unversioned::of(stored.get("defaultVersion")),
            protocol: Unversioned::of(stored.get("defaultProtocolVersion")),
            warns: stored.get("warningHeader") == Some(&Value::Bool(true)),
            csrf: stored.get("csrfFilterEnabled") != Some(&Value::Bool(false)),
            described: stored.get("descriptionsState").and_then(Value::as_str) != Some("DISABLED"),
        }
    }
}

fn unversioned() -> Error {
    Error::bad_request("No requested version specified and behavior set to NONE.")
}

impl Settings {
    /// As the views show them. Every request asks.
    pub fn of(desk: &Desk) -> Self {
        thread_local! {
            static KNOWN: Remembered<Settings> = const { Remembered::new() };
        }
        let made =
            || desk.views().entry(&KEY).map_or_else(Self::default, |entry| *entry.typed(|stored| Self::from(stored)));
        KNOWN.with(|known| known.get(desk.views(), made))
    }

    /// As the views of the application that got `request` show them.
    pub fn for_request(request: &HttpRequest) -> Self {
        request.app_data::<Data<Desk>>().map_or_else(Self::default, |desk| Self::of(desk))
    }

    /// What the header accepts, or its absence.
    ///
    /// # Errors
    /// 400 with the texts of §13.1 and §13.3.
    pub fn accepted(&self, header: Option<&str>) -> Result<Accepted, Error> {
        let accepted = Accepted::parse(header)?;
        Ok(match self.protocol {
            _ if accepted.protocol_named => accepted,
            Unversioned::Latest => accepted,
            Unversioned::Oldest => Accepted { protocol: Protocol::V1_0, ..accepted },
            Unversioned::None => return Err(unversioned()),
        })
    }

    /// The version that answers.
    ///
    /// # Errors
    /// 404 when no version answers what is asked for, 400 when nothing is asked for and must be.
    pub fn select(&self, offered: &[Version], asked: Option<Version>) -> Result<Version, Error> {
        match (asked, self.version) {
            (Some(_), _) | (None, Unversioned::Latest) => select(offered, asked),
            (None, Unversioned::Oldest) => offered.iter().min().copied().ok_or_else(Error::not_found),
            (None, Unversioned::None) => Err(unversioned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// §13.3.
    #[test]
    fn who_names_no_version_gets_the_configured_one() {
        let offered = [Version(1, 2), Version(2, 1), Version(3, 0)];
        let none = Err("No requested version specified and behavior set to NONE.".to_owned());
        for (stored, version, protocol) in [
            (json!({}), Ok(Version(3, 0)), Ok(Protocol::V2_1)),
            (json!({"defaultVersion": "Latest"}), Ok(Version(3, 0)), Ok(Protocol::V2_1)),
            (json!({"defaultVersion": "Oldest"}), Ok(Version(1, 2)), Ok(Protocol::V2_1)),
            (json!({"defaultVersion": "None"}), none.clone(), Ok(Protocol::V2_1)),
            (json!({"defaultProtocolVersion": "Oldest"}), Ok(Version(3, 0)), Ok(Protocol::V1_0)),
            (json!({"defaultProtocolVersion": "None"}), Ok(Version(3, 0)), none.clone().map(|_| Protocol::V1_0)),
        ] {
            let settings = Settings::from(&stored);
            let told = |error: Error| error.message().to_owned();
            assert_eq!(settings.select(&offered, None).map_err(told), version, "{stored}");
            assert_eq!(settings.accepted(Some("resource=1.0")).map(|a| a.protocol).map_err(told), protocol, "{stored}");
            // Who does name one gets that.
            assert_eq!(settings.select(&offered, Some(Version(2, 0))).map_err(told), Ok(Version(2, 1)));
            let named = settings.accepted(Some("protocol=2.0,resource=1.0"));
            assert_eq!(named.map(|a| a.protocol).map_err(told), Ok(Protocol::V2_0), "{stored}");
        }
    }

    #[test]
    fn what_is_not_stored_is_as_shipped() {
        assert_eq!(Settings::from(&json!({})), Settings::default());
        assert_eq!(Settings::from(&json!("nonsense")), Settings::default());
        let changed = Settings::from(&json!({
            "warningHeader": true, "csrfFilterEnabled": false, "descriptionsState": "DISABLED",
        }));
        assert_eq!(changed, Settings { warns: true, csrf: false, described: false, ..Settings::default() });
        assert!(Settings::from(&json!({"descriptionsState": "DYNAMIC"})).described);
    }
}
