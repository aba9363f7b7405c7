//! How texts are compared (crest.md §7.3, §9), as the UTF-8 that they are: without a copy, and without taking them apart.

use std::cmp::Ordering;

/// Steps of the plain search beyond which one is taken that is linear in the worst case.
const PLAIN: usize = 4096;

/// By code units of UTF-16. That is the order of the bytes, but for characters beyond the basic plane: their surrogates come
/// before the last of those within it.
pub(super) fn code_units(a: &[u8], b: &[u8]) -> Ordering {
    if a.is_ascii() || b.is_ascii() {
        return a.cmp(b);
    }
    by_code_units(a.iter().copied(), b.iter().copied())
}

/// `text`, which is ASCII, in lower case and `folded`, by code units.
pub(super) fn ascii_code_units(text: &[u8], folded: &[u8]) -> Ordering {
    by_code_units(text.iter().map(u8::to_ascii_lowercase), folded.iter().copied())
}

fn by_code_units(a: impl Iterator<Item = u8>, b: impl Iterator<Item = u8>) -> Ordering {
    // The first bytes of U+E000 to U+FFFF are 0xee and 0xef, those of what is beyond 0xf0 to 0xf4. No other byte is so large.
    let place = |byte: u8| if matches!(byte, 0xee | 0xef) { byte | 0x10 } else { byte };
    a.map(place).cmp(b.map(place))
}

/// Whether `text`, which is ASCII, holds `folded` when it is in lower case.
pub(super) fn ascii_contains(text: &[u8], folded: &str) -> bool {
    if too_long(text, folded) {
        return String::from_utf8_lossy(text).to_ascii_lowercase().contains(folded);
    }
    let Some((first, rest)) = folded.as_bytes().split_first() else {
        return true;
    };
    text.windows(folded.len()).any(|part| {
        part.split_first()
            .is_some_and(|(head, tail)| head.to_ascii_lowercase() == *first && tail.eq_ignore_ascii_case(rest))
    })
}

/// Whether `text` holds `part`, both UTF-8.
pub(super) fn contains(text: &[u8], part: &str) -> bool {
    if too_long(text, part) {
        return String::from_utf8_lossy(text).contains(part);
    }
    part.is_empty() || text.windows(part.len()).any(|window| window == part.as_bytes())
}

fn too_long(text: &[u8], part: &str) -> bool {
    text.len().saturating_mul(part.len()) > PLAIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    /// What is found while the search is linear in both, for texts of the greatest length that is stored.
    #[test]
    fn a_search_is_linear() {
        let (text, part) = ("a".repeat(1 << 20), format!("{}b", "a".repeat(1 << 19)));
        let started = Instant::now();
        assert!(!ascii_contains(text.as_bytes(), &part) && !contains(text.as_bytes(), &part));
        assert!(started.elapsed() < Duration::from_secs(5), "and not in steps of one by the other");
    }

    proptest! {
        #[test]
        fn the_order_is_the_one_of_code_units(
            a in "[aAz\\u{7f}\\u{80}éß\\u{d7ff}\\u{e000}\\u{fffd}\\u{10000}😀\\u{10ffff}]{0,4}",
            b in "[aAz\\u{7f}\\u{80}éß\\u{d7ff}\\u{e000}\\u{fffd}\\u{10000}😀\\u{10ffff}]{0,4}",
        ) {
            prop_assert_eq!(code_units(a.as_bytes(), b.as_bytes()), a.encode_utf16().cmp(b.encode_utf16()));
            if a.is_ascii() {
                let lower = a.to_lowercase();
                let expected = lower.encode_utf16().cmp(b.encode_utf16());
                prop_assert_eq!(ascii_code_units(a.as_bytes(), b.as_bytes()), expected);
            }
        }

        /// Short and long, so that both ways of searching are taken.
        #[test]
        fn a_search_finds_what_is_there(head in "[aAbé]{0,9}", times in 1..400_usize, part in "[abé]{0,9}") {
            let (text, long) = (head.repeat(times), part.repeat(times / 9 + 1));
            for part in [part, long] {
                let folded = part.to_lowercase();
                prop_assert_eq!(contains(text.as_bytes(), &folded), text.contains(&folded));
                if text.is_ascii() {
                    prop_assert_eq!(ascii_contains(text.as_bytes(), &folded), text.to_lowercase().contains(&folded));
                }
            }
        }
    }
}
