//! Diagnostic settings.

use serde_json::{Value, json};

use super::{Place, Translated, put, within};
use crate::block::{Block, NotKnown, Read};
use crate::world::{ListKey, World, object};

const SETTINGS: &str = "Microsoft.Insights/diagnosticSettings/read";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Translated {
    within(SETTINGS, setting(block, place, world))
}

fn setting(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let target = block.required("target_resource_id")?;
    let key = ListKey { question: place.about(SETTINGS, &target), member: "value" };
    let name = block.required("name")?;
    let id = format!("{target}/providers/microsoft.insights/diagnosticSettings/{name}");
    match properties(block) {
        Ok(properties) => {
            let value = json!({"id": id, "name": name, "properties": properties});
            put(world, key, &id, value);
        }
        Err(missing) => world.gap(key.question, block.resource.address, &missing),
    }
    Ok(())
}

fn properties(block: &Block<'_, '_>) -> Read<Value> {
    let mut logs = Vec::new();
    for argument in ["enabled_log", "log"] {
        for log in block.blocks(argument)? {
            logs.push(object(json!({
                "category": log.word("category")?,
                "categoryGroup": log.word("category_group")?,
                "enabled": log.flag("enabled")?.unwrap_or(true),
            })));
        }
    }
    let destination = |argument: &str| -> Result<Option<String>, NotKnown> { block.resolved(argument) };
    Ok(object(json!({
        "logs": logs,
        "storageAccountId": destination("storage_account_id")?,
        "workspaceId": destination("log_analytics_workspace_id")?,
        "eventHubAuthorizationRuleId": destination("eventhub_authorization_rule_id")?,
        "marketplacePartnerId": destination("partner_solution_id")?,
    })))
}
