//! Azure resources of the `hashicorp/azurerm` provider, brought into the shapes of `docs/formats/azure-records.md`.
//!
//! Arguments are those of the provider's documentation, in version 4 and, where they were renamed, version 3 too. Most
//! ids follow from names, so that references to what does not exist yet are the ids that it will have.

mod compute;
mod identity;
mod ids;
mod logs;
mod network;
mod normal;
mod security_groups;
mod storage;
mod vaults;

use cadastre_model::{Record, Scope};
use serde_json::{Value, json};

use crate::block::{Block, NotKnown, Read};
use crate::projection::Side;
use crate::world::{ListKey, Question, World};

pub(crate) use ids::attribute;
pub(crate) use normal::nested;

/// Every type that is read.
pub(crate) const KINDS: &[&str] = &[
    "azurerm_key_vault",
    "azurerm_key_vault_access_policy",
    "azurerm_key_vault_key",
    "azurerm_linux_virtual_machine",
    "azurerm_monitor_diagnostic_setting",
    "azurerm_nat_gateway",
    "azurerm_nat_gateway_public_ip_association",
    "azurerm_network_interface",
    "azurerm_network_interface_security_group_association",
    "azurerm_network_security_group",
    "azurerm_network_security_rule",
    "azurerm_private_endpoint",
    "azurerm_public_ip",
    "azurerm_role_assignment",
    "azurerm_role_definition",
    "azurerm_route",
    "azurerm_route_table",
    "azurerm_storage_account",
    "azurerm_storage_account_customer_managed_key",
    "azurerm_storage_account_network_rules",
    "azurerm_storage_container",
    "azurerm_subnet",
    "azurerm_subnet_nat_gateway_association",
    "azurerm_subnet_network_security_group_association",
    "azurerm_subnet_route_table_association",
    "azurerm_user_assigned_identity",
    "azurerm_virtual_network",
    "azurerm_virtual_network_peering",
    "azurerm_windows_virtual_machine",
];

/// Whether a resource is one of Azure's.
pub(crate) fn is_azure(kind: &str) -> bool {
    kind.starts_with("azurerm_")
}

/// In which order types are read: what others are attached to, or refer to by name, before those.
pub(crate) fn rank(kind: &str) -> u8 {
    match kind {
        "azurerm_virtual_network" | "azurerm_role_definition" | "azurerm_user_assigned_identity" => 0,
        "azurerm_subnet" | "azurerm_key_vault" | "azurerm_storage_account" => 1,
        _ => 2,
    }
}

/// What a scan shows that a plan refers to by name only.
#[derive(Debug, Default, Clone)]
pub(crate) struct Surroundings {
    /// Ids of role definitions by name, in lower case.
    pub(crate) roles: std::collections::BTreeMap<String, String>,
    /// Address ranges of virtual networks by id, in lower case.
    pub(crate) spaces: std::collections::BTreeMap<String, Value>,
}

impl Surroundings {
    /// What these records show.
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut found = Self::default();
        for record in records.iter().filter(|record| record.collector == "azure") {
            let items = record.response.get("value").and_then(Value::as_array).into_iter().flatten();
            let member = |item: &Value, name: &str| {
                let nested = item.get("properties").and_then(|own| own.get(name));
                nested.or_else(|| item.get(name)).cloned()
            };
            for item in items {
                let Some(id) = item.get("id").and_then(Value::as_str) else { continue };
                match record.operation.as_str() {
                    identity::DEFINITIONS => {
                        if let Some(Value::String(name)) = member(item, "roleName") {
                            found.roles.insert(name.to_lowercase(), id.to_owned());
                        }
                    }
                    network::NETWORKS => {
                        let space = member(item, "addressSpace").unwrap_or_default();
                        found.spaces.insert(id.to_lowercase(), space);
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

/// The subscription that a resource lies in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// In lower case, as scopes are.
    subscription: String,
}

impl Place {
    /// A question about one thing.
    fn about(&self, operation: &'static str, subject: &str) -> Question {
        let scope = Scope::account(&self.subscription);
        Question { collector: "azure", operation, scope, subject: subject.to_lowercase() }
    }

    /// The question that lists everything of a kind in the subscription.
    fn listing(&self, operation: &'static str) -> Question {
        self.about(operation, &self.subscription)
    }

    /// The list of everything of a kind in the subscription.
    fn list(&self, operation: &'static str) -> ListKey {
        ListKey { question: self.listing(operation), member: "value" }
    }
}

/// Adds a thing, under its id.
fn put(world: &mut World, key: ListKey, id: &str, value: Value) {
    world.put(key, id.to_lowercase(), value);
}

/// Attaches properties to a thing.
fn attach(world: &mut World, key: ListKey, id: &str, properties: Value) {
    world.attach(key, id.to_lowercase(), json!({"properties": properties}));
}

/// A reference to another resource, in the form of the API.
fn link(id: Option<String>) -> Option<Value> {
    id.map(|id| json!({"id": id}))
}

/// A list, left out where it is empty.
fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

/// The part of an id after its last slash.
fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A flag under its name today or the one it had before; the value the provider gives it when it is left out.
fn flag(block: &Block<'_, '_>, names: [&str; 2], otherwise: bool) -> Read<bool> {
    for name in names {
        if let Some(flag) = block.flag(name)? {
            return Ok(flag);
        }
    }
    Ok(otherwise)
}

/// Whether blocks that other resources may write too are this resource's own.
fn owns(block: &Block<'_, '_>, argument: &str, side: Side) -> bool {
    block.resource.sets(argument) || side == Side::Ambient
}

/// Brings one resource into the world.
pub(crate) fn translate(block: &Block<'_, '_>, world: &mut World, side: Side, new: bool) {
    let kind = block.resource.kind;
    let Some(subscription) = block.resource.account.filter(|_| KINDS.contains(&kind)) else { return };
    let place = Place { subscription: subscription.to_lowercase() };
    let translated = match kind {
        "azurerm_network_security_group" | "azurerm_network_security_rule" => {
            security_groups::translate(block, &place, world, side)
        }
        "azurerm_key_vault" | "azurerm_key_vault_access_policy" | "azurerm_key_vault_key" => {
            vaults::translate(block, &place, world, side, new)
        }
        "azurerm_role_assignment" | "azurerm_role_definition" | "azurerm_user_assigned_identity" => {
            identity::translate(block, &place, world)
        }
        "azurerm_monitor_diagnostic_setting" => logs::translate(block, &place, world),
        _ if kind.starts_with("azurerm_storage_") => storage::translate(block, &place, world, side, new),
        _ if kind.contains("network_interface") || kind.ends_with("_virtual_machine") => {
            compute::translate(block, &place, world)
        }
        _ => network::translate(block, &place, world, side),
    };
    if let Err((operation, missing)) = translated {
        world.gap(place.listing(operation), block.resource.address, &missing);
    }
}

/// What could not be read, with the list that is not whole without it.
type Translated = Result<(), (&'static str, NotKnown)>;

/// Names the list that is not whole without what could not be read.
fn within(operation: &'static str, read: Read<()>) -> Translated {
    read.map_err(|missing| (operation, missing))
}
