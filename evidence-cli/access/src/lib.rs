//! The access engine: policies in, capabilities with derivations out.
//!
//! Pure: an inventory and a declaration in, [`Access`] out. AWS decisions follow "Policy evaluation logic" (IAM
//! User Guide) and are four-valued; Kafka decisions follow the stock authorizer. Which action gives which
//! capability is data, `policies/capabilities/aws.yaml`.
//!
//! An edge is one proof: all its statements are needed for it, so taking any one of them away closes it. A
//! principal that may do something for several reasons has several edges.

mod arn;
pub mod batch;
mod bulk;
mod catalogue;
mod compare;
mod condition;
mod decide;
mod document;
mod expression;
mod facts;
mod glob;
mod grammar;
mod kafka;
mod pattern;
mod requester;
mod roles;
mod statements;
mod targets;
mod variable;
mod world;

use cadastre_model::access::Access;
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;

/// Evaluates everything the inventory holds: who may do what to which target, and why.
///
/// What cannot be evaluated is listed in [`Access::unknown`]; the edges it bears on are unknown as well.
#[must_use]
pub fn evaluate(inventory: &Inventory, declaration: &Declaration) -> Access {
    let mut access = Access::default();
    let catalogue = match catalogue::Catalogue::embedded() {
        Ok(catalogue) => catalogue,
        Err(error) => {
            access.unknown.push(("every principal".to_owned(), error.to_string()));
            return access;
        }
    };
    let mut compiler = world::Compiler::default();
    let world = world::World::new(inventory, catalogue, &mut compiler);
    let targets = targets::all(inventory, declaration, &world, &mut compiler);

    let mut edges = bulk::Edges::default();
    bulk::evaluate(&world, &targets, &mut edges);
    statements::shared(inventory, &mut edges);
    let mut identities = roles::Identities::new(&world);
    identities.assume(&mut edges);
    identities.escalate(&mut edges);
    identities.consequences(&targets, &mut edges);
    access.unknown.extend(statements::unknown(inventory, &world, &targets));
    for cluster in &inventory.clusters {
        kafka::evaluate(cluster, declaration, &mut edges, &mut access.unknown);
    }
    access.edges = edges.all;
    access.edges.sort_unstable_by(|a, b| {
        (&a.principal, a.capability, &a.target, &a.action, &a.statements, &a.decision).cmp(&(
            &b.principal,
            b.capability,
            &b.target,
            &b.action,
            &b.statements,
            &b.decision,
        ))
    });
    access.edges.dedup();
    access.trusts = statements::trusts(&world);
    access.statements = statements::identity_statements(&world);
    access.unknown.sort_unstable();
    access.unknown.dedup();
    access
}
