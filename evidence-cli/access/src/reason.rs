//! A reason: one proof that somebody may, with what it settles by itself taken out of the conditions.
//!
//! Reasons multiply: a hundred statements of an identity times ten of a key's policy are a thousand. Those beyond a limit
//! are never dropped. They are summed up by statements that they have in common, so that whatever closes a summary closes
//! all that it stands for, and a summary says of itself that it is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cadastre_model::access::Decision;
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::identity::PrincipalKind;

use crate::choice::Request;
use crate::decide::{Question, decide};
use crate::expression::Expression;
use crate::requester::Requester;
use crate::statement_set::StatementSet;
use crate::world::World;

/// How many reasons for one answer are kept one by one, the most certain ones; the others are summed up.
pub(crate) const MAXIMUM_REASONS: usize = 64;

/// How many groups the others are summed up in, before one group stands for all that is left.
const MAXIMUM_SUMMARIES: usize = 64;

/// What a summary rests on besides its statements.
const SUMMED_UP: &str = "further ways, which all rest on these statements and are not told one by one";

/// One sufficient reason for a yes: all its statements are needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reason {
    pub(crate) expression: Expression,
    pub(crate) statements: StatementSet,
    /// Conditions that the requester satisfies by itself.
    pub(crate) choices: BTreeSet<String>,
    /// Whether it stands for several, each of which rests on these statements and on others.
    pub(crate) summary: bool,
}

impl Reason {
    /// An expression and the statements it was read from.
    pub(crate) const fn new(expression: Expression, statements: StatementSet) -> Self {
        Self { expression, statements, choices: BTreeSet::new(), summary: false }
    }

    /// What needs no reason.
    pub(crate) const fn given() -> Self {
        Self::new(Expression::Yes, StatementSet::new())
    }

    /// Any number of reasons that all rest on these statements.
    pub(crate) fn summary(statements: StatementSet) -> Self {
        Self { summary: true, ..Self::new(Expression::unknown(SUMMED_UP), statements) }
    }

    /// The decision it amounts to.
    pub(crate) fn decision(&self) -> Decision {
        self.expression.decision()
    }

    /// Both are needed, in requests of their own.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            expression: Expression::all([self.expression.clone(), other.expression.clone()]),
            statements: self.statements.union(&other.statements),
            choices: self.choices.union(&other.choices).cloned().collect(),
            summary: self.summary || other.summary,
        }
    }

    /// The same, resting on these statements as well.
    pub(crate) fn citing(&self, further: &StatementSet) -> Self {
        if further.len() == 0 {
            return self.clone();
        }
        Self { statements: self.statements.union(further), ..self.clone() }
    }

    /// The same within a limit.
    pub(crate) fn within(mut self, limit: &Expression) -> Self {
        if *limit != Expression::Yes {
            self.expression = Expression::all([self.expression, limit.clone()]);
        }
        self
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
        .map(|reason| {
            let (expression, choices) = world.choices.settle(reason.expression, request);
            Reason { expression, choices, ..reason }
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

/// Drops what is impossible and what a more certain reason with fewer statements makes idle, and sums up what is left
/// beyond the limit.
pub(crate) fn tidy(mut reasons: Vec<Reason>) -> Vec<Reason> {
    if reasons.len() <= 1 {
        reasons.retain(|reason| reason.expression != Expression::No);
        return reasons;
    }
    let mut reasons: Vec<(u8, Reason)> = reasons
        .into_iter()
        .filter(|reason| reason.expression != Expression::No)
        .map(|reason| (reason.expression.rank(), reason))
        .collect();
    reasons.sort_by(|(left_rank, left), (right_rank, right)| {
        (left_rank, left.choices.len(), left.statements.len())
            .cmp(&(right_rank, right.choices.len(), right.statements.len()))
            .then_with(|| left.cmp(right))
    });
    let mut kept: Vec<(u8, Reason)> = Vec::with_capacity(reasons.len().min(MAXIMUM_REASONS));
    let mut others = Vec::new();
    for (rank, reason) in reasons {
        let idle = kept.iter().any(|(better_rank, better)| {
            (reason.summary || !better.summary)
                && (better.expression == reason.expression || *better_rank < rank)
                && better.statements.is_subset(&reason.statements)
        });
        match idle {
            true => {}
            false if kept.len() < MAXIMUM_REASONS => kept.push((rank, reason)),
            false => others.push(reason),
        }
    }
    let mut kept: Vec<Reason> = kept.into_iter().map(|(_, reason)| reason).collect();
    kept.extend(summed_up(others));
    kept
}

/// The same reasons in groups, each by a statement that many have in common. Taking that statement away closes all of
/// its group, whichever the others are that they rest on.
fn summed_up(mut reasons: Vec<Reason>) -> Vec<Reason> {
    let mut groups = Vec::new();
    while !reasons.is_empty() {
        if groups.len() == MAXIMUM_SUMMARIES {
            // Too many to tell what closes them all.
            groups.push(Reason::summary(StatementSet::new()));
            return groups;
        }
        let shared = most_shared(&reasons);
        let (group, others): (Vec<Reason>, Vec<Reason>) = match shared {
            Some(shared) => reasons.into_iter().partition(|reason| reason.statements.contains(&shared)),
            None => (reasons, Vec::new()),
        };
        reasons = others;
        let common = group.iter().map(|reason| reason.statements.clone()).reduce(|all, own| all.common(&own));
        match <[Reason; 1]>::try_from(group) {
            Ok([only]) => groups.push(only),
            Err(_) => groups.push(Reason::summary(common.unwrap_or_default())),
        }
    }
    groups
}

/// The statement that most reasons rest on; of several, the first.
fn most_shared(reasons: &[Reason]) -> Option<Arc<StatementRef>> {
    let mut counts: BTreeMap<&Arc<StatementRef>, usize> = BTreeMap::new();
    for statement in reasons.iter().flat_map(|reason| reason.statements.iter()) {
        *counts.entry(statement).or_default() += 1;
    }
    let most =
        counts.into_iter().max_by(|(left, most), (right, other)| most.cmp(other).then(right.cmp(left)));
    most.map(|(statement, _)| Arc::clone(statement))
}

#[cfg(test)]
mod tests {
    use cadastre_model::{Observation, Outcome, Scope, Timestamp, record};
    use proptest::prelude::*;

    use super::*;

    fn statement(name: &str) -> Arc<StatementRef> {
        let observation = Observation {
            collector: "aws".into(),
            operation: "iam:GetAccountAuthorizationDetails".into(),
            scope: Scope::account("111122223333"),
            subject: String::new(),
            caller: String::new(),
            observed_at: "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap(),
            outcome: Outcome::Observed,
            request: serde_json::Value::Null,
            response: serde_json::Value::Null,
            problem: None,
            page: record::Page::ONLY,
        };
        let record = observation.seal().unwrap().id().clone();
        Arc::new(StatementRef { policy: name.into(), record, pointer: String::new().into() })
    }

    fn resting_on(names: &[String]) -> Reason {
        let statements = names.iter().map(|name| statement(name)).collect();
        Reason::new(Expression::Yes, statements)
    }

    #[test]
    fn reasons_that_each_rest_on_a_statement_of_their_own_are_told_one_by_one() {
        let reasons = (0..MAXIMUM_REASONS + MAXIMUM_SUMMARIES).map(|at| resting_on(&[format!("s{at:03}")]));
        let kept = tidy(reasons.collect());
        assert_eq!(kept.len(), MAXIMUM_REASONS + MAXIMUM_SUMMARIES);
        assert!(kept.iter().all(|reason| !reason.summary));
    }

    #[test]
    fn more_reasons_than_can_be_told_leave_one_that_nothing_closes() {
        let reasons = (0..400).map(|at| resting_on(&[format!("s{at:03}")]));
        let kept = tidy(reasons.collect());
        let last = kept.last().unwrap();
        assert!(last.summary && last.statements.len() == 0);
        assert!(matches!(last.decision(), Decision::Unknown(_)));
    }

    #[test]
    fn combinations_are_summed_up_by_what_they_have_in_common() {
        let own: Vec<Reason> = (0..60).map(|at| resting_on(&[format!("own{at:02}")])).collect();
        let key = vec![resting_on(&["key0".to_owned()]), resting_on(&["key1".to_owned()])];
        let kept = combine([key, own]);
        let summaries: Vec<&Reason> = kept.iter().filter(|reason| reason.summary).collect();
        assert!(!summaries.is_empty());
        assert!(
            summaries
                .iter()
                .all(|summary| summary.statements.iter().any(|one| one.policy.starts_with("key")))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_closes_all_that_is_kept_closes_all_there_is(
            sets in prop::collection::vec(prop::collection::btree_set(0..40_u32, 1..4), 0..220),
            removed in prop::collection::btree_set(0..40_u32, 0..38),
        ) {
            let names = |set: &BTreeSet<u32>| set.iter().map(|at| format!("s{at:02}")).collect::<Vec<_>>();
            let all: Vec<Reason> = sets.iter().map(|set| resting_on(&names(set))).collect();
            let removed = names(&removed);
            let closed = |reason: &Reason| reason.statements.iter().any(|one| removed.iter().any(|name| *one.policy == **name));
            if tidy(all.clone()).iter().all(closed) {
                prop_assert!(all.iter().all(closed));
            }
        }
    }
}
