//! The resource language: how a policy's patterns and a request's resources are written and compared.
//!
//! | reference                                   | here                                    |
//! |---------------------------------------------|-----------------------------------------|
//! | §5.2 canonical form                         | [`canonical`]                           |
//! | §5.3 a match needs all three tests          | [`Pattern::matches`]                    |
//! | §5.3 test 1, anchored glob                  | `anchored`, `anchored_levels`           |
//! | §5.3 test 2, authority gate                 | `Pattern::gate`, `Resource::host`       |
//! | §5.3 test 3, structural comparison          | `compare_url`, `compare`, `compare_tokens` |
//! | §5.5 pattern check when a policy is written | [`Pattern::accepts`]                    |
//! | §5.7 the other comparators                  | [`Comparator`]                          |
//! | §6.2 `$SELF`                                | [`Pattern::for_principal`]              |
//! | §6.8 relevant for a tree, and related in it | `Pattern::is_relevant_for`, `Pattern::relation` |
//!
//! Two wildcards exist: `*` (any characters) and `-*-` (one level). Nothing here backtracks: with `n`
//! and `m` the lengths and `k ≤` [`MAX_WILDCARDS`], a comparison takes `O(n + m)` steps when the pattern
//! has no `-*-`, and `O(k·n + m)` when it has. Regular expressions are automata of bounded size
//! ([`MAX_REGEX`]), so they are linear in the resource, too.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::Error;

/// Longest resource or pattern, in bytes as sent. The reference documents no limit; URLs longer than
/// this do not survive common proxies either.
pub const MAX_LENGTH: usize = 4096;

/// Most wildcards in one pattern. Bounds the one part of matching whose cost grows with them.
pub const MAX_WILDCARDS: usize = 64;

/// Largest compiled regular expression, in bytes of automaton.
pub const MAX_REGEX: usize = 1 << 18;

/// How the resources of a set's policies are written and compared (§5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comparator {
    /// The language of chapter 5.
    #[default]
    Url,
    /// That without the special form of http and https; whole strings are compared.
    Prefix,
    /// Equality of what was sent.
    Exact,
    /// The policy's resource is a regular expression for the whole request. Look-around and
    /// back-references, whose cost nothing bounds, are refused.
    Regex,
    /// UMA's own, which is not served: no policy of such a set ever matches.
    None,
}

const LEVEL: &str = "-*-";
const SELF: &str = "$SELF";

/// Why a string has no canonical form (§5.2), or is not taken for its size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    #[error("Invalid port {0}")]
    InvalidPort(String),
    #[error("both types of wildcards in the path of an http URL")]
    MixedWildcardsInUrl,
    #[error("both types of wildcards")]
    MixedWildcards,
    #[error("longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("more than {MAX_WILDCARDS} wildcards")]
    TooManyWildcards,
    #[error("not a regular expression of bounded cost")]
    Regex,
}

/// What an evaluation answers when a requested resource is not canonical (§2.6.4).
impl From<NotCanonical> for Error {
    fn from(reason: NotCanonical) -> Self {
        match reason {
            NotCanonical::InvalidPort(port) => Error::InvalidPort(super::error::excerpt(&port)),
            NotCanonical::MixedWildcardsInUrl => Error::InvalidPort("{0}".into()),
            NotCanonical::MixedWildcards => Error::MixedWildcards,
            NotCanonical::TooLong | NotCanonical::TooManyWildcards | NotCanonical::Regex => {
                Error::invalid_value("resources")
            }
        }
    }
}

/// A resource that a request asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    canonical: String,
    folded: String,
}

impl Resource {
    /// Canonicalises what the request sent to a set with the URL comparator.
    pub fn parse(sent: &str) -> Result<Self, NotCanonical> {
        Self::parse_for(Comparator::Url, sent)
    }

    /// Canonicalises what the request sent.
    pub fn parse_for(comparator: Comparator, sent: &str) -> Result<Self, NotCanonical> {
        let (canonical, folded) = forms(comparator, sent)?;
        Ok(Self { canonical, folded })
    }

    /// The canonical form, in the request's letter case (what conditions get to see).
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The canonical form in lower case: what is compared.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }

    /// What the authority gate compares (§5.3 test 2); `None` without `://`.
    pub(crate) fn host(&self) -> Option<&str> {
        host(&self.folded)
    }
}

/// A policy's resource, or a pattern of a resource type.
#[derive(Debug, Clone)]
pub struct Pattern {
    canonical: String,
    folded: String,
    rule: Rule,
    names_principal: bool,
}

/// A [`Comparator`], ready.
#[derive(Debug, Clone)]
enum Rule {
    Url,
    Prefix,
    Exact,
    Regex(Box<Regex>),
    None,
}

impl Pattern {
    /// Canonicalises what an administrator wrote for a set with the URL comparator.
    pub fn parse(sent: &str) -> Result<Self, NotCanonical> {
        Self::parse_for(Comparator::Url, sent)
    }

    /// Canonicalises what an administrator wrote.
    pub fn parse_for(comparator: Comparator, sent: &str) -> Result<Self, NotCanonical> {
        let (canonical, folded) = forms(comparator, sent)?;
        let rule = match comparator {
            Comparator::Url => Rule::Url,
            Comparator::Prefix => Rule::Prefix,
            Comparator::Exact => Rule::Exact,
            Comparator::None => Rule::None,
            Comparator::Regex => Rule::Regex(Box::new(regex(&canonical)?)),
        };
        let globs = matches!(rule, Rule::Url | Rule::Prefix);
        if globs && canonical.bytes().filter(|byte| *byte == b'*').count() > MAX_WILDCARDS {
            return Err(NotCanonical::TooManyWildcards);
        }
        let names_principal = canonical.contains(SELF);
        Ok(Self { canonical, folded, rule, names_principal })
    }

    /// The comparator it was written for.
    pub fn comparator(&self) -> Comparator {
        match self.rule {
            Rule::Url => Comparator::Url,
            Rule::Prefix => Comparator::Prefix,
            Rule::Exact => Comparator::Exact,
            Rule::Regex(_) => Comparator::Regex,
            Rule::None => Comparator::None,
        }
    }

    /// The canonical form: what is stored and read back.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether a policy with this resource speaks about `resource` (§5.3, §5.7), which is of the same comparator.
    pub fn matches(&self, resource: &Resource) -> bool {
        let (pattern, resource) = (self.folded.as_str(), resource.folded.as_str());
        match &self.rule {
            Rule::None => false,
            Rule::Exact => pattern == resource,
            Rule::Regex(regex) => regex.is_match(resource),
            // All tests come down to equality without a wildcard.
            Rule::Url | Rule::Prefix if self.is_literal() => pattern == resource,
            Rule::Url | Rule::Prefix => {
                anchored(pattern, resource)
                    && gate_passes(pattern, resource)
                    && (pattern == resource || self.compare(resource) == Fit::Wild)
            }
        }
    }

    /// Whether a policy may have `resource` when this is a pattern of its resource type (§5.5).
    /// Structural only, hence a little wider than [`Pattern::matches`].
    pub fn accepts(&self, resource: &Pattern) -> bool {
        let (pattern, resource) = (self.folded.as_str(), resource.folded.as_str());
        match self.rule {
            Rule::Url | Rule::None => {
                is_or_lies_below(resource, pattern) || compare_url(resource, pattern) == Fit::Wild
            }
            Rule::Prefix => is_or_lies_below(resource, pattern) || compare(resource, pattern) == Fit::Wild,
            Rule::Exact | Rule::Regex(_) => matches!(self.compare(resource), Fit::Exact | Fit::Wild),
        }
    }

    /// How `request`, resource or pattern in lower case, compares to this pattern.
    fn compare(&self, request: &str) -> Fit {
        match &self.rule {
            Rule::Url => compare_url(request, &self.folded),
            Rule::Prefix => compare(request, &self.folded),
            Rule::Exact if request == self.folded => Fit::Exact,
            Rule::Regex(_) if request == self.folded => Fit::Exact,
            Rule::Regex(regex) if regex.is_match(request) => Fit::Wild,
            Rule::Exact | Rule::Regex(_) | Rule::None => Fit::No,
        }
    }

    /// Whether a tree of `resource` shows this pattern (§6.8 step 2): it covers the resource or lies below it.
    pub(crate) fn is_relevant_for(&self, resource: &Resource) -> bool {
        if matches!(self.rule, Rule::None) {
            return false;
        }
        let globs = matches!(self.rule, Rule::Url | Rule::Prefix);
        matches!(self.compare(&resource.folded), Fit::Wild | Fit::Sub)
            || self.folded == resource.folded
            || globs && is_or_lies_below(&self.folded, &resource.folded)
    }

    /// Where `entry` stands to this row of a tree (§6.8 step 4).
    pub(crate) fn relation(&self, entry: &Pattern) -> Fit {
        self.compare(&entry.folded)
    }

    /// The pattern with `$SELF` replaced by a principal's name (§6.2). `None` when the name could not
    /// stand for itself: with a wildcard or a separator in it, the caller would choose what it matches.
    pub fn for_principal(&self, name: &str) -> Option<Pattern> {
        let plain = !name.is_empty()
            && !matches!(name, "." | "..")
            && !name.contains(|c: char| "*/?#&=:$".contains(c) || c.is_control());
        let name = match self.rule {
            Rule::Regex(_) => Cow::Owned(regex::escape(name)),
            _ => Cow::Borrowed(name),
        };
        let named = || Pattern::parse_for(self.comparator(), &self.canonical.replace(SELF, &name)).ok();
        plain.then(named).flatten()
    }

    /// Whether the pattern depends on who asks.
    pub fn names_principal(&self) -> bool {
        self.names_principal
    }

    /// Whether the pattern has no wildcard, so that it matches exactly its own lower-case form.
    pub(crate) fn is_literal(&self) -> bool {
        match self.rule {
            Rule::Url | Rule::Prefix => !self.folded.contains('*'),
            Rule::Exact => true,
            Rule::Regex(_) | Rule::None => false,
        }
    }

    /// Whether what matches can be told by pieces of the pattern's text.
    pub(crate) fn is_glob(&self) -> bool {
        matches!(self.rule, Rule::Url | Rule::Prefix)
    }

    /// The canonical form in lower case: what is compared.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }

    /// What every matching resource starts with, whoever `$SELF` is.
    pub(crate) fn certain_prefix(&self) -> &str {
        if !self.is_glob() {
            return "";
        }
        let head = self.folded.split('*').next().unwrap_or_default();
        let head = match self.names_principal() {
            // A name may change the order of a query.
            true => head.split(['$', '?']).next().unwrap_or_default(),
            false => head,
        };
        // The `-` may belong to a `-*-`; a shorter prefix is true as well.
        head.strip_suffix('-').unwrap_or(head)
    }

    /// What every matching resource ends with.
    pub(crate) fn certain_suffix(&self) -> &str {
        let tail = self.folded.rsplit('*').next().unwrap_or_default();
        tail.strip_prefix('-').unwrap_or(tail)
    }

    /// What every matching resource has somewhere between its ends, each on its own.
    pub(crate) fn certain_pieces(&self) -> impl Iterator<Item = &str> {
        let between = self.folded.split_once('*').and_then(|(_, rest)| rest.rsplit_once('*'));
        let pieces = between.map(|(between, _)| between).into_iter().flat_map(|between| between.split('*'));
        let pieces = pieces.map(|piece| piece.strip_prefix('-').unwrap_or(piece));
        pieces.map(|piece| piece.strip_suffix('-').unwrap_or(piece))
    }

    /// What the host of every matching resource ends with (§5.3 test 2); `None` without `://`.
    pub(crate) fn gate(&self) -> Option<&str> {
        host(&self.folded).map(gate)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical && self.comparator() == other.comparator()
    }
}

impl Eq for Pattern {}

/// The canonical form of `sent`, and what is compared of it.
fn forms(comparator: Comparator, sent: &str) -> Result<(String, String), NotCanonical> {
    let canonical = match comparator {
        Comparator::Url | Comparator::None => canonical(sent)?,
        Comparator::Prefix => canonical_plain(sent)?,
        Comparator::Exact | Comparator::Regex if sent.len() > MAX_LENGTH => return Err(NotCanonical::TooLong),
        Comparator::Exact | Comparator::Regex => sent.to_owned(),
    };
    let folded = match comparator {
        Comparator::Exact | Comparator::Regex => canonical.clone(),
        _ => fold(&canonical),
    };
    Ok((canonical, folded))
}

/// An expression for a whole text, whose search is linear and whose automaton is bounded.
pub(crate) fn regex(pattern: &str) -> Result<Regex, NotCanonical> {
    let whole = format!(r"\A(?:{pattern})\z");
    let mut builder = RegexBuilder::new(&whole);
    let bounded = builder.size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).nest_limit(64);
    // On its own first, so that what is wrapped cannot close the group that wraps it.
    let alone = RegexBuilder::new(pattern).size_limit(MAX_REGEX).dfa_size_limit(MAX_REGEX).nest_limit(64).build();
    alone.and_then(|_| bounded.build()).map_err(|_| NotCanonical::Regex)
}

/// The canonical form (§5.2). Idempotent.
pub fn canonical(sent: &str) -> Result<String, NotCanonical> {
    if sent.len() > MAX_LENGTH {
        return Err(NotCanonical::TooLong);
    }
    let canonical = match split_scheme(sent) {
        // Lower-case only: `HTTPS://…` gets no port (§5.6 no. 7).
        Some((scheme, rest)) if matches!(scheme.trim_end_matches('*'), "http" | "https") => {
            canonical_http(scheme, rest)?
        }
        _ => return canonical_plain(sent),
    };
    // A port may have been added; what is stored must be readable again.
    if canonical.len() > MAX_LENGTH { Err(NotCanonical::TooLong) } else { Ok(canonical) }
}

/// §5.2 case b.
fn canonical_plain(sent: &str) -> Result<String, NotCanonical> {
    if sent.len() > MAX_LENGTH {
        return Err(NotCanonical::TooLong);
    }
    if mixes_wildcards(sent) {
        return Err(NotCanonical::MixedWildcards);
    }
    Ok(match split_scheme(sent) {
        Some((scheme, rest)) => {
            let (location, query) = cut(rest, '?');
            let (authority, path) = cut(location, '/');
            match normalised(path) {
                Cow::Borrowed(_) => sent.to_owned(),
                Cow::Owned(path) => format!("{scheme}://{authority}{path}{query}"),
            }
        }
        None => normalised(sent).into_owned(),
    })
}

/// §5.2 case a. `scheme` is `http` or `https`, perhaps with stars behind it.
fn canonical_http(scheme: &str, rest: &str) -> Result<String, NotCanonical> {
    let rest = rest.trim_start_matches('/');
    let (authority, remainder) = if rest.contains('/') { cut(rest, '/') } else { cut(rest, '?') };
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let digits = port.replace('*', "");
    let is_number = || digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i32>().is_ok();
    if !digits.is_empty() && !is_number() {
        return Err(NotCanonical::InvalidPort(port.to_owned()));
    }
    let port = match (port, scheme) {
        ("", "http") => "80",
        ("", "https") => "443",
        ("", _) => "*",
        (port, _) => port,
    };
    let (path, query) = cut(remainder, '?');
    if mixes_wildcards(path) {
        return Err(NotCanonical::MixedWildcardsInUrl);
    }
    let everything = if rest == "*" { "*" } else { "" };
    let path = normalised(path);
    let query = sorted_query(query);
    Ok(format!("{scheme}://{host}:{port}{everything}{path}{query}"))
}

/// Whether a string has both `*` and `-*-`.
fn mixes_wildcards(text: &str) -> bool {
    text.contains('*') && text.contains(LEVEL) && text.replace(LEVEL, "").contains('*')
}

/// Path normalisation (§5.2): empty segments, `.` and `..` go, but not the piece after the last slash.
fn normalised(path: &str) -> Cow<'_, str> {
    let is_step = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.']);
    match path.starts_with('.') || path.as_bytes().windows(2).any(is_step) {
        true => Cow::Owned(resolved(path)),
        false => Cow::Borrowed(path),
    }
}

/// [`normalised`], step by step.
fn resolved(path: &str) -> String {
    let (directories, last) = path.rsplit_once('/').unwrap_or(("", path));
    let mut kept: Vec<&str> = Vec::new();
    for segment in directories.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    if path.starts_with('/') {
        out.push('/');
    }
    for segment in kept {
        out.push_str(segment);
        out.push('/');
    }
    if last.is_empty() && path.ends_with('/') && !out.ends_with('/') {
        out.push('/');
    }
    out.push_str(last);
    out
}

/// `query` with its `?`. Parameters are ordered by name, then value, with one named `*` last;
/// a single parameter stays as it is.
fn sorted_query(query: &str) -> Cow<'_, str> {
    let Some(parameters) = query.strip_prefix('?').filter(|query| query.contains('&')) else {
        return Cow::Borrowed(query);
    };
    let mut parameters: Vec<&str> = parameters.split('&').filter(|parameter| !parameter.is_empty()).collect();
    parameters.sort_by_key(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (name == "*", name, value)
    });
    Cow::Owned(format!("?{}", parameters.join("&")))
}

/// Lower case, character by character: what a character folds to must not depend on its neighbours,
/// because in a pattern the neighbour may be a wildcard.
fn fold(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.chars().flat_map(char::to_lowercase).collect(),
    }
}

/// Splits at the first `://`. Every resource is looked at, and preparing a search for a text costs more than looking.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let at = url.as_bytes().windows(3).position(|three| three == b"://")?;
    Some((url.get(..at)?, url.get(at + 3..)?))
}

/// Splits before the first `delimiter`; the second half keeps it, or is empty.
fn cut(text: &str, delimiter: char) -> (&str, &str) {
    text.find(delimiter).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

// ---------------------------------------------------------------------------------------------------
// Test 1: the anchored glob. Neither wildcard crosses `?` or `#`, except one at the very end.

fn ends_a_wildcard(byte: u8) -> bool {
    matches!(byte, b'?' | b'#')
}

fn anchored(pattern: &str, resource: &str) -> bool {
    if pattern.contains(LEVEL) {
        return anchored_levels(pattern, resource);
    }
    let clear = |gap: &str| !gap.bytes().any(ends_a_wildcard);
    glob(pattern, "*", resource, clear)
        || pattern.ends_with('*')
            && resource.strip_suffix(['?', '#']).is_some_and(|resource| glob(pattern, "*", resource, clear))
}

/// Whether `text` is the pieces of `pattern` between the wildcards, in order, with gaps that `may_span`.
///
/// The leftmost place for each piece is enough: whatever a later place would leave to the following
/// gap, the leftmost leaves too. That needs of `may_span` that it holds for every part of a gap it
/// holds for, and that a piece holding a forbidden character has one possible place (its first
/// forbidden character is the first one there is).
fn glob(pattern: &str, wildcard: &str, text: &str, may_span: impl Fn(&str) -> bool) -> bool {
    let mut pieces = pattern.split(wildcard).peekable();
    let head = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.strip_suffix(piece).is_some_and(may_span);
        }
        match rest.split_once(piece) {
            Some((gap, after)) if may_span(gap) => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

/// Test 1 for patterns with `-*-`. A level may swallow one `/` at its end, so an earlier place for a
/// piece is not always the better one: this follows all places at once, as a set of positions.
fn anchored_levels(pattern: &str, resource: &str) -> bool {
    let text = resource.as_bytes();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for (n, levels) in pattern.split(LEVEL).enumerate() {
        if n > 0 {
            reached = after_wildcard(&reached, text, true);
        }
        for (n, literal) in levels.split('*').enumerate() {
            if n > 0 {
                reached = after_wildcard(&reached, text, false);
            }
            reached = after_literal(&reached, text, literal.as_bytes());
        }
        if !reached.contains(&true) {
            return false;
        }
    }
    reached.last() == Some(&true)
}

/// Positions reached by a wildcard from the positions in `from`; `one_level` for `-*-`.
fn after_wildcard(from: &[bool], text: &[u8], one_level: bool) -> Vec<bool> {
    let mut to = from.to_vec();
    let mut spanning = false;
    for (at, byte) in text.iter().enumerate() {
        spanning |= from[at];
        let swallows = !ends_a_wildcard(*byte) || at + 1 == text.len();
        to[at + 1] |= spanning && swallows;
        spanning &= !(ends_a_wildcard(*byte) || one_level && *byte == b'/');
    }
    to
}

/// Positions right behind `literal`, for each position in `from` where it occurs. One pass
/// (Knuth–Morris–Pratt), whatever repeats itself in either string.
fn after_literal(from: &[bool], text: &[u8], literal: &[u8]) -> Vec<bool> {
    if literal.is_empty() {
        return from.to_vec();
    }
    // border[i]: length of the longest proper prefix of literal[..=i] that is also its suffix.
    let mut border = vec![0; literal.len()];
    let mut length = 0;
    for at in 1..literal.len() {
        while length > 0 && literal[at] != literal[length] {
            length = border[length - 1];
        }
        length += usize::from(literal[at] == literal[length]);
        border[at] = length;
    }
    let mut to = vec![false; from.len()];
    let mut length = 0;
    for (at, byte) in text.iter().enumerate() {
        while length > 0 && (length == literal.len() || *byte != literal[length]) {
            length = border[length - 1];
        }
        length += usize::from(*byte == literal[length]);
        if length == literal.len() {
            to[at + 1] = from[at + 1 - length];
        }
    }
    to
}

// ---------------------------------------------------------------------------------------------------
// Test 2: the authority gate.

fn gate_passes(pattern: &str, resource: &str) -> bool {
    match (host(pattern).map(gate), host(resource)) {
        (None, None) => true,
        (Some(gate), Some(host)) => gate.is_empty() || gate == host || gate.starts_with('.') && host.ends_with(gate),
        _ => false,
    }
}

/// The host, without the port for http and https and with it for any other scheme.
fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = split_scheme(url)?;
    let cut_at_port = matches!(scheme, "http" | "https") && rest.contains(':');
    Some(cut(rest, if cut_at_port { ':' } else { '/' }).0)
}

/// The part of a pattern's host that is certain: from the first dot behind its last wildcard.
fn gate(host: &str) -> &str {
    match host.rsplit_once('*') {
        None => host,
        Some((_, tail)) => cut(tail, '.').1,
    }
}

// ---------------------------------------------------------------------------------------------------
// Test 3: the structural comparison.

/// How a request compares to a pattern. Only `Exact` and `Wild` are a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Exact,
    Wild,
    /// The pattern lies below the request.
    Sub,
    /// The request lies below the pattern.
    Super,
    No,
}

impl Fit {
    fn fits(self) -> bool {
        matches!(self, Fit::Exact | Fit::Wild)
    }

    /// Of two parts that fit, what they are together.
    fn and(self, other: Fit) -> Fit {
        if self == Fit::Exact { other } else { self }
    }
}

/// `cmpUrl` of §5.3.
fn compare_url(request: &str, pattern: &str) -> Fit {
    let (Some((request_scheme, r)), Some((pattern_scheme, p))) = (split_scheme(request), split_scheme(pattern)) else {
        return compare(request, pattern);
    };
    if !p.contains(':') {
        return compare(request, pattern);
    }
    let scheme = compare(request_scheme, pattern_scheme);
    if !scheme.fits() {
        return Fit::No;
    }
    let (r, p) = (with_slash(r), with_slash(p));
    let (p_authority, p_rest) = cut(&p, '/');
    let (p_host, p_port) = cut(p_authority, ':'); // the port keeps its colon
    if p_port.is_empty() {
        return compare(&r, &p);
    }
    // A request whose first colon lies in its path has no port. (The reference only says what happens
    // without any colon; with this one it cannot cut out a port either.)
    let (r_authority, r_rest) = cut(&r, '/');
    let (r_host, r_port) = cut(r_authority, ':');
    if r_port.is_empty() {
        return Fit::No;
    }
    let (host, port) = (compare(r_host, p_host), compare(r_port, p_port));
    if !host.fits() || !port.fits() {
        return Fit::No;
    }
    let rest = match (r_rest.split_once('?'), p_rest.split_once('?')) {
        (Some((r_path, r_query)), Some((p_path, p_query))) => match compare(r_path, p_path) {
            path if path.fits() => match compare(r_query, p_query) {
                query if query.fits() => path.and(query),
                misfit => misfit,
            },
            misfit => misfit,
        },
        (Some(_), None) => Fit::Super,
        (None, _) => compare(r_rest, p_rest),
    };
    if rest.fits() { scheme.and(host).and(port).and(rest) } else { rest }
}

fn with_slash(text: &str) -> Cow<'_, str> {
    if text.contains('/') { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}/")) }
}

/// `cmp` of §5.3.
fn compare(request: &str, pattern: &str) -> Fit {
    let (request, pattern) = (without_open_query(request), without_open_query(pattern));
    if pattern.contains(LEVEL) {
        compare_tokens(request, pattern)
    } else if !pattern.contains('*') {
        prefix_relation(request, pattern)
    } else if glob(pattern, "*", request, |_| true) {
        Fit::Wild
    } else {
        glob_relation(request, pattern)
    }
}

/// The prefix relation of §5.3.
fn prefix_relation(request: &str, pattern: &str) -> Fit {
    if request == pattern {
        Fit::Exact
    } else if is_or_lies_below(pattern, request) {
        Fit::Sub
    } else if is_or_lies_below(request, pattern) {
        Fit::Super
    } else {
        Fit::No
    }
}

/// The glob relation of §5.3, of a request that does not match.
fn glob_relation(request: &str, pattern: &str) -> Fit {
    let mut pieces = pattern.split('*').peekable();
    let head = pieces.next().unwrap_or_default();
    let Some(mut rest) = request.strip_prefix(head) else {
        return if is_or_lies_below(head, request) { Fit::Sub } else { Fit::No };
    };
    while let Some(piece) = pieces.next() {
        let found = if pieces.peek().is_none() { rest.rsplit_once(piece) } else { rest.split_once(piece) };
        match found {
            None => return Fit::Sub,
            Some((_, after)) => rest = after,
        }
    }
    if rest.starts_with('/') { Fit::Super } else { Fit::Sub }
}

/// `…*?*` says the same as `…*`, as far as this comparison goes.
fn without_open_query(mut text: &str) -> &str {
    while let Some(shorter) = text.strip_suffix("?*").filter(|rest| rest.ends_with('*')) {
        text = shorter;
    }
    text
}

/// `tokenCmp` of §5.3: level by level.
fn compare_tokens(request: &str, pattern: &str) -> Fit {
    let mut request = request.split('/').filter(|token| !token.is_empty());
    let mut pattern = pattern.split('/').filter(|token| !token.is_empty());
    let mut fit = Fit::Exact;
    loop {
        match (request.next(), pattern.next()) {
            (None, None) => return fit,
            (Some(_), None) => return Fit::Super,
            (None, Some(token)) => {
                let empty_level = token == LEVEL && pattern.next().is_none();
                return if empty_level { Fit::Wild } else { Fit::Sub };
            }
            (Some(r), Some(p)) if p.contains(LEVEL) => {
                if !glob(p, LEVEL, r, |_| true) {
                    return Fit::No;
                }
                fit = Fit::Wild;
            }
            (Some(r), Some(p)) if r == p => {}
            _ => return Fit::No,
        }
    }
}

/// The literal half of §5.5: `text` is `base` or begins with `base` and a slash.
fn is_or_lies_below(text: &str, base: &str) -> bool {
    match text.strip_prefix(base) {
        None => false,
        Some(rest) => rest.is_empty() || base.ends_with('/') || rest.starts_with('/'),
    }
}

#[cfg(test)]
mod tests;
