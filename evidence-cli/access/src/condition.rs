//! Condition blocks: parsing, and evaluation against what is known of a request.
//!
//! Source: "IAM JSON policy elements: Condition operators" and "Conditions with multiple context keys or
//! values", IAM User Guide. A negated operator is the opposite of its positive one, absent keys included, so
//! only positive tests are evaluated.

use std::collections::BTreeSet;

use cadastre_model::Timestamp;
use ipnet::IpNet;
use serde_json::Value;

use crate::expression::{Expression, Quantifier, Relation, TestBody};
use crate::facts::{Fact, Facts};
use crate::pattern;
use crate::variable::{Resolved, Template};

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// The key as written.
    pub(crate) key: String,
    relation: Relation,
    negated: bool,
    quantifier: Quantifier,
    if_exists: bool,
    values: Vec<Template>,
}

/// A condition block, or why it cannot be evaluated.
pub(crate) type Parsed = Result<Vec<Condition>, String>;

/// Parses a `Condition` element. `variables` says whether the policy's version has policy variables.
pub(crate) fn parse(block: &Value, variables: bool) -> Parsed {
    let Value::Object(operators) = block else { return Err("the condition is no object".to_owned()) };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else { return Err(format!("`{operator}` is no object")) };
        let parsed =
            Operator::parse(operator).ok_or_else(|| format!("operator `{operator}` is not known"))?;
        for (key, values) in keys {
            let values = scalars(values).ok_or_else(|| format!("`{operator}` on `{key}` has odd values"))?;
            conditions.push(parsed.apply(key, &values, variables)?);
        }
    }
    Ok(conditions)
}

/// A value or a list of values, as text. Policies may write numbers and booleans bare.
fn scalars(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        other => scalar(other).map(|text| vec![text]),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An operator with its qualifiers.
struct Operator {
    relation: Relation,
    negated: bool,
    quantifier: Quantifier,
    if_exists: bool,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        let (quantifier, text) = match text.split_once(':') {
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(_) => return None,
            None => (Quantifier::One, text),
        };
        let (text, if_exists) =
            text.strip_suffix("IfExists").map_or((text, false), |stripped| (stripped, true));
        let (relation, negated) = match text {
            "StringEquals" | "BinaryEquals" => (Relation::In, false),
            "StringNotEquals" => (Relation::In, true),
            "StringEqualsIgnoreCase" => (Relation::InIgnoringCase, false),
            "StringNotEqualsIgnoreCase" => (Relation::InIgnoringCase, true),
            "StringLike" => (Relation::Like, false),
            "StringNotLike" => (Relation::Like, true),
            "ArnEquals" | "ArnLike" => (Relation::ArnLike, false),
            "ArnNotEquals" | "ArnNotLike" => (Relation::ArnLike, true),
            "NumericEquals" => (Relation::Equal, false),
            "NumericNotEquals" => (Relation::Equal, true),
            "NumericLessThan" => (Relation::Less, false),
            "NumericLessThanEquals" => (Relation::LessOrEqual, false),
            "NumericGreaterThan" => (Relation::Greater, false),
            "NumericGreaterThanEquals" => (Relation::GreaterOrEqual, false),
            "DateEquals" => (Relation::At, false),
            "DateNotEquals" => (Relation::At, true),
            "DateLessThan" => (Relation::Before, false),
            "DateLessThanEquals" => (Relation::NotAfter, false),
            "DateGreaterThan" => (Relation::After, false),
            "DateGreaterThanEquals" => (Relation::NotBefore, false),
            "Bool" => (Relation::Is, false),
            "IpAddress" => (Relation::Within, false),
            "NotIpAddress" => (Relation::Within, true),
            "Null" if !if_exists && quantifier == Quantifier::One => (Relation::Absent, false),
            _ => return None,
        };
        // The opposite of "all are unequal" is "some is equal", and the other way round.
        let quantifier = match (negated, quantifier) {
            (true, Quantifier::All) => Quantifier::Any,
            (true, Quantifier::Any) => Quantifier::All,
            (_, same) => same,
        };
        Some(Self { relation, negated, quantifier, if_exists })
    }

    /// Whether a value is one that the operator can compare with.
    fn reads(&self, value: &str) -> bool {
        match self.relation {
            Relation::Equal
            | Relation::Less
            | Relation::LessOrEqual
            | Relation::Greater
            | Relation::GreaterOrEqual => numbers(value, value).is_some(),
            Relation::At | Relation::Before | Relation::NotAfter | Relation::After | Relation::NotBefore => {
                dates(value, value).is_some()
            }
            Relation::Within => network(value).is_some(),
            _ => true,
        }
    }

    fn apply(&self, key: &str, values: &[String], variables: bool) -> Result<Condition, String> {
        let mut negated = self.negated;
        if self.relation == Relation::Absent {
            match values {
                [value] if value.eq_ignore_ascii_case("true") => {}
                [value] if value.eq_ignore_ascii_case("false") => negated = true,
                _ => return Err(format!("`Null` on `{key}` is neither true nor false")),
            }
        }
        if let Some(odd) = values.iter().find(|value| !value.contains("${") && !self.reads(value)) {
            return Err(format!("`{odd}` is no value that `{key}` can be compared with here"));
        }
        Ok(Condition {
            key: key.to_owned(),
            relation: self.relation,
            negated,
            quantifier: self.quantifier,
            if_exists: self.if_exists && !self.negated,
            values: values.iter().map(|value| Template::parse(value, variables)).collect(),
        })
    }
}

/// Whether every condition of a block holds.
pub(crate) fn evaluate(conditions: &[Condition], facts: &Facts<'_>) -> Expression {
    Expression::all(conditions.iter().map(|condition| condition.evaluate(facts)))
}

impl Condition {
    fn evaluate(&self, facts: &Facts<'_>) -> Expression {
        let positive = self.positive(facts);
        if self.negated { positive.negate() } else { positive }
    }

    fn positive(&self, facts: &Facts<'_>) -> Expression {
        let fact = facts.of(&self.key);
        if self.relation == Relation::Absent {
            return match fact {
                Fact::Absent => Expression::Yes,
                Fact::Values(_) | Fact::Like(_) => Expression::No,
                Fact::Unknown(what) => Expression::unknown(what),
                Fact::Open => self.symbolic(BTreeSet::new()),
            };
        }
        let mut plain = Vec::with_capacity(self.values.len());
        let mut open = BTreeSet::new();
        for value in &self.values {
            match value.resolve(facts) {
                Resolved::Text(text) => plain.push(text),
                Resolved::Open(text) => {
                    open.insert(text);
                }
                Resolved::Unknown(what) => return Expression::unknown(what),
                Resolved::Nothing => {}
            }
        }
        match fact {
            Fact::Absent => {
                if self.if_exists || self.quantifier == Quantifier::All {
                    Expression::Yes
                } else {
                    Expression::No
                }
            }
            Fact::Unknown(what) => Expression::unknown(what),
            Fact::Open => {
                open.extend(plain);
                self.symbolic(open)
            }
            Fact::Like(known) => self.against_pattern(&known, plain, open),
            Fact::Values(given) => {
                let one = |given: &String| {
                    if plain.iter().any(|wanted| self.compare(given, wanted)) {
                        Expression::Yes
                    } else if open.is_empty() {
                        Expression::No
                    } else {
                        self.symbolic(open.clone())
                    }
                };
                match self.quantifier {
                    Quantifier::All => Expression::all(given.iter().map(one)),
                    Quantifier::One | Quantifier::Any => Expression::any(given.iter().map(one)),
                }
            }
        }
    }

    /// The key's value is not known, but it is known to match a pattern.
    fn against_pattern(&self, known: &str, plain: Vec<String>, mut open: BTreeSet<String>) -> Expression {
        match self.relation {
            Relation::Like | Relation::ArnLike => {
                if plain.iter().any(|wanted| pattern::covers(wanted, known)) {
                    return Expression::Yes;
                }
                open.extend(plain.into_iter().filter(|wanted| pattern::overlaps(wanted, known)));
            }
            Relation::In => open.extend(plain.into_iter().filter(|wanted| pattern::covers(known, wanted))),
            _ => open.extend(plain),
        }
        if open.is_empty() { Expression::No } else { self.symbolic(open) }
    }

    fn symbolic(&self, values: BTreeSet<String>) -> Expression {
        Expression::test(TestBody {
            key: self.key.clone(),
            relation: self.relation,
            quantifier: self.quantifier,
            or_absent: self.if_exists,
            values,
        })
    }

    fn compare(&self, given: &str, wanted: &str) -> bool {
        match self.relation {
            Relation::In => given == wanted,
            Relation::InIgnoringCase => given.eq_ignore_ascii_case(wanted),
            Relation::Like => pattern::covers(wanted, given),
            Relation::ArnLike => pattern::arn_covers(wanted, given),
            Relation::Is => given.eq_ignore_ascii_case(wanted),
            Relation::Equal => numbers(given, wanted).is_some_and(|(a, b)| a == b),
            Relation::Less => numbers(given, wanted).is_some_and(|(a, b)| a < b),
            Relation::LessOrEqual => numbers(given, wanted).is_some_and(|(a, b)| a <= b),
            Relation::Greater => numbers(given, wanted).is_some_and(|(a, b)| a > b),
            Relation::GreaterOrEqual => numbers(given, wanted).is_some_and(|(a, b)| a >= b),
            Relation::At => dates(given, wanted).is_some_and(|(a, b)| a == b),
            Relation::Before => dates(given, wanted).is_some_and(|(a, b)| a < b),
            Relation::NotAfter => dates(given, wanted).is_some_and(|(a, b)| a <= b),
            Relation::After => dates(given, wanted).is_some_and(|(a, b)| a > b),
            Relation::NotBefore => dates(given, wanted).is_some_and(|(a, b)| a >= b),
            Relation::Within => {
                network(wanted).zip(network(given)).is_some_and(|(range, address)| range.contains(&address))
            }
            Relation::Absent => false,
        }
    }
}

fn numbers(given: &str, wanted: &str) -> Option<(f64, f64)> {
    Some((given.parse().ok()?, wanted.parse().ok()?))
}

/// Dates are RFC 3339 or whole seconds since the epoch.
fn dates(given: &str, wanted: &str) -> Option<(Timestamp, Timestamp)> {
    let parse =
        |text: &str| text.parse::<i64>().ok().and_then(Timestamp::from_seconds).or_else(|| text.parse().ok());
    Some((parse(given)?, parse(wanted)?))
}

/// An address or a range; a bare address is a range of one.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}
