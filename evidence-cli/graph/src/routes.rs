//! Everybody, numbered, and how they become each other.
//!
//! A hop is one way of becoming somebody: trust, credentials, a role passed, a trust policy rewritten, a host whose
//! role one takes over. Costs are additive: a certain step costs one, a conditional one as much as a thousand, one on
//! missing evidence as much as a million, so that the derivation shown is the most certain and then the shortest.

use std::collections::{BTreeMap, HashMap};

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::inventory::Inventory;
use foldhash::fast::RandomState;
use rayon::prelude::*;

use crate::derivation::{Rests, StatementId};
use crate::scope::instance_id;
use crate::sides::{Sides, account, is_kafka};

/// The number of somebody.
pub(crate) type PersonId = u32;

/// The number of an edge.
pub(crate) type EdgeId = u32;

/// A way from one identity to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop {
    pub(crate) from: PersonId,
    pub(crate) to: PersonId,
    pub(crate) cost: u64,
    /// The edge it rests on; none for what is only shared: somebody whose own policies were not read has whatever its
    /// account or anybody has.
    pub(crate) edge: Option<EdgeId>,
    /// Whether another hop between the two rests on no more than some of its statements: whatever closes that one closes
    /// this one, so that it makes no difference to what closes all.
    pub(crate) idle: bool,
}

/// Everybody and how they become each other.
#[derive(Debug)]
pub(crate) struct Routes<'a> {
    pub(crate) names: Vec<&'a str>,
    numbers: HashMap<&'a str, PersonId, RandomState>,
    edges: &'a [CapabilityEdge],
    /// Edges by target, sorted by target.
    on: Vec<(&'a str, EdgeId)>,
    by_number: Vec<&'a StatementRef>,
    statements: Vec<StatementId>,
    rests: Vec<Rests>,
    /// Sorted by where they lead.
    hops: Vec<Hop>,
    /// Those to person `n` are `hops[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
    /// For somebody whose edges others share: those others.
    sharers: BTreeMap<PersonId, Vec<PersonId>>,
    /// The role of each host.
    roles: BTreeMap<String, &'a str>,
}

pub(crate) const fn cost_of(decision: &Decision) -> u64 {
    match decision {
        Decision::Allow => 1,
        Decision::Conditional(_) => 1_000,
        Decision::Unknown(_) | Decision::Deny => 1_000_000,
    }
}

/// Whether an edit gives its author whatever it likes to a store or key.
pub(crate) fn opens(edge: &CapabilityEdge) -> bool {
    match edge.capability {
        Capability::ChangePolicy => edge.action == "s3:PutBucketPolicy",
        Capability::ManageKey => matches!(edge.action.as_str(), "kms:PutKeyPolicy" | "kms:CreateGrant"),
        _ => false,
    }
}

/// Whether an edge says that its principal, having changed a policy or a tag first, has a capability over the target.
pub(crate) fn enables(edge: &CapabilityEdge, capability: Capability) -> bool {
    match &edge.enables {
        Some(enabled) => enabled.capability == capability,
        None => {
            edge.capability == Capability::ChangePolicy
                && edge.action.starts_with("iam:")
                && matches!(
                    capability,
                    Capability::ReadObjects | Capability::Decrypt | Capability::OperateHost
                )
        }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

impl<'a> Routes<'a> {
    /// Numbers everybody in the edges and finds the hops between them.
    pub(crate) fn new(inventory: &'a Inventory, access: &'a Access, sides: &Sides<'_>) -> Self {
        let edges = &access.edges;
        let roles: BTreeMap<String, &str> = inventory
            .instances
            .iter()
            .filter_map(|instance| Some((instance_id(instance), instance.role.observed()?.as_str())))
            .collect();
        let mut names: Vec<&str> = Vec::new();
        // Edges are sorted by principal, so this is short.
        for edge in edges {
            if names.last() != Some(&edge.principal.as_str()) {
                names.push(&edge.principal);
            }
        }
        names.extend(
            edges.iter().filter(|edge| edge.capability == Capability::Assume).map(|edge| &*edge.target),
        );
        names.extend(roles.values());
        names.sort_unstable();
        names.dedup();
        let numbers: HashMap<&str, PersonId, RandomState> =
            names.iter().zip(0..).map(|(name, number)| (*name, number)).collect();
        let (on, (by_number, statements, rests)) =
            rayon::join(|| by_target(edges), || number_statements(edges));
        let mut routes = Self {
            sharers: sharers(&names, &numbers, sides),
            names,
            numbers,
            edges,
            on,
            by_number,
            statements,
            rests,
            hops: Vec::new(),
            starts: Vec::new(),
            roles,
        };
        routes.find_hops();
        routes
    }

    /// Somebody's number.
    pub(crate) fn number(&self, name: &str) -> Option<PersonId> {
        self.numbers.get(name).copied()
    }

    /// Somebody's name.
    pub(crate) fn name(&self, number: PersonId) -> &'a str {
        at(&self.names, number).copied().unwrap_or_default()
    }

    /// An edge by its number.
    pub(crate) fn edge(&self, number: EdgeId) -> Option<&'a CapabilityEdge> {
        at(self.edges, number)
    }

    /// The statement with a number.
    pub(crate) fn statement(&self, number: StatementId) -> Option<&'a StatementRef> {
        at(&self.by_number, number).copied()
    }

    /// Where the statements of an edge stand in [`Routes::statements`].
    pub(crate) fn rests(&self, edge: EdgeId) -> Rests {
        at(&self.rests, edge).copied().unwrap_or_default()
    }

    /// The statements that [`Rests`] point into.
    pub(crate) fn statements(&self) -> &[StatementId] {
        &self.statements
    }

    /// The edges on a target.
    pub(crate) fn on(&self, target: &str) -> impl Iterator<Item = (EdgeId, &'a CapabilityEdge)> {
        let start = self.on.partition_point(|(known, _)| *known < target);
        let from = self.on.get(start..).unwrap_or_default();
        let length = from.partition_point(|(known, _)| *known == target);
        from.iter().take(length).filter_map(|(_, number)| Some((*number, self.edge(*number)?)))
    }

    /// The hops that lead to somebody.
    pub(crate) fn hops_to(&self, to: PersonId) -> &[Hop] {
        let bound = |person: PersonId| {
            usize::try_from(person)
                .ok()
                .and_then(|at| self.starts.get(at))
                .and_then(|at| usize::try_from(*at).ok())
        };
        match (bound(to), bound(to.saturating_add(1))) {
            (Some(start), Some(end)) => self.hops.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Those who share somebody's edges.
    pub(crate) fn sharers(&self, number: PersonId) -> &[PersonId] {
        self.sharers.get(&number).map_or(&[], Vec::as_slice)
    }

    /// The role that runs on a host.
    pub(crate) fn role_of(&self, host: &str) -> Option<&'a str> {
        self.roles.get(host).copied()
    }

    fn find_hops(&mut self) {
        let mut hops = Vec::new();
        // Edges are sorted by principal.
        let mut last: (&str, Option<PersonId>) = ("", None);
        for (edge, number) in self.edges.iter().zip(0..) {
            // A service assumes roles on behalf of the account it serves; that is no way in for anybody.
            if edge.principal.starts_with("service:") {
                continue;
            }
            let cost = cost_of(&edge.decision);
            let (to, cost) = match edge.capability {
                Capability::Assume => (Some(edge.target.as_str()), cost),
                Capability::ChangePolicy if edge.action == "iam:UpdateAssumeRolePolicy" => {
                    (Some(edge.target.as_str()), cost + 1)
                }
                Capability::OperateHost => (self.role_of(&edge.target), cost + 1),
                // Having changed a policy it operates the host, and then takes its role.
                _ if enables(edge, Capability::OperateHost) => (self.role_of(&edge.target), cost + 2),
                _ => continue,
            };
            if last.0 != edge.principal {
                last = (&edge.principal, self.number(&edge.principal));
            }
            let (Some(from), Some(to)) = (last.1, to.and_then(|to| self.number(to))) else {
                continue;
            };
            if from != to {
                hops.push(Hop { from, to, cost, edge: Some(number), idle: false });
            }
        }
        for (shared, sharers) in &self.sharers {
            let shared = |from: &PersonId| Hop { from: *from, to: *shared, cost: 0, edge: None, idle: false };
            hops.extend(sharers.iter().map(shared));
        }
        hops.par_sort_unstable_by_key(|hop| (hop.to, hop.from, hop.cost, hop.edge));
        hops.par_chunk_by_mut(|a, b| (a.to, a.from) == (b.to, b.from)).for_each(|hops| {
            let rests: Vec<Resting<'_>> = hops
                .iter()
                .map(|hop| match hop.edge {
                    Some(edge) => self.resting(edge),
                    None => Resting { statements: &[], summary: false },
                })
                .collect();
            for (hop, idle) in hops.iter_mut().zip(idle(&rests)) {
                hop.idle = idle;
            }
        });
        let mut counts = vec![0_u32; self.names.len() + 1];
        for hop in &hops {
            if let Some(count) = usize::try_from(hop.to).ok().and_then(|to| counts.get_mut(to + 1)) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        self.starts = counts;
        self.hops = hops;
    }

    /// What an edge rests on, and whether it stands for several.
    pub(crate) fn resting(&self, edge: EdgeId) -> Resting<'_> {
        let rests = self.rests(edge);
        let bounds = usize::try_from(rests.start).ok().zip(usize::try_from(rests.length).ok());
        let statements = bounds.and_then(|(start, length)| self.statements.get(start..start + length));
        Resting {
            statements: statements.unwrap_or_default(),
            summary: self.edge(edge).is_some_and(|edge| edge.summary),
        }
    }
}

/// What a move rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resting<'a> {
    pub(crate) statements: &'a [StatementId],
    /// Whether it stands for several moves.
    pub(crate) summary: bool,
}

/// Which of the moves that lead from one fact to another make no difference to what closes all: those that rest on more
/// than another one does, and of those that rest on the same all but the first. A move that stands for several is
/// compared with its like only.
pub(crate) fn idle(moves: &[Resting<'_>]) -> Vec<bool> {
    let mut out = vec![false; moves.len()];
    for ((place, one), out) in moves.iter().enumerate().zip(&mut out) {
        *out = moves.iter().enumerate().any(|(other_place, other)| {
            let fewer = other.statements.len() < one.statements.len();
            let before = other.statements.len() == one.statements.len() && other_place < place;
            other.summary == one.summary
                && (fewer || before)
                && other.statements.iter().all(|statement| one.statements.contains(statement))
        });
    }
    out
}

/// Every edge by its target, sorted.
fn by_target(edges: &[CapabilityEdge]) -> Vec<(&str, EdgeId)> {
    let mut on: Vec<(&str, EdgeId)> =
        edges.iter().zip(0..).map(|(edge, number)| (&*edge.target, number)).collect();
    on.par_sort_unstable();
    on
}

/// Numbers statements by how few rest on them: of two cuts of one size, the one that disturbs fewest others is found
/// first. Gives the statements by number, and for each edge where its own stand in one long list.
fn number_statements(edges: &[CapabilityEdge]) -> (Vec<&StatementRef>, Vec<StatementId>, Vec<Rests>) {
    // Numbered as they come, with the last principal seen and how many different ones there were.
    let mut seen: HashMap<&StatementRef, u32, RandomState> = HashMap::default();
    // Most statements of one text are one and the same text, so that its place in memory tells it.
    let mut placed: HashMap<(*const u8, *const u8), u32, RandomState> = HashMap::default();
    let mut met: Vec<(&StatementRef, usize, &str)> = Vec::new();
    let mut statements: Vec<StatementId> = Vec::new();
    let mut rests = Vec::with_capacity(edges.len());
    for edge in edges {
        let start = number(statements.len());
        for statement in &edge.statements {
            let place = (statement.policy.as_ptr(), statement.pointer.as_ptr());
            let known = placed
                .get(&place)
                .copied()
                .filter(|id| at(&met, *id).is_some_and(|(one, ..)| one.record == statement.record));
            let id = known.unwrap_or_else(|| {
                let id = *seen.entry(statement).or_insert_with(|| {
                    met.push((statement, 0, ""));
                    number(met.len() - 1)
                });
                placed.insert(place, id);
                id
            });
            if let Some((_, users, last)) = usize::try_from(id).ok().and_then(|id| met.get_mut(id))
                && *last != edge.principal
            {
                *users += 1;
                *last = &edge.principal;
            }
            statements.push(id);
        }
        rests.push(Rests { start, length: number(statements.len()) - start });
    }
    let mut ranked: Vec<(usize, &StatementRef, u32)> =
        met.iter().zip(0..).map(|((statement, users, _), id)| (*users, *statement, id)).collect();
    ranked.sort_unstable();
    let mut ranks = vec![0; ranked.len()];
    for ((_, _, id), rank) in ranked.iter().zip(0..) {
        if let Some(slot) = usize::try_from(*id).ok().and_then(|id| ranks.get_mut(id)) {
            *slot = rank;
        }
    }
    for id in &mut statements {
        *id = at(&ranks, *id).copied().unwrap_or_default();
    }
    (ranked.into_iter().map(|(_, statement, _)| statement).collect(), statements, rests)
}

/// Who shares whose edges: somebody whose account's own policies were not read has those of the account, which may
/// hand on whatever it has, and those of anybody. What anybody may is already among the edges of principals whose
/// policies were read.
fn sharers(
    names: &[&str],
    numbers: &HashMap<&str, PersonId, RandomState>,
    sides: &Sides<'_>,
) -> BTreeMap<PersonId, Vec<PersonId>> {
    let mut sharers: BTreeMap<PersonId, Vec<PersonId>> = BTreeMap::new();
    for (name, number) in names.iter().zip(0..) {
        if is_kafka(name) || name.starts_with("service:") {
            continue;
        }
        let account = account(name);
        let observed = account.is_some_and(|account| sides.observes(account));
        if observed && !name.starts_with("federated:") {
            continue;
        }
        let of_account = account
            .filter(|_| name.starts_with("arn:"))
            .and_then(|account| numbers.get(format!("account:{account}").as_str()));
        let of_anybody = numbers.get("*").filter(|_| *name != "*");
        for shared in of_account.into_iter().chain(of_anybody) {
            sharers.entry(*shared).or_default().push(number);
        }
    }
    sharers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(moves: &[(&[StatementId], bool)], expected: &[bool]) {
        let moves: Vec<Resting<'_>> =
            moves.iter().map(|(statements, summary)| Resting { statements, summary: *summary }).collect();
        assert_eq!(idle(&moves), expected);
    }

    #[test]
    fn a_move_that_rests_on_more_than_its_like_makes_no_difference() {
        check(&[(&[1, 2], false), (&[1], false), (&[3], false)], &[true, false, false]);
        check(&[(&[1], false), (&[], false)], &[true, false]);
        check(&[(&[1, 2], false), (&[2, 3], false)], &[false, false]);
    }

    #[test]
    fn of_moves_that_rest_on_the_same_the_first_is_kept() {
        check(&[(&[1], false), (&[1], false), (&[1], false)], &[false, true, true]);
    }

    #[test]
    fn a_move_that_stands_for_several_spares_none_that_stands_for_itself() {
        check(&[(&[1], true), (&[1, 2], false)], &[false, false]);
        check(&[(&[1, 2], true), (&[1], false)], &[false, false]);
    }
}
