//! Derivations in an AND/OR graph: what can be done from where, at what least cost, by which moves.
//!
//! A *duty* is a part of what is asked, a *place* somebody one can be. A fact is a duty that can be done from a
//! place. Facts follow by a leaf (it can be done here), by travelling (it can be done from where a hop leads), and
//! by a join (its parts can be done from here, each its own way). Costs add up. The cheapest derivation of every fact
//! is found at once, backwards from the leaves, by Knuth's generalisation of Dijkstra's algorithm ("A
//! generalization of Dijkstra's algorithm", Information Processing Letters 6, 1977). Because a join splits only after
//! the hops that its parts have in common, a hop that several parts need is paid for once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The number of a statement.
pub(crate) type StatementId = u32;

/// A part of what is asked, by its number in a [`Scheme`].
pub(crate) type Duty = u8;

/// Statements that a move rests on: a run in the list that all moves share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rests {
    pub(crate) start: u32,
    pub(crate) length: u32,
}

/// A hop from one place to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Travel {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) cost: u64,
    pub(crate) rests: Rests,
    /// What the caller knows it by.
    pub(crate) told: u32,
    /// Whether it makes no difference to what closes all.
    pub(crate) idle: bool,
}

/// A duty that can be done at a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) duty: Duty,
    pub(crate) place: u32,
    pub(crate) cost: u64,
    pub(crate) rests: Rests,
    /// What the caller knows it by.
    pub(crate) told: u32,
    /// Whether it makes no difference to what closes all.
    pub(crate) idle: bool,
}

/// A duty that is done by doing others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Join {
    pub(crate) makes: Duty,
    pub(crate) first: Duty,
    pub(crate) second: Option<Duty>,
    pub(crate) cost: u64,
    /// Whether it is told before its parts and not after them.
    pub(crate) told_first: bool,
}

/// The duties of a kind of question.
#[derive(Debug)]
pub(crate) struct Scheme {
    /// For each duty, whether it can be done by travelling to where it can be done; otherwise it has to be done
    /// where its join happens.
    pub(crate) travels: &'static [bool],
    pub(crate) joins: &'static [Join],
    /// The duty that answers the question.
    pub(crate) goal: Duty,
}

/// One question about everybody: places, and all that can be done.
#[derive(Debug)]
pub(crate) struct Problem<'a> {
    scheme: &'static Scheme,
    places: usize,
    travels: Vec<Travel>,
    leaves: Vec<Leaf>,
    /// The statements that [`Rests`] point into.
    statements: &'a [StatementId],
    /// Travels by where they lead: the numbers of those to place `n` are `arrivals[starts[n]..starts[n + 1]]`.
    arrivals: Vec<u32>,
    starts: Vec<u32>,
}

/// What makes one derivation better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefer {
    /// The cost of its moves.
    Cost,
    /// How few statements it rests on.
    FewStatements,
}

/// How a fact was derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Not,
    Leaf(u32),
    Travel(u32),
    Join(u32),
}

/// The cheapest derivation of every fact.
#[derive(Debug)]
pub(crate) struct Solution {
    places: usize,
    facts: Vec<(u64, Choice)>,
}

/// A part of a derivation, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A travel, by its number in the problem.
    Travel(u32),
    /// A leaf, by its number in the problem.
    Leaf(u32),
    /// A join, by its number in the scheme, and where it happens.
    Join(u32, u32),
}

/// A sorted set of statements that are taken away.
pub(crate) type Removed = [StatementId];

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl<'a> Problem<'a> {
    /// Puts a question together.
    pub(crate) fn new(
        scheme: &'static Scheme,
        places: usize,
        travels: Vec<Travel>,
        leaves: Vec<Leaf>,
        statements: &'a [StatementId],
    ) -> Self {
        let mut starts = vec![0_u32; places + 1];
        for travel in &travels {
            if let Some(count) = starts.get_mut(index(travel.to) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut arrivals: Vec<u32> = (0..number(travels.len())).collect();
        arrivals.sort_by_key(|at| travels.get(index(*at)).map(|travel| travel.to));
        Self { scheme, places, travels, leaves, statements, arrivals, starts }
    }

    /// A travel by its number.
    pub(crate) fn travel(&self, at: u32) -> Option<&Travel> {
        self.travels.get(index(at))
    }

    /// A leaf by its number.
    pub(crate) fn leaf(&self, at: u32) -> Option<&Leaf> {
        self.leaves.get(index(at))
    }

    /// The statements of a move.
    pub(crate) fn rests(&self, rests: Rests) -> &'a [StatementId] {
        let start = index(rests.start);
        self.statements.get(start..start + index(rests.length)).unwrap_or_default()
    }

    fn arriving(&self, place: u32) -> &[u32] {
        let bound = |at: usize| self.starts.get(at).copied().map_or(0, index);
        self.arrivals.get(bound(index(place))..bound(index(place) + 1)).unwrap_or_default()
    }

    /// Travels that are not idle by where they start, for [`Problem::restricted`].
    pub(crate) fn departures(&self) -> Vec<(u32, u32)> {
        let travels = self.travels.iter().zip(0..).filter(|(travel, _)| !travel.idle);
        let mut departures: Vec<(u32, u32)> = travels.map(|(travel, at)| (travel.from, at)).collect();
        departures.sort_unstable();
        departures
    }

    /// What closes all is asked of the same question from one place, which becomes place 0, without the idle moves, given
    /// [`Problem::departures`].
    pub(crate) fn restricted(&self, origin: u32, departures: &[(u32, u32)]) -> Problem<'a> {
        let mut places = vec![origin];
        let mut travels: Vec<Travel> = Vec::new();
        let mut known: Vec<u32> = vec![u32::MAX; self.places];
        if let Some(first) = known.get_mut(index(origin)) {
            *first = 0;
        }
        let mut next = 0;
        while let Some(&place) = places.get(next) {
            let start = departures.partition_point(|(from, _)| *from < place);
            let leaving = departures.get(start..).unwrap_or_default();
            for (_, at) in leaving.iter().take_while(|(from, _)| *from == place) {
                let Some(travel) = self.travel(*at) else { continue };
                let Some(to) = known.get_mut(index(travel.to)) else { continue };
                if *to == u32::MAX {
                    places.push(travel.to);
                    *to = number(places.len() - 1);
                }
                travels.push(Travel { from: number(next), to: *to, ..*travel });
            }
            next += 1;
        }
        let leaves = self
            .leaves
            .iter()
            .filter(|leaf| !leaf.idle)
            .filter_map(|leaf| {
                let place = known.get(index(leaf.place)).copied().filter(|place| *place != u32::MAX)?;
                Some(Leaf { place, ..*leaf })
            })
            .collect();
        Problem::new(self.scheme, places.len(), travels, leaves, self.statements)
    }

    /// The same question without the moves that the caller knows by some numbers.
    pub(crate) fn without(&self, out: impl Fn(u32) -> bool) -> Problem<'a> {
        let travels = self.travels.iter().filter(|travel| !out(travel.told)).copied().collect();
        let leaves = self.leaves.iter().filter(|leaf| !out(leaf.told)).copied().collect();
        Problem::new(self.scheme, self.places, travels, leaves, self.statements)
    }

    /// The cheapest derivation of every fact that rests on none of the removed statements; with `until`, as far as is
    /// needed to know whether the goal can be reached from that place.
    pub(crate) fn solve(&self, removed: &Removed, prefer: Prefer, until: Option<u32>) -> Solution {
        let mut search = Search {
            solution: Solution {
                places: self.places,
                facts: vec![(u64::MAX, Choice::Not); self.places * self.scheme.travels.len()],
            },
            settled: vec![false; self.places * self.scheme.travels.len()],
            waiting: BinaryHeap::new(),
        };
        let usable = |rests: Rests| {
            removed.is_empty() || self.rests(rests).iter().all(|id| removed.binary_search(id).is_err())
        };
        let weigh = |cost: u64, rests: Rests| match prefer {
            Prefer::Cost => cost,
            Prefer::FewStatements => u64::from(rests.length),
        };
        for (leaf, at) in self.leaves.iter().zip(0..) {
            if usable(leaf.rests) {
                search.offer(leaf.duty, leaf.place, weigh(leaf.cost, leaf.rests), Choice::Leaf(at));
            }
        }
        while let Some(Reverse((cost, fact))) = search.waiting.pop() {
            let Some(settled) = search.settled.get_mut(fact) else { continue };
            if std::mem::replace(settled, true) {
                continue;
            }
            let (duty, place) = (fact / self.places.max(1), fact % self.places.max(1));
            let (Ok(duty), place) = (Duty::try_from(duty), number(place)) else { continue };
            if duty == self.scheme.goal && until == Some(place) {
                break;
            }
            if self.scheme.travels.get(usize::from(duty)) == Some(&true) {
                for &at in self.arriving(place) {
                    let Some(travel) = self.travel(at) else { continue };
                    if usable(travel.rests) {
                        let through = cost.saturating_add(weigh(travel.cost, travel.rests));
                        search.offer(duty, travel.from, through, Choice::Travel(at));
                    }
                }
            }
            for (join, at) in self.scheme.joins.iter().zip(0..) {
                let other = match join.second {
                    None if join.first == duty => Some(0),
                    Some(second) if join.first == duty => search.settled_cost(second, place),
                    Some(second) if second == duty => search.settled_cost(join.first, place),
                    _ => None,
                };
                if let Some(other) = other {
                    let own = if prefer == Prefer::Cost { join.cost } else { 0 };
                    let total = cost.saturating_add(other).saturating_add(own);
                    search.offer(join.makes, place, total, Choice::Join(at));
                }
            }
        }
        search.solution
    }

    /// The derivation of the goal from a place, in order; none when there is none.
    pub(crate) fn pieces(&self, solution: &Solution, origin: u32) -> Option<Vec<Piece>> {
        solution.cost(self.scheme.goal, origin)?;
        let mut pieces = Vec::new();
        let mut waiting = vec![Todo::Derive(self.scheme.goal, origin)];
        while let Some(todo) = waiting.pop() {
            let (duty, place) = match todo {
                Todo::Tell(piece) => {
                    pieces.push(piece);
                    continue;
                }
                Todo::Derive(duty, place) => (duty, place),
            };
            match solution.choice(duty, place) {
                Choice::Not => return None,
                Choice::Leaf(at) => pieces.push(Piece::Leaf(at)),
                Choice::Travel(at) => {
                    pieces.push(Piece::Travel(at));
                    waiting.push(Todo::Derive(duty, self.travel(at)?.to));
                }
                Choice::Join(at) => {
                    let join = self.scheme.joins.get(index(at))?;
                    let piece = Piece::Join(at, place);
                    if join.told_first {
                        pieces.push(piece);
                    } else {
                        waiting.push(Todo::Tell(piece));
                    }
                    waiting.extend(join.second.map(|second| Todo::Derive(second, place)));
                    waiting.push(Todo::Derive(join.first, place));
                }
            }
        }
        Some(pieces)
    }

    /// The statements that a derivation rests on, sorted.
    pub(crate) fn statements(&self, pieces: &[Piece]) -> Vec<StatementId> {
        let mut statements: Vec<StatementId> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Travel(at) => Some(self.travel(*at)?.rests),
                Piece::Leaf(at) => Some(self.leaf(*at)?.rests),
                Piece::Join(..) => None,
            })
            .flat_map(|rests| self.rests(rests).iter().copied())
            .collect();
        statements.sort_unstable();
        statements.dedup();
        statements
    }
}

enum Todo {
    Derive(Duty, u32),
    Tell(Piece),
}

struct Search {
    solution: Solution,
    settled: Vec<bool>,
    waiting: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Search {
    fn offer(&mut self, duty: Duty, place: u32, cost: u64, choice: Choice) {
        let fact = self.solution.fact(duty, place);
        if self.settled.get(fact) != Some(&false) {
            return;
        }
        if let Some(known) = self.solution.facts.get_mut(fact).filter(|known| cost < known.0) {
            *known = (cost, choice);
            self.waiting.push(Reverse((cost, fact)));
        }
    }

    fn settled_cost(&self, duty: Duty, place: u32) -> Option<u64> {
        let fact = self.solution.fact(duty, place);
        self.settled.get(fact).filter(|settled| **settled)?;
        self.solution.facts.get(fact).map(|(cost, _)| *cost)
    }
}

impl Solution {
    fn fact(&self, duty: Duty, place: u32) -> usize {
        usize::from(duty) * self.places + index(place)
    }

    fn choice(&self, duty: Duty, place: u32) -> Choice {
        self.facts.get(self.fact(duty, place)).map_or(Choice::Not, |(_, choice)| *choice)
    }

    /// What a duty costs from a place; none when it cannot be done.
    pub(crate) fn cost(&self, duty: Duty, place: u32) -> Option<u64> {
        let (cost, choice) = self.facts.get(self.fact(duty, place))?;
        (*choice != Choice::Not).then_some(*cost)
    }
}
