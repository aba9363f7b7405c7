//! A filter, made ready to look at many rows: names are resolved, texts folded and parts ordered once, and looking at a row
//! allocates nothing unless the resource has to make what is asked for.
//!
//! | crest.md | it says                                                 | here                                     |
//! |----------|---------------------------------------------------------|------------------------------------------|
//! | §7.3.1–2 | what is not there is not equal to anything               | [`Test::Stored`], [`Place::Nowhere`]     |
//! | §7.3.4   | one of several values is enough                          | [`Wanted::fits`]                         |
//! | §7.3.5–6 | strings ignore case, types do not mix                    | [`Wanted::fits`]                         |
//! | §7.3.8   | undefined wins an `or`, loses an `and`, selects nothing  | [`Test::of`]: known before any row is seen |
//!
//! [`Filter::selects`] is the same, said plainly; the tests hold one against the other.

use super::{Place, Rows, find};
use crate::{
    crest::{
        filter::{Assertion, Filter, Operator, fits},
        pointer::Pointer,
        text,
    },
    views::{Row, Scalar, Values},
};

/// What is tried on a row.
pub(super) enum Test<'f> {
    Always(bool),
    /// Whether the stored member is there.
    Present(&'f str),
    /// How the stored member compares.
    Stored(&'f str, Wanted<'f>),
    /// The same for what the resource makes.
    PresentMade(&'f Pointer),
    Made(&'f Pointer, &'f Operator, &'f Assertion),
    Not(Box<Test<'f>>),
    All(Vec<Test<'f>>),
    Any(Vec<Test<'f>>),
}

/// What a value is compared with.
pub(super) enum Wanted<'f> {
    /// In lower case.
    Text(&'f Operator, String),
    Number(&'f Operator, f64),
    Bool(&'f Operator, bool),
}

impl<'f> Test<'f> {
    /// The test of a filter on rows that look as `of` says.
    pub fn of(filter: &'f Filter, of: &impl Rows) -> Self {
        Self::defined(filter, of).unwrap_or(Self::Always(false))
    }

    /// `None` for undefined: which filters are does not depend on the row.
    fn defined(filter: &'f Filter, of: &impl Rows) -> Option<Self> {
        Some(match filter {
            Filter::Literal(literal) => Self::Always(*literal),
            Filter::Present(pointer) => match place(pointer, of) {
                Some(Place::Stored(name)) => Self::Present(name),
                Some(Place::Nowhere) => Self::Always(false),
                Some(Place::Made) => Self::PresentMade(pointer),
                None => Self::Always(true), // `/`, the whole
            },
            Filter::Compare(_, Operator::Extended(_), _) => return None,
            Filter::Compare(pointer, operator, assertion) => match place(pointer, of) {
                Some(Place::Stored(name)) => Self::Stored(name, Wanted::of(operator, assertion)),
                Some(Place::Made) => Self::Made(pointer, operator, assertion),
                // Objects, as the whole is one, never compare.
                Some(Place::Nowhere) | None => Self::Always(false),
            },
            Filter::Not(inner) => Self::Not(Box::new(Self::defined(inner, of)?)),
            // Undefined is more than true: it has a say only where all parts are.
            Filter::And(parts) => {
                let defined: Vec<Self> = parts.iter().filter_map(|part| Self::defined(part, of)).collect();
                if defined.is_empty() && !parts.is_empty() {
                    return None;
                }
                Self::All(cheapest_first(defined))
            }
            Filter::Or(parts) => {
                Self::Any(cheapest_first(parts.iter().map(|part| Self::defined(part, of)).collect::<Option<_>>()?))
            }
        })
    }

    /// Whether a row passes.
    pub fn passes(&self, row: &Row, of: &impl Rows) -> bool {
        match self {
            Self::Always(literal) => *literal,
            Self::Present(name) => row.members().get(name).is_some(),
            Self::Stored(name, wanted) => row.members().get(name).is_some_and(|mut values| wanted.fits(&mut values)),
            Self::PresentMade(pointer) => find(row, pointer, of).is_some(),
            Self::Made(pointer, operator, assertion) => {
                find(row, pointer, of).is_some_and(|value| fits(&value, operator, assertion))
            }
            Self::Not(inner) => !inner.passes(row, of),
            Self::All(parts) => parts.iter().all(|part| part.passes(row, of)),
            Self::Any(parts) => parts.iter().any(|part| part.passes(row, of)),
        }
    }

    /// What it takes, roughly.
    fn cost(&self) -> usize {
        match self {
            Self::Always(_) => 0,
            Self::Present(_) => 1,
            Self::Stored(_, Wanted::Text(Operator::Contains, _)) => 3,
            Self::Stored(..) => 2,
            Self::PresentMade(_) | Self::Made(..) => 50,
            Self::Not(inner) => inner.cost(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum(),
        }
    }
}

/// Which part is tried first changes nothing else: none has an effect, and none is undefined any more.
fn cheapest_first(mut parts: Vec<Test<'_>>) -> Vec<Test<'_>> {
    parts.sort_by_key(Test::cost);
    parts
}

/// Where the member is that a pointer points at, or into; `None` for the whole.
pub(super) fn place<'p>(pointer: &'p Pointer, of: &impl Rows) -> Option<Place<'p>> {
    let (member, rest) = pointer.elements().split_first()?;
    Some(match of.place(member) {
        Place::Stored(_) if !rest.is_empty() => Place::Made,
        place => place,
    })
}

impl<'f> Wanted<'f> {
    fn of(operator: &'f Operator, assertion: &Assertion) -> Self {
        match assertion {
            Assertion::Text(text) => Self::Text(operator, text.to_lowercase()),
            #[expect(clippy::cast_precision_loss, reason = "numbers are compared as doubles")]
            Assertion::Integer(number) => Self::Number(operator, *number as f64),
            Assertion::Double(number) => Self::Number(operator, *number),
            Assertion::Bool(truth) => Self::Bool(operator, *truth),
        }
    }

    /// Whether one of the values compares like that.
    fn fits(&self, values: &mut Values<'_>) -> bool {
        match self {
            Self::Text(operator, wanted) => values.any(|value| match value {
                Scalar::Ascii(text) => ascii_fits(text, operator, wanted),
                Scalar::Text { folded, .. } => match operator {
                    Operator::Contains => text::contains(folded, wanted),
                    Operator::StartsWith => folded.starts_with(wanted.as_bytes()),
                    operator => operator.accepts(text::code_units(folded, wanted.as_bytes())),
                },
                Scalar::Other | Scalar::Bool(_) | Scalar::Number(_) => false,
            }),
            Self::Number(operator, wanted) => values.any(|value| match value {
                Scalar::Number(number) => number.partial_cmp(wanted).is_some_and(|order| operator.accepts(order)),
                _ => false,
            }),
            Self::Bool(operator, wanted) => values.any(|value| match value {
                Scalar::Bool(truth) => operator.accepts(truth.cmp(wanted)),
                _ => false,
            }),
        }
    }
}

fn ascii_fits(text: &[u8], operator: &Operator, wanted: &str) -> bool {
    match operator {
        Operator::Equal => text.eq_ignore_ascii_case(wanted.as_bytes()),
        Operator::Contains => text::ascii_contains(text, wanted),
        Operator::StartsWith => {
            text.get(..wanted.len()).is_some_and(|head| head.eq_ignore_ascii_case(wanted.as_bytes()))
        }
        operator => operator.accepts(text::ascii_code_units(text, wanted.as_bytes())),
    }
}
