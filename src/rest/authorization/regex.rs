//! The regular expressions of query filters (authorization.md §2.1.6): what deployed tooling sends, look-ahead included,
//! in time that is bounded whatever is sent (PD-04).
//!
//! | reference                                              | here                       |
//! |--------------------------------------------------------|----------------------------|
//! | value and operand are lower-cased                      | [`Regex::of_operand`], [`Regex::matches`] |
//! | a `*` becomes `.*?`, a final one `.*`                  | [`Regex::of_operand`]      |
//! | full match; look-ahead works                           | [`Regex::of_operand`]      |
//! | an invalid pattern is 400                              | [`Invalid`]                |
//! | "a backtracking limit"                                 | `BACKTRACKS`, [`BUDGET`]   |

use fancy_regex::RegexBuilder;

/// Longest operand, bytes.
const MAX_OPERAND: usize = 1024;
/// Largest compiled pattern, bytes.
const MAX_PROGRAM: usize = 1 << 20;
/// Times that one match may go back. Patterns without look-around never do.
const BACKTRACKS: usize = 2_000;
/// Bytes of text that the patterns of one query may be matched against.
pub const BUDGET: usize = 4_000_000;

/// The operand is no regular expression, or none that we follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// A compiled pattern.
#[derive(Debug)]
pub struct Regex(fancy_regex::Regex);

impl Regex {
    /// Compiles the operand of a filter, stars translated.
    ///
    /// # Errors
    /// [`Invalid`]
    pub fn of_operand(operand: &str) -> Result<Self, Invalid> {
        let operand = operand.to_lowercase();
        if operand.len() > MAX_OPERAND {
            return Err(Invalid);
        }
        let mut pattern = String::with_capacity(operand.len() * 2);
        for (at, c) in operand.char_indices() {
            match c {
                '*' if at + 1 == operand.len() => pattern.push_str(".*"),
                '*' => pattern.push_str(".*?"),
                c => pattern.push(c),
            }
        }
        // By itself first: `a)(b` is no pattern, though it would be one between the brackets below.
        compile(&pattern)?;
        compile(&format!("\\A(?:{pattern})\\z")).map(Self)
    }

    /// Whether all of `text` fits, letter case ignored. Takes from `budget`; `None` when that, or the pattern's own bound, is
    /// used up.
    pub fn matches(&self, text: &str, budget: &mut usize) -> Option<bool> {
        *budget = budget.checked_sub(text.len() + 1)?;
        self.0.is_match(&text.to_lowercase()).ok()
    }
}

fn compile(pattern: &str) -> Result<fancy_regex::Regex, Invalid> {
    let mut builder = RegexBuilder::new(pattern);
    builder.backtrack_limit(BACKTRACKS).delegate_size_limit(MAX_PROGRAM);
    builder.build().map_err(|_| Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(operand: &str, text: &str) -> bool {
        Regex::of_operand(operand).expect(operand).matches(text, &mut BUDGET.clone()).expect("within the budget")
    }

    /// §2.1.6, the rule and the two filters of deployed tooling.
    #[test]
    fn operands_of_the_reference() {
        for (operand, yes, no) in [
            ("^(?!sunAMDelegationService$).*", "warehouse sunAMDelegationServices", "sunAMDelegationService"),
            ("^(?!Delegation Service$).*", "Delegation|Delegation Services", "delegation service"),
            ("Warehouse API", "Warehouse API|warehouse api", "Warehouse API 2|Warehouse"),
            ("a.b", "axb|a.b|AXB", "ab|axxb"),
            ("a\\.b", "a.b", "axb"),
            ("a*", "a|ab|abc", "b|ba"),
            ("*a", "a|ba", "ab"),
            // A client's own `.*` turns into `..*`: at least one character.
            ("a.*", "ab|abc", "a"),
            ("\\S", " ", "x"),
            ("*", "|x|x y", "x\ny"),
            ("(cat|dog)s?", "cat|dogs", "cow|catdog"),
            ("[a-c]{2,3}", "ab|abc", "a|abcd|xy"),
            ("[^a-c]+", "xyz", "xaz|"),
            ("x(?=y)y", "xy", "x|xz"),
            ("(?:ab)+", "ab|abab", "aba|"),
            ("a{2}|b", "aa|b", "a|ab"),
        ] {
            for text in yes.split('|') {
                assert!(fits(operand, text), "{operand} fits {text:?}");
            }
            for text in no.split('|') {
                assert!(!fits(operand, text), "{operand} does not fit {text:?}");
            }
        }
        assert!(fits("^(?!(a|b)$)..*", "ab") && !fits("^(?!(a|b)$)..*", "b"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for invalid in ["(", ")", "a(b", "[a", "[]", "?", "+a", "a{999999}", "\\", "[z-a]", "(?", "a)(b"] {
            assert_eq!(Regex::of_operand(invalid).map(|_| ()), Err(Invalid), "{invalid}");
        }
        assert!(Regex::of_operand(&"(".repeat(200)).is_err());
        assert!(Regex::of_operand(&format!("{}a{}", "(".repeat(100), ")".repeat(100))).is_err());
        assert!(Regex::of_operand("((((a{99}){99}){99}){99}).").is_err());
        assert!(Regex::of_operand(&"a".repeat(2000)).is_err());
    }

    /// PD-04: what makes others backtrack for ages is over soon.
    #[test]
    fn time_is_bounded() {
        let text = "a".repeat(2000);
        for operand in ["(a+)+b", "(a|a)+b", "(a?){64}a{64}b", "(((a+)+)+)+$b", "^(?!(a+)+b).+"] {
            let mut budget = BUDGET;
            let fits = Regex::of_operand(operand).expect(operand).matches(&text, &mut budget);
            assert!(fits.is_none_or(|fits| fits == operand.starts_with("^(?!")), "{operand}");
        }
        let mut budget = 10;
        assert_eq!(Regex::of_operand("a+").expect("a pattern").matches(&text, &mut budget), None);
    }

    proptest! {
        /// Whatever is sent: an answer or an error, within the budget.
        #[test]
        fn nothing_hangs_or_panics(operand in r"[ab.*+?(){}\[\]|^$\\!=:,0-9-]{0,24}", text in "[ab1 ]{0,40}") {
            if let Ok(regex) = Regex::of_operand(&operand) {
                regex.matches(&text, &mut BUDGET.clone());
            }
        }

        /// A word without anything special fits itself and nothing else.
        #[test]
        fn plain_words_are_compared(a in "[a-cA-C ]{1,6}", b in "[a-cA-C ]{1,6}") {
            prop_assert_eq!(fits(&a, &b), a.to_lowercase() == b.to_lowercase());
        }
    }
}
