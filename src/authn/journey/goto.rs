//! Where callers may be sent afterwards (authn-sessions-realms.md a.7; AZ-13).
//!
//! A URL that a caller names is followed only when it stays on our own origin, or when the realm's Validation service lists
//! it. Anything else is ignored, and the caller goes where the realm says.

use crate::{
    base_url::BaseUrl,
    desk::Desk,
    policy::resource::{Comparator, Pattern, Resource},
};
use quorate_raft::{Kind, RealmPath};
use reqwest::Url;
use serde_json::Value;

/// Longest URL that is looked at, bytes.
const MAX_BYTES: usize = 2000;

/// Id of the Validation service.
const VALIDATION: &str = "validation";

/// Schemes that run or read something where they are opened.
const NEVER: [&str; 7] = ["javascript", "data", "vbscript", "file", "blob", "about", "view-source"];

/// Whether a caller of `realm`, whose own base URL is `own`, may be sent to `url`.
pub fn is_valid(desk: &Desk, realm: &RealmPath, own: &BaseUrl, url: &str) -> bool {
    // A parser that forgives control characters and backslashes would not see what a browser makes of them.
    let plain = |c: char| !c.is_control() && c != '\\' && !c.is_whitespace();
    if url.is_empty() || url.len() > MAX_BYTES || !url.chars().all(plain) {
        return false;
    }
    let Ok(base) = Url::parse(&format!("{}/", own.deployment())) else { return false };
    // Alone first: `https:host` names a host, though beside a base it could be taken for a path.
    let Ok(target) = Url::parse(url).or_else(|_| base.join(url)) else { return false };
    let suspicious = NEVER.contains(&target.scheme()) || !target.username().is_empty() || target.password().is_some();
    if suspicious {
        return false;
    }
    let ours = ["http", "https"].contains(&target.scheme()) && target.origin() == base.origin();
    ours || is_listed(desk, realm, target.as_str())
}

/// Whether the realm's Validation service lists it.
fn is_listed(desk: &Desk, realm: &RealmPath, url: &str) -> bool {
    let Some(service) = desk.document(realm, Kind::Service, VALIDATION) else { return false };
    let listed = service.json().get("validGotoDestinations").and_then(Value::as_array);
    let patterns = listed.into_iter().flatten().filter_map(Value::as_str);
    let Ok(target) = Resource::parse_for(Comparator::Url, url) else { return false };
    patterns.filter_map(|pattern| Pattern::parse_for(Comparator::Url, pattern).ok()).any(|it| it.matches(&target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk::put, testing};
    use quorate_raft::{DocumentKey, Precondition};
    use serde_json::json;

    /// AZ-13, with the corpus of AZ-02.
    #[actix_web::test]
    async fn nobody_is_sent_elsewhere() {
        let (desk, _) = testing::desk().await;
        let root = RealmPath::root();
        let own = desk.base_url();
        let valid = |url: &str| is_valid(&desk, &root, &own, url);
        for ours in [
            "https://am.example.com:8443/am/console",
            "https://AM.example.com:8443/x?y=z#f",
            "/am/console",
            "console?a=b",
            "?x",
            "https://am.example.com:8443/a/../b",
        ] {
            assert!(valid(ours), "{ours}");
        }
        let evil = [
            "",
            "https://evil.example/",
            "https://am.example.com/",
            "https://am.example.com:8443.evil.example/",
            "https://am.example.com:8443@evil.example/",
            "https://user@am.example.com:8443/",
            "https://user:pass@am.example.com:8443/",
            "http://am.example.com:8443/",
            "//evil.example/",
            "///evil.example/",
            "/\\evil.example/",
            "\\\\evil.example/",
            "/\t/evil.example/",
            "https:evil.example",
            "https:/\\evil.example",
            "\u{1}https://am.example.com:8443/",
            " https://am.example.com:8443/",
            "https://am.example.com:8443/a b",
            "https://am.example.com:8443/\r\nSet-Cookie:x",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://am.example.com:8443/",
            "https://evil.example\u{3002}am.example.com:8443/",
        ];
        for url in evil {
            assert!(!valid(url), "{url:?}");
        }
        assert!(valid(&format!("/{}", "x".repeat(1999))));
        assert!(!valid(&format!("/{}", "x".repeat(2000))));

        let listed =
            json!({"validGotoDestinations": ["https://app.example.org:443/*", "https://app.example.org:443/*?*", 7]});
        let key = DocumentKey::new(&root, Kind::Service, VALIDATION);
        desk.write(vec![put(key, Precondition::Any, &listed, Vec::new(), false)]).await.expect("writes");
        assert!(valid("https://app.example.org/home") && valid("https://app.example.org/home?x=y"), "listed");
        assert!(!is_valid(&desk, &"/alpha".into(), &own, "https://app.example.org/home"), "listed in another realm");
        for url in evil {
            assert!(!valid(url), "{url:?} is not listed");
        }
    }
}
