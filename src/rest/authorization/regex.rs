//! The regular expressions of query filters (authorization.md §2.1.6): what deployed tooling sends, look-ahead included,
//! in time that is bounded whatever is sent (PD-04).
//!
//! | reference                                              | here                       |
//! |--------------------------------------------------------|----------------------------|
//! | value and operand are lower-cased                      | [`Regex::of_operand`], [`Regex::matches`] |
//! | a `*` becomes `.*?`, a final one `.*`                  | [`Regex::of_operand`]      |
//! | full match; look-ahead works                           | [`Regex::matches`]         |
//! | an invalid pattern is 400                              | [`Invalid`]                |
//! | "a backtracking limit"                                 | [`BUDGET`]                 |
//!
//! Without captures and back-references, whether the rest of a text fits the rest of a pattern depends on these two alone:
//! every pair is looked at once. A look-ahead starts a search of its own, which is why there is a budget all the same.

/// Longest operand, bytes.
const MAX_OPERAND: usize = 1024;
/// Most instructions of a compiled pattern.
const MAX_PROGRAM: usize = 8192;
/// Deepest nesting of groups.
const MAX_GROUPS: usize = 32;
/// Most repetitions that a pattern may count.
const MAX_COUNT: usize = 256;
/// Steps that matching one pattern against all values of one query may take.
pub const BUDGET: usize = 4_000_000;

/// The operand is no regular expression, or none that we follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// A compiled pattern.
#[derive(Debug)]
pub struct Regex {
    program: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Empty,
    One(Set),
    Start,
    End,
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat { node: Box<Node>, min: usize, max: Option<usize> },
    Ahead { node: Box<Node>, wanted: bool },
}

/// Which characters fit.
#[derive(Clone, Debug, PartialEq)]
struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
}

#[derive(Debug)]
enum Step {
    One(Set),
    Start,
    End,
    /// Try both.
    Split(usize, usize),
    Jump(usize),
    /// What begins at the next step must, or must not, fit here; go on at the given one.
    Ahead {
        wanted: bool,
        next: usize,
    },
    /// The end of a look-ahead.
    Found,
    /// The end of the pattern: fits at the end of the text.
    Match,
}

impl Set {
    fn only(c: char) -> Self {
        Self { ranges: vec![(c, c)], negated: false }
    }

    /// `.`: anything but the end of a line.
    fn any() -> Self {
        Self { ranges: vec![('\n', '\n'), ('\r', '\r'), ('\u{85}', '\u{85}'), ('\u{2028}', '\u{2029}')], negated: true }
    }

    fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|&(from, to)| from <= c && c <= to) != self.negated
    }

    /// What `\d`, `\s`, `\w` stand for. Operands are lower-cased, so the upper-case ones cannot be said.
    fn class(c: char) -> Option<Vec<(char, char)>> {
        Some(match c {
            'd' => vec![('0', '9')],
            's' => vec![(' ', ' '), ('\t', '\r')],
            'w' => vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
            _ => return None,
        })
    }
}

/// What an escaped character stands for when it stands for itself.
fn escaped(c: char) -> Option<char> {
    match c {
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        c if !c.is_alphanumeric() => Some(c),
        _ => None,
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let fits = text.chars().enumerate().all(|(n, c)| self.chars.get(self.at + n) == Some(&c));
        if fits {
            self.at += text.chars().count();
        }
        fits
    }

    fn choice(&mut self) -> Option<Node> {
        let mut branches = vec![self.sequence()?];
        while self.eat("|") {
            branches.push(self.sequence()?);
        }
        Some(if branches.len() == 1 { branches.remove(0) } else { Node::Choice(branches) })
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let atom = self.atom()?;
            parts.push(self.repeated(atom)?);
        }
        Some(match parts.len() {
            0 => Node::Empty,
            1 => parts.remove(0),
            _ => Node::Sequence(parts),
        })
    }

    fn atom(&mut self) -> Option<Node> {
        Some(match self.next()? {
            '.' => Node::One(Set::any()),
            '^' => Node::Start,
            '$' => Node::End,
            '[' => Node::One(self.set()?),
            '(' => self.group()?,
            '\\' => {
                let c = self.next()?;
                match (Set::class(c), escaped(c)) {
                    (Some(ranges), _) => Node::One(Set { ranges, negated: false }),
                    (None, Some(c)) => Node::One(Set::only(c)),
                    (None, None) => return None,
                }
            }
            '*' | '+' | '?' | '{' => return None,
            c => Node::One(Set::only(c)),
        })
    }

    fn group(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_GROUPS {
            return None;
        }
        let ahead = match self.eat("?") {
            false => None,
            true => match self.next()? {
                ':' => None,
                '=' => Some(true),
                '!' => Some(false),
                _ => return None,
            },
        };
        let node = Box::new(self.choice()?);
        self.depth -= 1;
        (self.next()? == ')').then_some(())?;
        Some(match ahead {
            None => *node,
            Some(wanted) => Node::Ahead { node, wanted },
        })
    }

    fn set(&mut self) -> Option<Set> {
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        let mut first = true;
        loop {
            let from = match self.next()? {
                ']' if !first => return Some(Set { ranges, negated }),
                // Sets inside sets, and their intersection, are nobody's filter.
                '[' | '&' => return None,
                '\\' => {
                    let c = self.next()?;
                    if let Some(class) = Set::class(c) {
                        ranges.extend(class);
                        first = false;
                        continue;
                    }
                    escaped(c)?
                }
                c => c,
            };
            first = false;
            let is_range = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|c| *c != ']');
            let to = match is_range {
                false => from,
                true => {
                    self.at += 1;
                    match self.next()? {
                        '\\' => escaped(self.next()?)?,
                        '[' => return None,
                        c => c,
                    }
                }
            };
            (from <= to).then(|| ranges.push((from, to)))?;
        }
    }

    fn repeated(&mut self, node: Node) -> Option<Node> {
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(node),
            _ => return Some(node),
        };
        self.at += 1;
        self.quantified(node, min, max)
    }

    fn counted(&mut self, node: Node) -> Option<Node> {
        self.at += 1;
        let min = self.number()?;
        let max = match (self.eat(","), self.peek()?) {
            (false, _) => Some(min),
            (true, '}') => None,
            (true, _) => Some(self.number()?),
        };
        (self.next()? == '}' && max.is_none_or(|max| min <= max)).then_some(())?;
        self.quantified(node, min, max)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            number = Some(number.unwrap_or(0) * 10 + digit as usize).filter(|number| *number <= MAX_COUNT);
            number?;
        }
        number
    }

    /// Whether a repetition takes much or little makes no difference to whether all of a text fits. A possessive one does,
    /// and nothing can be repeated twice.
    fn quantified(&mut self, node: Node, min: usize, max: Option<usize>) -> Option<Node> {
        self.eat("?");
        match self.peek() {
            Some('*' | '+' | '?' | '{') => None,
            _ => Some(Node::Repeat { node: Box::new(node), min, max }),
        }
    }
}

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
        Self::compile(&pattern)
    }

    fn compile(pattern: &str) -> Result<Self, Invalid> {
        let mut parser = Parser { chars: pattern.chars().collect(), at: 0, depth: 0 };
        let node = parser.choice().filter(|_| parser.peek().is_none()).ok_or(Invalid)?;
        let mut regex = Self { program: Vec::new() };
        regex.emit(&node)?;
        regex.push(Step::Match)?;
        Ok(regex)
    }

    fn push(&mut self, step: Step) -> Result<usize, Invalid> {
        if self.program.len() >= MAX_PROGRAM {
            return Err(Invalid);
        }
        self.program.push(step);
        Ok(self.program.len() - 1)
    }

    fn patch(&mut self, at: usize, step: Step) {
        if let Some(place) = self.program.get_mut(at) {
            *place = step;
        }
    }

    fn emit(&mut self, node: &Node) -> Result<(), Invalid> {
        match node {
            Node::Empty => {}
            Node::One(set) => drop(self.push(Step::One(set.clone()))?),
            Node::Start => drop(self.push(Step::Start)?),
            Node::End => drop(self.push(Step::End)?),
            Node::Sequence(parts) => parts.iter().try_for_each(|part| self.emit(part))?,
            Node::Choice(branches) => {
                let mut ends = Vec::new();
                let last = branches.len().saturating_sub(1);
                for (n, branch) in branches.iter().enumerate() {
                    if n == last {
                        self.emit(branch)?;
                        break;
                    }
                    let split = self.push(Step::Jump(0))?;
                    self.emit(branch)?;
                    ends.push(self.push(Step::Jump(0))?);
                    let next = self.program.len();
                    self.patch(split, Step::Split(split + 1, next));
                }
                let end = self.program.len();
                ends.into_iter().for_each(|at| self.patch(at, Step::Jump(end)));
            }
            Node::Repeat { node, min, max } => {
                for _ in 0..*min {
                    self.emit(node)?;
                }
                match max {
                    None => {
                        let split = self.push(Step::Jump(0))?;
                        self.emit(node)?;
                        let back = self.push(Step::Jump(split))?;
                        self.patch(split, Step::Split(split + 1, back + 1));
                    }
                    Some(max) => {
                        let mut splits = Vec::new();
                        for _ in *min..*max {
                            splits.push(self.push(Step::Jump(0))?);
                            self.emit(node)?;
                        }
                        let end = self.program.len();
                        splits.into_iter().for_each(|at| self.patch(at, Step::Split(at + 1, end)));
                    }
                }
            }
            Node::Ahead { node, wanted } => {
                let ahead = self.push(Step::Jump(0))?;
                self.emit(node)?;
                let found = self.push(Step::Found)?;
                self.patch(ahead, Step::Ahead { wanted: *wanted, next: found + 1 });
            }
        }
        Ok(())
    }

    /// Whether all of `text` fits, letter case ignored. Takes from `budget`; `None` when that is used up.
    pub fn matches(&self, text: &str, budget: &mut usize) -> Option<bool> {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        self.search(0, 0, &text, budget)
    }

    /// Whether the steps from `start` on fit `text` from `from` on.
    fn search(&self, start: usize, from: usize, text: &[char], budget: &mut usize) -> Option<bool> {
        let width = text.len() + 1;
        let pairs = self.program.len().checked_mul(width)?;
        // Making room costs, too.
        *budget = budget.checked_sub(pairs / 8 + 1)?;
        let mut seen = vec![false; pairs];
        let mut open = vec![(start, from)];
        while let Some((step, at)) = open.pop() {
            match seen.get_mut(step * width + at) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            *budget = budget.checked_sub(1)?;
            match self.program.get(step)? {
                Step::One(set) if text.get(at).is_some_and(|c| set.has(*c)) => open.push((step + 1, at + 1)),
                Step::One(_) => {}
                Step::Start if at == 0 => open.push((step + 1, at)),
                Step::End if at == text.len() => open.push((step + 1, at)),
                Step::Start | Step::End => {}
                Step::Split(a, b) => open.extend([(*b, at), (*a, at)]),
                Step::Jump(to) => open.push((*to, at)),
                Step::Ahead { wanted, next } => {
                    if self.search(step + 1, at, text, budget)? == *wanted {
                        open.push((*next, at));
                    }
                }
                Step::Found => return Some(true),
                Step::Match if at == text.len() => return Some(true),
                Step::Match => {}
            }
        }
        Some(false)
    }
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
        for invalid in [
            "(", ")", "a(b", "[a", "[]", "+a", "?", "a++", "a{2", "a{3,2}", "a{}", "a{99999}", "(?<n>a)", "(?<=a)b",
            "\\", "\\1", "\\q", "[z-a]", "[a&&b]", "(?", "a**b+{2}",
        ] {
            assert_eq!(Regex::of_operand(invalid).map(|_| ()), Err(Invalid), "{invalid}");
        }
        assert!(Regex::of_operand(&"(".repeat(200)).is_err());
        assert!(Regex::of_operand(&format!("{}a{}", "(".repeat(100), ")".repeat(100))).is_err());
        assert!(Regex::of_operand("((((a{99}){99}){99}){99})").is_err());
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
