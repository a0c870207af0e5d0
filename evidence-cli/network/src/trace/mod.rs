//! Paths from end to end: which packets of a question arrive, leave, are stopped by which setting, or go
//! where the evidence does not reach.
//!
//! An answer is a partition: every packet of the question is in exactly one [`Outcome`]. A connection is
//! traced in both directions, replies included, since network ACLs are stateless and routes may differ.
//! What decides, in this order, hop by hop:
//!
//! 1. Outgoing rules of the opener's security groups.
//! 2. The longest route of the subnet's table; of two alike, one that names its range.
//! 3. Network ACLs, unless the packet stays in its subnet: outgoing at the subnet it leaves, incoming at the
//!    one it enters. NAT gateways and transit gateway attachments stand in subnets of their own ("Network
//!    ACLs for transit gateways", Amazon VPC User Guide).
//! 4. The gateway: internet gateways want a public address and carry public addresses only; peering carries
//!    only what its own VPC sends to the other VPC's ranges; a transit gateway routes by the table that the
//!    attachment is associated with, in the zone that the packet comes from.
//! 5. Incoming rules of the other end's security groups. A rule that names a group matches interfaces in it
//!    that are in the same VPC or across a peering connection; across a transit gateway that is a setting
//!    which is not part of the evidence, so it is unknown.
//! 6. The same for the reply, without security groups, which remember connections.
//!
//! Network Firewall, gateway load balancer endpoints, appliances behind an interface route, private NAT
//! gateways and NAT64 are opaque: what they do is unknown, never permitted and never stopped.

mod filters;
mod gateways;
pub(crate) mod packets;
mod tracer;
mod transit;

use cadastre_model::reach::{Crossing, Hop};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::packets::{Packets, PortRange};
pub use self::tracer::{QuestionError, Tracer};

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// A network interface in the evidence, `eni-…`.
    Interface(String),
    /// Addresses beyond the evidence: a network behind a gateway, or some of the internet.
    Outside(IpNet),
    /// Every public address of a family that no network of the evidence has for itself.
    Internet(Family),
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4
    Ipv4,
    /// IPv6
    Ipv6,
}

/// Who would open connections to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The opener.
    pub from: Party,
    /// The other end.
    pub to: Party,
    /// IANA protocol number.
    pub protocol: u8,
    /// Ports of the other end.
    pub ports: PortRange,
}

/// What becomes of packets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// They arrive at an interface, and so do the replies.
    Arrives(String),
    /// They leave what the evidence shows through a gateway, and replies would come back.
    Leaves(String),
    /// A setting stops them, or the replies.
    Blocked(Hop),
    /// The evidence does not settle it.
    Unknown(String),
}

/// Packets with the same fate on the same way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Outcome {
    /// Which packets.
    pub packets: Packets,
    /// What becomes of them.
    pub fate: Fate,
    /// The edge of the VPC that they cross.
    pub crossing: Crossing,
    /// The settings that they and their replies pass, in order.
    pub hops: Vec<Hop>,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Some packets arrive or leave.
    Open,
    /// None does for certain, and the evidence does not settle it for some.
    Unknown,
    /// Settings stop every packet.
    Blocked,
}

/// Every packet of a question, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Sorted.
    pub outcomes: Vec<Outcome>,
    /// What the outcomes leave out: parts of the answer that no address range can express.
    pub open: Vec<String>,
}

impl Answer {
    /// The answer in one word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let any = |wanted: fn(&Fate) -> bool| self.outcomes.iter().any(|outcome| wanted(&outcome.fate));
        if any(|fate| matches!(fate, Fate::Arrives(_) | Fate::Leaves(_))) {
            Verdict::Open
        } else if any(|fate| matches!(fate, Fate::Unknown(_))) {
            Verdict::Unknown
        } else {
            Verdict::Blocked
        }
    }
}
