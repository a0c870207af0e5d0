//! Derivations and cuts against trying everything: thousands of small AND/OR graphs, every subset of their moves and
//! of their statements.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::cut;
use crate::derivation::{Leaf, Piece, Prefer, Problem, Rests, StatementId, Travel};
use crate::goals::{DECRYPT, DONE, OPEN_KEY, OPEN_STORE, READ, SEALED};

const PLACES: u32 = 4;
const STATEMENTS: u32 = 6;

/// A hop, or a duty that can be done somewhere.
#[derive(Debug, Clone)]
enum What {
    Hop(u32, u32),
    Duty(u8, u32),
}

#[derive(Debug, Clone)]
struct Move {
    what: What,
    cost: u64,
    statements: BTreeSet<StatementId>,
}

fn one(statements: std::ops::Range<usize>) -> impl Strategy<Value = Move> {
    let hop = (0..PLACES, 0..PLACES).prop_map(|(from, to)| What::Hop(from, to));
    let duties = vec![DONE, READ, DECRYPT, READ, DECRYPT, OPEN_STORE, OPEN_KEY];
    let duty = (prop::sample::select(duties), 0..PLACES).prop_map(|(duty, place)| What::Duty(duty, place));
    let statements = prop::collection::btree_set(0..STATEMENTS, statements);
    (prop_oneof![hop, duty], 1..5_u64, statements).prop_map(|(what, cost, statements)| Move {
        what,
        cost,
        statements,
    })
}

/// Few enough for every subset to be tried.
fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(one(0..3), 1..9)
}

/// So many that mostly something follows.
fn many_moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(prop_oneof![9 => one(1..4), 1 => one(0..2)], 8..20)
}

/// Whether place 0 reaches plaintext by these moves, told without any of the machinery, and what enabling costs beside
/// the moves.
fn follows(moves: &[&Move]) -> Option<u64> {
    let mut here = BTreeSet::from([0_u32]);
    loop {
        let before = here.len();
        for one in moves {
            if let What::Hop(from, to) = one.what
                && here.contains(&from)
            {
                here.insert(to);
            }
        }
        if here.len() == before {
            break;
        }
    }
    let at = |wanted: u8, who: u32| {
        moves.iter().any(|one| matches!(one.what, What::Duty(d, p) if d == wanted && p == who))
    };
    let anywhere = |wanted: u8| here.iter().any(|who| at(wanted, *who));
    let (store, key) = (anywhere(OPEN_STORE), anywhere(OPEN_KEY));
    if anywhere(DONE) || here.iter().any(|who| at(READ, *who) && at(DECRYPT, *who)) {
        Some(0)
    } else if (store && anywhere(DECRYPT)) || (key && anywhere(READ)) {
        Some(1)
    } else {
        (store && key).then_some(2)
    }
}

fn problem<'a>(moves: &[Move], list: &'a mut Vec<StatementId>) -> Problem<'a> {
    let (mut travels, mut leaves) = (Vec::new(), Vec::new());
    for (one, told) in moves.iter().zip(0..) {
        let rests = Rests {
            start: u32::try_from(list.len()).unwrap(),
            length: u32::try_from(one.statements.len()).unwrap(),
        };
        list.extend(one.statements.iter().copied());
        match one.what {
            What::Hop(from, to) => {
                travels.push(Travel { from, to, cost: one.cost, rests, told, idle: false })
            }
            What::Duty(duty, place) => {
                leaves.push(Leaf { duty, place, cost: one.cost, rests, told, idle: false })
            }
        }
    }
    Problem::new(&SEALED, usize::try_from(PLACES).unwrap(), travels, leaves, list)
}

/// The moves that no removed statement takes away.
fn without<'m>(moves: &'m [Move], removed: &BTreeSet<StatementId>) -> Vec<&'m Move> {
    moves.iter().filter(|one| one.statements.is_disjoint(removed)).collect()
}

fn chosen(mask: u32) -> BTreeSet<StatementId> {
    (0..32).filter(|bit| mask & (1 << bit) != 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_cheapest_derivation_is_the_cheapest_of_all(moves in moves()) {
        let mut list = Vec::new();
        let problem = problem(&moves, &mut list);
        let solution = problem.solve(&[], Prefer::Cost, None);
        let subsets = (0..1_u32 << moves.len()).map(chosen);
        let cheapest = subsets
            .filter_map(|subset| {
                let taken: Vec<&Move> = moves.iter().zip(0..).filter(|(_, at)| subset.contains(at)).map(|(one, _)| one).collect();
                Some(follows(&taken)? + taken.iter().map(|one| one.cost).sum::<u64>())
            })
            .min();
        prop_assert_eq!(solution.cost(DONE, 0), cheapest);
    }

    #[test]
    fn a_witness_replays_move_by_move(moves in moves()) {
        let mut list = Vec::new();
        let problem = problem(&moves, &mut list);
        let solution = problem.solve(&[], Prefer::Cost, None);
        let Some(pieces) = problem.pieces(&solution, 0) else {
            prop_assert_eq!(follows(&moves.iter().collect::<Vec<_>>()), None);
            return Ok(());
        };
        // Each hop leaves from somebody one already is, each duty is done as somebody one is, and all of it suffices.
        let mut here = BTreeSet::from([0_u32]);
        let mut taken = Vec::new();
        for piece in &pieces {
            let told = match piece {
                Piece::Travel(at) => problem.travel(*at).unwrap().told,
                Piece::Leaf(at) => problem.leaf(*at).unwrap().told,
                Piece::Join(..) => continue,
            };
            let one = &moves[usize::try_from(told).unwrap()];
            match one.what {
                What::Hop(from, to) => {
                    prop_assert!(here.contains(&from));
                    here.insert(to);
                }
                What::Duty(_, place) => prop_assert!(here.contains(&place)),
            }
            taken.push(one);
        }
        prop_assert!(follows(&taken).is_some());
        let statements: BTreeSet<StatementId> = taken.iter().flat_map(|one| one.statements.iter().copied()).collect();
        prop_assert_eq!(problem.statements(&pieces), statements.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_cut_closes_every_derivation_and_none_with_fewer_statements_does(moves in many_moves()) {
        let mut list = Vec::new();
        let all = problem(&moves, &mut list);
        if follows(&moves.iter().collect::<Vec<_>>()).is_none() {
            return Ok(());
        }
        let departures = all.departures();
        let cut = cut::find(&all.restricted(0, &departures));
        let fewest = (0..1_u32 << STATEMENTS)
            .filter(|mask| follows(&without(&moves, &chosen(*mask))).is_none())
            .map(u32::count_ones)
            .min();
        match fewest {
            // Some derivation rests on no statement.
            None => prop_assert!(cut.statements.is_empty() && !cut.is_smallest()),
            Some(fewest) => {
                prop_assert_eq!(follows(&without(&moves, &cut.statements)), None);
                prop_assert!(cut.is_smallest());
                prop_assert_eq!(u32::try_from(cut.statements.len()).unwrap(), fewest);
                for kept in &cut.statements {
                    let mut subset = cut.statements.clone();
                    subset.remove(kept);
                    prop_assert!(follows(&without(&moves, &subset)).is_some(), "{kept} is not needed");
                }
            }
        }
    }

    #[test]
    fn a_bounded_cut_closes_everything_and_its_bound_holds(moves in many_moves()) {
        let mut list = Vec::new();
        let all = problem(&moves, &mut list);
        if follows(&moves.iter().collect::<Vec<_>>()).is_none() {
            return Ok(());
        }
        let departures = all.departures();
        let exact = cut::find(&all.restricted(0, &departures));
        let bounded = cut::find_within(&all.restricted(0, &departures), 1, 0);
        prop_assert_eq!(bounded.statements.is_empty(), exact.statements.is_empty());
        prop_assert!(bounded.at_least <= exact.statements.len());
        prop_assert!(exact.statements.len() <= bounded.statements.len());
        if !bounded.statements.is_empty() {
            prop_assert_eq!(follows(&without(&moves, &bounded.statements)), None);
        }
    }

    #[test]
    fn taking_a_move_away_never_opens_anything(moves in moves(), gone in any::<prop::sample::Index>()) {
        let fewer: Vec<Move> = {
            let gone = gone.index(moves.len());
            moves.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, one)| one.clone()).collect()
        };
        let (mut list, mut shorter) = (Vec::new(), Vec::new());
        let before = problem(&moves, &mut list).solve(&[], Prefer::Cost, None);
        let after = problem(&fewer, &mut shorter).solve(&[], Prefer::Cost, None);
        for place in 0..PLACES {
            match (before.cost(DONE, place), after.cost(DONE, place)) {
                (None, after) => prop_assert_eq!(after, None),
                (Some(before), Some(after)) => prop_assert!(before <= after),
                (Some(_), None) => {}
            }
        }
    }
}
