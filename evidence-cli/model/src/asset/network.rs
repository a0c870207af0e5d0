//! Networks: VPCs, subnets, routes, security groups, network ACLs, gateways, endpoints, flow logs.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{EvidenceIds, PolicyDocument, Tag};
use crate::known::Known;

/// A VPC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    /// `vpc-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// IPv4 and IPv6 ranges.
    pub cidrs: Vec<IpNet>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its region.
    pub region: String,
    /// Its availability zone.
    pub zone: String,
    /// IPv4 and IPv6 ranges.
    pub cidrs: Vec<IpNet>,
    /// Whether new interfaces get a public address.
    pub maps_public_addresses: bool,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Whether it serves subnets without a table of their own.
    pub main: bool,
    /// Subnets associated explicitly.
    pub subnets: Vec<String>,
    /// Internet and virtual private gateways whose incoming packets it routes.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The destination: an address range, or a prefix list.
    pub destination: Destination,
    /// The target's id as AWS prints it: `local`, `igw-…`, `nat-…`, `eigw-…`, `tgw-…`, `pcx-…`, `vpce-…`,
    /// `eni-…`, `i-…`.
    pub target: String,
    /// `active` or `blackhole`.
    pub state: String,
}

/// What a route or a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// An address range.
    Cidr(IpNet),
    /// A managed prefix list, `pl-…`.
    PrefixList(String),
    /// A security group, `sg-…`.
    SecurityGroup(String),
}

/// A managed prefix list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrefixList {
    /// `pl-…`.
    pub id: String,
    /// Its name: `com.amazonaws.eu-central-1.s3` for a service's.
    pub name: String,
    /// Its entries; unknown where the service does not list them.
    pub entries: Known<Vec<IpNet>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: Option<String>,
    /// The account that was asked.
    pub account: String,
    /// Rules for traffic in.
    pub ingress: Vec<SecurityRule>,
    /// Rules for traffic out.
    pub egress: Vec<SecurityRule>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// One permission of a security group, for one peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityRule {
    /// IANA protocol number; absent for all protocols (`-1`).
    pub protocol: Option<u8>,
    /// First port; absent for all ports.
    pub from_port: Option<u16>,
    /// Last port.
    pub to_port: Option<u16>,
    /// The peer.
    pub peer: Destination,
    /// JSON pointer to the permission inside the group's record.
    pub pointer: String,
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// `acl-…`.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Subnets it guards.
    pub subnets: Vec<String>,
    /// Rules by number, lowest first; the first match decides.
    pub entries: Vec<NetworkAclEntry>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A rule of a network ACL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// Its number; 32767 is the final deny.
    pub number: i32,
    /// Whether it is about traffic out.
    pub egress: bool,
    /// Whether it allows.
    pub allow: bool,
    /// IANA protocol number; absent for all.
    pub protocol: Option<u8>,
    /// First port; absent for all.
    pub from_port: Option<u16>,
    /// Last port.
    pub to_port: Option<u16>,
    /// The peer's range.
    pub cidr: IpNet,
}

/// An internet gateway, egress-only internet gateway, NAT gateway, or transit gateway attachment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// `igw-…`, `eigw-…`, `nat-…`, `tgw-attach-…`.
    pub id: String,
    /// What it is.
    pub kind: GatewayKind,
    /// The VPC it belongs to.
    pub vpc: Option<String>,
    /// The subnet of a NAT gateway.
    pub subnet: Option<String>,
    /// For an attachment, the transit gateway, `tgw-…`.
    pub transit_gateway: Option<String>,
    /// For an attachment of a VPC, the subnets that it stands in, one a zone.
    #[serde(default = "unknown_subnets")]
    pub subnets: Known<Vec<String>>,
    /// For an attachment, the transit gateway route table that routes what it sends, `tgw-rtb-…`.
    #[serde(default)]
    pub transit_table: Option<String>,
    /// For a NAT gateway, whether it has a public address.
    pub public: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

fn unknown_subnets() -> Known<Vec<String>> {
    Known::Unknown("the subnets of the attachment are not in the evidence".to_owned())
}

/// A route table of a transit gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransitRouteTable {
    /// `tgw-rtb-…`.
    pub id: String,
    /// Its transit gateway, `tgw-…`.
    pub transit_gateway: String,
    /// Its routes, static and propagated ones.
    pub routes: Known<Vec<TransitRoute>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A route of a transit gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransitRoute {
    /// The destination.
    pub destination: IpNet,
    /// Attachments that it leads to, `tgw-attach-…`; several share the load.
    pub attachments: Vec<String>,
    /// Whether it drops what it matches.
    pub blackhole: bool,
}

/// Kinds of gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayKind {
    /// Both ways, to and from public addresses.
    Internet,
    /// IPv6, outwards only.
    EgressOnly,
    /// Outwards only.
    Nat,
    /// To a transit gateway.
    TransitAttachment,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// `eni-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// Its subnet.
    pub subnet: String,
    /// Its VPC.
    pub vpc: String,
    /// Private addresses.
    pub private_addresses: Vec<String>,
    /// Public addresses associated with it.
    pub public_addresses: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
    /// The instance it is attached to.
    pub instance: Option<String>,
    /// `interface`, `nat_gateway`, `vpc_endpoint`, …
    pub kind: String,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// `vpce-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// Its VPC.
    pub vpc: String,
    /// `com.amazonaws.eu-central-1.s3`.
    pub service: String,
    /// `Gateway`, `Interface`, `GatewayLoadBalancer`.
    pub kind: String,
    /// `available`, `pendingAcceptance`, …
    pub state: String,
    /// Route tables of a gateway endpoint.
    pub route_tables: Vec<String>,
    /// Subnets of an interface endpoint.
    pub subnets: Vec<String>,
    /// Security groups of an interface endpoint.
    pub security_groups: Vec<String>,
    /// Whether the service's public name resolves to it.
    pub private_dns: bool,
    /// The endpoint policy; absent for services that have none.
    pub policy: Known<PolicyDocument>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A VPC endpoint service: a private link that others connect to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointService {
    /// `vpce-svc-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Whether connections wait for acceptance.
    pub acceptance_required: bool,
    /// Principals that may connect.
    pub allowed_principals: Known<Vec<String>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A VPC peering connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peering {
    /// `pcx-…`.
    pub id: String,
    /// `active`, …
    pub status: String,
    /// The requester's account.
    pub requester_account: String,
    /// The requester's VPC.
    pub requester_vpc: String,
    /// The requester's ranges.
    pub requester_cidrs: Vec<IpNet>,
    /// The accepter's account.
    pub accepter_account: String,
    /// The accepter's VPC.
    pub accepter_vpc: String,
    /// The accepter's ranges.
    pub accepter_cidrs: Vec<IpNet>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// The configuration of a VPC flow log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowLog {
    /// `fl-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// The VPC, subnet or interface it covers.
    pub resource: String,
    /// `ALL`, `ACCEPT` or `REJECT`.
    pub traffic: String,
    /// `ACTIVE`.
    pub status: String,
    /// ARN of the bucket or log group.
    pub destination: Option<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
