//! The boundary graph: build, derive plaintext paths, compare, diff.
//!
//! Pure: typed assets, access decisions, reachability and the declaration in, [`BoundaryGraph`] out. The same
//! input gives the same graph, byte for byte.
//!
//! [`BoundaryGraph`]: cadastre_model::graph::BoundaryGraph

#[cfg(test)]
mod brute_force;
mod cut;
mod derivation;
mod diff;
mod dot;
mod edges;
mod goals;
mod hitting;
mod nodes;
mod paths;
mod principals;
mod routes;
mod scope;
mod sides;
mod who_can;

use cadastre_model::access::Access;
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;

pub use diff::{Drift, DriftKind, DriftReport, SCHEMA as DRIFT_SCHEMA, Severity, diff};
pub use dot::dot;
pub use who_can::{PrincipalAnswer, WhoCan, who_can};

/// Builds the graph: nodes in zones, edges in three layers, and every plaintext path with its cut.
#[must_use]
pub fn build(
    inventory: &Inventory,
    access: &Access,
    reachability: &Reachability,
    declaration: &Declaration,
) -> BoundaryGraph {
    let sides = sides::Sides::new(inventory, access, declaration);
    let scope = scope::Scope::new(inventory, access, declaration);
    let holders = principals::holders(&scope, &sides, access, declaration);
    let routes = routes::Routes::new(inventory, access, &sides);
    let mut graph = BoundaryGraph {
        nodes: Vec::new(),
        edges: edges::all(inventory, access, reachability, declaration, &scope, &holders),
        paths: paths::all(&routes, &scope, &sides),
        principals: principals::views(inventory, access, declaration, &sides, &holders),
    };
    graph.nodes = nodes::all(inventory, declaration, &scope, &sides, &holders, &graph.edges);
    graph
}
