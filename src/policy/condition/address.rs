//! Whence the request comes: `IPv4` and `IPv6` (§4.7).
//!
//! | reference                                     | here                 |
//! |-----------------------------------------------|----------------------|
//! | §4.7 step 1, `requestDnsName`                 | `AddressRange::named`|
//! | §4.7 step 2, `requestIp` or the session's     | [`AddressRange`]     |
//! | §4.7 `ipRange`, flattened in pairs            | `flattened`          |
//! | §4.7 a single end is a range of one (§10 no. 12) | `AddressRange::parse` |

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{Outcome, Scene, same_letters, within_limit};
use crate::policy::{
    Error,
    fault::Fault,
    members::Members,
    trace::{Comparison, Observer},
};

/// Which kind of address a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    fn read(self, text: &str) -> Option<IpAddr> {
        match self {
            Self::V4 => text.trim().parse().ok().map(IpAddr::V4),
            Self::V6 => text.trim().parse().ok().map(IpAddr::V6),
        }
    }
}

/// `IPv4` or `IPv6`: the request comes from a range of addresses, or from a host with such a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressRange {
    family: Family,
    /// As sent; the other is taken for a missing one.
    start_ip: Option<String>,
    end_ip: Option<String>,
    ip_range: Vec<String>,
    dns_name: Vec<String>,
    /// All of them, inclusive.
    ranges: Vec<(IpAddr, IpAddr)>,
}

impl AddressRange {
    pub(super) fn parse(members: &Members<'_>, family: Family) -> Result<Self, Error> {
        members.only(&[&["type", "startIp", "endIp", "ipRange", "dnsName"]])?;
        let text = |member| Ok::<_, Error>(members.text(member)?.filter(|text| !text.is_empty()).map(str::to_owned));
        let texts = |member| Ok::<_, Error>(members.texts(member)?.unwrap_or_default());
        let (start_ip, end_ip) = (text("startIp")?, text("endIp")?);
        let (ip_range, dns_name) = (flattened(members)?, texts("dnsName")?);
        within_limit("ipRange", ip_range.len())?;
        within_limit("dnsName", dns_name.len())?;
        if start_ip.is_none() && end_ip.is_none() && ip_range.is_empty() && dns_name.is_empty() {
            return Err(Error::AddressMissing);
        }
        let read = |text: &str, property| family.read(text).ok_or_else(|| Error::invalid_property(text, property));
        let mut ranges = Vec::new();
        if let (Some(start), Some(end)) = (start_ip.as_ref().or(end_ip.as_ref()), end_ip.as_ref().or(start_ip.as_ref()))
        {
            let (start, end) = (read(start, "startIp")?, read(end, "endIp")?);
            if start > end {
                return Err(Error::AddressesReversed);
            }
            ranges.push((start, end));
        }
        let flat = ip_range.iter().map(|ip| read(ip, "ipRange")).collect::<Result<Vec<_>, _>>()?;
        ranges.extend(flat.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))));
        for name in &dns_name {
            let rest = if name == "*" { "" } else { name.strip_prefix("*.").unwrap_or(name) };
            if name.trim().is_empty() || rest.contains('*') {
                return Err(Error::invalid_property(name, "dnsName"));
            }
        }
        Ok(Self { family, start_ip, end_ip, ip_range, dns_name, ranges })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    pub(super) fn members(&self) -> Value {
        let mut members = Map::new();
        members.extend(self.start_ip.as_ref().map(|ip| ("startIp".to_owned(), json!(ip))));
        members.extend(self.end_ip.as_ref().map(|ip| ("endIp".to_owned(), json!(ip))));
        members.insert("ipRange".to_owned(), json!(self.ip_range));
        members.insert("dnsName".to_owned(), json!(self.dns_name));
        Value::Object(members)
    }

    pub(super) fn evaluate(&self, scene: &Scene<'_>, observer: &mut impl Observer) -> Result<Outcome, Fault> {
        if let Some(names) = scene.circumstances.values("requestDnsName") {
            observer.compared(|| Comparison::new("environment.requestDnsName", json!(self.dns_name), json!(names)));
            if names.iter().any(|name| self.named(name)) {
                return Ok(Outcome::plain(true));
            }
        }
        let address = match scene.circumstances.values("requestIp") {
            Some(values) => values.first().and_then(|ip| self.family.read(ip)),
            None => scene.subject.session.as_ref().and_then(|session| session.address),
        };
        observer.compared(|| {
            let range = |(start, end): &(IpAddr, IpAddr)| format!("{start}-{end}");
            let wanted: Value = self.ranges.iter().map(range).collect();
            Comparison::new("address", wanted, address.map(|address| address.to_string()))
        });
        let within = |address: IpAddr| self.ranges.iter().any(|(start, end)| *start <= address && address <= *end);
        Ok(Outcome::plain(address.is_some_and(within)))
    }

    fn named(&self, name: &str) -> bool {
        self.dns_name.iter().any(|pattern| match pattern.strip_prefix('*') {
            Some(suffix) => {
                let from = name.len().checked_sub(suffix.len());
                from.and_then(|from| name.get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
            None => same_letters(pattern, name),
        })
    }
}

/// `ipRange` as it is stored: `a-b` becomes two elements. Repetitions mean something here.
fn flattened(members: &Members<'_>) -> Result<Vec<String>, Error> {
    members.texts("ipRange")?; // all of them strings
    let sent = members.values("ipRange")?.unwrap_or_default().iter().filter_map(Value::as_str);
    Ok(sent.flat_map(|range| range.split('-')).map(|ip| ip.trim().to_owned()).collect())
}
