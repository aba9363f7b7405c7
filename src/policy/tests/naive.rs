//! A second evaluator, as a reader of the reference would first write it down: it works on the JSON of
//! policies, looks at each of them, and shares no code with the library. Slow, and only for short strings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::policy::subject::{Profile, Session};

/// Everything a decision depends on.
pub struct World<'a> {
    /// As sent by administrators.
    pub policies: &'a [Value],
    /// The set that is asked.
    pub set: &'a str,
    pub session: Option<&'a Session>,
    pub claims: Option<&'a Map<String, Value>>,
    pub profile: Option<&'a Profile>,
    pub environment: &'a BTreeMap<String, Vec<String>>,
    pub now: i64,
    pub realm: &'a str,
}

pub type Sets = BTreeMap<String, BTreeSet<String>>;

/// A row of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub actions: BTreeMap<String, bool>,
    pub attributes: Sets,
    pub advices: Sets,
    pub ttl: i64,
}

/// Something in a policy that cannot be evaluated.
struct Broken;

const MAX: i64 = i64::MAX;

/// §6.1; `None` if the resource is refused.
pub fn evaluate(world: &World<'_>, resource: &str) -> Option<Row> {
    let requested = canon(resource)?;
    let mut row = Row { actions: BTreeMap::new(), attributes: Sets::new(), advices: Sets::new(), ttl: MAX };
    for policy in world.policies {
        if let Ok(Some(other)) = contribution(world, policy, &requested) {
            row = merge(row, other);
        }
    }
    Some(row)
}

/// §6.5, as it is written there.
fn merge(a: Row, b: Row) -> Row {
    let mut actions = BTreeMap::new();
    if a.advices.is_empty() && b.advices.is_empty() {
        actions = a.actions.clone();
        for (name, value) in b.actions {
            let both = match a.actions.get(&name) {
                Some(other) => *other && value,
                None => value,
            };
            actions.insert(name, both);
        }
    }
    Row {
        actions,
        attributes: union(a.attributes, b.attributes),
        advices: union(a.advices, b.advices),
        ttl: a.ttl.min(b.ttl),
    }
}

fn union(mut a: Sets, b: Sets) -> Sets {
    for (name, values) in b {
        for value in values {
            a.entry(name.clone()).or_default().insert(value);
        }
    }
    a
}

/// §6.2.
fn contribution(world: &World<'_>, policy: &Value, requested: &str) -> Result<Option<Row>, Broken> {
    if policy["active"] == false
        || policy["applicationName"].as_str().unwrap().to_lowercase() != world.set.to_lowercase()
    {
        return Ok(None);
    }
    let mut names: Vec<String> = Vec::new();
    for name in
        [world.session.map(|session| session.user.as_str()), world.claims.and_then(|claims| claims["sub"].as_str())]
    {
        let Some(name) = name else { continue };
        names.push(match name.find('=') {
            Some(at) => name[at + 1..].split(',').next().unwrap().trim().to_owned(),
            None => name.to_owned(),
        });
    }
    let mut speaks = false;
    for pattern in policy["resources"].as_array().unwrap() {
        let pattern = canon(pattern.as_str().unwrap()).unwrap();
        if !pattern.contains("$SELF") {
            speaks |= fits(&pattern, requested);
            continue;
        }
        for name in &names {
            // Whoever calls himself something with a meaning in patterns is nobody.
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()) {
                speaks |= fits(&canon(&pattern.replace("$SELF", name)).unwrap(), requested);
            }
        }
    }
    if !speaks || !subject(world, &policy["subject"])? {
        return Ok(None);
    }
    let said = match &policy["condition"] {
        Value::Null => said(true),
        some => condition(world, some)?,
    };
    let (actions, mut attributes) = (BTreeMap::new(), Sets::new());
    if !said.satisfied {
        return Ok(Some(Row { actions, attributes, advices: said.advices, ttl: said.ttl }));
    }
    for attribute in policy["resourceAttributes"].as_array().into_iter().flatten() {
        let name = attribute["propertyName"].as_str().unwrap();
        let values = strings(&attribute["propertyValues"]);
        if attribute["type"] == "Static" {
            attributes.entry(name.to_owned()).or_default().extend(values);
            continue;
        }
        let profile = world.profile.ok_or(Broken)?;
        for read in if values.is_empty() { vec![name.to_owned()] } else { values } {
            for value in profile.get(&read).into_iter().flatten() {
                attributes.entry(name.to_owned()).or_default().insert(value.clone());
            }
        }
    }
    let actions = policy["actionValues"].as_object().unwrap();
    Ok(Some(Row {
        actions: actions.iter().map(|(name, value)| (name.clone(), value.as_bool().unwrap())).collect(),
        attributes: union(attributes, said.attributes),
        advices: Sets::new(),
        ttl: said.ttl,
    }))
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// §1.4.
fn same_id(a: &str, b: &str) -> bool {
    let parts = |id: &str| -> Vec<String> {
        id.to_lowercase()
            .split(',')
            .flat_map(|part| part.split('=').map(|half| half.trim().to_owned()).collect::<Vec<_>>())
            .collect()
    };
    parts(a) == parts(b)
}

/// Chapter 3.
fn subject(world: &World<'_>, tree: &Value) -> Result<bool, Broken> {
    match tree["type"].as_str().unwrap() {
        "NONE" => Ok(false),
        "AuthenticatedUsers" => Ok(world.session.is_some()),
        "Identity" => {
            let Some(session) = world.session else { return Ok(false) };
            let ids: Vec<&str> = std::iter::once(&session.user).chain(&session.groups).map(|id| id.as_str()).collect();
            Ok(strings(&tree["subjectValues"]).iter().any(|wanted| ids.iter().any(|id| same_id(wanted, id))))
        }
        "JwtClaim" => {
            let Some(claims) = world.claims else { return Ok(false) };
            let wanted = tree["claimValue"].as_str().unwrap();
            match claims.get(tree["claimName"].as_str().unwrap()) {
                None | Some(Value::Null) => Ok(false),
                Some(Value::String(found)) => Ok(found == wanted),
                Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
                    Ok(all.iter().any(|found| found == wanted))
                }
                Some(_) => Err(Broken),
            }
        }
        "AND" => {
            for child in tree["subjects"].as_array().unwrap() {
                if !subject(world, child)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        "OR" => {
            for child in tree["subjects"].as_array().unwrap() {
                if subject(world, child)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "NOT" => Ok(!subject(world, &tree["subject"])?),
        _ => Err(Broken),
    }
}

struct Said {
    satisfied: bool,
    advices: Sets,
    attributes: Sets,
    ttl: i64,
}

fn said(satisfied: bool) -> Said {
    Said { satisfied, advices: Sets::new(), attributes: Sets::new(), ttl: MAX }
}

fn advise(satisfied: bool, name: &str, values: &[&str]) -> Said {
    let mut said = said(satisfied);
    if !satisfied {
        said.advices.insert(name.to_owned(), values.iter().map(|value| value.to_string()).collect());
    }
    said
}

/// Chapter 4.
fn condition(world: &World<'_>, tree: &Value) -> Result<Said, Broken> {
    let env = |key: &str| world.environment.get(key);
    let first = |key: &str| env(key).and_then(|values| values.first());
    let text = |member: &str| tree[member].as_str().unwrap_or_default();
    let (name_of, full) =
        (|q: &str| q[q.find(':').unwrap() + 1..].to_owned(), |realm: &str, name: &str| format!("{realm}:{name}"));
    let session = world.session;
    match tree["type"].as_str().unwrap() {
        // §4.1
        "AND" => {
            let mut all = said(true);
            for child in tree["conditions"].as_array().unwrap() {
                let child = condition(world, child)?;
                all.advices.extend(child.advices);
                all.attributes.extend(child.attributes);
                all.ttl = all.ttl.min(child.ttl);
                if !child.satisfied {
                    (all.satisfied, all.ttl) = (false, MAX);
                    return Ok(all);
                }
            }
            all.advices.clear();
            Ok(all)
        }
        "OR" => {
            let mut all = said(false);
            for child in tree["conditions"].as_array().unwrap() {
                let child = condition(world, child)?;
                all.advices.extend(child.advices);
                all.attributes.extend(child.attributes);
                all.ttl = all.ttl.min(child.ttl);
                if child.satisfied {
                    all.satisfied = true;
                    all.advices.clear();
                    return Ok(all);
                }
            }
            all.ttl = MAX;
            Ok(all)
        }
        "NOT" => {
            let child = condition(world, &tree["condition"])?;
            Ok(Said { attributes: child.attributes, ..said(!child.satisfied) })
        }
        // §4.2
        kind @ ("AuthLevel" | "LEAuthLevel") => {
            let current = match env("requestAuthLevel") {
                None => session.ok_or(Broken)?.auth_level,
                Some(values) => {
                    let mut highest = None;
                    for value in values {
                        let number = value.split(':').next_back().unwrap().parse::<i64>().map_err(|_| Broken)?;
                        highest = highest.max(Some(number));
                    }
                    highest.ok_or(Broken)?
                }
            };
            let wanted = tree["authLevel"].as_i64().unwrap();
            if kind == "LEAuthLevel" {
                return Ok(said(current <= wanted));
            }
            Ok(advise(current >= wanted, "AuthLevelConditionAdvice", &[&wanted.to_string()]))
        }
        // §4.3
        "AuthScheme" => {
            for scheme in strings(&tree["authScheme"]) {
                let passed = match (env("requestAuthSchemes"), session) {
                    (Some(schemes), _) => schemes.contains(&scheme),
                    (None, None) => false,
                    (None, Some(session)) => session.modules.iter().any(|module| {
                        scheme == module.name.name || scheme == full(&module.name.realm, &module.name.name)
                    }),
                };
                if !passed {
                    return Ok(advise(false, "AuthSchemeConditionAdvice", &[&scheme]));
                }
            }
            Ok(said(true))
        }
        // §4.4
        "AuthenticateToRealm" => {
            let wanted = text("authenticateToRealm");
            let bare = |realm: &str| realm.to_lowercase().replacen('/', "", usize::from(realm.starts_with('/')));
            let realms = match env("requestAuthenticatedToRealms") {
                Some(realms) => realms,
                None => &session.ok_or(Broken)?.realms,
            };
            let found = realms.iter().any(|realm| bare(realm) == bare(wanted));
            Ok(advise(found, "AuthenticateToRealmConditionAdvice", &[wanted]))
        }
        // §4.5
        "AuthenticateToService" => {
            let wanted = text("authenticateToService");
            let services: Vec<String> = match env("requestAuthenticatedToServices") {
                Some(services) => services.clone(),
                None => session.ok_or(Broken)?.services.iter().map(|q| full(&q.realm, &q.name)).collect(),
            };
            let found = services.iter().any(|service| {
                service == wanted || service.contains(':') && !wanted.contains(':') && name_of(service) == wanted
            });
            let advice = if wanted.contains(':') { wanted.to_owned() } else { full(world.realm, wanted) };
            Ok(advise(found, "AuthenticateToServiceConditionAdvice", &[&advice]))
        }
        // §4.7, only ranges and names
        kind @ ("IPv4" | "IPv6") => {
            for name in env("requestDnsName").into_iter().flatten() {
                for pattern in strings(&tree["dnsName"]) {
                    let (name, pattern) = (name.to_lowercase(), pattern.to_lowercase());
                    if pattern == "*" || pattern == name || pattern.starts_with("*.") && name.ends_with(&pattern[1..]) {
                        return Ok(said(true));
                    }
                }
            }
            let number = |text: &str| -> Option<u128> {
                match kind {
                    "IPv4" => text.parse::<std::net::Ipv4Addr>().ok().map(|ip| u128::from(u32::from(ip))),
                    _ => text.parse::<std::net::Ipv6Addr>().ok().map(u128::from),
                }
            };
            let address = match env("requestIp") {
                Some(values) => values.first().cloned(),
                None => session.and_then(|session| session.address).map(|address| address.to_string()),
            };
            let (start, end) = (number(text("startIp")), number(text("endIp")));
            let inside = match (address.and_then(|address| number(&address)), start, end) {
                (Some(address), Some(start), Some(end)) => start <= address && address <= end,
                _ => false,
            };
            Ok(said(inside))
        }
        // §4.9, union of all elements
        "OAuth2Scope" => {
            let joined = env("scope").map(|values| values.join(" ")).unwrap_or_default();
            Ok(said(
                strings(&tree["requiredScopes"]).iter().all(|wanted| joined.split(' ').any(|scope| scope == wanted)),
            ))
        }
        // §4.11
        "Session" => {
            let Some(session) = session else { return Ok(said(true)) };
            let start = match first("requestSessionCreationTime") {
                Some(text) => text.parse::<i64>().map_err(|_| Broken)?,
                None => session.authenticated_at,
            };
            let end = start + tree["maxSessionTime"].as_i64().unwrap() * 60 * 1000;
            if world.now < end {
                return Ok(Said { ttl: end, ..said(true) });
            }
            let values: &[&str] =
                if tree["terminateSession"] == true { &["deny", "terminateSession"] } else { &["deny"] };
            Ok(advise(false, "SessionConditionAdvice", values))
        }
        // §4.12
        "SessionProperty" => {
            let session = session.ok_or(Broken)?;
            let fold =
                |text: &str| if tree["ignoreValueCase"] == false { text.to_owned() } else { text.to_lowercase() };
            for (name, values) in tree["properties"].as_object().unwrap() {
                let wanted = strings(values);
                let found: Vec<&str> =
                    session.properties.get(name).map(|text| text.split('|').collect()).unwrap_or_default();
                if !wanted.is_empty()
                    && !wanted.iter().any(|wanted| found.iter().any(|found| fold(found) == fold(wanted)))
                {
                    return Ok(said(false));
                }
            }
            Ok(said(true))
        }
        // §4.13
        "SimpleTime" => {
            let now = match first("requestTime") {
                Some(text) => text.parse::<i64>().map_err(|_| Broken)?,
                None => world.now,
            };
            let zone = match (tree["enforcementTimeZone"].as_str(), first("requestTimeZone")) {
                (Some(own), _) => own,
                (None, Some(sent)) => sent,
                (None, None) => "UTC",
            };
            time(tree, now, distance(zone).ok_or(Broken)?)
        }
        // §4.14, nobody to ask for groups
        "AMIdentityMembership" => {
            let Some(principal) = first("invocatorPrincipalUuid") else { return Ok(said(false)) };
            let names = strings(&tree["amIdentityName"]);
            if names.iter().any(|name| same_id(name, principal)) {
                return Ok(said(true));
            }
            match session {
                Some(session) if same_id(session.user.as_str(), principal) => {
                    let groups = session.groups.iter().map(|group| group.as_str());
                    Ok(said(groups.into_iter().any(|group| names.iter().any(|name| same_id(name, group)))))
                }
                _ => Err(Broken),
            }
        }
        // §4.15
        "ResourceEnvIP" => {
            let session = session.ok_or(Broken)?;
            for rule in strings(&tree["resourceEnvIPConditionValue"]) {
                let (condition, demand) = rule.strip_prefix("IF ").unwrap().split_once(" THEN ").unwrap();
                let (name, value) = condition.split_once('=').unwrap();
                let sent = env(name).filter(|values| !values.is_empty());
                let matched = match (sent, env("requestIp")) {
                    (Some(values), _) => values.iter().any(|sent| sent.to_lowercase() == value.to_lowercase()),
                    (None, None) => false,
                    (None, Some(values)) => {
                        let address = values.first().cloned().or(session.address.map(|address| address.to_string()));
                        address.is_some_and(|address| inside(value, &address))
                    }
                };
                if !matched {
                    continue;
                }
                let (what, value) = demand.split_once('=').unwrap();
                let alone = |member: &str, value: &str| {
                    let mut tree = serde_json::json!({"type": member});
                    let key = format!("{}{}", member[..1].to_lowercase(), &member[1..]);
                    tree[key] = serde_json::json!(value);
                    condition_of(world, &tree)
                };
                let (said, advice) = match what {
                    "authlevel" => {
                        let tree = serde_json::json!({"type": "AuthLevel", "authLevel": value.parse::<i64>().unwrap()});
                        (condition_of(world, &tree)?, "AuthLevelConditionAdvice")
                    }
                    "module" => {
                        let tree = serde_json::json!({"type": "AuthScheme", "authScheme": [value]});
                        (condition_of(world, &tree)?, "AuthSchemeConditionAdvice")
                    }
                    "realm" => (alone("AuthenticateToRealm", value)?, "AuthenticateToRealmConditionAdvice"),
                    _ => (alone("AuthenticateToService", value)?, "AuthenticateToServiceConditionAdvice"),
                };
                return Ok(advise(said.satisfied, advice, &[value]));
            }
            Ok(said(false))
        }
        // §4.10, §4.17: nobody to ask
        _ => Err(Broken),
    }
}

/// The same as [`condition`], where that name is taken.
fn condition_of(world: &World<'_>, tree: &Value) -> Result<Said, Broken> {
    condition(world, tree)
}

/// §4.15, whether an address is in `[a]`, `[a-b]`, or `[a.b.*.*]`.
fn inside(expression: &str, address: &str) -> bool {
    let inner = expression.trim_start_matches('[').trim_end_matches(']');
    if inner.contains('*') {
        let all = inner.split('.').all(|octet| octet == "*");
        let (wanted, found): (Vec<_>, Vec<_>) = (inner.split('.').collect(), address.split('.').collect());
        return all || wanted.len() == found.len() && wanted.iter().zip(&found).all(|(w, f)| *w == "*" || w == f);
    }
    let (from, to) = inner.split_once('-').unwrap_or((inner, inner));
    let [from, to, address] = [from, to, address].map(|text| text.parse::<std::net::IpAddr>().ok());
    match (from, to, address) {
        (Some(from), Some(to), Some(address)) => {
            from.is_ipv4() == address.is_ipv4() && from <= address && address <= to
        }
        _ => false,
    }
}

/// Milliseconds east of Greenwich, of the few zones that the tests use.
fn distance(zone: &str) -> Option<i64> {
    match zone {
        "UTC" | "GMT" => Some(0),
        "GMT+2:00" => Some(7_200_000),
        "GMT-0330" => Some(-12_600_000),
        _ => None,
    }
}

const DAY: i64 = 86_400_000;

/// §4.13: on clocks that are `east` milliseconds ahead.
fn time(tree: &Value, now: i64, east: i64) -> Result<Said, Broken> {
    let here = now + east;
    let today = here.div_euclid(DAY) * DAY;
    let (mut start, mut end) = (i64::MIN, i64::MAX);
    let mut narrow = |from: i64, to: i64| {
        start = start.max(from);
        end = end.min(to);
    };
    let member = |name: &str| tree[name].as_str().filter(|text| !text.is_empty());
    let shifted = |from: i64, to: i64, by: i64| if here < from { (from - by, to) } else { (from, to + by) };
    if let (Some(from), Some(to)) = (member("startTime"), member("endTime")) {
        let clock = |text: &str| (text[..2].parse::<i64>().unwrap() * 60 + text[3..].parse::<i64>().unwrap()) * 60_000;
        let (from, to) = (today + clock(from), today + clock(to));
        let (from, to) = if to < from { shifted(from, to, DAY) } else { (from, to) };
        narrow(from, to);
    }
    if let (Some(from), Some(to)) = (member("startDay"), member("endDay")) {
        let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        let number = |day: &str| names.iter().position(|name| *name == day.to_lowercase()).unwrap() as i64;
        // 1 January 1970 was a Thursday.
        let sunday = today - (today.div_euclid(DAY) + 4).rem_euclid(7) * DAY;
        let (from, to) = (sunday + number(from) * DAY, sunday + (number(to) + 1) * DAY);
        let (from, to) = if to <= from { shifted(from, to, 7 * DAY) } else { (from, to) };
        narrow(from, to);
    }
    if let (Some(from), Some(to)) = (member("startDate"), member("endDate")) {
        narrow(date(from), date(to) + DAY);
    }
    let (start, end) = (start.saturating_sub(east), end.saturating_sub(east));
    if now < start {
        Ok(Said { ttl: start, ..said(false) })
    } else if now > end {
        Ok(said(false))
    } else {
        Ok(Said { ttl: end, ..said(true) })
    }
}

/// Milliseconds from 1970 to `yyyy:MM:dd`, day by day.
fn date(text: &str) -> i64 {
    let parts: Vec<i64> = text.split(':').map(|part| part.parse().unwrap()).collect();
    let leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let mut days = 0;
    for year in 1970..parts[0] {
        days += if leap(year) { 366 } else { 365 };
    }
    let months = [31, if leap(parts[0]) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    days += months[..parts[1] as usize - 1].iter().sum::<i64>() + parts[2] - 1;
    days * DAY
}

// ---------------------------------------------------------------------------------------------------
// Chapter 5.

/// §5.2.
pub fn canon(s: &str) -> Option<String> {
    let mixed = |text: &str| text.contains("-*-") && text.replace("-*-", "").contains('*');
    let at = s.find("://");
    let scheme = at.map(|at| &s[..at]).unwrap_or_default();
    let bare = scheme.trim_end_matches('*');
    if bare != "http" && bare != "https" {
        if mixed(s) {
            return None;
        }
        let Some(at) = at else { return Some(path(s)) };
        let rest = &s[at + 3..];
        let query = rest.find('?').map(|at| &rest[at..]).unwrap_or_default();
        let rest = &rest[..rest.len() - query.len()];
        let slash = rest.find('/').unwrap_or(rest.len());
        return Some(format!("{scheme}://{}{}{query}", &rest[..slash], path(&rest[slash..])));
    }
    let rest = s[at? + 3..].trim_start_matches('/');
    let end = rest.find('/').or(rest.find('?')).unwrap_or(rest.len());
    let (authority, remainder) = (&rest[..end], &rest[end..]);
    let colon = authority.find(':').unwrap_or(authority.len());
    let (host, port) = (&authority[..colon], authority.get(colon + 1..).unwrap_or_default());
    let digits = port.replace('*', "");
    if !digits.is_empty() && (digits.starts_with('+') || digits.starts_with('-') || digits.parse::<i32>().is_err()) {
        return None;
    }
    let port = match (port.is_empty(), scheme) {
        (false, _) => port,
        (true, "http") => "80",
        (true, "https") => "443",
        (true, _) => "*",
    };
    let star = if rest == "*" { "*" } else { "" };
    let mark = remainder.find('?').unwrap_or(remainder.len());
    let (before, mut query) = (&remainder[..mark], remainder[mark..].to_owned());
    if mixed(before) {
        return None;
    }
    if query.contains('&') {
        let mut all: Vec<&str> = remainder[mark + 1..].split('&').filter(|piece| !piece.is_empty()).collect();
        let parts = |piece: &str| match piece.find('=') {
            Some(at) => (piece[..at].to_owned(), piece[at + 1..].to_owned()),
            None => (piece.to_owned(), String::new()),
        };
        all.sort_by(|a, b| {
            let ((a, av), (b, bv)) = (parts(a), parts(b));
            (a == "*").cmp(&(b == "*")).then(a.cmp(&b)).then(av.cmp(&bv))
        });
        query = format!("?{}", all.join("&"));
    }
    Some(format!("{scheme}://{host}:{port}{star}{}{query}", path(before)))
}

/// §5.2, path normalisation.
fn path(text: &str) -> String {
    let pieces: Vec<&str> = text.split('/').collect();
    let (last, others) = pieces.split_last().unwrap();
    let mut kept: Vec<&str> = Vec::new();
    for piece in others {
        if *piece == ".." {
            kept.pop();
        } else if !piece.is_empty() && *piece != "." {
            kept.push(piece);
        }
    }
    let mut out = String::from(if text.starts_with('/') { "/" } else { "" });
    out += &kept.join("/");
    if !kept.is_empty() || last.is_empty() && text.ends_with('/') && out.is_empty() {
        out.push('/');
    }
    out + last
}

/// §5.3; `None` if either has no canonical form.
pub fn matches(pattern: &str, resource: &str) -> Option<bool> {
    Some(fits(&canon(pattern)?, &canon(resource)?))
}

/// §5.3, of canonical forms.
fn fits(pattern: &str, resource: &str) -> bool {
    let (p, r) = (pattern.to_ascii_lowercase(), resource.to_ascii_lowercase());
    let with_levels: Vec<char> = p.replace("-*-", "^").chars().collect();
    let text: Vec<char> = r.chars().collect();
    anchored(&with_levels, &text) && gate(&p, &r) && (p == r || compare_url(&r, &p) == Some(true))
}

/// Test 1: each wildcard tries every length it may have.
fn anchored(p: &[char], r: &[char]) -> bool {
    let Some((first, others)) = p.split_first() else {
        return r.is_empty();
    };
    if !matches!(first, '*' | '^') {
        return r.first() == Some(first) && anchored(others, &r[1..]);
    }
    (0..=r.len()).any(|n| may_span(*first, &r[..n], n == r.len()) && anchored(others, &r[n..]))
}

fn may_span(wildcard: char, gap: &[char], to_the_end: bool) -> bool {
    gap.iter().enumerate().all(|(n, c)| {
        let last = n + 1 == gap.len();
        match c {
            '?' | '#' => last && to_the_end,
            '/' if wildcard == '^' => last,
            _ => true,
        }
    })
}

/// Test 2.
fn gate(p: &str, r: &str) -> bool {
    let (Some(p), Some(r)) = (host(p), host(r)) else {
        return host(p) == host(r);
    };
    let certain = match p.rfind('*') {
        None => p,
        Some(star) => match p[star..].find('.') {
            None => String::new(),
            Some(dot) => p[star + dot..].to_owned(),
        },
    };
    let mut dots = r.match_indices('.').map(|(dot, _)| &r[dot..]);
    certain.is_empty() || certain == r || dots.any(|suffix| suffix == certain)
}

fn host(u: &str) -> Option<String> {
    let start = u.find("://")?;
    let rest = &u[start + 3..];
    let slash = rest.find('/').unwrap_or(rest.len());
    let end = match &u[..start] {
        "http" | "https" => rest.find(':').unwrap_or(slash),
        _ => slash,
    };
    Some(rest[..end].to_owned())
}

/// Test 3: `Some(true)` for Wild, `Some(false)` for Exact, `None` for no match.
fn compare_url(r: &str, p: &str) -> Option<bool> {
    let (Some(r_at), Some(p_at)) = (r.find("://"), p.find("://")) else {
        return compare(r, p);
    };
    let slashed = |text: &str| {
        if text.contains('/') { text.to_owned() } else { format!("{text}/") }
    };
    let (r_rest, p_rest) = (slashed(&r[r_at + 3..]), slashed(&p[p_at + 3..]));
    let Some(p_colon) = p_rest.find(':') else {
        return compare(r, p);
    };
    let scheme = compare(&r[..r_at], &p[..p_at])?;
    let p_slash = p_rest.find('/').unwrap();
    if p_slash < p_colon {
        return compare(&r_rest, &p_rest);
    }
    let r_colon = r_rest.find(':')?;
    let r_slash = r_rest.find('/').unwrap();
    if r_slash < r_colon {
        return None;
    }
    let host = compare(&r_rest[..r_colon], &p_rest[..p_colon])?;
    let port = compare(&r_rest[r_colon..r_slash], &p_rest[p_colon..p_slash])?;
    let (r_tail, p_tail) = (&r_rest[r_slash..], &p_rest[p_slash..]);
    let tail = match (r_tail.find('?'), p_tail.find('?')) {
        (Some(r_q), Some(p_q)) => {
            let path = compare(&r_tail[..r_q], &p_tail[..p_q])?;
            let query = compare(&r_tail[r_q + 1..], &p_tail[p_q + 1..])?;
            path | query
        }
        (Some(_), None) => return None,
        (None, _) => compare(r_tail, p_tail)?,
    };
    Some(scheme | host | port | tail)
}

fn compare(r: &str, p: &str) -> Option<bool> {
    let strip = |text: &str| {
        let mut text = text.to_owned();
        while text.ends_with("*?*") {
            text.truncate(text.len() - 2);
        }
        text
    };
    let (r, p) = (strip(r), strip(p));
    if p.contains("-*-") {
        let [r, mut p] =
            [&r, &p].map(|text| text.split('/').filter(|t| !t.is_empty()).map(str::to_owned).collect::<Vec<_>>());
        let wild = p.iter().any(|token| token.contains("-*-"));
        if p.len() == r.len() + 1 && p.last().is_some_and(|token| token == "-*-") {
            p.pop();
        }
        let same = |r: &String, p: &String| {
            let p: Vec<char> = p.replace("-*-", "^").chars().collect();
            any_glob(&p, '^', &r.chars().collect::<Vec<_>>())
        };
        return (r.len() == p.len() && r.iter().zip(&p).all(|(r, p)| same(r, p))).then_some(wild);
    }
    let [r, p] = [&r, &p].map(|text| text.chars().collect::<Vec<_>>());
    any_glob(&p, '*', &r).then(|| p.contains(&'*'))
}

fn any_glob(p: &[char], wildcard: char, r: &[char]) -> bool {
    match p.split_first() {
        None => r.is_empty(),
        Some((c, others)) if *c == wildcard => (0..=r.len()).any(|n| any_glob(others, wildcard, &r[n..])),
        Some((c, others)) => r.first() == Some(c) && any_glob(others, wildcard, &r[1..]),
    }
}
