//! What Azure subscriptions hold.
//!
//! Ids are Azure Resource Manager ids in lower case, since Azure compares them without regard to case and spells them
//! in several ways; object ids of Microsoft Entra ID likewise. Names keep their spelling.

pub mod compute;
pub mod identity;
pub mod keys;
pub mod network;
pub mod stores;

use serde::{Deserialize, Serialize};

use super::EvidenceIds;
use crate::known::Known;
use compute::VirtualMachine;
use identity::{DenyAssignment, RoleAssignment, RoleDefinition};
use keys::{KeyVault, VaultKey};
use network::{
    AddressTranslation, LoadBalancer, NetworkSecurityGroup, Nic, PrivateEndpoint, PrivateLinkService,
    PublicAddress, RouteTable, ServiceTag, VirtualNetwork,
};
use stores::{BlobContainer, DiagnosticSetting, EventHubNamespace, StorageAccount};

/// Everything of Azure, each list sorted by its identifier.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AzureInventory {
    /// Subscriptions that the declaration names or that records speak of.
    pub subscriptions: Vec<Subscription>,
    /// Virtual networks with their subnets and peerings.
    pub networks: Vec<VirtualNetwork>,
    /// Network security groups.
    pub security_groups: Vec<NetworkSecurityGroup>,
    /// Route tables.
    pub route_tables: Vec<RouteTable>,
    /// Network interfaces.
    pub interfaces: Vec<Nic>,
    /// Public addresses.
    pub public_addresses: Vec<PublicAddress>,
    /// NAT gateways.
    pub nat_gateways: Vec<AddressTranslation>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// Private endpoints.
    pub private_endpoints: Vec<PrivateEndpoint>,
    /// Private link services.
    pub private_link_services: Vec<PrivateLinkService>,
    /// Service tags whose ranges were read.
    pub service_tags: Vec<ServiceTag>,
    /// Virtual machines.
    pub machines: Vec<VirtualMachine>,
    /// Role definitions.
    pub role_definitions: Vec<RoleDefinition>,
    /// Role assignments.
    pub role_assignments: Vec<RoleAssignment>,
    /// Deny assignments.
    pub deny_assignments: Vec<DenyAssignment>,
    /// Key vaults.
    pub vaults: Vec<KeyVault>,
    /// Keys in them.
    pub keys: Vec<VaultKey>,
    /// Storage accounts.
    pub storage_accounts: Vec<StorageAccount>,
    /// Blob containers.
    pub containers: Vec<BlobContainer>,
    /// Diagnostic settings.
    pub diagnostic_settings: Vec<DiagnosticSetting>,
    /// Event Hubs namespaces.
    pub event_hubs: Vec<EventHubNamespace>,
}

impl AzureInventory {
    /// Whether nothing of Azure is declared or recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id, a GUID.
    pub id: String,
    /// The tenant whose directory its principals are in.
    pub tenant: Known<String>,
    /// Whether its role definitions were all read.
    pub role_definitions: Known<()>,
    /// Whether its role assignments, inherited ones included, were all read.
    pub role_assignments: Known<()>,
    /// Whether its deny assignments were all read.
    pub deny_assignments: Known<()>,
    /// Whether its network interfaces were all read.
    pub interfaces: Known<()>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
