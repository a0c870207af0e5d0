//! Smallest sets that hit every one of some sets, with a bound where the search is cut short.

use std::collections::{BTreeMap, BTreeSet};

use crate::derivation::StatementId;

/// How many choices are looked at before the search gives up being exact.
pub(crate) const BUDGET: usize = 20_000;

/// What a search for a smallest hitting set found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hitting {
    /// No smaller set hits all.
    Smallest(BTreeSet<StatementId>),
    /// The search was cut short, and no set with fewer elements hits all.
    AtLeast(usize),
    /// One of the sets is empty.
    Impossible,
}

/// A smallest set that hits every one of the sets; among those of one size, one with low numbers. Each of the sets is
/// sorted; each choice is taken off the budget.
pub(crate) fn smallest(sets: &[Vec<StatementId>], left: &mut usize) -> Hitting {
    if sets.iter().any(Vec::is_empty) {
        return Hitting::Impossible;
    }
    let sets = without_supersets(sets);
    let most = sets.len();
    for size in disjoint(&sets, &[], &BTreeSet::new())..=most {
        let mut chosen = Vec::new();
        match hit(&sets, size, &mut chosen, &BTreeSet::new(), left) {
            Some(true) => return Hitting::Smallest(chosen.into_iter().collect()),
            Some(false) => {}
            None => return Hitting::AtLeast(size),
        }
    }
    // One element of each set always does, so this is not reached.
    Hitting::AtLeast(most)
}

/// Whether `size` further elements suffice; none when the budget is spent. Elements in `out` were tried before.
fn hit(
    sets: &[&[StatementId]],
    size: usize,
    chosen: &mut Vec<StatementId>,
    out: &BTreeSet<StatementId>,
    left: &mut usize,
) -> Option<bool> {
    let missed = sets
        .iter()
        .filter(|set| !set.iter().any(|id| chosen.contains(id)))
        .min_by_key(|set| set.iter().filter(|id| !out.contains(id)).count());
    let Some(missed) = missed else { return Some(true) };
    if disjoint(sets, chosen, out) > size {
        return Some(false);
    }
    let mut out = out.clone();
    for id in *missed {
        if out.contains(id) {
            continue;
        }
        *left = left.checked_sub(1)?;
        chosen.push(*id);
        if hit(sets, size - 1, chosen, &out, left)? {
            return Some(true);
        }
        chosen.pop();
        // Every set with it has been tried.
        out.insert(*id);
    }
    Some(false)
}

/// How many sets that are not hit yet have nothing in common, found greedily: each needs an element of its own. A set
/// whose elements are all out cannot be hit at all.
fn disjoint(sets: &[&[StatementId]], chosen: &[StatementId], out: &BTreeSet<StatementId>) -> usize {
    let mut used: BTreeSet<StatementId> = BTreeSet::new();
    let mut count = 0;
    for set in sets.iter().filter(|set| !set.iter().any(|id| chosen.contains(id))) {
        let mut open = set.iter().filter(|id| !out.contains(id)).peekable();
        if open.peek().is_none() {
            return usize::MAX;
        }
        let open: Vec<StatementId> = open.copied().collect();
        if !open.iter().any(|id| used.contains(id)) {
            used.extend(open);
            count += 1;
        }
    }
    count
}

/// The sets that no other one is part of, small ones first.
fn without_supersets(sets: &[Vec<StatementId>]) -> Vec<&[StatementId]> {
    let mut sorted: Vec<&[StatementId]> = sets.iter().map(Vec::as_slice).collect();
    sorted.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    sorted.dedup();
    let mut kept: Vec<&[StatementId]> = Vec::new();
    for set in sorted {
        if !kept.iter().any(|small| small.iter().all(|id| set.binary_search(id).is_ok())) {
            kept.push(set);
        }
    }
    kept
}

/// A set that hits all, taking the element that most sets share, again and again.
pub(crate) fn greedy(sets: &[Vec<StatementId>]) -> BTreeSet<StatementId> {
    let mut chosen: BTreeSet<StatementId> = BTreeSet::new();
    loop {
        let mut counts: BTreeMap<StatementId, usize> = BTreeMap::new();
        for id in sets.iter().filter(|set| !set.iter().any(|id| chosen.contains(id))).flatten() {
            *counts.entry(*id).or_default() += 1;
        }
        let most = counts.iter().max_by_key(|(id, count)| (**count, std::cmp::Reverse(**id)));
        match most {
            Some((id, _)) => chosen.insert(*id),
            None => return chosen,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(sets: &[&[StatementId]], expected: &[StatementId]) {
        let sets: Vec<Vec<StatementId>> = sets.iter().map(|set| set.to_vec()).collect();
        assert_eq!(
            smallest(&sets, &mut BUDGET.clone()),
            Hitting::Smallest(expected.iter().copied().collect())
        );
    }

    #[test]
    fn the_smallest_set_hits_every_set() {
        check(&[], &[]);
        check(&[&[1, 2], &[2, 3]], &[2]);
        check(&[&[1], &[2], &[1, 3]], &[1, 2]);
        check(&[&[1, 9], &[2, 9], &[3, 9], &[4, 5]], &[4, 9]);
        check(&[&[1], &[2], &[3], &[4], &[5], &[6], &[7]], &[1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn nothing_hits_an_empty_set() {
        assert_eq!(smallest(&[vec![1], vec![]], &mut BUDGET.clone()), Hitting::Impossible);
    }

    #[test]
    fn a_search_that_is_cut_short_says_how_many_are_needed_at_least() {
        // Every pair out of 40 elements: all but one are needed, and the bound by disjoint pairs is half of that.
        let pairs: Vec<Vec<StatementId>> =
            (0..40).flat_map(|a| (a + 1..40).map(move |b| vec![a, b])).collect();
        match smallest(&pairs, &mut BUDGET.clone()) {
            Hitting::AtLeast(least) => assert!((20..=39).contains(&least), "{least}"),
            Hitting::Smallest(set) => assert_eq!(set.len(), 39),
            Hitting::Impossible => panic!("no set is empty"),
        }
        assert_eq!(greedy(&pairs).len(), 39);
    }

    fn brute_force(sets: &[Vec<StatementId>]) -> u32 {
        let hits = |mask: u32| sets.iter().all(|set| set.iter().any(|id| mask & (1 << id) != 0));
        (0..1_u32 << 10).filter(|mask| hits(*mask)).map(u32::count_ones).min().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_set_is_smaller_than_the_smallest(
            sets in prop::collection::vec(prop::collection::btree_set(0..10_u32, 1..4), 0..12)
        ) {
            let sets: Vec<Vec<StatementId>> = sets.into_iter().map(|set| set.into_iter().collect()).collect();
            let Hitting::Smallest(found) = smallest(&sets, &mut BUDGET.clone()) else { panic!("small enough to be exact") };
            prop_assert!(sets.iter().all(|set| set.iter().any(|id| found.contains(id))));
            prop_assert_eq!(u32::try_from(found.len()).unwrap(), brute_force(&sets));
            prop_assert!(sets.iter().all(|set| set.iter().any(|id| greedy(&sets).contains(id))));
        }
    }
}
