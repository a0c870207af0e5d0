//! Reachability over routes, security groups, network ACLs and endpoints.
//!
//! [`reachability`] says which flows the settings of an account permit for every network interface of an
//! instance: a flow is permitted when a security group allows it, the network ACL of the subnet allows it
//! and its replies, and a route with a working gateway carries it. It is a pure function of the inventory.
//!
//! How to read a [`PermittedFlow`]:
//!
//! - `peer` is the range of the security group rule cut down to what the network ACL lets pass and to the
//!   destination of the route. Where a longer route takes a part of the range elsewhere, that part has a
//!   flow of its own, or none; it is not cut out of the wider range.
//! - A range that crosses an internet or NAT gateway means the public addresses in it.
//! - A rule about a security group or a prefix list gives one flow for each address or entry, with the name
//!   beside it. Where addresses are not known, the name stands alone.
//! - For a flow towards the interface, the peer may choose any source port, so one port that lets replies
//!   pass is enough. For a flow from it, replies come to ports 1024 to 65535.
//! - The far side is not judged: what a peered VPC, a transit gateway or another instance does with a
//!   packet is its own affair.
//!
//! That judges the near side of every interface at once. [`trace`] follows packets between two ends to the
//! last setting on either side and back, and names the one that stops them.
//!
//! [`PermittedFlow`]: cadastre_model::reach::PermittedFlow

mod acl;
pub mod azure;
mod flows;
mod hosts;
mod lanes;
mod permissions;
mod range;
mod topology;
pub mod trace;

use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;

/// Every flow that the settings permit, and every question they leave open, sorted.
#[must_use]
pub fn reachability(inventory: &Inventory) -> Reachability {
    let topology = topology::Topology::new(inventory);
    let mut reachability = flows::all(&topology);
    let azure = azure::reachability(&inventory.azure);
    if azure != Reachability::default() {
        reachability.flows.extend(azure.flows);
        reachability.flows.sort();
        reachability.unknown.extend(azure.unknown);
        reachability.unknown.sort();
    }
    reachability
}
