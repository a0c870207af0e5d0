//! Ids of Azure resources, which follow from the names of what they lie in ("Resource providers and types").

use crate::block::{Block, NotKnown, Read};
use crate::symbol;

/// Types that lie in a resource group.
const IN_GROUPS: [(&str, &str); 13] = [
    ("azurerm_key_vault", "Microsoft.KeyVault/vaults"),
    ("azurerm_linux_virtual_machine", "Microsoft.Compute/virtualMachines"),
    ("azurerm_nat_gateway", "Microsoft.Network/natGateways"),
    ("azurerm_network_interface", "Microsoft.Network/networkInterfaces"),
    ("azurerm_network_security_group", "Microsoft.Network/networkSecurityGroups"),
    ("azurerm_private_endpoint", "Microsoft.Network/privateEndpoints"),
    ("azurerm_public_ip", "Microsoft.Network/publicIPAddresses"),
    ("azurerm_route_table", "Microsoft.Network/routeTables"),
    ("azurerm_storage_account", "Microsoft.Storage/storageAccounts"),
    ("azurerm_subnet", "Microsoft.Network/virtualNetworks"),
    ("azurerm_user_assigned_identity", "Microsoft.ManagedIdentity/userAssignedIdentities"),
    ("azurerm_virtual_network", "Microsoft.Network/virtualNetworks"),
    ("azurerm_windows_virtual_machine", "Microsoft.Compute/virtualMachines"),
];

/// Parts of such resources: the type, what it lies in, the argument with that one's name, and the part's own kind.
const PARTS: [(&str, &str, &str, &str); 4] = [
    (
        "azurerm_network_security_rule",
        "Microsoft.Network/networkSecurityGroups",
        "network_security_group_name",
        "securityRules",
    ),
    ("azurerm_route", "Microsoft.Network/routeTables", "route_table_name", "routes"),
    ("azurerm_subnet", "Microsoft.Network/virtualNetworks", "virtual_network_name", "subnets"),
    (
        "azurerm_virtual_network_peering",
        "Microsoft.Network/virtualNetworks",
        "virtual_network_name",
        "virtualNetworkPeerings",
    ),
];

/// The id of a resource. References are followed to names and, for what lies in a vault or an account, to that one's
/// own names, so that no plan makes this go in circles.
pub(super) fn id(block: &Block<'_, '_>) -> Read<String> {
    let kind = block.resource.kind;
    match kind {
        "azurerm_key_vault_key" => {
            let vault = parent(block, "key_vault_id", "azurerm_key_vault")?;
            return Ok(format!("{vault}/keys/{}", block.fixed("name")?));
        }
        "azurerm_storage_container" => {
            let known = block.word("resource_manager_id").ok().flatten();
            let account = match known {
                Some(known) => return Ok(known.to_owned()),
                None => parent(block, "storage_account_id", "azurerm_storage_account")?,
            };
            return Ok(format!("{account}/blobServices/default/containers/{}", block.fixed("name")?));
        }
        "azurerm_role_definition" => return definition(block),
        _ => {}
    }
    if let Ok(Some(known)) = block.word("id") {
        return Ok(known.to_owned());
    }
    let subscription = block.resource.account.ok_or_else(|| NotKnown("id".to_owned()))?;
    let below = |provider: &str| -> Read<String> {
        let group = block.fixed("resource_group_name")?;
        Ok(format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}"))
    };
    let name = block.fixed("name")?;
    if let Some((_, provider, argument, part)) = PARTS.iter().find(|(known, ..)| *known == kind) {
        return Ok(format!("{}/{}/{part}/{name}", below(provider)?, block.fixed(argument)?));
    }
    let provider = IN_GROUPS.iter().find(|(known, _)| *known == kind).map(|(_, provider)| *provider);
    provider
        .map_or_else(|| Err(NotKnown("id".to_owned())), |provider| Ok(format!("{}/{name}", below(provider)?)))
}

/// The id of what a resource lies in.
fn parent(block: &Block<'_, '_>, argument: &str, kind: &str) -> Read<String> {
    match block.word(argument) {
        Ok(Some(known)) => Ok(known.to_owned()),
        Ok(None) => Err(NotKnown(argument.to_owned())),
        Err(missing) => {
            let referred = block
                .reference(argument)
                .filter(|(found, attribute)| found.resource.kind == kind && attribute == "id");
            referred.map_or(Err(missing), |(found, _)| id(&found))
        }
    }
}

/// The id of a custom role, whose last part the service chooses.
fn definition(block: &Block<'_, '_>) -> Read<String> {
    if let Ok(Some(known)) = block.word("role_definition_resource_id") {
        return Ok(known.to_owned());
    }
    let subscription = block.resource.account.ok_or_else(|| NotKnown("role_definition_id".to_owned()))?;
    let own = block.word("role_definition_id").ok().flatten();
    let own = own.map_or_else(|| symbol_in_id(block), str::to_owned);
    Ok(format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{own}"))
}

/// The resource's address where an id has room for one part.
pub(super) fn symbol_in_id(block: &Block<'_, '_>) -> String {
    block.resource.address.replace('/', "_")
}

/// The text of an attribute, known or not.
pub(crate) fn attribute(block: &Block<'_, '_>, attribute: &str) -> String {
    let (kind, address) = (block.resource.kind, block.resource.address);
    let symbol = || symbol::attribute(block.resource, attribute);
    let composed = match (kind, attribute) {
        ("azurerm_key_vault_key", "id" | "versionless_id") => key_address(block),
        ("azurerm_key_vault_key", "resource_id" | "resource_versionless_id")
        | ("azurerm_role_definition", "id" | "role_definition_resource_id")
        | ("azurerm_storage_container", "resource_manager_id")
        | (_, "id") => id(block).ok(),
        ("azurerm_key_vault", "vault_uri") => {
            block.fixed("name").ok().map(|name| format!("https://{name}.vault.azure.net/"))
        }
        _ => None,
    };
    let known = block.word(attribute).ok().flatten().filter(|_| kind != "azurerm_role_definition");
    let text = known.map(str::to_owned).or(composed).unwrap_or_else(symbol);
    if text.is_empty() { format!("{address}.{attribute}") } else { text }
}

/// The address of a key in its vault, without a version ("About keys": `https://{vault}.vault.azure.net/keys/{name}`).
fn key_address(block: &Block<'_, '_>) -> Option<String> {
    let key = id(block).ok()?;
    let (vault, name) = key.rsplit_once("/keys/")?;
    Some(format!("https://{}.vault.azure.net/keys/{name}", super::last(vault)))
}
