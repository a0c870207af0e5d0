//! Plaintext paths: for every principal and every store or topic, the cheapest derivation and what closes all.

use std::collections::BTreeSet;

use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::graph::PlaintextPath;
use rayon::prelude::*;

use crate::goals::Goal;
use crate::routes::Routes;
use crate::scope::Scope;
use crate::sides::Sides;

/// Every path, sorted by principal and target.
pub(crate) fn all(routes: &Routes<'_>, scope: &Scope, sides: &Sides<'_>) -> Vec<PlaintextPath> {
    let stores = scope.records.iter().map(|(id, store)| (id.as_str(), Some(store), &store.evidence));
    let topics = scope.topics.iter().map(|(id, evidence)| (id.as_str(), None, evidence));
    let targets: Vec<_> = stores.chain(topics).collect();
    let mut paths: Vec<PlaintextPath> = targets
        .into_par_iter()
        .flat_map_iter(|(target, store, evidence)| {
            let goal = match store {
                Some(store) => Goal::store(routes, target, store),
                None => Goal::capability(routes, scope, Capability::ReadRecords, target),
            };
            towards(&goal, target, evidence, routes, sides)
        })
        .collect();
    paths.par_sort_by(|a, b| (&a.principal, &a.target).cmp(&(&b.principal, &b.target)));
    paths
}

fn towards(
    goal: &Goal<'_>,
    target: &str,
    evidence: &EvidenceIds,
    routes: &Routes<'_>,
    sides: &Sides<'_>,
) -> Vec<PlaintextPath> {
    let solution = goal.solve();
    let mut paths = Vec::new();
    for &origin in &goal.origins {
        let Some(witness) = goal.tell(&solution, origin) else { continue };
        let principal = routes.name(goal.person(origin));
        let cut = goal.cut(origin);
        let mut records: BTreeSet<_> = evidence.clone();
        let statements = witness.steps.iter().flat_map(|step| &step.statements);
        records.extend(statements.map(|statement| statement.record.clone()));
        let decisions = witness.steps.iter().map(|step| step.decision.clone());
        paths.push(PlaintextPath {
            principal: principal.to_owned(),
            side: sides.of(principal),
            target: target.to_owned(),
            decision: decisions.fold(Decision::Allow, Decision::and),
            steps: witness.steps,
            cut_is_minimal: cut.is_smallest(),
            cut_at_least: cut.at_least,
            cut: cut.statements.iter().filter_map(|id| goal.statement(*id).cloned()).collect(),
            evidence: records,
        });
    }
    paths
}
