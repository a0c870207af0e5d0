//! The least that a scan needs to be allowed: a custom role with exactly its calls.

use serde_json::{Value, json};

/// Every operation that a scan calls, as role definitions name it.
pub const ACTIONS: [&str; 24] = [
    "Microsoft.Authorization/denyAssignments/read",
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.EventHub/namespaces/read",
    "Microsoft.Insights/diagnosticSettings/read",
    "Microsoft.KeyVault/vaults/keys/read",
    "Microsoft.KeyVault/vaults/read",
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    "Microsoft.Network/loadBalancers/read",
    "Microsoft.Network/locations/serviceTags/read",
    "Microsoft.Network/natGateways/read",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Network/privateLinkServices/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Storage/storageAccounts/blobServices/containers/read",
    "Microsoft.Storage/storageAccounts/blobServices/read",
    "Microsoft.Storage/storageAccounts/read",
];

/// A custom role for `az role definition create`; it has no data actions, so that no record and no key can be used with it.
#[must_use]
pub fn role_definition(subscriptions: &[String]) -> Value {
    let scopes: Vec<String> = subscriptions.iter().map(|id| format!("/subscriptions/{id}")).collect();
    json!({
        "Name": "Cadastre scanner",
        "Description": "Reads what a boundary scan records, and nothing that is stored.",
        "IsCustom": true,
        "Actions": ACTIONS,
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": scopes,
    })
}
