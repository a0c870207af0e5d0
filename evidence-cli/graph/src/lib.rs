//! The boundary graph: build, derive plaintext paths, compare, diff.
//!
//! Pure: typed assets, access decisions, reachability and the declaration in, [`BoundaryGraph`] out. The same
//! input gives the same graph, byte for byte.
//!
//! [`BoundaryGraph`]: cadastre_model::graph::BoundaryGraph

mod azure;
#[cfg(test)]
mod brute_force;
mod cut;
mod derivation;
mod diff;
mod dot;
mod edges;
mod every_way;
mod explain;
mod goals;
mod hitting;
mod matrix;
mod nodes;
mod paths;
mod principals;
mod reasoner;
mod routes;
mod scope;
mod sides;
mod usage;
mod who_can;

use cadastre_model::access::Access;
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;

pub use diff::{Drift, DriftKind, DriftReport, SCHEMA as DRIFT_SCHEMA, Severity, diff};
pub use dot::dot;
pub use every_way::{EveryWay, OneWay, WayStep};
pub use explain::{ExplainError, Explanation, SCHEMA as EXPLANATION_SCHEMA, ToldStep};
pub use matrix::{Matrix, MatrixCell, MatrixRow};
pub use reasoner::Reasoner;
pub use usage::granted_versus_used;
pub use who_can::{PrincipalAnswer, WhoCan};

/// Builds the graph: nodes in zones, edges in three layers, and every plaintext path with its cut.
#[must_use]
pub fn build(
    inventory: &Inventory,
    access: &Access,
    reachability: &Reachability,
    declaration: &Declaration,
) -> BoundaryGraph {
    Reasoner::new(inventory, access, declaration).graph(reachability)
}
