//! Networks of Azure: virtual networks, security groups, routes, interfaces, fronts, endpoints.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;
use crate::known::Known;

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VirtualNetwork {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The subscription.
    pub subscription: String,
    /// Its region.
    pub region: String,
    /// Its address space.
    pub cidrs: Vec<IpNet>,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// Its side of its peerings.
    pub peerings: Vec<Peering>,
    /// Rules that Virtual Network Manager applies to it, lowest priority number first.
    pub admin_rules: Known<Vec<AdminRule>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its ranges.
    pub cidrs: Vec<IpNet>,
    /// Its network security group.
    pub security_group: Option<String>,
    /// Its route table.
    pub route_table: Option<String>,
    /// Its NAT gateway.
    pub nat_gateway: Option<String>,
    /// Whether what has no other way out gets an address of Azure's.
    pub default_outbound: bool,
    /// Whether network security groups filter what private endpoints in it receive.
    pub endpoint_filters: bool,
    /// Whether routes of other subnets may lead past private endpoints in it.
    pub endpoint_routes: bool,
    /// Services that it reaches by routes of Azure's own, `Microsoft.Storage`.
    pub service_endpoints: Vec<String>,
    /// Whether anything uses it: for a gateway's subnet, whether there is a gateway.
    pub occupied: bool,
}

/// One side of a peering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peering {
    /// Its id.
    pub id: String,
    /// The other network.
    pub remote: String,
    /// The other network's address space.
    pub remote_cidrs: Vec<IpNet>,
    /// `Connected`, `Initiated`, `Disconnected`.
    pub state: String,
    /// Whether the two networks reach each other.
    pub allow_access: bool,
    /// Whether packets that the other network did not open itself may come in.
    pub allow_forwarded: bool,
    /// Whether the other network may use this one's gateway.
    pub allow_gateway_transit: bool,
    /// Whether this network uses the other one's gateway.
    pub use_remote_gateways: bool,
}

/// What a rule or a route speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// Every address.
    Any,
    /// A range.
    Cidr(IpNet),
    /// A service tag, `VirtualNetwork`.
    Tag(String),
    /// An application security group, by id.
    ApplicationGroup(String),
    /// A network group of Virtual Network Manager, whose members are not read.
    NetworkGroup(String),
}

/// Ports from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
}

impl Span {
    /// Every port.
    pub const ALL: Self = Self { from: 0, to: u16::MAX };
}

/// Whose packets a rule is about, as Azure words it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matches {
    /// Whether it is about packets to the interface.
    pub inbound: bool,
    /// IANA protocol number; absent for all.
    pub protocol: Option<u8>,
    /// Where packets come from.
    pub sources: Vec<Peer>,
    /// From which ports.
    pub source_ports: Vec<Span>,
    /// Where they go.
    pub destinations: Vec<Peer>,
    /// To which ports.
    pub ports: Vec<Span>,
}

/// A rule of a network security group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecurityRule {
    /// Its name.
    pub name: String,
    /// The lowest number decides.
    pub priority: i32,
    /// Whether it allows.
    pub allow: bool,
    /// Which packets it decides about.
    pub matches: Matches,
    /// JSON pointer to it inside the group's record; empty for a default rule that the answer left out.
    pub pointer: String,
}

/// A network security group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkSecurityGroup {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its own and default rules, lowest priority number first.
    pub rules: Vec<SecurityRule>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// What a rule of Virtual Network Manager does ("Security admin rules in Azure Virtual Network Manager").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminAccess {
    /// Security groups decide.
    Allow,
    /// Security groups are not asked.
    AlwaysAllow,
    /// Stopped.
    Deny,
}

/// A security admin rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdminRule {
    /// Its id.
    pub id: String,
    /// The lowest number decides.
    pub priority: i32,
    /// What it does.
    pub access: AdminAccess,
    /// Which packets it decides about.
    pub matches: Matches,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Whether routes that gateways learn stay out.
    pub no_gateway_routes: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// The destination: a range or a service tag.
    pub destination: Peer,
    /// Where it leads.
    pub next_hop: NextHop,
}

/// Where a route leads ("Virtual network traffic routing").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextHop {
    /// The gateway of the network.
    Gateway,
    /// The network itself.
    Local,
    /// The internet.
    Internet,
    /// An appliance.
    Appliance,
    /// Nowhere.
    None,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nic {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The subscription.
    pub subscription: String,
    /// Its network.
    pub network: String,
    /// Its subnet.
    pub subnet: String,
    /// Its addresses.
    pub addresses: Vec<NicAddress>,
    /// Its network security group.
    pub security_group: Option<String>,
    /// Application security groups it is in.
    pub application_groups: Vec<String>,
    /// The machine it belongs to.
    pub machine: Option<String>,
    /// The private endpoint it belongs to.
    pub private_endpoint: Option<String>,
    /// Whether it belongs to something else of Azure's, such as a private link service.
    pub managed: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicAddress {
    /// The id of its configuration.
    pub id: String,
    /// The private address.
    pub private: IpNet,
    /// The id of its public address.
    pub public: Option<String>,
}

/// A public address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicAddress {
    /// Its id.
    pub id: String,
    /// The address, where one is allotted.
    pub address: Option<String>,
    /// Whether it is closed until a security group opens it (the standard kind).
    pub closed_by_default: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A NAT gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddressTranslation {
    /// Its id.
    pub id: String,
    /// Whether it has a public address or range.
    pub public: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is closed until a security group opens it (the standard kind).
    pub closed_by_default: bool,
    /// What it forwards.
    pub forwards: Vec<Forward>,
    /// Configurations of interfaces that it serves, whether they may open connections through it or not.
    pub members: Vec<String>,
    /// Configurations of interfaces whose connections leave through it.
    pub outbound: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// One rule of a load balancer, for one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The rule's name.
    pub name: String,
    /// Whether its front is a public address.
    pub public: bool,
    /// IANA protocol number; absent for all.
    pub protocol: Option<u8>,
    /// The port of the front; 0 for all.
    pub front_port: u16,
    /// Ports of the member.
    pub ports: Span,
    /// Configurations of interfaces that it forwards to.
    pub members: Vec<String>,
}

/// A private endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrivateEndpoint {
    /// Its id.
    pub id: String,
    /// The subscription.
    pub subscription: String,
    /// Its subnet.
    pub subnet: String,
    /// What it leads to.
    pub target: String,
    /// `Approved`, `Pending`, `Rejected`, `Disconnected`.
    pub state: String,
    /// Parts of the service, `blob`, `vault`.
    pub groups: Vec<String>,
    /// Its interfaces.
    pub interfaces: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A private link service: others connect to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrivateLinkService {
    /// Its id.
    pub id: String,
    /// The subscription.
    pub subscription: String,
    /// Its region.
    pub region: String,
    /// Subscriptions whose connections are approved without being asked; `*` for all.
    pub auto_approval: Vec<String>,
    /// Subscriptions that may ask; `*` for all.
    pub visibility: Vec<String>,
    /// Connections and their states.
    pub connections: Vec<(String, String)>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// The ranges of a service tag in a region's list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceTag {
    /// Its name, `Storage.WestEurope`.
    pub name: String,
    /// Its ranges.
    pub ranges: Vec<IpNet>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
