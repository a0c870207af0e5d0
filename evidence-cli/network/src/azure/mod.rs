//! Paths through Azure networks, in the terms of [`crate::trace`]: every packet of a question arrives, leaves, is
//! stopped by a named setting, or goes where the evidence does not reach.
//!
//! The rules and where Microsoft states them are in `docs/reachability-azure.md`. What decides, in this order:
//!
//! 1. Security admin rules of the opener's network, then the security groups of its interface and of its subnet.
//! 2. The longest route of its subnet: routes of its own before Azure's.
//! 3. Where the packet leaves: the network itself, a peering, a way out to the internet, a gateway.
//! 4. Security admin rules of the other end's network, then the security groups of its subnet and of its interface.
//! 5. The route of the reply; security groups remember connections.
//!
//! What comes from the internet needs a public address or a load balancer's front, and a security group that opens it.
//! Appliances, what gateways learn, the far side of gateways, IPv6 and the members of network groups are opaque:
//! unknown, never permitted and never stopped. A setting that stops a packet for certain outweighs an open question on
//! the way.

mod filters;
mod flows;
mod fronts;
mod routes;
mod sites;
mod spaces;
mod walk;

use std::collections::BTreeMap;

use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::network::Nic;
use cadastre_model::reach::Reachability;
use ipnet::IpNet;

use crate::range;
use crate::trace::{Answer, Family, Outcome, Packets, Party, PortRange, Question, QuestionError};
use sites::Sites;
use walk::Walk;

/// Answers questions over the Azure networks of one inventory.
#[derive(Debug)]
pub struct AzureTracer<'a> {
    sites: Sites<'a>,
    interfaces: BTreeMap<&'a str, &'a Nic>,
}

impl<'a> AzureTracer<'a> {
    /// Indexes an inventory.
    #[must_use]
    pub fn new(inventory: &'a AzureInventory) -> Self {
        let interfaces = inventory.interfaces.iter().map(|nic| (nic.id.as_str(), nic)).collect();
        Self { sites: Sites::new(inventory), interfaces }
    }

    /// What becomes of the packets of a question.
    ///
    /// # Errors
    /// When an interface is not in the evidence, or neither end is one.
    pub fn trace(&self, question: &Question) -> Result<Answer, QuestionError> {
        let from = self.end(&question.from)?;
        let to = self.end(&question.to)?;
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut walk = Walk::new(&self.sites, &mut outcomes);
        let packets = |source: IpNet, destination: IpNet| Packets {
            source,
            destination,
            protocol: question.protocol,
            source_ports: PortRange::ALL,
            ports: question.ports,
            translated_ports: PortRange::ALL,
        };
        match (from, to) {
            (End::Nic(opener), End::Nic(target)) => {
                for source in &opener.addresses {
                    for destination in &target.addresses {
                        walk.between(packets(source.private, destination.private), opener, target);
                    }
                }
            }
            (End::Nic(opener), End::Outside(ranges)) => {
                for source in &opener.addresses {
                    for range in &ranges {
                        walk.outwards(packets(source.private, *range), opener, source);
                    }
                }
            }
            (End::Outside(ranges), End::Nic(target)) => {
                for destination in &target.addresses {
                    for range in &ranges {
                        walk.inwards(packets(*range, destination.private), target, destination);
                    }
                }
            }
            (End::Outside(_), End::Outside(_)) => return Err(QuestionError::NoInterface),
        }
        outcomes.sort();
        Ok(Answer { outcomes, open: Vec::new() })
    }

    fn end(&self, party: &Party) -> Result<End<'a>, QuestionError> {
        match party {
            Party::Outside(range) => Ok(End::Outside(vec![range.trunc()])),
            // The platform's own address is none of the internet's, however public it looks.
            Party::Internet(Family::Ipv4) => {
                Ok(End::Outside(range::outside(&range::public_v4(), &[spaces::host()])))
            }
            Party::Internet(Family::Ipv6) => Ok(End::Outside(vec![range::global_unicast()])),
            Party::Interface(id) => {
                let nic = self.interfaces.get(id.as_str());
                nic.map(|nic| End::Nic(nic)).ok_or_else(|| QuestionError::UnknownInterface(id.clone()))
            }
        }
    }
}

enum End<'a> {
    Nic(&'a Nic),
    Outside(Vec<IpNet>),
}

/// Every flow between an interface of a machine and the internet that the settings permit, and every question they
/// leave open, sorted.
#[must_use]
pub fn reachability(inventory: &AzureInventory) -> Reachability {
    flows::all(inventory)
}
