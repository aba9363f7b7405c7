//! The case tables of §5.2, §5.4 and §5.5, and the matcher against a second, slower one.

use proptest::prelude::*;

use super::*;
use crate::policy::tests::naive;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Yes,
    No,
    Refused,
}
use Says::{No, Refused, Yes};

fn says(pattern: &str, resource: &str) -> Says {
    match (Pattern::parse(pattern), Resource::parse(resource)) {
        (Ok(pattern), Ok(resource)) if pattern.matches(&resource) => Yes,
        (Ok(_), Ok(_)) => No,
        _ => Refused,
    }
}

/// §5.4, in the reference's order and with its numbers.
#[rustfmt::skip]
const CASES: [(u8, &str, &str, Says); 127] = [
    // A. Literal resources and canonicalisation
    (1, "https://pay.acme.test/cart", "https://pay.acme.test:443/cart", Yes),
    (2, "http://pay.acme.test/cart", "http://pay.acme.test:80/cart", Yes),
    (3, "https://pay.acme.test:8443/cart", "https://pay.acme.test/cart", No),
    (4, "https://pay.acme.test/cart", "http://pay.acme.test/cart", No),
    (5, "https://pay.acme.test/Cart", "https://PAY.acme.test/cART", Yes),
    (6, "HTTPS://pay.acme.test/cart", "https://pay.acme.test/cart", No),
    (7, "https://pay.acme.test/cart", "https://pay.acme.test/cart/", No),
    (8, "https://pay.acme.test/cart/", "https://pay.acme.test/cart", No),
    (9, "https://pay.acme.test/cart", "https://pay.acme.test//cart", Yes),
    (10, "https://pay.acme.test/cart", "https://pay.acme.test/x/../cart", Yes),
    (11, "https://pay.acme.test/cart", "https://pay.acme.test/../../cart", Yes),
    (12, "https://pay.acme.test/cart", "https://pay.acme.test/./cart", Yes),
    (13, "https://pay.acme.test/cart", "https://pay.acme.test/%63art", No),
    (14, "https://pay.acme.test", "https://pay.acme.test", Yes),
    (15, "https://pay.acme.test", "https://pay.acme.test/", No),
    (16, "https://pay.acme.test/", "https://pay.acme.test", No),
    (17, "http://pay.acme.test:080/a", "http://pay.acme.test/a", No),
    (18, "https://pay.acme.test/cart", "https://pay.acme.test/cart#top", No),
    // B. Multi-level wildcard in paths
    (19, "https://pay.acme.test/*", "https://pay.acme.test/", Yes),
    (20, "https://pay.acme.test/*", "https://pay.acme.test", No),
    (21, "https://pay.acme.test/*", "https://pay.acme.test/a/b/c.html", Yes),
    (22, "https://pay.acme.test/docs/*", "https://pay.acme.test/docs/", Yes),
    (23, "https://pay.acme.test/docs/*", "https://pay.acme.test/docs", No),
    (24, "https://pay.acme.test/docs*", "https://pay.acme.test/docs", Yes),
    (25, "https://pay.acme.test/docs*", "https://pay.acme.test/docsite/x", Yes),
    (26, "https://pay.acme.test/docs*", "https://pay.acme.test/doc", No),
    (27, "https://pay.acme.test/*.pdf", "https://pay.acme.test/2026/q1/report.pdf", Yes),
    (28, "https://pay.acme.test/*.pdf", "https://pay.acme.test/report.pdf.bak", No),
    (29, "https://pay.acme.test/*.pdf", "https://pay.acme.test/report.pdf/", No),
    (30, "https://pay.acme.test/*.pdf", "https://pay.acme.test/.pdf", Yes),
    (31, "https://pay.acme.test/u/*/edit", "https://pay.acme.test/u/7/edit", Yes),
    (32, "https://pay.acme.test/u/*/edit", "https://pay.acme.test/u/7/8/9/edit", Yes),
    (33, "https://pay.acme.test/u/*/edit", "https://pay.acme.test/u/edit", No),
    (34, "https://pay.acme.test/u/*/edit", "https://pay.acme.test/u//edit", No),
    (35, "https://pay.acme.test/u/*/o/*/pdf", "https://pay.acme.test/u/1/2/o/3/pdf", Yes),
    (36, "https://pay.acme.test/*/edit", "https://pay.acme.test/edit/edit", Yes),
    (37, "https://pay.acme.test/docs/*", "https://pay.acme.test/docs/a/../../etc", No),
    (38, "https://pay.acme.test/docs/*", "https://pay.acme.test/docs/..", Yes),
    (39, "https://pay.acme.test/docs/*", "https://pay.acme.test/docs/%2e%2e/etc", Yes),
    (40, "https://pay.acme.test/*", "https://pay.acme.test/a#frag", No),
    // C. One-level wildcard
    (41, "https://pay.acme.test/-*-", "https://pay.acme.test/a", Yes),
    (42, "https://pay.acme.test/-*-", "https://pay.acme.test/a/b", No),
    (43, "https://pay.acme.test/-*-", "https://pay.acme.test/a/", Yes),
    (44, "https://pay.acme.test/-*-", "https://pay.acme.test/", Yes),
    (45, "https://pay.acme.test/-*-", "https://pay.acme.test", No),
    (46, "https://pay.acme.test/-*-/", "https://pay.acme.test/a/", Yes),
    (47, "https://pay.acme.test/-*-/", "https://pay.acme.test/a", No),
    (48, "https://pay.acme.test/-*-/edit", "https://pay.acme.test/a/edit", Yes),
    (49, "https://pay.acme.test/-*-/edit", "https://pay.acme.test/a/b/edit", No),
    (50, "https://pay.acme.test/-*-/edit", "https://pay.acme.test/edit", No),
    (51, "https://pay.acme.test/v-*-/x", "https://pay.acme.test/v2/x", Yes),
    (52, "https://pay.acme.test/v-*-/x", "https://pay.acme.test/v/x", Yes),
    (53, "https://pay.acme.test/a-*-z/x", "https://pay.acme.test/abcz/x", Yes),
    (54, "https://pay.acme.test/a-*-z/x", "https://pay.acme.test/abczy/x", No),
    (55, "https://-*-.acme.test/x", "https://eu.acme.test/x", Yes),
    (56, "https://-*-.acme.test/x", "https://a.b.acme.test/x", Yes),
    (57, "https://pay.acme.test/-*-", "https://pay.acme.test/a?q=1", No),
    (58, "https://pay.acme.test/x/-*-?-*-", "https://pay.acme.test/x/y?q=1", Yes),
    (59, "https://pay.acme.test/*/-*-", "https://pay.acme.test/a/b", Refused),
    // D. Scheme, host and port wildcards
    (60, "*://*:*/*", "https://pay.acme.test/a/b", Yes),
    (61, "*://*:*/*", "http://pay.acme.test", No),
    (62, "*://*:*/*", "ftp://f.acme.test/a", No),
    (63, "*://*:*/*", "ftp://f.acme.test:21/a", Yes),
    (64, "*://*:*/*", "api://warehouse/read", No),
    (65, "https://*:*/*", "https://pay.acme.test:9443/a", Yes),
    (66, "https://*:443/*", "https://pay.acme.test/a", Yes),
    (67, "http://*.acme.test/*", "http://eu.acme.test/a", Yes),
    (68, "http://*.acme.test/*", "http://a.b.acme.test/a", Yes),
    (69, "http://*.acme.test/*", "http://acme.test/a", No),
    (70, "http://*.acme.test/*", "http://acme.test.evil.test/a", No),
    (71, "http://*.acme.test:*/*", "http://eu.acme.test:8080/a", Yes),
    (72, "http://*.acme.test:80*/*", "http://eu.acme.test:8080/a", Yes),
    (73, "http://*.acme.test/*", "http://evil.test/x.acme.test/a", No),
    (74, "http*://pay.acme.test/*", "http://pay.acme.test/a", Yes),
    (75, "http*://pay.acme.test/*", "https://pay.acme.test/a", Yes),
    (76, "http*://pay.acme.test/*", "https://pay.acme.test:9443/a", Yes),
    (77, "http*://pay.acme.test:443/*", "https://pay.acme.test/a", No),
    (78, "*://pay.acme.test:443/*", "https://pay.acme.test/a", No),
    (79, "http://*/a", "http://pay.acme.test/a", Yes),
    (80, "http://*", "http://pay.acme.test/a", No),
    (81, "http://pay.acme.test:x/a", "http://pay.acme.test/a", Refused),
    (82, "http://[2001:db8::1]/a", "http://[2001:db8::1]/a", Refused),
    // E. Query strings
    (83, "https://pay.acme.test/s*", "https://pay.acme.test/s?x=1", No),
    (84, "https://pay.acme.test/*", "https://pay.acme.test/a?x=1", No),
    (85, "https://pay.acme.test/*", "https://pay.acme.test/a?", No),
    (86, "https://pay.acme.test/*?*", "https://pay.acme.test/a?x=1", Yes),
    (87, "https://pay.acme.test/*?*", "https://pay.acme.test/a?", Yes),
    (88, "https://pay.acme.test/*?*", "https://pay.acme.test/a", No),
    (89, "https://pay.acme.test/*?", "https://pay.acme.test/a?", Yes),
    (90, "https://pay.acme.test/*?", "https://pay.acme.test/a?x=1", No),
    (91, "https://pay.acme.test/s?a=1&b=2", "https://pay.acme.test/s?b=2&a=1", Yes),
    (92, "https://pay.acme.test/s?a=1&b=2", "https://pay.acme.test/s?a=1&b=2&c=3", No),
    (93, "https://pay.acme.test/s?a=*&b=2", "https://pay.acme.test/s?b=2&a=9", Yes),
    (94, "https://pay.acme.test/s?*a=1*", "https://pay.acme.test/s?z=2&a=1", Yes),
    (95, "https://pay.acme.test/s?a=1*", "https://pay.acme.test/s?a=10", Yes),
    (96, "https://pay.acme.test/s?A=X", "https://pay.acme.test/s?a=x", Yes),
    (97, "https://pay.acme.test/s?a=b/c", "https://pay.acme.test/s?a=b/c", Yes),
    (98, "https://pay.acme.test?x=1", "https://pay.acme.test?x=1", Yes),
    (99, "https://pay.acme.test/?x=1", "https://pay.acme.test?x=1", No),
    // F. Free-form resources
    (100, "api://warehouse/*", "api://warehouse/stock.read", Yes),
    (101, "api://warehouse/*", "api://warehouse/a/b", Yes),
    (102, "api://warehouse/*", "api://warehouse/", Yes),
    (103, "api://warehouse/*", "api://warehouse", No),
    (104, "api://warehouse/*", "API://WAREHOUSE/Stock.Read", Yes),
    (105, "api://warehouse/*", "api://warehouse:443/read", No),
    (106, "api://warehouse/*", "api://depot/read", No),
    (107, "api://*/read", "api://warehouse/read", Yes),
    (108, "api://*/read", "api://a/b/read", Yes),
    (109, "api://warehouse/*", "api://warehouse/read?x=1", No),
    (110, "api://warehouse/stock.read", "api://warehouse/x/../stock.read", Yes),
    (111, "urn:acme:doc:*", "urn:acme:doc:7", Yes),
    (112, "urn:acme:*:view", "urn:acme:doc:view", Yes),
    (113, "stock.*", "stock.read", Yes),
    (114, "stock.*", "stock", No),
    (115, "stock.read", "STOCK.READ", Yes),
    (116, "*:write", "stock:write", Yes),
    (117, "*:write", "stock:writes", No),
    (118, "fleet/*/unlock", "fleet/eu/t-9/unlock", Yes),
    (119, "fleet/-*-/unlock", "fleet/eu/t-9/unlock", No),
    (120, "/fleet/*", "fleet/a", No),
    (121, "*", "stock.read", Yes),
    (122, "*", "stock/read", Yes),
    (123, "*", "stock?x", No),
    (124, "*", "https://pay.acme.test/a", No),
    (125, "*", "api://warehouse/read", No),
    (126, "light://*/*", "light://kitchen/1", Yes),
    (127, "light://*/*", "light://kitchen", No),
];

#[test]
fn the_case_table_holds() {
    let wrong: Vec<_> =
        CASES.iter().filter(|(_, pattern, resource, expected)| says(pattern, resource) != *expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(CASES.iter().map(|case| case.0).eq(1..=127));
}

#[test]
fn canonical_forms_are_those_of_the_reference() {
    let table = [
        ("https://pay.acme.test", "https://pay.acme.test:443"),
        ("https://pay.acme.test/*", "https://pay.acme.test:443/*"),
        ("http://pay.acme.test?x=1", "http://pay.acme.test:80?x=1"),
        ("http*://pay.acme.test/*", "http*://pay.acme.test:*/*"),
        ("http://*", "http://*:80*"),
        ("https:////pay.acme.test//a/./b/../c/", "https://pay.acme.test:443/a/c/"),
        ("https://pay.acme.test/s?b=2&a=1&&a=0", "https://pay.acme.test:443/s?a=0&a=1&b=2"),
        ("HTTPS://pay.acme.test/a", "HTTPS://pay.acme.test/a"),
        ("api://warehouse//a/../b", "api://warehouse/b"),
        ("api://warehouse:443/x", "api://warehouse:443/x"),
        ("a//b/./c", "a/b/c"),
        ("stock.read", "stock.read"),
        ("*://*:*/*", "*://*:*/*"),
        // Not rows of the reference, but its rules.
        ("https://h/s?*=2&b=1&a", "https://h:443/s?a&b=1&*=2"),
        ("https://h/s?a=", "https://h:443/s?a="),
        ("api://h/a/../?x=/../y", "api://h/?x=/../y"),
        ("", ""),
        ("/", "/"),
        ("a/../", "/"),
        ("a/..", "a/.."),
    ];
    for (sent, expected) in table {
        assert_eq!(canonical(sent).as_deref(), Ok(expected), "{sent}");
    }
}

#[test]
fn what_has_no_canonical_form_is_told_as_the_reference_tells_it() {
    let told = |sent: &str| Error::from(Resource::parse(sent).unwrap_err()).message();
    assert_eq!(told("http://h:80x/a"), "Invalid port 80x");
    assert_eq!(told("http://h:99999999999/a"), "Invalid port 99999999999");
    assert_eq!(told("http://h:+80/a"), "Invalid port +80");
    assert_eq!(told("https://h/*/-*-"), "Invalid port {0}");
    assert_eq!(told("api://h/*/-*-"), "Same rule cannot have both types of wildcards.");
    assert_eq!(told("*-*-*"), "Same rule cannot have both types of wildcards.");
    assert_eq!(told(&"a".repeat(MAX_LENGTH + 1)), "Invalid value resources");
    let port_does_not_fit = format!("http://{}", "h".repeat(MAX_LENGTH - 8));
    assert_eq!(canonical(&port_does_not_fit), Err(NotCanonical::TooLong));
    assert_eq!(Pattern::parse(&"*".repeat(MAX_WILDCARDS + 1)), Err(NotCanonical::TooManyWildcards));
    assert!(Pattern::parse(&"-*-/".repeat(MAX_WILDCARDS)).is_ok());
}

/// §5.5.
#[test]
fn a_resource_type_accepts_what_its_patterns_cover() {
    let table = [
        ("api://warehouse/*", "api://warehouse/stock.read", true),
        ("api://warehouse/*", "api://warehouse/*", true),
        ("api://warehouse/*", "api://warehouse/-*-", true),
        ("api://warehouse/*", "api://depot/stock.read", false),
        ("api://warehouse", "api://warehouse/stock.read", true),
        ("*://*:*/*", "https://pay.acme.test/*", true),
        ("*://*:*/*", "https://pay.acme.test", true),
        ("*://*:*/*", "https://pay.acme.test/*?*", false),
        ("*://*:*/*?*", "https://pay.acme.test/*?*", true),
        ("*://*:*/*?*", "https://pay.acme.test/*", true),
        ("*://*:*/*", "api://warehouse/stock.read", false),
        ("*://*:*/*", "api://warehouse:1/stock.read", true),
        ("*", "stock.read", true),
        ("*", "https://pay.acme.test/a", true),
        ("*", "api://warehouse/x", true),
        ("https://*.acme.test:443/*", "https://*:443/*", false),
        ("https://pay.acme.test/-*-", "https://pay.acme.test/a/b", false),
        ("https://pay.acme.test/-*-", "https://pay.acme.test/*", true),
        ("stock.*", "*", false),
        // Not rows of the reference: below a literal pattern means below, not merely longer.
        ("api://warehouse", "api://warehouses", false),
        ("api://warehouse/", "api://warehouse/x", true),
        ("https://pay.acme.test/*", "https://pay.acme.test/*?*", false),
    ];
    for (pattern, resource, expected) in table {
        let [of_type, of_policy] = [pattern, resource].map(|text| Pattern::parse(text).unwrap());
        assert_eq!(of_type.accepts(&of_policy), expected, "{pattern} accepts {resource}");
    }
}

#[test]
fn self_becomes_the_principal_unless_that_would_widen_the_pattern() {
    let pattern = Pattern::parse("https://me.acme.test/u/$SELF/*").unwrap();
    let resource = |text| Resource::parse(text).unwrap();
    let monas = pattern.for_principal("mona").unwrap();
    assert!(monas.matches(&resource("https://me.acme.test/u/mona/mail")));
    assert!(!monas.matches(&resource("https://me.acme.test/u/paul/mail")));
    for name in ["", "*", "-*-", "a/b", "..", ".", "a?b", "a#", "$SELF", "x\n"] {
        assert_eq!(pattern.for_principal(name), None, "{name:?}");
    }
}

/// Strings that make backtracking matchers take forever; here they take no time to speak of.
#[test]
fn repetition_does_not_explode() {
    let text = "a".repeat(MAX_LENGTH);
    for piece in ["a*", "*a", "a-*-", "-*-a"] {
        let pattern = Pattern::parse(&format!("{}b", piece.repeat(MAX_WILDCARDS))).unwrap();
        assert!(!pattern.matches(&Resource::parse(&text).unwrap()));
        let pattern = Pattern::parse(&piece.repeat(MAX_WILDCARDS)).unwrap();
        assert!(pattern.matches(&Resource::parse(&text).unwrap()));
    }
    let half = "a".repeat(MAX_LENGTH / 2);
    assert_eq!(says(&format!("-*-{half}b-*-"), &text), No);
}

/// Patterns and resources built from the pieces that mean something, so that many of them match.
fn text(wildcard: &'static str) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["a", "b", "ab", "/", ".", ":", "?", "#", "-", wildcard]);
    let scheme = prop::sample::select(vec!["", "", "http://", "https://", "http*://", "x://", "*://"]);
    let port = prop::sample::select(vec!["", "", ":80", ":*", ":443"]);
    (scheme, prop::collection::vec(piece.clone(), 0..4), port, prop::collection::vec(piece, 0..6))
        .prop_map(|(scheme, host, port, path)| format!("{scheme}{}{port}{}", host.concat(), path.concat()))
}

/// A resource made from a pattern by filling its wildcards, so that matches are common.
fn filled(pattern: &str, fillings: &[&str]) -> String {
    let mut fillings = fillings.iter().cycle();
    let mut next = || fillings.next().copied().unwrap_or_default();
    let mut out = String::new();
    for (n, levels) in pattern.split("-*-").enumerate() {
        if n > 0 {
            out.push_str(next());
        }
        for (n, literal) in levels.split('*').enumerate() {
            if n > 0 {
                out.push_str(next());
            }
            out.push_str(literal);
        }
    }
    out
}

fn fillings() -> impl Strategy<Value = Vec<&'static str>> {
    let filling = prop::sample::select(vec!["", "a", "b", "a/b", "/", "a.b", "?", "#", "a?", "ab", "a:1"]);
    prop::collection::vec(filling, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_matcher_agrees_with_the_naive_one_on_stars(p in text("*"), r in text("c")) {
        prop_assert_eq!(says(&p, &r), expected(&p, &r));
    }

    #[test]
    fn the_matcher_agrees_with_the_naive_one_on_levels(p in text("-*-"), r in text("c")) {
        prop_assert_eq!(says(&p, &r), expected(&p, &r));
    }

    #[test]
    fn the_matcher_agrees_on_filled_patterns(stars in text("*"), levels in text("-*-"), fillings in fillings()) {
        for pattern in [stars, levels] {
            let resource = filled(&pattern, &fillings);
            prop_assert_eq!(says(&pattern, &resource), expected(&pattern, &resource), "{} {}", pattern, resource);
        }
    }

    #[test]
    fn the_canonical_form_is_its_own(any in text("*"), odd in "\\PC{0,24}") {
        for text in [any, odd] {
            if let Ok(once) = canonical(&text) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()), "{}", text);
            }
        }
    }

    /// The index relies on it.
    #[test]
    fn what_matches_has_the_literal_ends_and_the_gate(p in text("*"), levels in text("-*-"), fillings in fillings()) {
        for pattern in [p, levels] {
            let (Ok(p), Ok(r)) = (Pattern::parse(&pattern), Resource::parse(&filled(&pattern, &fillings))) else {
                continue;
            };
            if p.matches(&r) {
                prop_assert!(r.folded().starts_with(p.certain_prefix()));
                prop_assert!(r.folded().ends_with(p.certain_suffix()));
                prop_assert!(p.certain_pieces().all(|piece| r.folded().contains(piece)));
                prop_assert_eq!(p.gate().is_some(), r.host().is_some());
                prop_assert!(r.host().unwrap_or_default().ends_with(p.gate().unwrap_or_default()));
            }
        }
    }

    /// PD-02: letter case, default ports and detours in the path change nothing.
    #[test]
    fn equal_canonical_forms_match_alike(p in text("*"), r in text("c")) {
        if let Ok(resource) = Resource::parse(&r) {
            prop_assert_eq!(says(&p, &r), says(&p, resource.canonical()));
            prop_assert_eq!(says(&p, &r) == Yes, says(&p, resource.folded()) == Yes);
        }
    }

    /// Literals that repeat themselves, where a search must not forget what it has seen.
    #[test]
    fn literals_are_found_wherever_they_occur(literal in "[ab]{0,5}", text in "[ab]{0,16}") {
        let everywhere = vec![true; text.len() + 1];
        let found = after_literal(&everywhere, text.as_bytes(), literal.as_bytes());
        let expected: Vec<bool> = (0..=text.len()).map(|end| text[..end].ends_with(&literal)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn nothing_panics(p in "\\PC{0,40}", r in "\\PC{0,40}") {
        says(&p, &r);
        says(&r, &r);
    }
}

fn expected(pattern: &str, resource: &str) -> Says {
    match naive::matches(pattern, resource) {
        Some(true) => Yes,
        Some(false) => No,
        None => Refused,
    }
}

/// §5.2: a path that is normal already is recognised without taking it apart.
#[test]
fn a_path_is_normalised_the_same_way_with_and_without_a_look_at_it_first() {
    let mut paths = vec![String::new()];
    for length in 0..7 {
        let longer = paths
            .iter()
            .filter(|path| path.len() == length)
            .flat_map(|path| ['a', '.', '/'].map(|c| format!("{path}{c}")));
        let longer: Vec<String> = longer.collect();
        paths.extend(longer);
    }
    assert_eq!(paths.len(), (3_usize.pow(8) - 1) / 2);
    for path in paths {
        assert_eq!(normalised(&path), resolved(&path), "{path}");
        let whole = format!("api://w/{path}?a//./b");
        assert_eq!(canonical_plain(&whole), Ok(format!("api://w{}?a//./b", resolved(&format!("/{path}")))));
    }
}
