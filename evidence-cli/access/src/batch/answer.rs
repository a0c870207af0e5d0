//! Answers, as they are written: one JSON object a line.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::batch::judge::{Lack, Place, Verdict};
use crate::expression::Expression;

/// More tests than are written out as a condition.
const MAXIMUM_TESTS: usize = 1_000;

/// The answer to one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The case's id, `null` where it has none.
    pub id: Value,
    /// What was decided.
    pub decision: Outcome,
    /// Under which condition, where it depends on what the request carries.
    pub condition: Option<String>,
    /// The statements that allow, or that deny explicitly; empty for an implicit deny.
    pub by: Vec<Citation>,
    /// What would have to allow and does not, or what is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Why the line could not be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The request is allowed.
    Allow,
    /// The request is denied.
    Deny,
    /// It is allowed under a condition.
    Conditional,
    /// It cannot be said.
    Unknown,
}

/// A statement that an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Citation {
    /// The policy, as the case names it: `identity[0]`, `scp[1][0]`.
    pub policy: PolicyName,
    /// The number of the statement, from 0; always 0 for a grant.
    pub statement: u32,
}

/// The name of a policy of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyName(Place);

impl fmt::Display for PolicyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Identity(number) => write!(formatter, "identity[{number}]"),
            Place::Resource => formatter.write_str("resource"),
            Place::Boundary => formatter.write_str("boundary"),
            Place::Session => formatter.write_str("session"),
            Place::ServiceControl(level, number) => write!(formatter, "scp[{level}][{number}]"),
            Place::ResourceControl(level, number) => write!(formatter, "rcp[{level}][{number}]"),
            Place::Endpoint => formatter.write_str("endpoint"),
            Place::Grant(number) => write!(formatter, "grants[{number}]"),
        }
    }
}

impl Serialize for PolicyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => formatter.write_str("no identity policy allows"),
            Self::Resource => formatter.write_str("the resource policy does not allow"),
            Self::KeyPolicy => formatter.write_str("the key policy does not allow"),
            Self::Trust => formatter.write_str("the trust policy does not allow"),
            Self::Boundary => formatter.write_str("the permissions boundary does not allow"),
            Self::Session => formatter.write_str("the session policy does not allow"),
            Self::ServiceControl(level) => write!(formatter, "scp[{level}] does not allow"),
            Self::ResourceControl(level) => write!(formatter, "rcp[{level}] does not allow"),
            Self::Endpoint => formatter.write_str("the endpoint policy does not allow"),
            Self::Grant => formatter.write_str("no grant allows"),
            Self::ResourceAccount => formatter.write_str("the account that owns the resource"),
            Self::RootMayNotAssume => formatter.write_str("the root user may not assume a role"),
        }
    }
}

impl Answer {
    /// Puts a verdict into words.
    pub(crate) fn of(id: Value, verdict: Verdict) -> Self {
        let decision = match verdict.expression.rank() {
            0 => Outcome::Allow,
            1 => Outcome::Conditional,
            2 => Outcome::Unknown,
            _ => Outcome::Deny,
        };
        let mut missing: Vec<String> = verdict.missing.iter().map(ToString::to_string).collect();
        let mut condition = None;
        if decision == Outcome::Conditional {
            condition = Some(words(&verdict.expression));
        } else if decision == Outcome::Unknown {
            let mut unknown = Vec::new();
            verdict.expression.unknowns(&mut unknown);
            missing = unknown.into_iter().map(str::to_owned).collect();
            missing.sort_unstable();
            missing.dedup();
            missing.truncate(MAXIMUM_TESTS);
        }
        let mut by: Vec<Citation> = verdict
            .by
            .into_iter()
            .map(|(place, statement)| Citation { policy: PolicyName(place), statement })
            .collect();
        by.sort_unstable();
        by.dedup();
        Self { id, decision, condition, by, missing, error: None }
    }

    /// The answer to a line that is no case; lines count from 1.
    pub(crate) fn refused(id: Value, line: u64, error: &dyn fmt::Display) -> Self {
        Self {
            id,
            decision: Outcome::Unknown,
            condition: None,
            by: Vec::new(),
            missing: Vec::new(),
            error: Some(format!("line {line}: {error}")),
        }
    }
}

fn words(expression: &Expression) -> String {
    let tests = expression.size();
    if tests > MAXIMUM_TESTS {
        return format!("{tests} tests that the request decides");
    }
    match expression.decision() {
        cadastre_model::access::Decision::Conditional(text) => text,
        _ => String::new(),
    }
}
