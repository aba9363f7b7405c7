//! Tokens of sessions as clients hand them back (b.1).
//!
//! A token of ours is made of characters that need no escape in cookies, headers, URLs and JSON. Still, clients of AM take tokens
//! apart that look like AM's: they undo the *c66* substitution, percent-encode, put quotes around a cookie. All of that can be
//! told from the token itself, because none of the characters that appear is one of ours.
//!
//! | raw | c66 | raw | c66 | raw | c66 |
//! |-----|-----|-----|-----|-----|-----|
//! | `+` | `-` | `/` | `_` | `=` | `.` |
//! | `@` | `*` | `#` | `*` |     |     |

use crate::crest::percent;
use std::borrow::Cow;

/// Longest token that is looked at, bytes: more than any of ours.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;

/// A presented token in the form that it was handed out in; `None` for what cannot be one.
pub fn normal(presented: &str) -> Option<Cow<'_, str>> {
    let text = presented.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if text.is_empty() || text.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let text = match text.contains('%') {
        true => Cow::Owned(percent::decode(text)?),
        false => Cow::Borrowed(text),
    };
    if !text.contains(['+', '/', '=', '@', '#']) {
        return Some(text);
    }
    let substituted = text.chars().map(|c| match c {
        '+' => '-',
        '/' => '_',
        '=' => '.',
        '@' | '#' => '*',
        other => other,
    });
    Some(Cow::Owned(substituted.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_hand_a_token_back_leads_to_the_token() {
        for (presented, token) in [
            ("Ab-_9", "Ab-_9"),
            (" Ab-_9 ", "Ab-_9"),
            ("\"Ab-_9\"", "Ab-_9"),
            ("Ab+/9", "Ab-_9"),
            ("Ab%2B%2f9", "Ab-_9"),
            ("%22", "\""),
            ("id=@ext==#eyJ+/.x", "id.*ext..*eyJ-_.x"),
            ("id.*ext..*eyJ-_.x", "id.*ext..*eyJ-_.x"),
            ("id.%2Aext..%2AeyJ-_.x", "id.*ext..*eyJ-_.x"),
        ] {
            assert_eq!(normal(presented).as_deref(), Some(token), "{presented}");
        }
    }

    /// SE-12.
    #[test]
    fn what_cannot_be_a_token_is_none() {
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);
        for nothing in ["", "  ", "\"\"", "%", "%zz", "%ff", &long] {
            assert_eq!(normal(nothing), None, "{nothing:?}");
        }
        assert_eq!(normal("a%00b").as_deref(), Some("a\0b"), "no handle has such a character, so it is found nowhere");
    }
}
