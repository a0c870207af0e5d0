//! Network interfaces and virtual machines.

use serde_json::{Map, Value, json};

use super::{Place, Translated, attach, ids, last, link, put, within};
use crate::block::{Block, NotKnown, Read};
use crate::world::{World, object};

const INTERFACES: &str = "Microsoft.Network/networkInterfaces/read";
const MACHINES: &str = "Microsoft.Compute/virtualMachines/read";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Translated {
    let (operation, read) = match block.resource.kind {
        "azurerm_network_interface" => (INTERFACES, interface(block, place, world)),
        "azurerm_network_interface_security_group_association" => {
            (INTERFACES, security_group(block, place, world))
        }
        _ => (MACHINES, machine(block, place, world)),
    };
    within(operation, read)
}

fn interface(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let mut configurations = Vec::new();
    let mut open = None;
    for parts in block.blocks("ip_configuration")? {
        let name = parts.required_word("name")?;
        let address = parts.word("private_ip_address").unwrap_or_else(|missing| {
            open = Some(missing);
            None
        });
        configurations.push(json!({"id": format!("{id}/ipConfigurations/{name}"), "name": name,
        "properties": object(json!({
            "privateIPAddress": address,
            "subnet": link(parts.resolved("subnet_id")?),
            "publicIPAddress": link(parts.resolved("public_ip_address_id")?),
        }))}));
    }
    let value = object(json!({
        "id": id,
        "name": last(&id),
        "location": block.identifier("location"),
        "properties": {"ipConfigurations": configurations},
    }));
    put(world, place.list(INTERFACES), &id, value);
    open.map_or(Ok(()), |missing| Err(NotKnown(format!("ip_configuration.{}", missing.0))))
}

fn security_group(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let group = link(Some(block.required("network_security_group_id")?));
    let interface = block.required("network_interface_id")?;
    attach(world, place.list(INTERFACES), &interface, json!({"networkSecurityGroup": group}));
    Ok(())
}

fn machine(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let interfaces = block.identifiers("network_interface_ids")?;
    let disk = block.nested("os_disk")?.and_then(|disk| disk.word("id").ok().flatten());
    // The disk lies in the machine's resource group, so that roles at scopes above hold for it too.
    let disk = disk.map_or_else(
        || {
            let group = id.split("/providers/").next().unwrap_or_default();
            format!("{group}/providers/Microsoft.Compute/disks/{}.os_disk", ids::symbol_in_id(block))
        },
        str::to_owned,
    );
    let links: Vec<Option<Value>> = interfaces.iter().map(|id| link(Some(id.clone()))).collect();
    let value = object(json!({
        "id": id,
        "name": last(&id),
        "location": block.identifier("location"),
        "identity": runs_as(block)?,
        "properties": {
            "networkProfile": {"networkInterfaces": links},
            "storageProfile": {"osDisk": {"managedDisk": {"id": disk}}},
        },
    }));
    put(world, place.list(MACHINES), &id, value);
    for interface in interfaces {
        attach(world, place.list(INTERFACES), &interface, json!({"virtualMachine": {"id": id}}));
    }
    Ok(())
}

fn runs_as(block: &Block<'_, '_>) -> Read<Option<Value>> {
    let Some(identity) = block.nested("identity")? else { return Ok(None) };
    let kind = identity.required_word("type")?;
    let own = kind.contains("SystemAssigned").then(|| {
        let known = identity.word("principal_id").ok().flatten();
        known.map_or_else(|| format!("{}.identity[0].principal_id", block.resource.address), str::to_owned)
    });
    let users: Map<String, Value> =
        identity.identifiers("identity_ids")?.into_iter().map(|id| (id, json!({}))).collect();
    Ok(Some(object(json!({
        "type": kind,
        "principalId": own,
        "userAssignedIdentities": (!users.is_empty()).then_some(users),
    }))))
}
