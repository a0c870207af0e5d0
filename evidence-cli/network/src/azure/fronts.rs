//! How an interface is reached from the internet, and how it gets there.

use cadastre_model::asset::azure::network::{Nic, NicAddress, Subnet};

use super::sites::Sites;
use crate::trace::PortRange;

/// A public address or a load balancer's rule in front of an interface.
#[derive(Debug, Clone)]
pub(super) struct Front {
    /// The address or the load balancer.
    pub(super) at: String,
    /// In words.
    pub(super) told: String,
    /// Ports of the interface.
    pub(super) ports: PortRange,
    /// Whether a security group has to open it; `None` when that is not known.
    pub(super) closed: Option<bool>,
}

/// The way out to the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Out {
    /// By the thing with this id, in words.
    By(String, &'static str),
    /// The setting with this id gives none.
    None(String, &'static str),
    Unknown(String),
}

/// Every front, the interface's own address first.
pub(super) fn of(sites: &Sites<'_>, nic: &Nic, address: &NicAddress, protocol: u8) -> Vec<Front> {
    let mut fronts = Vec::new();
    if let Some(public) = &address.public {
        let known = sites.public_addresses.get(public.as_str());
        fronts.push(Front {
            at: public.clone(),
            told: "public address of the interface".to_owned(),
            ports: PortRange::ALL,
            closed: known.map(|known| known.closed_by_default),
        });
    }
    let by_address = member_by_address(nic, address);
    for balancer in sites.load_balancers() {
        for forward in balancer.forwards.iter().filter(|forward| forward.public) {
            let ours = forward.members.iter().any(|member| *member == address.id || *member == by_address);
            if ours && forward.protocol.is_none_or(|known| known == protocol) && matches!(protocol, 6 | 17) {
                fronts.push(Front {
                    at: balancer.id.clone(),
                    told: format!("rule `{}` forwards port {}", forward.name, forward.front_port),
                    ports: PortRange { from: forward.ports.from, to: forward.ports.to },
                    closed: Some(balancer.closed_by_default),
                });
            }
        }
    }
    fronts
}

/// The way out ("Azure outbound connectivity methods"): a NAT gateway before an own address before a load balancer
/// before what Azure gives by default.
pub(super) fn out(sites: &Sites<'_>, nic: &Nic, address: &NicAddress, subnet: &Subnet, protocol: u8) -> Out {
    if let Some(gateway) = &subnet.nat_gateway {
        return match sites.nat_gateways.get(gateway.as_str()) {
            Some(known) if known.public => Out::By(gateway.clone(), "the NAT gateway"),
            Some(_) => Out::Unknown(format!("NAT gateway `{gateway}` has no public address")),
            None => Out::Unknown(format!("NAT gateway `{gateway}` is not in the evidence")),
        };
    }
    if let Some(public) = &address.public {
        return Out::By(public.clone(), "its public address");
    }
    let by_address = member_by_address(nic, address);
    let ours = |members: &[String]| members.iter().any(|one| *one == address.id || *one == by_address);
    for balancer in sites.load_balancers() {
        if ours(&balancer.outbound) {
            return if matches!(protocol, 6 | 17) {
                Out::By(balancer.id.clone(), "the load balancer")
            } else {
                Out::Unknown(format!("whether load balancer `{}` carries this protocol out", balancer.id))
            };
        }
    }
    let balancers = sites.load_balancers().iter();
    let mut closed = balancers.filter(|balancer| balancer.closed_by_default);
    if closed.any(|balancer| ours(&balancer.members)) {
        return Out::None(
            subnet.id.clone(),
            "members of a standard load balancer have no way out of their own",
        );
    }
    if subnet.default_outbound {
        Out::By(subnet.id.clone(), "Azure's default outbound access")
    } else {
        Out::None(subnet.id.clone(), "a private subnet without a way out")
    }
}

fn member_by_address(nic: &Nic, address: &NicAddress) -> String {
    format!("{} {}", nic.network, address.private.addr())
}
