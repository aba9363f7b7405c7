//! `Accept-API-Version` (crest.md §13).
//!
//! | section | it says                                              | we do it in   |
//! |---------|------------------------------------------------------|---------------|
//! | §13.1   | `protocol=M[.m],resource=M[.m]`, any order           | [`Accepted`]  |
//! | §13.1   | protocol 1.0, 2.0, 2.1; else 400                     | [`Protocol`]  |
//! | §13.2   | same major, minor at least the one asked for, newest | [`select`]    |
//! | §13.3   | nothing asked for: the newest, or as configured      | [`select`], [`Settings`](super::Settings) |

use super::Error;
use std::fmt;

/// A version of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A version of the framework's own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// PUT only updates, a conflict is 409, no `_rev` in bodies.
    V1_0,
    /// PUT creates or updates.
    V2_0,
    /// POST without `_action` creates. The default.
    V2_1,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "1.0",
            Self::V2_0 => "2.0",
            Self::V2_1 => "2.1",
        })
    }
}

/// The header, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Which rules; the newest when nothing is asked for.
    pub protocol: Protocol,
    /// Whether the rules were asked for.
    pub protocol_named: bool,
    /// Which version of the resource; the newest when nothing is asked for.
    pub resource: Option<Version>,
}

impl Accepted {
    /// Parses the value of the header.
    ///
    /// # Errors
    /// 400 with the texts of §13.1.
    pub fn parse(header: Option<&str>) -> Result<Self, Error> {
        let mut accepted = Self { protocol: Protocol::V2_1, protocol_named: false, resource: None };
        let Some(header) = header else {
            return Ok(accepted);
        };
        let invalid = || Error::bad_request(format!("Version string is in an invalid format: {header}"));
        let (mut protocol, mut resource) = (None, None);
        for part in header.split(',') {
            let (name, value) = part.trim_matches(' ').split_once('=').ok_or_else(invalid)?;
            let slot = match name {
                "protocol" => &mut protocol,
                "resource" => &mut resource,
                _ => return Err(invalid()),
            };
            if slot.replace(number(value).ok_or_else(invalid)?).is_some() {
                return Err(invalid());
            }
        }
        if let Some(version) = protocol {
            accepted.protocol = supported(version)?;
            accepted.protocol_named = true;
        }
        accepted.resource = resource;
        Ok(accepted)
    }
}

fn number(text: &str) -> Option<Version> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    Some(Version(digits(major)?, digits(minor)?))
}

fn supported(version: Version) -> Result<Protocol, Error> {
    match version {
        Version(1, 0 | 1) => Ok(Protocol::V1_0),
        Version(2, 0) => Ok(Protocol::V2_0),
        Version(2, 1) => Ok(Protocol::V2_1),
        Version(1 | 2, _) => Err(Error::bad_request(format!("Unsupported minor version: {version}"))),
        _ => Err(Error::bad_request(format!("Unsupported major version: {version}"))),
    }
}

/// The version that answers.
///
/// # Errors
/// 404 when no version answers what is asked for.
pub fn select(offered: &[Version], asked: Option<Version>) -> Result<Version, Error> {
    let fits = |version: &&Version| asked.is_none_or(|asked| version.0 == asked.0 && version.1 >= asked.1);
    match (offered.iter().filter(fits).max(), asked) {
        (Some(&version), _) => Ok(version),
        (None, Some(asked)) => Err(Error::new(
            404,
            format!("Accept-API-Version: Requested version \"{asked}\" does not match any routes."),
        )),
        (None, None) => Err(Error::not_found()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Result<(Protocol, Option<Version>), String> {
        Accepted::parse(Some(header)).map(|a| (a.protocol, a.resource)).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn either_part_may_be_missing_and_stand_anywhere() {
        use Protocol::{V1_0, V2_0, V2_1};
        assert_eq!(Accepted::parse(None), Ok(Accepted { protocol: V2_1, protocol_named: false, resource: None }));
        assert_eq!(parsed("resource=4.0"), Ok((V2_1, Some(Version(4, 0)))));
        assert_eq!(parsed("protocol=2,resource=1"), Ok((V2_0, Some(Version(1, 0)))));
        assert_eq!(parsed("resource=2.0, protocol=1.0"), Ok((V1_0, Some(Version(2, 0)))));
        assert_eq!(parsed("protocol=2.1"), Ok((V2_1, None)));
    }

    /// HT-11.
    #[test]
    fn a_malformed_header_is_refused_in_the_words_of_the_reference() {
        for header in [
            "",
            "resource",
            "resource=",
            "resource=x",
            "resource=1.x",
            "Resource=1.0",
            "resource=1,resource=2",
            "colour=1",
            "resource=-1",
            "resource=+1.0",
            "resource=1.0;protocol=2.0",
            "resource=1.0.0",
            "resource=99999999",
        ] {
            assert_eq!(parsed(header), Err(format!("Version string is in an invalid format: {header}")), "{header}");
        }
        assert_eq!(parsed("protocol=3.0"), Err("Unsupported major version: 3.0".into()));
        assert_eq!(parsed("protocol=0.9"), Err("Unsupported major version: 0.9".into()));
        assert_eq!(parsed("protocol=2.2"), Err("Unsupported minor version: 2.2".into()));
    }

    /// The example of §13.2.
    #[test]
    fn the_newest_minor_of_the_major_answers() {
        let offered = [Version(1, 2), Version(2, 1), Version(3, 0)];
        let select = |asked| select(&offered, asked).map_err(|e| (e.code(), e.message().to_owned()));
        assert_eq!(select(Some(Version(1, 0))), Ok(Version(1, 2)));
        assert_eq!(select(Some(Version(2, 0))), Ok(Version(2, 1)));
        assert_eq!(select(None), Ok(Version(3, 0)));
        for asked in [Version(2, 2), Version(4, 0)] {
            let text = format!("Accept-API-Version: Requested version \"{asked}\" does not match any routes.");
            assert_eq!(select(Some(asked)), Err((404, text)));
        }
    }
}
