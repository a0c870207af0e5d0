//! The permission matrix: principal × target × capability with its decision, over all derivations.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, Decision};
use cadastre_model::graph::Side;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::reasoner::Reasoner;

/// Who may do what to everything data-bearing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Matrix {
    /// Every target that anybody has a capability over, sorted.
    pub targets: Vec<String>,
    /// One row a principal, sorted.
    pub rows: Vec<MatrixRow>,
}

/// What one principal may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixRow {
    /// Who.
    pub principal: String,
    /// On which side.
    pub side: Side,
    /// Sorted by target, then capability. What is not listed is a no, except for a target in [`Access::unknown`].
    ///
    /// [`Access::unknown`]: cadastre_model::access::Access::unknown
    pub cells: Vec<MatrixCell>,
}

/// One capability over one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// Over what.
    pub target: String,
    /// May do what.
    pub capability: Capability,
    /// How certainly, by its best way.
    #[serde(flatten)]
    pub decision: Decision,
    /// How many steps that way has; with one the principal holds the capability itself.
    pub steps: usize,
}

impl Reasoner<'_> {
    /// The matrix over stores, keys, hosts, logs, topics and clusters of the boundary.
    #[must_use]
    pub fn matrix(&self) -> Matrix {
        let scope = &self.scope;
        let targets: BTreeSet<&str> = scope
            .records
            .keys()
            .chain(&scope.stores)
            .chain(&scope.keys)
            .chain(&scope.hosts)
            .chain(&scope.logs)
            .chain(scope.topics.keys())
            .chain(&scope.clusters)
            .map(String::as_str)
            .collect();
        let targets: Vec<&str> = targets.into_iter().collect();
        let cells: Vec<Vec<(String, MatrixCell)>> =
            targets.par_iter().map(|target| self.column(target)).collect();
        let mut rows: BTreeMap<String, Vec<MatrixCell>> = BTreeMap::new();
        for (principal, cell) in cells.into_iter().flatten() {
            rows.entry(principal).or_default().push(cell);
        }
        let held: BTreeSet<&str> = rows.values().flatten().map(|cell| cell.target.as_str()).collect();
        Matrix {
            targets: held.into_iter().map(str::to_owned).collect(),
            rows: rows
                .into_iter()
                .map(|(principal, cells)| MatrixRow { side: self.sides.of(&principal), principal, cells })
                .collect(),
        }
    }

    fn column(&self, target: &str) -> Vec<(String, MatrixCell)> {
        let mut cells = Vec::new();
        for capability in Capability::ALL.into_iter().filter(|capability| *capability != Capability::Reach) {
            // Only what is declared to hold records has any to read.
            let holds = self.scope.records.contains_key(target) || self.scope.topics.contains_key(target);
            if capability == Capability::ReadRecords && !holds {
                continue;
            }
            for way in self.ways(capability, target, |_, ways| ways) {
                let cell = MatrixCell {
                    target: target.to_owned(),
                    capability,
                    decision: way.decision,
                    steps: way.steps.len(),
                };
                cells.push((way.principal, cell));
            }
        }
        cells
    }
}
