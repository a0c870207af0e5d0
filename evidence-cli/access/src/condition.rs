//! Condition blocks: parsing, and evaluation against what is known of a request.
//!
//! Source: "IAM JSON policy elements: Condition operators" and "Conditions with multiple context keys or
//! values", IAM User Guide. A negated operator is the opposite of its positive one; what an absent key means is
//! settled apart, since set operators and `IfExists` have rules of their own for it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compare::Wanted;
use crate::expression::{Expression, Quantifier, Relation, TestBody};
use crate::facts::{Carries, Context, Fact, Literal};
use crate::pattern;
use crate::variable::Resolved;

/// Keys that requests carry with any number of values ("AWS global condition context keys", IAM User Guide, and
/// the service authorization reference); more of them are told by a list of values in the request.
const MULTIVALUED: [&str; 14] = [
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "ec2:attribute",
    "kms:encryptioncontextkeys",
    "kms:grantoperations",
    "kms:resourcealiases",
    "logs:loggeneratingresourcearns",
    "route53:changeresourcerecordsetsactions",
];

/// Whether a key, given in lower case, is one that requests carry with any number of values.
pub(crate) fn is_multivalued(key: &str) -> bool {
    MULTIVALUED.contains(&key)
}

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// The key as written.
    pub(crate) key: String,
    /// The key in lower case.
    lower: String,
    multivalued: bool,
    relation: Relation,
    negated: bool,
    quantifier: Quantifier,
    /// Whether it holds when the request does not carry the key.
    when_absent: bool,
    if_exists: bool,
    values: Vec<Wanted>,
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

/// A string, number or boolean as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
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

/// Takes a prefix off, whatever its case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Takes a suffix off, whatever its case.
fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(rest)
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        let (quantifier, text) = if let Some(rest) = strip_prefix(text, "ForAllValues:") {
            (Quantifier::All, rest)
        } else if let Some(rest) = strip_prefix(text, "ForAnyValue:") {
            (Quantifier::Any, rest)
        } else {
            (Quantifier::One, text)
        };
        let (text, if_exists) =
            strip_suffix(text, "IfExists").map_or((text, false), |stripped| (stripped, true));
        let (relation, negated) = match text.to_ascii_lowercase().as_str() {
            "stringequals" | "binaryequals" => (Relation::In, false),
            "stringnotequals" => (Relation::In, true),
            "stringequalsignorecase" => (Relation::InIgnoringCase, false),
            "stringnotequalsignorecase" => (Relation::InIgnoringCase, true),
            "stringlike" => (Relation::Like, false),
            "stringnotlike" => (Relation::Like, true),
            "arnequals" | "arnlike" => (Relation::ArnLike, false),
            "arnnotequals" | "arnnotlike" => (Relation::ArnLike, true),
            "numericequals" => (Relation::Equal, false),
            "numericnotequals" => (Relation::Equal, true),
            "numericlessthan" => (Relation::Less, false),
            "numericlessthanequals" => (Relation::LessOrEqual, false),
            "numericgreaterthan" => (Relation::Greater, false),
            "numericgreaterthanequals" => (Relation::GreaterOrEqual, false),
            "dateequals" => (Relation::At, false),
            "datenotequals" => (Relation::At, true),
            "datelessthan" => (Relation::Before, false),
            "datelessthanequals" => (Relation::NotAfter, false),
            "dategreaterthan" => (Relation::After, false),
            "dategreaterthanequals" => (Relation::NotBefore, false),
            "bool" => (Relation::Is, false),
            "ipaddress" => (Relation::Within, false),
            "notipaddress" => (Relation::Within, true),
            "null" if !if_exists && quantifier == Quantifier::One => (Relation::Absent, false),
            _ => return None,
        };
        Some(Self { relation, negated, quantifier, if_exists })
    }

    fn apply(&self, key: &str, values: &[String], variables: bool) -> Result<Condition, String> {
        let mut negated = self.negated;
        if self.relation == Relation::Absent {
            let wanted: BTreeSet<String> = values.iter().map(|value| value.to_ascii_lowercase()).collect();
            match wanted.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["true"] => {}
                ["false"] => negated = true,
                _ => return Err(format!("`Null` on `{key}` is neither true nor false")),
            }
        }
        let read = |value: &String| {
            Wanted::parse(self.relation, value, variables)
                .ok_or_else(|| format!("`{value}` is no value that `{key}` can be compared with here"))
        };
        Ok(Condition {
            key: key.to_owned(),
            multivalued: is_multivalued(&key.to_ascii_lowercase()),
            lower: key.to_ascii_lowercase(),
            relation: self.relation,
            negated,
            // The opposite of "all are unequal" is "some is equal", and the other way round.
            quantifier: match (self.negated, self.quantifier) {
                (true, Quantifier::All) => Quantifier::Any,
                (true, Quantifier::Any) => Quantifier::All,
                (_, same) => same,
            },
            when_absent: self.if_exists
                || match self.quantifier {
                    Quantifier::One => self.negated,
                    Quantifier::All => true,
                    Quantifier::Any => false,
                },
            if_exists: self.if_exists,
            values: values.iter().map(read).collect::<Result<_, _>>()?,
        })
    }
}

/// Whether every condition of a block holds.
pub(crate) fn evaluate(conditions: &[Condition], context: &impl Context) -> Expression {
    Expression::all(conditions.iter().map(|condition| condition.evaluate(context)))
}

/// The same for a request in hand; none where the request leaves it open.
pub(crate) fn settled(conditions: &[Condition], context: &impl Literal) -> Option<bool> {
    let mut all = Some(true);
    for condition in conditions {
        match condition.settled(context) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

impl Condition {
    /// Whether it holds for a request in hand; none where the request leaves it open.
    fn settled(&self, context: &impl Literal) -> Option<bool> {
        let given = context.literal(&self.lower);
        if self.relation == Relation::Absent {
            let absent = match given {
                Carries::Nothing => true,
                Carries::One(value) => value.is_empty(),
                Carries::Several(values) => is_null(values),
                Carries::Open => return None,
            };
            return Some(absent != self.negated);
        }
        let single = self.quantifier == Quantifier::One;
        match given {
            Carries::Nothing => Some(self.when_absent),
            Carries::Several(_) if single => Some(false),
            Carries::One(_) if single && self.multivalued => Some(false),
            Carries::One(value) => self.settled_over(&[value], context),
            Carries::Several(values) => self.settled_over(values, context),
            Carries::Open => None,
        }
    }

    /// The same for a key with these values.
    fn settled_over(&self, given: &[impl AsRef<str>], context: &impl Literal) -> Option<bool> {
        if self.quantifier != Quantifier::One && is_null(given) {
            return Some((self.quantifier == Quantifier::All) != self.negated);
        }
        let accepted = |given: &str| {
            let mut accepted = Some(false);
            for wanted in &self.values {
                match wanted.settled(self.relation, given, context) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => accepted = None,
                }
            }
            accepted
        };
        // Of all, one that fails settles it; of any, one that passes.
        let settling = self.quantifier != Quantifier::All;
        let mut positive = Some(!settling);
        for given in given {
            match accepted(given.as_ref()) {
                Some(accepted) if accepted == settling => return Some(settling != self.negated),
                Some(_) => {}
                None => positive = None,
            }
        }
        positive.map(|positive| positive != self.negated)
    }

    /// The condition that a symbolic test stands for.
    #[cfg(test)]
    pub(crate) fn of_test(body: &TestBody) -> Option<Self> {
        let values: Option<Vec<Wanted>> =
            body.values.iter().map(|value| Wanted::parse(body.relation, value, true)).collect();
        Some(Self {
            key: body.key.clone(),
            lower: body.key.to_ascii_lowercase(),
            multivalued: false,
            relation: body.relation,
            negated: false,
            quantifier: body.quantifier,
            when_absent: body.or_absent || body.quantifier == Quantifier::All,
            if_exists: body.or_absent,
            values: values?,
        })
    }

    /// Its values as written.
    pub(crate) fn written(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(Wanted::text)
    }

    pub(crate) fn evaluate(&self, context: &impl Context) -> Expression {
        let fact = context.of(&self.lower);
        if self.relation == Relation::Absent {
            let absent = match fact {
                Fact::Absent => Expression::Yes,
                Fact::Value(value) => of(value.is_empty()),
                Fact::List(values) => of(is_null(values)),
                Fact::Like(_) => Expression::No,
                Fact::Unknown(what) => Expression::unknown(what),
                Fact::Open => self.symbolic(BTreeSet::new()),
            };
            return if self.negated { absent.negate() } else { absent };
        }
        let single = self.quantifier == Quantifier::One;
        match fact {
            Fact::Absent => of(self.when_absent),
            // "Multivalued context keys require a condition set operator" ("Single-valued vs. multivalued context
            // keys", IAM User Guide): without one nothing compares.
            Fact::List(_) if single => Expression::No,
            Fact::Value(_) if single && self.multivalued => Expression::No,
            Fact::Unknown(what) => Expression::unknown(what),
            Fact::Value(value) => self.over(&[value], context),
            Fact::List(values) => self.over(values, context),
            Fact::Like(known) => self.against_pattern(&known, context),
            Fact::Open if single && self.multivalued => {
                if self.when_absent {
                    Expression::test(self.body(Relation::Absent, BTreeSet::new()))
                } else {
                    Expression::No
                }
            }
            Fact::Open => self.unsettled(context),
        }
    }

    /// The key has these values.
    fn over(&self, given: &[impl AsRef<str>], context: &impl Context) -> Expression {
        if self.quantifier != Quantifier::One && is_null(given) {
            // The quantifier was turned round for negated operators.
            return of((self.quantifier == Quantifier::All) != self.negated);
        }
        let mut open = BTreeSet::new();
        for wanted in &self.values {
            match wanted.resolve(context) {
                Some(Resolved::Open(text)) => {
                    open.insert(text);
                }
                Some(Resolved::Unknown(what)) => return Expression::unknown(what),
                _ => {}
            }
        }
        let one = |given: &str| {
            if self.values.iter().any(|wanted| wanted.accepts(self.relation, given, context)) {
                Expression::Yes
            } else if open.is_empty() {
                Expression::No
            } else {
                self.symbolic(open.clone())
            }
        };
        let given = given.iter().map(AsRef::as_ref);
        let positive = match self.quantifier {
            Quantifier::All => Expression::all(given.map(one)),
            Quantifier::One | Quantifier::Any => Expression::any(given.map(one)),
        };
        if self.negated { positive.negate() } else { positive }
    }

    /// Only the request settles the key.
    fn unsettled(&self, context: &impl Context) -> Expression {
        let (values, unknown) = self.texts(context);
        if let Some(what) = unknown {
            return Expression::unknown(what);
        }
        let positive = self.symbolic(values);
        if !self.negated {
            return positive;
        }
        let negative = positive.negate();
        // "Some value differs" holds of no value at all, unless `IfExists` says otherwise.
        if self.if_exists && self.quantifier == Quantifier::All {
            let absent = Expression::test(self.body(Relation::Absent, BTreeSet::new()));
            return Expression::any([absent, negative]);
        }
        negative
    }

    /// The key's value is not known, but it is known to match a pattern.
    fn against_pattern(&self, known: &str, context: &impl Context) -> Expression {
        let (wanted, unknown) = self.texts(context);
        if let Some(what) = unknown {
            return Expression::unknown(what);
        }
        let positive = match self.relation {
            Relation::Like | Relation::ArnLike
                if wanted.iter().any(|wanted| pattern::covers(wanted, known)) =>
            {
                Expression::Yes
            }
            relation => {
                let possible: BTreeSet<String> = wanted
                    .into_iter()
                    .filter(|wanted| match relation {
                        Relation::Like | Relation::ArnLike => pattern::overlaps(wanted, known),
                        Relation::In => wanted.contains("${") || pattern::covers(known, wanted),
                        _ => true,
                    })
                    .collect();
                if possible.is_empty() { Expression::No } else { self.symbolic(possible) }
            }
        };
        if self.negated { positive.negate() } else { positive }
    }

    /// The values as texts, variables filled in where they are known; or the evidence that is missing for one.
    fn texts(&self, context: &impl Context) -> (BTreeSet<String>, Option<String>) {
        let mut texts = BTreeSet::new();
        for wanted in &self.values {
            match wanted.resolve(context) {
                Some(Resolved::Unknown(what)) => return (texts, Some(what)),
                Some(Resolved::Nothing) => {}
                Some(Resolved::Open(text)) => {
                    texts.insert(text);
                }
                Some(Resolved::Pattern(_)) => texts.extend(wanted.filled_in(context)),
                Some(Resolved::Plain(_)) | None => {
                    texts.insert(wanted.text());
                }
            }
        }
        (texts, None)
    }

    fn symbolic(&self, values: BTreeSet<String>) -> Expression {
        Expression::test(self.body(self.relation, values))
    }

    fn body(&self, relation: Relation, values: BTreeSet<String>) -> TestBody {
        TestBody {
            key: self.key.clone(),
            relation,
            quantifier: if relation == Relation::Absent { Quantifier::One } else { self.quantifier },
            or_absent: relation != Relation::Absent && self.if_exists && !self.negated,
            values,
        }
    }
}

/// Nothing at all, or an empty text: what the documentation calls a null data set.
fn is_null(values: &[impl AsRef<str>]) -> bool {
    values.iter().all(|value| value.as_ref().is_empty())
}

const fn of(holds: bool) -> Expression {
    if holds { Expression::Yes } else { Expression::No }
}
