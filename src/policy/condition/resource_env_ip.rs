//! From this address, that authentication: `ResourceEnvIP` (§4.15).
//!
//! | reference                                   | here             |
//! |---------------------------------------------|------------------|
//! | §4.15 `IF <name>=<value> THEN <name>=<value>` | `Rule::parse`  |
//! | §4.15 IF part; literal octets beside `*`    | `Rule::applies`, `Addresses` |
//! | §4.15 THEN part and its advice              | `Demand`         |
//! | §4.15 no string matches: no advice          | [`ResourceEnvIp`]|

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::{
    Outcome, Scene,
    authentication::{
        AUTH_LEVEL_ADVICE, REALM_ADVICE, SCHEME_ADVICE, SERVICE_ADVICE, by_service, in_realm, level, passed,
    },
    same_letters, texts,
};
use crate::policy::{
    Error,
    fault::Fault,
    members::Members,
    resource::MAX_LENGTH,
    subject::Session,
    trace::{Comparison, Observer},
};

/// `ResourceEnvIP`: the first rule that applies decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceEnvIp {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    sent: String,
    if_name: String,
    if_value: String,
    /// What the value says if it is compared with an address.
    addresses: Option<Addresses>,
    demand: Demand,
    then_value: String,
}

/// An address expression in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addresses {
    Range(IpAddr, IpAddr),
    /// `None` is any number there.
    Octets([Option<u8>; 4]),
    Any,
}

/// What a THEN part demands of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Module,
    Service,
    AuthLevel(i64),
    Role,
    User,
    RedirectUrl,
    Realm,
}

impl ResourceEnvIp {
    pub(super) fn parse(members: &Members<'_>) -> Result<Self, Error> {
        const MEMBER: &str = "resourceEnvIPConditionValue";
        members.only(&[&["type", MEMBER]])?;
        let read = |text: String| Rule::parse(&text).ok_or_else(|| Error::invalid_property(&text, MEMBER));
        Ok(Self { rules: texts(members, MEMBER)?.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    pub(super) fn kind(&self) -> &'static str {
        "ResourceEnvIP"
    }

    pub(super) fn members(&self) -> Value {
        let sent: Vec<_> = self.rules.iter().map(|rule| rule.sent.as_str()).collect();
        json!({"resourceEnvIPConditionValue": sent})
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        let session = scene.session(self.kind())?;
        for rule in &self.rules {
            let applies = rule.applies(scene, session);
            observer.compared(|| Comparison::new(rule.if_name.as_str(), rule.sent.as_str(), applies));
            if applies {
                return rule.outcome(scene, session, observer);
            }
        }
        Ok(Outcome::plain(false))
    }
}

impl Rule {
    fn parse(sent: &str) -> Option<Self> {
        if sent.len() > MAX_LENGTH {
            return None;
        }
        let rest = keyword(sent.trim_start(), "if")?;
        let then = rest.char_indices().filter(|(_, c)| c.is_whitespace()).find_map(|(at, c)| {
            let after = keyword(rest.get(at + c.len_utf8()..)?, "then")?;
            Some((rest.get(..at)?, after))
        });
        let (condition, demand) = then?;
        let (if_name, if_value) = condition.split_once('=')?;
        let (then_name, then_value) = demand.split_once('=')?;
        let [if_name, if_value, then_name, then_value] =
            [if_name, if_value, then_name, then_value].map(|text| text.trim().to_owned());
        if [&if_name, &if_value, &then_name, &then_value].iter().any(|text| text.is_empty()) {
            return None;
        }
        let demand = match then_name.to_lowercase().as_str() {
            "module" => Demand::Module,
            "service" => Demand::Service,
            "authlevel" => Demand::AuthLevel(then_value.parse().ok()?),
            "role" => Demand::Role,
            "user" => Demand::User,
            "redirecturl" => Demand::RedirectUrl,
            "realm" | "org" => Demand::Realm,
            _ => return None,
        };
        let addresses = if_value.strip_prefix('[').and_then(|text| Addresses::parse(text.strip_suffix(']')?.trim()));
        Some(Self { sent: sent.to_owned(), if_name, if_value, addresses, demand, then_value })
    }

    fn applies(&self, scene: &Scene<'_>, session: &Session) -> bool {
        if let Some(values) = scene.circumstances.values(&self.if_name).filter(|values| !values.is_empty()) {
            return values.iter().any(|value| same_letters(value, &self.if_value));
        }
        let Some(values) = scene.circumstances.values("requestIp") else {
            return false;
        };
        let address = match values.first() {
            Some(text) => text.trim().parse().ok(),
            None => session.address,
        };
        self.addresses.zip(address).is_some_and(|(addresses, address)| addresses.contain(address))
    }

    fn outcome(&self, scene: &Scene<'_>, session: &Session, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        const KIND: &str = "ResourceEnvIP";
        let (wanted, some) = (self.then_value.as_str(), Some(session));
        let listed = |property: &str| {
            let text = session.properties.get(property);
            text.is_some_and(|text| text.split('|').any(|value| value == wanted))
        };
        let (satisfied, advice) = match self.demand {
            Demand::Module => (passed(scene, some, wanted), SCHEME_ADVICE),
            Demand::Service => (by_service(scene, some, wanted, KIND, observer)?, SERVICE_ADVICE),
            Demand::AuthLevel(least) => (level(scene, some, KIND)? >= least, AUTH_LEVEL_ADVICE),
            Demand::Role => (listed("Role"), "AuthRoleConditionAdvice"),
            Demand::User => (listed("UserToken"), "AuthUserConditionAdvice"),
            Demand::RedirectUrl => (passed(scene, some, "Federation"), "AuthRedirectionConditionAdvice"),
            Demand::Realm => (in_realm(scene, some, wanted, KIND, observer)?, REALM_ADVICE),
        };
        observer.compared(|| Comparison::new("demand", wanted, satisfied));
        Ok(Outcome::or_advise(satisfied, advice, wanted))
    }
}

/// What follows `word`, in whatever letter case, and a space.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(word.len())?;
    (head.eq_ignore_ascii_case(word) && tail.starts_with(char::is_whitespace)).then_some(tail)
}

impl Addresses {
    fn parse(text: &str) -> Option<Self> {
        if text.contains('*') {
            let octets: Vec<_> = text.split('.').map(str::trim).collect();
            if octets.iter().all(|octet| *octet == "*") {
                return Some(Self::Any);
            }
            let read = |octet: &&str| if *octet == "*" { Some(None) } else { octet.parse().ok().map(Some) };
            let octets: Vec<Option<u8>> = octets.iter().map(read).collect::<Option<_>>()?;
            return octets.try_into().ok().map(Self::Octets);
        }
        let (start, end) = text.split_once('-').unwrap_or((text, text));
        Some(Self::Range(start.trim().parse().ok()?, end.trim().parse().ok()?))
    }

    fn contain(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Range(start, end) => {
                start.is_ipv4() == address.is_ipv4()
                    && end.is_ipv4() == address.is_ipv4()
                    && start <= address
                    && address <= end
            }
            Self::Octets(octets) => match address {
                IpAddr::V4(address) => covers(octets, address),
                IpAddr::V6(_) => false,
            },
        }
    }
}

fn covers(octets: [Option<u8>; 4], address: Ipv4Addr) -> bool {
    octets.iter().zip(address.octets()).all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == found))
}
