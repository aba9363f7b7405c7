//! Under which circumstances a policy applies: the condition tree.
//!
//! | reference                            | here                                  |
//! |--------------------------------------|---------------------------------------|
//! | §4 result of a condition             | [`Outcome`]                           |
//! | §4.1 `AND`, `OR`, `NOT`              | [`Condition::evaluate`]               |
//! | §4.1 refused without children        | [`Condition::parse`]                  |
//! | §2.4.8 unknown condition type        | [`Condition::parse`]                  |
//!
//! No leaf type is built in yet, and a logical type without a leaf below it is refused, so today every
//! condition is: a policy never applies more widely than it was written. A leaf type is one variant
//! here, one arm in each function, and whatever of the request it wants to see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Error, members::Members, subject::MAX_DEPTH};

/// Names with their sets of values: `attributes` and `advices` of a decision.
pub type ValueSets = BTreeMap<String, BTreeSet<String>>;

/// No limit on how long a decision holds (§6.6).
pub const TTL_MAX: i64 = i64::MAX;

/// What evaluating a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub satisfied: bool,
    pub advices: ValueSets,
    pub attributes: ValueSets,
    /// Epoch milliseconds until which this holds; 0 for "do not cache", [`TTL_MAX`] for no limit.
    pub ttl: i64,
}

impl Outcome {
    /// Satisfied or not, with nothing to add, for as long as anybody likes.
    pub fn plain(satisfied: bool) -> Self {
        Self { satisfied, advices: ValueSets::new(), attributes: ValueSets::new(), ttl: TTL_MAX }
    }

    /// `AND` (§4.1): stops at the first child that is not satisfied.
    fn all(children: impl Iterator<Item = Outcome>) -> Self {
        let mut all = Self::plain(true);
        for child in children {
            all.advices.extend(child.advices);
            all.attributes.extend(child.attributes);
            if !child.satisfied {
                return Self { satisfied: false, ttl: TTL_MAX, ..all };
            }
            all.ttl = all.ttl.min(child.ttl);
        }
        Self { advices: ValueSets::new(), ..all }
    }

    /// `OR` (§4.1): stops at the first child that is satisfied; without children it is satisfied.
    fn any(children: impl Iterator<Item = Outcome>) -> Self {
        let mut any = Self::plain(true);
        for child in children {
            any.advices.extend(child.advices);
            any.attributes.extend(child.attributes);
            any.ttl = any.ttl.min(child.ttl);
            any.satisfied = child.satisfied;
            if child.satisfied {
                return Self { advices: ValueSets::new(), ..any };
            }
        }
        Self { ttl: TTL_MAX, ..any }
    }

    /// `NOT` (§4.1): keeps only the attributes.
    fn inverse(self) -> Self {
        Self { attributes: self.attributes, ..Self::plain(!self.satisfied) }
    }
}

/// A policy's `condition` member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    /// Reads a `condition` member.
    pub fn parse(value: &Value) -> Result<Self, Error> {
        Self::parse_at(value, 0)
    }

    fn parse_at(value: &Value, depth: usize) -> Result<Self, Error> {
        if depth == MAX_DEPTH {
            return Err(Error::json(format!("Conditions are nested deeper than {MAX_DEPTH} levels")));
        }
        let members = Members::of(value, "condition")?;
        let only = |name| members.only(&[&["type", name]]);
        match members.kind("condition")? {
            "AND" => {
                only("conditions")?;
                Ok(Self::And(children(&members, depth)?))
            }
            "OR" => {
                only("conditions")?;
                Ok(Self::Or(children(&members, depth)?))
            }
            "NOT" => {
                only("condition")?;
                let child = members.value("condition").ok_or(Error::PropertyMissing("condition"))?;
                Ok(Self::Not(Box::new(Self::parse_at(child, depth + 1)?)))
            }
            unknown => Err(members.unknown_kind("condition", unknown)),
        }
    }

    /// The `condition` member as it reads back.
    pub fn to_json(&self) -> Value {
        let all = |children: &[Self]| children.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::And(children) => json!({"type": "AND", "conditions": all(children)}),
            Self::Or(children) => json!({"type": "OR", "conditions": all(children)}),
            Self::Not(child) => json!({"type": "NOT", "condition": child.to_json()}),
        }
    }

    /// Evaluates the tree, children in the order written.
    pub fn evaluate(&self) -> Outcome {
        match self {
            Self::And(children) => Outcome::all(children.iter().map(Self::evaluate)),
            Self::Or(children) => Outcome::any(children.iter().map(Self::evaluate)),
            Self::Not(child) => child.evaluate().inverse(),
        }
    }
}

fn children(members: &Members<'_>, depth: usize) -> Result<Vec<Condition>, Error> {
    match members.values("conditions")?.unwrap_or_default() {
        [] => Err(Error::PropertyMissing("conditions")),
        children => children.iter().map(|child| Condition::parse_at(child, depth + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(pairs: &[(&str, &str)]) -> ValueSets {
        pairs.iter().map(|(name, value)| (name.to_string(), [value.to_string()].into())).collect()
    }

    fn leaf(satisfied: bool, name: &str, ttl: i64) -> Outcome {
        Outcome { satisfied, advices: sets(&[("advice", name)]), attributes: sets(&[(name, "v")]), ttl }
    }

    /// §4.1, row by row; which children are looked at shows in the attributes.
    #[test]
    fn logic_keeps_what_the_reference_keeps() {
        let (yes, no) = (|name| leaf(true, name, 7), |name| leaf(false, name, 5));

        let and = Outcome::all([yes("a"), yes("b")].into_iter());
        let expected = Outcome { attributes: sets(&[("a", "v"), ("b", "v")]), ttl: 7, ..Outcome::plain(true) };
        assert_eq!(and, expected);
        let and = Outcome::all([yes("a"), no("b"), yes("c")].into_iter());
        assert_eq!(
            and,
            Outcome {
                satisfied: false,
                advices: sets(&[("advice", "b")]), // the later replaces the earlier
                attributes: sets(&[("a", "v"), ("b", "v")]),
                ttl: TTL_MAX,
            }
        );
        let or = Outcome::any([no("a"), yes("b"), yes("c")].into_iter());
        let expected = Outcome { attributes: sets(&[("a", "v"), ("b", "v")]), ttl: 5, ..Outcome::plain(true) };
        assert_eq!(or, expected);
        let or = Outcome::any([no("a"), no("b")].into_iter());
        assert_eq!(
            or,
            Outcome {
                satisfied: false,
                advices: sets(&[("advice", "b")]),
                attributes: sets(&[("a", "v"), ("b", "v")]),
                ttl: TTL_MAX,
            }
        );
        let not = no("a").inverse();
        assert_eq!(not, Outcome { attributes: sets(&[("a", "v")]), ..Outcome::plain(true) });
    }

    #[test]
    fn the_tree_evaluates_by_its_logic() {
        let yes = || Condition::And(vec![]);
        let no = || Condition::Not(Box::new(yes()));
        for (tree, expected) in [
            (yes(), true),
            (no(), false),
            (Condition::Or(vec![]), true),
            (Condition::Or(vec![no(), yes()]), true),
            (Condition::Or(vec![no(), no()]), false),
            (Condition::And(vec![yes(), no()]), false),
            (Condition::And(vec![yes(), yes()]), true),
            (Condition::Not(Box::new(no())), true),
        ] {
            assert_eq!(tree.evaluate(), Outcome::plain(expected), "{tree:?}");
        }
    }

    #[test]
    fn every_condition_is_refused_by_name_until_its_type_exists() {
        let refused = |json: Value| {
            let error = Condition::parse(&json).unwrap_err();
            assert_eq!(error.status(), 400);
            error.message()
        };
        let time = json!({"type": "SimpleTime", "startTime": "06:00", "endTime": "22:00"});
        let unknown = "JSON string is invalid. Unknown condition type 'SimpleTime'.";
        assert_eq!(refused(time.clone()), unknown);
        assert_eq!(refused(json!({"type": "AND", "conditions": [time]})), unknown);
        assert_eq!(refused(json!({"type": "NOT", "condition": time})), unknown);
        let missing = "Property value 'conditions' should be defined.";
        assert_eq!(refused(json!({"type": "AND"})), missing);
        assert_eq!(refused(json!({"type": "OR", "conditions": []})), missing);
        assert_eq!(refused(json!({"type": "NOT"})), "Property value 'condition' should be defined.");
        assert!(refused(json!({})).contains("type"));
        assert!(refused(json!([])).starts_with("JSON string is invalid. "));
        let deep = (0..MAX_DEPTH).fold(json!({}), |child, _| json!({"type": "AND", "conditions": [child]}));
        assert!(refused(deep).contains("nested"));
    }
}
