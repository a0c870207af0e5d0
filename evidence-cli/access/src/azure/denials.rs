//! What deny assignments leave of what a role allows ("Understand Azure deny assignments").

use cadastre_model::access::Decision;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::identity::DenyAssignment;

use super::actions::Entry;
use super::grants::holds;
use super::targets::Target;
use super::{lists, names};

/// Everybody.
const EVERYBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Whether an action on a resource is left to a principal.
pub(super) fn left(
    inventory: &AzureInventory,
    target: &Target<'_>,
    principal: &str,
    principal_kind: &str,
    entry: &Entry,
) -> Decision {
    let subscription = inventory.subscriptions.iter().find(|known| known.id == target.subscription);
    let mut left = match subscription.map(|known| &known.deny_assignments) {
        Some(cadastre_model::Known::Observed(())) => Decision::Allow,
        Some(cadastre_model::Known::Unknown(missing)) => Decision::Unknown(missing.clone()),
        _ => Decision::Unknown("deny assignments of its subscription were not read".to_owned()),
    };
    for denial in inventory.deny_assignments.iter().filter(|denial| concerns(denial, &target.id)) {
        let denied = denial.permissions.iter().any(|permission| {
            let (named, taken_out) = lists(permission, entry.plane);
            names(named, entry.action) && !names(taken_out, entry.action)
        });
        if denied {
            left = left.and(binds(denial, principal, principal_kind));
        }
    }
    left
}

fn concerns(denial: &DenyAssignment, resource: &str) -> bool {
    if denial.not_below {
        denial.scope == resource
    } else {
        holds(&denial.scope, &denial.listed_in, resource)
    }
}

/// What a deny assignment that names the action leaves to a principal.
fn binds(denial: &DenyAssignment, principal: &str, principal_kind: &str) -> Decision {
    let named = |list: &[String]| list.iter().any(|one| one == principal || one == EVERYBODY);
    if named(&denial.excluded) {
        return Decision::Allow;
    }
    let open = || Decision::Unknown(format!("whether deny assignment `{}` binds it", denial.name));
    // Members of a group are bound one by one, and groups are members of groups.
    if denial.groups || (principal_kind.contains("Group") && !named(&denial.principals)) {
        return open();
    }
    if !named(&denial.principals) {
        return Decision::Allow;
    }
    match &denial.condition {
        None if principal_kind.contains("Group") && !denial.excluded.is_empty() => open(),
        None => Decision::Deny,
        Some(condition) => Decision::Conditional(format!("not ({condition})")),
    }
}
