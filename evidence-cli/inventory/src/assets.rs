//! What all assets have in common while they are being read: an id to sort by, and their evidence.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::activity::{KeyReconciliation, TrailCheck};
use cadastre_model::asset::azure::compute::VirtualMachine;
use cadastre_model::asset::azure::identity::{DenyAssignment, RoleAssignment, RoleDefinition};
use cadastre_model::asset::azure::keys::{KeyVault, VaultKey};
use cadastre_model::asset::azure::network as azure;
use cadastre_model::asset::azure::stores::{
    BlobContainer, DiagnosticSetting, EventHubNamespace, StorageAccount,
};
use cadastre_model::asset::compute::{Instance, LaunchTemplate, MachineImage};
use cadastre_model::asset::logging::{EventRule, LogGroup, Trail};
use cadastre_model::asset::msk::{CertificateAuthority, MskCluster, Secret};
use cadastre_model::asset::network::{
    EndpointService, FlowLog, Gateway, NetworkAcl, NetworkInterface, Peering, PrefixList, RouteTable,
    SecurityGroup, Subnet, TransitRouteTable, Vpc, VpcEndpoint,
};
use cadastre_model::asset::stores::{Snapshot, Volume};

/// An asset that a list of the service holds.
pub(crate) trait Asset {
    /// What the list is sorted by, unique within it.
    fn id(&self) -> &str;
    /// The records it was read from.
    fn evidence_mut(&mut self) -> &mut EvidenceIds;
}

macro_rules! assets {
    ($($asset:ty: $id:ident),+ $(,)?) => {
        $(impl Asset for $asset {
            fn id(&self) -> &str {
                &self.$id
            }

            fn evidence_mut(&mut self) -> &mut EvidenceIds {
                &mut self.evidence
            }
        })+
    };
}

assets! {
    CertificateAuthority: arn,
    EndpointService: id,
    EventRule: arn,
    FlowLog: id,
    Gateway: id,
    Instance: id,
    KeyReconciliation: id,
    LaunchTemplate: id,
    LogGroup: arn,
    MachineImage: id,
    MskCluster: arn,
    NetworkAcl: id,
    NetworkInterface: id,
    Peering: id,
    PrefixList: id,
    RouteTable: id,
    Secret: arn,
    SecurityGroup: id,
    Snapshot: id,
    Subnet: id,
    Trail: arn,
    TrailCheck: id,
    TransitRouteTable: id,
    Volume: id,
    Vpc: id,
    VpcEndpoint: id,
    BlobContainer: id,
    DenyAssignment: id,
    DiagnosticSetting: id,
    EventHubNamespace: id,
    KeyVault: id,
    RoleAssignment: id,
    RoleDefinition: id,
    StorageAccount: id,
    VaultKey: id,
    VirtualMachine: id,
    azure::AddressTranslation: id,
    azure::LoadBalancer: id,
    azure::NetworkSecurityGroup: id,
    azure::Nic: id,
    azure::PrivateEndpoint: id,
    azure::PrivateLinkService: id,
    azure::PublicAddress: id,
    azure::RouteTable: id,
    azure::ServiceTag: name,
    azure::VirtualNetwork: id,
}
