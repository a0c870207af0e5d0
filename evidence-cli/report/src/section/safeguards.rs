//! What could be lost without a permission that is called a deletion, and guards that protect nothing.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Access, Damage, Decision, Destruction};
use cadastre_model::asset::StatementRef;
use cadastre_model::graph::{BoundaryGraph, Side};
use serde::Serialize;

use crate::citations::{Citations, Proof};
use crate::words::{self, Certainty};

/// How many ways, and how many guards, are listed one by one.
const LISTED: usize = 100;
/// How many targets one way names.
const TARGETS: usize = 12;

/// The section.
#[derive(Debug, Serialize)]
pub(crate) struct Safeguards {
    /// Ways that are not called a deletion, those of other sides first.
    ways: Vec<Way>,
    more_ways: usize,
    /// How many ways there are that are called a deletion: an action on a target, by somebody.
    deletions: usize,
    guards: Vec<Guard>,
    more_guards: usize,
}

/// One action with one reason, over all targets that it damages.
#[derive(Debug, Serialize)]
struct Way {
    principal: String,
    side: &'static str,
    damage: &'static str,
    action: String,
    targets: Vec<String>,
    more_targets: usize,
    certainty: Certainty,
    proofs: Vec<Proof>,
}

/// A guard that protects nothing.
#[derive(Debug, Serialize)]
struct Guard {
    subject: String,
    defect: &'static str,
    told: String,
    proofs: Vec<Proof>,
}

/// What ways that are told together have in common.
type Common<'a> = (Nearness, &'a str, Damage, &'a str, &'a Decision, &'a [StatementRef]);

/// Who is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    Vendor,
    Outside,
    Provider,
    Customer,
}

impl Nearness {
    const fn of(side: Side) -> Self {
        match side {
            Side::Vendor => Self::Vendor,
            Side::Outside => Self::Outside,
            Side::Provider => Self::Provider,
            Side::Customer => Self::Customer,
        }
    }

    const fn side(self) -> Side {
        match self {
            Self::Vendor => Side::Vendor,
            Self::Outside => Side::Outside,
            Self::Provider => Side::Provider,
            Self::Customer => Side::Customer,
        }
    }
}

/// Builds the section from what policies permit.
pub(crate) fn build(access: &Access, graph: &BoundaryGraph, citations: &mut Citations) -> Safeguards {
    let sides: BTreeMap<&str, Side> =
        graph.principals.iter().map(|view| (view.id.as_str(), view.side)).collect();
    let possible = || access.destruction.iter().filter(|found| found.decision.possible());
    let mut ways: BTreeMap<Common<'_>, BTreeSet<&str>> = BTreeMap::new();
    for found in possible().filter(|found| found.disguised) {
        // Whoever the graph does not know is nobody of the customer's.
        let side = sides.get(found.principal.as_str()).copied().unwrap_or(Side::Outside);
        ways.entry(common(found, side)).or_default().insert(&found.target);
    }
    let more_ways = ways.len().saturating_sub(LISTED);
    let ways = ways
        .into_iter()
        .take(LISTED)
        .map(|((nearness, principal, damage, action, decision, statements), targets)| Way {
            principal: principal.to_owned(),
            side: words::side(nearness.side()),
            damage: words::damage(damage),
            action: action.to_owned(),
            more_targets: targets.len().saturating_sub(TARGETS),
            targets: targets.into_iter().take(TARGETS).map(str::to_owned).collect(),
            certainty: Certainty::of(decision),
            proofs: citations.statements(statements),
        })
        .collect();
    let guards = access.guards.iter().take(LISTED).map(|guard| Guard {
        subject: guard.subject.clone(),
        defect: words::defect(guard.defect),
        told: guard.told.clone(),
        proofs: citations.statements(&guard.statements),
    });
    Safeguards {
        ways,
        more_ways,
        deletions: possible().filter(|found| !found.disguised).count(),
        guards: guards.collect(),
        more_guards: access.guards.len().saturating_sub(LISTED),
    }
}

fn common(found: &Destruction, side: Side) -> Common<'_> {
    let Destruction { principal, damage, action, decision, statements, .. } = found;
    (Nearness::of(side), principal, *damage, action, decision, statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    use cadastre_model::access::{DeadGuard, GuardDefect};
    use cadastre_model::graph::PrincipalView;

    fn found(principal: &str, action: &str, target: &str, disguised: bool) -> Destruction {
        Destruction {
            principal: principal.to_owned(),
            damage: Damage::Destroy,
            target: target.to_owned(),
            action: action.to_owned(),
            disguised,
            decision: Decision::Allow,
            statements: Vec::new(),
        }
    }

    fn graph() -> BoundaryGraph {
        let view = |id: &str, side| PrincipalView {
            id: id.to_owned(),
            side,
            account: None,
            vendor: None,
            jobs: Vec::new(),
            assumable_by: Vec::new(),
            evidence: BTreeSet::new(),
        };
        let principals = vec![view("a-customer", Side::Customer), view("z-vendor", Side::Vendor)];
        BoundaryGraph { principals, ..BoundaryGraph::default() }
    }

    fn told(destruction: Vec<Destruction>) -> Safeguards {
        build(&Access { destruction, ..Access::default() }, &graph(), &mut Citations::default())
    }

    #[test]
    fn vendors_come_first_and_targets_of_one_way_are_told_together() {
        let section = told(vec![
            found("a-customer", "s3:PutLifecycleConfiguration", "one", true),
            found("a-customer", "s3:PutLifecycleConfiguration", "two", true),
            found("stranger", "s3:PutLifecycleConfiguration", "one", true),
            found("z-vendor", "kms:ScheduleKeyDeletion", "key", true),
        ]);
        let ways: Vec<(&str, &str, usize)> =
            section.ways.iter().map(|way| (way.principal.as_str(), way.side, way.targets.len())).collect();
        let expected = [
            ("z-vendor", words::side(Side::Vendor), 1),
            ("stranger", words::side(Side::Outside), 1),
            ("a-customer", words::side(Side::Customer), 2),
        ];
        assert_eq!(ways, expected);
    }

    #[test]
    fn what_is_called_a_deletion_is_counted_and_what_is_denied_is_not() {
        let mut denied = found("z-vendor", "s3:DeleteBucket", "one", false);
        denied.decision = Decision::Deny;
        let section = told(vec![found("z-vendor", "s3:DeleteObject", "one", false), denied]);
        assert_eq!((section.ways.len(), section.deletions), (0, 1));
    }

    #[test]
    fn long_lists_are_cut_and_say_by_how_much() {
        let many = |number: usize| (0..number).map(|n| format!("{n:03}"));
        let destruction = many(LISTED + 3).map(|n| found(&n, "s3:PutLifecycleConfiguration", "one", true));
        let guard = |subject| DeadGuard {
            subject,
            defect: GuardDefect::Removable,
            told: String::new(),
            statements: Vec::new(),
        };
        let guards = many(LISTED + 2).map(guard).collect();
        let access = Access { destruction: destruction.collect(), guards, ..Access::default() };
        let section = build(&access, &graph(), &mut Citations::default());
        assert_eq!((section.ways.len(), section.more_ways), (LISTED, 3));
        assert_eq!((section.guards.len(), section.more_guards), (LISTED, 2));
        let targets = many(TARGETS + 1).map(|n| found("x", "s3:PutLifecycleConfiguration", &n, true));
        let section = told(targets.collect());
        assert_eq!(section.ways.iter().map(|way| way.more_targets).collect::<Vec<_>>(), [1]);
    }
}
