//! The access engine: policies in, capabilities with derivations out.
//!
//! Pure: an inventory and a declaration in, [`Access`] out. AWS decisions follow "Policy evaluation logic" (IAM
//! User Guide) and are four-valued; Kafka decisions follow the stock authorizer. Which action gives which
//! capability is data, `policies/capabilities/`.
//!
//! An edge is one proof: all its statements are needed for it, so taking any one of them away closes it. A
//! principal that may do something for several reasons has several edges.

mod arn;
mod azure;
pub mod batch;
mod bulk;
mod catalogue;
mod choice;
mod compare;
mod condition;
mod consequences;
mod decide;
mod document;
pub mod escalation;
mod exercised;
mod expression;
mod facts;
mod glob;
mod grammar;
mod guards;
mod index;
mod kafka;
mod passing;
mod pattern;
mod reason;
mod remembered;
mod requester;
mod roles;
mod statement_set;
mod statements;
mod tagging;
mod targets;
mod variable;
mod why_not;
mod world;

use std::sync::{Arc, LazyLock};

use cadastre_model::access::{Access, CapabilityEdge};
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;
use rayon::slice::ParallelSliceMut;

pub use exercised::exercised;
pub use why_not::why_not;

/// Evaluates everything the inventory holds: who may do what to which target, and why.
///
/// What cannot be evaluated is listed in [`Access::unknown`]; the edges it bears on are unknown as well.
#[must_use]
pub fn evaluate(inventory: &Inventory, declaration: &Declaration) -> Access {
    let mut access = Access::default();
    let (catalogue, choices) = match built_in() {
        Ok(built_in) => built_in,
        Err(error) => {
            access.unknown.push(("every principal".to_owned(), error));
            return access;
        }
    };
    let mut compiler = world::Compiler::default();
    let world = world::World::new(inventory, catalogue, choices, &mut compiler);
    let index = index::Index::new(&world);
    let targets = targets::all(inventory, declaration, &world, &mut compiler);

    let mut edges = bulk::Edges::default();
    bulk::evaluate(&world, &index, &targets, &mut edges);
    statements::shared(inventory, &mut edges);
    let mut identities = roles::Identities::new(&world, &index);
    identities.assume(&mut edges);
    identities.escalate(&mut edges);
    identities.consequences(&targets, &mut edges);
    tagging::escalate(&world, &index, &targets, &mut edges);
    access.unknown.extend(statements::unknown(inventory, &world, &index, &targets));
    for cluster in &inventory.clusters {
        kafka::evaluate(cluster, inventory, declaration, &mut edges, &mut access.unknown);
    }
    let subject = kafka::links::Subject { inventory, declaration, world: &world, index: &index };
    kafka::links::link(&subject, &mut compiler, &mut edges, &mut access.unknown);
    azure::evaluate(&inventory.azure, &mut edges);
    access.unknown.append(&mut edges.unknown);
    access.edges = edges.all;
    access.edges.par_sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    access.edges.dedup();
    access.destruction = edges.destruction;
    access.destruction.par_sort_unstable();
    access.destruction.dedup();
    let guards = || {
        let mut guards = guards::dead(&world, &targets, &access.edges);
        guards.extend(kafka::guards::dead(inventory, declaration, &world, &access.edges));
        guards.sort_unstable();
        guards.dedup();
        guards
    };
    let said = || (statements::trusts(&world), statements::identity_statements(&world));
    (access.guards, (access.trusts, access.statements)) = rayon::join(guards, said);
    access.unknown.sort_unstable();
    access.unknown.dedup();
    access
}

type BuiltIn = (Arc<catalogue::Catalogue>, Arc<choice::Choices>);

/// What is built in, read once.
fn built_in() -> Result<BuiltIn, String> {
    static READ: LazyLock<Result<BuiltIn, String>> = LazyLock::new(|| {
        let read = || Ok((catalogue::Catalogue::embedded()?.into(), choice::Choices::embedded()?.into()));
        read().map_err(|error: catalogue::CatalogueError| error.to_string())
    });
    READ.clone()
}

/// The order of edges in an answer.
fn order(edge: &CapabilityEdge) -> impl Ord + '_ {
    (
        &edge.principal,
        edge.capability,
        &edge.target,
        &edge.action,
        &edge.statements,
        &edge.decision,
        &edge.enables,
        &edge.choices,
    )
}
