//! What a role assignment allows, and where.

use std::collections::BTreeMap;

use cadastre_model::access::Decision;
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::identity::{RoleAssignment, RoleDefinition};

use super::actions::Entry;
use super::{lists, names};

/// Role definitions by id.
#[derive(Debug)]
pub(super) struct Grants<'a> {
    definitions: BTreeMap<&'a str, &'a RoleDefinition>,
}

impl<'a> Grants<'a> {
    pub(super) fn new(inventory: &'a AzureInventory) -> Self {
        Self { definitions: inventory.role_definitions.iter().map(|role| (role.id.as_str(), role)).collect() }
    }

    pub(super) fn definition(&self, id: &str) -> Option<&'a RoleDefinition> {
        self.definitions.get(id).copied()
    }
}

/// Whether an assignment holds for a resource: for all of it at its scope or above, for a part of it below.
pub(super) fn reach(assignment: &RoleAssignment, resource: &str) -> Option<Decision> {
    let scope = assignment.scope.as_str();
    if holds(scope, &assignment.listed_in, resource) {
        return Some(Decision::Allow);
    }
    is_within(scope, resource).then(|| Decision::Conditional(format!("within `{scope}`")))
}

/// Whether what is set at a scope holds for a resource. What a subscription lists of scopes above it holds in it.
pub(super) fn holds(scope: &str, listed_in: &str, resource: &str) -> bool {
    if scope.starts_with("/subscriptions/") {
        is_within(resource, scope)
    } else {
        is_within(resource, &format!("/subscriptions/{listed_in}"))
    }
}

/// Whether a resource is a scope or lies below it.
fn is_within(resource: &str, scope: &str) -> bool {
    resource.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a role allows an action: some permission names it and does not take it out again.
pub(super) fn allowed(definition: &RoleDefinition, entry: &Entry) -> Option<Decision> {
    let holding = definition.permissions.iter().filter(|permission| {
        let (named, taken_out) = lists(permission, entry.plane);
        names(named, entry.action) && !names(taken_out, entry.action)
    });
    holding.map(|permission| conditional(permission.condition.as_deref())).reduce(Decision::or)
}

/// A condition as it is written, in one line.
pub(super) fn conditional(condition: Option<&str>) -> Decision {
    condition.map_or(Decision::Allow, |text| {
        Decision::Conditional(text.split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

/// What could be taken away: the assignment, and the role where it is the customer's own.
pub(super) fn statements(assignment: &RoleAssignment, definition: &RoleDefinition) -> Vec<StatementRef> {
    let mut statements = vec![StatementRef {
        policy: format!("role assignment of {}", definition.name).as_str().into(),
        record: assignment.record.clone(),
        pointer: assignment.pointer.as_str().into(),
    }];
    if !definition.kind.eq_ignore_ascii_case("BuiltInRole") {
        statements.push(StatementRef {
            policy: format!("role {}", definition.name).as_str().into(),
            record: definition.record.clone(),
            pointer: definition.pointer.as_str().into(),
        });
    }
    statements
}
