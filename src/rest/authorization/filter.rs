//! What `_queryFilter` may say about each collection of the policy service, and what it selects.
//!
//! | authorization.md | it says                                                     | here              |
//! |------------------|-------------------------------------------------------------|-------------------|
//! | §2.1.6           | a query without filter lists everything                     | [`parsed`]        |
//! | §2.1.6           | `eq` on a string is a regular expression                    | [`super::regex`]  |
//! | §2.2.3           | operators of `resourcetypes`, and a text for each other one | [`ResourceTypes`] |
//! | §2.3.3           | operators of `applications`, one text for all others        | [`Applications`]  |
//! | §2.4.6           | operators of `policies`, no `or`                            | [`Policies`]      |
//!
//! A filter is checked as a whole, and compiled, before it is asked about anything: what is wrong with it does not depend on
//! what is stored (PD-08).

use super::regex::{BUDGET, Regex};
use crate::crest::{
    Error, Item, Listing, Query, Totals,
    filter::{Assertion, Filter, Operator},
    pointer::{Names, Pointer},
    query::Select,
};
use jiff::{Timestamp, civil::DateTime, tz::Offset};
use serde_json::Value;
use std::cell::Cell;

/// Most leaves of one filter.
const MAX_LEAVES: usize = 256;

/// One comparison, ready to be made.
#[derive(Debug)]
pub enum Test {
    /// Full match against a regular expression, whose operand may have been empty or `*`.
    Matches { regex: Regex, absent: bool },
    /// Contains, with or without regard to letter case.
    Contains { text: String, any_case: bool },
    /// Begins with.
    Begins { text: String, any_case: bool },
    /// Equal but for letter case; `*` stands for anything.
    Wildcard(Vec<String>),
    /// A date, in milliseconds.
    Date(Operator, i64),
    /// An operand of a type that nothing is equal to.
    Never,
}

/// A filter, checked.
#[derive(Debug)]
pub enum Checked {
    /// `true`, `false`.
    Literal(bool),
    /// A member, and the test that it must pass.
    Leaf(&'static str, Test),
    /// All of them.
    And(Vec<Checked>),
    /// One of them.
    Or(Vec<Checked>),
}

/// The rules of one collection.
pub trait Rules {
    /// A leaf.
    ///
    /// # Errors
    /// 400 in the words of the collection.
    fn leaf(&self, field: &Pointer, operator: &Operator, assertion: &Assertion) -> Result<Checked, Error>;

    /// `true` is for every collection.
    ///
    /// # Errors
    /// 400 where `false` cannot be said.
    fn never(&self) -> Result<Checked, Error>;

    /// Whether `or` can be said.
    ///
    /// # Errors
    /// 400 where it cannot.
    fn or(&self) -> Result<(), Error>;

    /// The error for `!`.
    fn not(&self) -> Error;

    /// The error for `pr`.
    fn present(&self) -> Error;
}

/// Checks `filter` against the rules of a collection.
///
/// # Errors
/// 400, in the words of the collection.
pub fn checked(filter: &Filter, rules: &impl Rules) -> Result<Checked, Error> {
    let mut leaves = 0;
    walk(filter, rules, &mut leaves)
}

fn walk(filter: &Filter, rules: &impl Rules, leaves: &mut usize) -> Result<Checked, Error> {
    *leaves += 1;
    if *leaves > MAX_LEAVES {
        return Err(invalid());
    }
    let mut all = |parts: &[Filter]| parts.iter().map(|part| walk(part, rules, leaves)).collect::<Result<Vec<_>, _>>();
    match filter {
        Filter::Literal(true) => Ok(Checked::Literal(true)),
        Filter::Literal(false) => rules.never(),
        Filter::Compare(field, operator, assertion) => rules.leaf(field, operator, assertion),
        Filter::And(parts) => all(parts).map(Checked::And),
        Filter::Or(parts) => {
            rules.or()?;
            all(parts).map(Checked::Or)
        }
        Filter::Not(_) => Err(rules.not()),
        Filter::Present(_) => Err(rules.present()),
    }
}

/// What a query of `resourcetypes` or `applications` selects; without a filter, everything (§2.1.6).
///
/// # Errors
/// As [`checked`].
pub fn parsed(query: &Query, rules: &impl Rules) -> Result<Checked, Error> {
    match &query.select {
        Select::Filter(filter) => checked(filter, rules),
        Select::Id(_) | Select::Expression(_) => Ok(Checked::Literal(true)),
    }
}

impl Checked {
    /// The listing of those of `all` that are selected, sorted and paged as `query` asks.
    ///
    /// # Errors
    /// 400 for a filter that takes too long.
    pub fn answer(&self, query: &Query, all: impl IntoIterator<Item = Item>) -> Result<Listing, Error> {
        let budget = Cell::new(BUDGET);
        let mut selected = Vec::new();
        for item in all {
            if self.selects(&item, &budget).ok_or_else(invalid)? {
                selected.push(item);
            }
        }
        present(query, selected)
    }

    fn selects(&self, item: &Item, budget: &Cell<usize>) -> Option<bool> {
        match self {
            Self::Literal(literal) => Some(*literal),
            Self::Leaf(field, test) => test.passes(item.content.get(*field), budget),
            Self::And(parts) => {
                for part in parts {
                    if !part.selects(item, budget)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.selects(item, budget)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
        }
    }
}

/// `selected`, sorted and paged as `query` asks.
///
/// # Errors
/// None but the framework's.
pub fn present(query: &Query, selected: Vec<Item>) -> Result<Listing, Error> {
    let everything = Query { select: Select::Filter(Filter::Literal(true)), ..query.clone() };
    let matches = selected.len();
    let mut listing = everything.answer(selected, Names::Exact, Totals::Remaining)?;
    if query.page_size > 0 {
        // What was delivered before counts as delivered (§2.1.6).
        let delivered = query.offset.saturating_add(listing.items.len());
        listing.remaining = i64::try_from(matches.saturating_sub(delivered)).unwrap_or(i64::MAX);
    }
    Ok(listing)
}

impl Test {
    /// Whether the value of a member passes; of a multi-valued one, whether any of its values does (§2.2.3).
    fn passes(&self, value: Option<&Value>, budget: &Cell<usize>) -> Option<bool> {
        let texts: Vec<String> = match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::Object(actions)) => actions.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            Some(Value::Number(number)) => return Some(self.passes_number(number.as_i64())),
            Some(Value::Bool(truth)) => vec![truth.to_string()],
        };
        if let Self::Matches { absent, .. } = self
            && texts.iter().all(String::is_empty)
        {
            return Some(*absent);
        }
        let folded = |text: &str, any_case: bool| if any_case { text.to_lowercase() } else { text.to_owned() };
        for text in &texts {
            let passes = match self {
                Self::Matches { regex, .. } => {
                    let mut left = budget.get();
                    let fits = regex.matches(text, &mut left);
                    budget.set(left);
                    fits?
                }
                Self::Contains { text: part, any_case } => folded(text, *any_case).contains(part),
                Self::Begins { text: start, any_case } => folded(text, *any_case).starts_with(start),
                Self::Wildcard(parts) => wildcard(parts, &text.to_lowercase()),
                Self::Date(operator, date) => policy_date(text).is_some_and(|stored| compare(stored, operator, *date)),
                Self::Never => false,
            };
            if passes {
                return Some(true);
            }
        }
        Some(false)
    }

    fn passes_number(&self, number: Option<i64>) -> bool {
        match (self, number) {
            (Self::Date(operator, date), Some(stored)) => compare(stored, operator, *date),
            _ => false,
        }
    }
}

fn compare(stored: i64, operator: &Operator, date: i64) -> bool {
    match operator {
        Operator::Equal => stored == date,
        Operator::Less => stored < date,
        Operator::LessOrEqual => stored <= date,
        Operator::Greater => stored > date,
        Operator::GreaterOrEqual => stored >= date,
        Operator::Contains | Operator::StartsWith | Operator::Extended(_) => false,
    }
}

/// Whether `text` consists of `parts` with anything between them.
fn wildcard(parts: &[String], text: &str) -> bool {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    if parts.len() == 1 {
        return text == first;
    }
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in parts.get(1..parts.len() - 1).unwrap_or_default() {
        match rest.find(part.as_str()) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// The date of a policy as it is shown: what follows the dot counts milliseconds (§2.4.2).
fn policy_date(text: &str) -> Option<i64> {
    let (seconds, millis) = text.strip_suffix('Z')?.split_once('.')?;
    let seconds = Offset::UTC.to_timestamp(seconds.parse::<DateTime>().ok()?).ok()?;
    Some(seconds.as_millisecond() + i64::from(millis.parse::<u16>().ok()?))
}

/// The element of a pointer that has only one.
fn single(field: &Pointer) -> Option<String> {
    let text = field.to_string();
    let element = text.strip_prefix('/')?;
    (field.leaf() == Some(element)).then(|| element.to_owned())
}

fn invalid() -> Error {
    Error::bad_request("Invalid Query Filter")
}

/// `eq` on a string (§2.1.6): an empty operand matches everything, an absent value only that and `*`.
fn regex(assertion: &Assertion) -> Result<Test, Error> {
    match assertion {
        Assertion::Text(operand) if operand.is_empty() => {
            let regex = Regex::of_operand("*").map_err(|_| invalid())?;
            Ok(Test::Matches { regex, absent: true })
        }
        Assertion::Text(operand) => {
            let regex = Regex::of_operand(operand).map_err(|_| invalid())?;
            Ok(Test::Matches { regex, absent: operand == "*" })
        }
        Assertion::Integer(_) | Assertion::Double(_) | Assertion::Bool(_) => Ok(Test::Never),
    }
}

/// `co` and `sw`.
fn part(operator: &Operator, assertion: &Assertion, any_case: bool) -> Test {
    let Assertion::Text(text) = assertion else {
        return Test::Never;
    };
    let text = if any_case { text.to_lowercase() } else { text.clone() };
    match operator {
        Operator::Contains => Test::Contains { text, any_case },
        _ => Test::Begins { text, any_case },
    }
}

/// The rules of `resourcetypes` (§2.2.3).
pub struct ResourceTypes;

impl ResourceTypes {
    const FIELDS: [&str; 6] = ["uuid", "name", "description", "patterns", "actions", "createdBy"];

    fn unsupported(what: &str) -> Error {
        Error::bad_request(format!("The '{what}' filter is not supported"))
    }
}

impl Rules for ResourceTypes {
    fn leaf(&self, field: &Pointer, operator: &Operator, assertion: &Assertion) -> Result<Checked, Error> {
        let test = match operator {
            Operator::Equal => regex(assertion)?,
            Operator::Contains | Operator::StartsWith => part(operator, assertion, false),
            Operator::Greater => return Err(Self::unsupported("greater than")),
            Operator::GreaterOrEqual => return Err(Self::unsupported("greater than or equal")),
            Operator::Less => return Err(Self::unsupported("less than")),
            Operator::LessOrEqual => return Err(Self::unsupported("less than or equal")),
            Operator::Extended(name) => return Err(Self::unsupported(name)),
        };
        let too_long = || Error::bad_request("Filter path is too long, a depth of 1 is supported");
        let name = single(field).ok_or_else(too_long)?;
        let field = Self::FIELDS.into_iter().find(|known| *known == name).ok_or_else(invalid)?;
        Ok(Checked::Leaf(field, test))
    }

    fn never(&self) -> Result<Checked, Error> {
        Err(Self::unsupported("false"))
    }

    fn or(&self) -> Result<(), Error> {
        Ok(())
    }

    fn not(&self) -> Error {
        Self::unsupported("not")
    }

    fn present(&self) -> Error {
        Self::unsupported("present")
    }
}

/// The rules of `applications` (§2.3.3).
pub struct Applications;

impl Applications {
    const TEXTS: [&str; 4] = ["name", "description", "createdBy", "lastModifiedBy"];
    const DATES: [&str; 2] = ["creationDate", "lastModifiedDate"];
}

impl Rules for Applications {
    fn leaf(&self, field: &Pointer, operator: &Operator, assertion: &Assertion) -> Result<Checked, Error> {
        let name = single(field).ok_or_else(invalid)?;
        if let Some(date) = Self::DATES.into_iter().find(|known| *known == name) {
            let test = match (operator, assertion) {
                (Operator::Contains | Operator::StartsWith | Operator::Extended(_), _) => return Err(invalid()),
                (_, Assertion::Integer(millis)) => Test::Date(operator.clone(), *millis),
                (Operator::Equal, _) => Test::Never,
                _ => return Err(invalid()),
            };
            return Ok(Checked::Leaf(date, test));
        }
        let field = Self::TEXTS.into_iter().find(|known| *known == name).ok_or_else(invalid)?;
        let test = match operator {
            Operator::Equal => regex(assertion)?,
            Operator::Contains | Operator::StartsWith => part(operator, assertion, true),
            _ => return Err(invalid()),
        };
        Ok(Checked::Leaf(field, test))
    }

    fn never(&self) -> Result<Checked, Error> {
        Err(invalid())
    }

    fn or(&self) -> Result<(), Error> {
        Ok(())
    }

    fn not(&self) -> Error {
        invalid()
    }

    fn present(&self) -> Error {
        invalid()
    }
}

/// The rules of `policies` (§2.4.6).
pub struct Policies;

impl Policies {
    const TEXTS: [&str; 6] =
        ["name", "description", "applicationName", "createdBy", "lastModifiedBy", "resourceTypeUuid"];
    const DATES: [&str; 2] = ["creationDate", "lastModifiedDate"];

    fn unsupported(what: &str) -> Error {
        Error::bad_request(format!("Incorrect search filter, '{what}' not supported in policy queries."))
    }

    fn value(assertion: &Assertion) -> Error {
        let shown = match assertion {
            Assertion::Text(text) => text.chars().take(256).collect(),
            other => other.to_string(),
        };
        Error::bad_request(format!("Invalid value {shown}"))
    }
}

impl Rules for Policies {
    fn leaf(&self, field: &Pointer, operator: &Operator, assertion: &Assertion) -> Result<Checked, Error> {
        let named = |operator: &Operator| match operator {
            Operator::Contains => "Contains".to_owned(),
            Operator::StartsWith => "Starts with".to_owned(),
            Operator::Less => "Less than".to_owned(),
            Operator::LessOrEqual => "Less than or equal".to_owned(),
            Operator::Greater => "Greater than".to_owned(),
            Operator::GreaterOrEqual => "Greater than or equal".to_owned(),
            Operator::Equal | Operator::Extended(_) => "Extended match".to_owned(),
        };
        if matches!(operator, Operator::Contains | Operator::StartsWith | Operator::Extended(_)) {
            return Err(Self::unsupported(&named(operator)));
        }
        let path = field.to_string();
        let unknown = || {
            let name: String = path.trim_start_matches('/').chars().take(256).collect();
            Error::bad_request(format!("Incorrect search filter, Unknown query field '{name}'."))
        };
        let name = single(field).ok_or_else(unknown)?;
        if let Some(date) = Self::DATES.into_iter().find(|known| *known == name) {
            let millis = match assertion {
                Assertion::Integer(millis) => Some(*millis),
                Assertion::Text(text) => text.parse::<Timestamp>().ok().map(|time| time.as_millisecond()),
                Assertion::Double(_) | Assertion::Bool(_) => None,
            };
            let millis = millis.ok_or_else(|| Self::value(assertion))?;
            return Ok(Checked::Leaf(date, Test::Date(operator.clone(), millis)));
        }
        let field = Self::TEXTS.into_iter().find(|known| *known == name).ok_or_else(unknown)?;
        match (operator, assertion) {
            (Operator::Equal, Assertion::Text(text)) => {
                let parts = text.to_lowercase().split('*').map(str::to_owned).collect();
                Ok(Checked::Leaf(field, Test::Wildcard(parts)))
            }
            (Operator::Equal, _) => Err(Self::value(assertion)),
            _ => Err(Self::unsupported(&named(operator))),
        }
    }

    fn never(&self) -> Result<Checked, Error> {
        Err(Self::unsupported("Boolean Literal"))
    }

    fn or(&self) -> Result<(), Error> {
        Err(Self::unsupported("Or"))
    }

    fn not(&self) -> Error {
        Self::unsupported("Not")
    }

    fn present(&self) -> Error {
        Self::unsupported("Present")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item() -> Item {
        let content = json!({"uuid": "6f1d", "name": "Warehouse API", "description": null,
            "patterns": ["api://warehouse/*", "other"], "actions": {"GRANT": true, "AUDIT": false},
            "createdBy": "id=Admin,ou=user", "creationDate": 100, "lastModifiedDate": 200});
        Item::new("6f1d", None, content.as_object().cloned().unwrap_or_default())
    }

    fn outcome(text: &str, rules: &impl Rules, item: &Item) -> Result<bool, String> {
        let filter = Filter::parse(text).expect(text);
        let checked = checked(&filter, rules).map_err(|error| {
            assert_eq!(error.code(), 400);
            error.message().to_owned()
        })?;
        Ok(checked.selects(item, &Cell::new(BUDGET)).expect("within the budget"))
    }

    /// §2.2.3, row by row.
    #[test]
    fn resource_types_are_found_as_the_table_says() {
        let unsupported = |what: &str| Err(format!("The '{what}' filter is not supported"));
        for (filter, expected) in [
            ("true", Ok(true)),
            ("name eq \"warehouse api\"", Ok(true)),
            ("/name eq \"^(?!Delegation Service$).*\" and name eq \"Warehouse API\"", Ok(true)),
            ("name eq \"^(?!Warehouse API$).*\"", Ok(false)),
            ("name eq \"x\" or uuid eq \"6*\"", Ok(true)),
            ("name co \"house\"", Ok(true)),
            ("name co \"HOUSE\"", Ok(false)),
            ("name sw \"Ware\"", Ok(true)),
            ("name sw \"ware\"", Ok(false)),
            ("patterns eq \"other\"", Ok(true)),
            ("actions eq \"AUDIT=false\"", Ok(true)),
            ("actions eq \"AUDIT=true\"", Ok(false)),
            ("createdBy co \"Admin\"", Ok(true)),
            ("description eq \"x\"", Ok(false)),
            ("description eq \"*\"", Ok(true)),
            ("name eq \"\"", Ok(true)),
            ("name eq 1", Ok(false)),
            ("name gt \"a\"", unsupported("greater than")),
            ("name ge \"a\"", unsupported("greater than or equal")),
            ("name lt \"a\"", unsupported("less than")),
            ("name le \"a\"", unsupported("less than or equal")),
            ("name pr", unsupported("present")),
            ("! (name eq \"a\")", unsupported("not")),
            ("false", unsupported("false")),
            ("name/x eq \"a\"", Err("Filter path is too long, a depth of 1 is supported".into())),
            ("name eq \"(\"", Err("Invalid Query Filter".into())),
            ("colour eq \"a\"", Err("Invalid Query Filter".into())),
        ] {
            assert_eq!(outcome(filter, &ResourceTypes, &item()), expected, "{filter}");
        }
    }

    /// §2.3.3.
    #[test]
    fn policy_sets_are_found_as_the_table_says() {
        let invalid = || Err("Invalid Query Filter".to_owned());
        for (filter, expected) in [
            ("true", Ok(true)),
            ("name eq \"^(?!sunAMDelegationService$).*\"", Ok(true)),
            ("name co \"HOUSE\" and name sw \"ware\"", Ok(true)),
            ("creationDate gt 99 and lastModifiedDate le 200", Ok(true)),
            ("creationDate eq 100", Ok(true)),
            ("creationDate ge 101 or creationDate lt 100", Ok(false)),
            ("creationDate gt \"99\"", invalid()),
            ("creationDate co 1", invalid()),
            ("name gt \"a\"", invalid()),
            ("! (name eq \"a\")", invalid()),
            ("name pr", invalid()),
            ("displayName eq \"a\"", invalid()),
            ("name/x eq \"a\"", invalid()),
        ] {
            assert_eq!(outcome(filter, &Applications, &item()), expected, "{filter}");
        }
    }

    /// §2.4.6.
    #[test]
    fn policies_are_found_as_the_table_says() {
        let content = json!({"name": "Read Stock", "applicationName": "warehouse",
            "creationDate": "2024-05-21T14:36:51.93Z", "lastModifiedDate": "2024-05-21T14:36:51.930Z"});
        let policy = Item::new("x", None, content.as_object().cloned().unwrap_or_default());
        let incorrect = |what: &str| Err(format!("Incorrect search filter, {what}."));
        let unsupported = |what: &str| incorrect(&format!("'{what}' not supported in policy queries"));
        for (filter, expected) in [
            ("true", Ok(true)),
            ("applicationName eq \"WAREHOUSE\" and name eq \"read stock\"", Ok(true)),
            ("name eq \"read\"", Ok(false)),
            ("name eq \"r*d s*\"", Ok(true)),
            ("name eq \"^read.*\"", Ok(false)),
            ("description eq \"*\"", Ok(false)),
            ("creationDate eq 1716302211093", Ok(true)),
            ("creationDate eq \"2024-05-21T14:36:51.093Z\"", Ok(true)),
            ("lastModifiedDate gt \"2024-05-21T14:36:51.929Z\" and lastModifiedDate le 1716302211930", Ok(true)),
            ("lastModifiedDate lt 1716302211930", Ok(false)),
            ("creationDate eq \"yesterday\"", Err("Invalid value yesterday".into())),
            ("creationDate gt 1.5", Err("Invalid value 1.5".into())),
            ("name eq 1", Err("Invalid value 1".into())),
            ("name eq \"a\" or name eq \"b\"", unsupported("Or")),
            ("! (name eq \"a\")", unsupported("Not")),
            ("name co \"a\"", unsupported("Contains")),
            ("name sw \"a\"", unsupported("Starts with")),
            ("name pr", unsupported("Present")),
            ("false", unsupported("Boolean Literal")),
            ("name gt \"a\"", unsupported("Greater than")),
            ("name like \"a\"", unsupported("Extended match")),
            ("colour eq \"red\"", incorrect("Unknown query field 'colour'")),
        ] {
            assert_eq!(outcome(filter, &Policies, &policy), expected, "{filter}");
        }
    }

    #[test]
    fn a_filter_has_a_bounded_number_of_leaves() {
        let many = vec!["name eq \"a\""; 300].join(" and ");
        assert_eq!(outcome(&many, &Policies, &item()), Err("Invalid Query Filter".into()));
    }
}
