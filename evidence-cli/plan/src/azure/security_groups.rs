//! Network security groups and their rules, however a configuration writes them.

use serde_json::{Value, json};

use super::{Place, Translated, attach, ids, last, owns, put, some, within};
use crate::block::{Block, Read};
use crate::projection::Side;
use crate::world::{World, object};

const GROUPS: &str = "Microsoft.Network/networkSecurityGroups/read";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side) -> Translated {
    within(
        GROUPS,
        match block.resource.kind {
            "azurerm_network_security_group" => group(block, place, world, side),
            _ => rule(block, place, world),
        },
    )
}

fn group(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side) -> Read<()> {
    let id = ids::id(block)?;
    let value = object(json!({
        "id": id,
        "name": last(&id),
        "location": block.identifier("location"),
        "properties": {"securityRules": []},
    }));
    put(world, place.list(GROUPS), &id, value);
    // Rules that other resources or hands made appear here too, unless the configuration writes them here.
    if owns(block, "security_rule", side) {
        for rule in block.blocks("security_rule")? {
            let name = rule.required_word("name")?;
            let rule = part(&format!("{id}/securityRules/{name}"), properties(&rule)?);
            attach(world, place.list(GROUPS), &id, json!({"securityRules": [rule]}));
        }
    }
    Ok(())
}

fn rule(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let group = id.rsplit_once("/securityRules/").or_else(|| id.rsplit_once("/securityrules/"));
    let (group, _) = group.ok_or_else(|| crate::block::NotKnown("id".to_owned()))?;
    let rule = part(&id, properties(block)?);
    attach(world, place.list(GROUPS), group, json!({"securityRules": [rule]}));
    Ok(())
}

fn part(id: &str, properties: Value) -> Value {
    json!({"id": id, "name": last(id), "properties": properties})
}

fn properties(block: &Block<'_, '_>) -> Read<Value> {
    let groups = |argument: &str| -> Read<Option<Vec<Value>>> {
        let ids = some(block.identifiers(argument)?);
        Ok(ids.map(|ids| ids.into_iter().map(|id| json!({"id": id})).collect()))
    };
    Ok(object(json!({
        "priority": block.integer("priority")?,
        "direction": block.required_word("direction")?,
        "access": block.required_word("access")?,
        "protocol": block.required_word("protocol")?,
        "sourcePortRange": block.word("source_port_range")?,
        "sourcePortRanges": some(block.words("source_port_ranges")?),
        "destinationPortRange": block.word("destination_port_range")?,
        "destinationPortRanges": some(block.words("destination_port_ranges")?),
        "sourceAddressPrefix": block.word("source_address_prefix")?,
        "sourceAddressPrefixes": some(block.words("source_address_prefixes")?),
        "destinationAddressPrefix": block.word("destination_address_prefix")?,
        "destinationAddressPrefixes": some(block.words("destination_address_prefixes")?),
        "sourceApplicationSecurityGroups": groups("source_application_security_group_ids")?,
        "destinationApplicationSecurityGroups": groups("destination_application_security_group_ids")?,
    })))
}
