//! What `_queryFilter` may say about scripts (authn-sessions-realms.md e.1): `eq` is exact, `co` and `sw` are for texts, the source
//! is looked at decoded; each other operator has its text.

use super::{contexts::JAVASCRIPT, model::Script};
use crate::crest::{
    Error, Query,
    filter::{Assertion, Filter, Operator},
    query::Select,
};

/// Most leaves of one filter.
const MAX_LEAVES: usize = 256;

/// A filter, checked.
#[derive(Debug, PartialEq)]
pub enum Checked {
    /// `true`, `false`.
    Literal(bool),
    /// A comparison.
    Leaf(Field, Test),
    /// All of them.
    And(Vec<Checked>),
    /// One of them.
    Or(Vec<Checked>),
}

/// What can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `_id`
    Id,
    /// `name`
    Name,
    /// `description`
    Description,
    /// `script`, decoded.
    Source,
    /// `language`
    Language,
    /// `context`
    Context,
    /// `evaluatorVersion`
    EvaluatorVersion,
    /// `createdBy`
    CreatedBy,
    /// `lastModifiedBy`
    LastModifiedBy,
    /// `default`
    Default,
}

/// How it is compared.
#[derive(Debug, PartialEq)]
pub enum Test {
    /// Is this.
    Is(String),
    /// Contains this.
    Contains(String),
    /// Begins with this.
    Begins(String),
    /// Is true, or is not.
    Flag(bool),
    /// Nothing of the type that it is compared with.
    Never,
}

/// What a query selects; without a filter, everything.
///
/// # Errors
/// 400 for what cannot be asked.
pub fn parsed(query: &Query) -> Result<Checked, Error> {
    match &query.select {
        Select::Filter(filter) => walk(filter, &mut 0),
        Select::Id(_) | Select::Expression(_) => Ok(Checked::Literal(true)),
    }
}

fn unsupported(what: &str) -> Error {
    Error::bad_request(format!("The '{what}' filter is not supported"))
}

fn walk(filter: &Filter, leaves: &mut usize) -> Result<Checked, Error> {
    *leaves += 1;
    if *leaves > MAX_LEAVES {
        return Err(Error::bad_request("Invalid Query Filter"));
    }
    let mut all = |parts: &[Filter]| parts.iter().map(|part| walk(part, leaves)).collect::<Result<Vec<_>, _>>();
    match filter {
        Filter::Literal(literal) => Ok(Checked::Literal(*literal)),
        Filter::And(parts) => all(parts).map(Checked::And),
        Filter::Or(parts) => all(parts).map(Checked::Or),
        Filter::Not(_) => Err(unsupported("not")),
        Filter::Present(_) => Err(unsupported("present")),
        Filter::Compare(pointer, operator, assertion) => {
            let test = test(operator, assertion)?;
            let name = pointer.to_string();
            let field = Field::named(name.trim_start_matches('/'));
            let unknown = || Error::bad_request(format!("Querying by the field {name} is not supported"));
            Ok(Checked::Leaf(field.ok_or_else(unknown)?, test))
        }
    }
}

fn test(operator: &Operator, assertion: &Assertion) -> Result<Test, Error> {
    let text: fn(String) -> Test = match operator {
        Operator::Equal => Test::Is,
        Operator::Contains => Test::Contains,
        Operator::StartsWith => Test::Begins,
        Operator::Greater => return Err(unsupported("greater than")),
        Operator::GreaterOrEqual => return Err(unsupported("greater than or equal")),
        Operator::Less => return Err(unsupported("less than")),
        Operator::LessOrEqual => return Err(unsupported("less than or equal")),
        Operator::Extended(name) => return Err(unsupported(name)),
    };
    Ok(match (operator, assertion) {
        (_, Assertion::Text(operand)) => text(operand.clone()),
        (Operator::Equal, Assertion::Bool(flag)) => Test::Flag(*flag),
        _ => Test::Never,
    })
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "_id" => Self::Id,
            "name" => Self::Name,
            "description" => Self::Description,
            "script" => Self::Source,
            "language" => Self::Language,
            "context" => Self::Context,
            "evaluatorVersion" => Self::EvaluatorVersion,
            "createdBy" => Self::CreatedBy,
            "lastModifiedBy" => Self::LastModifiedBy,
            "default" => Self::Default,
            _ => return None,
        })
    }

    /// Its text; `None` for what has none.
    fn text<'s>(self, id: &'s str, script: &'s Script) -> Option<&'s str> {
        match self {
            Self::Id => Some(id),
            Self::Name => Some(&script.name),
            Self::Description => script.description.as_deref(),
            Self::Source => Some(&script.source),
            Self::Language => Some(JAVASCRIPT),
            Self::Context => Some(&script.context),
            Self::EvaluatorVersion => Some(&script.evaluator_version),
            Self::CreatedBy => Some(&script.created.id),
            Self::LastModifiedBy => Some(&script.modified.id),
            Self::Default => Some(if script.default { "true" } else { "false" }),
        }
    }
}

impl Checked {
    /// Whether a script is selected.
    pub fn selects(&self, id: &str, script: &Script) -> bool {
        match self {
            Self::Literal(literal) => *literal,
            Self::Leaf(Field::Default, Test::Flag(flag)) => script.default == *flag,
            Self::Leaf(field, test) => field.text(id, script).is_some_and(|text| match test {
                Test::Is(operand) => text == operand,
                Test::Contains(operand) => text.contains(operand),
                Test::Begins(operand) => text.starts_with(operand),
                Test::Flag(_) | Test::Never => false,
            }),
            Self::And(parts) => parts.iter().all(|part| part.selects(id, script)),
            Self::Or(parts) => parts.iter().any(|part| part.selects(id, script)),
        }
    }
}
