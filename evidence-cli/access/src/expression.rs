//! What is left of a decision when some of its conditions cannot be settled: a small boolean expression.
//!
//! Yes, no, a symbolic test on a context key, missing evidence, and combinations of these. It folds into the
//! four-valued [`Decision`]; before that it can be negated, which is what an explicit deny asks for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use cadastre_model::access::Decision;

use crate::pattern;

/// The key of tests on the resource itself.
const RESOURCE: &str = "resource";

/// More tests, or pairs of values, than are searched for contradictions.
const MAXIMUM_SEARCHED: usize = 256;

/// How many values of a test are printed.
const PRINTED_VALUES: usize = 12;

/// A boolean expression over tests nobody can settle beforehand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expression {
    Yes,
    No,
    Test(Test),
    /// Evidence is missing; the text names it.
    Unknown(Arc<str>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// A test on a context key, or on the resource, that depends on the request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    pub(crate) body: Arc<TestBody>,
    pub(crate) negated: bool,
}

/// What a test compares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TestBody {
    /// The key as the policy writes it, or `resource`.
    pub(crate) key: String,
    pub(crate) relation: Relation,
    pub(crate) quantifier: Quantifier,
    /// Whether it also holds when the request does not carry the key.
    pub(crate) or_absent: bool,
    pub(crate) values: BTreeSet<String>,
}

/// How a test compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Relation {
    In,
    InIgnoringCase,
    Like,
    ArnLike,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Before,
    NotAfter,
    After,
    NotBefore,
    At,
    Is,
    Within,
    Absent,
}

/// How many of a key's values must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantifier {
    One,
    All,
    Any,
}

impl Expression {
    /// Missing evidence.
    pub(crate) fn unknown(what: impl Into<Arc<str>>) -> Self {
        Self::Unknown(what.into())
    }

    /// A test that the request decides.
    pub(crate) fn test(body: TestBody) -> Self {
        Self::Test(Test { body: Arc::new(body), negated: false })
    }

    /// The resource is one that the pattern covers.
    pub(crate) fn resource_like(pattern: &str) -> Self {
        Self::test(TestBody {
            key: RESOURCE.to_owned(),
            relation: Relation::Like,
            quantifier: Quantifier::One,
            or_absent: false,
            values: BTreeSet::from([pattern.to_owned()]),
        })
    }

    /// What is left when the requester chooses among the resources asked about. Tests on the resource that
    /// exclude each other have been found before.
    pub(crate) fn with_any_resource(self) -> Self {
        match self {
            Self::Test(test) if test.body.key == RESOURCE => Self::Yes,
            Self::All(parts) => Self::all(parts.into_iter().map(Self::with_any_resource)),
            Self::Any(parts) => Self::any(parts.into_iter().map(Self::with_any_resource)),
            other => other,
        }
    }

    /// Every part holds.
    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        for part in parts {
            match part {
                Self::No => return Self::No,
                Self::Yes => {}
                Self::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        if kept.len() > 1 {
            kept.sort_unstable();
            kept.dedup();
            if contradictory(&kept) {
                return Self::No;
            }
        }
        match kept.len() {
            0 => Self::Yes,
            1 => kept.pop().unwrap_or(Self::Yes),
            _ => Self::All(kept),
        }
    }

    /// Some part holds.
    pub(crate) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        for part in parts {
            match part {
                Self::Yes => return Self::Yes,
                Self::No => {}
                Self::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        if kept.len() > 1 {
            kept.sort_unstable();
            kept.dedup();
            if opposed(&kept) {
                return Self::Yes;
            }
        }
        match kept.len() {
            0 => Self::No,
            1 => kept.pop().unwrap_or(Self::No),
            _ => Self::Any(kept),
        }
    }

    /// Its opposite. What is unknown stays unknown.
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Test(test) => Self::Test(Test { negated: !test.negated, body: test.body }),
            Self::Unknown(what) => Self::Unknown(what),
            Self::All(parts) => Self::any(parts.into_iter().map(Self::negate)),
            Self::Any(parts) => Self::all(parts.into_iter().map(Self::negate)),
        }
    }

    /// The decision it amounts to.
    pub(crate) fn decision(&self) -> Decision {
        match self {
            Self::Yes => Decision::Allow,
            Self::No => Decision::Deny,
            Self::Test(test) => Decision::Conditional(test.text()),
            Self::Unknown(what) => Decision::Unknown(what.to_string()),
            Self::All(parts) => parts
                .iter()
                .map(|part| match (part, part.decision()) {
                    (Self::Any(_), Decision::Conditional(text)) => Decision::Conditional(format!("({text})")),
                    (_, decision) => decision,
                })
                .fold(Decision::Allow, Decision::and),
            Self::Any(parts) => parts.iter().map(Self::decision).fold(Decision::Deny, Decision::or),
        }
    }

    /// How many tests and pieces of missing evidence it has.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Yes | Self::No => 0,
            Self::Test(_) | Self::Unknown(_) => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// What is missing, wherever it stands.
    pub(crate) fn unknowns<'a>(&'a self, found: &mut Vec<&'a str>) {
        match self {
            Self::Unknown(what) => found.push(what),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.unknowns(found)),
            Self::Yes | Self::No | Self::Test(_) => {}
        }
    }

    /// How certain it is, most certain first: yes, under a condition, unknown, no. The same order as the
    /// decision it amounts to, without writing the decision down.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::Test(_) => 1,
            Self::Unknown(_) => 2,
            Self::No => 3,
            Self::All(parts) => parts.iter().map(Self::rank).max().unwrap_or(0),
            Self::Any(parts) => parts.iter().map(Self::rank).min().unwrap_or(3),
        }
    }
}

fn tests(parts: &[Expression]) -> impl Iterator<Item = &Test> {
    parts.iter().filter_map(|part| match part {
        Expression::Test(test) => Some(test),
        _ => None,
    })
}

/// Whether two tests say the opposite of each other.
fn opposed(parts: &[Expression]) -> bool {
    // Sorted, so that a test and its negation lie next to each other.
    let all: Vec<&Test> = tests(parts).collect();
    all.windows(2).any(|pair| match pair {
        [a, b] => a.body == b.body && a.negated != b.negated,
        _ => false,
    })
}

/// Whether the parts cannot all hold at once. Only finds what is easily seen.
fn contradictory(parts: &[Expression]) -> bool {
    if opposed(parts) {
        return true;
    }
    let all: Vec<&Test> = tests(parts).collect();
    if all.len() > MAXIMUM_SEARCHED {
        return false;
    }
    all.iter().enumerate().any(|(i, a)| {
        all.iter().skip(i + 1).any(|b| {
            let comparable = a.body.key.eq_ignore_ascii_case(&b.body.key)
                && a.body.quantifier == Quantifier::One
                && b.body.quantifier == Quantifier::One;
            comparable && exclude(a, b)
        })
    })
}

/// Whether two tests on one key, which has one value, exclude each other.
fn exclude(a: &Test, b: &Test) -> bool {
    let patterns = |relation| matches!(relation, Relation::In | Relation::Like);
    if !patterns(a.body.relation) || !patterns(b.body.relation) {
        return false;
    }
    if a.body.values.len().saturating_mul(b.body.values.len()) > MAXIMUM_SEARCHED * MAXIMUM_SEARCHED {
        return false;
    }
    match (a.negated, b.negated) {
        (true, true) => false,
        (false, false) => {
            !(a.body.or_absent && b.body.or_absent)
                && a.body.values.iter().all(|left| b.body.values.iter().all(|right| !meet(a, left, b, right)))
        }
        (false, true) => excluded_by(a, b),
        (true, false) => excluded_by(b, a),
    }
}

/// Whether a text can pass both values.
fn meet(a: &Test, left: &str, b: &Test, right: &str) -> bool {
    match (a.body.relation, b.body.relation) {
        (Relation::In, Relation::In) => left == right,
        (Relation::In, _) => pattern::covers(right, left),
        (_, Relation::In) => pattern::covers(left, right),
        _ => pattern::overlaps(left, right),
    }
}

/// Whether everything that `wanted` lets through is what `refused` refuses.
fn excluded_by(wanted: &Test, refused: &Test) -> bool {
    if wanted.body.or_absent && !refused.body.or_absent {
        return false;
    }
    wanted.body.values.iter().all(|value| {
        refused.body.values.iter().any(|out| match refused.body.relation {
            Relation::In => wanted.body.relation == Relation::In && out == value,
            _ => pattern::covers(out, value),
        })
    })
}

impl Test {
    /// The test in words: `aws:SourceVpce in [vpce-1]`.
    fn text(&self) -> String {
        let body = &*self.body;
        let not = self.negated;
        let mut text = match (body.quantifier, not) {
            (Quantifier::One, _) => String::new(),
            (Quantifier::All, false) => "all of ".to_owned(),
            (Quantifier::All, true) => "not all of ".to_owned(),
            (Quantifier::Any, false) => "any of ".to_owned(),
            (Quantifier::Any, true) => "none of ".to_owned(),
        };
        let not = not && body.quantifier == Quantifier::One;
        text.push_str(&body.key);
        text.push(' ');
        text.push_str(body.relation.words(not));
        if body.relation != Relation::Absent {
            text.push(' ');
            let listed = matches!(
                body.relation,
                Relation::In
                    | Relation::InIgnoringCase
                    | Relation::Like
                    | Relation::ArnLike
                    | Relation::Within
            );
            if listed || body.values.len() != 1 {
                text.push('[');
            }
            for (index, value) in body.values.iter().take(PRINTED_VALUES).enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(value);
            }
            if body.values.len() > PRINTED_VALUES {
                // Writing into a string cannot fail.
                let _ = write!(text, ", and {} more", body.values.len() - PRINTED_VALUES);
            }
            if listed || body.values.len() != 1 {
                text.push(']');
            }
        }
        match (body.or_absent, self.negated) {
            (true, false) => format!("({text} or {} is absent)", body.key),
            (true, true) => format!("({text} and {} is present)", body.key),
            (false, _) => text,
        }
    }
}

impl Relation {
    const fn words(self, not: bool) -> &'static str {
        match (self, not) {
            (Self::In, false) => "in",
            (Self::In, true) => "not in",
            (Self::InIgnoringCase, false) => "in (any case)",
            (Self::InIgnoringCase, true) => "not in (any case)",
            (Self::Like | Self::ArnLike, false) => "like",
            (Self::Like | Self::ArnLike, true) => "not like",
            (Self::Equal | Self::At, false) => "=",
            (Self::Equal | Self::At, true) => "!=",
            (Self::Less | Self::Before, false) | (Self::GreaterOrEqual | Self::NotBefore, true) => "<",
            (Self::LessOrEqual | Self::NotAfter, false) | (Self::Greater | Self::After, true) => "<=",
            (Self::Greater | Self::After, false) | (Self::LessOrEqual | Self::NotAfter, true) => ">",
            (Self::GreaterOrEqual | Self::NotBefore, false) | (Self::Less | Self::Before, true) => ">=",
            (Self::Is, false) => "is",
            (Self::Is, true) => "is not",
            (Self::Within, false) => "within",
            (Self::Within, true) => "not within",
            (Self::Absent, false) => "is absent",
            (Self::Absent, true) => "is present",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(key: &str, values: &[&str]) -> Expression {
        Expression::test(TestBody {
            key: key.into(),
            relation: Relation::In,
            quantifier: Quantifier::One,
            or_absent: false,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        })
    }

    #[track_caller]
    fn check(expression: &Expression, expected: Decision) {
        assert_eq!(expression.decision(), expected);
    }

    #[test]
    fn a_deny_under_a_condition_leaves_its_opposite() {
        check(
            &key_in("aws:SourceVpce", &["vpce-1"]),
            Decision::Conditional("aws:SourceVpce in [vpce-1]".into()),
        );
        check(
            &key_in("aws:SourceVpce", &["vpce-1"]).negate(),
            Decision::Conditional("aws:SourceVpce not in [vpce-1]".into()),
        );
    }

    #[test]
    fn what_excludes_each_other_is_no() {
        check(&Expression::all([key_in("k", &["a"]), key_in("K", &["b"])]), Decision::Deny);
        check(&Expression::all([key_in("k", &["a"]), key_in("k", &["a"]).negate()]), Decision::Deny);
        check(&Expression::all([key_in("k", &["a"]), key_in("k", &["a", "b"]).negate()]), Decision::Deny);
        let logs = Expression::resource_like("b/logs/*");
        check(&Expression::all([logs.clone(), Expression::resource_like("b/*").negate()]), Decision::Deny);
        check(&Expression::all([logs, Expression::resource_like("b/data/*")]), Decision::Deny);
    }

    #[test]
    fn a_test_or_its_opposite_is_yes() {
        check(&Expression::any([key_in("k", &["a"]), key_in("k", &["a"]).negate()]), Decision::Allow);
    }

    #[test]
    fn missing_evidence_survives_negation_and_conjunction() {
        let unknown = Expression::unknown("s3:GetBucketPolicy");
        check(&unknown.clone().negate(), Decision::Unknown("s3:GetBucketPolicy".into()));
        check(
            &Expression::all([unknown.clone(), key_in("k", &["a"])]),
            Decision::Unknown("s3:GetBucketPolicy".into()),
        );
        check(&Expression::any([unknown, Expression::Yes]), Decision::Allow);
    }

    #[test]
    fn alternatives_inside_a_conjunction_are_bracketed() {
        let either = Expression::any([key_in("k", &["a"]), key_in("m", &["b"])]);
        check(
            &Expression::all([either, key_in("n", &["c"])]),
            Decision::Conditional("n in [c] and (k in [a] or m in [b])".into()),
        );
    }
}
