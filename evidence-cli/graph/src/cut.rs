//! The smallest set of statements whose removal closes every derivation.
//!
//! Derivations are not listed, for there can be more of them than atoms: a smallest set that hits all found so far is
//! taken away, and if another derivation is still there it joins the list ("implicit hitting sets": Moreno-Centeno and
//! Karp, Operations Research 61, 2013). When none is left the set is smallest over *all* derivations, not only over
//! the cheapest ones. Each set on the way is also a lower bound, since whatever closes all derivations closes those
//! found. Only statements that grant take part: a deny is never in a derivation, so it is never in a cut.

use std::collections::BTreeSet;

use crate::derivation::{Prefer, Problem, StatementId};
use crate::hitting::{BUDGET, Hitting, greedy, smallest};

/// How many derivations are looked at before the search settles for a set that is not proven smallest.
const MAXIMUM_ROUNDS: usize = 128;

/// A set of statements, and how few would do at the least.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Empty when some derivation rests on no statement at all, so that nothing closes it.
    pub(crate) statements: BTreeSet<StatementId>,
    /// No set with fewer statements closes everything.
    pub(crate) at_least: usize,
}

impl Cut {
    /// Whether no smaller set exists.
    pub(crate) fn is_smallest(&self) -> bool {
        !self.statements.is_empty() && self.at_least == self.statements.len()
    }
}

/// Finds a cut for place 0 of a problem, from which the goal can be reached.
pub(crate) fn find(problem: &Problem<'_>) -> Cut {
    find_within(problem, MAXIMUM_ROUNDS, BUDGET)
}

/// A cut for place 0 of a problem some of whose moves stand for several, and the bound that the others alone give:
/// `told` is the problem with the moves that stand for themselves only.
pub(crate) fn find_beyond(problem: &Problem<'_>, told: &Problem<'_>) -> Cut {
    let closing = find(problem);
    let least = find(told);
    // Something has to go, since there is a way and a set that closes it.
    let at_least = least.at_least.max(usize::from(!closing.statements.is_empty()));
    match closing.statements.is_empty() {
        true => Cut { at_least, statements: closing.statements },
        false => Cut { at_least: at_least.min(closing.statements.len()), statements: closing.statements },
    }
}

/// The same within so many rounds, and so many choices when looking for smallest sets.
pub(crate) fn find_within(problem: &Problem<'_>, rounds: usize, budget: usize) -> Cut {
    let nothing_closes_it = || Cut { statements: BTreeSet::new(), at_least: 0 };
    let mut found: Vec<Vec<StatementId>> = Vec::new();
    let mut at_least = 0;
    let mut removed = BTreeSet::new();
    let mut left = budget;
    // Further ones that have nothing in common with those taken away, as many as there are.
    for _ in 0..rounds {
        if let Some(first) = another(problem, &removed) {
            let mut away: BTreeSet<StatementId> = removed.clone();
            let mut next = Some(first);
            while let Some(statements) = next {
                if statements.is_empty() {
                    return nothing_closes_it();
                }
                away.extend(statements.iter().copied());
                found.push(statements);
                next = another(problem, &away);
            }
        } else {
            return Cut { at_least: removed.len(), statements: removed };
        }
        match smallest(&found, &mut left) {
            Hitting::Smallest(set) => {
                at_least = set.len();
                removed = set;
            }
            Hitting::AtLeast(size) => {
                at_least = at_least.max(size);
                break;
            }
            Hitting::Impossible => return nothing_closes_it(),
        }
    }
    bounded(problem, found, at_least).unwrap_or_else(nothing_closes_it)
}

/// The statements of a derivation that rests on none of the removed ones; few of them, where there is a choice.
fn another(problem: &Problem<'_>, removed: &BTreeSet<StatementId>) -> Option<Vec<StatementId>> {
    let removed: Vec<StatementId> = removed.iter().copied().collect();
    let solution = problem.solve(&removed, Prefer::FewStatements, Some(0));
    problem.pieces(&solution, 0).map(|pieces| problem.statements(&pieces))
}

/// A set that closes everything and that no statement can be left out of, though a smaller one may exist.
fn bounded(problem: &Problem<'_>, mut found: Vec<Vec<StatementId>>, at_least: usize) -> Option<Cut> {
    let mut statements = loop {
        let statements = greedy(&found);
        match another(problem, &statements) {
            None => break statements,
            Some(further) if further.is_empty() => return None,
            Some(further) => found.push(further),
        }
    };
    for id in statements.clone().into_iter().rev() {
        statements.remove(&id);
        if another(problem, &statements).is_some() {
            statements.insert(id);
        }
    }
    Some(Cut { at_least: at_least.min(statements.len()), statements })
}
