//! PATCH: changes to members of a resource (crest.md §10).
//!
//! | §10                                                        | here                    |
//! |------------------------------------------------------------|-------------------------|
//! | the array, its operations, what each needs and refuses     | [`Patch::parse`]        |
//! | in order, on a copy, all or none                           | [`Patch::apply`]        |
//! | add, replace, remove, increment, copy, move                | `add`, `remove`, …      |
//! | lists keep order and duplicates, sets have neither         | [`sets`]                |
//! | transform: not supported by the reference either           | [`Patch::apply`], 501   |
//!
//! Where documentation and reference backend differ, the documentation is followed: adding to a list appends. A move takes
//! the value out before it puts it in, so that indexes mean what they say once the value is gone. What a patch may cost is
//! bounded: operations by number, pointers and results by depth, all copying and comparing together by [`BUDGET`].

use super::{
    Call, Error, Item, Match, Object, Resource, body,
    pointer::{Names, Pointer, index},
};
use serde_json::{Number, Value};

/// Most operations of one patch.
pub const MAX_OPERATIONS: usize = 256;

/// Most values and bytes of strings that one patch may copy, insert and compare.
pub const BUDGET: usize = 4 << 20;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Puts a value where there is none or another; lists grow by it.
    Add {
        /// Where.
        field: Pointer,
        /// What.
        value: Value,
    },
    /// Takes a value away.
    Remove {
        /// Where.
        field: Pointer,
        /// Only what equals this; of a list, every such element.
        value: Option<Value>,
    },
    /// Puts a value in the place of whatever there is.
    Replace {
        /// Where.
        field: Pointer,
        /// What.
        value: Value,
    },
    /// Adds to a number, or to every number of a list.
    Increment {
        /// Where.
        field: Pointer,
        /// How much.
        by: Number,
    },
    /// Adds what is elsewhere.
    Copy {
        /// Whence.
        from: Pointer,
        /// Where.
        field: Pointer,
    },
    /// Takes what is elsewhere, and adds it.
    Move {
        /// Whence.
        from: Pointer,
        /// Where.
        field: Pointer,
    },
    /// Has a script compute the value.
    Transform {
        /// Where.
        field: Pointer,
    },
}

/// Changes, in the order they are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch(Vec<Operation>);

fn invalid(detail: impl AsRef<str>) -> Error {
    Error::bad_request(format!(
        "The request could not be processed because the provided content is not a valid JSON patch: {}",
        detail.as_ref()
    ))
}

impl Patch {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    /// 400 with the texts of crest.md §4.1 and §10.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        match body::parse(body)? {
            Some(Value::Array(operations)) => Self::of(operations),
            Some(_) => Err(Error::bad_request(
                "The request could not be processed because the provided content is not a JSON array of patch operations",
            )),
            None => Err(Error::bad_request(
                "The request could not be processed because it did not contain any JSON content",
            )),
        }
    }

    /// The patch that an array of operations describes.
    ///
    /// # Errors
    /// 400 with the texts of crest.md §10.
    pub fn of(operations: Vec<Value>) -> Result<Self, Error> {
        if operations.len() > MAX_OPERATIONS {
            return Err(invalid(format!("More than {MAX_OPERATIONS} operations")));
        }
        operations.into_iter().enumerate().map(|(n, value)| Operation::of(n, value)).collect::<Result<_, _>>().map(Self)
    }

    /// The operations.
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// `content` after all changes. `is_set` tells which members are sets; see [`sets`].
    ///
    /// # Errors
    /// 400, 409 or 501 as the table of crest.md §10 has it, 413 beyond [`BUDGET`]; then nothing is changed.
    pub fn apply(&self, content: &Object, is_set: impl Fn(&Pointer) -> bool) -> Result<Object, Error> {
        let mut work = Work { whole: Value::Object(content.clone()), left: BUDGET, is_set: &is_set };
        for operation in &self.0 {
            work.change(operation)?;
        }
        match work.whole {
            Value::Object(object) => Ok(object),
            _ => Err(Error::plain(500)), // `add` lets nothing else be the whole
        }
    }
}

impl Operation {
    /// Its name on the wire.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Increment { .. } => "increment",
            Self::Copy { .. } => "copy",
            Self::Move { .. } => "move",
            Self::Transform { .. } => "transform",
        }
    }

    /// What it changes.
    pub const fn field(&self) -> &Pointer {
        match self {
            Self::Add { field, .. }
            | Self::Remove { field, .. }
            | Self::Replace { field, .. }
            | Self::Increment { field, .. }
            | Self::Copy { field, .. }
            | Self::Move { field, .. }
            | Self::Transform { field } => field,
        }
    }

    /// The value that it puts there or takes away.
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Add { value, .. } | Self::Replace { value, .. } | Self::Remove { value: Some(value), .. } => {
                Some(value)
            }
            _ => None,
        }
    }

    /// The `n`th operation of a patch.
    fn of(n: usize, value: Value) -> Result<Self, Error> {
        let Value::Object(mut members) = value else {
            return Err(invalid(format!("/{n}: Expecting an object")));
        };
        let mut take = |name: &str| members.remove(name).filter(|value| !value.is_null());
        let (kind, field, from, value) = (take("operation"), take("field"), take("from"), take("value"));
        let kind = match kind {
            None => return Err(invalid(format!("/{n}/operation: Expecting a value"))),
            Some(Value::String(kind)) => kind,
            Some(other) => {
                return Err(invalid(format!("Invalid patch operation type {}", shortened(&other.to_string()))));
            }
        };
        let name = kind.to_ascii_lowercase();
        let known = ["add", "remove", "replace", "increment", "copy", "move", "transform"];
        if !known.contains(&name.as_str()) {
            return Err(invalid(format!("Invalid patch operation type {}", shortened(&kind))));
        }
        let pointer = |member: &str, value: Option<Value>| match value {
            None => Err(invalid(format!("/{n}/{member}: Expecting a value"))),
            Some(Value::String(text)) => Pointer::parse(&text)
                .filter(|pointer| pointer.elements().len() <= body::MAX_DEPTH)
                .ok_or_else(|| invalid(format!("/{n}/{member}: Expecting a JSON pointer"))),
            Some(_) => Err(invalid(format!("/{n}/{member}: Expecting a JSON pointer"))),
        };
        let field = pointer("field", field)?;
        if matches!(field.elements().first().map(String::as_str), Some("_id" | "_rev")) {
            return Err(invalid(format!("The field '{field}' cannot be patched")));
        }
        if name == "copy" || name == "move" {
            if value.is_some() {
                return Err(invalid(format!("'{name}' does not accept value field")));
            }
            let from = from.ok_or_else(|| invalid(format!("No from field provided for '{name}' operation")))?;
            let from = pointer("from", Some(from))?;
            return Ok(if name == "copy" { Self::Copy { from, field } } else { Self::Move { from, field } });
        }
        if from.is_some() {
            return Err(invalid(format!("'{name}' does not accept from field")));
        }
        if name == "remove" {
            return Ok(Self::Remove { field, value });
        }
        let value = value.ok_or_else(|| invalid(format!("No value field provided for '{name}' operation")))?;
        match (name.as_str(), value) {
            ("increment", Value::Number(by)) => Ok(Self::Increment { field, by }),
            ("increment", _) => Err(invalid("Non-numeric value provided for increment operation")),
            ("replace", value) => Ok(Self::Replace { field, value }),
            ("transform", _) => Ok(Self::Transform { field }),
            (_, value) => Ok(Self::Add { field, value }),
        }
    }
}

/// What a caller wrote, for a message.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The members that are sets according to a JSON schema: arrays with `uniqueItems` (crest.md §10).
pub fn sets(schema: &Value) -> impl Fn(&Pointer) -> bool {
    move |pointer| {
        let member = pointer.elements().iter().try_fold(schema, |schema, name| schema.get("properties")?.get(name));
        member.and_then(|member| member.get("uniqueItems")).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// [`Resource::patch`] for a resource whose items show all that an update takes: read, change, update if nobody else did.
///
/// # Errors
/// Those of reading, of the patch, and of updating; 412 when the revision that was read is no more.
pub async fn by_update<R: Resource>(
    resource: &R,
    call: &Call<'_>,
    id: &str,
    patch: &Patch,
    when: &Match,
) -> Result<Item, Error> {
    let item = resource.read(call, id).await?;
    let when = match (when, &item.revision) {
        (Match::Revision(wanted), Some(found)) if wanted != found => return Err(Error::stale(id)),
        (_, Some(found)) => Match::Revision(found.clone()),
        (when, None) => when.clone(),
    };
    if patch.operations().is_empty() {
        return Ok(item);
    }
    let schema = resource.describe().schema;
    let content = patch.apply(&item.content, sets(&schema))?;
    resource.update(call, id, &content, &when).await
}

/// A document that is being changed.
struct Work<'s> {
    whole: Value,
    left: usize,
    is_set: &'s dyn Fn(&Pointer) -> bool,
}

fn absent(field: &Pointer) -> Error {
    Error::new(409, format!("The field '{field}' does not exist"))
}

/// What a value costs: itself and its parts, and the bytes of its strings.
fn cost(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len(),
        Value::Array(values) => 1 + values.iter().map(cost).sum::<usize>(),
        Value::Object(members) => 1 + members.iter().map(|(name, value)| name.len() + cost(value)).sum::<usize>(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// `values` without what is in it already.
fn unique(values: Vec<Value>) -> Vec<Value> {
    let mut set: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        if !set.contains(&value) {
            set.push(value);
        }
    }
    set
}

impl Work<'_> {
    fn change(&mut self, operation: &Operation) -> Result<(), Error> {
        match operation {
            Operation::Add { field, value } => self.add(field, value.clone()),
            Operation::Remove { field, value } => self.remove(field, value.as_ref()),
            Operation::Replace { field, value } => {
                self.remove(field, None)?;
                self.add(field, value.clone())
            }
            Operation::Increment { field, by } => self.increment(field, by),
            Operation::Copy { from, field } => {
                let value = self.value(from)?;
                self.add(field, value)
            }
            // What is put into itself would be gone.
            Operation::Move { from, field } if field.is_within(from) => {
                Err(Error::new(409, format!("The field '{from}' cannot be moved to '{field}'")))
            }
            Operation::Move { from, field } => {
                let value = self.value(from)?;
                self.remove(from, None)?;
                self.add(field, value)
            }
            Operation::Transform { .. } => Err(Error::unsupported()),
        }
    }

    fn charge(&mut self, cost: usize) -> Result<(), Error> {
        self.left = self.left.checked_sub(cost).ok_or_else(|| Error::plain(413))?;
        Ok(())
    }

    /// A copy of what is at `from`.
    fn value(&mut self, from: &Pointer) -> Result<Value, Error> {
        self.no_element_of_a_set(from)?;
        let value = from.resolve(&self.whole, Names::Exact).ok_or_else(|| absent(from))?;
        let cost = cost(value);
        let value = value.clone();
        self.charge(cost)?;
        Ok(value)
    }

    /// Elements of sets have no places.
    fn no_element_of_a_set(&self, field: &Pointer) -> Result<(), Error> {
        for end in 0..field.elements().len() {
            let above = Pointer::of(field.elements().iter().take(end).cloned());
            if (self.is_set)(&above) {
                return Err(Error::bad_request(format!("The field '{above}' is a set and has no indexes")));
            }
        }
        Ok(())
    }

    fn add(&mut self, field: &Pointer, value: Value) -> Result<(), Error> {
        self.no_element_of_a_set(field)?;
        self.charge(cost(&value) + field.elements().iter().map(String::len).sum::<usize>())?;
        if field.elements().len() + depth(&value) > body::MAX_DEPTH {
            return Err(invalid("The value is nested too deeply"));
        }
        let is_set = (self.is_set)(field);
        let Some((leaf, above)) = field.elements().split_last() else {
            if !value.is_object() {
                return Err(invalid("A resource is an object"));
            }
            self.whole = value;
            return Ok(());
        };
        let mut parent = &mut self.whole;
        for element in above {
            parent = match parent {
                Value::Object(members) => {
                    members.entry(element.clone()).or_insert_with(|| Value::Object(Object::new()))
                }
                Value::Array(values) => {
                    index(element).and_then(|index| values.get_mut(index)).ok_or_else(|| absent(field))?
                }
                _ => return Err(absent(field)),
            };
        }
        let mut compared = 0;
        match parent {
            Value::Object(members) => match members.get_mut(leaf) {
                Some(Value::Array(list)) => {
                    let more = match value {
                        Value::Array(more) => more,
                        single => vec![single],
                    };
                    if is_set {
                        let known: usize = list.iter().map(cost).sum();
                        compared = (known + more.iter().map(cost).sum::<usize>()).saturating_mul(more.len());
                    }
                    if compared > self.left {
                        return Err(Error::plain(413));
                    }
                    for value in more {
                        if !is_set || !list.contains(&value) {
                            list.push(value);
                        }
                    }
                }
                _ => {
                    let value = match value {
                        Value::Array(values) if is_set => {
                            compared = values.iter().map(cost).sum::<usize>().saturating_mul(values.len());
                            if compared > self.left {
                                return Err(Error::plain(413));
                            }
                            Value::Array(unique(values))
                        }
                        value => value,
                    };
                    members.insert(leaf.clone(), value);
                }
            },
            Value::Array(values) if leaf == "-" => values.push(value),
            Value::Array(values) => {
                let at = index(leaf).filter(|at| *at <= values.len()).ok_or_else(|| absent(field))?;
                compared = values.len() - at; // moved on, each
                values.insert(at, value);
            }
            _ => return Err(absent(field)),
        }
        self.charge(compared)
    }

    fn remove(&mut self, field: &Pointer, only: Option<&Value>) -> Result<(), Error> {
        self.no_element_of_a_set(field)?;
        let Some((leaf, above)) = field.elements().split_last() else {
            if only.is_none_or(|only| *only == self.whole) {
                self.whole = Value::Object(Object::new());
            }
            return Ok(());
        };
        let mut parent = Some(&mut self.whole);
        for element in above {
            parent = match parent {
                Some(Value::Object(members)) => members.get_mut(element),
                Some(Value::Array(values)) => index(element).and_then(|index| values.get_mut(index)),
                _ => None,
            };
        }
        let target = match &mut parent {
            Some(Value::Object(members)) => members.get_mut(leaf),
            Some(Value::Array(values)) => index(leaf).and_then(|index| values.get_mut(index)),
            _ => None,
        };
        let mut compared = 1;
        match (target, only) {
            (None, _) => {}
            (Some(Value::Array(values)), Some(only)) => {
                compared = values.len().saturating_mul(cost(only));
                if compared <= self.left {
                    values.retain(|value| value != only);
                }
            }
            (Some(value), Some(only)) if value != only => {}
            (Some(_), _) => match parent {
                Some(Value::Object(members)) => drop(members.remove(leaf)),
                Some(Value::Array(values)) => {
                    if let Some(at) = index(leaf).filter(|at| *at < values.len()) {
                        compared = values.len() - at;
                        values.remove(at);
                    }
                }
                _ => {}
            },
        }
        self.charge(compared)
    }

    fn increment(&mut self, field: &Pointer, by: &Number) -> Result<(), Error> {
        self.no_element_of_a_set(field)?;
        let wrong = || Error::bad_request(format!("The field '{field}' is not a number"));
        let mut target = Some(&mut self.whole);
        for element in field.elements() {
            target = match target {
                Some(Value::Object(members)) => members.get_mut(element),
                Some(Value::Array(values)) => index(element).and_then(|index| values.get_mut(index)),
                _ => None,
            };
        }
        let numbers = match target {
            None => return Err(Error::bad_request(format!("The field '{field}' does not exist"))),
            Some(Value::Array(values)) => values.as_mut_slice(),
            Some(value) => std::slice::from_mut(value),
        };
        let counted = numbers.len();
        for value in numbers {
            let number = value.as_number().ok_or_else(wrong)?;
            *value = Value::Number(sum(number, by).ok_or_else(wrong)?);
        }
        self.charge(counted)
    }
}

/// An integer, unless one of them is floating; `None` where the sum is no number of ours.
fn sum(a: &Number, b: &Number) -> Option<Number> {
    let integer = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Number::from_i128(a + b),
        _ => Number::from_f64(a.as_f64()? + b.as_f64()?),
    }
}

#[cfg(test)]
mod tests;
