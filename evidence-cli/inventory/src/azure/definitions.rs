//! Role definitions.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::identity::{Permission, RoleDefinition};

use super::fields::{properties, text_of};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every role definition.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<RoleDefinition> {
    reader.assets("Microsoft.Authorization/roleDefinitions/read", "value", |_, role| {
        let own = properties(role)?;
        Ok(Some(RoleDefinition {
            id: last_part(role.text("id")?),
            name: own.owned_text("roleName")?,
            kind: text_of(&own, "roleType", "type")?.unwrap_or_default().to_owned(),
            permissions: permissions(&own)?,
            record: role.record.id().clone(),
            pointer: role.pointer.clone(),
            evidence: EvidenceIds::new(),
        }))
    })
}

/// The last part of an id, in lower case.
pub(super) fn last_part(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_lowercase()
}

/// The entries of `permissions`.
pub(super) fn permissions(own: &Node<'_>) -> Read<Vec<Permission>> {
    own.list("permissions")?
        .iter()
        .map(|entry| {
            Ok(Permission {
                actions: entry.optional_texts("actions")?,
                not_actions: entry.optional_texts("notActions")?,
                data_actions: entry.optional_texts("dataActions")?,
                not_data_actions: entry.optional_texts("notDataActions")?,
                condition: condition(entry)?,
            })
        })
        .collect()
}

/// A condition, where there is one that says something.
pub(super) fn condition(node: &Node<'_>) -> Read<Option<String>> {
    Ok(node.optional_text("condition")?.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
}
