//! `_queryFilter`: the grammar and its evaluation (crest.md §7).
//!
//! | section | it says                                                      | we do it in        |
//! |---------|--------------------------------------------------------------|--------------------|
//! | §7.1    | spaces and parentheses separate, both quotes, no `\n`        | `tokens`           |
//! | §7.2    | `!` before `and` before `or`; 63 nested parentheses          | `Parser`           |
//! | §7.2    | one text for every syntax error; canonical form              | `parse`, `Display` |
//! | §7.3    | strings ignore case, types do not mix, absent is false       | `compare`          |
//! | §7.3.8  | an unknown operator is undefined, and only true selects      | `Truth`            |

use super::{
    Error,
    pointer::{Names, Pointer},
};
use serde_json::Value;
use std::{borrow::Cow, cmp::Ordering, fmt};

/// Deepest nesting of parentheses.
const MAX_NESTING: usize = 63;

/// Longest filter, bytes.
const MAX_FILTER_BYTES: usize = 16 << 10;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `true`, `false`.
    Literal(bool),
    /// `pointer pr`.
    Present(Pointer),
    /// `pointer operator value`.
    Compare(Pointer, Operator, Assertion),
    /// `! primary`.
    Not(Box<Filter>),
    /// All of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
}

/// How a value is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `eq`
    Equal,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// Anything else that is spelled like an operator; its result is undefined.
    Extended(String),
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Assertion {
    /// Quoted.
    Text(String),
    /// Without a dot.
    Integer(i64),
    /// With a dot.
    Double(f64),
    /// `true`, `false`.
    Bool(bool),
}

/// `and` is the minimum, `or` the maximum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    False,
    True,
    Undefined,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

enum Token {
    Open,
    Close,
    Text(String),
    Word(String),
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    /// 400, in one text for every mistake.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parsed = (text.len() <= MAX_FILTER_BYTES).then(|| tokens(text)).flatten().and_then(|tokens| {
            let mut parser = Parser { tokens: tokens.into_iter().peekable(), nesting: 0 };
            let filter = parser.or()?;
            parser.tokens.next().is_none().then_some(filter)
        });
        parsed.ok_or_else(|| {
            Error::bad_request(format!(
                "The value '{text}' for parameter '_queryFilter' could not be parsed as a valid query filter"
            ))
        })
    }

    /// Whether `value` is selected.
    pub fn selects(&self, value: &Value, names: Names) -> bool {
        self.selects_what(&|pointer| pointer.resolve(value, names).map(Cow::Borrowed))
    }

    /// Whether that is selected whose members `find` finds: for values that nobody needs in one piece.
    pub fn selects_what<'v>(&self, find: &impl Fn(&Pointer) -> Option<Cow<'v, Value>>) -> bool {
        self.truth(find) == Truth::True
    }

    fn truth<'v>(&self, find: &impl Fn(&Pointer) -> Option<Cow<'v, Value>>) -> Truth {
        match self {
            Self::Literal(literal) => (*literal).into(),
            Self::Present(pointer) => find(pointer).is_some().into(),
            Self::Compare(_, Operator::Extended(_), _) => Truth::Undefined,
            Self::Compare(pointer, operator, assertion) => {
                find(pointer).is_some_and(|value| fits(&value, operator, assertion)).into()
            }
            Self::Not(inner) => match inner.truth(find) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Undefined => Truth::Undefined,
            },
            Self::And(all) => all.iter().map(|filter| filter.truth(find)).min().unwrap_or(Truth::True),
            Self::Or(any) => any.iter().map(|filter| filter.truth(find)).max().unwrap_or(Truth::False),
        }
    }
}

/// Whether a value, or one of an array of them, compares like that. An operator that is not known fits nothing.
pub(super) fn fits(value: &Value, operator: &Operator, assertion: &Assertion) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| compare(value, operator, assertion)),
        value => compare(value, operator, assertion),
    }
}

fn compare(value: &Value, operator: &Operator, assertion: &Assertion) -> bool {
    let order = match (value, assertion) {
        (Value::String(value), Assertion::Text(assertion)) if value.is_ascii() && assertion.is_ascii() => {
            // As below, without a copy of either: most of what is compared is ASCII.
            let (value, assertion) = (value.as_bytes(), assertion.as_bytes());
            match operator {
                Operator::Contains => {
                    let fits = |part: &[u8]| part.eq_ignore_ascii_case(assertion);
                    return assertion.is_empty() || value.windows(assertion.len()).any(fits);
                }
                Operator::StartsWith => {
                    return value.get(..assertion.len()).is_some_and(|head| head.eq_ignore_ascii_case(assertion));
                }
                _ => value.iter().map(u8::to_ascii_lowercase).cmp(assertion.iter().map(u8::to_ascii_lowercase)),
            }
        }
        (Value::String(value), Assertion::Text(assertion)) => {
            let (value, assertion) = (value.to_lowercase(), assertion.to_lowercase());
            match operator {
                Operator::Contains => return value.contains(&assertion),
                Operator::StartsWith => return value.starts_with(&assertion),
                _ => value.encode_utf16().cmp(assertion.encode_utf16()),
            }
        }
        (Value::Number(value), Assertion::Integer(assertion)) => {
            // As doubles, as the reference compares.
            #[expect(clippy::cast_precision_loss, reason = "numbers are compared as doubles")]
            let assertion = *assertion as f64;
            match value.as_f64().and_then(|value| value.partial_cmp(&assertion)) {
                Some(order) => order,
                None => return false,
            }
        }
        (Value::Number(value), Assertion::Double(assertion)) => {
            match value.as_f64().and_then(|value| value.partial_cmp(assertion)) {
                Some(order) => order,
                None => return false,
            }
        }
        (Value::Bool(value), Assertion::Bool(assertion)) => value.cmp(assertion),
        _ => return false,
    };
    operator.accepts(order)
}

/// §7.1; `None` for a string that does not end.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            ' ' => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            quote @ ('"' | '\'') => {
                let mut literal = String::new();
                loop {
                    match chars.next()? {
                        '\\' => literal.push(chars.next()?),
                        c if c == quote => break,
                        c => literal.push(c),
                    }
                }
                tokens.push(Token::Text(literal));
            }
            first => {
                let mut word = String::from(first);
                while let Some(c) = chars.next_if(|c| !matches!(c, ' ' | '(' | ')')) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    nesting: usize,
}

impl Parser {
    fn keyword(&mut self, keyword: &str) -> bool {
        let found = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.tokens.next_if(found).is_some()
    }

    fn or(&mut self) -> Option<Filter> {
        let first = self.and()?;
        let mut any = vec![first];
        while self.keyword("or") {
            any.push(self.and()?);
        }
        Some(if any.len() == 1 { any.remove(0) } else { Filter::Or(any) })
    }

    fn and(&mut self) -> Option<Filter> {
        let first = self.not()?;
        let mut all = vec![first];
        while self.keyword("and") {
            all.push(self.not()?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn not(&mut self) -> Option<Filter> {
        if self.keyword("!") { Some(Filter::Not(Box::new(self.primary()?))) } else { self.primary() }
    }

    fn primary(&mut self) -> Option<Filter> {
        let word = match self.tokens.next()? {
            Token::Open => {
                self.nesting += 1;
                let inner = (self.nesting <= MAX_NESTING).then(|| self.or()).flatten()?;
                self.nesting -= 1;
                return matches!(self.tokens.next()?, Token::Close).then_some(inner);
            }
            Token::Close | Token::Text(_) => return None,
            Token::Word(word) => word,
        };
        if let Some(literal) = boolean(&word) {
            return Some(Filter::Literal(literal));
        }
        let pointer = (word != "!").then(|| Pointer::parse(&word)).flatten()?;
        let Token::Word(operator) = self.tokens.next()? else {
            return None;
        };
        if operator.eq_ignore_ascii_case("pr") {
            return Some(Filter::Present(pointer));
        }
        let operator = Operator::parse(&operator)?;
        let assertion = match self.tokens.next()? {
            Token::Text(text) => Assertion::Text(text),
            Token::Word(word) => Assertion::parse(&word)?,
            Token::Open | Token::Close => return None,
        };
        Some(Filter::Compare(pointer, operator, assertion))
    }
}

fn boolean(word: &str) -> Option<bool> {
    match word {
        _ if word.eq_ignore_ascii_case("true") => Some(true),
        _ if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

impl Operator {
    fn parse(word: &str) -> Option<Self> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        if !word.bytes().all(legal) {
            return None;
        }
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "co" => Self::Contains,
            "sw" => Self::StartsWith,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            _ => Self::Extended(word.to_owned()),
        })
    }

    /// Whether a value that stands like that to the assertion fits.
    pub(super) fn accepts(&self, order: Ordering) -> bool {
        match self {
            // `co` and `sw` mean something for strings only; for the rest they are equality.
            Self::Equal | Self::Contains | Self::StartsWith => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Extended(_) => false,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Equal => "eq",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Extended(word) => word,
        }
    }
}

impl Assertion {
    fn parse(word: &str) -> Option<Self> {
        if let Some(truth) = boolean(word) {
            return Some(Self::Bool(truth));
        }
        if !word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
            return None;
        }
        if word.contains('.') {
            word.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Double)
        } else {
            word.parse().ok().map(Self::Integer)
        }
    }
}

impl fmt::Display for Filter {
    /// The canonical form (§7.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str| {
            f.write_str("(")?;
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    write!(f, " {word} ")?;
                }
                write!(f, "{part}")?;
            }
            f.write_str(")")
        };
        match self {
            Self::Literal(literal) => write!(f, "{literal}"),
            Self::Present(pointer) => write!(f, "{pointer} pr"),
            Self::Compare(pointer, operator, assertion) => write!(f, "{pointer} {} {assertion}", operator.as_str()),
            Self::Not(inner) => write!(f, "! ({inner})"),
            Self::And(all) => join(f, all, "and"),
            Self::Or(any) => join(f, any, "or"),
        }
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            Self::Integer(number) => write!(f, "{number}"),
            // With a dot in any case: without one it would be an integer, and none that parses.
            Self::Double(number) => match format!("{number:?}").split_once('e') {
                Some((digits, exponent)) if !digits.contains('.') => write!(f, "{digits}.0e{exponent}"),
                _ => write!(f, "{number:?}"),
            },
            Self::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

#[cfg(test)]
mod tests;
