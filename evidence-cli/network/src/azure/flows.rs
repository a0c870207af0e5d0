//! Permitted flows between machines and the internet, from the traces of their interfaces.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::network::Nic;
use cadastre_model::reach::{Crossing, Direction, Hop, OpenQuestion, PermittedFlow, Ports, Reachability};
use ipnet::IpNet;

use super::AzureTracer;
use super::spaces;
use crate::range;
use crate::trace::{Fate, Party, PortRange, Question};

/// Protocols that are asked about: TCP, UDP and ICMP.
const PROTOCOLS: [u8; 3] = [6, 17, 1];

/// What flows have in common that are told as one.
type Kind = (Crossing, Vec<Hop>, (u16, u16));

/// Every permitted flow and every open question, sorted.
pub(super) fn all(inventory: &AzureInventory) -> Reachability {
    let tracer = AzureTracer::new(inventory);
    let mut flows = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for nic in inventory.interfaces.iter().filter(|nic| nic.machine.is_some()) {
        for direction in [Direction::Ingress, Direction::Egress] {
            for protocol in PROTOCOLS {
                one(&tracer, inventory, nic, direction, protocol, &mut flows, &mut unknown);
            }
        }
    }
    Reachability { flows: flows.into_iter().collect(), unknown: unknown.into_iter().collect() }
}

fn one(
    tracer: &AzureTracer<'_>,
    inventory: &AzureInventory,
    nic: &Nic,
    direction: Direction,
    protocol: u8,
    flows: &mut BTreeSet<PermittedFlow>,
    unknown: &mut BTreeSet<OpenQuestion>,
) {
    let own = Party::Interface(nic.id.clone());
    let world = Party::Outside(range::everywhere_v4());
    let (from, to) = match direction {
        Direction::Ingress => (world, own),
        Direction::Egress => (own, world),
    };
    let question = Question { from, to, protocol, ports: PortRange::ALL };
    let Ok(answer) = tracer.trace(&question) else { return };
    let mut kinds: BTreeMap<Kind, Vec<IpNet>> = BTreeMap::new();
    for outcome in answer.outcomes {
        let peer = match direction {
            Direction::Ingress => outcome.packets.source,
            Direction::Egress => outcome.packets.destination,
        };
        match outcome.fate {
            Fate::Arrives(_) | Fate::Leaves(_) => {
                let ports = (outcome.packets.ports.from, outcome.packets.ports.to);
                kinds.entry((outcome.crossing, outcome.hops, ports)).or_default().push(peer);
            }
            // Ends inside the evidence are asked about by name, and the host is everybody's.
            Fate::Unknown(missing) if missing.starts_with("name an interface") => {}
            Fate::Unknown(_) if peer == spaces::host() => {}
            Fate::Unknown(missing) => {
                unknown.insert(OpenQuestion { interface: nic.id.clone(), missing });
            }
            Fate::Blocked(_) => {}
        }
    }
    let evidence = evidence(inventory, nic);
    for ((crossing, hops, (from, to)), peers) in kinds {
        for peer in widest(peers) {
            flows.insert(PermittedFlow {
                direction,
                interface: nic.id.clone(),
                instance: nic.machine.clone(),
                vpc: nic.network.clone(),
                peer: Some(peer),
                peer_name: None,
                ports: Ports { protocol: Some(protocol), from, to },
                crossing,
                hops: hops.clone(),
                evidence: evidence.clone(),
            });
        }
    }
}

/// The fewest ranges; all public addresses are told as everything, as rules word it.
fn widest(mut peers: Vec<IpNet>) -> Vec<IpNet> {
    peers = IpNet::aggregate(&peers);
    let missing = range::outside(&range::public_v4(), &peers);
    if missing.iter().all(|range| *range == spaces::host()) { vec![range::everywhere_v4()] } else { peers }
}

/// Everything that a flow of an interface rests on.
fn evidence(inventory: &AzureInventory, nic: &Nic) -> EvidenceIds {
    let mut all = nic.evidence.clone();
    let network = inventory.networks.iter().find(|network| network.id == nic.network);
    let Some(network) = network else { return all };
    all.extend(network.evidence.iter().cloned());
    let subnet = network.subnets.iter().find(|subnet| subnet.id == nic.subnet);
    let groups = [nic.security_group.as_ref(), subnet.and_then(|subnet| subnet.security_group.as_ref())];
    for group in inventory.security_groups.iter().filter(|group| groups.contains(&Some(&group.id))) {
        all.extend(group.evidence.iter().cloned());
    }
    let table = subnet.and_then(|subnet| subnet.route_table.as_ref());
    for table in inventory.route_tables.iter().filter(|known| Some(&known.id) == table) {
        all.extend(table.evidence.iter().cloned());
    }
    for address in &nic.addresses {
        for public in
            inventory.public_addresses.iter().filter(|known| Some(&known.id) == address.public.as_ref())
        {
            all.extend(public.evidence.iter().cloned());
        }
        for balancer in inventory.load_balancers.iter().filter(|known| known.members.contains(&address.id)) {
            all.extend(balancer.evidence.iter().cloned());
        }
    }
    all
}
