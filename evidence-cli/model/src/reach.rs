//! What network reachability answers with.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;

/// A range of ports of one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    /// IANA protocol number; absent for all.
    pub protocol: Option<u8>,
    /// First port.
    pub from: u16,
    /// Last port.
    pub to: u16,
}

/// One setting that a packet passes, or that stops it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hop {
    /// The id of the thing: `rtb-…`, `sg-…`, `acl-…`, `igw-…`.
    pub at: String,
    /// What it does, in words: `route 0.0.0.0/0 to igw-…`.
    pub what: String,
}

/// A flow that settings permit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PermittedFlow {
    /// Which way, as the interface sees it.
    pub direction: Direction,
    /// The network interface, `eni-…`.
    pub interface: String,
    /// The instance behind it.
    pub instance: Option<String>,
    /// Its VPC.
    pub vpc: String,
    /// The peer: an address range, where it is one.
    pub peer: Option<IpNet>,
    /// The peer when it is not a range: `pl-…` or `sg-…`, or a service name.
    pub peer_name: Option<String>,
    /// Destination ports.
    pub ports: Ports,
    /// Where the flow crosses the edge of the VPC.
    pub crossing: Crossing,
    /// The settings it passes, in order.
    pub hops: Vec<Hop>,
    /// Where they were read.
    pub evidence: EvidenceIds,
}

/// Which way a flow is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Towards the interface.
    Ingress,
    /// From the interface.
    Egress,
}

/// Where a flow crosses the edge of the VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crossing {
    /// It stays inside.
    Local,
    /// An internet gateway.
    Internet,
    /// A NAT or egress-only gateway: outwards only.
    Nat,
    /// A VPC endpoint.
    Endpoint,
    /// A peering connection.
    Peering,
    /// A transit gateway, virtual private gateway, or appliance whose far side is not modelled.
    Transit,
}

/// A question that the evidence leaves open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The interface.
    pub interface: String,
    /// What is missing.
    pub missing: String,
}

/// Everything network reachability says of an inventory, for every interface of an instance.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reachability {
    /// Permitted flows, sorted.
    pub flows: Vec<PermittedFlow>,
    /// What is not settled.
    pub unknown: Vec<OpenQuestion>,
}
