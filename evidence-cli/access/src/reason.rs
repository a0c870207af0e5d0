//! A reason: one proof that somebody may, with what it settles by itself taken out of the conditions.

use std::collections::BTreeSet;

use cadastre_model::access::Decision;
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::identity::PrincipalKind;

use crate::choice::Request;
use crate::decide::{Proof, Question, decide};
use crate::expression::Expression;
use crate::requester::Requester;
use crate::world::World;

/// More reasons for one answer than are kept; those kept are the most certain ones.
const MAXIMUM_REASONS: usize = 32;

/// One sufficient reason for a yes: all its statements are needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reason {
    pub(crate) expression: Expression,
    pub(crate) statements: BTreeSet<StatementRef>,
    /// Conditions that the requester satisfies by itself.
    pub(crate) choices: BTreeSet<String>,
}

impl From<Proof> for Reason {
    fn from(proof: Proof) -> Self {
        Self { expression: proof.expression, statements: proof.statements, choices: BTreeSet::new() }
    }
}

impl Reason {
    /// What needs no reason.
    pub(crate) const fn given() -> Self {
        Self { expression: Expression::Yes, statements: BTreeSet::new(), choices: BTreeSet::new() }
    }

    /// The decision it amounts to.
    pub(crate) fn decision(&self) -> Decision {
        self.expression.decision()
    }

    /// Both are needed, in requests of their own.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            expression: Expression::all([self.expression.clone(), other.expression.clone()]),
            statements: self.statements.union(&other.statements).cloned().collect(),
            choices: self.choices.union(&other.choices).cloned().collect(),
        }
    }

    /// The same, while this evidence is missing.
    pub(crate) fn while_missing(mut self, missing: &str) -> Self {
        self.expression = Expression::all([self.expression, Expression::unknown(missing)]);
        self
    }
}

/// Asks, and settles what the requester chooses.
pub(crate) fn ask(
    world: &World,
    requester: Requester<'_>,
    question: &Question<'_>,
    request: Request<'_>,
) -> Vec<Reason> {
    let request = Request {
        by_user: matches!(requester, Requester::Identity(identity) if identity.kind == PrincipalKind::User),
        by_service: requester.is_service(),
        ..request
    };
    decide(world, requester, question)
        .into_iter()
        .map(|proof| {
            let (expression, choices) = world.choices.settle(proof.expression, request);
            Reason { expression, statements: proof.statements, choices }
        })
        .collect()
}

/// Every combination of one reason from each list.
pub(crate) fn combine(lists: impl IntoIterator<Item = Vec<Reason>>) -> Vec<Reason> {
    let mut combined = vec![Reason::given()];
    for list in lists {
        combined = tidy(combined.iter().flat_map(|left| list.iter().map(|right| left.and(right))).collect());
    }
    combined
}

/// Drops what is impossible and what a more certain reason with fewer statements makes idle.
pub(crate) fn tidy(reasons: Vec<Reason>) -> Vec<Reason> {
    let mut reasons: Vec<(u8, Reason)> = reasons
        .into_iter()
        .filter(|reason| reason.expression != Expression::No)
        .map(|reason| (reason.expression.rank(), reason))
        .collect();
    if reasons.len() > 1 {
        reasons.sort_by(|(left_rank, left), (right_rank, right)| {
            (left_rank, left.choices.len(), left.statements.len())
                .cmp(&(right_rank, right.choices.len(), right.statements.len()))
                .then_with(|| left.cmp(right))
        });
    }
    let mut kept: Vec<(u8, Reason)> = Vec::with_capacity(reasons.len().min(MAXIMUM_REASONS));
    for (rank, reason) in reasons {
        let idle = kept.iter().any(|(better_rank, better)| {
            better.statements.is_subset(&reason.statements)
                && (better.expression == reason.expression || *better_rank < rank)
        });
        if !idle && kept.len() < MAXIMUM_REASONS {
            kept.push((rank, reason));
        }
    }
    kept.into_iter().map(|(_, reason)| reason).collect()
}
