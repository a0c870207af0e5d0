//! Azure role-based access control and key vault access policies: who may do what to which resource.
//!
//! An action is allowed where some role assignment at the resource's scope or above allows it and no deny assignment
//! takes it away ("What is Azure role-based access control", "Understand Azure deny assignments"). A role allows what
//! its `actions` match and its `notActions` do not; those are no deny, so another role may allow it all the same.
//! Conditions stay as they are written. A group holds what is assigned to it; who is in it is a question for Microsoft
//! Entra ID, and open.
//!
//! An edge's statements are what the customer can take away: the assignment, a custom role's definition, an access
//! policy. Definitions of built-in roles are Microsoft's and stand in the policy's name.

mod actions;
mod denials;
mod grants;
mod targets;

use cadastre_model::access::{Capability, CapabilityEdge, Decision, Destruction};
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::identity::RoleAssignment;

use crate::bulk::Edges;
use actions::{Entry, Plane};
use grants::Grants;
use targets::Target;

/// The id of a principal of Microsoft Entra ID, by its object id.
pub(crate) fn principal_id(object: &str) -> String {
    format!("entra:{object}")
}

/// Adds what role assignments and access policies allow, and what is not settled.
pub(crate) fn evaluate(inventory: &AzureInventory, edges: &mut Edges) {
    if inventory.is_empty() {
        return;
    }
    let grants = Grants::new(inventory);
    let targets = targets::all(inventory);
    for target in &targets {
        missing(inventory, target, edges);
        for assignment in &inventory.role_assignments {
            let Some(reach) = grants::reach(assignment, &target.id) else { continue };
            let Some(definition) = grants.definition(&assignment.definition) else {
                let told = format!("role definition `{}` is not in the evidence", assignment.definition);
                edges.unknown.push((principal_id(&assignment.principal), told.clone()));
                edges.unknown.push((target.id.clone(), told));
                continue;
            };
            for entry in &target.entries {
                let Some(allowed) = grants::allowed(definition, entry) else { continue };
                let decision = [
                    allowed,
                    reach.clone(),
                    grants::conditional(assignment.condition.as_deref()),
                    denials::left(
                        inventory,
                        target,
                        &assignment.principal,
                        &assignment.principal_kind,
                        entry,
                    ),
                    entry.decision.clone(),
                ]
                .into_iter()
                .fold(Decision::Allow, Decision::and);
                let statements = grants::statements(assignment, definition);
                put(edges, assignment, target, entry, &decision, &statements);
            }
        }
    }
    targets::access_policies(inventory, edges);
    targets::public_containers(inventory, edges);
    groups(inventory, edges);
    edges.unknown.sort();
    edges.unknown.dedup();
}

fn put(
    edges: &mut Edges,
    assignment: &RoleAssignment,
    target: &Target<'_>,
    entry: &Entry,
    decision: &Decision,
    statements: &[cadastre_model::asset::StatementRef],
) {
    if *decision == Decision::Deny {
        return;
    }
    let principal = principal_id(&assignment.principal);
    if let Some(capability) = entry.gives {
        let edge = CapabilityEdge {
            principal: principal.clone(),
            capability,
            target: target.id.clone(),
            decision: decision.clone(),
            action: entry.action.to_owned(),
            statements: statements.to_vec(),
            choices: Vec::new(),
            enables: entry.enables.clone(),
            summary: false,
        };
        // Whoever runs commands on a machine is whom it runs as.
        if capability == Capability::OperateHost {
            for identity in target.identities {
                let become_it = principal_id(identity);
                if become_it != principal {
                    edges.all.push(CapabilityEdge {
                        capability: Capability::Assume,
                        target: become_it,
                        enables: None,
                        ..edge.clone()
                    });
                }
            }
        }
        edges.all.push(edge);
    }
    if let Some(damage) = entry.damage {
        edges.destruction.push(Destruction {
            principal,
            damage,
            target: target.id.clone(),
            action: entry.action.to_owned(),
            disguised: entry.disguised,
            decision: decision.clone(),
            statements: statements.to_vec(),
        });
    }
}

/// What leaves open who holds a role on a resource.
fn missing(inventory: &AzureInventory, target: &Target<'_>, edges: &mut Edges) {
    let subscription = inventory.subscriptions.iter().find(|known| known.id == target.subscription);
    let Some(subscription) = subscription else {
        edges.unknown.push((target.id.clone(), "its subscription is not in the evidence".to_owned()));
        return;
    };
    for (what, known) in [
        ("role assignments", &subscription.role_assignments),
        ("role definitions", &subscription.role_definitions),
    ] {
        let told = match known {
            cadastre_model::Known::Observed(()) => continue,
            cadastre_model::Known::Absent => format!("{what} of its subscription were not found"),
            cadastre_model::Known::Unknown(missing) => format!("{what} of its subscription: {missing}"),
        };
        edges.unknown.push((target.id.clone(), told));
    }
}

fn groups(inventory: &AzureInventory, edges: &mut Edges) {
    for assignment in &inventory.role_assignments {
        if assignment.principal_kind.contains("Group") {
            let told = "who is in this group is not in the evidence".to_owned();
            edges.unknown.push((principal_id(&assignment.principal), told));
        }
    }
}

/// Whether a pattern of a role definition matches an action: `*` stands for any run of characters, case does not count.
fn matches(pattern: &str, action: &str) -> bool {
    cadastre_model::declaration::matches_pattern(&pattern.to_lowercase(), &action.to_lowercase())
}

/// Whether a list of patterns names an action.
fn names(patterns: &[String], action: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, action))
}

/// The lists of a permission that decide about an action of a plane.
fn lists(
    permission: &cadastre_model::asset::azure::identity::Permission,
    plane: Plane,
) -> (&[String], &[String]) {
    match plane {
        Plane::Control => (&permission.actions, &permission.not_actions),
        Plane::Data => (&permission.data_actions, &permission.not_data_actions),
    }
}

#[cfg(test)]
mod tests;
