//! Role assignments and deny assignments.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::identity::{DenyAssignment, RoleAssignment};

use super::definitions::{condition, last_part, permissions};
use super::fields::{id, properties, text_of};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every role assignment.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<RoleAssignment> {
    reader.assets("Microsoft.Authorization/roleAssignments/read", "value", |_, assignment| {
        let own = properties(assignment)?;
        let scope = scope(own.text("scope")?);
        let (id, listed_in) = listed(assignment, &scope)?;
        Ok(Some(RoleAssignment {
            id,
            scope,
            listed_in,
            principal: own.text("principalId")?.to_lowercase(),
            principal_kind: own.optional_text("principalType")?.unwrap_or_default().to_owned(),
            definition: last_part(own.text("roleDefinitionId")?),
            condition: condition(&own)?,
            record: assignment.record.id().clone(),
            pointer: assignment.pointer.clone(),
            evidence: EvidenceIds::new(),
        }))
    })
}

/// Reads every deny assignment.
pub(super) fn denials(reader: &mut Reader<'_>) -> Vec<DenyAssignment> {
    reader.assets("Microsoft.Authorization/denyAssignments/read", "value", |_, denial| {
        let own = properties(denial)?;
        let principals = own.optional_list("principals")?;
        let excluded = own.optional_list("excludePrincipals")?;
        let mut groups = false;
        for principal in principals.iter().chain(&excluded) {
            groups |= principal.optional_text("type")?.is_some_and(|kind| kind.contains("Group"));
        }
        let scope = scope(own.optional_text("scope")?.unwrap_or("/"));
        let (id, listed_in) = listed(denial, &scope)?;
        Ok(Some(DenyAssignment {
            id,
            listed_in,
            name: text_of(&own, "denyAssignmentName", "name")?.unwrap_or_default().to_owned(),
            scope,
            not_below: own.optional_boolean("doNotApplyToChildScopes")?.unwrap_or(false),
            permissions: permissions(&own)?,
            principals: principals.iter().map(object_id).collect::<Read<_>>()?,
            excluded: excluded.iter().map(object_id).collect::<Read<_>>()?,
            groups,
            condition: condition(&own)?,
            record: denial.record.id().clone(),
            pointer: denial.pointer.clone(),
            evidence: EvidenceIds::new(),
        }))
    })
}

/// An id that is unique among what all subscriptions list, and the subscription that lists it.
fn listed(node: &Node<'_>, scope: &str) -> Read<(String, String)> {
    let (id, subscription) = (id(node)?, node.account()?.to_owned());
    let above = !scope.starts_with("/subscriptions/");
    Ok((if above { format!("{id}@{subscription}") } else { id }, subscription))
}

fn object_id(node: &Node<'_>) -> Read<String> {
    id(node)
}

/// A scope in lower case, without a slash at its end.
fn scope(text: &str) -> String {
    let lower = text.to_lowercase();
    let cut = lower.trim_end_matches('/');
    if cut.is_empty() { "/".to_owned() } else { cut.to_owned() }
}
