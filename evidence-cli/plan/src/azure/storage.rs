//! Storage accounts, what guards them, the keys that encrypt them, and containers.

use serde_json::{Value, json};

use super::{Place, Translated, attach, flag, ids, last, owns, put, within};
use crate::block::{Block, NotKnown, Read};
use crate::projection::Side;
use crate::world::{ListKey, World, object};

const ACCOUNTS: &str = "Microsoft.Storage/storageAccounts/read";
const CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";

pub(super) fn translate(
    block: &Block<'_, '_>,
    place: &Place,
    world: &mut World,
    side: Side,
    new: bool,
) -> Translated {
    let read = match block.resource.kind {
        "azurerm_storage_account" => account(block, place, world, side, new),
        "azurerm_storage_account_network_rules" => network_rules(block, place, world),
        "azurerm_storage_account_customer_managed_key" => customer_key(block, place, world),
        _ => container(block, place, world),
    };
    within(ACCOUNTS, read)
}

fn account(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side, new: bool) -> Read<()> {
    let id = ids::id(block)?;
    let public = flag(block, ["public_network_access_enabled"; 2], true)?;
    let rules = match owns(block, "network_rules", side) {
        true => block.nested("network_rules")?.map(|rules| firewall(&rules)).transpose()?,
        false => None,
    };
    let key = match owns(block, "customer_managed_key", side) {
        true => block.nested("customer_managed_key")?.map(|key| encryption(&key)).transpose()?,
        false => None,
    };
    let kind = (block.word("account_tier")?, block.word("account_replication_type")?);
    let sku = match kind {
        (Some(tier), Some(replication)) => Some(json!({"name": format!("{tier}_{replication}")})),
        _ => None,
    };
    let value = object(json!({
        "id": id,
        "name": last(&id),
        "location": block.identifier("location"),
        "sku": sku,
        "properties": object(json!({
            "allowSharedKeyAccess": flag(block, ["shared_access_key_enabled"; 2], true)?,
            "allowBlobPublicAccess":
                flag(block, ["allow_nested_items_to_be_public", "allow_blob_public_access"], true)?,
            "supportsHttpsTrafficOnly":
                flag(block, ["https_traffic_only_enabled", "enable_https_traffic_only"], true)?,
            "minimumTlsVersion": block.word("min_tls_version")?,
            "publicNetworkAccess": if public { "Enabled" } else { "Disabled" },
            "networkAcls": rules,
            "encryption": key,
        })),
    }));
    put(world, place.list(ACCOUNTS), &id, value);
    if new {
        let containers = place.about(CONTAINERS, &id);
        world.complete.insert(containers.clone());
        world.lists.entry(ListKey { question: containers, member: "value" }).or_default();
    }
    Ok(())
}

fn firewall(block: &Block<'_, '_>) -> Read<Value> {
    let ranges = block.words("ip_rules")?.into_iter();
    let ranges: Vec<Value> = ranges.map(|range| json!({"value": range, "action": "Allow"})).collect();
    let subnets = block.identifiers("virtual_network_subnet_ids")?.into_iter();
    let subnets: Vec<Value> = subnets.map(|id| json!({"id": id, "action": "Allow"})).collect();
    Ok(json!({
        "defaultAction": block.required_word("default_action")?,
        "ipRules": ranges,
        "virtualNetworkRules": subnets,
    }))
}

fn network_rules(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let account = block.required("storage_account_id")?;
    let rules = firewall(block)?;
    attach(world, place.list(ACCOUNTS), &account, json!({"networkAcls": rules}));
    Ok(())
}

fn customer_key(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let account = block.required("storage_account_id")?;
    let key = encryption(block)?;
    attach(world, place.list(ACCOUNTS), &account, json!({"encryption": key}));
    Ok(())
}

/// The key that encrypts an account, by its own address or by the names of vault and key.
fn encryption(block: &Block<'_, '_>) -> Read<Value> {
    let missing = |argument: &str| NotKnown(argument.to_owned());
    let (vault, name, version) = match block.resolved("key_vault_key_id")? {
        Some(address) => {
            let (vault, rest) = address.split_once("/keys/").ok_or_else(|| missing("key_vault_key_id"))?;
            let (name, version) =
                rest.split_once('/').map_or((rest, None), |(name, version)| (name, Some(version)));
            (vault.to_owned(), name.to_owned(), version.map(str::to_owned))
        }
        None => {
            let vault = match block.resolved("key_vault_uri")? {
                Some(address) => address,
                None => {
                    let id = block.required("key_vault_id")?;
                    format!("https://{}.vault.azure.net", last(&id))
                }
            };
            let version = block.word("key_version")?.map(str::to_owned);
            (vault, block.required("key_name")?, version)
        }
    };
    Ok(json!({"keySource": "Microsoft.Keyvault", "keyvaultproperties": object(json!({
        "keyvaulturi": vault, "keyname": name, "keyversion": version}))}))
}

fn container(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let account = id.split("/blobServices/").next().filter(|account| *account != id);
    let account = account.ok_or_else(|| NotKnown("storage_account_id".to_owned()))?;
    let public = match block.word("container_access_type")? {
        Some("blob") => "Blob",
        Some("container") => "Container",
        _ => "None",
    };
    let value = json!({"id": id, "name": last(&id), "properties": {"publicAccess": public}});
    let key = ListKey { question: place.about(CONTAINERS, account), member: "value" };
    put(world, key, &id, value);
    Ok(())
}
