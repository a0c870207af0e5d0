//! Plaintext paths: for every principal and every store or topic, the cheapest derivation and what closes all.

use std::collections::BTreeSet;

use cadastre_model::access::{Access, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::graph::PlaintextPath;
use cadastre_model::inventory::Inventory;

use crate::cut;
use crate::scope::Scope;
use crate::search::{Map, goals, origins};
use crate::sides::Sides;

/// Every path, sorted by principal and target.
pub(crate) fn all(
    inventory: &Inventory,
    access: &Access,
    scope: &Scope,
    sides: &Sides<'_>,
) -> Vec<PlaintextPath> {
    let map = Map::new(inventory, access, sides);
    let mut paths = Vec::new();
    for (target, goal, evidence) in goals(&map, scope) {
        for origin in origins(&map, &goal) {
            let Some(witness) = map.search(origin, &goal, &BTreeSet::new()) else { continue };
            let Some(principal) = map.names.get(origin) else { continue };
            let cut = cut::find(&map, origin, &goal, &witness);
            let mut records: EvidenceIds = evidence.clone();
            records.extend(
                witness
                    .steps
                    .iter()
                    .flat_map(|step| &step.statements)
                    .map(|statement| statement.record.clone()),
            );
            let decisions = witness.steps.iter().map(|step| step.decision.clone());
            paths.push(PlaintextPath {
                principal: (*principal).to_owned(),
                side: sides.of(principal),
                target: target.to_owned(),
                decision: decisions.fold(Decision::Allow, Decision::and),
                steps: witness.steps,
                cut: cut.statements.iter().filter_map(|id| map.statement(*id).cloned()).collect(),
                cut_is_minimal: cut.minimal,
                evidence: records,
            });
        }
    }
    paths.sort_by(|a, b| (&a.principal, &a.target).cmp(&(&b.principal, &b.target)));
    paths
}
