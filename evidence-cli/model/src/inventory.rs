//! Everything the evidence shows, as typed assets: the input of every pure room.

use serde::{Deserialize, Serialize};

use crate::asset::activity::{Activity, KeyReconciliation, TrailCheck};
use crate::asset::azure::AzureInventory;
use crate::asset::compute::{Instance, LaunchTemplate, MachineImage};
use crate::asset::document::Documents;
use crate::asset::drill::Drill;
use crate::asset::identity::{CloudAccount, Group, Principal};
use crate::asset::kafka::KafkaCluster;
use crate::asset::keys::Key;
use crate::asset::logging::{EventRule, LogGroup, Trail};
use crate::asset::msk::{CertificateAuthority, MskCluster, Secret};
use crate::asset::network::{
    EndpointService, FlowLog, Gateway, NetworkAcl, NetworkInterface, Peering, PrefixList, RouteTable,
    SecurityGroup, Subnet, TransitRouteTable, Vpc, VpcEndpoint,
};
use crate::asset::stores::{Bucket, Snapshot, Volume};
use crate::record::RecordId;

/// All assets, each list sorted by its identifier.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// Cloud accounts.
    pub accounts: Vec<CloudAccount>,
    /// Users and roles.
    pub principals: Vec<Principal>,
    /// Groups of users.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// KMS keys.
    pub keys: Vec<Key>,
    /// S3 buckets.
    pub buckets: Vec<Bucket>,
    /// EBS volumes.
    pub volumes: Vec<Volume>,
    /// EBS snapshots.
    pub snapshots: Vec<Snapshot>,
    /// EC2 instances.
    pub instances: Vec<Instance>,
    /// Machine images.
    pub images: Vec<MachineImage>,
    /// Launch templates.
    pub launch_templates: Vec<LaunchTemplate>,
    /// VPCs.
    pub vpcs: Vec<Vpc>,
    /// Subnets.
    pub subnets: Vec<Subnet>,
    /// Route tables.
    pub route_tables: Vec<RouteTable>,
    /// Route tables of transit gateways.
    #[serde(default)]
    pub transit_route_tables: Vec<TransitRouteTable>,
    /// Managed prefix lists.
    pub prefix_lists: Vec<PrefixList>,
    /// Security groups.
    pub security_groups: Vec<SecurityGroup>,
    /// Network ACLs.
    pub network_acls: Vec<NetworkAcl>,
    /// Gateways.
    pub gateways: Vec<Gateway>,
    /// Network interfaces.
    pub interfaces: Vec<NetworkInterface>,
    /// VPC endpoints.
    pub endpoints: Vec<VpcEndpoint>,
    /// VPC endpoint services.
    pub endpoint_services: Vec<EndpointService>,
    /// Peering connections.
    pub peerings: Vec<Peering>,
    /// Flow log configurations.
    pub flow_logs: Vec<FlowLog>,
    /// CloudTrail trails.
    pub trails: Vec<Trail>,
    /// CloudWatch log groups.
    pub log_groups: Vec<LogGroup>,
    /// EventBridge rules.
    pub event_rules: Vec<EventRule>,
    /// Kafka clusters.
    pub clusters: Vec<KafkaCluster>,
    /// Managed Kafka clusters as their cloud shows them.
    #[serde(default)]
    pub msk_clusters: Vec<MskCluster>,
    /// Secrets, without their values.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Private certificate authorities.
    #[serde(default)]
    pub certificate_authorities: Vec<CertificateAuthority>,
    /// Everything of Azure.
    #[serde(default, skip_serializing_if = "AzureInventory::is_empty")]
    pub azure: AzureInventory,
    /// Trails' files, by account and region, and whether they are whole.
    #[serde(default)]
    pub trail_checks: Vec<TrailCheck>,
    /// What trails saw, row by row.
    #[serde(default)]
    pub activity: Vec<Activity>,
    /// Key uses against components' own records.
    #[serde(default)]
    pub key_reconciliations: Vec<KeyReconciliation>,
    /// Runbooks, ownership and plans.
    #[serde(default, skip_serializing_if = "Documents::is_empty")]
    pub documents: Documents,
    /// What was exercised, the newest of each drill on each cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<Drill>,
    /// Responses that could not be read as the operation's answer. Nothing that depends on one passes.
    pub unreadable: Vec<Unreadable>,
}

/// A response that is not what its operation answers with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unreadable {
    /// The record.
    pub record: RecordId,
    /// Its operation.
    pub operation: String,
    /// Its subject.
    pub subject: String,
    /// JSON pointer to what could not be read.
    pub pointer: String,
    /// What was expected there.
    pub problem: String,
}
