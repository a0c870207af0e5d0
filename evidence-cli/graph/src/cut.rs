//! The smallest set of statements whose removal closes every derivation.
//!
//! Derivations are not listed: one is found, a smallest set that hits all found so far is taken away, and if
//! another derivation is still there it joins the list (implicit hitting sets). The set is minimal when the
//! search ends within its bounds, and in any case nothing is left once its statements are gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::search::{Goal, Map, StatementId, Witness};

/// The largest set that is searched for exactly.
const EXACT_SIZE: usize = 4;
/// How many derivations are looked at before the search settles for a set that is not proven minimal.
const MAXIMUM_ROUNDS: usize = 64;

/// A set of statements, and whether no smaller one exists.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) statements: BTreeSet<StatementId>,
    pub(crate) minimal: bool,
}

/// Finds a cut. It is empty, and not minimal, when some derivation rests on no statement at all.
pub(crate) fn find(map: &Map<'_>, origin: usize, goal: &Goal, first: &Witness) -> Cut {
    let mut witnesses = vec![first.statements.clone()];
    for _ in 0..MAXIMUM_ROUNDS {
        if witnesses.iter().any(BTreeSet::is_empty) {
            return Cut { statements: BTreeSet::new(), minimal: false };
        }
        let Some(statements) = smallest(&witnesses) else { break };
        match map.search(origin, goal, &statements) {
            None => return Cut { statements, minimal: true },
            Some(further) => witnesses.push(further.statements),
        }
    }
    greedy(map, origin, goal, &witnesses)
}

/// A smallest set that hits every witness, up to the size that is searched exactly.
fn smallest(witnesses: &[BTreeSet<StatementId>]) -> Option<BTreeSet<StatementId>> {
    (1..=EXACT_SIZE).find_map(|size| {
        let mut chosen = BTreeSet::new();
        hit(witnesses, size, &mut chosen).then_some(chosen)
    })
}

fn hit(witnesses: &[BTreeSet<StatementId>], size: usize, chosen: &mut BTreeSet<StatementId>) -> bool {
    let Some(missed) = witnesses.iter().find(|witness| witness.is_disjoint(chosen)) else { return true };
    if size == 0 {
        return false;
    }
    for statement in missed {
        chosen.insert(*statement);
        if hit(witnesses, size - 1, chosen) {
            return true;
        }
        chosen.remove(statement);
    }
    false
}

/// Takes the statement that most derivations share, until nothing is left.
fn greedy(map: &Map<'_>, origin: usize, goal: &Goal, witnesses: &[BTreeSet<StatementId>]) -> Cut {
    let mut known = witnesses.to_vec();
    let mut statements: BTreeSet<StatementId> = BTreeSet::new();
    loop {
        while let Some(frequent) = most_frequent(&known, &statements) {
            statements.insert(frequent);
        }
        match map.search(origin, goal, &statements) {
            None => return Cut { statements, minimal: false },
            Some(further) if further.statements.is_empty() => {
                return Cut { statements: BTreeSet::new(), minimal: false };
            }
            Some(further) => known.push(further.statements),
        }
    }
}

fn most_frequent(witnesses: &[BTreeSet<StatementId>], chosen: &BTreeSet<StatementId>) -> Option<StatementId> {
    let mut counts: BTreeMap<StatementId, usize> = BTreeMap::new();
    for witness in witnesses.iter().filter(|witness| witness.is_disjoint(chosen)) {
        for statement in witness {
            *counts.entry(*statement).or_default() += 1;
        }
    }
    let most = counts.iter().max_by_key(|(statement, count)| (**count, std::cmp::Reverse(**statement)));
    most.map(|(statement, _)| *statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(witnesses: &[&[StatementId]], expected: Option<&[StatementId]>) {
        let sets: Vec<BTreeSet<StatementId>> =
            witnesses.iter().map(|witness| witness.iter().copied().collect()).collect();
        assert_eq!(smallest(&sets), expected.map(|set| set.iter().copied().collect()));
    }

    #[test]
    fn the_smallest_set_hits_every_witness() {
        check(&[&[1, 2], &[2, 3]], Some(&[2]));
        check(&[&[1], &[2], &[3, 1]], Some(&[1, 2]));
        check(&[&[1, 9], &[2, 9], &[3, 9], &[4, 5]], Some(&[4, 9]));
        check(&[&[1], &[2], &[3], &[4], &[5]], None);
    }

    #[test]
    fn the_most_frequent_statement_is_taken_first() {
        let sets: Vec<BTreeSet<StatementId>> = vec![[1, 2].into(), [2, 3].into(), [3].into()];
        assert_eq!(most_frequent(&sets, &BTreeSet::new()), Some(2));
        assert_eq!(most_frequent(&sets, &[2, 3].into()), None);
    }
}
