//! Key vaults, their access policies and keys.

use cadastre_model::Timestamp;
use serde_json::{Value, json};

use super::{Place, Translated, attach, flag, ids, last, owns, put, within};
use crate::block::{Block, NotKnown, Read};
use crate::projection::Side;
use crate::world::{ListKey, World, object};

const VAULTS: &str = "Microsoft.KeyVault/vaults/read";
const KEYS: &str = "Microsoft.KeyVault/vaults/keys/read";

pub(super) fn translate(
    block: &Block<'_, '_>,
    place: &Place,
    world: &mut World,
    side: Side,
    new: bool,
) -> Translated {
    match block.resource.kind {
        "azurerm_key_vault" => within(VAULTS, vault(block, place, world, side, new)),
        "azurerm_key_vault_access_policy" => within(VAULTS, access_policy(block, place, world)),
        _ => within(VAULTS, key(block, place, world)),
    }
}

fn vault(block: &Block<'_, '_>, place: &Place, world: &mut World, side: Side, new: bool) -> Read<()> {
    let id = ids::id(block)?;
    let public = flag(block, ["public_network_access_enabled"; 2], true)?;
    let firewall = match owns(block, "network_acls", side) {
        true => block.nested("network_acls")?,
        false => None,
    };
    let firewall = firewall.map(|rules| -> Read<Value> {
        Ok(object(json!({
            "defaultAction": rules.required_word("default_action")?,
            "bypass": rules.word("bypass")?,
        })))
    });
    let value = object(json!({
        "id": id,
        "name": last(&id),
        "location": block.identifier("location"),
        "properties": object(json!({
            "vaultUri": ids::attribute(block, "vault_uri"),
            "enableRbacAuthorization":
                flag(block, ["rbac_authorization_enabled", "enable_rbac_authorization"], false)?,
            "enablePurgeProtection": block.flag("purge_protection_enabled")?,
            "softDeleteRetentionInDays": block.integer("soft_delete_retention_days")?,
            "publicNetworkAccess": if public { "Enabled" } else { "Disabled" },
            "networkAcls": firewall.transpose()?,
        })),
    }));
    put(world, place.list(VAULTS), &id, value);
    if new {
        let keys = place.about(KEYS, &id);
        world.complete.insert(keys.clone());
        world.lists.entry(ListKey { question: keys, member: "value" }).or_default();
    }
    if owns(block, "access_policy", side) {
        for policy in block.blocks("access_policy")? {
            let policy = holder(&policy)?;
            attach(world, place.list(VAULTS), &id, json!({"accessPolicies": [policy]}));
        }
    }
    Ok(())
}

fn access_policy(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let vault = block.required("key_vault_id")?;
    let policy = holder(block)?;
    attach(world, place.list(VAULTS), &vault, json!({"accessPolicies": [policy]}));
    Ok(())
}

fn holder(block: &Block<'_, '_>) -> Read<Value> {
    let keys: Vec<String> =
        block.words("key_permissions")?.into_iter().map(|permission| permission.to_lowercase()).collect();
    Ok(object(json!({
        "objectId": block.required("object_id")?,
        "applicationId": block.resolved("application_id")?,
        "permissions": {"keys": keys},
    })))
}

fn key(block: &Block<'_, '_>, place: &Place, world: &mut World) -> Read<()> {
    let id = ids::id(block)?;
    let (vault, name) = id.rsplit_once("/keys/").ok_or_else(|| NotKnown("key_vault_id".to_owned()))?;
    let question = place.about(KEYS, vault);
    let expires = match block.word("expiration_date") {
        Ok(text) => text.and_then(|text| text.parse::<Timestamp>().ok()).map(|at| at.seconds()),
        Err(missing) => {
            world.gap(question, block.resource.address, &missing);
            return Ok(());
        }
    };
    let value = json!({"id": id, "name": name, "properties": object(json!({
        "kty": block.word("key_type").unwrap_or(None),
        "attributes": object(json!({"enabled": true, "exp": expires})),
    }))});
    put(world, ListKey { question: question.clone(), member: "value" }, &id, value);
    let own = place.about(KEYS, &id);
    match rotation(block) {
        Ok(rotation) => world.state(
            own,
            object(
                json!({"id": id, "name": name, "properties": object(json!({"rotationPolicy": rotation}))}),
            ),
        ),
        Err(missing) => world.unknown(own, block.resource.address, &missing),
    }
    Ok(())
}

/// When the key is rotated, in the words of the API.
fn rotation(block: &Block<'_, '_>) -> Read<Option<Value>> {
    let Some(policy) = block.nested("rotation_policy")? else { return Ok(None) };
    let lifetime = policy.word("expire_after")?;
    let mut actions = Vec::new();
    for trigger in policy.blocks("automatic")? {
        actions.push(json!({"action": {"type": "rotate"}, "trigger": object(json!({
            "timeAfterCreate": trigger.word("time_after_creation")?,
            "timeBeforeExpiry": trigger.word("time_before_expiry")?,
        }))}));
    }
    Ok(Some(json!({
        "attributes": object(json!({"expiryTime": lifetime})),
        "lifetimeActions": actions,
    })))
}
